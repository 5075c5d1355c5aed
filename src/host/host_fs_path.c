/* host_fs_path.c - wasi:filesystem: methods of a descriptor of a folder on a path beneath it.
 *
 * Rights go down: whatever is opened through a folder may change things as the folder may, no more. It may also no less,
 * whether the guest asked for mutate-directory or not: libraries never ask for it when they open a folder, and then
 * remove what is in it.
 */
#include "base/utf.h"
#include "host/fs_int.h"

/* A call's folder and path, checked; what every function here begins with. */
struct at {
    const struct hf_fs *fs;
    int dir;
    const char *path;
};

static int begin(struct hf_call *call, const struct hf_descriptor *d, const struct hf_value *path, bool change, struct at *ret)
{
    if (change && !d->mutate)
        return EROFS;
    if (!d->folder)
        return ENOTDIR;
    ret->fs = hf_fs_of(hf_guest_of(call));
    ret->dir = d->file->fd;
    return hf_fs_path(call, path, &ret->path);
}

static bool follows(const struct hf_value *path_flags)
{
    return (path_flags->u64 & 1) != 0;
}

/* ---- open ---- */

enum { OPEN_CREATE = 1, OPEN_DIRECTORY = 2, OPEN_EXCLUSIVE = 4, OPEN_TRUNCATE = 8 };
#define ANY_SYNC (HF_WASI_FILE_SYNC | HF_WASI_DATA_SYNC | HF_WASI_READ_SYNC)

static int check_open(const struct hf_descriptor *d, uint64_t how, uint64_t flags)
{
    bool change = (flags & (HF_WASI_WRITE | HF_WASI_MUTATE_DIRECTORY)) != 0 || (how & (OPEN_CREATE | OPEN_TRUNCATE)) != 0;
    if (change && !d->mutate)
        return EROFS;
    if (!d->folder)
        return ENOTDIR;
    /* Each write would wait for the disk, on a thread that others need: sync says when that is wanted. */
    if ((flags & ANY_SYNC) != 0)
        return ENOTSUP;
    if ((how & OPEN_DIRECTORY) != 0 && (how & (OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_TRUNCATE)) != 0)
        return EINVAL;
    return 0;
}

/* mutate-directory with a file means nothing: libraries set it together with write before they know what they open. */
static uint32_t open_flags(uint64_t path_flags, uint64_t how, uint64_t flags)
{
    uint32_t f = (path_flags & 1) != 0 ? HF_FS_FOLLOW : 0;
    f |= (flags & HF_WASI_READ) != 0 ? HF_FS_READ : 0;
    f |= (flags & HF_WASI_WRITE) != 0 ? HF_FS_WRITE : 0;
    f |= (how & OPEN_CREATE) != 0 ? HF_FS_CREATE : 0;
    f |= (how & OPEN_DIRECTORY) != 0 ? HF_FS_DIRECTORY : 0;
    f |= (how & OPEN_EXCLUSIVE) != 0 ? HF_FS_EXCLUSIVE : 0;
    f |= (how & OPEN_TRUNCATE) != 0 ? HF_FS_TRUNCATE : 0;
    return f;
}

static int open_one(struct hf_guest *g, const struct at *at, uint32_t flags, int *fd, enum hf_fs_type *type)
{
    int number = hf_fs_count_more(g);
    if (number != 0)
        return number;
    number = at->fs->open(at->fs, at->dir, at->path, flags, fd, type);
    if (number != 0)
        hf_fs_count_less(g);
    return number;
}

static enum hf_err open_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    const struct hf_descriptor *d = args[0].obj;
    uint64_t how = args[3].u64, flags = args[4].u64;
    enum hf_fs_type type;
    struct at at;
    int fd;
    int number = check_open(d, how, flags);
    if (number == 0)
        number = begin(call, d, &args[2], false, &at);
    if (number == 0)
        number = open_one(g, &at, open_flags(args[1].u64, how, flags), &fd, &type);
    if (number != 0)
        return hf_fs_failed(call, number, result);
    struct hf_descriptor like = {
        .folder = type == HF_FS_FOLDER,
        .read = (flags & HF_WASI_READ) != 0 || (flags & HF_WASI_WRITE) == 0, /* neither: read, as everywhere */
        .write = (flags & HF_WASI_WRITE) != 0,
        .mutate = d->mutate,
    };
    struct hf_descriptor *made = hf_descriptor_new(g, fd, &like);
    if (made == NULL)
        return hf_call_limit(call, "host memory for descriptors");
    return hf_fs_ok(call, hf_value_obj(made), result);
}

/* ---- attributes ---- */

static int stat_path(struct hf_call *call, const struct hf_value *args, struct hf_fs_stat *ret)
{
    struct at at;
    int number = begin(call, args[0].obj, &args[2], false, &at);
    return number != 0 ? number : at.fs->stat_at(at.fs, at.dir, at.path, follows(&args[1]), ret);
}

static enum hf_err stat_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fs_stat st;
    int number = stat_path(call, args, &st);
    return number != 0 ? hf_fs_failed(call, number, result) : hf_fs_ok_stat(call, &st, result);
}

static enum hf_err metadata_hash_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fs_stat st;
    int number = stat_path(call, args, &st);
    return number != 0 ? hf_fs_failed(call, number, result) : hf_fs_ok_hash(call, &st, result);
}

static enum hf_err set_times_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fs_new_time accessed, modified;
    struct at at;
    int number = begin(call, args[0].obj, &args[2], true, &at);
    if (number == 0)
        number = hf_fs_new_time(&args[3], &accessed);
    if (number == 0)
        number = hf_fs_new_time(&args[4], &modified);
    if (number == 0)
        number = at.fs->set_times_at(at.fs, at.dir, at.path, follows(&args[1]), &accessed, &modified);
    return hf_fs_done(call, number, result);
}

/* ---- names ---- */

static enum hf_err create_directory_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct at at;
    int number = begin(call, args[0].obj, &args[1], true, &at);
    return hf_fs_done(call, number != 0 ? number : at.fs->mkdir(at.fs, at.dir, at.path), result);
}

static enum hf_err remove_directory_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct at at;
    int number = begin(call, args[0].obj, &args[1], true, &at);
    return hf_fs_done(call, number != 0 ? number : at.fs->rmdir(at.fs, at.dir, at.path), result);
}

static enum hf_err unlink_file_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct at at;
    int number = begin(call, args[0].obj, &args[1], true, &at);
    return hf_fs_done(call, number != 0 ? number : at.fs->unlink(at.fs, at.dir, at.path), result);
}

static enum hf_err rename_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct at from, to;
    int number = begin(call, args[0].obj, &args[1], true, &from);
    if (number == 0)
        number = begin(call, args[2].obj, &args[3], true, &to);
    return hf_fs_done(call, number != 0 ? number : from.fs->rename(from.fs, from.dir, from.path, to.dir, to.path), result);
}

/* Both folders must be ones that may change: a link into such a one would else make a read-only file writable. Following
 * is refused as other hosts refuse it: the system has no call that follows and stays beneath. */
static enum hf_err link_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct at from, to;
    int number = begin(call, args[0].obj, &args[2], true, &from);
    if (number == 0)
        number = begin(call, args[3].obj, &args[4], true, &to);
    if (number == 0 && follows(&args[1]))
        number = EINVAL;
    return hf_fs_done(call, number != 0 ? number : from.fs->link(from.fs, from.dir, from.path, to.dir, to.path), result);
}

static enum hf_err symlink_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const char *target;
    struct at at;
    int number = begin(call, args[0].obj, &args[2], true, &at);
    if (number == 0)
        number = hf_fs_path(call, &args[1], &target);
    return hf_fs_done(call, number != 0 ? number : at.fs->symlink(at.fs, target, at.dir, at.path), result);
}

static enum hf_err readlink_at(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct at at;
    size_t len = 0;
    char *text = NULL;
    int number = begin(call, args[0].obj, &args[1], false, &at);
    if (number == 0) {
        text = hf_call_alloc(call, HF_FS_PATH_MAX);
        if (text == NULL)
            return hf_call_limit(call, "memory of a call");
        number = at.fs->readlink(at.fs, at.dir, at.path, text, HF_FS_PATH_MAX, &len);
    }
    if (number == 0 && len > 0 && text[0] == '/')
        number = EPERM; /* it would tell of the world outside */
    if (number == 0 && !hf_utf8_valid((const uint8_t *)text, len))
        number = EILSEQ;
    if (number != 0)
        return hf_fs_failed(call, number, result);
    return hf_fs_ok(call, hf_value_bytes(hf_view(text, len)), result);
}

const struct hf_binding hf_fs_path_methods[] = {
    {"[method]descriptor.open-at", open_at},
    {"[method]descriptor.stat-at", stat_at},
    {"[method]descriptor.metadata-hash-at", metadata_hash_at},
    {"[method]descriptor.set-times-at", set_times_at},
    {"[method]descriptor.create-directory-at", create_directory_at},
    {"[method]descriptor.remove-directory-at", remove_directory_at},
    {"[method]descriptor.unlink-file-at", unlink_file_at},
    {"[method]descriptor.rename-at", rename_at},
    {"[method]descriptor.link-at", link_at},
    {"[method]descriptor.symlink-at", symlink_at},
    {"[method]descriptor.readlink-at", readlink_at},
    {NULL, NULL},
};
