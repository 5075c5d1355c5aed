/* worker.c - one thread that serves: its poller, kernel, gateway and the loop that carries data
 * between them.
 *
 * A loop turn: wait for events (or the next deadline), let the gateway read, run turns of the
 * kernel for a bounded time (at most one that may be long), let effects whose batches are
 * acknowledged leave, let the client (outgoing requests) and the gateway write. Nothing here is
 * shared with other workers but the node's read-only parts; letters between workers come through
 * os/wake.h.
 */
#include "node/node_int.h"

#include <stdlib.h>

#define EVENTS_MAX 256
#define TURNS_NS   2000000u /* look at the sockets again after that much computing */
#define ACCESS_MAX 32768u
/* Named processes: all of them; those that have come to be made or are in memory, so that a burst
 * of messages to evicted ones finds its places; bytes of the file for the others. */
#define NAMES_MAX     1000000u
#define PROCESSES_MAX 100000u
#define SPILL_MAX     (UINT64_C(4) << 30)
/* Bytes of blobs in memory, of one of them, and in the file. */
#define BLOB_MEMORY_MAX   (UINT64_C(256) << 20)
#define BLOB_RESIDENT_MAX (UINT64_C(8) << 20)
#define BLOB_FILE_MAX     (UINT64_C(16) << 30)

static void on_wake(struct hf_os_watch *watch, uint32_t ready)
{
    (void)watch, (void)ready; /* hf_wake_awake reads it */
}

static void on_access(void *ctx, const struct hf_access *a)
{
    struct hf_worker *w = ctx;
    struct hf_access timed = *a;
    timed.end_ns =
        w->node->os->now_ns(w->node->os); /* the gateway's time is that of the loop turn */
    hf_meter_note(&w->meter, a->service,
                  &(struct hf_meter_note){.status = a->status,
                                          .ns = timed.end_ns - a->start_ns,
                                          .bytes_in = a->bytes_in,
                                          .bytes_out = a->bytes_out});
    if (w->node->opt.quiet)
        return;
    hf_log_access(w->node->log, &w->clock, &w->access, &timed);
    if (w->access.len > ACCESS_MAX)
        hf_log_write(w->node->log, &w->access);
}

static void on_spill_trouble(void *worker, const char *text)
{
    const struct hf_worker *w = worker;
    hf_log_say(w->node->log, "warning",
               "the spill file, where idle processes are put: %s; they stay in memory", text);
}

static void on_blob_trouble(void *worker, const char *text)
{
    const struct hf_worker *w = worker;
    hf_log_say(w->node->log, "warning",
               "the file for bytes of blobs: %s; they stay in memory, and blobs that keep more there are refused "
               "past blob_memory_max",
               text);
}

/* Where what may be gone with the process has its place. */
static const char *spill_folder(const struct hf_node *node)
{
    const char *tmp = getenv("TMPDIR");
    if (node->opt.data_dir != NULL)
        return node->opt.data_dir;
    return tmp != NULL && tmp[0] == '/' ? tmp : "/tmp";
}

static uint64_t or_else(uint64_t set, uint64_t otherwise)
{
    return set != 0 ? set : otherwise;
}

static enum hf_err make_spill(struct hf_worker *w)
{
    struct hf_node *node = w->node;
    struct hf_spill_settings s = {
        .folder = spill_folder(node),
        .max = hf_node_part(node, or_else(node->opt.spill_max, SPILL_MAX)),
        .max_key = "spill_max",
        .jobs = node->jobs,
        .home = w->wake,
        .trouble = on_spill_trouble,
        .ctx = w,
    };
    enum hf_err err = hf_spill_file_new(&s, &w->spill);
    if (err == HF_OK)
        hf_kernel_spill_to(w->kernel, &hf_spill_file_ops, w->spill);
    return err;
}

static enum hf_err make_blob_file(struct hf_worker *w)
{
    struct hf_node *node = w->node;
    const struct hf_node_options *o = &node->opt;
    struct hf_spill_settings s = {
        .folder = spill_folder(node),
        .max = hf_node_part(node, or_else(o->blob_file_max, BLOB_FILE_MAX)),
        .max_key = "blob_file_max",
        .jobs = node->jobs,
        .home = w->wake,
        .trouble = on_blob_trouble,
        .ctx = w,
    };
    enum hf_err err = hf_spill_file_new(&s, &w->blob_file);
    if (err != HF_OK)
        return err;
    const struct hf_blob_spill_settings bs = {
        .ops = &hf_spill_file_ops,
        .ctx = w->blob_file,
        .memory_max = hf_node_part(node, or_else(o->blob_memory_max, BLOB_MEMORY_MAX)),
        .blob_max = or_else(o->blob_resident_max, BLOB_RESIDENT_MAX),
    };
    return hf_blob_pool_spill_to(hf_kernel_blobs(w->kernel), &bs);
}

/* Components have up to a dozen core instances. */
static uint32_t resident_of(uint32_t instances_max)
{
    uint32_t n = (instances_max != 0 ? instances_max : 1000) / 16;
    return n == 0 ? 1 : n;
}

enum hf_err hf_worker_init(struct hf_worker *w, struct hf_node *node, uint32_t number,
                           struct hf_report *report)
{
    struct hf_os *os = node->os;
    w->node = node;
    w->number = number;
    w->wake_watch.on_ready = on_wake;
    hf_meter_init(&w->meter);
    hf_desk_init(&w->desk, w);

    struct hf_kernel_settings ks = {
        .id_base = (uint64_t)number << 48,
        .processes_max = PROCESSES_MAX,
        .names_max = (uint32_t)hf_node_part(node, node->opt.names_max != 0 ? node->opt.names_max
                                                                           : NAMES_MAX),
        .resident_max = (uint32_t)hf_node_part(node, node->opt.resident_max != 0
                                                         ? node->opt.resident_max
                                                         : resident_of(node->opt.instances_max)),
    };
    enum hf_err err = os->random(os, &ks.hash_seed, sizeof ks.hash_seed);
    if (err == HF_OK)
        err = hf_kernel_new(&ks, &w->kernel);
    if (err == HF_OK)
        err = hf_store_open("memory:", &w->store, report);
    if (err == HF_OK)
        err = os->poller_new(os, &w->poller);
    if (err == HF_OK)
        err = hf_wake_new(&w->wake, report);
    hf_io_init(&w->io, os, w->poller, w->wake, node->jobs);
    if (err == HF_OK)
        err = hf_node_kv_door(node, &w->io);
    if (err == HF_OK)
        err = make_spill(w);
    if (err == HF_OK)
        err = make_blob_file(w);
    if (err == HF_OK)
        err = os->poller_add(w->poller, hf_wake_fd(w->wake), HF_OS_IN, &w->wake_watch);
    if (err != HF_OK)
        return hf_report_set(report, err, "a worker could not be made: %s", hf_err_text(err));
    if (node->opt.workers > 1) /* before anything is made in the kernel */
        err = hf_shards_new(w->kernel, w->wake, HF_BODY_WINDOW, number, &node->shard_table,
                            &w->shards);
    if (err != HF_OK)
        return hf_report_set(report, err, "out of memory");
    hf_kernel_step(w->kernel, os->now_ns(os)); /* tells it the time */
    struct hf_client_settings cs = {
        .os = os,
        .poller = w->poller,
        .blobs = hf_kernel_blobs(w->kernel),
        .host_max = node->opt.outbound_max,
        .body_window = HF_BODY_WINDOW,
    };
    err = hf_client_new(&cs, &w->client, report);
    if (err != HF_OK)
        return err;
    hf_node_fetch_table(&w->fetch, w->client);
    w->io.fetch = &w->fetch;

    err = hf_between_new(w->kernel, w->wake, HF_BODY_WINDOW, &w->between);
    if (err != HF_OK)
        return hf_report_set(report, err, "out of memory");
    struct hf_gateway_settings gs = {
        .os = os,
        .poller = w->poller,
        .kernel = w->kernel,
        .access = on_access,
        .access_ctx = w,
        .access_unnamed = node->opt.quiet,
        .connections_max = node->opt.connections_max,
        .head_max = (uint32_t)node->opt.head_max,
        .body_max = node->opt.body_max,
        .head_timeout_ns = node->opt.head_timeout_ns,
        .idle_timeout_ns = node->opt.idle_timeout_ns,
        .body_timeout_ns = node->opt.body_timeout_ns,
        .body_window = HF_BODY_WINDOW,
        .debug_header = node->opt.debug,
        .trace = !node->opt.no_trace,
        .agents = node->opt.access == HF_ACCESS_COMBINED,
    };
    return hf_gateway_new(&gs, &w->gateway, report);
}

void hf_worker_stop(struct hf_worker *w)
{
    hf_between_stop(w->between);
    hf_shards_stop(w->shards);
}

void hf_worker_end(struct hf_worker *w)
{
    w->ended = true;
    hf_desk_close(&w->desk);
    hf_gateway_free(w->gateway);
    if (w->kernel != NULL)
        hf_blob_pool_spill_end(hf_kernel_blobs(w->kernel));
    hf_kernel_free(w->kernel);
    hf_client_free(w->client); /* after the guests that wait for it */
    w->client = NULL;
    hf_change_forget(w);
    hf_shares_done(w);
    hf_kv_close(w->io.kv); /* what they left under way comes home with the last letters */
    w->io.kv = NULL;
}

void hf_worker_settle(struct hf_worker *w)
{
    if (w->wake != NULL)
        hf_wake_deliver_all(w->wake);
}

void hf_worker_done(struct hf_worker *w)
{
    hf_between_free(w->between);
    hf_shards_free(w->shards);
    hf_spill_file_free(w->spill);
    hf_spill_file_free(w->blob_file);
    if (w->io.os != NULL)
        hf_io_collect(&w->io);
    hf_store_close(w->store);
    if (w->poller != NULL)
        w->node->os->poller_free(w->poller);
    hf_wake_free(w->wake);
    hf_buf_done(&w->access);
    hf_meter_done(&w->meter);
    memset(w, 0, sizeof *w);
}

enum hf_err hf_worker_listen(struct hf_worker *w, const struct hf_os_addr *addr,
                             struct hf_os_addr *bound, struct hf_report *report)
{
    return hf_gateway_listen(w->gateway, addr, w->node->n_workers > 1, bound, report);
}

/* Turns until nothing is runnable or it is time to look at the sockets. True: there is more. A turn
 * that may take long comes first after a look at the sockets or not at all: so nothing that is done
 * waits for it, nor what just came. */
static bool run_turns(struct hf_worker *w, uint64_t now)
{
    struct hf_os *os = w->node->os;
    uint64_t until = now + TURNS_NS;
    bool ran = false;
    enum hf_next next;
    while ((next = hf_kernel_look(w->kernel, now)) != HF_NEXT_NONE) {
        if (ran && (next == HF_NEXT_LATE || now >= until))
            break;
        hf_kernel_step(w->kernel, now);
        ran = true;
        now = os->now_ns(os);
    }
    hf_store_commit(w->store, w->kernel);
    hf_kernel_flush(w->kernel);
    return next != HF_NEXT_NONE;
}

/* False: time to end. */
static bool serving(struct hf_worker *w, uint64_t now)
{
    struct hf_node *node = w->node;
    uint32_t stop = atomic_load(&node->stop);
    if (stop == 0)
        return true;
    if (w->drain_at_ns == 0) {
        w->drain_at_ns = now + node->opt.drain_ns;
        hf_gateway_drain(w->gateway);
    }
    struct hf_gateway_stats gs;
    hf_gateway_get_stats(w->gateway, &gs);
    bool idle = gs.open == 0 && hf_kernel_idle(w->kernel) && hf_between_idle(w->between) &&
                hf_desk_idle(&w->desk) && (w->shards == NULL || hf_shards_idle(w->shards));
    if (idle && !w->at_rest) { /* nothing can come to it any more but from other workers: it serves
                                  them to the end */
        w->at_rest = true;
        if (atomic_fetch_add(&node->at_rest, 1) + 1 == node->n_workers)
            for (uint32_t i = 0; i < node->n_workers; i++)
                hf_wake_poke(node->workers[i].wake);
    }
    if (idle && !w->closed && atomic_load(&node->at_rest) == node->n_workers) {
        w->closed = true;
        hf_shares_close(w);
        hf_natives_close(w);
        return true;
    }
    if (w->closed && hf_kernel_processes(w->kernel) == 0)
        return false;
    if (stop > 1 || now >= w->drain_at_ns) {
        if (!idle)
            w->status = HF_STATUS_TIMEOUT;
        return false;
    }
    return true;
}

static uint64_t sleep_until(struct hf_worker *w)
{
    uint64_t until = hf_kernel_next_ns(w->kernel), g = hf_gateway_next_ns(w->gateway),
             c = hf_client_next_ns(w->client);
    uint64_t change = hf_change_next_ns(w);
    if (hf_gateway_busy(w->gateway) || hf_client_busy(w->client) || hf_between_busy(w->between) ||
        hf_desk_busy(&w->desk) || (w->shards != NULL && hf_shards_busy(w->shards)))
        return 0;
    if (g < until)
        until = g;
    if (c < until)
        until = c;
    if (change < until)
        until = change;
    if (w->drain_at_ns != 0 && w->drain_at_ns < until)
        until = w->drain_at_ns;
    return until;
}

/* Looks at the poller, waiting there until `until`; hf_wake_sleep said true, unless that is 0. */
static void look(struct hf_worker *w, uint64_t until)
{
    struct hf_os *os = w->node->os;
    struct hf_os_event events[EVENTS_MAX];
    size_t n = os->poller_wait(w->poller, until, events, EVENTS_MAX);
    if (until != 0 || w->rests)
        hf_wake_awake(w->wake);
    w->rests = false;
    uint64_t now = os->now_ns(os);
    hf_gateway_begin(w->gateway, now);
    hf_client_begin(w->client, now);
    for (size_t i = 0; i < n; i++) {
        struct hf_os_watch *watch = events[i].tag;
        watch->on_ready(watch, events[i].ready);
    }
}

bool hf_worker_turn(struct hf_worker *w, uint64_t wait_until)
{
    struct hf_os *os = w->node->os;
    atomic_store_explicit(&w->turning, pthread_self(), memory_order_relaxed);
    uint64_t until = w->idle && wait_until != 0 ? sleep_until(w) : 0;
    if (wait_until < until)
        until = wait_until;
    if (until == 0 || w->rests || hf_wake_sleep(w->wake)) {
        if (until != 0 && w->access.len > 0)
            hf_log_write(w->node->log, &w->access);
        look(w, until);
    }
    hf_wake_deliver_all(w->wake);
    uint64_t now = os->now_ns(os);
    bool more = run_turns(w, now);
    hf_between_flush(w->between);
    hf_desk_flush(&w->desk);
    if (w->shards != NULL)
        hf_shards_flush(w->shards);
    hf_client_flush(w->client);
    hf_gateway_flush(w->gateway);
    now = os->now_ns(os);
    hf_gateway_tick(w->gateway, now);
    if (hf_client_next_ns(w->client) <= now)
        hf_client_tick(w->client, now);
    hf_io_collect(&w->io);
    hf_change_look(w);
    bool closed = w->closed;
    atomic_store_explicit(&w->turning, 0, memory_order_relaxed);
    if (!serving(w, now)) {
        hf_log_write(w->node->log, &w->access);
        return false;
    }
    w->idle = !more && w->closed == closed; /* closed now: its instances leave */
    return true;
}

uint64_t hf_worker_rest(struct hf_worker *w)
{
    uint64_t until = w->idle ? sleep_until(w) : 0;
    if (until == 0 || w->rests)
        return until;
    if (w->access.len > 0)
        hf_log_write(w->node->log, &w->access);
    w->rests = hf_wake_sleep(w->wake);
    return w->rests ? until : 0;
}

void *hf_worker_run(void *worker)
{
    struct hf_worker *w = worker;
    while (hf_worker_turn(w, UINT64_MAX))
        ;
    return NULL;
}
