/* limit_test.c - every limit that can be set: what stands exactly at it passes, one more does not,
 * and is told which limit it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_world.h"

static struct world the_world;

static int setup(void **state)
{
    world_open(&the_world);
    *state = &the_world;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    return 0;
}

/* ---- of components ---- */

static enum hf_err load(struct world *w, const char *wat, const struct hf_component_limits *limits,
                        struct hf_report *report)
{
    const struct hf_load_options opt = {.limits = limits};
    struct hf_component *c = NULL;
    struct hf_buf wasm = {0};
    hf_report_init(report);
    if (hf_engine_wat(wat, strlen(wat), &wasm, report) != HF_OK)
        fail_msg("%s", report->text);
    enum hf_err err =
        hf_component_load(w->engine, w->registry, hf_buf_view(&wasm), &opt, &c, report);
    hf_component_unref(c);
    hf_buf_done(&wasm);
    return err;
}

static void components_at_and_past_each_limit(void **state)
{
    static const struct {
        const char *wat; /* at the limit */
        struct hf_component_limits at, past;
        const char *words;
    } table[] = {
        {"(component (component (component)))",
         {.nesting_max = 2},
         {.nesting_max = 1},
         "components are nested more than 1 deep"},
        {"(component (component $c) (instance (instantiate $c)) (instance (instantiate $c)))",
         {.instances_max = 3},
         {.instances_max = 2},
         "more than 2 component instances"},
        {"(component (core module $m) (core instance (instantiate $m)) (core instance (instantiate "
         "$m)))",
         {.core_instances_max = 2},
         {.core_instances_max = 1},
         "more than 1 core instances"},
        {"(component (core module) (core module) (core module))",
         {.modules_max = 3},
         {.modules_max = 2},
         "more than 2 core modules"},
        {"(component (type u8) (type u16) (type u32))",
         {.types_max = 3},
         {.types_max = 2},
         "more than 2 types"},
        {"(component (type $a (list u8)) (type $b (list $a)) (type (option $b)))",
         {.type_depth_max = 4},
         {.type_depth_max = 3},
         "a type is nested more than 3 deep"},
        {"(component (import \"a\" (instance)) (import \"b\" (instance)))",
         {.items_max = 2},
         {.items_max = 1},
         "more than 1 items"},
        {"(component)", {.bytes_max = 8}, {.bytes_max = 7}, "more than 7 are not taken"},
    };
    struct world *w = *state;
    struct hf_report report;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        enum hf_err err = load(w, table[i].wat, &table[i].at, &report);
        if (err != HF_OK)
            fail_msg("%zu at its limit: %s: %s", i, hf_err_text(err), report.text);
        err = load(w, table[i].wat, &table[i].past, &report);
        if (err != HF_LIMIT || strstr(report.text, table[i].words) == NULL)
            fail_msg("%zu past its limit: %s: %s", i, hf_err_text(err), report.text);
    }
}

/* A deeper type than the recursion of lifting and lowering is made for cannot be allowed. */
static void type_depth_cannot_be_raised(void **state)
{
    const struct hf_component_limits high = {.type_depth_max = 100000};
    struct hf_report report;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add_text(&b, "(component (type $t0 (list u8))"), HF_OK);
    for (int i = 1; i < 99; i++)
        assert_int_equal(hf_buf_printf(&b, "(type $t%d (list $t%d))", i, i - 1), HF_OK);
    size_t at = b.len;
    assert_int_equal(hf_buf_add(&b, ")", 2), HF_OK); /* and a NUL */
    assert_int_equal(load(*state, (char *)b.ptr, &high, &report), HF_OK);
    b.len = at;
    assert_int_equal(hf_buf_add_text(&b, "(type (list $t98)))"), HF_OK);
    assert_int_equal(hf_buf_add_byte(&b, 0), HF_OK);
    assert_int_not_equal(load(*state, (char *)b.ptr, &high, &report), HF_OK);
    hf_buf_done(&b);
}

/* ---- of instances ---- */

/* Gives back what it is given; `out` hands `n` bytes of its memory to the host. */
static const char echo_wat[] = WORLD_COMPONENT(
    "(func (export \"echo\") (param i32 i32) (result i32)"
    " (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const "
    "16))"
    "(func (export \"out\") (param i32) (call $log (i32.const 2048) (local.get 0)))"
    "(func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    "(func (export \"many\") (param i32) (loop $l (if (local.get 0) (then (drop (call $new "
    "(i32.const 1)))"
    " (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $l)))))",
    "(func (export \"string\") (param \"v\" string) (result string) (canon lift (core func $m "
    "\"echo\") (memory $libc \"memory\") (realloc (func $libc \"realloc\"))))"
    "(func (export \"wide\") (param \"v\" string) (result string) (canon lift (core func $m "
    "\"echo\") (memory $libc \"memory\") (realloc (func $libc \"realloc\")) "
    "string-encoding=utf16))"
    "(func (export \"bytes\") (param \"v\" (list u8)) (result (list u8)) (canon lift (core func $m "
    "\"echo\") (memory $libc \"memory\") (realloc (func $libc \"realloc\"))))"
    "(func (export \"words\") (param \"v\" (list u32)) (result (list u32)) (canon lift (core func "
    "$m \"echo\") (memory $libc \"memory\") (realloc (func $libc \"realloc\"))))"
    "(func (export \"give\") (param \"at\" u32) (param \"n\" u32) (result (list u8)) (canon lift "
    "(core func $m \"echo\") (memory $libc \"memory\")))"
    "(func (export \"out\") (param \"n\" u32) (canon lift (core func $m \"out\")))"
    "(func (export \"grow\") (param \"n\" u32) (result u32) (canon lift (core func $m \"grow\")))"
    "(func (export \"many\") (param \"n\" u32) (canon lift (core func $m \"many\")))");

static struct hf_instance *begin(struct world *w, struct hf_instance_settings s)
{
    struct hf_component *c = world_load(w, echo_wat);
    struct hf_instance *inst = NULL;
    struct hf_report report = {0};
    s.ctx = w;
    if (hf_instance_new(c, &s, &inst, &report) != HF_OK)
        fail_msg("%s", report.text);
    hf_component_unref(c);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    assert_int_equal(world_run(w, inst), HF_OK);
    return inst;
}

/* One call in a new instance: passes (words NULL), or traps with these words. */
static void call_with(struct world *w, struct hf_instance_settings s, const char *name,
                      const struct hf_value *args, size_t n, const char *words)
{
    struct hf_instance *inst = begin(w, s);
    enum hf_err err = world_call(w, inst, name, args, n);
    const char *text = hf_instance_report(inst)->text;
    if (err != (words == NULL ? HF_OK : HF_TRAP) || (words != NULL && strstr(text, words) == NULL))
        fail_msg("%s: %s: %s", name, hf_err_text(err), text);
    hf_instance_free(inst);
}

static void call_once(struct world *w, struct hf_instance_settings s, const char *name,
                      struct hf_value arg, const char *words)
{
    call_with(w, s, name, &arg, 1, words);
}

static const uint8_t text[64] = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopq";

static struct hf_value bytes(uint32_t n)
{
    return hf_value_bytes(hf_view(text, n));
}

static void strings_have_a_limit(void **state)
{
    struct world *w = *state;
    const struct hf_instance_settings s = {.string_bytes_max = 10};
    call_once(w, s, "string", bytes(10), NULL);
    call_once(w, s, "string", bytes(11),
              "string: argument 1 (v): limit: string of 11 bytes is too long, at most 10 "
              "(string_bytes_max)");
    call_once(w, s, "bytes", bytes(11), NULL); /* a list is no string */
    call_once(w, s, "out", hf_value_u64(10), NULL);
    call_once(w, s, "out", hf_value_u64(11),
              "test:host/it@1.0.0#log: argument 1 (s): limit: string of 11 bytes");
    /* Bytes as they lie in the guest's memory. */
    call_once(w, s, "wide", bytes(5), NULL);
    call_once(w, s, "wide", bytes(6), "wide: result: limit: string of 12 bytes is too long");
}

static void lists_have_a_limit(void **state)
{
    struct world *w = *state;
    const struct hf_instance_settings s = {.list_bytes_max = 8};
    call_once(w, s, "bytes", bytes(8), NULL);
    call_once(w, s, "bytes", bytes(9),
              "bytes: argument 1 (v): limit: list of 9 bytes is too long, at most 8 "
              "(list_bytes_max)");
    const struct hf_value eight[] = {hf_value_u64(0), hf_value_u64(8)},
                          nine[] = {hf_value_u64(0), hf_value_u64(9)};
    call_with(w, s, "give", eight, 2, NULL);
    call_with(w, s, "give", nine, 2, "give: result: limit: list of 9 bytes is too long");
    call_once(w, s, "words", bytes(2), NULL);
    call_once(w, s, "words", bytes(3), "list of 12 bytes is too long");
    call_once(w, s, "string", bytes(9), NULL);
}

/* More than the specification allows is not to be had. */
static void limits_end_at_the_specification(void **state)
{
    (void)state;
    assert_int_equal(hf_canon_max(0), (1u << 28) - 1);
    assert_int_equal(hf_canon_max(1), 1);
    assert_int_equal(hf_canon_max((1u << 28) - 1), (1u << 28) - 1);
    assert_int_equal(hf_canon_max(1u << 28), (1u << 28) - 1);
    assert_int_equal(hf_canon_max(UINT32_MAX), (1u << 28) - 1);
}

static void handles_have_a_limit(void **state)
{
    struct world *w = *state;
    const struct hf_instance_settings s = {.handles_max = 3};
    call_once(w, s, "many", hf_value_u64(3), NULL);
    call_once(w, s, "many", hf_value_u64(4), "limit: the handle table is full with 3 handles");
}

static void a_call_has_a_budget(void **state)
{
    struct world *w = *state;
    const struct hf_instance_settings s = {.call_bytes_max = 8192};
    struct hf_instance *inst = begin(w, s);
    uint8_t *big = calloc(1, 20000);
    assert_non_null(big);
    struct hf_value arg = hf_value_bytes(hf_view(big, 4000));
    assert_int_equal(world_call(w, inst, "bytes", &arg, 1), HF_OK);
    arg = hf_value_bytes(hf_view(big, 20000));
    assert_int_equal(world_call(w, inst, "bytes", &arg, 1), HF_TRAP);
    assert_non_null(strstr(hf_instance_report(inst)->text,
                           "limit: the values of this call take more than 8192 bytes"));
    free(big);
    hf_instance_free(inst);
}

static void memories_have_a_limit(void **state)
{
    struct world *w = *state;
    const struct hf_instance_settings s = {.memory_max = 3 * 65536};
    struct hf_instance *inst = begin(w, s);
    assert_int_equal(world_u32(w, inst, "grow", 2, 0), 1);
    assert_int_equal(world_u32(w, inst, "grow", 1, 0),
                     UINT32_MAX); /* no trap: memory.grow says so */
    hf_instance_free(inst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(components_at_and_past_each_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(type_depth_cannot_be_raised, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_have_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_have_a_limit, setup, teardown),
        cmocka_unit_test(limits_end_at_the_specification),
        cmocka_unit_test_setup_teardown(handles_have_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_has_a_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(memories_have_a_limit, setup, teardown),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
