/* log_test.c - lines reach their reader whole and in order, a reader that does not read stops
 * nobody, and a guest that prints without end has its share and no more. Counts, no times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/log.h"
#include "node/log_pipe.h"
#include "node/log_rate.h"
#include "os/fake.h"

#define S 1000000000ull

/* ---- how many ---- */

static unsigned takes(struct hf_log_rate *r, uint64_t now, unsigned times, size_t len)
{
    unsigned n = 0;
    for (unsigned i = 0; i < times; i++)
        n += hf_log_rate_take(r, now, len);
    return n;
}

static void a_rate_is_kept_to_the_line(void **state)
{
    struct hf_log_rate r;
    (void)state;
    hf_log_rate_init(&r, 0, 0);
    assert_int_equal(takes(&r, 100 * S, 5000, 10), 2000); /* two seconds' worth at once */
    assert_int_equal(atomic_load(&r.lines), 3000);
    assert_int_equal(atomic_load(&r.bytes), 30000);
    assert_int_equal(takes(&r, 101 * S, 5000, 10), 1000);
    assert_int_equal(takes(&r, 101 * S + S / 2, 5000, 10), 500);
    assert_int_equal(takes(&r, 1000 * S, 5000, 10), 2000); /* no more is saved than that */
}

static void bytes_are_kept_too(void **state)
{
    struct hf_log_rate r;
    (void)state;
    hf_log_rate_init(&r, UINT64_MAX, 1000);
    assert_int_equal(takes(&r, 10 * S, 50, 100), 20);
    assert_int_equal(takes(&r, 11 * S, 50, 100), 10);
    hf_log_rate_init(&r, UINT64_MAX, 10);
    assert_int_equal(takes(&r, 10 * S, 3, 1000), 1); /* one that is longer than the bucket */
    assert_int_equal(takes(&r, 108 * S, 3, 1), 0);  /* is paid for: more than two of its 100 s are left */
    assert_int_equal(takes(&r, 109 * S, 3, 1), 3);
    hf_log_rate_init(&r, UINT64_MAX, UINT64_MAX);
    assert_int_equal(takes(&r, 10 * S, 100000, 1000), 100000);
}

/* ---- to a reader ---- */

struct reader {
    int fds[2];
    pthread_t thread;
    struct hf_buf got;
};

static void *read_all(void *ctx)
{
    struct reader *r = ctx;
    char room[65536];
    for (ssize_t n; (n = read(r->fds[0], room, sizeof room)) > 0;)
        assert_int_equal(hf_buf_add(&r->got, room, (size_t)n), HF_OK);
    return NULL;
}

static void reader_open(struct reader *r)
{
    *r = (struct reader){.fds = {-1, -1}};
    assert_int_equal(pipe2(r->fds, O_CLOEXEC), 0);
}

static void reader_go(struct reader *r)
{
    assert_int_equal(pthread_create(&r->thread, NULL, read_all, r), 0);
}

/* After what writes is closed; reader_go was called. */
static void reader_end(struct reader *r)
{
    close(r->fds[1]);
    pthread_join(r->thread, NULL);
    close(r->fds[0]);
}

static unsigned count(const struct hf_buf *b, const char *what)
{
    unsigned n = 0;
    for (const char *at = b->ptr == NULL ? "" : (const char *)b->ptr; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static struct hf_log *log_open(struct hf_os *os, int fd, bool json, size_t max)
{
    struct hf_log *log;
    struct hf_log_settings s = {.os = os, .fd = fd, .json = json, .pending_max = max};
    assert_int_equal(hf_log_new(&s, &log), HF_OK);
    return log;
}

#define THREADS 4
#define LINES   5000

static void *say_many(void *log)
{
    for (unsigned i = 0; i < LINES; i++)
        hf_log_say(log, "t", "%p %u .", (void *)&i, i);
    return NULL;
}

static void lines_of_many_threads_come_whole_and_in_order(void **state)
{
    struct reader r;
    pthread_t threads[THREADS];
    (void)state;
    reader_open(&r);
    reader_go(&r);
    struct hf_log *log = log_open(hf_os_linux(), r.fds[1], false, 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, say_many, log), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    hf_log_free(log); /* writes what is left */
    reader_end(&r);
    void *who[THREADS] = {NULL};
    unsigned next[THREADS] = {0}, total = 0;
    for (struct hf_view rest = hf_buf_view(&r.got); rest.len > 0; total++) {
        size_t n = hf_view_find(rest, '\n');
        char line[128], *at = line + 32;
        void *p;
        unsigned i, t = 0;
        assert_true(n < rest.len && n < sizeof line);
        snprintf(line, sizeof line, "%.*s", (int)n, (const char *)rest.ptr);
        assert_int_equal(sscanf(at, "%p %u .", &p, &i), 2);
        while (who[t] != NULL && who[t] != p)
            t++;
        assert_true(t < THREADS);
        who[t] = p;
        assert_int_equal(i, next[t]++);
        rest = hf_view_skip(rest, n + 1);
    }
    assert_int_equal(total, THREADS * LINES);
    hf_buf_done(&r.got);
}

/* Each line is there, or is counted in what is said of those that are not. */
static void a_reader_that_does_not_read_stops_nobody(void **state)
{
    struct reader r;
    unsigned long long lost = 0;
    const unsigned all = 20000;
    (void)state;
    reader_open(&r);
    struct hf_log *log = log_open(hf_os_linux(), r.fds[1], false, 100000);
    for (unsigned i = 0; i < all; i++) /* far more than fits: nothing here waits for the reader */
        hf_log_say(log, "event", "line %u .", i);
    reader_go(&r);
    hf_log_free(log);
    reader_end(&r);
    for (const char *at = (const char *)r.got.ptr; (at = strstr(at, "lines of this log dropped")) != NULL; at++) {
        const char *number = at - 1;
        while (number[-1] >= '0' && number[-1] <= '9')
            number--;
        lost += strtoull(number, NULL, 10);
    }
    assert_true(lost > 0);
    assert_int_equal(count(&r.got, ": it is read too slowly") > 0, 1);
    assert_int_equal(count(&r.got, " .\n") + lost, all);
    for (const char *at = (const char *)r.got.ptr; *at != '\0'; at = strchr(at, '\n') + 1) { /* no part of one */
        char stamp[64], dot = '\0';
        assert_non_null(strchr(at, '\n'));
        if (sscanf(at, "%63s event line %*u %c", stamp, &dot) == 2)
            assert_true(dot == '.' && strlen(stamp) == 24);
        else
            assert_non_null(strstr(at, "dropped"));
    }
    hf_buf_done(&r.got);
}

static void the_end_comes_though_nobody_reads(void **state)
{
    struct reader r;
    struct hf_log_pipe *p;
    char line[1000];
    (void)state;
    memset(line, '\n', sizeof line);
    reader_open(&r);
    struct hf_log_pipe_settings s = {.fd = r.fds[1], .stuck_ns = S / 20};
    assert_int_equal(hf_log_pipe_new(&s, &p), HF_OK);
    for (unsigned i = 0; i < 200; i++) /* a pipe takes 64 KiB */
        hf_log_pipe_put(p, hf_view(line, sizeof line));
    assert_false(hf_log_pipe_flush(p));
    hf_log_pipe_free(p);
    close(r.fds[0]);
    close(r.fds[1]);
}

/* No signal, no endless try. */
static void a_reader_that_left_is_no_end(void **state)
{
    struct reader r;
    (void)state;
    reader_open(&r);
    close(r.fds[0]);
    struct hf_log *log = log_open(hf_os_linux(), r.fds[1], false, 0);
    for (unsigned i = 0; i < 100; i++)
        hf_log_say(log, "event", "line %u", i);
    hf_log_flush(log);
    hf_log_say(log, "event", "more");
    hf_log_free(log);
    close(r.fds[1]);
}

static void a_fork_writes_nothing_twice(void **state)
{
    struct reader r;
    int status;
    (void)state;
    reader_open(&r);
    struct hf_log *log = log_open(hf_os_linux(), r.fds[1], false, 0);
    hf_log_say(log, "event", "before .");
    hf_log_flush(log);
    hf_log_say(log, "event", "pending .");
    pid_t child = fork();
    if (child == 0) {
        hf_log_free(log); /* does not wait for a thread that is not here */
        _exit(7);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    reader_go(&r);
    hf_log_free(log);
    reader_end(&r);
    assert_int_equal(count(&r.got, "before ."), 1);
    assert_int_equal(count(&r.got, "pending ."), 1);
    hf_buf_done(&r.got);
}

/* ---- guests ---- */

static void print(struct hf_log *log, void *source, const char *service, const char *request, const char *text)
{
    struct hf_log_line l = {
        .stream = HF_LOG_STDOUT,
        .service = hf_view_of(service),
        .instance = 7,
        .request = hf_view_of(request),
        .text = hf_view_of(text),
        .source = source,
    };
    hf_log_guest(log, &l);
}

static void golden_guest_lines(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        struct hf_os *os = hf_os_fake_new(1);
        struct reader r;
        char want[1024];
        reader_open(&r);
        reader_go(&r);
        struct hf_log *log = log_open(os, r.fds[1], json == 1, 0);
        print(log, NULL, "shop", "r-1", "hi\x1b[2J\xff \"\\\xc3\xa4");
        print(log, NULL, "shop", "", "");
        hf_log_say(log, "notice", "two\nlines \x07");
        hf_log_free(log);
        reader_end(&r);
        char when[25];
        snprintf(when, sizeof when, "%.24s", (const char *)r.got.ptr + (json ? 9 : 0));
        if (json)
            snprintf(want, sizeof want,
                     "{\"time\":\"%s\",\"level\":\"stdout\",\"service\":\"shop\",\"instance\":7,\"request_id\":\"r-1\","
                     "\"message\":\"hi\\u001b[2J\\\\xff \\\"\\\\\xc3\xa4\"}\n"
                     "{\"time\":\"%s\",\"level\":\"stdout\",\"service\":\"shop\",\"instance\":7,\"message\":\"\"}\n"
                     "{\"time\":\"%s\",\"level\":\"notice\",\"message\":\"two\\u000alines \\u0007\"}\n",
                     when, when, when);
        else
            snprintf(want, sizeof want,
                     "%s stdout shop[7] id=r-1 hi\\x1b[2J\\xff \"\\\xc3\xa4\n%s stdout shop[7] \n"
                     "%s notice two\nlines \\x07\n",
                     when, when, when);
        assert_string_equal((const char *)r.got.ptr, want);
        hf_buf_done(&r.got);
        hf_os_fake_free(os);
    }
}

/* A million lines of one guest: its neighbour's all come, and the flood leaves two seconds' worth and one line. */
static void a_flood_leaves_its_neighbour_alone(void **state)
{
    struct hf_os *os = hf_os_fake_new(1); /* its time stands still */
    struct reader r;
    (void)state;
    hf_os_fake_advance(os, 100 * S);
    reader_open(&r);
    reader_go(&r);
    struct hf_log *log = log_open(os, r.fds[1], false, 0);
    void *flood = hf_log_source_open(log, "flood", 0, 0), *calm = hf_log_source_open(log, "calm", 0, 0);
    void *other = hf_log_source_open(log, "flood", 5, 0); /* of another worker */
    for (unsigned i = 0; i < 1000000; i++) {
        print(log, flood, "flood", "", "and on");
        if (i % 1000 == 0)
            print(log, calm, "calm", "", "here");
    }
    for (unsigned i = 0; i < 15; i++)
        print(log, other, "flood", "", "and on");
    hf_log_source_close(log, calm);
    hf_log_source_close(log, flood);
    hf_log_source_close(log, other);
    hf_log_free(log);
    reader_end(&r);
    assert_int_equal(count(&r.got, "calm[7] here"), 1000);
    assert_int_equal(count(&r.got, "flood[7] and on"), 2010);
    unsigned long long lost = 0;
    for (const char *at = (const char *)r.got.ptr; (at = strstr(at, " lines of flood dropped (")) != NULL; at++) {
        const char *number = at;
        while (number[-1] >= '0' && number[-1] <= '9')
            number--;
        lost += strtoull(number, NULL, 10);
    }
    assert_int_equal(lost, 1000000 - 2000 + 5);
    hf_buf_done(&r.got);
    hf_os_fake_free(os);
}

/* ---- a ring beside it ---- */

struct talker {
    struct hf_log *log;
    _Atomic bool stop;
};

static void *talk(void *ctx)
{
    struct talker *t = ctx;
    while (!atomic_load(&t->stop))
        hf_log_say(t->log, "event", "hello");
    return NULL;
}

static void a_ring_that_is_taken_away_can_be_freed(void **state)
{
    struct hf_os *os = hf_os_fake_new(1);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct hf_log_settings s = {.os = os, .fd = null};
    struct talker t = {0};
    pthread_t threads[3];
    size_t heard = 0;
    (void)state;
    assert_int_equal(hf_log_new(&s, &t.log), HF_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &t), 0);
    for (size_t i = 0; i < 300; i++) {
        struct hf_log_ring *ring;
        assert_int_equal(hf_log_ring_new(4096, 16, &ring), HF_OK);
        hf_log_set_ring(t.log, ring);
        uint64_t at = 0, lost;
        struct hf_buf got = {0};
        while (hf_log_ring_read(ring, (struct hf_view){0}, &at, 1, &got, &lost) == HF_AGAIN)
            sched_yield();
        heard += got.len > 0;
        hf_buf_done(&got);
        hf_log_set_ring(t.log, NULL);
        hf_log_ring_free(ring);
    }
    atomic_store(&t.stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(heard, 300);
    hf_log_free(t.log);
    close(null);
    hf_os_fake_free(os);
}

/* The time of day is not asked for at each line: it goes on with the other clock, and is not lost where that one is set back. */
static void access_lines_say_when(void **state)
{
    static const struct {
        uint64_t end_ns;
        const char *want;
    } rows[] = {{5 * S, "41.000Z"}, {5 * S + S / 1000, "41.001Z"}, {5 * S + 99 * S / 1000, "41.099Z"}, {4 * S, "41.000Z"}, {6 * S, "41.000Z"}};
    struct hf_os *os = hf_os_fake_new(1);
    struct hf_log *log;
    struct hf_buf b = {0};
    struct hf_log_clock clock = {0};
    (void)state;
    assert_int_equal(hf_log_new(&(struct hf_log_settings){.os = os, .fd = -1}, &log), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) { /* the time of day stands still in it */
        struct hf_access a = {.protocol = "HTTP/1.1", .how = "ok", .end_ns = rows[i].end_ns};
        hf_buf_clear(&b);
        hf_log_access(log, &clock, &b, &a);
        assert_memory_equal(b.ptr + 17, rows[i].want, 7);
    }
    hf_buf_done(&b);
    hf_log_free(log);
    hf_os_fake_free(os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_kept_to_the_line),
        cmocka_unit_test(bytes_are_kept_too),
        cmocka_unit_test(lines_of_many_threads_come_whole_and_in_order),
        cmocka_unit_test(a_reader_that_does_not_read_stops_nobody),
        cmocka_unit_test(the_end_comes_though_nobody_reads),
        cmocka_unit_test(a_reader_that_left_is_no_end),
        cmocka_unit_test(a_fork_writes_nothing_twice),
        cmocka_unit_test(golden_guest_lines),
        cmocka_unit_test(a_flood_leaves_its_neighbour_alone),
        cmocka_unit_test(a_ring_that_is_taken_away_can_be_freed),
        cmocka_unit_test(access_lines_say_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
