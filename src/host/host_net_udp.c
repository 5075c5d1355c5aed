/* host_net_udp.c - wasi:sockets/udp: sockets, and the pairs of datagram streams over them.
 *
 * Every destination is asked for when something is sent to it. A socket bound as a client (no rule
 * to listen) and one with a peer give the guest only what comes from whom it may send to; the rest
 * is dropped here, some at a time, so that a flood does not hold the worker.
 */
#include "host/net_int.h"

#include <stdlib.h>

#define DATAGRAM_MAX 65536u
#define RECEIVE_BYTES_MAX                                                                          \
    (256u * 1024)          /* of one receive: a guest that asks for many large ones asks again */
#define STRANGERS_MAX 256u /* dropped in one receive */

struct hf_udp_stream;
struct hf_udp {
    struct hf_socket s;
    enum { UDP_UNBOUND, UDP_BINDING, UDP_BOUND } state;
    bool has_peer;
    struct hf_endpoint peer;
    struct hf_udp_stream *in, *out; /* alive, or NULL */
    struct hf_wait ready;           /* always: nothing here takes time */
};
struct hf_udp_stream {
    struct hf_obj obj;
    struct hf_udp *u; /* NULL: orphaned */
    uint64_t permit;  /* out only */
};

static struct hf_udp *udp_of(const struct hf_value *v)
{
    return v->obj;
}

/* ---- socket ---- */

static void udp_destroy(struct hf_obj *obj)
{
    struct hf_udp *u = HF_CONTAINER_OF(obj, struct hf_udp, s.obj);
    hf_wait_done(&u->ready);
    hf_socket_close(&u->s);
}

static enum hf_err create_udp_socket(struct hf_call *call, const struct hf_value *args,
                                     struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_socket *s;
    enum hf_net_code code;
    if (!hf_net_rules_any(hf_guest_net_rules(g), HF_NET_UDP))
        return hf_net_fail(call, NET_ACCESS_DENIED, result);
    if (!hf_socket_new(g, sizeof(struct hf_udp), HF_NET_UDP, args[0].tag == 0 ? HF_IPV4 : HF_IPV6,
                       -1, udp_destroy, &s, &code))
        return hf_net_fail(call, code, result);
    hf_wait_init(&HF_CONTAINER_OF(s, struct hf_udp, s)->ready, true);
    return hf_net_ok_value(call, hf_value_obj(s), result);
}

static enum hf_err start_bind(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    struct hf_udp *u = udp_of(&args[0]);
    struct hf_guest *g = hf_guest_of(call);
    struct hf_endpoint at;
    enum hf_net_code code;
    hf_net_read_endpoint(&args[2], &at);
    if (u->state != UDP_UNBOUND)
        return hf_net_fail(
            call, u->state == UDP_BINDING ? NET_CONCURRENCY_CONFLICT : NET_INVALID_STATE, result);
    if (!hf_socket_bind(g, &u->s, &at, &code))
        return hf_net_fail(call, code, result);
    u->state = UDP_BINDING;
    return hf_net_ok(result);
}

static enum hf_err finish_bind(struct hf_call *call, const struct hf_value *args,
                               struct hf_value *result)
{
    struct hf_udp *u = udp_of(&args[0]);
    if (u->state != UDP_BINDING)
        return hf_net_fail(call, NET_NOT_IN_PROGRESS, result);
    u->state = UDP_BOUND;
    return hf_net_ok(result);
}

static void stream_destroy(struct hf_obj *obj)
{
    struct hf_udp_stream *s = HF_CONTAINER_OF(obj, struct hf_udp_stream, obj);
    if (s->u != NULL && s->u->in == s)
        s->u->in = NULL;
    if (s->u != NULL && s->u->out == s)
        s->u->out = NULL;
}

static void stream_orphan(struct hf_obj *obj)
{
    HF_CONTAINER_OF(obj, struct hf_udp_stream, obj)->u = NULL;
}

static struct hf_udp_stream *stream_new(struct hf_guest *g, struct hf_udp *u, const char *kind)
{
    struct hf_udp_stream *s = hf_obj_new(g, sizeof *s, kind, &u->s.obj, stream_destroy);
    if (s != NULL) {
        s->obj.orphan = stream_orphan;
        s->u = u;
    }
    return s;
}

static enum hf_err udp_stream(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    struct hf_udp *u = udp_of(&args[0]);
    struct hf_guest *g = hf_guest_of(call);
    struct hf_net *net = hf_guest_net_os(g);
    struct hf_endpoint to;
    enum hf_net_code code;
    bool with_peer = args[1].tag == 1;
    if (u->in != NULL || u->out != NULL)
        return hf_call_trap(
            call, "wasi:sockets/udp: udp-socket.stream while the %s of an earlier call is alive",
            u->in != NULL ? u->in->obj.kind : u->out->obj.kind);
    if (u->state != UDP_BOUND)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    if (with_peer) {
        hf_net_read_endpoint(args[1].items, &to);
        if (!hf_socket_may_reach(g, &u->s, &to, &code))
            return hf_net_fail(call, code, result);
    }
    enum hf_net_err err = u->has_peer ? net->connect(net, u->s.fd, NULL) : HF_NET_OK;
    if (err == HF_NET_OK) {
        u->has_peer = false;
        if (with_peer)
            err = net->connect(net, u->s.fd, &to);
    }
    if (err != HF_NET_OK)
        return hf_net_fail(call, hf_net_code(err), result);
    u->has_peer = with_peer;
    if (with_peer)
        u->peer = to;
    u->in = stream_new(g, u, "incoming-datagram-stream");
    u->out = stream_new(g, u, "outgoing-datagram-stream");
    if (u->in == NULL || u->out == NULL)
        return hf_call_limit(call, "host memory for streams");
    const struct hf_value pair[2] = {hf_value_obj(u->in), hf_value_obj(u->out)};
    return hf_net_ok_tuple(call, pair, 2, result);
}

static enum hf_err local_address(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result)
{
    const struct hf_udp *u = udp_of(&args[0]);
    struct hf_net *net = hf_guest_net_os(hf_guest_of(call));
    struct hf_endpoint e;
    if (u->state != UDP_BOUND)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    enum hf_net_err err = net->local(net, u->s.fd, &e);
    return hf_net_say_endpoint(call, err, &e, result);
}

static enum hf_err remote_address(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    const struct hf_udp *u = udp_of(&args[0]);
    if (!u->has_peer)
        return hf_net_fail(call, NET_INVALID_STATE, result);
    return hf_net_say_endpoint(call, HF_NET_OK, &u->peer, result);
}

static enum hf_err address_family(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    (void)call;
    *result = hf_value_case(udp_of(&args[0])->s.family == HF_IPV6, NULL);
    return HF_OK;
}

static enum hf_err subscribe(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    struct hf_udp *u = udp_of(&args[0]);
    result->obj = hf_pollable_new(call, &u->ready, &u->s.obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

/* ---- receiving ---- */

static bool is_welcome(struct hf_guest *g, const struct hf_udp *u, const struct hf_endpoint *from)
{
    if (u->has_peer) /* what came before there was a peer is still in the queue */
        return hf_endpoint_eq(from, &u->peer);
    return u->s.may_listen || hf_guest_may_connect(g, HF_NET_UDP, from);
}

/* record { data, remote-address } */
static bool datagram(struct hf_call *call, const void *bytes, size_t n,
                     const struct hf_endpoint *from, struct hf_value *ret)
{
    struct hf_value *record = hf_call_alloc(call, 2 * sizeof *record);
    uint8_t *copy = hf_call_alloc(call, n + 1);
    if (record == NULL || copy == NULL || !hf_net_write_endpoint(call, from, &record[1]))
        return false;
    memcpy(copy, bytes, n);
    record[0] = hf_value_bytes(hf_view(copy, n));
    *ret = (struct hf_value){.items = record, .len = 2};
    return true;
}

/* Up to `max` datagrams into `list`. */
static enum hf_err receive_some(struct hf_call *call, struct hf_udp *u, uint8_t *buf,
                                struct hf_value *list, uint32_t max, uint32_t *got,
                                enum hf_net_err *err)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_net *net = hf_guest_net_os(g);
    size_t bytes = 0;
    for (uint32_t strangers = 0;
         *got < max && strangers < STRANGERS_MAX && bytes < RECEIVE_BYTES_MAX;) {
        struct hf_endpoint from;
        size_t n;
        *err = net->receive(net, u->s.fd, buf, DATAGRAM_MAX, &n, &from);
        if (*err != HF_NET_OK)
            return HF_OK;
        if (!is_welcome(g, u, &from)) {
            strangers++;
            continue;
        }
        if (!datagram(call, buf, n, &from, &list[*got]))
            return hf_call_limit(call, "memory of a call");
        bytes += n;
        ++*got;
    }
    return HF_OK;
}

static enum hf_err receive(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    struct hf_udp_stream *s = args[0].obj;
    struct hf_udp *u = s->u;
    uint32_t most = hf_net_rules_limits(hf_guest_net_rules(hf_guest_of(call)))->datagrams, got = 0;
    uint32_t max = args[1].u64 < most ? (uint32_t)args[1].u64 : most;
    enum hf_net_err err = HF_NET_OK;
    struct hf_value *list = hf_call_alloc(call, (max + 1) * sizeof *list);
    if (list == NULL)
        return hf_call_limit(call, "memory of a call");
    if (max > 0) {
        struct hf_guest_net *gn = hf_guest_of(call)->net; /* a socket has one */
        if (gn->datagram == NULL && (gn->datagram = malloc(DATAGRAM_MAX)) == NULL)
            return hf_net_fail(call, NET_OUT_OF_MEMORY, result);
        enum hf_err bad = receive_some(call, u, gn->datagram, list, max, &got, &err);
        if (bad != HF_OK)
            return bad;
    }
    if (err == HF_NET_AGAIN)
        (void)!hf_io_fd_arm(u->s.io,
                            HF_OS_IN); /* refused: it stays ready, and the guest asks again */
    else if (err != HF_NET_OK && got == 0)
        return hf_net_fail(call, hf_net_code(err), result);
    return hf_net_ok_value(call, (struct hf_value){.items = list, .len = got}, result);
}

static enum hf_err in_subscribe(struct hf_call *call, const struct hf_value *args,
                                struct hf_value *result)
{
    struct hf_udp_stream *s = args[0].obj;
    result->obj = hf_pollable_new(call, hf_io_fd_look(s->u->s.io, HF_OS_IN), &s->obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

/* ---- sending ---- */

static enum hf_err check_send(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    struct hf_udp_stream *s = args[0].obj;
    s->permit = s->u->s.io->out.ready
                    ? hf_net_rules_limits(hf_guest_net_rules(hf_guest_of(call)))->datagrams
                    : 0;
    return hf_net_ok_value(call, hf_value_u64(s->permit), result);
}

/* HF_NET_OK, AGAIN, or *code says what is wrong. */
static enum hf_net_err send_one(struct hf_guest *g, struct hf_udp *u, const struct hf_value *record,
                                enum hf_net_code *code)
{
    struct hf_net *net = hf_guest_net_os(g);
    const struct hf_value *data = &record[0], *remote = &record[1];
    struct hf_endpoint to = u->peer;
    *code = NET_INVALID_ARGUMENT;
    if (remote->tag == 1)
        hf_net_read_endpoint(remote->items, &to);
    else if (!u->has_peer)
        return HF_NET_INVALID;
    if (u->has_peer && !hf_endpoint_eq(&to, &u->peer))
        return HF_NET_INVALID;
    /* the peer's too: what was granted by a name may be forgotten */
    if (!hf_socket_may_reach(g, &u->s, &to, code))
        return HF_NET_INVALID;
    enum hf_net_err err = net->send(net, u->s.fd, data->bytes, data->len, u->has_peer ? NULL : &to);
    *code = hf_net_code(err);
    return err;
}

static enum hf_err udp_send(struct hf_call *call, const struct hf_value *args,
                            struct hf_value *result)
{
    struct hf_udp_stream *s = args[0].obj;
    struct hf_udp *u = s->u;
    const struct hf_value *list = &args[1];
    enum hf_net_code code = NET_UNKNOWN;
    enum hf_net_err err = HF_NET_OK;
    uint32_t sent = 0;
    if (list->len > s->permit)
        return hf_call_trap(
            call, "wasi:sockets/udp: send of %u datagrams is more than check-send permitted (%llu)",
            list->len, (unsigned long long)s->permit);
    s->permit = 0;
    while (sent < list->len && err == HF_NET_OK) {
        err = send_one(hf_guest_of(call), u, list->items[sent].items, &code);
        sent += err == HF_NET_OK;
    }
    if (err == HF_NET_AGAIN)
        (void)!hf_io_fd_arm(u->s.io, HF_OS_OUT); /* refused: the guest asks again */
    else if (err != HF_NET_OK && sent == 0)
        return hf_net_fail(call, code, result);
    return hf_net_ok_value(call, hf_value_u64(sent), result);
}

static enum hf_err out_subscribe(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result)
{
    struct hf_udp_stream *s = args[0].obj;
    result->obj = hf_pollable_new(call, &s->u->s.io->out, &s->obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static const struct hf_host_resource udp_ops = {"udp-socket", hf_obj_drop};
static const struct hf_host_resource in_ops = {"incoming-datagram-stream", hf_obj_drop};
static const struct hf_host_resource out_ops = {"outgoing-datagram-stream", hf_obj_drop};
static const struct hf_binding udp_table[] = {
    {"[method]udp-socket.start-bind", start_bind},
    {"[method]udp-socket.finish-bind", finish_bind},
    {"[method]udp-socket.stream", udp_stream},
    {"[method]udp-socket.local-address", local_address},
    {"[method]udp-socket.remote-address", remote_address},
    {"[method]udp-socket.address-family", address_family},
    {"[method]udp-socket.subscribe", subscribe},
    {"[method]incoming-datagram-stream.receive", receive},
    {"[method]incoming-datagram-stream.subscribe", in_subscribe},
    {"[method]outgoing-datagram-stream.check-send", check_send},
    {"[method]outgoing-datagram-stream.send", udp_send},
    {"[method]outgoing-datagram-stream.subscribe", out_subscribe},
    {NULL, NULL},
};

enum hf_err hf_host_bind_udp(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err =
        hf_registry_bind_resource(reg, "wasi:sockets/udp", "udp-socket", &udp_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, "wasi:sockets/udp", "incoming-datagram-stream",
                                        &in_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, "wasi:sockets/udp", "outgoing-datagram-stream",
                                        &out_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind(reg, "wasi:sockets/udp-create-socket", "create-udp-socket",
                               create_udp_socket, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:sockets/udp", udp_table, report);
}
