/* host_poll.c - wasi:io/poll: pollables and the one place where a guest waits.
 *
 * A pollable is a waiter that stays armed from subscribe to drop, so readiness is never lost between polls. poll makes one
 * pass over its list (which also answers when something is ready already); when it has to wait, only what was listed can
 * wake it (the waitset's stamp), and after waking it looks at the ready ones only: O(ready). Nothing is allocated but the
 * result. Rules: http-and-poll 2.1, design poll.
 */
#include "host/guest.h"

static void pollable_destroy(struct hf_obj *obj)
{
    struct hf_pollable *p = HF_CONTAINER_OF(obj, struct hf_pollable, obj);
    hf_waiter_disarm(&p->waiter);
    if (p->has_timer)
        hf_timer_done(hf_turn_kernel(obj->guest->turn), &p->timer);
}

static void pollable_orphan(struct hf_obj *obj)
{
    struct hf_pollable *p = HF_CONTAINER_OF(obj, struct hf_pollable, obj);
    hf_waiter_disarm(&p->waiter); /* the wait was the parent's */
}

struct hf_pollable *hf_pollable_new(struct hf_call *call, struct hf_wait *wait, struct hf_obj *parent)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_pollable *p = hf_obj_new(g, sizeof *p, "pollable", parent, pollable_destroy);
    if (p == NULL) {
        hf_call_limit(call, "host memory for pollables");
        return NULL;
    }
    p->obj.orphan = pollable_orphan;
    if (wait != NULL)
        hf_waiter_arm(&p->waiter, wait, hf_turn_waitset(g->turn));
    return p;
}

enum hf_err hf_guest_wait(struct hf_call *call, struct hf_wait *wait)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_waitset *set = hf_turn_waitset(g->turn);
    struct hf_waiter w = {0};
    enum hf_err err = HF_OK;

    hf_guest_settle(g);
    hf_waiter_arm(&w, wait, set);
    w.stamp = ++set->stamp;
    while (err == HF_OK && !hf_waiter_ready(&w))
        err = hf_call_block(call);
    hf_waiter_disarm(&w);
    return err;
}

/* Positions of one pollable in the list are chained, so that a duplicate is reported at each of its places. */
struct listing {
    uint32_t *next, *out;
    uint32_t n_out;
};

static uint32_t list_and_check(const struct hf_value *list, uint64_t stamp, struct listing *l)
{
    for (uint32_t i = list->len; i-- > 0;) {
        struct hf_pollable *p = list->items[i].obj;
        l->next[i] = p->waiter.stamp == stamp ? p->waiter.first : UINT32_MAX;
        p->waiter.stamp = stamp;
        p->waiter.first = i;
        l->n_out += hf_waiter_ready(&p->waiter);
    }
    return l->n_out;
}

static void report_all(const struct hf_value *list, struct listing *l)
{
    l->n_out = 0;
    for (uint32_t i = 0; i < list->len; i++) {
        const struct hf_pollable *p = list->items[i].obj;
        if (hf_waiter_ready(&p->waiter))
            l->out[l->n_out++] = i;
    }
}

/* Why waiting for all of these could never end, or NULL: nothing but bodies that nobody can read yet (1.5.4). */
static const char *list_stuck(const struct hf_value *pollables, uint32_t n)
{
    const char *why = NULL;
    for (uint32_t i = 0; i < n; i++) {
        struct hf_out_stream *out = ((const struct hf_pollable *)pollables[i].obj)->out;
        why = out == NULL || out->ops->stuck == NULL ? NULL : out->ops->stuck(out);
        if (why == NULL)
            return NULL;
    }
    return why;
}

static enum hf_err trap_stuck(struct hf_call *call, const char *why)
{
    return hf_call_trap(call, "wasi:io/poll: this would wait for ever: %s", why);
}

#define SORT_MAX 32u /* more ready than that: a pass over the list is cheaper than sorting */

static bool report_ready(const struct hf_waitset *set, uint64_t stamp, struct listing *l)
{
    l->n_out = 0;
    HF_LIST_FOR(n, &set->ready)
    {
        const struct hf_waiter *w = HF_LIST_ENTRY(n, struct hf_waiter, in_ready);
        if (w->stamp != stamp)
            continue;
        for (uint32_t i = w->first; i != UINT32_MAX; i = l->next[i]) {
            if (l->n_out == SORT_MAX)
                return false;
            uint32_t at = l->n_out++;
            for (; at > 0 && l->out[at - 1] > i; at--) /* in list order */
                l->out[at] = l->out[at - 1];
            l->out[at] = i;
        }
    }
    return true;
}

static enum hf_err poll_poll(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_value *list = &args[0];
    struct hf_guest *g = hf_guest_of(call);
    struct hf_waitset *set = hf_turn_waitset(g->turn);
    struct listing l = {0};

    if (list->len == 0)
        return hf_call_trap(call, "wasi:io/poll: the list of pollables is empty");
    l.next = hf_call_alloc(call, (size_t)list->len * 4);
    l.out = hf_call_alloc(call, (size_t)list->len * 4);
    if (l.next == NULL || l.out == NULL)
        return hf_call_limit(call, "length of the list given to wasi:io/poll");
    hf_guest_settle(g);

    uint64_t stamp = ++set->stamp;
    if (list_and_check(list, stamp, &l) > 0) {
        report_all(list, &l);
    } else {
        const char *stuck = list_stuck(list->items, list->len);
        if (stuck != NULL)
            return trap_stuck(call, stuck);
        do {
            enum hf_err err = hf_call_block(call);
            if (err != HF_OK)
                return err;
            set->stamp = stamp; /* nobody else polls meanwhile, but a resume may have other causes */
            if (!report_ready(set, stamp, &l))
                report_all(list, &l);
        } while (l.n_out == 0);
    }
    result->bytes = (const uint8_t *)l.out;
    result->len = l.n_out;
    return HF_OK;
}

static enum hf_err pollable_ready(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_pollable *p = args[0].obj;
    hf_guest_settle(hf_guest_of(call));
    result->u64 = hf_waiter_ready(&p->waiter);
    return HF_OK;
}

static enum hf_err pollable_block(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_pollable *p = args[0].obj;
    struct hf_guest *g = hf_guest_of(call);
    enum hf_err err = HF_OK;
    (void)result;
    hf_guest_settle(g);
    const char *stuck = hf_waiter_ready(&p->waiter) ? NULL : list_stuck(&args[0], 1);
    if (stuck != NULL)
        return trap_stuck(call, stuck);
    p->waiter.stamp = ++hf_turn_waitset(g->turn)->stamp;
    while (err == HF_OK && !hf_waiter_ready(&p->waiter))
        err = hf_call_block(call);
    return err;
}

static const struct hf_host_resource pollable_ops = {"pollable", hf_obj_drop};
static const struct hf_binding poll_table[] = {
    {"poll", poll_poll},
    {"[method]pollable.ready", pollable_ready},
    {"[method]pollable.block", pollable_block},
    {NULL, NULL},
};

enum hf_err hf_host_bind_poll(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = hf_registry_bind_resource(reg, "wasi:io/poll", "pollable", &pollable_ops, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:io/poll", poll_table, report);
}
