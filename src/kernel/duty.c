/* duty.c - the one idea behind messages: a request's holders, its one answer, and what is void.
 *
 * r is a request as its holder sees it, root the one its origin waits for: the same object, unless
 * it was forwarded. Only hf_duty_answer makes an answer; it asserts that the duty is open and
 * closes it. What happens then (hf_duty_answered) is an effect of who answered, or happens at once
 * when the kernel did.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

/* ---- its life ---- */

void hf_talk_init(struct hf_talk *t)
{
    *t = (struct hf_talk){0};
    hf_list_init(&t->in_from);
    hf_list_init(&t->in_token);
    hf_list_init(&t->in_parked);
    struct hf_mail *const mails[] = {&t->in, &t->back, &t->gone};
    static const enum hf_mail_kind kinds[] = {HF_MAIL_REQUEST, HF_MAIL_BACK, HF_MAIL_VOID};
    for (size_t i = 0; i < HF_ARRAY_LEN(mails); i++) {
        hf_list_init(&mails[i]->in_box);
        mails[i]->kind = kinds[i];
    }
}

static void talk_free(struct hf_kernel *k, struct hf_request *r)
{
    struct hf_talk *t = &r->talk;
    struct hf_request *root = t->root;
    HF_ASSERT(t->holders == 0 && t->under == NULL && t->carrier == NULL);
    HF_ASSERT(!hf_list_linked(&t->in.in_box) && !hf_list_linked(&r->going.link));
    if (t->mapped)
        hf_map_remove_u64(&k->requests, r->message.id);
    hf_list_remove(&t->in_from);
    hf_list_remove(&t->in_token);
    hf_mail_unpark(r);
    if (t->letter != NULL)
        hf_far_drop(k, t->letter);
    hf_named_unref(t->from);
    hf_named_unref(t->aim);
    hf_named_unref(t->by);
    hf_buf_done(&t->context);
    hf_buf_done(&t->text);
    hf_buf_done(&t->answer_text);
    free(t->caps);
    free(t->answer_caps);
    hf_buf_done(&r->body);
    hf_buf_done(&r->answer.body);
    hf_blob_unref(r->message.blob);
    hf_blob_unref(r->answer.blob);
    r->message = (struct hf_message){0};
    r->answer = (struct hf_answer){0};
    r->place = HF_PLACE_NONE;
    r->port = NULL;
    r->out = false;
    hf_talk_init(t);
    hf_request_free(k, r);
    if (root != NULL) {
        if (root->talk.carrier == r)
            root->talk.carrier = NULL;
        hf_talk_unref(k, root);
    }
}

void hf_talk_unref(struct hf_kernel *k, struct hf_request *r)
{
    HF_ASSERT(r->talk.refs > 0);
    if (--r->talk.refs == 0)
        talk_free(k, r);
}

void hf_talk_told(struct hf_kernel *k, struct hf_request *r)
{
    r->out = false;
    r->port = NULL;
    r->talk.waiting = false;
    hf_list_remove(&r->talk.in_from);
    hf_talk_unref(k, r);
}

/* ---- holders ---- */

void hf_duty_hold(struct hf_request *r)
{
    r->talk.holders++;
    r->talk.refs++;
}

/* Nobody can name it any more. The origin may still get its blob back with an error; one that is
 * still arriving is not kept for that, since a reference would keep all its bytes. */
static void forget_message(struct hf_request *r)
{
    bool keep = r->talk.waiting && r->talk.from != NULL && r->message.blob != NULL &&
                hf_blob_complete(r->message.blob);
    if (!keep) {
        hf_blob_unref(r->message.blob);
        r->message.blob = NULL;
    }
    r->message.body = (struct hf_view){0};
    hf_buf_done(&r->body);
}

void hf_duty_release(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                     struct hf_view text)
{
    struct hf_kernel *k = r->class->kernel;
    HF_ASSERT(r->talk.holders > 0);
    if (--r->talk.holders == 0) {
        if (r->duty == HF_DUTY_OPEN)
            hf_duty_refuse(r, p, kind, text);
        forget_message(r);
    }
    hf_talk_unref(k, r);
}

enum hf_said hf_duty_said(const struct hf_request *r)
{
    if (r == NULL)
        return HF_SAID_NO_REQUEST;
    switch (r->duty) {
    case HF_DUTY_NONE: return HF_SAID_NO_REQUEST;
    case HF_DUTY_OPEN: return r->talk.deferred ? HF_SAID_DEFERRED : HF_SAID_OK;
    case HF_DUTY_ANSWERED: return HF_SAID_ANSWERED;
    case HF_DUTY_MOVED: return HF_SAID_MOVED;
    case HF_DUTY_VOID: return HF_SAID_VOID;
    case HF_DUTY_DEFERRED: break; /* not kept so */
    }
    HF_ASSERT(!"a duty that is not");
    return HF_SAID_NO_REQUEST;
}

/* ---- answering ---- */

static void record_answer(struct hf_process *p, const struct hf_request *root)
{
    struct hf_batch *b = hf_out_batch(p);
    if (b != NULL && hf_batch_answer(b, root->message.id, (uint32_t)root->answer.kind,
                                     hf_buf_view(&root->answer.body)) != HF_OK)
        p->turn.broken = true;
}

void hf_duty_answer(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                    struct hf_buf *body, struct hf_blob **blob)
{
    struct hf_request *root = r->talk.root != NULL ? r->talk.root : r;
    HF_ASSERT(r->duty == HF_DUTY_OPEN && !root->out);
    hf_request_not_fresh(root);
    r->duty = HF_DUTY_ANSWERED;
    root->talk.carrier = NULL;
    if (!root->talk.waiting) { /* cancelled by an origin whose batch is not acknowledged yet */
        root->class->kernel->said.late++;
        if (body != NULL)
            hf_buf_done(body);
        if (blob != NULL) {
            hf_blob_unref(*blob);
            *blob = NULL;
        }
        return;
    }
    root->answer = (struct hf_answer){.kind = kind};
    if (p != NULL) {
        root->answer.process = p->id;
        root->answer.served = p->served;
        root->answer.born_ns = p->born_ns;
        if (p->named != NULL)
            root->talk.by = hf_named_ref(p->named);
    }
    if (body != NULL) {
        root->answer.body = *body;
        hf_buf_init(body);
    }
    if (blob != NULL) {
        root->answer.blob = *blob;
        *blob = NULL;
    }
    root->out = true;
    root->going.kind = HF_EFFECT_ANSWER;
    if (p == NULL) {
        hf_duty_answered(root->class->kernel, root);
        return;
    }
    record_answer(p, root);
    hf_list_push_back(&p->turn.effects, &root->going.link);
}

void hf_duty_refuse(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                    struct hf_view text)
{
    struct hf_buf body = {0};
    if (hf_buf_add_view(&body, text) != HF_OK)
        hf_buf_clear(&body); /* the kind says enough */
    hf_duty_answer(r, p, kind, &body, NULL);
}

void hf_duty_answered(struct hf_kernel *k, struct hf_request *root)
{
    if (root->talk.from != NULL) {
        hf_pending_take(k, root);
        return;
    }
    if (root->talk.origin != 0) {
        hf_far_answer(k, root);
        return;
    }
    hf_timer_stop(k, &root->clock);
    hf_out_ready(k, root);
}

/* ---- void ---- */

static void tell_holder(struct hf_request *r)
{
    struct hf_named *n = r->talk.to;
    uint32_t in_hand = 0;
    if (n == NULL)
        return;
    if (n->current == r)
        in_hand++;
    if (n->nested == r)
        in_hand++;
    if (in_hand > 0 && hf_named_question(n) == r)
        hf_wait_fire(&n->unwanted);
    if (r->talk.holders > in_hand && !hf_list_linked(&r->talk.gone.in_box)) {
        r->talk.refs++;
        hf_mail_put(n, &r->talk.gone);
    }
}

static void drop_answer(struct hf_kernel *k, struct hf_request *root)
{
    hf_list_remove(&root->going.link);
    root->going.held = false;
    root->out = false;
    hf_buf_done(&root->answer.body);
    hf_blob_unref(root->answer.blob);
    root->answer = (struct hf_answer){0};
    k->said.late++;
}

void hf_duty_void(struct hf_kernel *k, struct hf_request *root)
{
    struct hf_request *live = root->talk.carrier != NULL ? root->talk.carrier : root;
    hf_request_not_fresh(root);
    root->talk.carrier = NULL;
    if (root->out) {
        drop_answer(k, root);
        return;
    }
    if (live->duty != HF_DUTY_OPEN)
        return;
    live->duty = HF_DUTY_VOID;
    if (live->talk.away != 0) {
        hf_far_cancel(k, live);
    } else if (hf_list_linked(&live->going.link)) { /* on its way: nobody sees it */
        hf_list_remove(&live->going.link);
        live->going.held = false;
        hf_duty_release(live, NULL, HF_ANSWER_CANCELLED, HF_VIEW(""));
    } else if (hf_list_linked(&live->talk.in.in_box)) {
        hf_mail_remove(live->talk.to, &live->talk.in);
        hf_mail_unpark(live);
        hf_duty_release(live, NULL, HF_ANSWER_CANCELLED, HF_VIEW(""));
    } else {
        tell_holder(live);
    }
}
