/* workers_test.c - two kernels in two threads send each other requests through letters (os/wake.h).
 * Nothing in a kernel is locked, so under TSan this says that all that crosses goes through the
 * queue: bodies move with their letter, answers come back with it, a letter is its sender's again
 * when it has come home.
 */
#include <poll.h>
#include <pthread.h>

#include "os/wake.h"
#include "support.h"

enum { REQUESTS = 20000, IN_FLIGHT = 64, WORKERS = 2 };

enum letter_kind { LETTER_REQUEST, LETTER_ANSWER, LETTER_CANCEL, LETTER_OVER };

struct worker;
struct parcel {
    struct hf_letter letter; /* first */
    enum letter_kind kind;
    struct worker *from;
    uint64_t number;
    struct hf_buf body;
    enum hf_answer_kind answer;
    uint64_t process;
    size_t slot;    /* of the sender's parcels */
    bool cancelled; /* a CANCEL follows */
};

struct worker {
    unsigned index;
    struct hf_kernel *k;
    struct hf_wake *wake;
    struct worker *peer;
    struct hf_port port;
    struct hf_class *c;
    pthread_t thread;
    uint64_t now, sent, answered, ok, cancelled, other;
    struct parcel parcels[IN_FLIGHT], cancels[IN_FLIGHT];
    bool cancel_out[IN_FLIGHT];
    uint64_t here[IN_FLIGHT]; /* ids of the peer's requests in our kernel, by slot; 0: answered */
    struct parcel over;
    bool peer_over, said_over;
};

/* ---- the service: answers the body it got, after a yield now and then ---- */

struct echo {
    unsigned n;
};

static enum hf_end echo_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)ctx, (void)turn;
    *state = calloc(1, sizeof(struct echo));
    return HF_END_YIELD;
}

static enum hf_end answer(struct hf_turn *turn)
{
    struct hf_buf body = {0};
    struct hf_blob *none = NULL;
    if (hf_buf_add_view(&body, hf_turn_message(turn)->body) != HF_OK) {
        hf_turn_fail(turn, HF_ANSWER_LIMITED, HF_VIEW("memory"));
        return HF_END_FAILED;
    }
    hf_turn_respond(turn, &body, &none);
    hf_buf_done(&body); /* void: the sender cancelled */
    return HF_END_DONE;
}

static enum hf_end echo_turn(void *state, struct hf_turn *turn)
{
    struct echo *e = state;
    return ++e->n % 3 == 0 ? HF_END_YIELD : answer(turn);
}

static enum hf_end echo_resume(void *state, struct hf_turn *turn)
{
    (void)state;
    return hf_turn_message(turn) == NULL ? HF_END_DONE : answer(turn);
}

static void echo_stop(void *state)
{
    free(state);
}

static const struct hf_behaviour echo = {.name = "echo",
                                         .start = echo_start,
                                         .turn = echo_turn,
                                         .resume = echo_resume,
                                         .stop = echo_stop};

/* ---- a worker ---- */

/* Our kernel has answered a request of the peer: it goes home. */
static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct worker *w = HF_CONTAINER_OF(port, struct worker, port);
    struct parcel *p = tag;
    w->here[p->slot] = 0;
    p->kind = LETTER_ANSWER;
    p->answer = a->kind;
    p->process = a->process;
    hf_buf_done(&p->body);
    p->body = a->body;
    hf_buf_init(&a->body);
    hf_wake_post(p->from->wake, &p->letter);
}

static void take_request(struct worker *w, struct parcel *p)
{
    struct hf_post post = {.target = HF_VIEW("echo"), .body = p->body, .port = &w->port, .tag = p};
    enum hf_err err = hf_port_post(w->k, &post, &w->here[p->slot]);
    p->body = post.body; /* empty when it moved */
    if (err == HF_OK)
        return;
    p->kind = LETTER_ANSWER;
    p->answer = HF_ANSWER_FULL;
    hf_wake_post(p->from->wake, &p->letter);
}

static void take_answer(struct worker *w, struct parcel *p)
{
    char want[32];
    snprintf(want, sizeof want, "%u:%llu", w->index, (unsigned long long)p->number);
    w->answered++;
    if (p->answer == HF_ANSWER_OK) {
        HF_ASSERT(hf_view_eq_text(hf_buf_view(&p->body), want));
        HF_ASSERT(p->process >> 48 == 2 - w->index); /* the other worker's */
        w->ok++;
    } else if (p->answer == HF_ANSWER_CANCELLED) {
        HF_ASSERT(p->cancelled);
        w->cancelled++;
    } else {
        w->other++;
    }
    hf_buf_done(&p->body);
    p->number = 0; /* free again */
}

static void on_letter(void *ctx, struct hf_letter *letter)
{
    struct worker *w = ctx;
    struct parcel *p = HF_CONTAINER_OF(letter, struct parcel, letter);
    switch (p->kind) {
    case LETTER_REQUEST: take_request(w, p); return;
    case LETTER_ANSWER: take_answer(w, p); return;
    case LETTER_CANCEL:
        if (p->from != w) {
            hf_port_cancel(
                w->k, w->here[p->slot]); /* the request came before; answered: 0, which is nobody */
            hf_wake_post(p->from->wake, &p->letter);
        } else {
            w->cancel_out[p - w->cancels] = false;
        }
        return;
    case LETTER_OVER: w->peer_over = true; return;
    }
}

static void send_more(struct worker *w)
{
    for (size_t i = 0; i < IN_FLIGHT && w->sent < REQUESTS; i++) {
        struct parcel *p = &w->parcels[i];
        if (p->number != 0 ||
            w->cancel_out[i]) /* still away, or somebody there may still look at it */
            continue;
        w->sent++;
        *p = (struct parcel){.kind = LETTER_REQUEST,
                             .from = w,
                             .number = w->sent,
                             .slot = i,
                             .cancelled = w->sent % 7 == 0};
        HF_ASSERT(hf_buf_printf(&p->body, "%u:%llu", w->index, (unsigned long long)p->number) ==
                  HF_OK);
        bool cancel = p->cancelled; /* after its letter is posted, the parcel is the other's */
        hf_wake_post(w->peer->wake, &p->letter);
        if (!cancel)
            continue;
        w->cancels[i] = (struct parcel){.kind = LETTER_CANCEL, .from = w, .slot = i};
        w->cancel_out[i] = true;
        hf_wake_post(w->peer->wake, &w->cancels[i].letter);
    }
}

static void sleep_if_idle(struct worker *w)
{
    if (hf_kernel_next_ns(w->k) == 0 || !hf_wake_sleep(w->wake))
        return;
    struct pollfd fd = {.fd = hf_wake_fd(w->wake), .events = POLLIN};
    HF_ASSERT(poll(&fd, 1, 10000) == 1); /* a missed wake shows here */
    hf_wake_awake(w->wake);
}

static bool is_over(struct worker *w)
{
    bool away = false;
    for (size_t i = 0; i < IN_FLIGHT; i++)
        away |= w->cancel_out[i];
    if (w->answered == REQUESTS && !away && !w->said_over) {
        w->said_over = true;
        hf_wake_post(w->peer->wake, &w->over.letter);
    }
    return w->said_over && w->peer_over && hf_kernel_idle(w->k);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (;;) {
        send_more(w);
        hf_wake_take_all(w->wake, on_letter, w);
        for (unsigned i = 0; i < 50 && hf_kernel_step(w->k, w->now) == HF_OK; i++)
            w->now++;
        hf_kernel_flush(w->k);
        if (is_over(w))
            return NULL;
        if (w->sent == REQUESTS || w->sent - w->answered >= IN_FLIGHT)
            sleep_if_idle(w);
    }
}

static void two_workers_exchange_requests(void **state)
{
    struct worker *w = calloc(WORKERS, sizeof *w);
    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        w[i].index = i;
        w[i].now = 1;
        w[i].peer = &w[1 - i];
        w[i].port.answer = on_answer;
        w[i].over = (struct parcel){.kind = LETTER_OVER, .from = &w[i]};
        assert_int_equal(hf_wake_new(&w[i].wake, NULL), HF_OK);
        assert_int_equal(
            hf_kernel_new(&(struct hf_kernel_settings){.id_base = (uint64_t)(i + 1) << 48},
                          &w[i].k),
            HF_OK);
        struct hf_class_settings s = {.behaviour = &echo, .max = 3, .max_requests = 500};
        assert_int_equal(hf_class_add(w[i].k, "echo", &s, &w[i].c, NULL), HF_OK);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        hf_wake_take_all(w[i].wake, on_letter, &w[i]);
        assert_int_equal(w[i].answered, REQUESTS);
        assert_int_equal(w[i].ok + w[i].cancelled, REQUESTS);
        assert_true(w[i].ok >= REQUESTS - REQUESTS / 7);
        assert_int_equal(stats_of(w[i].c).requests, REQUESTS);
        hf_kernel_free(w[i].k);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        hf_wake_free(w[i].wake);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_workers_exchange_requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
