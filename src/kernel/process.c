/* process.c - instances: made for a request or to be warm, ended when they fail, take too long, or
 * are not needed.
 *
 * Ending is one function, whatever the reason; the reasons differ in whether the behaviour is asked
 * to unwind (cancel) and in what the waiting request is told. A process is only ever ended between
 * two behaviour calls (kernel_int.h).
 */
#include "kernel/named_int.h"

#include <stdio.h>
#include <stdlib.h>

#define FAILURE_MAX 1024u

static void process_due(struct hf_timer *t);

const char *hf_phase_text(enum hf_phase phase)
{
    static const char *const texts[] = {"new", "starting", "idle", "assigned", "busy", "leaving"};
    return texts[phase];
}

/* ---- making ---- */

static struct hf_process *process_alloc(struct hf_kernel *k)
{
    struct hf_list *n = hf_list_pop_front(&k->free_processes);
    if (n != NULL) {
        k->n_free_processes--;
        return HF_LIST_ENTRY(n, struct hf_process, in_class);
    }
    struct hf_process *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    hf_turn_init(&p->turn);
    hf_timer_init(&p->clock);
    p->clock.fire = process_due;
    p->kernel = k;
    hf_list_init(&p->in_class);
    hf_list_init(&p->in_pool);
    hf_list_init(&p->in_run);
    hf_list_init(&p->in_awake);
    hf_list_init(&p->in_idle);
    hf_list_init(&p->in_class_idle);
    return p;
}

/* Spares do not count: one of them goes, where there are too many with them. */
static bool may_be_more(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    if (k->n_processes - k->evict.n_spare_processes >= k->s.processes_max)
        return false;
    if (k->n_processes >= k->s.processes_max)
        hf_spare_give_way(k);
    return true;
}

struct hf_process *hf_process_make(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    uint32_t spares = c->named == NULL ? 0 : c->named->n_spare_processes;
    if (k->closing || c->held || c->n_processes - spares >= c->s.max)
        return NULL;
    struct hf_process *p = may_be_more(c) ? process_alloc(k) : NULL;
    if (p == NULL) { /* when one ends, this class is asked again */
        if (!hf_list_linked(&c->starved))
            hf_list_push_back(&k->starved, &c->starved);
        return NULL;
    }
    p->id = k->next_process++;
    p->class = c;
    p->state = NULL;
    p->phase = HF_PHASE_NEW;
    p->doom = HF_DOOM_NONE;
    p->leave_begun = p->spent = p->blocked = p->due = false;
    p->resident = p->reserved = p->moved = p->revived = p->spare = p->asked = false;
    p->move = NULL;
    p->patience = 0;
    p->why = NULL;
    p->in_order = false;
    p->served = p->born_ns = p->idle_ns = 0;
    k->n_processes++;
    c->n_processes++;
    hf_list_push_back(&c->processes, &p->in_class);
    return p;
}

struct hf_process *hf_process_new(struct hf_class *c)
{
    struct hf_process *p = hf_process_make(c);
    if (p != NULL)
        hf_sched_push(p);
    return p;
}

static void process_free(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    hf_timer_stop(k, &p->clock);
    hf_spare_gone(p);
    hf_evict_gone(p);
    hf_turn_reset(&p->turn);
    hf_list_remove(&p->in_class);
    hf_list_remove(&p->in_pool);
    hf_list_remove(&p->in_run);
    p->class->n_processes--;
    hf_class_less(p->class);
    k->n_processes--;
    if (k->n_free_processes < HF_KERNEL_KEEP) {
        k->n_free_processes++;
        hf_list_push_front(&k->free_processes, &p->in_class);
        return;
    }
    hf_buf_done(&p->turn.fail_text);
    free(p);
}

void hf_processes_free_all(struct hf_kernel *k)
{
    for (struct hf_list *n; (n = hf_list_pop_front(&k->free_processes)) != NULL;) {
        struct hf_process *p = HF_LIST_ENTRY(n, struct hf_process, in_class);
        hf_buf_done(&p->turn.fail_text);
        free(p);
    }
}

/* ---- ending ---- */

/* It counts in n_doomed: it is doomed, or says its last words. */
static bool is_going(const struct hf_process *p)
{
    return p->doom != HF_DOOM_NONE || p->phase == HF_PHASE_LEAVING;
}

static void unwind(struct hf_process *p, enum hf_err why)
{
    const struct hf_behaviour *b = p->class->s.behaviour;
    bool begun = p->phase == HF_PHASE_STARTING || p->phase == HF_PHASE_BUSY ||
                 (p->phase == HF_PHASE_LEAVING && p->leave_begun);
    hf_waitset_unpark(&p->turn.set);
    if (!begun || b->cancel == NULL || hf_evict_is_reviving(p))
        return;
    p->kernel->running = p;
    b->cancel(p->state, &p->turn, why);
    p->kernel->running = NULL;
}

/* A place is free: classes that wait for one come first, in the order they asked, then the class it
 * was in. */
static void refill(struct hf_kernel *k, struct hf_class *c)
{
    struct hf_list asked;
    if (hf_list_empty(&k->starved)) {
        hf_class_refill(c);
        if (c->named != NULL)
            hf_spare_refill(c);
        return;
    }
    if (!hf_list_linked(&c->starved))
        hf_list_push_back(&k->starved, &c->starved);
    hf_list_init(&asked);
    hf_list_splice_back(&asked, &k->starved);
    while (!hf_list_empty(&asked) &&
           k->n_processes < k->s.processes_max) /* who wants more asks again, at the back */
        hf_class_refill(HF_LIST_ENTRY(hf_list_pop_front(&asked), struct hf_class, starved));
    hf_list_splice_back(&asked, &k->starved);
    hf_list_splice_back(&k->starved, &asked);
}

/* Whoever waits for it has been told. */
static void end(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    struct hf_class *c = p->class;
    struct hf_request *r = p->request;
    struct hf_named *named = p->named;

    hf_waitset_unpark(&p->turn.set);
    hf_out_seal(p);
    bool renewed = hf_spare_renews(p);
    if (!renewed && p->phase != HF_PHASE_NEW)
        c->s.behaviour->stop(p->state);
    if (c->s.ended != NULL && p->phase != HF_PHASE_NEW) {
        struct hf_ended e = {.process = p->id,
                             .served = p->served,
                             .born_ns = p->born_ns,
                             .now_ns = k->now,
                             .why = p->why,
                             .in_order = p->in_order};
        c->s.ended(c->s.ended_ctx, &e);
    }
    p->request = NULL;
    if (r != NULL) { /* kept until now: the instance may look into the message until it is gone */
        hf_list_remove(&r->in_class);
        hf_request_leave(r);
    }
    if (is_going(p))
        c->n_doomed--;
    bool in_order = p->in_order;
    const char *why = p->why;
    p->named = NULL;
    if (renewed) {
        hf_spare_put_back(p);
    } else {
        p->state = NULL;
        process_free(p);
    }
    if (named != NULL)
        hf_named_gone(named, in_order, why);
    if (!k->closing)
        refill(k, c);
}

void hf_process_put_out(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    struct hf_class *c = p->class;
    process_free(p);
    refill(k, c);
}

/* For whoever it is told to, and for the class: a warm start has nobody to tell. */
static void tell(struct hf_process *p, enum hf_answer_kind kind, struct hf_view text)
{
    struct hf_class *c = p->class;
    hf_buf_clear(&c->last_failure);
    if (hf_buf_add_view(&c->last_failure, hf_view_take(text, FAILURE_MAX)) != HF_OK)
        hf_buf_clear(&c->last_failure);
    struct hf_request *r = p->request;
    if (r != NULL && r->duty == HF_DUTY_OPEN)
        hf_request_refuse(r, p, kind, text);
    if (p->named != NULL)
        hf_named_dying(p, kind, text);
}

static bool is_starting(const struct hf_process *p)
{
    return p->phase == HF_PHASE_NEW || p->phase == HF_PHASE_STARTING;
}

static void count_end(struct hf_process *p)
{
    struct hf_class *c = p->class;
    if (is_starting(p)) {
        c->stats.start_failures++;
        c->start_failed = true;
    } else {
        c->stats.killed++;
    }
}

void hf_process_fail(struct hf_process *p)
{
    struct hf_turn *t = &p->turn;
    struct hf_view text = hf_buf_view(&t->fail_text);
    enum hf_answer_kind kind = t->failed ? t->fail_kind : HF_ANSWER_DEAD;
    if (t->broken) {
        kind = HF_ANSWER_LIMITED;
        text = HF_VIEW("no memory to record what the turn did");
    } else if (text.len == 0) {
        text = is_starting(p) ? HF_VIEW("the start failed and did not say why")
                              : HF_VIEW("the turn failed and did not say why");
    }
    p->why = is_starting(p) ? "start-failed" : "failed";
    p->in_order = false;
    count_end(p);
    tell(p, kind, text);
    end(p);
}

/* It serves nobody any more; what it says last is a segment like any other. */
static void begin_leave(struct hf_process *p)
{
    struct hf_request *r = p->request;
    uint64_t until;
    if (!is_going(p))
        p->class->n_doomed++;
    p->doom = HF_DOOM_NONE;
    p->phase = HF_PHASE_LEAVING;
    p->turn.failed = false;
    p->request = NULL;
    if (r != NULL)
        hf_request_leave(r);
    hf_timer_stop(p->kernel, &p->clock);
    if (!__builtin_add_overflow(p->kernel->now, p->class->s.leave_timeout_ns, &until) &&
        hf_timer_set(p->kernel, &p->clock, until) != HF_OK) {
        end(p); /* without a clock it could stay for ever */
        return;
    }
    hf_sched_push(p);
}

void hf_process_retire(struct hf_process *p, const char *why)
{
    p->why = why;
    p->in_order = true;
    p->class->stats.retired++;
    if (p->turn.retire != NULL)
        p->class->last_retire = p->turn.retire;
    if (p->class->s.behaviour->leave != NULL && !p->kernel->closing)
        begin_leave(p);
    else
        end(p);
}

void hf_process_unborn(struct hf_process *p)
{
    p->why = "closed";
    p->in_order = true;
    end(p);
}

void hf_process_left(struct hf_process *p)
{
    hf_out_seal(p);
    end(p);
}

void hf_process_doom(struct hf_process *p, enum hf_doom doom, const char *why)
{
    if (p->doom != HF_DOOM_NONE)
        return;
    p->why = why;
    p->in_order = false;
    if (p->phase == HF_PHASE_IDLE && hf_list_linked(&p->in_pool))
        p->class->n_idle--;
    hf_spare_doomed(p);
    hf_evict_keep(p);
    hf_list_remove(&p->in_pool);
    hf_list_remove(&p->in_run);
    hf_waitset_unpark(&p->turn.set);
    if (!is_going(p))
        p->class->n_doomed++;
    p->doom = doom;
    hf_list_push_back(&p->kernel->doomed, &p->in_run);
}

static void end_doomed(struct hf_process *p)
{
    char text[96];
    int n;

    switch (p->doom) {
    case HF_DOOM_TIMEOUT:
        unwind(p, HF_TIMEOUT);
        count_end(p);
        if (p->named != NULL)
            tell(p, HF_ANSWER_DEAD, HF_VIEW("its turn took too long"));
        end(p);
        return;
    case HF_DOOM_START_TIMEOUT:
        unwind(p, HF_TIMEOUT);
        count_end(p);
        n = snprintf(text, sizeof text, "starting an instance took longer than %llu ms",
                     (unsigned long long)(p->class->s.start_timeout_ns / 1000000));
        tell(p, HF_ANSWER_DEAD, hf_view(text, (size_t)n));
        end(p);
        return;
    case HF_DOOM_LEAVE_TIMEOUT:
        unwind(p, HF_TIMEOUT);
        count_end(p);
        tell(p, HF_ANSWER_DEAD, HF_VIEW("its last words took too long"));
        end(p);
        return;
    case HF_DOOM_KILL: /* whoever waits hears it before the behaviour does */
        tell(p, HF_ANSWER_DEAD, hf_named_kill_text(p->named));
        unwind(p, HF_CANCELLED);
        count_end(p);
        end(p);
        return;
    case HF_DOOM_SPARE:
        unwind(p, HF_CANCELLED);
        p->in_order = true;
        end(p);
        return;
    case HF_DOOM_KERNEL: /* who waited was told when all was cancelled */
        unwind(p, HF_CANCELLED);
        end(p);
        return;
    default: hf_process_retire(p, p->why);
    }
}

void hf_processes_end_doomed(struct hf_kernel *k)
{
    for (struct hf_list *n; (n = hf_list_pop_front(&k->doomed)) != NULL;)
        end_doomed(HF_LIST_ENTRY(n, struct hf_process, in_run));
}

/* ---- time ---- */

/* When an idle one should be looked at; UINT64_MAX: never. */
static uint64_t idle_due(const struct hf_process *p)
{
    const struct hf_class_settings *s = &p->class->s;
    uint64_t due = UINT64_MAX, at;
    if (s->idle_timeout_ns != 0 && !__builtin_add_overflow(p->idle_ns, s->idle_timeout_ns, &at))
        due = at;
    if (s->max_age_ns != 0 && !__builtin_add_overflow(p->born_ns, s->max_age_ns, &at) && at < due)
        due = at;
    return due;
}

/* A clock that is set already rings no later than it should; process_due then looks again. So a
 * process that is used all the time does not touch the heap. Without memory for it the process is
 * just not retired now. */
void hf_process_set_idle_clock(struct hf_process *p)
{
    uint64_t due = idle_due(p);
    if (due != UINT64_MAX && !hf_heap_has(&p->clock.node))
        (void)!hf_timer_set(p->kernel, &p->clock, due);
}

static void process_due(struct hf_timer *t)
{
    struct hf_process *p = HF_CONTAINER_OF(t, struct hf_process, clock);
    struct hf_class *c = p->class;
    uint64_t now = p->kernel->now;

    if (p->phase == HF_PHASE_STARTING) {
        hf_process_doom(p, HF_DOOM_START_TIMEOUT, "start-deadline");
        return;
    }
    if (p->phase == HF_PHASE_LEAVING) {
        hf_process_doom(p, HF_DOOM_LEAVE_TIMEOUT, "leave-deadline");
        return;
    }
    if (p->named != NULL) {
        hf_named_clock(p);
        return;
    }
    if (p->phase != HF_PHASE_IDLE || p->doom != HF_DOOM_NONE)
        return; /* looked at when it is idle again */
    if (idle_due(p) <= now) {
        bool aged = c->s.max_age_ns != 0 && now - p->born_ns >= c->s.max_age_ns;
        if (aged || c->n_processes - c->n_doomed > c->s.min) {
            hf_process_doom(p, HF_DOOM_RETIRE, aged ? "max-age" : "idle");
            return;
        }
        p->idle_ns = now; /* one of `min`: stays, and is looked at again */
    }
    hf_process_set_idle_clock(p);
}
