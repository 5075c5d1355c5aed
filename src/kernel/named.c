/* named.c - the life of a named process: found or made, given its messages one by one, ended.
 *
 * An instance is made for a name, runs while there is mail, and is gone: by its own wish, by
 * failure, by somebody's wish. What was in hand, deferred or pending is lost then, and everybody
 * concerned is told; what lies in the mailbox stays if it will be made again (restart.c), else its
 * origins are told, too.
 *
 * Whoever a dying instance holds is told by effects of its last segment (hf_named_dying), so that
 * for a recorded class they wait for the store like any answer; what is left is given up when it is
 * freed (hf_named_gone).
 */
#include "kernel/named_int.h"

#include <stdlib.h>

#define WHY_MAX 1024u

/* ---- making and freeing ---- */

static void restart_due(struct hf_timer *t)
{
    hf_restart_now(HF_CONTAINER_OF(t, struct hf_named, clock));
}

struct hf_named *hf_named_new(struct hf_class *c, struct hf_view name, struct hf_view parent_group)
{
    struct hf_kernel *k = c->kernel;
    struct hf_view group = hf_name_group_of(name, parent_group);
    bool lies_in = group.ptr >= name.ptr && group.ptr <= name.ptr + name.len;
    struct hf_named *n = NULL;

    if (k->n_named < k->s.processes_max && !k->closing)
        n = calloc(1, sizeof *n + name.len + (lies_in ? 0 : group.len));
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
                                     &n->watching, &n->watchers, &n->alarms};
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        hf_list_init(lists[i]);
    hf_list_init(&n->in_kernel);
    hf_list_init(&n->going.link);
    hf_wait_init(&n->mail_wait, false);
    hf_wait_init(&n->unwanted, false);
    hf_wait_init(&n->asked_wait, false);
    hf_map_init(&n->caps, 0);
    n->caps.seed = k->s.hash_seed;
    hf_timer_init(&n->clock);
    n->clock.fire = restart_due;
    if (hf_map_put(&k->named_by_name, hf_named_name(n), n, NULL) != HF_OK) {
        hf_named_unref(n);
        return NULL;
    }
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
    if (n == NULL || --n->refs > 0)
        return;
    hf_wait_done(&n->mail_wait);
    hf_wait_done(&n->unwanted);
    hf_wait_done(&n->asked_wait);
    hf_wait_done(&n->clock.wait);
    hf_named_unref(n->parent);
    hf_caps_free(n);
    hf_buf_done(&n->why);
    hf_buf_done(&n->kill_text);
    free(n->restarts);
    free(n);
}

struct hf_named *hf_named_find(struct hf_kernel *k, struct hf_view name, bool make,
                               enum hf_answer_kind *why)
{
    struct hf_named *n = hf_map_get(&k->named_by_name, name);
    *why = HF_ANSWER_NO_SUCH;
    if (n != NULL || !make || k->closing)
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
    if (p != NULL && p->phase == HF_PHASE_IDLE && hf_named_set(n)->shape == HF_SHAPE_HANDLE)
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
    } else if (timeout != 0 && !hf_heap_has(&p->clock.node) &&
               !__builtin_add_overflow(p->idle_ns, timeout, &until)) {
        (void)!hf_timer_set(p->kernel, &p->clock, until); /* without it, it just stays */
    }
}

static void become_idle(struct hf_process *p)
{
    p->phase = HF_PHASE_IDLE;
    p->idle_ns = p->kernel->now;
    hf_named_settle(p->named);
}

void hf_named_started(struct hf_process *p)
{
    p->named->born_ns = p->kernel->now;
    become_idle(p);
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

/* ---- what is in hand ---- */

struct hf_request *hf_named_question(const struct hf_named *n)
{
    return n->showing ? n->nested : n->current;
}

const struct hf_message *hf_named_message(const struct hf_named *n)
{
    if (n->showing)
        return &n->shown;
    return n->current == NULL ? NULL : &n->current->message;
}

struct hf_blob **hf_named_blob(struct hf_named *n)
{
    if (n->back != NULL)
        return &n->back->answer.blob;
    return n->current == NULL ? NULL : &n->current->message.blob;
}

struct hf_blob *hf_named_take_blob(struct hf_named *n)
{
    struct hf_blob **at = hf_named_blob(n), *blob;
    if (at == NULL)
        return NULL;
    blob = *at;
    *at = NULL;
    n->shown.blob = NULL;
    return blob;
}

struct hf_blob *hf_named_inherited(struct hf_named *n)
{
    struct hf_blob **current = hf_named_blob(n);
    if (current != NULL && *current != NULL)
        return *current;
    return n->nested == NULL ? NULL : n->nested->message.blob;
}

static void release_answer(struct hf_kernel *k, struct hf_request *root)
{
    hf_buf_done(&root->answer.body);
    hf_blob_unref(root->answer.blob);
    root->answer.blob = NULL;
    hf_talk_unref(k, root);
}

static void release_notice(struct hf_named *n)
{
    struct hf_watch *w = n->watch_notice;
    struct hf_alarm *a = n->timer_notice;
    struct hf_request *r = n->void_notice;
    n->watch_notice = NULL;
    n->timer_notice = NULL;
    n->void_notice = NULL;
    if (w != NULL && n->shown.notice != HF_NOTICE_REFUSED)
        hf_watch_free(w);
    if (a != NULL)
        hf_alarm_free(a);
    if (r != NULL)
        hf_talk_unref(n->kernel, r);
}

void hf_named_forget_asked(struct hf_named *n)
{
    struct hf_request *root = n->last_asked;
    n->last_asked = NULL;
    if (root != NULL)
        hf_talk_unref(n->kernel, root);
}

void hf_named_release(struct hf_named *n, struct hf_process *p, enum hf_answer_kind kind,
                      struct hf_view text)
{
    struct hf_request *current = n->current, *back = n->back, *nested = n->nested;
    release_notice(n);
    hf_named_forget_asked(n);
    n->current = n->back = n->nested = NULL;
    n->showing = false;
    n->shown = (struct hf_message){0};
    hf_wait_clear(&n->unwanted);
    if (back != NULL)
        release_answer(n->kernel, back);
    if (current != NULL)
        hf_duty_release(current, p, kind, text);
    if (nested != NULL)
        hf_duty_release(nested, p, kind, text);
}

static void show_answer(struct hf_named *n, struct hf_request *root)
{
    const struct hf_talk *t = &root->talk;
    bool ok = root->answer.kind == HF_ANSWER_OK;
    hf_pending_forget(n, root);
    n->back = root;
    n->nested = root->talk.under;
    root->talk.under = NULL;
    n->shown = (struct hf_message){
        .id = root->message.id,
        .kind = ok ? HF_MESSAGE_RESPONSE : HF_MESSAGE_ERROR,
        .error = root->answer.kind,
        .body = hf_buf_view(&root->answer.body),
        .blob = root->answer.blob,
        .source = t->by == NULL ? (struct hf_view){0} : hf_named_name(t->by),
        .target = root->message.target,
        .metadata = t->answer_metadata,
        .context = hf_buf_view(&t->context),
        .caps = t->answer_caps,
        .n_caps = t->n_answer_caps,
    };
    if (n->nested != NULL && n->nested->duty == HF_DUTY_VOID)
        hf_wait_fire(&n->unwanted);
}

static void show_watch(struct hf_named *n, struct hf_watch *w, bool refused)
{
    n->watch_notice = w;
    n->shown = (struct hf_message){
        .id = w->id,
        .kind = HF_MESSAGE_NOTICE,
        .notice = refused   ? HF_NOTICE_REFUSED
                  : w->link ? HF_NOTICE_EXIT
                            : HF_NOTICE_ENDED,
        .error = refused ? HF_ANSWER_FULL : w->kind,
        .source = hf_view(w->name, w->name_len),
        .body = hf_buf_view(&w->why),
        .count = refused ? w->n_refused : 0,
    };
    if (refused)
        w->n_refused = 0;
}

static void show(struct hf_named *n, struct hf_mail *m)
{
    n->showing = m->kind != HF_MAIL_REQUEST;
    switch (m->kind) {
    case HF_MAIL_REQUEST:
        n->current = HF_CONTAINER_OF(m, struct hf_request, talk.in);
        hf_mail_unpark(n->current);
        n->current->consumed = true;
        return;
    case HF_MAIL_BACK: show_answer(n, HF_CONTAINER_OF(m, struct hf_request, talk.back)); return;
    case HF_MAIL_VOID:
        n->void_notice = HF_CONTAINER_OF(m, struct hf_request, talk.gone);
        n->shown = (struct hf_message){
            .id = n->void_notice->message.id, .kind = HF_MESSAGE_NOTICE, .notice = HF_NOTICE_VOID};
        return;
    case HF_MAIL_WATCH: show_watch(n, HF_CONTAINER_OF(m, struct hf_watch, mail), false); return;
    case HF_MAIL_REFUSED: show_watch(n, HF_CONTAINER_OF(m, struct hf_watch, refused), true); return;
    case HF_MAIL_TIMER:
        n->timer_notice = HF_CONTAINER_OF(m, struct hf_alarm, mail);
        n->shown = (struct hf_message){
            .id = n->timer_notice->id, .kind = HF_MESSAGE_NOTICE, .notice = HF_NOTICE_TIMER};
        return;
    }
}

bool hf_named_take_mail(struct hf_named *n)
{
    struct hf_process *p = n->process;
    if (hf_list_empty(&n->mail))
        return false;
    struct hf_mail *m = HF_LIST_ENTRY(n->mail.next, struct hf_mail, in_box);
    hf_mail_remove(n, m);
    p->served++;
    show(n, m);
    if (!n->class->s.recorded)
        return true;
    const struct hf_message *now = hf_named_message(n);
    struct hf_batch *b = hf_out_batch(p);
    if (b == NULL || hf_batch_consume(b, now->id, (uint32_t)now->kind, now->body) != HF_OK)
        p->turn.broken = true;
    return !p->turn.broken;
}

/* ---- a turn ---- */

enum hf_end hf_named_begin(struct hf_process *p)
{
    struct hf_named *n = p->named;
    const struct hf_named_settings *s = hf_named_set(n);
    uint64_t until;
    if (s->shape == HF_SHAPE_HANDLE) {
        if (hf_list_empty(&n->mail))
            return HF_END_DONE;
        p->phase = HF_PHASE_BUSY;
        if (!hf_named_take_mail(n))
            return HF_END_FAILED;
    }
    p->phase = HF_PHASE_BUSY;
    p->turn.failed = false;
    p->idle_ns = p->kernel->now;
    if (s->shape == HF_SHAPE_HANDLE && s->turn_timeout_ns != 0 &&
        !__builtin_add_overflow(p->kernel->now, s->turn_timeout_ns, &until) &&
        hf_timer_set(p->kernel, &p->clock, until) != HF_OK) {
        hf_turn_fail(&p->turn, HF_ANSWER_LIMITED, HF_VIEW("no memory for a timer"));
        return HF_END_FAILED;
    }
    return n->class->s.behaviour->turn(p->state, &p->turn);
}

/* An answer that was awaited and not taken is of no interest any more. */
static void drop_asked(struct hf_named *n, struct hf_process *p)
{
    struct hf_request *root = n->asked, *under;
    if (root == NULL)
        return;
    n->asked = NULL;
    hf_wait_clear(&n->asked_wait);
    hf_pending_discard(n, root);
    if (root->talk.waiting)
        hf_pending_withdraw(p, root);
    under = root->talk.under;
    root->talk.under = NULL;
    if (under != NULL)
        hf_duty_release(under, p, HF_ANSWER_UNANSWERED, HF_VIEW(""));
    hf_talk_unref(n->kernel, root);
}

static const char *must_retire(const struct hf_named *n)
{
    const struct hf_process *p = n->process;
    if (p->turn.retire != NULL)
        return p->turn.retire;
    if (hf_named_set(n)->shape == HF_SHAPE_RUN)
        return "returned";
    return n->stopping ? "stopped" : NULL;
}

void hf_named_turn_done(struct hf_process *p)
{
    struct hf_named *n = p->named;
    const char *why;
    if (p->phase == HF_PHASE_IDLE) { /* its message was taken back meanwhile */
        hf_named_settle(n);
        return;
    }
    drop_asked(n, p);
    hf_named_release(n, p, HF_ANSWER_UNANSWERED, HF_VIEW(""));
    p->phase = HF_PHASE_IDLE;
    if (hf_named_set(n)->turn_timeout_ns != 0)
        hf_timer_stop(p->kernel, &p->clock);
    hf_out_seal(p);
    if (p->doom != HF_DOOM_NONE)
        return;
    if (p->turn.broken)
        hf_process_fail(p);
    else if ((why = must_retire(n)) != NULL)
        hf_process_retire(p, why);
    else
        become_idle(p);
}

/* ---- its end ---- */

static void answer_held(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                        struct hf_view text)
{
    if (r != NULL && r->duty == HF_DUTY_OPEN)
        hf_duty_refuse(r, p, kind, text);
}

void hf_named_dying(struct hf_process *p, enum hf_answer_kind kind, struct hf_view text)
{
    struct hf_named *n = p->named;
    text = hf_view_take(text, WHY_MAX);
    n->has_why = true;
    n->why_kind = kind;
    hf_buf_clear(&n->why);
    if (hf_buf_add_view(&n->why, text) != HF_OK)
        hf_buf_clear(&n->why);
    answer_held(n->current, p, kind, text);
    answer_held(n->nested, p, kind, text);
    HF_LIST_FOR(at, &n->tokens)
    {
        answer_held(HF_CONTAINER_OF(at, struct hf_request, talk.in_token), p, kind, text);
    }
    HF_LIST_FOR(at, &n->pending)
    {
        answer_held(HF_CONTAINER_OF(at, struct hf_request, talk.in_from)->talk.under, p, kind,
                    text);
    }
}

/* Notices of what the dead instance did are for nobody. Requests stay. */
static void drop_notices(struct hf_named *n)
{
    HF_LIST_FOR_SAFE(at, &n->mail)
    {
        struct hf_mail *m = HF_LIST_ENTRY(at, struct hf_mail, in_box);
        if (m->kind == HF_MAIL_VOID) {
            hf_mail_remove(n, m);
            hf_talk_unref(n->kernel, HF_CONTAINER_OF(m, struct hf_request, talk.gone));
        }
    }
    while (!hf_list_empty(&n->alarms))
        hf_alarm_free(HF_LIST_ENTRY(n->alarms.next, struct hf_alarm, in_named));
    while (!hf_list_empty(&n->watching))
        hf_watch_free(HF_LIST_ENTRY(n->watching.next, struct hf_watch, in_by));
}

static void drop_tokens(struct hf_named *n, struct hf_view why)
{
    for (struct hf_list *at; (at = hf_list_pop_front(&n->tokens)) != NULL;)
        hf_duty_release(HF_CONTAINER_OF(at, struct hf_request, talk.in_token), NULL, n->why_kind,
                        why);
    n->n_tokens = 0;
}

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
    n->state = HF_NAMED_OVER;
    hf_list_remove(&n->in_kernel);
    hf_list_remove(&n->going.link);
    k->n_named--;
    n->class->named->n_named--;
    hf_class_less(n->class); /* who still refers to the name does not look at its class */
    hf_caps_free(n);
    hf_named_unref(n);
}

void hf_named_gone(struct hf_named *n, bool in_order, const char *reason)
{
    if (!n->has_why) {
        n->why_kind = HF_ANSWER_DEAD;
        hf_buf_clear(&n->why);
        if (hf_buf_add_text(&n->why, reason == NULL ? "" : reason) != HF_OK)
            hf_buf_clear(&n->why);
    }
    struct hf_view why = hf_buf_view(&n->why);
    n->process = NULL;
    hf_list_remove(&n->going.link);
    if (!in_order)
        n->kernel->said.deaths++;
    hf_pending_drop_all(n, why);
    hf_named_release(n, NULL, n->why_kind, why);
    drop_tokens(n, why);
    drop_notices(n);
    while (hf_list_pop_front(&n->parked) !=
           NULL) { /* they are delivered; nobody waits for their room now */
    }
    hf_named_ref(n);
    hf_watch_ended(n, in_order ? HF_ANSWER_OK : n->why_kind, why);
    if (!hf_restart_plan(n, in_order))
        hf_named_over(n);
    n->has_why = false;
    hf_buf_clear(&n->kill_text);
    hf_named_unref(n);
}

/* ---- wishes ---- */

struct hf_view hf_named_kill_text(const struct hf_named *n)
{
    return n == NULL || n->kill_text.len == 0 ? HF_VIEW("the instance was killed from outside")
                                              : hf_buf_view(&n->kill_text);
}

void hf_named_end_now(struct hf_named *n, struct hf_view why, bool by_wish)
{
    n->stopping |= by_wish;
    if (n->process == NULL && !by_wish)
        return;
    hf_buf_clear(&n->kill_text);
    if (hf_buf_add_view(&n->kill_text, hf_view_take(why, WHY_MAX)) != HF_OK)
        hf_buf_clear(&n->kill_text);
    if (n->process != NULL)
        hf_process_doom(n->process, HF_DOOM_KILL, "killed");
    else
        hf_named_over(n);
}

void hf_named_end_soon(struct hf_named *n)
{
    struct hf_process *p = n->process;
    n->stopping = true;
    if (p == NULL) {
        hf_named_over(n);
        return;
    }
    hf_wait_fire(&n->mail_wait);
    if (p->phase == HF_PHASE_IDLE && hf_named_set(n)->shape == HF_SHAPE_HANDLE)
        hf_process_doom(p, HF_DOOM_RETIRE, "stopped");
}

/* ---- the kernel is freed ---- */

void hf_named_cancel_all(struct hf_kernel *k)
{
    HF_LIST_FOR_SAFE(at, &k->posted)
    {
        hf_pending_over(HF_CONTAINER_OF(at, struct hf_request, talk.in_from), HF_ANSWER_CANCELLED,
                        HF_VIEW(""));
    }
}

void hf_named_end_all(struct hf_kernel *k)
{
    while (!hf_list_empty(&k->held)) {
        struct hf_effect *e = HF_LIST_ENTRY(k->held.next, struct hf_effect, link);
        hf_effect_drop(k, e);
    }
    while (!hf_list_empty(&k->named)) {
        struct hf_named *n = HF_LIST_ENTRY(k->named.next, struct hf_named, in_kernel);
        HF_ASSERT(n->process == NULL);
        hf_named_over(n);
    }
}
