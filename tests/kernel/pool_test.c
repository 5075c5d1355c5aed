/* pool_test.c - which instance takes which request, and how instances come and go (design
 * lifecycle). */
#include "support.h"

struct fixture {
    struct world w;
    struct kind kind;
    struct hf_class *c;
};

static void open_with(struct fixture *f, const char *start, struct hf_class_settings s)
{
    world_init(&f->w);
    f->kind = (struct kind){.start = start};
    f->c = world_class(&f->w, "svc", &f->kind, s);
}

static void let_go(struct fixture *f)
{
    hf_wait_fire(&f->w.gate);
    run(&f->w);
    hf_wait_clear(&f->w.gate);
}

static void most_recently_used_idle_instance_first(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 3});
    for (unsigned i = 0; i < 3; i++)
        post(&f.w, "svc", "wr");
    run(&f.w);
    assert_int_equal(stats_of(f.c).instances, 3);
    let_go(&f); /* 1, 2, 3 become idle in this order */
    assert_int_equal(stats_of(f.c).idle, 3);
    for (unsigned i = 0; i < 4; i++) {
        post(&f.w, "svc", "r");
        run(&f.w);
    }
    for (uint64_t tag = 4; tag <= 7; tag++) {
        assert_int_equal(told(&f.w, tag)->process, 3);
        assert_int_equal(told(&f.w, tag)->served, tag - 2);
    }
    post(&f.w, "svc", "wr");
    run(&f.w);
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(told(&f.w, 9)->process, 2);
    let_go(&f);
    world_done(&f.w);
}

static void new_ones_up_to_max_then_the_queue_in_order(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 2, .queue_max = 3});
    for (unsigned i = 0; i < 5; i++)
        post(&f.w, "svc", "yr");
    assert_int_equal(stats_of(f.c).instances, 2);
    assert_int_equal(stats_of(f.c).queued, 3);
    assert_int_equal(try_post(&f.w, "svc", "r", 0, NULL, &id), HF_LIMIT);
    run(&f.w);
    assert_int_equal(stats_of(f.c).instances, 2);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(f.w.told[i].tag, i + 1); /* first come, first served */
    assert_int_equal(stats_of(f.c).queued, 0);
    world_done(&f.w);
}

static void messages_for_a_starting_process_are_kept(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, "wy", (struct hf_class_settings){0});
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(f.w.n_told, 0);
    let_go(&f);
    assert_int_equal(f.w.told[0].tag, 1);
    assert_int_equal(f.w.told[1].tag, 2);
    assert_int_equal(told(&f.w, 1)->process, 1);
    assert_int_equal(told(&f.w, 2)->process, 1);
    assert_int_equal(told(&f.w, 2)->served, 2);
    world_done(&f.w);
}

static void who_is_free_first_takes_the_oldest(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 3});
    post(&f.w, "svc", "sr"); /* 1 serves for 10 ms */
    run(&f.w);
    f.kind.start = "z"; /* from now on a start takes 10 s */
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(stats_of(f.c).instances, 3);
    pass(&f.w, 10 * MS); /* 1 is free, and takes what the starts were made for */
    for (uint64_t tag = 1; tag <= 4; tag++) {
        assert_int_equal(told(&f.w, tag)->process, 1);
        assert_int_equal(f.w.told[tag - 1].tag, tag);
    }
    post(&f.w, "svc", "w"); /* 1 again */
    post(&f.w, "svc", "r"); /* waits with a start that is there, not with a fourth */
    run(&f.w);
    assert_int_equal(stats_of(f.c).instances, 3);
    pass(&f.w, 10 * S);
    assert_int_equal(told(&f.w, 6)->process, 2);
    let_go(&f);
    world_done(&f.w);
}

static void a_quicker_start_takes_the_oldest(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, "z", (struct hf_class_settings){.max = 2});
    post(&f.w, "svc", "r");
    run(&f.w);
    f.kind.start = "s";
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 10 * MS);
    assert_int_equal(told(&f.w, 1)->process, 2);
    assert_int_equal(told(&f.w, 2)->process, 2);
    pass(&f.w, 10 * S);
    assert_int_equal(stats_of(f.c).idle, 2);
    world_done(&f.w);
}

static void warm_makes_min_and_keeps_them(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.min = 2, .max = 4, .max_requests = 1});
    assert_int_equal(stats_of(f.c).instances, 0);
    hf_class_warm(f.c);
    run(&f.w);
    assert_int_equal(stats_of(f.c).idle, 2);
    hf_class_warm(f.c); /* again changes nothing */
    run(&f.w);
    assert_int_equal(stats_of(f.c).started, 2);
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(stats_of(f.c).retired, 1);
    assert_int_equal(stats_of(f.c).idle, 2); /* the retired one was replaced */
    assert_int_equal(stats_of(f.c).started, 3);
    world_done(&f.w);
}

static void idle_timeout_keeps_min(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.min = 1, .max = 4, .idle_timeout_ns = 1 * S});
    for (unsigned i = 0; i < 4; i++)
        post(&f.w, "svc", "sr");
    run(&f.w);
    pass(&f.w, 10 * MS);
    assert_int_equal(stats_of(f.c).idle, 4);
    pass(&f.w, 500 * MS);
    post(&f.w, "svc", "r"); /* the most recent one is used again */
    run(&f.w);
    pass(&f.w, 500 * MS);
    assert_int_equal(stats_of(f.c).instances, 1);
    assert_int_equal(stats_of(f.c).retired, 3);
    assert_int_equal(told(&f.w, 5)->process, 4);
    pass(&f.w, 5 * S);
    assert_int_equal(stats_of(f.c).instances, 1);
    pass(&f.w, 5 * S);
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(told(&f.w, 6)->process, 4); /* it stayed */
    world_done(&f.w);
}

static void without_min_all_idle_ones_go(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 4, .idle_timeout_ns = 1 * S});
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 999 * MS);
    assert_int_equal(f.w.n_actors, 1);
    pass(&f.w, 1 * MS);
    assert_int_equal(f.w.n_actors, 0);
    assert_int_equal(hf_kernel_next_ns(f.w.k), UINT64_MAX);
    world_done(&f.w);
}

static void max_requests_retires_after_the_turn(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max_requests = 3});
    for (unsigned i = 0; i < 7; i++)
        post(&f.w, "svc", "r");
    run(&f.w);
    for (uint64_t tag = 1; tag <= 7; tag++)
        assert_int_equal(told(&f.w, tag)->process, 1 + (tag - 1) / 3);
    assert_int_equal(stats_of(f.c).retired, 2);
    world_done(&f.w);
}

static void max_age_retires_idle_and_busy_ones(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 2, .max_age_ns = 5 * S});
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 5 * S); /* idle */
    assert_int_equal(f.w.n_actors, 0);
    post(&f.w, "svc", "zr");
    run(&f.w);
    pass(&f.w, 6 * S); /* old, but in the middle of a request */
    assert_int_equal(f.w.n_actors, 1);
    pass(&f.w, 4 * S);
    expect_told(&f.w, 2, HF_ANSWER_OK, "ok");
    assert_int_equal(f.w.n_actors, 0);
    assert_int_equal(stats_of(f.c).retired, 2);
    world_done(&f.w);
}

static void retire_ends_after_this_turn(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){0});
    post(&f.w, "svc", "xwr");
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(f.w.n_actors, 1);
    let_go(&f);
    assert_int_equal(told(&f.w, 1)->process, 1);
    assert_int_equal(told(&f.w, 2)->process, 2);
    assert_int_equal(stats_of(f.c).retired, 1);
    assert_int_equal(stats_of(f.c).killed, 0);
    world_done(&f.w);
}

static void single_use_from_now_on(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 4});
    for (unsigned i = 0; i < 3; i++)
        post(&f.w, "svc", "wr");
    run(&f.w);
    let_go(&f);
    assert_int_equal(stats_of(f.c).idle, 3); /* each has served one */
    post(&f.w, "svc", "yyur");               /* 3 */
    post(&f.w, "svc", "yr");                 /* 2, will be in its second when it is said */
    steps(&f.w, 3);                          /* 3 yields, 2 yields, 3 yields again */
    post(&f.w, "svc", "r");                  /* 1: assigned, must not take it */
    steps(&f.w, 1);
    run(&f.w);
    run(&f.w);
    expect_told(&f.w, 4, HF_ANSWER_OK, "ok");
    expect_told(&f.w, 5, HF_ANSWER_OK, "ok");
    expect_told(&f.w, 6, HF_ANSWER_OK, "ok");
    assert_int_equal(stats_of(f.c).instances, 0);
    for (unsigned i = 0; i < 3; i++)
        post(&f.w, "svc", "r");
    run(&f.w);
    for (uint64_t tag = 7; tag <= 9; tag++)
        assert_int_equal(told(&f.w, tag)->served, 1);
    assert_int_equal(stats_of(f.c).killed, 0);
    world_done(&f.w);
}

static void single_use_gives_back_what_was_assigned_in_order(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 2});
    post(&f.w, "svc", "wr");
    post(&f.w, "svc", "wr");
    run(&f.w);
    let_go(&f);
    post(&f.w, "svc", "r"); /* both assigned */
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r"); /* queued */
    hf_class_set_single_use(f.c);
    run(&f.w);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(f.w.told[2 + i].tag, 3 + i);
        assert_int_equal(f.w.told[2 + i].served, 1);
        assert_true(f.w.told[2 + i].process > 2);
    }
    world_done(&f.w);
}

static void processes_max_is_shared_fairly(void **state)
{
    struct world w;
    struct kind a = {.start = NULL}, b = {.start = NULL};
    (void)state;
    world_init_with(&w, &(struct hf_kernel_settings){.processes_max = 2});
    struct hf_class *ca =
        world_class(&w, "a", &a, (struct hf_class_settings){.max = 9, .max_requests = 1});
    struct hf_class *cb =
        world_class(&w, "b", &b, (struct hf_class_settings){.max = 9, .max_requests = 1});
    for (unsigned i = 0; i < 4; i++)
        post(&w, "a", "wr");
    for (unsigned i = 0; i < 2; i++)
        post(&w, "b", "wr");
    assert_int_equal(stats_of(ca).instances, 2);
    assert_int_equal(stats_of(ca).queued, 2);
    assert_int_equal(stats_of(cb).queued, 2);
    steps(&w, 4); /* two starts, two turns */
    hf_wait_fire(&w.gate);
    steps(&w, 2); /* both of a end */
    hf_kernel_flush(w.k);
    assert_int_equal(stats_of(cb).instances,
                     1); /* b asked and gets a place, although a has more waiting */
    run(&w);
    assert_int_equal(w.n_told, 6);
    world_done(&w);
}

static void instances_are_told_apart_in_a_node(void **state)
{
    struct world w;
    struct kind kind = {.start = NULL};
    (void)state;
    world_init_with(&w, &(struct hf_kernel_settings){.id_base = 3ull << 48});
    world_class(&w, "svc", &kind, (struct hf_class_settings){0});
    uint64_t id = post(&w, "svc", "r");
    assert_int_equal(id, 3ull << 48);
    run(&w);
    assert_int_equal(told(&w, 1)->process, 3ull << 48);
    world_done(&w);
}

static void class_settings_are_checked(void **state)
{
    struct fixture f;
    struct hf_class *c;
    struct hf_report report = {0};
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){0});
    struct hf_class_settings s = {.behaviour = &actor_behaviour, .ctx = &f.kind};
    assert_int_equal(hf_class_add(f.w.k, "svc", &s, &c, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "svc already"));
    assert_int_equal(hf_class_add(f.w.k, "", &s, &c, NULL), HF_INVALID);
    s.min = 2;
    hf_report_init(&report);
    assert_int_equal(hf_class_add(f.w.k, "x", &s, &c, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "min 2 is more than max 1"));
    world_done(&f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_recently_used_idle_instance_first),
        cmocka_unit_test(new_ones_up_to_max_then_the_queue_in_order),
        cmocka_unit_test(messages_for_a_starting_process_are_kept),
        cmocka_unit_test(who_is_free_first_takes_the_oldest),
        cmocka_unit_test(a_quicker_start_takes_the_oldest),
        cmocka_unit_test(warm_makes_min_and_keeps_them),
        cmocka_unit_test(idle_timeout_keeps_min),
        cmocka_unit_test(without_min_all_idle_ones_go),
        cmocka_unit_test(max_requests_retires_after_the_turn),
        cmocka_unit_test(max_age_retires_idle_and_busy_ones),
        cmocka_unit_test(retire_ends_after_this_turn),
        cmocka_unit_test(single_use_from_now_on),
        cmocka_unit_test(single_use_gives_back_what_was_assigned_in_order),
        cmocka_unit_test(processes_max_is_shared_fairly),
        cmocka_unit_test(instances_are_told_apart_in_a_node),
        cmocka_unit_test(class_settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
