/* turn.h - how a behaviour acts while the kernel lets it: every verb answers at once and goes into
 * the turn's batch.
 *
 * A turn is good only inside the behaviour call it was given to; a process that waits gets it again
 * on resume (it is the same pointer for the life of the process). What a behaviour does becomes
 * visible to others when its batch is sealed (at the end of each call) and acknowledged (at once,
 * for a class that is not recorded). Bytes pushed into a blob that was handed out earlier flow at
 * once.
 */
#ifndef HF_KERNEL_TURN_H
#define HF_KERNEL_TURN_H

#include "kernel/behaviour.h"
#include "kernel/blob.h"
#include "kernel/port.h"
#include "kernel/timer.h"

struct hf_kernel;

uint64_t hf_turn_now(const struct hf_turn *turn); /* monotonic ns, as given to the step */
struct hf_kernel *hf_turn_kernel(struct hf_turn *turn);

/* Instances of a pool get requests only; named processes (message.h) also what comes back, and
 * notices. */
enum hf_message_kind {
    HF_MESSAGE_REQUEST,
    HF_MESSAGE_RESPONSE, /* to the request with this id */
    HF_MESSAGE_ERROR,    /* instead of one: `error` says which, body why */
    HF_MESSAGE_NOTICE
};
enum hf_notice {
    HF_NOTICE_NONE,
    /* A monitored process: id of the watch, source its name; `error` and body say why (`ok`: it
     * ended in order). */
    HF_NOTICE_ENDED,
    HF_NOTICE_EXIT, /* the same of a linked one, for who traps */
    /* A monitored process refused tells, its mailbox was full: id of the watch, `count`. */
    HF_NOTICE_REFUSED,
    /* The request with this id, held by a token or under a pending one, is not wanted any more. */
    HF_NOTICE_VOID,
    HF_NOTICE_TIMER /* id of the timer */
};
struct hf_message {
    uint64_t id;
    struct hf_view body;
    /* Or NULL; the message's reference. Of an error: what was sent, if it is still there. */
    struct hf_blob *blob;
    uint64_t deadline_ns;
    bool wants_answer;
    /* ---- empty and 0 for instances of a pool ---- */
    enum hf_message_kind kind;
    enum hf_answer_kind error;
    enum hf_notice notice;
    uint64_t count;
    struct hf_view source; /* who sent or answered; empty: a port, or the kernel */
    struct hf_view target; /* of a response or an error: to whom the request was sent */
    struct hf_view metadata;
    struct hf_view context;     /* of a response or an error: what was sent along */
    const struct hf_view *caps; /* what it allows to message while it is current or nested */
    size_t n_caps;
};
/* The message in hand; NULL during start (and for a RUN shape that has taken none). */
const struct hf_message *hf_turn_message(const struct hf_turn *turn);
/* The message's blob reference moves to the caller; NULL when there is none (any more). */
struct hf_blob *hf_turn_take_blob(struct hf_turn *turn);

/* The duty of the message in hand (design kernel "Duty"). */
enum hf_duty {
    HF_DUTY_NONE,
    HF_DUTY_OPEN,
    HF_DUTY_ANSWERED,
    HF_DUTY_VOID,
    HF_DUTY_MOVED,   /* forwarded (message.h) */
    HF_DUTY_DEFERRED /* only its token can answer it */
};
enum hf_duty hf_turn_duty(const struct hf_turn *turn);
/* Answers the message in hand (of a named process: the request in question, message.h; message_max
 * is not looked at). Returns OPEN when it did (body and blob moved); any other state: nothing
 * moved, nothing done, and that is the state the duty was in. */
enum hf_duty hf_turn_respond(struct hf_turn *turn, struct hf_buf *body, struct hf_blob **blob);
/* Answers with an error kind and text (copied). Same result. */
enum hf_duty hf_turn_refuse(struct hf_turn *turn, enum hf_answer_kind kind, struct hf_view text);

/* Said before returning HF_END_FAILED: goes to the log and into `dead`. kind: DEAD or LIMITED. */
void hf_turn_fail(struct hf_turn *turn, enum hf_answer_kind kind, struct hf_view text);
/* The process ends after this turn (exit, grown memory, not reusable); text for counters and logs
 * (static string). */
void hf_turn_retire(struct hf_turn *turn, const char *why);
/* Other behaviours of this class must not take a second message either. */
void hf_turn_class_single_use(struct hf_turn *turn);

/* What the process waits on: arm waiters on it, return HF_END_WAIT. The kernel parks it (selective
 * as the behaviour set). */
struct hf_waitset *hf_turn_waitset(struct hf_turn *turn);
void hf_turn_set_selective(struct hf_turn *turn, bool selective);

uint64_t hf_turn_process(const struct hf_turn *turn); /* instance id */
uint64_t hf_turn_served(const struct hf_turn *turn);  /* messages taken so far, this one included */
uint64_t hf_turn_born_ns(const struct hf_turn *turn);

#endif
