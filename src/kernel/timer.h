/* timer.h - deadlines as waits: a timer becomes ready when the kernel is stepped at or past its
 * time. */
#ifndef HF_KERNEL_TIMER_H
#define HF_KERNEL_TIMER_H

#include "base/heap.h"
#include "kernel/wait.h"

struct hf_kernel;
struct hf_timer {
    struct hf_heap_node node;
    struct hf_wait wait;
    /* Optional: called before wait fires; may not free the timer's owner. */
    void (*fire)(struct hf_timer *t);
};
void hf_timer_init(struct hf_timer *t);
/* Ready at at_ns; moves it when set already; not ready until then (a time that has passed: ready at
 * the next step). HF_LIMIT: memory; the timer is then not set. Moving a set one never fails. */
enum hf_err hf_timer_set(struct hf_kernel *k, struct hf_timer *t, uint64_t at_ns);
/* Fine when not set; whether it is ready stays as it was. */
void hf_timer_stop(struct hf_kernel *k, struct hf_timer *t);
void hf_timer_done(struct hf_kernel *k, struct hf_timer *t); /* stop, and its wait is gone */

#endif
