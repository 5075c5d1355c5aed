/* kv_late.h - a door that answers late, over one that answers at once: what a durable store does to
 * those who use it.
 *
 * Operations wait in a queue for each bucket; kv_late_step takes the oldest of a bucket that chance
 * chooses, does it, and says so. So they are done in order within a bucket and in any order across
 * them. One that was ended before is still done (a write that is in a batch cannot be called back),
 * and nobody is told. One thread.
 */
#ifndef HF_TESTS_STORE_KV_LATE_H
#define HF_TESTS_STORE_KV_LATE_H

#include <stdlib.h>

#include "base/kv.h"
#include "base/list.h"

#define KV_LATE_BUCKETS 16u

struct kv_late {
    struct hf_kv kv; /* the door */
    struct hf_kv *inner;
    struct {
        struct hf_kv_bucket *bucket;
        struct hf_list ops; /* of kv_late_op.in_queue */
    } queues[KV_LATE_BUCKETS];
    unsigned n_queues;
    size_t waiting, live; /* operations not done; records not given back */
    uint64_t chance;
    enum hf_kv_refusal refuse; /* all that is done from now on; HF_KV_NONE: none */
};
struct kv_late_op {
    struct hf_list in_queue;
    struct hf_kv_op inner;
    struct hf_kv_op *outer; /* NULL: ended */
    struct hf_buf bytes;
    bool is_done;
};

static void kv_late_op_free(struct kv_late *l, struct kv_late_op *o)
{
    hf_kv_end(l->inner, &o->inner);
    hf_buf_done(&o->bytes);
    free(o);
    l->live--;
}

static enum hf_err kv_late_bucket(struct hf_kv *kv, struct hf_view space, struct hf_view name,
                                  struct hf_kv_bucket **ret)
{
    return hf_kv_bucket(HF_CONTAINER_OF(kv, struct kv_late, kv)->inner, space, name, ret);
}

static struct hf_list *kv_late_queue(struct kv_late *l, struct hf_kv_bucket *b)
{
    unsigned i = 0;
    while (i < l->n_queues && l->queues[i].bucket != b)
        i++;
    if (i == l->n_queues) {
        HF_ASSERT(i < KV_LATE_BUCKETS);
        l->queues[l->n_queues++].bucket = b;
        hf_list_init(&l->queues[i].ops);
    }
    return &l->queues[i].ops;
}

static enum hf_err kv_late_begin(struct hf_kv *kv, struct hf_kv_op *op)
{
    struct kv_late *l = HF_CONTAINER_OF(kv, struct kv_late, kv);
    struct kv_late_op *o = calloc(1, sizeof *o);
    HF_ASSERT(o != NULL && hf_buf_add_view(&o->bytes, op->key) == HF_OK &&
              hf_buf_add_view(&o->bytes, op->value) == HF_OK);
    o->inner = *op;
    o->inner.key = hf_view(o->bytes.ptr, op->key.len);
    o->inner.value = hf_view_skip(hf_buf_view(&o->bytes), op->key.len);
    o->inner.hold = NULL;
    o->outer = op;
    op->hold = o;
    hf_list_push_back(kv_late_queue(l, op->bucket), &o->in_queue);
    l->waiting++;
    l->live++;
    return HF_AGAIN;
}

static void kv_late_end(struct hf_kv *kv, struct hf_kv_op *op)
{
    struct kv_late_op *o = op->hold;
    if (o->is_done)
        kv_late_op_free(HF_CONTAINER_OF(kv, struct kv_late, kv), o);
    else
        o->outer = NULL;
}

/* Does one; false: none waits. */
static bool kv_late_step(struct kv_late *l)
{
    struct hf_list *q = NULL;
    if (l->waiting == 0)
        return false;
    while (q == NULL || hf_list_empty(q)) {
        l->chance = l->chance * 6364136223846793005u + 1442695040888963407u;
        q = &l->queues[(l->chance >> 33) % l->n_queues].ops;
    }
    struct kv_late_op *o = HF_LIST_ENTRY(hf_list_pop_front(q), struct kv_late_op, in_queue);
    l->waiting--;
    o->is_done = true;
    if (l->refuse == HF_KV_NONE)
        HF_ASSERT(hf_kv_begin(l->inner, &o->inner) == HF_OK);
    else
        o->inner.r = (struct hf_kv_result){.refusal = l->refuse};
    if (o->outer == NULL) {
        kv_late_op_free(l, o);
        return true;
    }
    o->outer->r = o->inner.r;
    o->outer->done(o->outer);
    return true;
}

static const struct hf_kv_ops kv_late_ops = {kv_late_bucket, kv_late_begin, kv_late_end, NULL, NULL};

static void kv_late_init(struct kv_late *l, struct hf_kv *inner, uint64_t chance)
{
    *l = (struct kv_late){.kv = {&kv_late_ops, inner->limits}, .inner = inner, .chance = chance};
}

/* Does all that waits; nothing may be left that somebody has not ended. */
static void kv_late_done(struct kv_late *l)
{
    while (kv_late_step(l)) {
    }
    HF_ASSERT(l->live == 0);
}

#endif
