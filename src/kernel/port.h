/* port.h - the kernel's edge: what gateways, links and the node loop see of it.
 *
 * A gateway posts requests and later gets exactly one answer for each; the node feeds time, runs
 * turns and lets effects out. One kernel belongs to one worker thread; nothing in it is locked, it
 * reads no clock and does no I/O.
 */
#ifndef HF_KERNEL_PORT_H
#define HF_KERNEL_PORT_H

#include "base/bytes.h"
#include "base/metric.h"
#include "kernel/blob.h"

struct hf_kernel;

/* Why a request got no proper answer (kernel-messages reference; design kernel "errors"). */
#define HF_ANSWER_LIST(X)                                                                          \
    X(HF_ANSWER_OK, "ok")                   /* body and blob are the answer */                     \
    X(HF_ANSWER_TIMEOUT, "timeout")         /* its deadline passed */                              \
    X(HF_ANSWER_NO_SUCH, "no-such-process") /* the target's name leads nowhere */                  \
    X(HF_ANSWER_FULL, "full")               /* the wait in the queue was too long: try later */    \
    X(HF_ANSWER_DEAD, "dead") /* the process died while it held the request: text says why */      \
    X(HF_ANSWER_UNANSWERED, "unanswered") /* the process finished without answering */             \
    X(HF_ANSWER_LIMITED, "limit")         /* a limit stopped the process: memory, handles ... */   \
    X(HF_ANSWER_CANCELLED, "cancelled")                                                            \
    X(HF_ANSWER_CYCLE, "cycle") /* it would wait for itself */
enum hf_answer_kind {
#define X(name, text) name,
    HF_ANSWER_LIST(X)
#undef X
};
const char *hf_answer_text(enum hf_answer_kind kind);

struct hf_answer {
    enum hf_answer_kind kind;
    struct hf_buf body;   /* OK: the answer's head; else: text for the log, may be empty */
    struct hf_blob *blob; /* OK: may be NULL */
    /* Who answered (or died): instance id for logs and the debug header; 0 = nobody. */
    uint64_t process;
    uint64_t served;         /* how many requests that instance has taken, this one included */
    uint64_t born_ns;        /* when it was started */
    struct hf_view metadata; /* of a named process's answer; lent for the call of hf_port.answer */
};

/* Who posts. `answer` is called from hf_kernel_flush only (never from inside post), on the worker's
 * thread, exactly once per posted request, also after cancel (kind CANCELLED). It may take body
 * and blob (leave them empty/NULL). */
struct hf_port {
    void (*answer)(struct hf_port *port, void *tag, struct hf_answer *answer);
};

struct hf_post {
    struct hf_view target; /* class or process name (kernel/name.h) */
    struct hf_buf body;    /* moved: empty after a successful post */
    struct hf_blob *blob;  /* moved: NULL after */
    uint64_t timeout_ns;   /* 0 = the class's request timeout */
    struct hf_port *port;
    void *tag;
    /* To a named process and nobody else: HF_UNSUPPORTED when the target is a class of a pool. */
    bool named;
    struct hf_view metadata; /* needs `named`; copied */
    bool tell; /* needs `named`: it wants no answer, and none comes; *id is 0, port may be NULL */
};
/* Accepts the request, or says why not at once: HF_NOT_FOUND, HF_LIMIT (queue full). On failure
 * nothing has moved and no answer comes. *id is good for hf_port_cancel until the answer. The
 * timeout counts from the next step. */
enum hf_err hf_port_post(struct hf_kernel *k, struct hf_post *post, uint64_t *id);
/* The origin is gone: the duty is void. Waiting in a queue: removed. In hand: the process goes on,
 * its answer is dropped (its body writes see nobody). Unknown ids are ignored (the answer was
 * quicker). */
void hf_port_cancel(struct hf_kernel *k, uint64_t id);

/* The pool of this worker's blobs (kernel/blob.h); lent. Blobs made in it may outlive the kernel.
 */
struct hf_blob_pool *hf_kernel_blobs(struct hf_kernel *k);

/* ---- for the node loop ---- */
/* Runs at most one turn (or resumes one process); fires timers due at now_ns first. HF_OK:
 * something ran, call again; HF_AGAIN: nothing to do before hf_kernel_next_ns or a new event.
 *
 * Who is next: three lines, first come first served in each.
 *   prompt  everybody but
 *   slow    processes of classes whose calls took HF_SLOW_NS or more lately (on average, and by the
 *           times that hf_kernel_look and _step are told)
 *   spent   processes that YIELDed, for they used up a time slice
 * A line is served when those above it are empty, or when nobody of it has run for its patience
 * (HF_SLOW_WAIT_NS, HF_SPENT_WAIT_NS) while somebody stood in it; before the prompt at most one in
 * HF_SLOW_WAIT_NS. So who computes delays others by one call, however many there are of it, and yet
 * gets on. */
enum hf_err hf_kernel_step(struct hf_kernel *k, uint64_t now_ns);

#define HF_SLOW_NS       1000000u  /* 1 ms */
#define HF_SLOW_WAIT_NS  10000000u /* under full load of the prompt one slow one runs each 10 ms */
#define HF_SPENT_WAIT_NS 20000000u /* ... and one of the spent each 20 */

/* What a step at now_ns would do; it does all that a step does before it runs somebody.
 * HF_NEXT_LATE: somebody of the slow or the spent, which may take long. Before that let out what is
 * done and look whether something prompt came: then a request waits for one such call at most. */
enum hf_next { HF_NEXT_NONE, HF_NEXT_PROMPT, HF_NEXT_LATE };
enum hf_next hf_kernel_look(struct hf_kernel *k, uint64_t now_ns);
/* Delivers effects whose batches are acknowledged: answers to their ports. Returns how many. A port
 * may post and cancel from its answer; what that makes deliverable goes out with the next flush. */
size_t hf_kernel_flush(struct hf_kernel *k);
/* The next timer, UINT64_MAX when none; 0 when a turn is runnable now or an answer waits for flush.
 */
uint64_t hf_kernel_next_ns(const struct hf_kernel *k);

/* Batches of recorded classes, oldest first, for the store; NULL when none. Lent until
 * hf_kernel_acked(seq). */
struct hf_batch;
const struct hf_batch *hf_kernel_next_batch(struct hf_kernel *k);
/* The batch that next_batch lent last could not be taken: it is the next one again. */
void hf_kernel_return_batch(struct hf_kernel *k);
/* Everything up to and including seq is durable. */
void hf_kernel_acked(struct hf_kernel *k, uint64_t seq);

#endif
