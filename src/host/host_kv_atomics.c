/* host_kv_atomics.c - wasi:keyvalue/atomics: increment, and compare-and-swap (draft2).
 *
 * A cas knows a key and the version it had when the guest last looked: at cas.new, or at the last cas.current. It holds no
 * value, so that a thousand of them pin nothing. swap takes it; if somebody was faster the same object comes back with the
 * version that won, and goes on from there. A version never comes twice, so a key that went and came back has changed.
 */
#include "host/kv_int.h"

#include <stdlib.h>

struct cas {
    struct hf_obj obj;
    struct hf_kv_bucket *bucket;
    bool read_only;
    uint64_t version; /* 0: the key was not there */
    struct hf_buf key;
};

/* ---- increment ------------------------------------------------------------------------------------------- */

static enum hf_err increment_by(struct hf_call *call, const struct hf_value *args, bool is_signed, struct hf_value *result)
{
    const struct hf_bucket *b = args[0].obj;
    struct hf_kv_op op = {.kind = HF_KV_INCREMENT,
                          .bucket = b->bucket,
                          .key = hf_value_view(&args[1]),
                          .delta = args[2].u64,
                          .is_signed = is_signed};
    if (b->read_only)
        return hf_kv_fail(hf_kv_error(call, HF_KV_ACCESS_DENIED, ""), result);
    enum hf_err err = hf_kv_run(call, &op, 1);
    if (err != HF_OK)
        return err;
    hf_kv_end(hf_kv_of(call), &op);
    if (op.r.refusal != HF_KV_NONE)
        return hf_kv_fail(hf_kv_refused(call, op.r.refusal), result);
    return hf_kv_ok(call, hf_value_u64(op.r.number), result);
}

static enum hf_err increment_u64(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return increment_by(call, args, false, result);
}

static enum hf_err increment_s64(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return increment_by(call, args, true, result);
}

/* ---- cas ------------------------------------------------------------------------------------------------- */

static void cas_destroy(struct hf_obj *obj)
{
    hf_buf_done(&HF_CONTAINER_OF(obj, struct cas, obj)->key);
}

static enum hf_err cas_new(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_bucket *b = args[0].obj;
    struct hf_view key = hf_value_view(&args[1]);
    struct hf_kv_op op = {.kind = HF_KV_EXISTS, .bucket = b->bucket, .key = key};
    enum hf_err err = hf_kv_run(call, &op, 1);
    if (err != HF_OK)
        return err;
    hf_kv_end(hf_kv_of(call), &op);
    if (op.r.refusal != HF_KV_NONE)
        return hf_kv_fail(hf_kv_refused(call, op.r.refusal), result);
    struct cas *c = hf_obj_new(hf_guest_of(call), sizeof *c, "cas", NULL, cas_destroy);
    if (c == NULL)
        return hf_call_limit(call, "host memory for cas handles");
    c->bucket = b->bucket;
    c->read_only = b->read_only;
    c->version = op.r.version;
    if (hf_buf_add_view(&c->key, key) != HF_OK) {
        hf_obj_release(&c->obj);
        return hf_call_limit(call, "host memory for cas handles");
    }
    return hf_kv_ok(call, hf_value_obj(c), result);
}

static enum hf_err cas_current(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct cas *c = args[0].obj;
    struct hf_kv_op op = {.kind = HF_KV_GET, .bucket = c->bucket, .key = hf_buf_view(&c->key)};
    enum hf_err err = hf_kv_run(call, &op, 1);
    if (err != HF_OK)
        return err;
    struct hf_value *v = hf_call_alloc(call, sizeof *v);
    bool fits = v != NULL && hf_kv_copy(call, op.r.value, v), found = op.r.found;
    hf_kv_end(hf_kv_of(call), &op);
    if (op.r.refusal != HF_KV_NONE)
        return hf_kv_fail(hf_kv_refused(call, op.r.refusal), result);
    if (!fits)
        return hf_kv_fail(hf_kv_error(call, HF_KV_OTHER, "the value is more than one call may hold"), result);
    c->version = op.r.version;
    return hf_kv_ok(call, hf_value_case(found, found ? v : NULL), result);
}

/* err(store-error(error)) */
static enum hf_err store_error(struct hf_call *call, struct hf_value *error, struct hf_value *result)
{
    struct hf_value *v = error == NULL ? NULL : hf_call_alloc(call, sizeof *v);
    if (error != NULL && v == NULL)
        return hf_call_limit(call, "memory of a call");
    if (v != NULL)
        *v = hf_value_case(0, error);
    return hf_kv_fail(v, result);
}

/* The handle is ours now: it goes, but back as err(cas-failed(cas)). */
static enum hf_err swap_it(struct hf_call *call, struct cas *c, struct hf_view value, bool *back, struct hf_value *result)
{
    struct hf_kv_op op = {
        .kind = HF_KV_SWAP, .bucket = c->bucket, .key = hf_buf_view(&c->key), .value = value, .version = c->version};
    if (c->read_only)
        return store_error(call, hf_kv_error(call, HF_KV_ACCESS_DENIED, ""), result);
    enum hf_err err = hf_kv_run(call, &op, 1);
    if (err != HF_OK)
        return err;
    hf_kv_end(hf_kv_of(call), &op);
    if (op.r.refusal != HF_KV_NONE)
        return store_error(call, hf_kv_refused(call, op.r.refusal), result);
    *result = hf_value_case(0, NULL);
    if (op.r.found)
        return HF_OK;
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    c->version = op.r.version;
    v[1] = hf_value_obj(c);
    v[0] = hf_value_case(1, &v[1]);
    *back = true;
    return hf_kv_fail(v, result);
}

static enum hf_err swap(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct cas *c = args[0].obj;
    bool back = false;
    enum hf_err err = swap_it(call, c, hf_value_view(&args[1]), &back, result);
    if (!back)
        hf_obj_release(&c->obj);
    return err;
}

/* ---- binding --------------------------------------------------------------------------------------------- */

static const struct hf_host_resource cas_ops = {"cas", hf_obj_drop};
static const struct hf_binding table[] = {
    {"increment", increment_s64}, {"[static]cas.new", cas_new}, {"[method]cas.current", cas_current}, {"swap", swap}, {NULL, NULL},
};

enum hf_err hf_host_bind_kv_atomics(struct hf_registry *reg, struct hf_report *report)
{
    static const char draft[] = "wasi:keyvalue/atomics@0.2.0-draft", draft2[] = "wasi:keyvalue/atomics@0.2.0-draft2";
    enum hf_err err = hf_registry_bind(reg, draft, "increment", increment_u64, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, draft2, "cas", &cas_ops, report);
    return err == HF_OK ? hf_registry_bind_all(reg, draft2, table, report) : err;
}
