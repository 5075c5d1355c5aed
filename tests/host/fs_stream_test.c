/* fs_stream_test.c - wasi:filesystem: streams over files, verbs that fail, full disks, sync off the
 * thread. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/fs_int.h"
#include "support_fs.h"

/* ---- reading ---- */

TEST(reading_a_stream)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ);
    CALL(s, "descriptor.read-via-stream", H(f), U(2));
    CALL(s2, "descriptor.read-via-stream", H(f), U(0));
    uint32_t in = got(s), in2 = got(s2);
    DROP(f); /* the streams go on */
    CALL(a, "input-stream.read", H(in), U(3));
    CHECK(is_text(&a->items[0], "nte"));
    CALL(b, "input-stream.blocking-read", H(in2), U(100)); /* one does not move the other */
    CHECK(is_text(&b->items[0], "content"));
    CALL(p, "input-stream.subscribe", H(in));
    CALL(ready, "pollable.ready", H((uint32_t)p->u64));
    CHECK_INT(ready->u64, 1);
    DROP_TRAPS("its child pollable is alive", in);
    CALL(sk, "input-stream.skip", H(in), U(1));
    CHECK_INT(sk->items[0].u64, 1);
    CALL(c, "input-stream.read", H(in), U(UINT64_MAX));
    CHECK(is_text(&c->items[0], "t"));
    CALL(d, "input-stream.read", H(in), U(1));
    CHECK(is_closed(d));
    CALL(e, "input-stream.blocking-skip", H(in2), U(1));
    CHECK(is_closed(e));
    DROP((uint32_t)p->u64);
    DROP(in);
}

TEST(offsets_past_the_end)
{
    static const uint64_t far[] = {7, 1000, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ | WRITE);
    for (size_t i = 0; i < HF_ARRAY_LEN(far); i++) {
        CALL(s, "descriptor.read-via-stream", H(f), U(far[i]));
        CALL(a, "input-stream.read", H(got(s)), U(10));
        CHECK(is_closed(a));
        DROP(got(s));
    }
    for (size_t i = 2; i < HF_ARRAY_LEN(far); i++) {
        CALL(s, "descriptor.write-via-stream", H(f), U(far[i]));
        CALL(a, "output-stream.blocking-write-and-flush", H(got(s)), T("xx"));
        CHECK(is_failed(a));
        CALL(c, "filesystem-error-code", H((uint32_t)a->items[0].items[0].u64));
        CHECK(c->tag == 1 && c->items[0].tag == E_FILE_TOO_LARGE);
        DROP((uint32_t)a->items[0].items[0].u64);
        CALL(b, "output-stream.check-write", H(got(s)));
        CHECK(is_closed(b));
        DROP(got(s));
    }
    CHECK(strcmp(folder_get(&here, "rw/file"), "content") == 0);
}

/* What is written meanwhile is seen: nothing is read ahead. */
TEST(reads_see_writes)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ | WRITE);
    CALL(s, "descriptor.read-via-stream", H(f), U(0));
    CALL(a, "input-stream.read", H(got(s)), U(1));
    CHECK(is_text(&a->items[0], "c"));
    WANT(DONE, "descriptor.write", H(f), T("ONTENT"), U(1));
    CALL(b, "input-stream.read", H(got(s)), U(3));
    CHECK(is_text(&b->items[0], "ONT"));
    CHECK(truncate(folder_path(&here, "rw/file"), 5) == 0); /* somebody else makes it shorter */
    CALL(c, "input-stream.read", H(got(s)), U(100));
    CHECK(is_text(&c->items[0], "E"));
    CALL(d, "descriptor.read-via-stream", H(f), U(0));
    CALL(e, "input-stream.read", H(got(d)), U(2));
    CHECK_INT(e->items[0].len, 2);
    CHECK(truncate(folder_path(&here, "rw/file"), 0) == 0);
    CALL(g, "input-stream.read", H(got(d)), U(100)); /* an end, no error */
    CHECK(is_closed(g));
}

TEST(a_long_file_in_pieces)
{
    static uint8_t bytes[200000];
    uint32_t rw = preopen(t, "/rw");
    size_t at = 0;
    CHECK(rw != 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    OPEN(f, rw, "big", CREATE, READ | WRITE);
    WANT(DONE, "descriptor.write", H(f), hf_value_bytes(hf_view(bytes, sizeof bytes)), U(0));
    CALL(s, "descriptor.read-via-stream", H(f), U(0));
    for (;;) {
        CALL(r, "input-stream.blocking-read", H(got(s)), U(1 << 30));
        if (is_closed(r))
            break;
        CHECK(r->tag == 0 && r->items[0].len > 0 && r->items[0].len <= 32768);
        CHECK(memcmp(r->items[0].bytes, bytes + at, r->items[0].len) == 0);
        at += r->items[0].len;
    }
    CHECK_INT(at, sizeof bytes);
}

/* ---- writing ---- */

TEST(writing_a_stream)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, WRITE);
    CALL(s, "descriptor.write-via-stream", H(f), U(3));
    CALL(a, "descriptor.append-via-stream", H(f));
    uint32_t out = got(s), app = got(a);
    DROP(f);
    CALL(room, "output-stream.check-write", H(out));
    CHECK_INT(room->items[0].u64, HF_FS_PIECE);
    DO("output-stream.write", H(out), T("XX"));
    DO("output-stream.write", H(out), T("Y"));
    DO("output-stream.blocking-write-and-flush", H(app), T("++"));
    CHECK(strcmp(folder_get(&here, "rw/file"), "conXXYt++") == 0);
    TRAPS("more than check-write permitted", "output-stream.write-zeroes", H(out), U(HF_FS_PIECE));
    CALL(z, "output-stream.blocking-write-zeroes-and-flush", H(out), U(1));
    CHECK(z->tag == 0);
    CALL(p, "output-stream.subscribe", H(out));
    DO("pollable.block", H((uint32_t)p->u64));
    DO("output-stream.blocking-flush", H(out));
    CHECK(memcmp(folder_get(&here, "rw/file"), "conXXY\0++", 9) == 0);
    DROP((uint32_t)p->u64);
    DROP(out);
    DROP(app);
}

TEST(splicing_files)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ);
    OPEN(g, rw, "copy", CREATE, WRITE);
    CALL(s, "descriptor.read-via-stream", H(f), U(0));
    CALL(o, "descriptor.write-via-stream", H(g), U(0));
    CALL(a, "output-stream.splice", H(got(o)), H(got(s)), U(4));
    CHECK_INT(a->items[0].u64, 4);
    CALL(b, "output-stream.blocking-splice", H(got(o)), H(got(s)), U(UINT64_MAX));
    CHECK_INT(b->items[0].u64, 3);
    CALL(c, "output-stream.splice", H(got(o)), H(got(s)), U(1));
    CHECK(is_closed(c));
    CHECK(strcmp(folder_get(&here, "rw/copy"), "content") == 0);
}

/* ---- verbs that fail ---- */

static int fail_number; /* of the next data verb */
static size_t fail_put;

static int failing_write(const struct hf_fs *fs, int fd, const void *buf, size_t len, uint64_t at,
                         size_t *put)
{
    if (fail_number == 0)
        return hf_fs_linux()->write_at(fs, fd, buf, len, at, put);
    *put = 0;
    if (fail_put > 0)
        (void)!hf_fs_linux()->write_at(fs, fd, buf, fail_put, at, put);
    return fail_number;
}
static int failing_append(const struct hf_fs *fs, int fd, const void *buf, size_t len, size_t *put)
{
    *put = 0;
    return fail_number != 0 ? fail_number : hf_fs_linux()->append(fs, fd, buf, len, put);
}
static int failing_read(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at,
                        size_t *n)
{
    return fail_number != 0 ? fail_number : hf_fs_linux()->read_at(fs, fd, buf, len, at, n);
}
static int failing_list(const struct hf_fs *fs, struct hf_fs_list *list, struct hf_view *name,
                        enum hf_fs_type *type)
{
    return fail_number != 0 ? fail_number : hf_fs_linux()->list_next(fs, list, name, type);
}
static int failing_open(const struct hf_fs *fs, int dir, const char *path, uint32_t flags, int *ret,
                        enum hf_fs_type *type)
{
    return fail_number != 0 ? fail_number : hf_fs_linux()->open(fs, dir, path, flags, ret, type);
}

static void failures_of_the_system_script(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw");
    static const struct {
        int number, code;
    } all[] = {{ENOSPC, E_NO_SPACE}, {EFBIG, E_FILE_TOO_LARGE}, {EDQUOT, E_QUOTA}, {EIO, E_IO}};
    fail_number = 0;
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ | WRITE);
    for (size_t i = 0; i < HF_ARRAY_LEN(all); i++) {
        CALL(w, "descriptor.write-via-stream", H(f), U(0));
        CALL(a, "descriptor.append-via-stream", H(f));
        CALL(r, "descriptor.read-via-stream", H(f), U(0));
        const uint32_t streams[] = {got(w), got(a), got(r)};
        fail_number = all[i].number;
        fail_put = 2;
        for (size_t k = 0; k < 3; k++) {
            CALL(x,
                 k == 2 ? "input-stream.blocking-read" : "output-stream.blocking-write-and-flush",
                 H(streams[k]), k == 2 ? U(5) : T("abcde"));
            CHECK(is_failed(x));
            uint32_t error = (uint32_t)x->items[0].items[0].u64;
            CALL(c, "filesystem-error-code", H(error));
            CHECK(c->tag == 1);
            CHECK_INT(c->items[0].tag, all[i].code);
            CALL(text, "error.to-debug-string", H(error));
            CHECK(is_text(text, strerror(all[i].number)));
            DROP(error);
        }
        CALL(again, "output-stream.check-write", H(streams[0])); /* for ever after */
        CHECK(is_closed(again));
        CALL(p, "descriptor.write", H(f), T("abcde"),
             U(0)); /* a part went: that is said, and the rest fails next */
        CHECK(code(p) == DONE && p->items[0].u64 == 2);
        fail_put = 0;
        WANT(all[i].code, "descriptor.write", H(f), T("abcde"), U(0));
        WANT(all[i].code, "descriptor.read", H(f), U(1), U(0));
        OPEN_FAILS(all[i].code, rw, "file", 0, READ);
        CALL(d, "descriptor.read-directory", H(rw));
        WANT(all[i].code, "directory-entry-stream.read-directory-entry", H(got(d)));
        fail_number = 0;
        CALL(e, "directory-entry-stream.read-directory-entry", H(got(d)));
        CHECK(code(e) == DONE && e->items[0].tag == 1);
    }
}

static void failures_of_the_system(void **state)
{
    struct hf_fs fs = *hf_fs_linux();
    fs.write_at = failing_write;
    fs.append = failing_append;
    fs.read_at = fs.read_now = failing_read;
    fs.list_next = failing_list;
    fs.open = failing_open;
    run_fs(state, failures_of_the_system_script, &(struct world_settings){.fs = &fs});
}

/* Errors of other streams are none of ours. */
static void errors_of_others(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "content-length: 1\n", true, &r));
    CALL(a, "output-stream.blocking-write-and-flush", H(r.stream), T("too long"));
    CHECK(is_failed(a));
    CALL(c, "filesystem-error-code", H((uint32_t)a->items[0].items[0].u64));
    CHECK_INT(c->tag, 0);
}
static void an_error_that_is_no_files(void **state)
{
    run_script(state, errors_of_others);
}

/* A real disk that is full: a small tmpfs, in a child with mounts of its own. */
static void a_full_disk(void **state)
{
    char dir[] = "/tmp/hf-full-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(dir));
    pid_t pid = fork();
    if (pid == 0) {
        const struct hf_fs *fs = hf_fs_linux();
        static uint8_t bytes[1 << 20];
        enum hf_fs_type type;
        size_t put;
        int root, fd;
        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", dir, "tmpfs", 0, "size=64k") != 0)
            _exit(200);
        if (fs->root(fs, dir, &root) != 0 ||
            fs->open(fs, root, "f", HF_FS_WRITE | HF_FS_CREATE, &fd, &type) != 0)
            _exit(1);
        if (fs->write_at(fs, fd, bytes, sizeof bytes, 0, &put) != ENOSPC || put == 0 || put > 65536)
            _exit(2);
        _exit(fs->append(fs, fd, bytes, 1, &put) == ENOSPC && put == 0 ? 0 : 3);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rmdir(dir), 0);
    if (WEXITSTATUS(status) == 200)
        skip(); /* no mounts for us here */
    assert_int_equal(status, 0);
}

/* ---- sync ---- */

static sem_t sync_begun, sync_go;
static int sync_answer;

static int slow_sync(const struct hf_fs *fs, int fd, bool data_only)
{
    (void)fs, (void)fd, (void)data_only;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 30; /* on the thread of the test nobody would say go */
    sem_post(&sync_begun);
    return sem_timedwait(&sync_go, &end) == 0 ? sync_answer : ETIMEDOUT;
}

static void syncs_script(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, WRITE);
    CALL(r, "descriptor.sync", H(f));
    CHECK_INT(code(r), sync_answer == 0 ? DONE : E_IO);
    t->w->note++;
    answer(t, "synced");
}

static void answers_at_once(struct guest *t)
{
    answer(t, "quick");
}

/* The disk takes its time; the thread serves others meanwhile. */
static void sync_leaves_the_thread(void **state)
{
    struct hf_fs fs = *hf_fs_linux();
    struct world w;
    fs.sync = slow_sync;
    sem_init(&sync_begun, 0, 0);
    sem_init(&sync_go, 0, 0);
    folder_make(&here);
    world_open_with(&w, state, &(struct world_settings){.fs = &fs, .dirs = here.dirs, .max = 2});
    for (int i = 0; i < 2; i++) {
        sync_answer = i == 0 ? 0 : EIO;
        size_t slow = post(&w, syncs_script);
        world_run(&w);
        sem_wait(&sync_begun);
        size_t quick = post(&w, answers_at_once);
        world_run(&w);
        assert_string_equal(take_all(&w, quick), "quick");
        assert_int_equal(w.requests[slow].answers, 0);
        sem_post(&sync_go);
        world_until(&w, slow);
        assert_string_equal(take_all(&w, slow), "synced");
    }
    assert_int_equal(w.note, 2);
    world_close(&w);
    folder_end(&here);
}

/* The client leaves while the disk works: the guest ends at once, the job comes home to nobody and
 * closes its handle. */
static void sync_that_is_left_behind(void **state)
{
    struct hf_fs fs = *hf_fs_linux();
    struct world w;
    fs.sync = slow_sync;
    sync_answer = 0;
    sem_init(&sync_begun, 0, 0);
    sem_init(&sync_go, 0, 0);
    folder_make(&here);
    world_open_with(&w, state, &(struct world_settings){.fs = &fs, .dirs = here.dirs, .max = 4});
    for (int i = 0; i < 4; i++) /* two run, two wait their turn */
        post(&w, syncs_script);
    world_run(&w);
    sem_wait(&sync_begun);
    sem_wait(&sync_begun);
    for (size_t i = 0; i < 4; i++)
        leave(&w, i);
    assert_int_equal(w.note, 0);
    for (int i = 0; i < 4; i++)
        sem_post(&sync_go);
    world_close(&w);
    folder_end(&here); /* counts the handles */
}

/* ---- bytes that are on a disk ---- */

static pthread_t home; /* the thread that may not wait */
static _Atomic int fetches;

static int nothing_in_memory(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at,
                             size_t *n)
{
    (void)fs, (void)fd, (void)buf, (void)len, (void)at;
    *n = 0;
    return EAGAIN;
}
static int slow_read(const struct hf_fs *fs, int fd, void *buf, size_t len, uint64_t at, size_t *n)
{
    struct timespec end;
    if (!pthread_equal(pthread_self(), home)) {
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += 30;
        fetches++;
        sem_post(&sync_begun);
        (void)!sem_timedwait(&sync_go, &end);
    }
    return hf_fs_linux()->read_at(fs, fd, buf, len, at, n);
}

static void reads_from_a_disk(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ);
    CALL(r, "descriptor.read", H(f), U(4), U(3)); /* waits */
    CHECK(is_text(&r->items[0].items[0], "tent"));
    CALL(s, "descriptor.read-via-stream", H(f), U(0));
    CALL(b, "input-stream.blocking-read", H(got(s)), U(3)); /* waits */
    CHECK(is_text(&b->items[0], "con"));
    CALL(p, "input-stream.subscribe", H(got(s)));
    uint32_t ready = (uint32_t)p->u64;
    CALL(yes, "pollable.ready", H(ready)); /* as far as is known */
    CHECK_INT(yes->u64, 1);
    CALL(a, "input-stream.read", H(got(s)), U(2)); /* does not wait: nothing yet */
    CHECK(a->tag == 0 && a->items[0].len == 0);
    CALL(no, "pollable.ready", H(ready));
    CHECK_INT(no->u64, 0);
    CALL(still, "input-stream.read", H(got(s)), U(2));
    CHECK(still->tag == 0 && still->items[0].len == 0);
    DO("pollable.block", H(ready));
    CALL(c, "input-stream.read", H(got(s)), U(100)); /* what was fetched, and no more */
    CHECK(is_text(&c->items[0], "te"));
    answer(t, "read");
}

/* The disk takes its time; the thread serves others meanwhile. */
static void a_cold_read_leaves_the_thread(void **state)
{
    struct hf_fs fs = *hf_fs_linux();
    struct world w;
    fs.read_now = nothing_in_memory;
    fs.read_at = slow_read;
    home = pthread_self();
    fetches = 0;
    sem_init(&sync_begun, 0, 0);
    sem_init(&sync_go, 0, 0);
    folder_make(&here);
    world_open_with(&w, state, &(struct world_settings){.fs = &fs, .dirs = here.dirs, .max = 2});
    size_t slow = post(&w, reads_from_a_disk);
    for (int i = 0; i < 3; i++) {
        world_run(&w);
        sem_wait(&sync_begun);
        size_t quick = post(&w, answers_at_once);
        world_run(&w);
        assert_string_equal(take_all(&w, quick), "quick");
        assert_int_equal(w.requests[slow].answers, 0);
        assert_int_equal(fetches, i + 1);
        sem_post(&sync_go);
        while (i < 2 && fetches == i + 1) /* it comes home, and the guest asks for the next */
            world_run(&w);
    }
    world_until(&w, slow);
    assert_string_equal(take_all(&w, slow), "read");
    assert_int_equal(fetches, 3);
    world_close(&w);
    folder_end(&here);
}

static void leaves_a_fetch(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ);
    for (int i = 0; i < 5; i++) {
        CALL(s, "descriptor.read-via-stream", H(f), U(0));
        CALL(a, "input-stream.read", H(got(s)), U(2));
        CHECK(a->tag == 0 && a->items[0].len == 0);
        DROP(got(s));
    }
    CALL(s, "descriptor.read-via-stream", H(f), U(0));
    DO("input-stream.read", H(got(s)), U(2));
    answer(t, "left"); /* one more goes with the instance */
}

static void a_fetch_that_is_left_behind(void **state)
{
    struct hf_fs fs = *hf_fs_linux();
    struct world w;
    fs.read_now = nothing_in_memory;
    fs.read_at = slow_read;
    home = pthread_self();
    sem_init(&sync_begun, 0, 0);
    sem_init(&sync_go, 0, 0);
    folder_make(&here);
    world_open_with(&w, state, &(struct world_settings){.fs = &fs, .dirs = here.dirs});
    size_t i = post(&w, leaves_a_fetch);
    world_run(&w);
    assert_string_equal(take_all(&w, i), "left");
    for (int n = 0; n < 6; n++)
        sem_post(&sync_go);
    world_close(&w);
    folder_end(&here); /* counts the handles */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_a_stream),
        cmocka_unit_test(offsets_past_the_end),
        cmocka_unit_test(reads_see_writes),
        cmocka_unit_test(a_long_file_in_pieces),
        cmocka_unit_test(writing_a_stream),
        cmocka_unit_test(splicing_files),
        cmocka_unit_test(failures_of_the_system),
        cmocka_unit_test(an_error_that_is_no_files),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(sync_leaves_the_thread),
        cmocka_unit_test(sync_that_is_left_behind),
        cmocka_unit_test(a_cold_read_leaves_the_thread),
        cmocka_unit_test(a_fetch_that_is_left_behind),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
