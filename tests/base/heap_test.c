/* heap_test.c - the heap and the list against plain arrays, under seeded random traffic. */
#include "base/heap.h"

#include <string.h>

#include "base/list.h"
#include "support.h"

enum { NODES = 200 };

struct item {
    struct hf_heap_node node;
    bool in;
    uint64_t at, order; /* what the model thinks */
};

static struct item *earliest(struct item *items)
{
    struct item *best = NULL;
    for (size_t i = 0; i < NODES; i++) {
        struct item *it = &items[i];
        if (it->in &&
            (best == NULL || it->at < best->at || (it->at == best->at && it->order < best->order)))
            best = it;
    }
    return best;
}

static void heap_like_a_plain_array(void **state)
{
    (void)state;
    static struct item items[NODES];
    uint64_t seed = 4, order = 0, now = 0;
    size_t len = 0;
    struct hf_heap heap;
    hf_heap_init(&heap);
    for (int step = 0; step < 50000; step++) {
        struct item *it = &items[rng_below(&seed, NODES)];
        unsigned what = (unsigned)rng_below(&seed, 8);
        if (what < (step / 1000 % 2 ? 3u : 5u)) { /* few different times: ties are common */
            it->at = now + rng_below(&seed, 20);
            it->order = order++;
            len += !it->in;
            it->in = true;
            assert_int_equal(hf_heap_set(&heap, &it->node, it->at), HF_OK);
        } else if (what < 6) {
            len -= it->in;
            it->in = false;
            hf_heap_remove(&heap, &it->node);
        } else {
            struct item *want = earliest(items);
            now += rng_below(&seed, 3);
            struct hf_heap_node *got = hf_heap_pop_due(&heap, now);
            if (want != NULL && want->at <= now) {
                assert_ptr_equal(got, &want->node);
                want->in = false;
                len--;
            } else {
                assert_null(got);
            }
        }
        struct item *first = earliest(items);
        assert_ptr_equal(hf_heap_peek(&heap), first == NULL ? NULL : &first->node);
        assert_int_equal(heap.len, len);
        assert_int_equal(hf_heap_has(&it->node), it->in);
    }
    hf_heap_done(&heap);
}

static void equal_times_leave_in_order(void **state)
{
    (void)state;
    struct hf_heap_node nodes[100] = {0};
    struct hf_heap heap = {0};
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(hf_heap_set(&heap, &nodes[i], 5), HF_OK);
    assert_int_equal(hf_heap_set(&heap, &nodes[0], 5), HF_OK); /* set again: at the end now */
    assert_null(hf_heap_pop_due(&heap, 4));
    for (size_t i = 1; i < 100; i++)
        assert_ptr_equal(hf_heap_pop_due(&heap, 5), &nodes[i]);
    assert_ptr_equal(hf_heap_pop_due(&heap, UINT64_MAX), &nodes[0]);
    assert_null(hf_heap_pop_due(&heap, UINT64_MAX));
    hf_heap_remove(&heap, &nodes[0]); /* fine when not in */
    hf_heap_done(&heap);
}

static void list_like_a_plain_array(void **state)
{
    (void)state;
    struct hf_list nodes[20] = {0}, a, b;
    struct hf_list *model[2][20];
    size_t len[2] = {0, 0};
    uint64_t seed = 5;
    hf_list_init(&a);
    hf_list_init(&b);
    struct hf_list *lists[2] = {&a, &b};
    for (int step = 0; step < 20000; step++) {
        size_t which = rng_below(&seed, 2), n = rng_below(&seed, 20);
        unsigned what = (unsigned)rng_below(&seed, 8);
        if (what < 5) { /* take the node out of wherever it is, put it at an end */
            for (size_t l = 0; l < 2; l++) {
                for (size_t i = 0; i < len[l]; i++) {
                    if (model[l][i] != &nodes[n])
                        continue;
                    memmove(&model[l][i], &model[l][i + 1], (len[l] - i - 1) * sizeof model[l][0]);
                    len[l]--;
                }
            }
            hf_list_remove(&nodes[n]);
            hf_list_remove(&nodes[n]); /* twice is harmless */
            assert_false(hf_list_linked(&nodes[n]));
            if (what < 2) {
                hf_list_push_back(lists[which], &nodes[n]);
                model[which][len[which]++] = &nodes[n];
            } else if (what < 4) {
                hf_list_push_front(lists[which], &nodes[n]);
                memmove(&model[which][1], &model[which][0], len[which] * sizeof model[0][0]);
                model[which][0] = &nodes[n];
                len[which]++;
            }
        } else if (what < 7) {
            struct hf_list *got = hf_list_pop_front(lists[which]);
            assert_ptr_equal(got, len[which] == 0 ? NULL : model[which][0]);
            if (got != NULL)
                memmove(&model[which][0], &model[which][1], --len[which] * sizeof model[0][0]);
        } else {
            hf_list_splice_back(lists[which], lists[!which]);
            memcpy(&model[which][len[which]], model[!which], len[!which] * sizeof model[0][0]);
            len[which] += len[!which];
            len[!which] = 0;
        }
        for (size_t l = 0; l < 2; l++) {
            size_t i = 0;
            HF_LIST_FOR(it, lists[l])
            assert_ptr_equal(it, model[l][i++]);
            assert_int_equal(i, len[l]);
            assert_int_equal(hf_list_empty(lists[l]), len[l] == 0);
        }
    }
    HF_LIST_FOR_SAFE(it, &a)
    hf_list_remove(it);
    assert_true(hf_list_empty(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_like_a_plain_array),
        cmocka_unit_test(equal_times_leave_in_order),
        cmocka_unit_test(list_like_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
