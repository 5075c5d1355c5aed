/* os.h - the outside world as one table, so that a test can be the world.
 *
 * hf_os_linux() fills it with system calls; hf_os_fake_new() (os/fake.h) with a simulated clock,
 * random bytes from a seed, files and stream sockets in memory, and faults on demand. Rooms above
 * take a `struct hf_os *` and never call the system for these things themselves.
 *
 * Handles are small non-negative ints in both worlds. Nothing here blocks except poller_wait and
 * the file calls. One hf_os may be shared by threads when it is the Linux one; the fake one belongs
 * to one thread.
 */
#ifndef HF_OS_OS_H
#define HF_OS_OS_H

#include <sys/uio.h>

#include "base/bytes.h"

/* An address: "127.0.0.1:8080", "[::1]:0", or "unix:/path". */
struct hf_os_addr {
    char text[128];
};

#define HF_OS_IN  1u /* readable, or the peer closed, or an error waits */
#define HF_OS_OUT 2u /* writable */
#define HF_OS_HUP 4u /* reported only: both directions are dead */

/* By convention a tag points to one of these (embedded in a connection, a listener, a wake), so
 * that one loop can serve rooms it knows nothing of. Whoever owns a watch may free it only when no
 * events are being handed out (end of loop turn). */
struct hf_os_watch {
    void (*on_ready)(struct hf_os_watch *watch, uint32_t ready);
};

struct hf_os_event {
    void *tag;      /* what was given to poller_add */
    uint32_t ready; /* HF_OS_* */
};

struct hf_os_poller;
struct hf_os_file;

enum hf_os_open {
    HF_OS_READ,   /* must exist */
    HF_OS_CREATE, /* must not exist; mode 0600, later modes are the caller's business (path_chmod)
                   */
    HF_OS_APPEND  /* made when missing */
};

struct hf_os_stat {
    uint64_t size;
    uint32_t mode, uid;
    bool is_dir, is_link;
};

struct hf_os {
    const char *name; /* "linux", "fake" */

    /* Clock. now_ns is monotonic; wall_ns is nanoseconds since 1970 UTC. */
    uint64_t (*now_ns)(struct hf_os *os);
    uint64_t (*wall_ns)(struct hf_os *os);
    /* Cryptographically strong bytes (the fake: from its seed). */
    enum hf_err (*random)(struct hf_os *os, void *buf, size_t len);

    /* Files: whole and blocking; never on a loop that serves. Paths are NUL-terminated. Of the
     * kinds: HF_NOT_FOUND no such path; HF_DENIED permissions or read-only; HF_INVALID it is there
     * already, is no file, or the path is malformed; HF_LIMIT the disk is full or handles ran out;
     * HF_IO the device failed. After a failed file_append a part of the bytes may be there; after a
     * failed file_sync nothing is known of what was appended since the last. */
    enum hf_err (*file_open)(struct hf_os *os, const char *path, enum hf_os_open how,
                             struct hf_os_file **ret, struct hf_report *report);
    /* *got < len only at the end of the file. */
    enum hf_err (*file_read_at)(struct hf_os_file *f, uint64_t at, void *buf, size_t len,
                                size_t *got);
    enum hf_err (*file_append)(struct hf_os_file *f, const void *buf, size_t len);
    enum hf_err (*file_sync)(struct hf_os_file *f);
    void (*file_close)(struct hf_os_file *f); /* NULL is fine */
    /* HF_NOT_FOUND; links are not followed. */
    enum hf_err (*path_stat)(struct hf_os *os, const char *path, struct hf_os_stat *ret);
    /* Fine when the folder is there already. */
    enum hf_err (*path_mkdir)(struct hf_os *os, const char *path, uint32_t mode);
    enum hf_err (*path_rename)(struct hf_os *os, const char *from, const char *to);
    enum hf_err (*path_remove)(struct hf_os *os, const char *path); /* a file or an empty folder */
    enum hf_err (*path_chmod)(struct hf_os *os, const char *path, uint32_t mode);
    /* Syncs the folder itself, so that a rename in it survives power loss. */
    enum hf_err (*dir_sync)(struct hf_os *os, const char *path);

    /* Stream sockets, non-blocking, close-on-exec, TCP_NODELAY. */
    /* reuseport lets one listener a worker share the address. *bound (may be NULL) is the address
     * with its port. The file of a Unix socket has mode 0600; one that nobody listens on any more is
     * taken over, one that somebody does is HF_IO. It stays when the socket is closed. */
    enum hf_err (*listen)(struct hf_os *os, const struct hf_os_addr *addr, bool reuseport,
                          int backlog, int *ret, struct hf_os_addr *bound,
                          struct hf_report *report);
    /* HF_AGAIN; HF_LIMIT: out of fds. peer may be NULL, which is cheaper. */
    enum hf_err (*accept)(struct hf_os *os, int listener, int *ret, struct hf_os_addr *peer);
    /* HF_OK: in progress, wait for OUT, then connect_result. */
    enum hf_err (*connect)(struct hf_os *os, const struct hf_os_addr *addr, int *ret,
                           struct hf_report *report);
    /* HF_AGAIN: still in progress. HF_IO: refused or unreachable. HF_TIMEOUT. */
    enum hf_err (*connect_result)(struct hf_os *os, int fd);
    /* len > 0; writev may take less than all, and of nothing takes nothing (HF_OK, 0). HF_OK with
     * *n > 0; HF_AGAIN; HF_CLOSED (end of stream on read, EPIPE/reset on write or read); HF_IO. */
    enum hf_err (*read)(struct hf_os *os, int fd, void *buf, size_t len, size_t *n);
    enum hf_err (*writev)(struct hf_os *os, int fd, const struct iovec *iov, int iovcnt, size_t *n);
    void (*shutdown_write)(struct hf_os *os, int fd);
    void (*close)(struct hf_os *os, int fd);
    /* Abort: the peer sees a reset, not a clean end. */
    void (*close_reset)(struct hf_os *os, int fd);

    /* What of `interest` holds now, without waiting; HF_OS_IN also for an error or an end. A file is
     * always ready. */
    uint32_t (*probe)(struct hf_os *os, int fd, uint32_t interest);

    /* Readiness. Level-triggered. One thread waits; wakes from others come through os/wake.h. */
    enum hf_err (*poller_new)(struct hf_os *os, struct hf_os_poller **ret);
    void (*poller_free)(struct hf_os_poller *p);
    /* HF_UNSUPPORTED: this kind of handle (a file) is always ready and cannot be watched. */
    enum hf_err (*poller_add)(struct hf_os_poller *p, int fd, uint32_t interest, void *tag);
    enum hf_err (*poller_set)(struct hf_os_poller *p, int fd, uint32_t interest, void *tag);
    /* Before close. An event already handed out may still carry the tag: free what it points to
     * after the batch. */
    void (*poller_remove)(struct hf_os_poller *p, int fd);
    /* Waits until something is ready or `until_ns` (monotonic; 0 = do not wait, UINT64_MAX = for
     * ever). Returns how many events were written (<= max). Interrupted by a signal: 0. */
    size_t (*poller_wait)(struct hf_os_poller *p, uint64_t until_ns, struct hf_os_event *events,
                          size_t max);
    /* For another poller: readable while wait would have an event. -1: this world has none. */
    int (*poller_fd)(const struct hf_os_poller *p);
};

/* The real world. A constant table; nothing to free. */
struct hf_os *hf_os_linux(void);

#endif
