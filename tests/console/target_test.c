/* target_test.c - segments and queries of an admin request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "console/target.h"

static void expect(const char *target, const char *shown)
{
    struct hf_admin_target t = {0};
    const char *why = "";
    char text[512];
    int n = 0;
    enum hf_err err = hf_admin_target_read(hf_view_of(target), &t, &why);
    if (err != HF_OK) {
        n = snprintf(text, sizeof text, "%s: %s", hf_err_text(err), why);
    } else {
        for (uint32_t i = 0; i < t.n_segments; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, "[%.*s]", HF_FMT(t.segment[i]));
        for (uint32_t i = 0; i < t.n_queries; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, " %.*s=%.*s", HF_FMT(t.name[i]),
                          HF_FMT(t.value[i]));
    }
    hf_admin_target_done(&t);
    if (strcmp(text, shown) != 0)
        fail_msg("%s: %s, not %s", target, text, shown);
}

static void segments_and_queries_without_their_escapes(void **state)
{
    (void)state;
    expect("/", "[]");
    expect("/metrics", "[metrics]");
    expect("/v1/kv/b/a%2Fb", "[v1][kv][b][a/b]");
    expect("/v1/kv/b/", "[v1][kv][b][]");
    expect("/a?b=c&d=%26%3D&e&&f=", "[a] b=c d=&= e= f=");
    expect("/a?b=c=d", "[a] b=c=d");
    expect("/a+b?c=+", "[a+b] c=+");
    expect("/%c3%A4", "[\xc3\xa4]");
    expect("/a?", "[a]");
}

static void what_is_no_target_is_refused(void **state)
{
    (void)state;
    const char *path = "invalid: a % in the path is not followed by two hexadecimal digits";
    const char *query = "invalid: a % in the query is not followed by two hexadecimal digits";
    expect("", "invalid: a path begins with /");
    expect("*", "invalid: a path begins with /");
    expect("/%", path);
    expect("/%2", path);
    expect("/%2x", path);
    expect("/%g0", path);
    expect("/a?b=%4", query);
    expect("/a?%=b", query);
    expect("/1/2/3/4/5/6/7/8", "[1][2][3][4][5][6][7][8]");
    expect("/1/2/3/4/5/6/7/8/9", "invalid: no such path");
    expect("/?1&2&3&4&5&6&7&8&9&a&b&c&d&e&f&g&h", "invalid: too many values in the query");
}

static void numbers_are_digits_within_their_range(void **state)
{
    static const struct {
        const char *target;
        bool ok;
        uint64_t n;
    } rows[] = {
        {"/", true, 7},         {"/?n=0", true, 0},   {"/?n=100", true, 100},
        {"/?n=101", false, 0},  {"/?n=", false, 0},   {"/?n=-1", false, 0},
        {"/?n=+1", false, 0},   {"/?n=1a", false, 0}, {"/?n=99999999999999999999", false, 0},
        {"/?n=5&n=6", true, 5},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_admin_target t = {0};
        const char *why;
        uint64_t n = 0;
        assert_int_equal(hf_admin_target_read(hf_view_of(rows[i].target), &t, &why), HF_OK);
        bool ok = hf_admin_target_number(&t, "n", 7, 100, &n);
        if (ok != rows[i].ok || (ok && n != rows[i].n))
            fail_msg("%s: %d %llu", rows[i].target, ok, (unsigned long long)n);
        hf_admin_target_done(&t);
    }
    uint64_t n;
    assert_true(hf_admin_number(HF_VIEW("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_false(hf_admin_number(HF_VIEW("18446744073709551616"), UINT64_MAX, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_and_queries_without_their_escapes),
        cmocka_unit_test(what_is_no_target_is_refused),
        cmocka_unit_test(numbers_are_digits_within_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
