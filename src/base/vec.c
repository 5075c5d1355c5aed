/* vec.c - the one growing step behind the macros of vec.h. */
#include "base/vec.h"

#define VEC_FIRST 8u /* elements of the first allocation */

bool hf_vec_grow(void **ptr, size_t *cap, size_t len, size_t extra, size_t size)
{
    size_t max = PTRDIFF_MAX / size;
    if (len > max || extra > max - len)
        return false;
    size_t want = len + extra;
    if (want <= *cap)
        return true;
    if (*cap <= max / 2 && want < 2 * *cap)
        want = 2 * *cap;
    if (want < VEC_FIRST && VEC_FIRST <= max)
        want = VEC_FIRST;
    void *moved = realloc(*ptr, want * size);
    if (moved == NULL)
        return false;
    *ptr = moved;
    *cap = want;
    return true;
}
