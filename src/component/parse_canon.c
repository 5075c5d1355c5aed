/* parse_canon.c - canon definitions (reference 1.6): lift, lower, resource.*; the rest decoded and
 * refused by name.
 *
 * The gated ones are a table: name and the shape of their immediates, so that a file of a newer
 * toolchain is told everything that it uses, and bytes that are none of this are told apart from
 * it.
 */
#include "component/parse_in.h"

/* Immediates, in order:
 *   t type   o options   a,c,s one flag byte (async, cancellable, shared)   m memory   r result
 * list v core value type   u u32   k core type   b core table */
static const struct gated {
    uint8_t code;
    const char *shape;
    const char *text;
} gated[] = {
    {0x05, "", "task.cancel (async, WASI 0.3)"},
    {0x06, "a", "subtask.cancel (async, WASI 0.3)"},
    {0x09, "ro", "task.return (async, WASI 0.3)"},
    {0x0a, "vu", "context.get (async, WASI 0.3)"},
    {0x0b, "vu", "context.set (async, WASI 0.3)"},
    {0x0c, "c", "thread.yield (async, WASI 0.3)"},
    {0x0d, "", "subtask.drop (async, WASI 0.3)"},
    {0x0e, "t", "stream.new (async, WASI 0.3)"},
    {0x0f, "to", "stream.read (async, WASI 0.3)"},
    {0x10, "to", "stream.write (async, WASI 0.3)"},
    {0x11, "ta", "stream.cancel-read (async, WASI 0.3)"},
    {0x12, "ta", "stream.cancel-write (async, WASI 0.3)"},
    {0x13, "t", "stream.drop-readable (async, WASI 0.3)"},
    {0x14, "t", "stream.drop-writable (async, WASI 0.3)"},
    {0x15, "t", "future.new (async, WASI 0.3)"},
    {0x16, "to", "future.read (async, WASI 0.3)"},
    {0x17, "to", "future.write (async, WASI 0.3)"},
    {0x18, "ta", "future.cancel-read (async, WASI 0.3)"},
    {0x19, "ta", "future.cancel-write (async, WASI 0.3)"},
    {0x1a, "t", "future.drop-readable (async, WASI 0.3)"},
    {0x1b, "t", "future.drop-writable (async, WASI 0.3)"},
    {0x1c, "o", "error-context.new (async, WASI 0.3)"},
    {0x1d, "o", "error-context.debug-message (async, WASI 0.3)"},
    {0x1e, "", "error-context.drop (async, WASI 0.3)"},
    {0x1f, "", "waitable-set.new (async, WASI 0.3)"},
    {0x20, "cm", "waitable-set.wait (async, WASI 0.3)"},
    {0x21, "cm", "waitable-set.poll (async, WASI 0.3)"},
    {0x22, "", "waitable-set.drop (async, WASI 0.3)"},
    {0x23, "", "waitable.join (async, WASI 0.3)"},
    {0x24, "", "backpressure.inc (async, WASI 0.3)"},
    {0x25, "", "backpressure.dec (async, WASI 0.3)"},
    {0x26, "", "thread.index (threads)"},
    {0x27, "kb", "thread.new-indirect (threads)"},
    {0x28, "", "thread.resume-later (threads)"},
    {0x29, "c", "thread.suspend (threads)"},
    {0x2a, "c", "thread.suspend-then-resume (threads)"},
    {0x2b, "c", "thread.yield-then-resume (threads)"},
    {0x2c, "c", "thread.suspend-then-promote (threads)"},
    {0x2d, "c", "thread.yield-then-promote (threads)"},
    {0x40, "sk", "thread.spawn-ref (shared threads)"},
    {0x41, "skb", "thread.spawn-indirect (shared threads)"},
    {0x42, "s", "thread.available-parallelism (shared threads)"},
};

enum opt {
    OPT_ENC,
    OPT_MEMORY,
    OPT_REALLOC,
    OPT_POST_RETURN,
    OPT_ASYNC,
    OPT_CALLBACK,
    OPT_CORE_TYPE,
    OPT_GC
};

/* Each option at most once (the three encodings are one). */
static enum hf_err once(struct hf_open *o, const struct hf_reader *r, unsigned *seen, enum opt opt)
{
    if (*seen & (1u << opt))
        return hf_parse_fail(o->p, r, HF_INVALID, "a canon option stands twice");
    *seen |= 1u << opt;
    return HF_OK;
}

static enum hf_err read_opt(struct hf_open *o, struct hf_reader *r, struct hf_opts_def *ret,
                            unsigned *seen)
{
    struct hf_parser *p = o->p;
    uint32_t index;
    uint8_t c;
    HF_TRY(hf_parse_u8(p, r, "a canon option", &c));
    switch (c) {
    case 0x00:
    case 0x01:
    case 0x02:
        ret->enc = c == 0 ? HF_ENC_UTF8 : c == 1 ? HF_ENC_UTF16 : HF_ENC_LATIN1_UTF16;
        return once(o, r, seen, OPT_ENC);
    case 0x03:
        HF_TRY(once(o, r, seen, OPT_MEMORY));
        return hf_parse_index(o, r, HF_SORT_CORE_MEMORY, &ret->memory);
    case 0x04:
        HF_TRY(once(o, r, seen, OPT_REALLOC));
        return hf_parse_index(o, r, HF_SORT_CORE_FUNC, &ret->realloc);
    case 0x05:
        HF_TRY(once(o, r, seen, OPT_POST_RETURN));
        return hf_parse_index(o, r, HF_SORT_CORE_FUNC, &ret->post_return);
    case 0x06:
        HF_TRY(once(o, r, seen, OPT_ASYNC));
        return hf_parse_gate(p, "canon option async (WASI 0.3)");
    case 0x07:
        HF_TRY(once(o, r, seen, OPT_CALLBACK));
        HF_TRY(hf_parse_gate(p, "canon option callback (async, WASI 0.3)"));
        return hf_parse_index(o, r, HF_SORT_CORE_FUNC, &index);
    case 0x08:
        HF_TRY(once(o, r, seen, OPT_CORE_TYPE));
        HF_TRY(hf_parse_gate(p, "canon option core-type (garbage collection)"));
        return hf_parse_index(o, r, HF_SORT_CORE_TYPE, &index);
    case 0x09:
        HF_TRY(once(o, r, seen, OPT_GC));
        return hf_parse_gate(p, "canon option gc (garbage collection)");
    default: return hf_parse_fail(p, r, HF_INVALID, "canon option 0x%02x does not exist", c);
    }
}

static enum hf_err read_opts(struct hf_open *o, struct hf_reader *r, struct hf_opts_def *ret)
{
    unsigned seen = 0;
    uint32_t n;
    *ret = (struct hf_opts_def){.enc = HF_ENC_UTF8,
                                .memory = HF_NO_INDEX,
                                .realloc = HF_NO_INDEX,
                                .post_return = HF_NO_INDEX};
    HF_TRY(hf_parse_count(o->p, r, "canon options", &n));
    for (uint32_t i = 0; i < n; i++)
        HF_TRY(read_opt(o, r, ret, &seen));
    if (ret->realloc != HF_NO_INDEX && ret->memory == HF_NO_INDEX && !(seen & (1u << OPT_GC)))
        return hf_parse_fail(o->p, r, HF_INVALID, "canon option realloc without memory");
    return HF_OK;
}

static enum hf_err read_result_list(struct hf_open *o, struct hf_reader *r)
{
    struct hf_valtype t;
    bool none;
    uint8_t c;
    HF_TRY(hf_parse_flag(o->p, r, "a result list", &none));
    if (!none)
        return hf_parse_valtype(o, r, &t);
    HF_TRY(hf_parse_u8(o->p, r, "a result list", &c));
    if (c != 0)
        return hf_parse_fail(o->p, r, HF_INVALID, "named results: not in this format any more");
    return HF_OK;
}

static enum hf_err read_immediate(struct hf_open *o, struct hf_reader *r, char shape)
{
    struct hf_opts_def opts;
    uint32_t n;
    bool flag;
    switch (shape) {
    case 't': return hf_parse_index(o, r, HF_SORT_TYPE, &n);
    case 'o': return read_opts(o, r, &opts);
    case 'm': return hf_parse_index(o, r, HF_SORT_CORE_MEMORY, &n);
    case 'r': return read_result_list(o, r);
    case 'v': return hf_parse_core_valtype(o->p, r);
    case 'u': return hf_parse_u32(o->p, r, "a canon definition", &n);
    case 'k': return hf_parse_index(o, r, HF_SORT_CORE_TYPE, &n);
    case 'b': return hf_parse_index(o, r, HF_SORT_CORE_TABLE, &n);
    default: return hf_parse_flag(o->p, r, "a canon definition", &flag);
    }
}

static enum hf_err read_gated(struct hf_open *o, struct hf_reader *r, uint8_t code)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(gated); i++) {
        struct hf_def *def;
        if (gated[i].code != code)
            continue;
        HF_TRY(hf_parse_gate(o->p, gated[i].text));
        for (const char *s = gated[i].shape; *s != '\0'; s++)
            HF_TRY(read_immediate(o, r, *s));
        return hf_parse_add(o, HF_DEF_GATED, HF_SORT_CORE_FUNC, &def);
    }
    return hf_parse_fail(o->p, r, HF_INVALID, "canon definition 0x%02x does not exist", code);
}

/* The byte behind lift and lower: the sort of what they make. */
static enum hf_err read_func_sort(struct hf_open *o, struct hf_reader *r)
{
    uint8_t c;
    HF_TRY(hf_parse_u8(o->p, r, "a canon definition", &c));
    if (c != 0)
        return hf_parse_fail(o->p, r, HF_INVALID, "canon lift or lower of sort 0x%02x", c);
    return HF_OK;
}

enum hf_err hf_parse_canon(struct hf_open *o, struct hf_reader *r)
{
    struct hf_def d = {0}, *def;
    enum hf_sort sort = HF_SORT_CORE_FUNC;
    enum hf_def_kind kind;
    uint8_t c;

    HF_TRY(hf_parse_count_items(o, r, 1));
    HF_TRY(hf_parse_u8(o->p, r, "a canon definition", &c));
    switch (c) {
    case 0x00:
        HF_TRY(read_func_sort(o, r));
        HF_TRY(hf_parse_index(o, r, HF_SORT_CORE_FUNC, &d.canon.func));
        HF_TRY(read_opts(o, r, &d.canon.opts));
        HF_TRY(hf_parse_index(o, r, HF_SORT_TYPE, &d.canon.type));
        kind = HF_DEF_LIFT;
        sort = HF_SORT_FUNC;
        break;
    case 0x01:
        HF_TRY(read_func_sort(o, r));
        HF_TRY(hf_parse_index(o, r, HF_SORT_FUNC, &d.canon.func));
        HF_TRY(read_opts(o, r, &d.canon.opts));
        if (d.canon.opts.post_return != HF_NO_INDEX)
            return hf_parse_fail(o->p, r, HF_INVALID, "canon lower with a post-return");
        kind = HF_DEF_LOWER;
        break;
    case 0x02:
    case 0x03:
    case 0x04:
        HF_TRY(hf_parse_index(o, r, HF_SORT_TYPE, &d.canon.type));
        kind = c == 2 ? HF_DEF_RESOURCE_NEW : c == 3 ? HF_DEF_RESOURCE_DROP : HF_DEF_RESOURCE_REP;
        break;
    default: return read_gated(o, r, c);
    }
    HF_TRY(hf_parse_add(o, kind, sort, &def));
    def->canon = d.canon;
    return HF_OK;
}
