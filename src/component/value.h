/* value.h - one component value, as host functions and callers see it: 16 bytes, typed by its hf_type from outside.
 *
 *   bool, integers, char      .u64 / .s64 (sign-extended for s*), char as scalar value
 *   f32, f64                  .f64 holds f64; .f32 holds f32
 *   string                    .len bytes of UTF-8 at .bytes (component-to-component calls may carry other encodings: .tag)
 *   list<scalar>              .len elements, packed little endian at .bytes (list<u8> is just bytes)
 *   list<other>               .len values at .items
 *   record, tuple             .len values at .items
 *   variant, enum, option,    .tag = case (option: 0 none 1 some; result: 0 ok 1 error); payload at .items (one value), or
 *   result                    NULL when the case has none
 *   flags                     .u64, bit i = label i
 *   own, borrow (host type)   .obj, the host's object; own: whoever gets the value owns it
 *   own, borrow (guest type)  .u64 = rep (the resource type says whose)
 * Views in arguments look straight into guest memory: read them before anything can run the guest (they stay good across
 * hf_block). Results may point anywhere that lives until the function returns plus one lowering: use hf_call_alloc.
 */
#ifndef HF_COMPONENT_VALUE_H
#define HF_COMPONENT_VALUE_H

#include "component/types.h"

struct hf_value {
    union {
        uint64_t u64;
        int64_t s64;
        double f64;
        float f32;
        const uint8_t *bytes;
        struct hf_value *items;
        void *obj;
    };
    uint32_t len;
    uint32_t tag; /* case number; for strings: enum hf_string_enc of .bytes, with .len in code units of it */
};
_Static_assert(sizeof(struct hf_value) == 16, "values are copied a lot");

enum hf_string_enc { HF_ENC_UTF8 = 0, HF_ENC_UTF16 = 1, HF_ENC_LATIN1 = 2, HF_ENC_LATIN1_UTF16 = 3 /* canon option only */ };

static inline struct hf_view hf_value_view(const struct hf_value *v) /* strings (UTF-8) and list<u8> */
{
    return hf_view(v->bytes, v->len);
}
static inline struct hf_value hf_value_u64(uint64_t n)
{
    return (struct hf_value){.u64 = n};
}
static inline struct hf_value hf_value_bytes(struct hf_view b)
{
    return (struct hf_value){.bytes = b.ptr, .len = (uint32_t)b.len};
}
static inline struct hf_value hf_value_obj(void *obj)
{
    return (struct hf_value){.obj = obj};
}
static inline struct hf_value hf_value_case(uint32_t tag, struct hf_value *payload)
{
    return (struct hf_value){.items = payload, .tag = tag};
}

/* WAVE text (value-text.c): reading with an error that names the column, writing canonical text. `arena` owns what is
 * made. own/borrow have no text: refused. */
enum hf_err hf_value_parse(const struct hf_type *t, struct hf_view text, struct hf_arena *arena, struct hf_value *ret,
                           struct hf_report *report);
enum hf_err hf_value_print(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret);
/* The same as JSON (value_json.c says how each type is written). An error names the place in the value too:
 * ".items[3].name: column 31: expected a string, found `7`". */
enum hf_err hf_value_json_read(const struct hf_type *t, struct hf_view text, struct hf_arena *arena,
                               struct hf_value *ret, struct hf_report *report);
enum hf_err hf_value_json_write(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret);
bool hf_value_eq(const struct hf_type *t, const struct hf_value *a, const struct hf_value *b); /* NaN equals NaN */

#endif
