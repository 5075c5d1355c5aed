/* trace_test.c - trace context is read strictly, ids differ, request ids are harmless. */
#include "support.h"

#include <stdio.h>

#include "base/trace.h"

#define OK "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static bool reads(const char *text, struct hf_trace *t)
{
    return hf_traceparent_read(hf_view_of(text), t);
}

static void a_traceparent_comes_back_as_it_was(void **state)
{
    struct hf_trace t;
    char out[HF_TRACEPARENT_LEN];
    (void)state;
    assert_true(reads(OK, &t));
    assert_int_equal(t.hi, 0x0af7651916cd43dd);
    assert_int_equal(t.lo, 0x8448eb211c80319c);
    assert_int_equal(t.span, 0xb7ad6b7169203331);
    assert_int_equal(t.flags, HF_TRACE_SAMPLED);
    hf_traceparent_write(&t, out);
    assert_memory_equal(out, OK, sizeof out);
    assert_true(reads("00-00000000000000000000000000000001-0000000000000001-00", &t));
    assert_int_equal(t.flags, 0);
    hf_traceparent_write(&t, out);
    assert_memory_equal(out, "00-00000000000000000000000000000001-0000000000000001-00", sizeof out);
}

static void a_traceparent_is_read_strictly(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-B7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
    };
    struct hf_trace t = {.hi = 7};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        if (reads(bad[i], &t))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(t.hi, 7); /* untouched */
}

static void a_later_version_is_read_as_far_as_ours_goes(void **state)
{
    struct hf_trace t;
    (void)state;
    assert_true(reads("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &t));
    assert_true(reads("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more.of-it", &t));
    assert_int_equal(t.flags, HF_TRACE_SAMPLED); /* flags that nobody knows go no further */
}

static bool state_ok(const char *text)
{
    unsigned n = 0;
    return hf_tracestate_ok(hf_view_of(text), &n);
}

static void a_tracestate_is_read_strictly(void **state)
{
    char key[300], text[600];
    (void)state;
    assert_true(state_ok(""));
    assert_true(state_ok("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"));
    assert_true(state_ok(" a=1 ,\tb_-*/9=x y!~ , ,,"));
    assert_true(state_ok("0tenant@system=1"));
    assert_true(state_ok("a=1,a=2"));
    assert_false(state_ok("a"));
    assert_false(state_ok("=1"));
    assert_false(state_ok("a="));
    assert_false(state_ok("a=1=2"));
    assert_false(state_ok("A=1"));
    assert_false(state_ok("0a=1"));
    assert_false(state_ok("a b=1"));
    assert_false(state_ok("a =1"));
    assert_false(state_ok("@s=1"));
    assert_false(state_ok("t@=1"));
    assert_false(state_ok("t@0s=1"));
    assert_false(state_ok("t@s@s=1"));
    assert_false(state_ok("a=\x80"));
    assert_false(state_ok("a=1\t2"));
    memset(key, 'k', sizeof key);
    snprintf(text, sizeof text, "%.256s=1", key);
    assert_true(state_ok(text));
    snprintf(text, sizeof text, "%.257s=1", key);
    assert_false(state_ok(text));
    snprintf(text, sizeof text, "a=%.256s", key);
    assert_true(state_ok(text));
    snprintf(text, sizeof text, "a=%.257s", key);
    assert_false(state_ok(text));
}

static void a_tracestate_has_32_members_at_most(void **state)
{
    char text[256] = "";
    unsigned n = 0;
    (void)state;
    for (int i = 0; i < 16; i++)
        strcat(text, "k=v,");
    assert_true(hf_tracestate_ok(hf_view_of(text), &n));
    assert_true(hf_tracestate_ok(hf_view_of(text), &n));
    assert_int_equal(n, 32);
    assert_false(hf_tracestate_ok(HF_VIEW("k=v"), &n));
}

static void ids_differ_and_are_never_zero(void **state)
{
    struct hf_ids a, b;
    uint64_t zero[4] = {0}, or = 0, and = UINT64_MAX, last = 0;
    (void)state;
    hf_ids_seed(&a, zero);
    hf_ids_seed(&b, (const uint64_t[4]){1, 2, 3, 4});
    for (int i = 0; i < 100000; i++) {
        uint64_t x = hf_ids_next(&a), y = hf_ids_next(&b);
        assert_true(x != 0 && y != 0 && x != last && x != y);
        last = x;
        or |= x;
        and &= x;
    }
    assert_true(or == UINT64_MAX && and == 0);
    hf_ids_seed(&a, (const uint64_t[4]){1, 2, 3, 4});
    hf_ids_seed(&b, (const uint64_t[4]){1, 2, 3, 4});
    assert_int_equal(hf_ids_next(&a), hf_ids_next(&b));
}

static void a_request_id_needs_no_escape_anywhere(void **state)
{
    char longest[HF_REQUEST_ID_MAX + 2];
    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_true(hf_request_id_ok(hf_view(longest, HF_REQUEST_ID_MAX)));
    assert_false(hf_request_id_ok(hf_view(longest, HF_REQUEST_ID_MAX + 1)));
    assert_false(hf_request_id_ok(hf_view(longest, 0)));
    for (unsigned c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        bool want = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c != 0 && strchr("-_.~:/+=@", (int)c) != NULL);
        if (hf_request_id_ok(hf_view(&byte, 1)) != want)
            fail_msg("byte %u", c);
    }
}

static void hex_has_every_digit(void **state)
{
    char out[16];
    (void)state;
    hf_hex64(0x0123456789abcdef, out);
    assert_memory_equal(out, "0123456789abcdef", 16);
    hf_hex64(0xfedcba9876543210, out);
    assert_memory_equal(out, "fedcba9876543210", 16);
    hf_hex64(0, out);
    assert_memory_equal(out, "0000000000000000", 16);
    for (unsigned at = 0; at < 64; at += 8) /* every byte at every place */
        for (uint64_t byte = 0; byte < 256; byte++) {
            char want[32];
            snprintf(want, sizeof want, "%016llx", (unsigned long long)(byte << at));
            hf_hex64(byte << at, out);
            assert_memory_equal(out, want, 16);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traceparent_comes_back_as_it_was),
        cmocka_unit_test(a_traceparent_is_read_strictly),
        cmocka_unit_test(a_later_version_is_read_as_far_as_ours_goes),
        cmocka_unit_test(a_tracestate_is_read_strictly),
        cmocka_unit_test(a_tracestate_has_32_members_at_most),
        cmocka_unit_test(ids_differ_and_are_never_zero),
        cmocka_unit_test(a_request_id_needs_no_escape_anywhere),
        cmocka_unit_test(hex_has_every_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
