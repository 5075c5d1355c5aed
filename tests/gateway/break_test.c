/* break_test.c - clients and worlds that break off at every possible place: nothing leaks, nothing
 * hangs, the kernel ends up idle, and the next client is served. */
#include "support.h"

#include <stdlib.h>

#define HOST  "Host: x\r\n"
#define HELLO "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world"

static const char *const sessions[] = {
    "GET /hello HTTP/1.1\r\n" HOST "\r\n",
    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123456789",
    "POST /echo?len HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n0123GET /chunks HTTP/1.1\r\n" HOST
    "\r\n",
    "POST /tell HTTP/1.1\r\n" HOST
    "Transfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nSum: 3\r\n\r\n",
    "POST /pass HTTP/1.1\r\n" HOST
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "GET /slen/9/9 HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST
    "\r\nGET /trailing HTTP/1.1\r\n" HOST "\r\n",
    "POST /tell HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    "POST /sip HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n012345678GET /hello HTTP/1.0\r\n\r\n",
    "GET /die-mid HTTP/1.1\r\n" HOST "\r\n",
    "GET /big/70000 HTTP/1.1\r\n" HOST "\r\n",
    "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "POST /drop HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nX",
};

/* Nothing of the broken session stays, and the gateway still works. */
static void expect_sound(struct world *w, size_t session, size_t at)
{
    struct client c;
    world_run(w);
    if (!hf_kernel_idle(w->kernel))
        fail_msg("session %zu, broken at %zu: the kernel is not idle", session, at);
    if (world_stats(w).open != 0 || world_stats(w).busy != 0)
        fail_msg("session %zu, broken at %zu: %u connections stay", session, at,
                 world_stats(w).open);
    client_open(&c, w);
    SEND(&c, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&c, HELLO);
    client_close(&c);
    hf_buf_clear(&w->log);
}

/* The client sends `n` bytes and then breaks off, by a reset or by closing, at once or after the
 * world has moved. */
static void break_at(struct world *w, size_t session, size_t n, bool reset, bool later)
{
    struct client c;
    client_open(&c, w);
    client_send(&c, hf_view(sessions[session], n)); /* the server may have closed already */
    if (later)
        world_run(w);
    if (reset)
        client_reset(&c);
    else
        client_close(&c);
    /* a half-closed request is served to its end, and waits for nobody but the client's reset */
    world_pass(w, 100 * S);
    expect_sound(w, session, n);
}

static void test_clients_break_off_at_every_byte_of_a_request(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, true);
    for (size_t i = 0; i < HF_ARRAY_LEN(sessions); i++)
        for (size_t n = 0; n <= strlen(sessions[i]); n++)
            for (int how = 0; how < 4; how++)
                break_at(&w, i, n, how & 1, how & 2);
    world_close(&w);
}

static void test_clients_break_off_at_every_byte_of_an_answer(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, true);
    for (size_t i = 0; i < HF_ARRAY_LEN(sessions); i++) {
        /* the answer leaves byte by byte, as the client reads; by a reset and by closing */
        for (size_t n = 0, how = 0;; n += how, how ^= 1) {
            struct client c;
            uint8_t byte;
            size_t got = 0, some;
            hf_os_fake_socket_room(w.os, 65536);
            client_open(&c, &w);
            client_send(&c, hf_view_of(sessions[i]));
            hf_os_fake_socket_room(w.os, 1);
            for (int idle = 0; got < n && idle < 10;) {
                world_turn(&w);
                enum hf_err err = w.os->read(w.os, c.fd, &byte, 1, &some);
                got += some;
                idle = some > 0 ? 0 : err == HF_CLOSED ? 10 : idle + 1;
            }
            if (how == 0)
                client_reset(&c);
            else
                client_close(&c);
            hf_os_fake_socket_room(w.os, 65536);
            world_pass(&w, 100 * S);
            expect_sound(&w, i, n);
            if (how == 1 && (got < n || n > 300)) /* that was the whole answer */
                break;
        }
    }
    world_close(&w);
}

/* However the request is cut into reads, the answer is the same. */
static void test_every_cut_of_a_session_gives_the_same_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(sessions); i++) {
        struct hf_buf whole = {0};
        size_t len = strlen(sessions[i]);
        if (strstr(sessions[i], "100-continue") != NULL || strstr(sessions[i], "/big") != NULL ||
            strstr(sessions[i], "/die-mid") != NULL || strstr(sessions[i], "/echo") != NULL ||
            strstr(sessions[i], "/pass") != NULL || strstr(sessions[i], "/chunks") != NULL ||
            strstr(sessions[i], "/drop") != NULL)
            continue; /* there, what the answer looks like depends on when the bytes come */
        for (size_t cut = 0; cut <= len; cut++) {
            struct world w;
            struct client c;
            world_open(&w, NULL, true);
            client_open(&c, &w);
            client_send(&c, hf_view(sessions[i], cut));
            world_run(&w);
            client_send(&c, hf_view(sessions[i] + cut, len - cut));
            client_run(&c);
            if (cut == 0)
                assert_int_equal(hf_buf_add_view(&whole, hf_buf_view(&c.got)), HF_OK);
            if (!hf_view_eq(hf_buf_view(&whole), hf_buf_view(&c.got)))
                fail_msg("session %zu cut at %zu:\n%.*s", i, cut, HF_FMT(hf_buf_view(&c.got)));
            client_close(&c);
            world_close(&w);
        }
        hf_buf_done(&whole);
    }
}

/* A fault that did not strike yet strikes here. */
static void use_up_faults(struct world *w)
{
    for (int i = 0; i < 6; i++) {
        struct client c;
        client_open(&c, w);
        client_send(&c, hf_view_of(sessions[9]));
        for (int turn = 0; turn < 10; turn++)
            world_turn(w);
        client_close(&c);
    }
}

/* The nth call of each kind fails. */
static void test_a_world_that_fails_at_every_call(void **state)
{
    (void)state;
    static const char *const calls[] = {"read", "writev", "poller_set", "poller_add", "accept"};
    static const enum hf_err errs[] = {HF_IO, HF_CLOSED, HF_LIMIT};
    for (size_t call = 0; call < HF_ARRAY_LEN(calls); call++)
        for (size_t i = 0; i < HF_ARRAY_LEN(sessions); i++)
            for (unsigned nth = 1; nth < 6; nth++) {
                struct world w;
                struct client c;
                world_open(&w, NULL, true);
                client_open(&c, &w);
                client_send(&c, hf_view_of(sessions[i]));
                hf_os_fake_fail(w.os, calls[call], nth, errs[(i + nth) % HF_ARRAY_LEN(errs)]);
                for (int turn = 0; turn < 30; turn++)
                    world_turn(&w);
                client_close(&c);
                use_up_faults(&w);
                world_pass(&w, 100 * S);
                expect_sound(&w, i, nth);
                world_close(&w);
            }
}

/* Socket buffers of every small size: partial writes end anywhere in head, chunk lines, bodies and
 * tails. */
static void test_partial_writes_end_anywhere(void **state)
{
    (void)state;
    static const char request[] =
        "GET /chunks HTTP/1.1\r\n" HOST "\r\nGET /trailing HTTP/1.1\r\n" HOST
        "\r\nGET /len/40/40 HTTP/1.1\r\n" HOST "\r\nGET /die HTTP/1.1\r\n" HOST "\r\n";
    struct hf_buf whole = {0};
    for (size_t room = 400; room > 0; room--) {
        struct world w;
        struct client c;
        world_open(&w, NULL, true);
        w.steps = 100; /* one way to cut the body into chunks, whatever the room */
        client_open(&c, &w);
        client_send(&c, hf_view_of(request));
        hf_os_fake_socket_room(w.os, room);
        client_run(&c);
        if (whole.len == 0)
            assert_int_equal(hf_buf_add_view(&whole, hf_buf_view(&c.got)), HF_OK);
        if (!hf_view_eq(hf_buf_view(&whole), hf_buf_view(&c.got)))
            fail_msg("room %zu:\n%.*s", room, HF_FMT(hf_buf_view(&c.got)));
        client_close(&c);
        world_close(&w);
    }
    assert_true(whole.len > 400);
    hf_buf_done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_break_off_at_every_byte_of_a_request),
        cmocka_unit_test(test_clients_break_off_at_every_byte_of_an_answer),
        cmocka_unit_test(test_every_cut_of_a_session_gives_the_same_answer),
        cmocka_unit_test(test_a_world_that_fails_at_every_call),
        cmocka_unit_test(test_partial_writes_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
