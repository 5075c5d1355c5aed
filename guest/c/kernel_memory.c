/*
 * Memory for what comes to a process: part of every C guest that is one (guest/build), nothing to call.
 *
 * For each message the host asks for a few small blocks, and the bindings free them again
 * (hf_message_done). They are taken from these slots, in a few instructions; when all are in use, and
 * for what is larger, there is malloc. Whoever frees or grows a block need not know: free and realloc
 * look at the address (the linker's --wrap).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16u
#define SLOT  256u

static _Alignas(16) uint8_t slots[SLOTS * SLOT];
static uint32_t in_use; /* a bit for each */

void *cabi_realloc(void *ptr, size_t old_size, size_t align, size_t size);
void __real_free(void *ptr);
void *__real_realloc(void *ptr, size_t size);
void __wrap_free(void *ptr);
void *__wrap_realloc(void *ptr, size_t size);

static inline size_t slot_of(const void *ptr) /* SLOTS or more: none */
{
    return ((uintptr_t)ptr - (uintptr_t)slots) / SLOT;
}

__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *ptr, size_t old_size, size_t align, size_t size)
{
    uint32_t free_slots = ~in_use & ((1u << SLOTS) - 1);
    (void)old_size;
    if (size == 0)
        return (void *)align;
    if (ptr == NULL && size <= SLOT && free_slots != 0) {
        unsigned i = (unsigned)__builtin_ctz(free_slots);
        in_use |= 1u << i;
        return slots + i * SLOT;
    }
    void *ret = realloc(ptr, size);
    if (ret == NULL)
        abort();
    return ret;
}

void __wrap_free(void *ptr)
{
    size_t i = slot_of(ptr);
    if (i >= SLOTS)
        __real_free(ptr);
    else
        in_use &= ~(1u << i);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    if (slot_of(ptr) >= SLOTS)
        return __real_realloc(ptr, size);
    void *ret = malloc(size);
    if (ret == NULL)
        return NULL;
    memcpy(ret, ptr, size < SLOT ? size : SLOT);
    __wrap_free(ptr);
    return ret;
}
