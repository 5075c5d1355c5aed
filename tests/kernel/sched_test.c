/* sched_test.c - who runs when: yields go to the back, waits park, wakes are not lost, a warm
 * request allocates nothing. */
#include "support.h"

struct fixture {
    struct world w;
    struct kind kind;
    struct hf_class *c;
};

static void open_with(struct fixture *f, struct hf_class_settings s)
{
    world_init(&f->w);
    f->kind = (struct kind){.start = NULL};
    f->c = world_class(&f->w, "svc", &f->kind, s);
}

static void two_that_spin_alternate_and_others_get_turns(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, (struct hf_class_settings){.max = 3});
    post(&f.w, "svc", "yyyr");
    post(&f.w, "svc", "yyyr");
    steps(&f.w, 4); /* two starts, two turns */
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_string_equal(
        (char *)f.w.log.ptr,
        "start 1\nstart 2\nturn 1 #1\nturn 2 #2\n"
        "resume 1\nresume 2\nstart 3\nresume 1\nresume 2\nturn 3 #3\nresume 1\nresume 2\n");
    world_done(&f.w);
}

static void a_step_runs_at_most_one_turn(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, (struct hf_class_settings){0});
    assert_int_equal(hf_kernel_step(f.w.k, f.w.now), HF_AGAIN);
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r");
    steps(&f.w, 1);
    assert_string_equal((char *)f.w.log.ptr, "start 1\n");
    steps(&f.w, 1);
    assert_string_equal((char *)f.w.log.ptr, "start 1\nturn 1 #1\n");
    steps(&f.w, 1);
    assert_int_equal(hf_kernel_step(f.w.k, f.w.now), HF_AGAIN);
    run(&f.w);
    world_done(&f.w);
}

static void waits_park_and_wake(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, (struct hf_class_settings){.max = 100});
    for (unsigned i = 0; i < 50; i++)
        post(&f.w, "svc", i % 2 == 0 ? "wr" : "sr");
    run(&f.w);
    assert_int_equal(hf_kernel_next_ns(f.w.k), f.w.now + 10 * MS);
    hf_wait_fire(&f.w.gate);
    assert_int_equal(hf_kernel_next_ns(f.w.k), 0);
    run(&f.w);
    assert_int_equal(f.w.n_told, 25);
    pass(&f.w, 10 * MS);
    assert_int_equal(f.w.n_told, 50);
    world_done(&f.w);
}

static void a_wait_that_is_ready_goes_on_at_once(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, (struct hf_class_settings){0});
    hf_wait_fire(&f.w.gate);
    post(&f.w, "svc", "wwwr");
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok");
    world_done(&f.w);
}

static void a_selective_park_is_not_woken_by_others(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, (struct hf_class_settings){.request_timeout_ns = 1 * S});
    post(&f.w, "svc", "gr"); /* armed on the gate, but interested in something else */
    run(&f.w);
    hf_wait_fire(&f.w.gate);
    assert_int_not_equal(hf_kernel_next_ns(f.w.k), 0);
    run(&f.w);
    assert_int_equal(f.w.n_told, 0);
    pass(&f.w, 1 * S);
    expect_told(&f.w, 1, HF_ANSWER_TIMEOUT, NULL);
    world_done(&f.w);
}

static void a_warm_request_allocates_nothing_but_what_it_carries(void **state)
{
    struct fixture f;
    size_t kernels = 0;
    (void)state;
    open_with(&f, (struct hf_class_settings){
                      .max = 4, .idle_timeout_ns = 1 * S, .queue_timeout_ns = 1 * S});
    for (unsigned i = 0; i < 300; i++) {
        for (unsigned j = 0; j < 8; j++) {
            struct hf_post p = {.target = HF_VIEW("svc"),
                                .port = &f.w.port,
                                .tag = (void *)(uintptr_t)++f.w.n_posted};
            uint64_t id;
            assert_int_equal(hf_buf_add_text(&p.body, "yqs"),
                             HF_OK); /* a refusal's text: "no" is one allocation */
            size_t before = mallocs();
            assert_int_equal(hf_port_post(f.w.k, &p, &id), HF_OK);
            kernels += i < 100 ? 0 : mallocs() - before;
        }
        for (unsigned pass_n = 0; pass_n < 2; pass_n++) {
            f.w.now += 10 * MS;
            size_t before = mallocs(), refused = stats_of(f.c).refused;
            while (hf_kernel_step(f.w.k, f.w.now) == HF_OK)
                hf_buf_clear(&f.w.log);
            hf_kernel_flush(f.w.k);
            size_t told_now = stats_of(f.c).refused - refused;
            kernels += i < 100 ? 0 : mallocs() - before - told_now;
        }
    }
    if (mallocs_are_counted())
        assert_int_equal(kernels, 0);
    assert_int_equal(f.w.n_told, 2400);
    world_done(&f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_spin_alternate_and_others_get_turns),
        cmocka_unit_test(a_step_runs_at_most_one_turn),
        cmocka_unit_test(waits_park_and_wake),
        cmocka_unit_test(a_wait_that_is_ready_goes_on_at_once),
        cmocka_unit_test(a_selective_park_is_not_woken_by_others),
        cmocka_unit_test(a_warm_request_allocates_nothing_but_what_it_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
