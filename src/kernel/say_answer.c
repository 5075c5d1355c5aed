/* say_answer.c - the verbs that answer: respond and reply, defer and its token. */
#include "kernel/named_int.h"

/* Its duty is open, and this is one who may answer. */
static enum hf_said answer(struct hf_process *p, struct hf_request *r, struct hf_response *s,
                           struct hf_blob *inherited)
{
    struct hf_request *root = r->talk.root != NULL ? r->talk.root : r;
    struct hf_talk *t = &root->talk;
    struct hf_view none = {0}, metadata = s->metadata;
    enum hf_said said = hf_cap_check(p, s->caps, s->n_caps, s->body.len + s->metadata.len);
    if (said != HF_SAID_OK)
        return said;
    if (!hf_cap_pack(&t->answer_text, &none, &metadata, s->caps, s->n_caps, &t->answer_caps))
        return HF_SAID_LIMIT;
    t->answer_metadata = metadata;
    t->n_answer_caps = s->n_caps;
    if (s->blob == NULL && s->inherit && inherited != NULL)
        s->blob = hf_blob_ref(inherited);
    hf_duty_answer(r, p, HF_ANSWER_OK, &s->body, &s->blob);
    return HF_SAID_OK;
}

enum hf_said hf_turn_reply(struct hf_turn *turn, struct hf_response *response)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_named *n = p->named;
    if (n == NULL)
        return HF_SAID_DENIED;
    struct hf_request *r = hf_named_question(n);
    enum hf_said said = hf_duty_said(r);
    if (said != HF_SAID_OK)
        return said;
    return answer(p, r, response, hf_named_inherited(n));
}

/* ---- tokens ---- */

static struct hf_request *token_of(const struct hf_process *p, uint64_t token)
{
    struct hf_request *r = p->named == NULL ? NULL : hf_map_get_u64(&p->kernel->requests, token);
    bool mine = r != NULL && r->place == HF_PLACE_NAMED && r->talk.to == p->named &&
                hf_list_linked(&r->talk.in_token);
    return mine ? r : NULL;
}

enum hf_said hf_turn_defer(struct hf_turn *turn, uint64_t *token)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_named *n = p->named;
    if (n == NULL)
        return HF_SAID_DENIED;
    struct hf_request *r = hf_named_question(n);
    enum hf_said said = hf_duty_said(r);
    if (said != HF_SAID_OK)
        return said;
    if (n->n_tokens >= hf_named_set(n)->tokens_max ||
        !hf_say_record(p, HF_VERB_DEFER, r->message.id, (struct hf_view){0}))
        return HF_SAID_LIMIT;
    hf_duty_hold(r);
    r->talk.deferred = true;
    hf_list_push_back(&n->tokens, &r->talk.in_token);
    n->n_tokens++;
    p->kernel->said.deferred++;
    *token = r->message.id;
    return HF_SAID_OK;
}

static void drop(struct hf_process *p, struct hf_request *r)
{
    hf_list_remove(&r->talk.in_token);
    p->named->n_tokens--;
    hf_duty_release(r, p, HF_ANSWER_UNANSWERED, HF_VIEW(""));
}

static enum hf_said state_of(const struct hf_request *r)
{
    if (r == NULL)
        return HF_SAID_NO_REQUEST;
    enum hf_said said = hf_duty_said(r);
    return said == HF_SAID_DEFERRED ? HF_SAID_OK : said;
}

enum hf_said hf_turn_answer(struct hf_turn *turn, uint64_t token, struct hf_response *response)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_request *r = token_of(p, token);
    enum hf_said said = state_of(r);
    if (said == HF_SAID_OK)
        said = answer(p, r, response, r->message.blob);
    else if (said != HF_SAID_VOID)
        return said;
    if (said == HF_SAID_OK || said == HF_SAID_VOID)
        drop(p, r);
    return said;
}

enum hf_said hf_turn_drop_token(struct hf_turn *turn, uint64_t token)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_request *r = token_of(p, token);
    if (r == NULL)
        return HF_SAID_NO_REQUEST;
    if (!hf_say_record(p, HF_VERB_DROP_TOKEN, token, (struct hf_view){0}))
        return HF_SAID_LIMIT;
    if (r->duty == HF_DUTY_OPEN) /* current may still be here, but it cannot answer */
        hf_duty_refuse(r, p, HF_ANSWER_UNANSWERED, HF_VIEW(""));
    drop(p, r);
    return HF_SAID_OK;
}

enum hf_said hf_turn_state(const struct hf_turn *turn)
{
    const struct hf_named *n = hf_turn_of((struct hf_turn *)(uintptr_t)turn)->named;
    return n == NULL ? HF_SAID_DENIED : hf_duty_said(hf_named_question(n));
}

enum hf_said hf_turn_token_state(const struct hf_turn *turn, uint64_t token)
{
    return state_of(token_of((const struct hf_process *)(const void *)turn, token));
}

struct hf_wait *hf_turn_unwanted_wait(struct hf_turn *turn)
{
    return &hf_turn_of(turn)->named->unwanted;
}
