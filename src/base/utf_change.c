/* utf_change.c - measuring and transcoding text known to be valid.
 *
 * Blocks are sixteen bytes in the compiler's vector types, which every CPU has something for; runs
 * of ASCII, the usual case, go through whole blocks, everything else one scalar value at a time.
 * Counting adds up per lane in bytes, so it empties the lanes before 255 rounds have passed.
 *
 * Not here: validity (utf.c).
 */
#include "base/utf.h"

typedef uint8_t u8x8 __attribute__((vector_size(8)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

#define ROUNDS_MAX 60u /* per lane at most 3 are counted in a round: stays below 255 */

static inline u8x16 load16(const uint8_t *p)
{
    u8x16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline u16x8 load_units(const uint8_t *p)
{
    u16x8 v;
    memcpy(&v, p, sizeof v); /* little-endian, like everything we run on (checked below) */
    return v;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "UTF-16 units are taken as they lie");

static inline uint32_t unit_at(const uint8_t *s, size_t i)
{
    return s[2 * i] | (uint32_t)s[2 * i + 1] << 8;
}

static inline uint8_t *put_unit(uint8_t *to, uint32_t unit)
{
    to[0] = (uint8_t)unit;
    to[1] = (uint8_t)(unit >> 8);
    return to + 2;
}

static inline bool any_set(u64x2 v)
{
    return (v[0] | v[1]) != 0;
}

static size_t sum_bytes(u8x16 v)
{
    size_t sum = 0;
    for (unsigned i = 0; i < 16; i++)
        sum += v[i];
    return sum;
}

static size_t sum_units(u16x8 v)
{
    size_t sum = 0;
    for (unsigned i = 0; i < 8; i++)
        sum += v[i];
    return sum;
}

/* Every unit is one byte; 80 and up one more; 800 and up one more; but each half of a pair is two
 * of the four bytes. */
size_t hf_utf8_len_of_utf16(const uint8_t *s, size_t units)
{
    size_t more = 0, i = 0;
    while (units - i >= 8) {
        u16x8 count = {0};
        for (unsigned round = 0; round < ROUNDS_MAX && units - i >= 8; round++, i += 8) {
            u16x8 v = load_units(s + 2 * i);
            count -= (u16x8)(v >= 0x80); /* a true lane is all ones, minus one */
            count -= (u16x8)(v >= 0x800);
            count += (u16x8)((v & 0xF800) == 0xD800);
        }
        more += sum_units(count);
    }
    for (; i < units; i++) {
        uint32_t unit = unit_at(s, i);
        more += (size_t)(unit >= 0x80) + (unit >= 0x800) - ((unit & 0xF800) == 0xD800);
    }
    return units + more;
}

size_t hf_utf8_len_of_latin1(const uint8_t *s, size_t len)
{
    size_t more = 0, i = 0;
    while (len - i >= 16) {
        u8x16 count = {0};
        for (unsigned round = 0; round < ROUNDS_MAX && len - i >= 16; round++, i += 16)
            count += load16(s + i) >> 7;
        more += sum_bytes(count);
    }
    for (; i < len; i++)
        more += s[i] >> 7;
    return len + more;
}

/* A unit for each byte that begins a scalar value, and one more for those of four bytes. */
size_t hf_utf16_units_of_utf8(const uint8_t *s, size_t len)
{
    size_t units = 0, i = 0;
    while (len - i >= 16) {
        u8x16 count = {0};
        for (unsigned round = 0; round < ROUNDS_MAX && len - i >= 16; round++, i += 16) {
            u8x16 v = load16(s + i);
            count -= (u8x16)((v & 0xC0) != 0x80);
            count -= (u8x16)(v >= 0xF0);
        }
        units += sum_bytes(count);
    }
    for (; i < len; i++)
        units += (size_t)((s[i] & 0xC0) != 0x80) + (s[i] >= 0xF0);
    return units;
}

bool hf_utf8_is_latin1(const uint8_t *s, size_t len)
{
    size_t i = 0;
    for (; len - i >= 16; i += 16) {
        if (any_set((u64x2)(load16(s + i) > 0xC3)))
            return false;
    }
    for (; i < len; i++) {
        if (s[i] > 0xC3)
            return false;
    }
    return true;
}

size_t hf_utf16_to_utf8(const uint8_t *s, size_t units, uint8_t *out)
{
    uint8_t *to = out;
    size_t i = 0;
    while (i < units) {
        while (units - i >= 8) { /* eight ASCII units */
            u16x8 v = load_units(s + 2 * i);
            if (any_set((u64x2)(v & 0xFF80)))
                break;
            u8x8 bytes = __builtin_convertvector(v, u8x8);
            memcpy(to, &bytes, sizeof bytes);
            i += 8;
            to += 8;
        }
        /* Then up to a block one by one, so that mixed text does not try a block at every
         * character. */
        for (size_t end = units - i > 8 ? i + 8 : units; i < end;) {
            uint32_t unit = unit_at(s, i);
            if (unit < 0x80) {
                *to++ = (uint8_t)unit;
                i++;
            } else if (unit >= 0x800 && (unit & 0xF800) != 0xD800) {
                *to++ = (uint8_t)(0xE0 | unit >> 12);
                *to++ = (uint8_t)(0x80 | (unit >> 6 & 0x3F));
                *to++ = (uint8_t)(0x80 | (unit & 0x3F));
                i++;
            } else {
                to += hf_utf8_put(to, hf_utf16_next(s, units, &i));
            }
        }
    }
    return (size_t)(to - out);
}

size_t hf_latin1_to_utf8(const uint8_t *s, size_t len, uint8_t *out)
{
    uint8_t *to = out;
    size_t i = 0;
    while (i < len) {
        size_t run = hf_ascii_prefix(s + i, len - i);
        if (run > 0)
            memcpy(to, s + i, run);
        i += run;
        to += run;
        for (; i < len && s[i] >= 0x80; i++) {
            *to++ = (uint8_t)(0xC0 | s[i] >> 6);
            *to++ = (uint8_t)(0x80 | (s[i] & 0x3F));
        }
    }
    return (size_t)(to - out);
}

size_t hf_utf8_to_utf16(const uint8_t *s, size_t len, uint8_t *out)
{
    uint8_t *to = out;
    size_t i = 0;
    while (i < len) {
        while (len - i >= 16) { /* sixteen ASCII bytes */
            u8x16 v = load16(s + i);
            if (any_set((u64x2)(v & 0x80)))
                break;
            u8x8 half[2];
            memcpy(half, &v, sizeof v);
            u16x8 wide[2] = {__builtin_convertvector(half[0], u16x8),
                             __builtin_convertvector(half[1], u16x8)};
            memcpy(to, wide, sizeof wide);
            i += 16;
            to += 32;
        }
        /* The three short forms without a call, but only where their bytes surely lie inside. */
        for (size_t end = len - i > 16 ? i + 16 : len; i < end;) {
            uint32_t c = s[i];
            if (c < 0x80) {
                to = put_unit(to, c);
                i++;
            } else if (c < 0xE0 && len - i >= 2) {
                to = put_unit(to, (c & 0x1F) << 6 | (s[i + 1] & 0x3F));
                i += 2;
            } else if (c < 0xF0 && len - i >= 3) {
                to = put_unit(to, (c & 0x0F) << 12 | (s[i + 1] & 0x3Fu) << 6 | (s[i + 2] & 0x3F));
                i += 3;
            } else {
                to += hf_utf16_put(to, hf_utf8_next(s, len, &i));
            }
        }
    }
    return (size_t)(to - out);
}

size_t hf_utf8_to_latin1(const uint8_t *s, size_t len, uint8_t *out)
{
    uint8_t *to = out;
    size_t i = 0;
    while (i < len) {
        size_t run = hf_ascii_prefix(s + i, len - i);
        if (run > 0)
            memcpy(to, s + i, run);
        i += run;
        to += run;
        while (i < len && s[i] >= 0x80)
            *to++ = (uint8_t)hf_utf8_next(s, len, &i);
    }
    return (size_t)(to - out);
}
