/* inspect.c - the kernel as text, for people and for tests that compare two runs.
 *
 * Everything is walked in the order it was made or in the order it waits, never in the order of a
 * hash map, so the same history gives the same text. Text for people: where memory for it is out,
 * it is shorter.
 */
#include "kernel/blob_spill.h"
#include "kernel/named_int.h"

#include <stdarg.h>
#include <stdio.h>

static void add(struct hf_buf *ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct hf_buf *ret, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0)
        (void)!hf_buf_add(ret, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static const char *duty_text(enum hf_duty duty)
{
    static const char *const texts[] = {"none", "open", "answered", "void", "moved", "deferred"};
    return texts[duty];
}

static void add_request(struct hf_buf *ret, const char *indent, const struct hf_request *r)
{
    add(ret, "%srequest %llu: %s, deadline %llu, body %zu bytes%s", indent,
        (unsigned long long)r->message.id, duty_text(r->duty),
        (unsigned long long)r->message.deadline_ns, r->message.body.len,
        r->message.blob != NULL ? " and a blob" : "");
    if (r->out)
        add(ret, ", answer %s %s", hf_answer_text(r->answer.kind),
            r->going.held ? "waits for its batch" : "is on its way");
    add(ret, "\n");
}

static void add_requests(struct hf_buf *ret, const char *what, const struct hf_list *list)
{
    HF_LIST_FOR (n, list) {
        add(ret, "    %s: ", what);
        add_request(ret, "", HF_LIST_ENTRY(n, struct hf_request, in_class));
    }
}

static void add_process(struct hf_buf *ret, const struct hf_process *p)
{
    const struct hf_behaviour *b = p->class->s.behaviour;
    const char *doing = p->doom != HF_DOOM_NONE      ? ", doomed"
                        : hf_list_linked(&p->in_run) ? ", runnable"
                        : p->turn.set.parked         ? ", waits"
                        : p->kernel->running == p    ? ", runs"
                                                     : "";
    add(ret, "    process %llu: %s%s%s, served %llu, born %llu", (unsigned long long)p->id,
        p->spare ? "spare, " : "", hf_phase_text(p->phase), doing, (unsigned long long)p->served,
        (unsigned long long)p->born_ns);
    if (p->turn.retire != NULL)
        add(ret, ", retires: %s", p->turn.retire);
    if (b->inspect != NULL && p->state != NULL) {
        add(ret, ", ");
        b->inspect(p->state, ret);
    }
    add(ret, "\n");
    if (p->request != NULL)
        add_request(ret,
                    p->request->place == HF_PLACE_CLAIMED ? "        awaited by " : "        has ",
                    p->request);
}

static void add_class(struct hf_buf *ret, const struct hf_class *c)
{
    const struct hf_class_stats *s = &c->stats;
    add(ret, "class %s (%s)%s%s%s%s%s: %u of %u instances, %u idle, %u of %u queued\n",
        c->name->text, c->s.behaviour->name, c->closed ? ", closed" : "",
        !c->closed && c->name->class != c ? ", unnamed" : "", c->held ? ", held" : "",
        c->single_use ? ", single use" : "", c->s.recorded ? ", recorded" : "", c->n_processes,
        c->s.max, c->n_idle, c->n_queued, c->s.queue_max);
    add(ret,
        "    requests %llu, answered %llu, unanswered %llu, dead %llu, timeouts %llu, refused "
        "%llu, cancelled %llu; started %llu, "
        "start failures %llu, retired %llu, killed %llu\n",
        (unsigned long long)s->requests, (unsigned long long)s->answered,
        (unsigned long long)s->unanswered, (unsigned long long)s->dead,
        (unsigned long long)s->timeouts, (unsigned long long)s->refused,
        (unsigned long long)s->cancelled, (unsigned long long)s->started,
        (unsigned long long)s->start_failures, (unsigned long long)s->retired,
        (unsigned long long)s->killed);
    if (c->last_failure.len > 0)
        add(ret, "    last failure: %.*s\n", HF_FMT(hf_buf_view(&c->last_failure)));
    if (c->last_retire != NULL)
        add(ret, "    last asked to retire: %s\n", c->last_retire);
    HF_LIST_FOR (n, &c->processes) {
        add_process(ret, HF_LIST_ENTRY(n, struct hf_process, in_class));
    }
    add_requests(ret, "queued", &c->queue);
    add_requests(ret, "away", &c->away);
}

static size_t count(const struct hf_list *list)
{
    size_t n = 0;
    HF_LIST_FOR (at, list) {
        n++;
    }
    return n;
}

static void add_spilling(struct hf_buf *ret, const struct hf_blob_pool *pool)
{
    struct hf_blob_spill_stats s;
    hf_blob_spill_get_stats(pool, &s);
    if (s.written == 0 && s.write_failures == 0)
        return;
    add(ret, "    blobs in the file: %llu bytes, %llu in memory, %u moves under way; %llu written, %llu read",
        (unsigned long long)s.in_file, (unsigned long long)s.memory, s.moves,
        (unsigned long long)s.written, (unsigned long long)s.read);
    if (s.write_failures + s.read_failures > 0)
        add(ret, "; %llu writes and %llu reads failed (last: %.*s), %llu refused%s",
            (unsigned long long)s.write_failures, (unsigned long long)s.read_failures,
            HF_FMT(s.last_failure), (unsigned long long)s.refused,
            s.stuck ? ", it takes no more now" : "");
    add(ret, "\n");
}

void hf_kernel_inspect(const struct hf_kernel *k, struct hf_buf *ret)
{
    const struct hf_heap_node *next = hf_heap_peek(&k->timers);
    add(ret, "kernel at %llu: %u requests of %u, %u processes of %u, %zu runnable, %zu timers",
        (unsigned long long)k->now, k->n_requests, k->s.requests_max, k->n_processes,
        k->s.processes_max, hf_sched_runnable(k), k->timers.len);
    if (next != NULL)
        add(ret, " (next %llu)", (unsigned long long)next->at);
    add(ret,
        "\n    answers: %zu ready, %zu wait for batches; batches: %zu sealed, %zu with the store, "
        "%llu made, %llu acknowledged\n",
        count(&k->ready), count(&k->held), count(&k->sealed), count(&k->lent),
        (unsigned long long)k->seq, (unsigned long long)k->acked);
    add(ret, "    blobs: %zu live, %zu bytes of segments\n", hf_blob_pool_live(k->blobs),
        hf_blob_pool_memory(k->blobs));
    add_spilling(ret, k->blobs);
    if (k->evict.spill != NULL)
        add(ret, "    named: %u in memory of %u, %u evicted with %llu bytes, %u on their way\n",
            k->evict.n_resident, k->s.resident_max, k->evict.stats.evicted,
            (unsigned long long)k->evict.stats.bytes, k->evict.n_moves);
    HF_LIST_FOR (n, &k->classes) {
        add_class(ret, HF_LIST_ENTRY(n, struct hf_class, in_kernel));
    }
    HF_LIST_FOR(n, &k->named)
    {
        hf_named_describe(HF_LIST_ENTRY(n, struct hf_named, in_kernel), ret);
    }
}

/* ---- walking ---- */

struct walk {
    void (*each)(void *ctx, struct hf_blob *blob);
    void *ctx;
};

static void walk_message(const struct walk *w, const struct hf_request *r)
{
    if (r != NULL && r->message.blob != NULL)
        w->each(w->ctx, r->message.blob);
}

static void walk_effects(const struct walk *w, const struct hf_list *list)
{
    HF_LIST_FOR(n, list)
    {
        struct hf_effect *e = HF_LIST_ENTRY(n, struct hf_effect, link);
        if (e->kind > HF_EFFECT_CANCEL)
            continue;
        const struct hf_request *r = HF_CONTAINER_OF(e, struct hf_request, going);
        if (e->kind != HF_EFFECT_ANSWER) /* what is cancelled is away until that is acknowledged */
            walk_message(w, r);
        else if (r->answer.blob != NULL)
            w->each(w->ctx, r->answer.blob);
    }
}

void hf_kernel_walk_blobs(const struct hf_kernel *k, void (*each)(void *ctx, struct hf_blob *blob),
                          void *ctx)
{
    const struct walk w = {each, ctx};
    walk_effects(&w, &k->ready);
    walk_effects(&w, &k->held);
    hf_named_walk_blobs(k, each, ctx);
    HF_LIST_FOR(n, &k->classes)
    {
        const struct hf_class *c = HF_LIST_ENTRY(n, struct hf_class, in_kernel);
        HF_LIST_FOR (m, &c->queue) {
            walk_message(&w, HF_LIST_ENTRY(m, struct hf_request, in_class));
        }
        HF_LIST_FOR (m, &c->processes) {
            const struct hf_process *p = HF_LIST_ENTRY(m, struct hf_process, in_class);
            walk_message(&w, p->request); /* in hand, or claimed by its start */
            walk_effects(&w, &p->turn.effects);
        }
    }
}
