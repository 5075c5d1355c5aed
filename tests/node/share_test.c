/* share_test.c - the steps of a change on one worker, by hand: what a stop between two of them does, what counts outlive. */
#include "support.h"

#include "kernel/named.h"
#include "node/node_int.h"

struct hand {
    struct node n;
    char path[256];
    struct hf_service_options so;
};

static bool begin(struct hand *h)
{
    char path[512];
    if (!guest("c-versions", path)) {
        printf("SKIP: share_test: guests are not built\n");
        return false;
    }
    node_init(&h->n);
    h->n.options.workers = 1;
    node_open(&h->n);
    snprintf(h->path, sizeof h->path, "%s", node_file(&h->n, "s.wasm", version_of('1')));
    hf_service_options_init(&h->so);
    h->so.name = "s";
    h->so.path = h->path;
    expect(&h->n, hf_node_apply(h->n.node, &h->so, 1, &h->n.msg), HF_STATUS_OK, "");
    node_listen(&h->n);
    return true;
}

static struct hf_app *next_app(struct hand *h, char version)
{
    struct hf_app *app = NULL;
    node_file(&h->n, "s.wasm", version_of(version));
    expect(&h->n, hf_app_of(h->n.node, h->n.node->app, &h->so, 1, &app, &h->n.msg), HF_STATUS_OK, "");
    return app;
}

/* Turns of the kernel, until nothing is left to do. */
static void settle(struct hf_worker *w)
{
    struct hf_os *os = w->node->os;
    while (hf_kernel_next_ns(w->kernel) == 0) {
        while (hf_kernel_step(w->kernel, os->now_ns(os)) == HF_OK)
            ;
        hf_kernel_flush(w->kernel);
    }
}

static size_t shares(const struct hf_worker *w)
{
    size_t n = 0;
    HF_LIST_FOR (at, &w->shares) {
        n++;
    }
    return n;
}

static void a_switch_after_a_stop_does_nothing(void **state)
{
    struct hand h;
    struct hf_report why = {0};
    (void)state;
    if (!begin(&h))
        skip();
    struct hf_worker *w = &h.n.node->workers[0];
    for (int settled = 0; settled < 2; settled++) {
        struct hf_app *app = next_app(&h, (char)('2' + settled));
        assert_int_equal(hf_shares_prepare(w, app, &why), HF_OK);
        hf_shares_close(w); /* as a worker that has nothing left to do */
        if (settled)
            settle(w);
        hf_shares_switch(w);
        hf_shares_retire(w);
        settle(w);
        assert_int_equal(shares(w), 0);
        hf_app_unref(app, NULL);
    }
    node_close(&h.n);
}

static void counts_outlive_what_they_count(void **state)
{
    struct hand h;
    struct hf_report why = {0};
    (void)state;
    if (!begin(&h))
        skip();
    struct hf_worker *w = &h.n.node->workers[0];
    settle(w);
    for (char v = '2'; v <= '5'; v++) {
        struct hf_app *app = next_app(&h, v);
        assert_int_equal(hf_shares_prepare(w, app, &why), HF_OK);
        assert_int_equal(hf_shares_ready(w, &why), HF_AGAIN);
        settle(w);
        assert_int_equal(hf_shares_ready(w, &why), HF_OK);
        assert_int_equal(shares(w), 2);
        hf_shares_switch(w);
        assert_int_equal(shares(w), 2); /* nothing is closed before all workers have switched */
        hf_shares_retire(w);
        settle(w);
        assert_int_equal(shares(w), 1);
        hf_app_unref(h.n.node->app, NULL);
        h.n.node->app = app;
    }
    const struct hf_total *t = hf_total_find(w, "s");
    assert_non_null(t);
    assert_int_equal(t->shares, 1);
    assert_int_equal(t->gone.started, 4);
    assert_int_equal(t->gone.retired, 4);
    struct hf_buf text = {0};
    hf_ends_text(&t->ends, &text);
    assert_true(hf_view_eq_text(hf_buf_view(&text), "4 closed"));
    hf_buf_done(&text);
    assert_null(hf_total_find(w, "t"));
    node_close(&h.n);
}

static void undone_it_is_as_before(void **state)
{
    struct hand h;
    struct hf_report why = {0};
    (void)state;
    if (!begin(&h))
        skip();
    struct hf_worker *w = &h.n.node->workers[0];
    settle(w);
    const struct hf_share *before = HF_LIST_ENTRY(w->shares.next, struct hf_share, in_worker);
    for (int settled = 0; settled < 2; settled++) {
        struct hf_app *app = next_app(&h, '2');
        assert_int_equal(hf_shares_prepare(w, app, &why), HF_OK);
        if (settled)
            settle(w);
        hf_shares_undo(w);
        assert_int_equal(hf_shares_ready(w, &why), HF_OK); /* nothing is being prepared any more */
        settle(w);
        assert_int_equal(shares(w), 1);
        assert_ptr_equal(HF_LIST_ENTRY(w->shares.next, struct hf_share, in_worker), before);
        assert_null(w->next_app);
        hf_app_unref(app, NULL);
    }
    node_run(&h.n);
    http_expect(&h.n, "/", "version-1");
    node_close(&h.n);
}

/* A class of processes "c" beside "s"; `max` of them. */
static struct hf_app *with_class(struct hand *h, uint32_t max)
{
    static char path[512];
    struct hf_app *app = NULL;
    struct hf_process_options p = {.processes_max = max};
    struct hf_service_options both[2] = {h->so};
    assert_true(guest("c-chain", path));
    hf_service_options_init(&both[1]);
    both[1].name = "c";
    both[1].path = path;
    both[1].kind = HF_KIND_HANDLER;
    both[1].process = &p;
    expect(&h->n, hf_app_of(h->n.node, h->n.node->app, both, 2, &app, &h->n.msg), HF_STATUS_OK, "");
    return app;
}

static void an_undone_class_of_processes_gives_its_name_back(void **state)
{
    struct hand h;
    struct hf_report why = {0};
    (void)state;
    if (!begin(&h))
        skip();
    struct hf_worker *w = &h.n.node->workers[0];
    settle(w);
    for (uint32_t max = 1; max <= 3; max++) {
        struct hf_app *app = with_class(&h, max);
        assert_int_equal(hf_shares_prepare(w, app, &why), HF_OK);
        assert_int_equal(hf_named_wake(w->kernel, HF_VIEW("c/1"), &why), HF_NOT_FOUND); /* nobody makes one before all are prepared */
        if (max == 3) /* a stop, in the middle */
            hf_shares_close(w);
        hf_shares_undo(w);
        settle(w);
        assert_int_equal(shares(w), max == 3 ? 0 : 1);
        hf_app_unref(app, NULL);
    }
    node_close(&h.n);
}

static void a_class_of_processes_is_named_once_all_are_prepared(void **state)
{
    struct hand h;
    struct hf_report why = {0};
    (void)state;
    if (!begin(&h))
        skip();
    struct hf_worker *w = &h.n.node->workers[0];
    settle(w);
    struct hf_app *app = with_class(&h, 7);
    assert_int_equal(hf_shares_prepare(w, app, &why), HF_OK);
    assert_int_equal(hf_shares_ready(w, &why), HF_OK);
    assert_int_equal(hf_shares_name(w, &why), HF_OK);
    assert_int_equal(hf_named_wake(w->kernel, HF_VIEW("c/1"), &why), HF_OK);
    assert_int_equal(hf_shares_name(w, &why), HF_OK); /* once */
    hf_shares_switch(w);
    hf_shares_retire(w);
    assert_int_equal(shares(w), 2);
    hf_app_unref(h.n.node->app, NULL);
    h.n.node->app = app;
    node_close(&h.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_switch_after_a_stop_does_nothing),
        cmocka_unit_test(counts_outlive_what_they_count),
        cmocka_unit_test(undone_it_is_as_before),
        cmocka_unit_test(an_undone_class_of_processes_gives_its_name_back),
        cmocka_unit_test(a_class_of_processes_is_named_once_all_are_prepared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
