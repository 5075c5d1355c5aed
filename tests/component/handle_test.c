/* handle_test.c - handle tables against a model, and the rules H1, H2, H5's lookup (S5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "support_canon.h"

#include <cmocka.h>

static uintptr_t dropped[64];
static unsigned n_dropped;

static enum hf_err note_drop(struct hf_call *call, void *obj)
{
    assert_null(call);
    assert_true(n_dropped < HF_ARRAY_LEN(dropped));
    dropped[n_dropped++] = (uintptr_t)obj;
    return HF_OK;
}

static const struct hf_host_resource ops = {"pollable", note_drop};
static const struct hf_resource_type host_a = {.name = {(const uint8_t *)"pollable", 8},
                                               .host = &ops};
static const struct hf_resource_type host_b = {.name = {(const uint8_t *)"socket", 6},
                                               .host = &ops};
static const struct hf_resource_type guest_a = {.name = {(const uint8_t *)"counter", 7},
                                                .index = 0};
static const struct hf_resource_type guest_b = {.name = {(const uint8_t *)"gauge", 5}, .index = 1};

static uint32_t add(struct hf_handles *t, const struct hf_resource_type *type, uint64_t rep,
                    bool own)
{
    uint32_t index = 0;
    assert_int_equal(
        hf_handles_add(t, &(struct hf_handle){.type = type, .rep = rep, .own = own}, &index),
        HF_OK);
    return index;
}

static void h1_first_is_one_and_freed_ones_come_back_last_in_first_out(void **state)
{
    (void)state;
    struct hf_handles t = {0};
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(add(&t, &guest_a, i, true), i);
    hf_handles_remove(&t, 2);
    hf_handles_remove(&t, 4);
    hf_handles_remove(&t, 1);
    assert_int_equal(add(&t, &guest_a, 10, true), 1);
    assert_int_equal(add(&t, &guest_a, 11, true), 4);
    assert_int_equal(add(&t, &guest_a, 12, true), 2);
    assert_int_equal(add(&t, &guest_a, 13, true), 5);
    hf_handles_done(&t);
}

static void h1_zero_and_strangers_are_never_valid(void **state)
{
    (void)state;
    struct hf_handles t = {0};
    assert_null(hf_handles_at(&t, 0));
    assert_null(hf_handles_at(&t, 1));
    add(&t, &guest_a, 7, true);
    assert_null(hf_handles_at(&t, 0));
    assert_non_null(hf_handles_at(&t, 1));
    assert_null(hf_handles_at(&t, 2));
    assert_null(hf_handles_at(&t, UINT32_MAX));
    hf_handles_remove(&t, 1);
    assert_null(hf_handles_at(&t, 1));
    hf_handles_done(&t);
}

static void s14_a_full_table_refuses_and_recovers(void **state)
{
    (void)state;
    for (uint32_t max = 1; max < 40; max++) {
        struct hf_handles t = {.max = max};
        struct hf_handle h = {.type = &guest_a, .own = true};
        uint32_t index = 77;
        for (uint32_t i = 1; i <= max; i++)
            assert_int_equal(add(&t, &guest_a, i, true), i);
        assert_int_equal(hf_handles_add(&t, &h, &index), HF_LIMIT);
        assert_int_equal(index, 77);
        assert_int_equal(t.live, max);
        hf_handles_remove(&t, max);
        assert_int_equal(add(&t, &guest_a, 5, true), max);
        assert_int_equal(hf_handles_add(&t, &h, &index), HF_LIMIT);
        hf_handles_done(&t);
        assert_int_equal(t.max, max);
        assert_int_equal(t.live, 0);
    }
}

/* The model: what is in each place, and the freed places as a stack. */
static void h2_random_use_against_a_model(void **state)
{
    (void)state;
    enum { N = 200 };
    uint64_t rep[N + 1] = {0};
    bool own[N + 1] = {0};
    uint32_t freed[N], n_freed = 0, n = 0, live = 0;
    struct hf_handles t = {.max = N};
    struct canon_gen g = {.seed = 42};
    for (int round = 0; round < 50000; round++) {
        uint32_t i;
        bool grows = canon_gen_below(&g, 100) < (round / 5000 % 2 == 0 ? 70u : 30u);
        if (grows && live < N) {
            uint32_t want = n_freed > 0 ? freed[--n_freed] : ++n;
            uint64_t r = 1 + canon_gen_below(&g, 1000000);
            own[want] = canon_gen_below(&g, 2) == 0;
            i = add(&t, own[want] ? &guest_a : &guest_b, r, own[want]);
            assert_int_equal(i, want);
            rep[i] = r;
            live++;
        } else if (n > 0) {
            i = 1 + canon_gen_below(&g, n);
            if (rep[i] == 0)
                continue;
            hf_handles_remove(&t, i);
            freed[n_freed++] = i;
            rep[i] = 0;
            live--;
        }
        assert_int_equal(t.live, live);
        i = canon_gen_below(&g, N + 2);
        const struct hf_handle *h = hf_handles_at(&t, i);
        assert_true((h != NULL) == (i >= 1 && i <= n && rep[i] != 0));
        if (h != NULL) {
            assert_int_equal(h->rep, rep[i]);
            assert_true(h->own == own[i]);
            assert_ptr_equal(h->type, own[i] ? &guest_a : &guest_b);
        }
    }
    hf_handles_done(&t);
}

static void s5_find_tells_what_is_wrong(void **state)
{
    (void)state;
    static struct canon_world w;
    canon_world_open(&w);
    struct hf_ci *ci = &w.cis[1];
    struct hf_handle *h = NULL;
    const struct {
        uint32_t index;
        const struct hf_resource_type *type;
        const char *text; /* NULL: found */
    } rows[] = {
        {1, &host_a, NULL},
        {2, &guest_a, NULL},
        {0, &host_a, "unknown handle index 0 (wanted: pollable)"},
        {3, &host_a, "unknown handle index 3"},
        {UINT32_MAX, &guest_a, "unknown handle index 4294967295 (wanted: counter)"},
        {1, &host_b,
         "handle index 1 used with the wrong type, expected host-defined resource but found a "
         "different host-defined resource (wanted: socket, it is: pollable)"},
        {1, &guest_a, "expected guest-defined resource but found a host-defined resource"},
        {2, &guest_b,
         "handle index 2 used with the wrong type, expected guest-defined resource but found a "
         "different guest-defined resource"},
    };
    add(&ci->handles, &host_a, 5, false);
    add(&ci->handles, &guest_a, 6, true);
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        enum hf_err err = hf_handles_find(ci, rows[i].index, rows[i].type, &h);
        const char *text = canon_trap_text(&w);
        if (rows[i].text == NULL) {
            assert_int_equal(err, HF_OK);
            assert_int_equal(h->rep, 4 + rows[i].index);
            continue;
        }
        assert_int_equal(err, HF_TRAP);
        if (strstr(text, rows[i].text) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", rows[i].text, text);
    }
    canon_world_close(&w);
}

static void done_drops_what_is_owned_newest_index_first(void **state)
{
    (void)state;
    struct hf_handles t = {0};
    add(&t, &host_a, 101, true);
    add(&t, &host_a, 102, false); /* a borrow: not ours */
    add(&t, &guest_a, 103, true); /* a guest's rep: nothing to call */
    add(&t, &host_b, 104, true);
    add(&t, &host_a, 105, true);
    hf_handles_remove(&t, 5);
    n_dropped = 0;
    hf_handles_done(&t);
    assert_int_equal(n_dropped, 2);
    assert_int_equal(dropped[0], 104);
    assert_int_equal(dropped[1], 101);
    assert_int_equal(t.live, 0);
    assert_null(hf_handles_at(&t, 1));
    assert_int_equal(add(&t, &guest_a, 1, true), 1); /* usable again */
    hf_handles_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1_first_is_one_and_freed_ones_come_back_last_in_first_out),
        cmocka_unit_test(h1_zero_and_strangers_are_never_valid),
        cmocka_unit_test(s14_a_full_table_refuses_and_recovers),
        cmocka_unit_test(h2_random_use_against_a_model),
        cmocka_unit_test(s5_find_tells_what_is_wrong),
        cmocka_unit_test(done_drops_what_is_owned_newest_index_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
