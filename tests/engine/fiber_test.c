/* fiber_test.c - drivers, waiting, cancelling, dying, start sections, futures: the bold rules of
 * the engine's design, on our side. Time and stacks are in time_test.c; what Wasmtime itself does
 * (T1-T10) is asserted in quirks_test.c. */
#include <pthread.h>
#include <stdlib.h>

#include "support.h"

static const char waits[] = "(module (import \"h\" \"wait\" (func $wait (param i32) (result i32)))"
                            "  (memory (export \"m\") 1)"
                            "  (func (export \"run\") (param i32) (result i32)"
                            "    (i32.store (i32.const 8) (local.get 0))"
                            "    (i32.add (call $wait (local.get 0)) (i32.const 1)))"
                            "  (func (export \"nothing\")))";

struct waiter {
    struct hf_store *store;
    int entered, left;
    enum hf_err err; /* of the last block */
    int twice;       /* after a cancel: what a second block said */
};

static enum hf_err wait_here(void *env, union hf_val *vals)
{
    struct waiter *w = env;
    char on_stack[256]; /* C frames survive a wait */
    memset(on_stack, vals[0].i32 & 0x7f, sizeof on_stack);
    w->entered++;
    w->err = hf_store_block(w->store);
    w->left++;
    if (w->err != HF_OK) {
        w->twice = hf_store_block(w->store);
        return w->err;
    }
    vals[0].i32 = on_stack[200] * 2;
    return HF_OK;
}

static void waiting_guest(struct guest *g, struct waiter *w)
{
    *g = (struct guest){.store = make_store(engine)};
    *w = (struct waiter){.store = g->store};
    struct hf_func f = make_import(g->store, 1, 1, wait_here, w);
    guest_new(g, engine, waits, &f, 1);
}

/* ---- drivers ---- */

static enum hf_err give_closed(void *ctx)
{
    ++*(int *)ctx;
    return HF_CLOSED;
}

static void a_driver_runs_at_the_first_poll_and_gives_its_result(void **state)
{
    (void)state;
    struct hf_store *s = make_store(engine);
    int ran = 0;
    for (int i = 1; i <= 3; i++) {
        assert_false(hf_store_running(s));
        assert_int_equal(hf_store_start(s, give_closed, &ran), HF_OK);
        assert_true(hf_store_running(s));
        assert_int_equal(ran, i - 1);
        assert_int_equal(hf_store_poll(s), HF_CLOSED);
        assert_int_equal(ran, i);
    }
    hf_store_free(s);
}

static void imports_wait_in_the_middle_and_go_on(void **state)
{
    (void)state;
    struct guest g;
    struct waiter w;
    waiting_guest(&g, &w);
    struct call c = {.store = g.store, .func = guest_func(&g, "run"), .vals = {{.i32 = 21}}};
    assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
    assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
    assert_int_equal(hf_store_why(g.store), HF_WHY_BLOCK);
    assert_false(hf_store_on_fiber(g.store));
    assert_int_equal(w.entered, 1);
    assert_int_equal(w.left, 0);
    assert_int_equal(hf_store_poll(g.store), HF_OK);
    assert_int_equal(w.left, 1);
    assert_int_equal(c.vals[0].i32, 43);
    assert_false(hf_store_running(g.store));
    guest_done(&g);
}

struct nested {
    struct guest *g;
    struct hf_func inner;
    int depth;
};

static enum hf_err call_inner(void *env, union hf_val *vals)
{
    struct nested *n = env;
    union hf_val v[1] = {{.i32 = vals[0].i32 + 1}};
    enum hf_err err = hf_store_call(n->g->store, &n->inner, v, 1);
    vals[0].i32 = v[0].i32;
    return err;
}

static void a_guest_called_by_an_import_waits_too(void **state)
{
    (void)state;
    struct guest inner, outer = {0};
    struct waiter w;
    struct nested n = {.g = &inner};
    waiting_guest(&inner, &w);
    n.inner = guest_func(&inner, "run");
    outer.store = inner.store;
    struct hf_func f = make_import(inner.store, 1, 1, call_inner, &n);
    guest_new(&outer, engine, waits, &f, 1);
    struct call c = {
        .store = inner.store, .func = guest_func(&outer, "run"), .vals = {{.i32 = 10}}};
    assert_int_equal(hf_store_start(inner.store, call_driver, &c), HF_OK);
    assert_int_equal(hf_store_poll(inner.store), HF_AGAIN);
    assert_int_equal(hf_store_poll(inner.store), HF_OK);
    assert_int_equal(c.vals[0].i32, 11 * 2 + 2);
    hf_module_unref(outer.module);
    guest_done(&inner);
}

static void block_off_the_fiber_is_refused(void **state)
{
    (void)state;
    struct guest g;
    struct waiter w;
    waiting_guest(&g, &w);
    assert_int_equal(hf_store_block(g.store), HF_UNSUPPORTED);
    union hf_val v[1] = {{.i32 = 1}};
    struct hf_func f = guest_func(&g, "run");
    assert_int_equal(hf_store_call(g.store, &f, v, 1),
                     HF_TRAP); /* the import could not wait, and said so */
    assert_int_equal(w.err, HF_UNSUPPORTED);
    assert_report(hf_store_report(g.store), "unsupported");
    guest_done(&g);
}

/* ---- cancel, dying ---- */

static void cancel_unwinds_the_c_frames_and_the_memory_stays_readable(void **state)
{
    (void)state;
    struct guest g;
    struct waiter w;
    struct hf_memory m;
    uint8_t *base;
    size_t size;
    waiting_guest(&g, &w);
    struct call c = {.store = g.store, .func = guest_func(&g, "run"), .vals = {{.i32 = 77}}};
    assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
    assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
    hf_store_cancel(g.store);
    assert_int_equal(w.left, 1);
    assert_int_equal(w.err, HF_CANCELLED);
    assert_int_equal(w.twice, HF_CANCELLED); /* Dying: a second block would abort the process */
    assert_true(hf_store_dead(g.store));
    assert_false(hf_store_running(g.store));
    hf_core_memory(g.store, g.module, &g.core, 0, &m);
    hf_memory_get(g.store, &m, &base, &size);
    assert_int_equal(size, 65536);
    assert_int_equal(base[8], 77);
    guest_done(&g);
}

static void a_dying_store_enters_no_guest(void **state)
{
    (void)state;
    struct guest g;
    struct waiter w;
    struct hf_core core;
    struct hf_report report = {0};
    waiting_guest(&g, &w);
    struct hf_func f = guest_func(&g, "nothing");
    assert_int_equal(hf_store_call(g.store, &f, NULL, 0), HF_OK);
    hf_store_cancel(g.store); /* nothing runs: it is only marked */
    assert_true(hf_store_dead(g.store));
    assert_int_equal(hf_store_call(g.store, &f, NULL, 0), HF_CANCELLED);
    assert_int_equal(hf_store_block(g.store), HF_CANCELLED);
    assert_int_equal(hf_store_start(g.store, give_closed, NULL), HF_CANCELLED);
    struct hf_module *m = make_module(engine, "(module)");
    assert_int_equal(hf_core_new(g.store, m, NULL, 0, &core, &report), HF_CANCELLED);
    hf_module_unref(m);
    guest_done(&g);
}

static enum hf_err unwind_driver(void *ctx)
{
    struct call *c = ctx;
    struct waiter *w = (struct waiter *)(void *)&c->vals[8];
    enum hf_err err = hf_store_call(c->store, &c->func, c->vals, 8);
    struct hf_store *s = c->store;
    (void)w;
    /* A guest entered while unwinding would run without a way to be stopped. */
    assert_int_equal(hf_store_call(s, &c->func, c->vals, 8), HF_CANCELLED);
    return err;
}

static void a_driver_being_unwound_cannot_call(void **state)
{
    (void)state;
    struct guest g;
    struct waiter w;
    waiting_guest(&g, &w);
    struct call c = {.store = g.store, .func = guest_func(&g, "run")};
    assert_int_equal(hf_store_start(g.store, unwind_driver, &c), HF_OK);
    assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
    hf_store_cancel(g.store);
    assert_int_equal(w.left, 1);
    assert_int_equal(w.entered, 1);
    guest_done(&g);
}

static void cancel_before_the_first_poll_runs_nothing(void **state)
{
    (void)state;
    struct hf_store *s = make_store(engine);
    int ran = 0;
    assert_int_equal(hf_store_start(s, give_closed, &ran), HF_OK);
    hf_store_cancel(s);
    assert_int_equal(ran, 0);
    assert_false(hf_store_running(s));
    hf_store_free(s);
}

static enum hf_err cancel_inside(void *env, union hf_val *vals)
{
    (void)vals;
    hf_store_cancel(*(struct hf_store **)env);
    return HF_OK;
}

static void cancel_from_an_import_ends_the_guest_at_its_return(void **state)
{
    (void)state;
    struct guest g = {.store = make_store(engine)};
    struct hf_func f = make_import(g.store, 0, 0, cancel_inside, &g.store);
    guest_new(&g, engine, spins, &f, 1);
    struct call c = {.store = g.store, .func = guest_func(&g, "note")};
    assert_int_equal(run(g.store, call_driver, &c), HF_CANCELLED);
    assert_true(hf_store_dead(g.store));
    guest_done(&g);
}

static void a_store_is_freed_while_it_waits(void **state)
{
    (void)state;
    struct guest g;
    struct waiter w;
    waiting_guest(&g, &w);
    struct call c = {.store = g.store, .func = guest_func(&g, "run")};
    assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
    assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
    guest_done(&g);
    assert_int_equal(w.left, 1);
}

/* ---- start sections ---- */

static enum hf_err nothing(void *env, union hf_val *vals)
{
    (void)env, (void)vals;
    return HF_OK;
}

static const char start_waits[] =
    "(module (import \"h\" \"wait\" (func $wait (param i32) (result i32)))"
    "  (global $g (mut i32) (i32.const 0))"
    "  (func $start (global.set $g (call $wait (i32.const 21))))"
    "  (start $start)"
    "  (func (export \"get\") (param i32) (result i32) (global.get $g)))";

struct making {
    struct hf_store *store;
    struct hf_module *module;
    struct hf_extern import;
    struct hf_core core;
    struct hf_report report;
    bool made;
};

static enum hf_err make_and_start(void *ctx)
{
    struct making *m = ctx;
    enum hf_err err = hf_core_new(m->store, m->module, &m->import, 1, &m->core, &m->report);
    if (err != HF_OK)
        return err;
    m->made = true;
    return hf_core_start(m->store, m->module, &m->core);
}

static void a_start_section_that_blocks(void **state)
{
    (void)state;
    struct waiter w = {.store = make_store(engine)};
    struct making m = {.store = w.store, .module = make_module(engine, start_waits)};
    struct hf_func f = make_import(w.store, 1, 1, wait_here, &w);
    hf_extern_of_func(&f, &m.import);
    assert_true(hf_module_has_start(m.module));
    assert_int_equal(hf_store_start(w.store, make_and_start, &m), HF_OK);
    assert_int_equal(hf_store_poll(w.store), HF_AGAIN);
    assert_int_equal(hf_store_why(w.store), HF_WHY_BLOCK);
    assert_true(m.made); /* instantiation ran nothing */
    assert_int_equal(hf_store_poll(w.store), HF_OK);
    struct call c = {.store = w.store, .func = core_func(w.store, &m.core, "get")};
    assert_int_equal(run(w.store, call_driver, &c), HF_OK);
    assert_int_equal(c.vals[0].i32, 42);
    hf_store_free(w.store);
    hf_module_unref(m.module);
}

static void a_start_section_that_spins(void **state)
{
    (void)state;
    struct making m = {
        .store = make_store(engine),
        .module = make_module(
            engine, "(module (import \"h\" \"x\" (func)) (func $s (loop (br 0))) (start $s))")};
    struct hf_func f = make_import(m.store, 0, 0, nothing, NULL);
    hf_extern_of_func(&f, &m.import);
    assert_int_equal(hf_store_start(m.store, make_and_start, &m), HF_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_store_poll(m.store), HF_AGAIN);
        assert_int_equal(hf_store_why(m.store), HF_WHY_SLICE);
    }
    hf_store_cancel(m.store);
    assert_false(hf_store_running(m.store));
    hf_store_free(m.store);
    hf_module_unref(m.module);
}

static void a_start_function_may_be_an_import(void **state)
{
    (void)state;
    struct waiter w = {.store = make_store(engine)};
    struct making m = {
        .store = w.store,
        .module = make_module(engine, "(module (import \"h\" \"s\" (func $s)) (start $s))")};
    struct hf_func f = make_import(w.store, 0, 0, cancel_inside, &w.store);
    hf_extern_of_func(&f, &m.import);
    assert_int_equal(run(w.store, make_and_start, &m),
                     HF_CANCELLED); /* it was called, and did its work */
    assert_true(hf_store_dead(w.store));
    hf_store_free(w.store);
    hf_module_unref(m.module);
}

/* Segments that Wasmtime cannot map become compiled code that runs at instantiation: also on the
 * fiber. */
static void instances_with_initialisers_are_made_on_the_fiber(void **state)
{
    (void)state;
    static const char text[] = "(module (import \"h\" \"x\" (func $x)) (memory 1) (table 8 funcref)"
                               "  (data (i32.const 65530) \"abcdef\") (elem (i32.const 7) $x)"
                               "  (func (export \"get\") (param i32) (result i32)"
                               "    (i32.load8_u (i32.const 65535))))";
    static const char wrong[] =
        "(module (import \"h\" \"x\" (func $x)) (memory 1) (data (i32.const 65531) \"abcdef\"))";
    struct making m = {.store = make_store(engine), .module = make_module(engine, text)};
    struct hf_func f = make_import(m.store, 0, 0, nothing, NULL);
    hf_extern_of_func(&f, &m.import);
    assert_int_equal(run(m.store, make_and_start, &m), HF_OK);
    struct call c = {.store = m.store, .func = core_func(m.store, &m.core, "get")};
    assert_int_equal(run(m.store, call_driver, &c), HF_OK);
    assert_int_equal(c.vals[0].i32, 'f');
    hf_module_unref(m.module);

    m.module = make_module(engine, wrong);
    assert_int_equal(run(m.store, make_and_start, &m), HF_TRAP);
    assert_report(&m.report, "out of bounds memory access");
    hf_store_free(m.store);
    hf_module_unref(m.module);
}

/* ---- futures ---- */

static enum hf_err block_five(void *ctx)
{
    struct hf_store *s = *(struct hf_store **)ctx;
    for (int i = 0; i < 5; i++)
        if (hf_store_block(s) != HF_OK)
            return HF_CANCELLED;
    return HF_OK;
}

static void futures_go_on_only_when_polled(void **state)
{
    (void)state;
    struct hf_store *s = make_store(engine);
    assert_int_equal(hf_store_start(s, block_five, &s), HF_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hf_store_poll(s), HF_AGAIN);
    assert_int_equal(hf_store_poll(s), HF_OK);
    hf_store_free(s);
}

static void start_twice(void *arg)
{
    (void)arg;
    struct hf_engine *e = make_engine(set_no_threads);
    struct hf_store *s = make_store(e);
    int ran = 0;
    (void)hf_store_start(s, give_closed, &ran);
    (void)hf_store_start(s, give_closed, &ran);
}

static void *poll_there(void *arg)
{
    (void)hf_store_poll(arg);
    return NULL;
}

static void poll_elsewhere(void *arg)
{
    (void)arg;
    struct hf_engine *e = make_engine(set_no_threads);
    struct hf_store *s = make_store(e);
    pthread_t t;
    (void)hf_store_start(s, block_five, &s);
    (void)hf_store_poll(s);
    pthread_create(&t, NULL, poll_there, s);
    pthread_join(t, NULL);
}

static void one_future_a_store_on_one_thread(void **state)
{
    (void)state;
    assert_child_died(in_child(start_twice, NULL));
    assert_child_died(in_child(poll_elsewhere, NULL));
}

static void set_two_stacks(struct hf_engine_settings *s)
{
    s->stacks_max = 2;
}

static void no_stack_left_is_a_limit_with_a_name(void **state)
{
    (void)state;
    struct hf_engine *e = make_engine(set_two_stacks);
    struct hf_store *s[3];
    for (int i = 0; i < 3; i++) {
        s[i] = make_store(e);
        assert_int_equal(hf_store_start(s[i], block_five, &s[i]), HF_OK);
        assert_int_equal(hf_store_poll(s[i]), i < 2 ? HF_AGAIN : HF_LIMIT);
    }
    assert_report(hf_store_report(s[2]), "stacks_max = 2");
    hf_store_free(s[0]); /* a freed store gives its stack back */
    assert_int_equal(hf_store_start(s[2], block_five, &s[2]), HF_OK);
    assert_int_equal(hf_store_poll(s[2]), HF_AGAIN);
    hf_store_free(s[1]);
    hf_store_free(s[2]);
    hf_engine_free(e);
}

/* Wasmtime lets go of a fiber's stack only with the store: see stacks_max. */
static void a_store_keeps_its_stack_until_it_is_freed(void **state)
{
    (void)state;
    struct hf_engine *e = make_engine(set_two_stacks);
    struct hf_store *s[3];
    int ran = 0;
    for (int i = 0; i < 3; i++) {
        s[i] = make_store(e);
        assert_int_equal(hf_store_start(s[i], give_closed, &ran), HF_OK);
        assert_int_equal(hf_store_poll(s[i]), i < 2 ? HF_CLOSED : HF_LIMIT);
    }
    assert_int_equal(ran, 2);
    hf_store_free(s[1]);
    assert_int_equal(hf_store_start(s[2], give_closed, &ran), HF_OK);
    assert_int_equal(hf_store_poll(s[2]), HF_CLOSED);
    hf_store_free(s[0]);
    hf_store_free(s[2]);
    hf_engine_free(e);
}

static void many_stores_wait_at_once(void **state)
{
    (void)state;
    struct hf_store *s[20];
    for (int i = 0; i < 20; i++) {
        s[i] = make_store(engine);
        assert_int_equal(hf_store_start(s[i], block_five, &s[i]), HF_OK);
    }
    for (int round = 0; round < 5; round++)
        for (int i = 19; i >= 0; i--)
            assert_int_equal(hf_store_poll(s[i]), HF_AGAIN);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(hf_store_poll(s[i]), HF_OK);
        hf_store_free(s[i]);
    }
}

static void the_context_of_a_store_is_its_owners(void **state)
{
    (void)state;
    struct hf_store *s = make_store(engine);
    int mine;
    assert_null(hf_store_ctx(s));
    hf_store_set_ctx(s, &mine);
    assert_ptr_equal(hf_store_ctx(s), &mine);
    assert_ptr_equal(hf_store_engine(s), engine);
    hf_store_free(s);
    hf_store_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driver_runs_at_the_first_poll_and_gives_its_result),
        cmocka_unit_test(imports_wait_in_the_middle_and_go_on),
        cmocka_unit_test(a_guest_called_by_an_import_waits_too),
        cmocka_unit_test(block_off_the_fiber_is_refused),
        cmocka_unit_test(cancel_unwinds_the_c_frames_and_the_memory_stays_readable),
        cmocka_unit_test(a_dying_store_enters_no_guest),
        cmocka_unit_test(a_driver_being_unwound_cannot_call),
        cmocka_unit_test(cancel_before_the_first_poll_runs_nothing),
        cmocka_unit_test(cancel_from_an_import_ends_the_guest_at_its_return),
        cmocka_unit_test(a_store_is_freed_while_it_waits),
        cmocka_unit_test(a_start_section_that_blocks),
        cmocka_unit_test(a_start_section_that_spins),
        cmocka_unit_test(a_start_function_may_be_an_import),
        cmocka_unit_test(instances_with_initialisers_are_made_on_the_fiber),
        cmocka_unit_test(futures_go_on_only_when_polled),
        cmocka_unit_test(one_future_a_store_on_one_thread),
        cmocka_unit_test(no_stack_left_is_a_limit_with_a_name),
        cmocka_unit_test(a_store_keeps_its_stack_until_it_is_freed),
        cmocka_unit_test(many_stores_wait_at_once),
        cmocka_unit_test(the_context_of_a_store_is_its_owners),
    };
    signals_keep();
    return cmocka_run_group_tests(tests, engine_set_up, engine_tear_down);
}
