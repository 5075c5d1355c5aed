/* list.h - intrusive doubly linked lists.
 *
 * A node lives inside what it links; a list is a node that points to itself when empty. Every
 * operation is O(1) and allocates nothing. A node that is in no list also points to itself (or is
 * all zeroes before first use), so hf_list_remove twice is harmless and hf_list_linked tells.
 */
#ifndef HF_BASE_LIST_H
#define HF_BASE_LIST_H

#include "base/err.h"

struct hf_list {
    struct hf_list *next, *prev;
};

static inline void hf_list_init(struct hf_list *l)
{
    l->next = l->prev = l;
}
static inline bool hf_list_empty(const struct hf_list *l)
{
    return l->next == l;
}
static inline bool hf_list_linked(const struct hf_list *n)
{
    return n->next != NULL && n->next != n;
}
static inline void hf_list_remove(struct hf_list *n)
{
    if (n->next != NULL) {
        n->next->prev = n->prev;
        n->prev->next = n->next;
    }
    n->next = n->prev = n;
}
static inline void hf_list_insert_before(struct hf_list *at, struct hf_list *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}
static inline void hf_list_push_back(struct hf_list *l, struct hf_list *n)
{
    hf_list_insert_before(l, n);
}
static inline void hf_list_push_front(struct hf_list *l, struct hf_list *n)
{
    hf_list_insert_before(l->next, n);
}
/* The first node, unlinked, or NULL. */
static inline struct hf_list *hf_list_pop_front(struct hf_list *l)
{
    struct hf_list *n = l->next;
    if (n == l)
        return NULL;
    hf_list_remove(n);
    return n;
}
/* Moves all of `from` to the end of `to`; `from` is empty after. */
static inline void hf_list_splice_back(struct hf_list *to, struct hf_list *from)
{
    if (hf_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    hf_list_init(from);
}
#define HF_LIST_FOR(it, list) for (struct hf_list *it = (list)->next; it != (list); it = it->next)
/* The body may remove `it`. */
#define HF_LIST_FOR_SAFE(it, list)                                                                 \
    for (struct hf_list *it = (list)->next, *it##_next = it->next; it != (list);                   \
         it = it##_next, it##_next = it->next)
#define HF_LIST_ENTRY(node, type, member) HF_CONTAINER_OF(node, type, member)

#endif
