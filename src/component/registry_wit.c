/* registry_wit.c - reads encoded WIT packages into the registry.
 *
 * An encoded package is a component that exports one type for each interface or world. The type of
 * an interface is a component type that imports, as instances, the interfaces it uses, and exports
 * the interface itself as an instance under its full name; a world's exports a component type,
 * which is of no interest here.
 */
#include "base/vec.h"
#include "component/parse_in.h"
#include "component/registry.h"

#define PARSE_BYTES_MAX ((size_t)64 << 20)

struct reading {
    struct hf_registry *reg;
    struct hf_iface *iface; /* the one that is evaluated */
};

/* One resource type per (track, name): two versions of an interface on one track share it (1.8 rule
 * 5). */
enum hf_err hf_registry_resource(struct hf_registry *reg, const struct hf_iface *iface,
                                 struct hf_view name, struct hf_resource_type **ret)
{
    struct hf_view base = iface->base, track = {0};
    bool has_track = hf_name_track(iface->name, &base, &track);
    for (size_t i = 0; i < reg->resources.len; i++) {
        struct hf_iface_resource *it = &reg->resources.ptr[i];
        bool same = has_track ? hf_view_eq(it->track, track) && hf_view_eq(it->base, base)
                              : hf_view_eq(it->iface, iface->name);
        if (same && hf_view_eq(it->type->name, name)) {
            *ret = it->type;
            return HF_OK;
        }
    }
    struct hf_resource_type *type = HF_ARENA_NEW(&reg->arena, struct hf_resource_type);
    if (type == NULL)
        return HF_LIMIT;
    type->name = hf_arena_copy(&reg->arena, name);
    type->ci = HF_NO_INDEX;
    type->index = HF_NO_INDEX;
    if (type->name.ptr == NULL ||
        !HF_VEC_PUSH(&reg->resources, (struct hf_iface_resource){base, track, iface->name, type}))
        return HF_LIMIT;
    *ret = type;
    return HF_OK;
}

static enum hf_err fresh_resource(struct hf_eval *e, struct hf_view name,
                                  struct hf_resource_type **ret)
{
    struct reading *r = e->owner;
    if (r->iface == NULL)
        return hf_report_set(e->report, HF_INVALID,
                             "not an encoded WIT package: a resource outside an interface");
    if (hf_registry_resource(r->reg, r->iface, name, ret) != HF_OK)
        return hf_eval_out_of_memory(e);
    return HF_OK;
}

static enum hf_err fresh_func(struct hf_eval *e, struct hf_view name, const struct hf_ftype *type,
                              struct hf_funcval *ret)
{
    struct reading *r = e->owner;
    struct hf_host_func *func = HF_ARENA_NEW(&r->reg->arena, struct hf_host_func);
    if (r->iface == NULL)
        return hf_report_set(e->report, HF_INVALID,
                             "not an encoded WIT package: a function outside an interface");
    if (func == NULL)
        return hf_eval_out_of_memory(e);
    func->iface = r->iface->name;
    func->name = hf_arena_copy(&r->reg->arena, name);
    func->type = type;
    if (func->name.ptr == NULL ||
        !HF_VEC_PUSH(&r->reg->funcs, (struct hf_iface_func){r->iface, func}))
        return hf_eval_out_of_memory(e);
    *ret = (struct hf_funcval){{.from = HF_FUNC_HOST, .host = func}, type};
    return HF_OK;
}

static enum hf_err differs(struct hf_eval *e, enum hf_sort sort, struct hf_view name,
                           const struct hf_item *offered, struct hf_view text)
{
    (void)offered;
    return hf_report_set(e->report, HF_INVALID, "a %s \"%.*s\" of another package: %.*s",
                         hf_sort_text(sort), HF_FMT(name), HF_FMT(text));
}

static enum hf_err new_iface(struct reading *r, struct hf_eval *e, struct hf_view text)
{
    struct hf_registry *reg = r->reg;
    struct hf_name name;
    for (size_t i = 0; i < reg->ifaces.len; i++)
        if (hf_view_eq(reg->ifaces.ptr[i]->name, text))
            return hf_report_set(e->report, HF_INVALID, "the interface %.*s was added already",
                                 HF_FMT(text));
    struct hf_iface *iface = HF_ARENA_NEW(&reg->arena, struct hf_iface);
    if (iface == NULL)
        return hf_eval_out_of_memory(e);
    iface->name = hf_arena_copy(&reg->arena, text);
    if (iface->name.ptr == NULL)
        return hf_eval_out_of_memory(e);
    hf_name_read(iface->name, &name);
    /* A plain name is what no WIT package has: the linker looks it up like any other. */
    if (name.kind == HF_NAME_PLAIN)
        name = (struct hf_name){.kind = HF_NAME_INTERFACE, .base = iface->name};
    if (name.kind != HF_NAME_INTERFACE)
        return hf_report_set(e->report, HF_INVALID,
                             "not an encoded WIT package: \"%.*s\" is no interface's name",
                             HF_FMT(text));
    iface->base = name.base;
    iface->has_version = name.version.len != 0 && hf_semver_read(name.version, &iface->version);
    r->iface = iface;
    return HF_OK;
}

/* The linker relies on it: nothing in an interface but functions, value types and resources; core
 * modules and instances of the same things too, which WIT cannot say. */
static enum hf_err check_items(struct hf_eval *e, const struct hf_iface *iface,
                               const struct hf_instanceval *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const struct hf_named_item *it = &v->items[i];
        if (it->item.sort == HF_SORT_INSTANCE)
            HF_TRY(check_items(e, iface, it->item.instance));
        bool ok = it->item.sort == HF_SORT_FUNC || it->item.sort == HF_SORT_INSTANCE ||
                  it->item.sort == HF_SORT_MODULE ||
                  (it->item.sort == HF_SORT_TYPE && (it->item.type.kind == HF_TYPEVAL_VALUE ||
                                                     it->item.type.kind == HF_TYPEVAL_RESOURCE));
        if (!ok)
            return hf_report_set(e->report, HF_INVALID,
                                 "%.*s: \"%.*s\" is neither a function nor a type",
                                 HF_FMT(iface->name), HF_FMT(it->name));
    }
    return HF_OK;
}

static enum hf_err eval_iface(struct reading *r, struct hf_eval *e, struct hf_frame *f,
                              const struct hf_def *def)
{
    struct hf_item item;
    HF_TRY(new_iface(r, e, def->export.name));
    HF_TRY(hf_eval_bind(e, f, &def->export.type, def->export.name, NULL, &item));
    r->iface->instance = item.instance;
    HF_TRY(check_items(e, r->iface, r->iface->instance));
    if (!HF_VEC_PUSH(&r->reg->ifaces, r->iface))
        return hf_eval_out_of_memory(e);
    r->iface = NULL;
    hf_eval_push(f, &item);
    return HF_OK;
}

static enum hf_err eval_used(struct reading *r, struct hf_eval *e, struct hf_frame *f,
                             const struct hf_def *def)
{
    struct hf_item given = {.sort = HF_SORT_INSTANCE}, item;
    const struct hf_iface *used = hf_registry_find(r->reg, def->import.name);
    if (used == NULL)
        return hf_report_set(e->report, HF_INVALID, "it uses %.*s, which was not added before",
                             HF_FMT(def->import.name));
    given.instance = used->instance;
    HF_TRY(hf_eval_bind(e, f, &def->import.type, def->import.name, &given, &item));
    hf_eval_push(f, &item);
    return HF_OK;
}

/* The component type that stands for one interface or world. */
static enum hf_err eval_exported(struct reading *r, struct hf_eval *e, const struct hf_closure *c)
{
    struct hf_frame *f;
    struct hf_item item;
    for (const struct hf_def *def = c->scope->defs; def != NULL; def = def->next)
        if (def->kind == HF_DEF_EXPORT && def->sort != HF_SORT_INSTANCE)
            return HF_OK; /* a world */
    HF_TRY(hf_eval_frame(e, c->scope, c->frame, HF_NO_INDEX, &f));
    for (const struct hf_def *def = c->scope->defs; def != NULL; def = def->next) {
        switch (def->kind) {
        case HF_DEF_TYPE:
            HF_TRY(hf_eval_typedef(e, f, def->type, &item));
            hf_eval_push(f, &item);
            break;
        case HF_DEF_CORE_TYPE: break;
        case HF_DEF_ALIAS_EXPORT: HF_TRY(hf_eval_alias_export(e, f, def)); break;
        case HF_DEF_ALIAS_OUTER: HF_TRY(hf_eval_alias_outer(e, f, def)); break;
        case HF_DEF_IMPORT: HF_TRY(eval_used(r, e, f, def)); break;
        case HF_DEF_EXPORT: HF_TRY(eval_iface(r, e, f, def)); break;
        default: return hf_report_set(e->report, HF_INVALID, "not an encoded WIT package");
        }
    }
    return HF_OK;
}

static enum hf_err eval_package(struct reading *r, struct hf_eval *e, const struct hf_tree *tree)
{
    struct hf_frame *f;
    struct hf_item item;
    HF_TRY(hf_eval_frame(e, tree->root, NULL, HF_NO_INDEX, &f));
    for (const struct hf_def *def = tree->root->defs; def != NULL; def = def->next) {
        if (def->kind == HF_DEF_TYPE) {
            HF_TRY(hf_eval_typedef(e, f, def->type, &item));
        } else if (def->kind == HF_DEF_EXPORT && def->sort == HF_SORT_TYPE) {
            HF_TRY(hf_eval_at(e, f, HF_SORT_TYPE, def->export.index, &item));
            if (item.type.kind == HF_TYPEVAL_COMPONENT)
                HF_TRY(eval_exported(r, e, &item.type.closure));
        } else {
            return hf_report_set(
                e->report, HF_INVALID, "not an encoded WIT package: it defines a %s",
                def->sort == HF_SORT_COUNT ? "start function" : hf_sort_text(def->sort));
        }
        hf_eval_push(f, &item);
    }
    return HF_OK;
}

enum hf_err hf_registry_add_wit(struct hf_registry *reg, struct hf_view wasm,
                                struct hf_report *report)
{
    struct hf_arena arena;
    const struct hf_tree *tree = NULL;
    struct reading r = {.reg = reg};
    /* Frames live as long as the instances made in them, so both arenas are the registry's. */
    struct hf_eval e = {.keep = &reg->arena,
                        .tmp = &reg->arena,
                        .report = report,
                        .owner = &r,
                        .fresh_resource = fresh_resource,
                        .fresh_func = fresh_func,
                        .differs = differs};

    if (reg->sealed)
        return hf_report_set(report, HF_INVALID, "adding WIT after the registry was sealed");
    hf_arena_init(&arena, 64 * 1024, PARSE_BYTES_MAX);
    enum hf_err err = hf_parse(&arena, wasm, NULL, &tree, report);
    if (err == HF_OK && tree->n_gated != 0)
        err = hf_report_set(report, HF_UNSUPPORTED, "the WIT package uses %s", tree->gated[0]);
    if (err == HF_OK)
        err = eval_package(&r, &e, tree);
    hf_arena_done(&arena);
    return err == HF_OK ? HF_OK : hf_report_wrap(report, err, "WIT package");
}
