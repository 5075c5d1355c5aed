/* restart.c - what follows the end of an instance: nothing, another one after a while, or giving
 * up.
 *
 * The name stays in its place while it waits, so nobody is told that there is no such process, and
 * the mailbox fills up to its bound. An instance that ended in order is made again at once when
 * there is mail for it: by its own wish it goes between messages, not from its work.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

/* One that lived so long at least, and 5 back-offs, begins with a small back-off again. */
#define HEALTHY_NS 10000000000u

static bool may_again(struct hf_named *n)
{
    const struct hf_named_settings *s = hf_named_set(n);
    uint64_t now = n->kernel->now;
    if (s->restart == HF_RESTART_NEVER)
        return false;
    if (s->restart == HF_RESTART_ALWAYS)
        return true;
    if (n->restarts == NULL)
        n->restarts = calloc(s->restart_max, sizeof *n->restarts);
    if (n->restarts == NULL)
        return false;
    uint64_t *oldest = &n->restarts[n->n_restarts % s->restart_max];
    if (n->n_restarts >= s->restart_max && now - *oldest < s->restart_within_ns) {
        n->kernel->said.given_up++;
        return false;
    }
    *oldest = now;
    n->n_restarts++;
    return true;
}

static uint64_t next_backoff(struct hf_named *n)
{
    const struct hf_named_settings *s = hf_named_set(n);
    uint64_t lived = n->born_ns == 0 ? 0 : n->kernel->now - n->born_ns;
    uint64_t healthy = n->backoff_ns > UINT64_MAX / 5 ? UINT64_MAX : 5 * n->backoff_ns;
    if (healthy < HEALTHY_NS)
        healthy = HEALTHY_NS;
    if (n->backoff_ns == 0 || lived >= healthy)
        n->backoff_ns = s->backoff_ns;
    else
        n->backoff_ns =
            n->backoff_ns > s->backoff_max_ns / 2 ? s->backoff_max_ns : 2 * n->backoff_ns;
    return n->backoff_ns;
}

/* False: without a clock it would wait for ever. */
static bool wait_for(struct hf_named *n, uint64_t ns)
{
    uint64_t at;
    n->state = HF_NAMED_RESTARTING;
    if (__builtin_add_overflow(n->kernel->now, ns, &at))
        at = UINT64_MAX;
    return hf_timer_set(n->kernel, &n->clock, at) == HF_OK;
}

void hf_restart_now(struct hf_named *n)
{
    n->process = hf_spare_take(n->class);
    if (n->process == NULL)
        n->process = hf_process_new(n->class);
    if (n->process == NULL) { /* too many processes, or memory: later */
        if (!wait_for(n, hf_named_set(n)->backoff_max_ns))
            hf_named_over(n);
        return;
    }
    n->process->named = n;
    n->state = HF_NAMED_LIVE;
    n->born_ns = n->process->phase == HF_PHASE_IDLE ? n->kernel->now : 0;
    n->n_life++;
    n->kernel->said.restarts++;
    hf_named_set_blocked(n);
}

bool hf_restart_plan(struct hf_named *n, bool in_order)
{
    if (n->kernel->closing || n->stopping || n->state == HF_NAMED_UNBORN)
        return false;
    if (in_order) {
        if (n->n_requests == 0 || hf_named_set(n)->spawned)
            return false;
        return wait_for(n, 0);
    }
    if (n->class->closed && n->n_requests == 0)
        return false;
    return may_again(n) && wait_for(n, next_backoff(n));
}
