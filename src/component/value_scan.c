/* value_scan.c - the tokens of WAVE text; see value_scan.h. */
#include "component/value_scan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf.h"

enum hf_err hf_scan_init(struct hf_scan *s, struct hf_view text, struct hf_arena *arena,
                         struct hf_report *report)
{
    *s = (struct hf_scan){text.ptr, text.ptr, text.ptr + text.len, arena, report};
    size_t valid = hf_utf8_valid_prefix(text.ptr, text.len);
    if (valid != text.len) {
        s->end = text.ptr + valid; /* columns are counted up to here only */
        return hf_scan_fail(s, s->end, HF_INVALID, "not valid UTF-8");
    }
    return HF_OK;
}

static bool is_continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

enum hf_err hf_scan_fail(struct hf_scan *s, const uint8_t *where, enum hf_err err, const char *fmt,
                         ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t line = 1, column = 1;
    bool lines = s->start != s->end && memchr(s->start, '\n', (size_t)(s->end - s->start)) != NULL;
    for (const uint8_t *p = s->start; p < where; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if (!is_continuation(*p)) {
            column++;
        }
    }
    if (lines)
        return hf_report_set(s->report, err, "line %zu, column %zu: %s", line, column, text);
    return hf_report_set(s->report, err, "column %zu: %s", column, text);
}

enum hf_err hf_scan_expected(struct hf_scan *s, const uint8_t *where, const char *what)
{
    if (where == s->end)
        return hf_scan_fail(s, where, HF_INVALID, "expected %s, the text ends here", what);
    /* What is found: a word, or one character. Control characters are not echoed. */
    const uint8_t *p = where;
    while (p < s->end && p - where < 24 &&
           (*p == '-' || *p == '%' || *p == '.' || (*p >= '0' && *p <= '9') ||
            ((*p | 32) >= 'a' && (*p | 32) <= 'z')))
        p++;
    bool control = *where < 0x20 || *where == 0x7f || (*where == 0xc2 && where[1] < 0xa0);
    if (p == where && !control)
        do
            p++;
        while (p < s->end && is_continuation(*p));
    if (p == where)
        return hf_scan_fail(s, where, HF_INVALID, "expected %s, found byte %02x", what, *where);
    return hf_scan_fail(s, where, HF_INVALID, "expected %s, found `%.*s`", what, (int)(p - where),
                        (const char *)where);
}

enum hf_err hf_scan_no_memory(struct hf_scan *s)
{
    return hf_scan_fail(s, s->at, HF_LIMIT, "the value takes more than %zu bytes", s->arena->max);
}

void hf_scan_space(struct hf_scan *s)
{
    for (; s->at < s->end; s->at++) {
        uint8_t c = *s->at;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            continue;
        if (c != '/' || s->end - s->at < 2 || s->at[1] != '/')
            return;
        while (s->at + 1 < s->end && s->at[1] != '\n')
            s->at++;
    }
}

bool hf_scan_peek(struct hf_scan *s, char c)
{
    hf_scan_space(s);
    return s->at < s->end && *s->at == (uint8_t)c;
}

bool hf_scan_take(struct hf_scan *s, char c)
{
    if (!hf_scan_peek(s, c))
        return false;
    s->at++;
    return true;
}

enum hf_err hf_scan_need(struct hf_scan *s, char c, const char *after)
{
    if (hf_scan_take(s, c))
        return HF_OK;
    char what[128];
    snprintf(what, sizeof what, "`%c` %s", c, after);
    return hf_scan_expected(s, s->at, what);
}

static bool is_alpha(uint8_t c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

struct hf_view hf_scan_label(struct hf_scan *s, bool *escaped)
{
    hf_scan_space(s);
    const uint8_t *p = s->at;
    *escaped = p < s->end && *p == '%';
    if (*escaped)
        p++;
    const uint8_t *first = p;
    if (p == s->end || !is_alpha(*p))
        return hf_view(NULL, 0);
    while (p < s->end && (is_alpha(*p) || is_digit(*p) || *p == '-'))
        p++;
    s->at = p;
    return hf_view(first, (size_t)(p - first));
}

bool hf_label_is_keyword(struct hf_view label)
{
    static const char *const keywords[] = {"true", "false", "inf", "nan",
                                           "some", "none",  "ok",  "err"};
    for (size_t i = 0; i < HF_ARRAY_LEN(keywords); i++)
        if (hf_view_eq_text(label, keywords[i]))
            return true;
    return false;
}

static const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

enum hf_err hf_scan_number(struct hf_scan *s, const char *what, struct hf_view *ret, bool *whole)
{
    hf_scan_space(s);
    const uint8_t *p = s->at;
    if (p < s->end && *p == '-')
        p++;
    const uint8_t *digits = p;
    p = skip_digits(p, s->end);
    if (p == digits)
        return hf_scan_expected(s, s->at, what);
    if (*digits == '0' && p - digits > 1)
        return hf_scan_fail(s, digits, HF_INVALID, "a number has no leading zeros");
    *whole = true;
    if (p < s->end && *p == '.') {
        const uint8_t *fraction = ++p;
        p = skip_digits(p, s->end);
        if (p == fraction)
            return hf_scan_expected(s, p, "digits behind the point");
        *whole = false;
    }
    if (p < s->end && (*p | 32) == 'e') {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        const uint8_t *exponent = p;
        p = skip_digits(p, s->end);
        if (p == exponent)
            return hf_scan_expected(s, p, "digits of an exponent");
        *whole = false;
    }
    if (p < s->end && (is_alpha(*p) || *p == '_' || *p == '.'))
        return hf_scan_expected(s, p, "the end of the number");
    *ret = hf_view(s->at, (size_t)(p - s->at));
    s->at = p;
    return HF_OK;
}

/* ---- characters and strings ---- */

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* At the backslash. */
static enum hf_err scan_escape(struct hf_scan *s, uint32_t *ret)
{
    const uint8_t *from = s->at;
    static const char names[] = "'\"tnr\\";
    static const char values[] = "'\"\t\n\r\\";
    if (s->end - from < 2)
        return hf_scan_fail(s, from, HF_INVALID, "an escape without an end");
    const char *name = from[1] == '\0' ? NULL : strchr(names, from[1]);
    if (name != NULL) {
        *ret = (uint8_t)values[name - names];
        s->at += 2;
        return HF_OK;
    }
    if (from[1] != 'u' || s->end - from < 3 || from[2] != '{')
        return hf_scan_fail(s, from, HF_INVALID,
                            "unknown escape; there are \\\\ \\\" \\' \\t \\n \\r and \\u{hex}");
    const uint8_t *p = from + 3;
    uint32_t cp = 0;
    int digit = 0;
    while (p < s->end && (digit = hex_digit(*p)) >= 0 && cp <= 0x10ffff) {
        cp = cp * 16 + (uint32_t)digit;
        p++;
    }
    if (p == from + 3 || p == s->end || *p != '}' || cp > 0x10ffff ||
        (cp >= 0xd800 && cp <= 0xdfff))
        return hf_scan_fail(s, from, HF_INVALID,
                            "\\u{...} needs the hex number of a Unicode scalar value");
    *ret = cp;
    s->at = p + 1;
    return HF_OK;
}

enum hf_err hf_scan_char(struct hf_scan *s, uint32_t *ret)
{
    hf_scan_space(s);
    if (s->at == s->end || *s->at != '\'')
        return hf_scan_expected(s, s->at, "a char ('x')");
    const uint8_t *from = s->at++;
    if (s->at == s->end || *s->at == '\n')
        return hf_scan_fail(s, from, HF_INVALID, "a char without an end");
    if (*s->at == '\'')
        return hf_scan_fail(s, s->at, HF_INVALID, "a char is not empty (a quote is '\\'')");
    if (*s->at == '\\') {
        enum hf_err err = scan_escape(s, ret);
        if (err != HF_OK)
            return err;
    } else {
        size_t at = 0;
        *ret = hf_utf8_next(s->at, (size_t)(s->end - s->at), &at);
        s->at += at;
    }
    if (s->at == s->end || *s->at != '\'')
        return hf_scan_fail(s, s->at, HF_INVALID, "a char is one Unicode scalar value");
    s->at++;
    return HF_OK;
}

/* Three quotes: lines between the line break behind the opening and the one before the closing; the
 * spaces before the closing quotes are taken off each line. */
static enum hf_err scan_multiline(struct hf_scan *s, struct hf_view *ret)
{
    const uint8_t *open = s->at;
    s->at += 3;
    if (s->at < s->end && *s->at == '\r')
        s->at++;
    if (s->at == s->end || *s->at != '\n')
        return hf_scan_fail(s, s->at, HF_INVALID, "a line break must follow the opening \"\"\"");
    s->at++;
    /* The closing quotes: the first three in a row, wherever they stand. */
    const uint8_t *close = s->at;
    while (s->end - close >= 3 && memcmp(close, "\"\"\"", 3) != 0)
        close++;
    if (s->end - close < 3)
        return hf_scan_fail(s, open, HF_INVALID, "a string without its closing \"\"\"");
    const uint8_t *last = close; /* start of the closing line */
    while (last[-1] == ' ')
        last--;
    if (last[-1] != '\n')
        return hf_scan_fail(s, close, HF_INVALID,
                            "only spaces may stand before the closing \"\"\" in its line");
    size_t indent = (size_t)(close - last);
    uint8_t *out = hf_arena_alloc(s->arena, (size_t)(close - s->at) + 1, 1);
    if (out == NULL)
        return hf_scan_no_memory(s);
    size_t n = 0;
    while (s->at < last) {
        size_t spaces = 0;
        while (spaces < indent && s->at[spaces] == ' ')
            spaces++;
        if (spaces < indent)
            return hf_scan_fail(s, s->at, HF_INVALID,
                                "this line has fewer leading spaces than the closing \"\"\"");
        s->at += spaces;
        while (*s->at != '\n') {
            if (*s->at == '\r' && s->at[1] == '\n') {
                s->at++;
            } else if (*s->at == '\\') {
                uint32_t cp = 0;
                enum hf_err err = scan_escape(s, &cp);
                if (err != HF_OK)
                    return err;
                n += hf_utf8_put(out + n, cp);
            } else {
                out[n++] = *s->at++;
            }
        }
        s->at++;
        if (s->at < last)
            out[n++] = '\n';
    }
    s->at = close + 3;
    *ret = hf_view(out, n);
    return HF_OK;
}

enum hf_err hf_scan_string(struct hf_scan *s, struct hf_view *ret)
{
    hf_scan_space(s);
    if (s->at == s->end || *s->at != '"')
        return hf_scan_expected(s, s->at, "a string (\"...\")");
    if (s->end - s->at >= 3 && memcmp(s->at, "\"\"\"", 3) == 0)
        return scan_multiline(s, ret);
    const uint8_t *open = s->at++;
    const uint8_t *close = s->at;
    while (close < s->end && *close != '"' && *close != '\n')
        close += *close == '\\' && s->end - close > 1 ? 2 : 1;
    if (close >= s->end || *close != '"')
        return hf_scan_fail(s, open, HF_INVALID, "a string without its closing quote in its line");
    /* No escape is longer decoded than written. */
    uint8_t *out = hf_arena_alloc(s->arena, (size_t)(close - s->at) + 1, 1);
    if (out == NULL)
        return hf_scan_no_memory(s);
    size_t n = 0;
    while (s->at < close) {
        if (*s->at != '\\') {
            out[n++] = *s->at++;
            continue;
        }
        uint32_t cp = 0;
        enum hf_err err = scan_escape(s, &cp);
        if (err != HF_OK)
            return err;
        n += hf_utf8_put(out + n, cp);
    }
    s->at = close + 1;
    *ret = hf_view(out, n);
    return HF_OK;
}
