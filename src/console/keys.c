/* keys.c - /v1/kv: the buckets of services, by whoever operates the node.
 *
 * Values go over as they are, keys in the path with their escapes. Only buckets that a service was
 * granted are there: a slip of the pen makes no new one. */
#include "console/inside.h"

#define LIST_MAX  1000u
#define PAGES_MAX 64u /* of the store, in one answer: a prefix that fits little is looked for on   \
                       */

static void op_done(struct hf_kv_op *op)
{
    struct hf_admin_call *c = op->ctx;
    hf_wait_fire(&c->op_done);
}

static enum hf_end begin_op(struct hf_admin_call *c, struct hf_turn *turn, hf_admin_step next)
{
    c->op.bucket = c->bucket;
    c->op.done = op_done;
    c->op.ctx = c;
    hf_wait_init(&c->op_done, false);
    c->has_op = true;
    if (hf_kv_begin(c->admin->ops->kv, &c->op) == HF_OK)
        return next(c, turn);
    return hf_admin_wait(c, turn, &c->op_done, NULL, next);
}

static void end_op(struct hf_admin_call *c)
{
    hf_waiter_disarm(&c->waiter);
    hf_kv_end(c->admin->ops->kv, &c->op);
    hf_wait_done(&c->op_done);
    c->has_op = false;
}

static bool find_bucket(struct hf_admin_call *c, struct hf_turn *turn)
{
    const struct hf_admin_ops *ops = c->admin->ops;
    struct hf_view service = {0};
    struct hf_report report;
    hf_report_init(&report);
    hf_admin_target_query(&c->target, "service", &service);
    enum hf_err err =
        ops->kv == NULL ? hf_report_set(&report, HF_UNSUPPORTED, "this node has no store of keys")
                        : ops->bucket(ops->ctx, service, c->target.segment[2], &c->bucket, &report);
    if (err == HF_OK)
        return true;
    hf_admin_refuse(c, turn, err == HF_NOT_FOUND ? 404 : 400, HF_CODE_USAGE, "%s", report.text);
    return false;
}

static enum hf_end refuse_op(struct hf_admin_call *c, struct hf_turn *turn)
{
    char words[256];
    enum hf_kv_refusal r = c->op.r.refusal;
    bool theirs = r == HF_KV_KEY_LONG || r == HF_KV_VALUE_LONG || r == HF_KV_NO_CURSOR;
    bool full = r == HF_KV_KEYS_FULL || r == HF_KV_BYTES_FULL || r == HF_KV_MEMORY;
    hf_kv_refusal_text(r, &c->admin->ops->kv->limits, words, sizeof words);
    return hf_admin_refuse(c, turn,
                           theirs ? 400
                           : full ? 507
                                  : 500,
                           theirs ? HF_CODE_USAGE
                           : full ? HF_CODE_LIMIT
                                  : HF_CODE_IO,
                           "%s", words);
}

static enum hf_end no_key(struct hf_admin_call *c, struct hf_turn *turn)
{
    return hf_admin_refuse(c, turn, 404, HF_CODE_FAILED,
                           "there is no such key in the bucket \"%.*s\"",
                           HF_FMT(hf_view_take(c->target.segment[2], 256)));
}

static enum hf_end got(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    if (c->op.r.refusal != HF_KV_NONE)
        return refuse_op(c, turn);
    if (!c->op.r.found)
        return no_key(c, turn);
    if (hf_buf_add_view(&body, c->op.r.value) != HF_OK)
        return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
    return hf_admin_answer(c, turn, 200, "application/octet-stream", &body);
}

enum hf_end hf_admin_kv_get(struct hf_admin_call *c, struct hf_turn *turn)
{
    if (!find_bucket(c, turn))
        return HF_END_DONE;
    c->op = (struct hf_kv_op){.kind = HF_KV_GET, .key = c->target.segment[3]};
    return begin_op(c, turn, got);
}

static enum hf_end written(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    bool deleted = c->op.kind == HF_KV_DELETE;
    if (c->op.r.refusal != HF_KV_NONE)
        return refuse_op(c, turn);
    if (deleted && !c->op.r.found)
        return no_key(c, turn);
    if (!hf_json_done(&body, deleted ? "deleted" : "set", c->target.segment[2], (struct hf_view){0},
                      NULL)) {
        hf_buf_done(&body);
        return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT,
                               "it is done, but there is no memory to say so");
    }
    return hf_admin_answer(c, turn, 200, "application/json", &body);
}

enum hf_end hf_admin_kv_put(struct hf_admin_call *c, struct hf_turn *turn)
{
    if (!find_bucket(c, turn))
        return HF_END_DONE;
    c->op = (struct hf_kv_op){
        .kind = HF_KV_SET, .key = c->target.segment[3], .value = hf_buf_view(&c->body)};
    return begin_op(c, turn, written);
}

enum hf_end hf_admin_kv_delete(struct hf_admin_call *c, struct hf_turn *turn)
{
    if (!find_bucket(c, turn))
        return HF_END_DONE;
    c->op = (struct hf_kv_op){.kind = HF_KV_DELETE, .key = c->target.segment[3]};
    return begin_op(c, turn, written);
}

/* A page of the store, of which only keys with the prefix are shown: when none fits, the next page
 * is looked at, until enough were, and the cursor says where to go on. */
static enum hf_end listed(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_view prefix = {0};
    hf_admin_target_query(&c->target, "prefix", &prefix);
    if (c->op.r.refusal != HF_KV_NONE)
        return refuse_op(c, turn);
    bool any = false;
    for (uint32_t i = 0; i < c->op.r.n_keys && !any; i++)
        any = hf_view_starts(c->op.r.keys[i], prefix);
    if (!any && c->op.r.cursor != 0 && c->pages < PAGES_MAX) {
        struct hf_kv_op next = {.kind = HF_KV_LIST, .cursor = c->op.r.cursor, .max = c->op.max};
        end_op(c);
        c->op = next;
        c->pages++;
        return begin_op(c, turn, listed);
    }
    struct hf_buf body = {0};
    if (hf_json_keys(&body, c->target.segment[2], c->op.r.keys, c->op.r.n_keys, prefix,
                     c->op.r.cursor))
        return hf_admin_answer(c, turn, 200, "application/json", &body);
    hf_buf_done(&body);
    return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
}

enum hf_end hf_admin_kv_list(struct hf_admin_call *c, struct hf_turn *turn)
{
    uint64_t cursor, max;
    if (!find_bucket(c, turn))
        return HF_END_DONE;
    if (!hf_admin_target_number(&c->target, "cursor", 0, UINT64_MAX, &cursor) ||
        !hf_admin_target_number(&c->target, "max", LIST_MAX, LIST_MAX, &max) || max == 0)
        return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE,
                               "cursor is a number as the list before said, max one from 1 to %u",
                               LIST_MAX);
    c->op = (struct hf_kv_op){.kind = HF_KV_LIST, .cursor = cursor, .max = (uint32_t)max};
    c->pages = 0;
    return begin_op(c, turn, listed);
}
