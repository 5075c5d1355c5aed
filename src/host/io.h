/* io.h - descriptors and jobs as things a guest can wait for.
 *
 * A thread that runs guests has one hf_io: its poller, its letter queue and the node's job threads.
 * An import that needs a descriptor watches it through a hf_io_fd, whose two waits stand in the
 * guest's polls like any other. One thread; no call here blocks.
 */
#ifndef HF_HOST_IO_H
#define HF_HOST_IO_H

#include "base/trace.h"
#include "kernel/wait.h"
#include "os/jobs.h"
#include "os/os.h"

struct hf_fetch_table; /* host/fetch.h */
struct hf_kv;          /* base/kv.h */
struct hf_io {
    struct hf_os *os;
    struct hf_os_poller *poller;
    struct hf_wake *wake;
    struct hf_jobs *jobs; /* the node's; shared by its threads */
    const struct hf_fetch_table *fetch; /* outgoing requests; NULL: none, as hf_io_init leaves it */
    struct hf_kv *kv; /* this thread's door to the key-value store; NULL: hf_services.kv is for all
                         threads, as hf_io_init leaves it */
    struct hf_ids ids; /* hf_io_id's, once `seeded` */
    bool seeded;
    struct hf_list
        gone; /* watches freed in this turn of the loop: an event for them may be under way */
};
/* The parts are its owner's: they outlive it. */
void hf_io_init(struct hf_io *io, struct hf_os *os, struct hf_os_poller *poller,
                struct hf_wake *wake, struct hf_jobs *jobs);
/* When no event is being handed out: at the end of each turn of the loop, and before the poller
 * goes. */
void hf_io_collect(struct hf_io *io);

/* An id for a span. */
uint64_t hf_io_id(struct hf_io *io);

/* A watched descriptor. `in` and `out` are level-triggered as far as is known: they are ready until
 * an operation said HF_AGAIN and its side was armed. */
struct hf_io_fd {
    struct hf_os_watch watch;
    struct hf_io *io;
    struct hf_list in_gone;
    struct hf_wait in, out;
    int fd;
    uint32_t
        armed; /* HF_OS_IN | HF_OS_OUT the poller looks for; 0: it does not know the descriptor */
    bool never_waits; /* a file: always ready */
};
/* The descriptor stays the caller's: closed by him, after hf_io_fd_free. Both sides begin ready. */
enum hf_err hf_io_fd_new(struct hf_io *io, int fd, struct hf_io_fd **ret);
/* Takes it off the poller; its waits become ready for ever. NULL is fine. */
void hf_io_fd_free(struct hf_io_fd *f);
/* After HF_AGAIN (or a read that took less than asked for): `side` (HF_OS_IN or HF_OS_OUT) is not
 * ready until the poller says so. When the poller cannot (HF_LIMIT) the side stays ready: the next
 * operation tells. */
enum hf_err hf_io_fd_arm(struct hf_io_fd *f, uint32_t side);
/* The wait of a side after asking the system how it stands: for a subscribe, which must not claim
 * what is not so. */
struct hf_wait *hf_io_fd_look(struct hf_io_fd *f, uint32_t side);

#endif
