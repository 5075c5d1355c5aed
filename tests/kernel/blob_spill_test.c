/* blob_spill_test.c - bytes of blobs past a bound: what goes to the file and what stays, how it
 * comes back, and what a file that is full, late or broken does to whom.
 */
#include <sys/uio.h>

#include "kernel/blob_int.h"
#include "support_shelf.h"

#define KIB   1024u
#define PIECE (64 * KIB)

struct world_of {
    struct hf_blob_pool *pool;
    struct shelf shelf;
};

static void open_world(struct world_of *w, size_t memory_max, size_t blob_max)
{
    w->pool = hf_blob_pool_new(0);
    assert_non_null(w->pool);
    shelf_attach(&w->shelf, w->pool, memory_max, blob_max);
}

/* Nothing is left: no blob, no byte in memory, none in the file. */
static void close_world(struct world_of *w)
{
    struct hf_blob_spill_stats s;
    (void)shelf_go(&w->shelf, SIZE_MAX);
    hf_blob_spill_get_stats(w->pool, &s);
    assert_int_equal(hf_blob_pool_live(w->pool), 0);
    assert_int_equal(s.memory, 0);
    assert_int_equal(s.in_file, 0);
    assert_int_equal(s.moves, 0);
    assert_int_equal(w->shelf.used, 0);
    hf_blob_pool_unref(w->pool);
    shelf_close(&w->shelf);
}

static struct hf_blob_spill_stats spilled(const struct world_of *w)
{
    struct hf_blob_spill_stats s;
    hf_blob_spill_get_stats(w->pool, &s);
    return s;
}

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static struct hf_view pattern(uint64_t from, size_t n)
{
    static uint8_t bytes[4 * 1024 * 1024];
    assert_true(n <= sizeof bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(from + i);
    return hf_view(bytes, n);
}

static struct hf_blob *made(struct world_of *w, size_t n)
{
    struct hf_blob *b = hf_blob_of_bytes_in(w->pool, pattern(0, n));
    assert_non_null(b);
    return b;
}

/* Reads on to its end, letting moves go when it hears that it must wait; checks every byte. */
static enum hf_err read_on(struct world_of *w, struct hf_blob_reader *r)
{
    struct hf_view v;
    for (;;) {
        enum hf_err err = hf_blob_reader_peek(r, &v);
        assert_int_equal(r->wait.ready, err != HF_AGAIN);
        if (err == HF_AGAIN && shelf_go(&w->shelf, 1))
            continue;
        if (err != HF_OK)
            return err;
        for (size_t i = 0; i < v.len; i++)
            if (v.ptr[i] != byte_at(r->at + i))
                fail_msg("byte %llu", (unsigned long long)(r->at + i));
        hf_blob_reader_advance(r, v.len);
    }
}

static void read_all(struct world_of *w, struct hf_blob *b)
{
    struct hf_blob_reader r = {0};
    struct hf_blob *ref = hf_blob_ref(b);
    hf_blob_reader_open(&r, &ref);
    assert_int_equal(read_on(w, &r), HF_CLOSED);
    assert_int_equal(r.at, hf_blob_pushed(b));
    hf_blob_reader_close(&r);
}

static void what_is_past_the_bound_goes_and_comes_back(void **state)
{
    struct world_of w;
    (void)state;
    open_world(&w, 200 * KIB, 1024 * KIB);
    struct hf_blob *a = made(&w, 150 * KIB), *b = made(&w, 40 * KIB);
    assert_int_equal(w.shelf.n_moves, 0); /* all of it fits */
    struct hf_blob *c = made(&w, 100 * KIB);
    assert_int_equal(w.shelf.n_moves, 1); /* the oldest goes, and that is enough */
    assert_int_equal(spilled(&w).memory, 290 * KIB); /* its memory is free when it is written */
    assert_true(hf_blob_at_hand(a));
    assert_true(shelf_go(&w.shelf, 1));
    assert_int_equal(spilled(&w).memory, 140 * KIB);
    assert_int_equal(spilled(&w).in_file, 150 * KIB);
    assert_int_equal(hf_blob_memory(a), 0);
    assert_false(hf_blob_at_hand(a));
    assert_true(hf_blob_at_hand(b));
    read_all(&w, a);
    read_all(&w, b);
    read_all(&w, c);
    hf_blob_unref(a);
    hf_blob_unref(b);
    hf_blob_unref(c);
    close_world(&w);
}

static void one_blob_has_a_bound_of_its_own(void **state)
{
    struct world_of w;
    (void)state;
    open_world(&w, 64 * 1024 * KIB, 256 * KIB);
    struct hf_blob *small = made(&w, 200 * KIB), *big = made(&w, 3 * 1024 * KIB);
    while (shelf_go(&w.shelf, 1))
        ;
    assert_int_equal(hf_blob_memory(small), 200 * KIB);
    assert_true(hf_blob_memory(big) <= 256 * KIB);
    assert_true(spilled(&w).in_file >= 3 * 1024 * KIB - 256 * KIB);
    read_all(&w, big);
    while (shelf_go(&w.shelf, 1))
        ;
    assert_true(hf_blob_memory(big) <= 256 * KIB); /* what came back went again ... */
    assert_true(spilled(&w).written <= 3 * 1024 * KIB); /* ... and was written once */
    hf_blob_unref(small);
    hf_blob_unref(big);
    close_world(&w);
}

static void what_has_arrived_goes_while_the_rest_arrives(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    uint64_t peak = 0;
    const size_t all = 8 * 1024 * KIB;
    (void)state;
    open_world(&w, 512 * KIB, 256 * KIB);
    struct hf_blob *b = hf_blob_new_in(w.pool, all, 0), *kept = hf_blob_ref(b), *mine = b;
    hf_blob_reader_open(&r, &mine);
    for (size_t at = 0; at < all;) { /* a handle keeps every byte, and a reader takes them */
        struct hf_view v;
        size_t room = hf_blob_room(b), n = room < 10000 ? room : 10000;
        assert_int_equal(hf_blob_room_wait(b)->ready, room > 0);
        if (n > all - at)
            n = all - at;
        if (n > 0)
            assert_int_equal(hf_blob_push(b, pattern(at, n)), HF_OK);
        at += n;
        while (hf_blob_reader_peek(&r, &v) == HF_OK)
            hf_blob_reader_advance(&r, v.len);
        if (n == 0 || at % 7 == 0)
            (void)shelf_go(&w.shelf, 1);
        if (spilled(&w).memory > peak)
            peak = spilled(&w).memory;
    }
    assert_true(peak <= 512 * KIB + 1024 * KIB + 2 * PIECE);
    hf_blob_finish(b);
    assert_int_equal(read_on(&w, &r), HF_CLOSED);
    hf_blob_reader_close(&r);
    read_all(&w, kept);
    hf_blob_unref(kept);
    close_world(&w);
}

static void a_producer_waits_for_a_file_that_is_behind(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    (void)state;
    open_world(&w, 256 * KIB, 64 * 1024 * KIB);
    struct hf_blob *b = hf_blob_new_in(w.pool, HF_BLOB_LEN_UNKNOWN, 0), *kept = hf_blob_ref(b),
                   *mine = b;
    hf_blob_reader_open(&r, &mine);
    size_t at = 0; /* nothing is let go */
    for (; hf_blob_room(b) > 0; at += PIECE) {
        struct hf_view v;
        assert_true(at < 16 * 1024 * KIB);
        assert_int_equal(hf_blob_push(b, pattern(at, PIECE)), HF_OK);
        while (hf_blob_reader_peek(&r, &v) == HF_OK)
            hf_blob_reader_advance(&r, v.len);
    }
    assert_false(hf_blob_room_wait(b)->ready);
    assert_true(spilled(&w).memory <= 256 * KIB + 1024 * KIB + 2 * PIECE);
    while (!hf_blob_room_wait(b)->ready)
        assert_true(shelf_go(&w.shelf, 1));
    assert_true(hf_blob_room(b) > 0);
    hf_blob_finish(b);
    hf_blob_reader_close(&r);
    hf_blob_unref(kept);
    close_world(&w);
}

static void where_a_reader_stands_bytes_stay(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)state;
    open_world(&w, 100 * KIB, 100 * KIB);
    struct hf_blob *a = made(&w, 90 * KIB), *ref = hf_blob_ref(a);
    hf_blob_reader_open(&r, &ref);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_OK);
    struct hf_blob *b = made(&w, 90 * KIB); /* goes itself: it is the only one that may */
    (void)shelf_go(&w.shelf, SIZE_MAX);
    assert_int_equal(hf_blob_memory(a), 90 * KIB);
    assert_int_equal(hf_blob_memory(b), 0);
    assert_memory_equal(v.ptr, pattern(0, v.len).ptr, v.len);
    assert_true(hf_blob_reader_holds(&r));
    hf_blob_reader_close(&r);
    struct hf_blob *c = made(&w, 90 * KIB);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    assert_int_equal(hf_blob_memory(a), 0); /* now it may */
    hf_blob_unref(a);
    hf_blob_unref(b);
    hf_blob_unref(c);
    close_world(&w);
}

static void a_reader_that_comes_while_it_is_written_keeps_it(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)state;
    open_world(&w, 10 * KIB, 10 * KIB);
    struct hf_blob *a = made(&w, 90 * KIB), *ref = hf_blob_ref(a);
    assert_int_equal(w.shelf.n_moves, 1);
    hf_blob_reader_open(&r, &ref);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_OK);
    assert_true(shelf_go(&w.shelf, 1));
    assert_int_equal(hf_blob_memory(a), 90 * KIB);
    assert_memory_equal(v.ptr, pattern(0, v.len).ptr, v.len);
    hf_blob_reader_close(&r); /* written already: its memory is free at once */
    assert_int_equal(hf_blob_memory(a), 0);
    assert_int_equal(w.shelf.n_writes, 1);
    hf_blob_unref(a);
    close_world(&w);
}

static void one_that_is_freed_on_its_way_leaves_nothing(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    (void)state;
    open_world(&w, 10 * KIB, 10 * KIB);
    hf_blob_unref(made(&w, 90 * KIB)); /* in the middle of its write */
    hf_blob_unref(made(&w, 200 * KIB));
    assert_int_equal(w.shelf.n_moves, 2);
    assert_int_equal(spilled(&w).memory, 290 * KIB);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    assert_int_equal(w.shelf.used, 0);
    struct hf_blob *a = made(&w, 90 * KIB);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    hf_blob_reader_open(&r, &a); /* ... and of its read */
    assert_int_equal(w.shelf.n_reads, 1);
    hf_blob_reader_close(&r);
    assert_int_equal(w.shelf.used, 0);
    close_world(&w);
}

static void a_file_that_is_full_refuses_those_that_grow_and_nobody_else(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    (void)state;
    open_world(&w, 256 * KIB, 256 * KIB);
    w.shelf.max = 128 * KIB;
    struct hf_blob *big = hf_blob_new_in(w.pool, HF_BLOB_LEN_UNKNOWN, 0), *kept = big;
    enum hf_err err;
    size_t at = 0;
    while ((err = hf_blob_push(big, pattern(at, 10000))) == HF_OK) {
        at += 10000;
        (void)shelf_go(&w.shelf, SIZE_MAX);
    }
    assert_int_equal(err, HF_LIMIT);
    assert_true(spilled(&w).memory <= 256 * KIB + 2 * PIECE);
    assert_true(spilled(&w).stuck);
    assert_true(spilled(&w).refused >= 1 && spilled(&w).write_failures >= 1);
    assert_non_null(strstr((const char *)spilled(&w).last_failure.ptr, "it is full"));
    assert_null(hf_blob_of_bytes_in(w.pool, pattern(0, 100 * KIB)));
    assert_null(hf_blob_of_bytes_in(w.pool, pattern(0, 2 * 1024 * KIB)));
    /* neighbours: a small one, one that streams by, one that keeps no more than its window */
    struct hf_blob *small = made(&w, 1000), *moderate = made(&w, 60 * KIB);
    struct hf_blob *stream = hf_blob_new_in(w.pool, HF_BLOB_LEN_UNKNOWN, 0), *mine = stream;
    hf_blob_reader_open(&r, &mine);
    for (size_t i = 0; i < 1024 * KIB; i += 4 * KIB) {
        struct hf_view v;
        assert_int_equal(hf_blob_push(stream, pattern(i, 4 * KIB)), HF_OK);
        while (hf_blob_reader_peek(&r, &v) == HF_OK)
            hf_blob_reader_advance(&r, v.len);
    }
    hf_blob_finish(stream);
    assert_int_equal(read_on(&w, &r), HF_CLOSED);
    hf_blob_reader_close(&r);
    read_all(&w, small);
    read_all(&w, moderate);
    hf_blob_fail(big, HF_LIMIT);
    /* all that was taken can be read, and there is room again after */
    hf_blob_reader_open(&r, &kept);
    assert_int_equal(read_on(&w, &r), HF_LIMIT);
    assert_int_equal(r.at, at);
    hf_blob_reader_close(&r);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    struct hf_blob *next = made(&w, 300 * KIB);
    w.shelf.max = 0;
    (void)shelf_go(&w.shelf, SIZE_MAX);
    read_all(&w, next);
    hf_blob_unref(next);
    hf_blob_unref(small);
    hf_blob_unref(moderate);
    close_world(&w);
}

static void a_write_that_fails_loses_nothing_and_is_tried_again(void **state)
{
    struct world_of w;
    (void)state;
    open_world(&w, 64 * KIB, 64 * KIB);
    w.shelf.write_fails = true;
    struct hf_blob *a = made(&w, 300 * KIB);
    (void)shelf_go(&w.shelf, 20);
    assert_int_equal(w.shelf.n_writes, 1); /* not again by itself */
    assert_int_equal(hf_blob_memory(a), 300 * KIB);
    assert_int_equal(w.shelf.used, 0);
    assert_int_equal(spilled(&w).write_failures, 1);
    assert_true(hf_view_eq_text(spilled(&w).last_failure, "the disk is on fire"));
    assert_null(hf_blob_of_bytes_in(w.pool, pattern(0, 65 * KIB))); /* it tries again ... */
    assert_int_equal(w.shelf.n_writes, 2);
    w.shelf.write_fails = false;
    (void)shelf_go(&w.shelf, SIZE_MAX); /* ... and now it goes */
    assert_false(spilled(&w).stuck);
    assert_int_equal(hf_blob_memory(a), 0);
    read_all(&w, a);
    hf_blob_unref(a);
    close_world(&w);
}

static void a_read_that_fails_is_said_to_who_reads(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)state;
    open_world(&w, 64 * KIB, 64 * KIB);
    struct hf_blob *a = made(&w, 300 * KIB), *other = made(&w, 300 * KIB), *ref = hf_blob_ref(a);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    hf_blob_reader_open(&r, &ref);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_AGAIN);
    w.shelf.read_fails = true;
    assert_true(shelf_go(&w.shelf, 1));
    assert_true(r.wait.ready);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_IO);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_IO);
    assert_int_equal(spilled(&w).read_failures, 1);
    assert_true(hf_view_eq_text(spilled(&w).last_failure, "reading it again: sector 7 is gone"));
    hf_blob_reader_close(&r);
    w.shelf.read_fails = false;
    read_all(&w, other);
    read_all(&w, a); /* a later reader tries again */
    w.shelf.read_short = true;
    ref = hf_blob_ref(other);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    if (!hf_blob_at_hand(other)) {
        hf_blob_reader_open(&r, &ref);
        (void)shelf_go(&w.shelf, SIZE_MAX);
        assert_int_equal(hf_blob_reader_peek(&r, &v), HF_CORRUPT);
        hf_blob_reader_close(&r);
    } else {
        fail_msg("it stayed in memory");
    }
    hf_blob_unref(a);
    hf_blob_unref(other);
    close_world(&w);
}

static void a_reader_may_begin_anywhere_and_reads_only_that(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)state;
    open_world(&w, 64 * KIB, 64 * KIB);
    struct hf_blob *a = made(&w, 4 * 1024 * KIB);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    while (shelf_go(&w.shelf, 1))
        ;
    const uint64_t places[] = {0, 1, PIECE - 1, PIECE, 3 * 1024 * KIB + 77, 4 * 1024 * KIB - 1};
    for (size_t i = 0; i < HF_ARRAY_LEN(places); i++) {
        struct hf_blob *ref = hf_blob_ref(a);
        uint32_t reads = w.shelf.n_reads;
        hf_blob_reader_open_at(&r, &ref, places[i]);
        while (hf_blob_reader_peek(&r, &v) == HF_AGAIN)
            assert_true(shelf_go(&w.shelf, 1));
        assert_true(w.shelf.n_reads - reads <= 2); /* itself and what is next */
        assert_int_equal(v.ptr[0], byte_at(places[i]));
        hf_blob_reader_close(&r);
        (void)shelf_go(&w.shelf, SIZE_MAX);
    }
    hf_blob_reader_open_at(&r, &a, UINT64_MAX);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_CLOSED);
    hf_blob_reader_close(&r);
    close_world(&w);
}

/* A gateway computes a chunk's length from iov, sends a part and asks again. */
static void what_iov_lent_is_there_until_the_reader_goes_on(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    struct iovec iov[8];
    size_t len, again;
    (void)state;
    open_world(&w, 64 * KIB, 64 * KIB);
    struct hf_blob *b = hf_blob_new_in(w.pool, HF_BLOB_LEN_UNKNOWN, 1024 * KIB), *p = b,
                   *kept = hf_blob_ref(b);
    assert_int_equal(hf_blob_push(b, pattern(0, 1000)), HF_OK);
    assert_int_equal(hf_blob_push(b, pattern(1000, 500 * KIB)), HF_OK);
    hf_blob_reader_open(&r, &b);
    while (r.at < 501 * 1000) {
        assert_true(hf_blob_reader_iov(&r, iov, 8, &len) >= 0);
        if (len == 0) {
            assert_true(shelf_go(&w.shelf, 1));
            continue;
        }
        hf_blob_reader_advance(&r, len / 3 + 1);
        (void)shelf_go(&w.shelf, SIZE_MAX);
        (void)hf_blob_reader_iov(&r, iov, 8, &again);
        assert_true(len / 3 + 1 == len || again >= len - len / 3 - 1);
    }
    hf_blob_finish(p);
    hf_blob_reader_close(&r);
    hf_blob_unref(kept);
    close_world(&w);
}

static void an_end_with_bytes_in_the_file(void **state)
{
    struct world_of w;
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)state;
    open_world(&w, 64 * KIB, 64 * KIB);
    struct hf_blob *a = made(&w, 300 * KIB), *b = made(&w, 300 * KIB), *ref = hf_blob_ref(a);
    assert_true(shelf_go(&w.shelf, 1));
    assert_int_equal(w.shelf.n_moves, 1);
    hf_blob_pool_spill_end(w.pool);
    (void)shelf_go(&w.shelf, SIZE_MAX); /* comes home all the same */
    hf_blob_reader_open(&r, &ref);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_CANCELLED);
    hf_blob_reader_close(&r);
    assert_true(hf_blob_at_hand(b));
    hf_blob_unref(a);
    hf_blob_unref(b);
    assert_int_equal(hf_blob_pool_live(w.pool), 0);
    hf_blob_pool_unref(w.pool);
    shelf_close(&w.shelf);
}

static void a_pool_lives_until_its_moves_are_home(void **state)
{
    struct world_of w;
    (void)state;
    open_world(&w, 64 * KIB, 64 * KIB);
    hf_blob_unref(made(&w, 300 * KIB));
    assert_int_equal(w.shelf.n_moves, 1);
    hf_blob_pool_spill_end(w.pool);
    hf_blob_pool_unref(w.pool);
    (void)shelf_go(&w.shelf, SIZE_MAX);
    assert_int_equal(w.shelf.used, 0);
    shelf_close(&w.shelf);
}

/* The kernel's part of a hop: a reference more, one less. */
static void a_hop_touches_no_byte_wherever_they_are(void **state)
{
    struct world_of w;
    (void)state;
    open_world(&w, 64 * KIB, 64 * KIB);
    struct hf_blob *a = made(&w, 4 * 1024 * KIB);
    while (shelf_go(&w.shelf, 1))
        ;
    uint32_t reads = w.shelf.n_reads, writes = w.shelf.n_writes;
    size_t before = mallocs();
    for (int i = 0; i < 100; i++) {
        struct hf_blob *next = hf_blob_ref(a);
        hf_blob_unref(a);
        a = next;
    }
    if (mallocs_are_counted())
        assert_int_equal(mallocs() - before, 0);
    assert_int_equal(w.shelf.n_reads, reads);
    assert_int_equal(w.shelf.n_writes, writes);
    hf_blob_unref(a);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_past_the_bound_goes_and_comes_back),
        cmocka_unit_test(one_blob_has_a_bound_of_its_own),
        cmocka_unit_test(what_has_arrived_goes_while_the_rest_arrives),
        cmocka_unit_test(a_producer_waits_for_a_file_that_is_behind),
        cmocka_unit_test(where_a_reader_stands_bytes_stay),
        cmocka_unit_test(a_reader_that_comes_while_it_is_written_keeps_it),
        cmocka_unit_test(one_that_is_freed_on_its_way_leaves_nothing),
        cmocka_unit_test(a_file_that_is_full_refuses_those_that_grow_and_nobody_else),
        cmocka_unit_test(a_write_that_fails_loses_nothing_and_is_tried_again),
        cmocka_unit_test(a_read_that_fails_is_said_to_who_reads),
        cmocka_unit_test(a_reader_may_begin_anywhere_and_reads_only_that),
        cmocka_unit_test(what_iov_lent_is_there_until_the_reader_goes_on),
        cmocka_unit_test(an_end_with_bytes_in_the_file),
        cmocka_unit_test(a_pool_lives_until_its_moves_are_home),
        cmocka_unit_test(a_hop_touches_no_byte_wherever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
