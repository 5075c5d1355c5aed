/* sched.c - the run queue, and one segment of one process.
 *
 * A segment is one call into a behaviour: start, turn, or resume after a wait or a yield. Runnable
 * processes stand in one queue; who yields or is woken goes to its back, so nobody is passed over
 * twice.
 */
#include "kernel/kernel_int.h"

void hf_sched_push(struct hf_process *p)
{
    if (p->doom == HF_DOOM_NONE && !hf_list_linked(&p->in_run))
        hf_list_push_back(&p->kernel->run, &p->in_run);
}

void hf_sched_woken(struct hf_waitset *set)
{
    hf_sched_push(hf_turn_of(HF_CONTAINER_OF(set, struct hf_turn, set)));
}

/* Why it must, or NULL. */
static const char *must_retire(const struct hf_process *p)
{
    const struct hf_class *c = p->class;
    if (p->turn.retire != NULL)
        return p->turn.retire;
    if (c->single_use)
        return "single-use";
    if (c->s.max_requests != 0 && p->served >= c->s.max_requests)
        return "max-requests";
    bool aged = c->s.max_age_ns != 0 && p->kernel->now - p->born_ns >= c->s.max_age_ns;
    return aged ? "max-age" : NULL;
}

static enum hf_end begin_start(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    const struct hf_class *c = p->class;
    uint64_t until;

    p->phase = HF_PHASE_STARTING;
    p->born_ns = k->now;
    if (!__builtin_add_overflow(k->now, c->s.start_timeout_ns, &until) &&
        hf_timer_set(k, &p->clock, until) != HF_OK) {
        hf_turn_fail(&p->turn, HF_ANSWER_LIMITED, HF_VIEW("no memory for a timer"));
        return HF_END_FAILED;
    }
    return c->s.behaviour->start(c->s.ctx, &p->turn, &p->state);
}

static enum hf_end begin_turn(struct hf_process *p)
{
    struct hf_request *r = p->request;
    p->phase = HF_PHASE_BUSY;
    p->served++;
    p->turn.failed = false;
    r->consumed = true;
    if (p->class->s.recorded) {
        struct hf_batch *b = hf_out_batch(p);
        if (b == NULL || hf_batch_consume(b, r->message.id, r->message.body) != HF_OK) {
            p->turn.broken = true;
            return HF_END_FAILED;
        }
    }
    return p->class->s.behaviour->turn(p->state, &p->turn);
}

static enum hf_end begin_leave(struct hf_process *p)
{
    p->leave_begun = true;
    return p->class->s.behaviour->leave(p->state, &p->turn);
}

static void start_done(struct hf_process *p)
{
    struct hf_class *c = p->class;
    hf_timer_stop(p->kernel, &p->clock);
    hf_out_seal(p);
    c->stats.started++;
    c->start_failed = false;
    hf_class_put_free(c, p);
}

static void turn_done(struct hf_process *p)
{
    struct hf_request *r = p->request;
    const char *why;
    if (r->duty == HF_DUTY_OPEN)
        hf_request_answer(r, p, HF_ANSWER_UNANSWERED, NULL, NULL);
    hf_out_seal(p);
    if (p->turn.broken) {
        hf_process_fail(p);
    } else if ((why = must_retire(p)) != NULL) {
        hf_process_retire(p, why);
    } else {
        p->request = NULL;
        hf_request_leave(r);
        hf_class_put_free(p->class, p);
    }
}

void hf_sched_run(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    enum hf_end end;

    k->running = p;
    if (p->phase == HF_PHASE_ASSIGNED)
        end = begin_turn(p);
    else if (p->phase == HF_PHASE_NEW)
        end = begin_start(p);
    else if (p->phase == HF_PHASE_LEAVING && !p->leave_begun)
        end = begin_leave(p);
    else
        end = p->class->s.behaviour->resume(p->state, &p->turn);
    k->running = NULL;
    if (p->turn.broken)
        end = HF_END_FAILED;

    switch (end) {
    case HF_END_DONE:
        if (p->phase == HF_PHASE_STARTING)
            start_done(p);
        else if (p->phase == HF_PHASE_LEAVING)
            hf_process_left(p);
        else
            turn_done(p);
        return;
    case HF_END_WAIT:
        hf_out_seal(p);
        if (!hf_waitset_park(&p->turn.set, p->turn.selective))
            hf_sched_push(p); /* ready meanwhile */
        return;
    case HF_END_YIELD:
        hf_out_seal(p);
        hf_sched_push(p);
        return;
    case HF_END_FAILED: hf_process_fail(p); return;
    }
    HF_ASSERT(!"a behaviour ends DONE, WAIT, YIELD or FAILED");
}
