/* between_test.c - requests and bodies between two workers' kernels, each on a thread of its own.
 * Under TSan this says that all that crosses goes through letters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "kernel/kernel.h"
#include "kernel/turn.h"
#include "link/between.h"

#define MS 1000000ull
#define S  (1000 * MS)

/* ---- a service whose processes do what their message says ---- */

enum deed { ECHO = 'e', EMPTY = 'n', DIE = 'd', SLEEP = 's', DROP = 'x' };

static enum hf_end service_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)ctx, (void)turn;
    *state = NULL;
    return HF_END_DONE;
}

static enum hf_end service_turn(void *state, struct hf_turn *turn)
{
    struct hf_view body = hf_turn_message(turn)->body;
    struct hf_buf head = {0};
    struct hf_blob *blob = NULL;
    (void)state;
    switch ((enum deed)body.ptr[0]) {
    case DIE: hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("as told")); return HF_END_FAILED;
    case SLEEP: return HF_END_WAIT; /* nothing wakes it */
    case ECHO:
        blob = hf_turn_take_blob(turn);
        break; /* the body that arrives is the answer's body */
    case DROP: /* answers at once, and lets the body go */
        blob = hf_turn_take_blob(turn);
        hf_blob_unref(blob);
        blob = NULL;
        break;
    case EMPTY: break;
    }
    HF_ASSERT(hf_buf_add_view(&head, body) == HF_OK);
    hf_turn_respond(turn, &head, &blob);
    hf_buf_done(&head);
    hf_blob_unref(blob); /* void: the asker cancelled */
    return HF_END_DONE;
}

static enum hf_end service_resume(void *state, struct hf_turn *turn)
{
    (void)state, (void)turn;
    return HF_END_WAIT;
}

static void service_stop(void *state)
{
    (void)state;
}

static const struct hf_behaviour service = {.name = "service",
                                            .start = service_start,
                                            .turn = service_turn,
                                            .resume = service_resume,
                                            .stop = service_stop};

static const struct hf_remote_settings plain = {0};

/* ---- a worker ---- */

struct worker {
    struct hf_kernel *k;
    struct hf_wake *wake;
    struct hf_between *between;
    pthread_t thread;
    _Atomic bool *stop;
    /* Asks, feeds and reads; false when it is done. NULL: it only serves. */
    bool (*work)(struct worker *w, void *ctx);
    void *ctx;
    size_t most_memory; /* of its blobs */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static void worker_turn(struct worker *w, bool sleep)
{
    if (sleep && hf_wake_sleep(w->wake)) {
        struct pollfd fd = {.fd = hf_wake_fd(w->wake), .events = POLLIN};
        poll(&fd, 1, 5);
        hf_wake_awake(w->wake);
    }
    hf_wake_deliver_all(w->wake);
    while (hf_kernel_step(w->k, now_ns()) == HF_OK)
        ;
    hf_kernel_flush(w->k);
    hf_between_flush(w->between);
    size_t memory = hf_blob_pool_memory(hf_kernel_blobs(w->k));
    if (memory > w->most_memory)
        w->most_memory = memory;
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    uint64_t end = now_ns() + 60 * S;
    bool more = w->work != NULL;
    while (!atomic_load(w->stop)) {
        HF_ASSERT(now_ns() < end); /* it hangs */
        bool busy = hf_between_busy(w->between) || hf_kernel_next_ns(w->k) == 0;
        worker_turn(w, !busy && !more);
        if (more && !(more = w->work(w, w->ctx)))
            atomic_store(w->stop, true);
    }
    return NULL;
}

struct pair {
    struct worker w[2];
    _Atomic bool stop;
};

static void pair_open(struct pair *p, uint32_t instances)
{
    struct hf_class_settings cs = {
        .behaviour = &service, .max = instances, .request_timeout_ns = 30 * S};
    struct hf_class *c;
    memset(p, 0, sizeof *p);
    for (unsigned i = 0; i < 2; i++) {
        struct worker *w = &p->w[i];
        w->stop = &p->stop;
        assert_int_equal(
            hf_kernel_new(&(struct hf_kernel_settings){.id_base = (uint64_t)i << 48}, &w->k),
            HF_OK);
        assert_int_equal(hf_wake_new(&w->wake, NULL), HF_OK);
        assert_int_equal(hf_between_new(w->k, w->wake, 0, &w->between), HF_OK);
        hf_kernel_step(w->k, now_ns());
    }
    assert_int_equal(hf_class_add(p->w[1].k, "s", &cs, &c, NULL), HF_OK);
    assert_int_equal(hf_between_add(p->w[0].between, "s", p->w[1].between, &plain, NULL, NULL), HF_OK);
}

static void pair_run(struct pair *p, bool (*work)(struct worker *w, void *ctx), void *ctx)
{
    p->w[0].work = work;
    p->w[0].ctx = ctx;
    assert_int_equal(pthread_create(&p->w[1].thread, NULL, worker_run, &p->w[1]), 0);
    worker_run(&p->w[0]);
    pthread_join(p->w[1].thread, NULL);
}

static void pair_close(struct pair *p)
{
    struct hf_blob_pool *pools[2];
    (void)pools;
    for (unsigned i = 0; i < 2; i++)
        hf_between_stop(p->w[i].between);
    for (unsigned i = 0; i < 2; i++)
        hf_kernel_free(p->w[i].k);
    for (unsigned i = 0; i < 2; i++)
        hf_wake_deliver_all(p->w[i].wake);
    for (unsigned i = 0; i < 2; i++)
        hf_between_free(p->w[i].between);
    for (unsigned i = 0; i < 2; i++)
        hf_wake_free(p->w[i].wake);
}

/* ---- asking ---- */

#define ASKS 40

struct ask {
    uint64_t id;
    enum deed deed;
    uint64_t length, fed, read; /* of the body; UINT64_MAX: none */
    struct hf_blob *in;         /* ours to fill */
    bool asked, answered, over, fail, slow, cancel, trailers;
    enum hf_answer_kind kind;
    uint64_t process;
    struct hf_blob_reader out;
    enum hf_err end;
    bool trailers_came;
};
struct asker {
    struct hf_port port;
    struct ask asks[ASKS];
    size_t n, at_once;
    unsigned turns;
};

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct ask *q = tag;
    (void)port;
    HF_ASSERT(!q->answered);
    q->answered = true;
    q->kind = a->kind;
    q->process = a->process;
    if (a->blob != NULL)
        hf_blob_reader_open(&q->out, &a->blob);
}

static void begin(struct worker *w, struct asker *a, struct ask *q)
{
    struct hf_post post = {.target = HF_VIEW("s"), .port = &a->port, .tag = q};
    uint8_t deed = (uint8_t)q->deed;
    HF_ASSERT(hf_buf_add(&post.body, &deed, 1) == HF_OK);
    if (q->length != UINT64_MAX)
        q->in = post.blob =
            hf_blob_new_in(hf_kernel_blobs(w->k), q->trailers ? HF_BLOB_LEN_UNKNOWN : q->length, 0);
    HF_ASSERT(hf_port_post(w->k, &post, &q->id) == HF_OK);
    q->asked = true;
}

static void feed(struct ask *q)
{
    uint8_t piece[7001];
    if (q->in != NULL && !hf_blob_wanted(q->in)) {
        hf_blob_fail(q->in, HF_CANCELLED);
        q->in = NULL;
    }
    for (int i = 0; i < 8 && q->in != NULL && hf_blob_room(q->in) > 0 && q->fed < q->length; i++) {
        size_t n = q->length - q->fed < sizeof piece ? (size_t)(q->length - q->fed) : sizeof piece;
        for (size_t b = 0; b < n; b++)
            piece[b] = byte_at(q->fed + b);
        if (hf_blob_push(q->in, hf_view(piece, n)) != HF_OK)
            return;
        q->fed += n;
    }
    if (q->in == NULL || q->fed < q->length)
        return;
    if (q->trailers)
        HF_ASSERT(hf_blob_set_trailers(q->in, HF_VIEW("trailers")) == HF_OK);
    if (q->fail)
        hf_blob_fail(q->in, HF_TIMEOUT);
    else
        hf_blob_finish(q->in);
    q->in = NULL;
}

static void drain(struct ask *q)
{
    struct hf_view v;
    size_t left = q->slow ? 4096 : SIZE_MAX;
    if (q->out.blob == NULL)
        return;
    q->end = HF_OK;
    while (left > 0 && (q->end = hf_blob_reader_peek(&q->out, &v)) == HF_OK) {
        v = hf_view_take(v, left);
        for (size_t i = 0; i < v.len; i++)
            HF_ASSERT(v.ptr[i] == byte_at(q->read + i));
        q->read += v.len;
        left -= v.len;
        hf_blob_reader_advance(&q->out, v.len);
    }
    if (q->end == HF_AGAIN || q->end == HF_OK)
        return;
    q->trailers_came = hf_view_eq_text(hf_blob_trailers(q->out.blob), "trailers");
    hf_blob_reader_close(&q->out);
}

static bool over(const struct ask *q)
{
    return q->asked && q->answered && q->in == NULL && q->out.blob == NULL;
}

static bool ask_all(struct worker *w, void *ctx)
{
    struct asker *a = ctx;
    size_t open = 0;
    bool more = false;
    a->turns++;
    for (size_t i = 0; i < a->n; i++) {
        struct ask *q = &a->asks[i];
        if (!q->asked && open < a->at_once)
            begin(w, a, q);
        if (!q->asked) {
            more = true;
            continue;
        }
        if (q->cancel && a->turns % 3 == 0) {
            q->cancel = false;
            hf_port_cancel(w->k, q->id);
        }
        feed(q);
        if (!q->slow || a->turns % 4 == 0)
            drain(q);
        open += !over(q);
    }
    return more || open > 0 || !hf_between_idle(w->between);
}

static struct asker *asker(size_t n, size_t at_once)
{
    static struct asker a;
    memset(&a, 0, sizeof a);
    a.port.answer = on_answer;
    a.n = n;
    a.at_once = at_once;
    for (size_t i = 0; i < n; i++)
        a.asks[i] = (struct ask){.deed = EMPTY, .length = UINT64_MAX};
    return &a;
}

/* ---- tests ---- */

static void between_requests_are_answered_by_the_other_worker(void **state)
{
    struct pair p;
    struct asker *a = asker(ASKS, 8);
    (void)state;
    pair_open(&p, 3);
    pair_run(&p, ask_all, a);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->asks[i].kind, HF_ANSWER_OK);
        assert_int_equal(a->asks[i].process >> 48, 1); /* who answered is said truly */
    }
    pair_close(&p);
}

static void between_bodies_cross_both_ways_unchanged(void **state)
{
    static const uint64_t lengths[] = {0, 1, 4096, 65535, 65536, 65537, 1000000, 3000000};
    struct pair p;
    struct asker *a = asker(ASKS, 6);
    (void)state;
    for (size_t i = 0; i < a->n; i++) {
        a->asks[i].deed = ECHO;
        a->asks[i].length = lengths[i % HF_ARRAY_LEN(lengths)];
        a->asks[i].trailers = i % 3 == 0;
    }
    pair_open(&p, 8);
    pair_run(&p, ask_all, a);
    for (size_t i = 0; i < a->n; i++) {
        const struct ask *q = &a->asks[i];
        assert_int_equal(q->kind, HF_ANSWER_OK);
        assert_int_equal(q->end, HF_CLOSED);
        assert_int_equal(q->read, q->length);
        assert_int_equal(q->trailers_came, q->trailers);
    }
    pair_close(&p);
}

/* A reader that takes its time holds up its own source, and memory stays that of windows and
 * parcels. */
static void between_a_slow_reader_holds_up_the_source(void **state)
{
    struct pair p;
    struct asker *a = asker(1, 1);
    (void)state;
    a->asks[0] = (struct ask){.deed = ECHO, .length = 4u << 20, .slow = true};
    pair_open(&p, 1);
    pair_run(&p, ask_all, a);
    assert_int_equal(a->asks[0].read, 4u << 20);
    for (unsigned i = 0; i < 2; i++)
        assert_true(p.w[i].most_memory < (1u << 20) + 4 * HF_CARRY_PARCELS * HF_CARRY_PIECE);
    pair_close(&p);
}

static void between_a_body_that_fails_fails_there_and_back(void **state)
{
    struct pair p;
    struct asker *a = asker(4, 4);
    (void)state;
    for (size_t i = 0; i < a->n; i++)
        a->asks[i] = (struct ask){.deed = ECHO, .length = i * 100000, .fail = true};
    pair_open(&p, 4);
    pair_run(&p, ask_all, a);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->asks[i].end, HF_TIMEOUT); /* as its producer said */
        assert_int_equal(a->asks[i].read, a->asks[i].length);
    }
    pair_close(&p);
}

static void between_a_body_that_nobody_wants_stops_its_source(void **state)
{
    struct pair p;
    struct asker *a = asker(3, 3);
    (void)state;
    for (size_t i = 0; i < a->n; i++)
        a->asks[i] = (struct ask){.deed = DROP, .length = 1ull << 40}; /* would never end */
    pair_open(&p, 3);
    pair_run(&p, ask_all, a);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->asks[i].kind, HF_ANSWER_OK);
        assert_true(a->asks[i].fed < 8u << 20);
    }
    pair_close(&p);
}

static void between_failures_come_back_as_they_are(void **state)
{
    struct pair p;
    struct asker *a = asker(3, 3);
    (void)state;
    a->asks[1].deed = DIE;
    pair_open(&p, 2);
    pair_run(&p, ask_all, a);
    assert_int_equal(a->asks[0].kind, HF_ANSWER_OK);
    assert_int_equal(a->asks[1].kind, HF_ANSWER_DEAD);
    assert_int_equal(a->asks[2].kind, HF_ANSWER_OK);
    pair_close(&p);
}

static void between_cancelled_requests_are_answered_once_and_freed(void **state)
{
    struct pair p;
    struct asker *a = asker(ASKS, ASKS);
    (void)state;
    for (size_t i = 0; i < a->n; i++) {
        a->asks[i].deed = i % 4 == 0 ? SLEEP : ECHO;
        a->asks[i].length = i % 4 == 0 ? UINT64_MAX : 200000;
        a->asks[i].cancel = i % 2 == 0;
    }
    pair_open(&p, ASKS);
    p.w[0].ctx = a;
    pair_run(&p, ask_all, a);
    for (size_t i = 0; i < a->n; i++)
        assert_int_equal(a->asks[i].kind, i % 2 == 0 && a->asks[i].kind != HF_ANSWER_OK
                                              ? HF_ANSWER_CANCELLED
                                              : HF_ANSWER_OK);
    pair_close(&p);
}

static void between_a_full_queue_and_a_name_nobody_has_are_said(void **state)
{
    struct pair p;
    struct asker *a = asker(1, 1);
    (void)state;
    pair_open(&p, 1);
    assert_int_equal(hf_between_add(p.w[0].between, "nobody", p.w[1].between, &plain, NULL, NULL), HF_OK);
    assert_int_equal(hf_between_add(p.w[0].between, "s", p.w[1].between, &plain, NULL, NULL),
                     HF_INVALID); /* taken */
    struct hf_post post = {.target = HF_VIEW("nobody"), .port = &a->port, .tag = &a->asks[0]};
    assert_int_equal(hf_buf_add(&post.body, "n", 1), HF_OK);
    assert_int_equal(hf_port_post(p.w[0].k, &post, &a->asks[0].id), HF_OK);
    a->asks[0].asked = true;
    pair_run(&p, ask_all, a);
    assert_int_equal(a->asks[0].kind, HF_ANSWER_NO_SUCH);
    pair_close(&p);
}

/* The end at any moment: what is on its way is freed, on both sides, and everybody is answered. */
struct stopping {
    struct asker *a;
    unsigned turns;
};
static bool ask_for_a_while(struct worker *w, void *ctx)
{
    struct stopping *s = ctx;
    ask_all(w, s->a);
    return s->turns-- > 0;
}

static void between_the_end_at_any_moment_loses_nothing(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 60; turns++) {
        struct pair p;
        struct stopping s = {asker(12, 12), turns};
        for (size_t i = 0; i < s.a->n; i++)
            s.a->asks[i] = (struct ask){
                .deed = i % 5 == 0 ? SLEEP : ECHO, .length = 300000, .cancel = i % 4 == 1};
        pair_open(&p, 12);
        pair_run(&p, ask_for_a_while, &s);
        for (size_t i = 0; i < s.a->n; i++) {
            struct ask *q = &s.a->asks[i];
            if (q->in != NULL)
                hf_blob_fail(q->in, HF_CANCELLED);
            q->in = NULL;
        }
        pair_close(&p);
        for (size_t i = 0; i < s.a->n; i++) {
            hf_blob_reader_close(&s.a->asks[i].out);
            assert_true(s.a->asks[i].answered);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(between_requests_are_answered_by_the_other_worker),
        cmocka_unit_test(between_bodies_cross_both_ways_unchanged),
        cmocka_unit_test(between_a_slow_reader_holds_up_the_source),
        cmocka_unit_test(between_a_body_that_fails_fails_there_and_back),
        cmocka_unit_test(between_a_body_that_nobody_wants_stops_its_source),
        cmocka_unit_test(between_failures_come_back_as_they_are),
        cmocka_unit_test(between_cancelled_requests_are_answered_once_and_freed),
        cmocka_unit_test(between_a_full_queue_and_a_name_nobody_has_are_said),
        cmocka_unit_test(between_the_end_at_any_moment_loses_nothing),
    };
    return cmocka_run_group_tests_name("link/between", tests, NULL, NULL);
}
