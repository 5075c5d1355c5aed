/* registry.c - the interfaces a host offers: looked up by version track, functions and resources
 * bound by name.
 *
 * Some dozens of interfaces and a few hundred functions, filled once at start: plain arrays and
 * linear searches.
 */
#include "component/registry.h"

#include <stdlib.h>

#include "base/vec.h"
#include "component/parse_in.h"

#define REGISTRY_BYTES_MAX ((size_t)64 << 20)

enum hf_err hf_registry_new(struct hf_registry **ret)
{
    struct hf_registry *reg = calloc(1, sizeof *reg);
    if (reg == NULL)
        return HF_LIMIT;
    hf_arena_init(&reg->arena, 64 * 1024, REGISTRY_BYTES_MAX);
    *ret = reg;
    return HF_OK;
}

void hf_registry_free(struct hf_registry *reg)
{
    if (reg == NULL)
        return;
    HF_VEC_DONE(&reg->ifaces);
    HF_VEC_DONE(&reg->funcs);
    HF_VEC_DONE(&reg->resources);
    HF_VEC_DONE(&reg->modules);
    hf_arena_done(&reg->arena);
    free(reg);
}

/* ---- looking up ---- */

static bool higher(const struct hf_iface *a, const struct hf_iface *b)
{
    return b == NULL ||
           (a->has_version && (!b->has_version || hf_semver_cmp(&a->version, &b->version) > 0));
}

struct hf_iface *hf_registry_find(const struct hf_registry *reg, struct hf_view name)
{
    struct hf_iface *best = NULL;
    for (size_t i = 0; i < reg->ifaces.len; i++) {
        struct hf_iface *iface = reg->ifaces.ptr[i];
        if (hf_view_eq(iface->name, name))
            return iface;
        if (hf_name_same_track(iface->name, name) && higher(iface, best))
            best = iface;
    }
    return best;
}

struct hf_iface *hf_registry_find_base(const struct hf_registry *reg, struct hf_view base)
{
    struct hf_iface *best = NULL;
    for (size_t i = 0; i < reg->ifaces.len; i++) {
        struct hf_iface *iface = reg->ifaces.ptr[i];
        if (hf_view_eq(iface->base, base) && higher(iface, best))
            best = iface;
    }
    return best;
}

/* As callers of bind name it: with a version or without. */
static struct hf_iface *find_for_binding(struct hf_registry *reg, const char *name,
                                         struct hf_report *report)
{
    struct hf_view v = hf_view_of(name);
    struct hf_iface *iface =
        hf_view_find(v, '@') == v.len ? hf_registry_find_base(reg, v) : hf_registry_find(reg, v);
    if (iface == NULL)
        hf_report_set(report, HF_NOT_FOUND, "no interface \"%s\" was read from WIT", name);
    else if (reg->sealed)
        hf_report_set(report, HF_INVALID, "binding to \"%s\" after the registry was sealed", name);
    return iface;
}

/* ---- binding ---- */

enum hf_err hf_registry_bind(struct hf_registry *reg, const char *iface, const char *name,
                             hf_host_fn fn, struct hf_report *report)
{
    struct hf_iface *f = find_for_binding(reg, iface, report);
    if (f == NULL)
        return HF_NOT_FOUND;
    if (reg->sealed)
        return HF_INVALID;
    for (size_t i = 0; i < reg->funcs.len; i++) {
        struct hf_iface_func *it = &reg->funcs.ptr[i];
        if (it->iface != f || !hf_view_eq_text(it->func->name, name))
            continue;
        if (it->func->fn != NULL)
            return hf_report_set(report, HF_INVALID, "%s: \"%s\" is bound already", iface, name);
        it->func->fn = fn;
        return HF_OK;
    }
    return hf_report_set(report, HF_NOT_FOUND, "%.*s has no function \"%s\"", HF_FMT(f->name),
                         name);
}

enum hf_err hf_registry_bind_all(struct hf_registry *reg, const char *iface,
                                 const struct hf_binding *table, struct hf_report *report)
{
    for (; table->name != NULL; table++) {
        enum hf_err err = hf_registry_bind(reg, iface, table->name, table->fn, report);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

static struct hf_host_func *find_bound(struct hf_registry *reg, const struct hf_iface *iface,
                                       const char *name)
{
    for (size_t i = 0; i < reg->funcs.len; i++) {
        const struct hf_iface_func *it = &reg->funcs.ptr[i];
        if (it->iface == iface && hf_view_eq_text(it->func->name, name))
            return it->func->fn != NULL ? it->func : NULL;
    }
    return NULL;
}

enum hf_err hf_registry_bind_direct(struct hf_registry *reg, const char *iface,
                                    const struct hf_direct_binding *table, struct hf_report *report)
{
    struct hf_iface *f = find_for_binding(reg, iface, report);
    if (f == NULL)
        return HF_NOT_FOUND;
    if (reg->sealed)
        return HF_INVALID;
    for (; table->name != NULL; table++) {
        struct hf_host_func *func = find_bound(reg, f, table->name);
        if (func == NULL)
            return hf_report_set(report, HF_NOT_FOUND, "%.*s has no function \"%s\" that is bound",
                                 HF_FMT(f->name), table->name);
        func->direct = table->fn;
    }
    return HF_OK;
}

enum hf_err hf_registry_bind_rest(struct hf_registry *reg, const char *iface, hf_host_fn fn,
                                  struct hf_report *report)
{
    struct hf_iface *f = find_for_binding(reg, iface, report);
    if (f == NULL)
        return HF_NOT_FOUND;
    if (reg->sealed)
        return HF_INVALID;
    for (size_t i = 0; i < reg->funcs.len; i++) {
        struct hf_iface_func *it = &reg->funcs.ptr[i];
        if (it->iface == f && it->func->fn == NULL)
            it->func->fn = fn;
    }
    return HF_OK;
}

static enum hf_err find_resource(struct hf_registry *reg, const char *iface, const char *name,
                                 struct hf_resource_type **ret, struct hf_report *report)
{
    struct hf_iface *f = find_for_binding(reg, iface, report);
    if (f == NULL)
        return HF_NOT_FOUND;
    if (reg->sealed)
        return HF_INVALID;
    const struct hf_item *item = hf_instanceval_find(f->instance, hf_view_of(name));
    if (item == NULL || item->sort != HF_SORT_TYPE || item->type.kind != HF_TYPEVAL_RESOURCE)
        return hf_report_set(report, HF_NOT_FOUND, "%.*s has no resource \"%s\"", HF_FMT(f->name),
                             name);
    *ret = item->type.resource;
    return HF_OK;
}

enum hf_err hf_registry_bind_resource(struct hf_registry *reg, const char *iface, const char *name,
                                      const struct hf_host_resource *ops, struct hf_report *report)
{
    struct hf_resource_type *type;
    enum hf_err err = find_resource(reg, iface, name, &type, report);
    if (err != HF_OK)
        return err;
    if (type->host != NULL && type->host != ops)
        return hf_report_set(report, HF_INVALID, "%s: resource \"%s\" is bound already", iface,
                             name);
    type->host = ops;
    return HF_OK;
}

enum hf_err hf_registry_bind_recipe(struct hf_registry *reg, const char *iface, const char *name,
                                    const struct hf_host_recipe *recipe, struct hf_report *report)
{
    struct hf_resource_type *type;
    enum hf_err err = find_resource(reg, iface, name, &type, report);
    if (err != HF_OK)
        return err;
    if (type->host == NULL || type->recipe != NULL)
        return hf_report_set(report, HF_INVALID, "%s: resource \"%s\" %s", iface, name,
                             type->host == NULL ? "has no binding yet" : "has a recipe already");
    type->recipe = recipe;
    return HF_OK;
}

/* ---- names of resources, for images ---- */

static enum hf_err add_resource_name(const struct hf_iface_resource *r, struct hf_buf *ret)
{
    if (r->track.len == 0)
        return hf_buf_printf(ret, "%.*s#%.*s", HF_FMT(r->iface), HF_FMT(r->type->name));
    return hf_buf_printf(ret, "%.*s@%.*s#%.*s", HF_FMT(r->base), HF_FMT(r->track),
                         HF_FMT(r->type->name));
}

enum hf_err hf_registry_resource_name(const struct hf_registry *reg,
                                      const struct hf_resource_type *type, struct hf_buf *ret)
{
    for (size_t i = 0; i < reg->resources.len; i++)
        if (reg->resources.ptr[i].type == type)
            return add_resource_name(&reg->resources.ptr[i], ret);
    return HF_NOT_FOUND;
}

const struct hf_resource_type *hf_registry_resource_named(const struct hf_registry *reg,
                                                          struct hf_view name)
{
    const struct hf_resource_type *found = NULL;
    struct hf_buf text = {0};
    for (size_t i = 0; i < reg->resources.len && found == NULL; i++) {
        hf_buf_clear(&text);
        if (add_resource_name(&reg->resources.ptr[i], &text) == HF_OK &&
            hf_view_eq(hf_buf_view(&text), name))
            found = reg->resources.ptr[i].type;
    }
    hf_buf_done(&text);
    return found;
}

enum hf_err hf_registry_add_module(struct hf_registry *reg, const char *iface, const char *name,
                                   struct hf_view bytes, struct hf_report *report)
{
    struct hf_iface *f = find_for_binding(reg, iface, report);
    if (f == NULL)
        return HF_NOT_FOUND;
    if (reg->sealed)
        return HF_INVALID;
    for (uint32_t i = 0; i < f->instance->n; i++) {
        const struct hf_named_item *it = &f->instance->items[i];
        if (it->item.sort != HF_SORT_MODULE || !hf_view_eq_text(it->name, name))
            continue;
        struct hf_view copy = hf_arena_copy(&reg->arena, bytes);
        if (copy.ptr == NULL || !HF_VEC_PUSH(&reg->modules, copy))
            return hf_report_set(report, HF_LIMIT, "out of memory");
        /* Items are written by nobody else, and by us only before the registry is sealed. */
        struct hf_named_item *mine = (struct hf_named_item *)(uintptr_t)it;
        mine->item.module = HF_HOST_MODULE + (uint32_t)(reg->modules.len - 1);
        return HF_OK;
    }
    return hf_report_set(report, HF_NOT_FOUND, "%.*s has no core module \"%s\"", HF_FMT(f->name),
                         name);
}

enum hf_err hf_registry_offer_at_root(struct hf_registry *reg, const char *iface,
                                      struct hf_report *report)
{
    struct hf_iface *f = find_for_binding(reg, iface, report);
    if (f == NULL)
        return HF_NOT_FOUND;
    if (reg->sealed)
        return HF_INVALID;
    reg->root = f;
    return HF_OK;
}

/* ---- sealing ---- */

/* Resources that an interface only uses are bound where they are defined. */
static bool defines(const struct hf_registry *reg, const struct hf_iface *iface,
                    const struct hf_resource_type *type)
{
    for (size_t i = 0; i < reg->resources.len; i++)
        if (reg->resources.ptr[i].type == type)
            return hf_view_eq(reg->resources.ptr[i].base, iface->base);
    return false;
}

/* What of an interface could be bound, and is anything? Instances inside it count too. */
static void look(const struct hf_registry *reg, const struct hf_iface *iface,
                 const struct hf_instanceval *v, bool *bindable, bool *bound)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const struct hf_item *item = &v->items[i].item;
        if (item->sort == HF_SORT_FUNC) {
            *bindable = true;
            *bound |= item->func.def.host->fn != NULL;
        } else if (item->sort == HF_SORT_MODULE) {
            *bindable = true;
            *bound |= item->module != HF_NO_INDEX;
        } else if (item->sort == HF_SORT_INSTANCE) { /* no deeper than HF_EVAL_DEPTH_MAX */
            look(reg, iface, item->instance, bindable, bound);
        } else if (item->type.kind == HF_TYPEVAL_RESOURCE &&
                   defines(reg, iface, item->type.resource)) {
            *bindable = true;
            *bound |= item->type.resource->host != NULL;
        }
    }
}

/* An interface is offered when something of it is bound, or when it has nothing that could be. */
static bool is_offered(const struct hf_registry *reg, const struct hf_iface *iface)
{
    bool bindable = false, bound = false;
    look(reg, iface, iface->instance, &bindable, &bound);
    return bound || !bindable;
}

static enum hf_err check_resources(const struct hf_iface *iface, const struct hf_instanceval *v,
                                   struct hf_report *report)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const struct hf_named_item *it = &v->items[i];
        if (it->item.sort == HF_SORT_INSTANCE)
            HF_TRY(check_resources(iface, it->item.instance, report));
        if (it->item.sort == HF_SORT_TYPE && it->item.type.kind == HF_TYPEVAL_RESOURCE &&
            it->item.type.resource->host == NULL)
            return hf_report_set(report, HF_INVALID,
                                 "%.*s is offered, but nothing drops its resource \"%.*s\"",
                                 HF_FMT(iface->name), HF_FMT(it->name));
    }
    return HF_OK;
}

enum hf_err hf_registry_seal(struct hf_registry *reg, struct hf_buf *unbound,
                             struct hf_report *report)
{
    for (size_t i = 0; i < reg->ifaces.len; i++) {
        struct hf_iface *iface = reg->ifaces.ptr[i];
        iface->offered = is_offered(reg, iface);
        if (!iface->offered)
            continue;
        enum hf_err err = check_resources(iface, iface->instance, report);
        if (err != HF_OK)
            return err;
    }
    for (size_t i = 0; i < reg->funcs.len && unbound != NULL; i++) {
        const struct hf_iface_func *it = &reg->funcs.ptr[i];
        if (!it->iface->offered || it->func->fn != NULL)
            continue;
        if (hf_buf_printf(unbound, "%.*s %.*s\n", HF_FMT(it->iface->name),
                          HF_FMT(it->func->name)) != HF_OK)
            return hf_report_set(report, HF_LIMIT, "out of memory");
    }
    reg->sealed = true;
    return HF_OK;
}
