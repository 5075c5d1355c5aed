/* kernel_int.h - the kernel's own nouns: request, process, class, kernel, and which file moves
 * them.
 *
 *     request.c   post, cancel, answering, deadlines
 *     class.c     pools: which instance takes which request
 *     process.c   making, dooming and ending instances
 *     sched.c     the run queue, one segment of a process
 *     out.c       batches and answers on their way out
 *     effect.c    what they do then
 *     turn.c      what a behaviour may do
 *     kernel.c    making, step, freeing
 *     inspect.c   text and walks
 *     visit.c     what lives, seen from outside, and killing it
 *     evict.c     which instances are in memory     asleep.c   names whose instance is not
 *     spare.c     instances made ahead
 *
 * Who keeps a request: its place (a queue, a starting process, the process that has it in hand)
 * and, once answered, the outbox. It is freed when both let go. Requests to and from named
 * processes are counted instead: hf_talk.
 *
 * Nothing ends a process while a behaviour is running or timers fire: it is doomed, and the step
 * ends it.
 */
#ifndef HF_KERNEL_KERNEL_INT_H
#define HF_KERNEL_KERNEL_INT_H

#include "base/heap.h"
#include "base/map.h"
#include "kernel/batch_int.h"
#include "kernel/far.h"
#include "kernel/kernel.h"
#include "kernel/named.h"
#include "kernel/spill.h"
#include "kernel/turn.h"

struct hf_process;
struct hf_named;
struct hf_named_class;

/* What a segment did that others will see: waits in the turn until its batch is sealed, then in
 * `held` until that is acknowledged. out.c moves it, effect.c lets it happen. */
enum hf_effect_kind {
    HF_EFFECT_ANSWER, /* hf_request.going: its answer */
    HF_EFFECT_SEND,   /* hf_request.going: itself (named_int.h from here on) */
    HF_EFFECT_CANCEL, /* hf_request.going: its origin cancelled */
    HF_EFFECT_SPAWN,  /* hf_named.going */
    HF_EFFECT_WATCH,  /* hf_watch.going */
    HF_EFFECT_FAR,    /* struct hf_far_wish: a letter (far_spawn.c) */
    HF_EFFECT_END     /* struct hf_end_wish */
};
struct hf_effect {
    struct hf_list link;
    uint64_t seq; /* of the batch it waits for */
    enum hf_effect_kind kind;
    bool held; /* ... in the kernel's list */
};

/* A place in a mailbox (mailbox.c). */
enum hf_mail_kind {
    HF_MAIL_REQUEST, /* hf_talk.in */
    HF_MAIL_BACK,    /* hf_talk.back: its answer, for its origin */
    HF_MAIL_VOID,    /* hf_talk.gone: its holder hears that nobody waits */
    HF_MAIL_WATCH,   /* hf_watch.mail */
    HF_MAIL_REFUSED, /* hf_watch.refused */
    HF_MAIL_TIMER    /* hf_alarm.mail */
};
struct hf_mail {
    struct hf_list in_box;
    enum hf_mail_kind kind;
};

enum hf_place {
    HF_PLACE_NONE,    /* no process will look at it any more */
    HF_PLACE_QUEUE,   /* waits in its class's queue */
    HF_PLACE_CLAIMED, /* waits for the start of `process`, or for any other that is free sooner */
    HF_PLACE_HAND,    /* `process` has it, its turn begun or about to */
    HF_PLACE_AWAY,    /* another kernel has it (remote.h) */
    HF_PLACE_NAMED    /* to or from a named process: `talk` says where it is */
};

/* What a request has more when a named process is its origin or its target. One request is one
 * object from send to the end of its answer: its origin's side (pending, then the answer in its
 * mailbox) and its holders' side (mailbox, current, nested, under a pending one, token). A forward
 * is another object that points to the first, its root, whose answer it will make. All is zero in a
 * request of a pool. */
struct hf_talk {
    uint32_t refs;              /* origin's side, holders, its void notice, its carrier */
    uint32_t holders;           /* who can still name it: its body and blob stay so long */
    struct hf_named *from;      /* origin, also of a tell (a reference); NULL: a port */
    struct hf_named *aim;       /* whom it was sent to, if that was known then (a reference) */
    struct hf_named *to;        /* whose mailbox it is or was in; NULL: not delivered */
    struct hf_named *by;        /* who answered (a reference), or NULL */
    struct hf_request *under;   /* the request in question when it was sent (a hold) */
    struct hf_request *root;    /* of a forward: whose answer it makes (a reference) */
    struct hf_request *carrier; /* of a root: the newest forward, while it can still answer */
    struct hf_list in_from;     /* origin's pending until its answer is taken; or kernel's posted */
    struct hf_list in_token;    /* holder's tokens */
    struct hf_list in_parked;   /* origin's: it lies over the bound of a mailbox */
    struct hf_mail in, back, gone;
    bool waiting;  /* root: its origin waits; no answer reached it */
    bool asked;    /* root: send and await */
    bool deferred; /* has or had a token */
    bool park, mapped, counted;
    struct hf_buf context, text; /* text: target, metadata, capabilities as one */
    struct hf_view target;
    struct hf_view *caps; /* heap; of the request */
    size_t n_caps;
    struct hf_buf answer_text; /* metadata and capabilities of the answer */
    struct hf_view answer_metadata;
    struct hf_view *answer_caps;
    size_t n_answer_caps;
    /* far.h: a guest is answered to another place; what is away is held by another. */
    struct hf_far_letter *letter; /* a guest came in it; what is away can be cancelled with it,
                                   * and has it from its answer on */
    uint64_t origin_id, via_id;   /* of a guest: at its origin's place, and where it came from */
    uint16_t origin, via, away;   /* places + 1; 0: no guest; here */
    bool forwarded, parked_there; /* a guest: by a forward; its sender waits till it is taken */
};

/* far.c: the kernel's side towards others. ops NULL: there are none. */
struct hf_far_side {
    const struct hf_far_ops *ops;
    void *ctx;
    uint32_t here;
    struct hf_map guests;   /* by the id they were sent under */
    struct hf_map watches;  /* hf_watch of ours at others' processes, by far_id */
    struct hf_map watchers; /* hf_far_watcher: others' of ours, by the same */
    struct hf_far_letter *expecting; /* watches of children whose SPAWN is to come */
    struct hf_list abroad;  /* stubs of forwards, and tells that may be parked: talk.in_from */
    struct hf_far_stats stats;
};

struct hf_request {
    struct hf_message message; /* id, body (a view of `body`), blob, deadline */
    struct hf_buf body;
    struct hf_class *class;
    struct hf_process *process;
    struct hf_port *port;
    void *tag;
    enum hf_place place;
    enum hf_duty duty;
    bool out;      /* an answer is made and not delivered yet */
    bool consumed; /* its turn has begun */
    uint64_t timeout_ns;
    struct hf_list in_class; /* class queue or claimed; or the kernel's free list */
    struct hf_effect going;  /* in fresh; turn's effects, held, ready */
    struct hf_timer clock;   /* deadline, or the end of its wait in the queue */
    struct hf_answer answer;
    struct hf_talk talk;
};

struct hf_turn {
    struct hf_waitset set;
    bool selective;
    bool broken; /* no memory for the batch: nothing of this segment may get out */
    enum hf_answer_kind fail_kind;
    struct hf_buf fail_text;
    bool failed;            /* hf_turn_fail was said */
    const char *retire;     /* why it ends after this turn, or NULL */
    struct hf_batch *batch; /* of this segment; NULL until something is recorded */
    struct hf_list effects; /* of this segment, hf_effect.link */
    uint32_t n_sends;       /* among them */
};

enum hf_phase {
    HF_PHASE_NEW,      /* start was not called yet */
    HF_PHASE_STARTING, /* start has not ended */
    HF_PHASE_IDLE,
    HF_PHASE_ASSIGNED, /* has a message, turn was not called yet */
    HF_PHASE_BUSY,     /* turn has not ended */
    HF_PHASE_LEAVING   /* retires; leave was not called yet, or has not ended */
};

enum hf_doom {
    HF_DOOM_NONE,
    HF_DOOM_TIMEOUT, /* its message's deadline passed */
    HF_DOOM_START_TIMEOUT,
    HF_DOOM_RETIRE, /* idle and not needed any more */
    HF_DOOM_LEAVE_TIMEOUT,
    HF_DOOM_SPARE, /* nobody needs it, and it has been nobody */
    HF_DOOM_KILL,  /* somebody wished it; of a named process hf_named.kill_text says why */
    HF_DOOM_KERNEL /* the kernel is freed */
};

struct hf_process {
    struct hf_turn turn;
    uint64_t id;
    struct hf_class *class;
    struct hf_kernel *kernel;
    void *state;
    enum hf_phase phase;
    enum hf_doom doom;
    const char *why; /* it ends (hf_ended) */
    bool in_order;
    bool leave_begun;
    bool spent;                 /* its last segment used up a slice */
    struct hf_request *request; /* claimed by it (NEW, STARTING) or in hand (ASSIGNED, BUSY) */
    struct hf_named *named;     /* whose instance it is, or NULL: one of a pool */
    bool blocked, due;          /* named: may not run now; would run */
    uint64_t served, born_ns, idle_ns; /* idle since */
    struct hf_list in_class; /* all of the class, in order of id; or the kernel's free list */
    struct hf_list in_pool;  /* class idle (most recent first) or starting without a claim */
    struct hf_list in_run;   /* a line of the run queue, or the kernel's doomed */
    struct hf_timer clock;   /* end of start; end of idleness or of its age */
    /* ---- named, evict.c ---- */
    struct hf_list in_awake;               /* idle, and has not been asked to rest */
    struct hf_list in_idle, in_class_idle; /* may be evicted: the kernel's and the class's */
    struct hf_spill_move *move; /* idle: its bytes are being written; starting: are being read */
    bool resident;              /* it counts as one that is in memory */
    bool reserved;              /* ... and its read, which has not begun, as a move */
    bool moved;                 /* the read is over */
    bool revived;
    bool spare; /* spare.c: made ahead, nobody's yet */
    bool asked; /* ... and its start asked who it is */
    uint32_t patience; /* so often it becomes idle before it is asked for its image again */
};

struct hf_name {
    struct hf_class *class; /* whose it is, or NULL */
    uint32_t refs;          /* classes that are called so */
    char text[];
};

struct hf_class {
    struct hf_kernel *kernel;
    struct hf_name *name;
    struct hf_class_settings s; /* defaults filled in */
    bool closed, single_use, warm;
    bool held;         /* no instance may start yet */
    bool start_failed; /* the last start did: do not keep `min` before one works */
    uint64_t pace_ns;  /* how long its calls took lately, but for those of the spent */
    uint32_t n_processes, n_idle, n_queued, n_doomed;
    uint32_t n_requests; /* that are its own, wherever they are */
    struct hf_list processes, idle;
    struct hf_list unclaimed;      /* starting, and no request waits for it */
    struct hf_list queue, claimed; /* requests, oldest first; all claimed ones are older */
    struct hf_list away; /* of a class whose instances live elsewhere: then remote is set */
    const struct hf_remote_ops *remote;
    void *remote_ctx;
    struct hf_named_class *named; /* of named processes: then there is no pool */
    struct hf_list in_kernel;
    struct hf_list in_gone;     /* the kernel's: nothing is left of it */
    struct hf_list starved;     /* in the kernel's: wanted a process when there was no place */
    struct hf_buf last_failure; /* text */
    const char *last_retire;    /* or NULL */
    struct hf_class_stats stats;
};

enum hf_line_kind { HF_LINE_PROMPT, HF_LINE_SLOW, HF_LINE_SPENT, HF_LINES };

struct hf_line { /* of the run queue (port.h: who is next) */
    struct hf_list list;
    uint64_t since_ns; /* when one of it ran last, or the first came to stand in it */
};

/* evict.c and asleep.c. */
struct hf_evict {
    const struct hf_spill *spill; /* NULL: nobody is evicted */
    void *spill_ctx;
    uint32_t n_resident; /* hf_process.resident */
    uint32_t n_leaving;  /* of those, idle with a move */
    uint32_t n_moves;
    /* spare.c: that can be taken or may become so; those that are about to go included. */
    uint32_t n_spares, n_spare_processes;
    uint64_t spares_shut_ns; /* while spares_shut none are made */
    bool spares_shut;
    struct hf_list idle;      /* hf_process.in_idle, least recently used first */
    struct hf_list moves;     /* with the keeper, in_kernel */
    struct hf_list arrived;   /* back from it */
    struct hf_list waiting;   /* hf_named_class.in_waiting: somebody stands in its entrance */
    struct hf_list closing;   /* hf_named_class.in_closing: closed, with names asleep */
    struct hf_list foldable;  /* hf_named.in_evict, all three: evicted, and perhaps nothing else */
    struct hf_list sleepless; /* there was no place for a process to revive it in */
    struct hf_list lost;      /* evicted ones that end */
    struct hf_map asleep;     /* hf_asleep that are folded, by name */
    struct hf_list awake;     /* hf_process.in_awake, idle for longest first */
    struct hf_timer rest;     /* the first of it has been idle for a while */
    bool due;                 /* the next step has something to look at */
    uint64_t shut_ns;         /* since then nobody came in beyond the bound */
    struct hf_timer pause;    /* after a failure nothing is evicted until it rings */
    struct hf_buf why;        /* ... the failure */
    struct hf_evict_stats stats;
};

struct hf_kernel {
    struct hf_kernel_settings s; /* defaults filled in */
    uint64_t now, next_request, next_process;
    bool closing;
    struct hf_process *running; /* whose behaviour is being called, or NULL */
    bool flushing;
    struct hf_heap timers;
    struct hf_map requests; /* by id, until the answer is delivered */
    struct hf_map names;    /* hf_name */
    struct hf_list classes, starved;
    struct hf_list gone; /* classes that the next step frees */
    uint32_t n_classes, n_processes, n_requests, n_fresh;
    struct hf_list fresh; /* requests posted since the last step: their deadlines are not set yet */
    struct hf_line lines[HF_LINES]; /* who is runnable */
    /* The last segment, which began at `began` and is not over as far as we were told: of which
     * line (HF_LINES: none), and whose time it is (NULL: nobody's). */
    enum hf_line_kind ran;
    struct hf_class *timed;
    uint64_t began, late_ns; /* late_ns: the end of the last one that was not prompt */
    struct hf_list doomed;
    struct hf_list ready;  /* answers to deliver with the next flush */
    struct hf_list held;   /* effects whose batches are not acknowledged, in order of seq */
    struct hf_list sealed; /* batches the store has not taken */
    struct hf_list lent;   /* ... has taken and not acknowledged */
    uint64_t seq, acked;
    struct hf_list free_requests, free_processes;
    uint32_t n_free_requests, n_free_processes;
    struct hf_blob_pool *blobs;
    struct hf_map named_by_name; /* of those that live or will be restarted */
    struct hf_list named;
    struct hf_list posted; /* requests of ports to them, hf_talk.in_from */
    uint32_t n_named, walk;
    struct hf_list walking; /* of a walk through who waits for whom (mailbox.c) */
    struct hf_message_stats said;
    struct hf_far_side far;
    struct hf_evict evict;
};

#define HF_CLASSES_MAX 4096u
#define HF_KERNEL_KEEP 1024u /* freed requests, and processes, kept for the next */

/* timer.c. Fires what is due now. */
void hf_timers_fire(struct hf_kernel *k);

/* request.c */
/* Makes the answer; the duty must be open. `p` (or NULL) is who answered. Takes body and blob. */
void hf_request_answer(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                       struct hf_buf *body, struct hf_blob **blob);
void hf_request_refuse(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                       struct hf_view text);
/* No process looks at it any more. It goes when its answer is out. */
void hf_request_leave(struct hf_request *r);
/* Sets its clock by where it is. */
void hf_request_set_clock(struct hf_request *r);
void hf_request_delivered(struct hf_request *r);
/* The kernel is freed: void, and a CANCELLED answer is ready. */
void hf_request_void(struct hf_request *r);
/* Deadlines of requests posted since the last step. */
void hf_requests_date(struct hf_kernel *k);
void hf_requests_free_all(struct hf_kernel *k);
/* One with nothing in it, counted; NULL: a limit, or memory. Room for its clock is made. */
struct hf_request *hf_request_new(struct hf_class *c);
void hf_request_set_class(struct hf_request *r, struct hf_class *c);
void hf_request_free(struct hf_kernel *k, struct hf_request *r);
/* A post is accepted: as hf_port_post says. */
void hf_request_fresh(struct hf_request *r);
void hf_request_not_fresh(struct hf_request *r);
/* An answer on its way out becomes another one, and goes at once. */
void hf_request_change_answer(struct hf_request *r, enum hf_answer_kind kind);

/* class.c */
/* Finds a place for a new request; false: the queue is full. */
bool hf_class_place(struct hf_class *c, struct hf_request *r);
/* Takes a request out of queue or claimed, or away from a process whose turn has not begun. */
void hf_class_withdraw(struct hf_request *r);
/* `p` has ended its start or its turn: gives it the oldest message, or makes it idle. */
void hf_class_put_free(struct hf_class *c, struct hf_process *p);
/* New processes for what waits, and up to min. */
void hf_class_refill(struct hf_class *c);
/* Whoever has the name, or NULL. */
struct hf_class *hf_class_find(const struct hf_kernel *k, struct hf_view name);
/* A process, a name or a request of it is no more: if that was the last of a closed class, it is
 * gone. */
void hf_class_less(struct hf_class *c);
/* Frees those that are gone. */
void hf_classes_free_gone(struct hf_kernel *k);
void hf_class_free(struct hf_class *c);

/* remote.c */
struct hf_remote_ops;
/* Hands the message of a new request on; what send says. */
enum hf_err hf_remote_send(struct hf_request *r, struct hf_post *post);
/* Answered here, or never to be: whoever has it is told. */
void hf_remote_withdraw(struct hf_request *r);

/* process.c */
struct hf_process *hf_process_new(struct hf_class *c); /* NULL: a limit, or memory */
/* The same, not runnable yet. */
struct hf_process *hf_process_make(struct hf_class *c);
void hf_process_doom(struct hf_process *p, enum hf_doom doom, const char *why);
/* It has not begun to start, and nobody wants it any more. */
void hf_process_unborn(struct hf_process *p);
/* Its leave has ended. */
void hf_process_left(struct hf_process *p);
/* Ends those that are doomed. */
void hf_processes_end_doomed(struct hf_kernel *k);
/* After its behaviour ended with `failed`, or when its turn ended and it must retire. */
void hf_process_fail(struct hf_process *p);
void hf_process_retire(struct hf_process *p, const char *why);
void hf_process_set_idle_clock(struct hf_process *p);
void hf_processes_free_all(struct hf_kernel *k);
/* It is evicted: not an end, nobody is told. */
void hf_process_put_out(struct hf_process *p);
const char *hf_phase_text(enum hf_phase phase);

/* sched.c */
void hf_sched_push(struct hf_process *p); /* runnable, behind the others; fine when it is already */
/* The line whose first one is next, or HF_LINES: nobody is runnable. */
enum hf_line_kind hf_sched_next(struct hf_kernel *k);
/* One segment of the first in that line. */
void hf_sched_run(struct hf_kernel *k, enum hf_line_kind line);
/* The time is k->now: what ran last is over. */
void hf_sched_settle(struct hf_kernel *k);
size_t hf_sched_runnable(const struct hf_kernel *k);
void hf_sched_woken(struct hf_waitset *set);

/* out.c */
/* The batch of this segment, begun when there is none; NULL: not a recorded class, or memory (then
 * turn.broken). */
struct hf_batch *hf_out_batch(struct hf_process *p);
/* Ends the segment: seals the batch, sends effects on their way. */
void hf_out_seal(struct hf_process *p);
/* Deliver with the next flush, whatever is held. */
void hf_out_ready(struct hf_kernel *k, struct hf_request *r);

/* Counts what an origin was told. */
void hf_out_count(struct hf_class *c, enum hf_answer_kind kind);

/* effect.c */
void hf_effect_happen(struct hf_kernel *k, struct hf_effect *e);
/* It must not: its turn could not be recorded, or the kernel is freed. */
void hf_effect_drop(struct hf_kernel *k, struct hf_effect *e);

/* turn.c */
void hf_turn_init(struct hf_turn *turn);
void hf_turn_reset(struct hf_turn *turn); /* for the next process in the same memory */
/* For verbs: of a spare that starts it is noted that its start asked. */
struct hf_process *hf_turn_of(struct hf_turn *turn);

/* inspect.c, for tests: every blob that the kernel could still hand to somebody. */
void hf_kernel_walk_blobs(const struct hf_kernel *k, void (*each)(void *ctx, struct hf_blob *blob),
                          void *ctx);

#endif
