/* blob_stream.c - see blob_stream.h. */
#include "host/blob_stream.h"

/* ---- reading --------------------------------------------------------------------------------------------- */

static struct hf_blob_in *in_of(struct hf_in_stream *s)
{
    return HF_CONTAINER_OF(s, struct hf_blob_in, in);
}

static struct hf_blob_reader *reader_of(struct hf_in_stream *s)
{
    struct hf_blob_reader *r = in_of(s)->reader;
    return r != NULL && r->blob != NULL ? r : NULL;
}

static enum hf_err in_peek(struct hf_in_stream *s, struct hf_view *ret)
{
    struct hf_blob_reader *r = reader_of(s);
    if (r == NULL)
        return HF_CLOSED;
    enum hf_err err = hf_blob_reader_peek(r, ret);
    if (err == HF_OK || err == HF_AGAIN || err == HF_CLOSED)
        return err;
    hf_guest_set_stream_error(s->obj.guest, in_of(s)->broken(in_of(s), err));
    return HF_IO; /* whatever it was: HF_CANCELLED here would say that this guest is to end */
}

static void in_advance(struct hf_in_stream *s, size_t n)
{
    struct hf_blob_reader *r = reader_of(s);
    if (r != NULL && n > 0)
        hf_blob_reader_advance(r, n);
}

static struct hf_wait *in_wait(struct hf_in_stream *s)
{
    struct hf_blob_reader *r = reader_of(s);
    return r != NULL ? &r->wait : &in_of(s)->ended;
}

static void in_orphan(struct hf_obj *obj)
{
    HF_CONTAINER_OF(obj, struct hf_blob_in, in.obj)->reader = NULL;
}

void hf_blob_in_done(struct hf_obj *obj)
{
    struct hf_blob_in *s = HF_CONTAINER_OF(obj, struct hf_blob_in, in.obj);
    hf_in_stream_settle(&s->in);
    hf_wait_done(&s->ended);
}

struct hf_blob_in *hf_blob_in_new(struct hf_guest *g, size_t size, const char *kind, struct hf_obj *parent,
                                  void (*destroy)(struct hf_obj *obj))
{
    static const struct hf_in_ops ops = {in_peek, in_advance, in_wait};
    struct hf_blob_in *s = hf_obj_new(g, size, kind, parent, destroy != NULL ? destroy : hf_blob_in_done);
    if (s == NULL)
        return NULL;
    hf_wait_init(&s->ended, true);
    s->in.ops = &ops;
    s->in.obj.orphan = in_orphan;
    return s;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

static struct hf_blob_out *out_of(struct hf_out_stream *s)
{
    return HF_CONTAINER_OF(s, struct hf_blob_out, out);
}

struct hf_blob *hf_blob_out_wanted(struct hf_out_stream *s)
{
    struct hf_blob **blob = out_of(s)->blob;
    return blob != NULL && *blob != NULL && hf_blob_wanted(*blob) ? *blob : NULL;
}

enum hf_err hf_blob_out_room(struct hf_out_stream *s, uint64_t *ret)
{
    const struct hf_blob *blob = hf_blob_out_wanted(s);
    if (blob == NULL)
        return HF_CLOSED; /* of a body of HTTP: the client is gone (1.5.10) */
    *ret = hf_blob_room(blob);
    return HF_OK;
}

enum hf_err hf_blob_out_flush(struct hf_out_stream *s)
{
    return hf_blob_out_wanted(s) == NULL ? HF_CLOSED : HF_OK; /* what was written is the host's now */
}

struct hf_wait *hf_blob_out_wait(struct hf_out_stream *s)
{
    struct hf_blob_out *o = out_of(s);
    return o->blob != NULL && *o->blob != NULL ? hf_blob_room_wait(*o->blob) : &o->ended;
}

static void out_orphan(struct hf_obj *obj)
{
    HF_CONTAINER_OF(obj, struct hf_blob_out, out.obj)->blob = NULL;
}

static void out_destroy(struct hf_obj *obj)
{
    hf_wait_done(&HF_CONTAINER_OF(obj, struct hf_blob_out, out.obj)->ended);
}

struct hf_blob_out *hf_blob_out_new(struct hf_guest *g, struct hf_obj *owner, struct hf_blob **blob, const struct hf_out_ops *ops)
{
    struct hf_blob_out *o = hf_obj_new(g, sizeof *o, "output-stream", owner, out_destroy);
    if (o == NULL)
        return NULL;
    hf_wait_init(&o->ended, true);
    o->out.ops = ops;
    o->out.obj.orphan = out_orphan;
    o->blob = blob;
    return o;
}
