/* out.c - what leaves a turn and the kernel: batches to the store, effects after their batch,
 * answers to their ports.
 *
 * Two lists: `held` are effects that wait for acknowledgement, in order of seq; `ready` are answers
 * that go with the next flush. What a class that is not recorded does happens when its segment is
 * sealed, and is never behind one that is.
 */
#include "kernel/named_int.h"

struct hf_batch *hf_out_batch(struct hf_process *p)
{
    struct hf_turn *t = &p->turn;
    struct hf_kernel *k = p->kernel;
    if (!p->class->s.recorded || t->broken)
        return NULL;
    if (t->batch == NULL) {
        if (hf_batch_begin(k->seq + 1, p->id, true, &t->batch) == HF_OK)
            k->seq++;
        else
            t->broken = true;
    }
    return t->batch;
}

void hf_out_ready(struct hf_kernel *k, struct hf_request *r)
{
    hf_list_remove(&r->going.link);
    r->going.held = false;
    hf_list_push_back(&k->ready, &r->going.link);
}

void hf_out_seal(struct hf_process *p)
{
    struct hf_turn *t = &p->turn;
    struct hf_kernel *k = p->kernel;
    struct hf_batch *b = t->batch;

    t->batch = NULL;
    t->n_sends = 0;
    if (b != NULL && t->broken) {
        k->seq--; /* nobody has seen it: numbers stay dense */
        hf_batch_free(b);
        b = NULL;
    }
    if (b != NULL) {
        hf_batch_seal(b);
        hf_list_push_back(&k->sealed, &b->in_kernel);
    }
    for (struct hf_list *n; (n = hf_list_pop_front(&t->effects)) != NULL;) {
        struct hf_effect *e = HF_LIST_ENTRY(n, struct hf_effect, link);
        if (t->broken) {
            hf_effect_drop(k, e);
        } else if (b == NULL) {
            hf_effect_happen(k, e);
        } else {
            e->seq = b->seq;
            e->held = true;
            hf_list_push_back(&k->held, &e->link);
        }
    }
}

const struct hf_batch *hf_kernel_next_batch(struct hf_kernel *k)
{
    struct hf_list *n = hf_list_pop_front(&k->sealed);
    if (n == NULL)
        return NULL;
    hf_list_push_back(&k->lent, n);
    return HF_LIST_ENTRY(n, struct hf_batch, in_kernel);
}

void hf_kernel_return_batch(struct hf_kernel *k)
{
    HF_ASSERT(!hf_list_empty(&k->lent));
    struct hf_list *n = k->lent.prev;
    hf_list_remove(n);
    hf_list_push_front(&k->sealed, n);
}

void hf_kernel_acked(struct hf_kernel *k, uint64_t seq)
{
    while (!hf_list_empty(&k->lent)) {
        struct hf_batch *b = HF_LIST_ENTRY(k->lent.next, struct hf_batch, in_kernel);
        if (b->seq > seq)
            break;
        k->acked = b->seq;
        hf_batch_free(b);
    }
    HF_ASSERT(seq <= k->acked); /* else it names one that was never lent */
    while (!hf_list_empty(&k->held)) {
        struct hf_effect *e = HF_LIST_ENTRY(k->held.next, struct hf_effect, link);
        if (e->seq > k->acked)
            break;
        hf_list_remove(&e->link);
        e->held = false;
        hf_effect_happen(k, e);
    }
}

void hf_out_count(struct hf_class *c, enum hf_answer_kind kind)
{
    struct hf_class_stats *s = &c->stats;
    switch (kind) {
    case HF_ANSWER_OK: s->answered++; return;
    case HF_ANSWER_TIMEOUT: s->timeouts++; return;
    case HF_ANSWER_NO_SUCH:
    case HF_ANSWER_CYCLE:
    case HF_ANSWER_FULL: s->refused++; return;
    case HF_ANSWER_DEAD:
    case HF_ANSWER_LIMITED: s->dead++; return;
    case HF_ANSWER_UNANSWERED: s->unanswered++; return;
    case HF_ANSWER_CANCELLED: s->cancelled++; return;
    }
}

static void deliver(struct hf_kernel *k, struct hf_request *r)
{
    struct hf_answer answer = r->answer;
    struct hf_port *port = r->port;
    struct hf_buf text = {0}; /* the request may go before its answer is delivered */
    void *tag = r->tag;

    hf_out_count(r->class, answer.kind);
    r->answer = (struct hf_answer){0};
    if (HF_UNLIKELY(r->place == HF_PLACE_NAMED)) {
        answer.metadata = r->talk.answer_metadata;
        text = r->talk.answer_text;
        hf_buf_init(&r->talk.answer_text);
        hf_talk_told(k, r);
    } else {
        hf_map_remove_u64(&k->requests, r->message.id);
        hf_request_delivered(r);
    }
    port->answer(port, tag, &answer);
    hf_buf_done(&answer.body);
    hf_buf_done(&text);
    hf_blob_unref(answer.blob);
}

size_t hf_kernel_flush(struct hf_kernel *k)
{
    struct hf_list now;
    size_t n = 0;

    if (hf_list_empty(&k->ready))
        return 0;
    HF_ASSERT(k->running == NULL && !k->flushing);
    k->flushing = true;
    hf_list_init(&now);
    hf_list_splice_back(&now, &k->ready); /* what answering makes ready goes next time */
    for (struct hf_list *at; (at = hf_list_pop_front(&now)) != NULL; n++)
        deliver(k, HF_LIST_ENTRY(at, struct hf_request, going.link));
    k->flushing = false;
    return n;
}
