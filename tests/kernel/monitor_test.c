/* monitor_test.c - who hears of whose end: monitors, links, notices; timers. */
#include "support_named.h"

#ifdef STAGE_FAR
/* Whether a child is there is not known at once; errors fall between each other: far_test.c. */
static const char *const near_only[] = {
    "a_parent_ends_its_children_and_only_those",
    "a_start_that_fails_is_told_too",
    "no_process_is_told_at_once",
    NULL};
#endif

static void a_monitor_gets_one_notice_with_the_reason(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "t:b,make m:b m:b r");
    stage_script(&s, "b", "");
    stage_script(&s, "b", "");
    stage_script(&s, "b", "F");
    stage_post(&s, "b", "make", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_post(&s, "b", "fail", NULL);
    stage_run(&s);
    expect(&s, "b <- request - 'fail'\n"
               "b stops\n"
               "a <- ended b: dead 'boom'\n"
               "a <- ended b: dead 'boom'\n"
               "port 3: dead 'boom'\n");
    stage_close(&s);
}

static void no_process_is_told_at_once(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "m:b m:nobody/1 r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a <- ended b: no-such-process 'no process has this name'\n"
               "a <- ended nobody/1: no-such-process 'no process has this name'\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void an_end_in_order_is_told_as_ok(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "b", "");
    stage_script(&s, "a", "m:b r");
    stage_script(&s, "b", "x");
    stage_post(&s, "b", "make", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "b stops\n"
               "a <- ended b: ok 'script'\n"
               "port 3: unanswered ''\n");
    stage_close(&s);
}

static void unwatch_takes_the_notice_out_of_the_mailbox(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "b", "");
    stage_script(&s, "a", "m:b w U U r");
    stage_script(&s, "b", "F");
    stage_post(&s, "b", "make", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    stage_go(&s, "b");
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "a: U no-request\n"
               "port 2: ok 'by-a'\n");
    stage_close(&s);
}

/* b is made, and each of these (one letter a class) is linked to it; the log is forgotten. */
static void link_to_b(struct stage *s, const char *letters)
{
    stage_script(s, "b", "");
    stage_post(s, "b", "make", NULL);
    stage_run(s);
    for (; *letters != '\0'; letters++) {
        const char name[] = {*letters, '\0'};
        stage_script(s, name, "l:b r");
        stage_go(s, name);
    }
    hf_buf_clear(&s->log);
}

static void a_link_takes_the_other_along(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "abc");
    link_to_b(&s, "a");
    stage_script(&s, "a", "d");
    stage_script(&s, "b", "F");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "b stops\n"
               "a stops\n"
               "port 4: dead 'boom'\n"
               "port 3: dead 'linked to b, which ended: boom'\n");
    stage_close(&s);
}

static void a_link_works_both_ways_and_is_over_then(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    link_to_b(&s, "a");
    stage_script(&s, "a", "F");
    stage_script(&s, "b", "");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a stops\n"
               "b stops\n"
               "port 3: dead 'boom'\n");
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "port 4: unanswered ''\n");
    stage_close(&s);
}

static void who_traps_gets_a_notice_instead(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.trap_links = true});
    stage_classes(&s, "b");
    link_to_b(&s, "a");
    stage_script(&s, "b", "F");
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "b stops\n"
               "a <- exit b: dead 'boom'\n"
               "port 3: dead 'boom'\n");
    stage_close(&s);
}

static void an_end_in_order_leaves_the_linked_alone(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){});
    stage_class(&s, "c", (struct hf_named_settings){.trap_links = true});
    stage_classes(&s, "b");
    link_to_b(&s, "ac");
    stage_script(&s, "b", "x");
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "b stops\n"
               "c <- exit b: ok 'script'\n"
               "port 4: unanswered ''\n");
    stage_close(&s);
}

static void unlinked_is_unlinked_for_both(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "b", "");
    stage_script(&s, "a", "l:b U r");
    stage_script(&s, "b", "F");
    stage_script(&s, "a", "F");
    stage_post(&s, "b", "make", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_go(&s, "b");
    stage_go(&s, "a");
    expect(&s, "b <- request - 'go'\n"
               "b stops\n"
               "port 3: dead 'boom'\n"
               "a <- request - 'go'\n"
               "a stops\n"
               "port 4: dead 'boom'\n");
    stage_close(&s);
}

static void a_link_to_nobody_is_a_death(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "l:b r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a stops\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void children_are_watched_from_their_beginning(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "M:b/1 t:b/1 r");
    stage_script(&s, "b/1", "F");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b/1 <- tell a 'x'\n"
               "b/1 stops\n"
               "a <- ended b/1: dead 'boom'\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_start_that_fails_is_told_too(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "M:b/1 s:b/1,q r");
    stage_script(&s, "start:b/1", "F");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b/1 stops\n"
               "a <- ended b/1: dead 'boom'\n"
               "a <- error dead of b/1 context c-q nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_parent_ends_its_children_and_only_those(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "M:b/1 t:b/1 r");
    stage_script(&s, "b/1", "r");
    stage_script(&s, "b/2", "r");
    stage_script(&s, "a", "K");
    stage_script(&s, "a", "M:b/2 t:b/2");
    stage_script(&s, "a", "O");
    stage_script(&s, "a", "");
    stage_script(&s, "a", "K");
    stage_go(&s, "a");
    stage_go(&s, "a");
    stage_go(&s, "a");
    stage_go(&s, "a");
    assert_int_equal(hf_named_count(s.k), 1);
    expect(&s, "a <- request - 'go'\n"
               "b/1 <- tell a 'x'\n"
               "b/1: r no-request\n"
               "port 1: ok 'by-a'\n"
               "a <- request - 'go'\n"
               "b/1 stops\n"
               "a <- ended b/1: dead 'by wish'\n"
               "b/2 <- tell a 'x'\n"
               "b/2: r no-request\n"
               "port 2: unanswered ''\n"
               "a <- request - 'go'\n"
               "b/2 stops\n"
               "a <- ended b/2: ok 'stopped'\n"
               "port 3: unanswered ''\n"
               "a <- request - 'go'\n"
               "a: K no-request\n"
               "port 4: unanswered ''\n");
    stage_close(&s);
}

static void a_timer_is_a_notice(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "T r");
    stage_script(&s, "a", "");
    stage_script(&s, "a", "T C C r");
    stage_go(&s, "a");
    stage_pass(&s, 9 * MS);
    expect(&s, "a <- request - 'go'\n"
               "port 1: ok 'by-a'\n");
    stage_pass(&s, 1 * MS);
    expect(&s, "a <- timer\n");
    stage_go(&s, "a");
    stage_pass(&s, 20 * MS);
    expect(&s, "a <- request - 'go'\n"
               "a: C no-request\n"
               "port 2: ok 'by-a'\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_monitor_gets_one_notice_with_the_reason),
        cmocka_unit_test(no_process_is_told_at_once),
        cmocka_unit_test(an_end_in_order_is_told_as_ok),
        cmocka_unit_test(unwatch_takes_the_notice_out_of_the_mailbox),
        cmocka_unit_test(a_link_takes_the_other_along),
        cmocka_unit_test(a_link_works_both_ways_and_is_over_then),
        cmocka_unit_test(who_traps_gets_a_notice_instead),
        cmocka_unit_test(an_end_in_order_leaves_the_linked_alone),
        cmocka_unit_test(unlinked_is_unlinked_for_both),
        cmocka_unit_test(a_link_to_nobody_is_a_death),
        cmocka_unit_test(children_are_watched_from_their_beginning),
        cmocka_unit_test(a_start_that_fails_is_told_too),
        cmocka_unit_test(a_parent_ends_its_children_and_only_those),
        cmocka_unit_test(a_timer_is_a_notice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
