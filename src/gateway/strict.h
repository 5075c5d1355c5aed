/* strict.h - our own pass over a request's head, before anybody else may have an opinion on it.
 *
 * A request that two parsers read differently is how smuggling starts, and every parser we measured
 * lets some such request through (reference libraries B.4). This pass knows no leniency: whatever
 * RFC 9112 lets a recipient "repair" is refused here, each with a text of its own. http1.c then has
 * llhttp read the same bytes and refuses the request when the two do not agree.
 *
 * Pure functions over bytes: no state, nothing allocated, views point into what was given.
 * Not here: finding the end of a head, bodies, llhttp (http1.h); what a target means (target.h).
 */
#ifndef HF_GATEWAY_STRICT_H
#define HF_GATEWAY_STRICT_H

#include "base/bytes.h"

/* Why something is refused: the status to answer with, and a static text for the log and the
 * answer. */
struct hf_refusal {
    uint16_t status;
    const char *text;
};

struct hf_strict_field {
    struct hf_view name, value; /* value without the spaces and tabs around it */
    bool hop;                   /* means something to this connection only: it goes no further */
};

enum hf_strict_expect { HF_EXPECT_NONE, HF_EXPECT_CONTINUE, HF_EXPECT_OTHER };

/* What a head says. The caller gives the room for fields. */
struct hf_strict {
    struct hf_strict_field *fields; /* in: room for fields_max */
    uint32_t fields_max;            /* in */
    uint32_t n_fields;
    struct hf_view method, target;
    uint8_t minor; /* HTTP/1.minor: 0 or 1 */
    bool has_host, has_length, chunked;
    bool close, keep_alive; /* said by Connection */
    enum hf_strict_expect expect;
    uint64_t length; /* Content-Length, when has_length; at most INT64_MAX */
    struct hf_view host;
};

/* Checks a whole head: from the first byte of the request line up to and including the empty line.
 * True: *s is filled. False: *why says what is wrong (400; 431 too many fields; 505 another HTTP
 * version). */
bool hf_strict_head(struct hf_view head, struct hf_strict *s, struct hf_refusal *why);

/* What the head of an answer says, read as strictly: an answer that two readers cut differently is
 * how one service gets another's. As above for the room of fields. */
struct hf_strict_answer {
    struct hf_strict_field *fields; /* in */
    uint32_t fields_max;            /* in */
    uint32_t n_fields;
    uint16_t status; /* 100..999 */
    uint8_t minor;
    bool has_length, chunked;
    bool close, keep_alive;
    uint64_t length;
};
/* False: *why has 431 (too many fields), 501 (a transfer coding other than chunked) or 502. */
bool hf_strict_answer(struct hf_view head, struct hf_strict_answer *s, struct hf_refusal *why);

/* Takes one field line (CRLF included) off the front of *rest; `rest` must hold whole lines. */
bool hf_strict_field(struct hf_view *rest, struct hf_strict_field *ret, struct hf_refusal *why);

/* Trailers: field lines after the last chunk, the empty line included. Fields that frame or route a
 * message are refused. As hf_strict_head for the room. */
bool hf_strict_trailers(struct hf_view block, struct hf_strict_field *fields, uint32_t fields_max,
                        uint32_t *n, struct hf_refusal *why);

/* Method and target of something that is no good request, as far as they can be told: for the log.
 */
void hf_strict_guess(struct hf_view bytes, struct hf_view *method, struct hf_view *target);

/* A non-empty token (RFC 9110 5.6.2). A field value: no control characters but tab (obs-text is
 * fine). */
bool hf_strict_is_token(struct hf_view v);
bool hf_strict_is_value(struct hf_view v);
/* Spaces and tabs off both ends. */
struct hf_view hf_strict_trim(struct hf_view v);
/* Walks a comma-separated list; false at the end. Empty elements are skipped. */
bool hf_strict_list_next(struct hf_view *rest, struct hf_view *item);
/* CR and LF, both, off the front. False: *why says what stands there instead. */
bool hf_strict_line_end(struct hf_view *rest, struct hf_refusal *why);
/* Marks as hop what a Connection among the fields names. False: it names too many. */
bool hf_strict_mark_named(struct hf_strict_field *fields, uint32_t n, struct hf_refusal *why);
/* Nothing but bytes that a request target may hold. */
bool hf_strict_is_target(struct hf_view v);
/* True for the fields that belong to one connection (RFC 9110 7.6.1), whoever sent them. */
bool hf_strict_is_hop(struct hf_view name);
/* Digits only, no sign, no list, at most INT64_MAX (RFC 9110 8.6). */
bool hf_strict_length(struct hf_view value, uint64_t *ret);

#endif
