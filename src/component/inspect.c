/* inspect.c - what a file imports and exports, as WIT-like text and as JSON; nothing is compiled.
 *
 * Both are written in one walk over the ports of a survey, so they cannot disagree. The JSON is
 * version 1:
 *   {"version":1,"kind":"component"|"module","runnable":bool,"imports":[PORT],"exports":[PORT],"missing":[text]}
 *   PORT {"name","kind", "missing":true when it is, "type": text (functions and types),
 *         "types":[{"name","type"}], "functions":[{"name","type","missing"}] (instances)}
 * and behind "missing" for a component: "image":bool, "image_why_not":text, "sha256":hex.
 */
#include "base/hash.h"
#include "component/parse_in.h"
#include "component/survey.h"

struct out {
    struct hf_buf *wit, *json;
    bool first; /* no comma before the next element */
};

/* ---- JSON ---- */

static enum hf_err put_string(struct hf_buf *b, struct hf_view v)
{
    HF_TRY(hf_buf_add_byte(b, '"'));
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if (c == '"' || c == '\\')
            HF_TRY(hf_buf_printf(b, "\\%c", c));
        else if (c < 0x20)
            HF_TRY(hf_buf_printf(b, "\\u%04x", c));
        else
            HF_TRY(hf_buf_add_byte(b, c));
    }
    return hf_buf_add_byte(b, '"');
}

static enum hf_err open_element(struct out *o, char bracket)
{
    if (!o->first)
        HF_TRY(hf_buf_add_byte(o->json, ','));
    o->first = true;
    return hf_buf_add_byte(o->json, (uint8_t)bracket);
}

static enum hf_err close_element(struct out *o, char bracket)
{
    o->first = false;
    return hf_buf_add_byte(o->json, (uint8_t)bracket);
}

static enum hf_err put_key(struct out *o, const char *key)
{
    if (!o->first)
        HF_TRY(hf_buf_add_byte(o->json, ','));
    o->first = false;
    return hf_buf_printf(o->json, "\"%s\":", key);
}

static enum hf_err put_field(struct out *o, const char *key, struct hf_view value)
{
    HF_TRY(put_key(o, key));
    return put_string(o->json, value);
}

static enum hf_err put_flag(struct out *o, const char *key, bool value)
{
    HF_TRY(put_key(o, key));
    return hf_buf_add_text(o->json, value ? "true" : "false");
}

static enum hf_err open_list(struct out *o, const char *key)
{
    HF_TRY(put_key(o, key));
    o->first = true;
    return hf_buf_add_byte(o->json, '[');
}

/* ---- items ---- */

static bool func_missing(const struct hf_item *item)
{
    return item->func.def.from == HF_FUNC_HOST && item->func.def.host->fn == NULL;
}

/* "enum error-code { a, b }", "type t = list<u8>", "resource r". */
static enum hf_err type_line(const struct hf_typeval *t, struct hf_view name, struct hf_view text,
                             struct hf_buf *wit)
{
    enum hf_type_kind k = t->kind == HF_TYPEVAL_VALUE ? t->value->kind : HF_T_BOOL;
    if (t->kind == HF_TYPEVAL_RESOURCE)
        return hf_buf_printf(wit, "resource %.*s;", HF_FMT(name));
    if (k == HF_T_RECORD || k == HF_T_VARIANT || k == HF_T_ENUM || k == HF_T_FLAGS) {
        size_t space = hf_view_find(text, ' ');
        HF_TRY(hf_buf_add_view(wit, hf_view_take(text, space)));
        HF_TRY(hf_buf_printf(wit, " %.*s", HF_FMT(name)));
        return hf_buf_add_view(wit, hf_view_skip(text, space));
    }
    HF_TRY(hf_buf_printf(wit, "type %.*s = ", HF_FMT(name)));
    HF_TRY(hf_buf_add_view(wit, text));
    return hf_buf_add_byte(wit, ';');
}

static enum hf_err typeval_text(const struct hf_typeval *t, struct hf_buf *text)
{
    switch (t->kind) {
    case HF_TYPEVAL_VALUE: return hf_type_text(t->value, text);
    case HF_TYPEVAL_RESOURCE: return hf_buf_add_text(text, "resource");
    case HF_TYPEVAL_FUNC: return hf_ftype_text(t->func, text);
    case HF_TYPEVAL_COMPONENT: return hf_buf_add_text(text, "component");
    case HF_TYPEVAL_INSTANCE: return hf_buf_add_text(text, "instance");
    }
    return HF_OK;
}

static enum hf_err put_func(struct out *o, struct hf_view name, const struct hf_item *item,
                            bool missing)
{
    struct hf_buf text = {0};
    enum hf_err err = hf_ftype_text(item->func.type, &text);
    if (err == HF_OK)
        err = hf_buf_printf(o->wit, "%.*s: ", HF_FMT(name));
    if (err == HF_OK)
        err = hf_buf_add_view(o->wit, hf_buf_view(&text));
    if (err == HF_OK)
        err = hf_buf_add_text(o->wit, missing ? "; // missing here\n" : ";\n");
    if (err == HF_OK)
        err = put_field(o, "type", hf_buf_view(&text));
    if (err == HF_OK && missing)
        err = put_flag(o, "missing", true);
    hf_buf_done(&text);
    return err;
}

static enum hf_err put_type(struct out *o, struct hf_view name, const struct hf_item *item,
                            bool missing)
{
    struct hf_buf text = {0};
    enum hf_err err = typeval_text(&item->type, &text);
    if (err == HF_OK)
        err = type_line(&item->type, name, hf_buf_view(&text), o->wit);
    if (err == HF_OK)
        err = hf_buf_add_text(o->wit, missing ? " // missing here\n" : "\n");
    if (err == HF_OK)
        err = put_field(o, "type", hf_buf_view(&text));
    if (err == HF_OK && missing)
        err = put_flag(o, "missing", true);
    hf_buf_done(&text);
    return err;
}

static enum hf_err put_members(struct out *o, const struct hf_instanceval *v, enum hf_sort sort,
                               bool imported)
{
    HF_TRY(open_list(o, sort == HF_SORT_TYPE ? "types" : "functions"));
    for (uint32_t i = 0; i < v->n; i++) {
        const struct hf_named_item *it = &v->items[i];
        if (it->item.sort != sort)
            continue;
        HF_TRY(open_element(o, '{'));
        HF_TRY(put_field(o, "name", it->name));
        HF_TRY(hf_buf_add_text(o->wit, "    "));
        if (sort == HF_SORT_TYPE)
            HF_TRY(put_type(o, it->name, &it->item, false));
        else
            HF_TRY(put_func(o, it->name, &it->item, imported && func_missing(&it->item)));
        HF_TRY(close_element(o, '}'));
    }
    return close_element(o, ']');
}

/* What an instance exports that is neither a type nor a function is only counted in text. */
static enum hf_err put_instance(struct out *o, const struct hf_port *p, bool imported)
{
    const struct hf_instanceval *v = p->item.instance;
    HF_TRY(
        hf_buf_printf(o->wit, "%.*s {%s\n", HF_FMT(p->name), p->missing ? " // missing here" : ""));
    if (p->missing)
        HF_TRY(put_flag(o, "missing", true));
    HF_TRY(put_members(o, v, HF_SORT_TYPE, imported));
    HF_TRY(put_members(o, v, HF_SORT_FUNC, imported));
    for (uint32_t i = 0; i < v->n; i++)
        if (v->items[i].item.sort != HF_SORT_TYPE && v->items[i].item.sort != HF_SORT_FUNC)
            HF_TRY(hf_buf_printf(o->wit, "    // %s %.*s\n", hf_sort_text(v->items[i].item.sort),
                                 HF_FMT(v->items[i].name)));
    return hf_buf_add_text(o->wit, "}\n");
}

static enum hf_err put_port(struct out *o, const struct hf_port *p, bool imported)
{
    HF_TRY(open_element(o, '{'));
    HF_TRY(put_field(o, "name", p->name));
    HF_TRY(put_field(o, "kind", hf_view_of(hf_sort_text(p->item.sort))));
    HF_TRY(hf_buf_add_text(o->wit, imported ? "import " : "export "));
    switch (p->item.sort) {
    case HF_SORT_FUNC: HF_TRY(put_func(o, p->name, &p->item, p->missing)); break;
    case HF_SORT_TYPE: HF_TRY(put_type(o, p->name, &p->item, p->missing)); break;
    case HF_SORT_INSTANCE: HF_TRY(put_instance(o, p, imported)); break;
    default:
        HF_TRY(hf_buf_printf(o->wit, "%.*s: %s;%s\n", HF_FMT(p->name), hf_sort_text(p->item.sort),
                             p->missing ? " // missing here" : ""));
        if (p->missing)
            HF_TRY(put_flag(o, "missing", true));
    }
    return close_element(o, '}');
}

static enum hf_err put_ports(struct out *o, const char *key, const struct hf_port *ports,
                             uint32_t n, bool imported)
{
    HF_TRY(open_list(o, key));
    for (uint32_t i = 0; i < n; i++)
        HF_TRY(put_port(o, &ports[i], imported));
    return close_element(o, ']');
}

static enum hf_err put_missing(struct out *o, struct hf_view lines)
{
    HF_TRY(open_list(o, "missing"));
    while (lines.len != 0) {
        size_t end = hf_view_find(lines, '\n');
        if (!o->first)
            HF_TRY(hf_buf_add_byte(o->json, ','));
        o->first = false;
        HF_TRY(put_string(o->json, hf_view_take(lines, end)));
        lines = hf_view_skip(lines, end + 1);
    }
    return close_element(o, ']');
}

/* ---- image ---- */

/* Whether an instance can be put back in place, or why not (reference 7.2). What the scanner cannot read it calls unknown. */
static enum hf_err put_image(struct out *o, const struct hf_survey *s)
{
    struct hf_buf why = {0};
    uint32_t gate = 0;
    for (uint32_t i = 0; i < s->linked.program.n_modules; i++) { /* those that are instantiated */
        uint32_t one = 0, number = s->linked.module_numbers[i];
        if (hf_gate_of(s->tree->modules[number], &one, NULL) != HF_OK)
            one = HF_GATE_UNKNOWN;
        gate |= one;
        hf_gate_text_of(number, one, &why);
    }
    enum hf_err err = put_flag(o, "image", gate == 0);
    if (err == HF_OK)
        err = put_field(o, "image_why_not", hf_buf_view(&why));
    if (err == HF_OK)
        err = gate == 0 ? hf_buf_add_text(o->wit, "// image: possible, per-request instances are reset in place\n")
                        : hf_buf_printf(o->wit, "// image: not possible: %.*s\n", HF_FMT(hf_buf_view(&why)));
    hf_buf_done(&why);
    return err;
}

/* ---- the whole ---- */

static enum hf_err put_all(struct hf_inspection *ret, const struct hf_survey *s)
{
    struct out o = {&ret->wit, &ret->json, true};
    char hex[65];
    hf_hex(s->hash, sizeof s->hash, hex);
    HF_TRY(open_element(&o, '{'));
    HF_TRY(put_key(&o, "version"));
    HF_TRY(hf_buf_add_text(o.json, "1"));
    HF_TRY(put_field(&o, "kind", HF_VIEW("component")));
    HF_TRY(put_flag(&o, "runnable", s->missing.len == 0));
    HF_TRY(put_ports(&o, "imports", s->linked.imports, s->linked.n_imports, true));
    HF_TRY(put_ports(&o, "exports", s->linked.exports, s->linked.n_exports, false));
    HF_TRY(put_missing(&o, hf_buf_view(&s->missing)));
    HF_TRY(put_image(&o, s));
    HF_TRY(put_field(&o, "sha256", hf_view_of(hex)));
    HF_TRY(hf_buf_printf(&ret->wit, "// sha256: %s\n", hex));
    HF_TRY(close_element(&o, '}'));
    HF_TRY(hf_buf_add_text(o.json, "\n"));
    ret->is_component = true;
    ret->runnable = s->missing.len == 0;
    return hf_buf_add_view(&ret->missing, hf_buf_view(&s->missing));
}

static enum hf_err inspect_module(struct hf_engine *engine, struct hf_view bytes,
                                  struct hf_inspection *ret, struct hf_report *report)
{
    HF_TRY(hf_engine_validate(engine, bytes, report));
    HF_TRY(hf_buf_add_text(&ret->wit, "// a core module, not a component\n"));
    HF_TRY(hf_buf_add_text(&ret->missing, "a component: this is a core module\n"));
    return hf_buf_add_text(
        &ret->json, "{\"version\":1,\"kind\":\"module\",\"runnable\":false,\"imports\":[],"
                    "\"exports\":[],\"missing\":[\"a component: this is a core module\"]}\n");
}

enum hf_err hf_component_inspect(struct hf_engine *engine, const struct hf_registry *reg,
                                 struct hf_view bytes, struct hf_inspection *ret,
                                 struct hf_report *report)
{
    struct hf_survey survey;
    *ret = (struct hf_inspection){0};
    if (hf_file_kind(bytes) == HF_FILE_MODULE) {
        enum hf_err err = inspect_module(engine, bytes, ret, report);
        if (err != HF_OK)
            hf_inspection_done(ret);
        return err;
    }
    enum hf_err err = hf_survey_make(engine, reg, bytes, NULL, &survey, report);
    if (err == HF_OK) {
        err = put_all(ret, &survey);
        if (err != HF_OK)
            hf_report_set(report, err, "out of memory");
    }
    hf_survey_done(&survey);
    if (err != HF_OK)
        hf_inspection_done(ret);
    return err;
}

void hf_inspection_done(struct hf_inspection *i)
{
    hf_buf_done(&i->wit);
    hf_buf_done(&i->json);
    hf_buf_done(&i->missing);
}
