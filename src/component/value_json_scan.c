/* value_json_scan.c - the tokens of JSON, over the places and reports of value_scan.h. */
#include "base/utf.h"
#include "component/value_scan.h"

void hf_json_space(struct hf_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

bool hf_json_peek(struct hf_scan *s, char c)
{
    hf_json_space(s);
    return s->at < s->end && *s->at == (uint8_t)c;
}

bool hf_json_take(struct hf_scan *s, char c)
{
    bool is = hf_json_peek(s, c);
    s->at += is;
    return is;
}

enum hf_err hf_json_need(struct hf_scan *s, char c, const char *what)
{
    return hf_json_take(s, c) ? HF_OK : hf_scan_expected(s, s->at, what);
}

bool hf_json_word(struct hf_scan *s, const char *word)
{
    size_t n = strlen(word);
    hf_json_space(s);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
        return false;
    const uint8_t *behind = s->at + n;
    if (behind < s->end &&
        (((*behind | 32) >= 'a' && (*behind | 32) <= 'z') || (*behind >= '0' && *behind <= '9')))
        return false;
    s->at = behind;
    return true;
}

static int hex(const uint8_t *p)
{
    int n = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i], low = c | 32;
        if (c >= '0' && c <= '9')
            n = n * 16 + c - '0';
        else if (low >= 'a' && low <= 'f')
            n = n * 16 + low - 'a' + 10;
        else
            return -1;
    }
    return n;
}

/* At the backslash. */
static enum hf_err read_escape(struct hf_scan *s, uint32_t *ret)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const uint8_t *from = s->at;
    const char *name = s->end - from < 2 || from[1] == 0 ? NULL : strchr(names, from[1]);
    if (name != NULL) {
        *ret = (uint8_t)values[name - names];
        s->at += 2;
        return HF_OK;
    }
    int high = s->end - from >= 6 && from[1] == 'u' ? hex(from + 2) : -1;
    if (high < 0)
        return hf_scan_fail(s, from, HF_INVALID,
                            "unknown escape; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u "
                            "with four hex digits");
    s->at += 6;
    *ret = (uint32_t)high;
    if (high < 0xd800 || high > 0xdfff)
        return HF_OK;
    int low = high < 0xdc00 && s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u'
                  ? hex(s->at + 2)
                  : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return hf_scan_fail(s, from, HF_INVALID, "half of a surrogate pair");
    s->at += 6;
    *ret = 0x10000 + (((uint32_t)high & 0x3ff) << 10) + ((uint32_t)low & 0x3ff);
    return HF_OK;
}

enum hf_err hf_json_string(struct hf_scan *s, const char *what, struct hf_view *ret)
{
    if (!hf_json_peek(s, '"'))
        return hf_scan_expected(s, s->at, what);
    const uint8_t *open = s->at++, *close = s->at;
    while (close < s->end && *close != '"') {
        if (*close < 0x20)
            return hf_scan_fail(s, close, HF_INVALID,
                                "byte %02x inside a string: it is written as an escape", *close);
        close += *close == '\\' && s->end - close > 1 ? 2 : 1;
    }
    if (close >= s->end)
        return hf_scan_fail(s, open, HF_INVALID, "a string without its closing quote");
    if (close - s->at >= (ptrdiff_t)HF_ELEM_SIZE_MAX)
        return hf_scan_fail(s, open, HF_LIMIT, "a string takes 2^28 bytes or more");
    uint8_t *out = hf_arena_alloc(s->arena, (size_t)(close - s->at) + 1,
                                  1); /* no escape is longer decoded than written */
    if (out == NULL)
        return hf_scan_no_memory(s);
    size_t n = 0;
    while (s->at < close) {
        uint32_t cp = 0;
        if (*s->at != '\\') {
            out[n++] = *s->at++;
            continue;
        }
        enum hf_err err = read_escape(s, &cp);
        if (err != HF_OK)
            return err;
        n += hf_utf8_put(out + n, cp);
    }
    s->at = close + 1;
    *ret = hf_view(out, n);
    return HF_OK;
}
