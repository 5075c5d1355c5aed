/* blob_reader.c - reading a blob: lend what is there, pass it, hear of more (blob.h).
 *
 * A reader's wait follows two numbers: it is ready while its place is before what was pushed, or
 * the blob has ended. Passing bytes looks for the new slowest reader only when the slowest moved.
 */
#include "kernel/blob_int.h"

#include <sys/uio.h>

void hf_blob_reader_open(struct hf_blob_reader *r, struct hf_blob **blob)
{
    struct hf_blob *b = *blob;
    HF_ASSERT(b->base == 0 && b->refs > b->n_readers);
    *blob = NULL;
    *r = (struct hf_blob_reader){.blob = b, .seg = b->head};
    hf_wait_init(&r->wait, b->pushed > 0 || b->ended);
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
    r->blob = NULL;
    r->seg = NULL;
    b->n_readers--;
    hf_wait_done(&r->wait);
    hf_blob_unref(b);
}

void hf_blob_reader_move(struct hf_blob_reader *from, struct hf_blob_reader *to)
{
    struct hf_blob *b = from->blob;
    HF_ASSERT(to->blob == NULL);
    if (b == NULL)
        return;
    *to = (struct hf_blob_reader){.blob = b, .at = from->at, .seg = from->seg};
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
    struct hf_seg *seg = r->seg;
    r->at += n;
    while (r->at >= seg->at + seg->len && seg->next != NULL)
        seg = seg->next;
    r->seg = seg;
    if (r->at == b->pushed && !b->ended)
        hf_wait_clear(&r->wait);
    if (slowest)
        hf_blob_settle(b);
}

int hf_blob_reader_iov(struct hf_blob_reader *r, struct iovec *iov, int max, size_t *len)
{
    const struct hf_blob *b = r->blob;
    int n = 0;
    *len = 0;
    if (r->at == b->pushed)
        return 0;
    size_t passed = (size_t)(r->at - ((const struct hf_seg *)r->seg)->at);
    for (const struct hf_seg *seg = r->seg; seg != NULL && n < max; seg = seg->next, passed = 0) {
        if (seg->len == passed) /* the last one, still empty */
            continue;
        iov[n++] = (struct iovec){.iov_base = seg->data + passed, .iov_len = seg->len - passed};
        *len += seg->len - passed;
    }
    return n;
}
