/* strict.c - the strict pass over a head (strict.h).
 *
 * One walk from left to right. A 256-entry table decides about bytes; everything else is about
 * fields that may stand at most once. The order of checks decides which text a doubly wrong request
 * gets, nothing more.
 */
#include "gateway/strict.h"

#include "gateway/scan.h"

#define NAMED_MAX 32u /* fields a Connection may name: each costs a walk over all fields */

#define TOKEN  1u /* tchar, RFC 9110 5.6.2 */
#define VALUE  2u /* field-vchar, SP, HTAB */
#define TARGET 4u /* what a browser never escapes on its own: visible ASCII but " # < > */

#define T (TOKEN | VALUE | TARGET)
#define P (VALUE | TARGET) /* punctuation */
#define V VALUE
static const uint8_t byte_class[256] = {
    ['\t'] = V,        [' '] = V, ['!'] = T,           ['"'] = V,  ['#'] = TOKEN | V,
    ['$'] = T,         ['%'] = T, ['&'] = T,           ['\''] = T, ['('] = P,
    [')'] = P,         ['*'] = T, ['+'] = T,           [','] = P,  ['-'] = T,
    ['.'] = T,         ['/'] = P, ['0' ... '9'] = T,   [':'] = P,  [';'] = P,
    ['<'] = V,         ['='] = P, ['>'] = V,           ['?'] = P,  ['@'] = P,
    ['A' ... 'Z'] = T, ['['] = P, ['\\'] = P,          [']'] = P,  ['^'] = T,
    ['_'] = T,         ['`'] = T, ['a' ... 'z'] = T,   ['{'] = P,  ['|'] = T,
    ['}'] = P,         ['~'] = T, [0x80 ... 0xff] = V,
};
#undef T
#undef P
#undef V

static bool refuse(struct hf_refusal *why, uint16_t status, const char *text)
{
    *why = (struct hf_refusal){status, text};
    return false;
}

/* Bytes at the front that are all of a class. */
static size_t run_of(struct hf_view v, uint8_t class)
{
    size_t n = 0;
    while (n < v.len && (byte_class[v.ptr[n]] & class) != 0)
        n++;
    return n;
}

/* What a scan says of the last bytes of `v`, from the n-th on, fewer than sixteen; `v` has sixteen in all. */
#define LEFT(scan, v, n) (scan((v).ptr + (v).len - HF_SCAN) >> (HF_SCAN - ((v).len - (n))))

/* Bytes of the class TOKEN from the n-th on end where? Most of it sixteen bytes at a time. */
static inline size_t end_of_token(struct hf_view v, size_t n)
{
    while (v.len - n >= HF_SCAN) {
        unsigned other = hf_scan_other(v.ptr + n);
        if (other != 0) {
            n += (size_t)__builtin_ctz(other);
            break;
        }
        n += HF_SCAN;
    }
    while (n < v.len && (byte_class[v.ptr[n]] & TOKEN) != 0)
        n++;
    return n;
}

/* The same of VALUE. */
static inline size_t end_of_value(struct hf_view v, size_t n)
{
    while (v.len - n >= HF_SCAN) {
        unsigned odd = hf_scan_odd(v.ptr + n);
        if (odd == 0) {
            n += HF_SCAN;
            continue;
        }
        n += (size_t)__builtin_ctz(odd);
        if (v.ptr[n] != '\t')
            return n;
        n++;
    }
    if (n < v.len && v.len >= HF_SCAN) { /* some of them once more */
        unsigned odd = LEFT(hf_scan_odd, v, n);
        n = odd == 0 ? v.len : n + (size_t)__builtin_ctz(odd);
    }
    while (n < v.len && (byte_class[v.ptr[n]] & VALUE) != 0)
        n++;
    return n;
}

static inline bool is(struct hf_view v, const char *lower, size_t len)
{
    return v.len == len && hf_bytes_eq_nocase(v.ptr, (const uint8_t *)lower, len);
}
#define IS(v, lit) is((v), "" lit, sizeof(lit) - 1)

bool hf_strict_is_token(struct hf_view v)
{
    uint8_t few[HF_SCAN];
    if (v.len >= 4 && v.len <= HF_SCAN) {
        hf_scan_short(few, v.ptr, v.len);
        if (hf_scan_other(few) == 0)
            return true;
    }
    return v.len > 0 && end_of_token(v, 0) == v.len;
}

bool hf_strict_is_value(struct hf_view v)
{
    uint8_t few[HF_SCAN];
    if (v.len >= 4 && v.len < HF_SCAN) {
        hf_scan_short(few, v.ptr, v.len);
        if (hf_scan_odd(few) == 0)
            return true;
    }
    return end_of_value(v, 0) == v.len;
}

bool hf_strict_is_target(struct hf_view v)
{
    return run_of(v, TARGET) == v.len;
}

void hf_strict_guess(struct hf_view bytes, struct hf_view *method, struct hf_view *target)
{
    struct hf_view rest = hf_view_starts(bytes, HF_VIEW("\r\n")) ? hf_view_skip(bytes, 2) : bytes;
    *method = hf_view_take(rest, run_of(rest, TOKEN));
    rest = hf_view_skip(rest, method->len);
    *target = (struct hf_view){0};
    if (rest.len > 0 && rest.ptr[0] == ' ')
        *target = hf_view_take(hf_view_skip(rest, 1), run_of(hf_view_skip(rest, 1), TARGET));
}

static inline bool blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static inline struct hf_view trim(struct hf_view v)
{
    while (v.len > 0 && blank(v.ptr[0])) {
        v.ptr++;
        v.len--;
    }
    while (v.len > 0 && blank(v.ptr[v.len - 1]))
        v.len--;
    return v;
}

struct hf_view hf_strict_trim(struct hf_view v)
{
    return trim(v);
}

bool hf_strict_list_next(struct hf_view *rest, struct hf_view *item)
{
    while (rest->len > 0) {
        size_t comma = hf_view_find(*rest, ',');
        *item = trim(hf_view_take(*rest, comma));
        *rest = hf_view_skip(*rest, comma + 1);
        if (item->len > 0)
            return true;
    }
    return false;
}

bool hf_strict_is_hop(struct hf_view name)
{
    switch (name.len) {
    case 2: return IS(name, "te");
    case 7: return IS(name, "upgrade");
    case 10: return IS(name, "connection") || IS(name, "keep-alive");
    case 14: return IS(name, "http2-settings");
    case 16: return IS(name, "proxy-connection");
    case 17: return IS(name, "transfer-encoding");
    default: return false;
    }
}

bool hf_strict_length(struct hf_view value, uint64_t *ret)
{
    uint64_t n = 0;
    if (value.len == 0)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned digit = value.ptr[i] - (unsigned)'0';
        if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

/* What stands where a line should end. */
__attribute__((cold)) static bool no_line_end(struct hf_view rest, struct hf_refusal *why)
{
    if (rest.len == 0)
        return refuse(why, 400, "the head is cut off");
    if (rest.ptr[0] == '\n')
        return refuse(why, 400, "a line ends in LF without CR");
    if (rest.ptr[0] == '\r')
        return refuse(why, 400, "a CR without LF");
    if (rest.ptr[0] == 0)
        return refuse(why, 400, "a NUL byte in the head");
    return refuse(why, 400, "a control character in the head");
}

/* The line end at the front: CR and LF, both. */
static inline bool line_end(struct hf_view *rest, struct hf_refusal *why)
{
    if (HF_UNLIKELY(rest->len < 2 || rest->ptr[0] != '\r' || rest->ptr[1] != '\n'))
        return no_line_end(*rest, why);
    *rest = hf_view(rest->ptr + 2, rest->len - 2);
    return true;
}

bool hf_strict_line_end(struct hf_view *rest, struct hf_refusal *why)
{
    return line_end(rest, why);
}

bool hf_strict_field(struct hf_view *rest, struct hf_strict_field *ret, struct hf_refusal *why)
{
    struct hf_view at = *rest;
    size_t n = end_of_token(at, 0), end;
    uint8_t stop = n < at.len ? at.ptr[n] : 0;
    if (n == 0 && (stop == ' ' || stop == '\t'))
        return refuse(why, 400, "a folded or indented field line");
    if (n == 0 && stop == ':')
        return refuse(why, 400, "a field without a name");
    if (stop == ' ' || stop == '\t')
        return refuse(why, 400, "space between a field name and its colon");
    if (stop == '\r' || stop == '\n')
        return refuse(why, 400, "a field line without a colon");
    if (stop != ':')
        return refuse(why, 400, "a character that no field name may hold");
    ret->name = hf_view(at.ptr, n);
    n++;
    end = end_of_value(at, n);
    ret->value = trim(hf_view(at.ptr + n, end - n));
    ret->hop = false;
    at = hf_view(at.ptr + end, at.len - end);
    if (!line_end(&at, why))
        return false;
    *rest = at;
    return true;
}

/* METHOD SP target SP HTTP/1.x CRLF, single spaces. */
static bool request_line(struct hf_view *rest, struct hf_strict *s, struct hf_refusal *why)
{
    struct hf_view at = *rest;
    size_t n = run_of(at, TOKEN);
    if (n == 0 && at.len > 0 && (at.ptr[0] == ' ' || at.ptr[0] == '\t'))
        return refuse(why, 400, "space before the method");
    if (n == 0 || n == at.len || at.ptr[n] != ' ')
        return refuse(why, 400, "the method is not a token followed by one space");
    s->method = hf_view_take(at, n);
    at = hf_view_skip(at, n + 1);

    n = run_of(at, TARGET);
    s->target = hf_view_take(at, n);
    if (n < at.len && (at.ptr[n] == '\r' || at.ptr[n] == '\n'))
        return refuse(why, 400, "no HTTP version in the request line");
    if (n == 0)
        return refuse(why, 400, "no request target");
    if (n == at.len || at.ptr[n] != ' ')
        return refuse(why, 400, "a character that no request target may hold");
    at = hf_view_skip(at, n + 1);

    if (at.len < 8 || memcmp(at.ptr, "HTTP/", 5) != 0 || at.ptr[6] != '.' || at.ptr[5] < '0' ||
        at.ptr[5] > '9' || at.ptr[7] < '0' || at.ptr[7] > '9')
        return refuse(why, 400, "the request line does not end in one space and HTTP/1.1");
    if (at.ptr[5] != '1' || at.ptr[7] > '1')
        return refuse(why, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    s->minor = (uint8_t)(at.ptr[7] - '0');
    at = hf_view_skip(at, 8);
    if (at.len > 0 && (byte_class[at.ptr[0]] & VALUE) != 0)
        return refuse(why, 400, "the request line goes on after the HTTP version");
    if (!line_end(&at, why))
        return false;
    *rest = at;
    return true;
}

/* *named: it names fields. */
static void connection_options(struct hf_strict *s, struct hf_view value, bool *named)
{
    struct hf_view item;
    while (hf_strict_list_next(&value, &item)) {
        bool close = IS(item, "close"), keep_alive = IS(item, "keep-alive");
        s->close |= close;
        s->keep_alive |= keep_alive;
        *named |= !close && !keep_alive;
    }
}

/* The few fields that decide framing, routing and the connection's life. */
static bool known_field(struct hf_strict *s, struct hf_strict_field *f, bool *coded, bool *named,
                        struct hf_refusal *why)
{
    switch (f->name.len) {
    case 4:
        if (!IS(f->name, "host"))
            return true;
        if (s->has_host)
            return refuse(why, 400, "more than one Host");
        s->has_host = true;
        s->host = f->value;
        return true;
    case 6:
        if (IS(f->name, "expect") && s->expect != HF_EXPECT_OTHER)
            s->expect = IS(f->value, "100-continue") ? HF_EXPECT_CONTINUE : HF_EXPECT_OTHER;
        return true;
    case 10:
        if (IS(f->name, "connection"))
            connection_options(s, f->value, named);
        break;
    case 14:
        if (!IS(f->name, "content-length"))
            break;
        if (s->has_length)
            return refuse(why, 400, "more than one Content-Length");
        s->has_length = true;
        if (!hf_strict_length(f->value, &s->length))
            return refuse(why, 400, "a Content-Length that is not a number");
        return true;
    case 17:
        if (!IS(f->name, "transfer-encoding"))
            break;
        if (*coded)
            return refuse(why, 400, "more than one Transfer-Encoding");
        *coded = true;
        if (!IS(f->value, "chunked"))
            return refuse(why, 400, "a transfer coding other than chunked");
        s->chunked = true;
        break;
    default: break;
    }
    f->hop = hf_strict_is_hop(f->name);
    return true;
}

/* Fields that Connection names go no further either. Framing and routing do not listen to it. */
bool hf_strict_mark_named(struct hf_strict_field *fields, uint32_t n, struct hf_refusal *why)
{
    unsigned left = NAMED_MAX;
    for (uint32_t i = 0; i < n; i++) {
        struct hf_view rest = fields[i].value, item;
        if (!IS(fields[i].name, "connection"))
            continue;
        while (hf_strict_list_next(&rest, &item)) {
            if (IS(item, "close") || IS(item, "keep-alive") || IS(item, "content-length") ||
                IS(item, "host"))
                continue;
            if (left-- == 0)
                return refuse(why, 400, "Connection names too many fields");
            for (uint32_t j = 0; j < n; j++)
                fields[j].hop |= hf_view_eq_nocase(fields[j].name, item);
        }
    }
    return true;
}

bool hf_strict_head(struct hf_view head, struct hf_strict *s, struct hf_refusal *why)
{
    *s = (struct hf_strict){.fields = s->fields, .fields_max = s->fields_max};
    struct hf_view at = head;
    bool coded = false, named = false;
    if (!request_line(&at, s, why))
        return false;
    while (at.len > 0 && at.ptr[0] != '\r') {
        if (s->n_fields == s->fields_max)
            return refuse(why, 431, "too many fields");
        struct hf_strict_field *f = &s->fields[s->n_fields];
        if (!hf_strict_field(&at, f, why) || !known_field(s, f, &coded, &named, why))
            return false;
        s->n_fields++;
    }
    if (!line_end(&at, why))
        return false;
    if (at.len != 0)
        return refuse(why, 400, "bytes after the empty line");
    if (!s->has_host && s->minor == 1)
        return refuse(why, 400, "no Host");
    if (s->chunked && s->has_length)
        return refuse(why, 400, "both Content-Length and Transfer-Encoding");
    if (s->chunked && s->minor == 0)
        return refuse(why, 400, "Transfer-Encoding in HTTP/1.0");
    return !named || hf_strict_mark_named(s->fields, s->n_fields, why);
}

bool hf_strict_trailers(struct hf_view block, struct hf_strict_field *fields, uint32_t fields_max,
                        uint32_t *n, struct hf_refusal *why)
{
    *n = 0;
    while (block.len > 0 && block.ptr[0] != '\r') {
        if (*n == fields_max)
            return refuse(why, 431, "too many trailer fields");
        struct hf_strict_field *f = &fields[*n];
        if (!hf_strict_field(&block, f, why))
            return false;
        if (hf_strict_is_hop(f->name) || IS(f->name, "content-length") || IS(f->name, "host") ||
            IS(f->name, "expect") || IS(f->name, "trailer"))
            return refuse(why, 400, "a trailer field that may only stand in a head");
        ++*n;
    }
    if (!line_end(&block, why))
        return false;
    return block.len == 0 || refuse(why, 400, "bytes after the trailers");
}
