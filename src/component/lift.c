/* lift.c - values out of a guest: from flat core values or from its memory (V1-V10).
 *
 * Two walks over a type, one per source. What can stay where it is stays: UTF-8 strings and lists
 * of scalars become views into guest memory. The rest goes into the call's arena, 16 bytes a value,
 * so a hostile list runs into the call's budget (S14) before it runs into the host. No guest code
 * runs while lifting: base and size of the memory are read once.
 *
 * Joined variant payloads (F2) need no coercion here: a core value is 16 little-endian bytes, and
 * reading an i32 or f32 from the slot of an i64 is reading its low bytes.
 *
 * Recursion is bounded by the depth of types (S8). Not here: strings (string.c), handles
 * (canon_handle.c).
 */
#include "component/canon.h"

static uint16_t load16(const uint8_t *p)
{
    uint16_t n;
    memcpy(&n, p, sizeof n);
    return n;
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return n;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return n;
}

/* ---- the parts that both walks share ---- */

/* V4 */
static enum hf_err lift_char(struct hf_canon_cx *cx, uint32_t c, struct hf_value *ret)
{
    if (HF_UNLIKELY(!hf_canon_is_char(c)))
        return hf_canon_trap(cx->inst, "invalid `char` bit pattern 0x%x [V4]", c);
    ret->u64 = c;
    return HF_OK;
}

/* L5: bits without a label are ignored. */
static uint64_t known_flags(const struct hf_type *t, uint32_t bits)
{
    return bits & (UINT32_MAX >> (32 - t->n));
}

/* Values that will be filled in one by one. Zeroed where owned handles may come: see
 * hf_canon_let_go. */
static struct hf_value *new_items(struct hf_canon_cx *cx, uint64_t n, bool zero)
{
    struct hf_value *items = hf_canon_alloc(cx, n * sizeof *items);
    if (items != NULL && zero)
        memset(items, 0, n * sizeof *items);
    return items;
}

/* ---- lists ---- */

static bool has_odd_nan(const uint8_t *p, uint64_t n, uint32_t size)
{
    bool odd = false;
    if (size == 4) {
        for (uint64_t i = 0; i < n; i++)
            odd |= hf_canon_f32(load32(p + 4 * i)) != load32(p + 4 * i);
    } else {
        for (uint64_t i = 0; i < n; i++)
            odd |= hf_canon_f64(load64(p + 8 * i)) != load64(p + 8 * i);
    }
    return odd;
}

void hf_canon_nans(uint8_t *p, uint64_t n, uint32_t size)
{
    for (uint64_t i = 0; i < n; i++, p += size) {
        uint32_t f32 = size == 4 ? hf_canon_f32(load32(p)) : 0;
        uint64_t f64 = size == 8 ? hf_canon_f64(load64(p)) : 0;
        memcpy(p, size == 4 ? (const void *)&f32 : &f64, size);
    }
}

/* V7, the fast half: no element is looked at, except floats on their way to the host. Between
 * components NaNs are made canonical where they are written (lower.c). */
static enum hf_err lift_scalars(struct hf_canon_cx *cx, const struct hf_type *elem, uint32_t ptr,
                                uint32_t n, struct hf_value *ret)
{
    const uint8_t *p = cx->mem + ptr;
    uint64_t bytes = (uint64_t)n * elem->size;
    bool floats = elem->kind == HF_T_F32 || elem->kind == HF_T_F64;
    bool odd = false;

    if (floats && cx->host) {
        enum hf_err err = hf_canon_charge(cx, bytes);
        if (err != HF_OK)
            return err;
        odd = has_odd_nan(p, n, elem->size);
    }
    if ((cx->copy || odd) && bytes != 0) {
        uint8_t *copy = hf_canon_alloc(cx, bytes);
        if (copy == NULL)
            return HF_TRAP;
        p = memcpy(copy, p, bytes);
        if (odd)
            hf_canon_nans(copy, n, elem->size);
    }
    *ret = (struct hf_value){.bytes = p, .len = n};
    return HF_OK;
}

static enum hf_err load(struct hf_canon_cx *cx, const struct hf_type *t, const uint8_t *p,
                        struct hf_value *ret);

/* V7. Out of bounds is told before too long: what does not exist needs no limit. */
static enum hf_err lift_list(struct hf_canon_cx *cx, const struct hf_type *t, uint32_t ptr,
                             uint32_t n, struct hf_value *ret)
{
    const struct hf_type *elem = t->elem;
    uint64_t bytes = (uint64_t)n * elem->size;
    if (HF_UNLIKELY((ptr & (elem->align - 1u)) != 0))
        return hf_canon_trap(cx->inst, "unaligned pointer: list at %u, align %u [V7]", ptr,
                             elem->align);
    if (HF_UNLIKELY(!hf_canon_reaches(cx, ptr + bytes)))
        return hf_canon_trap(cx->inst,
                             "list content out-of-bounds: list pointer/length out of bounds of "
                             "memory (%u + %u * %u bytes of %zu) [V7]",
                             ptr, n, elem->size, cx->mem_size);
    uint64_t max = hf_canon_max(cx->inst->settings.list_bytes_max);
    if (HF_UNLIKELY(bytes > max))
        return hf_canon_trap(cx->inst,
                             "limit: list of %llu bytes is too long, at most %llu (list_bytes_max) "
                             "[V7]",
                             (unsigned long long)bytes, (unsigned long long)max);
    if (elem->scalar)
        return lift_scalars(cx, elem, ptr, n, ret);

    struct hf_value *items = new_items(cx, n, elem->has_handles);
    if (items == NULL)
        return HF_TRAP;
    *ret = (struct hf_value){.items = items, .len = n};
    const uint8_t *p = cx->mem + ptr;
    for (uint32_t i = 0; i < n; i++, p += elem->size) {
        enum hf_err err = load(cx, elem, p, &items[i]);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

/* ---- from memory ---- */

static enum hf_err load_fields(struct hf_canon_cx *cx, const struct hf_type *t, const uint8_t *p,
                               struct hf_value *ret)
{
    struct hf_value *items = new_items(cx, t->n, t->has_handles);
    if (items == NULL)
        return HF_TRAP;
    *ret = (struct hf_value){.items = items, .len = t->n};
    for (uint32_t i = 0; i < t->n; i++) {
        enum hf_err err = load(cx, t->members[i].type, p + t->members[i].offset, &items[i]);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

static uint32_t load_sized(const uint8_t *p, unsigned size)
{
    return size == 1 ? *p : size == 2 ? load16(p) : load32(p);
}

/* V5. The payload of case `disc`, zeroed; *payload NULL when it has none. */
static enum hf_err open_case(struct hf_canon_cx *cx, const struct hf_type *t, uint32_t disc,
                             struct hf_value *ret, const struct hf_type **payload)
{
    if (HF_UNLIKELY(disc >= t->n))
        return hf_canon_trap(cx->inst, "invalid variant discriminant %u: %s has %u cases [V5]",
                             disc, hf_type_kind_text(t->kind), t->n);
    *ret = (struct hf_value){.tag = disc};
    *payload = t->members[disc].type;
    if (*payload == NULL)
        return HF_OK;
    ret->items = new_items(cx, 1, true);
    return ret->items == NULL ? HF_TRAP : HF_OK;
}

static enum hf_err load_case(struct hf_canon_cx *cx, const struct hf_type *t, const uint8_t *p,
                             struct hf_value *ret)
{
    const struct hf_type *payload = NULL;
    enum hf_err err = open_case(cx, t, load_sized(p, t->disc_size), ret, &payload);
    if (err != HF_OK || payload == NULL)
        return err;
    return load(cx, payload, p + t->payload, ret->items);
}

/* `p`: in bounds and aligned for `t`. */
static enum hf_err load(struct hf_canon_cx *cx, const struct hf_type *t, const uint8_t *p,
                        struct hf_value *ret)
{
    *ret = (struct hf_value){0};
    switch (t->kind) {
    case HF_T_BOOL: ret->u64 = *p != 0; return HF_OK;
    case HF_T_U8: ret->u64 = *p; return HF_OK;
    case HF_T_S8: ret->s64 = (int8_t)*p; return HF_OK;
    case HF_T_U16: ret->u64 = load16(p); return HF_OK;
    case HF_T_S16: ret->s64 = (int16_t)load16(p); return HF_OK;
    case HF_T_U32: ret->u64 = load32(p); return HF_OK;
    case HF_T_S32: ret->s64 = (int32_t)load32(p); return HF_OK;
    case HF_T_U64:
    case HF_T_S64: ret->u64 = load64(p); return HF_OK;
    case HF_T_F32: ret->u64 = hf_canon_f32(load32(p)); return HF_OK;
    case HF_T_F64: ret->u64 = hf_canon_f64(load64(p)); return HF_OK;
    case HF_T_CHAR: return lift_char(cx, load32(p), ret);
    case HF_T_STRING: return hf_lift_string(cx, load32(p), load32(p + 4), ret);
    case HF_T_LIST: return lift_list(cx, t, load32(p), load32(p + 4), ret);
    case HF_T_RECORD:
    case HF_T_TUPLE: return load_fields(cx, t, p, ret);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return load_case(cx, t, p, ret);
    case HF_T_FLAGS: ret->u64 = known_flags(t, load_sized(p, t->disc_size)); return HF_OK;
    case HF_T_OWN:
    case HF_T_BORROW: return hf_lift_handle(cx, t, load32(p), ret);
    default: return hf_canon_trap(cx->inst, "%s cannot be lifted", hf_type_kind_text(t->kind));
    }
}

/* V8 */
enum hf_err hf_canon_range(struct hf_canon_cx *cx, uint32_t ptr, uint32_t align, uint32_t size)
{
    if (HF_UNLIKELY((ptr & (align - 1)) != 0))
        return hf_canon_trap(cx->inst, "unaligned pointer: %u, align %u [V8]", ptr, align);
    if (HF_UNLIKELY(!hf_canon_reaches(cx, (uint64_t)ptr + size)))
        return hf_canon_trap(cx->inst, "pointer out of bounds of memory: %u + %u bytes of %zu [V8]",
                             ptr, size, cx->mem_size);
    return HF_OK;
}

enum hf_err hf_lift_memory(struct hf_canon_cx *cx, const struct hf_type *t, uint32_t ptr,
                           struct hf_value *ret)
{
    enum hf_err err = hf_canon_range(cx, ptr, t->align, t->size);
    return err != HF_OK ? err : load(cx, t, cx->mem + ptr, ret);
}

/* ---- from flat values ---- */

static enum hf_err flat_fields(struct hf_canon_cx *cx, const struct hf_type *t,
                               const union hf_val *vals, uint32_t *at, struct hf_value *ret)
{
    struct hf_value *items = new_items(cx, t->n, t->has_handles);
    if (items == NULL)
        return HF_TRAP;
    *ret = (struct hf_value){.items = items, .len = t->n};
    for (uint32_t i = 0; i < t->n; i++) {
        enum hf_err err = hf_lift_flat(cx, t->members[i].type, vals, at, &items[i]);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

static enum hf_err flat_case(struct hf_canon_cx *cx, const struct hf_type *t,
                             const union hf_val *vals, uint32_t *at, struct hf_value *ret)
{
    const struct hf_type *payload = NULL;
    uint32_t first = *at + 1;
    *at += t->n_flat; /* slots that this case does not use are skipped */
    enum hf_err err = open_case(cx, t, vals[first - 1].u32, ret, &payload);
    if (err != HF_OK || payload == NULL)
        return err;
    return hf_lift_flat(cx, payload, vals, &first, ret->items);
}

enum hf_err hf_lift_flat(struct hf_canon_cx *cx, const struct hf_type *t, const union hf_val *vals,
                         uint32_t *at, struct hf_value *ret)
{
    const union hf_val *v = &vals[*at];
    *ret = (struct hf_value){0};
    switch (t->kind) {
    case HF_T_RECORD:
    case HF_T_TUPLE: return flat_fields(cx, t, vals, at, ret);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return flat_case(cx, t, vals, at, ret);
    case HF_T_STRING: *at += 2; return hf_lift_string(cx, v[0].u32, v[1].u32, ret);
    case HF_T_LIST: *at += 2; return lift_list(cx, t, v[0].u32, v[1].u32, ret);
    case HF_T_FLAGS:
        *at += 1;
        ret->u64 = known_flags(t, v->u32);
        return HF_OK;
    case HF_T_OWN:
    case HF_T_BORROW: *at += 1; return hf_lift_handle(cx, t, v->u32, ret);
    default:
        *at += 1;
        if (HF_LIKELY(hf_lift_number(t->kind, v, ret)))
            return HF_OK;
        return t->kind == HF_T_CHAR
                   ? lift_char(cx, v->u32, ret)
                   : hf_canon_trap(cx->inst, "%s cannot be lifted", hf_type_kind_text(t->kind));
    }
}

/* ---- whole parameter lists and results ---- */

/* Parameter i could not be lifted; what is behind it was not tried. */
__attribute__((cold)) static enum hf_err which_param(struct hf_canon_cx *cx,
                                                     const struct hf_ftype *f, uint32_t i,
                                                     struct hf_value *ret, enum hf_err err)
{
    memset(ret + i + 1, 0, (f->n_params - i - 1) * sizeof *ret);
    return hf_report_wrap(hf_store_report(cx->inst->store), err, "argument %u (%.*s)", i + 1,
                          HF_FMT(f->params[i].name));
}

static enum hf_err load_params(struct hf_canon_cx *cx, const struct hf_ftype *f, uint32_t ptr,
                               struct hf_value *ret)
{
    enum hf_err err = hf_canon_range(cx, ptr, f->params_align, f->params_size);
    if (HF_UNLIKELY(err != HF_OK)) {
        memset(ret, 0, f->n_params * sizeof *ret);
        return hf_report_wrap(hf_store_report(cx->inst->store), err, "arguments");
    }
    for (uint32_t i = 0; i < f->n_params && err == HF_OK; i++) {
        err = load(cx, f->params[i].type, cx->mem + ptr + f->params[i].offset, &ret[i]);
        if (HF_UNLIKELY(err != HF_OK))
            return which_param(cx, f, i, ret, err);
    }
    return err;
}

enum hf_err hf_lift_param(struct hf_canon_cx *cx, const struct hf_ftype *f, uint32_t i,
                          const union hf_val *vals, uint32_t *at, struct hf_value *ret)
{
    enum hf_err err = hf_lift_flat(cx, f->params[i].type, vals, at, &ret[i]);
    return HF_LIKELY(err == HF_OK) ? HF_OK : which_param(cx, f, i, ret, err);
}

enum hf_err hf_lift_params(struct hf_canon_cx *cx, const struct hf_ftype *f,
                           const union hf_val *vals, struct hf_value *ret)
{
    uint32_t at = 0;
    if (HF_UNLIKELY(f->params_spilled))
        return load_params(cx, f, vals[0].u32, ret);
    for (uint32_t i = 0; i < f->n_params; i++) {
        enum hf_err err = hf_lift_param(cx, f, i, vals, &at, ret);
        if (HF_UNLIKELY(err != HF_OK))
            return err;
    }
    return HF_OK;
}

enum hf_err hf_lift_result(struct hf_canon_cx *cx, const struct hf_ftype *f,
                           const union hf_val *vals, struct hf_value *ret)
{
    uint32_t at = 0;
    enum hf_err err = f->result_spilled ? hf_lift_memory(cx, f->result, vals[0].u32, ret)
                                        : hf_lift_flat(cx, f->result, vals, &at, ret);
    if (HF_UNLIKELY(err != HF_OK))
        return hf_report_wrap(hf_store_report(cx->inst->store), err, "result");
    return HF_OK;
}
