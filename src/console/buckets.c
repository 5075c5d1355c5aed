/* buckets.c - what the store's buckets hold: counted by the store, in order of owner and name. */
#include <stdlib.h>

#include "base/vec.h"
#include "console/inside.h"

#define TENANT "tenant:" /* before a tenant's name as the owner of what its services share */

static char *text_of(struct hf_view v)
{
    char *ret = malloc(v.len + 1);
    if (ret != NULL) {
        memcpy(ret, v.ptr, v.len);
        ret[v.len] = '\0';
    }
    return ret;
}

static void take_one(void *ctx, const struct hf_kv_count *count)
{
    struct hf_buckets *b = ctx;
    bool shared = hf_view_starts(count->space, HF_VIEW(TENANT));
    struct hf_bucket one = {
        .shared = shared,
        .owner = text_of(shared ? hf_view_skip(count->space, strlen(TENANT)) : count->space),
        .name = text_of(count->name),
        .keys = count->keys,
        .bytes = count->bytes,
    };
    if (one.owner != NULL && one.name != NULL && HF_VEC_PUSH(b, one))
        return;
    free(one.owner);
    free(one.name);
    b->partial = true;
}

static int in_order(const void *a, const void *b)
{
    const struct hf_bucket *x = a, *y = b;
    int by_owner = x->shared != y->shared ? x->shared - y->shared : strcmp(x->owner, y->owner);
    return by_owner != 0 ? by_owner : strcmp(x->name, y->name);
}

void hf_buckets_take(struct hf_kv *kv, struct hf_buckets *ret)
{
    *ret = (struct hf_buckets){0};
    if (kv != NULL)
        hf_kv_count_all(kv, take_one, ret);
    if (ret->len > 0)
        qsort(ret->ptr, ret->len, sizeof ret->ptr[0], in_order);
}

void hf_buckets_done(struct hf_buckets *b)
{
    for (size_t i = 0; i < b->len; i++) {
        free(b->ptr[i].owner);
        free(b->ptr[i].name);
    }
    HF_VEC_DONE(b);
}

enum hf_end hf_admin_kv_buckets(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buckets b;
    struct hf_buf body = {0};
    hf_buckets_take(c->admin->ops->kv, &b);
    bool ok = hf_json_buckets(&body, &b);
    hf_buckets_done(&b);
    if (ok)
        return hf_admin_answer(c, turn, 200, "application/json", &body);
    hf_buf_done(&body);
    return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
}
