/* lift_test.c - values out of a guest, each rule of reference component-model 2.1-2.3 by name.
 *
 * canon_vectors_test.c compares random values with the specification; here are the edges, the
 * traps, and what values cost. Strings have their own file.
 */
#include "support_rules.h"

static void poke(uint32_t at, const void *bytes, size_t n)
{
    memcpy(canon_mem(g, NULL) + at, bytes, n);
}

static void poke_list(uint32_t at, uint32_t ptr, uint32_t len)
{
    poke(at, &ptr, 4);
    poke(at + 4, &len, 4);
}

static enum hf_err lift_vals(const struct hf_type *t, const uint64_t *bits, uint32_t n,
                             struct hf_value *ret)
{
    struct hf_canon_cx cx = canon_cx(g, true);
    union hf_val vals[HF_FLAT_MAX];
    uint32_t at = 0;
    memset(vals, 0xcc, sizeof vals); /* the upper bytes of a core value mean nothing */
    for (uint32_t i = 0; i < n; i++)
        vals[i].u64 = bits[i];
    enum hf_err err = hf_lift_flat(&cx, t, vals, &at, ret);
    if (err == HF_OK)
        assert_int_equal(at, t->n_flat);
    return err;
}

/* ---- V1-V5: scalars and cases ---- */

static void v1_v2_v3_numbers(void **state)
{
    (void)state;
    static const struct {
        enum hf_type_kind kind;
        uint64_t flat, want;
    } rows[] = {
        {HF_T_BOOL, 0, 0},
        {HF_T_BOOL, 1, 1},
        {HF_T_BOOL, 2, 1},
        {HF_T_BOOL, 0x100, 1}, /* any non-zero i32 */
        {HF_T_U8, 0x1ff, 0xff},
        {HF_T_S8, 0x80, (uint64_t)-128},
        {HF_T_S8, 0xffffff7f, 127},
        {HF_T_U16, 0xabcd1234, 0x1234},
        {HF_T_S16, 0x18000, (uint64_t)-32768},
        {HF_T_U32, 0xffffffff, 0xffffffff},
        {HF_T_S32, 0xffffffff, (uint64_t)-1},
        {HF_T_U32, UINT64_C(0xdeadbeef00000007), 7}, /* an i32 is the low half of its slot */
        {HF_T_S64, UINT64_MAX, UINT64_MAX},
        {HF_T_U64, UINT64_MAX, UINT64_MAX},
        {HF_T_F32, 0x3f800000, 0x3f800000},
        {HF_T_F32, 0x7f800000, 0x7f800000},
        {HF_T_F32, 0x7f800001, 0x7fc00000},
        {HF_T_F32, 0xffffffff, 0x7fc00000},
        {HF_T_F64, UINT64_C(0xfff0000000000000), UINT64_C(0xfff0000000000000)},
        {HF_T_F64, UINT64_C(0xfff0000000000001), UINT64_C(0x7ff8000000000000)},
        {HF_T_F64, UINT64_C(0x7ff8000000000001), UINT64_C(0x7ff8000000000000)},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_value v;
        assert_int_equal(lift_vals(prim(rows[i].kind), &rows[i].flat, 1, &v), HF_OK);
        assert_int_equal(v.u64, rows[i].want);
        poke(AT, &rows[i].flat, 8);
        if (rows[i].kind == HF_T_BOOL && rows[i].flat > 0xff)
            continue; /* in memory a bool is one byte */
        assert_int_equal(lift_at(prim(rows[i].kind), AT, &v), HF_OK);
        assert_int_equal(v.u64, rows[i].want);
    }
}

static void v4_chars(void **state)
{
    (void)state;
    static const struct {
        uint32_t c;
        bool ok;
    } rows[] = {{0, true},      {0xd7ff, true},   {0xd800, false},   {0xdfff, false},
                {0xe000, true}, {0x10ffff, true}, {0x110000, false}, {UINT32_MAX, false}};
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_value v;
        uint64_t bits = rows[i].c;
        for (int way = 0; way < 2; way++) {
            poke(AT, &bits, 4);
            enum hf_err err = way == 0 ? lift_vals(prim(HF_T_CHAR), &bits, 1, &v)
                                       : lift_at(prim(HF_T_CHAR), AT, &v);
            if (!rows[i].ok) {
                expect_trap(err, "invalid `char` bit pattern");
                continue;
            }
            assert_int_equal(err, HF_OK);
            assert_int_equal(v.u64, rows[i].c);
        }
    }
}

static void v5_discriminants(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 255, 256, 257, 300, 65536, 65537};
    for (size_t i = 0; i < HF_ARRAY_LEN(counts); i++) {
        const struct hf_type *t = canon_compound(&world, HF_T_ENUM, NULL, counts[i]);
        struct hf_value v;
        const uint32_t last = counts[i] - 1, past = counts[i];
        unsigned size = counts[i] <= 256 ? 1 : counts[i] <= 65536 ? 2 : 4; /* L3 */
        assert_int_equal(t->disc_size, size);
        poke(AT, &last, 4);
        assert_int_equal(lift_at(t, AT, &v), HF_OK);
        assert_int_equal(v.tag, last);
        assert_null(v.items);
        if (size == 4 || past < 1u << 8 * size) {
            poke(AT, &past, 4);
            expect_trap(lift_at(t, AT, &v), "invalid variant discriminant");
        }
        assert_int_equal(lift_vals(t, (uint64_t[]){last}, 1, &v), HF_OK);
        expect_trap(lift_vals(t, (uint64_t[]){past}, 1, &v), "invalid variant discriminant");
        expect_trap(lift_vals(t, (uint64_t[]){UINT32_MAX}, 1, &v), "invalid variant discriminant");
    }
}

/* F2, V5: payload slots are read through the joined types. */
static void v5_joined_payloads(void **state)
{
    (void)state;
    const struct hf_type *const pair[] = {prim(HF_T_F32), prim(HF_T_U8)};
    const struct hf_type *const cases[] = {
        prim(HF_T_F32), prim(HF_T_U32), prim(HF_T_F64),
        prim(HF_T_U64), NULL,           canon_compound(&world, HF_T_TUPLE, pair, 2)};
    const struct hf_type *t = canon_compound(&world, HF_T_VARIANT, cases, 6);
    struct hf_value v;
    assert_int_equal(t->n_flat, 3);
    assert_int_equal(t->flat[1], HF_I64);
    assert_int_equal(t->flat[2], HF_I32);
    assert_int_equal(lift_vals(t, (uint64_t[]){0, UINT64_C(0xabcdef013f800000), 9}, 3, &v), HF_OK);
    assert_int_equal(v.items->u64, 0x3f800000);
    assert_int_equal(lift_vals(t, (uint64_t[]){1, UINT64_C(0xabcdef0100000007), 9}, 3, &v), HF_OK);
    assert_int_equal(v.items->u64, 7);
    assert_int_equal(lift_vals(t, (uint64_t[]){2, UINT64_C(0x4000000000000000), 9}, 3, &v), HF_OK);
    assert_true(v.items->f64 == 2.0);
    assert_int_equal(lift_vals(t, (uint64_t[]){4, 5, 6}, 3, &v), HF_OK);
    assert_null(v.items);
    assert_int_equal(lift_vals(t, (uint64_t[]){5, UINT64_C(0x99999999ffffffff), 0x101}, 3, &v),
                     HF_OK);
    assert_int_equal(v.items->items[0].u64, 0x7fc00000);
    assert_int_equal(v.items->items[1].u64, 1);
}

/* L5 */
static void l5_unknown_flags_are_ignored(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 8, 9, 16, 17, 31, 32};
    for (size_t i = 0; i < HF_ARRAY_LEN(counts); i++) {
        const struct hf_type *t = canon_compound(&world, HF_T_FLAGS, NULL, counts[i]);
        uint64_t all = UINT32_MAX, mask = counts[i] == 32 ? UINT32_MAX : (1u << counts[i]) - 1;
        struct hf_value v;
        poke(AT, &all, 4);
        assert_int_equal(lift_at(t, AT, &v), HF_OK);
        assert_int_equal(v.u64, mask);
        assert_int_equal(lift_vals(t, &all, 1, &v), HF_OK);
        assert_int_equal(v.u64, mask);
        /* On the way in they are bits that the host made up. */
        struct hf_canon_cx cx = canon_cx(g, true);
        union hf_val out[1];
        uint32_t at = 0;
        assert_int_equal(hf_lower_flat(&cx, t, &(struct hf_value){.u64 = mask}, out, &at), HF_OK);
        assert_int_equal(out[0].u64, mask);
        at = 0;
        expect_trap(hf_lower_flat(&cx, t, &(struct hf_value){.u64 = mask + 1}, out, &at),
                    "the host gave flags");
    }
}

/* ---- V7: lists ---- */

static void v7_pointers_and_lengths(void **state)
{
    (void)state;
    const struct hf_type *const two[] = {prim(HF_T_U32), prim(HF_T_BOOL)};
    const struct hf_type *bytes = canon_list(&world, prim(HF_T_U8)),
                         *words = canon_list(&world, prim(HF_T_U64)),
                         *bools = canon_list(&world, prim(HF_T_BOOL)),
                         *pairs = canon_list(&world, canon_compound(&world, HF_T_TUPLE, two, 2));
    static const char oob[] = "list content out-of-bounds", odd[] = "unaligned pointer: list";
    const uint32_t end = CANON_PAGE;
    const struct {
        const struct hf_type *t;
        uint32_t ptr, len;
        const char *text;
    } rows[] = {
        {bytes, end, 0, NULL},
        {bytes, end + 1, 0, oob},
        {bytes, UINT32_MAX, 0, oob},
        {bytes, end - 5, 5, NULL},
        {bytes, end - 5, 6, oob},
        {bytes, 1, UINT32_MAX, oob},
        {bytes, UINT32_MAX, UINT32_MAX, oob},
        {words, 4, 1, odd},
        {words, 7, 0, odd},
        {words, end - 8, 1, NULL},
        {words, end - 8, 2, oob},
        {words, 8, 0x20000000, oob}, /* 2^32 bytes: wraps to 0 in 32 bits */
        {words, 8, 0x20000001, oob},
        {words, UINT32_MAX - 7, 0, oob},
        {bools, end - 2, 2, NULL},
        {bools, end - 2, 3, oob},
        {pairs, 2, 1, odd},
        {pairs, end - 16, 2, NULL},
        {pairs, end - 12, 2, oob},
        {pairs, 4, 0x20000000, oob},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_value v;
        uint64_t flat[] = {rows[i].ptr, rows[i].len};
        poke_list(AT, rows[i].ptr, rows[i].len);
        for (int way = 0; way < 2; way++) {
            enum hf_err err =
                way == 0 ? lift_at(rows[i].t, AT, &v) : lift_vals(rows[i].t, flat, 2, &v);
            if (rows[i].text != NULL) {
                expect_trap(err, rows[i].text);
                continue;
            }
            assert_int_equal(err, HF_OK);
            assert_int_equal(v.len, rows[i].len);
        }
    }
}

static void v7_longest(void **state)
{
    (void)state;
    struct hf_value v;
    uint32_t at = 0;
    const struct hf_type *words = canon_list(&world, prim(HF_T_U64));
    union hf_val vals[2] = {{.u64 = 0}, {.u64 = 1u << 25}};
    struct hf_canon_cx cx = canon_cx(g, true);
    cx.mem_size = (size_t)1 << 31; /* as if it were there */
    expect_trap(hf_lift_flat(&cx, words, vals, &at, &v), "list of 268435456 bytes is too long");
    vals[1].u64 = (1u << 25) - 1;
    at = 0;
    assert_int_equal(hf_lift_flat(&cx, words, vals, &at, &v), HF_OK); /* a view: nothing is read */

    v = (struct hf_value){.bytes = (const uint8_t *)"x", .len = 1u << 25};
    at = 0;
    cx = canon_cx(g, true);
    expect_trap(hf_lower_flat(&cx, words, &v, vals, &at), "is too long");
}

static void s15_memory_that_grew_between_calls_is_seen(void **state)
{
    (void)state;
    struct canon_guest *was = g;
    const struct hf_type *bytes = canon_list(&world, prim(HF_T_U8));
    const uint64_t seen[2] = {CANON_PAGE - 5, 5}, beyond[2] = {CANON_PAGE, 5};
    union hf_val one[1] = {{.u64 = 1}};
    struct hf_value v;
    size_t size;
    g = &world.guests[2]; /* its memory stays grown */
    assert_int_equal(lift_vals(bytes, seen, 2, &v), HF_OK);
    expect_trap(lift_vals(bytes, beyond, 2, &v), "out-of-bounds");
    assert_int_equal(hf_store_call(world.inst.store, &g->grow, one, 1), HF_OK);
    assert_int_equal(lift_vals(bytes, beyond, 2, &v), HF_OK);
    assert_ptr_equal(v.bytes, canon_mem(g, &size) + CANON_PAGE);
    assert_int_equal(size, 2 * CANON_PAGE);
    expect_trap(lift_vals(bytes, (const uint64_t[]){2 * CANON_PAGE - 4, 5}, 2, &v),
                "out-of-bounds");
    g = was;
}

static void v7_lists_of_scalars_are_views(void **state)
{
    (void)state;
    static const enum hf_type_kind kinds[] = {HF_T_U8,  HF_T_S8,  HF_T_U16, HF_T_S16, HF_T_U32,
                                              HF_T_S32, HF_T_U64, HF_T_S64, HF_T_F32, HF_T_F64};
    for (size_t i = 0; i < HF_ARRAY_LEN(kinds); i++) {
        struct hf_value v;
        poke_list(AT, 1024, 100);
        assert_int_equal(lift_at(canon_list(&world, prim(kinds[i])), AT, &v), HF_OK);
        assert_ptr_equal(v.bytes, canon_mem(g, NULL) + 1024);
        assert_int_equal(v.len, 100);
        assert_int_equal(world.inst.arena.used, 0);
    }
}

static void v3_v7_odd_nans_cost_a_copy(void **state)
{
    (void)state;
    const uint32_t odd32[] = {0x3f800000, 0xffc00001, 0x7f800000},
                   even32[] = {0x3f800000, 0x7fc00000, 0x7f800000};
    const uint64_t odd64[] = {1, UINT64_C(0x7ff0000000000001)},
                   even64[] = {1, UINT64_C(0x7ff8000000000000)};
    struct hf_value v;
    poke(1024, odd32, sizeof odd32);
    poke_list(AT, 1024, 3);
    assert_int_equal(lift_at(canon_list(&world, prim(HF_T_F32)), AT, &v), HF_OK);
    assert_memory_equal(v.bytes, even32, sizeof even32);
    assert_memory_equal(canon_mem(g, NULL) + 1024, odd32, sizeof odd32); /* the guest's own stay */
    poke(1024, odd64, sizeof odd64);
    poke_list(AT, 1024, 2);
    assert_int_equal(lift_at(canon_list(&world, prim(HF_T_F64)), AT, &v), HF_OK);
    assert_memory_equal(v.bytes, even64, sizeof even64);

    struct hf_canon_cx cx =
        canon_cx(g, false); /* between components they are made canonical at the other end */
    size_t used = world.inst.arena.used;
    assert_int_equal(hf_lift_memory(&cx, canon_list(&world, prim(HF_T_F64)), AT, &v), HF_OK);
    assert_ptr_equal(v.bytes, canon_mem(g, NULL) + 1024);
    assert_int_equal(world.inst.arena.used, used);
}

/* ---- S14 ---- */

static void s14_a_list_costs_16_bytes_an_element_before_it_is_read(void **state)
{
    (void)state;
    struct hf_value v;
    const struct hf_type *bools = canon_list(&world, prim(HF_T_BOOL));
    poke_list(AT, 1024, 1000);
    assert_int_equal(lift_at(bools, AT, &v), HF_OK);
    assert_int_equal(world.inst.arena.used, 1000 * sizeof(struct hf_value));

    /* The budget is 1 MiB: 65,536 elements do not fit beside the 1,000, and nothing was taken for
     * the attempt. */
    const struct hf_type *chars = canon_list(&world, prim(HF_T_BOOL));
    poke_list(AT, 0, CANON_PAGE);
    size_t used = world.inst.arena.used;
    expect_trap(lift_at(chars, AT, &v),
                "limit: the values of this call take more than 1048576 bytes");
    assert_int_equal(world.inst.arena.used, used);
}

/* A few bytes that say "the same large list" over and over. */
static void s14_a_bomb_of_lists_meets_the_budget(void **state)
{
    (void)state;
    struct hf_value v;
    const struct hf_type *t = canon_list(&world, canon_list(&world, prim(HF_T_BOOL)));
    for (uint32_t i = 0; i < 64; i++)
        poke_list(1024 + 8 * i, 0, 4096);
    poke_list(AT, 1024, 64);
    expect_trap(lift_at(t, AT, &v), "limit: the values of this call");
    assert_true(world.inst.arena.used <= world.inst.arena.max);
    hf_arena_reset(&world.inst.arena);
    poke_list(AT, 1024, 15); /* 15 * (64 KiB + 16) fits in 1 MiB */
    assert_int_equal(lift_at(t, AT, &v), HF_OK);
}

/* ---- V8: spilled parameters ---- */

static void v8_spilled_parameters(void **state)
{
    (void)state;
    const struct hf_type *params[20];
    struct hf_value args[20];
    for (int i = 0; i < 20; i++)
        params[i] = prim(i % 2 == 0 ? HF_T_U8 : HF_T_U64);
    struct hf_ftype *f = canon_ftype(&world, params, 20, NULL);
    assert_true(f->params_spilled);
    assert_int_equal(f->params_size, 160);
    for (uint64_t i = 0; i < 20; i++)
        poke(AT + 8 * (uint32_t)i, &i, 8);

    union hf_val vals[1] = {{.u64 = AT}};
    struct hf_canon_cx cx = canon_cx(g, true);
    memset(args, 0, sizeof args);
    assert_int_equal(hf_lift_params(&cx, f, vals, args), HF_OK);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(args[i].u64, i);
    vals[0].u64 = CANON_PAGE - 160;
    assert_int_equal(hf_lift_params(&cx, f, vals, args), HF_OK);
    vals[0].u64 = CANON_PAGE - 152;
    expect_trap(hf_lift_params(&cx, f, vals, args), "out of bounds");
    vals[0].u64 = UINT32_MAX - 7;
    expect_trap(hf_lift_params(&cx, f, vals, args), "out of bounds");
    vals[0].u64 = AT + 4;
    expect_trap(hf_lift_params(&cx, f, vals, args), "unaligned pointer");

    const struct hf_type *bad[] = {prim(HF_T_U32), prim(HF_T_CHAR)};
    f = canon_ftype(&world, bad, 2, NULL);
    union hf_val two[2] = {{.u64 = 1}, {.u64 = 0xd800}};
    expect_trap(hf_lift_params(&cx, f, two, args), "argument 2 (p1): invalid `char`");
}

/* ---- V9, V10, W6, W7: handles ---- */

static uint32_t give(struct hf_ci *ci, const struct hf_resource_type *r, uint64_t rep, bool own)
{
    uint32_t index = 0;
    assert_int_equal(hf_handles_add(&ci->handles,
                                    &(struct hf_handle){.type = r, .rep = rep, .own = own}, &index),
                     HF_OK);
    return index;
}

static void v9_own_moves_out(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r),
                         *other = canon_handle(&world, HF_T_OWN, &other_r);
    struct hf_value v;
    uint32_t a = give(g->ci, &host_r, 71, true), b = give(g->ci, &host_r, 72, false);
    assert_int_equal(lift_vals(own, (uint64_t[]){a}, 1, &v), HF_OK);
    assert_int_equal((uintptr_t)v.obj, 71);
    assert_null(hf_handles_at(&g->ci->handles, a));
    expect_trap(lift_vals(own, (uint64_t[]){a}, 1, &v), "unknown handle index 1");
    expect_trap(lift_vals(own, (uint64_t[]){b}, 1, &v), "cannot lift own resource from a borrow");
    expect_trap(lift_vals(own, (uint64_t[]){0}, 1, &v), "unknown handle index 0");
    expect_trap(lift_vals(other, (uint64_t[]){b}, 1, &v),
                "handle index 2 used with the wrong type");
    assert_int_equal(g->ci->handles.live, 1);
}

static void v10_borrow_is_lent_until_given_back(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r),
                         *borrow = canon_handle(&world, HF_T_BORROW, &host_r);
    struct hf_canon_cx cx = canon_cx(g, true);
    struct hf_value v;
    uint32_t a = give(g->ci, &host_r, 71, true), at;
    union hf_val vals[1] = {{.u64 = a}};
    for (uint32_t i = 1; i <= 200; i++) { /* more than are kept inline, and than one chunk holds */
        at = 0;
        assert_int_equal(hf_lift_flat(&cx, borrow, vals, &at, &v), HF_OK);
        assert_int_equal((uintptr_t)v.obj, 71);
        assert_int_equal(hf_handles_at(&g->ci->handles, a)->lends, i);
    }
    at = 0;
    expect_trap(hf_lift_flat(&cx, own, vals, &at, &v),
                "cannot remove owned resource while borrowed: handle index 1 (pollable)");
    hf_canon_give_back(&cx);
    assert_int_equal(hf_handles_at(&g->ci->handles, a)->lends, 0);
    at = 0;
    assert_int_equal(hf_lift_flat(&cx, own, vals, &at, &v), HF_OK);
}

static void w6_w7_handles_move_in(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &guest_r),
                         *borrow = canon_handle(&world, HF_T_BORROW, &guest_r),
                         *host_borrow = canon_handle(&world, HF_T_BORROW, &host_r);
    struct canon_guest *definer = &world.guests[1]; /* guest_r.ci */
    struct hf_scope scope = {0};
    union hf_val vals[1];
    struct hf_value rep = hf_value_u64(1234);
    const struct {
        struct canon_guest *to;
        const struct hf_type *t;
        uint32_t want;
        uint32_t borrows;
        bool entry;
    } rows[] = {
        {g, own, 1, 0, true},
        {g, borrow, 2, 1, true},
        {g, host_borrow, 3, 2, true},
        {definer, own, 1, 2, true},
        {definer, borrow, 1234, 2, false}, /* W7: it defines the type */
        {definer, host_borrow, 2, 3, true},
    };
    canon_guest_clear(definer);
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_canon_cx cx = canon_cx(rows[i].to, true);
        uint32_t at = 0;
        cx.scope = &scope;
        assert_int_equal(hf_lower_flat(&cx, rows[i].t, &rep, vals, &at), HF_OK);
        assert_int_equal(vals[0].u64, rows[i].want);
        assert_int_equal(scope.n_borrows, rows[i].borrows);
        const struct hf_handle *h = hf_handles_at(&rows[i].to->ci->handles, vals[0].u32);
        if (!rows[i].entry)
            continue;
        assert_ptr_equal(h->type, rows[i].t->resource);
        assert_int_equal(h->rep, 1234);
        assert_true(h->own == (rows[i].t->kind == HF_T_OWN));
        assert_ptr_equal(h->scope, h->own ? NULL : &scope);
    }
    g->ci->handles.max = 3;
    struct hf_canon_cx cx = canon_cx(g, true);
    uint32_t at = 0;
    expect_trap(hf_lower_flat(&cx, own, &rep, vals, &at),
                "limit: the handle table is full with 3 handles");
    g->ci->handles.max = 0;
    assert_int_equal(cx.n_owns, 0);
    canon_guest_clear(definer);
}

static void what_was_half_lifted_is_let_go(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r),
                         *borrow = canon_handle(&world, HF_T_BORROW, &host_r),
                         *guest = canon_handle(&world, HF_T_OWN, &guest_r);
    const struct hf_type *const some[] = {own};
    const struct hf_type *const either[] = {guest, canon_list(&world, own)};
    const struct hf_type *const fields[] = {guest,
                                            canon_compound(&world, HF_T_OPTION, some, 1),
                                            borrow,
                                            canon_compound(&world, HF_T_RESULT, either, 2),
                                            canon_list(&world, own),
                                            own};
    const struct hf_type *t = canon_compound(&world, HF_T_RECORD, fields, 6);
    /* guest#1, some(#2), borrow #3, error([#4, #5]), [#6, 99] - the last is wrong */
    uint32_t words[] = {1, 1, 2, 3, 1, 1024, 2, 1032, 2, 7}, list[] = {4, 5, 6, 99};
    give(g->ci, &guest_r, 1, true);
    for (uint64_t i = 2; i <= 7; i++)
        give(g->ci, &host_r, i, true);
    memcpy(canon_mem(g, NULL) + 1024, list, sizeof list);
    uint8_t *mem = canon_mem(g, NULL) + AT;
    memset(mem, 0, 64);
    memcpy(mem, &words[0], 4);
    mem[4] = 1;
    memcpy(mem + 8, &words[2], 4);
    memcpy(mem + 12, &words[3], 4);
    mem[16] = 1;
    memcpy(mem + 20, &words[5], 8);
    memcpy(mem + 28, &words[7], 8);
    memcpy(mem + 36, &words[9], 4);
    assert_int_equal(t->size, 40);

    struct hf_value v;
    struct hf_canon_cx cx = canon_cx(g, true);
    expect_trap(hf_lift_memory(&cx, t, AT, &v), "unknown handle index 99");
    hf_canon_let_go(t, &v, NULL);
    assert_int_equal(n_dropped, 4);
    static const uintptr_t taken[] = {2, 4, 5, 6};
    for (int i = 0; i < 4; i++)
        assert_int_equal(dropped[i], taken[i]);
    hf_canon_give_back(&cx);
    assert_int_equal(hf_handles_at(&g->ci->handles, 3)->lends, 0);
    assert_int_equal(g->ci->handles.live, 2); /* 3, lent and back; 7, not reached */

    /* skip: the first owned ones have arrived elsewhere */
    n_dropped = 0;
    uint32_t skip = 3; /* the guest's, 2 and 4 */
    hf_canon_let_go(t, &v, &skip);
    assert_int_equal(skip, 0);
    assert_int_equal(n_dropped, 2);
    assert_int_equal(dropped[0], 5);
    assert_int_equal(dropped[1], 6);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        T(v1_v2_v3_numbers),
        T(v4_chars),
        T(v5_discriminants),
        T(v5_joined_payloads),
        T(l5_unknown_flags_are_ignored),
        T(v7_pointers_and_lengths),
        T(v7_longest),
        T(v7_lists_of_scalars_are_views),
        T(v3_v7_odd_nans_cost_a_copy),
        T(s14_a_list_costs_16_bytes_an_element_before_it_is_read),
        T(s14_a_bomb_of_lists_meets_the_budget),
        T(s15_memory_that_grew_between_calls_is_seen),
        T(v8_spilled_parameters),
        T(v9_own_moves_out),
        T(v10_borrow_is_lent_until_given_back),
        T(w6_w7_handles_move_in),
        T(what_was_half_lifted_is_let_go),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
