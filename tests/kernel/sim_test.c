/* sim_test.c - many processes under a seed: they say whatever a process can say, die, restart, are
 * killed and suspended; bodies arrive late or fail; the store acknowledges late, in groups, says
 * FULL, UNKNOWN or FENCED; most seeds have room for a few instances only, and what is evicted is
 * written and read late, fails, or finds no place; so are bytes of blobs, few of which may stay in
 * memory.
 *
 * What must hold, whatever happens: a post is told once; a request that wants an answer is answered
 * once, to the instance that sent it, with its context; messages of one to another arrive in the
 * order sent; nothing of a recorded process is seen before its batch is acknowledged; a monitor
 * fires once; live blobs are those that can be reached; when all is calm nothing is left, and at
 * the end no byte in a file.
 *
 * On one kernel, and on three that are joined by a queue which delays letters as the seed says:
 * there, too, all that must hold.
 *
 * HF_SEEDS=10000 for more seeds, HF_SEED=n for one of them, with its log (HF_KERNELS=3 of three).
 */
#include <signal.h>
#include <unistd.h>

#include "support_sim.h"

enum { EVENTS = 1000, SEEN = 8192, KERNELS = 3 };

static const char *const kind_names[] = {
#define X(name) #name,
    HAPPENINGS(X)
#undef X
};

static uint64_t now_seed; /* for who dies of an assertion */
static uint32_t now_kernels;

static void say_seed(void)
{
    char text[120];
    int n =
        snprintf(text, sizeof text,
                 "replay with HF_KERNELS=%u HF_SEED=%llu build/dev/tests/kernel/sim_test\n",
                 now_kernels, (unsigned long long)now_seed);
    if (write(2, text, (size_t)n) < 0)
        return;
}

static void on_abort(int sig)
{
    say_seed();
    signal(sig, SIG_DFL);
    raise(sig);
}

static struct hf_kernel *some_kernel(struct sim *w)
{
    return w->net.ks[w->net.n == 1 ? 0 : sim_pick(w, w->net.n)];
}

/* ---- the world ---- */

static void on_told(struct hf_port *port, void *tag, struct hf_answer *answer)
{
    struct sim *w = HF_CONTAINER_OF(port, struct sim, port);
    size_t i = (size_t)(uintptr_t)tag;
    uint64_t by, number, serial;
    MUST(w, !w->told[i]);
    w->told[i] = true;
    w->n_told++;
    if (answer->kind == HF_ANSWER_OK) {
        MUST(w, sim_parse_body(hf_buf_view(&answer->body), &by, &number, &serial));
        sim_must_be_acked(w, serial);
    }
}

static void post_some(struct sim *w)
{
    char name[40];
    if (w->n_posted == HF_ARRAY_LEN(w->told))
        return;
    struct hf_kernel *k = some_kernel(w);
    struct hf_post p = {.target = sim_any_name(w, name, sizeof name),
                        .timeout_ns = (1 + sim_pick(w, 3000)) * MS,
                        .port = &w->port,
                        .tag = (void *)(uintptr_t)w->n_posted};
    struct hf_blob **place = &w->open[sim_pick(w, OPEN)];
    if (*place == NULL && sim_chance(w, 60)) { /* its body is still to come */
        p.blob = *place = hf_blob_new_in(hf_kernel_blobs(k), HF_BLOB_LEN_UNKNOWN, 0);
        assert_non_null(p.blob);
    }
    w->posted_at[w->n_posted] = k->far.here;
    if (hf_port_post(k, &p, &w->ids[w->n_posted]) == HF_OK)
        w->n_posted++;
    hf_blob_unref(p.blob);
    sim_count(w, EV_post);
}

static void blob_event(struct sim *w)
{
    struct hf_blob **place = &w->open[sim_pick(w, OPEN)];
    if (*place == NULL)
        return;
    unsigned p = (unsigned)sim_pick(w, 10);
    if (p < 6) {
        (void)!hf_blob_push(*place, sim_bytes(w));
        sim_count(w, EV_blob_push);
        return;
    }
    sim_count(w, p < 9 ? EV_blob_finish : EV_blob_fail);
    if (p < 9)
        hf_blob_finish(*place);
    else
        hf_blob_fail(*place, HF_IO);
    *place = NULL;
}

struct hearing {
    struct sim *w;
    uint64_t seq;
};

static enum hf_err hear(void *ctx, const struct hf_batch_record *r)
{
    const struct hearing *h = ctx;
    struct sim *w = h->w;
    uint64_t by, number, serial;
    if ((r->kind == HF_RECORD_SEND || r->kind == HF_RECORD_ANSWER) &&
        sim_parse_body(r->bytes, &by, &number, &serial))
        w->serials[serial].batch = h->seq;
    return HF_OK;
}

/* The store of this world: takes batches, keeps them a while, acknowledges some; or says it is
 * FULL, or does not know. */
static void store_event(struct sim *w, struct hf_kernel *k)
{
    struct sim_store *st = &w->stores[k->far.here];
    const struct hf_batch *b;
    unsigned p = (unsigned)sim_pick(w, 100);
    if (st->unknown) { /* taken over again and compared: it was there, or it comes again */
        st->unknown = false;
        if (sim_chance(w, 50) && !w->calm) {
            hf_kernel_return_batch(k);
            st->taken--;
        }
        return;
    }
    if (p < 60 || w->calm) {
        b = hf_kernel_next_batch(k);
        if (b == NULL)
            return;
        if (p < 5 && !w->calm) {
            hf_kernel_return_batch(k);
            sim_count(w, EV_store_full);
            return;
        }
        MUST(w, hf_batch_seq(b) == st->taken + 1);
        st->taken = hf_batch_seq(b);
        uint64_t seq, process;
        struct hearing h = {w, st->taken};
        MUST(w, hf_batch_decode(hf_batch_bytes(b), &seq, &process, hear, &h, NULL) == HF_OK);
        if (p < 8 && !w->calm) {
            st->unknown = true;
            sim_count(w, EV_store_unknown);
        }
        return;
    }
    if (st->acked == st->taken)
        return;
    uint64_t to = st->acked + 1 + sim_pick(w, st->taken - st->acked);
    sim_count(w, to > st->acked + 1 ? EV_acked_group : EV_acked);
    st->acked = to;
    hf_kernel_acked(k, to);
}

static void spill_event(struct sim *w, struct keeper *r)
{
    if (r->moves.next == NULL) /* nobody is evicted in this world */
        return;
    r->full = !w->calm && sim_chance(w, 5);
    if (r->full)
        sim_count(w, EV_spill_full);
    r->write_fails = !w->calm && sim_chance(w, 8);
    r->read_fails = !w->calm && sim_chance(w, 3);
    if (!keeper_go(r, 1 + sim_pick(w, 3)))
        return;
    sim_count(w, EV_spill_moved);
    if (r->write_fails || r->read_fails)
        sim_count(w, EV_spill_fails);
    r->write_fails = r->read_fails = false;
}

/* Bytes of blobs come and go, late; some of it fails. */
static void shelf_event(struct sim *w, struct shelf *s)
{
    s->max = !w->calm && sim_chance(w, 10) ? 1 : 0;
    if (s->max != 0)
        sim_count(w, EV_file_full);
    s->write_fails = !w->calm && sim_chance(w, 10);
    s->read_fails = !w->calm && sim_chance(w, 10);
    for (uint64_t n = 1 + sim_pick(w, 3); n > 0; n--) {
        if (!shelf_go_one(s, (size_t)sim_pick(w, 8)))
            break;
        sim_count(w, EV_blob_moved);
        if (s->write_fails || s->read_fails)
            sim_count(w, EV_file_fails);
    }
    s->write_fails = s->read_fails = false;
}

/* Somebody outside reads a blob that is still to come, or one that an actor keeps. */
static void read_event(struct sim *w)
{
    struct hf_blob_reader *r = &w->reader;
    struct hf_view v;
    if (r->blob != NULL) {
        enum hf_err err = hf_blob_reader_peek(r, &v);
        MUST(w, r->wait.ready == (err != HF_AGAIN));
        if (err == HF_OK) {
            hf_blob_reader_advance(r, 1 + (size_t)sim_pick(w, v.len));
            sim_count(w, EV_blob_read);
        } else if (err != HF_AGAIN || sim_chance(w, 20)) {
            hf_blob_reader_close(r);
        }
        return;
    }
    struct hf_blob *b = w->open[sim_pick(w, OPEN)];
    if (b != NULL && !hf_blob_wanted(b))
        b = NULL;
    if (b == NULL && !hf_list_empty(&w->actors))
        b = HF_LIST_ENTRY(w->actors.next, struct actor, in_sim)->kept;
    if (b == NULL)
        return;
    b = hf_blob_ref(b);
    hf_blob_reader_open(r, &b);
}

static void control_event(struct sim *w)
{
    char name[40];
    struct hf_view any = sim_any_name(w, name, sizeof name);
    struct hf_kernel *k = net_home(&w->net, any);
    switch (sim_pick(w, 8)) {
    case 0:
        if (hf_named_kill(k, any, HF_VIEW("by the world")) == HF_OK)
            sim_count(w, EV_kill);
        return;
    case 1:
        if (hf_named_stop(k, any) == HF_OK)
            sim_count(w, EV_stop);
        return;
    case 2:
    case 3:
        if (hf_named_suspend(k, any) == HF_OK)
            sim_count(w, EV_suspend);
        return;
    default:
        if (hf_named_resume(k, any) == HF_OK)
            sim_count(w, EV_resume);
    }
}

/* ---- blobs ---- */

struct seen {
    struct hf_blob *ptr[SEEN];
    size_t n;
};

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct hf_blob *const *)a,
              y = (uintptr_t) * (struct hf_blob *const *)b;
    return (x > y) - (x < y);
}

static void see(void *ctx, struct hf_blob *blob)
{
    struct seen *s = ctx;
    if (blob == NULL)
        return;
    assert_true(s->n < SEEN);
    s->ptr[s->n++] = blob;
}

static void check_reachable(struct sim *w)
{
    static struct seen s;
    size_t different = 0;
    s.n = 0;
    net_walk_blobs(&w->net, see, &s);
    HF_LIST_FOR (n, &w->actors) {
        see(&s, HF_LIST_ENTRY(n, struct actor, in_sim)->kept);
    }
    for (size_t i = 0; i < OPEN; i++)
        see(&s, w->open[i]);
    see(&s, w->reader.blob);
    qsort(s.ptr, s.n, sizeof s.ptr[0], by_address);
    for (size_t i = 0; i < s.n; i++)
        different += i == 0 || s.ptr[i] != s.ptr[i - 1];
    MUST(w, net_blobs_live(&w->net) == different);
}

/* ---- one seed ---- */

static void one_event(struct sim *w)
{
    if (w->net.n > 1 && sim_chance(w, 50) && net_deliver(&w->net, &w->rnd)) {
        w->events++;
        return;
    }
    unsigned p = (unsigned)sim_pick(w, 100);
    if (p < 12)
        post_some(w);
    else if (p < 70)
        (void)!hf_kernel_step(some_kernel(w), w->now);
    else if (p < 76) {
        w->now += sim_pick(w, sim_chance(w, 10) ? 2000 : 30) * MS;
        sim_count(w, EV_time);
    } else if (p < 82)
        blob_event(w);
    else if (p < 90)
        store_event(w, some_kernel(w));
    else if (p < 93)
        spill_event(w, &w->keepers[sim_pick(w, w->net.n)]);
    else if (p < 95) {
        struct hf_kernel *k = some_kernel(w);
        hf_kernel_flush(k);
        spill_event(w, &w->keepers[k->far.here]);
    }
    else if (p < 96)
        control_event(w);
    else if (p < 97) {
        hf_wait_fire(&w->gate);
        hf_wait_clear(&w->gate);
    } else if (p < 98 && w->n_posted > 0) {
        size_t i = sim_pick(w, w->n_posted);
        hf_port_cancel(w->net.ks[w->posted_at[i]], w->ids[i]);
        sim_count(w, EV_port_cancel);
    } else if (p < 99)
        check_reachable(w);
    if (sim_chance(w, 15))
        read_event(w);
    if (sim_chance(w, 15))
        shelf_event(w, &w->shelves[sim_pick(w, w->net.n)]);
}

static void calm_one(struct sim *w, struct hf_kernel *k)
{
    char name[40];
    struct sim_store *st = &w->stores[k->far.here];
    for (unsigned i = 0; i < NAMES; i++) {
        sim_name_of(i, name, sizeof name);
        (void)!hf_named_resume(k, hf_view_of(name));
    }
    HF_LIST_FOR (n, &k->named) {
        struct hf_named *named = HF_LIST_ENTRY(n, struct hf_named, in_kernel);
        (void)!hf_named_resume(k, hf_named_name(named));
    }
    struct keeper *r = &w->keepers[k->far.here];
    do
        for (unsigned i = 0; hf_kernel_step(k, w->now) == HF_OK; i++)
            MUST(w, i < 1000000);
    while (r->moves.next != NULL && keeper_go(r, SIZE_MAX));
    while (st->unknown || st->taken < k->seq)
        store_event(w, k);
    if (st->acked < st->taken) {
        st->acked = st->taken;
        hf_kernel_acked(k, st->acked);
    }
    hf_kernel_flush(k);
}

static void calm(struct sim *w)
{
    w->calm = true;
    hf_blob_reader_close(&w->reader);
    for (uint32_t i = 0; i < w->net.n; i++) {
        w->keepers[i].full = false;
        w->shelves[i].max = 0;
        (void)shelf_go(&w->shelves[i], SIZE_MAX);
    }
    for (size_t i = 0; i < OPEN; i++) {
        if (w->open[i] != NULL)
            hf_blob_finish(w->open[i]);
        w->open[i] = NULL;
    }
    for (unsigned round = 0; round < 400; round++) {
        hf_wait_fire(&w->gate);
        hf_wait_clear(&w->gate);
        for (uint32_t i = 0; i < w->net.n; i++)
            calm_one(w, w->net.ks[i]);
        while (net_deliver(&w->net, &w->rnd)) {
        }
        w->now += 200 * MS;
    }
}

static void wake_tokens(struct sim *w)
{
    char name[40];
    uint64_t id;
    for (unsigned i = 0; i < NAMES;
         i++) { /* whoever holds a token answers it with the next message */
        sim_name_of(i, name, sizeof name);
        struct hf_post p = {
            .target = hf_view_of(name), .port = &w->port, .tag = (void *)(uintptr_t)w->n_posted};
        struct hf_kernel *k = some_kernel(w);
        if (w->n_posted == HF_ARRAY_LEN(w->told) || hf_port_post(k, &p, &id) != HF_OK)
            continue;
        w->posted_at[w->n_posted] = k->far.here;
        w->ids[w->n_posted++] = id;
    }
}

static void check_evicted(struct sim *w, struct hf_kernel *k, const struct keeper *r)
{
    if (r->moves.next == NULL)
        return;
    struct hf_evict_stats st;
    uint32_t listed = 0, asleep = 0;
    hf_kernel_evict_stats(k, &st);
    HF_LIST_FOR (n, &k->named) {
        listed++;
        asleep += HF_LIST_ENTRY(n, struct hf_named, in_kernel)->asleep != NULL;
    }
    MUST(w, st.moves == 0 && st.evicted == r->n_used);
    MUST(w, st.evicted == asleep + k->evict.asleep.len);
    MUST(w, listed + k->evict.asleep.len == hf_named_count(k));
}

static void check_nothing_open(struct sim *w)
{
    for (size_t i = 0; i < w->n_serials; i++)
        MUST(w, !w->serials[i].wants || w->serials[i].done || w->serials[i].dropped);
    MUST(w, w->n_told == w->n_posted);
    MUST(w, w->net.waiting == 0);
    for (uint32_t i = 0; i < w->net.n; i++) {
        struct hf_far_stats far;
        hf_far_get_stats(w->net.ks[i], &far);
        MUST(w, hf_kernel_idle(w->net.ks[i]) && far.guests == 0);
        check_evicted(w, w->net.ks[i], &w->keepers[i]);
    }
}

static void add_classes(struct sim *w, struct hf_kernel *k)
{
    static const char *const some[] = {"plain/*", "rec/*",    "again/*", "loop/*",
                                       "small/*", "nobody/*", NULL};
    static const char *const all[] = {"*", NULL};
    const struct hf_named_settings settings[] = {
        {.grants = some},
        {.grants = all, .recorded = true, .mailbox_max = 4},
        {.grants = all,
         .restart = HF_RESTART_ALWAYS,
         .backoff_ns = 50 * MS,
         .backoff_max_ns = 300 * MS},
        {.grants = all,
         .restart = HF_RESTART_SOME,
         .restart_max = 1,
         .backoff_ns = 10 * MS,
         .trap_links = true},
        {.grants = all, .shape = HF_SHAPE_RUN, .mailbox_max = 6},
        {.grants = all,
         .mailbox_max = 1,
         .pending_max = 4,
         .sends_max = 3,
         .tokens_max = 2,
         .processes_max = 3,
         .idle_timeout_ns = 700 * MS,
         .turn_timeout_ns = 900 * MS},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(settings); i++) {
        struct hf_named_settings s = settings[i];
        struct hf_class *c;
        struct hf_report report = {0};
        s.behaviour = &sim_actors;
        s.ctx = w;
        s.spawns = all;
        if (hf_named_class_add(k, sim_classes[i], &s, &c, &report) != HF_OK)
            fail_msg("%s", report.text);
    }
}

static void run_seed(uint64_t seed, uint32_t kernels, uint64_t *counts, uint64_t *events,
                     struct hf_far_stats *crossed)
{
    struct sim *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = now_seed = seed;
    now_kernels = kernels;
    w->rnd = seed * 0x9E3779B97F4A7C15u + 1;
    w->now = 1 * S;
    w->port.answer = on_told;
    w->log = getenv("HF_SEED") != NULL;
    hf_list_init(&w->actors);
    hf_wait_init(&w->gate, false);
    hf_map_init(&w->order, 0);
    struct hf_kernel_settings ks = {.hash_seed = seed};
    bool evicts = !sim_chance(w, 20);
    if (evicts)
        ks.resident_max = 1 + (uint32_t)sim_pick(w, 5);
    net_open(&w->net, kernels, &ks);
    for (uint32_t i = 0; i < kernels; i++) {
        struct keeper *r = &w->keepers[i];
        if (evicts)
            keeper_open(r, w->net.ks[i]);
        r->dropped = sim_image_dropped;
        r->ctx = w;
        shelf_attach(&w->shelves[i], hf_kernel_blobs(w->net.ks[i]), (size_t)sim_pick(w, 4) * 5000,
                     (size_t)sim_pick(w, 4) * 5000);
        add_classes(w, w->net.ks[i]);
    }
    while (w->events < EVENTS)
        one_event(w);
    check_reachable(w);
    w->fenced = sim_chance(w, 8);
    if (w->fenced) { /* another owner took over: everything stops here, and what was held is seen by
                        nobody */
        sim_count(w, EV_store_fenced);
    } else {
        calm(w);
        wake_tokens(w);
        calm(w);
        check_nothing_open(w);
        check_reachable(w);
    }
    for (uint32_t i = 0; i < kernels; i++) {
        struct hf_message_stats st;
        hf_message_get_stats(w->net.ks[i], &st);
        w->counts[EV_parked] += st.parked;
        w->counts[EV_late] += st.late;
        w->counts[EV_restart] += st.restarts;
        w->counts[EV_gave_up] += st.given_up;
        w->counts[EV_death] += st.deaths;
        struct hf_evict_stats es;
        hf_kernel_evict_stats(w->net.ks[i], &es);
        w->counts[EV_evicted] += es.evictions;
        w->counts[EV_revived] += es.revivals;
        w->counts[EV_image_lost] += es.lost;
        w->counts[EV_beyond] += evicts && es.resident > ks.resident_max;
        struct hf_blob_spill_stats bs;
        hf_blob_spill_get_stats(hf_kernel_blobs(w->net.ks[i]), &bs);
        w->counts[EV_blob_written] += bs.written;
        w->counts[EV_blob_back] += bs.read;
        w->counts[EV_file_refused] += bs.refused;
    }
    struct hf_far_stats far;
    net_stats(&w->net, &far);
    for (size_t i = 0; i < HF_ARRAY_LEN(far.sent); i++)
        crossed->sent[i] += far.sent[i];
    hf_blob_reader_close(&w->reader);
    net_close(&w->net);
    for (uint32_t i = 0; evicts && i < kernels; i++)
        keeper_close(&w->keepers[i]);
    MUST(w, w->n_told == w->n_posted);
    MUST(w, hf_list_empty(&w->actors));
    for (size_t i = 0; i < OPEN; i++)
        if (w->open[i] != NULL)
            hf_blob_finish(w->open[i]);
    for (uint32_t i = 0; i < kernels; i++) {
        (void)shelf_go(&w->shelves[i], SIZE_MAX);
        MUST(w, w->shelves[i].used == 0);
        shelf_close(&w->shelves[i]);
    }
    for (size_t i = 0; i < EV_COUNT; i++)
        counts[i] += w->counts[i];
    *events += w->events;
    hf_wait_done(&w->gate);
    hf_map_done(&w->order);
    free(w->serials);
    free(w);
}

static void run_seeds(uint32_t kernels, uint64_t fallback, struct hf_far_stats *crossed)
{
    const char *one = getenv("HF_SEED"), *many = getenv("HF_SEEDS"), *where = getenv("HF_KERNELS");
    uint64_t counts[EV_COUNT] = {0}, events = 0;
    uint64_t n = many == NULL ? fallback : strtoull(many, NULL, 10);
    long live = 0;
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (one != NULL) {
        if (kernels == (where == NULL ? 1 : strtoul(where, NULL, 10)))
            run_seed(strtoull(one, NULL, 10), kernels, counts, &events, crossed);
        return;
    }
    for (uint64_t seed = 1; seed <= n; seed++) {
        run_seed(seed, kernels, counts, &events, crossed);
        if (seed == 1)
            live = mallocs_live();
        if (mallocs_are_counted() && mallocs_live() != live)
            fail_msg("seed %llu leaves %ld allocations", (unsigned long long)seed,
                     mallocs_live() - live);
    }
    print_message("%llu seeds, %llu events\n", (unsigned long long)n, (unsigned long long)events);
    for (size_t i = 0; i < EV_COUNT; i++)
        print_message("%s %llu%s", kind_names[i], (unsigned long long)counts[i],
                      i % 8 == 7 ? "\n" : ", ");
    print_message("\n");
    for (size_t i = 0; i < EV_COUNT; i++)
        if (counts[i] == 0)
            fail_msg("nothing of kind %s happened", kind_names[i]);
}

static void many_processes_under_many_seeds(void **state)
{
    struct hf_far_stats none = {0};
    (void)state;
    run_seeds(1, 300, &none);
    for (size_t i = 0; i < HF_ARRAY_LEN(none.sent); i++)
        assert_int_equal(none.sent[i], 0);
}

static void the_same_on_three_kernels(void **state)
{
    static const char *const names[] = {"request", "answer", "cancel",  "over", "room",
                                        "probe",   "watch",  "unwatch", "ended", "refused",
                                        "seen",    "exit",   "spawn",   "end"};
    struct hf_far_stats crossed = {0};
    (void)state;
    run_seeds(KERNELS, 300, &crossed);
    if (getenv("HF_SEED") != NULL)
        return;
    for (size_t i = 0; i < HF_ARRAY_LEN(crossed.sent); i++)
        print_message("%s %llu, ", names[i], (unsigned long long)crossed.sent[i]);
    print_message("\n");
    for (size_t i = 0; i < HF_ARRAY_LEN(crossed.sent); i++)
        if (crossed.sent[i] == 0)
            fail_msg("no letter of kind %s crossed", names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_processes_under_many_seeds),
                                       cmocka_unit_test(the_same_on_three_kernels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
