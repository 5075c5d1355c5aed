/* conn_out.c - what goes out on a connection: answers, strictly in the order of their requests
 * (conn.h).
 *
 * One vectored write takes the pieces (pieces.h) of as many streams as are ready, so that an answer
 * that is whole leaves in one call, and so do sixteen.
 */
#include "gateway/conn.h"

#include <stdio.h>

/* ---- making pieces ---- */

/* When only the rest of the request's body keeps it, and nobody wants that, it has body_timeout in all. */
static void answered(struct hf_stream *s)
{
    s->out = HF_OUT_DONE;
    if (s->conn->reading == s)
        s->conn->in_ns = s->conn->gw->now_ns;
}

#define DEBUG_LINES_MAX (160u + HF_REQUEST_ID_MAX)

static struct hf_view debug_lines(const struct hf_stream *s, char room[DEBUG_LINES_MAX])
{
    const struct hf_exchange *x = &s->x;
    char digits[16];
    struct hf_view id = hf_exchange_id(x, digits), own;
    if (!x->gw->s.debug_header || x->process == 0)
        return (struct hf_view){0};
    uint64_t age_ns = x->gw->now_ns > x->born_ns ? x->gw->now_ns - x->born_ns : 0;
    int n = snprintf(room, DEBUG_LINES_MAX,
                     "holdfast-instance: id=%llu; served=%llu; age=%llu.%03us\r\n",
                     (unsigned long long)x->process, (unsigned long long)x->served,
                     (unsigned long long)(age_ns / 1000000000u),
                     (unsigned)(age_ns / 1000000u % 1000));
    if (id.len > 0 && !hf_head_find(&x->reply.head, HF_VIEW("x-request-id"), &own))
        n += snprintf(room + n, DEBUG_LINES_MAX - (size_t)n, "x-request-id: %.*s\r\n", HF_FMT(id));
    return hf_view(room, (size_t)n);
}

/* How the body of a made answer is framed; *length for HF_FRAME_LENGTH. */
static enum hf_http1_framing choose_framing(const struct hf_stream *s, uint64_t *length)
{
    const struct hf_reply *r = &s->x.reply;
    bool whole = r->blob == NULL || hf_blob_complete(r->blob);
    *length = r->blob == NULL ? 0 : hf_blob_pushed(r->blob);
    if (s->is_head || r->status == 304) { /* what GET would have had, when that is known */
        if (r->has_length)
            return HF_FRAME_GIVEN;
        return s->is_head && whole && *length > 0 ? HF_FRAME_LENGTH : HF_FRAME_NONE;
    }
    if (r->status == 204)
        return HF_FRAME_NONE;
    if (r->has_length)
        return HF_FRAME_GIVEN;
    if (whole && (s->minor == 0 || r->blob == NULL || hf_blob_trailers(r->blob).len == 0))
        return HF_FRAME_LENGTH;
    return s->minor == 1 ? HF_FRAME_CHUNKED : HF_FRAME_CLOSE;
}

static bool has_no_body(const struct hf_stream *s)
{
    return s->is_head || s->x.reply.status == 204 || s->x.reply.status == 304;
}

/* A page: the status and one sentence. */
static enum hf_err make_page(struct hf_stream *s, struct hf_http1_answer *a)
{
    const struct hf_reply *r = &s->x.reply;
    const char *reason = hf_http1_reason(r->status);
    char extra[64];
    size_t page = strlen(reason) + 2 + strlen(r->text) + 1;
    a->framing = HF_FRAME_LENGTH;
    a->length = page;
    int n = snprintf(extra, sizeof extra, "content-type: text/plain; charset=utf-8\r\n%s",
                     r->retry ? "retry-after: 1\r\n" : "");
    a->extra = hf_view(extra, (size_t)n);
    enum hf_err err = hf_http1_write_head(&s->p.head, a);
    if (err == HF_OK && !s->is_head) {
        err = hf_buf_printf(&s->p.head, "%s: %s\n", reason, r->text);
        s->x.bytes_out = page;
    }
    s->out = HF_OUT_LAST;
    return err;
}

/* The head of an answer somebody made; its body flows after. */
static enum hf_err make_head(struct hf_stream *s, struct hf_http1_answer *a)
{
    struct hf_reply *r = &s->x.reply;
    char extra[DEBUG_LINES_MAX];
    a->head = &r->head;
    a->named = r->named;
    a->framing = choose_framing(s, &a->length);
    a->drop_length = r->status == 204;
    a->extra = debug_lines(s, extra);
    enum hf_err err = hf_http1_write_head(&s->p.head, a);
    if (err != HF_OK)
        return err;
    hf_pieces_body(&s->p, a->framing, a->framing == HF_FRAME_GIVEN ? r->length : a->length);
    if (has_no_body(s) || r->blob == NULL) {
        s->p.left = 0;
        s->out = HF_OUT_LAST;
        hf_blob_unref(r->blob);
        r->blob = NULL;
        return HF_OK;
    }
    hf_exchange_open_body(&s->x);
    s->out = HF_OUT_BODY;
    return HF_OK;
}

/* A failure that is known before anything was sent becomes a page instead of an aborted connection.
 */
static const char *early_failure(const struct hf_stream *s)
{
    const struct hf_reply *r = &s->x.reply;
    if (r->text != NULL)
        return NULL;
    if (r->blob != NULL && hf_blob_error(r->blob) != HF_OK)
        return "the service failed";
    bool whole = r->blob == NULL || hf_blob_complete(r->blob);
    uint64_t length = r->blob == NULL ? 0 : hf_blob_pushed(r->blob);
    if (!has_no_body(s) && r->has_length && (whole ? length != r->length : length > r->length))
        return "the service gave a body of another length than it said";
    return NULL;
}

static enum hf_err make_answer(struct hf_conn *c, struct hf_stream *s)
{
    struct hf_gateway *gw = c->gw;
    struct hf_reply *r = &s->x.reply;
    const char *failure = early_failure(s);
    if (failure != NULL)
        hf_reply_page(r, 500, "aborted", failure);
    hf_pieces_reset(&s->p);
    if (s->expects && c->reading == s) /* never asked for: whether it comes now, nobody knows */
        hf_conn_give_up_body(c);
    s->expects = false;
    struct hf_http1_answer a = {.status = r->status, .date = hf_gateway_date(gw)};
    uint64_t unused;
    bool last = s->in_conn.next == &c->streams;
    if (gw->draining && last)
        c->linger = true;
    if (r->close || (gw->draining && last) ||
        (r->text == NULL && choose_framing(s, &unused) == HF_FRAME_CLOSE) ||
        (c->eof && last && c->in.len == 0))
        s->keep_alive = false;
    if (!s->keep_alive)
        c->stopped = true;
    a.persist = !s->keep_alive  ? HF_PERSIST_CLOSE
                : s->minor == 0 ? HF_PERSIST_KEEP
                                : HF_PERSIST_SILENT;
    enum hf_err err = r->text != NULL ? make_page(s, &a) : make_head(s, &a);
    if (err == HF_INVALID) { /* a field that cannot be sent */
        hf_reply_page(r, 500, "bad-answer", "the service gave an answer that cannot be sent");
        a = (struct hf_http1_answer){.status = 500, .date = a.date, .persist = a.persist};
        err = make_page(s, &a);
    }
    return err;
}

/* True when there are pieces to send. False with *err: HF_AGAIN nothing to do now; else the
 * connection must die. */
static bool prepare(struct hf_conn *c, struct hf_stream *s, bool first, enum hf_err *err)
{
    *err = HF_AGAIN;
    if (s->out == HF_OUT_WAIT && hf_pieces_gone(&s->p)) {
        /* A service may answer first and then read: 100 goes before its head, or its body never comes. */
        bool reads_on = s->expects && s->x.answered && s->x.reply.text == NULL && s->x.in != NULL &&
                        hf_blob_wanted(s->x.in) && early_failure(s) == NULL;
        if (s->x.answered && !reads_on) {
            *err = make_answer(c, s);
        } else if (s->expects && first) {
            s->expects = false;
            hf_pieces_reset(&s->p);
            *err = hf_buf_add_text(&s->p.head, "HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
    if (s->out == HF_OUT_BODY && hf_pieces_gone(&s->p)) {
        bool last;
        *err = hf_pieces_next(&s->p, &s->x.out, &last);
        if (last && *err == HF_OK)
            s->out = HF_OUT_LAST;
    }
    if (!hf_pieces_gone(&s->p))
        *err = HF_OK;
    if (s->out == HF_OUT_LAST && hf_pieces_gone(&s->p))
        answered(s); /* nothing left to write at all */
    return *err == HF_OK;
}

/* ---- writing them ---- */

/* True when all its pieces are in the write, and they are its last. */
static bool add_pieces(struct hf_gather *g, struct hf_stream *s)
{
    return hf_pieces_add(&s->p, &s->x.out, g) &&
           (s->out == HF_OUT_LAST || (s->out == HF_OUT_BODY && hf_pieces_counted(&s->p)));
}

/* n bytes went out; what is left of n belongs to the next stream. */
static size_t took(struct hf_stream *s, size_t n)
{
    bool head = s->p.head_at < s->p.head.len;
    uint64_t left = s->p.left;
    n = hf_pieces_took(&s->p, &s->x.out, n);
    if (head && s->out != HF_OUT_WAIT && !s->begun) {
        s->begun = true;
        s->x.first_byte_ns = s->x.gw->now_ns;
    }
    s->x.bytes_out += left - s->p.left;
    if (s->out == HF_OUT_LAST && hf_pieces_gone(&s->p))
        answered(s);
    return n;
}

/* The body can neither be finished nor look finished. */
static bool fail_answer(struct hf_conn *c, struct hf_stream *s, enum hf_err err)
{
    if (!s->begun) { /* not a byte of it is out: there is still time for a proper answer */
        s->out = HF_OUT_WAIT;
        hf_pieces_reset(&s->p);
        hf_exchange_refuse(&s->x, 500, "aborted", "the service failed", HF_CANCELLED);
        return true;
    }
    if (hf_buf_printf(&s->x.reply.detail, "the answer's body: %s",
                      err == HF_INVALID ? "another length than said" : hf_err_text(err)) != HF_OK)
        hf_buf_clear(&s->x.reply.detail);
    hf_conn_abort(c, "aborted");
    return false;
}

static bool gather_all(struct hf_conn *c, struct hf_gather *g)
{
    g->n = 0;
    g->len = 0;
    HF_LIST_FOR_SAFE(it, &c->streams)
    {
        struct hf_stream *s = HF_LIST_ENTRY(it, struct hf_stream, in_conn);
        enum hf_err err;
        bool first = it == c->streams.next;
        if (prepare(c, s, first, &err) && s->out == HF_OUT_BODY)
            err = hf_pieces_check(&s->p, &s->x.out);
        if (err != HF_OK && err != HF_AGAIN) {
            if (!fail_answer(c, s, err))
                return false;
            if (!prepare(c, s, first, &err) && err != HF_AGAIN) {
                hf_conn_kill(c, "no-memory", true);
                return false;
            }
        }
        bool over = s->out == HF_OUT_DONE && s != c->reading;
        if ((!over && !add_pieces(g, s)) || !s->keep_alive)
            break; /* what is behind it must wait, or is never sent */
    }
    return true;
}

/* Streams whose answer is out leave, oldest first. */
static void end_done(struct hf_conn *c)
{
    struct hf_stream *s;
    while (c->state == HF_CONN_OPEN && (s = hf_conn_first(c)) != NULL && s->out == HF_OUT_DONE &&
           s != c->reading) {
        bool more = s->keep_alive;
        hf_stream_end(s, NULL);
        if (!more)
            hf_conn_end(c);
    }
}

bool hf_conn_wants_bytes(const struct hf_conn *c)
{
    const struct hf_stream *s = hf_conn_first(c);
    return s != NULL && s->out == HF_OUT_BODY && hf_pieces_want_bytes(&s->p);
}

bool hf_conn_write(struct hf_conn *c)
{
    struct hf_os *os = c->gw->s.os;
    struct hf_gather g;
    for (unsigned i = 0; !c->blocked && c->state == HF_CONN_OPEN; i++) {
        size_t n = 0;
        if (!gather_all(c, &g))
            return false;
        end_done(c);
        if (g.len == 0 || c->state != HF_CONN_OPEN)
            break;
        if (i == HF_CONN_WRITES_MAX) {
            hf_conn_ready(c); /* others want to write too */
            break;
        }
        enum hf_err err = os->writev(os, c->fd, g.iov, g.n, &n);
        if (err != HF_OK && err != HF_AGAIN) {
            hf_conn_gone(c);
            return false;
        }
        c->out_ns = c->gw->now_ns;
        c->blocked = n < g.len;
        HF_LIST_FOR(it, &c->streams)
        {
            if (n == 0)
                break;
            n = took(HF_LIST_ENTRY(it, struct hf_stream, in_conn), n);
        }
        end_done(c);
    }
    return c->state != HF_CONN_DEAD;
}
