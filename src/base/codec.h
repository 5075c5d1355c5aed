/* codec.h - bounded reading and writing of integers: little-endian fixed width, and LEB128.
 *
 * A reader never passes its end: the first failed read sets `bad` and everything after returns
 * zeroes, so a parser may check once per item. It stays where the failed item began (hf_reader_pos
 * tells the place) and its end moves there, so that no later read can succeed. LEB rules are those
 * of core WebAssembly (reference component-model 1.1): at most ceil(bits/7) bytes, unused high bits
 * zero (or sign copies).
 */
#ifndef HF_BASE_CODEC_H
#define HF_BASE_CODEC_H

#include "base/bytes.h"

struct hf_reader {
    const uint8_t *at, *end, *start;
    bool bad;
};

static inline struct hf_reader hf_reader(struct hf_view v)
{
    const uint8_t *end = v.len == 0 ? v.ptr : v.ptr + v.len; /* NULL plus 0 is undefined */
    return (struct hf_reader){v.ptr, end, v.ptr, false};
}
static inline size_t hf_reader_left(const struct hf_reader *r)
{
    return (size_t)(r->end - r->at);
}
static inline size_t hf_reader_pos(const struct hf_reader *r) /* bytes from start */
{
    return (size_t)(r->at - r->start);
}
/* A failed read: marks the reader and puts its end where it stands; returns 0. */
uint64_t hf_reader_fail(struct hf_reader *r);
uint32_t hf_read_leb_u32_long(struct hf_reader *r);
uint64_t hf_read_leb_u64_long(struct hf_reader *r);

static inline uint8_t hf_read_u8(struct hf_reader *r)
{
    return HF_LIKELY(r->at < r->end) ? *r->at++ : (uint8_t)hf_reader_fail(r);
}
static inline uint16_t hf_read_u16le(struct hf_reader *r)
{
    if (HF_UNLIKELY(hf_reader_left(r) < 2))
        return (uint16_t)hf_reader_fail(r);
    const uint8_t *p = r->at;
    r->at += 2;
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t hf_read_u32le(struct hf_reader *r)
{
    if (HF_UNLIKELY(hf_reader_left(r) < 4))
        return (uint32_t)hf_reader_fail(r);
    const uint8_t *p = r->at;
    r->at += 4;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t hf_read_u64le(struct hf_reader *r)
{
    if (HF_UNLIKELY(hf_reader_left(r) < 8))
        return hf_reader_fail(r);
    uint64_t low = hf_read_u32le(r);
    return low | (uint64_t)hf_read_u32le(r) << 32;
}
static inline uint32_t hf_read_leb_u32(struct hf_reader *r)
{
    if (HF_LIKELY(r->at < r->end && *r->at < 0x80))
        return *r->at++;
    return hf_read_leb_u32_long(r);
}
static inline uint64_t hf_read_leb_u64(struct hf_reader *r)
{
    if (HF_LIKELY(r->at < r->end && *r->at < 0x80))
        return *r->at++;
    return hf_read_leb_u64_long(r);
}
int32_t hf_read_leb_s32(struct hf_reader *r);
int64_t hf_read_leb_s33(struct hf_reader *r);
int64_t hf_read_leb_s64(struct hf_reader *r);
/* ptr NULL and bad when they are not there. */
static inline struct hf_view hf_read_bytes(struct hf_reader *r, size_t len)
{
    if (HF_UNLIKELY(r->bad || len > hf_reader_left(r))) {
        hf_reader_fail(r);
        return hf_view(NULL, 0);
    }
    struct hf_view v = hf_view(r->at, len);
    if (len > 0) /* NULL plus 0 is undefined */
        r->at += len;
    return v;
}
/* leb_u32 length + bytes; UTF-8 is the caller's check. */
struct hf_view hf_read_name(struct hf_reader *r);

/* Writers append to a buffer. HF_LIMIT: memory is out. */
enum hf_err hf_write_u16le(struct hf_buf *b, uint16_t v) HF_MUST_CHECK;
enum hf_err hf_write_u32le(struct hf_buf *b, uint32_t v) HF_MUST_CHECK;
enum hf_err hf_write_u64le(struct hf_buf *b, uint64_t v) HF_MUST_CHECK;
enum hf_err hf_write_leb_u32(struct hf_buf *b, uint32_t v) HF_MUST_CHECK;
enum hf_err hf_write_leb_u64(struct hf_buf *b, uint64_t v) HF_MUST_CHECK;
enum hf_err hf_write_leb_s64(struct hf_buf *b, int64_t v) HF_MUST_CHECK;
/* leb_u32 length + bytes, or nothing at all. */
enum hf_err hf_write_name(struct hf_buf *b, struct hf_view v) HF_MUST_CHECK;

#endif
