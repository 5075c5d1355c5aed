/* value_bytes_test.c - the canonical bytes of values: each type's bytes to the last one, wrong
 * bytes refused with their place, random values there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "component/value_bytes.h"
#include "support_canon.h"

static struct canon_world world; /* for its types only; no engine is opened */
static struct hf_arena arena;
static const struct hf_host_resource ops = {"thing", NULL};
static const struct hf_resource_type host_r = {.name = {(const uint8_t *)"thing", 5}, .host = &ops};
static const struct hf_resource_type guest_r = {.name = {(const uint8_t *)"counter", 7}, .ci = 1};

static int open(void **state)
{
    (void)state;
    hf_arena_init(&world.types, 4096, SIZE_MAX);
    hf_arena_init(&arena, 4096, 1 << 20);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    hf_arena_done(&world.types);
    hf_arena_done(&arena);
    return 0;
}

#define prim hf_type_prim

static const struct hf_type *of(enum hf_type_kind kind, const struct hf_type *a,
                                const struct hf_type *b)
{
    const struct hf_type *const types[] = {a, b};
    return canon_compound(&world, kind, types, kind == HF_T_OPTION ? 1 : 2);
}

/* The bytes of `v` are `want` (hex), and read back as the same value. */
static void golden(const struct hf_type *t, const struct hf_value *v, const char *want)
{
    struct hf_buf out = {0};
    struct hf_u32s places = {0}, numbers = {0};
    struct hf_value back;
    struct hf_report report = {0};
    char hex[512];
    assert_int_equal(hf_value_write(t, v, 1 << 20, &out, &places), HF_OK);
    assert_true(out.len * 2 < sizeof hex);
    hf_hex(out.ptr, out.len, hex);
    assert_string_equal(hex, want);
    struct hf_reader r = hf_reader(hf_buf_view(&out));
    if (hf_value_read(t, &r, &arena, hf_stand_in(), &numbers, &back, &report) != HF_OK)
        fail_msg("%s", report.text);
    assert_int_equal(hf_reader_left(&r), 0);
    assert_true(canon_value_same(t, v, &back));
    hf_buf_done(&out);
    hf_u32s_done(&places);
    hf_u32s_done(&numbers);
    hf_arena_reset(&arena);
}

#define GOLDEN(t, want, ...) golden(t, &(struct hf_value)__VA_ARGS__, want)

static void numbers_are_as_wide_as_their_types(void **state)
{
    (void)state;
    GOLDEN(prim(HF_T_BOOL), "00", {.u64 = 0});
    GOLDEN(prim(HF_T_BOOL), "01", {.u64 = 1});
    GOLDEN(prim(HF_T_U8), "ff", {.u64 = 255});
    GOLDEN(prim(HF_T_S8), "80", {.s64 = -128});
    GOLDEN(prim(HF_T_U16), "0201", {.u64 = 0x102});
    GOLDEN(prim(HF_T_S16), "feff", {.s64 = -2});
    GOLDEN(prim(HF_T_U32), "04030201", {.u64 = 0x1020304});
    GOLDEN(prim(HF_T_S32), "ffffffff", {.s64 = -1});
    GOLDEN(prim(HF_T_U64), "0807060504030201", {.u64 = 0x102030405060708});
    GOLDEN(prim(HF_T_S64), "0000000000000080", {.s64 = INT64_MIN});
    GOLDEN(prim(HF_T_F32), "0000c03f", {.f32 = 1.5f});
    GOLDEN(prim(HF_T_F64), "000000000000f8bf", {.f64 = -1.5});
    GOLDEN(prim(HF_T_F64), "0000000000000080", {.f64 = -0.0});
    GOLDEN(prim(HF_T_CHAR), "7f", {.u64 = 0x7f});
    GOLDEN(prim(HF_T_CHAR), "ac02", {.u64 = 300});
    GOLDEN(prim(HF_T_CHAR), "ffff43", {.u64 = 0x10ffff});
}

static void strings_and_lists_have_their_length(void **state)
{
    (void)state;
    static const uint16_t shorts[] = {1, 0x203};
    struct hf_value words[] = {hf_value_bytes(HF_VIEW("a")), hf_value_bytes(HF_VIEW(""))};
    struct hf_value bools[] = {{.u64 = 1}, {.u64 = 0}};
    static uint8_t longer[200];
    GOLDEN(prim(HF_T_STRING), "00", {.len = 0});
    GOLDEN(prim(HF_T_STRING), "03e282ac", {.bytes = (const uint8_t *)"\xe2\x82\xac", .len = 3});
    GOLDEN(canon_list(&world, prim(HF_T_U8)), "0301feff",
           {.bytes = (const uint8_t *)"\1\xfe\xff", .len = 3});
    GOLDEN(canon_list(&world, prim(HF_T_U16)), "0201000302",
           {.bytes = (const uint8_t *)shorts, .len = 2});
    GOLDEN(canon_list(&world, prim(HF_T_BOOL)), "020100", {.items = bools, .len = 2});
    GOLDEN(canon_list(&world, prim(HF_T_STRING)), "02016100", {.items = words, .len = 2});
    struct hf_buf out = {0};
    const struct hf_value v = {.bytes = longer, .len = sizeof longer};
    assert_int_equal(hf_value_write(canon_list(&world, prim(HF_T_U8)), &v, 1000, &out, NULL),
                     HF_OK);
    assert_int_equal(out.len, 202);
    assert_memory_equal(out.ptr, "\xc8\x01", 2);
    hf_buf_done(&out);
}

static void compounds_follow_their_parts(void **state)
{
    (void)state;
    const struct hf_type *u8 = prim(HF_T_U8), *string = prim(HF_T_STRING);
    struct hf_value pair[] = {{.u64 = 7}, hf_value_bytes(HF_VIEW("hi"))};
    struct hf_value seven[] = {{.u64 = 7}};
    GOLDEN(of(HF_T_RECORD, u8, string), "07026869", {.items = pair, .len = 2});
    GOLDEN(of(HF_T_TUPLE, u8, string), "07026869", {.items = pair, .len = 2});
    GOLDEN(of(HF_T_VARIANT, u8, NULL), "0007", {.items = seven, .tag = 0});
    GOLDEN(of(HF_T_VARIANT, u8, NULL), "01", {.tag = 1});
    GOLDEN(of(HF_T_OPTION, u8, NULL), "00", {.tag = 0});
    GOLDEN(of(HF_T_OPTION, u8, NULL), "0107", {.items = seven, .tag = 1});
    GOLDEN(of(HF_T_RESULT, NULL, u8), "00", {.tag = 0});
    GOLDEN(of(HF_T_RESULT, NULL, u8), "0107", {.items = seven, .tag = 1});
    GOLDEN(canon_compound(&world, HF_T_ENUM, NULL, 300), "ab02", {.tag = 299});
    GOLDEN(canon_compound(&world, HF_T_FLAGS, NULL, 3), "05", {.u64 = 5});
    GOLDEN(canon_compound(&world, HF_T_FLAGS, NULL, 32), "ffffffff0f", {.u64 = 0xffffffff});
}

/* What does not fit its type is written as lowering would write it. */
static void writing_is_lowering(void **state)
{
    (void)state;
    struct hf_buf out = {0};
    static const uint32_t odd[] = {0x7fc00001, 0xffc00000};
    const struct {
        const struct hf_type *t;
        struct hf_value v;
        const char *want;
    } rows[] = {
        {prim(HF_T_BOOL), (struct hf_value){.u64 = 2}, "01"},
        {prim(HF_T_U8), (struct hf_value){.u64 = 0x1ff}, "ff"},
        {canon_compound(&world, HF_T_FLAGS, NULL, 3), (struct hf_value){.u64 = 0xff}, "07"},
        {prim(HF_T_F32), (struct hf_value){.u64 = 0xffffffff}, "0000c07f"},
        {prim(HF_T_F64), (struct hf_value){.u64 = UINT64_MAX}, "000000000000f87f"},
        {canon_list(&world, prim(HF_T_F32)),
         (struct hf_value){.bytes = (const uint8_t *)odd, .len = 2}, "020000c07f0000c07f"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        char hex[64];
        hf_buf_clear(&out);
        assert_int_equal(hf_value_write(rows[i].t, &rows[i].v, 100, &out, NULL), HF_OK);
        hf_hex(out.ptr, out.len, hex);
        assert_string_equal(hex, rows[i].want);
    }
    const struct {
        const struct hf_type *t;
        struct hf_value v;
    } bad[] = {
        {prim(HF_T_CHAR), (struct hf_value){.u64 = 0xd800}},
        {prim(HF_T_CHAR), (struct hf_value){.u64 = UINT64_C(0x100000041)}},
        {prim(HF_T_STRING), (struct hf_value){.bytes = (const uint8_t *)"\xff", .len = 1}},
        {prim(HF_T_STRING),
         (struct hf_value){.bytes = (const uint8_t *)"a", .len = 1, .tag = HF_ENC_LATIN1}},
        {prim(HF_T_STRING), (struct hf_value){.len = 1}},
        {canon_list(&world, prim(HF_T_U8)), (struct hf_value){.len = 1}},
        {of(HF_T_OPTION, prim(HF_T_U8), NULL), (struct hf_value){.tag = 2}},
        {of(HF_T_OPTION, prim(HF_T_U8), NULL), (struct hf_value){.tag = 1}},
        {of(HF_T_TUPLE, prim(HF_T_U8), prim(HF_T_U8)), (struct hf_value){.len = 2}},
        {of(HF_T_TUPLE, prim(HF_T_U8), prim(HF_T_U8)),
         (struct hf_value){.len = 1, .items = (struct hf_value[1]){{.u64 = 0}}}},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        assert_int_equal(hf_value_write(bad[i].t, &bad[i].v, 100, &out, NULL), HF_INVALID);
    hf_buf_done(&out);
}

static void handles_are_the_guests_numbers(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r);
    const struct hf_type *rep = canon_handle(&world, HF_T_BORROW, &guest_r);
    const struct hf_type *t = canon_list(&world, of(HF_T_TUPLE, own, rep));
    struct hf_value pairs[2][2] = {{{.obj = &world}, {.u64 = 5}}, {{.obj = &arena}, {.u64 = 6}}};
    struct hf_value items[] = {{.items = pairs[0], .len = 2}, {.items = pairs[1], .len = 2}};
    const struct hf_value v = {.items = items, .len = 2};
    static const uint32_t numbers[] = {1, 2, 0x10003, 4};
    struct hf_buf out = {0};
    struct hf_u32s places = {0}, got = {0};
    struct hf_value back;
    char hex[128];
    assert_int_equal(hf_value_write(t, &v, 100, &out, &places), HF_OK);
    assert_int_equal(places.n, 4);
    hf_value_bytes_handles(&out, &places, numbers);
    hf_hex(out.ptr, out.len, hex);
    assert_string_equal(hex, "0201000000020000000300010004000000");
    struct hf_reader r = hf_reader(hf_buf_view(&out));
    assert_int_equal(hf_value_read(t, &r, &arena, (void *)&world, &got, &back, NULL), HF_OK);
    assert_int_equal(got.n, 4);
    assert_memory_equal(got.ptr, numbers, sizeof numbers);
    assert_ptr_equal(back.items[1].items[0].obj, &world);
    assert_int_equal(back.items[1].items[1].u64, 4);
    hf_u32s_done(&places);
    hf_u32s_done(&got);
    hf_buf_done(&out);
}

static void wrong_bytes_are_refused_with_their_place(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r);
    const struct {
        const struct hf_type *t;
        struct hf_view bytes;
        const char *text;
    } rows[] = {
        {prim(HF_T_BOOL), HF_VIEW("\2"), "byte 1: neither 0 nor 1 in a bool"},
        {prim(HF_T_BOOL), HF_VIEW(""), "byte 0: not enough bytes in a bool"},
        {prim(HF_T_U64), HF_VIEW("\1\2\3\4\5\6\7"), "byte 0: not enough bytes in a u64"},
        {prim(HF_T_F32), HF_VIEW("\1\0\xc0\x7f"), "a NaN that is not the canonical one in a f32"},
        {prim(HF_T_F64), HF_VIEW("\0\0\0\0\0\0\xf8\xff"), "a NaN that is not"},
        {prim(HF_T_CHAR), HF_VIEW("\x80\xb0\x03"), "no scalar value in a char"}, /* U+D800 */
        {prim(HF_T_CHAR), HF_VIEW("\x80\x80\x44"), "no scalar value in a char"},
        {prim(HF_T_CHAR), HF_VIEW("\xc1\x00"), "a number longer than it needs to be in a char"},
        {prim(HF_T_STRING), HF_VIEW("\x80\x00"), "a number longer than it needs to be in a string"},
        {prim(HF_T_STRING), HF_VIEW("\xff\xff\xff\xff\x1f"), "no number, or one past 32 bits,"},
        {prim(HF_T_STRING), HF_VIEW("\2a"), "byte 1: fewer bytes than it says in a string"},
        {prim(HF_T_STRING), HF_VIEW("\1\xff"), "bytes that are not UTF-8"},
        {canon_list(&world, prim(HF_T_U16)), HF_VIEW("\2\1\0\1"),
         "fewer elements than it says in a list"},
        {canon_list(&world, prim(HF_T_STRING)), HF_VIEW("\xff\xff\xff\xff\x0f"), "fewer elements"},
        {canon_list(&world, prim(HF_T_F32)), HF_VIEW("\1\xff\xff\xff\xff"), "a NaN that is not"},
        {of(HF_T_RESULT, NULL, NULL), HF_VIEW("\2"), "a case that does not exist in a result"},
        {of(HF_T_OPTION, prim(HF_T_U8), NULL), HF_VIEW("\1"), "byte 1: not enough bytes in a u8"},
        {of(HF_T_TUPLE, prim(HF_T_U8), prim(HF_T_U8)), HF_VIEW("\1"), "byte 0: fewer elements"},
        {canon_compound(&world, HF_T_FLAGS, NULL, 3), HF_VIEW("\x08"),
         "bits without a label in a flags"},
        {own, HF_VIEW("\0\0\0\0"), "handle 0"},
        {own, HF_VIEW("\1\0\0"), "not enough bytes"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_report report = {0};
        struct hf_u32s numbers = {0};
        struct hf_value v;
        struct hf_reader r = hf_reader(rows[i].bytes);
        assert_int_equal(hf_value_read(rows[i].t, &r, &arena, NULL, &numbers, &v, &report),
                         HF_INVALID);
        assert_true(r.bad);
        if (strstr(report.text, rows[i].text) == NULL)
            fail_msg("row %zu: \"%s\", not \"%s\"", i, report.text, rows[i].text);
        hf_u32s_done(&numbers);
    }
}

static void both_ways_have_limits(void **state)
{
    (void)state;
    struct hf_buf out = {0};
    const struct hf_type *t = canon_list(&world, prim(HF_T_STRING));
    struct hf_value text = hf_value_bytes(HF_VIEW("0123456789")), items[] = {text, text, text}, v;
    struct hf_report report = {0};
    struct hf_arena small;
    static uint8_t zeroes[1001] = {0xe6, 0x07}; /* 998 empty strings */
    v = (struct hf_value){.items = items, .len = 3};
    assert_int_equal(hf_value_write(t, &v, 33, &out, NULL), HF_LIMIT);
    hf_buf_clear(&out);
    assert_int_equal(hf_value_write(t, &v, 40, &out, NULL), HF_OK);
    assert_int_equal(out.len, 34);
    hf_buf_done(&out);
    hf_arena_init(&small, 64, 998 * 16 - 1);
    struct hf_reader r = hf_reader(hf_view(zeroes, 1000));
    assert_int_equal(hf_value_read(t, &r, &small, NULL, NULL, &v, &report), HF_LIMIT);
    assert_non_null(strstr(report.text, "more than 15967 bytes"));
    hf_arena_done(&small);
}

/* Every value: written, read, the same; written again, the same bytes. Each part cut off: refused.
 */
static void random_values_there_and_back(void **state)
{
    (void)state;
    struct canon_gen g = {.seed = 4711, .resource = &host_r, .borrows = true};
    struct hf_buf out = {0}, again = {0};
    struct hf_u32s places = {0}, numbers = {0};
    for (int i = 0; i < 3000; i++) {
        const struct hf_type *t = canon_gen_type(&g, &world, 4);
        struct hf_value v = canon_gen_value(&g, &arena, t), back;
        hf_buf_clear(&out);
        hf_buf_clear(&again);
        places.n = numbers.n = 0;
        assert_int_equal(hf_value_write(t, &v, 1 << 20, &out, &places), HF_OK);
        for (uint32_t k = 0; k < places.n; k++)
            assert_true(hf_u32s_add(&numbers, k + 1));
        hf_value_bytes_handles(&out, &places, numbers.ptr);
        numbers.n = 0;
        struct hf_reader r = hf_reader(hf_buf_view(&out));
        assert_int_equal(hf_value_read(t, &r, &arena, &world, &numbers, &back, NULL), HF_OK);
        assert_int_equal(hf_reader_left(&r), 0);
        assert_int_equal(numbers.n, places.n);
        if (places.n == 0)
            assert_true(canon_value_same(t, &v, &back));
        places.n = 0;
        assert_int_equal(hf_value_write(t, &back, 1 << 20, &again, &places), HF_OK);
        hf_value_bytes_handles(&again, &places, numbers.ptr);
        assert_int_equal(again.len, out.len);
        assert_memory_equal(again.ptr, out.ptr, out.len);
        for (size_t cut = 0; cut < out.len && cut < 40; cut++) {
            r = hf_reader(hf_view(out.ptr, out.len - 1 - cut));
            assert_int_equal(hf_value_read(t, &r, &arena, &world, &numbers, &back, NULL),
                             HF_INVALID);
        }
        hf_arena_reset(&arena);
        hf_arena_reset(&world.types);
    }
    hf_buf_done(&out);
    hf_buf_done(&again);
    hf_u32s_done(&places);
    hf_u32s_done(&numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_as_wide_as_their_types),
        cmocka_unit_test(strings_and_lists_have_their_length),
        cmocka_unit_test(compounds_follow_their_parts),
        cmocka_unit_test(writing_is_lowering),
        cmocka_unit_test(handles_are_the_guests_numbers),
        cmocka_unit_test(wrong_bytes_are_refused_with_their_place),
        cmocka_unit_test(both_ways_have_limits),
        cmocka_unit_test(random_values_there_and_back),
    };
    return cmocka_run_group_tests(tests, open, close_all);
}
