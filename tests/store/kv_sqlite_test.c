/* kv_sqlite_test.c - the durable key-value store: the contract, what a reopened one has, files that
 * are refused, several threads, a full disk.
 */
#include "tests/store/kv_world.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- the contract ---- */

static void contract(void **state)
{
    (void)state;
    struct world w;
    open_new(&w, (struct hf_kv_limits){0});
    kvc_all(&w.c, 1);
    close_gone(&w);
}

static void contract_of_limits(void **state)
{
    struct world w;
    (void)state;
    open_new(&w, KVC_SMALL);
    kvc_limits(&w.c);
    close_gone(&w);
}

static void never(struct hf_kv_op *op)
{
    (void)op;
    fail_msg("an operation that was ended is done");
}

static void ended_before_it_is_done(void **state)
{
    struct world w;
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
    struct hf_kv_op set = {.kind = HF_KV_SET,
                           .bucket = b,
                           .key = K("k"),
                           .value = K("v"),
                           .done = never},
                    get = {.kind = HF_KV_GET, .bucket = b, .key = K("k"), .done = never};
    assert_int_equal(hf_kv_begin(w.c.kv, &set), HF_AGAIN);
    assert_int_equal(hf_kv_begin(w.c.kv, &get), HF_AGAIN);
    hf_kv_end(w.c.kv, &set);
    hf_kv_end(w.c.kv, &set); /* twice is fine */
    hf_kv_end(w.c.kv, &get);
    shut(&w); /* with both under way */
    reopen(&w, (struct hf_kv_limits){0});
    b = kvc_bucket(&w.c, "s", "b");
    kvc_is(&w.c, b, K("k"), "v"); /* it was begun: it happened */
    close_gone(&w);
}

/* ---- what stays ---- */

static void reopened_it_is_all_there(void **state)
{
    enum { N = 2000 };
    struct world w;
    char text[16];
    uint64_t n, cursor = 0;
    unsigned *seen = calloc(N, sizeof *seen);
    (void)state;
    open_new(&w, (struct hf_kv_limits){.keys_max = N + 1});
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b"), *other = kvc_bucket(&w.c, "s", "other");
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(kvc_set(&w.c, b, kvc_name(text, i), K("v")), HF_KV_NONE);
    assert_int_equal(kvc_set(&w.c, b, kvc_name(text, 7), K("")), HF_KV_NONE);
    assert_int_equal(kvc_increment(&w.c, other, K(""), 41, false, &n), HF_KV_NONE);
    uint64_t version = kvc_is(&w.c, b, kvc_name(text, 8), "v");
    uint64_t gone = kvc_is(&w.c, b, kvc_name(text, 9), "v");
    assert_true(kvc_delete(&w.c, b, kvc_name(text, 9)));
    cursor = kvc_page(&w.c, b, 0, 500, seen, N);
    shut(&w);

    reopen(&w, (struct hf_kv_limits){.keys_max = N});
    b = kvc_bucket(&w.c, "s", "b");
    other = kvc_bucket(&w.c, "s", "other");
    kvc_is(&w.c, b, kvc_name(text, 7), "");
    assert_int_equal(kvc_is(&w.c, b, kvc_name(text, 8), "v"), version);
    kvc_is(&w.c, b, kvc_name(text, 9), NULL);
    while (cursor != 0) /* a list goes on where it was */
        cursor = kvc_page(&w.c, b, cursor, 500, seen, N);
    for (unsigned i = 0; i < N; i++)
        assert_true(seen[i] == 1 || (i == 9 && seen[i] == 0));
    assert_int_equal(kvc_increment(&w.c, other, K(""), 1, false, &n), HF_KV_NONE);
    assert_int_equal(n, 42);
    assert_int_equal(kvc_set(&w.c, b, kvc_name(text, 9), K("v")), HF_KV_NONE);
    assert_true(kvc_is(&w.c, b, kvc_name(text, 9), "v") > gone); /* no version comes twice */
    assert_int_equal(kvc_set(&w.c, b, K("one more"), K("")),
                     HF_KV_KEYS_FULL); /* the count stayed */
    close_gone(&w);
    free(seen);
}

static void only_its_user_may_read_it(void **state)
{
    static const char *const names[] = {"holdfast.db", "holdfast.db-wal", "holdfast.db-shm",
                                        "holdfast.lock"};
    struct world w;
    struct stat st;
    char path[128];
    mode_t was = umask(0);
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    kvc_set(&w.c, kvc_bucket(&w.c, "s", "b"), K("k"), K("v"));
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        file_of(&w, names[i], path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    umask(was);
    close_gone(&w);
}

/* ---- what is refused ---- */

static void refused(struct world *w, enum hf_err want, const char *words)
{
    struct hf_report report;
    enum hf_err err = try_open(w, (struct hf_kv_limits){0}, &report);
    if (err != want || strstr(report.text, words) == NULL)
        fail_msg("%s: %s", hf_err_text(err), report.text);
}

static void one_process_at_a_time(void **state)
{
    struct world w;
    char words[64];
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    snprintf(words, sizeof words, "in use by another process (%ld)", (long)getpid());
    struct world second = w;
    refused(&second, HF_IO, words);
    kvc_set(&w.c, kvc_bucket(&w.c, "s", "b"), K("k"), K("v")); /* the first goes on */
    shut(&w);
    reopen(&w, (struct hf_kv_limits){0});
    kvc_is(&w.c, kvc_bucket(&w.c, "s", "b"), K("k"), "v");
    close_gone(&w);
}

static void overwrite(const struct world *w, off_t at, size_t len)
{
    char path[128];
    uint8_t junk[4096];
    memset(junk, 0xa5, sizeof junk);
    file_of(w, "holdfast.db", path);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, junk, len, at) == (ssize_t)len);
    close(fd);
}

static void files_that_are_refused(void **state)
{
    struct world w;
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    kvc_set(&w.c, kvc_bucket(&w.c, "s", "b"), K("k"), K("v"));
    shut(&w);
    sql(&w, "PRAGMA user_version = 3");
    refused(&w, HF_UNSUPPORTED, "newer Holdfast: its format is 3, this one knows 2");
    sql(&w, "PRAGMA user_version = 2; UPDATE meta SET value = 'x' WHERE name = 'version'");
    reopen(&w,
           (struct hf_kv_limits){0}); /* "x" is 0: refused below, with a number that cannot be */
    shut(&w);
    sql(&w, "UPDATE meta SET value = -1 WHERE name = 'version'");
    refused(&w, HF_CORRUPT, "its version cannot be");
    sql(&w, "DELETE FROM meta WHERE name = 'version'");
    refused(&w, HF_CORRUPT, "its version cannot be");
    sql(&w, "INSERT INTO meta VALUES('version', 9); UPDATE bucket SET keys = -1");
    refused(&w, HF_CORRUPT, "a bucket's row cannot be");
    sql(&w, "UPDATE bucket SET keys = 1; DROP TABLE kv");
    refused(&w, HF_IO, "no such table: kv");
    sql(&w, "PRAGMA application_id = 0");
    refused(&w, HF_CORRUPT, "not one of Holdfast's");
    overwrite(&w, 0, 100);
    refused(&w, HF_CORRUPT, "holdfast.db is damaged, or no file of ours");
    remove_dir(&w);
    snprintf(w.dir, sizeof w.dir, "/proc/none/such");
    refused(&w, HF_IO, "/proc/none/such");
}

/* A flipped bit that SQLite does not see is seen by the row's sum; the guest gets an error. */
static void a_value_that_changed_on_disk_is_no_value(void **state)
{
    struct world w;
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
    kvc_set(&w.c, b, K("k"), K("value"));
    kvc_set(&w.c, b, K("other"), K("fine"));
    shut(&w);
    sql(&w, "UPDATE kv SET value = CAST('valuf' AS BLOB) WHERE value = CAST('value' AS BLOB)");
    reopen(&w, (struct hf_kv_limits){0});
    b = kvc_bucket(&w.c, "s", "b");
    struct hf_kv_op get = {.kind = HF_KV_GET, .bucket = b, .key = K("k")};
    assert_int_equal(kvc_do(&w.c, &get)->refusal, HF_KV_DISK);
    assert_true(!get.r.found && get.r.value.len == 0);
    hf_kv_end(w.c.kv, &get);
    kvc_is(&w.c, b, K("other"), "fine");
    close_gone(&w);
}

/* ---- a full disk ---- */

static void a_full_disk(void **state)
{
    static uint8_t bytes[64 * 1024];
    struct world w = {0};
    char text[16];
    unsigned n = 0, there = 0;
    enum hf_kv_refusal r = HF_KV_NONE;
    (void)state;
    make_dir(&w);
    if (mount("none", w.dir, "tmpfs", 0, "size=4m") != 0) {
        rmdir(w.dir);
        print_message("a_full_disk: not root, so no small disk can be mounted: skipped\n");
        skip();
    }
    reopen(&w, (struct hf_kv_limits){0});
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
    for (; n < 1000 && r == HF_KV_NONE; n += r == HF_KV_NONE)
        r = kvc_set(&w.c, b, kvc_name(text, n), hf_view(bytes, sizeof bytes));
    assert_true(n > 10 && n < 100);
    assert_int_equal(r, HF_KV_DISK);
    assert_false(kvc_has(&w.c, b, kvc_name(text, n)));
    for (unsigned i = 0; i < n; i++) /* what was there can be read, in company of what is refused */
        there += kvc_has(&w.c, b, kvc_name(text, i));
    assert_int_equal(there, n);
    struct hf_kv_bucket *late = kvc_bucket(&w.c, "s", "late"); /* its first key does not fit */
    assert_int_equal(kvc_set(&w.c, late, K("k"), hf_view(bytes, sizeof bytes)), HF_KV_DISK);
    kvc_is(&w.c, late, K("k"), NULL);
    assert_int_equal(mount("none", w.dir, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    assert_int_equal(kvc_set(&w.c, late, K("k"), K("v")),
                     HF_KV_NONE); /* it goes on when there is room */
    shut(&w);
    assert_int_equal(mount("none", w.dir, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    reopen(&w, (struct hf_kv_limits){0});
    b = kvc_bucket(&w.c, "s", "b");
    kvc_is(&w.c, kvc_bucket(&w.c, "s", "late"), K("k"), "v");
    for (unsigned i = 0; i < n; i++)
        assert_true(kvc_has(&w.c, b, kvc_name(text, i)));
    assert_false(kvc_has(&w.c, b, kvc_name(text, n)));
    assert_int_equal(kvc_set(&w.c, b, kvc_name(text, n), hf_view(bytes, sizeof bytes)), HF_KV_NONE);
    shut(&w);
    assert_int_equal(umount(w.dir), 0);
    assert_int_equal(rmdir(w.dir), 0);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 300 };
struct worker {
    struct hf_kv *first;
    pthread_t thread;
};

static void *count(void *arg)
{
    struct worker *t = arg;
    struct kv_case c = {.step = step};
    struct hf_wake *wake;
    HF_ASSERT(hf_wake_new(&wake, NULL) == HF_OK);
    HF_ASSERT(hf_kv_sqlite_door(t->first, wake, &c.kv) == HF_OK);
    c.ctx = wake;
    struct hf_kv_bucket *b = kvc_bucket(&c, "s", "b");
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t n;
        HF_ASSERT(kvc_increment(&c, b, K("n"), 1, true, &n) == HF_KV_NONE);
        for (bool won = false; !won;) { /* the same by look and swap */
            struct hf_kv_op get = {.kind = HF_KV_GET, .bucket = b, .key = K("swapped")};
            char text[HF_KV_NUMBER_MAX];
            size_t len;
            kvc_do(&c, &get);
            HF_ASSERT(hf_kv_add(get.r.value, get.r.found, 1, false, text, &len, &n) == HF_KV_NONE);
            struct hf_kv_op swap = {.kind = HF_KV_SWAP,
                                    .bucket = b,
                                    .key = K("swapped"),
                                    .value = hf_view(text, len),
                                    .version = get.r.version};
            won = kvc_do(&c, &swap)->found;
            hf_kv_end(c.kv, &swap);
            hf_kv_end(c.kv, &get);
        }
    }
    hf_kv_close(c.kv);
    hf_wake_deliver_all(wake);
    hf_wake_free(wake);
    return NULL;
}

static void threads_count_exactly(void **state)
{
    struct world w;
    struct worker threads[THREADS];
    (void)state;
    open_new(&w, (struct hf_kv_limits){0});
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i].first = w.first;
        assert_int_equal(pthread_create(&threads[i].thread, NULL, count, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i].thread, NULL);
    struct hf_kv_bucket *b = kvc_bucket(&w.c, "s", "b");
    kvc_is(&w.c, b, K("n"), "1200");
    kvc_is(&w.c, b, K("swapped"), "1200");
    close_gone(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract),
        cmocka_unit_test(contract_of_limits),
        cmocka_unit_test(ended_before_it_is_done),
        cmocka_unit_test(reopened_it_is_all_there),
        cmocka_unit_test(only_its_user_may_read_it),
        cmocka_unit_test(one_process_at_a_time),
        cmocka_unit_test(files_that_are_refused),
        cmocka_unit_test(a_value_that_changed_on_disk_is_no_value),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(threads_count_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
