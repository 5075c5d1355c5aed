/* fake_net.c - stream sockets in memory, with the bad manners of real ones.
 *
 * Two ends point at each other; what one writes lies in the other's `in` until it is read, never
 * more than the world's room. Taken over from TCP on Linux, since code above must live with it:
 *   - a connection is made when its listener has a place in its backlog, before anyone accepts it;
 *   - closing with bytes unread resets the other end, closing without ends it;
 *   - bytes that arrived before a reset can still be read;
 *   - the first write to an end that is gone succeeds, and brings the reset.
 * Handles are never used twice, so a stale one is found out.
 */
#include "os/fake_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"

struct fake_socket {
    int fd;
    struct hf_os_addr local, remote;
    struct fake_socket *peer; /* a stream's other end; NULL: gone, or not yet made */

    /* A listener. */
    bool listens, reuseport;
    size_t backlog, queued; /* places; connections made and not accepted */

    /* A stream. */
    struct fake_socket
        *listener; /* until accepted: whose backlog it stands in; a client: whom it waits for */
    bool made;     /* the connection is made */
    bool refused, reset;
    bool ended_in, ended_out; /* the other end, or we, shut down writing */
    struct hf_buf in;
    size_t taken; /* bytes of `in` that were read already */
};

static struct fake_socket *socket_of(struct hf_fake *fake, int fd)
{
    HF_ASSERT(hf_fake_is_open(fake, fd)); /* using a closed handle is a bug of the caller */
    return fake->sockets.ptr[fd - FAKE_FD_FIRST];
}

bool hf_fake_is_open(struct hf_fake *fake, int fd)
{
    return fd >= FAKE_FD_FIRST && (size_t)(fd - FAKE_FD_FIRST) < fake->sockets.len &&
           fake->sockets.ptr[fd - FAKE_FD_FIRST] != NULL;
}

static struct fake_socket *socket_new(struct hf_fake *fake)
{
    struct fake_socket *s = fake->sockets.len < FAKE_FDS_MAX ? calloc(1, sizeof *s) : NULL;
    if (s == NULL || !HF_VEC_PUSH(&fake->sockets, s)) {
        free(s);
        return NULL;
    }
    s->fd = FAKE_FD_FIRST + (int)(fake->sockets.len - 1);
    return s;
}

static void socket_free(struct hf_fake *fake, struct fake_socket *s)
{
    hf_fake_pollers_forget(fake, s->fd);
    fake->sockets.ptr[s->fd - FAKE_FD_FIRST] = NULL;
    hf_buf_done(&s->in);
    free(s);
}

void hf_fake_net_done(struct hf_fake *fake)
{
    for (size_t i = 0; i < fake->sockets.len; i++) {
        if (fake->sockets.ptr[i] != NULL)
            socket_free(fake, fake->sockets.ptr[i]);
    }
    HF_VEC_DONE(&fake->sockets);
}

/* Bytes that wait to be read. */
static struct hf_view waiting(const struct fake_socket *s)
{
    return hf_view_skip(hf_buf_view(&s->in), s->taken);
}

/* Moves the rest down only now and then, so that reading byte by byte stays cheap. */
static void take(struct fake_socket *s, size_t n)
{
    s->taken += n;
    if (s->taken * 2 >= s->in.len) {
        hf_buf_consume(&s->in, s->taken);
        s->taken = 0;
    }
}

/* Addresses. */

/* Splits "host:port". False when it is neither that nor a Unix path; those have port 0 and are all
 * host. */
static bool split(const struct hf_os_addr *addr, struct hf_view *host, unsigned *port)
{
    struct hf_view text = hf_view(addr->text, strnlen(addr->text, sizeof addr->text));
    *port = 0;
    *host = text;
    if (hf_view_starts(text, HF_VIEW("unix:")))
        return text.len > 5 && text.len < sizeof addr->text;
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon < 2 || colon == text.len || text.len - colon > 5)
        return false;
    for (size_t i = colon; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *port = *port * 10 + (text.ptr[i] - '0');
    }
    *host = hf_view_take(text, colon - 1);
    return *port <= UINT16_MAX && ((host->ptr[0] >= '0' && host->ptr[0] <= '9') ||
                                   (host->ptr[0] == '[' && hf_view_ends(*host, HF_VIEW("]"))));
}

static bool any_host(struct hf_view host)
{
    return hf_view_eq_text(host, "0.0.0.0") || hf_view_eq_text(host, "[::]");
}

/* True when a listener there would hear what goes to `addr`. */
static bool hears(const struct fake_socket *s, const struct hf_os_addr *addr)
{
    struct hf_view mine, theirs;
    unsigned my_port, port;
    if (!s->listens || !split(&s->local, &mine, &my_port) || !split(addr, &theirs, &port))
        return false;
    return my_port == port && (hf_view_eq(mine, theirs) || any_host(mine));
}

/* A port of the system's choice, as for port 0. */
static unsigned any_port(struct hf_fake *fake)
{
    unsigned port = fake->next_port;
    fake->next_port = port == UINT16_MAX ? FAKE_PORT_FIRST : port + 1;
    return port;
}

static enum hf_err not_an_address(const struct hf_os_addr *addr, struct hf_report *report)
{
    return hf_report_set(report, HF_INVALID, "not an address: \"%.*s\"", (int)sizeof addr->text,
                         addr->text);
}

/* Making connections. */

enum hf_err hf_fake_listen(struct hf_os *os, const struct hf_os_addr *addr, bool reuseport,
                           int backlog, int *ret, struct hf_os_addr *bound,
                           struct hf_report *report)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view host;
    unsigned port;
    if (!split(addr, &host, &port))
        return not_an_address(addr, report);
    enum hf_err err = hf_fake_fault(fake, FAKE_listen);
    if (err != HF_OK)
        return hf_report_set(report, err, "listening on %s: injected", addr->text);
    bool is_unix = hf_view_starts(host, HF_VIEW("unix:"));
    for (size_t i = 0; i < fake->sockets.len && (port != 0 || is_unix); i++) {
        const struct fake_socket *other = fake->sockets.ptr[i];
        if (other != NULL && hears(other, addr) && !(reuseport && other->reuseport && !is_unix))
            return hf_report_set(report, HF_IO, "listening on %s: in use", addr->text);
    }
    struct fake_socket *s = socket_new(fake);
    if (s == NULL)
        return hf_report_set(report, HF_LIMIT, "listening on %s: out of handles", addr->text);
    s->listens = true;
    s->reuseport = reuseport;
    s->backlog = backlog > 0 ? (size_t)backlog : 1;
    s->local = *addr;
    if (port == 0 && !is_unix)
        snprintf(s->local.text, sizeof s->local.text, "%.*s:%u", HF_FMT(host), any_port(fake));
    if (bound != NULL)
        *bound = s->local;
    *ret = s->fd;
    return HF_OK;
}

/* One of those that hear the address, chosen by the seed when several share it. */
static struct fake_socket *find_listener(struct hf_fake *fake, const struct hf_os_addr *addr)
{
    struct fake_socket *chosen = NULL;
    uint64_t n = 0;
    for (size_t i = 0; i < fake->sockets.len; i++) {
        struct fake_socket *s = fake->sockets.ptr[i];
        if (s != NULL && hears(s, addr) && (++n == 1 || hf_fake_number(fake) % n == 0))
            chosen = s;
    }
    return chosen;
}

/* Gives the client an other end in the listener's backlog when there is a place and a handle. */
static void try_make(struct hf_fake *fake, struct fake_socket *client)
{
    struct fake_socket *listener = client->listener;
    if (listener->queued >= listener->backlog)
        return;
    struct fake_socket *server = socket_new(fake);
    if (server == NULL)
        return;
    listener->queued++;
    server->listener = listener;
    server->local = client->remote;
    server->remote = client->local;
    server->peer = client;
    client->peer = server;
    client->listener = NULL;
    client->made = server->made = true;
}

enum hf_err hf_fake_connect(struct hf_os *os, const struct hf_os_addr *addr, int *ret,
                            struct hf_report *report)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view host;
    unsigned port;
    if (!split(addr, &host, &port))
        return not_an_address(addr, report);
    enum hf_err err = hf_fake_fault(fake, FAKE_connect);
    if (err != HF_OK)
        return hf_report_set(report, err, "connecting to %s: injected", addr->text);
    struct fake_socket *s = socket_new(fake);
    if (s == NULL)
        return hf_report_set(report, HF_LIMIT, "connecting to %s: out of handles", addr->text);
    s->remote = *addr;
    if (hf_view_starts(host, HF_VIEW("unix:")))
        snprintf(s->local.text, sizeof s->local.text, "unix:");
    else
        snprintf(s->local.text, sizeof s->local.text, "%.*s:%u", HF_FMT(host), any_port(fake));
    s->listener = find_listener(fake, addr);
    if (s->listener != NULL)
        try_make(fake, s);
    else
        s->refused = true; /* told by connect_result */
    *ret = s->fd;
    return HF_OK;
}

enum hf_err hf_fake_connect_result(struct hf_os *os, int fd)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct fake_socket *s = socket_of(fake, fd);
    enum hf_err err = hf_fake_fault(fake, FAKE_connect_result);
    if (err != HF_OK)
        return err;
    if (s->refused)
        return HF_IO;
    if (!s->made)
        return HF_AGAIN;
    return s->reset ? HF_CLOSED : HF_OK;
}

enum hf_err hf_fake_accept(struct hf_os *os, int listener, int *ret, struct hf_os_addr *peer)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct fake_socket *s = socket_of(fake, listener), *taken = NULL;
    enum hf_err err = hf_fake_fault(fake, FAKE_accept);
    if (err != HF_OK)
        return err;
    HF_ASSERT(s->listens);
    for (size_t i = 0; i < fake->sockets.len && taken == NULL; i++) { /* oldest handle first */
        struct fake_socket *each = fake->sockets.ptr[i];
        if (each != NULL && each->listener == s && each->made)
            taken = each;
    }
    if (taken == NULL)
        return HF_AGAIN;
    taken->listener = NULL;
    s->queued--;
    if (peer != NULL)
        *peer = taken->remote;
    *ret = taken->fd;
    for (size_t i = 0; i < fake->sockets.len; i++) { /* who waited for a place */
        struct fake_socket *each = fake->sockets.ptr[i];
        if (each != NULL && each->listener == s && !each->made)
            try_make(fake, each);
    }
    return HF_OK;
}

/* Moving bytes. */

static size_t room_in(const struct hf_fake *fake, const struct fake_socket *s)
{
    size_t used = waiting(s).len;
    return used < fake->socket_room ? fake->socket_room - used : 0;
}

enum hf_err hf_fake_read(struct hf_os *os, int fd, void *buf, size_t len, size_t *n)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct fake_socket *s = socket_of(fake, fd);
    *n = 0;
    HF_ASSERT(len > 0);
    enum hf_err err = hf_fake_fault(fake, FAKE_read);
    if (err != HF_OK)
        return err;
    struct hf_view there = hf_view_take(waiting(s), len < fake->chunk ? len : fake->chunk);
    if (there.len > 0) {
        memcpy(buf, there.ptr, there.len);
        take(s, there.len);
        *n = there.len;
        return HF_OK;
    }
    if (s->refused)
        return HF_IO;
    return s->reset || s->ended_in ? HF_CLOSED : HF_AGAIN;
}

static size_t total(const struct iovec *iov, int iovcnt)
{
    size_t sum = 0;
    for (int i = 0; i < iovcnt; i++)
        sum += iov[i].iov_len;
    return sum;
}

enum hf_err hf_fake_writev(struct hf_os *os, int fd, const struct iovec *iov, int iovcnt, size_t *n)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct fake_socket *s = socket_of(fake, fd);
    size_t want = total(iov, iovcnt);
    *n = 0;
    enum hf_err err = hf_fake_fault(fake, FAKE_writev);
    if (err != HF_OK)
        return err;
    if (s->refused)
        return HF_IO;
    if (s->reset || s->ended_out)
        return HF_CLOSED;
    if (!s->made)
        return HF_AGAIN;
    if (want > fake->chunk)
        want = fake->chunk;
    if (s->peer == NULL) { /* gone: the bytes are lost, the answer is a reset */
        s->reset = want > 0;
        *n = want;
        return HF_OK;
    }
    if (want == 0)
        return HF_OK;
    size_t room = room_in(fake, s->peer);
    if (room == 0)
        return HF_AGAIN;
    if (want > room)
        want = room;
    for (int i = 0; i < iovcnt && *n < want; i++) {
        size_t part = iov[i].iov_len < want - *n ? iov[i].iov_len : want - *n;
        if (hf_buf_add(&s->peer->in, iov[i].iov_base, part) != HF_OK)
            return *n > 0 ? HF_OK : HF_IO;
        *n += part;
    }
    return HF_OK;
}

/* Ending. */

void hf_fake_shutdown_write(struct hf_os *os, int fd)
{
    struct fake_socket *s = socket_of(hf_fake_of(os), fd);
    s->ended_out = true;
    if (s->peer != NULL)
        s->peer->ended_in = true;
}

static void close_stream(struct hf_fake *fake, struct fake_socket *s, bool reset)
{
    if (s->peer != NULL) {
        s->peer->ended_in = true;
        s->peer->reset = s->peer->reset || reset || waiting(s).len > 0;
        s->peer->peer = NULL;
    }
    socket_free(fake, s);
}

/* Those in the backlog are reset, those still waiting for a place refused. */
static void close_listener(struct hf_fake *fake, struct fake_socket *s)
{
    for (size_t i = 0; i < fake->sockets.len; i++) {
        struct fake_socket *each = fake->sockets.ptr[i];
        if (each == NULL || each->listener != s)
            continue;
        each->listener = NULL;
        if (each->made)
            close_stream(fake, each, true);
        else
            each->refused = true;
    }
    socket_free(fake, s);
}

void hf_fake_close(struct hf_os *os, int fd)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct fake_socket *s = socket_of(fake, fd);
    if (s->listens)
        close_listener(fake, s);
    else
        close_stream(fake, s, false);
}

void hf_fake_close_reset(struct hf_os *os, int fd)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct fake_socket *s = socket_of(fake, fd);
    if (s->listens)
        close_listener(fake, s);
    else
        close_stream(fake, s, true);
}

uint32_t hf_fake_ready(struct hf_fake *fake, int fd)
{
    if (!hf_fake_is_open(fake, fd))
        return 0;
    const struct fake_socket *s = socket_of(fake, fd);
    if (s->listens)
        return s->queued > 0 ? HF_OS_IN : 0;
    if (s->refused || s->reset)
        return HF_OS_IN | HF_OS_OUT | HF_OS_HUP;
    if (!s->made)
        return 0;
    uint32_t ready = 0;
    if (waiting(s).len > 0 || s->ended_in)
        ready |= HF_OS_IN;
    if (s->peer == NULL || s->ended_out || room_in(fake, s->peer) > 0)
        ready |= HF_OS_OUT;
    if (s->ended_in && s->ended_out)
        ready |= HF_OS_HUP;
    return ready;
}
