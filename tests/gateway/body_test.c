/* body_test.c - request bodies through a whole gateway: framing, 100-continue, backpressure both
 * ways, early answers. */
#include "support.h"

#include <stdlib.h>

#define HOST             "Host: x\r\n"
#define POST(path)       "POST " path " HTTP/1.1\r\n" HOST
#define OK(length, body) "HTTP/1.1 200 OK\r\ncontent-length: " length "\r\n\r\n" body
#define CONTINUE         "HTTP/1.1 100 Continue\r\n\r\n"
#define MIB              (1024u * 1024)

static void with(void (*test)(struct world *w, struct client *c))
{
    for (int fake = 1; fake >= 0; fake--) {
        struct world w;
        struct client c;
        world_open(&w, NULL, fake);
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
        with(name##_in);                                                                           \
    }                                                                                              \
    static void name##_in(struct world *w, struct client *c)

TEST(test_counted_bodies)
{
    SEND(c, POST("/tell") "Content-Length: 5\r\n\r\nhello");
    client_expect(c, OK("51", "POST http://x/tell flags=7|Content-Length=5|5 whole"));
    SEND(c, POST("/tell") "Content-Length: 0\r\n\r\n");
    client_expect(c, OK("53", "POST http://x/tell flags=f|Content-Length=0|0 no body"));
    SEND(c, POST("/tell") "\r\n");
    client_expect(c, OK("36", "POST http://x/tell flags=f|0 no body"));
    SEND(c, POST("/tell") "Content-Length: 5\r\n\r\nhe");
    client_expect(c, "");
    SEND(c, "llo");
    client_expect(c, OK("51", "POST http://x/tell flags=7|Content-Length=5|5 whole"));
    world_expect_log(w, "POST /tell 200 ok 5/51\nPOST /tell 200 ok 0/53\nPOST /tell 200 ok "
                        "0/36\nPOST /tell 200 ok 5/51\n");
}

TEST(test_chunked_bodies_and_trailers)
{
    SEND(c, POST("/tell") "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nSum: "
                          "6\r\n\r\n");
    client_expect(c, OK("42", "POST http://x/tell flags=7|6 whole +Sum=6|"));
    SEND(c, POST("/tell") "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    client_expect(c, OK("34", "POST http://x/tell flags=7|0 whole"));
    world_expect_log(w, "POST /tell 200 ok 6/42\nPOST /tell 200 ok 0/34\n");
}

TEST(test_echo_flows_while_it_comes)
{
    if (!w->fake)
        return;
    SEND(c, POST("/echo") "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    client_expect(c, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    SEND(c, "4\r\ntwo!\r\n");
    client_expect(c, "4\r\ntwo!\r\n");
    SEND(c, "0\r\n\r\n");
    client_expect(c, "0\r\n\r\n");
    SEND(c, POST("/pass") "Content-Length: 6\r\n\r\nabc");
    client_expect(c, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    SEND(c, "def");
    client_expect(c, "3\r\ndef\r\n0\r\n\r\n");
    SEND(c, POST("/echo?len") "Content-Length: 6\r\n\r\nabc");
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc");
    SEND(c, "def");
    client_expect(c, "def");
    world_expect_log(w,
                     "POST /echo 200 ok 7/7\nPOST /pass 200 ok 6/6\nPOST /echo?len 200 ok 6/6\n");
}

TEST(test_a_body_that_is_there_is_passed_whole)
{
    (void)w;
    SEND(c, POST("/pass") "Content-Length: 6\r\n\r\nabcdef");
    client_expect(c, OK("6", "abcdef"));
}

/* ---- 100-continue ---- */

TEST(test_continue_is_said_when_the_request_is_taken)
{
    (void)w;
    SEND(c, POST("/tell") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    client_expect(c, CONTINUE);
    SEND(c, "hello");
    client_expect(c, OK("51", "POST http://x/tell flags=7|Content-Length=5|5 whole"));
}

TEST(test_continue_is_not_said_when_the_answer_comes_first)
{
    w->steps = 10; /* the service answers before the loop gets to say it */
    SEND(c, POST("/drop") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    client_expect_end(c,
                      "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\ndropped");
}

TEST(test_continue_is_not_said_for_refused_requests)
{
    (void)w;
    SEND(c, POST("/nobody") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    client_expect_end(c, client_page(c, "404 Not Found", CLOSE, "there is no such service"));
}

TEST(test_continue_is_not_said_when_the_body_is_there_already)
{
    (void)w;
    SEND(c, POST("/tell") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    client_expect(c, OK("51", "POST http://x/tell flags=7|Content-Length=5|5 whole"));
    SEND(c, "POST /tell HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\nExpect: "
            "100-continue\r\n\r\n");
    client_expect(c, ""); /* 1.0 knows no 100 */
    SEND(c, "hi");
    client_expect(c, "HTTP/1.1 200 OK\r\ncontent-length: 50\r\nconnection: keep-alive\r\n\r\n"
                     "POST http:///tell flags=5|Content-Length=2|2 whole");
}

TEST(test_unknown_expectations_are_417)
{
    SEND(c, POST("/tell") "Content-Length: 5\r\nExpect: the-best\r\n\r\nhello");
    client_expect_end(c, client_page(c, "417 Expectation Failed", CLOSE,
                                     "the only expectation known here is 100-continue"));
    world_expect_log(w, "POST /tell 417 refused 0/72\n");
}

/* ---- answers before the body ---- */

TEST(test_an_unwanted_body_is_drained_and_the_connection_kept)
{
    SEND(c, POST("/drop") "Content-Length: 100000\r\n\r\n");
    struct hf_buf body = {0};
    assert_int_equal(hf_buf_reserve(&body, 100000), HF_OK);
    memset(body.ptr, 'x', 100000);
    client_expect(c, OK("7", "dropped"));
    assert_true(client_send(c, hf_view(body.ptr, 100000)));
    SEND(c, POST("/hello") "\r\n");
    client_expect(c, OK("12", "hello, world"));
    hf_buf_done(&body);
    world_expect_log(w, "POST /drop 200 ok 100000/7\nPOST /hello 200 ok 0/12\n");
}

TEST(test_an_unwanted_body_that_is_too_long_ends_the_connection)
{
    static uint8_t body[MIB];
    SEND(c, POST("/sip") "Content-Length: 5000000\r\n\r\n");
    SEND(c, "0123");
    client_expect(c, OK("6", "sipped"));
    bool open = true;
    for (int i = 0; i < 40 && open; i++) { /* as much as it takes; then it is cut off */
        open = client_send(c, hf_view(body, MIB / 8));
        world_run(w);
    }
    client_run(c);
    assert_true(c->ended || !open);
    assert_int_equal(world_stats(w).open, 0);
    struct hf_gateway_stats stats = world_stats(w);
    assert_true(stats.bytes_in >= 256 * 1024 && stats.bytes_in < 512 * 1024);
}

TEST(test_a_refused_request_with_a_body_keeps_the_connection)
{
    (void)w;
    SEND(c, POST("/nobody") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" POST(
                "/hello") "\r\n");
    client_run(c);
    assert_true(hf_view_ends(hf_buf_view(&c->got), HF_VIEW("hello, world")));
    assert_true(hf_view_starts(hf_buf_view(&c->got), HF_VIEW("HTTP/1.1 404 Not Found\r\n")));
}

/* ---- broken bodies ---- */

TEST(test_a_broken_chunk_is_400_and_the_end)
{
    SEND(c, POST("/tell") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nX\r\n");
    client_expect_end(c,
                      client_page(c, "400 Bad Request", CLOSE, "a chunk size that is no number"));
    world_expect_log(w, "POST /tell 400 refused 3/48\n");
    assert_true(hf_kernel_idle(w->kernel));
}

TEST(test_a_broken_chunk_after_the_answer_began_is_an_abort)
{
    SEND(c, POST("/echo") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client_run(c);
    assert_true(hf_view_starts(hf_buf_view(&c->got), HF_VIEW("HTTP/1.1 200 OK\r\n")));
    SEND(c, "X\r\n");
    client_run(c);
    assert_true(c->ended);
    assert_false(hf_view_ends(hf_buf_view(&c->got), HF_VIEW("0\r\n\r\n")));
    world_run(w);
    assert_int_equal(world_stats(w).aborted, 1);
}

TEST(test_a_client_gone_mid_body_is_told_to_the_service)
{
    SEND(c, POST("/tell") "Content-Length: 10\r\n\r\nabc");
    client_run(c);
    w->os->shutdown_write(w->os, c->fd); /* no more will come: the request is void */
    client_run(c);
    assert_true(c->ended && c->got.len == 0);
    world_expect_log(w, "POST /tell 0 client-gone 3/0\n");
    assert_true(hf_kernel_idle(w->kernel));
    assert_int_equal(world_stats(w).client_gone, 1);
}

static void test_bad_trailers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Content-Length: 3\r\n\r\n", "A : b\r\n\r\n",
                                      "A: b\r\n c\r\n\r\n", "A: b\n\r\n"};
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        struct world w;
        struct client c;
        world_open(&w, NULL, true);
        client_open(&c, &w);
        SEND(&c, POST("/tell") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n");
        assert_true(client_send(&c, hf_view_of(bad[i])));
        client_run(&c);
        assert_true(hf_view_starts(hf_buf_view(&c.got), HF_VIEW("HTTP/1.1 400 Bad Request\r\n")));
        assert_true(c.ended);
        client_close(&c);
        world_close(&w);
    }
}

/* ---- backpressure ---- */

/* Nobody reads the answer: how much of a large body does the server take, and how much does it
 * hold? */
TEST(test_a_slow_reader_stops_the_sender)
{
    static uint8_t body[MIB];
    if (!w->fake)
        return;
    SEND(c, POST("/echo") "Content-Length: 10485760\r\n\r\n");
    size_t sent = 0;
    for (int i = 0; i < 200; i++) {
        struct iovec iov = {body, 65536};
        size_t n = 0;
        enum hf_err err = w->os->writev(w->os, c->fd, &iov, 1, &n);
        assert_true(err == HF_OK || err == HF_AGAIN);
        sent += n;
        world_run(w);
    }
    /* both socket buffers, both blob windows, and one read more */
    assert_true(sent > 128 * 1024 && sent <= 4 * 65536 + 65536);
    assert_true(world_stats(w).buffer_bytes <= 128 * 1024);
    assert_true(hf_blob_pool_memory(hf_kernel_blobs(w->kernel)) <= 256 * 1024);
    /* it reads on: everything comes through */
    uint64_t got = 0;
    for (int i = 0; i < 2000 && sent < 10 * MIB; i++) {
        size_t n = 0, want = 10 * MIB - sent < 65536 ? 10 * MIB - sent : 65536;
        struct iovec iov = {body, want};
        (void)w->os->writev(w->os, c->fd, &iov, 1, &n);
        sent += n;
        world_run(w);
        client_read(c);
        got += c->got.len;
        hf_buf_clear(&c->got);
    }
    client_run(c);
    got += c->got.len;
    assert_int_equal(sent, 10 * MIB);
    assert_true(got > 10 * MIB);
    hf_buf_clear(&c->got);
    world_expect_log(w, "POST /echo 200 ok 10485760/10485760\n");
}

TEST(test_a_slow_service_stops_the_sender)
{
    static uint8_t body[MIB];
    if (!w->fake)
        return;
    SEND(c, POST("/never") "Transfer-Encoding: chunked\r\n\r\n");
    size_t sent = 0;
    SEND(c, "a00000\r\n");
    for (int i = 0; i < 100; i++) {
        struct iovec iov = {body, 65536};
        size_t n = 0;
        (void)w->os->writev(w->os, c->fd, &iov, 1, &n);
        sent += n;
        world_run(w);
    }
    assert_true(sent <= 65536 + 65536 + 32768);
    /* no event is handled in vain while nothing can move */
    world_turn(w);
    world_turn(w);
    assert_int_equal(w->events, 0);
}

TEST(test_a_large_answer_waits_for_its_reader)
{
    if (!w->fake)
        return;
    SEND(c, "GET /big/10485760 HTTP/1.1\r\n" HOST "\r\n");
    world_run(w);
    assert_true(hf_gateway_next_ns(w->gw) <= w->os->now_ns(w->os) + 30 * S);
    world_turn(w);
    assert_int_equal(w->events, 0); /* full, and quiet */
    uint64_t got = 0;
    for (int i = 0; i < 1000 && w->exchanges == 0; i++) {
        client_read(c);
        got += c->got.len;
        hf_buf_clear(&c->got);
        world_run(w);
    }
    client_read(c);
    got += c->got.len;
    hf_buf_clear(&c->got);
    if (got <= 10 * MIB || got > 11 * MIB)
        fail_msg("%zu bytes came", (size_t)got);
    world_expect_log(w, "GET /big/10485760 200 ok 0/10485760\n");
}

/* A client that takes everything at once does not keep the others waiting. */
static void test_a_fast_reader_leaves_room_for_others(void **state)
{
    (void)state;
    static uint8_t body[3 * MIB];
    const struct hf_gateway_settings s = {.body_window = 8 * MIB};
    struct world w;
    struct client c, other;
    world_open(&w, &s, true);
    hf_os_fake_socket_room(w.os, 16 * MIB);
    client_open(&c, &w);
    client_open(&other, &w);
    SEND(&c, POST("/wait/5") "Content-Length: 3145728\r\n\r\n");
    assert_true(client_send(&c, hf_view(body, sizeof body)));
    world_run(&w);
    world_pass(&w, 5 * MS);
    client_run(&c);
    hf_buf_clear(&c.got);
    SEND(&c, POST("/pass") "Content-Length: 3145728\r\n\r\n");
    assert_true(client_send(&c, hf_view(body, sizeof body)));
    SEND(&other, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    size_t turns = 0, first = 0;
    for (; w.exchanges < 3 && turns < 1000; turns++) {
        world_turn(&w);
        client_read(&other);
        if (first == 0 && other.got.len > 0)
            first = turns;
    }
    client_run(&c);
    assert_true(c.got.len > sizeof body);
    assert_true(first > 0 && first < 10 && turns > first);
    client_close(&c);
    client_close(&other);
    world_close(&w);
}

/* 4 MiB in both directions at once over real sockets. */
static void test_real_sockets_carry_large_bodies(void **state)
{
    (void)state;
    static uint8_t out[65536];
    struct world w;
    struct client c;
    world_open(&w, NULL, false);
    w.steps = 100;
    client_open(&c, &w);
    SEND(&c, POST("/echo?len") "Content-Length: 4194304\r\n\r\n");
    size_t sent = 0, head = 0, got = 0;
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 7);
    for (int i = 0; i < 100000 && got < 4 * MIB; i++) {
        size_t n = 0, want = sizeof out - sent % sizeof out;
        struct iovec iov = {out + sent % sizeof out, want};
        if (sent < 4 * MIB && w.os->writev(w.os, c.fd, &iov, 1, &n) == HF_OK)
            sent += n;
        world_turn(&w);
        client_read(&c);
        struct hf_view bytes = hf_buf_view(&c.got);
        if (head == 0) {
            for (size_t at = 0; at + 4 <= bytes.len && head == 0; at++)
                if (memcmp(bytes.ptr + at, "\r\n\r\n", 4) == 0)
                    head = at + 4;
            if (head == 0)
                continue;
            bytes = hf_view_skip(bytes, head);
        }
        for (size_t at = 0; at < bytes.len; at++, got++)
            if (bytes.ptr[at] != out[got % sizeof out])
                fail_msg("byte %zu is wrong", got);
        hf_buf_clear(&c.got);
    }
    assert_int_equal(got, 4 * MIB);
    world_run(&w);
    world_expect_log(&w, "POST /echo?len 200 ok 4194304/4194304\n");
    client_close(&c);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted_bodies),
        cmocka_unit_test(test_chunked_bodies_and_trailers),
        cmocka_unit_test(test_echo_flows_while_it_comes),
        cmocka_unit_test(test_a_body_that_is_there_is_passed_whole),
        cmocka_unit_test(test_continue_is_said_when_the_request_is_taken),
        cmocka_unit_test(test_continue_is_not_said_when_the_answer_comes_first),
        cmocka_unit_test(test_continue_is_not_said_for_refused_requests),
        cmocka_unit_test(test_continue_is_not_said_when_the_body_is_there_already),
        cmocka_unit_test(test_unknown_expectations_are_417),
        cmocka_unit_test(test_an_unwanted_body_is_drained_and_the_connection_kept),
        cmocka_unit_test(test_an_unwanted_body_that_is_too_long_ends_the_connection),
        cmocka_unit_test(test_a_refused_request_with_a_body_keeps_the_connection),
        cmocka_unit_test(test_a_broken_chunk_is_400_and_the_end),
        cmocka_unit_test(test_a_broken_chunk_after_the_answer_began_is_an_abort),
        cmocka_unit_test(test_a_client_gone_mid_body_is_told_to_the_service),
        cmocka_unit_test(test_bad_trailers_are_refused),
        cmocka_unit_test(test_a_slow_reader_stops_the_sender),
        cmocka_unit_test(test_a_slow_service_stops_the_sender),
        cmocka_unit_test(test_a_large_answer_waits_for_its_reader),
        cmocka_unit_test(test_a_fast_reader_leaves_room_for_others),
        cmocka_unit_test(test_real_sockets_carry_large_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
