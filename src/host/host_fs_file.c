/* host_fs_file.c - wasi:filesystem: methods of a descriptor on what it has open.
 *
 * Where POSIX and other hosts leave a choice: data functions on a folder are bad-descriptor; a grant that is read-only
 * answers every change with read-only, before anything else is looked at; a descriptor that was not opened for it
 * answers bad-descriptor.
 */
#include "host/fs_int.h"

static const struct hf_descriptor *self(const struct hf_value *args)
{
    return args[0].obj;
}

static int may_read(const struct hf_descriptor *d)
{
    return d->folder || !d->read ? EBADF : 0;
}

static int may_write(const struct hf_descriptor *d)
{
    if (!d->mutate)
        return EROFS;
    return d->folder || !d->write ? EBADF : 0;
}

/* ---- data ---- */

static enum hf_err do_read(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_descriptor *d = self(args);
    const struct hf_fs *fs = hf_fs_of(hf_guest_of(call));
    size_t len = args[1].u64 < HF_FS_PIECE ? (size_t)args[1].u64 : HF_FS_PIECE, got = 0;
    int number = may_read(d);
    if (number != 0)
        return hf_fs_failed(call, number, result);
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    uint8_t *bytes = hf_call_alloc(call, len + 1);
    if (v == NULL || bytes == NULL)
        return hf_call_limit(call, "memory of a call");
    uint64_t at = args[2].u64;
    number = fs->read_now(fs, d->file->fd, bytes, len, at, &got);
    if (number == EAGAIN) {
        enum hf_err err = hf_fs_job_run(call, d->file, HF_FS_FETCH, at, len, &number);
        if (err != HF_OK)
            return err;
        number = fs->read_at(fs, d->file->fd, bytes, len, at, &got); /* says what was wrong, if the fetch found anything */
    }
    if (number != 0)
        return hf_fs_failed(call, number, result);
    v[0] = hf_value_bytes(hf_view(bytes, got));
    v[1] = hf_value_u64(got == 0); /* fewer than asked for need not be the end; nothing is */
    return hf_fs_ok(call, (struct hf_value){.items = v, .len = 2}, result);
}

static enum hf_err do_write(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_descriptor *d = self(args);
    const struct hf_fs *fs = hf_fs_of(hf_guest_of(call));
    struct hf_view bytes = hf_view_take(hf_value_view(&args[1]), HF_FS_WRITE_MAX);
    size_t put = 0;
    int number = may_write(d);
    if (number == 0)
        number = fs->write_at(fs, d->file->fd, bytes.ptr, bytes.len, args[2].u64, &put);
    if (number != 0 && put == 0)
        return hf_fs_failed(call, number, result);
    return hf_fs_ok(call, hf_value_u64(put), result); /* after a part the next write tells what is wrong */
}

static enum hf_err set_size(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_descriptor *d = self(args);
    const struct hf_fs *fs = hf_fs_of(hf_guest_of(call));
    int number = may_write(d);
    if (number == 0)
        number = fs->set_size(fs, d->file->fd, args[1].u64);
    return hf_fs_done(call, number, result);
}

static enum hf_err advise(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_descriptor *d = self(args);
    const struct hf_fs *fs = hf_fs_of(hf_guest_of(call));
    int number = d->folder ? EBADF : 0;
    if (number == 0)
        number = fs->advise(fs, d->file->fd, args[1].u64, args[2].u64, (enum hf_fs_advice)args[3].tag);
    return hf_fs_done(call, number, result);
}

/* ---- sync ---- */

static enum hf_err do_sync(struct hf_call *call, const struct hf_value *args, struct hf_value *result, bool data_only)
{
    const struct hf_descriptor *d = self(args);
    int number = 0;
    if (d->folder ? d->mutate : d->write) { /* else it is a success with no effect */
        enum hf_err err = hf_fs_job_run(call, d->file, data_only ? HF_FS_SYNC_DATA : HF_FS_SYNC, 0, 0, &number);
        if (err != HF_OK)
            return err;
    }
    return hf_fs_done(call, number, result);
}
static enum hf_err sync_data(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_sync(call, args, result, true);
}
static enum hf_err sync_all(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return do_sync(call, args, result, false);
}

/* ---- attributes ---- */

static enum hf_err get_flags(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_descriptor *d = self(args);
    uint64_t flags = 0;
    if (d->read)
        flags |= HF_WASI_READ;
    if (d->write)
        flags |= HF_WASI_WRITE;
    if (d->folder && d->mutate)
        flags |= HF_WASI_MUTATE_DIRECTORY;
    return hf_fs_ok(call, hf_value_u64(flags), result);
}

static enum hf_err get_type(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_fs_ok(call, hf_value_case(self(args)->folder ? HF_FS_FOLDER : HF_FS_FILE, NULL), result);
}

static int stat_of(struct hf_call *call, const struct hf_descriptor *d, struct hf_fs_stat *ret)
{
    const struct hf_fs *fs = hf_fs_of(hf_guest_of(call));
    return fs->stat(fs, d->file->fd, ret);
}

static enum hf_err do_stat(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fs_stat st;
    int number = stat_of(call, self(args), &st);
    return number != 0 ? hf_fs_failed(call, number, result) : hf_fs_ok_stat(call, &st, result);
}

static enum hf_err metadata_hash(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fs_stat st;
    int number = stat_of(call, self(args), &st);
    return number != 0 ? hf_fs_failed(call, number, result) : hf_fs_ok_hash(call, &st, result);
}

static enum hf_err is_same_object(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fs_stat a, b;
    bool known = stat_of(call, self(args), &a) == 0 && stat_of(call, args[1].obj, &b) == 0;
    *result = hf_value_u64(known && a.dev == b.dev && a.ino == b.ino);
    return HF_OK;
}

static enum hf_err set_times(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_descriptor *d = self(args);
    const struct hf_fs *fs = hf_fs_of(hf_guest_of(call));
    struct hf_fs_new_time accessed, modified;
    int number = d->mutate ? hf_fs_new_time(&args[1], &accessed) : EROFS;
    if (number == 0)
        number = hf_fs_new_time(&args[2], &modified);
    if (number == 0)
        number = fs->set_times(fs, d->file->fd, &accessed, &modified);
    return hf_fs_done(call, number, result);
}

const struct hf_binding hf_fs_file_methods[] = {
    {"[method]descriptor.read", do_read},
    {"[method]descriptor.write", do_write},
    {"[method]descriptor.set-size", set_size},
    {"[method]descriptor.advise", advise},
    {"[method]descriptor.sync-data", sync_data},
    {"[method]descriptor.sync", sync_all},
    {"[method]descriptor.get-flags", get_flags},
    {"[method]descriptor.get-type", get_type},
    {"[method]descriptor.stat", do_stat},
    {"[method]descriptor.metadata-hash", metadata_hash},
    {"[method]descriptor.is-same-object", is_same_object},
    {"[method]descriptor.set-times", set_times},
    {NULL, NULL},
};
