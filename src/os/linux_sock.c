/* linux_sock.c - guests' sockets by system calls: making, binding, connecting, options. (Moving
 * bytes and looking names up: linux_sock_io.c.)
 */
#include "os/linux_sock.h"

#include "os/linux.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#define KEPT_BACK_MAX 1024u

const char *hf_net_err_text(enum hf_net_err err)
{
    static const char *const texts[] = {
#define X(name, text) text,
        HF_NET_ERR_LIST(X)
#undef X
    };
    return (size_t)err < HF_ARRAY_LEN(texts) ? texts[err] : "?";
}

enum hf_net_err hf_sock_err(int number)
{
    switch (number) {
    case EAGAIN:
    case EINPROGRESS:
    case EALREADY:
    case EINTR: return HF_NET_AGAIN;
    case EPIPE: return HF_NET_CLOSED;
    case EACCES:
    case EPERM: return HF_NET_DENIED;
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT: return HF_NET_UNSUPPORTED;
    case EINVAL: return HF_NET_INVALID;
    case ENOMEM:
    case ENOBUFS: return HF_NET_MEMORY;
    case ETIMEDOUT: return HF_NET_TIMEOUT;
    case EMFILE:
    case ENFILE: return HF_NET_LIMIT;
    case EADDRNOTAVAIL: return HF_NET_NOT_BINDABLE;
    case EADDRINUSE: return HF_NET_IN_USE;
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENONET: return HF_NET_UNREACHABLE;
    case ECONNREFUSED: return HF_NET_REFUSED;
    case ECONNRESET: return HF_NET_RESET;
    case ECONNABORTED: return HF_NET_ABORTED;
    case EMSGSIZE: return HF_NET_TOO_LARGE;
    default: return HF_NET_UNKNOWN;
    }
}

void hf_sock_addr_of(const struct hf_endpoint *e, struct hf_sock_addr *ret)
{
    *ret = (struct hf_sock_addr){0};
    if (e->ip.family == HF_IPV6) {
        ret->u.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                           .sin6_port = htons(e->port),
                                           .sin6_flowinfo = htonl(e->flow),
                                           .sin6_scope_id = e->scope};
        memcpy(&ret->u.in6.sin6_addr, e->ip.bytes, 16);
        ret->len = sizeof ret->u.in6;
    } else {
        ret->u.in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(e->port)};
        memcpy(&ret->u.in4.sin_addr, e->ip.bytes, 4);
        ret->len = sizeof ret->u.in4;
    }
}

bool hf_sock_endpoint_of(const struct hf_sock_addr *a, struct hf_endpoint *ret)
{
    *ret = (struct hf_endpoint){0};
    if (a->u.any.sa_family == AF_INET6) {
        ret->ip.family = HF_IPV6;
        memcpy(ret->ip.bytes, &a->u.in6.sin6_addr, 16);
        ret->port = ntohs(a->u.in6.sin6_port);
        ret->flow = ntohl(a->u.in6.sin6_flowinfo);
        ret->scope = a->u.in6.sin6_scope_id;
        return true;
    }
    ret->ip.family = HF_IPV4;
    memcpy(ret->ip.bytes, &a->u.in4.sin_addr, 4);
    ret->port = ntohs(a->u.in4.sin_port);
    return a->u.any.sa_family == AF_INET;
}

static bool set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* The system gives the lowest free number, so a high one means that many are open. */
static bool is_kept_back(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    rlim_t back = limit.rlim_cur / 4 < KEPT_BACK_MAX ? limit.rlim_cur / 4 : KEPT_BACK_MAX;
    return (rlim_t)fd >= limit.rlim_cur - back;
}

static enum hf_net_err sock_open(struct hf_net *net, enum hf_net_kind kind, int family, int *ret)
{
    (void)net;
    int fd =
        socket(family == HF_IPV6 ? AF_INET6 : AF_INET,
               (kind == HF_NET_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return hf_sock_err(errno);
    if (is_kept_back(fd)) {
        close(fd);
        return HF_NET_LIMIT;
    }
    if ((family == HF_IPV6 && !set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
        (kind == HF_NET_TCP && !set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1))) {
        int number = errno;
        close(fd);
        return hf_sock_err(number);
    }
    *ret = fd;
    return HF_NET_OK;
}

static void sock_close(struct hf_net *net, int fd)
{
    (void)net;
    close(fd);
}

static enum hf_net_err sock_bind(struct hf_net *net, int fd, const struct hf_endpoint *at)
{
    struct hf_sock_addr a;
    int type = 0;
    socklen_t len = sizeof type;
    (void)net;
    hf_sock_addr_of(at, &a);
    /* For UDP the option would let two sockets share the port; with port 0, set before, it would
     * let the system choose one that another such socket has; set after, it is for the next who
     * binds. */
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
        (type == SOCK_STREAM && at->port != 0 && !set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1)) ||
        bind(fd, &a.u.any, a.len) != 0 ||
        (type == SOCK_STREAM && at->port == 0 && !set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1)))
        return hf_sock_err(errno);
    return HF_NET_OK;
}

static enum hf_net_err sock_listen(struct hf_net *net, int fd, int backlog)
{
    (void)net;
    return listen(fd, backlog) == 0 ? HF_NET_OK : hf_sock_err(errno);
}

static enum hf_net_err sock_accept(struct hf_net *net, int listener, int *ret,
                                   struct hf_endpoint *peer)
{
    (void)net;
    struct hf_sock_addr a = {.len = sizeof a.u};
    int fd;
    do
        fd = accept4(listener, &a.u.any, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0) {
        bool kept_back = is_kept_back(fd), known = hf_sock_endpoint_of(&a, peer);
        *ret = fd;
        if (!kept_back && known)
            return HF_NET_OK;
        close(fd);
        return kept_back ? HF_NET_LIMIT : HF_NET_ABORTED;
    }
    return hf_linux_is_stillborn(errno) ? HF_NET_ABORTED : hf_sock_err(errno);
}

/* The system takes a port that it chose itself away with the peer: it is bound again. */
static enum hf_net_err forget_peer(int fd)
{
    struct hf_sock_addr before = {.len = sizeof before.u}, after = before;
    const struct hf_sock_addr nobody = {.u.any.sa_family = AF_UNSPEC, .len = sizeof nobody.u.any};
    struct hf_endpoint had, has;
    if (getsockname(fd, &before.u.any, &before.len) != 0 ||
        connect(fd, &nobody.u.any, nobody.len) != 0 ||
        getsockname(fd, &after.u.any, &after.len) != 0)
        return hf_sock_err(errno);
    if (!hf_sock_endpoint_of(&before, &had) || !hf_sock_endpoint_of(&after, &has))
        return HF_NET_UNKNOWN;
    if (has.port == had.port)
        return HF_NET_OK;
    has.port = had.port;
    hf_sock_addr_of(&has, &after);
    return bind(fd, &after.u.any, after.len) == 0 ? HF_NET_OK : hf_sock_err(errno);
}

static enum hf_net_err sock_connect(struct hf_net *net, int fd, const struct hf_endpoint *to)
{
    struct hf_sock_addr a;
    (void)net;
    if (to == NULL)
        return forget_peer(fd);
    hf_sock_addr_of(to, &a);
    if (connect(fd, &a.u.any, a.len) == 0)
        return HF_NET_OK;
    /* Here these two mean that no local port is free (connect(2)). */
    return errno == EADDRNOTAVAIL || errno == EAGAIN ? HF_NET_IN_USE : hf_sock_err(errno);
}

static enum hf_net_err sock_connect_result(struct hf_net *net, int fd)
{
    struct hf_sock_addr a;
    int number = 0;
    socklen_t len = sizeof number;
    (void)net;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    if (number != 0)
        return hf_sock_err(number);
    a.len = sizeof a.u;
    if (getpeername(fd, &a.u.any, &a.len) == 0)
        return HF_NET_OK;
    return errno == ENOTCONN ? HF_NET_AGAIN : hf_sock_err(errno);
}

static enum hf_net_err sock_local(struct hf_net *net, int fd, struct hf_endpoint *ret)
{
    struct hf_sock_addr a = {.len = sizeof a.u};
    (void)net;
    if (getsockname(fd, &a.u.any, &a.len) != 0)
        return hf_sock_err(errno);
    return hf_sock_endpoint_of(&a, ret) ? HF_NET_OK : HF_NET_UNKNOWN;
}

/* ---- options ---- */

struct option {
    int level, name;
    int min, max;
    int scale; /* the kernel counts its own overhead in buffers: it doubles what is set (socket(7))
                */
};

static struct option option_of(enum hf_net_opt opt, int family)
{
    bool v6 = family == HF_IPV6;
    switch (opt) {
    case HF_NET_KEEPALIVE: return (struct option){SOL_SOCKET, SO_KEEPALIVE, 0, 1, 1};
    case HF_NET_KEEP_IDLE: return (struct option){IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767, 1};
    case HF_NET_KEEP_INTERVAL: return (struct option){IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767, 1};
    case HF_NET_KEEP_COUNT: return (struct option){IPPROTO_TCP, TCP_KEEPCNT, 1, 127, 1};
    case HF_NET_HOPS:
        return (struct option){v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, 1,
                               255, 1};
    case HF_NET_RECEIVE_BUFFER: return (struct option){SOL_SOCKET, SO_RCVBUF, 1, INT32_MAX / 2, 2};
    default: return (struct option){SOL_SOCKET, SO_SNDBUF, 1, INT32_MAX / 2, 2};
    }
}

static enum hf_net_err sock_set(struct hf_net *net, int fd, int family, enum hf_net_opt opt,
                                uint64_t value)
{
    struct option o = option_of(opt, family);
    (void)net;
    int v = value > (uint64_t)o.max ? o.max : value < (uint64_t)o.min ? o.min : (int)value;
    return set_int(fd, o.level, o.name, v) ? HF_NET_OK : hf_sock_err(errno);
}

static enum hf_net_err sock_get(struct hf_net *net, int fd, int family, enum hf_net_opt opt,
                                uint64_t *value)
{
    struct option o = option_of(opt, family);
    int v = 0;
    socklen_t len = sizeof v;
    (void)net;
    if (getsockopt(fd, o.level, o.name, &v, &len) != 0)
        return hf_sock_err(errno);
    *value = v < 0 ? 0 : (uint64_t)(v / o.scale);
    return HF_NET_OK;
}

struct hf_net *hf_net_linux(void)
{
    static struct hf_net net = {
        .open = sock_open,
        .close = sock_close,
        .bind = sock_bind,
        .listen = sock_listen,
        .accept = sock_accept,
        .connect = sock_connect,
        .connect_result = sock_connect_result,
        .local = sock_local,
        .set = sock_set,
        .get = sock_get,
        .read = hf_sock_read,
        .write = hf_sock_write,
        .shutdown = hf_sock_shutdown,
        .receive = hf_sock_receive,
        .send = hf_sock_send,
        .lookup = hf_sock_lookup,
    };
    return &net;
}
