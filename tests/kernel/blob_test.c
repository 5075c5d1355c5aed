/* blob_test.c - bodies: window, slowest reader, what is kept and what is freed, ends of all kinds.
 */
#include <sys/uio.h>

#include "kernel/blob_int.h"
#include "support.h"

#define KIB 1024u

static struct hf_view text(const char *s)
{
    return hf_view_of(s);
}

static void push_n(struct hf_blob *b, size_t n, uint8_t c)
{
    uint8_t bytes[4096];
    memset(bytes, c, sizeof bytes);
    while (n > 0) {
        size_t some = n < sizeof bytes ? n : sizeof bytes;
        assert_int_equal(hf_blob_push(b, hf_view(bytes, some)), HF_OK);
        n -= some;
    }
}

/* Reads up to n bytes; returns how many came. */
static size_t take(struct hf_blob_reader *r, size_t n)
{
    size_t got = 0;
    struct hf_view v;
    while (got < n && hf_blob_reader_peek(r, &v) == HF_OK) {
        assert_true(v.len > 0);
        size_t some = v.len < n - got ? v.len : n - got;
        hf_blob_reader_advance(r, some);
        got += some;
    }
    return got;
}

static enum hf_err peek_err(struct hf_blob_reader *r)
{
    struct hf_view v;
    return hf_blob_reader_peek(r, &v);
}

static void complete_blobs(void **state)
{
    struct hf_buf buf = {0};
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)state;
    assert_int_equal(hf_buf_add_text(&buf, "storage"), HF_OK);
    const uint8_t *storage = buf.ptr;
    struct hf_blob *b = hf_blob_of_buf(&buf);
    assert_null(buf.ptr);
    assert_true(hf_blob_complete(b));
    assert_int_equal(hf_blob_declared(b), 7);
    hf_blob_reader_open(&r, &b);
    assert_null(b);
    assert_true(r.wait.ready);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_OK);
    assert_ptr_equal(v.ptr, storage); /* not copied */
    hf_blob_reader_advance(&r, 7);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    assert_true(r.wait.ready); /* an end counts as ready */
    hf_blob_reader_close(&r);
    hf_blob_reader_close(&r);

    b = hf_blob_of_bytes((struct hf_view){0});
    hf_blob_reader_open(&r, &b);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    hf_blob_reader_close(&r);
    hf_blob_unref(NULL);
}

static void small_complete_blob_is_one_allocation(void **state)
{
    (void)state;
    size_t before = mallocs();
    struct hf_blob *b = hf_blob_of_bytes(text("hello"));
    if (mallocs_are_counted())
        assert_int_equal(mallocs() - before, 1);
    hf_blob_unref(b);
}

static void room_is_the_window_less_what_is_not_passed(void **state)
{
    struct hf_blob_reader r = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 1000);
    assert_int_equal(hf_blob_room(b), 1000);
    assert_true(hf_blob_room_wait(b)->ready);
    push_n(b, 400, 'a');
    assert_int_equal(hf_blob_room(b), 600); /* nobody reads yet: all bytes count */
    struct hf_blob *producer = b;
    hf_blob_reader_open(&r, &b);
    assert_int_equal(take(&r, 300), 300);
    assert_int_equal(hf_blob_room(producer), 900);
    push_n(producer, 900, 'b');
    assert_int_equal(hf_blob_room(producer), 0);
    assert_false(hf_blob_room_wait(producer)->ready);
    push_n(producer, 10, 'c'); /* more than room: the producer's decision */
    assert_int_equal(hf_blob_room(producer), 0);
    assert_int_equal(take(&r, 10), 10);
    assert_int_equal(hf_blob_room(producer), 0);
    assert_false(hf_blob_room_wait(producer)->ready);
    assert_int_equal(take(&r, 1), 1);
    assert_int_equal(hf_blob_room(producer), 1);
    assert_true(hf_blob_room_wait(producer)->ready);
    hf_blob_finish(producer);
    assert_int_equal(take(&r, 10000), 999);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    hf_blob_reader_close(&r);
}

static void a_producer_that_forgets_the_window_is_stopped(void **state)
{
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 4 * KIB);
    uint8_t bytes[4096] = {0};
    size_t n = 0;
    enum hf_err err;
    while ((err = hf_blob_push(b, hf_view(bytes, sizeof bytes))) == HF_OK)
        n += sizeof bytes;
    assert_int_equal(err, HF_LIMIT);
    assert_int_equal(n, KIB * KIB + 16 * KIB);
    assert_int_equal(hf_blob_pushed(b), n);
    hf_blob_fail(b, HF_LIMIT);
    hf_blob_unref(b);
}

static void the_slowest_reader_governs(void **state)
{
    struct hf_blob_reader fast = {0}, slow = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 100), *more = hf_blob_ref(b),
                   *producer = b;
    push_n(b, 100, 'a');
    hf_blob_reader_open(&fast, &b);
    hf_blob_reader_open(&slow, &more);
    assert_int_equal(take(&fast, 100), 100);
    assert_int_equal(hf_blob_room(producer), 0);
    assert_int_equal(take(&slow, 30), 30);
    assert_int_equal(hf_blob_room(producer), 30);
    hf_blob_reader_close(&slow); /* dead: the other one governs now */
    assert_int_equal(hf_blob_room(producer), 100);
    hf_blob_finish(producer);
    hf_blob_reader_close(&fast);
}

static void passed_bytes_go_when_all_references_are_readers(void **state)
{
    struct hf_blob_reader a = {0}, c = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 1024 * KIB);
    struct hf_blob *producer = b, *holder = hf_blob_ref(b), *second;
    push_n(b, 512 * KIB, 'x');
    size_t all = hf_blob_memory(b);
    assert_true(all >= 512 * KIB);
    hf_blob_reader_open(&a, &b);
    assert_int_equal(take(&a, 300 * KIB), 300 * KIB);
    assert_int_equal(hf_blob_memory(producer),
                     all); /* the holder may still read from the start ... */
    second = hf_blob_ref(holder);
    hf_blob_reader_open(&c, &second); /* ... and does */
    hf_blob_unref(holder);
    assert_int_equal(hf_blob_memory(producer), all); /* the second reader is at 0 */
    assert_int_equal(take(&c, 250 * KIB), 250 * KIB);
    size_t now = hf_blob_memory(producer);
    assert_true(now <= all - 250 * KIB + HF_SEG_LARGE_SIZE && now >= 262 * KIB);
    assert_int_equal(take(&c, 262 * KIB), 262 * KIB);
    assert_int_equal(take(&a, 212 * KIB), 212 * KIB);
    assert_true(hf_blob_memory(producer) <= HF_SEG_LARGE_SIZE); /* one segment to go on with */
    hf_blob_finish(producer);
    hf_blob_reader_close(&a);
    hf_blob_reader_close(&c);
}

static void all_read_and_ended_keeps_nothing(void **state)
{
    struct hf_blob_reader r = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *producer = b;
    push_n(b, 10, 'x');
    hf_blob_reader_open(&r, &b);
    hf_blob_finish(producer);
    assert_int_equal(take(&r, 10), 10);
    assert_int_equal(hf_blob_memory(r.blob), 0);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    hf_blob_reader_close(&r);
}

static void holders_keep_the_start(void **state)
{
    struct hf_blob_reader r = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(3, 0), *producer = b, *holder = hf_blob_ref(b);
    push_n(b, 3, 'x');
    hf_blob_finish(producer);
    for (unsigned i = 0; i < 3; i++) {
        struct hf_blob *mine = i == 0 ? b : hf_blob_ref(holder);
        hf_blob_reader_open(&r, &mine);
        assert_int_equal(take(&r, 10), 3);
        hf_blob_reader_close(&r);
    }
    hf_blob_unref(holder);
}

static void readers_hear_of_bytes(void **state)
{
    struct hf_blob_reader r = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *producer = b;
    hf_blob_reader_open(&r, &b);
    assert_false(r.wait.ready);
    assert_int_equal(peek_err(&r), HF_AGAIN);
    push_n(producer, 0, 'x');
    assert_false(r.wait.ready);
    push_n(producer, 5, 'x');
    assert_true(r.wait.ready);
    assert_int_equal(take(&r, 4), 4);
    assert_true(r.wait.ready);
    assert_int_equal(take(&r, 1), 1);
    assert_false(r.wait.ready);
    hf_blob_finish(producer);
    assert_true(r.wait.ready);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    hf_blob_reader_close(&r);
}

static void reserve_and_commit(void **state)
{
    struct hf_blob_reader r = {0};
    struct hf_view v;
    size_t got = 0;
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *producer = b;
    hf_blob_reader_open(&r, &b);
    uint8_t *space = hf_blob_reserve(producer, 64 * KIB, &got);
    assert_non_null(space);
    assert_true(got >= 1 && got <= 64 * KIB);
    memcpy(space, "abc", 3);
    assert_int_equal(hf_blob_commit(producer, 3), HF_OK);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_OK);
    assert_ptr_equal(v.ptr, space); /* read where it was written */
    assert_int_equal(v.len, 3);
    /* while space is lent, passing everything must not move it */
    uint8_t *more = hf_blob_reserve(producer, 10, &got);
    assert_int_equal(take(&r, 3), 3);
    memcpy(more, "0123456789", 10);
    assert_int_equal(hf_blob_commit(producer, 10), HF_OK);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_OK);
    assert_memory_equal(v.ptr, "0123456789", 10);
    /* lent and given back */
    assert_non_null(hf_blob_reserve(producer, 10, &got));
    assert_int_equal(hf_blob_commit(producer, 0), HF_OK);
    assert_non_null(hf_blob_reserve(producer, 0, &got));
    assert_true(got >= 1);
    push_n(producer, 1, 'z'); /* takes back what was lent */
    assert_int_equal(take(&r, 100), 11);
    /* nobody left between reserve and commit */
    space = hf_blob_reserve(producer, 10, &got);
    hf_blob_reader_close(&r);
    memset(space, 'q', got);
    assert_int_equal(hf_blob_commit(producer, got), HF_CLOSED);
    assert_int_equal(hf_blob_memory(producer), 0);
    assert_non_null(hf_blob_reserve(producer, 10, &got));
    hf_blob_fail(producer, HF_IO);
}

static void declared_length_is_kept(void **state)
{
    struct hf_blob_reader r = {0};
    size_t got;
    (void)state;
    struct hf_blob *b = hf_blob_new(4, 0), *producer = b;
    hf_blob_reader_open(&r, &b);
    assert_int_equal(hf_blob_declared(producer), 4);
    assert_int_equal(hf_blob_push(producer, text("12345")), HF_INVALID);
    assert_int_equal(hf_blob_pushed(producer), 0);
    memset(hf_blob_reserve(producer, 5, &got), 'x', 5);
    assert_int_equal(hf_blob_commit(producer, 5), HF_INVALID);
    assert_int_equal(hf_blob_push(producer, text("1234")), HF_OK);
    assert_int_equal(hf_blob_push(producer, text("5")), HF_INVALID);
    assert_false(hf_blob_complete(producer));
    hf_blob_finish(producer);
    assert_true(hf_blob_complete(r.blob));
    assert_int_equal(take(&r, 10), 4);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    hf_blob_reader_close(&r);
}

static void finish_short_is_invalid_after_the_bytes(void **state)
{
    struct hf_blob_reader r = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(10, 0), *producer = b;
    hf_blob_reader_open(&r, &b);
    push_n(producer, 6, 'x');
    hf_blob_finish(producer);
    assert_false(hf_blob_complete(r.blob));
    assert_int_equal(hf_blob_declared(r.blob), 10);
    assert_int_equal(hf_blob_error(r.blob), HF_INVALID);
    assert_int_equal(take(&r, 10), 6);
    assert_int_equal(peek_err(&r), HF_INVALID);
    hf_blob_reader_close(&r);
}

static void fail_comes_after_the_bytes(void **state)
{
    struct hf_blob_reader r = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *producer = b;
    hf_blob_reader_open(&r, &b);
    push_n(producer, 6, 'x');
    hf_blob_fail(producer, HF_TIMEOUT);
    assert_int_equal(take(&r, 10), 6);
    assert_int_equal(peek_err(&r), HF_TIMEOUT);
    assert_true(r.wait.ready);
    hf_blob_reader_close(&r);

    b = producer = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0);
    hf_blob_reader_open(&r, &b);
    hf_blob_fail(producer, HF_CLOSED);
    assert_int_equal(peek_err(&r), HF_IO); /* HF_CLOSED would look like a clean end */
    assert_int_equal(hf_blob_error(r.blob), HF_CLOSED);
    hf_blob_reader_close(&r);
}

static void count_wake(struct hf_waitset *set);
struct counter {
    struct hf_waitset set;
    unsigned n;
};
static void count_wake(struct hf_waitset *set)
{
    HF_CONTAINER_OF(set, struct counter, set)->n++;
}

static void nobody_left(void **state)
{
    struct hf_blob_reader r = {0};
    struct counter c = {.n = 0};
    struct hf_waiter w = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 10), *producer = b;
    hf_waitset_init(&c.set, count_wake);
    push_n(producer, 10, 'x');
    hf_waiter_arm(&w, hf_blob_room_wait(producer), &c.set);
    assert_true(hf_waitset_park(&c.set, false));
    hf_blob_reader_open(&r, &b);
    assert_true(hf_blob_wanted(producer));
    hf_blob_reader_close(&r);
    assert_int_equal(c.n, 1); /* room_wait fires */
    assert_false(hf_blob_wanted(producer));
    assert_int_equal(hf_blob_memory(producer), 0);
    assert_int_equal(hf_blob_push(producer, text("more")), HF_CLOSED);
    assert_int_equal(hf_blob_memory(producer), 0);
    hf_waiter_disarm(&w);
    hf_blob_finish(producer); /* frees it */
}

static void a_producers_waiter_may_outlive_the_blob(void **state)
{
    struct counter c = {.n = 0};
    struct hf_waiter w = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 10);
    hf_waitset_init(&c.set, count_wake);
    hf_waiter_arm(&w, hf_blob_room_wait(b), &c.set);
    hf_blob_finish(b);
    hf_blob_unref(b);
    assert_true(hf_waiter_ready(&w)); /* its source is gone */
    hf_waiter_disarm(&w);
}

static void trailers(void **state)
{
    struct hf_blob_reader r = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *producer = b;
    hf_blob_reader_open(&r, &b);
    assert_int_equal(hf_blob_trailers(producer).len, 0);
    assert_int_equal(hf_blob_set_trailers(producer, text("first")), HF_OK);
    assert_int_equal(hf_blob_set_trailers(producer, text("then")), HF_OK);
    hf_blob_finish(producer);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    assert_true(hf_view_eq_text(hf_blob_trailers(r.blob), "then"));
    hf_blob_reader_close(&r);
}

static void moving_a_reader_goes_on_where_it_was(void **state)
{
    struct hf_blob_reader r = {0}, to = {0};
    struct counter c = {.n = 0};
    struct hf_waiter w = {0};
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *producer = b;
    hf_blob_reader_open(&r, &b);
    push_n(producer, 5, 'x');
    assert_int_equal(take(&r, 5), 5);
    hf_waitset_init(&c.set, count_wake);
    hf_waiter_arm(&w, &r.wait, &c.set);
    hf_blob_reader_move(&r, &to);
    assert_null(r.blob);
    assert_true(hf_waiter_ready(&w));
    hf_blob_reader_close(&r);
    assert_int_equal(peek_err(&to), HF_AGAIN);
    push_n(producer, 3, 'y');
    assert_true(to.wait.ready);
    assert_int_equal(take(&to, 10), 3);
    hf_blob_finish(producer);
    assert_int_equal(peek_err(&to), HF_CLOSED);
    hf_blob_reader_move(&r, &(struct hf_blob_reader){0}); /* a closed one: nothing moves */
    hf_blob_reader_close(&to);
    hf_waiter_disarm(&w);
}

static void iov_lends_segments(void **state)
{
    struct hf_blob_reader r = {0};
    struct iovec iov[8];
    size_t len;
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 1024 * KIB), *producer = b;
    hf_blob_reader_open(&r, &b);
    assert_int_equal(hf_blob_reader_iov(&r, iov, 8, &len), 0);
    assert_int_equal(len, 0);
    push_n(producer, 100 * KIB, 'x');
    int n = hf_blob_reader_iov(&r, iov, 8, &len);
    assert_true(n > 1 && n <= 8);
    assert_int_equal(len, 100 * KIB);
    assert_int_equal(hf_blob_reader_iov(&r, iov, 1, &len), 1);
    assert_int_equal(len, iov[0].iov_len);
    hf_blob_reader_advance(&r, iov[0].iov_len + 5); /* over the edge of a segment */
    size_t rest;
    assert_int_equal(hf_blob_reader_iov(&r, iov, 8, &rest), n - 1);
    assert_int_equal(rest, 100 * KIB - len - 5);
    hf_blob_finish(producer);
    hf_blob_reader_close(&r);
}

/* ---- wakes that act ---- */

struct drainer { /* reads what comes as soon as it comes, and closes at the n-th byte */
    struct hf_blob_reader r;
    struct hf_waiter w;
    struct hf_waitset set;
    size_t got, close_at;
    struct drainer *closes; /* closes this one too */
    struct hf_blob *finish; /* and ends this one */
};

static void drainer_close(struct drainer *d)
{
    hf_waiter_disarm(&d->w);
    hf_waitset_unpark(&d->set);
    hf_blob_reader_close(&d->r);
}

static void drain(struct hf_waitset *set)
{
    struct drainer *d = HF_CONTAINER_OF(set, struct drainer, set);
    do {
        d->got += take(&d->r, SIZE_MAX);
        if (d->got >= d->close_at) {
            if (d->closes != NULL)
                drainer_close(d->closes);
            drainer_close(d);
            if (d->finish != NULL)
                hf_blob_finish(d->finish);
            return;
        }
    } while (!hf_waitset_park(&d->set, false));
}

static void drainer_open(struct drainer *d, struct hf_blob *b)
{
    *d = (struct drainer){.close_at = SIZE_MAX};
    hf_waitset_init(&d->set, drain);
    hf_blob_reader_open(&d->r, &b);
    hf_waiter_arm(&d->w, &d->r.wait, &d->set);
    assert_true(hf_waitset_park(&d->set, false));
}

static void a_reader_may_drain_in_its_wake(void **state)
{
    struct drainer d;
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 8 * KIB);
    drainer_open(&d, b);
    for (unsigned i = 0; i < 100; i++) {
        push_n(b, 4096, 'x');
        assert_int_equal(d.got, 4096 * (i + 1));
        assert_int_equal(hf_blob_room(b), 8 * KIB);
    }
    drainer_close(&d);
    hf_blob_finish(b);
}

static void a_wake_may_close_any_reader(void **state)
{
    struct drainer d[3];
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0);
    drainer_open(&d[0], b);
    drainer_open(&d[1], hf_blob_ref(b));
    drainer_open(&d[2], hf_blob_ref(b));
    d[0].close_at = 5;
    d[0].closes = &d[1]; /* the next one to be told */
    push_n(b, 5, 'x');
    assert_int_equal(d[0].got, 5);
    assert_int_equal(d[1].got, 0);
    assert_int_equal(d[2].got, 5);
    d[2].close_at = 6;
    push_n(b, 1, 'x');
    assert_false(hf_blob_wanted(b));
    hf_blob_finish(b);
}

static void the_last_reader_may_go_and_the_producer_end_in_a_wake(void **state)
{
    struct drainer d;
    (void)state;
    struct hf_blob_pool *pool = hf_blob_pool_new(0);
    struct hf_blob *b = hf_blob_new_in(pool, HF_BLOB_LEN_UNKNOWN, 0);
    drainer_open(&d, b);
    d.close_at = 5;
    d.finish = b;
    push_n(b, 5, 'x'); /* the blob is gone when this returns */
    assert_int_equal(hf_blob_pool_live(pool), 0);
    hf_blob_pool_unref(pool);
}

/* ---- memory ---- */

static void a_hundred_mebibytes_in_flat_memory(void **state)
{
    struct hf_blob_reader r = {0};
    const uint64_t total = 100ull * 1024 * KIB;
    uint64_t sent = 0, got = 0;
    size_t peak = 0, before = 0;
    (void)state;
    struct hf_blob_pool *pool = hf_blob_pool_new(0);
    struct hf_blob *b = hf_blob_new_in(pool, total, 64 * KIB), *producer = b;
    hf_blob_reader_open(&r, &b);
    while (got < total) {
        while (sent < total && hf_blob_room(producer) > 0) { /* as a socket does */
            size_t lent, want = hf_blob_room(producer);
            uint8_t *space = hf_blob_reserve(
                producer, want < total - sent ? want : (size_t)(total - sent), &lent);
            memset(space, (int)(sent >> 12 & 0xFF), lent);
            assert_int_equal(hf_blob_commit(producer, lent), HF_OK);
            sent += lent;
        }
        peak = hf_blob_memory(producer) > peak ? hf_blob_memory(producer) : peak;
        got += take(&r, 10000);
        if (got > 10 * 1024 * KIB && before == 0)
            before = mallocs();
    }
    assert_true(peak <= 64 * KIB + 2 * HF_SEG_LARGE_SIZE);
    assert_true(hf_blob_pool_memory(pool) <= 64 * KIB + 3 * HF_SEG_LARGE_SIZE);
    assert_int_equal(mallocs() - before, 0); /* warm: nothing is allocated */
    hf_blob_finish(producer);
    assert_int_equal(peek_err(&r), HF_CLOSED);
    hf_blob_reader_close(&r);
    assert_int_equal(hf_blob_pool_live(pool), 0);
    hf_blob_pool_unref(pool);
}

static void a_warm_pool_makes_streams_without_malloc(void **state)
{
    struct hf_blob_pool *pool = hf_blob_pool_new(0);
    size_t before = 0;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct hf_blob_reader r = {0};
        struct hf_blob *b = hf_blob_new_in(pool, HF_BLOB_LEN_UNKNOWN, 0), *producer = b;
        hf_blob_reader_open(&r, &b);
        push_n(producer, 50 * KIB, 'x');
        hf_blob_finish(producer);
        assert_int_equal(take(&r, SIZE_MAX), 50 * KIB);
        hf_blob_reader_close(&r);
        if (i == 0)
            before = mallocs();
    }
    assert_int_equal(mallocs(), before);
    assert_int_equal(hf_blob_pool_live(pool), 0);
    hf_blob_pool_unref(pool);
}

static void a_pool_keeps_no_more_than_it_may_and_lives_as_long_as_its_blobs(void **state)
{
    struct hf_blob_pool *pool = hf_blob_pool_new(100 * KIB);
    (void)state;
    struct hf_blob *b = hf_blob_new_in(pool, HF_BLOB_LEN_UNKNOWN, 0), *held = hf_blob_ref(b);
    push_n(b, 500 * KIB, 'x');
    assert_true(hf_blob_pool_memory(pool) >= 500 * KIB);
    hf_blob_unref(b);
    hf_blob_unref(held);
    assert_true(hf_blob_pool_memory(pool) <= 100 * KIB);
    hf_blob_pool_unref(pool); /* the blob keeps it */
    assert_int_equal(hf_blob_push(b, text("x")), HF_CLOSED);
    hf_blob_finish(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_blobs),
        cmocka_unit_test(small_complete_blob_is_one_allocation),
        cmocka_unit_test(room_is_the_window_less_what_is_not_passed),
        cmocka_unit_test(a_producer_that_forgets_the_window_is_stopped),
        cmocka_unit_test(the_slowest_reader_governs),
        cmocka_unit_test(passed_bytes_go_when_all_references_are_readers),
        cmocka_unit_test(all_read_and_ended_keeps_nothing),
        cmocka_unit_test(holders_keep_the_start),
        cmocka_unit_test(readers_hear_of_bytes),
        cmocka_unit_test(reserve_and_commit),
        cmocka_unit_test(declared_length_is_kept),
        cmocka_unit_test(finish_short_is_invalid_after_the_bytes),
        cmocka_unit_test(fail_comes_after_the_bytes),
        cmocka_unit_test(nobody_left),
        cmocka_unit_test(a_producers_waiter_may_outlive_the_blob),
        cmocka_unit_test(trailers),
        cmocka_unit_test(moving_a_reader_goes_on_where_it_was),
        cmocka_unit_test(iov_lends_segments),
        cmocka_unit_test(a_reader_may_drain_in_its_wake),
        cmocka_unit_test(a_wake_may_close_any_reader),
        cmocka_unit_test(the_last_reader_may_go_and_the_producer_end_in_a_wake),
        cmocka_unit_test(a_hundred_mebibytes_in_flat_memory),
        cmocka_unit_test(a_warm_pool_makes_streams_without_malloc),
        cmocka_unit_test(a_pool_keeps_no_more_than_it_may_and_lives_as_long_as_its_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
