/* share.c - see share.h.
 *
 * Who answers to a name: a new name belongs to its first class as soon as that is prepared (no route of this worker leads
 * there yet, but another worker may have switched and send requests for a singleton). A name that stays goes from class to
 * class at the switch. A name that is removed stays with its class until all workers have switched: what they sent is served.
 *
 * A class of processes has its name from its first moment to the kernel's end: it is made when all workers have prepared, so
 * that a change that fails leaves nothing of it.
 */
#include "node/node_int.h"
#include "base/class_counts.h"

#include <stdlib.h>
#include <string.h>

#define PROCESSES_MAX 10000u /* of a class that says nothing */
#define TOTALS_MAX 1024u /* names that are counted for; beyond it those that are over go first */

/* ---- totals ---- */

static void total_free(struct hf_worker *w, struct hf_total *t)
{
    hf_map_remove(&w->names, hf_view_of(t->name));
    hf_list_remove(&t->in_worker);
    free(t->name);
    free(t);
}

static void forget_one(struct hf_worker *w)
{
    HF_LIST_FOR(n, &w->totals)
    {
        struct hf_total *t = HF_LIST_ENTRY(n, struct hf_total, in_worker);
        if (t->shares == 0) {
            total_free(w, t);
            return;
        }
    }
}

struct hf_total *hf_total_find(struct hf_worker *w, const char *name)
{
    return hf_map_get(&w->names, hf_view_of(name));
}

static struct hf_total *total_of(struct hf_worker *w, const char *name)
{
    struct hf_total *t = hf_total_find(w, name);
    if (t != NULL)
        return t;
    if (w->names.len >= TOTALS_MAX)
        forget_one(w);
    t = calloc(1, sizeof *t);
    if (t == NULL || (t->name = strdup(name)) == NULL || hf_map_put(&w->names, hf_view_of(t->name), t, NULL) != HF_OK) {
        if (t != NULL)
            free(t->name);
        free(t);
        return NULL;
    }
    hf_list_init(&t->list);
    hf_ends_init(&t->ends, t->name, w->node->opt.quiet ? NULL : w->node->log);
    hf_list_push_back(&w->totals, &t->in_worker);
    return t;
}

static void add_stats(struct hf_class_stats *to, const struct hf_class_stats *from)
{
#define ADD(count) to->count += from->count;
    HF_CLASS_COUNTS(ADD)
#undef ADD
}

static void add_counts(struct hf_service_counts *to, const struct hf_service_counts *from)
{
    to->resets += from->resets;
    to->reset_grown += from->reset_grown;
    to->reset_dirty += from->reset_dirty;
    to->reset_handles += from->reset_handles;
    to->reset_other += from->reset_other;
    to->pages_copied += from->pages_copied;
    to->traps += from->traps;
    to->exits += from->exits;
    to->no_answer += from->no_answer;
}

/* ---- shares ---- */

struct hf_share *hf_share_find(struct hf_worker *w, const struct hf_app_service *service)
{
    struct hf_total *t = hf_total_find(w, hf_app_service_name(service));
    if (t == NULL)
        return NULL;
    HF_LIST_FOR(n, &t->list)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_total);
        if (s->service == service)
            return s;
    }
    return NULL;
}

/* Its class is one of named processes: those of the shards that this worker has. */
static bool is_named(const struct hf_share *s)
{
    return hf_app_service_is_class(s->service);
}

/* Does one that is older still live? A singleton's next instance starts when the one before has gone. */
static bool must_wait(const struct hf_share *s)
{
    HF_LIST_FOR(n, &s->total->list)
    {
        const struct hf_share *other = HF_LIST_ENTRY(n, struct hf_share, in_total);
        if (other == s)
            return false;
        if (other->service->singleton && other->host != NULL)
            return true;
    }
    return false;
}

static void release_singletons(struct hf_worker *w)
{
    HF_LIST_FOR(n, &w->shares)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (s->held && s->phase != HF_SHARE_NEW && !must_wait(s)) {
            s->held = false;
            hf_class_release(s->class);
        }
    }
}

static void share_free(struct hf_share *s)
{
    struct hf_worker *w = s->worker;
    struct hf_service_counts counts;
    hf_list_remove(&s->in_worker);
    hf_list_remove(&s->in_total);
    if (s->host != NULL) {
        hf_service_worker_counts(s->host, &counts);
        add_counts(&s->total->gone_counts, &counts);
        hf_service_worker_free(s->host);
    }
    s->total->shares--;
    hf_app_service_unref(s->service, w->ended ? NULL : &w->io);
    free(s);
}

static void on_gone(void *ctx, const struct hf_class_stats *last)
{
    struct hf_share *s = ctx;
    struct hf_worker *w = s->worker;
    add_stats(&s->total->gone, last);
    s->class = NULL;
    share_free(s);
    if (!w->ended)
        release_singletons(w);
}

struct hf_named_settings hf_named_settings_of(const struct hf_service_options *o)
{
    struct hf_named_settings ns = {
        .shape = o->kind == HF_KIND_RUNNER ? HF_SHAPE_RUN : HF_SHAPE_HANDLE,
        .request_timeout_ns = o->request_timeout_ns,
        .idle_timeout_ns = o->idle_timeout_ns,
    };
    const struct hf_process_options *p = o->process;
    if (p != NULL) {
        ns.spawned = p->spawned;
        ns.trap_links = p->trap_links;
        ns.processes_max = p->processes_max;
        ns.resident_max = p->resident_max;
        ns.warm = p->warm;
        ns.mailbox_max = p->mailbox_max;
        ns.turn_timeout_ns = p->turn_timeout_ns;
        ns.restart = p->restart == HF_RESTARTS_ALWAYS ? HF_RESTART_ALWAYS
                     : p->restart == HF_RESTARTS_SOME ? HF_RESTART_SOME
                                                      : HF_RESTART_NEVER;
        ns.restart_max = p->restart_max;
        ns.restart_within_ns = p->restart_within_ns;
        ns.backoff_ns = p->backoff_ns;
        ns.backoff_max_ns = p->backoff_max_ns;
        ns.grants = p->sends;
        ns.spawns = p->spawns;
    }
    return ns;
}

uint32_t hf_share_processes_max(const struct hf_app_service *service)
{
    const struct hf_process_options *p = service->options->o.process;
    uint32_t max = p != NULL && p->processes_max != 0 ? p->processes_max : PROCESSES_MAX;
    return (uint32_t)hf_node_part(service->node, max);
}

static enum hf_err make_named(struct hf_share *s, struct hf_report *report)
{
    struct hf_named_settings ns = hf_named_settings_of(&s->service->options->o);
    ns.processes_max = hf_share_processes_max(s->service);
    ns.resident_max = (uint32_t)hf_node_part(s->worker->node, ns.resident_max);
    ns.warm = (uint32_t)hf_node_part(s->worker->node, ns.warm);
    ns.behaviour = &hf_service_behaviour;
    ns.ctx = s->host;
    ns.start_timeout_ns = s->service->class_settings.start_timeout_ns;
    ns.ended = hf_ends_note;
    ns.ended_ctx = &s->total->ends;
    ns.last_words = hf_service_has_shutdown(s->service->svc);
    return hf_named_class_add(s->worker->kernel, hf_app_service_name(s->service), &ns, &s->class, report);
}

static enum hf_err make_class(struct hf_share *s, struct hf_report *report)
{
    struct hf_worker *w = s->worker;
    struct hf_app_service *service = s->service;
    const char *name = hf_app_service_name(service);
    if (service->singleton && service->home != w->number) {
        struct hf_remote_settings way = {
            .request_timeout_ns = service->class_settings.request_timeout_ns, .unnamed = true, .gone = on_gone, .gone_ctx = s};
        return hf_between_add(w->between, name, w->node->workers[service->home].between, &way, &s->class, report);
    }
    enum hf_err err = hf_service_worker_new(service->svc, &w->io, &s->host, report);
    if (err != HF_OK)
        return err;
    if (hf_app_service_is_class(service)) /* hf_shares_name makes it */
        return HF_OK;
    struct hf_class_settings cs = service->class_settings;
    cs.behaviour = &hf_service_behaviour;
    cs.ctx = s->host;
    cs.ended = hf_ends_note;
    cs.ended_ctx = &s->total->ends;
    cs.unnamed = true;
    cs.held = s->held = service->singleton && must_wait(s);
    cs.gone = on_gone;
    cs.gone_ctx = s;
    return hf_class_add(w->kernel, name, &cs, &s->class, report);
}

static enum hf_err share_new(struct hf_worker *w, struct hf_app_service *service, struct hf_report *report)
{
    struct hf_share *s = calloc(1, sizeof *s);
    struct hf_total *t = s == NULL ? NULL : total_of(w, hf_app_service_name(service));
    if (t != NULL && hf_app_service_is_class(service) && t->shares > 0) {
        free(s);
        return hf_report_set(report, HF_AGAIN, "service \"%s\": what had this name before still finishes what it accepted; try again",
                             hf_app_service_name(service));
    }
    if (t == NULL || hf_meter_row(&w->meter, hf_view_of(hf_app_service_name(service)), hf_view_of(hf_app_service_tenant(service))) == NULL) {
        free(s);
        return hf_report_set(report, HF_LIMIT, "out of memory");
    }
    t->shares++;
    s->worker = w;
    s->total = t;
    s->service = hf_app_service_ref(service);
    hf_list_push_back(&w->shares, &s->in_worker);
    hf_list_push_back(&t->list, &s->in_total);
    enum hf_err err = make_class(s, report);
    if (err != HF_OK) {
        share_free(s);
        return err;
    }
    if (is_named(s)) /* makes processes when messages come */
        return HF_OK;
    bool name_is_new = true;
    HF_LIST_FOR(n, &t->list)
    {
        const struct hf_share *other = HF_LIST_ENTRY(n, struct hf_share, in_total);
        if (other != s && !other->closed)
            name_is_new = false;
    }
    if (name_is_new)
        hf_class_take_name(s->class);
    if (s->host != NULL)
        hf_class_warm(s->class);
    return HF_OK;
}

static void share_close(struct hf_share *s)
{
    s->closed = true;
    if (s->class != NULL)
        hf_class_close(s->class);
}

/* ---- a change ---- */

static void app_let_go(struct hf_worker_app *a)
{
    struct hf_worker *w = a->worker;
    hf_app_unref(a->app, w->ended ? NULL : &w->io);
    free(a);
}

static void on_released(struct hf_gateway_routes *routes)
{
    app_let_go(HF_CONTAINER_OF(routes, struct hf_worker_app, routes));
}

enum hf_err hf_shares_prepare(struct hf_worker *w, struct hf_app *to, struct hf_report *report)
{
    HF_ASSERT(w->next_app == NULL);
    struct hf_worker_app *a = calloc(1, sizeof *a);
    if (a == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    a->routes = (struct hf_gateway_routes){.table = to->routes, .released = on_released};
    a->worker = w;
    a->app = hf_app_ref(to);
    w->next_app = a;
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < to->n && err == HF_OK; i++)
        if (hf_share_find(w, to->entries[i].service) == NULL)
            err = share_new(w, to->entries[i].service, report);
    return err;
}

enum hf_err hf_shares_name(struct hf_worker *w, struct hf_report *report)
{
    enum hf_err err = HF_OK;
    HF_LIST_FOR(n, &w->shares)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (err == HF_OK && is_named(s) && s->class == NULL && !s->closed)
            err = make_named(s, report);
    }
    return err;
}

enum hf_err hf_shares_ready(struct hf_worker *w, struct hf_report *report)
{
    enum hf_err err = HF_OK;
    HF_LIST_FOR(n, &w->shares)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        struct hf_class_stats stats;
        if (s->phase != HF_SHARE_NEW || s->host == NULL || s->held || is_named(s))
            continue;
        hf_class_get_stats(s->class, &stats);
        if (stats.start_failures > 0)
            return hf_report_set(report, HF_TRAP, "service \"%s\" does not start: %.*s", hf_app_service_name(s->service),
                                 HF_FMT(hf_class_last_failure(s->class)));
        if (stats.started < s->service->class_settings.min)
            err = HF_AGAIN;
    }
    return err;
}

void hf_shares_switch(struct hf_worker *w)
{
    struct hf_worker_app *a = w->next_app;
    w->next_app = NULL;
    for (size_t i = 0; i < a->app->n; i++) {
        struct hf_share *s = hf_share_find(w, a->app->entries[i].service);
        if (s != NULL) /* a stop may have ended it */
            s->stays = true;
    }
    HF_LIST_FOR(n, &w->shares)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (s->phase == HF_SHARE_NEW) {
            if (!s->closed && !is_named(s)) /* a stop may have come between */
                hf_class_take_name(s->class);
            s->phase = HF_SHARE_SERVING;
        } else if (s->phase == HF_SHARE_SERVING && !s->stays) {
            s->phase = HF_SHARE_LEAVING;
        }
        s->stays = false;
    }
    w->app = a;
    hf_gateway_set_routes(w->gateway, &a->routes);
    release_singletons(w);
}

void hf_shares_retire(struct hf_worker *w)
{
    HF_LIST_FOR(n, &w->shares)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (s->phase == HF_SHARE_LEAVING && !s->closed)
            share_close(s);
    }
}

void hf_shares_undo(struct hf_worker *w)
{
    HF_LIST_FOR_SAFE(n, &w->shares)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (s->phase != HF_SHARE_NEW)
            continue;
        s->phase = HF_SHARE_LEAVING;
        share_close(s);
        if (s->class == NULL) /* no class that says when it is gone */
            share_free(s);
    }
    if (w->next_app != NULL)
        app_let_go(w->next_app);
    w->next_app = NULL;
}

/* ---- the end ---- */

void hf_shares_close(struct hf_worker *w)
{
    HF_LIST_FOR(n, &w->shares)
    {
        struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (!s->closed)
            share_close(s);
    }
}

void hf_shares_done(struct hf_worker *w)
{
    while (!hf_list_empty(&w->shares)) { /* classes of processes are gone with their kernel, and say no word */
        struct hf_share *s = HF_LIST_ENTRY(w->shares.next, struct hf_share, in_worker);
        HF_ASSERT(is_named(s));
        share_free(s);
    }
    if (w->next_app != NULL)
        app_let_go(w->next_app);
    if (w->app != NULL)
        app_let_go(w->app);
    w->next_app = w->app = NULL;
    while (!hf_list_empty(&w->totals))
        total_free(w, HF_LIST_ENTRY(w->totals.next, struct hf_total, in_worker));
    hf_map_done(&w->names);
}
