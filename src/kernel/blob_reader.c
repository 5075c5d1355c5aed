/* blob_reader.c - reading a blob: lend what is there, pass it, hear of more (blob.h).
 *
 * A reader's wait follows two numbers: it is ready while its place is before what was pushed, or
 * the blob has ended; and, where bytes spill, what it is at: that must be in memory. Passing bytes
 * looks for the new slowest reader only when the slowest moved.
 */
#include "kernel/blob_int.h"

#include <sys/uio.h>

#define LENT_MAX (256u * 1024) /* by one iov, about, where bytes spill */

/* Where bytes spill, a reader pins the segments from the one it is at to the last that iov lent. */
static void pin(struct hf_blob *b, struct hf_seg *seg)
{
    if (seg->n_readers++ == 0)
        hf_seg_warm(b, seg);
}

static void unpin(struct hf_blob *b, struct hf_seg *seg)
{
    if (--seg->n_readers > 0)
        return;
    hf_seg_unwant(seg);
    hf_seg_cool(b, seg);
}

static void move_pins(struct hf_blob_reader *r, struct hf_seg *to)
{
    struct hf_blob *b = r->blob;
    struct hf_seg *seg = r->seg, *last = r->last;
    bool pinned = false;
    for (struct hf_seg *next; seg != NULL; seg = next) {
        next = seg == last ? NULL : seg->next;
        if (seg == to)
            pinned = true;
        if (pinned)
            break;
        unpin(b, seg);
    }
    if (to == NULL || !pinned) {
        r->last = to;
        if (to != NULL)
            pin(b, to);
    }
    if (to != NULL && r->at < to->at + to->len) {
        hf_seg_want(b, to);
        if (to->next != NULL) /* read ahead */
            hf_seg_want(b, to->next);
    }
    hf_blob_press(b->pool, b);
}

void hf_blob_reader_enter(struct hf_blob_reader *r, struct hf_seg *seg)
{
    if (r->seg == seg)
        return;
    if (hf_blob_spills(r->blob))
        move_pins(r, seg);
    r->seg = seg;
}

static struct hf_seg *seg_at(struct hf_seg *seg, uint64_t at)
{
    while (seg != NULL && at >= seg->at + seg->len && seg->next != NULL)
        seg = seg->next;
    return seg;
}

void hf_blob_reader_open(struct hf_blob_reader *r, struct hf_blob **blob)
{
    hf_blob_reader_open_at(r, blob, 0);
}

void hf_blob_reader_open_at(struct hf_blob_reader *r, struct hf_blob **blob, uint64_t at)
{
    struct hf_blob *b = *blob;
    HF_ASSERT(b->base == 0 && b->refs > b->n_readers);
    *blob = NULL;
    *r = (struct hf_blob_reader){.blob = b, .at = at < b->pushed ? at : b->pushed};
    hf_blob_reader_enter(r, seg_at(b->head, r->at));
    hf_wait_init(&r->wait, hf_blob_reader_ready(r));
    hf_list_push_back(&b->readers, &r->in_blob);
    b->n_readers++;
    hf_blob_settle(b);
}

static void unlink_reader(struct hf_blob_reader *r)
{
    struct hf_blob *b = r->blob;
    if (b->cursor == &r->in_blob)
        b->cursor = r->in_blob.next;
    hf_list_remove(&r->in_blob);
}

void hf_blob_reader_close(struct hf_blob_reader *r)
{
    struct hf_blob *b = r->blob;
    if (b == NULL)
        return;
    unlink_reader(r);
    hf_blob_reader_enter(r, NULL);
    r->blob = NULL;
    b->n_readers--;
    hf_wait_done(&r->wait);
    hf_blob_unref_settle(b);
}

bool hf_blob_reader_holds(const struct hf_blob_reader *r)
{
    return r->seg != NULL && hf_blob_spills(r->blob);
}

void hf_blob_reader_move(struct hf_blob_reader *from, struct hf_blob_reader *to)
{
    struct hf_blob *b = from->blob;
    HF_ASSERT(to->blob == NULL);
    if (b == NULL)
        return;
    *to = (struct hf_blob_reader){
        .blob = b, .at = from->at, .seg = from->seg, .last = from->last}; /* with its pins */
    hf_wait_init(&to->wait, from->wait.ready);
    hf_list_insert_before(&from->in_blob, &to->in_blob);
    if (b->cursor == &from->in_blob)
        b->cursor = &to->in_blob;
    unlink_reader(from);
    from->blob = NULL;
    from->seg = NULL;
    hf_wait_done(&from->wait);
}

static enum hf_err end_of(const struct hf_blob *b)
{
    if (!b->ended)
        return HF_AGAIN;
    if (b->err == HF_OK)
        return HF_CLOSED;
    return b->err == HF_CLOSED ? HF_IO : b->err;
}

enum hf_err hf_blob_reader_peek(struct hf_blob_reader *r, struct hf_view *ret)
{
    const struct hf_blob *b = r->blob;
    if (r->at == b->pushed)
        return end_of(b);
    const struct hf_seg *seg = r->seg;
    if (seg->data == NULL)
        return seg->err == HF_OK ? HF_AGAIN : seg->err;
    size_t passed = (size_t)(r->at - seg->at);
    *ret = hf_view(seg->data + passed, seg->len - passed);
    return HF_OK;
}

void hf_blob_reader_advance(struct hf_blob_reader *r, size_t n)
{
    struct hf_blob *b = r->blob;
    HF_ASSERT(n <= b->pushed - r->at);
    if (n == 0)
        return;
    bool slowest = r->at == b->low;
    r->at += n;
    hf_blob_reader_enter(r, seg_at(r->seg, r->at));
    if (!hf_blob_reader_ready(r))
        hf_wait_clear(&r->wait);
    if (slowest)
        hf_blob_settle(b);
}

int hf_blob_reader_iov(struct hf_blob_reader *r, struct iovec *iov, int max, size_t *len)
{
    struct hf_blob *b = r->blob;
    int n = 0;
    *len = 0;
    struct hf_seg *at = r->seg, *last = r->last;
    if (r->at == b->pushed || at->data == NULL)
        return 0;
    /* Whoever sent a part of what was lent must not find less: it stays, and so has a bound. */
    bool spills = hf_blob_spills(b), is_pinned = true;
    size_t passed = (size_t)(r->at - at->at);
    for (struct hf_seg *seg = at; seg != NULL && n < max; seg = seg->next, passed = 0) {
        if (spills && seg != at && (seg->data == NULL || *len >= LENT_MAX))
            break;
        if (spills && !is_pinned) {
            pin(b, seg);
            r->last = seg;
        }
        if (seg == last)
            is_pinned = false;
        if (seg->len == passed) /* the last one, still empty */
            continue;
        iov[n++] = (struct iovec){.iov_base = seg->data + passed, .iov_len = seg->len - passed};
        *len += seg->len - passed;
    }
    return n;
}
