/* near_test.c - how far one word is from another, and what is near enough to be offered. */
#include "support.h"

#include "base/near.h"

static unsigned far(const char *a, const char *b)
{
    unsigned d = hf_near_distance(hf_view_of(a), hf_view_of(b));
    assert_int_equal(hf_near_distance(hf_view_of(b), hf_view_of(a)), d);
    return d;
}

static void each_deed_counts_one(void **state)
{
    (void)state;
    assert_int_equal(far("", ""), 0);
    assert_int_equal(far("", "abc"), 3);
    assert_int_equal(far("serve", "serve"), 0);
    assert_int_equal(far("serve", "serves"), 1);
    assert_int_equal(far("serve", "srve"), 1);
    assert_int_equal(far("serve", "sarve"), 1);
    assert_int_equal(far("serve", "sevre"), 1); /* neighbours are swapped */
    assert_int_equal(far("serve", "evres"), 3);
    assert_int_equal(far("instnaces", "instances"), 1);
    assert_int_equal(far("keep-alive", "KEEP_ALIVE"), 0);
    assert_int_equal(far("kitten", "sitting"), 3);
    assert_int_equal(far("max_requests", "max-REQUESTS"), 0);
}

static void a_long_word_is_far_from_all(void **state)
{
    char at[41], over[42];
    (void)state;
    memset(at, 'a', 40);
    memset(over, 'a', 41);
    at[40] = over[41] = '\0';
    assert_int_equal(far(at, at), 0);
    assert_int_equal(far(at, ""), 40);
    assert_int_equal(far(over, over), HF_NEAR_FAR);
    assert_int_equal(far("a", over), HF_NEAR_FAR);
    assert_false(hf_near_enough(hf_view_of(over), hf_view_of(over)));
}

static void a_third_may_be_wrong_and_three_at_most(void **state)
{
    static const struct {
        const char *a, *b;
        bool near;
    } cases[] = {
        {"ls", "la", true}, /* one always may */
        {"ls", "xy", false},
        {"serve", "srev", false},
        {"serve", "serfe", true},
        {"status", "statsu", true},
        {"status", "stutas", true},
        {"status", "strata", false},
        {"wokrers", "workers", true},
        {"mx", "max", true},
        {"ab", "cd", false},
        {"replicas", "routes", false},
        {"request-timeout", "reqest_timout", true},
        {"request-timeout", "rqst_timout", false}, /* four */
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++)
        if (hf_near_enough(hf_view_of(cases[i].a), hf_view_of(cases[i].b)) != cases[i].near)
            fail_msg("%s and %s: %u", cases[i].a, cases[i].b, far(cases[i].a, cases[i].b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_deed_counts_one),
        cmocka_unit_test(a_long_word_is_far_from_all),
        cmocka_unit_test(a_third_may_be_wrong_and_three_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
