/* options.c - see options.h. */
#include "node/options.h"

#include "base/err.h"
#include "host/net_rules.h"
#include "kernel/name.h"
#include "host/outbound.h"
#include "node/node_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A new option must be copied and compared here. */
_Static_assert(sizeof(struct hf_service_options) == 280, "hf_options_new and hf_options_same know every option");
_Static_assert(sizeof(struct hf_process_options) == 80, "so do copy_process and same_process");

/* ---- checking -------------------------------------------------------------------------------------------- */

static enum hf_status usage(struct hf_words *msg, const char *text)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", text);
    return HF_STATUS_USAGE;
}

static enum hf_status check_patterns(const char *const *patterns, struct hf_words *msg)
{
    struct hf_report why;
    hf_report_init(&why);
    for (; patterns != NULL && *patterns != NULL; patterns++)
        if (hf_name_check_pattern(hf_view_of(*patterns), &why) != HF_OK)
            return usage(msg, why.text);
    return HF_STATUS_OK;
}

bool hf_options_widen(const void *from, size_t size, void *to, size_t full)
{
    if (size < 2 * sizeof(size_t) || size > full || size % sizeof(size_t) != 0)
        return false;
    memset(to, 0, full);
    memcpy(to, from, size);
    memcpy(to, &full, sizeof full); /* its own `size` */
    return true;
}

/* What would not matter is refused: who sets it expects something of it. */
static enum hf_status check_process(const struct hf_service_options *o, struct hf_words *msg)
{
    const struct hf_process_options *p = o->process;
    struct hf_report why;
    hf_report_init(&why);
    if (o->kind > HF_KIND_RUNNER)
        return usage(msg, "hf_service_options.kind is none of enum hf_kind");
    if (o->kind == HF_KIND_SERVICE)
        return p == NULL ? HF_STATUS_OK : usage(msg, "hf_service_options.process is of a HANDLER or a RUNNER, and kind says SERVICE");
    if (o->name == NULL)
        return usage(msg, "a class of processes needs a name");
    if (hf_name_check_class(hf_view_of(o->name), &why) != HF_OK)
        return usage(msg, why.text);
    if (o->instances != HF_INSTANCES_REUSE || o->min != 0 || o->max != 0 || o->queue_max != 0 || o->queue_timeout_ns != 0 ||
        o->after_timeout_ns != 0 || o->max_requests != 0 || o->max_age_ns != 0)
        return usage(msg, "a class of processes has no instances, min, max, queue_max, queue_timeout_ns, after_timeout_ns, max_requests "
                          "and max_age_ns: processes_max and mailbox_max are its limits");
    if (o->kind == HF_KIND_RUNNER && (o->idle_timeout_ns != 0 || (p != NULL && p->turn_timeout_ns != 0)))
        return usage(msg, "a RUNNER takes its messages itself: it has no idle_timeout_ns and no turn_timeout_ns");
    if (p == NULL)
        return HF_STATUS_OK;
    if (o->kind == HF_KIND_RUNNER && p->resident_max != 0)
        return usage(msg, "a RUNNER is never evicted: it has no resident_max");
    if (p->restart > HF_RESTARTS_SOME)
        return usage(msg, "hf_process_options.restart is none of enum hf_restarts");
    enum hf_status st = check_patterns(p->sends, msg);
    return st != HF_STATUS_OK ? st : check_patterns(p->spawns, msg);
}

enum hf_status hf_node_check_options(const struct hf_service_options *o, struct hf_words *msg)
{
    struct hf_report report;
    struct hf_net_rules *rules = NULL;
    if (o->size != sizeof *o || o->path == NULL)
        return usage(msg, "hf_service_options: size or path is wrong");
    if (o->name != NULL && (o->name[0] == 0 || strlen(o->name) > HF_SERVICE_NAME_MAX))
        return usage(msg, "a service's name has 1 to 127 bytes");
    for (const char *c = o->name; c != NULL && *c != 0; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) /* it stands in logs and metrics */
            return usage(msg, "a service's name has no control characters");
    enum hf_status st = check_process(o, msg);
    if (st != HF_STATUS_OK)
        return st;
    if (o->instances != HF_INSTANCES_SINGLETON && o->max != 0 && o->min > o->max)
        return usage(msg, "min is more than max");
    hf_report_init(&report);
    enum hf_err err = hf_net_rules_new(o->net, &rules, &report);
    hf_net_rules_free(rules);
    rules = NULL;
    if (err == HF_OK)
        err = hf_outbound_rules(o->outbound, NULL, &rules, &report);
    hf_net_rules_free(rules);
    return err == HF_INVALID ? usage(msg, report.text) : hf_node_result(err, &report, msg);
}

/* ---- copying --------------------------------------------------------------------------------------------- */

static bool copy_text(struct hf_arena *a, const char **text)
{
    if (*text == NULL)
        return true;
    *text = (const char *)hf_arena_copy(a, hf_view_of(*text)).ptr;
    return *text != NULL;
}

static bool copy_list(struct hf_arena *a, const char *const **list)
{
    size_t n = 0;
    if (*list == NULL)
        return true;
    while ((*list)[n] != NULL)
        n++;
    const char **copy = hf_arena_array(a, n + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = (*list)[i];
        if (!copy_text(a, &copy[i]))
            return false;
    }
    *list = copy;
    return copy != NULL;
}

/* The file's name without its ending. */
static bool name_of(struct hf_arena *a, const char *path, const char **ret)
{
    const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(base, '.');
    size_t n = dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);
    *ret = (const char *)hf_arena_copy(a, hf_view(base, n < HF_SERVICE_NAME_MAX ? n : HF_SERVICE_NAME_MAX)).ptr;
    return *ret != NULL;
}

static bool copy_routes(struct hf_arena *a, struct hf_service_options *o)
{
    const struct hf_route one = {.host = o->host, .path = o->prefix};
    const struct hf_route *from = o->routes != NULL ? o->routes : &one;
    bool none = o->kind != HF_KIND_SERVICE && o->host == NULL && o->prefix == NULL; /* a process is no web server by itself */
    size_t n = o->routes != NULL ? o->n_routes : none ? 0 : 1;
    struct hf_route *copy = hf_arena_array(a, n + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = from[i];
        if (copy[i].path == NULL)
            copy[i].path = "/";
        if (!copy_text(a, &copy[i].host) || !copy_text(a, &copy[i].path) || !copy_text(a, &copy[i].method))
            return false;
    }
    o->routes = copy;
    o->n_routes = n;
    o->host = o->prefix = NULL;
    return copy != NULL;
}

static bool copy_process(struct hf_arena *a, const struct hf_process_options **process)
{
    if (*process == NULL)
        return true;
    struct hf_process_options *copy = hf_arena_array(a, 1, sizeof *copy);
    if (copy == NULL)
        return false;
    *copy = **process;
    *process = copy;
    return copy_list(a, &copy->sends) && copy_list(a, &copy->spawns);
}

enum hf_err hf_options_new(const struct hf_service_options *o, struct hf_options **ret)
{
    struct hf_options *c = calloc(1, sizeof *c);
    if (c == NULL)
        return HF_LIMIT;
    hf_arena_init(&c->arena, 1024, SIZE_MAX);
    atomic_init(&c->refs, 1);
    c->o = *o;
    struct hf_arena *a = &c->arena;
    const char **const texts[] = {&c->o.name, &c->o.path, &c->o.tls_ca, &c->o.tenant, &c->o.sha256};
    bool ok = copy_routes(a, &c->o) && copy_process(a, &c->o.process);
    const char *const **const lists[] = {&c->o.env, &c->o.args, &c->o.keyvalue, &c->o.config, &c->o.dirs, &c->o.net, &c->o.outbound};
    if (c->o.name == NULL)
        ok = ok && name_of(a, c->o.path, &c->o.name);
    for (size_t i = 0; i < HF_ARRAY_LEN(texts); i++)
        ok = ok && copy_text(a, texts[i]);
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        ok = ok && copy_list(a, lists[i]);
    if (!ok) {
        hf_options_unref(c);
        return HF_LIMIT;
    }
    *ret = c;
    return HF_OK;
}

struct hf_options *hf_options_ref(struct hf_options *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void hf_options_unref(struct hf_options *o)
{
    if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    hf_arena_done(&o->arena);
    free(o);
}

/* ---- comparing ------------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_list(const char *const *a, const char *const *b)
{
    if (a == NULL || b == NULL)
        return (a == NULL || a[0] == NULL) && (b == NULL || b[0] == NULL);
    for (; *a != NULL && *b != NULL; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

static bool same_process(const struct hf_process_options *a, const struct hf_process_options *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return same_list(a->sends, b->sends) && same_list(a->spawns, b->spawns) && a->restart == b->restart &&
           a->restart_max == b->restart_max && a->restart_within_ns == b->restart_within_ns && a->backoff_ns == b->backoff_ns &&
           a->backoff_max_ns == b->backoff_max_ns && a->processes_max == b->processes_max && a->mailbox_max == b->mailbox_max &&
           a->turn_timeout_ns == b->turn_timeout_ns && a->spawned == b->spawned && a->trap_links == b->trap_links &&
           a->resident_max == b->resident_max && a->warm == b->warm;
}

bool hf_options_same(const struct hf_options *one, const struct hf_options *other)
{
    const struct hf_service_options *a = &one->o, *b = &other->o;
    return a->kind == b->kind && same_process(a->process, b->process) && a->instances == b->instances && a->max == b->max && a->queue_max == b->queue_max && a->min == b->min &&
           a->handles_max == b->handles_max && a->files_max == b->files_max && a->queue_timeout_ns == b->queue_timeout_ns &&
           a->request_timeout_ns == b->request_timeout_ns && a->after_timeout_ns == b->after_timeout_ns &&
           a->max_requests == b->max_requests && a->idle_timeout_ns == b->idle_timeout_ns && a->max_age_ns == b->max_age_ns &&
           a->memory_max == b->memory_max && a->slice_ns == b->slice_ns && a->log_lines_max == b->log_lines_max &&
           a->log_bytes_max == b->log_bytes_max && a->no_trace == b->no_trace && same_text(a->name, b->name) &&
           same_text(a->tenant, b->tenant) && same_text(a->tls_ca, b->tls_ca) && same_list(a->env, b->env) &&
           same_list(a->args, b->args) && same_list(a->keyvalue, b->keyvalue) && same_list(a->config, b->config) &&
           same_list(a->dirs, b->dirs) && same_list(a->net, b->net) && same_list(a->outbound, b->outbound);
}
