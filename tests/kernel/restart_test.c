/* restart_test.c - what follows a death: policies, back-off, giving up; stop, kill, suspend,
 * resume, closing. */
#include "support_named.h"

#ifdef STAGE_FAR
/* Posts are still on their way when the scenario goes on, or it looks into one kernel. */
static const char *const near_only[] = {
    "never_tells_the_queue_and_the_next_message_makes_a_new_one",
    "a_restart_keeps_the_queue_and_loses_what_was_in_hand",
    "more_than_max_in_a_time_gives_up",
    "stop_is_in_order_and_tells_who_waits",
    "a_class_that_is_closed_serves_what_it_accepted",
    "a_class_that_is_closed_serves_one_that_had_not_begun",
    "one_whose_mail_was_taken_back_is_idle_as_before",
    "a_closed_class_is_gone_when_nothing_is_left_of_it",
    "a_closed_class_that_has_nothing_is_gone_with_the_next_step",
    "an_instance_that_is_killed_by_its_number_is_restarted",
    NULL};
#endif

static void never_tells_the_queue_and_the_next_message_makes_a_new_one(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "F");
    stage_script(&s, "a", "r");
    stage_post(&s, "a", "one", NULL);
    stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    stage_post(&s, "a", "three", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'one'\n"
               "a stops\n"
               "port 1: dead 'boom'\n"
               "port 2: dead 'boom'\n"
               "a <- request - 'three'\n"
               "port 3: ok 'by-a'\n");
    stage_close(&s);
}

static void a_restart_keeps_the_queue_and_loses_what_was_in_hand(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.restart = HF_RESTART_ALWAYS});
    stage_classes(&s, "b");
    stage_script(&s, "a", "d");
    stage_script(&s, "a", "s:b,q F");
    stage_script(&s, "a", "r");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "d");
    stage_post(&s, "a", "deferred", NULL);
    stage_run(&s);
    stage_post(&s, "a", "hand", NULL);
    stage_post(&s, "a", "queued", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'deferred'\n"
               "a <- request - 'hand'\n"
               "a stops\n"
               "port 2: dead 'boom'\n"
               "port 1: dead 'boom'\n");
    assert_true(stage_shows(&s, "a", "restarting"));
    assert_int_equal(hf_named_count(s.k), 2); /* it and b */
    stage_post(&s, "a", "meanwhile", NULL);
    stage_run(&s);
    stage_pass(&s, 99 * MS);
    expect(&s, "");
    stage_pass(&s, 1 * MS);
    expect(&s, "a <- request - 'queued'\n"
               "a <- request - 'meanwhile'\n"
               "port 3: ok 'by-a'\n"
               "port 4: ok 'by-a'\n");
    stage_close(&s);
}

static void back_off_doubles_and_begins_again_after_health(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a",
                (struct hf_named_settings){.restart = HF_RESTART_ALWAYS,
                                           .backoff_ns = 100 * MS,
                                           .backoff_max_ns = 300 * MS});
    const unsigned waits[] = {100, 200, 300, 300};
    for (size_t i = 0; i < HF_ARRAY_LEN(waits); i++) {
        stage_script(&s, "a", "F");
        stage_post(&s, "a", "go", NULL);
        stage_run(&s);
        stage_pass(&s, (waits[i] - 1) * MS);
        assert_true(stage_shows(&s, "a", "restarting"));
        stage_pass(&s, 1 * MS);
        assert_true(stage_shows(&s, "a", "idle"));
    }
    stage_pass(&s, 10 * S);
    stage_script(&s, "a", "F");
    stage_go(&s, "a");
    stage_pass(&s, 100 * MS);
    assert_true(stage_shows(&s, "a", "idle"));
    stage_close(&s);
}

static void more_than_max_in_a_time_gives_up(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a",
                (struct hf_named_settings){.restart = HF_RESTART_SOME,
                                           .restart_max = 2,
                                           .restart_within_ns = 10 * S,
                                           .backoff_ns = 1 * MS});
    for (unsigned i = 0; i < 3; i++) {
        stage_script(&s, "a", "F");
        stage_post(&s, "a", "go", NULL);
        if (i == 2)
            stage_post(&s, "a", "queued", NULL);
        stage_run(&s);
        stage_pass(&s, 10 * MS);
    }
    struct hf_message_stats st;
    hf_message_get_stats(s.k, &st);
    assert_int_equal(st.given_up, 1);
    assert_int_equal(st.restarts, 2);
    assert_int_equal(hf_named_count(s.k), 0);
    expect(&s, "a <- request - 'go'\n"
               "a stops\n"
               "port 1: dead 'boom'\n"
               "a <- request - 'go'\n"
               "a stops\n"
               "port 2: dead 'boom'\n"
               "a <- request - 'go'\n"
               "a stops\n"
               "port 3: dead 'boom'\n"
               "port 4: dead 'boom'\n");
    stage_close(&s);
}

static void spread_out_restarts_do_not_give_up(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a",
                (struct hf_named_settings){.restart = HF_RESTART_SOME,
                                           .restart_max = 1,
                                           .restart_within_ns = 1 * S,
                                           .backoff_ns = 1 * MS});
    for (unsigned i = 0; i < 5; i++) {
        stage_script(&s, "a", "F");
        stage_post(&s, "a", "go", NULL);
        stage_run(&s);
        stage_pass(&s, 2 * S);
    }
    assert_true(stage_shows(&s, "a", "5 restarts"));
    stage_close(&s);
}

static void one_that_ends_by_its_wish_is_made_again_for_its_queue(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "r x");
    stage_script(&s, "a", "r");
    stage_post(&s, "a", "one", NULL);
    stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'one'\n"
               "a stops\n"
               "a <- request - 'two'\n"
               "port 1: ok 'by-a'\n"
               "port 2: ok 'by-a'\n");
    stage_close(&s);
}

static void stop_is_in_order_and_tells_who_waits(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "w r");
    stage_post(&s, "a", "hand", NULL);
    stage_post(&s, "a", "queued", NULL);
    stage_run(&s);
    uint64_t id;
    assert_int_equal(hf_named_stop(s.k, HF_VIEW("a")), HF_OK);
    assert_int_equal(stage_try_post(&s, "a", "", NULL, 0, &id), HF_NOT_FOUND);
    stage_run(&s);
    stage_gate(&s);
    expect(&s, "a <- request - 'hand'\n"
               "a stops\n"
               "port 1: ok 'by-a'\n"
               "port 2: dead 'stopped'\n");
    assert_int_equal(hf_named_stop(s.k, HF_VIEW("a")), HF_NOT_FOUND);
    stage_post(&s, "a", "new", NULL);
    stage_script(&s, "a", "r");
    stage_run(&s);
    expect(&s, "a <- request - 'new'\n"
               "port 3: ok 'by-a'\n");
    stage_close(&s);
}

static void kill_ends_it_in_the_middle_and_is_not_restarted(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.restart = HF_RESTART_ALWAYS});
    stage_script(&s, "a", "w r");
    stage_post(&s, "a", "hand", NULL);
    stage_post(&s, "a", "queued", NULL);
    stage_run(&s);
    assert_int_equal(hf_named_kill(s.k, HF_VIEW("a"), HF_VIEW("enough")), HF_OK);
    stage_run(&s);
    assert_int_equal(hf_named_count(s.k), 0);
    expect(&s, "a <- request - 'hand'\n"
               "a stops\n"
               "port 1: dead 'enough'\n"
               "port 2: dead 'enough'\n");
    assert_int_equal(hf_named_kill(s.k, HF_VIEW("a"), HF_VIEW("")), HF_NOT_FOUND);
    stage_close(&s);
}

static void suspended_it_does_not_run_and_timeouts_go_on(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "i:50 s:a,q r");
    assert_int_equal(hf_named_wake(s.k, HF_VIEW("a"), NULL), HF_OK);
    stage_run(&s);
    assert_int_equal(hf_named_suspend(s.k, HF_VIEW("a")), HF_OK);
    stage_post(&s, "a", "one", NULL);
    stage_go(&s, "b");
    assert_true(stage_shows(&s, "a", "suspended"));
    stage_pass(&s, 50 * MS);
    expect(&s, "b <- request - 'go'\n"
               "port 2: ok 'by-b'\n"
               "b <- error timeout of a context c-q nested 'go' already-answered\n");
    assert_int_equal(hf_named_resume(s.k, HF_VIEW("a")), HF_OK);
    stage_run(&s);
    expect(&s, "a <- request - 'one'\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void suspended_in_the_middle_of_a_turn(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "w r");
    stage_go(&s, "a");
    assert_int_equal(hf_named_suspend(s.k, HF_VIEW("a")), HF_OK);
    stage_gate(&s);
    expect(&s, "a <- request - 'go'\n");
    assert_int_equal(hf_named_resume(s.k, HF_VIEW("a")), HF_OK);
    stage_run(&s);
    expect(&s, "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_class_that_is_closed_serves_what_it_accepted(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    struct hf_class *c = stage_class(&s, "a", (struct hf_named_settings){0});
    uint64_t id;
    stage_script(&s, "a/1", "w r");
    stage_script(&s, "a/1", "r");
    stage_script(&s, "a/2", "r");
    stage_post(&s, "a/1", "go", NULL);
    stage_post(&s, "a/1", "go", NULL);
    stage_go(&s, "a/2");
    hf_class_close(c);
    stage_run(&s);
    assert_int_equal(stage_try_post(&s, "a/1", "", NULL, 0, &id), HF_NOT_FOUND);
    stage_gate(&s);
    expect(&s, "a/1 <- request - 'go'\n"
               "a/2 <- request - 'go'\n"
               "port 3: ok 'by-a/2'\n"
               "a/2 stops\n"
               "a/1 <- request - 'go'\n"
               "a/1 stops\n"
               "port 1: ok 'by-a/1'\n"
               "port 2: ok 'by-a/1'\n");
    assert_int_equal(hf_named_count(s.k), 0);
    assert_int_equal(hf_kernel_processes(s.k), 0);
    stage_close(&s);
}

static void a_class_that_is_closed_serves_one_that_had_not_begun(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    struct hf_class *c = stage_class(&s, "a", (struct hf_named_settings){0});
    stage_script(&s, "a", "r");
    stage_post(&s, "a", "go", NULL);
    hf_class_close(c); /* its start was not called yet */
    stage_run(&s);
    expect(&s, "a <- request - 'go'\n"
               "a stops\n"
               "port 1: ok 'by-a'\n");
    assert_int_equal(hf_kernel_processes(s.k), 0);
    stage_close(&s);
}

static void a_class_that_is_closed_serves_one_that_waits_for_its_restart(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    struct hf_class *c =
        stage_class(&s, "a", (struct hf_named_settings){.restart = HF_RESTART_ALWAYS});
    stage_script(&s, "a", "F");
    stage_script(&s, "a", "r");
    stage_post(&s, "a", "one", NULL);
    stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    hf_class_close(c);
    stage_pass(&s, 100 * MS);
    expect(&s, "a <- request - 'one'\n"
               "a stops\n"
               "port 1: dead 'boom'\n"
               "a <- request - 'two'\n"
               "a stops\n"
               "port 2: ok 'by-a'\n");
    assert_int_equal(hf_kernel_processes(s.k), 0);
    stage_close(&s);
}

static void a_class_that_is_closed_does_not_keep_one_whose_mail_was_taken_back(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    struct hf_class *c = stage_class(&s, "a", (struct hf_named_settings){0});
    assert_int_equal(hf_named_wake(s.k, HF_VIEW("a"), NULL), HF_OK);
    stage_run(&s);
    uint64_t id = stage_post(&s, "a", "go", NULL);
    hf_class_close(c);
    hf_port_cancel(s.k, id);
    stage_run(&s);
    expect(&s, "a stops\n"
               "port 1: cancelled ''\n");
    assert_int_equal(hf_kernel_processes(s.k), 0);
    stage_close(&s);
}

static void one_whose_mail_was_taken_back_is_idle_as_before(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.idle_timeout_ns = 1 * S});
    stage_post(&s, "a", "one", NULL);
    uint64_t id = stage_post(&s, "a", "two", NULL);
    for (unsigned i = 0; i < 2; i++) /* its start, and the first turn */
        assert_int_equal(hf_kernel_step(s.k, s.now), HF_OK);
    hf_port_cancel(s.k, id);
    stage_run(&s);
    assert_int_equal(hf_named_count(s.k), 1);
    stage_pass(&s, 1 * S);
    assert_int_equal(hf_named_count(s.k), 0);
    stage_close(&s);
}

/* Each makes the next and goes: nothing is left of those before. */
static void generations_leave_nothing(void **state)
{
    enum { GENERATIONS = 400 };
    struct stage s;
    long live = 0;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    for (unsigned i = 0; i < GENERATIONS; i++) {
        char name[16], words[32];
        snprintf(name, sizeof name, "a/%u", i);
        snprintf(words, sizeof words, "S:a/%u x r", i + 1);
        stage_script(&s, name, words);
        stage_go(&s, name);
        assert_int_equal(hf_named_count(s.k), 1);
        if (i == GENERATIONS / 2)
            live = mallocs_live();
    }
    assert_in_range(mallocs_live() - live + 50, 0, 100);
    stage_close(&s);
}

struct owner {
    unsigned gone;
    struct hf_class_stats last;
};

static void on_gone(void *ctx, const struct hf_class_stats *last)
{
    struct owner *o = ctx;
    o->gone++;
    o->last = *last;
}

static void a_closed_class_is_gone_when_nothing_is_left_of_it(void **state)
{
    struct stage s;
    struct owner o = {0}, next = {0};
    (void)state;
    stage_open(&s);
    struct hf_class *c = stage_class(
        &s, "a",
        (struct hf_named_settings){.restart = HF_RESTART_ALWAYS, .gone = on_gone, .gone_ctx = &o});
    stage_classes(&s, "b");
    stage_script(&s, "a/1", "d t:b F");
    stage_script(&s, "a/1", "w r");
    stage_script(&s, "b", "w t:a/1");
    stage_post(&s, "a/1", "one", NULL);
    stage_post(&s, "a/1", "two", NULL);
    stage_run(&s);
    hf_class_close(c);
    stage_run(&s);
    assert_int_equal(o.gone, 0); /* it waits for its restart */
    stage_pass(&s, 100 * MS);
    assert_int_equal(o.gone, 0); /* it has the second in hand */
    stage_gate(&s);
    assert_int_equal(o.gone, 1);
    assert_int_equal(o.last.requests, 2);
    assert_int_equal(o.last.answered, 1);
    assert_int_equal(o.last.instances, 0);
    expect(&s, "a/1 <- request - 'one'\n"
               "a/1 stops\n"
               "b <- tell a/1 'x'\n"
               "port 1: dead 'boom'\n"
               "a/1 <- request - 'two'\n"
               "a/1 stops\n"
               "port 2: ok 'by-a/1'\n");
    stage_class(&s, "a", (struct hf_named_settings){.gone = on_gone, .gone_ctx = &next});
    stage_script(&s, "a/1", "r");
    stage_post(&s, "a/1", "three", NULL);
    stage_run(&s);
    expect(&s, "a/1 <- request - 'three'\n"
               "port 3: ok 'by-a/1'\n");
    stage_close(&s);
    assert_int_equal(o.gone, 1);
    assert_int_equal(next.gone, 1); /* the kernel is */
}

static void a_closed_class_is_not_gone_before_a_name_that_waits(void **state)
{
    struct stage s;
    struct owner o = {0};
    (void)state;
    stage_open(&s);
    struct hf_class *c = stage_class(
        &s, "a",
        (struct hf_named_settings){.restart = HF_RESTART_ALWAYS, .gone = on_gone, .gone_ctx = &o});
    stage_script(&s, "a", "F");
    stage_post(&s, "a", "one", NULL);
    uint64_t id = stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    hf_class_close(c);
    hf_port_cancel(s.k, id); /* it has nothing to do any more, and a clock */
    stage_run(&s);
    assert_int_equal(o.gone, 0);
    stage_pass(&s, 100 * MS);
    assert_int_equal(o.gone, 1);
    assert_int_equal(hf_named_count(s.k), 0);
    stage_close(&s);
}

static void a_closed_class_that_has_nothing_is_gone_with_the_next_step(void **state)
{
    struct stage s;
    struct owner o = {0};
    (void)state;
    stage_open(&s);
    hf_class_close(
        stage_class(&s, "a", (struct hf_named_settings){.gone = on_gone, .gone_ctx = &o}));
    assert_int_equal(o.gone, 0);
    stage_run(&s);
    assert_int_equal(o.gone, 1);
    stage_close(&s);
    assert_int_equal(o.gone, 1);
}

struct first {
    uint64_t process;
};

static void note_first(void *ctx, const struct hf_named_info *i)
{
    struct first *f = ctx;
    f->process = i->process;
}

/* The reason of an end is that instance's, and not the next one's. */
static void an_instance_that_is_killed_by_its_number_is_restarted(void **state)
{
    struct stage s;
    struct first a = {0};
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.restart = HF_RESTART_ALWAYS});
    stage_classes(&s, "b");
    stage_script(&s, "a", "l:b");
    stage_script(&s, "b", "");
    stage_script(&s, "b", "F");
    stage_script(&s, "a", "w r");
    stage_script(&s, "a", "r");
    stage_post(&s, "b", "make", NULL);
    stage_go(&s, "a");
    stage_post(&s, "b", "go", NULL);
    stage_pass(&s, 1 * MS);
    stage_pass(&s, 100 * MS); /* it died of the link, and is there again */
    stage_post(&s, "a", "hand", NULL);
    stage_post(&s, "a", "queued", NULL);
    stage_run(&s);
    hf_buf_clear(&s.log);
    hf_named_each(s.k, note_first, &a);
    assert_true(hf_kernel_kill(s.k, a.process, "test"));
    stage_pass(&s, 1 * MS);
    stage_pass(&s, 200 * MS);
    expect(&s, "a stops\n"
               "port 4: dead 'the instance was killed from outside'\n"
               "a <- request - 'queued'\n"
               "port 5: ok 'by-a'\n");
    stage_close(&s);
}

static void a_turn_that_takes_too_long_is_a_death(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(
        &s, "a",
        (struct hf_named_settings){.turn_timeout_ns = 20 * MS, .restart = HF_RESTART_ALWAYS});
    stage_script(&s, "a", "w r");
    stage_script(&s, "a", "r");
    stage_post(&s, "a", "slow", NULL);
    stage_post(&s, "a", "next", NULL);
    stage_run(&s);
    stage_pass(&s, 19 * MS);
    expect(&s, "a <- request - 'slow'\n");
    stage_pass(&s, 1 * MS);
    stage_pass(&s, 100 * MS);
    expect(&s, "a stops\n"
               "port 1: dead 'its turn took too long'\n"
               "a <- request - 'next'\n"
               "port 2: ok 'by-a'\n");
    stage_close(&s);
}

static void an_idle_one_ends_in_order_when_it_has_nothing_to_do(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.idle_timeout_ns = 1 * S});
    stage_script(&s, "a", "r");
    stage_script(&s, "a", "d");
    stage_script(&s, "a", "a");
    stage_go(&s, "a");
    stage_pass(&s, 500 * MS);
    stage_go(&s, "a");
    stage_pass(&s, 2000 * MS);
    assert_int_equal(hf_named_count(s.k), 1); /* it holds a token */
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_pass(&s, 999 * MS);
    assert_int_equal(hf_named_count(s.k), 1);
    stage_pass(&s, 1000 * MS);
    assert_int_equal(hf_named_count(s.k), 0);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_tells_the_queue_and_the_next_message_makes_a_new_one),
        cmocka_unit_test(a_restart_keeps_the_queue_and_loses_what_was_in_hand),
        cmocka_unit_test(back_off_doubles_and_begins_again_after_health),
        cmocka_unit_test(more_than_max_in_a_time_gives_up),
        cmocka_unit_test(spread_out_restarts_do_not_give_up),
        cmocka_unit_test(one_that_ends_by_its_wish_is_made_again_for_its_queue),
        cmocka_unit_test(stop_is_in_order_and_tells_who_waits),
        cmocka_unit_test(kill_ends_it_in_the_middle_and_is_not_restarted),
        cmocka_unit_test(suspended_it_does_not_run_and_timeouts_go_on),
        cmocka_unit_test(suspended_in_the_middle_of_a_turn),
        cmocka_unit_test(a_class_that_is_closed_serves_what_it_accepted),
        cmocka_unit_test(a_class_that_is_closed_serves_one_that_had_not_begun),
        cmocka_unit_test(a_class_that_is_closed_serves_one_that_waits_for_its_restart),
        cmocka_unit_test(a_class_that_is_closed_does_not_keep_one_whose_mail_was_taken_back),
        cmocka_unit_test(one_whose_mail_was_taken_back_is_idle_as_before),
        cmocka_unit_test(generations_leave_nothing),
        cmocka_unit_test(a_closed_class_is_gone_when_nothing_is_left_of_it),
        cmocka_unit_test(a_closed_class_is_not_gone_before_a_name_that_waits),
        cmocka_unit_test(a_closed_class_that_has_nothing_is_gone_with_the_next_step),
        cmocka_unit_test(an_instance_that_is_killed_by_its_number_is_restarted),
        cmocka_unit_test(a_turn_that_takes_too_long_is_a_death),
        cmocka_unit_test(an_idle_one_ends_in_order_when_it_has_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
