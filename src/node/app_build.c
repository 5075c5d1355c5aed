/* app_build.c - the next app (app.h): what stays is taken over, what is new is loaded, checked and started once.
 *
 * First everything that can be said without loading anything: options, names, routes. Then components, one after the other.
 */
#include "node/node_int.h"

#include "base/hash.h"
#include "base/map.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define START_NS 30000000000u

static enum hf_status say(struct hf_words *msg, enum hf_status st, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static enum hf_status say(struct hf_words *msg, enum hf_status st, const char *fmt, ...)
{
    va_list args;
    if (msg == NULL)
        return st;
    va_start(args, fmt);
    vsnprintf(msg->text, sizeof msg->text, fmt, args);
    va_end(args);
    return st;
}

static enum hf_status no_memory(struct hf_words *msg)
{
    return say(msg, HF_STATUS_LIMIT, "out of memory");
}

static enum hf_status fixed_class(struct hf_words *msg)
{
    return say(msg, HF_STATUS_UNSUPPORTED, "it is a class of processes, and those change only when the node is started again");
}

/* Which of several services it is about. */
static enum hf_status of_service(enum hf_status st, const char *name, struct hf_words *msg)
{
    struct hf_words copy;
    if (st == HF_STATUS_OK || msg == NULL)
        return st;
    copy = *msg;
    snprintf(msg->text, sizeof msg->text, "service \"%.127s\": %.3900s", name, copy.text);
    return st;
}

/* ---- the frame: names and routes ---- */

static struct hf_app *app_new(size_t n)
{
    struct hf_app *app = calloc(1, sizeof *app + n * sizeof app->entries[0]);
    if (app == NULL || hf_route_table_new(&app->routes) != HF_OK) {
        free(app);
        return NULL;
    }
    atomic_init(&app->refs, 1);
    return app;
}

static enum hf_status add_routes(struct hf_app *app, const struct hf_service_options *o, struct hf_words *msg)
{
    struct hf_report report;
    enum hf_status st = HF_STATUS_OK;
    hf_report_init(&report);
    for (size_t i = 0; i < o->n_routes && st == HF_STATUS_OK; i++) {
        struct hf_route_target to = {hf_view_of(o->name), o->body_max};
        enum hf_err err = hf_route_add(app->routes, hf_view_of(o->routes[i].host), hf_view_of(o->routes[i].path),
                                       hf_view_of(o->routes[i].method), &to, &report);
        st = hf_node_result(err, &report, msg);
        if (err == HF_INVALID) /* the caller's argument, not a file */
            st = HF_STATUS_USAGE;
        of_service(st, o->name, msg);
    }
    return st;
}

static bool same_route(const struct hf_route *a, const struct hf_route *b)
{
    const char *ah = a->host != NULL ? a->host : "", *bh = b->host != NULL ? b->host : "";
    const char *am = a->method != NULL ? a->method : "", *bm = b->method != NULL ? b->method : "";
    return strcasecmp(ah, bh) == 0 && strcmp(a->path, b->path) == 0 && strcmp(am, bm) == 0;
}

static enum hf_status same_route_twice(const struct hf_route *r, const char *one, const char *other, struct hf_words *msg)
{
    bool host = r->host != NULL && r->host[0] != 0, method = r->method != NULL && r->method[0] != 0;
    return say(msg, HF_STATUS_USAGE, "services \"%s\" and \"%s\" have the same route: host %s, path %s, method %s", one, other,
               host ? r->host : "any", r->path, method ? r->method : "any");
}

/* Of two services, or of one with itself. */
static enum hf_status check_two(const struct hf_service_options *o, const struct hf_service_options *other, struct hf_words *msg)
{
    for (size_t i = 0; i < o->n_routes; i++)
        for (size_t k = 0; k < (o == other ? i : other->n_routes); k++)
            if (same_route(&o->routes[i], &other->routes[k]))
                return same_route_twice(&o->routes[i], other->name, o->name, msg);
    return HF_STATUS_OK;
}

static enum hf_status check_routes(const struct hf_node *node, const struct hf_app *app, const struct hf_service_options *o,
                                   struct hf_words *msg)
{
    enum hf_status st = check_two(o, o, msg);
    for (size_t e = 0; e < app->n && st == HF_STATUS_OK; e++)
        st = check_two(o, &app->entries[e].options->o, msg);
    HF_LIST_FOR(n, &node->natives)
    {
        const struct hf_service_options *other = &HF_LIST_ENTRY(n, struct hf_native, in_node)->options->o;
        if (st == HF_STATUS_OK && o != other)
            st = check_two(o, other, msg);
    }
    return st;
}

/* Those of native processes, which every app has. */
static enum hf_status add_native_routes(const struct hf_node *node, struct hf_app *app, struct hf_words *msg)
{
    enum hf_status st = HF_STATUS_OK;
    HF_LIST_FOR(n, &node->natives)
    {
        const struct hf_service_options *o = &HF_LIST_ENTRY(n, struct hf_native, in_node)->options->o;
        if (st == HF_STATUS_OK)
            st = check_routes(node, app, o, msg);
        if (st == HF_STATUS_OK)
            st = add_routes(app, o, msg);
    }
    return st;
}

/* The next entry, with its routes; its service comes later. Takes `options`. */
static enum hf_status add_entry(struct hf_node *node, struct hf_app *app, struct hf_options *options, struct hf_words *msg)
{
    const struct hf_service_options *o = &options->o;
    enum hf_status st = HF_STATUS_OK;
    if (hf_app_find(app, o->name) != NULL)
        st = say(msg, HF_STATUS_USAGE, "there are two services named \"%s\"", o->name);
    else if (hf_native_find(node, o->name) != NULL)
        st = say(msg, HF_STATUS_USAGE, "\"%s\" is the name of a class of native processes", o->name);
    else if (o->instances != HF_INSTANCES_SINGLETON && o->max == 0 && o->min > 64ull * node->opt.workers)
        st = of_service(say(msg, HF_STATUS_USAGE, "min is more than max, which is 64 a worker"), o->name, msg);
    else
        st = check_routes(node, app, o, msg);
    if (st == HF_STATUS_OK)
        st = add_routes(app, o, msg);
    if (st != HF_STATUS_OK) {
        hf_options_unref(options);
        return st;
    }
    app->entries[app->n++].options = options;
    return HF_STATUS_OK;
}

static enum hf_status add_copy(struct hf_node *node, struct hf_app *app, const struct hf_service_options *o, struct hf_words *msg)
{
    struct hf_options *copy;
    if (hf_options_new(o, &copy) != HF_OK)
        return no_memory(msg);
    return add_entry(node, app, copy, msg);
}

/* ---- a service ---- */

static void for_app(void *ctx, struct hf_service_settings *s)
{
    struct hf_app_service *service = ctx;
    s->single_use = hf_template_single_use;
    s->single_use_ctx = service;
    s->realm = service->generation;
}

static void set_class(struct hf_app_service *s)
{
    const struct hf_service_options *o = &s->options->o;
    uint32_t workers = s->node->opt.workers;
    bool process = hf_app_service_is_class(s);
    s->singleton = !process && o->instances == HF_INSTANCES_SINGLETON;
    s->home = (uint32_t)(hf_hash(hf_view_of(o->name), 0) % workers); /* singletons are spread over the workers */
    s->class_settings = (struct hf_class_settings){
        .min = process ? 0 : o->min == 0 || s->singleton ? 1 : (o->min + workers - 1) / workers,
        .max = s->singleton ? 1 : o->max != 0 ? (o->max + workers - 1) / workers : 64,
        .queue_max = o->queue_max,
        .queue_timeout_ns = o->queue_timeout_ns,
        .request_timeout_ns = o->request_timeout_ns,
        .after_timeout_ns = o->after_timeout_ns,
        .start_timeout_ns = o->request_timeout_ns != 0 ? o->request_timeout_ns : START_NS,
        .max_requests = o->max_requests,
        .max_age_ns = o->max_age_ns,
        .idle_timeout_ns = o->idle_timeout_ns,
    };
}

/* Made, and one instance of it started to see that it starts. */
static enum hf_status service_new(struct hf_node *node, struct hf_options *options, struct hf_component *component,
                                  struct hf_app_service **ret, struct hf_words *msg)
{
    const struct hf_service_options *o = &options->o;
    struct hf_report report;
    bool argument = false;
    struct hf_app_service *s = calloc(1, sizeof *s);
    if (s == NULL)
        return no_memory(msg);
    atomic_init(&s->refs, 1);
    s->node = node;
    s->options = hf_options_ref(options);
    s->component = hf_component_ref(component);
    s->generation = ++node->generation;
    set_class(s);
    hf_report_init(&report);
    enum hf_err err = hf_node_service_of(node, o, component, for_app, s, &s->svc, &argument, &report);
    if (err == HF_OK)
        err = hf_template_try(node, s->svc, o->instances == HF_INSTANCES_PER_REQUEST || o->kind == HF_KIND_HANDLER, s->class_settings.start_timeout_ns, &report);
    if (err != HF_OK) {
        enum hf_status st = hf_node_result(err, &report, msg);
        hf_app_service_unref(s, NULL);
        return argument ? HF_STATUS_USAGE : st;
    }
    *ret = s;
    return HF_STATUS_OK;
}

/* The service of an entry with `component`: the one that was, if it is the same. */
static enum hf_status set_service(struct hf_node *node, const struct hf_app_entry *old, struct hf_app_entry *e,
                                  struct hf_component *component, struct hf_words *msg)
{
    if (old != NULL && hf_options_same(old->service->options, e->options) &&
        memcmp(hf_component_hash(old->service->component), hf_component_hash(component), 32) == 0) {
        e->service = hf_app_service_ref(old->service);
        return HF_STATUS_OK;
    }
    if (old != NULL && hf_app_service_is_class(old->service))
        return fixed_class(msg);
    if (old != NULL && e->options->o.kind != HF_KIND_SERVICE)
        return say(msg, HF_STATUS_UNSUPPORTED, "it becomes a class of processes, which needs a name that nothing had: take the service away "
                                               "first, or start the node again");
    return service_new(node, e->options, component, &e->service, msg);
}

/* A component with that content which is there already, or NULL. */
static struct hf_component *find_component(const struct hf_app *app, const uint8_t hash[32])
{
    for (size_t i = 0; app != NULL && i < app->n; i++) {
        const struct hf_app_entry *e = &app->entries[i];
        if (e->service != NULL && memcmp(hf_component_hash(e->service->component), hash, 32) == 0)
            return e->service->component;
        if (e->kept != NULL && memcmp(hf_component_hash(e->kept), hash, 32) == 0)
            return e->kept;
    }
    return NULL;
}

/* The content that was asked for by its hash is what lies there. */
static enum hf_err check_hash(const struct hf_service_options *o, const uint8_t hash[32], struct hf_report *report)
{
    char text[2 * HF_SHA256_LEN + 1];
    hf_hex(hash, HF_SHA256_LEN, text);
    if (o->sha256 == NULL || strcasecmp(o->sha256, text) == 0)
        return HF_OK;
    return hf_report_set(report, HF_INVALID, "%s is not the file that is asked for: its SHA-256 is %s, not %.100s", o->path, text, o->sha256);
}

/* A component with that content which is loaded already (a reference), or NULL. */
static struct hf_component *loaded(const struct hf_app *from, const struct hf_app *app, const uint8_t hash[32])
{
    struct hf_component *c = find_component(from, hash);
    if (c == NULL)
        c = find_component(app, hash);
    return c == NULL ? NULL : hf_component_ref(c);
}

/* What was deployed in the place of `e` stays, with what a rollback puts back. */
static void keep_deployed(struct hf_app_entry *e, const struct hf_app_entry *old)
{
    e->deployed_ms = old->deployed_ms;
    e->has_kept = old->has_kept;
    memcpy(e->kept_hash, old->kept_hash, sizeof e->kept_hash);
    if (old->kept != NULL)
        e->kept = hf_component_ref(old->kept);
}

/* What an earlier node was given for this service, while its options name the same as then. *ret stays NULL: nothing. */
static enum hf_err earlier(struct hf_node *node, const struct hf_app *app, struct hf_app_entry *e, struct hf_view file,
                           struct hf_component **ret, struct hf_report *report)
{
    struct hf_buf bytes = {0};
    char what[96];
    const struct hf_deployed_service *d = hf_keep_deployed(node, e);
    if (d == NULL)
        return HF_OK;
    enum hf_err err = HF_OK;
    bool is_file = memcmp(d->component, e->file, sizeof e->file) == 0;
    e->deployed_ms = d->at_unix_ms;
    e->has_kept = d->has_before;
    memcpy(e->kept_hash, d->before, sizeof e->kept_hash);
    *ret = loaded(NULL, app, d->component);
    if (*ret == NULL && !is_file)
        err = hf_keep_get(node, d->component, &bytes, report);
    hf_keep_what(d->component, d->at_unix_ms, what);
    if (*ret == NULL && err == HF_OK)
        err = hf_node_load_bytes(node, is_file ? e->options->o.path : what, is_file ? file : hf_buf_view(&bytes), ret, report);
    hf_buf_done(&bytes);
    return err;
}

/* What the entry's options name; or what was deployed in its place, while they name the same as when it was. */
static enum hf_status fill_entry(struct hf_node *node, const struct hf_app *from, const struct hf_app *app, struct hf_app_entry *e,
                                 struct hf_words *msg)
{
    const struct hf_app_entry *old = hf_app_find(from, e->options->o.name);
    struct hf_component *component = NULL;
    struct hf_buf bytes = {0};
    struct hf_report report;
    hf_report_init(&report);
    enum hf_err err = hf_file_read(e->options->o.path, &bytes, &report);
    if (err == HF_OK) {
        hf_sha256(bytes.ptr, bytes.len, e->file);
        err = check_hash(&e->options->o, e->file, &report);
    }
    if (err == HF_OK && old != NULL && strcmp(old->options->o.path, e->options->o.path) == 0 && memcmp(old->file, e->file, 32) == 0) {
        component = hf_component_ref(old->service->component);
        keep_deployed(e, old);
    } else if (err == HF_OK && old == NULL) {
        err = earlier(node, app, e, hf_buf_view(&bytes), &component, &report);
    }
    if (err == HF_OK && component == NULL)
        component = loaded(from, app, e->file);
    if (err == HF_OK && component == NULL)
        err = hf_node_load_bytes(node, e->options->o.path, hf_buf_view(&bytes), &component, &report);
    hf_buf_done(&bytes);
    enum hf_status st = err == HF_OK ? set_service(node, old, e, component, msg) : hf_node_result(err, &report, msg);
    hf_component_unref(component);
    return st;
}

/* ---- the next one ---- */

enum hf_status hf_app_of(struct hf_node *node, const struct hf_app *from, const struct hf_service_options *services, size_t n,
                         struct hf_app **ret, struct hf_words *msg)
{
    if (n > HF_SERVICES_MAX)
        return say(msg, HF_STATUS_LIMIT, "a node takes at most %d services", HF_SERVICES_MAX);
    struct hf_app *app = app_new(n);
    if (app == NULL)
        return no_memory(msg);
    enum hf_status st = add_native_routes(node, app, msg);
    for (size_t i = 0; i < n && st == HF_STATUS_OK; i++) {
        bool named = services[i].size == sizeof services[i] && services[i].name != NULL;
        st = hf_node_check_options(&services[i], msg);
        if (named)
            of_service(st, services[i].name, msg);
        if (st == HF_STATUS_OK)
            st = add_copy(node, app, &services[i], msg);
    }
    for (size_t i = 0; from != NULL && i < from->n && st == HF_STATUS_OK; i++)
        if (hf_app_service_is_class(from->entries[i].service) && hf_app_find(app, from->entries[i].options->o.name) == NULL)
            st = of_service(fixed_class(msg), from->entries[i].options->o.name, msg);
    for (size_t i = 0; i < n && st == HF_STATUS_OK; i++)
        st = of_service(fill_entry(node, from, app, &app->entries[i], msg), app->entries[i].options->o.name, msg);
    if (st != HF_STATUS_OK) {
        hf_app_unref(app, NULL);
        return st;
    }
    *ret = app;
    return HF_STATUS_OK;
}

/* A copy of all entries, with room for `more`. */
static enum hf_status app_copy(struct hf_node *node, const struct hf_app *from, size_t more, struct hf_app **ret, struct hf_words *msg)
{
    size_t n = from == NULL ? 0 : from->n;
    struct hf_app *app = app_new(n + more);
    enum hf_status st = app == NULL ? no_memory(msg) : add_native_routes(node, app, msg);
    for (size_t i = 0; i < n && st == HF_STATUS_OK; i++) {
        const struct hf_app_entry *e = &from->entries[i];
        st = add_entry(node, app, hf_options_ref(e->options), msg);
        if (st != HF_STATUS_OK)
            break;
        app->entries[i].service = hf_app_service_ref(e->service);
        memcpy(app->entries[i].file, e->file, sizeof e->file);
        keep_deployed(&app->entries[i], e);
    }
    if (st != HF_STATUS_OK)
        hf_app_unref(app, NULL);
    else
        *ret = app;
    return st;
}

enum hf_status hf_app_and(struct hf_node *node, const struct hf_app *from, const struct hf_service_options *service,
                          struct hf_app **ret, struct hf_words *msg)
{
    struct hf_app *app;
    size_t n = from == NULL ? 0 : from->n;
    if (n == HF_SERVICES_MAX)
        return say(msg, HF_STATUS_LIMIT, "a node takes at most %d services", HF_SERVICES_MAX);
    enum hf_status st = app_copy(node, from, 1, &app, msg);
    if (st != HF_STATUS_OK)
        return st;
    st = hf_node_check_options(service, msg);
    if (st == HF_STATUS_OK)
        st = add_copy(node, app, service, msg);
    if (st == HF_STATUS_OK)
        st = fill_entry(node, from, app, &app->entries[n], msg);
    if (st != HF_STATUS_OK)
        hf_app_unref(app, NULL);
    else
        *ret = app;
    return st;
}

enum hf_status hf_app_with(struct hf_node *node, const struct hf_app *from, const char *name, struct hf_component *component,
                           uint64_t deployed_ms, struct hf_app **ret, struct hf_words *msg)
{
    const struct hf_app_entry *old = hf_app_find(from, name);
    struct hf_app_service *service = NULL;
    struct hf_app *app;
    HF_ASSERT(old != NULL);
    enum hf_status st = app_copy(node, from, 0, &app, msg);
    if (st != HF_STATUS_OK)
        return st;
    struct hf_app_entry *e = &app->entries[old - from->entries];
    if (hf_app_service_is_class(e->service))
        st = of_service(fixed_class(msg), name, msg);
    if (st == HF_STATUS_OK)
        st = of_service(service_new(node, e->options, component, &service, msg), name, msg);
    if (st != HF_STATUS_OK) {
        hf_app_unref(app, NULL);
        return st;
    }
    hf_component_unref(e->kept);
    e->kept = hf_component_ref(old->service->component);
    memcpy(e->kept_hash, hf_component_hash(e->kept), sizeof e->kept_hash);
    e->has_kept = true;
    e->deployed_ms = deployed_ms;
    hf_app_service_unref(e->service, NULL);
    e->service = service;
    *ret = app;
    return HF_STATUS_OK;
}
