/* host_fs_result.c - what the system said, as wasi:filesystem says it; and paths the other way. */
#include "host/fs_int.h"

#include "base/hash.h"

/* ---- errors ---- */

enum code { /* error-code, in WIT's order */
    ACCESS, WOULD_BLOCK, ALREADY, BAD_DESCRIPTOR, BUSY, DEADLOCK, QUOTA, EXIST, FILE_TOO_LARGE, ILLEGAL_BYTE_SEQUENCE,
    IN_PROGRESS, INTERRUPTED, INVALID, IO, IS_DIRECTORY, LOOP, TOO_MANY_LINKS, MESSAGE_SIZE, NAME_TOO_LONG, NO_DEVICE, NO_ENTRY,
    NO_LOCK, INSUFFICIENT_MEMORY, INSUFFICIENT_SPACE, NOT_DIRECTORY, NOT_EMPTY, NOT_RECOVERABLE, UNSUPPORTED, NO_TTY,
    NO_SUCH_DEVICE, OVERFLOW_, NOT_PERMITTED, PIPE, READ_ONLY, INVALID_SEEK, TEXT_FILE_BUSY, CROSS_DEVICE
};

uint32_t hf_fs_code(int number)
{
    static const struct {
        int number;
        enum code code;
    } table[] = {
        {EACCES, ACCESS}, {EAGAIN, WOULD_BLOCK}, {EALREADY, ALREADY}, {EBADF, BAD_DESCRIPTOR}, {EBUSY, BUSY},
        {EDEADLK, DEADLOCK}, {EDQUOT, QUOTA}, {EEXIST, EXIST}, {EFBIG, FILE_TOO_LARGE}, {EILSEQ, ILLEGAL_BYTE_SEQUENCE},
        {EINPROGRESS, IN_PROGRESS}, {EINTR, INTERRUPTED}, {EINVAL, INVALID}, {EIO, IO}, {EISDIR, IS_DIRECTORY}, {ELOOP, LOOP},
        {EMLINK, TOO_MANY_LINKS}, {EMSGSIZE, MESSAGE_SIZE}, {ENAMETOOLONG, NAME_TOO_LONG}, {ENODEV, NO_DEVICE},
        {ENOENT, NO_ENTRY}, {ENOLCK, NO_LOCK}, {ENOMEM, INSUFFICIENT_MEMORY}, {ENOSPC, INSUFFICIENT_SPACE},
        {ENOTDIR, NOT_DIRECTORY}, {ENOTEMPTY, NOT_EMPTY}, {ENOTRECOVERABLE, NOT_RECOVERABLE}, {ENOTSUP, UNSUPPORTED},
        {ENOSYS, UNSUPPORTED}, {ENOTTY, NO_TTY}, {ENXIO, NO_SUCH_DEVICE}, {EOVERFLOW, OVERFLOW_}, {EPERM, NOT_PERMITTED},
        {EPIPE, PIPE}, {EROFS, READ_ONLY}, {ESPIPE, INVALID_SEEK}, {ETXTBSY, TEXT_FILE_BUSY}, {EXDEV, CROSS_DEVICE},
        /* WASI has no code for "too many open files": of its codes this one says that something of the machine ran out. */
        {EMFILE, INSUFFICIENT_MEMORY}, {ENFILE, INSUFFICIENT_MEMORY},
        {ENOBUFS, INSUFFICIENT_MEMORY},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++)
        if (table[i].number == number)
            return table[i].code;
    return IO; /* what a disk or a network file system may say beyond that: EREMOTEIO, ESTALE, EUCLEAN ... */
}

static enum hf_err no_memory(struct hf_call *call)
{
    return hf_call_limit(call, "memory of a call");
}

enum hf_err hf_fs_failed(struct hf_call *call, int number, struct hf_value *result)
{
    struct hf_value *code = hf_call_alloc(call, sizeof *code);
    if (code == NULL)
        return no_memory(call);
    *code = hf_value_case(hf_fs_code(number), NULL);
    *result = hf_value_case(1, code);
    return HF_OK;
}

enum hf_err hf_fs_done(struct hf_call *call, int number, struct hf_value *result)
{
    if (number != 0)
        return hf_fs_failed(call, number, result);
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

enum hf_err hf_fs_ok(struct hf_call *call, struct hf_value v, struct hf_value *result)
{
    return hf_host_case(call, 0, v, result);
}

/* ---- attributes ---- */

/* A datetime counts from 1970 on; what lies before it is none, like a time that is not kept. */
static struct hf_value time_value(const struct hf_fs_time *t, struct hf_value room[3])
{
    if (t->s < 0)
        return hf_value_case(0, NULL);
    room[0] = (struct hf_value){.items = &room[1], .len = 2};
    room[1] = hf_value_u64((uint64_t)t->s);
    room[2] = hf_value_u64(t->ns);
    return hf_value_case(1, &room[0]);
}

enum hf_err hf_fs_ok_stat(struct hf_call *call, const struct hf_fs_stat *st, struct hf_value *result)
{
    struct hf_value *v = hf_call_alloc(call, (6 + 3 * 3) * sizeof *v);
    if (v == NULL)
        return no_memory(call);
    v[0] = hf_value_case((uint32_t)st->type, NULL);
    v[1] = hf_value_u64(st->links);
    v[2] = hf_value_u64(st->size);
    v[3] = time_value(&st->accessed, v + 6);
    v[4] = time_value(&st->modified, v + 9);
    v[5] = time_value(&st->changed, v + 12);
    return hf_fs_ok(call, (struct hf_value){.items = v, .len = 6}, result);
}

/* Of the object's identity alone: libraries for both previews make the inode number of it, and one that changed with each
 * write would make every file look replaced. (WIT leaves open what goes in.) */
enum hf_err hf_fs_ok_hash(struct hf_call *call, const struct hf_fs_stat *st, struct hf_value *result)
{
    const uint64_t id[2] = {st->dev, st->ino};
    uint8_t hash[HF_SHA256_LEN];
    uint64_t parts[2];
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    if (v == NULL)
        return no_memory(call);
    hf_sha256(id, sizeof id, hash);
    memcpy(parts, hash, sizeof parts);
    v[0] = hf_value_u64(parts[0]);
    v[1] = hf_value_u64(parts[1]);
    return hf_fs_ok(call, (struct hf_value){.items = v, .len = 2}, result);
}

/* ---- arguments ---- */

int hf_fs_path(struct hf_call *call, const struct hf_value *arg, const char **ret)
{
    struct hf_view v = hf_value_view(arg);
    if (v.len == 0)
        return ENOENT;
    if (v.len >= HF_FS_PATH_MAX)
        return ENAMETOOLONG;
    if (memchr(v.ptr, '\0', v.len) != NULL) /* S11: the system would see a shorter path */
        return EINVAL;
    char *copy = hf_call_alloc(call, v.len + 1);
    if (copy == NULL)
        return ENOMEM;
    memcpy(copy, v.ptr, v.len);
    copy[v.len] = '\0';
    *ret = copy;
    return 0;
}

int hf_fs_new_time(const struct hf_value *arg, struct hf_fs_new_time *ret)
{
    *ret = (struct hf_fs_new_time){.how = (enum hf_fs_set)arg->tag};
    if (ret->how != HF_FS_AT)
        return 0;
    const struct hf_value *datetime = arg->items[0].items;
    if (datetime[0].u64 > INT64_MAX)
        return EOVERFLOW;
    if (datetime[1].u64 > 999999999)
        return EINVAL;
    ret->at.s = (int64_t)datetime[0].u64;
    ret->at.ns = (uint32_t)datetime[1].u64;
    return 0;
}
