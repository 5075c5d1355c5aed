/* guest_log.c - what a guest prints, and what is to be said about it: lines for the log, each with the service, the instance and
 * the request in hand.
 *
 * Output goes to the log a line at a time; a line longer than the buffer is cut into several. How many lines a service may have is
 * not decided here: the log counts them by the source they carry (services.h).
 */
#include "host/http_int.h"
#include "host/service_int.h"

#include <stdlib.h>

struct hf_view hf_guest_request_id(struct hf_guest *g)
{
    if (g->head != NULL && g->request_id.len == 0) { /* looked for when a line wants it: most requests have none */
        struct hf_head head = hf_field_store_head(g->head);
        if (!hf_head_find(&head, HF_VIEW("x-request-id"), &g->request_id))
            return (struct hf_view){0};
    }
    return g->request_id;
}

static void line(struct hf_guest *g, enum hf_log_stream stream, struct hf_view text)
{
    const struct hf_services *sv = hf_guest_services(g);
    if (sv->log == NULL)
        return;
    struct hf_log_line l = {
        .stream = stream,
        .service = hf_view_of(hf_guest_settings(g)->name),
        .instance = g->turn == NULL ? 0 : hf_turn_process(g->turn),
        .request = hf_guest_request_id(g),
        .text = text,
        .source = g->worker->log_source,
    };
    sv->log(sv->ctx, &l);
}

void hf_guest_log_event(struct hf_guest *g, struct hf_view text)
{
    line(g, HF_LOG_EVENT, text);
}

static struct hf_line_buf **buf_of(struct hf_guest *g, enum hf_log_stream which)
{
    return which == HF_LOG_STDOUT ? &g->out : &g->err;
}

static void buffered(struct hf_guest *g, enum hf_log_stream which)
{
    struct hf_line_buf *b = *buf_of(g, which);
    line(g, which, hf_view(b->bytes, b->len));
    b->len = 0;
}

/* Whole lines of bytes that nothing waits before go out as they lie there; the rest, for a buffer. */
static struct hf_view whole_lines(struct hf_guest *g, enum hf_log_stream which, struct hf_view bytes)
{
    size_t n;
    while ((n = hf_view_find(bytes, '\n')) < bytes.len && n <= sizeof(*buf_of(g, which))->bytes) {
        line(g, which, hf_view_take(bytes, n));
        bytes = hf_view_skip(bytes, n + 1);
    }
    return bytes;
}

void hf_guest_log_write(struct hf_guest *g, enum hf_log_stream which, struct hf_view bytes)
{
    struct hf_line_buf **at = buf_of(g, which), *b = *at;
    if (b == NULL || (b->len == 0 && !b->cut))
        bytes = whole_lines(g, which, bytes);
    if (b == NULL && bytes.len > 0)
        b = *at = calloc(1, sizeof *b);
    if (b == NULL && bytes.len > 0) /* no memory to wait for its end */
        line(g, which, bytes);
    while (b != NULL && bytes.len > 0) {
        size_t n = hf_view_find(bytes, '\n'), room = sizeof b->bytes - b->len;
        bool whole = n < bytes.len && n <= room;
        if (n > room)
            n = room;
        memcpy(b->bytes + b->len, bytes.ptr, n);
        b->len += (uint32_t)n;
        bytes = hf_view_skip(bytes, whole ? n + 1 : n);
        bool full = !whole && b->len == sizeof b->bytes;
        if (full || (whole && (b->len > 0 || !b->cut)))
            buffered(g, which);
        b->cut = full || (b->cut && !whole);
    }
}

void hf_guest_log_flush(struct hf_guest *g)
{
    static const enum hf_log_stream both[] = {HF_LOG_STDOUT, HF_LOG_STDERR};
    for (size_t i = 0; i < HF_ARRAY_LEN(both); i++) {
        struct hf_line_buf *b = *buf_of(g, both[i]);
        if (b == NULL)
            continue;
        if (b->len > 0)
            buffered(g, both[i]);
        b->cut = false;
    }
}

void hf_guest_log_free(struct hf_guest *g)
{
    free(g->out);
    free(g->err);
    g->out = g->err = NULL;
}
