/* host_kv_batch.c - wasi:keyvalue/batch: many keys in one call, all begun before the first is waited for.
 *
 * Not atomic, by its WIT: each key is an operation of its own, and what the others did stays when one is refused. The error is
 * that of the first key, in the list's order, that had one.
 */
#include "host/kv_int.h"

#include <stdio.h>

/* The guest may point at the same megabyte ten thousand times: what is copied is counted, not what it has. */
static bool too_many_bytes(const struct hf_call *call, uint32_t n, uint64_t bytes)
{
    return n > 1 && bytes > hf_kv_of(call)->limits.batch_bytes;
}

static enum hf_err refuse_bytes(struct hf_call *call, struct hf_value *result)
{
    char text[80];
    unsigned long long most = hf_kv_of(call)->limits.batch_bytes;
    snprintf(text, sizeof text, "the keys and values of one call may have %llu bytes", most);
    return hf_kv_fail(hf_kv_error(call, HF_KV_OTHER, text), result);
}

/* HF_OK and *ret: the operations are done, the caller ends them; NULL: *result has the error. */
static enum hf_err run_all(struct hf_call *call, const struct hf_value *args, enum hf_kv_kind kind, struct hf_kv_op **ret,
                           struct hf_value *result)
{
    const struct hf_bucket *b = args[0].obj;
    uint32_t n = args[1].len, most = hf_kv_of(call)->limits.batch_keys;
    char text[64];

    *ret = NULL;
    if (kind != HF_KV_GET && b->read_only)
        return hf_kv_fail(hf_kv_error(call, HF_KV_ACCESS_DENIED, ""), result);
    snprintf(text, sizeof text, "one call may name %u keys", most);
    if (n > most)
        return hf_kv_fail(hf_kv_error(call, HF_KV_OTHER, text), result);
    struct hf_kv_op *ops = hf_call_alloc(call, ((size_t)n + 1) * sizeof *ops);
    if (ops == NULL)
        return hf_call_limit(call, "memory of a call");
    memset(ops, 0, ((size_t)n + 1) * sizeof *ops);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct hf_value *item = &args[1].items[i];
        ops[i].kind = kind;
        ops[i].bucket = b->bucket;
        ops[i].key = hf_value_view(kind == HF_KV_SET ? &item->items[0] : item);
        if (kind == HF_KV_SET)
            ops[i].value = hf_value_view(&item->items[1]);
        bytes += ops[i].key.len + ops[i].value.len;
    }
    if (too_many_bytes(call, n, bytes))
        return refuse_bytes(call, result);
    enum hf_err err = hf_kv_run(call, ops, n);
    if (err == HF_OK)
        *ret = ops;
    return err;
}

static void end_all(struct hf_call *call, struct hf_kv_op *ops, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hf_kv_end(hf_kv_of(call), &ops[i]);
}

static enum hf_kv_refusal first_refusal(const struct hf_kv_op *ops, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (ops[i].r.refusal != HF_KV_NONE)
            return ops[i].r.refusal;
    return HF_KV_NONE;
}

/* ---- get-many -------------------------------------------------------------------------------------------- */

/* One entry: option<tuple<key, value>> in the first draft, tuple<key, option<value>> in the second. v has room for four. The key
 * is copied too: it lies in the guest's memory, which moves when the result is written. */
static bool entry(struct hf_call *call, const struct hf_value *key, const struct hf_kv_result *r, bool second, struct hf_value *v)
{
    struct hf_value *kv = v + 1, *value = second ? v + 3 : v + 2;
    if (!r->found && !second) {
        v[0] = hf_value_case(0, NULL);
        return true;
    }
    if (!hf_kv_copy(call, hf_value_view(key), &kv[0]) || (r->found && !hf_kv_copy(call, r->value, value)))
        return false;
    if (second) {
        kv[1] = hf_value_case(r->found, r->found ? value : NULL);
        v[0] = (struct hf_value){.items = kv, .len = 2};
    } else {
        v[3] = (struct hf_value){.items = kv, .len = 2};
        v[0] = hf_value_case(1, &v[3]);
    }
    return true;
}

static enum hf_err get_all(struct hf_call *call, const struct hf_value *args, bool second, struct hf_value *result)
{
    const struct hf_value *keys = &args[1];
    struct hf_kv_op *ops;
    enum hf_err err = run_all(call, args, HF_KV_GET, &ops, result);
    if (ops == NULL)
        return err;
    enum hf_kv_refusal refusal = first_refusal(ops, keys->len);
    struct hf_value *list = hf_call_alloc(call, ((size_t)keys->len + 1) * sizeof *list);
    bool fits = list != NULL;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < keys->len; i++)
        bytes += ops[i].key.len + ops[i].r.value.len;
    bool many = too_many_bytes(call, keys->len, bytes);
    for (uint32_t i = 0; i < keys->len && fits && !many && refusal == HF_KV_NONE; i++) {
        struct hf_value *v = hf_call_alloc(call, 4 * sizeof *v);
        fits = v != NULL && entry(call, &keys->items[i], &ops[i].r, second, v);
        if (fits)
            list[i] = v[0];
    }
    end_all(call, ops, keys->len);
    if (refusal != HF_KV_NONE)
        return hf_kv_fail(hf_kv_refused(call, refusal), result);
    if (many)
        return refuse_bytes(call, result);
    if (!fits)
        return hf_call_limit(call, "memory of a call");
    return hf_kv_ok(call, (struct hf_value){.items = list, .len = keys->len}, result);
}

static enum hf_err get_many(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return get_all(call, args, false, result);
}

static enum hf_err get_many_second(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return get_all(call, args, true, result);
}

/* ---- set-many, delete-many ------------------------------------------------------------------------------- */

static enum hf_err write_all(struct hf_call *call, const struct hf_value *args, enum hf_kv_kind kind, struct hf_value *result)
{
    struct hf_kv_op *ops;
    enum hf_err err = run_all(call, args, kind, &ops, result);
    if (ops == NULL)
        return err;
    enum hf_kv_refusal refusal = first_refusal(ops, args[1].len);
    end_all(call, ops, args[1].len);
    if (refusal != HF_KV_NONE)
        return hf_kv_fail(hf_kv_refused(call, refusal), result);
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

static enum hf_err set_many(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return write_all(call, args, HF_KV_SET, result);
}

static enum hf_err delete_many(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return write_all(call, args, HF_KV_DELETE, result);
}

/* ---- binding --------------------------------------------------------------------------------------------- */

enum hf_err hf_host_bind_kv_batch(struct hf_registry *reg, struct hf_report *report)
{
    static const struct {
        const char *iface;
        hf_host_fn get;
    } drafts[] = {{"wasi:keyvalue/batch@0.2.0-draft", get_many}, {"wasi:keyvalue/batch@0.2.0-draft2", get_many_second}};
    static const struct hf_binding table[] = {{"set-many", set_many}, {"delete-many", delete_many}, {NULL, NULL}};
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(drafts) && err == HF_OK; i++) {
        err = hf_registry_bind(reg, drafts[i].iface, "get-many", drafts[i].get, report);
        if (err == HF_OK)
            err = hf_registry_bind_all(reg, drafts[i].iface, table, report);
    }
    return err;
}
