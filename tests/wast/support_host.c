/* support_host.c - what Wasmtime's own component suites expect of a host (reference component-model
 * 5.2): an instance "host" with functions, a nested instance, resources whose drops are counted,
 * and a core module; and two functions outside any instance.
 *
 * The types stand here as text, read like a WIT package. Drops are counted over the whole run, as
 * there: scripts look at differences.
 */
#include <stdlib.h>

#include "component/registry.h"
#include "support_host.h"

static const char types[] =
    "(component"
    " (type $host (component (export \"host\" (instance"
    "  (export \"return-three\" (func (result u32)))"
    "  (export \"nested\" (instance (export \"return-four\" (func (result u32)))))"
    "  (export \"simple-module\" (core module"
    "   (export \"f\" (func (result i32))) (export \"g\" (global i32))))"
    "  (export \"resource1\" (type $r (sub resource)))"
    "  (export \"resource2\" (type (sub resource)))"
    "  (export \"resource1-again\" (type (eq $r)))"
    "  (export \"[constructor]resource1\" (func (param \"r\" u32) (result (own $r))))"
    "  (export \"[static]resource1.assert\" (func (param \"r\" (own $r)) (param \"rep\" u32)))"
    "  (export \"[static]resource1.last-drop\" (func (result u32)))"
    "  (export \"[static]resource1.drops\" (func (result u32)))"
    "  (export \"[method]resource1.simple\""
    "   (func (param \"self\" (borrow $r)) (param \"rep\" u32)))"
    "  (export \"[method]resource1.take-borrow\""
    "   (func (param \"self\" (borrow $r)) (param \"b\" (borrow $r))))"
    "  (export \"[method]resource1.take-own\""
    "   (func (param \"self\" (borrow $r)) (param \"b\" (own $r))))))))"
    " (export \"host\" (type $host))"
    " (type $outside (component (export \"outside\" (instance"
    "  (export \"host-return-two\" (func (result u32)))"
    "  (export \"host-echo-u32\" (func (param \"v\" u32) (result u32)))))))"
    " (export \"outside\" (type $outside)))";

static const char simple_module[] = "(module (global (export \"g\") i32 (i32.const 100))"
                                    " (func (export \"f\") (result i32) (i32.const 101)))";

/* ---- functions ---- */

static enum hf_err return_two(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    (void)call, (void)args;
    *result = hf_value_u64(2);
    return HF_OK;
}

static enum hf_err return_three(struct hf_call *call, const struct hf_value *args,
                                struct hf_value *result)
{
    (void)call, (void)args;
    *result = hf_value_u64(3);
    return HF_OK;
}

static enum hf_err return_four(struct hf_call *call, const struct hf_value *args,
                               struct hf_value *result)
{
    (void)call, (void)args;
    *result = hf_value_u64(4);
    return HF_OK;
}

static enum hf_err echo(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call;
    *result = args[0];
    return HF_OK;
}

/* ---- resource1: an object that knows its number ---- */

struct thing {
    uint32_t rep;
};

static enum hf_err drop(struct hf_call *call, void *obj)
{
    struct thing *t = obj;
    if (call != NULL) { /* else its instance ended: nobody dropped it */
        struct wast_host *host = hf_call_ctx(call);
        host->drops++;
        host->last_drop = t->rep;
    }
    free(t);
    return HF_OK;
}

static enum hf_err construct(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    struct thing *t = malloc(sizeof *t);
    if (t == NULL)
        return hf_call_limit(call, "memory");
    t->rep = (uint32_t)args[0].u64;
    *result = hf_value_obj(t);
    return HF_OK;
}

static enum hf_err is_rep(struct hf_call *call, const struct thing *t, uint64_t rep)
{
    return t->rep == rep ? HF_OK
                         : hf_call_trap(call, "the resource is %u, not %u", t->rep, (uint32_t)rep);
}

static enum hf_err assert_rep(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    (void)result;
    enum hf_err err = is_rep(call, args[0].obj, args[1].u64);
    free(args[0].obj); /* taken, not dropped */
    return err;
}

static enum hf_err simple(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    (void)result;
    return is_rep(call, args[0].obj, args[1].u64);
}

static enum hf_err take_borrow(struct hf_call *call, const struct hf_value *args,
                               struct hf_value *result)
{
    (void)call, (void)args, (void)result;
    return HF_OK;
}

static enum hf_err take_own(struct hf_call *call, const struct hf_value *args,
                            struct hf_value *result)
{
    (void)call, (void)result;
    free(args[1].obj);
    return HF_OK;
}

static enum hf_err last_drop(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    const struct wast_host *host = hf_call_ctx(call);
    (void)args;
    *result = hf_value_u64(host->last_drop);
    return HF_OK;
}

static enum hf_err drops(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct wast_host *host = hf_call_ctx(call);
    (void)args;
    *result = hf_value_u64(host->drops);
    return HF_OK;
}

/* ---- the registry ---- */

static const struct hf_binding host_functions[] = {{"return-three", return_three},
                                                   {"return-four", return_four},
                                                   {"[constructor]resource1", construct},
                                                   {"[static]resource1.assert", assert_rep},
                                                   {"[static]resource1.last-drop", last_drop},
                                                   {"[static]resource1.drops", drops},
                                                   {"[method]resource1.simple", simple},
                                                   {"[method]resource1.take-borrow", take_borrow},
                                                   {"[method]resource1.take-own", take_own},
                                                   {NULL, NULL}};
static const struct hf_binding outside_functions[] = {
    {"host-return-two", return_two}, {"host-echo-u32", echo}, {NULL, NULL}};
static const struct hf_host_resource resource1 = {"resource1", drop},
                                     resource2 = {"resource2", drop};

static enum hf_err fill(struct hf_registry *reg, struct hf_view wit, struct hf_view module,
                        struct hf_report *report)
{
    enum hf_err err = hf_registry_add_wit(reg, wit, report);
    if (err == HF_OK)
        err = hf_registry_bind_all(reg, "host", host_functions, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, "host", "resource1", &resource1, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, "host", "resource2", &resource2, report);
    if (err == HF_OK)
        err = hf_registry_add_module(reg, "host", "simple-module", module, report);
    if (err == HF_OK)
        err = hf_registry_bind_all(reg, "outside", outside_functions, report);
    if (err == HF_OK)
        err = hf_registry_offer_at_root(reg, "outside", report);
    return err == HF_OK ? hf_registry_seal(reg, NULL, report) : err;
}

enum hf_err wast_host_registry(struct hf_registry **ret, struct hf_report *report)
{
    struct hf_buf wit = {0}, module = {0};
    enum hf_err err = hf_registry_new(ret);
    if (err == HF_OK)
        err = hf_engine_wat(types, sizeof types - 1, &wit, report);
    if (err == HF_OK)
        err = hf_engine_wat(simple_module, sizeof simple_module - 1, &module, report);
    if (err == HF_OK)
        err = fill(*ret, hf_buf_view(&wit), hf_buf_view(&module), report);
    hf_buf_done(&wit);
    hf_buf_done(&module);
    return err;
}
