/* parse_section.c - instances, aliases, imports and exports (reference component-model 1.2
 * - 1.4, 1.7), one element a call.
 *
 * The same readers serve component sections and the declarations inside component and instance
 * types; what may not stand in a type is refused here, because the linker would give it a meaning.
 */
#include "component/parse_in.h"

/* ---- sorts ---- */

static enum hf_err read_core_sort(struct hf_parser *p, struct hf_reader *r, enum hf_sort *ret)
{
    uint8_t c;
    HF_TRY(hf_parse_u8(p, r, "a core sort", &c));
    switch (c) {
    case 0x00: *ret = HF_SORT_CORE_FUNC; return HF_OK;
    case 0x01: *ret = HF_SORT_CORE_TABLE; return HF_OK;
    case 0x02: *ret = HF_SORT_CORE_MEMORY; return HF_OK;
    case 0x03: *ret = HF_SORT_CORE_GLOBAL; return HF_OK;
    case 0x04: *ret = HF_SORT_CORE_TAG; return HF_OK;
    case 0x10: *ret = HF_SORT_CORE_TYPE; return HF_OK;
    case 0x11: *ret = HF_SORT_MODULE; return HF_OK;
    case 0x12: *ret = HF_SORT_CORE_INSTANCE; return HF_OK;
    case 0x20: return hf_parse_fail(p, r, HF_INVALID, "core sort 0x20: exact functions (a draft)");
    default: return hf_parse_fail(p, r, HF_INVALID, "core sort 0x%02x does not exist", c);
    }
}

static enum hf_err read_sort(struct hf_parser *p, struct hf_reader *r, enum hf_sort *ret)
{
    uint8_t c;
    HF_TRY(hf_parse_u8(p, r, "a sort", &c));
    switch (c) {
    case 0x00: return read_core_sort(p, r, ret);
    case 0x01: *ret = HF_SORT_FUNC; return HF_OK;
    case 0x02:
        *ret = HF_SORT_VALUE;
        return hf_parse_gate(p, "values as imports, exports or arguments");
    case 0x03: *ret = HF_SORT_TYPE; return HF_OK;
    case 0x04: *ret = HF_SORT_COMPONENT; return HF_OK;
    case 0x05: *ret = HF_SORT_INSTANCE; return HF_OK;
    default: return hf_parse_fail(p, r, HF_INVALID, "sort 0x%02x does not exist", c);
    }
}

/* What can be exported by a core instance. */
static bool is_core_item(enum hf_sort s)
{
    return s <= HF_SORT_CORE_TAG;
}

/* What can be exported by a component instance. */
static bool is_item(enum hf_sort s)
{
    return s == HF_SORT_MODULE || s >= HF_SORT_FUNC;
}

static enum hf_err read_item(struct hf_open *o, struct hf_reader *r, struct hf_sort_index *ret)
{
    HF_TRY(read_sort(o->p, r, &ret->sort));
    if (!is_item(ret->sort))
        return hf_parse_fail(o->p, r, HF_INVALID,
                             "a %s cannot be imported or exported by a component",
                             hf_sort_text(ret->sort));
    return hf_parse_index(o, r, ret->sort, &ret->index);
}

/* ---- names with attributes (1.7) ---- */

static enum hf_err read_attributes(struct hf_parser *p, struct hf_reader *r)
{
    uint32_t n;
    HF_TRY(hf_parse_count(p, r, "attributes of a name", &n));
    for (uint32_t i = 0; i < n; i++) {
        struct hf_view text;
        uint8_t kind;
        HF_TRY(hf_parse_u8(p, r, "an attribute of a name", &kind));
        if (kind > 2)
            return hf_parse_fail(p, r, HF_INVALID, "attribute 0x%02x of a name does not exist",
                                 kind);
        HF_TRY(hf_parse_name(p, r, "an attribute of a name", &text));
    }
    return HF_OK;
}

/* "a:b:c/d" and "a:b/c/d": nested packages, a draft that the validator takes and WASI 0.2 has not. */
static bool is_nested(struct hf_view name)
{
    unsigned colons = 0, slashes = 0;
    for (size_t i = 0; i < name.len && name.ptr[i] != '@'; i++) {
        if (name.ptr[i] == '[' || name.ptr[i] == '=') /* a method, "unlocked-dep=<...>" */
            return false;
        colons += name.ptr[i] == ':';
        slashes += name.ptr[i] == '/';
    }
    return colons > 1 || slashes > 1;
}

static enum hf_err read_extern_name(struct hf_open *o, struct hf_reader *r, struct hf_name_set *set,
                                    struct hf_view *ret)
{
    struct hf_parser *p = o->p;
    uint8_t kind;
    HF_TRY(hf_parse_count_items(o, r, 1));
    HF_TRY(hf_parse_u8(p, r, "a name", &kind));
    if (kind > 2)
        return hf_parse_fail(p, r, HF_INVALID, "name kind 0x%02x does not exist", kind);
    HF_TRY(hf_parse_name(p, r, "a name", ret));
    if (kind == 2)
        HF_TRY(read_attributes(p, r));
    if (is_nested(*ret))
        return hf_parse_fail(p, r, HF_INVALID, "the name \"%.*s\" is of a nested package (a draft)",
                             HF_FMT(*ret));
    enum hf_err err = hf_name_set_add(set, *ret, true, p->report);
    if (err != HF_OK)
        hf_report_wrap(p->report, err, "at byte %zu", (size_t)(r->at - p->file.ptr));
    return err;
}

/* ---- instances (1.3) ---- */

/* `core_args`: arguments of a core instantiation; else what `read` reads. Names are unique by their
 * bytes (S10). */
typedef enum hf_err (*item_fn)(struct hf_open *o, struct hf_reader *r, struct hf_sort_index *ret);

static enum hf_err read_items(struct hf_open *o, struct hf_reader *r, const char *what,
                              item_fn read, bool attributes, const struct hf_named_index **ret,
                              uint32_t *ret_n)
{
    struct hf_parser *p = o->p;
    struct hf_name_set names;
    enum hf_err err = HF_OK;
    uint32_t n;

    HF_TRY(hf_parse_count(p, r, what, &n));
    HF_TRY(hf_parse_count_items(o, r, n));
    struct hf_named_index *items = hf_arena_array(p->arena, (size_t)n + 1, sizeof *items);
    if (items == NULL)
        return hf_parse_out_of_memory(p);
    hf_name_set_init(&names, p->arena);
    for (uint32_t i = 0; i < n && err == HF_OK; i++) {
        if (attributes) {
            err = read_extern_name(o, r, &names, &items[i].name);
        } else {
            err = hf_parse_name(p, r, what, &items[i].name);
            if (err == HF_OK)
                err = hf_name_set_add(&names, items[i].name, false, p->report);
        }
        if (err == HF_OK)
            err = read(o, r, &items[i].at);
    }
    hf_name_set_done(&names);
    *ret = items;
    *ret_n = n;
    return err;
}

static enum hf_err read_core_arg(struct hf_open *o, struct hf_reader *r, struct hf_sort_index *ret)
{
    HF_TRY(read_core_sort(o->p, r, &ret->sort));
    if (ret->sort != HF_SORT_CORE_INSTANCE)
        return hf_parse_fail(o->p, r, HF_INVALID, "a %s as argument of a core instantiation",
                             hf_sort_text(ret->sort));
    return hf_parse_index(o, r, ret->sort, &ret->index);
}

static enum hf_err read_core_item(struct hf_open *o, struct hf_reader *r, struct hf_sort_index *ret)
{
    HF_TRY(read_core_sort(o->p, r, &ret->sort));
    if (!is_core_item(ret->sort))
        return hf_parse_fail(o->p, r, HF_INVALID, "a %s cannot be exported by a core instance",
                             hf_sort_text(ret->sort));
    return hf_parse_index(o, r, ret->sort, &ret->index);
}

enum hf_err hf_parse_core_instance(struct hf_open *o, struct hf_reader *r)
{
    struct hf_def d = {0}, *def;
    bool bag;
    HF_TRY(hf_parse_count_items(o, r, 1));
    HF_TRY(hf_parse_flag(o->p, r, "a core instance", &bag));
    if (bag) {
        HF_TRY(read_items(o, r, "exports of a core instance", read_core_item, false, &d.bag.items,
                          &d.bag.n));
        HF_TRY(hf_parse_add(o, HF_DEF_CORE_BAG, HF_SORT_CORE_INSTANCE, &def));
        def->bag = d.bag;
        return HF_OK;
    }
    HF_TRY(hf_parse_index(o, r, HF_SORT_MODULE, &d.instantiate.index));
    HF_TRY(read_items(o, r, "arguments of a core instantiation", read_core_arg, false,
                      &d.instantiate.args, &d.instantiate.n));
    HF_TRY(hf_parse_add(o, HF_DEF_CORE_INSTANTIATE, HF_SORT_CORE_INSTANCE, &def));
    def->instantiate = d.instantiate;
    return HF_OK;
}

enum hf_err hf_parse_instance(struct hf_open *o, struct hf_reader *r)
{
    struct hf_def d = {0}, *def;
    bool bag;
    HF_TRY(hf_parse_count_items(o, r, 1));
    HF_TRY(hf_parse_flag(o->p, r, "an instance", &bag));
    if (bag) {
        HF_TRY(read_items(o, r, "exports of an instance", read_item, true, &d.bag.items, &d.bag.n));
        HF_TRY(hf_parse_add(o, HF_DEF_BAG, HF_SORT_INSTANCE, &def));
        def->bag = d.bag;
        return HF_OK;
    }
    HF_TRY(hf_parse_index(o, r, HF_SORT_COMPONENT, &d.instantiate.index));
    HF_TRY(read_items(o, r, "arguments of an instantiation", read_item, false, &d.instantiate.args,
                      &d.instantiate.n));
    HF_TRY(hf_parse_add(o, HF_DEF_INSTANTIATE, HF_SORT_INSTANCE, &def));
    def->instantiate = d.instantiate;
    return HF_OK;
}

/* ---- aliases (1.4) ---- */

static enum hf_err read_alias_outer(struct hf_open *o, struct hf_reader *r, enum hf_sort sort)
{
    struct hf_parser *p = o->p;
    struct hf_def *def;
    struct hf_open *target = o;
    uint32_t count, index;

    if (sort != HF_SORT_MODULE && sort != HF_SORT_CORE_TYPE && sort != HF_SORT_COMPONENT &&
        sort != HF_SORT_TYPE)
        return hf_parse_fail(p, r, HF_INVALID, "an outer alias of a %s", hf_sort_text(sort));
    HF_TRY(hf_parse_u32(p, r, "an outer alias", &count));
    for (uint32_t i = 0; i < count; i++) {
        target = target->outer;
        if (target == NULL)
            return hf_parse_fail(p, r, HF_INVALID, "an outer alias leaves the outermost scope");
    }
    HF_TRY(hf_parse_index(target, r, sort, &index));
    HF_TRY(hf_parse_add(o, HF_DEF_ALIAS_OUTER, sort, &def));
    def->outer.count = count;
    def->outer.index = index;
    return HF_OK;
}

enum hf_err hf_parse_alias(struct hf_open *o, struct hf_reader *r)
{
    struct hf_parser *p = o->p;
    bool in_type = o->scope->kind != HF_SCOPE_COMPONENT;
    struct hf_def *def;
    struct hf_view name;
    enum hf_sort sort;
    uint32_t index;
    uint8_t target;

    HF_TRY(hf_parse_count_items(o, r, 1));
    HF_TRY(read_sort(p, r, &sort));
    HF_TRY(hf_parse_u8(p, r, "an alias", &target));
    if (target == 2)
        return read_alias_outer(o, r, sort);
    if (target > 2)
        return hf_parse_fail(p, r, HF_INVALID, "alias kind 0x%02x does not exist", target);
    if (target == 0 ? !is_item(sort) : !is_core_item(sort))
        return hf_parse_fail(p, r, HF_INVALID, "an alias of an export that is a %s",
                             hf_sort_text(sort));
    if (in_type && (target != 0 || (sort != HF_SORT_TYPE && sort != HF_SORT_INSTANCE)))
        return hf_parse_fail(p, r, HF_INVALID, "an alias of a %s inside a type",
                             hf_sort_text(sort));
    HF_TRY(hf_parse_index(o, r, target == 0 ? HF_SORT_INSTANCE : HF_SORT_CORE_INSTANCE, &index));
    HF_TRY(hf_parse_name(p, r, "an alias", &name));
    HF_TRY(
        hf_parse_add(o, target == 0 ? HF_DEF_ALIAS_EXPORT : HF_DEF_ALIAS_CORE_EXPORT, sort, &def));
    def->alias.instance = index;
    def->alias.name = name;
    return HF_OK;
}

/* ---- imports and exports ---- */

static enum hf_err read_value_bound(struct hf_open *o, struct hf_reader *r)
{
    struct hf_valtype t;
    uint32_t index;
    bool type;
    HF_TRY(hf_parse_gate(o->p, "values as imports, exports or arguments"));
    HF_TRY(hf_parse_flag(o->p, r, "a value bound", &type));
    if (type)
        return hf_parse_valtype(o, r, &t);
    return hf_parse_index(o, r, HF_SORT_VALUE, &index);
}

static enum hf_err read_extern_type(struct hf_open *o, struct hf_reader *r,
                                    struct hf_externtype *ret)
{
    struct hf_parser *p = o->p;
    bool sub;
    uint8_t c;
    *ret = (struct hf_externtype){.index = HF_NO_INDEX};
    HF_TRY(hf_parse_u8(p, r, "the type of an import or export", &c));
    switch (c) {
    case 0x00:
        HF_TRY(hf_parse_u8(p, r, "the type of an import or export", &c));
        if (c != 0x11)
            return hf_parse_fail(p, r, HF_INVALID, "core sort 0x%02x as import or export", c);
        ret->kind = HF_EXTERN_MODULE;
        return hf_parse_index(o, r, HF_SORT_CORE_TYPE, &ret->index);
    case 0x01: ret->kind = HF_EXTERN_FUNC; break;
    case 0x02: ret->kind = HF_EXTERN_VALUE; return read_value_bound(o, r);
    case 0x03:
        HF_TRY(hf_parse_flag(p, r, "a type bound", &sub));
        ret->kind = sub ? HF_EXTERN_TYPE_SUB : HF_EXTERN_TYPE_EQ;
        if (sub)
            return HF_OK;
        break;
    case 0x04: ret->kind = HF_EXTERN_COMPONENT; break;
    case 0x05: ret->kind = HF_EXTERN_INSTANCE; break;
    default:
        return hf_parse_fail(p, r, HF_INVALID, "kind 0x%02x of an import or export does not exist",
                             c);
    }
    return hf_parse_index(o, r, HF_SORT_TYPE, &ret->index);
}

enum hf_err hf_parse_import(struct hf_open *o, struct hf_reader *r)
{
    struct hf_externtype type;
    struct hf_view name;
    struct hf_def *def;
    HF_TRY(read_extern_name(o, r, &o->imports, &name));
    HF_TRY(read_extern_type(o, r, &type));
    HF_TRY(hf_parse_add(o, HF_DEF_IMPORT, hf_extern_sort(type.kind), &def));
    def->import.name = name;
    def->import.type = type;
    o->scope->n_imports++;
    return HF_OK;
}

static enum hf_err add_export(struct hf_open *o, struct hf_view name, enum hf_sort sort,
                              uint32_t index, bool ascribed, struct hf_externtype type)
{
    struct hf_def *def;
    HF_TRY(hf_parse_add(o, HF_DEF_EXPORT, sort, &def));
    def->export.name = name;
    def->export.index = index;
    def->export.ascribed = ascribed;
    def->export.type = type;
    o->scope->n_exports++;
    return HF_OK;
}

enum hf_err hf_parse_export(struct hf_open *o, struct hf_reader *r)
{
    struct hf_externtype type = {0};
    struct hf_sort_index at;
    struct hf_view name;
    bool ascribed;
    HF_TRY(read_extern_name(o, r, &o->exports, &name));
    HF_TRY(read_item(o, r, &at));
    HF_TRY(hf_parse_flag(o->p, r, "an export", &ascribed));
    if (ascribed) {
        HF_TRY(read_extern_type(o, r, &type));
        if (hf_extern_sort(type.kind) != at.sort)
            return hf_parse_fail(o->p, r, HF_INVALID, "an export of a %s with the type of a %s",
                                 hf_sort_text(at.sort), hf_sort_text(hf_extern_sort(type.kind)));
    }
    return add_export(o, name, at.sort, at.index, ascribed, type);
}

enum hf_err hf_parse_export_decl(struct hf_open *o, struct hf_reader *r)
{
    struct hf_externtype type;
    struct hf_view name;
    HF_TRY(read_extern_name(o, r, &o->exports, &name));
    HF_TRY(read_extern_type(o, r, &type));
    return add_export(o, name, hf_extern_sort(type.kind), HF_NO_INDEX, true, type);
}

/* ---- gated sections: decoded, so that the refusal can be complete ---- */

enum hf_err hf_parse_start(struct hf_open *o, struct hf_reader *r)
{
    uint32_t index, n;
    HF_TRY(hf_parse_gate(o->p, "a component start function"));
    HF_TRY(hf_parse_index(o, r, HF_SORT_FUNC, &index));
    HF_TRY(hf_parse_count(o->p, r, "arguments of a start function", &n));
    for (uint32_t i = 0; i < n; i++)
        HF_TRY(hf_parse_index(o, r, HF_SORT_VALUE, &index));
    HF_TRY(hf_parse_u32(o->p, r, "a start function", &n));
    HF_TRY(hf_parse_count_items(o, r, n));
    for (uint32_t i = 0; i < n; i++) {
        struct hf_def *def;
        HF_TRY(hf_parse_add(o, HF_DEF_GATED, HF_SORT_VALUE, &def));
    }
    return HF_OK;
}

enum hf_err hf_parse_value(struct hf_open *o, struct hf_reader *r)
{
    struct hf_valtype type;
    struct hf_view bytes;
    struct hf_def *def;
    HF_TRY(hf_parse_gate(o->p, "value definitions"));
    HF_TRY(hf_parse_count_items(o, r, 1));
    HF_TRY(hf_parse_valtype(o, r, &type));
    bytes = hf_read_name(r); /* a length and that many bytes */
    (void)bytes;
    HF_TRY(hf_parse_check(o->p, r, "a value"));
    return hf_parse_add(o, HF_DEF_GATED, HF_SORT_VALUE, &def);
}
