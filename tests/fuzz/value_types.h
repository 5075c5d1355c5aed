/* value_types.h - a type out of a fuzzer's first bytes, for the targets of values as text and as bytes.
 *
 * Handles come where VALUE_TYPES_HANDLES is defined before: an array of two resource types. */
#ifndef HF_TESTS_FUZZ_VALUE_TYPES_H
#define HF_TESTS_FUZZ_VALUE_TYPES_H

#include <stdio.h>
#include <stdlib.h>

#include "component/value.h"

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static uint8_t next(const uint8_t **at, const uint8_t *end)
{
    return *at < end ? *(*at)++ : 0;
}

static const struct hf_type *make(struct hf_arena *a, const uint8_t **at, const uint8_t *end,
                                  int depth)
{
    static const struct hf_view names[] = {{(const uint8_t *)"a", 1},
                                           {(const uint8_t *)"none", 4},
                                           {(const uint8_t *)"b-c", 3},
                                           {(const uint8_t *)"ok", 2}};
    static const enum hf_type_kind kinds[] = {HF_T_RECORD, HF_T_TUPLE,  HF_T_VARIANT, HF_T_ENUM,
                                              HF_T_OPTION, HF_T_RESULT, HF_T_FLAGS};
    uint8_t c = next(at, end);
    const struct hf_type *t = NULL;
#ifdef VALUE_TYPES_HANDLES
    if (c >= 250) {
        MUST(hf_type_handle(a, c % 2 == 0 ? HF_T_OWN : HF_T_BORROW, VALUE_TYPES_HANDLES[c >= 253],
                            &t, NULL) == HF_OK);
        return t;
    }
#endif
    if (depth == 0 || c % 32 <= HF_T_STRING)
        return hf_type_prim((enum hf_type_kind)(c % (HF_T_STRING + 1)));
    if (c % 32 < 17) {
        MUST(hf_type_list(a, make(a, at, end, depth - 1), &t, NULL) == HF_OK);
        return t;
    }
    if (c % 32 < 19) {
        const struct hf_type *key = make(a, at, end, 0);
        MUST(hf_type_map(a, key, make(a, at, end, depth - 1), &t, NULL) == HF_OK);
        return t;
    }
    enum hf_type_kind kind = kinds[c % 7];
    struct hf_member m[4];
    uint32_t n = kind == HF_T_OPTION ? 1 : kind == HF_T_RESULT ? 2 : 1 + c / 32 % 4;
    bool labels = kind == HF_T_ENUM || kind == HF_T_FLAGS;
    for (uint32_t i = 0; i < n; i++) {
        bool empty =
            labels || ((kind == HF_T_VARIANT || kind == HF_T_RESULT) && next(at, end) % 3 == 0);
        m[i] = (struct hf_member){.name = names[i],
                                  .type = empty ? NULL : make(a, at, end, depth - 1)};
    }
    MUST(hf_type_compound(a, kind, m, n, &t, NULL) == HF_OK);
    return t;
}

#endif
