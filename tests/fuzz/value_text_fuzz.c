/* value_text_fuzz.c - any type, any text: what WAVE text is read as prints, and reads back as the
 * same value and text.
 *
 * The first bytes choose a type, the rest is the text. Checked beside the sanitizers: an error
 * names a column; a value that was read is printed; the canonical text reads back equal and prints
 * the same again.
 *
 * rooms: base
 * files: src/component/value_parse.c src/component/value_print.c src/component/value_scan.c
 * files: src/component/types.c src/component/type_text.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "component/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_arena arena;
    struct hf_report report = {0};
    struct hf_value v, again;
    struct hf_buf text = {0}, twice = {0};
    const uint8_t *at = data, *end = data + size;
    hf_arena_init(&arena, 4096, 1u << 20);
    const struct hf_type *t = make(&arena, &at, end, 4);
    enum hf_err err = hf_value_parse(t, hf_view(at, (size_t)(end - at)), &arena, &v, &report);
    if (err != HF_OK) {
        MUST(err == HF_INVALID || err == HF_LIMIT);
        MUST(strncmp(report.text, "column ", 7) == 0 || strncmp(report.text, "line ", 5) == 0);
    } else {
        MUST(hf_value_print(t, &v, &text) == HF_OK);
        MUST(hf_value_eq(t, &v, &v));
        err = hf_value_parse(t, hf_buf_view(&text), &arena, &again, &report);
        MUST(err == HF_OK || err == HF_LIMIT);
        if (err == HF_OK) {
            MUST(hf_value_eq(t, &v, &again));
            MUST(hf_value_print(t, &again, &twice) == HF_OK);
            MUST(hf_view_eq(hf_buf_view(&text), hf_buf_view(&twice)));
        }
    }
    hf_buf_done(&text);
    hf_buf_done(&twice);
    hf_arena_done(&arena);
    return 0;
}
