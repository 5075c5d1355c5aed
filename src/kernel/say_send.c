/* say_send.c - the verbs that send: checks first, then one request object, put into the turn's
 * effects.
 *
 * What can be refused here is refused here (denied, too-large, limit, invalid), and nothing has
 * moved then. Whether there is such a process, and whether it has room, is seen when the effect
 * happens: the answer to that is a message, the same for a process near by and one far away.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

const char *hf_said_text(enum hf_said said)
{
    static const char *const texts[] = {
#define X(name, text) text,
        HF_SAID_LIST(X)
#undef X
    };
    return (size_t)said < HF_ARRAY_LEN(texts) ? texts[said] : "?";
}

static enum hf_said check(const struct hf_process *p, const struct hf_send *s)
{
    if (p->named == NULL || !hf_cap_holds(p->named, s->target))
        return HF_SAID_DENIED;
    return hf_cap_check(p, s->caps, s->n_caps, s->body.len + s->metadata.len + s->context.len);
}

static bool has_room(const struct hf_process *p)
{
    return p->turn.n_sends < hf_named_set(p->named)->sends_max;
}

/* Its own, or the one it inherits; NULL: none. */
static struct hf_blob *blob_of(struct hf_named *n, const struct hf_send *s)
{
    if (s->blob != NULL)
        return s->blob;
    return s->inherit ? hf_named_inherited(n) : NULL;
}

/* Everything that can fail. The request is empty but for its text and id; NULL: nothing is left of
 * it. */
static struct hf_request *make(struct hf_process *p, const struct hf_send *s, bool wants)
{
    struct hf_kernel *k = p->kernel;
    struct hf_named *n = p->named;
    struct hf_request *r = hf_request_new(n->class);
    enum hf_answer_kind why;
    if (r == NULL)
        return NULL;
    struct hf_talk *t = &r->talk;
    r->place = HF_PLACE_NAMED;
    r->process = NULL;
    r->port = NULL;
    r->tag = NULL;
    r->duty = HF_DUTY_NONE;
    r->out = r->consumed = false;
    r->message = (struct hf_message){0};
    t->refs = 1;
    t->aim = hf_named_find(k, s->target, false, &why);
    if (t->aim != NULL)
        hf_named_ref(t->aim);
    struct hf_view target = t->aim != NULL ? (struct hf_view){0} : s->target;
    struct hf_view metadata = s->metadata;
    if (!hf_cap_pack(&t->text, &target, &metadata, s->caps, s->n_caps, &t->caps))
        goto fail;
    if (wants && hf_map_put_u64(&k->requests, k->next_request, r, NULL) != HF_OK)
        goto fail;
    t->mapped = wants;
    t->n_caps = s->n_caps;
    r->message.id = k->next_request++;
    r->message.target = t->aim != NULL ? hf_named_name(t->aim) : target;
    r->message.metadata = metadata;
    r->message.caps = t->caps;
    r->message.n_caps = s->n_caps;
    return r;
fail:
    hf_talk_unref(k, r);
    return NULL;
}

static bool record(struct hf_process *p, const struct hf_request *r, const struct hf_send *s)
{
    struct hf_batch *b = hf_out_batch(p);
    const struct hf_talk *t = &r->talk;
    if (b == NULL)
        return !p->turn.broken;
    const struct hf_batch_sent sent = {
        .id = r->message.id,
        .under = t->under == NULL ? 0 : t->under->message.id,
        .root = t->root == NULL ? 0 : t->root->message.id,
        .flags = (r->message.wants_answer && t->root == NULL ? HF_SENT_WANTS_ANSWER : 0) |
                 (blob_of(p->named, s) != NULL ? HF_SENT_BLOB : 0) |
                 (t->asked ? HF_SENT_AWAITED : 0),
        .target = r->message.target,
        .body = hf_buf_view(&s->body),
    };
    if (hf_batch_send(b, &sent) == HF_OK)
        return true;
    p->turn.broken = true;
    return false;
}

/* Cannot fail any more: everything moves. */
static void commit(struct hf_process *p, struct hf_request *r, struct hf_send *s)
{
    struct hf_named *n = p->named;
    struct hf_talk *t = &r->talk;
    struct hf_blob *blob = blob_of(n, s);
    r->message.blob = blob == NULL || blob == s->blob ? blob : hf_blob_ref(blob);
    s->blob = NULL;
    r->body = s->body;
    hf_buf_init(&s->body);
    r->message.body = hf_buf_view(&r->body);
    t->from = hf_named_ref(n);
    r->message.source = hf_named_name(n);
    t->park = s->park;
    t->holders = 1; /* its way, by the reference made with it; the mailbox takes it over */
    r->going.kind = HF_EFFECT_SEND;
    hf_list_push_back(&p->turn.effects, &r->going.link);
    p->turn.n_sends++;
    p->kernel->said.sent++;
}

static void unmake(struct hf_process *p, struct hf_request *r)
{
    hf_timer_stop(p->kernel, &r->clock);
    r->talk.under = r->talk.root = NULL; /* neither was held yet */
    hf_talk_unref(p->kernel, r);
}

static enum hf_said send_wanting(struct hf_process *p, struct hf_send *s, bool asked, uint64_t *id)
{
    struct hf_named *n = p->named;
    const struct hf_named_settings *set = hf_named_set(n);
    struct hf_request *under = hf_named_question(n);
    uint64_t timeout = s->timeout_ns != 0 ? s->timeout_ns : set->request_timeout_ns;
    struct hf_request *r = n->n_pending < set->pending_max ? make(p, s, true) : NULL;
    if (r == NULL)
        return HF_SAID_LIMIT;
    r->timeout_ns = timeout;
    if (__builtin_add_overflow(p->kernel->now, timeout, &r->message.deadline_ns))
        r->message.deadline_ns = UINT64_MAX;
    r->message.wants_answer = true;
    r->duty = HF_DUTY_OPEN;
    r->talk.under = under;
    r->talk.asked = asked;
    if (hf_timer_set(p->kernel, &r->clock, r->message.deadline_ns) != HF_OK || !record(p, r, s)) {
        r->duty = HF_DUTY_NONE;
        unmake(p, r);
        return HF_SAID_LIMIT;
    }
    if (under != NULL)
        hf_duty_hold(under);
    r->talk.context = s->context;
    hf_buf_init(&s->context);
    r->talk.waiting = true;
    r->talk.refs++; /* the origin's */
    hf_list_push_back(&n->pending, &r->talk.in_from);
    n->n_pending++;
    commit(p, r, s);
    if (id != NULL)
        *id = r->message.id;
    if (asked)
        n->asked = r;
    return HF_SAID_OK;
}

static enum hf_said tell(struct hf_process *p, struct hf_send *s, uint64_t *id)
{
    struct hf_request *r = make(p, s, false);
    if (r == NULL)
        return HF_SAID_LIMIT;
    if (!record(p, r, s)) {
        unmake(p, r);
        return HF_SAID_LIMIT;
    }
    p->kernel->said.tells++;
    commit(p, r, s);
    if (id != NULL)
        *id = r->message.id;
    return HF_SAID_OK;
}

enum hf_said hf_turn_send(struct hf_turn *turn, struct hf_send *s, uint64_t *id)
{
    struct hf_process *p = hf_turn_of(turn);
    enum hf_said said = check(p, s);
    if (said != HF_SAID_OK)
        return said;
    if (!s->wants_answer && s->context.len > 0)
        return HF_SAID_INVALID;
    if (!has_room(p))
        return HF_SAID_LIMIT;
    return s->wants_answer ? send_wanting(p, s, false, id) : tell(p, s, id);
}

/* ---- send and await ---- */

enum hf_said hf_turn_ask(struct hf_turn *turn, struct hf_send *s, uint64_t *id)
{
    struct hf_process *p = hf_turn_of(turn);
    enum hf_said said = check(p, s);
    if (said != HF_SAID_OK)
        return said;
    if (p->named->asked != NULL)
        return HF_SAID_INVALID;
    if (!has_room(p))
        return HF_SAID_LIMIT;
    said = send_wanting(p, s, true, id);
    if (said == HF_SAID_OK) /* not before: the target may lie in it */
        hf_named_forget_asked(p->named);
    return said;
}

struct hf_wait *hf_turn_asked_wait(struct hf_turn *turn)
{
    return &hf_turn_of(turn)->named->asked_wait;
}

void hf_asked_done(struct hf_asked *asked)
{
    hf_buf_done(&asked->answer.body);
    hf_blob_unref(asked->answer.blob);
    asked->answer.blob = NULL;
    hf_buf_done(&asked->context);
}

enum hf_err hf_turn_take_asked(struct hf_turn *turn, struct hf_asked *ret)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_named *n = p->named;
    struct hf_request *root = n == NULL ? NULL : n->asked, *under;
    if (root == NULL)
        return HF_NOT_FOUND;
    if (root->talk.waiting)
        return HF_AGAIN;
    n->asked = NULL;
    hf_wait_clear(&n->asked_wait);
    hf_pending_forget(n, root);
    *ret = (struct hf_asked){.answer = root->answer,
                             .context = root->talk.context,
                             .metadata = root->talk.answer_metadata,
                             .caps = root->talk.answer_caps,
                             .n_caps = root->talk.n_answer_caps};
    root->answer = (struct hf_answer){0};
    hf_buf_init(&root->talk.context);
    if (p->class->s.recorded) { /* an awaited answer is an input of the segment that takes it */
        struct hf_batch *b = hf_out_batch(p);
        if (b == NULL ||
            hf_batch_input(b, (uint32_t)ret->answer.kind, hf_buf_view(&ret->answer.body)) != HF_OK)
            p->turn.broken = true;
    }
    under = root->talk.under;
    root->talk.under = NULL;
    if (under != NULL)
        hf_duty_release(under, p, HF_ANSWER_UNANSWERED, HF_VIEW(""));
    hf_named_forget_asked(n);
    n->last_asked = root; /* what it carries can be used and kept for a while */
    return HF_OK;
}

/* ---- forward and cancel ---- */

enum hf_said hf_turn_forward(struct hf_turn *turn, struct hf_send *s)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_request *a = p->named == NULL ? NULL : hf_named_question(p->named);
    enum hf_said said = hf_duty_said(a);
    bool plain = a != NULL && a->duty == HF_DUTY_NONE;
    if (p->named == NULL)
        return HF_SAID_DENIED;
    if (said != HF_SAID_OK && !plain)
        return said;
    if ((said = check(p, s)) != HF_SAID_OK)
        return said;
    if (!has_room(p))
        return HF_SAID_LIMIT;
    if (plain)
        return tell(p, s, NULL);
    struct hf_request *root = a->talk.root != NULL ? a->talk.root : a, *r = make(p, s, true);
    if (r == NULL)
        return HF_SAID_LIMIT;
    r->message.wants_answer = true;
    r->message.deadline_ns = a->message.deadline_ns;
    r->talk.root = root;
    if (!record(p, r, s)) {
        unmake(p, r);
        return HF_SAID_LIMIT;
    }
    root->talk.refs++;
    root->talk.carrier = r;
    a->duty = HF_DUTY_MOVED;
    r->duty = HF_DUTY_OPEN;
    p->kernel->said.forwards++;
    commit(p, r, s);
    return HF_SAID_OK;
}

enum hf_said hf_turn_cancel(struct hf_turn *turn, uint64_t id)
{
    struct hf_process *p = hf_turn_of(turn);
    struct hf_kernel *k = p->kernel;
    struct hf_request *root = hf_map_get_u64(&k->requests, id);
    if (p->named == NULL)
        return HF_SAID_DENIED;
    if (root == NULL || root->place != HF_PLACE_NAMED || root->talk.from != p->named ||
        root->talk.root != NULL || !root->talk.waiting)
        return HF_SAID_NO_REQUEST;
    if (!hf_say_record(p, HF_VERB_CANCEL, id, (struct hf_view){0}))
        return HF_SAID_LIMIT;
    struct hf_blob *blob = root->message.blob == NULL ? NULL : hf_blob_ref(root->message.blob);
    root->talk.refs++;
    hf_pending_withdraw(p, root);
    root->talk.waiting = root->out = true; /* so that it is taken like any answer */
    root->answer = (struct hf_answer){.kind = HF_ANSWER_CANCELLED, .blob = blob};
    hf_pending_take(k, root);
    hf_talk_unref(k, root);
    return HF_SAID_OK;
}
