/* client_out.c - a call's request as bytes (client_inside.h).
 *
 * As an answer's in conn_out.c: pieces (head, chunk line, body bytes lent by the blob, tail) that
 * leave in one vectored write. How the body is framed is decided when its head is made, which is at
 * the end of the loop's turn: a guest that has finished a small body by then gets a length.
 */
#include "gateway/client_inside.h"

#define IOV_MAX_BODY 16

static bool pieces_gone(const struct hf_client_call *k)
{
    return k->head_at == k->head.len && k->chunk_at == k->chunk_len && k->left == 0 &&
           k->tail_at == k->tail.len;
}

/* Methods whose request is expected to have a body: an empty one is said (RFC 9110 8.6). */
static bool expects_body(struct hf_view method)
{
    return hf_view_eq_text(method, "POST") || hf_view_eq_text(method, "PUT") ||
           hf_view_eq_text(method, "PATCH");
}

static enum hf_err make_head(struct hf_client_call *k)
{
    struct hf_head head;
    struct hf_http1_outgoing r = {.head = &head};
    struct hf_view value;
    const struct hf_blob *blob = k->blob != NULL ? k->blob : k->body.blob;
    bool whole = blob == NULL || hf_blob_complete(blob);
    uint64_t len = blob == NULL ? 0 : hf_blob_pushed(blob), said;
    enum hf_err err = hf_head_read(hf_buf_view(&k->request), &head, NULL);
    if (err != HF_OK)
        return err;
    if (blob != NULL && hf_blob_error(blob) != HF_OK)
        return hf_blob_error(blob);
    if (hf_head_find(&head, HF_VIEW("content-length"), &value)) {
        if (!hf_strict_length(value, &said) || (whole ? len != said : len > said))
            return HF_INVALID;
        r.framing = HF_FRAME_GIVEN;
    } else if (!whole || (blob != NULL && hf_blob_trailers(blob).len > 0)) {
        r.framing = HF_FRAME_CHUNKED;
    } else if (len > 0 || expects_body(head.method)) {
        r.framing = HF_FRAME_LENGTH;
        r.length = len;
    }
    hf_buf_clear(&k->head);
    err = hf_http1_write_request(&k->head, &r);
    if (err != HF_OK)
        return err == HF_INVALID ? HF_UNSUPPORTED : err;
    k->framing = (uint8_t)r.framing;
    k->out = HF_CALL_LAST;
    if (blob != NULL && (!whole || len > 0 || r.framing == HF_FRAME_CHUNKED)) {
        if (k->blob != NULL)
            hf_blob_reader_open(&k->body, &k->blob);
        k->out = HF_CALL_BODY;
    }
    return HF_OK;
}

/* The pieces are gone: what comes next? HF_AGAIN: nothing yet. */
static enum hf_err next_pieces(struct hf_client_call *k)
{
    struct hf_view first;
    struct iovec iov[IOV_MAX_BODY];
    size_t len;
    bool chunked = k->framing == HF_FRAME_CHUNKED;
    enum hf_err err = hf_blob_reader_peek(&k->body, &first);
    hf_buf_clear(&k->tail);
    k->tail_at = 0;
    if (err == HF_CLOSED) {
        k->out = HF_CALL_LAST;
        return chunked ? hf_http1_write_end(&k->tail, hf_blob_trailers(k->body.blob)) : HF_OK;
    }
    if (err != HF_OK)
        return err;
    hf_blob_reader_iov(&k->body, iov, IOV_MAX_BODY, &len);
    k->left = len;
    if (!chunked)
        return HF_OK;
    k->chunk_len = (uint8_t)hf_http1_chunk_head(k->chunk, len);
    k->chunk_at = 0;
    err = hf_buf_add_text(&k->tail, "\r\n");
    if (err == HF_OK && hf_blob_complete(k->body.blob) &&
        k->body.at + len == hf_blob_pushed(k->body.blob)) {
        k->out = HF_CALL_LAST;
        err = hf_http1_write_end(&k->tail, hf_blob_trailers(k->body.blob));
    }
    return err;
}

static enum hf_err prepare(struct hf_client_call *k)
{
    enum hf_err err = HF_OK;
    if (k->out == HF_CALL_HEAD && pieces_gone(k))
        err = make_head(k);
    else if (k->out == HF_CALL_BODY && pieces_gone(k))
        err = next_pieces(k);
    if (err != HF_OK)
        return err;
    /* A small body leaves with its head. */
    if (k->out == HF_CALL_BODY && k->left == 0 && k->chunk_at == k->chunk_len &&
        k->tail_at == k->tail.len) {
        err = next_pieces(k);
        if (err == HF_AGAIN)
            err = HF_OK;
    }
    return err;
}

static int add(struct iovec *iov, int n, const void *ptr, size_t len)
{
    if (len == 0)
        return n;
    iov[n] = (struct iovec){(void *)(uintptr_t)ptr, len};
    return n + 1;
}

static int gather(struct hf_client_call *k, struct iovec *iov)
{
    size_t len = 0;
    int n = add(iov, 0, k->head.ptr + k->head_at, k->head.len - k->head_at);
    n = add(iov, n, k->chunk + k->chunk_at, (size_t)(k->chunk_len - k->chunk_at));
    if (k->left > 0) {
        int some = hf_blob_reader_iov(&k->body, iov + n, IOV_MAX_BODY, &len);
        uint64_t left = k->left;
        for (int i = 0; i < some && left > 0; i++, n++) {
            if (iov[n].iov_len > left)
                iov[n].iov_len = (size_t)left;
            left -= iov[n].iov_len;
        }
        if (left > 0)
            return n;
    }
    return add(iov, n, k->tail.ptr + k->tail_at, k->tail.len - k->tail_at);
}

static size_t least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static void took(struct hf_client_call *k, size_t n)
{
    size_t some = least(k->head.len - k->head_at, n);
    k->head_at += some;
    n -= some;
    some = least((uint64_t)(k->chunk_len - k->chunk_at), n);
    k->chunk_at = (uint8_t)(k->chunk_at + some);
    n -= some;
    some = least(k->left, n);
    if (some > 0)
        hf_blob_reader_advance(&k->body, some);
    k->left -= some;
    n -= some;
    k->tail_at += n;
}

bool hf_call_wants_bytes(const struct hf_client_call *k)
{
    return k->out == HF_CALL_BODY && pieces_gone(k);
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
        struct iovec iov[3 + IOV_MAX_BODY];
        size_t n;
        if (i == HF_CLIENT_MOVES_MAX) {
            hf_cconn_ready(conn);
            break;
        }
        enum hf_err err = prepare(k);
        if (err == HF_AGAIN)
            break;
        if (err != HF_OK)
            return fail(conn, err);
        int entries = gather(k, iov);
        if (entries > 0) {
            err = hf_cconn_writev(conn, iov, entries, &n);
            if (err == HF_AGAIN)
                break;
            if (err != HF_OK)
                return cannot_send(conn);
            took(k, n);
            if (!k->answered)
                k->in_ns = conn->c->now_ns;
        }
        if (k->out == HF_CALL_LAST && pieces_gone(k))
            k->out = HF_CALL_SENT;
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
