/* types.c - makes component-level types: layout in memory (L1-L6), flat core values (F1-F4), the
 * bounds S7 and S8.
 *
 * Every type is completed when it is made, from types that are complete already. So sizes and flat
 * counts are looked up, never recomputed, and a type that would expand to 2^n values costs one node
 * per definition. Equality is in type_eq.c, text in type_text.c.
 */
#include "component/types.h"

#define PRIM(k, bytes, core, is_scalar)                                                            \
    [k] = {.kind = (k),                                                                            \
           .depth = 1,                                                                             \
           .align = (bytes),                                                                       \
           .size = (bytes),                                                                        \
           .n_flat = 1,                                                                            \
           .flat = {(core)},                                                                       \
           .scalar = (is_scalar)}

/* L1, F1. */
static const struct hf_type prims[] = {
    PRIM(HF_T_BOOL, 1, HF_I32, false),
    PRIM(HF_T_S8, 1, HF_I32, true),
    PRIM(HF_T_U8, 1, HF_I32, true),
    PRIM(HF_T_S16, 2, HF_I32, true),
    PRIM(HF_T_U16, 2, HF_I32, true),
    PRIM(HF_T_S32, 4, HF_I32, true),
    PRIM(HF_T_U32, 4, HF_I32, true),
    PRIM(HF_T_S64, 8, HF_I64, true),
    PRIM(HF_T_U64, 8, HF_I64, true),
    PRIM(HF_T_F32, 4, HF_F32, true),
    PRIM(HF_T_F64, 8, HF_F64, true),
    PRIM(HF_T_CHAR, 4, HF_I32, false),
    [HF_T_STRING] = {.kind = HF_T_STRING,
                     .depth = 1,
                     .align = 4,
                     .size = 8,
                     .n_flat = 2,
                     .flat = {HF_I32, HF_I32},
                     .has_pointers = true},
};
static const struct hf_type error_context = {.kind = HF_T_ERROR_CONTEXT,
                                             .depth = 1,
                                             .align = 4,
                                             .size = 4,
                                             .n_flat = 1,
                                             .flat = {HF_I32},
                                             .has_handles = true};

const struct hf_type *hf_type_prim(enum hf_type_kind kind)
{
    if (kind == HF_T_ERROR_CONTEXT)
        return &error_context;
    HF_ASSERT((size_t)kind < HF_ARRAY_LEN(prims));
    return &prims[kind];
}

static enum hf_err out_of_memory(const struct hf_arena *a, struct hf_report *report)
{
    return hf_report_set(report, HF_LIMIT, "types take more than %zu bytes", a->max);
}

static uint64_t align_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

/* F2 */
static enum hf_core_type join(uint8_t a, uint8_t b)
{
    if (a == b)
        return (enum hf_core_type)a;
    if ((a == HF_I32 && b == HF_F32) || (a == HF_F32 && b == HF_I32))
        return HF_I32;
    return HF_I64;
}

/* What a type takes over from a part of it. */
static enum hf_err take_over(struct hf_type *t, const struct hf_type *part,
                             struct hf_report *report)
{
    if (part->depth >= HF_TYPE_DEPTH_MAX)
        return hf_report_set(report, HF_LIMIT, "a type is nested more than %d deep",
                             HF_TYPE_DEPTH_MAX);
    if (part->depth >= t->depth)
        t->depth = (uint8_t)(part->depth + 1);
    t->has_handles |= part->has_handles;
    t->has_borrow |= part->has_borrow;
    t->has_pointers |= part->has_pointers;
    return HF_OK;
}

static void flat_add(struct hf_type *t, const struct hf_type *part)
{
    t->flat_over |= part->flat_over;
    for (unsigned i = 0; i < part->n_flat; i++) {
        if (t->n_flat == HF_FLAT_MAX) {
            t->flat_over = true;
            return;
        }
        t->flat[t->n_flat++] = part->flat[i];
    }
}

/* The flat values of a case lie over those of the other cases, behind the discriminant (F1). */
static void flat_join(struct hf_type *t, const struct hf_type *part)
{
    t->flat_over |= part->flat_over;
    for (unsigned i = 0; i < part->n_flat; i++) {
        unsigned at = i + 1;
        if (at == HF_FLAT_MAX) {
            t->flat_over = true;
            return;
        }
        if (at < t->n_flat) {
            t->flat[at] = (uint8_t)join(t->flat[at], part->flat[i]);
        } else {
            t->flat[at] = part->flat[i];
            t->n_flat = (uint8_t)(at + 1);
        }
    }
}

static enum hf_err check_size(uint64_t size, struct hf_report *report)
{
    if (size >= HF_ELEM_SIZE_MAX)
        return hf_report_set(report, HF_LIMIT, "a type takes 2^28 bytes or more in memory");
    return HF_OK;
}

/* L2. Offsets go into `members`; the same serves the parameters of a function. */
static enum hf_err lay_fields(struct hf_type *t, struct hf_member *members, uint32_t n,
                              struct hf_report *report)
{
    uint64_t at = 0;
    t->align = 1;
    for (uint32_t i = 0; i < n; i++) {
        const struct hf_type *f = members[i].type;
        enum hf_err err = take_over(t, f, report);
        if (err != HF_OK)
            return err;
        at = align_up(at, f->align);
        members[i].offset = (uint32_t)at;
        at += f->size;
        err = check_size(at, report);
        if (err != HF_OK)
            return err;
        if (f->align > t->align)
            t->align = f->align;
        flat_add(t, f);
    }
    at = align_up(at, t->align);
    t->size = (uint32_t)at;
    return check_size(at, report);
}

/* L3, L4 */
static enum hf_err lay_cases(struct hf_type *t, const struct hf_member *members, uint32_t n,
                             struct hf_report *report)
{
    uint8_t case_align = 1;
    uint64_t case_size = 0;

    t->disc_size = n <= 256 ? 1 : n <= 65536 ? 2 : 4;
    t->flat[0] = HF_I32;
    t->n_flat = 1;
    for (uint32_t i = 0; i < n; i++) {
        const struct hf_type *c = members[i].type;
        if (c == NULL)
            continue;
        enum hf_err err = take_over(t, c, report);
        if (err != HF_OK)
            return err;
        if (c->align > case_align)
            case_align = c->align;
        if (c->size > case_size)
            case_size = c->size;
        flat_join(t, c);
    }
    t->payload = (uint32_t)align_up(t->disc_size, case_align);
    t->align = case_align > t->disc_size ? case_align : t->disc_size;
    uint64_t size = align_up(t->payload + case_size, t->align);
    t->size = (uint32_t)size;
    return check_size(size, report);
}

/* L5 */
static enum hf_err lay_flags(struct hf_type *t, uint32_t n, struct hf_report *report)
{
    if (n > 32)
        return hf_report_set(report, HF_INVALID, "flags with %u labels: at most 32 are allowed", n);
    t->disc_size = n <= 8 ? 1 : n <= 16 ? 2 : 4;
    t->align = t->disc_size;
    t->size = t->disc_size;
    t->flat[0] = HF_I32;
    t->n_flat = 1;
    return HF_OK;
}

/* Case names that the text format knows but the binary does not carry. */
static struct hf_view fixed_name(enum hf_type_kind kind, uint32_t i)
{
    if (kind == HF_T_OPTION)
        return i == 0 ? HF_VIEW("none") : HF_VIEW("some");
    return i == 0 ? HF_VIEW("ok") : HF_VIEW("error");
}

static struct hf_member *copy_members(struct hf_arena *a, enum hf_type_kind kind,
                                      const struct hf_member *members, uint32_t n)
{
    uint32_t skip = kind == HF_T_OPTION ? 1 : 0; /* `none` is not among the given ones */
    struct hf_member *own = hf_arena_array(a, (size_t)n + skip, sizeof *own);
    if (own == NULL)
        return NULL;
    for (uint32_t i = 0; i < n + skip; i++) {
        if (kind == HF_T_OPTION || kind == HF_T_RESULT) {
            own[i].name = fixed_name(kind, i);
        } else if (kind != HF_T_TUPLE && members[i].name.len != 0) {
            own[i].name = hf_arena_copy(a, members[i].name);
            if (own[i].name.ptr == NULL)
                return NULL;
        }
        if (i >= skip)
            own[i].type = members[i - skip].type;
    }
    return own;
}

enum hf_err hf_type_compound(struct hf_arena *a, enum hf_type_kind kind,
                             const struct hf_member *members, uint32_t n,
                             const struct hf_type **ret, struct hf_report *report)
{
    HF_ASSERT(kind >= HF_T_RECORD && kind <= HF_T_FLAGS);
    HF_ASSERT(kind != HF_T_OPTION || n == 1);
    HF_ASSERT(kind != HF_T_RESULT || n == 2);
    if (n == 0)
        return hf_report_set(report, HF_INVALID, "an empty %s", hf_type_kind_text(kind));

    struct hf_type *t = HF_ARENA_NEW(a, struct hf_type);
    struct hf_member *own = copy_members(a, kind, members, n);
    if (t == NULL || own == NULL)
        return out_of_memory(a, report);
    t->kind = kind;
    t->depth = 1;
    t->n = kind == HF_T_OPTION ? 2 : n;
    t->members = own;

    enum hf_err err;
    if (kind == HF_T_FLAGS)
        err = lay_flags(t, n, report);
    else if (kind == HF_T_RECORD || kind == HF_T_TUPLE)
        err = lay_fields(t, own, n, report);
    else
        err = lay_cases(t, own, t->n, report);
    if (err != HF_OK)
        return err;
    *ret = t;
    return HF_OK;
}

enum hf_err hf_type_list(struct hf_arena *a, const struct hf_type *elem, const struct hf_type **ret,
                         struct hf_report *report)
{
    struct hf_type *t = HF_ARENA_NEW(a, struct hf_type);
    if (t == NULL)
        return out_of_memory(a, report);
    t->kind = HF_T_LIST;
    t->depth = 1;
    t->align = 4;
    t->size = 8;
    t->n_flat = 2;
    t->flat[0] = HF_I32;
    t->flat[1] = HF_I32;
    t->elem = elem;
    enum hf_err err = take_over(t, elem, report);
    if (err != HF_OK)
        return err;
    t->has_pointers = true;
    *ret = t;
    return HF_OK;
}

enum hf_err hf_type_map(struct hf_arena *a, const struct hf_type *key, const struct hf_type *value,
                        const struct hf_type **ret, struct hf_report *report)
{
    const struct hf_member pair[2] = {{.type = key}, {.type = value}};
    const struct hf_type *tuple, *list;
    enum hf_err err = hf_type_compound(a, HF_T_TUPLE, pair, 2, &tuple, report);
    if (err == HF_OK)
        err = hf_type_list(a, tuple, &list, report);
    if (err != HF_OK)
        return err;
    struct hf_type *map = HF_ARENA_NEW(a, struct hf_type);
    if (map == NULL)
        return out_of_memory(a, report);
    *map = *list;
    map->is_map = true;
    *ret = map;
    return HF_OK;
}

enum hf_err hf_type_handle(struct hf_arena *a, enum hf_type_kind kind,
                           const struct hf_resource_type *r, const struct hf_type **ret,
                           struct hf_report *report)
{
    HF_ASSERT(kind == HF_T_OWN || kind == HF_T_BORROW);
    struct hf_type *t = HF_ARENA_NEW(a, struct hf_type);
    if (t == NULL)
        return out_of_memory(a, report);
    t->kind = kind;
    t->depth = 1;
    t->align = 4;
    t->size = 4;
    t->n_flat = 1;
    t->flat[0] = HF_I32;
    t->has_handles = true;
    t->has_borrow = kind == HF_T_BORROW;
    t->resource = r;
    *ret = t;
    return HF_OK;
}

enum hf_err hf_type_gated(struct hf_arena *a, enum hf_type_kind kind,
                          const struct hf_member *members, uint32_t n, uint32_t length,
                          const struct hf_type **ret, struct hf_report *report)
{
    HF_ASSERT(kind >= HF_T_FIXED_LIST && kind <= HF_T_FUTURE);
    struct hf_type *t = HF_ARENA_NEW(a, struct hf_type);
    struct hf_member *own = copy_members(a, HF_T_TUPLE, members, n);
    if (t == NULL || own == NULL)
        return out_of_memory(a, report);
    /* The layout is a handle's. Nothing ever lays such a value out: what uses one is refused. */
    *t = (struct hf_type){
        .kind = kind, .depth = 1, .align = 4, .size = 4, .n_flat = 1, .flat = {HF_I32}};
    t->members = own;
    t->n = kind == HF_T_FIXED_LIST ? length : n;
    for (uint32_t i = 0; i < n; i++) {
        if (own[i].type == NULL)
            continue;
        enum hf_err err = take_over(t, own[i].type, report);
        if (err != HF_OK)
            return err;
    }
    *ret = t;
    return HF_OK;
}

/* ---- functions ---- */

static const enum hf_core_type *copy_flat(struct hf_arena *a, const uint8_t *flat, uint32_t n,
                                          uint32_t extra_i32)
{
    enum hf_core_type *types = hf_arena_array(a, (size_t)n + extra_i32 + 1, sizeof *types);
    if (types == NULL)
        return NULL;
    for (uint32_t i = 0; i < n; i++)
        types[i] = (enum hf_core_type)flat[i];
    for (uint32_t i = 0; i < extra_i32; i++)
        types[n + i] = HF_I32;
    return types;
}

/* F3, F4, F5: the core types of the lifted function and of the lowered import. */
static bool make_signatures(struct hf_arena *a, struct hf_ftype *f, const struct hf_type *tuple)
{
    static const uint8_t pointer[1] = {HF_I32};
    const uint8_t *params = f->params_spilled ? pointer : tuple->flat;
    uint32_t n_params = f->params_spilled ? 1 : tuple->n_flat;
    const uint8_t *results = f->result_spilled   ? pointer
                             : f->result != NULL ? f->result->flat
                                                 : NULL;
    uint32_t n_results = f->result == NULL ? 0 : f->result_spilled ? 1 : f->result->n_flat;
    uint32_t out_pointer = f->result_spilled ? 1 : 0;

    f->lift.n_params = n_params;
    f->lift.params = copy_flat(a, params, n_params, 0);
    f->lift.n_results = n_results;
    f->lift.results = copy_flat(a, results, n_results, 0);
    f->lower.n_params = n_params + out_pointer;
    f->lower.params = copy_flat(a, params, n_params, out_pointer);
    f->lower.n_results = f->result_spilled ? 0 : n_results;
    f->lower.results = f->lift.results;
    return f->lift.params != NULL && f->lift.results != NULL && f->lower.params != NULL;
}

static bool is_cases(const struct hf_type *t)
{
    return t->kind == HF_T_VARIANT || t->kind == HF_T_ENUM || t->kind == HF_T_OPTION ||
           t->kind == HF_T_RESULT;
}

static enum hf_give how_given(const struct hf_ftype *f)
{
    const struct hf_type *t = f->result;
    if (t == NULL)
        return HF_GIVE_NONE;
    if (is_cases(t))
        return f->result_spilled ? HF_GIVE_CASES : HF_GIVE_CASE;
    if (f->result_spilled)
        return HF_GIVE_ANY;
    return t->kind <= HF_T_CHAR ? HF_GIVE_NUMBER : t->kind == HF_T_OWN ? HF_GIVE_OWN : HF_GIVE_ANY;
}

static void plan_cases(struct hf_plan *p, const struct hf_type *t)
{
    if (t->disc_size != 1 || t->payload > UINT16_MAX)
        return; /* none is planned */
    p->n_cases = (uint8_t)(t->n < HF_PLAN_CASES ? t->n : HF_PLAN_CASES);
    p->align = t->align;
    p->payload = (uint16_t)t->payload;
    p->size = t->size;
    for (uint32_t i = 0; i < p->n_cases; i++) {
        const struct hf_type *payload = t->members[i].type;
        bool own = payload != NULL && payload->kind == HF_T_OWN &&
                   (p->gives == NULL || p->gives == payload->resource);
        if (own)
            p->gives = payload->resource;
        bool known = own || (payload != NULL && payload->kind <= HF_T_CHAR);
        p->case_kinds[i] = payload == NULL ? HF_PLAN_NONE : known ? (uint8_t)payload->kind : HF_PLAN_ANY;
        p->case_sizes[i] = known ? (uint8_t)payload->size : 0;
    }
}

static void plan_result(struct hf_plan *p, const struct hf_ftype *f)
{
    const struct hf_type *t = f->result;
    p->give = (uint8_t)how_given(f);
    p->out = (uint8_t)(f->lower.n_params - 1);
    if (p->give == HF_GIVE_NUMBER)
        p->give_kind = (uint8_t)t->kind;
    else if (p->give == HF_GIVE_OWN)
        p->gives = t->resource;
    else if (p->give == HF_GIVE_CASES)
        plan_cases(p, t);
    else if (p->give == HF_GIVE_CASE && t->n <= UINT8_MAX)
        p->n_cases = (uint8_t)t->n;
}

/* A borrow has to be marked as lent only where the same call takes handles out of the table (V9):
 * host functions run nothing of the guest, and what realloc may do is not dropping (C3). */
static void plan_params(struct hf_plan *p, const struct hf_ftype *f)
{
    bool lends = false;
    p->n_params = (uint8_t)f->n_params;
    for (uint32_t i = 0; i < f->n_params; i++)
        lends |= f->params[i].type->has_handles && f->params[i].type->kind != HF_T_BORROW;
    for (uint32_t i = 0; i < f->n_params; i++) {
        const struct hf_type *t = f->params[i].type;
        bool handle = t->kind == HF_T_OWN || (t->kind == HF_T_BORROW && !lends);
        bool flat = t->kind <= HF_T_STRING || (t->kind == HF_T_LIST && t->elem->scalar);
        p->kinds[i] = flat || handle ? (uint8_t)t->kind : is_cases(t) ? HF_T_VARIANT : HF_PLAN_ANY;
        if (i < HF_ARRAY_LEN(p->of))
            p->of[i] = handle ? (const void *)t->resource : t;
    }
}

/* After make_signatures. */
static bool plan(struct hf_arena *a, struct hf_ftype *f)
{
    uint8_t *room = hf_arena_array(a, 1, 2 * sizeof(struct hf_plan));
    if (room == NULL)
        return false;
    room += -(uintptr_t)room % sizeof(struct hf_plan); /* to where a line begins */
    struct hf_plan *p = (struct hf_plan *)(void *)room;
    f->plan = p;
    f->plain = !f->params_spilled && (f->result == NULL || f->result->kind <= HF_T_CHAR);
    for (uint32_t i = 0; i < f->n_params; i++)
        f->plain = f->plain && f->params[i].type->kind <= HF_T_CHAR;
    p->spilled = f->params_spilled;
    if (!p->spilled)
        plan_params(p, f);
    plan_result(p, f);
    return true;
}

enum hf_err hf_ftype_make(struct hf_arena *a, const struct hf_member *params, uint32_t n_params,
                          const struct hf_type *result, struct hf_ftype **ret,
                          struct hf_report *report)
{
    struct hf_type tuple = {.kind = HF_T_TUPLE, .depth = 1};
    struct hf_ftype *f = HF_ARENA_NEW(a, struct hf_ftype);
    struct hf_member *own = copy_members(a, HF_T_RECORD, params, n_params);
    if (f == NULL || own == NULL)
        return out_of_memory(a, report);
    enum hf_err err = lay_fields(&tuple, own, n_params, report);
    if (err != HF_OK)
        return err;
    if (result != NULL && result->has_borrow)
        return hf_report_set(report, HF_INVALID, "a function's result holds a borrow");

    f->n_params = n_params;
    f->params = own;
    f->result = result;
    f->params_spilled = tuple.flat_over || tuple.n_flat > HF_FLAT_PARAMS_MAX;
    f->result_spilled =
        result != NULL && (result->flat_over || result->n_flat > HF_FLAT_RESULTS_MAX);
    f->params_size = tuple.size;
    f->params_align = tuple.align;
    f->n_flat_params = tuple.n_flat;
    bool result_pointers = result != NULL && result->has_pointers;
    f->needs_memory =
        f->params_spilled || f->result_spilled || tuple.has_pointers || result_pointers;
    f->needs_realloc_lift = f->params_spilled || tuple.has_pointers;
    f->needs_realloc_lower = result_pointers;
    f->has_handles = tuple.has_handles;
    if (!make_signatures(a, f, &tuple) || !plan(a, f))
        return out_of_memory(a, report);
    *ret = f;
    return HF_OK;
}
