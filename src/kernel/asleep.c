/* asleep.c - names whose instance is not in memory.
 *
 * A name that is nothing but a name then (no capabilities, watches, timers, pending requests, and
 * nobody who refers to it) is folded: its hf_named is freed, and what is left is a hf_asleep of 72
 * bytes and the name, in a map of its own. Whoever looks for it gets a hf_named again.
 *
 * It ends like others: killed or by a link at once, in order (stopped, idle for too long, its class
 * closed) where it lies, or after its last words if its class wants them: then it is revived first.
 * Ends happen with the next step, never inside of what caused them: a death may bring others.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

/* ---- in and out ---- */

struct hf_asleep *hf_asleep_new(const struct hf_named *n)
{
    struct hf_asleep *a = calloc(1, sizeof *a + n->name_len);
    if (a == NULL)
        return NULL;
    a->class = n->class;
    a->name_len = (uint32_t)n->name_len;
    memcpy(a->name, n->name, n->name_len);
    return a;
}

static void set_clock(struct hf_named_class *nc)
{
    uint64_t until;
    if (nc->s.idle_timeout_ns == 0 || hf_list_empty(&nc->asleep) || hf_heap_has(&nc->clock.node))
        return;
    const struct hf_asleep *a = HF_LIST_ENTRY(nc->asleep.next, struct hf_asleep, in_class);
    if (!__builtin_add_overflow(a->idle_ns, nc->s.idle_timeout_ns, &until))
        (void)!hf_timer_set(nc->class->kernel, &nc->clock, until); /* without it, it just stays */
}

/* Nearly always the last: those that are idle for longest are evicted first. */
static void enlist(struct hf_named_class *nc, struct hf_asleep *a)
{
    struct hf_list *at = &nc->asleep;
    while (at->prev != &nc->asleep &&
           HF_LIST_ENTRY(at->prev, struct hf_asleep, in_class)->idle_ns > a->idle_ns)
        at = at->prev;
    hf_list_insert_before(at, &a->in_class);
}

void hf_asleep_begin(struct hf_named *n, struct hf_asleep *a, uint64_t idle_ns)
{
    struct hf_kernel *k = n->kernel;
    struct hf_named_class *nc = n->class->named;
    a->named = n;
    a->idle_ns = idle_ns;
    n->asleep = a;
    n->state = HF_NAMED_ASLEEP;
    enlist(nc, a);
    nc->n_asleep++;
    k->evict.stats.evicted++;
    k->evict.stats.bytes += a->len;
    set_clock(nc);
    hf_asleep_fold_later(n);
    if (n->class->closed)
        hf_asleep_class_close(n->class);
}

static void forget(struct hf_asleep *a)
{
    struct hf_kernel *k = a->class->kernel;
    struct hf_named_class *nc = a->class->named;
    k->evict.spill->forget(k->evict.spill_ctx, a->place, a->len);
    k->evict.stats.evicted--;
    k->evict.stats.bytes -= a->len;
    nc->n_asleep--;
    hf_list_remove(&a->in_class);
    if (hf_list_empty(&nc->asleep)) {
        hf_timer_stop(k, &nc->clock);
        hf_list_remove(&nc->in_closing);
    }
    free(a);
}

void hf_asleep_end(struct hf_named *n)
{
    if (n->asleep == NULL)
        return;
    forget(n->asleep);
    n->asleep = NULL;
}

/* ---- folding ---- */

static bool is_plain(const struct hf_named *n)
{
    const struct hf_list *const lists[] = {&n->mail,     &n->pending,  &n->tokens, &n->parked,
                                           &n->watching, &n->watchers, &n->alarms,
                                           &n->far_watchers};
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        if (!hf_list_empty(lists[i]))
            return false;
    return n->state == HF_NAMED_ASLEEP && n->refs == 1 && n->caps.len == 0 && n->far_parent.len == 0 && !n->suspended &&
           !n->stopping && !n->lost && n->parting == NULL && n->restarts == NULL &&
           n->n_life == 0 && n->why.len == 0 && n->last_asked == NULL &&
           !hf_heap_has(&n->clock.node);
}

void hf_asleep_fold_later(struct hf_named *n)
{
    if (n->state != HF_NAMED_ASLEEP || hf_list_linked(&n->in_evict))
        return;
    hf_list_push_back(&n->kernel->evict.foldable, &n->in_evict);
    n->kernel->evict.due = true;
}

static void fold(struct hf_named *n)
{
    struct hf_kernel *k = n->kernel;
    struct hf_asleep *a = n->asleep;
    if (!is_plain(n) ||
        hf_map_put(&k->evict.asleep, hf_view(a->name, a->name_len), a, NULL) != HF_OK)
        return;
    hf_map_remove(&k->named_by_name, hf_named_name(n));
    hf_list_remove(&n->in_kernel);
    a->named = NULL;
    a->next_id = n->next_id;
    a->parent = n->parent;
    n->parent = NULL;
    n->asleep = NULL;
    hf_named_unref(n);
}

static struct hf_named *unfold(struct hf_asleep *a)
{
    struct hf_kernel *k = a->class->kernel;
    struct hf_view none = {0}, name = hf_view(a->name, a->name_len);
    struct hf_named *n =
        hf_named_alloc(a->class, name, a->parent == NULL ? none : a->parent->group);
    if (n == NULL)
        return NULL;
    if (hf_map_put(&k->named_by_name, hf_named_name(n), n, NULL) != HF_OK) {
        hf_named_unref(n);
        return NULL;
    }
    hf_map_remove(&k->evict.asleep, name);
    n->state = HF_NAMED_ASLEEP;
    n->asleep = a;
    n->next_id = a->next_id;
    n->parent = a->parent;
    a->parent = NULL;
    a->named = n;
    hf_list_push_back(&k->named, &n->in_kernel);
    return n;
}

struct hf_named *hf_asleep_unfold(struct hf_kernel *k, struct hf_view name, bool *limited)
{
    struct hf_asleep *a = k->evict.asleep.len == 0 ? NULL : hf_map_get(&k->evict.asleep, name);
    struct hf_named *n = a == NULL ? NULL : unfold(a);
    *limited = a != NULL && n == NULL;
    if (n != NULL) /* whoever looked may want nothing of it that lasts */
        hf_asleep_fold_later(n);
    return n;
}

bool hf_asleep_has(const struct hf_kernel *k, struct hf_view name)
{
    return k->evict.asleep.len > 0 && hf_map_get(&k->evict.asleep, name) != NULL;
}

/* ---- waking ---- */

static bool rouse(struct hf_named *n)
{
    hf_list_remove(&n->in_evict);
    n->process = hf_process_new(n->class);
    if (n->process == NULL) { /* when one is freed it is tried again */
        hf_list_push_back(&n->kernel->evict.sleepless, &n->in_evict);
        return false;
    }
    n->process->named = n;
    n->state = HF_NAMED_LIVE;
    hf_named_set_blocked(n);
    return true;
}

void hf_asleep_wake(struct hf_named *n)
{
    if (n->state == HF_NAMED_ASLEEP && !n->lost)
        (void)rouse(n);
}

/* ---- ending ---- */

void hf_asleep_lose(struct hf_named *n, bool in_order)
{
    n->lost_in_order = n->lost ? n->lost_in_order && in_order : in_order;
    n->lost = true;
    hf_list_remove(&n->in_evict);
    hf_list_push_back(&n->kernel->evict.lost, &n->in_evict);
    n->kernel->evict.due = true;
}

static bool has_last_words(const struct hf_class *c)
{
    return c->named->s.last_words && c->s.behaviour->leave != NULL;
}

/* In order. */
static void part(struct hf_named *n, const char *why)
{
    n->parting = why;
    if (has_last_words(n->class))
        hf_asleep_wake(n);
    else
        hf_asleep_lose(n, true);
}

void hf_asleep_stop(struct hf_named *n)
{
    part(n, "stopped");
}

static void end(struct hf_named *n)
{
    const char *why = n->parting;
    bool in_order = n->lost_in_order;
    n->lost = false;
    n->parting = NULL;
    if (!in_order) {
        n->has_why = true;
        n->why_kind = HF_ANSWER_DEAD;
        hf_buf_clear(&n->why);
        if (hf_buf_add_view(&n->why, hf_named_kill_text(n)) != HF_OK)
            hf_buf_clear(&n->why);
    }
    hf_asleep_end(n);
    n->state = HF_NAMED_LIVE; /* as one whose instance has just gone */
    hf_named_gone(n, in_order, why);
}

/* A folded one has nobody who would have to be told. */
static void drop(struct hf_asleep *a)
{
    struct hf_class *c = a->class;
    struct hf_kernel *k = c->kernel;
    hf_map_remove(&k->evict.asleep, hf_view(a->name, a->name_len));
    hf_named_unref(a->parent);
    forget(a);
    k->n_named--;
    c->named->n_named--;
    hf_class_less(c);
}

/* False: there is no memory to revive it. */
static bool part_any(struct hf_asleep *a, const char *why)
{
    struct hf_named *n = a->named;
    if (n == NULL && !has_last_words(a->class)) {
        drop(a);
        return true;
    }
    if (n == NULL)
        n = unfold(a);
    if (n != NULL)
        part(n, why);
    return n != NULL;
}

static bool has_nothing_to_do(const struct hf_asleep *a)
{
    const struct hf_named *n = a->named;
    return n == NULL || (n->state == HF_NAMED_ASLEEP && !n->lost && hf_named_is_quiet(n) &&
                         !hf_list_linked(&n->in_evict));
}

/* ---- idle for too long ---- */

static void clock_due(struct hf_timer *t)
{
    struct hf_named_class *nc = HF_CONTAINER_OF(t, struct hf_named_class, clock);
    uint64_t now = nc->class->kernel->now;
    for (uint32_t most = nc->n_asleep; most > 0 && !hf_list_empty(&nc->asleep); most--) {
        struct hf_asleep *a = HF_LIST_ENTRY(nc->asleep.next, struct hf_asleep, in_class);
        if (now - a->idle_ns < nc->s.idle_timeout_ns)
            break;
        struct hf_named *n = a->named;
        bool over = n == NULL || (n->state == HF_NAMED_ASLEEP && !n->lost &&
                                  hf_named_is_quiet(n) && !n->suspended);
        if (n == NULL && !has_last_words(a->class)) {
            drop(a);
            continue;
        }
        a->idle_ns = now; /* it goes now, or is looked at again */
        hf_list_remove(&a->in_class);
        hf_list_push_back(&nc->asleep, &a->in_class);
        if (over)
            (void)part_any(a, "idle");
    }
    set_clock(nc);
}

/* ---- classes ---- */

void hf_asleep_class_open(struct hf_named_class *nc, struct hf_class *c)
{
    struct hf_list *const lists[] = {&nc->idle, &nc->entrance, &nc->asleep, &nc->spares, &nc->in_waiting,
                                     &nc->in_closing};
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        hf_list_init(lists[i]);
    nc->class = c;
    hf_timer_init(&nc->clock);
    nc->clock.fire = clock_due;
}

void hf_asleep_class_close(struct hf_class *c)
{
    struct hf_named_class *nc = c->named;
    if (hf_list_empty(&nc->asleep))
        return;
    if (!hf_list_linked(&nc->in_closing))
        hf_list_push_back(&c->kernel->evict.closing, &nc->in_closing);
    c->kernel->evict.due = true;
}

void hf_asleep_class_done(struct hf_class *c)
{
    struct hf_named_class *nc = c->named;
    HF_ASSERT(hf_list_empty(&nc->asleep) && hf_list_empty(&nc->entrance));
    hf_list_remove(&nc->in_waiting);
    hf_list_remove(&nc->in_closing);
    hf_timer_done(c->kernel, &nc->clock);
}

/* Those with nothing to do go; with last words a few at a time, for each needs an instance. */
static void close_some(struct hf_kernel *k, struct hf_named_class *nc)
{
    uint32_t most = k->evict.spill->moves_max;
    HF_LIST_FOR_SAFE (at, &nc->asleep) {
        struct hf_asleep *a = HF_LIST_ENTRY(at, struct hf_asleep, in_class);
        bool reviving = a->named != NULL && a->named->process != NULL;
        if (has_last_words(nc->class) && (reviving || has_nothing_to_do(a)) && most-- == 0)
            return;
        if (has_nothing_to_do(a) && !part_any(a, "closed"))
            return;
    }
}

/* ---- a step's share ---- */

void hf_asleep_work(struct hf_kernel *k)
{
    struct hf_evict *e = &k->evict;
    struct hf_list now;
    for (struct hf_list *at; (at = hf_list_pop_front(&e->lost)) != NULL;)
        end(HF_LIST_ENTRY(at, struct hf_named, in_evict));
    hf_list_init(&now);
    hf_list_splice_back(&now, &e->sleepless);
    for (struct hf_list *at; (at = hf_list_pop_front(&now)) != NULL;) {
        if (rouse(HF_LIST_ENTRY(at, struct hf_named, in_evict)))
            continue;
        hf_list_splice_back(&e->sleepless, &now); /* there is no place for others either */
        break;
    }
    for (struct hf_list *at; (at = hf_list_pop_front(&e->foldable)) != NULL;)
        fold(HF_LIST_ENTRY(at, struct hf_named, in_evict));
    HF_LIST_FOR_SAFE (at, &e->closing) {
        close_some(k, HF_LIST_ENTRY(at, struct hf_named_class, in_closing));
    }
}

uint32_t hf_asleep_leaving(const struct hf_kernel *k)
{
    uint32_t n = 0;
    HF_LIST_FOR (at, &k->evict.closing) {
        n += HF_LIST_ENTRY(at, struct hf_named_class, in_closing)->n_asleep;
    }
    return n;
}

void hf_asleep_each(const struct hf_kernel *k,
                    void (*each)(void *ctx, const struct hf_asleep *folded), void *ctx)
{
    HF_LIST_FOR (at, &k->classes) {
        const struct hf_class *c = HF_LIST_ENTRY(at, struct hf_class, in_kernel);
        if (c->named == NULL)
            continue;
        HF_LIST_FOR (in, &c->named->asleep) {
            const struct hf_asleep *a = HF_LIST_ENTRY(in, struct hf_asleep, in_class);
            if (a->named == NULL)
                each(ctx, a);
        }
    }
}

void hf_asleep_free_all(struct hf_kernel *k)
{
    HF_LIST_FOR_SAFE (at, &k->named) {
        struct hf_named *n = HF_LIST_ENTRY(at, struct hf_named, in_kernel);
        if (n->state == HF_NAMED_ASLEEP)
            end(n);
    }
    HF_LIST_FOR (at, &k->classes) {
        struct hf_class *c = HF_LIST_ENTRY(at, struct hf_class, in_kernel);
        if (c->named == NULL)
            continue;
        HF_LIST_FOR_SAFE (in, &c->named->asleep) {
            drop(HF_LIST_ENTRY(in, struct hf_asleep, in_class));
        }
    }
}
