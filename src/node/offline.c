/* offline.c - an instance without a gateway: one kernel, one class, one message, on this thread.
 *
 * Used to see that a service starts (and to take the image its requests begin from), by invoke and by exec. The behaviour is
 * the service's own, wrapped so that the started process can be looked at before its message, or instead of it.
 */
#include "kernel/turn.h"
#include "node/node_int.h"

#include <stdlib.h>

#define TURNS_NS 2000000u /* look at the descriptors again after that much computing */

struct offline {
    struct hf_service_worker *worker;
    void *inner; /* the service behaviour's state */
    enum hf_err (*started)(void *ctx, void *state, struct hf_report *report);
    void *ctx;
    bool call; /* pass the message on */
    struct hf_answer *answer;
    bool answered;
    struct hf_port port;
};

static enum hf_end off_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    struct offline *o = class_ctx;
    *state = o;
    return hf_service_behaviour.start(o->worker, turn, &o->inner);
}

static enum hf_end off_turn(void *state, struct hf_turn *turn)
{
    struct offline *o = state;
    struct hf_report report;
    hf_report_init(&report);
    if (o->started != NULL && o->started(o->ctx, o->inner, &report) != HF_OK) {
        hf_turn_fail(turn, HF_ANSWER_DEAD, hf_view(report.text, report.len));
        return HF_END_FAILED;
    }
    if (o->call)
        return hf_service_behaviour.turn(o->inner, turn);
    struct hf_buf empty = {0};
    struct hf_blob *none = NULL;
    hf_turn_respond(turn, &empty, &none);
    return HF_END_DONE;
}

static enum hf_end off_resume(void *state, struct hf_turn *turn)
{
    return hf_service_behaviour.resume(((struct offline *)state)->inner, turn);
}

static void off_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    struct offline *o = state;
    if (o->inner != NULL)
        hf_service_behaviour.cancel(o->inner, turn, why);
}

static void off_stop(void *state)
{
    struct offline *o = state;
    if (o == NULL)
        return;
    hf_service_behaviour.stop(o->inner);
    o->inner = NULL;
}

static const struct hf_behaviour offline_behaviour = {
    .name = "offline", .start = off_start, .turn = off_turn, .resume = off_resume, .cancel = off_cancel, .stop = off_stop};

static void off_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct offline *o = HF_CONTAINER_OF(port, struct offline, port);
    (void)tag;
    *o->answer = *a;
    memset(&a->body, 0, sizeof a->body);
    a->blob = NULL;
    o->answered = true;
}

/* What the loop of a worker has, for this call alone. */
struct world {
    struct hf_os_poller *poller;
    struct hf_wake *wake; /* of a call: the node's, which hf_node_stop pokes; of a template, which any thread may make: its own */
    bool own_wake;
    struct hf_jobs *jobs;
    struct hf_io io;
    struct hf_os_watch bell;
    struct hf_client *client;
    struct hf_fetch_table fetch;
};

static void on_bell(struct hf_os_watch *watch, uint32_t ready)
{
    (void)watch, (void)ready; /* hf_wake_awake reads it */
}

static enum hf_err world_open(struct world *w, struct hf_node *node, bool call)
{
    struct hf_os *os = node->os;
    w->bell.on_ready = on_bell;
    w->wake = call ? node->wake : NULL;
    w->own_wake = !call;
    enum hf_err err = os->poller_new(os, &w->poller);
    if (err == HF_OK && w->own_wake)
        err = hf_wake_new(&w->wake, NULL);
    if (err == HF_OK)
        err = hf_jobs_new(0, 0, &w->jobs, NULL);
    if (err == HF_OK)
        err = os->poller_add(w->poller, hf_wake_fd(w->wake), HF_OS_IN, &w->bell);
    hf_io_init(&w->io, os, w->poller, w->wake, w->jobs);
    if (err == HF_OK)
        err = hf_node_kv_door(node, &w->io);
    if (err == HF_OK)
        err = hf_client_new(&(struct hf_client_settings){.os = os, .poller = w->poller}, &w->client, NULL);
    hf_node_fetch_table(&w->fetch, w->client);
    w->io.fetch = &w->fetch;
    return err;
}

/* After the processes: what they handed to the jobs comes home to nobody. */
static void world_close(struct world *w)
{
    hf_client_free(w->client);
    hf_kv_close(w->io.kv);
    hf_jobs_free(w->jobs);
    if (w->wake != NULL)
        hf_wake_deliver_all(w->wake);
    hf_io_collect(&w->io);
    if (w->poller != NULL)
        w->io.os->poller_free(w->poller);
    if (w->own_wake)
        hf_wake_free(w->wake);
}

/* Turns until nothing is runnable, or it is time to look at the descriptors: true then. */
static bool run_turns(struct offline *o, struct hf_kernel *k, struct hf_os *os)
{
    uint64_t now = os->now_ns(os), until = now + TURNS_NS;
    while (!o->answered && hf_kernel_step(k, now) == HF_OK) {
        hf_kernel_flush(k);
        now = os->now_ns(os);
        if (now >= until)
            return true;
    }
    hf_kernel_flush(k);
    return false;
}

/* HF_CANCELLED: a call, and hf_node_stop was called. A template is short and bounded: it is not stopped. */
static enum hf_err run_until_answered(struct offline *o, struct hf_kernel *k, struct world *w, struct hf_node *node)
{
    struct hf_os *os = w->io.os;
    while (!o->answered) {
        hf_client_begin(w->client, os->now_ns(os));
        bool more = run_turns(o, k, os);
        if (!o->answered && o->call && atomic_load(&node->stop) != 0)
            return HF_CANCELLED;
        uint64_t now = os->now_ns(os);
        if (hf_client_next_ns(w->client) <= now)
            hf_client_tick(w->client, now);
        hf_client_flush(w->client);
        uint64_t until = hf_kernel_next_ns(k), c = hf_client_next_ns(w->client);
        until = more || hf_client_busy(w->client) ? 0 : c < until ? c : until;
        if (!o->answered && (until == 0 || hf_wake_sleep(w->wake))) {
            struct hf_os_event events[16];
            size_t n = os->poller_wait(w->poller, until, events, HF_ARRAY_LEN(events));
            if (until != 0)
                hf_wake_awake(w->wake);
            hf_client_begin(w->client, os->now_ns(os));
            for (size_t i = 0; i < n; i++) {
                struct hf_os_watch *watch = events[i].tag;
                watch->on_ready(watch, events[i].ready);
            }
        }
        hf_wake_deliver_all(w->wake);
        hf_io_collect(&w->io);
    }
    return HF_OK;
}

enum hf_err hf_offline_call(struct hf_node *node, struct hf_service *svc, uint64_t timeout_ns, struct hf_view body,
                            enum hf_err (*started)(void *ctx, void *state, struct hf_report *report), void *ctx,
                            struct hf_answer *answer)
{
    struct offline o = {.started = started, .ctx = ctx, .call = body.len > 0, .answer = answer, .port = {off_answer}};
    struct hf_class_settings cs = {
        .behaviour = &offline_behaviour,
        .ctx = &o,
        .max = 1,
        .request_timeout_ns = timeout_ns,
        .start_timeout_ns = timeout_ns,
    };
    struct world world = {0};
    struct hf_kernel_settings ks = {0};
    struct hf_kernel *k = NULL;
    struct hf_class *class;
    struct hf_post post = {.target = HF_VIEW("offline"), .port = &o.port};
    uint64_t id;

    enum hf_err err = world_open(&world, node, o.call);
    if (err == HF_OK)
        err = hf_service_worker_new(svc, &world.io, &o.worker, NULL);
    if (err == HF_OK)
        err = hf_kernel_new(&ks, &k);
    if (err == HF_OK)
        err = hf_class_add(k, "offline", &cs, &class, NULL);
    if (err == HF_OK)
        err = hf_buf_add_view(&post.body, body);
    if (err == HF_OK) {
        hf_kernel_step(k, node->os->now_ns(node->os)); /* tells the kernel the time */
        err = hf_port_post(k, &post, &id);
    }
    if (err == HF_OK)
        err = run_until_answered(&o, k, &world, node);
    hf_buf_done(&post.body);
    hf_kernel_free(k);
    hf_service_worker_free(o.worker);
    world_close(&world);
    hf_log_flush(node->log); /* what the guest said comes before what is said about it */
    return err;
}
