/* request.c - one request from post to answer.
 *
 * Exactly one answer: hf_request_answer is the only place that makes one, it asserts that the duty
 * is open, and closes it. An answer that is made can still change before it is delivered: the
 * origin cancels (it becomes CANCELLED), or its deadline passes while its batch waits for the store
 * (it becomes TIMEOUT).
 *
 * A request just posted has no deadline before the next step, since only steps know the time: a
 * worker may have slept long before the socket woke it. Room in the timer heap is made at post, so
 * that setting the deadline cannot fail.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

#include "base/vec.h"

static void request_due(struct hf_timer *t);

const char *hf_answer_text(enum hf_answer_kind kind)
{
    static const char *const texts[] = {
#define X(name, text) text,
        HF_ANSWER_LIST(X)
#undef X
    };
    return (size_t)kind < HF_ARRAY_LEN(texts) ? texts[kind] : "?";
}

/* ---- making and freeing ---- */

static struct hf_request *request_new(struct hf_kernel *k)
{
    struct hf_list *n = hf_list_pop_front(&k->free_requests);
    if (n != NULL) {
        k->n_free_requests--;
        return HF_LIST_ENTRY(n, struct hf_request, in_class);
    }
    struct hf_request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    hf_timer_init(&r->clock);
    r->clock.fire = request_due;
    hf_list_init(&r->in_class);
    hf_list_init(&r->going.link);
    hf_talk_init(&r->talk);
    return r;
}

static void drop_message(struct hf_request *r)
{
    hf_blob_unref(r->message.blob);
    r->message.blob = NULL;
    r->message.body = (struct hf_view){0};
    hf_buf_done(&r->body);
}

void hf_request_free(struct hf_kernel *k, struct hf_request *r)
{
    hf_timer_stop(k, &r->clock);
    r->class->n_requests--;
    hf_class_less(r->class);
    k->n_requests--;
    if (k->n_free_requests < HF_KERNEL_KEEP) {
        k->n_free_requests++;
        hf_list_push_front(&k->free_requests, &r->in_class);
        return;
    }
    hf_wait_done(&r->clock.wait);
    free(r);
}

void hf_requests_free_all(struct hf_kernel *k)
{
    for (struct hf_list *n; (n = hf_list_pop_front(&k->free_requests)) != NULL;)
        free(HF_LIST_ENTRY(n, struct hf_request, in_class));
}

static void free_if_over(struct hf_request *r)
{
    if (r->place == HF_PLACE_NONE && !r->out)
        hf_request_free(r->class->kernel, r);
}

void hf_request_leave(struct hf_request *r)
{
    r->place = HF_PLACE_NONE;
    r->process = NULL;
    drop_message(r);
    if (!r->going.held) /* a held answer keeps its deadline */
        hf_timer_stop(r->class->kernel, &r->clock);
    free_if_over(r);
}

void hf_request_delivered(struct hf_request *r)
{
    r->out = false;
    free_if_over(r);
}

/* ---- posting and cancelling ---- */

/* Room for the deadlines of all that was posted since the last step. */
static enum hf_err reserve_clock(struct hf_kernel *k)
{
    struct hf_heap *heap = &k->timers;
    size_t extra = (size_t)k->n_fresh + 1;
    if (HF_LIKELY(heap->cap - heap->len >= extra))
        return HF_OK;
    void *nodes = heap->nodes;
    if (!hf_vec_grow(&nodes, &heap->cap, heap->len, extra, sizeof *heap->nodes))
        return HF_LIMIT;
    heap->nodes = nodes;
    return HF_OK;
}

struct hf_request *hf_request_new(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    if (k->n_requests >= k->s.requests_max || reserve_clock(k) != HF_OK)
        return NULL;
    struct hf_request *r = request_new(k);
    if (r == NULL)
        return NULL;
    k->n_requests++;
    c->n_requests++;
    r->class = c;
    return r;
}

static enum hf_err accept(struct hf_class *c, const struct hf_post *post, struct hf_request **ret)
{
    struct hf_kernel *k = c->kernel;
    struct hf_request *r = hf_request_new(c);
    if (r == NULL)
        return HF_LIMIT;
    enum hf_err err = hf_map_put_u64(&k->requests, k->next_request, r, NULL);
    if (err != HF_OK) {
        hf_request_free(k, r);
        return err;
    }
    r->message.id = k->next_request; /* the rest of it is empty (hf_talk) */
    r->message.body = hf_buf_view(&post->body);
    r->message.blob = post->blob;
    r->message.deadline_ns = 0;
    r->message.wants_answer = true;
    r->port = post->port;
    r->tag = post->tag;
    r->timeout_ns = post->timeout_ns != 0 ? post->timeout_ns : c->s.request_timeout_ns;
    r->duty = HF_DUTY_OPEN;
    r->out = r->consumed = false;
    *ret = r;
    return HF_OK;
}

void hf_request_set_class(struct hf_request *r, struct hf_class *c)
{
    r->class->n_requests--;
    hf_class_less(r->class);
    c->n_requests++;
    r->class = c;
}

void hf_request_fresh(struct hf_request *r)
{
    struct hf_kernel *k = r->class->kernel;
    r->class->stats.requests++;
    hf_list_push_back(&k->fresh, &r->going.link);
    k->n_fresh++;
}

enum hf_err hf_port_post(struct hf_kernel *k, struct hf_post *post, uint64_t *id)
{
    struct hf_request *r = NULL;
    struct hf_class *c = hf_class_find(k, post->target);

    if (k->closing)
        return HF_NOT_FOUND;
    if (c == NULL || c->named != NULL)
        return hf_named_post(k, post, id);
    if (c->closed)
        return HF_NOT_FOUND;
    if (HF_UNLIKELY(post->named))
        return HF_UNSUPPORTED;
    enum hf_err err = accept(c, post, &r);
    if (err == HF_OK) {
        if (c->remote != NULL)
            err = hf_remote_send(r, post);
        else if (!hf_class_place(c, r))
            err = HF_LIMIT;
        if (err != HF_OK) {
            hf_map_remove_u64(&k->requests, r->message.id);
            r->message.blob = NULL; /* still the caller's, like the body */
            hf_request_free(k, r);
        }
    }
    if (err != HF_OK) {
        c->stats.refused++;
        return err;
    }
    k->next_request++;
    r->body = post->body;
    hf_buf_init(&post->body);
    post->blob = NULL;
    hf_request_fresh(r);
    *id = r->message.id;
    return HF_OK;
}

void hf_request_not_fresh(struct hf_request *r)
{
    if (!r->out && r->talk.from == NULL && hf_list_linked(&r->going.link)) {
        hf_list_remove(&r->going.link);
        r->class->kernel->n_fresh--;
    }
}

void hf_request_change_answer(struct hf_request *r, enum hf_answer_kind kind)
{
    struct hf_kernel *k = r->class->kernel;
    r->answer.kind = kind;
    hf_buf_done(&r->answer.body);
    hf_blob_unref(r->answer.blob);
    r->answer.blob = NULL;
    r->duty = HF_DUTY_VOID;
    if (r->place == HF_PLACE_NONE)
        hf_timer_stop(k, &r->clock);
    hf_out_ready(k, r);
}

static void drop_out(struct hf_request *r, enum hf_answer_kind kind)
{
    bool begun = r->place == HF_PLACE_HAND && r->process->phase == HF_PHASE_BUSY;
    hf_request_answer(r, NULL, kind, NULL, NULL);
    if (!begun)
        hf_class_withdraw(r);
}

void hf_port_cancel(struct hf_kernel *k, uint64_t id)
{
    struct hf_request *r = hf_map_get_u64(&k->requests, id);
    if (r == NULL)
        return;
    if (r->place == HF_PLACE_NAMED) {
        if (r->port != NULL) /* requests of processes are not a port's to cancel */
            hf_pending_over(r, HF_ANSWER_CANCELLED, HF_VIEW(""));
        return;
    }
    if (r->out)
        hf_request_change_answer(r, HF_ANSWER_CANCELLED);
    else
        drop_out(r, HF_ANSWER_CANCELLED);
}

void hf_request_void(struct hf_request *r)
{
    if (!r->out)
        hf_request_answer(r, NULL, HF_ANSWER_CANCELLED, NULL, NULL);
    else if (r->going.held)
        hf_request_change_answer(r, HF_ANSWER_CANCELLED);
}

/* ---- answering ---- */

static void record_answer(struct hf_process *p, const struct hf_request *r)
{
    struct hf_batch *b = hf_out_batch(p);
    if (b == NULL)
        return;
    if (hf_batch_answer(b, r->message.id, (uint32_t)r->answer.kind, hf_buf_view(&r->answer.body)) !=
        HF_OK)
        p->turn.broken = true;
}

/* Nobody waits for the answer any more: what its process still does has a time of its own. */
static void begin_after(struct hf_request *r)
{
    const struct hf_class_settings *s = &r->class->s;
    uint64_t until;
    if (s->after_timeout_ns == 0 || s->recorded || r->message.deadline_ns == 0)
        return;
    if (__builtin_add_overflow(r->class->kernel->now, s->after_timeout_ns, &until))
        until = UINT64_MAX;
    r->message.deadline_ns = until;
    hf_request_set_clock(r);
}

void hf_request_answer(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                       struct hf_buf *body, struct hf_blob **blob)
{
    struct hf_kernel *k = r->class->kernel;
    struct hf_process *holder = r->place == HF_PLACE_HAND ? r->process : NULL;
    /* The origin's time or interest is over: nothing to wait for. */
    bool at_once = kind == HF_ANSWER_TIMEOUT || kind == HF_ANSWER_CANCELLED;

    HF_ASSERT(r->duty == HF_DUTY_OPEN && !r->out);
    hf_request_not_fresh(r);
    r->duty = at_once && p == NULL ? HF_DUTY_VOID : HF_DUTY_ANSWERED;
    r->answer = (struct hf_answer){.kind = kind};
    if (p != NULL) {
        r->answer.process = p->id;
        r->answer.served = p->served;
        r->answer.born_ns = p->born_ns;
    }
    if (body != NULL) {
        r->answer.body = *body;
        hf_buf_init(body);
    }
    if (blob != NULL) {
        r->answer.blob = *blob;
        *blob = NULL;
    }
    r->out = true;
    r->going.kind = HF_EFFECT_ANSWER;
    if (holder != NULL && r->consumed && kind != HF_ANSWER_CANCELLED)
        record_answer(holder, r);
    if (p != NULL && holder != NULL && kind == HF_ANSWER_OK)
        begin_after(r);
    if (p != NULL && holder != NULL)
        hf_list_push_back(&holder->turn.effects, &r->going.link);
    else
        hf_out_ready(k, r);
}

void hf_request_refuse(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                       struct hf_view text)
{
    struct hf_buf body = {0};
    if (hf_buf_add_view(&body, text) != HF_OK)
        hf_buf_clear(&body); /* the kind says enough */
    hf_request_answer(r, p, kind, &body, NULL);
}

/* ---- time ---- */

void hf_request_set_clock(struct hf_request *r)
{
    struct hf_class *c = r->class;
    uint64_t at = r->message.deadline_ns;
    if (at == 0) /* fresh: the next step dates it */
        return;
    if (r->place == HF_PLACE_QUEUE && c->s.queue_timeout_ns != 0) {
        uint64_t posted = at - r->timeout_ns, until;
        if (!__builtin_add_overflow(posted, c->s.queue_timeout_ns, &until) && until < at)
            at = until;
    }
    if (hf_heap_has(&r->clock.node)) {
        if (r->clock.node.at == at ||
            at <= c->kernel->now) /* the second: it rings in this very step */
            return;
    }
    enum hf_err err = hf_timer_set(c->kernel, &r->clock, at);
    HF_ASSERT(err == HF_OK); /* moved, or post made the room */
}

void hf_requests_date(struct hf_kernel *k)
{
    for (struct hf_list *n; (n = hf_list_pop_front(&k->fresh)) != NULL;) {
        struct hf_request *r = HF_LIST_ENTRY(n, struct hf_request, going.link);
        k->n_fresh--;
        if (__builtin_add_overflow(k->now, r->timeout_ns, &r->message.deadline_ns)) {
            r->message.deadline_ns = UINT64_MAX;
            r->timeout_ns = UINT64_MAX - k->now;
        }
        hf_request_set_clock(r);
    }
}

/* Its clock rang: its deadline, or the end of its wait in the queue. */
static void request_due(struct hf_timer *t)
{
    struct hf_request *r = HF_CONTAINER_OF(t, struct hf_request, clock);
    struct hf_process *p = r->process;
    bool begun = r->place == HF_PLACE_HAND && p->phase == HF_PHASE_BUSY;

    if (r->place == HF_PLACE_NAMED) {
        hf_pending_over(r, HF_ANSWER_TIMEOUT, HF_VIEW(""));
        return;
    }
    if (r->message.deadline_ns > r->class->kernel->now) {
        hf_request_refuse(r, NULL, HF_ANSWER_FULL, HF_VIEW("waited too long for a free instance"));
        hf_class_withdraw(r);
        return;
    }
    if (r->out && r->going.held)
        hf_request_change_answer(r, HF_ANSWER_TIMEOUT);
    else if (r->duty == HF_DUTY_OPEN)
        drop_out(r, HF_ANSWER_TIMEOUT);
    if (begun)
        hf_process_doom(p, HF_DOOM_TIMEOUT, "deadline");
}
