/* host_process.c - holdfast:kernel/processes and /http: who a process is, whom it knows, makes and watches, its timers; and a
 * request that came by HTTP, as such.
 */
#include "host/kernel_int.h"

#include "base/utf.h"
#include "host/http_int.h"
#include "kernel/name.h"

static struct hf_turn *turn_of(const struct hf_call *call)
{
    return hf_guest_of(call)->turn;
}

/* ---- self and capabilities ------------------------------------------------------------------------------- */

static enum hf_err do_name(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    *result = hf_value_bytes(hf_turn_name(turn_of(call)));
    return HF_OK;
}

static enum hf_err do_parent(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_view parent = hf_turn_parent(turn_of(call));
    (void)args;
    return hf_http_option_text(call, parent.len > 0, parent, result);
}

static enum hf_err do_holds(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    *result = hf_value_u64(hf_turn_holds(turn_of(call), hf_value_view(&args[0])));
    return HF_OK;
}

static enum hf_err do_keep(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_keep(turn_of(call), hf_value_view(&args[0])), NULL, result);
}

static enum hf_err do_release(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_drop(turn_of(call), hf_value_view(&args[0])), NULL, result);
}

/* ---- others ---------------------------------------------------------------------------------------------- */

static enum hf_err do_spawn(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_value *f = args[0].items; /* class, key, monitor, link */
    struct hf_spawn s = {
        .class = hf_value_view(&f[0]),
        .key = f[1].tag == 1 ? hf_value_view(&f[1].items[0]) : (struct hf_view){0},
        .monitor = f[2].u64 != 0,
        .link = f[3].u64 != 0,
    };
    uint64_t watch = 0;
    size_t len = 0;
    struct hf_value *v = hf_call_alloc(call, 3 * sizeof *v + HF_NAME_MAX);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    char *name = (char *)(v + 3);
    enum hf_said said = f[1].tag == 1 && s.key.len == 0 ? HF_SAID_INVALID /* an empty key is no wish for any */
                                                        : hf_turn_spawn(turn_of(call), &s, name, &len, &watch);
    bool watched = s.monitor || s.link;
    v[2] = hf_value_u64(watch);
    v[0] = hf_value_bytes(hf_view(name, len));
    v[1] = hf_value_case(watched, watched ? &v[2] : NULL);
    struct hf_value pair = {.items = v, .len = 2};
    return hf_said_result(call, said, &pair, result);
}

static enum hf_err do_stop(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_stop_child(turn_of(call), hf_value_view(&args[0])), NULL, result);
}

static enum hf_err do_kill(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    enum hf_said said = hf_turn_kill_child(turn_of(call), hf_value_view(&args[0]), hf_value_view(&args[1]));
    return hf_said_result(call, said, NULL, result);
}

static enum hf_err do_monitor(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint64_t watch = 0;
    enum hf_said said = hf_turn_monitor(turn_of(call), hf_value_view(&args[0]), &watch);
    struct hf_value v = hf_value_u64(watch);
    return hf_said_result(call, said, &v, result);
}

static enum hf_err do_link(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint64_t watch = 0;
    enum hf_said said = hf_turn_link(turn_of(call), hf_value_view(&args[0]), &watch);
    struct hf_value v = hf_value_u64(watch);
    return hf_said_result(call, said, &v, result);
}

static enum hf_err do_unwatch(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_unwatch(turn_of(call), args[0].u64), NULL, result);
}

static enum hf_err do_set_timer(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint64_t at, timer = 0;
    if (__builtin_add_overflow(hf_turn_now(turn_of(call)), args[0].u64, &at))
        at = UINT64_MAX;
    enum hf_said said = hf_turn_set_timer(turn_of(call), at, &timer);
    struct hf_value v = hf_value_u64(timer);
    return hf_said_result(call, said, &v, result);
}

static enum hf_err do_clear_timer(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_clear_timer(turn_of(call), args[0].u64), NULL, result);
}

enum hf_err hf_host_bind_processes(struct hf_registry *reg, struct hf_report *report)
{
    static const struct hf_binding table[] = {
        {"name", do_name},       {"parent", do_parent},   {"holds", do_holds},         {"keep", do_keep},
        {"release", do_release}, {"spawn", do_spawn},     {"stop", do_stop},           {"kill", do_kill},
        {"monitor", do_monitor}, {"link", do_link},       {"unwatch", do_unwatch},     {"set-timer", do_set_timer},
        {"clear-timer", do_clear_timer}, {NULL, NULL},
    };
    return hf_registry_bind_all(reg, HF_KERNEL_WIT "processes" HF_KERNEL_WIT_VERSION, table, report);
}

/* ---- http ------------------------------------------------------------------------------------------------ */

/* The request in question, when it came from a port with a head as its body. */
static bool http_head(struct hf_turn *turn, struct hf_head *ret)
{
    const struct hf_message *m = hf_turn_message(turn);
    struct hf_report report;
    if (m != NULL && m->kind != HF_MESSAGE_REQUEST)
        m = hf_turn_nested(turn);
    hf_report_init(&report);
    return m != NULL && m->source.len == 0 && hf_head_read(m->body, ret, &report) == HF_OK && ret->kind == HF_HEAD_REQUEST &&
           hf_utf8_valid(ret->method.ptr, ret->method.len) && hf_utf8_valid(ret->path.ptr, ret->path.len) &&
           hf_utf8_valid(ret->authority.ptr, ret->authority.len) && hf_utf8_valid(ret->scheme.ptr, ret->scheme.len);
}

static enum hf_err do_request(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_view name, value;
    struct hf_head head;
    size_t at = 0, n = 0;
    (void)args;
    *result = hf_value_case(0, NULL);
    if (!http_head(turn_of(call), &head))
        return HF_OK;
    struct hf_value *v = hf_call_alloc(call, (6 + (size_t)head.n_fields * 3) * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    struct hf_value *fields = v + 6, *pairs = fields + head.n_fields;
    for (; hf_head_next(&head, &at, &name, &value); n++) {
        pairs[n * 2] = hf_value_bytes(name);
        pairs[n * 2 + 1] = hf_value_bytes(value);
        fields[n] = (struct hf_value){.items = &pairs[n * 2], .len = 2};
    }
    v[1] = hf_value_bytes(head.method);
    v[2] = hf_value_bytes(head.path);
    v[3] = hf_value_bytes(head.scheme);
    v[4] = hf_value_bytes(head.authority);
    v[5] = (struct hf_value){.items = fields, .len = (uint32_t)n};
    v[0] = (struct hf_value){.items = &v[1], .len = 5};
    *result = hf_value_case(1, &v[0]);
    return HF_OK;
}

/* args: status, headers, body. HF_INVALID: they make no head that could be sent. */
static enum hf_err build(const struct hf_value *args, struct hf_response *ret)
{
    struct hf_head_writer w;
    if (args[2].tag == 1)
        ret->blob = hf_guest_blob_consume(args[2].items[0].obj);
    if (args[0].u64 < 200 || args[0].u64 > 999)
        return HF_INVALID;
    enum hf_err err = hf_head_begin_response(&w, &ret->body, ret->blob == NULL ? HF_HEAD_NO_BODY : 0, (uint16_t)args[0].u64);
    for (uint32_t i = 0; i < args[1].len && err == HF_OK; i++) {
        const struct hf_value *pair = args[1].items[i].items;
        struct hf_view name = hf_value_view(&pair[0]);
        err = hf_http_token(name) ? hf_head_field(&w, name, hf_value_view(&pair[1])) : HF_INVALID;
    }
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

static enum hf_err answer(struct hf_call *call, const uint64_t *token, const struct hf_value *args, struct hf_value *result)
{
    struct hf_response r = {0};
    enum hf_err err = build(args, &r);
    enum hf_said said = err == HF_INVALID ? HF_SAID_INVALID
                        : err != HF_OK    ? HF_SAID_LIMIT
                        : token != NULL   ? hf_turn_answer(turn_of(call), *token, &r)
                                          : hf_turn_reply(turn_of(call), &r);
    hf_response_done(&r);
    return hf_said_result(call, said, NULL, result);
}

static enum hf_err http_respond(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return answer(call, NULL, args, result);
}

static enum hf_err http_answer(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return answer(call, &args[0].u64, &args[1], result);
}

enum hf_err hf_host_bind_process_http(struct hf_registry *reg, struct hf_report *report)
{
    static const struct hf_binding table[] = {
        {"request", do_request}, {"respond", http_respond}, {"answer", http_answer}, {NULL, NULL}};
    return hf_registry_bind_all(reg, HF_KERNEL_WIT "http" HF_KERNEL_WIT_VERSION, table, report);
}
