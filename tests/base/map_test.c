/* map_test.c - both kinds of map against a plain array, under seeded random traffic.
 *
 * Few different keys in small tables make probing wrap around the end and deletions close gaps over
 * it.
 */
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

enum { KEYS = 300 };

/* The model: value[k] is what key k maps to, NULL when it is not there. */
struct model {
    char key[KEYS][24];
    uint64_t number[KEYS];
    void *value[KEYS];
    size_t len;
};

static void model_init(struct model *m, uint64_t *seed)
{
    memset(m, 0, sizeof *m);
    for (unsigned k = 0; k < KEYS; k++) {
        snprintf(m->key[k], sizeof m->key[k], "%.*s%u", (int)(k % 11), "a long key", k);
        m->number[k] = k < 100 ? k : k < 200 ? (uint64_t)k << 56 : rng_next(seed);
    }
    m->key[7][0] = '\0'; /* the empty key is a key */
}

/* Every value once, none else. */
static void check_walk(const struct hf_map *map, const struct model *m)
{
    bool seen[KEYS] = {false};
    size_t n = 0;
    void *v;
    for (size_t i = 0; (v = hf_map_next(map, &i)) != NULL; n++) {
        size_t k = 0;
        while (k < KEYS && m->value[k] != v)
            k++;
        assert_true(k < KEYS && !seen[k]);
        seen[k] = true;
    }
    assert_int_equal(n, m->len);
}

static void run(bool ints, size_t keys, unsigned steps)
{
    static struct model m;
    static char values[100000]; /* addresses only */
    uint64_t seed = keys * 2 + ints;
    struct hf_map map;
    hf_map_init(&map, 0);
    map.seed = keys % 2 ? 0 : 12345;
    model_init(&m, &seed);
    for (unsigned step = 0; step < steps; step++) {
        size_t k = rng_below(&seed, keys);
        struct hf_view key = hf_view_of(m.key[k]);
        void *was = m.value[k];
        /* Phases of mostly putting and mostly removing, so that it fills and empties. */
        bool put = rng_below(&seed, 8) < (step / 500 % 2 ? 2u : 6u);
        void *old = values;
        if (put) {
            void *value = &values[1 + step];
            enum hf_err err = ints ? hf_map_put_u64(&map, m.number[k], value, &old)
                                   : hf_map_put(&map, key, value, &old);
            assert_int_equal(err, HF_OK);
            assert_ptr_equal(old, was);
            m.value[k] = value;
            m.len += was == NULL;
        } else {
            old = ints ? hf_map_remove_u64(&map, m.number[k]) : hf_map_remove(&map, key);
            assert_ptr_equal(old, was);
            m.value[k] = NULL;
            m.len -= was != NULL;
        }
        assert_int_equal(map.len, m.len);
        for (size_t i = 0; i < (step % 64 ? 3 : keys); i++) {
            size_t look = step % 64 ? rng_below(&seed, keys) : i;
            void *got = ints ? hf_map_get_u64(&map, m.number[look])
                             : hf_map_get(&map, hf_view_of(m.key[look]));
            assert_ptr_equal(got, m.value[look]);
        }
        if (step % 256 == 0)
            check_walk(&map, &m);
    }
    hf_map_done(&map);
    assert_int_equal(map.cap, 0);
}

static void byte_keys_like_a_plain_array(void **state)
{
    (void)state;
    run(false, 5, 5000);
    run(false, 12, 20000);
    run(false, KEYS, 50000);
}

static void int_keys_like_a_plain_array(void **state)
{
    (void)state;
    run(true, 5, 5000);
    run(true, 12, 20000);
    run(true, KEYS, 50000);
}

static void max_is_a_limit(void **state)
{
    (void)state;
    int v[10];
    struct hf_map map, ints;
    hf_map_init(&map, 2);
    hf_map_init(&ints, 2);
    assert_int_equal(hf_map_put(&map, HF_VIEW("a"), &v[0], NULL), HF_OK);
    assert_int_equal(hf_map_put(&map, HF_VIEW("b"), &v[1], NULL), HF_OK);
    assert_int_equal(hf_map_put(&map, HF_VIEW("c"), &v[2], NULL), HF_LIMIT);
    assert_int_equal(hf_map_put(&map, HF_VIEW("b"), &v[3], NULL),
                     HF_OK); /* replacing is no growth */
    assert_ptr_equal(hf_map_get(&map, HF_VIEW("b")), &v[3]);
    assert_null(hf_map_get(&map, HF_VIEW("c")));
    assert_ptr_equal(hf_map_remove(&map, HF_VIEW("a")), &v[0]);
    assert_int_equal(hf_map_put(&map, HF_VIEW("c"), &v[2], NULL), HF_OK);
    for (uint64_t k = 0; k < 10; k++)
        assert_int_equal(hf_map_put_u64(&ints, k, &v[k], NULL), k < 2 ? HF_OK : HF_LIMIT);
    assert_null(hf_map_remove_u64(&ints, 2));
    hf_map_done(&map);
    hf_map_done(&ints);
}

static void empty_map_answers(void **state)
{
    (void)state;
    struct hf_map map = {0};
    size_t at = 0;
    assert_null(hf_map_get(&map, HF_VIEW("a")));
    assert_null(hf_map_remove(&map, HF_VIEW("a")));
    assert_null(hf_map_get_u64(&map, 1));
    assert_null(hf_map_remove_u64(&map, 1));
    assert_null(hf_map_next(&map, &at));
    hf_map_done(&map);
}

/* The key that counts is the newest: the old one may die with the old value. */
static void replacing_takes_the_new_key(void **state)
{
    (void)state;
    int v[2];
    struct hf_map map = {0};
    char *first = hf_view_dup(HF_VIEW("key")), *second = hf_view_dup(HF_VIEW("key"));
    assert_int_equal(hf_map_put(&map, hf_view_of(first), &v[0], NULL), HF_OK);
    assert_int_equal(hf_map_put(&map, hf_view_of(second), &v[1], NULL), HF_OK);
    free(first);
    assert_ptr_equal(hf_map_get(&map, HF_VIEW("key")), &v[1]);
    hf_map_done(&map);
    free(second);
}

/* Sequential numbers and multiples of powers of two must spread: bounded by the time a pile-up
 * would take. */
static void regular_numbers_spread(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        struct hf_map map = {0};
        uint64_t n = shift > 48 ? 1u << (63 - shift) : 20000;
        for (uint64_t k = 0; k < n; k++)
            assert_int_equal(hf_map_put_u64(&map, k << shift, &map, NULL), HF_OK);
        assert_int_equal(map.len, n);
        hf_map_done(&map);
    }
}

static void hash_is_xxh3(void **state)
{
    (void)state;
    assert_true(hf_hash(HF_VIEW(""), 0) == 0x2D06800538D394C2u); /* published test vector */
    assert_true(hf_hash(hf_view(NULL, 0), 0) == hf_hash(HF_VIEW(""), 0));
    assert_true(hf_hash(HF_VIEW("a"), 0) != hf_hash(HF_VIEW("a"), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_keys_like_a_plain_array),
        cmocka_unit_test(int_keys_like_a_plain_array),
        cmocka_unit_test(max_is_a_limit),
        cmocka_unit_test(empty_map_answers),
        cmocka_unit_test(replacing_takes_the_new_key),
        cmocka_unit_test(regular_numbers_spread),
        cmocka_unit_test(hash_is_xxh3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
