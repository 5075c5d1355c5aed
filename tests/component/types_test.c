/* types_test.c - layout and flattening of types against hand-computed tables; equality; the bounds
 * S7 and S8. */
#include "component/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define I HF_I32
#define L HF_I64
#define F HF_F32
#define D HF_F64

static struct hf_arena arena;

static int setup(void **state)
{
    (void)state;
    hf_arena_init(&arena, 64 * 1024, 64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hf_arena_done(&arena);
    return 0;
}

static const struct hf_type *prim(enum hf_type_kind k)
{
    return hf_type_prim(k);
}

static const struct hf_type *make(enum hf_type_kind kind, const struct hf_member *m, uint32_t n)
{
    const struct hf_type *t = NULL;
    struct hf_report report = {0};
    if (hf_type_compound(&arena, kind, m, n, &t, &report) != HF_OK)
        fail_msg("%s", report.text);
    return t;
}

/* Up to four parts, named a, b, c, d; NULL ends. A case without payload is `none`. */
static const struct hf_type none;
static const struct hf_type *of(enum hf_type_kind kind, const struct hf_type *a,
                                const struct hf_type *b, const struct hf_type *c,
                                const struct hf_type *d)
{
    const struct hf_type *parts[4] = {a, b, c, d};
    static const char *const names[4] = {"a", "b", "c", "d"};
    struct hf_member m[4];
    uint32_t n = 0;
    for (; n < 4 && parts[n] != NULL; n++)
        m[n] = (struct hf_member){.name = hf_view_of(names[n]),
                                  .type = parts[n] == &none ? NULL : parts[n]};
    return make(kind, m, n);
}

static const struct hf_type *list(const struct hf_type *elem)
{
    const struct hf_type *t = NULL;
    assert_int_equal(hf_type_list(&arena, elem, &t, NULL), HF_OK);
    return t;
}

static const struct hf_type *labels(enum hf_type_kind kind, uint32_t n)
{
    struct hf_member *m = hf_arena_array(&arena, n, sizeof *m);
    for (uint32_t i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%u", i);
        m[i].name = hf_arena_copy(&arena, hf_view_of(name));
    }
    return make(kind, m, n);
}

static void expect_layout(const struct hf_type *t, uint32_t size, uint32_t align)
{
    assert_int_equal(t->size, size);
    assert_int_equal(t->align, align);
}

static void expect_flat(const struct hf_type *t, const char *flat)
{
    static const char letters[] = {[HF_I32] = 'i', [HF_I64] = 'l', [HF_F32] = 'f', [HF_F64] = 'd'};
    char text[HF_FLAT_MAX + 1] = {0};
    for (unsigned i = 0; i < t->n_flat; i++)
        text[i] = letters[t->flat[i]];
    assert_string_equal(text, flat);
}

static void expect_text(const struct hf_type *t, const char *want)
{
    struct hf_buf b = {0};
    assert_int_equal(hf_type_text(t, &b), HF_OK);
    assert_string_equal((const char *)b.ptr, want);
    hf_buf_done(&b);
}

/* ---- layout ---- */

static void L1_scalars(void **state)
{
    static const struct {
        enum hf_type_kind kind;
        uint32_t size, align;
        const char *flat;
        bool scalar, pointers;
    } table[] = {
        {HF_T_BOOL, 1, 1, "i", false, false},   {HF_T_S8, 1, 1, "i", true, false},
        {HF_T_U8, 1, 1, "i", true, false},      {HF_T_S16, 2, 2, "i", true, false},
        {HF_T_U16, 2, 2, "i", true, false},     {HF_T_S32, 4, 4, "i", true, false},
        {HF_T_U32, 4, 4, "i", true, false},     {HF_T_S64, 8, 8, "l", true, false},
        {HF_T_U64, 8, 8, "l", true, false},     {HF_T_F32, 4, 4, "f", true, false},
        {HF_T_F64, 8, 8, "d", true, false},     {HF_T_CHAR, 4, 4, "i", false, false},
        {HF_T_STRING, 8, 4, "ii", false, true},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        const struct hf_type *t = prim(table[i].kind);
        assert_int_equal(t->kind, table[i].kind);
        expect_layout(t, table[i].size, table[i].align);
        expect_flat(t, table[i].flat);
        assert_int_equal(t->scalar, table[i].scalar);
        assert_int_equal(t->has_pointers, table[i].pointers);
        assert_int_equal(t->depth, 1);
    }
    const struct hf_type *l = list(prim(HF_T_U8));
    expect_layout(l, 8, 4);
    expect_flat(l, "ii");
    assert_false(l->scalar);
    assert_true(l->elem->scalar);
    assert_true(l->has_pointers);
}

static void L2_records_and_tuples(void **state)
{
    (void)state;
    const struct hf_type *t = of(HF_T_RECORD, prim(HF_T_U8), prim(HF_T_U64), prim(HF_T_U16), NULL);
    expect_layout(t, 24, 8);
    assert_int_equal(t->members[0].offset, 0);
    assert_int_equal(t->members[1].offset, 8);
    assert_int_equal(t->members[2].offset, 16);
    expect_flat(t, "ili");
    t = of(HF_T_TUPLE, prim(HF_T_U8), prim(HF_T_U8), prim(HF_T_U16), prim(HF_T_F32));
    expect_layout(t, 8, 4);
    assert_int_equal(t->members[2].offset, 2);
    assert_int_equal(t->members[3].offset, 4);
    assert_int_equal(t->members[0].name.len, 0);
    expect_flat(t, "iiif");
    /* Nested: alignment of the inner one counts. */
    t = of(HF_T_RECORD, prim(HF_T_U8), of(HF_T_TUPLE, prim(HF_T_U16), prim(HF_T_U8), NULL, NULL),
           prim(HF_T_U8), NULL);
    expect_layout(t, 8, 2);
    assert_int_equal(t->members[1].offset, 2);
    assert_int_equal(t->members[2].offset, 6);
}

static void L3_variants(void **state)
{
    (void)state;
    const struct hf_type *t = of(HF_T_VARIANT, prim(HF_T_U8), prim(HF_T_U64), &none, NULL);
    assert_int_equal(t->disc_size, 1);
    assert_int_equal(t->payload, 8);
    expect_layout(t, 16, 8);
    t = of(HF_T_VARIANT, prim(HF_T_U8), &none, NULL, NULL);
    assert_int_equal(t->payload, 1);
    expect_layout(t, 2, 1);
    /* The discriminant grows with the number of cases. */
    assert_int_equal(labels(HF_T_VARIANT, 256)->disc_size, 1);
    t = labels(HF_T_VARIANT, 257);
    assert_int_equal(t->disc_size, 2);
    expect_layout(t, 2, 2);
    assert_int_equal(labels(HF_T_VARIANT, 65536)->disc_size, 2);
    t = labels(HF_T_VARIANT, 65537);
    assert_int_equal(t->disc_size, 4);
    expect_layout(t, 4, 4);
}

static void L4_enum_option_result(void **state)
{
    (void)state;
    const struct hf_type *t = labels(HF_T_ENUM, 3);
    expect_layout(t, 1, 1);
    expect_flat(t, "i");

    t = of(HF_T_OPTION, prim(HF_T_U32), NULL, NULL, NULL);
    assert_int_equal(t->n, 2);
    assert_null(t->members[0].type);
    assert_ptr_equal(t->members[1].type, prim(HF_T_U32));
    assert_true(hf_view_eq_text(t->members[0].name, "none"));
    assert_true(hf_view_eq_text(t->members[1].name, "some"));
    expect_layout(t, 8, 4);
    expect_flat(t, "ii");

    t = of(HF_T_RESULT, &none, prim(HF_T_STRING), NULL, NULL);
    assert_int_equal(t->n, 2);
    assert_true(hf_view_eq_text(t->members[0].name, "ok"));
    assert_true(hf_view_eq_text(t->members[1].name, "error"));
    expect_layout(t, 12, 4);
    expect_flat(t, "iii");
}

static void L5_flags(void **state)
{
    static const struct {
        uint32_t n, size;
    } table[] = {{1, 1}, {8, 1}, {9, 2}, {16, 2}, {17, 4}, {32, 4}};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        const struct hf_type *t = labels(HF_T_FLAGS, table[i].n);
        expect_layout(t, table[i].size, table[i].size);
        assert_int_equal(t->disc_size, table[i].size);
        expect_flat(t, "i");
    }
    struct hf_member m[33] = {0};
    const struct hf_type *t;
    assert_int_equal(hf_type_compound(&arena, HF_T_FLAGS, m, 33, &t, NULL), HF_INVALID);
}

static void L6_map_is_a_list_of_pairs(void **state)
{
    const struct hf_type *map;
    (void)state;
    assert_int_equal(hf_type_map(&arena, prim(HF_T_STRING), prim(HF_T_U8), &map, NULL), HF_OK);
    const struct hf_type *same = list(of(HF_T_TUPLE, prim(HF_T_STRING), prim(HF_T_U8), NULL, NULL));
    assert_int_equal(map->kind, HF_T_LIST);
    expect_layout(map, 8, 4);
    assert_int_equal(map->elem->size, same->elem->size);
    assert_false(hf_type_eq(map, same));
    assert_true(hf_type_eq(map, map));
    expect_text(map, "map<string, u8>");
}

/* ---- flattening ---- */

static void F1_F2_join_of_cases(void **state)
{
    (void)state;
    const struct hf_type *u32 = prim(HF_T_U32), *u64 = prim(HF_T_U64), *f32 = prim(HF_T_F32),
                         *f64 = prim(HF_T_F64);
    expect_flat(of(HF_T_VARIANT, u32, u32, NULL, NULL), "ii");
    expect_flat(of(HF_T_VARIANT, f32, f32, NULL, NULL), "if");
    expect_flat(of(HF_T_VARIANT, u32, f32, NULL, NULL), "ii");
    expect_flat(of(HF_T_VARIANT, f32, u32, NULL, NULL), "ii");
    expect_flat(of(HF_T_VARIANT, u32, u64, NULL, NULL), "il");
    expect_flat(of(HF_T_VARIANT, f32, f64, NULL, NULL), "il");
    expect_flat(of(HF_T_VARIANT, f64, f64, NULL, NULL), "id");
    expect_flat(of(HF_T_VARIANT, u64, f64, NULL, NULL), "il");
    expect_flat(of(HF_T_VARIANT, f32, u64, u32, NULL), "il");
    /* Position by position: the longer case goes on alone. */
    expect_flat(of(HF_T_VARIANT, prim(HF_T_STRING), f64, NULL, NULL), "ili");
    expect_flat(of(HF_T_RESULT, of(HF_T_TUPLE, f32, f64, NULL, NULL), u32, NULL, NULL), "iid");
}

static struct hf_ftype *func(const struct hf_type *const *params, uint32_t n,
                             const struct hf_type *result)
{
    struct hf_member m[32];
    struct hf_ftype *f = NULL;
    struct hf_report report = {0};
    for (uint32_t i = 0; i < n; i++)
        m[i] = (struct hf_member){.name = HF_VIEW("p"), .type = params[i]};
    if (hf_ftype_make(&arena, m, n, result, &f, &report) != HF_OK)
        fail_msg("%s", report.text);
    return f;
}

static void expect_signature(const struct hf_functype *t, const char *want)
{
    static const char letters[] = {[HF_I32] = 'i', [HF_I64] = 'l', [HF_F32] = 'f', [HF_F64] = 'd'};
    char text[64] = {0};
    size_t at = 0;
    for (uint32_t i = 0; i < t->n_params; i++)
        text[at++] = letters[t->params[i]];
    text[at++] = '>';
    for (uint32_t i = 0; i < t->n_results; i++)
        text[at++] = letters[t->results[i]];
    assert_string_equal(text, want);
}

static void F3_parameters_spill_past_16(void **state)
{
    const struct hf_type *p[17];
    (void)state;
    for (int i = 0; i < 17; i++)
        p[i] = prim(HF_T_U32);
    struct hf_ftype *f = func(p, 16, NULL);
    assert_false(f->params_spilled);
    assert_false(f->needs_memory);
    assert_int_equal(f->lift.n_params, 16);
    f = func(p, 17, NULL);
    assert_true(f->params_spilled);
    assert_int_equal(f->params_size, 68);
    assert_int_equal(f->params_align, 4);
    assert_int_equal(f->params[16].offset, 64);
    expect_signature(&f->lift, "i>");
    expect_signature(&f->lower, "i>");
    assert_true(f->needs_memory);
    assert_true(f->needs_realloc_lift);
    assert_false(f->needs_realloc_lower);
    /* One parameter that is too long by itself. */
    const struct hf_type *wide =
        of(HF_T_TUPLE, prim(HF_T_STRING), prim(HF_T_STRING), prim(HF_T_STRING), prim(HF_T_STRING));
    wide = of(HF_T_TUPLE, wide, wide, wide, wide);
    assert_true(wide->flat_over);
    f = func(&wide, 1, NULL);
    assert_true(f->params_spilled);
    expect_signature(&f->lift, "i>");
}

static void F4_results_spill_past_1(void **state)
{
    const struct hf_type *u32 = prim(HF_T_U32);
    (void)state;
    struct hf_ftype *f = func(&u32, 1, prim(HF_T_F64));
    expect_signature(&f->lift, "i>d");
    expect_signature(&f->lower, "i>d");
    assert_false(f->result_spilled);
    assert_false(f->needs_memory);

    f = func(&u32, 1, prim(HF_T_STRING));
    expect_signature(&f->lift, "i>i");
    expect_signature(&f->lower, "ii>");
    assert_true(f->result_spilled);
    assert_true(f->needs_memory);
    assert_false(f->needs_realloc_lift);
    assert_true(f->needs_realloc_lower);

    f = func(&u32, 0, of(HF_T_TUPLE, u32, u32, NULL, NULL));
    expect_signature(&f->lift, ">i");
    expect_signature(&f->lower, "i>");
    assert_false(f->needs_realloc_lower);
    f = func(NULL, 0, NULL);
    expect_signature(&f->lift, ">");
    expect_signature(&f->lower, ">");
}

static void results_hold_no_borrow(void **state)
{
    static const struct hf_resource_type r = {.name = HF_VIEW("r")};
    const struct hf_type *borrow;
    struct hf_ftype *f;
    (void)state;
    assert_int_equal(hf_type_handle(&arena, HF_T_BORROW, &r, &borrow, NULL), HF_OK);
    assert_true(borrow->has_borrow && borrow->has_handles);
    assert_int_equal(hf_ftype_make(&arena, NULL, 0, borrow, &f, NULL), HF_INVALID);
    assert_int_equal(hf_ftype_make(&arena, NULL, 0, list(borrow), &f, NULL), HF_INVALID);
}

/* ---- bounds ---- */

static void S7_empty_types_are_refused(void **state)
{
    static const enum hf_type_kind kinds[] = {HF_T_RECORD, HF_T_TUPLE, HF_T_VARIANT, HF_T_ENUM,
                                              HF_T_FLAGS};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(kinds); i++) {
        struct hf_report report = {0};
        const struct hf_type *t = NULL;
        assert_int_equal(hf_type_compound(&arena, kinds[i], NULL, 0, &t, &report), HF_INVALID);
        assert_non_null(strstr(report.text, hf_type_kind_text(kinds[i])));
    }
}

static void S8_depth_is_bounded(void **state)
{
    const struct hf_type *t = prim(HF_T_U8), *next = NULL;
    struct hf_report report = {0};
    (void)state;
    for (int i = 1; i < HF_TYPE_DEPTH_MAX; i++)
        t = list(t);
    assert_int_equal(t->depth, HF_TYPE_DEPTH_MAX);
    assert_int_equal(hf_type_list(&arena, t, &next, &report), HF_LIMIT);
    const struct hf_member m = {.name = HF_VIEW("a"), .type = t};
    assert_int_equal(hf_type_compound(&arena, HF_T_OPTION, &m, 1, &next, NULL), HF_LIMIT);
}

static void S8_element_size_is_bounded(void **state)
{
    const struct hf_type *t = prim(HF_T_U64), *next = NULL;
    enum hf_err err = HF_OK;
    uint32_t last = 0;
    (void)state;
    for (int i = 0; i < 40 && err == HF_OK; i++) {
        struct hf_member m[2] = {{.type = t}, {.type = t}};
        last = t->size;
        err = hf_type_compound(&arena, HF_T_TUPLE, m, 2, &next, NULL);
        t = next;
    }
    assert_int_equal(err, HF_LIMIT);
    assert_int_equal(last, 1u << 27);
}

/* Types whose expansion has 2^90 nodes: made, compared and printed in no time. */
static void S8_shared_graphs_do_not_explode(void **state)
{
    const struct hf_type *t[2] = {prim(HF_T_U8), prim(HF_T_U8)};
    struct hf_buf text = {0};
    (void)state;
    for (int i = 0; i < 45; i++)
        for (int k = 0; k < 2; k++)
            t[k] = of(HF_T_TUPLE, list(t[k]), list(t[k]), NULL, NULL);
    assert_ptr_not_equal(t[0], t[1]);
    assert_true(hf_type_eq(t[0], t[1]));
    assert_int_equal(hf_type_text(t[0], &text), HF_OK);
    assert_true(text.len < 8192);
    assert_non_null(strstr((const char *)text.ptr, "..."));
    hf_buf_done(&text);
}

/* ---- equality and text ---- */

static void equality_is_structural(void **state)
{
    (void)state;
    const struct hf_type *u8 = prim(HF_T_U8), *s = prim(HF_T_STRING);
    assert_true(hf_type_eq(of(HF_T_RECORD, u8, s, NULL, NULL), of(HF_T_RECORD, u8, s, NULL, NULL)));
    assert_false(
        hf_type_eq(of(HF_T_RECORD, u8, s, NULL, NULL), of(HF_T_RECORD, s, u8, NULL, NULL)));
    assert_false(
        hf_type_eq(of(HF_T_RECORD, u8, NULL, NULL, NULL), of(HF_T_RECORD, u8, u8, NULL, NULL)));
    assert_false(
        hf_type_eq(of(HF_T_TUPLE, u8, NULL, NULL, NULL), of(HF_T_RECORD, u8, NULL, NULL, NULL)));
    assert_true(hf_type_eq(list(u8), list(u8)));
    assert_false(hf_type_eq(list(u8), list(s)));
    assert_true(hf_type_eq(labels(HF_T_ENUM, 3), labels(HF_T_ENUM, 3)));
    assert_false(hf_type_eq(labels(HF_T_ENUM, 3), labels(HF_T_ENUM, 4)));
    assert_false(hf_type_eq(labels(HF_T_ENUM, 3), labels(HF_T_FLAGS, 3)));
    assert_false(
        hf_type_eq(of(HF_T_RESULT, &none, u8, NULL, NULL), of(HF_T_RESULT, u8, &none, NULL, NULL)));
    struct hf_member other = {.name = HF_VIEW("z"), .type = u8};
    assert_false(hf_type_eq(make(HF_T_RECORD, &other, 1), of(HF_T_RECORD, u8, NULL, NULL, NULL)));
}

static void H6_resources_are_equal_to_themselves_only(void **state)
{
    static const struct hf_resource_type a = {.name = HF_VIEW("r")}, b = {.name = HF_VIEW("r")};
    const struct hf_type *own_a, *own_a2, *own_b, *borrow_a;
    struct hf_buf why = {0};
    (void)state;
    assert_int_equal(hf_type_handle(&arena, HF_T_OWN, &a, &own_a, NULL), HF_OK);
    assert_int_equal(hf_type_handle(&arena, HF_T_OWN, &a, &own_a2, NULL), HF_OK);
    assert_int_equal(hf_type_handle(&arena, HF_T_OWN, &b, &own_b, NULL), HF_OK);
    assert_int_equal(hf_type_handle(&arena, HF_T_BORROW, &a, &borrow_a, NULL), HF_OK);
    assert_true(hf_type_eq(own_a, own_a2));
    assert_false(hf_type_eq(own_a, own_b));
    assert_false(hf_type_eq(own_a, borrow_a));
    assert_false(hf_ftype_eq(func(&own_a, 1, NULL), func(&own_b, 1, NULL), false, &why));
    assert_string_equal((const char *)why.ptr,
                        "param 1: r is not r (another resource of that name)");
    hf_buf_done(&why);
}

static void a_difference_is_told_with_its_place(void **state)
{
    struct hf_buf why = {0};
    (void)state;
    const struct hf_type *u8 = prim(HF_T_U8), *s = prim(HF_T_STRING);
    const struct hf_type *pa[2] = {u8, list(u8)}, *pb[2] = {u8, s};
    assert_false(hf_ftype_eq(func(pa, 2, NULL), func(pb, 2, NULL), true, &why));
    assert_string_equal((const char *)why.ptr, "param 2: list<u8> is not string");
    hf_buf_clear(&why);
    const struct hf_type *ra = of(HF_T_RESULT, of(HF_T_RECORD, s, u8, NULL, NULL), s, NULL, NULL);
    const struct hf_type *rb = of(HF_T_RESULT, of(HF_T_RECORD, s, s, NULL, NULL), s, NULL, NULL);
    assert_false(hf_ftype_eq(func(NULL, 0, ra), func(NULL, 0, rb), true, &why));
    assert_string_equal((const char *)why.ptr, "result: case ok: field b: u8 is not string");
    hf_buf_clear(&why);
    assert_false(hf_ftype_eq(func(NULL, 0, ra), func(NULL, 0, NULL), true, &why));
    assert_non_null(strstr((const char *)why.ptr, "is not nothing"));
    hf_buf_clear(&why);
    assert_false(hf_ftype_eq(func(pa, 2, NULL), func(pa, 1, NULL), true, &why));
    assert_string_equal((const char *)why.ptr, "2 parameters, not 1");
    hf_buf_done(&why);
}

static void parameter_names_count_only_when_asked(void **state)
{
    struct hf_member a = {.name = HF_VIEW("x"), .type = prim(HF_T_U8)}, b = a;
    struct hf_ftype *fa, *fb;
    struct hf_buf why = {0};
    (void)state;
    b.name = HF_VIEW("y");
    assert_int_equal(hf_ftype_make(&arena, &a, 1, NULL, &fa, NULL), HF_OK);
    assert_int_equal(hf_ftype_make(&arena, &b, 1, NULL, &fb, NULL), HF_OK);
    assert_true(hf_ftype_eq(fa, fb, false, &why));
    assert_int_equal(why.len, 0);
    assert_false(hf_ftype_eq(fa, fb, true, &why));
    assert_string_equal((const char *)why.ptr, "param 1 is called \"x\", not \"y\"");
    hf_buf_done(&why);
}

static void text_reads_like_wit(void **state)
{
    struct hf_buf b = {0};
    (void)state;
    const struct hf_type *u8 = prim(HF_T_U8), *s = prim(HF_T_STRING);
    expect_text(list(of(HF_T_TUPLE, s, u8, NULL, NULL)), "list<tuple<string, u8>>");
    expect_text(of(HF_T_RECORD, u8, s, NULL, NULL), "record { a: u8, b: string }");
    expect_text(of(HF_T_VARIANT, u8, &none, NULL, NULL), "variant { a(u8), b }");
    expect_text(labels(HF_T_FLAGS, 2), "flags { l0, l1 }");
    expect_text(of(HF_T_RESULT, &none, &none, NULL, NULL), "result");
    expect_text(of(HF_T_RESULT, &none, s, NULL, NULL), "result<_, string>");
    expect_text(of(HF_T_RESULT, u8, &none, NULL, NULL), "result<u8>");
    expect_text(of(HF_T_OPTION, s, NULL, NULL, NULL), "option<string>");
    assert_int_equal(hf_ftype_text(func(&u8, 1, list(s)), &b), HF_OK);
    assert_string_equal((const char *)b.ptr, "func(p: u8) -> list<string>");
    hf_buf_done(&b);
}

static void labels_are_copied(void **state)
{
    char name[] = "abc";
    struct hf_member m = {.name = hf_view_of(name), .type = prim(HF_T_U8)};
    (void)state;
    const struct hf_type *t = make(HF_T_RECORD, &m, 1);
    name[0] = 'x';
    m.name = HF_VIEW("zzz");
    assert_true(hf_view_eq_text(t->members[0].name, "abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L1_scalars),
        cmocka_unit_test(L2_records_and_tuples),
        cmocka_unit_test(L3_variants),
        cmocka_unit_test(L4_enum_option_result),
        cmocka_unit_test(L5_flags),
        cmocka_unit_test(L6_map_is_a_list_of_pairs),
        cmocka_unit_test(F1_F2_join_of_cases),
        cmocka_unit_test(F3_parameters_spill_past_16),
        cmocka_unit_test(F4_results_spill_past_1),
        cmocka_unit_test(results_hold_no_borrow),
        cmocka_unit_test(S7_empty_types_are_refused),
        cmocka_unit_test(S8_depth_is_bounded),
        cmocka_unit_test(S8_element_size_is_bounded),
        cmocka_unit_test(S8_shared_graphs_do_not_explode),
        cmocka_unit_test(equality_is_structural),
        cmocka_unit_test(H6_resources_are_equal_to_themselves_only),
        cmocka_unit_test(a_difference_is_told_with_its_place),
        cmocka_unit_test(parameter_names_count_only_when_asked),
        cmocka_unit_test(text_reads_like_wit),
        cmocka_unit_test(labels_are_copied),
    };
    return cmocka_run_group_tests_name("component types", tests, setup, teardown);
}
