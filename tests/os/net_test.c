/* net_test.c - guests' sockets by system calls, on loopback: each verb, and the errors that the
 * system can be brought to give.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/net.h"

static struct hf_endpoint loopback(int family, uint16_t port)
{
    struct hf_endpoint e = {.port = port};
    assert_true(hf_ip_parse(hf_view_of(family == 6 ? "::1" : "127.0.0.1"), &e.ip));
    return e;
}

static int opened(struct hf_net *net, enum hf_net_kind kind, int family)
{
    int fd = -1;
    assert_int_equal(net->open(net, kind, family, &fd), HF_NET_OK);
    return fd;
}

static void until(int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};
    assert_int_equal(poll(&p, 1, 10000), 1);
}

static void tcp_from_open_to_close(void **state)
{
    struct hf_net *net = hf_net_linux();
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct hf_endpoint at = loopback(family, 0), got;
        char buf[8];
        size_t n;
        int server = opened(net, HF_NET_TCP, family), client = opened(net, HF_NET_TCP, family),
            peer = -1;
        assert_int_equal(net->bind(net, server, &at), HF_NET_OK);
        assert_int_equal(net->listen(net, server, 4), HF_NET_OK);
        assert_int_equal(net->accept(net, server, &peer), HF_NET_AGAIN);
        assert_int_equal(net->local(net, server, &at), HF_NET_OK);
        assert_int_not_equal(at.port, 0);
        assert_int_not_equal(net->remote(net, server, &got), HF_NET_OK);
        enum hf_net_err err = net->connect(net, client, &at);
        assert_true(err == HF_NET_OK || err == HF_NET_AGAIN);
        until(client, POLLOUT);
        assert_int_equal(net->connect_result(net, client), HF_NET_OK);
        until(server, POLLIN);
        assert_int_equal(net->accept(net, server, &peer), HF_NET_OK);
        assert_int_equal(net->remote(net, client, &got), HF_NET_OK);
        assert_true(hf_endpoint_eq(&got, &at));
        assert_int_equal(net->local(net, client, &at), HF_NET_OK);
        assert_int_equal(net->remote(net, peer, &got), HF_NET_OK);
        assert_true(hf_endpoint_eq(&got, &at));
        assert_int_equal(net->read(net, peer, buf, sizeof buf, &n), HF_NET_AGAIN);
        assert_int_equal(net->write(net, client, "abc", 3, &n), HF_NET_OK);
        assert_int_equal(n, 3);
        until(peer, POLLIN);
        assert_int_equal(net->read(net, peer, buf, sizeof buf, &n), HF_NET_OK);
        assert_int_equal(n, 3);
        assert_int_equal(net->shutdown(net, client, false, true), HF_NET_OK);
        until(peer, POLLIN);
        assert_int_equal(net->read(net, peer, buf, sizeof buf, &n), HF_NET_CLOSED);
        assert_int_equal(net->write(net, client, "x", 1, &n), HF_NET_CLOSED); /* and no signal */
        net->close(net, peer);
        net->close(net, client);
        net->close(net, server);
    }
}

static void udp_from_open_to_close(void **state)
{
    struct hf_net *net = hf_net_linux();
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct hf_endpoint a_at = loopback(family, 0), b_at = a_at, from;
        char buf[8], *big = calloc(1, 70000);
        size_t n;
        int a = opened(net, HF_NET_UDP, family), b = opened(net, HF_NET_UDP, family);
        assert_int_equal(net->bind(net, a, &a_at), HF_NET_OK);
        assert_int_equal(net->bind(net, b, &b_at), HF_NET_OK);
        assert_int_equal(net->local(net, a, &a_at), HF_NET_OK);
        assert_int_equal(net->local(net, b, &b_at), HF_NET_OK);
        assert_int_equal(net->receive(net, b, buf, sizeof buf, &n, &from), HF_NET_AGAIN);
        assert_int_equal(net->send(net, a, "hello", 5, &b_at), HF_NET_OK);
        assert_int_equal(net->receive(net, b, buf, sizeof buf, &n, &from), HF_NET_OK);
        assert_true(n == 5 && hf_endpoint_eq(&from, &a_at));
        assert_int_equal(net->send(net, a, NULL, 0, &b_at), HF_NET_OK);
        assert_int_equal(net->receive(net, b, buf, sizeof buf, &n, &from), HF_NET_OK);
        assert_int_equal(n, 0);
        assert_int_equal(net->send(net, a, big, 70000, &b_at), HF_NET_TOO_LARGE);
        assert_int_equal(net->connect(net, a, &b_at), HF_NET_OK);
        assert_int_equal(net->remote(net, a, &from), HF_NET_OK);
        assert_true(hf_endpoint_eq(&from, &b_at));
        assert_int_equal(net->send(net, a, "x", 1, NULL), HF_NET_OK);
        net->close(net, b);
        assert_int_equal(net->send(net, a, "x", 1, NULL), HF_NET_OK);
        until(a, POLLERR);
        assert_int_equal(net->receive(net, a, buf, sizeof buf, &n, &from), HF_NET_REFUSED);
        assert_int_equal(net->connect(net, a, NULL), HF_NET_OK);
        assert_int_not_equal(net->remote(net, a, &from), HF_NET_OK);
        net->close(net, a);
        free(big);
    }
}

static void errors_have_names(void **state)
{
    struct hf_net *net = hf_net_linux();
    struct hf_endpoint at = loopback(4, 0), elsewhere = at;
    int a = opened(net, HF_NET_TCP, 4), b = opened(net, HF_NET_TCP, 4),
        c = opened(net, HF_NET_TCP, 4), got;
    (void)state;
    assert_true(hf_ip_parse(HF_VIEW("192.0.2.1"), &elsewhere.ip));
    assert_int_equal(net->bind(net, a, &elsewhere), HF_NET_NOT_BINDABLE);
    assert_int_equal(net->bind(net, a, &at), HF_NET_OK);
    assert_int_equal(net->listen(net, a, 1), HF_NET_OK);
    assert_int_equal(net->local(net, a, &at), HF_NET_OK);
    assert_int_equal(net->bind(net, b, &at), HF_NET_IN_USE);
    net->close(net, a);
    enum hf_net_err err = net->connect(net, c, &at);
    if (err == HF_NET_AGAIN) {
        until(c, POLLOUT);
        err = net->connect_result(net, c);
    }
    assert_int_equal(err, HF_NET_REFUSED);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    err = net->open(net, HF_NET_TCP, 4, &got);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, HF_NET_LIMIT);
    net->close(net, b);
    net->close(net, c);
    for (int i = 0; i < HF_NET_ERR_COUNT; i++)
        assert_true(hf_net_err_text((enum hf_net_err)i)[0] != 0);
    assert_string_equal(hf_net_err_text(HF_NET_ERR_COUNT), "?");
}

static void a_reset_is_told(void **state)
{
    struct hf_net *net = hf_net_linux();
    struct hf_endpoint at = loopback(6, 0);
    const struct linger at_once = {.l_onoff = 1};
    char buf[4];
    size_t n;
    int server = opened(net, HF_NET_TCP, 6), client = opened(net, HF_NET_TCP, 6), peer = -1;
    (void)state;
    assert_int_equal(net->bind(net, server, &at), HF_NET_OK);
    assert_int_equal(net->listen(net, server, 1), HF_NET_OK);
    assert_int_equal(net->local(net, server, &at), HF_NET_OK);
    (void)!net->connect(net, client, &at);
    until(server, POLLIN);
    assert_int_equal(net->accept(net, server, &peer), HF_NET_OK);
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    net->close(net, peer);
    until(client, POLLIN);
    assert_int_equal(net->read(net, client, buf, sizeof buf, &n), HF_NET_RESET);
    assert_int_equal(net->shutdown(net, client, true, true), HF_NET_OK); /* the peer was faster */
    net->close(net, client);
    net->close(net, server);
}

static void options_are_moved_into_range(void **state)
{
    static const struct {
        enum hf_net_opt opt;
        uint64_t set, get;
    } t[] = {{HF_NET_KEEPALIVE, 1, 1},
             {HF_NET_KEEPALIVE, 0, 0},
             {HF_NET_KEEPALIVE, 7, 1},
             {HF_NET_KEEP_IDLE, 77, 77},
             {HF_NET_KEEP_IDLE, UINT64_MAX, 32767},
             {HF_NET_KEEP_INTERVAL, 5, 5},
             {HF_NET_KEEP_INTERVAL, 0, 1},
             {HF_NET_KEEP_COUNT, 3, 3},
             {HF_NET_KEEP_COUNT, 1000, 127},
             {HF_NET_HOPS, 33, 33},
             {HF_NET_HOPS, 256, 255},
             {HF_NET_RECEIVE_BUFFER, 30000, 30000},
             {HF_NET_SEND_BUFFER, 40000, 40000}};
    struct hf_net *net = hf_net_linux();
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        int fd = opened(net, HF_NET_TCP, family);
        uint64_t n;
        for (size_t i = 0; i < HF_ARRAY_LEN(t); i++) {
            assert_int_equal(net->set(net, fd, family, t[i].opt, t[i].set), HF_NET_OK);
            assert_int_equal(net->get(net, fd, family, t[i].opt, &n), HF_NET_OK);
            assert_int_equal(n, t[i].get);
        }
        assert_int_equal(net->set(net, fd, family, HF_NET_SEND_BUFFER, UINT64_MAX), HF_NET_OK);
        net->close(net, fd);
    }
}

/* The one name that every machine answers from its own files. */
static void localhost_is_found(void **state)
{
    struct hf_net *net = hf_net_linux();
    struct hf_ip found[8];
    size_t n = 99;
    (void)state;
    assert_int_equal(net->lookup(net, "localhost", found, 8, &n), HF_NET_OK);
    assert_true(n >= 1 && n <= 8);
    for (size_t i = 0; i < n; i++) {
        assert_true(hf_ip_is_loopback(&found[i]));
        for (size_t j = 0; j < i; j++)
            assert_false(hf_ip_eq(&found[i], &found[j]));
    }
    assert_int_equal(net->lookup(net, "localhost", found, 1, &n), HF_NET_OK);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_from_open_to_close),
        cmocka_unit_test(udp_from_open_to_close),
        cmocka_unit_test(errors_have_names),
        cmocka_unit_test(a_reset_is_told),
        cmocka_unit_test(options_are_moved_into_range),
        cmocka_unit_test(localhost_is_found),
    };
    return cmocka_run_group_tests_name("os/net", tests, NULL, NULL);
}
