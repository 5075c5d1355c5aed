/* handle.c - handle tables: the numbers under which a component instance knows resources (H1, H2).
 *
 * A dense array with a free list threaded through it. The order in which indexes come back is part
 * of the ABI: last freed, first reused; guests and tests see the numbers. So no randomisation and
 * no generations here.
 *
 * Who may take what out is decided by the users (lift.c, canon_call.c): this file keeps entries.
 */
#include <stdlib.h>

#include "component/canon.h"

#define FIRST_CAP 16u

/* Room for one more entry behind the last. Entry 0 is never given out: a zeroed handle is always
 * wrong. */
enum hf_err hf_handles_grow(struct hf_handles *t)
{
    uint32_t cap = t->cap == 0 ? FIRST_CAP : 2 * t->cap;
    if (cap > hf_handles_max(t) + 1)
        cap = hf_handles_max(t) + 1;
    struct hf_handle *ptr = realloc(t->ptr, (size_t)cap * sizeof *ptr);
    if (ptr == NULL)
        return HF_LIMIT;
    t->ptr = ptr;
    t->cap = cap;
    if (t->len == 0)
        t->ptr[t->len++] = (struct hf_handle){0};
    return HF_OK;
}

enum hf_err hf_handles_add(struct hf_handles *t, const struct hf_handle *h, uint32_t *index)
{
    return hf_handles_push(t, h, index);
}

/* Its address is all that matters: no object of a host can be there. */
const uint8_t hf_stand_in_byte;

void *hf_stand_in(void)
{
    return (void *)(uintptr_t)&hf_stand_in_byte;
}

static const char *kind_text(const struct hf_resource_type *t)
{
    return t->host != NULL ? "host-defined" : "guest-defined";
}

enum hf_err hf_handles_find(struct hf_ci *ci, uint32_t index, const struct hf_resource_type *type,
                            struct hf_handle **ret)
{
    struct hf_handle *h = hf_handles_at(&ci->handles, index);
    if (HF_UNLIKELY(h == NULL))
        return hf_canon_trap(ci->inst, "unknown handle index %u (wanted: %.*s) [H5]", index,
                             HF_FMT(type->name));
    if (HF_UNLIKELY(h->type != type)) {
        bool same_kind = (h->type->host != NULL) == (type->host != NULL);
        return hf_canon_trap(ci->inst,
                             "handle index %u used with the wrong type, expected %s resource but "
                             "found a %s%s resource (wanted: %.*s, it is: %.*s) [S5]",
                             index, kind_text(type), same_kind ? "different " : "",
                             kind_text(h->type), HF_FMT(type->name), HF_FMT(h->type->name));
    }
    *ret = h;
    return HF_OK;
}

void hf_handles_done(struct hf_handles *t)
{
    /* An object is taken out before its owner hears of it: ops may look at the table through the
     * instance. */
    for (uint32_t i = t->len; i-- > 1;) {
        struct hf_handle h = t->ptr[i];
        if (h.type == NULL)
            continue;
        hf_handles_remove(t, i);
        if (h.own && h.type->host != NULL)
            (void)hf_host_drop(h.type, NULL, h.obj); /* cannot refuse without a call (host.h) */
    }
    free(t->ptr);
    *t = (struct hf_handles){.max = t->max};
}
