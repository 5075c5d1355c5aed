/* client.h - HTTP out: one client a worker, shared by all guests of its thread.
 *
 * A call is a request's head (base/head.h), a blob that may still be filling, and where to send it;
 * its answer is a head and a blob that is filling. Connections are kept and used again within a
 * realm (a service: two of them never share a connection, since one may be allowed what the other
 * is not), per scheme, host and port; a limit on connections of each is kept, and what is above it
 * waits in order.
 *
 * Backpressure runs both ways through the blobs: the request's body is read as fast as the socket
 * takes it, and the socket only while the answer's blob has room. HTTP/1.1 only. An answer that can
 * be read in two ways is a fault, and its connection is closed; so is one that says more or less
 * than it promised.
 *
 * A kept connection may have been closed by the server at the moment it is used again: a request
 * that may be repeated (RFC 9110 9.2.2), of whose body nothing was sent, is sent once more on a new
 * connection when the old one ends without a byte of an answer.
 *
 * The loop that owns it, once per turn: hf_client_begin; the poller's events; kernel steps;
 * hf_client_tick when hf_client_next_ns has come; hf_client_flush. start and cancel do no I/O and
 * may be called on a guest's fiber. `done` is called from the others only.
 */
#ifndef HF_GATEWAY_CLIENT_H
#define HF_GATEWAY_CLIENT_H

#include "base/fault.h"
#include "kernel/blob.h"
#include "os/os.h"
#include "os/tls.h"

struct hf_client;
struct hf_client_call; /* from start to done or cancel */

struct hf_client_settings {
    struct hf_os *os;
    struct hf_os_poller *poller;
    struct hf_blob_pool *blobs; /* NULL: plain memory */
    uint32_t connections_max;   /* 0 = 4096; then the longest idle one gives way */
    uint32_t host_max;          /* connections to one host and port of a realm; 0 = 64 */
    uint32_t host_idle_max;     /* of them kept idle; 0: all */
    uint32_t host_waiting_max;  /* calls that wait for one of them; 0 = 1024 */
    uint64_t idle_timeout_ns;   /* 0 = 30 s */
    uint64_t
        connect_timeout_ns; /* look-up not included, TLS and waiting for a place are; 0 = 10 s */
    uint64_t first_byte_timeout_ns; /* from the last byte sent to the whole head; 0 = 60 s */
    uint64_t between_timeout_ns; /* no byte of the answer's body, though there is room; 0 = 60 s */
    uint64_t write_timeout_ns;   /* the server takes nothing; 0 = 30 s */
    uint32_t head_max;           /* of an answer, and of its trailers; 0 = 64 KiB */
    uint32_t fields_max;         /* 0 = 256, at most 1000 */
    uint32_t body_window;        /* 0 = 64 KiB */
};
/* Settings are copied. */
enum hf_err hf_client_new(const struct hf_client_settings *s, struct hf_client **ret,
                          struct hf_report *report);
/* Closes everything. Calls that are not done are forgotten, `done` is not called; bodies of answers
 * fail. Not while events are being handed out. NULL is fine. */
void hf_client_free(struct hf_client *c);

struct hf_client_answer {
    struct hf_fault fault; /* kind NONE: there is an answer */
    struct hf_buf head;    /* encoded response head, hop-by-hop fields left out; may be taken */
    struct hf_blob *blob;  /* its body; NULL: none. May be taken. It fails with HF_TIMEOUT (nothing
                              came for too long), HF_CLOSED (broke off), HF_INVALID (no HTTP),
                              HF_LIMIT (trailers too large, memory), HF_CANCELLED (client freed) */
};

#define HF_CLIENT_ADDRS_MAX 8u
struct hf_client_request {
    struct hf_view head;  /* an encoded request head with an authority; copied */
    struct hf_blob *blob; /* its body; NULL: none. The reference is taken when start says HF_OK */
    uint64_t realm;       /* whose connections */
    struct hf_tls_context *tls; /* https; NULL: http. Of one realm always the same */
    struct hf_view host;        /* without port and brackets; copied */
    uint16_t port;
    const struct hf_os_addr *addrs; /* with ports, tried in this order; copied. None: a kept
                                       connection or nothing */
    uint32_t n_addrs;               /* above HF_CLIENT_ADDRS_MAX are left out */
    uint64_t connect_ns, first_byte_ns, between_ns; /* 0 = the settings' */
    /* Once, when there is an answer or a fault. The call is gone after it, the answer's body goes
     * on. It may start calls and cancel others. */
    void (*done)(void *owner, struct hf_client_answer *answer);
    void *owner;
};
/* HF_AGAIN: no addresses were given, and no connection to use is kept (look the name up, call
 * again). HF_LIMIT: too many wait, or memory. HF_INVALID: no request head, or the host is none
 * (empty, above 256 bytes). On failure nothing has moved. */
enum hf_err hf_client_start(struct hf_client *c, const struct hf_client_request *r,
                            struct hf_client_call **ret);
/* Before done: nobody wants the answer any more; `done` is not called. */
void hf_client_cancel(struct hf_client_call *call);

void hf_client_begin(struct hf_client *c, uint64_t now_ns); /* the loop's time until the next */
void hf_client_flush(struct hf_client *c);
void hf_client_tick(struct hf_client *c, uint64_t now_ns);
uint64_t hf_client_next_ns(const struct hf_client *c); /* UINT64_MAX: nothing to do by the clock */
/* True when work is left that needs no event: do not sleep. */
bool hf_client_busy(const struct hf_client *c);

struct hf_client_stats {
    uint64_t calls, connects, reused, retried, faults;
    uint32_t open, idle, waiting; /* connections; of them idle; calls without one */
    size_t buffer_bytes;          /* held by connections now, and the shared one */
};
void hf_client_get_stats(const struct hf_client *c, struct hf_client_stats *ret);

#endif
