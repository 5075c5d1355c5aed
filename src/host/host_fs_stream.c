/* host_fs_stream.c - wasi:filesystem: streams over files, and what went wrong in one.
 *
 * A stream has its own offset and shares the open file, so it goes on when its descriptor is dropped. A read or write is one
 * bounded piece on the worker's thread; bytes that would have to come from a disk are fetched first, and until then the
 * stream is not ready. Nothing is read ahead: bytes that another stream of the guest writes meanwhile must be seen. A file
 * that got shorter is at its end.
 */
#include "host/fs_int.h"

#include <stdlib.h>

struct file_in {
    struct hf_in_stream in;
    struct hf_wait wait;
    struct hf_fs_file *file;
    uint64_t at;
    struct hf_fs_job *fetch; /* of fetch_len bytes from `at` on: begun, not looked at since; or NULL */
    size_t fetch_len;
};
struct file_out {
    struct hf_out_stream out;
    struct hf_wait wait;
    struct hf_fs_file *file;
    uint64_t at;
    bool append;
};

/* last-operation-failed, with an error that filesystem-error-code knows. */
static enum hf_err failed(struct hf_guest *g, int number)
{
    struct hf_io_error *e = hf_io_error_new(g, HF_IO, 0, 0, strerror(number));
    if (e != NULL) {
        e->fs = hf_fs_code(number) + 1;
        hf_guest_set_stream_error(g, e);
    }
    return HF_IO;
}

/* ---- reading ---- */

/* EAGAIN: the bytes are being fetched. */
static int read_piece(struct file_in *f, uint8_t *piece, size_t len, size_t *got)
{
    const struct hf_fs *fs = hf_fs_of(f->in.obj.guest);
    if (f->fetch == NULL) {
        int number = fs->read_now(fs, f->file->fd, piece, len, f->at, got);
        if (number != EAGAIN)
            return number;
        f->fetch_len = len;
        if (hf_fs_job_begin(f->file, HF_FS_FETCH, f->at, len, &f->wait, &f->fetch) == 0)
            return EAGAIN;
    } else if (!f->wait.ready) {
        return EAGAIN;
    } else {
        (void)!hf_fs_job_end(f->fetch); /* the read says it again */
        f->fetch = NULL;
        if (len > f->fetch_len)
            len = f->fetch_len;
    }
    return fs->read_at(fs, f->file->fd, piece, len, f->at, got); /* also when no job was to be had: late is better than not */
}

static enum hf_err in_peek(struct hf_in_stream *s, struct hf_view *ret)
{
    struct file_in *f = HF_CONTAINER_OF(s, struct file_in, in);
    struct hf_guest *g = s->obj.guest;
    size_t len = s->want < 1 ? 1 : s->want < HF_FS_PIECE ? s->want : HF_FS_PIECE, got = 0;
    /* One for all streams of the guest: what is lent is copied out before the guest can ask for anything else. */
    if (g->fs.piece == NULL && (g->fs.piece = malloc(HF_FS_PIECE)) == NULL)
        return failed(g, ENOMEM);
    int number = read_piece(f, g->fs.piece, len, &got);
    if (number != 0)
        return number == EAGAIN && f->fetch != NULL ? HF_AGAIN : failed(g, number);
    if (got == 0)
        return HF_CLOSED;
    *ret = hf_view(g->fs.piece, got);
    return HF_OK;
}

static void in_advance(struct hf_in_stream *s, size_t n)
{
    HF_CONTAINER_OF(s, struct file_in, in)->at += n;
}

static struct hf_wait *in_wait(struct hf_in_stream *s)
{
    return &HF_CONTAINER_OF(s, struct file_in, in)->wait;
}

static void in_destroy(struct hf_obj *obj)
{
    struct file_in *f = HF_CONTAINER_OF(obj, struct file_in, in.obj);
    if (f->fetch != NULL)
        (void)!hf_fs_job_end(f->fetch);
    hf_wait_done(&f->wait);
    hf_fs_file_unref(f->file);
}

static const struct hf_in_ops in_ops = {in_peek, in_advance, in_wait};

static enum hf_err read_via_stream(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_descriptor *d = args[0].obj;
    if (d->folder || !d->read)
        return hf_fs_failed(call, EBADF, result);
    /* Not "input-stream": it has an offset, which an image could not put back (service.c). */
    struct file_in *f = hf_obj_new(hf_guest_of(call), sizeof *f, "file input-stream", NULL, in_destroy);
    if (f == NULL)
        return hf_call_limit(call, "host memory for streams");
    hf_wait_init(&f->wait, true);
    f->in.ops = &in_ops;
    f->file = hf_fs_file_ref(d->file);
    f->at = args[1].u64;
    return hf_fs_ok(call, hf_value_obj(f), result);
}

/* ---- writing ---- */

static enum hf_err out_room(struct hf_out_stream *s, uint64_t *ret)
{
    (void)s;
    *ret = HF_FS_PIECE;
    return HF_OK;
}

static enum hf_err out_write(struct hf_out_stream *s, struct hf_view bytes)
{
    struct file_out *f = HF_CONTAINER_OF(s, struct file_out, out);
    const struct hf_fs *fs = hf_fs_of(s->obj.guest);
    size_t put = 0;
    int number = f->append ? fs->append(fs, f->file->fd, bytes.ptr, bytes.len, &put)
                           : fs->write_at(fs, f->file->fd, bytes.ptr, bytes.len, f->at, &put);
    f->at += put;
    return number != 0 ? failed(s->obj.guest, number) : HF_OK;
}

/* All is with the system once it is written; sync is another matter, and another function. */
static enum hf_err out_flush(struct hf_out_stream *s)
{
    (void)s;
    return HF_OK;
}

static struct hf_wait *out_wait(struct hf_out_stream *s)
{
    return &HF_CONTAINER_OF(s, struct file_out, out)->wait;
}

static void out_destroy(struct hf_obj *obj)
{
    struct file_out *f = HF_CONTAINER_OF(obj, struct file_out, out.obj);
    hf_wait_done(&f->wait);
    hf_fs_file_unref(f->file);
}

static const struct hf_out_ops out_ops = {out_room, out_write, out_flush, out_wait, NULL};

static enum hf_err open_out(struct hf_call *call, struct hf_descriptor *d, uint64_t at, bool append, struct hf_value *result)
{
    int number = !d->mutate ? EROFS : d->folder || !d->write ? EBADF : 0;
    if (number != 0)
        return hf_fs_failed(call, number, result);
    struct file_out *f = hf_obj_new(hf_guest_of(call), sizeof *f, "file output-stream", NULL, out_destroy);
    if (f == NULL)
        return hf_call_limit(call, "host memory for streams");
    hf_wait_init(&f->wait, true);
    f->out.ops = &out_ops;
    f->file = hf_fs_file_ref(d->file);
    f->at = at;
    f->append = append;
    return hf_fs_ok(call, hf_value_obj(f), result);
}

static enum hf_err write_via_stream(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return open_out(call, args[0].obj, args[1].u64, false, result);
}

static enum hf_err append_via_stream(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return open_out(call, args[0].obj, 0, true, result);
}

/* ---- errors ---- */

static enum hf_err error_code(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_io_error *e = args[0].obj;
    if (e->fs == 0)
        return HF_OK; /* none */
    struct hf_value *code = hf_call_alloc(call, sizeof *code);
    if (code == NULL)
        return hf_call_limit(call, "memory of a call");
    *code = hf_value_case(e->fs - 1, NULL);
    *result = hf_value_case(1, code);
    return HF_OK;
}

const struct hf_binding hf_fs_stream_methods[] = {
    {"[method]descriptor.read-via-stream", read_via_stream},
    {"[method]descriptor.write-via-stream", write_via_stream},
    {"[method]descriptor.append-via-stream", append_via_stream},
    {"filesystem-error-code", error_code},
    {NULL, NULL},
};
