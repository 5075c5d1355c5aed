/* parse_type.c - type definitions and the declarations inside component and instance types
 * (reference 1.5).
 *
 * Gated constructors are decoded like the others, noted as gated, and kept: inspect shows them.
 */
#include "component/parse_in.h"

/* Negative s33: a primitive's byte, else an index (1.1). */
static bool prim_of(uint8_t c, enum hf_type_kind *ret)
{
    static const enum hf_type_kind kinds[] = {
        HF_T_STRING, HF_T_CHAR, HF_T_F64, HF_T_F32, HF_T_U64, HF_T_S64, HF_T_U32,
        HF_T_S32,    HF_T_U16,  HF_T_S16, HF_T_U8,  HF_T_S8,  HF_T_BOOL}; /* from 0x73 to 0x7f */
    if (c >= 0x73 && c <= 0x7f)
        *ret = kinds[c - 0x73];
    else if (c == 0x64)
        *ret = HF_T_ERROR_CONTEXT;
    else
        return false;
    return true;
}

enum hf_err hf_parse_valtype(struct hf_open *o, struct hf_reader *r, struct hf_valtype *ret)
{
    *ret = (struct hf_valtype){.index = HF_NO_INDEX};
    int64_t n = hf_read_leb_s33(r);
    HF_TRY(hf_parse_check(o->p, r, "a value type"));
    if (n < 0) {
        if (n < -64 || !prim_of((uint8_t)(n & 0x7f), &ret->prim))
            return hf_parse_fail(o->p, r, HF_INVALID, "value type 0x%02x does not exist",
                                 (unsigned)(n & 0x7f));
        if (ret->prim == HF_T_ERROR_CONTEXT)
            return hf_parse_gate(o->p, "type error-context (async, WASI 0.3)");
        return HF_OK;
    }
    if (n >= (int64_t)o->scope->n[HF_SORT_TYPE])
        return hf_parse_fail(o->p, r, HF_INVALID, "type %llu does not exist: there are %u so far",
                             (unsigned long long)n, o->scope->n[HF_SORT_TYPE]);
    ret->index = (uint32_t)n;
    return HF_OK;
}

static enum hf_err read_optional(struct hf_open *o, struct hf_reader *r, struct hf_valtype *ret)
{
    bool there;
    HF_TRY(hf_parse_flag(o->p, r, "an optional type", &there));
    if (there)
        return hf_parse_valtype(o, r, ret);
    *ret = (struct hf_valtype){.none = true, .index = HF_NO_INDEX};
    return HF_OK;
}

static struct hf_label_def *new_parts(struct hf_open *o, struct hf_typedef *t, uint32_t n)
{
    struct hf_label_def *parts = hf_arena_array(o->p->arena, (size_t)n + 1, sizeof *parts);
    t->parts = parts;
    t->n = n;
    return parts;
}

/* How the elements of a vec look. */
enum { LABEL = 1, TYPE = 2, CASE = 4 };

static enum hf_err read_part(struct hf_open *o, struct hf_reader *r, unsigned shape,
                             const char *what, struct hf_name_set *names, struct hf_label_def *ret)
{
    struct hf_parser *p = o->p;
    uint8_t refines;
    ret->type = (struct hf_valtype){.none = true, .index = HF_NO_INDEX};
    if (shape & LABEL) {
        HF_TRY(hf_parse_name(p, r, what, &ret->name));
        if (!hf_label_ok(ret->name))
            return hf_parse_fail(p, r, HF_INVALID, "%s: \"%.*s\" is not a kebab-case label", what,
                                 HF_FMT(ret->name));
        HF_TRY(hf_name_set_add(names, ret->name, true, p->report));
    }
    if (shape & TYPE)
        HF_TRY(hf_parse_valtype(o, r, &ret->type));
    if (shape & CASE) {
        HF_TRY(read_optional(o, r, &ret->type));
        HF_TRY(hf_parse_u8(p, r, what, &refines));
        if (refines != 0)
            return hf_parse_fail(p, r, HF_INVALID,
                                 "a case that refines another: not in this format any more");
    }
    return HF_OK;
}

static enum hf_err read_parts(struct hf_open *o, struct hf_reader *r, struct hf_typedef *t,
                              unsigned shape, bool may_be_empty, const char *what)
{
    struct hf_parser *p = o->p;
    struct hf_name_set names;
    enum hf_err err = HF_OK;
    uint32_t n;

    HF_TRY(hf_parse_count(p, r, what, &n));
    if (n == 0 && !may_be_empty)
        return hf_parse_fail(p, r, HF_INVALID, "%s: there must be one at least", what); /* S7 */
    struct hf_label_def *parts = new_parts(o, t, n);
    if (parts == NULL)
        return hf_parse_out_of_memory(p);
    hf_name_set_init(&names, p->arena);
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        err = read_part(o, r, shape, what, &names, &parts[i]);
    hf_name_set_done(&names);
    return err;
}

/* One or two types without labels. */
static enum hf_err read_types(struct hf_open *o, struct hf_reader *r, struct hf_typedef *t,
                              uint32_t n, bool optional)
{
    struct hf_label_def *parts = new_parts(o, t, n);
    if (parts == NULL)
        return hf_parse_out_of_memory(o->p);
    for (uint32_t i = 0; i < n; i++)
        HF_TRY(optional ? read_optional(o, r, &parts[i].type)
                        : hf_parse_valtype(o, r, &parts[i].type));
    return HF_OK;
}

static enum hf_err read_flags(struct hf_open *o, struct hf_reader *r, struct hf_typedef *t)
{
    HF_TRY(read_parts(o, r, t, LABEL, false, "labels of flags"));
    if (t->n > 32)
        return hf_parse_fail(o->p, r, HF_INVALID, "flags with %u labels: at most 32 are allowed",
                             t->n);
    return HF_OK;
}

static enum hf_err read_fixed_list(struct hf_open *o, struct hf_reader *r, struct hf_typedef *t)
{
    HF_TRY(hf_parse_gate(o->p, "type list of fixed length"));
    HF_TRY(read_types(o, r, t, 1, false));
    HF_TRY(hf_parse_u32(o->p, r, "length of a list", &t->length));
    if (t->length == 0)
        return hf_parse_fail(o->p, r, HF_INVALID, "a list of fixed length 0");
    return HF_OK;
}

static enum hf_err read_func(struct hf_open *o, struct hf_reader *r, struct hf_typedef *t)
{
    uint8_t c;
    t->kind = HF_TYPEDEF_FUNC;
    if (t->is_async)
        HF_TRY(hf_parse_gate(o->p, "async function types (WASI 0.3)"));
    HF_TRY(read_parts(o, r, t, LABEL | TYPE, true, "parameters of a function"));
    HF_TRY(hf_parse_u8(o->p, r, "result of a function", &c));
    if (c == 0)
        return hf_parse_valtype(o, r, &t->result);
    if (c != 1)
        return hf_parse_fail(o->p, r, HF_INVALID, "result kind 0x%02x does not exist", c);
    HF_TRY(hf_parse_u8(o->p, r, "result of a function", &c));
    if (c != 0)
        return hf_parse_fail(o->p, r, HF_INVALID, "named results: not in this format any more");
    t->result = (struct hf_valtype){.none = true, .index = HF_NO_INDEX};
    return HF_OK;
}

static enum hf_err read_resource(struct hf_open *o, struct hf_reader *r, struct hf_typedef *t)
{
    bool has_dtor;
    uint8_t rep;
    t->kind = HF_TYPEDEF_RESOURCE;
    t->dtor = HF_NO_INDEX;
    if (o->scope->kind != HF_SCOPE_COMPONENT)
        return hf_parse_fail(o->p, r, HF_INVALID, "a resource defined inside a type");
    HF_TRY(hf_parse_u8(o->p, r, "representation of a resource", &rep));
    if (rep == 0x7e)
        HF_TRY(hf_parse_gate(o->p, "resources represented by i64 (memory64)"));
    else if (rep != 0x7f)
        return hf_parse_fail(o->p, r, HF_INVALID, "a resource is represented by i32, not by 0x%02x",
                             rep);
    HF_TRY(hf_parse_flag(o->p, r, "destructor of a resource", &has_dtor));
    if (has_dtor)
        return hf_parse_index(o, r, HF_SORT_CORE_FUNC, &t->dtor);
    return HF_OK;
}

/* ---- component and instance types ---- */

static enum hf_err read_decl(struct hf_open *o, struct hf_reader *r)
{
    uint8_t c;
    HF_TRY(hf_parse_u8(o->p, r, "a declaration", &c));
    switch (c) {
    case 0x00: return hf_parse_core_type(o, r);
    case 0x01: return hf_parse_type(o, r);
    case 0x02: return hf_parse_alias(o, r);
    case 0x03:
        if (o->scope->kind == HF_SCOPE_COMPONENT_TYPE)
            return hf_parse_import(o, r);
        return hf_parse_fail(o->p, r, HF_INVALID, "an import in an instance type");
    case 0x04: return hf_parse_export_decl(o, r);
    default: return hf_parse_fail(o->p, r, HF_INVALID, "declaration 0x%02x does not exist", c);
    }
}

static enum hf_err read_scope(struct hf_open *outer, struct hf_reader *r, struct hf_typedef *t)
{
    bool component = t->kind == HF_TYPEDEF_COMPONENT;
    const char *what =
        component ? "declarations of a component type" : "declarations of an instance type";
    struct hf_open o;
    uint32_t n;

    HF_TRY(hf_parse_count(outer->p, r, what, &n));
    HF_TRY(hf_open_scope(outer->p, outer,
                         component ? HF_SCOPE_COMPONENT_TYPE : HF_SCOPE_INSTANCE_TYPE, r, &o));
    enum hf_err err = HF_OK;
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        err = read_decl(&o, r);
    hf_close_scope(&o);
    t->scope = o.scope;
    return err;
}

/* ---- one definition ---- */

static enum hf_err read_def(struct hf_open *o, struct hf_reader *r, struct hf_typedef *t)
{
    struct hf_parser *p = o->p;
    uint8_t c;
    HF_TRY(hf_parse_u8(p, r, "a type", &c));
    t->kind = HF_TYPEDEF_VALUE;
    if (prim_of(c, &t->value))
        return c == 0x64 ? hf_parse_gate(p, "type error-context (async, WASI 0.3)") : HF_OK;
    switch (c) {
    case 0x72:
        t->value = HF_T_RECORD;
        return read_parts(o, r, t, LABEL | TYPE, false, "fields of a record");
    case 0x71:
        t->value = HF_T_VARIANT;
        return read_parts(o, r, t, LABEL | CASE, false, "cases of a variant");
    case 0x70: t->value = HF_T_LIST; return read_types(o, r, t, 1, false);
    case 0x6f:
        t->value = HF_T_TUPLE;
        return read_parts(o, r, t, TYPE, false, "elements of a tuple");
    case 0x6e: t->value = HF_T_FLAGS; return read_flags(o, r, t);
    case 0x6d: t->value = HF_T_ENUM; return read_parts(o, r, t, LABEL, false, "labels of an enum");
    case 0x6b: t->value = HF_T_OPTION; return read_types(o, r, t, 1, false);
    case 0x6a: t->value = HF_T_RESULT; return read_types(o, r, t, 2, true);
    case 0x69: t->value = HF_T_OWN; return hf_parse_index(o, r, HF_SORT_TYPE, &t->length);
    case 0x68: t->value = HF_T_BORROW; return hf_parse_index(o, r, HF_SORT_TYPE, &t->length);
    case 0x67: t->value = HF_T_FIXED_LIST; return read_fixed_list(o, r, t);
    case 0x66:
        t->value = HF_T_STREAM;
        HF_TRY(hf_parse_gate(p, "type stream (async, WASI 0.3)"));
        return read_types(o, r, t, 1, true);
    case 0x65:
        t->value = HF_T_FUTURE;
        HF_TRY(hf_parse_gate(p, "type future (async, WASI 0.3)"));
        return read_types(o, r, t, 1, true);
    case 0x63:
        t->is_map = true;
        t->value = HF_T_LIST;
        return read_types(o, r, t, 2, false);
    case 0x43: t->is_async = true; return read_func(o, r, t);
    case 0x40: return read_func(o, r, t);
    case 0x41: t->kind = HF_TYPEDEF_COMPONENT; return read_scope(o, r, t);
    case 0x42: t->kind = HF_TYPEDEF_INSTANCE; return read_scope(o, r, t);
    case 0x3f: return read_resource(o, r, t);
    default: return hf_parse_fail(p, r, HF_INVALID, "type 0x%02x does not exist", c);
    }
}

enum hf_err hf_parse_type(struct hf_open *o, struct hf_reader *r)
{
    struct hf_parser *p = o->p;
    struct hf_def *def;
    struct hf_typedef *t = HF_ARENA_NEW(p->arena, struct hf_typedef);
    if (t == NULL)
        return hf_parse_out_of_memory(p);
    if (++p->tree->n_types > p->limits.types_max)
        return hf_parse_fail(p, r, HF_LIMIT, "more than %u types", p->limits.types_max);
    HF_TRY(read_def(o, r, t));
    HF_TRY(hf_parse_add(o, HF_DEF_TYPE, HF_SORT_TYPE, &def));
    def->type = t;
    return HF_OK;
}
