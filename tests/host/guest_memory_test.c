/* guest_memory_test.c - guest/c/kernel_memory.c, which every C guest that is a process has in it: its slots and malloc behind
 * one cabi_realloc, free and realloc. (In guests: tests/test_processes.py and the others send thousands of messages.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#pragma GCC diagnostic ignored "-Wattributes" /* export_name is wasm's */
#include "guest/c/kernel_memory.c"

static unsigned freed; /* by the real one */

void __real_free(void *ptr)
{
    freed += ptr != NULL;
    free(ptr);
}

void *__real_realloc(void *ptr, size_t size)
{
    return realloc(ptr, size);
}

static bool in_slot(const void *ptr)
{
    return slot_of(ptr) < SLOTS;
}

static void small_blocks_lie_in_slots(void **state)
{
    void *p[SLOTS + 1];
    (void)state;
    freed = 0;
    for (unsigned i = 0; i <= SLOTS; i++) {
        p[i] = cabi_realloc(NULL, 0, 8, SLOT);
        assert_true(in_slot(p[i]) == (i < SLOTS)); /* the last found none */
        assert_true(((uintptr_t)p[i] & 7) == 0);
        memset(p[i], (int)i, SLOT);
        for (unsigned k = 0; k < i; k++)
            assert_true(((uint8_t *)p[k])[0] == k && ((uint8_t *)p[k])[SLOT - 1] == k);
    }
    __wrap_free(p[3]);
    p[3] = cabi_realloc(NULL, 0, 1, 1);
    assert_true(in_slot(p[3]));
    for (unsigned i = 0; i <= SLOTS; i++)
        __wrap_free(p[i]);
    assert_int_equal(freed, 1);
    assert_int_equal(in_use, 0);
}

static void others_are_mallocs(void **state)
{
    (void)state;
    freed = 0;
    assert_ptr_equal(cabi_realloc(NULL, 0, 4, 0), (void *)4); /* as the bindings' own */
    void *large = cabi_realloc(NULL, 0, 1, SLOT + 1);
    assert_false(in_slot(large));
    __wrap_free(large);
    __wrap_free(NULL);
    assert_int_equal(freed, 1);
    assert_int_equal(in_use, 0);
}

static void a_block_grows_out_of_its_slot(void **state)
{
    (void)state;
    uint8_t *p = cabi_realloc(NULL, 0, 1, 100);
    assert_true(in_slot(p));
    memset(p, 7, 100);
    p = __wrap_realloc(p, 5000);
    assert_false(in_slot(p));
    assert_true(p[0] == 7 && p[99] == 7);
    assert_int_equal(in_use, 0);
    p = __wrap_realloc(p, 6000);
    assert_true(p[99] == 7);
    __wrap_free(p);
    p = cabi_realloc(NULL, 0, 1, 100); /* by the host, as for a string whose length it learns late */
    memset(p, 8, 100);
    p = __wrap_realloc(p, 3);
    assert_true(p[2] == 8);
    __wrap_free(p);
    assert_int_equal(in_use, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_blocks_lie_in_slots),
        cmocka_unit_test(others_are_mallocs),
        cmocka_unit_test(a_block_grows_out_of_its_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
