/* harden_test.c - clients that want to hold what they can, slowly or in masses, in simulated time:
 * connections, buffers and requests have an end that no client moves. */
#include "support.h"

#include <stdio.h>

#define HOST       "Host: x\r\n"
#define GET(path)  "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\n" HOST
#define HELLO      "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world"
#define MANY       20

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

static size_t buffers(struct world *w)
{
    return world_stats(w).buffer_bytes;
}

/* One byte, then some time: until `text` is out or the server has closed. Returns the nanoseconds
 * it took. */
static uint64_t trickle(struct client *c, struct hf_view text, uint64_t ns)
{
    uint64_t begun = c->w->os->now_ns(c->w->os);
    for (size_t i = 0; i < text.len && !c->ended; i++) {
        if (!client_send(c, hf_view(text.ptr + i, 1)))
            break;
        world_pass(c->w, ns);
        client_read(c);
    }
    return c->w->os->now_ns(c->w->os) - begun;
}

/* ---- buffers ---- */

/* Whatever a connection did: when it is idle again, it holds nothing. */
static void test_an_idle_connection_holds_no_buffer_whatever_it_did(void **state)
{
    (void)state;
    static char big[120000];
    static const char *const before[] = {
        GET("/hello"),
        GET("/hello") GET("/hello") GET("/hello") GET("/hello"),
        GET("/chunks"),
        GET("/trailing"),
        GET("/big/9000"),
        GET("/no/such"),
        POST("/echo") "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n",
        POST("/tell") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        POST("/drop") "Content-Length: 4\r\n\r\nabcd",
        POST("/sip") "Content-Length: 9\r\n\r\n012345678",
        POST("/pass") "Content-Length: 9\r\n\r\n012345678" GET("/hello"),
        big, /* a long head */
        big, /* a long body */
    };
    struct world w;
    struct client c;
    open_both(&w, &c, NULL);
    size_t none = buffers(&w);
    for (size_t i = 0; i < HF_ARRAY_LEN(before); i++) {
        for (int slowly = 0; slowly < 3; slowly++) {
            if (before[i] == big && i == HF_ARRAY_LEN(before) - 2)
                snprintf(big, sizeof big, "GET /hello HTTP/1.1\r\n" HOST "X: %030000d\r\n\r\n", 1);
            else if (before[i] == big)
                snprintf(big, sizeof big, POST("/echo") "Content-Length: 100000\r\n\r\n%0100000d",
                         1);
            if (slowly == 2 && before[i] == big)
                continue;
            hf_os_fake_socket_room(w.os, slowly == 1 ? 700 : 65536);
            hf_os_fake_chunk(w.os, slowly == 2 ? 1 : SIZE_MAX);
            assert_true(client_send(&c, hf_view_of(before[i])));
            hf_os_fake_socket_room(w.os, 65536);
            client_run(&c);
            assert_true(c.got.len > 0);
            hf_buf_clear(&c.got);
            if (world_stats(&w).open != 1 || world_stats(&w).busy != 0 || c.ended)
                fail_msg("%zu, %d: the connection is not idle", i, slowly);
            if (buffers(&w) != none)
                fail_msg("%zu, %d: %zu bytes are held", i, slowly, buffers(&w) - none);
        }
    }
    hf_os_fake_chunk(w.os, SIZE_MAX);
    close_both(&w, &c);
}

/* As many half heads as there are connections: each as large as heads may be, and all of it given
 * back in time. */
static void test_half_heads_are_bounded_and_given_back(void **state)
{
    (void)state;
    enum { HEAD = 8192 };
    static char head[HEAD];
    const struct hf_gateway_settings s = {.head_max = HEAD};
    struct world w;
    struct client c[MANY];
    world_open(&w, &s, true);
    size_t none = buffers(&w);
    memset(head, 'a', sizeof head);
    memcpy(head, "GET /hello HTTP/1.1\r\nX: ", 24);
    for (size_t i = 0; i < MANY; i++) {
        client_open(&c[i], &w);
        for (size_t at = 0; at < HEAD - 1; at += 1000)
            assert_true(client_send(
                &c[i], hf_view(head + at, HEAD - 1 - at < 1000 ? HEAD - 1 - at : 1000)));
        world_run(&w);
    }
    assert_true(buffers(&w) >= none + MANY * (HEAD - 1));
    assert_true(buffers(&w) <= none + MANY * 3 * HEAD);
    world_pass(&w, 10 * S);
    for (size_t i = 0; i < MANY; i++) {
        client_run(&c[i]);
        assert_true(c[i].ended);
    }
    assert_int_equal(world_stats(&w).timeouts, MANY);
    world_pass(&w, 2 * S);
    assert_int_equal(world_stats(&w).open, 0);
    assert_int_equal(buffers(&w), none);
    for (size_t i = 0; i < MANY; i++)
        client_close(&c[i]);
    world_close(&w);
}

/* ---- bombs ---- */

/* As many fields and bytes as are allowed are served; one more is not, wherever it stands. */
static void test_header_bombs_are_431(void **state)
{
    (void)state;
    static char text[70000];
    for (int kind = 0; kind < 4; kind++)
        for (int more = 0; more < 2; more++) {
            struct world w;
            struct client c;
            size_t n = (size_t)sprintf(text, "GET /hello HTTP/1.1\r\n" HOST);
            if (kind == 0) /* many small ones: 128 with Host */
                for (int i = 1; i < 128 + more; i++)
                    n += (size_t)sprintf(text + n, "a%d:\r\n", i);
            else if (kind == 1) /* a huge one: 32 KiB in all */
                n += (size_t)sprintf(text + n, "a: %0*d\r\n", (int)(32768 - n - 7 + (unsigned)more),
                                     1);
            else if (kind == 2) /* a huge name */
                n += (size_t)sprintf(text + n, "%0*d: a\r\n", (int)(32768 - n - 7 + (unsigned)more),
                                     1);
            else /* many of one name */
                for (int i = 1; i < 128 + more; i++)
                    n += (size_t)sprintf(text + n, "cookie: a%d=%0200d\r\n", i, 1);
            n += (size_t)sprintf(text + n, "\r\n");
            open_both(&w, &c, NULL);
            assert_true(client_send(&c, hf_view((uint8_t *)text, n)) || more);
            if (!more) {
                client_expect(&c, HELLO);
            } else {
                client_run(&c);
                assert_true(c.ended);
                assert_true(hf_view_starts(hf_buf_view(&c.got), HF_VIEW("HTTP/1.1 431 ")));
                assert_int_equal(world_stats(&w).refused_heads, 1);
            }
            close_both(&w, &c);
        }
}

/* Behind a body the same: lines of chunks and trailers are no place for what a head may not have.
 */
static void test_bombs_behind_a_body_are_refused(void **state)
{
    (void)state;
    static char text[70000];
    static const char *const status[] = {"431", "431", "400", "400"};
    for (int kind = 0; kind < 4; kind++) {
        struct world w;
        struct client c;
        size_t n = (size_t)sprintf(text, POST("/never") "Transfer-Encoding: chunked\r\n\r\n");
        if (kind == 0)
            n += (size_t)sprintf(text + n, "0\r\nA: %033000d\r\n\r\n", 1);
        else if (kind == 1) {
            n += (size_t)sprintf(text + n, "0\r\n");
            for (int i = 0; i < 200; i++)
                n += (size_t)sprintf(text + n, "A%d: 1\r\n", i);
            n += (size_t)sprintf(text + n, "\r\n");
        } else if (kind == 2)
            n += (size_t)sprintf(text + n, "1;%020000d\r\nx\r\n0\r\n\r\n", 1);
        else
            n += (size_t)sprintf(text + n, "%020000d\r\nx\r\n0\r\n\r\n", 1);
        open_both(&w, &c, NULL);
        (void)client_send(&c, hf_view((uint8_t *)text, n));
        client_run(&c);
        assert_true(c.ended);
        if (!hf_view_starts(hf_view_skip(hf_buf_view(&c.got), 9), hf_view_of(status[kind])))
            fail_msg("%d: %.*s", kind, HF_FMT(hf_buf_view(&c.got)));
        close_both(&w, &c);
    }
}

/* ---- slow and many ---- */

/* All places are taken by clients that say nothing, or a byte now and then: others are served all
 * the same, in time. */
static void test_slow_clients_make_room(void **state)
{
    (void)state;
    const struct hf_gateway_settings s = {.connections_max = MANY};
    static const char *const heads[] = {"", "GET /hello HTTP/1.1", "\r\nGET /hello HTTP/1.1"};
    for (int kind = 0; kind < 3; kind++) {
        struct world w;
        struct client slow[MANY], good;
        world_open(&w, &s, true);
        for (size_t i = 0; i < MANY; i++)
            client_open(&slow[i], &w);
        world_run(&w);
        client_open(&good, &w);
        SEND(&good, GET("/hello"));
        client_expect(&good, "");
        for (unsigned second = 0; second < 9; second++) {
            for (size_t i = 0; kind > 0 && i < MANY; i++)
                assert_true(client_send(&slow[i], hf_view(heads[kind] + second, 1)));
            world_run(&w);
            world_pass(&w, S);
        }
        client_expect(&good, "");
        world_pass(&w, S);
        for (size_t i = 0; i < MANY; i++)
            client_run(&slow[i]);
        world_pass(&w, 2 * S); /* lingering */
        client_expect(&good, HELLO);
        assert_int_equal(world_stats(&w).open, 1);
        for (size_t i = 0; i < MANY; i++)
            client_close(&slow[i]);
        client_close(&good);
        world_close(&w);
    }
}

/* Progress is enough for a body, but its request has a time of its own. */
static void test_a_body_a_byte_at_a_time_ends_with_its_request(void **state)
{
    (void)state;
    static const uint8_t body[100] = "";
    struct world w;
    struct client c;
    open_both(&w, &c, &(struct hf_gateway_settings){.request_timeout_ns = 60 * S});
    SEND(&c, POST("/tell") "Content-Length: 1000000\r\n\r\n");
    world_run(&w);
    uint64_t took = trickle(&c, hf_view(body, sizeof body), 10 * S);
    assert_true(took >= 60 * S && took <= 100 * S); /* after the answer, as in the next test */
    client_run(&c);
    assert_true(hf_view_starts(hf_buf_view(&c.got), HF_VIEW("HTTP/1.1 504 ")));
    assert_true(hf_kernel_idle(w.kernel));
    world_pass(&w, 2 * S);
    assert_int_equal(world_stats(&w).open, 0);
    close_both(&w, &c);
}

/* A body that nobody wants is read to keep the connection; not for longer than bodies may pause. */
static void test_an_unwanted_body_a_byte_at_a_time_ends(void **state)
{
    (void)state;
    static const uint8_t body[100] = "";
    for (int chunked = 0; chunked < 2; chunked++) {
        struct world w;
        struct client c;
        open_both(&w, &c, NULL);
        if (chunked)
            SEND(&c, POST("/drop") "Transfer-Encoding: chunked\r\n\r\n20000\r\n");
        else
            SEND(&c, POST("/drop") "Content-Length: 100000\r\n\r\n");
        client_expect(&c, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ndropped");
        uint64_t took = trickle(&c, hf_view(body, sizeof body), 10 * S);
        assert_true(took <= 40 * S);
        world_pass(&w, 2 * S);
        assert_int_equal(world_stats(&w).open, 0);
        close_both(&w, &c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_connection_holds_no_buffer_whatever_it_did),
        cmocka_unit_test(test_half_heads_are_bounded_and_given_back),
        cmocka_unit_test(test_header_bombs_are_431),
        cmocka_unit_test(test_bombs_behind_a_body_are_refused),
        cmocka_unit_test(test_slow_clients_make_room),
        cmocka_unit_test(test_a_body_a_byte_at_a_time_ends_with_its_request),
        cmocka_unit_test(test_an_unwanted_body_a_byte_at_a_time_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
