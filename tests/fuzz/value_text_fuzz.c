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
#include "tests/fuzz/value_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
