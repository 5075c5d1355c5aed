/* named_turn.c - what an instance has in hand, and a turn of it.
 *
 * One message is taken out of the mailbox at a time. A request is then held by being current; an
 * answer, with the request it was asked under (nested), or a notice is only shown.
 */
#include "kernel/named_int.h"

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
    if (n->showing) {
        release_notice(n);
        n->showing = false;
        n->shown = (struct hf_message){0};
    }
    hf_named_forget_asked(n);
    n->current = n->back = n->nested = NULL;
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
        .source = t->by != NULL       ? hf_named_name(t->by)
                  : t->letter != NULL ? t->letter->source
                                      : (struct hf_view){0},
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

static void become_idle(struct hf_process *p)
{
    p->phase = HF_PHASE_IDLE;
    p->idle_ns = p->kernel->now;
    hf_named_settle(p->named);
}

void hf_named_started(struct hf_process *p)
{
    if (!p->revived)
        p->named->born_ns = p->kernel->now;
    p->revived = false;
    become_idle(p);
}

enum hf_end hf_named_begin(struct hf_process *p)
{
    struct hf_named *n = p->named;
    const struct hf_named_settings *s = hf_named_set(n);
    uint64_t until;
    if (s->shape == HF_SHAPE_HANDLE) {
        if (hf_list_empty(&n->mail))
            return HF_END_DONE;
        hf_evict_keep(p);
        n->parting = NULL;
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
