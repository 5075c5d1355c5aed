/* log_text.c - see log_text.h. */
#include "node/log_text.h"

#include <stdio.h>
#include <time.h>

#include "base/utf.h"

/* Two digits at a time. */
void hf_pen_number(struct hf_pen *p, uint64_t n)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
                                "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
                                "9899";
    uint8_t digits[HF_PEN_NUMBER_MAX], *d = digits + sizeof digits;
    if (n < 10) { /* most numbers of a line */
        *p->at++ = (uint8_t)('0' + n);
        return;
    }
    for (; n >= 100; n /= 100)
        memcpy(d -= 2, pairs + n % 100 * 2, 2);
    if (n >= 10)
        memcpy(d -= 2, pairs + n * 2, 2);
    else
        *--d = (uint8_t)('0' + n);
    size_t len = (size_t)(digits + sizeof digits - d);
    if (len <= 4) { /* no call */
        do
            *p->at++ = *d++;
        while (--len > 0);
        return;
    }
    hf_pen_view(p, hf_view(d, len));
}

/* ---- time ---- */

static void set_clock(struct hf_log_clock *c, uint64_t wall_ns)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec"; /* whatever the locale */
    int64_t s = (int64_t)(wall_ns / 1000000000u);
    time_t t = (time_t)s;
    struct tm tm;
    if (c->second == s + 1)
        return;
    gmtime_r(&t, &tm);
    /* % keeps the compiler sure of the widths */
    unsigned year = (unsigned)(tm.tm_year + 1900) % 10000, month = (unsigned)tm.tm_mon % 12;
    unsigned day = (unsigned)tm.tm_mday % 100, h = (unsigned)tm.tm_hour % 100,
             m = (unsigned)tm.tm_min % 100, sec = (unsigned)tm.tm_sec % 100;
    snprintf(c->iso, sizeof c->iso, "%04u-%02u-%02uT%02u:%02u:%02u", year, month + 1, day, h, m,
             sec);
    snprintf(c->clf, sizeof c->clf, "%02u/%.3s/%04u:%02u:%02u:%02u +0000", day, months + month * 3,
             year, h, m, sec);
    c->second = s + 1;
}

void hf_pen_iso(struct hf_pen *p, struct hf_log_clock *c, uint64_t wall_ns)
{
    unsigned ms = (unsigned)(wall_ns / 1000000u % 1000u);
    set_clock(c, wall_ns);
    hf_pen_view(p, hf_view(c->iso, 19));
    *p->at++ = '.';
    *p->at++ = (uint8_t)('0' + ms / 100);
    *p->at++ = (uint8_t)('0' + ms / 10 % 10);
    *p->at++ = (uint8_t)('0' + ms % 10);
    *p->at++ = 'Z';
}

void hf_pen_clf(struct hf_pen *p, struct hf_log_clock *c, uint64_t wall_ns)
{
    set_clock(c, wall_ns);
    hf_pen_view(p, hf_view(c->clf, 26));
}

/* ---- strangers' bytes ---- */

/* Printable ASCII goes as it is; a quote or a backslash only where nothing is quoted. */
static inline bool plain(uint8_t c, bool quotes)
{
    return (uint8_t)(c - 0x20) < 0x5f && (!quotes || (c != '"' && c != '\\'));
}

#define ALL(c) (UINT64_C(0x0101010101010101) * (c))
/* The same of eight bytes at once. Its carries only make bytes look less plain that stand behind one that is not. */
static inline bool all_plain(uint64_t x, bool quotes)
{
    uint64_t bad = x | (x - ALL(0x20)) | (x + ALL(1)); /* past ASCII; control characters; DEL */
    if (quotes) {
        uint64_t q = x ^ ALL('"'), b = x ^ ALL('\\');
        bad |= (q - ALL(1)) | (b - ALL(1)); /* x is ASCII here, and so are they: a zero borrows */
    }
    return (bad & ALL(0x80)) == 0;
}

static void hex_byte(struct hf_pen *p, const char *before, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    hf_pen_text(p, before);
    *p->at++ = (uint8_t)digits[c >> 4];
    *p->at++ = (uint8_t)digits[c & 15];
}

/* Bytes of the UTF-8 sequence at the front; 0: it is none, or one of the C1 control characters. */
static size_t sequence(struct hf_view v)
{
    uint8_t c = v.ptr[0];
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || n > v.len || !hf_utf8_valid(v.ptr, n) || (c == 0xc2 && v.ptr[1] < 0xa0))
        return 0;
    return n;
}

static void escape_one(struct hf_pen *p, uint8_t c, enum hf_escape how)
{
    if (how == HF_ESCAPE_LINES && c == '\n')
        *p->at++ = c;
    else if (c == '"' || c == '\\')
        *p->at++ = '\\', *p->at++ = c;
    else if (how == HF_ESCAPE_JSON)
        hex_byte(p, c < 0x80 ? "\\u00" : "\\\\x", c); /* a byte that is no character: \xHH, as text */
    else
        hex_byte(p, "\\x", c);
}

/* How many bytes at the front went as they are. */
static inline size_t pen_plain(struct hf_pen *p, struct hf_view v, bool quotes)
{
    const uint8_t *at = v.ptr, *end = v.ptr + v.len;
    uint8_t *to = p->at;
    for (uint64_t x; end - at >= 8; at += 8, to += 8) {
        memcpy(&x, at, 8);
        if (!all_plain(x, quotes))
            break;
        memcpy(to, &x, 8);
    }
    while (at < end && plain(*at, quotes))
        *to++ = *at++;
    p->at = to;
    return (size_t)(at - v.ptr);
}

/* Begins with one that does not go as it is. */
static __attribute__((noinline)) void pen_strange(struct hf_pen *p, struct hf_view v, enum hf_escape how)
{
    bool quotes = how == HF_ESCAPE_QUOTED || how == HF_ESCAPE_JSON;
    while (v.len > 0) {
        size_t n = v.ptr[0] < 0x80 || how == HF_ESCAPE_QUOTED ? 0 : sequence(v);
        if (n > 0)
            hf_pen_view(p, hf_view(v.ptr, n));
        else
            escape_one(p, v.ptr[0], how);
        v = hf_view_skip(v, n > 0 ? n : 1);
        v = hf_view_skip(v, pen_plain(p, v, quotes));
    }
}

/* All of 1 to 7 bytes, which are looked at as one word: bytes in the middle may stand twice in it. False: not all go as they are. */
static inline bool pen_few(struct hf_pen *p, struct hf_view v, bool quotes)
{
    uint32_t from, to;
    if (v.len < 4) {
        uint8_t a = v.ptr[0], b = v.ptr[v.len / 2], c = v.ptr[v.len - 1];
        if (!all_plain((ALL(' ') << 24) | (uint64_t)c << 16 | (uint64_t)b << 8 | a, quotes))
            return false;
        p->at[0] = a;
        p->at[v.len / 2] = b;
        p->at[v.len - 1] = c;
    } else {
        memcpy(&from, v.ptr, 4);
        memcpy(&to, v.ptr + v.len - 4, 4);
        if (!all_plain((uint64_t)to << 32 | from, quotes))
            return false;
        memcpy(p->at, &from, 4);
        memcpy(p->at + v.len - 4, &to, 4);
    }
    p->at += v.len;
    return true;
}

void hf_pen_escaped(struct hf_pen *p, struct hf_view v, enum hf_escape how)
{
    if (v.len - 1 < 7 && pen_few(p, v, how == HF_ESCAPE_QUOTED || how == HF_ESCAPE_JSON)) /* a method, a short path or name */
        return;
    size_t n = how == HF_ESCAPE_QUOTED || how == HF_ESCAPE_JSON ? pen_plain(p, v, true) : pen_plain(p, v, false);
    if (n < v.len) /* nearly never */
        pen_strange(p, hf_view_skip(v, n), how);
}
