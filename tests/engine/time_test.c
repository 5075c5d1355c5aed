/* time_test.c - guests that compute too long, on the fiber and off it; stacks; many threads. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine_int.h" /* for the ticker's count */
#include "support.h"

/* ---- time ---- */

static enum hf_err nothing(void *env, union hf_val *vals)
{
    (void)env, (void)vals;
    return HF_OK;
}

static void spinning_guest(struct guest *g)
{
    *g = (struct guest){.store = make_store(engine)};
    struct hf_func f = make_import(g->store, 0, 0, nothing, NULL);
    guest_new(g, engine, spins, &f, 1);
}

static void a_guest_that_computes_yields_after_its_slice(void **state)
{
    (void)state;
    struct guest g;
    spinning_guest(&g);
    struct call c = {.store = g.store, .func = guest_func(&g, "spin")};
    assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
    for (int i = 0; i < 5; i++) {
        uint64_t before = atomic_load(&engine->ticker.ticks);
        assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
        assert_int_equal(hf_store_why(g.store), HF_WHY_SLICE);
        if (i == 0) /* the epoch may have moved on before it was counted */
            assert_in_range(atomic_load(&engine->ticker.ticks) - before, 9, 2000);
    }
    hf_store_cancel(g.store); /* unwinds guest frames, too */
    assert_int_equal(hf_store_running(g.store), false);
    guest_done(&g);
}

/* 10 ticks, then 2 each; a loaded machine adds to most. */
static void slices_after_the_first_are_short(void **state)
{
    (void)state;
    struct guest g;
    uint64_t least = UINT64_MAX, before, ticks;
    spinning_guest(&g);
    struct call c = {.store = g.store, .func = guest_func(&g, "spin")};
    assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
    assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
    for (int i = 0; i < 100; i++) {
        before = atomic_load(&engine->ticker.ticks);
        assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
        ticks = atomic_load(&engine->ticker.ticks) - before;
        least = ticks < least ? ticks : least;
    }
    assert_in_range(least, 1, 3);
    guest_done(&g);
}

/* However late the thread is that counts: 300 ms are about 300 ticks. */
static void ticks_that_came_late_are_made_up_for(void **state)
{
    (void)state;
    struct guest g;
    spinning_guest(&g);
    struct call c = {.store = g.store, .func = guest_func(&g, "spin")};
    struct hf_os *os = hf_os_linux();
    assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
    assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
    uint64_t ticks = atomic_load(&engine->ticker.ticks), begin = os->now_ns(os), took;
    uint64_t seen;
    do { /* the thread may be late just when we look: then it makes up for that, too */
        assert_int_equal(hf_store_poll(g.store), HF_AGAIN);
        took = os->now_ns(os) - begin;
        seen = atomic_load(&engine->ticker.ticks) - ticks;
    } while (took < 300000000 || (seen < took / 1000000 / 2 && took < 30000000000));
    took = os->now_ns(os) - begin;
    assert_in_range(seen, took / 1000000 / 3, took / 1000000 + 101);
    guest_done(&g);
}

static void a_long_guest_ends_in_slices(void **state)
{
    (void)state;
    struct guest g;
    spinning_guest(&g);
    struct call c = {
        .store = g.store, .func = guest_func(&g, "count"), .vals = {{.i32 = 200000000}}};
    unsigned slices = 0;
    enum hf_err err;
    assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
    while ((err = hf_store_poll(g.store)) == HF_AGAIN)
        slices++;
    assert_int_equal(err, HF_OK);
    assert_int_equal(c.vals[0].i32, 0);
    assert_true(slices >= 1);
    guest_done(&g);
}

static void set_short(struct hf_engine_settings *s)
{
    s->tick_us = 500;
    s->offfiber_ticks = 60;
}

static void a_guest_that_spins_off_the_fiber_is_ended(void **state)
{
    (void)state;
    struct hf_engine *e = make_engine(set_short), *kept = engine;
    struct guest g;
    engine = e;
    spinning_guest(&g);
    struct hf_func spin = guest_func(&g, "spin"), count = guest_func(&g, "count");
    union hf_val v[1] = {{.i32 = 5}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hf_store_call(g.store, &spin, NULL, 0), HF_TRAP);
        assert_report(hf_store_report(g.store), "interrupted");
        assert_report(hf_store_report(g.store), "  at ");
        assert_int_equal(hf_store_report(g.store)->err, HF_TIMEOUT);
        v[0].i32 = 5;
        assert_int_equal(hf_store_call(g.store, &count, v, 1),
                         HF_OK); /* each call has the whole limit */
    }
    guest_done(&g);
    hf_engine_free(e);
    engine = kept;
}

struct inner_spin {
    struct hf_store *store;
    struct hf_func spin;
};

static enum hf_err spin_inside(void *env, union hf_val *vals)
{
    struct inner_spin *s = env;
    (void)vals;
    return hf_store_call(s->store, &s->spin, NULL, 0);
}

/* A realloc that spins is a guest function called by an import. */
static void a_guest_that_spins_inside_an_import_yields_like_any_other(void **state)
{
    (void)state;
    struct guest inner, outer = {0};
    spinning_guest(&inner);
    struct inner_spin s = {.store = inner.store, .spin = guest_func(&inner, "spin")};
    outer.store = inner.store;
    struct hf_func f = make_import(inner.store, 0, 0, spin_inside, &s);
    guest_new(&outer, engine, spins, &f, 1);
    struct call c = {.store = inner.store, .func = guest_func(&outer, "note")};
    assert_int_equal(hf_store_start(inner.store, call_driver, &c), HF_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_store_poll(inner.store), HF_AGAIN);
        assert_int_equal(hf_store_why(inner.store), HF_WHY_SLICE);
    }
    hf_store_cancel(inner.store);
    hf_module_unref(outer.module);
    guest_done(&inner);
}

static void the_ticker_sleeps_and_wakes(void **state)
{
    (void)state;
    struct guest g;
    spinning_guest(&g);
    struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; i < 3; i++) {
        uint64_t ticks, before;
        int tries = 0;
        do { /* nothing runs: soon it ticks no more */
            before = atomic_load(&engine->ticker.ticks);
            nanosleep(&pause, NULL);
            ticks = atomic_load(&engine->ticker.ticks);
            assert_true(++tries < 500);
        } while (ticks != before);
        struct call c = {.store = g.store, .func = guest_func(&g, "spin")};
        assert_int_equal(hf_store_start(g.store, call_driver, &c), HF_OK);
        assert_int_equal(hf_store_poll(g.store), HF_AGAIN); /* hangs if nobody moved the epoch */
        assert_int_equal(hf_store_why(g.store), HF_WHY_SLICE);
        hf_store_free(g.store);
        hf_module_unref(g.module);
        spinning_guest(&g);
    }
    guest_done(&g);
}

/* ---- stacks ---- */

/* Uses stack `depth` frames deep, then calls out; the import calls in again. */
static const char deep[] =
    "(module (import \"h\" \"again\" (func $again (param i32) (result i32)))"
    "  (func $deep (export \"deep\") (param i32) (result i32)"
    "    (if (result i32) (local.get 0)"
    "      (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))"
    "      (else (call $again (i32.const 0))))))";

struct ladder {
    struct hf_store *store;
    struct hf_func deep;
    int32_t depth;
    int levels, reached;
};

static enum hf_err next_level(void *env, union hf_val *vals)
{
    struct ladder *l = env;
    if (++l->reached >= l->levels) {
        vals[0].i32 = 0;
        return HF_OK;
    }
    union hf_val v[1] = {{.i32 = l->depth}};
    enum hf_err err = hf_store_call(l->store, &l->deep, v, 1);
    vals[0].i32 = v[0].i32;
    return err;
}

static enum hf_err climb(struct ladder *l)
{
    struct call c = {.store = l->store, .func = l->deep, .vals = {{.i32 = l->depth}}};
    l->reached = 0;
    return run(l->store, call_driver, &c);
}

static void stack_is_checked_before_every_entry(void **state)
{
    (void)state;
    struct guest g = {.store = make_store(engine)};
    struct ladder l = {.store = g.store, .levels = 1, .depth = 256};
    struct hf_func f = make_import(g.store, 1, 1, next_level, &l);
    guest_new(&g, engine, deep, &f, 1);
    l.deep = guest_func(&g, "deep");
    while (climb(&l) == HF_OK) /* how deep one guest may go */
        l.depth += l.depth / 4;
    assert_report(hf_store_report(g.store), "call stack exhausted");
    l.depth = l.depth / 4 * 3;
    assert_int_equal(climb(&l), HF_OK);
    l.levels = 4; /* fits: each level has its own 512 KiB of the 4 MiB */
    assert_int_equal(climb(&l), HF_OK);
    assert_int_equal(l.reached, 4);
    l.levels = 100; /* without the check this would run off the fiber and abort the process */
    assert_int_equal(climb(&l), HF_TRAP);
    assert_report(hf_store_report(g.store), "call each other too deeply");
    assert_true(l.reached > 4 && l.reached < 10);
    l.depth = 0; /* thin levels: the same limit, more of them */
    assert_int_equal(climb(&l), HF_OK);
    assert_int_equal(l.reached, 100);
    l.levels = 1000000;
    assert_int_equal(climb(&l), HF_TRAP);
    assert_report(hf_store_report(g.store), "call each other too deeply");
    l.levels = 2;
    assert_int_equal(climb(&l), HF_OK); /* only that call died */
    guest_done(&g);
}

static void off_the_fiber_the_stack_limit_of_the_first_entry_holds(void **state)
{
    (void)state;
    struct guest g = {.store = make_store(engine)};
    struct ladder l = {.store = g.store, .levels = 1000000, .depth = 100};
    struct hf_func f = make_import(g.store, 1, 1, next_level, &l);
    guest_new(&g, engine, deep, &f, 1);
    l.deep = guest_func(&g, "deep");
    union hf_val v[1] = {{.i32 = 100}};
    assert_int_equal(hf_store_call(g.store, &l.deep, v, 1), HF_TRAP);
    assert_report(hf_store_report(g.store), "call stack exhausted");
    guest_done(&g);
}

/* ---- threads ---- */

static void *work(void *arg)
{
    struct hf_module *m = arg;
    for (int i = 0; i < 60; i++) {
        struct hf_store *s = NULL;
        struct hf_core core;
        struct hf_extern e;
        struct hf_func f;
        static const enum hf_core_type types[] = {HF_I32, HF_I64, HF_F32, HF_F64};
        const struct hf_functype none = {0}, odd = {.n_params = (uint32_t)i % 4, .params = types};
        if (hf_store_new(engine, NULL, &s, NULL) != HF_OK ||
            hf_func_new(s, &none, nothing, NULL, &f) != HF_OK)
            return "store";
        hf_extern_of_func(&f, &e);
        if (hf_func_new(s, &odd, nothing, NULL, &f) != HF_OK ||
            hf_core_new(s, m, &e, 1, &core, NULL) != HF_OK)
            return "instance";
        struct hf_extern out;
        struct call c = {.store = s, .vals = {{.i32 = 3000000}}};
        if (!hf_core_export(s, &core, HF_VIEW("count"), &out) || !hf_extern_func(&out, &c.func) ||
            run(s, call_driver, &c) != HF_OK || c.vals[0].i32 != 0)
            return "call";
        hf_store_free(s);
    }
    return NULL;
}

static void many_threads_share_an_engine(void **state)
{
    (void)state;
    pthread_t t[4];
    struct hf_store *s = make_store(engine); /* puts the signal handlers back */
    struct hf_module *m = make_module(engine, spins);
    for (size_t i = 0; i < HF_ARRAY_LEN(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, work, m), 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(t); i++) {
        void *failed;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    hf_module_unref(m);
    hf_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_computes_yields_after_its_slice),
        cmocka_unit_test(slices_after_the_first_are_short),
        cmocka_unit_test(ticks_that_came_late_are_made_up_for),
        cmocka_unit_test(a_long_guest_ends_in_slices),
        cmocka_unit_test(a_guest_that_spins_off_the_fiber_is_ended),
        cmocka_unit_test(a_guest_that_spins_inside_an_import_yields_like_any_other),
        cmocka_unit_test(the_ticker_sleeps_and_wakes),
        cmocka_unit_test(stack_is_checked_before_every_entry),
        cmocka_unit_test(off_the_fiber_the_stack_limit_of_the_first_entry_holds),
        cmocka_unit_test(many_threads_share_an_engine),
    };
    signals_keep();
    return cmocka_run_group_tests(tests, engine_set_up, engine_tear_down);
}
