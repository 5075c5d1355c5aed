/* resource_test.c - resources of an instance, the host's and a guest's own: who drops what, exactly
 * once; what a hook sees of them; their limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_world.h"

/* ---- host resources ---- */

static const char things_wat[] = WORLD_COMPONENT(
    "(func (export \"new\") (param i32) (result i32) (call $new (local.get 0)))"
    "(func (export \"get\") (param i32) (result i32) (call $get (local.get 0)))"
    "(func (export \"take\") (param i32) (result i32) (call $take (local.get 0)))"
    "(func (export \"drop\") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 0))"
    "(func (export \"keep\") (param i32) (result i32) (local.get 0))"
    "(func (export \"peek\") (param i32) (result i32) (local $v i32) (local.set $v (call $get "
    "(local.get 0)))"
    "  (call $drop (local.get 0)) (local.get $v))"
    "(func (export \"forget\") (param i32) (result i32) (i32.const 0))"
    "(func (export \"give\") (param i32) (result i32) (call $new (local.get 0)))"
    "(func (export \"pair\") (param i32 i32) (result i32) (i32.add (call $get (local.get 0)) (call "
    "$get (local.get 1))))",
    WORLD_LIFT("new", WORLD_U32_U32) WORLD_LIFT("get", WORLD_U32_U32)
        WORLD_LIFT("take", WORLD_U32_U32) WORLD_LIFT("drop", WORLD_U32_U32)
            WORLD_LIFT("keep", "(param \"t\" (own $thing)) (result u32)")
                WORLD_LIFT("peek", "(param \"t\" (borrow $thing)) (result u32)")
                    WORLD_LIFT("forget", "(param \"t\" (borrow $thing)) (result u32)")
                        WORLD_LIFT("give", "(param \"v\" u32) (result (own $thing))") WORLD_LIFT(
                            "pair",
                            "(param \"a\" (own $thing)) (param \"b\" (own $thing)) (result u32)"));

static void test_own_and_borrow_through_host_functions(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, things_wat);
    assert_int_equal(world_u32(w, inst, "new", 10, 0), 1);
    assert_int_equal(world_u32(w, inst, "new", 20, 0), 2);
    assert_int_equal(world_u32(w, inst, "new", 30, 0), 3);
    assert_int_equal(hf_instance_handles(inst), 3);
    assert_int_equal(world_u32(w, inst, "get", 2, 0), 20);
    assert_int_equal(world_u32(w, inst, "take", 2, 0), 20);
    assert_int_equal(world_u32(w, inst, "drop", 1, 0), 0);
    assert_int_equal(world_u32(w, inst, "new", 40, 0), 1); /* H1: last freed, first used */
    assert_int_equal(world_u32(w, inst, "new", 50, 0), 2);
    assert_string_equal(w->log, "new 10;new 20;new 30;get 20;drop 20;drop 10;new 40;new 50;");
    w->log[0] = '\0';
    hf_instance_free(inst);
    assert_string_equal(w->log, "drop 50;drop 40;drop 30;"); /* newest first, not by index */
}

static void test_bad_handles_trap(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"get", "unknown handle index 0"},
        {"take", "unknown handle index 0"},
        {"drop", "unknown handle index 0"},
    };
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, things_wat);
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_instance *inst = world_start(w, c);
        world_traps(w, inst, cases[i].name, cases[i].text);
        world_is_dead(inst);
        hf_instance_free(inst);
    }
    hf_component_unref(c);
}

/* A host may refuse a drop: the guest is trapped, the object is dropped at the end, once. */
static void test_refused_drop(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, things_wat);
    const struct hf_value index = hf_value_u64(1);
    assert_int_equal(world_u32(w, inst, "new", 666, 0), 1);
    assert_int_equal(world_call(w, inst, "drop", &index, 1), HF_TRAP);
    assert_non_null(strstr(hf_instance_report(inst)->text, "thing 666 stays"));
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 666;drop 666;");
}

static void test_own_arguments_move_in(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, things_wat);
    struct hf_value t = hf_value_obj(world_thing(w, 7));
    assert_int_equal(world_call(w, inst, "keep", &t, 1), HF_OK);
    assert_int_equal(hf_instance_result(inst)->u64, 1);
    assert_int_equal(hf_instance_handles(inst), 1);
    assert_int_equal(world_u32(w, inst, "get", 1, 0), 7);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 7;get 7;drop 7;");
}

static void test_borrowed_arguments_come_back(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, things_wat);
    struct thing *t = world_thing(w, 8);
    struct hf_value arg = hf_value_obj(t);
    assert_int_equal(world_call(w, inst, "peek", &arg, 1), HF_OK);
    assert_int_equal(hf_instance_result(inst)->u64, 8);
    assert_int_equal(hf_instance_handles(inst), 0);
    assert_int_equal(world_call(w, inst, "forget", &arg, 1), HF_TRAP); /* C1 */
    assert_non_null(strstr(hf_instance_report(inst)->text, "borrow handles still remain"));
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 8;get 8;"); /* it is the host's */
    arg.obj = NULL;
    w->live--;
    free(t);
}

/* Own arguments of a call that cannot be made are dropped, once each, whatever the reason. */
static void test_own_arguments_of_no_call_are_dropped(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, things_wat);
    struct hf_instance *inst = world_new(w, c);
    struct hf_value args[2] = {hf_value_obj(world_thing(w, 1)), hf_value_obj(world_thing(w, 2))};
    const struct hf_export *pair = world_export(inst, "pair");
    assert_int_equal(hf_instance_call(inst, pair, args, 2), HF_INVALID); /* not started */
    assert_string_equal(w->log, "new 1;new 2;drop 1;drop 2;");
    hf_instance_free(inst);

    inst = world_start(w, c);
    w->log[0] = '\0';
    args[0] = hf_value_obj(world_thing(w, 3));
    args[1] = hf_value_obj(world_thing(w, 4));
    assert_int_equal(hf_instance_call(inst, pair, args, 2), HF_OK);
    hf_instance_cancel(inst); /* before the first poll */
    assert_string_equal(w->log, "new 3;new 4;drop 3;drop 4;");
    args[0] = hf_value_obj(world_thing(w, 5));
    args[1] = hf_value_obj(world_thing(w, 6));
    assert_int_equal(hf_instance_call(inst, pair, args, 2), HF_TRAP); /* dead */
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 3;new 4;drop 3;drop 4;new 5;new 6;drop 5;drop 6;");

    /* The table is full for the second: the first is in the guest's table, the second goes back. */
    struct hf_instance_settings s = {.ctx = w, .handles_max = 1};
    assert_int_equal(hf_instance_new(c, &s, &inst, NULL), HF_OK);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(world_run(w, inst), HF_OK);
    w->log[0] = '\0';
    args[0] = hf_value_obj(world_thing(w, 7));
    args[1] = hf_value_obj(world_thing(w, 8));
    assert_int_equal(world_call(w, inst, "pair", args, 2), HF_TRAP);
    assert_string_equal(w->log, "new 7;new 8;drop 8;");
    world_is_dead(inst);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 7;new 8;drop 8;drop 7;");
    hf_component_unref(c);
}

static void test_own_results(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, things_wat);
    const struct hf_value v = hf_value_u64(9);
    /* Looked at, never taken: dropped at the next call. */
    assert_int_equal(world_call(w, inst, "give", &v, 1), HF_OK);
    assert_int_equal(((const struct thing *)hf_instance_result(inst)->obj)->v, 9);
    assert_int_equal(world_call(w, inst, "give", &v, 1), HF_OK);
    assert_string_equal(w->log, "new 9;drop 9;new 9;");
    /* Taken over. */
    struct hf_value t = *hf_instance_result(inst);
    hf_instance_take_result(inst);
    w->log[0] = '\0';
    assert_int_equal(world_call(w, inst, "keep", &t, 1), HF_OK);
    assert_string_equal(w->log, "");
    /* Never taken, and then the end. */
    assert_int_equal(world_call(w, inst, "give", &v, 1), HF_OK);
    assert_int_equal(w->live, 2);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 9;drop 9;drop 9;");
}

/* ---- guest resources ---- */

static void test_guest_resources(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, world_guest_resource_wat);
    assert_int_equal(world_u32(w, inst, "use", 5, 0), 5);
    assert_int_equal(world_u32(w, inst, "sum", 0, 0), 5); /* the dtor got the rep */
    assert_int_equal(world_u32(w, inst, "use", 7, 0), 7);
    assert_int_equal(world_u32(w, inst, "sum", 0, 0), 12);
    assert_int_equal(world_u32(w, inst, "leak", 100, 0), 1);
    assert_int_equal(hf_instance_handles(inst), 1);
    world_traps(w, inst, "stale", "unknown handle index 77");
    hf_instance_free(inst); /* the leaked one goes with its memory: no guest code runs */
}

/* H7: the host owns a guest resource, lends it, and drops it through the dtor. */
static void test_h7_host_owns_guest_resource(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, world_guest_resource_wat);
    const struct hf_value v = hf_value_u64(41);
    assert_int_equal(world_call(w, inst, "make", &v, 1), HF_OK);
    struct hf_value own = *hf_instance_result(inst);
    assert_int_equal(own.u64, 41);
    assert_int_equal(hf_instance_handles(inst), 0);
    assert_int_equal(world_call(w, inst, "get", &own, 1), HF_OK);
    assert_int_equal(hf_instance_result(inst)->u64, 41);
    const struct hf_resource_type *t = hf_export_type(world_export(inst, "make"))->result->resource;
    assert_int_equal(hf_instance_drop_guest(inst, t, own.u64), HF_OK);
    assert_true(hf_instance_busy(inst));
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_int_equal(world_u32(w, inst, "sum", 0, 0), 41);
    hf_instance_free(inst);
}

/* ---- the membrane ---- */

struct hooked {
    struct world *world;
    char log[1024];
    bool closed;
    const char *cancelled; /* before or after it: the hook ends the guest */
    bool cancel_before;
};

static const char *const kinds[] = {"import", "drop", "start", "export", "drop-guest"};

static void note(struct hooked *h, const char *fmt, const char *a, struct hf_view b,
                 struct hf_view bytes)
{
    size_t at = strlen(h->log);
    at += (size_t)snprintf(h->log + at, sizeof h->log - at, fmt, a, HF_FMT(b));
    for (size_t i = 0; i < bytes.len; i++)
        at += (size_t)snprintf(h->log + at, sizeof h->log - at, "%02x", bytes.ptr[i]);
    snprintf(h->log + at, sizeof h->log - at, ";");
}

static enum hf_err before(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    struct hooked *h = ctx;
    assert_true((call != NULL) == (x->kind <= HF_CROSS_DROP));
    note(h, "%s %.*s ", kinds[x->kind], x->func, x->args);
    if (h->cancelled != NULL && h->cancel_before && hf_view_eq_text(x->func, h->cancelled))
        return HF_CANCELLED;
    if (h->closed && hf_view_eq_text(x->func, "[method]thing.get")) {
        x->result = hf_view("\x63\0\0\0", 4);
        return HF_CLOSED;
    }
    return call != NULL && hf_view_eq_text(x->func, "take") && h->closed
               ? hf_call_trap(call, "not today")
               : HF_OK;
}

static enum hf_err after(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    struct hooked *h = ctx;
    (void)call;
    note(h, x->err == HF_OK ? "%s%.*s=" : "%s%.*s!", "", hf_view("", 0), x->result);
    bool cancel =
        h->cancelled != NULL && !h->cancel_before && hf_view_eq_text(x->func, h->cancelled);
    return cancel ? HF_CANCELLED : HF_OK;
}

static void test_hook_sees_every_import(void **state)
{
    static const struct hf_hook hook = {before, after};
    struct world *w = world_fresh(state);
    struct hooked h = {.world = w};
    struct hf_component *c = world_load(w, things_wat);
    struct hf_instance *inst = world_new(w, c);
    hf_component_unref(c);
    assert_int_equal(hf_instance_set_hook(inst, &hook, &h), HF_OK);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_string_equal(h.log, "start [start] ;=;");
    h.log[0] = '\0';
    assert_int_equal(world_u32(w, inst, "new", 1, 0), 1);
    assert_string_equal(h.log, "export new 01000000;import [constructor]thing 01000000;=01000000;"
                               "=01000000;");
    assert_int_equal(world_u32(w, inst, "get", 1, 0), 1);
    h.closed = true;
    h.log[0] = '\0';
    assert_int_equal(world_u32(w, inst, "get", 1, 0), 99); /* answered by the hook */
    assert_string_equal(h.log, "export get 01000000;import [method]thing.get 01000000;=63000000;"
                               "=63000000;");
    const struct hf_value one = hf_value_u64(1);
    h.log[0] = '\0';
    assert_int_equal(world_call(w, inst, "take", &one, 1), HF_TRAP);
    assert_string_equal(h.log, "export take 01000000;import take 01000000;!;");
    assert_string_equal(w->log, "new 1;get 1;drop 1;"); /* its argument was ours and went nowhere */
    hf_instance_free(inst);
}

/* HF_CANCELLED of a hook ends the guest, wherever it is said: nothing of it runs any more. */
static void test_a_hook_cancels_before_and_after(void **state)
{
    static const struct hf_hook hook = {before, after};
    static const char *const where[] = {"[constructor]thing", "new", "[method]thing.get", "get"};
    struct world *w = world_fresh(state);
    for (unsigned i = 0; i < 2 * HF_ARRAY_LEN(where); i++) {
        struct hooked h = {.world = w};
        struct hf_instance *inst = world_from(w, things_wat);
        assert_int_equal(hf_instance_set_hook(inst, &hook, &h), HF_OK);
        assert_int_equal(world_u32(w, inst, "new", 1, 0), 1);
        h.cancelled = where[i / 2];
        h.cancel_before = i % 2 == 0;
        h.log[0] = '\0';
        const struct hf_value one = hf_value_u64(1);
        const char *export = i / 2 < 2 ? "new" : "get";
        assert_int_equal(world_call(w, inst, export, &one, 1), HF_CANCELLED);
        world_is_dead(inst);
        const char *last = strrchr(h.log, ' ');
        assert_true(i % 2 == 0 || strchr(last, '!') != NULL || strchr(last, '=') != NULL);
        hf_instance_free(inst);
    }
}

/* ---- what a component passes on ---- */

static void test_host_function_exported_again(void **state)
{
    static const char wat[] =
        "(component " WORLD_IT " (export $t2 \"thing\" (type $thing))"
        " (export \"make\" (func $it \"make\") (func (param \"v\" u32) (result (own $t2))))"
        " (export \"get\" (func $it \"[method]thing.get\") (func (param \"self\" (borrow $t2)) "
        "(result u32)))"
        " (export \"fail\" (func $it \"fail\")) (export \"block\" (func $it \"block\")))";
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, wat);
    const struct hf_value v = hf_value_u64(6);
    assert_int_equal(world_call(w, inst, "make", &v, 1), HF_OK);
    struct hf_value t = *hf_instance_result(inst);
    hf_instance_take_result(inst);
    assert_int_equal(world_call(w, inst, "get", &t, 1), HF_OK);
    assert_int_equal(hf_instance_result(inst)->u64, 6);
    assert_int_equal(world_call(w, inst, "block", &v, 1), HF_OK);
    assert_int_equal(w->blocks, 6);
    world_traps(w, inst, "fail", "the test wants it");
    hf_instance_free(inst);
    free(t.obj);
    w->live--;
}

/* ---- limits ---- */

static void test_handle_limit_traps(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, things_wat);
    struct hf_instance_settings s = {.ctx = w, .handles_max = 2};
    struct hf_instance *inst = NULL;
    assert_int_equal(hf_instance_new(c, &s, &inst, NULL), HF_OK);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_int_equal(world_u32(w, inst, "new", 1, 0), 1);
    assert_int_equal(world_u32(w, inst, "new", 2, 0), 2);
    world_traps(w, inst, "new", "handle");
    world_is_dead(inst);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 1;new 2;new 0;drop 0;drop 2;drop 1;");
    hf_component_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_and_borrow_through_host_functions),
        cmocka_unit_test(test_bad_handles_trap),
        cmocka_unit_test(test_refused_drop),
        cmocka_unit_test(test_own_arguments_move_in),
        cmocka_unit_test(test_borrowed_arguments_come_back),
        cmocka_unit_test(test_own_arguments_of_no_call_are_dropped),
        cmocka_unit_test(test_own_results),
        cmocka_unit_test(test_guest_resources),
        cmocka_unit_test(test_h7_host_owns_guest_resource),
        cmocka_unit_test(test_hook_sees_every_import),
        cmocka_unit_test(test_host_function_exported_again),
        cmocka_unit_test(test_a_hook_cancels_before_and_after),
        cmocka_unit_test(test_handle_limit_traps),
    };
    return cmocka_run_group_tests_name("resource", tests, world_setup, world_teardown);
}
