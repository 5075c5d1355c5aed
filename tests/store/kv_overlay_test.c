/* kv_overlay_test.c - the log of the durable key-value store, the keys that are only there, and
 * their way into the tables: with limits so small that it never rests, with processes that end in
 * the middle, with rows that cannot be.
 */
#include "tests/store/kv_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

/* ---- the contract again, with logs that hold next to nothing ---- */

static const struct hf_kv_limits small_logs[] = {
    {.log_keys = 1}, {.log_keys = 7}, {.log_keys = 600, .log_bytes = 100000}, {.log_bytes = 1}};

static void contract_with_small_logs(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(small_logs); i++) {
        struct world w;
        open_new(&w, small_logs[i]);
        kvc_all(&w.c, 1 + i);
        close_gone(&w);
        struct hf_kv_limits limits = KVC_SMALL;
        limits.log_keys = small_logs[i].log_keys;
        limits.log_bytes = small_logs[i].log_bytes;
        open_new(&w, limits);
        kvc_limits(&w.c);
        close_gone(&w);
    }
}

/* From the next operation on the store does nothing by itself. */
static void never_idle(struct world *w)
{
    atomic_store(&HF_CONTAINER_OF(w->first, struct hf_kvs_door, kv)->store->idle_ms, -1);
}

/* ---- a process that ends, in the files' eyes ---- */

static void copy(const struct world *from, const struct world *to, const char *name)
{
    static uint8_t bytes[1 << 16];
    char path[128];
    ssize_t n;
    file_of(from, name, path);
    int in = open(path, O_RDONLY);
    assert_true(in >= 0);
    file_of(to, name, path);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(out >= 0);
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)n), n);
    assert_int_equal(n, 0);
    close(in);
    close(out);
}

/* What kill -9 leaves at this moment: the files as they are, without the end that a close makes.
 * Nothing may be in flight. */
static void killed(struct world *w)
{
    struct world after = {0};
    make_dir(&after);
    copy(w, &after, "holdfast.db");
    copy(w, &after, "holdfast.db-wal");
    close_gone(w);
    *w = after;
}

/* ---- beside a model ---- */

enum { KEYS = 60, BUCKETS = 2 };
struct model {
    struct {
        bool there;
        uint64_t version, born;
        size_t len;
        char value[6000];
    } keys[KEYS];
};
struct run {
    struct world w;
    struct hf_kv_bucket *buckets[BUCKETS];
    struct model models[BUCKETS];
    uint64_t chance, births;
    unsigned kills, reopens;
};

static uint64_t rnd(struct run *r, uint64_t n)
{
    uint64_t z = r->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % n;
}

static struct hf_view key_of(unsigned k, char text[16])
{
    return hf_view(text, (size_t)snprintf(text, 16, "k%u", k));
}

static void check_key(struct run *r, unsigned b, unsigned k)
{
    char text[16];
    struct model *m = &r->models[b];
    struct hf_kv_op op = {.kind = HF_KV_GET, .bucket = r->buckets[b], .key = key_of(k, text)};
    kvc_do(&r->w.c, &op);
    assert_int_equal(op.r.refusal, HF_KV_NONE);
    assert_int_equal(op.r.found, m->keys[k].there);
    if (op.r.found) {
        assert_int_equal(op.r.version, m->keys[k].version);
        assert_true(hf_view_eq(op.r.value, hf_view(m->keys[k].value, m->keys[k].len)));
    }
    hf_kv_end(r->w.c.kv, &op);
    op.kind = HF_KV_EXISTS;
    kvc_do(&r->w.c, &op);
    assert_int_equal(op.r.found, m->keys[k].there);
    assert_int_equal(op.r.version, m->keys[k].there ? m->keys[k].version : 0);
    hf_kv_end(r->w.c.kv, &op);
}

/* All pages give the keys that are there, each once, in the order they came into being. */
static void check_list(struct run *r, unsigned b)
{
    struct hf_kv_op op = {
        .kind = HF_KV_LIST, .bucket = r->buckets[b], .max = 1 + (uint32_t)rnd(r, 9)};
    uint64_t last = 0;
    unsigned listed = 0, there = 0;
    do {
        kvc_do(&r->w.c, &op);
        assert_int_equal(op.r.refusal, HF_KV_NONE);
        for (uint32_t i = 0; i < op.r.n_keys; i++, listed++) {
            char text[16] = "";
            assert_true(op.r.keys[i].len > 0 && op.r.keys[i].len < sizeof text);
            memcpy(text, op.r.keys[i].ptr, op.r.keys[i].len);
            unsigned k = (unsigned)strtoul(text + 1, NULL, 10);
            assert_true(k < KEYS && r->models[b].keys[k].there && r->models[b].keys[k].born > last);
            last = r->models[b].keys[k].born;
        }
        uint64_t cursor = op.r.cursor;
        hf_kv_end(r->w.c.kv, &op);
        op.cursor = cursor;
    } while (op.cursor != 0);
    for (unsigned k = 0; k < KEYS; k++)
        there += r->models[b].keys[k].there;
    assert_int_equal(listed, there);
}

static void check_counts(void *ctx, const struct hf_kv_count *count)
{
    struct run *r = ctx;
    unsigned b = count->name.ptr[0] - '0';
    uint64_t keys = 0, bytes = 0;
    char text[16];
    assert_true(hf_view_eq_text(count->space, "s") && count->name.len == 1 && b < BUCKETS);
    for (unsigned k = 0; k < KEYS; k++) {
        keys += r->models[b].keys[k].there;
        bytes += r->models[b].keys[k].there ? key_of(k, text).len + r->models[b].keys[k].len : 0;
    }
    assert_int_equal(count->keys, keys);
    assert_int_equal(count->bytes, bytes);
}

static void check_all(struct run *r)
{
    for (unsigned b = 0; b < BUCKETS; b++) {
        for (unsigned k = 0; k < KEYS; k++)
            check_key(r, b, k);
        check_list(r, b);
    }
    hf_kv_count_all(r->w.c.kv, check_counts, r);
}

static void open_again(struct run *r)
{
    struct hf_kv_limits limits = {.log_keys = 1 + rnd(r, 50),
                                  .log_bytes = rnd(r, 4) == 0 ? 1 + rnd(r, 20000) : 0};
    reopen(&r->w, limits);
    never_idle(&r->w);
    r->buckets[0] = kvc_bucket(&r->w.c, "s", "0");
    r->buckets[1] = kvc_bucket(&r->w.c, "s", "1");
}

static void wrote(struct run *r, unsigned b, unsigned k, struct hf_view value, uint64_t version)
{
    struct model *m = &r->models[b];
    if (!m->keys[k].there)
        m->keys[k].born = ++r->births;
    m->keys[k].there = true;
    m->keys[k].version = version;
    m->keys[k].len = value.len;
    if (value.len > 0)
        memcpy(m->keys[k].value, value.ptr, value.len);
}

static void increment(struct run *r, struct hf_kv_op *op, unsigned b, unsigned k)
{
    struct model *m = &r->models[b];
    char text[HF_KV_NUMBER_MAX];
    size_t len;
    uint64_t n;
    op->delta = rnd(r, 1000);
    enum hf_kv_refusal want =
        hf_kv_add(hf_view(m->keys[k].value, m->keys[k].there ? m->keys[k].len : 0),
                  m->keys[k].there, op->delta, false, text, &len, &n);
    kvc_do(&r->w.c, op);
    assert_int_equal(op->r.refusal, want);
    if (want == HF_KV_NONE) {
        assert_int_equal(op->r.number, n);
        wrote(r, b, k, hf_view(text, len), op->r.version);
    }
}

static void operate(struct run *r)
{
    static const size_t lens[] = {0, 1, 3, 100, 4096, 4097, 6000};
    static char value[6000];
    char text[16];
    unsigned b = (unsigned)rnd(r, BUCKETS), k = (unsigned)rnd(r, KEYS);
    struct model *m = &r->models[b];
    struct hf_kv_op op = {.bucket = r->buckets[b], .key = key_of(k, text)};
    size_t len = lens[rnd(r, HF_ARRAY_LEN(lens))];
    memset(value, '0' + (int)rnd(r, 10), sizeof value);
    switch (rnd(r, 5)) {
    case 0:
    case 1:
        op.kind = HF_KV_SET;
        op.value = hf_view(value, len);
        kvc_do(&r->w.c, &op);
        assert_int_equal(op.r.refusal, HF_KV_NONE);
        wrote(r, b, k, op.value, op.r.version);
        break;
    case 2:
        op.kind = HF_KV_DELETE;
        kvc_do(&r->w.c, &op);
        assert_int_equal(op.r.found, m->keys[k].there);
        m->keys[k].there = false;
        break;
    case 3:
        op.kind = HF_KV_INCREMENT;
        increment(r, &op, b, k);
        break;
    default:
        op.kind = HF_KV_SWAP;
        op.value = hf_view(value, len);
        bool right = rnd(r, 2) == 0;
        uint64_t now = m->keys[k].there ? m->keys[k].version : 0;
        op.version = right ? now : now + 1;
        kvc_do(&r->w.c, &op);
        assert_int_equal(op.r.found, right);
        if (right)
            wrote(r, b, k, op.value, op.r.version);
        else
            assert_int_equal(op.r.version, now);
        break;
    }
    assert_int_equal(op.r.refusal == HF_KV_NONE || op.kind == HF_KV_INCREMENT, true);
    hf_kv_end(r->w.c.kv, &op);
}

static void beside_a_model_with_kills(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct run *r = calloc(1, sizeof *r);
        r->chance = seed;
        make_dir(&r->w);
        open_again(r);
        for (unsigned i = 0; i < 2500; i++) {
            uint64_t what = rnd(r, 100);
            if (what == 0) {
                killed(&r->w);
                open_again(r);
                r->kills++;
            } else if (what == 1) {
                shut(&r->w);
                open_again(r);
                r->reopens++;
            } else if (what == 2) {
                check_list(r, (unsigned)rnd(r, BUCKETS));
            } else if (what < 20) {
                check_key(r, (unsigned)rnd(r, BUCKETS), (unsigned)rnd(r, KEYS));
            } else {
                operate(r);
            }
            if (what < 2)
                check_all(r);
        }
        assert_true(r->kills > 5 && r->reopens > 5);
        check_all(r);
        close_gone(&r->w);
        free(r);
    }
}

/* ---- a process that is killed while it writes ---- */

enum { MANY = 400, AT_ONCE = 32, KILLS = 20 };
struct shared { /* outlives the child */
    _Atomic uint32_t begun[MANY], done[MANY];
    _Atomic uint32_t n;
};
struct writer {
    struct world *w;
    struct shared *shared;
    struct hf_kv_bucket *b;
    struct hf_kv_op op;
    unsigned k, step;
    char key[16], value[16];
};

static void write_next(struct writer *w);

static void written(struct hf_kv_op *op)
{
    struct writer *w = op->ctx;
    HF_ASSERT(op->r.refusal == HF_KV_NONE);
    hf_kv_end(w->w->c.kv, op);
    atomic_store(&w->shared->done[w->k], atomic_load(&w->shared->begun[w->k]));
    atomic_fetch_add(&w->shared->n, 1);
    write_next(w);
}

/* Each has keys of its own, so that a key is in flight once. Every seventh write is a delete, which
 * counts as the number it has. */
static void write_next(struct writer *w)
{
    w->step += 7;
    w->k = (w->k + AT_ONCE * (1 + w->step % 5)) % (MANY / AT_ONCE * AT_ONCE);
    uint32_t n = atomic_fetch_add(&w->shared->begun[w->k], 1) + 1;
    w->op = (struct hf_kv_op){.kind = n % 7 == 0 ? HF_KV_DELETE : HF_KV_SET,
                              .bucket = w->b,
                              .key = kvc_name(w->key, w->k),
                              .value = hf_view(w->value, (size_t)snprintf(w->value, 16, "%u", n)),
                              .done = written,
                              .ctx = w};
    HF_ASSERT(hf_kv_begin(w->w->c.kv, &w->op) == HF_AGAIN);
}

static void write_until_killed(struct world *w, struct shared *shared, struct hf_kv_limits limits)
{
    static struct writer writers[AT_ONCE];
    reopen(w, limits);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        writers[i] = (struct writer){
            .w = w, .shared = shared, .b = kvc_bucket(&w->c, "s", "b"), .k = i, .step = i};
        write_next(&writers[i]);
    }
    while (w->c.step(&w->c)) {
    }
}

static void check_written(struct world *w, struct shared *shared)
{
    struct hf_kv_bucket *b = kvc_bucket(&w->c, "s", "b");
    char text[16];
    for (unsigned k = 0; k < MANY; k++) {
        struct hf_kv_op op = {.kind = HF_KV_GET, .bucket = b, .key = kvc_name(text, k)};
        uint32_t done = atomic_load(&shared->done[k]), begun = atomic_load(&shared->begun[k]),
                 n = 0;
        kvc_do(&w->c, &op);
        assert_int_equal(op.r.refusal, HF_KV_NONE);
        char value[16] = "";
        if (op.r.value.len > 0)
            memcpy(value, op.r.value.ptr, op.r.value.len);
        n = (uint32_t)strtoul(value, NULL, 10);
        bool deleted = !op.r.found;
        hf_kv_end(w->c.kv, &op);
        /* the last that was acknowledged, or the one that was under way */
        bool as_done = deleted ? done % 7 == 0 : n == done,
             as_begun = deleted ? begun % 7 == 0 : n == begun;
        if (!as_done && !as_begun)
            fail_msg("key %u: %s%u, acknowledged %u, sent %u", k, deleted ? "none " : "", n, done,
                     begun);
        /* the next round begins with what is there */
        n = as_done ? done : begun;
        atomic_store(&shared->done[k], n);
        atomic_store(&shared->begun[k], n);
    }
}

static void killed_while_it_writes(void **state)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct run chance = {.chance = 5};
    struct world w = {0};
    (void)state;
    assert_true(shared != MAP_FAILED);
    make_dir(&w);
    for (unsigned i = 0; i < KILLS; i++) {
        struct hf_kv_limits limits = {.log_keys = 1 + rnd(&chance, 300)};
        uint32_t until = atomic_load(&shared->n) + 1 + (uint32_t)rnd(&chance, 3000);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            write_until_killed(&w, shared, limits);
            _exit(1);
        }
        int status = 0;
        while (atomic_load(&shared->n) < until) {
            struct timespec pause = {.tv_nsec = 100000};
            assert_int_equal(waitpid(child, &status, WNOHANG), 0); /* it does not end by itself */
            nanosleep(&pause, NULL);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        reopen(&w, (struct hf_kv_limits){0});
        check_written(&w, shared);
        shut(&w);
    }
    assert_true(atomic_load(&shared->n) > KILLS * 100);
    munmap(shared, sizeof *shared);
    remove_dir(&w);
}

/* ---- what a log may not be ---- */

static long long ask(const struct world *w, const char *text)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *st;
    file_of(w, "holdfast.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    long long n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static void refused(struct world *w, enum hf_err want, const char *words)
{
    struct hf_report report;
    enum hf_err err = try_open(w, (struct hf_kv_limits){0}, &report);
    if (err != want || strstr(report.text, words) == NULL)
        fail_msg("%s: %s", hf_err_text(err), report.text);
}

static void logs_that_are_refused(void **state)
{
    static const struct {
        const char *sql, *words;
    } rows[] = {
        {"UPDATE log SET record = zeroblob(50) WHERE id = 2",
         "holdfast.db is damaged: row 2 of its log: its sum is wrong"},
        {"UPDATE log SET record = x'01'", "row 1 of its log: it ends too soon"},
        {"UPDATE log SET id = -5 WHERE id = 1", "row -5 of its log: no row has such a number"},
        {"DELETE FROM bucket", "row 1 of its log: there is no bucket 1"},
    };
    struct world w;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        open_new(&w, (struct hf_kv_limits){0});
        never_idle(&w);
        struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
        for (unsigned n = 0; n < 2; n++)
            assert_int_equal(kvc_set(&w.c, b, K("k"), K("v")), HF_KV_NONE);
        killed(&w);
        sql(&w, rows[i].sql);
        refused(&w, HF_CORRUPT, rows[i].words);
        remove_dir(&w);
    }
}

static void an_older_file_is_taken_over(void **state)
{
    struct world w;
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
    assert_int_equal(kvc_set(&w.c, b, K("k"), K("old")), HF_KV_NONE);
    shut(&w);
    sql(&w, "DROP TABLE log; PRAGMA user_version = 1"); /* what format 1 was */
    reopen(&w, (struct hf_kv_limits){0});
    never_idle(&w);
    b = kvc_bucket(&w.c, "s", "b");
    uint64_t version = kvc_is(&w.c, b, K("k"), "old");
    assert_int_equal(kvc_set(&w.c, b, K("k"), K("new")), HF_KV_NONE);
    killed(&w);
    assert_int_equal(ask(&w, "PRAGMA user_version"), HF_KVS_FORMAT);
    reopen(&w, (struct hf_kv_limits){0});
    assert_true(kvc_is(&w.c, kvc_bucket(&w.c, "s", "b"), K("k"), "new") > version);
    close_gone(&w);
}

/* Opened, it is in the tables; closed, too: who reads the file with a tool of SQLite's sees all of
 * it. */
static void the_log_is_empty_after_opening_and_closing(void **state)
{
    enum { N = 300 };
    struct world w;
    char text[16];
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    never_idle(&w);
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(kvc_set(&w.c, b, kvc_name(text, i), K("v")), HF_KV_NONE);
    assert_true(kvc_delete(&w.c, b, kvc_name(text, 0)));
    killed(&w);
    assert_true(ask(&w, "SELECT count(*) FROM log") > 0);
    reopen(&w, (struct hf_kv_limits){0});
    assert_int_equal(ask(&w, "SELECT count(*) FROM log"), 0);
    assert_int_equal(ask(&w, "SELECT count(*) FROM kv"), N - 1);
    b = kvc_bucket(&w.c, "s", "b");
    assert_true(kvc_delete(&w.c, b, kvc_name(text, 1)));
    shut(&w);
    assert_int_equal(ask(&w, "SELECT count(*) FROM log"), 0);
    assert_int_equal(ask(&w, "SELECT keys FROM bucket"), N - 2);
    assert_int_equal(ask(&w, "SELECT count(*) FROM kv"), N - 2);
    remove_dir(&w);
}

/* ---- tables that take nothing ---- */

static void hear(void *ctx, const char *text)
{
    if (strstr(text, "constraint failed: keys stay in the log") != NULL)
        atomic_fetch_add((_Atomic unsigned *)ctx, 1);
}

static void what_the_tables_refuse_stays_in_the_log(void **state)
{
    enum { N = 60, ROOM = 64 };
    _Atomic unsigned heard = 0;
    struct world w = {.ear = {hear, &heard}};
    char text[16];
    (void)state;
    make_dir(&w);
    reopen(&w, (struct hf_kv_limits){.log_keys = ROOM});
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
    sql(&w, "CREATE TRIGGER no BEFORE INSERT ON kv BEGIN SELECT RAISE(ABORT, 'no'); END");
    for (unsigned i = 0; i < N; i++) /* past what begins a sweep */
        assert_int_equal(kvc_set(&w.c, b, kvc_name(text, i), K("v")), HF_KV_NONE);
    assert_int_equal(ask(&w, "SELECT count(*) FROM kv"), 0);
    assert_true(heard > 0);
    shut(&w); /* which tries once more */
    assert_int_equal(ask(&w, "SELECT count(*) FROM kv"), 0);
    assert_true(ask(&w, "SELECT count(*) FROM log") > 0);
    reopen(&w, (struct hf_kv_limits){.log_keys = ROOM}); /* and again, and serves all the same */
    b = kvc_bucket(&w.c, "s", "b");
    for (unsigned i = 0; i < N; i++)
        kvc_is(&w.c, b, kvc_name(text, i), "v");
    for (unsigned i = N; i < ROOM; i++)
        assert_int_equal(kvc_set(&w.c, b, kvc_name(text, i), K("v")), HF_KV_NONE);
    assert_int_equal(kvc_set(&w.c, b, K("no room"), K("v")), HF_KV_DISK);
    kvc_is(&w.c, b, K("no room"), NULL);
    sql(&w, "DROP TRIGGER no");
    assert_int_equal(kvc_set(&w.c, b, K("room"), K("v")), HF_KV_NONE);
    shut(&w);
    assert_int_equal(ask(&w, "SELECT count(*) FROM kv"), ROOM + 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM log"), 0);
    remove_dir(&w);
}

int main(void)
{
    /* Tens of thousands of commits, and no power cut: memory will do for a disk. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract_with_small_logs),
        cmocka_unit_test(beside_a_model_with_kills),
        cmocka_unit_test(killed_while_it_writes),
        cmocka_unit_test(logs_that_are_refused),
        cmocka_unit_test(an_older_file_is_taken_over),
        cmocka_unit_test(the_log_is_empty_after_opening_and_closing),
        cmocka_unit_test(what_the_tables_refuse_stays_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
