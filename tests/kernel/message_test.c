/* message_test.c - what comes back: contexts, errors, timeouts, cancels; mailboxes and their
 * bounds; order. */
#include "support_named.h"

#ifdef STAGE_FAR
/* Errors of others and of this kernel fall between each other; far_test.c counts them. */
static const char *const near_only[] = {
    "a_full_mailbox_says_full_to_requests_and_counts_tells",
    "no_such_process_comes_as_a_message",
    NULL};
#endif

static void the_context_comes_back_once_with_the_answer_or_the_error(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,1 s:nobody,2 r");
    stage_script(&s, "b", "r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a <- error no-such-process of nobody context c-2 nested 'go' already-answered\n"
               "b <- request a '1'\n"
               "a <- response b 'by-b' context c-1 nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_timeout_restores_the_nested_request_and_gives_the_blob_back(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "i:20 s=:b,q");
    stage_script(&s, "a", "r+");
    stage_script(&s, "b", "d");
    stage_script(&s, "b", "a v");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q' [of a]\n");
    stage_pass(&s, 20 * MS);
    expect(&s, "b <- void\n"
               "b: a void\n"
               "b: no-request\n"
               "a <- error timeout of b [of a] context c-q nested 'go' ok\n"
               "port 1: ok 'by-a' [of a]\n");
    stage_close(&s);
}

static void a_late_answer_is_dropped_and_counted(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "i:20 s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "w r");
    stage_go(&s, "a");
    stage_pass(&s, 20 * MS);
    hf_buf_clear(&s.log);
    stage_gate(&s);
    struct hf_message_stats st;
    hf_message_get_stats(s.k, &st);
    assert_int_equal(st.errors[HF_ANSWER_TIMEOUT], 1);
    expect(&s, "b: r void\n");
    stage_close(&s);
}

static void an_expired_request_is_not_handled(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "b", "w");
    stage_script(&s, "a", "i:20 s:b,q r");
    stage_post(&s, "b", "block", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_pass(&s, 20 * MS);
    expect(&s, "a <- error timeout of b context c-q nested 'go' already-answered\n");
    stage_gate(&s);
    expect(&s, "port 1: unanswered ''\n");
    stage_close(&s);
}

static void cancel_voids_and_gives_the_context_back(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s=:b,q r w c c");
    stage_script(&s, "b", "d");
    stage_script(&s, "b", "v");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "a: c no-request\n"
               "b <- void\n"
               "b: no-request\n"
               "a <- error cancelled of b [of a] context c-q nested 'go' already-answered\n");
    stage_close(&s);
}

static void cancel_in_the_same_turn_is_never_seen_by_the_other(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,q c r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a <- error cancelled of b context c-q nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void nobody_cancels_what_is_not_his(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,q r");
    stage_script(&s, "b", "r");
    uint64_t id = stage_post(&s, "a", "go", NULL);
    hf_port_cancel(s.k, id + 1); /* not there yet */
    stage_run(&s);
    hf_port_cancel(s.k, id + 1); /* a's request */
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q'\n"
               "a <- response b 'by-b' context c-q nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_port_may_cancel_and_the_holder_hears(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "u v r");
    stage_script(&s, "a", "d");
    stage_script(&s, "a", "");
    uint64_t id = stage_post(&s, "a", "go", NULL);
    stage_run(&s);
    hf_port_cancel(s.k, id);
    stage_run(&s);
    expect(&s, "a <- request - 'go'\n"
               "a: void\n"
               "a: r void\n"
               "port 1: cancelled ''\n");
    id = stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    hf_port_cancel(s.k, id);
    hf_port_cancel(s.k, id);
    stage_run(&s);
    expect(&s, "a <- request - 'two'\n"
               "a <- void\n"
               "port 2: cancelled ''\n");
    stage_close(&s);
}

static void no_such_process_comes_as_a_message(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_class(&s, "kid", (struct hf_named_settings){.spawned = true});
    stage_script(&s, "a", "s:b s:kid s:kid/1 s:a/~1 s:B r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a <- error no-such-process of b context c-x nested 'go' already-answered\n"
               "a <- error no-such-process of kid context c-x nested 'go' already-answered\n"
               "a <- error no-such-process of kid/1 context c-x nested 'go' already-answered\n"
               "a <- error no-such-process of a/~1 context c-x nested 'go' already-answered\n"
               "a <- error no-such-process of B context c-x nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n");
    uint64_t id;
    assert_int_equal(stage_try_post(&s, "kid/1", "", NULL, 0, &id), HF_NOT_FOUND);
    assert_int_equal(stage_try_post(&s, "a/..", "", NULL, 0, &id), HF_NOT_FOUND);
    stage_close(&s);
}

static void a_full_mailbox_says_full_to_requests_and_counts_tells(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    struct hf_message_stats st;
    uint64_t id;
    struct hf_class *b = stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 2});
    stage_script(&s, "b", "w");
    stage_script(&s, "a", "m:b s:b,1 t:b,2 s:b,3 t:b,4 t:b,5 r");
    stage_post(&s, "b", "block", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    expect(&s, "b <- request - 'block'\n"
               "a <- request - 'go'\n"
               "a <- error full of b context c-3 nested 'go' already-answered\n"
               "a <- refused b: 2\n"
               "port 2: ok 'by-a'\n");
    assert_int_equal(stage_try_post(&s, "b", "", NULL, 0, &id), HF_LIMIT);
    hf_message_get_stats(s.k, &st);
    assert_int_equal(st.refused_tells, 2);
    assert_int_equal(st.errors[HF_ANSWER_FULL], 1);
    assert_int_equal(stats_of(b).refused, 3); /* two tells, the post */
    stage_gate(&s);
    expect(&s, "b <- request a '1'\n"
               "a <- error unanswered of b context c-1 nested 'go' already-answered\n"
               "b <- tell a '2'\n"
               "port 1: unanswered ''\n");
    stage_close(&s);
}

static void answers_errors_and_notices_are_never_refused(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.mailbox_max = 1});
    stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 1});
    stage_script(&s, "a", "w s:b,1 w");
    stage_script(&s, "b", "w s:a,2 w");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "r");
    stage_post(&s, "a", "go", NULL);
    stage_go(&s, "b");
    stage_gate(&s);
    hf_buf_clear(&s.log);
    /* both are full, each with the other's request; both answer, and hear the answer */
    assert_true(stage_shows(&s, "a", "1 requests wait of 1"));
    assert_true(stage_shows(&s, "b", "1 requests wait of 1"));
    stage_gate(&s);
    expect(&s, "a <- request b '2'\n"
               "b <- request a '1'\n"
               "a <- response b 'by-b' context c-1 nested 'go' ok\n"
               "b <- response a 'by-a' context c-2 nested 'go' ok\n"
               "port 1: unanswered ''\n"
               "port 2: unanswered ''\n");
    stage_close(&s);
}

static void a_sender_that_parks_goes_on_when_there_is_room(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 1});
    stage_script(&s, "b", "w");
    stage_script(&s, "b", "w");
    stage_script(&s, "a", "p:b,1 p:b,2 p:b,3 r");
    stage_script(&s, "a", "r");
    stage_post(&s, "b", "block", NULL);
    stage_run(&s);
    stage_post(&s, "a", "go", NULL);
    stage_post(&s, "a", "next", NULL);
    stage_run(&s);
    expect(&s, "b <- request - 'block'\n"
               "a <- request - 'go'\n"
               "port 2: ok 'by-a'\n");
    assert_true(stage_shows(&s, "a", "parked"));
    assert_true(stage_shows(&s, "b", "3 requests wait of 1"));
    stage_gate(&s);
    /* the first is handled; the other two still lie over the bound, or just went */
    assert_true(stage_shows(&s, "b", "2 requests wait of 1"));
    assert_true(stage_shows(&s, "a", "parked"));
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "b <- tell a '2'\n"
               "b <- tell a '3'\n"
               "a <- request - 'next'\n"
               "port 3: ok 'by-a'\n");
    stage_close(&s);
}

static void messages_of_one_to_another_arrive_in_the_order_sent(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "b", "w d");
    stage_script(&s, "b", "a");
    stage_script(&s, "b", "");
    stage_script(&s, "b", "t:a,5 r t:a,6");
    stage_script(&s, "a", "s:b,1");
    stage_script(&s, "a", "t:b,2 s:b,3 t:b,4");
    stage_post(&s, "b", "first", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    stage_post(&s, "a", "on", NULL);
    stage_run(&s);
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "b <- request a '1'\n"
               "a <- error unanswered of b context c-1 nested 'go' ok\n"
               "b <- tell a '2'\n"
               "b <- request a '3'\n"
               "a <- tell b '5'\n"
               "b <- tell a '4'\n"
               "a <- response b 'by-b' context c-3 nested 'on' ok\n"
               "a <- tell b '6'\n"
               "port 1: ok 'by-b'\n"
               "port 2: unanswered ''\n"
               "port 3: unanswered ''\n");
    stage_close(&s);
}

static void a_message_to_oneself_is_like_any_other(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "s+:a,self");
    stage_script(&s, "a", "r+");
    stage_script(&s, "a", "r+");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "a <- request a 'self' [A]\n"
               "a <- response a 'by-a' [A] context c-self nested 'go' ok\n"
               "port 1: ok 'by-a' [A]\n");
    stage_close(&s);
}

static void limits_are_said_by_the_verb(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a",
                (struct hf_named_settings){.pending_max = 2,
                                           .sends_max = 3,
                                           .tokens_max = 1,
                                           .timers_max = 1,
                                           .watches_max = 1,
                                           .message_max = 10});
    stage_classes(&s, "b");
    stage_script(&s, "b", "w r");
    stage_script(&s, "b", "w r");
    stage_script(&s, "a", "s:b,1 s:b,2 s:b,3 t:b,4 t:b,5 d T T m:b m:b");
    stage_script(&s, "a", "d t:b,12345678901 A a");
    stage_post(&s, "a", "go", NULL);
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: s limit\n"
               "a: t limit\n"
               "a: T limit\n"
               "a: m limit\n"
               "a <- request - 'go'\n"
               "a: d limit\n"
               "a: t too-large\n"
               "a: a no-request\n"
               "b <- request a '1'\n"
               "port 1: unanswered ''\n"
               "port 2: unanswered ''\n");
    stage_close(&s);
}

static void the_bound_of_sends_is_one_of_a_segment(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.sends_max = 1});
    stage_classes(&s, "b");
    stage_script(&s, "a", "m:b t:b,1 t:b,2 w m:b t:b,3");
    stage_script(&s, "a", "m:b t:b,4");
    stage_post(&s, "a", "go", NULL);
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "b <- tell a '3'\n"
               "a <- request - 'go'\n"
               "b <- tell a '4'\n"
               "a <- ended b: no-such-process 'no process has this name'\n"
               "port 1: unanswered ''\n"
               "port 2: unanswered ''\n");
    stage_close(&s);
}

static void responses_are_bounded_too(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.message_max = 3});
    stage_script(&s, "a", "r v");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: r too-large\n"
               "a: ok\n"
               "port 1: unanswered ''\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_context_comes_back_once_with_the_answer_or_the_error),
        cmocka_unit_test(a_timeout_restores_the_nested_request_and_gives_the_blob_back),
        cmocka_unit_test(a_late_answer_is_dropped_and_counted),
        cmocka_unit_test(an_expired_request_is_not_handled),
        cmocka_unit_test(cancel_voids_and_gives_the_context_back),
        cmocka_unit_test(cancel_in_the_same_turn_is_never_seen_by_the_other),
        cmocka_unit_test(nobody_cancels_what_is_not_his),
        cmocka_unit_test(a_port_may_cancel_and_the_holder_hears),
        cmocka_unit_test(no_such_process_comes_as_a_message),
        cmocka_unit_test(a_full_mailbox_says_full_to_requests_and_counts_tells),
        cmocka_unit_test(answers_errors_and_notices_are_never_refused),
        cmocka_unit_test(a_sender_that_parks_goes_on_when_there_is_room),
        cmocka_unit_test(messages_of_one_to_another_arrive_in_the_order_sent),
        cmocka_unit_test(a_message_to_oneself_is_like_any_other),
        cmocka_unit_test(limits_are_said_by_the_verb),
        cmocka_unit_test(the_bound_of_sends_is_one_of_a_segment),
        cmocka_unit_test(responses_are_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
