/* registry_test.c - reading WIT packages, looking up by track (1.8), binding, sealing. */
#include "component/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_link.h"

/* An interface "t:h/NAME@VERSION" with a resource, a record that holds it, functions. */
#define IFACE(name, version)                                                                       \
    "(component (type $i (component (export \"t:h/" name "@" version "\" (instance"                \
    " (export \"r\" (type $r (sub resource)))"                                                     \
    " (type $p (record (field \"x\" u8) (field \"y\" (own $r)))) (export \"pair\" (type $pair "    \
    "(eq $p)))"                                                                                    \
    " (export \"[method]r.go\" (func (param \"self\" (borrow $r)) (result u64)))"                  \
    " (export \"take\" (func (param \"p\" $pair)))"                                                \
    " (export \"other\" (func))))))"                                                               \
    " (export \"" name "\" (type $i)))"
#define USER(name, version)                                                                        \
    "(component (type $u (component"                                                               \
    " (import \"t:h/" name "@" version "\" (instance $a (export \"r\" (type (sub resource)))))"    \
    " (alias export $a \"r\" (type $r))"                                                           \
    " (export \"t:h/user@" version                                                                 \
    "\" (instance (alias outer 1 $r (type $t)) (export \"r\" (type $r2 (eq $t)))"                  \
    " (export \"use\" (func (param \"r\" (borrow $r2))))))))"                                      \
    " (export \"user\" (type $u)))"
static const char types_only[] =
    "(component (type $i (component (export \"t:h/types@0.2.0\" (instance"
    " (type $e (enum \"a\" \"b\")) (export \"e\" (type (eq $e)))))))"
    " (export \"types\" (type $i)))";
static const char world[] = "(component (type $w (component (export \"t:h/w@0.2.0\" (component "
                            "(import \"x\" (func)) (export \"y\" (func))))))"
                            " (export \"w\" (type $w)))";

static int setup(void **state)
{
    struct link_world *w = calloc(1, sizeof *w);
    assert_int_equal(hf_registry_new(&w->reg), HF_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct link_world *w = *state;
    hf_registry_free(w->reg);
    free(w);
    return 0;
}

static enum hf_err add(struct link_world *w, const char *text)
{
    struct hf_buf b = link_wat(text);
    hf_report_init(&w->report);
    enum hf_err err = hf_registry_add_wit(w->reg, hf_buf_view(&b), &w->report);
    hf_buf_done(&b);
    return err;
}

static struct hf_iface *find(struct link_world *w, const char *name)
{
    return hf_registry_find(w->reg, hf_view_of(name));
}

static const struct hf_item *item(struct link_world *w, const char *iface, const char *name)
{
    struct hf_iface *i = find(w, iface);
    assert_non_null(i);
    const struct hf_item *it = hf_instanceval_find(i->instance, hf_view_of(name));
    assert_non_null(it);
    return it;
}

static enum hf_err fn_a(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call;
    (void)args;
    (void)result;
    return HF_OK;
}

static enum hf_err fn_b(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return fn_a(call, args, result);
}

static enum hf_err drop(struct hf_call *call, void *obj)
{
    (void)call;
    (void)obj;
    return HF_OK;
}
static const struct hf_host_resource ops = {"r", drop};

static void a_package_makes_its_types_and_functions_known(void **state)
{
    struct link_world *w = *state;
    assert_int_equal(add(w, IFACE("a", "0.2.5")), HF_OK);
    struct hf_iface *i = find(w, "t:h/a@0.2.5");
    assert_non_null(i);
    assert_int_equal(i->instance->n, 5);
    assert_true(hf_view_eq_text(i->base, "t:h/a"));
    const struct hf_item *pair = item(w, "t:h/a@0.2.5", "pair");
    assert_int_equal(pair->type.kind, HF_TYPEVAL_VALUE);
    assert_int_equal(pair->type.value->size, 8);
    assert_true(hf_view_eq_text(pair->type.value->name, "pair"));
    const struct hf_item *r = item(w, "t:h/a@0.2.5", "r");
    assert_ptr_equal(pair->type.value->members[1].type->resource, r->type.resource);
    const struct hf_item *go = item(w, "t:h/a@0.2.5", "[method]r.go");
    assert_int_equal(go->func.def.from, HF_FUNC_HOST);
    assert_true(hf_view_eq_text(go->func.def.host->name, "[method]r.go"));
    assert_true(hf_view_eq_text(go->func.def.host->iface, "t:h/a@0.2.5"));
    assert_null(go->func.def.host->fn);
    assert_ptr_equal(go->func.def.host->type->params[0].type->resource, r->type.resource);
}

static void packages_come_after_those_they_use(void **state)
{
    struct link_world *w = *state;
    assert_int_equal(add(w, USER("a", "0.2.5")), HF_INVALID);
    assert_non_null(strstr(w->report.text, "uses t:h/a@0.2.5, which was not added before"));
    assert_int_equal(add(w, IFACE("a", "0.2.5")), HF_OK);
    assert_int_equal(add(w, USER("a", "0.2.5")), HF_OK);
    assert_ptr_equal(item(w, "t:h/user@0.2.5", "r")->type.resource,
                     item(w, "t:h/a@0.2.5", "r")->type.resource);
    assert_int_equal(add(w, IFACE("a", "0.2.5")), HF_INVALID);
    assert_non_null(strstr(w->report.text, "added already"));
}

static void worlds_are_passed_over(void **state)
{
    struct link_world *w = *state;
    assert_int_equal(add(w, world), HF_OK);
    assert_int_equal(w->reg->ifaces.len, 0);
}

static void other_files_are_no_packages(void **state)
{
    struct link_world *w = *state;
    assert_int_equal(add(w, "(module)"), HF_INVALID);
    assert_int_equal(add(w, "(component (core module))"), HF_INVALID);
    assert_non_null(strstr(w->report.text, "it defines a core module"));
    assert_int_equal(add(w, "(component (import \"f\" (func)))"), HF_INVALID);
    assert_int_equal(add(w, "(component (type $i (component (export \"unlocked-dep=<a:b/c>\" (instance)))) "
                            "(export \"i\" (type $i)))"),
                     HF_INVALID);
    assert_non_null(strstr(w->report.text, "is no interface's name"));
    assert_int_equal(add(w, "(component (type $i (component (export \"a:b/c\" (instance (export "
                            "\"x\" (component))))))"
                            " (export \"i\" (type $i)))"),
                     HF_INVALID);
    assert_non_null(strstr(w->report.text, "neither a function nor a type"));
    assert_int_equal(add(w, "(component (type $i (component (export \"a:b/c\" (instance (export "
                            "\"f\" (func async))))))"
                            " (export \"i\" (type $i)))"),
                     HF_UNSUPPORTED);
}

/* What hosts of test suites offer, and WIT cannot say: plain names, instances inside, core modules,
 * functions outside any interface. */
static enum hf_err bound(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args, (void)result;
    return HF_OK;
}

static void hosts_may_offer_more_than_wit(void **state)
{
    struct link_world with_engine, *w = &with_engine;
    (void)state;
    link_open(w);
    struct hf_buf module = link_wat("(module (func (export \"g\")))");
    assert_int_equal(
        add(w, "(component (type (component (export \"host\" (instance (export \"f\" (func))"
               " (export \"in\" (instance (export \"deep\" (func)) (export \"un\" (func))))"
               " (export \"code\" (core module (export \"g\" (func)))))))) (export \"i\" (type 0)))"),
        HF_OK);
    assert_int_equal(hf_registry_bind(w->reg, "host", "f", bound, NULL), HF_OK);
    assert_int_equal(hf_registry_bind(w->reg, "host", "deep", bound, NULL), HF_OK);
    assert_int_equal(hf_registry_add_module(w->reg, "host", "no", hf_buf_view(&module), NULL),
                     HF_NOT_FOUND);
    assert_int_equal(hf_registry_add_module(w->reg, "host", "code", hf_buf_view(&module), NULL),
                     HF_OK);
    assert_int_equal(hf_registry_offer_at_root(w->reg, "nobody", NULL), HF_NOT_FOUND);
    assert_int_equal(hf_registry_offer_at_root(w->reg, "host", NULL), HF_OK);
    assert_int_equal(hf_registry_seal(w->reg, NULL, &w->report), HF_OK);
    assert_int_equal(hf_registry_offer_at_root(w->reg, "host", NULL), HF_INVALID);
    assert_int_equal(hf_registry_add_module(w->reg, "host", "code", hf_buf_view(&module), NULL),
                     HF_INVALID);
    hf_buf_done(&module);

    link_expect(w, HF_OK, NULL,
                "(component (import \"f\" (func)) (import \"host\" (instance $h (export \"f\" "
                "(func)) (export \"in\" (instance (export \"deep\" (func)))) (export \"code\" (core "
                "module (export \"g\" (func)))))) (core instance (instantiate (module $h \"code\"))))");
    link_expect(w, HF_UNSUPPORTED, "host: function \"un\" is not implemented here",
                "(component (import \"host\" (instance (export \"in\" (instance (export \"un\" "
                "(func)))))))");
    link_expect(w, HF_UNSUPPORTED, "function \"f\" is different",
                "(component (import \"f\" (func (param \"x\" u8))))");
    link_expect(w, HF_UNSUPPORTED, "function \"g\": nothing outside an interface",
                "(component (import \"g\" (func)))");
    /* A module's type is compared where the module is used. */
    link_expect(w, HF_UNSUPPORTED, "a core module that the host offers is another than is wanted",
                "(component (import \"host\" (instance $h (export \"code\" (core module (export "
                "\"no\" (func)))))) (core instance $i (instantiate (module $h \"code\")))"
                " (func (export \"x\") (canon lift (core func $i \"no\"))))");
    link_close(w);
}

static void names_match_by_track(void **state)
{
    struct link_world *w = *state;
    assert_int_equal(add(w, IFACE("a", "0.2.5")), HF_OK);
    assert_int_equal(add(w, IFACE("a", "0.2.12")), HF_OK);
    assert_int_equal(add(w, IFACE("a", "0.3.0")), HF_OK);
    assert_int_equal(add(w, IFACE("a", "0.4.0-rc.1")), HF_OK);
    struct hf_iface *v5 = find(w, "t:h/a@0.2.5"), *v12 = find(w, "t:h/a@0.2.12");
    assert_ptr_not_equal(v5, v12);
    assert_true(hf_view_eq_text(v5->name, "t:h/a@0.2.5")); /* an exact match wins */
    assert_ptr_equal(find(w, "t:h/a@0.2.0"), v12);         /* else the highest of the track */
    assert_ptr_equal(find(w, "t:h/a@0.2.99"), v12);
    assert_ptr_equal(find(w, "t:h/a@0.2"), v12);
    assert_true(hf_view_eq_text(find(w, "t:h/a@0.3.7")->name, "t:h/a@0.3.0"));
    assert_non_null(find(w, "t:h/a@0.4.0-rc.1"));
    assert_null(find(w, "t:h/a@0.4.0-rc.2"));
    assert_null(find(w, "t:h/a@0.4.0"));
    assert_null(find(w, "t:h/a@1.0.0"));
    assert_null(find(w, "t:h/a"));
    assert_null(find(w, "t:h/b@0.2.5"));
    assert_true(
        hf_view_eq_text(hf_registry_find_base(w->reg, HF_VIEW("t:h/a"))->name, "t:h/a@0.4.0-rc.1"));
    /* One resource per (track, name). */
    const struct hf_resource_type *r = item(w, "t:h/a@0.2.5", "r")->type.resource;
    assert_ptr_equal(item(w, "t:h/a@0.2.12", "r")->type.resource, r);
    assert_ptr_not_equal(item(w, "t:h/a@0.3.0", "r")->type.resource, r);
    assert_ptr_not_equal(item(w, "t:h/a@0.4.0-rc.1", "r")->type.resource, r);
}

static void binding_needs_what_is_there(void **state)
{
    struct link_world *w = *state;
    assert_int_equal(add(w, IFACE("a", "0.2.5")), HF_OK);
    assert_int_equal(hf_registry_bind(w->reg, "t:h/a", "take", fn_a, NULL), HF_OK);
    assert_ptr_equal(item(w, "t:h/a@0.2.5", "take")->func.def.host->fn, fn_a);
    hf_report_init(&w->report);
    assert_int_equal(hf_registry_bind(w->reg, "t:h/a", "take", fn_a, &w->report), HF_INVALID);
    assert_non_null(strstr(w->report.text, "bound already"));
    hf_report_init(&w->report);
    assert_int_equal(hf_registry_bind(w->reg, "t:h/a", "nope", fn_a, &w->report), HF_NOT_FOUND);
    assert_non_null(strstr(w->report.text, "t:h/a@0.2.5 has no function \"nope\""));
    assert_int_equal(hf_registry_bind(w->reg, "t:h/a", "r", fn_a, NULL), HF_NOT_FOUND);
    hf_report_init(&w->report);
    assert_int_equal(hf_registry_bind(w->reg, "t:h/b", "take", fn_a, &w->report), HF_NOT_FOUND);
    assert_non_null(strstr(w->report.text, "\"t:h/b\""));
    assert_int_equal(hf_registry_bind(w->reg, "t:h/a@0.2.9", "other", fn_a, NULL),
                     HF_OK); /* the track's */
    assert_int_equal(hf_registry_bind_resource(w->reg, "t:h/a", "take", &ops, NULL), HF_NOT_FOUND);
    assert_int_equal(hf_registry_bind_resource(w->reg, "t:h/a", "r", &ops, NULL), HF_OK);
    assert_ptr_equal(item(w, "t:h/a@0.2.5", "r")->type.resource->host, &ops);
}

static void tables_and_the_rest_are_bound_at_once(void **state)
{
    struct link_world *w = *state;
    static const struct hf_binding table[] = {{"take", fn_a}, {"[method]r.go", fn_a}, {NULL, NULL}};
    static const struct hf_binding bad[] = {{"other", fn_a}, {"nope", fn_a}, {NULL, NULL}};
    assert_int_equal(add(w, IFACE("a", "0.2.5")), HF_OK);
    assert_int_equal(add(w, IFACE("b", "0.2.5")), HF_OK);
    assert_int_equal(hf_registry_bind_all(w->reg, "t:h/a", table, NULL), HF_OK);
    assert_int_equal(hf_registry_bind_all(w->reg, "t:h/b", bad, NULL), HF_NOT_FOUND);
    assert_int_equal(hf_registry_bind_rest(w->reg, "t:h/a", fn_b, NULL), HF_OK);
    assert_ptr_equal(item(w, "t:h/a@0.2.5", "take")->func.def.host->fn, fn_a);
    assert_ptr_equal(item(w, "t:h/a@0.2.5", "other")->func.def.host->fn, fn_b);
    assert_null(item(w, "t:h/b@0.2.5", "take")->func.def.host->fn);
    assert_int_equal(hf_registry_bind_rest(w->reg, "t:h/zzz", fn_b, NULL), HF_NOT_FOUND);
}

static void sealing_decides_what_is_offered(void **state)
{
    struct link_world *w = *state;
    struct hf_buf unbound = {0};
    assert_int_equal(add(w, IFACE("a", "0.2.5")), HF_OK);
    assert_int_equal(add(w, IFACE("b", "0.2.5")), HF_OK);
    assert_int_equal(add(w, USER("a", "0.2.5")), HF_OK);
    assert_int_equal(add(w, types_only), HF_OK);
    assert_int_equal(hf_registry_bind(w->reg, "t:h/a", "take", fn_a, NULL), HF_OK);
    hf_report_init(&w->report);
    assert_int_equal(hf_registry_seal(w->reg, NULL, &w->report),
                     HF_INVALID); /* a resource that nobody drops */
    assert_non_null(
        strstr(w->report.text, "t:h/a@0.2.5 is offered, but nothing drops its resource \"r\""));
    assert_int_equal(hf_registry_bind_resource(w->reg, "t:h/a", "r", &ops, NULL), HF_OK);
    assert_int_equal(hf_registry_seal(w->reg, &unbound, NULL), HF_OK);
    assert_string_equal((const char *)unbound.ptr, "t:h/a@0.2.5 [method]r.go\nt:h/a@0.2.5 other\n");
    hf_buf_done(&unbound);
    assert_true(find(w, "t:h/a@0.2.5")->offered);
    assert_false(find(w, "t:h/b@0.2.5")->offered);
    assert_false(
        find(w, "t:h/user@0.2.5")
            ->offered); /* the resource it uses is bound elsewhere: that is no binding of it */
    assert_true(find(w, "t:h/types@0.2.0")->offered); /* nothing to bind */
    assert_int_equal(hf_registry_bind(w->reg, "t:h/b", "take", fn_a, NULL), HF_INVALID);
    assert_int_equal(hf_registry_bind_resource(w->reg, "t:h/b", "r", &ops, NULL), HF_INVALID);
    assert_int_equal(add(w, IFACE("c", "0.2.5")), HF_INVALID);
}

static void unbound_functions_are_missing_for_who_imports_them(void **state)
{
    struct link_world w;
    (void)state;
    link_open(&w);
    link_add_wit(&w, IFACE("a", "0.2.5"));
    link_add_wit(&w, IFACE("b", "0.2.5"));
    assert_int_equal(hf_registry_bind(w.reg, "t:h/a", "take", fn_a, NULL), HF_OK);
    assert_int_equal(hf_registry_bind_resource(w.reg, "t:h/a", "r", &ops, NULL), HF_OK);
    assert_int_equal(hf_registry_seal(w.reg, NULL, NULL), HF_OK);
    link_expect(&w, HF_UNSUPPORTED,
                "here:\nt:h/a@0.2.5: function \"other\" is not implemented here",
                "(component (import \"t:h/a@0.2.5\" (instance (export \"other\" (func)))))");
    link_expect(&w, HF_UNSUPPORTED, "interface t:h/b@0.2.5: known, but not offered here",
                "(component (import \"t:h/b@0.2.5\" (instance (export \"other\" (func)))))");
    link_expect(
        &w, HF_OK, NULL,
        "(component (import \"t:h/a@0.2.9\" (instance (export \"r\" (type $r (sub resource)))"
        " (type $p (record (field \"x\" u8) (field \"y\" (own $r)))) (export \"pair\" (type $pair "
        "(eq $p)))"
        " (export \"take\" (func (param \"p\" $pair))))))");
    link_close(&w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_package_makes_its_types_and_functions_known),
        T(packages_come_after_those_they_use),
        T(worlds_are_passed_over),
        T(other_files_are_no_packages),
        T(hosts_may_offer_more_than_wit),
        T(names_match_by_track),
        T(binding_needs_what_is_there),
        T(tables_and_the_rest_are_bound_at_once),
        T(sealing_decides_what_is_offered),
        T(unbound_functions_are_missing_for_who_imports_them),
    };
    return cmocka_run_group_tests_name("host registry", tests, NULL, NULL);
}
