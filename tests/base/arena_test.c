/* arena_test.c - blocks do not overlap, are aligned, and the limit holds to the byte (rule S14). */
#include "base/arena.h"

#include "support.h"

static void blocks_are_apart_and_aligned(void **state)
{
    (void)state;
    enum { N = 2000 };
    static struct {
        uint8_t *ptr;
        size_t len;
    } block[N];
    uint64_t seed = 2;
    struct hf_arena arena;
    hf_arena_init(&arena, 512, SIZE_MAX);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            size_t align = (size_t)1 << rng_below(&seed, 5);
            size_t len = rng_below(&seed, 40) == 0 ? rng_below(&seed, 9000) : rng_below(&seed, 60);
            block[i].ptr = hf_arena_alloc(&arena, len, align);
            block[i].len = len;
            assert_non_null(block[i].ptr);
            assert_int_equal((uintptr_t)block[i].ptr % align, 0);
            if (len > 0)
                memset(block[i].ptr, i & 0xFF, len);
        }
        for (int i = 0; i < N; i++) {
            for (size_t k = 0; k < block[i].len; k++)
                assert_int_equal(block[i].ptr[k], i & 0xFF);
        }
        hf_arena_reset(&arena);
        assert_int_equal(arena.used, 0);
    }
    hf_arena_done(&arena);
    assert_null(arena.head);
}

static void warm_arena_keeps_its_chunk(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, 4096, SIZE_MAX);
    void *first = hf_arena_alloc(&arena, 100, 16);
    struct hf_arena_chunk *chunk = arena.head;
    for (int i = 0; i < 100; i++)
        assert_non_null(hf_arena_alloc(&arena, 1000, 1));
    assert_ptr_not_equal(arena.head, chunk);
    hf_arena_reset(&arena);
    assert_ptr_equal(arena.head, chunk);
    assert_ptr_equal(hf_arena_alloc(&arena, 100, 16), first);
    hf_arena_done(&arena);
}

/* Whatever mix of sizes and alignments: never more than max in all, counting what alignment wastes.
 */
static void s14_limit_holds(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (size_t max = 0; max < 600; max++) {
        struct hf_arena arena;
        hf_arena_init(&arena, 1, max);
        for (int round = 0; round < 2; round++) {
            size_t asked = 0;
            for (int i = 0; i < 100; i++) {
                size_t len = rng_below(&seed, 40);
                if (hf_arena_alloc(&arena, len, (size_t)1 << rng_below(&seed, 5)) != NULL)
                    asked += len;
                assert_true(asked <= arena.used && arena.used <= max);
            }
            if (max > 0)
                assert_true(asked > 0);
            hf_arena_reset(&arena);
        }
        assert_null(hf_arena_alloc(&arena, max + 1, 1));
        if (max > 0)
            assert_non_null(hf_arena_alloc(&arena, max, 1)); /* exactly max fits */
        assert_null(hf_arena_alloc(&arena, 1, 1));
        hf_arena_done(&arena);
    }
}

/* Marks nest like a stack; what is older than the mark stays, the limit is given back, and a call
 * that spills into a second chunk each time takes the same one each time. */
static void release_goes_back_to_the_mark(void **state)
{
    (void)state;
    enum { DEPTH = 8 };
    uint64_t seed = 16;
    struct hf_arena arena;
    hf_arena_init(&arena, 256, 100000);
    for (int round = 0; round < 2000; round++) {
        struct hf_arena_mark mark[DEPTH];
        uint8_t *kept[DEPTH];
        size_t used[DEPTH], len[DEPTH];
        for (int d = 0; d < DEPTH; d++) {
            mark[d] = hf_arena_mark(&arena);
            used[d] = arena.used;
            len[d] = rng_below(&seed, round % 10 == 0 ? 8000 : 200);
            kept[d] = hf_arena_alloc(&arena, len[d], (size_t)1 << rng_below(&seed, 5));
            assert_non_null(kept[d]);
            memset(kept[d], d, len[d]);
        }
        for (int d = DEPTH - 1; d >= 0; d--) {
            if (rng_below(&seed, 4) == 0) /* skipping marks is fine: the older one covers them */
                continue;
            hf_arena_release(&arena, &mark[d]);
            assert_int_equal(arena.used, used[d]);
            uint8_t *scratch = hf_arena_alloc(&arena, 50, 1); /* must not touch what is older */
            memset(scratch, 0xFF, 50);
            for (int older = 0; older < d; older++) {
                for (size_t k = 0; k < len[older]; k++)
                    assert_int_equal(kept[older][k], older);
            }
            hf_arena_release(&arena, &mark[d]);
        }
        hf_arena_release(&arena, &mark[0]);
        assert_int_equal(arena.used, 0);
        if (round % 100 == 99)
            hf_arena_reset(&arena);
    }
    hf_arena_done(&arena);
    assert_null(arena.spare);

    hf_arena_init(&arena, 256, 10000); /* the spare is larger than what is left of the limit */
    struct hf_arena_mark start = hf_arena_mark(&arena);
    assert_non_null(hf_arena_alloc(&arena, 100, 1));
    assert_non_null(hf_arena_alloc(&arena, 9000, 1));
    hf_arena_release(&arena, &start);
    assert_non_null(hf_arena_alloc(&arena, 250, 1));
    assert_non_null(hf_arena_alloc(&arena, 9700, 1)); /* 50 are left, fewer than the spare has */
    for (int i = 0; i < 10; i++) {
        (void)hf_arena_alloc(&arena, 1, 16);
        assert_true(arena.used <= 10000);
    }
    hf_arena_done(&arena);

    hf_arena_init(&arena, 256, SIZE_MAX);
    struct hf_arena_mark first = hf_arena_mark(&arena); /* before the first chunk */
    assert_non_null(hf_arena_alloc(&arena, 200, 1));
    hf_arena_release(&arena, &first);
    assert_non_null(hf_arena_alloc(&arena, 200, 1));
    struct hf_arena_mark mark = hf_arena_mark(&arena);
    void *second = hf_arena_alloc(&arena, 100, 1);
    for (int i = 0; i < 10; i++) {
        hf_arena_release(&arena, &mark);
        assert_ptr_equal(hf_arena_alloc(&arena, 100, 1), second);
    }
    hf_arena_done(&arena);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, 64, SIZE_MAX);
    assert_non_null(hf_arena_alloc(&arena, 8, 8));
    assert_null(hf_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(hf_arena_alloc(&arena, SIZE_MAX - 15, 16));
    assert_null(hf_arena_alloc(&arena, PTRDIFF_MAX, 16));
    assert_null(hf_arena_array(&arena, SIZE_MAX / 8 + 1, 8));
    assert_null(hf_arena_array(&arena, (size_t)1 << 32, (size_t)1 << 32));
    assert_null(hf_arena_copy(&arena, hf_view("x", SIZE_MAX)).ptr);
    assert_non_null(hf_arena_alloc(&arena, 8, 8));
    hf_arena_done(&arena);
}

static void arrays_are_zero_and_copies_end_in_nul(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, 256, 1000);
    memset(hf_arena_alloc(&arena, 200, 1), 0xFF, 200);
    hf_arena_reset(&arena);
    uint32_t *array = hf_arena_array(&arena, 50, sizeof *array);
    for (int i = 0; i < 50; i++)
        assert_int_equal(array[i], 0);
    struct hf_view copy = hf_arena_copy(&arena, HF_VIEW("text"));
    assert_int_equal(copy.len, 4);
    assert_string_equal(copy.ptr, "text");
    copy = hf_arena_copy(&arena, hf_view(NULL, 0));
    assert_string_equal(copy.ptr, "");
    static const char big[2000];
    assert_null(hf_arena_copy(&arena, hf_view(big, sizeof big)).ptr);
    struct hf_view *one = HF_ARENA_NEW(&arena, struct hf_view);
    assert_true(one->ptr == NULL && one->len == 0);
    hf_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_apart_and_aligned),
        cmocka_unit_test(warm_arena_keeps_its_chunk),
        cmocka_unit_test(release_goes_back_to_the_mark),
        cmocka_unit_test(s14_limit_holds),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(arrays_are_zero_and_copies_end_in_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
