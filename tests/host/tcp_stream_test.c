/* tcp_stream_test.c - the bytes of TCP connections: echo, half-close, resets, peers that do not
 * read, guests that die while they wait.
 */
#include "support_net.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const rules[] = {"loopback:*", NULL};
static const struct world_settings real = {.real = true, .rules = rules};

static void run(void **state, script_fn script)
{
    struct world w;
    size_t before = open_fds();
    world_open_with(&w, state, &real);
    size_t i = post(&w, script);
    world_until(&w, i);
    if (w.requests[i].kind == HF_ANSWER_DEAD)
        fail_msg("%s", (const char *)w.requests[i].head_bytes.ptr);
    world_close(&w);
    assert_int_equal(open_fds(), before);
}

/* The byte at a place of a long stream. */
static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

/* A connection with a plain socket at its other end. */
static bool connected(struct guest *t, int family, struct pair *p, int *peer)
{
    uint16_t port;
    int server = peer_listen(family, 1, &port);
    bool ok = connect_to(t, loop(family, port), family, p);
    if (ok)
        *peer = peer_accept(server);
    close(server);
    return ok;
}

/* ---- both ways ---- */

static void echoes(struct guest *t)
{
    char got[16] = "";
    for (int family = 4; family <= 6; family += 2) {
        struct pair p;
        int peer;
        bool ready;
        CHECK(connected(t, family, &p, &peer));
        CHECK(is_ready(t, "input-stream.subscribe", p.in, &ready) && !ready);
        CHECK(is_ready(t, "output-stream.subscribe", p.out, &ready) && ready);
        CALL(nothing, "input-stream.read", H(p.in), U(10));
        CHECK(nothing->tag == 0 && nothing->items[0].len == 0);
        CHECK(send_text(t, p.out, "hello"));
        CHECK(recv(peer, got, 5, MSG_WAITALL) == 5 && memcmp(got, "hello", 5) == 0);
        CHECK(send(peer, "world!", 6, 0) == 6);
        CHECK(expect_text(t, p.in, "wor")); /* a part; the rest stays */
        CHECK(is_ready(t, "input-stream.subscribe", p.in, &ready) && ready);
        CHECK(expect_text(t, p.in, "ld!"));
        CHECK(is_ready(t, "input-stream.subscribe", p.in, &ready) && !ready);
        CHECK(drop_pair(t, &p));
        close(peer);
    }
}

static void bytes_go_both_ways(void **state)
{
    run(state, echoes);
}

static void with_itself(struct guest *t)
{
    uint16_t port;
    struct pair a, b;
    uint32_t l = listener(t, 6, &port);
    CHECK(l != 0 && connect_to(t, loop(6, port), 6, &a) && accept_from(t, l, &b));
    CHECK(send_text(t, a.out, "to b") && expect_text(t, b.in, "to b"));
    CHECK(send_text(t, b.out, "to a") && expect_text(t, a.in, "to a"));
    CALL(spliced, "output-stream.blocking-write-and-flush", H(a.out), T("round"));
    CHECK_INT(spliced->tag, 0);
    CALL(n, "output-stream.blocking-splice", H(b.out), H(b.in), U(100));
    CHECK(n->tag == 0 && n->items[0].u64 == 5);
    CHECK(expect_text(t, a.in, "round"));
    CHECK(drop_pair(t, &a));
    CALL(end, "input-stream.blocking-read", H(b.in), U(1));
    CHECK(is_closed(end));
    CHECK(drop_pair(t, &b));
}

static void a_guest_talks_to_itself(void **state)
{
    run(state, with_itself);
}

/* ---- ends ---- */

static void half_closes(struct guest *t)
{
    char got[16];
    struct pair p;
    int peer;
    CHECK(connected(t, 4, &p, &peer));
    CHECK(send_text(t, p.out, "all"));
    OK("tcp-socket.shutdown", H(p.socket), CASE(1, NULL));
    OK("tcp-socket.shutdown", H(p.socket), CASE(1, NULL)); /* twice is fine */
    CALL(w, "output-stream.check-write", H(p.out));
    CHECK(is_closed(w));
    CHECK(recv(peer, got, 3, MSG_WAITALL) == 3);
    CHECK(recv(peer, got, 1, 0) == 0); /* the end came */
    CHECK(send(peer, "back", 4, 0) == 4);
    CHECK(expect_text(t, p.in, "back")); /* the other direction lives */
    CHECK(shutdown(peer, SHUT_WR) == 0);
    CALL(r, "input-stream.blocking-read", H(p.in), U(1));
    CHECK(is_closed(r));
    CALL(again, "input-stream.read", H(p.in), U(1));
    CHECK(is_closed(again));
    bool ready;
    CHECK(is_ready(t, "input-stream.subscribe", p.in, &ready) && ready);
    CHECK(drop_pair(t, &p));
    close(peer);
}

static void a_half_closed_connection(void **state)
{
    run(state, half_closes);
}

static void shuts_receive(struct guest *t)
{
    struct pair p;
    int peer;
    CHECK(connected(t, 4, &p, &peer));
    CALL(sub, "input-stream.subscribe", H(p.in));
    uint32_t pollable = (uint32_t)sub->u64;
    CHECK(send(peer, "unread", 6, 0) == 6);
    DO("pollable.block", H(pollable));
    CHECK(expect_text(t, p.in, "un")); /* the rest lies in our buffer */
    OK("tcp-socket.shutdown", H(p.socket), CASE(0, NULL));
    CALL(r, "input-stream.read", H(p.in), U(10));
    CHECK(is_closed(r));
    DO("pollable.block", H(pollable));
    CHECK(send_text(t, p.out, "still")); /* the other direction lives */
    OK("tcp-socket.shutdown", H(p.socket), CASE(2, NULL));
    CALL(w, "output-stream.blocking-write-and-flush", H(p.out), T("x"));
    CHECK(is_closed(w));
    DROP(pollable);
    CHECK(drop_pair(t, &p));
    close(peer);
}

static void what_is_shut_is_closed_at_once(void **state)
{
    run(state, shuts_receive);
}

static void is_reset(struct guest *t)
{
    struct pair p;
    int peer;
    bool ready;
    CHECK(connected(t, 4, &p, &peer));
    peer_reset(peer);
    CHECK(wait_for(t, "input-stream.subscribe", p.in));
    CALL(r, "input-stream.read", H(p.in), U(1));
    CHECK(is_failed(r));
    CALL(words, "error.to-debug-string", H((uint32_t)r->items[0].items[0].u64));
    CHECK(is_text(words, "reading from a TCP connection: connection reset"));
    CALL(after, "input-stream.read", H(p.in), U(1));
    CHECK(is_closed(after));
    CHECK(is_ready(t, "input-stream.subscribe", p.in, &ready) && ready);
    CALL(w, "output-stream.blocking-write-and-flush", H(p.out), T("x"));
    CHECK(w->tag == 1); /* closed, for the reset was told already */
    CALL(gone, "tcp-socket.remote-address", H(p.socket));
    CHECK_INT(code(gone), NET_INVALID_STATE);
    OK("tcp-socket.shutdown", H(p.socket), CASE(2, NULL));
    CHECK(drop_pair(t, &p));
}

static void a_connection_reset_by_the_peer(void **state)
{
    run(state, is_reset);
}

static void write_is_reset(struct guest *t)
{
    struct pair p;
    int peer;
    CHECK(connected(t, 4, &p, &peer));
    peer_reset(peer);
    CHECK(wait_for(t, "input-stream.subscribe", p.in)); /* the reset is here */
    CALL(w, "output-stream.blocking-write-and-flush", H(p.out), T("x"));
    CHECK(is_failed(w));
    CALL(words, "error.to-debug-string", H((uint32_t)w->items[0].items[0].u64));
    CHECK(is_text(words, "writing to a TCP connection: connection reset"));
    CALL(after, "output-stream.check-write", H(p.out));
    CHECK(is_closed(after));
    CHECK(drop_pair(t, &p));
}

static void a_write_to_a_reset_connection(void **state)
{
    run(state, write_is_reset);
}

/* ---- a peer that does not read ---- */

#define FILLED 0
/* Writes until nothing more is permitted; the number of bytes in seen[FILLED]. */
static bool fill(struct guest *t, const struct pair *p)
{
    static char bytes[65536];
    size_t at = 0;
    for (;;) {
        struct hf_value *r = guest_call(t, "output-stream.check-write", ARGS(H(p->out)));
        if (r == NULL || r->tag != 0)
            return false;
        size_t n = (size_t)r->items[0].u64;
        if (n == 0)
            break;
        n = n < sizeof bytes ? n : sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)pattern(at + i);
        at += n;
        r = guest_call(t, "output-stream.write",
                       ARGS(H(p->out), hf_value_bytes(hf_view(bytes, n))));
        if (r == NULL || r->tag != 0 || at > (64u << 20))
            return false;
    }
    t->w->seen[FILLED] = at;
    return true;
}

static int slow_peer; /* of the script at hand */

static void fills_and_waits(struct guest *t)
{
    struct pair p;
    bool ready;
    CHECK(connected(t, 4, &p, &slow_peer));
    CHECK(fill(t, &p));
    CHECK(is_ready(t, "output-stream.subscribe", p.out, &ready) && !ready);
    CALL(f, "output-stream.flush", H(p.out)); /* asked for; not done */
    CHECK_INT(f->tag, 0);
    CALL(r, "output-stream.blocking-write-and-flush", H(p.out), T("the end")); /* suspends */
    CHECK_INT(r->tag, 0);
    OK("tcp-socket.shutdown", H(p.socket), CASE(1, NULL));
    CHECK(drop_pair(t, &p));
    CHECK(answer(t, "done"));
}

static void other_guest(struct guest *t)
{
    CHECK(answer(t, "other"));
}

/* Reads until the end, as a client that has woken up; the guest goes on meanwhile. */
static size_t drain(struct world *w, int fd, size_t want_pattern)
{
    static uint8_t got[65536];
    size_t at = 0;
    for (;;) {
        ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
        if (n == 0)
            return at;
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            world_run(w);
            usleep(200);
            continue;
        }
        for (ssize_t i = 0; i < n && at + (size_t)i < want_pattern; i++)
            if (got[i] != pattern(at + (size_t)i))
                fail_msg("byte %zu is another", at + (size_t)i);
        at += (size_t)n;
        world_run(w);
    }
}

static void a_peer_that_does_not_read_holds_its_guest_only(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.real = true, .rules = rules, .max = 2});
    size_t i = post(&w, fills_and_waits);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 0);
    size_t j = post(&w, other_guest);
    world_until(&w, j);
    assert_string_equal(take_all(&w, j), "other");
    assert_int_equal(w.requests[i].answers, 0);
    size_t n = drain(&w, slow_peer, w.seen[FILLED]);
    assert_int_equal(n, w.seen[FILLED] + strlen("the end"));
    world_until(&w, i);
    assert_string_equal(take_all(&w, i), "done");
    close(slow_peer);
    world_close(&w);
}

/* What is pending goes out though the guest waits for something else, and the end behind it. */
static void fills_then_reads(struct guest *t)
{
    struct pair p;
    bool ready;
    CHECK(connected(t, 4, &p, &slow_peer));
    CHECK(fill(t, &p));
    OK("tcp-socket.shutdown", H(p.socket), CASE(1, NULL));
    CHECK(is_ready(t, "output-stream.subscribe", p.out, &ready) &&
          ready); /* its end is there to be told */
    CALL(w, "output-stream.check-write", H(p.out));
    CHECK(is_closed(w));
    CALL(r, "input-stream.blocking-read", H(p.in), U(100));
    CHECK(r->tag == 0 && is_text(&r->items[0], "got it"));
    CHECK(drop_pair(t, &p));
    CHECK(answer(t, "done"));
}

static void pending_bytes_go_out_by_themselves(void **state)
{
    struct world w;
    world_open_with(&w, state, &real);
    size_t i = post(&w, fills_then_reads);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 0);
    assert_int_equal(drain(&w, slow_peer, w.seen[FILLED]), w.seen[FILLED]);
    assert_int_equal(send(slow_peer, "got it", 6, 0), 6);
    world_until(&w, i);
    assert_string_equal(take_all(&w, i), "done");
    close(slow_peer);
    world_close(&w);
}

/* The peer goes while bytes are pending: the writer is told. */
static void fills_and_loses(struct guest *t)
{
    struct pair p;
    CHECK(connected(t, 4, &p, &slow_peer));
    CHECK(fill(t, &p));
    CHECK(wait_for(t, "output-stream.subscribe", p.out));
    CALL(r, "output-stream.check-write", H(p.out));
    CHECK(is_failed(r));
    CALL(words, "error.to-debug-string", H((uint32_t)r->items[0].items[0].u64));
    CHECK(is_text(words, "writing to a TCP connection: connection reset"));
    DROP((uint32_t)r->items[0].items[0].u64);
    CHECK(drop_pair(t, &p));
    CHECK(answer(t, "done"));
}

static void a_writer_that_waits_learns_of_a_reset(void **state)
{
    struct world w;
    world_open_with(&w, state, &real);
    size_t i = post(&w, fills_and_loses);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 0);
    peer_reset(slow_peer);
    world_until(&w, i);
    assert_string_equal(take_all(&w, i), "done");
    world_close(&w);
}

/* A guest that does not read holds up its peer: what we keep for it is bounded. */
static void does_not_read(struct guest *t)
{
    static char bytes[65536];
    struct pair p;
    int peer;
    size_t sent = 0;
    ssize_t n;
    CHECK(connected(t, 4, &p, &peer));
    while ((n = send(peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        sent += (size_t)n;
    CHECK(sent < (32u << 20)); /* the system's buffers */
    CALL(r, "input-stream.read", H(p.in), U(UINT64_MAX));
    CHECK(r->tag == 0 && r->items[0].len == 32768);
    size_t got = 32768;
    close(peer);
    for (;;) {
        CALL(more, "input-stream.blocking-read", H(p.in), U(1u << 20));
        if (more->tag == 1) {
            CHECK(is_closed(more));
            break;
        }
        got += more->items[0].len;
    }
    CHECK_INT(got, sent);
    CHECK(drop_pair(t, &p));
}

static void a_guest_that_does_not_read(void **state)
{
    run(state, does_not_read);
}

/* ---- a poller that cannot ---- */

static enum hf_err cannot_add(struct hf_os_poller *p, int fd, uint32_t interest, void *tag)
{
    (void)p, (void)fd, (void)interest, (void)tag;
    return HF_LIMIT;
}

static void waits_in_vain(struct guest *t)
{
    static struct hf_os os;
    struct pair p;
    int peer;
    CHECK(connected(t, 4, &p, &peer));
    os = *hf_os_linux();
    os.poller_add = cannot_add;
    t->w->io.os = &os;
    CALL(r, "input-stream.blocking-read", H(p.in), U(1)); /* fails; it must not spin */
    CHECK(is_failed(r));
    CALL(words, "error.to-debug-string", H((uint32_t)r->items[0].items[0].u64));
    CHECK(is_text(words, "reading from a TCP connection: out of memory"));
    CHECK(!fill(t, &p)); /* the writes, too, as soon as one would wait */
    CALL(w, "output-stream.blocking-write-and-flush", H(p.out), T("x"));
    CHECK(w->tag == 1);
    CHECK(drop_pair(t, &p));
    t->w->io.os = hf_os_linux();
    close(peer);
}

static void what_cannot_be_waited_for_fails(void **state)
{
    run(state, waits_in_vain);
}

/* ---- many ---- */

#define MANY 100
static void many_sockets(struct guest *t)
{
    static struct pair p[MANY];
    static int peers[MANY];
    static struct hf_value list[MANY];
    static uint32_t pollables[MANY];
    for (int i = 0; i < MANY; i++) {
        CHECK(connected(t, i % 2 == 0 ? 4 : 6, &p[i], &peers[i]));
        CALL(s, "input-stream.subscribe", H(p[i].in));
        pollables[i] = (uint32_t)s->u64;
    }
    for (int round = 0; round < 5; round++) {
        int lucky = (round * 37 + 11) % MANY;
        CHECK(send(peers[lucky], "x", 1, 0) == 1);
        for (int i = 0; i < MANY; i++)
            list[i] = H(pollables[i]);
        CALL(ready, "poll", LIST(list, MANY));
        CHECK_INT(ready->len, 1);
        CHECK_INT(((const uint32_t *)(const void *)ready->bytes)[0], lucky);
        CHECK(expect_text(t, p[lucky].in, "x"));
    }
    for (int i = 0; i < MANY; i++) {
        DROP(pollables[i]);
        CHECK(drop_pair(t, &p[i]));
        close(peers[i]);
    }
}

static void a_hundred_sockets_one_ready(void **state)
{
    run(state, many_sockets);
}

/* ---- guests that die ---- */

static uint16_t port_of_nobody; /* a listener with a full queue */

static void dies_connecting(struct guest *t)
{
    uint32_t net = network(t), s = tcp_new(t, 4);
    OK("tcp-socket.start-connect", H(s), H(net), loop(4, port_of_nobody));
    t->w->note = 1; /* it came so far */
    (void)wait_for(t, "tcp-socket.subscribe", s);
}
static void dies_accepting(struct guest *t)
{
    uint16_t port;
    uint32_t s = listener(t, 4, &port);
    CHECK(s != 0);
    t->w->note = 1; /* it came so far */
    (void)wait_for(t, "tcp-socket.subscribe", s);
}
static void dies_reading(struct guest *t)
{
    struct pair p;
    CHECK(connected(t, 4, &p, &slow_peer));
    t->w->note = 1;
    (void)!guest_call(t, "input-stream.blocking-read", ARGS(H(p.in), U(1)));
}
static void dies_writing(struct guest *t)
{
    struct pair p;
    CHECK(connected(t, 4, &p, &slow_peer));
    CHECK(fill(t, &p));
    t->w->note = 1;
    (void)!guest_call(t, "output-stream.blocking-write-and-flush", ARGS(H(p.out), T("x")));
}
static void dies_flushing(struct guest *t)
{
    struct pair p;
    CHECK(connected(t, 4, &p, &slow_peer));
    CHECK(fill(t, &p));
    t->w->note = 1;
    (void)!guest_call(t, "output-stream.blocking-flush", ARGS(H(p.out)));
}
static void dies_polling(struct guest *t)
{
    struct pair p;
    uint16_t port;
    uint32_t l = listener(t, 4, &port);
    CHECK(l != 0 && connected(t, 4, &p, &slow_peer) && fill(t, &p));
    CALL(a, "tcp-socket.subscribe", H(l));
    CALL(b, "input-stream.subscribe", H(p.in));
    CALL(c, "output-stream.subscribe", H(p.out));
    struct hf_value list[] = {H((uint32_t)a->u64), H((uint32_t)b->u64), H((uint32_t)c->u64)};
    t->w->note = 1;
    (void)!guest_call(t, "poll", ARGS(LIST(list, 3)));
}

static void dies(void **state, script_fn script)
{
    struct world w;
    size_t before = open_fds();
    world_open_with(&w, state, &real);
    size_t with_world = open_fds();
    slow_peer = -1;
    size_t i = post_with(&w, script, &(struct req){.timeout_ns = 400 * MS});
    world_until(&w, i);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_TIMEOUT);
    assert_int_equal(w.note, 1);
    world_run(&w);
    if (slow_peer >= 0)
        close(slow_peer);
    assert_int_equal(open_fds(), with_world);
    world_close(&w);
    assert_int_equal(open_fds(), before);
}

static void a_guest_killed_at_each_await(void **state)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    int server = peer_listen(4, 0, &port_of_nobody), clients[6];
    assert_int_equal(getsockname(server, (struct sockaddr *)&a, &len), 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(clients); i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(clients[i], (struct sockaddr *)&a, len);
    }
    usleep(20000);
    static const script_fn scripts[] = {dies_connecting, dies_accepting, dies_reading,
                                        dies_writing,    dies_flushing,  dies_polling};
    for (size_t i = 0; i < HF_ARRAY_LEN(scripts); i++)
        dies(state, scripts[i]);
    for (size_t i = 0; i < HF_ARRAY_LEN(clients); i++)
        close(clients[i]);
    close(server);
}

/* It returns with everything open, lent bytes and a pollable too: the end of the instance closes
 * it. */
static void leaves_everything(struct guest *t)
{
    struct pair p;
    CHECK(connected(t, 4, &p, &slow_peer));
    CHECK(send(slow_peer, "abc", 3, 0) == 3);
    CHECK(expect_text(t, p.in, "a"));
    DO("input-stream.read", H(p.in), U(1)); /* lent, never settled */
    DO("input-stream.subscribe", H(p.in));
    DO("output-stream.subscribe", H(p.out));
    DO("tcp-socket.subscribe", H(p.socket));
    CHECK(fill(t, &p));
}

static void an_instance_that_leaves_everything_open(void **state)
{
    struct world w;
    size_t before = open_fds();
    world_open_with(&w, state, &real);
    world_until(&w, post(&w, leaves_everything));
    world_close(&w);
    close(slow_peer);
    assert_int_equal(open_fds(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(a_guest_talks_to_itself),
        cmocka_unit_test(a_half_closed_connection),
        cmocka_unit_test(what_is_shut_is_closed_at_once),
        cmocka_unit_test(a_connection_reset_by_the_peer),
        cmocka_unit_test(a_write_to_a_reset_connection),
        cmocka_unit_test(a_peer_that_does_not_read_holds_its_guest_only),
        cmocka_unit_test(pending_bytes_go_out_by_themselves),
        cmocka_unit_test(a_writer_that_waits_learns_of_a_reset),
        cmocka_unit_test(a_guest_that_does_not_read),
        cmocka_unit_test(what_cannot_be_waited_for_fails),
        cmocka_unit_test(a_hundred_sockets_one_ready),
        cmocka_unit_test(a_guest_killed_at_each_await),
        cmocka_unit_test(an_instance_that_leaves_everything_open),
    };
    return cmocka_run_group_tests_name("host/tcp_stream", tests, shared_open, shared_close);
}
