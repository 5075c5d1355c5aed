/* value_bytes.h - component values as bytes: one encoding for each value, so equal bytes mean equal
 * values.
 *
 * This is what the membrane shows (call.h) and what records keep (record.h). Version 1, by type,
 * nothing describes itself:
 *
 *   bool                      one byte, 0 or 1
 *   integers                  little endian, as wide as the type
 *   f32, f64                  their bits, little endian; every NaN is the canonical one
 *   char                      scalar value, LEB
 *   string                    number of bytes, LEB; UTF-8
 *   list, map                 number of elements, LEB; the elements
 *   record, tuple             the fields, in order
 *   variant, enum, option,    number of the case, LEB; its payload if it has one (option: 0 none, 1
 *   result                    some; result: 0 ok, 1 error)
 *   flags                     bits, LEB; bit i is label i
 *   own, borrow               the guest's handle number, 4 bytes little endian, not 0; a borrow
 * given to the instance that defines its resource is the rep (W7)
 *
 * LEB is unsigned, at most 32 bits, in as few bytes as possible. Every value takes at least one
 * byte, so a count is never larger than what is left of the input.
 *
 * A value holds objects where the bytes hold handle numbers. Who knows the numbers differs (they
 * are known when a value was lifted, not yet when it is going to be lowered), so the writer leaves
 * zeroes, notes the places, and hf_value_bytes_handles fills them in.
 */
#ifndef HF_COMPONENT_VALUE_BYTES_H
#define HF_COMPONENT_VALUE_BYTES_H

#include "base/codec.h"
#include "component/value.h"

#define HF_VALUE_BYTES_VERSION 1

struct hf_u32s { /* a list that grows on the heap; zeroes are an empty one */
    uint32_t *ptr;
    uint32_t n, cap;
};
bool hf_u32s_add(struct hf_u32s *list, uint32_t v); /* false: memory is out */
void hf_u32s_done(struct hf_u32s *list);

/* Appends `v`, in host form (strings in UTF-8). `places` (may be NULL when t->has_handles is false)
 * gets the offset in `out` of each handle, in the order of the value. HF_INVALID: not a value of
 * its type (the host made it); HF_LIMIT: `out` would be longer than `max`, or memory is out. `out`
 * may then hold a part of it. */
enum hf_err hf_value_write(const struct hf_type *t, const struct hf_value *v, size_t max,
                           struct hf_buf *out, struct hf_u32s *places);
/* Puts numbers[i] at places->ptr[i]; as many numbers as places. */
void hf_value_bytes_handles(struct hf_buf *out, const struct hf_u32s *places,
                            const uint32_t *numbers);

/* Reads one value; `arena` owns what is made, strings and lists of scalars look into the bytes.
 * Handles: their numbers are added to `numbers` in order; the value's .obj is `obj` for resources
 * of the host, .u64 the number for those of a guest. HF_INVALID: not the canonical bytes of such a
 * value (the report says what and at which offset; the reader is then bad); HF_LIMIT: the arena's
 * limit, or memory is out. */
enum hf_err hf_value_read(const struct hf_type *t, struct hf_reader *r, struct hf_arena *arena,
                          void *obj, struct hf_u32s *numbers, struct hf_value *ret,
                          struct hf_report *report);

#endif
