/* rest_test.c - who has been idle for a second is asked to rest, once, and nobody else is. */
#include "support_evict.h"

struct log {
    char text[400];
};

static enum hf_end start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)turn;
    *state = ctx;
    return HF_END_DONE;
}

static enum hf_end turn(void *state, struct hf_turn *t)
{
    struct hf_response r = {0};
    (void)state;
    assert_int_equal(hf_turn_reply(t, &r), HF_SAID_OK);
    return HF_END_DONE;
}

static void stop(void *state)
{
    (void)state;
}

static void rest(void *state)
{
    struct log *l = state;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "rest ");
}

static const struct hf_behaviour sleeper = {
    .name = "sleeper", .start = start, .turn = turn, .resume = turn, .stop = stop, .rest = rest};

static void open(struct stage *s, struct log *l)
{
    const struct hf_named_settings ns = {.behaviour = &sleeper, .ctx = l};
    struct hf_class *c;
    *l = (struct log){{0}};
    stage_open(s);
    assert_int_equal(hf_named_class_add(s->k, "a", &ns, &c, NULL), HF_OK);
}

static void close(struct stage *s)
{
    scene_forget_log(s);
    stage_close(s);
}

static void after_a_second_it_is_asked_once(void **state)
{
    struct stage s;
    struct log l;
    (void)state;
    open(&s, &l);
    stage_go(&s, "a");
    stage_pass(&s, 999 * MS);
    assert_string_equal(l.text, "");
    stage_pass(&s, 1 * MS);
    assert_string_equal(l.text, "rest ");
    stage_pass(&s, 10 * S);
    assert_string_equal(l.text, "rest ");
    assert_int_equal(hf_kernel_next_ns(s.k), UINT64_MAX); /* and wakes nobody any more */
    stage_go(&s, "a");
    stage_pass(&s, 1 * S);
    assert_string_equal(l.text, "rest rest ");
    close(&s);
}

static void who_is_used_all_the_time_is_not(void **state)
{
    struct stage s;
    struct log l;
    (void)state;
    open(&s, &l);
    for (unsigned i = 0; i < 30; i++) {
        stage_go(&s, "a/1");
        if (i == 0)
            stage_go(&s, "a/2");
        stage_pass(&s, 300 * MS);
    }
    assert_string_equal(l.text, "rest "); /* a/2 */
    close(&s);
}

static void a_hundred_are_asked_a_part_at_a_time(void **state)
{
    struct stage s;
    struct log l;
    char name[20];
    (void)state;
    open(&s, &l);
    for (unsigned i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "a/%u", i);
        stage_go(&s, name);
    }
    s.now += 2 * S;
    (void)hf_kernel_step(s.k, s.now);
    assert_int_equal(strlen(l.text), 64 * 5);
    stage_run(&s);
    assert_int_equal(strlen(l.text), 70 * 5);
    close(&s);
}

static void who_ended_is_not_asked(void **state)
{
    struct stage s;
    struct log l;
    (void)state;
    open(&s, &l);
    stage_go(&s, "a");
    assert_int_equal(hf_named_kill(s.k, HF_VIEW("a"), HF_VIEW("x")), HF_OK);
    stage_run(&s);
    stage_pass(&s, 5 * S);
    assert_string_equal(l.text, "");
    close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_second_it_is_asked_once),
        cmocka_unit_test(who_is_used_all_the_time_is_not),
        cmocka_unit_test(a_hundred_are_asked_a_part_at_a_time),
        cmocka_unit_test(who_ended_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
