/* host_net_tcp.c - wasi:sockets/tcp: the states of a socket, from made to connected or listening.
 * (Its streams: host_net_stream.c; its options: host_net_opt.c.)
 *
 * Binding and listening are done in start-*, and finish-* says so; connecting waits. A method in
 * the wrong state changes nothing; a start-connect or start-listen that fails closes the socket, as
 * a failed finish does (the operational semantics beside the WIT of wasi:sockets 0.2).
 */
#include "host/net_int.h"

#define BACKLOG     128
#define BACKLOG_MAX 4096u

static struct hf_tcp *tcp_of(const struct hf_value *v)
{
    return v->obj;
}

/* ---- life ---- */

static void tcp_destroy(struct hf_obj *obj)
{
    struct hf_tcp *t = HF_CONTAINER_OF(obj, struct hf_tcp, s.obj);
    if (t->state == TCP_CONNECTED)
        hf_tcp_push(t); /* what is still pending is lost: who wants it sent flushes first */
    hf_waitset_unpark(&t->set);
    hf_waiter_disarm(&t->waiter);
    hf_wait_done(&t->ready);
    hf_wait_done(&t->can_write);
    hf_buf_done(&t->pending);
    hf_socket_close(&t->s);
}

/* The one side that was watched has news. */
static void on_news(struct hf_waitset *set)
{
    struct hf_tcp *t = HF_CONTAINER_OF(set, struct hf_tcp, set);
    if (t->state == TCP_CONNECTED)
        hf_tcp_push(t);
    else
        hf_wait_set(&t->ready, true);
}

bool hf_tcp_watch(struct hf_tcp *t, uint32_t side)
{
    hf_waitset_unpark(&t->set);
    hf_waiter_disarm(&t->waiter);
    if (hf_io_fd_arm(t->s.io, side) != HF_OK || t->s.io->never_waits)
        return false;
    hf_waiter_arm(&t->waiter, side == HF_OS_IN ? &t->s.io->in : &t->s.io->out, &t->set);
    return hf_waitset_park(&t->set, false);
}

/* Not ready until there is news of `side`. */
static void wait_for(struct hf_tcp *t, uint32_t side)
{
    hf_wait_set(&t->ready, false);
    if (!hf_tcp_watch(t, side))
        hf_wait_set(&t->ready, true); /* the guest's next call asks the system */
}

static bool tcp_new(struct hf_guest *g, int family, int fd, struct hf_tcp **ret,
                    enum hf_net_code *code)
{
    struct hf_socket *s;
    if (!hf_socket_new(g, sizeof(struct hf_tcp), HF_NET_TCP, family, fd, tcp_destroy, &s, code))
        return false;
    struct hf_tcp *t = HF_CONTAINER_OF(s, struct hf_tcp, s);
    t->backlog = BACKLOG;
    hf_wait_init(&t->ready, true);
    hf_wait_init(&t->can_write, true);
    hf_waitset_init(&t->set, on_news);
    *ret = t;
    return true;
}

static enum hf_err create_tcp_socket(struct hf_call *call, const struct hf_value *args,
                                     struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_tcp *t;
    enum hf_net_code code;
    if (!hf_net_rules_any(hf_guest_net_rules(g), HF_NET_TCP))
        return hf_net_fail(call, NET_ACCESS_DENIED, result);
    if (!tcp_new(g, args[0].tag == 0 ? HF_IPV4 : HF_IPV6, -1, &t, &code))
        return hf_net_fail(call, code, result);
    return hf_net_ok_value(call, hf_value_obj(t), result);
}

/* ---- bind ---- */

static bool in_progress(const struct hf_tcp *t)
{
    return t->state == TCP_BINDING || t->state == TCP_STARTING || t->state == TCP_CONNECTING;
}

static enum hf_err wrong_state(struct hf_call *call, const struct hf_tcp *t,
                               struct hf_value *result)
{
    return hf_net_fail(call, in_progress(t) ? NET_CONCURRENCY_CONFLICT : NET_INVALID_STATE, result);
}

static enum hf_err start_bind(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    struct hf_guest *g = hf_guest_of(call);
    struct hf_endpoint at;
    enum hf_net_code code;
    hf_net_read_endpoint(&args[2], &at);
    if (t->state != TCP_UNBOUND)
        return wrong_state(call, t, result);
    if (!hf_socket_bind(g, &t->s, &at, &code))
        return hf_net_fail(call, code, result);
    t->state = TCP_BINDING;
    return hf_net_ok(result);
}

static enum hf_err finish_bind(struct hf_call *call, const struct hf_value *args,
                               struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    if (t->state != TCP_BINDING)
        return hf_net_fail(call, NET_NOT_IN_PROGRESS, result);
    t->state = TCP_BOUND;
    return hf_net_ok(result);
}

/* ---- connect ---- */

static enum hf_err close_with(struct hf_call *call, struct hf_tcp *t, enum hf_net_code code,
                              struct hf_value *result)
{
    t->state = TCP_CLOSED;
    hf_wait_set(&t->ready, true);
    return hf_net_fail(call, code, result);
}

static enum hf_err start_connect(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    struct hf_guest *g = hf_guest_of(call);
    struct hf_net *net = hf_guest_net_os(g);
    struct hf_endpoint to;
    hf_net_read_endpoint(&args[2], &to);
    if (t->state != TCP_UNBOUND && t->state != TCP_BOUND)
        return wrong_state(call, t, result);
    enum hf_net_code code;
    if (!hf_socket_may_reach(g, &t->s, &to, &code))
        return close_with(call, t, code, result);
    enum hf_net_err err = net->connect(net, t->s.fd, &to);
    if (err != HF_NET_OK && err != HF_NET_AGAIN)
        return close_with(call, t, hf_net_code(err), result);
    t->state = TCP_CONNECTING;
    t->peer = to;
    if (err == HF_NET_AGAIN)
        wait_for(t, HF_OS_OUT);
    return hf_net_ok(result);
}

static enum hf_err give_streams(struct hf_call *call, struct hf_tcp *t, struct hf_value *v,
                                uint32_t n, struct hf_value *result)
{
    if (!hf_tcp_streams(hf_guest_of(call), t, &v[n - 2]))
        return hf_call_limit(call, "host memory for streams");
    return hf_net_ok_tuple(call, v, n, result);
}

static enum hf_err finish_connect(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    struct hf_net *net = hf_guest_net_os(hf_guest_of(call));
    struct hf_value v[2];
    if (t->state != TCP_CONNECTING)
        return hf_net_fail(call, NET_NOT_IN_PROGRESS, result);
    enum hf_net_err err = net->connect_result(net, t->s.fd);
    if (err == HF_NET_AGAIN) {
        wait_for(t, HF_OS_OUT);
        return hf_net_fail(call, NET_WOULD_BLOCK, result);
    }
    hf_waitset_unpark(&t->set);
    hf_waiter_disarm(&t->waiter);
    if (err != HF_NET_OK)
        return close_with(call, t, hf_net_code(err), result);
    t->state = TCP_CONNECTED;
    hf_wait_set(&t->ready, true);
    return give_streams(call, t, v, 2, result);
}

/* ---- listen, accept ---- */

static enum hf_err start_listen(struct hf_call *call, const struct hf_value *args,
                                struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    struct hf_net *net = hf_guest_net_os(hf_guest_of(call));
    if (t->state != TCP_BOUND)
        return wrong_state(call, t, result);
    if (!t->s.may_listen)
        return close_with(call, t, NET_ACCESS_DENIED, result);
    enum hf_net_err err = net->listen(net, t->s.fd, t->backlog);
    if (err != HF_NET_OK)
        return close_with(call, t, hf_net_code(err), result);
    t->state = TCP_STARTING;
    return hf_net_ok(result);
}

/* Is a client waiting? A pollable must not say so when none is. */
static void look_for_clients(struct hf_tcp *t)
{
    if (t->state != TCP_LISTENING || !t->ready.ready)
        return;
    if (!hf_io_fd_look(t->s.io, HF_OS_IN)->ready)
        wait_for(t, HF_OS_IN);
}

static enum hf_err finish_listen(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    if (t->state != TCP_STARTING)
        return hf_net_fail(call, NET_NOT_IN_PROGRESS, result);
    t->state = TCP_LISTENING;
    look_for_clients(t);
    return hf_net_ok(result);
}

static enum hf_err accept_one(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]), *client;
    struct hf_guest *g = hf_guest_of(call);
    struct hf_net *net = hf_guest_net_os(g);
    struct hf_value v[3];
    enum hf_net_code code;
    struct hf_endpoint peer;
    int fd;
    if (t->state != TCP_LISTENING)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    if (!hf_socket_room(g)) /* whoever waits goes on waiting */
        return hf_net_fail(call, NET_NEW_SOCKET_LIMIT, result);
    enum hf_net_err err = net->accept(net, t->s.fd, &fd, &peer);
    if (err == HF_NET_AGAIN)
        wait_for(t, HF_OS_IN);
    if (err != HF_NET_OK)
        return hf_net_fail(call, hf_net_code(err), result);
    if (!tcp_new(g, t->s.family, fd, &client, &code))
        return hf_net_fail(call, code, result);
    client->state = TCP_CONNECTED;
    client->peer = peer;
    look_for_clients(t);
    v[0] = hf_value_obj(client);
    return give_streams(call, client, v, 3, result);
}

static enum hf_err set_backlog(struct hf_call *call, const struct hf_value *args,
                               struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    struct hf_net *net = hf_guest_net_os(hf_guest_of(call));
    if (t->state == TCP_CONNECTING || t->state == TCP_CONNECTED || t->state == TCP_CLOSED)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    if (args[1].u64 == 0)
        return hf_net_fail(call, NET_INVALID_ARGUMENT, result);
    t->backlog = args[1].u64 > BACKLOG_MAX ? (int)BACKLOG_MAX : (int)args[1].u64;
    enum hf_net_err err = HF_NET_OK;
    if (t->state == TCP_STARTING || t->state == TCP_LISTENING)
        err = net->listen(net, t->s.fd, t->backlog);
    return err == HF_NET_OK ? hf_net_ok(result) : hf_net_fail(call, hf_net_code(err), result);
}

/* ---- what it is ---- */

static enum hf_err local_address(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result)
{
    const struct hf_tcp *t = tcp_of(&args[0]);
    struct hf_net *net = hf_guest_net_os(hf_guest_of(call));
    struct hf_endpoint e;
    if (t->state == TCP_UNBOUND || t->state == TCP_BINDING || t->state == TCP_CLOSED)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    enum hf_net_err err = net->local(net, t->s.fd, &e);
    return hf_net_say_endpoint(call, err, &e, result);
}

/* Also of a connection that has ended: it is still `connected` here, and libraries take another
 * answer for their own mistake. */
static enum hf_err remote_address(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    const struct hf_tcp *t = tcp_of(&args[0]);
    if (t->state != TCP_CONNECTED)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    return hf_net_say_endpoint(call, HF_NET_OK, &t->peer, result);
}

static enum hf_err is_listening(struct hf_call *call, const struct hf_value *args,
                                struct hf_value *result)
{
    (void)call;
    result->u64 = tcp_of(&args[0])->state == TCP_LISTENING;
    return HF_OK;
}

static enum hf_err address_family(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    (void)call;
    *result = hf_value_case(tcp_of(&args[0])->s.family == HF_IPV6, NULL);
    return HF_OK;
}

static enum hf_err subscribe(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    struct hf_tcp *t = tcp_of(&args[0]);
    look_for_clients(t);
    result->obj = hf_pollable_new(call, &t->ready, &t->s.obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static enum hf_err shut(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    enum { RECEIVE, SEND }; /* BOTH is the third */
    struct hf_tcp *t = tcp_of(&args[0]);
    if (t->state != TCP_CONNECTED)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    enum hf_net_err err = hf_tcp_shutdown(t, args[1].tag != SEND, args[1].tag != RECEIVE);
    return err == HF_NET_OK ? hf_net_ok(result) : hf_net_fail(call, hf_net_code(err), result);
}

static const struct hf_host_resource tcp_ops = {"tcp-socket", hf_obj_drop};
static const struct hf_binding tcp_table[] = {
    {"[method]tcp-socket.start-bind", start_bind},
    {"[method]tcp-socket.finish-bind", finish_bind},
    {"[method]tcp-socket.start-connect", start_connect},
    {"[method]tcp-socket.finish-connect", finish_connect},
    {"[method]tcp-socket.start-listen", start_listen},
    {"[method]tcp-socket.finish-listen", finish_listen},
    {"[method]tcp-socket.accept", accept_one},
    {"[method]tcp-socket.local-address", local_address},
    {"[method]tcp-socket.remote-address", remote_address},
    {"[method]tcp-socket.is-listening", is_listening},
    {"[method]tcp-socket.address-family", address_family},
    {"[method]tcp-socket.set-listen-backlog-size", set_backlog},
    {"[method]tcp-socket.subscribe", subscribe},
    {"[method]tcp-socket.shutdown", shut},
    {NULL, NULL},
};

enum hf_err hf_host_bind_tcp(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err =
        hf_registry_bind_resource(reg, "wasi:sockets/tcp", "tcp-socket", &tcp_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind(reg, "wasi:sockets/tcp-create-socket", "create-tcp-socket",
                               create_tcp_socket, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:sockets/tcp", tcp_table, report);
}
