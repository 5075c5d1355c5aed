/* named_class_test.c - classes of named processes, what they refuse, and what verbs refuse whoever
 * has no right to them. */
#include "support_named.h"

#ifdef STAGE_FAR
/* They look at one kernel. */
static const char *const near_only[] = {
    "names_are_made_with_the_parents_group",
    "every_process_is_listed_in_order",
    "too_many_processes_is_a_limit",
    NULL};
#endif

static enum hf_err add(struct stage *s, const char *name, struct hf_named_settings ns,
                       const char *says)
{
    struct hf_class *c;
    struct hf_report report = {0};
    ns.behaviour = &puppet_behaviour;
    ns.ctx = s;
    enum hf_err err = hf_named_class_add(s->k, name, &ns, &c, &report);
    assert_string_equal(report.text, says);
    return err;
}

static void what_cannot_be_a_class_is_refused_with_words(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    assert_int_equal(
        add(&s, "A", (struct hf_named_settings){0}, "name A: 'A' cannot stand at byte 0"),
        HF_INVALID);
    assert_int_equal(
        add(&s, "a/b", (struct hf_named_settings){0}, "name a/b: '/' cannot stand at byte 1"),
        HF_INVALID);
    assert_int_equal(
        add(&s, "a", (struct hf_named_settings){.recorded = true, .shape = HF_SHAPE_RUN},
            "class a: what loops over receive cannot be recorded; give it the handle shape"),
        HF_UNSUPPORTED);
    assert_int_equal(
        add(&s, "a",
            (struct hf_named_settings){.grants = (const char *const[]){"b", "no good", NULL}},
            "class a: name: byte 0x20 cannot stand at byte 2"),
        HF_INVALID);
    assert_int_equal(add(&s, "a", (struct hf_named_settings){0}, ""), HF_OK);
    assert_int_equal(
        add(&s, "a", (struct hf_named_settings){0}, "class a: there is a class named a already"),
        HF_INVALID);
    stage_close(&s);
}

static void too_many_processes_is_a_limit(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){0});
    stage_class(&s, "b", (struct hf_named_settings){.processes_max = 1});
    stage_script(&s, "a", "s:b/1,q s:b/2,q");
    stage_script(&s, "b/1", "r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a <- error limit of b/2 context c-q nested 'go' ok\n"
               "b/1 <- request a 'q'\n"
               "a <- response b/1 'by-b/1' context c-q nested 'go' ok\n"
               "port 1: unanswered ''\n");
    stage_close(&s);
}

static void names_are_made_with_the_parents_group(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a/{g}x", "S:b S:b/k r");
    stage_go(&s, "a/{g}x");
    hf_buf_clear(&s.log);
    assert_true(stage_shows(&s, "b/k", "of group g;"));
    assert_true(stage_shows(&s, "b/k", "child of a/{g}x"));
    assert_true(stage_shows(&s, "b/~{g}2", "of group g;"));
    stage_close(&s);
}

static void tell_of(void *ctx, const struct hf_named_info *i)
{
    struct hf_buf *text = ctx;
    assert_int_equal(hf_buf_printf(text, "%.*s %s %u %u %u\n", HF_FMT(i->name), i->state,
                                   i->mailbox, i->pending, i->tokens),
                     HF_OK);
}

static void every_process_is_listed_in_order(void **state)
{
    struct stage s;
    struct hf_buf text = {0};
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a/1", "s:b,q d");
    stage_script(&s, "b", "w");
    stage_post(&s, "a/1", "go", NULL);
    stage_go(&s, "a/0");
    hf_named_each(s.k, tell_of, &text);
    assert_string_equal((char *)text.ptr, "a/1 idle 0 1 1\na/0 idle 0 0 0\nb busy 0 0 0\n");
    hf_buf_clear(&text);
    hf_kernel_inspect(s.k, &text);
    assert_non_null(strstr((char *)text.ptr, "named a/1: idle"));
    assert_non_null(strstr((char *)text.ptr, "    pending 3 to b: waits, deadline 31000000000\n"));
    assert_non_null(strstr((char *)text.ptr, "    token of request 1 from a port: duty deferred"));
    assert_int_equal(hf_named_inspect(s.k, HF_VIEW("nobody"), &text), HF_NOT_FOUND);
    hf_buf_done(&text);
    stage_close(&s);
}

/* ---- verbs without a right to them ---- */

static enum hf_end on_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)turn;
    *state = ctx;
    return HF_END_DONE;
}

static enum hf_end speak(void *state, struct hf_turn *turn)
{
    struct hf_send send = {.target = HF_VIEW("a")};
    struct hf_response response = {.inherit = false};
    const struct hf_spawn spawn = {.class = HF_VIEW("a")};
    struct hf_asked asked;
    char name[HF_NAME_MAX];
    uint64_t id = 0;
    size_t len;
    (void)state;
    assert_int_equal(hf_turn_send(turn, &send, &id), HF_SAID_DENIED);
    assert_int_equal(hf_turn_ask(turn, &send, &id), HF_SAID_DENIED);
    assert_int_equal(hf_turn_take_asked(turn, &asked), HF_NOT_FOUND);
    assert_int_equal(hf_turn_forward(turn, &send), HF_SAID_DENIED);
    assert_int_equal(hf_turn_cancel(turn, 1), HF_SAID_DENIED);
    assert_int_equal(hf_turn_reply(turn, &response), HF_SAID_DENIED);
    assert_int_equal(hf_turn_defer(turn, &id), HF_SAID_DENIED);
    assert_int_equal(hf_turn_answer(turn, 1, &response), HF_SAID_NO_REQUEST);
    assert_int_equal(hf_turn_spawn(turn, &spawn, name, &len, NULL), HF_SAID_DENIED);
    assert_int_equal(hf_turn_monitor(turn, HF_VIEW("a"), &id), HF_SAID_DENIED);
    assert_int_equal(hf_turn_link(turn, HF_VIEW("a"), &id), HF_SAID_DENIED);
    assert_int_equal(hf_turn_unwatch(turn, 1), HF_SAID_DENIED);
    assert_int_equal(hf_turn_keep(turn, HF_VIEW("a")), HF_SAID_DENIED);
    assert_int_equal(hf_turn_drop(turn, HF_VIEW("a")), HF_SAID_NO_REQUEST);
    assert_int_equal(hf_turn_set_timer(turn, 1, &id), HF_SAID_DENIED);
    assert_int_equal(hf_turn_kill_child(turn, HF_VIEW("a"), HF_VIEW("")), HF_SAID_DENIED);
    assert_int_equal(hf_turn_receive(turn), HF_UNSUPPORTED);
    assert_int_equal(hf_turn_name(turn).len, 0);
    assert_null(hf_turn_nested(turn));
    return HF_END_DONE;
}

static void on_stop(void *state)
{
    (void)state;
}

static const struct hf_behaviour speaker = {
    .name = "speaker", .start = on_start, .turn = speak, .resume = speak, .stop = on_stop};

static void an_instance_of_a_pool_may_not_speak(void **state)
{
    struct stage s;
    struct hf_class *c;
    const struct hf_class_settings cs = {.behaviour = &speaker};
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    assert_int_equal(hf_class_add(s.k, "pool", &cs, &c, NULL), HF_OK);
    stage_go(&s, "pool");
    expect(&s, "port 1: unanswered ''\n");
    stage_close(&s);
}

static enum hf_end odd_sends(void *state, struct hf_turn *turn)
{
    struct hf_send send = {.target = HF_VIEW("a")};
    struct hf_buf none = {0};
    (void)state;
    assert_int_equal(hf_buf_add_text(&send.context, "mine"), HF_OK);
    assert_int_equal(hf_turn_send(turn, &send, NULL), HF_SAID_INVALID); /* a tell with a context */
    assert_int_equal(send.context.len, 4);
    assert_int_equal(hf_turn_ask(turn, &send, NULL), HF_SAID_OK);
    assert_null(send.context.ptr);
    assert_int_equal(hf_turn_ask(turn, &send, NULL), HF_SAID_INVALID); /* a second await */
    assert_int_equal(hf_turn_respond(turn, &none, NULL), HF_DUTY_OPEN);
    assert_int_equal(hf_turn_respond(turn, &none, NULL), HF_DUTY_ANSWERED);
    assert_true(hf_view_eq_text(hf_turn_name(turn), "odd"));
    return HF_END_DONE; /* what was asked is not taken: cancelled */
}

static const struct hf_behaviour odd = {
    .name = "odd", .start = on_start, .turn = odd_sends, .resume = odd_sends, .stop = on_stop};

static void what_cannot_be_meant_is_invalid(void **state)
{
    struct stage s;
    struct hf_class *c;
    const struct hf_named_settings ns = {.behaviour = &odd,
                                         .grants = (const char *const[]){"*", NULL}};
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    stage_script(&s, "a", "v");
    assert_int_equal(hf_named_class_add(s.k, "odd", &ns, &c, NULL), HF_OK);
    stage_go(&s, "odd");
    expect(&s, "port 1: ok ''\n"); /* a never saw it */
    assert_true(stage_shows(&s, "odd", "0 pending"));
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_a_class_is_refused_with_words),
        cmocka_unit_test(too_many_processes_is_a_limit),
        cmocka_unit_test(names_are_made_with_the_parents_group),
        cmocka_unit_test(every_process_is_listed_in_order),
        cmocka_unit_test(an_instance_of_a_pool_may_not_speak),
        cmocka_unit_test(what_cannot_be_meant_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
