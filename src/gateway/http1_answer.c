/* http1_answer.c - reading the heads of answers (http1_client.h). */
#include "gateway/http1_client.h"

#include <llhttp.h>

static enum hf_err refuse(struct hf_refusal *why, uint16_t status, const char *text)
{
    *why = (struct hf_refusal){status, text};
    return HF_INVALID;
}

enum hf_err hf_http1_find_answer(struct hf_view bytes, uint32_t head_max,
                                 struct hf_http1_scan *scan, size_t *len, struct hf_refusal *why)
{
    static const char start[] = "HTTP/1.";
    size_t n = bytes.len < sizeof start - 1 ? bytes.len : sizeof start - 1;
    if (scan->at < sizeof start - 1 && n > 0 && memcmp(bytes.ptr, start, n) != 0)
        return refuse(why, 502, "this is not an HTTP/1 answer");
    enum hf_err err = hf_http1_find_head(bytes, head_max, scan, len, why);
    if (err == HF_INVALID && why->status == 400)
        why->status = 502;
    return err;
}

/* ---- the second reader ---- */

static int on_value_complete(llhttp_t *l)
{
    uint32_t *n = l->data;
    ++*n;
    return 0;
}

static int on_headers_complete(llhttp_t *l)
{
    (void)l;
    return HPE_PAUSED;
}

static const llhttp_settings_t second_reader = {
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

static bool llhttp_agrees(struct hf_view head, const struct hf_strict_answer *s)
{
    llhttp_t l;
    uint32_t n = 0;
    llhttp_init(&l, HTTP_RESPONSE, &second_reader);
    l.data = &n;
    if (llhttp_execute(&l, (const char *)head.ptr, head.len) != HPE_PAUSED)
        return false;
    return (const uint8_t *)llhttp_get_error_pos(&l) == head.ptr + head.len && n == s->n_fields &&
           l.status_code == s->status && l.http_major == 1 && l.http_minor == s->minor &&
           ((l.flags & F_CHUNKED) != 0) == s->chunked &&
           ((l.flags & F_TRANSFER_ENCODING) != 0) == s->chunked &&
           ((l.flags & F_CONTENT_LENGTH) != 0) == s->has_length && l.content_length == s->length;
}

bool hf_http1_parse_answer(struct hf_view head, struct hf_strict_answer *ret,
                           struct hf_refusal *why)
{
    if (!hf_strict_answer(head, ret, why))
        return false;
    if (llhttp_agrees(head, ret))
        return true;
    refuse(why, 502, "two readers of this answer do not agree");
    return false;
}
