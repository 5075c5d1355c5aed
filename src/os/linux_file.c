/* linux_file.c - files, whole and blocking.
 *
 * A file is opened without blocking and must be a regular file or a device: opening a named pipe
 * would else hang the caller. New files are the owner's alone (0600); path_chmod widens or narrows.
 */
#include "os/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct hf_os_file {
    int fd;
};

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static const int open_flags[] = {
    [HF_OS_READ] = O_RDONLY | O_NONBLOCK,
    [HF_OS_CREATE] = O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NONBLOCK,
    [HF_OS_APPEND] = O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK,
};

enum hf_err hf_linux_file_open(struct hf_os *os, const char *path, enum hf_os_open how,
                               struct hf_os_file **ret, struct hf_report *report)
{
    (void)os;
    HF_ASSERT((size_t)how < HF_ARRAY_LEN(open_flags));
    struct hf_os_file *f = malloc(sizeof *f);
    if (f == NULL)
        return hf_report_set(report, HF_LIMIT, "opening %s: out of memory", path);
    enum hf_err err;
    struct stat st;
    f->fd = open_retry(path, open_flags[how], 0600);
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        err = hf_linux_fail(report, errno, "opening", path);
        goto fail;
    }
    if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
        err = hf_report_set(report, HF_INVALID, "opening %s: not a file", path);
        goto fail;
    }
    *ret = f;
    return HF_OK;
fail:
    hf_linux_file_close(f);
    return err;
}

enum hf_err hf_linux_file_read_at(struct hf_os_file *f, uint64_t at, void *buf, size_t len,
                                  size_t *got)
{
    uint8_t *p = buf;
    size_t done = 0;
    *got = 0;
    if (at > INT64_MAX || len > INT64_MAX - at)
        return HF_INVALID;
    while (done < len) {
        ssize_t n = pread(f->fd, p + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hf_linux_err(errno);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return HF_OK;
}

enum hf_err hf_linux_file_append(struct hf_os_file *f, const void *buf, size_t len)
{
    const uint8_t *p = buf;
    while (len > 0) {
        ssize_t n = write(f->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hf_linux_err(errno);
        p += n;
        len -= (size_t)n;
    }
    return HF_OK;
}

enum hf_err hf_linux_file_sync(struct hf_os_file *f)
{
    int rc;
    do
        rc = fdatasync(f->fd);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? HF_OK : hf_linux_err(errno);
}

void hf_linux_file_close(struct hf_os_file *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f);
}

enum hf_err hf_linux_path_stat(struct hf_os *os, const char *path, struct hf_os_stat *ret)
{
    (void)os;
    struct stat st;
    if (lstat(path, &st) != 0)
        return hf_linux_err(errno);
    *ret = (struct hf_os_stat){
        .size = (uint64_t)st.st_size,
        .mode = st.st_mode & 07777,
        .uid = st.st_uid,
        .is_dir = S_ISDIR(st.st_mode),
        .is_link = S_ISLNK(st.st_mode),
    };
    return HF_OK;
}

enum hf_err hf_linux_path_mkdir(struct hf_os *os, const char *path, uint32_t mode)
{
    (void)os;
    if (mkdir(path, mode) == 0)
        return HF_OK;
    int number = errno;
    struct stat st;
    if (number == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return HF_OK;
    return hf_linux_err(number);
}

enum hf_err hf_linux_path_rename(struct hf_os *os, const char *from, const char *to)
{
    (void)os;
    return rename(from, to) == 0 ? HF_OK : hf_linux_err(errno);
}

enum hf_err hf_linux_path_remove(struct hf_os *os, const char *path)
{
    (void)os;
    return remove(path) == 0 ? HF_OK : hf_linux_err(errno);
}

enum hf_err hf_linux_path_chmod(struct hf_os *os, const char *path, uint32_t mode)
{
    (void)os;
    return chmod(path, mode) == 0 ? HF_OK : hf_linux_err(errno);
}

enum hf_err hf_linux_dir_sync(struct hf_os *os, const char *path)
{
    (void)os;
    int fd = open_retry(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return hf_linux_err(errno);
    int rc;
    do
        rc = fsync(fd);
    while (rc != 0 && errno == EINTR);
    enum hf_err err = rc == 0 ? HF_OK : hf_linux_err(errno);
    close(fd);
    return err;
}
