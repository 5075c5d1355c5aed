/* sched_test.c - who runs when: who computes long goes behind the others, waits park, wakes are not
 * lost, a warm request allocates nothing. */
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

static void those_that_used_up_a_slice_alternate_behind_all_others(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, (struct hf_class_settings){.max = 3});
    post(&f.w, "svc", "yyyr");
    post(&f.w, "svc", "yyyr");
    steps(&f.w, 5); /* two starts, two turns, one goes on */
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_string_equal((char *)f.w.log.ptr, "start 1\nstart 2\nturn 1 #1\nturn 2 #2\nresume 1\n"
                                             "start 3\nturn 3 #3\n"
                                             "resume 2\nresume 1\nresume 2\nresume 1\nresume 2\n");
    world_done(&f.w);
}

/* Steps as a node's loop does: each takes so long, and what is late waits until asked for. How many
 * ran. */
static unsigned prompt_steps(struct world *w, uint64_t each_ns)
{
    unsigned n = 0;
    for (; hf_kernel_look(w->k, w->now) == HF_NEXT_PROMPT; n++, w->now += each_ns)
        steps(w, 1);
    hf_kernel_flush(w->k);
    return n;
}

static void open_spinners(struct fixture *f, unsigned n)
{
    open_with(f, (struct hf_class_settings){.max = 100});
    for (unsigned i = 0; i < n; i++)
        post(&f->w, "svc", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyr");
    steps(&f->w, 2 * n); /* starts, and all used up a slice, in no time */
    assert_int_equal(hf_kernel_look(f->w.k, f->w.now), HF_NEXT_LATE);
}

static void a_request_waits_for_one_slice_however_many_spin(void **state)
{
    struct fixture f;
    struct kind quick = {.start = NULL};
    const unsigned spinners[] = {1, 8, 64};
    (void)state;
    for (unsigned i = 0; i < HF_ARRAY_LEN(spinners); i++) {
        open_spinners(&f, spinners[i]);
        world_class(&f.w, "quick", &quick, (struct hf_class_settings){0});
        uint64_t began = f.w.now;
        for (unsigned j = 0; j < 20; j++) {
            assert_int_equal(hf_kernel_look(f.w.k, f.w.now), HF_NEXT_LATE);
            steps(&f.w, 1);
            post(&f.w, "quick", "r"); /* comes when the slice has just begun */
            f.w.now += 10 * MS;
            prompt_steps(&f.w, 10000);
            expect_told(&f.w, f.w.n_posted, HF_ANSWER_OK, "ok");
        }
        assert_int_equal((f.w.now - began) / MS, 200);
        world_done(&f.w);
    }
}

static void those_that_spin_share_what_is_left(void **state)
{
    struct fixture f;
    (void)state;
    open_spinners(&f, 4);
    hf_buf_clear(&f.w.log);
    for (unsigned i = 0; i < 8; i++) {
        post(&f.w, "svc", "r");
        prompt_steps(&f.w, 10000);
        steps(&f.w, 1);
        f.w.now += 10 * MS;
    }
    for (unsigned id = 1; id <= 4; id++) {
        char line[32];
        unsigned n = 0;
        snprintf(line, sizeof line, "resume %u\n", id);
        for (const char *at = (char *)f.w.log.ptr; (at = strstr(at, line)) != NULL; at++)
            n++;
        assert_int_equal(n, 2);
    }
    world_done(&f.w);
}

/* The quick ones are never out of work: those that spin get one slice each 20 ms. */
static void those_that_spin_do_not_starve(void **state)
{
    struct fixture f;
    struct kind quick = {.start = NULL};
    unsigned late = 0;
    (void)state;
    open_spinners(&f, 8);
    world_class(&f.w, "quick", &quick, (struct hf_class_settings){0});
    for (uint64_t end = f.w.now + 1 * S; f.w.now < end;) {
        if (f.w.n_posted - f.w.n_told < 12)
            post(&f.w, "quick", "r");
        bool is_late = hf_kernel_look(f.w.k, f.w.now) == HF_NEXT_LATE;
        steps(&f.w, 1);
        hf_kernel_flush(f.w.k);
        late += is_late;
        f.w.now += is_late ? 10 * MS : MS / 2;
    }
    assert_in_range(late, 32, 36); /* 1000 / (20 + 10), and what is rounded */
    world_done(&f.w);
}

/* New requests of a class that spins come without end: their first slices are no slices of others.
 */
static void new_requests_of_a_class_that_spins_stand_behind(void **state)
{
    struct fixture f;
    struct kind quick = {.start = NULL};
    (void)state;
    open_with(&f, (struct hf_class_settings){.max = 100});
    struct hf_class *c = world_class(&f.w, "quick", &quick, (struct hf_class_settings){0});
    for (unsigned i = 0; i < 64; i++)
        post(&f.w, "svc", "yr");
    steps(&f.w, 65); /* the starts, in no time, and the first turn */
    f.w.now += 10 * MS;
    for (unsigned i = 0; i < 63; i++) {
        post(&f.w, "quick", "r");
        assert_int_equal(prompt_steps(&f.w, 10000), i == 0 ? 2 : 1); /* its start is the first */
        assert_int_equal(stats_of(c).answered, i + 1);
        assert_int_equal(hf_kernel_look(f.w.k, f.w.now), HF_NEXT_LATE);
        steps(&f.w, 1);
        f.w.now += 10 * MS;
    }
    world_done(&f.w);
}

/* It computes for almost a slice and then waits a little: no slice is used up, yet others are kept
 * waiting. */
static void a_class_that_computes_long_is_slow_and_no_longer_than_it_does(void **state)
{
    struct fixture f;
    struct kind quick = {.start = NULL};
    (void)state;
    open_with(&f, (struct hf_class_settings){0});
    world_class(&f.w, "quick", &quick, (struct hf_class_settings){0});
    post(&f.w, "svc", "r");
    prompt_steps(&f.w, 0);
    for (unsigned i = 0; i < 3; i++) {
        post(&f.w, "svc", "r");
        steps(&f.w, 1);
        f.w.now += 9 * MS;
    }
    post(&f.w, "svc", "r");
    post(&f.w, "quick", "r");
    assert_int_equal(prompt_steps(&f.w, 10000), 2); /* start and turn of the quick one */
    expect_told(&f.w, f.w.n_posted, HF_ANSWER_OK, "ok");
    assert_int_equal(times_told(&f.w, f.w.n_posted - 1), 0);
    unsigned n = 0;
    for (; hf_kernel_look(f.w.k, f.w.now) == HF_NEXT_LATE; n++) {
        assert_true(n < 20);
        steps(&f.w, 1);
        f.w.now += 10000;
        post(&f.w, "svc", "r");
    }
    assert_in_range(n, 5, 12);
    prompt_steps(&f.w, 10000);
    world_done(&f.w);
}

/* Slow ones beside a class that is never out of work get one call each 10 ms. */
static void those_that_are_slow_do_not_starve(void **state)
{
    struct fixture f;
    struct kind quick = {.start = NULL};
    unsigned late = 0;
    (void)state;
    open_with(&f, (struct hf_class_settings){0});
    struct hf_class *c = world_class(&f.w, "quick", &quick, (struct hf_class_settings){0});
    for (unsigned i = 0; i < 200; i++)
        post(&f.w, "svc", "r");
    steps(&f.w, 2);
    f.w.now += 9 * MS;
    for (uint64_t end = f.w.now + 1 * S; f.w.now < end;) {
        if (stats_of(c).requests - stats_of(c).answered < 3)
            post(&f.w, "quick", "r");
        bool is_late = hf_kernel_look(f.w.k, f.w.now) == HF_NEXT_LATE;
        steps(&f.w, 1);
        late += is_late;
        f.w.now += is_late ? 5 * MS : MS / 2;
        hf_kernel_flush(f.w.k);
    }
    assert_in_range(late, 60, 68); /* 1000 / (10 + 5), and what is rounded */
    run(&f.w);
    world_done(&f.w);
}

static void one_that_spins_can_be_ended_and_cancelled(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, (struct hf_class_settings){.max = 3, .request_timeout_ns = 1 * S});
    uint64_t id = post(&f.w, "svc", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyr");
    post(&f.w, "svc", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyr");
    steps(&f.w, 4);
    hf_port_cancel(f.w.k, id);
    hf_kernel_flush(f.w.k);
    expect_told(&f.w, 1, HF_ANSWER_CANCELLED, NULL);
    f.w.now += 1 * S;
    assert_int_equal(hf_kernel_look(f.w.k, f.w.now), HF_NEXT_NONE);
    hf_kernel_flush(f.w.k);
    expect_told(&f.w, 2, HF_ANSWER_TIMEOUT, NULL);
    assert_int_equal(hf_kernel_next_ns(f.w.k), UINT64_MAX);
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
        cmocka_unit_test(those_that_used_up_a_slice_alternate_behind_all_others),
        cmocka_unit_test(a_request_waits_for_one_slice_however_many_spin),
        cmocka_unit_test(those_that_spin_share_what_is_left),
        cmocka_unit_test(those_that_spin_do_not_starve),
        cmocka_unit_test(new_requests_of_a_class_that_spins_stand_behind),
        cmocka_unit_test(a_class_that_computes_long_is_slow_and_no_longer_than_it_does),
        cmocka_unit_test(those_that_are_slow_do_not_starve),
        cmocka_unit_test(one_that_spins_can_be_ended_and_cancelled),
        cmocka_unit_test(a_step_runs_at_most_one_turn),
        cmocka_unit_test(waits_park_and_wake),
        cmocka_unit_test(a_wait_that_is_ready_goes_on_at_once),
        cmocka_unit_test(a_selective_park_is_not_woken_by_others),
        cmocka_unit_test(a_warm_request_allocates_nothing_but_what_it_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
