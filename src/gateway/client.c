/* client.c - the client's verbs, and the life of a call (client.h, client_inside.h). */
#include "gateway/client_inside.h"

#include <stdlib.h>

#define SECOND 1000000000ull

/* ---- calls ---- */

static void on_wake(struct hf_waitset *set)
{
    struct hf_client_call *k = HF_CONTAINER_OF(set, struct hf_client_call, set);
    if (k->conn != NULL)
        hf_cconn_ready(k->conn);
}

static void trim(struct hf_buf *buf)
{
    hf_buf_clear(buf);
    if (buf->cap > HF_CLIENT_SPARE_MAX)
        hf_buf_done(buf);
}

static void call_destroy(struct hf_client_call *k)
{
    hf_buf_done(&k->request);
    hf_pieces_done(&k->p);
    free(k);
}

/* For the next: as calloc gives it, but with warm buffers. */
static void call_release(struct hf_client_call *k)
{
    struct hf_client *c = k->c;
    if (!HF_GATEWAY_WARM || c->freed || c->n_spare_calls >= HF_CLIENT_CALLS) {
        call_destroy(k);
        return;
    }
    trim(&k->request);
    trim(&k->p.head);
    trim(&k->p.tail);
    struct hf_buf request = k->request, head = k->p.head, tail = k->p.tail;
    memset(k, 0, offsetof(struct hf_client_call, one));
    k->request = request;
    k->p.head = head;
    k->p.tail = tail;
    hf_list_push_back(&c->spare_calls, &k->in_queue);
    c->n_spare_calls++;
}

static struct hf_client_call *call_take(struct hf_client *c)
{
    struct hf_list *spare = hf_list_pop_front(&c->spare_calls);
    if (spare == NULL)
        return calloc(1, sizeof(struct hf_client_call));
    c->n_spare_calls--;
    return HF_LIST_ENTRY(spare, struct hf_client_call, in_queue);
}

void hf_call_free(struct hf_client_call *k)
{
    hf_waiter_disarm(&k->bytes);
    hf_waiter_disarm(&k->room);
    hf_waitset_unpark(&k->set);
    hf_list_remove(&k->in_queue);
    hf_heap_remove(&k->c->deadlines, &k->deadline);
    hf_call_body_fail(k, HF_CANCELLED);
    hf_blob_reader_close(&k->body);
    hf_blob_unref(k->blob);
    hf_tls_context_unref(k->tls);
    if (k->addrs != &k->one)
        free(k->addrs);
    call_release(k);
}

void hf_call_fault(struct hf_client_call *k, const struct hf_fault *fault)
{
    struct hf_client_answer answer = {.fault = *fault};
    void (*done)(void *, struct hf_client_answer *) = k->done;
    void *owner = k->owner;
    k->c->stats.faults++;
    hf_call_free(k);
    if (done != NULL)
        done(owner, &answer);
}

void hf_call_deadline(struct hf_client_call *k, uint64_t at)
{
    if (at == UINT64_MAX || (hf_heap_has(&k->deadline) && k->deadline.at <= at))
        return;
    /* No memory for a new entry: the guest's own deadline is all there is then. The heap keeps its
     * room, so that is when very many calls begin at the very end of memory. */
    (void)!hf_heap_set(&k->c->deadlines, &k->deadline, at);
}

void hf_call_rewind(struct hf_client_call *k)
{
    k->out = HF_CALL_HEAD;
    hf_pieces_reset(&k->p);
    k->scan = (struct hf_http1_scan){0};
    k->interim = 0;
}

static bool may_repeat(struct hf_view method)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++)
        if (hf_view_eq_text(method, names[i]))
            return true;
    return false;
}

static enum hf_err call_new(struct hf_client *c, const struct hf_client_request *r,
                            struct hf_client_call **ret)
{
    struct hf_client_call *k = call_take(c);
    if (k == NULL)
        return HF_LIMIT;
    k->c = c;
    if (hf_buf_add_view(&k->request, r->head) != HF_OK) {
        call_release(k);
        return HF_LIMIT;
    }
    if (hf_head_read(hf_buf_view(&k->request), &k->head, NULL) != HF_OK ||
        k->head.kind != HF_HEAD_REQUEST) {
        call_release(k);
        return HF_INVALID;
    }
    k->done = r->done;
    k->owner = r->owner;
    k->connect_ns = r->connect_ns != 0 ? r->connect_ns : c->s.connect_timeout_ns;
    k->first_byte_ns = r->first_byte_ns != 0 ? r->first_byte_ns : c->s.first_byte_timeout_ns;
    k->between_ns = r->between_ns != 0 ? r->between_ns : c->s.between_timeout_ns;
    k->begun_ns = c->now_ns;
    k->repeatable = may_repeat(k->head.method);
    k->is_head = hf_view_eq_text(k->head.method, "HEAD");
    k->n_addrs = r->n_addrs < HF_CLIENT_ADDRS_MAX ? r->n_addrs : HF_CLIENT_ADDRS_MAX;
    hf_waitset_init(&k->set, on_wake);
    if (r->tls != NULL)
        k->tls = hf_tls_context_ref(r->tls);
    k->addrs = k->n_addrs > 1 ? malloc(k->n_addrs * sizeof k->addrs[0]) : &k->one;
    if (k->addrs == NULL) {
        hf_call_free(k);
        return HF_LIMIT;
    }
    if (k->n_addrs > 0)
        memcpy(k->addrs, r->addrs, k->n_addrs * sizeof k->addrs[0]);
    *ret = k;
    return HF_OK;
}

enum hf_err hf_client_start(struct hf_client *c, const struct hf_client_request *r,
                            struct hf_client_call **ret)
{
    struct hf_client_call *k;
    HF_ASSERT(r->done != NULL);
    struct hf_client_host *h;
    enum hf_err err = hf_chost_get(c, r, &h);
    if (err != HF_OK)
        return err;
    if (h->n_waiting >= c->s.host_waiting_max)
        err = HF_LIMIT;
    if (err == HF_OK && r->n_addrs == 0 && hf_list_empty(&h->idle))
        err = HF_AGAIN;
    if (err == HF_OK)
        err = call_new(c, r, &k);
    if (err != HF_OK) {
        hf_chost_unref(h);
        return err;
    }
    k->host = h;
    if (!hf_chost_give_idle(k)) {
        if (k->n_addrs == 0) { /* what was kept turned out to be gone */
            hf_chost_leave(k);
            hf_call_free(k);
            return HF_AGAIN;
        }
        h->n_waiting++;
        hf_list_push_back(&c->starting, &k->in_queue);
        hf_call_deadline(k, k->begun_ns + k->connect_ns);
    }
    k->blob = r->blob;
    c->stats.calls++;
    *ret = k;
    return HF_OK;
}

void hf_client_cancel(struct hf_client_call *k)
{
    struct hf_client_conn *conn = k->conn;
    k->done = NULL;
    if (conn == NULL) {
        hf_chost_leave(k);
        hf_call_free(k);
        return;
    }
    conn->call = NULL;
    hf_call_free(k);
    hf_cconn_close(conn);
}

/* ---- the client ---- */

static uint32_t or_u32(uint32_t n, uint32_t standard)
{
    return n == 0 ? standard : n;
}
static uint64_t or_ns(uint64_t n, uint64_t standard)
{
    return n == 0 ? standard : n;
}

static void fill_defaults(struct hf_client_settings *s)
{
    s->connections_max = or_u32(s->connections_max, 4096);
    s->host_max = or_u32(s->host_max, 64);
    /* What a burst needed the next one needs too: closing some of them only to connect again costs
     * more than they do, and the idle timeout takes what is really too many. */
    s->host_idle_max = or_u32(s->host_idle_max, s->host_max);
    s->host_waiting_max = or_u32(s->host_waiting_max, 1024);
    s->idle_timeout_ns = or_ns(s->idle_timeout_ns, 30 * SECOND);
    s->connect_timeout_ns = or_ns(s->connect_timeout_ns, 10 * SECOND);
    s->first_byte_timeout_ns = or_ns(s->first_byte_timeout_ns, 60 * SECOND);
    s->between_timeout_ns = or_ns(s->between_timeout_ns, 60 * SECOND);
    s->write_timeout_ns = or_ns(s->write_timeout_ns, 30 * SECOND);
    s->head_max = or_u32(s->head_max, 64 * 1024);
    s->fields_max = or_u32(s->fields_max, 256);
    s->body_window = or_u32(s->body_window, HF_BLOB_WINDOW);
}

enum hf_err hf_client_new(const struct hf_client_settings *s, struct hf_client **ret,
                          struct hf_report *report)
{
    struct hf_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return hf_report_set(report, HF_LIMIT, "no memory for an HTTP client");
    c->s = *s;
    fill_defaults(&c->s);
    HF_ASSERT(c->s.os != NULL && c->s.poller != NULL && c->s.fields_max <= HF_CLIENT_FIELDS_MAX);
    c->now_ns = s->os->now_ns(s->os);
    hf_map_init(&c->hosts, 0);
    (void)!s->os->random(s->os, &c->hosts.seed, sizeof c->hosts.seed); /* else the usual one */
    hf_list_init(&c->conns);
    hf_list_init(&c->idle);
    hf_list_init(&c->ready);
    hf_list_init(&c->dead);
    hf_list_init(&c->starting);
    hf_list_init(&c->spare_calls);
    hf_heap_init(&c->deadlines);
    c->scratch = malloc(HF_CLIENT_READ_MAX);
    c->fields = calloc(c->s.fields_max, sizeof c->fields[0]);
    if (c->scratch == NULL || c->fields == NULL) {
        hf_client_free(c);
        return hf_report_set(report, HF_LIMIT, "no memory for an HTTP client");
    }
    *ret = c;
    return HF_OK;
}

static void free_dead(struct hf_client *c)
{
    struct hf_list *it;
    while ((it = hf_list_pop_front(&c->dead)) != NULL)
        hf_cconn_free(HF_LIST_ENTRY(it, struct hf_client_conn, in_ready));
}

static void forget_queue(struct hf_list *queue)
{
    while (!hf_list_empty(queue)) {
        struct hf_client_call *k = HF_LIST_ENTRY(queue->next, struct hf_client_call, in_queue);
        k->done = NULL;
        hf_client_cancel(k);
    }
}

void hf_client_free(struct hf_client *c)
{
    if (c == NULL)
        return;
    c->freed = true;
    forget_queue(&c->starting);
    while (!hf_list_empty(&c->conns)) {
        struct hf_client_conn *conn =
            HF_LIST_ENTRY(c->conns.next, struct hf_client_conn, in_client);
        struct hf_client_call *k = conn->call;
        conn->call = NULL;
        if (k != NULL)
            hf_call_free(k);
        hf_cconn_close(conn);
        forget_queue(&c->starting); /* those who waited for its place */
    }
    free_dead(c);
    for (struct hf_list *it; (it = hf_list_pop_front(&c->spare_calls)) != NULL;)
        call_destroy(HF_LIST_ENTRY(it, struct hf_client_call, in_queue));
    HF_ASSERT(c->hosts.len == 0);
    hf_map_done(&c->hosts);
    hf_heap_done(&c->deadlines);
    free(c->scratch);
    free(c->cipher);
    free(c->fields);
    free(c);
}

void hf_client_begin(struct hf_client *c, uint64_t now_ns)
{
    c->now_ns = now_ns;
}

void hf_client_flush(struct hf_client *c)
{
    struct hf_list now, *it;
    hf_list_init(&now);
    hf_list_splice_back(&now, &c->starting);
    while ((it = hf_list_pop_front(&now)) != NULL) {
        struct hf_client_call *k = HF_LIST_ENTRY(it, struct hf_client_call, in_queue);
        k->host->n_waiting--;
        hf_chost_place(k);
    }
    hf_list_splice_back(&now, &c->ready);
    while ((it = hf_list_pop_front(&now)) != NULL)
        hf_cconn_run(HF_LIST_ENTRY(it, struct hf_client_conn, in_ready));
    free_dead(c);
}

void hf_client_tick(struct hf_client *c, uint64_t now_ns)
{
    struct hf_heap_node *node;
    hf_client_begin(c, now_ns);
    while ((node = hf_heap_pop_due(&c->deadlines, now_ns)) != NULL)
        hf_cconn_expire(HF_CONTAINER_OF(node, struct hf_client_call, deadline));
    hf_chost_expire(c);
}

uint64_t hf_client_next_ns(const struct hf_client *c)
{
    const struct hf_heap_node *node = hf_heap_peek(&c->deadlines);
    uint64_t next = node == NULL ? UINT64_MAX : node->at;
    if (!hf_list_empty(&c->idle)) {
        uint64_t at = HF_LIST_ENTRY(c->idle.next, struct hf_client_conn, in_idle)->idle_ns +
                      c->s.idle_timeout_ns;
        next = at < next ? at : next;
    }
    return next;
}

bool hf_client_busy(const struct hf_client *c)
{
    return !hf_list_empty(&c->ready) || !hf_list_empty(&c->starting);
}

void hf_client_get_stats(const struct hf_client *c, struct hf_client_stats *ret)
{
    *ret = c->stats;
    ret->open = c->n_conns;
    ret->idle = c->n_idle;
    ret->waiting = 0;
    size_t at = 0;
    for (const struct hf_client_host *h; (h = hf_map_next(&c->hosts, &at)) != NULL;)
        ret->waiting += h->n_waiting;
    ret->buffer_bytes = HF_CLIENT_READ_MAX;
    HF_LIST_FOR(it, &c->conns)
    {
        const struct hf_client_conn *conn = HF_LIST_ENTRY(it, struct hf_client_conn, in_client);
        ret->buffer_bytes += conn->in.cap;
        if (conn->tls != NULL)
            ret->buffer_bytes += hf_tls_buffers(conn->tls);
    }
}
