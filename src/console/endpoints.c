/* endpoints.c - the table of what the admin door answers to, and those that look or change.
 *
 * Paths carry a version: what is under /v1 keeps its shape (tests/console/json_test.c). */
#include "console/inside.h"

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"

/* ---- looking ---- */

static struct hf_json_look look_of(struct hf_admin_call *c, struct hf_admin_node *node)
{
    c->admin->ops->node(c->admin->ops->ctx, node);
    return (struct hf_json_look){.ops = c->admin->ops, .node = node, .picture = c->task.picture};
}

static enum hf_end look(struct hf_admin_call *c, struct hf_turn *turn, hf_admin_step next)
{
    c->task.kind = HF_ADMIN_LOOK;
    return hf_admin_begin(c, turn, next);
}

/* What writes `ok` into `body`, or there was no memory for it. */
static enum hf_end shown(struct hf_admin_call *c, struct hf_turn *turn, bool ok, const char *type,
                         struct hf_buf *body)
{
    if (ok)
        return hf_admin_answer(c, turn, 200, type, body);
    hf_buf_done(body);
    return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
}

#define SHOW(name, type, write)                                                                    \
    static enum hf_end name##_shown(struct hf_admin_call *c, struct hf_turn *turn)                 \
    {                                                                                              \
        struct hf_admin_node node;                                                                 \
        struct hf_buf body = {0};                                                                  \
        if (c->task.picture == NULL)                                                               \
            return hf_admin_refuse_task(c, turn);                                                  \
        struct hf_json_look l = look_of(c, &node);                                                 \
        bool ok = write;                                                                           \
        return shown(c, turn, ok, type, &body);                                                    \
    }                                                                                              \
    static enum hf_end name(struct hf_admin_call *c, struct hf_turn *turn)                         \
    {                                                                                              \
        return look(c, turn, name##_shown);                                                        \
    }

static struct hf_view service_asked(const struct hf_admin_call *c)
{
    struct hf_view service = {0};
    hf_admin_target_query(&c->target, "service", &service);
    return service;
}

SHOW(show_metrics, "text/plain; version=0.0.4; charset=utf-8", hf_metrics_write(&body, &l))
SHOW(show_node, JSON, hf_json_node(&body, &l))
SHOW(show_services, JSON, hf_json_services(&body, &l))
SHOW(show_instances, JSON, hf_json_instances(&body, &l, service_asked(c)))

static enum hf_end service_shown(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin_node node;
    struct hf_buf body = {0};
    if (c->task.picture == NULL)
        return hf_admin_refuse_task(c, turn);
    struct hf_json_look l = look_of(c, &node);
    const struct hf_shot_service *s = hf_picture_service(l.picture, c->target.segment[2]);
    if (s == NULL)
        return hf_admin_refuse(c, turn, 404, HF_CODE_USAGE, "there is no service \"%.*s\" here",
                               HF_FMT(hf_view_take(c->target.segment[2], 200)));
    bool ok = hf_json_service(&body, &l, s);
    return shown(c, turn, ok, JSON, &body);
}

static enum hf_end show_service(struct hf_admin_call *c, struct hf_turn *turn)
{
    return look(c, turn, service_shown);
}

/* ---- is it well ---- */

static enum hf_end verdict(struct hf_admin_call *c, struct hf_turn *turn, const char *good,
                           struct hf_buf *bad, bool ok)
{
    struct hf_buf body = {0};
    uint16_t status = ok && bad->len == 0 ? 200 : 503;
    if (status == 200)
        ok = hf_buf_add_text(&body, good) == HF_OK;
    else if (ok) {
        body = *bad;
        *bad = (struct hf_buf){0};
    }
    hf_buf_done(bad);
    if (!ok) {
        hf_buf_done(&body);
        return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
    }
    return hf_admin_answer(c, turn, status, TEXT, &body);
}

static bool add_silent(struct hf_buf *bad, const struct hf_picture *p)
{
    bool ok = true;
    for (size_t i = 0; i < p->workers.len; i++)
        if (p->workers.ptr[i].silent)
            ok &= hf_buf_printf(bad, "worker %u does not answer\n", p->workers.ptr[i].number) ==
                  HF_OK;
    return ok;
}

static enum hf_end health_seen(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buf bad = {0};
    if (c->task.picture == NULL)
        return hf_admin_refuse_task(c, turn);
    bool ok = add_silent(&bad, c->task.picture);
    return verdict(c, turn, "ok\n", &bad, ok);
}

static enum hf_end show_health(struct hf_admin_call *c, struct hf_turn *turn)
{
    return look(c, turn, health_seen);
}

static enum hf_end readiness_seen(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin_node node;
    struct hf_buf bad = {0};
    bool ok = true;
    const struct hf_picture *p = c->task.picture;
    if (p == NULL)
        return hf_admin_refuse_task(c, turn);
    look_of(c, &node);
    if (node.stopping)
        ok &= hf_buf_add_text(&bad, "the node is stopping\n") == HF_OK;
    ok &= add_silent(&bad, p);
    for (size_t i = 0; i < p->services.len; i++) {
        const struct hf_shot_service *s = &p->services.ptr[i];
        bool waits = !s->old && s->started == 0 && s->min > 0;
        if (waits && s->last_failure[0] != 0)
            ok &= hf_buf_printf(&bad, "service %s has not started: %s\n", s->name,
                                s->last_failure) == HF_OK;
        else if (waits)
            ok &= hf_buf_printf(&bad, "service %s has not started yet\n", s->name) == HF_OK;
    }
    return verdict(c, turn, "ready\n", &bad, ok);
}

static enum hf_end show_readiness(struct hf_admin_call *c, struct hf_turn *turn)
{
    return look(c, turn, readiness_seen);
}

/* ---- changing ---- */

static enum hf_end changed(struct hf_admin_call *c, struct hf_turn *turn)
{
    static const char *const what[] = {"",       "reloaded", "deployed", "rolled back",
                                       "killed", "stopping"};
    const struct hf_admin_task *t = &c->task;
    struct hf_buf body = {0};
    if (t->http != 200 && t->http != 202)
        return hf_admin_refuse_task(c, turn);
    if (!hf_json_done(&body, what[t->kind], hf_view_of(t->name), hf_buf_view(&t->text),
                      t->kind == HF_ADMIN_KILL ? &t->number : NULL)) {
        hf_buf_done(&body);
        return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT,
                               "it is done, but there is no memory to say so");
    }
    return hf_admin_answer(c, turn, t->http, JSON, &body);
}

/* `name` is the service's of the path. */
static enum hf_end change(struct hf_admin_call *c, struct hf_turn *turn, enum hf_admin_kind kind,
                          struct hf_view name)
{
    if (name.len >= sizeof c->task.name || (name.len > 0 && memchr(name.ptr, 0, name.len) != NULL))
        return hf_admin_refuse(c, turn, 404, HF_CODE_USAGE, "there is no service of that name");
    if (name.len > 0)
        memcpy(c->task.name, name.ptr, name.len);
    c->task.kind = kind;
    return hf_admin_begin(c, turn, changed);
}

static enum hf_end reload(struct hf_admin_call *c, struct hf_turn *turn)
{
    return change(c, turn, HF_ADMIN_RELOAD, (struct hf_view){0});
}

static enum hf_end stop(struct hf_admin_call *c, struct hf_turn *turn)
{
    return change(c, turn, HF_ADMIN_STOP, (struct hf_view){0});
}

static enum hf_end rollback(struct hf_admin_call *c, struct hf_turn *turn)
{
    return change(c, turn, HF_ADMIN_ROLLBACK, c->target.segment[2]);
}

static enum hf_end deploy(struct hf_admin_call *c, struct hf_turn *turn)
{
    if (c->body.len == 0)
        return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE,
                               "the component is to be the request's body, which is empty");
    c->task.bytes = c->body;
    c->body = (struct hf_buf){0};
    return change(c, turn, HF_ADMIN_DEPLOY, c->target.segment[2]);
}

static enum hf_end kill_one(struct hf_admin_call *c, struct hf_turn *turn)
{
    if (!hf_admin_number(c->target.segment[2], UINT64_MAX, &c->task.id) || c->task.id == 0)
        return hf_admin_refuse(
            c, turn, 400, HF_CODE_USAGE,
            "\"%.*s\" is not the number of an instance (holdfast ps shows them); "
            "/v1/kill?service=NAME ends all of a service",
            HF_FMT(hf_view_take(c->target.segment[2], 100)));
    return change(c, turn, HF_ADMIN_KILL, (struct hf_view){0});
}

static enum hf_end kill_all(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_view service = service_asked(c);
    if (service.len == 0)
        return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE,
                               "say which: /v1/kill/INSTANCE, or /v1/kill?service=NAME for all of "
                               "a service");
    return change(c, turn, HF_ADMIN_KILL, service);
}

/* ---- the table ---- */

static enum hf_end show_list(struct hf_admin_call *c, struct hf_turn *turn);

const struct hf_endpoint hf_endpoints[] = {
    {"GET", "/", show_list, HF_BODY_NO, "this list"},
    {"GET", "/metrics", show_metrics, HF_BODY_NO, "counters and histograms as Prometheus text"},
    {"GET", "/healthz", show_health, HF_BODY_NO, "200 while every worker answers"},
    {"GET", "/readyz", show_readiness, HF_BODY_NO,
     "200 when every service has started, and no stop"},
    {"GET", "/v1/node", show_node, HF_BODY_NO, "the node and its workers"},
    {"GET", "/v1/services", show_services, HF_BODY_NO, "all services"},
    {"GET", "/v1/services/NAME", show_service, HF_BODY_NO, "one of them"},
    {"GET", "/v1/instances", show_instances, HF_BODY_NO, "instances; ?service=NAME"},
    {"GET", "/v1/logs", hf_admin_logs, HF_BODY_NO,
     "the newest lines; ?lines=N&service=NAME&follow"},
    {"GET", "/v1/processes/NAME", hf_admin_process, HF_BODY_NO,
     "one process: mailbox, duties, memory (a / in NAME is %2F)"},
    {"POST", "/v1/processes/NAME/call", hf_admin_process_call, HF_BODY_OWN,
     "the body is a request to it; ?timeout=T&metadata=M&body=N&blob"},
    {"POST", "/v1/processes/NAME/send", hf_admin_process_send, HF_BODY_OWN,
     "the same, and no answer is wanted"},
    {"POST", "/v1/processes/NAME/kill", hf_admin_process_kill, HF_BODY_NO, "end it; not restarted"},
    {"POST", "/v1/reload", reload, HF_BODY_NO, "read the manifest again"},
    {"POST", "/v1/deploy/NAME", deploy, HF_BODY_UPLOAD, "the body becomes the service's component"},
    {"POST", "/v1/rollback/NAME", rollback, HF_BODY_NO, "the component that it had before"},
    {"POST", "/v1/kill/INSTANCE", kill_one, HF_BODY_NO, "end an instance"},
    {"POST", "/v1/kill", kill_all, HF_BODY_NO, "?service=NAME: end all of its instances"},
    {"POST", "/v1/stop", stop, HF_BODY_NO, "finish what is in hand, then end"},
    {"GET", "/v1/kv/BUCKET", hf_admin_kv_list, HF_BODY_NO,
     "keys; ?service=NAME&prefix=P&cursor=C&max=N"},
    {"GET", "/v1/kv/BUCKET/KEY", hf_admin_kv_get, HF_BODY_NO, "a value, as it is; ?service=NAME"},
    {"PUT", "/v1/kv/BUCKET/KEY", hf_admin_kv_put, HF_BODY_VALUE, "the body becomes the value"},
    {"DELETE", "/v1/kv/BUCKET/KEY", hf_admin_kv_delete, HF_BODY_NO, "the key is gone after"},
};
const size_t hf_n_endpoints = HF_ARRAY_LEN(hf_endpoints);

static enum hf_end show_list(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    bool ok = true;
    for (size_t i = 0; i < hf_n_endpoints; i++)
        ok &= hf_buf_printf(&body, "%-6s %-20s %s\n", hf_endpoints[i].method, hf_endpoints[i].path,
                            hf_endpoints[i].about) == HF_OK;
    return shown(c, turn, ok, TEXT, &body);
}
