/* pieces.c - a message on its way out (pieces.h). */
#include "gateway/pieces.h"

void hf_pieces_reset(struct hf_pieces *p)
{
    hf_buf_clear(&p->head);
    hf_buf_clear(&p->tail);
    p->head_at = p->tail_at = 0;
    p->chunk_len = p->chunk_at = 0;
    p->promised = p->left = 0;
}

void hf_pieces_done(struct hf_pieces *p)
{
    hf_buf_done(&p->head);
    hf_buf_done(&p->tail);
}

bool hf_pieces_want_bytes(const struct hf_pieces *p)
{
    return p->head_at == p->head.len && p->chunk_at == p->chunk_len && p->tail_at == p->tail.len;
}

bool hf_pieces_gone(const struct hf_pieces *p)
{
    return hf_pieces_want_bytes(p) && p->left == 0;
}

bool hf_pieces_counted(const struct hf_pieces *p)
{
    return p->framing == HF_FRAME_GIVEN || p->framing == HF_FRAME_LENGTH;
}

/* ---- making them ---- */

void hf_pieces_body(struct hf_pieces *p, enum hf_http1_framing framing, uint64_t length)
{
    p->framing = (uint8_t)framing;
    p->promised = p->left = hf_pieces_counted(p) ? length : 0;
}

static enum hf_err set_tail(struct hf_pieces *p, const struct hf_blob *blob, bool chunk, bool end)
{
    hf_buf_clear(&p->tail);
    p->tail_at = 0;
    enum hf_err err = chunk ? hf_buf_add_text(&p->tail, "\r\n") : HF_OK;
    if (err == HF_OK && end && p->framing == HF_FRAME_CHUNKED)
        err = hf_http1_write_end(&p->tail, hf_blob_trailers(blob));
    return err;
}

enum hf_err hf_pieces_next(struct hf_pieces *p, struct hf_blob_reader *body, bool *last)
{
    struct hf_view first;
    enum hf_err err = hf_blob_reader_peek(body, &first);
    *last = false;
    if (hf_pieces_counted(p)) { /* all that was promised is sent */
        *last = true;
        return err == HF_OK ? HF_INVALID : HF_OK;
    }
    if (err == HF_CLOSED) {
        *last = true;
        return set_tail(p, body->blob, false, true);
    }
    if (err != HF_OK)
        return err;
    struct iovec iov[HF_GATHER_BODY_MAX];
    size_t len;
    hf_blob_reader_iov(body, iov, HF_GATHER_BODY_MAX, &len);
    p->left = len;
    if (p->framing != HF_FRAME_CHUNKED)
        return HF_OK;
    p->chunk_len = (uint8_t)hf_http1_chunk_head(p->chunk, len);
    p->chunk_at = 0;
    *last = hf_blob_complete(body->blob) && body->at + len == hf_blob_pushed(body->blob);
    return set_tail(p, body->blob, true, *last);
}

/* What is known of the end, before the last byte could make the body look right. */
static enum hf_err check_end(const struct hf_pieces *p, const struct hf_blob *blob)
{
    uint64_t pushed = hf_blob_pushed(blob);
    if (pushed > p->promised || (pushed < p->promised && hf_blob_complete(blob)))
        return HF_INVALID;
    return pushed == p->promised ? hf_blob_error(blob) : HF_OK;
}

enum hf_err hf_pieces_check(const struct hf_pieces *p, struct hf_blob_reader *body)
{
    struct hf_view bytes;
    if (p->left == 0 || !hf_pieces_counted(p))
        return HF_OK;
    enum hf_err err = check_end(p, body->blob);
    return err == HF_OK ? hf_blob_reader_peek(body, &bytes) : err;
}

/* ---- sending them ---- */

static bool add(struct hf_gather *g, const void *ptr, size_t len)
{
    if (len == 0)
        return true;
    if (g->n == HF_GATHER_MAX)
        return false;
    g->iov[g->n++] = (struct iovec){(void *)(uintptr_t)ptr, len}; /* writev only reads it */
    g->len += len;
    return true;
}

static bool add_body(struct hf_gather *g, struct hf_blob_reader *body, uint64_t left)
{
    int room =
        HF_GATHER_MAX - g->n < HF_GATHER_BODY_MAX ? HF_GATHER_MAX - g->n : HF_GATHER_BODY_MAX;
    size_t len = 0;
    if (left == 0)
        return true;
    struct iovec *iov = g->iov + g->n;
    int n = room > 0 ? hf_blob_reader_iov(body, iov, room, &len) : 0;
    for (int i = 0; i < n && left > 0; i++) {
        if (iov[i].iov_len > left)
            iov[i].iov_len = (size_t)left;
        left -= iov[i].iov_len;
        g->len += iov[i].iov_len;
        g->n++;
    }
    return left == 0;
}

bool hf_pieces_add(const struct hf_pieces *p, struct hf_blob_reader *body, struct hf_gather *g)
{
    return add(g, p->head.ptr + p->head_at, p->head.len - p->head_at) &&
           add(g, p->chunk + p->chunk_at, (size_t)(p->chunk_len - p->chunk_at)) &&
           add_body(g, body, p->left) && add(g, p->tail.ptr + p->tail_at, p->tail.len - p->tail_at);
}

static size_t least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

size_t hf_pieces_took(struct hf_pieces *p, struct hf_blob_reader *body, size_t n)
{
    size_t some = least(p->head.len - p->head_at, n);
    p->head_at += some;
    n -= some;
    some = least((uint64_t)(p->chunk_len - p->chunk_at), n);
    p->chunk_at = (uint8_t)(p->chunk_at + some);
    n -= some;
    some = least(p->left, n);
    if (some > 0)
        hf_blob_reader_advance(body, some);
    p->left -= some;
    n -= some;
    some = least(p->tail.len - p->tail_at, n);
    p->tail_at += some;
    return n - some;
}
