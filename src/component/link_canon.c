/* link_canon.c - canon lift, lower, resource.*, and resource definitions: options resolved and
 * checked (S2, S3).
 */
#include "component/link_in.h"

#include "base/vec.h"

static const enum hf_core_type i32s[4] = {HF_I32, HF_I32, HF_I32, HF_I32};
static const struct hf_functype realloc_type = {4, 1, i32s, i32s};
static const struct hf_functype take_i32 = {1, 0, i32s, i32s};   /* dtor, resource.drop */
static const struct hf_functype i32_to_i32 = {1, 1, i32s, i32s}; /* resource.new, resource.rep */

/* ---- options ---- */

static enum hf_err core_func_at(struct hf_linker *l, struct hf_frame *f, uint32_t index,
                                struct hf_coreval *ret)
{
    struct hf_item item = {0};
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_CORE_FUNC, index, &item));
    *ret = item.core;
    return HF_OK;
}

static enum hf_err resolve_memory(struct hf_linker *l, struct hf_frame *f, uint32_t index,
                                  struct hf_core_def *ret)
{
    struct hf_item item = {0};
    if (index == HF_NO_INDEX)
        return HF_OK;
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_CORE_MEMORY, index, &item));
    if (item.core.memory64)
        return hf_report_set(l->eval.report, HF_UNSUPPORTED, "canon options name a 64-bit memory");
    if (item.core.shared)
        return hf_report_set(l->eval.report, HF_UNSUPPORTED, "canon options name a shared memory");
    *ret = item.core.def;
    return HF_OK;
}

static enum hf_err resolve_func(struct hf_linker *l, struct hf_frame *f, uint32_t index,
                                const char *what, const struct hf_functype *type,
                                struct hf_core_def *ret)
{
    struct hf_coreval core;
    if (index == HF_NO_INDEX)
        return HF_OK;
    HF_TRY(core_func_at(l, f, index, &core));
    HF_TRY(hf_link_check_type(l, what, &core, type));
    *ret = core.def;
    return HF_OK;
}

/* S3. Nothing is asked for in a survey: gated async functions have rules of their own. */
static enum hf_err check_needs(struct hf_linker *l, const char *what, const struct hf_opts_def *def,
                               const struct hf_ftype *type, bool needs_realloc)
{
    if (l->survey)
        return HF_OK;
    if (type->needs_memory && def->memory == HF_NO_INDEX)
        return hf_report_set(l->eval.report, HF_INVALID, "%s: its type needs the option memory",
                             what);
    if (needs_realloc && def->realloc == HF_NO_INDEX)
        return hf_report_set(l->eval.report, HF_INVALID, "%s: its type needs the option realloc",
                             what);
    return HF_OK;
}

static enum hf_err resolve(struct hf_linker *l, struct hf_frame *f, const char *what,
                           const struct hf_opts_def *def, const struct hf_ftype *type, bool lift,
                           struct hf_canon_opts *ret)
{
    const struct hf_functype post_return = {type->lift.n_results, 0, type->lift.results, i32s};
    *ret = (struct hf_canon_opts){.enc = def->enc};
    HF_TRY(check_needs(l, what, def, type,
                       lift ? type->needs_realloc_lift : type->needs_realloc_lower));
    HF_TRY(resolve_memory(l, f, def->memory, &ret->memory));
    HF_TRY(resolve_func(l, f, def->realloc, "realloc", &realloc_type, &ret->realloc));
    return resolve_func(l, f, def->post_return, "post-return", &post_return, &ret->post_return);
}

/* ---- lift and lower ---- */

enum hf_err hf_link_lift(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_item type = {0}, item = {.sort = HF_SORT_FUNC};
    struct hf_lift lift = {.ci = f->ci};
    struct hf_coreval core;

    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_TYPE, def->canon.type, &type));
    if (type.type.kind != HF_TYPEVAL_FUNC)
        return hf_report_set(l->eval.report, HF_INVALID,
                             "canon lift with type %u, which is not a function's", def->canon.type);
    lift.type = type.type.func;
    HF_TRY(core_func_at(l, f, def->canon.func, &core));
    HF_TRY(hf_link_check_type(l, "canon lift", &core, &lift.type->lift));
    HF_TRY(resolve(l, f, "canon lift", &def->canon.opts, lift.type, true, &lift.opts));
    lift.func = core.def;
    item.func.def = (struct hf_func_def){.from = HF_FUNC_LIFT, .lift = (uint32_t)l->lifts.len};
    item.func.type = lift.type;
    if (!HF_VEC_PUSH(&l->lifts, lift))
        return hf_eval_out_of_memory(&l->eval);
    HF_TRY(hf_link_step(
        l, (struct hf_step){.kind = HF_STEP_LIFT, .index = item.func.def.lift, .ci = f->ci}));
    hf_eval_push(f, &item);
    return HF_OK;
}

static enum hf_err add_tramp(struct hf_linker *l, struct hf_frame *f, const struct hf_tramp *tramp,
                             const struct hf_functype *type)
{
    struct hf_item item = {.sort = HF_SORT_CORE_FUNC};
    item.core.def = (struct hf_core_def){
        .from = HF_FROM_TRAMP, .index = (uint32_t)l->tramps.len, .kind = HF_CORE_FUNC};
    item.core.type = type;
    if (!HF_VEC_PUSH(&l->tramps, *tramp))
        return hf_eval_out_of_memory(&l->eval);
    HF_TRY(hf_link_step(
        l, (struct hf_step){.kind = HF_STEP_TRAMP, .index = item.core.def.index, .ci = f->ci}));
    hf_eval_push(f, &item);
    return HF_OK;
}

enum hf_err hf_link_lower(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_tramp tramp = {.kind = HF_TRAMP_LOWER, .ci = f->ci};
    struct hf_item item = {0};
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_FUNC, def->canon.func, &item));
    HF_TRY(resolve(l, f, "canon lower", &def->canon.opts, item.func.type, false, &tramp.opts));
    tramp.func = item.func.def;
    return add_tramp(l, f, &tramp, &item.func.type->lower);
}

/* ---- resources ---- */

enum hf_err hf_link_resource_canon(struct hf_linker *l, struct hf_frame *f,
                                   const struct hf_def *def)
{
    struct hf_tramp tramp = {.ci = f->ci};
    struct hf_item item = {0};
    HF_TRY(hf_eval_at(&l->eval, f, HF_SORT_TYPE, def->canon.type, &item));
    if (item.type.kind != HF_TYPEVAL_RESOURCE)
        return hf_report_set(l->eval.report, HF_INVALID,
                             "canon resource.* with type %u, which is not a resource",
                             def->canon.type);
    tramp.resource = item.type.resource;
    if (def->kind == HF_DEF_RESOURCE_DROP) {
        tramp.kind = HF_TRAMP_RESOURCE_DROP;
        return add_tramp(l, f, &tramp, &take_i32);
    }
    tramp.kind = def->kind == HF_DEF_RESOURCE_NEW ? HF_TRAMP_RESOURCE_NEW : HF_TRAMP_RESOURCE_REP;
    if (tramp.resource->host != NULL || tramp.resource->ci != f->ci)
        return hf_report_set(
            l->eval.report, HF_INVALID,
            "canon resource.new or resource.rep with a resource that is not defined here");
    return add_tramp(l, f, &tramp, &i32_to_i32);
}

/* A new identity for each instantiation (H6). */
enum hf_err hf_link_define_resource(struct hf_eval *e, struct hf_frame *f,
                                    const struct hf_typedef *t, struct hf_resource_type **ret)
{
    struct hf_linker *l = hf_linker_of(e);
    struct hf_resource_def *r;
    if (l->survey)
        r = HF_ARENA_NEW(e->keep, struct hf_resource_def);
    else
        r = l->n_resources < l->in->n_resources ? &l->resources[l->n_resources] : NULL;
    if (r == NULL)
        return hf_eval_out_of_memory(e);
    r->type.index = l->n_resources++;
    r->type.ci = f->ci;
    HF_TRY(resolve_func(l, f, t->dtor, "a resource's destructor", &take_i32, &r->dtor));
    *ret = &r->type;
    return hf_link_step(
        l, (struct hf_step){.kind = HF_STEP_RESOURCE, .index = r->type.index, .ci = f->ci});
}
