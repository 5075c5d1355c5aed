/* call_test.c - messages to processes by the public API: from other threads, awaited and with a
 * callback, while the node runs, stops and has stopped. */
#include "support.h"

#include <sched.h>
#include <stdatomic.h>

struct app {
    struct node n;
    char chain[512], web[512];
    struct hf_process_options may;
};
static const char *const anybody[] = {"*", NULL};

static void add(struct app *a, const char *name, const char *path, enum hf_kind kind)
{
    struct hf_service_options so;
    hf_service_options_init(&so);
    so.name = name;
    so.path = path;
    so.kind = kind;
    so.process = kind == HF_KIND_SERVICE ? NULL : &a->may;
    expect(&a->n, hf_node_add_service(a->n.node, &so, &a->n.msg), HF_STATUS_OK, "");
}

/* c, d: the chain's station; web: a service. */
static void begin(struct app *a)
{
    memset(a, 0, sizeof *a);
    if (!guest("c-chain", a->chain) || !guest("c-versions", a->web)) {
        printf("SKIP: call_test: guests are not built\n");
        skip();
    }
    node_init(&a->n);
    a->may.sends = anybody;
    node_open(&a->n);
    add(a, "c", a->chain, HF_KIND_HANDLER);
    add(a, "d", a->chain, HF_KIND_HANDLER);
    add(a, "web", a->web, HF_KIND_SERVICE);
}

static struct hf_call_options to(const char *name, const char *metadata, const char *blob)
{
    struct hf_call_options o;
    hf_call_options_init(&o);
    o.to = name;
    o.metadata = metadata;
    o.blob = blob;
    o.blob_len = blob == NULL ? 0 : strlen(blob);
    return o;
}

static void answered(struct app *a, const struct hf_call_options *o, enum hf_outcome outcome,
                     const char *words)
{
    struct hf_call_answer *r;
    expect(&a->n, hf_node_call(a->n.node, o, &r, &a->n.msg), HF_STATUS_OK, "");
    if (r->outcome != outcome || strstr(r->body, words) == NULL)
        fail_msg("%s: %s", hf_outcome_text(r->outcome), (const char *)r->body);
    assert_string_equal(r->metadata, "");
    hf_call_answer_free(r);
}

static void a_call_is_answered_and_a_send_is_taken(void **state)
{
    struct app a;
    struct hf_call_options o;
    enum hf_outcome outcome;
    (void)state;
    begin(&a);
    node_run(&a.n);
    o = to("c", NULL, "abc");
    answered(&a, &o, HF_OUTCOME_ANSWERED, "3 294");
    o = to("c/one", "d c/two", "abc"); /* two stations hand it on */
    answered(&a, &o, HF_OUTCOME_ANSWERED, "3 294");
    o = to("c", NULL, NULL);
    answered(&a, &o, HF_OUTCOME_ANSWERED, "0 0");
    o.has_blob = true;
    answered(&a, &o, HF_OUTCOME_ANSWERED, "0 0");
    o = to("c", NULL, NULL);
    expect(&a.n, hf_node_send(a.n.node, &o, &outcome, &a.n.msg), HF_STATUS_OK, "");
    assert_int_equal(outcome, HF_OUTCOME_ANSWERED);
    node_close(&a.n);
}

static void every_outcome_has_words(void **state)
{
    struct app a;
    struct hf_call_options o;
    enum hf_outcome outcome;
    (void)state;
    begin(&a);
    node_run(&a.n);
    o = to("nobody/1", NULL, NULL);
    answered(&a, &o, HF_OUTCOME_NO_SUCH,
             "no class of processes is called \"nobody\"; there are: c, d");
    o = to("web", NULL, NULL);
    answered(&a, &o, HF_OUTCOME_NO_SUCH, "web is a service: it takes HTTP requests, not messages");
    o = to("Not a name", NULL, NULL);
    answered(&a, &o, HF_OUTCOME_NO_SUCH, "'N' cannot stand at byte 0");
    expect(&a.n, hf_node_send(a.n.node, &o, &outcome, &a.n.msg), HF_STATUS_OK,
           "cannot stand at byte 0");
    assert_int_equal(outcome, HF_OUTCOME_NO_SUCH);
    o = to("c", "gone",
           NULL); /* it answers with the words of the failed forward: its own, not the call's */
    answered(&a, &o, HF_OUTCOME_NO_SUCH, "forwarded to gone");
    node_close(&a.n);
}

static void mistakes_are_said(void **state)
{
    struct app a;
    struct hf_call_answer *r;
    (void)state;
    begin(&a);
    struct hf_call_options o = to("c", NULL, NULL);
    node_run(&a.n);
    o.size = 3;
    expect(&a.n, hf_node_call(a.n.node, &o, &r, &a.n.msg), HF_STATUS_USAGE, "size");
    o.size = sizeof o + 8; /* a newer header */
    expect(&a.n, hf_node_call(a.n.node, &o, &r, &a.n.msg), HF_STATUS_USAGE, "size");
    o = to("c", "d", "abc");
    o.size = offsetof(struct hf_call_options, timeout_ns); /* an older one: what lies behind is not looked at */
    o.timeout_ns = o.blob_max = 1;
    expect(&a.n, hf_node_call(a.n.node, &o, &r, &a.n.msg), HF_STATUS_OK, "");
    assert_int_equal(r->outcome, HF_OUTCOME_ANSWERED);
    hf_call_answer_free(r);
    o = to(NULL, NULL, NULL);
    expect(&a.n, hf_node_call(a.n.node, &o, &r, &a.n.msg), HF_STATUS_USAGE, "say which process");
    o = to("c", NULL, NULL);
    o.body_len = 4;
    expect(&a.n, hf_node_send(a.n.node, &o, NULL, &a.n.msg), HF_STATUS_USAGE, "without a pointer");
    o.body = "";
    o.body_len = (16u << 20) + 1;
    expect(&a.n, hf_node_send(a.n.node, &o, NULL, &a.n.msg), HF_STATUS_LIMIT, "more than 16 MiB");
    o = to("c", NULL, NULL);
    expect(&a.n, hf_node_call_begin(a.n.node, &o, NULL, NULL, &a.n.msg), HF_STATUS_USAGE,
           "say whom to tell");
    node_stop(&a.n);
    expect(&a.n, hf_node_call(a.n.node, &o, &r, &a.n.msg), HF_STATUS_USAGE,
           "the node does not run");
    node_close(&a.n);
}

static void count(void *ctx, const struct hf_call_answer *r)
{
    _Atomic unsigned *n = ctx;
    if (r->outcome == HF_OUTCOME_ANSWERED && strcmp(r->body, "3 294") == 0)
        atomic_fetch_add(n, 1);
    else
        atomic_fetch_add(n, 1000);
}

struct crowd {
    struct app *app;
    _Atomic unsigned told;
    unsigned answered;
};
#define CALLS 200u

static void *one_of_many(void *ctx)
{
    struct crowd *c = ctx;
    struct hf_words msg;
    char name[32];
    for (unsigned i = 0; i < CALLS; i++) {
        struct hf_call_answer *r = NULL;
        snprintf(name, sizeof name, "c/%u", i % 7);
        struct hf_call_options o = to(name, "d", "abc");
        if (hf_node_call_begin(c->app->n.node, &o, count, &c->told, &msg) != HF_STATUS_OK)
            break;
        if (hf_node_call(c->app->n.node, &o, &r, &msg) != HF_STATUS_OK)
            break;
        c->answered += r->outcome == HF_OUTCOME_ANSWERED && strcmp(r->body, "3 294") == 0;
        hf_call_answer_free(r);
    }
    return NULL;
}

static void many_threads_at_once(void **state)
{
    struct app a;
    struct crowd crowds[4];
    pthread_t threads[4];
    (void)state;
    begin(&a);
    node_run(&a.n);
    for (unsigned i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.app = &a};
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &crowds[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    node_close(&a.n); /* whoever is told is told by now */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(crowds[i].answered, CALLS);
        assert_int_equal(crowds[i].told, CALLS);
    }
}

static void tell(void *ctx, const struct hf_call_answer *r)
{
    (void)r;
    atomic_fetch_add((_Atomic unsigned *)ctx, 1);
}

struct until_the_end {
    struct app *app;
    unsigned begun;
    _Atomic unsigned told;
    enum hf_status last;
};

static void *call_until_it_stops(void *ctx)
{
    struct until_the_end *u = ctx;
    struct hf_words msg;
    struct hf_call_answer *r;
    struct hf_call_options o = to("c", "d", "abc");
    for (;;) {
        if (hf_node_call_begin(u->app->n.node, &o, tell, &u->told, &msg) == HF_STATUS_OK)
            u->begun++;
        u->last = hf_node_call(u->app->n.node, &o, &r, &msg);
        if (u->last != HF_STATUS_OK)
            return NULL;
        hf_call_answer_free(r);
    }
}

/* Whatever is under way when the node stops: who waits goes on, who is told is told once. */
static void a_stop_leaves_nobody_waiting(void **state)
{
    struct app a;
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct until_the_end u = {.app = &a};
        pthread_t thread;
        begin(&a);
        node_run(&a.n);
        assert_int_equal(pthread_create(&thread, NULL, call_until_it_stops, &u), 0);
        while (atomic_load(&u.told) < 3)
            sched_yield();
        node_stop(&a.n);
        pthread_join(thread, NULL);
        assert_true(u.last == HF_STATUS_STOPPED || u.last == HF_STATUS_USAGE);
        node_close(&a.n);
        assert_int_equal(u.told, u.begun);
    }
}

struct inside {
    struct app *app;
    enum hf_status status;
    char words[128];
    _Atomic bool over;
};
static void call_again(void *ctx, const struct hf_call_answer *r)
{
    struct inside *in = ctx;
    struct hf_call_answer *other;
    struct hf_words msg;
    struct hf_call_options o = to("c", NULL, NULL);
    (void)r;
    in->status = hf_node_call(in->app->n.node, &o, &other, &msg);
    snprintf(in->words, sizeof in->words, "%.100s", msg.text);
    atomic_store(&in->over, true);
}

static void a_callback_cannot_wait_for_its_own_thread(void **state)
{
    struct app a;
    struct inside in = {.app = &a};
    struct hf_call_options o = to("c", NULL, NULL);
    (void)state;
    begin(&a);
    node_run(&a.n);
    expect(&a.n, hf_node_call_begin(a.n.node, &o, call_again, &in, &a.n.msg), HF_STATUS_OK, "");
    while (!atomic_load(&in.over))
        sched_yield();
    assert_int_equal(in.status, HF_STATUS_USAGE);
    assert_non_null(strstr(in.words, "a callback of the node cannot wait for it"));
    node_close(&a.n);
}

static void who_steps_the_node_may_call_it(void **state)
{
    struct app a;
    struct hf_call_options o = to("c/one", "d c/two", "abc");
    enum hf_outcome outcome;
    (void)state;
    begin(&a);
    node_listen(&a.n);
    expect(&a.n, hf_node_step(a.n.node, 0, &a.n.msg), HF_STATUS_OK, "");
    for (int i = 0; i < 20; i++) {
        answered(&a, &o, HF_OUTCOME_ANSWERED, "3 294");
        expect(&a.n, hf_node_send(a.n.node, &o, &outcome, &a.n.msg), HF_STATUS_OK, "");
        assert_int_equal(outcome, HF_OUTCOME_ANSWERED);
    }
    node_close(&a.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered_and_a_send_is_taken),
        cmocka_unit_test(every_outcome_has_words),
        cmocka_unit_test(mistakes_are_said),
        cmocka_unit_test(many_threads_at_once),
        cmocka_unit_test(a_stop_leaves_nobody_waiting),
        cmocka_unit_test(a_callback_cannot_wait_for_its_own_thread),
        cmocka_unit_test(who_steps_the_node_may_call_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
