/* heap.h - deadlines in order: an intrusive 4-ary min-heap keyed by (time, order of insertion).
 *
 * A node lives inside what waits and knows its place, so removal is O(log n) without a search.
 * Equal times leave in the order they came, which keeps a simulation deterministic. No clock here:
 * time is the caller's number.
 */
#ifndef HF_BASE_HEAP_H
#define HF_BASE_HEAP_H

#include "base/err.h"

struct hf_heap_node {
    uint64_t at;   /* key, e.g. nanoseconds */
    uint64_t seq;  /* tie-break */
    uint32_t slot; /* place + 1 in the array; 0 = not in a heap */
};
struct hf_heap {
    struct hf_heap_node **nodes;
    size_t len, cap;
    uint64_t seq;
};

void hf_heap_init(struct hf_heap *heap);
void hf_heap_done(struct hf_heap *heap); /* nodes still inside are left as they are */
static inline bool hf_heap_has(const struct hf_heap_node *node)
{
    return node->slot != 0;
}
/* Puts the node in, or moves it when it is in already: then it comes after those already waiting
 * for that time. HF_LIMIT: memory out, node not in; moving never fails. */
enum hf_err hf_heap_set(struct hf_heap *heap, struct hf_heap_node *node, uint64_t at) HF_MUST_CHECK;
void hf_heap_remove(struct hf_heap *heap, struct hf_heap_node *node); /* fine when not in */
/* The earliest, still inside; NULL when empty. */
struct hf_heap_node *hf_heap_peek(const struct hf_heap *heap);
/* Takes out and returns the earliest when its time is <= now; else NULL. */
struct hf_heap_node *hf_heap_pop_due(struct hf_heap *heap, uint64_t now);

#endif
