/* timer.c - timers are nodes of the kernel's heap; a step first collects those that are due, then
 * fires them (timer.h).
 *
 * Collecting first means that a timer set while others fire waits for the next step, also when its
 * time has passed: a timer that sets itself again cannot hold a step.
 */
#include "kernel/kernel_int.h"

void hf_timer_init(struct hf_timer *t)
{
    *t = (struct hf_timer){0};
    hf_wait_init(&t->wait, false);
    hf_list_init(&t->due);
}

enum hf_err hf_timer_set(struct hf_kernel *k, struct hf_timer *t, uint64_t at_ns)
{
    hf_list_remove(&t->due);
    hf_wait_clear(&t->wait);
    return hf_heap_set(&k->timers, &t->node, at_ns);
}

void hf_timer_stop(struct hf_kernel *k, struct hf_timer *t)
{
    hf_list_remove(&t->due);
    hf_heap_remove(&k->timers, &t->node);
}

void hf_timer_done(struct hf_kernel *k, struct hf_timer *t)
{
    hf_timer_stop(k, t);
    hf_wait_done(&t->wait);
}

void hf_timers_fire(struct hf_kernel *k)
{
    struct hf_list due;

    hf_list_init(&due);
    for (struct hf_heap_node *n; (n = hf_heap_pop_due(&k->timers, k->now)) != NULL;)
        hf_list_push_back(&due, &HF_CONTAINER_OF(n, struct hf_timer, node)->due);
    for (struct hf_list *n; (n = hf_list_pop_front(&due)) != NULL;) {
        struct hf_timer *t = HF_LIST_ENTRY(n, struct hf_timer, due);
        if (t->fire != NULL)
            t->fire(t);
        if (!hf_heap_has(&t->node)) /* fire may have set it again */
            hf_wait_fire(&t->wait);
    }
}
