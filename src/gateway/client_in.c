/* client_in.c - bytes as an answer (client_inside.h).
 *
 * A read lands in the client's shared buffer; what cannot be consumed at once (half a head, a body
 * that nobody reads yet) is kept with the connection. Bodies without chunks are read straight into
 * their blob.
 */
#include "gateway/client_inside.h"

/* ---- ends ------------------------------------------------------------------------------------ */

void hf_call_body_fail(struct hf_client_call *k, enum hf_err err)
{
    struct hf_blob *blob = k->answer;
    k->answer = NULL;
    hf_waiter_disarm(&k->room);
    if (blob != NULL)
        hf_blob_fail(blob, err);
}

void hf_call_over(struct hf_client_conn *conn)
{
    struct hf_client_call *k = conn->call;
    bool keep = k->keep && !conn->eof && k->out == HF_CALL_SENT && !conn->c->freed;
    if (keep && conn->tls != NULL && hf_tls_drain(conn->tls).len > 0)
        keep = false; /* it does not even take what belongs to TLS */
    conn->call = NULL;
    k->conn = NULL;
    hf_call_free(k);
    conn->served++;
    hf_buf_clear(&conn->in);
    if (conn->in.cap > HF_CLIENT_SPARE_MAX)
        hf_buf_done(&conn->in);
    if (conn->tls != NULL)
        hf_tls_trim(conn->tls, HF_CLIENT_SPARE_MAX);
    if (keep)
        hf_chost_keep(conn);
    else
        hf_cconn_close(conn);
}

/* The answer's body has all come. `more`: bytes are left that nobody asked for. */
static void body_over(struct hf_client_conn *conn, bool more)
{
    struct hf_client_call *k = conn->call;
    struct hf_blob *blob = k->answer;
    k->in_over = true;
    k->answer = NULL;
    hf_waiter_disarm(&k->room);
    if (blob != NULL)
        hf_blob_finish(blob);
    k->keep = k->keep && !more;
    /* A server that has answered may still want the rest of the request, unless it says otherwise.
     */
    if (k->out == HF_CALL_SENT || !k->keep)
        hf_call_over(conn);
}

static bool refuse(struct hf_client_conn *conn, const struct hf_refusal *why)
{
    const struct hf_client *c = conn->c;
    hf_cconn_break(conn,
                   why->status == 431
                       ? (conn->call->answered ? HF_FAULT_TRAILER_SIZE : HF_FAULT_HEAD_SIZE)
                   : why->status == 501 ? HF_FAULT_CODING
                                        : HF_FAULT_PROTOCOL,
                   why->status == 431 ? c->s.head_max : 0, why->text);
    return false;
}

/* ---- heads ----------------------------------------------------------------------------------- */

#define HEAD_ROOM 511u /* most heads: buffers of one size are used again by whoever gets them */

/* `len`: of the head as it came. */
static enum hf_err encode(struct hf_buf *buf, const struct hf_strict_answer *a, size_t len, bool body)
{
    struct hf_head_writer w;
    size_t room = 16 + 8 * (size_t)a->n_fields + len;
    enum hf_err err = hf_buf_reserve(buf, room < HEAD_ROOM ? HEAD_ROOM : room); /* once for all */
    if (err == HF_OK)
        err = hf_head_begin_response(&w, buf, body ? 0 : HF_HEAD_NO_BODY, a->status);
    for (uint32_t i = 0; i < a->n_fields && err == HF_OK; i++)
        if (!a->fields[i].hop)
            err = hf_head_field(&w, a->fields[i].name, a->fields[i].value);
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

/* How the body comes, and whether another answer may follow on this connection. */
static bool frame(struct hf_client_call *k, const struct hf_strict_answer *a)
{
    bool none = k->is_head || a->status == 204 || a->status == 304;
    k->keep = !a->close && (a->minor == 1 || a->keep_alive);
    if (a->status == 204 && (a->chunked || a->length > 0))
        k->keep = false; /* it may send one all the same */
    if (none || (a->has_length && a->length == 0))
        return false;
    k->until_end = !a->chunked && !a->has_length;
    if (k->until_end)
        k->keep = false;
    else
        hf_http1_body_init(&k->decode, a->chunked, a->length);
    return true;
}

/* Gives the answer to who waits for it. False: the connection is gone. */
static bool answer(struct hf_client_conn *conn, const struct hf_strict_answer *a, size_t len)
{
    struct hf_client_call *k = conn->call;
    struct hf_client_answer ret = {.fault.kind = HF_FAULT_NONE};
    bool body = frame(k, a);
    enum hf_err err = encode(&ret.head, a, len, body);
    if (err == HF_OK && body) {
        ret.blob = hf_blob_new_in(conn->c->s.blobs, a->has_length ? a->length : HF_BLOB_LEN_UNKNOWN,
                                  conn->c->s.body_window);
        err = ret.blob == NULL ? HF_LIMIT : HF_OK;
    }
    if (err != HF_OK) {
        hf_buf_done(&ret.head);
        hf_cconn_break(conn, HF_FAULT_INTERNAL, 0, "no memory for an answer");
        return false;
    }
    void (*done)(void *, struct hf_client_answer *) = k->done;
    k->done = NULL;
    k->answered = true;
    k->answer = ret.blob;
    k->in_ns = conn->c->now_ns;
    if (done != NULL)
        done(k->owner, &ret);
    hf_buf_done(&ret.head);
    hf_blob_unref(ret.blob);
    return true;
}

/* One head at the front of *rest. False: nothing more now, or the connection is gone. */
static bool next_head(struct hf_client_conn *conn, struct hf_view *rest)
{
    struct hf_client_call *k = conn->call;
    struct hf_client *c = conn->c;
    struct hf_strict_answer a = {.fields = c->fields, .fields_max = c->s.fields_max};
    struct hf_refusal why;
    size_t len;
    k->got_byte = true;
    enum hf_err err = hf_http1_find_answer(*rest, c->s.head_max, &k->scan, &len, &why);
    if (err == HF_AGAIN)
        return false;
    if (err != HF_OK || !hf_http1_parse_answer(hf_view_take(*rest, len), &a, &why))
        return refuse(conn, &why);
    *rest = hf_view_skip(*rest, len);
    k->scan = (struct hf_http1_scan){0};
    if (a.status == 101) {
        hf_cconn_break(conn, HF_FAULT_UPGRADE, 0, "the server switches protocols unasked");
        return false;
    }
    if (a.status >= 200)
        return answer(conn, &a, len);
    if (k->interim++ < HF_CLIENT_INTERIM)
        return true;
    hf_cconn_break(conn, HF_FAULT_PROTOCOL, 0, "too many interim answers");
    return false;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static bool set_trailers(struct hf_client_conn *conn, struct hf_view block)
{
    struct hf_client_call *k = conn->call;
    struct hf_strict_field fields[32];
    struct hf_refusal why;
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    uint32_t n = 0;
    if (!hf_strict_trailers(block, fields, HF_ARRAY_LEN(fields), &n, &why))
        return refuse(conn, &why);
    if (k->answer == NULL)
        return true;
    enum hf_err err = hf_head_begin_response(&w, &buf, 0, 200);
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        err = hf_head_field(&w, fields[i].name, fields[i].value);
    if (err == HF_OK)
        err = hf_blob_set_trailers(k->answer, hf_head_end(&w));
    hf_buf_done(&buf);
    if (err == HF_OK)
        return true;
    hf_cconn_break(conn, HF_FAULT_INTERNAL, 0, "no memory for trailers");
    return false;
}

/* Nobody wants the body: a small rest is read and dropped for the sake of the connection. */
static bool look_unwanted(struct hf_client_conn *conn)
{
    struct hf_client_call *k = conn->call;
    if (k->answer != NULL && !k->unwanted && !hf_blob_wanted(k->answer)) {
        k->unwanted = true;
        hf_call_body_fail(k, HF_CLOSED);
    }
    if (!k->unwanted || (!k->until_end && k->keep && k->dropped <= HF_CLIENT_DRAIN_MAX &&
                         hf_http1_body_left(&k->decode) <= HF_CLIENT_DRAIN_MAX))
        return true;
    hf_cconn_break(conn, HF_FAULT_TERMINATED, 0, "nobody wants the rest");
    return false;
}

static size_t room_of(const struct hf_client_call *k)
{
    return k->answer == NULL ? SIZE_MAX : hf_blob_room(k->answer);
}

bool hf_call_wants_read(const struct hf_client_call *k)
{
    return !k->in_over && (!k->answered || room_of(k) > 0);
}

uint64_t hf_call_due(const struct hf_client_call *k)
{
    if (!k->answered) /* while the guest is making its body it is not the server that is slow */
        return k->out == HF_CALL_SENT ? k->in_ns + k->first_byte_ns : UINT64_MAX;
    return hf_call_wants_read(k) ? k->in_ns + k->between_ns : UINT64_MAX;
}

/* Bytes of the body. False: the connection is gone. */
static bool give(struct hf_client_conn *conn, struct hf_view data)
{
    struct hf_client_call *k = conn->call;
    k->in_ns = conn->c->now_ns;
    if (k->answer == NULL) {
        k->dropped += data.len;
        return look_unwanted(conn);
    }
    enum hf_err err = hf_blob_push(k->answer, data);
    if (err == HF_OK || err == HF_CLOSED)
        return look_unwanted(conn);
    hf_cconn_break(conn, HF_FAULT_INTERNAL, 0, "no memory for a body");
    return false;
}

/* The next piece at the front of *rest. False: no more now, or the call is over. */
static bool next_piece(struct hf_client_conn *conn, struct hf_view *rest)
{
    struct hf_client_call *k = conn->call;
    struct hf_refusal why;
    struct hf_view data = {0};
    size_t room = room_of(k);
    if (k->until_end) {
        data = hf_view_take(*rest, room);
        *rest = hf_view_skip(*rest, data.len);
        return data.len > 0 && give(conn, data);
    }
    switch (hf_http1_body_next(&k->decode, rest, room, conn->c->s.head_max, &data, &why)) {
    case HF_BODY_DATA:
        if (!give(conn, data))
            return false;
        if (!hf_http1_body_over(&k->decode))
            return true;
        body_over(conn, rest->len > 0);
        return false;
    case HF_BODY_TRAILERS:
        if (set_trailers(conn, data))
            body_over(conn, rest->len > 0);
        return false;
    case HF_BODY_END: body_over(conn, rest->len > 0); return false;
    case HF_BODY_REFUSED:
        why.status = why.status == 400 ? 502 : why.status;
        return refuse(conn, &why);
    case HF_BODY_MORE:
    case HF_BODY_FULL: break;
    }
    return false;
}

/* Consumes what it can; returns how much. The call may be over after, or the connection gone. */
static size_t feed(struct hf_client_conn *conn, struct hf_client_call *k, struct hf_view bytes)
{
    struct hf_view rest = bytes;
    while (conn->call == k && rest.len > 0 && !k->in_over) {
        if (!k->answered) {
            if (!next_head(conn, &rest))
                break;
            if (k->answered && k->answer == NULL) { /* no body */
                body_over(conn, rest.len > 0);
                break;
            }
        } else if (!next_piece(conn, &rest)) {
            break;
        }
    }
    return bytes.len - rest.len;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The server sends no more, and says so properly or not. */
static void at_end(struct hf_client_conn *conn, enum hf_err err)
{
    struct hf_client_call *k = conn->call;
    if (err == HF_CLOSED && k->answered && k->until_end) {
        conn->eof = true;
        body_over(conn, false);
    } else if (err == HF_LIMIT) {
        hf_cconn_break(conn, HF_FAULT_INTERNAL, 0, "no memory for TLS");
    } else if (!k->answered && k->got_byte) {
        hf_cconn_break(conn, HF_FAULT_INCOMPLETE, 0, "the connection ended in the answer's head");
    } else {
        hf_cconn_break(conn, HF_FAULT_TERMINATED, 0,
                       k->answered ? "the connection ended before the answer did"
                                   : "the connection ended without an answer");
    }
}

/* Straight into the blob. */
static enum hf_err read_body(struct hf_client_conn *conn, struct hf_client_call *k)
{
    size_t room = room_of(k), got, n;
    uint64_t left = k->until_end ? UINT64_MAX : hf_http1_body_left(&k->decode);
    size_t want = left < room ? (size_t)left : room;
    uint8_t *space = hf_blob_reserve(k->answer, want, &got);
    if (space == NULL)
        return HF_LIMIT;
    enum hf_err err = hf_cconn_read(conn, space, got < want ? got : want, &n);
    if (err != HF_OK)
        return err;
    k->in_ns = conn->c->now_ns;
    if (!k->until_end)
        hf_http1_body_took(&k->decode, n);
    err = hf_blob_commit(k->answer, n);
    if (err == HF_CLOSED)
        err = HF_OK;
    if (err == HF_OK && look_unwanted(conn) && !k->until_end && hf_http1_body_over(&k->decode))
        body_over(conn, false);
    return err;
}

/* Through the shared buffer. */
static enum hf_err read_fresh(struct hf_client_conn *conn, struct hf_client_call *k)
{
    struct hf_client *c = conn->c;
    size_t room = k->answered ? room_of(k) : HF_CLIENT_READ_MAX, n;
    enum hf_err err =
        hf_cconn_read(conn, c->scratch, room < HF_CLIENT_READ_MAX ? room : HF_CLIENT_READ_MAX, &n);
    if (err != HF_OK)
        return err;
    struct hf_view bytes = hf_view(c->scratch, n);
    if (conn->in.len > 0) {
        err = hf_buf_add_view(&conn->in, bytes);
        if (err != HF_OK)
            return err;
        size_t used = feed(conn, k, hf_buf_view(&conn->in));
        if (conn->call == k)
            hf_buf_consume(&conn->in, used);
        return HF_OK;
    }
    size_t used = feed(conn, k, bytes);
    return conn->call == k ? hf_buf_add_view(&conn->in, hf_view_skip(bytes, used)) : HF_OK;
}

bool hf_call_receive(struct hf_client_conn *conn)
{
    struct hf_client_call *k = conn->call;
    if (k->answered && !k->in_over && !look_unwanted(conn))
        return false;
    if (conn->in.len > 0 && hf_call_wants_read(k) && k->answered) { /* what waited for room */
        size_t used = feed(conn, k, hf_buf_view(&conn->in));
        if (conn->call != k)
            return false;
        hf_buf_consume(&conn->in, used);
    }
    for (unsigned i = 0; hf_call_wants_read(k); i++) {
        if (i == HF_CLIENT_MOVES_MAX) {
            hf_cconn_ready(conn);
            break;
        }
        bool straight = k->answer != NULL && conn->in.len == 0 &&
                        (k->until_end || hf_http1_body_left(&k->decode) > 0);
        enum hf_err err = straight ? read_body(conn, k) : read_fresh(conn, k);
        if (conn->call != k)
            return false;
        if (err == HF_AGAIN)
            break;
        if (err != HF_OK) {
            at_end(conn, err);
            return conn->call == k;
        }
    }
    return true;
}
