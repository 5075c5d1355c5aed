/* net_int.h - what host_net*.c share: a guest's sockets, WASI's values and error codes. Internal to
 * the room.
 *
 * A socket is a hf_obj with a descriptor and its watch; streams are its children, so it outlives
 * them but at the end of an instance, where they are orphaned and only wait to be dropped.
 */
#ifndef HF_HOST_NET_INT_H
#define HF_HOST_NET_INT_H

#include "host/guest.h"
#include "host/io.h"
#include "host/net_rules.h"
#include "host/resolve.h"

/* wasi:sockets/network error-code, in its order. */
enum hf_net_code {
    NET_UNKNOWN,
    NET_ACCESS_DENIED,
    NET_NOT_SUPPORTED,
    NET_INVALID_ARGUMENT,
    NET_OUT_OF_MEMORY,
    NET_TIMEOUT,
    NET_CONCURRENCY_CONFLICT,
    NET_NOT_IN_PROGRESS,
    NET_WOULD_BLOCK,
    NET_INVALID_STATE,
    NET_NEW_SOCKET_LIMIT,
    NET_ADDRESS_NOT_BINDABLE,
    NET_ADDRESS_IN_USE,
    NET_REMOTE_UNREACHABLE,
    NET_CONNECTION_REFUSED,
    NET_CONNECTION_RESET,
    NET_CONNECTION_ABORTED,
    NET_DATAGRAM_TOO_LARGE,
    NET_NAME_UNRESOLVABLE,
    NET_TEMPORARY_RESOLVER_FAILURE,
    NET_PERMANENT_RESOLVER_FAILURE
};

/* ---- a guest's network (host_net.c) ---- */
struct hf_guest_net {
    uint32_t sockets; /* open */
    uint8_t *datagram; /* room for the largest; NULL until one is asked for */
    struct hf_net_known known;
};
struct hf_guest_net *hf_guest_net(struct hf_guest *g); /* made when first asked for; NULL: memory */
struct hf_net *hf_guest_net_os(const struct hf_guest *g);
const struct hf_net_rules *hf_guest_net_rules(const struct hf_guest *g);
struct hf_resolver *hf_guest_resolver(const struct hf_guest *g);
bool hf_guest_may_connect(struct hf_guest *g, enum hf_net_kind kind, const struct hf_endpoint *to);

/* ---- values ---- results are result<T, error-code> */
enum hf_net_code hf_net_code(enum hf_net_err err); /* of a failed verb of struct hf_net */
enum hf_err hf_net_fail(struct hf_call *call, enum hf_net_code code, struct hf_value *result);
enum hf_err hf_net_ok(struct hf_value *result); /* ok(_) */
enum hf_err hf_net_ok_value(struct hf_call *call, struct hf_value v, struct hf_value *result);
enum hf_err hf_net_ok_tuple(struct hf_call *call, const struct hf_value *v, uint32_t n,
                            struct hf_value *result);
/* ip-socket-address, ip-address. `write`: false when the call's memory is out (hf_call_limit). */
void hf_net_read_endpoint(const struct hf_value *v, struct hf_endpoint *ret);
bool hf_net_write_endpoint(struct hf_call *call, const struct hf_endpoint *e, struct hf_value *ret);
bool hf_net_write_ip(struct hf_call *call, const struct hf_ip *ip, struct hf_value *ret);
/* local-address, remote-address: what the system says. */
enum hf_err hf_net_say_endpoint(struct hf_call *call, enum hf_net_err err,
                                const struct hf_endpoint *e, struct hf_value *result);

/* ---- sockets ---- */
struct hf_socket {
    struct hf_obj obj;
    enum hf_net_kind kind;
    int family, fd;
    bool may_listen; /* bound by a rule that says so: takes from anybody */
    struct hf_io_fd *io;
};
/* A socket object of `size` for `fd`, which it then owns (and which is closed when there is no
 * room); fd -1: opens one. OK, or *code says why not; counted against the guest's limit. */
bool hf_socket_new(struct hf_guest *g, size_t size, enum hf_net_kind kind, int family, int fd,
                   void (*destroy)(struct hf_obj *), struct hf_socket **ret,
                   enum hf_net_code *code);
bool hf_socket_room(struct hf_guest *g);   /* one more may be opened */
void hf_socket_close(struct hf_socket *s); /* the last step of its destroy */
/* What the WIT asks of an address to bind or connect to: the socket's family, not mapped. */
bool hf_socket_fits(const struct hf_socket *s, const struct hf_endpoint *e);
/* Binds it, if that is a place for it and the rules say so. OK, or *code says why not. */
bool hf_socket_bind(struct hf_guest *g, struct hf_socket *s, const struct hf_endpoint *at,
                    enum hf_net_code *code);
/* Somewhere that can be connected or sent to, and may be. OK, or *code says why not. */
bool hf_socket_may_reach(struct hf_guest *g, const struct hf_socket *s, const struct hf_endpoint *to,
                         enum hf_net_code *code);

/* ---- TCP: the connection under a pair of streams (host_net_stream.c) ---- */
enum hf_tcp_state {
    TCP_UNBOUND,
    TCP_BINDING,
    TCP_BOUND,
    TCP_STARTING, /* to listen */
    TCP_LISTENING,
    TCP_CONNECTING,
    TCP_CONNECTED,
    TCP_CLOSED
};
struct hf_tcp_in;
struct hf_tcp {
    struct hf_socket s;
    enum hf_tcp_state state;
    int backlog;
    struct hf_wait ready; /* of the socket's own pollables */
    /* The host's own interest in one side of the descriptor: a connect that ends, a client that
     * waits, room for what is pending. */
    struct hf_waitset set;
    struct hf_waiter waiter;
    /* A connection: */
    struct hf_endpoint peer; /* stays when the connection is gone and the system forgot it */
    struct hf_tcp_in *in;    /* NULL: dropped */
    struct hf_buf pending; /* written by the guest, not yet taken by the system; from pending_at */
    size_t pending_at;
    struct hf_wait can_write;
    bool in_shut, out_shut;
    bool fin_due;              /* when pending is sent */
    enum hf_net_err write_err; /* of a write nobody waited for; for ever */
};
/* Asks for one event on `side`; false: the poller cannot, nothing will come. */
bool hf_tcp_watch(struct hf_tcp *t, uint32_t side);
void hf_tcp_push(struct hf_tcp *t); /* writes what is pending as far as it goes */
/* Both streams of a connection just made. False: memory. */
bool hf_tcp_streams(struct hf_guest *g, struct hf_tcp *t, struct hf_value ret[2]);
/* Ends directions for the guest at once; the system is told when nothing is pending any more. */
enum hf_net_err hf_tcp_shutdown(struct hf_tcp *t, bool in, bool out);

/* ---- binding, one a file ---- */
enum hf_err hf_host_bind_tcp(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_tcp_options(struct hf_registry *reg,
                                     struct hf_report *report); /* and UDP's */
enum hf_err hf_host_bind_udp(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_lookup(struct hf_registry *reg, struct hf_report *report);

#endif
