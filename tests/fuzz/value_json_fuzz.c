/* value_json_fuzz.c - any type, any text: what is read as JSON is written as JSON that reads back
 * as the same value, writes the same again, and is JSON to others too (jansson).
 *
 * rooms: base
 * files: src/component/value_json.c src/component/value_json_scan.c src/component/value_parse.c
 * files: src/component/value_print.c src/component/value_scan.c src/component/types.c
 * files: src/component/type_text.c
 */
#include <jansson.h>

#include "tests/fuzz/value_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_json(struct hf_view text)
{
    json_error_t error;
    json_t *doc = json_loadb((const char *)text.ptr, text.len,
                             JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES |
                                 JSON_ALLOW_NUL,
                             &error);
    if (doc == NULL && json_error_code(&error) == json_error_numeric_overflow)
        return true; /* its own limit */
    json_decref(doc);
    return doc != NULL;
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
    struct hf_view in = hf_view(at, (size_t)(end - at));
    enum hf_err err = hf_value_json_read(t, in, &arena, &v, &report);
    if (err != HF_OK) {
        MUST(err == HF_INVALID || err == HF_LIMIT);
        MUST(strstr(report.text, "column ") != NULL);
    } else {
        MUST(is_json(in));
        MUST(hf_value_json_write(t, &v, &text) == HF_OK);
        MUST(is_json(hf_buf_view(&text)));
        err = hf_value_json_read(t, hf_buf_view(&text), &arena, &again, &report);
        MUST(err == HF_OK || err == HF_LIMIT);
        if (err == HF_OK) {
            MUST(hf_value_eq(t, &v, &again));
            MUST(hf_value_json_write(t, &again, &twice) == HF_OK);
            MUST(hf_view_eq(hf_buf_view(&text), hf_buf_view(&twice)));
        }
    }
    hf_buf_done(&text);
    hf_buf_done(&twice);
    hf_arena_done(&arena);
    return 0;
}
