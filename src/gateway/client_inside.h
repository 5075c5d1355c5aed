/* client_inside.h - what the files of the client share. Not for other rooms.
 *
 *   client.c       its verbs: start, cancel, turns of the loop
 *   client_pool.c  hosts: kept connections, limits, who waits
 *   client_conn.c  one connection: connecting, TLS, bytes, deadlines, end
 *   client_out.c   a call's request as bytes
 *   client_in.c    bytes as an answer
 */
#ifndef HF_GATEWAY_CLIENT_INSIDE_H
#define HF_GATEWAY_CLIENT_INSIDE_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "gateway/client.h"
#include "gateway/http1_client.h"
#include "gateway/pieces.h"
#include "gateway/warm.h"

#define HF_CLIENT_READ_MAX   (64u * 1024)
#define HF_CLIENT_MOVES_MAX  8u           /* reads, and writes, of one connection in one go */
#define HF_CLIENT_DRAIN_MAX  (64u * 1024) /* of a body nobody wants, to keep its connection */
#define HF_CLIENT_INTERIM    16u          /* 1xx answers to one request */
#define HF_CLIENT_SPARE_MAX  (8u * 1024)  /* larger buffers are not kept */
#define HF_CLIENT_FIELDS_MAX 1000u
#define HF_CLIENT_CALLS      64u /* call objects kept warm */

struct hf_client {
    struct hf_client_settings s; /* defaults filled in */
    uint8_t *scratch;            /* plaintext is read here */
    uint8_t *cipher;             /* and ciphertext here; made when first needed */
    struct hf_strict_field *fields;
    uint64_t now_ns;
    struct hf_map hosts;        /* of hf_client_host, by key */
    struct hf_list conns;       /* in_client: all that are open */
    struct hf_list idle;        /* in_idle: the longest idle first */
    struct hf_list ready, dead; /* in_ready */
    struct hf_list starting;    /* calls.in_queue: to be given a connection at flush */
    struct hf_list spare_calls; /* calls.in_queue: over, with warm buffers */
    struct hf_heap deadlines;   /* of calls */
    uint32_t n_conns, n_idle, n_spare_calls;
    bool freed;
    struct hf_client_stats stats;
};

struct hf_client_host { /* one scheme, host and port of a realm */
    struct hf_client *c;
    struct hf_list idle;    /* conn.in_host: the most recently used first */
    struct hf_list waiting; /* call.in_queue */
    uint32_t refs;          /* of connections, and of calls without one */
    uint32_t n_conns, n_idle, n_waiting;
    size_t key_len;
    uint8_t key[];
};

enum hf_cconn_state { HF_CC_CONNECTING, HF_CC_SHAKING, HF_CC_IDLE, HF_CC_BUSY, HF_CC_DEAD };
struct hf_client_conn {
    struct hf_os_watch watch;
    struct hf_client *c;
    struct hf_client_host *host;
    struct hf_client_call *call;
    struct hf_tls *tls;
    int fd;
    uint8_t state, interest;
    bool blocked; /* the socket takes no more now */
    bool quiet;   /* it gave less than was asked for: nothing more before the next event */
    bool eof;     /* the server sends no more, properly */
    uint64_t served, idle_ns, out_ns;
    uint64_t try_until_ns; /* connecting: when to go on to the next address */
    struct hf_list in_client, in_idle, in_host, in_ready;
    struct hf_buf in; /* read and not consumed */
    struct hf_os_addr addr;
};

enum hf_call_out { HF_CALL_HEAD, HF_CALL_BODY, HF_CALL_LAST, HF_CALL_SENT };
struct hf_client_call {
    struct hf_client *c;
    struct hf_client_host *host;
    struct hf_client_conn *conn; /* NULL: waits for one */
    void (*done)(void *owner,
                 struct hf_client_answer *answer); /* NULL: it was called, or nobody wants it */
    void *owner;
    struct hf_heap_node deadline;
    struct hf_list in_queue; /* of the client, or of its host */
    struct hf_tls_context *tls;
    struct hf_os_addr *addrs; /* &one, or an allocation for several */
    uint32_t n_addrs, at_addr;
    uint64_t connect_ns, first_byte_ns, between_ns;
    uint64_t begun_ns;      /* connecting counts from here */
    uint64_t in_ns;         /* waiting for bytes counts from here */
    struct hf_buf request;  /* the encoded head; `head` looks into it */
    struct hf_head head;
    struct hf_blob *blob;   /* its body, until it is read */
    bool repeatable;        /* by its method */
    bool is_head, fresh;    /* fresh: on a new connection only */
    bool retried, got_byte; /* a byte of the answer was seen */
    bool timed_out;         /* an address did */
    /* the way out */
    uint8_t out; /* enum hf_call_out */
    struct hf_pieces p;
    struct hf_blob_reader body;
    struct hf_waitset set;
    struct hf_waiter bytes, room; /* room: or nobody wants the answer's body */
    /* the way in */
    struct hf_http1_scan scan;
    struct hf_http1_body decode;
    struct hf_blob *answer; /* producer's side */
    bool answered, keep, until_end, unwanted, in_over;
    uint8_t interim;
    uint64_t dropped;
    struct hf_os_addr one; /* last: it is not cleared between calls */
};

/* ---- client.c ---- */
/* The call has come to an end before an answer: tells its owner, and frees it. */
void hf_call_fault(struct hf_client_call *k, const struct hf_fault *fault);
void hf_call_free(struct hf_client_call *k); /* bodies end; its owner is told nothing */
void hf_call_deadline(struct hf_client_call *k, uint64_t at); /* not later than that */
void hf_call_rewind(struct hf_client_call *k); /* as if nothing of it had been sent */

/* ---- client_pool.c ---- */
/* The host of a request, made when it is not there, with a reference. HF_INVALID: its name is none;
 * HF_LIMIT: memory. */
enum hf_err hf_chost_get(struct hf_client *c, const struct hf_client_request *r,
                         struct hf_client_host **ret);
struct hf_view hf_chost_name(const struct hf_client_host *h); /* in lower case */
void hf_chost_unref(struct hf_client_host *h);
bool hf_chost_give_idle(struct hf_client_call *k); /* a kept connection, if there is one to use */
void hf_chost_place(struct hf_client_call *k); /* a connection, a place in the queue, or a fault */
void hf_chost_leave(struct hf_client_call *k); /* it waits no longer: it has no host after */
void hf_chost_keep(struct hf_client_conn *conn); /* its call is over: for the next, or idle */
void hf_chost_lost(struct hf_client_conn *conn); /* it is closed: its place goes to who waits */
void hf_chost_expire(struct hf_client *c);

/* ---- client_conn.c ---- */
/* A new connection for a call: under way, or *fault says why no address will do. */
bool hf_cconn_open(struct hf_client_call *k, struct hf_fault *fault);
void hf_cconn_attach(struct hf_client_conn *conn, struct hf_client_call *k);
void hf_cconn_ready(struct hf_client_conn *conn);
void hf_cconn_run(struct hf_client_conn *conn);
void hf_cconn_close(struct hf_client_conn *conn); /* its call, if any, has been taken off it */
void hf_cconn_free(struct hf_client_conn *conn);
/* The connection is of no use any more; its call gets this fault, or another try. */
void hf_cconn_break(struct hf_client_conn *conn, enum hf_fault_kind kind, uint64_t number,
                    const char *text);
void hf_cconn_expire(struct hf_client_call *k);
/* HF_OK with *n > 0, HF_AGAIN, HF_CLOSED (a proper end), HF_IO (broken). */
enum hf_err hf_cconn_read(struct hf_client_conn *conn, void *buf, size_t len, size_t *n);
enum hf_err hf_cconn_writev(struct hf_client_conn *conn, const struct iovec *iov, int n,
                            size_t *took);

/* ---- client_out.c ---- */
bool hf_call_send(struct hf_client_conn *conn); /* the call is its still */
bool hf_call_wants_bytes(const struct hf_client_call *k);

/* ---- client_in.c ---- */
bool hf_call_wants_read(const struct hf_client_call *k);
bool hf_call_receive(struct hf_client_conn *conn); /* false: the call is not its any more */
uint64_t
hf_call_due(const struct hf_client_call *k); /* when the server will have been silent too long */
/* All of it came and went: its connection is kept, or not. */
void hf_call_over(struct hf_client_conn *conn);
/* The way in ended without all of an answer's body. */
void hf_call_body_fail(struct hf_client_call *k, enum hf_err err);

#endif
