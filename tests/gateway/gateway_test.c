/* gateway_test.c - requests and answers through a whole gateway, byte for byte. */
#include "support.h"
#include "support_rows.h"

#include <stdio.h>

#define HOST      "Host: x\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define HELLO     "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world"
static void with(void (*test)(struct world *w, struct client *c),
                 const struct hf_gateway_settings *s)
{
    for (int fake = 1; fake >= 0; fake--) {
        struct world w;
        struct client c;
        world_open(&w, s, fake);
        client_open(&c, &w);
        test(&w, &c);
        client_close(&c);
        world_close(&w);
    }
}
#define TEST(name)                                                                                 \
    static void name##_in(struct world *w, struct client *c);                                      \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        with(name##_in, NULL);                                                                     \
    }                                                                                              \
    static void name##_in(struct world *w, struct client *c)

TEST(test_keep_alive)
{
    for (int i = 0; i < 3; i++) {
        SEND(c, GET("/hello"));
        client_expect(c, HELLO);
        world_expect_log(w, "GET /hello 200 ok 0/12\n");
    }
    assert_false(c->ended);
    assert_int_equal(world_stats(w).accepted, 1);
    assert_int_equal(world_stats(w).requests, 3);
    assert_int_equal(world_stats(w).busy, 0);
}

/* RFC 9110 6.6.1: an origin server with a clock says when it answered. */
static void test_answers_carry_the_date(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    char dates[3][DATE_LEN + 1] = {{0}};
    world_open(&w, NULL, true);
    client_open(&c, &w);
    for (int i = 0; i < 3; i++) {
        SEND(&c, GET("/hello"));
        client_run(&c);
        char *date = strstr((char *)c.got.ptr, "\r\ndate: ");
        assert_non_null(date);
        memcpy(dates[i], date + 2, DATE_LEN);
        assert_null(strstr(date + 4, "date: "));
        hf_buf_clear(&c.got);
        uint64_t into = w.os->wall_ns(w.os) % S;
        world_pass(&w, i == 0 ? (S - into) / 2 : S); /* within the second; into the next */
    }
    assert_string_equal(dates[0], dates[1]);
    assert_string_not_equal(dates[1], dates[2]);
    client_close(&c);
    world_close(&w);
}

TEST(test_connection_close_is_kept)
{
    (void)w;
    SEND(c, "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    client_expect_end(
        c, "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello, world");
}

TEST(test_http_1_0)
{
    (void)w;
    SEND(c, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client_expect(
        c, "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: keep-alive\r\n\r\nhello, world");
    SEND(c, "GET /hello HTTP/1.0\r\n\r\n");
    client_expect_end(
        c, "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello, world");
}

TEST(test_http_1_0_stream_ends_with_the_connection)
{
    (void)w;
    SEND(c, "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client_expect_end(c, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwothree");
}

TEST(test_the_head_a_service_sees)
{
    (void)w;
    SEND(c, "GET /tell?a=%20b HTTP/1.1\r\nHost: x:80\r\nX-A:  1 \r\nConnection: x-b, "
            "keep-alive\r\nX-B: 2\r\nx-a: 3\r\n"
            "Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: c\r\nCookie: "
            "d\r\n\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 66\r\n\r\n"
                     "GET http://x:80/tell?a=%20b flags=f|X-A=1|x-a=3|Cookie=d|0 no body");
}

TEST(test_absolute_and_asterisk_targets)
{
    (void)w;
    SEND(c, "GET http://other:81/tell?q HTTP/1.1\r\n" HOST "\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\nGET http://other:81/tell?q "
                     "flags=f|0 no body");
    SEND(c, "OPTIONS * HTTP/1.1\r\nHost: known.example\r\n\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 47\r\n\r\nOPTIONS http://known.example* "
                     "flags=f|0 no body");
    SEND(c, "GET /tell HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 34\r\nconnection: keep-alive\r\n\r\n"
                     "GET http:///tell flags=d|0 no body");
}

TEST(test_head_204_304_carry_no_body)
{
    SEND(c, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n");
    SEND(c, "HEAD /chunks HTTP/1.1\r\n" HOST "\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\n\r\n");
    SEND(c, "HEAD /len/7/7 HTTP/1.1\r\n" HOST "\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
    SEND(c, "HEAD /die HTTP/1.1\r\n" HOST "\r\n");
    client_expect(c, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 46\r\n"
                     "content-type: text/plain; charset=utf-8\r\n\r\n");
    SEND(c, GET("/status/204"));
    client_expect(c, "HTTP/1.1 204 No Content\r\n\r\n");
    SEND(c, GET("/status/304"));
    client_expect(c, "HTTP/1.1 304 Not Modified\r\n\r\n");
    SEND(c, GET("/hello")); /* still in step */
    client_expect(c, HELLO);
    world_expect_log(
        w, "HEAD /hello 200 ok 0/0\nHEAD /chunks 200 ok 0/0\nHEAD /len/7/7 200 ok 0/0\n"
           "HEAD /die 500 dead 0/0\nGET /status/204 204 ok 0/0\nGET /status/304 304 ok 0/0\n"
           "GET /hello 200 ok 0/12\n");
}

TEST(test_framing_of_answers)
{
    (void)w;
    SEND(c, GET("/chunks"));
    client_run(c); /* how the pieces fall into chunks is timing; the decoded bytes are not */
    assert_true(hf_view_starts(hf_buf_view(&c->got),
                               HF_VIEW("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n")));
    assert_true(hf_view_ends(hf_buf_view(&c->got), HF_VIEW("\r\n0\r\nSum: eleven\r\n\r\n")));
    hf_buf_clear(&c->got);
    SEND(c, GET("/trailing"));
    client_expect(
        c,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nSum: four\r\n\r\n");
    SEND(c, GET("/empty"));
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    SEND(c, GET("/len/3/3"));
    client_expect(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\naaa");
    SEND(c, GET("/len/0/0"));
    client_expect(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    SEND(c, GET("/slen/3/3"));
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\naaa");
    SEND(c, GET("/status/599"));
    client_expect(c, "HTTP/1.1 599 \r\ncontent-length: 4\r\n\r\nbody");
    SEND(c, GET("/hop"));
    client_expect(c, "HTTP/1.1 200 OK\r\nA: 1\r\nDate: then\r\ncontent-length: 3\r\n\r\nhop");
    SEND(c, GET("/close"));
    client_expect_end(c, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbye");
}

TEST(test_wrong_lengths_never_look_whole)
{
    SEND(c, GET("/len/5/3")); /* known before the head is out: a page */
    client_expect(c, client_page(c, "500 Internal Server Error", "",
                                 "the service gave a body of another length than it said"));
    SEND(c, GET("/len/3/5"));
    client_expect(c, client_page(c, "500 Internal Server Error", "",
                                 "the service gave a body of another length than it said"));
    SEND(c, GET("/slen/5/3"));
    client_run(c);
    assert_true(c->ended);
    assert_false(hf_view_ends(hf_buf_view(&c->got), HF_VIEW("aaaaa")));
    hf_buf_clear(&c->got);
    client_close(c);
    client_open(c, w);
    SEND(c, GET("/slen/3/5"));
    client_run(c);
    assert_true(c->ended);
    world_expect_log(w, "GET /len/5/3 500 aborted 0/82\nGET /len/3/5 500 aborted 0/82\nGET "
                        "/slen/5/3 200 aborted 0/3\n"
                        "GET /slen/3/5 200 aborted 0/2\n");
    assert_int_equal(world_stats(w).aborted, 2);
}

TEST(test_failures_become_statuses)
{
    SEND(c, GET("/die"));
    client_expect(c, client_page(c, "500 Internal Server Error", "", "the service failed"));
    assert_true(hf_view_eq_text(hf_buf_view(&w->detail), "secret words"));
    SEND(c, GET("/nothing"));
    client_expect(c, client_page(c, "500 Internal Server Error", "", "the service gave no answer"));
    SEND(c, GET("/limit"));
    client_expect(c, client_page(c, "503 Service Unavailable", "", "the service reached a limit"));
    SEND(c, GET("/inject"));
    client_expect(c, client_page(c, "500 Internal Server Error", "",
                                 "the service gave an answer that cannot be sent"));
    SEND(c, GET("/two-lengths"));
    client_expect(c, client_page(c, "500 Internal Server Error", "",
                                 "the service gave an answer that cannot be sent"));
    assert_true(hf_view_eq_text(hf_buf_view(&w->detail), "more than one content-length"));
    SEND(c, GET("/no-length"));
    client_expect(c, client_page(c, "500 Internal Server Error", "",
                                 "the service gave an answer that cannot be sent"));
    SEND(c, GET("/garbage"));
    client_expect(c, client_page(c, "500 Internal Server Error", "",
                                 "the service gave an answer that cannot be sent"));
    SEND(c, GET("/status/100"));
    client_expect(c, client_page(c, "500 Internal Server Error", "",
                                 "the service gave an answer that cannot be sent"));
    SEND(c, GET("/die-same"));
    client_expect(c, client_page(c, "500 Internal Server Error", "", "the service failed"));
    SEND(c, GET("/nobody"));
    client_expect(c, client_page(c, "404 Not Found", "", "there is no such service"));
    SEND(c, "BREW /pot HTTP/1.1\r\n" HOST "\r\n");
    client_expect(c, client_page(c, "404 Not Found", "", "nothing is served at this address"));
    world_expect_log(
        w, "GET /die 500 dead 0/46\nGET /nothing 500 unanswered 0/54\nGET /limit 503 limit 0/53\n"
           "GET /inject 500 bad-answer 0/74\nGET /two-lengths 500 bad-answer 0/74\n"
           "GET /no-length 500 bad-answer 0/74\nGET /garbage 500 bad-answer 0/74\n"
           "GET /status/100 500 bad-answer 0/74\nGET /die-same 500 aborted 0/46\n"
           "GET /nobody 404 no-such 0/40\nBREW /pot 404 no-route 0/49\n");
}

TEST(test_a_service_that_dies_mid_body_is_seen_to)
{
    SEND(c, GET("/die-mid"));
    client_run(c);
    assert_true(c->ended);
    assert_true(c->got.len == 0 || !hf_view_ends(hf_buf_view(&c->got), HF_VIEW("0\r\n\r\n")));
    assert_int_equal(world_stats(w).aborted, 1);
    assert_non_null(strstr((const char *)w->log.ptr, "GET /die-mid 200 aborted"));
}

TEST(test_pipelined_answers_come_in_order)
{
    SEND(c, GET("/wait/5") GET("/hello") GET("/status/201") GET("/wait/1") GET("/hello"));
    if (w->fake) {
        client_expect(c, "");
        world_pass(w, 2 * MS);
        client_expect(c, "");
        world_pass(w, 5 * MS);
    }
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nwaited" HELLO
                     "HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nbody"
                     "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nwaited" HELLO);
    world_expect_log(w,
                     "GET /wait/5 200 ok 0/6\nGET /hello 200 ok 0/12\nGET /status/201 201 ok 0/4\n"
                     "GET /wait/1 200 ok 0/6\nGET /hello 200 ok 0/12\n");
}

TEST(test_long_pipelines)
{
    (void)w;
    for (int i = 0; i < 200; i++)
        SEND(c, GET("/hello"));
    client_run(c);
    size_t n = 0;
    for (struct hf_view rest = hf_buf_view(&c->got); rest.len > 0; n++) {
        assert_true(hf_view_starts(rest, HF_VIEW("HTTP/1.1 200 OK\r\n")));
        rest = hf_view_skip(rest, sizeof HELLO - 1 + DATE_LEN);
    }
    assert_int_equal(n, 200);
}

/* RFC 9112 9.3.2: what is not safe runs alone. */
TEST(test_unsafe_requests_wait_for_their_turn)
{
    (void)w;
    if (!w->fake)
        return;
    SEND(c, GET("/wait/5") "POST /hello HTTP/1.1\r\n" HOST
                           "Content-Length: 2\r\n\r\nhi" GET("/hello"));
    client_expect(c, "");
    assert_int_equal(world_stats(w).requests, 1);
    world_pass(w, 5 * MS);
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nwaited" HELLO HELLO);
    assert_int_equal(world_stats(w).requests, 3);
}

static void test_pipeline_max_bounds_what_is_read_ahead(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.pipeline_max = 4};
    struct world w;
    struct client c;
    world_open(&w, &s, true);
    client_open(&c, &w);
    for (int i = 0; i < 10; i++)
        SEND(&c, GET("/wait/5"));
    world_run(&w);
    assert_int_equal(world_stats(&w).requests, 4);
    world_pass(&w, 5 * MS);
    assert_int_equal(world_stats(&w).requests, 8);
    world_pass(&w, 5 * MS);
    world_pass(&w, 5 * MS);
    assert_int_equal(w.exchanges, 10);
    client_close(&c);
    world_close(&w);
}

TEST(test_a_refused_head_after_good_ones_waits_for_its_turn)
{
    SEND(c, GET("/wait/1") "GET / HTTP/1.1\r\nHost : x\r\n\r\n" GET("/hello"));
    if (w->fake) {
        client_expect(c, "");
        world_pass(w, MS);
    }
    client_expect_end(c, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nwaited"
                         "HTTP/1.1 400 Bad Request\r\ncontent-length: 58\r\nconnection: close\r\n"
                         "content-type: text/plain; charset=utf-8\r\n\r\n"
                         "400 Bad Request: space between a field name and its colon\n");
    world_expect_log(w, "GET /wait/1 200 ok 0/6\nGET / 400 refused 0/58\n");
    assert_int_equal(world_stats(w).refused_heads, 1);
}

TEST(test_half_closed_clients_get_their_answers)
{
    SEND(c, GET("/wait/1") GET("/hello"));
    w->os->shutdown_write(w->os, c->fd);
    if (w->fake) {
        client_expect(c, "");
        world_pass(w, MS);
    }
    client_expect_end(
        c, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nwaited"
           "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello, world");
}

TEST(test_half_closed_pipelines_are_answered_to_the_end)
{
    for (int i = 0; i < 40; i++)
        SEND(c, GET("/hello"));
    w->os->shutdown_write(w->os, c->fd);
    client_run(c);
    assert_true(c->ended);
    assert_int_equal(w->exchanges, 40);
    assert_true(hf_view_ends(hf_buf_view(&c->got), HF_VIEW("hello, world")));
}

/* What could hide a second request gets one answer and the end of the connection; what is hidden is
 * never served. */
static void test_ambiguous_requests_get_400_and_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < refused_len; i++) {
        struct world w;
        struct client c;
        char status[24];
        world_open(&w, NULL, true);
        client_open(&c, &w);
        assert_true(client_send(&c, hf_view(refused[i].bytes, refused[i].len)));
        client_send(&c, HF_VIEW("0\r\n\r\n" GET("/hello") GET("/hello")));
        client_run(&c);
        snprintf(status, sizeof status, "HTTP/1.1 %u ", refused[i].status);
        if (!hf_view_starts(hf_buf_view(&c.got), hf_view_of(status)) || !c.ended)
            fail_msg("%s: %.*s", refused[i].what, HF_FMT(hf_buf_view(&c.got)));
        assert_null(strstr((const char *)c.got.ptr, "hello"));
        assert_int_equal(w.exchanges, 1);
        assert_int_equal(world_stats(&w).requests, 0);
        assert_int_equal(world_stats(&w).refused_heads, 1);
        assert_non_null(strstr((const char *)w.log.ptr, " refused 0/"));
        client_close(&c);
        world_close(&w);
    }
}

static void test_debug_header_says_who_answered(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.debug_header = true};
    struct world w;
    struct client c;
    world_open(&w, &s, true);
    client_open(&c, &w);
    SEND(&c, GET("/hello"));
    client_run(&c);
    world_pass(&w, 1250 * MS);
    hf_buf_clear(&c.got);
    SEND(&c, GET("/hello"));
    client_run(&c);
    struct hf_view got = hf_buf_view(&c.got);
    bool found = false;
    for (; got.len > 0 && !found; got = hf_view_skip(got, 1))
        found = hf_view_starts(got, HF_VIEW("\r\nholdfast-instance: id="));
    assert_true(found);
    assert_non_null(strstr((const char *)c.got.ptr, "; served=2; age=1.250s\r\n"));
    client_close(&c);
    world_close(&w);
}

static void test_many_connections(void **state)
{
    (void)state;
    for (int fake = 1; fake >= 0; fake--) {
        struct world w;
        struct client c[50];
        world_open(&w, NULL, fake);
        for (size_t i = 0; i < HF_ARRAY_LEN(c); i++) {
            client_open(&c[i], &w);
            SEND(&c[i], GET("/hello"));
        }
        for (size_t i = 0; i < HF_ARRAY_LEN(c); i++)
            client_expect(&c[i], HELLO);
        assert_int_equal(world_stats(&w).open, HF_ARRAY_LEN(c));
        for (size_t i = 0; i < HF_ARRAY_LEN(c); i++)
            client_close(&c[i]);
        if (!fake)
            client_open(c, &w), client_run(c), client_close(c);
        assert_int_equal(world_stats(&w).open, 0);
        world_close(&w);
    }
}

/* Every read and write moves one byte: the answers are the same. */
static void test_one_byte_at_a_time(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_open(&w, NULL, true);
    hf_os_fake_chunk(w.os, 1);
    client_open(&c, &w);
    SEND(&c,
         GET("/hello") GET(
             "/trailing") "POST /tell HTTP/1.1\r\n" HOST
                          "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n");
    client_expect(
        &c, HELLO
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nSum: four\r\n\r\n"
        "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n"
        "POST http://x/tell flags=7|5 whole +A=b|");
    client_close(&c);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_answers_carry_the_date),
        cmocka_unit_test(test_connection_close_is_kept),
        cmocka_unit_test(test_http_1_0),
        cmocka_unit_test(test_http_1_0_stream_ends_with_the_connection),
        cmocka_unit_test(test_the_head_a_service_sees),
        cmocka_unit_test(test_absolute_and_asterisk_targets),
        cmocka_unit_test(test_head_204_304_carry_no_body),
        cmocka_unit_test(test_framing_of_answers),
        cmocka_unit_test(test_wrong_lengths_never_look_whole),
        cmocka_unit_test(test_failures_become_statuses),
        cmocka_unit_test(test_a_service_that_dies_mid_body_is_seen_to),
        cmocka_unit_test(test_pipelined_answers_come_in_order),
        cmocka_unit_test(test_long_pipelines),
        cmocka_unit_test(test_unsafe_requests_wait_for_their_turn),
        cmocka_unit_test(test_pipeline_max_bounds_what_is_read_ahead),
        cmocka_unit_test(test_a_refused_head_after_good_ones_waits_for_its_turn),
        cmocka_unit_test(test_half_closed_clients_get_their_answers),
        cmocka_unit_test(test_half_closed_pipelines_are_answered_to_the_end),
        cmocka_unit_test(test_ambiguous_requests_get_400_and_the_end),
        cmocka_unit_test(test_debug_header_says_who_answered),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_one_byte_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
