/* codec.c - the longer half of the codec: LEB128 past one byte, byte strings, and the writers.
 *
 * Fixed-width reads and one-byte LEBs, which are nearly all of them, are inline in the header.
 */
#include "base/codec.h"

#define LEB_MAX 10u /* bytes of the longest, 64 bits at seven a byte */

uint64_t hf_reader_fail(struct hf_reader *r)
{
    r->bad = true;
    r->end = r->at;
    return 0;
}

/* One LEB128 of `bits` bits, sign-extended to 64 when `is_signed`. At most ceil(bits/7) bytes; the
 * bits of the last possible byte that have no place in the value must be zeroes, or copies of the
 * sign bit. Always inlined, so that every width gets its own constants. */
__attribute__((always_inline)) static inline uint64_t read_leb(struct hf_reader *r, unsigned bits,
                                                               bool is_signed)
{
    const unsigned last = (bits + 6) / 7 - 1, last_bits = bits - last * 7;
    uint64_t value = 0;
    const uint8_t *p = r->at;
    for (unsigned i = 0; i <= last; i++) {
        if (p == r->end)
            return hf_reader_fail(r);
        uint8_t c = *p++;
        value |= (uint64_t)(c & 0x7F) << (7 * i);
        if (c & 0x80)
            continue;
        if (i == last) {
            /* Unsigned: the spare bits. Signed: the spare bits and the sign bit, which must agree.
             */
            uint8_t mask = (uint8_t)(0x7F & ~((1u << (last_bits - is_signed)) - 1));
            if ((c & mask) != 0 && !(is_signed && (c & mask) == mask))
                return hf_reader_fail(r);
        }
        r->at = p;
        unsigned have = 7 * (i + 1);
        if (is_signed && have < 64 && (c & 0x40))
            value |= ~(uint64_t)0 << have;
        return value;
    }
    return hf_reader_fail(r); /* too many bytes */
}

uint32_t hf_read_leb_u32_long(struct hf_reader *r)
{
    return (uint32_t)read_leb(r, 32, false);
}

uint64_t hf_read_leb_u64_long(struct hf_reader *r)
{
    return read_leb(r, 64, false);
}

int32_t hf_read_leb_s32(struct hf_reader *r)
{
    return (int32_t)read_leb(r, 32, true);
}

int64_t hf_read_leb_s33(struct hf_reader *r)
{
    return (int64_t)read_leb(r, 33, true);
}

int64_t hf_read_leb_s64(struct hf_reader *r)
{
    return (int64_t)read_leb(r, 64, true);
}

struct hf_view hf_read_name(struct hf_reader *r)
{
    const uint8_t *start = r->at;
    uint32_t len = hf_read_leb_u32(r);
    struct hf_view v = hf_read_bytes(r, len);
    if (r->bad)
        r->at = r->end = start; /* the item began at its length */
    return v;
}

/* Adds the low `n` bytes of `v`, lowest first. */
static enum hf_err write_le(struct hf_buf *b, uint64_t v, unsigned n)
{
    enum hf_err err = hf_buf_reserve(b, n);
    if (err != HF_OK)
        return err;
    uint8_t *p = b->ptr + b->len;
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    p[n] = '\0';
    b->len += n;
    return HF_OK;
}

enum hf_err hf_write_u16le(struct hf_buf *b, uint16_t v)
{
    return write_le(b, v, 2);
}

enum hf_err hf_write_u32le(struct hf_buf *b, uint32_t v)
{
    return write_le(b, v, 4);
}

enum hf_err hf_write_u64le(struct hf_buf *b, uint64_t v)
{
    return write_le(b, v, 8);
}

enum hf_err hf_write_leb_u32(struct hf_buf *b, uint32_t v)
{
    return hf_write_leb_u64(b, v);
}

enum hf_err hf_write_leb_u64(struct hf_buf *b, uint64_t v)
{
    enum hf_err err = hf_buf_reserve(b, LEB_MAX);
    if (err != HF_OK)
        return err;
    uint8_t *p = b->ptr + b->len;
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    *p = '\0';
    b->len = (size_t)(p - b->ptr);
    return HF_OK;
}

enum hf_err hf_write_leb_s64(struct hf_buf *b, int64_t v)
{
    enum hf_err err = hf_buf_reserve(b, LEB_MAX);
    if (err != HF_OK)
        return err;
    uint8_t *p = b->ptr + b->len;
    for (; v < -64 || v > 63; v >>= 7) /* arithmetic in gcc and clang: keeps the sign */
        *p++ = (uint8_t)((uint64_t)v | 0x80);
    *p++ = (uint8_t)(v & 0x7F);
    *p = '\0';
    b->len = (size_t)(p - b->ptr);
    return HF_OK;
}

enum hf_err hf_write_name(struct hf_buf *b, struct hf_view v)
{
    if (v.len > UINT32_MAX)
        return HF_LIMIT;
    size_t start = b->len;
    enum hf_err err = hf_write_leb_u32(b, (uint32_t)v.len);
    if (err == HF_OK)
        err = hf_buf_add_view(b, v);
    if (err != HF_OK && b->ptr != NULL) { /* all or nothing */
        b->len = start;
        b->ptr[start] = '\0';
    }
    return err;
}
