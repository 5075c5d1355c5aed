/* hostcall.c - a guest calls a host function, and what a host function may ask for (host.h).
 *
 * Every import that is not another component's comes through hf_tramp_host. Arguments are
 * lifted, the function works, the result is lowered, lent handles are given back; how is said by
 * the plan that the function's type carries (hf_plan). Nothing here allocates from the heap; what the call needs lies in the instance's arena and is gone when it
 * returns. When a hook is set the same steps are taken with the membrane in between (run_shown).
 *
 * Who owns an `own` argument: until the function starts, the call (dropped through its ops when the
 * call does not happen); from then on the function, also when it fails.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/utf.h"
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

/* Parameters in memory: all of it by the book. */
__attribute__((noinline)) static enum hf_err run_spilled(struct hf_call *call,
                                                         const struct hf_host_func *host,
                                                         union hf_val *vals)
{
    struct hf_value spare[HF_FLAT_PARAMS_MAX], result = {0};
    struct hf_canon_cx cx;
    hf_canon_cx_init(&cx, call->inst, call->ci, &call->tramp->opts);
    cx.host = true;
    hf_canon_memory(&cx);
    struct hf_value *args = hf_canon_args(&cx, host->type, spare);
    enum hf_err err = lift_args(call, host, &cx, vals, args);
    if (err == HF_OK) {
        err = host->fn(call, args, &result);
        if (err != HF_OK)
            err = failed(call, host, err);
        else if (host->type->result != NULL)
            err = lower_back(call, host, &cx, &result, vals);
    }
    hf_canon_give_back(&cx);
    return err;
}

/* ---- without one: by the plan of the function's type (hf_ftype.plan) ----
 * Numbers, handles, short strings and lists of integers go straight between the core values and the host's, and so do
 * variants of them. For what else there is, and to say what is wrong, a cx is opened on
 * the way (cx->inst is NULL until then). */

INLINE void open_late(struct hf_call *call, struct hf_canon_cx *cx)
{
    if (cx->inst != NULL)
        return;
    hf_canon_cx_init(cx, call->inst, call->ci, &call->tramp->opts);
    cx->host = true;
    hf_canon_memory(cx); /* whether it is needed or not: asking takes longer */
}

/* Parameter i and no other, whatever it is. What is behind it is not looked at when it fails. */
__attribute__((noinline)) static enum hf_err lift_any(struct hf_call *call, struct hf_canon_cx *cx,
                                                      uint32_t i, uint32_t at,
                                                      struct hf_value *args)
{
    const struct hf_host_func *host = call->tramp->def->func.host;
    open_late(call, cx);
    enum hf_err err = hf_lift_param(cx, host->type, i, call->flat, &at, args);
    if (HF_LIKELY(err == HF_OK))
        return HF_OK;
    let_go_args(host->type, args);
    return told(call, host, err, "");
}

__attribute__((noinline)) static enum hf_err lower_any(struct hf_call *call, struct hf_canon_cx *cx,
                                                       const struct hf_value *result,
                                                       union hf_val *vals)
{
    open_late(call, cx);
    return lower_back(call, call->tramp->def->func.host, cx, result, vals);
}

/* What a handle is to the host, when the guest has it and nothing stands in for it. */
INLINE struct hf_handle *known(const struct hf_ci *ci, const struct hf_resource_type *r,
                               uint32_t index)
{
    struct hf_handle *h = hf_handles_at(&ci->handles, index);
    return HF_LIKELY(h != NULL && h->type == r &&
                     h->obj != (const void *)&hf_stand_in_byte)
               ? h
               : NULL;
}

INLINE bool lift_own(const struct hf_call *call, const struct hf_resource_type *r, uint32_t index,
                     struct hf_value *ret)
{
    struct hf_handle *h = known(call->ci, r, index);
    if (HF_UNLIKELY(h == NULL || h->lends != 0 || !h->own))
        return false;
    *ret = (struct hf_value){.u64 = h->rep};
    hf_handles_remove_at(&call->ci->handles, index, h);
    return true;
}

/* Short and of ASCII, in memory that was seen before. */
#define SHORT_TEXT 256u /* bytes; so few need no charge (S14) */
INLINE bool lift_text(const struct hf_call *call, uint32_t ptr, uint32_t len, struct hf_value *ret)
{
    const struct hf_canon_rt *opts = &call->tramp->opts;
    if (HF_UNLIKELY(opts->enc != HF_ENC_UTF8 || len > SHORT_TEXT ||
                    len > hf_canon_max(call->inst->settings.string_bytes_max) ||
                    (uint64_t)ptr + len > opts->mem_size))
        return false;
    *ret = (struct hf_value){.bytes = opts->mem + ptr, .len = len};
    return HF_LIKELY(hf_ascii_prefix(ret->bytes, len) == len);
}

/* Integers where they lie, in memory that was seen before. */
INLINE bool lift_integers(const struct hf_call *call, const struct hf_type *t, uint32_t ptr,
                          uint32_t n, struct hf_value *ret)
{
    const struct hf_canon_rt *opts = &call->tramp->opts;
    const struct hf_type *elem = t->elem;
    uint64_t bytes = (uint64_t)n * elem->size;
    if (HF_UNLIKELY(!elem->scalar || elem->kind == HF_T_F32 || elem->kind == HF_T_F64 ||
                    (ptr & (elem->align - 1u)) != 0 || ptr + bytes > opts->mem_size ||
                    bytes > hf_canon_max(call->inst->settings.list_bytes_max)))
        return false;
    *ret = (struct hf_value){.bytes = opts->mem + ptr, .len = n};
    return true;
}

/* A string or list, or a variant as deep as it goes, when what is at the bottom is nothing, a
 * number, one of those or an own handle. */
__attribute__((noinline)) static bool lift_deep(struct hf_call *call, const struct hf_type *t,
                                                const union hf_val *v, struct hf_value *ret)
{
    uint32_t left = call->small_left;
    bool done = false;
    while (t->kind >= HF_T_VARIANT && t->kind <= HF_T_RESULT) {
        if (HF_UNLIKELY(v->u32 >= t->n))
            goto end;
        const struct hf_type *payload = t->members[v->u32].type;
        *ret = (struct hf_value){.tag = v->u32};
        if (payload == NULL) {
            done = true;
            goto end;
        }
        if (HF_UNLIKELY(call->small_left == 0))
            goto end;
        ret->items = &call->small[--call->small_left];
        ret = ret->items;
        t = payload;
        v++;
    }
    if (t->kind == HF_T_STRING)
        done = lift_text(call, v[0].u32, v[1].u32, ret);
    else if (t->kind == HF_T_LIST)
        done = lift_integers(call, t, v[0].u32, v[1].u32, ret);
    else if (t->kind == HF_T_OWN)
        done = lift_own(call, t->resource, v->u32, ret);
    else
        done = hf_lift_number(t->kind, v, ret);
end:
    if (HF_UNLIKELY(!done))
        call->small_left = left;
    return done;
}

/* A handle; `of` as in a plan. False: nothing was done. */
INLINE bool lift_known(const struct hf_call *call, unsigned kind, const void *of, uint32_t index,
                       struct hf_value *ret)
{
    struct hf_handle *h;
    if (kind == HF_T_OWN)
        return lift_own(call, of, index, ret);
    if (kind != HF_T_BORROW || HF_UNLIKELY((h = known(call->ci, of, index)) == NULL))
        return false;
    *ret = (struct hf_value){.u64 = h->rep};
    return true;
}

INLINE bool lower_own(const struct hf_call *call, const struct hf_resource_type *r,
                      const struct hf_value *v, uint32_t *ret)
{
    if (HF_UNLIKELY(v->obj == NULL))
        return false;
    return HF_LIKELY(hf_handles_own(&call->ci->handles, r, v->u64, ret) == HF_OK);
}

INLINE void put(uint8_t *to, uint64_t bits, unsigned size)
{
    switch (size) { /* constant sizes make plain stores */
    case 1: memcpy(to, &bits, 1); return;
    case 2: memcpy(to, &bits, 2); return;
    case 4: memcpy(to, &bits, 4); return;
    default: memcpy(to, &bits, 8); return;
    }
}

/* Into memory that was seen before. False: it shall be done by the book, from the beginning. Here by
 * the type, for variants in variants and those of many cases. */
__attribute__((noinline)) static bool lower_deep(const struct hf_call *call,
                                                 const struct hf_type *t, const struct hf_value *v,
                                                 uint32_t ptr)
{
    const struct hf_canon_rt *opts = &call->tramp->opts;
    uint8_t *to = opts->mem + ptr;
    union hf_val bits;
    uint32_t handle;
    if (HF_UNLIKELY((ptr & (t->align - 1u)) != 0 || (uint64_t)ptr + t->size > opts->mem_size))
        return false;
    do {
        if (HF_UNLIKELY(v->tag >= t->n))
            return false;
        const struct hf_type *payload = t->members[v->tag].type;
        if (HF_UNLIKELY(payload != NULL && v->items == NULL))
            return false;
        put(to, v->tag, t->disc_size);
        if (payload == NULL)
            return true;
        to += t->payload;
        v = v->items;
        t = payload;
    } while (t->kind >= HF_T_VARIANT && t->kind <= HF_T_RESULT);
    if (t->kind == HF_T_OWN) {
        if (!lower_own(call, t->resource, v, &handle))
            return false;
        put(to, handle, 4);
        return true;
    }
    if (!hf_lower_number(t->kind, v, &bits))
        return false;
    put(to, bits.u64, t->size);
    return true;
}

/* The same by the plan. */
INLINE bool lower_case(const struct hf_call *call, const struct hf_plan *p,
                       const struct hf_value *v, uint32_t ptr)
{
    const struct hf_canon_rt *opts = &call->tramp->opts;
    union hf_val bits;
    uint32_t handle;
    if (HF_UNLIKELY(v->tag >= p->n_cases || (ptr & (p->align - 1u)) != 0 ||
                    (uint64_t)ptr + p->size > opts->mem_size))
        return false;
    unsigned kind = p->case_kinds[v->tag];
    uint8_t *to = opts->mem + ptr;
    if (kind == HF_PLAN_NONE) {
        *to = (uint8_t)v->tag;
        return true;
    }
    if (HF_UNLIKELY(kind == HF_PLAN_ANY || v->items == NULL))
        return false;
    *to = (uint8_t)v->tag;
    if (kind == HF_T_OWN) {
        if (!lower_own(call, p->gives, v->items, &handle))
            return false;
        put(to + p->payload, handle, 4);
        return true;
    }
    if (!hf_lower_number(kind, v->items, &bits))
        return false;
    put(to + p->payload, bits.u64, p->case_sizes[v->tag]);
    return true;
}

_Static_assert(HF_T_VARIANT + 1 == HF_T_ENUM && HF_T_ENUM + 1 == HF_T_OPTION &&
                   HF_T_OPTION + 1 == HF_T_RESULT,
               "variants of all kinds stand side by side");

INLINE bool lower_known(const struct hf_call *call, const struct hf_plan *p,
                        const struct hf_value *v, union hf_val *vals)
{
    uint32_t handle;
    switch (p->give) {
    case HF_GIVE_NONE: return true;
    case HF_GIVE_NUMBER: return hf_lower_number(p->give_kind, v, &vals[0]);
    case HF_GIVE_OWN:
        if (!lower_own(call, p->gives, v, &handle))
            return false;
        vals[0].u64 = handle;
        return true;
    case HF_GIVE_CASE: vals[0].u64 = v->tag; return HF_LIKELY(v->tag < p->n_cases);
    case HF_GIVE_CASES:
        return HF_LIKELY(lower_case(call, p, v, vals[p->out].u32)) ||
               lower_deep(call, call->tramp->def->func.host->type->result, v, vals[p->out].u32);
    default: return false;
    }
}

/* The i-th parameter's, when the plan has no room for it. */
__attribute__((noinline)) static const void *of_type(const struct hf_call *call, uint32_t i)
{
    const struct hf_ftype *f = call->tramp->def->func.host->type;
    unsigned kind = f->plan->kinds[i];
    const struct hf_type *t = f->params[i].type;
    return kind == HF_T_OWN || kind == HF_T_BORROW ? (const void *)t->resource : t;
}

INLINE enum hf_err run(struct hf_call *call, const struct hf_plan *p, union hf_val *vals)
{
    const union hf_val *v = vals;
    struct hf_value args[HF_FLAT_PARAMS_MAX], result = {0};
    struct hf_canon_cx cx;
    enum hf_err err = HF_OK;
    cx.inst = NULL;
    for (uint32_t i = 0, n = p->n_params; i < n; i++) {
        unsigned kind = p->kinds[i];
        if (kind <= HF_T_CHAR && HF_LIKELY(hf_lift_number(kind, v, &args[i]))) {
            v++;
            continue;
        }
        const void *of = HF_LIKELY(i < HF_ARRAY_LEN(p->of)) ? p->of[i] : of_type(call, i);
        if (HF_LIKELY(lift_known(call, kind, of, v->u32, &args[i]))) {
            v++;
            continue;
        }
        bool deep = kind == HF_T_STRING || kind == HF_T_LIST || kind == HF_T_VARIANT;
        if (!deep || !lift_deep(call, of, v, &args[i]))
            err = lift_any(call, &cx, i, (uint32_t)(v - vals), args);
        if (HF_UNLIKELY(err != HF_OK))
            goto end;
        v += deep || kind == HF_PLAN_ANY ? ((const struct hf_type *)of)->n_flat : 1;
    }
    err = call->tramp->fn(call, args, &result);
    if (HF_UNLIKELY(err != HF_OK))
        err = failed(call, call->tramp->def->func.host, err);
    else if (HF_UNLIKELY(!lower_known(call, p, &result, vals)))
        err = lower_any(call, &cx, &result, vals);
end:
    if (cx.inst != NULL)
        hf_canon_give_back(&cx);
    return err;
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

__attribute__((noinline)) static enum hf_err call_shown(struct hf_call *call, union hf_val *vals)
{
    const struct hf_host_func *host = call->tramp->def->func.host;
    struct hf_canon_cx cx;
    hf_canon_cx_init(&cx, call->inst, call->ci, &call->tramp->opts);
    cx.host = true;
    if (host->type->needs_memory)
        hf_canon_memory(&cx);
    enum hf_err err = run_shown(call, host, &cx, vals);
    hf_canon_give_back(&cx);
    return err;
}

/* The first call: from now on all of it is at hand. */
__attribute__((noinline)) static const struct hf_plan *look_up(struct hf_tramp_rt *tramp)
{
    const struct hf_host_func *host = tramp->def->func.host;
    HF_ASSERT(host->fn != NULL); /* components that import what is not bound are refused at load */
    tramp->fn = host->fn;
    tramp->plan = host->type->plan;
    return tramp->plan;
}

/* What calls go by the book. */
__attribute__((noinline)) static enum hf_err call_long(struct hf_call *call, union hf_val *vals)
{
    const struct hf_host_func *host = call->tramp->def->func.host;
    if (!call->ci->may_leave)
        return hf_check_leave(call->ci, host->iface, "#", host->name);
    return call->inst->membrane != NULL ? call_shown(call, vals) : run_spilled(call, host, vals);
}

enum hf_err hf_tramp_host(void *env, union hf_val *vals)
{
    struct hf_tramp_rt *tramp = env;
    struct hf_instance *inst = tramp->ci->inst;
    struct hf_arena_mark mark = hf_arena_mark(&inst->arena);
    const struct hf_plan *plan = tramp->plan;
    struct hf_call call;
    enum hf_err err;

    if (HF_UNLIKELY(plan == NULL))
        plan = look_up(tramp);
    hf_call_begin(&call, tramp, vals);
    if (HF_UNLIKELY(!tramp->ci->may_leave || inst->membrane != NULL || plan->spilled))
        err = call_long(&call, vals);
    else
        err = run(&call, plan, vals);
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
    if (HF_LIKELY(size == sizeof call->small[0] && call->small_left > 0)) /* a payload, mostly */
        return &call->small[--call->small_left];
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
