/* linux_net.c - non-blocking stream sockets: TCP over IPv4 and IPv6, and Unix sockets.
 *
 * Addresses are numbers, never names: looking up a name blocks, and here nothing may. An IPv6
 * listener takes IPv6 only, whatever the machine's default is.
 *
 * A Unix socket's path that a dead process left behind is taken over: when the address is in use
 * but nobody answers there, it is removed and bound again. Its file is for its user alone (0600);
 * who wants others to connect changes its mode after.
 */
#include "os/linux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define IOV_AT_ONCE      1024 /* UIO_MAXIOV: more is an error to the kernel */
#define ACCEPT_TRIES_MAX 16u  /* connections that died in the queue, skipped in one call */

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    } u;
    socklen_t len;
};

static bool parse_port(struct hf_view text, in_port_t *ret)
{
    uint32_t port = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (text.ptr[i] - '0');
    }
    *ret = htons((uint16_t)port);
    return port <= UINT16_MAX;
}

static bool parse_unix(struct hf_view path, struct address *ret)
{
    if (path.len == 0 || path.len >= sizeof ret->u.un.sun_path)
        return false;
    ret->u.un.sun_family = AF_UNIX;
    memcpy(ret->u.un.sun_path, path.ptr, path.len);
    ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

static bool parse_tcp(struct hf_view text, struct address *ret)
{
    char host[INET6_ADDRSTRLEN];
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    struct hf_view port = hf_view_skip(text, colon), name = hf_view_take(text, colon - 1);
    bool in6 = name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (in6)
        name = hf_view_take(hf_view_skip(name, 1), name.len - 2);
    if (name.len >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", HF_FMT(name));
    if (in6) {
        ret->u.in6.sin6_family = AF_INET6;
        ret->len = sizeof ret->u.in6;
        return inet_pton(AF_INET6, host, &ret->u.in6.sin6_addr) == 1 &&
               parse_port(port, &ret->u.in6.sin6_port);
    }
    ret->u.in4.sin_family = AF_INET;
    ret->len = sizeof ret->u.in4;
    return inet_pton(AF_INET, host, &ret->u.in4.sin_addr) == 1 &&
           parse_port(port, &ret->u.in4.sin_port);
}

static enum hf_err parse(const struct hf_os_addr *addr, struct address *ret,
                         struct hf_report *report)
{
    *ret = (struct address){0};
    struct hf_view text = hf_view(addr->text, strnlen(addr->text, sizeof addr->text));
    bool fine = hf_view_starts(text, HF_VIEW("unix:")) ? parse_unix(hf_view_skip(text, 5), ret)
                                                       : parse_tcp(text, ret);
    if (!fine)
        return hf_report_set(report, HF_INVALID,
                             "not an address: \"%.*s\" (wanted 127.0.0.1:80, [::1]:80 or "
                             "unix:/path shorter than %zu bytes)",
                             HF_FMT(text), sizeof ret->u.un.sun_path);
    return HF_OK;
}

static void print(const struct address *a, struct hf_os_addr *ret)
{
    char host[INET6_ADDRSTRLEN] = "";
    switch (a->u.any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &a->u.in4.sin_addr, host, sizeof host);
        snprintf(ret->text, sizeof ret->text, "%s:%u", host, ntohs(a->u.in4.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &a->u.in6.sin6_addr, host, sizeof host);
        snprintf(ret->text, sizeof ret->text, "[%s]:%u", host, ntohs(a->u.in6.sin6_port));
        break;
    default: { /* a Unix peer that did not bind has no path */
        size_t head = offsetof(struct sockaddr_un, sun_path);
        size_t len = a->len > head ? strnlen(a->u.un.sun_path, a->len - head) : 0;
        snprintf(ret->text, sizeof ret->text, "unix:%.*s", (int)len, a->u.un.sun_path);
        break;
    }
    }
}

static int open_socket(const struct address *a)
{
    return socket(a->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool set_on(int fd, int level, int option)
{
    const int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* A listener's TCP_NODELAY is inherited by what it accepts. */
static bool set_options(int fd, const struct address *a, bool listener, bool reuseport)
{
    if (a->u.any.sa_family == AF_UNIX)
        return true;
    return set_on(fd, IPPROTO_TCP, TCP_NODELAY) &&
           (!listener || set_on(fd, SOL_SOCKET, SO_REUSEADDR)) &&
           (!reuseport || set_on(fd, SOL_SOCKET, SO_REUSEPORT)) &&
           (!listener || a->u.any.sa_family != AF_INET6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY));
}

static bool is_socket(const struct address *a)
{
    struct stat st;
    return a->u.any.sa_family == AF_UNIX && lstat(a->u.un.sun_path, &st) == 0 &&
           S_ISSOCK(st.st_mode);
}

/* True when a Unix socket lies at the address and nobody listens there any more; it is then
 * removed. */
static bool remove_dead(const struct address *a)
{
    if (!is_socket(a))
        return false;
    int fd = open_socket(a);
    if (fd < 0)
        return false;
    bool dead = connect(fd, &a->u.any, a->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return dead && unlink(a->u.un.sun_path) == 0;
}

static bool bind_to(int fd, const struct address *a)
{
    /* The file is made with the socket's own mode: at no moment may others connect to it. */
    if (a->u.any.sa_family == AF_UNIX && fchmod(fd, 0600) != 0)
        return false;
    if (bind(fd, &a->u.any, a->len) == 0)
        return true;
    if (errno != EADDRINUSE)
        return false;
    if (remove_dead(a))
        return bind(fd, &a->u.any, a->len) == 0;
    errno = EADDRINUSE; /* that is the news, not what remove_dead met */
    return false;
}

enum hf_err hf_linux_listen(struct hf_os *os, const struct hf_os_addr *addr, bool reuseport,
                            int backlog, int *ret, struct hf_os_addr *bound,
                            struct hf_report *report)
{
    (void)os;
    struct address a;
    enum hf_err err = parse(addr, &a, report);
    if (err != HF_OK)
        return err;
    int fd = open_socket(&a);
    if (fd < 0 || !set_options(fd, &a, true, reuseport) || !bind_to(fd, &a) ||
        listen(fd, backlog) != 0)
        goto fail;
    if (bound != NULL) {
        a.len = sizeof a.u;
        if (getsockname(fd, &a.u.any, &a.len) != 0)
            goto fail;
        print(&a, bound);
    }
    *ret = fd;
    return HF_OK;
fail:
    if (errno == EADDRINUSE && a.u.any.sa_family == AF_UNIX)
        err = hf_report_set(report, HF_IO, "listening on %s: %s", addr->text,
                            is_socket(&a) ? "another program has it (a node that runs already?)"
                                          : "a file is there that is no socket");
    else
        err = hf_linux_fail(report, errno, "listening on", addr->text);
    if (fd >= 0)
        close(fd);
    return err;
}

bool hf_linux_is_stillborn(int number)
{
    switch (number) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
    case EPERM: return true;
    default: return false;
    }
}

enum hf_err hf_linux_accept(struct hf_os *os, int listener, int *ret, struct hf_os_addr *peer)
{
    (void)os;
    for (unsigned tries = 0; tries < ACCEPT_TRIES_MAX; tries++) {
        struct address a = {.len = 0};
        a.len = sizeof a.u;
        int fd = accept4(listener, &a.u.any, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (peer != NULL)
                print(&a, peer);
            *ret = fd;
            return HF_OK;
        }
        if (errno != EINTR && !hf_linux_is_stillborn(errno))
            return hf_linux_err(errno);
    }
    return HF_AGAIN; /* level-triggered: we are called again */
}

enum hf_err hf_linux_connect(struct hf_os *os, const struct hf_os_addr *addr, int *ret,
                             struct hf_report *report)
{
    (void)os;
    struct address a;
    enum hf_err err = parse(addr, &a, report);
    if (err != HF_OK)
        return err;
    int fd = open_socket(&a);
    if (fd >= 0 && set_options(fd, &a, false, false) &&
        (connect(fd, &a.u.any, a.len) == 0 || errno == EINPROGRESS || errno == EINTR)) {
        *ret = fd;
        return HF_OK;
    }
    err = hf_linux_fail(report, errno, "connecting to", addr->text);
    if (fd >= 0)
        close(fd);
    return err;
}

enum hf_err hf_linux_connect_result(struct hf_os *os, int fd)
{
    (void)os;
    int number = 0;
    socklen_t len = sizeof number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    if (number != 0)
        return hf_linux_err(number);
    struct address a;
    a.len = sizeof a.u;
    if (getpeername(fd, &a.u.any, &a.len) == 0)
        return HF_OK;
    return errno == ENOTCONN ? HF_AGAIN : hf_linux_err(errno);
}

/* What a failed read or write means to a connection: wait, over, or broken. */
static enum hf_err stream_err(int number)
{
    enum hf_err err = hf_linux_err(number);
    return err == HF_AGAIN || err == HF_CLOSED ? err : HF_IO;
}

enum hf_err hf_linux_read(struct hf_os *os, int fd, void *buf, size_t len, size_t *n)
{
    (void)os;
    HF_ASSERT(len > 0); /* an answer of 0 would look like the end */
    ssize_t got;
    do
        got = recv(fd, buf, len, 0);
    while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return HF_OK;
    return got == 0 ? HF_CLOSED : stream_err(errno);
}

enum hf_err hf_linux_writev(struct hf_os *os, int fd, const struct iovec *iov, int iovcnt,
                            size_t *n)
{
    (void)os;
    struct msghdr msg = {
        .msg_iov = (struct iovec *)(uintptr_t)iov, /* sendmsg only reads it */
        .msg_iovlen = (size_t)(iovcnt < IOV_AT_ONCE ? iovcnt : IOV_AT_ONCE),
    };
    ssize_t sent;
    do
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    *n = sent > 0 ? (size_t)sent : 0;
    return sent >= 0 ? HF_OK : stream_err(errno);
}

void hf_linux_shutdown_write(struct hf_os *os, int fd)
{
    (void)os;
    (void)shutdown(fd,
                   SHUT_WR); /* fails only when the peer is gone: then there is nothing to end */
}

void hf_linux_close(struct hf_os *os, int fd)
{
    (void)os;
    close(fd);
}

void hf_linux_close_reset(struct hf_os *os, int fd)
{
    (void)os;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}
