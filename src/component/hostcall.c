/* hostcall.c - a guest calls a host function, and what a host function may ask for (host.h).
 *
 * Every import that is not another component's comes through hf_canon_call_host. Arguments are
 * lifted, the function works, the result is lowered, lent handles are given back. Nothing here
 * allocates from the heap; what the call needs lies in the instance's arena and is gone when it
 * returns. When a hook is set the same steps are taken with the membrane in between (run_shown).
 *
 * Who owns an `own` argument: until the function starts, the call (dropped through its ops when the
 * call does not happen); from then on the function, also when it fails.
 */
#include <stdarg.h>
#include <stdio.h>

#include "component/membrane.h"

/* ---- the call ---- */

static void let_go_args(const struct hf_ftype *f, const struct hf_value *args)
{
    for (uint32_t i = 0; i < f->n_params; i++)
        hf_canon_let_go(f->params[i].type, &args[i], NULL);
}

/* A failed host call is a trap, whatever kind the function had in mind; being cancelled is not a
 * failure. */
static enum hf_err failed(struct hf_call *call, const struct hf_host_func *host, enum hf_err err)
{
    if (err == HF_CANCELLED)
        return err;
    if (hf_store_report(call->inst->store)->err != HF_OK)
        return HF_TRAP;
    return hf_canon_trap(call->inst, "%.*s#%.*s: the host function failed: %s", HF_FMT(host->iface),
                         HF_FMT(host->name), hf_err_text(err));
}

/* Lifting or lowering failed: whose call it was. */
static enum hf_err told(struct hf_call *call, const struct hf_host_func *host, enum hf_err err,
                        const char *when)
{
    if (err == HF_CANCELLED)
        return err;
    return hf_report_wrap(hf_store_report(call->inst->store), err, "%.*s#%.*s%s",
                          HF_FMT(host->iface), HF_FMT(host->name), when);
}

/* Both of these are used on the short and on the shown way: inlined by hand, or the compiler makes
 * calls of them, which every import would pay for. */
#define INLINE static inline __attribute__((always_inline))

/* No guest code ran since the memory was read for the arguments, also when the function blocked. */
INLINE enum hf_err lower_back(struct hf_call *call, const struct hf_host_func *host,
                              struct hf_canon_cx *cx, const struct hf_value *result,
                              union hf_val *vals)
{
    const struct hf_ftype *f = host->type;
    enum hf_err err = hf_lower_result(cx, f, result, vals);
    if (HF_LIKELY(err == HF_OK))
        return HF_OK;
    hf_canon_let_go(f->result, result, &cx->n_owns);
    return told(call, host, err, ": result");
}

INLINE enum hf_err lift_args(struct hf_call *call, const struct hf_host_func *host,
                             struct hf_canon_cx *cx, const union hf_val *vals,
                             struct hf_value *args)
{
    if (HF_UNLIKELY(args == NULL))
        return told(call, host, HF_TRAP, "");
    enum hf_err err = hf_lift_params(cx, host->type, vals, args);
    if (HF_LIKELY(err == HF_OK))
        return HF_OK;
    let_go_args(host->type, args);
    return told(call, host, err, "");
}

static enum hf_err run(struct hf_call *call, const struct hf_host_func *host,
                       struct hf_canon_cx *cx, union hf_val *vals)
{
    struct hf_value spare[HF_FLAT_PARAMS_MAX], *args = hf_canon_args(cx, host->type, spare);
    struct hf_value result = {0};
    enum hf_err err = lift_args(call, host, cx, vals, args);
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    err = host->fn(call, args, &result);
    if (HF_UNLIKELY(err != HF_OK))
        return failed(call, host, err);
    return host->type->result == NULL ? HF_OK : lower_back(call, host, cx, &result, vals);
}

/* Numbers only: nothing to check but chars, nothing to give back. */
static enum hf_err run_plain(struct hf_call *call, const struct hf_host_func *host,
                             union hf_val *vals)
{
    const struct hf_ftype *f = host->type;
    struct hf_value args[HF_FLAT_PARAMS_MAX], result = {0};
    struct hf_canon_cx cx;
    bool ok = true;
    for (uint32_t i = 0; i < f->n_params && ok; i++)
        ok = hf_lift_number(f->kinds[i], &vals[i], &args[i]);
    if (HF_LIKELY(ok)) {
        enum hf_err err = host->fn(call, args, &result);
        if (HF_UNLIKELY(err != HF_OK))
            return failed(call, host, err);
        if (f->result == NULL || HF_LIKELY(hf_lower_number(f->result->kind, &result, &vals[0])))
            return HF_OK;
    }
    hf_canon_cx_init(&cx, call->inst, call->ci, &call->tramp->opts); /* who says what is wrong */
    return ok ? lower_back(call, host, &cx, &result, vals) : lift_args(call, host, &cx, vals, args);
}

/* ---- with the membrane in between ---- */

/* The host's answer or the hook's. */
static enum hf_err work_shown(struct hf_call *call, const struct hf_host_func *host,
                              const struct hf_value *args, struct hf_value *result)
{
    struct hf_instance *inst = call->inst;
    if (inst->membrane->x.answered) {
        let_go_args(host->type, args);
        return hf_membrane_answer(inst, host->type, result);
    }
    enum hf_err err = host->fn(call, args, result);
    if (err != HF_OK)
        return failed(call, host, err);
    err = hf_membrane_result(inst, host->type, result);
    if (err != HF_OK && host->type->result != NULL)
        hf_canon_let_go(host->type->result, result, NULL);
    return err;
}

__attribute__((noinline)) static enum hf_err run_shown(struct hf_call *call,
                                                       const struct hf_host_func *host,
                                                       struct hf_canon_cx *cx, union hf_val *vals)
{
    struct hf_value spare[HF_FLAT_PARAMS_MAX], *args = hf_canon_args(cx, host->type, spare);
    struct hf_value result = {0};
    struct hf_instance *inst = call->inst;
    struct hf_membrane *m = inst->membrane;
    hf_membrane_open(m, HF_CROSS_IMPORT, cx);
    m->x.ci = call->ci->index;
    m->x.iface = host->iface;
    m->x.func = host->name;
    m->x.type = host->type;
    enum hf_err err = lift_args(call, host, cx, vals, args);
    if (err != HF_OK)
        return err; /* the guest's own fault: it never came to the host */
    err = hf_membrane_args(inst, host->type, args);
    if (err == HF_OK)
        err = hf_membrane_before(inst, call);
    if (err != HF_OK && err != HF_CLOSED) {
        let_go_args(host->type, args);
        return err;
    }
    err = work_shown(call, host, args, &result);
    hf_membrane_watch_result(m, cx);
    if (err == HF_OK && host->type->result != NULL)
        err = lower_back(call, host, cx, &result, vals);
    return hf_membrane_after(inst, call, err);
}

/* ---- both ---- */

enum hf_err hf_canon_call_host(struct hf_tramp_rt *tramp, union hf_val *vals)
{
    const struct hf_host_func *host = tramp->def->func.host;
    struct hf_instance *inst = tramp->ci->inst;
    struct hf_arena_mark mark = hf_arena_mark(&inst->arena);
    struct hf_call call = {.inst = inst, .ci = tramp->ci, .tramp = tramp, .flat = vals};
    struct hf_canon_cx cx;

    HF_ASSERT(host->fn != NULL); /* components that import what is not bound are refused at load */
    if (host->type->plain && HF_LIKELY(inst->membrane == NULL)) {
        enum hf_err err = run_plain(&call, host, vals);
        hf_arena_release(&inst->arena, &mark);
        return err;
    }
    hf_canon_cx_init(&cx, inst, tramp->ci, &tramp->opts);
    cx.host = true;
    if (host->type->needs_memory)
        hf_canon_memory(&cx);
    enum hf_err err = HF_LIKELY(inst->membrane == NULL) ? run(&call, host, &cx, vals)
                                                        : run_shown(&call, host, &cx, vals);
    hf_canon_give_back(&cx);
    hf_arena_release(&inst->arena, &mark);
    return err;
}

/* ---- inside a host function ---- */

void *hf_call_ctx(const struct hf_call *call)
{
    return call->inst->settings.ctx;
}

struct hf_instance *hf_call_instance(const struct hf_call *call)
{
    return call->inst;
}

void *hf_call_bound(const struct hf_call *call)
{
    return call->tramp->def->func.host->ctx;
}

const struct hf_ftype *hf_call_type(const struct hf_call *call)
{
    return call->tramp->def->func.host->type;
}

void *hf_call_alloc(struct hf_call *call, size_t size)
{
    return hf_arena_alloc(&call->inst->arena, size, 16);
}

enum hf_err hf_call_block(struct hf_call *call)
{
    return hf_store_block(call->inst->store);
}

/* The i-th parameter where the guest put it. Nothing ran in between that could have changed it. */
static uint32_t raw_handle(const struct hf_call *call, const struct hf_ftype *f, uint32_t i)
{
    uint32_t at = 0, handle = 0;
    if (f->params_spilled) {
        uint8_t *mem;
        size_t size;
        uint64_t ptr = (uint64_t)call->flat[0].u32 + f->params[i].offset;
        hf_memory_get(call->inst->store, &call->tramp->opts.memory, &mem, &size);
        if (ptr + sizeof handle <= size)
            memcpy(&handle, mem + ptr, sizeof handle);
        return handle;
    }
    for (uint32_t k = 0; k < i; k++)
        at += f->params[k].type->n_flat;
    return call->flat[at].u32;
}

uint32_t hf_call_handle(const struct hf_call *call, uint32_t arg)
{
    const struct hf_tramp *def = call->tramp->def;
    if (call->flat ==
        NULL) /* the host calls what the component re-exports: nothing came from a guest */
        return 0;
    if (def->kind == HF_TRAMP_RESOURCE_DROP)
        return arg == 0 ? call->flat[0].u32 : 0;
    const struct hf_ftype *f = def->func.host->type;
    if (arg >= f->n_params ||
        (f->params[arg].type->kind != HF_T_OWN && f->params[arg].type->kind != HF_T_BORROW))
        return 0;
    return raw_handle(call, f, arg);
}

/* "iface#name(self: handle 3)". */
static void describe(const struct hf_call *call, struct hf_report *text)
{
    const struct hf_tramp *def = call->tramp->def;
    bool any = false;
    if (def->kind == HF_TRAMP_RESOURCE_DROP) {
        hf_report_set(text, HF_TRAP, "[resource-drop]%.*s(handle %u)", HF_FMT(def->resource->name),
                      call->flat[0].u32);
        return;
    }
    const struct hf_host_func *host = def->func.host;
    hf_report_set(text, HF_TRAP, "%.*s#%.*s", HF_FMT(host->iface), HF_FMT(host->name));
    for (uint32_t i = 0; i < host->type->n_params; i++) {
        uint32_t handle = hf_call_handle(call, i);
        if (handle == 0)
            continue;
        int n = snprintf(text->text + text->len, sizeof text->text - text->len, "%s%.*s: handle %u",
                         any ? ", " : "(", HF_FMT(host->type->params[i].name), handle);
        if (n < 0 || (size_t)n >= sizeof text->text - text->len)
            return;
        text->len += (uint32_t)n;
        any = true;
    }
    if (any && text->len + 2 < sizeof text->text)
        memcpy(text->text + text->len, ")", 2);
}

enum hf_err hf_call_trap(struct hf_call *call, const char *fmt, ...)
{
    struct hf_report where = {0};
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    describe(call, &where);
    return hf_report_set(hf_store_report(call->inst->store), HF_TRAP, "%s: %s", where.text, text);
}

enum hf_err hf_call_limit(struct hf_call *call, const char *what)
{
    return hf_call_trap(call, "limit: %s", what);
}
