/* string_test.c - strings between all encodings: which reallocs, in which order, with which numbers
 * (V6, W1-W5).
 *
 * Random strings are compared with the specification in canon_vectors_test.c; here is every rule by
 * name and every way to be wrong. Realloc logs are written old.old-size.align.size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf.h"
#include "support_canon.h"

#include <cmocka.h>

#define AT  512u
#define U8  HF_ENC_UTF8
#define U16 HF_ENC_UTF16
#define L16 HF_ENC_LATIN1_UTF16
#define TAG (1u << 31)

static struct canon_world world;
static struct canon_guest *src, *dst;

static int open_world(void **state)
{
    (void)state;
    canon_world_open(&world);
    src = &world.guests[1];
    dst = &world.guests[2];
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    canon_world_close(&world);
    return 0;
}

static void expect_trap(enum hf_err err, const char *text)
{
    const char *got = canon_trap_text(&world);
    assert_int_equal(err, HF_TRAP);
    if (strstr(got, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, got);
}

/* UTF-8 text in the encoding `enc` at AT of guest `g`; `wide`: the UTF-16 half of latin1+utf16.
 * Returns the units field. */
static uint32_t place(struct canon_guest *g, enum hf_string_enc enc, const char *text, bool wide)
{
    uint8_t *mem = canon_mem(g, NULL) + AT;
    const uint8_t *s = (const uint8_t *)text;
    size_t n = strlen(text);
    if (enc == U8) {
        memcpy(mem, text, n);
        return (uint32_t)n;
    }
    if (enc == U16 || wide)
        return (uint32_t)(hf_utf8_to_utf16(s, n, mem) / 2) | (enc == L16 ? TAG : 0);
    assert_true(hf_utf8_is_latin1(s, n));
    return (uint32_t)hf_utf8_to_latin1(s, n, mem);
}

static const struct row {
    enum hf_string_enc from, to;
    bool wide; /* source: the UTF-16 half */
    const char *text, *log;
    uint32_t units;
} rows[] = {
    /* W2: one realloc, copy */
    {U8, U8, false, "", "0.0.1.0", 0},
    {U8, U8, false, "a\xc3\xa9\xe2\x98\x83", "0.0.1.6", 6},
    {U16, U16, false, "", "0.0.2.0", 0},
    {U16, U16, false, "a\xc3\xa9\xe2\x98\x83", "0.0.2.6", 3},
    {L16, L16, false, "", "0.0.2.0", 0},
    {L16, L16, false, "a\xc3\xa9", "0.0.2.2", 2},
    {L16, U16, false, "a\xc3\xa9", "0.0.2.4", 2},
    {L16, U16, true, "a\xe2\x98\x83", "0.0.2.4", 2},
    {L16, U16, false, "", "0.0.2.0", 0},
    /* W3: utf16 -> utf8 */
    {U16, U8, false, "", "0.0.1.0", 0},
    {U16, U8, false, "abc", "0.0.1.3", 3},
    {U16, U8, false, "ab\xc3\xa9", "0.0.1.3;608.3.1.9;611.9.1.4", 4},
    {U16, U8, false, "\xe2\x98\x83\xe2\x98\x83", "0.0.1.2;608.2.1.6",
     6}, /* exactly 3n: no shrinking */
    {U16, U8, false, "\xf0\x9d\x84\x9e", "0.0.1.2;608.2.1.6;610.6.1.4", 4},
    {L16, U8, true, "a\xe2\x98\x83", "0.0.1.2;608.2.1.6;610.6.1.4", 4},
    /* W3: latin1 -> utf8 */
    {L16, U8, false, "", "0.0.1.0", 0},
    {L16, U8, false, "abc", "0.0.1.3", 3},
    {L16, U8, false, "a\xc3\xa9", "0.0.1.2;608.2.1.4;610.4.1.3", 3},
    {L16, U8, false, "\xc3\xa9\xc3\xa8", "0.0.1.2;608.2.1.4", 4}, /* exactly 2n */
    /* W3: utf8 -> utf16 */
    {U8, U16, false, "", "0.0.2.0", 0},
    {U8, U16, false, "abc", "0.0.2.6", 3},
    {U8, U16, false, "a\xe2\x98\x83", "0.0.2.8;608.8.2.4", 2},
    /* W4: -> latin1+utf16 */
    {U8, L16, false, "", "0.0.2.0", 0},
    {U8, L16, false, "abc", "0.0.2.3", 3},
    {U8, L16, false, "a\xc3\xa9", "0.0.2.3;608.3.2.2", 2},
    {U8, L16, false,
     "\xc3\xa9"
     "a\xe2\x98\x83",
     "0.0.2.6;608.6.2.12;614.12.2.6", 3 | TAG},
    {U16, L16, false, "", "0.0.2.0", 0},
    {U16, L16, false, "a\xc3\xa9", "0.0.2.2", 2},
    {U16, L16, false, "a\xe2\x98\x83", "0.0.2.2;608.2.2.4", 2 | TAG},
    {U16, L16, false, "\xe2\x98\x83", "0.0.2.1;608.1.2.2", 1 | TAG},
    /* W4: the UTF-16 half of latin1+utf16 */
    {L16, L16, true, "", "0.0.2.0;608.0.1.0", 0},
    {L16, L16, true, "a\xc3\xa9", "0.0.2.4;608.4.1.2", 2},
    {L16, L16, true, "a\xe2\x98\x83", "0.0.2.4", 2 | TAG},
};

static void w2_w3_w4_exact_reallocs(void **state)
{
    (void)state;
    bool seen[4][4] = {{0}};
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct hf_value v, back;
        uint32_t ptr, units;
        canon_guest_clear(src);
        canon_guest_clear(dst);
        src->rt.enc = r->from;
        dst->rt.enc = r->to;
        seen[r->from][r->to] = true;
        struct hf_canon_cx in = canon_cx(src, false), out = canon_cx(dst, false);
        assert_int_equal(hf_lift_string(&in, AT, place(src, r->from, r->text, r->wide), &v), HF_OK);
        assert_int_equal(hf_lower_string(&out, &v, &ptr, &units), HF_OK);
        if (strcmp(canon_log_text(dst), r->log) != 0)
            fail_msg("row %zu: %s, not %s", i, canon_log_text(dst), r->log);
        assert_int_equal(units, r->units);
        struct hf_canon_cx again =
            canon_cx(dst, true); /* what arrived, read as the host reads it */
        assert_int_equal(hf_lift_string(&again, ptr, units, &back), HF_OK);
        assert_true(hf_view_eq_text(hf_value_view(&back), r->text));
    }
    static const enum hf_string_enc all[] = {U8, U16, L16};
    for (int a = 0; a < 3; a++) {
        for (int b = 0; b < 3; b++)
            assert_true(seen[all[a]][all[b]]);
    }
}

static void w5_the_host_lowers_from_utf8(void **state)
{
    (void)state;
    struct hf_value v = hf_value_bytes(HF_VIEW("a\xc3\xa9"));
    uint32_t ptr, units;
    static const struct {
        enum hf_string_enc to;
        const char *log;
        uint32_t units;
    } want[] = {{U8, "0.0.1.3", 3}, {U16, "0.0.2.6;608.6.2.4", 2}, {L16, "0.0.2.3;608.3.2.2", 2}};
    for (size_t i = 0; i < HF_ARRAY_LEN(want); i++) {
        canon_guest_clear(dst);
        dst->rt.enc = want[i].to;
        struct hf_canon_cx out = canon_cx(dst, true);
        assert_int_equal(hf_lower_string(&out, &v, &ptr, &units), HF_OK);
        assert_string_equal(canon_log_text(dst), want[i].log);
        assert_int_equal(units, want[i].units);
    }
}

static void v6_utf8_for_the_host_is_a_view(void **state)
{
    (void)state;
    struct hf_value v;
    src->rt.enc = U8;
    canon_guest_clear(src);
    uint32_t n = place(src, U8, "caf\xc3\xa9", false);
    struct hf_canon_cx cx = canon_cx(src, true);
    size_t used = world.inst.arena.used;
    assert_int_equal(hf_lift_string(&cx, AT, n, &v), HF_OK);
    assert_ptr_equal(v.bytes, canon_mem(src, NULL) + AT);
    assert_int_equal(v.len, 5);
    assert_int_equal(world.inst.arena.used, used);

    cx.copy = true; /* C1: and a copy where it has to outlive the guest's turn */
    assert_int_equal(hf_lift_string(&cx, AT, n, &v), HF_OK);
    memset(canon_mem(src, NULL), 0, CANON_PAGE);
    assert_true(hf_view_eq_text(hf_value_view(&v), "caf\xc3\xa9"));

    src->rt.enc = L16; /* ASCII in Latin-1 is UTF-8 as it stands */
    n = place(src, L16, "cafe", false);
    cx = canon_cx(src, true);
    used = world.inst.arena.used;
    assert_int_equal(hf_lift_string(&cx, AT, n, &v), HF_OK);
    assert_ptr_equal(v.bytes, canon_mem(src, NULL) + AT);
    assert_int_equal(world.inst.arena.used, used);
    hf_arena_reset(&world.inst.arena);
}

/* Every string an import is given is checked, whatever will be done with it. */
static void v6_wrong_bytes(void **state)
{
    (void)state;
    static const struct {
        enum hf_string_enc enc;
        const char *bytes;
        uint32_t n, units;
        const char *text;
    } bad[] = {
        {U8, "\xff", 1, 1, "invalid utf-8"},
        {U8, "ab\x80", 3, 3, "invalid utf-8: byte 0x80 at index 2"},
        {U8, "\xc0\x80", 2, 2, "invalid utf-8"},         /* overlong NUL */
        {U8, "\xe0\x80\xaf", 3, 3, "invalid utf-8"},     /* overlong */
        {U8, "\xed\xa0\x80", 3, 3, "invalid utf-8"},     /* a surrogate */
        {U8, "\xf4\x90\x80\x80", 4, 4, "invalid utf-8"}, /* past 10FFFF */
        {U8, "\xf8\x88\x80\x80", 4, 4, "invalid utf-8"},
        {U8, "a\xe2\x98", 3, 3, "incomplete utf-8 byte sequence from index 1"},
        {U8, "\xf0\x9d\x84", 3, 3, "incomplete utf-8 byte sequence"},
        {U8, "\xc3", 1, 1, "incomplete utf-8 byte sequence"},
        {U8,
         "\xe2"
         "a",
         2, 2, "invalid utf-8"},
        {U8, "\xed\xa0", 2, 2, "invalid utf-8"},
        {U8, "\xf0\x80", 2, 2, "invalid utf-8"},
        {U16, "\x00\xd8", 2, 1, "unpaired surrogate"},
        {U16, "\x00\xdc", 2, 1, "unpaired surrogate"},
        {U16, "\x00\xd8\x41\x00", 4, 2, "unpaired surrogate"},
        {U16, "\x00\xdc\x00\xd8", 4, 2, "unpaired surrogate"},
        {L16, "\x00\xd8", 2, 1 | TAG, "unpaired surrogate"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        for (int host = 0; host < 2; host++) {
            struct hf_value v;
            src->rt.enc = bad[i].enc;
            memcpy(canon_mem(src, NULL) + AT, bad[i].bytes, bad[i].n);
            struct hf_canon_cx cx = canon_cx(src, host == 1);
            expect_trap(hf_lift_string(&cx, AT, bad[i].units, &v), bad[i].text);
        }
    }
}

static void v6_pointers_and_lengths(void **state)
{
    (void)state;
    const uint32_t end = CANON_PAGE;
    static const char oob[] = "string pointer/length out of bounds of memory",
                      oob2[] = "string content out-of-bounds", odd[] = "unaligned pointer";
    const struct {
        enum hf_string_enc enc;
        uint32_t ptr, units;
        const char *text; /* NULL: fine */
    } cases[] = {
        {U8, end, 0, NULL},           {U8, end + 1, 0, oob},     {U8, end - 3, 3, NULL},
        {U8, end - 3, 4, oob},        {U8, UINT32_MAX, 0, oob},  {U8, UINT32_MAX, UINT32_MAX, oob2},
        {U8, 0, UINT32_MAX, oob2},    {U8, 1, UINT32_MAX, oob},  {U16, end - 4, 2, NULL},
        {U16, end - 4, 3, oob2},      {U16, 1, 0, odd},          {U16, end - 1, 0, odd},
        {U16, 0, 0x80000000, oob},    {U16, 2, UINT32_MAX, oob}, {L16, 1, 0, odd},
        {L16, end - 2, 2, NULL},      {L16, end - 2, 3, oob},    {L16, end - 2, 1 | TAG, NULL},
        {L16, end - 2, 2 | TAG, oob}, {L16, 3, 1 | TAG, odd},    {L16, 0, UINT32_MAX, oob},
    };
    canon_guest_clear(src);
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_value v;
        src->rt.enc = cases[i].enc;
        struct hf_canon_cx cx = canon_cx(src, true);
        enum hf_err err = hf_lift_string(&cx, cases[i].ptr, cases[i].units, &v);
        if (cases[i].text != NULL)
            expect_trap(err, cases[i].text);
        else
            assert_int_equal(err, HF_OK);
    }
}

static void v6_longest(void **state)
{
    (void)state;
    struct hf_value v;
    struct hf_canon_cx cx;
    src->rt.enc = U8;
    cx = canon_cx(src, false);
    cx.mem_size = (size_t)1 << 31; /* as if it were there: the length is judged first */
    expect_trap(hf_lift_string(&cx, 0, 1u << 28, &v), "string of 268435456 bytes is too long");
    src->rt.enc = U16;
    expect_trap(hf_lift_string(&cx, 0, 1u << 27, &v), "string of 268435456 bytes is too long");
    src->rt.enc = L16;
    expect_trap(hf_lift_string(&cx, 0, 1u << 27 | TAG, &v), "is too long");
    expect_trap(hf_lift_string(&cx, 0, 1u << 28, &v), "is too long");

    uint32_t ptr, units;
    dst->rt.enc = U8;
    struct hf_canon_cx out = canon_cx(dst, true);
    v = (struct hf_value){.bytes = (const uint8_t *)"x", .len = 1u << 28};
    expect_trap(hf_lower_string(&out, &v, &ptr, &units), "is too long");
    assert_int_equal(out.n_owns, 0);
}

static void s11_nul_stays_in_the_string(void **state)
{
    (void)state;
    struct hf_value v;
    uint32_t ptr, units;
    src->rt.enc = dst->rt.enc = U8;
    canon_guest_clear(src);
    canon_guest_clear(dst);
    memcpy(canon_mem(src, NULL) + AT, "a\0b", 3);
    struct hf_canon_cx in = canon_cx(src, true), out = canon_cx(dst, true);
    assert_int_equal(hf_lift_string(&in, AT, 3, &v), HF_OK);
    assert_true(hf_view_eq(hf_value_view(&v), hf_view("a\0b", 3)));
    assert_int_equal(hf_lower_string(&out, &v, &ptr, &units), HF_OK);
    assert_int_equal(units, 3);
    assert_memory_equal(canon_mem(dst, NULL) + ptr, "a\0b", 3);
}

/* What realloc answers is a pointer like any other, at each of the steps. */
static enum hf_err odd_at_step(struct canon_guest *g)
{
    uint32_t step = *(const uint32_t *)g->ctx;
    g->fixed = g->n_log == step;
    return HF_OK;
}

static void w1_each_realloc_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        src->rt.enc = r->from;
        dst->rt.enc = r->to;
        uint32_t steps = 1;
        for (const char *p = r->log; *p != '\0'; p++)
            steps += *p == ';';
        for (uint32_t step = 1; step <= steps; step++) {
            for (int how = 0; how < 2; how++) {
                struct hf_value v;
                uint32_t ptr, units;
                canon_guest_clear(src);
                canon_guest_clear(dst);
                uint32_t n = place(src, r->from, r->text, r->wide);
                struct hf_canon_cx in = canon_cx(src, false), out = canon_cx(dst, false);
                assert_int_equal(hf_lift_string(&in, AT, n, &v), HF_OK);
                dst->ctx = &step;
                dst->during = odd_at_step;
                dst->answer = how == 0 ? CANON_PAGE + 2 : 609;
                enum hf_err err = hf_lower_string(&out, &v, &ptr, &units);
                dst->during = NULL;
                dst->fixed = false;
                if (how == 0)
                    expect_trap(
                        err, "realloc return: beyond end of memory, string content out-of-bounds");
                else if (dst->log[step - 1].align == 2)
                    expect_trap(err, "realloc return: result not aligned, unaligned pointer 609");
                else
                    assert_int_equal(err, HF_OK);
            }
        }
    }
}

/* An argument handed back as the result lies in the guest's memory, which its realloc may change.
 */
static enum hf_err spoil(struct canon_guest *g)
{
    memset(canon_mem(g, NULL) + AT, 0xf0, 64);
    return HF_OK;
}

static void s6_a_source_in_guest_memory_cannot_change_under_the_transcoder(void **state)
{
    (void)state;
    static const enum hf_string_enc encs[] = {U16, L16};
    for (size_t i = 0; i < HF_ARRAY_LEN(encs); i++) {
        struct hf_value v, back;
        uint32_t ptr, units;
        canon_guest_clear(dst);
        dst->rt.enc = U8;
        uint32_t n = place(dst, U8, "h\xc3\xa9 \xe2\x98\x83\xe2\x98\x83", false);
        struct hf_canon_cx in = canon_cx(dst, true);
        assert_int_equal(hf_lift_string(&in, AT, n, &v), HF_OK);
        dst->rt.enc = encs[i];
        dst->during = spoil;
        struct hf_canon_cx out = canon_cx(dst, true);
        assert_int_equal(hf_lower_string(&out, &v, &ptr, &units), HF_OK);
        dst->during = NULL;
        struct hf_canon_cx again = canon_cx(dst, true);
        assert_int_equal(hf_lift_string(&again, ptr, units, &back), HF_OK);
        assert_true(hf_view_eq_text(hf_value_view(&back), "h\xc3\xa9 \xe2\x98\x83\xe2\x98\x83"));
        hf_arena_reset(&world.inst.arena);
    }
}

static void a_wrong_string_of_the_host_is_a_trap(void **state)
{
    (void)state;
    uint32_t ptr, units;
    struct hf_value bad = hf_value_bytes(HF_VIEW("a\xff")), none = {.len = 3},
                    wide = {.bytes = (const uint8_t *)"a", .len = 1, .tag = U16};
    canon_guest_clear(dst);
    dst->rt.enc = U8;
    struct hf_canon_cx out = canon_cx(dst, true);
    expect_trap(hf_lower_string(&out, &bad, &ptr, &units),
                "the host gave a string with invalid utf-8");
    expect_trap(hf_lower_string(&out, &none, &ptr, &units), "without bytes");
    expect_trap(hf_lower_string(&out, &wide, &ptr, &units), "not in utf-8");
    assert_string_equal(canon_log_text(dst), "-");
}

/* S14: a million views of one long string cost nothing to make and a lot to check. */
static void s14_looking_is_charged_too(void **state)
{
    (void)state;
    struct hf_value v;
    canon_guest_clear(src);
    src->rt.enc = U8;
    struct hf_canon_cx cx = canon_cx(src, true);
    uint64_t n = 0;
    enum hf_err err = HF_OK;
    while (err == HF_OK && n < 10000) {
        err = hf_lift_string(&cx, 0, CANON_PAGE, &v);
        n++;
    }
    expect_trap(err, "limit: the strings of this call");
    assert_int_equal(n, (HF_ELEM_SIZE_MAX / CANON_PAGE) + 1);
    assert_int_equal(world.inst.arena.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w2_w3_w4_exact_reallocs),
        cmocka_unit_test(w5_the_host_lowers_from_utf8),
        cmocka_unit_test(v6_utf8_for_the_host_is_a_view),
        cmocka_unit_test(v6_wrong_bytes),
        cmocka_unit_test(v6_pointers_and_lengths),
        cmocka_unit_test(v6_longest),
        cmocka_unit_test(s11_nul_stays_in_the_string),
        cmocka_unit_test(w1_each_realloc_is_checked),
        cmocka_unit_test(s6_a_source_in_guest_memory_cannot_change_under_the_transcoder),
        cmocka_unit_test(a_wrong_string_of_the_host_is_a_trap),
        cmocka_unit_test(s14_looking_is_charged_too),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
