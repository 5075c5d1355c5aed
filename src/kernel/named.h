/* named.h - named processes: their classes, and what may be done to them from outside.
 *
 * A named process has a name (name.h), a bounded mailbox and one instance at a time of its class's
 * behaviour. It is made by the first message to its name (unless its class says `spawned`), or by
 * hf_turn_spawn. What it may do stands in turn.h and message.h.
 *
 * Two shapes. HANDLE: behaviour->turn is called once a message; between messages nothing of it
 * runs. RUN: behaviour->turn is called once, without a message, and takes messages with
 * hf_turn_receive until it is DONE (then the process ends in order).
 *
 * Ports post to it by name like to any class (port.h); a port is an origin that needs no
 * capability.
 */
#ifndef HF_KERNEL_NAMED_H
#define HF_KERNEL_NAMED_H

#include "kernel/kernel.h"

enum hf_shape { HF_SHAPE_HANDLE, HF_SHAPE_RUN };

/* What happens when one fails. The mailbox is kept over a restart, with all messages that wait
 * there; what was in hand, deferred or pending is lost (its origins are told `dead`). Between death
 * and restart messages wait. */
enum hf_restart {
    /* Whoever waits is told `dead`; the next message to the name makes a new one. */
    HF_RESTART_NEVER,
    /* After back-off: `backoff_ns`, doubled each time up to `backoff_max_ns`; at its start again
     * after it lived for 5 back-offs and at least 10 s. */
    HF_RESTART_ALWAYS,
    /* The same, but the restart that would be more than `restart_max` in `restart_within_ns` is not
     * made: it ends for good, and whoever waits is told `dead`. */
    HF_RESTART_SOME
};

struct hf_named_settings {
    const struct hf_behaviour *behaviour;
    void *ctx;           /* given to behaviour->start */
    enum hf_shape shape; /* RUN cannot be recorded: HF_UNSUPPORTED */
    bool recorded;       /* effects wait for hf_kernel_acked */
    bool spawned;        /* only spawn makes one; to other names: no-such-process */
    /* Its processes live at this place (far.h) + 1, which every place must say of it; 0: each where
     * its shard lives. */
    uint32_t place;
    bool trap_links;     /* the death of a linked process is a notice, not its own death */

    uint32_t processes_max; /* of this class; 0 = 10000 */
    uint32_t mailbox_max;   /* requests that wait (answers, notices do not count); 0 = 1024 */
    uint32_t pending_max;   /* requests out at a time; 0 = 1024 */
    uint32_t tokens_max;    /* deferred at a time; 0 = 1024 */
    uint32_t sends_max;     /* sends in one segment of a turn; 0 = 1024 */
    /* Capabilities held, one for each child; those of children whose name the kernel made go for
     * others when they are over. 0 = 1024. */
    uint32_t caps_max;
    uint32_t watches_max; /* monitors and links made; 0 = 256 */
    uint32_t timers_max;  /* 0 = 256 */
    /* Bytes of body, metadata, context and capabilities of one message it sends; 0 = 1 MiB. */
    uint32_t message_max;

    uint64_t request_timeout_ns; /* of requests to it and from it that say none; 0 = 30 s */
    uint64_t start_timeout_ns;   /* 0 = 30 s */
    uint64_t leave_timeout_ns;   /* 0 = 5 s */
    uint64_t turn_timeout_ns;    /* a turn (HANDLE) that takes longer fails; 0 = never */
    uint64_t idle_timeout_ns;    /* ends in order when it had nothing to do so long; 0 = never */

    /* Of this class in memory; past it the least recently used are evicted (spill.h); 0 = as many
     * as the kernel has. */
    uint32_t resident_max;
    /* Spares: instances that are started ahead, when nobody is runnable, for names to come; a new
     * name takes one in place of a start. They give way to everybody (doc/kernel.md). A start that
     * asks who it is, or sends, ends it: then there are none. 0 = none. */
    uint32_t warm;
    /* One that ends in order while it is evicted is revived for its behaviour->leave; else it ends
     * where it lies. */
    bool last_words;

    enum hf_restart restart;
    uint64_t backoff_ns, backoff_max_ns; /* 0 = 100 ms, 60 s */
    uint32_t restart_max;                /* 0 = 5 */
    uint64_t restart_within_ns;          /* 0 = 60 s */

    /* Patterns (name.h) of whom it may message and of which classes it may spawn; NULL at the end;
     * may be NULL. Copied. */
    const char *const *grants, *const *spawns;

    /* Told of each instance when it is gone; may be NULL. It may not call the kernel. */
    void (*ended)(void *ctx, const struct hf_ended *e);
    void *ended_ctx;
    /* As of hf_class_settings (kernel.h): told once, when the class was closed and no process, name
     * or request of it is left. NULL: the class lives as long as the kernel. (A class with new
     * settings cannot be made `unnamed` beside it: both would want the same names.) */
    void (*gone)(void *ctx, const struct hf_class_stats *last);
    void *gone_ctx;
};
/* HF_INVALID: no class name, taken, a bad pattern; HF_UNSUPPORTED; HF_LIMIT. Closing, freeing,
 * statistics: as for any class (kernel.h). */
enum hf_err hf_named_class_add(struct hf_kernel *k, const char *name,
                               const struct hf_named_settings *s, struct hf_class **ret,
                               struct hf_report *report);

/* ---- by name, between steps (not from a behaviour) ----
 * HF_NOT_FOUND: there is no such process now. */
/* In order: it handles what is in hand, says its last words, goes; whoever waits in its mailbox is
 * told `dead`. */
enum hf_err hf_named_stop(struct hf_kernel *k, struct hf_view name);
/* Now, without its doing; not restarted. `why` is copied and goes into `dead`. */
enum hf_err hf_named_kill(struct hf_kernel *k, struct hf_view name, struct hf_view why);
/* It does not run until resume; messages wait, timeouts go on. */
enum hf_err hf_named_suspend(struct hf_kernel *k, struct hf_view name);
enum hf_err hf_named_resume(struct hf_kernel *k, struct hf_view name);
/* Makes it when it is not there, as the first message would. HF_LIMIT, HF_NOT_FOUND, HF_INVALID. */
enum hf_err hf_named_wake(struct hf_kernel *k, struct hf_view name, struct hf_report *report);
/* One process as text: mailbox, duties, pending, capabilities, watches, last failure. */
enum hf_err hf_named_inspect(const struct hf_kernel *k, struct hf_view name, struct hf_buf *ret);
/* Every named process in the order of their making; evicted ones may come last. */
struct hf_named_info {
    struct hf_view name, group;
    uint64_t process; /* instance, 0: none now (waits for its restart, or is evicted) */
    uint32_t shard, mailbox, pending, tokens, restarts;
    uint32_t mailbox_max, capabilities, watches, timers;
    struct hf_view
        last_failure; /* why its last instance ended otherwise than in order; may be empty */
    /* Static: "new", "starting", "idle", "busy", "suspended", "parked", "restarting", "leaving",
     * "evicted", "reviving". */
    const char *state;
    struct hf_view stays; /* why it could not be evicted when that was tried last; or empty */
};
/* One of them, with the blobs it can name; views are lent until the next step. HF_NOT_FOUND. */
enum hf_err hf_named_look(const struct hf_kernel *k, struct hf_view name, struct hf_named_info *ret,
                          uint64_t *blobs);
void hf_named_each(const struct hf_kernel *k,
                   void (*each)(void *ctx, const struct hf_named_info *i), void *ctx);
uint32_t hf_named_count(const struct hf_kernel *k);

/* What became of messages of named processes since the kernel was made. */
struct hf_message_stats {
    uint64_t sent, tells, delivered, responses, forwards, deferred;
    uint64_t errors[16];    /* by enum hf_answer_kind, those told to an origin */
    uint64_t late;          /* answers that nobody waited for any more: dropped */
    uint64_t refused_tells; /* full mailbox, no such process */
    uint64_t notices, parked, spawned, restarts, given_up, deaths;
};
void hf_message_get_stats(const struct hf_kernel *k, struct hf_message_stats *ret);

#endif
