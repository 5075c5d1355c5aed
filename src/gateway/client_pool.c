/* client_pool.c - kept connections and who waits for one (client_inside.h).
 *
 * A host lives while anything refers to it: a connection, or a call that has none. The most
 * recently used connection is used first, so that those above the need grow old and go.
 */
#include "gateway/client_inside.h"

#include <stdlib.h>

#define KEY_FIXED (sizeof(uint64_t) + 3) /* realm, TLS, port; the name is the rest */
#define NAME_MAX  256u

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

enum hf_err hf_chost_get(struct hf_client *c, const struct hf_client_request *r,
                         struct hf_client_host **ret)
{
    uint8_t key[KEY_FIXED + NAME_MAX];
    if (r->host.len == 0 || r->host.len > NAME_MAX)
        return HF_INVALID;
    memcpy(key, &r->realm, sizeof r->realm);
    key[8] = r->tls != NULL;
    key[9] = (uint8_t)(r->port >> 8);
    key[10] = (uint8_t)r->port;
    for (size_t i = 0; i < r->host.len; i++)
        key[KEY_FIXED + i] = lower(r->host.ptr[i]);
    size_t len = KEY_FIXED + r->host.len;
    struct hf_client_host *h = hf_map_get(&c->hosts, hf_view(key, len));
    if (h == NULL) {
        h = calloc(1, sizeof *h + len);
        if (h == NULL)
            return HF_LIMIT;
        h->c = c;
        h->key_len = len;
        memcpy(h->key, key, len);
        hf_list_init(&h->idle);
        hf_list_init(&h->waiting);
        if (hf_map_put(&c->hosts, hf_view(h->key, len), h, NULL) != HF_OK) {
            free(h);
            return HF_LIMIT;
        }
    }
    h->refs++;
    *ret = h;
    return HF_OK;
}

struct hf_view hf_chost_name(const struct hf_client_host *h)
{
    return hf_view(h->key + KEY_FIXED, h->key_len - KEY_FIXED);
}

void hf_chost_unref(struct hf_client_host *h)
{
    HF_ASSERT(h->refs > 0);
    if (--h->refs > 0)
        return;
    hf_map_remove(&h->c->hosts, hf_view(h->key, h->key_len));
    free(h);
}

static void not_idle(struct hf_client_conn *conn)
{
    hf_list_remove(&conn->in_host);
    hf_list_remove(&conn->in_idle);
    conn->host->n_idle--;
    conn->c->n_idle--;
}

bool hf_chost_give_idle(struct hf_client_call *k)
{
    struct hf_client_host *h = k->host;
    struct hf_os *os = k->c->s.os;
    while (!k->fresh && !hf_list_empty(&h->idle)) {
        struct hf_client_conn *conn = HF_LIST_ENTRY(h->idle.next, struct hf_client_conn, in_host);
        /* A request that cannot be repeated is worth a look whether the server has closed. */
        if (!k->repeatable && os->probe(os, conn->fd, HF_OS_IN) != 0) {
            hf_cconn_close(conn);
            continue;
        }
        not_idle(conn);
        k->c->stats.reused++;
        k->host = NULL; /* the connection has its own */
        hf_cconn_attach(conn, k);
        hf_chost_unref(h);
        hf_cconn_ready(conn);
        return true;
    }
    return false;
}

/* Room for one more connection among all, if need be by closing the longest idle one. */
static bool make_room(struct hf_client *c)
{
    if (c->n_conns < c->s.connections_max)
        return true;
    if (hf_list_empty(&c->idle))
        return false;
    hf_cconn_close(HF_LIST_ENTRY(c->idle.next, struct hf_client_conn, in_idle));
    return true;
}

void hf_chost_place(struct hf_client_call *k)
{
    struct hf_client_host *h = k->host;
    struct hf_fault fault = {0};
    if (hf_chost_give_idle(k))
        return;
    if (h->n_conns >= k->c->s.host_max || !make_room(k->c)) {
        if (h->n_conns > 0) { /* one of them will come free */
            h->n_waiting++;
            hf_list_push_back(&h->waiting, &k->in_queue);
            hf_call_deadline(k, k->begun_ns + k->connect_ns);
            return;
        }
        hf_fault_set(&fault, HF_FAULT_LIMIT, 0, "too many connections are open");
    } else if (hf_cconn_open(k, &fault)) {
        return;
    }
    k->host = NULL;
    hf_call_fault(k, &fault);
    hf_chost_unref(h);
}

void hf_chost_leave(struct hf_client_call *k)
{
    struct hf_client_host *h = k->host;
    if (hf_list_linked(&k->in_queue)) {
        hf_list_remove(&k->in_queue);
        h->n_waiting--;
    }
    k->host = NULL;
    hf_chost_unref(h);
}

void hf_chost_keep(struct hf_client_conn *conn)
{
    struct hf_client *c = conn->c;
    struct hf_client_host *h = conn->host;
    struct hf_list *first = hf_list_pop_front(&h->waiting);
    if (first != NULL) {
        struct hf_client_call *k = HF_LIST_ENTRY(first, struct hf_client_call, in_queue);
        h->n_waiting--;
        k->host = NULL;
        c->stats.reused++;
        hf_cconn_attach(conn, k);
        hf_chost_unref(h);
        hf_cconn_ready(conn);
        return;
    }
    if (h->n_idle >= c->s.host_idle_max) {
        hf_cconn_close(conn);
        return;
    }
    conn->state = HF_CC_IDLE;
    conn->idle_ns = c->now_ns;
    hf_list_push_front(&h->idle, &conn->in_host);
    hf_list_push_back(&c->idle, &conn->in_idle);
    h->n_idle++;
    c->n_idle++;
}

void hf_chost_lost(struct hf_client_conn *conn)
{
    struct hf_client_host *h = conn->host;
    if (conn->state == HF_CC_IDLE)
        not_idle(conn);
    conn->c->n_conns--;
    h->n_conns--;
    struct hf_list *first = hf_list_pop_front(&h->waiting);
    if (first != NULL) /* counted as waiting still: flush gives it the place */
        hf_list_push_back(&conn->c->starting, first);
    conn->host = NULL;
    hf_chost_unref(h);
}

void hf_chost_expire(struct hf_client *c)
{
    while (!hf_list_empty(&c->idle)) {
        struct hf_client_conn *conn = HF_LIST_ENTRY(c->idle.next, struct hf_client_conn, in_idle);
        if (conn->idle_ns + c->s.idle_timeout_ns > c->now_ns)
            return;
        hf_cconn_close(conn);
    }
}
