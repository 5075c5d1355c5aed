/* whole_file.c - see whole_file.h. */
#include "node/whole_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum hf_err failed(const char *path, struct hf_report *report)
{
    return hf_report_set(report,
                         errno == ENOENT   ? HF_NOT_FOUND
                         : errno == ENOMEM ? HF_LIMIT
                                           : HF_IO,
                         "%s: %s", path, strerror(errno));
}

/* ---- reading ---- */

static enum hf_err read_all(int fd, const char *path, size_t size, struct hf_buf *ret,
                            struct hf_report *report)
{
    size_t want = ret->len + size;
    enum hf_err err = hf_buf_reserve(ret, size);
    while (err == HF_OK && ret->len < want) {
        ssize_t n = read(fd, ret->ptr + ret->len, want - ret->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = hf_report_set(report, HF_IO, "%s: %s", path, strerror(errno));
        if (n <= 0)
            break;
        ret->len += (size_t)n;
    }
    return err;
}

enum hf_err hf_whole_file_read(const char *path, uint64_t max, struct hf_buf *ret,
                               struct hf_report *report)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return failed(path, report);
    enum hf_err err = HF_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        err = hf_report_set(report, HF_INVALID, "%s is not a regular file", path);
    else if ((uint64_t)st.st_size > max)
        err = hf_report_set(report, HF_LIMIT, "%s has more than %llu MiB", path,
                            (unsigned long long)(max >> 20));
    else
        err = read_all(fd, path, (size_t)st.st_size, ret, report);
    close(fd);
    return err;
}

/* ---- writing ---- */

/* "DIR/.begun-NAME" of "DIR/NAME"; malloc'd. */
static char *beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    int len = slash == NULL ? 0 : (int)(slash + 1 - path);
    char *ret = NULL;
    return asprintf(&ret, "%.*s" HF_WHOLE_FILE_BEGUN "%s", len, path, path + len) < 0 ? NULL : ret;
}

static enum hf_err write_all(int fd, const char *path, struct hf_view bytes,
                             struct hf_report *report)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(path, report);
        bytes = hf_view_skip(bytes, (size_t)n);
    }
    return fsync(fd) == 0 ? HF_OK : failed(path, report);
}

enum hf_err hf_whole_file_prepare(const char *path, struct hf_view bytes, struct hf_report *report)
{
    char *new = beside(path);
    if (new == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    unlink(new); /* what a process that died left; a link that somebody put there leads nowhere */
    int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum hf_err err = fd < 0 ? failed(new, report) : write_all(fd, new, bytes, report);
    if (fd >= 0 && close(fd) != 0 && err == HF_OK)
        err = failed(new, report);
    if (fd >= 0 && err != HF_OK)
        unlink(new);
    free(new);
    return err == HF_NOT_FOUND ? HF_IO : err;
}

enum hf_err hf_whole_file_sync_folder(const char *folder, struct hf_report *report)
{
    int fd = open(folder[0] == 0 ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(folder, report);
    enum hf_err err = fsync(fd) == 0 ? HF_OK : failed(folder, report);
    close(fd);
    return err;
}

enum hf_err hf_whole_file_commit(const char *path, struct hf_report *report)
{
    char *new = beside(path), *folder = strdup(path),
         *slash = folder == NULL ? NULL : strrchr(folder, '/');
    enum hf_err err = HF_OK;
    if (new == NULL || folder == NULL)
        err = hf_report_set(report, HF_LIMIT, "out of memory");
    else if (rename(new, path) != 0)
        err = hf_report_set(report, HF_IO, "%s: %s", path, strerror(errno));
    if (err == HF_OK && slash != NULL)
        slash[slash == folder] = 0;
    else if (err == HF_OK)
        folder[0] = 0;
    if (err == HF_OK)
        err = hf_whole_file_sync_folder(folder, report);
    free(new);
    free(folder);
    return err;
}

void hf_whole_file_abort(const char *path)
{
    char *new = beside(path);
    if (new != NULL)
        unlink(new);
    free(new);
}

enum hf_err hf_whole_file_sweep(const char *folder, struct hf_report *report)
{
    DIR *dir = opendir(folder);
    enum hf_err err = HF_OK;
    if (dir == NULL)
        return failed(folder, report);
    for (struct dirent *e; (e = readdir(dir)) != NULL && err == HF_OK;)
        if (strncmp(e->d_name, HF_WHOLE_FILE_BEGUN, strlen(HF_WHOLE_FILE_BEGUN)) == 0 &&
            unlinkat(dirfd(dir), e->d_name, 0) != 0 && errno != ENOENT)
            err = hf_report_set(report, HF_IO, "%s/%s: %s", folder, e->d_name, strerror(errno));
    closedir(dir);
    return err;
}
