/* bytes.c - comparing and cutting views, growing buffers.
 *
 * A buffer keeps one byte beyond its capacity for the NUL, so writing the NUL never needs a check.
 */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BUF_FIRST 64u /* bytes of the first allocation, the NUL included */

static inline uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

#define EACH UINT64_C(0x0101010101010101)

/* Eight bytes each. Mostly they are the same, or differ in more than the case. */
static inline bool eq8(uint64_t a, uint64_t b)
{
    uint64_t other = a ^ b;
    if (HF_LIKELY(other == 0))
        return true;
    if ((other & ~(EACH * 0x20)) != 0)
        return false;
    /* The top bit of each byte of `a` that is a letter; no sum passes the top bit of its byte. */
    uint64_t low = (a | EACH * 0x20) & EACH * 0x7f;
    uint64_t letter = (low + EACH * (0x80 - 'a')) & ~(low + EACH * (0x7f - 'z')) & ~a;
    return (other << 2 & ~letter) == 0;
}

static inline uint64_t get8(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* The first four bytes and the last four, of which some may be the same. */
static inline uint64_t get_ends(const uint8_t *p, size_t len)
{
    uint32_t first, last;
    memcpy(&first, p, sizeof first);
    memcpy(&last, p + len - sizeof last, sizeof last);
    return first | (uint64_t)last << 32;
}

#ifdef __SSE2__
/* Eight to sixteen bytes at once: the first eight and the last eight. */
static inline __m128i get_halves(const uint8_t *p, size_t len)
{
    return _mm_set_epi64x((long long)get8(p + len - 8), (long long)get8(p));
}

static inline bool eq16(__m128i a, __m128i b)
{
    __m128i other = _mm_xor_si128(a, b), same = _mm_cmpeq_epi8(other, _mm_setzero_si128());
    if (_mm_movemask_epi8(same) == 0xffff)
        return true;
    __m128i by_case = _mm_cmpeq_epi8(other, _mm_set1_epi8(0x20));
    __m128i from_a = _mm_sub_epi8(_mm_or_si128(a, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8(25)), from_a);
    return _mm_movemask_epi8(_mm_or_si128(same, _mm_and_si128(by_case, letter))) == 0xffff;
}
#endif

bool hf_bytes_eq_nocase(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t i = 0;
#ifdef __SSE2__
    if (len >= 8 && len <= 16)
        return eq16(get_halves(a, len), get_halves(b, len));
#endif
    if (len >= 8) {
        for (; i <= len - 8; i += 8)
            if (!eq8(get8(a + i), get8(b + i)))
                return false;
        return i == len || eq8(get8(a + len - 8), get8(b + len - 8)); /* some of them once more */
    }
    if (len >= 4)
        return eq8(get_ends(a, len), get_ends(b, len));
    for (; i < len; i++) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

int hf_view_cmp(struct hf_view a, struct hf_view b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool hf_view_starts(struct hf_view a, struct hf_view prefix)
{
    return a.len >= prefix.len && hf_view_eq(hf_view_take(a, prefix.len), prefix);
}

bool hf_view_ends(struct hf_view a, struct hf_view suffix)
{
    return a.len >= suffix.len && hf_view_eq(hf_view_skip(a, a.len - suffix.len), suffix);
}

size_t hf_view_find(struct hf_view a, uint8_t c)
{
    const uint8_t *p = a.len == 0 ? NULL : memchr(a.ptr, c, a.len);
    return p == NULL ? a.len : (size_t)(p - a.ptr);
}

char *hf_view_dup(struct hf_view a)
{
    if (a.len == SIZE_MAX)
        return NULL;
    char *copy = malloc(a.len + 1);
    if (copy == NULL)
        return NULL;
    if (a.len > 0)
        memcpy(copy, a.ptr, a.len);
    copy[a.len] = '\0';
    return copy;
}

void hf_buf_init(struct hf_buf *buf)
{
    *buf = (struct hf_buf){0};
}

void hf_buf_free(struct hf_buf *buf)
{
    if (buf->ptr != NULL) /* mostly it was handed on */
        free(buf->ptr);
    hf_buf_init(buf);
}

/* At least doubles, so that n single bytes cost O(n). */
enum hf_err hf_buf_grow(struct hf_buf *buf, size_t extra)
{
    if (extra > PTRDIFF_MAX - 1 - buf->len)
        return HF_LIMIT;
    size_t cap = buf->len + extra;
    if (cap < BUF_FIRST - 1)
        cap = BUF_FIRST - 1;
    if (buf->cap <= (PTRDIFF_MAX - 1) / 2 && cap < 2 * buf->cap)
        cap = 2 * buf->cap;
    bool bare = buf->len == 0; /* nothing to carry over: two quick calls, not one that copies */
    uint8_t *ptr = bare ? malloc(cap + 1) : realloc(buf->ptr, cap + 1);
    if (ptr == NULL)
        return HF_LIMIT;
    if (bare)
        free(buf->ptr);
    buf->ptr = ptr;
    buf->cap = cap;
    ptr[buf->len] = '\0';
    return HF_OK;
}

enum hf_err hf_buf_add(struct hf_buf *buf, const void *ptr, size_t len)
{
    enum hf_err err = hf_buf_reserve(buf, len);
    if (err != HF_OK)
        return err;
    if (len > 0)
        memcpy(buf->ptr + buf->len, ptr, len);
    buf->len += len;
    buf->ptr[buf->len] = '\0';
    return HF_OK;
}

enum hf_err hf_buf_add_view(struct hf_buf *buf, struct hf_view v)
{
    return hf_buf_add(buf, v.ptr, v.len);
}

enum hf_err hf_buf_add_byte(struct hf_buf *buf, uint8_t c)
{
    return hf_buf_add(buf, &c, 1);
}

enum hf_err hf_buf_add_text(struct hf_buf *buf, const char *text)
{
    return hf_buf_add_view(buf, hf_view_of(text));
}

/* Tries in the room there is; measures, grows and tries again when that was too small. */
enum hf_err hf_buf_printf(struct hf_buf *buf, const char *fmt, ...)
{
    for (int round = 0; round < 2; round++) {
        char none[1];
        size_t room = buf->ptr == NULL ? 0 : buf->cap - buf->len;
        va_list args;
        va_start(args, fmt);
        int n = room == 0 ? vsnprintf(none, sizeof none, fmt, args)
                          : vsnprintf((char *)buf->ptr + buf->len, room + 1, fmt, args);
        va_end(args);
        if (n >= 0 && buf->ptr != NULL && (size_t)n <= room) {
            buf->len += (size_t)n;
            return HF_OK;
        }
        if (buf->ptr != NULL)
            buf->ptr[buf->len] = '\0'; /* unchanged, seen from outside */
        if (n < 0)
            return HF_INVALID;
        enum hf_err err = hf_buf_reserve(buf, (size_t)n);
        if (err != HF_OK)
            return err;
    }
    return HF_INVALID; /* an argument changed between the two rounds */
}

void hf_buf_consume(struct hf_buf *buf, size_t n)
{
    HF_ASSERT(n <= buf->len);
    if (n == 0)
        return;
    buf->len -= n;
    memmove(buf->ptr, buf->ptr + n, buf->len + 1); /* the NUL too */
    buf->ptr[buf->len] = '\0';
}

void hf_buf_take(struct hf_buf *buf, uint8_t **ret, size_t *ret_len)
{
    *ret = buf->ptr;
    *ret_len = buf->len;
    hf_buf_init(buf);
}
