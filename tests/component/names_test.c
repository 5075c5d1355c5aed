/* names_test.c - grammar of names, versions, tracks (1.8), strong uniqueness (S10). */
#include "component/names.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void labels_are_kebab_case(void **state)
{
    static const char *const good[] = {
        "a",         "a-b-c",        "a1-2-3",         "A",      "A-B-C", "A1-2-3",
        "a11-w0rds", "A11-4CR0NYMS", "m1x3d-4CR0NYMS", "is-XML", "x9"};
    static const char *const bad[] = {"",   "1-2-3", "-a",  "a-",       "a--b", "aB",
                                      "Ab", "a_b",   "a.b", "\xc3\xa9", "a b",  "1a"};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(good); i++)
        if (!hf_label_ok(hf_view_of(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        if (hf_label_ok(hf_view_of(bad[i])))
            fail_msg("%s", bad[i]);
}

static void names_fall_into_kinds(void **state)
{
    static const struct {
        const char *text;
        enum hf_name_kind kind;
        const char *label, *member, *base, *version;
    } table[] = {
        {"run", HF_NAME_PLAIN, "run", "", "", ""},
        {"[constructor]fields", HF_NAME_CONSTRUCTOR, "fields", "", "", ""},
        {"[method]pollable.ready", HF_NAME_METHOD, "pollable", "ready", "", ""},
        {"[static]response-outparam.set", HF_NAME_STATIC, "response-outparam", "set", "", ""},
        {"wasi:io/poll@0.2.12", HF_NAME_INTERFACE, "", "", "wasi:io/poll", "0.2.12"},
        {"wasi:io/poll", HF_NAME_INTERFACE, "", "", "wasi:io/poll", ""},
        {"a:b:c/d/e@1.0.0-rc.1", HF_NAME_INTERFACE, "", "", "a:b:c/d/e", "1.0.0-rc.1"},
    };
    static const char *const other[] = {"",
                                        "[method]a",
                                        "[method].b",
                                        "[method]a.",
                                        "[foo]a",
                                        "a:b",
                                        "a:/b",
                                        ":a/b",
                                        "a:b/",
                                        "A:b/c",
                                        "a:b/c@",
                                        "a.b",
                                        "a/b",
                                        "a:b/c/",
                                        "unlocked-dep=<a:b>",
                                        "[constructor]"};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        struct hf_name n;
        hf_name_read(hf_view_of(table[i].text), &n);
        assert_int_equal(n.kind, table[i].kind);
        assert_true(hf_view_eq_text(n.label, table[i].label));
        assert_true(hf_view_eq_text(n.member, table[i].member));
        assert_true(hf_view_eq_text(n.base, table[i].base));
        assert_true(hf_view_eq_text(n.version, table[i].version));
    }
    for (size_t i = 0; i < HF_ARRAY_LEN(other); i++) {
        struct hf_name n;
        hf_name_read(hf_view_of(other[i]), &n);
        if (n.kind != HF_NAME_OTHER)
            fail_msg("%s", other[i]);
    }
}

static void versions_are_semver(void **state)
{
    static const char *const good[] = {
        "0.0.0",         "1.2.3",      "0.2.12",           "1.0.0-rc.1",
        "1.0.0-a-b.0.x", "1.0.0+b.01", "1.0.0-rc+build.5", "18446744073709551609.0.0"};
    static const char *const bad[] = {"",           "1",
                                      "1.2",        "1.2.3.4",
                                      "01.2.3",     "1.2.03",
                                      "1.2.x",      "1.2.3-",
                                      "1.2.3-01",   "1.2.3+",
                                      "1.2.3-a..b", "v1.2.3",
                                      "1.2.3 ",     "99999999999999999999.0.0"};
    struct hf_semver v;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(good); i++)
        if (!hf_semver_read(hf_view_of(good[i]), &v))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        if (hf_semver_read(hf_view_of(bad[i]), &v))
            fail_msg("%s", bad[i]);
}

static void versions_are_ordered(void **state)
{
    /* The chain of semver.org rule 11, and around it. */
    static const char *const chain[] = {"0.0.1",       "0.2.2",         "0.2.10",
                                        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                        "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                        "1.0.0-rc.1",  "1.0.0",         "2.0.0"};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(chain); i++)
        for (size_t k = 0; k < HF_ARRAY_LEN(chain); k++) {
            struct hf_semver a, b;
            assert_true(hf_semver_read(hf_view_of(chain[i]), &a) &&
                        hf_semver_read(hf_view_of(chain[k]), &b));
            int cmp = hf_semver_cmp(&a, &b);
            if ((cmp < 0) != (i < k) || (cmp > 0) != (i > k))
                fail_msg("%s %s %d", chain[i], chain[k], cmp);
        }
}

static void tracks_follow_rule_1_8(void **state)
{
    static const struct {
        const char *name, *track; /* NULL: none */
    } table[] = {
        {"wasi:io/poll@0.2.12", "0.2"},    {"wasi:io/poll@0.2.0", "0.2"},
        {"wasi:io/poll@1.2.3", "1"},       {"wasi:io/poll@12.0.0", "12"},
        {"wasi:io/poll@0.0.7", NULL},      {"wasi:io/poll@0.0.0", NULL},
        {"wasi:io/poll@0.2.0-rc.1", NULL}, {"wasi:io/poll", NULL},
        {"wasi:io/poll@0.2", "0.2"},       {"wasi:io/poll@1", "1"},
        {"wasi:io/poll@0", NULL},          {"wasi:io/poll@0.0.1+x", NULL},
        {"wasi:io/poll@0.2.1+x", "0.2"},   {"poll", NULL},
        {"wasi:io/poll@0.2.x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(table); i++) {
        struct hf_view base, track;
        bool has = hf_name_track(hf_view_of(table[i].name), &base, &track);
        if (has != (table[i].track != NULL))
            fail_msg("%s", table[i].name);
        if (has) {
            assert_true(hf_view_eq_text(track, table[i].track));
            assert_true(hf_view_eq_text(base, "wasi:io/poll"));
        }
    }
    assert_true(hf_name_same_track(HF_VIEW("a:b/c@0.2.0"), HF_VIEW("a:b/c@0.2.9")));
    assert_false(hf_name_same_track(HF_VIEW("a:b/c@0.2.0"), HF_VIEW("a:b/c@0.3.0")));
    assert_false(hf_name_same_track(HF_VIEW("a:b/c@0.2.0"), HF_VIEW("a:b/d@0.2.0")));
    assert_false(hf_name_same_track(HF_VIEW("a:b/c@0.2.0-rc"), HF_VIEW("a:b/c@0.2.0-rc")));
}

/* The sets of Explainer.md, "Name Uniqueness". */
static void S10_names_are_strongly_unique(void **state)
{
    static const char *const together[] = {
        "foo", "foo-bar", "[constructor]foo", "[method]foo.bar", "[static]foo.baz", "foo:bar/baz"};
    static const char *const clash[] = {"foo",
                                        "FOO",
                                        "foo-BAR",
                                        "[constructor]FOO",
                                        "[method]foo.BAR",
                                        "[static]foo.bar",
                                        "[method]foo.baz",
                                        "[method]foo.foo",
                                        "[static]foo-BAR.FOO-bar",
                                        "foo:bar/BAZ"};
    struct hf_arena arena;
    struct hf_name_set set;
    (void)state;
    hf_arena_init(&arena, 1024, 1 << 20);
    hf_name_set_init(&set, &arena);
    for (size_t i = 0; i < HF_ARRAY_LEN(together); i++)
        assert_int_equal(hf_name_set_add(&set, hf_view_of(together[i]), true, NULL), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(clash); i++) {
        struct hf_report report = {0};
        if (hf_name_set_add(&set, hf_view_of(clash[i]), true, &report) != HF_INVALID)
            fail_msg("%s", clash[i]);
        assert_non_null(strstr(report.text, clash[i]));
    }
    hf_name_set_done(&set);
    /* Arguments and inline exports: equal bytes only. */
    hf_name_set_init(&set, &arena);
    assert_int_equal(hf_name_set_add(&set, HF_VIEW("foo"), false, NULL), HF_OK);
    assert_int_equal(hf_name_set_add(&set, HF_VIEW("FOO"), false, NULL), HF_OK);
    assert_int_equal(hf_name_set_add(&set, HF_VIEW(""), false, NULL), HF_OK);
    assert_int_equal(hf_name_set_add(&set, HF_VIEW("foo"), false, NULL), HF_INVALID);
    assert_int_equal(hf_name_set_add(&set, HF_VIEW(""), false, NULL), HF_INVALID);
    hf_name_set_done(&set);
    hf_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_kebab_case),  cmocka_unit_test(names_fall_into_kinds),
        cmocka_unit_test(versions_are_semver),    cmocka_unit_test(versions_are_ordered),
        cmocka_unit_test(tracks_follow_rule_1_8), cmocka_unit_test(S10_names_are_strongly_unique),
    };
    return cmocka_run_group_tests_name("component names", tests, NULL, NULL);
}
