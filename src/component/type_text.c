/* type_text.c - types as WIT-like text, for messages and for inspect.
 *
 * A named type is printed by its name inside another; the type asked for is always spelled out.
 * Text is cut with
 * "..." after TEXT_MAX bytes: a type is a graph whose text can be exponentially larger than it.
 */
#include "component/types.h"

#include <stdio.h>

#define TEXT_MAX 4096

const char *hf_type_kind_text(enum hf_type_kind kind)
{
    static const char *const text[] = {
        [HF_T_BOOL] = "bool",
        [HF_T_S8] = "s8",
        [HF_T_U8] = "u8",
        [HF_T_S16] = "s16",
        [HF_T_U16] = "u16",
        [HF_T_S32] = "s32",
        [HF_T_U32] = "u32",
        [HF_T_S64] = "s64",
        [HF_T_U64] = "u64",
        [HF_T_F32] = "f32",
        [HF_T_F64] = "f64",
        [HF_T_CHAR] = "char",
        [HF_T_STRING] = "string",
        [HF_T_LIST] = "list",
        [HF_T_RECORD] = "record",
        [HF_T_TUPLE] = "tuple",
        [HF_T_VARIANT] = "variant",
        [HF_T_ENUM] = "enum",
        [HF_T_OPTION] = "option",
        [HF_T_RESULT] = "result",
        [HF_T_FLAGS] = "flags",
        [HF_T_OWN] = "own",
        [HF_T_BORROW] = "borrow",
        [HF_T_FIXED_LIST] = "list of fixed length",
        [HF_T_STREAM] = "stream",
        [HF_T_FUTURE] = "future",
        [HF_T_ERROR_CONTEXT] = "error-context",
    };
    HF_ASSERT((size_t)kind < HF_ARRAY_LEN(text));
    return text[kind];
}

struct text_cx {
    struct hf_buf *buf;
    size_t end; /* past this length nothing is added */
    bool cut;
    enum hf_err err;
};

static void put(struct text_cx *cx, struct hf_view v)
{
    if (cx->err != HF_OK || cx->cut)
        return;
    if (cx->buf->len + v.len > cx->end) {
        cx->cut = true;
        v = HF_VIEW("...");
    }
    cx->err = hf_buf_add_view(cx->buf, v);
}

static void put_text(struct text_cx *cx, const char *text)
{
    put(cx, hf_view_of(text));
}

static void put_type(struct text_cx *cx, const struct hf_type *t, bool spell_out);

static void put_or_hole(struct text_cx *cx, const struct hf_type *t)
{
    if (t == NULL)
        put_text(cx, "_");
    else
        put_type(cx, t, false);
}

static void put_braced(struct text_cx *cx, const struct hf_type *t)
{
    put_text(cx, hf_type_kind_text(t->kind));
    put_text(cx, " { ");
    for (uint32_t i = 0; i < t->n && !cx->cut; i++) {
        const struct hf_member *m = &t->members[i];
        if (i != 0)
            put_text(cx, ", ");
        put(cx, m->name);
        if (t->kind == HF_T_RECORD) {
            put_text(cx, ": ");
            put_type(cx, m->type, false);
        } else if (m->type != NULL) {
            put_text(cx, "(");
            put_type(cx, m->type, false);
            put_text(cx, ")");
        }
    }
    put_text(cx, " }");
}

static void put_result(struct text_cx *cx, const struct hf_type *t)
{
    const struct hf_type *ok = t->members[0].type, *error = t->members[1].type;
    put_text(cx, "result");
    if (ok == NULL && error == NULL)
        return;
    put_text(cx, "<");
    put_or_hole(cx, ok);
    if (error != NULL) {
        put_text(cx, ", ");
        put_type(cx, error, false);
    }
    put_text(cx, ">");
}

static void put_tuple(struct text_cx *cx, const struct hf_type *t)
{
    put_text(cx, "tuple<");
    for (uint32_t i = 0; i < t->n && !cx->cut; i++) {
        if (i != 0)
            put_text(cx, ", ");
        put_type(cx, t->members[i].type, false);
    }
    put_text(cx, ">");
}

/* Gated ones: "stream<u8>", "list<u8, 4>". */
static void put_gated(struct text_cx *cx, const struct hf_type *t)
{
    char length[16];
    put_text(cx, t->kind == HF_T_FIXED_LIST ? "list" : hf_type_kind_text(t->kind));
    if (t->members[0].type == NULL)
        return;
    put_text(cx, "<");
    put_or_hole(cx, t->members[0].type);
    if (t->kind == HF_T_FIXED_LIST) {
        snprintf(length, sizeof length, ", %u", t->n);
        put_text(cx, length);
    }
    put_text(cx, ">");
}

static void put_around(struct text_cx *cx, const char *outer, const struct hf_type *elem)
{
    put_text(cx, outer);
    put_text(cx, "<");
    put_type(cx, elem, false);
    put_text(cx, ">");
}

static void put_map(struct text_cx *cx, const struct hf_type *pair)
{
    put_text(cx, "map<");
    put_type(cx, pair->members[0].type, false);
    put_text(cx, ", ");
    put_type(cx, pair->members[1].type, false);
    put_text(cx, ">");
}

/* Depth is bounded by HF_TYPE_DEPTH_MAX, breadth by the cut. */
static void put_type(struct text_cx *cx, const struct hf_type *t, bool spell_out)
{
    if (cx->cut)
        return;
    if (!spell_out && t->name.len != 0) {
        put(cx, t->name);
        return;
    }
    switch (t->kind) {
    case HF_T_LIST:
        if (t->is_map)
            put_map(cx, t->elem);
        else
            put_around(cx, "list", t->elem);
        break;
    case HF_T_OPTION: put_around(cx, "option", t->members[1].type); break;
    case HF_T_RESULT: put_result(cx, t); break;
    case HF_T_TUPLE: put_tuple(cx, t); break;
    case HF_T_RECORD:
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_FLAGS: put_braced(cx, t); break;
    case HF_T_FIXED_LIST:
    case HF_T_STREAM:
    case HF_T_FUTURE: put_gated(cx, t); break;
    case HF_T_OWN: put(cx, t->resource->name); break;
    case HF_T_BORROW:
        put_text(cx, "borrow<");
        put(cx, t->resource->name);
        put_text(cx, ">");
        break;
    default: put_text(cx, hf_type_kind_text(t->kind)); break;
    }
}

static struct text_cx text_cx(struct hf_buf *buf)
{
    return (struct text_cx){.buf = buf, .end = buf->len + TEXT_MAX, .err = HF_OK};
}

enum hf_err hf_type_text(const struct hf_type *t, struct hf_buf *ret)
{
    struct text_cx cx = text_cx(ret);
    put_type(&cx, t, true);
    return cx.err;
}

enum hf_err hf_ftype_text(const struct hf_ftype *t, struct hf_buf *ret)
{
    struct text_cx cx = text_cx(ret);
    put_text(&cx, t->is_async ? "async func(" : "func(");
    for (uint32_t i = 0; i < t->n_params && !cx.cut; i++) {
        if (i != 0)
            put_text(&cx, ", ");
        put(&cx, t->params[i].name);
        put_text(&cx, ": ");
        put_type(&cx, t->params[i].type, false);
    }
    put_text(&cx, ")");
    if (t->result != NULL) {
        put_text(&cx, " -> ");
        put_type(&cx, t->result, false);
    }
    return cx.err;
}
