/* host_stream.c - wasi:io/streams and wasi:io/error over the two small op tables of guest.h.
 *
 * read lends: its result points into the stream's own bytes, which are passed (advance) at the stream's next operation or
 * when the guest waits, so that a body is copied once, into the guest. Writing copies once, out of it.
 * Rules: http-and-poll 2.2-2.4; a length from the guest never sizes an allocation.
 */
#include "host/guest.h"

#define BLOCKING_WRITE_MAX 4096u
/* Most bytes one read hands out, whatever was asked for: a small guest's memory must not have to grow for a piece of a body
 * (a grown memory cannot be put back in place). Splice moves more at once, without the guest. */
#define READ_MAX (32u * 1024)

/* ---- errors ---------------------------------------------------------------------------------------------- */

struct hf_io_error *hf_io_error_new(struct hf_guest *g, enum hf_err err, uint32_t http, uint64_t size, const char *text)
{
    struct hf_io_error *e = hf_obj_new(g, sizeof *e, "error", NULL, NULL);
    if (e == NULL)
        return NULL;
    e->err = err;
    e->http = http;
    e->size = size;
    size_t n = strnlen(text, sizeof e->text - 1);
    memcpy(e->text, text, n);
    e->text[n] = 0;
    return e;
}

void hf_guest_set_stream_error(struct hf_guest *g, struct hf_io_error *e)
{
    if (g->stream_error != NULL)
        hf_obj_release(&g->stream_error->obj);
    g->stream_error = e;
}

static enum hf_err error_debug_string(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_io_error *e = args[0].obj;
    (void)call;
    *result = hf_value_bytes(hf_view_of(e->text));
    return HF_OK;
}

/* ---- results --------------------------------------------------------------------------------------------- */

/* result<_, stream-error> = err(closed), or err(last-operation-failed(error)) the first time something went wrong. Either is
 * for ever: every later operation says closed. */
static enum hf_err fail(struct hf_call *call, enum hf_err err, bool *closed, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    result->tag = 1;
    result->items = &v[0];
    v[0] = hf_value_case(1, NULL); /* closed */
    if (err == HF_CLOSED || *closed) {
        *closed = true;
        return HF_OK;
    }
    *closed = true;
    struct hf_io_error *e = g->stream_error;
    g->stream_error = NULL;
    if (e == NULL)
        e = hf_io_error_new(g, err, 0, 0, hf_err_text(err));
    if (e == NULL)
        return hf_call_limit(call, "host memory for errors");
    v[1] = hf_value_obj(e);
    v[0] = hf_value_case(0, &v[1]);
    return HF_OK;
}

static enum hf_err ok_u64(struct hf_call *call, uint64_t n, struct hf_value *result)
{
    return hf_host_case(call, 0, hf_value_u64(n), result);
}

static bool is_wait(enum hf_err err)
{
    return err == HF_AGAIN;
}

/* ---- input ----------------------------------------------------------------------------------------------- */

void hf_in_stream_settle(struct hf_in_stream *s)
{
    if (s->lazy > 0) {
        size_t n = s->lazy;
        s->lazy = 0;
        hf_list_remove(&s->in_lazy);
        s->ops->advance(s, n);
    }
}

void hf_guest_settle(struct hf_guest *g)
{
    while (!hf_list_empty(&g->lazy))
        hf_in_stream_settle(HF_LIST_ENTRY(g->lazy.next, struct hf_in_stream, in_lazy));
}

static void lend(struct hf_in_stream *s, size_t n)
{
    s->lazy = n;
    hf_list_push_back(&s->obj.guest->lazy, &s->in_lazy);
}

/* HF_AGAIN only when not blocking. */
static enum hf_err peek(struct hf_call *call, struct hf_in_stream *s, bool blocking, struct hf_view *v)
{
    hf_in_stream_settle(s);
    if (s->closed)
        return HF_CLOSED;
    for (;;) {
        enum hf_err err = s->ops->peek(s, v);
        if (err != HF_AGAIN || !blocking)
            return err;
        err = hf_guest_wait(call, s->ops->wait(s));
        if (err != HF_OK)
            return err;
    }
}

static enum hf_err do_read(struct hf_call *call, const struct hf_value *args, struct hf_value *result, bool blocking)
{
    struct hf_in_stream *s = args[0].obj;
    uint64_t len = args[1].u64;
    struct hf_view v = {0};
    s->want = len < READ_MAX ? (size_t)len : READ_MAX;
    enum hf_err err = peek(call, s, blocking && len > 0, &v);
    if (err == HF_CANCELLED && blocking)
        return err;
    if (is_wait(err))
        v = (struct hf_view){0};
    else if (err != HF_OK)
        return fail(call, err, &s->closed, result);
    if (len < v.len)
        v.len = (size_t)len;
    struct hf_value *bytes = hf_call_alloc(call, sizeof *bytes);
    if (bytes == NULL)
        return hf_call_limit(call, "memory of a call");
    if (v.len > READ_MAX)
        v.len = READ_MAX;
    *bytes = hf_value_bytes(v);
    *result = hf_value_case(0, bytes);
    if (v.len > 0)
        lend(s, v.len);
    return HF_OK;
}

static enum hf_err do_skip(struct hf_call *call, const struct hf_value *args, struct hf_value *result, bool blocking)
{
    struct hf_in_stream *s = args[0].obj;
    struct hf_view v = {0};
    s->want = args[1].u64 < SIZE_MAX ? (size_t)args[1].u64 : SIZE_MAX;
    enum hf_err err = peek(call, s, blocking && args[1].u64 > 0, &v);
    if (err == HF_CANCELLED && blocking)
        return err;
    if (is_wait(err))
        return ok_u64(call, 0, result);
    if (err != HF_OK)
        return fail(call, err, &s->closed, result);
    uint64_t n = args[1].u64 < v.len ? args[1].u64 : v.len;
    s->ops->advance(s, (size_t)n);
    return ok_u64(call, n, result);
}

static enum hf_err in_read(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_read(call, args, result, false);
}
static enum hf_err in_blocking_read(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_read(call, args, result, true);
}
static enum hf_err in_skip(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_skip(call, args, result, false);
}
static enum hf_err in_blocking_skip(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_skip(call, args, result, true);
}

static enum hf_err in_subscribe(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_in_stream *s = args[0].obj;
    hf_in_stream_settle(s);
    result->obj = hf_pollable_new(call, s->ops->wait(s), &s->obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

/* ---- output ---------------------------------------------------------------------------------------------- */

static enum hf_err room_of(struct hf_out_stream *s, uint64_t *room)
{
    *room = 0;
    if (s->closed)
        return HF_CLOSED;
    if (s->flushing) {
        enum hf_err err = s->ops->flush(s);
        if (err == HF_AGAIN)
            return HF_OK; /* 0 until the flush is done */
        s->flushing = false;
        if (err != HF_OK)
            return err;
    }
    return s->ops->room(s, room);
}

static enum hf_err out_check_write(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_out_stream *s = args[0].obj;
    uint64_t room;
    enum hf_err err = room_of(s, &room);
    if (err != HF_OK)
        return fail(call, err, &s->closed, result);
    s->permit = room;
    return ok_u64(call, room, result);
}

static enum hf_err use_permit(struct hf_call *call, struct hf_out_stream *s, uint64_t n, const char *what)
{
    if (s->closed) /* whoever writes after an error is told again, not trapped */
        return HF_OK;
    if (n > s->permit)
        return hf_call_trap(call, "wasi:io/streams: %s of %llu bytes is more than check-write permitted (%llu)", what,
                            (unsigned long long)n, (unsigned long long)s->permit);
    s->permit -= n;
    return HF_OK;
}

static enum hf_err write_some(struct hf_call *call, struct hf_out_stream *s, struct hf_view bytes, struct hf_value *result)
{
    enum hf_err err = s->closed ? HF_CLOSED : s->ops->write(s, bytes);
    if (err != HF_OK)
        return fail(call, err, &s->closed, result);
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

static enum hf_err out_write(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_out_stream *s = args[0].obj;
    enum hf_err err = use_permit(call, s, args[1].len, "write");
    return err != HF_OK ? err : write_some(call, s, hf_value_view(&args[1]), result);
}

static const uint8_t zeroes[4096];

static enum hf_err out_write_zeroes(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_out_stream *s = args[0].obj;
    uint64_t n = args[1].u64;
    enum hf_err err = use_permit(call, s, n, "write-zeroes");
    if (err != HF_OK)
        return err;
    do {
        size_t part = n < sizeof zeroes ? (size_t)n : sizeof zeroes;
        err = write_some(call, s, hf_view(zeroes, part), result);
        n -= part;
    } while (n > 0 && err == HF_OK && result->tag == 0);
    return err;
}

/* Waits until there is room (or an end or error). */
static enum hf_err wait_room(struct hf_call *call, struct hf_out_stream *s, uint64_t *room)
{
    for (;;) {
        enum hf_err err = room_of(s, room);
        if (err != HF_OK || *room > 0)
            return err;
        const char *stuck = s->ops->stuck == NULL ? NULL : s->ops->stuck(s);
        if (stuck != NULL) {
            hf_call_trap(call, "wasi:io/streams: this write would wait for ever: %s", stuck);
            return HF_TRAP;
        }
        err = hf_guest_wait(call, s->ops->wait(s));
        if (err != HF_OK)
            return err;
    }
}

static enum hf_err wait_flush(struct hf_call *call, struct hf_out_stream *s)
{
    for (;;) {
        enum hf_err err = s->closed ? HF_CLOSED : s->ops->flush(s);
        if (err != HF_AGAIN)
            return err;
        err = hf_guest_wait(call, s->ops->wait(s));
        if (err != HF_OK)
            return err;
    }
}

static enum hf_err write_and_flush(struct hf_call *call, struct hf_out_stream *s, struct hf_view bytes, const char *what,
                                   struct hf_value *result)
{
    if (bytes.len > BLOCKING_WRITE_MAX)
        return hf_call_trap(call, "wasi:io/streams: %s of %zu bytes: at most %u are allowed", what, bytes.len,
                            BLOCKING_WRITE_MAX);
    bool wrote = bytes.len > 0;
    while (bytes.len > 0) {
        uint64_t room;
        enum hf_err err = wait_room(call, s, &room);
        if (err == HF_CANCELLED || err == HF_TRAP)
            return err;
        if (err != HF_OK)
            return fail(call, err, &s->closed, result);
        struct hf_view part = hf_view_take(bytes, room < bytes.len ? (size_t)room : bytes.len);
        err = write_some(call, s, part, result);
        if (err != HF_OK || result->tag != 0)
            return err;
        bytes = hf_view_skip(bytes, part.len);
    }
    s->permit = 0;
    enum hf_err err = wait_flush(call, s);
    if (err == HF_CANCELLED)
        return err;
    if (err != HF_OK && !(err == HF_CLOSED && wrote)) /* closed after all was taken is success, and the next call says it */
        return fail(call, err, &s->closed, result);
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

static enum hf_err out_blocking_write(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return write_and_flush(call, args[0].obj, hf_value_view(&args[1]), "blocking-write-and-flush", result);
}

static enum hf_err out_blocking_zeroes(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint64_t n = args[1].u64;
    if (n > BLOCKING_WRITE_MAX)
        return hf_call_trap(call, "wasi:io/streams: blocking-write-zeroes-and-flush of %llu bytes: at most %u are allowed",
                            (unsigned long long)n, BLOCKING_WRITE_MAX);
    return write_and_flush(call, args[0].obj, hf_view(zeroes, (size_t)n), "blocking-write-zeroes-and-flush", result);
}

static enum hf_err out_flush(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_out_stream *s = args[0].obj;
    enum hf_err err = s->closed ? HF_CLOSED : s->ops->flush(s);
    s->permit = 0;
    if (err == HF_AGAIN)
        s->flushing = true;
    else if (err != HF_OK)
        return fail(call, err, &s->closed, result);
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

static enum hf_err out_blocking_flush(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_out_stream *s = args[0].obj;
    s->permit = 0;
    enum hf_err err = wait_flush(call, s);
    s->flushing = false;
    if (err == HF_CANCELLED)
        return err;
    if (err != HF_OK)
        return fail(call, err, &s->closed, result);
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

static enum hf_err out_subscribe(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_out_stream *s = args[0].obj;
    struct hf_pollable *p = hf_pollable_new(call, s->ops->wait(s), &s->obj);
    if (p == NULL)
        return HF_TRAP;
    p->out = s;
    result->obj = p;
    return HF_OK;
}

/* check-write, read at most that, write: bytes go from stream to stream without the guest. */
static enum hf_err do_splice(struct hf_call *call, const struct hf_value *args, struct hf_value *result, bool blocking)
{
    struct hf_out_stream *s = args[0].obj;
    struct hf_in_stream *src = args[1].obj;
    uint64_t len = args[2].u64, room;
    struct hf_view v = {0};

    enum hf_err err = blocking && len > 0 ? wait_room(call, s, &room) : room_of(s, &room);
    if (err == HF_CANCELLED || err == HF_TRAP)
        return err;
    if (err != HF_OK)
        return fail(call, err, &s->closed, result);
    if (room == 0 || len == 0)
        return ok_u64(call, 0, result);
    src->want = (size_t)(room < len ? room : len);
    err = peek(call, src, blocking, &v);
    if (err == HF_CANCELLED && blocking)
        return err;
    if (is_wait(err))
        return ok_u64(call, 0, result);
    if (err != HF_OK)
        return fail(call, err, &src->closed, result);
    uint64_t n = v.len < room ? v.len : room;
    if (len < n)
        n = len;
    err = write_some(call, s, hf_view(v.ptr, (size_t)n), result);
    if (err != HF_OK || result->tag != 0)
        return err;
    s->permit = 0;
    src->ops->advance(src, (size_t)n);
    return ok_u64(call, n, result);
}

static enum hf_err out_splice(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_splice(call, args, result, false);
}
static enum hf_err out_blocking_splice(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_splice(call, args, result, true);
}

/* ---- a stream that is at its end ------------------------------------------------------------------------- */

struct empty_stream {
    struct hf_in_stream in;
    struct hf_wait wait;
};

static enum hf_err empty_peek(struct hf_in_stream *s, struct hf_view *ret)
{
    (void)s, (void)ret;
    return HF_CLOSED;
}
static void empty_advance(struct hf_in_stream *s, size_t n)
{
    (void)s;
    HF_ASSERT(n == 0);
}
static struct hf_wait *empty_wait(struct hf_in_stream *s)
{
    return &HF_CONTAINER_OF(s, struct empty_stream, in)->wait;
}
static void empty_destroy(struct hf_obj *obj)
{
    hf_wait_done(empty_wait(HF_CONTAINER_OF(obj, struct hf_in_stream, obj)));
}
static const struct hf_in_ops empty_ops = {empty_peek, empty_advance, empty_wait};

struct hf_in_stream *hf_in_stream_empty(struct hf_guest *g, struct hf_obj *parent)
{
    struct empty_stream *e = hf_obj_new(g, sizeof *e, "input-stream", parent, empty_destroy);
    if (e == NULL)
        return NULL;
    hf_wait_init(&e->wait, true);
    e->in.ops = &empty_ops;
    return &e->in;
}

bool hf_in_stream_is_empty(const struct hf_in_stream *s)
{
    return s->ops == &empty_ops;
}

/* ---- binding --------------------------------------------------------------------------------------------- */

static enum hf_err in_drop(struct hf_call *call, void *obj)
{
    struct hf_in_stream *s = obj;
    hf_in_stream_settle(s);
    return hf_obj_drop(call, &s->obj);
}

static const struct hf_host_resource error_ops = {"error", hf_obj_drop};
static const struct hf_host_resource in_ops = {"input-stream", in_drop};
static const struct hf_host_resource out_ops = {"output-stream", hf_obj_drop};
static const struct hf_binding error_table[] = {{"[method]error.to-debug-string", error_debug_string}, {NULL, NULL}};
static const struct hf_binding stream_table[] = {
    {"[method]input-stream.read", in_read},
    {"[method]input-stream.blocking-read", in_blocking_read},
    {"[method]input-stream.skip", in_skip},
    {"[method]input-stream.blocking-skip", in_blocking_skip},
    {"[method]input-stream.subscribe", in_subscribe},
    {"[method]output-stream.check-write", out_check_write},
    {"[method]output-stream.write", out_write},
    {"[method]output-stream.blocking-write-and-flush", out_blocking_write},
    {"[method]output-stream.flush", out_flush},
    {"[method]output-stream.blocking-flush", out_blocking_flush},
    {"[method]output-stream.subscribe", out_subscribe},
    {"[method]output-stream.write-zeroes", out_write_zeroes},
    {"[method]output-stream.blocking-write-zeroes-and-flush", out_blocking_zeroes},
    {"[method]output-stream.splice", out_splice},
    {"[method]output-stream.blocking-splice", out_blocking_splice},
    {NULL, NULL},
};

enum hf_err hf_host_bind_streams(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = hf_registry_bind_resource(reg, "wasi:io/error", "error", &error_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_all(reg, "wasi:io/error", error_table, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, "wasi:io/streams", "input-stream", &in_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, "wasi:io/streams", "output-stream", &out_ops, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:io/streams", stream_table, report);
}
