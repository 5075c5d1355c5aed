/* value_bytes_fuzz.c - any type, any bytes: what is read as a value is written as exactly the bytes
 * that were read, so no value has two encodings and no bytes are two values.
 *
 * The first bytes choose a type, the rest are the value. Checked beside the sanitizers: a refusal
 * names its byte; the arena's limit holds; handles are counted alike on both sides.
 *
 * rooms: base
 * files: src/component/value_bytes.c src/component/types.c src/component/type_text.c
 */
#include "component/value_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hf_host_resource *const some_host = (const void *)&some_host;
static struct hf_resource_type host_r, guest_r;

static const struct hf_resource_type *const handles[] = {&host_r, &guest_r};
#define VALUE_TYPES_HANDLES handles
#include "tests/fuzz/value_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_arena arena;
    struct hf_report report = {0};
    struct hf_value v = {0};
    struct hf_buf out = {0};
    struct hf_u32s numbers = {0}, places = {0};
    const uint8_t *at = data, *end = data + size;
    host_r.host = some_host;
    hf_arena_init(&arena, 4096, 1u << 20);
    const struct hf_type *t = make(&arena, &at, end, 4);
    struct hf_reader r = hf_reader(hf_view(at, (size_t)(end - at)));
    enum hf_err err = hf_value_read(t, &r, &arena, &host_r, &numbers, &v, &report);
    if (err != HF_OK) {
        MUST(err == HF_LIMIT || (err == HF_INVALID && r.bad));
        MUST(err == HF_LIMIT || strncmp(report.text, "byte ", 5) == 0);
    } else {
        size_t len = hf_reader_pos(&r);
        MUST(hf_value_write(t, &v, len, &out, &places) == HF_OK || out.len + 5 > len);
        hf_buf_clear(&out);
        places.n = 0;
        MUST(hf_value_write(t, &v, SIZE_MAX, &out, &places) == HF_OK);
        MUST(places.n == numbers.n);
        hf_value_bytes_handles(&out, &places, numbers.ptr);
        MUST(out.len == len && (len == 0 || memcmp(out.ptr, at, len) == 0));
    }
    hf_buf_done(&out);
    hf_u32s_done(&numbers);
    hf_u32s_done(&places);
    hf_arena_done(&arena);
    return 0;
}
