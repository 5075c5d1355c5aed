/* answer_test.c - exactly one answer for each posted request, from flush and nowhere else, whatever
 * happens. world_done checks for every post of every test that it was told once.
 */
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

static void open_plain(struct fixture *f)
{
    open_with(f, NULL, (struct hf_class_settings){0});
}

static void answered(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "r");
    assert_int_equal(hf_kernel_next_ns(f.w.k), 0);
    assert_false(hf_kernel_idle(f.w.k));
    steps(&f.w, 2);                  /* start, turn */
    assert_int_equal(f.w.n_told, 0); /* only flush tells */
    assert_int_equal(hf_kernel_next_ns(f.w.k), 0);
    assert_int_equal(hf_kernel_flush(f.w.k), 1);
    assert_int_equal(hf_kernel_flush(f.w.k), 0);
    const struct told *t = told(&f.w, 1);
    assert_int_equal(t->kind, HF_ANSWER_OK);
    assert_string_equal(t->text, "ok");
    assert_int_equal(t->process, 1);
    assert_int_equal(t->served, 1);
    assert_int_equal(t->born_ns, f.w.now);
    assert_true(hf_kernel_idle(f.w.k));
    assert_int_equal(hf_kernel_next_ns(f.w.k), UINT64_MAX);
    assert_int_equal(stats_of(f.c).answered, 1);
    assert_int_equal(stats_of(f.c).requests, 1);
    world_done(&f.w);
}

static void post_says_at_once_why_not(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.queue_max = 1});
    assert_int_equal(try_post(&f.w, "nobody", "r", 0, NULL, &id), HF_NOT_FOUND);
    post(&f.w, "svc", "w");
    post(&f.w, "svc", "r");
    /* the first is claimed by the start, the second is queued: full */
    assert_int_equal(try_post(&f.w, "svc", "r", 0, hf_blob_of_bytes(HF_VIEW("x")), &id), HF_LIMIT);
    assert_int_equal(stats_of(f.c).refused, 1);
    hf_wait_fire(&f.w.gate);
    run(&f.w);
    assert_int_equal(f.w.n_told, 2);
    world_done(&f.w);
}

static void too_many_requests(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    world_init_with(&f.w, &(struct hf_kernel_settings){.requests_max = 2});
    f.c = world_class(&f.w, "svc", &f.kind, (struct hf_class_settings){0});
    f.kind.start = NULL;
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r");
    assert_int_equal(try_post(&f.w, "svc", "r", 0, NULL, &id), HF_LIMIT);
    run(&f.w);
    post(&f.w, "svc", "r");
    run(&f.w);
    world_done(&f.w);
}

static void unanswered_when_the_turn_ends_without(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "");
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_UNANSWERED, "");
    assert_int_equal(told(&f.w, 1)->process, 1);
    assert_int_equal(stats_of(f.c).unanswered, 1);
    assert_int_equal(stats_of(f.c).instances, 1); /* it may go on */
    world_done(&f.w);
}

static void respond_twice_is_answered(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "rR");
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok");
    assert_int_equal(f.w.last_duty, HF_DUTY_ANSWERED);
    post(&f.w, "svc", "rq");
    run(&f.w);
    expect_told(&f.w, 2, HF_ANSWER_OK, "ok");
    assert_int_equal(f.w.last_duty, HF_DUTY_ANSWERED);
    post(&f.w, "svc", "qr");
    run(&f.w);
    expect_told(&f.w, 3, HF_ANSWER_FULL, "no");
    world_done(&f.w);
}

static void respond_then_wait_answers_at_the_end_of_the_call(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "rwR");
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok"); /* out, while the process goes on */
    assert_false(hf_kernel_idle(f.w.k));
    assert_int_equal(f.w.n_actors, 1);
    hf_wait_fire(&f.w.gate);
    run(&f.w);
    assert_int_equal(f.w.last_duty, HF_DUTY_ANSWERED);
    assert_true(hf_kernel_idle(f.w.k));
    assert_int_equal(f.w.n_told, 1);
    world_done(&f.w);
}

static void deadline_applies_to_the_rest_of_the_turn(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.request_timeout_ns = 1 * S});
    post(&f.w, "svc", "rw");
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok");
    pass(&f.w, 999 * MS);
    assert_int_equal(f.w.n_actors, 1);
    pass(&f.w, 1 * MS);
    assert_int_equal(f.w.n_actors, 0); /* killed; no second answer (world_done) */
    assert_non_null(strstr((char *)f.w.log.ptr, "cancel-timeout 1\nstop 1\n"));
    assert_int_equal(stats_of(f.c).killed, 1);
    assert_int_equal(stats_of(f.c).timeouts, 0);
    assert_true(hf_kernel_idle(f.w.k));
    world_done(&f.w);
}

static void timeout_tells_at_once_and_kills(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_plain(&f);
    assert_int_equal(try_post(&f.w, "svc", "w", 50 * MS, NULL, &id), HF_OK);
    run(&f.w);
    assert_int_equal(hf_kernel_next_ns(f.w.k), f.w.now + 50 * MS);
    pass(&f.w, 50 * MS);
    expect_told(&f.w, 1, HF_ANSWER_TIMEOUT, NULL);
    assert_string_equal((char *)f.w.log.ptr, "start 1\nturn 1 #1\ncancel-timeout 1\nstop 1\n");
    assert_int_equal(stats_of(f.c).timeouts, 1);
    assert_int_equal(stats_of(f.c).killed, 1);
    post(&f.w, "svc", "r"); /* the class goes on with a new one */
    run(&f.w);
    assert_int_equal(told(&f.w, 2)->process, 2);
    world_done(&f.w);
}

static void a_deadline_counts_from_the_step_after_the_post(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_plain(&f);
    f.w.now += 1000 * S; /* the worker slept; the kernel has not heard of the time yet */
    assert_int_equal(try_post(&f.w, "svc", "w", 50 * MS, NULL, &id), HF_OK);
    run(&f.w);
    assert_int_equal(f.w.n_told, 0);
    pass(&f.w, 49 * MS);
    assert_int_equal(f.w.n_told, 0);
    pass(&f.w, 1 * MS);
    expect_told(&f.w, 1, HF_ANSWER_TIMEOUT, NULL);
    world_done(&f.w);
}

static void timeout_before_the_turn_began_spares_the_process(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(try_post(&f.w, "svc", "r", 50 * MS, NULL, &id), HF_OK); /* to the idle one */
    post(&f.w, "svc", "r");
    assert_int_equal(hf_kernel_step(f.w.k, f.w.now), HF_OK); /* runs it */
    assert_int_equal(try_post(&f.w, "svc", "r", 50 * MS, NULL, &id), HF_OK);
    assert_int_equal(hf_kernel_step(f.w.k, f.w.now),
                     HF_OK); /* runs the one before; the last is now assigned */
    f.w.now += 60 * MS;
    run(&f.w);
    expect_told(&f.w, 4, HF_ANSWER_TIMEOUT, NULL);
    assert_int_equal(f.w.n_actors, 1);
    assert_int_equal(stats_of(f.c).killed, 0);
    world_done(&f.w);
}

static void timeout_in_the_queue(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "z");
    assert_int_equal(try_post(&f.w, "svc", "r", 50 * MS, NULL, &id), HF_OK);
    pass(&f.w, 0);
    pass(&f.w, 50 * MS);
    expect_told(&f.w, 2, HF_ANSWER_TIMEOUT, NULL);
    assert_int_equal(told(&f.w, 2)->process, 0);
    assert_int_equal(f.w.n_actors, 1);
    pass(&f.w, 10 * S);
    assert_int_equal(f.w.n_told, 2);
    world_done(&f.w);
}

static void queue_timeout_is_full(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.queue_timeout_ns = 20 * MS});
    post(&f.w, "svc", "zr");
    run(&f.w);
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 19 * MS);
    assert_int_equal(f.w.n_told, 0);
    pass(&f.w, 1 * MS);
    expect_told(&f.w, 2, HF_ANSWER_FULL, "waited too long for a free instance");
    assert_int_equal(stats_of(f.c).refused, 1);
    pass(&f.w, 10 * S);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok"); /* in hand: the queue timeout is not for it */
    world_done(&f.w);
}

static void a_start_in_progress_is_no_queue(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, "z", (struct hf_class_settings){.queue_timeout_ns = 20 * MS});
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 1 * S);
    assert_int_equal(f.w.n_told, 0);
    pass(&f.w, 9 * S);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok");
    world_done(&f.w);
}

static void cancelled_in_the_queue(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "w");
    uint64_t id = post(&f.w, "svc", "r");
    run(&f.w);
    hf_port_cancel(f.w.k, id);
    assert_int_equal(f.w.n_told, 0); /* not from within cancel */
    run(&f.w);
    expect_told(&f.w, 2, HF_ANSWER_CANCELLED, "");
    hf_port_cancel(f.w.k, id); /* too late: ignored */
    hf_port_cancel(f.w.k, 12345);
    run(&f.w);
    assert_int_equal(stats_of(f.c).queued, 0);
    assert_int_equal(stats_of(f.c).cancelled, 1);
    hf_wait_fire(&f.w.gate);
    run(&f.w);
    world_done(&f.w);
}

static void cancelled_before_the_first_step(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    uint64_t id = post(&f.w, "svc", "r"); /* claimed by a start */
    hf_port_cancel(f.w.k, id);
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_CANCELLED, "");
    assert_int_equal(stats_of(f.c).idle, 1); /* started for nothing, is there for the next */
    id = post(&f.w, "svc", "r");             /* assigned to the idle one */
    hf_port_cancel(f.w.k, id);
    post(&f.w, "svc", "r");
    run(&f.w);
    expect_told(&f.w, 2, HF_ANSWER_CANCELLED, "");
    expect_told(&f.w, 3, HF_ANSWER_OK, "ok");
    assert_int_equal(told(&f.w, 3)->served, 1);
    world_done(&f.w);
}

static void respond_after_cancel_is_void(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    uint64_t id = post(&f.w, "svc", "wr");
    run(&f.w);
    hf_port_cancel(f.w.k, id);
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_CANCELLED, "");
    assert_int_equal(f.w.n_actors, 1); /* the process goes on */
    assert_false(hf_kernel_idle(f.w.k));
    hf_wait_fire(&f.w.gate);
    run(&f.w);
    assert_int_equal(f.w.last_duty, HF_DUTY_VOID);
    assert_true(hf_kernel_idle(f.w.k));
    assert_int_equal(stats_of(f.c).idle, 1);
    world_done(&f.w);
}

static void cancelled_with_its_answer_on_the_way(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    uint64_t id = post(&f.w, "svc", "o");
    steps(&f.w, 2);
    assert_true(hf_blob_wanted(f.w.open[0]));
    hf_port_cancel(f.w.k, id);
    assert_false(hf_blob_wanted(f.w.open[0])); /* its body writes see nobody */
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_CANCELLED, "");
    world_done(&f.w);
}

static void a_cancelled_turn_still_has_its_deadline(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.request_timeout_ns = 1 * S});
    uint64_t id = post(&f.w, "svc", "w");
    run(&f.w);
    hf_port_cancel(f.w.k, id);
    pass(&f.w, 1 * S);
    expect_told(&f.w, 1, HF_ANSWER_CANCELLED, "");
    assert_int_equal(f.w.n_actors, 0);
    world_done(&f.w);
}

static void failed_is_dead_or_limited_with_its_text(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "f");
    post(&f.w, "svc", "l");
    post(&f.w, "svc", "F");
    post(&f.w, "svc", "yf");
    post(&f.w, "svc", "rf");
    post(&f.w, "svc", "r");
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_DEAD, "boom");
    assert_int_equal(told(&f.w, 1)->process, 1);
    expect_told(&f.w, 2, HF_ANSWER_LIMITED, "too much");
    expect_told(&f.w, 3, HF_ANSWER_DEAD, "the turn failed and did not say why");
    expect_told(&f.w, 4, HF_ANSWER_DEAD, "boom");
    expect_told(&f.w, 5, HF_ANSWER_OK, "ok"); /* it had answered */
    expect_told(&f.w, 6, HF_ANSWER_OK, "ok");
    assert_int_equal(stats_of(f.c).killed, 5);
    assert_int_equal(stats_of(f.c).dead, 4);
    assert_int_equal(told(&f.w, 6)->process, 6);
    world_done(&f.w);
}

static void start_failure_answers_who_waits_once_each(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, "f", (struct hf_class_settings){.max = 2});
    for (unsigned i = 0; i < 5; i++)
        post(&f.w, "svc", "r");
    run(&f.w);
    for (uint64_t tag = 1; tag <= 5; tag++)
        expect_told(&f.w, tag, HF_ANSWER_DEAD, "boom");
    assert_int_equal(stats_of(f.c).start_failures, 5); /* one attempt each, and no more */
    assert_int_equal(stats_of(f.c).started, 0);
    assert_int_equal(hf_kernel_next_ns(f.w.k), UINT64_MAX);
    world_done(&f.w);
}

static void start_failure_when_warm_is_not_tried_for_ever(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, "sl", (struct hf_class_settings){.min = 3, .max = 4});
    hf_class_warm(f.c);
    run(&f.w);
    pass(&f.w, 10 * MS);
    pass(&f.w, 1000 * S);
    assert_int_equal(stats_of(f.c).start_failures, 3);
    assert_true(hf_view_eq_text(hf_class_last_failure(f.c), "too much")); /* nobody else was told */
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 10 * MS);
    expect_told(&f.w, 1, HF_ANSWER_LIMITED, "too much");
    assert_int_equal(stats_of(f.c).start_failures, 4);
    world_done(&f.w);
}

static void start_timeout_is_dead(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, "w", (struct hf_class_settings){.start_timeout_ns = 100 * MS});
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 100 * MS);
    expect_told(&f.w, 1, HF_ANSWER_DEAD, "starting an instance took longer than 100 ms");
    assert_int_equal(f.w.n_told, 1);
    pass(&f.w, 100 * MS); /* the second one's own attempt */
    expect_told(&f.w, 2, HF_ANSWER_DEAD, NULL);
    assert_string_equal((char *)f.w.log.ptr,
                        "start 1\ncancel-timeout 1\nstop 1\nstart 2\ncancel-timeout 2\nstop 2\n");
    assert_int_equal(stats_of(f.c).start_failures, 2);
    world_done(&f.w);
}

static void a_request_may_time_out_while_its_start_goes_on(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_with(&f, "z", (struct hf_class_settings){0});
    assert_int_equal(try_post(&f.w, "svc", "r", 50 * MS, NULL, &id), HF_OK);
    post(&f.w, "svc", "r");
    run(&f.w);
    pass(&f.w, 50 * MS);
    expect_told(&f.w, 1, HF_ANSWER_TIMEOUT, NULL);
    pass(&f.w, 10 * S);
    expect_told(&f.w, 2, HF_ANSWER_OK, "ok"); /* took over the start */
    assert_int_equal(stats_of(f.c).started, 1);
    world_done(&f.w);
}

static void class_close_refuses_new_ones_and_ends_what_is_there(void **state)
{
    struct fixture f;
    uint64_t id;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "wr");
    post(&f.w, "svc", "r");
    run(&f.w);
    hf_class_close(f.c);
    assert_int_equal(try_post(&f.w, "svc", "r", 0, NULL, &id), HF_NOT_FOUND);
    assert_int_equal(f.w.n_told, 0);
    hf_wait_fire(&f.w.gate);
    run(&f.w);
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok");
    expect_told(&f.w, 2, HF_ANSWER_OK, "ok"); /* was accepted before */
    assert_int_equal(f.w.n_actors, 0);
    assert_true(hf_kernel_idle(f.w.k));
    world_done(&f.w);
}

static void class_close_with_idle_and_starting_ones(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, "s", (struct hf_class_settings){.min = 2, .max = 2});
    hf_class_warm(f.c);
    run(&f.w);
    pass(&f.w, 10 * MS);
    assert_int_equal(stats_of(f.c).idle, 2);
    hf_class_close(f.c);
    assert_int_equal(hf_kernel_next_ns(f.w.k), 0);
    run(&f.w);
    assert_int_equal(f.w.n_actors, 0);
    assert_int_equal(stats_of(f.c).instances, 0);
    world_done(&f.w);
}

static void kernel_free_cancels_all(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, NULL, (struct hf_class_settings){.max = 3});
    struct kind slow = {.start = "w"};
    world_class(&f.w, "slow", &slow, (struct hf_class_settings){0});
    post(&f.w, "svc", "w");  /* in hand */
    post(&f.w, "svc", "rw"); /* answered, in hand */
    post(&f.w, "slow", "r"); /* claimed by a start */
    post(&f.w, "slow", "r"); /* queued */
    run(&f.w);
    post(&f.w, "svc", "r"); /* its answer is made and not flushed */
    steps(&f.w, 2);
    post(&f.w, "svc", "r"); /* assigned, never stepped */
    assert_int_equal(f.w.n_told, 1);
    world_done(&f.w); /* each told once, all stopped */
}

static void kernel_free_says_cancelled(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "w");
    post(&f.w, "svc", "r");
    run(&f.w);
    struct told *kept;
    hf_kernel_free(f.w.k);
    f.w.k = NULL;
    kept = f.w.told;
    assert_int_equal(f.w.n_told, 2);
    assert_int_equal(kept[0].kind, HF_ANSWER_CANCELLED);
    assert_int_equal(kept[1].kind, HF_ANSWER_CANCELLED);
    assert_non_null(strstr((char *)f.w.log.ptr, "cancel 1\nstop 1\n"));
    world_done(&f.w);
    hf_kernel_free(NULL);
}

static void chain(struct world *w, struct told *t)
{
    uint64_t id;
    if (t->tag >= 5)
        return;
    size_t before = w->n_told;
    struct hf_post p = {
        .target = HF_VIEW("svc"), .port = &w->port, .tag = (void *)(uintptr_t)(w->n_posted + 1)};
    assert_int_equal(hf_buf_add_text(&p.body, "r"), HF_OK);
    assert_int_equal(hf_port_post(w->k, &p, &id), HF_OK);
    w->n_posted++;
    if (w->n_posted == 4)
        hf_port_cancel(w->k, id);
    assert_int_equal(w->n_told, before); /* no answer from within an answer */
}

static void a_port_may_post_and_cancel_from_its_answer(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    f.w.on_answer = chain;
    post(&f.w, "svc", "r");
    for (unsigned i = 0; i < 10; i++)
        run(&f.w);
    assert_int_equal(f.w.n_told, 5);
    expect_told(&f.w, 4, HF_ANSWER_CANCELLED, "");
    f.w.on_answer = NULL;
    world_done(&f.w);
}

static void blobs_are_kept_as_long_as_somebody_can_name_them(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    f.w.keep_blobs = true;
    struct hf_blob_pool *pool = hf_kernel_blobs(f.w.k);
    static const char *const scripts[] = {"r",  "br",  "wr", "o",  "bo", "f",
                                          "bf", "bwr", "",   "bx", "rw"};
    for (unsigned i = 0; i < HF_ARRAY_LEN(scripts); i++) {
        post_blob(&f.w, "svc", scripts[i], hf_blob_of_bytes_in(pool, HF_VIEW("body")));
        check_blobs(&f.w);
        steps(&f.w, 1);
        check_blobs(&f.w);
        run(&f.w);
        check_blobs(&f.w);
        hf_wait_fire(&f.w.gate);
        run(&f.w);
        hf_wait_clear(&f.w.gate);
        check_blobs(&f.w);
    }
    pass(&f.w, 31 * S);
    check_blobs(&f.w);
    uint64_t id = post_blob(&f.w, "svc", "r", hf_blob_of_bytes_in(pool, HF_VIEW("body")));
    hf_port_cancel(f.w.k, id);
    check_blobs(&f.w);
    run(&f.w);
    check_blobs(&f.w);
    world_done(&f.w);
}

/* 'r' answers, 'z' then takes ten seconds: what is done after an answer has a time of its own. */
static void work_after_an_answer_has_its_own_time(void **state)
{
    struct world w;
    struct kind kind = {0};
    (void)state;
    world_init(&w);
    struct hf_class *c = world_class(
        &w, "a", &kind, (struct hf_class_settings){.request_timeout_ns = 2 * S, .after_timeout_ns = 20 * S});
    post(&w, "a", "rz");
    run(&w);
    expect_told(&w, 1, HF_ANSWER_OK, "ok");
    pass(&w, 9 * S); /* long past the request's time */
    assert_int_equal(stats_of(c).killed, 0);
    pass(&w, 2 * S);
    assert_int_equal(stats_of(c).idle, 1);
    post(&w, "a", "rzzz");
    run(&w);
    pass(&w, 19 * S);
    assert_int_equal(stats_of(c).killed, 0);
    pass(&w, 2 * S);
    assert_int_equal(stats_of(c).killed, 1);
    assert_int_equal(times_told(&w, 2), 1);
    post(&w, "a", "z"); /* who has not answered has the request's */
    run(&w);
    pass(&w, 2 * S);
    expect_told(&w, 3, HF_ANSWER_TIMEOUT, "");
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answered),
        cmocka_unit_test(post_says_at_once_why_not),
        cmocka_unit_test(too_many_requests),
        cmocka_unit_test(unanswered_when_the_turn_ends_without),
        cmocka_unit_test(respond_twice_is_answered),
        cmocka_unit_test(respond_then_wait_answers_at_the_end_of_the_call),
        cmocka_unit_test(deadline_applies_to_the_rest_of_the_turn),
        cmocka_unit_test(timeout_tells_at_once_and_kills),
        cmocka_unit_test(a_deadline_counts_from_the_step_after_the_post),
        cmocka_unit_test(timeout_before_the_turn_began_spares_the_process),
        cmocka_unit_test(timeout_in_the_queue),
        cmocka_unit_test(queue_timeout_is_full),
        cmocka_unit_test(a_start_in_progress_is_no_queue),
        cmocka_unit_test(cancelled_in_the_queue),
        cmocka_unit_test(cancelled_before_the_first_step),
        cmocka_unit_test(respond_after_cancel_is_void),
        cmocka_unit_test(cancelled_with_its_answer_on_the_way),
        cmocka_unit_test(a_cancelled_turn_still_has_its_deadline),
        cmocka_unit_test(failed_is_dead_or_limited_with_its_text),
        cmocka_unit_test(start_failure_answers_who_waits_once_each),
        cmocka_unit_test(start_failure_when_warm_is_not_tried_for_ever),
        cmocka_unit_test(start_timeout_is_dead),
        cmocka_unit_test(a_request_may_time_out_while_its_start_goes_on),
        cmocka_unit_test(class_close_refuses_new_ones_and_ends_what_is_there),
        cmocka_unit_test(class_close_with_idle_and_starting_ones),
        cmocka_unit_test(kernel_free_cancels_all),
        cmocka_unit_test(kernel_free_says_cancelled),
        cmocka_unit_test(a_port_may_post_and_cancel_from_its_answer),
        cmocka_unit_test(blobs_are_kept_as_long_as_somebody_can_name_them),
        cmocka_unit_test(work_after_an_answer_has_its_own_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
