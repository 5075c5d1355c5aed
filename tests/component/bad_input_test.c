/* bad_input_test.c - what a hostile guest hands to imports, returns from exports and does in
 * realloc, with real wasm: each a trap of that guest whose text names the function and the
 * argument.
 *
 * The host offers `test:bad/in@1.0.0`, functions that take one type each and do nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "component/call.h"
#include "support_link.h"

void world_signals(void); /* support_world.h, which does not go with the linker's headers */

static const char wit[] =
    "(component (type (component (export \"test:bad/in@1.0.0\" (instance"
    " (type $e' (enum \"a\" \"b\" \"c\")) (export \"e\" (type $e (eq $e')))"
    " (type $v' (variant (case \"none\") (case \"num\" u32) (case \"text\" string)))"
    " (export \"v\" (type $v (eq $v')))"
    " (type $f' (flags \"x\" \"y\")) (export \"f\" (type $f (eq $f')))"
    " (type $r' (record (field \"a\" u8) (field \"b\" (option bool)) (field \"c\" char)))"
    " (export \"r\" (type $r (eq $r')))"
    " (export \"thing\" (type $thing (sub resource))) (export \"other\" (type $other (sub "
    "resource)))"
    " (export \"make\" (func (result (own $other))))"
    " (export \"char\" (func (param \"c\" char)))"
    " (export \"enum\" (func (param \"n\" u32) (param \"which\" $e)))"
    " (export \"variant\" (func (param \"v\" $v)))"
    " (export \"bool\" (func (param \"b\" bool)))"
    " (export \"flags\" (func (param \"f\" $f)))"
    " (export \"string\" (func (param \"s\" string)))"
    " (export \"strings\" (func (param \"n\" u32) (param \"list\" (list string))))"
    " (export \"words\" (func (param \"w\" (list u64))))"
    " (export \"records\" (func (param \"r\" (list $r))))"
    " (export \"spilled\" (func (param \"a\" (tuple u64 u64 u64 u64 u64 u64 u64 u64)) (param \"b\" "
    "(tuple u64 u64 u64 u64 u64 u64 u64 u64)) (param \"last\" char)))"
    " (export \"own\" (func (param \"t\" (own $thing))))"
    " (export \"lend-and-take\" (func (param \"a\" (borrow $thing)) (param \"b\" (own $thing))))"
    " (export \"lend\" (func (param \"t\" (borrow $thing))))"
    " (export \"get\" (func (result string)))"
    ")))) (export \"i\" (type 0)))";

/* One import lowered as core function "f" and called by the export "run"; a memory with bytes at 0;
 * `%s`: import's declaration, option, name, its core parameters, more functions, body, data. */
static const char guest[] =
    "(component (import \"test:bad/in@1.0.0\" (instance $in"
    " (type $e' (enum \"a\" \"b\" \"c\")) (export \"e\" (type $e (eq $e')))"
    " (type $v' (variant (case \"none\") (case \"num\" u32) (case \"text\" string)))"
    " (export \"v\" (type $v (eq $v')))"
    " (type $f' (flags \"x\" \"y\")) (export \"f\" (type $f (eq $f')))"
    " (type $r' (record (field \"a\" u8) (field \"b\" (option bool)) (field \"c\" char)))"
    " (export \"r\" (type $r (eq $r')))"
    " (export \"thing\" (type $thing (sub resource))) (export \"other\" (type $other (sub "
    "resource)))"
    " (export \"make\" (func (result (own $other))))"
    " (export \"%s\" (func %s))))"
    " (alias export $in \"other\" (type $other)) (alias export $in \"thing\" (type $thing))"
    " (core module $Libc (memory (export \"memory\") 1) (data (i32.const 0) \"%s\")"
    "  (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))"
    " (core instance $libc (instantiate $Libc))"
    " (core func $f (canon lower (func $in \"%s\") (memory $libc \"memory\") (realloc (func $libc "
    "\"realloc\")) %s))"
    " (core func $make (canon lower (func $in \"make\")))"
    " (core func $drop (canon resource.drop $other)) (core func $drop-thing (canon resource.drop "
    "$thing))"
    " (core module $M (import \"\" \"f\" (func $f (param %s))) (import \"\" \"make\" (func $make "
    "(result i32)))"
    "  (import \"\" \"drop\" (func $drop (param i32))) (import \"\" \"drop-thing\" (func "
    "$drop-thing "
    "(param i32)))"
    "  (func (export \"run\") %s))"
    " (core instance $m (instantiate $M (with \"\" (instance (export \"f\" (func $f)) (export "
    "\"make\" (func $make))"
    "  (export \"drop\" (func $drop)) (export \"drop-thing\" (func $drop-thing))))))"
    " (func (export \"run\") (canon lift (core func $m \"run\"))))";

struct row {
    const char *name, *type, *core; /* of the import */
    const char *enc;                /* canon option, or "" */
    const char *data, *body;
    const char *words; /* NULL: no trap */
};

#define P(s) "test:bad/in@1.0.0#" s

static const struct row rows[] = {
    {"char", "(param \"c\" char)", "i32", "", "", "(call $f (i32.const 0xd800))",
     P("char: argument 1 (c): invalid `char` bit pattern 0xd800")},
    {"char", "(param \"c\" char)", "i32", "", "", "(call $f (i32.const 0xdfff))", "0xdfff"},
    {"char", "(param \"c\" char)", "i32", "", "", "(call $f (i32.const 0x110000))",
     P("char: argument 1 (c): invalid `char` bit pattern 0x110000")},
    {"char", "(param \"c\" char)", "i32", "", "", "(call $f (i32.const -1))", "0xffffffff"},
    {"char", "(param \"c\" char)", "i32", "", "", "(call $f (i32.const 0x10ffff))", NULL},
    {"enum", "(param \"n\" u32) (param \"which\" $e)", "i32 i32", "", "",
     "(call $f (i32.const 0) (i32.const 3))",
     P("enum: argument 2 (which): invalid variant discriminant 3: enum has 3 cases")},
    {"enum", "(param \"n\" u32) (param \"which\" $e)", "i32 i32", "", "",
     "(call $f (i32.const 0) (i32.const 256))",
     "argument 2 (which): invalid variant discriminant 256"},
    {"variant", "(param \"v\" $v)", "i32 i32 i32", "", "",
     "(call $f (i32.const -1) (i32.const 0) (i32.const 0))",
     P("variant: argument 1 (v): invalid variant discriminant 4294967295")},
    {"variant", "(param \"v\" $v)", "i32 i32 i32", "", "",
     "(call $f (i32.const 2) (i32.const 65535) (i32.const 2))",
     P("variant: argument 1 (v): string content out-of-bounds")},
    {"variant", "(param \"v\" $v)", "i32 i32 i32", "", "",
     "(call $f (i32.const 0) (i32.const 65535) (i32.const 2))", NULL}, /* slots not used */
    {"bool", "(param \"b\" bool)", "i32", "", "", "(call $f (i32.const 2))", NULL},
    {"bool", "(param \"b\" bool)", "i32", "", "", "(call $f (i32.const -1))", NULL},
    {"flags", "(param \"f\" $f)", "i32", "", "", "(call $f (i32.const -1))", NULL},
    /* strings: bytes that are not UTF-8 */
    {"string", "(param \"s\" string)", "i32 i32", "", "a\\ffb",
     "(call $f (i32.const 0) (i32.const 3))",
     P("string: argument 1 (s): invalid utf-8: byte 0xff at index 1")},
    {"string", "(param \"s\" string)", "i32 i32", "", "\\c0\\80",
     "(call $f (i32.const 0) (i32.const 2))", "argument 1 (s): invalid utf-8"},
    {"string", "(param \"s\" string)", "i32 i32", "", "\\ed\\a0\\80",
     "(call $f (i32.const 0) (i32.const 3))", "argument 1 (s): invalid utf-8"},
    {"string", "(param \"s\" string)", "i32 i32", "", "\\f4\\90\\80\\80",
     "(call $f (i32.const 0) (i32.const 4))", "argument 1 (s): invalid utf-8"},
    {"string", "(param \"s\" string)", "i32 i32", "", "ab\\e2\\98",
     "(call $f (i32.const 0) (i32.const 4))", "argument 1 (s): incomplete utf-8"},
    /* strings: places */
    {"string", "(param \"s\" string)", "i32 i32", "", "",
     "(call $f (i32.const 65536) (i32.const 1))",
     P("string: argument 1 (s): string content out-of-bounds")},
    {"string", "(param \"s\" string)", "i32 i32", "", "",
     "(call $f (i32.const 65537) (i32.const 0))", "out-of-bounds"},
    {"string", "(param \"s\" string)", "i32 i32", "", "",
     "(call $f (i32.const 65536) (i32.const 0))", NULL},
    {"string", "(param \"s\" string)", "i32 i32", "", "", "(call $f (i32.const -1) (i32.const 2))",
     "(4294967295 + 2 bytes"},
    {"string", "(param \"s\" string)", "i32 i32", "", "", "(call $f (i32.const 0) (i32.const -1))",
     "out-of-bounds"},
    /* UTF-16: lone surrogates, odd places */
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "\\00\\d8a\\00",
     "(call $f (i32.const 0) (i32.const 2))",
     P("string: argument 1 (s): invalid utf-16: unpaired")},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "\\00\\dca\\00",
     "(call $f (i32.const 0) (i32.const 2))", "unpaired surrogate"},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "a\\00\\00\\d8",
     "(call $f (i32.const 0) (i32.const 2))", "unpaired surrogate"},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "\\00\\dc\\00\\d8",
     "(call $f (i32.const 0) (i32.const 2))", "unpaired surrogate"},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "\\3c\\d8\\70\\df",
     "(call $f (i32.const 0) (i32.const 2))", NULL},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "",
     "(call $f (i32.const 1) (i32.const 0))", P("string: argument 1 (s): unaligned pointer")},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "",
     "(call $f (i32.const 65534) (i32.const 2))", "(65534 + 4 bytes"},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=utf16", "",
     "(call $f (i32.const 0) (i32.const 0x80000000))", "out-of-bounds"},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=latin1+utf16", "\\00\\d8",
     "(call $f (i32.const 0) (i32.const 0x80000001))", "unpaired surrogate"},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=latin1+utf16", "\\e9\\ff",
     "(call $f (i32.const 0) (i32.const 2))", NULL},
    {"string", "(param \"s\" string)", "i32 i32", "string-encoding=latin1+utf16", "",
     "(call $f (i32.const 3) (i32.const 2))", "unaligned pointer"},
    /* lists */
    {"strings", "(param \"n\" u32) (param \"list\" (list string))", "i32 i32 i32", "",
     "\\10\\00\\00\\00\\01\\00\\00\\00\\ff\\ff\\ff\\ff\\01\\00\\00\\00x",
     "(call $f (i32.const 7) (i32.const 0) (i32.const 2))",
     P("strings: argument 2 (list): string content out-of-bounds")},
    {"strings", "(param \"n\" u32) (param \"list\" (list string))", "i32 i32 i32", "", "",
     "(call $f (i32.const 7) (i32.const 2) (i32.const 2))",
     P("strings: argument 2 (list): unaligned pointer: list at 2, align 4")},
    {"words", "(param \"w\" (list u64))", "i32 i32", "", "",
     "(call $f (i32.const 0) (i32.const 0x20000001))",
     P("words: argument 1 (w): list content out-of-bounds")},
    {"words", "(param \"w\" (list u64))", "i32 i32", "", "",
     "(call $f (i32.const 4) (i32.const 1))", "align 8"},
    {"words", "(param \"w\" (list u64))", "i32 i32", "", "",
     "(call $f (i32.const 65536) (i32.const 0))", NULL},
    {"records", "(param \"r\" (list $r))", "i32 i32", "", "\\01\\02\\00\\00a\\00\\00\\00",
     "(call $f (i32.const 0) (i32.const 1))",
     P("records: argument 1 (r): invalid variant discriminant 2: option has 2 cases")},
    {"records", "(param \"r\" (list $r))", "i32 i32", "", "\\01\\01\\07\\00\\00\\d8\\00\\00",
     "(call $f (i32.const 0) (i32.const 1))", "argument 1 (r): invalid `char` bit pattern 0xd800"},
    {"records", "(param \"r\" (list $r))", "i32 i32", "", "\\01\\01\\07\\00a\\00\\00\\00",
     "(call $f (i32.const 0) (i32.const 1))", NULL},
    /* arguments in memory */
    {"spilled",
     "(param \"a\" (tuple u64 u64 u64 u64 u64 u64 u64 u64)) (param \"b\" (tuple u64 u64 u64 u64 "
     "u64 "
     "u64 u64 u64)) (param \"last\" char)",
     "i32", "", "", "(call $f (i32.const 65408))",
     P("spilled: arguments: pointer out of bounds of memory: 65408 + 136 bytes")},
    {"spilled",
     "(param \"a\" (tuple u64 u64 u64 u64 u64 u64 u64 u64)) (param \"b\" (tuple u64 u64 u64 u64 "
     "u64 "
     "u64 u64 u64)) (param \"last\" char)",
     "i32", "", "", "(call $f (i32.const 4))", P("spilled: arguments: unaligned pointer")},
    {"spilled",
     "(param \"a\" (tuple u64 u64 u64 u64 u64 u64 u64 u64)) (param \"b\" (tuple u64 u64 u64 u64 "
     "u64 "
     "u64 u64 u64)) (param \"last\" char)",
     "i32", "", "", "(i32.store (i32.const 0) (i32.const 0)) unreachable", "unreachable"},
    /* handles */
    {"own", "(param \"t\" (own $thing))", "i32", "", "", "(call $f (i32.const 0))",
     P("own: argument 1 (t): unknown handle index 0 (wanted: thing)")},
    {"own", "(param \"t\" (own $thing))", "i32", "", "", "(call $f (i32.const -1))",
     "unknown handle index 4294967295"},
    {"own", "(param \"t\" (own $thing))", "i32", "", "", "(call $f (call $make))",
     P("own: argument 1 (t): handle index 1 used with the wrong type")},
    {"lend", "(param \"t\" (borrow $thing))", "i32", "", "", "(call $f (call $make))",
     P("lend: argument 1 (t): handle index 1 used with the wrong type")},
    {"lend", "(param \"t\" (borrow $thing))", "i32", "", "",
     "(local $h i32) (local.set $h (call $make)) (call $drop (local.get $h)) (call $f (local.get "
     "$h))",
     "unknown handle index 1"},
    {"lend-and-take", "(param \"a\" (borrow $thing)) (param \"b\" (own $thing))", "i32 i32", "", "",
     "(call $f (i32.const 9) (i32.const 9))",
     P("lend-and-take: argument 1 (a): unknown handle index 9")},
    {"own", "(param \"t\" (own $thing))", "i32", "", "", "(call $drop (i32.const 1))",
     "unknown handle index 1 (wanted: other)"},
    {"own", "(param \"t\" (own $thing))", "i32", "", "", "(call $drop-thing (call $make))",
     "handle index 1 used with the wrong type"},
    {"own", "(param \"t\" (own $thing))", "i32", "", "",
     "(local $h i32) (local.set $h (call $make)) (call $drop (local.get $h)) (call $drop "
     "(local.get "
     "$h))",
     "unknown handle index 1"},
};

/* ---- running ---- */

static enum hf_err make_other(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    static int other;
    (void)call, (void)args;
    *result = hf_value_obj(&other);
    return HF_OK;
}

static enum hf_err get_text(struct hf_call *call, const struct hf_value *args,
                            struct hf_value *result)
{
    (void)call, (void)args;
    *result = hf_value_bytes(HF_VIEW("text"));
    return HF_OK;
}

static struct link_world the_world;

static int setup(void **state)
{
    struct hf_engine_settings s;
    hf_engine_settings_init(&s);
    s.instances_max = 64;
    s.stacks_max = 4;
    the_world = (struct link_world){.component = NULL};
    if (hf_engine_new(&s, &the_world.engine, &the_world.report) != HF_OK)
        fail_msg("%s", the_world.report.text);
    assert_int_equal(hf_registry_new(&the_world.reg), HF_OK);
    world_signals(); /* noted when the first engine is made */
    link_add_wit(&the_world, wit);
    link_bind_all(&the_world);
    /* link_bind_all binds everything to nothing: these two give something. */
    for (size_t i = 0; i < the_world.reg->funcs.len; i++) {
        struct hf_host_func *f = the_world.reg->funcs.ptr[i].func;
        if (hf_view_eq_text(f->name, "make"))
            f->fn = make_other;
        if (hf_view_eq_text(f->name, "get"))
            f->fn = get_text;
    }
    *state = &the_world;
    return 0;
}

static int teardown(void **state)
{
    link_close(*state);
    return 0;
}

/* Polls to the end, or cancels what does not end. */
static enum hf_err run(struct hf_instance *inst)
{
    enum hf_err err = HF_AGAIN;
    for (int i = 0; i < 20 && err == HF_AGAIN; i++)
        err = hf_instance_poll(inst);
    if (err == HF_AGAIN)
        hf_instance_cancel(inst);
    return err;
}

static struct hf_instance *start(struct link_world *w, const char *wat)
{
    world_signals();
    const struct hf_instance_settings s = {.slice_ticks = 1};
    struct hf_instance *inst = NULL;
    if (link_load(w, wat) != HF_OK)
        fail_msg("%s\n%s", w->report.text, wat);
    assert_int_equal(hf_instance_new(w->component, &s, &inst, &w->report), HF_OK);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    if (run(inst) != HF_OK)
        fail_msg("%s", hf_instance_report(inst)->text);
    return inst;
}

/* Calls an export; traps with these words, or returns (NULL). */
static void call(struct hf_instance *inst, const char *name, const struct hf_value *args, size_t n,
                 const char *words)
{
    const struct hf_export *e = hf_component_find(the_world.component, "", name);
    assert_non_null(e);
    enum hf_err err = hf_instance_call(inst, e, args, n);
    if (err == HF_OK)
        err = run(inst);
    const char *text = hf_instance_report(inst)->text;
    if (err != (words == NULL ? HF_OK : HF_TRAP) || (words != NULL && strstr(text, words) == NULL))
        fail_msg("%s: wanted \"%s\", got %s: %s", name, words == NULL ? "ok" : words,
                 hf_err_text(err), text);
    assert_int_equal(hf_instance_dead(inst), words != NULL);
}

static void what_imports_are_given(void **state)
{
    struct link_world *w = *state;
    char *wat = malloc(16384);
    assert_non_null(wat);
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        int n = snprintf(wat, 16384, guest, r->name, r->type, r->data, r->name, r->enc, r->core,
                         strncmp(r->body, "(i32.store", 10) == 0 ? "unreachable" : r->body);
        assert_true(n > 0 && n < 16384);
        struct hf_instance *inst = start(w, wat);
        call(inst, "run", NULL, 0, r->words);
        hf_instance_free(inst);
    }
    free(wat);
}

/* ---- results of exports ---- */

static const char results[] =
    "(component (core module $M (memory (export \"memory\") 1)"
    " (data (i32.const 0) "
    "\"\\ff\\ff\\00\\00\\02\\00\\00\\00\\00\\d8\\00\\00\\08\\00\\00\\00\\01\\00\\00\\00\")"
    " (func (export \"char\") (result i32) (i32.const 0xd800))"
    " (func (export \"enum\") (result i32) (i32.const 3))"
    " (func (export \"bool\") (result i32) (i32.const 77))"
    " (func (export \"out\") (result i32) (i32.const 65532))"
    " (func (export \"odd\") (result i32) (i32.const 2))"
    " (func (export \"far\") (result i32) (i32.const 0))"
    " (func (export \"list\") (result i32) (i32.const 12)))"
    " (core instance $m (instantiate $M))"
    " (type $e' (enum \"a\" \"b\" \"c\")) (export $e \"e\" (type $e'))"
    " (func (export \"char\") (result char) (canon lift (core func $m \"char\")))"
    " (func (export \"enum\") (result $e) (canon lift (core func $m \"enum\")))"
    " (func (export \"bool\") (result bool) (canon lift (core func $m \"bool\")))"
    " (func (export \"out\") (result string) (canon lift (core func $m \"out\") (memory $m "
    "\"memory\")))"
    " (func (export \"odd\") (result string) (canon lift (core func $m \"odd\") (memory $m "
    "\"memory\")))"
    " (func (export \"far\") (result string) (canon lift (core func $m \"far\") (memory $m "
    "\"memory\")))"
    " (instance $i (export \"chars\" (func $chars)))"
    " (export \"test:a/b\" (instance $i)))";

static void what_exports_return(void **state)
{
    static const struct {
        const char *name, *words;
    } table[] = {
        {"char", "char: result: invalid `char` bit pattern 0xd800"},
        {"enum", "enum: result: invalid variant discriminant 3"},
        {"bool", NULL},
        {"out", "out: result: pointer out of bounds of memory: 65532 + 8 bytes"},
        {"odd", "odd: result: unaligned pointer: 2, align 4"},
        {"far", "far: result: string content out-of-bounds"},
        {"list", "test:a/b#chars: result: invalid `char`"},
    };
    struct link_world *w = *state;
    char wat[4096];
    const char *at = strstr(results, " (instance $i");
    /* The list of chars is exported in an interface: both names are told. */
    snprintf(wat, sizeof wat, "%.*s%s%s", (int)(at - results), results,
             " (func $chars (result (list char)) (canon lift (core func $m \"list\") (memory $m "
             "\"memory\")))",
             at);
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        struct hf_instance *inst = start(w, wat);
        if (strcmp(table[i].name, "list") == 0) {
            const struct hf_export *e = hf_component_find(w->component, "test:a/b", "chars");
            assert_non_null(e);
            assert_int_equal(hf_instance_call(inst, e, NULL, 0), HF_OK);
            assert_int_equal(run(inst), HF_TRAP);
            if (strstr(hf_instance_report(inst)->text, table[i].words) == NULL)
                fail_msg("%s", hf_instance_report(inst)->text);
        } else {
            call(inst, table[i].name, NULL, 0, table[i].words);
        }
        hf_instance_free(inst);
    }
}

/* ---- realloc ---- */

/* `%s`: what realloc does with (old old-size align new-size). */
static const char lying[] =
    "(component (import \"test:bad/in@1.0.0\" (instance $in (export \"get\" (func (result "
    "string)))))"
    " (core module $Table (table (export \"t\") 1 funcref) (memory (export \"memory\") 1))"
    " (core instance $t (instantiate $Table))"
    " (core module $Libc (type $get (func (param i32))) (import \"t\" \"t\" (table 1 funcref))"
    "  (import \"t\" \"memory\" (memory 1)) (global $n (mut i32) (i32.const 0))"
    "  (func $realloc (export \"realloc\") (param i32 i32 i32 i32) (result i32) %s)"
    "  (func (export \"take\") (param i32 i32 i32)))"
    " (core instance $libc (instantiate $Libc (with \"t\" (instance $t))))"
    " (core func $get (canon lower (func $in \"get\") (memory $t \"memory\") (realloc (func $libc "
    "\"realloc\"))))"
    " (core module $Fix (import \"\" \"t\" (table 1 funcref)) (import \"\" \"get\" (func $get "
    "(param "
    "i32)))"
    "  (elem (i32.const 0) func $get) (func (export \"ask\") (call $get (i32.const 8))))"
    " (core instance $fix (instantiate $Fix (with \"\" (instance (export \"t\" (table $t \"t\")) "
    "(export \"get\" (func $get))))))"
    " (func (export \"take\") (param \"n\" u32) (param \"words\" (list u32))"
    "  (canon lift (core func $libc \"take\") (memory $t \"memory\") (realloc (func $libc "
    "\"realloc\"))))"
    " (func (export \"ask\") (canon lift (core func $fix \"ask\"))))";

static void reallocs_that_lie(void **state)
{
    static const struct {
        const char *body;
        const char *take; /* an argument of an export */
        const char *ask;  /* a result of an import */
    } table[] = {
        {"(i32.const 1026)", "take: argument 2 (words): realloc return: result not aligned", NULL},
        {"(i32.const 65532)", "take: argument 2 (words): realloc return: beyond end of memory",
         NULL},
        {"(i32.const -4)", "take: argument 2 (words): realloc return: beyond end of memory",
         P("get: result: realloc return: beyond end of memory")},
        {"(i32.const 65536)", "argument 2 (words): realloc return: beyond end",
         P("get: result: realloc return: beyond end of memory")},
        {"unreachable", "take: argument 2 (words): wasm `unreachable`",
         P("get: result: wasm `unreachable`")},
        {"(call_indirect (type $get) (i32.const 8) (i32.const 0)) (i32.const 1024)",
         "take: argument 2 (words): cannot leave component instance 0: its realloc or post-return "
         "called test:bad/in@1.0.0#get",
         P("get: result: cannot leave component instance 0")},
        {"(call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3))",
         "take: argument 2 (words): call stack exhausted", P("get: result: call stack exhausted")},
        {"(drop (memory.grow (i32.const 1))) (i32.const 65536)", NULL, NULL}, /* S15 */
    };
    static const uint32_t words[] = {1, 2};
    const struct hf_value args[] = {hf_value_u64(7), {.bytes = (const void *)words, .len = 2}};
    struct link_world *w = *state;
    char wat[4096];
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        snprintf(wat, sizeof wat, lying, table[i].body);
        struct hf_instance *inst = start(w, wat);
        call(inst, "take", args, 2, table[i].take);
        hf_instance_free(inst);
        inst = start(w, wat);
        call(inst, "ask", NULL, 0, table[i].ask);
        hf_instance_free(inst);
    }
}

/* A realloc without an end is ended from outside, in both directions. */
static void reallocs_that_spin(void **state)
{
    static const uint32_t words[] = {1, 2};
    const struct hf_value args[] = {hf_value_u64(7), {.bytes = (const void *)words, .len = 2}};
    struct link_world *w = *state;
    char wat[4096];
    snprintf(wat, sizeof wat, lying, "(loop $l (br $l)) (i32.const 0)");
    for (int i = 0; i < 2; i++) {
        struct hf_instance *inst = start(w, wat);
        const struct hf_export *e = hf_component_find(w->component, "", i == 0 ? "take" : "ask");
        assert_int_equal(hf_instance_call(inst, e, args, i == 0 ? 2 : 0), HF_OK);
        assert_int_equal(run(inst), HF_AGAIN);
        assert_true(hf_instance_dead(inst));
        hf_instance_free(inst);
    }
}

/* ---- between guests ---- */

static void what_guests_hand_to_each_other(void **state)
{
    static const char wat[] =
        "(component"
        " (component $Callee (core module $M (memory (export \"memory\") 1)"
        "   (func (export \"take\") (param i32 i32 i32))"
        "   (func (export \"give\") (result i32) (i32.const 0xd800))"
        "   (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const -1)))"
        "  (core instance $m (instantiate $M))"
        "  (func (export \"take\") (param \"n\" u32) (param \"text\" string)"
        "   (canon lift (core func $m \"take\") (memory $m \"memory\") (realloc (func $m "
        "\"realloc\"))))"
        "  (func (export \"give\") (result char) (canon lift (core func $m \"give\"))))"
        " (component $Caller (import \"c\" (instance $c"
        "   (export \"take\" (func (param \"n\" u32) (param \"text\" string)))"
        "   (export \"give\" (func (result char)))))"
        "  (core module $Libc (memory (export \"memory\") 1) (data (i32.const 0) \"\\ffok\"))"
        "  (core instance $libc (instantiate $Libc))"
        "  (core func $take (canon lower (func $c \"take\") (memory $libc \"memory\")))"
        "  (core func $give (canon lower (func $c \"give\")))"
        "  (core module $M (import \"\" \"take\" (func $take (param i32 i32 i32)))"
        "   (import \"\" \"give\" (func $give (result i32)))"
        "   (func (export \"bad\") (call $take (i32.const 0) (i32.const 0) (i32.const 1)))"
        "   (func (export \"lied-to\") (call $take (i32.const 0) (i32.const 1) (i32.const 2)))"
        "   (func (export \"given\") (drop (call $give))))"
        "  (core instance $m (instantiate $M (with \"\" (instance (export \"take\" (func $take))"
        "   (export \"give\" (func $give))))))"
        "  (func (export \"bad\") (canon lift (core func $m \"bad\")))"
        "  (func (export \"lied-to\") (canon lift (core func $m \"lied-to\")))"
        "  (func (export \"given\") (canon lift (core func $m \"given\"))))"
        " (instance $a (instantiate $Callee)) (instance $b (instantiate $Caller (with \"c\" "
        "(instance "
        "$a))))"
        " (export \"bad\" (func $b \"bad\")) (export \"lied-to\" (func $b \"lied-to\"))"
        " (export \"given\" (func $b \"given\")))";
    static const struct {
        const char *name, *words;
    } table[] = {
        {"bad", "call of take from component instance 2 to 1: argument 2 (text): invalid utf-8"},
        {"lied-to", "call of take from component instance 2 to 1: argument 2 (text): realloc "
                    "return: beyond end of memory"},
        {"given", "call of give from component instance 2 to 1: result: invalid `char` bit "
                  "pattern 0xd800"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        struct hf_instance *inst = start(*state, wat);
        call(inst, table[i].name, NULL, 0, table[i].words);
        hf_instance_free(inst);
    }
}

/* ---- calls without end ---- */

/* guest -> parent -> guest: a child that calls its parent, which calls the child again. */
static void calls_between_guests_end(void **state)
{
    static const char wat[] =
        "(component"
        " (core module $T (table (export \"t\") 1 funcref) (type $f (func))"
        "  (func (export \"up\") (call_indirect (type $f) (i32.const 0))))"
        " (core instance $t (instantiate $T)) (func $up (canon lift (core func $t \"up\")))"
        " (component $Child (import \"up\" (func $up)) (core func $up' (canon lower (func $up)))"
        "  (core module $M (import \"\" \"up\" (func $up)) (func (export \"down\") (call $up)))"
        "  (core instance $m (instantiate $M (with \"\" (instance (export \"up\" (func $up'))))))"
        "  (func (export \"down\") (canon lift (core func $m \"down\"))))"
        " (instance $c (instantiate $Child (with \"up\" (func $up))))"
        " (core func $down (canon lower (func $c \"down\")))"
        " (core module $Fix (import \"\" \"t\" (table 1 funcref)) (import \"\" \"down\" (func $d))"
        "  (elem (i32.const 0) func $d) (func (export \"run\") (call $d)))"
        " (core instance $fix (instantiate $Fix (with \"\" (instance (export \"t\" (table $t "
        "\"t\"))"
        "  (export \"down\" (func $down))))))"
        " (func (export \"run\") (canon lift (core func $fix \"run\"))))";
    struct hf_instance *inst = start(*state, wat);
    call(inst, "run", NULL, 0, "cannot enter component instance");
    hf_instance_free(inst);
}

/* A chain of components as deep as is allowed, each calling the next: fine, or the stack's end as a
 * trap of the guest, never the process. */
static void deep_chains_of_components(void **state)
{
    struct hf_buf b = {0};
    const int depth = 31; /* nesting_max is 32 */
    for (int i = 0; i < depth; i++)
        assert_int_equal(hf_buf_printf(&b, "(component %s ", i == 0 ? "" : "$c"), HF_OK);
    assert_int_equal(
        hf_buf_add_text(&b, "(core module $M (func (export \"f\") (param i32) (result i32) "
                            "(i32.add (local.get 0) (i32.const 1))))"
                            "(core instance $m (instantiate $M))"
                            "(func (export \"f\") (param \"n\" u32) (result u32) (canon lift (core "
                            "func $m \"f\"))))"),
        HF_OK);
    for (int i = 1; i < depth; i++)
        assert_int_equal(
            hf_buf_add_text(
                &b, "(instance $i (instantiate $c)) (core func $f (canon lower (func $i \"f\")))"
                    "(core module $M (import \"\" \"f\" (func $f (param i32) (result i32)))"
                    " (func (export \"f\") (param i32) (result i32) (i32.add (call $f (local.get "
                    "0)) (i32.const 1))))"
                    "(core instance $m (instantiate $M (with \"\" (instance (export \"f\" (func "
                    "$f))))))"
                    "(func (export \"f\") (param \"n\" u32) (result u32) (canon lift (core func $m "
                    "\"f\"))))"),
            HF_OK);
    assert_int_equal(hf_buf_add_byte(&b, 0), HF_OK);
    struct hf_instance *inst = start(*state, (const char *)b.ptr);
    const struct hf_export *e = hf_component_find(the_world.component, "", "f");
    const struct hf_value arg = hf_value_u64(100);
    assert_int_equal(hf_instance_call(inst, e, &arg, 1), HF_OK);
    enum hf_err err = run(inst);
    if (err == HF_OK)
        assert_int_equal(hf_instance_result(inst)->u64, 100u + (unsigned)depth);
    else
        assert_non_null(strstr(hf_instance_report(inst)->text, "stack"));
    hf_instance_free(inst);
    hf_buf_done(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_imports_are_given),         T(what_exports_return), T(reallocs_that_lie),
        T(what_guests_hand_to_each_other), T(reallocs_that_spin),  T(calls_between_guests_end),
        T(deep_chains_of_components),
    };
    return cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
}
