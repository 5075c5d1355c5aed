/* arena_mark_test.c - the arena as a stack: marks nest, release gives everything back, warm ones
 * ask the heap for nothing. */
#include "base/arena.h"

#include "support.h"

static void release_goes_back_to_the_mark(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, 1024, 100000);
    uint8_t *kept = hf_arena_alloc(&arena, 100, 1);
    memset(kept, 7, 100);
    struct hf_arena_mark mark = hf_arena_mark(&arena);
    uint8_t *first = hf_arena_alloc(&arena, 10, 1);
    hf_arena_release(&arena, &mark);
    assert_int_equal(arena.used, 100);
    assert_ptr_equal(hf_arena_alloc(&arena, 10, 1), first);
    hf_arena_release(&arena, &mark);
    for (int i = 0; i < 200; i++) /* over several chunks */
        assert_non_null(hf_arena_alloc(&arena, 300, 16));
    hf_arena_release(&arena, &mark);
    assert_int_equal(arena.used, 100);
    assert_ptr_equal(hf_arena_alloc(&arena, 10, 1), first);
    for (int i = 0; i < 100; i++)
        assert_int_equal(kept[i], 7);
    hf_arena_done(&arena);
}

/* A random walk of marks and blocks against what was written. */
static void marks_nest(void **state)
{
    (void)state;
    enum { DEEP = 40 };
    struct hf_arena_mark marks[DEEP];
    struct {
        uint8_t *ptr;
        size_t len;
        uint8_t fill;
        int depth;
    } block[4000];
    size_t used_at[DEEP];
    int depth = 0, n = 0;
    uint64_t seed = 11;
    struct hf_arena arena;
    hf_arena_init(&arena, 256, 3 << 20);
    for (int step = 0; step < 60000; step++) {
        uint64_t what = rng_below(&seed, 10);
        if (what == 0 && depth < DEEP) {
            used_at[depth] = arena.used;
            marks[depth++] = hf_arena_mark(&arena);
        } else if (what == 1 && depth > 0) {
            hf_arena_release(&arena, &marks[--depth]);
            assert_int_equal(arena.used, used_at[depth]);
            while (n > 0 && block[n - 1].depth > depth)
                n--;
        } else if (n < 4000) {
            size_t len =
                rng_below(&seed, 30) == 0 ? rng_below(&seed, 20000) : rng_below(&seed, 100);
            uint8_t *p = hf_arena_alloc(&arena, len, 1);
            if (p == NULL) {
                assert_true(arena.used + len > arena.max);
                continue;
            }
            memset(p, step & 0xff, len);
            block[n].ptr = p;
            block[n].len = len;
            block[n].fill = step & 0xff;
            block[n++].depth = depth;
        }
        if (step % 500 == 0) {
            for (int i = 0; i < n; i++) {
                for (size_t k = 0; k < block[i].len; k++)
                    assert_int_equal(block[i].ptr[k], block[i].fill);
            }
        }
    }
    hf_arena_done(&arena);
}

static void a_mark_of_an_empty_arena_keeps_the_first_chunk(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, 1024, SIZE_MAX);
    struct hf_arena_mark mark = hf_arena_mark(&arena);
    void *first = hf_arena_alloc(&arena, 100, 16);
    struct hf_arena_chunk *chunk = arena.head;
    for (int i = 0; i < 10; i++)
        assert_non_null(hf_arena_alloc(&arena, 1000, 16));
    hf_arena_release(&arena, &mark);
    assert_ptr_equal(arena.head, chunk);
    assert_int_equal(arena.used, 0);
    assert_ptr_equal(hf_arena_alloc(&arena, 100, 16), first);
    hf_arena_release(&arena, &mark);
    assert_int_equal(arena.used, 0);
    hf_arena_done(&arena);
}

/* A call that needs a second chunk each time gets the same one each time. */
static void a_warm_stack_takes_the_spare_chunk(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, 1024, SIZE_MAX);
    assert_non_null(hf_arena_alloc(&arena, 1, 1));
    struct hf_arena_mark mark = hf_arena_mark(&arena);
    uint8_t *large = hf_arena_alloc(&arena, 60000, 16);
    for (int i = 0; i < 10; i++) {
        hf_arena_release(&arena, &mark);
        assert_non_null(arena.spare);
        assert_ptr_equal(hf_arena_alloc(&arena, 60000, 16), large);
        assert_null(arena.spare);
    }
    hf_arena_release(&arena, &mark);
    hf_arena_done(&arena);
}

static void s14_the_limit_holds_after_release(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, 512, 4096);
    struct hf_arena_mark mark = hf_arena_mark(&arena);
    for (int i = 0; i < 50; i++) {
        assert_non_null(hf_arena_alloc(&arena, 4096, 1));
        assert_null(hf_arena_alloc(&arena, 1, 1));
        hf_arena_release(&arena, &mark);
        assert_non_null(hf_arena_alloc(&arena, 1000, 1));
        assert_null(hf_arena_alloc(&arena, 3097, 1));
        hf_arena_release(&arena, &mark);
    }
    hf_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(release_goes_back_to_the_mark),
        cmocka_unit_test(marks_nest),
        cmocka_unit_test(a_mark_of_an_empty_arena_keeps_the_first_chunk),
        cmocka_unit_test(a_warm_stack_takes_the_spare_chunk),
        cmocka_unit_test(s14_the_limit_holds_after_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
