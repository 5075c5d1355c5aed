/* value_bytes_fuzz.c - any type, any bytes: what is read as a value is written as exactly the bytes
 * that were read, so no value has two encodings and no bytes are two values.
 *
 * The first bytes choose a type, the rest are the value. Checked beside the sanitizers: a refusal
 * names its byte; the arena's limit holds; handles are counted alike on both sides.
 *
 * rooms: base
 * files: src/component/value_bytes.c src/component/types.c src/component/type_text.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "component/value_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static const struct hf_host_resource *const some_host = (const void *)&some_host;
static struct hf_resource_type host_r, guest_r;

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
    if (c >= 250) {
        MUST(hf_type_handle(a, c % 2 == 0 ? HF_T_OWN : HF_T_BORROW, c < 253 ? &host_r : &guest_r,
                            &t, NULL) == HF_OK);
        return t;
    }
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
