/* canon_handle.c - handles on their way across the boundary: V9 and V10 out of a table, W6 and W7
 * into one.
 *
 * An own handle moves: out of the giver's table when it is lifted, into the taker's when it is
 * lowered. In between the value is all that owns the object, so whoever stops half-way lets go of
 * what did not arrive (hf_canon_let_go). A borrow stays where it is and is marked lent until the
 * call returns.
 */
#include "component/membrane.h"

struct hf_lent_more {
    struct hf_lent_more *next;
    uint32_t n;
    uint32_t lent[61];
};

static enum hf_err note_lent(struct hf_canon_cx *cx, uint32_t index)
{
    if (cx->n_lent < HF_LENT_INLINE) {
        cx->lent[cx->n_lent++] = index;
        return HF_OK;
    }
    if (cx->more == NULL || cx->more->n == HF_ARRAY_LEN(cx->more->lent)) {
        struct hf_lent_more *more = hf_canon_alloc(cx, sizeof *more);
        if (more == NULL)
            return HF_TRAP;
        more->next = cx->more;
        more->n = 0;
        cx->more = more;
    }
    cx->more->lent[cx->more->n++] = index;
    return HF_OK;
}

void hf_canon_give_back_more(struct hf_canon_cx *cx)
{
    for (struct hf_lent_more *more = cx->more; more != NULL; more = more->next) {
        for (uint32_t i = 0; i < more->n; i++)
            hf_canon_end_lend(cx, more->lent[i]);
    }
    cx->more = NULL;
}

/* For the membrane: the number as the guest sees it. */
static enum hf_err note_number(struct hf_canon_cx *cx, uint32_t number)
{
    if (HF_LIKELY(cx->numbers == NULL) || hf_u32s_add(cx->numbers, number))
        return HF_OK;
    return hf_canon_trap(cx->inst, "limit: no memory for the handle numbers of this call");
}

/* Nothing is behind it that a host function could work with: only a hook can answer such a call. */
static enum hf_err lift_stand_in(struct hf_canon_cx *cx, const struct hf_type *t, uint32_t index)
{
    if (!cx->host)
        return HF_OK; /* from one component to another */
    if (cx->inst->membrane == NULL)
        return hf_canon_trap(cx->inst,
                             "handle index %u (%.*s) was answered from a record: there is no host "
                             "object behind it",
                             index, HF_FMT(t->resource->name));
    cx->inst->membrane->stand_in = index;
    return HF_OK;
}

/* V9, V10 */
enum hf_err hf_lift_handle(struct hf_canon_cx *cx, const struct hf_type *t, uint32_t index,
                           struct hf_value *ret)
{
    struct hf_handle *h;
    enum hf_err err = hf_handles_find(cx->ci, index, t->resource, &h);
    if (err == HF_OK)
        err = note_number(cx, index);
    if (err == HF_OK && HF_UNLIKELY(h->obj == (const void *)&hf_stand_in_byte && h->type->host))
        err = lift_stand_in(cx, t, index);
    if (err != HF_OK)
        return err;
    if (t->kind == HF_T_BORROW) {
        if (h->lends == UINT32_MAX)
            return hf_canon_trap(cx->inst, "handle index %u is borrowed too often [V10]", index);
        err = note_lent(cx, index);
        if (err != HF_OK)
            return err;
        h->lends++;
        ret->u64 = h->rep;
        return HF_OK;
    }
    if (h->lends != 0)
        return hf_canon_trap(cx->inst,
                             "cannot remove owned resource while borrowed: handle index %u (%.*s) "
                             "[V9]",
                             index, HF_FMT(t->resource->name));
    if (!h->own)
        return hf_canon_trap(cx->inst,
                             "cannot lift own resource from a borrow: handle index %u (%.*s) [V9]",
                             index, HF_FMT(t->resource->name));
    ret->u64 = h->rep;
    hf_handles_remove(&cx->ci->handles, index);
    return HF_OK;
}

static enum hf_err add_handle(struct hf_canon_cx *cx, const struct hf_handle *h, uint32_t *ret)
{
    if (HF_LIKELY(hf_handles_push(&cx->ci->handles, h, ret) == HF_OK))
        return HF_OK;
    return hf_canon_trap(cx->inst,
                         "limit: the handle table is full with %u handles, no room for %.*s [H1]",
                         cx->ci->handles.live, HF_FMT(h->type->name));
}

enum hf_err hf_lower_handle(struct hf_canon_cx *cx, const struct hf_type *t,
                            const struct hf_value *v, uint32_t *ret)
{
    const struct hf_resource_type *r = t->resource;
    struct hf_handle h = {.type = r, .rep = v->u64, .own = t->kind == HF_T_OWN};
    if (HF_UNLIKELY(r->host != NULL && v->obj == NULL))
        return hf_canon_trap(cx->inst, "the host gave no object for a %.*s", HF_FMT(r->name));
    enum hf_err err;
    if (h.own) {
        err = add_handle(cx, &h, ret);
        cx->n_owns += err == HF_OK;
    } else if (r->host == NULL && r->ci == cx->ci->index) { /* W7: the definer gets its rep back */
        *ret = (uint32_t)v->u64;
        err = HF_OK;
    } else {
        HF_ASSERT(cx->scope != NULL); /* no result holds a borrow (hf_ftype_make) */
        h.scope = cx->scope;
        err = add_handle(cx, &h, ret);
        cx->scope->n_borrows += err == HF_OK;
    }
    return err == HF_OK ? note_number(cx, *ret) : err;
}

enum hf_err hf_handle_new(struct hf_ci *ci, const struct hf_resource_type *type, uint32_t rep,
                          uint32_t *ret)
{
    struct hf_canon_cx cx = {.inst = ci->inst, .ci = ci};
    return add_handle(&cx, &(struct hf_handle){.type = type, .rep = rep, .own = true}, ret);
}

void hf_canon_let_go(const struct hf_type *t, const struct hf_value *v, uint32_t *skip)
{
    if (!t->has_handles)
        return;
    switch (t->kind) {
    case HF_T_OWN:
        if (skip != NULL && *skip > 0)
            --*skip;
        else if (t->resource->host != NULL && v->obj != NULL)
            (void)hf_host_drop(t->resource, NULL, v->obj); /* cannot refuse without a call */
        return;
    case HF_T_LIST:
        if ((uint64_t)v->len * t->elem->size >= HF_ELEM_SIZE_MAX)
            return; /* nobody has that many: a host function made the length up */
        for (uint32_t i = 0; v->items != NULL && i < v->len; i++)
            hf_canon_let_go(t->elem, &v->items[i], skip);
        return;
    case HF_T_RECORD:
    case HF_T_TUPLE:
        for (uint32_t i = 0; v->items != NULL && v->len == t->n && i < t->n; i++)
            hf_canon_let_go(t->members[i].type, &v->items[i], skip);
        return;
    case HF_T_VARIANT:
    case HF_T_OPTION:
    case HF_T_RESULT:
        if (v->tag < t->n && t->members[v->tag].type != NULL && v->items != NULL)
            hf_canon_let_go(t->members[v->tag].type, v->items, skip);
        return;
    default: return;
    }
}
