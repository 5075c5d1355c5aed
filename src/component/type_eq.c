/* type_eq.c - are two types the same? Structural, names included; resources only by identity (H6).
 *
 * Both sides are graphs with shared parts, so pairs found equal are remembered: without that, two
 * small files could keep the loader busy for 2^100 comparisons. The first difference ends
 * everything and is told with the way to it.
 */
#include "component/types.h"

#include "base/map.h"

#define PAIRS_BYTES_MAX (64u << 20)

enum step_kind { STEP_PARAM, STEP_RESULT, STEP_FIELD, STEP_ELEMENT, STEP_CASE, STEP_LIST };
struct path_step {
    enum step_kind kind;
    uint32_t i;
    struct hf_view name;
};
struct pair {
    const struct hf_type *a, *b;
};
struct eq_cx {
    struct hf_buf *why; /* or NULL */
    struct hf_map seen; /* pairs found equal */
    struct hf_arena arena;
    struct path_step path[HF_TYPE_DEPTH_MAX + 2];
    unsigned n_path;
    bool lost; /* memory ran out: what `why` has is not complete */
};

/* Text is a courtesy: when memory is out the answer stays "not equal", with less text. */
static void tell(struct eq_cx *cx, const char *text)
{
    if (hf_buf_add_text(cx->why, text) != HF_OK)
        cx->lost = true;
}

static void tell_path(struct eq_cx *cx)
{
    static const char *const words[] = {
        [STEP_PARAM] = "param",     [STEP_RESULT] = "result", [STEP_FIELD] = "field",
        [STEP_ELEMENT] = "element", [STEP_CASE] = "case",     [STEP_LIST] = "list element"};
    for (unsigned i = 0; i < cx->n_path; i++) {
        const struct path_step *s = &cx->path[i];
        tell(cx, words[s->kind]);
        if (s->kind == STEP_PARAM || s->kind == STEP_ELEMENT) {
            if (hf_buf_printf(cx->why, " %u", s->i + 1) != HF_OK)
                cx->lost = true;
        } else if (s->name.len != 0) {
            tell(cx, " ");
            if (hf_buf_add_view(cx->why, s->name) != HF_OK)
                cx->lost = true;
        }
        tell(cx, ": ");
    }
}

static bool differ(struct eq_cx *cx, const struct hf_type *a, const struct hf_type *b)
{
    if (cx->why == NULL)
        return false;
    tell_path(cx);
    if (a == NULL)
        tell(cx, "nothing");
    else if (hf_type_text(a, cx->why) != HF_OK)
        cx->lost = true;
    tell(cx, " is not ");
    if (b == NULL)
        tell(cx, "nothing");
    else if (hf_type_text(b, cx->why) != HF_OK)
        cx->lost = true;
    if (a != NULL && b != NULL && a->resource != NULL && b->resource != NULL &&
        a->kind == b->kind && hf_view_eq(a->resource->name, b->resource->name))
        tell(cx, " (another resource of that name)");
    return false;
}

static bool differ_names(struct eq_cx *cx, const char *what, uint32_t i, struct hf_view a,
                         struct hf_view b)
{
    if (cx->why == NULL)
        return false;
    tell_path(cx);
    if (hf_buf_printf(cx->why, "%s %u is called \"%.*s\", not \"%.*s\"", what, i + 1, HF_FMT(a),
                      HF_FMT(b)) != HF_OK)
        cx->lost = true;
    return false;
}

static bool eq(struct eq_cx *cx, const struct hf_type *a, const struct hf_type *b);

/* One level down. A depth past the path's room cannot be: depth is bounded when types are made. */
static bool eq_below(struct eq_cx *cx, struct path_step step, const struct hf_type *a,
                     const struct hf_type *b)
{
    HF_ASSERT(cx->n_path < HF_ARRAY_LEN(cx->path));
    cx->path[cx->n_path++] = step;
    bool same = eq(cx, a, b);
    cx->n_path--;
    return same;
}

static bool eq_members(struct eq_cx *cx, const struct hf_type *a, const struct hf_type *b)
{
    enum step_kind kind = a->kind == HF_T_RECORD                           ? STEP_FIELD
                          : a->kind == HF_T_TUPLE || a->kind > HF_T_BORROW ? STEP_ELEMENT
                                                                           : STEP_CASE;
    uint32_t n = a->kind == HF_T_FIXED_LIST ? 1 : a->n;
    if (a->n != b->n)
        return differ(cx, a, b);
    for (uint32_t i = 0; i < n; i++) {
        const struct hf_member *x = &a->members[i], *y = &b->members[i];
        if (!hf_view_eq(x->name, y->name))
            return differ_names(cx, kind == STEP_FIELD ? "field" : "case", i, x->name, y->name);
        if (!eq_below(cx, (struct path_step){kind, i, x->name}, x->type, y->type))
            return false;
    }
    return true;
}

static bool eq(struct eq_cx *cx, const struct hf_type *a, const struct hf_type *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || a->kind != b->kind || a->is_map != b->is_map)
        return differ(cx, a, b);
    if (a->kind == HF_T_OWN || a->kind == HF_T_BORROW)
        return a->resource == b->resource || differ(cx, a, b);
    if (a->elem == NULL && a->n == 0)
        return true; /* a primitive */

    struct pair *pair = hf_arena_alloc(&cx->arena, sizeof *pair, sizeof(void *));
    if (pair == NULL) {
        cx->lost = true;
        return differ(cx, a, b);
    }
    *pair = (struct pair){a, b};
    struct hf_view key = hf_view(pair, sizeof *pair);
    if (hf_map_get(&cx->seen, key) != NULL)
        return true;
    bool same = a->elem != NULL
                    ? eq_below(cx, (struct path_step){.kind = STEP_LIST}, a->elem, b->elem)
                    : eq_members(cx, a, b);
    /* A pair that cannot be remembered is compared again, that is all. */
    if (same && hf_map_put(&cx->seen, key, pair, NULL) != HF_OK)
        cx->lost = true;
    return same;
}

static void eq_init(struct eq_cx *cx, struct hf_buf *why)
{
    cx->why = why;
    cx->n_path = 0;
    cx->lost = false;
    hf_map_init(&cx->seen, 0);
    hf_arena_init(&cx->arena, 1024, PAIRS_BYTES_MAX);
}

static void eq_done(struct eq_cx *cx)
{
    hf_map_done(&cx->seen);
    hf_arena_done(&cx->arena);
}

bool hf_type_eq(const struct hf_type *a, const struct hf_type *b)
{
    struct eq_cx cx;
    if (a == b)
        return true;
    eq_init(&cx, NULL);
    bool same = eq(&cx, a, b);
    eq_done(&cx);
    return same;
}

static bool eq_params(struct eq_cx *cx, const struct hf_ftype *a, const struct hf_ftype *b,
                      bool names)
{
    if (a->is_async != b->is_async) {
        if (cx->why != NULL)
            tell(cx, a->is_async ? "async is not sync" : "sync is not async");
        return false;
    }
    if (a->n_params != b->n_params) {
        if (cx->why != NULL &&
            hf_buf_printf(cx->why, "%u parameters, not %u", a->n_params, b->n_params) != HF_OK)
            cx->lost = true;
        return false;
    }
    for (uint32_t i = 0; i < a->n_params; i++) {
        const struct hf_member *x = &a->params[i], *y = &b->params[i];
        if (names && !hf_view_eq(x->name, y->name))
            return differ_names(cx, "param", i, x->name, y->name);
        if (!eq_below(cx, (struct path_step){STEP_PARAM, i, x->name}, x->type, y->type))
            return false;
    }
    return true;
}

bool hf_ftype_eq(const struct hf_ftype *a, const struct hf_ftype *b, bool names, struct hf_buf *why)
{
    struct eq_cx cx;
    if (a == b)
        return true;
    eq_init(&cx, why);
    bool same = eq_params(&cx, a, b, names) &&
                eq_below(&cx, (struct path_step){.kind = STEP_RESULT}, a->result, b->result);
    eq_done(&cx);
    return same;
}
