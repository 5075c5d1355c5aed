/* client_out.c - a call's request as bytes (client_inside.h).
 *
 * In pieces (pieces.h), as an answer's. How the body is framed is decided when its head is made,
 * which is at the end of the loop's turn: a guest that has finished a small body by then gets a
 * length.
 */
#include "gateway/client_inside.h"

/* Methods whose request is expected to have a body: an empty one is said (RFC 9110 8.6). */
static bool expects_body(struct hf_view method)
{
    return hf_view_eq_text(method, "POST") || hf_view_eq_text(method, "PUT") ||
           hf_view_eq_text(method, "PATCH");
}

static enum hf_err make_head(struct hf_client_call *k)
{
    struct hf_http1_outgoing r = {.head = &k->head};
    struct hf_view value;
    const struct hf_blob *blob = k->blob != NULL ? k->blob : k->body.blob;
    bool whole = blob == NULL || hf_blob_complete(blob);
    uint64_t len = blob == NULL ? 0 : hf_blob_pushed(blob), said = 0;
    if (blob != NULL && hf_blob_error(blob) != HF_OK)
        return hf_blob_error(blob);
    if (hf_head_find(&k->head, HF_VIEW("content-length"), &value)) {
        if (!hf_strict_length(value, &said) || (whole ? len != said : len > said))
            return HF_INVALID;
        r.framing = HF_FRAME_GIVEN;
    } else if (!whole || (blob != NULL && hf_blob_trailers(blob).len > 0)) {
        r.framing = HF_FRAME_CHUNKED;
    } else if (len > 0 || expects_body(k->head.method)) {
        r.framing = HF_FRAME_LENGTH;
        r.length = len;
    }
    hf_pieces_reset(&k->p);
    enum hf_err err = hf_http1_write_request(&k->p.head, &r);
    if (err != HF_OK)
        return err == HF_INVALID ? HF_UNSUPPORTED : err;
    k->out = HF_CALL_LAST;
    if (blob != NULL && (!whole || len > 0 || r.framing == HF_FRAME_CHUNKED)) {
        if (k->blob != NULL)
            hf_blob_reader_open(&k->body, &k->blob);
        hf_pieces_body(&k->p, r.framing, r.framing == HF_FRAME_GIVEN ? said : r.length);
        k->out = HF_CALL_BODY;
    }
    return HF_OK;
}

/* What can leave now, whatever stands ready. */
static enum hf_err prepare(struct hf_client_call *k)
{
    enum hf_err err = HF_OK;
    bool last = false;
    if (k->out == HF_CALL_HEAD && hf_pieces_gone(&k->p))
        err = make_head(k);
    /* A small body leaves with its head: chunks are made beside it. */
    if (err == HF_OK && k->out == HF_CALL_BODY && k->p.left == 0 &&
        k->p.chunk_at == k->p.chunk_len && k->p.tail_at == k->p.tail.len)
        err = hf_pieces_next(&k->p, &k->body, &last);
    if (err == HF_OK && last)
        k->out = HF_CALL_LAST;
    if (err == HF_OK && k->out == HF_CALL_BODY)
        err = hf_pieces_check(&k->p, &k->body);
    return err == HF_AGAIN ? HF_OK : err;
}

bool hf_call_wants_bytes(const struct hf_client_call *k)
{
    return k->out == HF_CALL_BODY && hf_pieces_want_bytes(&k->p);
}


/* The request cannot be finished. */
static bool fail(struct hf_client_conn *conn, enum hf_err err)
{
    struct hf_client_call *k = conn->call;
    const struct hf_blob *blob = k->body.blob != NULL ? k->body.blob : k->blob;
    uint64_t came = blob == NULL ? 0 : hf_blob_pushed(blob);
    if (k->answered &&
        err != HF_LIMIT) { /* the answer may still be whole: only nothing follows it */
        k->out = HF_CALL_SENT;
        k->keep = false;
        if (k->in_over)
            hf_call_over(conn);
        return conn->call == k;
    }
    switch (err) {
    case HF_UNSUPPORTED:
        hf_cconn_break(conn, HF_FAULT_PROTOCOL, 0, "the request has a head that cannot be sent");
        break;
    case HF_INVALID:
        hf_cconn_break(conn, HF_FAULT_REQUEST_BODY, came,
                       "the request's body has another length than said");
        break;
    case HF_LIMIT: hf_cconn_break(conn, HF_FAULT_INTERNAL, 0, "no memory for a request"); break;
    default:
        hf_cconn_break(conn, HF_FAULT_PROTOCOL, 0, "the request's body was never finished");
        break;
    }
    return false;
}

/* The server takes no more. An answer that is there, or on its way, is worth more than the rest of
 * the request; nothing can follow it. */
static bool cannot_send(struct hf_client_conn *conn)
{
    struct hf_client_call *k = conn->call;
    if (!k->answered && (!hf_call_receive(conn) || conn->call != k))
        return false;
    if (!k->answered) {
        hf_cconn_break(conn, HF_FAULT_TERMINATED, 0,
                       "the connection ended while the request was sent");
        return false;
    }
    hf_waiter_disarm(&k->bytes);
    hf_blob_reader_close(&k->body); /* its writer hears of it */
    k->out = HF_CALL_SENT;
    k->keep = false;
    if (k->in_over)
        hf_call_over(conn);
    return conn->call == k;
}

bool hf_call_send(struct hf_client_conn *conn)
{
    struct hf_client_call *k = conn->call;
    for (unsigned i = 0; k->out != HF_CALL_SENT && !conn->blocked; i++) {
        struct hf_gather g; /* not zeroed: it is large, and this is the path of every request */
        size_t n;
        g.n = 0;
        g.len = 0;
        if (i == HF_CLIENT_MOVES_MAX) {
            hf_cconn_ready(conn);
            break;
        }
        enum hf_err err = prepare(k);
        if (err != HF_OK)
            return fail(conn, err);
        hf_pieces_add(&k->p, &k->body, &g);
        if (g.n > 0) {
            err = hf_cconn_writev(conn, g.iov, g.n, &n);
            if (err == HF_AGAIN)
                break;
            if (err != HF_OK)
                return cannot_send(conn);
            hf_pieces_took(&k->p, &k->body, n);
            if (!k->answered)
                k->in_ns = conn->c->now_ns;
        }
        if (k->out == HF_CALL_LAST && hf_pieces_gone(&k->p))
            k->out = HF_CALL_SENT;
        else if (g.n == 0)
            break;
    }
    if (k->in_over && k->out == HF_CALL_SENT) {
        hf_call_over(conn);
        return false;
    }
    if (conn->tls != NULL && conn->blocked == false && hf_tls_drain(conn->tls).len > 0) {
        size_t n;
        enum hf_err err = hf_cconn_writev(conn, NULL, 0, &n);
        if (err != HF_OK && err != HF_AGAIN) {
            hf_cconn_break(conn, HF_FAULT_TERMINATED, 0, "the connection ended");
            return false;
        }
    }
    return true;
}
