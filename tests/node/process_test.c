/* process_test.c - classes of named processes in a node that is changed: what may change, and what is refused in which words. */
#include "support.h"

#include <unistd.h>

#define FIXED "change only when the node is started again"

/* "front" takes every request and asks the process that the path names; "c" says how many bytes it got, and their sum. */
struct app {
    struct node n;
    char front[512], chain[512], web[512];
    struct hf_process_options asks, other;
    struct hf_service_options so[3];
};

static const char *const anybody[] = {"*", NULL};

static void begin(struct app *a)
{
    memset(a, 0, sizeof *a);
    if (!guest("c-front", a->front) || !guest("c-chain", a->chain) || !guest("c-versions", a->web)) {
        printf("SKIP: process_test: guests are not built\n");
        skip();
    }
    node_init(&a->n);
    a->asks.sends = anybody;
    for (size_t i = 0; i < 3; i++)
        hf_service_options_init(&a->so[i]);
    a->so[0].name = "front";
    a->so[0].path = a->front;
    a->so[0].prefix = "/";
    a->so[0].kind = HF_KIND_HANDLER;
    a->so[0].process = &a->asks;
    a->so[1].name = "c";
    a->so[1].path = a->chain;
    a->so[1].kind = HF_KIND_HANDLER;
}

static enum hf_status apply(struct app *a, size_t n)
{
    return hf_node_apply(a->n.node, a->so, n, &a->n.msg);
}

static void run(struct app *a, size_t n)
{
    node_open(&a->n);
    expect(&a->n, apply(a, n), HF_STATUS_OK, "");
    node_run(&a->n);
}

static void the_same_classes_are_no_change(void **state)
{
    struct app a;
    (void)state;
    begin(&a);
    run(&a, 2);
    http_expect(&a.n, "/c", "0 0");
    for (int i = 0; i < 3; i++)
        expect(&a.n, apply(&a, 2), HF_STATUS_OK, "");
    a.so[2].name = "web"; /* and what else there is changes as ever */
    a.so[2].path = a.web;
    a.so[2].prefix = "/web";
    expect(&a.n, apply(&a, 3), HF_STATUS_OK, "");
    http_expect(&a.n, "/web", "version-1");
    a.so[0].prefix = "/deep"; /* where requests come in is no matter of the class */
    a.so[2].prefix = "/";
    expect(&a.n, apply(&a, 3), HF_STATUS_OK, "");
    http_expect(&a.n, "/", "version-1");
    node_close(&a.n);
}

static void what_would_change_a_class_is_refused(void **state)
{
    struct app a;
    char body[256];
    (void)state;
    begin(&a);
    run(&a, 2);
    struct bytes chain = file_read(a.chain), front = file_read(a.front);
    for (int settled = 0; settled < 2; settled++) { /* before it has a process, and after */
        expect(&a.n, apply(&a, 1), HF_STATUS_UNSUPPORTED, "service \"c\": it is a class of processes, and those " FIXED);
        a.other.mailbox_max = 7;
        a.so[1].process = &a.other;
        expect(&a.n, apply(&a, 2), HF_STATUS_UNSUPPORTED, "service \"c\": it is a class of processes, and those " FIXED);
        a.so[1].process = NULL;
        a.so[1].kind = HF_KIND_SERVICE; /* of another kind, with another file */
        a.so[1].path = a.web;
        a.so[1].prefix = "/c";
        expect(&a.n, apply(&a, 2), HF_STATUS_UNSUPPORTED, "service \"c\": it is a class of processes, and those " FIXED);
        a.so[1].kind = HF_KIND_HANDLER;
        a.so[1].path = a.chain;
        a.so[1].prefix = NULL;
        expect(&a.n, hf_node_deploy(a.n.node, "c", front.ptr, front.len, &a.n.msg), HF_STATUS_UNSUPPORTED, "service \"c\": it is a class");
        expect(&a.n, hf_node_deploy(a.n.node, "c", chain.ptr, chain.len, &a.n.msg), HF_STATUS_OK, ""); /* the one that it has */
        expect(&a.n, hf_node_rollback(a.n.node, "c", &a.n.msg), HF_STATUS_USAGE, "nothing to go back to");
        http_expect(&a.n, "/c", "0 0");
        assert_int_equal(http_ask(&a.n, "/gone", body, sizeof body), 502);
        expect(&a.n, apply(&a, 2), HF_STATUS_OK, "");
    }
    free(chain.ptr);
    free(front.ptr);
    node_close(&a.n);
}

static void a_service_does_not_become_a_class(void **state)
{
    struct app a;
    (void)state;
    begin(&a);
    a.so[2] = a.so[1];
    a.so[1].kind = HF_KIND_SERVICE;
    a.so[1].path = a.web;
    a.so[1].prefix = "/web";
    run(&a, 2);
    http_expect(&a.n, "/web", "version-1");
    a.so[1] = a.so[2];
    expect(&a.n, apply(&a, 2), HF_STATUS_UNSUPPORTED, "service \"c\": it becomes a class of processes, which needs a name that nothing had");
    http_expect(&a.n, "/web", "version-1");
    expect(&a.n, apply(&a, 1), HF_STATUS_OK, "");
    for (int tries = 0; apply(&a, 2) != HF_STATUS_OK; tries++) { /* the service is on its way out */
        expect(&a.n, HF_STATUS_OK, HF_STATUS_OK, "still finishes what it accepted");
        assert_true(tries < 10000);
    }
    http_expect(&a.n, "/c", "0 0");
    node_close(&a.n);
}

static void a_failed_change_leaves_no_class(void **state)
{
    struct app a;
    char body[256];
    (void)state;
    begin(&a);
    a.n.options.instances_max = 40; /* core instances */
    run(&a, 1);
    assert_int_equal(http_ask(&a.n, "/c", body, sizeof body), 502);
    a.so[2].name = "web";
    a.so[2].path = a.web;
    a.so[2].prefix = "/web";
    a.so[2].min = 100;
    for (uint32_t i = 1; i <= 3; i++) {
        a.other.processes_max = i; /* another class of that name each time */
        a.so[1].process = &a.other;
        expect(&a.n, apply(&a, 3), HF_STATUS_FAILED, "service \"web\" does not start");
        assert_int_equal(http_ask(&a.n, "/c", body, sizeof body), 502); /* nobody is there */
    }
    a.so[1].process = NULL;
    expect(&a.n, apply(&a, 2), HF_STATUS_OK, "");
    for (int tries = 0; http_ask(&a.n, "/c", body, sizeof body) != 200; tries++) {
        assert_true(tries < 20000); /* instances of the failed change are on their way out */
        usleep(2000);
    }
    assert_string_equal(body, "0 0");
    node_close(&a.n);
}

static void what_says_nothing_of_a_class_is_refused(void **state)
{
    struct app a;
    static const char *const bad[] = {"Not a name", NULL};
    (void)state;
    begin(&a);
    node_open(&a.n);
    const struct hf_service_options good = a.so[1];
    struct hf_service_options *o = &a.so[1];
#define REFUSED(change, words)                                              \
    do {                                                                    \
        *o = good;                                                          \
        memset(&a.other, 0, sizeof a.other);                                \
        o->process = &a.other;                                              \
        change;                                                             \
        expect(&a.n, apply(&a, 2), HF_STATUS_USAGE, "service \"c\": " words); \
    } while (0)
    REFUSED(o->instances = HF_INSTANCES_SINGLETON, "a class of processes has no instances");
    REFUSED(o->min = 1, "a class of processes has no instances");
    REFUSED(o->max = 1, "a class of processes has no instances");
    REFUSED(o->queue_max = 1, "a class of processes has no instances");
    REFUSED(o->queue_timeout_ns = 1, "a class of processes has no instances");
    REFUSED(o->after_timeout_ns = 1, "a class of processes has no instances");
    REFUSED(o->max_requests = 1, "a class of processes has no instances");
    REFUSED(o->max_age_ns = 1, "a class of processes has no instances");
    REFUSED((o->kind = HF_KIND_RUNNER, o->idle_timeout_ns = 1), "a RUNNER takes its messages itself");
    REFUSED((o->kind = HF_KIND_RUNNER, a.other.turn_timeout_ns = 1), "a RUNNER takes its messages itself");
    REFUSED(o->kind = HF_KIND_SERVICE, "hf_service_options.process is of a HANDLER or a RUNNER");
    REFUSED(a.other.restart = (enum hf_restarts)3, "hf_process_options.restart");
    REFUSED(a.other.sends = bad, "name Not: 'N' cannot stand at byte 0");
    REFUSED(a.other.spawns = bad, "name Not: 'N' cannot stand at byte 0");
    *o = good;
    o->name = "C";
    expect(&a.n, apply(&a, 2), HF_STATUS_USAGE, "name C: 'C' cannot stand at byte 0");
    o->name = NULL;
    expect(&a.n, apply(&a, 2), HF_STATUS_USAGE, "a class of processes needs a name");
    node_close(&a.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_classes_are_no_change),
        cmocka_unit_test(what_would_change_a_class_is_refused),
        cmocka_unit_test(a_service_does_not_become_a_class),
        cmocka_unit_test(a_failed_change_leaves_no_class),
        cmocka_unit_test(what_says_nothing_of_a_class_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
