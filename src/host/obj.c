/* obj.c - host objects: memory from the worker's pool, parents and children, the end of an instance.
 *
 * A parent may not be dropped while children live (http-and-poll 2.5): the guest is trapped with both names. At the end
 * of an instance nobody can refuse, so children go first.
 */
#include "host/guest.h"

#include <stdlib.h>

#define POOL_STEP 64u
#ifdef __SANITIZE_ADDRESS__ /* a use of what was given back must not be hidden by keeping it */
#define POOLING 0
#else
#define POOLING 1
#endif

static unsigned size_class(size_t size)
{
    return (unsigned)((size + POOL_STEP - 1) / POOL_STEP) - 1;
}

void *hf_pool_take(struct hf_obj_pool *pool, size_t size)
{
    unsigned c = size_class(size);
    if (!POOLING || c >= HF_POOL_CLASSES || pool->free[c] == NULL)
        return malloc((size_t)(c + 1) * POOL_STEP);
    void *p = pool->free[c];
    memcpy(&pool->free[c], p, sizeof(void *));
    return p;
}

void hf_pool_give(struct hf_obj_pool *pool, void *p, size_t size)
{
    unsigned c = size_class(size);
    if (!POOLING || c >= HF_POOL_CLASSES) {
        free(p);
    } else if (p != NULL) {
        memcpy(p, &pool->free[c], sizeof(void *));
        pool->free[c] = p;
    }
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

void *hf_obj_new(struct hf_guest *g, size_t size, const char *kind, struct hf_obj *parent, void (*destroy)(struct hf_obj *))
{
    HF_ASSERT(size >= sizeof(struct hf_obj) && size <= UINT16_MAX);
    struct hf_obj *obj = hf_pool_take(g->pool, size);
    if (obj == NULL)
        return NULL;
    memset(obj, 0, size);
    obj->guest = g;
    obj->kind = kind;
    obj->size = (uint16_t)size;
    obj->destroy = destroy;
    obj->parent = parent;
    hf_list_init(&obj->children);
    if (parent != NULL)
        hf_list_push_back(&parent->children, &obj->in_parent);
    hf_list_push_back(&g->objects, &obj->in_guest);
    return obj;
}

void hf_obj_release(struct hf_obj *obj)
{
    struct hf_guest *g = obj->guest;
    HF_ASSERT(!hf_obj_has_children(obj));
    if (obj->destroy != NULL)
        obj->destroy(obj);
    hf_list_remove(&obj->in_guest);
    hf_list_remove(&obj->in_parent);
    hf_pool_give(g->pool, obj, obj->size);
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
    }
    while (pool->n_bufs > 0)
        hf_buf_done(&pool->bufs[--pool->n_bufs]);
}
