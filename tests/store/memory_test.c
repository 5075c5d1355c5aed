/* memory_test.c - the memory store beside a real kernel: it keeps what a recorded class did, and
 * answers wait for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/kernel.h"
#include "kernel/turn.h"
#include "store/store.h"

/* ---- a service that answers what it was asked ---- */

static enum hf_end echo_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)ctx, (void)turn;
    *state = NULL;
    return HF_END_DONE;
}
static enum hf_end echo_turn(void *state, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    (void)state;
    assert_int_equal(hf_buf_add_view(&body, hf_turn_message(turn)->body), HF_OK);
    assert_int_equal(hf_turn_respond(turn, &body, NULL), HF_DUTY_OPEN);
    return HF_END_DONE;
}
static enum hf_end echo_resume(void *state, struct hf_turn *turn)
{
    (void)state, (void)turn;
    return HF_END_DONE;
}
static void echo_stop(void *state)
{
    (void)state;
}
static const struct hf_behaviour echo = {.name = "echo",
                                         .start = echo_start,
                                         .turn = echo_turn,
                                         .resume = echo_resume,
                                         .stop = echo_stop};

struct world {
    struct hf_kernel *k;
    struct hf_store_backend *store;
    struct hf_port port;
    struct hf_buf told;
};

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct world *w = HF_CONTAINER_OF(port, struct world, port);
    (void)tag;
    assert_int_equal(a->kind, HF_ANSWER_OK);
    assert_int_equal(hf_buf_add_view(&w->told, hf_buf_view(&a->body)), HF_OK);
}

static void open_world(struct world *w)
{
    struct hf_class *c;
    struct hf_class_settings s = {.behaviour = &echo, .recorded = true};
    *w = (struct world){.port = {on_answer}};
    assert_int_equal(hf_buf_add_text(&w->told, ""), HF_OK);
    assert_int_equal(hf_kernel_new(&(struct hf_kernel_settings){0}, &w->k), HF_OK);
    assert_int_equal(hf_class_add(w->k, "echo", &s, &c, NULL), HF_OK);
    assert_int_equal(hf_store_open("memory:", &w->store, NULL), HF_OK);
}

static void close_world(struct world *w)
{
    hf_kernel_free(w->k);
    hf_store_close(w->store);
    hf_buf_done(&w->told);
}

static void post(struct world *w, struct hf_view body)
{
    struct hf_post p = {.target = HF_VIEW("echo"), .port = &w->port};
    uint64_t id;
    assert_int_equal(hf_buf_add_view(&p.body, body), HF_OK);
    assert_int_equal(hf_port_post(w->k, &p, &id), HF_OK);
}

/* As the node's loop does. */
static size_t turn(struct world *w)
{
    while (hf_kernel_step(w->k, 1) == HF_OK) {
    }
    size_t n = hf_store_commit(w->store, w->k);
    hf_kernel_flush(w->k);
    return n;
}

static void acknowledges_at_once(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    post(&w, HF_VIEW("a"));
    post(&w, HF_VIEW("b"));
    assert_int_equal(turn(&w), 2);
    assert_string_equal((char *)w.told.ptr, "ab");
    assert_int_equal(turn(&w), 0);
    assert_int_equal(hf_store_memory_count(w.store), 2);
    close_world(&w);
}

static void held_acknowledgements_hold_the_answers(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    hf_store_memory_hold(w.store, true);
    post(&w, HF_VIEW("a"));
    post(&w, HF_VIEW("b"));
    assert_int_equal(turn(&w), 2);
    post(&w, HF_VIEW("c"));
    assert_int_equal(turn(&w), 1);
    assert_int_equal(turn(&w), 0);
    assert_string_equal((char *)w.told.ptr, ""); /* no answer is seen */
    assert_int_equal(hf_store_memory_count(w.store), 3);
    hf_store_memory_hold(w.store, false);
    assert_int_equal(turn(&w), 0);
    assert_string_equal((char *)w.told.ptr, "abc"); /* released, in order */
    close_world(&w);
}

struct seen {
    uint64_t seq;
    unsigned consumed, answered;
};

static enum hf_err see(void *ctx, const struct hf_batch_record *r)
{
    struct seen *s = ctx;
    s->consumed += r->kind == HF_RECORD_CONSUME;
    s->answered += r->kind == HF_RECORD_ANSWER;
    return hf_view_eq_text(r->bytes, "hello") ? HF_OK : HF_CORRUPT;
}

static void keeps_the_bytes(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    for (unsigned i = 0; i < 100; i++)
        post(&w, HF_VIEW("hello"));
    assert_int_equal(turn(&w), 100);
    for (size_t i = 0; i < 100; i++) {
        struct seen s = {0};
        uint64_t process;
        assert_int_equal(
            hf_batch_decode(hf_store_memory_batch(w.store, i), &s.seq, &process, see, &s, NULL),
            HF_OK);
        assert_int_equal(s.seq, i + 1);
        assert_int_equal(process, 1);
        assert_int_equal(s.consumed, 1);
        assert_int_equal(s.answered, 1);
    }
    close_world(&w);
}

static void keeps_the_newest_when_it_is_full(void **state)
{
    enum { SIZE = 1 << 20, N = 100 }; /* each batch has the body twice */
    struct world w;
    uint8_t *body = malloc(SIZE);
    struct seen s = {0};
    uint64_t process;
    (void)state;
    open_world(&w);
    memset(body, 'x', SIZE);
    for (unsigned i = 0; i < N; i++) {
        post(&w, hf_view(body, SIZE));
        assert_int_equal(turn(&w), 1);
        hf_buf_clear(&w.told);
    }
    size_t n = hf_store_memory_count(w.store);
    assert_true(n * 2 * SIZE <= HF_STORE_MEMORY_MAX && (n + 2) * 2 * SIZE > HF_STORE_MEMORY_MAX);
    assert_int_equal(
        hf_batch_decode(hf_store_memory_batch(w.store, n - 1), &s.seq, &process, see, &s, NULL),
        HF_CORRUPT);
    assert_int_equal(s.seq, N);
    free(body);
    close_world(&w);
}

static void other_stores_are_not_here_yet(void **state)
{
    struct hf_store_backend *s = NULL;
    struct hf_report report = {0};
    (void)state;
    assert_int_equal(hf_store_open("sqlite:/x", &s, &report), HF_UNSUPPORTED);
    assert_non_null(strstr(report.text, "sqlite:/x"));
    assert_null(s);
    hf_store_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledges_at_once),
        cmocka_unit_test(held_acknowledgements_hold_the_answers),
        cmocka_unit_test(keeps_the_bytes),
        cmocka_unit_test(keeps_the_newest_when_it_is_full),
        cmocka_unit_test(other_stores_are_not_here_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
