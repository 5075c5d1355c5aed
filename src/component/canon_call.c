/* canon_call.c - calls across the boundary: into lifted functions, out of lowered ones, and what
 * goes with resources.
 *
 * A component-level call is lower, call, lift, post-return in plain C on the fiber; any step may
 * block (T4). There are three kinds:
 * - host to guest: hf_canon_call (C1);
 * - guest to guest: call_guest, which lifts from the caller, lowers into the callee, and the same
 *   back (C6). The result is in the caller's memory before the callee's post-return runs, so
 *   nothing has to be copied in between;
 * - guest to host: hostcall.c.
 *
 * Any failure leaves flags and scopes as they are: the tree is dead then (E3), and the owner of the
 * instance says so.
 */
#include "component/membrane.h"

/* ---- entering component instances: E1, E2 ---- */

/* Whether `ci` is `of` or one of its ancestors. */
static bool is_above(const struct hf_ci *ci, const struct hf_ci *of)
{
    while (of != NULL && of != ci)
        of = of->parent;
    return of != NULL;
}

bool hf_ci_enter(struct hf_ci *to, struct hf_ci *from)
{
    for (const struct hf_ci *ci = to; ci != NULL && !is_above(ci, from); ci = ci->parent) {
        if (!ci->may_enter)
            return false;
    }
    for (struct hf_ci *ci = to; ci != NULL && !is_above(ci, from); ci = ci->parent)
        ci->may_enter = false;
    return true;
}

void hf_ci_leave(struct hf_ci *to, struct hf_ci *from)
{
    for (struct hf_ci *ci = to; ci != NULL && !is_above(ci, from); ci = ci->parent)
        ci->may_enter = true;
}

static enum hf_err cannot_enter(const struct hf_ci *to)
{
    return hf_canon_trap(
        to->inst, "cannot enter component instance %u: it is on the stack already [E1]", to->index);
}

enum hf_err hf_check_leave(const struct hf_ci *ci, struct hf_view of, const char *name,
                           struct hf_view rest)
{
    if (HF_LIKELY(ci->may_leave))
        return HF_OK;
    return hf_canon_trap(ci->inst,
                         "cannot leave component instance %u: its realloc or post-return called "
                         "%.*s%s%.*s [C3]",
                         ci->index, HF_FMT(of), name, HF_FMT(rest));
}

static enum hf_err check_leave_resource(const struct hf_tramp_rt *tramp, const char *what)
{
    return hf_check_leave(tramp->ci, hf_view_of(what), " of ", tramp->def->resource->name);
}

/* ---- calling a lifted function ---- */

static enum hf_err call_core(struct hf_instance *inst, struct hf_ci *ci, const struct hf_func *f,
                             union hf_val *vals, size_t n_vals)
{
    struct hf_ci *before = inst->current;
    inst->current = ci;
    enum hf_err err = hf_store_call(inst->store, f, vals, n_vals);
    inst->current = before;
    return err;
}

static size_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* From here on the arguments are the callee's. */
static enum hf_err call_lifted(struct hf_lift_rt *l, union hf_val *vals)
{
    const struct hf_functype *t = &l->def->type->lift;
    return call_core(l->ci->inst, l->ci, &l->func, vals, most(t->n_params, t->n_results));
}

/* Borrows that the callee was given must be gone when it has returned. */
static enum hf_err check_borrows(struct hf_lift_rt *l, const struct hf_scope *scope)
{
    if (HF_LIKELY(scope->n_borrows == 0))
        return HF_OK;
    return hf_canon_trap(l->ci->inst,
                         "borrow handles still remain at the end of the call: %u in component "
                         "instance %u [C1]",
                         scope->n_borrows, l->ci->index);
}

/* `flat`: what the core function returned; it is copied, the callee may write over its own. */
static enum hf_err post_return(struct hf_lift_rt *l, const union hf_val *flat)
{
    union hf_val vals[1];
    if (!l->opts.has_post_return)
        return HF_OK;
    vals[0] = *flat;
    l->ci->may_leave = false;
    enum hf_err err =
        call_core(l->ci->inst, l->ci, &l->opts.post_return, vals, l->def->type->lift.n_results);
    if (err == HF_OK)
        l->ci->may_leave = true;
    return err;
}

static void open_cx(struct hf_canon_cx *cx, struct hf_ci *ci, struct hf_canon_rt *opts,
                    const struct hf_ftype *f)
{
    hf_canon_cx_init(cx, ci->inst, ci, opts);
    if (f->needs_memory)
        hf_canon_memory(cx);
}

/* Owned objects among the arguments that the callee did not get. */
static void let_go_args(const struct hf_ftype *f, const struct hf_value *args, uint32_t handed_on)
{
    for (uint32_t i = 0; i < f->n_params; i++)
        hf_canon_let_go(f->params[i].type, &args[i], &handed_on);
}

/* ---- host -> guest ---- */

/* Lifting or lowering failed, or realloc or post-return: in a call of which export. */
static enum hf_err told_export(struct hf_instance *inst, enum hf_err err)
{
    const struct hf_export *e = inst->call_export;
    if (err == HF_CANCELLED || e == NULL) /* no export: the room's own tests */
        return err;
    return hf_report_wrap(hf_store_report(inst->store), err, "%.*s%s%.*s", HF_FMT(e->iface),
                          e->iface.len != 0 ? "#" : "", HF_FMT(e->name));
}

static enum hf_err lift_for_host(struct hf_lift_rt *l, const struct hf_scope *scope,
                                 const union hf_val *vals, struct hf_value *result)
{
    const struct hf_ftype *f = l->def->type;
    struct hf_canon_cx cx;
    enum hf_err err = HF_OK;
    if (f->result != NULL) {
        open_cx(&cx, l->ci, &l->opts, f);
        cx.host = true;
        cx.copy = true; /* post-return may free what it looks into */
        if (HF_UNLIKELY(l->ci->inst->membrane != NULL))
            hf_membrane_watch_result(l->ci->inst->membrane, &cx);
        *result = (struct hf_value){0};
        err = hf_lift_result(&cx, f, vals, result);
    }
    if (err == HF_OK)
        err = check_borrows(l, scope);
    if (err == HF_OK)
        err = post_return(l, vals);
    if (err != HF_OK && f->result != NULL)
        hf_canon_let_go(f->result, result, NULL);
    return err;
}

/* The membrane is told when the arguments have their handle numbers, and before anything else of
 * the guest but its realloc has run. */
__attribute__((noinline)) static enum hf_err lower_shown(struct hf_canon_cx *cx,
                                                         const struct hf_ftype *f,
                                                         const struct hf_value *args,
                                                         union hf_val *vals)
{
    struct hf_instance *inst = cx->inst;
    hf_membrane_open_host(inst, cx);
    enum hf_err err = hf_membrane_args(inst, f, args);
    if (err == HF_OK)
        err = hf_lower_params(cx, f, args, vals);
    enum hf_err shown = hf_membrane_before(inst, NULL); /* also what failed so far was tried */
    inst->membrane_begun = shown == HF_OK;
    cx->numbers = NULL;
    return err != HF_OK ? err : shown;
}

/* Numbers only (hf_ftype.plain): no memory, no handles. False: a char that is none. */
static bool lower_plain(const struct hf_ftype *f, const struct hf_value *args, union hf_val *vals)
{
    for (uint32_t i = 0; i < f->n_params; i++)
        if (HF_UNLIKELY(!hf_lower_number(f->plan->kinds[i], &args[i], &vals[i])))
            return false;
    return true;
}

static enum hf_err lower_for_guest(struct hf_lift_rt *l, const struct hf_value *args,
                                   struct hf_scope *scope, union hf_val *vals)
{
    const struct hf_ftype *f = l->def->type;
    struct hf_canon_cx cx;
    open_cx(&cx, l->ci, &l->opts, f);
    cx.host = true;
    cx.scope = scope;
    enum hf_err err = l->ci->inst->direct_store != NULL          ? hf_direct_lower(&cx, f, vals)
                      : HF_LIKELY(l->ci->inst->membrane == NULL) ? hf_lower_params(&cx, f, args, vals)
                                                                 : lower_shown(&cx, f, args, vals);
    if (err != HF_OK)
        let_go_args(f, args, cx.n_owns);
    return err;
}

enum hf_err hf_canon_call(struct hf_instance *inst, struct hf_lift_rt *l,
                          const struct hf_value *args, struct hf_value *result)
{
    const struct hf_ftype *f = l->def->type;
    struct hf_scope scope = {0};
    union hf_val vals[HF_FLAT_PARAMS_MAX];
    bool plain = f->plain && HF_LIKELY(inst->membrane == NULL);

    HF_ASSERT(inst == l->ci->inst);
    if (!hf_ci_enter(l->ci, NULL)) {
        let_go_args(f, args, 0);
        return cannot_enter(l->ci);
    }
    enum hf_err err =
        plain && lower_plain(f, args, vals) ? HF_OK : lower_for_guest(l, args, &scope, vals);
    if (err != HF_OK)
        return told_export(inst, err);
    err = call_lifted(l, vals);
    if (err != HF_OK)
        return err;
    if (plain && (f->result == NULL || hf_lift_number(f->result->kind, vals, result)))
        err = post_return(l, vals);
    else
        err = lift_for_host(l, &scope, vals, result);
    if (err != HF_OK)
        return told_export(inst, err);
    hf_ci_leave(l->ci, NULL);
    return HF_OK;
}

/* ---- guest -> guest: C6 ---- */

/* Same component instance on both sides: its own realloc could write over what is only looked at.
 */
static bool must_copy(const struct hf_tramp_rt *tramp, const struct hf_lift_rt *l)
{
    return tramp->ci == l->ci;
}

static enum hf_err pass_args(struct hf_tramp_rt *tramp, struct hf_lift_rt *l,
                             struct hf_canon_cx *in, struct hf_scope *scope,
                             const union hf_val *from, union hf_val *to)
{
    const struct hf_ftype *f = l->def->type;
    struct hf_value spare[HF_FLAT_PARAMS_MAX], *args = hf_canon_args(in, f, spare);
    struct hf_canon_cx out;
    if (args == NULL)
        return HF_TRAP;
    in->copy = must_copy(tramp, l);
    enum hf_err err = hf_lift_params(in, f, from, args);
    if (err != HF_OK) {
        let_go_args(f, args, 0);
        return err;
    }
    open_cx(&out, l->ci, &l->opts, f);
    out.scope = scope;
    err = hf_lower_params(&out, f, args, to);
    if (err != HF_OK)
        let_go_args(f, args, out.n_owns);
    return err;
}

static enum hf_err pass_result(struct hf_tramp_rt *tramp, struct hf_lift_rt *l,
                               const struct hf_scope *scope, const union hf_val *from,
                               union hf_val *to)
{
    const struct hf_ftype *f = l->def->type;
    struct hf_canon_cx in, out;
    struct hf_value result = {0};
    if (f->result == NULL)
        return check_borrows(l, scope);

    open_cx(&in, l->ci, &l->opts, f);
    in.copy = must_copy(tramp, l);
    hf_canon_cx_init(&out, tramp->ci->inst, tramp->ci, &tramp->opts);
    enum hf_err err = hf_lift_result(&in, f, from, &result);
    if (err == HF_OK)
        err = check_borrows(l, scope);
    if (err == HF_OK) {
        if (f->needs_memory)
            hf_canon_memory(&out);
        err = hf_lower_result(&out, f, &result, to);
    }
    if (err != HF_OK)
        hf_canon_let_go(f->result, &result, &out.n_owns);
    return err;
}

/* Lifting or lowering failed: between whom. */
static enum hf_err told(const struct hf_tramp_rt *tramp, const struct hf_lift_rt *l,
                        enum hf_err err)
{
    if (HF_LIKELY(err == HF_OK) || err == HF_CANCELLED)
        return err;
    struct hf_view name = l->def->name.len != 0 ? l->def->name : HF_VIEW("a function");
    return hf_report_wrap(hf_store_report(l->ci->inst->store), err,
                          "call of %.*s from component instance %u to %u", HF_FMT(name),
                          tramp->ci->index, l->ci->index);
}

static bool pass_number(unsigned kind, const union hf_val *from, union hf_val *to)
{
    struct hf_value v;
    return hf_lift_number(kind, from, &v) && hf_lower_number(kind, &v, to);
}

/* Numbers only: from one side's core values to the other's. False: a char that is none; nothing was
 * passed, the long way says what is wrong. */
static bool pass_plain_args(const struct hf_ftype *f, const union hf_val *from, union hf_val *to)
{
    for (uint32_t i = 0; i < f->n_params; i++)
        if (HF_UNLIKELY(!pass_number(f->plan->kinds[i], &from[i], &to[i])))
            return false;
    return true;
}

static bool pass_plain_result(const struct hf_ftype *f, const union hf_val *from, union hf_val *to)
{
    return f->plain && (f->result == NULL || pass_number(f->result->kind, from, to));
}

static enum hf_err call_guest(struct hf_tramp_rt *tramp, union hf_val *vals)
{
    struct hf_instance *inst = tramp->ci->inst;
    struct hf_lift_rt *l = &inst->lifts[tramp->def->func.lift];
    const struct hf_ftype *f = l->def->type;
    struct hf_arena_mark mark = hf_arena_mark(&inst->arena);
    struct hf_scope scope = {0};
    union hf_val callee[HF_FLAT_PARAMS_MAX];
    struct hf_canon_cx in;
    enum hf_err err = HF_OK;

    if (HF_UNLIKELY(!hf_ci_enter(l->ci, tramp->ci)))
        return cannot_enter(l->ci);
    open_cx(&in, tramp->ci, &tramp->opts, f);
    if (!f->plain || !pass_plain_args(f, vals, callee))
        err = told(tramp, l, pass_args(tramp, l, &in, &scope, vals, callee));
    if (err == HF_OK)
        err = call_lifted(l, callee);
    if (err == HF_OK && !pass_plain_result(f, callee, vals))
        err = told(tramp, l, pass_result(tramp, l, &scope, callee, vals));
    if (err == HF_OK)
        err = post_return(l, callee);
    if (err == HF_OK)
        hf_ci_leave(l->ci, tramp->ci);
    hf_canon_give_back(&in);
    hf_arena_release(&inst->arena, &mark);
    return err;
}

enum hf_err hf_tramp_lower(void *env, union hf_val *vals)
{
    struct hf_tramp_rt *tramp = env;
    if (tramp->def->func.from == HF_FUNC_HOST)
        return hf_tramp_host(env, vals);
    if (HF_UNLIKELY(!tramp->ci->may_leave))
        return hf_check_leave(tramp->ci, HF_VIEW("another component"), "", HF_VIEW(""));
    return call_guest(tramp, vals);
}

/* ---- resources: H3-H5 ---- */

enum hf_err hf_tramp_resource_new(void *env, union hf_val *vals)
{
    struct hf_tramp_rt *tramp = env;
    uint32_t index = 0;
    enum hf_err err = check_leave_resource(tramp, "resource.new");
    if (err == HF_OK)
        err = hf_handle_new(tramp->ci, tramp->def->resource, vals[0].u32, &index);
    vals[0].u64 = index;
    return err;
}

/* No may_leave here: asking for a rep leaves nothing (C3). */
enum hf_err hf_tramp_resource_rep(void *env, union hf_val *vals)
{
    struct hf_tramp_rt *tramp = env;
    struct hf_handle *h;
    enum hf_err err = hf_handles_find(tramp->ci, vals[0].u32, tramp->def->resource, &h);
    if (err == HF_OK)
        vals[0].u64 = (uint32_t)h->rep;
    return err;
}

enum hf_err hf_canon_drop_own(struct hf_instance *inst, struct hf_ci *from,
                              const struct hf_resource_type *t, uint64_t rep_or_obj,
                              struct hf_call *call)
{
    if (t->host != NULL) {
        union {
            uint64_t bits;
            void *obj;
        } u = {.bits = rep_or_obj};
        return hf_host_drop(t, call, u.obj);
    }
    struct hf_resource_rt *r = &inst->resources[t->index];
    struct hf_ci *to = &inst->cis[t->ci];
    union hf_val vals[1] = {{.u64 = (uint32_t)rep_or_obj}};
    if (!hf_ci_enter(to, from)) /* nothing to enter when it drops its own */
        return cannot_enter(to);
    enum hf_err err = r->has_dtor ? call_core(inst, to, &r->dtor, vals, 1) : HF_OK;
    if (err == HF_OK)
        hf_ci_leave(to, from);
    return err;
}

/* A host's drop may refuse. Then the guest is trapped and the object stays in the table, for
 * hf_handles_done. */
static inline enum hf_err drop_at_host(struct hf_call *call, const struct hf_handle *h)
{
    enum hf_err err = hf_host_drop(h->type, call, h->obj);
    if (HF_LIKELY(err == HF_OK) || err == HF_CANCELLED)
        return err;
    return hf_canon_trap(call->inst, "the host refused to drop handle %u (%.*s)", call->flat[0].u32,
                         HF_FMT(h->type->name));
}

/* *gone: nobody owns the object any more, whatever comes back. */
__attribute__((noinline)) static enum hf_err drop_shown(struct hf_call *call,
                                                        const struct hf_handle *h, bool *gone)
{
    struct hf_instance *inst = call->inst;
    struct hf_membrane *m = inst->membrane;
    const struct hf_value v = {.obj = h->obj};
    const struct hf_type own = {.kind = HF_T_OWN, .has_handles = true, .resource = h->type};
    const struct hf_member param = {.type = &own};
    const struct hf_ftype f = {.n_params = 1, .params = &param};
    *gone = false;
    hf_membrane_open(m, HF_CROSS_DROP, NULL);
    m->x.ci = call->ci->index;
    m->x.iface = h->type->name;
    m->x.func = HF_VIEW("[resource-drop]");
    enum hf_err err = hf_membrane_args(inst, &f, &v);
    if (err == HF_OK && !hf_membrane_note_arg(m, call->flat[0].u32))
        err = hf_canon_trap(inst, "limit: no memory to show a drop to the membrane");
    if (err == HF_OK)
        err = hf_membrane_before(inst, call);
    if (err != HF_OK && err != HF_CLOSED)
        return err;
    if (err == HF_OK) {
        err = drop_at_host(call, h);
    } else {
        err = hf_membrane_answer(inst, NULL, NULL);
        if (err == HF_OK) /* a real one goes too, but has no say */
            (void)hf_host_drop(h->type, NULL, h->obj);
    }
    *gone = err == HF_OK;
    return hf_membrane_after(inst, call, err);
}

static enum hf_err drop_host(struct hf_tramp_rt *tramp, const union hf_val *vals,
                             struct hf_handle *h)
{
    struct hf_instance *inst = tramp->ci->inst;
    struct hf_arena_mark mark = hf_arena_mark(&inst->arena);
    struct hf_call call;
    enum hf_err err;
    bool gone;
    hf_call_begin(&call, tramp, vals);
    if (HF_LIKELY(inst->membrane == NULL)) {
        err = drop_at_host(&call, h);
        gone = err == HF_OK;
    } else {
        err = drop_shown(&call, h, &gone);
    }
    hf_arena_release(&inst->arena, &mark);
    if (HF_LIKELY(gone)) /* the host has no way to add handles: `h` is where it was */
        hf_handles_remove_at(&tramp->ci->handles, vals[0].u32, h);
    return err;
}

enum hf_err hf_tramp_resource_drop(void *env, union hf_val *vals)
{
    struct hf_tramp_rt *tramp = env;
    uint32_t index = vals[0].u32;
    struct hf_handle *h = hf_handles_at(&tramp->ci->handles, index);
    enum hf_err err = HF_OK;
    if (HF_UNLIKELY(!tramp->ci->may_leave))
        return check_leave_resource(tramp, "resource.drop");
    if (HF_UNLIKELY(h == NULL || h->type != tramp->def->resource))
        err = hf_handles_find(tramp->ci, index, tramp->def->resource, &h);
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    if (HF_UNLIKELY(h->lends != 0))
        return hf_canon_trap(tramp->ci->inst,
                             "cannot remove owned resource while borrowed: handle index %u (%.*s) "
                             "[H5]",
                             index, HF_FMT(h->type->name));
    if (h->own && h->type->host != NULL)
        return drop_host(tramp, vals, h);
    struct hf_handle was = *h;
    hf_handles_remove(&tramp->ci->handles, index);
    if (was.own)
        return hf_canon_drop_own(tramp->ci->inst, tramp->ci, was.type, was.rep, NULL);
    HF_ASSERT(was.scope != NULL && was.scope->n_borrows > 0);
    was.scope->n_borrows--;
    return HF_OK;
}
