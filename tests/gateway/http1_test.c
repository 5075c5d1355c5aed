/* http1_test.c - heads found and bodies decoded the same however their bytes arrive; answer heads
 * byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/http1.h"

#define TEXT(s) hf_view_of(s)

/* Everything a connection would see of `bytes`, as text: heads, data, trailers, the refusal. Bytes
 * arrive in pieces cut at `cuts`, and what was not consumed is kept, as a connection keeps it. */
static void trace(struct hf_view bytes, const size_t *cuts, size_t n_cuts, size_t room,
                  struct hf_buf *out)
{
    struct hf_http1_parser *p;
    struct hf_http1_scan scan = {0};
    struct hf_http1_body body;
    struct hf_refusal why = {0};
    struct hf_buf in = {0};
    bool in_body = false, in_data = false;
    size_t at = 0;
    assert_int_equal(hf_http1_parser_new(8, &p), HF_OK);
    for (size_t cut = 0; cut <= n_cuts && why.text == NULL; cut++) {
        size_t end = cut < n_cuts ? cuts[cut] : bytes.len;
        assert_int_equal(hf_buf_add(&in, bytes.ptr + at, end - at), HF_OK);
        at = end;
        struct hf_view rest = hf_buf_view(&in), data;
        bool more = true;
        while (more && why.text == NULL) {
            if (!in_body) {
                size_t len;
                struct hf_http1_request req;
                enum hf_err err =
                    rest.len == 0 ? HF_AGAIN : hf_http1_find_head(rest, 512, &scan, &len, &why);
                more = err == HF_OK;
                if (!more ||
                    !hf_http1_parse(p, hf_view(rest.ptr + scan.skip, len - scan.skip), &req, &why))
                    continue;
                assert_int_equal(hf_buf_printf(out, "[%.*s %.*s %u]", HF_FMT(req.s.method),
                                               HF_FMT(req.target.path), req.s.n_fields),
                                 HF_OK);
                rest = hf_view_skip(rest, len);
                scan = (struct hf_http1_scan){0};
                hf_http1_body_init(&body, req.s.chunked, req.s.length);
                in_body = true;
                in_data = false;
                continue;
            }
            switch (hf_http1_body_next(&body, &rest, room, 256, &data, &why)) {
            case HF_BODY_MORE: more = false; break;
            case HF_BODY_DATA:
                assert_true(data.len > 0 && data.len <= room);
                assert_int_equal(hf_buf_printf(out, "%s%.*s", in_data ? "" : "=", HF_FMT(data)),
                                 HF_OK);
                in_data = true;
                break;
            case HF_BODY_TRAILERS:
                assert_int_equal(hf_buf_printf(out, "{%.*s}", HF_FMT(data)), HF_OK);
                in_body = false;
                break;
            case HF_BODY_END: in_body = false; break;
            case HF_BODY_FULL: fail(); break;
            case HF_BODY_REFUSED: break;
            }
        }
        hf_buf_consume(&in, in.len - rest.len);
    }
    if (why.text != NULL)
        assert_int_equal(hf_buf_printf(out, "!%u %s", why.status, why.text), HF_OK);
    hf_buf_done(&in);
    hf_http1_parser_free(p);
}

#define HEAD    "POST /a HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *bytes, *trace;
} streams[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "[GET / 1]"},
    {"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "[GET / 1]"},
    {"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
     "[GET /1 1][GET /2 1]"},
    {"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
     "[GET /1 1][GET /2 1]"},
    {HEAD "Content-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
     "[POST /a 2]=hello[GET /2 1]"},
    {HEAD "Content-Length: 0\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n", "[POST /a 2][GET /2 1]"},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
     "[POST /a 2]=hello[GET /2 1]"},
    {CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "[POST /a 2]=hello"},
    {CHUNKED "0000000A;a=b;c=\"d e\"\r\n0123456789\r\n000;x\r\n\r\n", "[POST /a 2]=0123456789"},
    {CHUNKED "1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
     "[POST /a 2]=a{A: b\r\nC: d\r\n\r\n}[GET /2 1]"},
    /* refused */
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "!400 this is not an HTTP request"},
    {"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "!400 a line ends in LF without CR"},
    {"\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", "!400 a CR without LF"},
    {"\x16\x03\x01", "!400 a TLS handshake on a port that speaks plain HTTP"},
    {"GET / HTTP/1.1\nHost: x\n\n", "!400 a line ends in LF without CR"},
    {"GET / HTTP/1.1\r\nHost: x\r\n\n", "!400 a line ends in LF without CR"},
    {CHUNKED "5\nhello\r\n0\r\n\r\n", "[POST /a 2]!400 a chunk line ends in LF without CR"},
    {CHUNKED "5\r\nhello\n0\r\n\r\n", "[POST /a 2]=hello!400 a chunk longer than its size"},
    {CHUNKED "5\r\nhello\rX", "[POST /a 2]=hello!400 a CR without LF after a chunk"},
    {CHUNKED "5\r\nhello0\r\n\r\n", "[POST /a 2]=hello!400 a chunk longer than its size"},
    {CHUNKED "5\rXhello", "[POST /a 2]!400 a CR without LF in a chunk line"},
    {CHUNKED "5 \r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED " 5\r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED "0x5\r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED "-5\r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED "+5\r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED "5_0\r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED "\r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED ";a\r\nhello", "[POST /a 2]!400 a chunk size that is no number"},
    {CHUNKED "ffffffffffffffff\r\n", "[POST /a 2]!400 a chunk size too large"},
    {CHUNKED "10000000000000000\r\n", "[POST /a 2]!400 a chunk size too large"},
    {CHUNKED "00000000000000005\r\n", "[POST /a 2]!400 a chunk size too large"},
    {CHUNKED "5;a\nhello", "[POST /a 2]!400 a control character in a chunk extension"},
    {CHUNKED "5;\x01\r\n", "[POST /a 2]!400 a control character in a chunk extension"},
    {CHUNKED "5;a\r\rhello", "[POST /a 2]!400 a CR without LF in a chunk line"},
    {CHUNKED "0\r\n\n", "[POST /a 2]!400 a trailer line ends in LF without CR"},
    {CHUNKED "0\r\nA: b\n\r\n", "[POST /a 2]!400 a trailer line ends in LF without CR"},
};

static void test_every_split_gives_the_same_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(streams); i++) {
        struct hf_buf out = {0};
        struct hf_view bytes = TEXT(streams[i].bytes);
        trace(bytes, NULL, 0, 4096, &out);
        if (!hf_view_eq_text(hf_buf_view(&out), streams[i].trace))
            fail_msg("stream %zu: %.*s", i, HF_FMT(hf_buf_view(&out)));
        for (size_t cut = 0; cut <= bytes.len; cut++) {
            hf_buf_clear(&out);
            trace(bytes, &cut, 1, 4096, &out);
            if (!hf_view_eq_text(hf_buf_view(&out), streams[i].trace))
                fail_msg("stream %zu cut at %zu: %.*s", i, cut, HF_FMT(hf_buf_view(&out)));
        }
        size_t every[256];
        assert_true(bytes.len < HF_ARRAY_LEN(every));
        for (size_t n = 0; n < bytes.len; n++)
            every[n] = n + 1;
        hf_buf_clear(&out);
        trace(bytes, every, bytes.len, 1, &out);
        if (!hf_view_eq_text(hf_buf_view(&out), streams[i].trace))
            fail_msg("stream %zu byte by byte: %.*s", i, HF_FMT(hf_buf_view(&out)));
        hf_buf_done(&out);
    }
}

static void test_long_heads_are_431(void **state)
{
    (void)state;
    static const char *const starts[] = {"GET /", "GET / HTTP/1.1\r\nA: "};
    for (size_t i = 0; i < 2; i++) {
        char head[600];
        struct hf_http1_scan scan = {0};
        struct hf_refusal why;
        size_t len, n = strlen(starts[i]);
        memset(head, 'a', sizeof head);
        memcpy(head, starts[i], n);
        assert_int_equal(hf_http1_find_head(hf_view(head, 512), 512, &scan, &len, &why), HF_AGAIN);
        assert_int_equal(hf_http1_find_head(hf_view(head, 513), 512, &scan, &len, &why),
                         HF_INVALID);
        assert_int_equal(why.status, 431);
        memcpy(head + 508, "\r\n\r\n", 4); /* exactly as long as allowed */
        scan = (struct hf_http1_scan){0};
        assert_int_equal(hf_http1_find_head(hf_view(head, 600), 512, &scan, &len, &why), HF_OK);
        assert_int_equal(len, 512);
    }
}

static void test_chunk_extensions_are_bounded(void **state)
{
    (void)state;
    struct hf_http1_body b;
    struct hf_refusal why = {0};
    struct hf_view data, rest;
    char line[400];
    memset(line, 'e', sizeof line);
    memcpy(line, "1;", 2);
    hf_http1_body_init(&b, true, 0);
    rest = hf_view(line, sizeof line);
    assert_int_equal(hf_http1_body_next(&b, &rest, 1, 64, &data, &why), HF_BODY_REFUSED);
    assert_string_equal(why.text, "a chunk line too long");
    /* one byte of data for 200 of extension, again and again */
    memcpy(line + 200, "\r\nx\r\n", 5);
    hf_http1_body_init(&b, true, 0);
    why.text = NULL;
    unsigned chunks = 0;
    for (; why.text == NULL && chunks < 1000; chunks++) {
        rest = hf_view(line, 205);
        while (hf_http1_body_next(&b, &rest, 1, 64, &data, &why) == HF_BODY_DATA)
            continue;
    }
    assert_string_equal(why.text, "more chunk extensions than data");
    assert_true(chunks > 50 && chunks < 100);
}

static void test_long_trailers_are_431(void **state)
{
    (void)state;
    struct hf_http1_body b;
    struct hf_refusal why = {0};
    struct hf_view data, rest = TEXT("0\r\nA: 0123456789\r\n");
    hf_http1_body_init(&b, true, 0);
    assert_int_equal(hf_http1_body_next(&b, &rest, 1, 8, &data, &why), HF_BODY_REFUSED);
    assert_int_equal(why.status, 431);
}

static void test_full_room_stops_data_but_not_framing(void **state)
{
    (void)state;
    struct hf_http1_body b;
    struct hf_refusal why;
    struct hf_view data, rest = TEXT("3\r\nabc\r\n0\r\n\r\n");
    hf_http1_body_init(&b, true, 0);
    assert_int_equal(hf_http1_body_next(&b, &rest, 0, 64, &data, &why), HF_BODY_FULL);
    assert_int_equal(rest.len, 10);
    assert_int_equal(hf_http1_body_next(&b, &rest, 2, 64, &data, &why), HF_BODY_DATA);
    assert_true(hf_view_eq_text(data, "ab"));
    assert_int_equal(hf_http1_body_next(&b, &rest, 2, 64, &data, &why), HF_BODY_DATA);
    assert_int_equal(hf_http1_body_next(&b, &rest, 0, 64, &data, &why), HF_BODY_END);
    assert_true(hf_http1_body_over(&b));
    hf_http1_body_init(&b, false, 7);
    hf_http1_body_took(&b, 3);
    assert_int_equal(hf_http1_body_left(&b), 4);
    hf_http1_body_took(&b, 4);
    assert_true(hf_http1_body_over(&b));
}

static void test_requests_say_what_they_want(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool keep, body, safe, is_head;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true, false, true, false},
        {"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false, false, true, true},
        {"GET / HTTP/1.0\r\n\r\n", false, false, true, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false, true, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, false, true, false},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", true, false, false, false},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", true, true, false, false},
        {"DELETE / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", true, true, false,
         false},
    };
    struct hf_http1_parser *p;
    assert_int_equal(hf_http1_parser_new(8, &p), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_http1_request req;
        struct hf_refusal why;
        assert_true(hf_http1_parse(p, TEXT(rows[i].head), &req, &why));
        assert_int_equal(req.keep_alive, rows[i].keep);
        assert_int_equal(req.has_body, rows[i].body);
        assert_int_equal(req.safe, rows[i].safe);
        assert_int_equal(req.is_head, rows[i].is_head);
    }
    hf_http1_parser_free(p);
}

/* ---- answers ---- */

static struct hf_head make_head(struct hf_buf *buf, uint16_t status, const char *const *fields)
{
    struct hf_head_writer w;
    struct hf_head head;
    hf_buf_clear(buf);
    assert_int_equal(hf_head_begin_response(&w, buf, 0, status), HF_OK);
    for (; fields[0] != NULL; fields += 2)
        assert_int_equal(hf_head_field(&w, TEXT(fields[0]), TEXT(fields[1])), HF_OK);
    assert_int_equal(hf_head_read(hf_head_end(&w), &head, NULL), HF_OK);
    return head;
}

static void expect_head(const struct hf_http1_answer *a, const char *text)
{
    struct hf_buf out = {0};
    assert_int_equal(hf_http1_write_head(&out, a), HF_OK);
    if (!hf_view_eq_text(hf_buf_view(&out), text))
        fail_msg("%.*s", HF_FMT(hf_buf_view(&out)));
    hf_buf_done(&out);
}

static void test_answer_heads_are_byte_exact(void **state)
{
    (void)state;
    struct hf_buf buf = {0};
    const char *const fields[] = {"X-A",
                                  "1",
                                  "Connection",
                                  "x-gone, close",
                                  "X-Gone",
                                  "2",
                                  "x-a",
                                  "3",
                                  "Keep-Alive",
                                  "timeout=5",
                                  "Content-Length",
                                  "7",
                                  "Te",
                                  "trailers",
                                  "Upgrade",
                                  "a",
                                  "Proxy-Connection",
                                  "b",
                                  "Transfer-Encoding",
                                  "gzip",
                                  NULL};
    struct hf_head head = make_head(&buf, 200, fields);
    struct hf_http1_answer a = {.status = 200,
                                .head = &head,
                                .named = true,
                                .date = TEXT("now"),
                                .framing = HF_FRAME_GIVEN};
    expect_head(&a,
                "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 3\r\nContent-Length: 7\r\ndate: now\r\n\r\n");
    a.framing = HF_FRAME_CHUNKED;
    a.persist = HF_PERSIST_CLOSE;
    a.extra = TEXT("more: yes\r\n");
    expect_head(
        &a,
        "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 3\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
        "date: now\r\nmore: yes\r\n\r\n");
    const char *const dated[] = {"Date", "then", NULL};
    head = make_head(&buf, 299, dated);
    a = (struct hf_http1_answer){.status = 299,
                                 .head = &head,
                                 .date = TEXT("now"),
                                 .framing = HF_FRAME_LENGTH,
                                 .length = 18446744073709551615u,
                                 .persist = HF_PERSIST_KEEP};
    expect_head(&a, "HTTP/1.1 299 \r\nDate: then\r\ncontent-length: 18446744073709551615\r\n"
                    "connection: keep-alive\r\n\r\n");
    a = (struct hf_http1_answer){.status = 204};
    expect_head(&a, "HTTP/1.1 204 No Content\r\n\r\n");
    hf_buf_done(&buf);
}

static void test_a_guest_cannot_split_an_answer(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"a", "b\r\nc: d"}, {"a", "b\nc"},  {"a", "b\rc"},
                                         {"a", "b\x01"},     {"a b", "c"},   {"a:", "c"},
                                         {"", "c"},          {"a\r\nb", "c"}};
    struct hf_buf buf = {0}, out = {0};
    assert_int_equal(hf_buf_add_text(&out, "before"), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        const char *const fields[] = {bad[i][0], bad[i][1], NULL};
        struct hf_head head = make_head(&buf, 200, fields);
        struct hf_http1_answer a = {.status = 200, .head = &head};
        assert_int_equal(hf_http1_write_head(&out, &a), HF_INVALID);
        assert_int_equal(out.len, 6);
    }
    hf_buf_done(&buf);
    hf_buf_done(&out);
}

static void test_chunk_heads_and_last_chunks(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {{1, "1\r\n"},
                {15, "f\r\n"},
                {16, "10\r\n"},
                {0x1234abcd, "1234abcd\r\n"},
                {UINT64_MAX, "ffffffffffffffff\r\n"}};
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        char out[HF_HTTP1_CHUNK_HEAD];
        size_t n = hf_http1_chunk_head(out, rows[i].n);
        assert_true(hf_view_eq_text(hf_view(out, n), rows[i].text));
    }
    struct hf_buf buf = {0}, out = {0};
    const char *const fields[] = {"A", "b", "Content-Length", "3", "Connection", "c", "D",
                                  "e", NULL};
    make_head(&buf, 200, fields);
    assert_int_equal(hf_http1_write_end(&out, hf_buf_view(&buf)), HF_OK);
    assert_true(hf_view_eq_text(hf_buf_view(&out), "0\r\nA: b\r\nD: e\r\n\r\n"));
    hf_buf_clear(&out);
    assert_int_equal(hf_http1_write_end(&out, (struct hf_view){0}), HF_OK);
    assert_true(hf_view_eq_text(hf_buf_view(&out), "0\r\n\r\n"));
    hf_buf_done(&buf);
    hf_buf_done(&out);
}

static void test_reasons_are_sorted(void **state)
{
    (void)state;
    unsigned known = 0;
    for (uint16_t status = 100; status < 1000; status++) {
        const char *text = hf_http1_reason(status);
        if (text == NULL)
            continue;
        known++;
        assert_int_equal(strtoul(text, NULL, 10), status);
    }
    assert_int_equal(known, 57);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split_gives_the_same_result),
        cmocka_unit_test(test_long_heads_are_431),
        cmocka_unit_test(test_chunk_extensions_are_bounded),
        cmocka_unit_test(test_long_trailers_are_431),
        cmocka_unit_test(test_full_room_stops_data_but_not_framing),
        cmocka_unit_test(test_requests_say_what_they_want),
        cmocka_unit_test(test_answer_heads_are_byte_exact),
        cmocka_unit_test(test_a_guest_cannot_split_an_answer),
        cmocka_unit_test(test_chunk_heads_and_last_chunks),
        cmocka_unit_test(test_reasons_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
