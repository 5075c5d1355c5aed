/* exchange.h - one request and its answer, whatever HTTP version carries them.
 *
 * It turns a parsed request into a message to the kernel, feeds the body into a blob as fast as the
 * blob takes it, receives the answer and reports to the access log. A connection embeds it in what
 * it keeps for one request.
 *
 * Order of verbs: open, name, route, then post or refuse; feed while the body arrives; when `answered` is
 * set, `reply` says what to send; close at the end, whatever happened. After close the memory still
 * belongs to the kernel's answer if one is owed: owner->release says when it is free.
 */
#ifndef HF_GATEWAY_EXCHANGE_H
#define HF_GATEWAY_EXCHANGE_H

#include <sys/uio.h>

#include "gateway/answer.h"
#include "gateway/context.h"
#include "gateway/inside.h"

struct hf_exchange;
struct hf_exchange_owner {
    void (*ready)(struct hf_exchange *x);   /* answered, or what it waited for came; may be called
                                               inside feed and post */
    void (*release)(struct hf_exchange *x); /* closed, and nobody refers to it any more: its memory
                                               is the owner's again */
};

struct hf_exchange {
    struct hf_gateway *gw;
    const struct hf_exchange_owner *owner;
    uint64_t id;        /* the kernel's, while owed */
    bool owed;          /* the kernel's answer is still to come */
    bool closed;        /* lives only for that answer */
    bool answered;      /* reply is set */
    bool waiting;       /* room or bytes is armed */
    struct hf_blob *in; /* the request body while it is fed */
    struct hf_waitset set;
    struct hf_waiter room, bytes;
    struct hf_blob_reader out; /* the answer's body, once opened */
    struct hf_reply reply;
    /* for the access log */
    struct hf_gateway_routes *routes; /* by which it was routed, or NULL */
    struct hf_view service; /* the route's; empty: none, or not looked for */
    uint64_t body_max;      /* bytes of its body, then 413; 0: no limit */
    struct hf_buf names;    /* method, target, host, request id, referer, agent: one after the other */
    uint32_t method_len, target_len, host_len, id_len, referer_len;
    const char *protocol;   /* NULL: HTTP/1.1 */
    struct hf_context context; /* of hf_exchange_route; none before, and where it is not wanted */
    uint64_t start_ns, first_byte_ns, bytes_in, bytes_out;
    uint64_t process, served, born_ns;
};

/* A zeroed exchange (its `names` buffer may be warm) begins now. */
void hf_exchange_open(struct hf_exchange *x, struct hf_gateway *gw,
                      const struct hf_exchange_owner *owner);
/* Remembers how the request is called in the log; copies. Before route. */
void hf_exchange_name(struct hf_exchange *x, struct hf_view method, struct hf_view target,
                      struct hf_view host);

struct hf_exchange_request {
    struct hf_view method, authority, path, route; /* as hf_target */
    const struct hf_strict_field *fields;   /* those marked hop are left out, and Host and Expect */
    uint32_t n_fields;
    bool has_body;
    uint64_t length;      /* of the body, or HF_BLOB_LEN_UNKNOWN */
    struct hf_view whole; /* all of the body when it is here already; else empty: it will be fed */
};
/* Finds where it goes, and with that how long its body may be; and which trace and id it has. Before post, which refuses what goes
 * nowhere. */
void hf_exchange_route(struct hf_exchange *x, const struct hf_exchange_request *r);
/* Posts it. Refuses it by itself when that fails. */
void hf_exchange_post(struct hf_exchange *x, const struct hf_exchange_request *r);
/* Answers it ourselves instead of the service: any earlier reply is let go, the kernel's duty is
 * void, a body still being fed fails with `err`. Static texts. */
void hf_exchange_refuse(struct hf_exchange *x, uint16_t status, const char *how, const char *text,
                        enum hf_err err);

/* ---- the request body ---- Nothing to feed (x->in == NULL) means: drop what comes. */
size_t hf_exchange_room(
    struct hf_exchange *x); /* bytes it takes now; SIZE_MAX when they would be dropped */
void hf_exchange_feed(struct hf_exchange *x, struct hf_view bytes);
/* Lends space to read into, and says how much of it was used. NULL: no memory, the body has failed.
 */
uint8_t *hf_exchange_reserve(struct hf_exchange *x, size_t want, size_t *got);
void hf_exchange_commit(struct hf_exchange *x, size_t n);
void hf_exchange_feed_end(struct hf_exchange *x, const struct hf_strict_field *trailers,
                          uint32_t n);
void hf_exchange_feed_fail(struct hf_exchange *x, enum hf_err err);

/* ---- the answer's body ---- */
void hf_exchange_open_body(struct hf_exchange *x); /* starts to read reply.blob */

/* Calls owner->ready once when the blob takes bytes again (room) or has some to send (bytes). Both
 * false: quiet. */
void hf_exchange_wait(struct hf_exchange *x, bool room, bool bytes);

/* Its id as text, "" when there is none; good until close. `room` is used when it is our span's. */
struct hf_view hf_exchange_id(const struct hf_exchange *x, char room[16]);

/* The end. `how` NULL: what the reply says. `status` 0: nothing was sent. */
void hf_exchange_close(struct hf_exchange *x, const char *how, uint16_t status, const char *peer);

/* The port all exchanges of a gateway post through: made once. */
void hf_exchange_port_init(struct hf_port *port);

#endif
