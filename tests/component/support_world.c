/* support_world.c - see support_world.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_world.h"

static const char wit[] =
    "(component (type $it (component (type (instance"
    " (export \"thing\" (type (sub resource)))"
    " (type (own 0)) (type (borrow 0))"
    " (type (func (param \"v\" u32) (result 1))) (export \"[constructor]thing\" (func (type 3)))"
    " (type (func (param \"self\" 2) (result u32))) (export \"[method]thing.get\" (func (type 4)))"
    " (type (func (param \"t\" 1) (result u32))) (export \"take\" (func (type 5)))"
    " (export \"make\" (func (type 3)))"
    " (type (func (param \"n\" u32))) (export \"block\" (func (type 6)))"
    " (type (func)) (export \"fail\" (func (type 7)))"
    " (type (func (param \"s\" string))) (export \"log\" (func (type 8)))"
    " (type (func (result u32))) (export \"again\" (func (type 9)))"
    ")) (export \"test:host/it@1.0.0\" (instance (type 0)))))"
    " (export \"it\" (type $it)))";

static void note(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct world *w, const char *fmt, ...)
{
    size_t len = strlen(w->log);
    va_list args;
    va_start(args, fmt);
    vsnprintf(w->log + len, sizeof w->log - len, fmt, args);
    va_end(args);
}

struct thing *world_thing(struct world *w, uint32_t v)
{
    struct thing *t = malloc(sizeof *t);
    assert_non_null(t);
    *t = (struct thing){w, v};
    w->live++;
    note(w, "new %u;", v);
    return t;
}

static enum hf_err drop_thing(struct hf_call *call, void *obj)
{
    struct thing *t = obj;
    if (call != NULL && t->v == 666)
        return hf_call_trap(call, "thing 666 stays");
    t->world->live--;
    note(t->world, "drop %u;", t->v);
    free(t);
    return HF_OK;
}

static enum hf_err do_new(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    *result = hf_value_obj(world_thing(hf_call_ctx(call), (uint32_t)args[0].u64));
    return HF_OK;
}

static enum hf_err do_get(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    const struct thing *t = args[0].obj;
    note(hf_call_ctx(call), "get %u;", t->v);
    *result = hf_value_u64(t->v);
    return HF_OK;
}

static enum hf_err do_take(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    struct thing *t = args[0].obj;
    *result = hf_value_u64(t->v);
    return drop_thing(call, t);
}

static enum hf_err do_block(struct hf_call *call, const struct hf_value *args,
                            struct hf_value *result)
{
    struct world *w = hf_call_ctx(call);
    enum hf_err err = HF_OK;
    (void)result;
    for (uint64_t i = 0; i < args[0].u64 && err == HF_OK; i++)
        err = hf_call_block(call);
    if (err == HF_CANCELLED) {
        w->cancelled++;
        note(w, "cancelled;");
    }
    return err;
}

static enum hf_err do_fail(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    (void)args;
    (void)result;
    return hf_call_trap(call, "the test wants it");
}

static enum hf_err do_log(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    struct hf_view text = hf_value_view(&args[0]);
    (void)result;
    note(hf_call_ctx(call), "log %.*s;", HF_FMT(text));
    return HF_OK;
}

/* E2: from inside an import the instance is busy. */
static enum hf_err do_again(struct hf_call *call, const struct hf_value *args,
                            struct hf_value *result)
{
    struct world *w = hf_call_ctx(call);
    struct hf_instance *inst = hf_call_instance(call);
    (void)args;
    *result = hf_value_u64(hf_instance_call(inst, w->again, NULL, 0));
    return HF_OK;
}

static const struct hf_host_resource thing_ops = {"thing", drop_thing};
/* 13 is one that cannot be made again. */
static enum hf_err save_thing(void *obj, struct hf_buf *ret, struct hf_report *report)
{
    const struct thing *t = obj;
    if (t->v == 13)
        return hf_report_set(report, HF_UNSUPPORTED, "it keeps a thing 13");
    return hf_buf_add(ret, &t->v, sizeof t->v);
}

static enum hf_err load_thing(void *ctx, struct hf_view recipe, void **ret,
                              struct hf_report *report)
{
    uint32_t v;
    if (recipe.len != sizeof v)
        return hf_report_set(report, HF_CORRUPT, "the recipe of a thing");
    memcpy(&v, recipe.ptr, sizeof v);
    if (v == 14)
        return hf_report_set(report, HF_LIMIT, "no thing 14 any more");
    *ret = world_thing(ctx, v);
    return HF_OK;
}

static const struct hf_host_recipe thing_recipe = {save_thing, load_thing};
static const struct hf_binding bindings[] = {
    {"[constructor]thing", do_new},
    {"[method]thing.get", do_get},
    {"take", do_take},
    {"make", do_new},
    {"block", do_block},
    {"fail", do_fail},
    {"log", do_log},
    {"again", do_again},
    {NULL, NULL},
};

static void must(enum hf_err err, const struct hf_report *report)
{
    if (err != HF_OK)
        fail_msg("%s: %s", hf_err_text(err), report->text);
}

void world_signals(void)
{
    static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    static struct sigaction
        kept[HF_ARRAY_LEN(signals)]; /* as the first engine of the process left them */
    static bool have;
    for (size_t i = 0; i < HF_ARRAY_LEN(signals); i++)
        assert_int_equal(sigaction(signals[i], have ? &kept[i] : NULL, have ? NULL : &kept[i]), 0);
    have = true;
}

void world_open(struct world *w)
{
    struct hf_report report = {0};
    struct hf_engine_settings s;
    struct hf_buf wasm = {0};
    *w = (struct world){0};
    hf_engine_settings_init(&s);
    s.instances_max = 64;
    s.stacks_max = 16;
    s.compile_threads = 1;
    must(hf_engine_new(&s, &w->engine, &report), &report);
    world_signals();
    must(hf_engine_wat(wit, sizeof wit - 1, &wasm, &report), &report);
    must(hf_registry_new(&w->registry), &report);
    must(hf_registry_add_wit(w->registry, hf_buf_view(&wasm), &report), &report);
    must(hf_registry_bind_resource(w->registry, "test:host/it", "thing", &thing_ops, &report),
         &report);
    must(hf_registry_bind_recipe(w->registry, "test:host/it", "thing", &thing_recipe, &report),
         &report);
    must(hf_registry_bind_all(w->registry, "test:host/it", bindings, &report), &report);
    must(hf_registry_seal(w->registry, NULL, &report), &report);
    hf_buf_done(&wasm);
}

void world_close(struct world *w)
{
    hf_registry_free(w->registry);
    hf_engine_free(w->engine);
    assert_int_equal(w->live, 0);
}

struct hf_component *world_load(struct world *w, const char *wat)
{
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    struct hf_component *c = NULL;
    must(hf_engine_wat(wat, strlen(wat), &wasm, &report), &report);
    must(hf_component_load(w->engine, w->registry, hf_buf_view(&wasm), NULL, &c, &report), &report);
    hf_buf_done(&wasm);
    return c;
}

struct hf_instance *world_new(struct world *w, struct hf_component *c)
{
    struct hf_instance_settings s = {.ctx = w};
    struct hf_report report = {0};
    struct hf_instance *inst = NULL;
    must(hf_instance_new(c, &s, &inst, &report), &report);
    return inst;
}

struct hf_instance *world_start(struct world *w, struct hf_component *c)
{
    struct hf_instance *inst = world_new(w, c);
    must(hf_instance_start(inst), hf_instance_report(inst));
    must(world_run(w, inst), hf_instance_report(inst));
    return inst;
}

struct hf_instance *world_from(struct world *w, const char *wat)
{
    struct hf_component *c = world_load(w, wat);
    struct hf_instance *inst = world_start(w, c);
    hf_component_unref(c);
    return inst;
}

enum hf_err world_run(struct world *w, struct hf_instance *inst)
{
    for (int polls = 0; polls < 1000; polls++) {
        enum hf_err err = hf_instance_poll(inst);
        if (err != HF_AGAIN)
            return err;
        w->slices += hf_instance_why(inst) == HF_WHY_SLICE;
        w->blocks += hf_instance_why(inst) == HF_WHY_BLOCK;
    }
    hf_instance_cancel(inst);
    return HF_TIMEOUT;
}

const struct hf_export *world_export(struct hf_instance *inst, const char *name)
{
    const struct hf_export *e = hf_component_find(inst->component, "", name);
    if (e == NULL)
        fail_msg("no export %s", name);
    return e;
}

enum hf_err world_call(struct world *w, struct hf_instance *inst, const char *name,
                       const struct hf_value *args, size_t n)
{
    enum hf_err err = hf_instance_call(inst, world_export(inst, name), args, n);
    return err == HF_OK ? world_run(w, inst) : err;
}

uint32_t world_u32(struct world *w, struct hf_instance *inst, const char *name, uint32_t a,
                   uint32_t b)
{
    const struct hf_value args[2] = {hf_value_u64(a), hf_value_u64(b)};
    size_t n = hf_export_type(world_export(inst, name))->n_params;
    enum hf_err err = world_call(w, inst, name, args, n);
    if (err != HF_OK)
        fail_msg("%s: %s: %s", name, hf_err_text(err), hf_instance_report(inst)->text);
    const struct hf_value *v = hf_instance_result(inst);
    return v != NULL ? (uint32_t)v->u64 : 0;
}

void world_traps(struct world *w, struct hf_instance *inst, const char *name, const char *text)
{
    const struct hf_value args[2] = {hf_value_u64(0), hf_value_u64(0)};
    enum hf_err err =
        world_call(w, inst, name, args, hf_export_type(world_export(inst, name))->n_params);
    if (err != HF_TRAP || strstr(hf_instance_report(inst)->text, text) == NULL)
        fail_msg("%s: %s: \"%s\", wanted a trap with \"%s\"", name, hf_err_text(err),
                 hf_instance_report(inst)->text, text);
}

int world_setup(void **state)
{
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    world_open(w);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

struct world *world_fresh(void **state)
{
    struct world *w = *state;
    world_signals();
    assert_int_equal(w->live, 0);
    w->log[0] = '\0';
    w->cancelled = w->slices = w->blocks = 0;
    w->again = NULL;
    return w;
}

void world_is_dead(struct hf_instance *inst)
{
    assert_true(hf_instance_dead(inst));
    assert_false(hf_instance_busy(inst));
    assert_int_equal(hf_instance_poll(inst), HF_TRAP);
    assert_int_equal(hf_instance_start(inst), HF_INVALID);
    assert_null(hf_instance_result(inst));
}

const char world_guest_resource_wat[] =
    "(component"
    " (component $Child"
    "  (core module $D (global $n (mut i32) (i32.const 0)) (func (export \"dtor\") (param i32)"
    "   (global.set $n (i32.add (global.get $n) (local.get 0)))) (func (export \"sum\") (result "
    "i32) (global.get $n)))"
    "  (core instance $d (instantiate $D))"
    "  (type $r' (resource (rep i32) (dtor (func $d \"dtor\"))))"
    "  (core func $new (canon resource.new $r')) (core func $rep (canon resource.rep $r'))"
    "  (core module $M (import \"\" \"new\" (func $new (param i32) (result i32)))"
    "   (func (export \"new\") (param i32) (result i32) (call $new (local.get 0)))"
    "   (func (export \"get\") (param i32) (result i32) (local.get 0)))"
    "  (core instance $m (instantiate $M (with \"\" (instance (export \"new\" (func $new))))))"
    "  (export $r \"r\" (type $r'))"
    "  (func (export \"make\") (param \"v\" u32) (result (own $r)) (canon lift (core func $m "
    "\"new\")))"
    "  (func (export \"get\") (param \"r\" (borrow $r)) (result u32) (canon lift (core func $m "
    "\"get\")))"
    "  (func (export \"sum\") (result u32) (canon lift (core func $d \"sum\"))))"
    " (instance $c (instantiate $Child)) (alias export $c \"r\" (type $r))"
    " (core func $make (canon lower (func $c \"make\"))) (core func $get (canon lower (func $c "
    "\"get\")))"
    " (core func $drop (canon resource.drop $r))"
    " (core module $M (import \"\" \"make\" (func $make (param i32) (result i32)))"
    "  (import \"\" \"get\" (func $get (param i32) (result i32))) (import \"\" \"drop\" (func "
    "$drop (param i32)))"
    "  (func (export \"use\") (param i32) (result i32) (local $h i32) (local $v i32)"
    "   (local.set $h (call $make (local.get 0))) (local.set $v (call $get (local.get $h)))"
    "   (call $drop (local.get $h)) (local.get $v))"
    "  (func (export \"leak\") (param i32) (result i32) (call $make (local.get 0)))"
    "  (func (export \"stale\") (result i32) (call $get (i32.const 77))))"
    " (core instance $m (instantiate $M (with \"\" (instance (export \"make\" (func $make)) "
    "(export \"get\" (func $get))"
    "  (export \"drop\" (func $drop))))))"
    " (func (export \"use\") (param \"a\" u32) (result u32) (canon lift (core func $m \"use\")))"
    " (func (export \"leak\") (param \"a\" u32) (result u32) (canon lift (core func $m \"leak\")))"
    " (func (export \"stale\") (result u32) (canon lift (core func $m \"stale\")))"
    " (export \"sum\" (func $c \"sum\")) (export $r2 \"r\" (type $r))"
    " (export \"make\" (func $c \"make\") (func (param \"v\" u32) (result (own $r2))))"
    " (export \"get\" (func $c \"get\") (func (param \"r\" (borrow $r2)) (result u32))))";
