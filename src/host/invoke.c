/* invoke.c - calling any exported function by name, with arguments and result as WAVE text or as JSON.
 *
 * Names: "function", "interface#function" ("wasi:cli/run#run", with or without a version), or the function's bare name
 * when only one interface exports it.
 */
#include "host/service_int.h"

#include <stdlib.h>

static bool next_text(struct hf_view *rest, struct hf_view *ret)
{
    if (rest->len == 0)
        return false;
    size_t n = hf_view_find(*rest, 0);
    *ret = hf_view_take(*rest, n);
    *rest = hf_view_skip(*rest, n + 1);
    return true;
}

static void list_exports(const struct hf_component *c, struct hf_report *report)
{
    struct hf_view iface, name;
    struct hf_buf sig = {0};
    const struct hf_export *e;
    for (size_t i = 0; i < 50 && (e = hf_component_export_at(c, i, &iface, &name)) != NULL; i++) {
        hf_buf_clear(&sig);
        if (hf_ftype_text(hf_export_type(e), &sig) != HF_OK)
            break;
        hf_report_add(report, "  %.*s%s%.*s: %.*s", HF_FMT(iface), iface.len > 0 ? "#" : "", HF_FMT(name), HF_FMT(hf_buf_view(&sig)));
    }
    hf_buf_done(&sig);
}

static enum hf_err find(const struct hf_component *c, struct hf_view want, const struct hf_export **ret, struct hf_report *report)
{
    size_t hash = hf_view_find(want, '#');
    struct hf_view iface, name;
    const struct hf_export *e, *found = NULL;
    unsigned n = 0;

    if (hash < want.len) {
        char *i = hf_view_dup(hf_view_take(want, hash)), *f = hf_view_dup(hf_view_skip(want, hash + 1));
        if (i != NULL && f != NULL)
            found = hf_component_find(c, i, f);
        n = found != NULL;
        free(i);
        free(f);
    } else {
        for (size_t i = 0; (e = hf_component_export_at(c, i, &iface, &name)) != NULL; i++) {
            if (!hf_view_eq(name, want))
                continue;
            if (iface.len == 0) {
                n = 1;
                found = e;
                break;
            }
            n++;
            found = e;
        }
    }
    if (n != 1) {
        hf_report_set(report, HF_NOT_FOUND, n == 0 ? "no exported function is called '%.*s'" : "several interfaces export '%.*s': write interface#function",
                      HF_FMT(want));
        hf_report_add(report, "exported here:");
        list_exports(c, report);
        return HF_NOT_FOUND;
    }
    *ret = found;
    return HF_OK;
}

enum hf_err hf_invoke_begin(struct hf_guest *g, const struct hf_message *msg, struct hf_report *report)
{
    struct hf_component *c = g->worker->svc->component;
    struct hf_view rest = msg->body, text = {0};
    const struct hf_export *e;
    struct hf_value args[64];
    bool json = g->worker->svc->s.invoke_json;
    struct hf_arena arena;
    size_t n = 0;

    if (!next_text(&rest, &text))
        return hf_report_set(report, HF_INVALID, "no function was named");
    enum hf_err err = find(c, text, &e, report);
    if (err != HF_OK)
        return err;
    const struct hf_ftype *t = hf_export_type(e);
    hf_arena_init(&arena, 4096, 64u << 20);
    while (err == HF_OK && next_text(&rest, &text)) {
        if (n == t->n_params || n == HF_ARRAY_LEN(args)) {
            n++;
            break;
        }
        err = (json ? hf_value_json_read : hf_value_parse)(t->params[n].type, text, &arena, &args[n], report);
        if (err != HF_OK)
            hf_report_wrap(report, err, "argument %zu (%.*s)", n + 1, HF_FMT(t->params[n].name));
        n++;
    }
    if (err == HF_OK && n != t->n_params) {
        struct hf_buf sig = {0};
        (void)!hf_ftype_text(t, &sig);
        err = hf_report_set(report, HF_INVALID, "it takes %u argument%s%s: %.*s", t->n_params, t->n_params == 1 ? "" : "s",
                            n > t->n_params ? ", more were given" : "", HF_FMT(hf_buf_view(&sig)));
        hf_buf_done(&sig);
    }
    if (err == HF_OK) {
        err = hf_instance_call(g->inst, e, args, n);
        if (err != HF_OK)
            hf_report_set(report, err, "the call could not be made: %s", hf_instance_report(g->inst)->text);
        else
            g->invoke_type = t;
    }
    if (err == HF_OK) {
        g->invoke_arena = arena; /* the values live until the call is over */
        return HF_OK;
    }
    hf_arena_done(&arena);
    return err;
}

enum hf_err hf_invoke_answer(struct hf_guest *g)
{
    struct hf_buf text = {0};
    struct hf_blob *none = NULL;
    const struct hf_value *v = hf_instance_result(g->inst);
    enum hf_err err = HF_OK;
    bool json = g->worker->svc->s.invoke_json;
    if (v != NULL && g->invoke_type->result != NULL)
        err = (json ? hf_value_json_write : hf_value_print)(g->invoke_type->result, v, &text);
    else if (json)
        err = hf_buf_add_text(&text, "null");
    hf_arena_done(&g->invoke_arena);
    if (err != HF_OK)
        return hf_report_set(hf_instance_report(g->inst), err, "the result cannot be written as text");
    hf_turn_respond(g->turn, &text, &none);
    hf_buf_done(&text);
    return HF_OK;
}
