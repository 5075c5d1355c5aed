/* kv_contract.h - what every store behind base/kv.h must do, as tests that take the store.
 *
 * `step` lets a store that answers late do one thing more (NULL: it never says HF_AGAIN). The
 * durable store runs the same functions.
 */
#ifndef HF_TESTS_STORE_KV_CONTRACT_H
#define HF_TESTS_STORE_KV_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/kv.h"

struct kv_case {
    struct hf_kv *kv;
    bool (*step)(struct kv_case *c);
    void *ctx;
};

static void kvc_done(struct hf_kv_op *op)
{
    *(bool *)op->ctx = true;
}

/* Until it is done; the caller ends it. */
static struct hf_kv_result *kvc_do(struct kv_case *c, struct hf_kv_op *op)
{
    bool done = false;
    op->done = kvc_done;
    op->ctx = &done;
    enum hf_err err = hf_kv_begin(c->kv, op);
    assert_true(err == HF_OK || err == HF_AGAIN);
    while (err == HF_AGAIN && !done)
        assert_true(c->step(c));
    return &op->r;
}

static struct hf_kv_bucket *kvc_bucket(struct kv_case *c, const char *space, const char *name)
{
    struct hf_kv_bucket *b = NULL;
    assert_int_equal(hf_kv_bucket(c->kv, hf_view_of(space), hf_view_of(name), &b), HF_OK);
    assert_non_null(b);
    return b;
}

static enum hf_kv_refusal kvc_set(struct kv_case *c, struct hf_kv_bucket *b, struct hf_view key,
                                  struct hf_view value)
{
    struct hf_kv_op op = {.kind = HF_KV_SET, .bucket = b, .key = key, .value = value};
    enum hf_kv_refusal r = kvc_do(c, &op)->refusal;
    hf_kv_end(c->kv, &op);
    return r;
}

static bool kvc_delete(struct kv_case *c, struct hf_kv_bucket *b, struct hf_view key)
{
    struct hf_kv_op op = {.kind = HF_KV_DELETE, .bucket = b, .key = key};
    bool found = kvc_do(c, &op)->found;
    assert_int_equal(op.r.refusal, HF_KV_NONE);
    hf_kv_end(c->kv, &op);
    return found;
}

static bool kvc_has(struct kv_case *c, struct hf_kv_bucket *b, struct hf_view key)
{
    struct hf_kv_op op = {.kind = HF_KV_EXISTS, .bucket = b, .key = key};
    bool found = kvc_do(c, &op)->found;
    hf_kv_end(c->kv, &op);
    return found;
}

/* The key's value is this one (text NULL: it is not there); its version. */
static uint64_t kvc_is(struct kv_case *c, struct hf_kv_bucket *b, struct hf_view key,
                       const char *text)
{
    struct hf_kv_op op = {.kind = HF_KV_GET, .bucket = b, .key = key};
    kvc_do(c, &op);
    uint64_t version = op.r.version;
    assert_int_equal(op.r.refusal, HF_KV_NONE);
    assert_int_equal(op.r.found, text != NULL);
    assert_int_equal(version != 0, text != NULL);
    if (text != NULL && !hf_view_eq_text(op.r.value, text))
        fail_msg("\"%.*s\", not \"%s\"", HF_FMT(op.r.value), text);
    hf_kv_end(c->kv, &op);
    return version;
}

#define K(text) HF_VIEW(text)

/* ---- each operation -------------------------------------------------------------------------- */

static void kvc_values(struct kv_case *c)
{
    struct hf_kv_bucket *b = kvc_bucket(c, "s", "values");
    kvc_is(c, b, K("a"), NULL);
    assert_false(kvc_has(c, b, K("a")));
    assert_false(kvc_delete(c, b, K("a")));
    assert_int_equal(kvc_set(c, b, K("a"), K("1")), HF_KV_NONE);
    uint64_t v1 = kvc_is(c, b, K("a"), "1");
    assert_int_equal(kvc_set(c, b, K("a"), K("1")), HF_KV_NONE);
    uint64_t v2 = kvc_is(c, b, K("a"), "1");
    assert_true(v2 != v1); /* the same bytes are a new version */
    assert_true(kvc_has(c, b, K("a")));
    assert_int_equal(kvc_set(c, b, K("a"), K("")), HF_KV_NONE);
    kvc_is(c, b, K("a"), "");
    assert_int_equal(kvc_set(c, b, K(""), K("no key")), HF_KV_NONE);
    kvc_is(c, b, K(""), "no key");
    assert_int_equal(kvc_set(c, b, K("a\0b"), K("nul")), HF_KV_NONE);
    kvc_is(c, b, K("a\0b"), "nul");
    kvc_is(c, b, K("a"), "");
    kvc_is(c, b, K("a\0c"), NULL);
    assert_true(kvc_delete(c, b, K("a")));
    kvc_is(c, b, K("a"), NULL);
    kvc_is(c, b, K("a\0b"), "nul");
    assert_int_equal(kvc_set(c, b, K("a"), K("again")), HF_KV_NONE);
    uint64_t v3 = kvc_is(c, b, K("a"), "again");
    assert_true(v3 != v1 && v3 != v2); /* also after it was gone */
}

static void kvc_buckets_are_apart(struct kv_case *c)
{
    struct hf_kv_bucket *ab = kvc_bucket(c, "a", "b"), *other = kvc_bucket(c, "b", "b"),
                        *empty = kvc_bucket(c, "ab", ""), *shifted = kvc_bucket(c, "", "ab");
    assert_ptr_equal(kvc_bucket(c, "a", "b"), ab);
    assert_int_equal(kvc_set(c, ab, K("k"), K("ab")), HF_KV_NONE);
    kvc_is(c, other, K("k"), NULL);
    kvc_is(c, empty, K("k"), NULL);
    kvc_is(c, shifted, K("k"), NULL);
    kvc_is(c, ab, K("k"), "ab");
}

static enum hf_kv_refusal kvc_increment(struct kv_case *c, struct hf_kv_bucket *b,
                                        struct hf_view key, uint64_t delta, bool is_signed,
                                        uint64_t *ret)
{
    struct hf_kv_op op = {
        .kind = HF_KV_INCREMENT, .bucket = b, .key = key, .delta = delta, .is_signed = is_signed};
    enum hf_kv_refusal r = kvc_do(c, &op)->refusal;
    *ret = op.r.number;
    hf_kv_end(c->kv, &op);
    return r;
}

static void kvc_counters(struct kv_case *c)
{
    static const struct {
        const char *before; /* NULL: no such key */
        uint64_t delta;
        bool is_signed;
        enum hf_kv_refusal refusal;
        const char *after; /* as text, when not refused */
    } rows[] = {
        {NULL, 5, false, HF_KV_NONE, "5"},
        {NULL, 0, false, HF_KV_NONE, "0"},
        {NULL, UINT64_MAX, false, HF_KV_NONE, "18446744073709551615"},
        {NULL, (uint64_t)-3, true, HF_KV_NONE, "-3"},
        {NULL, (uint64_t)INT64_MIN, true, HF_KV_NONE, "-9223372036854775808"},
        {"5", 1, false, HF_KV_NONE, "6"},
        {"007", 1, false, HF_KV_NONE, "8"},
        {"-9", 9, true, HF_KV_NONE, "0"},
        {"18446744073709551615", 0, false, HF_KV_NONE, "18446744073709551615"},
        {"18446744073709551615", 1, false, HF_KV_NUMBER_FULL, NULL},
        {"9223372036854775807", 1, true, HF_KV_NUMBER_FULL, NULL},
        {"-9223372036854775808", (uint64_t)-1, true, HF_KV_NUMBER_FULL, NULL},
        {"9223372036854775808", 0, true, HF_KV_NO_NUMBER, NULL}, /* no s64 */
        {"18446744073709551616", 0, false, HF_KV_NO_NUMBER, NULL},
        {"-1", 2, false, HF_KV_NO_NUMBER, NULL}, /* no u64 */
        {"", 1, false, HF_KV_NO_NUMBER, NULL},
        {"-", 1, true, HF_KV_NO_NUMBER, NULL},
        {"+1", 1, true, HF_KV_NO_NUMBER, NULL},
        {" 1", 1, true, HF_KV_NO_NUMBER, NULL},
        {"1x", 1, true, HF_KV_NO_NUMBER, NULL},
        {"000000000000000000001", 1, false, HF_KV_NO_NUMBER, NULL}, /* 21 digits */
    };
    struct hf_kv_bucket *b = kvc_bucket(c, "s", "counters");
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        uint64_t n = 0;
        kvc_delete(c, b, K("n"));
        if (rows[i].before != NULL)
            assert_int_equal(kvc_set(c, b, K("n"), hf_view_of(rows[i].before)), HF_KV_NONE);
        enum hf_kv_refusal r = kvc_increment(c, b, K("n"), rows[i].delta, rows[i].is_signed, &n);
        if (r != rows[i].refusal)
            fail_msg("row %zu: refusal %d", i, (int)r);
        kvc_is(c, b, K("n"), r == HF_KV_NONE ? rows[i].after : rows[i].before);
        if (r == HF_KV_NONE)
            assert_int_equal(n, strtoull(rows[i].after, NULL, 10)); /* "-3" gives its bits */
    }
}

static void kvc_swaps(struct kv_case *c)
{
    struct hf_kv_bucket *b = kvc_bucket(c, "s", "swaps");
    struct hf_kv_op op = {.kind = HF_KV_SWAP, .bucket = b, .key = K("k"), .value = K("1")};
    kvc_do(c, &op); /* version 0: it is not there */
    assert_true(op.r.refusal == HF_KV_NONE && op.r.found && op.r.version != 0);
    uint64_t first = op.r.version;
    hf_kv_end(c->kv, &op);
    assert_int_equal(kvc_is(c, b, K("k"), "1"), first);

    op.value = K("again");
    kvc_do(c, &op); /* now it is */
    assert_true(op.r.refusal == HF_KV_NONE && !op.r.found);
    assert_int_equal(op.r.version, first);
    hf_kv_end(c->kv, &op);

    op.version = first;
    op.value = K("2");
    assert_true(kvc_do(c, &op)->found);
    uint64_t second = op.r.version;
    hf_kv_end(c->kv, &op);
    assert_int_equal(kvc_is(c, b, K("k"), "2"), second);

    kvc_do(c, &op); /* the first version again */
    assert_true(!op.r.found && op.r.version == second);
    hf_kv_end(c->kv, &op);

    assert_true(kvc_delete(c, b, K("k"))); /* gone and come back with the same bytes: another */
    assert_int_equal(kvc_set(c, b, K("k"), K("2")), HF_KV_NONE);
    op.version = second;
    assert_false(kvc_do(c, &op)->found);
    hf_kv_end(c->kv, &op);
    assert_true(kvc_delete(c, b, K("k")));
    assert_true(!kvc_do(c, &op)->found && op.r.version == 0);
    hf_kv_end(c->kv, &op);
    kvc_is(c, b, K("k"), NULL);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static struct hf_view kvc_name(char text[16], unsigned i)
{
    return hf_view(text, (size_t)snprintf(text, 16, "key-%u", i));
}

/* Counts the keys "key-N" of one page in seen[N]; the cursor of the next. */
static uint64_t kvc_page(struct kv_case *c, struct hf_kv_bucket *b, uint64_t cursor, uint32_t max,
                         unsigned *seen, unsigned n)
{
    struct hf_kv_op op = {.kind = HF_KV_LIST, .bucket = b, .cursor = cursor, .max = max};
    kvc_do(c, &op);
    assert_int_equal(op.r.refusal, HF_KV_NONE);
    assert_true(max == 0 || op.r.n_keys <= max);
    assert_true(op.r.n_keys <= c->kv->limits.page_keys);
    for (uint32_t i = 0; i < op.r.n_keys; i++) {
        struct hf_view k = op.r.keys[i];
        char text[16] = "";
        assert_true(k.len < sizeof text && hf_view_starts(k, K("key-")));
        memcpy(text, k.ptr, k.len);
        unsigned long at = strtoul(text + 4, NULL, 10);
        assert_true(at < n);
        seen[at]++;
    }
    uint64_t next = op.r.cursor;
    assert_true(next == 0 || op.r.n_keys > 0); /* a page that is not the last has keys */
    hf_kv_end(c->kv, &op);
    return next;
}

static void kvc_lists(struct kv_case *c)
{
    enum { N = 500 };
    static const uint32_t sizes[] = {0, 1, 7, N - 1, N, N + 1};
    struct hf_kv_bucket *b = kvc_bucket(c, "s", "lists");
    unsigned *seen = calloc(N, sizeof *seen);
    char text[16];
    assert_int_equal(kvc_page(c, b, 0, 0, seen, N), 0); /* of an empty bucket */
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(kvc_set(c, b, kvc_name(text, i), K("v")), HF_KV_NONE);
    for (size_t s = 0; s < HF_ARRAY_LEN(sizes); s++) {
        uint64_t cursor = 0;
        unsigned pages = 0;
        memset(seen, 0, N * sizeof *seen);
        do {
            cursor = kvc_page(c, b, cursor, sizes[s], seen, N);
            pages++;
        } while (cursor != 0);
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(seen[i], 1);
        if (sizes[s] != 0)
            assert_int_equal(pages, (N + sizes[s] - 1) / sizes[s]);
    }
    free(seen);
}

/* While a list goes on, keys go, come and come back. Those that stay are given once. */
static void kvc_lists_while_it_changes(struct kv_case *c)
{
    enum { N = 3000, STAY = 3 };
    struct hf_kv_bucket *b = kvc_bucket(c, "s", "changes");
    unsigned *seen = calloc(2 * N, sizeof *seen), page = 0;
    uint64_t cursor = 0;
    char text[16];
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(kvc_set(c, b, kvc_name(text, i), K("v")), HF_KV_NONE);
    do {
        cursor = kvc_page(c, b, cursor, 50, seen, 2 * N);
        for (unsigned k = 0; k < 200; k++) {
            unsigned i = (page * 200 + k) % N;
            if (i % STAY != 0 && page % 3 != 2)
                kvc_delete(c, b, kvc_name(text, i));
            else if (i % STAY != 0)
                assert_int_equal(kvc_set(c, b, kvc_name(text, i), K("w")), HF_KV_NONE);
            else /* a new value does not make it another key */
                assert_int_equal(kvc_set(c, b, kvc_name(text, i), K("x")), HF_KV_NONE);
        }
        assert_int_equal(kvc_set(c, b, kvc_name(text, N + page), K("new")), HF_KV_NONE);
        assert_true(++page < 400); /* and it ends */
    } while (cursor != 0);
    for (unsigned i = 0; i < N; i += STAY)
        assert_int_equal(seen[i], 1);
    free(seen);
}

static void kvc_bad_cursor(struct kv_case *c)
{
    static const uint64_t cursors[] = {1, 12345, UINT64_MAX, UINT64_MAX >> 1, (uint64_t)1 << 56};
    struct hf_kv_bucket *b = kvc_bucket(c, "s", "cursor");
    assert_int_equal(kvc_set(c, b, K("k"), K("v")), HF_KV_NONE);
    for (size_t i = 0; i < HF_ARRAY_LEN(cursors); i++) { /* refused, or a part of the keys */
        struct hf_kv_op op = {.kind = HF_KV_LIST, .bucket = b, .cursor = cursors[i]};
        kvc_do(c, &op);
        assert_true(op.r.refusal == HF_KV_NO_CURSOR ||
                    (op.r.refusal == HF_KV_NONE && op.r.n_keys <= 1 && op.r.cursor == 0));
        hf_kv_end(c->kv, &op);
    }
}

/* ---- limits: c's store has KVC_SMALL --------------------------------------------------------- */

#define KVC_SMALL                                                                                  \
    ((struct hf_kv_limits){.key_max = 8,                                                           \
                           .value_max = 100,                                                       \
                           .keys_max = 10,                                                         \
                           .bytes_max = 500,                                                       \
                           .buckets = 4,                                                           \
                           .page_keys = 3,                                                         \
                           .page_bytes = 8})

static inline void kvc_limits(struct kv_case *c)
{
    struct hf_kv_bucket *b = kvc_bucket(c, "s", "1"), *wide = kvc_bucket(c, "s", "2"), *more;
    uint8_t bytes[101] = {0};
    struct hf_view full = hf_view(bytes, 100);
    uint64_t n;
    char key[16];
    assert_int_equal(kvc_set(c, b, K("123456789"), K("")), HF_KV_KEY_LONG);
    assert_int_equal(kvc_increment(c, b, K("123456789"), 1, false, &n), HF_KV_KEY_LONG);
    assert_int_equal(kvc_set(c, b, K("12345678"), K("")), HF_KV_NONE);
    assert_int_equal(kvc_set(c, b, K("v"), hf_view(bytes, 101)), HF_KV_VALUE_LONG);
    kvc_is(c, b, K("v"), NULL);
    assert_true(kvc_delete(c, b, K("12345678")));
    for (unsigned i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(kvc_set(c, b, hf_view_of(key), K("v")), HF_KV_NONE);
    }
    assert_int_equal(kvc_set(c, b, K("x"), K("")), HF_KV_KEYS_FULL);
    assert_int_equal(kvc_increment(c, b, K("x"), 1, false, &n), HF_KV_KEYS_FULL);
    assert_int_equal(kvc_set(c, b, K("3"), K("w")), HF_KV_NONE); /* it is there already */
    assert_true(kvc_delete(c, b, K("3")));
    assert_int_equal(kvc_set(c, b, K("x"), K("")), HF_KV_NONE);

    /* bytes: 4 * 101, then 96 are left */
    for (unsigned i = 0; i < 4; i++) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(kvc_set(c, wide, hf_view_of(key), full), HF_KV_NONE);
    }
    assert_int_equal(kvc_set(c, wide, K("x"), hf_view(bytes, 96)), HF_KV_BYTES_FULL);
    assert_false(kvc_has(c, wide, K("x")));
    assert_int_equal(kvc_set(c, wide, K("x"), hf_view(bytes, 95)), HF_KV_NONE);
    assert_int_equal(kvc_set(c, wide, K("y"), K("")), HF_KV_BYTES_FULL);
    assert_int_equal(kvc_set(c, wide, K("x"), hf_view(bytes, 96)), HF_KV_BYTES_FULL);
    assert_int_equal(kvc_set(c, wide, K("x"), hf_view(bytes, 94)), HF_KV_NONE);
    assert_int_equal(kvc_set(c, wide, K("y"), K("")), HF_KV_NONE); /* what was given back counts */
    struct hf_kv_op op = {.kind = HF_KV_SWAP, .bucket = wide, .key = K("z"), .value = K("swapped")};
    assert_int_equal(kvc_do(c, &op)->refusal, HF_KV_BYTES_FULL);
    hf_kv_end(c->kv, &op);
    assert_true(kvc_delete(c, wide, K("0")) && kvc_delete(c, wide, K("1")));
    assert_int_equal(kvc_set(c, wide, K("z"), full), HF_KV_NONE);

    /* pages: three keys, and eight bytes of keys but at least one key */
    struct hf_kv_bucket *pages = kvc_bucket(c, "s", "3");
    for (unsigned i = 0; i < 4; i++) {
        snprintf(key, sizeof key, "%u-345678", i);
        assert_int_equal(kvc_set(c, pages, hf_view_of(key), K("")), HF_KV_NONE);
    }
    struct hf_kv_op list = {.kind = HF_KV_LIST, .bucket = pages, .max = 100};
    assert_int_equal(kvc_do(c, &list)->n_keys, 1);
    assert_true(list.r.cursor != 0);
    hf_kv_end(c->kv, &list);
    list.bucket = b;
    assert_int_equal(kvc_do(c, &list)->n_keys, 3);
    hf_kv_end(c->kv, &list);

    kvc_bucket(c, "s", "4");
    assert_int_equal(hf_kv_bucket(c->kv, K("s"), K("5"), &more), HF_LIMIT);
    assert_ptr_equal(kvc_bucket(c, "s", "1"), b); /* those that are there stay */
}

/* ---- many at once, beside a model ------------------------------------------------------------ */

enum { KVC_KEYS = 12, KVC_BUCKETS = 3, KVC_FLIGHT = 16 };
struct kvc_model { /* of one bucket; what is expected is known when an operation begins */
    struct {
        bool there;
        char text[24];
        uint64_t version; /* 0: not known, set since the last look */
    } keys[KVC_KEYS];
    uint64_t begun, done;
};
struct kvc_flight {
    struct hf_kv_op op;
    struct kvc_model *model;
    struct kvc_random *random;
    bool busy, there, bad_number;
    char key[16], value[24], want[24];
    uint64_t nth;
    unsigned k;
};
struct kvc_random {
    struct kv_case *c;
    struct kvc_model models[KVC_BUCKETS];
    struct kvc_flight flights[KVC_FLIGHT];
    uint64_t chance;
};

static uint64_t kvc_rnd(struct kvc_random *r, uint64_t n)
{
    uint64_t z = r->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % n;
}

static void kvc_landed(struct kvc_flight *f)
{
    const struct hf_kv_result *r = &f->op.r;
    assert_int_equal(f->nth, f->model->done++); /* in the order begun */
    switch (f->op.kind) {
    case HF_KV_GET:
        assert_int_equal(r->found, f->there);
        if (f->there && !hf_view_eq_text(r->value, f->want))
            fail_msg("get %s: \"%.*s\", not \"%s\"", f->key, HF_FMT(r->value), f->want);
        break;
    case HF_KV_EXISTS:
    case HF_KV_DELETE: assert_int_equal(r->found, f->there); break;
    case HF_KV_INCREMENT:
        assert_int_equal(r->refusal, f->bad_number ? HF_KV_NO_NUMBER : HF_KV_NONE);
        if (!f->bad_number)
            assert_int_equal(r->number, strtoull(f->want, NULL, 10));
        break;
    default: assert_int_equal(r->refusal, HF_KV_NONE); break;
    }
    hf_kv_end(f->random->c->kv, &f->op);
    f->busy = false;
}

static void kvc_on_done(struct hf_kv_op *op)
{
    kvc_landed(op->ctx);
}

/* What the operation will find, and what it leaves, by the model. */
static void kvc_foresee(struct kvc_random *r, struct kvc_flight *f)
{
    struct kvc_model *m = f->model;
    f->there = m->keys[f->k].there;
    snprintf(f->want, sizeof f->want, "%s", m->keys[f->k].text);
    if (f->op.kind == HF_KV_DELETE)
        m->keys[f->k].there = false;
    if (f->op.kind == HF_KV_SET) {
        snprintf(f->value, sizeof f->value, kvc_rnd(r, 2) == 0 ? "%u" : "x%u",
                 (unsigned)kvc_rnd(r, 1000));
        f->op.value = hf_view_of(f->value);
        m->keys[f->k].there = true;
        snprintf(m->keys[f->k].text, sizeof m->keys[f->k].text, "%s", f->value);
    }
    if (f->op.kind == HF_KV_INCREMENT) {
        f->op.delta = kvc_rnd(r, 100);
        f->bad_number = f->there && f->want[0] == 'x';
        if (f->bad_number)
            return;
        unsigned long n = f->there ? strtoul(f->want, NULL, 10) : 0;
        snprintf(f->want, sizeof f->want, "%lu", n + (unsigned long)f->op.delta);
        m->keys[f->k].there = true;
        snprintf(m->keys[f->k].text, sizeof m->keys[f->k].text, "%s", f->want);
    }
}

static void kvc_one(struct kvc_random *r, struct hf_kv_bucket *const buckets[KVC_BUCKETS])
{
    static const enum hf_kv_kind kinds[] = {HF_KV_GET, HF_KV_GET,    HF_KV_EXISTS,
                                            HF_KV_SET, HF_KV_DELETE, HF_KV_INCREMENT};
    struct kvc_flight *f = NULL;
    uint64_t which = kvc_rnd(r, KVC_BUCKETS);
    for (unsigned i = 0; i < KVC_FLIGHT && f == NULL; i++)
        if (!r->flights[i].busy)
            f = &r->flights[i];
    if (f == NULL) {
        assert_true(r->c->step(r->c));
        return;
    }
    *f = (struct kvc_flight){.random = r, .model = &r->models[which], .busy = true};
    f->k = (unsigned)kvc_rnd(r, KVC_KEYS);
    f->nth = f->model->begun++;
    snprintf(f->key, sizeof f->key, "k%u", f->k);
    f->op = (struct hf_kv_op){.kind = kinds[kvc_rnd(r, HF_ARRAY_LEN(kinds))],
                              .bucket = buckets[which],
                              .key = hf_view_of(f->key),
                              .done = kvc_on_done,
                              .ctx = f};
    kvc_foresee(r, f);
    enum hf_err err = hf_kv_begin(r->c->kv, &f->op);
    memset(f->key, '?', sizeof f->key); /* read before begin returned, not after */
    memset(f->value, '?', sizeof f->value);
    if (err == HF_OK)
        kvc_landed(f);
    if (r->c->step != NULL && kvc_rnd(r, 3) == 0)
        r->c->step(r->c);
}

static void kvc_random_beside_a_model(struct kv_case *c, uint64_t seed, unsigned n)
{
    struct kvc_random *r = calloc(1, sizeof *r);
    struct hf_kv_bucket *buckets[KVC_BUCKETS];
    char name[8];
    r->c = c;
    r->chance = seed;
    for (unsigned i = 0; i < KVC_BUCKETS; i++) {
        snprintf(name, sizeof name, "r%u", i);
        buckets[i] = kvc_bucket(c, "random", name);
    }
    for (unsigned i = 0; i < n; i++)
        kvc_one(r, buckets);
    while (c->step != NULL && c->step(c)) {
    }
    for (unsigned b = 0; b < KVC_BUCKETS; b++) {
        unsigned live = 0, listed = 0;
        assert_int_equal(r->models[b].begun, r->models[b].done);
        for (unsigned k = 0; k < KVC_KEYS; k++) {
            snprintf(name, sizeof name, "k%u", k);
            kvc_is(c, buckets[b], hf_view_of(name),
                   r->models[b].keys[k].there ? r->models[b].keys[k].text : NULL);
            live += r->models[b].keys[k].there;
        }
        struct hf_kv_op op = {.kind = HF_KV_LIST, .bucket = buckets[b]};
        listed = kvc_do(c, &op)->n_keys;
        hf_kv_end(c->kv, &op);
        assert_int_equal(listed, live);
    }
    free(r);
}

/* Every contract test but that of limits, on a store of default limits. */
static inline void kvc_all(struct kv_case *c, uint64_t seed)
{
    kvc_values(c);
    kvc_buckets_are_apart(c);
    kvc_counters(c);
    kvc_swaps(c);
    kvc_lists(c);
    kvc_lists_while_it_changes(c);
    kvc_bad_cursor(c);
    kvc_random_beside_a_model(c, seed, 20000);
}

#endif
