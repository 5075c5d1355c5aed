/* inspect_test.c - what a file imports and exports, as text and JSON, whether or not it can run
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "support_link.h"

static const char api_wit[] =
    "(component (type $api (component (export \"t:h/api@0.2.5\" (instance"
    "   (export \"thing\" (type $thing (sub resource)))"
    "   (export \"[method]thing.go\" (func (param \"self\" (borrow $thing)) (result u8)))))))"
    " (export \"api\" (type $api)))";

static int setup(void **state)
{
    struct link_world *w = malloc(sizeof *w);
    link_open(w);
    link_add_wit(w, api_wit);
    link_bind_all(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    link_close(*state);
    free(*state);
    return 0;
}

static enum hf_err inspect(struct link_world *w, const char *text, struct hf_inspection *ret)
{
    struct hf_buf b = link_wat(text);
    hf_report_init(&w->report);
    enum hf_err err = hf_component_inspect(w->engine, w->reg, hf_buf_view(&b), ret, &w->report);
    hf_buf_done(&b);
    return err;
}

static const char runs[] =
    "(component"
    " (import \"t:h/api@0.2.1\" (instance $api (export \"thing\" (type $t (sub resource)))"
    "   (export \"[method]thing.go\" (func (param \"self\" (borrow $t)) (result u8)))))"
    " (core module $m (func (export \"run\") (result i32) i32.const 0)) (core instance $i "
    "(instantiate $m))"
    " (type $c' (enum \"red\" \"blue\")) (export $c \"color\" (type $c'))"
    " (func $run (result $c) (canon lift (core func $i \"run\")))"
    " (instance $x (export \"run\" (func $run)) (export \"color\" (type $c)))"
    " (export \"t:h/runner@1.0.0\" (instance $x)) (export \"go\" (func $run)))";

static void what_runs_is_shown_whole(void **state)
{
    struct link_world *w = *state;
    struct hf_inspection i;
    if (inspect(w, runs, &i) != HF_OK)
        fail_msg("%s", w->report.text);
    assert_true(i.runnable);
    assert_true(i.is_component);
    assert_int_equal(i.missing.len, 0);
    assert_string_equal((const char *)i.wit.ptr,
                        "import t:h/api@0.2.1 {\n"
                        "    resource thing;\n"
                        "    [method]thing.go: func(self: borrow<thing>) -> u8;\n"
                        "}\n"
                        "export enum color { red, blue }\n"
                        "export t:h/runner@1.0.0 {\n"
                        "    enum color { red, blue }\n"
                        "    run: func() -> color;\n"
                        "}\n"
                        "export go: func() -> color;\n"
                        "// image: possible, per-request instances are reset in place\n"
                        "// sha256: ca9e7eb3058491531acaf3f563a6658ed13f9bfceaa465e4a04f290ecbc9ccfd\n");
    json_t *j = json_loads((const char *)i.json.ptr, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "version")), 1);
    assert_string_equal(json_string_value(json_object_get(j, "kind")), "component");
    assert_true(json_is_true(json_object_get(j, "runnable")));
    assert_int_equal(json_array_size(json_object_get(j, "missing")), 0);
    assert_true(json_is_true(json_object_get(j, "image")));
    assert_int_equal(json_string_length(json_object_get(j, "sha256")), 64);
    json_t *import = json_array_get(json_object_get(j, "imports"), 0);
    assert_string_equal(json_string_value(json_object_get(import, "name")), "t:h/api@0.2.1");
    assert_string_equal(json_string_value(json_object_get(import, "kind")), "instance");
    assert_null(json_object_get(import, "missing"));
    json_t *f = json_array_get(json_object_get(import, "functions"), 0);
    assert_string_equal(json_string_value(json_object_get(f, "type")),
                        "func(self: borrow<thing>) -> u8");
    assert_int_equal(json_array_size(json_object_get(j, "exports")), 3);
    json_decref(j);
    hf_inspection_done(&i);
}

/* A passive segment: what it was before the request cannot be put back. */
static void why_no_image_is_possible_is_said(void **state)
{
    struct link_world *w = *state;
    struct hf_inspection i;
    assert_int_equal(inspect(w,
                             "(component (core module (memory 1 1 shared)) (core module $M)"
                             " (core module $A (memory 1) (data $d \"x\")"
                             " (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))))"
                             " (core module $B (table 1 funcref) (func (elem.drop $e)) (elem $e "
                             "declare func))"
                             " (core instance (instantiate $M)) (core instance (instantiate $A))"
                             " (core instance (instantiate $B)))",
                             &i),
                     HF_OK);
    assert_true(i.runnable);
    /* By module; one that nobody instantiates does not count. */
    assert_non_null(strstr((const char *)i.wit.ptr,
                           "// image: not possible: core module 2 uses passive data (memory.init, "
                           "data.drop or passive segments); core module 3 changes tables ("));
    assert_null(strstr((const char *)i.wit.ptr, "shared"));
    json_t *j = json_loads((const char *)i.json.ptr, 0, NULL);
    assert_non_null(j);
    assert_true(json_is_false(json_object_get(j, "image")));
    assert_true(json_string_length(json_object_get(j, "image_why_not")) > 5);
    json_decref(j);
    hf_inspection_done(&i);
}

static void what_is_missing_is_marked(void **state)
{
    struct link_world *w = *state;
    struct hf_inspection i;
    assert_int_equal(
        inspect(w,
                "(component"
                " (import \"t:h/api@0.2.1\" (instance (export \"zap\" (func (param \"s\" string)))"
                "    (export \"thing\" (type (sub resource)))))"
                " (import \"t:h/unknown@1.0.0\" (instance (export \"q\" (type $q (sub resource)))"
                "    (export \"f\" (func (result (own $q))))))"
                " (import \"cb\" (func (param \"x\" u8)))"
                " (import \"comp\" (component))"
                " (core func (canon task.cancel)))",
                &i),
        HF_OK);
    assert_false(i.runnable);
    assert_string_equal((const char *)i.wit.ptr, "import t:h/api@0.2.1 {\n"
                                                 "    resource thing;\n"
                                                 "    zap: func(s: string); // missing here\n"
                                                 "}\n"
                                                 "import t:h/unknown@1.0.0 { // missing here\n"
                                                 "    resource q;\n"
                                                 "    f: func() -> q; // missing here\n"
                                                 "}\n"
                                                 "import cb: func(x: u8); // missing here\n"
                                                 "import comp: component; // missing here\n"
                                                 "// image: possible, per-request instances are reset in place\n"
                                                 "// sha256: 529e1f8232502c5bb1e5c4a9cecafa1df6250145dd62643e7f821f5c14e83146\n");
    assert_string_equal((const char *)i.missing.ptr,
                        "uses task.cancel (async, WASI 0.3)\n"
                        "t:h/api@0.2.1: function \"zap\" is not in the t:h/api@0.2.5 offered here\n"
                        "interface t:h/unknown@1.0.0: not known here\n"
                        "function \"cb\": nothing outside an interface is offered here\n"
                        "component \"comp\": imported code is not offered here: compose the "
                        "component with what it needs first\n");
    json_t *j = json_loads((const char *)i.json.ptr, 0, NULL);
    assert_non_null(j);
    assert_true(json_is_false(json_object_get(j, "runnable")));
    assert_int_equal(json_array_size(json_object_get(j, "missing")), 5);
    json_t *unknown = json_array_get(json_object_get(j, "imports"), 1);
    assert_true(json_is_true(json_object_get(unknown, "missing")));
    json_decref(j);
    hf_inspection_done(&i);
}

static void async_components_are_shown_though_they_cannot_run(void **state)
{
    struct link_world *w = *state;
    struct hf_inspection i;
    assert_int_equal(
        inspect(w,
                "(component"
                " (type $s (stream u8)) (type $f (future))"
                " (import \"a:b/c@0.3.0\" (instance (type $t (stream u8)) (export \"read\""
                "   (func async (param \"x\" $t) (result (future string)))))))",
                &i),
        HF_OK);
    assert_non_null(strstr((const char *)i.wit.ptr,
                           "read: async func(x: stream<u8>) -> future<string>; // missing here"));
    assert_non_null(strstr((const char *)i.missing.ptr, "uses type stream (async, WASI 0.3)\n"));
    assert_non_null(strstr((const char *)i.missing.ptr, "uses async function types (WASI 0.3)\n"));
    hf_inspection_done(&i);
}

static void a_core_module_is_told_from_a_component(void **state)
{
    struct link_world *w = *state;
    struct hf_inspection i;
    assert_int_equal(inspect(w, "(module (func (export \"f\")))", &i), HF_OK);
    assert_false(i.is_component);
    assert_false(i.runnable);
    assert_true(i.missing.len != 0);
    json_t *j = json_loads((const char *)i.json.ptr, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(j, "kind")), "module");
    json_decref(j);
    hf_inspection_done(&i);
}

static void garbage_is_an_error(void **state)
{
    struct link_world *w = *state;
    struct hf_inspection i;
    hf_report_init(&w->report);
    assert_int_equal(hf_component_inspect(w->engine, w->reg, HF_VIEW("GIF89a"), &i, &w->report),
                     HF_INVALID);
    assert_true(w->report.len != 0);
    assert_int_equal(hf_component_inspect(w->engine, NULL, HF_VIEW("\0asm\x0d\0\1\0"), &i, NULL),
                     HF_OK); /* no registry */
    assert_true(i.runnable);
    hf_inspection_done(&i);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_runs_is_shown_whole),
        T(what_is_missing_is_marked),
        T(why_no_image_is_possible_is_said),
        T(async_components_are_shown_though_they_cannot_run),
        T(a_core_module_is_told_from_a_component),
        T(garbage_is_an_error),
    };
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
