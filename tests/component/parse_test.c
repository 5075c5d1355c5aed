/* parse_test.c - the parser against hand-made bytes: every section, truncation everywhere, counts
 * and LEBs that lie, every gated canon refused by its name, the limits. */
#include "component/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_link.h"

static const uint8_t preamble[8] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};

/* Parses an exactly sized heap copy, so that a sanitizer sees every byte read too far. */
static enum hf_err parse_copy(const uint8_t *bytes, size_t len,
                              const struct hf_component_limits *limits, struct hf_report *report)
{
    struct hf_arena arena;
    const struct hf_tree *tree = NULL;
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    if (len != 0)
        memcpy(copy, bytes, len);
    hf_arena_init(&arena, 4096, 64 << 20);
    hf_report_init(report);
    enum hf_err err = hf_parse(&arena, hf_view(copy, len), limits, &tree, report);
    assert_true((err == HF_OK) == (tree != NULL));
    assert_true((err == HF_OK) == (report->err == HF_OK));
    hf_arena_done(&arena);
    free(copy);
    return err;
}

/* Preamble + bytes, all in one. */
static enum hf_err parse_body(const char *body, size_t len, struct hf_report *report)
{
    uint8_t bytes[512];
    assert_true(len + 8 <= sizeof bytes);
    memcpy(bytes, preamble, 8);
    memcpy(bytes + 8, body, len);
    return parse_copy(bytes, len + 8, NULL, report);
}

/* Something of everything that is not gated. */
static const char everything[] =
    "(component $root"
    "  (core module $m (import \"a\" \"f\" (func)) (memory (export \"memory\") 1)"
    "    (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) unreachable)"
    "    (global (export \"g\") i32 (i32.const 1)) (table (export \"t\") 1 funcref) (func (export "
    "\"run\"))"
    "    (func (export \"drop\") (param i32)))"
    "  (core module $a (func (export \"f\")))"
    "  (core type (func (param i32)))"
    "  (core type (module (type (func)) (import \"x\" \"y\" (func (type 0))) (export \"z\" (memory "
    "1))"
    "    (alias outer 1 0 (type)) (import \"x\" \"t\" (table 1 2 funcref)) (export \"g\" (global "
    "(mut i64)))))"
    "  (core instance $a (instantiate $a))"
    "  (core instance $bag (export \"f\" (func $a \"f\")))"
    "  (core instance $m (instantiate $m (with \"a\" (instance $bag))))"
    "  (alias core export $m \"memory\" (core memory $mem))"
    "  (alias core export $m \"g\" (core global $g))"
    "  (alias core export $m \"t\" (core table $t))"
    "  (core func $realloc (alias core export $m \"realloc\"))"
    "  (type $rec (record (field \"a\" u8) (field \"b\" string)))"
    "  (type $var (variant (case \"a\" u8) (case \"b\")))"
    "  (type $tup (tuple $rec $var)) (type $fl (flags \"a\" \"b\")) (type $en (enum \"a\" \"b\"))"
    "  (type $opt (option (list $tup))) (type $res (result)) (type $res2 (result u8 (error "
    "string)))"
    "  (type $u u32) (type $r (resource (rep i32) (dtor (func $m \"drop\"))))"
    "  (type $own (own $r)) (type $bor (borrow $r))"
    "  (import \"wasi:io/poll@0.2.0\" (instance $poll"
    "    (export \"pollable\" (type $p (sub resource)))"
    "    (alias outer $root $u (type $u2)) (export \"u\" (type (eq $u2)))"
    "    (export \"poll\" (func (param \"in\" (borrow $p)) (result (list $u2))))))"
    "  (alias export $poll \"pollable\" (type $pollable))"
    "  (import \"f\" (func $f (param \"a\" s8) (param \"b\" char)))"
    "  (import \"c\" (component $c (import \"i\" (func)) (export \"e\" (func))))"
    "  (core func $lowered (canon lower (func $f)))"
    "  (core func (canon resource.new $r)) (core func (canon resource.drop $r)) (core func (canon "
    "resource.rep $r))"
    "  (func $run (param \"x\" $tup) (canon lift (core func $m \"run\") (memory $mem) (realloc "
    "$realloc)"
    "     string-encoding=latin1+utf16 (post-return (func $m \"run\"))))"
    "  (component $n (import \"g\" (func)) (export \"h\" (func 0)))"
    "  (func $plain (canon lift (core func $m \"run\")))"
    "  (instance $ni (instantiate $n (with \"g\" (func $plain))))"
    "  (instance $bagi (export \"x\" (func $ni \"h\")))"
    "  (export \"n\" (instance $ni)) (export \"b\" (instance $bagi))"
    "  (@custom \"producers\" \"anything\")"
    ")";

static void every_section_is_read(void **state)
{
    struct hf_buf b = link_wat(everything);
    struct hf_arena arena;
    struct hf_report report = {0};
    const struct hf_tree *tree = NULL;
    (void)state;
    hf_arena_init(&arena, 4096, 1 << 20);
    if (hf_parse(&arena, hf_buf_view(&b), NULL, &tree, &report) != HF_OK)
        fail_msg("%s", report.text);
    const struct hf_scope *s = tree->root;
    assert_int_equal(tree->n_modules, 2);
    assert_int_equal(tree->n_components, 2);
    assert_int_equal(tree->n_gated, 0);
    assert_int_equal(s->kind, HF_SCOPE_COMPONENT);
    assert_int_equal(s->n_imports, 3);
    assert_int_equal(s->n_exports, 2);
    assert_int_equal(s->n[HF_SORT_MODULE], 2);
    assert_int_equal(s->n[HF_SORT_CORE_TYPE], 2);
    assert_int_equal(s->n[HF_SORT_CORE_INSTANCE], 3);
    assert_int_equal(s->n[HF_SORT_CORE_MEMORY], 1);
    assert_int_equal(s->n[HF_SORT_CORE_GLOBAL], 1);
    assert_int_equal(s->n[HF_SORT_CORE_TABLE], 1);
    assert_int_equal(s->n[HF_SORT_COMPONENT], 2);
    /* The import, two made here, two exports: an export adds an index (1.2). */
    assert_int_equal(s->n[HF_SORT_INSTANCE], 5);
    uint32_t counted = 0, kinds = 0;
    for (const struct hf_def *d = s->defs; d != NULL; d = d->next) {
        counted++;
        kinds |= 1u << d->kind;
    }
    assert_int_equal(counted, s->n_defs);
    /* All but outer aliases (they are in the instance type) and gated ones. */
    assert_int_equal(kinds, ((1u << (HF_DEF_EXPORT + 1)) - 1) & ~(1u << HF_DEF_ALIAS_OUTER) &
                                ~(1u << HF_DEF_GATED));
    assert_true(hf_view_eq_text(s->name, "root"));
    hf_arena_done(&arena);
    hf_buf_done(&b);
}

static size_t leb(const uint8_t *p, size_t *len)
{
    size_t n = 0;
    *len = 0;
    do
        n |= (size_t)(p[*len] & 0x7f) << (7 * *len);
    while (p[(*len)++] & 0x80);
    return n;
}

static void truncation_anywhere_is_an_error(void **state)
{
    struct hf_buf b = link_wat(everything);
    struct hf_report report;
    size_t boundary = 8;
    (void)state;
    for (size_t len = 0; len <= b.len; len++) {
        enum hf_err err = parse_copy(b.ptr, len, NULL, &report);
        if (len == boundary) { /* between two sections: a shorter component, complete as it is */
            assert_int_equal(err, HF_OK);
            if (len < b.len) {
                size_t used, size = leb(b.ptr + len + 1, &used);
                boundary = len + 1 + used + size;
            }
        } else {
            if (err != HF_INVALID)
                fail_msg("at %zu: %s %s", len, hf_err_text(err), report.text);
            assert_non_null(strstr(report.text, "(at byte "));
        }
    }
    assert_int_equal(boundary, b.len);
    hf_buf_done(&b);
}

static void changed_bytes_never_crash(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x02, 0x40, 0x42, 0x7f, 0x80, 0xff};
    struct hf_buf b = link_wat(everything);
    struct hf_report report;
    size_t refused = 0, total = 0;
    (void)state;
    for (size_t i = 0; i < b.len; i++)
        for (size_t k = 0; k < HF_ARRAY_LEN(values) + 1; k++) {
            uint8_t old = b.ptr[i];
            b.ptr[i] = k < HF_ARRAY_LEN(values) ? values[k] : (uint8_t)(old ^ 0x10);
            refused += parse_copy(b.ptr, b.len, NULL, &report) != HF_OK;
            total++;
            b.ptr[i] = old;
        }
    assert_true(refused > total / 4);
    assert_true(refused < total); /* names and module bodies may change */
    hf_buf_done(&b);
}

static void S1_counts_are_checked_against_the_bytes_left(void **state)
{
    static const uint8_t vec_sections[] = {2, 3, 5, 6, 7, 8, 10, 11};
    struct hf_report report;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(vec_sections); i++) {
        char body[] = {
            (char)vec_sections[i], 5, (char)0xff, (char)0xff, (char)0xff, (char)0xff, 0x0f};
        assert_int_equal(parse_body(body, sizeof body, &report), HF_INVALID);
        assert_non_null(strstr(report.text, "a count of 4294967295 in 0 bytes"));
    }
    /* Inside a definition too: a record of 2^28 fields. */
    static const char record[] = {7, 7, 1, 0x72, (char)0xff, (char)0xff, (char)0xff, 0x7f, 1};
    assert_int_equal(parse_body(record, sizeof record, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "a count of"));
    /* A section that is longer than the file. */
    static const char longer[] = {7, 0x7f, 1, 0x7d};
    assert_int_equal(parse_body(longer, sizeof longer, &report), HF_INVALID);
}

static void lebs_have_five_bytes_and_no_stray_bits(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool ok;
    } table[] = {
        {"\x07\x82\x80\x80\x80\x00\x01\x7d", 8, true},      /* five bytes are allowed */
        {"\x07\x82\x80\x80\x80\x10\x01\x7d", 8, false},     /* bit 32 */
        {"\x07\x82\x80\x80\x80\x80\x00\x01\x7d", 9, false}, /* six bytes */
        {"\x07\x06\x81\x80\x80\x80\x00\x7d", 8, true},      /* a count in five */
        {"\x07\x06\x01\x70\x80\x80\x80\x80\x80\x01", 10, false},
    };
    struct hf_report report;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++)
        if ((parse_body(table[i].bytes, table[i].len, &report) == HF_OK) != table[i].ok)
            fail_msg("%zu: %s", i, report.text);
}

static void malformed_definitions_are_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *words;
    } table[] = {
        {"\x0d\x00", 2, "section 13 does not exist"},
        {"\x07\x02\x01\x50", 4, "type 0x50 does not exist"},
        {"\x07\x03\x01\x7d\x00", 5, "1 bytes too many"},
        {"\x07\x03\x01\x70\x00", 5, "type 0 does not exist: there are 0 so far"},
        {"\x07\x03\x01\x72\x00", 5, "fields of a record: there must be one at least"},
        {"\x07\x03\x01\x71\x00", 5, "cases of a variant: there must be one at least"},
        {"\x07\x03\x01\x6f\x00", 5, "elements of a tuple: there must be one at least"},
        {"\x07\x03\x01\x6e\x00", 5, "labels of flags: there must be one at least"},
        {"\x07\x03\x01\x6d\x00", 5, "labels of an enum: there must be one at least"},
        {"\x07\x07\x01\x6d\x02\x01\x61\x01\x41", 9, "stands twice"},   /* enum { a, A } */
        {"\x07\x05\x01\x6d\x01\x01\x5f", 7, "not a kebab-case label"}, /* enum { _ } */
        {"\x07\x05\x01\x6d\x01\x01\xff", 7, "not UTF-8"},
        {"\x07\x08\x01\x71\x01\x01\x61\x00\x01\x00", 10, "refines"},
        {"\x07\x05\x01\x40\x00\x01\x01", 7, "named results"},
        {"\x07\x04\x01\x3f\x7d\x00", 6, "a resource is represented by i32"},
        {"\x07\x07\x01\x42\x01\x01\x3f\x7f\x00", 9, "a resource defined inside a type"},
        {"\x07\x06\x01\x42\x01\x03\x00\x00", 8, "an import in an instance type"},
        {"\x07\x03\x01\x69\x00", 5, "type 0 does not exist"},
        {"\x06\x05\x01\x01\x02\x00\x00", 7, "an outer alias of a function"},
        {"\x06\x05\x01\x03\x02\x01\x00", 7, "leaves the outermost scope"},
        {"\x06\x05\x01\x03\x02\x00\x00", 7, "type 0 does not exist"},
        {"\x06\x05\x01\x03\x00\x00\x00", 7, "instance 0 does not exist"},
        {"\x06\x04\x01\x01\x03\x00", 6, "alias kind 0x03"},
        {"\x06\x06\x01\x00\x00\x00\x00\x00", 8, "an alias of an export that is a core function"},
        {"\x02\x04\x01\x00\x00\x00", 6, "core module 0 does not exist"},
        {"\x02\x03\x01\x02\x00", 5, "neither 0 nor 1"},
        {"\x02\x08\x01\x01\x01\x01\x61\x11\x00\x00", 10, "cannot be exported by a core instance"},
        {"\x05\x04\x01\x00\x00\x00", 6, "component 0 does not exist"},
        {"\x0a\x06\x01\x03\x01\x61\x03\x01", 8, "name kind 0x03"},
        {"\x0a\x05\x01\x00\x01\x61\x06", 7, "kind 0x06 of an import"},
        {"\x0a\x0b\x02\x00\x01\x61\x03\x01\x00\x01\x41\x03\x01", 13,
         "stands twice"}, /* imports a and A */
        {"\x0a\x0c\x01\x00\x07" "a:b:c/d\x03\x01", 14, "is of a nested package (a draft)"},
        {"\x0a\x0c\x01\x00\x07" "a:b/c/d\x03\x01", 14, "is of a nested package (a draft)"},
        {"\x06\x06\x01\x00\x20\x01\x00\x00", 8, "exact functions (a draft)"},
        {"\x0b\x06\x01\x00\x01\x61\x01\x00", 8, "function 0 does not exist"},
        {"\x0b\x07\x01\x00\x01\x61\x00\x00\x00", 9,
         "cannot be imported or exported by a component"},
        {"\x08\x03\x01\x07\x00", 5, "canon definition 0x07 does not exist"},
        {"\x08\x03\x01\x08\x00", 5, "canon definition 0x08 does not exist"},
        {"\x08\x04\x01\x00\x01\x00", 6, "canon lift or lower of sort 0x01"},
        {"\x08\x03\x01\x02\x00", 5, "type 0 does not exist"},
        {"\x01\x04\x00\x61\x73\x6d", 6, "does not hold a core module"},
        {"\x04\x08\x00\x61\x73\x6d\x01\x00\x00\x00", 10,
         "a core module where a component was expected"},
        {"\x03\x02\x01\x7f", 4, "core type 0x7f does not exist"},
        {"\x03\x03\x01\x00\x60", 5, "core type 0x00 0x60 does not exist"},
    };
    struct hf_report report;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        enum hf_err err = parse_body(table[i].bytes, table[i].len, &report);
        if (err != HF_INVALID || strstr(report.text, table[i].words) == NULL)
            fail_msg("%zu: %s: %s, wanted: %s", i, hf_err_text(err), report.text, table[i].words);
    }
}

static void other_files_are_told_apart(void **state)
{
    static const uint8_t module[8] = {0, 'a', 's', 'm', 1, 0, 0, 0},
                         old[8] = {0, 'a', 's', 'm', 0x0a, 0, 1, 0},
                         layer[8] = {0, 'a', 's', 'm', 0x0d, 0, 2, 0};
    struct hf_report report;
    (void)state;
    assert_int_equal(hf_file_kind(hf_view(module, 8)), HF_FILE_MODULE);
    assert_int_equal(hf_file_kind(hf_view(preamble, 8)), HF_FILE_COMPONENT);
    assert_int_equal(hf_file_kind(hf_view("hello, world", 12)), HF_FILE_OTHER);
    assert_int_equal(hf_file_kind(hf_view(preamble, 7)), HF_FILE_OTHER);
    assert_int_equal(parse_copy(module, 8, NULL, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "core module"));
    assert_int_equal(parse_copy(old, 8, NULL, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "version 0x0a"));
    assert_int_equal(parse_copy(layer, 8, NULL, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "layer 2"));
    assert_int_equal(parse_copy((const uint8_t *)"GIF89a..", 8, NULL, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "not WebAssembly"));
    assert_int_equal(parse_copy(preamble, 8, NULL, &report), HF_OK); /* the empty component */
}

/* ---- gated ---- */

/* A component with one of each that immediates name: core func, memory, table, core type, type 0.
 */
static const char base_text[] =
    "(component (core module $m (memory (export \"m\") 1) (func (export \"f\")) (table (export "
    "\"t\") 1 funcref))"
    " (core instance $i (instantiate $m)) (core type (func))"
    " (alias core export $i \"m\" (core memory)) (alias core export $i \"t\" (core table))"
    " (alias core export $i \"f\" (core func)) (type u8) (type (func)))";

/* Parses base_text with a section appended; checks that exactly `text` is gated. */
static void expect_gated(uint8_t section, const char *body, size_t len, const char *text)
{
    struct hf_buf b = link_wat(base_text);
    struct hf_arena arena;
    struct hf_report report = {0};
    const struct hf_tree *tree = NULL;
    assert_int_equal(hf_buf_add_byte(&b, section), HF_OK);
    assert_int_equal(hf_buf_add_byte(&b, (uint8_t)len), HF_OK);
    assert_int_equal(hf_buf_add(&b, body, len), HF_OK);
    hf_arena_init(&arena, 4096, 1 << 20);
    if (hf_parse(&arena, hf_buf_view(&b), NULL, &tree, &report) != HF_OK)
        fail_msg("%s: %s", text, report.text);
    assert_int_equal(tree->n_gated, 1);
    assert_string_equal(tree->gated[0], text);
    hf_arena_done(&arena);
    hf_buf_done(&b);
}

static void every_gated_canon_is_refused_by_name(void **state)
{
#define IMM(lit) lit, sizeof lit - 1
    static const struct {
        uint8_t code;
        const char *immediates;
        size_t len;
        const char *text;
    } table[] = {
        {0x05, IMM(""), "task.cancel (async, WASI 0.3)"},
        {0x06, IMM("\x01"), "subtask.cancel (async, WASI 0.3)"},
        {0x09, IMM("\x00\x7d\x00"), "task.return (async, WASI 0.3)"},
        {0x09, IMM("\x01\x00\x01\x03\x00"), "task.return (async, WASI 0.3)"},
        {0x0a, IMM("\x7f\x00"), "context.get (async, WASI 0.3)"},
        {0x0b, IMM("\x7f\x01"), "context.set (async, WASI 0.3)"},
        {0x0c, IMM("\x00"), "thread.yield (async, WASI 0.3)"},
        {0x0d, IMM(""), "subtask.drop (async, WASI 0.3)"},
        {0x0e, IMM("\x00"), "stream.new (async, WASI 0.3)"},
        {0x0f, IMM("\x00\x00"), "stream.read (async, WASI 0.3)"},
        {0x10, IMM("\x00\x00"), "stream.write (async, WASI 0.3)"},
        {0x11, IMM("\x00\x01"), "stream.cancel-read (async, WASI 0.3)"},
        {0x12, IMM("\x00\x00"), "stream.cancel-write (async, WASI 0.3)"},
        {0x13, IMM("\x00"), "stream.drop-readable (async, WASI 0.3)"},
        {0x14, IMM("\x00"), "stream.drop-writable (async, WASI 0.3)"},
        {0x15, IMM("\x00"), "future.new (async, WASI 0.3)"},
        {0x16, IMM("\x00\x00"), "future.read (async, WASI 0.3)"},
        {0x17, IMM("\x00\x00"), "future.write (async, WASI 0.3)"},
        {0x18, IMM("\x00\x01"), "future.cancel-read (async, WASI 0.3)"},
        {0x19, IMM("\x00\x00"), "future.cancel-write (async, WASI 0.3)"},
        {0x1a, IMM("\x00"), "future.drop-readable (async, WASI 0.3)"},
        {0x1b, IMM("\x00"), "future.drop-writable (async, WASI 0.3)"},
        {0x1c, IMM("\x00"), "error-context.new (async, WASI 0.3)"},
        {0x1d, IMM("\x01\x01"), "error-context.debug-message (async, WASI 0.3)"},
        {0x1e, IMM(""), "error-context.drop (async, WASI 0.3)"},
        {0x1f, IMM(""), "waitable-set.new (async, WASI 0.3)"},
        {0x20, IMM("\x01\x00"), "waitable-set.wait (async, WASI 0.3)"},
        {0x21, IMM("\x00\x00"), "waitable-set.poll (async, WASI 0.3)"},
        {0x22, IMM(""), "waitable-set.drop (async, WASI 0.3)"},
        {0x23, IMM(""), "waitable.join (async, WASI 0.3)"},
        {0x24, IMM(""), "backpressure.inc (async, WASI 0.3)"},
        {0x25, IMM(""), "backpressure.dec (async, WASI 0.3)"},
        {0x26, IMM(""), "thread.index (threads)"},
        {0x27, IMM("\x00\x00"), "thread.new-indirect (threads)"},
        {0x28, IMM(""), "thread.resume-later (threads)"},
        {0x29, IMM("\x01"), "thread.suspend (threads)"},
        {0x2a, IMM("\x00"), "thread.suspend-then-resume (threads)"},
        {0x2b, IMM("\x00"), "thread.yield-then-resume (threads)"},
        {0x2c, IMM("\x00"), "thread.suspend-then-promote (threads)"},
        {0x2d, IMM("\x00"), "thread.yield-then-promote (threads)"},
        {0x40, IMM("\x00\x00"), "thread.spawn-ref (shared threads)"},
        {0x41, IMM("\x00\x00\x00"), "thread.spawn-indirect (shared threads)"},
        {0x42, IMM("\x01"), "thread.available-parallelism (shared threads)"},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        char body[16] = {1, (char)table[i].code};
        memcpy(body + 2, table[i].immediates, table[i].len);
        expect_gated(8, body, 2 + table[i].len, table[i].text);
    }
}

static void gated_options_types_and_sections_too(void **state)
{
    (void)state;
    expect_gated(8, IMM("\x01\x00\x00\x00\x01\x06\x01"), "canon option async (WASI 0.3)");
    expect_gated(8, IMM("\x01\x00\x00\x00\x01\x07\x00\x01"),
                 "canon option callback (async, WASI 0.3)");
    expect_gated(8, IMM("\x01\x00\x00\x00\x01\x08\x00\x01"),
                 "canon option core-type (garbage collection)");
    expect_gated(8, IMM("\x01\x00\x00\x00\x01\x09\x01"), "canon option gc (garbage collection)");
    expect_gated(7, IMM("\x01\x66\x01\x7d"), "type stream (async, WASI 0.3)");
    expect_gated(7, IMM("\x01\x66\x00"), "type stream (async, WASI 0.3)");
    expect_gated(7, IMM("\x01\x65\x01\x00"), "type future (async, WASI 0.3)");
    expect_gated(7, IMM("\x01\x67\x7d\x04"), "type list of fixed length");
    expect_gated(7, IMM("\x01\x64"), "type error-context (async, WASI 0.3)");
    expect_gated(7, IMM("\x01\x70\x64"), "type error-context (async, WASI 0.3)");
    expect_gated(7, IMM("\x01\x43\x00\x01\x00"), "async function types (WASI 0.3)");
    expect_gated(7, IMM("\x01\x3f\x7e\x00"), "resources represented by i64 (memory64)");
    expect_gated(10, IMM("\x01\x00\x01\x61\x02\x01\x7d"),
                 "values as imports, exports or arguments");
    expect_gated(12, IMM("\x01\x7d\x01\x07"), "value definitions");
    /* A function to start with: the lift of core func 0. */
    struct hf_report report;
    static const char start[] = "\x0a\x05\x01\x00\x01\x61\x01" /* cut: import a func of type ... */;
    assert_int_equal(parse_body(start, sizeof start - 1, &report), HF_INVALID);
    static const char whole[] = "\x07\x05\x01\x40\x00\x01\x00"
                                "\x0a\x06\x01\x00\x01\x61\x01\x00"
                                "\x09\x03\x00\x00\x01";
    assert_int_equal(parse_body(whole, sizeof whole - 1, &report), HF_OK);
}

static void options_stand_once(void **state)
{
    static const struct {
        const char *opts;
        size_t len;
        const char *words;
    } table[] = {
        {IMM("\x02\x00\x01"), "stands twice"},
        {IMM("\x02\x03\x00\x03\x00"), "stands twice"},
        {IMM("\x02\x05\x00\x05\x00"), "stands twice"},
        {IMM("\x01\x04\x00"), "realloc without memory"},
        {IMM("\x01\x0a"), "canon option 0x0a"},
        {IMM("\x01\x03\x01"), "core memory 1 does not exist"},
        {IMM("\x01\x04\x09"), "core function 9 does not exist"},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        struct hf_buf b = link_wat(base_text);
        struct hf_report report;
        uint8_t head[] = {8, (uint8_t)(5 + table[i].len), 1, 0, 0, 0};
        assert_int_equal(hf_buf_add(&b, head, sizeof head), HF_OK);
        assert_int_equal(hf_buf_add(&b, table[i].opts, table[i].len), HF_OK);
        assert_int_equal(hf_buf_add_byte(&b, 1), HF_OK);
        enum hf_err err = parse_copy(b.ptr, b.len, NULL, &report);
        if (err != HF_INVALID || strstr(report.text, table[i].words) == NULL)
            fail_msg("%zu: %s", i, report.text);
        hf_buf_done(&b);
    }
}

/* ---- limits ---- */

static void S9_limits_are_errors_of_their_own(void **state)
{
    struct hf_buf b =
        link_wat("(component (core module) (core module) (type u8) (type u8) (type u8)"
                 " (component (component)) (import \"a\" (func)) (import \"b\" (func)))");
    static const struct {
        struct hf_component_limits limits;
        const char *words; /* NULL: accepted */
    } table[] = {
        {{.nesting_max = 2, .modules_max = 2, .types_max = 5, .items_max = 4}, NULL},
        {{.nesting_max = 1}, "components are nested more than 1 deep"},
        {{.modules_max = 1}, "more than 1 core modules"},
        {{.types_max = 2}, "more than 2 types"},
        {{.items_max = 1}, "more than 1 items"},
        {{.bytes_max = 20}, "more than 20 are not taken"},
    };
    struct hf_report report;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        enum hf_err err = parse_copy(b.ptr, b.len, &table[i].limits, &report);
        if (table[i].words == NULL) {
            if (err != HF_OK)
                fail_msg("%s", report.text);
        } else if (err != HF_LIMIT || strstr(report.text, table[i].words) == NULL) {
            fail_msg("%zu: %s %s", i, hf_err_text(err), report.text);
        }
    }
    hf_buf_done(&b);
}

static void S9_nesting_does_not_eat_the_stack(void **state)
{
    /* Instance types in instance types, as deep as bytes allow; each scope is 5 bytes. */
    enum { DEPTH = 20000 };
    struct hf_buf b = {0};
    struct hf_report report;
    (void)state;
    assert_int_equal(hf_buf_add(&b, preamble, 8), HF_OK);
    assert_int_equal(hf_buf_add(&b, "\x07\x80\x80\x80\x80\x00\x01", 7), HF_OK);
    size_t start = b.len - 1;
    for (int i = 0; i < DEPTH; i++)
        assert_int_equal(hf_buf_add(&b, "\x42\x01\x01", 3), HF_OK);
    size_t size = b.len - start;
    for (int i = 0; i < 4; i++)
        b.ptr[9 + i] = (uint8_t)((size >> (7 * i) & 0x7f) | 0x80);
    assert_int_equal(parse_copy(b.ptr, b.len, NULL, &report), HF_LIMIT);
    assert_non_null(strstr(report.text, "nested more than 100 deep"));
    hf_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_is_read),
        cmocka_unit_test(truncation_anywhere_is_an_error),
        cmocka_unit_test(changed_bytes_never_crash),
        cmocka_unit_test(S1_counts_are_checked_against_the_bytes_left),
        cmocka_unit_test(lebs_have_five_bytes_and_no_stray_bits),
        cmocka_unit_test(malformed_definitions_are_named),
        cmocka_unit_test(other_files_are_told_apart),
        cmocka_unit_test(every_gated_canon_is_refused_by_name),
        cmocka_unit_test(gated_options_types_and_sections_too),
        cmocka_unit_test(options_stand_once),
        cmocka_unit_test(S9_limits_are_errors_of_their_own),
        cmocka_unit_test(S9_nesting_does_not_eat_the_stack),
    };
    return cmocka_run_group_tests_name("component parser", tests, NULL, NULL);
}
