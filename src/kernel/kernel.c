/* kernel.c - making a kernel, stepping it, freeing it.
 *
 * A step: set the time, date what was posted, fire timers, end who is doomed, evict and let in,
 * free classes that are gone, run one segment of one process. It does the same for the same calls: nothing here depends
 * on addresses, on the order of a hash map, or on a clock of its own.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

#define PROCESSES_MAX 10000u
#define REQUESTS_MAX  100000u

enum hf_err hf_kernel_new(const struct hf_kernel_settings *s, struct hf_kernel **ret)
{
    struct hf_kernel *k = calloc(1, sizeof *k);
    if (k == NULL || (k->blobs = hf_blob_pool_new(0)) == NULL) {
        free(k);
        return HF_LIMIT;
    }
    k->s = *s;
    if (k->s.processes_max == 0)
        k->s.processes_max = PROCESSES_MAX;
    if (k->s.names_max == 0)
        k->s.names_max = k->s.processes_max;
    if (k->s.resident_max == 0)
        k->s.resident_max = k->s.processes_max;
    if (k->s.requests_max == 0)
        k->s.requests_max = REQUESTS_MAX;
    k->next_request = k->next_process = s->id_base == 0 ? 1 : s->id_base;
    hf_heap_init(&k->timers);
    hf_map_init(&k->requests, 0);
    hf_map_init(&k->names, HF_CLASSES_MAX);
    hf_map_init(&k->named_by_name, 0);
    hf_far_init(k);
    k->named_by_name.seed = s->hash_seed;
    struct hf_list *const lists[] = {&k->classes, &k->starved,       &k->gone,           &k->fresh,
                                     &k->doomed,  &k->ready,         &k->held,           &k->sealed,
                                     &k->lent,    &k->free_requests, &k->free_processes, &k->named,
                                     &k->posted,  &k->walking};
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        hf_list_init(lists[i]);
    for (size_t i = 0; i < HF_LINES; i++)
        hf_list_init(&k->lines[i].list);
    k->ran = HF_LINES;
    hf_evict_init(k);
    *ret = k;
    return HF_OK;
}

struct hf_blob_pool *hf_kernel_blobs(struct hf_kernel *k)
{
    return k->blobs;
}

/* Everything of a step but the call; who is next. */
static enum hf_line_kind prepare(struct hf_kernel *k, uint64_t now_ns)
{
    HF_ASSERT(k->running == NULL && !k->flushing);
    if (now_ns > k->now) /* a clock that steps back must not */
        k->now = now_ns;
    hf_sched_settle(k);
    if (!hf_list_empty(&k->fresh))
        hf_requests_date(k);
    const struct hf_heap_node *next = hf_heap_peek(&k->timers);
    if (next != NULL && next->at <= k->now)
        hf_timers_fire(k);
    if (!hf_list_empty(&k->doomed))
        hf_processes_end_doomed(k);
    if (HF_UNLIKELY(k->evict.due))
        hf_evict_work(k);
    if (!hf_list_empty(&k->gone))
        hf_classes_free_gone(k);
    return hf_sched_next(k);
}

enum hf_err hf_kernel_step(struct hf_kernel *k, uint64_t now_ns)
{
    enum hf_line_kind line = prepare(k, now_ns);
    if (line == HF_LINES)
        return k->evict.due ? HF_OK : HF_AGAIN;
    hf_sched_run(k, line);
    return HF_OK;
}

enum hf_next hf_kernel_look(struct hf_kernel *k, uint64_t now_ns)
{
    enum hf_line_kind line = prepare(k, now_ns);
    return line == HF_LINES ? HF_NEXT_NONE : line == HF_LINE_PROMPT ? HF_NEXT_PROMPT : HF_NEXT_LATE;
}

uint64_t hf_kernel_next_ns(const struct hf_kernel *k)
{
    for (size_t i = 0; i < HF_LINES; i++)
        if (!hf_list_empty(&k->lines[i].list))
            return 0;
    if (!hf_list_empty(&k->ready) || !hf_list_empty(&k->fresh) || !hf_list_empty(&k->doomed) ||
        !hf_list_empty(&k->gone) || k->evict.due)
        return 0;
    const struct hf_heap_node *next = hf_heap_peek(&k->timers);
    return next == NULL ? UINT64_MAX : next->at;
}

uint32_t hf_kernel_processes(const struct hf_kernel *k)
{
    return k->n_processes + hf_asleep_leaving(k);
}

bool hf_kernel_idle(const struct hf_kernel *k)
{
    return k->n_requests == 0;
}

static void void_list(struct hf_list *list)
{
    HF_LIST_FOR (n, list) {
        hf_request_void(HF_LIST_ENTRY(n, struct hf_request, in_class));
    }
}

/* Every request that has no delivered answer gets one. */
static void cancel_all(struct hf_kernel *k)
{
    HF_LIST_FOR (n, &k->classes) {
        struct hf_class *c = HF_LIST_ENTRY(n, struct hf_class, in_kernel);
        void_list(&c->queue);
        void_list(&c->claimed);
        void_list(&c->away);
        HF_LIST_FOR (m, &c->processes) {
            struct hf_request *r = HF_LIST_ENTRY(m, struct hf_process, in_class)->request;
            if (r != NULL && r->duty == HF_DUTY_OPEN)
                hf_request_void(r);
        }
    }
    hf_named_cancel_all(k);
    HF_LIST_FOR_SAFE(n, &k->held)
    {
        struct hf_effect *e = HF_LIST_ENTRY(n, struct hf_effect, link);
        struct hf_request *r = HF_CONTAINER_OF(e, struct hf_request, going);
        if (e->kind == HF_EFFECT_ANSWER && r->place != HF_PLACE_NAMED)
            hf_request_void(r);
    }
}

static void free_batches(struct hf_list *list)
{
    while (!hf_list_empty(list))
        hf_batch_free(HF_LIST_ENTRY(list->next, struct hf_batch, in_kernel));
}

void hf_kernel_free(struct hf_kernel *k)
{
    if (k == NULL)
        return;
    HF_ASSERT(k->running == NULL && !k->flushing);
    k->closing = true;
    cancel_all(k);
    hf_kernel_flush(k);
    HF_LIST_FOR (n, &k->classes) {
        struct hf_class *c = HF_LIST_ENTRY(n, struct hf_class, in_kernel);
        for (struct hf_request *r; !hf_list_empty(&c->queue);) {
            r = HF_LIST_ENTRY(c->queue.next, struct hf_request, in_class);
            hf_class_withdraw(r);
        }
        while (!hf_list_empty(&c->away))
            hf_class_withdraw(HF_LIST_ENTRY(c->away.next, struct hf_request, in_class));
        HF_LIST_FOR (m, &c->processes) {
            hf_process_doom(HF_LIST_ENTRY(m, struct hf_process, in_class), HF_DOOM_KERNEL,
                            "killed");
        }
    }
    hf_processes_end_doomed(k);
    hf_asleep_free_all(k);
    hf_named_end_all(k);
    hf_far_end(k);
    hf_kernel_flush(k);
    free_batches(&k->sealed);
    free_batches(&k->lent);
    HF_ASSERT(k->n_requests == 0 && k->n_processes == 0);
    hf_requests_free_all(k);
    hf_processes_free_all(k);
    hf_evict_done(k);
    while (!hf_list_empty(&k->classes))
        hf_class_free(HF_LIST_ENTRY(k->classes.next, struct hf_class, in_kernel));
    hf_map_done(&k->names);
    hf_map_done(&k->requests);
    hf_map_done(&k->named_by_name);
    hf_far_done(k);
    hf_heap_done(&k->timers); /* timers of others that are still in it are just not fired */
    hf_blob_pool_unref(k->blobs);
    free(k);
}
