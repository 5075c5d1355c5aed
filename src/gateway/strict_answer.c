/* strict_answer.c - the strict pass over the head of an answer (strict.h).
 *
 * The other server may be anybody's: what it says about framing must have one meaning, or the rest
 * of its connection means anything. There is no second reader at run time; the fuzz target
 * http1_answer holds every head that is taken against llhttp, which must understand the same.
 */
#include "gateway/strict.h"

static bool refuse(struct hf_refusal *why, uint16_t status, const char *text)
{
    *why = (struct hf_refusal){status, text};
    return false;
}

static bool is(struct hf_view v, const char *lower, size_t len)
{
    return v.len == len && hf_view_eq_nocase(v, hf_view(lower, len));
}
#define IS(v, lit) is((v), "" lit, sizeof(lit) - 1)

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* HTTP/1.x SP status [SP reason] CRLF. The space without a reason is often forgotten; that has only
 * one meaning. */
static bool status_line(struct hf_view *rest, struct hf_strict_answer *s, struct hf_refusal *why)
{
    struct hf_view at = *rest;
    if (at.len < 12 || memcmp(at.ptr, "HTTP/", 5) != 0 || !digit(at.ptr[5]) || at.ptr[6] != '.' ||
        !digit(at.ptr[7]))
        return refuse(why, 502, "this is not an HTTP answer");
    if (at.ptr[5] != '1' || at.ptr[7] > '1')
        return refuse(why, 502, "an HTTP version other than 1.0 and 1.1");
    s->minor = (uint8_t)(at.ptr[7] - '0');
    if (at.ptr[8] != ' ' || !digit(at.ptr[9]) || !digit(at.ptr[10]) || !digit(at.ptr[11]))
        return refuse(why, 502, "a status that is not three digits behind one space");
    s->status = (uint16_t)((at.ptr[9] - '0') * 100 + (at.ptr[10] - '0') * 10 + (at.ptr[11] - '0'));
    if (s->status < 100)
        return refuse(why, 502, "a status below 100");
    at = hf_view_skip(at, 12);
    if (at.len > 0 && at.ptr[0] == ' ') {
        size_t n = hf_view_find(at, '\r');
        struct hf_view reason = hf_view_take(at, n);
        if (!hf_strict_is_value(reason)) {
            size_t bad = 0;
            while (hf_strict_is_value(hf_view(reason.ptr + bad, 1)))
                bad++;
            n = bad;
        }
        at = hf_view_skip(at, n);
    } else if (at.len > 0 && at.ptr[0] != '\r' && at.ptr[0] != '\n') {
        return refuse(why, 502, "a status that is not three digits behind one space");
    }
    if (!hf_strict_line_end(&at, why))
        return false;
    *rest = at;
    return true;
}

/* *named: it names fields. */
static void connection_options(struct hf_strict_answer *s, struct hf_view value, bool *named)
{
    struct hf_view item;
    while (hf_strict_list_next(&value, &item)) {
        bool close = IS(item, "close"), keep_alive = IS(item, "keep-alive");
        s->close |= close;
        s->keep_alive |= keep_alive;
        *named |= !close && !keep_alive;
    }
}

/* A tab between a value and the end of its line is white space to some readers and part of the value
 * to others: not where the framing is said. The line is whole, so there is an end. */
static bool tab_behind(const struct hf_strict_field *f)
{
    const uint8_t *p = f->value.ptr + f->value.len;
    while (*p == ' ')
        p++;
    return *p == '\t';
}

static bool known_field(struct hf_strict_answer *s, struct hf_strict_field *f, bool *named,
                        struct hf_refusal *why)
{
    if (IS(f->name, "content-length")) {
        if (s->has_length)
            return refuse(why, 502, "more than one Content-Length");
        s->has_length = true;
        if (!hf_strict_length(f->value, &s->length) || tab_behind(f))
            return refuse(why, 502, "a Content-Length that is not a number");
    } else if (IS(f->name, "transfer-encoding")) {
        if (s->chunked)
            return refuse(why, 502, "more than one Transfer-Encoding");
        if (!IS(f->value, "chunked"))
            return refuse(why, 501, "a transfer coding other than chunked");
        if (tab_behind(f))
            return refuse(why, 502, "a tab behind the transfer coding");
        s->chunked = true;
    } else if (IS(f->name, "connection")) {
        connection_options(s, f->value, named);
    }
    f->hop = hf_strict_is_hop(f->name);
    return true;
}

bool hf_strict_answer(struct hf_view head, struct hf_strict_answer *s, struct hf_refusal *why)
{
    *s = (struct hf_strict_answer){.fields = s->fields, .fields_max = s->fields_max};
    struct hf_view at = head;
    bool named = false, good = status_line(&at, s, why);
    while (good && at.len > 0 && at.ptr[0] != '\r') {
        if (s->n_fields == s->fields_max)
            return refuse(why, 431, "too many fields");
        struct hf_strict_field *f = &s->fields[s->n_fields];
        good = hf_strict_field(&at, f, why) && known_field(s, f, &named, why);
        s->n_fields += good;
    }
    good = good && hf_strict_line_end(&at, why);
    if (good && at.len != 0)
        good = refuse(why, 502, "bytes after the empty line");
    if (good && s->chunked && s->has_length)
        good = refuse(why, 502, "both Content-Length and Transfer-Encoding");
    if (good && s->chunked && s->minor == 0)
        good = refuse(why, 502, "Transfer-Encoding in HTTP/1.0");
    if (good && named)
        good = hf_strict_mark_named(s->fields, s->n_fields, why);
    if (!good && why->status == 400)
        why->status = 502; /* said by what requests and answers share */
    return good;
}
