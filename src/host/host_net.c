/* host_net.c - wasi:sockets: the network object, WASI's addresses and errors as values, and what
 * all sockets of a guest have in common.
 */
#include "host/net_int.h"
#include "host/service_int.h"

#include <stdlib.h>

/* ---- a guest's network ---- */

struct hf_guest_net *hf_guest_net(struct hf_guest *g)
{
    if (g->net == NULL)
        g->net = calloc(1, sizeof *g->net);
    return g->net;
}

void hf_guest_net_reset(struct hf_guest *g)
{
    if (g->net != NULL)
        g->net->known = (struct hf_net_known){0};
}

void hf_guest_net_free(struct hf_guest *g)
{
    HF_ASSERT(g->net == NULL || g->net->sockets == 0);
    if (g->net != NULL)
        free(g->net->datagram);
    free(g->net);
    g->net = NULL;
}

struct hf_net *hf_guest_net_os(const struct hf_guest *g)
{
    struct hf_net *net = hf_guest_services(g)->net;
    return net != NULL ? net : hf_net_linux();
}

const struct hf_net_rules *hf_guest_net_rules(const struct hf_guest *g)
{
    return g->worker->svc->net;
}

struct hf_resolver *hf_guest_resolver(const struct hf_guest *g)
{
    return g->worker->resolver;
}

bool hf_guest_may_connect(struct hf_guest *g, enum hf_net_kind kind, const struct hf_endpoint *to)
{
    return hf_net_rules_connect(hf_guest_net_rules(g), g->net == NULL ? NULL : &g->net->known, kind,
                                to);
}

/* ---- values ---- */

enum hf_net_code hf_net_code(enum hf_net_err err)
{
    static const enum hf_net_code codes[HF_NET_ERR_COUNT] = {
        [HF_NET_OK] = NET_UNKNOWN,
        [HF_NET_AGAIN] = NET_WOULD_BLOCK,
        [HF_NET_CLOSED] = NET_CONNECTION_ABORTED,
        [HF_NET_UNKNOWN] = NET_UNKNOWN,
        [HF_NET_DENIED] = NET_ACCESS_DENIED,
        [HF_NET_UNSUPPORTED] = NET_NOT_SUPPORTED,
        [HF_NET_INVALID] = NET_INVALID_ARGUMENT,
        [HF_NET_MEMORY] = NET_OUT_OF_MEMORY,
        [HF_NET_TIMEOUT] = NET_TIMEOUT,
        [HF_NET_LIMIT] = NET_NEW_SOCKET_LIMIT,
        [HF_NET_NOT_BINDABLE] = NET_ADDRESS_NOT_BINDABLE,
        [HF_NET_IN_USE] = NET_ADDRESS_IN_USE,
        [HF_NET_UNREACHABLE] = NET_REMOTE_UNREACHABLE,
        [HF_NET_REFUSED] = NET_CONNECTION_REFUSED,
        [HF_NET_RESET] = NET_CONNECTION_RESET,
        [HF_NET_ABORTED] = NET_CONNECTION_ABORTED,
        [HF_NET_TOO_LARGE] = NET_DATAGRAM_TOO_LARGE,
        [HF_NET_NO_NAME] = NET_NAME_UNRESOLVABLE,
        [HF_NET_TRY_LATER] = NET_TEMPORARY_RESOLVER_FAILURE,
        [HF_NET_NEVER] = NET_PERMANENT_RESOLVER_FAILURE,
    };
    return codes[err];
}

enum hf_err hf_net_fail(struct hf_call *call, enum hf_net_code code, struct hf_value *result)
{
    return hf_host_case(call, 1, hf_value_case(code, NULL), result);
}

enum hf_err hf_net_ok(struct hf_value *result)
{
    *result = hf_value_case(0, NULL);
    return HF_OK;
}

enum hf_err hf_net_ok_value(struct hf_call *call, struct hf_value v, struct hf_value *result)
{
    return hf_host_case(call, 0, v, result);
}

enum hf_err hf_net_ok_tuple(struct hf_call *call, const struct hf_value *v, uint32_t n,
                            struct hf_value *result)
{
    struct hf_value *copy = hf_call_alloc(call, n * sizeof *copy);
    if (copy == NULL)
        return hf_call_limit(call, "memory of a call");
    memcpy(copy, v, n * sizeof *copy);
    return hf_host_case(call, 0, (struct hf_value){.items = copy, .len = n}, result);
}

void hf_net_read_endpoint(const struct hf_value *v, struct hf_endpoint *ret)
{
    const struct hf_value *record = v->items->items;
    *ret = (struct hf_endpoint){.port = (uint16_t)record[0].u64};
    if (v->tag == 0) {
        ret->ip.family = HF_IPV4;
        for (unsigned i = 0; i < 4; i++)
            ret->ip.bytes[i] = (uint8_t)record[1].items[i].u64;
        return;
    }
    ret->ip.family = HF_IPV6;
    ret->flow = (uint32_t)record[1].u64;
    ret->scope = (uint32_t)record[3].u64;
    for (unsigned i = 0; i < 8; i++) {
        ret->ip.bytes[2 * i] = (uint8_t)(record[2].items[i].u64 >> 8);
        ret->ip.bytes[2 * i + 1] = (uint8_t)record[2].items[i].u64;
    }
}

/* The tuple of an address; `to` has room for eight values. */
static struct hf_value tuple_of(const struct hf_ip *ip, struct hf_value *to)
{
    uint32_t n = ip->family == HF_IPV6 ? 8 : 4;
    for (uint32_t i = 0; i < n; i++)
        to[i] = hf_value_u64(n == 4 ? ip->bytes[i]
                                    : (unsigned)ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1]);
    return (struct hf_value){.items = to, .len = n};
}

bool hf_net_write_ip(struct hf_call *call, const struct hf_ip *ip, struct hf_value *ret)
{
    struct hf_value *v = hf_call_alloc(call, 9 * sizeof *v);
    if (v == NULL)
        return false;
    v[0] = tuple_of(ip, &v[1]);
    *ret = hf_value_case(ip->family == HF_IPV6, &v[0]);
    return true;
}

bool hf_net_write_endpoint(struct hf_call *call, const struct hf_endpoint *e, struct hf_value *ret)
{
    struct hf_value *v = hf_call_alloc(call, 13 * sizeof *v);
    if (v == NULL)
        return false;
    struct hf_value *record = &v[1], tuple = tuple_of(&e->ip, &v[5]);
    record[0] = hf_value_u64(e->port);
    if (e->ip.family == HF_IPV6) {
        record[1] = hf_value_u64(e->flow);
        record[2] = tuple;
        record[3] = hf_value_u64(e->scope);
    } else {
        record[1] = tuple;
    }
    v[0] = (struct hf_value){.items = record, .len = e->ip.family == HF_IPV6 ? 4 : 2};
    *ret = hf_value_case(e->ip.family == HF_IPV6, &v[0]);
    return true;
}

enum hf_err hf_net_say_endpoint(struct hf_call *call, enum hf_net_err err,
                                const struct hf_endpoint *e, struct hf_value *result)
{
    struct hf_value v;
    if (err != HF_NET_OK)
        return hf_net_fail(call, hf_net_code(err), result);
    if (!hf_net_write_endpoint(call, e, &v))
        return hf_call_limit(call, "memory of a call");
    return hf_net_ok_value(call, v, result);
}

/* ---- sockets ---- */

bool hf_socket_room(struct hf_guest *g)
{
    struct hf_guest_net *n = hf_guest_net(g);
    return n != NULL && n->sockets < hf_net_rules_limits(hf_guest_net_rules(g))->sockets;
}

bool hf_socket_new(struct hf_guest *g, size_t size, enum hf_net_kind kind, int family, int fd,
                   void (*destroy)(struct hf_obj *), struct hf_socket **ret, enum hf_net_code *code)
{
    struct hf_net *net = hf_guest_net_os(g);
    struct hf_io_fd *io = NULL;
    struct hf_socket *s = NULL;
    enum hf_net_err err = hf_socket_room(g) ? HF_NET_OK : HF_NET_LIMIT;
    if (err == HF_NET_OK && fd < 0)
        err = net->open(net, kind, family, &fd);
    if (err == HF_NET_OK && hf_io_fd_new(hf_guest_io(g), fd, &io) != HF_OK)
        err = HF_NET_MEMORY;
    if (err == HF_NET_OK) {
        s = hf_obj_new(g, size, kind == HF_NET_TCP ? "tcp-socket" : "udp-socket", NULL, destroy);
        err = s == NULL ? HF_NET_MEMORY : HF_NET_OK;
    }
    if (err != HF_NET_OK) {
        hf_io_fd_free(io);
        if (fd >= 0)
            net->close(net, fd);
        *code = hf_net_code(err);
        return false;
    }
    s->kind = kind;
    s->family = family;
    s->fd = fd;
    s->io = io;
    g->net->sockets++;
    *ret = s;
    return true;
}

void hf_socket_close(struct hf_socket *s)
{
    struct hf_guest *g = s->obj.guest;
    struct hf_net *net = hf_guest_net_os(g);
    hf_io_fd_free(s->io);
    net->close(net, s->fd);
    g->net->sockets--;
}

bool hf_socket_fits(const struct hf_socket *s, const struct hf_endpoint *e)
{
    return e->ip.family == s->family && !hf_ip_is_mapped(&e->ip);
}

bool hf_socket_bind(struct hf_guest *g, struct hf_socket *s, const struct hf_endpoint *at,
                    enum hf_net_code *code)
{
    const struct hf_net_rules *rules = hf_guest_net_rules(g);
    struct hf_net *net = hf_guest_net_os(g);
    *code = NET_INVALID_ARGUMENT;
    if (!hf_socket_fits(s, at) || (s->kind == HF_NET_TCP && hf_ip_is_multicast(&at->ip)))
        return false;
    *code = NET_ACCESS_DENIED;
    bool may_listen = hf_net_rules_listen(rules, s->kind, at);
    if (!may_listen && !(at->port == 0 && hf_net_rules_client(rules, s->kind)))
        return false;
    enum hf_net_err err = net->bind(net, s->fd, at);
    if (err != HF_NET_OK) {
        *code = hf_net_code(err);
        return false;
    }
    s->may_listen = may_listen;
    return true;
}

bool hf_socket_may_reach(struct hf_guest *g, const struct hf_socket *s, const struct hf_endpoint *to,
                         enum hf_net_code *code)
{
    *code = NET_INVALID_ARGUMENT;
    if (!hf_socket_fits(s, to) || hf_ip_is_any(&to->ip) || to->port == 0 ||
        (s->kind == HF_NET_TCP && hf_ip_is_multicast(&to->ip)))
        return false;
    *code = NET_ACCESS_DENIED;
    return hf_guest_may_connect(g, s->kind, to);
}

/* ---- the network ---- There is one, whose rules are the service's; its objects carry nothing. */

static enum hf_err instance_network(struct hf_call *call, const struct hf_value *args,
                                    struct hf_value *result)
{
    (void)args;
    result->obj = hf_obj_new(hf_guest_of(call), sizeof(struct hf_obj), "network", NULL, NULL);
    return result->obj == NULL ? hf_call_limit(call, "host memory for resources") : HF_OK;
}

static const struct hf_host_resource network_ops = {"network", hf_obj_drop};

enum hf_err hf_host_bind_net(struct hf_registry *reg, struct hf_report *report)
{
    static enum hf_err (*const bind[])(struct hf_registry *, struct hf_report *) = {
        hf_host_bind_tcp, hf_host_bind_tcp_options, hf_host_bind_udp, hf_host_bind_lookup};
    enum hf_err err =
        hf_registry_bind_resource(reg, "wasi:sockets/network", "network", &network_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind(reg, "wasi:sockets/instance-network", "instance-network",
                               instance_network, report);
    for (size_t i = 0; i < HF_ARRAY_LEN(bind) && err == HF_OK; i++)
        err = bind[i](reg, report);
    return err;
}
