/* conn.c - the life of an HTTP/1.x connection: open, run, wait, end (conn.h).
 *
 * Poller interest and deadlines are lazy. IN stays registered while a request is in hand and is
 * taken back only when an event comes that nobody wants; the deadline node stands at some time not
 * later than the true deadline and is moved when it pops. So a keep-alive request costs one read,
 * one write, and no other system call and no heap work.
 */
#include "gateway/conn.h"

#include <stdio.h>
#include <stdlib.h>

static void on_event(struct hf_os_watch *watch, uint32_t ready);

/* ---- streams ---- */

static void stream_ready(struct hf_exchange *x)
{
    struct hf_stream *s = HF_CONTAINER_OF(x, struct hf_stream, x);
    if (s->conn != NULL)
        hf_conn_ready(s->conn);
}

static void trim(struct hf_buf *buf)
{
    hf_buf_clear(buf);
    if (buf->cap > HF_GATEWAY_SPARE_MAX)
        hf_buf_done(buf);
}

/* Back to what calloc gives, but with warm buffers. */
static void stream_release(struct hf_exchange *x)
{
    struct hf_stream *s = HF_CONTAINER_OF(x, struct hf_stream, x);
    struct hf_gateway *gw = x->gw;
    if (!HF_GATEWAY_WARM || gw->freed || gw->n_spare_streams >= HF_GATEWAY_STREAMS) {
        hf_stream_free(s);
        return;
    }
    trim(&s->p.head);
    trim(&s->p.tail);
    trim(&s->x.names);
    *s = (struct hf_stream){
        .x.names = s->x.names, .p.head = s->p.head, .p.tail = s->p.tail};
    hf_list_push_back(&gw->spare_streams, &s->in_conn);
    gw->n_spare_streams++;
}

static const struct hf_exchange_owner stream_owner = {stream_ready, stream_release};

struct hf_stream *hf_stream_new(struct hf_conn *c)
{
    struct hf_gateway *gw = c->gw;
    struct hf_list *spare = hf_list_pop_front(&gw->spare_streams);
    struct hf_stream *s;
    if (spare != NULL) {
        s = HF_LIST_ENTRY(spare, struct hf_stream, in_conn);
        gw->n_spare_streams--;
    } else if ((s = calloc(1, sizeof *s)) == NULL) {
        return NULL;
    }
    hf_exchange_open(&s->x, gw, &stream_owner);
    s->conn = c;
    s->safe = true;
    hf_list_push_back(&c->streams, &s->in_conn);
    if (c->n_streams++ == 0)
        gw->stats.busy++;
    return s;
}

void hf_stream_end(struct hf_stream *s, const char *how)
{
    struct hf_conn *c = s->conn;
    hf_list_remove(&s->in_conn);
    c->n_unsafe -= !s->safe;
    if (c->reading == s)
        c->reading = NULL;
    if (--c->n_streams == 0) {
        c->gw->stats.busy--;
        c->in_ns = c->gw->now_ns; /* idle from now on */
    }
    s->conn = NULL;
    hf_exchange_close(&s->x, how, s->begun ? s->x.reply.status : 0, c->peer);
}

void hf_stream_free(struct hf_stream *s)
{
    hf_pieces_done(&s->p);
    hf_buf_done(&s->x.names);
    free(s);
}

/* ---- open and end ---- */

static void arm(struct hf_conn *c);

enum hf_err hf_conn_open(struct hf_gateway *gw, int fd, const struct hf_os_addr *peer)
{
    struct hf_os *os = gw->s.os;
    struct hf_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        os->close(os, fd);
        return HF_LIMIT;
    }
    c->watch.on_ready = on_event;
    c->gw = gw;
    c->fd = fd;
    c->fresh = true;
    c->interest = HF_OS_IN;
    c->in_ns = c->out_ns = gw->now_ns;
    snprintf(c->peer, sizeof c->peer, "%.*s", (int)sizeof c->peer - 1, peer->text);
    hf_list_init(&c->streams);
    enum hf_err err = os->poller_add(gw->s.poller, fd, HF_OS_IN, &c->watch);
    if (err != HF_OK) {
        os->close(os, fd);
        free(c);
        return err;
    }
    hf_list_push_back(&gw->conns, &c->in_gateway);
    gw->stats.accepted++;
    gw->stats.open++;
    arm(c);
    return HF_OK;
}

void hf_conn_free(struct hf_conn *c)
{
    hf_buf_done(&c->in);
    free(c);
}

void hf_conn_ready(struct hf_conn *c)
{
    if (c->state != HF_CONN_DEAD && !hf_list_linked(&c->in_ready))
        hf_list_push_back(&c->gw->ready, &c->in_ready);
}

void hf_conn_kill(struct hf_conn *c, const char *how, bool reset)
{
    struct hf_gateway *gw = c->gw;
    struct hf_os *os = gw->s.os;
    struct hf_stream *s;
    if (c->state == HF_CONN_DEAD)
        return;
    c->state = HF_CONN_DEAD;
    os->poller_remove(gw->s.poller, c->fd);
    if (reset)
        os->close_reset(os, c->fd);
    else
        os->close(os, c->fd);
    c->fd = -1;
    hf_heap_remove(&gw->deadlines, &c->deadline);
    hf_list_remove(&c->in_gateway);
    hf_list_remove(&c->in_ready);
    hf_list_push_back(&gw->dead, &c->in_ready);
    gw->stats.closed++;
    gw->stats.open--;
    while ((s = hf_conn_first(c)) != NULL)
        hf_stream_end(s, s->out == HF_OUT_DONE ? NULL : how);
    hf_listener_adjust(gw);
}

void hf_conn_gone(struct hf_conn *c)
{
    c->gw->stats.client_gone += c->n_streams > 0;
    hf_conn_kill(c, "client-gone", false);
}

void hf_conn_abort(struct hf_conn *c, const char *how)
{
    c->gw->stats.aborted++;
    hf_conn_kill(c, how, true);
}

void hf_conn_end(struct hf_conn *c)
{
    struct hf_os *os = c->gw->s.os;
    struct hf_stream *s;
    if (!c->linger || c->eof) {
        hf_conn_kill(c, "aborted", false);
        return;
    }
    while ((s = hf_conn_first(c)) != NULL)
        hf_stream_end(s, "aborted"); /* behind an answer that said `close` */
    hf_buf_clear(&c->in);
    hf_conn_release_in(c);
    os->shutdown_write(os, c->fd);
    c->state = HF_CONN_LINGER;
    c->in_ns = c->gw->now_ns;
    c->blocked = false;
}

bool hf_conn_idle(const struct hf_conn *c)
{
    return c->state == HF_CONN_OPEN && c->n_streams == 0 && c->in.len == 0;
}

/* ---- deadlines ---- */

static uint64_t sooner(uint64_t a, uint64_t since, uint64_t timeout)
{
    uint64_t b = since + timeout;
    return a < b ? a : b;
}

static uint64_t deadline(struct hf_conn *c)
{
    const struct hf_gateway_settings *s = &c->gw->s;
    uint64_t at = UINT64_MAX;
    if (c->state == HF_CONN_LINGER)
        return c->in_ns + HF_CONN_LINGER_NS;
    if (c->blocked)
        at = sooner(at, c->out_ns, s->write_timeout_ns);
    if (!hf_conn_wants_read(c))
        return at;
    if (c->reading != NULL)
        return sooner(at, c->in_ns, s->body_timeout_ns);
    if (c->in.len > 0)
        return sooner(at, c->in_ns, s->head_timeout_ns);
    if (c->n_streams == 0)
        return sooner(at, c->in_ns, c->fresh ? s->head_timeout_ns : s->idle_timeout_ns);
    return at;
}

static void arm(struct hf_conn *c)
{
    uint64_t at = deadline(c);
    if (at == UINT64_MAX || (hf_heap_has(&c->deadline) && c->deadline.at <= at))
        return;
    if (hf_heap_set(&c->gw->deadlines, &c->deadline, at) != HF_OK)
        hf_conn_kill(c, "no-memory", true); /* nothing may wait without a deadline */
}

/* What is overdue now, most urgent first. */
static void expire(struct hf_conn *c)
{
    const struct hf_gateway_settings *s = &c->gw->s;
    uint64_t now = c->gw->now_ns;
    if (c->state == HF_CONN_LINGER) {
        hf_conn_kill(c, NULL, false);
        return;
    }
    bool silent = c->reading == NULL && c->in.len == 0;
    c->gw->stats.timeouts += !silent || c->blocked;
    if (c->blocked && now >= c->out_ns + s->write_timeout_ns) {
        hf_conn_abort(c, "slow-reader");
    } else if (c->reading != NULL) {
        hf_conn_refuse_body(c, 408, "slow-body", "the request body came too slowly", HF_TIMEOUT);
    } else if (c->in.len > 0) {
        hf_conn_refuse_head(c, hf_buf_view(&c->in), 408, "slow-head",
                            "the request head came too slowly");
    } else {
        hf_conn_kill(c, NULL, false); /* idle: nobody waits for an answer */
    }
}

/* ---- running ---- */

static void wait_for(struct hf_stream *s, bool room, bool bytes)
{
    if (s->x.waiting || room || bytes)
        hf_exchange_wait(&s->x, room, bytes);
}

/* After anything happened: says to poller, blobs and clock what it waits for now. `unwanted`: an IN
 * event came that nobody could use. */
static void settle(struct hf_conn *c, bool unwanted)
{
    struct hf_os *os = c->gw->s.os;
    if (c->state == HF_CONN_OPEN && c->n_streams == 0 && (c->eof || c->stopped)) {
        if (c->in.len > 0 && !c->stopped)
            hf_conn_half_head(c);
        else
            hf_conn_end(c);
    }
    if (c->state == HF_CONN_DEAD)
        return;
    struct hf_stream *first = hf_conn_first(c), *reading = c->reading;
    bool bytes = !c->blocked && hf_conn_wants_bytes(c);
    c->starved = reading != NULL && hf_exchange_room(&reading->x) == 0;
    if (reading != NULL)
        wait_for(reading, c->starved, bytes && reading == first);
    if (first != NULL && first != reading)
        wait_for(first, false, bytes);

    uint32_t interest = c->blocked ? HF_OS_OUT : 0;
    if (hf_conn_wants_read(c))
        interest |= HF_OS_IN;
    else if (!unwanted)
        interest |= c->interest & HF_OS_IN;
    if (interest != c->interest) {
        if (os->poller_set(c->gw->s.poller, c->fd, interest, &c->watch) != HF_OK) {
            hf_conn_kill(c, "no-memory", true);
            return;
        }
        c->interest = (uint8_t)interest;
    }
    arm(c);
}

void hf_conn_run(struct hf_conn *c)
{
    for (unsigned i = 0; c->state == HF_CONN_OPEN; i++) {
        if (!hf_conn_write(c) || c->state != HF_CONN_OPEN)
            break;
        if (i == HF_CONN_WRITES_MAX) {
            hf_conn_ready(c);
            break;
        }
        if (!hf_conn_resume(c))
            break;
    }
    if (c->starved && c->state == HF_CONN_OPEN && hf_conn_wants_read(c)) {
        c->in_ns = c->gw->now_ns;
        hf_conn_read(c);
    }
    settle(c, false);
}

static void on_event(struct hf_os_watch *watch, uint32_t ready)
{
    struct hf_conn *c = HF_CONTAINER_OF(watch, struct hf_conn, watch);
    bool unwanted = false;
    if (c->state == HF_CONN_DEAD)
        return;
    if ((ready & HF_OS_HUP) != 0) {
        hf_conn_gone(c);
        return;
    }
    if ((ready & HF_OS_OUT) != 0) {
        c->blocked = false;
        hf_conn_ready(c);
    }
    if ((ready & HF_OS_IN) != 0) {
        unwanted = !hf_conn_wants_read(c);
        if (!unwanted)
            hf_conn_read(c);
    }
    settle(c, unwanted);
}

void hf_conn_tick(struct hf_conn *c)
{
    if (deadline(c) <= c->gw->now_ns)
        expire(c);
    settle(c, false);
}

void hf_conn_drain(struct hf_conn *c)
{
    if (hf_conn_idle(c) && !c->eof)
        hf_conn_read(c); /* a request that is here already is still answered */
    if (hf_conn_idle(c))
        hf_conn_kill(c, NULL, false);
    else if (c->state == HF_CONN_OPEN)
        c->stopped |= c->n_streams >
                      0; /* what was taken on is answered, the last one with `connection: close` */
    settle(c, false);
}
