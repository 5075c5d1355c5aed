/* say_self.c - the verbs about oneself: receive, name, children, timers. */
#include "kernel/named_int.h"

#include <stdio.h>
#include <stdlib.h>

bool hf_say_record(struct hf_process *p, enum hf_verb verb, uint64_t id, struct hf_view name)
{
    struct hf_batch *b = hf_out_batch(p);
    if (b != NULL && hf_batch_verb(b, verb, id, name) != HF_OK)
        p->turn.broken = true;
    return !p->turn.broken;
}

static const struct hf_named *of(const struct hf_turn *turn)
{
    return hf_turn_of((struct hf_turn *)(uintptr_t)turn)->named;
}

/* ---- receiving ---- */

enum hf_err hf_turn_receive(struct hf_turn *turn)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_named *n = p->named;
    if (n == NULL || hf_named_set(n)->shape != HF_SHAPE_RUN || p->phase != HF_PHASE_BUSY)
        return HF_UNSUPPORTED;
    hf_named_release(n, p, HF_ANSWER_UNANSWERED, HF_VIEW(""));
    if (n->stopping || (n->class->closed && hf_list_empty(&n->mail)))
        return HF_CLOSED;
    return hf_named_take_mail(n) ? HF_OK : HF_AGAIN;
}

struct hf_wait *hf_turn_mail_wait(struct hf_turn *turn)
{
    return &hf_turn_of(turn)->named->mail_wait;
}

const struct hf_message *hf_turn_nested(const struct hf_turn *turn)
{
    const struct hf_named *n = of(turn);
    return n == NULL || n->nested == NULL ? NULL : &n->nested->message;
}

/* ---- self ---- */

struct hf_view hf_turn_name(const struct hf_turn *turn)
{
    const struct hf_named *n = of(turn);
    return n == NULL ? (struct hf_view){0} : hf_named_name(n);
}

struct hf_view hf_turn_parent(const struct hf_turn *turn)
{
    const struct hf_named *n = of(turn);
    if (n == NULL)
        return (struct hf_view){0};
    return n->parent == NULL ? hf_buf_view(&n->far_parent) : hf_named_name(n->parent);
}

/* ---- children ---- */

#define TRIES 10000u

/* class/key, or one that is made: class/~17, with the parent's group in braces when it has one. */
static bool build_name(const struct hf_named *parent, const struct hf_spawn *s, unsigned try,
                       char *name, size_t *len)
{
    char text[HF_NAME_MAX + 1], more[16] = "";
    struct hf_view group = hf_name_group(hf_named_name(parent));
    int n;
    if (s->key.len > HF_NAME_MAX || s->class.len > HF_NAME_CLASS_MAX)
        return false;
    if (try > 0)
        snprintf(more, sizeof more, ".%u", try);
    if (s->key.len > 0)
        n = snprintf(text, sizeof text, "%.*s/%.*s", HF_FMT(s->class), HF_FMT(s->key));
    else if (group.len > 0)
        n = snprintf(text, sizeof text, "%.*s/~{%.*s}%llu%s", HF_FMT(s->class), HF_FMT(group),
                     (unsigned long long)parent->kernel->next_process, more);
    else
        n = snprintf(text, sizeof text, "%.*s/~%llu%s", HF_FMT(s->class),
                     (unsigned long long)parent->kernel->next_process, more);
    if (n < 0 || (size_t)n > HF_NAME_MAX)
        return false;
    struct hf_view v = hf_view(text, (size_t)n);
    if (hf_name_check(v, NULL) != HF_OK || (s->key.len > 0 && hf_name_is_made(v)))
        return false;
    memcpy(name, text, v.len);
    *len = v.len;
    return true;
}

/* A child whose name we make lives with its parent: the name is such a one. */
static bool find_name(const struct hf_named *parent, const struct hf_spawn *s, char *name,
                      size_t *len, uint32_t *place)
{
    const struct hf_kernel *k = parent->kernel;
    *place = k->far.here;
    for (unsigned try = 0; try < TRIES; try++) {
        if (!build_name(parent, s, try, name, len))
            return false;
        if (!hf_far_place(k, hf_view(name, *len), place))
            *place = k->far.here;
        if (s->key.len > 0 || *place == k->far.here)
            return true;
    }
    return false; /* nothing lives here */
}

/* Both hold each other; what was put is taken back when the other cannot. */
static bool introduce(struct hf_named *parent, struct hf_named *child)
{
    if (hf_cap_put(parent, hf_named_name(child)) != HF_SAID_OK)
        return false;
    return hf_cap_put(child, hf_named_name(parent)) == HF_SAID_OK;
}

static void unmake(struct hf_named *child)
{
    child->state = HF_NAMED_UNBORN;
    hf_named_end_now(child, HF_VIEW("could not be spawned"), true);
}

enum hf_said hf_turn_spawn(struct hf_turn *turn, const struct hf_spawn *s, char *name, size_t *len,
                           uint64_t *watch)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_kernel *k = p->kernel;
    struct hf_named *parent = p->named, *child;
    uint32_t watches = (uint32_t)s->monitor + (uint32_t)s->link;
    enum hf_answer_kind why;
    if (parent == NULL || !hf_cap_may_spawn(parent, s->class))
        return HF_SAID_DENIED;
    struct hf_class *c = hf_class_find(k, s->class);
    uint32_t place;
    if (c == NULL || c->named == NULL || c->closed || !find_name(parent, s, name, len, &place))
        return HF_SAID_INVALID;
    if (hf_named_find(k, hf_view(name, *len), false, &why) != NULL)
        return HF_SAID_TAKEN;
    if (parent->n_watching + watches > hf_named_set(parent)->watches_max || p->turn.broken)
        return HF_SAID_LIMIT;
    if (place != k->far.here)
        return hf_far_spawn(p, s, hf_view(name, *len), place, watch);
    child = hf_named_new(c, hf_view(name, *len), parent->group);
    if (child == NULL)
        return HF_SAID_LIMIT;
    child->state = HF_NAMED_UNBORN;
    hf_named_set_blocked(child);
    child->parent = hf_named_ref(parent);
    if (!introduce(parent, child) ||
        !hf_say_record(p, HF_VERB_SPAWN, child->process->id, hf_named_name(child))) {
        unmake(child);
        return HF_SAID_LIMIT;
    }
    child->going.kind = HF_EFFECT_SPAWN;
    hf_list_push_back(&p->turn.effects, &child->going.link);
    k->said.spawned++;
    enum hf_said said = HF_SAID_OK;
    if (s->monitor)
        said = hf_watch_make(p, hf_named_name(child), false, watch);
    if (s->link && said == HF_SAID_OK)
        said = hf_watch_make(p, hf_named_name(child), true, NULL);
    if (said != HF_SAID_OK) {
        hf_list_remove(&child->going.link);
        unmake(child);
    }
    return said;
}

static enum hf_said end_child(struct hf_turn *turn, struct hf_view name, bool kill,
                              struct hf_view why)
{
    struct hf_process *p = hf_turn_of(turn);
    enum hf_answer_kind none;
    if (p->named == NULL)
        return HF_SAID_DENIED;
    struct hf_named *n = hf_named_find(p->kernel, name, false, &none);
    if (n == NULL)
        return hf_far_end_child(p, name, kill, why);
    if (n->parent != p->named)
        return HF_SAID_NO_REQUEST;
    struct hf_end_wish *w = calloc(1, sizeof *w);
    if (w == NULL || hf_buf_add_view(&w->why, why) != HF_OK ||
        !hf_say_record(p, kill ? HF_VERB_KILL : HF_VERB_STOP,
                       n->process == NULL ? 0 : n->process->id, name)) {
        if (w != NULL)
            hf_buf_done(&w->why);
        free(w);
        return HF_SAID_LIMIT;
    }
    w->child = hf_named_ref(n);
    w->kill = kill;
    w->going.kind = HF_EFFECT_END;
    hf_list_push_back(&p->turn.effects, &w->going.link);
    return HF_SAID_OK;
}

enum hf_said hf_turn_stop_child(struct hf_turn *turn, struct hf_view name)
{
    return end_child(turn, name, false, (struct hf_view){0});
}

enum hf_said hf_turn_kill_child(struct hf_turn *turn, struct hf_view name, struct hf_view why)
{
    return end_child(turn, name, true, why);
}

/* ---- timers ---- */

static void alarm_due(struct hf_timer *t)
{
    struct hf_alarm *a = HF_CONTAINER_OF(t, struct hf_alarm, timer);
    a->named->kernel->said.notices++;
    hf_mail_put(a->named, &a->mail);
}

void hf_alarm_free(struct hf_alarm *a)
{
    struct hf_named *n = a->named;
    if (n->timer_notice == a)
        n->timer_notice = NULL;
    hf_timer_done(n->kernel, &a->timer);
    hf_mail_remove(n, &a->mail);
    hf_list_remove(&a->in_named);
    n->n_alarms--;
    free(a);
}

enum hf_said hf_turn_set_timer(struct hf_turn *turn, uint64_t at_ns, uint64_t *timer)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_named *n = p->named;
    if (n == NULL)
        return HF_SAID_DENIED;
    struct hf_alarm *a = n->n_alarms < hf_named_set(n)->timers_max ? calloc(1, sizeof *a) : NULL;
    if (a == NULL)
        return HF_SAID_LIMIT;
    a->id = n->next_id++;
    a->named = n;
    a->mail.kind = HF_MAIL_TIMER;
    hf_list_init(&a->mail.in_box);
    hf_timer_init(&a->timer);
    a->timer.fire = alarm_due;
    hf_list_push_back(&n->alarms, &a->in_named);
    n->n_alarms++;
    struct hf_batch *b = hf_out_batch(p);
    if (b != NULL && hf_batch_timer(b, a->id, at_ns) != HF_OK)
        p->turn.broken = true;
    if (p->turn.broken || hf_timer_set(p->kernel, &a->timer, at_ns) != HF_OK) {
        hf_alarm_free(a);
        return HF_SAID_LIMIT;
    }
    *timer = a->id;
    return HF_SAID_OK;
}

enum hf_said hf_turn_clear_timer(struct hf_turn *turn, uint64_t timer)
{
    struct hf_process *p = hf_turn_of(turn);
    if (p->named == NULL)
        return HF_SAID_DENIED;
    HF_LIST_FOR(at, &p->named->alarms)
    {
        struct hf_alarm *a = HF_LIST_ENTRY(at, struct hf_alarm, in_named);
        if (a->id != timer || p->named->timer_notice == a)
            continue;
        if (!hf_say_record(p, HF_VERB_CLEAR_TIMER, timer, (struct hf_view){0}))
            return HF_SAID_LIMIT;
        hf_alarm_free(a);
        return HF_SAID_OK;
    }
    return HF_SAID_NO_REQUEST;
}
