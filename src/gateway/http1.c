/* http1.c - reading HTTP/1.x heads: finding their end, and two readers that must agree (http1.h).
 *
 * strict.c decides; llhttp reads the same bytes independently and anything it understands
 * differently is refused. That makes a mistake in either of them a 400 instead of a smuggled
 * request. llhttp knows a fixed list of methods; for others, which a service may well offer, it is
 * shown POST instead: the method is our business alone.
 */
#include "gateway/http1.h"

#include "gateway/scan.h"

#include <llhttp.h>
#include <stdlib.h>

struct hf_http1_parser {
    uint32_t fields_max;
    llhttp_t llhttp;
    uint32_t n_values;     /* what llhttp counted */
    struct hf_view target; /* what llhttp saw as the target */
    struct hf_strict_field fields[];
};

enum hf_err hf_http1_parser_new(uint32_t fields_max, struct hf_http1_parser **ret)
{
    struct hf_http1_parser *p = calloc(1, sizeof *p + (size_t)fields_max * sizeof p->fields[0]);
    if (p == NULL)
        return HF_LIMIT;
    p->fields_max = fields_max;
    *ret = p;
    return HF_OK;
}

void hf_http1_parser_free(struct hf_http1_parser *p)
{
    free(p);
}

static enum hf_err refuse(struct hf_refusal *why, uint16_t status, const char *text)
{
    *why = (struct hf_refusal){status, text};
    return HF_INVALID;
}

/* The first bytes: at most one empty line, then a method. */
static enum hf_err find_start(struct hf_view bytes, struct hf_http1_scan *scan,
                              struct hf_refusal *why)
{
    if (bytes.len > 0 && bytes.ptr[0] == '\r') {
        if (bytes.len == 1)
            return HF_AGAIN;
        if (bytes.ptr[1] != '\n')
            return refuse(why, 400, "a CR without LF");
        scan->skip = 2;
    }
    if (bytes.len <= scan->skip)
        return HF_AGAIN;
    uint8_t c = bytes.ptr[scan->skip];
    if (c == '\n')
        return refuse(why, 400, "a line ends in LF without CR");
    if (c == ' ' || c == '\t')
        return refuse(why, 400, "space before the method");
    if (c == 0x16)
        return refuse(why, 400, "a TLS handshake on a port that speaks plain HTTP");
    if (!hf_strict_is_token(hf_view(&c, 1)))
        return refuse(why, 400, "this is not an HTTP request");
    scan->at = scan->skip;
    return HF_OK;
}

/* Which of the next sixteen bytes, or of those that are left, are line feeds. */
static inline unsigned feeds(struct hf_view bytes, size_t at)
{
    unsigned m = 0;
    if (HF_LIKELY(bytes.len - at >= HF_SCAN))
        return hf_scan_lf(bytes.ptr + at);
    if (HF_LIKELY(bytes.len >= HF_SCAN)) /* some of them once more */
        return hf_scan_lf(bytes.ptr + bytes.len - HF_SCAN) >> (HF_SCAN - (bytes.len - at));
    for (unsigned i = 0; i < bytes.len - at; i++)
        m |= (unsigned)(bytes.ptr[at + i] == '\n') << i;
    return m;
}

/* Goes from line end to line end until one is empty. `at` is where to go on, 0 at the very first
 * byte of a line. */
static enum hf_err find_empty_line(struct hf_view bytes, uint32_t start, uint32_t *at, uint32_t max,
                                   const char *too_long, struct hf_refusal *why)
{
    for (size_t i = *at; i < bytes.len; i += HF_SCAN) {
        for (unsigned m = feeds(bytes, i); m != 0; m &= m - 1) {
            size_t end = i + (size_t)__builtin_ctz(m) + 1;
            const uint8_t *lf = bytes.ptr + end - 1;
            if (end - start > max)
                return refuse(why, 431, too_long);
            *at = (uint32_t)end;
            if (end < start + 2 || lf[-1] != '\r')
                return refuse(why, 400, "a line ends in LF without CR");
            if (end == start + 2 || lf[-2] == '\n')
                return HF_OK;
        }
    }
    if (bytes.len - start > max)
        return refuse(why, 431, too_long);
    *at = (uint32_t)bytes.len;
    return HF_AGAIN;
}

enum hf_err hf_http1_find_head(struct hf_view bytes, uint32_t head_max, struct hf_http1_scan *scan,
                               size_t *len, struct hf_refusal *why)
{
    enum hf_err err = HF_OK;
    scan->begun |= bytes.len > 0;
    if (scan->at == 0)
        err = find_start(bytes, scan, why);
    if (err == HF_OK)
        err = find_empty_line(bytes, scan->skip, &scan->at, head_max,
                              "the head is longer than this server allows", why);
    if (err == HF_OK)
        *len = scan->at;
    return err;
}

/* ---- the second reader ---- */

static int on_url(llhttp_t *l, const char *at, size_t len)
{
    struct hf_http1_parser *p = l->data;
    p->target = hf_view(at, len);
    return 0;
}

static int on_value_complete(llhttp_t *l)
{
    struct hf_http1_parser *p = l->data;
    p->n_values++;
    return 0;
}

static int on_headers_complete(llhttp_t *l)
{
    (void)l;
    return HPE_PAUSED; /* bodies are decoded by http1_body.c */
}

static const llhttp_settings_t second_reader = {
    .on_url = on_url,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

static bool llhttp_knows(struct hf_view method)
{
    switch (method.len) {
    case 3: return memcmp(method.ptr, "GET", 3) == 0 || memcmp(method.ptr, "PUT", 3) == 0;
    case 4: return memcmp(method.ptr, "HEAD", 4) == 0 || memcmp(method.ptr, "POST", 4) == 0;
    case 5: return memcmp(method.ptr, "PATCH", 5) == 0 || memcmp(method.ptr, "TRACE", 5) == 0;
    case 6: return memcmp(method.ptr, "DELETE", 6) == 0;
    case 7: return memcmp(method.ptr, "OPTIONS", 7) == 0;
    default: return false;
    }
}

static bool llhttp_agrees(struct hf_http1_parser *p, struct hf_view head, const struct hf_strict *s)
{
    llhttp_t *l = &p->llhttp;
    struct hf_view rest = head;
    llhttp_init(l, HTTP_REQUEST, &second_reader);
    l->data = p;
    p->n_values = 0;
    p->target = (struct hf_view){0};
    if (!llhttp_knows(s->method)) {
        if (llhttp_execute(l, "POST", 4) != HPE_OK)
            return false;
        rest = hf_view_skip(rest, s->method.len);
    }
    if (llhttp_execute(l, (const char *)rest.ptr, rest.len) != HPE_PAUSED)
        return false;
    return (const uint8_t *)llhttp_get_error_pos(l) == head.ptr + head.len &&
           p->n_values == s->n_fields && p->target.ptr == s->target.ptr &&
           p->target.len == s->target.len && l->http_major == 1 && l->http_minor == s->minor &&
           ((l->flags & F_CHUNKED) != 0) == s->chunked &&
           ((l->flags & F_TRANSFER_ENCODING) != 0) == s->chunked &&
           ((l->flags & F_CONTENT_LENGTH) != 0) == s->has_length && l->content_length == s->length;
}

static bool is_safe(struct hf_view method)
{
    return hf_view_eq_text(method, "GET") || hf_view_eq_text(method, "HEAD") ||
           hf_view_eq_text(method, "OPTIONS") || hf_view_eq_text(method, "TRACE");
}

bool hf_http1_parse(struct hf_http1_parser *p, struct hf_view head, struct hf_http1_request *ret,
                    struct hf_refusal *why)
{
    *ret = (struct hf_http1_request){.s = {.fields = p->fields, .fields_max = p->fields_max}};
    struct hf_strict *s = &ret->s;
    bool ok = hf_strict_head(head, s, why);
    ret->safe = is_safe(s->method);
    ret->is_head = hf_view_eq_text(s->method, "HEAD");
    if (!ok || !hf_target_read(s->method, s->target, s->host, &ret->target, why))
        return false;
    if (!llhttp_agrees(p, head, s)) {
        refuse(why, 400, "two readers of this request do not agree");
        return false;
    }
    ret->keep_alive = !s->close && (s->minor == 1 || s->keep_alive);
    ret->has_body = s->chunked || s->length > 0;
    return true;
}
