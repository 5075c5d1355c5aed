/* http1_client.h - http1.h the other way round: requests out, answers in. Over buffers; knows no
 * sockets and no kernel. Bodies in both directions are http1.h's.
 */
#ifndef HF_GATEWAY_HTTP1_CLIENT_H
#define HF_GATEWAY_HTTP1_CLIENT_H

#include "gateway/http1.h"

/* Looks for the end of an answer's head that starts at bytes.ptr; as hf_http1_find_head, without an
 * empty line before it. HF_INVALID: *why is 431 (too long) or 502; what cannot become an answer is
 * refused at its first wrong byte. */
enum hf_err hf_http1_find_answer(struct hf_view bytes, uint32_t head_max,
                                 struct hf_http1_scan *scan, size_t *len, struct hf_refusal *why);
/* Reads one whole head: the strict pass alone (llhttp reads it a second time in the fuzz target).
 * `ret` comes with room for fields. */
bool hf_http1_parse_answer(struct hf_view head, struct hf_strict_answer *ret,
                           struct hf_refusal *why);

struct hf_http1_outgoing {
    const struct hf_head *head; /* method, authority, path and fields; hop-by-hop fields, Host and
                                   Expect are left out */
    enum hf_http1_framing framing; /* NONE, LENGTH, GIVEN or CHUNKED */
    uint64_t length;
};
/* Appends the head to `out`. Bytes of the path beyond ASCII are escaped, an empty one is "/".
 * HF_INVALID: it cannot be sent (`out` is as before); HF_LIMIT: memory. */
enum hf_err hf_http1_write_request(struct hf_buf *out, const struct hf_http1_outgoing *r);

#endif
