/* linux.h - the pieces of the Linux world, gathered into one table by linux.c. Only src/os/linux*.c
 * include it, and fake_poll.c, which probes real descriptors.
 *
 * Contracts are those of the members of struct hf_os (os.h) with the same names.
 */
#ifndef HF_OS_LINUX_H
#define HF_OS_LINUX_H

#include "os/os.h"

/* The kind for an errno; never HF_OK. */
enum hf_err hf_linux_err(int number);
/* accept's errors that belong to one connection that died while it waited, not to the listener
 * (accept(2)). */
bool hf_linux_is_stillborn(int number);
/* Sets the report to "what subject: text of errno" and returns the kind. Pass errno as `number`. */
enum hf_err hf_linux_fail(struct hf_report *report, int number, const char *what,
                          const char *subject);

/* linux_file.c */
enum hf_err hf_linux_file_open(struct hf_os *os, const char *path, enum hf_os_open how,
                               struct hf_os_file **ret, struct hf_report *report);
enum hf_err hf_linux_file_read_at(struct hf_os_file *f, uint64_t at, void *buf, size_t len,
                                  size_t *got);
enum hf_err hf_linux_file_append(struct hf_os_file *f, const void *buf, size_t len);
enum hf_err hf_linux_file_sync(struct hf_os_file *f);
void hf_linux_file_close(struct hf_os_file *f);
enum hf_err hf_linux_path_stat(struct hf_os *os, const char *path, struct hf_os_stat *ret);
enum hf_err hf_linux_path_mkdir(struct hf_os *os, const char *path, uint32_t mode);
enum hf_err hf_linux_path_rename(struct hf_os *os, const char *from, const char *to);
enum hf_err hf_linux_path_remove(struct hf_os *os, const char *path);
enum hf_err hf_linux_path_chmod(struct hf_os *os, const char *path, uint32_t mode);
enum hf_err hf_linux_dir_sync(struct hf_os *os, const char *path);

/* linux_net.c */
enum hf_err hf_linux_listen(struct hf_os *os, const struct hf_os_addr *addr, bool reuseport,
                            int backlog, int *ret, struct hf_os_addr *bound,
                            struct hf_report *report);
enum hf_err hf_linux_accept(struct hf_os *os, int listener, int *ret, struct hf_os_addr *peer);
enum hf_err hf_linux_connect(struct hf_os *os, const struct hf_os_addr *addr, int *ret,
                             struct hf_report *report);
enum hf_err hf_linux_connect_result(struct hf_os *os, int fd);
enum hf_err hf_linux_read(struct hf_os *os, int fd, void *buf, size_t len, size_t *n);
enum hf_err hf_linux_writev(struct hf_os *os, int fd, const struct iovec *iov, int iovcnt,
                            size_t *n);
void hf_linux_shutdown_write(struct hf_os *os, int fd);
void hf_linux_close(struct hf_os *os, int fd);
void hf_linux_close_reset(struct hf_os *os, int fd);

/* linux_poll.c */
enum hf_err hf_linux_poller_new(struct hf_os *os, struct hf_os_poller **ret);
void hf_linux_poller_free(struct hf_os_poller *p);
enum hf_err hf_linux_poller_add(struct hf_os_poller *p, int fd, uint32_t interest, void *tag);
enum hf_err hf_linux_poller_set(struct hf_os_poller *p, int fd, uint32_t interest, void *tag);
void hf_linux_poller_remove(struct hf_os_poller *p, int fd);
int hf_linux_poller_fd(const struct hf_os_poller *p);
size_t hf_linux_poller_wait(struct hf_os_poller *p, uint64_t until_ns, struct hf_os_event *events,
                            size_t max);
uint32_t hf_linux_probe(struct hf_os *os, int fd, uint32_t interest);
uint64_t hf_linux_now_ns(struct hf_os *os);

#endif
