/* oom_test.c - memory runs out at every place in turn, once or for good: whoever was accepted is
 * still told once, nothing is leaked, nothing asserts. (Not in sanitizer builds: they bring their
 * own malloc.)
 */
#include "support.h"

enum { POSTS = 24 };

struct scene {
    struct hf_kernel *k;
    struct hf_port port;
    uint64_t now;
    bool accepted[POSTS];
    unsigned told[POSTS];
    enum hf_answer_kind kinds[POSTS];
    struct hf_buf bodies[POSTS], answers[POSTS]; /* made before memory runs out */
    bool blob_failed;
};

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct scene *s = HF_CONTAINER_OF(port, struct scene, port);
    size_t i = (size_t)(uintptr_t)tag;
    s->told[i]++;
    s->kinds[i] = a->kind;
    if (a->kind != HF_ANSWER_OK)
        assert_null(a->blob);
}

/* The body says which answer is mine: its first byte is the number of the post, its second the
 * deed. */
static enum hf_end on_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)turn;
    *state = ctx;
    return HF_END_DONE;
}

static enum hf_end on_turn(void *state, struct hf_turn *turn)
{
    struct scene *s = state;
    struct hf_view body = hf_turn_message(turn)->body;
    size_t i = body.ptr[0];
    switch (body.ptr[1] % 6) {
    case 0: return HF_END_DONE; /* unanswered */
    case 1: hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("boom")); return HF_END_FAILED;
    case 2: hf_turn_refuse(turn, HF_ANSWER_FULL, HF_VIEW("no")); return HF_END_DONE;
    case 3: return HF_END_YIELD;
    default: break;
    }
    struct hf_blob *blob = hf_blob_new_in(hf_kernel_blobs(s->k), HF_BLOB_LEN_UNKNOWN, 0),
                   *producer = blob;
    hf_turn_respond(turn, &s->answers[i], &blob);
    if (producer == NULL)
        return HF_END_DONE;
    static const uint8_t bytes[10000];
    enum hf_err err = hf_blob_push(producer, hf_view(bytes, sizeof bytes));
    assert_true(err == HF_OK || err == HF_LIMIT);
    assert_int_equal(hf_blob_pushed(producer),
                     err == HF_OK ? sizeof bytes : 0); /* all or nothing */
    size_t lent;
    uint8_t *space = hf_blob_reserve(producer, 40000, &lent);
    s->blob_failed |= err != HF_OK || space == NULL;
    if (err == HF_OK && space != NULL)
        hf_blob_finish(producer);
    else
        hf_blob_fail(producer, HF_LIMIT);
    hf_blob_unref(blob);
    return HF_END_DONE;
}

static enum hf_end on_resume(void *state, struct hf_turn *turn)
{
    struct scene *s = state;
    hf_turn_respond(turn, &s->answers[hf_turn_message(turn)->body.ptr[0]], NULL);
    return HF_END_DONE;
}

static void on_stop(void *state)
{
    (void)state;
}

static const struct hf_behaviour service = {
    .name = "service", .start = on_start, .turn = on_turn, .resume = on_resume, .stop = on_stop};

static void play(struct scene *s)
{
    static const char *const names[2] = {"plain", "recorded"};
    struct hf_class *c[2] = {NULL, NULL};
    if (hf_kernel_new(&(struct hf_kernel_settings){0}, &s->k) != HF_OK) {
        s->k = NULL;
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct hf_class_settings cs = {.behaviour = &service,
                                       .ctx = s,
                                       .max = 2,
                                       .min = 1,
                                       .recorded = i == 1,
                                       .idle_timeout_ns = 1 * S};
        enum hf_err err = hf_class_add(s->k, names[i], &cs, &c[i], NULL);
        assert_true(err == HF_OK || err == HF_LIMIT);
        if (err == HF_OK)
            hf_class_warm(c[i]);
    }
    for (size_t i = 0; i < POSTS; i++) {
        struct hf_post p = {
            .target = hf_view_of(names[i % 2]),
            .body = s->bodies[i],
            .blob = hf_blob_of_bytes_in(hf_kernel_blobs(s->k), HF_VIEW("request")),
            .port = &s->port,
            .tag = (void *)(uintptr_t)i,
        };
        uint64_t id;
        enum hf_err err = hf_port_post(s->k, &p, &id);
        s->bodies[i] = p.body; /* empty when it moved */
        s->accepted[i] = err == HF_OK;
        assert_true((p.body.ptr == NULL) == (err == HF_OK));
        hf_blob_unref(p.blob);
        if (i % 5 == 4)
            run_kernel(s->k, s->now);
    }
    for (unsigned i = 0; i < 4; i++) {
        run_kernel(s->k, s->now);
        s->now += 20 * S; /* whoever waits for memory: its deadline comes */
    }
    run_kernel(s->k, s->now);
    assert_true(hf_kernel_idle(s->k));
}

/* Returns whether an allocation failed. */
static bool with_failure_at(size_t n, bool all)
{
    struct scene s = {.port = {on_answer}, .now = 1};
    static const uint8_t one[1];
    for (size_t i = 0; i < POSTS; i++) {
        const uint8_t body[2] = {(uint8_t)i, (uint8_t)(i / 2)};
        assert_int_equal(hf_buf_add(&s.bodies[i], body, 2), HF_OK);
        assert_int_equal(hf_buf_add(&s.answers[i], one, 1), HF_OK);
    }
    mallocs_fail(n, all);
    play(&s);
    hf_kernel_free(s.k);
    bool failed = mallocs_fail(0, false);
    for (size_t i = 0; i < POSTS; i++) {
        assert_int_equal(s.told[i], s.accepted[i]);
        if (!failed)
            assert_true(s.accepted[i] && s.kinds[i] != HF_ANSWER_LIMITED &&
                        s.kinds[i] != HF_ANSWER_TIMEOUT);
        hf_buf_done(&s.bodies[i]);
        hf_buf_done(&s.answers[i]);
    }
    return failed;
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    if (!mallocs_are_counted())
        skip();
    for (unsigned all = 0; all < 2; all++) {
        size_t n = 1;
        long live = mallocs_live();
        while (with_failure_at(n, all)) {
            assert_int_equal(mallocs_live(), live);
            n++;
        }
        assert_int_equal(mallocs_live(), live);
        assert_true(n > 40); /* there were that many places */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_may_run_out_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
