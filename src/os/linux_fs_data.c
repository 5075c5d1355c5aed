/* linux_fs_data.c - what is in an open file or folder.
 *
 * Offsets are the caller's: no handle has a position that two users could move under each other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/linux_fs.h"

#define WILL_NEED_MAX (1u << 20)
#define LIST_BYTES    8192 /* a name takes 280 at most */

int hf_linux_fs_read_at(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at,
                        size_t *got)
{
    ssize_t n;
    (void)fs;
    *got = 0;
    if (at > INT64_MAX || len > (uint64_t)INT64_MAX - at)
        return 0;
    do
        n = pread(fd, buf, len, (off_t)at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    *got = (size_t)n;
    return 0;
}

int hf_linux_fs_read_now(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at,
                         size_t *got)
{
    struct iovec v = {buf, len};
    *got = 0;
    if (at > INT64_MAX || len > (uint64_t)INT64_MAX - at)
        return 0;
    ssize_t n = preadv2(fd, &v, 1, (off_t)at, RWF_NOWAIT);
    if (n >= 0) {
        *got = (size_t)n;
        return 0;
    }
    if (errno == EOPNOTSUPP || errno == EINTR) /* not every file system can tell */
        return hf_linux_fs_read_at(fs, fd, buf, len, at, got);
    return errno;
}

/* at: UINT64_MAX appends. */
static int write_all(int fd, const uint8_t *p, size_t len, uint64_t at, size_t *put)
{
    bool append = at == UINT64_MAX;
    *put = 0;
    while (*put < len) {
        struct iovec v = {(void *)(uintptr_t)(p + *put), len - *put};
        ssize_t n = append ? pwritev2(fd, &v, 1, 0, RWF_APPEND)
                           : pwrite(fd, v.iov_base, v.iov_len, (off_t)(at + *put));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return EIO; /* cannot be, and must not be tried for ever */
        *put += (size_t)n;
    }
    return 0;
}

int hf_linux_fs_write_at(const struct hf_fs *fs, int fd, const void *buf, size_t len, uint64_t at,
                         size_t *put)
{
    (void)fs;
    *put = 0;
    if (at > INT64_MAX || len > (uint64_t)INT64_MAX - at)
        return EFBIG;
    return write_all(fd, buf, len, at, put);
}

int hf_linux_fs_append(const struct hf_fs *fs, int fd, const void *buf, size_t len, size_t *put)
{
    (void)fs;
    return write_all(fd, buf, len, UINT64_MAX, put);
}

int hf_linux_fs_set_size(const struct hf_fs *fs, int fd, uint64_t size)
{
    int rc;
    (void)fs;
    if (size > INT64_MAX)
        return EFBIG;
    do
        rc = ftruncate(fd, (off_t)size);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

int hf_linux_fs_sync(const struct hf_fs *fs, int fd, bool data_only)
{
    int rc;
    (void)fs;
    do
        rc = data_only ? fdatasync(fd) : fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

int hf_linux_fs_advise(const struct hf_fs *fs, int fd, uint64_t at, uint64_t len,
                       enum hf_fs_advice advice)
{
    static const int advices[] = {
        [HF_FS_NORMAL] = POSIX_FADV_NORMAL,      [HF_FS_SEQUENTIAL] = POSIX_FADV_SEQUENTIAL,
        [HF_FS_RANDOM] = POSIX_FADV_RANDOM,      [HF_FS_WILL_NEED] = POSIX_FADV_WILLNEED,
        [HF_FS_DONT_NEED] = POSIX_FADV_DONTNEED, [HF_FS_NO_REUSE] = POSIX_FADV_NOREUSE,
    };
    (void)fs;
    HF_ASSERT((size_t)advice < HF_ARRAY_LEN(advices));
    if (at > INT64_MAX || len > INT64_MAX)
        return EINVAL;
    if (advice == HF_FS_DONT_NEED)
        return 0;
    if (advice == HF_FS_WILL_NEED && (len == 0 || len > WILL_NEED_MAX)) /* 0: to the end */
        len = WILL_NEED_MAX;
    return posix_fadvise(fd, (off_t)at, (off_t)len, advices[advice]);
}

/* ---- folders ---- */

struct hf_fs_list {
    int fd;
    size_t at, len; /* of bytes */
    uint8_t bytes[LIST_BYTES] __attribute__((aligned(8)));
};

int hf_linux_fs_list_open(const struct hf_fs *fs, int dir, struct hf_fs_list **ret)
{
    int fd;
    (void)fs;
    int number = hf_linux_beneath(dir, ".", O_RDONLY | O_DIRECTORY, 0, &fd);
    if (number != 0)
        return number;
    struct hf_fs_list *list = malloc(sizeof *list);
    if (list == NULL) {
        close(fd);
        return ENOMEM;
    }
    list->fd = fd;
    list->at = list->len = 0;
    *ret = list;
    return 0;
}

static enum hf_fs_type type_of(const struct hf_fs_list *list, const struct dirent64 *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return hf_linux_fs_type(DTTOIF(e->d_type));
    /* Some file systems do not say; and what is gone by now has no type. */
    if (fstatat(list->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return HF_FS_UNKNOWN;
    return hf_linux_fs_type(st.st_mode);
}

int hf_linux_fs_list_next(const struct hf_fs *fs, struct hf_fs_list *list, struct hf_view *name,
                          enum hf_fs_type *type)
{
    (void)fs;
    *name = (struct hf_view){0};
    for (;;) {
        if (list->at == list->len) {
            long n;
            do
                n = syscall(SYS_getdents64, list->fd, list->bytes, sizeof list->bytes);
            while (n < 0 && errno == EINTR);
            if (n < 0)
                return errno;
            list->at = 0;
            list->len = (size_t)n;
            if (n == 0)
                return 0;
        }
        const struct dirent64 *e = (const void *)(list->bytes + list->at);
        list->at += e->d_reclen;
        struct hf_view v = hf_view_of(e->d_name);
        if (hf_view_eq_text(v, ".") || hf_view_eq_text(v, ".."))
            continue;
        *name = v;
        *type = type_of(list, e);
        return 0;
    }
}

void hf_linux_fs_list_close(const struct hf_fs *fs, struct hf_fs_list *list)
{
    (void)fs;
    if (list == NULL)
        return;
    close(list->fd);
    free(list);
}
