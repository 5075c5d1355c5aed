/* udp_test.c - wasi:sockets/udp: binding, stream pairs with and without a peer, permits, what is
 * not granted, floods (sockets.wit).
 */
#include "support_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const both[] = {"loopback:*", NULL};

static void run_with(void **state, script_fn script, const char *const *rules, struct hf_net *net)
{
    struct world w;
    size_t before = open_fds();
    world_open_with(&w, state, &(struct world_settings){.real = true, .rules = rules, .net = net});
    size_t i = post(&w, script);
    world_until(&w, i);
    if (w.requests[i].kind == HF_ANSWER_DEAD)
        fail_msg("%s", (const char *)w.requests[i].head_bytes.ptr);
    world_close(&w);
    assert_int_equal(open_fds(), before);
}

static void run(void **state, script_fn script, const char *const *rules)
{
    run_with(state, script, rules, NULL);
}

/* record { data, remote-address: option } */
static struct hf_value datagram(struct hf_value *room, const char *text, struct hf_value to)
{
    room[0] = T(text);
    room[1] = to;
    return (struct hf_value){.items = room, .len = 2};
}

/* Streams of a bound socket; with_peer is an option. */
static bool streams(struct guest *t, uint32_t udp, struct hf_value with_peer, struct pair *p)
{
    struct hf_value *r = guest_call(t, "udp-socket.stream", ARGS(H(udp), with_peer));
    if (r == NULL || r->tag != 0) {
        guest_failed(t, __FILE__, __LINE__, "udp-socket.stream");
        return false;
    }
    *p = (struct pair){udp, (uint32_t)r->items[0].items[0].u64, (uint32_t)r->items[0].items[1].u64};
    return true;
}

/* Sends one; what send answered. */
static struct hf_value *send_one(struct guest *t, uint32_t out, const char *text,
                                 struct hf_value to)
{
    struct hf_value room[2], list[1] = {datagram(room, text, to)};
    if (guest_call(t, "outgoing-datagram-stream.check-send", ARGS(H(out))) == NULL)
        return NULL;
    return guest_call(t, "outgoing-datagram-stream.send", ARGS(H(out), LIST(list, 1)));
}
#define SENDS(want, out, text, to)                                                                 \
    do {                                                                                           \
        struct hf_value *s_ = send_one(t, out, text, to);                                          \
        CHECK(s_ != NULL);                                                                         \
        CHECK_INT(code(s_), want);                                                                 \
        CHECK(s_->tag == 1 || s_->items[0].u64 == 1);                                              \
    } while (0)

/* Waits for one datagram and wants it to be this; the sender's port in *from. */
static bool expect(struct guest *t, uint32_t in, const char *text, uint16_t *from)
{
    if (!wait_for(t, "incoming-datagram-stream.subscribe", in))
        return false;
    struct hf_value *r = guest_call(t, "incoming-datagram-stream.receive", ARGS(H(in), U(10)));
    bool fine = r != NULL && r->tag == 0 && r->items[0].len == 1 &&
                is_text(&r->items[0].items[0].items[0], text);
    if (!fine)
        guest_failed(t, __FILE__, __LINE__, text);
    if (fine && from != NULL)
        *from = port_of(&r->items[0].items[0].items[1]);
    return fine;
}

static uint16_t local_port(struct guest *t, uint32_t udp)
{
    struct hf_value *r = guest_call(t, "udp-socket.local-address", ARGS(H(udp)));
    return r == NULL || r->tag != 0 ? 0 : port_of(&r->items[0]);
}

/* A plain socket of the test. */
static int plain(int family, uint16_t *port)
{
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr *a = family == 6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
    socklen_t len = family == 6 ? sizeof a6 : sizeof a4;
    int fd = socket(a->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, a, len) != 0 || getsockname(fd, a, &len) != 0)
        abort();
    *port = ntohs(family == 6 ? a6.sin6_port : a4.sin_port);
    return fd;
}

static void plain_send(int fd, uint16_t port, const char *text)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof a) < 0)
        abort();
}

/* ---- states ---- */

static void states(struct guest *t)
{
    uint32_t net = network(t), u = udp_new(t, 4);
    CHECK(net != 0 && u != 0);
    CODE(NET_NOT_IN_PROGRESS, "udp-socket.finish-bind", H(u));
    CODE(NET_INVALID_STATE, "udp-socket.local-address", H(u));
    CODE(NET_INVALID_STATE, "udp-socket.remote-address", H(u));
    CODE(NET_INVALID_STATE, "udp-socket.stream", H(u), none());
    CODE(NET_INVALID_ARGUMENT, "udp-socket.start-bind", H(u), H(net), loop(6, 0));
    CODE(NET_ADDRESS_NOT_BINDABLE, "udp-socket.start-bind", H(u), H(net), at4(192, 0, 2, 1, 0));
    OK("udp-socket.start-bind", H(u), H(net), loop(4, 0));
    CODE(NET_CONCURRENCY_CONFLICT, "udp-socket.start-bind", H(u), H(net), loop(4, 0));
    CODE(NET_INVALID_STATE, "udp-socket.stream", H(u), none());
    CODE(NET_INVALID_STATE, "udp-socket.local-address", H(u));
    OK("udp-socket.finish-bind", H(u));
    CODE(NET_NOT_IN_PROGRESS, "udp-socket.finish-bind", H(u));
    CODE(NET_INVALID_STATE, "udp-socket.start-bind", H(u), H(net), loop(4, 0));
    CHECK(local_port(t, u) != 0);
    CODE(NET_INVALID_STATE, "udp-socket.remote-address", H(u));
    CALL(family, "udp-socket.address-family", H(u));
    CHECK_INT(family->tag, 0);
    bool ready;
    CHECK(is_ready(t, "udp-socket.subscribe", u, &ready) && ready);
    uint32_t taken = udp_new(t, 4);
    CODE(NET_ADDRESS_IN_USE, "udp-socket.start-bind", H(taken), H(net), loop(4, local_port(t, u)));
    uint32_t v6 = udp_new(t, 6);
    CODE(NET_INVALID_ARGUMENT, "udp-socket.start-bind", H(v6), H(net), at6("::ffff:127.0.0.1", 0));
    CALL(family6, "udp-socket.address-family", H(v6));
    CHECK_INT(family6->tag, 1);
    struct pair p;
    CODE(NET_INVALID_ARGUMENT, "udp-socket.stream", H(u), some(loop(6, 5)));
    CODE(NET_INVALID_ARGUMENT, "udp-socket.stream", H(u), some(loop(4, 0)));
    CODE(NET_INVALID_ARGUMENT, "udp-socket.stream", H(u), some(at4(0, 0, 0, 0, 5)));
    CHECK(streams(t, u, some(loop(4, 9)), &p));
    CALL(remote, "udp-socket.remote-address", H(u));
    CHECK(remote->tag == 0 && port_of(&remote->items[0]) == 9);
    TRAPS("while the incoming-datagram-stream of an earlier call is alive", "udp-socket.stream",
          H(u), none());
    DROP(p.in);
    TRAPS("while the outgoing-datagram-stream of an earlier call is alive", "udp-socket.stream",
          H(u), none());
    DROP_TRAPS("its child outgoing-datagram-stream is alive", u);
    DROP(p.out);
    CHECK(streams(t, u, none(), &p)); /* no peer any more */
    CODE(NET_INVALID_STATE, "udp-socket.remote-address", H(u));
    DROP(p.in);
    DROP(p.out);
    DROP(u);
}

static void every_state_takes_what_it_should(void **state)
{
    static const char *const all[] = {"0.0.0.0/0:*", "[::/0]:*", NULL};
    run(state, states, all);
}

/* ---- datagrams ---- */

static void echoes(struct guest *t)
{
    for (int family = 4; family <= 6; family += 2) {
        struct pair a, b;
        uint16_t from;
        bool ready;
        uint32_t ua = udp_new(t, family), ub = udp_new(t, family);
        CHECK(udp_bind(t, ua, loop(family, 0)) && udp_bind(t, ub, loop(family, 0)));
        CHECK(streams(t, ua, none(), &a) && streams(t, ub, none(), &b));
        CALL(nothing, "incoming-datagram-stream.receive", H(b.in), U(10));
        CHECK(nothing->tag == 0 && nothing->items[0].len == 0);
        CHECK(is_ready(t, "incoming-datagram-stream.subscribe", b.in, &ready) && !ready);
        CHECK(is_ready(t, "outgoing-datagram-stream.subscribe", b.out, &ready) && ready);
        SENDS(CODE_OK, a.out, "ping", some(loop(family, local_port(t, ub))));
        CHECK(expect(t, b.in, "ping", &from));
        CHECK_INT(from, local_port(t, ua));
        SENDS(CODE_OK, b.out, "", some(loop(family, from))); /* an empty datagram is one */
        CHECK(expect(t, a.in, "", &from));
        CALL(none_wanted, "incoming-datagram-stream.receive", H(a.in), U(0));
        CHECK(none_wanted->tag == 0 && none_wanted->items[0].len == 0);
        DROP(a.in);
        DROP(a.out);
        DROP(ua);
        DROP(b.in);
        DROP(b.out);
        DROP(ub);
    }
}

static void datagrams_go_both_ways(void **state)
{
    run(state, echoes, both);
}

static void sends_wrong(struct guest *t)
{
    static char big[70000];
    struct pair p;
    uint16_t port;
    int peer = plain(4, &port);
    uint32_t u = udp_new(t, 4);
    CHECK(udp_bind(t, u, loop(4, 0)) && streams(t, u, none(), &p));
    SENDS(NET_INVALID_ARGUMENT, p.out, "x", none()); /* to whom? */
    SENDS(NET_INVALID_ARGUMENT, p.out, "x", some(loop(6, port)));
    SENDS(NET_INVALID_ARGUMENT, p.out, "x", some(loop(4, 0)));
    SENDS(NET_INVALID_ARGUMENT, p.out, "x", some(at4(0, 0, 0, 0, port)));
    SENDS(NET_ACCESS_DENIED, p.out, "x", some(at4(10, 0, 0, 1, port)));
    memset(big, 'x', sizeof big - 1);
    SENDS(NET_DATAGRAM_TOO_LARGE, p.out, big, some(loop(4, port)));
    DROP(p.in);
    DROP(p.out);
    CODE(NET_ACCESS_DENIED, "udp-socket.stream", H(u), some(at4(169, 254, 169, 254, 80)));
    CHECK(streams(t, u, some(loop(4, port)), &p));
    SENDS(NET_INVALID_ARGUMENT, p.out, "x",
          some(loop(4, port == 1 ? 2 : 1))); /* another than the peer */
    SENDS(CODE_OK, p.out, "a", none());
    SENDS(CODE_OK, p.out, "b", some(loop(4, port))); /* the same */
    char got[4];
    CHECK(recv(peer, got, 4, 0) == 1 && recv(peer, got, 4, 0) == 1 && got[0] == 'b');
    close(peer);
    SENDS(CODE_OK, p.out, "c", none()); /* nobody is there: the system says so a little later */
    CHECK(wait_for(t, "incoming-datagram-stream.subscribe", p.in));
    CODE(NET_CONNECTION_REFUSED, "incoming-datagram-stream.receive", H(p.in), U(1));
    CODE(CODE_OK, "incoming-datagram-stream.receive", H(p.in), U(1)); /* once */
}

static void wrong_destinations(void **state)
{
    run(state, sends_wrong, both);
}

static void only_the_peer(struct guest *t)
{
    struct pair p;
    uint16_t friend_port, stranger_port;
    int friend_fd = plain(4, &friend_port), stranger = plain(4, &stranger_port);
    uint32_t u = udp_new(t, 4);
    CHECK(udp_bind(t, u, loop(4, 0)));
    uint16_t port = local_port(t, u);
    plain_send(stranger, port, "before"); /* it lies in the queue when the peer is named */
    CHECK(streams(t, u, some(loop(4, friend_port)), &p));
    plain_send(stranger, port, "after");
    plain_send(friend_fd, port, "hello");
    CHECK(expect(t, p.in, "hello", NULL));
    CALL(r, "incoming-datagram-stream.receive", H(p.in), U(5));
    CHECK(r->tag == 0 && r->items[0].len == 0);
    close(friend_fd);
    close(stranger);
}

static void a_peer_is_the_only_one_heard(void **state)
{
    run(state, only_the_peer, both);
}

/* ---- grants ---- */

static uint16_t granted_port;
static int granted; /* has it all the while: nobody else may get it */

static void client_only(struct guest *t)
{
    struct pair p;
    uint16_t stranger_port;
    int server = plain(4, &(uint16_t){0}), stranger = plain(4, &stranger_port);
    uint32_t net = network(t), u = udp_new(t, 4), fixed = udp_new(t, 4);
    CODE(NET_ACCESS_DENIED, "udp-socket.start-bind", H(fixed), H(net), loop(4, 7777));
    CHECK(udp_bind(t, u, at4(0, 0, 0, 0, 0))); /* as every client library does */
    CHECK(streams(t, u, none(), &p));
    SENDS(NET_ACCESS_DENIED, p.out, "x", some(loop(4, stranger_port)));
    plain_send(stranger, local_port(t, u), "unwanted");
    usleep(2000);
    CALL(r, "incoming-datagram-stream.receive", H(p.in), U(5));
    CHECK(r->tag == 0 && r->items[0].len == 0);
    close(server);
    SENDS(CODE_OK, p.out, "hi", some(loop(4, granted_port)));
    plain_send(granted, local_port(t, u), "answer");
    CHECK(expect(t, p.in, "answer", NULL));
    CALL(tcp, "create-tcp-socket", CASE(0, NULL));
    CHECK_INT(code(tcp), NET_ACCESS_DENIED);
    close(stranger);
}

static void a_client_hears_only_whom_it_may_ask(void **state)
{
    char rule[40];
    const char *const rules[] = {rule, NULL};
    granted = plain(4, &granted_port);
    snprintf(rule, sizeof rule, "udp:connect:loopback:%u", granted_port);
    run(state, client_only, rules);
    close(granted);
}

/* ---- permits, floods ---- */

static void permits(struct guest *t)
{
    struct pair p;
    uint16_t port;
    int peer = plain(4, &port);
    struct hf_value room[6][2], list[6];
    uint32_t u = udp_new(t, 4);
    CHECK(udp_bind(t, u, loop(4, 0)) && streams(t, u, some(loop(4, port)), &p));
    for (int i = 0; i < 6; i++)
        list[i] = datagram(room[i], "x", none());
    TRAPS("send of 1 datagrams is more than check-send permitted (0)",
          "outgoing-datagram-stream.send", H(p.out), LIST(list, 1));
    CALL(empty, "outgoing-datagram-stream.send", H(p.out), LIST(list, 0));
    CHECK(empty->tag == 0 && empty->items[0].u64 == 0);
    CALL(n, "outgoing-datagram-stream.check-send", H(p.out));
    CHECK_INT(n->items[0].u64, 5);
    TRAPS("send of 6 datagrams is more than check-send permitted (5)",
          "outgoing-datagram-stream.send", H(p.out), LIST(list, 6));
    CALL(sent, "outgoing-datagram-stream.send", H(p.out), LIST(list, 3));
    CHECK_INT(sent->items[0].u64, 3);
    TRAPS("permitted (0)", "outgoing-datagram-stream.send", H(p.out),
          LIST(list, 1)); /* one permit, one send */
    DO("outgoing-datagram-stream.check-send", H(p.out));
    list[1].items[1] =
        some(at4(10, 0, 0, 1, 1)); /* wrong, behind one that is not: that one counts */
    CALL(part, "outgoing-datagram-stream.send", H(p.out), LIST(list, 3));
    CHECK(part->tag == 0 && part->items[0].u64 == 1);
    for (int i = 0; i < 12; i++)
        plain_send(peer, local_port(t, u), "in");
    CALL(some_of, "incoming-datagram-stream.receive", H(p.in), U(3));
    CHECK_INT(some_of->items[0].len, 3);
    CALL(most, "incoming-datagram-stream.receive", H(p.in), U(UINT64_MAX));
    CHECK_INT(most->items[0].len, 5);
    CALL(rest, "incoming-datagram-stream.receive", H(p.in), U(UINT64_MAX));
    CHECK_INT(rest->items[0].len, 4);
    close(peer);
}

static void sends_are_permitted_and_receives_bounded(void **state)
{
    static const char *const rules[] = {"loopback:*", "datagrams=5", NULL};
    run(state, permits, rules);
}

static unsigned left;
static enum hf_net_err receive_strangers(struct hf_net *net, int fd, void *buf, size_t len,
                                         size_t *n, struct hf_endpoint *from)
{
    (void)net, (void)fd, (void)buf, (void)len;
    *n = 1;
    *from = (struct hf_endpoint){.ip = {HF_IPV4, {10, 1, 1, 1}}, .port = 5};
    left--;
    return HF_NET_OK;
}

static void flooded(struct guest *t)
{
    struct pair p;
    uint32_t u = udp_new(t, 4);
    CHECK(udp_bind(t, u, loop(4, 0)) && streams(t, u, none(), &p));
    left = 1000000;
    CALL(r, "incoming-datagram-stream.receive", H(p.in), U(5));
    CHECK(r->tag == 0 && r->items[0].len == 0);
    CHECK_INT(left, 1000000 - 256);
}

static void a_flood_of_strangers_does_not_hold_the_worker(void **state)
{
    static const char *const rules[] = {"connect:loopback:5", NULL};
    struct hf_net net = *hf_net_linux();
    net.receive = receive_strangers;
    run_with(state, flooded, rules, &net);
}

static unsigned refusals;
static enum hf_net_err send_busy(struct hf_net *net, int fd, const void *buf, size_t len,
                                 const struct hf_endpoint *to)
{
    if (refusals > 0 && refusals-- > 0)
        return HF_NET_AGAIN;
    return hf_net_linux()->send(net, fd, buf, len, to);
}

static void busy(struct guest *t)
{
    struct pair p;
    uint16_t port;
    int peer = plain(4, &port);
    uint32_t u = udp_new(t, 4);
    CHECK(udp_bind(t, u, loop(4, 0)) && streams(t, u, some(loop(4, port)), &p));
    refusals = 1;
    struct hf_value *r = send_one(t, p.out, "x", none());
    CHECK(r != NULL && r->tag == 0 && r->items[0].u64 == 0); /* never would-block */
    CALL(n, "outgoing-datagram-stream.check-send", H(p.out));
    CHECK(n->tag == 0 && n->items[0].u64 == 0);
    CHECK(wait_for(t, "outgoing-datagram-stream.subscribe", p.out));
    SENDS(CODE_OK, p.out, "x", none());
    close(peer);
}

static void a_full_send_buffer_is_waited_for(void **state)
{
    struct hf_net net = *hf_net_linux();
    net.send = send_busy;
    run_with(state, busy, both, &net);
}

/* ---- options, ends ---- */

static void sets_options(struct guest *t)
{
    for (int family = 4; family <= 6; family += 2) {
        uint32_t u = udp_new(t, family);
        CHECK(u != 0);
        CODE(NET_INVALID_ARGUMENT, "udp-socket.set-unicast-hop-limit", H(u), U(0));
        CODE(NET_INVALID_ARGUMENT, "udp-socket.set-receive-buffer-size", H(u), U(0));
        CODE(NET_INVALID_ARGUMENT, "udp-socket.set-send-buffer-size", H(u), U(0));
        OK("udp-socket.set-unicast-hop-limit", H(u), U(9));
        CALL(hops, "udp-socket.unicast-hop-limit", H(u));
        CHECK_INT(hops->items[0].u64, 9);
        OK("udp-socket.set-receive-buffer-size", H(u), U(30000));
        CALL(in, "udp-socket.receive-buffer-size", H(u));
        CHECK_INT(in->items[0].u64, 30000);
        OK("udp-socket.set-send-buffer-size", H(u), U(40000));
        CALL(out, "udp-socket.send-buffer-size", H(u));
        CHECK_INT(out->items[0].u64, 40000);
    }
}

static void options(void **state)
{
    run(state, sets_options, both);
}

static void dies_receiving(struct guest *t)
{
    struct pair p;
    uint32_t u = udp_new(t, 4);
    CHECK(udp_bind(t, u, loop(4, 0)) && streams(t, u, none(), &p));
    CHECK_INT(left, 0);
    (void)wait_for(t, "incoming-datagram-stream.subscribe", p.in);
}

static void a_guest_killed_while_it_receives(void **state)
{
    struct world w;
    size_t before = open_fds();
    left = 0;
    world_open_with(&w, state, &(struct world_settings){.real = true, .rules = both});
    size_t i = post_with(&w, dies_receiving, &(struct req){.timeout_ns = 30 * MS});
    world_until(&w, i);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_TIMEOUT);
    world_close(&w);
    assert_int_equal(open_fds(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_takes_what_it_should),
        cmocka_unit_test(datagrams_go_both_ways),
        cmocka_unit_test(wrong_destinations),
        cmocka_unit_test(a_peer_is_the_only_one_heard),
        cmocka_unit_test(a_client_hears_only_whom_it_may_ask),
        cmocka_unit_test(sends_are_permitted_and_receives_bounded),
        cmocka_unit_test(a_flood_of_strangers_does_not_hold_the_worker),
        cmocka_unit_test(a_full_send_buffer_is_waited_for),
        cmocka_unit_test(options),
        cmocka_unit_test(a_guest_killed_while_it_receives),
    };
    return cmocka_run_group_tests_name("host/udp", tests, shared_open, shared_close);
}
