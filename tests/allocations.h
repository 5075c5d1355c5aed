/* allocations.h - counts every allocation of a test program: its own malloc and its kin stand
 * before the C library's. For one file of a program; the counter is that file's.
 */
#ifndef HF_TESTS_ALLOCATIONS_H
#define HF_TESTS_ALLOCATIONS_H

#include <stddef.h>
#include <stdint.h>

static uint64_t n_allocations;

#ifndef __SANITIZE_ADDRESS__
#define COUNTED 1
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void *memalign(size_t align, size_t size);
void *aligned_alloc(size_t align, size_t size);
int posix_memalign(void **ret, size_t align, size_t size);

#define COUNT() __atomic_add_fetch(&n_allocations, 1, __ATOMIC_RELAXED)

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    COUNT();
    return __libc_malloc(size);
}
__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
    COUNT();
    return __libc_calloc(n, size);
}
__attribute__((visibility("default"))) void *realloc(void *p, size_t size)
{
    COUNT();
    return __libc_realloc(p, size);
}
__attribute__((visibility("default"))) void *memalign(size_t align, size_t size)
{
    COUNT();
    return __libc_memalign(align, size);
}
__attribute__((visibility("default"))) void *aligned_alloc(size_t align, size_t size)
{
    COUNT();
    return __libc_memalign(align, size);
}
__attribute__((visibility("default"))) int posix_memalign(void **ret, size_t align, size_t size)
{
    COUNT();
    *ret = __libc_memalign(align, size);
    return *ret == NULL ? 12 : 0;
}
#else
#define COUNTED 0 /* the sanitizer's own; the calls are made all the same */
#endif

static uint64_t allocations(void)
{
    return __atomic_load_n(&n_allocations, __ATOMIC_RELAXED);
}

#endif
