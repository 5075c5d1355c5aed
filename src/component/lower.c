/* lower.c - values into a guest: as flat core values or into its memory (W1-W10).
 *
 * Every string and list asks the guest's realloc for its place, so guest code runs in the middle of
 * lowering: the guest may not leave meanwhile (C3), what realloc answers is checked like any other
 * pointer, and the memory may have grown (S15). A place that was checked stays good: memories never
 * shrink or move.
 *
 * Flat values are written as whole 64-bit slots, zero-extended. That is also what a joined variant
 * payload (F2, W8) asks for, so there is no step of its own for it.
 *
 * Values come from host functions or from another component. The latter were checked when lifted;
 * the former are checked here as far as memory safety asks for it, and a wrong one ends the call,
 * not the node.
 *
 * Not here: strings (string.c), handles (canon_handle.c).
 */
#include <stdarg.h>
#include <stdio.h>

#include "component/canon.h"

/* ---- what lifting and lowering stand on ---- */

void hf_canon_look(struct hf_canon_cx *cx)
{
    if (!cx->opts->has_memory)
        return;
    hf_memory_get(cx->inst->store, &cx->opts->memory, &cx->opts->mem, &cx->opts->mem_size);
    hf_canon_memory(cx);
}

enum hf_err hf_canon_trap(struct hf_instance *inst, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return hf_report_set(hf_store_report(inst->store), HF_TRAP, "%s", text);
}

void *hf_canon_alloc(struct hf_canon_cx *cx, size_t size)
{
    void *p = hf_arena_alloc(&cx->inst->arena, size, 16);
    if (HF_UNLIKELY(p == NULL))
        (void)hf_canon_trap(cx->inst,
                            "limit: the values of this call take more than %zu bytes in the host "
                            "[S14]",
                            cx->inst->arena.max);
    return p;
}

/* One string of the greatest length always passes; a million views of it do not. */
enum hf_err hf_canon_charge(struct hf_canon_cx *cx, uint64_t bytes)
{
    uint64_t max = cx->inst->arena.max;
    if (max < HF_ELEM_SIZE_MAX)
        max = HF_ELEM_SIZE_MAX;
    cx->work += bytes;
    if (HF_LIKELY(cx->work <= max))
        return HF_OK;
    return hf_canon_trap(cx->inst, "limit: the strings of this call are more than %llu bytes [S14]",
                         (unsigned long long)max);
}

enum hf_err hf_canon_realloc(struct hf_canon_cx *cx, uint32_t old, uint32_t old_size,
                             uint32_t align, uint32_t size, const char *what, uint32_t *ret)
{
    union hf_val vals[4] = {{.u64 = old}, {.u64 = old_size}, {.u64 = align}, {.u64 = size}};
    if (HF_UNLIKELY(!cx->opts->has_realloc))
        return hf_canon_trap(cx->inst, "no realloc was given for %s [S3]", what);

    bool may_leave = cx->ci->may_leave;
    cx->ci->may_leave = false;
    enum hf_err err = hf_store_call(cx->inst->store, &cx->opts->realloc, vals, 4);
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    cx->ci->may_leave = may_leave;

    uint32_t ptr = vals[0].u32;
    if (HF_UNLIKELY((ptr & (align - 1)) != 0))
        return hf_canon_trap(cx->inst,
                             "realloc return: result not aligned, unaligned pointer %u, align %u "
                             "(%s) [W1]",
                             ptr, align, what);
    /* S15: it can only have grown, so what was in bounds still is */
    if (HF_UNLIKELY(!hf_canon_reaches(cx, (uint64_t)ptr + size)))
        return hf_canon_trap(
            cx->inst,
            "realloc return: beyond end of memory, %s out-of-bounds (%u + %u bytes "
            "of %zu) [W1]",
            what, ptr, size, cx->mem_size);
    *ret = ptr;
    return HF_OK;
}

/* ---- the parts that both walks share ---- */

static enum hf_err check_flags(struct hf_canon_cx *cx, const struct hf_type *t, uint64_t bits)
{
    if (HF_UNLIKELY(bits >> t->n != 0))
        return hf_canon_trap(cx->inst, "the host gave flags 0x%llx where there are %u labels [L5]",
                             (unsigned long long)bits, t->n);
    return HF_OK;
}

/* What hf_lower_number refused. */
static enum hf_err not_lowered(struct hf_canon_cx *cx, const struct hf_type *t,
                               const struct hf_value *v)
{
    if (t->kind == HF_T_CHAR)
        return hf_canon_trap(cx->inst, "the host gave an invalid `char` bit pattern 0x%llx [V4]",
                             (unsigned long long)v->u64);
    return hf_canon_trap(cx->inst, "%s cannot be lowered", hf_type_kind_text(t->kind));
}

static enum hf_err check_case(struct hf_canon_cx *cx, const struct hf_type *t,
                              const struct hf_value *v)
{
    if (HF_UNLIKELY(v->tag >= t->n))
        return hf_canon_trap(cx->inst, "the host gave case %u of a %s with %u cases [V5]", v->tag,
                             hf_type_kind_text(t->kind), t->n);
    if (HF_UNLIKELY(t->members[v->tag].type != NULL && v->items == NULL))
        return hf_canon_trap(cx->inst, "the host gave case %.*s of a %s without its payload",
                             HF_FMT(t->members[v->tag].name), hf_type_kind_text(t->kind));
    return HF_OK;
}

static enum hf_err check_fields(struct hf_canon_cx *cx, const struct hf_type *t,
                                const struct hf_value *v)
{
    if (HF_UNLIKELY(v->items == NULL || v->len != t->n))
        return hf_canon_trap(cx->inst, "the host gave %u fields for a %s of %u", v->len,
                             hf_type_kind_text(t->kind), t->n);
    return HF_OK;
}

static enum hf_err store(struct hf_canon_cx *cx, const struct hf_type *t, const struct hf_value *v,
                         uint32_t ptr);

/* W1 */
static enum hf_err lower_list(struct hf_canon_cx *cx, const struct hf_type *t,
                              const struct hf_value *v, uint32_t *ret)
{
    const struct hf_type *elem = t->elem;
    uint64_t bytes = (uint64_t)v->len * elem->size;
    uint64_t max = hf_canon_max(cx->inst->settings.list_bytes_max);
    if (HF_UNLIKELY(bytes > max))
        return hf_canon_trap(cx->inst,
                             "limit: list of %llu bytes is too long, at most %llu (list_bytes_max) "
                             "[V7]",
                             (unsigned long long)bytes, (unsigned long long)max);
    if (HF_UNLIKELY(v->len != 0 && v->items == NULL))
        return hf_canon_trap(cx->inst, "the host gave a list without elements");
    enum hf_err err = hf_canon_realloc(cx, 0, 0, elem->align, (uint32_t)bytes, "list content", ret);
    if (err != HF_OK || bytes == 0)
        return err;
    if (elem->scalar) {
        uint8_t *out = cx->mem + *ret;
        memmove(out, v->bytes, bytes); /* a host function may give back what it was given */
        if (elem->kind == HF_T_F32 || elem->kind == HF_T_F64)
            hf_canon_nans(out, v->len, elem->size);
        return HF_OK;
    }
    for (uint32_t i = 0; i < v->len; i++) {
        err = store(cx, elem, &v->items[i], *ret + i * elem->size);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

/* ---- into memory ---- */

static void put(struct hf_canon_cx *cx, uint32_t ptr, uint64_t bits, unsigned size)
{
    switch (size) { /* constant sizes make plain stores */
    case 1: memcpy(cx->mem + ptr, &bits, 1); return;
    case 2: memcpy(cx->mem + ptr, &bits, 2); return;
    case 4: memcpy(cx->mem + ptr, &bits, 4); return;
    default: memcpy(cx->mem + ptr, &bits, 8); return;
    }
}

static enum hf_err store_pair(struct hf_canon_cx *cx, uint32_t ptr, uint32_t a, uint32_t b)
{
    put(cx, ptr, a, 4);
    put(cx, ptr + 4, b, 4);
    return HF_OK;
}

static enum hf_err store_fields(struct hf_canon_cx *cx, const struct hf_type *t,
                                const struct hf_value *v, uint32_t ptr)
{
    enum hf_err err = check_fields(cx, t, v);
    for (uint32_t i = 0; i < t->n && err == HF_OK; i++) {
        const struct hf_member *m = &t->members[i];
        union hf_val bits;
        if (hf_lower_number(m->type->kind, &v->items[i], &bits))
            put(cx, ptr + m->offset, bits.u64, m->type->size);
        else
            err = store(cx, m->type, &v->items[i], ptr + m->offset);
    }
    return err;
}

static enum hf_err store_case(struct hf_canon_cx *cx, const struct hf_type *t,
                              const struct hf_value *v, uint32_t ptr)
{
    enum hf_err err = check_case(cx, t, v);
    if (err != HF_OK)
        return err;
    put(cx, ptr, v->tag, t->disc_size);
    const struct hf_type *payload = t->members[v->tag].type;
    return payload == NULL ? HF_OK : store(cx, payload, v->items, ptr + t->payload);
}

/* `ptr`: in bounds and aligned for `t`. */
static enum hf_err store(struct hf_canon_cx *cx, const struct hf_type *t, const struct hf_value *v,
                         uint32_t ptr)
{
    enum hf_err err;
    uint32_t a, b;
    union hf_val bits;
    switch (t->kind) {
    case HF_T_FLAGS:
        err = check_flags(cx, t, v->u64);
        if (err == HF_OK)
            put(cx, ptr, v->u64, t->disc_size);
        return err;
    case HF_T_STRING:
        err = hf_lower_string(cx, v, &a, &b);
        return err != HF_OK ? err : store_pair(cx, ptr, a, b);
    case HF_T_LIST:
        err = lower_list(cx, t, v, &a);
        return err != HF_OK ? err : store_pair(cx, ptr, a, v->len);
    case HF_T_RECORD:
    case HF_T_TUPLE: return store_fields(cx, t, v, ptr);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return store_case(cx, t, v, ptr);
    case HF_T_OWN:
    case HF_T_BORROW:
        err = hf_lower_handle(cx, t, v, &a);
        if (err == HF_OK)
            put(cx, ptr, a, 4);
        return err;
    default:
        if (HF_UNLIKELY(!hf_lower_number(t->kind, v, &bits)))
            return not_lowered(cx, t, v);
        put(cx, ptr, bits.u64, t->size);
        return HF_OK;
    }
}

enum hf_err hf_lower_memory(struct hf_canon_cx *cx, const struct hf_type *t,
                            const struct hf_value *v, uint32_t ptr)
{
    enum hf_err err = hf_canon_range(cx, ptr, t->align, t->size);
    return err != HF_OK ? err : store(cx, t, v, ptr);
}

/* ---- as flat values ---- */

static enum hf_err flat_case(struct hf_canon_cx *cx, const struct hf_type *t,
                             const struct hf_value *v, union hf_val *vals, uint32_t *at)
{
    uint32_t next = *at + 1, end = *at + t->n_flat;
    enum hf_err err = check_case(cx, t, v);
    if (err != HF_OK)
        return err;
    vals[*at].u64 = v->tag;
    const struct hf_type *payload = t->members[v->tag].type;
    if (payload != NULL)
        err = hf_lower_flat(cx, payload, v->items, vals, &next);
    while (next < end) /* W8 */
        vals[next++].u64 = 0;
    *at = end;
    return err;
}

enum hf_err hf_lower_flat(struct hf_canon_cx *cx, const struct hf_type *t, const struct hf_value *v,
                          union hf_val *vals, uint32_t *at)
{
    enum hf_err err = HF_OK;
    uint32_t a = 0, b;
    union hf_val *out = &vals[*at];

    switch (t->kind) {
    case HF_T_RECORD:
    case HF_T_TUPLE:
        err = check_fields(cx, t, v);
        for (uint32_t i = 0; i < t->n && err == HF_OK; i++)
            err = hf_lower_flat(cx, t->members[i].type, &v->items[i], vals, at);
        return err;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return flat_case(cx, t, v, vals, at);
    case HF_T_STRING:
        *at += 2;
        err = hf_lower_string(cx, v, &a, &b);
        out[0].u64 = a;
        out[1].u64 = err == HF_OK ? b : 0;
        return err;
    case HF_T_LIST:
        *at += 2;
        err = lower_list(cx, t, v, &a);
        out[0].u64 = a;
        out[1].u64 = v->len;
        return err;
    case HF_T_FLAGS:
        *at += 1;
        out->u64 = (uint32_t)v->u64;
        err = check_flags(cx, t, v->u64);
        if (HF_UNLIKELY(err != HF_OK))
            return err;
        return HF_OK;
    case HF_T_OWN:
    case HF_T_BORROW:
        *at += 1;
        err = hf_lower_handle(cx, t, v, &a);
        out->u64 = a;
        return err;
    default:
        *at += 1;
        if (HF_LIKELY(hf_lower_number(t->kind, v, out)))
            return HF_OK;
        return not_lowered(cx, t, v);
    }
}

/* ---- whole parameter lists and results ---- */

/* Which argument could not be lowered, also when the guest's realloc trapped. */
static enum hf_err told(struct hf_canon_cx *cx, enum hf_err err, uint32_t i, struct hf_view name)
{
    if (err == HF_CANCELLED)
        return err;
    return hf_report_wrap(hf_store_report(cx->inst->store), err, "argument %u (%.*s)", i + 1,
                          HF_FMT(name));
}

enum hf_err hf_lower_params(struct hf_canon_cx *cx, const struct hf_ftype *f,
                            const struct hf_value *args, union hf_val *vals)
{
    enum hf_err err = HF_OK;
    uint32_t at = 0, tuple = 0;
    if (f->params_spilled) {
        err = hf_canon_realloc(cx, 0, 0, f->params_align, f->params_size, "arguments", &tuple);
        vals[0].u64 = tuple;
        if (HF_UNLIKELY(err != HF_OK))
            return err;
    }
    for (uint32_t i = 0; i < f->n_params; i++) { /* W10: left to right */
        const struct hf_member *p = &f->params[i];
        if (f->params_spilled)
            err = store(cx, p->type, &args[i], tuple + p->offset);
        else
            err = hf_lower_flat(cx, p->type, &args[i], vals, &at);
        if (HF_UNLIKELY(err != HF_OK))
            return told(cx, err, i, p->name);
    }
    return HF_OK;
}

enum hf_err hf_lower_result(struct hf_canon_cx *cx, const struct hf_ftype *f,
                            const struct hf_value *v, union hf_val *vals)
{
    uint32_t at = 0;
    uint32_t handle = 0;
    if (f->result_spilled)
        return hf_lower_memory(cx, f->result, v, vals[f->lower.n_params - 1].u32);
    if (f->result->kind != HF_T_OWN)
        return hf_lower_flat(cx, f->result, v, vals, &at);
    enum hf_err err = hf_lower_handle(cx, f->result, v, &handle);
    vals[0].u64 = handle;
    return err;
}
