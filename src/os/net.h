/* net.h - IP sockets of guests as one table, beside struct hf_os: TCP, UDP and name look-up.
 *
 * The table of os.h serves the node's own listeners and knows few kinds of errors; guests are told
 * exactly what happened (wasi:sockets), so here errors are as many as there. hf_net_linux() fills
 * the table with system calls; a test copies it and puts verbs of its own in place of some.
 *
 * Sockets are small non-negative ints, non-blocking, close-on-exec, IPv6 ones take IPv6 only, TCP
 * ones do not delay small writes. Nothing blocks but `lookup`. Any thread.
 */
#ifndef HF_OS_NET_H
#define HF_OS_NET_H

#include "base/ip.h"

#define HF_NET_ERR_LIST(X)                                                                         \
    X(HF_NET_OK, "ok")                                                                             \
    X(HF_NET_AGAIN, "not yet")                   /* wait, then ask again */                        \
    X(HF_NET_CLOSED, "the connection is closed") /* end of stream; or written after it */          \
    X(HF_NET_UNKNOWN, "unknown error")           /* what has no name below */                      \
    X(HF_NET_DENIED, "access denied")            /* by the system */                               \
    X(HF_NET_UNSUPPORTED, "not supported")       /* no such family here */                         \
    X(HF_NET_INVALID, "invalid argument")                                                          \
    X(HF_NET_MEMORY, "out of memory")                                                              \
    X(HF_NET_TIMEOUT, "timed out")                                                                 \
    X(HF_NET_LIMIT, "too many sockets")            /* descriptors ran out */                       \
    X(HF_NET_NOT_BINDABLE, "address not bindable") /* not an address of this machine */            \
    X(HF_NET_IN_USE, "address in use")             /* or no port is free */                        \
    X(HF_NET_UNREACHABLE, "remote unreachable")                                                    \
    X(HF_NET_REFUSED, "connection refused")                                                        \
    X(HF_NET_RESET, "connection reset")                                                            \
    X(HF_NET_ABORTED, "connection aborted")                                                        \
    X(HF_NET_TOO_LARGE, "datagram too large")                                                      \
    X(HF_NET_NO_NAME, "name does not resolve")                                                     \
    X(HF_NET_TRY_LATER, "temporary failure of the resolver")                                       \
    X(HF_NET_NEVER, "permanent failure of the resolver")

enum hf_net_err {
#define X(name, text) name,
    HF_NET_ERR_LIST(X)
#undef X
        HF_NET_ERR_COUNT
};
const char *hf_net_err_text(enum hf_net_err err); /* stable, never NULL */

enum hf_net_kind { HF_NET_TCP, HF_NET_UDP };
enum hf_net_opt {
    HF_NET_KEEPALIVE,     /* 0 or 1 */
    HF_NET_KEEP_IDLE,     /* seconds */
    HF_NET_KEEP_INTERVAL, /* seconds */
    HF_NET_KEEP_COUNT,
    HF_NET_HOPS,           /* TTL, unicast hop limit: 1..255 */
    HF_NET_RECEIVE_BUFFER, /* bytes as asked for, not as the kernel counts them */
    HF_NET_SEND_BUFFER
};

struct hf_net {
    enum hf_net_err (*open)(struct hf_net *net, enum hf_net_kind kind, int family, int *fd);
    void (*close)(struct hf_net *net, int fd);
    /* A TCP port may be bound while connections of a former socket linger there. */
    enum hf_net_err (*bind)(struct hf_net *net, int fd, const struct hf_endpoint *at);
    enum hf_net_err (*listen)(struct hf_net *net, int fd, int backlog);
    /* HF_NET_AGAIN: none waits. HF_NET_ABORTED: one waited and is gone; there may be more. */
    enum hf_net_err (*accept)(struct hf_net *net, int listener, int *fd);
    /* TCP: OK at once, or AGAIN: wait for HF_OS_OUT, then connect_result. UDP: sets the peer; NULL:
     * no peer any more. */
    enum hf_net_err (*connect)(struct hf_net *net, int fd, const struct hf_endpoint *to);
    enum hf_net_err (*connect_result)(struct hf_net *net, int fd); /* AGAIN: not known yet */
    enum hf_net_err (*local)(struct hf_net *net, int fd, struct hf_endpoint *ret);
    enum hf_net_err (*remote)(struct hf_net *net, int fd, struct hf_endpoint *ret);
    /* Values outside what the system takes are moved to the nearest it does. */
    enum hf_net_err (*set)(struct hf_net *net, int fd, int family, enum hf_net_opt opt,
                           uint64_t value);
    enum hf_net_err (*get)(struct hf_net *net, int fd, int family, enum hf_net_opt opt,
                           uint64_t *value);
    /* len > 0; OK with *n > 0. */
    enum hf_net_err (*read)(struct hf_net *net, int fd, void *buf, size_t len, size_t *n);
    enum hf_net_err (*write)(struct hf_net *net, int fd, const void *buf, size_t len, size_t *n);
    enum hf_net_err (*shutdown)(struct hf_net *net, int fd, bool in, bool out);
    /* One datagram; what does not fit in len is lost. */
    enum hf_net_err (*receive)(struct hf_net *net, int fd, void *buf, size_t len, size_t *n,
                               struct hf_endpoint *from);
    enum hf_net_err (*send)(struct hf_net *net, int fd, const void *buf, size_t len,
                            const struct hf_endpoint *to /* NULL: the peer */);
    /* Asks the system's resolver, and blocks: on a job's thread only. `name` is a host name in
     * ASCII. OK with 1..max addresses, in the order to try them, each once. */
    enum hf_net_err (*lookup)(struct hf_net *net, const char *name, struct hf_ip *ret, size_t max,
                              size_t *n);
};

struct hf_net *hf_net_linux(void); /* a constant table; nothing to free */

#endif
