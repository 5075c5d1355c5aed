/* trace.h - W3C trace context (Level 1) and request ids: read strictly, written, made cheaply.
 *
 * Pure functions over bytes. Ids made here name things; they are no secrets: whoever saw a few can
 * tell the next ones.
 */
#ifndef HF_BASE_TRACE_H
#define HF_BASE_TRACE_H

#include "base/bytes.h"

/* ---- ids: one source a thread, seeded once, no system call after that ---- */
struct hf_ids {
    uint64_t s[4];
};
/* Any seed will do, also zeroes; two sources of one seed make the same ids. */
void hf_ids_seed(struct hf_ids *ids, const uint64_t seed[4]);
uint64_t hf_ids_next(struct hf_ids *ids); /* never 0 */

/* ---- a request's place in a trace ---- */
#define HF_TRACE_SAMPLED 1u /* "the caller may have recorded it"; no other flag has a meaning yet */
struct hf_trace {
    uint64_t hi, lo; /* of the trace; both 0: there is none */
    uint64_t span;   /* who refers to it: the parent as read, ourselves as written */
    uint8_t flags;
};
static inline bool hf_trace_is(const struct hf_trace *t)
{
    return (t->hi | t->lo) != 0;
}
/* A new trace, sampled, with its first span. */
void hf_trace_new(struct hf_trace *t, struct hf_ids *ids);

/* "00-" 32 hex "-" 16 hex "-" 2 hex, lower case. Versions after 00 are read as far as 00 goes, what
 * follows a further '-' is not looked at. False: anything else, ids of zeroes, version ff. */
#define HF_TRACEPARENT_LEN 55u
bool hf_traceparent_read(struct hf_view v, struct hf_trace *ret);
/* As version 00; no NUL. */
void hf_traceparent_write(const struct hf_trace *t, char out[HF_TRACEPARENT_LEN]);

/* Whether one field of a tracestate is well-formed; *members (0 before the first) counts those of
 * all fields, of which there may be 32. A key that stands twice is let through, as the
 * specification's own tests want it. */
#define HF_TRACESTATE_MEMBERS_MAX 32u
bool hf_tracestate_ok(struct hf_view v, unsigned *members);

/* ---- request ids ---- */
/* 1 to 128 letters, digits and "-_.~:/+=@": nothing that must be escaped anywhere. */
#define HF_REQUEST_ID_MAX 128u
bool hf_request_id_ok(struct hf_view v);

/* 16 lower-case digits; no NUL. */
void hf_hex64(uint64_t v, char out[16]);

#endif
