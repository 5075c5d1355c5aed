/* ends_test.c - reasons are counted each, sums add up, more reasons than there is room for are not lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/ends.h"

static void note(struct hf_ends *e, const char *why, unsigned n)
{
    while (n-- > 0)
        hf_ends_note(e, &(struct hf_ended){.why = why, .in_order = true});
}

static void expect(const struct hf_ends *e, const char *want)
{
    struct hf_buf text = {0};
    hf_ends_text(e, &text);
    if (!hf_view_eq_text(hf_buf_view(&text), want))
        fail_msg("\"%.*s\", wanted \"%s\"", HF_FMT(hf_buf_view(&text)), want);
    hf_buf_done(&text);
}

static void ends_are_counted_by_reason(void **state)
{
    struct hf_ends a, b;
    (void)state;
    hf_ends_init(&a, "s", NULL);
    hf_ends_init(&b, "s", NULL);
    expect(&a, "");
    note(&a, "idle", 2);
    note(&a, "max-age", 1);
    note(&b, "max-age", 4);
    note(&b, "failed", 1);
    hf_ends_add(&a, &b);
    expect(&a, "2 idle, 5 max-age, 1 failed");
}

static void ends_of_many_reasons_share_the_last(void **state)
{
    static char names[40][8];
    struct hf_ends e;
    uint64_t sum = 0;
    (void)state;
    hf_ends_init(&e, "s", NULL);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "r%u", i);
        note(&e, names[i], i);
    }
    for (unsigned i = 0; i < HF_ENDS_MAX; i++)
        sum += e.reasons[i].n;
    assert_int_equal(sum, 39 * 40 / 2);
    assert_string_equal(e.reasons[HF_ENDS_MAX - 1].why, "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_counted_by_reason),
        cmocka_unit_test(ends_of_many_reasons_share_the_last),
    };
    return cmocka_run_group_tests_name("node/ends", tests, NULL, NULL);
}
