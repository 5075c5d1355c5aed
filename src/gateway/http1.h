/* http1.h - HTTP/1.x over buffers: heads and bodies in, heads out. Knows no sockets and no kernel.
 *
 * Reading is incremental without keeping bytes: the caller holds what was not consumed yet and
 * gives it again with more behind it. A head is looked for (find), read (parse: the strict pass,
 * then llhttp over the same bytes, which must agree), and the body after it decoded piece by piece.
 *
 * This is the seam to HTTP versions: what comes out is method, authority, path, fields and body
 * bytes; what goes in is a status, an encoded head and a framing. Not here: timeouts, order of
 * answers, limits of bodies (conn.c).
 */
#ifndef HF_GATEWAY_HTTP1_H
#define HF_GATEWAY_HTTP1_H

#include "base/head.h"
#include "gateway/strict.h"
#include "gateway/target.h"

/* ---- heads in ---- */

struct hf_http1_parser; /* room for one head's fields; one a gateway is enough */
enum hf_err hf_http1_parser_new(uint32_t fields_max, struct hf_http1_parser **ret);
void hf_http1_parser_free(struct hf_http1_parser *p);

/* How far a head was looked at; zeroes at the start of each head. */
struct hf_http1_scan {
    bool begun; /* a byte of it is there, if only of an empty line before it */
    uint32_t at; /* bytes seen to be whole lines */
    uint32_t
        skip; /* 2 when an empty line stood before the request line (RFC 9112 2.2 lets one pass) */
};
/* Looks for the end of the head that starts at bytes.ptr. HF_OK: *len bytes are the head
 * (scan->skip of them before the request line); HF_AGAIN: more bytes are needed; HF_INVALID: *why
 * (400 bare LF or not HTTP at all, 431 longer than head_max). A bare LF is refused as soon as it is
 * seen: nobody waits for an end that never comes. */
enum hf_err hf_http1_find_head(struct hf_view bytes, uint32_t head_max, struct hf_http1_scan *scan,
                               size_t *len, struct hf_refusal *why);

struct hf_http1_request {
    struct hf_strict
        s; /* method, target, framing; fields are the parser's, good until the next parse */
    struct hf_target target;
    bool keep_alive; /* what the client asked for, by version and Connection */
    bool has_body;   /* chunked, or a Content-Length above 0 */
    bool safe;       /* GET, HEAD, OPTIONS, TRACE: may run beside others of its connection */
    bool is_head;
};
/* Reads one whole head (without the skipped line). On false *why is set, and *ret holds what was
 * understood so far. */
bool hf_http1_parse(struct hf_http1_parser *p, struct hf_view head, struct hf_http1_request *ret,
                    struct hf_refusal *why);

/* ---- bodies in ---- */

/* Chunked lines may carry extensions; they are checked, dropped and bounded: a line by LINE_MAX,
 * all of a body by EXTENSION_MAX plus its data, so that nobody feeds us megabytes that are no body.
 */
#define HF_HTTP1_CHUNK_LINE_MAX      256u
#define HF_HTTP1_CHUNK_EXTENSION_MAX (16u * 1024)

struct hf_http1_body {
    uint8_t state; /* private */
    bool chunked;
    uint16_t line; /* bytes of the chunk line so far */
    uint32_t trailer_at;
    uint64_t left;      /* of the content length, or of the chunk */
    uint64_t extension; /* bytes of extensions so far */
    uint64_t data;      /* decoded bytes so far */
};
void hf_http1_body_init(struct hf_http1_body *b, bool chunked, uint64_t length);

enum hf_http1_body_kind {
    HF_BODY_MORE,     /* everything usable was consumed: come again with more behind what is left */
    HF_BODY_DATA,     /* *data is the next piece (never empty), at most `room` bytes */
    HF_BODY_FULL,     /* data follows, but room was 0 */
    HF_BODY_TRAILERS, /* *data is the trailer block (hf_strict_trailers); the body is over */
    HF_BODY_END,      /* over, no trailers */
    HF_BODY_REFUSED   /* *why */
};
/* Takes from the front of *bytes. After TRAILERS or END what is left belongs to the next request.
 */
enum hf_http1_body_kind hf_http1_body_next(struct hf_http1_body *b, struct hf_view *bytes,
                                           size_t room, uint32_t trailers_max, struct hf_view *data,
                                           struct hf_refusal *why);
/* Content-Length bodies may be read past the decoder: how many bytes are still to come, and that n
 * of them came. */
static inline uint64_t hf_http1_body_left(const struct hf_http1_body *b)
{
    return b->chunked ? 0 : b->left;
}
void hf_http1_body_took(struct hf_http1_body *b, uint64_t n);
bool hf_http1_body_over(const struct hf_http1_body *b);

/* ---- answers out ---- */

enum hf_http1_framing {
    HF_FRAME_NONE,    /* nothing said and nothing sent: HEAD, 204, 304 */
    HF_FRAME_LENGTH,  /* content-length: `length` is written */
    HF_FRAME_GIVEN,   /* the head has a content-length of its own */
    HF_FRAME_CHUNKED, /* transfer-encoding: chunked */
    HF_FRAME_CLOSE    /* the end of the connection ends it */
};
enum hf_http1_persist { HF_PERSIST_SILENT, HF_PERSIST_KEEP, HF_PERSIST_CLOSE };

struct hf_http1_answer {
    uint16_t status;
    const struct hf_head *head; /* its fields; hop-by-hop ones are left out. NULL: none */
    bool named;                 /* the head has a Connection field: what it names is left out too */
    bool drop_length;           /* leave the head's content-length out (204, or replaced) */
    enum hf_http1_framing framing;
    uint64_t length;
    enum hf_http1_persist persist;
    struct hf_view date;  /* written when the head has none; empty: never */
    struct hf_view extra; /* whole lines to add, or empty */
};
/* Appends the head to `out`. HF_INVALID: a field name or value that may not be sent (line breaks,
 * controls); `out` is then as before. HF_LIMIT: memory. */
enum hf_err hf_http1_write_head(struct hf_buf *out, const struct hf_http1_answer *a);
/* "404 Not Found"; an unknown status has no words. */
const char *hf_http1_reason(uint16_t status);

/* "1f\r\n" for a chunk of n > 0 bytes; returns how many bytes were put (at most 18). */
#define HF_HTTP1_CHUNK_HEAD 18u
size_t hf_http1_chunk_head(char out[HF_HTTP1_CHUNK_HEAD], uint64_t n);
/* What ends a chunked body: the last chunk and the trailers of an encoded head (empty: none).
 * Fields that may not be trailers are left out. */
enum hf_err hf_http1_write_end(struct hf_buf *out, struct hf_view trailers);

#endif
