/* remote.c - a class whose instances live in another kernel (remote.h): requests are `away` until
 * they are answered, cancelled, or over time.
 */
#include "kernel/remote.h"

#include "kernel/kernel_int.h"

static enum hf_end never(void *state, struct hf_turn *turn)
{
    (void)state, (void)turn;
    HF_ASSERT(!"a remote class has no instances");
    return HF_END_FAILED;
}

static enum hf_end never_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    (void)state;
    return never(class_ctx, turn);
}

static void never_stop(void *state)
{
    (void)state;
}

static const struct hf_behaviour elsewhere = {
    .name = "elsewhere", .start = never_start, .turn = never, .resume = never, .stop = never_stop};

enum hf_err hf_class_add_remote(struct hf_kernel *k, const char *name,
                                const struct hf_remote_settings *s, struct hf_class **ret,
                                struct hf_report *report)
{
    struct hf_class_settings cs = {.behaviour = &elsewhere,
                                   .request_timeout_ns = s->request_timeout_ns,
                                   .unnamed = s->unnamed,
                                   .gone = s->gone,
                                   .gone_ctx = s->gone_ctx};
    struct hf_class *c;
    HF_ASSERT(s->ops != NULL && s->ops->send != NULL && s->ops->cancel != NULL);
    enum hf_err err = hf_class_add(k, name, &cs, &c, report);
    if (err != HF_OK)
        return err;
    c->remote = s->ops;
    c->remote_ctx = s->ctx;
    if (ret != NULL)
        *ret = c;
    return HF_OK;
}

enum hf_err hf_remote_send(struct hf_request *r, struct hf_post *post)
{
    struct hf_class *c = r->class;
    enum hf_err err =
        c->remote->send(c->remote_ctx, r->message.id, &post->body, &post->blob, r->timeout_ns);
    if (err != HF_OK)
        return err;
    r->message.body = (struct hf_view){0};
    r->message.blob = NULL;
    r->place = HF_PLACE_AWAY;
    r->process = NULL;
    hf_list_push_back(&c->away, &r->in_class);
    return HF_OK;
}

void hf_remote_withdraw(struct hf_request *r)
{
    struct hf_class *c = r->class;
    uint64_t id = r->message.id;
    hf_list_remove(&r->in_class);
    hf_request_leave(r);
    c->remote->cancel(c->remote_ctx, id);
}

bool hf_remote_answer(struct hf_kernel *k, uint64_t id, struct hf_answer *a)
{
    struct hf_request *r = hf_map_get_u64(&k->requests, id);
    if (r == NULL || r->place != HF_PLACE_AWAY)
        return false;
    hf_list_remove(&r->in_class);
    hf_request_answer(r, NULL, a->kind, &a->body, &a->blob);
    r->answer.process = a->process;
    r->answer.served = a->served;
    r->answer.born_ns = a->born_ns;
    hf_request_leave(r);
    return true;
}
