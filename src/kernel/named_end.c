/* named_end.c - the end of an instance, and who may wish it.
 *
 * It goes by its own wish, by failure, by somebody's wish. What was in hand, deferred or pending is
 * lost then, and everybody concerned is told; what lies in the mailbox stays if it will be made
 * again (restart.c), else its origins are told, too.
 *
 * Whoever a dying instance holds is told by effects of its last segment (hf_named_dying), so that
 * for a recorded class they wait for the store like any answer; what is left is given up when it is
 * freed (hf_named_gone).
 */
#include "kernel/named_int.h"

#define WHY_MAX 1024u

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
    HF_LIST_FOR (at, &n->tokens) {
        answer_held(HF_CONTAINER_OF(at, struct hf_request, talk.in_token), p, kind, text);
    }
    HF_LIST_FOR (at, &n->pending) {
        answer_held(HF_CONTAINER_OF(at, struct hf_request, talk.in_from)->talk.under, p, kind,
                    text);
    }
}

/* Notices of what the dead instance did are for nobody. Requests stay. */
static void drop_notices(struct hf_named *n)
{
    HF_LIST_FOR_SAFE (at, &n->mail) {
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
    n->parting = NULL;
    hf_asleep_end(n); /* it was about to be revived */
    hf_list_remove(&n->going.link);
    if (!in_order)
        n->kernel->said.deaths++;
    hf_pending_drop_all(n, why);
    hf_named_release(n, NULL, n->why_kind, why);
    drop_tokens(n, why);
    hf_far_exit(n, in_order ? HF_ANSWER_OK : n->why_kind, why);
    drop_notices(n);
    while (hf_list_pop_front(&n->parked) != NULL) {
        /* they are delivered; nobody waits for their room now */
    }
    hf_named_ref(n);
    hf_watch_ended(n, in_order ? HF_ANSWER_OK : n->why_kind, why);
    hf_far_ended(n, in_order ? HF_ANSWER_OK : n->why_kind, why);
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
    if (n->process == NULL && n->asleep == NULL && !by_wish)
        return;
    hf_buf_clear(&n->kill_text);
    if (hf_buf_add_view(&n->kill_text, hf_view_take(why, WHY_MAX)) != HF_OK)
        hf_buf_clear(&n->kill_text);
    if (n->process != NULL)
        hf_process_doom(n->process, HF_DOOM_KILL, "killed");
    else if (n->asleep != NULL)
        hf_asleep_lose(n, false);
    else
        hf_named_over(n);
}

void hf_named_end_soon(struct hf_named *n)
{
    struct hf_process *p = n->process;
    n->stopping = true;
    if (n->state == HF_NAMED_ASLEEP) {
        hf_asleep_stop(n);
        return;
    }
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
    HF_LIST_FOR_SAFE (at, &k->posted) {
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
