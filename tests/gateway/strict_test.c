/* strict_test.c - the strict pass refuses what parsers quarrel about, each with its own words, and
 * nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_rows.h"

#define H "Host: x\r\n"

static const struct row taken[] = {
    ROW("plain", "GET / HTTP/1.1\r\n" H "\r\n", 0, "/"),
    ROW("1.0 without Host", "GET /a HTTP/1.0\r\n\r\n", 0, "/a"),
    ROW("empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", 0, "/a"),
    ROW("IPv6 Host", "GET /a HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 0, "/a"),
    ROW("empty port", "GET /a HTTP/1.1\r\nHost: x:\r\n\r\n", 0, "/a"),
    ROW("absolute", "GET http://y:80/a?b HTTP/1.1\r\n" H "\r\n", 0, "/a?b"),
    ROW("absolute without path", "GET HTTP://y HTTP/1.1\r\n" H "\r\n", 0, "/"),
    ROW("asterisk", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 0, "*"),
    ROW("what browsers send raw", "GET /a'(b)[c]|{d}^`\\?x=%00&y=;,~ HTTP/1.1\r\n" H "\r\n", 0,
        "/a'(b)[c]|{d}^`\\?x=%00&y=;,~"),
    ROW("method of its own", "BREW /pot HTTP/1.1\r\n" H "\r\n", 0, "/pot"),
    ROW("llhttp's odd methods", "SOURCE /pot HTTP/1.1\r\n" H "\r\n", 0, "/pot"),
    ROW("lower-case method is another method", "get / HTTP/1.1\r\n" H "\r\n", 0, "/"),
    ROW("high bytes and tabs in a value", "GET / HTTP/1.1\r\n" H "A: \xc3\xa4\tb \xff\r\n\r\n", 0,
        "/"),
    ROW("empty value", "GET / HTTP/1.1\r\n" H "A:\r\nB: \r\n\r\n", 0, "/"),
    ROW("chunked in capitals", "POST / HTTP/1.1\r\n" H "TRANSFER-ENCODING: Chunked  \r\n\r\n", 0,
        "/"),
    ROW("leading zeroes", "POST / HTTP/1.1\r\n" H "Content-Length: 0007\r\n\r\n", 0, "/"),
    ROW("the longest length", "POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775807\r\n\r\n",
        0, "/"),
    ROW("upgrade is ignored", "GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        0, "/"),
};

/* What the gateway does with the bytes of one head: find its end, then read it. */
static bool read_head(struct hf_http1_parser *p, const struct row *row,
                      struct hf_http1_request *req, struct hf_refusal *why)
{
    struct hf_http1_scan scan = {0};
    size_t len = 0;
    *why = (struct hf_refusal){0, ""};
    enum hf_err err = hf_http1_find_head(hf_view(row->bytes, row->len), 4096, &scan, &len, why);
    if (err == HF_AGAIN)
        fail_msg("%s: no end found", row->what);
    return err == HF_OK &&
           hf_http1_parse(p, hf_view(row->bytes + scan.skip, len - scan.skip), req, why);
}

static void test_ambiguous_heads_are_refused(void **state)
{
    (void)state;
    struct hf_http1_parser *p;
    assert_int_equal(hf_http1_parser_new(16, &p), HF_OK);
    for (size_t i = 0; i < refused_len; i++) {
        struct hf_http1_request req;
        struct hf_refusal why;
        if (read_head(p, &refused[i], &req, &why))
            fail_msg("%s: was accepted", refused[i].what);
        if (why.status != refused[i].status || strstr(why.text, refused[i].text) == NULL)
            fail_msg("%s: %u \"%s\" instead of %u \"%s\"", refused[i].what, why.status, why.text,
                     refused[i].status, refused[i].text);
    }
    hf_http1_parser_free(p);
}

static void test_plain_heads_are_taken(void **state)
{
    (void)state;
    struct hf_http1_parser *p;
    assert_int_equal(hf_http1_parser_new(16, &p), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(taken); i++) {
        struct hf_http1_request req;
        struct hf_refusal why;
        if (!read_head(p, &taken[i], &req, &why))
            fail_msg("%s: refused, %u \"%s\"", taken[i].what, why.status, why.text);
        if (!hf_view_eq_text(req.target.path, taken[i].text))
            fail_msg("%s: path \"%.*s\"", taken[i].what, HF_FMT(req.target.path));
    }
    hf_http1_parser_free(p);
}

/* The pass must stand alone too, whatever llhttp would say. */
static void test_strict_pass_alone_refuses_the_b4_rows(void **state)
{
    (void)state;
    struct hf_strict_field fields[16];
    for (size_t i = 0; i < refused_len; i++) {
        struct hf_strict s = {.fields = fields, .fields_max = 16};
        struct hf_target target;
        struct hf_refusal why;
        if (strstr(refused[i].text, "do not agree") != NULL)
            continue;
        struct hf_view head = hf_view(refused[i].bytes, refused[i].len);
        if (hf_strict_head(head, &s, &why) &&
            hf_target_read(s.method, s.target, s.host, &target, &why))
            fail_msg("%s: was accepted", refused[i].what);
    }
}

static void test_no_byte_outside_its_class_is_let_through(void **state)
{
    (void)state;
    struct hf_http1_parser *p;
    assert_int_equal(hf_http1_parser_new(16, &p), HF_OK);
    for (unsigned c = 0; c < 256; c++) {
        char head[64];
        struct hf_http1_request req;
        struct hf_refusal why;
        bool token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
        bool value = c == '\t' || (c >= ' ' && c != 0x7f);
        bool target = c > ' ' && c < 0x7f && strchr("\"#<>", (int)c) == NULL;
        struct {
            const char *fmt;
            bool good;
        } places[] = {{"G%cT / HTTP/1.1\r\nHost: x\r\n\r\n", token},
                      {"GET /%c HTTP/1.1\r\nHost: x\r\n\r\n", target},
                      {"GET / HTTP/1.1\r\nHost: x\r\nA%cB: c\r\n\r\n", token || c == ':'},
                      {"GET / HTTP/1.1\r\nHost: x\r\nA: b%cc\r\n\r\n", value}};
        for (size_t i = 0; i < HF_ARRAY_LEN(places); i++) {
            struct row row = {"byte", head, 0, 0, NULL};
            row.len = (size_t)snprintf(head, sizeof head, places[i].fmt, c);
            bool ok = read_head(p, &row, &req, &why);
            if (ok != places[i].good)
                fail_msg("byte %02x in place %zu: %s", c, i, ok ? "accepted" : why.text);
        }
    }
    hf_http1_parser_free(p);
}

static void test_hop_by_hop_fields_are_marked(void **state)
{
    (void)state;
    struct hf_strict_field fields[16];
    struct hf_strict s = {.fields = fields, .fields_max = 16};
    struct hf_refusal why;
    assert_true(hf_strict_head(
        HF_VIEW("GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive, X-Mine ,,close\r\n"
                "x-mine: 1\r\nX-Yours: 2\r\nTE: trailers\r\nUpgrade: a\r\nKeep-Alive: 5\r\n"
                "Proxy-Connection: b\r\nHTTP2-Settings: c\r\nTrailer: d\r\n\r\n"),
        &s, &why));
    const bool hop[] = {false, true, true, false, true, true, true, true, true, false};
    assert_int_equal(s.n_fields, HF_ARRAY_LEN(hop));
    for (size_t i = 0; i < HF_ARRAY_LEN(hop); i++)
        assert_int_equal(s.fields[i].hop, hop[i]);
    assert_true(s.close && s.keep_alive);
}

static void test_connection_cannot_hide_framing_or_routing(void **state)
{
    (void)state;
    struct hf_strict_field fields[16];
    struct hf_strict s = {.fields = fields, .fields_max = 16};
    struct hf_refusal why;
    assert_true(hf_strict_head(HF_VIEW("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                                       "Connection: host, content-length\r\n\r\n"),
                               &s, &why));
    assert_true(s.has_host && s.has_length && s.length == 3);
    assert_false(fields[0].hop || fields[1].hop);
    char many[512] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: ";
    for (int i = 0; i < 40; i++)
        strcat(many, "a,");
    strcat(many, "\r\n\r\n");
    s = (struct hf_strict){.fields = fields, .fields_max = 16};
    assert_false(hf_strict_head(hf_view_of(many), &s, &why));
    assert_non_null(strstr(why.text, "too many"));
}

static void test_too_many_fields_are_431(void **state)
{
    (void)state;
    struct hf_strict_field fields[3];
    struct hf_strict s = {.fields = fields, .fields_max = 3};
    struct hf_refusal why;
    assert_true(
        hf_strict_head(HF_VIEW("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\n\r\n"), &s, &why));
    assert_int_equal(s.n_fields, 3);
    assert_false(hf_strict_head(
        HF_VIEW("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), &s, &why));
    assert_int_equal(why.status, 431);
}

static void test_values_are_trimmed_and_expect_is_read(void **state)
{
    (void)state;
    struct hf_strict_field fields[8];
    struct hf_strict s = {.fields = fields, .fields_max = 8};
    struct hf_refusal why;
    assert_true(hf_strict_head(
        HF_VIEW("GET / HTTP/1.1\r\nHost:\t x \t\r\nExpect: 100-Continue\r\n\r\n"), &s, &why));
    assert_true(hf_view_eq_text(s.host, "x"));
    assert_int_equal(s.expect, HF_EXPECT_CONTINUE);
    assert_true(hf_strict_head(
        HF_VIEW("GET / HTTP/1.1\r\nHost: x\r\nExpect: a\r\nExpect: 100-continue\r\n\r\n"), &s,
        &why));
    assert_int_equal(s.expect, HF_EXPECT_OTHER);
}

static void test_trailers_may_not_frame_or_route(void **state)
{
    (void)state;
    struct hf_strict_field fields[2];
    struct hf_refusal why;
    uint32_t n;
    assert_true(hf_strict_trailers(HF_VIEW("A: b\r\nDigest: c\r\n\r\n"), fields, 2, &n, &why));
    assert_int_equal(n, 2);
    assert_true(hf_view_eq_text(fields[1].value, "c"));
    assert_true(hf_strict_trailers(HF_VIEW("\r\n"), fields, 2, &n, &why));
    assert_int_equal(n, 0);
    static const char *const bad[] = {"Content-Length: 3\r\n\r\n",
                                      "Transfer-Encoding: chunked\r\n\r\n",
                                      "Host: a\r\n\r\n",
                                      "Connection: a\r\n\r\n",
                                      "A : b\r\n\r\n",
                                      "A: b\r\n c\r\n\r\n",
                                      "A: b\r\r\n\r\n",
                                      "A: b\n\r\n",
                                      "A\r\n\r\n",
                                      "A: b\r\n",
                                      "A: b\r\n\r\nx"};
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        assert_false(hf_strict_trailers(hf_view_of(bad[i]), fields, 2, &n, &why));
    assert_false(hf_strict_trailers(HF_VIEW("A: b\r\nC: d\r\nE: f\r\n\r\n"), fields, 2, &n, &why));
    assert_int_equal(why.status, 431);
}

#define LEN_MAX 40 /* two blocks of sixteen and more */

static bool tchar(unsigned c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
}

/* Each byte at each place of names and values of each length: they are looked at sixteen at a time.
 * Nothing lies behind them, for the sanitizers. */
static void bytes_at_every_place(void **state)
{
    (void)state;
    for (size_t len = 1; len <= LEN_MAX; len++) {
        uint8_t *v = malloc(len);
        assert_non_null(v);
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 0; c < 256; c++) {
                memset(v, at % 2 ? 'v' : 0xff, len);
                v[at] = (uint8_t)c;
                if (hf_strict_is_value(hf_view(v, len)) !=
                    ((c >= 0x20 && c != 0x7f) || c == '\t'))
                    fail_msg("value: byte %u at %zu of %zu", c, at, len);
                memset(v, "aZ-0_"[at % 5], len);
                v[at] = (uint8_t)c;
                if (hf_strict_is_token(hf_view(v, len)) != tchar(c))
                    fail_msg("token: byte %u at %zu of %zu", c, at, len);
            }
        free(v);
    }
    assert_false(hf_strict_is_token(hf_view("", 0)));
    assert_true(hf_strict_is_value(hf_view("", 0)));
}

/* The same of whole lines: the name ends at its colon and the value at its line end, wherever these
 * are, and an odd byte in either is seen. */
static void lines_of_every_length(void **state)
{
    (void)state;
    for (size_t name = 1; name <= LEN_MAX; name++)
        for (size_t value = 0; value <= LEN_MAX; value++) {
            struct hf_strict_field f;
            struct hf_refusal why;
            size_t len = name + 1 + value + 2;
            uint8_t *line = malloc(len);
            assert_non_null(line);
            memset(line, 'n', name);
            line[name] = ':';
            memset(line + name + 1, 'v', value);
            memcpy(line + len - 2, "\r\n", 2);
            struct hf_view rest = hf_view(line, len);
            assert_true(hf_strict_field(&rest, &f, &why));
            assert_int_equal(rest.len, 0);
            assert_int_equal(f.name.len, name);
            assert_int_equal(f.value.len, value);
            for (size_t at = 0; at < len; at++) {
                uint8_t was = line[at];
                line[at] = 0x01;
                rest = hf_view(line, len);
                if (hf_strict_field(&rest, &f, &why))
                    fail_msg("a control at %zu of %zu", at, len);
                line[at] = was;
            }
            free(line);
        }
}

/* A head's end is found wherever its line ends fall, in one piece and byte by byte, and a bare LF is
 * refused as soon as it is there. */
static void the_end_of_every_length(void **state)
{
    (void)state;
    for (size_t a = 1; a <= LEN_MAX; a++)
        for (size_t b = 1; b <= LEN_MAX; b++) {
            struct hf_http1_scan whole = {0}, scan = {0};
            struct hf_refusal why;
            size_t len = a + 2 + b + 4, found = 0, behind = (a + b) % 20;
            uint8_t *head = malloc(len + behind);
            assert_non_null(head);
            memset(head, 'x', len + behind);
            memcpy(head + a, "\r\n", 2);
            memcpy(head + a + 2 + b, "\r\n\r\n", 4);
            assert_int_equal(
                hf_http1_find_head(hf_view(head, len + behind), 8192, &whole, &found, &why), HF_OK);
            assert_int_equal(found, len);
            for (size_t n = 1; n < len; n++)
                assert_int_equal(hf_http1_find_head(hf_view(head, n), 8192, &scan, &found, &why),
                                 HF_AGAIN);
            assert_int_equal(hf_http1_find_head(hf_view(head, len), 8192, &scan, &found, &why),
                             HF_OK);
            assert_int_equal(found, len);
            scan = (struct hf_http1_scan){0};
            assert_int_equal(
                hf_http1_find_head(hf_view(head, len), (uint32_t)len - 1, &scan, &found, &why),
                HF_INVALID);
            assert_int_equal(why.status, 431);
            scan = (struct hf_http1_scan){0};
            head[a] = 'x';
            assert_int_equal(hf_http1_find_head(hf_view(head, a + 1), 8192, &scan, &found, &why),
                             HF_AGAIN);
            assert_int_equal(hf_http1_find_head(hf_view(head, a + 2), 8192, &scan, &found, &why),
                             HF_INVALID);
            assert_int_equal(why.status, 400);
            free(head);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_at_every_place),
        cmocka_unit_test(lines_of_every_length),
        cmocka_unit_test(the_end_of_every_length),
        cmocka_unit_test(test_ambiguous_heads_are_refused),
        cmocka_unit_test(test_plain_heads_are_taken),
        cmocka_unit_test(test_strict_pass_alone_refuses_the_b4_rows),
        cmocka_unit_test(test_no_byte_outside_its_class_is_let_through),
        cmocka_unit_test(test_hop_by_hop_fields_are_marked),
        cmocka_unit_test(test_connection_cannot_hide_framing_or_routing),
        cmocka_unit_test(test_too_many_fields_are_431),
        cmocka_unit_test(test_values_are_trimmed_and_expect_is_read),
        cmocka_unit_test(test_trailers_may_not_frame_or_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
