/* services.c - the public API for what is served: services added, replaced as a whole, deployed one by one, put back. */
#include "node/node_int.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one service, in no table ---------------------------------------------------------------------------- */

/* The engine counts time in ticks of a millisecond; 0 = its own slice. */
static uint32_t slice_ticks(uint64_t ns)
{
    uint64_t ticks = (ns + 999999) / 1000000;
    return ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

enum hf_err hf_node_service_of(struct hf_node *node, const struct hf_service_options *o, struct hf_component *component,
                               void (*change)(void *ctx, struct hf_service_settings *s), void *ctx, struct hf_service **ret,
                               bool *argument, struct hf_report *report)
{
    struct hf_service_settings s = {
        .name = o->name != NULL ? o->name : "",
        .component = component,
        .services = &node->host_services,
        .process = o->kind == HF_KIND_HANDLER  ? HF_PROCESS_HANDLE
                   : o->kind == HF_KIND_RUNNER ? HF_PROCESS_RUN
                                               : HF_PROCESS_NONE,
        .lifecycle = o->instances == HF_INSTANCES_PER_REQUEST ? HF_LIFE_PER_REQUEST : HF_LIFE_REUSE,
        .env = o->env,
        .args = o->args,
        .memory_max = o->memory_max,
        .handles_max = o->handles_max,
        .slice_ticks = slice_ticks(o->slice_ns),
        .net = o->net,
        .body_window = HF_BODY_WINDOW,
        .keyvalue = o->keyvalue,
        .tenant = o->tenant,
        .config = o->config,
        .dirs = o->dirs,
        .files_max = o->files_max,
        .outbound = o->outbound,
        .tls_ca = o->tls_ca,
        .trace_off = node->opt.no_trace || o->no_trace,
        .log_lines = o->log_lines_max,
        .log_bytes = o->log_bytes_max,
    };
    if (change != NULL)
        change(ctx, &s);
    enum hf_err err = hf_service_new(&s, ret, report);
    *argument = err == HF_INVALID;
    if (err != HF_OK && !*argument)
        hf_report_wrap(report, err, "%s", o->path);
    return err;
}

enum hf_err hf_node_make_service(struct hf_node *node, const struct hf_service_options *o,
                                 bool adapt, void (*change)(void *ctx, struct hf_service_settings *s), void *ctx,
                                 struct hf_service **ret, bool *argument, struct hf_report *report)
{
    struct hf_options *options;
    struct hf_component *c = NULL;
    if (hf_options_new(o, &options) != HF_OK)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    enum hf_err err = hf_node_load(node, o->path, adapt, &c, report);
    if (err == HF_OK)
        err = hf_node_service_of(node, &options->o, c, change, ctx, ret, argument, report);
    hf_component_unref(c);
    hf_options_unref(options);
    return err;
}

/* ---- changes --------------------------------------------------------------------------------------------- */

static enum hf_status usage(struct hf_words *msg, const char *text, const char *name)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, text, name);
    return HF_STATUS_USAGE;
}

/* For whoever reads the log of a node that runs. */
static void say_changed(struct hf_node *node, uint64_t generation)
{
    const struct hf_app *app = node->app;
    struct hf_buf names = {0};
    size_t made = 0;
    for (size_t i = 0; i < app->n; i++) {
        if (app->entries[i].service->generation <= generation)
            continue;
        (void)!hf_buf_printf(&names, "%s%s", made++ > 0 ? ", " : "", hf_app_service_name(app->entries[i].service));
    }
    hf_log_say(node->log, "notice", "services changed: %zu served%s%.*s", app->n, made > 0 ? "; new: " : "", HF_FMT(hf_buf_view(&names)));
    hf_buf_done(&names);
}

/* What else is to be known of a change. */
struct how {
    bool whole;              /* services that it does not have are gone for good */
    const struct hf_view *news; /* bytes of components that are to outlive the node */
    size_t n_news;
};

/* `st`: how making the next app ended; services of a higher generation were made for it. Takes `to`. */
static enum hf_status change(struct hf_node *node, enum hf_status st, struct hf_app *to, uint64_t generation, const struct how *how,
                             struct hf_words *msg)
{
    struct hf_report report;
    if (st != HF_STATUS_OK)
        return st;
    hf_report_init(&report);
    enum hf_err err = hf_keep_begin(node, to, how->whole, how->news, how->n_news, &report);
    if (err != HF_OK) {
        hf_app_unref(to, NULL);
        return hf_node_result(err, &report, msg);
    }
    err = hf_change_run(node, to, &report);
    enum hf_err kept = hf_keep_end(node, err == HF_OK, &report);
    if (err != HF_OK)
        hf_app_unref(to, NULL);
    else if (hf_change_running(node) && !node->opt.quiet)
        say_changed(node, generation);
    return hf_node_result(err == HF_OK ? kept : err, &report, msg);
}

enum hf_status hf_node_add_service(struct hf_node *node, const struct hf_service_options *o, struct hf_words *msg)
{
    struct hf_app *to = NULL;
    struct hf_service_options full = {0};
    if (hf_options_widen(o, o->size, &full, sizeof full))
        o = &full; /* else the check says so */
    pthread_mutex_lock(&node->change_lock);
    uint64_t generation = node->generation;
    enum hf_status st = hf_app_and(node, node->app, o, &to, msg);
    st = change(node, st, to, generation, &(struct how){.whole = false}, msg);
    pthread_mutex_unlock(&node->change_lock);
    return st;
}

enum hf_status hf_node_apply_locked(struct hf_node *node, const struct hf_service_options *services, size_t n, struct hf_words *msg)
{
    struct hf_app *to = NULL;
    uint64_t generation = node->generation;
    enum hf_status st = hf_app_of(node, node->app, services, n, &to, msg);
    return change(node, st, to, generation, &(struct how){.whole = true}, msg);
}

/* An array of a caller who knows fewer options: each as long as the first says. */
static struct hf_service_options *widen_all(const struct hf_service_options *services, size_t n)
{
    struct hf_service_options *all = calloc(n, sizeof *all);
    const char *at = (const char *)services;
    for (size_t i = 0; all != NULL && i < n; i++, at += services->size) {
        const struct hf_service_options *one = (const void *)at;
        if (!hf_options_widen(one, one->size, &all[i], sizeof all[i]))
            all[i].size = 0; /* the check says so */
    }
    return all;
}

enum hf_status hf_node_apply(struct hf_node *node, const struct hf_service_options *services, size_t n, struct hf_words *msg)
{
    struct hf_service_options *wide = NULL;
    bool older = n > 0 && n <= HF_SERVICES_MAX && services->size < sizeof *services; /* too many are refused in words */
    if (older && (wide = widen_all(services, n)) == NULL)
        return hf_node_result(HF_LIMIT, &(struct hf_report){0}, msg);
    pthread_mutex_lock(&node->change_lock);
    enum hf_status st = hf_node_apply_locked(node, wide != NULL ? wide : services, n, msg);
    pthread_mutex_unlock(&node->change_lock);
    free(wide);
    return st;
}

/* What there is, for who named what is not. */
static enum hf_status no_such(const struct hf_node *node, const char *name, struct hf_words *msg)
{
    if (msg == NULL)
        return HF_STATUS_USAGE;
    int n = snprintf(msg->text, sizeof msg->text, "there is no service named \"%.127s\"", name);
    for (size_t i = 0; node->app != NULL && i < node->app->n && n < (int)sizeof msg->text - 300; i++)
        n += snprintf(msg->text + n, sizeof msg->text - (size_t)n, "%s\"%s\"", i == 0 ? "; there are " : ", ",
                      node->app->entries[i].options->o.name);
    return HF_STATUS_USAGE;
}

/* What the caller of a deploy or a rollback is told: what serves, and for how long. */
static void say_kept(const struct hf_node *node, const char *name, const uint8_t hash[HF_SHA256_LEN], struct hf_words *msg)
{
    const struct hf_deployed_service *d = hf_keep_has(node, name, hash);
    char hex[2 * HF_SHA256_LEN + 1];
    if (msg == NULL)
        return;
    hf_hex(hash, HF_SHA256_LEN, hex);
    if (node->keep == NULL)
        snprintf(msg->text, sizeof msg->text, "sha256:%s serves until the node stops: it has no data folder to keep it in (data in [node] of "
                                              "a manifest, --data of holdfast serve)", hex);
    else if (d == NULL)
        snprintf(msg->text, sizeof msg->text, "sha256:%s serves until the node stops: the component store does not have it", hex);
    else
        snprintf(msg->text, sizeof msg->text, "sha256:%s serves, also after a restart, while what the manifest names stays as it is%s", hex,
                 d->has_before ? "" : "; a rollback works until the node stops, for the component store does not have what was before");
}

/* Service `name` of `to` as it will be recorded: what its options name is what lies there now. The component that was there goes
 * to the store too, when it is what lies there and the store does not have it: *file has its bytes then. */
static void look_at_file(const struct hf_node *node, struct hf_app *to, const char *name, struct hf_buf *file)
{
    struct hf_app_entry *e = &to->entries[hf_app_find(to, name) - to->entries];
    struct hf_report unused;
    hf_report_init(&unused);
    if (hf_file_read(e->options->o.path, file, &unused) == HF_OK) /* else it is as it was */
        hf_sha256(file->ptr, file->len, e->file);
    if (file->len == 0 || node->keep == NULL || memcmp(e->file, e->kept_hash, sizeof e->file) != 0 ||
        hf_component_store_has(&node->keep->store, e->file))
        hf_buf_done(file);
}

/* Called with change_lock held. `bytes`: those of `c`, empty when they are in the store or not to be had. */
static enum hf_status put(struct hf_node *node, const char *name, struct hf_component *c, struct hf_view bytes, struct hf_words *msg)
{
    const struct hf_app_entry *e = hf_app_find(node->app, name);
    struct hf_app *to = NULL;
    struct hf_buf file = {0};
    struct hf_view news[2];
    struct how how = {.news = news};
    if (memcmp(hf_component_hash(c), hf_component_hash(e->service->component), 32) == 0) {
        enum hf_status same = hf_node_result(HF_OK, NULL, msg);
        if (msg != NULL)
            snprintf(msg->text, sizeof msg->text, "it serves that component already");
        return same;
    }
    uint64_t generation = node->generation;
    enum hf_status st = hf_app_with(node, node->app, name, c, node->os->wall_ns(node->os) / 1000000, &to, msg);
    if (st == HF_STATUS_OK)
        look_at_file(node, to, name, &file);
    if (bytes.len > 0)
        news[how.n_news++] = bytes;
    if (file.len > 0)
        news[how.n_news++] = hf_buf_view(&file);
    st = change(node, st, to, generation, &how, msg);
    if (st == HF_STATUS_OK)
        say_kept(node, name, hf_component_hash(c), msg);
    hf_buf_done(&file);
    return st;
}

enum hf_status hf_node_deploy(struct hf_node *node, const char *name, const void *bytes, size_t len, struct hf_words *msg)
{
    struct hf_component *c = NULL;
    struct hf_report report;
    char what[HF_SERVICE_NAME_MAX + 64];
    hf_report_init(&report);
    pthread_mutex_lock(&node->change_lock);
    enum hf_status st = hf_app_find(node->app, name) == NULL ? no_such(node, name, msg) : HF_STATUS_OK;
    if (st == HF_STATUS_OK) {
        snprintf(what, sizeof what, "service \"%s\": the new component", name);
        st = hf_node_result(hf_node_load_bytes(node, what, hf_view(bytes, len), &c, &report), &report, msg);
    }
    if (st == HF_STATUS_OK)
        st = put(node, name, c, hf_view(bytes, len), msg);
    hf_component_unref(c);
    pthread_mutex_unlock(&node->change_lock);
    return st;
}

/* What a rollback of `e` puts back; a reference. */
static enum hf_err kept_of(struct hf_node *node, const struct hf_app_entry *e, struct hf_component **ret, struct hf_report *report)
{
    struct hf_buf bytes = {0};
    char what[HF_SERVICE_NAME_MAX + 64];
    *ret = e->kept != NULL ? hf_component_ref(e->kept) : NULL;
    if (*ret != NULL)
        return HF_OK;
    snprintf(what, sizeof what, "service \"%s\": the component before", e->options->o.name);
    enum hf_err err = hf_keep_get(node, e->kept_hash, &bytes, report);
    if (err == HF_OK)
        err = hf_node_load_bytes(node, what, hf_buf_view(&bytes), ret, report);
    hf_buf_done(&bytes);
    return err;
}

enum hf_status hf_node_rollback(struct hf_node *node, const char *name, struct hf_words *msg)
{
    struct hf_report report;
    struct hf_component *c = NULL;
    hf_report_init(&report);
    pthread_mutex_lock(&node->change_lock);
    const struct hf_app_entry *e = hf_app_find(node->app, name);
    enum hf_status st;
    if (e == NULL)
        st = no_such(node, name, msg);
    else if (!e->has_kept)
        st = usage(msg, "service \"%s\" has nothing to go back to: no component was deployed to it", name);
    else
        st = hf_node_result(kept_of(node, e, &c, &report), &report, msg);
    if (st == HF_STATUS_OK)
        st = put(node, name, c, (struct hf_view){0}, msg);
    hf_component_unref(c);
    pthread_mutex_unlock(&node->change_lock);
    return st;
}
