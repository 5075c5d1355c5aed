/* blob_share.c - see blob_share.h.
 *
 * One count for each piece, since a reader lets go of what it has passed piece by piece. The memory
 * of a piece is plain, so that any thread can free it; where it was a pool's, it is not any more.
 */
#include "kernel/blob_share.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "kernel/blob_int.h"

struct hf_shared {
    _Atomic uint32_t refs;
    uint8_t *data; /* its own allocation, or behind this */
};

struct piece {
    struct hf_shared *bytes;
    size_t len, cap;
};
struct hf_blob_share {
    size_t n;
    uint64_t len;
    struct hf_buf trailers;
    struct piece pieces[];
};

void hf_shared_unref(struct hf_shared *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (s->data != (uint8_t *)(s + 1))
        free(s->data);
    free(s);
}

void hf_blob_share_free(struct hf_blob_share *share)
{
    if (share == NULL)
        return;
    for (size_t i = 0; i < share->n; i++)
        if (share->pieces[i].bytes != NULL)
            hf_shared_unref(share->pieces[i].bytes);
    hf_buf_done(&share->trailers);
    free(share);
}

static struct hf_shared *copy_of(const struct hf_seg *seg)
{
    struct hf_shared *s = malloc(sizeof *s + seg->len);
    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    s->data = (uint8_t *)(s + 1);
    if (seg->len > 0)
        memcpy(s->data, seg->data, seg->len);
    return s;
}

/* A reference more of a segment's bytes; they are counted from now on. NULL: no memory. */
static struct hf_shared *share_seg(struct hf_blob *b, struct hf_seg *seg)
{
    if (seg->kind == HF_SEG_INLINE || seg->kind == HF_SEG_SMALL ||
        (seg->shared == NULL && seg->len < HF_BLOB_SPILL_LEAST))
        return copy_of(seg);
    if (seg->shared == NULL) {
        struct hf_shared *s = malloc(sizeof *s);
        if (s == NULL)
            return NULL;
        atomic_init(&s->refs, 1);
        s->data = seg->data;
        seg->shared = s;
        hf_seg_block_leaves(b->pool, seg->kind);
    }
    atomic_fetch_add_explicit(&seg->shared->refs, 1, memory_order_relaxed);
    return seg->shared;
}

struct hf_blob_share *hf_blob_share(struct hf_blob *b)
{
    size_t n = 0;
    if (!hf_blob_at_hand(b) || b->base > 0)
        return NULL;
    for (const struct hf_seg *seg = b->head; seg != NULL; seg = seg->next)
        n++;
    struct hf_blob_share *share = calloc(1, sizeof *share + n * sizeof share->pieces[0]);
    if (share == NULL)
        return NULL;
    share->len = b->pushed;
    if (hf_buf_add_view(&share->trailers, hf_blob_trailers(b)) != HF_OK)
        goto fail;
    for (struct hf_seg *seg = b->head; seg != NULL; seg = seg->next) {
        if (seg->len == 0)
            continue;
        struct piece *p = &share->pieces[share->n];
        *p = (struct piece){.bytes = share_seg(b, seg), .len = seg->len};
        if (p->bytes == NULL)
            goto fail;
        p->cap = p->bytes == seg->shared ? seg->cap : seg->len;
        share->n++;
    }
    return share;
fail:
    hf_blob_share_free(share);
    return NULL;
}

/* Moves a piece's bytes into a segment. */
static void fill(struct hf_seg *seg, struct piece *p)
{
    seg->data = p->bytes->data;
    seg->shared = p->bytes;
    seg->len = p->len;
    seg->cap = p->cap;
    p->bytes = NULL;
}

static struct hf_blob *of_pieces(struct hf_blob_pool *pool, struct hf_blob_share *share)
{
    struct hf_blob *b = hf_blob_new_in(pool, share->len, 0);
    if (b == NULL)
        return NULL;
    for (size_t i = 0; i < share->n; i++) {
        struct hf_seg *seg = hf_seg_bare(pool);
        if (seg == NULL) {
            hf_blob_fail(b, HF_LIMIT);
            hf_blob_unref(b);
            return NULL;
        }
        fill(seg, &share->pieces[i]);
        hf_blob_add_seg(b, seg);
        b->pushed += seg->len;
    }
    hf_blob_finish(b);
    return b;
}

static struct hf_blob *of_one(struct hf_blob_pool *pool, struct hf_blob_share *share)
{
    struct hf_blob *b = hf_blob_whole(pool, share->n == 0 ? 0 : share->pieces[0].cap, share->len);
    if (b != NULL && share->n > 0) {
        fill(&b->own, &share->pieces[0]);
        hf_blob_became_cold(b);
    }
    return b;
}

struct hf_blob *hf_blob_of_share(struct hf_blob_pool *pool, struct hf_blob_share *share)
{
    struct hf_blob *b = share->n <= 1 ? of_one(pool, share) : of_pieces(pool, share);
    if (b != NULL) {
        b->trailers = share->trailers;
        hf_buf_init(&share->trailers);
    }
    hf_blob_share_free(share);
    return b;
}
