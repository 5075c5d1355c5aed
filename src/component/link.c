/* link.c - instantiates the tree of components symbolically: one frame for each component instance,
 * steps in order.
 *
 * A step is added where the definition stands that causes it, so whatever it reads was made by an
 * earlier step. Core items are in link_core.c, canon definitions in link_canon.c, the root's
 * imports in link_import.c.
 */
#include "component/link_in.h"

#include "base/vec.h"

struct hf_linker *hf_linker_of(struct hf_eval *e)
{
    return e->owner;
}

enum hf_err hf_link_step(struct hf_linker *l, struct hf_step step)
{
    if (!HF_VEC_PUSH(&l->steps, step))
        return hf_eval_out_of_memory(&l->eval);
    return HF_OK;
}

/* ---- instances ---- */

/* Named indices of the frame, looked up: arguments of an instantiation or an inline instance. */
static enum hf_err gather(struct hf_linker *l, struct hf_frame *f,
                          const struct hf_named_index *named, uint32_t n,
                          const struct hf_instanceval **ret)
{
    HF_TRY(hf_eval_work(&l->eval, n));
    struct hf_named_item *items = hf_arena_array(l->eval.tmp, (size_t)n + 1, sizeof *items);
    if (items == NULL)
        return hf_eval_out_of_memory(&l->eval);
    for (uint32_t i = 0; i < n; i++) {
        items[i].name = named[i].name;
        HF_TRY(hf_eval_at(&l->eval, f, named[i].at.sort, named[i].at.index, &items[i].item));
    }
    return hf_eval_instance(&l->eval, items, n, ret);
}

static enum hf_err instantiate(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_item component, item = {.sort = HF_SORT_INSTANCE};
    const struct hf_instanceval *args;
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_COMPONENT, def->instantiate.index, &component));
    HF_TRY(gather(l, f, def->instantiate.args, def->instantiate.n, &args));
    HF_TRY(hf_link_component(l, &component.component, args, f->ci, &item.instance));
    hf_eval_push(f, &item);
    return HF_OK;
}

static enum hf_err bag(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_item item = {.sort = HF_SORT_INSTANCE};
    HF_TRY(gather(l, f, def->bag.items, def->bag.n, &item.instance));
    hf_eval_push(f, &item);
    return HF_OK;
}

/* ---- imports and exports of a component ---- */

static enum hf_err import(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def,
                          const struct hf_instanceval *args)
{
    struct hf_item item;
    if (args == NULL)
        return hf_link_root_import(l, f, def);
    const struct hf_item *given = hf_instanceval_find(args, def->import.name);
    if (given == NULL)
        return hf_report_set(l->eval.report, HF_INVALID,
                             "an instantiation lacks the argument \"%.*s\"",
                             HF_FMT(def->import.name));
    HF_TRY(hf_eval_bind(&l->eval, f, &def->import.type, def->import.name, given, &item));
    hf_eval_push(f, &item);
    return HF_OK;
}

/* A lifted function is called by the first name that it is exported under, in messages. */
static enum hf_err name_lift(struct hf_linker *l, const struct hf_item *item, struct hf_view name)
{
    if (item->sort != HF_SORT_FUNC || item->func.def.from != HF_FUNC_LIFT)
        return HF_OK;
    struct hf_lift *lift = &l->lifts.ptr[item->func.def.lift];
    if (lift->name.len != 0)
        return HF_OK;
    lift->name = hf_arena_copy(l->eval.keep, name);
    return lift->name.ptr != NULL ? HF_OK : hf_eval_out_of_memory(&l->eval);
}

/* Adds a new index too (1.2): what is exported, seen through its type. */
static enum hf_err export(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def) {
    struct hf_item item, seen; HF_TRY(hf_eval_at(&l->eval, f, def->sort, def->export.index, &item));
    seen = item;
    HF_TRY(name_lift(l, &item, def->export.name));
    if (def->export.ascribed)
        HF_TRY(hf_eval_bind(&l->eval, f, &def->export.type, def->export.name, &item, &seen));
    if (seen.sort == HF_SORT_TYPE) HF_TRY(hf_eval_named(&l->eval, def->export.name, &seen));
    hf_eval_push(f, &seen);
    return hf_eval_export(&l->eval, f, def->export.name, &seen);
}

/* ---- one component instance ---- */

static enum hf_err eval_def(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def,
                            const struct hf_instanceval *args)
{
    struct hf_item item = {.sort = def->sort};
    switch (def->kind) {
    case HF_DEF_CORE_INSTANTIATE: return hf_link_core_instantiate(l, f, def);
    case HF_DEF_CORE_BAG: return hf_link_core_bag(l, f, def);
    case HF_DEF_INSTANTIATE: return instantiate(l, f, def);
    case HF_DEF_BAG: return bag(l, f, def);
    case HF_DEF_ALIAS_EXPORT: return hf_eval_alias_export(&l->eval, f, def);
    case HF_DEF_ALIAS_CORE_EXPORT: return hf_link_alias_core(l, f, def);
    case HF_DEF_ALIAS_OUTER: return hf_eval_alias_outer(&l->eval, f, def);
    case HF_DEF_LIFT: return hf_link_lift(l, f, def);
    case HF_DEF_LOWER: return hf_link_lower(l, f, def);
    case HF_DEF_RESOURCE_NEW:
    case HF_DEF_RESOURCE_DROP:
    case HF_DEF_RESOURCE_REP: return hf_link_resource_canon(l, f, def);
    case HF_DEF_IMPORT: return import(l, f, def, args);
    case HF_DEF_EXPORT: return export(l, f, def);
    case HF_DEF_CORE_TYPE: return HF_OK;
    case HF_DEF_GATED: break; /* survey: something that nobody can look into */
    case HF_DEF_MODULE: item.module = def->module.number; break;
    case HF_DEF_COMPONENT: item.component = (struct hf_closure){def->component, f}; break;
    case HF_DEF_TYPE: HF_TRY(hf_eval_typedef(&l->eval, f, def->type, &item)); break;
    }
    if (item.sort != HF_SORT_COUNT)
        hf_eval_push(f, &item);
    return HF_OK;
}

static enum hf_err new_ci(struct hf_linker *l, const struct hf_scope *scope, uint32_t parent,
                          uint32_t *ret)
{
    struct hf_ci_def ci = {.parent = parent};
    if (l->cis.len >= l->in->limits.instances_max)
        return hf_report_set(l->eval.report, HF_LIMIT, "more than %u component instances",
                             l->in->limits.instances_max);
    if (scope->name.len != 0) {
        ci.name = hf_arena_copy(l->eval.keep, scope->name);
        if (ci.name.ptr == NULL)
            return hf_eval_out_of_memory(&l->eval);
    }
    *ret = (uint32_t)l->cis.len;
    if (!HF_VEC_PUSH(&l->cis, ci))
        return hf_eval_out_of_memory(&l->eval);
    return HF_OK;
}

enum hf_err hf_link_component(struct hf_linker *l, const struct hf_closure *c,
                              const struct hf_instanceval *args, uint32_t parent,
                              const struct hf_instanceval **ret)
{
    struct hf_frame *f;
    uint32_t ci = 0;
    if (c->scope->kind != HF_SCOPE_COMPONENT) /* survey: an imported component that is not there */
        return hf_eval_scope_type(&l->eval, c, args, NULL, ret);
    HF_TRY(hf_eval_enter(&l->eval));
    HF_TRY(new_ci(l, c->scope, parent, &ci));
    HF_TRY(hf_eval_frame(&l->eval, c->scope, c->frame, ci, &f));
    for (const struct hf_def *def = c->scope->defs; def != NULL; def = def->next)
        HF_TRY(eval_def(l, f, def, args));
    l->eval.depth--;
    return hf_eval_instance(&l->eval, f->exports, f->n_exports, ret);
}

/* ---- the result ---- */

static enum hf_err add_export(struct hf_linker *l, struct hf_export *exports, uint32_t *n,
                              struct hf_view iface, const struct hf_named_item *it)
{
    struct hf_export *e = &exports[(*n)++];
    e->iface = iface;
    e->name = hf_arena_copy(l->eval.keep, it->name);
    e->func = it->item.func.def;
    e->type = it->item.func.type;
    if (e->name.ptr == NULL)
        return hf_eval_out_of_memory(&l->eval);
    return HF_OK;
}

/* The root's functions and those of its exported instances, one level down. */
static enum hf_err flatten(struct hf_linker *l, const struct hf_instanceval *root)
{
    uint32_t most = 0, n = 0;
    for (uint32_t i = 0; i < root->n; i++) {
        const struct hf_item *item = &root->items[i].item;
        uint32_t more = item->sort == HF_SORT_INSTANCE ? item->instance->n : 1;
        HF_TRY(hf_eval_work(&l->eval, more));
        most += more;
    }
    struct hf_export *exports = hf_arena_array(l->eval.keep, (size_t)most + 1, sizeof *exports);
    if (exports == NULL)
        return hf_eval_out_of_memory(&l->eval);
    for (uint32_t i = 0; i < root->n; i++) {
        const struct hf_named_item *it = &root->items[i];
        if (it->item.sort == HF_SORT_FUNC)
            HF_TRY(add_export(l, exports, &n, hf_view(NULL, 0), it));
        if (it->item.sort != HF_SORT_INSTANCE)
            continue;
        for (uint32_t k = 0; k < it->item.instance->n; k++)
            if (it->item.instance->items[k].item.sort == HF_SORT_FUNC)
                HF_TRY(add_export(l, exports, &n, it->name, &it->item.instance->items[k]));
    }
    l->out->program.exports = exports;
    l->out->program.n_exports = n;
    return HF_OK;
}

static const void *keep_copy(struct hf_linker *l, const void *ptr, size_t n, size_t size)
{
    void *copy = hf_arena_array(l->eval.keep, n + 1, size);
    if (copy != NULL && n != 0)
        memcpy(copy, ptr, n * size);
    return copy;
}

static enum hf_err finish(struct hf_linker *l, const struct hf_instanceval *root)
{
    struct hf_linked *out = l->out;
    struct hf_program *p = &out->program;
    struct hf_port *exports = hf_arena_array(l->eval.tmp, (size_t)root->n + 1, sizeof *exports);
    HF_TRY(flatten(l, root));
    p->n_modules = (uint32_t)l->module_numbers.len;
    p->n_core_instances = l->n_core_instances;
    p->cis = keep_copy(l, l->cis.ptr, l->cis.len, sizeof *l->cis.ptr);
    p->n_cis = (uint32_t)l->cis.len;
    p->lifts = keep_copy(l, l->lifts.ptr, l->lifts.len, sizeof *l->lifts.ptr);
    p->n_lifts = (uint32_t)l->lifts.len;
    p->tramps = keep_copy(l, l->tramps.ptr, l->tramps.len, sizeof *l->tramps.ptr);
    p->n_tramps = (uint32_t)l->tramps.len;
    p->steps = keep_copy(l, l->steps.ptr, l->steps.len, sizeof *l->steps.ptr);
    p->n_steps = (uint32_t)l->steps.len;
    p->resources = l->resources;
    p->n_resources = l->n_resources;
    out->module_numbers =
        keep_copy(l, l->module_numbers.ptr, l->module_numbers.len, sizeof *l->module_numbers.ptr);
    out->imports = keep_copy(l, l->imports.ptr, l->imports.len, sizeof *l->imports.ptr);
    out->n_imports = (uint32_t)l->imports.len;
    if (p->cis == NULL || p->lifts == NULL || p->tramps == NULL || p->steps == NULL ||
        exports == NULL || out->module_numbers == NULL || out->imports == NULL)
        return hf_eval_out_of_memory(&l->eval);
    for (uint32_t i = 0; i < root->n; i++)
        exports[i] = (struct hf_port){.name = root->items[i].name, .item = root->items[i].item};
    out->exports = exports;
    out->n_exports = root->n;
    return HF_OK;
}

static enum hf_err run(struct hf_linker *l)
{
    const struct hf_instanceval *root;
    struct hf_closure c = {l->in->tree->root, NULL};
    size_t n_modules = (size_t)l->in->tree->n_modules +
                       (l->in->reg == NULL ? 0 : l->in->reg->modules.len);

    l->module_slots = hf_arena_array(l->eval.tmp, n_modules + 1, sizeof *l->module_slots);
    if (l->module_slots == NULL)
        return hf_eval_out_of_memory(&l->eval);
    for (size_t i = 0; i < n_modules; i++)
        l->module_slots[i] = HF_NO_INDEX;
    if (!l->survey) {
        l->resources =
            hf_arena_array(l->eval.keep, (size_t)l->in->n_resources + 1, sizeof *l->resources);
        if (l->resources == NULL)
            return hf_eval_out_of_memory(&l->eval);
    }
    HF_TRY(hf_link_component(l, &c, NULL, HF_NO_INDEX, &root));
    return finish(l, root);
}

enum hf_err hf_link(const struct hf_link_input *in, struct hf_arena *keep, struct hf_arena *tmp,
                    struct hf_linked *ret, struct hf_report *report)
{
    struct hf_linker l = {.in = in, .out = ret, .survey = in->modules == NULL};
    *ret = (struct hf_linked){0};
    l.eval = (struct hf_eval){.keep = keep,
                              .tmp = tmp,
                              .report = report,
                              .owner = &l,
                              .type_depth_max = in->limits.type_depth_max,
                              .fresh_resource = hf_link_fresh_resource,
                              .fresh_func = hf_link_fresh_func,
                              .differs = hf_link_differs,
                              .define_resource = hf_link_define_resource};
    enum hf_err err = run(&l);
    HF_VEC_DONE(&l.steps);
    HF_VEC_DONE(&l.lifts);
    HF_VEC_DONE(&l.tramps);
    HF_VEC_DONE(&l.cis);
    HF_VEC_DONE(&l.imports);
    HF_VEC_DONE(&l.module_numbers);
    if (err != HF_OK)
        hf_buf_done(&ret->missing);
    return err;
}
