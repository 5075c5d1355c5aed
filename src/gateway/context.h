/* context.h - what a request carries beside itself: its place in a trace, and its id.
 *
 * Taken from the client's fields, strictly: a traceparent that is not good, or is there twice,
 * begins a new trace, and a tracestate that is not good (or has no good traceparent) goes no
 * further. Each request is a new span of its trace. A request id that could do harm in a log, or is
 * there twice, is replaced by our span's id. What is written to the service's head is ours: the
 * client's own traceparent never gets there.
 */
#ifndef HF_GATEWAY_CONTEXT_H
#define HF_GATEWAY_CONTEXT_H

#include "base/head.h"
#include "base/trace.h"
#include "gateway/strict.h"

struct hf_context {
    struct hf_trace trace;
    struct hf_view id; /* the client's; empty: our span's id is the request's */
    bool state;        /* its tracestate is passed on */
};
/* Views point into the fields. Fields marked hop are not looked at. */
void hf_context_take(const struct hf_strict_field *fields, uint32_t n, struct hf_ids *ids,
                     struct hf_context *ret);
/* A field that hf_context_write writes, or leaves out, itself. */
bool hf_context_owns(struct hf_view name);
/* traceparent, tracestate, x-request-id; `fields` as for take. */
enum hf_err hf_context_write(const struct hf_context *c, const struct hf_strict_field *fields,
                             uint32_t n, struct hf_head_writer *w) HF_MUST_CHECK;

#endif
