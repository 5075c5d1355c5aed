/* chaos_test.c - random posts, cancels, times, acknowledgements and lifecycles, for many seeds.
 * After every deed live blobs are the reachable ones; at the end every post has one answer and
 * nothing is left; and the same seed gives the same history.
 */
#include "support.h"

enum { SEEDS = 120, DEEDS = 400, CLASSES = 4 };

struct chaos {
    struct world w;
    struct kind kinds[CLASSES];
    struct hf_class *classes[CLASSES]; /* NULL: it was closed, and is gone */
    unsigned made, gone;
    uint64_t ids[1024];
    size_t n_ids;
    uint64_t seed, taken;
    struct hf_buf history;
};

static const char *const names[CLASSES] = {"plain", "pool", "recorded", "fragile"};

static uint64_t below(struct chaos *c, uint64_t n)
{
    return rnd(&c->seed) % n;
}

struct slot { /* of one class: so that nobody uses it when it is gone */
    struct chaos *c;
    unsigned i;
    struct hf_class *class;
};

static void on_gone(void *ctx, const struct hf_class_stats *last)
{
    struct slot *s = ctx;
    assert_int_equal(last->instances, 0);
    assert_int_equal(last->queued, 0);
    uint64_t others =
        last->answered + last->unanswered + last->dead + last->timeouts + last->cancelled;
    assert_in_range(last->requests, others, others + last->refused); /* some were refused at once */
    if (s->c->classes[s->i] == s->class)
        s->c->classes[s->i] = NULL;
    s->c->gone++;
    free(s);
}

/* Under the name of the one before, if it is there. */
static void make_class(struct chaos *c, unsigned i, bool held)
{
    static const char *const starts[CLASSES] = {NULL, "s", NULL, "ys"};
    const struct hf_class_settings s[CLASSES] = {
        {.max = 1, .queue_max = 4, .queue_timeout_ns = 30 * MS, .request_timeout_ns = 200 * MS},
        {.min = 1,
         .max = 4,
         .max_requests = 5,
         .idle_timeout_ns = 50 * MS,
         .max_age_ns = 300 * MS,
         .request_timeout_ns = 100 * MS},
        {.max = 3, .recorded = true, .request_timeout_ns = 150 * MS},
        {.max = 2, .start_timeout_ns = 15 * MS, .request_timeout_ns = 80 * MS},
    };
    struct hf_class_settings now = s[i];
    struct slot *slot = calloc(1, sizeof *slot);
    struct hf_class *before = c->classes[i];
    if (before == NULL)
        c->kinds[i].start = starts[i];
    now.unnamed = true;
    now.held = held;
    now.gone = on_gone;
    now.gone_ctx = slot;
    *slot = (struct slot){c, i, world_class(&c->w, names[i], &c->kinds[i], now)};
    c->made++;
    if (below(c, 2) == 0)
        hf_class_warm(slot->class);
    hf_class_take_name(slot->class);
    if (before != NULL)
        hf_class_close(before);
    c->classes[i] = slot->class;
}

static void make_classes(struct chaos *c)
{
    for (unsigned i = 0; i < CLASSES; i++)
        make_class(c, i, false);
}

static void do_post(struct chaos *c)
{
    static const char deeds[] = "rRoowwyyssbbqxzflg";
    char script[8];
    uint64_t id;
    size_t n = (size_t)below(c, sizeof script);
    if (c->w.n_open > HF_ARRAY_LEN(c->w.open) / 2) /* leave room for what is posted already */
        n = 0;
    for (size_t i = 0; i < n; i++)
        script[i] = deeds[below(c, sizeof deeds - 1)];
    script[n] = '\0';
    struct hf_blob *blob =
        below(c, 2) == 0 ? NULL : hf_blob_of_bytes_in(hf_kernel_blobs(c->w.k), HF_VIEW("body"));
    uint64_t timeout = below(c, 4) == 0 ? below(c, 100) * MS + 1 : 0;
    if (c->w.n_posted < HF_ARRAY_LEN(c->ids) &&
        try_post(&c->w, names[below(c, CLASSES)], script, timeout, blob, &id) == HF_OK)
        c->ids[c->n_ids++] = id;
}

static void do_close_open_one(struct chaos *c)
{
    if (c->w.n_open == 0)
        return;
    struct hf_blob *b = c->w.open[--c->w.n_open];
    (void)hf_blob_push(b, HF_VIEW("late"));
    hf_blob_finish(b);
}

static void do_commit(struct chaos *c)
{
    const struct hf_batch *b;
    while (below(c, 4) != 0 && (b = hf_kernel_next_batch(c->w.k)) != NULL)
        c->taken = hf_batch_seq(b);
}

static void do_ack(struct chaos *c)
{
    uint64_t back = below(c, 3);
    if (c->taken > c->w.k->acked + back)
        hf_kernel_acked(c->w.k, c->taken - back);
}

static void deed_of_a_class(struct chaos *c, uint64_t d)
{
    struct hf_class *class = c->classes[below(c, CLASSES)];
    if (class == NULL)
        return;
    if (d < 993)
        hf_class_warm(class);
    else if (d == 993)
        hf_class_release(class);
    else if (d == 996 && below(c, 4) == 0)
        hf_class_set_single_use(class);
    else if (d == 997 && below(c, 4) == 0)
        hf_class_close(class);
}

static void deed(struct chaos *c)
{
    uint64_t d = below(c, 1000);
    if (d < 300)
        do_post(c);
    else if (d < 600)
        (void)hf_kernel_step(c->w.k, c->w.now);
    else if (d < 650)
        hf_kernel_flush(c->w.k);
    else if (d < 700)
        run(&c->w);
    else if (d < 780)
        c->w.now += below(c, 12) * MS;
    else if (d < 860 && c->n_ids > 0)
        hf_port_cancel(c->w.k, c->ids[below(c, c->n_ids)]);
    else if (d < 890)
        hf_wait_set(&c->w.gate, !c->w.gate.ready);
    else if (d < 920)
        do_commit(c);
    else if (d < 950)
        do_ack(c);
    else if (d < 990)
        do_close_open_one(c);
    else if (d == 995)
        c->kinds[3].start = below(c, 2) == 0 ? "f" : "w";
    else if (d == 994)
        make_class(c, (unsigned)below(c, CLASSES), below(c, 4) == 0);
    else
        deed_of_a_class(c, d);
}

static uint64_t one_history(uint64_t seed, struct hf_buf *ret)
{
    struct chaos *c = calloc(1, sizeof *c);
    c->seed = seed;
    world_init_with(&c->w, &(struct hf_kernel_settings){.processes_max = 6, .requests_max = 30});
    c->w.keep_blobs = false;
    make_classes(c);
    for (unsigned i = 0; i < DEEDS; i++) {
        deed(c);
        check_blobs(&c->w);
        if (i % 20 == 0)
            hf_kernel_inspect(c->w.k, &c->history);
    }
    if (below(c, 2) == 0) { /* let it run out; else it is freed in the middle */
        for (unsigned i = 0; i < 40; i++) {
            pass(&c->w, 10 * MS);
            do_commit(c);
        }
        while (hf_kernel_next_batch(c->w.k) != NULL) {
        }
        hf_kernel_acked(c->w.k, c->w.k->seq);
        run(&c->w);
        check_blobs(&c->w);
        hf_kernel_inspect(c->w.k, &c->history);
        assert_true(hf_kernel_idle(c->w.k)); /* every deadline is over */
    }
    assert_int_equal(hf_buf_add_view(&c->history, hf_buf_view(&c->w.log)), HF_OK);
    for (size_t i = 0; i < c->w.n_told; i++)
        assert_int_equal(hf_buf_printf(&c->history, "told %llu %d\n",
                                       (unsigned long long)c->w.told[i].tag, c->w.told[i].kind),
                         HF_OK);
    world_done(&c->w);
    assert_int_equal(c->gone, c->made);
    *ret = c->history;
    uint64_t n = c->w.n_posted;
    free(c);
    return n;
}

static void any_history_answers_each_once_and_is_repeatable(void **state)
{
    uint64_t posted = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct hf_buf first = {0}, second = {0};
        posted += one_history(seed, &first);
        one_history(seed, &second);
        assert_int_equal(first.len, second.len);
        assert_memory_equal(first.ptr, second.ptr, first.len);
        hf_buf_done(&first);
        hf_buf_done(&second);
    }
    assert_true(posted > SEEDS * 20);
}

static void inspect_reads_like_this(void **state)
{
    struct world w;
    struct kind kind = {.start = NULL};
    struct hf_buf text = {0};
    (void)state;
    world_init(&w);
    world_class(&w, "svc", &kind, (struct hf_class_settings){.max = 2});
    post(&w, "svc", "rw");
    post(&w, "svc", "yyyyr");
    post(&w, "svc", "r");
    steps(&w, 5);
    hf_kernel_flush(w.k);
    hf_kernel_inspect(w.k, &text);
    assert_string_equal((char *)text.ptr,
                        "kernel at 1000000000: 3 requests of 100000, 2 processes of 10000, 1 "
                        "runnable, 3 timers (next 31000000000)\n"
                        "    answers: 0 ready, 0 wait for batches; batches: 0 sealed, 0 with the "
                        "store, 0 made, 0 acknowledged\n"
                        "    blobs: 0 live, 0 bytes of segments\n"
                        "class svc (actor): 2 of 2 instances, 0 idle, 1 of 1024 queued\n"
                        "    requests 3, answered 1, unanswered 0, dead 0, timeouts 0, refused 0, "
                        "cancelled 0; started 2, start failures 0, retired 0, "
                        "killed 0\n"
                        "    process 1: busy, waits, served 1, born 1000000000, left \"\"\n"
                        "        has request 1: answered, deadline 31000000000, body 2 bytes\n"
                        "    process 2: busy, runnable, served 1, born 1000000000, left \"yyr\"\n"
                        "        has request 2: open, deadline 31000000000, body 5 bytes\n"
                        "    queued: request 3: open, deadline 31000000000, body 1 bytes\n");
    hf_buf_done(&text);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_history_answers_each_once_and_is_repeatable),
        cmocka_unit_test(inspect_reads_like_this),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
