/* blob_pool.c - segments and blob heads, kept for the next blob (blob_int.h).
 *
 * Two sizes of segments: a small one for a body that is short or just begun, large ones for a
 * stream. Kept are at most keep_max bytes; what comes back beyond that goes to the system. One
 * thread, like the blobs in it.
 */
#include "kernel/blob_int.h"

#include <stdlib.h>

#define KEEP_MAX (1024u * 1024)

struct hf_blob_pool *hf_blob_pool_new(size_t keep_max)
{
    struct hf_blob_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->refs = 1;
    pool->keep_max = keep_max == 0 ? KEEP_MAX : keep_max;
    return pool;
}

static void free_segs(struct hf_seg *seg, bool data)
{
    for (struct hf_seg *next; seg != NULL; seg = next) {
        next = seg->next;
        if (data)
            free(seg->data);
        free(seg);
    }
}

void hf_blob_pool_unref(struct hf_blob_pool *pool)
{
    if (pool == NULL || --pool->refs > 0)
        return;
    free_segs(pool->small, false);
    free_segs(pool->large, true);
    free_segs(pool->bare, false);
    for (void *block = pool->blocks, *next; block != NULL; block = next) {
        memcpy(&next, block, sizeof next);
        free(block);
    }
    hf_blob_spill_free(pool->spill);
    for (struct hf_blob *b = pool->heads, *next; b != NULL; b = next) {
        next = (struct hf_blob *)(void *)b->cursor;
        free(b);
    }
    free(pool);
}

size_t hf_blob_pool_live(const struct hf_blob_pool *pool)
{
    return pool->live;
}

size_t hf_blob_pool_memory(const struct hf_blob_pool *pool)
{
    return pool->memory;
}

/* ---- pieces of memory, kept or the system's ---- */

static bool keep(struct hf_blob_pool *pool, size_t size)
{
    if (pool == NULL || pool->kept + size > pool->keep_max)
        return false;
    pool->kept += size;
    return true;
}

static struct hf_seg *pop(struct hf_blob_pool *pool, struct hf_seg **list, size_t size)
{
    struct hf_seg *seg = *list;
    if (seg != NULL) {
        *list = seg->next;
        pool->kept -= size;
    }
    return seg;
}

static void push(struct hf_seg **list, struct hf_seg *seg)
{
    seg->next = *list;
    *list = seg;
}

static void *get(struct hf_blob_pool *pool, size_t size)
{
    void *p = malloc(size);
    if (p != NULL && pool != NULL)
        pool->memory += size;
    return p;
}

static void give_back(struct hf_blob_pool *pool, void *p, size_t size)
{
    if (pool != NULL)
        pool->memory -= size;
    free(p);
}

uint8_t *hf_seg_block(struct hf_blob_pool *pool, enum hf_seg_kind kind, size_t len)
{
    if (kind == HF_SEG_BUF)
        return malloc(len + 1);
    if (pool == NULL || pool->blocks == NULL)
        return get(pool, HF_SEG_LARGE_CAP + 1);
    uint8_t *data = pool->blocks;
    memcpy(&pool->blocks, data, sizeof pool->blocks);
    pool->kept -= HF_SEG_LARGE_CAP;
    return data;
}

void hf_seg_block_free(struct hf_blob_pool *pool, enum hf_seg_kind kind, uint8_t *data)
{
    if (kind == HF_SEG_BUF) {
        free(data);
    } else if (keep(pool, HF_SEG_LARGE_CAP)) {
        memcpy(data, &pool->blocks, sizeof pool->blocks);
        pool->blocks = data;
    } else {
        give_back(pool, data, HF_SEG_LARGE_CAP + 1);
    }
}

void hf_seg_block_leaves(struct hf_blob_pool *pool, enum hf_seg_kind kind)
{
    if (pool != NULL && kind == HF_SEG_LARGE)
        pool->memory -= HF_SEG_LARGE_CAP + 1;
}

/* ---- segments ---- */

static struct hf_seg *head_new(struct hf_blob_pool *pool)
{
    struct hf_seg *seg = pool == NULL ? NULL : pop(pool, &pool->bare, sizeof *seg);
    return seg != NULL ? seg : get(pool, sizeof *seg);
}

struct hf_seg *hf_seg_bare(struct hf_blob_pool *pool)
{
    struct hf_seg *seg = head_new(pool);
    if (seg != NULL)
        *seg = (struct hf_seg){.kind = HF_SEG_LARGE};
    return seg;
}

static struct hf_seg *large_new(struct hf_blob_pool *pool)
{
    struct hf_seg *seg = pool == NULL ? NULL : pop(pool, &pool->large, HF_SEG_LARGE_SIZE);
    if (seg != NULL)
        return seg;
    seg = head_new(pool);
    if (seg == NULL)
        return NULL;
    seg->data = hf_seg_block(pool, HF_SEG_LARGE, HF_SEG_LARGE_CAP);
    if (seg->data == NULL) {
        give_back(pool, seg, sizeof *seg);
        return NULL;
    }
    return seg;
}

struct hf_seg *hf_seg_new(struct hf_blob_pool *pool, enum hf_seg_kind kind)
{
    struct hf_seg *seg;
    if (kind == HF_SEG_LARGE) {
        seg = large_new(pool);
        if (seg == NULL)
            return NULL;
        *seg = (struct hf_seg){.data = seg->data, .cap = HF_SEG_LARGE_CAP, .kind = kind};
        return seg;
    }
    seg = pool == NULL ? NULL : pop(pool, &pool->small, HF_SEG_SMALL_SIZE);
    if (seg == NULL)
        seg = get(pool, HF_SEG_SMALL_SIZE);
    if (seg == NULL)
        return NULL;
    *seg = (struct hf_seg){.data = (uint8_t *)(seg + 1), .cap = HF_SEG_SMALL_CAP, .kind = kind};
    return seg;
}

void hf_seg_free(struct hf_blob_pool *pool, struct hf_seg *seg)
{
    if (seg->shared != NULL) {
        hf_shared_unref(seg->shared);
        seg->data = NULL;
    }
    switch (seg->kind) {
    case HF_SEG_INLINE:
        break;
    case HF_SEG_BUF:
        free(seg->data);
        break;
    case HF_SEG_SMALL:
        if (keep(pool, HF_SEG_SMALL_SIZE))
            push(&pool->small, seg);
        else
            give_back(pool, seg, HF_SEG_SMALL_SIZE);
        break;
    case HF_SEG_LARGE:
        if (seg->data != NULL && keep(pool, HF_SEG_LARGE_SIZE)) {
            push(&pool->large, seg);
            break;
        }
        if (seg->data != NULL)
            give_back(pool, seg->data, HF_SEG_LARGE_CAP + 1);
        if (keep(pool, sizeof *seg))
            push(&pool->bare, seg);
        else
            give_back(pool, seg, sizeof *seg);
        break;
    }
}

/* ---- heads ---- */

struct hf_blob *hf_blob_alloc(struct hf_blob_pool *pool, size_t inline_bytes)
{
    struct hf_blob *b = NULL;
    if (pool != NULL && inline_bytes == 0 && pool->heads != NULL) {
        b = pool->heads;
        pool->heads = (struct hf_blob *)(void *)b->cursor;
        pool->kept -= sizeof *b;
    } else {
        if (inline_bytes > PTRDIFF_MAX - sizeof *b)
            return NULL;
        b = malloc(sizeof *b + inline_bytes);
        if (b == NULL)
            return NULL;
    }
    *b = (struct hf_blob){.pool = pool, .refs = 1};
    hf_list_init(&b->readers);
    hf_list_init(&b->cold);
    hf_wait_init(&b->room, false);
    hf_wait_init(&b->gone, false);
    if (pool != NULL) {
        pool->refs++;
        pool->live++;
    }
    return b;
}

void hf_blob_dealloc(struct hf_blob *b)
{
    struct hf_blob_pool *pool = b->pool;
    HF_ASSERT(hf_list_empty(&b->cold));
    hf_list_remove(&b->in_slow);
    hf_wait_done(&b->room);
    hf_wait_done(&b->gone);
    hf_buf_done(&b->trailers);
    bool has_bytes = b->own.kind == HF_SEG_INLINE && b->own.data != NULL;
    bool keep = pool != NULL && !has_bytes && pool->kept + sizeof *b <= pool->keep_max;
    if (keep) {
        b->cursor = (struct hf_list *)(void *)pool->heads;
        pool->heads = b;
        pool->kept += sizeof *b;
    } else {
        free(b);
    }
    if (pool != NULL) {
        pool->live--;
        hf_blob_pool_unref(pool);
    }
}
