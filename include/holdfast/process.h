/* process.h - native processes: C code of the embedder as named processes, equal to those of guests.
 *
 * A class of native processes is given to a node before it serves. From then on it is a class like any other (doc/processes.md):
 * guests and HTTP routes reach its processes by name, each has a bounded mailbox and a duty for every request, each may send,
 * forward, answer later, spawn, watch and set timers, within its grants. What the verbs promise stands in doc/kernel.md, what a
 * class may be told in hf_process_options.
 *
 * Callbacks run on the thread of the worker that has the class, one at a time for all processes of it; they must not wait and not
 * longjmp, for everything of that worker waits for them. A `struct hf_proc` and all that is lent through it is good until the
 * callback returns.
 */
#ifndef HOLDFAST_PROCESS_H
#define HOLDFAST_PROCESS_H

#include "holdfast/holdfast.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_proc; /* a process, while one of its callbacks runs */

struct hf_bytes { /* lent; ptr may be NULL when len is 0 */
    const void *ptr;
    size_t len;
};

/* ---- what comes ---------------------------------------------------------------------------------------------- */

enum hf_proc_kind {
    HF_PROC_REQUEST = 0,
    HF_PROC_RESPONSE = 1, /* to the request with this id */
    HF_PROC_ERROR = 2,    /* instead of one: `error` says which, body why */
    HF_PROC_NOTICE = 3
};
enum hf_proc_error {
    HF_PROC_NO_ERROR = 0,
    HF_PROC_TIMEOUT = 1,
    HF_PROC_NO_SUCH = 2, /* the target's name leads nowhere */
    HF_PROC_FULL = 3,    /* its mailbox is full */
    HF_PROC_DEAD = 4,    /* it died while it held the request */
    HF_PROC_UNANSWERED = 5,
    HF_PROC_LIMITED = 6,
    HF_PROC_CANCELLED = 7,
    HF_PROC_CYCLE = 8 /* it would wait for itself */
};
enum hf_proc_notice {
    HF_PROC_NO_NOTICE = 0,
    HF_PROC_ENDED = 1,    /* a process that is monitored: id of the watch, source its name, error and body why */
    HF_PROC_EXIT = 2,     /* the same of one that is linked, for a class that traps links */
    HF_PROC_REFUSED = 3,  /* a process that is monitored had no room for `count` tells */
    HF_PROC_UNWANTED = 4, /* nobody waits any more for the answer to the request with this id */
    HF_PROC_TIMER = 5     /* id of the timer */
};
struct hf_proc_message {
    size_t size;
    enum hf_proc_kind kind;
    enum hf_proc_error error;
    enum hf_proc_notice notice;
    bool wants_answer, has_blob;
    uint64_t id, count;
    uint64_t left_ns;       /* of the time that its sender waits; 0: nobody does */
    uint64_t blob_len;      /* UINT64_MAX: not known yet; 0 without a blob */
    struct hf_bytes body, metadata;
    struct hf_bytes source;  /* a process's name; empty: from outside of all processes */
    struct hf_bytes target;  /* of a response or an error: to whom the request was sent */
    struct hf_bytes context; /* of a response or an error: what was sent along */
};

/* ---- a class ------------------------------------------------------------------------------------------------- */

/* How a callback ends. DONE: the message is handled. FAILED: the process dies as hf_proc_fail said. READ: `handle` is called once
 * more with the same message when its blob is here as a whole, then hf_proc_blob has it; from `handle` only, once a message. */
enum hf_proc_end { HF_PROC_DONE = 0, HF_PROC_FAILED = 1, HF_PROC_READ = 2 };

struct hf_process_class {
    size_t size;
    const char *name;          /* of the class; its processes are NAME and NAME/KEY */
    const struct hf_process_options *process; /* NULL: it may message and spawn nobody, and all limits are the usual ones */
    uint64_t request_timeout_ns; /* of requests to it and from it that say none; 0 = 30 s */
    uint64_t idle_timeout_ns;    /* ends when it had nothing to do so long; 0 = never */
    uint64_t blob_max;           /* bytes that READ may bring; 0 = 1 MiB */
    uint64_t body_max;           /* bytes of a request's body by a route; 0 = the node's */
    const struct hf_route *routes; /* lead to the process whose name is the class's; may be NULL */
    size_t n_routes;
    void *ctx; /* given to start; lives as long as the node */
    /* A process begins: *state is its own. May be NULL (state is ctx then). DONE or FAILED. */
    enum hf_proc_end (*start)(void *ctx, struct hf_proc *p, void **state);
    /* One message. */
    enum hf_proc_end (*handle)(void *state, struct hf_proc *p, const struct hf_proc_message *m);
    /* It is over, whatever the reason: frees the state. Also after a start that failed, and with a NULL state. May be NULL. */
    void (*stop)(void *state);
};
HF_API void hf_process_class_init_size(struct hf_process_class *c, size_t size);
static inline void hf_process_class_init(struct hf_process_class *c)
{
    hf_process_class_init_size(c, sizeof *c);
}
/* The class is copied. After hf_node_open, before anything is served: before the first hf_node_add_service, hf_node_apply,
 * hf_node_listen, hf_node_fd and hf_node_run. USAGE: too late, a name that is taken or is none, a route that is none; LIMIT: 64
 * classes. It stays as long as the node: hf_node_apply replaces services, not these. */
HF_API enum hf_status hf_node_add_process(struct hf_node *node, const struct hf_process_class *c, struct hf_words *msg);

/* ---- verbs: what they say ------------------------------------------------------------------------------------- */

/* Up to VOID: the state that the request's duty is in; nothing was done. */
enum hf_proc_said {
    HF_PROC_OK = 0,
    HF_PROC_NO_REQUEST = 1, /* no request in question, it wants no answer, or no such token */
    HF_PROC_ANSWERED = 2,
    HF_PROC_MOVED = 3,    /* forwarded */
    HF_PROC_DEFERRED = 4, /* only its token can answer it */
    HF_PROC_VOID = 5,     /* nobody waits for it any more */
    HF_PROC_DENIED = 6,   /* the capability is not held */
    HF_PROC_TOO_LARGE = 7,
    HF_PROC_LIMIT = 8,    /* requests under way, tokens, timers, memory ... */
    HF_PROC_TAKEN = 9,    /* spawn: the name is in use */
    HF_PROC_INVALID = 10  /* what cannot be meant */
};
HF_API const char *hf_proc_said_text(enum hf_proc_said said); /* "already-answered"; a constant */

/* ---- answering: the request in hand, or the one under which was asked what the response in hand answers ---------- */

/* What goes along with a request or an answer. */
struct hf_proc_parcel {
    struct hf_bytes body, metadata; /* copied */
    struct hf_bytes blob;           /* copied once into a blob; empty: none, unless `inherit` */
    bool inherit;                   /* the blob of the message in hand goes along as it is, also while it is still coming in */
};
HF_API enum hf_proc_said hf_proc_respond(struct hf_proc *p, struct hf_bytes body); /* a parcel with nothing else */
HF_API enum hf_proc_said hf_proc_reply(struct hf_proc *p, const struct hf_proc_parcel *answer);
/* Answer later: *token is what hf_proc_answer takes, in any later callback of this process. */
HF_API enum hf_proc_said hf_proc_defer(struct hf_proc *p, uint64_t *token);
HF_API enum hf_proc_said hf_proc_answer(struct hf_proc *p, uint64_t token, const struct hf_proc_parcel *answer);
HF_API enum hf_proc_said hf_proc_drop_token(struct hf_proc *p, uint64_t token); /* its sender is told `unanswered` */
/* OK while the request in question (a token) can still be answered. */
HF_API enum hf_proc_said hf_proc_state(struct hf_proc *p);
HF_API enum hf_proc_said hf_proc_token_state(struct hf_proc *p, uint64_t token);

/* ---- sending --------------------------------------------------------------------------------------------------- */

/* To a process that the class's `sends` allow, a child, the parent, or who was allowed by a message. */
struct hf_proc_send {
    const char *target;
    struct hf_proc_parcel parcel;
    struct hf_bytes context; /* of a request: comes back with its answer */
    uint64_t timeout_ns;     /* of a request; 0: the class's */
};
/* A message that wants no answer. */
HF_API enum hf_proc_said hf_proc_tell(struct hf_proc *p, const struct hf_proc_send *s);
/* A request: its RESPONSE or ERROR comes as a message with this id. */
HF_API enum hf_proc_said hf_proc_request(struct hf_proc *p, const struct hf_proc_send *s, uint64_t *id);
/* The request in hand goes on to the target, whose answer goes straight to the one who asked. */
HF_API enum hf_proc_said hf_proc_forward(struct hf_proc *p, const struct hf_proc_send *s);
HF_API enum hf_proc_said hf_proc_cancel(struct hf_proc *p, uint64_t id); /* comes back as ERROR, CANCELLED */

/* ---- other processes, time, itself ---------------------------------------------------------------------------- */

/* Makes CLASS/KEY, or with `key` NULL a process of a name that the node makes; name gets it (NUL-terminated). *watch (may be
 * NULL: not monitored) is of the notice ENDED. */
HF_API enum hf_proc_said hf_proc_spawn(struct hf_proc *p, const char *klass, const char *key, char name[256], uint64_t *watch);
HF_API enum hf_proc_said hf_proc_stop_child(struct hf_proc *p, const char *name);
HF_API enum hf_proc_said hf_proc_monitor(struct hf_proc *p, const char *name, uint64_t *watch);
HF_API enum hf_proc_said hf_proc_unwatch(struct hf_proc *p, uint64_t watch);
HF_API enum hf_proc_said hf_proc_set_timer(struct hf_proc *p, uint64_t after_ns, uint64_t *timer); /* a notice TIMER */
HF_API enum hf_proc_said hf_proc_clear_timer(struct hf_proc *p, uint64_t timer);
HF_API uint64_t hf_proc_now(struct hf_proc *p);            /* monotonic ns, that of the turn */
HF_API struct hf_bytes hf_proc_name(struct hf_proc *p);    /* its own */
HF_API struct hf_bytes hf_proc_blob(struct hf_proc *p);    /* what READ brought; empty before and without */
/* Why the process dies, said before a callback returns FAILED: goes into the log and to whoever waits. Copied. */
HF_API void hf_proc_fail(struct hf_proc *p, const char *why);
HF_API void hf_proc_retire(struct hf_proc *p); /* ends in order after this callback */

/* ---- HTTP: a route leads to the process ------------------------------------------------------------------------- */

struct hf_proc_http {
    size_t size;
    struct hf_bytes method, path, authority; /* path with its query */
    size_t n_headers;
    const void *at[4]; /* private */
};
/* False: the request in hand is none that came by a route. Its body is the message's blob. */
HF_API bool hf_proc_http(struct hf_proc *p, struct hf_proc_http *ret);
/* The header of that name, whatever its case; the first one. False: there is none. */
HF_API bool hf_proc_http_header(const struct hf_proc_http *h, const char *name, struct hf_bytes *value);
/* Header number i, from 0. */
HF_API bool hf_proc_http_at(const struct hf_proc_http *h, size_t i, struct hf_bytes *name, struct hf_bytes *value);
struct hf_proc_header {
    const char *name, *value;
};
/* Answers the request in question with a status (200 to 599), these headers and a body (copied). INVALID: they make no answer
 * that could be sent. */
HF_API enum hf_proc_said hf_proc_http_respond(struct hf_proc *p, uint16_t status, const struct hf_proc_header *headers,
                                              size_t n, struct hf_bytes body);

#ifdef __cplusplus
}
#endif
#endif
