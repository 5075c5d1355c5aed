/* lower_test.c - values into a guest, each rule of reference component-model 2.4 by name, and round
 * trips.
 *
 * canon_vectors_test.c compares random values with the specification; here are the edges, the
 * traps, a host that errs, and many more random types than fit in a file.
 */
#include "support_rules.h"

/* ---- W1, W8-W10, S15, C3 ---- */

static void w1_realloc_is_always_asked_and_checked(void **state)
{
    (void)state;
    const struct hf_type *words = canon_list(&world, prim(HF_T_U32)),
                         *lists = canon_list(&world, words);
    const uint32_t three[] = {1, 2, 3};
    struct hf_value empty = {0}, v = {.bytes = (const uint8_t *)three, .len = 3};
    struct hf_value inner[] = {v, empty};
    assert_int_equal(lower_at(words, empty, AT), HF_OK);
    assert_string_equal(canon_log_text(g), "0.0.4.0");
    fresh(NULL);
    assert_int_equal(lower_at(words, v, AT), HF_OK);
    assert_string_equal(canon_log_text(g), "0.0.4.12");
    assert_memory_equal(canon_mem(g, NULL) + CANON_HEAP, three, 12);
    fresh(NULL);
    assert_int_equal(lower_at(lists, (struct hf_value){.items = inner, .len = 2}, AT), HF_OK);
    assert_string_equal(canon_log_text(g),
                        "0.0.4.16;0.0.4.12;0.0.4.0"); /* W10: outside in, left to right */

    const struct {
        uint32_t answer;
        uint32_t len;
        const char *text;
    } rows[] = {
        {CANON_PAGE, 0, NULL},
        {CANON_PAGE + 4, 0, "realloc return: beyond end of memory, list content out-of-bounds"},
        {CANON_PAGE - 8, 3, "realloc return: beyond end of memory"},
        {UINT32_MAX - 3, 3, "realloc return: beyond end of memory"},
        {CANON_PAGE - 12, 3, NULL},
        {1026, 3, "realloc return: result not aligned, unaligned pointer 1026"},
        {1, 0, "realloc return: result not aligned"},
    };
    g->fixed = true;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        g->answer = rows[i].answer;
        v.len = rows[i].len;
        enum hf_err err = lower_at(words, v, AT);
        if (rows[i].text != NULL)
            expect_trap(err, rows[i].text);
        else
            assert_int_equal(err, HF_OK);
    }
    g->fixed = false;
    g->rt.has_realloc = false;
    expect_trap(lower_at(words, v, AT), "no realloc");
    g->rt.has_realloc = true;
}

static enum hf_err grow_and_answer(struct canon_guest *guest)
{
    union hf_val vals[1] = {{.u64 = 1}};
    guest->fixed = true;
    guest->answer = CANON_PAGE;
    assert_int_equal(hf_store_call(guest->world->inst.store, &guest->grow, vals, 1), HF_OK);
    assert_int_not_equal(vals[0].u32, UINT32_MAX);
    return HF_OK;
}

static void s15_memory_that_grew_in_realloc_is_seen(void **state)
{
    (void)state;
    struct canon_guest *was = g;
    g = &world.guests[3]; /* its memory stays grown */
    size_t size;
    struct hf_value v = hf_value_bytes(HF_VIEW("hello"));
    g->during = grow_and_answer;
    assert_int_equal(lower_at(canon_list(&world, prim(HF_T_U8)), v, AT), HF_OK);
    assert_memory_equal(canon_mem(g, &size) + CANON_PAGE, "hello", 5);
    assert_int_equal(size, 2 * CANON_PAGE);
    g->during = NULL;
    g->fixed = false;
    g = was;
}

static enum hf_err note_may_leave(struct canon_guest *guest)
{
    *(bool *)guest->ctx = guest->ci->may_leave;
    return HF_OK;
}

static enum hf_err end_here(struct canon_guest *guest)
{
    return hf_canon_trap(&guest->world->inst, "the guest had enough");
}

static void c3_realloc_may_not_leave(void **state)
{
    (void)state;
    bool seen = true;
    g->ctx = &seen;
    g->during = note_may_leave;
    assert_int_equal(lower_at(prim(HF_T_STRING), hf_value_bytes(HF_VIEW("x")), AT), HF_OK);
    assert_false(seen);
    assert_true(g->ci->may_leave);
    g->during = end_here;
    expect_trap(lower_at(prim(HF_T_STRING), hf_value_bytes(HF_VIEW("x")), AT),
                "the guest had enough");
    g->during = NULL;
    g->ci->may_leave = true; /* a trap leaves the flags as they were: the tree is dead */
}

/* The pointers of C4 and V8 are checked when something is stored. */
static void c4_out_pointers(void **state)
{
    (void)state;
    const struct hf_type *const two[] = {prim(HF_T_U64), prim(HF_T_U8)};
    const struct hf_type *t = canon_compound(&world, HF_T_TUPLE, two, 2);
    struct hf_value items[] = {hf_value_u64(7), hf_value_u64(8)}, v = {.items = items, .len = 2};
    assert_int_equal(lower_at(t, v, CANON_PAGE - 16), HF_OK);
    expect_trap(lower_at(t, v, CANON_PAGE - 8), "out of bounds of memory");
    expect_trap(lower_at(t, v, CANON_PAGE), "out of bounds of memory");
    expect_trap(lower_at(t, v, UINT32_MAX - 7), "out of bounds of memory");
    expect_trap(lower_at(t, v, AT + 4), "unaligned pointer");
}

static void w8_joined_payloads_are_widened_and_the_rest_is_zero(void **state)
{
    (void)state;
    const struct hf_type *const pair[] = {prim(HF_T_U64), prim(HF_T_STRING)};
    const struct hf_type *const cases[] = {prim(HF_T_F32), prim(HF_T_S8),
                                           canon_compound(&world, HF_T_TUPLE, pair, 2), NULL,
                                           prim(HF_T_F64)};
    const struct hf_type *t = canon_compound(&world, HF_T_VARIANT, cases, 5);
    assert_int_equal(t->n_flat, 4);
    struct hf_value f32 = hf_value_u64(0xbf800000), s8 = {.s64 = -1}, f64 = {.f64 = -2.0};
    const struct {
        struct hf_value v;
        uint64_t want[4];
    } rows[] = {
        {hf_value_case(0, &f32), {0, 0xbf800000, 0, 0}},
        {hf_value_case(1, &s8), {1, 0xffffffff, 0, 0}},
        {hf_value_case(3, NULL), {3, 0, 0, 0}},
        {hf_value_case(4, &f64), {4, UINT64_C(0xc000000000000000), 0, 0}},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_canon_cx cx = canon_cx(g, true);
        union hf_val vals[4];
        uint32_t at = 0;
        memset(vals, 0xee, sizeof vals);
        assert_int_equal(hf_lower_flat(&cx, t, &rows[i].v, vals, &at), HF_OK);
        assert_int_equal(at, 4);
        for (int k = 0; k < 4; k++)
            assert_int_equal(vals[k].u64, rows[i].want[k]);
    }
}

static void w9_nans_are_written_canonical(void **state)
{
    (void)state;
    const uint32_t odd32[] = {0xffffffff, 0x3f800000}, even32[] = {0x7fc00000, 0x3f800000};
    const uint64_t odd64[] = {UINT64_MAX, 0}, even64[] = {UINT64_C(0x7ff8000000000000), 0};
    struct hf_canon_cx cx = canon_cx(g, true);
    union hf_val vals[1];
    uint32_t at = 0;
    assert_int_equal(
        hf_lower_flat(&cx, prim(HF_T_F32), &(struct hf_value){.u64 = 0xff800001}, vals, &at),
        HF_OK);
    assert_int_equal(vals[0].u64, 0x7fc00000);
    assert_int_equal(lower_at(prim(HF_T_F64), (struct hf_value){.u64 = UINT64_MAX}, AT), HF_OK);
    assert_memory_equal(canon_mem(g, NULL) + AT, even64, 8);
    assert_int_equal(lower_at(canon_list(&world, prim(HF_T_F32)),
                              (struct hf_value){.bytes = (const uint8_t *)odd32, .len = 2}, AT),
                     HF_OK);
    assert_memory_equal(canon_mem(g, NULL) + CANON_HEAP, even32, 8);
    assert_int_equal(lower_at(canon_list(&world, prim(HF_T_F64)),
                              (struct hf_value){.bytes = (const uint8_t *)odd64, .len = 2}, AT),
                     HF_OK);
    assert_memory_equal(canon_mem(g, NULL) + CANON_HEAP + 8, even64, 16);
}

static void w10_parameters_left_to_right(void **state)
{
    (void)state;
    const struct hf_type *params[17];
    struct hf_value args[17];
    union hf_val vals[HF_FLAT_PARAMS_MAX];
    for (uint32_t i = 0; i < 17; i++) {
        params[i] = prim(HF_T_STRING);
        args[i] =
            (struct hf_value){.bytes = (const uint8_t *)"abcdefghijklmnopqrstuvwxyz", .len = i};
    }
    struct hf_canon_cx cx = canon_cx(g, true);
    assert_int_equal(hf_lower_params(&cx, canon_ftype(&world, params, 3, NULL), args, vals), HF_OK);
    assert_string_equal(canon_log_text(g), "0.0.1.0;0.0.1.1;0.0.1.2");
    assert_int_equal(vals[4].u64, CANON_HEAP + 1);
    assert_int_equal(vals[5].u64, 2);
    fresh(NULL); /* F3: the tuple's own room comes first */
    assert_int_equal(hf_lower_params(&cx, canon_ftype(&world, params, 9, NULL), args, vals), HF_OK);
    assert_int_equal(g->n_log, 10);
    assert_int_equal(g->log[0].align, 4);
    assert_int_equal(g->log[0].size, 72);
    assert_int_equal(g->log[9].size, 8);
    assert_int_equal(vals[0].u64, CANON_HEAP);
}

/* ---- a host that errs ---- */

static void a_wrong_value_of_the_host_is_a_trap(void **state)
{
    (void)state;
    const struct hf_type *const some[] = {prim(HF_T_U8)}, *const both[] = {NULL, NULL};
    const struct hf_type *opt = canon_compound(&world, HF_T_OPTION, some, 1),
                         *tuple = canon_compound(&world, HF_T_TUPLE, some, 1),
                         *list = canon_list(&world, opt),
                         *bytes = canon_list(&world, prim(HF_T_U8)),
                         *own = canon_handle(&world, HF_T_OWN, &host_r),
                         *flags = canon_compound(&world, HF_T_FLAGS, NULL, 3),
                         *all_flags = canon_compound(&world, HF_T_FLAGS, NULL, 32),
                         *colors = canon_compound(&world, HF_T_ENUM, NULL, 3),
                         *result = canon_compound(&world, HF_T_RESULT, both, 2);
    struct hf_value one = hf_value_u64(1);
    const struct {
        const struct hf_type *t;
        struct hf_value v;
        const char *text;
    } rows[] = {
        {opt, {.tag = 2}, "case 2 of a option with 2 cases"},
        {opt, {.tag = 1}, "without its payload"},
        {tuple, {.len = 1}, "1 fields for a tuple of 1"},
        {tuple, {.items = &one, .len = 2}, "2 fields for a tuple of 1"},
        {list, {.len = 1}, "a list without elements"},
        {bytes, {.len = 1}, "a list without elements"},
        {prim(HF_T_CHAR), hf_value_u64(0xd800), "the host gave an invalid `char`"},
        {prim(HF_T_CHAR), hf_value_u64(UINT64_C(0x100000041)), "the host gave an invalid `char`"},
        {own, {.len = 0}, "the host gave no object for a pollable"},
        {flags, hf_value_u64(8), "the host gave flags 0x8 where there are 3 labels"},
        {flags, hf_value_u64(UINT64_C(0x100000000)), "where there are 3 labels"},
        {all_flags, hf_value_u64(UINT64_C(0x100000000)), "where there are 32 labels"},
        {colors, {.tag = 3}, "case 3 of a enum with 3 cases"},
        {result, {.tag = 7}, "case 7 of a result with 2 cases"},
        {bytes, {.bytes = (const uint8_t *)"x", .len = 1u << 28}, "is too long"},
        {list, {.items = &one, .len = UINT32_MAX}, "is too long"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_canon_cx cx = canon_cx(g, true);
        union hf_val vals[4];
        uint32_t at = 0;
        expect_trap(hf_lower_flat(&cx, rows[i].t, &rows[i].v, vals, &at), rows[i].text);
        expect_trap(lower_at(rows[i].t, rows[i].v, AT), rows[i].text);
    }
}

/* ---- round trips ---- */

static void round_trip(struct canon_gen *gen, unsigned depth)
{
    struct hf_arena arena;
    struct hf_scope scope = {0};
    union hf_val vals[HF_FLAT_MAX];
    struct hf_value back;
    hf_arena_init(&arena, 4096, SIZE_MAX);
    fresh(NULL);
    static const enum hf_string_enc encs[] = {HF_ENC_UTF8, HF_ENC_UTF16, HF_ENC_LATIN1_UTF16};
    g->rt.enc = encs[canon_gen_below(gen, 3)];
    const struct hf_type *t = canon_gen_type(gen, &world, depth);
    struct hf_value v = canon_gen_value(gen, &arena, t);
    uint32_t at = 8 * (1 + canon_gen_below(gen, 8)), flat = 0;
    if (at + t->size <= CANON_HEAP) {
        struct hf_canon_cx out = canon_cx(g, true);
        out.scope = &scope;
        assert_int_equal(hf_lower_memory(&out, t, &v, at), HF_OK);
        struct hf_canon_cx in = canon_cx(g, true);
        assert_int_equal(hf_lift_memory(&in, t, at, &back), HF_OK);
        assert_true(canon_value_same(t, &v, &back));
        hf_canon_give_back(&in);
        assert_int_equal(g->ci->handles.live, scope.n_borrows); /* every own came out again */
    }
    if (!t->flat_over) {
        struct hf_canon_cx out = canon_cx(g, true);
        out.scope = &scope;
        memset(vals, 0xa5, sizeof vals);
        assert_int_equal(hf_lower_flat(&out, t, &v, vals, &flat), HF_OK);
        assert_int_equal(flat, t->n_flat);
        for (uint32_t i = 0; i < flat;
             i++) { /* slots are whole: nothing of the old contents is left */
            if (t->flat[i] == HF_I32 || t->flat[i] == HF_F32)
                assert_true(vals[i].u64 <= UINT32_MAX);
        }
        struct hf_canon_cx in = canon_cx(g, true);
        flat = 0;
        assert_int_equal(hf_lift_flat(&in, t, vals, &flat, &back), HF_OK);
        assert_true(canon_value_same(t, &v, &back));
        hf_canon_give_back(&in);
        assert_int_equal(g->ci->handles.live, scope.n_borrows);
    }
    canon_guest_clear(g); /* borrows: their scope ends here */
    hf_arena_done(&arena);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    struct canon_gen gen = {.seed = 20240117, .resource = &other_r, .borrows = true};
    for (int i = 0; i < 6000; i++) {
        round_trip(&gen, 1 + (unsigned)i % 4);
        if (i % 500 == 499)
            hf_arena_reset(&world.types);
    }
}

/* S8: as deep as types may be, the recursion fits the stack it runs on. */
static void s8_the_deepest_type(void **state)
{
    (void)state;
    struct hf_arena arena;
    struct hf_value v = hf_value_u64(9), back;
    hf_arena_init(&arena, 4096, SIZE_MAX);
    const struct hf_type *t = prim(HF_T_U8);
    for (int i = 1; i < HF_TYPE_DEPTH_MAX; i++) {
        const struct hf_type *const one[] = {t};
        struct hf_value *inner = hf_arena_array(&arena, 1, sizeof v);
        *inner = v;
        if (i % 3 == 0) {
            t = canon_compound(&world, HF_T_TUPLE, one, 1);
            v = (struct hf_value){.items = inner, .len = 1};
        } else if (i % 3 == 1) {
            t = canon_compound(&world, HF_T_OPTION, one, 1);
            v = hf_value_case(1, inner);
        } else {
            t = canon_list(&world, t);
            v = (struct hf_value){.items = inner, .len = 1};
        }
    }
    assert_int_equal(t->depth, HF_TYPE_DEPTH_MAX);
    assert_int_equal(lower_at(t, v, AT), HF_OK);
    assert_int_equal(lift_at(t, AT, &back), HF_OK);
    assert_true(canon_value_same(t, &v, &back));
    hf_arena_done(&arena);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        T(w1_realloc_is_always_asked_and_checked),
        T(s15_memory_that_grew_in_realloc_is_seen),
        T(c3_realloc_may_not_leave),
        T(c4_out_pointers),
        T(w8_joined_payloads_are_widened_and_the_rest_is_zero),
        T(w9_nans_are_written_canonical),
        T(w10_parameters_left_to_right),
        T(a_wrong_value_of_the_host_is_a_trap),
        T(what_goes_in_comes_out),
        T(s8_the_deepest_type),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
