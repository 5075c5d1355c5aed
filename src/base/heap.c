/* heap.c - the 4-ary heap: half the levels of a binary one, and the four children mostly share a
 * cache line.
 *
 * Children of place i are 4i+1 .. 4i+4. Sifting moves a hole, not pairs: each node on the way is
 * written once.
 */
#include "base/heap.h"

#include "base/vec.h"

#define WAYS 4u

void hf_heap_init(struct hf_heap *heap)
{
    *heap = (struct hf_heap){0};
}

void hf_heap_done(struct hf_heap *heap)
{
    free(heap->nodes);
    hf_heap_init(heap);
}

static inline bool before(const struct hf_heap_node *a, const struct hf_heap_node *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static inline void place(struct hf_heap *heap, size_t i, struct hf_heap_node *node)
{
    heap->nodes[i] = node;
    node->slot = (uint32_t)(i + 1);
}

static void sift_up(struct hf_heap *heap, size_t i, struct hf_heap_node *node)
{
    while (i > 0) {
        size_t parent = (i - 1) / WAYS;
        if (!before(node, heap->nodes[parent]))
            break;
        place(heap, i, heap->nodes[parent]);
        i = parent;
    }
    place(heap, i, node);
}

static void sift_down(struct hf_heap *heap, size_t i, struct hf_heap_node *node)
{
    for (;;) {
        size_t first = i * WAYS + 1;
        if (first >= heap->len)
            break;
        size_t end = first + WAYS < heap->len ? first + WAYS : heap->len;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++) {
            if (before(heap->nodes[child], heap->nodes[least]))
                least = child;
        }
        if (!before(heap->nodes[least], node))
            break;
        place(heap, i, heap->nodes[least]);
        i = least;
    }
    place(heap, i, node);
}

/* Puts a node whose key is new into place i, whose old key is gone. */
static void settle(struct hf_heap *heap, size_t i, struct hf_heap_node *node)
{
    if (i > 0 && before(node, heap->nodes[(i - 1) / WAYS]))
        sift_up(heap, i, node);
    else
        sift_down(heap, i, node);
}

enum hf_err hf_heap_set(struct hf_heap *heap, struct hf_heap_node *node, uint64_t at)
{
    if (hf_heap_has(node)) {
        size_t i = node->slot - 1;
        HF_ASSERT(i < heap->len && heap->nodes[i] == node);
        node->at = at;
        node->seq = heap->seq++;
        settle(heap, i, node);
        return HF_OK;
    }
    if (heap->len == heap->cap) {
        void *nodes = heap->nodes;
        if (heap->len >= UINT32_MAX - 1 ||
            !hf_vec_grow(&nodes, &heap->cap, heap->len, 1, sizeof *heap->nodes))
            return HF_LIMIT;
        heap->nodes = nodes;
    }
    node->at = at;
    node->seq = heap->seq++;
    sift_up(heap, heap->len++, node);
    return HF_OK;
}

void hf_heap_remove(struct hf_heap *heap, struct hf_heap_node *node)
{
    if (!hf_heap_has(node))
        return;
    size_t i = node->slot - 1;
    HF_ASSERT(i < heap->len && heap->nodes[i] == node);
    node->slot = 0;
    struct hf_heap_node *last = heap->nodes[--heap->len];
    if (last != node)
        settle(heap, i, last);
}

struct hf_heap_node *hf_heap_peek(const struct hf_heap *heap)
{
    return heap->len == 0 ? NULL : heap->nodes[0];
}

struct hf_heap_node *hf_heap_pop_due(struct hf_heap *heap, uint64_t now)
{
    struct hf_heap_node *node = hf_heap_peek(heap);
    if (node == NULL || node->at > now)
        return NULL;
    hf_heap_remove(heap, node);
    return node;
}
