/* shards.c - see shards.h.
 *
 * A letter belongs to one thread at a time: the sender's until it is posted, then the receiver's,
 * which frees it. So nothing has to come home but the parcels of carries. `coming` counts what was
 * posted to a worker and has not arrived: the one thing here that threads share, once a letter.
 */
#include "link/shards.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "kernel/blob_share.h"

struct hf_shards {
    struct hf_kernel *k;
    struct hf_carrier carrier;
    size_t window;
    const struct hf_shard_table *table;
    struct hf_shards *const *all;
    uint32_t n;
    _Atomic uint32_t coming;
};

struct envelope {
    struct hf_letter letter;
    struct hf_shards *to;
    struct hf_blob_share *share; /* the body; or NULL, and then */
    struct hf_carry *carry;      /* how it comes; or NULL */
    struct hf_far_letter far;
};

static struct envelope *of(struct hf_far_letter *l)
{
    return HF_CONTAINER_OF(l, struct envelope, far);
}

/* ---- the table ---- */

void hf_shard_table_init(struct hf_shard_table *table, uint32_t workers)
{
    HF_ASSERT(workers > 0 && workers < UINT16_MAX);
    for (uint32_t i = 0; i < HF_SHARDS; i++)
        table->worker[i] = (uint16_t)(i % workers);
}

uint32_t hf_shard_worker(const struct hf_shard_table *table, struct hf_view name)
{
    struct hf_view group = hf_name_group_of(name, (struct hf_view){0});
    return table->worker[hf_name_shard(group, HF_SHARDS)];
}

/* ---- bodies ---- */

static void pack(struct envelope *e, struct hf_shards *from)
{
    struct hf_blob *blob = e->far.blob;
    e->far.blob = NULL;
    if (blob == NULL)
        return;
    e->share = hf_blob_share(blob);
    if (e->share != NULL) {
        hf_blob_unref(blob);
        return;
    }
    e->carry = hf_carry_new(&from->carrier, &e->to->carrier, &blob);
    if (e->carry == NULL) {
        e->far.lost = true;
        hf_blob_unref(blob);
    }
}

static void unpack(struct envelope *e)
{
    struct hf_blob_pool *pool = hf_kernel_blobs(e->to->k);
    if (e->share != NULL)
        e->far.blob = hf_blob_of_share(pool, e->share);
    else if (e->carry != NULL)
        e->far.blob = hf_carry_open(e->carry, pool, e->to->window);
    else
        return;
    e->far.lost = e->far.blob == NULL;
    e->share = NULL;
    e->carry = NULL;
}

/* ---- what the kernel needs ---- */

static uint32_t place(void *ctx, struct hf_view name)
{
    const struct hf_shards *s = ctx;
    return hf_shard_worker(s->table, name);
}

static struct hf_far_letter *make(void *ctx)
{
    struct envelope *e = calloc(1, sizeof *e);
    (void)ctx;
    return e == NULL ? NULL : &e->far;
}

static void drop(void *ctx, struct hf_far_letter *l)
{
    struct envelope *e = of(l);
    (void)ctx;
    hf_blob_share_free(e->share);
    free(e);
}

static void on_arrive(struct hf_letter *letter);

static const struct hf_far_ops ops;

static void send(void *ctx, uint32_t to, struct hf_far_letter *l)
{
    struct hf_shards *s = ctx;
    struct envelope *e = of(l);
    HF_ASSERT(to < s->n);
    if (s->carrier.closing) {
        hf_far_letter_drop(l, &ops, s);
        return;
    }
    e->to = s->all[to];
    pack(e, s);
    e->letter.deliver = on_arrive;
    atomic_fetch_add_explicit(&e->to->coming, 1, memory_order_relaxed);
    hf_wake_post(e->to->carrier.wake, &e->letter);
}

static const struct hf_far_ops ops = {place, make, drop, send};

static void on_arrive(struct hf_letter *letter)
{
    struct envelope *e = HF_CONTAINER_OF(letter, struct envelope, letter);
    struct hf_shards *s = e->to;
    atomic_fetch_sub_explicit(&s->coming, 1, memory_order_relaxed);
    if (s->carrier.closing) { /* its carry is its source's to free */
        hf_far_letter_drop(&e->far, &ops, s);
        return;
    }
    unpack(e);
    hf_far_arrive(s->k, &e->far);
}

/* ---- making and ending ---- */

enum hf_err hf_shards_new(struct hf_kernel *k, struct hf_wake *wake, size_t window, uint32_t here,
                          const struct hf_shard_table *table, struct hf_shards **ret)
{
    struct hf_shards *s = calloc(1, sizeof *s);
    if (s == NULL)
        return HF_LIMIT;
    s->k = k;
    s->window = window;
    s->table = table;
    hf_carrier_init(&s->carrier, wake);
    hf_kernel_set_far(k, here, &ops, s);
    *ret = s;
    return HF_OK;
}

void hf_shards_join(struct hf_shards *s, struct hf_shards *const *all, uint32_t n)
{
    s->all = all;
    s->n = n;
}

void hf_shards_flush(struct hf_shards *s)
{
    hf_carrier_flush(&s->carrier);
}

bool hf_shards_busy(const struct hf_shards *s)
{
    return hf_carrier_busy(&s->carrier);
}

bool hf_shards_idle(const struct hf_shards *s)
{
    return atomic_load_explicit(&s->coming, memory_order_relaxed) == 0 &&
           hf_list_empty(&s->carrier.from_here);
}

void hf_shards_stop(struct hf_shards *s)
{
    if (s != NULL)
        hf_carrier_stop(&s->carrier);
}

void hf_shards_free(struct hf_shards *s)
{
    if (s == NULL)
        return;
    hf_carrier_free_all(&s->carrier);
    free(s);
}
