/* link_core.c - core instances, bags of core items, aliases of core exports; core types compared
 * (S2).
 *
 * Every core item is followed to where it really comes from: an export of an instantiated module,
 * or a trampoline. Bags and aliases leave no trace in the program. Names are looked up in two
 * levels, within one instantiation (1.3).
 */
#include "component/link_in.h"

#include "base/vec.h"

/* ---- core function types ---- */

bool hf_functype_eq(const struct hf_functype *a, const struct hf_functype *b)
{
    if (a->n_params != b->n_params || a->n_results != b->n_results)
        return false;
    for (uint32_t i = 0; i < a->n_params; i++)
        if (a->params[i] != b->params[i] || a->params[i] == HF_REF_OTHER)
            return false;
    for (uint32_t i = 0; i < a->n_results; i++)
        if (a->results[i] != b->results[i] || a->results[i] == HF_REF_OTHER)
            return false;
    return true;
}

/* Types that only the engine can tell apart. */
static bool has_other_refs(const struct hf_functype *t)
{
    for (uint32_t i = 0; i < t->n_params; i++)
        if (t->params[i] == HF_REF_OTHER)
            return true;
    for (uint32_t i = 0; i < t->n_results; i++)
        if (t->results[i] == HF_REF_OTHER)
            return true;
    return false;
}

static enum hf_err put_types(const enum hf_core_type *types, uint32_t n, struct hf_buf *ret)
{
    static const char *const text[] = {[HF_I32] = "i32",
                                       [HF_I64] = "i64",
                                       [HF_F32] = "f32",
                                       [HF_F64] = "f64",
                                       [HF_V128] = "v128",
                                       [HF_FUNCREF] = "funcref",
                                       [HF_EXTERNREF] = "externref",
                                       [HF_REF_OTHER] = "ref"};
    HF_TRY(hf_buf_add_byte(ret, '('));
    for (uint32_t i = 0; i < n; i++) {
        HF_TRY(hf_buf_add_text(ret, i == 0 ? "" : " "));
        HF_TRY(hf_buf_add_text(ret, text[types[i]]));
    }
    return hf_buf_add_byte(ret, ')');
}

enum hf_err hf_functype_text(const struct hf_functype *t, struct hf_buf *ret)
{
    HF_TRY(put_types(t->params, t->n_params, ret));
    HF_TRY(hf_buf_add_text(ret, "->"));
    return put_types(t->results, t->n_results, ret);
}

enum hf_err hf_link_check_type(struct hf_linker *l, const char *what, const struct hf_coreval *core,
                               const struct hf_functype *want)
{
    struct hf_buf text = {0};
    if (l->survey)
        return HF_OK;
    if (core->type == NULL)
        return hf_report_set(l->eval.report, HF_INVALID, "%s: not a function", what);
    if (hf_functype_eq(core->type, want))
        return HF_OK;
    enum hf_err err = hf_functype_text(core->type, &text);
    if (err == HF_OK)
        err = hf_buf_add_text(&text, " where ");
    if (err == HF_OK)
        err = hf_functype_text(want, &text);
    if (err == HF_OK)
        err = hf_report_set(l->eval.report, HF_INVALID,
                            "%s: the core function has type %.*s is needed", what,
                            HF_FMT(hf_buf_view(&text)));
    else
        err = hf_eval_out_of_memory(&l->eval);
    hf_buf_done(&text);
    return err;
}

/* ---- exports of core instances ---- */

static enum hf_err no_export(struct hf_linker *l, enum hf_core_kind kind, struct hf_view name)
{
    return hf_report_set(l->eval.report, HF_INVALID, "a core instance exports no %s \"%.*s\"",
                         hf_sort_text((enum hf_sort)kind), HF_FMT(name));
}

/* `kind` < 0: any. */
static enum hf_err find_export(struct hf_linker *l, const struct hf_coreinstval *from,
                               struct hf_view name, enum hf_core_kind kind, struct hf_coreval *ret)
{
    if (!from->real) {
        uint32_t i = hf_name_index_find(&from->index, name);
        if (i == HF_NO_INDEX || from->items[i].core.def.kind != kind)
            return no_export(l, kind, name);
        *ret = from->items[i].core;
        return HF_OK;
    }
    *ret = (struct hf_coreval){.def = {.from = HF_FROM_EXPORT, .index = from->slot, .kind = kind}};
    if (from->module != NULL) {
        const struct hf_core_item *item = hf_module_find_export(from->module, name);
        if (item == NULL || item->kind != kind)
            return no_export(l, kind, name);
        ret->def.name = item->name; /* lives as long as the module, as the program does */
        ret->type = kind == HF_CORE_FUNC ? &item->func : NULL;
        ret->memory64 = item->memory64;
        ret->shared = item->shared;
    }
    return HF_OK;
}

enum hf_err hf_link_alias_core(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_item from = {0}, item = {.sort = def->sort};
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_CORE_INSTANCE, def->alias.instance, &from));
    HF_TRY(find_export(l, from.core_instance, def->alias.name, (enum hf_core_kind)def->sort,
                       &item.core));
    hf_eval_push(f, &item);
    return HF_OK;
}

enum hf_err hf_link_core_bag(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_item item = {.sort = HF_SORT_CORE_INSTANCE};
    struct hf_coreinstval *v = HF_ARENA_NEW(l->eval.tmp, struct hf_coreinstval);
    struct hf_named_core *items =
        hf_arena_array(l->eval.tmp, (size_t)def->bag.n + 1, sizeof *items);
    if (v == NULL || items == NULL)
        return hf_eval_out_of_memory(&l->eval);
    HF_TRY(hf_eval_work(&l->eval, def->bag.n));
    for (uint32_t i = 0; i < def->bag.n; i++) {
        const struct hf_named_index *it = &def->bag.items[i];
        struct hf_item core = {0};
        HF_TRY(hf_eval_at(&l->eval, f, it->at.sort, it->at.index, &core));
        items[i].name = it->name;
        items[i].core = core.core;
        items[i].core.def.kind = (enum hf_core_kind)it->at.sort;
    }
    v->items = items;
    if (hf_name_index_make(l->eval.tmp, items, sizeof *items, def->bag.n, &v->index) != HF_OK)
        return hf_eval_out_of_memory(&l->eval);
    item.core_instance = v;
    hf_eval_push(f, &item);
    return HF_OK;
}

/* ---- instantiating modules ---- */

/* The program's number of a module of the file or the host: given at its first use, the same in
 * survey and final link. */
static enum hf_err module_slot(struct hf_linker *l, uint32_t number, uint32_t *ret)
{
    size_t at = number;
    if (number >= HF_HOST_MODULE)
        at = (size_t)l->in->tree->n_modules + (number - HF_HOST_MODULE);
    if (l->module_slots[at] == HF_NO_INDEX) {
        l->module_slots[at] = (uint32_t)l->module_numbers.len;
        if (!HF_VEC_PUSH(&l->module_numbers, number))
            return hf_eval_out_of_memory(&l->eval);
    }
    *ret = l->module_slots[at];
    return HF_OK;
}

static enum hf_err import_type_differs(struct hf_linker *l, const struct hf_core_item *want,
                                       const struct hf_functype *given)
{
    struct hf_buf text = {0};
    enum hf_err err = hf_functype_text(given, &text);
    if (err == HF_OK)
        err = hf_buf_add_text(&text, ", wanted ");
    if (err == HF_OK)
        err = hf_functype_text(&want->func, &text);
    if (err == HF_OK)
        err = hf_report_set(l->eval.report, HF_INVALID,
                            "core import \"%.*s\" \"%.*s\" is given a function of type %.*s",
                            HF_FMT(want->module), HF_FMT(want->name), HF_FMT(hf_buf_view(&text)));
    else
        err = hf_eval_out_of_memory(&l->eval);
    hf_buf_done(&text);
    return err;
}

static enum hf_err find_import(struct hf_linker *l, struct hf_frame *f,
                               const struct hf_named_index *args, const struct hf_name_index *index,
                               const struct hf_core_item *want, struct hf_core_def *ret)
{
    struct hf_coreval core;
    struct hf_item from = {0};
    uint32_t i = hf_name_index_find(index, want->module);
    if (i == HF_NO_INDEX)
        return hf_report_set(l->eval.report, HF_INVALID,
                             "a core instantiation lacks the argument \"%.*s\"",
                             HF_FMT(want->module));
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_CORE_INSTANCE, args[i].at.index, &from));
    enum hf_err err = find_export(l, from.core_instance, want->name, want->kind, &core);
    if (err != HF_OK)
        return hf_report_wrap(l->eval.report, err,
                              "core import \"%.*s\" \"%.*s\"", HF_FMT(want->module),
                              HF_FMT(want->name));
    /* The engine checks again, with types that we do not model. */
    if (want->kind == HF_CORE_FUNC && core.type != NULL && !has_other_refs(&want->func) &&
        !has_other_refs(core.type) && !hf_functype_eq(core.type, &want->func))
        return import_type_differs(l, want, core.type);
    *ret = core.def;
    return HF_OK;
}

static enum hf_err find_imports(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def,
                                const struct hf_module *m, struct hf_step *step)
{
    size_t n = hf_module_n_imports(m);
    struct hf_name_index index;
    struct hf_core_def *args = hf_arena_array(l->eval.keep, n + 1, sizeof *args);
    if (args == NULL || n > UINT32_MAX ||
        hf_name_index_make(l->eval.tmp, def->instantiate.args, sizeof *def->instantiate.args,
                           def->instantiate.n, &index) != HF_OK)
        return hf_eval_out_of_memory(&l->eval);
    HF_TRY(hf_eval_work(&l->eval, (uint32_t)n));
    for (size_t i = 0; i < n; i++)
        HF_TRY(find_import(l, f, def->instantiate.args, &index, hf_module_import(m, i), &args[i]));
    step->args = args;
    step->n_args = (uint32_t)n;
    return HF_OK;
}

enum hf_err hf_link_core_instantiate(struct hf_linker *l, struct hf_frame *f,
                                     const struct hf_def *def)
{
    struct hf_item module = {0}, item = {.sort = HF_SORT_CORE_INSTANCE};
    struct hf_coreinstval *v = HF_ARENA_NEW(l->eval.tmp, struct hf_coreinstval);
    if (v == NULL)
        return hf_eval_out_of_memory(&l->eval);
    if (l->n_core_instances >= l->in->limits.core_instances_max)
        return hf_report_set(l->eval.report, HF_LIMIT, "more than %u core instances",
                             l->in->limits.core_instances_max);
    v->real = true;
    v->slot = l->n_core_instances++;
    item.core_instance = v;
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_MODULE, def->instantiate.index, &module));
    if (module.module != HF_NO_INDEX) { /* else: an imported module, missing, survey only */
        struct hf_step step = {.kind = HF_STEP_CORE_NEW, .index = v->slot, .ci = f->ci};
        HF_TRY(module_slot(l, module.module, &step.module));
        if (!l->survey) {
            v->module = l->in->modules[step.module];
            HF_TRY(find_imports(l, f, def, v->module, &step));
        }
        HF_TRY(hf_link_step(l, step));
    }
    hf_eval_push(f, &item);
    return HF_OK;
}
