/* http1_answer_fuzz.c - any bytes as what another server answers: heads, interim heads, bodies.
 *
 * Promises checked, beside memory safety:
 *   - how the bytes are cut into reads changes nothing, not even the refusal;
 *   - no head that is taken has two ways to frame its body, or holds a bare CR or LF or a NUL;
 *   - llhttp takes every head that we took, and understands the same;
 *   - llhttp, reading a whole answer that we took, either refuses it or sees the same body.
 * The first byte seeds the cuts and chooses a start; the rest is what the server sends.
 *
 * rooms: base
 * files: src/gateway/strict.c
 * files: src/gateway/strict_answer.c
 * files: src/gateway/target.c
 * files: src/gateway/http1.c
 * files: src/gateway/http1_answer.c
 * files: src/gateway/http1_body.c
 */
#include <llhttp.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway/http1_client.h"

#define FIELDS   16
#define HEAD_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct hf_buf *out, const char *what, struct hf_view v)
{
    if (hf_buf_add_text(out, what) != HF_OK || hf_buf_add_view(out, v) != HF_OK)
        abort();
}

static int on_body(llhttp_t *l, const char *at, size_t len)
{
    note(l->data, "", hf_view(at, len));
    return 0;
}

static int on_complete(llhttp_t *l)
{
    (void)l;
    return HPE_PAUSED;
}

static void check_second_opinion(struct hf_view bytes, struct hf_view body)
{
    static const llhttp_settings_t settings = {.on_body = on_body,
                                               .on_message_complete = on_complete};
    struct hf_buf seen = {0};
    llhttp_t l;
    llhttp_init(&l, HTTP_RESPONSE, &settings);
    l.data = &seen;
    if (llhttp_execute(&l, (const char *)bytes.ptr, bytes.len) == HPE_PAUSED)
        HF_ASSERT(hf_view_eq(hf_buf_view(&seen), body));
    hf_buf_done(&seen);
}

static int on_value_complete(llhttp_t *l)
{
    ++*(uint32_t *)l->data;
    return 0;
}

static int on_headers_complete(llhttp_t *l)
{
    (void)l;
    return HPE_PAUSED;
}

/* A head that we took llhttp takes too, and understands in the same way. */
static void check_second_head(const struct hf_strict_answer *a, struct hf_view head)
{
    static const llhttp_settings_t settings = {.on_header_value_complete = on_value_complete,
                                               .on_headers_complete = on_headers_complete};
    llhttp_t l;
    uint32_t n = 0;
    llhttp_init(&l, HTTP_RESPONSE, &settings);
    l.data = &n;
    HF_ASSERT(llhttp_execute(&l, (const char *)head.ptr, head.len) == HPE_PAUSED);
    HF_ASSERT((const uint8_t *)llhttp_get_error_pos(&l) == head.ptr + head.len);
    HF_ASSERT(n == a->n_fields && l.status_code == a->status);
    HF_ASSERT(l.http_major == 1 && l.http_minor == a->minor);
    HF_ASSERT(((l.flags & F_CHUNKED) != 0) == a->chunked);
    HF_ASSERT(((l.flags & F_TRANSFER_ENCODING) != 0) == a->chunked);
    HF_ASSERT(((l.flags & F_CONTENT_LENGTH) != 0) == a->has_length && l.content_length == a->length);
}

static void check_head(const struct hf_strict_answer *a, struct hf_view head)
{
    HF_ASSERT(a->status >= 100 && a->status <= 999 && a->minor <= 1);
    HF_ASSERT(!(a->chunked && a->has_length) && !(a->chunked && a->minor == 0));
    HF_ASSERT(a->n_fields <= FIELDS && a->length <= INT64_MAX);
    HF_ASSERT(memchr(head.ptr, 0, head.len) == NULL);
    for (size_t i = 0; i < head.len; i++) {
        HF_ASSERT(head.ptr[i] != '\n' || (i > 0 && head.ptr[i - 1] == '\r'));
        HF_ASSERT(head.ptr[i] != '\r' || (i + 1 < head.len && head.ptr[i + 1] == '\n'));
    }
}

/* The answer that begins at *rest: interim heads, the head, its body. False: more is needed, or it
 * was refused (*why), or it is over (*over). */
struct answer {
    struct hf_http1_scan scan;
    struct hf_http1_body body;
    bool in_body, until_end, over, in_data;
    struct hf_buf decoded;
    size_t start; /* of its head in all that came */
};

static bool step(struct answer *a, struct hf_view *rest, size_t at, size_t room, struct hf_buf *out,
                 struct hf_refusal *why)
{
    struct hf_strict_field fields[FIELDS];
    struct hf_strict_answer s = {.fields = fields, .fields_max = FIELDS};
    struct hf_view data = {0};
    size_t len;
    if (!a->in_body) {
        if (rest->len == 0 || hf_http1_find_answer(*rest, HEAD_MAX, &a->scan, &len, why) != HF_OK)
            return false;
        struct hf_view head = hf_view_take(*rest, len);
        if (!hf_http1_parse_answer(head, &s, why))
            return false;
        check_head(&s, head);
        check_second_head(&s, head);
        a->start = at;
        a->scan = (struct hf_http1_scan){0};
        *rest = hf_view_skip(*rest, len);
        note(out, s.status < 200 ? "(" : "[", hf_view(&s.status, sizeof s.status));
        if (s.status < 200)
            return true;
        a->in_body = true;
        a->until_end = !s.chunked && !s.has_length;
        a->over = s.status == 204 || s.status == 304;
        hf_http1_body_init(&a->body, s.chunked, s.length);
        return !a->over;
    }
    if (a->until_end) {
        note(out, "", *rest);
        *rest = hf_view_skip(*rest, rest->len);
        return false;
    }
    switch (hf_http1_body_next(&a->body, rest, room, HEAD_MAX, &data, why)) {
    case HF_BODY_DATA:
        HF_ASSERT(data.len > 0 && data.len <= room);
        note(out, a->in_data ? "" : "=", data);
        note(&a->decoded, "", data);
        a->in_data = true;
        return true;
    case HF_BODY_TRAILERS:
        note(out, "{", data);
        a->over = true;
        return false;
    case HF_BODY_END: a->over = true; return false;
    default: return false;
    }
}

static void run(struct hf_view bytes, uint32_t seed, struct hf_buf *out)
{
    bool cut = seed != 0;
    struct answer a = {.over = false};
    struct hf_refusal why = {0};
    struct hf_buf in = {0};
    size_t at = 0;
    while (at < bytes.len && why.text == NULL && !a.over) {
        seed = seed * 1664525u + 1013904223u;
        size_t n = cut ? 1 + (seed >> 16) % 23 : bytes.len;
        n = n < bytes.len - at ? n : bytes.len - at;
        if (hf_buf_add(&in, bytes.ptr + at, n) != HF_OK)
            abort();
        at += n;
        struct hf_view rest = hf_buf_view(&in);
        while (step(&a, &rest, at - rest.len, cut ? 1 + (seed >> 8) % 7 : 65536, out, &why))
            continue;
        hf_buf_consume(&in, in.len - rest.len);
    }
    if (why.text != NULL) {
        HF_ASSERT(why.status == 431 || why.status == 501 || why.status == 502 || why.status == 400);
        note(out, "!", hf_view_of(why.text));
    } else if (a.over && a.in_body && !a.until_end) {
        check_second_opinion(hf_view_skip(bytes, a.start), hf_buf_view(&a.decoded));
    }
    hf_buf_done(&in);
    hf_buf_done(&a.decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Most of what begins otherwise is refused at once, so half of the inputs are given a start. */
    static const char *const starts[] = {"", "", "HTTP/1.1 200 OK\r\n",
                                         "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"};
    struct hf_buf whole = {0}, cut = {0}, bytes = {0};
    if (size < 2)
        return 0;
    note(&bytes, starts[data[0] & 3], hf_view(data + 1, size - 1));
    run(hf_buf_view(&bytes), 0, &whole);
    run(hf_buf_view(&bytes), data[0] + 1u, &cut);
    HF_ASSERT(hf_view_eq(hf_buf_view(&whole), hf_buf_view(&cut)));
    hf_buf_done(&whole);
    hf_buf_done(&cut);
    hf_buf_done(&bytes);
    return 0;
}
