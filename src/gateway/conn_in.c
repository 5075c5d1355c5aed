/* conn_in.c - what comes in on a connection: requests and their bodies (conn.h).
 *
 * A read lands in the gateway's shared buffer; only what cannot be consumed at once (half a head,
 * requests behind one that must end first) is copied into a buffer of the connection. The bytes of
 * a counted body are read straight into its blob.
 *
 * Backpressure is not reading: a body stops when its blob has no room, requests stop when
 * PIPELINE_MAX are unanswered or when one of them is not safe (RFC 9112 9.3.2: only safe requests
 * may run beside each other).
 */
#include "gateway/conn.h"

#define TOO_LONG  "the request body is longer than this server allows"
#define READ_MORE 4096u /* behind half a head: who sends it slowly gets no large buffer for it */

static bool may_start(const struct hf_conn *c)
{
    if (c->stopped || c->reading != NULL)
        return false;
    if (c->n_streams == 0)
        return true;
    return c->n_unsafe == 0 && !c->held && c->n_streams < c->gw->s.pipeline_max;
}

bool hf_conn_wants_read(struct hf_conn *c)
{
    if (c->eof || c->state == HF_CONN_DEAD)
        return false;
    if (c->state == HF_CONN_LINGER)
        return true;
    return c->reading != NULL ? hf_exchange_room(&c->reading->x) > 0 : may_start(c);
}

void hf_conn_release_in(struct hf_conn *c)
{
    if (c->in.len == 0 && c->in.ptr != NULL)
        hf_gateway_give_buf(c->gw, &c->in);
}

/* ---- refusing ---- */

static void stop_reading(struct hf_conn *c)
{
    c->stopped = true;
    c->reading = NULL;
    c->linger = true;
    hf_buf_clear(&c->in);
    hf_conn_release_in(c);
}

void hf_conn_refuse_head(struct hf_conn *c, struct hf_view partial, uint16_t status,
                         const char *how, const char *text)
{
    struct hf_view method, target;
    struct hf_stream *s = hf_stream_new(c);
    c->gw->stats.refused_heads++;
    if (s == NULL) {
        hf_conn_kill(c, "no-memory", true);
        return;
    }
    hf_strict_guess(partial, &method, &target);
    hf_exchange_name(&s->x, method, target, (struct hf_view){0});
    s->minor = 1;
    s->is_head = hf_view_eq_text(method, "HEAD");
    stop_reading(c);
    hf_exchange_refuse(&s->x, status, how, text, HF_INVALID);
}

void hf_conn_refuse_body(struct hf_conn *c, uint16_t status, const char *how, const char *text,
                         enum hf_err err)
{
    struct hf_stream *s = c->reading;
    stop_reading(c);
    s->keep_alive = false;
    hf_exchange_feed_fail(&s->x, err);
    if (s->out == HF_OUT_DONE)
        hf_conn_ready(c); /* it was answered long ago: only the connection ends */
    else if (s->begun)
        hf_conn_abort(c, how); /* an answer is on its way: it must not look whole */
    else if (s->out == HF_OUT_WAIT)
        hf_exchange_refuse(&s->x, status, how, text, err);
    /* else its head is made and goes out with `connection: close` not said: the end of the
     * connection says it */
}

/* ---- requests ---- */

static void refuse_request(struct hf_conn *c, struct hf_stream *s, uint16_t status,
                           const char *text)
{
    stop_reading(c);
    s->keep_alive = false;
    hf_exchange_refuse(&s->x, status, "refused", text, HF_CANCELLED);
}

/* Posts the request and says how its body will come in. Returns the body bytes at the front of
 * `rest` that are used up. */
static size_t start_request(struct hf_conn *c, struct hf_stream *s,
                            const struct hf_http1_request *req, struct hf_view rest)
{
    const struct hf_strict *in = &req->s;
    bool whole = req->has_body && !in->chunked && in->length <= rest.len;
    struct hf_exchange_request post = {
        .method = in->method,
        .authority = req->target.authority,
        .path = req->target.path,
        .route = req->target.route,
        .fields = in->fields,
        .n_fields = in->n_fields,
        .has_body = req->has_body,
        .length = in->chunked ? HF_BLOB_LEN_UNKNOWN : in->length,
    };
    hf_exchange_route(&s->x, &post);
    if (in->expect == HF_EXPECT_OTHER) {
        refuse_request(c, s, 417, "the only expectation known here is 100-continue");
        return 0;
    }
    if (s->x.body_max > 0 && in->has_length && in->length > s->x.body_max) {
        refuse_request(c, s, 413, TOO_LONG);
        return 0;
    }
    if (whole)
        post.whole = hf_view_take(rest, (size_t)in->length);
    if (req->has_body && !whole) {
        hf_http1_body_init(&s->body, in->chunked, in->length);
        c->reading = s;
        c->in_ns = c->gw->now_ns;
    }
    s->expects =
        c->reading == s && in->expect == HF_EXPECT_CONTINUE && in->minor == 1 && rest.len == 0;
    hf_exchange_post(&s->x, &post);
    if (s->expects) {
        if (s->x.answered) { /* refused: the client may or may not send the body now, so nothing can
                                follow it */
            s->keep_alive = s->expects = false;
            stop_reading(c);
        } else {
            hf_conn_ready(c); /* 100 is said at flush, unless the answer is there by then */
        }
    }
    if (!s->keep_alive)
        c->stopped = true;
    return post.whole.len;
}

/* One head at the front of *rest. False: nothing (more) can be started now. */
static bool next_request(struct hf_conn *c, struct hf_view *rest)
{
    struct hf_gateway *gw = c->gw;
    struct hf_refusal why;
    struct hf_http1_request req;
    size_t len;
    bool first = !c->scan.begun;
    enum hf_err err = hf_http1_find_head(*rest, gw->s.head_max, &c->scan, &len, &why);
    if (err == HF_AGAIN) {
        if (first)
            c->in_ns = gw->now_ns; /* the head begins now: it has head_timeout to be whole */
        return false;
    }
    struct hf_view head =
        hf_view_skip(hf_view_take(*rest, err == HF_OK ? len : rest->len), c->scan.skip);
    if (err != HF_OK || !hf_http1_parse(gw->parser, head, &req, &why)) {
        hf_conn_refuse_head(c, head, why.status, "refused", why.text);
        *rest = (struct hf_view){0};
        return false;
    }
    if (!req.safe && c->n_streams > 0) {
        c->held = true;
        c->scan = (struct hf_http1_scan){0};
        return false;
    }
    struct hf_stream *s = hf_stream_new(c);
    if (s == NULL) {
        hf_conn_kill(c, "no-memory", true);
        return false;
    }
    c->fresh = c->held = false;
    c->scan = (struct hf_http1_scan){0};
    gw->stats.requests++;
    s->minor = req.s.minor;
    s->safe = req.safe;
    c->n_unsafe += !req.safe;
    s->x.protocol = req.s.minor == 0 ? "HTTP/1.0" : NULL;
    s->is_head = req.is_head;
    s->keep_alive = req.keep_alive && !gw->draining;
    hf_exchange_name(&s->x, req.s.method, req.s.target, req.target.authority);
    *rest = hf_view_skip(*rest, len);
    *rest = hf_view_skip(*rest, start_request(c, s, &req, *rest));
    return true;
}

/* ---- bodies ---- */

void hf_conn_give_up_body(struct hf_conn *c)
{
    struct hf_stream *s = c->reading;
    stop_reading(c);
    s->keep_alive = false;
    hf_exchange_feed_fail(&s->x, HF_CANCELLED);
    hf_conn_ready(c);
}

static void body_end(struct hf_conn *c, struct hf_view trailers)
{
    struct hf_stream *s = c->reading;
    struct hf_strict_field fields[32];
    struct hf_refusal why;
    uint32_t n = 0, max = HF_ARRAY_LEN(fields);
    if (trailers.len > 0 &&
        !hf_strict_trailers(trailers, fields, max < c->gw->s.fields_max ? max : c->gw->s.fields_max,
                            &n, &why)) {
        hf_conn_refuse_body(c, why.status, "refused", why.text, HF_INVALID);
        return;
    }
    c->reading = NULL;
    hf_exchange_feed_end(&s->x, fields, n);
    if (s->out == HF_OUT_DONE)
        hf_conn_ready(c); /* only the body kept it */
}

/* The next piece of the body at the front of *rest. False: no more now. */
static bool next_piece(struct hf_conn *c, struct hf_view *rest)
{
    struct hf_stream *s = c->reading;
    struct hf_refusal why;
    struct hf_view data = {0};
    size_t room = hf_exchange_room(&s->x);
    switch (hf_http1_body_next(&s->body, rest, room, c->gw->s.head_max, &data, &why)) {
    case HF_BODY_DATA:
        s->expects = false; /* it did not wait to be asked */
        if (room != SIZE_MAX || s->out != HF_OUT_DONE) /* else nobody waits for it: no progress */
            c->in_ns = c->gw->now_ns;
        if (s->x.body_max > 0 && s->body.data > s->x.body_max) {
            hf_conn_refuse_body(c, 413, "refused", TOO_LONG, HF_LIMIT);
            return false;
        }
        if (room == SIZE_MAX)
            s->drained += data.len;
        hf_exchange_feed(&s->x, data);
        if (s->drained < HF_CONN_DRAIN_MAX)
            return true;
        hf_conn_give_up_body(c);
        return false;
    case HF_BODY_TRAILERS: body_end(c, data); return true;
    case HF_BODY_END: body_end(c, (struct hf_view){0}); return true;
    case HF_BODY_REFUSED:
        hf_conn_refuse_body(c, why.status, "refused", why.text, HF_INVALID);
        return false;
    case HF_BODY_MORE:
    case HF_BODY_FULL: break;
    }
    return false;
}

/* Consumes what it can of `bytes`; returns how much. */
static size_t feed(struct hf_conn *c, struct hf_view bytes)
{
    struct hf_view rest = bytes;
    while (c->state == HF_CONN_OPEN) {
        if (c->reading != NULL) {
            if (!next_piece(c, &rest))
                break;
        } else if (rest.len == 0 || !may_start(c) || !next_request(c, &rest)) {
            break;
        }
    }
    if (c->stopped && c->reading == NULL) { /* what follows is nobody's */
        c->linger |= rest.len > 0;
        return bytes.len;
    }
    return bytes.len - rest.len;
}

bool hf_conn_resume(struct hf_conn *c)
{
    if (c->in.len == 0 || c->state != HF_CONN_OPEN || (c->reading == NULL && !may_start(c)))
        return false;
    size_t used = feed(c, hf_buf_view(&c->in));
    if (c->state != HF_CONN_OPEN)
        return false;
    hf_buf_consume(&c->in, used < c->in.len ? used : c->in.len);
    hf_conn_release_in(c);
    return used > 0;
}

/* ---- reading ---- */

/* The client left in the middle of a head: nobody to answer, but the log should know. */
void hf_conn_half_head(struct hf_conn *c)
{
    struct hf_view method, target;
    struct hf_stream *s = hf_stream_new(c);
    if (s != NULL) {
        hf_strict_guess(hf_buf_view(&c->in), &method, &target);
        hf_exchange_name(&s->x, method, target, (struct hf_view){0});
    }
    hf_conn_gone(c);
}

/* The end of what the client sends is not the end of its interest (but where settings say so): it
 * may have shut down one direction only. */
static void at_eof(struct hf_conn *c)
{
    struct hf_stream *s = c->reading;
    c->eof = true;
    if (c->state == HF_CONN_LINGER) {
        hf_conn_kill(c, NULL, false);
    } else if (s != NULL &&
               hf_exchange_room(&s->x) != SIZE_MAX) { /* a body that will never be whole */
        hf_conn_gone(c);
    } else if (s != NULL) { /* nobody wanted the rest */
        hf_conn_give_up_body(c);
    } else if (c->n_streams > 0 && c->gw->s.eof_is_gone) {
        hf_conn_gone(c);
    } else if (c->n_streams > 0) {
        hf_conn_ready(c);
    } else if (c->in.len > 0) {
        hf_conn_half_head(c);
    } else {
        hf_conn_kill(c, NULL, false);
    }
}

/* Reads once into `buf`. False: nothing came. *all: the whole buffer was filled, there may be more.
 */
static bool read_some(struct hf_conn *c, void *buf, size_t len, size_t *n, bool *all)
{
    struct hf_os *os = c->gw->s.os;
    enum hf_err err = os->read(os, c->fd, buf, len, n);
    *all = err == HF_OK && *n == len;
    if (err == HF_OK)
        return true;
    if (err == HF_CLOSED)
        at_eof(c);
    else if (err != HF_AGAIN)
        hf_conn_gone(c);
    return false;
}

/* A counted body whose blob has room: no copy. */
static bool read_body(struct hf_conn *c, size_t room, bool *all)
{
    struct hf_stream *s = c->reading;
    uint64_t left = hf_http1_body_left(&s->body);
    size_t want = left < room ? (size_t)left : room, got, n;
    uint8_t *space = hf_exchange_reserve(&s->x, want, &got);
    if (space == NULL)
        return false;
    if (!read_some(c, space, got < want ? got : want, &n, all))
        return false;
    s->expects = false;
    c->in_ns = c->gw->now_ns;
    hf_exchange_commit(&s->x, n);
    hf_http1_body_took(&s->body, n);
    if (hf_http1_body_over(&s->body))
        body_end(c, (struct hf_view){0});
    return true;
}

/* Behind bytes that are kept already. */
static bool read_more(struct hf_conn *c, size_t want, bool *all)
{
    size_t n;
    want = want < READ_MORE ? want : READ_MORE;
    if (hf_buf_reserve(&c->in, want) != HF_OK) {
        hf_conn_kill(c, "no-memory", true);
        return false;
    }
    if (!read_some(c, c->in.ptr + c->in.len, want, &n, all))
        return false;
    c->in.len += n;
    size_t used = feed(c, hf_buf_view(&c->in));
    if (c->state == HF_CONN_OPEN) {
        hf_buf_consume(&c->in, used < c->in.len ? used : c->in.len);
        hf_conn_release_in(c);
    }
    return true;
}

static bool read_fresh(struct hf_conn *c, size_t want, bool *all)
{
    size_t n;
    if (!read_some(c, c->gw->scratch, want, &n, all))
        return false;
    if (c->state == HF_CONN_LINGER) {
        c->dropped += n;
        if (c->dropped > HF_CONN_LINGER_MAX)
            hf_conn_kill(c, NULL, false);
        return true;
    }
    struct hf_view bytes = hf_view(c->gw->scratch, n);
    struct hf_view rest = hf_view_skip(bytes, feed(c, bytes));
    if (rest.len == 0 || c->state != HF_CONN_OPEN)
        return true;
    c->in = hf_gateway_take_buf(c->gw);
    if (hf_buf_add_view(&c->in, rest) != HF_OK)
        hf_conn_kill(c, "no-memory", true);
    return true;
}

void hf_conn_read(struct hf_conn *c)
{
    bool all = true;
    for (unsigned i = 0; i < HF_CONN_READS_MAX && all && hf_conn_wants_read(c); i++) {
        struct hf_stream *s = c->reading;
        size_t room = s != NULL ? hf_exchange_room(&s->x) : SIZE_MAX;
        size_t want = room < HF_GATEWAY_READ_MAX ? room : HF_GATEWAY_READ_MAX;
        bool more;
        /* A body is never longer decoded than encoded: what is read for it has a place. */
        if (s != NULL && s->x.in != NULL && c->in.len == 0 && hf_http1_body_left(&s->body) > 0)
            more = read_body(c, room, &all);
        else
            more = c->in.len > 0 ? read_more(c, want, &all) : read_fresh(c, want, &all);
        if (!more)
            break;
    }
}
