/* http1_answer.c - reading the heads of answers (http1_client.h). */
#include "gateway/http1_client.h"

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

bool hf_http1_parse_answer(struct hf_view head, struct hf_strict_answer *ret,
                           struct hf_refusal *why)
{
    return hf_strict_answer(head, ret, why);
}
