/* message.h - what a named process may say: requests, responses, forwards, and who hears of whom.
 *
 * One idea is behind it: a request that wants an answer has one DUTY. It is open, and then once and
 * for ever answered, moved (forwarded) or void (its origin timed out, died or cancelled). It has
 * holders: being current, being nested, each pending request made under it, at most one token.
 * Responding, forwarding and deferring need it open, and else return its state. When the last
 * holder goes while it is open, its origin is told `unanswered` at once; when it goes by death,
 * `dead` and why. doc/kernel.md has the whole table.
 *
 * Verbs answer at once and go into the turn's batch; what others see of them comes after the batch
 * is sealed and, for recorded classes, acknowledged. All is for named processes (named.h): an
 * instance of a pool that calls a verb here gets DENIED.
 *
 * The request that verbs are about ("the one in question"): current, when it is a request; nested,
 * when current is a response or an error; none under a notice and in `start`.
 */
#ifndef HF_KERNEL_MESSAGE_H
#define HF_KERNEL_MESSAGE_H

#include "kernel/name.h"
#include "kernel/turn.h"

/* What a verb says. Up to VOID: the state of the duty, nothing was done, nothing moved. */
#define HF_SAID_LIST(X)                                                                            \
    X(HF_SAID_OK, "ok")                                                                            \
    /* no request in question, it wants no answer, or no such token */                             \
    X(HF_SAID_NO_REQUEST, "no-request")                                                            \
    X(HF_SAID_ANSWERED, "already-answered")                                                        \
    X(HF_SAID_MOVED, "moved")         /* forwarded */                                              \
    X(HF_SAID_DEFERRED, "deferred")   /* only its token can answer it */                           \
    X(HF_SAID_VOID, "void")           /* nobody waits for it any more */                           \
    X(HF_SAID_DENIED, "denied")       /* the capability is not held */                             \
    X(HF_SAID_TOO_LARGE, "too-large") /* message_max */                                            \
    X(HF_SAID_LIMIT, "limit")         /* pending, tokens, sends, memory ... */                     \
    X(HF_SAID_TAKEN, "taken")         /* spawn: the name is in use */                              \
    /* what cannot be meant: a context, and no answer wanted; two awaits */                        \
    X(HF_SAID_INVALID, "invalid")
enum hf_said {
#define X(name, text) name,
    HF_SAID_LIST(X)
#undef X
};
const char *hf_said_text(enum hf_said said);

/* ---- messages that come: hf_turn_message (turn.h) ----
 * RUN shape takes the next one itself: releases current and nested as the end of a turn does.
 * HF_AGAIN: there is none (then nothing is current); wait for hf_turn_mail_wait. */
enum hf_err hf_turn_receive(struct hf_turn *turn);
struct hf_wait *hf_turn_mail_wait(struct hf_turn *turn); /* ready: receive would not say HF_AGAIN */
/* The request under which the one was sent that current answers; NULL: none. */
const struct hf_message *hf_turn_nested(const struct hf_turn *turn);

/* ---- sending ---- */
#define HF_MESSAGE_CAPS_MAX 64u /* capabilities of one message or answer; more is LIMIT */
struct hf_send {
    struct hf_view target;      /* a name; its capability must be held */
    struct hf_buf body;         /* moved when the verb says OK */
    struct hf_view metadata;    /* copied */
    struct hf_blob *blob;       /* explicit: moved when OK */
    bool inherit;               /* without a blob of its own: current's, else nested's, else none */
    const struct hf_view *caps; /* names that the receiver may message, too; each must be held */
    size_t n_caps;
    bool wants_answer;
    struct hf_buf context; /* moved; comes back with the answer, once. Needs wants_answer */
    uint64_t timeout_ns;   /* 0 = the class's; from now */
    bool park; /* mailbox full: this process runs again when there is room; else `full` */
};
/* OK, DENIED, TOO_LARGE, LIMIT, INVALID. Everything else that goes wrong comes as an error message.
 * *id (may be NULL): of the request, for cancel and to know its answer by (message.id). The request
 * in question is kept under it, when an answer is wanted, until the answer was handled. */
enum hf_said hf_turn_send(struct hf_turn *turn, struct hf_send *send, uint64_t *id);
/* Send and await: the answer does not come as a message, and current stays. One at a time
 * (INVALID). Wait for hf_turn_asked_wait, then take. Other messages wait meanwhile. wants_answer is
 * implied. */
enum hf_said hf_turn_ask(struct hf_turn *turn, struct hf_send *send, uint64_t *id);
struct hf_wait *hf_turn_asked_wait(struct hf_turn *turn);
/* The answer is moved to *ret (hf_asked_done it): kind and body, blob, context. HF_AGAIN: not yet;
 * HF_NOT_FOUND: nothing was asked. An ask whose answer was not taken is cancelled by the end of the
 * turn. */
struct hf_asked {
    struct hf_answer answer;
    struct hf_buf context;
    /* Lent until the next ask (which may still use them) says OK, or the end of the turn; the
     * capabilities may be used and kept so long. */
    struct hf_view metadata;
    const struct hf_view *caps;
    size_t n_caps;
};
enum hf_err hf_turn_take_asked(struct hf_turn *turn, struct hf_asked *ret);
void hf_asked_done(struct hf_asked *asked);
/* The answer to the new request goes straight to the origin of the one in question, whose duty is
 * moved. Under one that wants no answer: a plain tell. wants_answer, context, timeout are not
 * looked at. */
enum hf_said hf_turn_forward(struct hf_turn *turn, struct hf_send *send);
/* The request with this id is of no interest any more: its error `cancelled` comes, with the
 * context. NO_REQUEST: it is none of mine, or was answered. */
enum hf_said hf_turn_cancel(struct hf_turn *turn, uint64_t id);

/* ---- answering ---- hf_turn_respond (turn.h) is the short form: a body, and a blob or none. */
struct hf_response {
    struct hf_buf body;         /* moved when OK */
    struct hf_view metadata;    /* copied */
    struct hf_blob *blob;       /* explicit: moved when OK */
    bool inherit;               /* without a blob of its own: current's, else nested's, else none */
    const struct hf_view *caps; /* as in hf_send */
    size_t n_caps;
};
enum hf_said hf_turn_reply(struct hf_turn *turn, struct hf_response *response);
/* Answer later: the token is then the only holder. LIMIT: tokens. */
enum hf_said hf_turn_defer(struct hf_turn *turn, uint64_t *token);
/* `inherit` means the blob of the deferred request. The token is gone when this says OK or VOID. */
enum hf_said hf_turn_answer(struct hf_turn *turn, uint64_t token, struct hf_response *response);
/* Its last holder goes: its origin is told `unanswered`. */
enum hf_said hf_turn_drop_token(struct hf_turn *turn, uint64_t token);
/* The state of the one in question, OK when open; of a token. VOID says that it is not wanted any
 * more. When the duty of a request that is held by a token or a pending request becomes void, there
 * is also a notice. */
enum hf_said hf_turn_state(const struct hf_turn *turn);
enum hf_said hf_turn_token_state(const struct hf_turn *turn, uint64_t token);
/* Ready while current (or nested) is void: for who waits in the middle of a turn. */
struct hf_wait *hf_turn_unwanted_wait(struct hf_turn *turn);

/* ---- self, capabilities ---- */
struct hf_view hf_turn_name(const struct hf_turn *turn);   /* empty: an instance of a pool */
struct hf_view hf_turn_parent(const struct hf_turn *turn); /* empty: none */
/* May I message it: its class's grants, what it kept, parent and children, itself, and what the
 * current or nested message carries. */
bool hf_turn_holds(const struct hf_turn *turn, struct hf_view name);
/* Keeps what the current or nested message carries. DENIED: neither does; LIMIT. */
enum hf_said hf_turn_keep(struct hf_turn *turn, struct hf_view name);
/* NO_REQUEST: it was not kept. */
enum hf_said hf_turn_drop(struct hf_turn *turn, struct hf_view name);

/* ---- processes ---- */
struct hf_spawn {
    struct hf_view class; /* one that this class may spawn, else DENIED */
    /* The name is class/key; empty: the kernel makes one, in the parent's group. */
    struct hf_view key;
    bool monitor, link; /* from its beginning */
};
/* name: HF_NAME_MAX bytes, *len set. Parent and child hold each other's capability. OK, DENIED,
 * LIMIT, TAKEN, INVALID (no name). *watch (may be NULL): of its monitor. It starts after this
 * turn's batch. */
enum hf_said hf_turn_spawn(struct hf_turn *turn, const struct hf_spawn *spawn, char *name,
                           size_t *len, uint64_t *watch);
/* Stops (in order) or kills a child of this process. NO_REQUEST: it has no such child now. */
enum hf_said hf_turn_stop_child(struct hf_turn *turn, struct hf_view name);
enum hf_said hf_turn_kill_child(struct hf_turn *turn, struct hf_view name, struct hf_view why);
/* One notice when its present instance ends, with why; at once when there is none. Notices of tells
 * that it refused come, too. OK, DENIED, LIMIT. */
enum hf_said hf_turn_monitor(struct hf_turn *turn, struct hf_view name, uint64_t *watch);
/* When one of two dies, so does the other (unless its class traps: then it has a notice). An end in
 * order only tells those that trap. */
enum hf_said hf_turn_link(struct hf_turn *turn, struct hf_view name, uint64_t *watch);
/* No notice of it comes any more, nor one that waits in the mailbox. Takes a link from both. */
enum hf_said hf_turn_unwatch(struct hf_turn *turn, uint64_t watch);

/* ---- timers: a notice when it is time ---- */
enum hf_said hf_turn_set_timer(struct hf_turn *turn, uint64_t at_ns, uint64_t *timer);
/* NO_REQUEST: it was over. */
enum hf_said hf_turn_clear_timer(struct hf_turn *turn, uint64_t timer);

#endif
