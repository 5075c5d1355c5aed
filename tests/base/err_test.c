/* err_test.c - reports: the first wins, context goes before, too much is cut and marked. */
#include "base/err.h"

#include <string.h>

#include "support.h"

static void every_kind_has_its_own_text(void **state)
{
    (void)state;
    for (int a = 0; a < HF_ERR_COUNT; a++) {
        assert_true(strlen(hf_err_text((enum hf_err)a)) > 0);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(hf_err_text((enum hf_err)a), hf_err_text((enum hf_err)b));
    }
    assert_string_equal(hf_err_text(HF_TRAP), "trap");
    assert_string_equal(hf_err_text((enum hf_err)HF_ERR_COUNT), "unheard-of");
}

static void first_report_wins(void **state)
{
    (void)state;
    struct hf_report r = {0};
    assert_int_equal(hf_report_set(&r, HF_INVALID, "byte %d", 7), HF_INVALID);
    assert_int_equal(hf_report_set(&r, HF_IO, "later"), HF_IO);
    assert_int_equal(r.err, HF_INVALID);
    assert_string_equal(r.text, "byte 7");
    assert_int_equal(r.len, strlen("byte 7"));
    hf_report_init(&r);
    assert_int_equal(r.err, HF_OK);
    assert_string_equal(r.text, "");
}

static void wrap_puts_context_before(void **state)
{
    (void)state;
    struct hf_report r = {0};
    (void)hf_report_set(&r, HF_INVALID, "bad magic");
    assert_int_equal(hf_report_wrap(&r, HF_INVALID, "loading %s", "a.wasm"), HF_INVALID);
    assert_string_equal(r.text, "loading a.wasm: bad magic");
    (void)hf_report_wrap(&r, HF_IO, "start");
    assert_string_equal(r.text, "start: loading a.wasm: bad magic");
    assert_int_equal(r.err, HF_INVALID);

    static struct hf_report none; /* nobody said anything below */
    (void)hf_report_wrap(&none, HF_LIMIT, "reading");
    assert_string_equal(none.text, "reading");
    assert_int_equal(none.err, HF_LIMIT);
}

static void add_makes_lines(void **state)
{
    (void)state;
    struct hf_report r = {0};
    (void)hf_report_set(&r, HF_NOT_FOUND, "missing:");
    hf_report_add(&r, "  %s", "one");
    hf_report_add(&r, "  %s", "two");
    assert_string_equal(r.text, "missing:\n  one\n  two");
    assert_int_equal(r.len, strlen(r.text));
}

static void nobody_wants_the_words(void **state)
{
    (void)state;
    assert_int_equal(hf_report_set(NULL, HF_IO, "x"), HF_IO);
    assert_int_equal(hf_report_wrap(NULL, HF_IO, "x"), HF_IO);
    hf_report_add(NULL, "x");
}

/* At every length around the limit: never past the end, always NUL-terminated, marked exactly when
 * cut. */
static void too_long_is_cut_and_marked(void **state)
{
    (void)state;
    static char big[2 * HF_REPORT_MAX];
    memset(big, 'x', sizeof big);
    for (int n = HF_REPORT_MAX - 10; n < HF_REPORT_MAX + 10; n++) {
        static struct hf_report set, wrap, add;
        hf_report_init(&set);
        hf_report_init(&wrap);
        hf_report_init(&add);
        (void)hf_report_set(&set, HF_IO, "%.*s", n, big);
        (void)hf_report_set(&wrap, HF_IO, "%.*s", n - 6, big);
        (void)hf_report_wrap(&wrap, HF_IO, "cont"); /* 4, and 2 of ": " */
        (void)hf_report_set(&add, HF_IO, "y");
        hf_report_add(&add, "%.*s", n - 2, big);
        const struct hf_report *all[] = {&set, &wrap, &add};
        for (size_t i = 0; i < HF_ARRAY_LEN(all); i++) {
            size_t len = strlen(all[i]->text);
            bool cut = n >= HF_REPORT_MAX;
            assert_int_equal(len, cut ? HF_REPORT_MAX - 1 : n);
            assert_int_equal(all[i]->len, len);
            assert_int_equal(strcmp(all[i]->text + len - 3, "...") == 0, cut);
        }
    }
    static struct hf_report r;
    (void)hf_report_set(&r, HF_IO, "%.*s", 2 * HF_REPORT_MAX - 1, big);
    (void)hf_report_wrap(&r, HF_IO, "%.*s", 2 * HF_REPORT_MAX - 1, big);
    hf_report_add(&r, "more");
    assert_int_equal(strlen(r.text), HF_REPORT_MAX - 1);
    assert_string_equal(r.text + HF_REPORT_MAX - 4, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_own_text), cmocka_unit_test(first_report_wins),
        cmocka_unit_test(wrap_puts_context_before),    cmocka_unit_test(add_makes_lines),
        cmocka_unit_test(nobody_wants_the_words),      cmocka_unit_test(too_long_is_cut_and_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
