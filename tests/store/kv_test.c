/* kv_test.c - the memory key-value store: the contract, at once and late; several threads; sizes.
 */
#include "tests/store/kv_contract.h"

#include <pthread.h>

#include "tests/store/kv_late.h"
#include "store/kv.h"

static struct hf_kv *memory(struct hf_kv_limits limits)
{
    struct hf_kv *kv = NULL;
    assert_int_equal(hf_kv_memory_new(&limits, 42, &kv), HF_OK);
    return kv;
}

static bool late_step(struct kv_case *c)
{
    return kv_late_step(c->ctx);
}

static void contract_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct kv_case c = {.kv = memory((struct hf_kv_limits){0})};
        kvc_all(&c, seed);
        hf_kv_close(c.kv);
    }
}

static void contract_late(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct kv_late late;
        struct hf_kv *inner = memory((struct hf_kv_limits){0});
        kv_late_init(&late, inner, seed);
        struct kv_case c = {.kv = &late.kv, .step = late_step, .ctx = &late};
        kvc_all(&c, seed);
        kv_late_done(&late);
        hf_kv_close(inner);
    }
}

static void contract_of_limits(void **state)
{
    (void)state;
    struct kv_late late;
    struct hf_kv *inner = memory(KVC_SMALL);
    kv_late_init(&late, inner, 1);
    struct kv_case c = {.kv = &late.kv, .step = late_step, .ctx = &late};
    kvc_limits(&c);
    kv_late_done(&late);
    hf_kv_close(inner);
    c = (struct kv_case){.kv = memory(KVC_SMALL)};
    kvc_limits(&c);
    hf_kv_close(c.kv);
}

static void never(struct hf_kv_op *op)
{
    (void)op;
    fail_msg("an operation that was ended is done");
}

static void ended_before_it_is_done(void **state)
{
    struct kv_late late;
    struct hf_kv *inner = memory((struct hf_kv_limits){0});
    (void)state;
    kv_late_init(&late, inner, 1);
    struct kv_case c = {.kv = &late.kv, .step = late_step, .ctx = &late};
    struct hf_kv_bucket *b = kvc_bucket(&c, "s", "b");
    struct hf_kv_op set = {.kind = HF_KV_SET,
                           .bucket = b,
                           .key = K("k"),
                           .value = K("v"),
                           .done = never},
                    get = {.kind = HF_KV_GET, .bucket = b, .key = K("k"), .done = never};
    assert_int_equal(hf_kv_begin(&late.kv, &set), HF_AGAIN);
    assert_int_equal(hf_kv_begin(&late.kv, &get), HF_AGAIN);
    hf_kv_end(&late.kv, &set);
    hf_kv_end(&late.kv, &set); /* twice is fine */
    hf_kv_end(&late.kv, &get);
    kv_late_done(&late);
    c.kv = inner;
    kvc_is(&c, b, K("k"), "v"); /* it was in the batch already */
    hf_kv_close(inner);
}

/* What a reader holds stays, whatever becomes of the key. */
static void values_outlive_their_keys(void **state)
{
    struct kv_case c = {.kv = memory((struct hf_kv_limits){0})};
    (void)state;
    struct hf_kv_bucket *b = kvc_bucket(&c, "s", "b");
    struct hf_kv_op get = {.kind = HF_KV_GET, .bucket = b, .key = K("k")},
                    list = {.kind = HF_KV_LIST, .bucket = b};
    assert_int_equal(kvc_set(&c, b, K("k"), K("old")), HF_KV_NONE);
    kvc_do(&c, &get);
    kvc_do(&c, &list);
    assert_int_equal(kvc_set(&c, b, K("k"), K("new")), HF_KV_NONE);
    assert_true(kvc_delete(&c, b, K("k")));
    assert_true(hf_view_eq_text(get.r.value, "old"));
    assert_true(list.r.n_keys == 1 && hf_view_eq_text(list.r.keys[0], "k"));
    hf_kv_end(c.kv, &get);
    hf_kv_end(c.kv, &list);
    hf_kv_close(c.kv);
}

static void words(void **state)
{
    struct hf_kv_limits l = KVC_SMALL;
    char text[128], last[128] = "";
    (void)state;
    for (enum hf_kv_refusal r = HF_KV_NONE; r <= HF_KV_UNKNOWN; r++) { /* each has its own */
        hf_kv_refusal_text(r, &l, text, sizeof text);
        assert_true(text[0] != '\0' && strcmp(text, last) != 0);
        strcpy(last, text);
    }
    hf_kv_refusal_text(HF_KV_VALUE_LONG, &l, text, sizeof text);
    assert_string_equal(text, "the value is longer than 100 bytes");
    hf_kv_refusal_text(HF_KV_VALUE_LONG, &l, text, 10);
    assert_string_equal(text, "the value");
}

static void a_million_keys(void **state)
{
    enum { N = 1000000 };
    struct kv_case c = {.kv = memory((struct hf_kv_limits){0})};
    struct hf_kv_bucket *b = kvc_bucket(&c, "s", "b");
    unsigned *seen = calloc(N, sizeof *seen), pages = 0;
    uint64_t cursor = 0;
    char text[16];
    (void)state;
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(kvc_set(&c, b, kvc_name(text, i), K("v")), HF_KV_NONE);
    assert_int_equal(kvc_set(&c, b, K("one more"), K("")), HF_KV_KEYS_FULL);
    do {
        cursor = kvc_page(&c, b, cursor, 0, seen, N);
        pages++;
    } while (cursor != 0);
    assert_int_equal(pages, N / 1000);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(seen[i], 1);
    for (unsigned i = 0; i < N; i++) /* and away with all of them */
        assert_true(kvc_delete(&c, b, kvc_name(text, i)));
    assert_int_equal(kvc_page(&c, b, 0, 0, seen, N), 0);
    free(seen);
    hf_kv_close(c.kv);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 2000 };
struct shared {
    struct kv_case c;
    struct hf_kv_bucket *b;
    _Atomic unsigned won;
};

static void *count(void *arg)
{
    struct shared *s = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t n;
        HF_ASSERT(kvc_increment(&s->c, s->b, K("n"), 1, true, &n) == HF_KV_NONE);
        for (bool won = false; !won;) { /* the same by look and swap */
            struct hf_kv_op get = {.kind = HF_KV_GET, .bucket = s->b, .key = K("swapped")};
            char text[HF_KV_NUMBER_MAX];
            size_t len;
            kvc_do(&s->c, &get);
            HF_ASSERT(hf_kv_add(get.r.value, get.r.found, 1, false, text, &len, &n) == HF_KV_NONE);
            struct hf_kv_op swap = {.kind = HF_KV_SWAP,
                                    .bucket = s->b,
                                    .key = K("swapped"),
                                    .value = hf_view(text, len),
                                    .version = get.r.version};
            won = kvc_do(&s->c, &swap)->found;
            hf_kv_end(s->c.kv, &swap);
            hf_kv_end(s->c.kv, &get);
        }
    }
    return NULL;
}

static void run_threads(void *(*fn)(void *), struct shared *s)
{
    pthread_t t[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, fn, s), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}

static void threads_count_exactly(void **state)
{
    struct shared s = {.c = {.kv = memory((struct hf_kv_limits){0})}};
    (void)state;
    s.b = kvc_bucket(&s.c, "s", "b");
    run_threads(count, &s);
    kvc_is(&s.c, s.b, K("n"), "8000");
    kvc_is(&s.c, s.b, K("swapped"), "8000");
    hf_kv_close(s.c.kv);
}

/* One key is made by many at once with version 0: exactly one of them does. */
static void *claim(void *arg)
{
    struct shared *s = arg;
    char text[16];
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct hf_kv_op op = {.kind = HF_KV_SWAP, .bucket = s->b, .key = kvc_name(text, i)};
        s->won += kvc_do(&s->c, &op)->found;
        hf_kv_end(s->c.kv, &op);
    }
    return NULL;
}

static void threads_claim_each_key_once(void **state)
{
    struct shared s = {.c = {.kv = memory((struct hf_kv_limits){0})}};
    (void)state;
    s.b = kvc_bucket(&s.c, "s", "b");
    run_threads(claim, &s);
    assert_int_equal(s.won, ROUNDS);
    hf_kv_close(s.c.kv);
}

/* Everything at once, on few keys: nothing to compare, but for sanitizers and the count of bytes.
 */
static void *churn(void *arg)
{
    struct shared *s = arg;
    uint64_t chance = (uint64_t)(uintptr_t)&chance;
    for (unsigned i = 0; i < ROUNDS * 4; i++) {
        struct kvc_random r = {.chance = chance};
        char text[16], value[64] = {0};
        struct hf_kv_op op = {.bucket = s->b, .key = kvc_name(text, (unsigned)kvc_rnd(&r, 300))};
        uint64_t what = kvc_rnd(&r, 10);
        op.kind = what < 3   ? HF_KV_GET
                  : what < 6 ? HF_KV_SET
                  : what < 9 ? HF_KV_DELETE
                             : HF_KV_LIST;
        if (op.kind == HF_KV_SET)
            op.value = hf_view(value, kvc_rnd(&r, sizeof value));
        if (op.kind == HF_KV_LIST)
            op.max = 20;
        kvc_do(&s->c, &op);
        hf_kv_end(s->c.kv, &op);
        struct hf_kv_bucket *again;
        HF_ASSERT(hf_kv_bucket(s->c.kv, K("s"), K("b"), &again) == HF_OK && again == s->b);
        chance = r.chance;
    }
    return NULL;
}

static void threads_leave_the_count_right(void **state)
{
    struct shared s = {
        .c = {.kv = memory((struct hf_kv_limits){.bytes_max = 2000, .keys_max = 20})}};
    char text[16];
    uint8_t value[1990];
    (void)state;
    memset(value, 'v', sizeof value);
    s.b = kvc_bucket(&s.c, "s", "b");
    run_threads(churn, &s);
    for (unsigned i = 0; i < 300; i++)
        kvc_delete(&s.c, s.b, kvc_name(text, i));
    assert_int_equal(kvc_set(&s.c, s.b, K("0123456789"), hf_view(value, 1990)),
                     HF_KV_NONE); /* all 2000 */
    assert_true(kvc_delete(&s.c, s.b, K("0123456789")));
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(kvc_set(&s.c, s.b, kvc_name(text, i), K("")), HF_KV_NONE); /* all 20 */
    assert_int_equal(kvc_set(&s.c, s.b, K("x"), K("")), HF_KV_KEYS_FULL);
    hf_kv_close(s.c.kv);
}

static void look(void *ctx, const struct hf_kv_count *count)
{
    unsigned *seen = ctx;
    assert_true(hf_view_eq_text(count->space, "space") && count->name.len == 1);
    bool a = count->name.ptr[0] == 'a';
    assert_int_equal(count->keys, a ? 2 : 0);
    assert_int_equal(count->bytes, a ? 2 + 5 : 0);
    *seen += a ? 1 : 100;
}

static void counts_of_each_bucket(void **state)
{
    struct kv_case c = {.kv = memory((struct hf_kv_limits){0})};
    struct hf_kv_bucket *b = kvc_bucket(&c, "space", "a");
    unsigned seen = 0;
    (void)state;
    kvc_bucket(&c, "space", "b");
    assert_int_equal(kvc_set(&c, b, K("k"), K("value")), HF_KV_NONE);
    assert_int_equal(kvc_set(&c, b, K("l"), K("")), HF_KV_NONE);
    assert_int_equal(kvc_set(&c, b, K("m"), K("gone")), HF_KV_NONE);
    assert_true(kvc_delete(&c, b, K("m")));
    hf_kv_count_all(c.kv, look, &seen);
    assert_int_equal(seen, 101);
    hf_kv_close(c.kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract_at_once),
        cmocka_unit_test(contract_late),
        cmocka_unit_test(contract_of_limits),
        cmocka_unit_test(ended_before_it_is_done),
        cmocka_unit_test(values_outlive_their_keys),
        cmocka_unit_test(words),
        cmocka_unit_test(a_million_keys),
        cmocka_unit_test(threads_count_exactly),
        cmocka_unit_test(threads_claim_each_key_once),
        cmocka_unit_test(threads_leave_the_count_right),
        cmocka_unit_test(counts_of_each_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
