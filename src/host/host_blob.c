/* host_blob.c - holdfast:kernel/blobs: bodies as handles, read where they lie, and made piece by piece.
 *
 * A handle is a reference to a kernel blob (kernel/blob.h) and no more: it never makes anybody copy, and while it lives the
 * bytes stay. `read` lends the bytes themselves when they lie together, so that the guest's copy is the only one. A blob
 * that is still arriving is waited for on the guest's fiber.
 */
#include "host/kernel_int.h"

#include <stdio.h>

#include "host/blob_stream.h"
#include "kernel/blob_spill.h"

#define READ_MAX (64u << 20)  /* of one read: half of what a call may hold */
#define HELD_MAX (256u << 20) /* of the host's memory: in blobs that a guest made of bytes, and in one that it writes */

enum { ERROR_BROKEN, ERROR_LIMIT };

static enum hf_err refuse(struct hf_call *call, uint32_t error, struct hf_value *result)
{
    struct hf_value *v = hf_call_alloc(call, sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    *v = hf_value_case(error, NULL);
    *result = hf_value_case(1, v);
    return HF_OK;
}

/* ---- handles --------------------------------------------------------------------------------------------- */

static void blob_destroy(struct hf_obj *obj)
{
    struct hf_guest_blob *b = HF_CONTAINER_OF(obj, struct hf_guest_blob, obj);
    hf_blob_reader_close(&obj->guest->mail.lent);
    hf_blob_unref(b->blob);
    obj->guest->mail.made -= b->made;
}

struct hf_guest_blob *hf_guest_blob_new(struct hf_guest *g, struct hf_blob *blob)
{
    struct hf_guest_blob *b = hf_obj_new(g, sizeof *b, "blob", NULL, blob_destroy);
    if (b == NULL) {
        hf_blob_unref(blob);
        return NULL;
    }
    b->blob = blob;
    return b;
}

struct hf_blob *hf_guest_blob_consume(struct hf_guest_blob *b)
{
    struct hf_blob *blob = b->blob;
    b->blob = NULL;
    hf_blob_reader_close(&b->obj.guest->mail.lent);
    hf_obj_release(&b->obj);
    return blob;
}

static struct hf_blob_pool *pool_of(struct hf_call *call)
{
    return hf_kernel_blobs(hf_turn_kernel(hf_guest_of(call)->turn));
}

static void count_made(struct hf_guest_blob *b, uint64_t n)
{
    b->made = n;
    b->obj.guest->mail.made += n;
}

static enum hf_err blob_of_bytes(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_view bytes = hf_value_view(&args[0]);
    if (g->mail.made + bytes.len > HELD_MAX)
        return refuse(call, ERROR_LIMIT, result);
    struct hf_blob *blob = hf_blob_of_bytes_in(pool_of(call), bytes);
    if (blob == NULL)
        return refuse(call, ERROR_LIMIT, result);
    struct hf_guest_blob *b = hf_guest_blob_new(g, blob);
    if (b == NULL)
        return hf_call_limit(call, "host memory for blobs");
    count_made(b, bytes.len);
    return hf_host_case(call, 0, hf_value_obj(b), result);
}

static enum hf_err blob_duplicate(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_guest_blob *b = args[0].obj;
    struct hf_guest_blob *copy = hf_guest_blob_new(hf_guest_of(call), hf_blob_ref(b->blob));
    if (copy == NULL)
        return hf_call_limit(call, "host memory for blobs");
    count_made(copy, b->made); /* the bytes are the same, but which handle is the last nobody knows yet */
    *result = hf_value_obj(copy);
    return HF_OK;
}

/* ---- looking --------------------------------------------------------------------------------------------- */

static void info_fields(const struct hf_blob *blob, struct hf_value *v)
{
    uint64_t len = hf_blob_declared(blob);
    bool known = len != HF_BLOB_LEN_UNKNOWN;
    v[2] = hf_value_u64(len);
    v[0] = hf_value_case(known, known ? &v[2] : NULL);
    v[1] = hf_value_u64(hf_blob_complete(blob));
}

struct hf_value hf_blob_info_value(const struct hf_blob *blob, struct hf_value *v)
{
    if (blob == NULL)
        return hf_value_case(0, NULL);
    info_fields(blob, v + 1);
    v[0] = (struct hf_value){.items = v + 1, .len = 2};
    return hf_value_case(1, v);
}

static enum hf_err blob_info(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_guest_blob *b = args[0].obj;
    struct hf_value *v = hf_call_alloc(call, 3 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    info_fields(b->blob, v);
    *result = (struct hf_value){.items = v, .len = 2};
    return HF_OK;
}

/* Lends what comes next, waiting for it. HF_CLOSED: the end. HF_IO: it broke off. Or HF_CANCELLED. */
static enum hf_err next_bytes(struct hf_call *call, struct hf_blob_reader *r, struct hf_view *ret)
{
    for (;;) {
        enum hf_err err = hf_blob_reader_peek(r, ret);
        if (err == HF_OK || err == HF_CLOSED)
            return err;
        if (err != HF_AGAIN)
            return HF_IO;
        err = hf_guest_wait(call, &r->wait);
        if (err != HF_OK)
            return err;
    }
}

/* To its byte `at`, past what arrives until then. */
static enum hf_err skip_to(struct hf_call *call, struct hf_blob_reader *r, uint64_t at)
{
    struct hf_view v;
    uint64_t n = at - r->at;
    while (n > 0) {
        enum hf_err err = next_bytes(call, r, &v);
        if (err != HF_OK)
            return err;
        size_t k = v.len < n ? v.len : (size_t)n;
        hf_blob_reader_advance(r, k);
        n -= k;
    }
    return HF_OK;
}

/* `len` bytes into `to`, fewer at the end. */
static enum hf_err gather(struct hf_call *call, struct hf_buf *to, struct hf_blob_reader *r, uint64_t len)
{
    struct hf_view v;
    enum hf_err err = HF_OK;
    while (to->len < len && (err = next_bytes(call, r, &v)) == HF_OK) {
        if (v.len > len - to->len)
            v.len = (size_t)(len - to->len);
        if (hf_buf_add_view(to, v) != HF_OK)
            return HF_LIMIT;
        hf_blob_reader_advance(r, v.len);
    }
    return err == HF_CLOSED ? HF_OK : err;
}

static enum hf_err blob_read(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_guest_blob *b = args[0].obj;
    struct hf_buf *gathered = &hf_guest_of(call)->mail.read;
    uint64_t offset = args[1].u64, len = args[2].u64, all = hf_blob_declared(b->blob);
    struct hf_blob *ref = hf_blob_ref(b->blob);
    struct hf_blob_reader *lent = &hf_guest_of(call)->mail.lent, r = {0};
    struct hf_view v = {0};

    if (all != HF_BLOB_LEN_UNKNOWN)
        len = offset >= all ? 0 : len < all - offset ? len : all - offset;
    hf_buf_done(gathered);
    hf_blob_reader_close(lent);
    hf_blob_reader_open_at(&r, &ref, offset);
    enum hf_err err = len > READ_MAX ? HF_LIMIT : len == 0 ? HF_CLOSED : skip_to(call, &r, offset);
    if (err == HF_OK)
        err = next_bytes(call, &r, &v);
    if (err == HF_OK && v.len >= len) {
        v.len = (size_t)len; /* they lie together: lent, and held by this handle until they are the guest's; ... */
        if (hf_blob_reader_holds(&r)) /* ... by a reader, where they may go to a file */
            hf_blob_reader_move(&r, lent);
    } else if (err == HF_OK) {
        err = gather(call, gathered, &r, len);
        v = hf_buf_view(gathered);
    }
    hf_blob_reader_close(&r);
    if (err == HF_CANCELLED)
        return err;
    if (err != HF_OK && err != HF_CLOSED)
        return refuse(call, err == HF_LIMIT ? ERROR_LIMIT : ERROR_BROKEN, result);
    return hf_host_case(call, 0, hf_value_bytes(err == HF_CLOSED ? (struct hf_view){0} : v), result);
}

/* ---- as an input-stream ---------------------------------------------------------------------------------- */

struct blob_stream {
    struct hf_blob_in s;
    struct hf_blob_reader reader; /* of its own: the handle may go first */
};

static struct hf_io_error *stream_broken(struct hf_blob_in *s, enum hf_err err)
{
    return hf_io_error_new(s->in.obj.guest, err, 0, 0, "the blob broke off before its end");
}

static void stream_destroy(struct hf_obj *obj)
{
    struct blob_stream *s = HF_CONTAINER_OF(obj, struct blob_stream, s.in.obj);
    hf_blob_in_done(obj);
    hf_blob_reader_close(&s->reader);
}

static enum hf_err blob_stream(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_guest_blob *b = args[0].obj;
    /* Its kind says more than "input-stream", for it stands alone: no image may take it for one of those without a body. */
    struct hf_blob_in *in =
        hf_blob_in_new(hf_guest_of(call), sizeof(struct blob_stream), "input-stream of a blob", NULL, stream_destroy);
    if (in == NULL)
        return hf_call_limit(call, "host memory for streams");
    struct blob_stream *s = HF_CONTAINER_OF(in, struct blob_stream, s);
    struct hf_blob *ref = hf_blob_ref(b->blob);
    in->reader = &s->reader;
    in->broken = stream_broken;
    hf_blob_reader_open(&s->reader, &ref);
    return hf_host_case(call, 0, hf_value_obj(s), result);
}

/* ---- writers --------------------------------------------------------------------------------------------- */

struct writer {
    struct hf_obj obj;
    struct hf_blob *blob; /* the producer's side; NULL once it ended */
    bool taken;
};

static void writer_end(struct writer *w, enum hf_err err)
{
    struct hf_blob *blob = w->blob;
    w->blob = NULL;
    if (blob == NULL)
        return;
    if (err == HF_OK)
        hf_blob_finish(blob);
    else
        hf_blob_fail(blob, err);
}

static void writer_destroy(struct hf_obj *obj)
{
    writer_end(HF_CONTAINER_OF(obj, struct writer, obj), HF_CANCELLED);
}

static enum hf_err writer_new(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    uint64_t len = args[0].tag == 1 ? args[0].items[0].u64 : HF_BLOB_LEN_UNKNOWN;
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    struct hf_blob *blob = hf_blob_new_in(pool_of(call), len, hf_guest_settings(g)->body_window);
    if (blob == NULL)
        return refuse(call, ERROR_LIMIT, result);
    struct hf_guest_blob *b = hf_guest_blob_new(g, blob);
    struct writer *w = b == NULL ? NULL : hf_obj_new(g, sizeof *w, "writer", NULL, writer_destroy);
    if (v == NULL || w == NULL) {
        hf_blob_fail(blob, HF_LIMIT);
        if (b != NULL)
            hf_obj_release(&b->obj);
        if (w != NULL)
            hf_obj_release(&w->obj);
        return hf_call_limit(call, "host memory for blobs");
    }
    w->blob = blob;
    v[0] = hf_value_obj(w);
    v[1] = hf_value_obj(b);
    return hf_host_case(call, 0, (struct hf_value){.items = v, .len = 2}, result);
}

/* Why a blob's handles may not keep more. */
static const char *full_text(const struct hf_guest *g, char *to, size_t cap)
{
    struct hf_blob_spill_stats s;
    hf_blob_spill_get_stats(hf_kernel_blobs(hf_turn_kernel(g->turn)), &s);
    int n = snprintf(to, cap, "more bytes are kept for the blob's handles than may be held here");
    if (s.stuck)
        snprintf(to + n, cap - (size_t)n, ", and their file takes no more: %.*s", HF_FMT(s.last_failure));
    return to;
}

static enum hf_err out_write(struct hf_out_stream *s, struct hf_view bytes)
{
    struct hf_blob *blob = hf_blob_out_wanted(s);
    if (blob == NULL)
        return HF_CLOSED;
    /* While somebody could still read it from the start nothing of it goes, however fast its readers are. */
    enum hf_err err = bytes.len == 0 ? HF_OK : hf_blob_memory(blob) >= HELD_MAX ? HF_LIMIT : hf_blob_push(blob, bytes);
    char text[300];
    const char *why = err == HF_INVALID ? "more bytes than the blob's length says"
                      : err == HF_LIMIT ? full_text(s->obj.guest, text, sizeof text)
                                        : NULL;
    if (why != NULL)
        hf_guest_set_stream_error(s->obj.guest, hf_io_error_new(s->obj.guest, err, 0, 0, why));
    return err;
}

static const struct hf_out_ops out_ops = {hf_blob_out_room, out_write, hf_blob_out_flush, hf_blob_out_wait, NULL};

static enum hf_err writer_write(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct writer *w = args[0].obj;
    if (w->taken)
        return hf_call_trap(call, "writer.write: handle %u: its stream was taken already", hf_call_handle(call, 0));
    struct hf_blob_out *o = hf_blob_out_new(hf_guest_of(call), &w->obj, &w->blob, &out_ops);
    if (o == NULL)
        return hf_call_limit(call, "host memory for streams");
    w->taken = true;
    return hf_host_case(call, 0, hf_value_obj(o), result);
}

static enum hf_err writer_finish(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct writer *w = args[0].obj;
    if (hf_obj_has_children(&w->obj))
        return hf_call_trap(call, "writer.finish: handle %u: its output-stream is still alive", hf_call_handle(call, 0));
    uint64_t declared = hf_blob_declared(w->blob);
    bool whole = declared == HF_BLOB_LEN_UNKNOWN || hf_blob_pushed(w->blob) == declared;
    writer_end(w, HF_OK);
    hf_obj_release(&w->obj);
    *result = hf_value_case(0, NULL);
    return whole ? HF_OK : refuse(call, ERROR_BROKEN, result);
}

/* ---- binding --------------------------------------------------------------------------------------------- */

enum hf_err hf_host_bind_blobs(struct hf_registry *reg, struct hf_report *report)
{
    static const char iface[] = HF_KERNEL_WIT "blobs" HF_KERNEL_WIT_VERSION;
    static const struct hf_host_resource blob_ops = {"blob", hf_obj_drop}, writer_ops = {"writer", hf_obj_drop};
    static const struct hf_binding table[] = {
        {"[static]blob.of-bytes", blob_of_bytes}, {"[method]blob.info", blob_info},       {"[method]blob.duplicate", blob_duplicate},
        {"[method]blob.read", blob_read},         {"[method]blob.stream", blob_stream},   {"[static]writer.new", writer_new},
        {"[method]writer.write", writer_write},   {"[static]writer.finish", writer_finish}, {NULL, NULL},
    };
    enum hf_err err = hf_registry_bind_resource(reg, iface, "blob", &blob_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, iface, "writer", &writer_ops, report);
    return err == HF_OK ? hf_registry_bind_all(reg, iface, table, report) : err;
}
