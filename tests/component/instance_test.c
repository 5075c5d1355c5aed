/* instance_test.c - the life of an instance: start, call, wait, end; nested ones,
 * re-entrance. (Resources and the hook: resource_test.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_world.h"

/* ---- calls ---- */

static const char add_wat[] =
    "(component (core module $M"
    " (func (export \"add\") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"
    " (func (export \"nothing\")))"
    "(core instance $m (instantiate $M))"
    "(func (export \"add\") (param \"a\" u32) (param \"b\" u32) (result u32) (canon lift (core "
    "func $m "
    "\"add\")))"
    "(func (export \"nothing\") (canon lift (core func $m \"nothing\"))))";

static void test_call(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, add_wat);
    assert_int_equal(world_u32(w, inst, "add", 1, 2), 3);
    assert_int_equal(world_u32(w, inst, "add", UINT32_MAX, 2), 1);
    assert_int_equal(world_call(w, inst, "nothing", NULL, 0), HF_OK);
    assert_null(hf_instance_result(inst));
    assert_false(hf_instance_dead(inst));
    assert_ptr_equal(hf_instance_ctx(inst), w);
    assert_int_equal(hf_instance_handles(inst), 0);
    assert_int_equal(hf_instance_memory_bytes(inst), 0);
    hf_instance_free(inst);
    hf_instance_free(NULL);
}

static void test_wrong_moment_is_an_error(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, add_wat);
    struct hf_instance *inst = world_new(w, c);
    const struct hf_value args[2] = {hf_value_u64(1), hf_value_u64(2)};
    const struct hf_export *e = world_export(inst, "add");
    assert_int_equal(hf_instance_call(inst, e, args, 2), HF_INVALID); /* not started */
    assert_int_equal(hf_instance_poll(inst), HF_INVALID);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(hf_instance_call(inst, e, args, 2), HF_INVALID); /* starting */
    assert_true(hf_instance_busy(inst));
    assert_int_equal(hf_instance_poll(inst), HF_OK);
    assert_int_equal(hf_instance_call(inst, e, args, 1), HF_INVALID); /* too few arguments */
    assert_int_equal(hf_instance_call(inst, e, args, 2), HF_OK);
    assert_int_equal(hf_instance_call(inst, e, args, 2), HF_INVALID); /* busy */
    assert_int_equal(hf_instance_poll(inst), HF_OK);
    assert_int_equal(hf_instance_result(inst)->u64, 3);
    hf_instance_free(inst);
    hf_instance_free(world_new(w, c)); /* never started */
    inst = world_new(w, c);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    hf_instance_free(inst); /* started, never polled */
    hf_component_unref(c);
}

/* F3: 17 parameters go through memory; more values than the instance has room for itself. */
static void test_many_params(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_buf wat = {0};
    assert_int_equal(
        hf_buf_add_text(
            &wat,
            "(component " WORLD_LIBC "(core module $M (import \"libc\" \"memory\" (memory 1))"
            " (func (export \"sum\") (param $p i32) (result i32) (local $i i32) (local $s i32)"
            " (loop $l (local.set $s (i32.add (local.get $s) (i32.load (i32.add (local.get $p)"
            "  (i32.mul (local.get $i) (i32.const 4))))))"
            "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"
            "  (br_if $l (i32.lt_u (local.get $i) (i32.const 40)))) (local.get $s)))"
            "(core instance $m (instantiate $M (with \"libc\" (instance $libc))))"
            "(func (export \"sum\")"),
        HF_OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(hf_buf_printf(&wat, " (param \"p%d\" u32)", i), HF_OK);
    assert_int_equal(
        hf_buf_add_text(&wat, " (result u32) (canon lift (core func $m \"sum\")"
                              " (memory $libc \"memory\") (realloc (func $libc \"realloc\")))))"),
        HF_OK);
    struct hf_instance *inst = world_from(w, (const char *)wat.ptr);
    struct hf_value args[40];
    for (unsigned i = 0; i < 40; i++)
        args[i] = hf_value_u64(i);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(world_call(w, inst, "sum", args, 40), HF_OK);
        assert_int_equal(hf_instance_result(inst)->u64, 780);
    }
    hf_instance_free(inst);
    hf_buf_done(&wat);
}

/* Strings in and out; the result stays good until the next call, whatever post-return does to the
 * memory (C1). */
static const char echo_wat[] =
    "(component " WORLD_LIBC "(core module $M (import \"libc\" \"memory\" (memory 1))"
    " (global $posts (mut i32) (i32.const 0))"
    " (func (export \"echo\") (param i32 i32) (result i32)"
    "  (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) "
    "(i32.const 16))"
    " (func (export \"post\") (param i32) (global.set $posts (i32.add (global.get $posts) "
    "(i32.const 1)))"
    "  (memory.fill (i32.load (i32.const 16)) (i32.const 63) (i32.load (i32.const 20)))"
    "  (if (i32.ne (local.get 0) (i32.const 16)) (then unreachable)))"
    " (func (export \"posts\") (result i32) (global.get $posts)))"
    "(core instance $m (instantiate $M (with \"libc\" (instance $libc))))"
    "(func (export \"echo\") (param \"s\" string) (result string) (canon lift (core func $m "
    "\"echo\")"
    " (memory $libc \"memory\") (realloc (func $libc \"realloc\")) (post-return (func $m "
    "\"post\"))))"
    "(func (export \"posts\") (result u32) (canon lift (core func $m \"posts\"))))";

static void test_result_lives_until_the_next_call(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, echo_wat);
    struct hf_value arg = hf_value_bytes(HF_VIEW("h\xc3\xa9llo"));
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(world_call(w, inst, "echo", &arg, 1), HF_OK);
        assert_true(hf_view_eq_text(hf_value_view(hf_instance_result(inst)), "h\xc3\xa9llo"));
    }
    assert_int_equal(world_u32(w, inst, "posts", 0, 0), 3); /* once a call */
    assert_true(hf_instance_memory_bytes(inst) == 65536);
    hf_instance_free(inst);
}

static void test_post_return_traps(void **state)
{
    static const char wat[] =
        WORLD_COMPONENT("(func (export \"a\") (result i32) (i32.const 7))"
                        "(func (export \"b\") (result i32) (i32.const 8))"
                        "(func (export \"post-a\") (param i32) unreachable)"
                        "(func (export \"post-b\") (param i32) (call $block (i32.const 0)))",
                        "(func (export \"a\") (result u32) (canon lift (core func $m \"a\") "
                        "(post-return (func $m \"post-a\"))))"
                        "(func (export \"b\") (result u32) (canon lift (core func $m \"b\") "
                        "(post-return (func $m \"post-b\"))))");
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, wat);
    struct hf_instance *inst = world_start(w, c);
    world_traps(w, inst, "a", "unreachable");
    world_is_dead(inst);
    hf_instance_free(inst);
    inst = world_start(w, c);
    world_traps(w, inst, "b", "cannot leave component instance"); /* C3 */
    world_is_dead(inst);
    hf_instance_free(inst);
    hf_component_unref(c);
}

/* ---- traps and the end: E3 ---- */

static void test_e3_after_a_trap_nothing_runs(void **state)
{
    static const char wat[] =
        WORLD_COMPONENT("(func $inner unreachable)"
                        "(func (export \"trap\") (result i32) (drop (call $new (i32.const 1))) "
                        "(call $inner) (i32.const 1))"
                        "(func (export \"fine\") (result i32) (call $new (i32.const 2)))",
                        WORLD_LIFT("trap", WORLD_U32) WORLD_LIFT("fine", WORLD_U32));
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, wat);
    assert_int_equal(world_u32(w, inst, "fine", 0, 0), 1);
    world_traps(w, inst, "trap", "inner"); /* the backtrace has names */
    world_is_dead(inst);
    world_traps(w, inst, "fine", "cannot enter component instance");
    world_traps(w, inst, "fine", "unreachable"); /* and says why */
    assert_string_equal(w->log, "new 2;new 1;");
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 2;new 1;drop 1;drop 2;"); /* newest first */
}

static void test_host_trap(void **state)
{
    static const char wat[] = WORLD_COMPONENT("(func (export \"f\") (result i32) (drop (call $new "
                                              "(i32.const 5))) (call $fail) (i32.const 1))",
                                              WORLD_LIFT("f", WORLD_U32));
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, wat);
    world_traps(w, inst, "f", "test:host/it@1.0.0#fail: the test wants it");
    world_is_dead(inst);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 5;drop 5;");
}

/* ---- waiting and cancelling ---- */

static const char block_wat[] = WORLD_COMPONENT(
    "(func (export \"wait\") (param i32) (result i32) (drop (call $new (i32.const 3)))"
    " (call $block (local.get 0)) (i32.const 9))"
    "(func (export \"spin\") (param i32) (result i32) (loop $l (br $l)) (i32.const 0))",
    WORLD_LIFT("wait", WORLD_U32_U32) WORLD_LIFT("spin", WORLD_U32_U32));

static void test_block_and_go_on(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, block_wat);
    assert_int_equal(world_u32(w, inst, "wait", 5, 0), 9);
    assert_int_equal(w->blocks, 5);
    assert_int_equal(w->slices, 0);
    assert_int_equal(world_u32(w, inst, "wait", 0, 0), 9);
    assert_int_equal(w->blocks, 5);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 3;new 3;drop 3;drop 3;");
}

static void test_cancel_while_blocked(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, block_wat);
    const struct hf_value n = hf_value_u64(3);
    for (int by_free = 0; by_free < 2; by_free++) {
        struct hf_instance *inst = world_start(w, c);
        w->log[0] = '\0';
        assert_int_equal(hf_instance_call(inst, world_export(inst, "wait"), &n, 1), HF_OK);
        assert_int_equal(hf_instance_poll(inst), HF_AGAIN);
        assert_int_equal(hf_instance_why(inst), HF_WHY_BLOCK);
        if (!by_free) {
            hf_instance_cancel(inst);
            assert_string_equal(w->log, "new 3;cancelled;");
            world_is_dead(inst);
            hf_instance_cancel(inst); /* once is enough, twice is fine */
        }
        hf_instance_free(inst);
        assert_string_equal(w->log, "new 3;cancelled;drop 3;");
    }
    assert_int_equal(w->cancelled, 2);
    hf_component_unref(c);
}

static void test_slices_and_cancel_of_a_spin(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, block_wat);
    const struct hf_value n = hf_value_u64(0);
    assert_int_equal(hf_instance_call(inst, world_export(inst, "spin"), &n, 1), HF_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_instance_poll(inst), HF_AGAIN);
        assert_int_equal(hf_instance_why(inst), HF_WHY_SLICE);
    }
    hf_instance_cancel(inst);
    world_is_dead(inst);
    hf_instance_free(inst);
}

/* ---- start functions: S16 ---- */

#define START(body)                                                                                \
    WORLD_COMPONENT("(func $s " body                                                               \
                    ") (start $s) (func (export \"f\") (result i32) (i32.const 4))",               \
                    WORLD_LIFT("f", WORLD_U32))

static void test_s16_start_that_spins(void **state)
{
    static const char wat[] = START("(drop (call $new (i32.const 1))) (loop $l (br $l))");
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, wat);
    struct hf_instance *inst = world_new(w, c);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_instance_poll(inst), HF_AGAIN);
        assert_int_equal(hf_instance_why(inst), HF_WHY_SLICE);
    }
    hf_instance_cancel(inst);
    world_is_dead(inst);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 1;drop 1;");
    hf_component_unref(c);
}

static void test_start_that_traps(void **state)
{
    static const char wat[] = START("(drop (call $new (i32.const 1))) unreachable");
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, wat);
    struct hf_instance *inst = world_new(w, c);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(world_run(w, inst), HF_TRAP);
    assert_non_null(strstr(hf_instance_report(inst)->text, "unreachable"));
    world_is_dead(inst);
    world_traps(w, inst, "f", "cannot enter component instance");
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 1;drop 1;");
    hf_component_unref(c);
}

static void test_start_that_blocks(void **state)
{
    static const char wat[] = START("(drop (call $new (i32.const 1))) (call $block (i32.const 2))");
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, wat);
    struct hf_instance *inst = world_start(w, c);
    assert_int_equal(w->blocks, 2);
    assert_int_equal(world_u32(w, inst, "f", 0, 0), 4);
    assert_int_equal(hf_instance_handles(inst), 1);
    hf_instance_free(inst);
    /* Cancelled half way. */
    inst = world_new(w, c);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(hf_instance_poll(inst), HF_AGAIN);
    hf_instance_free(inst);
    assert_string_equal(w->log, "new 1;drop 1;new 1;cancelled;drop 1;");
    hf_component_unref(c);
}

/* ---- nested components ---- */

/* Two instances of one counting component: each has its own memory, globals and handles. */
static const char nested_wat[] =
    "(component $Outer"
    " (component $Counter (core module $M (global $n (mut i32) (i32.const 0))"
    "  (func (export \"bump\") (param i32) (result i32)"
    "   (global.set $n (i32.add (global.get $n) (local.get 0))) (global.get $n))"
    "  (func (export \"die\") (result i32) unreachable))"
    "  (core instance $m (instantiate $M))"
    "  (func (export \"bump\") (param \"a\" u32) (result u32) (canon lift (core func $m \"bump\")))"
    "  (func (export \"die\") (result u32) (canon lift (core func $m \"die\"))))"
    " (instance $a (instantiate $Counter)) (instance $b (instantiate $Counter))"
    " (core func $bump-a (canon lower (func $a \"bump\"))) (core func $bump-b (canon lower (func "
    "$b \"bump\")))"
    " (core func $die (canon lower (func $b \"die\")))"
    " (core module $M (import \"\" \"a\" (func $a (param i32) (result i32)))"
    "  (import \"\" \"b\" (func $b (param i32) (result i32))) (import \"\" \"die\" (func $die "
    "(result i32)))"
    "  (func (export \"both\") (param i32 i32) (result i32)"
    "   (i32.add (i32.mul (call $a (local.get 0)) (i32.const 1000)) (call $b (local.get 1))))"
    "  (func (export \"die\") (result i32) (call $die)))"
    " (core instance $m (instantiate $M (with \"\" (instance (export \"a\" (func $bump-a)) (export "
    "\"b\" (func $bump-b))"
    "  (export \"die\" (func $die))))))"
    " (func (export \"both\") (param \"a\" u32) (param \"b\" u32) (result u32) (canon lift (core "
    "func $m \"both\")))"
    " (func (export \"die\") (result u32) (canon lift (core func $m \"die\")))"
    " (export \"bump-b\" (func $b \"bump\")))";

static void test_nested_instances(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, nested_wat);
    assert_int_equal(world_u32(w, inst, "both", 1, 10), 1010);
    assert_int_equal(world_u32(w, inst, "both", 1, 10), 2020);
    assert_int_equal(world_u32(w, inst, "bump-b", 5, 0),
                     25); /* a child's function, exported by the root */
    world_traps(w, inst, "die", "unreachable");
    world_is_dead(inst); /* E3: the whole tree */
    world_traps(w, inst, "bump-b", "cannot enter component instance");
    hf_instance_free(inst);
}

/* ---- re-entrance: E1, E2 ---- */

/* Child -> parent -> child. The parent's function is called from the child, which is on the stack:
 * that is allowed (their common ancestors are subtracted); going on into the child again is not. */
static const char donut_wat[] =
    "(component"
    " (core module $Shim (table (export \"t\") 1 funcref) (type $f (func (result i32)))"
    "  (func (export \"up\") (param i32) (result i32) (if (result i32) (local.get 0)"
    "   (then (call_indirect (type $f) (i32.const 0))) (else (i32.const 5)))))"
    " (core instance $shim (instantiate $Shim))"
    " (func $up (param \"deep\" u32) (result u32) (canon lift (core func $shim \"up\")))"
    " (component $Child (import \"up\" (func $up (param \"deep\" u32) (result u32)))"
    "  (core func $up' (canon lower (func $up)))"
    "  (core module $M (import \"\" \"up\" (func $up (param i32) (result i32)))"
    "   (func (export \"down\") (param i32) (result i32) (i32.add (call $up (local.get 0)) "
    "(i32.const 1)))"
    "   (func (export \"leaf\") (result i32) (i32.const 3)))"
    "  (core instance $m (instantiate $M (with \"\" (instance (export \"up\" (func $up'))))))"
    "  (func (export \"down\") (param \"deep\" u32) (result u32) (canon lift (core func $m "
    "\"down\")))"
    "  (func (export \"leaf\") (result u32) (canon lift (core func $m \"leaf\"))))"
    " (instance $c (instantiate $Child (with \"up\" (func $up))))"
    " (core func $leaf (canon lower (func $c \"leaf\")))"
    " (core module $Fix (import \"\" \"t\" (table 1 funcref)) (import \"\" \"leaf\" (func $leaf "
    "(result i32)))"
    "  (elem (i32.const 0) func $leaf))"
    " (core instance (instantiate $Fix (with \"\" (instance (export \"t\" (table $shim \"t\")) "
    "(export \"leaf\" (func "
    "$leaf))))))"
    " (export \"down\" (func $c \"down\")))";

static void test_e1_donut_is_fine_reentry_traps(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, donut_wat);
    assert_int_equal(world_u32(w, inst, "down", 0, 0), 6);
    const struct hf_value deep = hf_value_u64(1);
    assert_int_equal(world_call(w, inst, "down", &deep, 1), HF_TRAP);
    assert_non_null(strstr(hf_instance_report(inst)->text, "cannot enter component instance"));
    world_is_dead(inst);
    hf_instance_free(inst);
}

static void test_e2_no_call_from_inside_an_import(void **state)
{
    static const char wat[] =
        WORLD_COMPONENT("(func (export \"f\") (result i32) (call $again))"
                        "(func (export \"g\") (result i32) (i32.const 2))",
                        WORLD_LIFT("f", WORLD_U32) WORLD_LIFT("g", WORLD_U32));
    struct world *w = world_fresh(state);
    struct hf_instance *inst = world_from(w, wat);
    w->again = world_export(inst, "g");
    assert_int_equal(world_u32(w, inst, "f", 0, 0), HF_INVALID);
    assert_int_equal(world_u32(w, inst, "g", 0, 0), 2);
    hf_instance_free(inst);
}

/* ---- limits ---- */

static void test_call_bytes_limit_traps(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_component *c = world_load(w, echo_wat);
    struct hf_instance_settings s = {.ctx = w, .call_bytes_max = 8192};
    struct hf_instance *inst = NULL;
    assert_int_equal(hf_instance_new(c, &s, &inst, NULL), HF_OK);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(world_run(w, inst), HF_OK);
    char *text = calloc(1, 20000);
    assert_non_null(text);
    struct hf_value arg = hf_value_bytes(hf_view(text, 4000));
    assert_int_equal(world_call(w, inst, "echo", &arg, 1), HF_OK);
    arg = hf_value_bytes(hf_view(text, 20000));
    assert_int_equal(world_call(w, inst, "echo", &arg, 1), HF_TRAP);
    free(text);
    hf_instance_free(inst);
    hf_component_unref(c);
}

static void test_parse_only_cannot_run(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_load_options opt = {.parse_only = true};
    struct hf_component *c = NULL;
    struct hf_instance *inst = NULL;
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    assert_int_equal(hf_engine_wat(add_wat, sizeof add_wat - 1, &wasm, &report), HF_OK);
    assert_int_equal(
        hf_component_load(w->engine, w->registry, hf_buf_view(&wasm), &opt, &c, &report), HF_OK);
    assert_int_equal(hf_instance_new(c, NULL, &inst, &report), HF_UNSUPPORTED);
    assert_non_null(strstr(report.text, "not to run"));
    hf_component_unref(c);
    hf_buf_done(&wasm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_wrong_moment_is_an_error),
        cmocka_unit_test(test_many_params),
        cmocka_unit_test(test_result_lives_until_the_next_call),
        cmocka_unit_test(test_post_return_traps),
        cmocka_unit_test(test_e3_after_a_trap_nothing_runs),
        cmocka_unit_test(test_host_trap),
        cmocka_unit_test(test_block_and_go_on),
        cmocka_unit_test(test_cancel_while_blocked),
        cmocka_unit_test(test_slices_and_cancel_of_a_spin),
        cmocka_unit_test(test_s16_start_that_spins),
        cmocka_unit_test(test_start_that_traps),
        cmocka_unit_test(test_start_that_blocks),
        cmocka_unit_test(test_nested_instances),
        cmocka_unit_test(test_e1_donut_is_fine_reentry_traps),
        cmocka_unit_test(test_e2_no_call_from_inside_an_import),
        cmocka_unit_test(test_call_bytes_limit_traps),
        cmocka_unit_test(test_parse_only_cannot_run),
    };
    return cmocka_run_group_tests_name("instance", tests, world_setup, world_teardown);
}
