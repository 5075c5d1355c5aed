/* await_test.c - send and await: the answer is a value, current stays, others wait; rings are
 * found. */
#include "support_named.h"

#ifdef STAGE_FAR
/* Who closes a ring hears it when somebody has looked, and others may have seen his request:
 * far_test.c. */
static const char *const near_only[] = {
    "a_ring_of_awaits_is_a_cycle_for_who_closes_it",
    "two_that_park_on_each_other_are_a_cycle",
    NULL};
#endif

static void current_stays_and_the_answer_is_a_value(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "k+:b,q v r+");
    stage_script(&s, "b", "r=");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a 'q' [A]\n"
               "a <= ok 'by-b' [of b] context c-q\n"
               "a: ok\n"
               "port 1: ok 'by-a' [A]\n");
    stage_close(&s);
}

static void other_messages_wait_meanwhile(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "k:b,q r");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "w r");
    stage_go(&s, "a");
    stage_post(&s, "a", "next", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q'\n");
    stage_gate(&s);
    expect(&s, "a <= ok 'by-b' context c-q\n"
               "a <- request - 'next'\n"
               "port 1: ok 'by-a'\n"
               "port 2: ok 'by-a'\n");
    stage_close(&s);
}

static void errors_come_as_values_too(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "i:20 k:b,1 k:nobody,2 r");
    stage_script(&s, "b", "d");
    stage_go(&s, "a");
    stage_pass(&s, 20 * MS);
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "b <- void\n"
               "a <= timeout '' context c-1\n"
               "a <= no-such-process 'no process has this name' context c-2\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void awaiting_oneself_is_a_cycle(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "k:a,me r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a <= cycle 'it would wait for itself' context c-me\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_ring_of_awaits_is_a_cycle_for_who_closes_it(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "k:b,1 r");
    stage_script(&s, "b", "k:c,2 r");
    stage_script(&s, "c", "k:a,3 r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "c <- request b '2'\n"
               "c <= cycle 'it would wait for itself' context c-3\n"
               "b <= ok 'by-c' context c-2\n"
               "a <= ok 'by-b' context c-1\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_forward_back_to_who_awaits_is_a_cycle(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "k:b,1 r");
    stage_script(&s, "b", "f:c");
    stage_script(&s, "c", "f:a");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "c <- request b 'x'\n"
               "a <= cycle 'forwarded to a: it would wait for itself' context c-1\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void two_that_call_each_other_without_awaiting_are_no_cycle(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,1");
    stage_script(&s, "b", "k:a,2 r");
    stage_script(&s, "a", "r");
    stage_script(&s, "a", "r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "a <- request b '2'\n"
               "b <= ok 'by-a' context c-2\n"
               "a <- response b 'by-b' context c-1 nested 'go' ok\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void two_that_park_on_each_other_are_a_cycle(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.mailbox_max = 1});
    stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 1});
    stage_script(&s, "a", "w p:b,1 p:b,2 r");
    stage_script(&s, "b", "w P:a,3 P:a,4 r");
    stage_script(&s, "b", "");
    stage_script(&s, "b", "");
    stage_script(&s, "a", "");
    stage_script(&s, "b", "");
    stage_post(&s, "a", "go", NULL);
    stage_go(&s, "b");
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "b <- tell a '1'\n"
               "b <- tell a '2'\n"
               "a <- request b '3'\n"
               "b <- error cycle of a context c-4 nested 'go' already-answered\n"
               "b <- error unanswered of a context c-3 nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n"
               "port 2: ok 'by-b'\n");
    stage_close(&s);
}

static void a_death_while_awaiting_voids_it(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "k:b,1 r");
    stage_script(&s, "b", "w v r");
    stage_go(&s, "a");
    assert_int_equal(hf_named_kill(s.k, HF_VIEW("a"), HF_VIEW("by the test")), HF_OK);
    stage_run(&s);
    stage_gate(&s);
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "a stops\n"
               "port 1: dead 'by the test'\n"
               "b: void\n"
               "b: r void\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(current_stays_and_the_answer_is_a_value),
        cmocka_unit_test(other_messages_wait_meanwhile),
        cmocka_unit_test(errors_come_as_values_too),
        cmocka_unit_test(awaiting_oneself_is_a_cycle),
        cmocka_unit_test(a_ring_of_awaits_is_a_cycle_for_who_closes_it),
        cmocka_unit_test(a_forward_back_to_who_awaits_is_a_cycle),
        cmocka_unit_test(two_that_call_each_other_without_awaiting_are_no_cycle),
        cmocka_unit_test(two_that_park_on_each_other_are_a_cycle),
        cmocka_unit_test(a_death_while_awaiting_voids_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
