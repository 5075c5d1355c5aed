/* client_conn.c - one connection to another server: connecting, TLS, bytes, waiting, end.
 *
 * Addresses are tried one after another, each with its share of the time that is left. Above the
 * bytes there is no difference between TLS and none. A reset looks like an end to a read, and an
 * answer without a length must not be taken for whole then: the system is asked which it was.
 */
#include "gateway/client_inside.h"

#include <stdlib.h>

/* ---- open and close -------------------------------------------------------------------------- */

static void on_event(struct hf_os_watch *watch, uint32_t ready);

static enum hf_err set_interest(struct hf_client_conn *conn, uint32_t interest)
{
    struct hf_os *os = conn->c->s.os;
    struct hf_os_poller *poller = conn->c->s.poller;
    enum hf_err err = HF_OK;
    if (interest == conn->interest)
        return HF_OK;
    if (interest == 0) /* known without interest it would still be reported, once it is dead */
        os->poller_remove(poller, conn->fd);
    else if (conn->interest == 0)
        err = os->poller_add(poller, conn->fd, interest, &conn->watch);
    else
        err = os->poller_set(poller, conn->fd, interest, &conn->watch);
    if (err == HF_OK)
        conn->interest = (uint8_t)interest;
    return err;
}

static void close_fd(struct hf_client_conn *conn)
{
    if (conn->fd < 0)
        return;
    (void)!set_interest(conn, 0); /* taking away cannot fail */
    conn->c->s.os->close(conn->c->s.os, conn->fd);
    conn->fd = -1;
}

/* Goes on to the next address that can be tried. */
static bool connect_next(struct hf_client_conn *conn, struct hf_fault *fault)
{
    struct hf_client *c = conn->c;
    struct hf_client_call *k = conn->call;
    struct hf_os *os = c->s.os;
    uint64_t end = k->begun_ns + k->connect_ns;
    uint64_t left = end > c->now_ns ? end - c->now_ns : 0;
    close_fd(conn);
    while (k->at_addr < k->n_addrs) {
        conn->try_until_ns = c->now_ns + left / (k->n_addrs - k->at_addr);
        conn->addr = k->addrs[k->at_addr++];
        enum hf_err err = os->connect(os, &conn->addr, &conn->fd, NULL);
        if (err == HF_OK && set_interest(conn, HF_OS_OUT) == HF_OK) {
            conn->state = HF_CC_CONNECTING;
            return true;
        }
        if (err == HF_OK || err == HF_LIMIT) {
            hf_fault_set(fault, HF_FAULT_INTERNAL, 0, "no descriptor for a connection");
            if (err == HF_OK)
                close_fd(conn);
            return false;
        }
        conn->fd = -1;
        hf_fault_set(fault, HF_FAULT_UNROUTABLE, 0, "%.100s: no way leads there", conn->addr.text);
    }
    return false;
}

bool hf_cconn_open(struct hf_client_call *k, struct hf_fault *fault)
{
    struct hf_client *c = k->c;
    struct hf_client_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        hf_fault_set(fault, HF_FAULT_INTERNAL, 0, "no memory for a connection");
        return false;
    }
    conn->watch.on_ready = on_event;
    conn->c = c;
    conn->fd = -1;
    conn->call = k;
    k->at_addr = 0;
    k->timed_out = false;
    if (!connect_next(conn, fault)) {
        free(conn);
        return false;
    }
    conn->host = k->host; /* the call's reference is the connection's now */
    conn->host->n_conns++;
    k->host = NULL;
    k->conn = conn;
    k->in_ns = conn->out_ns = c->now_ns;
    c->n_conns++;
    c->stats.connects++;
    hf_list_push_back(&c->conns, &conn->in_client);
    hf_cconn_run(conn);
    return true;
}

void hf_cconn_attach(struct hf_client_conn *conn, struct hf_client_call *k)
{
    HF_ASSERT(conn->call == NULL && k->conn == NULL);
    conn->call = k;
    conn->state = HF_CC_BUSY;
    k->conn = conn;
    k->in_ns = conn->out_ns = conn->c->now_ns;
}

static enum hf_err flush_tls(struct hf_client_conn *conn);

void hf_cconn_close(struct hf_client_conn *conn)
{
    struct hf_client *c = conn->c;
    HF_ASSERT(conn->call == NULL && conn->state != HF_CC_DEAD);
    if (conn->tls != NULL && conn->fd >= 0) {
        hf_tls_close(conn->tls);
        (void)!flush_tls(conn); /* a courtesy: what is not taken at once is not said */
    }
    hf_chost_lost(conn);
    conn->state = HF_CC_DEAD;
    close_fd(conn);
    hf_list_remove(&conn->in_client);
    hf_list_remove(&conn->in_ready);
    hf_list_push_back(&c->dead, &conn->in_ready);
}

void hf_cconn_free(struct hf_client_conn *conn)
{
    hf_tls_free(conn->tls);
    hf_buf_done(&conn->in);
    free(conn);
}

void hf_cconn_ready(struct hf_client_conn *conn)
{
    if (conn->state != HF_CC_DEAD && !hf_list_linked(&conn->in_ready))
        hf_list_push_back(&conn->c->ready, &conn->in_ready);
}

/* ---- ends that nobody wanted ----------------------------------------------------------------- */

/* What a reader of the answer's body is told. */
static enum hf_err body_err(enum hf_fault_kind kind)
{
    switch (kind) {
    case HF_FAULT_READ_TIMEOUT:
    case HF_FAULT_WRITE_TIMEOUT: return HF_TIMEOUT;
    case HF_FAULT_PROTOCOL: return HF_INVALID;
    case HF_FAULT_TRAILER_SIZE:
    case HF_FAULT_INTERNAL: return HF_LIMIT;
    default: return HF_CLOSED;
    }
}

/* The server may have closed the connection before it saw this request (RFC 9112 9.3.1). */
static bool may_try_again(const struct hf_client_conn *conn, const struct hf_client_call *k,
                          enum hf_fault_kind kind)
{
    return kind == HF_FAULT_TERMINATED && conn->served > 0 && k->repeatable && !k->retried &&
           !k->got_byte && k->body.at == 0;
}

static void try_again(struct hf_client_conn *conn, struct hf_client_call *k)
{
    if (k->n_addrs == 0) {
        k->addrs[0] = conn->addr;
        k->n_addrs = 1;
    }
    k->retried = k->fresh = true;
    k->begun_ns = k->c->now_ns;
    k->host = conn->host;
    k->host->refs++;
    k->c->stats.retried++;
    hf_waiter_disarm(&k->bytes);
    hf_waitset_unpark(&k->set);
    hf_call_rewind(k);
}

void hf_cconn_break(struct hf_client_conn *conn, enum hf_fault_kind kind, uint64_t number,
                    const char *text)
{
    struct hf_client_call *k = conn->call;
    struct hf_fault fault = {0};
    const struct hf_fault *tls = conn->tls == NULL ? NULL : hf_tls_fault(conn->tls);
    bool again = k != NULL && may_try_again(conn, k, kind);
    if (kind == HF_FAULT_TERMINATED && tls != NULL && tls->kind != HF_FAULT_NONE)
        fault = *tls;
    hf_fault_set(&fault, kind, number, "%s", text);
    if (k != NULL) {
        conn->call = NULL;
        k->conn = NULL;
        if (again)
            try_again(conn, k);
    }
    hf_cconn_close(conn);
    if (k == NULL)
        return;
    if (again) {
        hf_chost_place(k);
    } else if (k->answered) {
        k->c->stats.faults++;
        hf_call_body_fail(k, body_err(fault.kind));
        hf_call_free(k);
    } else {
        hf_call_fault(k, &fault);
    }
}

/* This address will not do: on to the next, or that was the last. */
static bool connect_failed(struct hf_client_conn *conn, enum hf_fault_kind kind)
{
    struct hf_client_call *k = conn->call;
    struct hf_fault fault = {0};
    k->timed_out |= kind == HF_FAULT_CONNECT_TIMEOUT;
    if (k->timed_out)
        hf_fault_set(&fault, HF_FAULT_CONNECT_TIMEOUT, 0, "%.100s: no connection in time",
                     conn->addr.text);
    else
        hf_fault_set(&fault, kind, 0, "%.100s: nobody listens there", conn->addr.text);
    if (connect_next(conn, &fault))
        return true;
    hf_cconn_break(conn, fault.kind, 0, fault.text);
    return false;
}

void hf_cconn_expire(struct hf_client_call *k)
{
    struct hf_client_conn *conn = k->conn;
    uint64_t now = k->c->now_ns;
    if (conn == NULL) {
        struct hf_fault fault = {0};
        if (now < k->begun_ns + k->connect_ns) {
            hf_call_deadline(k, k->begun_ns + k->connect_ns);
            return;
        }
        hf_fault_set(&fault, HF_FAULT_LIMIT, 0, "no connection to this server came free in time");
        hf_chost_leave(k);
        hf_call_fault(k, &fault);
        return;
    }
    switch (conn->state) {
    case HF_CC_CONNECTING:
        if (now >= conn->try_until_ns && !connect_failed(conn, HF_FAULT_CONNECT_TIMEOUT))
            return;
        break;
    case HF_CC_SHAKING:
        if (now >= k->begun_ns + k->connect_ns) {
            hf_cconn_break(conn, HF_FAULT_CONNECT_TIMEOUT, 0, "TLS was not ready in time");
            return;
        }
        break;
    default:
        if (conn->blocked && now >= conn->out_ns + k->c->s.write_timeout_ns) {
            hf_cconn_break(conn, HF_FAULT_WRITE_TIMEOUT, 0, "the server takes no more");
            return;
        }
        if (hf_call_due(k) <= now) {
            hf_cconn_break(conn, HF_FAULT_READ_TIMEOUT, 0,
                           k->answered ? "no more of the answer came in time"
                                       : "no answer came in time");
            return;
        }
    }
    hf_cconn_run(conn);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum hf_err flush_tls(struct hf_client_conn *conn)
{
    struct hf_os *os = conn->c->s.os;
    struct hf_view out;
    while ((out = hf_tls_drain(conn->tls)).len > 0) {
        struct iovec iov = {(void *)(uintptr_t)out.ptr, out.len};
        size_t n;
        enum hf_err err = os->writev(os, conn->fd, &iov, 1, &n);
        conn->blocked = err == HF_AGAIN;
        if (err != HF_OK)
            return err;
        conn->out_ns = conn->c->now_ns;
        hf_tls_drained(conn->tls, n);
    }
    return HF_OK;
}

static enum hf_err write_tls(struct hf_client_conn *conn, const struct iovec *iov, int n,
                             size_t *took)
{
    enum hf_err err = flush_tls(conn);
    for (int i = 0; i < n && err == HF_OK; i++) {
        struct hf_view rest = hf_view(iov[i].iov_base, iov[i].iov_len);
        while (rest.len > 0 && err == HF_OK) {
            size_t some;
            err = hf_tls_write(conn->tls, rest, &some);
            rest = hf_view_skip(rest, some);
            *took += some;
            if (err == HF_AGAIN && (err = flush_tls(conn)) == HF_OK)
                continue;
        }
    }
    if (err == HF_OK)
        err = flush_tls(conn);
    return *took > 0 && err == HF_AGAIN ? HF_OK : err;
}

enum hf_err hf_cconn_writev(struct hf_client_conn *conn, const struct iovec *iov, int n,
                            size_t *took)
{
    struct hf_os *os = conn->c->s.os;
    *took = 0;
    if (conn->tls != NULL)
        return write_tls(conn, iov, n, took);
    enum hf_err err = os->writev(os, conn->fd, iov, n, took);
    conn->blocked = err == HF_AGAIN;
    if (err == HF_OK)
        conn->out_ns = conn->c->now_ns;
    return err;
}

/* Ciphertext from the socket into the session. HF_AGAIN: none there. */
static enum hf_err feed_tls(struct hf_client_conn *conn)
{
    struct hf_client *c = conn->c;
    struct hf_os *os = c->s.os;
    size_t want = hf_tls_feed_room(conn->tls), n;
    if (conn->quiet || want == 0)
        return HF_AGAIN;
    if (c->cipher == NULL && (c->cipher = malloc(HF_TLS_FEED_MAX)) == NULL)
        return HF_LIMIT;
    enum hf_err err = os->read(os, conn->fd, c->cipher, want, &n);
    if (err == HF_AGAIN) {
        conn->quiet = true;
        return err;
    }
    if (err != HF_OK) { /* an end or a reset: the session knows whether it was at its own end */
        hf_tls_feed_end(conn->tls);
        return HF_OK;
    }
    conn->quiet = n < want;
    return hf_tls_feed(conn->tls, hf_view(c->cipher, n));
}

enum hf_err hf_cconn_read(struct hf_client_conn *conn, void *buf, size_t len, size_t *n)
{
    struct hf_os *os = conn->c->s.os;
    enum hf_err err;
    *n = 0;
    if (conn->tls != NULL) {
        while ((err = hf_tls_read(conn->tls, buf, len, n)) == HF_AGAIN)
            if ((err = feed_tls(conn)) != HF_OK)
                return err;
        return err;
    }
    if (conn->quiet)
        return HF_AGAIN;
    err = os->read(os, conn->fd, buf, len, n);
    if (err == HF_CLOSED && os->connect_result(os, conn->fd) != HF_OK)
        return HF_IO; /* a reset: the end of nothing */
    conn->quiet = err == HF_AGAIN || (err == HF_OK && *n < len);
    return err;
}

/* ---- running --------------------------------------------------------------------------------- */

/* True: connected. */
static bool finish_connect(struct hf_client_conn *conn)
{
    struct hf_client_call *k = conn->call;
    struct hf_os *os = conn->c->s.os;
    enum hf_err err = os->connect_result(os, conn->fd);
    while (err != HF_OK) {
        if (err == HF_AGAIN ||
            !connect_failed(conn, err == HF_TIMEOUT ? HF_FAULT_CONNECT_TIMEOUT : HF_FAULT_REFUSED))
            return false;
        err = os->connect_result(os, conn->fd);
    }
    conn->state = HF_CC_BUSY;
    k->in_ns = conn->out_ns = conn->c->now_ns;
    if (k->tls == NULL)
        return true;
    conn->state = HF_CC_SHAKING;
    err = hf_tls_new(k->tls, hf_chost_name(conn->host), &conn->tls);
    if (err == HF_OK)
        return true;
    hf_cconn_break(conn, err == HF_LIMIT ? HF_FAULT_INTERNAL : HF_FAULT_TLS_CERTIFICATE, 0,
                   err == HF_LIMIT ? "no memory for TLS" : "a name that no certificate can be for");
    return false;
}

/* True: TLS is ready. */
static bool shake(struct hf_client_conn *conn)
{
    for (;;) {
        enum hf_err err = hf_tls_handshake(conn->tls);
        (void)!flush_tls(conn); /* a server that takes no more may have said why before */
        if (err == HF_AGAIN)
            err = feed_tls(conn);
        else if (err == HF_OK)
            break;
        if (err == HF_AGAIN)
            return false;
        if (err != HF_OK) {
            hf_cconn_break(conn, err == HF_LIMIT ? HF_FAULT_INTERNAL : HF_FAULT_TERMINATED, 0,
                           "the TLS handshake failed");
            return false;
        }
    }
    conn->state = HF_CC_BUSY;
    conn->call->in_ns = conn->c->now_ns;
    return true;
}

/* Nothing may come on an idle connection but what belongs to TLS itself. */
static void look_at_idle(struct hf_client_conn *conn)
{
    uint8_t byte;
    size_t n;
    if (hf_cconn_read(conn, &byte, 1, &n) != HF_AGAIN)
        hf_cconn_close(conn);
}

static void wait_for_blobs(struct hf_client_conn *conn, struct hf_client_call *k)
{
    hf_waitset_unpark(&k->set);
    hf_waiter_disarm(&k->bytes);
    hf_waiter_disarm(&k->room);
    if (!conn->blocked && hf_call_wants_bytes(k))
        hf_waiter_arm(&k->bytes, &k->body.wait, &k->set);
    if (k->answer != NULL && !k->unwanted)
        hf_waiter_arm(&k->room,
                      hf_blob_room(k->answer) == 0 ? hf_blob_room_wait(k->answer)
                                                   : hf_blob_gone_wait(k->answer),
                      &k->set);
    if (!hf_waitset_park(&k->set, false))
        hf_cconn_ready(conn);
}

/* After anything happened: says to poller, blobs and clock what it waits for now. */
static void settle(struct hf_client_conn *conn)
{
    struct hf_client_call *k = conn->call;
    uint32_t interest = HF_OS_IN;
    uint64_t at = UINT64_MAX;
    switch (conn->state) {
    case HF_CC_DEAD: return;
    case HF_CC_CONNECTING:
        interest = HF_OS_OUT;
        at = conn->try_until_ns;
        break;
    case HF_CC_SHAKING:
        interest |= conn->blocked ? HF_OS_OUT : 0;
        at = k->begun_ns + k->connect_ns;
        break;
    case HF_CC_BUSY:
        interest = (conn->blocked ? HF_OS_OUT : 0) | (hf_call_wants_read(k) ? HF_OS_IN : 0);
        at = hf_call_due(k);
        if (conn->blocked && conn->out_ns + conn->c->s.write_timeout_ns < at)
            at = conn->out_ns + conn->c->s.write_timeout_ns;
        wait_for_blobs(conn, k);
        break;
    default: break;
    }
    if (set_interest(conn, interest) != HF_OK) {
        hf_cconn_break(conn, HF_FAULT_INTERNAL, 0, "no memory to wait for a connection");
        return;
    }
    if (k != NULL)
        hf_call_deadline(k, at);
}

void hf_cconn_run(struct hf_client_conn *conn)
{
    hf_list_remove(&conn->in_ready);
    if (conn->state == HF_CC_CONNECTING && !finish_connect(conn)) {
        settle(conn);
        return;
    }
    if (conn->state == HF_CC_SHAKING && !shake(conn)) {
        settle(conn);
        return;
    }
    if (conn->state == HF_CC_BUSY && hf_call_send(conn))
        hf_call_receive(conn);
    else if (conn->state == HF_CC_IDLE)
        look_at_idle(conn);
    settle(conn);
}

static void on_event(struct hf_os_watch *watch, uint32_t ready)
{
    struct hf_client_conn *conn = HF_CONTAINER_OF(watch, struct hf_client_conn, watch);
    if (conn->state == HF_CC_DEAD)
        return;
    if ((ready & (HF_OS_OUT | HF_OS_HUP)) != 0)
        conn->blocked = false;
    if ((ready & (HF_OS_IN | HF_OS_HUP)) != 0)
        conn->quiet = false;
    hf_cconn_run(conn);
}
