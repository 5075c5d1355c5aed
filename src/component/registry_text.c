/* registry_text.c - an interface of the embedder's, read from WIT text into the registry.
 *
 * The text is what stands between the braces of `interface x { ... }`: records, variants, enums, flags, `type` aliases, and
 * functions of value types. What WIT has beside that (resources, use, streams, futures, async) is refused by name: an interface
 * with those comes as an encoded package (registry_wit.c). A name must stand before its use.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "component/parse_in.h"
#include "component/registry.h"

#define TEXT_MAX  ((size_t)256 << 10)
#define ITEMS_MAX 1000u
#define PARTS_MAX 256u /* fields, cases, labels, parameters of one */
#define DEPTH_MAX 32u

struct text {
    struct hf_registry *reg;
    struct hf_report *report;
    struct hf_view all;
    size_t at;
    struct hf_iface *iface;
    struct {
        struct hf_named_item *ptr;
        size_t len, cap;
    } items;
    struct hf_member parts[PARTS_MAX]; /* of the innermost list of names, from part_base on */
    uint32_t n_parts;
    uint32_t depth;
};

/* ---- tokens ---- */

static void skip_space(struct text *t)
{
    while (t->at < t->all.len) {
        const char *p = (const char *)t->all.ptr + t->at;
        size_t left = t->all.len - t->at;
        if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n') {
            t->at++;
        } else if (left >= 2 && p[0] == '/' && p[1] == '/') {
            t->at += hf_view_find(hf_view(p, left), '\n');
        } else if (left >= 2 && p[0] == '/' && p[1] == '*') {
            size_t n = 2;
            while (n + 1 < left && !(p[n] == '*' && p[n + 1] == '/'))
                n++;
            t->at += n + 1 < left ? n + 2 : left;
        } else {
            return;
        }
    }
}

static enum hf_err wrong(struct text *t, const char *what)
{
    size_t line = 1, column = 1;
    skip_space(t);
    for (size_t i = 0; i < t->at; i++) {
        column = t->all.ptr[i] == '\n' ? 1 : column + 1;
        line += t->all.ptr[i] == '\n';
    }
    struct hf_view rest = hf_view_take(hf_view_skip(t->all, t->at), 20);
    rest = hf_view_take(rest, hf_view_find(rest, '\n'));
    return hf_report_set(t->report, HF_INVALID, "line %zu, column %zu: %s, found \"%.*s\"", line, column, what, HF_FMT(rest));
}

static enum hf_err no_memory(struct text *t)
{
    return hf_report_set(t->report, HF_LIMIT, "out of memory for the interface");
}

static bool take(struct text *t, const char *token)
{
    struct hf_view v = hf_view_of(token);
    skip_space(t);
    if (!hf_view_starts(hf_view_skip(t->all, t->at), v))
        return false;
    t->at += v.len;
    return true;
}

static enum hf_err must(struct text *t, const char *token)
{
    char what[32] = "expected `";
    if (take(t, token))
        return HF_OK;
    strncat(what, token, 8);
    strcat(what, "`");
    return wrong(t, what);
}

static bool in_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* A word that is no keyword where it stands, or one after `%`. Empty: none is there. */
static struct hf_view word(struct text *t, bool *escaped)
{
    skip_space(t);
    *escaped = t->at < t->all.len && t->all.ptr[t->at] == '%';
    size_t from = t->at + *escaped, to = from;
    while (to < t->all.len && in_word(t->all.ptr[to]))
        to++;
    if (to > from && t->all.ptr[to - 1] == '-' && to < t->all.len && t->all.ptr[to] == '>')
        to--; /* of an arrow */
    t->at = to;
    return hf_view(t->all.ptr + from, to - from);
}

static enum hf_err label(struct text *t, struct hf_view *ret)
{
    size_t at = (skip_space(t), t->at);
    bool escaped;
    *ret = word(t, &escaped);
    if (hf_label_ok(*ret))
        return HF_OK;
    t->at = at;
    return wrong(t, "expected a name (lower-case words joined by `-`)");
}

/* ---- types ---- */

static enum hf_err read_type(struct text *t, const struct hf_type **ret);

static enum hf_err add_part(struct text *t, struct hf_view name, const struct hf_type *type)
{
    if (t->n_parts == PARTS_MAX)
        return hf_report_set(t->report, HF_LIMIT, "more than %u fields, cases or parameters stand inside each other", PARTS_MAX);
    if (name.len > 0) {
        name = hf_arena_copy(&t->reg->arena, name);
        if (name.ptr == NULL)
            return no_memory(t);
    }
    t->parts[t->n_parts++] = (struct hf_member){.name = name, .type = type};
    return HF_OK;
}

/* `_` or a type. */
static enum hf_err read_or_none(struct text *t, const struct hf_type **ret)
{
    *ret = NULL;
    return take(t, "_") ? HF_OK : read_type(t, ret);
}

static enum hf_err compound(struct text *t, enum hf_type_kind kind, uint32_t base, const struct hf_type **ret)
{
    enum hf_err err = hf_type_compound(&t->reg->arena, kind, t->parts + base, t->n_parts - base, ret, t->report);
    t->n_parts = base;
    return err;
}

static enum hf_err read_result(struct text *t, const struct hf_type **ret)
{
    const struct hf_type *ok = NULL, *error = NULL;
    uint32_t base = t->n_parts;
    if (take(t, "<")) {
        HF_TRY(read_or_none(t, &ok));
        if (take(t, ","))
            HF_TRY(read_type(t, &error));
        HF_TRY(must(t, ">"));
    }
    HF_TRY(add_part(t, HF_VIEW("ok"), ok));
    HF_TRY(add_part(t, HF_VIEW("error"), error));
    return compound(t, HF_T_RESULT, base, ret);
}

static enum hf_err read_tuple(struct text *t, const struct hf_type **ret)
{
    uint32_t base = t->n_parts;
    const struct hf_type *type;
    HF_TRY(must(t, "<"));
    do {
        HF_TRY(read_type(t, &type));
        HF_TRY(add_part(t, (struct hf_view){0}, type));
    } while (take(t, ","));
    HF_TRY(must(t, ">"));
    return compound(t, HF_T_TUPLE, base, ret);
}

static enum hf_err read_list(struct text *t, bool option, const struct hf_type **ret)
{
    uint32_t base = t->n_parts;
    const struct hf_type *elem;
    HF_TRY(must(t, "<"));
    HF_TRY(read_type(t, &elem));
    HF_TRY(must(t, ">"));
    if (!option)
        return hf_type_list(&t->reg->arena, elem, ret, t->report);
    HF_TRY(add_part(t, HF_VIEW("some"), elem));
    return compound(t, HF_T_OPTION, base, ret);
}

static const struct hf_named_item *find(const struct text *t, struct hf_view name)
{
    for (size_t i = 0; i < t->items.len; i++)
        if (hf_view_eq(t->items.ptr[i].name, name))
            return &t->items.ptr[i];
    return NULL;
}

static enum hf_err named_type(struct text *t, struct hf_view name, bool escaped, const struct hf_type **ret)
{
    for (enum hf_type_kind kind = HF_T_BOOL; !escaped && kind <= HF_T_STRING; kind++)
        if (hf_view_eq_text(name, hf_type_kind_text(kind))) {
            *ret = hf_type_prim(kind);
            return HF_OK;
        }
    if (!escaped && hf_view_eq_text(name, "list"))
        return read_list(t, false, ret);
    if (!escaped && hf_view_eq_text(name, "option"))
        return read_list(t, true, ret);
    if (!escaped && hf_view_eq_text(name, "result"))
        return read_result(t, ret);
    if (!escaped && hf_view_eq_text(name, "tuple"))
        return read_tuple(t, ret);
    const struct hf_named_item *item = find(t, name);
    if (item == NULL || item->item.sort != HF_SORT_TYPE)
        return HF_NOT_FOUND;
    *ret = item->item.type.value;
    return HF_OK;
}

static enum hf_err read_type(struct text *t, const struct hf_type **ret)
{
    bool escaped;
    size_t at = (skip_space(t), t->at);
    if (++t->depth > DEPTH_MAX)
        return wrong(t, "types stand too deep inside each other");
    struct hf_view name = word(t, &escaped);
    enum hf_err err = named_type(t, name, escaped, ret);
    t->depth--;
    if (err != HF_NOT_FOUND)
        return err;
    t->at = at;
    return wrong(t, "expected a type of values that stands before this (no resources, streams or futures)");
}

/* ---- items ---- */

static enum hf_err add_item(struct text *t, struct hf_view name, const struct hf_item *item)
{
    if (find(t, name) != NULL)
        return hf_report_set(t->report, HF_INVALID, "\"%.*s\" is there twice", HF_FMT(name));
    if (t->items.len == ITEMS_MAX)
        return hf_report_set(t->report, HF_LIMIT, "an interface has at most %u types and functions", ITEMS_MAX);
    struct hf_view copy = hf_arena_copy(&t->reg->arena, name);
    if (copy.ptr == NULL || !HF_VEC_PUSH(&t->items, (struct hf_named_item){copy, *item}))
        return no_memory(t);
    return HF_OK;
}

static enum hf_err add_type(struct text *t, struct hf_view name, const struct hf_type *type)
{
    return add_item(t, name, &(struct hf_item){.sort = HF_SORT_TYPE, .type = {.kind = HF_TYPEVAL_VALUE, .value = type}});
}

/* "{ name: type, ... }" of a record, "{ name(type), ... }" of the others. */
static enum hf_err read_parts(struct text *t, enum hf_type_kind kind)
{
    HF_TRY(must(t, "{"));
    while (!take(t, "}")) {
        struct hf_view name;
        const struct hf_type *type = NULL;
        HF_TRY(label(t, &name));
        if (kind == HF_T_RECORD) {
            HF_TRY(must(t, ":"));
            HF_TRY(read_type(t, &type));
        } else if (kind == HF_T_VARIANT && take(t, "(")) {
            HF_TRY(read_type(t, &type));
            HF_TRY(must(t, ")"));
        }
        for (uint32_t i = 0; i < t->n_parts; i++)
            if (hf_view_eq(t->parts[i].name, name))
                return hf_report_set(t->report, HF_INVALID, "\"%.*s\" is there twice", HF_FMT(name));
        HF_TRY(add_part(t, name, type));
        if (!take(t, ",")) {
            HF_TRY(must(t, "}"));
            break;
        }
    }
    return HF_OK;
}

static enum hf_err read_typedef(struct text *t, enum hf_type_kind kind)
{
    struct hf_view name;
    const struct hf_type *type;
    HF_TRY(label(t, &name));
    HF_TRY(read_parts(t, kind));
    HF_TRY(compound(t, kind, 0, &type));
    struct hf_type *named = HF_ARENA_NEW(&t->reg->arena, struct hf_type);
    if (named == NULL)
        return no_memory(t);
    *named = *type;
    named->name = hf_arena_copy(&t->reg->arena, name);
    return add_type(t, name, named);
}

static enum hf_err read_alias(struct text *t)
{
    struct hf_view name;
    const struct hf_type *type;
    HF_TRY(label(t, &name));
    HF_TRY(must(t, "="));
    HF_TRY(read_type(t, &type));
    HF_TRY(must(t, ";"));
    return add_type(t, name, type);
}

static enum hf_err read_func(struct text *t, struct hf_view name)
{
    const struct hf_type *result = NULL;
    struct hf_ftype *type;
    HF_TRY(must(t, ":"));
    HF_TRY(must(t, "func"));
    HF_TRY(must(t, "("));
    while (!take(t, ")")) {
        struct hf_view param;
        const struct hf_type *value;
        HF_TRY(label(t, &param));
        HF_TRY(must(t, ":"));
        HF_TRY(read_type(t, &value));
        HF_TRY(add_part(t, param, value));
        if (!take(t, ",")) {
            HF_TRY(must(t, ")"));
            break;
        }
    }
    if (take(t, "->"))
        HF_TRY(read_type(t, &result));
    HF_TRY(must(t, ";"));
    HF_TRY(hf_ftype_make(&t->reg->arena, t->parts, t->n_parts, result, &type, t->report));
    t->n_parts = 0;
    struct hf_host_func *func = HF_ARENA_NEW(&t->reg->arena, struct hf_host_func);
    if (func == NULL)
        return no_memory(t);
    *func = (struct hf_host_func){.iface = t->iface->name, .name = hf_arena_copy(&t->reg->arena, name), .type = type};
    return add_item(t, name, &(struct hf_item){.sort = HF_SORT_FUNC, .func = {{.from = HF_FUNC_HOST, .host = func}, type}});
}

static enum hf_err read_item(struct text *t)
{
    static const struct {
        const char *word;
        enum hf_type_kind kind;
    } kinds[] = {{"record", HF_T_RECORD}, {"variant", HF_T_VARIANT}, {"enum", HF_T_ENUM}, {"flags", HF_T_FLAGS}};
    size_t at = (skip_space(t), t->at);
    bool escaped;
    struct hf_view name = word(t, &escaped);
    t->n_parts = 0;
    skip_space(t);
    bool func = t->at < t->all.len && t->all.ptr[t->at] == ':';
    for (size_t i = 0; i < HF_ARRAY_LEN(kinds) && !escaped && !func; i++)
        if (hf_view_eq_text(name, kinds[i].word))
            return read_typedef(t, kinds[i].kind);
    if (!escaped && !func && hf_view_eq_text(name, "type"))
        return read_alias(t);
    t->at = at;
    if (!func)
        return wrong(t, "expected `record`, `variant`, `enum`, `flags`, `type` or a function");
    HF_TRY(label(t, &name));
    return read_func(t, name);
}

/* ---- the interface ---- */

static enum hf_err bind(struct text *t, const struct hf_bound *bound, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct hf_named_item *item = find(t, hf_view_of(bound[i].name));
        if (item == NULL || item->item.sort != HF_SORT_FUNC)
            return hf_report_set(t->report, HF_INVALID, "its text has no function \"%s\"", bound[i].name);
        /* ours: made by read_func, and written by nobody after this */
        struct hf_host_func *func = (struct hf_host_func *)(uintptr_t)item->item.func.def.host;
        if (func->fn != NULL)
            return hf_report_set(t->report, HF_INVALID, "the function \"%s\" is given twice", bound[i].name);
        func->fn = bound[i].fn;
        func->ctx = bound[i].ctx;
    }
    for (size_t i = 0; i < t->items.len; i++)
        if (t->items.ptr[i].item.sort == HF_SORT_FUNC && t->items.ptr[i].item.func.def.host->fn == NULL)
            return hf_report_set(t->report, HF_INVALID, "nothing is given for its function \"%.*s\"", HF_FMT(t->items.ptr[i].name));
    return HF_OK;
}

static enum hf_err name_iface(struct text *t, struct hf_view text)
{
    struct hf_name name;
    struct hf_iface *iface = t->iface = HF_ARENA_NEW(&t->reg->arena, struct hf_iface);
    if (iface == NULL)
        return no_memory(t);
    iface->name = hf_arena_copy(&t->reg->arena, text);
    if (iface->name.ptr == NULL)
        return no_memory(t);
    hf_name_read(iface->name, &name);
    if (name.kind != HF_NAME_INTERFACE)
        return hf_report_set(t->report, HF_INVALID, "this is no interface's name: \"my:package/interface@1.0.0\" is one");
    iface->base = name.base;
    iface->has_version = name.version.len != 0 && hf_semver_read(name.version, &iface->version);
    const struct hf_iface *there = hf_registry_find(t->reg, iface->name);
    if (there != NULL)
        return hf_report_set(t->report, HF_INVALID, "%.*s is offered already", HF_FMT(there->name));
    return HF_OK;
}

/* What was read, as the interface's instance: in the registry when this is HF_OK. */
static enum hf_err finish(struct text *t)
{
    struct hf_eval e = {.keep = &t->reg->arena, .tmp = &t->reg->arena, .report = t->report};
    struct hf_named_item *items = hf_arena_array(&t->reg->arena, t->items.len + 1, sizeof *items);
    if (items == NULL)
        return no_memory(t);
    if (t->items.len > 0)
        memcpy(items, t->items.ptr, t->items.len * sizeof *items);
    HF_TRY(hf_eval_instance(&e, items, (uint32_t)t->items.len, &t->iface->instance));
    size_t n = t->reg->funcs.len;
    for (size_t i = 0; i < t->items.len; i++) {
        struct hf_host_func *func = (struct hf_host_func *)(uintptr_t)items[i].item.func.def.host;
        if (items[i].item.sort == HF_SORT_FUNC && !HF_VEC_PUSH(&t->reg->funcs, (struct hf_iface_func){t->iface, func})) {
            t->reg->funcs.len = n;
            return no_memory(t);
        }
    }
    t->iface->offered = true;
    if (HF_VEC_PUSH(&t->reg->ifaces, t->iface))
        return HF_OK;
    t->reg->funcs.len = n;
    return no_memory(t);
}

enum hf_err hf_registry_define(struct hf_registry *reg, const char *iface, struct hf_view text, const struct hf_bound *bound, size_t n,
                               struct hf_report *report)
{
    struct text *t = calloc(1, sizeof *t);
    if (t == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    *t = (struct text){.reg = reg, .report = report, .all = text};
    enum hf_err err = text.len > TEXT_MAX ? hf_report_set(report, HF_LIMIT, "its text has more than 256 KiB") : name_iface(t, hf_view_of(iface));
    while (err == HF_OK && (skip_space(t), t->at < t->all.len))
        err = read_item(t);
    if (err == HF_OK)
        err = bind(t, bound, n);
    if (err == HF_OK)
        err = finish(t);
    HF_VEC_DONE(&t->items);
    free(t);
    return err == HF_OK ? HF_OK : hf_report_wrap(report, err, "interface %s", iface);
}
