/* kv_checkpoint_test.c - the WAL's way into the durable store's file: beside the commits, bounded,
 * and with files that take nothing, or lose what they took.
 */
#include "tests/store/kv_world.h"

#include <pthread.h>
#include <sys/stat.h>

#include "tests/store/kv_faults.h"

enum { WAIT_S = 60, FRAME = 4096 + 24, KEYS = 300 };

static uint8_t value[4096];

static time_t seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static struct hf_kvs *store_of(struct world *w)
{
    return HF_CONTAINER_OF(w->first, struct hf_kvs_door, kv)->store;
}

/* The n-th set, of about three pages of the WAL. */
static enum hf_kv_refusal set(struct world *w, unsigned n)
{
    char text[16];
    memcpy(value, &n, sizeof n);
    return kvc_set(&w->c, kvc_bucket(&w->c, "s", "b"), kvc_name(text, n % KEYS),
                   hf_view(value, sizeof value));
}

/* The first n sets were acknowledged, and each key has what the last of them gave it; of a set
 * more nobody knows. */
static void check(struct world *w, unsigned n, bool one_more)
{
    struct hf_kv_bucket *b = kvc_bucket(&w->c, "s", "b");
    char text[16];
    for (unsigned k = 0; k < KEYS && k < n; k++) {
        struct hf_kv_op op = {.kind = HF_KV_GET, .bucket = b, .key = kvc_name(text, k)};
        unsigned got = 0, want = k + (n - 1 - k) / KEYS * KEYS;
        kvc_do(&w->c, &op);
        assert_int_equal(op.r.refusal, HF_KV_NONE);
        assert_int_equal(op.r.value.len, sizeof value);
        memcpy(&got, op.r.value.ptr, sizeof got);
        if (!(one_more && got == n && got % KEYS == k))
            assert_int_equal(got, want);
        hf_kv_end(w->c.kv, &op);
    }
}

static off_t wal_size(const struct world *w)
{
    struct stat st;
    char path[128];
    file_of(w, "holdfast.db-wal", path);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static void begin(struct world *w, struct kv_faults *t)
{
    kv_faults_begin(t);
    make_dir(w);
    reopen(w, (struct hf_kv_limits){0});
}

static void *open_gate(void *arg)
{
    struct timespec pause = {.tv_nsec = 20000000}; /* time for the close to wait, if it does */
    nanosleep(&pause, NULL);
    kv_faults_gate(arg, false);
    return NULL;
}

static void groups_go_on_while_pages_are_copied(void **state)
{
    struct kv_faults t = {0};
    struct world w = {0};
    pthread_t opener;
    unsigned n = 0;
    (void)state;
    begin(&w, &t);
    kv_faults_gate(&t, true);
    for (time_t until = seconds() + WAIT_S; t.held == 0 && seconds() < until; n++)
        assert_int_equal(set(&w, n), HF_KV_NONE);
    assert_int_equal(t.held, 1); /* the thread that copies */
    for (unsigned i = 0; i < 50; i++, n++)
        assert_int_equal(set(&w, n), HF_KV_NONE);
    assert_int_equal(t.held, 1);
    check(&w, n, false);
    assert_int_equal(pthread_create(&opener, NULL, open_gate, &t), 0);
    shut(&w); /* in the middle of it */
    assert_int_equal(pthread_join(opener, NULL), 0);
    assert_int_equal(wal_size(&w), 0);
    reopen(&w, (struct hf_kv_limits){0});
    check(&w, n, false);
    close_gone(&w);
    kv_faults_end(&t);
}

static void the_wal_is_bounded(void **state)
{
    enum { LAP = 200, LAPS = 4, MORE = 64 };
    struct world w = {0};
    unsigned n = 0;
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        struct kv_faults t = {0};
        begin(&w, &t);
        atomic_store(&store_of(&w)->checkpoint.lap, LAP);
        t.slow_ns = slow ? 300000 : 0; /* no faster than those who write, or slower */
        off_t most = 0;
        for (n = 0; n < 1500; n++) {
            assert_int_equal(set(&w, n), HF_KV_NONE);
            most = wal_size(&w) > most ? wal_size(&w) : most;
        }
        assert_true(most > LAP * FRAME && most < (LAP * LAPS + MORE) * FRAME);
        assert_true(t.syncs > 2);
        check(&w, n, false);
        shut(&w);
        reopen(&w, (struct hf_kv_limits){0});
        check(&w, n, false);
        close_gone(&w);
        kv_faults_end(&t);
    }
}

struct heard {
    const char *words;
    _Atomic unsigned n;
};

static void hear(void *ctx, const char *text)
{
    struct heard *h = ctx;
    h->n += strstr(text, h->words) != NULL;
}

/* Pages that were copied are gone, and SQLite thinks they are there: only the WAL has them. */
static void a_sync_that_fails_loses_nothing(void **state)
{
    struct heard heard = {"a sync of the file failed, so everything is refused", 0};
    struct kv_faults t = {0};
    struct world w = {.ear = {hear, &heard}};
    unsigned n = 0;
    enum hf_kv_refusal r = HF_KV_NONE;
    (void)state;
    begin(&w, &t);
    for (; n < KEYS; n++)
        assert_int_equal(set(&w, n), HF_KV_NONE);
    t.lose = true;
    t.sync_rc = SQLITE_IOERR_FSYNC;
    for (time_t until = seconds() + WAIT_S; r == HF_KV_NONE && seconds() < until;
         n += r == HF_KV_NONE)
        r = set(&w, n);
    assert_int_equal(r, HF_KV_DISK);
    assert_int_equal(heard.n, 1);
    t.sync_rc = SQLITE_OK; /* as after a write-back that failed: the next sync is well */
    assert_int_equal(set(&w, n), HF_KV_DISK);
    shut(&w);
    assert_true(wal_size(&w) > 500 * FRAME);
    t.lose = false;
    reopen(&w, (struct hf_kv_limits){0});
    check(&w, n, true);
    assert_int_equal(set(&w, n), HF_KV_NONE);
    shut(&w);
    reopen(&w, (struct hf_kv_limits){0});
    check(&w, n + 1, false);
    close_gone(&w);
    kv_faults_end(&t);
}

static void a_file_that_takes_no_page_is_tried_again(void **state)
{
    struct heard heard = {"full: the WAL grows until the file takes what it has", 0};
    struct kv_faults t = {.write_rc = SQLITE_OK};
    struct world w = {.ear = {hear, &heard}};
    unsigned n = 0;
    (void)state;
    begin(&w, &t);
    t.write_rc = SQLITE_FULL;
    for (time_t until = seconds() + WAIT_S; heard.n == 0 && seconds() < until; n++)
        assert_int_equal(set(&w, n), HF_KV_NONE);
    assert_true(heard.n > 0);
    unsigned before = t.writes;
    t.write_rc = SQLITE_OK;
    for (time_t until = seconds() + WAIT_S; t.writes == before && seconds() < until; n++)
        assert_int_equal(set(&w, n), HF_KV_NONE);
    assert_true(t.writes > before);
    check(&w, n, false);
    shut(&w);
    assert_int_equal(wal_size(&w), 0);
    reopen(&w, (struct hf_kv_limits){0});
    check(&w, n, false);
    close_gone(&w);
    kv_faults_end(&t);
}

int main(void)
{
    if (access("/dev/shm", W_OK) == 0) /* no power cut: memory will do for a disk */
        setenv("TMPDIR", "/dev/shm", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_go_on_while_pages_are_copied),
        cmocka_unit_test(the_wal_is_bounded),
        cmocka_unit_test(a_sync_that_fails_loses_nothing),
        cmocka_unit_test(a_file_that_takes_no_page_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
