/* conn.h - one HTTP/1.x connection: requests in, answers out, in order.
 *
 * A connection owns a queue of streams: requests that were read and whose answers are not all
 * written. Only the last one may still have a body coming in, only the first one writes. Nothing
 * here blocks, and nothing is allocated for a connection that is idle.
 *
 *   conn.c      its life: open, run, deadlines, poller interest, end
 *   conn_in.c   bytes to requests and bodies
 *   conn_out.c  replies to bytes
 */
#ifndef HF_GATEWAY_CONN_H
#define HF_GATEWAY_CONN_H

#include "gateway/exchange.h"
#include "gateway/pieces.h"

#define HF_CONN_PEER_MAX 56u /* text of a peer's address, cut when longer */
#define HF_CONN_DRAIN_MAX                                                                          \
    (256u * 1024) /* bytes of an unwanted request body that are read and dropped */
#define HF_CONN_LINGER_NS                                                                          \
    (2u * 1000000000ull) /* how long the end waits for the client to take the answer */
#define HF_CONN_LINGER_MAX (1024u * 1024) /* and how many bytes it drops meanwhile */
#define HF_CONN_READS_MAX  4u             /* reads of one connection in one event */
#define HF_CONN_WRITES_MAX 4u             /* writes of one connection in one flush */

enum hf_conn_state {
    HF_CONN_OPEN,
    HF_CONN_LINGER, /* everything is sent; waiting for the client to close, so that a reset cannot
                       eat the answer */
    HF_CONN_DEAD    /* closed; freed at the end of the loop turn */
};

struct hf_conn {
    struct hf_os_watch watch;
    struct hf_gateway *gw;
    int fd;
    uint8_t state;
    uint8_t interest; /* what the poller was told */
    bool fresh;       /* no request yet */
    bool eof;         /* the client sends no more */
    bool stopped;     /* we read no more requests */
    bool held;        /* the next request is not safe: it waits until the queue is empty */
    bool blocked;     /* the socket takes no more now */
    bool starved;     /* reading stopped for want of room in the blob */
    bool linger;      /* end by lingering: unread bytes may be on their way */
    uint32_t n_streams, n_unsafe;
    struct hf_list in_gateway, in_ready;
    struct hf_list streams;    /* hf_stream.in_conn, oldest first */
    struct hf_stream *reading; /* the last one, while its body comes in */
    struct hf_buf in;          /* read and not consumed: empty, without storage, most of the time */
    struct hf_http1_scan scan;
    struct hf_heap_node deadline; /* not later than the true one, which conn.c computes */
    uint64_t in_ns;               /* since when the present wait for bytes lasts */
    uint64_t out_ns;              /* last progress of writing */
    uint64_t dropped;             /* bytes read and dropped while lingering */
    char peer[HF_CONN_PEER_MAX];
};

/* One request on it. */
enum hf_stream_out {
    HF_OUT_WAIT, /* no answer yet */
    HF_OUT_BODY, /* its head is made; the body flows */
    HF_OUT_LAST, /* what is to be sent is all in the pieces */
    HF_OUT_DONE
};
struct hf_stream {
    struct hf_exchange x;
    struct hf_list in_conn; /* or in the gateway's spare list */
    struct hf_conn *conn;   /* NULL: its connection is gone */
    struct hf_http1_body body;
    uint64_t drained; /* bytes of the body that nobody wanted */
    uint8_t minor;
    bool safe, is_head, keep_alive;
    bool expects; /* 100-continue was asked for and not yet said */
    /* the way out */
    uint8_t out;        /* enum hf_stream_out */
    bool begun;         /* bytes of the answer's head are on the wire */
    struct hf_pieces p; /* 100-continue, or the answer; a page is all head */
};

/* ---- conn.c ---- */
/* Takes the descriptor. HF_LIMIT: no memory; the descriptor is closed. */
enum hf_err hf_conn_open(struct hf_gateway *gw, int fd, const struct hf_os_addr *peer);
void hf_conn_free(struct hf_conn *c); /* a dead one's memory */
/* Puts it on the list of those to run at flush. */
void hf_conn_ready(struct hf_conn *c);
void hf_conn_run(struct hf_conn *c);
void hf_conn_tick(struct hf_conn *c); /* its deadline node was due */
/* Nothing more is read or written; streams end as `how`. reset: the client sees an abort. */
void hf_conn_kill(struct hf_conn *c, const char *how, bool reset);
/* The client is not there any more. */
void hf_conn_gone(struct hf_conn *c);
/* An answer that was begun cannot be finished: the client must not take it for whole. */
void hf_conn_abort(struct hf_conn *c, const char *how);
/* Every answer is out: lingers, or closes now. */
void hf_conn_end(struct hf_conn *c);
/* No request in hand and none begun. */
bool hf_conn_idle(const struct hf_conn *c);
void hf_conn_drain(struct hf_conn *c);

/* A warm or new stream at the end of the queue; NULL: no memory. */
struct hf_stream *hf_stream_new(struct hf_conn *c);
/* Its answer is out and its body over (or it is given up): reports and forgets it. */
void hf_stream_end(struct hf_stream *s, const char *how);
void hf_stream_free(struct hf_stream *s); /* a spare one */

/* ---- conn_in.c ---- */
/* True when a byte from the socket would have a place. */
bool hf_conn_wants_read(struct hf_conn *c);
void hf_conn_read(struct hf_conn *c);
/* Goes on with bytes kept from earlier; true when something moved. */
bool hf_conn_resume(struct hf_conn *c);
/* Answers what cannot be read on with a page and stops reading. `partial`: what there is of the
 * head. */
void hf_conn_refuse_head(struct hf_conn *c, struct hf_view partial, uint16_t status,
                         const char *how, const char *text);
void hf_conn_refuse_body(struct hf_conn *c, uint16_t status, const char *how, const char *text,
                         enum hf_err err);
/* No more of the present body is read (too much that nobody wants, or it may never come): the
 * connection ends with its answer. */
void hf_conn_give_up_body(struct hf_conn *c);
/* The client left in the middle of a head (in c->in). */
void hf_conn_half_head(struct hf_conn *c);
void hf_conn_release_in(struct hf_conn *c); /* gives the empty buffer back */

/* ---- conn_out.c ---- */
/* Writes what can be written. False: the connection died of it. */
bool hf_conn_write(struct hf_conn *c);
/* The first stream waits for bytes of its answer's body. */
bool hf_conn_wants_bytes(const struct hf_conn *c);

static inline struct hf_stream *hf_conn_first(const struct hf_conn *c)
{
    return hf_list_empty(&c->streams) ? NULL
                                      : HF_LIST_ENTRY(c->streams.next, struct hf_stream, in_conn);
}

#endif
