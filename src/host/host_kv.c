/* host_kv.c - wasi:keyvalue/store: open, and the methods of a bucket; what atomics and batch share with it.
 *
 * Two drafts are in use (wit/README.md); they differ in the type of a cursor here, and in host_kv_atomics.c and host_kv_batch.c.
 * A guest opens only what its service was granted: anything else is access-denied, whether there is such a bucket or not. The
 * store may answer later (base/kv.h): then the guest's fiber waits, not the thread. What a guest gets is copied into the call's
 * memory, so nothing of the store is held while it runs.
 */
#include "host/kv_int.h"

#include <stdio.h>

/* ---- operations ------------------------------------------------------------------------------------------ */

struct running {
    struct hf_wait wait;
    uint32_t left;
};

static void on_done(struct hf_kv_op *op)
{
    struct running *r = op->ctx;
    if (--r->left == 0)
        hf_wait_fire(&r->wait);
}

enum hf_err hf_kv_run(struct hf_call *call, struct hf_kv_op *ops, uint32_t n)
{
    struct hf_kv *kv = hf_kv_of(call);
    struct running r = {.left = 0};
    enum hf_err err = HF_OK;

    hf_wait_init(&r.wait, false);
    for (uint32_t i = 0; i < n; i++) {
        ops[i].done = on_done;
        ops[i].ctx = &r;
        if (hf_kv_begin(kv, &ops[i]) == HF_AGAIN) /* done comes later, never inside begin */
            r.left++;
    }
    if (r.left > 0)
        err = hf_guest_wait(call, &r.wait);
    hf_wait_done(&r.wait);
    for (uint32_t i = 0; i < n && err != HF_OK; i++)
        hf_kv_end(kv, &ops[i]);
    return err;
}

/* ---- results --------------------------------------------------------------------------------------------- */

struct hf_value *hf_kv_error(struct hf_call *call, uint32_t tag, const char *text)
{
    size_t len = strlen(text);
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v + len);
    if (v == NULL) {
        hf_call_limit(call, "memory of a call");
        return NULL;
    }
    memcpy(v + 2, text, len);
    v[1] = hf_value_bytes(hf_view(v + 2, len));
    v[0] = hf_value_case(tag, tag == HF_KV_OTHER ? &v[1] : NULL);
    return v;
}

struct hf_value *hf_kv_refused(struct hf_call *call, enum hf_kv_refusal refusal)
{
    char text[128];
    hf_kv_refusal_text(refusal, &hf_kv_of(call)->limits, text, sizeof text);
    return hf_kv_error(call, HF_KV_OTHER, text);
}

enum hf_err hf_kv_fail(struct hf_value *error, struct hf_value *result)
{
    *result = hf_value_case(1, error);
    return error == NULL ? HF_TRAP : HF_OK;
}

enum hf_err hf_kv_ok(struct hf_call *call, struct hf_value payload, struct hf_value *result)
{
    return hf_host_case(call, 0, payload, result);
}

bool hf_kv_copy(struct hf_call *call, struct hf_view bytes, struct hf_value *ret)
{
    uint8_t *copy = hf_call_alloc(call, bytes.len + 1);
    if (copy == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    *ret = hf_value_bytes(hf_view(copy, bytes.len));
    return true;
}

/* ---- open ------------------------------------------------------------------------------------------------ */

static enum hf_err store_open(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    if (hf_kv_of(call) == NULL)
        return hf_kv_fail(hf_kv_error(call, HF_KV_NO_SUCH_STORE, ""), result);
    const struct hf_kv_grant *grant = hf_kv_grants_find(&g->worker->svc->kv, hf_value_view(&args[0]));
    if (grant == NULL)
        return hf_kv_fail(hf_kv_error(call, HF_KV_ACCESS_DENIED, ""), result);
    struct hf_bucket *b = hf_obj_new(g, sizeof *b, "bucket", NULL, NULL);
    if (b == NULL)
        return hf_call_limit(call, "host memory for buckets");
    b->bucket = grant->bucket;
    b->read_only = grant->read_only;
    return hf_kv_ok(call, hf_value_obj(b), result);
}

/* ---- one key --------------------------------------------------------------------------------------------- */

/* One operation on a key of args[0], the bucket. HF_OK with op->r.refusal none: the caller goes on and ends it. Any other way:
 * *result has the error, *over says so. */
static enum hf_err one(struct hf_call *call, const struct hf_value *args, struct hf_kv_op *op, struct hf_value *result, bool *over)
{
    const struct hf_bucket *b = args[0].obj;
    bool writes = op->kind != HF_KV_GET && op->kind != HF_KV_EXISTS && op->kind != HF_KV_LIST;
    *over = true;
    if (writes && b->read_only)
        return hf_kv_fail(hf_kv_error(call, HF_KV_ACCESS_DENIED, ""), result);
    op->bucket = b->bucket;
    enum hf_err err = hf_kv_run(call, op, 1);
    if (err != HF_OK)
        return err;
    *over = op->r.refusal != HF_KV_NONE;
    if (!*over)
        return HF_OK;
    hf_kv_end(hf_kv_of(call), op);
    return hf_kv_fail(hf_kv_refused(call, op->r.refusal), result);
}

static enum hf_err bucket_get(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_kv_op op = {.kind = HF_KV_GET, .key = hf_value_view(&args[1])};
    bool over;
    enum hf_err err = one(call, args, &op, result, &over);
    if (over)
        return err;
    struct hf_value *v = hf_call_alloc(call, sizeof *v);
    bool fits = v != NULL && hf_kv_copy(call, op.r.value, v), found = op.r.found;
    hf_kv_end(hf_kv_of(call), &op);
    if (!fits)
        return hf_kv_fail(hf_kv_error(call, HF_KV_OTHER, "the value is more than one call may hold"), result);
    return hf_kv_ok(call, hf_value_case(found, found ? v : NULL), result);
}

static enum hf_err bucket_exists(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_kv_op op = {.kind = HF_KV_EXISTS, .key = hf_value_view(&args[1])};
    bool over;
    enum hf_err err = one(call, args, &op, result, &over);
    if (over)
        return err;
    hf_kv_end(hf_kv_of(call), &op);
    return hf_kv_ok(call, hf_value_u64(op.r.found), result);
}

static enum hf_err write_one(struct hf_call *call, const struct hf_value *args, struct hf_kv_op *op, struct hf_value *result)
{
    bool over;
    enum hf_err err = one(call, args, op, result, &over);
    if (over)
        return err;
    hf_kv_end(hf_kv_of(call), op);
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

static enum hf_err bucket_set(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_kv_op op = {.kind = HF_KV_SET, .key = hf_value_view(&args[1]), .value = hf_value_view(&args[2])};
    return write_one(call, args, &op, result);
}

static enum hf_err bucket_delete(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_kv_op op = {.kind = HF_KV_DELETE, .key = hf_value_view(&args[1])};
    return write_one(call, args, &op, result);
}

/* ---- list-keys ------------------------------------------------------------------------------------------- */

/* The keys as the record's first field; false: too much for one call. */
static bool copy_keys(struct hf_call *call, const struct hf_kv_result *r, struct hf_value *ret)
{
    struct hf_value *v = hf_call_alloc(call, ((size_t)r->n_keys + 1) * sizeof *v);
    for (uint32_t i = 0; i < r->n_keys && v != NULL; i++)
        if (!hf_kv_copy(call, r->keys[i], &v[i]))
            return false;
    *ret = (struct hf_value){.items = v, .len = r->n_keys};
    return v != NULL;
}

/* `text`: the cursor is a string (draft2), its number in decimal. */
static enum hf_err list_from(struct hf_call *call, const struct hf_value *args, uint64_t cursor, bool text, struct hf_value *result)
{
    struct hf_kv_op op = {.kind = HF_KV_LIST, .cursor = cursor};
    char digits[24];
    bool over;
    enum hf_err err = one(call, args, &op, result, &over);
    if (over)
        return err;
    uint64_t next = op.r.cursor;
    struct hf_value *v = hf_call_alloc(call, 3 * sizeof *v);
    bool fits = v != NULL && copy_keys(call, &op.r, &v[0]);
    hf_kv_end(hf_kv_of(call), &op);
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)next);
    if (fits && text)
        fits = hf_kv_copy(call, hf_view(digits, (size_t)n), &v[2]);
    else if (fits)
        v[2] = hf_value_u64(next);
    if (!fits)
        return hf_call_limit(call, "memory of a call");
    v[1] = hf_value_case(next != 0, next != 0 ? &v[2] : NULL);
    return hf_kv_ok(call, (struct hf_value){.items = v, .len = 2}, result);
}

static enum hf_err list_keys(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return list_from(call, args, args[1].tag == 0 ? 0 : args[1].items[0].u64, false, result);
}

static bool read_cursor(struct hf_view v, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9' || __builtin_mul_overflow(*ret, 10u, ret) ||
            __builtin_add_overflow(*ret, (uint64_t)(v.ptr[i] - '0'), ret))
            return false;
    }
    return v.len > 0 && *ret != 0;
}

static enum hf_err list_keys_text(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint64_t cursor = 0;
    if (args[1].tag != 0 && !read_cursor(hf_value_view(&args[1].items[0]), &cursor))
        return hf_kv_fail(hf_kv_refused(call, HF_KV_NO_CURSOR), result);
    return list_from(call, args, cursor, true, result);
}

/* ---- binding --------------------------------------------------------------------------------------------- */

static const struct hf_host_resource bucket_ops = {"bucket", hf_obj_drop};
static const struct hf_binding table[] = {
    {"open", store_open},
    {"[method]bucket.get", bucket_get},
    {"[method]bucket.set", bucket_set},
    {"[method]bucket.delete", bucket_delete},
    {"[method]bucket.exists", bucket_exists},
    {NULL, NULL},
};

enum hf_err hf_host_bind_kv(struct hf_registry *reg, struct hf_report *report)
{
    static const struct {
        const char *iface;
        hf_host_fn list;
    } drafts[] = {{"wasi:keyvalue/store@0.2.0-draft", list_keys}, {"wasi:keyvalue/store@0.2.0-draft2", list_keys_text}};
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(drafts) && err == HF_OK; i++) {
        err = hf_registry_bind_resource(reg, drafts[i].iface, "bucket", &bucket_ops, report);
        if (err == HF_OK)
            err = hf_registry_bind_all(reg, drafts[i].iface, table, report);
        if (err == HF_OK)
            err = hf_registry_bind(reg, drafts[i].iface, "[method]bucket.list-keys", drafts[i].list, report);
    }
    if (err == HF_OK)
        err = hf_host_bind_kv_atomics(reg, report);
    return err == HF_OK ? hf_host_bind_kv_batch(reg, report) : err;
}
