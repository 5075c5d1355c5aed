/* forward_test.c - a forward moves the duty: the answer skips whoever forwarded. */
#include "support_named.h"

#ifdef STAGE_FAR
/* Which of two is asked first is open there. */
static const char *const near_only[] = {
    "a_middleman_asks_two_others_before_it_forwards",
    NULL};
#endif

static void the_answer_skips_who_forwarded(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "r+");
    stage_script(&s, "b", "f+:c,fwd v r f:c d");
    stage_script(&s, "c", "r=");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a 'q'\n"
               "b: moved\n"
               "b: r moved\n"
               "b: f moved\n"
               "b: d moved\n"
               "c <- request b 'fwd'\n"
               "a <- response c 'by-c' [of c] context c-q nested 'go' ok\n"
               "port 1: ok 'by-a' [of c]\n");
    stage_close(&s);
}

static void an_origin_that_is_a_port_is_answered_straight_too(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "f+:b,1");
    stage_script(&s, "b", "f+:c,2");
    stage_script(&s, "c", "r+");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a '1' [A]\n"
               "c <- request b '2' [A]\n"
               "port 1: ok 'by-c' [A]\n");
    stage_close(&s);
}

static void a_chain_moves_a_blob_and_copies_nothing(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abcd");
    stage_script(&s, "a", "f+:b,1");
    stage_script(&s, "b", "f+:c,2");
    stage_script(&s, "c", "f+:d,3");
    stage_script(&s, "d", "r+");
    struct hf_blob_pool *pool = hf_kernel_blobs(s.k);
    stage_post(&s, "a", "go", "bytes");
    size_t memory = hf_blob_pool_memory(pool);
    assert_int_equal(hf_blob_pool_live(pool), 1);
    stage_run(&s);
    assert_int_equal(hf_blob_pool_memory(pool), memory);
    assert_int_equal(hf_blob_pool_live(pool), 0);
    expect(&s, "a <- request - 'go' [bytes]\n"
               "b <- request a '1' [bytes]\n"
               "c <- request b '2' [bytes]\n"
               "d <- request c '3' [bytes]\n"
               "port 1: ok 'by-d' [bytes]\n");
    stage_close(&s);
}

static void under_one_that_wants_no_answer_it_is_a_plain_tell(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "t=:b,hi r");
    stage_script(&s, "b", "f+:c,on v");
    stage_script(&s, "c", "r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- tell a 'hi' [of a]\n"
               "b: no-request\n"
               "c <- tell b 'on' [of a]\n"
               "c: r no-request\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void under_a_response_it_moves_the_nested_one(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "f+:c,on v r");
    stage_script(&s, "b", "r=");
    stage_script(&s, "c", "r+");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q'\n"
               "a <- response b 'by-b' [of b] context c-q nested 'go' ok\n"
               "a: moved\n"
               "a: r moved\n"
               "c <- request a 'on' [of b]\n"
               "port 1: ok 'by-c' [of b]\n");
    stage_close(&s);
}

static void a_middleman_asks_two_others_before_it_forwards(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abcd");
    stage_script(&s, "a", "s:b,1 s:c,2");
    stage_script(&s, "a", "");
    stage_script(&s, "a", "f+:d,3");
    stage_script(&s, "b", "r");
    stage_script(&s, "c", "r");
    stage_script(&s, "d", "r+");
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'go' [A]\n"
               "b <- request a '1'\n"
               "c <- request a '2'\n"
               "a <- response b 'by-b' context c-1 nested 'go' ok\n"
               "a <- response c 'by-c' context c-2 nested 'go' ok\n"
               "d <- request a '3' [A]\n"
               "port 1: ok 'by-d' [A]\n");
    stage_close(&s);
}

static void a_forwarded_request_that_was_kept_shows_moved(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,q f:c,on");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "r");
    stage_script(&s, "c", "w r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q'\n"
               "c <- request a 'on'\n"
               "a <- response b 'by-b' context c-q nested 'go' moved\n"
               "a: r moved\n");
    stage_gate(&s);
    expect(&s, "port 1: ok 'by-c'\n");
    stage_close(&s);
}

static void a_failed_forward_tells_the_origin(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "f:nobody");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q'\n"
               "a <- error no-such-process of b context c-q nested 'go' ok\n"
               "port 1: ok 'by-a'\n");
    stage_post(&s, "b", "go", NULL);
    stage_script(&s, "b", "f:nobody");
    stage_run(&s);
    expect(&s, "b <- request - 'go'\nport 2: no-such-process 'forwarded to nobody: no process has "
               "this name'\n");
    stage_close(&s);
}

static void a_forwarded_request_that_is_left_undone_is_unanswered_for_the_origin(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "f:c");
    stage_script(&s, "c", "");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q'\n"
               "c <- request b 'x'\n"
               "a <- error unanswered of b context c-q nested 'go' ok\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void death_of_the_last_holder_is_told_to_the_origin(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "f:c");
    stage_script(&s, "b", "F");
    stage_script(&s, "c", "F");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'q'\n"
               "c <- request b 'x'\n"
               "c stops\n"
               "a <- error dead of b context c-q nested 'go' ok\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void who_forwarded_may_die_and_the_answer_still_comes(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "f:c w F");
    stage_script(&s, "c", "w r");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "b stops\n"
               "a <- response c 'by-c' context c-q nested 'go' ok\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void the_deadline_goes_along_and_voids_the_last_one(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "i:50 s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "f:c");
    stage_script(&s, "c", "u v r");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_pass(&s, 50 * MS);
    expect(&s, "c: void\n"
               "c: r void\n"
               "a <- error timeout of b context c-q nested 'go' ok\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void one_that_still_waits_in_a_mailbox_is_taken_out_when_it_is_void(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "c", "w");
    stage_script(&s, "a", "i:50 s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "f+:c");
    stage_post(&s, "c", "block", NULL);
    stage_run(&s);
    stage_post(&s, "a", "go", "A");
    stage_run(&s);
    hf_buf_clear(&s.log);
    assert_true(stage_shows(&s, "c", "1 requests wait"));
    stage_pass(&s, 50 * MS);
    assert_true(stage_shows(&s, "c", "0 requests wait"));
    expect(&s, "a <- error timeout of b context c-q nested 'go' ok\n"
               "port 2: ok 'by-a'\n");
    stage_gate(&s);
    expect(&s, "port 1: unanswered ''\n");
    stage_close(&s);
}

static void a_deferred_forward_is_answered_by_its_token(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    stage_script(&s, "a", "s:b,q");
    stage_script(&s, "a", "r+");
    stage_script(&s, "b", "f=:c");
    stage_script(&s, "c", "d");
    stage_script(&s, "c", "a+ r");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_post(&s, "c", "now", NULL);
    stage_run(&s);
    expect(&s, "c <- request - 'now'\n"
               "a <- response c 'by-c' [of b] context c-q nested 'go' ok\n"
               "port 2: ok 'by-c'\n"
               "port 1: ok 'by-a' [of b]\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_skips_who_forwarded),
        cmocka_unit_test(an_origin_that_is_a_port_is_answered_straight_too),
        cmocka_unit_test(a_chain_moves_a_blob_and_copies_nothing),
        cmocka_unit_test(under_one_that_wants_no_answer_it_is_a_plain_tell),
        cmocka_unit_test(under_a_response_it_moves_the_nested_one),
        cmocka_unit_test(a_middleman_asks_two_others_before_it_forwards),
        cmocka_unit_test(a_forwarded_request_that_was_kept_shows_moved),
        cmocka_unit_test(a_failed_forward_tells_the_origin),
        cmocka_unit_test(a_forwarded_request_that_is_left_undone_is_unanswered_for_the_origin),
        cmocka_unit_test(death_of_the_last_holder_is_told_to_the_origin),
        cmocka_unit_test(who_forwarded_may_die_and_the_answer_still_comes),
        cmocka_unit_test(the_deadline_goes_along_and_voids_the_last_one),
        cmocka_unit_test(one_that_still_waits_in_a_mailbox_is_taken_out_when_it_is_void),
        cmocka_unit_test(a_deferred_forward_is_answered_by_its_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
