/* host_fs_folder.c - wasi:filesystem: reading a folder.
 *
 * A name that is not UTF-8 cannot be told: read-directory-entry then answers illegal-byte-sequence, for that entry alone, and
 * the next call goes on behind it (other hosts do the same). `.` and `..` are left out.
 */
#include "base/utf.h"
#include "host/fs_int.h"

struct entry_stream {
    struct hf_obj obj;
    struct hf_fs_list *list;
};

static void entries_destroy(struct hf_obj *obj)
{
    struct entry_stream *s = HF_CONTAINER_OF(obj, struct entry_stream, obj);
    const struct hf_fs *fs = hf_fs_of(obj->guest);
    if (s->list == NULL)
        return;
    fs->list_close(fs, s->list);
    hf_fs_count_less(obj->guest);
}

static enum hf_err read_directory(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_descriptor *d = args[0].obj;
    struct hf_guest *g = hf_guest_of(call);
    const struct hf_fs *fs = hf_fs_of(g);
    if (!d->folder)
        return hf_fs_failed(call, ENOTDIR, result);
    struct entry_stream *s = hf_obj_new(g, sizeof *s, "directory-entry-stream", NULL, entries_destroy);
    if (s == NULL)
        return hf_call_limit(call, "host memory for streams");
    struct hf_fs_list *list;
    int number = hf_fs_count_more(g);
    if (number == 0) {
        number = fs->list_open(fs, d->file->fd, &list);
        if (number != 0)
            hf_fs_count_less(g);
    }
    if (number != 0) {
        hf_obj_release(&s->obj);
        return hf_fs_failed(call, number, result);
    }
    s->list = list;
    return hf_fs_ok(call, hf_value_obj(s), result);
}

static enum hf_err read_entry(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct entry_stream *s = args[0].obj;
    const struct hf_fs *fs = hf_fs_of(hf_guest_of(call));
    enum hf_fs_type type = HF_FS_UNKNOWN;
    struct hf_view name;
    int number = fs->list_next(fs, s->list, &name, &type);
    if (number == 0 && name.ptr != NULL && !hf_utf8_valid(name.ptr, name.len))
        number = EILSEQ;
    if (number != 0)
        return hf_fs_failed(call, number, result);
    if (name.ptr == NULL)
        return hf_fs_ok(call, hf_value_case(0, NULL), result);
    struct hf_value *v = hf_call_alloc(call, 3 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    v[0] = (struct hf_value){.items = &v[1], .len = 2};
    v[1] = hf_value_case((uint32_t)type, NULL);
    v[2] = hf_value_bytes(name); /* in the list's bytes: copied before the next entry is read */
    return hf_fs_ok(call, hf_value_case(1, &v[0]), result);
}

const struct hf_binding hf_fs_folder_methods[] = {
    {"[method]descriptor.read-directory", read_directory},
    {"[method]directory-entry-stream.read-directory-entry", read_entry},
    {NULL, NULL},
};
