/* module_test.c - core modules: reading, rewriting, the gate, what does not fit. */
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

/* ---- reading ---- */

static void imports_and_exports_are_described(void **state)
{
    (void)state;
    struct hf_module *m = make_module(
        engine, "(module (import \"a\" \"f\" (func (param i32 f64) (result i64)))"
                "  (import \"a\" \"t\" (table 1 funcref)) (import \"b\" \"m\" (memory 2 5))"
                "  (import \"b\" \"g\" (global (mut i32))) (import \"c\" \"e\" (tag (param i32)))"
                "  (func (export \"x\") (param v128 funcref externref) (result f32) (f32.const 0))"
                "  (memory (export \"own\") 1) (global (export \"k\") i64 (i64.const 1))"
                "  (export \"again\" (memory 0)) (export \"tag\" (tag 0)))");
    static const enum hf_core_kind kinds[] = {HF_CORE_FUNC, HF_CORE_TABLE, HF_CORE_MEMORY,
                                              HF_CORE_GLOBAL, HF_CORE_TAG};
    assert_int_equal(hf_module_n_imports(m), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(hf_module_import(m, i)->kind, kinds[i]);
    const struct hf_core_item *f = hf_module_import(m, 0), *mem = hf_module_import(m, 2);
    assert_true(hf_view_eq(f->module, HF_VIEW("a")));
    assert_true(hf_view_eq(f->name, HF_VIEW("f")));
    assert_int_equal(f->func.n_params, 2);
    assert_int_equal(f->func.params[1], HF_F64);
    assert_int_equal(f->func.n_results, 1);
    assert_int_equal(f->func.results[0], HF_I64);
    assert_int_equal(mem->memory_min, 2);
    assert_int_equal(mem->memory_max, 5);

    assert_int_equal(hf_module_n_exports(m), 5); /* what the rewrite adds is not among them */
    const struct hf_core_item *x = hf_module_find_export(m, HF_VIEW("x"));
    assert_ptr_equal(x, hf_module_export(m, 0));
    assert_int_equal(x->func.n_params, 3);
    assert_int_equal(x->func.params[0], HF_V128);
    assert_int_equal(x->func.params[1], HF_FUNCREF);
    assert_int_equal(x->func.params[2], HF_EXTERNREF);
    assert_int_equal(hf_module_find_export(m, HF_VIEW("own"))->memory_max, UINT64_MAX);
    assert_int_equal(hf_module_find_export(m, HF_VIEW("again"))->memory_max, 5);
    assert_null(hf_module_find_export(m, HF_VIEW("holdfast!m0")));
    assert_int_equal(hf_module_n_memories(m), 1);
    assert_int_equal(hf_module_n_globals(m), 0);
    assert_int_equal(hf_module_memory_max(m), UINT64_C(4) << 30);
    assert_false(hf_module_has_start(m));
    struct hf_module *same = hf_module_ref(m);
    hf_module_unref(m);
    assert_int_equal(hf_module_n_imports(same), 5);
    hf_module_unref(same);
    hf_module_unref(NULL);
}

static void every_truncation_and_every_flipped_byte_is_survived(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    wat("(module (type $t (func (param i32 (ref null func)) (result i32)))"
        "  (import \"a\" \"f\" (func $f (type $t))) (import \"a\" \"m\" (memory 1 2))"
        "  (table 2 funcref) (memory 1) (tag (param i32))"
        "  (global (mut i32) (i32.add (i32.const 1) (i32.const 2))) (global (mut v128) (v128.const "
        "i64x2 1 2))"
        "  (start $s) (elem (i32.const 0) $s) (elem funcref (ref.func $s))"
        "  (func $s (local i64 v128) (block (loop (br_table 0 1 (i32.const 0)))))"
        "  (data (i32.const 8) \"hello\") (export \"s\" (func $s)))",
        &b);
    for (size_t len = 0; len < b.len; len++) {
        struct hf_module *m = NULL;
        struct hf_report report = {0};
        enum hf_err err = hf_module_load(engine, hf_view(b.ptr, len), NULL, &m, NULL, &report);
        if (err == HF_OK) { /* cut between two sections */
            hf_module_unref(m);
            continue;
        }
        assert_true(err == HF_INVALID || err == HF_UNSUPPORTED || err == HF_LIMIT);
        assert_true(report.len > 0);
    }
    for (size_t i = 0; i < b.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct hf_module *m = NULL;
            struct hf_report report = {0};
            b.ptr[i] ^= (uint8_t)(1 << bit);
            if (hf_module_load(engine, hf_buf_view(&b), NULL, &m, NULL, &report) == HF_OK)
                hf_module_unref(m);
            else
                assert_true(report.len > 0);
            b.ptr[i] ^= (uint8_t)(1 << bit);
        }
    hf_buf_done(&b);
}

static void bad_files_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {"", 0, "not a WebAssembly file"},
        {"GET / HTTP/1.1\r\n", 16, "not a WebAssembly file"},
        {"\0asm\x0d\0\x01\0", 8, "components go elsewhere"},
        {"\0asm\1\0\0\0\1\5", 10, "longer than the file"},
        {"\0asm\1\0\0\0\3\2\1\0", 12, "type is not there"},
        {"\0asm\1\0\0\0\3\1\0\1\1\0", 14, "out of order"},
        {"\0asm\1\0\0\0\1\6\xff\xff\xff\xff\x0f\0", 16, "count is larger"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_module *m = NULL;
        struct hf_report report = {0};
        assert_int_equal(
            hf_module_load(engine, hf_view(cases[i].bytes, cases[i].len), NULL, &m, NULL, &report),
            HF_INVALID);
        assert_report(&report, cases[i].text);
    }
    /* What only the validator sees; offsets are those of the file, not of the rewritten one. */
    struct hf_buf b = {0};
    struct hf_module *m = NULL;
    struct hf_report report = {0}, direct = {0};
    wat("(module (memory 1) (func (export \"f\") (result i32) (i64.const 1)))", &b);
    assert_int_equal(hf_module_load(engine, hf_buf_view(&b), NULL, &m, NULL, &report), HF_INVALID);
    assert_int_equal(hf_engine_validate(engine, hf_buf_view(&b), &direct), HF_INVALID);
    assert_report(&report, direct.text);
    assert_report(&report, "(at byte ");
    hf_buf_done(&b);
}

static void text_that_is_wrong_says_where(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    struct hf_report report = {0};
    assert_int_equal(hf_engine_wat("(module (func (i32.const)))", 27, &b, &report), HF_INVALID);
    assert_true(report.len > 0);
    assert_int_equal(b.len, 0);
    report = (struct hf_report){0};
    wat("(component (core module))", &b); /* components, too */
    assert_int_equal(hf_engine_validate(engine, hf_buf_view(&b), &report), HF_OK);
    hf_buf_done(&b);
}

/* ---- rewriting ---- */

static void hidden_memories_and_globals_are_reachable(void **state)
{
    (void)state;
    struct guest g = {0};
    uint8_t *base;
    size_t size;
    struct hf_memory mem;
    struct hf_global glob;
    union hf_val v;
    int32_t result;
    guest_new(&g, engine,
              "(module (global (mut i32) (i32.const 7)) (global i32 (i32.const 8)) (global (mut "
              "funcref) (ref.null func))"
              "  (global (mut f64) (f64.const 2.5)) (global (mut i64) (i64.const -3)) (global (mut "
              "f32) (f32.const 0.5))"
              "  (global (mut v128) (v128.const i64x2 5 6))"
              "  (memory 1) (memory 2) (data (memory 1) (i32.const 3) \"Z\")"
              "  (func (export \"get\") (param i32) (result i32) (global.get 0)))",
              NULL, 0);
    assert_int_equal(hf_module_n_memories(g.module), 2);
    assert_int_equal(hf_module_n_globals(g.module), 5); /* mutable and numeric */
    hf_core_memory(g.store, g.module, &g.core, 1, &mem);
    hf_memory_get(g.store, &mem, &base, &size);
    assert_int_equal(size, 2 << 16);
    assert_int_equal(base[3], 'Z');
    static const union hf_val want[] = {{.i32 = 7}, {.f64 = 2.5}, {.i64 = -3}, {.f32 = 0.5f}};
    for (size_t i = 0; i < 4; i++) {
        hf_core_global(g.store, g.module, &g.core, i, &glob);
        hf_global_get(g.store, &glob, &v);
        assert_int_equal(v.u64, want[i].u64);
        v.u64 = want[i].u64 + 1;
        hf_global_set(g.store, &glob, &v);
        hf_global_get(g.store, &glob, &v);
        assert_int_equal(v.u64, want[i].u64 + 1);
    }
    hf_core_global(g.store, g.module, &g.core, 4, &glob);
    hf_global_get(g.store, &glob, &v);
    assert_int_equal(v.v128[0], 5);
    assert_int_equal(v.v128[8], 6);
    v.v128[15] = 99;
    hf_global_set(g.store, &glob, &v);
    hf_global_get(g.store, &glob, &v);
    assert_int_equal(v.v128[15], 99);
    assert_int_equal(call_i32(&g, "get", 0, &result), HF_OK); /* the guest sees what was set */
    assert_int_equal(result, 8);
    guest_done(&g);
}

static void a_module_without_an_export_section_gets_one(void **state)
{
    (void)state;
    struct guest g = {0};
    struct hf_memory mem;
    uint8_t *base;
    size_t size;
    guest_new(&g, engine,
              "(module (memory 1) (global $g (mut i32) (i32.const 1)) (func $s (global.set $g "
              "(i32.const 2)))"
              "  (start $s) (data (i32.const 0) \"x\"))",
              NULL, 0);
    assert_int_equal(hf_module_n_exports(g.module), 0);
    assert_true(hf_module_has_start(g.module));
    hf_core_memory(g.store, g.module, &g.core, 0, &mem);
    hf_memory_get(g.store, &mem, &base, &size);
    assert_int_equal(base[0], 'x');
    struct hf_global glob;
    union hf_val v;
    hf_core_global(g.store, g.module, &g.core, 0, &glob);
    hf_global_get(g.store, &glob, &v);
    assert_int_equal(v.i32, 1); /* the start function has not run */
    assert_int_equal(hf_core_start(g.store, g.module, &g.core), HF_OK);
    hf_global_get(g.store, &glob, &v);
    assert_int_equal(v.i32, 2);
    guest_done(&g);
}

static void the_smallest_modules_are_rewritten(void **state)
{
    (void)state;
    static const char *const texts[] = {"(module)",
                                        "(module (memory 0))",
                                        "(module (func))",
                                        "(module (func $s) (start $s))",
                                        "(module (global (mut i32) (i32.const 0)))",
                                        "(module (@custom \"x\" \"y\"))"};
    for (size_t i = 0; i < HF_ARRAY_LEN(texts); i++) {
        struct guest g = {0};
        guest_new(&g, engine, texts[i], NULL, 0);
        assert_int_equal(hf_core_start(g.store, g.module, &g.core), HF_OK);
        guest_done(&g);
    }
}

static void the_reserved_prefix_is_refused(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    struct hf_module *m = NULL;
    struct hf_report report = {0};
    wat("(module (memory 1) (func (export \"holdfast!m0\")))", &b);
    assert_int_equal(hf_module_load(engine, hf_buf_view(&b), NULL, &m, NULL, &report), HF_INVALID);
    assert_report(&report, "\"holdfast!m0\"");
    assert_report(&report, "reserved");
    hf_buf_done(&b);
    hf_module_unref(make_module(engine, "(module (import \"holdfast:x\" \"holdfast:y\" (func)) "
                                        "(func (export \"holdfast\")))")); /* no clash */
}

/* ---- the gate ---- */

static uint32_t gate_of(const char *text)
{
    struct hf_module *m = make_module(engine, text);
    uint32_t gate = hf_module_gate(m);
    hf_module_unref(m);
    return gate;
}

static void the_gate_flags_each_way_to_change_a_table(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "(table.set 0 (i32.const 0) (ref.null func))",
        "(drop (table.grow 0 (ref.null func) (i32.const 1)))",
        "(table.fill 0 (i32.const 0) (ref.null func) (i32.const 1))",
        "(table.copy (i32.const 0) (i32.const 1) (i32.const 1))",
        "(table.init 0 (i32.const 0) (i32.const 0) (i32.const 0))",
        "(elem.drop 0)",
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(ops); i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "(module (table 2 funcref) (elem declare func 0) (func (block (loop %s))))",
                 ops[i]);
        assert_int_equal(gate_of(text), HF_GATE_TABLE_OPS);
    }
    assert_int_equal(gate_of("(module (table 2 funcref) (elem func 0) (func))"), HF_GATE_TABLE_OPS);
}

static void the_gate_flags_each_way_to_change_data(void **state)
{
    (void)state;
    assert_int_equal(gate_of("(module (memory 1) (data \"x\"))"), HF_GATE_DATA_OPS);
    assert_int_equal(gate_of("(module (memory 1) (data (i32.const 0) \"x\")"
                             "  (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))))"),
                     HF_GATE_DATA_OPS);
    assert_int_equal(gate_of("(module (memory 1) (data (i32.const 0) \"x\") (func (data.drop 0)))"),
                     HF_GATE_DATA_OPS);
}

static void the_gate_flags_mutable_references(void **state)
{
    (void)state;
    assert_int_equal(gate_of("(module (global (mut funcref) (ref.null func)))"),
                     HF_GATE_REF_GLOBALS);
    assert_int_equal(gate_of("(module (global (mut externref) (ref.null extern)))"),
                     HF_GATE_REF_GLOBALS);
    assert_int_equal(
        gate_of("(module (type $t (func)) (global (mut (ref null $t)) (ref.null $t)))"),
        HF_GATE_REF_GLOBALS);
    assert_int_equal(gate_of("(module (global funcref (ref.null func)))"), 0);
    assert_int_equal(gate_of("(module (import \"a\" \"g\" (global (mut funcref))))"),
                     0); /* its owner's business */
}

/* What this engine does not compile at all is flagged too: inspect tells of any file. */
static void the_gate_flags_shared_memory_garbage_and_64_bits(void **state)
{
    static const struct {
        const char *text;
        uint32_t gate;
    } cases[] = {
        {"(module (memory 1 1 shared))", HF_GATE_SHARED},
        {"(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))", HF_GATE_SHARED},
        {"(module (memory 1) (func (drop (i64.atomic.rmw.add (i32.const 0) (i64.const 1)))))",
         HF_GATE_SHARED},
        {"(module (memory 1) (func (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))))",
         HF_GATE_SHARED},
        {"(module (func (atomic.fence)))", HF_GATE_SHARED},
        {"(module (type $s (struct (field (mut i32)))) (func (drop (struct.new_default $s))))",
         HF_GATE_GC},
        {"(module (type $s (struct (field (mut i32)))) (func (param (ref $s))"
         " (struct.set $s 0 (local.get 0) (i32.const 1))))",
         HF_GATE_GC},
        {"(module (type $a (array (mut i8))) (func (param (ref $a))"
         " (array.set $a (local.get 0) (i32.const 0) (i32.const 1))))",
         HF_GATE_GC},
        {"(module (type $a (array (mut i8))) (func (param (ref $a)) (array.fill $a (local.get 0)"
         " (i32.const 0) (i32.const 1) (i32.const 1))))",
         HF_GATE_GC},
        {"(module (func (drop (ref.i31 (i32.const 1)))))", HF_GATE_GC},
        {"(module (func (param anyref) (drop (ref.test (ref i31) (local.get 0)))))", HF_GATE_GC},
        {"(module (func (param eqref) (drop (ref.eq (local.get 0) (local.get 0)))))", HF_GATE_GC},
        {"(module (memory i64 1))", HF_GATE_MEMORY64},
        {"(module (global (mut exnref) (ref.null exn)))", HF_GATE_REF_GLOBALS},
        {"(module (global (mut anyref) (ref.null any)))", HF_GATE_REF_GLOBALS},
        /* made again by instantiation, and nothing can change them */
        {"(module (type $s (struct (field (mut i32)))) (global (ref $s) (struct.new_default $s)))",
         0},
        {"(module (memory 1) (memory (export \"b\") 1) (memory (export \"c\") 1))", 0},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_buf b = {0};
        struct hf_report report = {0};
        uint32_t gate = 0;
        wat(cases[i].text, &b);
        if (hf_gate_of(hf_buf_view(&b), &gate, &report) != HF_OK || gate != cases[i].gate)
            fail_msg("%s: %x, wanted %x %s", cases[i].text, gate, cases[i].gate, report.text);
        hf_buf_done(&b);
    }
}

/* Everything ordinary, with every shape of immediate, so that a wrong length would be noticed: what
 * follows would be read as some flagged or unknown instruction, or the body would not end where it
 * ends. */
static void the_gate_flags_nothing_ordinary(void **state)
{
    (void)state;
    assert_int_equal(gate_of("(module (func))"), 0);
    static const char text[] =
        "(module (type $n (func)) (type $ii (func (param i32) (result i32)))"
        "  (memory 1) (memory $two 1) (table 3 funcref) (tag $e (param i32)) (global $g (mut i64) "
        "(i64.const 0))"
        "  (global $r funcref (ref.func $f)) (elem (i32.const 0) $f $h) (elem declare func $f)"
        "  (elem (table 0) (i32.const 2) funcref (ref.null func)) (data (i32.const 0) \"abc\") "
        "(data (memory $two) (i32.const 1) \"d\")"
        "  (func $f (type $n)) (func $h (type $ii) (local.get 0))"
        "  (func (export \"all\") (param i32) (result i32) (local i64 f32 f64 v128 funcref (ref "
        "null $ii))"
        "    (block (block (block (br_table 0 1 2 0 (local.get 0)))))"
        "    (drop (select (result i32) (i32.const 1) (i32.const 2) (local.get 0)))"
        "    (drop (select (i64.const -9223372036854775808) (i64.const 1) (local.get 0)))"
        "    (drop (f32.const 0x1.fep3)) (drop (f64.const -0x1.8p100)) (drop (i32.const "
        "-2147483648))"
        "    (i64.store offset=0xfffffff (i32.const 0) (i64.const 1)) (i32.store16 $two offset=5 "
        "(i32.const 1) (i32.const 2))"
        "    (drop (memory.grow (i32.const 0))) (drop (memory.size $two))"
        "    (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)) (memory.fill (i32.const 0) "
        "(i32.const 0) (i32.const 1))"
        "    (memory.copy $two 0 (i32.const 0) (i32.const 1) (i32.const 2))"
        "    (drop (table.size 0)) (drop (table.get 0 (i32.const 0)))"
        "    (call_indirect (type $n) (i32.const 0)) (call_ref $n (ref.func $f))"
        "    (drop (ref.is_null (ref.null $ii))) (drop (ref.as_non_null (ref.func $f)))"
        "    (block $no (drop (br_on_null $no (ref.func $f))))"
        "    (drop (block $yes (result (ref func)) (br_on_non_null $yes (ref.func $f)) "
        "(unreachable)))"
        "    (drop (i32.trunc_sat_f64_u (f64.const 1))) (drop (i32.extend8_s (i32.const 1)))"
        "    (local.set 4 (v128.const i32x4 1 2 3 4))"
        "    (local.set 4 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 4) "
        "(local.get 4)))"
        "    (local.set 4 (i32x4.replace_lane 3 (local.get 4) (i32.const 9)))"
        "    (local.set 4 (v128.load8_lane offset=300 7 (i32.const 0) (local.get 4)))"
        "    (local.set 4 (v128.load32_zero (i32.const 0))) (v128.store64_lane 1 (i32.const 0) "
        "(local.get 4))"
        "    (local.set 4 (f32x4.relaxed_madd (local.get 4) (local.get 4) (local.get 4)))"
        "    (local.set 4 (i16x8.extadd_pairwise_i8x16_u (local.get 4)))"
        "    (block (drop (block $h (result i32)"
        "      (try_table (result i32) (catch $e $h) (catch_all 1) (throw $e (i32.const 3))))))"
        "    (block $x (result exnref) (try_table (catch_all_ref $x)) (unreachable)) (throw_ref))"
        "  (func (param i32) (result i32) (return_call $h (local.get 0)))"
        "  (func (param i32) (result i32) (return_call_indirect (type $ii) (local.get 0) "
        "(i32.const 1)))"
        "  (func (param i32) (result i32) (return_call_ref $ii (local.get 0) (ref.func $h))) (elem "
        "declare func $h))";
    struct hf_buf b = {0};
    struct hf_report report = {0};
    assert_int_equal(hf_engine_wat(text, strlen(text), &b, &report), HF_OK);
    struct hf_module *m = NULL;
    if (hf_module_load(engine, hf_buf_view(&b), NULL, &m, NULL, &report) != HF_OK)
        fail_msg("%s", report.text);
    assert_int_equal(hf_module_gate(m), 0);
    hf_module_unref(m);
    hf_buf_done(&b);
}

static void the_gate_is_explained(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    hf_gate_text(0, &b);
    assert_int_equal(b.len, 0);
    hf_gate_text(HF_GATE_TABLE_OPS | HF_GATE_GC, &b);
    assert_non_null(strstr((char *)b.ptr, "table.set"));
    assert_non_null(strstr((char *)b.ptr, "; uses garbage"));
    hf_buf_clear(&b);
    hf_gate_text(0x7f, &b);
    assert_non_null(strstr((char *)b.ptr, "does not know"));
    hf_buf_done(&b);
}

/* ---- what does not fit the pool ---- */

static void pool_limits_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
    } cases[] = {
        {"(module (memory 1) (memory 1) (memory 1) (memory 1) (memory 1))",
         "memories_per_module allows 4"},
        {"(module (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 "
         "funcref)"
         " (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref))",
         "tables_per_module allows 8"},
        {"(module (table 200001 funcref))", "table_elements allows 200000"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_buf b = {0};
        struct hf_module *m = NULL;
        struct hf_report report = {0};
        wat(cases[i].text, &b);
        assert_int_equal(hf_module_load(engine, hf_buf_view(&b), NULL, &m, NULL, &report),
                         HF_LIMIT);
        assert_report(&report, cases[i].name);
        hf_buf_done(&b);
    }
}

static void set_small(struct hf_engine_settings *s)
{
    s->memory_max = 1 << 20;
    s->core_instance_size = 4096;
}

static void memory_and_instance_size_are_refused_by_name(void **state)
{
    (void)state;
    struct hf_engine *e = make_engine(set_small);
    struct hf_buf b = {0};
    struct hf_module *m = NULL;
    struct hf_report report = {0};
    wat("(module (memory 17))", &b);
    assert_int_equal(hf_module_load(e, hf_buf_view(&b), NULL, &m, NULL, &report), HF_LIMIT);
    assert_report(&report, "memory_max allows 1048576 bytes");
    hf_buf_clear(&b);
    assert_int_equal(hf_buf_add_text(&b, "(module "), HF_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(hf_buf_add_text(&b, "(global (mut i64) (i64.const 0))"), HF_OK);
    assert_int_equal(hf_buf_add_text(&b, ")"), HF_OK);
    struct hf_buf bytes = {0};
    wat((char *)b.ptr, &bytes);
    report = (struct hf_report){0};
    assert_int_equal(hf_module_load(e, hf_buf_view(&bytes), NULL, &m, NULL, &report), HF_LIMIT);
    assert_report(&report, "exceeds the configured maximum of 4096 bytes");
    hf_buf_done(&b);
    hf_buf_done(&bytes);
    hf_engine_free(e);
}

static void an_engine_too_large_for_the_machine_is_refused_and_not_aborted(void **state)
{
    (void)state;
    static const struct {
        uint32_t instances, stacks;
        const char *text;
    } cases[] = {{100, 10000000, "vm.max_map_count"}, {4000000000u, 10, "address space"}};
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_engine_settings s;
        struct hf_engine *e = NULL;
        struct hf_report report = {0};
        hf_engine_settings_init(&s);
        s.instances_max = cases[i].instances;
        s.stacks_max = cases[i].stacks;
        assert_int_equal(hf_engine_new(&s, &e, &report), HF_LIMIT);
        assert_report(&report, cases[i].text);
        assert_null(e);
    }
    struct hf_engine_settings s;
    struct hf_engine *e = NULL;
    struct hf_report report = {0};
    hf_engine_settings_init(&s);
    s.fiber_stack = 256 << 10;
    assert_int_equal(hf_engine_new(&s, &e, &report), HF_INVALID);
    assert_report(&report, "fiber_stack");
}

static void set_min(struct hf_engine_settings *s)
{
    s->keep_wasm_features_min = true;
    s->pooling = false;
}

static void settings_make_the_fingerprint(void **state)
{
    (void)state;
    struct hf_engine *min = make_engine(set_min), *same = make_engine(NULL);
    assert_int_equal(strlen(hf_engine_fingerprint(engine)), 64);
    assert_string_equal(hf_engine_fingerprint(engine), hf_engine_fingerprint(same));
    assert_string_not_equal(hf_engine_fingerprint(engine), hf_engine_fingerprint(min));
    struct hf_buf b = {0};
    struct hf_module *m = NULL;
    struct hf_report report = {0};
    wat("(module (func (drop (v128.const i64x2 0 0))))", &b);
    assert_int_equal(hf_module_load(min, hf_buf_view(&b), NULL, &m, NULL, &report), HF_UNSUPPORTED);
    assert_report(&report, "SIMD");
    assert_int_equal(hf_engine_get_settings(min)->slice_ticks, 10); /* zeroes are filled in */
    struct guest g = {0};                                           /* on demand */
    int32_t result;
    guest_new(&g, min,
              "(module (memory 1) (func (export \"f\") (param i32) (result i32) (memory.grow "
              "(i32.const 1))))",
              NULL, 0);
    assert_int_equal(call_i32(&g, "f", 0, &result), HF_OK);
    assert_int_equal(result, 1);
    guest_done(&g);
    hf_buf_done(&b);
    hf_engine_free(min);
    hf_engine_free(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imports_and_exports_are_described),
        cmocka_unit_test(every_truncation_and_every_flipped_byte_is_survived),
        cmocka_unit_test(bad_files_are_told_apart),
        cmocka_unit_test(text_that_is_wrong_says_where),
        cmocka_unit_test(hidden_memories_and_globals_are_reachable),
        cmocka_unit_test(a_module_without_an_export_section_gets_one),
        cmocka_unit_test(the_smallest_modules_are_rewritten),
        cmocka_unit_test(the_reserved_prefix_is_refused),
        cmocka_unit_test(the_gate_flags_each_way_to_change_a_table),
        cmocka_unit_test(the_gate_flags_each_way_to_change_data),
        cmocka_unit_test(the_gate_flags_mutable_references),
        cmocka_unit_test(the_gate_flags_shared_memory_garbage_and_64_bits),
        cmocka_unit_test(the_gate_flags_nothing_ordinary),
        cmocka_unit_test(the_gate_is_explained),
        cmocka_unit_test(pool_limits_are_refused_by_name),
        cmocka_unit_test(memory_and_instance_size_are_refused_by_name),
        cmocka_unit_test(an_engine_too_large_for_the_machine_is_refused_and_not_aborted),
        cmocka_unit_test(settings_make_the_fingerprint),
    };
    signals_keep();
    return cmocka_run_group_tests(tests, engine_set_up, engine_tear_down);
}
