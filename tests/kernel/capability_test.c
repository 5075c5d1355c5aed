/* capability_test.c - who may message whom: grants, parents, and what a message carries; nobody
 * grants himself anything. */
#include "support_named.h"

#ifdef STAGE_FAR
/* Numbers and made names are others there; `taken` is not known at once: far_test.c. */
static const char *const near_only[] = {
    "a_forged_token_answers_nothing",
    "children_that_are_over_take_no_room",
    "only_what_its_class_may_spawn",
    NULL};
#endif

/* Granted nobody, and may spawn nothing. */
static struct hf_named_settings bare(void)
{
    static const char *const none[] = {NULL};
    return (struct hf_named_settings){.grants = none, .spawns = none};
}

static void a_process_messages_only_what_it_holds(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a",
                (struct hf_named_settings){.grants = (const char *const[]){"b", "c/*", NULL}});
    stage_classes(&s, "bcd");
    stage_script(&s, "a", "t:b t:c t:c/1 t:d s:d t:b/1 f:d k:d t:a");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: t denied\n"
               "a: t denied\n"
               "a: s denied\n"
               "a: t denied\n"
               "a: f denied\n"
               "a: k denied\n"
               "a <- tell a 'x'\n"
               "b <- tell a 'x'\n"
               "c/1 <- tell a 'x'\n"
               "port 1: unanswered ''\n");
    stage_close(&s);
}

static void what_a_message_carries_may_be_used_while_it_is_in_hand(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", bare());
    stage_classes(&s, "bc");
    stage_script(&s, "b", "g:c t:a,take");
    stage_script(&s, "a", "?:c t:c,now");
    stage_script(&s, "a", "?:c t:c,later");
    stage_go(&s, "b");
    stage_go(&s, "a");
    expect(&s, "b <- request - 'go'\n"
               "a <- tell b 'take' cap c\n"
               "a: holds\n"
               "c <- tell a 'now'\n"
               "port 1: unanswered ''\n"
               "a <- request - 'go'\n"
               "a: holds not\n"
               "a: t denied\n"
               "port 2: unanswered ''\n");
    stage_close(&s);
}

static void what_is_kept_is_held_until_it_is_dropped(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", bare());
    stage_classes(&s, "bc");
    stage_script(&s, "b", "g:c t:a,take");
    stage_script(&s, "a", "h:c h:b");
    stage_script(&s, "a", "?:c t:c H:c ?:c H:c h:c");
    stage_go(&s, "b");
    stage_go(&s, "a");
    expect(&s, "b <- request - 'go'\n"
               "a <- tell b 'take' cap c\n"
               "a: h denied\n"
               "port 1: unanswered ''\n"
               "a <- request - 'go'\n"
               "a: holds\n"
               "a: holds not\n"
               "a: H no-request\n"
               "a: h denied\n"
               "c <- tell a 'x'\n"
               "port 2: unanswered ''\n");
    stage_close(&s);
}

static void nobody_passes_on_what_he_does_not_hold(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", bare());
    stage_classes(&s, "bc");
    stage_script(&s, "a", "g:c t:a R:c ?:c r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: t denied\n"
               "a: R denied\n"
               "a: holds not\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void answers_carry_capabilities_too(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.grants = (const char *const[]){"b", NULL}});
    stage_classes(&s, "bc");
    stage_script(&s, "a", "s:b k:b,ask ?:c h:c r");
    stage_script(&s, "a", "?:c");
    stage_script(&s, "b", "R:c");
    stage_script(&s, "b", "R:c");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'x'\n"
               "b <- request a 'ask'\n"
               "a <= ok 'by-b' context c-ask\n"
               "a: holds\n"
               "a <- response b 'by-b' context c-x nested 'go' already-answered cap c\n"
               "a: holds\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void what_an_awaited_answer_carried_may_be_asked_next(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.grants = (const char *const[]){"b", NULL}});
    stage_classes(&s, "bc");
    stage_script(&s, "a", "k:b,ask j j r");
    stage_script(&s, "b", "R:c/a-name-that-lies-in-the-answer");
    stage_script(&s, "c/a-name-that-lies-in-the-answer", "R:c/another");
    stage_script(&s, "c/another", "r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a 'ask'\n"
               "a <= ok 'by-b' context c-ask\n"
               "c/a-name-that-lies-in-the-answer <- request a 'x'\n"
               "a <= ok 'by-c/a-name-that-lies-in-the-answer' context c-x\n"
               "c/another <- request a 'x'\n"
               "a <= ok 'by-c/another' context c-x\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_message_and_an_answer_carry_64_at_most(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "G:b t:b d G:b a r a");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: t limit\n"
               "a: a limit\n"
               "a: r deferred\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void parent_and_child_hold_each_other(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.grants = (const char *const[]){NULL}});
    stage_class(&s, "kid",
                (struct hf_named_settings){.grants = (const char *const[]){NULL},
                                           .spawns = (const char *const[]){NULL},
                                           .spawned = true});
    stage_script(&s, "a", "S:kid/1 s:kid/1,hello r");
    stage_script(&s, "kid/1", "r t:a,up");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "kid/1 <- request a 'hello'\n"
               "a <- response kid/1 'by-kid/1' context c-hello nested 'go' already-answered\n"
               "a <- tell kid/1 'up'\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void only_what_its_class_may_spawn(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.spawns = (const char *const[]){"kid", NULL}});
    stage_class(&s, "kid", bare());
    stage_classes(&s, "b");
    stage_script(&s, "a", "S:kid S:kid/k S:kid/k S:b S:nobody S:kid/{ S:kid/~1 r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: S taken\n"
               "a: S denied\n"
               "a: S denied\n"
               "a: S invalid\n"
               "a: S invalid\n"
               "port 1: ok 'by-a'\n");
    assert_int_equal(hf_named_count(s.k), 3);
    stage_close(&s);
}

static void holding_a_request_is_the_right_to_answer_it(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", bare());
    stage_classes(&s, "b");
    stage_script(&s, "b", "s:a,q");
    stage_script(&s, "b", "r");
    stage_script(&s, "a", "r t:b");
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "a <- request b 'q'\n"
               "a: t denied\n"
               "b <- response a 'by-a' context c-q nested 'go' ok\n"
               "port 1: ok 'by-b'\n");
    stage_close(&s);
}

static void a_forged_token_answers_nothing(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "d w a:1 a:1");
    stage_script(&s, "b", "a:1 a:2 a:77 r");
    stage_post(&s, "a", "go", NULL);
    stage_go(&s, "b");
    expect(&s, "a <- request - 'go'\n"
               "b <- request - 'go'\n"
               "b: a no-request\n"
               "b: a no-request\n"
               "b: a no-request\n"
               "port 2: ok 'by-b'\n");
    stage_gate(&s);
    expect(&s, "a: a no-request\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void capabilities_are_bounded(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.caps_max = 1});
    stage_classes(&s, "bcd");
    stage_script(&s, "b", "g:c t:a");
    stage_script(&s, "b", "g:d t:a");
    stage_script(&s, "a", "h:c");
    stage_script(&s, "a", "h:d");
    stage_post(&s, "b", "go", NULL);
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "b <- request - 'go'\n"
               "a <- tell b 'x' cap c\n"
               "a <- tell b 'x' cap d\n"
               "a: h limit\n"
               "port 1: unanswered ''\n"
               "port 2: unanswered ''\n");
    stage_close(&s);
}

/* Who makes a child for each message must not run out of capabilities: a name that the kernel made
 * never comes again. */
static void children_that_are_over_take_no_room(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.caps_max = 2});
    stage_class(&s, "kid", (struct hf_named_settings){.shape = HF_SHAPE_RUN});
    s.defaults = "S:kid r";
    for (unsigned i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "kid/~%u", 2 + i); /* by the number of the instance */
        stage_script(&s, name, i < 3 ? "" : "w");
        stage_go(&s, "a");
        assert_int_equal(hf_named_count(s.k), i < 3 ? 1 : i - 1);
    }
    assert_null(strstr((const char *)s.log.ptr, "limit"));
    hf_buf_clear(&s.log);
    stage_go(&s, "a"); /* two are there */
    expect(&s, "a <- request - 'go'\n"
               "a: S limit\n"
               "port 6: ok 'by-a'\n");
    s.defaults = "r";
    stage_gate(&s);
    stage_script(&s, "a", "S:kid/key S:kid/other r"); /* such a name may come again */
    stage_script(&s, "kid/key", "");
    stage_script(&s, "kid/other", "");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_script(&s, "a", "S:kid/third r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a: S limit\n"
               "port 8: ok 'by-a'\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_messages_only_what_it_holds),
        cmocka_unit_test(what_a_message_carries_may_be_used_while_it_is_in_hand),
        cmocka_unit_test(what_is_kept_is_held_until_it_is_dropped),
        cmocka_unit_test(nobody_passes_on_what_he_does_not_hold),
        cmocka_unit_test(answers_carry_capabilities_too),
        cmocka_unit_test(what_an_awaited_answer_carried_may_be_asked_next),
        cmocka_unit_test(a_message_and_an_answer_carry_64_at_most),
        cmocka_unit_test(parent_and_child_hold_each_other),
        cmocka_unit_test(only_what_its_class_may_spawn),
        cmocka_unit_test(holding_a_request_is_the_right_to_answer_it),
        cmocka_unit_test(a_forged_token_answers_nothing),
        cmocka_unit_test(capabilities_are_bounded),
        cmocka_unit_test(children_that_are_over_take_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
