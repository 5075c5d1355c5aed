/* turn.c - the verbs of turn.h: what a behaviour may do while it is called. */
#include "kernel/named_int.h"

void hf_turn_init(struct hf_turn *t)
{
    hf_waitset_init(&t->set, hf_sched_woken);
    hf_list_init(&t->effects);
}

void hf_turn_reset(struct hf_turn *t)
{
    HF_ASSERT(hf_list_empty(&t->set.ready)); /* stop disarms what start and turn armed */
    HF_ASSERT(t->batch == NULL && hf_list_empty(&t->effects));
    struct hf_buf text = t->fail_text;
    hf_buf_clear(&text);
    *t = (struct hf_turn){.fail_text = text};
    hf_turn_init(t);
}

static const struct hf_process *of(const struct hf_turn *t)
{
    _Static_assert(offsetof(struct hf_process, turn) == 0, "a turn is the head of its process");
    return (const struct hf_process *)(const void *)t;
}

struct hf_process *hf_turn_of(struct hf_turn *t)
{
    struct hf_process *p = HF_CONTAINER_OF(t, struct hf_process, turn);
    p->asked |= p->spare;
    return p;
}


/* ---- where we are ---- */

uint64_t hf_turn_now(const struct hf_turn *t)
{
    return of(t)->kernel->now;
}

struct hf_kernel *hf_turn_kernel(struct hf_turn *t)
{
    return of(t)->kernel;
}

uint64_t hf_turn_process(const struct hf_turn *t)
{
    return of(t)->id;
}

uint64_t hf_turn_served(const struct hf_turn *t)
{
    return of(t)->served;
}

uint64_t hf_turn_born_ns(const struct hf_turn *t)
{
    return of(t)->born_ns;
}

/* ---- the message in hand ---- */

static struct hf_request *in_hand(const struct hf_turn *t)
{
    struct hf_request *r = of(t)->request;
    return r != NULL && r->place == HF_PLACE_HAND ? r : NULL;
}

const struct hf_message *hf_turn_message(const struct hf_turn *t)
{
    const struct hf_request *r = in_hand(t);
    if (HF_UNLIKELY(of(t)->named != NULL))
        return hf_named_message(of(t)->named);
    return r == NULL ? NULL : &r->message;
}

struct hf_blob *hf_turn_take_blob(struct hf_turn *t)
{
    struct hf_request *r = in_hand(t);
    if (HF_UNLIKELY(of(t)->named != NULL))
        return hf_named_take_blob(hf_turn_of(t)->named);
    if (r == NULL)
        return NULL;
    struct hf_blob *blob = r->message.blob;
    r->message.blob = NULL;
    return blob;
}

static enum hf_duty named_duty(const struct hf_named *n)
{
    const struct hf_request *r = hf_named_question(n);
    if (r == NULL)
        return HF_DUTY_NONE;
    return r->duty == HF_DUTY_OPEN && r->talk.deferred ? HF_DUTY_DEFERRED : r->duty;
}

/* Makes the answer to what hf_turn_duty says is open. */
static void answer(struct hf_turn *t, enum hf_answer_kind kind, struct hf_buf *body,
                   struct hf_blob **blob)
{
    struct hf_process *p = hf_turn_of(t);
    if (HF_UNLIKELY(p->named != NULL))
        hf_duty_answer(hf_named_question(p->named), p, kind, body, blob);
    else
        hf_request_answer(in_hand(t), p, kind, body, blob);
}

enum hf_duty hf_turn_duty(const struct hf_turn *t)
{
    const struct hf_request *r = in_hand(t);
    if (HF_UNLIKELY(of(t)->named != NULL))
        return named_duty(of(t)->named);
    return r == NULL ? HF_DUTY_NONE : r->duty;
}

enum hf_duty hf_turn_respond(struct hf_turn *t, struct hf_buf *body, struct hf_blob **blob)
{
    enum hf_duty duty = hf_turn_duty(t);
    if (duty == HF_DUTY_OPEN)
        answer(t, HF_ANSWER_OK, body, blob);
    return duty;
}

enum hf_duty hf_turn_refuse(struct hf_turn *t, enum hf_answer_kind kind, struct hf_view text)
{
    enum hf_duty duty = hf_turn_duty(t);
    HF_ASSERT(kind != HF_ANSWER_OK);
    if (duty == HF_DUTY_OPEN) {
        struct hf_buf body = {0};
        if (hf_buf_add_view(&body, text) != HF_OK)
            hf_buf_clear(&body); /* the kind says enough */
        answer(t, kind, &body, NULL);
    }
    return duty;
}

/* ---- its end ---- */

void hf_turn_fail(struct hf_turn *t, enum hf_answer_kind kind, struct hf_view text)
{
    HF_ASSERT(kind == HF_ANSWER_DEAD || kind == HF_ANSWER_LIMITED);
    if (t->failed) /* the first reason is the cause, the rest follows from it */
        return;
    t->failed = true;
    t->fail_kind = kind;
    hf_buf_clear(&t->fail_text);
    if (hf_buf_add_view(&t->fail_text, text) != HF_OK)
        hf_buf_clear(&t->fail_text); /* the kind says enough */
}

void hf_turn_retire(struct hf_turn *t, const char *why)
{
    if (t->retire == NULL)
        t->retire = why == NULL ? "asked" : why;
}

void hf_turn_class_single_use(struct hf_turn *t)
{
    hf_class_set_single_use(hf_turn_of(t)->class);
}

/* ---- waiting ---- */

struct hf_waitset *hf_turn_waitset(struct hf_turn *t)
{
    return &t->set;
}

void hf_turn_set_selective(struct hf_turn *t, bool selective)
{
    t->selective = selective;
}
