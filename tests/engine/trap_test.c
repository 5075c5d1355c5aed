/* trap_test.c - what is said when a guest fails, and that only it fails. */
#include <stdlib.h>

#include "support.h"

static const char many[] =
    "(module $shop (import \"h\" \"help\" (func $help (param i32) (result i32)))"
    "  (memory (export \"m\") 1) (table 2 funcref) (elem (i32.const 1) $typed)"
    "  (type $none (func)) (func $typed (param i32))"
    "  (func $unreachable (export \"unreachable\") (unreachable))"
    "  (func $load (export \"load\") (param i32) (result i32) (i32.load (local.get 0)))"
    "  (func (export \"div\") (param i32) (result i32) (i32.div_s (i32.const 7) (local.get 0)))"
    "  (func (export \"trunc\") (param i32) (result i32) (i32.trunc_f32_s (f32.const nan)))"
    "  (func (export \"overflow\") (param i32) (result i32) (i32.div_s (i32.const 0x80000000) "
    "(i32.const -1)))"
    "  (func (export \"null\") (call_indirect (type $none) (i32.const 0)))"
    "  (func (export \"type\") (call_indirect (type $none) (i32.const 1)))"
    "  (func (export \"far\") (call_indirect (type $none) (i32.const 9)))"
    "  (func $deeper (export \"deeper\") (call $deeper))"
    "  (func $pay (param i32) (result i32) (call $help (local.get 0)))"
    "  (func $buy (export \"buy\") (param i32) (result i32) (call $pay (local.get 0)))"
    "  (func $fails (export \"fails\") (call $unreachable)))";

struct helper {
    struct hf_store *store;
    enum hf_err err;
    const char *text;
    struct hf_func call; /* instead, when has_call */
    bool has_call, swallow;
};

static enum hf_err help(void *env, union hf_val *vals)
{
    struct helper *h = env;
    (void)vals;
    if (h->has_call) {
        union hf_val v[1] = {{.i32 = 3}};
        enum hf_err err = hf_store_call(h->store, &h->call, v, 1);
        return h->swallow ? HF_OK : err;
    }
    if (h->text != NULL)
        return hf_report_set(hf_store_report(h->store), h->err, "%s", h->text);
    return h->err;
}

static void shop(struct guest *g, struct helper *h)
{
    *g = (struct guest){.store = make_store(engine)};
    *h = (struct helper){.store = g->store};
    struct hf_func f = make_import(g->store, 1, 1, help, h);
    guest_new(g, engine, many, &f, 1);
}

static void traps_say_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *func, *text;
    } cases[] = {
        {"unreachable", "unreachable"},          {"load", "out of bounds memory access"},
        {"div", "integer divide by zero"},       {"trunc", "invalid conversion to integer"},
        {"overflow", "integer overflow"},        {"null", "uninitialized element"},
        {"type", "indirect call type mismatch"}, {"far", "undefined element"},
        {"deeper", "call stack exhausted"},
    };
    struct guest g;
    struct helper h;
    shop(&g, &h);
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        int32_t arg = strcmp(cases[i].func, "load") == 0 ? 65536 : 0;
        assert_int_equal(call_i32(&g, cases[i].func, arg, NULL), HF_TRAP);
        assert_report(hf_store_report(g.store), cases[i].text);
        assert_report(hf_store_report(g.store), "\n  at shop!");
        assert_int_equal(hf_store_report(g.store)->err, HF_TRAP);
        assert_false(hf_store_memory_suspect(g.store));
    }
    guest_done(&g);
}

static void backtraces_name_the_functions_innermost_first(void **state)
{
    (void)state;
    struct guest g;
    struct helper h;
    shop(&g, &h);
    assert_int_equal(call_i32(&g, "fails", 0, NULL), HF_TRAP);
    const char *text = hf_store_report(g.store)->text;
    const char *inner = strstr(text, "at shop!unreachable + 0x"),
               *outer = strstr(text, "at shop!fails + 0x");
    assert_non_null(inner);
    assert_non_null(outer);
    assert_true(inner < outer);
    assert_memory_equal(text, "wasm `unreachable` instruction executed\n", 40);
    guest_done(&g);
}

static void endless_backtraces_are_bounded(void **state)
{
    (void)state;
    struct guest g;
    struct helper h;
    shop(&g, &h);
    assert_int_equal(call_i32(&g, "deeper", 0, NULL), HF_TRAP);
    int lines = 0;
    for (const char *at = hf_store_report(g.store)->text; (at = strstr(at, "\n  at ")) != NULL;
         at++)
        lines++;
    assert_true(lines > 5 && lines <= 32);
    guest_done(&g);
}

static void a_host_functions_own_words_are_kept_and_the_backtrace_added(void **state)
{
    (void)state;
    struct guest g;
    struct helper h;
    shop(&g, &h);
    h.err = HF_DENIED;
    h.text = "the till is locked";
    assert_int_equal(call_i32(&g, "buy", 0, NULL), HF_TRAP);
    const struct hf_report *r = hf_store_report(g.store);
    assert_int_equal(r->err, HF_DENIED);
    assert_memory_equal(r->text, "the till is locked\n", 19);
    assert_report(r, "at shop!pay + 0x");
    assert_report(r, "at shop!buy + 0x");

    h.text = NULL; /* it said nothing: its kind is named */
    h.err = HF_LIMIT;
    assert_int_equal(call_i32(&g, "buy", 0, NULL), HF_TRAP);
    assert_report(r, "a host function failed: limit");
    assert_no_report(r, "locked");
    guest_done(&g);
}

static void a_trap_in_a_nested_guest_is_told_once_with_all_frames(void **state)
{
    (void)state;
    struct guest inner, outer = {0};
    struct helper unused, h = {0};
    shop(&inner, &unused);
    h = (struct helper){
        .store = inner.store, .has_call = true, .call = guest_func(&inner, "fails")};
    outer.store = inner.store;
    struct hf_func f = make_import(inner.store, 1, 1, help, &h);
    guest_new(&outer, engine, many, &f, 1);
    struct call c = {.store = inner.store, .func = guest_func(&outer, "buy")};
    assert_int_equal(run(inner.store, call_driver, &c), HF_TRAP);
    const struct hf_report *r = hf_store_report(inner.store);
    assert_memory_equal(r->text, "wasm `unreachable` instruction executed\n", 40);
    assert_report(r, "shop!fails");
    assert_report(r, "shop!buy");
    assert_null(strstr(strstr(r->text, "shop!fails") + 1, "shop!fails"));
    assert_null(strstr(strstr(r->text, "shop!buy") + 1, "shop!buy"));

    /* Dealt with by the host function: the caller goes on, and the next failure is told afresh. */
    h.swallow = true;
    assert_int_equal(run(inner.store, call_driver, &c), HF_OK);
    assert_int_equal(call_i32(&outer, "div", 0, NULL), HF_TRAP);
    assert_memory_equal(r->text, "integer divide by zero\n", 23);
    assert_no_report(r, "shop!fails");
    hf_module_unref(outer.module);
    guest_done(&inner);
}

static void two_failures_in_one_driver(void **state)
{
    (void)state;
    struct guest g;
    struct helper h;
    shop(&g, &h);
    struct hf_func div = guest_func(&g, "div"), load = guest_func(&g, "load");
    union hf_val v[1] = {{.i32 = 0}};
    assert_int_equal(hf_store_call(g.store, &div, v, 1), HF_TRAP); /* off the fiber, too */
    assert_report(hf_store_report(g.store), "integer divide by zero");
    assert_report(hf_store_report(g.store), "  at ");
    v[0].i32 = -1;
    assert_int_equal(hf_store_call(g.store, &load, v, 1), HF_TRAP);
    assert_report(hf_store_report(g.store), "out of bounds memory access");
    assert_no_report(hf_store_report(g.store), "divide");
    guest_done(&g);
}

/* A trap kills one instance and nothing else. */
static void other_stores_and_later_calls_do_not_notice(void **state)
{
    (void)state;
    struct guest a, b;
    struct helper ha, hb;
    int32_t result;
    shop(&a, &ha);
    shop(&b, &hb);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(call_i32(&a, "fails", 0, NULL), HF_TRAP);
        assert_int_equal(call_i32(&b, "div", 2, &result), HF_OK);
        assert_int_equal(result, 3);
        assert_int_equal(call_i32(&a, "div", 1, &result),
                         HF_OK); /* the engine allows it; whether to is not its business */
        assert_int_equal(result, 7);
    }
    guest_done(&a);
    guest_done(&b);
}

static void names_from_guests_are_cleaned(void **state)
{
    (void)state;
    /* A name section written by hand: function 0 is called "a\nb\x1b[31m". */
    static const uint8_t bytes[] = {
        0,   'a',  's', 'm', 1,   0,    0,    0, 1,  4, 1, 0x60, 0,   0, /* type () -> () */
        3,   2,    1,   0,                                               /* function 0 */
        7,   5,    1,   1,   'f', 0,    0,                               /* export "f" */
        10,  5,    1,   3,   0,   0x00, 0x0b,                            /* unreachable */
        0,   18,   4,   'n', 'a', 'm',  'e',  1, 11, 1, 0, 8,    'a', '\n',
        'b', 0x1b, '[', '3', '1', 'm',
    };
    struct hf_module *m = NULL;
    struct hf_report report = {0};
    struct guest g = {.store = make_store(engine)};
    assert_int_equal(hf_module_load(engine, hf_view(bytes, sizeof bytes), NULL, &m, NULL, &report),
                     HF_OK);
    g.module = m;
    assert_int_equal(hf_core_new(g.store, m, NULL, 0, &g.core, &report), HF_OK);
    assert_int_equal(call_i32(&g, "f", 0, NULL), HF_TRAP);
    assert_report(hf_store_report(g.store), "at a?b?[31m + 0x");
    guest_done(&g);
}

static void an_uncaught_exception_is_a_trap(void **state)
{
    (void)state;
    struct guest g = {0};
    int32_t result;
    guest_new(&g, engine,
              "(module (tag $t (param i32))"
              "  (func $throw (export \"throw\") (throw $t (i32.const 1)))"
              "  (func (export \"catch\") (param i32) (result i32)"
              "    (block $h (result i32) (try_table (catch $t $h) (throw $t (i32.const 42))) "
              "(i32.const 0))))",
              NULL, 0);
    assert_int_equal(call_i32(&g, "catch", 0, &result), HF_OK);
    assert_int_equal(result, 42);
    assert_int_equal(call_i32(&g, "throw", 0, NULL), HF_TRAP);
    assert_report(hf_store_report(g.store), "xception");
    guest_done(&g);
}

/* ---- memory limits ---- */

static const char grows[] =
    "(module (memory (export \"m\") 1 400)"
    "  (func (export \"grow\") (param i32) (result i32)"
    "    (if (i32.eq (memory.grow (local.get 0)) (i32.const -1)) (then (unreachable)))"
    "    (memory.size))"
    "  (func (export \"die\") (unreachable)))";

static void memory_limits_are_enforced_and_suspected(void **state)
{
    (void)state;
    struct hf_store_settings s = {.memory_max = 16 << 16}; /* 16 pages */
    struct guest g = {0};
    int32_t result;
    struct hf_report report = {0};
    signals_restore();
    assert_int_equal(hf_store_new(engine, &s, &g.store, &report), HF_OK);
    guest_new(&g, engine, grows, NULL, 0);
    assert_int_equal(hf_module_memory_max(g.module), 400u << 16);
    assert_int_equal(call_i32(&g, "die", 0, NULL), HF_TRAP);
    assert_false(hf_store_memory_suspect(g.store)); /* it has not grown */
    assert_no_report(hf_store_report(g.store), "memory");
    assert_int_equal(call_i32(&g, "grow", 14, &result), HF_OK);
    assert_int_equal(result, 15);
    assert_int_equal(call_i32(&g, "grow", 2, NULL), HF_TRAP); /* 17 pages */
    assert_true(hf_store_memory_suspect(g.store));
    assert_report(hf_store_report(g.store), "probably memory: it stands at 960 of 1024 KiB");
    assert_int_equal(call_i32(&g, "grow", 1, &result), HF_OK);
    assert_int_equal(result, 16);
    guest_done(&g);

    /* The module's own maximum counts when it is the smaller one. */
    guest_new(&g, engine,
              "(module (memory 1 8) (func (export \"grow\") (param i32) (result i32)"
              "  (drop (memory.grow (local.get 0))) (unreachable)))",
              NULL, 0);
    assert_int_equal(call_i32(&g, "grow", 7, NULL), HF_TRAP);
    assert_report(hf_store_report(g.store), "probably memory: it stands at 512 of 512 KiB");
    guest_done(&g);
}

static void a_module_larger_than_the_store_allows_is_a_limit(void **state)
{
    (void)state;
    struct hf_store_settings s = {.memory_max = 4 << 16};
    struct hf_store *store;
    struct hf_core core;
    struct hf_report report = {0};
    signals_restore();
    assert_int_equal(hf_store_new(engine, &s, &store, &report), HF_OK);
    struct hf_module *m = make_module(engine, "(module (memory 5))");
    assert_int_equal(hf_core_new(store, m, NULL, 0, &core, &report), HF_LIMIT);
    assert_report(&report, "memory");
    hf_module_unref(m);
    hf_store_free(store);
}

/* How many instances of the module the store takes; the refusal is in the report. */
static int fill(struct hf_store *store, const struct hf_module *m, struct hf_report *report)
{
    struct hf_core core;
    int n = 0;
    enum hf_err err;
    while ((err = hf_core_new(store, m, NULL, 0, &core, report)) == HF_OK)
        n++;
    assert_int_equal(err, HF_LIMIT);
    return n;
}

static void too_many_instances_for_the_store_or_the_pool_are_a_limit(void **state)
{
    (void)state;
    struct hf_store_settings s = {.instances_max = 30};
    struct hf_store *stores[2];
    struct hf_report reports[2] = {0};
    struct hf_module *m = make_module(engine, "(module (memory 1))");
    for (int i = 0; i < 2; i++)
        assert_int_equal(hf_store_new(engine, &s, &stores[i], NULL), HF_OK);
    assert_int_equal(fill(stores[0], m, &reports[0]), 30);
    assert_report(&reports[0], "instance count too high");
    assert_int_equal(fill(stores[1], m, &reports[1]), 20); /* the engine's 50 are gone */
    assert_report(&reports[1], "limit of 50");
    hf_store_free(stores[0]);
    reports[1] = (struct hf_report){0};
    assert_int_equal(fill(stores[1], m, &reports[1]),
                     9); /* the refused one counts against its store */
    hf_store_free(stores[1]);
    hf_module_unref(m);
}

static void imports_that_do_not_fit_are_named(void **state)
{
    (void)state;
    struct hf_store *store = make_store(engine);
    struct hf_module *m =
        make_module(engine, "(module (import \"wasi\" \"now\" (func (param i64))))");
    struct hf_report report = {0};
    struct hf_core core;
    struct hf_extern e;
    struct helper h = {.store = store};
    struct hf_func f = make_import(store, 1, 1, help, &h);
    hf_extern_of_func(&f, &e);
    assert_int_equal(hf_core_new(store, m, &e, 1, &core, &report), HF_INVALID);
    assert_report(&report, "wasi::now");
    report = (struct hf_report){0};
    assert_int_equal(hf_core_new(store, m, NULL, 0, &core, &report), HF_INVALID);
    assert_report(&report, "1 imports, 0");
    hf_module_unref(m);
    hf_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traps_say_what_and_where),
        cmocka_unit_test(backtraces_name_the_functions_innermost_first),
        cmocka_unit_test(endless_backtraces_are_bounded),
        cmocka_unit_test(a_host_functions_own_words_are_kept_and_the_backtrace_added),
        cmocka_unit_test(a_trap_in_a_nested_guest_is_told_once_with_all_frames),
        cmocka_unit_test(two_failures_in_one_driver),
        cmocka_unit_test(other_stores_and_later_calls_do_not_notice),
        cmocka_unit_test(names_from_guests_are_cleaned),
        cmocka_unit_test(an_uncaught_exception_is_a_trap),
        cmocka_unit_test(memory_limits_are_enforced_and_suspected),
        cmocka_unit_test(a_module_larger_than_the_store_allows_is_a_limit),
        cmocka_unit_test(too_many_instances_for_the_store_or_the_pool_are_a_limit),
        cmocka_unit_test(imports_that_do_not_fit_are_named),
    };
    signals_keep();
    return cmocka_run_group_tests(tests, engine_set_up, engine_tear_down);
}
