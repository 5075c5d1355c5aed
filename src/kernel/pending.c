/* pending.c - an origin's side of a request: exactly one answer or error reaches it, with its
 * context.
 *
 * The take is one step: who comes first (an answer, the clock, a cancel) ends the wait, and whoever
 * comes after finds that nobody waits. A request counts as pending until its answer was taken out
 * of the mailbox, so that mailboxes hold at most as many answers as there are slots.
 */
#include "kernel/named_int.h"

void hf_pending_take(struct hf_kernel *k, struct hf_request *root)
{
    struct hf_talk *t = &root->talk;
    struct hf_named *n = t->from;
    HF_ASSERT(t->waiting && root->out);
    t->waiting = false;
    root->out = false;
    hf_timer_stop(k, &root->clock);
    if (root->answer.kind == HF_ANSWER_OK)
        k->said.responses++;
    else
        k->said.errors[root->answer.kind]++;
    /* An error gives back what was sent, if it is still there. */
    bool error = root->answer.kind != HF_ANSWER_OK;
    if (error && root->answer.blob == NULL && root->message.blob != NULL)
        root->answer.blob = hf_blob_ref(root->message.blob);
    hf_out_count(root->class, root->answer.kind);
    if (t->asked) {
        hf_wait_fire(&n->asked_wait);
    } else {
        hf_mail_put(n, &t->back);
    }
}

/* To a port; as for a request of a pool. */
static void over_for_port(struct hf_kernel *k, struct hf_request *root, enum hf_answer_kind kind)
{
    if (root->out) {
        bool ready = !root->going.held && hf_list_linked(&root->going.link);
        if (kind == HF_ANSWER_TIMEOUT && ready)
            return;
        hf_request_change_answer(root, kind);
        hf_timer_stop(k, &root->clock);
        return;
    }
    hf_duty_void(k, root);
    hf_timer_stop(k, &root->clock);
    root->answer = (struct hf_answer){.kind = kind};
    root->out = true;
    root->going.kind = HF_EFFECT_ANSWER;
    hf_out_ready(k, root);
}

void hf_pending_over(struct hf_request *root, enum hf_answer_kind kind, struct hf_view text)
{
    struct hf_kernel *k = root->class->kernel;
    if (!root->talk.waiting)
        return;
    if (root->talk.from == NULL) {
        over_for_port(k, root, kind);
        return;
    }
    root->talk.refs++; /* its last holder may go */
    struct hf_blob *blob = root->message.blob == NULL ? NULL : hf_blob_ref(root->message.blob);
    hf_duty_void(k, root);
    root->answer = (struct hf_answer){.kind = kind, .blob = blob};
    if (hf_buf_add_view(&root->answer.body, text) != HF_OK)
        hf_buf_clear(&root->answer.body);
    root->out = true;
    hf_pending_take(k, root);
    hf_talk_unref(k, root);
}

void hf_pending_forget(struct hf_named *n, struct hf_request *root)
{
    HF_ASSERT(hf_list_linked(&root->talk.in_from) && n->n_pending > 0);
    hf_list_remove(&root->talk.in_from);
    n->n_pending--;
    if (root->talk.holders == 0) { /* else its blob is theirs as long as they can name it */
        hf_blob_unref(root->message.blob);
        root->message.blob = NULL;
    }
}

void hf_pending_discard(struct hf_named *n, struct hf_request *root)
{
    hf_pending_forget(n, root);
    hf_mail_remove(n, &root->talk.back);
    hf_timer_stop(n->kernel, &root->clock);
    if (root->talk.waiting) /* an answer may be on its way */
        return;
    hf_buf_done(&root->answer.body);
    hf_blob_unref(root->answer.blob);
    root->answer.blob = NULL;
}

void hf_pending_withdraw(struct hf_process *p, struct hf_request *root)
{
    struct hf_kernel *k = p->kernel;
    root->talk.waiting = false;
    hf_timer_stop(k, &root->clock);
    if (root->out ||
        hf_list_linked(&root->going.link)) { /* no other has seen it, or will look at it */
        hf_duty_void(k, root);
        return;
    }
    root->talk.refs++;
    root->going.kind = HF_EFFECT_CANCEL;
    hf_list_push_back(&p->turn.effects, &root->going.link);
}

/* Nothing of it will be seen: it was pending, or its answer lies unread. */
static void drop(struct hf_named *n, struct hf_request *root, struct hf_view why)
{
    struct hf_kernel *k = n->kernel;
    struct hf_request *under = root->talk.under;
    hf_pending_discard(n, root);
    root->talk.under = NULL;
    if (root->talk.waiting) {
        root->talk.waiting = false;
        hf_duty_void(k, root);
    }
    if (under != NULL)
        hf_duty_release(under, NULL, n->why_kind, why);
    hf_talk_unref(k, root);
}

void hf_pending_drop_all(struct hf_named *n, struct hf_view why)
{
    n->asked = NULL;
    while (!hf_list_empty(&n->pending))
        drop(n, HF_CONTAINER_OF(n->pending.next, struct hf_request, talk.in_from), why);
    hf_wait_clear(&n->asked_wait);
}
