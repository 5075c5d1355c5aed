/* recorded_test.c - of a recorded class nothing gets out before its batch is acknowledged; what
 * gets out, in order. */
#include "support.h"

struct fixture {
    struct world w;
    struct kind kind, other;
    struct hf_class *c;
    struct hf_buf heard;
    uint64_t last_seq;
};

static void open_plain(struct fixture *f)
{
    *f = (struct fixture){.kind = {.start = NULL}};
    world_init(&f->w);
    f->c = world_class(
        &f->w, "svc", &f->kind,
        (struct hf_class_settings){.recorded = true, .max = 4, .request_timeout_ns = 1 * S});
    world_class(&f->w, "volatile", &f->other, (struct hf_class_settings){0});
}

static void close_it(struct fixture *f)
{
    hf_buf_done(&f->heard);
    world_done(&f->w);
}

static enum hf_err hear(void *ctx, const struct hf_batch_record *r)
{
    static const char *const names[] = {"?", "consume", "input", "answer", "timer"};
    struct fixture *f = ctx;
    if (r->kind == HF_RECORD_ANSWER)
        return hf_buf_printf(&f->heard, "answer %llu %s %.*s\n", (unsigned long long)r->id,
                             hf_answer_text((enum hf_answer_kind)r->what), HF_FMT(r->bytes));
    return hf_buf_printf(&f->heard, "%s %llu %.*s\n", names[r->kind], (unsigned long long)r->id,
                         HF_FMT(r->bytes));
}

/* What a store does but acknowledging. Returns how many batches there were. */
static size_t commit(struct fixture *f)
{
    const struct hf_batch *b;
    size_t n = 0;
    uint64_t seq, process;
    hf_buf_clear(&f->heard);
    while ((b = hf_kernel_next_batch(f->w.k)) != NULL) {
        assert_int_equal(hf_batch_seq(b), f->last_seq + 1); /* dense */
        f->last_seq = hf_batch_seq(b);
        assert_int_equal(hf_batch_decode(hf_batch_bytes(b), &seq, &process, hear, f, NULL), HF_OK);
        assert_int_equal(seq, f->last_seq);
        n++;
    }
    return n;
}

static void nothing_leaves_before_it_is_acknowledged(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(f.w.n_told, 0);
    assert_int_equal(commit(&f), 1);
    assert_string_equal((char *)f.heard.ptr, "consume 1 r\nanswer 1 ok ok\n");
    assert_int_equal(hf_kernel_next_ns(f.w.k),
                     f.w.now + 1 * S); /* only its deadline is left to wait for */
    run(&f.w);
    assert_int_equal(f.w.n_told, 0);
    assert_false(hf_kernel_idle(f.w.k));
    hf_kernel_acked(f.w.k, 1);
    assert_int_equal(f.w.n_told, 0); /* only flush tells */
    assert_int_equal(hf_kernel_next_ns(f.w.k), 0);
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok");
    assert_true(hf_kernel_idle(f.w.k));
    assert_int_equal(hf_kernel_next_ns(f.w.k), UINT64_MAX);
    close_it(&f);
}

static void a_volatile_class_is_not_held_behind_it(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "r");
    post(&f.w, "volatile", "r");
    run(&f.w);
    expect_told(&f.w, 2, HF_ANSWER_OK, "ok");
    assert_int_equal(f.w.n_told, 1);
    assert_int_equal(commit(&f), 1);
    hf_kernel_acked(f.w.k, 1);
    run(&f.w);
    close_it(&f);
}

static void released_in_order_up_to_the_acknowledged_one(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    for (unsigned i = 0; i < 6; i++)
        post(&f.w, "svc", "r");
    run(&f.w);
    assert_int_equal(commit(&f), 6);
    hf_kernel_acked(f.w.k, 2);
    run(&f.w);
    assert_int_equal(f.w.n_told, 2);
    hf_kernel_acked(f.w.k, 2); /* again changes nothing */
    hf_kernel_acked(f.w.k, 5);
    run(&f.w);
    assert_int_equal(f.w.n_told, 5);
    hf_kernel_acked(f.w.k, 6);
    run(&f.w);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(f.w.told[i].tag, i + 1);
    close_it(&f);
}

static void each_segment_is_a_batch(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "wwrwq");
    run(&f.w);
    assert_int_equal(commit(&f), 1);
    assert_string_equal((char *)f.heard.ptr, "consume 1 wwrwq\n");
    hf_wait_fire(&f.w.gate);
    hf_wait_clear(&f.w.gate);
    run(&f.w);
    assert_int_equal(commit(&f), 0); /* it did nothing to be seen */
    hf_wait_fire(&f.w.gate);
    hf_wait_clear(&f.w.gate);
    run(&f.w);
    assert_int_equal(commit(&f), 1);
    assert_string_equal((char *)f.heard.ptr, "answer 1 ok ok\n");
    assert_int_equal(f.w.n_told, 0);
    hf_kernel_acked(f.w.k, f.last_seq);
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_OK, "ok"); /* while the process goes on */
    hf_wait_fire(&f.w.gate);
    run(&f.w);
    assert_int_equal(commit(&f), 0);
    close_it(&f);
}

static void ends_are_recorded_too(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "");
    post(&f.w, "svc", "l");
    run(&f.w);
    assert_int_equal(commit(&f), 2);
    assert_string_equal((char *)f.heard.ptr,
                        "consume 1 \nanswer 1 unanswered \nconsume 2 l\nanswer 2 limit too much\n");
    assert_int_equal(f.w.n_told, 0);
    hf_kernel_acked(f.w.k, f.last_seq);
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_UNANSWERED, "");
    expect_told(&f.w, 2, HF_ANSWER_LIMITED, "too much");
    close_it(&f);
}

static void timeout_does_not_wait_for_the_store(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "w"); /* still in hand */
    post(&f.w, "svc", "r"); /* its answer waits for its batch */
    run(&f.w);
    commit(&f);
    pass(&f.w, 1 * S);
    expect_told(&f.w, 1, HF_ANSWER_TIMEOUT, NULL);
    expect_told(&f.w, 2, HF_ANSWER_TIMEOUT, NULL);
    assert_int_equal(commit(&f), 1);
    assert_string_equal((char *)f.heard.ptr, "answer 1 timeout \n");
    hf_kernel_acked(f.w.k, f.last_seq);
    run(&f.w);
    assert_int_equal(f.w.n_told, 2);
    assert_true(hf_kernel_idle(f.w.k));
    close_it(&f);
}

static void cancel_does_not_wait_for_the_store(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    uint64_t id = post(&f.w, "svc", "o");
    run(&f.w);
    commit(&f);
    assert_true(hf_blob_wanted(f.w.open[0]));
    hf_port_cancel(f.w.k, id);
    assert_false(hf_blob_wanted(f.w.open[0]));
    run(&f.w);
    expect_told(&f.w, 1, HF_ANSWER_CANCELLED, "");
    hf_kernel_acked(f.w.k, f.last_seq);
    run(&f.w);
    close_it(&f);
}

static void held_answers_keep_their_blobs(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post_blob(&f.w, "svc", "o", hf_blob_of_bytes_in(hf_kernel_blobs(f.w.k), HF_VIEW("x")));
    run(&f.w);
    check_blobs(&f.w);
    assert_int_equal(hf_blob_pool_live(hf_kernel_blobs(f.w.k)),
                     1); /* the message's went with the turn */
    commit(&f);
    hf_kernel_acked(f.w.k, f.last_seq);
    run(&f.w);
    check_blobs(&f.w);
    close_it(&f);
}

static void a_batch_that_could_not_be_taken_comes_again(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "r");
    run(&f.w);
    const struct hf_batch *b = hf_kernel_next_batch(f.w.k);
    hf_kernel_return_batch(f.w.k);
    assert_ptr_equal(hf_kernel_next_batch(f.w.k), b);
    hf_kernel_return_batch(f.w.k);
    assert_int_equal(commit(&f), 2);
    hf_kernel_acked(f.w.k, 2);
    run(&f.w);
    close_it(&f);
}

static void freed_with_answers_held(void **state)
{
    struct fixture f;
    (void)state;
    open_plain(&f);
    post(&f.w, "svc", "r");
    post(&f.w, "svc", "o");
    run(&f.w);
    hf_buf_done(&f.heard);
    world_done(&f.w); /* each told once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaves_before_it_is_acknowledged),
        cmocka_unit_test(a_volatile_class_is_not_held_behind_it),
        cmocka_unit_test(released_in_order_up_to_the_acknowledged_one),
        cmocka_unit_test(each_segment_is_a_batch),
        cmocka_unit_test(ends_are_recorded_too),
        cmocka_unit_test(timeout_does_not_wait_for_the_store),
        cmocka_unit_test(cancel_does_not_wait_for_the_store),
        cmocka_unit_test(held_answers_keep_their_blobs),
        cmocka_unit_test(a_batch_that_could_not_be_taken_comes_again),
        cmocka_unit_test(freed_with_answers_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
