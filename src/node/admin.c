/* admin.c - the admin door: a thread that serves the console on its own listeners, from before the workers start to after they
 * have ended (admin_int.h).
 *
 * Its two ways in differ in who is let through: at the Unix socket the file's mode decides, at HOST:PORT the token. Each has a
 * gateway and limits of its own, so that whoever floods one does not lock out the other.
 */
#include "node/admin_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX     64
#define TURNS_NS       5000000u
#define TOKEN_MIN      16u
#define CONNECTIONS    128u
#define FAREWELL_NS    1000000000u   /* for what is in hand when the node ends */
#define HOUR_NS        3600000000000u
#define SECOND_NS      1000000000u
#define UPLOAD_MAX     (256u << 20)

static const char *const class_names[HF_WAYS] = {"admin unix", "admin tcp"};

static void on_wake(struct hf_os_watch *watch, uint32_t ready)
{
    (void)watch, (void)ready; /* hf_wake_awake reads it */
}

/* On any thread that logs. */
static void on_news(void *ctx)
{
    struct hf_door *door = ctx;
    if (!atomic_exchange(&door->rung, true))
        hf_wake_poke(door->wake);
}

static enum hf_err make_parts(struct hf_door *door, struct hf_report *report)
{
    struct hf_os *os = door->os;
    struct hf_kernel_settings ks = {.processes_max = 2 * CONNECTIONS, .requests_max = 4 * CONNECTIONS};
    struct hf_admin_settings as = {.ops = &door->ops, .upload_max = UPLOAD_MAX};
    enum hf_err err = hf_kernel_new(&ks, &door->kernel);
    if (err == HF_OK)
        err = os->poller_new(os, &door->poller);
    if (err == HF_OK)
        err = hf_wake_new(&door->wake, report);
    if (err == HF_OK)
        hf_courier_init(&door->courier, door->node, door->wake);
    if (err == HF_OK)
        err = hf_jobs_new(1, 0, &door->jobs, report);
    if (err == HF_OK)
        hf_io_init(&door->io, os, door->poller, door->wake, door->jobs);
    if (err == HF_OK)
        err = hf_node_kv_door(door->node, &door->io);
    if (err == HF_OK)
        err = os->poller_add(door->poller, hf_wake_fd(door->wake), HF_OS_IN, &door->wake_watch);
    if (err == HF_OK)
        err = hf_log_ring_new(0, 0, &door->ring);
    if (err == HF_OK)
        err = hf_admin_new(&as, &door->admin);
    if (err == HF_OK)
        err = hf_door_look_init(door);
    if (err != HF_OK)
        return hf_report_set(report, err, "the admin door could not be made: %s", hf_err_text(err));
    hf_kernel_step(door->kernel, os->now_ns(os)); /* tells it the time */
    hf_log_ring_set_bell(door->ring, on_news, door);
    hf_log_set_ring(door->node->log, door->ring);
    hf_door_ops_init(door);
    return HF_OK;
}

static enum hf_err make_door(struct hf_node *node, struct hf_report *report)
{
    struct hf_door *door = calloc(1, sizeof *door);
    if (door == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    door->node = node;
    door->os = node->os;
    door->wake_watch.on_ready = on_wake;
    door->opened_ns = node->os->now_ns(node->os);
    door->opened_wall_ns = node->os->wall_ns(node->os);
    hf_list_init(&door->looking);
    hf_list_init(&door->next_look);
    enum hf_err err = make_parts(door, report);
    if (err != HF_OK) {
        hf_door_stop(door);
        hf_door_free(door);
        return err;
    }
    node->door = door;
    return HF_OK;
}

static enum hf_err make_way(struct hf_door *door, int which, struct hf_report *report)
{
    struct hf_door_way *way = &door->ways[which];
    const char *name = class_names[which];
    struct hf_class *class;
    if (way->gateway != NULL)
        return HF_OK;
    way->entry = (struct hf_admin_entry){
        .admin = door->admin,
        .token = which == HF_WAY_TCP ? door->node->opt.admin_token : NULL,
        .check_host = which == HF_WAY_TCP,
    };
    struct hf_class_settings cs = {
        .behaviour = &hf_admin_behaviour,
        .ctx = &way->entry,
        .max = CONNECTIONS,
        .queue_max = CONNECTIONS,
        .request_timeout_ns = HOUR_NS,  /* a change may compile for long */
        .after_timeout_ns = UINT64_MAX, /* and the log is followed for days */
    };
    enum hf_err err = hf_class_add(door->kernel, name, &cs, &class, report);
    if (err == HF_OK)
        err = hf_route_table_new(&way->routes);
    if (err == HF_OK)
        err = hf_route_add(way->routes, HF_VIEW(""), HF_VIEW("/"), HF_VIEW(""), &(struct hf_route_target){.service = hf_view_of(name)}, report);
    struct hf_gateway_settings gs = {
        .os = door->os,
        .poller = door->poller,
        .kernel = door->kernel,
        .routes = way->routes,
        .connections_max = CONNECTIONS,
        .body_max = UPLOAD_MAX,
        .pipeline_max = 4,
        .eof_is_gone = true,
        .head_timeout_ns = 5ull * SECOND_NS,
        .idle_timeout_ns = 15ull * SECOND_NS,
        .body_timeout_ns = 20ull * SECOND_NS,
        .write_timeout_ns = 600ull * SECOND_NS,
        .body_window = 1u << 20,
    };
    if (err == HF_OK)
        err = hf_gateway_new(&gs, &way->gateway, report);
    return err == HF_OK ? HF_OK : hf_report_set(report, err, "the admin door could not be made: %s", hf_err_text(err));
}

/* What is wrong with an address or with the token it needs. */
static enum hf_err check(const struct hf_node *node, const struct hf_os_addr *addr, bool is_unix, struct hf_report *report)
{
    const char *token = node->opt.admin_token;
    if (is_unix)
        return HF_OK;
    if (!hf_admin_host_is_loopback(hf_view_of(addr->text)))
        return hf_report_set(report, HF_INVALID,
                             "the admin door listens on loopback addresses only, not on %s: use unix:PATH or 127.0.0.1:PORT "
                             "(and a tunnel, to reach it from elsewhere)",
                             addr->text);
    if (token == NULL || token[0] == 0)
        return hf_report_set(report, HF_INVALID,
                             "an admin door on %s needs a token (HF_ADMIN_TOKEN, or the manifest's admin token): every user of this "
                             "machine can reach it. unix:PATH needs none",
                             addr->text);
    if (strlen(token) < TOKEN_MIN)
        return hf_report_set(report, HF_INVALID, "the admin token has %zu bytes, it needs %u at least: openssl rand -hex 16 makes one",
                             strlen(token), TOKEN_MIN);
    return HF_OK;
}

enum hf_err hf_door_listen(struct hf_node *node, const char *text, char bound[128], struct hf_report *report)
{
    struct hf_os_addr addr = {0}, got = {0};
    bool is_unix = strncmp(text, "unix:", 5) == 0, local = strncmp(text, "localhost:", 10) == 0;
    int n = snprintf(addr.text, sizeof addr.text, "%s%s", local ? "127.0.0.1:" : "", text + (local ? 10 : 0));
    if (n < 0 || (size_t)n >= sizeof addr.text)
        return hf_report_set(report, HF_INVALID, "the admin door's address is too long: %s", text);
    enum hf_err err = check(node, &addr, is_unix, report);
    if (err == HF_OK && node->door == NULL)
        err = make_door(node, report);
    int which = is_unix ? HF_WAY_UNIX : HF_WAY_TCP;
    if (err == HF_OK)
        err = make_way(node->door, which, report);
    if (err == HF_OK)
        err = hf_gateway_listen(node->door->ways[which].gateway, &addr, false, &got, report);
    if (err == HF_OK && bound != NULL)
        memcpy(bound, is_unix ? addr.text : got.text, sizeof got.text);
    return err;
}

/* ---- the loop ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t sleep_until(struct hf_door *door)
{
    uint64_t until = hf_kernel_next_ns(door->kernel);
    for (int i = 0; i < HF_WAYS; i++) {
        struct hf_gateway *gw = door->ways[i].gateway;
        if (gw != NULL)
            until = hf_gateway_busy(gw) ? 0 : least(until, hf_gateway_next_ns(gw));
    }
    if (door->look_due || atomic_load(&door->rung) || hf_courier_busy(&door->courier))
        return 0;
    if (door->look_until_ns != 0)
        until = least(until, door->look_until_ns);
    if (door->stop_at_ns != 0)
        until = least(until, door->stop_at_ns);
    return until;
}

static void wait_for_events(struct hf_door *door, uint64_t until)
{
    struct hf_os *os = door->os;
    struct hf_os_event events[EVENTS_MAX];
    if (until != 0 && !hf_wake_sleep(door->wake))
        return;
    size_t n = os->poller_wait(door->poller, until, events, EVENTS_MAX);
    if (until != 0)
        hf_wake_awake(door->wake);
    uint64_t now = os->now_ns(os);
    for (int i = 0; i < HF_WAYS; i++)
        if (door->ways[i].gateway != NULL)
            hf_gateway_begin(door->ways[i].gateway, now);
    for (size_t i = 0; i < n; i++) {
        struct hf_os_watch *watch = events[i].tag;
        watch->on_ready(watch, events[i].ready);
    }
}

static void run_turns(struct hf_door *door)
{
    struct hf_os *os = door->os;
    uint64_t now = os->now_ns(os), until = now + TURNS_NS;
    hf_door_look_tick(door, now);
    while (hf_kernel_step(door->kernel, now) == HF_OK && now < until)
        now = os->now_ns(os);
    hf_courier_flush(&door->courier);
    hf_kernel_flush(door->kernel);
    for (int i = 0; i < HF_WAYS; i++)
        if (door->ways[i].gateway != NULL) {
            hf_gateway_flush(door->ways[i].gateway);
            hf_gateway_tick(door->ways[i].gateway, now);
        }
}

/* False: time to end. */
static bool serving(struct hf_door *door)
{
    uint64_t now = door->os->now_ns(door->os);
    uint32_t open = 0;
    if (!atomic_load(&door->stop))
        return true;
    if (door->stop_at_ns == 0) {
        door->stop_at_ns = now + FAREWELL_NS;
        hf_admin_close(door->admin);
        for (int i = 0; i < HF_WAYS; i++)
            if (door->ways[i].gateway != NULL)
                hf_gateway_drain(door->ways[i].gateway);
        return true;
    }
    for (int i = 0; i < HF_WAYS; i++)
        if (door->ways[i].gateway != NULL) {
            struct hf_gateway_stats gs;
            hf_gateway_get_counts(door->ways[i].gateway, &gs);
            open += gs.open;
        }
    return (open > 0 || !hf_kernel_idle(door->kernel)) && now < door->stop_at_ns;
}

static void *door_run(void *ctx)
{
    struct hf_door *door = ctx;
    do {
        wait_for_events(door, sleep_until(door));
        hf_wake_deliver_all(door->wake);
        if (atomic_exchange(&door->rung, false))
            hf_admin_news(door->admin);
        run_turns(door);
        hf_io_collect(&door->io);
    } while (serving(door));
    return NULL;
}

/* ---- its life ---- */

enum hf_err hf_door_start(struct hf_door *door, struct hf_report *report)
{
    if (door == NULL || door->has_thread)
        return HF_OK;
    door->has_thread = pthread_create(&door->thread, NULL, door_run, door) == 0;
    return door->has_thread ? HF_OK : hf_report_set(report, HF_LIMIT, "a thread could not be started: %s", strerror(errno));
}

void hf_door_stop(struct hf_door *door)
{
    if (door == NULL)
        return;
    if (door->has_thread) {
        atomic_store(&door->stop, true);
        hf_wake_poke(door->wake);
        pthread_join(door->thread, NULL);
        door->has_thread = false;
    }
    hf_log_set_ring(door->node->log, NULL);
    for (int i = 0; i < HF_WAYS; i++) {
        hf_gateway_free(door->ways[i].gateway);
        door->ways[i].gateway = NULL;
    }
    hf_courier_stop(&door->courier);
    hf_kernel_free(door->kernel);
    door->kernel = NULL;
    hf_jobs_free(door->jobs); /* waits for the change that runs */
    door->jobs = NULL;
    hf_kv_close(door->io.kv);
    door->io.kv = NULL;
}

void hf_door_free(struct hf_door *door)
{
    if (door == NULL)
        return;
    if (door->wake != NULL)
        hf_wake_deliver_all(door->wake);
    hf_courier_free(&door->courier);
    hf_door_look_done(door);
    hf_admin_free(door->admin);
    for (int i = 0; i < HF_WAYS; i++)
        hf_route_table_free(door->ways[i].routes);
    if (door->io.os != NULL)
        hf_io_collect(&door->io);
    if (door->poller != NULL)
        door->os->poller_free(door->poller);
    hf_wake_free(door->wake);
    hf_log_ring_free(door->ring);
    door->node->door = NULL;
    free(door);
}
