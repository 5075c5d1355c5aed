/* blob_share_test.c - complete blobs that another worker has too: the same bytes, let go by each for
 * itself, freed by the last; what cannot be shared says so.
 */
#include <pthread.h>

#include "kernel/blob_int.h"
#include "kernel/blob_share.h"
#include "support_shelf.h"

#define KIB 1024u

static struct hf_view pattern(size_t n)
{
    static uint8_t bytes[1024 * 1024];
    assert_true(n <= sizeof bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    return hf_view(bytes, n);
}

/* One that arrived, in pieces. */
static struct hf_blob *arrived(struct hf_blob_pool *pool, size_t n)
{
    struct hf_blob *b = hf_blob_new_in(pool, n, n + 1), *mine = hf_blob_ref(b);
    for (size_t at = 0; at < n; at += 3000)
        assert_int_equal(hf_blob_push(b, hf_view_take(hf_view(pattern(n).ptr + at, n - at), 3000)),
                         HF_OK);
    hf_blob_finish(b);
    hf_blob_unref(b);
    return mine;
}

static const uint8_t *first_of(struct hf_blob *b)
{
    return b->head == NULL ? NULL : b->head->data;
}

/* Takes the reference. */
static void read_all(struct hf_blob *b, size_t n)
{
    struct hf_blob_reader r = {0};
    struct hf_view v;
    size_t at = 0;
    hf_blob_reader_open(&r, &b);
    for (; hf_blob_reader_peek(&r, &v) == HF_OK; at += v.len, hf_blob_reader_advance(&r, v.len))
        assert_memory_equal(v.ptr, pattern(n).ptr + at, v.len);
    assert_int_equal(at, n);
    hf_blob_reader_close(&r);
}

static void nobody_copies_them(void **state)
{
    (void)state;
    struct hf_blob_pool *here = hf_blob_pool_new(0), *there = hf_blob_pool_new(0);
    struct hf_buf buf = {0};
    assert_int_equal(hf_buf_add_view(&buf, pattern(700 * KIB)), HF_OK);
    struct hf_blob *whole = hf_blob_of_buf_in(here, &buf), *pieces = arrived(here, 500 * KIB);
    const uint8_t *bytes = first_of(whole), *second = pieces->head->next->data;
    struct hf_blob *a = hf_blob_of_share(there, hf_blob_share(whole)),
                   *b = hf_blob_of_share(there, hf_blob_share(pieces));
    assert_true(hf_blob_complete(a) && hf_blob_complete(b));
    assert_ptr_equal(first_of(a), bytes);
    assert_ptr_equal(b->head->next->data, second);
    struct hf_blob *again = hf_blob_of_share(here, hf_blob_share(a)); /* and back */
    assert_ptr_equal(first_of(again), bytes);
    hf_blob_unref(whole); /* who made them lets go first */
    hf_blob_unref(pieces);
    hf_blob_unref(again);
    assert_int_equal(hf_blob_pool_live(here), 0);
    hf_blob_pool_unref(here);
    read_all(a, 700 * KIB);
    read_all(b, 500 * KIB);
    assert_int_equal(hf_blob_pool_live(there), 0);
    hf_blob_pool_unref(there);
}

static void little_ones_are_copied_once(void **state)
{
    (void)state;
    struct hf_blob_pool *pool = hf_blob_pool_new(0);
    struct hf_blob *a = hf_blob_of_bytes_in(pool, pattern(1000)),
                   *none = hf_blob_of_bytes_in(pool, (struct hf_view){0}), *short_one = arrived(pool, 100);
    struct hf_blob_share *s = hf_blob_share(a);
    hf_blob_unref(a);
    read_all(hf_blob_of_share(pool, s), 1000);
    read_all(hf_blob_of_share(pool, hf_blob_share(none)), 0);
    read_all(hf_blob_of_share(pool, hf_blob_share(short_one)), 100);
    hf_blob_unref(none);
    hf_blob_unref(short_one);
    assert_int_equal(hf_blob_pool_live(pool), 0);
    hf_blob_pool_unref(pool);
}

static void trailers_go_along(void **state)
{
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *mine = hf_blob_ref(b);
    assert_int_equal(hf_blob_push(b, pattern(10 * KIB)), HF_OK);
    assert_int_equal(hf_blob_set_trailers(b, HF_VIEW("encoded")), HF_OK);
    hf_blob_finish(b);
    struct hf_blob *other = hf_blob_of_share(NULL, hf_blob_share(b));
    assert_true(hf_view_eq_text(hf_blob_trailers(other), "encoded"));
    hf_blob_unref(b);
    hf_blob_unref(mine);
    read_all(other, 10 * KIB);
}

static void what_is_not_all_there_is_not_shared(void **state)
{
    struct shelf shelf;
    (void)state;
    struct hf_blob *b = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *mine = hf_blob_ref(b);
    assert_int_equal(hf_blob_push(b, pattern(10 * KIB)), HF_OK);
    assert_null(hf_blob_share(mine)); /* it still arrives */
    hf_blob_fail(b, HF_IO);
    assert_null(hf_blob_share(mine)); /* it broke off */
    hf_blob_unref(b);
    hf_blob_unref(mine);
    struct hf_blob_pool *pool = hf_blob_pool_new(0);
    shelf_attach(&shelf, pool, 10 * KIB, 10 * KIB);
    b = hf_blob_of_bytes_in(pool, pattern(100 * KIB));
    struct hf_blob_share *s = hf_blob_share(b); /* on its way, but still here */
    assert_non_null(s);
    (void)shelf_go(&shelf, SIZE_MAX);
    assert_null(hf_blob_share(b)); /* in the file */
    struct hf_blob *other = hf_blob_of_share(NULL, s);
    read_all(other, 100 * KIB);
    hf_blob_unref(b);
    hf_blob_share_free(NULL);
    hf_blob_pool_unref(pool);
    assert_int_equal(shelf.used, 0);
    shelf_close(&shelf);
}

/* Each worker has its own bound: what one puts into its file the other may keep, and the other way. */
static void each_spills_for_itself(void **state)
{
    struct shelf first, second;
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)state;
    struct hf_blob_pool *here = hf_blob_pool_new(0), *there = hf_blob_pool_new(0);
    shelf_attach(&first, here, 300 * KIB, 300 * KIB);
    shelf_attach(&second, there, 10 * KIB, 10 * KIB);
    struct hf_blob *a = hf_blob_of_bytes_in(here, pattern(200 * KIB)), *c = arrived(here, 90 * KIB);
    struct hf_blob *b = hf_blob_of_share(there, hf_blob_share(a)),
                   *d = hf_blob_of_share(there, hf_blob_share(c));
    while (shelf_go(&second, 1))
        ;
    assert_int_equal(hf_blob_memory(b), 0);
    assert_int_equal(hf_blob_memory(a), 200 * KIB);
    hf_blob_unref(a); /* the last that had them in memory */
    hf_blob_reader_open(&r, &b);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_AGAIN);
    (void)shelf_go(&second, SIZE_MAX);
    assert_int_equal(hf_blob_reader_peek(&r, &v), HF_OK);
    assert_memory_equal(v.ptr, pattern(v.len).ptr, v.len);
    hf_blob_reader_close(&r);
    hf_blob_unref(c);
    hf_blob_unref(d);
    struct hf_blob *e = hf_blob_of_bytes_in(there, pattern(50 * KIB)); /* freed on its way, and shared */
    struct hf_blob *f = hf_blob_of_share(here, hf_blob_share(e));
    hf_blob_unref(e);
    (void)shelf_go(&second, SIZE_MAX);
    (void)shelf_go(&first, SIZE_MAX);
    read_all(f, 50 * KIB);
    assert_int_equal(first.used + second.used, 0);
    assert_int_equal(hf_blob_pool_live(here) + hf_blob_pool_live(there), 0);
    hf_blob_pool_unref(here);
    hf_blob_pool_unref(there);
    shelf_close(&first);
    shelf_close(&second);
}

enum { MANY = 200 };
static uint8_t small, large; /* sums of bytes */

static uint8_t sum_of(size_t n)
{
    uint8_t sum = 0;
    struct hf_view v = pattern(n);
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + v.ptr[i]);
    return sum;
}

static void *other_worker(void *arg)
{
    struct hf_blob_share **shares = arg;
    struct hf_blob_pool *pool = hf_blob_pool_new(0);
    for (size_t i = 0; i < MANY; i++) {
        if (i % 5 == 4) {
            hf_blob_share_free(shares[i]);
            continue;
        }
        struct hf_blob *b = hf_blob_of_share(pool, shares[i]);
        HF_ASSERT(b != NULL && hf_blob_pushed(b) == (i % 2 == 0 ? 20 : 100) * KIB);
        struct hf_blob_reader r = {0};
        struct hf_view v;
        uint8_t sum = 0;
        hf_blob_reader_open(&r, &b);
        while (hf_blob_reader_peek(&r, &v) == HF_OK) {
            for (size_t k = 0; k < v.len; k++)
                sum = (uint8_t)(sum + v.ptr[k]);
            hf_blob_reader_advance(&r, v.len);
        }
        HF_ASSERT(sum == (i % 2 == 0 ? small : large));
        hf_blob_reader_close(&r);
    }
    hf_blob_pool_unref(pool);
    return NULL;
}

/* Both let go at the same time. */
static void the_last_frees_them_on_its_own_thread(void **state)
{
    static struct hf_blob_share *shares[MANY];
    static struct hf_blob *blobs[MANY];
    pthread_t thread;
    (void)state;
    struct hf_blob_pool *pool = hf_blob_pool_new(0);
    small = sum_of(20 * KIB);
    large = sum_of(100 * KIB);
    for (size_t i = 0; i < MANY; i++) {
        struct hf_buf buf = {0};
        assert_int_equal(hf_buf_add_view(&buf, pattern(20 * KIB)), HF_OK);
        blobs[i] = i % 2 == 0 ? hf_blob_of_buf_in(pool, &buf) : arrived(pool, 100 * KIB);
        hf_buf_done(&buf);
        shares[i] = hf_blob_share(blobs[i]);
        assert_non_null(shares[i]);
    }
    assert_int_equal(pthread_create(&thread, NULL, other_worker, shares), 0);
    for (size_t i = 0; i < MANY; i++)
        hf_blob_unref(blobs[i]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(hf_blob_pool_live(pool), 0);
    hf_blob_pool_unref(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_copies_them),
        cmocka_unit_test(little_ones_are_copied_once),
        cmocka_unit_test(trailers_go_along),
        cmocka_unit_test(what_is_not_all_there_is_not_shared),
        cmocka_unit_test(each_spills_for_itself),
        cmocka_unit_test(the_last_frees_them_on_its_own_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
