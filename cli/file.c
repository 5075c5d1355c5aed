/* file.c - reads a file whole. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void *cli_read_file(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = NULL;
    *len = 0;
    if (fd >= 0 && fstat(fd, &st) == 0)
        bytes = malloc((size_t)st.st_size + 1);
    while (bytes != NULL && *len < (size_t)st.st_size) {
        ssize_t n = read(fd, bytes + *len, (size_t)st.st_size - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(bytes);
            bytes = NULL;
            break;
        }
        if (n == 0)
            break;
        *len += (size_t)n;
    }
    int err = errno;
    if (fd >= 0)
        close(fd);
    if (bytes != NULL)
        bytes[*len] = 0;
    errno = err;
    return bytes;
}
