/* host_net_opt.c - options of TCP and UDP sockets: keep-alive, hop limit, buffer sizes.
 *
 * The system keeps them; what it does not take is moved to the nearest it does, as the WIT allows.
 * 0 is refused everywhere, and a closed socket has none.
 */
#include "host/net_int.h"

#define NS_PER_S 1000000000u

static bool is_closed(struct hf_socket *s)
{
    return s->kind == HF_NET_TCP && HF_CONTAINER_OF(s, struct hf_tcp, s)->state == TCP_CLOSED;
}

static enum hf_err get(struct hf_call *call, const struct hf_value *args, enum hf_net_opt opt,
                       uint64_t unit, struct hf_value *result)
{
    struct hf_socket *s = args[0].obj;
    struct hf_net *net = hf_guest_net_os(hf_guest_of(call));
    uint64_t n = 0;
    if (is_closed(s))
        return hf_net_fail(call, NET_INVALID_STATE, result);
    enum hf_net_err err = net->get(net, s->fd, s->family, opt, &n);
    if (err != HF_NET_OK)
        return hf_net_fail(call, hf_net_code(err), result);
    return hf_net_ok_value(call, hf_value_u64(n * unit), result);
}

static enum hf_err set(struct hf_call *call, const struct hf_value *args, enum hf_net_opt opt,
                       uint64_t unit, struct hf_value *result)
{
    struct hf_socket *s = args[0].obj;
    struct hf_net *net = hf_guest_net_os(hf_guest_of(call));
    uint64_t n = args[1].u64 / unit + (args[1].u64 % unit != 0); /* rounded up: never to 0 */
    if (is_closed(s))
        return hf_net_fail(call, NET_INVALID_STATE, result);
    if (n == 0 && opt != HF_NET_KEEPALIVE)
        return hf_net_fail(call, NET_INVALID_ARGUMENT, result);
    uint32_t most = hf_net_rules_limits(hf_guest_net_rules(hf_guest_of(call)))->buffer;
    if ((opt == HF_NET_RECEIVE_BUFFER || opt == HF_NET_SEND_BUFFER) && n > most)
        n = most;
    enum hf_net_err err = net->set(net, s->fd, s->family, opt, n);
    return err == HF_NET_OK ? hf_net_ok(result) : hf_net_fail(call, hf_net_code(err), result);
}

#define OPTION(name, opt, unit)                                                                    \
    static enum hf_err name##_get(struct hf_call *call, const struct hf_value *args,               \
                                  struct hf_value *result)                                         \
    {                                                                                              \
        return get(call, args, opt, unit, result);                                                 \
    }                                                                                              \
    static enum hf_err name##_set(struct hf_call *call, const struct hf_value *args,               \
                                  struct hf_value *result)                                         \
    {                                                                                              \
        return set(call, args, opt, unit, result);                                                 \
    }
OPTION(enabled, HF_NET_KEEPALIVE, 1)
OPTION(idle, HF_NET_KEEP_IDLE, NS_PER_S)
OPTION(interval, HF_NET_KEEP_INTERVAL, NS_PER_S)
OPTION(count, HF_NET_KEEP_COUNT, 1)
OPTION(hops, HF_NET_HOPS, 1)
OPTION(receive_buffer, HF_NET_RECEIVE_BUFFER, 1)
OPTION(send_buffer, HF_NET_SEND_BUFFER, 1)

static const struct hf_binding tcp_table[] = {
    {"[method]tcp-socket.keep-alive-enabled", enabled_get},
    {"[method]tcp-socket.set-keep-alive-enabled", enabled_set},
    {"[method]tcp-socket.keep-alive-idle-time", idle_get},
    {"[method]tcp-socket.set-keep-alive-idle-time", idle_set},
    {"[method]tcp-socket.keep-alive-interval", interval_get},
    {"[method]tcp-socket.set-keep-alive-interval", interval_set},
    {"[method]tcp-socket.keep-alive-count", count_get},
    {"[method]tcp-socket.set-keep-alive-count", count_set},
    {"[method]tcp-socket.hop-limit", hops_get},
    {"[method]tcp-socket.set-hop-limit", hops_set},
    {"[method]tcp-socket.receive-buffer-size", receive_buffer_get},
    {"[method]tcp-socket.set-receive-buffer-size", receive_buffer_set},
    {"[method]tcp-socket.send-buffer-size", send_buffer_get},
    {"[method]tcp-socket.set-send-buffer-size", send_buffer_set},
    {NULL, NULL},
};
static const struct hf_binding udp_table[] = {
    {"[method]udp-socket.unicast-hop-limit", hops_get},
    {"[method]udp-socket.set-unicast-hop-limit", hops_set},
    {"[method]udp-socket.receive-buffer-size", receive_buffer_get},
    {"[method]udp-socket.set-receive-buffer-size", receive_buffer_set},
    {"[method]udp-socket.send-buffer-size", send_buffer_get},
    {"[method]udp-socket.set-send-buffer-size", send_buffer_set},
    {NULL, NULL},
};

enum hf_err hf_host_bind_tcp_options(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = hf_registry_bind_all(reg, "wasi:sockets/tcp", tcp_table, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:sockets/udp", udp_table, report);
}
