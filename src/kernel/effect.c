/* effect.c - what an effect does when its time has come, and what becomes of one that must not be.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

static void free_wish(struct hf_end_wish *w)
{
    hf_named_unref(w->child);
    hf_buf_done(&w->why);
    free(w);
}

static void answer(struct hf_kernel *k, struct hf_request *r)
{
    if (r->place == HF_PLACE_NAMED) {
        hf_duty_answered(k, r);
        return;
    }
    hf_out_ready(k, r);
    if (r->place == HF_PLACE_NONE) /* a held answer kept its deadline */
        hf_timer_stop(k, &r->clock);
}

static void end_child(struct hf_end_wish *w)
{
    struct hf_named *n = w->child;
    if (n->state != HF_NAMED_OVER && w->kill)
        hf_named_end_now(n, hf_buf_view(&w->why), true);
    else if (n->state != HF_NAMED_OVER)
        hf_named_end_soon(n);
    free_wish(w);
}

void hf_effect_happen(struct hf_kernel *k, struct hf_effect *e)
{
    struct hf_named *n;
    switch (e->kind) {
    case HF_EFFECT_ANSWER: answer(k, HF_CONTAINER_OF(e, struct hf_request, going)); return;
    case HF_EFFECT_SEND: hf_mail_deliver(k, HF_CONTAINER_OF(e, struct hf_request, going)); return;
    case HF_EFFECT_CANCEL: {
        struct hf_request *r = HF_CONTAINER_OF(e, struct hf_request, going);
        hf_duty_void(k, r);
        hf_talk_unref(k, r);
        return;
    }
    case HF_EFFECT_SPAWN:
        n = HF_CONTAINER_OF(e, struct hf_named, going);
        n->state = HF_NAMED_LIVE;
        hf_named_set_blocked(n);
        return;
    case HF_EFFECT_WATCH: hf_watch_begin(k, HF_CONTAINER_OF(e, struct hf_watch, going)); return;
    case HF_EFFECT_FAR: hf_far_wish_happen(HF_CONTAINER_OF(e, struct hf_far_wish, going)); return;
    case HF_EFFECT_END: end_child(HF_CONTAINER_OF(e, struct hf_end_wish, going)); return;
    }
}

/* What could not be recorded must not be seen: the origin hears why instead. */
static void spoil(struct hf_kernel *k, struct hf_request *r)
{
    if (r->answer.kind == HF_ANSWER_OK) { /* else it has heard already */
        r->answer.kind = HF_ANSWER_LIMITED;
        hf_buf_done(&r->answer.body);
        hf_blob_unref(r->answer.blob);
        r->answer.blob = NULL;
    }
    answer(k, r);
}

void hf_effect_drop(struct hf_kernel *k, struct hf_effect *e)
{
    struct hf_request *r;
    hf_list_remove(&e->link);
    e->held = false;
    switch (e->kind) {
    case HF_EFFECT_ANSWER: spoil(k, HF_CONTAINER_OF(e, struct hf_request, going)); return;
    case HF_EFFECT_SEND:
        r = HF_CONTAINER_OF(e, struct hf_request, going);
        hf_duty_release(r, NULL, HF_ANSWER_LIMITED, HF_VIEW("its sender could not be recorded"));
        return;
    case HF_EFFECT_CANCEL:
        r = HF_CONTAINER_OF(e, struct hf_request, going);
        hf_duty_void(k, r);
        hf_talk_unref(k, r);
        return;
    case HF_EFFECT_SPAWN:
        hf_named_end_now(HF_CONTAINER_OF(e, struct hf_named, going),
                         HF_VIEW("its parent could not be recorded"), true);
        return;
    case HF_EFFECT_WATCH: return; /* freed with its maker */
    case HF_EFFECT_FAR: hf_far_wish_drop(HF_CONTAINER_OF(e, struct hf_far_wish, going)); return;
    case HF_EFFECT_END: free_wish(HF_CONTAINER_OF(e, struct hf_end_wish, going)); return;
    }
}
