/* io.c - see io.h. A descriptor is known to the poller only while a side is armed: one with no
 * interest would still be reported, again and again, once its peer is gone.
 */
#include "host/io.h"

#include <stdlib.h>

void hf_io_init(struct hf_io *io, struct hf_os *os, struct hf_os_poller *poller,
                struct hf_wake *wake, struct hf_jobs *jobs)
{
    *io = (struct hf_io){.os = os, .poller = poller, .wake = wake, .jobs = jobs};
    hf_list_init(&io->gone);
}

void hf_io_collect(struct hf_io *io)
{
    struct hf_list *next;
    while ((next = hf_list_pop_front(&io->gone)) != NULL)
        free(HF_LIST_ENTRY(next, struct hf_io_fd, in_gone));
}

uint64_t hf_io_id(struct hf_io *io)
{
    if (!io->seeded) {
        uint64_t seed[4] = {0};
        if (io->os->random(io->os, seed, sizeof seed) != HF_OK) /* no secret: what differs will do */
            seed[0] = (uint64_t)(uintptr_t)io ^ io->os->now_ns(io->os);
        hf_ids_seed(&io->ids, seed);
        io->seeded = true;
    }
    return hf_ids_next(&io->ids);
}

/* Tells the poller what is wanted now. */
static enum hf_err want(struct hf_io_fd *f, uint32_t sides)
{
    struct hf_os *os = f->io->os;
    enum hf_err err = HF_OK;
    if (sides == f->armed)
        return HF_OK;
    if (sides == 0)
        os->poller_remove(f->io->poller, f->fd);
    else if (f->armed == 0)
        err = os->poller_add(f->io->poller, f->fd, sides, &f->watch);
    else
        err = os->poller_set(f->io->poller, f->fd, sides, &f->watch);
    if (err == HF_OK)
        f->armed = sides;
    return err;
}

static void on_ready(struct hf_os_watch *watch, uint32_t ready)
{
    struct hf_io_fd *f = HF_CONTAINER_OF(watch, struct hf_io_fd, watch);
    if (hf_list_linked(&f->in_gone)) /* freed earlier in this turn */
        return;
    if (ready & HF_OS_HUP)
        ready |= HF_OS_IN | HF_OS_OUT;
    /* Fewer sides cannot be refused: at worst the poller goes on reporting, and it is said again.
     */
    (void)!want(f, f->armed & ~ready);
    if (ready & HF_OS_IN)
        hf_wait_set(&f->in, true);
    if (ready & HF_OS_OUT)
        hf_wait_set(&f->out, true);
}

enum hf_err hf_io_fd_new(struct hf_io *io, int fd, struct hf_io_fd **ret)
{
    struct hf_io_fd *f = calloc(1, sizeof *f);
    if (f == NULL)
        return HF_LIMIT;
    f->watch.on_ready = on_ready;
    f->io = io;
    f->fd = fd;
    hf_list_init(&f->in_gone);
    hf_wait_init(&f->in, true);
    hf_wait_init(&f->out, true);
    *ret = f;
    return HF_OK;
}

void hf_io_fd_free(struct hf_io_fd *f)
{
    if (f == NULL)
        return;
    (void)!want(f, 0);
    hf_wait_done(&f->in);
    hf_wait_done(&f->out);
    hf_list_push_back(&f->io->gone, &f->in_gone);
}

enum hf_err hf_io_fd_arm(struct hf_io_fd *f, uint32_t side)
{
    HF_ASSERT(side == HF_OS_IN || side == HF_OS_OUT);
    if (f->never_waits)
        return HF_OK;
    enum hf_err err = want(f, f->armed | side);
    if (err == HF_UNSUPPORTED) {
        f->never_waits = true;
        return HF_OK;
    }
    if (err == HF_OK)
        hf_wait_clear(side == HF_OS_IN ? &f->in : &f->out);
    return err;
}

struct hf_wait *hf_io_fd_look(struct hf_io_fd *f, uint32_t side)
{
    struct hf_wait *wait = side == HF_OS_IN ? &f->in : &f->out;
    uint32_t ready = f->never_waits ? side : f->io->os->probe(f->io->os, f->fd, side);
    if (ready & (side | HF_OS_HUP))
        hf_wait_set(wait, true);
    else
        (void)!hf_io_fd_arm(
            f, side); /* refused: it stays ready, and the operation itself says HF_AGAIN */
    return wait;
}
