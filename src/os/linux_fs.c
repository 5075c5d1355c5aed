/* linux_fs.c - resolving beneath a folder, and what is done with the handle that comes of it.
 *
 * The kernel walks the path (openat2): nothing here looks at a part of a path, checks it and then
 * uses it, so there is no moment in which a symlink can be put in between.
 */
#include "os/fs_path.h"
#include "os/linux_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel gives up with EAGAIN when something was renamed while it walked through a `..`; who
 * renames without end may not hold us for ever. */
#define RACES_MAX 128

int hf_linux_beneath(int dir, const char *path, uint64_t flags, uint32_t mode, int *ret)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = -1;
    if (strnlen(path, HF_FS_PATH_MAX) == HF_FS_PATH_MAX)
        return ENAMETOOLONG;
    for (int races = 0; races < RACES_MAX;) {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
            break;
        races += errno == EAGAIN;
    }
    if (fd < 0)
        return errno == EXDEV ? EPERM : errno;
    *ret = (int)fd;
    return 0;
}

enum hf_fs_type hf_linux_fs_type(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFBLK: return HF_FS_BLOCK;
    case S_IFCHR: return HF_FS_CHAR;
    case S_IFDIR: return HF_FS_FOLDER;
    case S_IFIFO: return HF_FS_PIPE;
    case S_IFLNK: return HF_FS_LINK;
    case S_IFREG: return HF_FS_FILE;
    case S_IFSOCK: return HF_FS_SOCKET;
    default: return HF_FS_UNKNOWN;
    }
}

static void fs_close(const struct hf_fs *fs, int fd)
{
    (void)fs;
    close(fd);
}

static int fs_dup(const struct hf_fs *fs, int fd, int *ret)
{
    (void)fs;
    *ret = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret < 0 ? errno : 0;
}

static int fs_root(const struct hf_fs *fs, const char *path, int *ret)
{
    int fd, probe;
    (void)fs;
    do
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno;
    /* Old kernels say ENOSYS, and so do (or EPERM) filters that do not know the call. The folder
     * itself was opened already, so nothing else can be wrong with it. */
    int number = hf_linux_beneath(fd, ".", O_PATH, 0, &probe);
    if (number != 0) {
        close(fd);
        return number == EPERM ? ENOSYS : number;
    }
    close(probe);
    *ret = fd;
    return 0;
}

static uint64_t system_flags(uint32_t flags)
{
    uint64_t f = O_NONBLOCK | O_NOCTTY;
    if ((flags & HF_FS_WRITE) != 0)
        f |= (flags & HF_FS_READ) != 0 ? O_RDWR : O_WRONLY;
    if ((flags & HF_FS_CREATE) != 0)
        f |= O_CREAT | ((flags & HF_FS_EXCLUSIVE) != 0 ? O_EXCL : 0);
    if ((flags & HF_FS_TRUNCATE) != 0)
        f |= O_TRUNC;
    if ((flags & HF_FS_DIRECTORY) != 0)
        f |= O_DIRECTORY;
    if ((flags & HF_FS_FOLLOW) == 0)
        f |= O_NOFOLLOW;
    return f;
}

static int fs_open(const struct hf_fs *fs, int dir, const char *path, uint32_t flags, int *ret,
                   enum hf_fs_type *type)
{
    struct stat st;
    int fd;
    (void)fs;
    int number = hf_linux_beneath(dir, path, system_flags(flags),
                                  (flags & HF_FS_CREATE) != 0 ? 0666 : 0, &fd);
    if (number == ENXIO) /* a socket, or a named pipe that nobody reads */
        return ENOTSUP;
    if (number != 0)
        return number;
    if (fstat(fd, &st) != 0)
        number = errno;
    else
        *type = hf_linux_fs_type(st.st_mode);
    if (number == 0 && *type != HF_FS_FILE && *type != HF_FS_FOLDER)
        number = ENOTSUP;
    if (number != 0) {
        close(fd);
        return number;
    }
    *ret = fd;
    return 0;
}

/* ---- attributes ---- */

static struct hf_fs_time time_of(const struct timespec *t)
{
    return (struct hf_fs_time){.s = t->tv_sec, .ns = (uint32_t)t->tv_nsec};
}

static struct hf_fs_stat stat_of(const struct stat *st)
{
    return (struct hf_fs_stat){
        .type = hf_linux_fs_type(st->st_mode),
        .dev = st->st_dev,
        .ino = st->st_ino,
        .links = st->st_nlink,
        .size = (uint64_t)st->st_size,
        .accessed = time_of(&st->st_atim),
        .modified = time_of(&st->st_mtim),
        .changed = time_of(&st->st_ctim),
    };
}

static int fs_stat(const struct hf_fs *fs, int fd, struct hf_fs_stat *ret)
{
    struct stat st;
    (void)fs;
    if (fstat(fd, &st) != 0)
        return errno;
    *ret = stat_of(&st);
    return 0;
}

/* A handle that can only be asked about. */
static int look(int dir, const char *path, bool follow, int *ret)
{
    return hf_linux_beneath(dir, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0, ret);
}

/* The folder's own entry of that name, in one call: most paths are of one part. Not followed, so it
 * cannot lead anywhere; a symlink that shall be is left to the walk. */
static bool stat_name(int dir, const char *path, bool follow, struct hf_fs_stat *ret, int *number)
{
    struct hf_fs_split s = hf_fs_split(hf_view(path, strnlen(path, HF_FS_PATH_MAX)));
    struct stat st;
    if (s.kind != HF_FS_LAST_NAME || s.parent != 0 || s.slash || s.name_len >= HF_FS_PATH_MAX)
        return false;
    *number = fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
    if (*number == 0 && follow && S_ISLNK(st.st_mode))
        return false;
    if (*number == 0)
        *ret = stat_of(&st);
    return true;
}

static int fs_stat_at(const struct hf_fs *fs, int dir, const char *path, bool follow,
                      struct hf_fs_stat *ret)
{
    int fd;
    int at_once;
    if (stat_name(dir, path, follow, ret, &at_once))
        return at_once;
    int number = look(dir, path, follow, &fd);
    if (number != 0)
        return number;
    number = fs_stat(fs, fd, ret);
    close(fd);
    return number;
}

static bool spec_of(const struct hf_fs_new_time *t, struct timespec *ret)
{
    *ret = (struct timespec){0};
    if (t->how == HF_FS_AT) {
        if (t->at.ns > 999999999)
            return false;
        ret->tv_sec = t->at.s;
        ret->tv_nsec = (long)t->at.ns;
    } else {
        ret->tv_nsec = t->how == HF_FS_NOW ? UTIME_NOW : UTIME_OMIT;
    }
    return true;
}

static int fs_set_times(const struct hf_fs *fs, int fd, const struct hf_fs_new_time *accessed,
                        const struct hf_fs_new_time *modified)
{
    struct timespec t[2];
    (void)fs;
    if (!spec_of(accessed, &t[0]) || !spec_of(modified, &t[1]))
        return EINVAL;
    return utimensat(fd, "", t, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

static int fs_set_times_at(const struct hf_fs *fs, int dir, const char *path, bool follow,
                           const struct hf_fs_new_time *accessed,
                           const struct hf_fs_new_time *modified)
{
    int fd;
    int number = look(dir, path, follow, &fd);
    if (number != 0)
        return number;
    number = fs_set_times(fs, fd, accessed, modified);
    close(fd);
    return number;
}

static int fs_readlink(const struct hf_fs *fs, int dir, const char *path, char *buf, size_t size,
                       size_t *len)
{
    struct hf_fs_stat st;
    int fd;
    int number = look(dir, path, false, &fd);
    if (number != 0)
        return number;
    number = fs_stat(fs, fd, &st);
    if (number == 0 && st.type != HF_FS_LINK)
        number = EINVAL;
    if (number == 0) {
        ssize_t n = readlinkat(fd, "", buf, size);
        number = n < 0 ? errno : 0;
        *len = n < 0 ? 0 : (size_t)n;
    }
    close(fd);
    return number;
}

static const struct hf_fs table = {
    .root = fs_root,
    .open = fs_open,
    .close = fs_close,
    .dup = fs_dup,
    .stat = fs_stat,
    .stat_at = fs_stat_at,
    .set_times = fs_set_times,
    .set_times_at = fs_set_times_at,
    .readlink = fs_readlink,
    .mkdir = hf_linux_fs_mkdir,
    .unlink = hf_linux_fs_unlink,
    .rmdir = hf_linux_fs_rmdir,
    .rename = hf_linux_fs_rename,
    .link = hf_linux_fs_link,
    .symlink = hf_linux_fs_symlink,
    .read_at = hf_linux_fs_read_at,
    .read_now = hf_linux_fs_read_now,
    .write_at = hf_linux_fs_write_at,
    .append = hf_linux_fs_append,
    .set_size = hf_linux_fs_set_size,
    .sync = hf_linux_fs_sync,
    .advise = hf_linux_fs_advise,
    .list_open = hf_linux_fs_list_open,
    .list_next = hf_linux_fs_list_next,
    .list_close = hf_linux_fs_list_close,
};

const struct hf_fs *hf_fs_linux(void)
{
    return &table;
}
