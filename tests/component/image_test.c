/* image_test.c - a reset instance equals the template: memories, globals, handle tables, flags; or
 * it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_world.h"
#include "tests/state.h"

struct fixture {
    struct world w;
    struct hf_scanner *scanner;
    struct hf_component *c;
    struct hf_instance *template_inst, *inst;
    struct hf_image *img;
};

/* The start makes four things and drops the second and the fourth: handles 1 and 3 live, 4 and 2
 * are free in this order. */
static const char state_wat[] = WORLD_COMPONENT(
    "(global $hidden (mut i32) (i32.const 11)) (global $wide (mut i64) (i64.const -1))"
    "(global $real (mut f64) (f64.const 0.5)) (global $shown (export \"shown\") (mut f32) "
    "(f32.const 1.5))"
    "(global $constant i32 (i32.const 5)) (memory $own 3 8)"
    "(data (memory $own) (i32.const 65530) \"across the page\")"
    "(func $s (drop (call $new (i32.const 1))) (drop (call $new (i32.const 2)))"
    " (drop (call $new (i32.const 3))) (drop (call $new (i32.const 4)))"
    " (call $drop (i32.const 2)) (call $drop (i32.const 4))"
    " (i32.store $own (i32.const 4096) (i32.const 77))) (start $s)"
    "(func (export \"write\") (param i32 i32) (result i32) (i32.store $own (local.get 0) "
    "(local.get 1)) (i32.const 0))"
    "(func (export \"write-libc\") (param i32 i32) (result i32) (i32.store (local.get 0) "
    "(local.get 1)) (i32.const 0))"
    "(func (export \"read\") (param i32) (result i32) (i32.load $own (local.get 0)))"
    "(func (export \"globals\") (param i32) (result i32) (global.set $hidden (local.get 0))"
    " (global.set $wide (i64.const 5)) (global.set $real (f64.const 9)) (global.set $shown "
    "(f32.const 2)) (i32.const 0))"
    "(func (export \"hidden\") (result i32) (global.get $hidden))"
    "(func (export \"grow\") (param i32) (result i32) (memory.grow $own (local.get 0)))"
    "(func (export \"new\") (param i32) (result i32) (call $new (local.get 0)))"
    "(func (export \"give\") (param i32) (result i32) (call $new (local.get 0)))"
    "(func (export \"get\") (param i32) (result i32) (call $get (local.get 0)))"
    "(func (export \"take\") (param i32) (result i32) (call $take (local.get 0)))"
    "(func (export \"drop\") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 0))"
    "(func (export \"wait\") (param i32) (result i32) (call $block (local.get 0)) (i32.const 0))"
    "(func (export \"trap\") (result i32) unreachable)",
    WORLD_LIFT("write", "(param \"a\" u32) (param \"b\" u32) (result u32)")
        WORLD_LIFT("write-libc", "(param \"a\" u32) (param \"b\" u32) (result u32)")
            WORLD_LIFT("read", WORLD_U32_U32) WORLD_LIFT("globals", WORLD_U32_U32)
                WORLD_LIFT("hidden", WORLD_U32) WORLD_LIFT("grow", WORLD_U32_U32)
                    WORLD_LIFT("new", WORLD_U32_U32)
                        WORLD_LIFT("give", "(param \"v\" u32) (result (own $thing))")
                            WORLD_LIFT("get", WORLD_U32_U32) WORLD_LIFT("take", WORLD_U32_U32)
                                WORLD_LIFT("drop", WORLD_U32_U32) WORLD_LIFT("wait", WORLD_U32_U32)
                                    WORLD_LIFT("trap", WORLD_U32));

static void open_fixture(struct fixture *fx, const char *wat)
{
    struct hf_report report = {0};
    world_open(&fx->w);
    hf_engine_process_init();
    if (hf_scanner_new(&fx->scanner, &report) != HF_OK) {
        print_message("SKIP: image_test: %s\n", report.text);
        world_close(&fx->w);
        skip();
    }
    fx->c = world_load(&fx->w, wat);
    fx->template_inst = world_start(&fx->w, fx->c);
    if (hf_image_take(fx->template_inst, &fx->img, &report) != HF_OK)
        fail_msg("%s", report.text);
    fx->inst = world_start(&fx->w, fx->c);
    fx->w.log[0] = '\0';
}

static void close_fixture(struct fixture *fx)
{
    hf_instance_free(fx->inst);
    hf_image_unref(fx->img);
    hf_instance_free(fx->template_inst);
    hf_component_unref(fx->c);
    hf_scanner_free(fx->scanner);
    world_close(&fx->w);
}

static void assert_equal_state(struct hf_instance *a, struct hf_instance *b)
{
    assert_string_equal(state_differs_from(a, b), "");
}

static enum hf_err reset(struct fixture *fx, uint64_t max_pages, const char **why)
{
    return hf_instance_reset(fx->inst, fx->img, fx->scanner, max_pages, NULL, why);
}

static void must_reset(struct fixture *fx)
{
    const char *why = NULL;
    if (reset(fx, 0, &why) != HF_OK)
        fail_msg("reset: %s", why);
    assert_null(why);
}

static void must_not_reset(struct fixture *fx, const char *reason)
{
    const char *why = NULL;
    assert_int_not_equal(reset(fx, 0, &why), HF_OK);
    assert_string_equal(why, reason);
    assert_true(hf_instance_dead(fx->inst)); /* nobody can use it by mistake */
}

static void request(struct fixture *fx)
{
    struct world *w = &fx->w;
    world_u32(w, fx->inst, "write", 0, 0xdeadbeef);
    world_u32(w, fx->inst, "write", 65528, 1);      /* a page with data */
    world_u32(w, fx->inst, "write", 2 * 65536, 42); /* one that was zero */
    world_u32(w, fx->inst, "write", 4096, 0);       /* one that the start wrote */
    world_u32(w, fx->inst, "write-libc", 100, 100); /* another module's memory */
    world_u32(w, fx->inst, "globals", 1234, 0);
    assert_int_equal(world_u32(w, fx->inst, "hidden", 0, 0), 1234);
    assert_int_equal(world_u32(w, fx->inst, "new", 10, 0), 4);
    assert_int_equal(world_u32(w, fx->inst, "new", 11, 0), 2);
    assert_int_equal(world_u32(w, fx->inst, "new", 12, 0), 5);
    world_u32(w, fx->inst, "drop", 4, 0);
    assert_int_equal(world_u32(w, fx->inst, "new", 13, 0), 4);
}

static void test_reset_equals_the_template(void **state)
{
    struct fixture fx;
    (void)state;
    open_fixture(&fx, state_wat);
    struct hf_instance *other =
        world_start(&fx.w, fx.c); /* the template is read once only; this one may be */
    assert_equal_state(fx.inst, other);
    for (int round = 0; round < 20; round++) {
        struct hf_reset_stats stats = {0};
        const char *why = NULL;
        fx.w.log[0] = '\0';
        request(&fx);
        assert_string_equal(fx.w.log, "new 10;new 11;new 12;drop 10;new 13;");
        assert_int_equal(hf_instance_reset(fx.inst, fx.img, fx.scanner, 0, &stats, &why), HF_OK);
        assert_string_equal(fx.w.log,
                            "new 10;new 11;new 12;drop 10;new 13;drop 13;drop 12;drop 11;");
        assert_true(stats.pages_copied + stats.pages_zero >= 5);
        assert_equal_state(fx.inst, other);
        assert_int_equal(hf_instance_handles(fx.inst), 2);
    }
    /* What it had at rest is its own still. */
    assert_int_equal(world_u32(&fx.w, fx.inst, "get", 1, 0), 1);
    assert_int_equal(world_u32(&fx.w, fx.inst, "get", 3, 0), 3);
    assert_int_equal(world_u32(&fx.w, fx.inst, "read", 4096, 0), 77);
    assert_int_equal(world_u32(&fx.w, fx.inst, "hidden", 0, 0), 11);
    hf_instance_free(other);
    close_fixture(&fx);
}

static void test_reset_of_an_untouched_instance(void **state)
{
    struct fixture fx;
    (void)state;
    open_fixture(&fx, state_wat);
    must_reset(&fx);
    must_reset(&fx);
    assert_int_equal(world_u32(&fx.w, fx.inst, "read", 4096, 0), 77);
    assert_string_equal(fx.w.log, "");
    close_fixture(&fx);
}

static void test_grown(void **state)
{
    struct fixture fx;
    (void)state;
    open_fixture(&fx, state_wat);
    assert_int_equal(world_u32(&fx.w, fx.inst, "grow", 1, 0), 3);
    must_not_reset(&fx, "grown");
    close_fixture(&fx);
}

static void test_too_dirty(void **state)
{
    struct fixture fx;
    const char *why = NULL;
    (void)state;
    open_fixture(&fx, state_wat);
    for (uint32_t i = 0; i < 10; i++)
        world_u32(&fx.w, fx.inst, "write", i * 8192, 1);
    assert_int_equal(reset(&fx, 3, &why), HF_LIMIT);
    assert_string_equal(why, "dirty");
    close_fixture(&fx);
}

/* The bound is on the sum over all memories. */
static void test_too_dirty_in_sum(void **state)
{
    struct fixture fx;
    const char *why = NULL;
    (void)state;
    open_fixture(&fx, state_wat);
    for (uint32_t i = 0; i < 3; i++) {
        world_u32(&fx.w, fx.inst, "write", i * 8192, 1);
        world_u32(&fx.w, fx.inst, "write-libc", i * 8192, 1);
    }
    must_reset(&fx);
    /* Pages stay dirty since instantiation: now at least six are. */
    assert_int_equal(reset(&fx, 5, &why), HF_LIMIT);
    assert_string_equal(why, "dirty");
    close_fixture(&fx);
}

static void test_handle_of_the_image_gone(void **state)
{
    static const char *const ways[] = {"drop", "take"};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(ways); i++) {
        struct fixture fx;
        open_fixture(&fx, state_wat);
        world_u32(&fx.w, fx.inst, ways[i], 3, 0);
        must_not_reset(&fx, "handles");
        close_fixture(&fx);
    }
}

/* The same number and type again, but another object: serial numbers tell. */
static void test_handle_of_the_image_replaced(void **state)
{
    struct fixture fx;
    (void)state;
    open_fixture(&fx, state_wat);
    world_u32(&fx.w, fx.inst, "drop", 3, 0);
    assert_int_equal(world_u32(&fx.w, fx.inst, "new", 3, 0), 3);
    must_not_reset(&fx, "handles");
    close_fixture(&fx);
}

static void test_not_at_rest(void **state)
{
    struct fixture fx;
    struct hf_image *img = NULL;
    struct hf_report report = {0};
    const struct hf_value n = hf_value_u64(1);
    (void)state;
    open_fixture(&fx, state_wat);
    assert_int_equal(hf_instance_call(fx.inst, world_export(fx.inst, "wait"), &n, 1), HF_OK);
    assert_int_equal(hf_instance_poll(fx.inst), HF_AGAIN);
    assert_int_equal(hf_image_take(fx.inst, &img, &report), HF_INVALID);
    const char *why = NULL;
    assert_int_equal(reset(&fx, 0, &why), HF_INVALID);
    assert_string_equal(why, "dead");
    assert_int_equal(hf_instance_poll(fx.inst), HF_OK); /* it goes on undisturbed */
    must_reset(&fx);
    world_traps(&fx.w, fx.inst, "trap", "unreachable");
    must_not_reset(&fx, "dead");
    assert_int_equal(hf_image_take(fx.inst, &img, &report), HF_INVALID);
    close_fixture(&fx);
}

static void test_gate_says_no(void **state)
{
    static const char wat[] = "(component (core module $M (table 1 funcref) (func (export \"f\") "
                              "(table.set (i32.const 0) (ref.null func))))"
                              " (core instance $m (instantiate $M)) (func (export \"f\") (canon "
                              "lift (core func $m \"f\"))))";
    struct world w;
    struct hf_image *img = NULL;
    struct hf_report report = {0};
    (void)state;
    world_open(&w);
    struct hf_instance *inst = world_from(&w, wat);
    assert_int_equal(hf_image_take(inst, &img, &report), HF_UNSUPPORTED);
    assert_non_null(strstr(report.text, "table.set"));
    assert_null(img);
    hf_instance_free(inst);
    world_close(&w);
}

static void test_image_outlives_its_template(void **state)
{
    struct fixture fx;
    (void)state;
    open_fixture(&fx, state_wat);
    hf_instance_free(fx.template_inst);
    fx.template_inst = NULL;
    struct hf_image *again = hf_image_ref(fx.img);
    hf_image_unref(fx.img);
    fx.img = again;
    request(&fx);
    must_reset(&fx);
    assert_int_equal(world_u32(&fx.w, fx.inst, "read", 4096, 0), 77);
    hf_image_unref(NULL);
    close_fixture(&fx);
}

static void test_result_nobody_took_is_dropped(void **state)
{
    struct fixture fx;
    const struct hf_value v = hf_value_u64(50);
    (void)state;
    open_fixture(&fx, state_wat);
    assert_int_equal(world_call(&fx.w, fx.inst, "give", &v, 1), HF_OK);
    must_reset(&fx);
    assert_string_equal(fx.w.log, "new 50;drop 50;");
    assert_null(hf_instance_result(fx.inst));
    close_fixture(&fx);
}

/* A tree: two children of one component with a memory each, a guest resource whose handles lie in
 * the root's table. */
static const char tree_wat[] =
    "(component (component $Child"
    "  (core module $D (memory (export \"memory\") 1) (global $n (mut i32) (i32.const 0))"
    "   (func (export \"dtor\") (param i32) (global.set $n (i32.add (global.get $n) (local.get "
    "0))))"
    "   (func (export \"id\") (param i32) (result i32) (i32.store (local.get 0) (local.get 0)) "
    "(local.get 0))"
    "   (func (export \"sum\") (result i32) (global.get $n)))"
    "  (core instance $d (instantiate $D)) (type $r' (resource (rep i32) (dtor (func $d "
    "\"dtor\"))))"
    "  (core func $new (canon resource.new $r'))"
    "  (core module $M (import \"\" \"new\" (func $new (param i32) (result i32)))"
    "   (import \"\" \"id\" (func $id (param i32) (result i32)))"
    "   (func (export \"new\") (param i32) (result i32) (call $new (call $id (local.get 0)))))"
    "  (core instance $m (instantiate $M (with \"\" (instance (export \"new\" (func $new)) (export "
    "\"id\" (func $d \"id\"))))))"
    "  (export $r \"r\" (type $r'))"
    "  (func (export \"make\") (param \"v\" u32) (result (own $r)) (canon lift (core func $m "
    "\"new\")))"
    "  (func (export \"sum\") (result u32) (canon lift (core func $d \"sum\"))))"
    " (instance $a (instantiate $Child)) (instance $b (instantiate $Child))"
    " (alias export $a \"r\" (type $ra)) (alias export $b \"r\" (type $rb))"
    " (core func $make-a (canon lower (func $a \"make\"))) (core func $make-b (canon lower (func "
    "$b \"make\")))"
    " (core func $drop-a (canon resource.drop $ra)) (core func $drop-b (canon resource.drop $rb))"
    " (core module $M (import \"\" \"make-a\" (func $make-a (param i32) (result i32)))"
    "  (import \"\" \"make-b\" (func $make-b (param i32) (result i32)))"
    "  (import \"\" \"drop-a\" (func $drop-a (param i32))) (import \"\" \"drop-b\" (func $drop-b "
    "(param i32)))"
    "  (func $s (drop (call $make-a (i32.const 8))) (drop (call $make-b (i32.const 16)))) (start "
    "$s)"
    "  (func (export \"make-a\") (param i32) (result i32) (call $make-a (local.get 0)))"
    "  (func (export \"make-b\") (param i32) (result i32) (call $make-b (local.get 0)))"
    "  (func (export \"drop-a\") (param i32) (result i32) (call $drop-a (local.get 0)) (i32.const "
    "0))"
    "  (func (export \"drop-b\") (param i32) (result i32) (call $drop-b (local.get 0)) (i32.const "
    "0)))"
    " (core instance $m (instantiate $M (with \"\" (instance (export \"make-a\" (func $make-a))"
    "  (export \"make-b\" (func $make-b)) (export \"drop-a\" (func $drop-a)) (export \"drop-b\" "
    "(func $drop-b))))))" WORLD_LIFT("make-a", WORLD_U32_U32) WORLD_LIFT("make-b", WORLD_U32_U32)
        WORLD_LIFT("drop-a", WORLD_U32_U32)
            WORLD_LIFT("drop-b", WORLD_U32_U32) " (export \"sum-a\" (func $a \"sum\")) (export "
                                                "\"sum-b\" (func $b \"sum\")))";

static void test_tree_with_guest_resources(void **state)
{
    struct fixture fx;
    (void)state;
    open_fixture(&fx, tree_wat);
    struct hf_instance *other = world_start(&fx.w, fx.c);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(world_u32(&fx.w, fx.inst, "make-a", 100, 0), 3);
        assert_int_equal(world_u32(&fx.w, fx.inst, "make-b", 200, 0), 4);
        world_u32(&fx.w, fx.inst, "drop-a", 3, 0);
        assert_int_equal(world_u32(&fx.w, fx.inst, "sum-a", 0, 0), 100);
        assert_int_equal(world_u32(&fx.w, fx.inst, "make-b", 300, 0), 3);
        must_reset(&fx);
        assert_equal_state(fx.inst, other);
        assert_int_equal(world_u32(&fx.w, fx.inst, "sum-a", 0, 0), 0);
    }
    world_u32(&fx.w, fx.inst, "drop-b", 2, 0); /* one the image has */
    must_not_reset(&fx, "handles");
    hf_instance_free(other);
    close_fixture(&fx);
}

/* A template that never had a handle: what comes after a reset begins with 1 again (H1). */
static void test_no_handle_yet(void **state)
{
    static const char wat[] = WORLD_COMPONENT(
        "(func (export \"new\") (param i32) (result i32) (call $new (local.get 0)))",
        WORLD_LIFT("new", WORLD_U32_U32));
    struct fixture fx;
    (void)state;
    open_fixture(&fx, wat);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(world_u32(&fx.w, fx.inst, "new", 1, 0), 1);
        assert_int_equal(world_u32(&fx.w, fx.inst, "new", 2, 0), 2);
        must_reset(&fx);
        assert_int_equal(hf_instance_handles(fx.inst), 0);
        assert_int_equal(fx.w.live, 0);
    }
    close_fixture(&fx);
}

/* Bytes of an image less the template's, and an instance made of them: equal to the one that the
 * image was taken of. */
static size_t goes_through_the_difference(struct fixture *fx, struct hf_scanner *scanner)
{
    struct hf_report report = {0};
    struct hf_image *img, *again;
    struct hf_instance *copy;
    struct hf_buf bytes = {0};
    struct hf_instance_settings s = {.ctx = &fx->w};
    assert_int_equal(hf_image_take_since(fx->inst, scanner, fx->img, &img, &report), HF_OK);
    assert_int_equal(hf_image_save_buf(img, &bytes, &report), HF_OK);
    if (hf_image_parse(fx->c, hf_buf_view(&bytes), &again, &report) != HF_OK)
        fail_msg("%s", report.text);
    hf_image_set_base(again, fx->img);
    if (hf_image_load(again, &s, &copy, &report) != HF_OK)
        fail_msg("%s", report.text);
    assert_equal_state(fx->inst, copy);
    size_t len = bytes.len;
    hf_instance_free(copy);
    hf_image_unref(img);
    hf_image_unref(again);
    hf_buf_done(&bytes);
    return len;
}

static void test_the_difference_to_the_start(void **state)
{
    struct fixture fx;
    struct hf_report report = {0};
    struct hf_image *whole;
    struct hf_buf bytes = {0};
    (void)state;
    open_fixture(&fx, state_wat);
    size_t untouched = goes_through_the_difference(&fx, fx.scanner);
    request(&fx);
    world_u32(&fx.w, fx.inst, "drop", 4, 0); /* a thing 13 cannot be made again */
    size_t some = goes_through_the_difference(&fx, fx.scanner);
    assert_in_range(some, untouched + 4 * 4096, untouched + 6 * 4096);
    assert_int_equal(goes_through_the_difference(&fx, NULL), some); /* without a scan: slower */
    assert_int_equal(hf_image_take_written(fx.inst, fx.scanner, &whole, &report), HF_OK);
    assert_int_equal(hf_image_save_buf(whole, &bytes, &report), HF_OK);
    assert_true(bytes.len >= some);
    hf_image_unref(whole);
    hf_buf_done(&bytes);
    world_u32(&fx.w, fx.inst, "grow", 2, 0); /* larger than the start's */
    world_u32(&fx.w, fx.inst, "write", 4 * 65536 + 8, 5);
    assert_in_range(goes_through_the_difference(&fx, fx.scanner), some + 4096, some + 2 * 4096);
    world_u32(&fx.w, fx.inst, "write", 4096, 77); /* again what the start wrote there */
    assert_in_range(goes_through_the_difference(&fx, fx.scanner), some, some + 4096);
    close_fixture(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_equals_the_template),
        cmocka_unit_test(test_reset_of_an_untouched_instance),
        cmocka_unit_test(test_grown),
        cmocka_unit_test(test_too_dirty),
        cmocka_unit_test(test_too_dirty_in_sum),
        cmocka_unit_test(test_handle_of_the_image_gone),
        cmocka_unit_test(test_handle_of_the_image_replaced),
        cmocka_unit_test(test_no_handle_yet),
        cmocka_unit_test(test_the_difference_to_the_start),
        cmocka_unit_test(test_not_at_rest),
        cmocka_unit_test(test_gate_says_no),
        cmocka_unit_test(test_image_outlives_its_template),
        cmocka_unit_test(test_result_nobody_took_is_dropped),
        cmocka_unit_test(test_tree_with_guest_resources),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
