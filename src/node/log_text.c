/* log_text.c - see log_text.h. */
#include "node/log_text.h"

#include <stdio.h>
#include <time.h>

#include "base/utf.h"

void hf_pen_number(struct hf_pen *p, uint64_t n)
{
    uint8_t digits[HF_PEN_NUMBER_MAX], *d = digits + sizeof digits;
    do
        *--d = (uint8_t)('0' + n % 10);
    while ((n /= 10) != 0);
    hf_pen_view(p, hf_view(d, (size_t)(digits + sizeof digits - d)));
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

void hf_pen_escaped(struct hf_pen *p, struct hf_view v, enum hf_escape how)
{
    bool quotes = how == HF_ESCAPE_QUOTED || how == HF_ESCAPE_JSON;
    for (size_t i = 0; i < v.len;) {
        const uint8_t *from = v.ptr + i, *at = from, *end = v.ptr + v.len;
        uint8_t *to = p->at;
        while (at < end && plain(*at, quotes))
            *to++ = *at++;
        p->at = to;
        i += (size_t)(at - from);
        if (i == v.len)
            break;
        size_t n = v.ptr[i] < 0x80 || how == HF_ESCAPE_QUOTED ? 0 : sequence(hf_view_skip(v, i));
        if (n > 0)
            hf_pen_view(p, hf_view(v.ptr + i, n));
        else
            escape_one(p, v.ptr[i], how);
        i += n > 0 ? n : 1;
    }
}
