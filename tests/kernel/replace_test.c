/* replace_test.c - a class takes another's name; the other finishes, and is gone; a held one waits
 * for that. */
#include "support.h"

struct owner { /* of one class */
    struct hf_class *class;
    struct kind kind;
    struct hf_class *next; /* released when this one is gone */
    unsigned gone;
    struct hf_class_stats last;
};

static void on_gone(void *ctx, const struct hf_class_stats *last)
{
    struct owner *o = ctx;
    o->gone++;
    o->last = *last;
    o->class = NULL;
    if (o->next != NULL)
        hf_class_release(o->next);
}

static void make(struct world *w, struct owner *o, const char *name, struct hf_class_settings s)
{
    s.gone = on_gone;
    s.gone_ctx = o;
    o->class = world_class(w, name, &o->kind, s);
}

/* As a loop does: until there is nothing to do. */
static void settle(struct world *w)
{
    do
        run(w);
    while (hf_kernel_next_ns(w->k) == 0);
}

static void let_go(struct world *w)
{
    hf_wait_fire(&w->gate);
    settle(w);
    hf_wait_clear(&w->gate);
}

static void the_old_keeps_what_it_has(void **state)
{
    struct world w;
    struct owner old = {0}, new = {0};
    (void)state;
    world_init(&w);
    make(&w, &old, "svc", (struct hf_class_settings){.max = 1});
    for (unsigned i = 0; i < 3; i++)
        post(&w, "svc", "wr");
    run(&w); /* one in hand, two in the queue */
    make(&w, &new, "svc", (struct hf_class_settings){.max = 2, .min = 1, .unnamed = true});
    hf_class_warm(new.class);
    settle(&w);
    assert_int_equal(stats_of(new.class).started, 1);
    post(&w, "svc", "wr");
    assert_int_equal(stats_of(old.class).requests, 4); /* the name is the old one's still */
    hf_class_take_name(new.class);
    post(&w, "svc", "r");
    settle(&w);
    expect_told(&w, 5, HF_ANSWER_OK, "ok");
    assert_int_equal(stats_of(new.class).requests, 1);
    hf_class_close(old.class);
    post(&w, "svc", "r");
    settle(&w);
    expect_told(&w, 6, HF_ANSWER_OK, "ok");
    assert_int_equal(old.gone, 0);
    for (unsigned i = 0; i < 4; i++)
        let_go(&w);
    for (uint64_t tag = 1; tag <= 4; tag++) {
        expect_told(&w, tag, HF_ANSWER_OK, "ok");
        assert_int_equal(told(&w, tag)->process, 1);
    }
    assert_int_equal(old.gone, 1);
    assert_int_equal(old.last.answered, 4);
    assert_int_equal(old.last.retired, 1);
    post(&w, "svc", "r");
    settle(&w);
    expect_told(&w, 7, HF_ANSWER_OK, "ok");
    world_done(&w);
    assert_int_equal(new.gone, 1); /* with the kernel */
    assert_int_equal(old.gone, 1);
}

static void an_answer_that_is_not_delivered_keeps_it(void **state)
{
    struct world w;
    struct owner old = {0};
    (void)state;
    world_init(&w);
    make(&w, &old, "svc", (struct hf_class_settings){.max = 1, .recorded = true});
    post(&w, "svc", "r");
    settle(&w);
    hf_class_close(old.class);
    settle(&w);
    assert_int_equal(hf_kernel_processes(w.k), 0);
    assert_int_equal(old.gone, 0); /* the answer waits for its batch */
    const struct hf_batch *b;
    uint64_t seq = 0;
    while ((b = hf_kernel_next_batch(w.k)) != NULL)
        seq = hf_batch_seq(b);
    hf_kernel_acked(w.k, seq);
    assert_int_equal(old.gone, 0);
    hf_kernel_flush(w.k);
    assert_int_equal(hf_kernel_next_ns(w.k), 0); /* there is something to do: */
    assert_int_equal(old.gone, 0);
    settle(&w);
    assert_int_equal(old.gone, 1);
    expect_told(&w, 1, HF_ANSWER_OK, "ok");
    assert_int_equal(old.last.answered, 1);
    world_done(&w);
}

static void an_empty_class_is_gone_with_the_next_step(void **state)
{
    struct world w;
    struct owner a = {0}, b = {0};
    uint64_t id;
    (void)state;
    world_init(&w);
    make(&w, &a, "svc", (struct hf_class_settings){.max = 1});
    hf_class_close(a.class);
    assert_int_equal(a.gone, 0); /* never from inside a verb */
    assert_int_equal(try_post(&w, "svc", "r", 0, NULL, &id), HF_NOT_FOUND);
    settle(&w);
    assert_int_equal(a.gone, 1);
    assert_int_equal(try_post(&w, "svc", "r", 0, NULL, &id), HF_NOT_FOUND);
    make(&w, &b, "svc", (struct hf_class_settings){.max = 1}); /* the name is free */
    post(&w, "svc", "r");
    settle(&w);
    expect_told(&w, 1, HF_ANSWER_OK, "ok");
    world_done(&w);
}

static void a_held_class_starts_nothing(void **state)
{
    struct world w;
    struct owner old = {0}, new = {0};
    uint64_t id;
    (void)state;
    world_init(&w);
    make(&w, &old, "svc", (struct hf_class_settings){.max = 1});
    post(&w, "svc", "wr");
    settle(&w);
    make(&w, &new, "svc",
         (struct hf_class_settings){.max = 1,
                                    .min = 1,
                                    .queue_max = 3,
                                    .queue_timeout_ns = S,
                                    .unnamed = true,
                                    .held = true});
    old.next = new.class;
    hf_class_warm(new.class);
    hf_class_take_name(new.class);
    hf_class_close(old.class);
    for (unsigned i = 0; i < 3; i++)
        post(&w, "svc", "r");
    assert_int_equal(try_post(&w, "svc", "r", 0, NULL, &id),
                     HF_LIMIT); /* its queue has its limit */
    settle(&w);
    assert_int_equal(hf_kernel_processes(w.k), 1);
    assert_int_equal(stats_of(new.class).started, 0);
    pass(&w, S); /* and its time */
    for (uint64_t tag = 2; tag <= 4; tag++)
        expect_told(&w, tag, HF_ANSWER_FULL, "waited too long for a free instance");
    post(&w, "svc", "r");
    post(&w, "svc", "r");
    let_go(&w);
    assert_int_equal(old.gone, 1);
    settle(&w);
    expect_told(&w, 1, HF_ANSWER_OK, "ok");
    expect_told(&w, 5, HF_ANSWER_OK, "ok");
    expect_told(&w, 6, HF_ANSWER_OK, "ok");
    assert_int_equal(told(&w, 6)->served, 2);
    assert_int_equal(stats_of(new.class).started, 1);
    world_done(&w);
}

/* Three in a row: the second had accepted something when it was replaced, and serves that in its
 * turn. */
static void a_held_class_that_is_closed_serves_its_queue(void **state)
{
    struct world w;
    struct owner c[3] = {0};
    (void)state;
    world_init(&w);
    make(&w, &c[0], "svc", (struct hf_class_settings){.max = 1});
    post(&w, "svc", "wr");
    settle(&w);
    for (unsigned i = 1; i < 3; i++) {
        make(&w, &c[i], "svc", (struct hf_class_settings){.max = 1, .unnamed = true, .held = true});
        c[i - 1].next = c[i].class;
        hf_class_take_name(c[i].class);
        hf_class_close(c[i - 1].class);
        post(&w, "svc", "r");
        post(&w, "svc", "r");
        settle(&w);
    }
    assert_int_equal(w.n_told, 0);
    let_go(&w);
    settle(&w);
    for (uint64_t tag = 1; tag <= 5; tag++) {
        expect_told(&w, tag, HF_ANSWER_OK, "ok");
        assert_int_equal(w.told[tag - 1].tag, tag);
        assert_int_equal(told(&w, tag)->process, tag == 1 ? 1 : tag <= 3 ? 2 : 3);
    }
    assert_int_equal(c[0].gone, 1);
    assert_int_equal(c[1].gone, 1);
    assert_int_equal(c[2].gone, 0);
    world_done(&w);
}

static void starts_that_nobody_wants_any_more_do_not_begin(void **state)
{
    struct world w;
    struct owner o = {.kind = {.start = "w"}};
    (void)state;
    world_init(&w);
    make(&w, &o, "svc", (struct hf_class_settings){.max = 10, .min = 10});
    hf_class_warm(o.class);
    steps(&w, 2);         /* two have begun, and wait */
    post(&w, "svc", "r"); /* and one is claimed */
    post(&w, "svc", "r");
    hf_class_close(o.class);
    settle(&w);
    assert_true(hf_kernel_processes(w.k) <= 3);
    let_go(&w);
    assert_int_equal(o.gone, 1);
    assert_true(o.last.started <= 3);
    expect_told(&w, 1, HF_ANSWER_OK, "ok");
    expect_told(&w, 2, HF_ANSWER_OK, "ok");
    world_done(&w);
}

/* One that waits for a place among all processes may be gone before there is one. */
static void a_starved_class_may_go(void **state)
{
    struct world w;
    struct owner full = {0}, starved = {0};
    (void)state;
    world_init_with(&w, &(struct hf_kernel_settings){.processes_max = 1});
    make(&w, &full, "full", (struct hf_class_settings){.max = 1});
    make(&w, &starved, "starved", (struct hf_class_settings){.max = 1});
    post(&w, "full", "wr");
    uint64_t id = post(&w, "starved", "r");
    settle(&w);
    hf_class_close(starved.class);
    hf_port_cancel(w.k, id);
    settle(&w);
    assert_int_equal(starved.gone, 1);
    expect_told(&w, 2, HF_ANSWER_CANCELLED, "");
    let_go(&w);
    hf_class_close(full.class);
    settle(&w);
    assert_int_equal(full.gone, 1);
    world_done(&w);
}

static void many_come_and_go(void **state)
{
    struct world w;
    struct owner old = {0}, new;
    struct hf_class *c;
    struct hf_report report = {0};
    (void)state;
    world_init(&w);
    make(&w, &old, "svc", (struct hf_class_settings){.max = 1});
    for (unsigned i = 0; i < 10000; i++) { /* more than there may be at a time */
        new = (struct owner){0};
        make(&w, &new, "svc", (struct hf_class_settings){.max = 1, .unnamed = true});
        hf_class_take_name(new.class);
        hf_class_close(old.class);
        post(&w, "svc", "r");
        settle(&w);
        assert_int_equal(old.gone, 1);
        struct hf_class *at = new.class; /* the next round's old one is told through `old` */
        at->s.gone_ctx = &old;
        old = (struct owner){.class = at};
        at->s.ctx = &old.kind;
        old.kind.w = &w;
        if (w.n_told > 4000) {
            world_done(&w);
            world_init(&w);
            old = (struct owner){0};
            make(&w, &old, "svc", (struct hf_class_settings){.max = 1});
        }
    }
    struct kind kind = {0};
    for (unsigned i = 1; i < 4096; i++)
        world_class(&w, "svc", &kind, (struct hf_class_settings){.unnamed = true});
    assert_int_equal(
        hf_class_add(w.k, "svc",
                     &(struct hf_class_settings){.behaviour = &actor_behaviour, .unnamed = true},
                     &c, &report),
        HF_LIMIT);
    assert_non_null(strstr(report.text, "4096"));
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_old_keeps_what_it_has),
        cmocka_unit_test(an_answer_that_is_not_delivered_keeps_it),
        cmocka_unit_test(an_empty_class_is_gone_with_the_next_step),
        cmocka_unit_test(a_held_class_starts_nothing),
        cmocka_unit_test(a_held_class_that_is_closed_serves_its_queue),
        cmocka_unit_test(starts_that_nobody_wants_any_more_do_not_begin),
        cmocka_unit_test(a_starved_class_may_go),
        cmocka_unit_test(many_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
