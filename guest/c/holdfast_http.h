/*
 * HTTP helpers for guests in C: the few steps every wasi:http handler repeats (find the path, start
 * an answer, write with backpressure, finish), over the generated bindings of a world named
 * `service`. Everything here is plain wasi:http 0.2: a guest built with it runs on any host, and
 * may call the bindings beside it.
 *
 * Why not printf: in wasi-libc it imports the whole of preview 1. These do without.
 * Not here: outgoing requests, processes and flows.
 */
#ifndef HOLDFAST_HTTP_H
#define HOLDFAST_HTTP_H

#include "service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef exports_wasi_http_incoming_handler_own_incoming_request_t hf_request;
typedef exports_wasi_http_incoming_handler_own_response_outparam_t hf_outparam;

/* ---- text ---- */

/* A view of a C string for a binding's argument. Nothing is copied: `text` outlives the call. */
service_string_t hf_text(const char *text);

/* Writes `value` in decimal and a NUL; returns the length without it (at most 20). */
size_t hf_decimal(char out[21], uint64_t value);

/* ---- request ---- */

/* The path without its query into `out`, cut to `size` - 1 bytes, "" if there is none. */
void hf_request_path(hf_request request, char *out, size_t size);

/* The first value of a header into `out`, cut to `size` - 1 bytes; false if there is none. */
bool hf_request_header(hf_request request, const char *name, char *out, size_t size);

/* A request's body while it is read. */
struct hf_body {
    wasi_http_types_own_incoming_body_t body;
    wasi_io_streams_own_input_stream_t stream;
};

/* Takes the body of a request (once). Returns false if it was taken before. */
bool hf_body_open(struct hf_body *body, hf_request request);

/*
 * Waits for bytes and reads at most `max` of them. 1: `out` holds bytes, free them with
 * service_list_u8_free; 0: the end; -1: the client is gone or broke the framing.
 */
int hf_body_read(struct hf_body *body, uint64_t max, service_list_u8_t *out);

/* Lets the body go. Legal before its end: the host then reads the rest away or closes. */
void hf_body_close(struct hf_body *body);

/* ---- answer ---- */

/* An answer while it is written. */
struct hf_reply {
    wasi_http_types_own_outgoing_body_t body;
    wasi_io_streams_own_output_stream_t stream;
    wasi_io_poll_own_pollable_t ready; /* made at the first wait, used for all */
    bool waits;
};

struct hf_header {
    const char *name;
    const char *value;
};

/*
 * Sends the head: status and `count` headers. The body is then written piece by piece. False if the
 * host refused a header; nothing was sent and the outparam is still the caller's.
 */
bool hf_reply_start(struct hf_reply *reply, hf_outparam out, uint16_t status,
                    const struct hf_header *headers, size_t count);

/* Waits until the host takes more and says how many bytes; 0 if the peer is gone. */
uint64_t hf_reply_permit(struct hf_reply *reply);

/* Writes all of it, waiting as often as the host asks to. False if the peer is gone. */
bool hf_reply_write(struct hf_reply *reply, const void *bytes, size_t len);

/* Waits until all bytes so far have left the guest's side. False if the peer is gone. */
bool hf_reply_flush(struct hf_reply *reply);

/* Ends the body well. False if it had the wrong length or the peer is gone. */
bool hf_reply_end(struct hf_reply *reply);

/* Leaves the body unfinished on purpose: the host must not let it look whole. */
void hf_reply_abandon(struct hf_reply *reply);

/* A whole answer at once: text/plain, with its length. */
void hf_reply_text(hf_outparam out, uint16_t status, const char *text);

#endif
