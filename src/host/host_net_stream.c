/* host_net_stream.c - the two streams of a TCP connection.
 *
 * Reading: one buffer, there only while it holds bytes, lent to the guest; the system's buffer is
 * the window, so a guest that does not read holds the peer up. Writing: straight to the system;
 * what it does not take is kept (at most OUT_MAX, and nothing more is permitted until it is gone)
 * and sent when there is room, whether or not the guest waits for it. An end of writing is passed
 * on behind what is pending.
 */
#include "host/net_int.h"

#include <stdio.h>
#include <stdlib.h>

#define IN_MAX  (32u * 1024)
#define OUT_MAX (64u * 1024)

struct hf_tcp_in {
    struct hf_in_stream in;
    struct hf_tcp *t; /* NULL: orphaned */
    uint8_t *buf;
    size_t at, len; /* bytes there: len from at */
    bool drained;   /* the last read took all the system had */
    bool ended;
    enum hf_net_err err; /* why, or OK: a clean end */
};
struct hf_tcp_out {
    struct hf_out_stream out;
    struct hf_tcp *t;
};

/* The failure of a stream's operation: closed, or an error object with its words. */
static enum hf_err failed(struct hf_guest *g, const char *what, enum hf_net_err err)
{
    char text[96];
    if (err == HF_NET_CLOSED)
        return HF_CLOSED;
    snprintf(text, sizeof text, "%s: %s", what, hf_net_err_text(err));
    struct hf_io_error *e = hf_io_error_new(g, HF_IO, 0, 0, text);
    if (e != NULL) /* else it is an error without words */
        hf_guest_set_stream_error(g, e);
    return HF_IO;
}

/* ---- in ---- */

static struct hf_tcp_in *in_of(struct hf_in_stream *s)
{
    return HF_CONTAINER_OF(s, struct hf_tcp_in, in);
}

static void drop_buf(struct hf_tcp_in *s)
{
    free(s->buf);
    s->buf = NULL;
    s->at = s->len = 0;
}

static void end_in(struct hf_tcp_in *s, enum hf_net_err err)
{
    drop_buf(s);
    s->ended = true;
    s->err = err == HF_NET_CLOSED ? HF_NET_OK : err;
    hf_wait_set(&s->t->s.io->in, true);
}

static enum hf_err in_fill(struct hf_tcp_in *s)
{
    struct hf_net *net = hf_guest_net_os(s->in.obj.guest);
    s->buf = malloc(IN_MAX);
    s->at = s->len = 0;
    enum hf_net_err err =
        s->buf == NULL ? HF_NET_MEMORY : net->read(net, s->t->s.fd, s->buf, IN_MAX, &s->len);
    if (err == HF_NET_OK) {
        s->drained = s->len < IN_MAX;
        return HF_OK;
    }
    drop_buf(s);
    if (err == HF_NET_AGAIN && hf_io_fd_arm(s->t->s.io, HF_OS_IN) == HF_OK)
        return HF_AGAIN;
    /* What cannot be waited for must not be: a wait would spin. */
    end_in(s, err == HF_NET_AGAIN ? HF_NET_MEMORY : err);
    return HF_OK;
}

static enum hf_err in_peek(struct hf_in_stream *base, struct hf_view *ret)
{
    struct hf_tcp_in *s = in_of(base);
    if (s->len == 0 && !s->ended && in_fill(s) == HF_AGAIN)
        return HF_AGAIN;
    if (s->len == 0)
        return s->err == HF_NET_OK
                   ? HF_CLOSED
                   : failed(base->obj.guest, "reading from a TCP connection", s->err);
    *ret = hf_view(s->buf + s->at, s->len);
    return HF_OK;
}

static void in_advance(struct hf_in_stream *base, size_t n)
{
    struct hf_tcp_in *s = in_of(base);
    HF_ASSERT(n <= s->len);
    s->at += n;
    s->len -= n;
    if (s->len > 0 || n == 0)
        return;
    drop_buf(s);
    if (s->t != NULL && s->drained && !s->ended) /* no claim to be ready when all was read */
        (void)!hf_io_fd_arm(s->t->s.io, HF_OS_IN);
}

static struct hf_wait *in_wait(struct hf_in_stream *base)
{
    struct hf_tcp_in *s = in_of(base);
    if (s->len == 0 && !s->ended)
        return hf_io_fd_look(s->t->s.io, HF_OS_IN);
    hf_wait_set(&s->t->s.io->in, true);
    return &s->t->s.io->in;
}

static void in_destroy(struct hf_obj *obj)
{
    struct hf_tcp_in *s = HF_CONTAINER_OF(obj, struct hf_tcp_in, in.obj);
    drop_buf(s);
    if (s->t != NULL)
        s->t->in = NULL;
}

static void in_orphan(struct hf_obj *obj)
{
    HF_CONTAINER_OF(obj, struct hf_tcp_in, in.obj)->t = NULL;
}

static const struct hf_in_ops in_ops = {in_peek, in_advance, in_wait};

/* ---- out ---- */

static size_t pending(const struct hf_tcp *t)
{
    return t->pending.len - t->pending_at;
}

static void all_sent(struct hf_tcp *t)
{
    struct hf_net *net = hf_guest_net_os(t->s.obj.guest);
    hf_buf_done(&t->pending);
    t->pending_at = 0;
    if (t->fin_due) {
        t->fin_due = false;
        if (t->write_err == HF_NET_OK)
            (void)net->shutdown(net, t->s.fd, false, true); /* nobody is left to be told */
    }
    hf_wait_set(&t->can_write, true);
}

void hf_tcp_push(struct hf_tcp *t)
{
    struct hf_net *net = hf_guest_net_os(t->s.obj.guest);
    enum hf_net_err err = HF_NET_OK;
    size_t n = 0;
    while (pending(t) > 0 && err == HF_NET_OK) {
        err = net->write(net, t->s.fd, t->pending.ptr + t->pending_at, pending(t), &n);
        t->pending_at += n;
    }
    if (err == HF_NET_AGAIN && hf_tcp_watch(t, HF_OS_OUT)) {
        hf_wait_set(&t->can_write, t->out_shut);
        return;
    }
    if (err != HF_NET_OK)
        t->write_err = err == HF_NET_AGAIN ? HF_NET_MEMORY : err; /* as in in_fill */
    if (t->pending.cap > 0 || t->fin_due)
        all_sent(t);
}

static struct hf_tcp *out_tcp(struct hf_out_stream *s)
{
    return HF_CONTAINER_OF(s, struct hf_tcp_out, out)->t;
}

/* An error waits, or the guest ended this direction. */
static enum hf_err out_end(struct hf_tcp *t)
{
    if (t->write_err != HF_NET_OK)
        return failed(t->s.obj.guest, "writing to a TCP connection", t->write_err);
    return t->out_shut ? HF_CLOSED : HF_OK;
}

static enum hf_err out_room(struct hf_out_stream *s, uint64_t *ret)
{
    struct hf_tcp *t = out_tcp(s);
    if (pending(t) > 0)
        hf_tcp_push(t);
    *ret = pending(t) > 0 ? 0 : OUT_MAX;
    return out_end(t);
}

static enum hf_err out_write(struct hf_out_stream *s, struct hf_view bytes)
{
    struct hf_tcp *t = out_tcp(s);
    struct hf_net *net = hf_guest_net_os(t->s.obj.guest);
    enum hf_net_err err = HF_NET_OK;
    enum hf_err end = out_end(t);
    if (end != HF_OK)
        return end;
    while (pending(t) == 0 && bytes.len > 0 && err == HF_NET_OK) {
        size_t n = 0;
        err = net->write(net, t->s.fd, bytes.ptr, bytes.len, &n);
        bytes = hf_view_skip(bytes, n);
    }
    if (err == HF_NET_OK && bytes.len == 0)
        return HF_OK;
    if (err != HF_NET_OK && err != HF_NET_AGAIN) {
        t->write_err = err;
        return out_end(t);
    }
    bool first = pending(t) == 0;
    HF_ASSERT(pending(t) + bytes.len <= OUT_MAX); /* the permit says so */
    if (hf_buf_add_view(&t->pending, bytes) != HF_OK)
        t->write_err = HF_NET_MEMORY;
    else if (first && hf_tcp_watch(t, HF_OS_OUT))
        hf_wait_set(&t->can_write, false);
    else if (first)
        hf_tcp_push(t); /* it may go now, or it fails */
    return out_end(t);
}

static enum hf_err out_flush(struct hf_out_stream *s)
{
    struct hf_tcp *t = out_tcp(s);
    if (pending(t) > 0)
        hf_tcp_push(t);
    enum hf_err err = out_end(t);
    return err != HF_OK ? err : pending(t) > 0 ? HF_AGAIN : HF_OK;
}

static struct hf_wait *out_wait(struct hf_out_stream *s)
{
    return &out_tcp(s)->can_write;
}

static void out_orphan(struct hf_obj *obj)
{
    HF_CONTAINER_OF(obj, struct hf_tcp_out, out.obj)->t = NULL;
}

static const struct hf_out_ops out_ops = {out_room, out_write, out_flush, out_wait, NULL};

/* ---- both ---- */

bool hf_tcp_streams(struct hf_guest *g, struct hf_tcp *t, struct hf_value ret[2])
{
    struct hf_tcp_in *in = hf_obj_new(g, sizeof *in, "input-stream", &t->s.obj, in_destroy);
    struct hf_tcp_out *out = hf_obj_new(g, sizeof *out, "output-stream", &t->s.obj, NULL);
    if (in != NULL) {
        in->in.ops = &in_ops;
        in->in.obj.orphan = in_orphan;
        in->t = t;
        t->in = in;
    }
    if (out != NULL) {
        out->out.ops = &out_ops;
        out->out.obj.orphan = out_orphan;
        out->t = t;
    }
    ret[0] = hf_value_obj(in);
    ret[1] = hf_value_obj(out);
    return in != NULL && out != NULL;
}

enum hf_net_err hf_tcp_shutdown(struct hf_tcp *t, bool in, bool out)
{
    struct hf_net *net = hf_guest_net_os(t->s.obj.guest);
    in = in && !t->in_shut;
    out = out && !t->out_shut;
    t->in_shut |= in;
    t->out_shut |= out;
    if (in && t->in != NULL) {
        hf_in_stream_settle(&t->in->in);
        end_in(t->in, HF_NET_CLOSED);
    }
    if (out && pending(t) > 0) {
        t->fin_due = true;
        out = false;
    }
    if (t->out_shut)
        hf_wait_set(&t->can_write, true); /* the stream's end is something to be told */
    return in || out ? net->shutdown(net, t->s.fd, in, out) : HF_NET_OK;
}
