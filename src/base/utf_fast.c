/* utf_fast.c - judging sixteen bytes of text at a time.
 *
 * UTF-8 by table look-up, after the method of Keiser and Lemire ("Validating UTF-8 in less than one
 * instruction per byte", 2020): whatever can go wrong between two neighbouring bytes shows in three
 * half-bytes, the two of the first and the upper one of the second. Each half-byte picks, from a
 * table of sixteen, the set of errors it allows; an error is there when all three allow it. What
 * takes more than two bytes to see, a third or fourth byte that is missing or too many, is settled
 * by comparing with the bytes two and three back.
 *
 * UTF-16 needs no tables: a block without surrogates is valid.
 */
#include "base/utf_fast.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Errors, one bit each. CUT and LONE and TWICE depend on the upper half of the first byte alone, so
 * every lower half allows them (ANY_LOW). */
enum {
    CUT = 1,         /* a lead byte, then no continuation */
    LONE = 2,        /* ASCII, then a continuation */
    OVERLONG_3 = 4,  /* E0, then 80..9F */
    TOO_LARGE = 8,   /* F4, then 90..BF; F5..FF, then 90..BF */
    SURROGATE = 16,  /* ED, then A0..BF */
    OVERLONG_2 = 32, /* C0 or C1 */
    BAD_8X = 64,     /* F0 (overlong) or F5..FF (too large), then 80..8F */
    TWICE = 128,     /* two continuations: an error unless a lead two or three back asks for it */
    ANY_LOW = CUT | LONE | TWICE,
};

#define TABLE(...) _mm_setr_epi8(__VA_ARGS__)
#define B(x)       ((char)(x))

/* The last n bytes of `before` and the first 16 - n of `now`. */
#define BACK(now, before, n) _mm_alignr_epi8((now), (before), 16 - (n))

__attribute__((target("ssse3"))) static inline __m128i half(__m128i v, bool upper)
{
    return _mm_and_si128(upper ? _mm_srli_epi16(v, 4) : v, _mm_set1_epi8(15));
}

/* Non-zero where a byte of `now` is in error with respect to the three before it. */
__attribute__((target("ssse3"))) static inline __m128i errors(__m128i now, __m128i before)
{
    const __m128i first_upper = TABLE(LONE, LONE, LONE, LONE, LONE, LONE, LONE, LONE, B(TWICE),
                                      B(TWICE), B(TWICE), B(TWICE), CUT | OVERLONG_2, CUT,
                                      CUT | OVERLONG_3 | SURROGATE, CUT | TOO_LARGE | BAD_8X);
    const __m128i first_lower =
        TABLE(B(ANY_LOW | OVERLONG_2 | OVERLONG_3 | BAD_8X), B(ANY_LOW | OVERLONG_2), B(ANY_LOW),
              B(ANY_LOW), B(ANY_LOW | TOO_LARGE), B(ANY_LOW | TOO_LARGE | BAD_8X),
              B(ANY_LOW | TOO_LARGE | BAD_8X), B(ANY_LOW | TOO_LARGE | BAD_8X),
              B(ANY_LOW | TOO_LARGE | BAD_8X), B(ANY_LOW | TOO_LARGE | BAD_8X),
              B(ANY_LOW | TOO_LARGE | BAD_8X), B(ANY_LOW | TOO_LARGE | BAD_8X),
              B(ANY_LOW | TOO_LARGE | BAD_8X), B(ANY_LOW | TOO_LARGE | BAD_8X | SURROGATE),
              B(ANY_LOW | TOO_LARGE | BAD_8X), B(ANY_LOW | TOO_LARGE | BAD_8X));
    const __m128i second_upper = TABLE(
        CUT, CUT, CUT, CUT, CUT, CUT, CUT, CUT, B(LONE | TWICE | OVERLONG_2 | OVERLONG_3 | BAD_8X),
        B(LONE | TWICE | OVERLONG_2 | OVERLONG_3 | TOO_LARGE),
        B(LONE | TWICE | OVERLONG_2 | SURROGATE | TOO_LARGE),
        B(LONE | TWICE | OVERLONG_2 | SURROGATE | TOO_LARGE), CUT, CUT, CUT, CUT);

    __m128i one_back = BACK(now, before, 1);
    __m128i pair =
        _mm_and_si128(_mm_and_si128(_mm_shuffle_epi8(first_upper, half(one_back, true)),
                                    _mm_shuffle_epi8(first_lower, half(one_back, false))),
                      _mm_shuffle_epi8(second_upper, half(now, true)));

    /* A continuation is due where two back is E0.. or three back F0..: exactly there, TWICE is no
     * error. */
    __m128i third = _mm_subs_epu8(BACK(now, before, 2), _mm_set1_epi8(B(0xE0 - 0x80)));
    __m128i fourth = _mm_subs_epu8(BACK(now, before, 3), _mm_set1_epi8(B(0xF0 - 0x80)));
    __m128i due = _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8(B(0x80)));
    return _mm_xor_si128(due, pair);
}

static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* From the end of a checked block back to where a scalar value begins that the block may have left
 * unfinished. */
static size_t step_back(const uint8_t *s, size_t i)
{
    for (size_t back = 1; back <= 3 && back <= i; back++) {
        uint8_t c = s[i - back];
        if (c < 0x80)
            break;
        if (c >= 0xC0)
            return i - back;
    }
    return i;
}

__attribute__((target("ssse3"))) static size_t fast_prefix(const uint8_t *s, size_t len)
{
    size_t i = 0;
    __m128i before = _mm_setzero_si128();
    for (; len - i >= 64; i += 64) {
        __m128i a = load(s + i), b = load(s + i + 16), c = load(s + i + 32), d = load(s + i + 48);
        __m128i any = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));
        __m128i wrong;
        if (_mm_movemask_epi8(any) == 0) { /* all ASCII: wrong only if something before was due */
            wrong = errors(a, before);
        } else {
            wrong = _mm_or_si128(_mm_or_si128(errors(a, before), errors(b, a)),
                                 _mm_or_si128(errors(c, b), errors(d, c)));
        }
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) != 0xFFFF)
            break;
        before = d;
    }
    return step_back(s, i);
}

size_t hf_utf8_fast_prefix(const uint8_t *s, size_t len)
{
    return len >= 64 && __builtin_cpu_supports("ssse3") ? fast_prefix(s, len) : 0;
}
#else
size_t hf_utf8_fast_prefix(const uint8_t *s, size_t len)
{
    (void)s;
    (void)len;
    return 0;
}
#endif

/* Four units in a word: a unit is a surrogate when its upper five bits are 11011, i.e. zero after
 * the xor; the subtraction then borrows into its top bit. A borrow may spill into the next unit and
 * make a false alarm, never hide one. */
static inline uint64_t maybe_surrogate(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    v = (v & 0xF800F800F800F800u) ^ 0xD800D800D800D800u;
    return (v - 0x0001000100010001u) & ~v & 0x8000800080008000u;
}

size_t hf_utf16_plain_prefix(const uint8_t *s, size_t units)
{
    size_t i = 0;
    while (units - i >= 8 && (maybe_surrogate(s + 2 * i) | maybe_surrogate(s + 2 * i + 8)) == 0)
        i += 8;
    return i;
}
