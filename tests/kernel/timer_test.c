/* timer_test.c - timers become ready in steps, in order of their times, never in the step that sets
 * them. */
#include "support.h"

static void ready_at_its_time_and_not_before(void **state)
{
    struct world w;
    struct hf_timer t;
    (void)state;
    world_init(&w);
    hf_timer_init(&t);
    assert_int_equal(hf_kernel_next_ns(w.k), UINT64_MAX);
    assert_int_equal(hf_timer_set(w.k, &t, w.now + 10), HF_OK);
    assert_int_equal(hf_kernel_next_ns(w.k), w.now + 10);
    pass(&w, 9);
    assert_false(t.wait.ready);
    pass(&w, 1);
    assert_true(t.wait.ready);
    assert_int_equal(hf_kernel_next_ns(w.k), UINT64_MAX);
    /* set again: not ready until then */
    assert_int_equal(hf_timer_set(w.k, &t, w.now + 5), HF_OK);
    assert_false(t.wait.ready);
    assert_int_equal(hf_timer_set(w.k, &t, w.now + 7), HF_OK); /* moved */
    pass(&w, 5);
    assert_false(t.wait.ready);
    pass(&w, 2);
    assert_true(t.wait.ready);
    hf_timer_done(w.k, &t);
    world_done(&w);
}

static void a_time_that_has_passed_is_ready_at_the_next_step(void **state)
{
    struct world w;
    struct hf_timer t;
    (void)state;
    world_init(&w);
    hf_timer_init(&t);
    assert_int_equal(hf_timer_set(w.k, &t, 0), HF_OK);
    assert_false(t.wait.ready);
    run(&w);
    assert_true(t.wait.ready);
    hf_timer_stop(w.k, &t);
    hf_timer_stop(w.k, &t);
    hf_timer_done(w.k, &t);
    world_done(&w);
}

static void stopped_does_not_ring(void **state)
{
    struct world w;
    struct hf_timer t;
    (void)state;
    world_init(&w);
    hf_timer_init(&t);
    assert_int_equal(hf_timer_set(w.k, &t, w.now + 1), HF_OK);
    hf_timer_stop(w.k, &t);
    pass(&w, 10);
    assert_false(t.wait.ready);
    hf_timer_done(w.k, &t);
    world_done(&w);
}

struct again {
    struct hf_timer t;
    struct hf_kernel *k;
    struct again *stops;
    unsigned rings;
    char *order;
    char name;
};

static void ring_again(struct hf_timer *t)
{
    struct again *a = HF_CONTAINER_OF(t, struct again, t);
    a->rings++;
    assert_int_equal(hf_timer_set(a->k, t, 0), HF_OK);
}

static void ring_and_stop(struct hf_timer *t)
{
    struct again *a = HF_CONTAINER_OF(t, struct again, t);
    a->rings++;
    if (a->order != NULL)
        a->order[strlen(a->order)] = a->name;
    if (a->stops != NULL)
        hf_timer_stop(a->k, &a->stops->t);
}

static void a_timer_that_sets_itself_cannot_hold_a_step(void **state)
{
    struct world w;
    struct again a = {.rings = 0};
    (void)state;
    world_init(&w);
    hf_timer_init(&a.t);
    a.k = w.k;
    a.t.fire = ring_again;
    assert_int_equal(hf_timer_set(w.k, &a.t, 0), HF_OK);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(hf_kernel_step(w.k, w.now), HF_AGAIN);
        assert_int_equal(a.rings, i);
        assert_false(a.t.wait.ready); /* it is set, so it is not ready */
    }
    hf_timer_done(w.k, &a.t);
    world_done(&w);
}

static void fires_in_order_of_time_then_of_setting(void **state)
{
    struct world w;
    struct again a[5] = {{.rings = 0}};
    static const uint64_t at[5] = {30, 10, 20, 10, 30};
    char order[8] = "";
    (void)state;
    world_init(&w);
    for (unsigned i = 0; i < 5; i++) {
        hf_timer_init(&a[i].t);
        a[i].t.fire = ring_and_stop;
        a[i].order = order;
        a[i].name = (char)('a' + i);
        assert_int_equal(hf_timer_set(w.k, &a[i].t, w.now + at[i]), HF_OK);
    }
    pass(&w, 100);
    assert_string_equal(order, "bdcae");
    for (unsigned i = 0; i < 5; i++)
        hf_timer_done(w.k, &a[i].t);
    world_done(&w);
}

static void one_that_is_due_may_be_stopped_by_another(void **state)
{
    struct world w;
    struct again a[2] = {{.rings = 0}};
    (void)state;
    world_init(&w);
    for (unsigned i = 0; i < 2; i++) {
        hf_timer_init(&a[i].t);
        a[i].t.fire = ring_and_stop;
        a[i].k = w.k;
        a[i].stops = &a[1 - i];
        assert_int_equal(hf_timer_set(w.k, &a[i].t, w.now + 1), HF_OK);
    }
    pass(&w, 1);
    assert_int_equal(a[0].rings, 1);
    assert_int_equal(a[1].rings, 0);
    assert_false(a[1].t.wait.ready);
    hf_timer_done(w.k, &a[0].t);
    hf_timer_done(w.k, &a[1].t);
    world_done(&w);
}

static void time_does_not_step_back(void **state)
{
    struct world w;
    struct hf_timer t;
    (void)state;
    world_init(&w);
    hf_timer_init(&t);
    assert_int_equal(hf_timer_set(w.k, &t, w.now), HF_OK);
    assert_int_equal(hf_kernel_step(w.k, w.now - 100), HF_AGAIN);
    assert_true(t.wait.ready);
    hf_timer_done(w.k, &t);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_at_its_time_and_not_before),
        cmocka_unit_test(a_time_that_has_passed_is_ready_at_the_next_step),
        cmocka_unit_test(stopped_does_not_ring),
        cmocka_unit_test(a_timer_that_sets_itself_cannot_hold_a_step),
        cmocka_unit_test(fires_in_order_of_time_then_of_setting),
        cmocka_unit_test(one_that_is_due_may_be_stopped_by_another),
        cmocka_unit_test(time_does_not_step_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
