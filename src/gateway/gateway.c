/* gateway.c - the gateway's verbs for the loop that owns it (gateway.h), and what its files share
 * (inside.h). */
#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/conn.h"

#define SECOND 1000000000ull

static uint32_t or_u32(uint32_t n, uint32_t standard)
{
    return n == 0 ? standard : n;
}

static uint64_t or_ns(uint64_t n, uint64_t standard)
{
    return n == 0 ? standard : n;
}

static void fill_defaults(struct hf_gateway_settings *s)
{
    s->connections_max = or_u32(s->connections_max, 20000);
    s->head_max = or_u32(s->head_max, 32 * 1024);
    s->fields_max = or_u32(s->fields_max, 128);
    s->pipeline_max = or_u32(s->pipeline_max, 16);
    s->head_timeout_ns = or_ns(s->head_timeout_ns, 10 * SECOND);
    s->idle_timeout_ns = or_ns(s->idle_timeout_ns, 75 * SECOND);
    s->body_timeout_ns = or_ns(s->body_timeout_ns, 30 * SECOND);
    s->write_timeout_ns = or_ns(s->write_timeout_ns, 30 * SECOND);
    s->body_window = or_u32(s->body_window, HF_BLOB_WINDOW);
}

enum hf_err hf_gateway_new(const struct hf_gateway_settings *s, struct hf_gateway **ret,
                           struct hf_report *report)
{
    if (s->os == NULL || s->poller == NULL || s->kernel == NULL)
        return hf_report_set(report, HF_INVALID, "a gateway needs an os, a poller and a kernel");
    if (s->head_max > 1024u * 1024 || s->fields_max > 10000)
        return hf_report_set(report, HF_INVALID,
                             "head_max is at most 1 MiB and fields_max at most 10000");
    struct hf_gateway *gw = calloc(1, sizeof *gw);
    if (gw == NULL)
        return hf_report_set(report, HF_LIMIT, "no memory for a gateway");
    gw->s = *s;
    fill_defaults(&gw->s);
    gw->first_routes.table = s->routes;
    gw->routes = &gw->first_routes;
    gw->now_ns = s->os->now_ns(s->os);
    hf_exchange_port_init(&gw->port);
    hf_list_init(&gw->listeners);
    hf_list_init(&gw->conns);
    hf_list_init(&gw->ready);
    hf_list_init(&gw->dead);
    hf_list_init(&gw->spare_streams);
    hf_heap_init(&gw->deadlines);
    gw->scratch = malloc(HF_GATEWAY_READ_MAX);
    if (gw->scratch == NULL || hf_http1_parser_new(gw->s.fields_max, &gw->parser) != HF_OK) {
        hf_gateway_free(gw);
        return hf_report_set(report, HF_LIMIT, "no memory for a gateway");
    }
    uint64_t seed[4];
    enum hf_err err = s->trace ? s->os->random(s->os, seed, sizeof seed) : HF_OK;
    if (err != HF_OK) {
        hf_gateway_free(gw);
        return hf_report_set(report, err, "no random bytes for trace ids can be had");
    }
    if (s->trace)
        hf_ids_seed(&gw->ids, seed);
    *ret = gw;
    return HF_OK;
}

void hf_gateway_set_routes(struct hf_gateway *gw, struct hf_gateway_routes *r)
{
    struct hf_gateway_routes *before = gw->routes;
    r->users = 0;
    gw->routes = r;
    if (before->users == 0 && before->released != NULL)
        before->released(before);
}

static void free_dead(struct hf_gateway *gw)
{
    struct hf_list *it;
    while ((it = hf_list_pop_front(&gw->dead)) != NULL)
        hf_conn_free(HF_LIST_ENTRY(it, struct hf_conn, in_ready));
}

void hf_gateway_free(struct hf_gateway *gw)
{
    struct hf_list *it;
    if (gw == NULL)
        return;
    gw->freed = true;
    HF_LIST_FOR_SAFE (conn, &gw->conns)
        hf_conn_kill(HF_LIST_ENTRY(conn, struct hf_conn, in_gateway), "cancelled", true);
    free_dead(gw);
    hf_listener_free_all(gw);
    while ((it = hf_list_pop_front(&gw->spare_streams)) != NULL)
        hf_stream_free(HF_LIST_ENTRY(it, struct hf_stream, in_conn));
    for (uint32_t i = 0; i < gw->n_spares; i++)
        hf_buf_done(&gw->spares[i]);
    gw->n_spares = 0;
    hf_heap_done(&gw->deadlines);
    hf_http1_parser_free(gw->parser);
    free(gw->scratch);
    if (gw->owed == 0)
        free(gw);
}

void hf_gateway_unowe(struct hf_gateway *gw)
{
    HF_ASSERT(gw->owed > 0);
    if (--gw->owed == 0 && gw->freed)
        free(gw);
}

/* ---- shared ---- */

struct hf_buf hf_gateway_take_buf(struct hf_gateway *gw)
{
    return gw->n_spares > 0 ? gw->spares[--gw->n_spares] : (struct hf_buf){0};
}

void hf_gateway_give_buf(struct hf_gateway *gw, struct hf_buf *buf)
{
    if (buf->ptr == NULL)
        return;
    if (gw->freed || gw->n_spares == HF_GATEWAY_SPARES || buf->cap > HF_GATEWAY_SPARE_MAX) {
        hf_buf_done(buf);
        return;
    }
    hf_buf_clear(buf);
    gw->spares[gw->n_spares++] = *buf;
    *buf = (struct hf_buf){0};
}

/* RFC 9110 5.6.7; the C library's names would follow the locale. */
static void write_date(char out[HF_GATEWAY_DATE_LEN + 1], uint64_t s)
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t;
    time_t at = (time_t)s;
    if (gmtime_r(&at, &t) == NULL)
        memset(&t, 0, sizeof t);
    char text[64];
    snprintf(text, sizeof text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t.tm_wday,
             t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    memcpy(out, text, HF_GATEWAY_DATE_LEN);
    out[HF_GATEWAY_DATE_LEN] = '\0';
}

struct hf_view hf_gateway_date(struct hf_gateway *gw)
{
    if (!gw->date_fresh) {
        uint64_t s = gw->s.os->wall_ns(gw->s.os) / SECOND;
        if (s != gw->date_s || gw->date[0] == '\0')
            write_date(gw->date, s);
        gw->date_s = s;
        gw->date_fresh = true;
    }
    return hf_view(gw->date, HF_GATEWAY_DATE_LEN);
}

/* ---- the loop ---- */

void hf_gateway_begin(struct hf_gateway *gw, uint64_t now_ns)
{
    gw->now_ns = now_ns;
    gw->date_fresh = false;
}

void hf_gateway_flush(struct hf_gateway *gw)
{
    struct hf_list now, *it;
    hf_list_init(&now);
    hf_list_splice_back(&now, &gw->ready);
    while ((it = hf_list_pop_front(&now)) != NULL)
        hf_conn_run(HF_LIST_ENTRY(it, struct hf_conn, in_ready));
    free_dead(gw);
}

void hf_gateway_tick(struct hf_gateway *gw, uint64_t now_ns)
{
    struct hf_heap_node *node;
    hf_gateway_begin(gw, now_ns);
    while ((node = hf_heap_pop_due(&gw->deadlines, now_ns)) != NULL)
        hf_conn_tick(HF_CONTAINER_OF(node, struct hf_conn, deadline));
    hf_listener_adjust(gw);
}

uint64_t hf_gateway_next_ns(const struct hf_gateway *gw)
{
    const struct hf_heap_node *node = hf_heap_peek(&gw->deadlines);
    uint64_t next = node == NULL ? UINT64_MAX : node->at;
    if (gw->accept_again_ns != 0 && gw->accept_again_ns < next)
        next = gw->accept_again_ns;
    return next;
}

bool hf_gateway_busy(const struct hf_gateway *gw)
{
    return !hf_list_empty(&gw->ready);
}

void hf_gateway_drain(struct hf_gateway *gw)
{
    if (gw->draining)
        return;
    hf_listener_drain(gw);
    gw->draining = true;
    HF_LIST_FOR_SAFE (it, &gw->conns)
        hf_conn_drain(HF_LIST_ENTRY(it, struct hf_conn, in_gateway));
}

void hf_gateway_get_counts(const struct hf_gateway *gw, struct hf_gateway_stats *ret)
{
    *ret = gw->stats;
}

void hf_gateway_get_stats(const struct hf_gateway *gw, struct hf_gateway_stats *ret)
{
    *ret = gw->stats;
    ret->buffer_bytes = HF_GATEWAY_READ_MAX;
    HF_LIST_FOR (it, &gw->conns) {
        const struct hf_conn *c = HF_LIST_ENTRY(it, struct hf_conn, in_gateway);
        ret->buffer_bytes += c->in.cap;
        HF_LIST_FOR (k, &c->streams) {
            const struct hf_stream *st = HF_LIST_ENTRY(k, struct hf_stream, in_conn);
            ret->buffer_bytes += st->p.head.cap + st->p.tail.cap + st->x.names.cap;
        }
    }
}
