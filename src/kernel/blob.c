/* blob.c - the life of a blob and its producer's side (blob.h, blob_int.h).
 *
 * Nobody left: every reference but the producer's is gone. Then the bytes are dropped, the room
 * wait becomes ready, and a push says HF_CLOSED; the blob itself lives until the producer ends it.
 *
 * When the one segment left has been passed by all, it is used again from its start, so that a
 * stream whose reader keeps up turns in one segment that stays warm in the cache.
 *
 * Not here: reading (blob_reader.c), where segments come from (blob_pool.c), spilling to files (the
 * store issue).
 */
#include "kernel/blob_int.h"

#define OVERRUN       (1024u * 1024) /* beyond 4 windows: a producer that never looks at its room */
#define RESERVE_LEAST 2048u          /* less space than that at the end: better a new segment */

/* ---- making and freeing ---- */

static struct hf_blob *whole(struct hf_blob_pool *pool, struct hf_view bytes, size_t inline_bytes,
                             enum hf_seg_kind kind)
{
    struct hf_blob *b = hf_blob_alloc(pool, inline_bytes);
    if (b == NULL)
        return NULL;
    b->ended = true;
    b->declared = b->pushed = bytes.len;
    b->own = (struct hf_seg){.len = bytes.len, .cap = bytes.len, .kind = kind};
    b->head = b->tail = &b->own;
    b->memory = bytes.len;
    return b;
}

struct hf_blob *hf_blob_of_bytes_in(struct hf_blob_pool *pool, struct hf_view bytes)
{
    struct hf_blob *b = whole(pool, bytes, bytes.len, HF_SEG_INLINE);
    if (b == NULL)
        return NULL;
    b->own.data = (uint8_t *)(b + 1);
    if (bytes.len > 0)
        memcpy(b->own.data, bytes.ptr, bytes.len);
    return b;
}

struct hf_blob *hf_blob_of_buf_in(struct hf_blob_pool *pool, struct hf_buf *buf)
{
    struct hf_blob *b = whole(pool, hf_buf_view(buf), 0, HF_SEG_BUF);
    if (b == NULL)
        return NULL;
    size_t len;
    hf_buf_take(buf, &b->own.data, &len);
    return b;
}

struct hf_blob *hf_blob_new_in(struct hf_blob_pool *pool, uint64_t len, size_t window)
{
    struct hf_blob *b = hf_blob_alloc(pool, 0);
    if (b == NULL)
        return NULL;
    b->producing = true;
    b->declared = len;
    b->window = window == 0 ? HF_BLOB_WINDOW : window;
    hf_wait_fire(&b->room);
    return b;
}

struct hf_blob *hf_blob_of_bytes(struct hf_view bytes)
{
    return hf_blob_of_bytes_in(NULL, bytes);
}

struct hf_blob *hf_blob_of_buf(struct hf_buf *buf)
{
    return hf_blob_of_buf_in(NULL, buf);
}

struct hf_blob *hf_blob_new(uint64_t len, size_t window)
{
    return hf_blob_new_in(NULL, len, window);
}

static void drop_head(struct hf_blob *b)
{
    struct hf_seg *seg = b->head;
    b->head = seg->next;
    if (b->head == NULL)
        b->tail = NULL;
    b->memory -= seg->cap;
    hf_seg_free(b->pool, seg);
}

static void free_blob(struct hf_blob *b)
{
    if (b->telling) /* by a wake: whoever tells frees it after */
        return;
    b->lent = 0;
    while (b->head != NULL)
        drop_head(b);
    hf_blob_dealloc(b);
}

struct hf_blob *hf_blob_ref(struct hf_blob *b)
{
    HF_ASSERT(b->refs > 0 || b->producing);
    b->refs++;
    return b;
}

void hf_blob_unref(struct hf_blob *b)
{
    if (b == NULL)
        return;
    HF_ASSERT(b->refs > b->n_readers); /* a reader's reference goes with the reader */
    b->refs--;
    if (b->refs == 0 && !b->producing)
        free_blob(b);
    else
        hf_blob_settle(b);
}

/* ---- keeping and letting go ---- */

static void find_slowest(struct hf_blob *b)
{
    uint64_t low = UINT64_MAX;
    HF_LIST_FOR(n, &b->readers)
    {
        uint64_t at = HF_LIST_ENTRY(n, struct hf_blob_reader, in_blob)->at;
        low = at < low ? at : low;
    }
    b->low = b->n_readers == 0 ? b->base : low;
}

/* Everything was passed (or can never be read): only a segment that is still being filled stays. */
static void drop_all(struct hf_blob *b)
{
    while (b->head != NULL && (b->head != b->tail || b->lent == 0))
        drop_head(b);
    HF_LIST_FOR(n, &b->readers)
    {
        HF_LIST_ENTRY(n, struct hf_blob_reader, in_blob)->seg = b->head;
    }
    b->base = b->pushed;
}

static void release(struct hf_blob *b)
{
    if (b->refs > b->n_readers) /* somebody could still read from the start */
        return;
    if (b->n_readers == 0 || (b->ended && b->low == b->pushed)) {
        drop_all(b);
        return;
    }
    while (b->head != b->tail && b->head->at + b->head->len <= b->low)
        drop_head(b);
    struct hf_seg *seg = b->head;
    if (seg == NULL)
        return;
    if (b->low == b->pushed && b->lent == 0 && seg == b->tail) {
        seg->at = b->pushed;
        seg->len = 0;
    }
    b->base = seg->at;
}

void hf_blob_settle(struct hf_blob *b)
{
    find_slowest(b);
    release(b);
    if (b->n_readers == 0)
        b->low = b->base;
    if (!b->producing)
        return;
    if (b->refs == 0)
        hf_wait_fire(&b->gone);
    /* last: the producer's wake may end the blob */
    hf_wait_set(&b->room, hf_blob_room(b) > 0 || b->refs == 0);
}

/* ---- what it is ---- */

uint64_t hf_blob_declared(const struct hf_blob *b)
{
    return hf_blob_complete(b) ? b->pushed : b->declared;
}

uint64_t hf_blob_pushed(const struct hf_blob *b)
{
    return b->pushed;
}

bool hf_blob_complete(const struct hf_blob *b)
{
    return b->ended && b->err == HF_OK;
}

enum hf_err hf_blob_error(const struct hf_blob *b)
{
    return b->err;
}

size_t hf_blob_memory(const struct hf_blob *b)
{
    return b->memory;
}

size_t hf_blob_room(const struct hf_blob *b)
{
    uint64_t used = b->pushed - b->low;
    return used < b->window ? (size_t)(b->window - used) : 0;
}

struct hf_wait *hf_blob_room_wait(struct hf_blob *b)
{
    return &b->room;
}

struct hf_wait *hf_blob_gone_wait(struct hf_blob *b)
{
    return &b->gone;
}

bool hf_blob_wanted(const struct hf_blob *b)
{
    return b->refs > 0;
}

/* ---- producing ---- */

/* Readers hear of bytes or of the end. A reader's wake may read, advance and close readers, this
 * one or another, and so let the producer's wake push or end the blob. False: that was the end of
 * it, the blob is gone. */
static bool tell_readers(struct hf_blob *b)
{
    if (b->telling) { /* whoever tells goes round again */
        b->told = true;
        return true;
    }
    b->telling = true;
    do {
        b->told = false;
        for (struct hf_list *n = b->readers.next; n != &b->readers; n = b->cursor) {
            struct hf_blob_reader *r = HF_LIST_ENTRY(n, struct hf_blob_reader, in_blob);
            b->cursor = n->next;
            if (r->at < b->pushed || b->ended)
                hf_wait_fire(&r->wait);
        }
    } while (b->told);
    b->telling = false;
    if (b->refs > 0 || b->producing)
        return true;
    free_blob(b);
    return false;
}

static void arrived(struct hf_blob *b, size_t n)
{
    b->pushed += n;
    if (tell_readers(b) && b->producing)
        hf_wait_set(&b->room, hf_blob_room(b) > 0 || b->refs == 0);
}

static enum hf_err check_more(const struct hf_blob *b, size_t n)
{
    if (b->refs == 0)
        return HF_CLOSED;
    if (b->declared != HF_BLOB_LEN_UNKNOWN && n > b->declared - b->pushed)
        return HF_INVALID;
    uint64_t max = (uint64_t)OVERRUN + 4 * (uint64_t)b->window, used = b->pushed - b->low;
    return used >= max && n > 0 ? HF_LIMIT : HF_OK;
}

/* A short body, or the first bytes of one, go into a small segment. */
static enum hf_seg_kind kind_for(const struct hf_blob *b, size_t want)
{
    if (b->declared != HF_BLOB_LEN_UNKNOWN && b->declared - b->pushed <= HF_SEG_SMALL_CAP &&
        want <= HF_SEG_SMALL_CAP)
        return HF_SEG_SMALL;
    return b->tail == NULL && want <= HF_SEG_SMALL_CAP ? HF_SEG_SMALL : HF_SEG_LARGE;
}

static void add_seg(struct hf_blob *b, struct hf_seg *seg)
{
    struct hf_seg *last = b->tail;
    seg->next = NULL;
    seg->at = last == NULL ? b->pushed : last->at + last->len;
    if (last == NULL)
        b->head = seg;
    else
        last->next = seg;
    b->tail = seg;
    b->memory += seg->cap;
    HF_LIST_FOR(n, &b->readers)
    {
        struct hf_blob_reader *r = HF_LIST_ENTRY(n, struct hf_blob_reader, in_blob);
        if (r->at == seg->at)
            r->seg = seg;
    }
}

/* Segments for `len` bytes beyond what the last one has room for; all or none. */
static enum hf_err make_room(struct hf_blob *b, size_t len, struct hf_seg **ret)
{
    size_t space = b->tail == NULL ? 0 : b->tail->cap - b->tail->len;
    struct hf_seg **end = ret;
    *ret = NULL;
    while (len > space) {
        struct hf_seg *seg = hf_seg_new(b->pool, kind_for(b, len - space));
        if (seg == NULL)
            goto fail;
        *end = seg;
        end = &seg->next;
        space += seg->cap;
    }
    return HF_OK;
fail:
    for (struct hf_seg *seg = *ret, *next; seg != NULL; seg = next) {
        next = seg->next;
        hf_seg_free(b->pool, seg);
    }
    return HF_LIMIT;
}

enum hf_err hf_blob_push(struct hf_blob *b, struct hf_view bytes)
{
    struct hf_seg *more;

    HF_ASSERT(b->producing && !b->ended);
    b->lent = 0;
    enum hf_err err = check_more(b, bytes.len);
    if (err == HF_OK)
        err = make_room(b, bytes.len, &more);
    if (err != HF_OK || bytes.len == 0)
        return err;
    for (size_t done = 0;;) {
        struct hf_seg *seg = b->tail;
        size_t n = seg == NULL ? 0 : seg->cap - seg->len;
        if (n > bytes.len - done)
            n = bytes.len - done;
        if (n > 0) {
            memcpy(seg->data + seg->len, bytes.ptr + done, n);
            seg->len += n;
            done += n;
        }
        if (done == bytes.len)
            break;
        struct hf_seg *next = more->next;
        add_seg(b, more);
        more = next;
    }
    arrived(b, bytes.len);
    return HF_OK;
}

uint8_t *hf_blob_reserve(struct hf_blob *b, size_t want, size_t *got)
{
    HF_ASSERT(b->producing && !b->ended);
    struct hf_seg *seg = b->tail;
    size_t space = seg == NULL ? 0 : seg->cap - seg->len;
    if (want == 0)
        want = 1;
    if (space < want && space < RESERVE_LEAST) {
        seg = hf_seg_new(b->pool, kind_for(b, want));
        if (seg == NULL && space == 0)
            return NULL;
        if (seg != NULL)
            add_seg(b, seg);
        seg = b->tail;
        space = seg->cap - seg->len;
    }
    b->lent = *got = space < want ? space : want;
    return seg->data + seg->len;
}

enum hf_err hf_blob_commit(struct hf_blob *b, size_t n)
{
    HF_ASSERT(b->producing && !b->ended && n <= b->lent);
    enum hf_err err = check_more(b, n);
    b->lent = 0;
    if (err == HF_OK && n > 0) {
        b->tail->len += n;
        arrived(b, n);
    } else if (err == HF_CLOSED) {
        drop_all(b);
    }
    return err;
}

static void end(struct hf_blob *b, enum hf_err err)
{
    HF_ASSERT(b->producing && !b->ended);
    b->err = err;
    b->ended = true;
    b->lent = 0;
    tell_readers(b);
    b->producing = false;
    if (b->refs == 0)
        free_blob(b);
    else
        hf_blob_settle(b);
}

void hf_blob_finish(struct hf_blob *b)
{
    end(b, b->declared != HF_BLOB_LEN_UNKNOWN && b->pushed < b->declared ? HF_INVALID : HF_OK);
}

void hf_blob_fail(struct hf_blob *b, enum hf_err err)
{
    HF_ASSERT(err != HF_OK && err != HF_AGAIN);
    end(b, err);
}

enum hf_err hf_blob_set_trailers(struct hf_blob *b, struct hf_view head)
{
    HF_ASSERT(b->producing && !b->ended);
    hf_buf_clear(&b->trailers);
    return hf_buf_add_view(&b->trailers, head);
}

struct hf_view hf_blob_trailers(const struct hf_blob *b)
{
    return hf_buf_view(&b->trailers);
}
