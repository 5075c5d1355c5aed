/* service.c - a wasi:http service: its settings, its image, and one worker's share of it. (guest.c: the behaviour.) */
#include "host/fs_int.h"
#include "host/kv_int.h"
#include "host/outbound.h"

#include "base/utf.h"

#include <stdlib.h>

#define HTTP_HANDLER "wasi:http/incoming-handler@0.2.0"
#define CLI_RUN      "wasi:cli/run@0.2.0"
#define HANDLER      "holdfast:kernel/handler@0.1.0"
#define RUNNER       "holdfast:kernel/runner@0.1.0"
#define HTTP_LOOKUPS 32u /* names that outgoing requests of a service look up at once, on one worker */

static void list_free(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

static char **list_copy(const char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        n++;
    char **copy = calloc(n + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = strdup(list[i]);
        if (copy[i] == NULL) {
            list_free(copy);
            return NULL;
        }
    }
    return copy;
}

/* Components get them as strings, and a string that is not UTF-8 cannot be one. */
static enum hf_err check_texts(const char *const *list, const char *what, struct hf_report *report)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        if (!hf_utf8_valid((const uint8_t *)list[i], strlen(list[i])))
            return hf_report_set(report, HF_INVALID, "%s %zu is not UTF-8, which is all that a component can be given", what,
                                 i + 1);
    return HF_OK;
}

/* Of wasi:config's pairs each key stands once: which of two would be meant? */
static enum hf_err check_config(const char *const *config, struct hf_report *report)
{
    for (size_t i = 0; config != NULL && config[i] != NULL; i++) {
        struct hf_view pair = hf_view_of(config[i]), key = hf_view_take(pair, hf_view_find(pair, '='));
        if (key.len == pair.len || key.len == 0)
            return hf_report_set(report, HF_INVALID, "configuration %zu is not KEY=VALUE: \"%.80s\"", i + 1, config[i]);
        for (size_t k = 0; k < i; k++)
            if (strncmp(config[k], config[i], key.len + 1) == 0)
                return hf_report_set(report, HF_INVALID, "the configuration key \"%.*s\" is given twice", HF_FMT(key));
    }
    return HF_OK;
}

/* What it exports, for the person who gave us a component that is no service. */
static void report_exports(const struct hf_component *c, struct hf_report *report)
{
    bool serves = hf_component_find(c, HTTP_HANDLER, "handle") != NULL;
    struct hf_view iface, name;
    size_t n = 0;
    for (size_t i = 0; hf_component_export_at(c, i, &iface, &name) != NULL && n < 20; i++, n++) {
        if (iface.len > 0)
            hf_report_add(report, "  it exports %.*s#%.*s", HF_FMT(iface), HF_FMT(name));
        else
            hf_report_add(report, "  it exports %.*s", HF_FMT(name));
    }
    if (n == 0)
        hf_report_add(report, "  it exports no function at all");
    else if (serves)
        hf_report_add(report, "it is an HTTP service: run it with `holdfast serve`");
    else if (hf_component_find(c, CLI_RUN, "run") != NULL)
        hf_report_add(report, "it is a command: run it with `holdfast exec`");
    else if (hf_component_find(c, HANDLER, "handle") != NULL || hf_component_find(c, RUNNER, "run") != NULL)
        hf_report_add(report, "it is a process: give its service a [services.NAME.process] in holdfast.toml");
    else
        hf_report_add(report, "functions can be called with `holdfast invoke`");
}

static bool is_init(const struct hf_ftype *t)
{
    const struct hf_type *r = t->result;
    return t->n_params == 0 && r != NULL && r->kind == HF_T_RESULT && r->members[0].type == NULL &&
           r->members[1].type != NULL && r->members[1].type->kind == HF_T_STRING;
}

static bool is_shutdown(const struct hf_ftype *t)
{
    return t->n_params == 0 && t->result == NULL;
}

static const struct hf_export *find_hook(const struct hf_component *c, const char *name, bool (*is)(const struct hf_ftype *))
{
    const struct hf_export *e = hf_component_find(c, "", name);
    return e != NULL && is(hf_export_type(e)) ? e : NULL;
}

/* What its messages call, of the type that they are made by; *ret NULL: it has no such export, or they call any (invoke). */
static enum hf_err find_entry(const struct hf_service_settings *s, const struct hf_component *c, const struct hf_export **ret,
                              struct hf_report *report)
{
    *ret = NULL;
    if (s->invoke)
        return HF_OK;
    switch (s->process) {
    case HF_PROCESS_HANDLE: return hf_component_find_as_in_wit(c, HANDLER, "handle", ret, report);
    case HF_PROCESS_RUN: return hf_component_find_as_in_wit(c, RUNNER, "run", ret, report);
    case HF_PROCESS_NONE: break;
    }
    return s->command ? hf_component_find_as_in_wit(c, CLI_RUN, "run", ret, report)
                      : hf_component_find_as_in_wit(c, HTTP_HANDLER, "handle", ret, report);
}

/* Roots are read now, once, and only for who may ask somebody. */
static enum hf_err grant_http(struct hf_service *svc, const struct hf_service_settings *s, struct hf_report *report)
{
    svc->s.outbound = NULL;
    svc->s.tls_ca = NULL;
    svc->s.tls = NULL;
    enum hf_err err = hf_outbound_rules(s->outbound, s->net, &svc->http, report);
    if (err != HF_OK || !hf_net_rules_client(svc->http, HF_NET_TCP))
        return err;
    if (s->tls != NULL) {
        svc->tls = hf_tls_context_ref(s->tls);
        return HF_OK;
    }
    struct hf_tls_settings tls = {.ca_file = s->tls_ca};
    return hf_tls_context_new(&tls, &svc->tls, report);
}

enum hf_err hf_service_new(const struct hf_service_settings *s, struct hf_service **ret, struct hf_report *report)
{
    enum hf_err err = check_texts(s->env, "environment variable", report);
    if (err == HF_OK)
        err = check_texts(s->args, "argument", report);
    if (err == HF_OK)
        err = check_texts(s->keyvalue, "key-value bucket", report);
    if (err == HF_OK)
        err = check_texts(s->config, "configuration", report);
    if (err == HF_OK)
        err = check_config(s->config, report);
    if (err != HF_OK)
        return err;
    struct hf_service *svc = calloc(1, sizeof *svc);
    if (svc == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    svc->s = *s;
    svc->component = hf_component_ref(s->component);
    svc->name = strdup(s->name);
    svc->env = list_copy(s->env);
    svc->args = list_copy(s->args);
    svc->s.net = NULL; /* read here, once */
    err = hf_net_rules_new(s->net, &svc->net, report);
    if (err == HF_OK)
        err = grant_http(svc, s, report);
    if (err != HF_OK) {
        hf_service_free(svc);
        return err;
    }
    svc->keyvalue = list_copy(s->keyvalue);
    svc->config = list_copy(s->config);
    if (svc->name == NULL || svc->env == NULL || svc->args == NULL || svc->keyvalue == NULL || svc->config == NULL) {
        hf_service_free(svc);
        return hf_report_set(report, HF_LIMIT, "out of memory");
    }
    err = hf_fs_grants_open(s->fs != NULL ? s->fs : hf_fs_linux(), s->dirs, &svc->grants, report);
    if (err != HF_OK) {
        hf_service_free(svc);
        return err;
    }
    svc->s.dirs = NULL; /* read and opened */
    svc->s.name = svc->name;
    svc->s.env = (const char *const *)svc->env;
    svc->s.args = (const char *const *)svc->args;
    svc->s.keyvalue = (const char *const *)svc->keyvalue;
    svc->s.config = (const char *const *)svc->config;
    err = hf_kv_grants_init(&svc->kv, s->services->kv, svc->name, s->tenant, svc->s.keyvalue, report);
    svc->s.tenant = NULL; /* read here, once */
    if (err != HF_OK) {
        hf_service_free(svc);
        return err;
    }
    if (svc->s.reset_pages_max == 0)
        svc->s.reset_pages_max = 4096;
    if (svc->s.body_window == 0)
        svc->s.body_window = HF_BLOB_WINDOW;
    err = find_entry(s, svc->component, &svc->handle, report);
    if (err != HF_OK) {
        hf_service_free(svc);
        return HF_UNSUPPORTED; /* HF_INVALID would be an argument of the caller's */
    }
    if (!s->invoke && !s->command) { /* who calls by name calls what he names, and no more */
        svc->init = find_hook(svc->component, "init", is_init);
        svc->shutdown = find_hook(svc->component, "shutdown", is_shutdown);
    }
    if (svc->handle == NULL && !s->invoke) {
        hf_report_set(report, HF_UNSUPPORTED,
                      s->process == HF_PROCESS_HANDLE ? "the component does not export " HANDLER ", so it handles no messages"
                      : s->process == HF_PROCESS_RUN  ? "the component does not export " RUNNER ", so it runs no process"
                      : s->command ? "the component does not export wasi:cli/run@0.2.x, so it is not a command"
                                   : "the component does not export wasi:http/incoming-handler@0.2.x, so it cannot serve HTTP");
        report_exports(svc->component, report);
        hf_service_free(svc);
        return HF_UNSUPPORTED;
    }
    *ret = svc;
    return HF_OK;
}

void hf_service_free(struct hf_service *svc)
{
    if (svc == NULL)
        return;
    hf_image_unref(svc->image);
    hf_component_unref(svc->component);
    hf_fs_grants_close(svc->grants);
    list_free(svc->env);
    list_free(svc->args);
    hf_kv_grants_done(&svc->kv);
    list_free(svc->keyvalue);
    list_free(svc->config);
    hf_net_rules_free(svc->net);
    hf_net_rules_free(svc->http);
    hf_tls_context_unref(svc->tls);
    free(svc->name);
    free(svc);
}

const char *hf_service_name(const struct hf_service *svc)
{
    return svc->name;
}

/* A reset puts back memories, globals and handles, not what is inside a host object that the guest made while it started. So
 * it may have made only those that a request leaves nothing in: else one request's fields could be read by the next. */
static enum hf_err check_objects(const struct hf_guest *g, struct hf_report *report)
{
    static const char *const plain[] = {"pollable", "input-stream", "output-stream", "network", "bucket", "preopened descriptor"};
    HF_LIST_FOR(n, &g->objects)
    {
        const struct hf_obj *obj = HF_LIST_ENTRY(n, struct hf_obj, in_guest);
        bool ok = false;
        for (size_t i = 0; i < HF_ARRAY_LEN(plain); i++)
            ok |= strcmp(obj->kind, plain[i]) == 0; /* streams of bodies have their body beside them, and that is refused */
        if (!ok)
            return hf_report_set(report, HF_UNSUPPORTED, "it keeps a %s that it made while it started, which cannot be put back",
                                 obj->kind);
    }
    return HF_OK;
}

enum hf_err hf_service_take_image(struct hf_service *svc, void *state, struct hf_report *report)
{
    struct hf_guest *g = state;
    HF_ASSERT(svc->image == NULL);
    enum hf_err err = check_objects(g, report);
    if (err != HF_OK)
        return err;
    return hf_image_take(g->inst, &svc->image, report);
}

bool hf_service_has_image(const struct hf_service *svc)
{
    return svc->image != NULL;
}

bool hf_service_has_shutdown(const struct hf_service *svc)
{
    return svc->shutdown != NULL;
}

void hf_service_reset_from_now_on(struct hf_service *svc)
{
    HF_ASSERT(svc->image != NULL);
    atomic_store_explicit(&svc->resets, true, memory_order_release);
}

enum hf_err hf_service_worker_new(struct hf_service *svc, struct hf_io *io, struct hf_service_worker **ret,
                                  struct hf_report *report)
{
    struct hf_service_worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    w->svc = svc;
    w->io = io;
    struct hf_net *net = svc->s.services->net != NULL ? svc->s.services->net : hf_net_linux();
    struct hf_resolver *names = NULL;
    if (hf_resolver_new(io, net, hf_net_rules_limits(svc->net)->lookups, &w->resolver) != HF_OK ||
        hf_resolver_new(io, net, HTTP_LOOKUPS, &names) != HF_OK || hf_names_new(names, io->os, &w->names) != HF_OK) {
        hf_resolver_free(w->resolver);
        hf_resolver_free(names);
        free(w);
        return hf_report_set(report, HF_LIMIT, "out of memory");
    }
    const struct hf_services *sv = svc->s.services;
    if (sv->log_open != NULL)
        w->log_source = sv->log_open(sv->ctx, svc->name, svc->s.log_lines, svc->s.log_bytes);
    if (svc->s.lifecycle == HF_LIFE_PER_REQUEST && svc->image != NULL) {
        hf_service_reset_from_now_on(svc);
        w->no_scanner = hf_scanner_new(&w->scanner, NULL) != HF_OK;
    }
    *ret = w;
    return HF_OK;
}

void hf_service_worker_free(struct hf_service_worker *w)
{
    if (w == NULL)
        return;
    const struct hf_services *sv = w->svc->s.services;
    if (w->log_source != NULL)
        sv->log_close(sv->ctx, w->log_source);
    hf_scanner_free(w->scanner);
    hf_resolver_free(w->resolver);
    hf_names_free(w->names);
    hf_pool_done(&w->pool);
    free(w);
}

void hf_service_worker_counts(const struct hf_service_worker *w, struct hf_service_counts *ret)
{
    const struct hf_worker_counters *c = &w->counters;
    *ret = (struct hf_service_counts){
        .resets = hf_counter_get(&c->resets),
        .reset_grown = hf_counter_get(&c->reset_grown),
        .reset_dirty = hf_counter_get(&c->reset_dirty),
        .reset_handles = hf_counter_get(&c->reset_handles),
        .reset_other = hf_counter_get(&c->reset_other),
        .pages_copied = hf_counter_get(&c->pages_copied),
        .traps = hf_counter_get(&c->traps),
        .exits = hf_counter_get(&c->exits),
        .no_answer = hf_counter_get(&c->no_answer),
    };
}
