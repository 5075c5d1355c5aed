/* post.h - messages to named processes from outside their worker's thread: from the admin door, and
 * from threads of a program that embeds the node (call.c).
 *
 * A call is a letter. It goes to the worker on which the process lives, is posted there as any
 * request is, and the letter brings the answer home: to the courier that sent it (a thread with a
 * loop: the door), or, when there is none, to a callback on the worker's thread. Bodies with a
 * courier are carried as they arrive (link/carry.h); without one a blob is bytes, and so is the
 * answer's, which is read to its end first.
 */
#ifndef HF_NODE_POST_H
#define HF_NODE_POST_H

#include "kernel/port.h"
#include "link/carry.h"

struct hf_node;
struct hf_worker;
struct hf_call;

/* The worker on which a process of that name lives, or would be made: the one place that knows. Any
 * thread, while there are workers. */
struct hf_worker *hf_post_worker(struct hf_node *node, struct hf_view name);

/* ---- a worker's part: in struct hf_worker, its thread's ---- */
struct hf_desk {
    struct hf_worker *worker;
    struct hf_port port;
    struct hf_list reading; /* calls without a courier whose answer's blob still comes */
    struct hf_list news;    /* ... and has more bytes */
    bool closed;
};
void hf_desk_init(struct hf_desk *d, struct hf_worker *w);
/* Once per turn of the loop, when no turn of a process runs. */
void hf_desk_flush(struct hf_desk *d);
static inline bool hf_desk_busy(const struct hf_desk *d)
{
    return !hf_list_empty(&d->news);
}
static inline bool hf_desk_idle(const struct hf_desk *d)
{
    return hf_list_empty(&d->reading);
}
/* Before its kernel is freed: what still comes is told `cancelled`. Zeroes are fine. */
void hf_desk_close(struct hf_desk *d);

/* ---- a call ---- */
struct hf_call_result {
    enum hf_answer_kind kind;
    struct hf_buf body; /* the answer's, or words about what went wrong; may be taken */
    struct hf_view metadata;
    struct hf_blob *blob; /* with a courier; may be taken */
    struct hf_buf bytes;  /* without one: the blob's bytes, when there was one; may be taken */
    bool has_blob;
};
struct hf_call_request {
    struct hf_view to, metadata; /* copied */
    struct hf_buf body;          /* moved */
    struct hf_blob *blob;        /* with a courier: moved, may be NULL */
    struct hf_buf bytes;         /* without: moved, if has_blob */
    bool has_blob;
    bool tell; /* it wants no answer: done when it lies in the mailbox (OK), or does not */
    uint64_t timeout_ns; /* 0 = the class's */
    uint64_t bytes_max;  /* without a courier: of the answer's blob */
    void (*done)(void *ctx, struct hf_call_result *result);
    void *ctx;
};

/* ---- a thread with a loop that sends calls ---- */
struct hf_courier {
    struct hf_node *node;
    struct hf_carrier carrier;
    struct hf_list out; /* hf_call.in_out */
};
void hf_courier_init(struct hf_courier *c, struct hf_node *node, struct hf_wake *wake);
/* `done` is called once, on the courier's thread, from a letter; *ret is good until then. HF_LIMIT:
 * memory, nothing has moved. */
enum hf_err hf_courier_send(struct hf_courier *c, struct hf_call_request *r, struct hf_call **ret);
/* Nobody wants the answer any more: `done` is not called, and the request is void. */
void hf_courier_forget(struct hf_call *call);
/* Once per turn of the loop. */
static inline void hf_courier_flush(struct hf_courier *c)
{
    hf_carrier_flush(&c->carrier);
}
static inline bool hf_courier_busy(const struct hf_courier *c)
{
    return hf_carrier_busy(&c->carrier);
}
/* When its loop has ended; then, when every letter of workers and its own is delivered, free. Twice
 * is fine, zeroes too. */
void hf_courier_stop(struct hf_courier *c);
void hf_courier_free(struct hf_courier *c);

/* ---- without ---- Any thread; `done` is called on the worker's, or where the node is closed. The
 * caller has made sure that there are workers and stay. HF_LIMIT: memory, nothing has moved. */
enum hf_err hf_post_outside(struct hf_node *node, struct hf_call_request *r);

#endif
