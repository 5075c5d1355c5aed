/* obj.c - host objects: memory from the worker's pool, parents and children, the end of an instance.
 *
 * A parent may not be dropped while children live (http-and-poll 2.5): the guest is trapped with both names. At the end
 * of an instance nobody can refuse, so children go first.
 */
#include "host/guest.h"

#include <malloc.h>
#include <stdlib.h>

#define POOL_STEP    64u
#define SETTLE_BYTES (8u << 20) /* making so many took longer than passing them on does */
_Static_assert(offsetof(struct hf_obj, size) + sizeof(uint64_t) + sizeof(struct hf_list) >= POOL_STEP &&
                   offsetof(struct hf_obj, in_guest) < POOL_STEP && sizeof(struct hf_obj) > POOL_STEP,
               "hf_obj_new sets every field in the first step by name");
#ifdef __SANITIZE_ADDRESS__ /* a use of what was given back must not be hidden by keeping it */
#define POOLING 0
#else
#define POOLING 1
#endif

static inline unsigned size_class(size_t size)
{
    return (unsigned)((size + POOL_STEP - 1) / POOL_STEP) - 1;
}

static inline void *take(struct hf_obj_pool *pool, unsigned c)
{
    if (!POOLING || c >= HF_POOL_CLASSES || HF_UNLIKELY(pool->free[c] == NULL))
        return malloc((size_t)(c + 1) * POOL_STEP);
    void *p = pool->free[c];
    memcpy(&pool->free[c], p, sizeof(void *));
    pool->n[c]--;
    return p;
}

static inline void give(struct hf_obj_pool *pool, void *p, unsigned c)
{
    if (POOLING && c < HF_POOL_CLASSES && HF_LIKELY(pool->n[c] < HF_POOL_KEEP)) {
        memcpy(p, &pool->free[c], sizeof(void *));
        pool->free[c] = p;
        pool->n[c]++;
    } else {
        pool->given += (size_t)(c + 1) * POOL_STEP;
        free(p);
    }
}

void *hf_pool_take(struct hf_obj_pool *pool, size_t size)
{
    return take(pool, size_class(size));
}

void hf_pool_give(struct hf_obj_pool *pool, void *p, size_t size)
{
    if (p != NULL)
        give(pool, p, size_class(size));
}

struct hf_buf hf_pool_take_buf(struct hf_obj_pool *pool)
{
    struct hf_buf buf = {0};
    if (pool->n_bufs > 0)
        return pool->bufs[--pool->n_bufs];
    if (hf_buf_reserve(&buf, HF_POOL_BUF) != HF_OK)
        return (struct hf_buf){0}; /* who writes into it hears of it */
    return buf;
}

void hf_pool_give_buf(struct hf_obj_pool *pool, struct hf_buf *buf)
{
    if (buf->ptr == NULL)
        return;
    if (!POOLING || pool->n_bufs == HF_POOL_BUFS || buf->cap > HF_POOL_BUF_MAX || buf->cap < HF_POOL_BUF) {
        hf_buf_done(buf);
        return;
    }
    hf_buf_clear(buf);
    pool->bufs[pool->n_bufs++] = *buf;
    *buf = (struct hf_buf){0};
}

static inline void *begin(struct hf_obj *obj, struct hf_guest *g, size_t size, const char *kind, struct hf_obj *parent,
                          void (*destroy)(struct hf_obj *))
{
    for (size_t at = POOL_STEP; at < size; at += POOL_STEP) /* a step is a few stores: less than a call of memset */
        memset((uint8_t *)obj + at, 0, POOL_STEP);
    obj->guest = g; /* up to POOL_STEP everything is said here */
    obj->kind = kind;
    obj->size = (uint16_t)size;
    obj->destroy = destroy;
    obj->parent = parent;
    hf_list_init(&obj->children);
    if (parent != NULL)
        hf_list_push_back(&parent->children, &obj->in_parent);
    else
        obj->in_parent = (struct hf_list){0};
    hf_list_push_back(&g->objects, &obj->in_guest);
    return obj;
}

/* None is kept. */
__attribute__((noinline)) static void *new_fresh(struct hf_guest *g, size_t size, const char *kind, struct hf_obj *parent,
                                                 void (*destroy)(struct hf_obj *))
{
    struct hf_obj *obj = take(g->pool, size_class(size));
    return obj == NULL ? NULL : begin(obj, g, size, kind, parent, destroy);
}

void *hf_obj_new(struct hf_guest *g, size_t size, const char *kind, struct hf_obj *parent, void (*destroy)(struct hf_obj *))
{
    HF_ASSERT(size >= sizeof(struct hf_obj) && size <= UINT16_MAX);
    struct hf_obj_pool *pool = g->pool;
    unsigned c = size_class(size);
    if (!POOLING || c >= HF_POOL_CLASSES || HF_UNLIKELY(pool->free[c] == NULL))
        return new_fresh(g, size, kind, parent, destroy);
    struct hf_obj *obj = pool->free[c];
    memcpy(&pool->free[c], obj, sizeof(void *));
    pool->n[c]--;
    return begin(obj, g, size, kind, parent, destroy);
}

void hf_obj_release(struct hf_obj *obj)
{
    struct hf_guest *g = obj->guest;
    HF_ASSERT(!hf_obj_has_children(obj));
    if (obj->destroy != NULL)
        obj->destroy(obj);
    hf_list_remove(&obj->in_guest);
    hf_list_remove(&obj->in_parent);
    give(g->pool, obj, size_class(obj->size));
}

void hf_pool_settle(struct hf_obj_pool *pool)
{
    if (pool->given < SETTLE_BYTES)
        return;
    pool->given = 0;
    malloc_trim(0);
}

void hf_obj_cut_children(struct hf_obj *obj)
{
    for (struct hf_list *n; (n = hf_list_pop_front(&obj->children)) != NULL;) {
        struct hf_obj *child = HF_LIST_ENTRY(n, struct hf_obj, in_parent);
        child->parent = NULL;
        if (child->orphan != NULL)
            child->orphan(child);
    }
}

enum hf_err hf_obj_drop(struct hf_call *call, void *ptr)
{
    struct hf_obj *obj = ptr;
    if (call != NULL && hf_obj_has_children(obj)) {
        const struct hf_obj *child = HF_LIST_ENTRY(obj->children.next, struct hf_obj, in_parent);
        return hf_call_trap(call, "cannot drop %s %u: its child %s is alive", obj->kind, hf_call_handle(call, 0),
                            child->kind);
    }
    /* The end of the instance: the children's own handles are dropped by the same sweep and must find them alive, so they
     * are cut loose and outlive the parent until then. */
    if (HF_UNLIKELY(hf_obj_has_children(obj)))
        hf_obj_cut_children(obj);
    hf_obj_release(obj);
    return HF_OK;
}

void hf_pool_done(struct hf_obj_pool *pool)
{
    for (unsigned c = 0; c < HF_POOL_CLASSES; c++) {
        for (void *p = pool->free[c]; p != NULL;) {
            void *next;
            memcpy(&next, p, sizeof next);
            free(p);
            p = next;
        }
        pool->free[c] = NULL;
        pool->n[c] = 0;
    }
    while (pool->n_bufs > 0)
        hf_buf_done(&pool->bufs[--pool->n_bufs]);
}
