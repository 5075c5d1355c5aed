/* blob.c - the life of a blob and its producer's side (blob.h, blob_int.h).
 *
 * Nobody left: every reference but the producer's is gone. Then the bytes are dropped, the room
 * wait becomes ready, and a push says HF_CLOSED; the blob itself lives until the producer ends it.
 *
 * When the one segment left has been passed by all, it is used again from its start, so that a
 * stream whose reader keeps up turns in one segment that stays warm in the cache.
 *
 * Not here: reading (blob_reader.c), where segments come from (blob_pool.c), spilling to files
 * (blob_spill.c).
 */
#include "kernel/blob_int.h"

#include <stdlib.h>

#define OVERRUN       (1024u * 1024) /* beyond 4 windows: a producer that never looks at its room */
#define RESERVE_LEAST 2048u          /* less space than that at the end: better a new segment */

static void weigh(struct hf_blob *b, size_t more, size_t less)
{
    b->memory += more - less;
    if (b->pool != NULL)
        b->pool->held += more - less;
}

/* ---- making and freeing ---- */

static struct hf_blob *whole(struct hf_blob_pool *pool, struct hf_view bytes, size_t inline_bytes,
                             enum hf_seg_kind kind)
{
    struct hf_blob *b = hf_blob_alloc(pool, inline_bytes);
    if (b == NULL)
        return NULL;
    b->ended = true;
    b->declared = b->pushed = bytes.len;
    b->own = (struct hf_seg){.len = bytes.len, .cap = bytes.len, .kind = kind, .blob = b};
    b->head = b->tail = &b->own;
    weigh(b, bytes.len, 0);
    return b;
}

struct hf_blob *hf_blob_whole(struct hf_blob_pool *pool, size_t cap, size_t len)
{
    struct hf_blob *b = whole(pool, hf_view(NULL, cap), 0, HF_SEG_BUF);
    if (b != NULL) {
        b->own.len = len;
        b->declared = b->pushed = len;
    }
    return b;
}

void hf_blob_became_cold(struct hf_blob *b)
{
    if (!hf_blob_spills(b))
        return;
    hf_seg_cool(b, b->tail);
    hf_blob_press(b->pool, b);
}

/* A complete one whose bytes may go to the file, so they lie apart from it: in one piece or, when
 * that would be a lot to bring back, in many. NULL: no memory, or too much while the file takes no
 * more. */
static struct hf_blob *of_bytes_apart(struct hf_blob_pool *pool, struct hf_view bytes)
{
    if (hf_blob_refuses(pool, NULL, bytes.len))
        return NULL;
    if (bytes.len <= HF_BLOB_ONE_MAX) {
        uint8_t *data = malloc(bytes.len);
        struct hf_blob *b = data == NULL ? NULL : whole(pool, bytes, 0, HF_SEG_BUF);
        if (b == NULL) {
            free(data);
            return NULL;
        }
        memcpy(data, bytes.ptr, bytes.len);
        b->own.data = data;
        hf_blob_became_cold(b);
        return b;
    }
    struct hf_blob *b = hf_blob_new_in(pool, bytes.len, bytes.len);
    if (b == NULL)
        return NULL;
    enum hf_err err = hf_blob_push(b, bytes);
    if (err == HF_OK) {
        hf_blob_finish(b);
        return b;
    }
    hf_blob_fail(b, err);
    hf_blob_unref(b);
    return NULL;
}

struct hf_blob *hf_blob_of_bytes_in(struct hf_blob_pool *pool, struct hf_view bytes)
{
    if (pool != NULL && pool->spill != NULL && bytes.len >= HF_BLOB_SPILL_LEAST)
        return of_bytes_apart(pool, bytes);
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
    bool spills = pool != NULL && pool->spill != NULL;
    if (spills && buf->len > HF_BLOB_ONE_MAX) {
        struct hf_blob *pieces = of_bytes_apart(pool, hf_buf_view(buf));
        if (pieces != NULL)
            hf_buf_done(buf);
        return pieces;
    }
    struct hf_blob *b = whole(pool, hf_buf_view(buf), 0, HF_SEG_BUF);
    if (b == NULL)
        return NULL;
    size_t len;
    hf_buf_take(buf, &b->own.data, &len);
    hf_blob_became_cold(b);
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
    if (hf_blob_spills(b))
        hf_seg_leave(b, seg);
    if (seg->data != NULL)
        weigh(b, 0, seg->cap);
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
    if (b->refs > b->n_readers + 1) /* who is left could read it all, as before: a hop ends here */
        b->refs--;
    else
        hf_blob_unref_settle(b);
}

void hf_blob_unref_settle(struct hf_blob *b)
{
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
    struct hf_seg *stays = b->lent == 0 ? NULL : b->tail;
    HF_LIST_FOR(n, &b->readers)
    {
        hf_blob_reader_enter(HF_LIST_ENTRY(n, struct hf_blob_reader, in_blob), stays);
    }
    while (b->head != stays)
        drop_head(b);
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
    if (hf_blob_spills(b))
        b->slowed = hf_blob_is_slowed(b);
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

bool hf_blob_at_hand(const struct hf_blob *b)
{
    if (!hf_blob_complete(b))
        return false;
    for (const struct hf_seg *seg = b->head; seg != NULL; seg = seg->next)
        if (seg->data == NULL)
            return false;
    return true;
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
    return used < b->window && !b->slowed ? (size_t)(b->window - used) : 0;
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

bool hf_blob_tell(struct hf_blob *b)
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
            if (hf_blob_reader_ready(r))
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
    if (hf_blob_spills(b))
        b->slowed = hf_blob_is_slowed(b);
    if (hf_blob_tell(b) && b->producing)
        hf_wait_set(&b->room, hf_blob_room(b) > 0 || b->refs == 0);
}

static enum hf_err check_more(struct hf_blob *b, size_t n)
{
    if (b->refs == 0)
        return HF_CLOSED;
    if (b->declared != HF_BLOB_LEN_UNKNOWN && n > b->declared - b->pushed)
        return HF_INVALID;
    uint64_t max = (uint64_t)OVERRUN + 4 * (uint64_t)b->window, used = b->pushed - b->low;
    if (used >= max && n > 0)
        return HF_LIMIT;
    return hf_blob_spills(b) && hf_blob_refuses(b->pool, b, n) ? HF_LIMIT : HF_OK;
}

/* A short body, or the first bytes of one, go into a small segment. */
static enum hf_seg_kind kind_for(const struct hf_blob *b, size_t want)
{
    if (b->declared != HF_BLOB_LEN_UNKNOWN && b->declared - b->pushed <= HF_SEG_SMALL_CAP &&
        want <= HF_SEG_SMALL_CAP)
        return HF_SEG_SMALL;
    return b->tail == NULL && want <= HF_SEG_SMALL_CAP ? HF_SEG_SMALL : HF_SEG_LARGE;
}

void hf_blob_add_seg(struct hf_blob *b, struct hf_seg *seg)
{
    struct hf_seg *last = b->tail;
    seg->next = NULL;
    seg->at = last == NULL ? b->pushed : last->at + last->len;
    if (last == NULL)
        b->head = seg;
    else
        last->next = seg;
    b->tail = seg;
    seg->blob = b;
    weigh(b, seg->cap, 0);
    HF_LIST_FOR(n, &b->readers)
    {
        struct hf_blob_reader *r = HF_LIST_ENTRY(n, struct hf_blob_reader, in_blob);
        if (r->at == seg->at)
            hf_blob_reader_enter(r, seg);
    }
    if (hf_blob_spills(b)) {
        if (last != NULL) /* sealed by this one */
            hf_seg_cool(b, last);
        hf_blob_press(b->pool, b);
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
        hf_blob_add_seg(b, more);
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
            hf_blob_add_seg(b, seg);
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
    b->slowed = false;
    hf_list_remove(&b->in_slow);
    if (hf_blob_spills(b) && b->tail != NULL)
        hf_seg_cool(b, b->tail);
    hf_blob_tell(b);
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
