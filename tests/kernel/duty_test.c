/* duty_test.c - the duty rule and the cases of doc/kernel.md's table: one request A, what may be
 * done with it, who is told what and when. */
#include "support_named.h"

#ifdef STAGE_FAR
/* Whose answer is first, or whether one is seen before who sent it died, is open there. */
static const char *const near_only[] = {
    "fan_out_shares_one_request_and_the_first_answer_wins",
    "any_number_in_series_never_deeper_than_one",
    "requests_of_a_dead_process_are_void",
    NULL};
#endif

static void respond_goes_to_the_origin_once(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "v r v r f:a d");
    stage_post(&s, "a", "hi", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'hi'\n"
               "a: ok\n"
               "a: already-answered\n"
               "a: r already-answered\n"
               "a: f already-answered\n"
               "a: d already-answered\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void respond_with_inherit_gives_the_blob_back(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "r+");
    stage_script(&s, "a", "r");
    stage_script(&s, "a", "r=");
    for (int i = 0; i < 3; i++)
        stage_post(&s, "a", "hi", "bytes");
    stage_run(&s);
    expect(&s, "a <- request - 'hi' [bytes]\n"
               "a <- request - 'hi' [bytes]\n"
               "a <- request - 'hi' [bytes]\n"
               "port 1: ok 'by-a' [bytes]\n"
               "port 2: ok 'by-a'\n"
               "port 3: ok 'by-a' [of a]\n");
    stage_close(&s);
}

static void a_request_that_wants_no_answer_is_current_too(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "t=:b,hi r");
    stage_script(&s, "b", "v r d t+:a,back");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- tell a 'hi' [of a]\n"
               "b: no-request\n"
               "b: r no-request\n"
               "b: d no-request\n"
               "a <- tell b 'back' [of a]\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_request_left_undone_is_unanswered_at_once(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,hi r");
    stage_script(&s, "b", "");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'hi'\n"
               "a <- error unanswered of b context c-hi nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_response_has_what_was_kept_as_nested(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,q1");
    stage_script(&s, "a", "r+ r+");
    stage_script(&s, "b", "r=");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a 'q1'\n"
               "a <- response b 'by-b' [of b] context c-q1 nested 'go' ok\n"
               "a: r+ already-answered\n"
               "port 1: ok 'by-a' [of b]\n");
    stage_close(&s);
}

static void a_blob_is_there_as_long_as_its_message_is_in_hand(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s=:b,q r");
    stage_script(&s, "b", "r w t+:c,after");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_gate(&s); /* the answer was delivered long ago */
    expect(&s, "c <- tell b 'after' [of a]\n");
    stage_close(&s);
}

static void nested_blob_is_inherited_when_current_has_none(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,q1");
    stage_script(&s, "a", "r+");
    stage_script(&s, "b", "r");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a 'q1'\n"
               "a <- response b 'by-b' context c-q1 nested 'go' ok\n"
               "port 1: ok 'by-a' [A]\n");
    stage_close(&s);
}

static void explicit_before_current_before_nested_before_none(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abcd");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "t=:c,own t+:c,current b t+:c,nested t:c,none r");
    stage_script(&s, "b", "r=");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a 'q'\n"
               "a <- response b 'by-b' [of b] context c-q nested 'go' ok\n"
               "c <- tell a 'own' [of a]\n"
               "c <- tell a 'current' [of b]\n"
               "c <- tell a 'nested' [A]\n"
               "c <- tell a 'none'\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void never_a_blob_of_another_conversation(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abd");
    stage_script(&s, "a", "s:b,q1"); /* A, with a blob */
    stage_script(&s, "a", "r+");     /* D, without: has nothing to inherit */
    stage_script(&s, "a", "r+");     /* the answer to q1, under A */
    stage_script(&s, "b", "w r");
    stage_post(&s, "a", "A", "blob of A");
    stage_run(&s);
    stage_post(&s, "a", "D", NULL);
    stage_run(&s);
    stage_gate(&s);
    expect(&s, "a <- request - 'A' [blob of A]\n"
               "b <- request a 'q1'\n"
               "a <- request - 'D'\n"
               "port 2: ok 'by-a'\n"
               "a <- response b 'by-b' context c-q1 nested 'A' ok\n"
               "port 1: ok 'by-a' [blob of A]\n");
    stage_close(&s);
}

static void any_number_in_series_never_deeper_than_one(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,one");
    stage_script(&s, "a", "s+:c,two s+:b,three"); /* the answer of b goes into both */
    stage_script(&s, "a", "v");
    stage_script(&s, "a", "r+");
    s.defaults = "r=";
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a 'one'\n"
               "a <- response b 'by-b' [of b] context c-one nested 'go' ok\n"
               "b <- request a 'three' [of b]\n"
               "c <- request a 'two' [of b]\n"
               "a <- response b 'by-b' [of b] context c-three nested 'go' ok\n"
               "a: ok\n"
               "a <- response c 'by-c' [of c] context c-two nested 'go' ok\n"
               "port 1: ok 'by-a' [of c]\n");
    stage_close(&s);
}

static void fan_out_shares_one_request_and_the_first_answer_wins(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abcd");
    stage_script(&s, "a", "s:b,1 s:c,2 s:d,3");
    stage_script(&s, "a", "r");
    s.defaults = "r";
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "c <- request a '2'\n"
               "d <- request a '3'\n"
               "a <- response b 'by-b' context c-1 nested 'go' ok\n"
               "a <- response c 'by-c' context c-2 nested 'go' already-answered\n"
               "a: r already-answered\n"
               "a <- response d 'by-d' context c-3 nested 'go' already-answered\n"
               "a: r already-answered\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void the_last_of_a_fan_out_that_does_nothing_leaves_it_unanswered(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,1 s:c,2");
    stage_script(&s, "a", "");
    stage_script(&s, "a", "");
    stage_script(&s, "b", "r");
    stage_script(&s, "c", "w r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "c <- request a '2'\n"
               "a <- response b 'by-b' context c-1 nested 'go' ok\n");
    stage_gate(&s);
    expect(&s, "a <- response c 'by-c' context c-2 nested 'go' ok\n"
               "port 1: unanswered ''\n");
    stage_close(&s);
}

static void a_response_under_nothing_cannot_be_answered(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "start:a", "s:b,early");
    stage_script(&s, "a", "r"); /* the request that made it */
    stage_script(&s, "a", "v r f:b d");
    stage_script(&s, "b", "r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'early'\n"
               "a <- response b 'by-b' context c-early\n"
               "a: no-request\n"
               "a: r no-request\n"
               "a: f no-request\n"
               "a: d no-request\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_deferred_request_is_answered_by_its_token_only(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "d v r f:a d");
    stage_script(&s, "a", "r a+ a");
    stage_post(&s, "a", "first", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'first' [A]\n"
               "a: deferred\n"
               "a: r deferred\n"
               "a: f deferred\n"
               "a: d deferred\n");
    assert_true(stage_shows(&s, "a", "1 tokens"));
    stage_post(&s, "a", "second", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'second'\n"
               "a: a no-request\n"
               "port 2: ok 'by-a'\n"
               "port 1: ok 'by-a' [A]\n");
    stage_close(&s);
}

static void a_token_that_is_dropped_leaves_it_unanswered(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "d A a A v");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: a no-request\n"
               "a: A no-request\n"
               "a: already-answered\n"
               "port 1: unanswered ''\n");
    stage_close(&s);
}

static void a_request_that_was_deferred_is_kept_under_others_but_not_held(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "d s:b,q");
    stage_script(&s, "a", "r t+:b,blob a");
    stage_script(&s, "b", "r");
    stage_script(&s, "b", "");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a 'q'\n"
               "a <- response b 'by-b' context c-q nested 'go' deferred\n"
               "a: r deferred\n"
               "b <- tell a 'blob' [A]\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void death_tells_every_waiting_origin_at_once(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "d");         /* by token */
    stage_script(&s, "a", "s:b,never"); /* under a pending one */
    stage_script(&s, "a", "w F");       /* in hand */
    stage_script(&s, "b", "d");
    for (int i = 0; i < 4; i++) /* the last waits in the mailbox */
        stage_post(&s, "a", "go", "A");
    stage_run(&s);
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "a stops\n"
               "b <- void\n"
               "port 3: dead 'boom'\n"
               "port 1: dead 'boom'\n"
               "port 2: dead 'boom'\n"
               "port 4: dead 'boom'\n");
    assert_int_equal(hf_blob_pool_live(hf_kernel_blobs(s.k)), 0);
    assert_int_equal(hf_named_count(s.k), 1);
    stage_close(&s);
}

static void death_by_a_limit_says_so(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "L");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\na stops\nport 1: limit 'too much'\n");
    stage_close(&s);
}

static void requests_of_a_dead_process_are_void(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,held s:c,queued w F");
    stage_script(&s, "b", "d");
    stage_script(&s, "b", "a v");
    stage_script(&s, "c", "w");
    stage_post(&s, "c", "block", NULL);
    stage_go(&s, "a");
    assert_true(stage_shows(&s, "c", "1 requests wait"));
    hf_buf_clear(&s.log);
    stage_gate(&s);
    /* c never sees the request; b's token answers nobody */
    expect(&s, "a stops\n"
               "b <- void\n"
               "b: a void\n"
               "b: no-request\n"
               "port 1: unanswered ''\n"
               "port 2: dead 'boom'\n");
    stage_close(&s);
}

static void an_end_in_order_is_a_death_for_who_waits(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "d");
    stage_script(&s, "a", "r x");
    stage_post(&s, "a", "one", NULL);
    stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'one'\n"
               "a <- request - 'two'\n"
               "a stops\n"
               "port 2: ok 'by-a'\n"
               "port 1: dead 'script'\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(respond_goes_to_the_origin_once),
        cmocka_unit_test(respond_with_inherit_gives_the_blob_back),
        cmocka_unit_test(a_request_that_wants_no_answer_is_current_too),
        cmocka_unit_test(a_request_left_undone_is_unanswered_at_once),
        cmocka_unit_test(a_response_has_what_was_kept_as_nested),
        cmocka_unit_test(a_blob_is_there_as_long_as_its_message_is_in_hand),
        cmocka_unit_test(nested_blob_is_inherited_when_current_has_none),
        cmocka_unit_test(explicit_before_current_before_nested_before_none),
        cmocka_unit_test(never_a_blob_of_another_conversation),
        cmocka_unit_test(any_number_in_series_never_deeper_than_one),
        cmocka_unit_test(fan_out_shares_one_request_and_the_first_answer_wins),
        cmocka_unit_test(the_last_of_a_fan_out_that_does_nothing_leaves_it_unanswered),
        cmocka_unit_test(a_response_under_nothing_cannot_be_answered),
        cmocka_unit_test(a_deferred_request_is_answered_by_its_token_only),
        cmocka_unit_test(a_token_that_is_dropped_leaves_it_unanswered),
        cmocka_unit_test(a_request_that_was_deferred_is_kept_under_others_but_not_held),
        cmocka_unit_test(death_tells_every_waiting_origin_at_once),
        cmocka_unit_test(death_by_a_limit_says_so),
        cmocka_unit_test(requests_of_a_dead_process_are_void),
        cmocka_unit_test(an_end_in_order_is_a_death_for_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
