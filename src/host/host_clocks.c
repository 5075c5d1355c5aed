/* host_clocks.c - wasi:clocks monotonic-clock and wall-clock (http-and-poll 1.1).
 *
 * Readings come from the os table; deadlines are timers of the kernel. A deadline that has passed is ready at once, one
 * that cannot be represented is never.
 */
#include "host/guest.h"

static uint64_t now_ns(const struct hf_guest *g)
{
    struct hf_os *os = hf_guest_services(g)->os;
    return os->now_ns(os);
}

static enum hf_err mono_now(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    result->u64 = now_ns(hf_guest_of(call));
    return HF_OK;
}

static enum hf_err mono_resolution(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args;
    result->u64 = 1;
    return HF_OK;
}

static enum hf_err subscribe(struct hf_call *call, uint64_t at_ns, uint64_t now, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_pollable *p = hf_pollable_new(call, NULL, NULL);
    if (p == NULL)
        return HF_TRAP;
    hf_timer_init(&p->timer);
    p->has_timer = true;
    hf_waiter_arm(&p->waiter, &p->timer.wait, hf_turn_waitset(g->turn));
    if (at_ns <= now)
        hf_wait_fire(&p->timer.wait);
    else if (at_ns != UINT64_MAX && hf_timer_set(hf_turn_kernel(g->turn), &p->timer, at_ns) != HF_OK) {
        hf_obj_release(&p->obj);
        return hf_call_limit(call, "host memory for timers");
    }
    result->obj = p;
    return HF_OK;
}

static enum hf_err mono_subscribe_instant(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return subscribe(call, args[0].u64, now_ns(hf_guest_of(call)), result);
}

static enum hf_err mono_subscribe_duration(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint64_t now = now_ns(hf_guest_of(call)), at;
    if (__builtin_add_overflow(now, args[0].u64, &at))
        at = UINT64_MAX;
    return subscribe(call, at, now, result);
}

static enum hf_err datetime(struct hf_call *call, uint64_t ns, struct hf_value *result)
{
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    v[0] = hf_value_u64(ns / 1000000000u);
    v[1] = hf_value_u64(ns % 1000000000u);
    result->items = v;
    result->len = 2;
    return HF_OK;
}

static enum hf_err wall_now(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_os *os = hf_guest_services(hf_guest_of(call))->os;
    (void)args;
    return datetime(call, os->wall_ns(os), result);
}

static enum hf_err wall_resolution(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return datetime(call, 1, result);
}

static const struct hf_binding mono_table[] = {
    {"now", mono_now},
    {"resolution", mono_resolution},
    {"subscribe-instant", mono_subscribe_instant},
    {"subscribe-duration", mono_subscribe_duration},
    {NULL, NULL},
};
static const struct hf_binding wall_table[] = {
    {"now", wall_now},
    {"resolution", wall_resolution},
    {NULL, NULL},
};

enum hf_err hf_host_bind_clocks(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = hf_registry_bind_all(reg, "wasi:clocks/monotonic-clock", mono_table, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:clocks/wall-clock", wall_table, report);
}
