/* allocations.h - counts every allocation a thread of a test program makes: its own malloc and its
 * kin stand before the C library's. For one file of a program; the counter is that file's.
 *
 * Each thread has a count of its own: the engine keeps threads for compiling, which allocate when
 * they please, while another thread counts what its call took. A fiber runs on its caller's thread.
 */
#ifndef HF_TESTS_ALLOCATIONS_H
#define HF_TESTS_ALLOCATIONS_H

#include <stddef.h>
#include <stdint.h>

static _Thread_local uint64_t n_allocations;

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

#define COUNT() (n_allocations++)

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

/* What this thread has made so far. */
static uint64_t allocations(void)
{
    return n_allocations;
}

#endif
