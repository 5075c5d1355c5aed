/* node.c - the public API (include/holdfast/holdfast.h): a node's parts and its life. (services.c: what it serves.) */
#include "node/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *hf_version(void)
{
    return HF_VERSION;
}

enum hf_status hf_status_of(enum hf_err err)
{
    switch (err) {
    case HF_OK: return HF_STATUS_OK;
    case HF_INVALID:
    case HF_CORRUPT: return HF_STATUS_INVALID;
    case HF_UNSUPPORTED: return HF_STATUS_UNSUPPORTED;
    case HF_LIMIT: return HF_STATUS_LIMIT;
    case HF_IO:
    case HF_DENIED:
    case HF_NOT_FOUND: return HF_STATUS_IO;
    case HF_TIMEOUT: return HF_STATUS_TIMEOUT;
    case HF_CANCELLED: return HF_STATUS_STOPPED;
    default: return HF_STATUS_FAILED;
    }
}

enum hf_status hf_node_result(enum hf_err err, const struct hf_report *report, struct hf_words *msg)
{
    if (msg != NULL) {
        const char *text = err == HF_OK ? "" : report->text[0] != 0 ? report->text : hf_err_text(err);
        snprintf(msg->text, sizeof msg->text, "%s", text);
    }
    return hf_status_of(err);
}

static enum hf_status usage(struct hf_words *msg, const char *text)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", text);
    return HF_STATUS_USAGE;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

void hf_node_options_init(struct hf_node_options *o)
{
    memset(o, 0, sizeof *o);
    o->size = sizeof *o;
}

void hf_service_options_init(struct hf_service_options *o)
{
    memset(o, 0, sizeof *o);
    o->size = sizeof *o;
}

/* The folder for compiled code, parents made; NULL when none can be named. */
static char *default_cache(void)
{
    const char *own = getenv("HF_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = own != NULL && own[0] != 0    ? asprintf(&path, "%s/code", own)
            : xdg != NULL && xdg[0] == '/' ? asprintf(&path, "%s/holdfast/code", xdg)
            : home != NULL && home[0] == '/' ? asprintf(&path, "%s/.cache/holdfast/code", home)
                                             : -1;
    if (n < 0)
        return NULL;
    for (char *p = path + 1; *p != 0; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        mkdir(path, 0700); /* there already, or the engine says what is wrong */
        *p = '/';
    }
    return path;
}

static void say_of_kv(void *ctx, const char *text)
{
    hf_log_say(((struct hf_node *)ctx)->log, "store", "%s", text);
}

static enum hf_err open_kv(struct hf_node *node, struct hf_report *report)
{
    struct hf_kv_limits limits = {
        .value_max = (uint32_t)node->opt.keyvalue_value_max,
        .keys_max = node->opt.keyvalue_keys_max,
        .bytes_max = node->opt.keyvalue_bytes_max,
    };
    uint64_t seed = 0;
    enum hf_err err = node->os->random(node->os, &seed, sizeof seed);
    if (err != HF_OK)
        return hf_report_set(report, err, "no random bytes can be had");
    node->kv_durable = node->opt.data_dir != NULL;
    if (node->kv_durable)
        return hf_kv_sqlite_open(node->opt.data_dir, &limits, seed, (struct hf_kv_ear){say_of_kv, node}, &node->kv,
                                 report);
    err = hf_kv_memory_new(&limits, seed, &node->kv);
    return err == HF_OK ? HF_OK : hf_report_set(report, err, "out of memory");
}

enum hf_err hf_node_kv_door(struct hf_node *node, struct hf_io *io)
{
    return node->kv_durable ? hf_kv_sqlite_door(node->kv, io->wake, &io->kv) : HF_OK;
}

static enum hf_access_form access_form(const struct hf_node_options *o)
{
    bool combined = o->access == HF_ACCESS_COMBINED;
    if (o->log == HF_LOG_JSON)
        return combined ? HF_ACCESS_FORM_JSON_AGENT : HF_ACCESS_FORM_JSON;
    return combined ? HF_ACCESS_FORM_COMBINED : o->access == HF_ACCESS_COMMON ? HF_ACCESS_FORM_COMMON : HF_ACCESS_FORM_OWN;
}

static enum hf_err open_parts(struct hf_node *node, struct hf_report *report)
{
    const struct hf_node_options *o = &node->opt;
    if (!o->no_cache) {
        node->cache_dir = o->cache_dir != NULL ? strdup(o->cache_dir) : default_cache();
        if (node->cache_dir == NULL && o->cache_dir != NULL)
            return hf_report_set(report, HF_LIMIT, "out of memory");
    }
    node->guest_tool = o->guest_tool != NULL ? strdup(o->guest_tool) : NULL;
    if (node->guest_tool == NULL && o->guest_tool != NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    struct hf_log_settings ls = {.os = node->os, .fd = 2, .json = o->log == HF_LOG_JSON, .access = access_form(o), .direct = o->no_threads};
    enum hf_err err = hf_log_new(&ls, &node->log);
    if (err != HF_OK)
        return hf_report_set(report, err, "out of memory");
    err = open_kv(node, report);
    if (err == HF_OK && o->data_dir != NULL) /* which is this node's alone from here on */
        err = hf_keep_open(o->data_dir, o->components_max, o->components_bytes_max, &node->keep, report);
    if (err != HF_OK)
        return err;
    node->host_services = (struct hf_services){
        .ctx = node->log,
        .os = node->os,
        .log = hf_log_guest,
        .log_open = hf_log_source_open,
        .log_close = hf_log_source_close,
        .kv = node->kv,
    };

    struct hf_engine_settings es;
    hf_engine_settings_init(&es);
    es.os = node->os;
    es.cache_dir = node->cache_dir;
    es.instances_max = o->instances_max;
    es.no_ticker = o->no_threads;
    es.compile_threads = o->no_threads ? 1 : 0;
    err = hf_engine_new(&es, &node->engine, report);
    if (err == HF_LIMIT) /* the engine names its own setting; this is where people have it */
        hf_report_wrap(report, err, "no room for the core instances of a node (how many: instances_max in [node] of a manifest; "
                                    "how much room: `ulimit -v`)");
    if (err == HF_OK)
        err = hf_jobs_new(0, 0, &node->jobs, report);
    if (err == HF_OK)
        err = hf_wake_new(&node->wake, report);
    if (err == HF_OK)
        err = hf_host_registry(&node->registry, report);
    return err;
}

enum hf_status hf_node_open(const struct hf_node_options *o, struct hf_node **ret, struct hf_words *msg)
{
    struct hf_report report;
    hf_report_init(&report);
    *ret = NULL;
    if (o->size != sizeof *o)
        return usage(msg, "hf_node_options.size is wrong: use hf_node_options_init of this library's version");
    if (o->keyvalue_value_max > HF_KEYVALUE_VALUE_MAX)
        return usage(msg, "a key-value value may have 64 MiB at most: it must fit into one call");
    if (o->no_threads && o->workers > 1)
        return usage(msg, "hf_node_options: no_threads, and more than one worker");
    struct hf_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return usage(msg, "out of memory");
    node->opt = *o;
    node->timer_fd = -1;
    hf_list_init(&node->natives);
    node->os = hf_os_linux();
    pthread_mutex_init(&node->change_lock, NULL);
    pthread_mutex_init(&node->run_lock, NULL);
    pthread_cond_init(&node->run_changed, NULL);
    if (node->opt.drain_ns == 0)
        node->opt.drain_ns = 10000000000u;
    if (node->opt.no_threads && node->opt.workers == 0)
        node->opt.workers = 1;
    if (node->opt.workers == 0) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        node->opt.workers = n > 0 ? (uint32_t)n : 1;
    }
    if (node->opt.workers > HF_WORKERS_MAX)
        node->opt.workers = HF_WORKERS_MAX;
    hf_engine_process_init();
    if (o->manifest != NULL)
        (void)hf_manifest_read(o->manifest, &node->manifest, NULL); /* that it is right is for who gives its options */
    enum hf_err err = open_parts(node, &report);
    if (err != HF_OK) {
        hf_node_close(node);
        return hf_node_result(err, &report, msg);
    }
    *ret = node;
    return HF_STATUS_OK;
}

static void end_workers(struct hf_node *node, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hf_worker_stop(&node->workers[i]);
    for (uint32_t i = 0; i < n; i++)
        hf_worker_end(&node->workers[i]);
}

static void settle_workers(struct hf_node *node, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hf_worker_settle(&node->workers[i]);
}

static void free_workers(struct hf_node *node, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hf_worker_done(&node->workers[i]);
    free(node->workers);
    free(node->shards);
    node->workers = NULL;
    node->shards = NULL;
    node->n_workers = 0;
}

void hf_node_close(struct hf_node *node)
{
    if (node == NULL)
        return;
    uint32_t n = node->n_workers;
    hf_node_abandon(node);
    hf_door_stop(node->door);
    pthread_mutex_lock(&node->change_lock); /* a change that saw the end of the run is about to return */
    pthread_mutex_unlock(&node->change_lock);
    end_workers(node, n);
    hf_jobs_free(node->jobs);
    settle_workers(node, n);
    hf_door_free(node->door);
    free_workers(node, n);
    hf_app_unref(node->app, NULL);
    hf_natives_free(node);
    hf_keep_close(node->keep);
    hf_kv_close(node->kv);
    hf_registry_free(node->registry);
    hf_engine_free(node->engine);
    hf_wake_free(node->wake);
    hf_log_free(node->log);
    hf_manifest_free(node->manifest);
    if (node->timer_fd >= 0)
        close(node->timer_fd);
    pthread_cond_destroy(&node->run_changed);
    pthread_mutex_destroy(&node->run_lock);
    pthread_mutex_destroy(&node->change_lock);
    free(node->cache_dir);
    free(node->guest_tool);
    free(node);
}

/* ---- serving --------------------------------------------------------------------------------------------- */

/* All or none. */
static enum hf_err init_workers(struct hf_node *node, struct hf_report *report)
{
    uint32_t n = node->opt.workers;
    node->workers = calloc(n, sizeof *node->workers);
    node->shards = calloc(n, sizeof(struct hf_shards *));
    if (node->workers == NULL || node->shards == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    hf_shard_table_init(&node->shard_table, n);
    enum hf_err err = HF_OK;
    for (uint32_t i = 0; i < n; i++) {
        hf_list_init(&node->workers[i].shares);
        hf_list_init(&node->workers[i].totals);
        hf_map_init(&node->workers[i].names, 0);
    }
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        err = hf_worker_init(&node->workers[i], node, i, report);
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        err = hf_natives_make(&node->workers[i], report);
    for (uint32_t i = 0; i < n; i++)
        node->shards[i] = node->workers[i].shards;
    for (uint32_t i = 0; i < n && node->shards[i] != NULL; i++)
        hf_shards_join(node->shards[i], node->shards, n);
    if (err == HF_OK) {
        node->n_workers = n; /* last: a signal may call hf_node_stop meanwhile */
    } else {
        end_workers(node, n);
        settle_workers(node, n);
        free_workers(node, n);
    }
    return err;
}

/* With what is to be served. The caller holds change_lock: the app may not change meanwhile. */
static enum hf_err make_workers(struct hf_node *node, struct hf_report *report)
{
    struct hf_app *none = NULL;
    enum hf_err err = node->n_workers == 0 ? init_workers(node, report) : HF_OK;
    if (err == HF_OK && node->workers[0].app != NULL)
        return HF_OK;
    if (err == HF_OK && node->app == NULL && hf_app_of(node, NULL, NULL, 0, &none, NULL) != HF_STATUS_OK)
        err = hf_report_set(report, HF_LIMIT, "out of memory");
    struct hf_app *app = none != NULL || err != HF_OK ? none : hf_app_ref(node->app);
    if (err == HF_OK)
        err = hf_change_run(node, app, report);
    if (err != HF_OK)
        hf_app_unref(app, NULL);
    return err;
}

enum hf_status hf_node_listen(struct hf_node *node, const char *addr, char bound[128], struct hf_words *msg)
{
    struct hf_report report;
    struct hf_os_addr a = {0}, got = {0};
    hf_report_init(&report);
    if (strlen(addr) >= sizeof a.text || node->n_listen == HF_LISTENERS_MAX)
        return usage(msg, "too long an address, or too many");
    bool local = strncmp(addr, "localhost:", 10) == 0; /* the one name that needs no looking up */
    if (local) /* as long as "localhost:" */
        memcpy(a.text, "127.0.0.1:", 10);
    memcpy(a.text + (local ? 10 : 0), addr + (local ? 10 : 0), strlen(addr) + 1 - (local ? 10 : 0));
    pthread_mutex_lock(&node->change_lock);
    enum hf_err err = make_workers(node, &report);
    pthread_mutex_unlock(&node->change_lock);
    for (uint32_t i = 0; i < node->n_workers && err == HF_OK; i++) {
        err = hf_worker_listen(&node->workers[i], &a, &got, &report);
        a = got; /* the others share the port the first one got */
    }
    if (err == HF_INVALID) /* the address is the caller's argument, not a file's content */
        return usage(msg, report.text);
    if (err == HF_OK) {
        node->listen[node->n_listen++] = got;
        if (bound != NULL)
            memcpy(bound, got.text, sizeof got.text);
    }
    return hf_node_result(err, &report, msg);
}

enum hf_status hf_node_listen_admin(struct hf_node *node, const char *addr, char bound[128], struct hf_words *msg)
{
    struct hf_report report;
    hf_report_init(&report);
    enum hf_err err = hf_door_listen(node, addr, bound, &report);
    if (err == HF_INVALID) /* the address or the token is the caller's argument, not a file's content */
        return usage(msg, report.text);
    return hf_node_result(err, &report, msg);
}

static void sum_up_one(struct hf_node *node, const char *name)
{
    struct hf_ends all;
    struct hf_buf text = {0};
    hf_ends_init(&all, name, NULL);
    for (uint32_t i = 0; i < node->n_workers; i++) {
        const struct hf_total *t = hf_total_find(&node->workers[i], name);
        if (t != NULL)
            hf_ends_add(&all, &t->ends);
    }
    hf_ends_text(&all, &text);
    if (text.len > 0)
        hf_log_say(node->log, "end", "%s: instances that ended: %.*s", name, HF_FMT(hf_buf_view(&text)));
    hf_buf_done(&text);
}

/* What became of the instances, for whoever reads the end of the log. */
static void sum_up(struct hf_node *node)
{
    for (uint32_t i = 0; i < node->n_workers && !node->opt.quiet; i++) {
        HF_LIST_FOR(n, &node->workers[i].totals)
        {
            const char *name = HF_LIST_ENTRY(n, struct hf_total, in_worker)->name;
            bool said = false;
            for (uint32_t j = 0; j < i && !said; j++)
                said = hf_total_find(&node->workers[j], name) != NULL;
            if (!said)
                sum_up_one(node, name);
        }
    }
}

static void set_run(struct hf_node *node, enum hf_run run)
{
    pthread_mutex_lock(&node->run_lock);
    node->run = run;
    pthread_cond_broadcast(&node->run_changed);
    pthread_mutex_unlock(&node->run_lock);
}

enum hf_err hf_node_begin(struct hf_node *node, bool steps, struct hf_report *report)
{
    pthread_mutex_lock(&node->change_lock);
    enum hf_err err = make_workers(node, report);
    if (err == HF_OK) {
        node->runner = pthread_self();
        node->steps = steps;
        set_run(node, HF_RUN_RUNNING);
    }
    pthread_mutex_unlock(&node->change_lock);
    if (err != HF_OK)
        return err;
    err = hf_door_start(node->door, report);
    for (uint32_t i = 1; i < node->n_workers && err == HF_OK; i++) {
        struct hf_worker *w = &node->workers[i];
        int rc = pthread_create(&w->thread, NULL, hf_worker_run, w);
        w->has_thread = rc == 0;
        if (!w->has_thread)
            err = hf_report_set(report, HF_LIMIT, "a thread could not be started: %s", strerror(rc));
    }
    if (err == HF_OK)
        return HF_OK;
    hf_node_stop(node);
    hf_worker_run(&node->workers[0]);
    (void)hf_node_finish(node);
    return err;
}

enum hf_status hf_node_finish(struct hf_node *node)
{
    enum hf_status status = HF_STATUS_OK;
    for (uint32_t i = 0; i < node->n_workers; i++) {
        struct hf_worker *w = &node->workers[i];
        if (w->has_thread)
            pthread_join(w->thread, NULL);
        w->has_thread = false;
        if (w->status != HF_STATUS_OK)
            status = w->status;
    }
    set_run(node, HF_RUN_OVER); /* who leads a change goes home */
    hf_door_stop(node->door);
    return status;
}

enum hf_status hf_node_over(struct hf_node *node, enum hf_status status, struct hf_words *msg)
{
    sum_up(node);
    hf_log_flush(node->log); /* the caller's words come after ours */
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", status == HF_STATUS_TIMEOUT ? "stopped before everything in hand was finished" : "");
    return status;
}

enum hf_status hf_node_run(struct hf_node *node, struct hf_words *msg)
{
    struct hf_report report;
    hf_report_init(&report);
    if (hf_change_running(node))
        return usage(msg, "the node runs already (hf_node_fd and hf_node_step began it)");
    enum hf_err err = hf_node_begin(node, false, &report);
    if (err != HF_OK)
        return hf_node_result(err, &report, msg);
    hf_worker_run(&node->workers[0]);
    return hf_node_over(node, hf_node_finish(node), msg);
}

void hf_node_stop(struct hf_node *node)
{
    atomic_fetch_add(&node->stop, 1);
    hf_wake_poke(node->wake);
    for (uint32_t i = 0; i < node->n_workers; i++)
        hf_wake_poke(node->workers[i].wake);
}

/* ---- without serving ------------------------------------------------------------------------------------- */

enum hf_status hf_inspect(struct hf_node *node, const char *path, bool json, char **text, struct hf_words *msg)
{
    struct hf_report report;
    struct hf_buf bytes = {0};
    struct hf_inspection in = {0};
    hf_report_init(&report);
    *text = NULL;
    enum hf_err err = hf_file_read(path, &bytes, &report);
    if (err == HF_OK)
        err = hf_component_inspect(node->engine, node->registry, hf_buf_view(&bytes), &in, &report);
    if (err == HF_OK) {
        *text = hf_view_dup(hf_buf_view(json ? &in.json : &in.wit));
        if (*text == NULL)
            err = hf_report_set(&report, HF_LIMIT, "out of memory");
        else if (!in.runnable)
            err = hf_report_set(&report, HF_UNSUPPORTED, "it needs what is not here:\n%.*s", HF_FMT(hf_buf_view(&in.missing)));
    }
    if (err != HF_OK)
        hf_report_wrap(&report, err, "%s", path);
    hf_inspection_done(&in);
    hf_buf_done(&bytes);
    return hf_node_result(err, &report, msg);
}

static void for_invoke(void *ctx, struct hf_service_settings *s)
{
    s->invoke = true;
    s->invoke_json = *(const bool *)ctx;
    s->log_lines = s->log_bytes = UINT64_MAX; /* one call, by whoever reads it */
}

static enum hf_status invoke(struct hf_node *node, const struct hf_service_options *o, bool json, const char *name, const char *const *args,
                             size_t n_args, char **text, struct hf_words *msg)
{
    struct hf_report report;
    struct hf_service *svc = NULL;
    struct hf_buf body = {0};
    struct hf_answer a = {0};
    hf_report_init(&report);
    *text = NULL;
    enum hf_status wrong = hf_node_check_options(o, msg);
    if (wrong != HF_STATUS_OK)
        return wrong;
    bool argument = false;
    enum hf_err err = hf_node_make_service(node, o, false, for_invoke, &json, &svc, &argument, &report);
    if (argument)
        return usage(msg, report.text);
    if (err == HF_OK)
        err = hf_buf_add(&body, name, strlen(name) + 1);
    for (size_t i = 0; i < n_args && err == HF_OK; i++)
        err = hf_buf_add(&body, args[i], strlen(args[i]) + 1);
    if (err == HF_OK)
        err = hf_offline_call(node, svc, o->request_timeout_ns != 0 ? o->request_timeout_ns : 30000000000u, hf_buf_view(&body),
                              NULL, NULL, &a);
    enum hf_status status = hf_status_of(err);
    if (err == HF_OK && a.kind == HF_ANSWER_OK) {
        *text = hf_view_dup(hf_buf_view(&a.body));
        if (*text == NULL)
            status = hf_status_of(hf_report_set(&report, HF_LIMIT, "out of memory"));
    } else if (err != HF_OK) {
        hf_report_set(&report, err, "%s: %s", name, hf_err_text(err)); /* what was said before stays */
    } else {
        struct hf_view words = a.body.len > 0 ? hf_buf_view(&a.body) : hf_view_of(hf_answer_text(a.kind));
        status = a.kind == HF_ANSWER_NO_SUCH   ? HF_STATUS_USAGE
                 : a.kind == HF_ANSWER_TIMEOUT ? HF_STATUS_TIMEOUT
                 : a.kind == HF_ANSWER_LIMITED ? HF_STATUS_LIMIT
                                               : HF_STATUS_FAILED;
        hf_report_set(&report, HF_TRAP, "%s: %.*s", name, HF_FMT(words));
    }
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", report.text);
    hf_buf_done(&a.body);
    hf_blob_unref(a.blob);
    hf_buf_done(&body);
    hf_service_free(svc);
    return status;
}

enum hf_status hf_invoke(struct hf_node *node, const struct hf_service_options *o, const char *name, const char *const *args,
                         size_t n_args, char **text, struct hf_words *msg)
{
    return invoke(node, o, false, name, args, n_args, text, msg);
}

enum hf_status hf_invoke_json(struct hf_node *node, const struct hf_service_options *o, const char *name, const char *const *args,
                              size_t n_args, char **text, struct hf_words *msg)
{
    return invoke(node, o, true, name, args, n_args, text, msg);
}
