/* kv_memory.c - the `memory:` key-value store, shared by all threads.
 *
 * A bucket is SHARDS parts, a key is in the one its hash says; each has a lock, held for a look-up
 * and a few pointers, or to copy one page of keys. Values are counted references to bytes that
 * never change: a reader takes one and copies after it let go of the lock. Keys of a shard stand in
 * the order they came, numbered; a cursor is (shard, number of the last key given), so a list needs
 * no memory of its own between pages, and whatever is deleted or added, what stays is given once.
 */
#include "store/kv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"

#define SHARDS      32u
#define CURSOR_BITS 56 /* of a cursor are the key's number, those above the shard's */
#define HOLES_MIN   64u

struct value {
    _Atomic uint32_t refs;
    uint32_t len;
    uint8_t bytes[];
};
struct entry {
    struct value *value;
    uint64_t version, number;
    uint32_t key_len;
    uint8_t key[];
};
struct place { /* in the order of numbers */
    uint64_t number;
    struct entry *entry; /* NULL: deleted since */
};
struct shard {
    pthread_mutex_t lock;
    struct hf_map map; /* key -> entry */
    struct {
        struct place *ptr;
        size_t len, cap;
    } order;
    uint64_t numbers, versions; /* the last one given */
} __attribute__((aligned(64)));
struct hf_kv_bucket {
    struct shard shards[SHARDS];
    _Atomic uint64_t keys, bytes;
    uint64_t seed;
    char *name; /* owns what the map of buckets has as key: length of the space, space, name */
    size_t name_len;
};
struct memory {
    struct hf_kv kv;
    pthread_mutex_t lock;  /* of the map of buckets */
    struct hf_map buckets; /* length of the space, space, name -> hf_kv_bucket */
    uint64_t seed;
};

/* ---- values ---------------------------------------------------------------------------------- */

static struct value *value_new(struct hf_view bytes)
{
    struct value *v = malloc(sizeof *v + bytes.len);
    if (v == NULL)
        return NULL;
    atomic_init(&v->refs, 1);
    v->len = (uint32_t)bytes.len;
    if (bytes.len > 0)
        memcpy(v->bytes, bytes.ptr, bytes.len);
    return v;
}

static struct value *value_ref(struct value *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

static void value_unref(struct value *v)
{
    if (v != NULL && atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) == 1)
        free(v);
}

static struct hf_view value_view(const struct value *v)
{
    return hf_view(v->bytes, v->len);
}

/* ---- buckets --------------------------------------------------------------------------------- */

static struct hf_kv_bucket *bucket_new(uint64_t seed, char *name)
{
    struct hf_kv_bucket *b = aligned_alloc(64, sizeof *b);
    if (b == NULL)
        return NULL;
    memset(b, 0, sizeof *b);
    b->seed = seed;
    b->name = name;
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&b->shards[i].lock, NULL);
        hf_map_init(&b->shards[i].map, 0);
        b->shards[i].map.seed = seed + 1 + i; /* not the hash that chose the shard */
    }
    return b;
}

static void bucket_free(struct hf_kv_bucket *b)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *s = &b->shards[i];
        for (size_t k = 0; k < s->order.len; k++) {
            struct entry *e = s->order.ptr[k].entry;
            if (e != NULL)
                value_unref(e->value);
            free(e);
        }
        HF_VEC_DONE(&s->order);
        hf_map_done(&s->map);
        pthread_mutex_destroy(&s->lock);
    }
    free(b->name);
    free(b);
}

static enum hf_err find_or_make(struct memory *m, struct hf_view key, struct hf_kv_bucket **ret)
{
    struct hf_kv_bucket *b = hf_map_get(&m->buckets, key);
    if (b == NULL) {
        char *copy = hf_view_dup(key);
        b = copy == NULL ? NULL : bucket_new(m->seed, copy);
        if (b == NULL) {
            free(copy);
            return HF_LIMIT;
        }
        b->name_len = key.len;
        enum hf_err err = hf_map_put(&m->buckets, hf_view(copy, key.len), b, NULL);
        if (err != HF_OK) {
            bucket_free(b);
            return err;
        }
    }
    *ret = b;
    return HF_OK;
}

static enum hf_err memory_bucket(struct hf_kv *kv, struct hf_view space, struct hf_view name,
                                 struct hf_kv_bucket **ret)
{
    struct memory *m = HF_CONTAINER_OF(kv, struct memory, kv);
    struct hf_buf key = {0};
    uint64_t n = space.len;
    enum hf_err err = hf_buf_add(&key, &n, sizeof n);
    if (err == HF_OK)
        err = hf_buf_add_view(&key, space);
    if (err == HF_OK)
        err = hf_buf_add_view(&key, name);
    if (err == HF_OK) {
        pthread_mutex_lock(&m->lock);
        err = find_or_make(m, hf_buf_view(&key), ret);
        pthread_mutex_unlock(&m->lock);
    }
    hf_buf_done(&key);
    return err;
}

static void memory_count(struct hf_kv *kv,
                         void (*each)(void *ctx, const struct hf_kv_count *count), void *ctx)
{
    struct memory *m = HF_CONTAINER_OF(kv, struct memory, kv);
    struct hf_kv_bucket *b;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; (b = hf_map_next(&m->buckets, &i)) != NULL;) {
        uint64_t space;
        memcpy(&space, b->name, sizeof space);
        struct hf_kv_count count = {
            .space = hf_view(b->name + sizeof space, space),
            .name = hf_view(b->name + sizeof space + space, b->name_len - sizeof space - space),
            .keys = atomic_load_explicit(&b->keys, memory_order_relaxed),
            .bytes = atomic_load_explicit(&b->bytes, memory_order_relaxed)};
        each(ctx, &count);
    }
    pthread_mutex_unlock(&m->lock);
}

static void memory_close(struct hf_kv *kv)
{
    struct memory *m = HF_CONTAINER_OF(kv, struct memory, kv);
    struct hf_kv_bucket *b;
    for (size_t i = 0; (b = hf_map_next(&m->buckets, &i)) != NULL;)
        bucket_free(b);
    hf_map_done(&m->buckets);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* ---- room in a bucket ------------------------------------------------------------------------ */

/* Adds, or says false and leaves it. Beside the limit, two that come together may both be refused
 * where one would fit; never is more let in. */
static bool take(_Atomic uint64_t *n, uint64_t more, uint64_t max)
{
    uint64_t before = atomic_fetch_add_explicit(n, more, memory_order_relaxed);
    if (more <= max && before <= max - more)
        return true;
    atomic_fetch_sub_explicit(n, more, memory_order_relaxed);
    return false;
}

static void give(_Atomic uint64_t *n, uint64_t less)
{
    atomic_fetch_sub_explicit(n, less, memory_order_relaxed);
}

/* ---- entries; the shard is locked ------------------------------------------------------------ */

static size_t place_of(const struct shard *s, uint64_t number) /* the first not below it */
{
    size_t low = 0, high = s->order.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->order.ptr[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void close_holes(struct shard *s)
{
    size_t to = 0;
    if (s->order.len < HOLES_MIN || s->order.len < s->map.len * 2)
        return;
    for (size_t i = 0; i < s->order.len; i++)
        if (s->order.ptr[i].entry != NULL)
            s->order.ptr[to++] = s->order.ptr[i];
    s->order.len = to;
}

static bool entry_add(struct shard *s, struct hf_view key, struct value *v)
{
    struct entry *e = malloc(sizeof *e + key.len);
    if (e == NULL)
        return false;
    *e = (struct entry){.value = v, .number = s->numbers + 1, .key_len = (uint32_t)key.len};
    if (key.len > 0)
        memcpy(e->key, key.ptr, key.len);
    if (!HF_VEC_PUSH(&s->order, (struct place){e->number, e})) {
        free(e);
        return false;
    }
    if (hf_map_put(&s->map, hf_view(e->key, key.len), e, NULL) != HF_OK) {
        s->order.len--;
        free(e);
        return false;
    }
    s->numbers++;
    e->version = ++s->versions;
    return true;
}

/* Puts `v` in the place of what `e` (NULL: nothing) has. HF_KV_NONE: v is the store's, *old the
 * caller's to let go of when the lock is off. */
static enum hf_kv_refusal put(struct memory *m, struct hf_kv_op *op, struct shard *s,
                              struct entry *e, struct value *v, struct value **old)
{
    const struct hf_kv_limits *l = &m->kv.limits;
    struct hf_kv_bucket *b = op->bucket;
    uint64_t had = e == NULL ? 0 : e->value->len, size = v->len + (e == NULL ? op->key.len : 0);

    if (e == NULL && !take(&b->keys, 1, l->keys_max))
        return HF_KV_KEYS_FULL;
    if (size > had && !take(&b->bytes, size - had, l->bytes_max)) {
        if (e == NULL)
            give(&b->keys, 1);
        return HF_KV_BYTES_FULL;
    }
    if (e == NULL && !entry_add(s, op->key, v)) {
        give(&b->keys, 1);
        give(&b->bytes, size);
        return HF_KV_MEMORY;
    }
    if (e != NULL) {
        if (size < had)
            give(&b->bytes, had - size);
        *old = e->value;
        e->value = v;
        e->version = ++s->versions;
    }
    op->r.version = s->versions;
    return HF_KV_NONE;
}

/* ---- operations; the shard is locked, but for do_list ---------------------------------------- */

static void do_get(struct hf_kv_op *op, const struct entry *e)
{
    op->r.found = e != NULL;
    if (e == NULL)
        return;
    op->r.version = e->version;
    if (op->kind == HF_KV_GET) {
        op->hold = value_ref(e->value);
        op->r.value = value_view(e->value);
    }
}

static struct entry *do_delete(struct hf_kv_op *op, struct shard *s, struct entry *e)
{
    op->r.found = e != NULL;
    if (e == NULL)
        return NULL;
    hf_map_remove(&s->map, op->key);
    s->order.ptr[place_of(s, e->number)].entry = NULL;
    close_holes(s);
    give(&op->bucket->keys, 1);
    give(&op->bucket->bytes, e->key_len + (uint64_t)e->value->len);
    return e;
}

static enum hf_kv_refusal do_increment(struct memory *m, struct hf_kv_op *op, struct shard *s,
                                       struct entry *e, struct value **old)
{
    char text[HF_KV_NUMBER_MAX];
    size_t len;
    struct hf_view now = e == NULL ? (struct hf_view){0} : value_view(e->value);
    enum hf_kv_refusal r =
        hf_kv_add(now, e != NULL, op->delta, op->is_signed, text, &len, &op->r.number);
    if (r != HF_KV_NONE)
        return r;
    struct value *v = value_new(hf_view(text, len));
    if (v == NULL)
        return HF_KV_MEMORY;
    r = put(m, op, s, e, v, old);
    if (r != HF_KV_NONE)
        value_unref(v);
    return r;
}

static bool is_version(struct hf_kv_op *op, const struct entry *e)
{
    uint64_t now = e == NULL ? 0 : e->version;
    op->r.found = now == op->version;
    if (!op->r.found)
        op->r.version = now;
    return op->r.found;
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct page {
    struct hf_buf bytes;   /* keys, one behind the other */
    struct hf_buf lengths; /* uint32_t each */
    uint32_t n, max;
    uint64_t last; /* cursor of the last key taken */
};
struct listed { /* hf_kv_op.hold */
    struct hf_view *keys;
    struct hf_buf bytes;
};

/* HF_CLOSED: the page is full and there is more. */
static enum hf_err list_shard(struct memory *m, struct shard *s, uint64_t shard, uint64_t after,
                              struct page *p)
{
    for (size_t i = place_of(s, after + 1); i < s->order.len; i++) {
        const struct entry *e = s->order.ptr[i].entry;
        if (e == NULL)
            continue;
        if (p->n == p->max || (p->n > 0 && p->bytes.len + e->key_len > m->kv.limits.page_bytes))
            return HF_CLOSED;
        if (hf_buf_add(&p->lengths, &e->key_len, sizeof e->key_len) != HF_OK ||
            hf_buf_add(&p->bytes, e->key, e->key_len) != HF_OK)
            return HF_LIMIT;
        p->n++;
        p->last = shard << CURSOR_BITS | e->number;
    }
    return HF_OK;
}

static enum hf_kv_refusal list_done(struct hf_kv_op *op, struct page *p)
{
    struct listed *l = calloc(1, sizeof *l);
    struct hf_view *keys = calloc((size_t)p->n + 1, sizeof *keys);
    size_t at = 0;
    if (l == NULL || keys == NULL) {
        free(l);
        free(keys);
        hf_buf_done(&p->bytes);
        return HF_KV_MEMORY;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t len;
        memcpy(&len, p->lengths.ptr + (size_t)i * sizeof len, sizeof len);
        keys[i] = hf_view(p->bytes.ptr + at, len);
        at += len;
    }
    *l = (struct listed){keys, p->bytes};
    op->hold = l;
    op->r.keys = keys;
    op->r.n_keys = p->n;
    return HF_KV_NONE;
}

static enum hf_kv_refusal do_list(struct memory *m, struct hf_kv_op *op)
{
    uint64_t shard = op->cursor >> CURSOR_BITS;
    uint64_t after = op->cursor & (((uint64_t)1 << CURSOR_BITS) - 1);
    uint32_t most = m->kv.limits.page_keys;
    struct page p = {.max = op->max == 0 || op->max > most ? most : op->max};
    enum hf_err err = HF_OK;

    if (shard >= SHARDS)
        return HF_KV_NO_CURSOR;
    for (; shard < SHARDS && err == HF_OK; shard++, after = 0) {
        struct shard *s = &op->bucket->shards[shard];
        pthread_mutex_lock(&s->lock);
        err = list_shard(m, s, shard, after, &p);
        pthread_mutex_unlock(&s->lock);
    }
    enum hf_kv_refusal r = HF_KV_MEMORY;
    if (err == HF_LIMIT)
        hf_buf_done(&p.bytes);
    else
        r = list_done(op, &p);
    if (err == HF_CLOSED && r == HF_KV_NONE)
        op->r.cursor = p.last;
    hf_buf_done(&p.lengths);
    return r;
}

/* ---- the door -------------------------------------------------------------------------------- */

/* One key. What has to be freed is freed when the lock is off. */
static enum hf_kv_refusal do_key(struct memory *m, struct hf_kv_op *op)
{
    struct shard *s = &op->bucket->shards[hf_hash(op->key, op->bucket->seed) % SHARDS];
    bool writes = op->kind == HF_KV_SET || op->kind == HF_KV_SWAP;
    struct value *v = writes ? value_new(op->value) : NULL, *old = NULL;
    struct entry *gone = NULL;
    enum hf_kv_refusal r = HF_KV_NONE;

    if (writes && v == NULL)
        return HF_KV_MEMORY;
    pthread_mutex_lock(&s->lock);
    struct entry *e = hf_map_get(&s->map, op->key);
    switch (op->kind) {
    case HF_KV_GET:
    case HF_KV_EXISTS: do_get(op, e); break;
    case HF_KV_DELETE: gone = do_delete(op, s, e); break;
    case HF_KV_INCREMENT: r = do_increment(m, op, s, e, &old); break;
    case HF_KV_SWAP:
        if (!is_version(op, e))
            break;
        /* fall through */
    case HF_KV_SET:
        r = put(m, op, s, e, v, &old);
        if (r == HF_KV_NONE)
            v = NULL;
        break;
    case HF_KV_LIST: HF_ASSERT(!"a list is of no key");
    }
    pthread_mutex_unlock(&s->lock);
    value_unref(v);
    value_unref(old);
    if (gone != NULL)
        value_unref(gone->value);
    free(gone);
    return r;
}

static enum hf_err memory_begin(struct hf_kv *kv, struct hf_kv_op *op)
{
    struct memory *m = HF_CONTAINER_OF(kv, struct memory, kv);
    op->r.refusal = hf_kv_check(op, &kv->limits);
    if (op->r.refusal == HF_KV_NONE)
        op->r.refusal = op->kind == HF_KV_LIST ? do_list(m, op) : do_key(m, op);
    return HF_OK;
}

static void memory_end(struct hf_kv *kv, struct hf_kv_op *op)
{
    (void)kv;
    if (op->kind != HF_KV_LIST) {
        value_unref(op->hold);
        return;
    }
    struct listed *l = op->hold;
    free(l->keys);
    hf_buf_done(&l->bytes);
    free(l);
}

static const struct hf_kv_ops memory_ops = {memory_bucket, memory_begin, memory_end, memory_close,
                                            memory_count};

enum hf_err hf_kv_memory_new(const struct hf_kv_limits *limits, uint64_t seed, struct hf_kv **ret)
{
    struct memory *m = calloc(1, sizeof *m);
    if (m == NULL)
        return HF_LIMIT;
    m->kv = (struct hf_kv){&memory_ops, *limits};
    hf_kv_limits_fill(&m->kv.limits);
    m->seed = seed;
    pthread_mutex_init(&m->lock, NULL);
    hf_map_init(&m->buckets, m->kv.limits.buckets);
    m->buckets.seed = seed;
    *ret = &m->kv;
    return HF_OK;
}
