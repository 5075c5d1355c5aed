/* route_test.c - precedence of routes: host, then prefix, then method, then order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/route.h"

/* Each rule has a limit of its own, told by its target. */
#define to(name) ((struct hf_route_target){hf_view_of(name), strlen(name)})

static struct hf_route_table *table(const char *const (*rules)[4], size_t n)
{
    struct hf_route_table *t;
    assert_int_equal(hf_route_table_new(&t), HF_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(hf_route_add(t, hf_view_of(rules[i][0]), hf_view_of(rules[i][1]),
                                      hf_view_of(rules[i][2]), &to(rules[i][3]), NULL),
                         HF_OK);
    return t;
}

static void expect(const struct hf_route_table *t, const char *host, const char *path,
                   const char *method, const char *target)
{
    struct hf_route_target got = {0};
    bool found = hf_route_find(t, hf_view_of(host), hf_view_of(path), hf_view_of(method), &got);
    if (found != (target != NULL) || (found && !hf_view_eq_text(got.service, target)))
        fail_msg("%s %s%s: %.*s", method, host, path, HF_FMT(got.service));
    if (found && got.body_max != strlen(target))
        fail_msg("%s %s%s has another's limit", method, host, path);
}

static void test_precedence(void **state)
{
    (void)state;
    static const char *const rules[][4] = {
        {"", "/", "", "any"},
        {"", "/api", "", "any-api"},
        {"*.example.org", "/", "", "below"},
        {"*.b.example.org", "/", "", "deeper"},
        {"example.org", "/", "", "exact"},
        {"Example.ORG", "/api", "", "exact-api"},
        {"example.org", "/api", "POST", "exact-api-post"},
        {"example.org", "/api/v1", "", "exact-v1"},
        {"[::1]", "/", "", "six"},
        {"example.org", "/api/v1", "", "too late"},
        {"", "/files/", "", "files"},
    };
    struct hf_route_table *t = table(rules, HF_ARRAY_LEN(rules));
    expect(t, "example.org", "/", "GET", "exact");
    expect(t, "EXAMPLE.org:8080", "/x", "GET", "exact");
    expect(t, "example.org.", "/x", "GET", "exact");
    expect(t, "example.org", "/api", "GET", "exact-api");
    expect(t, "example.org", "/api/", "GET", "exact-api");
    expect(t, "example.org", "/apix", "GET", "exact");
    expect(t, "example.org", "/api/x", "POST", "exact-api-post");
    expect(t, "example.org", "/api/v1", "POST", "exact-v1");
    expect(t, "example.org", "/api/v1/y", "GET", "exact-v1");
    expect(t, "a.example.org", "/api", "GET", "below");
    expect(t, "a.b.example.org:1", "/", "GET", "deeper");
    expect(t, ".example.org", "/", "GET", "any");
    expect(t, "xexample.org", "/api", "GET", "any-api");
    expect(t, "", "/", "GET", "any");
    expect(t, "[::1]:80", "/", "GET", "six");
    expect(t, "[::1]", "/", "GET", "six");
    expect(t, "other", "/files", "GET", "any");
    expect(t, "other", "/files/a", "GET", "files");
    hf_route_table_free(t);
}

static void test_no_route(void **state)
{
    (void)state;
    static const char *const rules[][4] = {{"a", "/", "", "x"}, {"", "/only", "GET", "y"}};
    struct hf_route_table *t = table(rules, 2);
    expect(t, "b", "/", "GET", NULL);
    expect(t, "b", "/only", "POST", NULL);
    expect(t, "b", "/only", "get", NULL);
    expect(t, "b", "/only", "GET", "y");
    hf_route_table_free(t);
    hf_route_table_free(NULL);
}

static void test_bad_rules_are_refused_with_words(void **state)
{
    (void)state;
    static const char *const rules[][4] = {{"", "", "", "x"},   {"", "api", "", "x"},
                                           {"", "/", "", ""},   {"a.*", "/", "", "x"},
                                           {"*", "/", "", "x"}, {"*.*", "/", "", "x"}};
    struct hf_route_table *t = table(NULL, 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(rules); i++) {
        struct hf_report report = {0};
        assert_int_equal(hf_route_add(t, hf_view_of(rules[i][0]), hf_view_of(rules[i][1]),
                                      hf_view_of(rules[i][2]), &to(rules[i][3]), &report),
                         HF_INVALID);
        assert_true(report.len > 0);
    }
    expect(t, "", "/", "GET", NULL);
    hf_route_table_free(t);
}

static void test_the_table_has_a_limit(void **state)
{
    (void)state;
    struct hf_route_table *t = table(NULL, 0);
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(
            hf_route_add(t, HF_VIEW("h"), HF_VIEW("/"), HF_VIEW(""), &to("x"), NULL), HF_OK);
    assert_int_equal(hf_route_add(t, HF_VIEW("h"), HF_VIEW("/"), HF_VIEW(""), &to("x"), NULL),
                     HF_LIMIT);
    hf_route_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_bad_rules_are_refused_with_words),
        cmocka_unit_test(test_the_table_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
