/* http1_write.c - heads, chunk lines and last chunks as bytes (http1.h, http1_client.h).
 *
 * Field names and values come from guests: they are checked once more here, at the last place where
 * a line break in a value could still become a second answer.
 */
#include "gateway/http1_client.h"

static const struct {
    uint16_t status;
    const char *text;
} reasons[] = {
    {200, "200 OK"},
    {201, "201 Created"},
    {202, "202 Accepted"},
    {203, "203 Non-Authoritative Information"},
    {204, "204 No Content"},
    {205, "205 Reset Content"},
    {206, "206 Partial Content"},
    {207, "207 Multi-Status"},
    {208, "208 Already Reported"},
    {226, "226 IM Used"},
    {300, "300 Multiple Choices"},
    {301, "301 Moved Permanently"},
    {302, "302 Found"},
    {303, "303 See Other"},
    {304, "304 Not Modified"},
    {305, "305 Use Proxy"},
    {307, "307 Temporary Redirect"},
    {308, "308 Permanent Redirect"},
    {400, "400 Bad Request"},
    {401, "401 Unauthorized"},
    {402, "402 Payment Required"},
    {403, "403 Forbidden"},
    {404, "404 Not Found"},
    {405, "405 Method Not Allowed"},
    {406, "406 Not Acceptable"},
    {407, "407 Proxy Authentication Required"},
    {408, "408 Request Timeout"},
    {409, "409 Conflict"},
    {410, "410 Gone"},
    {411, "411 Length Required"},
    {412, "412 Precondition Failed"},
    {413, "413 Content Too Large"},
    {414, "414 URI Too Long"},
    {415, "415 Unsupported Media Type"},
    {416, "416 Range Not Satisfiable"},
    {417, "417 Expectation Failed"},
    {418, "418 I'm a teapot"},
    {421, "421 Misdirected Request"},
    {422, "422 Unprocessable Content"},
    {423, "423 Locked"},
    {424, "424 Failed Dependency"},
    {425, "425 Too Early"},
    {426, "426 Upgrade Required"},
    {428, "428 Precondition Required"},
    {429, "429 Too Many Requests"},
    {431, "431 Request Header Fields Too Large"},
    {451, "451 Unavailable For Legal Reasons"},
    {500, "500 Internal Server Error"},
    {501, "501 Not Implemented"},
    {502, "502 Bad Gateway"},
    {503, "503 Service Unavailable"},
    {504, "504 Gateway Timeout"},
    {505, "505 HTTP Version Not Supported"},
    {506, "506 Variant Also Negotiates"},
    {507, "507 Insufficient Storage"},
    {508, "508 Loop Detected"},
    {511, "511 Network Authentication Required"},
};

const char *hf_http1_reason(uint16_t status)
{
    size_t lo = 0, hi = HF_ARRAY_LEN(reasons);
    if (status == reasons[0].status) /* 200, mostly */
        return reasons[0].text;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (reasons[mid].status == status)
            return reasons[mid].text;
        if (reasons[mid].status < status)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static uint8_t *put(uint8_t *at, const void *ptr, size_t len)
{
    if (len > 0)
        memcpy(at, ptr, len);
    return at + len;
}
#define PUT(at, lit) put((at), "" lit, sizeof(lit) - 1)

static size_t decimal(char out[20], uint64_t n)
{
    char digits[20];
    size_t len = 0, at = 0;
    do
        digits[len++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (len > 0)
        out[at++] = digits[--len];
    return at;
}

/* name: value CRLF */
static enum hf_err add_field(struct hf_buf *out, struct hf_view name, struct hf_view value)
{
    if (!hf_strict_is_token(name) || !hf_strict_is_value(value))
        return HF_INVALID;
    enum hf_err err = hf_buf_reserve(out, name.len + value.len + 4);
    if (err != HF_OK)
        return err;
    uint8_t *at = put(out->ptr + out->len, name.ptr, name.len);
    at = PUT(at, ": ");
    at = put(at, value.ptr, value.len);
    at = PUT(at, "\r\n");
    out->len = (size_t)(at - out->ptr);
    return HF_OK;
}

static bool is(struct hf_view name, const char *lower, size_t len)
{
    return name.len == len && hf_view_eq_nocase(name, hf_view(lower, len));
}
#define IS(name, lit) is((name), "" lit, sizeof(lit) - 1)

/* Fields that the head's own Connection names. Rare, so looked up the slow way. */
static bool is_named(const struct hf_head *head, struct hf_view name)
{
    size_t at = 0;
    struct hf_view n, value, item;
    while (hf_head_next(head, &at, &n, &value)) {
        if (!IS(n, "connection"))
            continue;
        while (hf_strict_list_next(&value, &item))
            if (hf_view_eq_nocase(item, name))
                return true;
    }
    return false;
}

static enum hf_err add_fields(struct hf_buf *out, const struct hf_http1_answer *a, bool *dated)
{
    size_t at = 0;
    struct hf_view name, value;
    while (hf_head_next(a->head, &at, &name, &value)) {
        if (hf_strict_is_hop(name) || (a->named && is_named(a->head, name)))
            continue;
        if (IS(name, "content-length") && (a->drop_length || a->framing != HF_FRAME_GIVEN))
            continue;
        *dated |= IS(name, "date");
        enum hf_err err = add_field(out, name, value);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

static enum hf_err add_own(struct hf_buf *out, const struct hf_http1_answer *a, bool dated)
{
    char digits[20];
    enum hf_err err = hf_buf_reserve(out, 160 + a->date.len + a->extra.len);
    if (err != HF_OK)
        return err;
    uint8_t *at = out->ptr + out->len;
    if (a->framing == HF_FRAME_LENGTH) {
        at = PUT(at, "content-length: ");
        at = put(at, digits, decimal(digits, a->length));
        at = PUT(at, "\r\n");
    }
    if (a->framing == HF_FRAME_CHUNKED)
        at = PUT(at, "transfer-encoding: chunked\r\n");
    if (a->persist == HF_PERSIST_CLOSE)
        at = PUT(at, "connection: close\r\n");
    if (a->persist == HF_PERSIST_KEEP)
        at = PUT(at, "connection: keep-alive\r\n");
    if (!dated && a->date.len > 0) {
        at = PUT(at, "date: ");
        at = put(at, a->date.ptr, a->date.len);
        at = PUT(at, "\r\n");
    }
    at = put(at, a->extra.ptr, a->extra.len);
    at = PUT(at, "\r\n");
    out->len = (size_t)(at - out->ptr);
    return HF_OK;
}

static enum hf_err add_status(struct hf_buf *out, uint16_t status)
{
    const char *reason = hf_http1_reason(status);
    size_t len = reason == NULL ? 4 : strlen(reason);
    char bare[5] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                    (char)('0' + status % 10), ' ', 0};
    enum hf_err err = hf_buf_reserve(out, len + 11);
    if (err != HF_OK)
        return err;
    uint8_t *at = PUT(out->ptr + out->len, "HTTP/1.1 ");
    at = put(at, reason == NULL ? bare : reason, len);
    at = PUT(at, "\r\n");
    out->len = (size_t)(at - out->ptr);
    return HF_OK;
}

enum hf_err hf_http1_write_head(struct hf_buf *out, const struct hf_http1_answer *a)
{
    size_t before = out->len;
    bool dated = false;
    enum hf_err err = add_status(out, a->status);
    if (err == HF_OK && a->head != NULL)
        err = add_fields(out, a, &dated);
    if (err == HF_OK)
        err = add_own(out, a, dated);
    if (err != HF_OK)
        out->len = before;
    return err;
}

size_t hf_http1_chunk_head(char out[HF_HTTP1_CHUNK_HEAD], uint64_t n)
{
    unsigned digits = 1;
    while (digits < 16 && n >> (4 * digits) != 0)
        digits++;
    for (unsigned i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[n >> (4 * (digits - 1 - i)) & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}

static bool may_trail(struct hf_view name)
{
    return !hf_strict_is_hop(name) && !IS(name, "content-length") && !IS(name, "trailer") &&
           !IS(name, "host") && !IS(name, "set-cookie") && !IS(name, "content-encoding") &&
           !IS(name, "content-type") && !IS(name, "content-range");
}

enum hf_err hf_http1_write_end(struct hf_buf *out, struct hf_view trailers)
{
    struct hf_head head;
    struct hf_view name, value;
    size_t at = 0, before = out->len;
    enum hf_err err = hf_buf_add_text(out, "0\r\n");
    if (err == HF_OK && trailers.len > 0 && hf_head_read(trailers, &head, NULL) == HF_OK)
        while (err == HF_OK && hf_head_next(&head, &at, &name, &value))
            if (may_trail(name))
                err = add_field(out, name, value);
    if (err == HF_OK)
        err = hf_buf_add_text(out, "\r\n");
    if (err != HF_OK)
        out->len = before;
    return err;
}

/* ---- requests ---- */

/* Path and query, escaped where a byte may not stand in a target. Spaces and controls are no path. */
static enum hf_err add_path(struct hf_buf *out, struct hf_view path)
{
    bool slash = path.len > 0 && (path.ptr[0] == '/' || hf_view_eq_text(path, "*"));
    enum hf_err err = hf_buf_reserve(out, 1 + 3 * path.len);
    if (err != HF_OK)
        return err;
    uint8_t *at = out->ptr + out->len;
    if (!slash)
        *at++ = '/';
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '#')
            return HF_INVALID;
        if (hf_strict_is_target(hf_view(&c, 1))) {
            *at++ = c;
        } else {
            *at++ = '%';
            *at++ = (uint8_t)"0123456789ABCDEF"[c >> 4];
            *at++ = (uint8_t)"0123456789ABCDEF"[c & 15];
        }
    }
    out->len = (size_t)(at - out->ptr);
    return HF_OK;
}

static enum hf_err add_request_fields(struct hf_buf *out, const struct hf_http1_outgoing *r)
{
    size_t at = 0;
    struct hf_view name, value;
    bool trailers = false;
    enum hf_err err = HF_OK;
    while (err == HF_OK && hf_head_next(r->head, &at, &name, &value)) {
        trailers |= IS(name, "te") && hf_view_eq_nocase(value, HF_VIEW("trailers"));
        if (hf_strict_is_hop(name) || IS(name, "host") || IS(name, "expect") ||
            (IS(name, "content-length") && r->framing != HF_FRAME_GIVEN))
            continue;
        err = add_field(out, name, value);
    }
    if (err == HF_OK && trailers) /* TE is of one connection, and this is one (RFC 9110 10.1.4) */
        err = hf_buf_add_text(out, "te: trailers\r\nconnection: te\r\n");
    return err;
}

enum hf_err hf_http1_write_request(struct hf_buf *out, const struct hf_http1_outgoing *r)
{
    size_t before = out->len;
    const struct hf_head *head = r->head;
    if (!hf_strict_is_token(head->method) || !hf_target_is_authority(head->authority))
        return HF_INVALID;
    enum hf_err err = hf_buf_reserve(out, head->method.len + head->path.len + head->fields.len + 128);
    if (err == HF_OK)
        err = hf_buf_add_view(out, head->method);
    if (err == HF_OK)
        err = hf_buf_add_byte(out, ' ');
    if (err == HF_OK)
        err = add_path(out, head->path);
    if (err == HF_OK)
        err = hf_buf_add_text(out, " HTTP/1.1\r\n");
    if (err == HF_OK)
        err = add_field(out, HF_VIEW("host"), head->authority);
    if (err == HF_OK)
        err = add_request_fields(out, r);
    if (err == HF_OK && r->framing == HF_FRAME_LENGTH)
        err = hf_buf_printf(out, "content-length: %llu\r\n", (unsigned long long)r->length);
    if (err == HF_OK && r->framing == HF_FRAME_CHUNKED)
        err = hf_buf_add_text(out, "transfer-encoding: chunked\r\n");
    if (err == HF_OK)
        err = hf_buf_add_text(out, "\r\n");
    if (err != HF_OK)
        out->len = before;
    return err;
}
