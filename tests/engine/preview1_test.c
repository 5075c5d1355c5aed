/* preview1_test.c - core modules made ready for the preview 1 adapter: what is changed works, all
 * else is as it was, and what is no command is refused by name. (The whole way, with the adapter,
 * is in tests/test_exec.py.) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "engine/engine_int.h"
#include "support.h"

#define P1    "wasi_snapshot_preview1"
#define YIELD "(import \"" P1 "\" \"sched_yield\" (func $yield (result i32)))"

/* Stand-ins for the object files that bindings are linked with: a section before the one that
 * counts. */
#define OBJECT(text)                                                                               \
    HF_VIEW("\0asm\1\0\0\0"                                                                        \
            "\x00\x03\x02no"                                                                       \
            "\x00\x14\x10"                                                                         \
            "component-type:w" text)
static const struct hf_preview1_worlds worlds = {.exit = OBJECT("EXI"),
                                                 .exit_and_run = OBJECT("RUN")};

static enum hf_err prepare(const char *text, struct hf_buf *ret, struct hf_report *report)
{
    struct hf_buf bytes = {0};
    *report = (struct hf_report){0};
    wat(text, &bytes);
    enum hf_err err = hf_preview1_prepare(hf_buf_view(&bytes), &worlds, ret, report);
    hf_buf_done(&bytes);
    return err;
}

static void prepared(const char *text, struct hf_buf *ret)
{
    struct hf_report report;
    if (prepare(text, ret, &report) != HF_OK)
        fail_msg("%s: %s", text, report.text);
    if (hf_engine_validate(engine, hf_buf_view(ret), &report) != HF_OK)
        fail_msg("%s: made what is not valid: %s", text, report.text);
}

static bool holds(const struct hf_buf *b, const char *text)
{
    return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

static void load(struct guest *g, const struct hf_buf *b, const struct hf_extern *imports, size_t n)
{
    struct hf_report report = {0};
    if (hf_module_load(engine, hf_buf_view(b), NULL, &g->module, NULL, &report) != HF_OK ||
        hf_core_new(g->store, g->module, imports, n, &g->core, &report) != HF_OK)
        fail_msg("%s", report.text);
}

static void preview1_exit_codes_stay_whole(void **state)
{
    struct hf_buf b = {0};
    (void)state;
    prepared(
        "(module (import \"" P1 "\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))"
        " (import \"" P1 "\" \"proc_exit\" (func $exit (param i32)))"
        " (memory (export \"memory\") 1) (func (export \"_start\") (call $exit (i32.const 42))))",
        &b);
    assert_true(holds(&b, "wasi:cli/exit@0.2.12") && holds(&b, "exit-with-code") &&
                holds(&b, "fd_write"));
    assert_false(holds(&b, "proc_exit"));
    assert_true(holds(&b, "EXI"));
    assert_false(holds(&b, "wasi:cli/run"));
    hf_buf_clear(&b);
    /* Of another type it is not that function; the adapter says so. */
    prepared("(module (import \"" P1
             "\" \"proc_exit\" (func (param i64))) (func (export \"_start\")))",
             &b);
    assert_true(holds(&b, "proc_exit"));
    assert_false(holds(&b, "EXI"));
    hf_buf_done(&b);
}

static void preview1_a_module_without_imports_gets_run(void **state)
{
    static const char *const texts[] = {
        "(module (func (export \"_start\")))",
        "(module (import \"" P1
        "\" \"proc_exit\" (func $exit (param i32))) (func) (func (export \"other\"))"
        " (func (export \"_start\") (call $exit (i32.const 3))))",
        "(module (memory 1) (global i32 (i32.const 1)) (data (i32.const 0) \"x\") (func $s) "
        "(export \"_start\" (func $s)) (start $s))",
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(texts); i++) {
        struct hf_buf b = {0};
        prepared(texts[i], &b);
        assert_true(holds(&b, "wasi:cli/run@0.2.12#run") && holds(&b, "RUN"));
        hf_buf_done(&b);
    }
    /* It calls _start and returns ok. */
    struct hf_buf b = {0};
    struct guest g = {.engine = engine};
    int32_t got = -1;
    prepared("(module (global $n (mut i32) (i32.const 0)) (func (export \"_start\") (global.set $n "
             "(i32.const 7)))"
             " (func (export \"seen\") (param i32) (result i32) (global.get $n)))",
             &b);
    g.store = make_store(engine);
    load(&g, &b, NULL, 0);
    struct call c = {.store = g.store, .func = guest_func(&g, "wasi:cli/run@0.2.12#run")};
    assert_int_equal(run(g.store, call_driver, &c), HF_OK);
    assert_int_equal(c.vals[0].i32, 0);
    assert_int_equal(call_i32(&g, "seen", 0, &got), HF_OK);
    assert_int_equal(got, 7);
    guest_done(&g);
    hf_buf_done(&b);
}

/* ---- memory.size ---- */

/* Stands for the adapter: an import that grows the module's memory by a page. */
struct adapter {
    struct hf_store *store;
    struct hf_func grow; /* of another module that has the same memory */
    unsigned calls;
};

static enum hf_err take_a_page(void *env, union hf_val *vals)
{
    struct adapter *a = env;
    a->calls++;
    return hf_store_call(a->store, &a->grow, vals, 1);
}

static const char sizes[] =
    "(module " YIELD " (memory (export \"memory\") 3)"
    " (func (export \"_start\"))"
    " (func (export \"yield\") (param i32) (result i32) (call $yield))"
    " (func (export \"size\") (param i32) (result i32) (memory.size))"
    " (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    " (func (export \"deep\") (param i32) (result i32) (local i64 f32) (block (result i32) (loop "
    "(result i32)"
    "   (if (result i32) (local.get 0) (then (memory.size)) (else (i32.const -1)))))))";

static int32_t ask(struct guest *g, const char *name, int32_t arg)
{
    int32_t got = -2;
    assert_int_equal(call_i32(g, name, arg, &got), HF_OK);
    return got;
}

static void preview1_memory_size_is_the_modules_own(void **state)
{
    struct hf_buf b = {0};
    struct guest g = {.engine = engine}, other = {.engine = engine};
    struct adapter a = {0};
    struct hf_extern import, memory;
    (void)state;
    prepared(sizes, &b);
    g.store = other.store = a.store = make_store(engine);
    struct hf_func f = make_import(g.store, 0, 1, take_a_page, &a);
    hf_extern_of_func(&f, &import);
    load(&g, &b, &import, 1);
    assert_true(hf_core_export(g.store, &g.core, HF_VIEW("memory"), &memory));
    hf_buf_clear(&b);
    wat("(module (import \"m\" \"m\" (memory 0)) (func (export \"grow\") (result i32) (memory.grow "
        "(i32.const 1))))",
        &b);
    load(&other, &b, &memory, 1);
    a.grow = guest_func(&other, "grow");

    assert_int_equal(ask(&g, "size", 0), 3);
    assert_int_equal(ask(&g, "yield", 0), 3); /* page 3 is the adapter's */
    assert_int_equal(ask(&g, "size", 0), 3);  /* and not the module's */
    assert_int_equal(ask(&g, "deep", 1), 3);
    assert_int_equal(ask(&g, "grow", 2), 4); /* 4 and 5 are */
    assert_int_equal(ask(&g, "size", 0), 6);
    assert_int_equal(ask(&g, "yield", 0), 6);
    assert_int_equal(ask(&g, "deep", 1), 6);
    assert_int_equal(ask(&g, "grow", 70000), -1); /* refused: all is as it was */
    assert_int_equal(ask(&g, "size", 0), 6);
    assert_int_equal(ask(&g, "grow", 0), 7); /* asks for the size, and is told */
    assert_int_equal(a.calls, 2);

    hf_module_unref(other.module);
    guest_done(&g);
    hf_buf_done(&b);
}

static void preview1_what_asks_for_no_size_is_not_touched(void **state)
{
    static const char *const texts[] = {
        "(module " YIELD
        " (memory 1) (func (export \"_start\") (drop (memory.grow (i32.const 1)))))",
        /* The adapter asks the module itself for memory. */
        "(module " YIELD " (memory 1) (func (export \"_start\") (drop (memory.size)))"
        " (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable))",
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(texts); i++) {
        struct hf_buf b = {0}, before = {0};
        wat(texts[i], &before);
        prepared(texts[i], &b);
        assert_true(hf_view_eq(hf_buf_view(&b), hf_buf_view(&before)));
        hf_buf_done(&b);
        hf_buf_done(&before);
    }
}

/* ---- Go ---- */

#define HEAD 0x4000u /* of the table of functions */
#define DATA 0x5000u /* moduledata */
#define END  0x21000u

static void add_words(struct hf_buf *text, const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 8; k++)
            assert_int_equal(hf_buf_printf(text, "\\%02x", (unsigned)(words[i] >> (8 * k) & 255)),
                             HF_OK);
}

/* A module that looks like Go's to who knows only its shape. `end` is what moduledata says. */
static void go_module(struct hf_buf *text, unsigned pages, uint64_t end, const char *more)
{
    uint64_t words[50] = {HEAD, HEAD, 100, 100, 0x6000, 50, 50};
    const uint64_t bounds[] = {0x6000, 0x7000,  0x7000,  0x8000,  0x8000, 0x9000,
                               0x9000, 0x20000, 0x20000, 0x20000, end,    0x5800};
    memcpy(words + 24, bounds, sizeof bounds);
    hf_buf_clear(text);
    assert_int_equal(
        hf_buf_printf(
            text,
            "(module (@custom \"go:buildid\" \"x\") " YIELD
            " (memory (export \"memory\") %u) (global (mut i32) (i32.const 5)) (func (export "
            "\"_start\")) %s"
            " (data (i32.const %u) \"\\f1\\ff\\ff\\ff\\00\\00\\01\\08\") (data (i32.const %u) \"",
            pages, more, HEAD, DATA),
        HF_OK);
    add_words(text, words, HF_ARRAY_LEN(words));
    assert_int_equal(hf_buf_add_text(text, "\"))"), HF_OK);
}

static enum hf_err pretend(void *env, union hf_val *vals)
{
    (void)env;
    vals[0].i32 = 0;
    return HF_OK;
}

static void preview1_go_leaves_two_pages_to_the_adapter(void **state)
{
    struct hf_buf text = {0}, b = {0};
    struct guest g = {.engine = engine};
    struct hf_extern import, memory;
    struct hf_memory m;
    uint8_t *base;
    size_t size;
    (void)state;
    go_module(&text, 5, END, "");
    prepared((const char *)text.ptr, &b);
    g.store = make_store(engine);
    struct hf_func f = make_import(g.store, 0, 1, pretend, NULL);
    hf_extern_of_func(&f, &import);
    load(&g, &b, &import, 1);
    assert_true(hf_core_export(g.store, &g.core, HF_VIEW("memory"), &memory) &&
                hf_extern_memory(&memory, &m));
    hf_memory_get(g.store, &m, &base, &size);
    struct hf_reader r = hf_reader(hf_view(base + DATA + 34 * 8, 8));
    assert_int_equal(hf_read_u64le(&r), 0x50000); /* 0x21000 rounded up to a page, and two pages */
    for (uint32_t want = 0x30000; want <= 0x50000; want += 0x10000) {
        struct call c = {.store = g.store, .func = guest_func(&g, "cabi_realloc_adapter")};
        c.vals[2].i32 = 8;
        c.vals[3].i32 = 65536;
        enum hf_err err = run(g.store, call_driver, &c);
        if (want == 0x50000) {
            assert_int_equal(err, HF_TRAP); /* there are two */
        } else {
            assert_int_equal(err, HF_OK);
            assert_int_equal(c.vals[0].i32, want);
        }
    }
    guest_done(&g);
    hf_buf_done(&text);
    hf_buf_done(&b);
}

static void preview1_go_that_is_not_understood_is_refused(void **state)
{
    struct hf_buf text = {0}, b = {0};
    struct hf_report report;
    (void)state;
    go_module(&text, 5, END,
              "(data (i32.const 0x22000) \"x\")"); /* data behind the end: not what it looks like */
    assert_int_equal(prepare((const char *)text.ptr, &b, &report), HF_UNSUPPORTED);
    assert_report(&report, "version of Go");
    go_module(&text, 4, END, "");
    assert_int_equal(prepare((const char *)text.ptr, &b, &report), HF_UNSUPPORTED);
    assert_report(&report, "no free memory");
    go_module(&text, 5, END,
              "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)");
    assert_int_equal(prepare((const char *)text.ptr, &b, &report),
                     HF_OK); /* it looks after itself */
    hf_buf_done(&text);
    hf_buf_done(&b);
}

/* ---- refusals ---- */

static void preview1_what_is_no_command_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"(module (func (export \"main\")))", "exports no _start"},
        {"(module (func (export \"_initialize\")))", "a library (reactor)"},
        {"(module (memory (export \"_start\") 1))", "exports no _start"},
        {"(module (import \"env\" \"puts\" (func)) (func (export \"_start\")))",
         "\"env\" \"puts\""},
        {"(module (import \"wasi_unstable\" \"fd_read\" (func)) (func (export \"_start\")))",
         "preview 0"},
        {"(module (import \"" P1 "\" \"memory\" (memory 1)) (func (export \"_start\")))",
         "\"" P1 "\" \"memory\""},
        {"(module (func (export \"_start\") (param i32)))", "without parameters"},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_buf b = {0};
        struct hf_report report;
        if (prepare(cases[i].text, &b, &report) != HF_UNSUPPORTED)
            fail_msg("%s: %s", cases[i].text, report.text);
        assert_report(&report, cases[i].says);
        hf_buf_done(&b);
    }
}

static void preview1_a_long_list_is_cut(void **state)
{
    struct hf_buf text = {0}, b = {0};
    struct hf_report report;
    (void)state;
    assert_int_equal(hf_buf_add_text(&text, "(module "), HF_OK);
    for (int i = 0; i < 25; i++)
        assert_int_equal(hf_buf_printf(&text, "(import \"env\" \"f%d\" (func))", i), HF_OK);
    assert_int_equal(hf_buf_add_text(&text, "(func (export \"_start\")))"), HF_OK);
    assert_int_equal(prepare((const char *)text.ptr, &b, &report), HF_UNSUPPORTED);
    assert_report(&report, "\"f9\"");
    assert_report(&report, "and 15 more");
    hf_buf_done(&text);
    hf_buf_done(&b);
}

/* A module of bindings carries its own world: nothing of it is for us to change. */
static void preview1_modules_made_for_components_stay(void **state)
{
    static const char text[] =
        "(module (import \"acme:x/y\" \"z\" (func)) (import \"" P1
        "\" \"proc_exit\" (func (param i32)))"
        " (func (export \"_start\")) (@custom \"component-type:mine\" \"abc\"))";
    struct hf_buf b = {0};
    (void)state;
    prepared(text, &b);
    assert_true(holds(&b, "proc_exit") && !holds(&b, "EXI"));
    hf_buf_done(&b);
}

/* Damaged modules that the validator still takes: what is made of them is valid, or they are
 * refused by name. */
static void preview1_of_a_valid_module_is_valid(void **state)
{
    struct hf_buf text = {0}, whole[3] = {{0}};
    unsigned valid = 0, made = 0;
    (void)state;
    wat(sizes, &whole[0]);
    go_module(&text, 5, END, "");
    wat((const char *)text.ptr, &whole[1]);
    wat("(module (import \"" P1 "\" \"proc_exit\" (func $exit (param i32))) (memory 1) (func "
                                "(export \"_start\") (call $exit (memory.size))))",
        &whole[2]);
    srand(7);
    for (unsigned i = 0; i < 30000; i++) {
        const struct hf_buf *from = &whole[i % 3];
        struct hf_buf copy = {0}, b = {0};
        struct hf_report report = {0};
        assert_int_equal(hf_buf_add_view(&copy, hf_buf_view(from)), HF_OK);
        for (unsigned n = 1 + (unsigned)rand() % 3; n > 0; n--)
            copy.ptr[8 + (size_t)rand() % (copy.len - 8)] =
                (uint8_t)(rand() % 4 == 0 ? rand() : rand() % 16);
        if (hf_engine_validate(engine, hf_buf_view(&copy), NULL) == HF_OK) {
            valid++;
            enum hf_err err = hf_preview1_prepare(hf_buf_view(&copy), &worlds, &b, &report);
            if (err == HF_OK && hf_engine_validate(engine, hf_buf_view(&b), &report) != HF_OK)
                fail_msg("round %u: %s", i, report.text);
            assert_true(err == HF_OK ||
                        (report.text[0] != '\0' &&
                         (err == HF_UNSUPPORTED || err == HF_INVALID || err == HF_LIMIT)));
            made += err == HF_OK;
        }
        hf_buf_done(&copy);
        hf_buf_done(&b);
    }
    assert_true(valid > 1000 && made > 500);
    for (size_t i = 0; i < HF_ARRAY_LEN(whole); i++)
        hf_buf_done(&whole[i]);
    hf_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preview1_of_a_valid_module_is_valid),
        cmocka_unit_test(preview1_exit_codes_stay_whole),
        cmocka_unit_test(preview1_a_module_without_imports_gets_run),
        cmocka_unit_test(preview1_memory_size_is_the_modules_own),
        cmocka_unit_test(preview1_what_asks_for_no_size_is_not_touched),
        cmocka_unit_test(preview1_go_leaves_two_pages_to_the_adapter),
        cmocka_unit_test(preview1_go_that_is_not_understood_is_refused),
        cmocka_unit_test(preview1_what_is_no_command_is_refused_by_name),
        cmocka_unit_test(preview1_a_long_list_is_cut),
        cmocka_unit_test(preview1_modules_made_for_components_stay),
    };
    signals_keep();
    return cmocka_run_group_tests_name("engine/preview1", tests, engine_set_up, engine_tear_down);
}
