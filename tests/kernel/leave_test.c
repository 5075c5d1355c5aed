/* leave_test.c - last words: an instance that retires in order gets one more segment, bounded, and
 * nobody else does. */
#include "support.h"

struct stage { /* the class's ctx */
    struct hf_wait gate;
    struct hf_waiter waiter; /* of the one that leaves: one at a time */
    enum hf_end leaves; /* what leave answers first */
    unsigned started, left, resumed, stopped, cancelled;
    bool had_message;
};

static enum hf_end on_start(void *ctx, struct hf_turn *turn, void **state)
{
    struct stage *s = ctx;
    (void)turn;
    s->started++;
    *state = s;
    return HF_END_DONE;
}

static enum hf_end on_turn(void *state, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    struct hf_blob *none = NULL;
    bool fail = hf_turn_message(turn)->body.ptr[0] == 'f';
    (void)state;
    if (fail) {
        hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("as told"));
        return HF_END_FAILED;
    }
    hf_turn_respond(turn, &body, &none);
    return HF_END_DONE;
}

static enum hf_end on_leave(void *state, struct hf_turn *turn)
{
    struct stage *s = state;
    s->left++;
    s->had_message |= hf_turn_message(turn) != NULL;
    if (s->leaves == HF_END_WAIT) {
        hf_waiter_arm(&s->waiter, &s->gate, hf_turn_waitset(turn));
    }
    if (s->leaves == HF_END_FAILED)
        hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("bad last words"));
    return s->leaves;
}

static enum hf_end on_resume(void *state, struct hf_turn *turn)
{
    (void)turn;
    struct stage *s = state;
    hf_waiter_disarm(&s->waiter);
    s->resumed++;
    return HF_END_DONE;
}

static void on_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    (void)turn, (void)why;
    ((struct stage *)state)->cancelled++;
}

static void on_stop(void *state)
{
    struct stage *s = state;
    if (s == NULL)
        return;
    hf_waiter_disarm(&s->waiter);
    s->stopped++;
}

static const struct hf_behaviour behaviour = {.name = "stage",
                                              .start = on_start,
                                              .turn = on_turn,
                                              .resume = on_resume,
                                              .cancel = on_cancel,
                                              .leave = on_leave,
                                              .stop = on_stop};

static struct hf_class *open_stage(struct world *w, struct stage *s, enum hf_end leaves,
                                   struct hf_class_settings cs)
{
    struct hf_class *c;
    memset(s, 0, sizeof *s);
    s->leaves = leaves;
    hf_wait_init(&s->gate, false);
    world_init(w);
    cs.behaviour = &behaviour;
    cs.ctx = s;
    assert_int_equal(hf_class_add(w->k, "stage", &cs, &c, NULL), HF_OK);
    return c;
}

static void close_stage(struct world *w, struct stage *s)
{
    world_done(w);
    hf_wait_done(&s->gate);
    assert_int_equal(s->started, s->stopped);
}

static void leave_comes_before_stop_without_a_message(void **state)
{
    struct world w;
    struct stage s;
    (void)state;
    struct hf_class *c =
        open_stage(&w, &s, HF_END_DONE, (struct hf_class_settings){.max = 1, .max_requests = 2});
    post(&w, "stage", "a");
    run(&w);
    assert_int_equal(s.left, 0);
    post(&w, "stage", "b");
    run(&w);
    expect_told(&w, 2, HF_ANSWER_OK, "");
    assert_int_equal(s.left, 1);
    assert_int_equal(s.stopped, 1);
    assert_false(s.had_message);
    assert_int_equal(stats_of(c).retired, 1);
    assert_int_equal(hf_kernel_processes(w.k), 0);
    close_stage(&w, &s);
}

/* Who waits in its last words keeps its place: with one instance at most, the next starts after
 * them. */
static void leave_may_wait_and_its_successor_comes_after(void **state)
{
    struct world w;
    struct stage s;
    (void)state;
    open_stage(&w, &s, HF_END_WAIT, (struct hf_class_settings){.max = 1, .max_requests = 1});
    post(&w, "stage", "a");
    post(&w, "stage", "b");
    run(&w);
    expect_told(&w, 1, HF_ANSWER_OK, ""); /* its answer does not wait for them */
    assert_int_equal(times_told(&w, 2), 0);
    assert_int_equal(s.started, 1);
    s.leaves = HF_END_DONE;
    hf_wait_fire(&s.gate);
    run(&w);
    assert_int_equal(s.resumed, 1);
    assert_int_equal(s.started, 2);
    expect_told(&w, 2, HF_ANSWER_OK, "");
    close_stage(&w, &s);
}

static void leave_is_bounded(void **state)
{
    struct world w;
    struct stage s;
    (void)state;
    struct hf_class *c = open_stage(
        &w, &s, HF_END_WAIT,
        (struct hf_class_settings){.max = 1, .max_requests = 1, .leave_timeout_ns = 2 * S});
    post(&w, "stage", "a");
    run(&w);
    pass(&w, 2 * S - 1);
    assert_int_equal(s.stopped, 0);
    pass(&w, 1);
    assert_int_equal(s.cancelled, 1);
    assert_int_equal(s.stopped, 1);
    assert_true(hf_view_eq_text(hf_class_last_failure(c), "its last words took too long"));
    post(&w, "stage", "b"); /* and the class goes on */
    run(&w);
    expect_told(&w, 2, HF_ANSWER_OK, "");
    close_stage(&w, &s);
}

static void leave_that_fails_is_told(void **state)
{
    struct world w;
    struct stage s;
    (void)state;
    struct hf_class *c =
        open_stage(&w, &s, HF_END_FAILED, (struct hf_class_settings){.max = 1, .max_requests = 1});
    post(&w, "stage", "a");
    run(&w);
    expect_told(&w, 1, HF_ANSWER_OK, "");
    assert_int_equal(s.stopped, 1);
    assert_true(hf_view_eq_text(hf_class_last_failure(c), "bad last words"));
    close_stage(&w, &s);
}

static void leave_of_idle_ones_when_the_class_closes(void **state)
{
    struct world w;
    struct stage s;
    (void)state;
    struct hf_class *c =
        open_stage(&w, &s, HF_END_DONE, (struct hf_class_settings){.min = 3, .max = 3});
    hf_class_warm(c);
    run(&w);
    assert_int_equal(hf_kernel_processes(w.k), 3);
    hf_class_close(c);
    run(&w);
    assert_int_equal(s.left, 3);
    assert_int_equal(hf_kernel_processes(w.k), 0);
    close_stage(&w, &s);
}

static void leave_is_not_for_those_that_failed_or_are_killed(void **state)
{
    struct world w;
    struct stage s;
    (void)state;
    open_stage(&w, &s, HF_END_DONE,
               (struct hf_class_settings){.min = 1, .max = 2, .max_requests = 5});
    post(&w, "stage", "f");
    run(&w);
    expect_told(&w, 1, HF_ANSWER_DEAD, "as told");
    post(&w, "stage", "a");
    run(&w);
    close_stage(&w, &s); /* frees the kernel with an idle one in it */
    assert_int_equal(s.left, 0);
}

static void leave_is_cut_when_the_kernel_goes(void **state)
{
    struct world w;
    struct stage s;
    (void)state;
    open_stage(&w, &s, HF_END_WAIT, (struct hf_class_settings){.max = 1, .max_requests = 1});
    post(&w, "stage", "a");
    run(&w);
    assert_int_equal(s.left, 1);
    world_done(&w);
    assert_int_equal(s.cancelled, 1);
    assert_int_equal(s.stopped, 1);
    hf_wait_done(&s.gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leave_comes_before_stop_without_a_message),
        cmocka_unit_test(leave_may_wait_and_its_successor_comes_after),
        cmocka_unit_test(leave_is_bounded),
        cmocka_unit_test(leave_that_fails_is_told),
        cmocka_unit_test(leave_of_idle_ones_when_the_class_closes),
        cmocka_unit_test(leave_is_not_for_those_that_failed_or_are_killed),
        cmocka_unit_test(leave_is_cut_when_the_kernel_goes),
    };
    return cmocka_run_group_tests_name("kernel/leave", tests, NULL, NULL);
}
