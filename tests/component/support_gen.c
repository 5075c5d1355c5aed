/* support_gen.c - random types and values, from a fuzzer's bytes or a seed. */
#include "base/utf.h"
#include "support_canon.h"

static uint64_t next(struct canon_gen *g)
{
    if (g->len > 0) {
        g->len--;
        return *g->ptr++;
    }
    g->seed ^= g->seed << 13;
    g->seed ^= g->seed >> 7;
    g->seed ^= g->seed << 17;
    return g->seed >> 8;
}

uint32_t canon_gen_below(struct canon_gen *g, uint32_t n)
{
    uint64_t a = next(g);
    if (n > 256)
        a = a << 32 ^ next(g) << 16 ^ next(g);
    return (uint32_t)(a % n);
}

static uint64_t bits64(struct canon_gen *g)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | (next(g) & 0xff);
    return n;
}

/* ---- types ---- */

static uint32_t gen_count(struct canon_gen *g, enum hf_type_kind kind)
{
    static const uint16_t enums[] = {1, 2, 3, 255, 256, 257, 300},
                          flags[] = {1, 7, 8, 9, 16, 17, 31, 32};
    if (kind == HF_T_OPTION)
        return 1;
    if (kind == HF_T_RESULT)
        return 2;
    if (kind == HF_T_ENUM)
        return enums[canon_gen_below(g, HF_ARRAY_LEN(enums))];
    if (kind == HF_T_FLAGS)
        return flags[canon_gen_below(g, HF_ARRAY_LEN(flags))];
    return 1 + canon_gen_below(g, 5);
}

static const struct hf_type *gen_compound(struct canon_gen *g, struct canon_world *w,
                                          unsigned depth)
{
    static const enum hf_type_kind kinds[] = {HF_T_RECORD, HF_T_TUPLE,  HF_T_VARIANT, HF_T_ENUM,
                                              HF_T_OPTION, HF_T_RESULT, HF_T_FLAGS};
    enum hf_type_kind kind = kinds[canon_gen_below(g, HF_ARRAY_LEN(kinds))];
    const struct hf_type *types[8];
    uint32_t n = gen_count(g, kind);
    if (kind == HF_T_ENUM || kind == HF_T_FLAGS)
        return canon_compound(w, kind, NULL, n);
    for (uint32_t i = 0; i < n; i++) {
        bool hole = (kind == HF_T_VARIANT || kind == HF_T_RESULT) && canon_gen_below(g, 3) == 0;
        types[i] = hole ? NULL : canon_gen_type(g, w, depth - 1);
    }
    return canon_compound(w, kind, types, n);
}

const struct hf_type *canon_gen_type(struct canon_gen *g, struct canon_world *w, unsigned depth)
{
    uint32_t k = canon_gen_below(g, 32);
    if (g->resource != NULL && k >= 30)
        return canon_handle(w, k == 30 || !g->borrows ? HF_T_OWN : HF_T_BORROW, g->resource);
    if (depth == 0 || k < 13)
        return hf_type_prim((enum hf_type_kind)(k % 13));
    if (k < 18)
        return canon_list(w, canon_gen_type(g, w, depth - 1));
    return gen_compound(g, w, depth);
}

/* ---- values ---- */

static uint32_t gen_char(struct canon_gen *g)
{
    static const uint32_t below[] = {0x80, 0x100, 0x3000, 0x110000};
    uint32_t c = canon_gen_below(g, below[canon_gen_below(g, 4)]);
    return c >= 0xd800 && c <= 0xdfff ? '?' : c;
}

static struct hf_value gen_string(struct canon_gen *g, struct hf_arena *arena)
{
    uint32_t n = canon_gen_below(g, 12);
    uint8_t *out = hf_arena_alloc(arena, 4 * n + 1, 1);
    size_t len = 0;
    for (uint32_t i = 0; i < n; i++)
        len += hf_utf8_put(out + len, gen_char(g));
    return hf_value_bytes(hf_view(out, len));
}

static struct hf_value gen_list(struct canon_gen *g, struct hf_arena *arena,
                                const struct hf_type *t)
{
    const struct hf_type *elem = t->elem;
    struct hf_value v = {.len = canon_gen_below(g, 5)};
    uint8_t *bytes = elem->scalar ? hf_arena_array(arena, v.len + 1, elem->size) : NULL;
    struct hf_value *items = elem->scalar ? NULL : hf_arena_array(arena, v.len + 1, sizeof *items);
    for (uint32_t i = 0; i < v.len; i++) {
        struct hf_value e = canon_gen_value(g, arena, elem);
        if (elem->scalar)
            memcpy(bytes + (size_t)i * elem->size, &e.u64, elem->size);
        else
            items[i] = e;
    }
    if (elem->scalar)
        v.bytes = bytes;
    else
        v.items = items;
    return v;
}

static struct hf_value gen_members(struct canon_gen *g, struct hf_arena *arena,
                                   const struct hf_type *t)
{
    struct hf_value v = {.len = t->n, .items = hf_arena_array(arena, t->n, sizeof v)};
    for (uint32_t i = 0; i < t->n; i++)
        v.items[i] = canon_gen_value(g, arena, t->members[i].type);
    return v;
}

static struct hf_value gen_case(struct canon_gen *g, struct hf_arena *arena,
                                const struct hf_type *t)
{
    struct hf_value v = {.tag = canon_gen_below(g, t->n)};
    const struct hf_type *payload = t->members[v.tag].type;
    if (payload != NULL) {
        v.items = hf_arena_array(arena, 1, sizeof v);
        *v.items = canon_gen_value(g, arena, payload);
    }
    return v;
}

struct hf_value canon_gen_value(struct canon_gen *g, struct hf_arena *arena,
                                const struct hf_type *t)
{
    uint64_t bits = t->kind < HF_T_CHAR ? bits64(g) : 0;
    switch (t->kind) {
    case HF_T_BOOL: return hf_value_u64(bits & 1);
    case HF_T_U8: return hf_value_u64((uint8_t)bits);
    case HF_T_U16: return hf_value_u64((uint16_t)bits);
    case HF_T_U32: return hf_value_u64((uint32_t)bits);
    case HF_T_S8: return (struct hf_value){.s64 = (int8_t)bits};
    case HF_T_S16: return (struct hf_value){.s64 = (int16_t)bits};
    case HF_T_S32: return (struct hf_value){.s64 = (int32_t)bits};
    case HF_T_U64:
    case HF_T_S64: return hf_value_u64(bits);
    case HF_T_F32: return hf_value_u64(hf_canon_f32((uint32_t)bits));
    case HF_T_F64: return hf_value_u64(hf_canon_f64(bits));
    case HF_T_CHAR: return hf_value_u64(gen_char(g));
    case HF_T_STRING: return gen_string(g, arena);
    case HF_T_LIST: return gen_list(g, arena, t);
    case HF_T_RECORD:
    case HF_T_TUPLE: return gen_members(g, arena, t);
    case HF_T_FLAGS: return hf_value_u64(bits64(g) & (UINT32_MAX >> (32 - t->n)));
    case HF_T_OWN:
    case HF_T_BORROW: return hf_value_u64(++g->next_obj);
    default: return gen_case(g, arena, t);
    }
}

/* ---- comparing ---- */

static bool same_items(const struct hf_type *t, const struct hf_value *a, const struct hf_value *b)
{
    if (a->len != b->len)
        return false;
    for (uint32_t i = 0; i < a->len; i++) {
        const struct hf_type *e = t->kind == HF_T_LIST ? t->elem : t->members[i].type;
        if (!canon_value_same(e, &a->items[i], &b->items[i]))
            return false;
    }
    return true;
}

bool canon_value_same(const struct hf_type *t, const struct hf_value *a, const struct hf_value *b)
{
    switch (t->kind) {
    case HF_T_STRING: return a->tag == b->tag && hf_view_eq(hf_value_view(a), hf_value_view(b));
    case HF_T_LIST:
        if (t->elem->scalar)
            return a->len == b->len &&
                   (a->len == 0 || memcmp(a->bytes, b->bytes, (size_t)a->len * t->elem->size) == 0);
        return same_items(t, a, b);
    case HF_T_RECORD:
    case HF_T_TUPLE: return same_items(t, a, b);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        return a->tag == b->tag &&
               (t->members[a->tag].type == NULL
                    ? a->items == NULL && b->items == NULL
                    : canon_value_same(t->members[a->tag].type, a->items, b->items));
    default: return a->u64 == b->u64;
    }
}
