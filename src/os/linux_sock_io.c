/* linux_sock_io.c - guests' sockets by system calls: bytes, datagrams, names. */
#include "os/linux_sock.h"

#include <errno.h>
#include <netdb.h>

enum hf_net_err hf_sock_read(struct hf_net *net, int fd, void *buf, size_t len, size_t *n)
{
    (void)net;
    HF_ASSERT(len > 0); /* an answer of 0 would look like the end */
    ssize_t got;
    do
        got = recv(fd, buf, len, 0);
    while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0;
    return got > 0 ? HF_NET_OK : got == 0 ? HF_NET_CLOSED : hf_sock_err(errno);
}

enum hf_net_err hf_sock_write(struct hf_net *net, int fd, const void *buf, size_t len, size_t *n)
{
    (void)net;
    HF_ASSERT(len > 0);
    ssize_t sent;
    do
        sent = send(fd, buf, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    *n = sent > 0 ? (size_t)sent : 0;
    return sent >= 0 ? HF_NET_OK : hf_sock_err(errno);
}

enum hf_net_err hf_sock_shutdown(struct hf_net *net, int fd, bool in, bool out)
{
    (void)net;
    if (shutdown(fd, in && out ? SHUT_RDWR : in ? SHUT_RD : SHUT_WR) == 0)
        return HF_NET_OK;
    return errno == ENOTCONN ? HF_NET_OK : hf_sock_err(errno); /* the peer was faster: as wished */
}

enum hf_net_err hf_sock_receive(struct hf_net *net, int fd, void *buf, size_t len, size_t *n,
                                struct hf_endpoint *from)
{
    struct hf_sock_addr a;
    ssize_t got;
    (void)net;
    do {
        a.len = sizeof a.u;
        got = recvfrom(fd, buf, len, 0, &a.u.any, &a.len);
    } while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0; /* a datagram may be empty */
    if (got < 0)
        return hf_sock_err(errno);
    return hf_sock_endpoint_of(&a, from) ? HF_NET_OK : HF_NET_UNKNOWN;
}

enum hf_net_err hf_sock_send(struct hf_net *net, int fd, const void *buf, size_t len,
                             const struct hf_endpoint *to)
{
    struct hf_sock_addr a = {.len = 0};
    ssize_t sent;
    (void)net;
    if (to != NULL)
        hf_sock_addr_of(to, &a);
    do
        sent = sendto(fd, buf, len, MSG_NOSIGNAL, to == NULL ? NULL : &a.u.any, a.len);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? HF_NET_OK : hf_sock_err(errno);
}

static enum hf_net_err lookup_err(int code)
{
    switch (code) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        return HF_NET_NO_NAME;
    case EAI_AGAIN: return HF_NET_TRY_LATER;
    case EAI_FAIL: return HF_NET_NEVER;
    case EAI_MEMORY: return HF_NET_MEMORY;
    case EAI_SYSTEM: return hf_sock_err(errno);
    default: return HF_NET_UNKNOWN;
    }
}

enum hf_net_err hf_sock_lookup(struct hf_net *net, const char *name, struct hf_ip *ret, size_t max,
                               size_t *n)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    (void)net;
    *n = 0;
    int code = getaddrinfo(name, NULL, &hints, &list);
    if (code != 0)
        return lookup_err(code);
    for (const struct addrinfo *it = list; it != NULL && *n < max; it = it->ai_next) {
        struct hf_sock_addr a = {.len = 0};
        struct hf_endpoint e;
        if (it->ai_addrlen > sizeof a.u)
            continue;
        memcpy(&a.u, it->ai_addr, it->ai_addrlen);
        bool usable = hf_sock_endpoint_of(&a, &e);
        for (size_t i = 0; i < *n && usable; i++)
            usable = !hf_ip_eq(&ret[i], &e.ip);
        if (usable)
            ret[(*n)++] = e.ip;
    }
    freeaddrinfo(list);
    return *n > 0 ? HF_NET_OK : HF_NET_NO_NAME;
}
