/* file.c - reads a file, or whatever a stream is, whole. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

void *cli_read_stream(FILE *f, size_t max, size_t *len)
{
    char *bytes = NULL;
    size_t cap = 0, n;
    int err;
    *len = 0;
    errno = 0;
    do {
        if (cap - *len < 4097) { /* room for a piece, and for the NUL */
            char *more = realloc(bytes, cap = cap * 2 + 65536);
            if (more == NULL)
                break;
            bytes = more;
        }
        n = fread(bytes + *len, 1, cap - *len - 1, f);
        *len += n;
    } while (n > 0 && *len <= max);
    err = *len > max ? EFBIG : errno;
    if (*len <= max && feof(f) && !ferror(f)) {
        bytes[*len] = 0;
        return bytes;
    }
    free(bytes);
    errno = err != 0 ? err : EIO;
    return NULL;
}

void *cli_read_file(const char *path, size_t max, size_t *len)
{
    FILE *f = fopen(path, "rbe");
    *len = 0;
    if (f == NULL)
        return NULL;
    void *bytes = cli_read_stream(f, max, len);
    int err = errno;
    fclose(f);
    errno = err;
    return bytes;
}
