/* head.h - an HTTP request or response head as flat bytes: what travels as the body of a message.
 *
 * The gateway writes one from the socket, a guest's wasi:http reads it (and the other way round for
 * answers), and the kernel carries it without looking. It is one allocation, read in place, and its
 * bytes outlive a process, so they carry a version and a golden test.
 *
 * Bytes (little endian), version 1:
 *   u8 version=1, u8 kind (1 request, 2 response), u16 status (responses; else 0), u32 flags,
 *   u32 n_fields, u32 total length of everything,
 *   then for a request: str method, str scheme, str authority, str path-with-query,
 *   then n_fields times: str name, str value.
 * A str is u32 length, bytes. Names keep their case, order is kept, repeats are repeats.
 */
#ifndef HF_BASE_HEAD_H
#define HF_BASE_HEAD_H

#include "base/bytes.h"

enum hf_head_kind { HF_HEAD_REQUEST = 1, HF_HEAD_RESPONSE = 2 };
/* Requests: that part is present; else its str is empty and means none. */
#define HF_HEAD_HAS_SCHEME    1u
#define HF_HEAD_HAS_AUTHORITY 2u
#define HF_HEAD_HAS_PATH      4u
/* The message surely has no body (no blob comes with it). */
#define HF_HEAD_NO_BODY 8u
/* Responses: whoever answered ends after this (debug header, access log). */
#define HF_HEAD_RETIRE 16u

/* Building: begin, add fields, end. HF_INVALID: flags that do not fit the kind, a part without its
 * flag, a status not in 100..999 (the reader would refuse them). HF_LIMIT: memory, or a head past 4
 * GiB. The buffer may hold something before; the head is appended. Any
 * failed step leaves the buffer as long as it was at begin when hf_head_abort is called. */
struct hf_head_writer {
    struct hf_buf *buf;
    size_t start;
    uint32_t n_fields;
};
enum hf_err hf_head_begin_request(struct hf_head_writer *w, struct hf_buf *buf, uint32_t flags,
                                  struct hf_view method, struct hf_view scheme,
                                  struct hf_view authority, struct hf_view path) HF_MUST_CHECK;
enum hf_err hf_head_begin_response(struct hf_head_writer *w, struct hf_buf *buf, uint32_t flags,
                                   uint16_t status) HF_MUST_CHECK;
enum hf_err hf_head_field(struct hf_head_writer *w, struct hf_view name,
                          struct hf_view value) HF_MUST_CHECK;
/* The same, but for the value's bytes: the caller writes all of them to *value, before anything
 * else is added. */
enum hf_err hf_head_field_room(struct hf_head_writer *w, struct hf_view name, size_t value_len,
                               uint8_t **value) HF_MUST_CHECK;
struct hf_head;
/* All fields of a head that was read, as they stand there. */
enum hf_err hf_head_fields(struct hf_head_writer *w, const struct hf_head *from) HF_MUST_CHECK;
struct hf_view hf_head_end(struct hf_head_writer *w); /* fills the counts; a view into the buffer */
void hf_head_abort(struct hf_head_writer *w);

/* Reading in place. HF_CORRUPT with a report when the bytes are not a head; *ret is zeroes
 * then. Views live as long as `bytes`. */
struct hf_head {
    enum hf_head_kind kind;
    uint16_t status;
    uint32_t flags, n_fields;
    struct hf_view method, scheme, authority, path;
    struct hf_view fields; /* encoded; walk with hf_head_next */
};
enum hf_err hf_head_read(struct hf_view bytes, struct hf_head *ret,
                         struct hf_report *report) HF_MUST_CHECK;
static inline uint32_t hf_head_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
/* Walks: start with *at = 0; false at the end. Bounds were checked by hf_head_read, so the asserts
 * hold. */
static inline bool hf_head_next(const struct hf_head *head, size_t *at, struct hf_view *name,
                                struct hf_view *value)
{
    if (*at >= head->fields.len) {
        *name = *value = (struct hf_view){0};
        return false;
    }
    const uint8_t *p = head->fields.ptr + *at;
    size_t left = head->fields.len - *at;
    HF_ASSERT(left >= 8 && hf_head_u32(p) <= left - 8);
    *name = hf_view(p + 4, hf_head_u32(p));
    p += 4 + name->len;
    left -= 8 + name->len;
    HF_ASSERT(hf_head_u32(p) <= left);
    *value = hf_view(p + 4, hf_head_u32(p));
    *at += 8 + name->len + value->len;
    return true;
}
/* First field of that name, ASCII case ignored. */
bool hf_head_find(const struct hf_head *head, struct hf_view name, struct hf_view *value);

#endif
