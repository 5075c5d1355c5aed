/* parse.c - the frame of the parser: preamble, sections, scopes, limits, and the readers every
 * section uses.
 *
 * Nested components recurse (bounded by nesting_max); everything else is loops. Errors name the
 * byte of the file.
 */
#include "component/parse_in.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf.h"
#include "base/vec.h"

static const uint8_t component_preamble[8] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};
static const uint8_t module_preamble[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};

struct hf_component_limits hf_component_limits_fill(const struct hf_component_limits *l)
{
    struct hf_component_limits f = {0};
    if (l != NULL)
        f = *l;
    f.nesting_max = f.nesting_max == 0 ? 32 : f.nesting_max;
    f.instances_max = f.instances_max == 0 ? 1000 : f.instances_max;
    f.core_instances_max = f.core_instances_max == 0 ? 1000 : f.core_instances_max;
    f.modules_max = f.modules_max == 0 ? 1000 : f.modules_max;
    f.types_max = f.types_max == 0 ? 100000 : f.types_max;
    if (f.type_depth_max == 0 || f.type_depth_max > HF_TYPE_DEPTH_MAX)
        f.type_depth_max = HF_TYPE_DEPTH_MAX;
    f.items_max = f.items_max == 0 ? 100000 : f.items_max;
    f.bytes_max = f.bytes_max == 0 ? (uint64_t)256 << 20 : f.bytes_max;
    return f;
}

const char *hf_sort_text(enum hf_sort sort)
{
    static const char *const text[] = {
        [HF_SORT_CORE_FUNC] = "core function",
        [HF_SORT_CORE_TABLE] = "core table",
        [HF_SORT_CORE_MEMORY] = "core memory",
        [HF_SORT_CORE_GLOBAL] = "core global",
        [HF_SORT_CORE_TAG] = "core tag",
        [HF_SORT_CORE_TYPE] = "core type",
        [HF_SORT_MODULE] = "core module",
        [HF_SORT_CORE_INSTANCE] = "core instance",
        [HF_SORT_FUNC] = "function",
        [HF_SORT_VALUE] = "value",
        [HF_SORT_TYPE] = "type",
        [HF_SORT_COMPONENT] = "component",
        [HF_SORT_INSTANCE] = "instance",
    };
    HF_ASSERT((size_t)sort < HF_ARRAY_LEN(text));
    return text[sort];
}

enum hf_sort hf_extern_sort(enum hf_externtype_kind kind)
{
    switch (kind) {
    case HF_EXTERN_MODULE: return HF_SORT_MODULE;
    case HF_EXTERN_FUNC: return HF_SORT_FUNC;
    case HF_EXTERN_VALUE: return HF_SORT_VALUE;
    case HF_EXTERN_TYPE_EQ:
    case HF_EXTERN_TYPE_SUB: return HF_SORT_TYPE;
    case HF_EXTERN_COMPONENT: return HF_SORT_COMPONENT;
    case HF_EXTERN_INSTANCE: return HF_SORT_INSTANCE;
    }
    return HF_SORT_COUNT;
}

/* ---- readers ---- */

enum hf_err hf_parse_fail(struct hf_parser *p, const struct hf_reader *r, enum hf_err err,
                          const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return hf_report_set(p->report, err, "%s (at byte %zu)", text, (size_t)(r->at - p->file.ptr));
}

enum hf_err hf_parse_check(struct hf_parser *p, const struct hf_reader *r, const char *what)
{
    if (!r->bad)
        return HF_OK;
    return hf_parse_fail(p, r, HF_INVALID, "%s is malformed or cut off", what);
}

enum hf_err hf_parse_out_of_memory(struct hf_parser *p)
{
    return hf_report_set(p->report, HF_LIMIT,
                         "the component's definitions take more than %zu bytes", p->arena->max);
}

enum hf_err hf_parse_u8(struct hf_parser *p, struct hf_reader *r, const char *what, uint8_t *ret)
{
    *ret = hf_read_u8(r);
    return hf_parse_check(p, r, what);
}

enum hf_err hf_parse_u32(struct hf_parser *p, struct hf_reader *r, const char *what, uint32_t *ret)
{
    *ret = hf_read_leb_u32(r);
    return hf_parse_check(p, r, what);
}

enum hf_err hf_parse_count(struct hf_parser *p, struct hf_reader *r, const char *what,
                           uint32_t *ret)
{
    HF_TRY(hf_parse_u32(p, r, what, ret));
    if (*ret > hf_reader_left(r))
        return hf_parse_fail(p, r, HF_INVALID, "%s: a count of %u in %zu bytes", what, *ret,
                             hf_reader_left(r));
    return HF_OK;
}

enum hf_err hf_parse_name(struct hf_parser *p, struct hf_reader *r, const char *what,
                          struct hf_view *ret)
{
    *ret = hf_read_name(r);
    HF_TRY(hf_parse_check(p, r, what));
    if (!hf_utf8_valid(ret->ptr, ret->len))
        return hf_parse_fail(p, r, HF_INVALID, "%s is not UTF-8", what);
    return HF_OK;
}

enum hf_err hf_parse_index(struct hf_open *o, struct hf_reader *r, enum hf_sort sort, uint32_t *ret)
{
    HF_TRY(hf_parse_u32(o->p, r, hf_sort_text(sort), ret));
    if (*ret >= o->scope->n[sort])
        return hf_parse_fail(o->p, r, HF_INVALID, "%s %u does not exist: there are %u so far",
                             hf_sort_text(sort), *ret, o->scope->n[sort]);
    return HF_OK;
}

enum hf_err hf_parse_flag(struct hf_parser *p, struct hf_reader *r, const char *what, bool *ret)
{
    uint8_t c;
    HF_TRY(hf_parse_u8(p, r, what, &c));
    if (c > 1)
        return hf_parse_fail(p, r, HF_INVALID, "%s: byte 0x%02x is neither 0 nor 1", what, c);
    *ret = c == 1;
    return HF_OK;
}

enum hf_err hf_parse_gate(struct hf_parser *p, const char *text)
{
    for (uint32_t i = 0; i < p->n_gated; i++)
        if (p->gated[i] == text || strcmp(p->gated[i], text) == 0)
            return HF_OK;
    HF_ASSERT(p->n_gated <
              HF_GATED_MAX); /* the texts are constants of the parser: fewer than that */
    p->gated[p->n_gated++] = text;
    return HF_OK;
}

/* ---- scopes ---- */

enum hf_err hf_parse_count_items(struct hf_open *o, const struct hf_reader *r, uint32_t n)
{
    while (o->scope->kind != HF_SCOPE_COMPONENT) /* types count for the component they stand in */
        o = o->outer;
    if (n > o->p->limits.items_max - o->items)
        return hf_parse_fail(o->p, r, HF_LIMIT, "a component defines more than %u items",
                             o->p->limits.items_max);
    o->items += n;
    return HF_OK;
}

enum hf_err hf_parse_add(struct hf_open *o, enum hf_def_kind kind, enum hf_sort sort,
                         struct hf_def **ret)
{
    struct hf_def *def = HF_ARENA_NEW(o->p->arena, struct hf_def);
    if (def == NULL)
        return hf_parse_out_of_memory(o->p);
    def->kind = kind;
    def->sort = sort;
    *o->tail = def;
    o->tail = &def->next;
    o->scope->n_defs++;
    if (sort != HF_SORT_COUNT)
        o->scope->n[sort]++;
    *ret = def;
    return HF_OK;
}

enum hf_err hf_open_scope(struct hf_parser *p, struct hf_open *outer, enum hf_scope_kind kind,
                          const struct hf_reader *r, struct hf_open *ret)
{
    struct hf_scope *scope = HF_ARENA_NEW(p->arena, struct hf_scope);
    if (scope == NULL)
        return hf_parse_out_of_memory(p);
    scope->kind = kind;
    scope->outer = outer == NULL ? NULL : outer->scope;
    *ret = (struct hf_open){.p = p, .outer = outer, .scope = scope};
    /* The list is built through a pointer to its end; readers see it as constant. */
    ret->tail = (struct hf_def **)(void *)&scope->defs;
    if (outer != NULL) {
        ret->component_depth = outer->component_depth;
        ret->type_depth = outer->type_depth;
    }
    if (kind == HF_SCOPE_COMPONENT) {
        p->tree->n_components++;
        if (ret->component_depth++ > p->limits.nesting_max)
            return hf_parse_fail(p, r, HF_LIMIT, "components are nested more than %u deep",
                                 p->limits.nesting_max);
    } else if (ret->type_depth++ >= HF_TYPE_DEPTH_MAX) {
        return hf_parse_fail(p, r, HF_LIMIT,
                             "component and instance types are nested more than %d deep",
                             HF_TYPE_DEPTH_MAX);
    }
    hf_name_set_init(&ret->imports, p->arena);
    hf_name_set_init(&ret->exports, p->arena);
    return HF_OK;
}

void hf_close_scope(struct hf_open *o)
{
    hf_name_set_done(&o->imports);
    hf_name_set_done(&o->exports);
}

/* ---- sections ---- */

enum hf_file_kind hf_file_kind(struct hf_view bytes)
{
    if (bytes.len >= 8 && memcmp(bytes.ptr, component_preamble, 8) == 0)
        return HF_FILE_COMPONENT;
    if (bytes.len >= 8 && memcmp(bytes.ptr, module_preamble, 8) == 0)
        return HF_FILE_MODULE;
    return HF_FILE_OTHER;
}

static enum hf_err read_preamble(struct hf_parser *p, struct hf_reader *r)
{
    struct hf_view v = hf_read_bytes(r, 8);
    if (v.ptr == NULL || memcmp(v.ptr, component_preamble, 4) != 0)
        return hf_parse_fail(p, r, HF_INVALID, "not WebAssembly: the first bytes are not \\0asm");
    if (memcmp(v.ptr, module_preamble, 8) == 0)
        return hf_parse_fail(p, r, HF_INVALID, "a core module where a component was expected");
    if (v.ptr[6] != 1 || v.ptr[7] != 0)
        return hf_parse_fail(p, r, HF_INVALID, "layer %u is not a component's",
                             v.ptr[6] | v.ptr[7] << 8);
    if (memcmp(v.ptr, component_preamble, 8) != 0)
        return hf_parse_fail(p, r, HF_INVALID,
                             "component format version 0x%02x: only 0x0d is known",
                             v.ptr[4] | v.ptr[5] << 8);
    return HF_OK;
}

/* Subsection 0 of a "component-name" section is the component's own name. It is for messages:
 * whatever is wrong with it is passed over (1.1: custom sections never fail). */
static void read_custom(struct hf_open *o, struct hf_reader r)
{
    struct hf_view name = hf_read_name(&r);
    if (r.bad || !hf_view_eq_text(name, "component-name"))
        return;
    if (hf_read_u8(&r) != 0)
        return;
    hf_read_leb_u32(&r);
    name = hf_read_name(&r);
    if (!r.bad && hf_utf8_valid(name.ptr, name.len))
        o->scope->name = name;
}

static enum hf_err read_module(struct hf_open *o, struct hf_reader *r)
{
    struct hf_parser *p = o->p;
    struct hf_def *def;
    struct hf_view body = hf_read_bytes(r, hf_reader_left(r));
    if (hf_file_kind(body) != HF_FILE_MODULE)
        return hf_parse_fail(p, r, HF_INVALID, "a core module section does not hold a core module");
    if (p->modules.len >= p->limits.modules_max)
        return hf_parse_fail(p, r, HF_LIMIT, "more than %u core modules", p->limits.modules_max);
    HF_TRY(hf_parse_add(o, HF_DEF_MODULE, HF_SORT_MODULE, &def));
    def->module.number = (uint32_t)p->modules.len;
    if (!HF_VEC_PUSH(&p->modules, body))
        return hf_report_set(p->report, HF_LIMIT, "out of memory");
    return HF_OK;
}

static enum hf_err parse_component(struct hf_parser *p, struct hf_open *outer, struct hf_reader *r,
                                   const struct hf_scope **ret);

static enum hf_err read_nested(struct hf_open *o, struct hf_reader *r)
{
    struct hf_def *def;
    const struct hf_scope *scope;
    HF_TRY(parse_component(o->p, o, r, &scope));
    HF_TRY(hf_parse_add(o, HF_DEF_COMPONENT, HF_SORT_COMPONENT, &def));
    def->component = scope;
    return HF_OK;
}

typedef enum hf_err (*element_fn)(struct hf_open *o, struct hf_reader *r);
static const struct section {
    const char *name;
    element_fn read;
    bool vec; /* a count, then that many elements */
} sections[] = {
    {"custom section", NULL, false},
    {"core module section", read_module, false},
    {"core instance section", hf_parse_core_instance, true},
    {"core type section", hf_parse_core_type, true},
    {"component section", read_nested, false},
    {"instance section", hf_parse_instance, true},
    {"alias section", hf_parse_alias, true},
    {"type section", hf_parse_type, true},
    {"canon section", hf_parse_canon, true},
    {"start section", hf_parse_start, false},
    {"import section", hf_parse_import, true},
    {"export section", hf_parse_export, true},
    {"value section", hf_parse_value, true},
};

static enum hf_err read_section(struct hf_open *o, const struct section *s, struct hf_reader *r)
{
    uint32_t n = 1;
    if (s->vec)
        HF_TRY(hf_parse_count(o->p, r, s->name, &n));
    for (uint32_t i = 0; i < n; i++)
        HF_TRY(s->read(o, r));
    if (hf_reader_left(r) != 0)
        return hf_parse_fail(o->p, r, HF_INVALID, "%s: %zu bytes too many", s->name,
                             hf_reader_left(r));
    return HF_OK;
}

static enum hf_err read_sections(struct hf_open *o, struct hf_reader *r)
{
    while (hf_reader_left(r) != 0) {
        uint8_t id;
        uint32_t size;
        HF_TRY(hf_parse_u8(o->p, r, "a section", &id));
        if (id >= HF_ARRAY_LEN(sections))
            return hf_parse_fail(o->p, r, HF_INVALID, "section %u does not exist", id);
        HF_TRY(hf_parse_u32(o->p, r, sections[id].name, &size));
        struct hf_view body = hf_read_bytes(r, size);
        HF_TRY(hf_parse_check(o->p, r, sections[id].name));
        struct hf_reader inner = hf_reader(body);
        if (id == 0)
            read_custom(o, inner);
        else
            HF_TRY(read_section(o, &sections[id], &inner));
    }
    return HF_OK;
}

static enum hf_err parse_component(struct hf_parser *p, struct hf_open *outer, struct hf_reader *r,
                                   const struct hf_scope **ret)
{
    struct hf_open o;
    HF_TRY(read_preamble(p, r));
    HF_TRY(hf_open_scope(p, outer, HF_SCOPE_COMPONENT, r, &o));
    enum hf_err err = read_sections(&o, r);
    hf_close_scope(&o);
    *ret = o.scope;
    return err;
}

enum hf_err hf_parse(struct hf_arena *arena, struct hf_view bytes,
                     const struct hf_component_limits *l, const struct hf_tree **ret,
                     struct hf_report *report)
{
    struct hf_parser p = {
        .arena = arena, .limits = hf_component_limits_fill(l), .report = report, .file = bytes};
    if (bytes.len > p.limits.bytes_max)
        return hf_report_set(report, HF_LIMIT,
                             "the file has %zu bytes: more than %llu are not taken", bytes.len,
                             (unsigned long long)p.limits.bytes_max);
    p.tree = HF_ARENA_NEW(arena, struct hf_tree);
    if (p.tree == NULL)
        return hf_parse_out_of_memory(&p);

    struct hf_reader r = hf_reader(bytes);
    enum hf_err err = parse_component(&p, NULL, &r, &p.tree->root);
    if (err == HF_OK) {
        struct hf_view *modules = hf_arena_array(arena, p.modules.len + 1, sizeof *modules);
        const char **gated = hf_arena_array(arena, p.n_gated + 1, sizeof *gated);
        if (modules == NULL || gated == NULL) {
            err = hf_parse_out_of_memory(&p);
        } else {
            if (p.modules.len != 0)
                memcpy(modules, p.modules.ptr, p.modules.len * sizeof *modules);
            memcpy(gated, p.gated, p.n_gated * sizeof *gated);
            p.tree->modules = modules;
            p.tree->n_modules = (uint32_t)p.modules.len;
            p.tree->gated = gated;
            p.tree->n_gated = p.n_gated;
            *ret = p.tree;
        }
    }
    HF_VEC_DONE(&p.modules);
    return err;
}
