/* gateway.h - HTTP in: connections, requests, answers. One gateway a worker.
 *
 * Bytes come from sockets, are parsed strictly, become a head (base/head.h) and a blob, and are
 * posted to the kernel; an answer's head and blob become bytes again. Backpressure runs both ways
 * through the blobs: a body is read from its socket only while its blob has room, and a blob is
 * passed only as fast as the socket drains.
 *
 * The loop that owns it, once per turn: hf_gateway_begin; the poller's events call their watches
 * (os.h hf_os_watch); kernel steps and kernel flush; hf_gateway_tick when hf_gateway_next_ns has
 * come; hf_gateway_flush, which writes what became ready, goes on with requests that waited (so it
 * may post: ask hf_kernel_next_ns after it), and frees closed connections.
 *
 * A request in hand costs one read and one write when it is small; interest and deadlines are lazy.
 *
 * Not here: routing rules beyond host and prefix (route.h), outgoing requests (client.h), TLS and
 * HTTP/2 for clients (a later issue; http1.h is the seam: an exchange knows no HTTP version).
 */
#ifndef HF_GATEWAY_GATEWAY_H
#define HF_GATEWAY_GATEWAY_H

#include "base/trace.h"
#include "kernel/port.h"
#include "os/os.h"

struct hf_gateway;
struct hf_route_table; /* gateway/route.h */

/* One finished exchange, for the access log and metrics. Views live during the call. */
struct hf_access {
    struct hf_view method, target, host, peer;
    struct hf_view service;       /* name of the class it went to; empty when none */
    const char *protocol;         /* static: "HTTP/1.1"; what was no request counts as that */
    struct hf_trace trace;        /* its span is this request's; none when settings.trace is false */
    struct hf_view request_id;    /* the client's, or the span's id; empty: as above */
    struct hf_view referer, agent; /* when settings.agents; empty: none was sent */
    uint16_t status;              /* 0: the client left before one was sent */
    uint64_t bytes_in, bytes_out; /* bodies */
    uint64_t start_ns, first_byte_ns, end_ns;
    uint64_t process, served; /* who answered; 0 = nobody */
    /* Static text. "ok"; by the service: "timeout", "full", "dead", "unanswered", "limit",
     * "cancelled", "no-such", "bad-answer" (it cannot be sent), "aborted" (its body broke off or
     * had another length than it said); by us: "no-route", "refused" (400, 413, 417, 431, 501,
     * 505), "slow-head", "slow-body", "slow-reader", "client-gone", "no-memory". */
    const char *how;
    struct hf_view detail; /* why, for the log only; often empty */
};

/* A table of routes that is in use by a gateway; its memory is the owner's. */
struct hf_gateway_routes {
    const struct hf_route_table *table;
    /* Another is set, and no exchange that was routed by this one is left: it is the owner's again.
     * It may not call the gateway; may be NULL. */
    void (*released)(struct hf_gateway_routes *r);
    uint32_t users; /* the gateway's: exchanges */
};

struct hf_gateway_settings {
    struct hf_os *os;
    struct hf_os_poller *poller;
    struct hf_kernel *kernel;
    const struct hf_route_table *routes; /* outlives it; NULL: none before hf_gateway_set_routes */
    void (*access)(void *ctx, const struct hf_access *a); /* may be NULL */
    void *access_ctx;
    bool eof_is_gone; /* a client that sends no more wants no answer any more: for answers without
                         end, whose client would be missed with the next byte only */
    bool access_unnamed; /* `access` wants counts alone: method, target and host stay empty */
    uint32_t connections_max;  /* 0 = 20000; beyond: accept waits */
    uint32_t head_max;         /* request line + headers in bytes; 0 = 32 KiB -> 431 */
    uint32_t fields_max;       /* header lines; 0 = 128 -> 431 */
    uint64_t body_max;         /* of routes that say none; 0 = no limit; -> 413 */
    uint32_t pipeline_max;     /* requests read ahead of their answers on one connection; 0 = 16 */
    uint64_t head_timeout_ns;  /* whole head must be there; 0 = 10 s -> 408 */
    uint64_t idle_timeout_ns;  /* keep-alive; 0 = 75 s */
    uint64_t body_timeout_ns;  /* no progress of a request body; 0 = 30 s -> 408. And how long
                                  the rest of one that nobody wants is read after its answer */
    uint64_t write_timeout_ns; /* no progress of an answer; 0 = 30 s -> abort */
    uint64_t request_timeout_ns; /* given to the kernel; 0 = the class's */
    uint32_t body_window;        /* blob window; 0 = 64 KiB */
    bool debug_header; /* holdfast-instance: id=..; served=..; age=.., and x-request-id: .. */
    bool trace;        /* requests have trace context and an id (context.h). False: what a client
                          sends is a field like any other */
    bool agents;       /* hf_access.referer and .agent are wanted */
};

/* Settings are copied. HF_INVALID: something it needs is NULL, head_max over 1 MiB, fields_max over
 * 10000. */
enum hf_err hf_gateway_new(const struct hf_gateway_settings *s, struct hf_gateway **ret,
                           struct hf_report *report);
/* Closes everything; outstanding requests are cancelled. Their answers still come to this gateway's
 * port with the next kernel flush (or hf_kernel_free, which may also come first): the last one
 * frees the memory. Not while events are being handed out. */
void hf_gateway_free(struct hf_gateway *gw);
/* From now on requests are routed by it. It stays in use until it is released, or the gateway is
 * freed (then it is not told). Never fails. */
void hf_gateway_set_routes(struct hf_gateway *gw, struct hf_gateway_routes *r);
/* Several addresses may be listened on. *bound (may be NULL) has the port chosen. */
enum hf_err hf_gateway_listen(struct hf_gateway *gw, const struct hf_os_addr *addr, bool reuseport,
                              struct hf_os_addr *bound, struct hf_report *report);

/* Once per loop turn, after events and kernel flush. `now_ns` is the loop's time, used for all
 * until the next call. */
void hf_gateway_begin(struct hf_gateway *gw,
                      uint64_t now_ns); /* at the start of a loop turn: sets the time */
void hf_gateway_flush(struct hf_gateway *gw);
void hf_gateway_tick(struct hf_gateway *gw, uint64_t now_ns);
uint64_t hf_gateway_next_ns(const struct hf_gateway *gw);
/* True when flush left work that needs no event (a fairness bound was reached): do not sleep. */
bool hf_gateway_busy(const struct hf_gateway *gw);

/* Stops accepting, answers what is in hand with `connection: close`, closes idle connections now.
 */
void hf_gateway_drain(struct hf_gateway *gw);

struct hf_gateway_stats {
    uint64_t accepted, closed, requests, refused_heads, timeouts, aborted, client_gone;
    uint32_t open, busy;
    uint64_t bytes_in, bytes_out;
    size_t buffer_bytes; /* held by connections now */
};
void hf_gateway_get_stats(const struct hf_gateway *gw, struct hf_gateway_stats *ret);
/* The same but for buffer_bytes (0), which takes a walk over all connections. */
void hf_gateway_get_counts(const struct hf_gateway *gw, struct hf_gateway_stats *ret);

#endif
