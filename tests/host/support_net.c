/* support_net.c - see support_net.h. */
#include "support_net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"

static struct hf_value *room(void)
{
    static struct hf_value values[64][16];
    static unsigned at;
    return values[at++ % 64];
}

struct hf_value at4(unsigned a, unsigned b, unsigned c, unsigned d, uint16_t port)
{
    struct hf_value *v = room();
    const unsigned bytes[] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        v[i] = U(bytes[i]);
    v[4] = U(port);
    v[5] = (struct hf_value){.items = v, .len = 4};
    v[6] = (struct hf_value){.items = &v[4], .len = 2};
    return CASE(0, &v[6]);
}

struct hf_value at6(const char *text, uint16_t port)
{
    struct hf_value *v = room();
    struct hf_ip ip;
    if (!hf_ip_parse(hf_view_of(text), &ip) || ip.family != HF_IPV6)
        abort();
    for (int i = 0; i < 8; i++)
        v[i] = U((unsigned)ip.bytes[2 * i] << 8 | ip.bytes[2 * i + 1]);
    v[8] = U(port);
    v[9] = U(0);
    v[10] = (struct hf_value){.items = v, .len = 8};
    v[11] = U(0);
    v[12] = (struct hf_value){.items = &v[8], .len = 4};
    return CASE(1, &v[12]);
}

struct hf_value some(struct hf_value v)
{
    struct hf_value *copy = room();
    *copy = v;
    return CASE(1, copy);
}

struct hf_value none(void)
{
    return CASE(0, NULL);
}

uint16_t port_of(const struct hf_value *address)
{
    return (uint16_t)address->items->items[0].u64;
}

/* ---- a script's sockets ---- */

static struct hf_value *fine(struct guest *t, const char *name, const struct hf_value *args,
                             size_t n)
{
    char text[128];
    struct hf_value *r = guest_call(t, name, args, n);
    if (r == NULL || r->tag == 0)
        return r;
    snprintf(text, sizeof text, "%s failed with code %d", name, code(r));
    guest_failed(t, __FILE__, __LINE__, text);
    return NULL;
}
#define FINE(name, ...) fine(t, name, ARGS(__VA_ARGS__))

uint32_t network(struct guest *t)
{
    struct hf_value *r = guest_call(t, "instance-network", NULL, 0);
    return r == NULL ? 0 : (uint32_t)r->u64;
}

static uint32_t made(const struct hf_value *r)
{
    return r == NULL ? 0 : (uint32_t)r->items[0].u64;
}

uint32_t tcp_new(struct guest *t, int family)
{
    return made(FINE("create-tcp-socket", CASE(family == 6, NULL)));
}

uint32_t udp_new(struct guest *t, int family)
{
    return made(FINE("create-udp-socket", CASE(family == 6, NULL)));
}

static bool drop(struct guest *t, uint32_t handle)
{
    guest_drop(t, handle);
    return t->err == HF_OK;
}

bool udp_bind(struct guest *t, uint32_t udp, struct hf_value at)
{
    uint32_t net = network(t);
    return net != 0 && FINE("udp-socket.start-bind", H(udp), H(net), at) != NULL &&
           FINE("udp-socket.finish-bind", H(udp)) != NULL && drop(t, net);
}

uint32_t listener(struct guest *t, int family, uint16_t *port)
{
    uint32_t net = network(t), s = tcp_new(t, family);
    if (net == 0 || s == 0 || !FINE("tcp-socket.start-bind", H(s), H(net), loop(family, 0)) ||
        !FINE("tcp-socket.finish-bind", H(s)) || !FINE("tcp-socket.start-listen", H(s)) ||
        !FINE("tcp-socket.finish-listen", H(s)))
        return 0;
    struct hf_value *at = FINE("tcp-socket.local-address", H(s));
    if (at == NULL || !drop(t, net))
        return 0;
    *port = port_of(&at->items[0]);
    return s;
}

bool wait_for(struct guest *t, const char *subscribe, uint32_t handle)
{
    struct hf_value *p = guest_call(t, subscribe, ARGS(H(handle)));
    if (p == NULL)
        return false;
    uint32_t pollable = (uint32_t)p->u64;
    return guest_call(t, "pollable.block", ARGS(H(pollable))) != NULL && drop(t, pollable);
}

bool is_ready(struct guest *t, const char *subscribe, uint32_t handle, bool *ready)
{
    struct hf_value *p = guest_call(t, subscribe, ARGS(H(handle)));
    if (p == NULL)
        return false;
    uint32_t pollable = (uint32_t)p->u64;
    struct hf_value *r = guest_call(t, "pollable.ready", ARGS(H(pollable)));
    *ready = r != NULL && r->u64 == 1;
    return r != NULL && drop(t, pollable);
}

bool connect_to(struct guest *t, struct hf_value at, int family, struct pair *ret)
{
    uint32_t net = network(t);
    ret->socket = tcp_new(t, family);
    if (net == 0 || ret->socket == 0 ||
        !FINE("tcp-socket.start-connect", H(ret->socket), H(net), at) || !drop(t, net) ||
        !wait_for(t, "tcp-socket.subscribe", ret->socket))
        return false;
    struct hf_value *r = FINE("tcp-socket.finish-connect", H(ret->socket));
    if (r == NULL)
        return false;
    ret->in = (uint32_t)r->items[0].items[0].u64;
    ret->out = (uint32_t)r->items[0].items[1].u64;
    return true;
}

bool accept_from(struct guest *t, uint32_t from, struct pair *ret)
{
    struct hf_value *r;
    if (!wait_for(t, "tcp-socket.subscribe", from) ||
        (r = FINE("tcp-socket.accept", H(from))) == NULL)
        return false;
    ret->socket = (uint32_t)r->items[0].items[0].u64;
    ret->in = (uint32_t)r->items[0].items[1].u64;
    ret->out = (uint32_t)r->items[0].items[2].u64;
    return true;
}

bool drop_pair(struct guest *t, struct pair *p)
{
    return drop(t, p->in) && drop(t, p->out) && drop(t, p->socket);
}

bool send_text(struct guest *t, uint32_t out, const char *text)
{
    return FINE("output-stream.blocking-write-and-flush", H(out), T(text)) != NULL;
}

bool expect_text(struct guest *t, uint32_t in, const char *text)
{
    struct hf_view left = hf_view_of(text);
    while (left.len > 0) {
        struct hf_value *r = FINE("input-stream.blocking-read", H(in), U(left.len));
        if (r == NULL)
            return false;
        struct hf_view got = hf_value_view(&r->items[0]);
        if (!hf_view_starts(left, got)) {
            guest_failed(t, __FILE__, __LINE__, "other bytes came");
            return false;
        }
        left = hf_view_skip(left, got.len);
    }
    return true;
}

/* ---- the other side ---- */

static void must(bool fine_)
{
    if (!fine_) {
        perror("the test's own socket");
        abort();
    }
}

static socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (family == 6) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)(void *)ret;
        *a = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        return sizeof *a;
    }
    struct sockaddr_in *a = (struct sockaddr_in *)(void *)ret;
    *a = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return sizeof *a;
}

static int patient(int fd)
{
    const struct timeval ten = {.tv_sec = 10};
    must(fd >= 0);
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ten, sizeof ten) == 0);
    must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ten, sizeof ten) == 0);
    return fd;
}

int peer_listen(int family, int backlog, uint16_t *port)
{
    struct sockaddr_storage a;
    socklen_t len = loopback(family, 0, &a);
    int fd = patient(socket(family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    must(bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, backlog) == 0);
    must(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    *port = ntohs(((struct sockaddr_in *)(void *)&a)->sin_port); /* at the same place in both */
    return fd;
}

int peer_connect(int family, uint16_t port)
{
    struct sockaddr_storage a;
    socklen_t len = loopback(family, port, &a);
    int fd = patient(socket(family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    must(connect(fd, (struct sockaddr *)&a, len) == 0);
    return fd;
}

int peer_accept(int fd)
{
    return patient(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
}

void peer_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(fd);
}

size_t open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;
    must(d != NULL);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 3; /* ".", "..", its own */
}
