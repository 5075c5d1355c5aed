/* arena.h - many small allocations that die together.
 *
 * Bump allocation from chunks; reset keeps the first and one more, so a warm arena allocates nothing. A
 * byte limit makes a hostile caller fail with NULL instead of eating the host (reference rule S14).
 *
 * An arena is also a stack: mark, allocate, release. Marks nest; release keeps one chunk it took
 * back for the next one who needs it.
 */
#ifndef HF_BASE_ARENA_H
#define HF_BASE_ARENA_H

#include "base/bytes.h"

struct hf_arena_chunk;

struct hf_arena {
    struct hf_arena_chunk *head;
    uint8_t *at, *end;
    size_t used;                  /* bytes handed out since reset, rounding included */
    size_t max;                   /* bytes it may hand out; SIZE_MAX = no limit */
    size_t first;                 /* size of the first chunk, bytes */
    struct hf_arena_chunk *spare; /* kept by release, or NULL */
};
struct hf_arena_mark { /* a place to go back to */
    struct hf_arena_chunk *head;
    uint8_t *at, *end;
    size_t used;
};

/* Allocates nothing yet. */
void hf_arena_init(struct hf_arena *arena, size_t first_bytes, size_t max_bytes);
void hf_arena_done(struct hf_arena *arena);
/* Everything handed out is gone; the first chunk is kept, and a spare as release keeps one. */
void hf_arena_reset(struct hf_arena *arena);
void *hf_arena_slow(struct hf_arena *arena, size_t size, size_t align);
void hf_arena_release_slow(struct hf_arena *arena, const struct hf_arena_mark *mark);

/* Uninitialised bytes, or NULL when the limit or memory is reached. `align` is a power of two, at
 * most 16. */
static inline void *hf_arena_alloc(struct hf_arena *arena, size_t size, size_t align)
{
    uintptr_t p = ((uintptr_t)arena->at + (align - 1)) & ~(uintptr_t)(align - 1);
    if (HF_LIKELY(arena->at != NULL && size <= arena->max - arena->used &&
                  p + size <= (uintptr_t)arena->end && p + size >= p)) {
        arena->used += p + size - (uintptr_t)arena->at;
        arena->at = (uint8_t *)(p + size);
        return (void *)p;
    }
    return hf_arena_slow(arena, size, align);
}
/* Everything handed out after the mark is gone on release. Release in the reverse order of marking;
 * a reset or done in between makes the mark worthless. */
static inline struct hf_arena_mark hf_arena_mark(const struct hf_arena *arena)
{
    return (struct hf_arena_mark){arena->head, arena->at, arena->end, arena->used};
}
static inline void hf_arena_release(struct hf_arena *arena, const struct hf_arena_mark *mark)
{
    if (HF_UNLIKELY(arena->head != mark->head)) {
        hf_arena_release_slow(arena, mark);
        return;
    }
    arena->at = mark->at; /* `end` only moves with the chunk */
    arena->used = mark->used;
}

/* Zeroed array of n elements; NULL also when n * size overflows. */
void *hf_arena_array(struct hf_arena *arena, size_t n, size_t size);
/* A copy with a NUL behind it; ptr NULL when the limit is reached. */
struct hf_view hf_arena_copy(struct hf_arena *arena, struct hf_view v);

#define HF_ARENA_NEW(arena, type) ((type *)hf_arena_array((arena), 1, sizeof(type)))

#endif
