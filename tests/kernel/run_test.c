/* run_test.c - the shape that loops over receive: its turn is its life, each receive is the end of
 * a turn's duties. */
#include "support_named.h"

#ifdef STAGE_FAR
static const char *const near_only[] = {NULL};
#endif

static void it_takes_messages_one_by_one(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.shape = HF_SHAPE_RUN});
    stage_script(&s, "a", "n r n n r");
    stage_post(&s, "a", "one", NULL);
    stage_run(&s);
    stage_post(&s, "a", "two", NULL);
    stage_post(&s, "a", "three", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'one'\n"
               "port 1: ok 'by-a'\n"
               "a <- request - 'two'\n"
               "a <- request - 'three'\n"
               "a stops\n"
               "port 2: unanswered ''\n"
               "port 3: ok 'by-a'\n");
    stage_close(&s);
}

static void receive_releases_current_and_nested(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.shape = HF_SHAPE_RUN});
    stage_classes(&s, "b");
    stage_script(&s, "a", "n s:b,q n n r");
    stage_script(&s, "b", "r");
    stage_post(&s, "a", "one", "A");
    stage_run(&s);
    expect(&s, "a <- request - 'one' [A]\n"
               "b <- request a 'q'\n"
               "a <- response b 'by-b' context c-q nested 'one' ok\n"
               "port 1: unanswered ''\n");
    stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    expect(&s, "a <- request - 'two'\n"
               "a stops\n"
               "port 2: ok 'by-a'\n");
    stage_close(&s);
}

static void a_stop_is_heard_at_the_next_receive(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.shape = HF_SHAPE_RUN});
    stage_script(&s, "a", "n r n");
    stage_post(&s, "a", "one", NULL);
    stage_run(&s);
    assert_int_equal(hf_named_stop(s.k, HF_VIEW("a")), HF_OK);
    stage_run(&s);
    expect(&s, "a <- request - 'one'\n"
               "port 1: ok 'by-a'\n"
               "a: n closed\n"
               "a stops\n");
    stage_close(&s);
}

static void it_awaits_without_losing_messages(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.shape = HF_SHAPE_RUN});
    stage_classes(&s, "b");
    stage_script(&s, "a", "n k:b,q r n r");
    stage_script(&s, "b", "w r");
    stage_post(&s, "a", "one", NULL);
    stage_run(&s);
    stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    stage_gate(&s);
    expect(&s, "a <- request - 'one'\n"
               "b <- request a 'q'\n"
               "a <= ok 'by-b' context c-q\n"
               "a <- request - 'two'\n"
               "a stops\n"
               "port 1: ok 'by-a'\n"
               "port 2: ok 'by-a'\n");
    stage_close(&s);
}

static void a_handle_shape_cannot_receive(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "n r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: n unsupported\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_messages_one_by_one),
        cmocka_unit_test(receive_releases_current_and_nested),
        cmocka_unit_test(a_stop_is_heard_at_the_next_receive),
        cmocka_unit_test(it_awaits_without_losing_messages),
        cmocka_unit_test(a_handle_shape_cannot_receive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
