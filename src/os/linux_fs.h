/* linux_fs.h - the pieces of the Linux file system table (os/fs.h), gathered by linux_fs.c. Only
 * src/os/linux_fs*.c include it. Contracts are those of the members of struct hf_fs.
 */
#ifndef HF_OS_LINUX_FS_H
#define HF_OS_LINUX_FS_H

#include "os/fs.h"

/* Opens `path` from `dir` with openat2, beneath it. `flags` are the system's (O_*). 0 or an errno;
 * EPERM: it leads outside. */
int hf_linux_beneath(int dir, const char *path, uint64_t flags, uint32_t mode, int *ret);
enum hf_fs_type hf_linux_fs_type(uint32_t mode);

/* linux_fs_name.c */
int hf_linux_fs_mkdir(const struct hf_fs *fs, int dir, const char *path);
int hf_linux_fs_unlink(const struct hf_fs *fs, int dir, const char *path);
int hf_linux_fs_rmdir(const struct hf_fs *fs, int dir, const char *path);
int hf_linux_fs_rename(const struct hf_fs *fs, int dir, const char *path, int to_dir,
                       const char *to);
int hf_linux_fs_link(const struct hf_fs *fs, int dir, const char *path, int to_dir, const char *to);
int hf_linux_fs_symlink(const struct hf_fs *fs, const char *target, int dir, const char *path);

/* linux_fs_data.c */
int hf_linux_fs_read_at(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at,
                        size_t *got);
int hf_linux_fs_read_now(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at,
                         size_t *got);
int hf_linux_fs_write_at(const struct hf_fs *fs, int fd, const void *buf, size_t len, uint64_t at,
                         size_t *put);
int hf_linux_fs_append(const struct hf_fs *fs, int fd, const void *buf, size_t len, size_t *put);
int hf_linux_fs_set_size(const struct hf_fs *fs, int fd, uint64_t size);
int hf_linux_fs_sync(const struct hf_fs *fs, int fd, bool data_only);
int hf_linux_fs_advise(const struct hf_fs *fs, int fd, uint64_t at, uint64_t len,
                       enum hf_fs_advice advice);
int hf_linux_fs_list_open(const struct hf_fs *fs, int dir, struct hf_fs_list **ret);
int hf_linux_fs_list_next(const struct hf_fs *fs, struct hf_fs_list *list, struct hf_view *name,
                          enum hf_fs_type *type);
void hf_linux_fs_list_close(const struct hf_fs *fs, struct hf_fs_list *list);

#endif
