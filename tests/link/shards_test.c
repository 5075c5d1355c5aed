/* shards_test.c - processes of three workers, each on a thread of its own, that talk to each other:
 * every request is answered once and with what was sent, whatever way it went; under TSan, that all
 * that crosses goes through letters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/message.h"
#include "kernel/named.h"
#include "link/shards.h"

#define S 1000000000ull

enum { WORKERS = 3, ROUNDS = 400, AT_ONCE = 8, NAMES = 30 };

struct worker {
    struct hf_kernel *k;
    struct hf_wake *wake;
    struct hf_shards *shards;
    pthread_t thread;
    uint32_t number;
    struct town *town;
    struct hf_port port;
    uint64_t rnd;
    size_t posted, told, ok, cancelled, pending;
    struct hf_blob *open; /* a body that is still to come */
    size_t fed;
    bool done;
};
struct town {
    struct hf_shard_table table;
    struct worker w[WORKERS];
    struct hf_shards *all[WORKERS];
    _Atomic uint32_t done;
    _Atomic uint64_t late; /* messages out of order */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static uint64_t pick(uint64_t *rnd, uint64_t n)
{
    *rnd ^= *rnd << 13;
    *rnd ^= *rnd >> 7;
    *rnd ^= *rnd << 17;
    return *rnd % n;
}

/* ---- a citizen: "WAY number"; each letter of WAY is what one of them does ----
 *     r responds with the body and the blob     f forwards to the next     k asks the next, then
 *     responds with its answer                  d defers, answers at the next message
 *     t tells its counter and responds          x dies
 */

struct citizen {
    struct hf_turn *turn;
    struct worker *w;
    struct hf_waiter waiter;
    uint64_t token, counter;
    bool has_token, asking;
    uint64_t heard[WORKERS]; /* the last number of each worker's tells */
};

static enum hf_end on_start(void *ctx, struct hf_turn *turn, void **state)
{
    struct citizen *c = calloc(1, sizeof *c);
    HF_ASSERT(c != NULL);
    *state = c;
    c->w = ctx;
    c->turn = turn;
    return HF_END_DONE;
}

static void on_stop(void *state)
{
    struct citizen *c = state;
    if (c != NULL)
        hf_waiter_disarm(&c->waiter);
    free(c);
}

static void on_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    struct citizen *c = state;
    (void)turn, (void)why;
    hf_waiter_disarm(&c->waiter);
}

static struct hf_view next_name(char *buf, size_t cap, uint64_t *rnd)
{
    snprintf(buf, cap, "c/%u", (unsigned)pick(rnd, NAMES));
    return hf_view_of(buf);
}

static void reply(struct citizen *c, struct hf_view body, struct hf_blob *blob)
{
    struct hf_response r = {.blob = blob, .inherit = true};
    HF_ASSERT(hf_buf_add_view(&r.body, body) == HF_OK);
    (void)hf_turn_reply(c->turn, &r);
    hf_buf_done(&r.body);
    hf_blob_unref(r.blob);
}

static enum hf_end on_turn(void *state, struct hf_turn *turn)
{
    struct citizen *c = state;
    const struct hf_message *m = hf_turn_message(turn);
    char name[20], text[40] = "";
    if (c->has_token) {
        struct hf_response r = {.inherit = true};
        c->has_token = false;
        HF_ASSERT(hf_buf_add_text(&r.body, "late") == HF_OK);
        (void)hf_turn_answer(turn, c->token, &r);
        hf_buf_done(&r.body);
        hf_blob_unref(r.blob);
    }
    if (m->kind != HF_MESSAGE_REQUEST || m->body.len == 0)
        return HF_END_DONE;
    snprintf(text, sizeof text, "%.*s", HF_FMT(m->body));
    if (!m->wants_answer) { /* a number of a worker's counter: they come in order */
        unsigned worker;
        unsigned long long number;
        HF_ASSERT(sscanf(text, "%u %llu", &worker, &number) == 2);
        if (number <= c->heard[worker])
            atomic_fetch_add(&c->w->town->late, 1);
        c->heard[worker] = number;
        return HF_END_DONE;
    }
    struct hf_send s = {.target = next_name(name, sizeof name, &c->w->rnd), .inherit = true};
    switch (text[0]) {
    case 'f':
    case 'k':
        HF_ASSERT(hf_buf_add_text(&s.body, text + 1) == HF_OK);
        if (text[0] == 'f') {
            (void)hf_turn_forward(turn, &s);
        } else if (hf_turn_ask(turn, &s, NULL) == HF_SAID_OK) {
            hf_buf_done(&s.body);
            c->asking = true;
            hf_waiter_arm(&c->waiter, hf_turn_asked_wait(turn), hf_turn_waitset(turn));
            return HF_END_WAIT;
        }
        hf_buf_done(&s.body);
        return HF_END_DONE;
    case 'd':
        c->has_token = hf_turn_defer(turn, &c->token) == HF_SAID_OK;
        return HF_END_DONE;
    case 't': /* several to one, then the answer */
        for (int i = 0; i < 3; i++) {
            s.target = HF_VIEW("c/0");
            HF_ASSERT(hf_buf_printf(&s.body, "%u %llu", c->w->number,
                                    (unsigned long long)++c->w->fed) == HF_OK);
            s.inherit = false;
            HF_ASSERT(hf_turn_send(turn, &s, NULL) == HF_SAID_OK);
        }
        break;
    case 'x': hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("as told")); return HF_END_FAILED;
    default: break;
    }
    reply(c, m->body, NULL);
    return HF_END_DONE;
}

static enum hf_end on_resume(void *state, struct hf_turn *turn)
{
    struct citizen *c = state;
    struct hf_asked a;
    hf_waiter_disarm(&c->waiter);
    HF_ASSERT(hf_turn_take_asked(turn, &a) == HF_OK);
    struct hf_blob *blob = a.answer.blob;
    a.answer.blob = NULL;
    reply(c, hf_buf_view(&a.answer.body), blob);
    hf_asked_done(&a);
    return HF_END_DONE;
}

static const struct hf_behaviour citizen = {.name = "citizen",
                                            .start = on_start,
                                            .turn = on_turn,
                                            .resume = on_resume,
                                            .cancel = on_cancel,
                                            .stop = on_stop};

/* ---- workers ---- */

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct worker *w = HF_CONTAINER_OF(port, struct worker, port);
    struct hf_blob_reader r = {0};
    struct hf_view v;
    size_t len = (size_t)(uintptr_t)tag, at = 0;
    w->told++;
    w->pending--;
    w->ok += a->kind == HF_ANSWER_OK;
    w->cancelled += a->kind == HF_ANSWER_CANCELLED;
    if (a->blob == NULL)
        return;
    bool whole = hf_blob_complete(a->blob);
    hf_blob_reader_open(&r, &a->blob);
    while (hf_blob_reader_peek(&r, &v) == HF_OK) {
        for (size_t i = 0; i < v.len; i++)
            HF_ASSERT(v.ptr[i] == (uint8_t)((at + i) * 31));
        at += v.len;
        hf_blob_reader_advance(&r, v.len);
    }
    HF_ASSERT(!whole || at == len);
    hf_blob_reader_close(&r);
}

static struct hf_blob *some_blob(struct worker *w, size_t *len)
{
    static const size_t sizes[] = {0, 1, 1000, 70000, 300000};
    struct hf_buf buf = {0};
    *len = sizes[pick(&w->rnd, HF_ARRAY_LEN(sizes))];
    if (*len == 0)
        return NULL;
    for (size_t i = 0; i < *len; i++)
        HF_ASSERT(hf_buf_add_byte(&buf, (uint8_t)(i * 31)) == HF_OK);
    struct hf_blob *b = hf_blob_of_buf_in(hf_kernel_blobs(w->k), &buf);
    HF_ASSERT(b != NULL);
    return b;
}

static void post_one(struct worker *w)
{
    static const char *const ways[] = {"r", "fr", "ffffr", "kr", "kfkr", "d", "t", "ft", "x", "fkt"};
    char name[20];
    size_t len;
    uint64_t id;
    struct hf_post p = {.target = next_name(name, sizeof name, &w->rnd),
                        .port = &w->port,
                        .timeout_ns = 30 * S,
                        .blob = some_blob(w, &len)};
    p.tag = (void *)(uintptr_t)len;
    HF_ASSERT(hf_buf_add_text(&p.body, ways[pick(&w->rnd, HF_ARRAY_LEN(ways))]) == HF_OK);
    if (hf_port_post(w->k, &p, &id) != HF_OK) {
        hf_buf_done(&p.body);
        hf_blob_unref(p.blob);
        return;
    }
    w->posted++;
    w->pending++;
    if (pick(&w->rnd, 10) == 0)
        hf_port_cancel(w->k, id);
}

static void turn_of(struct worker *w, bool sleep)
{
    if (sleep && hf_wake_sleep(w->wake)) {
        struct pollfd fd = {.fd = hf_wake_fd(w->wake), .events = POLLIN};
        poll(&fd, 1, 5);
        hf_wake_awake(w->wake);
    }
    hf_wake_deliver_all(w->wake);
    while (hf_kernel_step(w->k, now_ns()) == HF_OK) {
    }
    hf_kernel_flush(w->k);
    hf_shards_flush(w->shards);
}

/* Whoever holds a token answers it with the next message. */
static void wake_all(struct worker *w)
{
    for (unsigned i = 0; i < NAMES; i++) {
        char name[20];
        uint64_t id;
        snprintf(name, sizeof name, "c/%u", i);
        struct hf_post p = {.target = hf_view_of(name), .port = &w->port, .timeout_ns = 30 * S};
        HF_ASSERT(hf_buf_add_text(&p.body, "r") == HF_OK);
        if (hf_port_post(w->k, &p, &id) == HF_OK) {
            w->posted++;
            w->pending++;
        }
        hf_buf_done(&p.body);
    }
}

static void *run(void *arg)
{
    struct worker *w = arg;
    uint64_t end = now_ns() + 120 * S;
    while (atomic_load(&w->town->done) < WORKERS) {
        HF_ASSERT(now_ns() < end); /* it hangs */
        while (w->posted < ROUNDS && w->pending < AT_ONCE)
            post_one(w);
        if (w->posted < ROUNDS && w->pending == AT_ONCE && pick(&w->rnd, 50) == 0)
            wake_all(w);
        if (!w->done && w->posted >= ROUNDS && w->pending == 0) {
            w->done = true;
            atomic_fetch_add(&w->town->done, 1);
        } else if (w->posted >= ROUNDS && w->pending > 0 && pick(&w->rnd, 20) == 0) {
            wake_all(w);
        }
        bool busy = hf_shards_busy(w->shards) || hf_kernel_next_ns(w->k) == 0;
        turn_of(w, !busy);
    }
    return NULL;
}

static void town_open(struct town *t)
{
    static const char *const all[] = {"*", NULL};
    memset(t, 0, sizeof *t);
    hf_shard_table_init(&t->table, WORKERS);
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct worker *w = &t->w[i];
        struct hf_class *c;
        w->number = i;
        w->town = t;
        w->rnd = 88172645463325252u + i;
        w->port.answer = on_answer;
        assert_int_equal(
            hf_kernel_new(&(struct hf_kernel_settings){.id_base = (uint64_t)i << 48}, &w->k),
            HF_OK);
        assert_int_equal(hf_wake_new(&w->wake, NULL), HF_OK);
        assert_int_equal(hf_shards_new(w->k, w->wake, 0, i, &t->table, &w->shards), HF_OK);
        t->all[i] = w->shards;
        hf_kernel_step(w->k, now_ns());
        struct hf_named_settings ns = {.behaviour = &citizen, .ctx = w, .grants = all};
        assert_int_equal(hf_named_class_add(w->k, "c", &ns, &c, NULL), HF_OK);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        hf_shards_join(t->w[i].shards, t->all, WORKERS);
}

static void town_run(struct town *t)
{
    for (uint32_t i = 1; i < WORKERS; i++)
        assert_int_equal(pthread_create(&t->w[i].thread, NULL, run, &t->w[i]), 0);
    run(&t->w[0]);
    for (uint32_t i = 1; i < WORKERS; i++)
        pthread_join(t->w[i].thread, NULL);
}

static void town_close(struct town *t)
{
    for (uint32_t i = 0; i < WORKERS; i++)
        hf_shards_stop(t->w[i].shards);
    for (uint32_t i = 0; i < WORKERS; i++)
        hf_kernel_free(t->w[i].k);
    for (uint32_t i = 0; i < WORKERS; i++)
        hf_wake_deliver_all(t->w[i].wake);
    for (uint32_t i = 0; i < WORKERS; i++)
        hf_shards_free(t->w[i].shards);
    for (uint32_t i = 0; i < WORKERS; i++)
        hf_wake_free(t->w[i].wake);
}

/* ---- tests ---- */

static void every_shard_has_a_worker_and_a_name_one_for_ever(void **state)
{
    struct hf_shard_table t;
    (void)state;
    hf_shard_table_init(&t, 3);
    for (uint32_t i = 0; i < HF_SHARDS; i++)
        assert_in_range(t.worker[i], 0, 2);
    assert_int_equal(hf_shard_worker(&t, HF_VIEW("cart/{anna}/1")),
                     hf_shard_worker(&t, HF_VIEW("order/{anna}")));
    hf_shard_table_init(&t, 1);
    assert_int_equal(hf_shard_worker(&t, HF_VIEW("cart/42")), 0);
}

static void all_that_is_asked_is_answered_once_over_threads(void **state)
{
    static struct town t;
    struct hf_far_stats st;
    size_t ok = 0;
    (void)state;
    town_open(&t);
    town_run(&t);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(t.w[i].told, t.w[i].posted);
        ok += t.w[i].ok;
        hf_far_get_stats(t.w[i].k, &st);
        assert_true(st.sent[HF_FAR_REQUEST] > 100 && st.arrived[HF_FAR_ANSWER] > 50);
    }
    assert_true(ok > ROUNDS);
    assert_int_equal(atomic_load(&t.late), 0);
    town_close(&t);
}

/* Everything is in the middle of something. */
static void workers_may_end_with_letters_on_their_way(void **state)
{
    static struct town t;
    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        town_open(&t);
        for (uint32_t i = 0; i < WORKERS; i++)
            for (unsigned j = 0; j < AT_ONCE; j++)
                post_one(&t.w[i]);
        for (unsigned j = 0; j < turns; j++)
            turn_of(&t.w[j % WORKERS], false);
        town_close(&t);
        for (uint32_t i = 0; i < WORKERS; i++)
            assert_int_equal(t.w[i].told, t.w[i].posted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shard_has_a_worker_and_a_name_one_for_ever),
        cmocka_unit_test(all_that_is_asked_is_answered_once_over_threads),
        cmocka_unit_test(workers_may_end_with_letters_on_their_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
