/* vec.h - growable arrays of one element type.
 *
 *     struct names { struct hf_view *ptr; size_t len, cap; } names = {0};
 *     if (!HF_VEC_PUSH(&names, view)) return HF_LIMIT;
 *     free(names.ptr);
 *
 * Any struct with fields ptr, len, cap works. Elements move when it grows: hold indexes, not
 * pointers.
 */
#ifndef HF_BASE_VEC_H
#define HF_BASE_VEC_H

#include <stdlib.h>

#include "base/err.h"

/* Makes room for `extra` more elements of `size` bytes. False when memory is out or the sum
 * overflows. */
bool hf_vec_grow(void **ptr, size_t *cap, size_t len, size_t extra, size_t size);

#define HF_VEC_RESERVE(v, n)                                                                       \
    ((v)->cap - (v)->len >= (size_t)(n)                                                            \
         ? true                                                                                    \
         : hf_vec_grow((void **)(void *)&(v)->ptr, &(v)->cap, (v)->len, (n), sizeof *(v)->ptr))
#define HF_VEC_PUSH(v, ...)                                                                        \
    (HF_VEC_RESERVE((v), 1) ? ((v)->ptr[(v)->len++] = (__VA_ARGS__), true) : false)
#define HF_VEC_DONE(v) (free((v)->ptr), (v)->ptr = NULL, (v)->len = (v)->cap = 0)

#endif
