/* log_access_test.c - every form of the access log, to the byte: other programs read it, and it
 * outlives the process. A change here is a change for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/log_access.h"

#define WALL 1795854245123456789u /* 2026-11-28T08:24:05.123 */

static const struct hf_access plain = {
    .method = {(const uint8_t *)"GET", 3},
    .target = {(const uint8_t *)"/a?b=c", 6},
    .host = {(const uint8_t *)"example.org", 11},
    .peer = {(const uint8_t *)"192.0.2.7:51234", 15},
    .service = {(const uint8_t *)"hello", 5},
    .protocol = "HTTP/1.1",
    .trace = {0x0af7651916cd43dd, 0x8448eb211c80319c, 0xb7ad6b7169203331, 1},
    .request_id = {(const uint8_t *)"b7ad6b7169203331", 16},
    .referer = {(const uint8_t *)"https://a.example/", 18},
    .agent = {(const uint8_t *)"curl/8", 6},
    .status = 200,
    .bytes_in = 3,
    .bytes_out = 12,
    .start_ns = 1000,
    .end_ns = 1235678,
    .process = 42,
    .how = "ok",
};

static void expect(enum hf_access_form form, const struct hf_access *a, const char *want)
{
    struct hf_buf b = {0};
    struct hf_log_clock clock = {0};
    assert_int_equal(hf_access_line(&b, form, &clock, WALL, a), HF_OK);
    assert_string_equal((const char *)b.ptr, want);
    hf_buf_done(&b);
}

static void golden_own(void **state)
{
    struct hf_access a = plain;
    (void)state;
    expect(HF_ACCESS_FORM_OWN, &a,
           "2026-11-28T08:24:05.123Z access 192.0.2.7:51234 GET /a?b=c 200 12 1.234ms hello[42] "
           "id=b7ad6b7169203331\n");
    a.how = "dead";
    a.status = 500;
    a.detail = HF_VIEW("wasm trap: \x1b[2J\nbacktrace");
    expect(HF_ACCESS_FORM_OWN, &a,
           "2026-11-28T08:24:05.123Z access 192.0.2.7:51234 GET /a?b=c 500 12 1.234ms hello[42] "
           "id=b7ad6b7169203331 dead: wasm trap: \\x1b[2J\n");
    a = (struct hf_access){.peer = plain.peer, .protocol = "HTTP/1.1", .how = "slow-head"};
    expect(HF_ACCESS_FORM_OWN, &a, "2026-11-28T08:24:05.123Z access 192.0.2.7:51234   0 0 0.000ms slow-head\n");
}

static void golden_common(void **state)
{
    struct hf_access a = plain;
    (void)state;
    expect(HF_ACCESS_FORM_COMMON, &a,
           "192.0.2.7 - - [28/Nov/2026:08:24:05 +0000] \"GET /a?b=c HTTP/1.1\" 200 12\n");
    a.peer = HF_VIEW("[2001:db8::1]:443");
    a.protocol = "HTTP/1.0";
    a.bytes_out = 0;
    a.status = 0; /* the client left */
    expect(HF_ACCESS_FORM_COMMON, &a,
           "2001:db8::1 - - [28/Nov/2026:08:24:05 +0000] \"GET /a?b=c HTTP/1.0\" 499 -\n");
    a.method = a.target = (struct hf_view){0};
    a.status = 400;
    expect(HF_ACCESS_FORM_COMMON, &a, "2001:db8::1 - - [28/Nov/2026:08:24:05 +0000] \"-\" 400 -\n");
}

static void golden_combined(void **state)
{
    struct hf_access a = plain;
    (void)state;
    expect(HF_ACCESS_FORM_COMBINED, &a,
           "192.0.2.7 - - [28/Nov/2026:08:24:05 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 "
           "\"https://a.example/\" \"curl/8\"\n");
    a.referer = a.agent = (struct hf_view){0};
    expect(HF_ACCESS_FORM_COMBINED, &a,
           "192.0.2.7 - - [28/Nov/2026:08:24:05 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"-\"\n");
    a.agent = HF_VIEW("a\"b\\c\td\x7f \xc3\xa4 \xff\" 200 1\n");
    expect(HF_ACCESS_FORM_COMBINED, &a,
           "192.0.2.7 - - [28/Nov/2026:08:24:05 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" "
           "\"a\\\"b\\\\c\\x09d\\x7f \\xc3\\xa4 \\xff\\\" 200 1\\x0a\"\n");
}

static void golden_json(void **state)
{
    struct hf_access a = plain;
    (void)state;
#define HEAD                                                                                       \
    "{\"time\":\"2026-11-28T08:24:05.123Z\",\"level\":\"access\",\"service\":\"hello\",\"peer\":"   \
    "\"192.0.2.7:51234\",\"method\":\"GET\",\"target\":\"/a?b=c\",\"host\":\"example.org\","         \
    "\"protocol\":\"HTTP/1.1\",\"status\":200,\"in\":3,\"out\":12,\"us\":1234,\"instance\":42,"     \
    "\"how\":\"ok\""
#define IDS                                                                                        \
    ",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\","         \
    "\"request_id\":\"b7ad6b7169203331\""
    expect(HF_ACCESS_FORM_JSON, &a, HEAD IDS "}\n");
    expect(HF_ACCESS_FORM_JSON_AGENT, &a,
           HEAD IDS ",\"referer\":\"https://a.example/\",\"user_agent\":\"curl/8\"}\n");
    a.trace = (struct hf_trace){0};
    a.detail = HF_VIEW("a\"\\\n\x7f\xc3\xa4\xc2\x9b\xff\xf0\x9f\x98\x80");
    expect(HF_ACCESS_FORM_JSON, &a,
           HEAD ",\"detail\":\"a\\\"\\\\\\u000a\\u007f\xc3\xa4\\\\xc2\\\\x9b\\\\xff\xf0\x9f\x98\x80\"}\n");
}

/* Hostile bytes never end a line or a string, whatever the form: each line is printable UTF-8 with one end. */
static void no_byte_breaks_a_line(void **state)
{
    uint8_t all[512];
    (void)state;
    for (unsigned i = 0; i < 512; i++)
        all[i] = (uint8_t)i;
    struct hf_view v = hf_view(all, sizeof all);
    struct hf_access a = plain;
    a.method = a.target = a.host = a.service = a.referer = a.agent = a.detail = v;
    for (unsigned form = HF_ACCESS_FORM_OWN; form <= HF_ACCESS_FORM_JSON_AGENT; form++) {
        struct hf_buf b = {0};
        struct hf_log_clock clock = {0};
        assert_int_equal(hf_access_line(&b, (enum hf_access_form)form, &clock, WALL, &a), HF_OK);
        assert_int_equal(hf_view_find(hf_buf_view(&b), '\n'), b.len - 1);
        for (size_t i = 0; i < b.len - 1; i++)
            assert_true(b.ptr[i] >= 0x20 && b.ptr[i] < 0x7f);
        hf_buf_done(&b);
    }
}

static void a_clock_follows_the_seconds(void **state)
{
    struct hf_log_clock clock = {0};
    uint8_t room[64];
    static const struct {
        uint64_t ns;
        const char *iso, *clf;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z", "01/Jan/1970:00:00:00 +0000"},
        {999999999u, "1970-01-01T00:00:00.999Z", "01/Jan/1970:00:00:00 +0000"},
        {1000000000u, "1970-01-01T00:00:01.000Z", "01/Jan/1970:00:00:01 +0000"},
        {951782400u * 1000000000ull, "2000-02-29T00:00:00.000Z", "29/Feb/2000:00:00:00 +0000"},
        {4102444799u * 1000000000ull, "2099-12-31T23:59:59.000Z", "31/Dec/2099:23:59:59 +0000"},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_pen p = {room};
        hf_pen_iso(&p, &clock, rows[i].ns);
        assert_int_equal(p.at - room, 24);
        assert_memory_equal(room, rows[i].iso, 24);
        p.at = room;
        hf_pen_clf(&p, &clock, rows[i].ns);
        assert_int_equal(p.at - room, 26);
        assert_memory_equal(room, rows[i].clf, 26);
    }
    struct hf_pen p = {room};
    hf_pen_number(&p, 0);
    hf_pen_number(&p, UINT64_MAX);
    assert_memory_equal(room, "018446744073709551615", 21);
}

/* Byte by byte, as doc/logs.md says it. */
static size_t slowly(uint8_t *to, const uint8_t *from, size_t len, enum hf_escape how)
{
    static const char digits[] = "0123456789abcdef";
    struct hf_pen p = {to};
    bool quotes = how == HF_ESCAPE_QUOTED || how == HF_ESCAPE_JSON;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = from[i];
        if (c >= 0x20 && c < 0x7f && !(quotes && (c == '"' || c == '\\'))) {
            *p.at++ = c;
        } else if (c == '"' || c == '\\') {
            *p.at++ = '\\';
            *p.at++ = c;
        } else {
            hf_pen_text(&p, how != HF_ESCAPE_JSON ? "\\x" : c < 0x80 ? "\\u00" : "\\\\x");
            *p.at++ = (uint8_t)digits[c >> 4];
            *p.at++ = (uint8_t)digits[c & 15];
        }
    }
    return (size_t)(p.at - to);
}

/* Words of eight bytes, few bytes and what is left: the same, wherever the strange one stands, and whatever stands beside it. */
static void a_strange_byte_is_found_at_every_place(void **state)
{
    static const enum hf_escape hows[] = {HF_ESCAPE_TEXT, HF_ESCAPE_QUOTED, HF_ESCAPE_JSON};
    static const uint8_t others[] = {' ', '!', '#', '[', ']', 'a', '~', '\\', '"', 0x7f, 0x1f};
    uint8_t in[24], want[24 * HF_ESCAPE_MAX], got[24 * HF_ESCAPE_MAX];
    (void)state;
    for (size_t o = 0; o < sizeof others; o++)
        for (size_t len = 0; len <= 20; len++)
            for (size_t at = 0; at < (len > 0 ? len : 1); at++)
                for (unsigned c = 0; c < 256; c++) {
                    memset(in, others[o], sizeof in);
                    in[at] = (uint8_t)c; /* alone it is never UTF-8 */
                    for (size_t h = 0; h < 3; h++) {
                        struct hf_pen p = {got};
                        memset(got, 0xee, sizeof got);
                        size_t n = slowly(want, in, len, hows[h]);
                        hf_pen_escaped(&p, hf_view(in, len), hows[h]);
                        assert_int_equal(p.at - got, n);
                        if (memcmp(got, want, n) != 0)
                            fail_msg("0x%02x at %zu of %zu, beside 0x%02x", c, at, len, others[o]);
                        assert_int_equal(got[n], 0xee);
                    }
                }
}

static void numbers_are_written_whole(void **state)
{
    (void)state;
    for (uint64_t n = 0, ten = 1; n != UINT64_MAX; n = ten - 1, ten = ten > UINT64_MAX / 10 ? 0 : ten * 10)
        for (unsigned i = 0; i < 3; i++) { /* before, at and after a power of ten */
            char want[32];
            uint8_t got[HF_PEN_NUMBER_MAX];
            struct hf_pen p = {got};
            int len = snprintf(want, sizeof want, "%llu", (unsigned long long)(n + i));
            hf_pen_number(&p, n + i);
            assert_int_equal(p.at - got, len);
            assert_memory_equal(got, want, (size_t)len);
        }
    uint8_t got[HF_PEN_NUMBER_MAX];
    struct hf_pen p = {got};
    hf_pen_number(&p, UINT64_MAX);
    assert_memory_equal(got, "18446744073709551615", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_own),      cmocka_unit_test(golden_common),
        cmocka_unit_test(golden_combined), cmocka_unit_test(golden_json),
        cmocka_unit_test(no_byte_breaks_a_line), cmocka_unit_test(a_clock_follows_the_seconds),
        cmocka_unit_test(a_strange_byte_is_found_at_every_place), cmocka_unit_test(numbers_are_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
