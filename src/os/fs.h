/* fs.h - folders that were granted, as one table: every path is resolved beneath a folder's handle.
 *
 * A handle is a descriptor of the system: a folder or a regular file. No path leads out of the
 * folder it is resolved from: not by `..`, not by a leading `/`, not by a symlink that is or
 * becomes absolute or leads outside, not by a mount's magic links, and not by a rename at the same
 * time (the kernel resolves: openat2 with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS). Verbs that
 * act on a name (mkdir, unlink ...) resolve the folder that holds it so, and then act on that one
 * name, which is never followed. What is mounted beneath a folder belongs to it. Paths are
 * NUL-terminated, not empty, shorter than HF_FS_PATH_MAX.
 *
 * Each verb returns 0 or an errno of the system: guests are told which, so a few kinds of hf_err
 * would not do. A path that leads outside is EPERM. EINTR never comes out. Handles are
 * close-on-exec.
 *
 * Threads: any; a handle may be used by several. Verbs on data may wait for a disk: callers ask for
 * bounded pieces, and sync belongs on a thread that may block. Opening never waits for another
 * process (a named pipe, a device). Nothing is allocated but by list_open.
 *
 * hf_fs_linux() is the real one. It needs Linux 5.8 (openat2; utimensat of a handle). A test copies
 * the table and puts its own verb in.
 */
#ifndef HF_OS_FS_H
#define HF_OS_FS_H

#include "base/bytes.h"

#define HF_FS_PATH_MAX 4096u /* with the NUL */

/* In the order of wasi:filesystem's descriptor-type. */
enum hf_fs_type {
    HF_FS_UNKNOWN,
    HF_FS_BLOCK,
    HF_FS_CHAR,
    HF_FS_FOLDER,
    HF_FS_PIPE,
    HF_FS_LINK,
    HF_FS_FILE,
    HF_FS_SOCKET
};
struct hf_fs_time {
    int64_t s; /* since 1970 UTC; may be negative */
    uint32_t ns;
};
struct hf_fs_stat {
    enum hf_fs_type type;
    uint64_t dev, ino, links, size;
    struct hf_fs_time accessed, modified, changed;
};
enum hf_fs_set { HF_FS_KEEP, HF_FS_NOW, HF_FS_AT };
struct hf_fs_new_time {
    enum hf_fs_set how;
    struct hf_fs_time at; /* HF_FS_AT; ns < 10^9 */
};

#define HF_FS_READ      1u
#define HF_FS_WRITE     2u /* neither of both: read */
#define HF_FS_CREATE    4u /* mode 0666 less the umask */
#define HF_FS_EXCLUSIVE 8u /* with CREATE: must not be there */
#define HF_FS_TRUNCATE  16u
#define HF_FS_DIRECTORY 32u /* ENOTDIR for all else */
#define HF_FS_FOLLOW    64u /* a symlink as the last part is followed; else ELOOP */

enum hf_fs_advice {
    HF_FS_NORMAL,
    HF_FS_SEQUENTIAL,
    HF_FS_RANDOM,
    HF_FS_WILL_NEED,
    HF_FS_DONT_NEED,
    HF_FS_NO_REUSE
};

struct hf_fs_list; /* a folder being read */

struct hf_fs {
    /* The folder itself, by a path of the system (symlinks are followed: whoever grants it chose
     * it). ENOSYS: the kernel cannot resolve beneath a folder, so nothing may be granted. */
    int (*root)(const struct hf_fs *fs, const char *path, int *ret);
    /* A regular file or a folder. Named pipes, sockets and devices: ENOTSUP (they are opened, seen
     * and closed again: a folder with a device in it that minds should not be granted). *type is
     * FILE or FOLDER. */
    int (*open)(const struct hf_fs *fs, int dir, const char *path, uint32_t flags, int *ret,
                enum hf_fs_type *type);
    void (*close)(const struct hf_fs *fs, int fd);
    int (*dup)(const struct hf_fs *fs, int fd,
               int *ret); /* a second handle of the same open file */

    int (*stat)(const struct hf_fs *fs, int fd, struct hf_fs_stat *ret);
    int (*stat_at)(const struct hf_fs *fs, int dir, const char *path, bool follow,
                   struct hf_fs_stat *ret);
    int (*set_times)(const struct hf_fs *fs, int fd, const struct hf_fs_new_time *accessed,
                     const struct hf_fs_new_time *modified);
    int (*set_times_at)(const struct hf_fs *fs, int dir, const char *path, bool follow,
                        const struct hf_fs_new_time *accessed,
                        const struct hf_fs_new_time *modified);
    /* What the symlink says, not NUL-terminated, cut at `size`. EINVAL: no symlink. */
    int (*readlink)(const struct hf_fs *fs, int dir, const char *path, char *buf, size_t size,
                    size_t *len);

    int (*mkdir)(const struct hf_fs *fs, int dir, const char *path);  /* 0777 less the umask */
    int (*unlink)(const struct hf_fs *fs, int dir, const char *path); /* EISDIR for a folder */
    int (*rmdir)(const struct hf_fs *fs, int dir, const char *path);
    int (*rename)(const struct hf_fs *fs, int dir, const char *path, int to_dir, const char *to);
    /* A hard link; a symlink as the last part is linked itself. EPERM: a folder. */
    int (*link)(const struct hf_fs *fs, int dir, const char *path, int to_dir, const char *to);
    /* EPERM: the target is absolute. */
    int (*symlink)(const struct hf_fs *fs, const char *target, int dir, const char *path);

    /* One piece; 0 bytes: the end (also where no file can reach). */
    int (*read_at)(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at, size_t *got);
    /* The same but for a disk, which is not waited for: EAGAIN. It may then give fewer bytes. Where
     * the system cannot tell, it waits. */
    int (*read_now)(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at,
                    size_t *got);
    /* All of it, or an errno and *put says how much went. EFBIG: past the largest file. */
    int (*write_at)(const struct hf_fs *fs, int fd, const void *buf, size_t len, uint64_t at,
                    size_t *put);
    int (*append)(const struct hf_fs *fs, int fd, const void *buf, size_t len, size_t *put);
    int (*set_size)(const struct hf_fs *fs, int fd, uint64_t size);
    int (*sync)(const struct hf_fs *fs, int fd, bool data_only); /* waits for the disk */
    /* Advice may be followed less far than it goes: will-need reads ahead 1 MiB at most, and
     * dont-need throws away nothing (what is cached is not the guest's alone). */
    int (*advise)(const struct hf_fs *fs, int fd, uint64_t at, uint64_t len,
                  enum hf_fs_advice advice);

    /* From the folder's beginning, with a position of its own. */
    int (*list_open)(const struct hf_fs *fs, int dir, struct hf_fs_list **ret);
    /* `.` and `..` are left out. The name is good until the next call, any bytes but NUL and `/`;
     * its ptr is NULL at the end. */
    int (*list_next)(const struct hf_fs *fs, struct hf_fs_list *list, struct hf_view *name,
                     enum hf_fs_type *type);
    void (*list_close)(const struct hf_fs *fs, struct hf_fs_list *list); /* NULL is fine */
};

/* A constant table. */
const struct hf_fs *hf_fs_linux(void);

#endif
