/* inside.h - what the gateway's own files share: the gateway itself and the small services it gives
 * them.
 *
 * gateway.c makes it and runs the verbs of gateway.h; listener.c brings connections in, conn.c runs
 * them, exchange.c talks to the kernel. Not for other rooms.
 */
#ifndef HF_GATEWAY_INSIDE_H
#define HF_GATEWAY_INSIDE_H

#include "base/heap.h"
#include "base/list.h"
#include "gateway/gateway.h"
#include "gateway/http1.h"
#include "gateway/warm.h"

#define HF_GATEWAY_READ_MAX  (64u * 1024) /* most bytes one read takes into the shared buffer */
#define HF_GATEWAY_SPARES    32u          /* buffers kept warm */
#define HF_GATEWAY_SPARE_MAX (8u * 1024)  /* larger ones go back to the heap */
#define HF_GATEWAY_STREAMS   64u          /* request objects kept warm */
#define HF_GATEWAY_DATE_LEN  29u          /* "Sun, 06 Nov 1994 08:49:37 GMT" */

struct hf_gateway {
    struct hf_gateway_settings s; /* defaults filled in */
    struct hf_gateway_routes *routes, first_routes; /* the second: those of the settings */
    struct hf_port port;          /* what the kernel answers to */
    struct hf_http1_parser *parser;
    struct hf_ids ids; /* for spans and traces; seeded once */
    uint8_t *scratch; /* every read lands here first: an idle connection holds no buffer */
    uint64_t now_ns;
    struct hf_list listeners, conns; /* hf_listener.in_gateway, hf_conn.in_gateway */
    struct hf_list ready, dead;      /* hf_conn.in_ready: to run at flush; to free at its end */
    struct hf_heap deadlines;
    uint64_t accept_again_ns; /* out of descriptors until then; 0: no */
    bool accept_paused;       /* connections_max is reached, or accept_again_ns is set */
    bool draining, freed;
    uint32_t
        owed; /* requests the kernel still owes an answer; the gateway's memory lives until then */
    struct hf_list spare_streams;
    uint32_t n_spare_streams, n_spares;
    struct hf_buf spares[HF_GATEWAY_SPARES];
    uint64_t date_s; /* the second that `date` says */
    bool date_fresh; /* looked at the clock in this loop turn */
    char date[HF_GATEWAY_DATE_LEN + 1];
    struct hf_gateway_stats stats;
};

/* A buffer that may have storage from earlier use; empty. give takes it back (the caller's is empty
 * after). */
struct hf_buf hf_gateway_take_buf(struct hf_gateway *gw);
void hf_gateway_give_buf(struct hf_gateway *gw, struct hf_buf *buf);
/* The Date of now, IMF-fixdate. */
struct hf_view hf_gateway_date(struct hf_gateway *gw);
/* After hf_gateway_free: the memory goes with the last answer owed. */
void hf_gateway_unowe(struct hf_gateway *gw);

/* ---- listener.c ---- */
void hf_listener_free_all(struct hf_gateway *gw);
/* Pauses or resumes all of them, as connections_max and accept_again_ns say. */
void hf_listener_adjust(struct hf_gateway *gw);
/* Takes what waits and closes them; they stay until free (an event may be on its way to them). */
void hf_listener_drain(struct hf_gateway *gw);

#endif
