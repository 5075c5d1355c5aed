/* tcp_test.c - wasi:sockets/tcp: states, connecting, listening, what they are (sockets.wit; the
 * operational semantics beside it). Bytes: tcp_stream_test.c.
 */
#include "support_net.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const loopback_rules[] = {"loopback:*", NULL};

/* One request on a real world with these rules; no descriptor may be left. */
static void run(void **state, script_fn script, const char *const *rules)
{
    struct world w;
    size_t before = open_fds();
    world_open_with(&w, state, &(struct world_settings){.real = true, .rules = rules});
    size_t i = post(&w, script);
    world_until(&w, i);
    if (w.requests[i].kind == HF_ANSWER_DEAD)
        fail_msg("%s", (const char *)w.requests[i].head_bytes.ptr);
    world_close(&w);
    assert_int_equal(open_fds(), before);
}

/* ---- states ---- */

static void states_of_unbound(struct guest *t)
{
    uint32_t net = network(t), s = tcp_new(t, 4);
    CHECK(net != 0 && s != 0);
    bool ready;
    CHECK(is_ready(t, "tcp-socket.subscribe", s, &ready) && ready);
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-bind", H(s));
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-connect", H(s));
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-listen", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.start-listen", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.accept", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.local-address", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.remote-address", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.shutdown", H(s), CASE(2, NULL));
    CALL(l, "tcp-socket.is-listening", H(s));
    CHECK_INT(l->u64, 0);
    CALL(f, "tcp-socket.address-family", H(s));
    CHECK_INT(f->tag, 0);
}

static void states_of_listening(struct guest *t)
{
    uint32_t net = network(t), s = tcp_new(t, 4);
    CHECK(net != 0 && s != 0);
    OK("tcp-socket.start-bind", H(s), H(net), loop(4, 0));
    CODE(NET_CONCURRENCY_CONFLICT, "tcp-socket.start-bind", H(s), H(net), loop(4, 0));
    CODE(NET_CONCURRENCY_CONFLICT, "tcp-socket.start-listen", H(s));
    CODE(NET_CONCURRENCY_CONFLICT, "tcp-socket.start-connect", H(s), H(net), loop(4, 1));
    CODE(NET_INVALID_STATE, "tcp-socket.local-address", H(s));
    OK("tcp-socket.finish-bind", H(s));
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-bind", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.start-bind", H(s), H(net), loop(4, 0));
    CALL(at, "tcp-socket.local-address", H(s));
    CHECK(at->tag == 0 && port_of(&at->items[0]) != 0);
    CHECK_INT(at->items[0].items->items[1].items[0].u64, 127);
    OK("tcp-socket.start-listen", H(s));
    CODE(NET_CONCURRENCY_CONFLICT, "tcp-socket.start-listen", H(s));
    CALL(not_yet, "tcp-socket.is-listening", H(s));
    CHECK_INT(not_yet->u64, 0);
    CODE(NET_INVALID_STATE, "tcp-socket.accept", H(s));
    OK("tcp-socket.finish-listen", H(s));
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-listen", H(s));
    CALL(listens, "tcp-socket.is-listening", H(s));
    CHECK_INT(listens->u64, 1);
    CODE(NET_WOULD_BLOCK, "tcp-socket.accept", H(s));
    bool ready;
    CHECK(is_ready(t, "tcp-socket.subscribe", s, &ready) && !ready);
    CODE(NET_INVALID_STATE, "tcp-socket.start-connect", H(s), H(net),
         loop(4, 1)); /* and stays as it is */
    CODE(NET_INVALID_STATE, "tcp-socket.start-listen", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.shutdown", H(s), CASE(1, NULL));
    CODE(NET_INVALID_STATE, "tcp-socket.remote-address", H(s));
    OK("tcp-socket.set-listen-backlog-size", H(s), U(UINT64_MAX));
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-listen-backlog-size", H(s), U(0));
    CODE(NET_WOULD_BLOCK, "tcp-socket.accept", H(s));
}

static void states_of_connected(struct guest *t)
{
    struct pair p;
    uint16_t port;
    int server = peer_listen(4, 8, &port);
    uint32_t net = network(t);
    CHECK(net != 0 && connect_to(t, loop(4, port), 4, &p));
    CODE(NET_INVALID_STATE, "tcp-socket.start-connect", H(p.socket), H(net), loop(4, port));
    CODE(NET_INVALID_STATE, "tcp-socket.start-bind", H(p.socket), H(net), loop(4, 0));
    CODE(NET_INVALID_STATE, "tcp-socket.start-listen", H(p.socket));
    CODE(NET_INVALID_STATE, "tcp-socket.accept", H(p.socket));
    CODE(NET_INVALID_STATE, "tcp-socket.set-listen-backlog-size", H(p.socket), U(5));
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-connect", H(p.socket));
    CALL(remote, "tcp-socket.remote-address", H(p.socket));
    CHECK(remote->tag == 0 && port_of(&remote->items[0]) == port);
    CALL(local, "tcp-socket.local-address", H(p.socket));
    CHECK(local->tag == 0 && port_of(&local->items[0]) != port);
    bool ready;
    CHECK(is_ready(t, "tcp-socket.subscribe", p.socket, &ready) && ready);
    DROP_TRAPS("its child input-stream is alive", p.socket);
    CHECK(drop_pair(t, &p));
    close(server);
}

static void states_of_closed(struct guest *t)
{
    uint32_t net = network(t), s = tcp_new(t, 4);
    CHECK(net != 0 && s != 0);
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-connect", H(s), H(net), loop(4, 0));
    CODE(NET_INVALID_STATE, "tcp-socket.start-connect", H(s), H(net), loop(4, 1));
    CODE(NET_INVALID_STATE, "tcp-socket.start-bind", H(s), H(net), loop(4, 0));
    CODE(NET_INVALID_STATE, "tcp-socket.hop-limit", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.set-hop-limit", H(s), U(3));
    CODE(NET_INVALID_STATE, "tcp-socket.set-listen-backlog-size", H(s), U(3));
    CODE(NET_INVALID_STATE, "tcp-socket.local-address", H(s));
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-connect", H(s));
    bool ready;
    CHECK(is_ready(t, "tcp-socket.subscribe", s, &ready) && ready);
}

static void every_state_takes_what_it_should(void **state)
{
    run(state, states_of_unbound, loopback_rules);
    run(state, states_of_listening, loopback_rules);
    run(state, states_of_connected, loopback_rules);
    run(state, states_of_closed, loopback_rules);
}

/* ---- addresses ---- */

static void wrong_addresses_bind(struct guest *t)
{
    uint32_t net = network(t), s4 = tcp_new(t, 4), s6 = tcp_new(t, 6);
    CHECK(net != 0 && s4 != 0 && s6 != 0);
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-bind", H(s4), H(net), loop(6, 0));
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-bind", H(s6), H(net), loop(4, 0));
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-bind", H(s6), H(net), at6("::ffff:127.0.0.1", 0));
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-bind", H(s4), H(net), at4(224, 0, 0, 1, 0));
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-bind", H(s4), H(net), at4(255, 255, 255, 255, 0));
    CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-bind", H(s6), H(net), at6("ff02::1", 0));
    CODE(NET_ADDRESS_NOT_BINDABLE, "tcp-socket.start-bind", H(s4), H(net), at4(192, 0, 2, 1, 0));
    OK("tcp-socket.start-bind", H(s4), H(net), loop(4, 0)); /* after all that failed */
    OK("tcp-socket.finish-bind", H(s4));
}

static void wrong_addresses_connect(struct guest *t)
{
    const struct {
        int family;
        struct hf_value to;
    } wrong[] = {
        {4, loop(6, 1)},
        {6, loop(4, 1)},
        {6, at6("::ffff:127.0.0.1", 1)},
        {4, at4(0, 0, 0, 0, 1)},
        {6, at6("::", 1)},
        {4, at4(224, 0, 0, 1, 1)},
        {4, at4(255, 255, 255, 255, 1)},
        {6, at6("ff02::1", 1)},
        {4, loop(4, 0)},
    };
    uint32_t net = network(t);
    for (size_t i = 0; i < HF_ARRAY_LEN(wrong); i++) {
        uint32_t s = tcp_new(t, wrong[i].family);
        CHECK(s != 0);
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.start-connect", H(s), H(net), wrong[i].to);
        DROP(s);
    }
}

static void addresses_that_make_no_sense(void **state)
{
    static const char *const all[] = {"0.0.0.0/0:*", "[::/0]:*", NULL};
    run(state, wrong_addresses_bind, all);
    run(state, wrong_addresses_connect, all);
}

static void taken(struct guest *t)
{
    uint16_t port;
    uint32_t net = network(t), first = listener(t, 4, &port), s = tcp_new(t, 4);
    CHECK(net != 0 && first != 0 && s != 0);
    CODE(NET_ADDRESS_IN_USE, "tcp-socket.start-bind", H(s), H(net), loop(4, port));
    struct pair p;
    int peer = peer_connect(4, port);
    CHECK(accept_from(t, first, &p));
    DROP(first);
    CHECK(drop_pair(t, &p)); /* ours closes first: the port is in TIME_WAIT */
    close(peer);
    OK("tcp-socket.start-bind", H(s), H(net), loop(4, port));
    OK("tcp-socket.finish-bind", H(s));
    OK("tcp-socket.start-listen", H(s));
}

static void an_address_in_use(void **state)
{
    run(state, taken, loopback_rules);
}

static void only_v6(struct guest *t)
{
    uint16_t port;
    uint32_t net = network(t), v6 = tcp_new(t, 6), v4 = tcp_new(t, 4);
    OK("tcp-socket.start-bind", H(v6), H(net), at6("::", 0));
    OK("tcp-socket.finish-bind", H(v6));
    OK("tcp-socket.start-listen", H(v6));
    CALL(at, "tcp-socket.local-address", H(v6));
    port = port_of(&at->items[0]);
    CHECK_INT(at->items[0].tag, 1);
    OK("tcp-socket.start-bind", H(v4), H(net), at4(0, 0, 0, 0, port)); /* its IPv4 side is free */
    OK("tcp-socket.finish-bind", H(v4));
    OK("tcp-socket.start-listen", H(v4));
}

static void ipv6_sockets_take_ipv6_only(void **state)
{
    static const char *const rules[] = {"listen:0.0.0.0:*", "listen:[::]:*", NULL};
    run(state, only_v6, rules);
}

/* ---- grants ---- */

static void denied(struct guest *t)
{
    uint16_t port;
    int server = peer_listen(4, 8, &port);
    uint32_t net = network(t), s = tcp_new(t, 4), c = tcp_new(t, 4), d = tcp_new(t, 4), u;
    CHECK(net != 0 && s != 0 && c != 0 && d != 0);
    CODE(NET_ACCESS_DENIED, "tcp-socket.start-bind", H(s), H(net),
         at4(0, 0, 0, 0, 4000)); /* the wildcard is more than loopback */
    CODE(NET_ACCESS_DENIED, "tcp-socket.start-bind", H(s), H(net), loop(4, 4001));
    CODE(NET_ACCESS_DENIED, "tcp-socket.start-connect", H(c), H(net),
         loop(4, port));                                   /* another port */
    OK("tcp-socket.start-bind", H(d), H(net), loop(4, 0)); /* a client may */
    OK("tcp-socket.finish-bind", H(d));
    CODE(NET_ACCESS_DENIED, "tcp-socket.start-listen", H(d)); /* but not be one to others */
    CALL(udp, "create-udp-socket", CASE(0, NULL));
    CHECK_INT(code(udp), NET_ACCESS_DENIED);
    u = s;
    DROP(u);
    close(server);
}

static void what_is_not_granted_is_denied(void **state)
{
    static const char *const rules[] = {"tcp:listen:loopback:4000", "tcp:connect:127.0.0.1:1",
                                        NULL};
    run(state, denied, rules);
}

/* ---- connecting ---- */

static void refused(struct guest *t)
{
    uint16_t port;
    uint32_t net = network(t), s = tcp_new(t, 4);
    close(peer_listen(4, 1, &port));
    OK("tcp-socket.start-connect", H(s), H(net), loop(4, port));
    CHECK(wait_for(t, "tcp-socket.subscribe", s));
    CODE(NET_CONNECTION_REFUSED, "tcp-socket.finish-connect", H(s));
    CODE(NET_NOT_IN_PROGRESS, "tcp-socket.finish-connect", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.start-connect", H(s), H(net), loop(4, port));
}

static void a_connection_refused(void **state)
{
    run(state, refused, loopback_rules);
}

/* A listener whose queue is full answers nobody: a connect to it takes long. */
struct full {
    int server, clients[8];
    uint16_t port;
};

static void full_open(struct full *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    f->server = peer_listen(4, 0, &f->port);
    a.sin_port = htons(f->port);
    for (size_t i = 0; i < HF_ARRAY_LEN(f->clients); i++) {
        f->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(f->clients[i], (struct sockaddr *)&a, sizeof a);
    }
    usleep(20000);
}

static void full_close(struct full *f)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(f->clients); i++)
        close(f->clients[i]);
    close(f->server);
}

static void slow_connect(struct guest *t)
{
    struct full f;
    bool ready;
    uint32_t net = network(t), s = tcp_new(t, 4);
    full_open(&f);
    OK("tcp-socket.start-connect", H(s), H(net), loop(4, f.port));
    CODE(NET_WOULD_BLOCK, "tcp-socket.finish-connect", H(s));
    CODE(NET_CONCURRENCY_CONFLICT, "tcp-socket.start-connect", H(s), H(net), loop(4, f.port));
    CODE(NET_CONCURRENCY_CONFLICT, "tcp-socket.start-listen", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.remote-address", H(s));
    CODE(NET_INVALID_STATE, "tcp-socket.set-listen-backlog-size", H(s), U(1));
    CODE(NET_INVALID_STATE, "tcp-socket.shutdown", H(s), CASE(2, NULL));
    CHECK(is_ready(t, "tcp-socket.subscribe", s, &ready) && !ready);
    /* The guest's own deadline. */
    CALL(mine, "tcp-socket.subscribe", H(s));
    uint32_t pollable = (uint32_t)mine->u64, clock = subscribe_ns(t, 30 * MS);
    struct hf_value list[] = {H(pollable), H(clock)};
    CALL(which, "poll", LIST(list, 2));
    CHECK(which->len == 1 && ((const uint32_t *)(const void *)which->bytes)[0] == 1);
    CODE(NET_WOULD_BLOCK, "tcp-socket.finish-connect", H(s));
    DROP(pollable);
    DROP(clock);
    DROP(s);
    full_close(&f);
}

static void a_connect_that_takes_too_long(void **state)
{
    run(state, slow_connect, loopback_rules);
}

/* ---- accepting ---- */

static void inherits(struct guest *t)
{
    struct pair p;
    uint32_t net = network(t), s = tcp_new(t, 4);
    OK("tcp-socket.start-bind", H(s), H(net), loop(4, 0));
    OK("tcp-socket.finish-bind", H(s));
    OK("tcp-socket.set-keep-alive-enabled", H(s), U(1));
    OK("tcp-socket.set-keep-alive-idle-time", H(s), U(42 * S));
    OK("tcp-socket.set-keep-alive-interval", H(s), U(7 * S));
    OK("tcp-socket.set-keep-alive-count", H(s), U(3));
    OK("tcp-socket.set-hop-limit", H(s), U(17));
    OK("tcp-socket.set-receive-buffer-size", H(s), U(20000));
    OK("tcp-socket.set-send-buffer-size", H(s), U(30000));
    OK("tcp-socket.set-listen-backlog-size", H(s), U(10));
    OK("tcp-socket.start-listen", H(s));
    OK("tcp-socket.finish-listen", H(s));
    CALL(at, "tcp-socket.local-address", H(s));
    int peer = peer_connect(4, port_of(&at->items[0]));
    CHECK(accept_from(t, s, &p));
    CALL(enabled, "tcp-socket.keep-alive-enabled", H(p.socket));
    CHECK_INT(enabled->items[0].u64, 1);
    CALL(idle, "tcp-socket.keep-alive-idle-time", H(p.socket));
    CHECK_INT(idle->items[0].u64, 42 * S);
    CALL(interval, "tcp-socket.keep-alive-interval", H(p.socket));
    CHECK_INT(interval->items[0].u64, 7 * S);
    CALL(count, "tcp-socket.keep-alive-count", H(p.socket));
    CHECK_INT(count->items[0].u64, 3);
    CALL(hops, "tcp-socket.hop-limit", H(p.socket));
    CHECK_INT(hops->items[0].u64, 17);
    CALL(in, "tcp-socket.receive-buffer-size", H(p.socket));
    CHECK_INT(in->items[0].u64, 20000);
    CALL(out, "tcp-socket.send-buffer-size", H(p.socket));
    CHECK_INT(out->items[0].u64, 30000);
    CALL(remote, "tcp-socket.remote-address", H(p.socket));
    CHECK_INT(remote->tag, 0);
    CALL(family, "tcp-socket.address-family", H(p.socket));
    CHECK_INT(family->tag, 0);
    CHECK(drop_pair(t, &p));
    close(peer);
}

static void what_is_accepted_inherits(void **state)
{
    run(state, inherits, loopback_rules);
}

static void accepts_in_order(struct guest *t)
{
    bool ready;
    uint16_t port;
    struct pair p;
    uint32_t s = listener(t, 6, &port);
    CHECK(s != 0 && is_ready(t, "tcp-socket.subscribe", s, &ready) && !ready);
    CALL(mine, "tcp-socket.subscribe", H(s)); /* one for the life of the socket */
    uint32_t pollable = (uint32_t)mine->u64;
    for (int i = 0; i < 3; i++) {
        int peer = peer_connect(6, port);
        DO("pollable.block", H(pollable));
        CALL(r, "tcp-socket.accept", H(s));
        CHECK_INT(r->tag, 0);
        p.socket = (uint32_t)r->items[0].items[0].u64;
        p.in = (uint32_t)r->items[0].items[1].u64;
        p.out = (uint32_t)r->items[0].items[2].u64;
        CALL(still, "pollable.ready", H(pollable));
        CHECK_INT(still->u64, 0);
        CHECK(drop_pair(t, &p));
        close(peer);
    }
    CODE(NET_WOULD_BLOCK, "tcp-socket.accept", H(s));
    DROP(pollable);
}

static void one_pollable_for_all_clients(void **state)
{
    run(state, accepts_in_order, loopback_rules);
}

static void accepts_the_dead(struct guest *t)
{
    uint16_t port;
    struct pair p;
    uint32_t s = listener(t, 4, &port);
    CHECK(s != 0);
    peer_reset(peer_connect(4, port)); /* before anybody accepted it */
    CHECK(accept_from(t, s, &p));
    CALL(r, "input-stream.blocking-read", H(p.in), U(10));
    CHECK(r->tag == 1);
    CHECK(drop_pair(t, &p));
    int peer = peer_connect(4, port); /* the listener is fine */
    CHECK(accept_from(t, s, &p));
    CHECK(drop_pair(t, &p));
    close(peer);
}

static void a_client_that_died_in_the_queue(void **state)
{
    run(state, accepts_the_dead, loopback_rules);
}

/* ---- options ---- */

static void sets_options(struct guest *t)
{
    for (int family = 4; family <= 6; family += 2) {
        uint32_t s = tcp_new(t, family);
        CHECK(s != 0);
        CALL(off, "tcp-socket.keep-alive-enabled", H(s));
        CHECK(off->tag == 0 && off->items[0].u64 == 0);
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-keep-alive-idle-time", H(s), U(0));
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-keep-alive-interval", H(s), U(0));
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-keep-alive-count", H(s), U(0));
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-hop-limit", H(s), U(0));
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-receive-buffer-size", H(s), U(0));
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-send-buffer-size", H(s), U(0));
        CODE(NET_INVALID_ARGUMENT, "tcp-socket.set-listen-backlog-size", H(s), U(0));
        OK("tcp-socket.set-keep-alive-idle-time", H(s), U(1)); /* rounded up */
        CALL(idle, "tcp-socket.keep-alive-idle-time", H(s));
        CHECK_INT(idle->items[0].u64, S);
        OK("tcp-socket.set-keep-alive-idle-time", H(s), U(UINT64_MAX)); /* and down */
        OK("tcp-socket.set-keep-alive-interval", H(s), U(UINT64_MAX));
        OK("tcp-socket.set-keep-alive-count", H(s), U(UINT32_MAX));
        OK("tcp-socket.set-hop-limit", H(s), U(255));
        CALL(hops, "tcp-socket.hop-limit", H(s));
        CHECK_INT(hops->items[0].u64, 255);
        OK("tcp-socket.set-receive-buffer-size", H(s), U(UINT64_MAX));
        OK("tcp-socket.set-send-buffer-size", H(s), U(UINT64_MAX));
        CALL(room, "tcp-socket.send-buffer-size", H(s));
        CHECK(room->items[0].u64 <= 100000); /* the limit below */
        OK("tcp-socket.set-listen-backlog-size", H(s), U(1));
        DROP(s);
    }
}

static void options_are_clamped_never_refused(void **state)
{
    static const char *const rules[] = {"loopback:*", "buffer=100000", NULL};
    run(state, sets_options, rules);
}

/* ---- limits, the system's errors ---- */

static void too_many(struct guest *t)
{
    uint16_t port;
    struct pair p;
    uint32_t s = listener(t, 4, &port), other = tcp_new(t, 4);
    CHECK(s != 0 && other != 0);
    CALL(third, "create-tcp-socket", CASE(0, NULL));
    CHECK_INT(code(third), NET_NEW_SOCKET_LIMIT);
    int peer = peer_connect(4, port);
    CHECK(wait_for(t, "tcp-socket.subscribe", s));
    CODE(NET_NEW_SOCKET_LIMIT, "tcp-socket.accept", H(s));
    DROP(other);
    CHECK(accept_from(t, s, &p)); /* it still waited */
    CHECK(drop_pair(t, &p));
    close(peer);
}

static void sockets_are_limited(void **state)
{
    static const char *const rules[] = {"loopback:*", "sockets=2", NULL};
    run(state, too_many, rules);
}

static enum hf_net_err fails_with;
static enum hf_net_err open_fails(struct hf_net *net, enum hf_net_kind kind, int family, int *fd)
{
    (void)net, (void)kind, (void)family, (void)fd;
    return fails_with;
}
static enum hf_net_err bind_fails(struct hf_net *net, int fd, const struct hf_endpoint *at)
{
    (void)net, (void)fd, (void)at;
    return fails_with;
}
static enum hf_net_err listen_fails(struct hf_net *net, int fd, int backlog)
{
    (void)net, (void)fd, (void)backlog;
    return fails_with;
}
static enum hf_net_err accept_fails(struct hf_net *net, int fd, int *ret)
{
    (void)net, (void)fd, (void)ret;
    return fails_with;
}
static enum hf_net_err result_fails(struct hf_net *net, int fd)
{
    (void)net, (void)fd;
    return fails_with;
}
static enum hf_net_err set_fails(struct hf_net *net, int fd, int family, enum hf_net_opt opt,
                                 uint64_t value)
{
    (void)net, (void)fd, (void)family, (void)opt, (void)value;
    return fails_with;
}
static enum hf_net_err get_fails(struct hf_net *net, int fd, int family, enum hf_net_opt opt,
                                 uint64_t *value)
{
    (void)net, (void)fd, (void)family, (void)opt, (void)value;
    return fails_with;
}

static struct hf_net broken;

static void errors(struct guest *t)
{
    static const struct {
        enum hf_net_err err;
        int code;
    } map[] = {
        {HF_NET_UNKNOWN, NET_UNKNOWN},
        {HF_NET_DENIED, NET_ACCESS_DENIED},
        {HF_NET_UNSUPPORTED, NET_NOT_SUPPORTED},
        {HF_NET_INVALID, NET_INVALID_ARGUMENT},
        {HF_NET_MEMORY, NET_OUT_OF_MEMORY},
        {HF_NET_TIMEOUT, NET_TIMEOUT},
        {HF_NET_LIMIT, NET_NEW_SOCKET_LIMIT},
        {HF_NET_NOT_BINDABLE, NET_ADDRESS_NOT_BINDABLE},
        {HF_NET_IN_USE, NET_ADDRESS_IN_USE},
        {HF_NET_UNREACHABLE, NET_REMOTE_UNREACHABLE},
        {HF_NET_REFUSED, NET_CONNECTION_REFUSED},
        {HF_NET_RESET, NET_CONNECTION_RESET},
        {HF_NET_ABORTED, NET_CONNECTION_ABORTED},
        {HF_NET_TOO_LARGE, NET_DATAGRAM_TOO_LARGE},
    };
    uint16_t port;
    struct full f;
    uint32_t net = network(t), s = listener(t, 4, &port);
    CHECK(net != 0 && s != 0);
    full_open(&f);
    for (size_t i = 0; i < HF_ARRAY_LEN(map); i++) {
        uint32_t a = tcp_new(t, 4), b = tcp_new(t, 4), c = tcp_new(t, 4);
        fails_with = map[i].err;
        OK("tcp-socket.start-bind", H(c), H(net), loop(4, 0));
        OK("tcp-socket.finish-bind", H(c));
        OK("tcp-socket.start-connect", H(b), H(net), loop(4, f.port));
        broken = *hf_net_linux();
        broken.open = open_fails, broken.bind = bind_fails, broken.listen = listen_fails;
        broken.accept = accept_fails, broken.connect_result = result_fails;
        broken.set = set_fails, broken.get = get_fails;
        CALL(made, "create-tcp-socket", CASE(0, NULL));
        CHECK_INT(code(made), map[i].code);
        CODE(map[i].code, "tcp-socket.start-bind", H(a), H(net), loop(4, 0));
        CODE(map[i].code, "tcp-socket.set-hop-limit", H(a), U(1));
        CODE(map[i].code, "tcp-socket.hop-limit", H(a));
        CODE(map[i].code, "tcp-socket.accept", H(s));
        CODE(map[i].code, "tcp-socket.set-listen-backlog-size", H(s), U(1));
        CODE(map[i].code, "tcp-socket.finish-connect", H(b));
        CODE(NET_INVALID_STATE, "tcp-socket.hop-limit", H(b)); /* closed */
        CODE(map[i].code, "tcp-socket.start-listen", H(c));
        CODE(NET_INVALID_STATE, "tcp-socket.start-listen", H(c)); /* closed */
        broken = *hf_net_linux();
        OK("tcp-socket.start-bind", H(a), H(net),
           loop(4, 0)); /* a bind that failed may be tried again */
        DROP(a);
        DROP(b);
        DROP(c);
    }
    full_close(&f);
}

static void every_error_has_its_code(void **state)
{
    static const char *const rules[] = {"loopback:*", NULL};
    struct world w;
    broken = *hf_net_linux();
    world_open_with(&w, state,
                    &(struct world_settings){.real = true, .rules = rules, .net = &broken});
    size_t i = post(&w, errors);
    world_until(&w, i);
    world_close(&w);
}

/* ---- images ---- */

static void keeps_a_network(struct guest *t)
{
    if (t->w->kept[0] == 0)
        t->w->kept[0] = network(t);
}
static void keeps_a_socket(struct guest *t)
{
    (void)tcp_new(t, 4);
}

static void images_may_keep_a_network_no_socket(void **state)
{
    struct world w;
    struct world_settings s = {.real = true,
                               .rules = loopback_rules,
                               .lifecycle = HF_LIFE_PER_REQUEST,
                               .image = true,
                               .on_start = keeps_a_network};
    world_open_with(&w, state, &s);
    assert_true(hf_service_has_image(w.svc));
    world_close(&w);
    s.on_start = keeps_a_socket;
    s.no_image = "it keeps a tcp-socket that it made while it started";
    world_open_with(&w, state, &s);
    assert_false(hf_service_has_image(w.svc));
    world_close(&w);
}

/* What a request opened is closed when the instance is put back. */
static void leaves_sockets(struct guest *t)
{
    uint16_t port;
    CHECK(listener(t, 4, &port) != 0 && tcp_new(t, 6) != 0);
    CHECK(answer(t, "x"));
}

static void a_reset_closes_sockets(void **state)
{
    struct world w;
    world_open_with(&w, state,
                    &(struct world_settings){.real = true,
                                             .rules = loopback_rules,
                                             .lifecycle = HF_LIFE_PER_REQUEST,
                                             .image = true});
    size_t before = open_fds();
    for (int i = 0; i < 3; i++) {
        world_until(&w, post(&w, leaves_sockets));
        world_run(&w);
        assert_int_equal(open_fds(), before);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_takes_what_it_should),
        cmocka_unit_test(addresses_that_make_no_sense),
        cmocka_unit_test(an_address_in_use),
        cmocka_unit_test(ipv6_sockets_take_ipv6_only),
        cmocka_unit_test(what_is_not_granted_is_denied),
        cmocka_unit_test(a_connection_refused),
        cmocka_unit_test(a_connect_that_takes_too_long),
        cmocka_unit_test(what_is_accepted_inherits),
        cmocka_unit_test(one_pollable_for_all_clients),
        cmocka_unit_test(a_client_that_died_in_the_queue),
        cmocka_unit_test(options_are_clamped_never_refused),
        cmocka_unit_test(sockets_are_limited),
        cmocka_unit_test(every_error_has_its_code),
        cmocka_unit_test(images_may_keep_a_network_no_socket),
        cmocka_unit_test(a_reset_closes_sockets),
    };
    return cmocka_run_group_tests_name("host/tcp", tests, shared_open, shared_close);
}
