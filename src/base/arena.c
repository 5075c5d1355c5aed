/* arena.c - the slow half of the arena: taking chunks, and the limit.
 *
 * The limit costs the fast path nothing: `end` is never further from `at` than the bytes still
 * allowed, so running out of limit looks like running out of chunk and lands in hf_arena_slow,
 * which tells them apart.
 *
 * Chunks double up to CHUNK_GROWN, bounding both the number of chunks and the memory wasted in the
 * last one.
 */
#include "base/arena.h"

#include <stdlib.h>

/* Bytes; doubling stops at the second, unless the first chunk is larger. */
#define CHUNK_LEAST ((size_t)256)
#define CHUNK_GROWN ((size_t)1 << 20)

struct hf_arena_chunk {
    struct hf_arena_chunk *older; /* NULL for the first, which reset keeps */
    size_t size;                  /* bytes behind this header */
};

_Static_assert(sizeof(struct hf_arena_chunk) % 16 == 0, "what is behind it is aligned to 16");

void hf_arena_init(struct hf_arena *arena, size_t first_bytes, size_t max_bytes)
{
    *arena = (struct hf_arena){
        .max = max_bytes,
        .first = first_bytes < CHUNK_LEAST ? CHUNK_LEAST : first_bytes,
    };
}

/* Makes `chunk` the one that is bumped. */
static void open_chunk(struct hf_arena *arena, struct hf_arena_chunk *chunk)
{
    size_t left = arena->max - arena->used;
    arena->head = chunk;
    arena->at = (uint8_t *)(chunk + 1);
    arena->end = arena->at + (chunk->size < left ? chunk->size : left);
}

/* The newest chunk goes. The largest that is worth keeping becomes the spare, so that work that
 * takes a second chunk each time does not go to the heap each time. */
static void drop_newest(struct hf_arena *arena)
{
    struct hf_arena_chunk *chunk = arena->head;
    arena->head = chunk->older;
    if (chunk->size <= CHUNK_GROWN && (arena->spare == NULL || arena->spare->size < chunk->size)) {
        free(arena->spare);
        arena->spare = chunk;
    } else {
        free(chunk);
    }
}

void hf_arena_reset(struct hf_arena *arena)
{
    arena->used = 0;
    if (arena->head == NULL)
        return;
    while (arena->head->older != NULL)
        drop_newest(arena);
    open_chunk(arena, arena->head);
}

/* Chunks newer than the mark go. A mark made before the first chunk keeps that chunk. */
void hf_arena_release_slow(struct hf_arena *arena, const struct hf_arena_mark *mark)
{
    arena->used = mark->used;
    while (arena->head != mark->head && arena->head->older != NULL)
        drop_newest(arena);
    if (arena->head != mark->head) { /* the mark is older than every chunk */
        HF_ASSERT(mark->head == NULL);
        open_chunk(arena, arena->head);
        return;
    }
    arena->at = mark->at;
    arena->end = mark->end;
}

void hf_arena_done(struct hf_arena *arena)
{
    hf_arena_reset(arena);
    free(arena->head);
    free(arena->spare);
    hf_arena_init(arena, arena->first, arena->max);
}

static size_t next_size(const struct hf_arena *arena, size_t size)
{
    size_t want = arena->first;
    if (arena->head != NULL) {
        size_t most = arena->first > CHUNK_GROWN ? arena->first : CHUNK_GROWN;
        want = arena->head->size > most / 2 ? most : 2 * arena->head->size;
    }
    size_t left = arena->max - arena->used;
    if (want > left) /* never more than may be handed out */
        want = left;
    return want < size ? size : want;
}

void *hf_arena_slow(struct hf_arena *arena, size_t size, size_t align)
{
    HF_ASSERT(align != 0 && (align & (align - 1)) == 0 && align <= 16);
    if (size > arena->max - arena->used || size > PTRDIFF_MAX - sizeof(struct hf_arena_chunk))
        return NULL;
    struct hf_arena_chunk *chunk = arena->spare;
    if (chunk != NULL && chunk->size >= size) {
        arena->spare = NULL;
    } else {
        size_t bytes = next_size(arena, size);
        chunk = malloc(sizeof *chunk + bytes);
        if (chunk == NULL)
            return NULL;
        chunk->size = bytes;
    }
    chunk->older = arena->head;
    open_chunk(arena, chunk);

    void *p = arena->at; /* a fresh chunk is aligned for everything */
    arena->at += size;
    arena->used += size;
    return p;
}

void *hf_arena_array(struct hf_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    void *p = hf_arena_alloc(arena, bytes, 16);
    return p == NULL ? NULL : memset(p, 0, bytes);
}

struct hf_view hf_arena_copy(struct hf_arena *arena, struct hf_view v)
{
    uint8_t *copy = v.len == SIZE_MAX ? NULL : hf_arena_alloc(arena, v.len + 1, 1);
    if (copy == NULL)
        return hf_view(NULL, 0);
    if (v.len > 0)
        memcpy(copy, v.ptr, v.len);
    copy[v.len] = '\0';
    return hf_view(copy, v.len);
}
