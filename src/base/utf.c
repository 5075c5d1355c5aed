/* utf.c - one scalar value at a time, and the exact place where UTF-8 stops being valid.
 *
 * Validation has two halves. A fast one (utf_fast.c) says of a whole block that it is good; when it
 * does not, or at the end, the exact one here walks scalar by scalar and finds the place.
 *
 * Not here: measuring and transcoding (utf_change.c).
 */
#include "base/utf.h"

#include "base/utf_fast.h"

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

#define HIGH_BITS 0x8080808080808080u

size_t hf_ascii_prefix(const uint8_t *s, size_t len)
{
    size_t i = 0;
    for (; len - i >= 32; i += 32) {
        uint64_t any = load64(s + i) | load64(s + i + 8) | load64(s + i + 16) | load64(s + i + 24);
        if (any & HIGH_BITS)
            break;
    }
    for (; len - i >= 8 && !(load64(s + i) & HIGH_BITS); i += 8)
        ;
    while (i < len && s[i] < 0x80)
        i++;
    return i;
}

static inline bool is_tail(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

/* Length of the scalar value that begins with a byte >= 0x80, or 0 when it is none (Unicode, table
 * 3-7: the second byte's range is what shuts out overlong forms, surrogates and values past
 * 10FFFF). */
static inline size_t long_scalar(const uint8_t *s, size_t left)
{
    uint8_t c = s[0];
    if (c < 0xC2 || c > 0xF4 || left < 2)
        return 0;
    if (c < 0xE0)
        return is_tail(s[1]) ? 2 : 0;
    if (left < 3 || !is_tail(s[1]) || !is_tail(s[2]))
        return 0;
    if (c < 0xF0) {
        if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F))
            return 0;
        return 3;
    }
    if (left < 4 || !is_tail(s[3]) || (c == 0xF0 && s[1] < 0x90) || (c == 0xF4 && s[1] > 0x8F))
        return 0;
    return 4;
}

/* The exact half: from `i`, where a scalar value begins. */
static size_t exact_prefix(const uint8_t *s, size_t len, size_t i)
{
    while (i < len) {
        if (s[i] < 0x80) {
            i += hf_ascii_prefix(s + i, len - i);
            continue;
        }
        size_t n = long_scalar(s + i, len - i);
        if (n == 0)
            return i;
        i += n;
    }
    return i;
}

size_t hf_utf8_valid_prefix(const uint8_t *s, size_t len)
{
    size_t i = hf_ascii_prefix(s, len);
    if (i == len)
        return len;
    i += hf_utf8_fast_prefix(s + i, len - i);
    return exact_prefix(s, len, i);
}

/* For short text: no loop over single bytes, the last word overlaps the one before. */
static inline bool is_short_ascii(const uint8_t *s, size_t len)
{
    uint64_t any = 0;
    if (len >= 8) {
        for (size_t i = 0; i < len - 8; i += 8)
            any |= load64(s + i);
        any |= load64(s + len - 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, s, sizeof first);
        memcpy(&last, s + len - 4, sizeof last);
        any = first | last;
    } else if (len > 0) {
        any = s[0] | s[len / 2] | s[len - 1];
    }
    return (any & HIGH_BITS) == 0;
}

bool hf_utf8_valid(const uint8_t *s, size_t len)
{
    if (len <= 64 && HF_LIKELY(is_short_ascii(s, len)))
        return true;
    return hf_utf8_valid_prefix(s, len) == len;
}

uint32_t hf_utf8_next(const uint8_t *s, size_t len, size_t *at)
{
    const uint8_t *p = s + *at;
    uint8_t c = p[0];
    HF_ASSERT(*at < len);
    if (c < 0x80) {
        *at += 1;
        return c;
    }
    if (c < 0xE0) {
        HF_ASSERT(len - *at >= 2);
        *at += 2;
        return (c & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    }
    if (c < 0xF0) {
        HF_ASSERT(len - *at >= 3);
        *at += 3;
        return (c & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    }
    HF_ASSERT(len - *at >= 4);
    *at += 4;
    return (c & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
}

unsigned hf_utf8_put(uint8_t out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xC0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xE0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (cp & 0x3F));
    return 4;
}

static inline uint32_t unit_at(const uint8_t *s, size_t i)
{
    return s[2 * i] | (uint32_t)s[2 * i + 1] << 8;
}

static inline bool is_surrogate(uint32_t unit)
{
    return (unit & 0xF800) == 0xD800;
}

bool hf_utf16_valid(const uint8_t *s, size_t units)
{
    for (size_t i = 0; i < units;) {
        i += hf_utf16_plain_prefix(s + 2 * i, units - i);
        if (i == units)
            break;
        uint32_t unit = unit_at(s, i);
        if (!is_surrogate(unit)) {
            i++;
            continue;
        }
        if (unit >= 0xDC00 || units - i < 2 || (unit_at(s, i + 1) & 0xFC00) != 0xDC00)
            return false;
        i += 2;
    }
    return true;
}

uint32_t hf_utf16_next(const uint8_t *s, size_t units, size_t *at)
{
    HF_ASSERT(*at < units);
    uint32_t unit = unit_at(s, *at);
    *at += 1;
    if (!is_surrogate(unit))
        return unit;
    HF_ASSERT(*at < units);
    uint32_t low = unit_at(s, *at);
    *at += 1;
    return 0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF));
}

unsigned hf_utf16_put(uint8_t out[4], uint32_t cp)
{
    if (cp < 0x10000) {
        out[0] = (uint8_t)cp;
        out[1] = (uint8_t)(cp >> 8);
        return 2;
    }
    uint32_t high = 0xD800 | (cp - 0x10000) >> 10, low = 0xDC00 | (cp & 0x3FF);
    out[0] = (uint8_t)high;
    out[1] = (uint8_t)(high >> 8);
    out[2] = (uint8_t)low;
    out[3] = (uint8_t)(low >> 8);
    return 4;
}
