/* limit_test.c - limits, deadlines and draining, in simulated time: every one has its status and
 * its word in the log. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST       "Host: x\r\n"
#define GET(path)  "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\n" HOST
#define HELLO      "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world"

static void open_both(struct world *w, struct client *c, const struct hf_gateway_settings *s)
{
    world_open(w, s, true);
    client_open(c, w);
    world_run(w);
}

static void close_both(struct world *w, struct client *c)
{
    client_close(c);
    world_close(w);
}

/* ---- limits ---- */

static void test_heads_too_long_are_431(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.head_max = 256, .fields_max = 4};
    for (int i = 0; i < 3; i++) {
        struct world w;
        struct client c;
        char head[512];
        open_both(&w, &c, &s);
        memset(head, 'a', sizeof head);
        memcpy(head, "GET /", 5);
        if (i == 1)
            memcpy(head, "GET /b HTTP/1.1\r\nA: ", 20);
        if (i == 2)
            snprintf(head, sizeof head,
                     "GET /c HTTP/1.1\r\n" HOST "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n");
        assert_true(client_send(&c, hf_view(head, i == 2 ? strlen(head) : sizeof head)));
        client_expect_end(&c, client_page(&c, "431 Request Header Fields Too Large", CLOSE,
                                          i == 2 ? "too many fields"
                                                 : "the head is longer than this server allows"));
        if (i == 1)
            world_expect_log(&w, "GET /b 431 refused 0/80\n");
        if (i == 2)
            world_expect_log(&w, "GET /c 431 refused 0/53\n");
        close_both(&w, &c);
    }
}

static void test_bodies_too_long_are_413(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.body_max = 8};
    static const char *const bodies[] = {
        "Content-Length: 9\r\n\r\n123456789",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n",
        "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"};
    for (size_t i = 0; i < HF_ARRAY_LEN(bodies); i++) {
        struct world w;
        struct client c;
        open_both(&w, &c, &s);
        SEND(&c, POST("/tell"));
        assert_true(client_send(&c, hf_view_of(bodies[i])));
        client_expect_end(&c, client_page(&c, "413 Content Too Large", CLOSE,
                                          "the request body is longer than this server allows"));
        assert_true(hf_kernel_idle(w.kernel));
        close_both(&w, &c);
    }
    struct world w;
    struct client c;
    open_both(&w, &c, &s);
    SEND(&c, POST("/tell") "Content-Length: 8\r\n\r\n12345678" POST(
                 "/tell") "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n");
    client_run(&c);
    assert_int_equal(w.exchanges, 2);
    assert_non_null(
        strstr((const char *)w.log.ptr, "POST /tell 200 ok 8/51\nPOST /tell 200 ok 8/34\n"));
    close_both(&w, &c);
}

/* Less or more than the gateway's limit, and each to the byte; /tell/less takes 4, /tell/more 16. */
static void test_a_route_may_have_its_own_body_limit(void **state)
{
    (void)state;
    static const struct {
        uint64_t body_max; /* the gateway's */
        const char *request;
        bool fits;
    } rows[] = {
        {8, POST("/tell/less") "Content-Length: 4\r\n\r\n1234", true},
        {8, POST("/tell/less") "Content-Length: 5\r\n\r\n12345", false},
        {0, POST("/tell/less") "Content-Length: 5\r\n\r\n", false}, /* before any of it came */
        {8, POST("/tell/less") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", false},
        {0, POST("/tell/less") "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n0\r\n\r\n", true},
        {0, POST("/tell/less") "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n1\r\n5\r\n", false},
        {8, POST("/tell/more") "Content-Length: 16\r\n\r\n1234567812345678", true},
        {8, POST("/tell/more") "Content-Length: 17\r\n\r\n", false},
        {8, POST("/tell/more") "Transfer-Encoding: chunked\r\n\r\n11\r\n12345678123456781\r\n", false},
        {8, POST("/tell/mo") "Content-Length: 9\r\n\r\n", false}, /* another route: the gateway's */
        {0, POST("/tell/mo") "Content-Length: 17\r\n\r\n12345678123456781", true},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        const struct hf_gateway_settings s = {.body_max = rows[i].body_max};
        struct world w;
        struct client c;
        open_both(&w, &c, &s);
        assert_true(client_send(&c, hf_view_of(rows[i].request)));
        if (rows[i].fits) {
            client_run(&c);
            assert_int_equal(w.exchanges, 1);
            assert_non_null(strstr((const char *)w.log.ptr, " 200 ok "));
        } else {
            client_expect_end(&c, client_page(&c, "413 Content Too Large", CLOSE,
                                              "the request body is longer than this server allows"));
            assert_true(hf_kernel_idle(w.kernel));
        }
        close_both(&w, &c);
    }
}

static void test_connections_max_makes_others_wait(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.connections_max = 2};
    struct world w;
    struct client c[4];
    world_open(&w, &s, true);
    for (size_t i = 0; i < 4; i++) {
        client_open(&c[i], &w);
        SEND(&c[i], GET("/hello"));
    }
    client_expect(&c[0], HELLO);
    client_expect(&c[1], HELLO);
    client_expect(&c[2], "");
    assert_int_equal(world_stats(&w).open, 2);
    world_turn(&w);
    assert_int_equal(w.events, 0); /* those who wait cost nothing */
    client_close(&c[0]);
    client_expect(&c[2], HELLO);
    client_expect(&c[3], "");
    client_close(&c[1]);
    client_expect(&c[3], HELLO);
    client_close(&c[2]);
    client_close(&c[3]);
    world_close(&w);
}

static void test_out_of_descriptors_is_tried_again(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_open(&w, NULL, true);
    hf_os_fake_fail(w.os, "accept", 1, HF_LIMIT);
    client_open(&c, &w);
    SEND(&c, GET("/hello"));
    client_expect(&c, "");
    assert_int_equal(world_stats(&w).open, 0);
    assert_true(hf_gateway_next_ns(w.gw) <= w.os->now_ns(w.os) + 100 * MS);
    world_pass(&w, 100 * MS);
    client_expect(&c, HELLO);
    close_both(&w, &c);
}

static void test_a_full_queue_is_503_with_retry_after(void **state)
{
    (void)state;
    struct world w;
    struct client c[3];
    world_open(&w, NULL, true);
    for (size_t i = 0; i < 3; i++) {
        client_open(&c[i], &w);
        SEND(&c[i], GET("/small/never"));
        client_run(&c[i]);
    }
    /* one in hand, one in the queue, one too many */
    client_expect(&c[2], client_page(&c[2], "503 Service Unavailable", RETRY,
                                     "the server has too much to do, try again soon"));
    world_pass(&w, S); /* the queue has a time limit of its own */
    client_expect(&c[1], client_page(&c[1], "503 Service Unavailable", RETRY,
                                     "the service has too much to do, try again soon"));
    world_expect_log(&w, "GET /small/never 503 full 0/71\nGET /small/never 503 full 0/72\n");
    world_pass(&w, 30 * S);
    client_expect(
        &c[0], client_page(&c[0], "504 Gateway Timeout", "", "the service did not answer in time"));
    for (size_t i = 0; i < 3; i++)
        client_close(&c[i]);
    world_close(&w);
}

/* ---- deadlines ---- */

static void test_request_timeout_is_504(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.request_timeout_ns = 3 * S};
    struct world w;
    struct client c;
    open_both(&w, &c, &s);
    SEND(&c, GET("/never"));
    world_run(&w);
    world_pass(&w, 2999 * MS);
    client_expect(&c, "");
    world_pass(&w, 2 * MS);
    client_expect(&c,
                  client_page(&c, "504 Gateway Timeout", "", "the service did not answer in time"));
    SEND(&c, GET("/hello")); /* the connection goes on */
    client_expect(&c, HELLO);
    world_expect_log(&w, "GET /never 504 timeout 0/56\nGET /hello 200 ok 0/12\n");
    close_both(&w, &c);
}

static void test_slow_heads_are_408(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    open_both(&w, &c, NULL);
    world_pass(&w, 5 * S);
    static const char head[] = "GET /slow HTTP/1.1\r\nX-Slow: ";
    for (size_t i = 0; i < sizeof head - 1;
         i++) { /* bytes trickle in; the deadline is for the whole head */
        assert_true(client_send(&c, hf_view(head + i, 1)));
        world_pass(&w, 300 * MS);
    }
    client_expect(&c, "");
    world_pass(&w, 10 * S - 300 * MS * (sizeof head - 2) - MS);
    client_expect(&c, "");
    world_pass(&w, MS);
    client_expect_end(
        &c, client_page(&c, "408 Request Timeout", CLOSE, "the request head came too slowly"));
    world_expect_log(&w, "GET /slow 408 slow-head 0/54\n");
    assert_int_equal(world_stats(&w).timeouts, 1);
    close_both(&w, &c);
}

static void test_silent_connections_are_closed_without_a_word(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    open_both(&w, &c, NULL);
    world_pass(&w, 10 * S - MS);
    client_expect(&c, "");
    assert_false(c.ended);
    world_pass(&w, MS);
    client_expect_end(&c, "");
    assert_int_equal(w.exchanges, 0);
    close_both(&w, &c);
}

static void test_idle_connections_are_closed(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    open_both(&w, &c, NULL);
    for (int i = 0; i < 3; i++) {
        world_pass(&w, i == 0 ? 9 * S : 74 * S);
        SEND(&c, GET("/hello"));
        client_expect(&c, HELLO);
    }
    world_pass(&w, 75 * S - MS);
    client_run(&c);
    assert_false(c.ended);
    world_pass(&w, MS);
    client_expect_end(&c, "");
    close_both(&w, &c);
}

static void test_slow_bodies_are_408(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.request_timeout_ns = 1000 * S};
    struct world w;
    struct client c;
    open_both(&w, &c, &s);
    SEND(&c, POST("/tell") "Content-Length: 5\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        SEND(&c, "a"); /* progress is enough */
        world_run(&w);
        world_pass(&w, 29 * S);
        client_expect(&c, "");
    }
    world_pass(&w, S);
    client_expect_end(
        &c, client_page(&c, "408 Request Timeout", CLOSE, "the request body came too slowly"));
    world_expect_log(&w, "POST /tell 408 slow-body 3/54\n");
    assert_true(hf_kernel_idle(w.kernel));
    close_both(&w, &c);
}

static void test_a_slow_body_after_the_answer_began_is_an_abort(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.request_timeout_ns = 1000 * S};
    struct world w;
    struct client c;
    open_both(&w, &c, &s);
    SEND(&c, POST("/echo") "Content-Length: 5\r\n\r\nab");
    client_expect(&c, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n");
    world_pass(&w, 30 * S);
    client_expect_end(&c, "");
    world_expect_log(&w, "POST /echo 200 slow-body 2/2\n");
    close_both(&w, &c);
}

/* A body that waits for its service is not a slow body. */
static void test_backpressure_is_not_slowness(void **state)
{
    (void)state;
    static uint8_t body[300000];
    const struct hf_gateway_settings s = {.request_timeout_ns = 1000 * S};
    struct world w;
    struct client c;
    open_both(&w, &c, &s);
    SEND(&c, POST("/never") "Content-Length: 300000\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        struct iovec iov = {body, 30000};
        size_t n;
        (void)w.os->writev(w.os, c.fd, &iov, 1, &n);
        world_run(&w);
    }
    world_pass(&w, 900 * S);
    client_expect(&c, "");
    assert_false(c.ended);
    close_both(&w, &c);
}

static void test_slow_readers_are_cut_off(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    open_both(&w, &c, NULL);
    SEND(&c, GET("/big/1000000"));
    world_run(&w);
    world_pass(&w, 29 * S);
    client_read(&c); /* progress */
    world_run(&w);
    world_pass(&w, 30 * S - MS);
    assert_int_equal(world_stats(&w).open, 1);
    world_pass(&w, 2 * MS);
    assert_int_equal(world_stats(&w).open, 0);
    client_run(&c);
    assert_true(c.ended);
    assert_non_null(strstr((const char *)w.log.ptr, "GET /big/1000000 200 slow-reader"));
    assert_int_equal(world_stats(&w).aborted, 1);
    close_both(&w, &c);
}

static void test_lingering_ends(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    open_both(&w, &c, NULL);
    SEND(&c, "garbage\r\n\r\n");
    client_run(&c);
    assert_true(c.ended);
    assert_int_equal(world_stats(&w).open,
                     1); /* it waits for the client to take the answer and close */
    SEND(&c, "more garbage, which is dropped");
    world_run(&w);
    assert_int_equal(world_stats(&w).open, 1);
    world_pass(&w, 2 * S);
    assert_int_equal(world_stats(&w).open, 0);
    close_both(&w, &c);
}

static void test_lingering_is_bounded_in_bytes(void **state)
{
    (void)state;
    static uint8_t more[65536];
    struct world w;
    struct client c;
    open_both(&w, &c, NULL);
    SEND(&c, "garbage\r\n\r\n");
    client_run(&c);
    for (int i = 0; i < 17; i++) {
        client_send(&c, hf_view(more, sizeof more));
        world_run(&w);
    }
    assert_int_equal(world_stats(&w).open, 0);
    close_both(&w, &c);
}

static void test_idle_connections_are_small(void **state)
{
    (void)state;
    struct world w;
    struct client c[20];
    world_open(&w, NULL, true);
    size_t shared = world_stats(&w).buffer_bytes; /* the one buffer every read lands in */
    for (size_t i = 0; i < HF_ARRAY_LEN(c); i++) {
        client_open(&c[i], &w);
        SEND(&c[i], GET("/hello"));
        client_expect(&c[i], HELLO);
    }
    assert_int_equal(world_stats(&w).buffer_bytes, shared);
    SEND(&c[0], "GET /");
    world_run(&w);
    size_t half = world_stats(&w).buffer_bytes; /* half a head is kept, in a small one */
    assert_true(half > shared && half <= shared + 16 * 1024);
    for (size_t i = 0; i < HF_ARRAY_LEN(c); i++)
        client_close(&c[i]);
    world_close(&w);
}

/* ---- draining ---- */

static void test_drain_answers_what_is_in_hand_and_closes_the_rest(void **state)
{
    (void)state;
    struct world w;
    struct client busy, idle, half, fresh, queued;
    world_open(&w, NULL, true);
    client_open(&busy, &w);
    client_open(&idle, &w);
    client_open(&half, &w);
    client_open(&fresh, &w);
    SEND(&idle, GET("/hello"));
    client_expect(&idle, HELLO);
    SEND(&busy, GET("/wait/5") GET("/hello"));
    SEND(&half, "GET /hel");
    world_run(&w);
    client_open(&queued, &w); /* connected, not accepted yet, and its request is there */
    SEND(&queued, GET("/hello"));
    SEND(&fresh, GET("/hello")); /* accepted, its request is there and was not read */
    hf_gateway_drain(w.gw);
    client_expect_end(&idle, "");
    client_expect_end(
        &fresh, "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello, world");
    client_expect_end(
        &queued, "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello, world");
    SEND(&half, "lo HTTP/1.1\r\n" HOST "\r\n");
    client_expect_end(
        &half, "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello, world");
    client_expect(&busy, "");
    world_pass(&w, 5 * MS);
    client_expect_end(
        &busy, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nwaited"
               "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nhello, world");
    int fd;
    assert_int_equal(w.os->connect(w.os, &w.addr, &fd, NULL), HF_OK);
    assert_int_equal(w.os->connect_result(w.os, fd), HF_IO); /* nobody listens */
    w.os->close(w.os, fd);
    client_close(&busy);
    client_close(&idle);
    client_close(&half);
    client_close(&fresh);
    client_close(&queued);
    assert_int_equal(world_stats(&w).open, 0);
    world_close(&w);
}

static void test_freeing_with_requests_in_hand(void **state)
{
    (void)state;
    for (int fake = 1; fake >= 0; fake--)
        for (int flush = 0; flush < 2; flush++) {
            struct world w;
            struct client c[3];
            world_open(&w, NULL, fake);
            static const char *const paths[] = {GET("/never"), GET("/small/never"),
                                                GET("/big/10000000")};
            for (size_t i = 0; i < 3; i++) {
                client_open(&c[i], &w);
                assert_true(client_send(&c[i], hf_view_of(paths[i])));
                client_run(&c[i]);
            }
            hf_gateway_free(w.gw);
            w.gw = NULL;
            if (flush)
                hf_kernel_flush(w.kernel); /* the answers owed come after the gateway is gone */
            for (size_t i = 0; i < 3; i++) {
                w.os->close(w.os, c[i].fd);
                hf_buf_done(&c[i].got);
            }
            assert_non_null(strstr((const char *)w.log.ptr, "GET /never 0 cancelled"));
            world_close(&w);
        }
}

static void test_the_kernel_may_go_first(void **state)
{
    (void)state;
    struct world w;
    struct client c;
    world_open(&w, NULL, true);
    client_open(&c, &w);
    SEND(&c, POST("/never") "Content-Length: 10\r\n\r\nabc");
    client_run(&c);
    hf_kernel_free(w.kernel);
    hf_gateway_free(w.gw);
    assert_int_equal(hf_kernel_new(&(struct hf_kernel_settings){0}, &w.kernel), HF_OK);
    w.gw = NULL;
    w.os->close(w.os, c.fd);
    world_close(&w);
    assert_int_equal(w.exchanges, 1);
}

static void test_settings_are_checked(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, true);
    struct hf_gateway_settings s = {
        .os = w.os, .poller = w.poller, .kernel = w.kernel, .routes = w.routes};
    struct hf_gateway *gw;
    struct hf_report report = {0};
    s.head_max = 2 * 1024 * 1024;
    assert_int_equal(hf_gateway_new(&s, &gw, &report), HF_INVALID);
    assert_true(report.len > 0);
    s.head_max = 0;
    s.kernel = NULL;
    assert_int_equal(hf_gateway_new(&s, &gw, NULL), HF_INVALID);
    s.kernel = w.kernel;
    assert_int_equal(hf_gateway_new(&s, &gw, NULL), HF_OK);
    assert_int_equal(hf_gateway_next_ns(gw), UINT64_MAX);
    struct hf_os_addr nonsense = {"nonsense"};
    assert_int_equal(hf_gateway_listen(gw, &nonsense, false, NULL, NULL), HF_INVALID);
    hf_gateway_free(gw);
    hf_gateway_free(NULL);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_too_long_are_431),
        cmocka_unit_test(test_bodies_too_long_are_413),
        cmocka_unit_test(test_a_route_may_have_its_own_body_limit),
        cmocka_unit_test(test_connections_max_makes_others_wait),
        cmocka_unit_test(test_out_of_descriptors_is_tried_again),
        cmocka_unit_test(test_a_full_queue_is_503_with_retry_after),
        cmocka_unit_test(test_request_timeout_is_504),
        cmocka_unit_test(test_slow_heads_are_408),
        cmocka_unit_test(test_silent_connections_are_closed_without_a_word),
        cmocka_unit_test(test_idle_connections_are_closed),
        cmocka_unit_test(test_slow_bodies_are_408),
        cmocka_unit_test(test_a_slow_body_after_the_answer_began_is_an_abort),
        cmocka_unit_test(test_backpressure_is_not_slowness),
        cmocka_unit_test(test_slow_readers_are_cut_off),
        cmocka_unit_test(test_lingering_ends),
        cmocka_unit_test(test_lingering_is_bounded_in_bytes),
        cmocka_unit_test(test_idle_connections_are_small),
        cmocka_unit_test(test_drain_answers_what_is_in_hand_and_closes_the_rest),
        cmocka_unit_test(test_freeing_with_requests_in_hand),
        cmocka_unit_test(test_the_kernel_may_go_first),
        cmocka_unit_test(test_settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
