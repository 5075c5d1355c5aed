/* host_stdio.c - a command's standard streams on the process's own descriptors: bytes, in order,
 * nothing held back.
 *
 * The descriptors are shared with other processes of the terminal, so their flags are left as they
 * are: a descriptor is asked (`probe`) before each read and write. Where it says ready, a read does
 * not wait, and a write of up to PIPE_BUF bytes does not either, whatever the descriptor is. What a
 * descriptor did not take after all (somebody set O_NONBLOCK, or wrote in between) waits in
 * `pending`, and there is no room until it is gone. All stream objects of one descriptor share its
 * state, so two handles of stdout keep the order.
 */
#include "host/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define IN_SIZE    (64u * 1024)
#define WRITE_SIZE 4096u /* PIPE_BUF */

struct std_fd {
    struct hf_io_fd *fd; /* NULL until it is used */
    enum hf_err end;     /* HF_OK, or what every operation says from now on */
    uint8_t *buf;        /* in: read and not yet taken; out: taken and not yet written */
    uint32_t at, len;
};
struct hf_stdio {
    struct std_fd fds[3];
    struct hf_waiter last; /* for what is pending when the command is over */
};
struct std_in {
    struct hf_in_stream in;
    struct std_fd *f;
};
struct std_out {
    struct hf_out_stream out;
    struct std_fd *f;
};

static struct hf_os *os_of(const struct std_fd *f)
{
    return f->fd->io->os;
}

static bool ready(const struct std_fd *f, uint32_t side)
{
    return f->fd->never_waits ||
           (os_of(f)->probe(os_of(f), f->fd->fd, side) & (side | HF_OS_HUP)) != 0;
}

/* What it says of itself ("Input/output error"), once; then it is closed. */
static enum hf_err broken(struct std_fd *f, struct hf_guest *g, int number)
{
    char text[128];
    f->end = HF_CLOSED;
    f->len = 0;
    if (number == EPIPE || number == ECONNRESET ||
        number == EBADF) /* EBADF: it was closed when we were started */
        return HF_CLOSED;
    if (g != NULL)
        hf_guest_set_stream_error(
            g, hf_io_error_new(g, HF_IO, 0, 0, strerror_r(number, text, sizeof text)));
    return HF_IO;
}

/* ---- stdin ---- */

static enum hf_err in_peek(struct hf_in_stream *s, struct hf_view *ret)
{
    struct std_fd *f = HF_CONTAINER_OF(s, struct std_in, in)->f;
    ssize_t n;
    if (f->len == 0 && f->end != HF_OK)
        return f->end;
    if (f->len == 0) {
        if (!ready(f, HF_OS_IN)) {
            enum hf_err err = hf_io_fd_arm(f->fd, HF_OS_IN);
            return err == HF_OK ? HF_AGAIN : err;
        }
        n = read(f->fd->fd, f->buf, IN_SIZE);
        if (n < 0 &&
            (errno == EAGAIN || errno == EINTR)) { /* a signal: the loop looks what it was */
            enum hf_err err = hf_io_fd_arm(f->fd, HF_OS_IN);
            return err == HF_OK ? HF_AGAIN : err;
        }
        if (n < 0)
            return broken(f, s->obj.guest, errno);
        if (n == 0)
            return f->end = HF_CLOSED;
        f->at = 0;
        f->len = (uint32_t)n;
    }
    *ret = hf_view(f->buf + f->at, f->len);
    return HF_OK;
}

static void in_advance(struct hf_in_stream *s, size_t n)
{
    struct std_fd *f = HF_CONTAINER_OF(s, struct std_in, in)->f;
    HF_ASSERT(n <= f->len);
    f->at += (uint32_t)n;
    f->len -= (uint32_t)n;
}

static struct hf_wait *in_wait(struct hf_in_stream *s)
{
    struct std_fd *f = HF_CONTAINER_OF(s, struct std_in, in)->f;
    if (f->len == 0 && f->end == HF_OK)
        return hf_io_fd_look(f->fd, HF_OS_IN);
    hf_wait_set(&f->fd->in, true);
    return &f->fd->in;
}

/* ---- stdout, stderr ---- */

/* Writes what is pending as far as it goes. HF_OK: nothing is left. HF_AGAIN: armed. */
static enum hf_err drain(struct std_fd *f, struct hf_guest *g)
{
    while (f->len > 0) {
        ssize_t n = -1;
        errno = EAGAIN;
        if (ready(f, HF_OS_OUT))
            n = write(f->fd->fd, f->buf + f->at, f->len);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            enum hf_err err = hf_io_fd_arm(f->fd, HF_OS_OUT);
            return err == HF_OK ? HF_AGAIN : err;
        }
        if (n < 0)
            return broken(f, g, errno);
        f->at += (uint32_t)n;
        f->len -= (uint32_t)n;
    }
    f->at = 0;
    return HF_OK;
}

static enum hf_err out_room(struct hf_out_stream *s, uint64_t *ret)
{
    struct std_fd *f = HF_CONTAINER_OF(s, struct std_out, out)->f;
    *ret = 0;
    if (f->end != HF_OK)
        return f->end;
    enum hf_err err = drain(f, s->obj.guest);
    if (err == HF_AGAIN)
        return HF_OK;
    if (err != HF_OK)
        return err;
    if (ready(f, HF_OS_OUT))
        *ret = WRITE_SIZE;
    else
        err = hf_io_fd_arm(f->fd, HF_OS_OUT);
    return err;
}

static enum hf_err out_write(struct hf_out_stream *s, struct hf_view bytes)
{
    struct std_fd *f = HF_CONTAINER_OF(s, struct std_out, out)->f;
    if (f->end != HF_OK)
        return f->end;
    if (f->at > 0 && f->at + f->len + bytes.len >
                         WRITE_SIZE) { /* a part was written since the permit was given */
        memmove(f->buf, f->buf + f->at, f->len);
        f->at = 0;
    }
    HF_ASSERT(f->at + f->len + bytes.len <= WRITE_SIZE); /* the permit */
    memcpy(f->buf + f->at + f->len, bytes.ptr, bytes.len);
    f->len += (uint32_t)bytes.len;
    enum hf_err err = drain(f, s->obj.guest);
    return err == HF_AGAIN ? HF_OK : err;
}

static enum hf_err out_flush(struct hf_out_stream *s)
{
    struct std_fd *f = HF_CONTAINER_OF(s, struct std_out, out)->f;
    return f->end != HF_OK ? f->end : drain(f, s->obj.guest);
}

static struct hf_wait *out_wait(struct hf_out_stream *s)
{
    struct std_fd *f = HF_CONTAINER_OF(s, struct std_out, out)->f;
    if (f->end == HF_OK)
        return hf_io_fd_look(f->fd, HF_OS_OUT);
    hf_wait_set(&f->fd->out, true);
    return &f->fd->out;
}

static const struct hf_in_ops in_ops = {in_peek, in_advance, in_wait};
static const struct hf_out_ops out_ops = {out_room, out_write, out_flush, out_wait, NULL};

/* ---- the command's end ---- */

enum hf_err hf_stdio_finish(struct hf_guest *g)
{
    struct hf_stdio *io = g->stdio;
    for (unsigned i = 1; io != NULL && i < 3; i++) {
        struct std_fd *f = &io->fds[i];
        if (f->fd == NULL || f->len == 0 || drain(f, NULL) != HF_AGAIN)
            continue;
        struct hf_waitset *set = hf_turn_waitset(g->turn);
        hf_waiter_disarm(&io->last);
        hf_waiter_arm(&io->last, &f->fd->out, set);
        io->last.stamp = ++set->stamp;
        return HF_AGAIN;
    }
    return HF_OK;
}

void hf_stdio_free(struct hf_stdio *io)
{
    if (io == NULL)
        return;
    hf_waiter_disarm(&io->last);
    for (unsigned i = 0; i < 3; i++) {
        hf_io_fd_free(io->fds[i].fd);
        free(io->fds[i].buf);
    }
    free(io);
}

/* ---- making streams ---- */

static struct std_fd *open_fd(struct hf_guest *g, unsigned which)
{
    if (g->stdio == NULL)
        g->stdio = calloc(1, sizeof *g->stdio);
    if (g->stdio == NULL)
        return NULL;
    struct std_fd *f = &g->stdio->fds[which];
    if (f->buf == NULL)
        f->buf = malloc(which == 0 ? IN_SIZE : WRITE_SIZE);
    if (f->buf != NULL && f->fd == NULL &&
        hf_io_fd_new(hf_guest_io(g), hf_guest_settings(g)->stdio[which], &f->fd) != HF_OK)
        f->fd = NULL;
    return f->buf == NULL || f->fd == NULL ? NULL : f;
}

struct hf_in_stream *hf_stdio_in(struct hf_guest *g)
{
    struct std_fd *f = open_fd(g, 0);
    struct std_in *s = f == NULL ? NULL : hf_obj_new(g, sizeof *s, "input-stream", NULL, NULL);
    if (s == NULL)
        return NULL;
    s->in.ops = &in_ops;
    s->f = f;
    return &s->in;
}

struct hf_out_stream *hf_stdio_out(struct hf_guest *g, unsigned which)
{
    HF_ASSERT(which == 1 || which == 2);
    struct std_fd *f = open_fd(g, which);
    struct std_out *s = f == NULL ? NULL : hf_obj_new(g, sizeof *s, "output-stream", NULL, NULL);
    if (s == NULL)
        return NULL;
    s->out.ops = &out_ops;
    s->f = f;
    return &s->out;
}
