/* admin_look.c - a look at all workers: each gets a letter, takes a shot of itself between two turns and sends it back.
 *
 * One look is under way at a time, whoever asks meanwhile shares the next one: so a worker answers one letter at a time, however
 * many ask. A worker that has not answered in time is silent: the picture has what it said last. Its letter stays out, and it
 * gets no other before it has answered that one; then it gets one for the look that is under way, whose picture is to be of after
 * its begin.
 */
#include "node/admin_int.h"

#include "base/class_counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shared_picture {
    struct hf_picture picture;
    uint32_t refs;
};
struct asked { /* one task that waits for a look */
    struct hf_list link;
    struct hf_admin_task *task;
    struct shared_picture *shared; /* when it is there */
};

/* ---- on the worker's thread ---- */

static void see_instance(void *ctx, const struct hf_instance_view *i)
{
    uint64_t memory = i->behaviour == &hf_service_behaviour ? hf_service_state_memory(i->state) : 0;
    hf_shot_add_instance(ctx, i->process, i->phase, i->born_ns, i->served, memory);
    if (i->name.len > 0)
        hf_shot_name_instance(ctx, i->name);
}

static void add_stats(struct hf_shot_service *s, const struct hf_class_stats *k)
{
    s->single_use |= k->single_use;
    s->queued += k->queued;
#define ADD(count) s->count += k->count;
    HF_CLASS_COUNTS(ADD)
#undef ADD
}

/* What runs under the name now. */
static void describe(struct hf_shot_service *s, const struct hf_app_service *service)
{
    static const char *const lifecycles[] = {"reuse", "per-request", "singleton"}; /* by enum hf_instances */
    static const char *const processes[] = {[HF_KIND_HANDLER] = "handler", [HF_KIND_RUNNER] = "runner"};
    const struct hf_service_options *o = &service->options->o;
    hf_component_hash_text(hf_component_hash(service->component), s->component);
    snprintf(s->tenant, sizeof s->tenant, "%s", hf_app_service_tenant(service));
    s->lifecycle = o->kind == HF_KIND_SERVICE ? lifecycles[o->instances] : processes[o->kind];
    s->min = service->class_settings.min;
    s->max = service->class_settings.max;
    s->queue_max = service->class_settings.queue_max != 0 ? service->class_settings.queue_max : 1024;
    if (o->kind != HF_KIND_SERVICE)
        s->max = hf_share_processes_max(service);
    s->old = false;
}

static void see_share(const struct hf_share *share, struct hf_shot *shot, struct hf_shot_service *s)
{
    struct hf_class_stats stats;
    if (share->host == NULL || share->class == NULL) /* its instance is another worker's, or it is over */
        return;
    if (share->phase == HF_SHARE_SERVING)
        describe(s, share->service);
    hf_class_get_stats(share->class, &stats);
    add_stats(s, &stats);
    struct hf_view failure = hf_class_last_failure(share->class);
    if (failure.len > 0)
        snprintf(s->last_failure, sizeof s->last_failure, "%.*s", HF_FMT(failure));
    hf_class_visit(share->class, see_instance, shot);
}

static void see_total(struct hf_worker *w, const struct hf_total *t, struct hf_shot *shot)
{
    struct hf_shot_service *s = hf_shot_add_service(shot, t->name);
    if (s == NULL)
        return;
    s->old = true; /* until a share of it says that it serves */
    add_stats(s, &t->gone);
    for (size_t i = 0; i < HF_ENDS_MAX && t->ends.reasons[i].why != NULL; i++)
        hf_shot_add_end(s, t->ends.reasons[i].why, t->ends.reasons[i].n);
    HF_LIST_FOR (n, &w->shares) {
        const struct hf_share *share = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (share->total == t)
            see_share(share, shot, s);
    }
}

static void take_shot(struct hf_worker *w, struct hf_shot *shot)
{
    struct hf_gateway_stats g;
    struct hf_client_stats c;
    struct hf_shot_worker *to = &shot->worker;
    hf_shot_clear(shot);
    to->number = w->number;
    to->at_ns = w->node->os->now_ns(w->node->os);
    to->draining = w->drain_at_ns != 0;
    if (w->ended) /* its last letters are being delivered */
        return;
    hf_gateway_get_counts(w->gateway, &g);
    hf_client_get_stats(w->client, &c);
    to->processes = hf_kernel_processes(w->kernel);
    to->blobs = hf_blob_pool_live(hf_kernel_blobs(w->kernel));
    to->blob_bytes = hf_blob_pool_memory(hf_kernel_blobs(w->kernel));
    struct hf_blob_spill_stats b;
    hf_blob_spill_get_stats(hf_kernel_blobs(w->kernel), &b);
    to->blob_kept = b.memory;
    to->blob_in_file = b.in_file;
    to->blob_written = b.written;
    to->blob_read = b.read;
    to->blob_failures = b.write_failures + b.read_failures;
    to->blob_refused = b.refused;
    struct hf_evict_stats e;
    hf_kernel_evict_stats(w->kernel, &e);
    to->resident = e.resident;
    to->evicted = e.evicted;
    to->spilled_bytes = e.bytes;
    to->evictions = e.evictions;
    to->revivals = e.revivals;
    to->stays = e.refused;
    to->spill_failures = e.failed;
    to->lost = e.lost;
    to->gateway = (struct hf_shot_gateway){
        .accepted = g.accepted,
        .closed = g.closed,
        .requests = g.requests,
        .refused_heads = g.refused_heads,
        .timeouts = g.timeouts,
        .aborted = g.aborted,
        .client_gone = g.client_gone,
        .bytes_in = g.bytes_in,
        .bytes_out = g.bytes_out,
        .open = g.open,
        .busy = g.busy,
    };
    to->client = (struct hf_shot_client){
        .calls = c.calls,
        .connects = c.connects,
        .reused = c.reused,
        .retried = c.retried,
        .faults = c.faults,
        .open = c.open,
        .idle = c.idle,
        .waiting = c.waiting,
    };
    HF_LIST_FOR (n, &w->totals)
        see_total(w, HF_LIST_ENTRY(n, struct hf_total, in_worker), shot);
}

static void come_back(struct hf_letter *letter);

static void at_worker(struct hf_letter *letter)
{
    struct hf_probe *p = HF_CONTAINER_OF(letter, struct hf_probe, letter);
    take_shot(p->worker, &p->fresh);
    p->letter.deliver = come_back;
    hf_wake_post(p->door->wake, &p->letter);
}

/* ---- on the door's ---- */

static bool all_answered(const struct hf_door *door)
{
    for (uint32_t i = 0; i < door->node->n_workers; i++)
        if (!door->probes[i].answered)
            return false;
    return true;
}

static void send_out(struct hf_probe *p)
{
    p->out = true;
    p->again = false;
    p->letter.deliver = at_worker;
    hf_wake_post(p->worker->wake, &p->letter);
}

static void come_back(struct hf_letter *letter)
{
    struct hf_probe *p = HF_CONTAINER_OF(letter, struct hf_probe, letter);
    struct hf_shot swap = p->last;
    p->last = p->fresh;
    p->fresh = swap;
    p->out = false;
    if (p->again && !atomic_load(&p->door->stop)) {
        send_out(p);
        return;
    }
    p->answered = true;
    if (p->door->look_until_ns != 0 && all_answered(p->door))
        p->door->look_due = true;
}

static void start_look(struct hf_door *door)
{
    hf_list_splice_back(&door->looking, &door->next_look);
    door->look_until_ns = door->os->now_ns(door->os) + HF_LOOK_NS;
    for (uint32_t i = 0; i < door->node->n_workers; i++) {
        struct hf_probe *p = &door->probes[i];
        p->answered = false;
        p->door = door;
        p->worker = &door->node->workers[i];
        if (p->out)
            p->again = true; /* what it will say may be of before this look */
        else
            send_out(p);
    }
    door->look_due = all_answered(door); /* there are no workers */
}

_Static_assert(sizeof((struct hf_shot_service *)NULL)->component >= HF_COMPONENT_TEXT_MAX, "a component's name fits");

/* What is not of an instance but of the app: where a component came from. */
static void say_deployed(struct hf_door *door, struct hf_picture *p)
{
    struct hf_app *app = hf_node_app(door->node);
    char text[HF_COMPONENT_TEXT_MAX];
    for (size_t i = 0; app != NULL && i < app->n; i++) {
        const struct hf_app_entry *e = &app->entries[i];
        const uint8_t *hash = hf_component_hash(e->service->component);
        if (e->deployed_ms != 0 && memcmp(hash, e->file, sizeof e->file) != 0)
            hf_picture_deployed(p, hf_view_of(hf_app_service_name(e->service)), hf_component_hash_text(hash, text), e->deployed_ms);
    }
    hf_app_unref(app, &door->io);
}

static struct shared_picture *draw(struct hf_door *door)
{
    struct shared_picture *ret = calloc(1, sizeof *ret);
    enum hf_err err = ret == NULL ? HF_LIMIT : HF_OK;
    for (uint32_t i = 0; i < door->node->n_workers && err == HF_OK; i++) {
        struct hf_probe *p = &door->probes[i];
        p->last.worker.number = i;
        p->last.worker.silent = !p->answered;
        err = hf_picture_add(&ret->picture, &p->last);
    }
    if (err == HF_OK) {
        ret->picture.now_ns = door->os->now_ns(door->os);
        hf_picture_sort(&ret->picture);
        say_deployed(door, &ret->picture);
    } else if (ret != NULL) {
        hf_picture_done(&ret->picture);
        free(ret);
        ret = NULL;
    }
    return ret;
}

static void let_go(struct shared_picture *shared)
{
    if (shared == NULL || --shared->refs > 0)
        return;
    hf_picture_done(&shared->picture);
    free(shared);
}

static void end_look(struct hf_door *door)
{
    struct shared_picture *shared = hf_list_empty(&door->looking) ? NULL : draw(door);
    struct hf_list *it;
    door->look_until_ns = 0;
    door->look_due = false;
    while ((it = hf_list_pop_front(&door->looking)) != NULL) {
        struct asked *a = HF_LIST_ENTRY(it, struct asked, link);
        a->shared = shared;
        if (shared != NULL) {
            shared->refs++;
            a->task->picture = &shared->picture;
        }
        hf_door_task_done(a->task, shared != NULL ? 200 : 503, shared != NULL ? HF_STATUS_OK : HF_STATUS_LIMIT,
                          shared != NULL ? NULL : "out of memory");
    }
}

void hf_door_look_tick(struct hf_door *door, uint64_t now_ns)
{
    if (door->look_until_ns != 0 && (door->look_due || now_ns >= door->look_until_ns))
        end_look(door);
    if (door->look_until_ns == 0 && !hf_list_empty(&door->next_look))
        start_look(door);
    if (door->look_until_ns != 0 && hf_list_empty(&door->looking)) /* nobody waits for it any more */
        end_look(door);
}

void hf_door_look_begin(struct hf_door *door, struct hf_admin_task *task)
{
    struct asked *a = calloc(1, sizeof *a);
    if (a == NULL) {
        hf_door_task_done(task, 503, HF_STATUS_LIMIT, "out of memory");
        return;
    }
    a->task = task;
    task->hold = a;
    hf_list_push_back(&door->next_look, &a->link);
    if (door->look_until_ns == 0)
        start_look(door);
}

void hf_door_look_end(struct hf_door *door, struct hf_admin_task *task)
{
    struct asked *a = task->hold;
    (void)door;
    if (a == NULL)
        return;
    hf_list_remove(&a->link);
    let_go(a->shared);
    free(a);
    task->hold = NULL;
    task->picture = NULL;
}

enum hf_err hf_door_look_init(struct hf_door *door)
{
    door->probes = calloc(door->node->opt.workers, sizeof *door->probes);
    return door->probes == NULL ? HF_LIMIT : HF_OK;
}

void hf_door_look_done(struct hf_door *door)
{
    for (uint32_t i = 0; door->probes != NULL && i < door->node->opt.workers; i++) {
        hf_shot_done(&door->probes[i].fresh);
        hf_shot_done(&door->probes[i].last);
    }
    free(door->probes);
}
