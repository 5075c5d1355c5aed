/* visit_test.c - looking at what lives, and killing an instance from outside. */
#include "support.h"

struct seen {
    char text[2048];
    size_t len;
};

static void see_instance(void *ctx, const struct hf_instance_view *i)
{
    struct seen *s = ctx;
    assert_ptr_equal(i->behaviour, &actor_behaviour);
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, " %llu %s %llu%s\n",
                               (unsigned long long)i->process, i->phase,
                               (unsigned long long)i->served, i->state == NULL ? " nothing" : "");
}

static void expect_seen(const struct hf_class *c, const char *text)
{
    struct seen s = {0};
    hf_class_visit(c, see_instance, &s);
    assert_string_equal(s.text, text);
}

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

static void a_visitor_sees_instances_in_order(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 2});
    expect_seen(f.c, "");
    post(&f.w, "svc", "r");
    expect_seen(f.c, " 1 new 0 nothing\n");
    run(&f.w);
    expect_seen(f.c, " 1 idle 1\n");
    assert_int_equal(stats_of(f.c).cold, 1);
    for (unsigned i = 0; i < 3; i++)
        post(&f.w, "svc", "w");
    run(&f.w);
    expect_seen(f.c, " 1 busy 2\n 2 busy 1\n");
    assert_int_equal(stats_of(f.c).cold, 2); /* the first, and the one that made the second */
    hf_wait_fire(&f.w.gate);
    run(&f.w);
    world_done(&f.w);
}

static void a_killed_instance_is_gone_and_its_request_is_told(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 1});
    post(&f.w, "svc", "w");
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_false(hf_kernel_kill(f.w.k, 99, "operator"));
    assert_true(hf_kernel_kill(f.w.k, 1, "operator"));
    assert_false(hf_kernel_kill(f.w.k, 1, "operator")); /* it is ending */
    assert_int_equal(hf_kernel_next_ns(f.w.k), 0);
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_DEAD, "the instance was killed from outside");
    expect_told(&f.w, 2, HF_ANSWER_OK, "ok"); /* who waited has a new one */
    assert_int_equal(told(&f.w, 2)->process, 2);
    assert_int_equal(stats_of(f.c).killed, 1);
    world_done(&f.w);
}

static void whatever_it_does_it_can_be_killed(void **state)
{
    static const char *const doing[] = {"r", "y", "z", "or", "rz"};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(doing); i++)
        for (unsigned n = 0; n < 4; n++) {
            struct fixture f;
            open_with(&f, "y", (struct hf_class_settings){.max = 1});
            post(&f.w, "svc", doing[i]);
            steps(&f.w, n < 3 ? n : 1);
            if (n == 3)
                run(&f.w);
            bool there = hf_kernel_kill(f.w.k, 1, "operator");
            assert_true(there);
            run(&f.w);
            assert_int_equal(times_told(&f.w, 1), 1);
            assert_int_equal(f.w.n_actors, stats_of(f.c).instances);
            world_done(&f.w);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visitor_sees_instances_in_order),
        cmocka_unit_test(a_killed_instance_is_gone_and_its_request_is_told),
        cmocka_unit_test(whatever_it_does_it_can_be_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
