/* log_ring_test.c - the newest lines: bounded, numbered, by service, from many threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "console/log_ring.h"

static void add(struct hf_log_ring *r, const char *service, const char *line)
{
    hf_log_ring_add(r, hf_view_of(service), hf_view_of(line));
}

/* Everything from `at` on; *lost is the sum. */
static void expect(struct hf_log_ring *r, const char *service, uint64_t at, uint64_t lost,
                   const char *text)
{
    struct hf_buf b = {0};
    uint64_t l, sum = 0;
    while (hf_log_ring_read(r, hf_view_of(service), &at, 100, &b, &l) == HF_OK)
        sum += l;
    if (!hf_view_eq_text(hf_buf_view(&b), text) || sum != lost)
        fail_msg("%llu lost, \"%.*s\", not %llu and \"%s\"", (unsigned long long)sum,
                 HF_FMT(hf_buf_view(&b)), (unsigned long long)lost, text);
    hf_buf_done(&b);
}

static void lines_come_in_order_and_by_service(void **state)
{
    struct hf_log_ring *r;
    (void)state;
    assert_int_equal(hf_log_ring_new(0, 0, &r), HF_OK);
    expect(r, "", 0, 0, "");
    add(r, "a", "one\n");
    add(r, "b", "two");
    add(r, "", "three\n");
    add(r, "a", "");
    add(r, "ab", "no\n");
    expect(r, "", 0, 0, "one\ntwo\nthree\n\nno\n");
    expect(r, "a", 0, 0, "one\n\n");
    expect(r, "b", 0, 0, "two\n");
    expect(r, "c", 0, 0, "");
    expect(r, "", hf_log_ring_tail(r, HF_VIEW(""), 2), 0, "\nno\n");
    expect(r, "a", hf_log_ring_tail(r, HF_VIEW("a"), 1), 0, "\n");
    expect(r, "a", hf_log_ring_tail(r, HF_VIEW("a"), 99), 0, "one\n\n");
    assert_int_equal(hf_log_ring_tail(r, HF_VIEW(""), 0), 5);
    hf_log_ring_add(NULL, HF_VIEW("a"), HF_VIEW("b")); /* no ring: nothing */
    hf_log_ring_free(r);
    hf_log_ring_free(NULL);
}

static void new_lines_push_out_the_oldest_and_readers_are_told(void **state)
{
    struct hf_log_ring *r;
    char line[16];
    (void)state;
    assert_int_equal(hf_log_ring_new(0, 4, &r), HF_OK);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(line, sizeof line, "%u", i);
        add(r, "a", line);
    }
    expect(r, "", 0, 6, "6\n7\n8\n9\n");
    expect(r, "", 8, 0, "8\n9\n");
    hf_log_ring_free(r);
}

/* Against a list that keeps everything: what the ring has is always its end, without a gap. */
static void any_lengths_in_few_bytes(void **state)
{
    struct hf_log_ring *r;
    struct hf_buf all = {0};
    static char lines[3000][64];
    uint64_t seed = 11;
    (void)state;
    assert_int_equal(hf_log_ring_new(257, 32, &r), HF_OK);
    for (unsigned i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned len = (unsigned)(seed >> 33) % 60;
        memset(lines[i], 'a' + (int)(i % 26), len);
        lines[i][len] = 0;
        add(r, i % 3 == 0 ? "svc" : "", lines[i]);
        uint64_t at = 0, lost;
        hf_buf_clear(&all);
        assert_int_equal(hf_log_ring_read(r, HF_VIEW(""), &at, 100000, &all, &lost), HF_OK);
        assert_int_equal(at, i + 1);
        struct hf_view rest = hf_buf_view(&all);
        for (uint64_t k = lost; k <= i; k++) {
            size_t n = strlen(lines[k]);
            assert_true(rest.len > n && memcmp(rest.ptr, lines[k], n) == 0 && rest.ptr[n] == '\n');
            rest = hf_view_skip(rest, n + 1);
        }
        assert_int_equal(rest.len, 0);
        assert_true(all.len <= 257 + 32);
    }
    hf_buf_done(&all);
    hf_log_ring_free(r);
}

static void a_line_too_long_is_cut_and_one_too_large_is_left_out(void **state)
{
    struct hf_log_ring *r;
    struct hf_buf b = {0};
    char *big = malloc(HF_LOG_RING_LINE_MAX + 100);
    uint64_t at = 0, lost;
    (void)state;
    assert_non_null(big);
    memset(big, 'x', HF_LOG_RING_LINE_MAX + 99);
    big[HF_LOG_RING_LINE_MAX + 99] = 0;
    assert_int_equal(hf_log_ring_new(0, 0, &r), HF_OK);
    add(r, "", big);
    assert_int_equal(hf_log_ring_read(r, HF_VIEW(""), &at, 10, &b, &lost), HF_OK);
    assert_int_equal(b.len, HF_LOG_RING_LINE_MAX + 1);
    hf_log_ring_free(r);
    assert_int_equal(hf_log_ring_new(64, 0, &r), HF_OK);
    add(r, "", "small");
    add(r, "", big);
    expect(r, "", 0, 0, "small\n");
    hf_log_ring_free(r);
    hf_buf_done(&b);
    free(big);
}

static void a_read_takes_what_fits_and_at_least_a_line(void **state)
{
    struct hf_log_ring *r;
    struct hf_buf b = {0};
    uint64_t at = 0, lost;
    (void)state;
    assert_int_equal(hf_log_ring_new(0, 0, &r), HF_OK);
    for (unsigned i = 0; i < 5; i++)
        add(r, "", "0123456789");
    assert_int_equal(hf_log_ring_read(r, HF_VIEW(""), &at, 3, &b, &lost), HF_OK);
    assert_int_equal(b.len, 11);
    assert_int_equal(hf_log_ring_read(r, HF_VIEW(""), &at, 25, &b, &lost), HF_OK);
    assert_int_equal(b.len, 33);
    assert_int_equal(at, 3);
    hf_buf_done(&b);
    hf_log_ring_free(r);
}

static void bell(void *ctx)
{
    atomic_fetch_add((_Atomic unsigned *)ctx, 1);
}

static void the_bell_rings_once_for_each_time_it_is_armed(void **state)
{
    struct hf_log_ring *r;
    _Atomic unsigned rings = 0;
    (void)state;
    assert_int_equal(hf_log_ring_new(0, 0, &r), HF_OK);
    hf_log_ring_set_bell(r, bell, &rings);
    add(r, "", "a");
    assert_int_equal(rings, 0);
    hf_log_ring_arm(r);
    add(r, "", "b");
    add(r, "", "c");
    assert_int_equal(rings, 1);
    hf_log_ring_arm(r);
    add(r, "", "d");
    assert_int_equal(rings, 2);
    hf_log_ring_free(r);
}

#define WRITERS 3
#define EACH    20000u
struct writer {
    struct hf_log_ring *ring;
    unsigned number;
};

static void *write_lines(void *ctx)
{
    struct writer *w = ctx;
    char line[64];
    for (unsigned i = 0; i < EACH; i++) {
        snprintf(line, sizeof line, "%u:%u", w->number, i);
        add(w->ring, w->number == 0 ? "first" : "", line);
    }
    return NULL;
}

static void many_threads_add_and_one_reads(void **state)
{
    struct hf_log_ring *r;
    struct writer w[WRITERS];
    pthread_t threads[WRITERS];
    struct hf_buf b = {0};
    uint64_t at = 0, lost, sum = 0, lines = 0;
    long last[WRITERS] = {-1, -1, -1};
    (void)state;
    assert_int_equal(hf_log_ring_new(8192, 0, &r), HF_OK);
    for (unsigned i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){r, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &w[i]), 0);
    }
    while (sum + lines < (uint64_t)WRITERS * EACH) {
        hf_buf_clear(&b);
        enum hf_err err = hf_log_ring_read(r, HF_VIEW(""), &at, 4096, &b, &lost);
        if (err == HF_AGAIN)
            continue;
        assert_int_equal(err, HF_OK);
        sum += lost;
        for (char *s = (char *)b.ptr, *end; *s != 0; s = end + 1) {
            unsigned who;
            long n;
            end = strchr(s, '\n');
            assert_int_equal(sscanf(s, "%u:%ld", &who, &n), 2);
            assert_true(who < WRITERS && n > last[who]); /* whole lines, each writer's in order */
            last[who] = n;
            lines++;
        }
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(at, WRITERS * EACH); /* every line was read or counted as lost */
    hf_buf_done(&b);
    hf_log_ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_in_order_and_by_service),
        cmocka_unit_test(new_lines_push_out_the_oldest_and_readers_are_told),
        cmocka_unit_test(any_lengths_in_few_bytes),
        cmocka_unit_test(a_line_too_long_is_cut_and_one_too_large_is_left_out),
        cmocka_unit_test(a_read_takes_what_fits_and_at_least_a_line),
        cmocka_unit_test(the_bell_rings_once_for_each_time_it_is_armed),
        cmocka_unit_test(many_threads_add_and_one_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
