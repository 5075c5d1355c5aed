/* scan.h - sixteen bytes at a time: which of them are what a reader of heads looks for.
 *
 * Bit i of an answer is byte i. Where the machine has no such instructions the same is found byte by
 * byte.
 */
#ifndef HF_GATEWAY_SCAN_H
#define HF_GATEWAY_SCAN_H

#include "base/bytes.h"

#define HF_SCAN 16u /* bytes looked at */

#ifdef __SSE2__
#include <emmintrin.h>
static inline __m128i hf_scan_load(const uint8_t *p)
{
    __m128i v;
    memcpy(&v, p, sizeof v);
    return v;
}
/* Those from 0 to `last`, as bytes of ones. */
static inline __m128i hf_scan_up_to(__m128i v, uint8_t last)
{
    return _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8((char)last)), v);
}
/* Line feeds. */
static inline unsigned hf_scan_lf(const uint8_t *p)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(hf_scan_load(p), _mm_set1_epi8('\n')));
}
/* Controls, the tab among them, and DEL. */
static inline unsigned hf_scan_odd(const uint8_t *p)
{
    __m128i v = hf_scan_load(p);
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(hf_scan_up_to(v, 0x1f), _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
}
/* All but letters, digits and dashes. */
static inline unsigned hf_scan_other(const uint8_t *p)
{
    __m128i v = hf_scan_load(p), small = _mm_or_si128(v, _mm_set1_epi8(0x20));
    __m128i letter = hf_scan_up_to(_mm_sub_epi8(small, _mm_set1_epi8('a')), 25);
    __m128i digit = hf_scan_up_to(_mm_sub_epi8(v, _mm_set1_epi8('0')), 9);
    __m128i dash = _mm_cmpeq_epi8(v, _mm_set1_epi8('-'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, _mm_or_si128(digit, dash))) ^ 0xffff;
}
#else
static inline unsigned hf_scan_lf(const uint8_t *p)
{
    unsigned m = 0;
    for (unsigned i = 0; i < HF_SCAN; i++)
        m |= (unsigned)(p[i] == '\n') << i;
    return m;
}
static inline unsigned hf_scan_odd(const uint8_t *p)
{
    unsigned m = 0;
    for (unsigned i = 0; i < HF_SCAN; i++)
        m |= (unsigned)(p[i] < 0x20 || p[i] == 0x7f) << i;
    return m;
}
static inline unsigned hf_scan_other(const uint8_t *p)
{
    unsigned m = 0;
    for (unsigned i = 0; i < HF_SCAN; i++) {
        uint8_t letter = (uint8_t)((p[i] | 0x20) - 'a'), digit = (uint8_t)(p[i] - '0');
        m |= (unsigned)(letter > 25 && digit > 9 && p[i] != '-') << i;
    }
    return m;
}
#endif

/* From 4 to 16 bytes as sixteen, each at least once and nothing else. */
static inline void hf_scan_short(uint8_t to[HF_SCAN], const uint8_t *p, size_t len)
{
    if (len >= 8) {
        memcpy(to, p, 8);
        memcpy(to + 8, p + len - 8, 8);
    } else {
        memcpy(to, p, 4);
        memcpy(to + 4, p + len - 4, 4);
        memcpy(to + 8, to, 8);
    }
}

#endif
