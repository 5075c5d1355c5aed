/* fake_parts.h - the pieces of the fake world, gathered into one table by fake.c. Only
 * src/os/fake*.c include it.
 *
 * Contracts of the hf_fake_... functions are those of the members of struct hf_os (os.h) with the
 * same names.
 */
#ifndef HF_OS_FAKE_PARTS_H
#define HF_OS_FAKE_PARTS_H

#include "base/list.h"
#include "os/fake.h"

/* Calls that can be made to fail. */
#define FAKE_CALLS(X)                                                                              \
    X(random)                                                                                      \
    X(file_open)                                                                                   \
    X(file_read_at)                                                                                \
    X(file_append)                                                                                 \
    X(file_sync)                                                                                   \
    X(path_stat)                                                                                   \
    X(path_mkdir)                                                                                  \
    X(path_rename)                                                                                 \
    X(path_remove)                                                                                 \
    X(path_chmod)                                                                                  \
    X(dir_sync)                                                                                    \
    X(listen)                                                                                      \
    X(accept)                                                                                      \
    X(connect)                                                                                     \
    X(connect_result)                                                                              \
    X(read)                                                                                        \
    X(writev)                                                                                      \
    X(poller_new)                                                                                  \
    X(poller_add)                                                                                  \
    X(poller_set)

enum fake_call {
#define X(name) FAKE_##name,
    FAKE_CALLS(X)
#undef X
        FAKE_CALL_COUNT
};

#define FAKE_FAULTS_MAX 32 /* armed at once */
/* Handles begin here; smaller ones are real descriptors, which a poller watches too (the bell of
 * os/wake.h). */
#define FAKE_FD_FIRST 10000
#define FAKE_FDS_MAX  100000 /* handed out in one world's life; they are never used twice */

#define FAKE_PORT_FIRST 40001u

struct fake_fault {
    enum fake_call call;
    unsigned left; /* calls until it strikes; 0 = unused */
    enum hf_err err;
};

struct fake_node;   /* a file or folder, fake_file.c */
struct fake_socket; /* fake_net.c */

struct hf_fake {
    struct hf_os os; /* first: the table is the world */
    uint64_t now_ns, rng;
    size_t socket_room, chunk;
    struct fake_fault faults[FAKE_FAULTS_MAX];
    struct {
        struct fake_node **ptr;
        size_t len, cap;
    } nodes;
    struct {
        struct fake_socket **ptr; /* by handle - FAKE_FD_FIRST; NULL = closed */
        size_t len, cap;
    } sockets;
    struct hf_list pollers;
    unsigned next_port;
};

static inline struct hf_fake *hf_fake_of(struct hf_os *os)
{
    return HF_CONTAINER_OF(os, struct hf_fake, os);
}

/* Counts the call; the error that was armed for it, else HF_OK. */
enum hf_err hf_fake_fault(struct hf_fake *fake, enum fake_call call);
/* The next number of the world's own sequence. */
uint64_t hf_fake_number(struct hf_fake *fake);

/* fake_file.c */
void hf_fake_files_done(struct hf_fake *fake);
enum hf_err hf_fake_file_open(struct hf_os *os, const char *path, enum hf_os_open how,
                              struct hf_os_file **ret, struct hf_report *report);
enum hf_err hf_fake_file_read_at(struct hf_os_file *f, uint64_t at, void *buf, size_t len,
                                 size_t *got);
enum hf_err hf_fake_file_append(struct hf_os_file *f, const void *buf, size_t len);
enum hf_err hf_fake_file_sync(struct hf_os_file *f);
void hf_fake_file_close(struct hf_os_file *f);
enum hf_err hf_fake_path_stat(struct hf_os *os, const char *path, struct hf_os_stat *ret);
enum hf_err hf_fake_path_mkdir(struct hf_os *os, const char *path, uint32_t mode);
enum hf_err hf_fake_path_rename(struct hf_os *os, const char *from, const char *to);
enum hf_err hf_fake_path_remove(struct hf_os *os, const char *path);
enum hf_err hf_fake_path_chmod(struct hf_os *os, const char *path, uint32_t mode);
enum hf_err hf_fake_dir_sync(struct hf_os *os, const char *path);

/* fake_net.c */
void hf_fake_net_done(struct hf_fake *fake);
/* What a handle is ready for, HF_OS_*; 0 also for one that is closed. */
uint32_t hf_fake_ready(struct hf_fake *fake, int fd);
bool hf_fake_is_open(struct hf_fake *fake, int fd);
enum hf_err hf_fake_listen(struct hf_os *os, const struct hf_os_addr *addr, bool reuseport,
                           int backlog, int *ret, struct hf_os_addr *bound,
                           struct hf_report *report);
enum hf_err hf_fake_accept(struct hf_os *os, int listener, int *ret, struct hf_os_addr *peer);
enum hf_err hf_fake_connect(struct hf_os *os, const struct hf_os_addr *addr, int *ret,
                            struct hf_report *report);
enum hf_err hf_fake_connect_result(struct hf_os *os, int fd);
enum hf_err hf_fake_read(struct hf_os *os, int fd, void *buf, size_t len, size_t *n);
enum hf_err hf_fake_writev(struct hf_os *os, int fd, const struct iovec *iov, int iovcnt,
                           size_t *n);
void hf_fake_shutdown_write(struct hf_os *os, int fd);
void hf_fake_close(struct hf_os *os, int fd);
void hf_fake_close_reset(struct hf_os *os, int fd);

/* fake_poll.c */
void hf_fake_pollers_forget(struct hf_fake *fake, int fd); /* it was closed */
uint32_t hf_fake_probe(struct hf_os *os, int fd, uint32_t interest);
enum hf_err hf_fake_poller_new(struct hf_os *os, struct hf_os_poller **ret);
void hf_fake_poller_free(struct hf_os_poller *p);
enum hf_err hf_fake_poller_add(struct hf_os_poller *p, int fd, uint32_t interest, void *tag);
enum hf_err hf_fake_poller_set(struct hf_os_poller *p, int fd, uint32_t interest, void *tag);
void hf_fake_poller_remove(struct hf_os_poller *p, int fd);
int hf_fake_poller_fd(const struct hf_os_poller *p);
size_t hf_fake_poller_wait(struct hf_os_poller *p, uint64_t until_ns, struct hf_os_event *events,
                           size_t max);

#endif
