/* vec_test.c - growing arrays, and sums that do not fit. */
#include "base/vec.h"

#include "support.h"

struct pair {
    uint64_t a, b;
};

static void pushes_keep_order(void **state)
{
    (void)state;
    struct {
        struct pair *ptr;
        size_t len, cap;
    } v = {0};
    size_t moves = 0, cap = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        assert_true(HF_VEC_PUSH(&v, (struct pair){i, ~i}));
        moves += v.cap != cap;
        cap = v.cap;
    }
    assert_int_equal(v.len, 10000);
    assert_true(moves < 20); /* doubling */
    for (uint64_t i = 0; i < 10000; i++)
        assert_true(v.ptr[i].a == i && v.ptr[i].b == ~i);
    assert_true(HF_VEC_RESERVE(&v, 50000));
    assert_true(v.cap >= 60000);
    HF_VEC_DONE(&v);
    assert_null(v.ptr);
    assert_int_equal(v.cap, 0);
}

static void sums_that_overflow_are_refused(void **state)
{
    (void)state;
    struct {
        struct pair *ptr;
        size_t len, cap;
    } v = {0};
    assert_true(HF_VEC_PUSH(&v, (struct pair){1, 2}));
    struct pair *ptr = v.ptr;
    size_t cap = v.cap;
    assert_false(HF_VEC_RESERVE(&v, SIZE_MAX));
    assert_false(HF_VEC_RESERVE(&v, SIZE_MAX / sizeof(struct pair)));
    assert_false(HF_VEC_RESERVE(&v, PTRDIFF_MAX / sizeof(struct pair)));
    assert_ptr_equal(v.ptr, ptr);
    assert_int_equal(v.cap, cap);
    assert_int_equal(v.ptr[0].b, 2);
    HF_VEC_DONE(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushes_keep_order),
        cmocka_unit_test(sums_that_overflow_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
