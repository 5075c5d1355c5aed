/* link_test.c - the linker: what a tree of components becomes, what is refused and with which
 * words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "component/program.h"
#include "support_link.h"

/* One interface with a resource, on the 0.2 track, and one that uses it. */
static const char api_wit[] =
    "(component (type $api (component (export \"test:host/api@0.2.5\" (instance"
    "   (export \"thing\" (type $thing (sub resource)))"
    "   (type $c (enum \"red\" \"blue\")) (export \"color\" (type $color (eq $c)))"
    "   (export \"[constructor]thing\" (func (param \"n\" u32) (result (own $thing))))"
    "   (export \"[method]thing.paint\" (func (param \"self\" (borrow $thing)) (param \"c\" "
    "$color) (result bool)))"
    "   (export \"plain\" (func (param \"a\" u32) (param \"b\" string) (result (list u8))))))))"
    " (export \"api\" (type $api)))";
static const char user_wit[] =
    "(component (type $user (component"
    "   (import \"test:host/api@0.2.5\" (instance $api (export \"thing\" (type (sub resource)))))"
    "   (alias export $api \"thing\" (type $t))"
    "   (export \"test:host/user@0.2.5\" (instance"
    "     (alias outer 1 $t (type $t2)) (export \"thing\" (type $t3 (eq $t2)))"
    "     (export \"use\" (func (param \"t\" (borrow $t3))))))))"
    " (export \"user\" (type $user)))";

static int setup(void **state)
{
    struct link_world *w = malloc(sizeof *w);
    link_open(w);
    link_add_wit(w, api_wit);
    link_add_wit(w, user_wit);
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

static void expect_steps(struct link_world *w, const char *want)
{
    static const char letters[] = {[HF_STEP_CORE_NEW] = 'c',
                                   [HF_STEP_TRAMP] = 't',
                                   [HF_STEP_RESOURCE] = 'r',
                                   [HF_STEP_LIFT] = 'l'};
    const struct hf_program *p = link_program(w);
    char text[64] = {0};
    for (uint32_t i = 0; i < p->n_steps && i < sizeof text - 1; i++)
        text[i] = letters[p->steps[i].kind];
    assert_string_equal(text, want);
}

static void an_empty_component_links(void **state)
{
    struct link_world *w = *state;
    link_expect(w, HF_OK, NULL, "(component)");
    const struct hf_program *p = link_program(w);
    assert_int_equal(p->n_cis, 1);
    assert_int_equal(p->cis[0].parent, HF_NO_INDEX);
    assert_int_equal(p->n_steps + p->n_exports + p->n_modules, 0);
    assert_null(
        hf_component_export_at(w->component, 0, &(struct hf_view){0}, &(struct hf_view){0}));
    assert_null(hf_component_find(w->component, "", "run"));
}

static void a_lift_becomes_a_step_and_an_export(void **state)
{
    struct link_world *w = *state;
    link_expect(w, HF_OK, NULL,
                "(component $c (core module $m (func (export \"run\") (param i32) (result i32) "
                "local.get 0))"
                " (core instance $i (instantiate $m))"
                " (func $f (param \"x\" u8) (result u8) (canon lift (core func $i \"run\")))"
                " (export \"run\" (func $f)))");
    expect_steps(w, "cl");
    const struct hf_program *p = link_program(w);
    assert_true(hf_view_eq_text(p->cis[0].name, "c"));
    assert_int_equal(p->lifts[0].func.from, HF_FROM_EXPORT);
    assert_int_equal(p->lifts[0].func.index, 0);
    assert_true(hf_view_eq_text(p->lifts[0].func.name, "run"));
    assert_int_equal(p->lifts[0].opts.memory.from, HF_FROM_NONE);
    const struct hf_export *e = hf_component_find(w->component, "", "run");
    assert_non_null(e);
    assert_int_equal(e->func.from, HF_FUNC_LIFT);
    assert_int_equal(hf_export_type(e)->n_params, 1);
    assert_null(hf_component_find(w->component, "", "walk"));
    assert_null(hf_component_find(w->component, "a:b/c", "run"));
}

/* 1.2: forgetting this breaks any component that exports two things. */
static void an_export_adds_an_index(void **state)
{
    struct link_world *w = *state;
    link_expect(w, HF_OK, NULL,
                "(component (core module $m (func (export \"a\")) (func (export \"b\") (result "
                "i32) i32.const 1))"
                " (core instance $i (instantiate $m))"
                " (func $a (canon lift (core func $i \"a\")))"
                " (export $x \"x\" (func $a))"
                " (func $b (result u32) (canon lift (core func $i \"b\")))"
                " (export \"y\" (func $x)) (export \"z\" (func $b)))");
    assert_null(hf_export_type(hf_component_find(w->component, "", "x"))->result);
    assert_null(hf_export_type(hf_component_find(w->component, "", "y"))->result);
    assert_non_null(hf_export_type(hf_component_find(w->component, "", "z"))->result);
}

static const char leaf[] =
    "(component $leaf (core module $m (func (export \"f\") (result i32) i32.const 7))"
    " (core instance $i (instantiate $m))"
    " (func $f (result u32) (canon lift (core func $i \"f\"))) (export \"f\" (func $f)))";

static struct hf_buf text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static struct hf_buf text_of(const char *fmt, ...)
{
    struct hf_buf b = {0};
    char text[8192];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    assert_true(n < (int)sizeof text);
    assert_int_equal(hf_buf_add_text(&b, text), HF_OK);
    return b;
}

static void expect_formatted(struct link_world *w, enum hf_err err, const char *words,
                             struct hf_buf text)
{
    link_expect(w, err, words, (const char *)text.ptr);
    hf_buf_done(&text);
}

static void nested_components_are_instantiated_each_time(void **state)
{
    struct link_world *w = *state;
    expect_formatted(
        w, HF_OK, NULL,
        text_of("(component %s (instance $a (instantiate $leaf)) (instance $b (instantiate $leaf))"
                " (export \"a\" (instance $a)) (export \"b\" (func $b \"f\")))",
                leaf));
    expect_steps(w, "clcl");
    const struct hf_program *p = link_program(w);
    assert_int_equal(p->n_cis, 3);
    assert_int_equal(p->cis[1].parent, 0);
    assert_int_equal(p->cis[2].parent, 0);
    assert_true(hf_view_eq_text(p->cis[1].name, "leaf"));
    assert_int_equal(p->n_modules, 1); /* one body, two instances */
    assert_int_equal(p->n_core_instances, 2);
    assert_int_equal(p->steps[2].index, 1);
    assert_int_equal(p->steps[2].ci, 2);
    assert_int_equal(hf_component_find(w->component, "a", "f")->func.lift, 0);
    assert_int_equal(hf_component_find(w->component, "", "b")->func.lift, 1);
    assert_int_equal(hf_component_n_core_instances(w->component), 2);
}

static void a_component_is_a_closure(void **state)
{
    struct link_world *w = *state;
    /* $mid reaches out for the module and a component of its own outer scope; it is instantiated in
     * another scope. */
    link_expect(
        w, HF_OK, NULL,
        "(component $top"
        " (core module $m (func (export \"f\")))"
        " (component $in (alias outer $top $m (core module $m2)) (core instance $i (instantiate "
        "$m2))"
        "   (func $f (canon lift (core func $i \"f\"))) (export \"f\" (func $f)))"
        " (component $mid (alias outer $top $in (component $in2)) (instance $i (instantiate $in2))"
        "   (export \"g\" (func $i \"f\")))"
        " (component $caller (import \"c\" (component $c (export \"g\" (func))))"
        "   (instance $i (instantiate $c)) (export \"h\" (func $i \"g\")))"
        " (instance $r (instantiate $caller (with \"c\" (component $mid))))"
        " (export \"h\" (func $r \"h\")))");
    const struct hf_program *p = link_program(w);
    assert_int_equal(p->n_cis, 4); /* top, caller, mid in caller, in in mid */
    assert_int_equal(p->cis[1].parent, 0);
    assert_int_equal(p->cis[2].parent, 1);
    assert_int_equal(p->cis[3].parent, 2);
    expect_steps(w, "cl");
    assert_int_equal(p->lifts[0].ci, 3);
}

static void components_and_modules_travel_through_instances(void **state)
{
    struct link_world *w = *state;
    expect_formatted(
        w, HF_OK, NULL,
        text_of("(component"
                " (component $lib (core module $m (func (export \"k\"))) %s"
                "   (export \"mod\" (core module $m)) (export \"comp\" (component $leaf)))"
                " (instance $lib (instantiate $lib))"
                " (alias export $lib \"mod\" (core module $m)) (alias export $lib \"comp\" "
                "(component $c))"
                " (core instance $mi (instantiate $m)) (instance $ci (instantiate $c))"
                " (func $k (canon lift (core func $mi \"k\")))"
                " (instance $bag (export \"k\" (func $k)) (export \"f\" (func $ci \"f\")))"
                " (export \"bag\" (instance $bag)))",
                leaf));
    expect_steps(w, "ccll");
    assert_non_null(hf_component_find(w->component, "bag", "k"));
    assert_non_null(hf_component_find(w->component, "bag", "f"));
}

static void instances_are_arguments_and_imports_of_functions_bind(void **state)
{
    struct link_world *w = *state;
    expect_formatted(
        w, HF_OK, NULL,
        text_of(
            "(component %s (instance $l (instantiate $leaf))"
            " (component $user (import \"i\" (instance $i (export \"f\" (func (result u32)))))"
            "   (import \"g\" (func $g (result u32)))"
            "   (core func $a (canon lower (func $i \"f\"))) (core func $b (canon lower (func $g)))"
            "   (func $again (result u32) (canon lift (core func $a)))"
            "   (export \"again\" (func $again)))"
            " (instance $u (instantiate $user (with \"i\" (instance $l)) (with \"g\" (func $l "
            "\"f\"))))"
            " (export \"again\" (func $u \"again\")))",
            leaf));
    expect_steps(w, "clttl");
    const struct hf_program *p = link_program(w);
    assert_int_equal(p->tramps[0].func.from, HF_FUNC_LIFT);
    assert_int_equal(p->tramps[0].func.lift, 0);
    assert_int_equal(p->tramps[1].func.lift, 0);
    assert_int_equal(p->tramps[0].ci, 2);
    assert_int_equal(p->lifts[1].func.from, HF_FROM_TRAMP); /* a lowered function lifted again */
    assert_int_equal(p->lifts[1].func.index, 0);
}

/* ---- core items ---- */

static void core_items_are_traced_through_bags_and_aliases(void **state)
{
    struct link_world *w = *state;
    link_expect(
        w, HF_OK, NULL,
        "(component"
        " (core module $a (func (export \"f\")) (memory (export \"m\") 1) (global (export \"g\") "
        "i32 (i32.const 0))"
        "   (table (export \"t\") 1 funcref))"
        " (core module $b (import \"\" \"x\" (func)) (import \"env\" \"m\" (memory 1)) (import "
        "\"\" \"y\" (func))"
        "   (import \"env\" \"g\" (global i32)) (import \"env\" \"t\" (table 1 funcref)))"
        " (core instance $a (instantiate $a))"
        " (core instance $bag (export \"x\" (func $a \"f\")) (export \"y\" (func $a \"f\")))"
        " (alias core export $bag \"y\" (core func $y))"
        " (core instance $bag2 (export \"x\" (func $y)) (export \"y\" (func $y)))"
        " (core instance $b (instantiate $b (with \"\" (instance $bag2)) (with \"env\" (instance "
        "$a)))))");
    expect_steps(w, "cc");
    const struct hf_step *s = &link_program(w)->steps[1];
    assert_int_equal(s->n_args, 5);
    static const char *const names[] = {"f", "m", "f", "g", "t"};
    static const enum hf_core_kind kinds[] = {HF_CORE_FUNC, HF_CORE_MEMORY, HF_CORE_FUNC,
                                              HF_CORE_GLOBAL, HF_CORE_TABLE};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(s->args[i].from, HF_FROM_EXPORT);
        assert_int_equal(s->args[i].index, 0);
        assert_true(hf_view_eq_text(s->args[i].name, names[i]));
        assert_int_equal(s->args[i].kind, kinds[i]);
    }
}

/* 1.3: the first name is looked up among the arguments of this instantiation only. */
static void core_argument_names_are_local(void **state)
{
    struct link_world *w = *state;
    link_expect(w, HF_OK, NULL,
                "(component (core module $a (func (export \"f\"))) (core module $b (import \"env\" "
                "\"f\" (func)))"
                " (core instance $1 (instantiate $a)) (core instance $2 (instantiate $a))"
                " (core instance $3 (instantiate $b (with \"env\" (instance $1))))"
                " (core instance $4 (instantiate $b (with \"env\" (instance $2)))))");
    assert_int_equal(link_program(w)->steps[2].args[0].index, 0);
    assert_int_equal(link_program(w)->steps[3].args[0].index, 1);
}

static void S2_core_types_are_checked(void **state)
{
    struct link_world *w = *state;
    link_expect_raw(w, HF_INVALID,
                    "canon lift: the core function has type (i32)->() where (i64)->() is needed",
                    "(component (core module $m (func (export \"f\") (param i32))) (core instance "
                    "$i (instantiate $m))"
                    " (func (param \"x\" u64) (canon lift (core func $i \"f\"))))");
    link_expect_raw(
        w, HF_INVALID, "realloc: the core function has type (i32)->(i32)",
        "(component (core module $m (memory (export \"m\") 1) (func (export \"f\") (param i32 i32))"
        "   (func (export \"r\") (param i32) (result i32) unreachable)) (core instance $i "
        "(instantiate $m))"
        " (func (param \"x\" string) (canon lift (core func $i \"f\") (memory $i \"m\")"
        "   (realloc (func $i \"r\")))))");
    link_expect_raw(
        w, HF_INVALID, "post-return: the core function has type ()->() where (i32)->() is needed",
        "(component (core module $m (func (export \"f\") (result i32) unreachable) (func (export "
        "\"p\")))"
        " (core instance $i (instantiate $m))"
        " (func (result u32) (canon lift (core func $i \"f\") (post-return (func $i \"p\")))))");
    link_expect_raw(
        w, HF_INVALID,
        "a resource's destructor: the core function has type ()->() where (i32)->() is needed",
        "(component (core module $m (func (export \"d\"))) (core instance $i (instantiate $m))"
        " (type (resource (rep i32) (dtor (func $i \"d\")))))");
    /* A lowered function has a type too. */
    link_expect_raw(
        w, HF_INVALID, "canon lift: the core function has type (i32)->(i32)",
        "(component (type $r (resource (rep i32))) (core func $new (canon resource.new $r))"
        " (func (canon lift (core func $new))))");
    link_expect_raw(
        w, HF_INVALID,
        "core import \"a\" \"f\" is given a function of type (i32)->(i32), wanted ()->()",
        "(component (core module $m (import \"a\" \"f\" (func)))"
        " (type $r (resource (rep i32))) (core func $new (canon resource.new $r))"
        " (core instance (instantiate $m (with \"a\" (instance (export \"f\" (func $new)))))))");
}

static void S3_options_are_checked(void **state)
{
    struct link_world *w = *state;
    struct {
        const char *func, *words;
        enum hf_err err;
    } table[] = {
        {"", "needs the option memory", HF_INVALID},
        {"(memory $i \"m\")", "needs the option realloc", HF_INVALID},
        {"(memory $i \"m\") (realloc (func $i \"r\"))", NULL, HF_OK},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        struct hf_buf text =
            text_of("(component (core module $m (memory (export \"m\") 1) (func (export \"f\") "
                    "(param i32 i32))"
                    "  (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable))"
                    " (core instance $i (instantiate $m))"
                    " (func (param \"x\" string) (canon lift (core func $i \"f\") %s)))",
                    table[i].func);
        link_expect_raw(w, table[i].err, table[i].words, (const char *)text.ptr);
        hf_buf_done(&text);
    }
    link_expect_raw(w, HF_UNSUPPORTED, "64-bit memor",
                    "(component (core module $m (memory (export \"m\") i64 1) (func (export \"f\") "
                    "(param i32 i32))"
                    "  (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable))"
                    " (core instance $i (instantiate $m))"
                    " (func (param \"x\" string) (canon lift (core func $i \"f\") (memory $i \"m\")"
                    "   (realloc (func $i \"r\")))))");
}

static void missing_core_items_are_named(void **state)
{
    struct link_world *w = *state;
    link_expect_raw(w, HF_INVALID, "a core instantiation lacks the argument \"env\"",
                    "(component (core module $m (import \"env\" \"f\" (func))) (core instance "
                    "(instantiate $m)))");
    link_expect_raw(w, HF_INVALID,
                    "core import \"env\" \"f\": a core instance exports no core function \"f\"",
                    "(component (core module $m (import \"env\" \"f\" (func))) (core module $e "
                    "(memory (export \"f\") 1))"
                    " (core instance $e (instantiate $e)) (core instance (instantiate $m (with "
                    "\"env\" (instance $e)))))");
    link_expect_raw(w, HF_INVALID, "a core instance exports no core memory \"m\"",
                    "(component (core module $e) (core instance $e (instantiate $e))"
                    " (alias core export $e \"m\" (core memory)))");
}

/* ---- resources ---- */

static void H6_resources_are_generative(void **state)
{
    struct link_world *w = *state;
    static const char two[] =
        "(component $c (type $r (resource (rep i32))) (export $re \"r\" (type $r))"
        "  (core func $new (canon resource.new $r))"
        "  (core module $m (import \"a\" \"new\" (func $new (param i32) (result i32)))"
        "    (func (export \"make\") (result i32) (call $new (i32.const 5)))"
        "    (func (export \"use\") (param i32)))"
        "  (core instance $i (instantiate $m (with \"a\" (instance (export \"new\" (func $new))))))"
        "  (func $make (result (own $re)) (canon lift (core func $i \"make\")))"
        "  (func $use (param \"x\" (own $re)) (canon lift (core func $i \"use\")))"
        "  (export \"make\" (func $make)) (export \"use\" (func $use)))";
    static const char user[] = "(component $u (import \"r\" (type $r (sub resource)))"
                               "  (import \"use\" (func $use (param \"x\" (own $r)))))";
    expect_formatted(
        w, HF_OK, NULL,
        text_of("(component %s %s (instance $a (instantiate $c)) (instance $b (instantiate $c))"
                " (instance (instantiate $u (with \"r\" (type $a \"r\")) (with \"use\" (func $a "
                "\"use\")))))",
                two, user));
    const struct hf_program *p = link_program(w);
    assert_int_equal(p->n_resources, 2);
    assert_int_equal(p->resources[0].type.index, 0);
    assert_int_equal(p->resources[1].type.index, 1);
    assert_int_equal(p->resources[0].type.ci, 1);
    assert_int_equal(p->resources[1].type.ci, 2);
    assert_true(hf_view_eq_text(p->resources[0].type.name, "r"));
    const struct hf_type *a = p->lifts[0].type->result, *b = p->lifts[2].type->result;
    assert_ptr_equal(a->resource, &p->resources[0].type);
    assert_ptr_equal(b->resource, &p->resources[1].type);
    assert_false(hf_type_eq(a, b));
    assert_ptr_equal(p->tramps[0].resource, a->resource);
    expect_steps(w, "rtcllrtcll");
    /* The type of one instance with the function of the other. */
    struct hf_buf text =
        text_of("(component %s %s (instance $a (instantiate $c)) (instance $b (instantiate $c))"
                " (instance (instantiate $u (with \"r\" (type $a \"r\")) (with \"use\" (func $b "
                "\"use\")))))",
                two, user);
    link_expect_raw(w, HF_INVALID, "param 1: r is not r (another resource of that name)",
                    (const char *)text.ptr);
    hf_buf_done(&text);
}

static void resources_are_made_only_where_they_are_defined(void **state)
{
    struct link_world *w = *state;
    link_expect_raw(
        w, HF_INVALID, "is not defined here",
        "(component (component $c (type $r (resource (rep i32))) (export \"r\" (type $r)))"
        " (instance $i (instantiate $c)) (alias export $i \"r\" (type $r))"
        " (core func (canon resource.new $r)))");
    link_expect_raw(
        w, HF_OK, NULL,
        "(component (component $c (type $r (resource (rep i32))) (export \"r\" (type $r)))"
        " (instance $i (instantiate $c)) (alias export $i \"r\" (type $r))"
        " (core func (canon resource.drop $r)))");
}

/* ---- between components ---- */

static void arguments_must_fit(void **state)
{
    struct link_world *w = *state;
    struct {
        const char *with, *words;
    } table[] = {
        {"", "lacks the argument \"f\""},
        {"(with \"f\" (func $g))", "function \"f\" between two components: wanted func() -> u32, "
                                   "offered func() (result: u32 is not nothing)"},
        {"(with \"f\" (component $e))", "a function is wanted, a component is offered"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        struct hf_buf text = text_of(
            "(component (core module $m (func (export \"g\"))) (core instance $i (instantiate $m))"
            " (func $g (canon lift (core func $i \"g\"))) (component $e)"
            " (component $c (import \"f\" (func (result u32))))"
            " (instance (instantiate $c %s)))",
            table[i].with);
        link_expect_raw(w, HF_INVALID, table[i].words, (const char *)text.ptr);
        hf_buf_done(&text);
    }
    link_expect_raw(w, HF_INVALID, "instance 0 exports no function \"nope\"",
                    "(component (component $e) (instance $i (instantiate $e)) (alias export $i "
                    "\"nope\" (func)))");
    link_expect_raw(
        w, HF_INVALID, "type \"t\" between two components: wanted u8, offered u16",
        "(component (type $x u16) (component $c (type $y u8) (import \"t\" (type (eq $y))))"
        " (instance (instantiate $c (with \"t\" (type $x)))))");
}

static void ascribed_types_hide_and_are_checked(void **state)
{
    struct link_world *w = *state;
    expect_formatted(
        w, HF_OK, NULL,
        text_of("(component %s (instance $a (instantiate $leaf))"
                " (export \"none\" (instance $a) (instance))"
                " (export \"some\" (instance $a) (instance (export \"f\" (func (result u32))))))",
                leaf));
    assert_null(hf_component_find(w->component, "none", "f"));
    assert_non_null(hf_component_find(w->component, "some", "f"));
    struct hf_buf text =
        text_of("(component %s (instance $a (instantiate $leaf))"
                " (export \"a\" (instance $a) (instance (export \"f\" (func (result u8))))))",
                leaf);
    link_expect_raw(w, HF_INVALID, "wanted func() -> u8, offered func() -> u32",
                    (const char *)text.ptr);
    hf_buf_done(&text);
}

/* ---- the host ---- */

static void versions_of_a_track_share_functions_and_resources(void **state)
{
    struct link_world *w = *state;
    /* One older, one newer than the host's 0.2.5, as in a composition; plus a resource through
     * another interface. */
    link_expect(
        w, HF_OK, NULL,
        "(component"
        " (import \"test:host/api@0.2.0\" (instance $old (export \"thing\" (type $t (sub "
        "resource)))"
        "   (export \"[constructor]thing\" (func (param \"n\" u32) (result (own $t))))))"
        " (import \"test:host/api@0.2.12\" (instance $new (export \"thing\" (type $t (sub "
        "resource)))"
        "   (export \"[constructor]thing\" (func (param \"n\" u32) (result (own $t))))))"
        " (alias export $new \"thing\" (type $thing))"
        " (import \"test:host/user@0.2.3\" (instance $user (alias outer 1 $thing (type $t))"
        "   (export \"thing\" (type $t2 (eq $t))) (export \"use\" (func (param \"t\" (borrow "
        "$t2))))))"
        " (alias export $old \"thing\" (type $thing-old))"
        " (core func (canon lower (func $old \"[constructor]thing\")))"
        " (core func (canon lower (func $new \"[constructor]thing\")))"
        " (core func (canon lower (func $user \"use\")))"
        " (core func (canon resource.drop $thing)) (core func (canon resource.drop $thing-old)))");
    const struct hf_program *p = link_program(w);
    assert_int_equal(p->n_tramps, 5);
    assert_int_equal(p->tramps[0].func.from, HF_FUNC_HOST);
    assert_ptr_equal(p->tramps[0].func.host, p->tramps[1].func.host);
    assert_true(hf_view_eq_text(p->tramps[0].func.host->iface, "test:host/api@0.2.5"));
    assert_true(hf_view_eq_text(p->tramps[0].func.host->name, "[constructor]thing"));
    const struct hf_resource_type *r = p->tramps[0].func.host->type->result->resource;
    assert_ptr_equal(p->tramps[2].func.host->type->params[0].type->resource, r);
    assert_ptr_equal(p->tramps[3].resource, r);
    assert_ptr_equal(p->tramps[4].resource, r);
    assert_non_null(r->host);
}

static void everything_missing_is_listed_by_name(void **state)
{
    struct link_world *w = *state;
    assert_int_equal(
        link_load(w, "(component"
                     " (import \"test:host/api@0.2.7\" (instance (export \"zap\" (func))"
                     "   (export \"plain\" (func (param \"a\" u32) (param \"b\" (list char)) "
                     "(result (list u8))))"
                     "   (export \"thing\" (type (sub resource)))"
                     "   (type $c (enum \"red\" \"green\")) (export \"color\" (type (eq $c)))))"
                     " (import \"test:host/api@0.3.0\" (instance))"
                     " (import \"test:host/other@1.0.0\" (instance (export \"f\" (func))))"
                     " (import \"helper\" (instance (export \"f\" (func))))"
                     " (import \"callback\" (func))"
                     " (import \"tool\" (component))"
                     " (import \"code\" (core module))"
                     " (import \"handle\" (type (sub resource)))"
                     " (type $x u8) (import \"just-a-name\" (type (eq $x))))"),
        HF_UNSUPPORTED);
    assert_string_equal(
        w->report.text,
        "the component needs what is not here:\n"
        "test:host/api@0.2.7: function \"zap\" is not in the test:host/api@0.2.5 offered here\n"
        "test:host/api@0.2.7: function \"plain\" is different in the test:host/api@0.2.5 offered "
        "here: wanted func(a: u32, "
        "b: list<char>) -> list<u8>, offered func(a: u32, b: string) -> list<u8> (param 2: "
        "list<char> is not string)\n"
        "test:host/api@0.2.7: type \"color\" is different in the test:host/api@0.2.5 offered here: "
        "wanted enum { red, green }, "
        "offered enum { red, blue }\n"
        "interface test:host/api@0.3.0: this host offers test:host/api@0.2.5\n"
        "interface test:host/other@1.0.0: not known here\n"
        "instance helper: not known here\n"
        "function \"callback\": nothing outside an interface is offered here\n"
        "component \"tool\": imported code is not offered here: compose the component with what it "
        "needs first\n"
        "core module \"code\": imported code is not offered here: compose the component with what "
        "it needs first\n"
        "type \"handle\": nothing outside an interface is offered here");
}

static void what_uses_missing_things_is_still_looked_at(void **state)
{
    struct link_world *w = *state;
    /* Stand-ins are instantiated, aliased, lowered: no second error, only the two names. */
    link_expect(w, HF_UNSUPPORTED, "here:\ncomponent \"c\": imported code",
                "(component (import \"c\" (component $c (export \"e\" (type $t (sub resource)))"
                "    (export \"f\" (func (result (own $t))))))"
                " (import \"m\" (core module $m (export \"g\" (func))))"
                " (instance $i (instantiate $c)) (alias export $i \"e\" (type $t)) (core func "
                "(canon lower (func $i \"f\")))"
                " (core instance $mi (instantiate $m)) (func $g (canon lift (core func $mi \"g\")))"
                " (export \"g\" (func $g)))");
}

static void S4_parameter_names_may_differ(void **state)
{
    struct link_world *w = *state;
    link_expect(
        w, HF_OK, NULL,
        "(component (import \"test:host/api@0.2.5\" (instance"
        " (export \"plain\" (func (param \"x\" u32) (param \"y\" string) (result (list u8)))))))");
}

static void gated_features_are_listed_before_imports(void **state)
{
    struct link_world *w = *state;
    link_expect(w, HF_UNSUPPORTED,
                "here:\nuses task.cancel (async, WASI 0.3)\nuses waitable-set.new (async, WASI "
                "0.3)\ninterface a:b/c@0.3.0",
                "(component (core func (canon task.cancel)) (core func (canon waitable-set.new))"
                " (import \"a:b/c@0.3.0\" (instance)))");
}

/* ---- exports ---- */

static void exports_are_found_on_their_track(void **state)
{
    struct link_world *w = *state;
    expect_formatted(w, HF_OK, NULL,
                     text_of("(component %s (instance $a (instantiate $leaf))"
                             " (export \"wasi:cli/run@0.2.3\" (instance $a)) (export "
                             "\"wasi:cli/run@0.3.0\" (instance $a)))",
                             leaf));
    struct hf_component *c = w->component;
    const struct hf_export *e2 = hf_component_find(c, "wasi:cli/run@0.2.3", "f");
    const struct hf_export *e3 = hf_component_find(c, "wasi:cli/run@0.3.0", "f");
    struct hf_view iface, name;
    assert_non_null(e2);
    assert_non_null(e3);
    assert_ptr_not_equal(e2, e3);
    assert_ptr_equal(hf_component_find(c, "wasi:cli/run@0.2.12", "f"), e2);
    assert_ptr_equal(hf_component_find(c, "wasi:cli/run", "f"), e2);
    assert_ptr_equal(hf_component_find(c, "wasi:cli/run@0.3.9", "f"), e3);
    assert_null(hf_component_find(c, "wasi:cli/run@0.4.0", "f"));
    assert_null(hf_component_find(c, "wasi:cli", "f"));
    assert_null(hf_component_find(c, "", "f"));
    assert_ptr_equal(hf_component_export_at(c, 1, &iface, &name), e3);
    assert_true(hf_view_eq_text(iface, "wasi:cli/run@0.3.0") && hf_view_eq_text(name, "f"));
    assert_null(hf_component_export_at(c, 2, &iface, &name));
}

/* ---- limits ---- */

static void doubling_instances_stop_at_the_limit(void **state)
{
    struct link_world *w = *state;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add_text(&b, "(component (component $c0)"), HF_OK);
    for (int i = 1; i < 40; i++) /* 2^39 instances in 2 KB */
        assert_int_equal(
            hf_buf_printf(
                &b,
                "(component $c%d (alias outer 1 %d (component $x)) (instance (instantiate $x))"
                " (instance (instantiate $x)))",
                i, i - 1),
            HF_OK);
    assert_int_equal(hf_buf_add_text(&b, "(instance (instantiate $c39)))"), HF_OK);
    link_expect_raw(w, HF_LIMIT, "more than 1000 component instances", (const char *)b.ptr);
    hf_buf_done(&b);
}

static void deep_instances_stop_at_the_limit(void **state)
{
    struct link_world *w = *state;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add_text(&b, "(component (component $c0)"), HF_OK);
    for (int i = 1; i < 200; i++)
        assert_int_equal(
            hf_buf_printf(
                &b,
                "(component $c%d (alias outer 1 %d (component $x)) (instance (instantiate $x)))", i,
                i - 1),
            HF_OK);
    assert_int_equal(hf_buf_add_text(&b, "(instance (instantiate $c199)))"), HF_OK);
    link_expect_raw(w, HF_LIMIT, "nested more than 100 deep", (const char *)b.ptr);
    hf_buf_done(&b);
}

static void doubling_instance_types_stop_at_the_limit(void **state)
{
    struct link_world *w = *state;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add_text(&b, "(component (type $t0 (instance))"), HF_OK);
    for (int i = 1; i < 60; i++)
        assert_int_equal(hf_buf_printf(&b,
                                       "(type $t%d (instance (alias outer 1 %d (type $x)) (export "
                                       "\"a\" (instance (type $x)))"
                                       " (export \"b\" (instance (type $x)))))",
                                       i, i - 1),
                         HF_OK);
    assert_int_equal(hf_buf_add_text(&b, "(import \"i\" (instance (type $t59))))"), HF_OK);
    link_expect_raw(w, HF_LIMIT, "definitions", (const char *)b.ptr);
    hf_buf_done(&b);
}

static void core_instances_stop_at_the_limit(void **state)
{
    struct link_world *w = *state;
    const struct hf_component_limits limits = {.core_instances_max = 2};
    const struct hf_load_options opt = {.limits = &limits};
    assert_int_equal(link_load_with(w,
                                    "(component (core module $m) (core instance (instantiate $m))"
                                    " (core instance (instantiate $m)))",
                                    &opt),
                     HF_OK);
    assert_int_equal(
        link_load_with(w,
                       "(component (core module $m) (core instance (instantiate $m))"
                       " (core instance (instantiate $m)) (core instance (instantiate $m)))",
                       &opt),
        HF_LIMIT);
    assert_non_null(strstr(w->report.text, "more than 2 core instances"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_empty_component_links),
        T(a_lift_becomes_a_step_and_an_export),
        T(an_export_adds_an_index),
        T(nested_components_are_instantiated_each_time),
        T(a_component_is_a_closure),
        T(components_and_modules_travel_through_instances),
        T(instances_are_arguments_and_imports_of_functions_bind),
        T(core_items_are_traced_through_bags_and_aliases),
        T(core_argument_names_are_local),
        T(S2_core_types_are_checked),
        T(S3_options_are_checked),
        T(missing_core_items_are_named),
        T(H6_resources_are_generative),
        T(resources_are_made_only_where_they_are_defined),
        T(arguments_must_fit),
        T(ascribed_types_hide_and_are_checked),
        T(versions_of_a_track_share_functions_and_resources),
        T(everything_missing_is_listed_by_name),
        T(what_uses_missing_things_is_still_looked_at),
        T(S4_parameter_names_may_differ),
        T(gated_features_are_listed_before_imports),
        T(exports_are_found_on_their_track),
        T(doubling_instances_stop_at_the_limit),
        T(deep_instances_stop_at_the_limit),
        T(doubling_instance_types_stop_at_the_limit),
        T(core_instances_stop_at_the_limit),
    };
    return cmocka_run_group_tests_name("component linker", tests, NULL, NULL);
}
