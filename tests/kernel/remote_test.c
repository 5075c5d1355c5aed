/* remote_test.c - a class whose instances live elsewhere: what is sent, what comes back, what
 * happens when nothing does. */
#include "support.h"

#include "kernel/remote.h"

struct far { /* plays the other kernel */
    uint64_t ids[16];
    size_t n_sent, n_cancelled;
    uint64_t cancelled, timeout_ns;
    struct hf_buf body;
    struct hf_blob *blob;
    enum hf_err refuse;
};

static enum hf_err far_send(void *ctx, uint64_t id, struct hf_buf *body, struct hf_blob **blob,
                            uint64_t timeout_ns)
{
    struct far *f = ctx;
    if (f->refuse != HF_OK)
        return f->refuse;
    f->ids[f->n_sent++] = id;
    f->timeout_ns = timeout_ns;
    hf_buf_done(&f->body);
    f->body = *body;
    hf_buf_init(body);
    f->blob = *blob;
    *blob = NULL;
    return HF_OK;
}

static void far_cancel(void *ctx, uint64_t id)
{
    struct far *f = ctx;
    f->n_cancelled++;
    f->cancelled = id;
}

static const struct hf_remote_ops ops = {far_send, far_cancel};

static void open_far(struct world *w, struct far *f)
{
    memset(f, 0, sizeof *f);
    world_init(w);
    struct hf_remote_settings s = {.ops = &ops, .ctx = f, .request_timeout_ns = 5 * S};
    assert_int_equal(hf_class_add_remote(w->k, "far", &s, NULL, NULL), HF_OK);
}

static void close_far(struct world *w, struct far *f)
{
    hf_buf_done(&f->body);
    hf_blob_unref(f->blob);
    world_done(w);
}

static bool answer(struct world *w, uint64_t id, enum hf_answer_kind kind, const char *text)
{
    struct hf_answer a = {.kind = kind, .process = 77, .served = 3, .born_ns = 9};
    assert_int_equal(hf_buf_add(&a.body, text, strlen(text)), HF_OK);
    bool taken = hf_remote_answer(w->k, id, &a);
    assert_int_equal(a.body.len, taken ? 0 : strlen(text));
    hf_buf_done(&a.body);
    return taken;
}

static void remote_message_goes_and_answer_comes(void **state)
{
    struct world w;
    struct far f;
    (void)state;
    open_far(&w, &f);
    uint64_t id = post_blob(&w, "far", "hello", hf_blob_of_bytes(HF_VIEW("body")));
    assert_int_equal(f.n_sent, 1);
    assert_int_equal(f.ids[0], id);
    assert_int_equal(f.timeout_ns, 5 * S);
    assert_true(hf_view_eq_text(hf_buf_view(&f.body), "hello"));
    assert_non_null(f.blob);
    run(&w);
    assert_int_equal(times_told(&w, 1), 0);
    assert_false(hf_kernel_idle(w.k));
    assert_true(answer(&w, id, HF_ANSWER_OK, "from afar"));
    assert_false(answer(&w, id, HF_ANSWER_OK, "twice")); /* the first is on its way */
    run(&w);
    expect_told(&w, 1, HF_ANSWER_OK, "from afar");
    assert_int_equal(told(&w, 1)->process, 77); /* who answered is said as it is */
    assert_int_equal(told(&w, 1)->served, 3);
    assert_true(hf_kernel_idle(w.k));
    assert_int_equal(f.n_cancelled, 0);
    assert_false(answer(&w, id, HF_ANSWER_OK, "again"));
    close_far(&w, &f);
}

static void remote_deadline_is_kept_here(void **state)
{
    struct world w;
    struct far f;
    (void)state;
    open_far(&w, &f);
    uint64_t id = post(&w, "far", "hello");
    run(&w);
    pass(&w, 5 * S - 1);
    assert_int_equal(times_told(&w, 1), 0);
    pass(&w, 1);
    expect_told(&w, 1, HF_ANSWER_TIMEOUT, "");
    assert_int_equal(f.n_cancelled, 1);
    assert_int_equal(f.cancelled, id);
    assert_false(answer(&w, id, HF_ANSWER_OK, "late")); /* nobody waits for it */
    run(&w);
    assert_int_equal(times_told(&w, 1), 1);
    close_far(&w, &f);
}

static void remote_cancel_is_passed_on(void **state)
{
    struct world w;
    struct far f;
    (void)state;
    open_far(&w, &f);
    uint64_t id = post(&w, "far", "hello");
    run(&w);
    hf_port_cancel(w.k, id);
    run(&w);
    expect_told(&w, 1, HF_ANSWER_CANCELLED, "");
    assert_int_equal(f.cancelled, id);
    /* an answer that is here already is only changed: nobody is there to be told */
    id = post(&w, "far", "hello");
    assert_true(answer(&w, id, HF_ANSWER_OK, "quick"));
    hf_port_cancel(w.k, id);
    run(&w);
    expect_told(&w, 2, HF_ANSWER_CANCELLED, "");
    assert_int_equal(f.n_cancelled, 1);
    close_far(&w, &f);
}

static void remote_refusal_moves_nothing(void **state)
{
    struct world w;
    struct far f;
    uint64_t id;
    (void)state;
    open_far(&w, &f);
    f.refuse = HF_LIMIT;
    struct hf_blob *blob = hf_blob_of_bytes(HF_VIEW("body"));
    assert_int_equal(try_post(&w, "far", "hello", 0, hf_blob_ref(blob), &id), HF_LIMIT);
    assert_true(hf_kernel_idle(w.k));
    hf_blob_unref(blob);
    close_far(&w, &f);
}

static void remote_requests_are_answered_when_the_kernel_goes(void **state)
{
    struct world w;
    struct far f;
    (void)state;
    open_far(&w, &f);
    uint64_t id = post(&w, "far", "hello");
    run(&w);
    hf_buf_done(&f.body);
    world_done(&w); /* checks that all posts were answered once, and that nothing is left */
    assert_int_equal(f.cancelled, id);
    assert_int_equal(f.n_cancelled, 1);
}

static void remote_names_are_classes_names(void **state)
{
    struct world w;
    struct far f;
    struct hf_remote_settings s = {.ops = &ops, .ctx = &f};
    (void)state;
    open_far(&w, &f);
    assert_int_equal(hf_class_add_remote(w.k, "far", &s, NULL, NULL), HF_INVALID);
    assert_int_equal(hf_class_add_remote(w.k, "", &s, NULL, NULL), HF_INVALID);
    close_far(&w, &f);
}

static void on_gone(void *ctx, const struct hf_class_stats *last)
{
    assert_int_equal(last->requests, 2);
    ++*(unsigned *)ctx;
}

static void a_remote_class_goes_when_nothing_is_away(void **state)
{
    struct world w;
    struct far f = {0};
    struct hf_class *c;
    unsigned gone = 0;
    uint64_t id;
    (void)state;
    world_init(&w);
    struct hf_remote_settings s = {
        .ops = &ops, .ctx = &f, .unnamed = true, .gone = on_gone, .gone_ctx = &gone};
    assert_int_equal(hf_class_add_remote(w.k, "far", &s, &c, NULL), HF_OK);
    assert_int_equal(try_post(&w, "far", "x", 0, NULL, &id), HF_NOT_FOUND);
    hf_class_take_name(c);
    uint64_t first = post(&w, "far", "hello");
    hf_buf_done(&f.body);
    uint64_t second = post(&w, "far", "hello");
    hf_class_close(c);
    assert_int_equal(try_post(&w, "far", "x", 0, NULL, &id), HF_NOT_FOUND);
    assert_true(answer(&w, first, HF_ANSWER_OK, "yes"));
    run(&w);
    run(&w);
    assert_int_equal(gone, 0);
    hf_port_cancel(w.k, second);
    assert_int_equal(f.n_cancelled, 1);
    run(&w);
    run(&w);
    assert_int_equal(gone, 1);
    close_far(&w, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_message_goes_and_answer_comes),
        cmocka_unit_test(remote_deadline_is_kept_here),
        cmocka_unit_test(remote_cancel_is_passed_on),
        cmocka_unit_test(remote_refusal_moves_nothing),
        cmocka_unit_test(remote_requests_are_answered_when_the_kernel_goes),
        cmocka_unit_test(remote_names_are_classes_names),
        cmocka_unit_test(a_remote_class_goes_when_nothing_is_away),
    };
    return cmocka_run_group_tests_name("kernel/remote", tests, NULL, NULL);
}
