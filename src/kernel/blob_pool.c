/* blob_pool.c - segments and blob heads, kept for the next blob.
 *
 * Two sizes of segments: a small one for a body that is short or just begun, large ones for a
 * stream. Kept are at most keep_max bytes; what comes back beyond that goes to the system. One
 * thread, like the blobs in it.
 */
#include "kernel/blob_int.h"

#include <stdlib.h>

#define KEEP_MAX (1024u * 1024)

struct hf_blob_pool {
    uint32_t refs;
    size_t live, memory;
    size_t kept, keep_max;
    struct hf_seg *small, *large;
    struct hf_blob *heads; /* chained through .cursor */
};

struct hf_blob_pool *hf_blob_pool_new(size_t keep_max)
{
    struct hf_blob_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->refs = 1;
    pool->keep_max = keep_max == 0 ? KEEP_MAX : keep_max;
    return pool;
}

static void free_segs(struct hf_seg *seg)
{
    for (struct hf_seg *next; seg != NULL; seg = next) {
        next = seg->next;
        free(seg);
    }
}

void hf_blob_pool_unref(struct hf_blob_pool *pool)
{
    if (pool == NULL || --pool->refs > 0)
        return;
    free_segs(pool->small);
    free_segs(pool->large);
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

static size_t size_of(enum hf_seg_kind kind)
{
    return kind == HF_SEG_SMALL ? HF_SEG_SMALL_SIZE : HF_SEG_LARGE_SIZE;
}

struct hf_seg *hf_seg_new(struct hf_blob_pool *pool, enum hf_seg_kind kind)
{
    size_t size = size_of(kind);
    struct hf_seg **list = pool == NULL ? NULL : kind == HF_SEG_SMALL ? &pool->small : &pool->large;
    struct hf_seg *seg = list == NULL ? NULL : *list;
    if (seg != NULL) {
        *list = seg->next;
        pool->kept -= size;
    } else {
        seg = malloc(size);
        if (seg == NULL)
            return NULL;
        if (pool != NULL)
            pool->memory += size;
    }
    *seg = (struct hf_seg){.data = (uint8_t *)(seg + 1), .cap = size - sizeof *seg, .kind = kind};
    return seg;
}

void hf_seg_free(struct hf_blob_pool *pool, struct hf_seg *seg)
{
    if (seg->kind == HF_SEG_INLINE)
        return;
    if (seg->kind == HF_SEG_BUF) {
        free(seg->data);
        return;
    }
    size_t size = size_of(seg->kind);
    if (pool != NULL && pool->kept + size <= pool->keep_max) {
        struct hf_seg **list = seg->kind == HF_SEG_SMALL ? &pool->small : &pool->large;
        seg->next = *list;
        *list = seg;
        pool->kept += size;
        return;
    }
    if (pool != NULL)
        pool->memory -= size;
    free(seg);
}

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
