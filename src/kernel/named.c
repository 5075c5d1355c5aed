/* named.c - a name: made for a process and found again, running or blocked, over.
 *
 * It outlives its instances: named_turn.c is what one does, named_end.c how it goes, restart.c what
 * follows.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

/* ---- making and freeing ---- */

static void restart_due(struct hf_timer *t)
{
    hf_restart_now(HF_CONTAINER_OF(t, struct hf_named, clock));
}

struct hf_named *hf_named_alloc(struct hf_class *c, struct hf_view name,
                                struct hf_view parent_group)
{
    struct hf_kernel *k = c->kernel;
    struct hf_view group = hf_name_group_of(name, parent_group);
    bool lies_in = group.ptr >= name.ptr && group.ptr <= name.ptr + name.len;
    struct hf_named *n = calloc(1, sizeof *n + name.len + (lies_in ? 0 : group.len));
    if (n == NULL)
        return NULL;
    memcpy(n->name, name.ptr, name.len);
    n->name_len = name.len;
    n->refs = 1;
    if (lies_in) {
        n->group = hf_view(n->name + (group.ptr - name.ptr), group.len);
    } else {
        memcpy(n->name + name.len, group.ptr, group.len);
        n->group = hf_view(n->name + name.len, group.len);
    }
    n->kernel = k;
    n->class = c;
    n->state = HF_NAMED_LIVE;
    n->next_id = 1;
    struct hf_list *const lists[] = {&n->mail,     &n->pending,  &n->tokens, &n->parked,
                                     &n->watching, &n->watchers, &n->alarms,
                                     &n->far_watchers};
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        hf_list_init(lists[i]);
    hf_list_init(&n->in_kernel);
    hf_list_init(&n->in_evict);
    hf_list_init(&n->going.link);
    hf_wait_init(&n->mail_wait, false);
    hf_wait_init(&n->unwanted, false);
    hf_wait_init(&n->asked_wait, false);
    hf_map_init(&n->caps, 0);
    n->caps.seed = k->s.hash_seed;
    hf_timer_init(&n->clock);
    n->clock.fire = restart_due;
    return n;
}

/* Whatever is bounded. */
static bool may_be_more(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    if (k->n_named >= k->s.names_max || c->named->n_named >= c->named->s.processes_max ||
        k->closing)
        return false;
    if (!hf_evict_refuses(c))
        return true;
    k->evict.stats.limited++;
    return false;
}

struct hf_named *hf_named_new(struct hf_class *c, struct hf_view name, struct hf_view parent_group)
{
    struct hf_kernel *k = c->kernel;
    struct hf_named *n = may_be_more(c) ? hf_named_alloc(c, name, parent_group) : NULL;
    if (n == NULL)
        return NULL;
    if (hf_map_put(&k->named_by_name, hf_named_name(n), n, NULL) != HF_OK) {
        hf_named_unref(n);
        return NULL;
    }
    n->process = hf_spare_take(c);
    n->born_ns = k->now; /* of one that must start, when it did */
    if (n->process == NULL)
        n->process = hf_process_new(c);
    if (n->process == NULL) {
        hf_map_remove(&k->named_by_name, hf_named_name(n));
        hf_named_unref(n);
        return NULL;
    }
    n->process->named = n;
    hf_list_push_back(&k->named, &n->in_kernel);
    k->n_named++;
    c->named->n_named++;
    return n;
}

void hf_named_unref(struct hf_named *n)
{
    if (n == NULL)
        return;
    if (--n->refs > 0) {
        if (HF_UNLIKELY(n->refs == 1 && n->state == HF_NAMED_ASLEEP))
            hf_asleep_fold_later(n);
        return;
    }
    hf_wait_done(&n->mail_wait);
    hf_wait_done(&n->unwanted);
    hf_wait_done(&n->asked_wait);
    hf_wait_done(&n->clock.wait);
    hf_named_unref(n->parent);
    hf_caps_free(n);
    hf_buf_done(&n->why);
    hf_buf_done(&n->far_parent);
    hf_buf_done(&n->kill_text);
    hf_buf_done(&n->stays);
    free(n->restarts);
    free(n);
}

struct hf_named *hf_named_find(struct hf_kernel *k, struct hf_view name, bool make,
                               enum hf_answer_kind *why)
{
    struct hf_named *n = hf_map_get(&k->named_by_name, name);
    bool limited = false;
    if (n == NULL)
        n = hf_asleep_unfold(k, name, &limited);
    *why = limited ? HF_ANSWER_LIMITED : HF_ANSWER_NO_SUCH;
    if (n != NULL || limited || !make || k->closing)
        return n;
    struct hf_class *c = hf_class_find(k, hf_name_class(name));
    if (c == NULL || c->named == NULL || c->closed || c->named->s.spawned ||
        hf_name_is_made(name) || hf_name_check(name, NULL) != HF_OK)
        return NULL;
    n = hf_named_new(c, name, (struct hf_view){0});
    if (n == NULL)
        *why = HF_ANSWER_LIMITED;
    return n;
}

/* ---- running or not ---- */

void hf_named_set_blocked(struct hf_named *n)
{
    struct hf_process *p = n->process;
    if (p == NULL)
        return;
    p->blocked = n->suspended || n->state == HF_NAMED_UNBORN || !hf_list_empty(&n->parked);
    if (p->doom != HF_DOOM_NONE)
        return;
    if (p->blocked && hf_list_linked(&p->in_run)) {
        hf_list_remove(&p->in_run);
        p->due = true;
    } else if (!p->blocked && p->due) {
        p->due = false;
        hf_sched_push(p);
    }
}

void hf_named_wake_up(struct hf_named *n)
{
    struct hf_process *p = n->process;
    if (HF_UNLIKELY(n->state == HF_NAMED_ASLEEP))
        hf_asleep_wake(n);
    else if (p != NULL && p->phase == HF_PHASE_IDLE && hf_named_set(n)->shape == HF_SHAPE_HANDLE)
        hf_sched_push(p);
}

bool hf_named_is_quiet(const struct hf_named *n)
{
    return hf_list_empty(&n->mail) && hf_list_empty(&n->pending) && hf_list_empty(&n->tokens) &&
           hf_list_empty(&n->alarms);
}

void hf_named_settle(struct hf_named *n)
{
    struct hf_process *p = n->process;
    uint64_t until, timeout = hf_named_set(n)->idle_timeout_ns;
    bool run = hf_named_set(n)->shape == HF_SHAPE_RUN; /* its turn is to come, and ends by itself */
    if (run) {
        hf_sched_push(p);
    } else if (n->stopping) {
        hf_process_doom(p, HF_DOOM_RETIRE, "stopped");
    } else if (n->class->closed && hf_named_is_quiet(n)) {
        hf_process_doom(p, HF_DOOM_RETIRE, "closed");
    } else if (!hf_list_empty(&n->mail)) {
        hf_sched_push(p);
    } else if (n->parting != NULL && hf_named_is_quiet(n)) {
        hf_process_doom(p, HF_DOOM_RETIRE, n->parting);
    } else {
        if (timeout != 0 && !hf_heap_has(&p->clock.node) &&
            !__builtin_add_overflow(p->idle_ns, timeout, &until))
            (void)!hf_timer_set(p->kernel, &p->clock, until); /* without it, it just stays */
        hf_evict_idle(p);
    }
}

void hf_named_clock(struct hf_process *p)
{
    struct hf_named *n = p->named;
    const struct hf_named_settings *s = hf_named_set(n);
    uint64_t now = p->kernel->now, until;
    if (p->doom != HF_DOOM_NONE)
        return;
    if (p->phase == HF_PHASE_BUSY) {
        if (s->turn_timeout_ns != 0 && now - p->idle_ns >= s->turn_timeout_ns)
            hf_process_doom(p, HF_DOOM_TIMEOUT, "turn-deadline");
        return;
    }
    if (p->phase != HF_PHASE_IDLE || s->idle_timeout_ns == 0)
        return;
    if (hf_named_is_quiet(n) && !n->suspended && now - p->idle_ns >= s->idle_timeout_ns) {
        hf_process_doom(p, HF_DOOM_RETIRE, "idle");
        return;
    }
    if (!hf_named_is_quiet(n))
        p->idle_ns = now;
    if (!__builtin_add_overflow(p->idle_ns, s->idle_timeout_ns, &until))
        (void)!hf_timer_set(p->kernel, &p->clock, until);
}

/* ---- over ---- */

void hf_named_over(struct hf_named *n)
{
    struct hf_kernel *k = n->kernel;
    struct hf_view why = hf_buf_view(&n->why);
    hf_map_remove(&k->named_by_name, hf_named_name(n));
    hf_timer_stop(k, &n->clock);
    for (struct hf_list *at; (at = n->mail.next) != &n->mail;) {
        struct hf_mail *m = HF_LIST_ENTRY(at, struct hf_mail, in_box);
        struct hf_request *r = HF_CONTAINER_OF(m, struct hf_request, talk.in);
        HF_ASSERT(m->kind == HF_MAIL_REQUEST);
        hf_mail_remove(n, m);
        hf_mail_unpark(r);
        if (r->duty == HF_DUTY_NONE)
            k->said.refused_tells++;
        hf_duty_release(r, NULL, n->why_kind, why);
    }
    hf_asleep_end(n);
    hf_list_remove(&n->in_evict);
    n->state = HF_NAMED_OVER;
    hf_list_remove(&n->in_kernel);
    hf_list_remove(&n->going.link);
    k->n_named--;
    n->class->named->n_named--;
    hf_class_less(n->class); /* who still refers to the name does not look at its class */
    hf_caps_free(n);
    hf_named_unref(n->parent); /* else each generation would keep all those before it */
    n->parent = NULL;
    hf_named_unref(n);
}
