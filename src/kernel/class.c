/* class.c - a class is a pool: which instance takes which request, and when there are more or fewer
 * of them.
 *
 * A request goes to the most recently used idle instance (its caches are warm, and the others can
 * grow old and go), else to one that is starting and not claimed, else to a new one, else into the
 * queue. A claim only says "at the latest this one": whoever is free first takes the oldest
 * request, and a start that loses its request gets the next. So requests are always taken in the
 * order they came, and every request causes at most one start.
 *
 * What holds between calls: queue not empty => no instance is idle and no start is unclaimed;
 * claimed ones are older than queued ones.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

#define QUEUE_MAX 1024u
#define SECONDS   1000000000ull

/* ---- names ---- */

static struct hf_name *name_ref(struct hf_kernel *k, struct hf_view text)
{
    struct hf_name *n = hf_map_get(&k->names, text);
    if (n == NULL) {
        n = calloc(1, sizeof *n + text.len + 1);
        if (n == NULL)
            return NULL;
        memcpy(n->text, text.ptr, text.len);
        if (hf_map_put(&k->names, hf_view(n->text, text.len), n, NULL) != HF_OK) {
            free(n);
            return NULL;
        }
    }
    n->refs++;
    return n;
}

static void name_unref(struct hf_kernel *k, struct hf_name *n)
{
    if (--n->refs > 0)
        return;
    hf_map_remove(&k->names, hf_view_of(n->text));
    free(n);
}

struct hf_class *hf_class_find(const struct hf_kernel *k, struct hf_view name)
{
    const struct hf_name *n = hf_map_get(&k->names, name);
    return n == NULL ? NULL : n->class;
}

void hf_class_take_name(struct hf_class *c)
{
    HF_ASSERT(!c->closed);
    c->name->class = c;
}

/* ---- making ---- */

enum hf_err hf_class_add(struct hf_kernel *k, const char *name, const struct hf_class_settings *s,
                         struct hf_class **ret, struct hf_report *report)
{
    const struct hf_behaviour *b = s->behaviour;
    HF_ASSERT(b != NULL && b->start != NULL && b->turn != NULL && b->resume != NULL &&
              b->stop != NULL);
    if (name[0] == '\0')
        return hf_report_set(report, HF_INVALID, "a class needs a name");
    if (!s->unnamed && hf_class_find(k, hf_view_of(name)) != NULL)
        return hf_report_set(report, HF_INVALID, "there is a class named %s already", name);
    if (s->min > (s->max == 0 ? 1 : s->max))
        return hf_report_set(report, HF_INVALID, "class %s: min %u is more than max %u", name,
                             s->min, s->max == 0 ? 1 : s->max);

    struct hf_class *c = k->n_classes < HF_CLASSES_MAX ? calloc(1, sizeof *c) : NULL;
    if (c == NULL || (c->name = name_ref(k, hf_view_of(name))) == NULL) {
        free(c);
        return hf_report_set(report, HF_LIMIT, "class %s: no memory, or more than %u classes", name,
                             HF_CLASSES_MAX);
    }
    c->kernel = k;
    c->s = *s;
    c->held = s->held;
    if (!s->unnamed)
        hf_class_take_name(c);
    k->n_classes++;
    if (c->s.max == 0)
        c->s.max = 1;
    if (c->s.queue_max == 0)
        c->s.queue_max = QUEUE_MAX;
    if (c->s.request_timeout_ns == 0)
        c->s.request_timeout_ns = 30 * SECONDS;
    if (c->s.start_timeout_ns == 0)
        c->s.start_timeout_ns = 30 * SECONDS;
    if (c->s.leave_timeout_ns == 0)
        c->s.leave_timeout_ns = 5 * SECONDS;
    hf_list_init(&c->processes);
    hf_list_init(&c->idle);
    hf_list_init(&c->unclaimed);
    hf_list_init(&c->queue);
    hf_list_init(&c->claimed);
    hf_list_init(&c->away);
    hf_list_init(&c->starved);
    hf_list_init(&c->in_gone);
    hf_list_push_back(&k->classes, &c->in_kernel);
    *ret = c;
    return HF_OK;
}

/* ---- ending ---- */

void hf_class_less(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    uint32_t names = c->named == NULL ? 0 : c->named->n_named;
    if (c->closed && c->s.gone != NULL && c->n_processes == 0 && c->n_requests == 0 && names == 0 &&
        !k->closing && !hf_list_linked(&c->in_gone))
        hf_list_push_back(&k->gone, &c->in_gone);
}

void hf_class_free(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    void (*gone)(void *ctx, const struct hf_class_stats *last) = c->s.gone;
    void *ctx = c->s.gone_ctx;
    struct hf_class_stats last;
    hf_class_get_stats(c, &last);
    hf_list_remove(&c->in_kernel);
    hf_list_remove(&c->in_gone);
    hf_list_remove(&c->starved);
    k->n_classes--;
    if (k->timed == c)
        k->timed = NULL;
    if (c->name->class == c)
        c->name->class = NULL;
    name_unref(k, c->name);
    hf_buf_done(&c->last_failure);
    if (c->named != NULL)
        hf_asleep_class_done(c);
    hf_named_class_free(c->named);
    free(c);
    if (gone != NULL)
        gone(ctx, &last);
}

void hf_classes_free_gone(struct hf_kernel *k)
{
    while (!hf_list_empty(&k->gone))
        hf_class_free(HF_LIST_ENTRY(k->gone.next, struct hf_class, in_gone));
}

/* ---- who takes what ---- */

static void enqueue(struct hf_class *c, struct hf_request *r)
{
    r->place = HF_PLACE_QUEUE;
    r->process = NULL;
    c->n_queued++;
    hf_list_push_back(&c->queue, &r->in_class);
}

static struct hf_request *dequeue(struct hf_class *c)
{
    struct hf_list *n = hf_list_pop_front(&c->queue);
    if (n == NULL)
        return NULL;
    c->n_queued--;
    return HF_LIST_ENTRY(n, struct hf_request, in_class);
}

static void assign(struct hf_process *p, struct hf_request *r)
{
    r->place = HF_PLACE_HAND;
    r->process = p;
    p->request = r;
    p->phase = HF_PHASE_ASSIGNED;
    hf_request_set_clock(r);
    hf_sched_push(p);
}

static void claim(struct hf_class *c, struct hf_process *p, struct hf_request *r)
{
    hf_list_remove(&p->in_pool);
    r->place = HF_PLACE_CLAIMED;
    r->process = p;
    p->request = r;
    hf_list_push_back(&c->claimed, &r->in_class);
    hf_request_set_clock(r);
}

/* `p` is starting and nobody waits for it (any more). */
static void claim_next(struct hf_class *c, struct hf_process *p)
{
    p->request = NULL;
    if (p->doom != HF_DOOM_NONE)
        return;
    struct hf_request *r = dequeue(c);
    if (r != NULL)
        claim(c, p, r);
    else
        hf_list_push_back(&c->unclaimed, &p->in_pool);
}

static struct hf_process *take_idle(struct hf_class *c)
{
    struct hf_list *n = hf_list_pop_front(&c->idle);
    if (n == NULL)
        return NULL;
    c->n_idle--;
    return HF_LIST_ENTRY(n, struct hf_process, in_pool);
}

bool hf_class_place(struct hf_class *c, struct hf_request *r)
{
    struct hf_process *p = take_idle(c);
    if (p != NULL) {
        assign(p, r);
        return true;
    }
    if (hf_list_empty(&c->queue)) {
        if (!hf_list_empty(&c->unclaimed))
            p = HF_LIST_ENTRY(c->unclaimed.next, struct hf_process, in_pool);
        else
            p = hf_process_new(c);
        if (p != NULL) {
            c->stats.cold++;
            claim(c, p, r);
            return true;
        }
    }
    if (c->n_queued >= c->s.queue_max)
        return false;
    enqueue(c, r);
    return true;
}

/* The oldest request whose start still goes on: one whose start is doomed is about to hear so. */
static struct hf_request *oldest_claimed(struct hf_class *c)
{
    HF_LIST_FOR (n, &c->claimed) {
        struct hf_request *r = HF_LIST_ENTRY(n, struct hf_request, in_class);
        if (r->process->doom == HF_DOOM_NONE)
            return r;
    }
    return NULL;
}

/* The oldest request, taken out of where it waits. `p` takes it; a start that waited with it gets
 * what `p` waited with. */
static struct hf_request *take_oldest(struct hf_class *c, struct hf_process *p,
                                      struct hf_request *own)
{
    struct hf_request *r = oldest_claimed(c);
    if (r == NULL)
        return dequeue(c);
    struct hf_process *other = r->process;
    hf_list_remove(&r->in_class);
    if (other != p && own != NULL) {
        other->request = own;
        own->process = other;
    } else if (other != p) {
        claim_next(c, other);
    }
    return r;
}

void hf_class_put_free(struct hf_class *c, struct hf_process *p)
{
    struct hf_request *own = p->request;
    p->request = NULL;
    p->phase = HF_PHASE_IDLE;
    hf_list_remove(&p->in_pool);
    struct hf_request *r = take_oldest(c, p, own);
    if (r != NULL) {
        assign(p, r);
    } else if (c->closed) {
        hf_process_doom(p, HF_DOOM_RETIRE, "closed");
    } else {
        p->idle_ns = c->kernel->now;
        c->n_idle++;
        hf_list_push_front(&c->idle, &p->in_pool);
        hf_process_set_idle_clock(p);
    }
}

void hf_class_withdraw(struct hf_request *r)
{
    struct hf_class *c = r->class;
    struct hf_process *p = r->process;
    enum hf_place place = r->place;

    if (place == HF_PLACE_AWAY) {
        hf_remote_withdraw(r);
        return;
    }
    if (place == HF_PLACE_QUEUE)
        c->n_queued--;
    hf_list_remove(&r->in_class);
    if (place == HF_PLACE_HAND) {
        HF_ASSERT(p->phase == HF_PHASE_ASSIGNED);
        hf_list_remove(&p->in_run);
        p->request = NULL;
        hf_request_leave(r);
        hf_class_put_free(c, p);
        return;
    }
    hf_request_leave(r);
    if (place == HF_PLACE_CLAIMED)
        claim_next(c, p);
}

/* ---- more and fewer ---- */

void hf_class_refill(struct hf_class *c)
{
    struct hf_process *p;
    while (!hf_list_empty(&c->queue) && (p = hf_process_new(c)) != NULL)
        claim_next(c, p);
    while (c->warm && !c->closed && !c->start_failed && c->n_processes - c->n_doomed < c->s.min &&
           (p = hf_process_new(c)) != NULL)
        claim_next(c, p);
}

void hf_class_warm(struct hf_class *c)
{
    c->warm = true;
    c->start_failed = false;
    hf_class_refill(c);
}

static void doom_idle(struct hf_class *c, uint64_t served_least, const char *why)
{
    HF_LIST_FOR_SAFE (n, &c->idle) {
        struct hf_process *p = HF_LIST_ENTRY(n, struct hf_process, in_pool);
        if (p->served >= served_least)
            hf_process_doom(p, HF_DOOM_RETIRE, why);
    }
}

void hf_class_release(struct hf_class *c)
{
    c->held = false;
    hf_class_refill(c);
}

void hf_class_close(struct hf_class *c)
{
    c->closed = true;
    doom_idle(c, 0, "closed");
    if (c->named != NULL)
        hf_named_class_close(c);
    hf_class_less(c);
}

void hf_class_set_reusable(struct hf_class *c)
{
    if (!c->single_use)
        return;
    c->single_use = false;
    HF_LIST_FOR (n, &c->processes) {
        struct hf_process *p = HF_LIST_ENTRY(n, struct hf_process, in_class);
        if (p->served > 0 && p->turn.retire == NULL)
            p->turn.retire = "single-use";
    }
}

void hf_class_set_single_use(struct hf_class *c)
{
    if (c->single_use)
        return;
    c->single_use = true;
    doom_idle(c, 1, "single-use");
    /* Those about to take a second request give it back: it is the oldest but for what was given
     * back before. */
    for (struct hf_list *n = c->processes.prev, *prev; n != &c->processes; n = prev) {
        struct hf_process *p = HF_LIST_ENTRY(n, struct hf_process, in_class);
        struct hf_request *r = p->request;
        prev = n->prev;
        if (p->phase != HF_PHASE_ASSIGNED || p->served == 0 || p->doom != HF_DOOM_NONE)
            continue;
        p->request = NULL;
        p->phase = HF_PHASE_IDLE;
        hf_list_remove(&p->in_run);
        hf_process_doom(p, HF_DOOM_RETIRE, "single-use");
        struct hf_list *at = &c->queue;
        HF_LIST_FOR (q, &c->queue) {
            if (HF_LIST_ENTRY(q, struct hf_request, in_class)->message.id > r->message.id) {
                at = q;
                break;
            }
        }
        r->place = HF_PLACE_QUEUE;
        r->process = NULL;
        c->n_queued++;
        hf_list_insert_before(at, &r->in_class);
        hf_request_set_clock(r);
    }
}

struct hf_view hf_class_last_failure(const struct hf_class *c)
{
    return hf_buf_view(&c->last_failure);
}

void hf_class_get_stats(const struct hf_class *c, struct hf_class_stats *ret)
{
    *ret = c->stats;
    ret->instances = c->n_processes;
    ret->idle = c->n_idle;
    ret->queued = c->n_queued;
    ret->spares = c->named == NULL ? 0 : c->named->n_spares;
    ret->single_use = c->single_use;
}
