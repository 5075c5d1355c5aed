/* steps.c - makes an instance by running its component's program, on the fiber.
 *
 * Linking has done all the thinking: here each step looks up core items that exist by now and
 * writes one slot. What is checked again is what protects the host's own memory, in case the linker
 * was wrong: the core type of everything that is called unchecked (S2), and that the memory and
 * realloc a type needs are there (S3).
 */
#include "component/image_int.h"

static enum hf_err broken(struct hf_instance *inst, const char *what, uint32_t index,
                          struct hf_view name)
{
    return hf_report_set(hf_store_report(inst->store), HF_INVALID,
                         "the linked component does not fit: %s %u%s%.*s", what, index,
                         name.len != 0 ? ": " : "", HF_FMT(name));
}

static enum hf_err resolve(struct hf_instance *inst, const struct hf_core_def *def,
                           struct hf_extern *ret)
{
    switch (def->from) {
    case HF_FROM_EXPORT:
        if (HF_LIKELY(hf_core_export(inst->store, &inst->cores[def->index], def->name, ret)))
            return HF_OK;
        return broken(inst, "no such export of core instance", def->index, def->name);
    case HF_FROM_TRAMP: hf_extern_of_func(&inst->tramps[def->index].func, ret); return HF_OK;
    case HF_FROM_NONE: break;
    }
    return broken(inst, "an item from nowhere", def->index, def->name);
}

/* A function that will be called unchecked: of exactly this type (S2). */
static enum hf_err resolve_func(struct hf_instance *inst, const struct hf_core_def *def,
                                const struct hf_functype *type, struct hf_func *ret)
{
    struct hf_extern ext;
    enum hf_err err = resolve(inst, def, &ext);
    if (err != HF_OK)
        return err;
    if (!hf_extern_func(&ext, ret) || !hf_func_is(inst->store, ret, type))
        return broken(inst, "not the function type that is called [S2]: core instance", def->index,
                      def->name);
    return HF_OK;
}

static const enum hf_core_type i32s[] = {HF_I32, HF_I32, HF_I32, HF_I32};
static const struct hf_functype realloc_type = {4, 1, i32s, i32s};
static const struct hf_functype i32_type = {1, 1, i32s, i32s};  /* resource.new, resource.rep */
static const struct hf_functype drop_type = {1, 0, i32s, NULL}; /* resource.drop, destructors */

/* `lift`: NULL for canon lower. */
static enum hf_err resolve_opts(struct hf_instance *inst, const struct hf_canon_opts *opts,
                                const struct hf_functype *lift, struct hf_canon_rt *ret)
{
    enum hf_err err = HF_OK;
    ret->enc = opts->enc;
    ret->has_memory = opts->memory.from != HF_FROM_NONE;
    ret->has_realloc = opts->realloc.from != HF_FROM_NONE;
    ret->has_post_return = lift != NULL && opts->post_return.from != HF_FROM_NONE;
    if (ret->has_memory) {
        struct hf_extern ext;
        err = resolve(inst, &opts->memory, &ext);
        if (err == HF_OK && !hf_extern_memory(&ext, &ret->memory))
            err = broken(inst, "not a memory [S3]: core instance", opts->memory.index,
                         opts->memory.name);
        if (err == HF_OK)
            hf_memory_get(inst->store, &ret->memory, &ret->mem, &ret->mem_size);
    }
    if (err == HF_OK && ret->has_realloc)
        err = resolve_func(inst, &opts->realloc, &realloc_type, &ret->realloc);
    if (err == HF_OK && ret->has_post_return) {
        struct hf_functype type = {lift->n_results, 0, lift->results, NULL};
        err = resolve_func(inst, &opts->post_return, &type, &ret->post_return);
    }
    return err;
}

static enum hf_err check_opts(struct hf_instance *inst, const struct hf_canon_rt *opts,
                              bool needs_memory, bool needs_realloc, const char *what,
                              uint32_t index)
{
    if (needs_memory && !opts->has_memory)
        return broken(inst, what, index, HF_VIEW("no memory option [S3]"));
    if (needs_realloc && (!opts->has_realloc || !opts->has_memory))
        return broken(inst, what, index, HF_VIEW("no realloc option [S3]"));
    return HF_OK;
}

/* ---- the steps ---- */

/* Start functions run inside their component instance: nobody may enter it meanwhile but from
 * itself (E1). */
static enum hf_err run_start(struct hf_instance *inst, const struct hf_step *step)
{
    const struct hf_module *m = inst->program->modules[step->module];
    if (!hf_module_has_start(m))
        return HF_OK;
    struct hf_ci *ci = &inst->cis[step->ci];
    bool entered = hf_ci_enter(ci, NULL);
    HF_ASSERT(entered); /* steps run one after the other, not inside a call */
    inst->current = ci;
    enum hf_err err = hf_core_start(inst->store, m, &inst->cores[step->index]);
    inst->current = NULL;
    if (err == HF_OK)
        hf_ci_leave(ci, NULL);
    return err;
}

static enum hf_err make_core(struct hf_instance *inst, const struct hf_step *step)
{
    struct hf_arena_mark mark = hf_arena_mark(&inst->arena);
    struct hf_extern *imports =
        hf_arena_alloc(&inst->arena, (step->n_args + 1) * sizeof *imports, 16);
    enum hf_err err = imports != NULL ? HF_OK
                                      : hf_report_set(hf_store_report(inst->store), HF_LIMIT,
                                                      "out of memory for %u imports", step->n_args);
    for (uint32_t i = 0; i < step->n_args && err == HF_OK; i++)
        err = resolve(inst, &step->args[i], &imports[i]);
    if (err == HF_OK)
        err = hf_core_new(inst->store, inst->program->modules[step->module], imports, step->n_args,
                          &inst->cores[step->index], hf_store_report(inst->store));
    hf_arena_release(&inst->arena, &mark);
    return err;
}

static const struct hf_ftype *type_of(const struct hf_instance *inst, const struct hf_func_def *f)
{
    return f->from == HF_FUNC_HOST ? f->host->type : inst->program->lifts[f->lift].type;
}

static enum hf_err make_tramp(struct hf_instance *inst, const struct hf_step *step)
{
    const struct hf_tramp *def = &inst->program->tramps[step->index];
    struct hf_tramp_rt *t = &inst->tramps[step->index];
    const struct hf_functype *type = NULL;
    hf_import_fn fn = NULL;
    enum hf_err err = HF_OK;
    t->def = def;
    t->ci = &inst->cis[def->ci];
    switch (def->kind) {
    case HF_TRAMP_LOWER: {
        const struct hf_ftype *f = type_of(inst, &def->func);
        type = &f->lower;
        fn = def->func.from != HF_FUNC_HOST          ? hf_tramp_lower
             : def->func.host->direct != NULL ? hf_tramp_direct
                                              : hf_tramp_host;
        err = resolve_opts(inst, &def->opts, NULL, &t->opts);
        if (err == HF_OK)
            err = check_opts(inst, &t->opts, f->needs_memory, f->needs_realloc_lower,
                             "lowered function", step->index);
        break;
    }
    case HF_TRAMP_RESOURCE_NEW:
        type = &i32_type;
        fn = hf_tramp_resource_new;
        break;
    case HF_TRAMP_RESOURCE_REP:
        type = &i32_type;
        fn = hf_tramp_resource_rep;
        break;
    case HF_TRAMP_RESOURCE_DROP:
        type = &drop_type;
        fn = hf_tramp_resource_drop;
        break;
    }
    if (err != HF_OK)
        return err;
    return hf_func_new(inst->store, type, fn, t, &t->func);
}

static enum hf_err make_resource(struct hf_instance *inst, const struct hf_step *step)
{
    const struct hf_resource_def *def = &inst->program->resources[step->index];
    struct hf_resource_rt *r = &inst->resources[step->index];
    r->def = def;
    r->has_dtor = def->dtor.from != HF_FROM_NONE;
    return r->has_dtor ? resolve_func(inst, &def->dtor, &drop_type, &r->dtor) : HF_OK;
}

static enum hf_err make_lift(struct hf_instance *inst, const struct hf_step *step)
{
    const struct hf_lift *def = &inst->program->lifts[step->index];
    struct hf_lift_rt *l = &inst->lifts[step->index];
    l->def = def;
    l->ci = &inst->cis[def->ci];
    enum hf_err err = resolve_func(inst, &def->func, &def->type->lift, &l->func);
    if (err == HF_OK)
        err = resolve_opts(inst, &def->opts, &def->type->lift, &l->opts);
    if (err == HF_OK)
        err = check_opts(inst, &l->opts, def->type->needs_memory, def->type->needs_realloc_lift,
                         "lifted function", step->index);
    return err;
}

enum hf_err hf_instance_run_steps(void *ctx)
{
    struct hf_instance *inst = ctx;
    const struct hf_program *p = inst->program;
    for (; inst->steps_done < p->n_steps; inst->steps_done++) {
        const struct hf_step *step = &p->steps[inst->steps_done];
        enum hf_err err = HF_OK;
        switch (step->kind) {
        case HF_STEP_CORE_NEW: err = make_core(inst, step); break;
        case HF_STEP_TRAMP: err = make_tramp(inst, step); break;
        case HF_STEP_RESOURCE: err = make_resource(inst, step); break;
        case HF_STEP_LIFT: err = make_lift(inst, step); break;
        }
        if (err == HF_OK && step->kind == HF_STEP_CORE_NEW)
            err = inst->loading != NULL ? hf_image_grow_core(inst, step) : run_start(inst, step);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}
