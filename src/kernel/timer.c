/* timer.c - timers are nodes of the kernel's heap (timer.h).
 *
 * A step fires what was set before it began to fire and is due; a timer set while others fire waits
 * for the next step, also when its time has passed, so one that sets itself again cannot hold a
 * step. That a time in the past is kept as "now" makes those come out of the heap behind all that
 * were set before.
 */
#include "kernel/kernel_int.h"

void hf_timer_init(struct hf_timer *t)
{
    *t = (struct hf_timer){0};
    hf_wait_init(&t->wait, false);
}

enum hf_err hf_timer_set(struct hf_kernel *k, struct hf_timer *t, uint64_t at_ns)
{
    hf_wait_clear(&t->wait);
    return hf_heap_set(&k->timers, &t->node, at_ns > k->now ? at_ns : k->now);
}

void hf_timer_stop(struct hf_kernel *k, struct hf_timer *t)
{
    hf_heap_remove(&k->timers, &t->node);
}

void hf_timer_done(struct hf_kernel *k, struct hf_timer *t)
{
    hf_timer_stop(k, t);
    hf_wait_done(&t->wait);
}

void hf_timers_fire(struct hf_kernel *k)
{
    const uint64_t set_later = k->timers.seq;
    for (;;) {
        struct hf_heap_node *n = hf_heap_peek(&k->timers);
        if (n == NULL || n->at > k->now || n->seq >= set_later)
            return;
        hf_heap_remove(&k->timers, n);
        struct hf_timer *t = HF_CONTAINER_OF(n, struct hf_timer, node);
        if (t->fire != NULL)
            t->fire(t);
        if (!hf_heap_has(&t->node)) /* fire may have set it again */
            hf_wait_fire(&t->wait);
    }
}
