/* spare.c - instances of a class of named processes that were made ahead: started, at rest, nobody's.
 *
 * A new name takes one in place of a start. Others are made behind everybody who is runnable, in the
 * line of those that used up a slice, so nobody waits for them but for one segment.
 *
 * Spares give way: they count against the bounds on what is in memory and on processes, but a bound
 * never refuses or evicts somebody because of them; one of them goes instead, and where a start
 * fails for want of room all of them go, and it is tried again. They go without last words, for they
 * have been nobody.
 *
 * Whoever ends in order and can be renewed comes back as one, in its own place, if one is wanted.
 *
 * A spare's start runs before there is a name. One that asks who it is, or sends, would not be what
 * a start for that name had been: it is thrown away, and its class has no spares from then on.
 */
#include "kernel/named_int.h"

#define SHUT_NS 1000000000u /* after a start that failed for want of room no spares are made */

/* ---- counting ---- */

/* It is no spare any more, as far as bounds on memory go. */
static void unlist(struct hf_process *p)
{
    if (!hf_list_linked(&p->in_class_idle))
        return;
    hf_list_remove(&p->in_class_idle);
    p->kernel->evict.n_spares--;
    p->class->named->n_spares--;
}

static void count(struct hf_process *p)
{
    p->spare = true;
    p->kernel->evict.n_spares++;
    p->kernel->evict.n_spare_processes++;
    p->class->named->n_spares++;
    p->class->named->n_spare_processes++;
}

static void forget(struct hf_process *p)
{
    unlist(p);
    p->spare = false;
    p->kernel->evict.n_spare_processes--;
    p->class->named->n_spare_processes--;
}

void hf_spare_gone(struct hf_process *p)
{
    if (p->spare)
        forget(p);
}

void hf_spare_doomed(struct hf_process *p)
{
    if (p->spare)
        unlist(p);
}

/* ---- giving way ---- */

static bool one_goes(struct hf_named_class *nc)
{
    if (hf_list_empty(&nc->spares))
        return false;
    hf_process_doom(HF_LIST_ENTRY(nc->spares.prev, struct hf_process, in_class_idle),
                    HF_DOOM_SPARE, "spare");
    return true;
}

void hf_spare_give_way(struct hf_kernel *k)
{
    HF_LIST_FOR (at, &k->classes) {
        struct hf_class *c = HF_LIST_ENTRY(at, struct hf_class, in_kernel);
        if (c->named != NULL && one_goes(c->named))
            return;
    }
}

void hf_spare_none(struct hf_class *c)
{
    while (one_goes(c->named)) {
        /* the step ends them */
    }
}

void hf_spare_fit(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    struct hf_named_class *nc = c->named;
    while (nc->s.resident_max != 0 && nc->n_spares > 0 &&
           nc->n_resident - nc->n_leaving + nc->n_spares > nc->s.resident_max)
        (void)one_goes(nc);
    while (k->evict.n_spares > 0 && k->evict.n_resident - k->evict.n_leaving + k->evict.n_spares >
                                        k->s.resident_max)
        hf_spare_give_way(k);
}

bool hf_spare_retry(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    struct hf_evict *e = &k->evict;
    struct hf_turn *t = &p->turn;
    if (p->phase != HF_PHASE_STARTING || t->broken || !t->failed ||
        t->fail_kind != HF_ANSWER_LIMITED || !hf_list_empty(&t->effects))
        return false;
    if (p->named == NULL && !p->spare)
        return false;
    e->spares_shut = !__builtin_add_overflow(k->now, SHUT_NS, &e->spares_shut_ns);
    if (p->spare) { /* nobody waits for it, and its start is over */
        p->phase = HF_PHASE_IDLE;
        hf_process_doom(p, HF_DOOM_SPARE, "spare");
        return true;
    }
    if (e->n_spares == 0)
        return false;
    while (e->n_spares > 0)
        hf_spare_give_way(k);
    hf_timer_stop(k, &p->clock);
    p->class->s.behaviour->stop(p->state);
    p->state = NULL;
    hf_turn_reset(t);
    p->phase = HF_PHASE_NEW;
    hf_sched_push(p); /* those that go are ended before */
    return true;
}

/* ---- making ---- */

/* Somebody who is somebody never waits for the room that one takes. */
static bool has_room(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    const struct hf_evict *e = &k->evict;
    const struct hf_named_class *nc = c->named;
    uint32_t in_class = nc->n_resident - nc->n_leaving + nc->n_spares;
    uint32_t in_kernel = e->n_resident - e->n_leaving + e->n_spares;
    if (e->spares_shut && k->now >= e->spares_shut_ns)
        k->evict.spares_shut = false;
    return !e->spares_shut && hf_list_empty(&e->waiting) && hf_list_empty(&k->starved) &&
           c->n_processes < c->s.max && k->n_processes < k->s.processes_max &&
           in_kernel < k->s.resident_max &&
           (nc->s.resident_max == 0 || in_class < nc->s.resident_max);
}

void hf_spare_refill(struct hf_class *c)
{
    struct hf_named_class *nc = c->named;
    while (nc->n_spares < nc->s.warm && !nc->no_spares && !c->closed && !c->start_failed &&
           !c->kernel->closing && has_room(c)) {
        struct hf_process *p = hf_process_make(c);
        if (p == NULL)
            return;
        p->spent = true;
        count(p);
        hf_list_push_back(&nc->spares, &p->in_class_idle);
        hf_sched_push(p);
    }
}

void hf_spare_ready(struct hf_process *p)
{
    struct hf_class *c = p->class;
    struct hf_named_class *nc = c->named;
    p->phase = HF_PHASE_IDLE;
    if (p->asked) {
        nc->no_spares = true;
        hf_spare_none(c);
    } else {
        hf_list_remove(&p->in_class_idle);
        hf_list_push_front(&nc->spares, &p->in_class_idle); /* those that are ready come first */
    }
}

/* ---- coming back ---- */

/* Those that were not begun make way for one that is ready. */
static struct hf_process *not_begun(struct hf_named_class *nc)
{
    struct hf_process *last = hf_list_empty(&nc->spares)
                                  ? NULL
                                  : HF_LIST_ENTRY(nc->spares.prev, struct hf_process, in_class_idle);
    return last != NULL && last->phase == HF_PHASE_NEW ? last : NULL;
}

bool hf_spare_renews(struct hf_process *p)
{
    struct hf_class *c = p->class;
    struct hf_named_class *nc = c->named;
    if (p->named == NULL || !p->in_order || nc->s.warm == 0 || nc->no_spares || c->closed ||
        c->kernel->closing || c->s.behaviour->renew == NULL)
        return false;
    if (p->phase == HF_PHASE_NEW || p->phase == HF_PHASE_STARTING || hf_evict_is_reviving(p))
        return false;
    if (not_begun(nc) == NULL && (nc->n_spares >= nc->s.warm || !has_room(c)))
        return false;
    return c->s.behaviour->renew(p->state) == HF_OK;
}

void hf_spare_put_back(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    struct hf_class *c = p->class;
    struct hf_named_class *nc = c->named;
    struct hf_turn *t = &p->turn;
    if (nc->n_spares >= nc->s.warm)
        (void)one_goes(nc);
    hf_timer_stop(k, &p->clock);
    hf_evict_gone(p);
    hf_list_remove(&p->in_pool);
    hf_list_remove(&p->in_run);
    hf_list_remove(&p->in_class);
    hf_list_push_back(&c->processes, &p->in_class);
    hf_buf_clear(&t->fail_text);
    t->failed = false;
    t->retire = NULL;
    p->id = k->next_process++;
    p->phase = HF_PHASE_IDLE;
    p->doom = HF_DOOM_NONE;
    p->leave_begun = p->spent = p->blocked = p->due = p->moved = p->revived = p->asked = false;
    p->patience = 0;
    p->why = NULL;
    p->in_order = false;
    p->served = 0;
    p->born_ns = p->idle_ns = k->now;
    count(p);
    hf_list_push_front(&nc->spares, &p->in_class_idle);
}

/* ---- taking ---- */

struct hf_process *hf_spare_take(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    struct hf_named_class *nc = c->named;
    if (hf_list_empty(&nc->spares) || !hf_list_empty(&nc->entrance))
        return NULL;
    struct hf_process *p = HF_LIST_ENTRY(nc->spares.next, struct hf_process, in_class_idle);
    if (p->asked) /* by what it has begun, and said nothing of it yet */
        return NULL;
    forget(p);
    p->resident = true;
    k->evict.n_resident++;
    nc->n_resident++;
    p->idle_ns = k->now;
    c->stats.warm += p->phase == HF_PHASE_IDLE;
    if (hf_list_linked(&p->in_run)) { /* it has not begun, or used up a slice: others wait for it now */
        hf_list_remove(&p->in_run);
        p->spent = false;
    }
    if (p->phase != HF_PHASE_STARTING || !p->turn.set.parked)
        hf_sched_push(p);
    hf_spare_refill(c);
    return p;
}
