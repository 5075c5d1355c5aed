/* sched.c - the run queue, and one segment of one process.
 *
 * A segment is one call into a behaviour: start, turn, or resume after a wait or a yield. Runnable
 * processes stand in one of three lines (port.h), at the back when they yield or are woken. Whose
 * class is slow is seen when it is its turn: until then the class may have changed its ways.
 */
#include "kernel/named_int.h"

#define PACE_SHARE 8u /* a call counts an eighth in the pace of its class */

static void stand(struct hf_kernel *k, enum hf_line_kind kind, struct hf_process *p)
{
    struct hf_line *line = &k->lines[kind];
    if (hf_list_empty(&line->list))
        line->since_ns = k->now;
    hf_list_push_back(&line->list, &p->in_run);
}

void hf_sched_push(struct hf_process *p)
{
    if (HF_UNLIKELY(p->blocked))
        p->due = true;
    else if (p->doom == HF_DOOM_NONE && !hf_list_linked(&p->in_run))
        stand(p->kernel, p->spent ? HF_LINE_SPENT : HF_LINE_PROMPT, p);
}

static struct hf_process *first(const struct hf_line *line)
{
    return HF_LIST_ENTRY(line->list.next, struct hf_process, in_run);
}

static bool waited(const struct hf_kernel *k, enum hf_line_kind kind, uint64_t patience_ns)
{
    const struct hf_line *line = &k->lines[kind];
    return !hf_list_empty(&line->list) && k->now - line->since_ns >= patience_ns;
}

/* Somebody late goes before the prompt: it has waited enough, and they had their time since the
 * last that did. */
static bool may_press(const struct hf_kernel *k)
{
    return k->now - k->late_ns >= HF_SLOW_WAIT_NS &&
           (waited(k, HF_LINE_SLOW, HF_SLOW_WAIT_NS) || waited(k, HF_LINE_SPENT, HF_SPENT_WAIT_NS));
}

enum hf_line_kind hf_sched_next(struct hf_kernel *k)
{
    struct hf_line *prompt = &k->lines[HF_LINE_PROMPT];
    while (!hf_list_empty(&prompt->list) && first(prompt)->class->pace_ns >= HF_SLOW_NS) {
        struct hf_process *p = first(prompt);
        hf_list_remove(&p->in_run);
        stand(k, HF_LINE_SLOW, p);
    }
    bool slow = !hf_list_empty(&k->lines[HF_LINE_SLOW].list),
         spent = !hf_list_empty(&k->lines[HF_LINE_SPENT].list);
    if (!hf_list_empty(&prompt->list) && (HF_LIKELY(!slow && !spent) || !may_press(k)))
        return HF_LINE_PROMPT;
    if (spent && (!slow || waited(k, HF_LINE_SPENT, HF_SPENT_WAIT_NS)))
        return HF_LINE_SPENT;
    return slow ? HF_LINE_SLOW : HF_LINES;
}

size_t hf_sched_runnable(const struct hf_kernel *k)
{
    size_t n = 0;
    for (size_t i = 0; i < HF_LINES; i++)
        HF_LIST_FOR (at, &k->lines[i].list) {
            n++;
        }
    return n;
}

void hf_sched_settle(struct hf_kernel *k)
{
    struct hf_class *c = k->timed;
    uint64_t took = k->now - k->began;
    if (k->ran == HF_LINES)
        return;
    k->lines[k->ran].since_ns = k->now;
    if (k->ran != HF_LINE_PROMPT)
        k->late_ns = k->now;
    k->ran = HF_LINES;
    if (c == NULL)
        return;
    if (took > PACE_SHARE * HF_SLOW_NS) /* one great delay is forgiven as soon as a slice */
        took = PACE_SHARE * HF_SLOW_NS;
    c->pace_ns = c->pace_ns - c->pace_ns / PACE_SHARE + took / PACE_SHARE;
    k->timed = NULL;
}

void hf_sched_woken(struct hf_waitset *set)
{
    struct hf_turn *t = HF_CONTAINER_OF(set, struct hf_turn, set);
    hf_sched_push(HF_CONTAINER_OF(t, struct hf_process, turn)); /* nobody asks: not hf_turn_of */
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

    bool revives = hf_evict_is_reviving(p);

    p->phase = HF_PHASE_STARTING;
    p->born_ns = k->now;
    if (!__builtin_add_overflow(k->now, c->s.start_timeout_ns, &until) &&
        hf_timer_set(k, &p->clock, until) != HF_OK) {
        hf_turn_fail(&p->turn, HF_ANSWER_LIMITED, HF_VIEW("no memory for a timer"));
        return HF_END_FAILED;
    }
    return revives ? hf_evict_revive(p) : c->s.behaviour->start(c->s.ctx, &p->turn, &p->state);
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
        if (b == NULL ||
            hf_batch_consume(b, r->message.id, HF_MESSAGE_REQUEST, r->message.body) != HF_OK) {
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
    c->stats.started += !p->revived;
    c->start_failed = false;
    if (p->named != NULL)
        hf_named_started(p);
    else if (p->spare)
        hf_spare_ready(p);
    else
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

/* It has not begun to start, and its class, which is closed, has nothing for it to do. */
static bool is_unwanted(const struct hf_process *p)
{
    if (p->phase != HF_PHASE_NEW || !p->class->closed)
        return false;
    if (p->named == NULL)
        return p->request == NULL;
    return p->named->asleep == NULL && hf_named_is_quiet(p->named);
}

void hf_sched_run(struct hf_kernel *k, enum hf_line_kind line)
{
    struct hf_process *p = first(&k->lines[line]);
    enum hf_end end;

    hf_list_remove(&p->in_run);
    p->spent = false;
    if (is_unwanted(p)) {
        hf_process_unborn(p);
        return;
    }
    if (p->phase == HF_PHASE_NEW && p->named != NULL && !hf_evict_admits(p))
        return;
    k->ran = line;
    k->timed = line == HF_LINE_SPENT ? NULL : p->class;
    k->began = k->now;
    k->running = p;
    if (p->phase == HF_PHASE_ASSIGNED)
        end = begin_turn(p);
    else if (p->phase == HF_PHASE_NEW)
        end = begin_start(p);
    else if (p->phase == HF_PHASE_LEAVING && !p->leave_begun)
        end = begin_leave(p);
    else if (p->phase == HF_PHASE_IDLE)
        end = hf_named_begin(p);
    else if (p->phase == HF_PHASE_STARTING && hf_evict_is_reviving(p))
        end = hf_evict_resume(p);
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
        else if (p->named != NULL)
            hf_named_turn_done(p);
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
        p->spent = true;
        hf_sched_push(p);
        return;
    case HF_END_FAILED:
        if (!hf_spare_retry(p))
            hf_process_fail(p);
        return;
    }
    HF_ASSERT(!"a behaviour ends DONE, WAIT, YIELD or FAILED");
}
