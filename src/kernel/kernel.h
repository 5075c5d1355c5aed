/* kernel.h - making a kernel and saying what may live in it: classes of processes.
 *
 * A class is a behaviour with limits. A request to a class's name goes to one of its instances: the
 * most recently used idle one, else a new one while there are fewer than `max`, else it waits in
 * the class's queue. An instance handles one message at a time, from start of turn to its end.
 *
 * Classes come and go while requests pass: a new one is made `unnamed` beside the one it replaces,
 * warmed, and then takes the name; the old one is closed, serves what it had accepted, and is gone.
 * (Named processes and requests between them: named.h, message.h.)
 */
#ifndef HF_KERNEL_KERNEL_H
#define HF_KERNEL_KERNEL_H

#include "kernel/behaviour.h"
#include "kernel/port.h"

struct hf_kernel_settings {
    uint32_t processes_max; /* 0 = 10000 */
    uint32_t requests_max;  /* in queues and in hand, 0 = 100000 */
    uint64_t id_base;   /* first id of requests and of instances (0 = 1): worker number in the high
                         * bits, so that ids are unique in a node */
    uint64_t hash_seed; /* random, since strangers may choose names of processes */
    uint32_t names_max; /* of named processes, evicted ones included; 0 = processes_max */
    /* Named processes in memory; past it the least recently used are evicted (spill.h). What is
     * busy or cannot be evicted may be more; processes_max bounds that. 0 = processes_max. */
    uint32_t resident_max;
};
enum hf_err hf_kernel_new(const struct hf_kernel_settings *s, struct hf_kernel **ret);
/* Kills what lives; pending requests get CANCELLED answers first. NULL is fine. */
void hf_kernel_free(struct hf_kernel *k);

struct hf_ended { /* an instance that is gone */
    uint64_t process, served, born_ns, now_ns;
    /* Static text. In order: "max-requests", "max-age", "idle", "single-use", "closed", or what
     * hf_turn_retire was given. Else: "failed", "deadline", "start-failed", "start-deadline",
     * "leave-deadline", "killed" (the kernel is freed). */
    const char *why;
    bool in_order;
};

struct hf_class;
struct hf_class_stats;
struct hf_class_settings {
    const struct hf_behaviour *behaviour;
    void *ctx;          /* given to behaviour->start */
    uint32_t min, max;  /* instances kept warm / at most; max 0 = 1 */
    uint32_t queue_max; /* waiting requests; 0 = 1024 */
    /* Wait in the queue at most (a start that is made for it is no queue); then FULL. 0 = the
     * request's own timeout. */
    uint64_t queue_timeout_ns;
    uint64_t request_timeout_ns; /* default deadline of a request; 0 = 30 s */
    /* For an instance that has answered and goes on (its answer's body, work after it): so long
     * from the answer. 0 = what is left of the request's time. Not for recorded classes. */
    uint64_t after_timeout_ns;
    uint64_t start_timeout_ns;            /* a start that takes longer is cancelled; 0 = 30 s */
    uint64_t leave_timeout_ns;            /* for behaviour->leave; 0 = 5 s */
    uint64_t max_requests;                /* an instance retires after so many; 0 = never */
    uint64_t max_age_ns, idle_timeout_ns; /* 0 = never */
    /* Told of each instance when it is gone; may be NULL. It may not call the kernel. */
    void (*ended)(void *ctx, const struct hf_ended *e);
    void *ended_ctx;
    bool recorded; /* effects wait for hf_kernel_acked */
    bool unnamed;  /* nobody reaches it by its name before hf_class_take_name */
    bool held; /* no instance starts before hf_class_release: what is posted waits in the queue */
    /* Told once with its last counts, when the class was closed and no instance and no request is
     * left: it is gone then, and behaviour and ctx are their owner's again. From inside a step,
     * where it may say hf_class_release of another class and nothing else, or hf_kernel_free. NULL:
     * the class lives as long as the kernel. */
    void (*gone)(void *ctx, const struct hf_class_stats *last);
    void *gone_ctx;
};
/* HF_INVALID: no name, a name that is taken (unless `unnamed`), min > max; HF_LIMIT: memory, or
 * 4096 classes. Behaviour and ctx live until it is gone. */
enum hf_err hf_class_add(struct hf_kernel *k, const char *name, const struct hf_class_settings *s,
                         struct hf_class **ret, struct hf_report *report);
/* Starts instances until there are `min` of them (they start as turns of hf_kernel_step), and keeps
 * `min` from then on; after a start that failed not before another one worked, or warm is said
 * again. */
void hf_class_warm(struct hf_class *c);
/* From now on new requests are refused (HF_NOT_FOUND, unless another class has its name); what was
 * accepted is served, then the instances go. With `gone` the class is freed after that: the pointer
 * is good until then. */
void hf_class_close(struct hf_class *c);
/* Requests to its name go to it from now on, and not to the class that had it, which keeps what it
 * has. Never fails. */
void hf_class_take_name(struct hf_class *c);
/* Instances may start. */
void hf_class_release(struct hf_class *c);
/* From now on every new instance serves a single request (a second `handle` failed: lifecycle
 * rule). */
void hf_class_set_single_use(struct hf_class *c);
/* Takes that back: new instances may serve on; those that have served a request still go. */
void hf_class_set_reusable(struct hf_class *c);

/* What requests were told is counted when it is delivered; `refused` also counts posts refused at
 * once, which are not in `requests`. `killed`: ended in the middle of a turn. */
struct hf_class_stats {
    uint64_t requests, answered, unanswered, dead, timeouts, refused, cancelled;
    uint64_t started, start_failures, retired, killed;
    uint64_t cold; /* requests that had to wait for an instance to start */
    uint64_t warm; /* named processes that took an instance which was ready */
    uint32_t instances, idle, queued, spares;
    bool single_use; /* each instance serves one request */
};
void hf_class_get_stats(const struct hf_class *c, struct hf_class_stats *ret);
/* Why the last start or turn failed, cut to 1 KiB; empty: none did. For a warm start, which nobody
 * waits for, this is the only place that says it. Lent until the next step. */
struct hf_view hf_class_last_failure(const struct hf_class *c);

/* Instances there are, those that start or leave included, and evicted ones of closed classes: 0
 * when every class is closed and all is done. */
uint32_t hf_kernel_processes(const struct hf_kernel *k);
/* True when no request is in hand or queued and no answer is undelivered (drain is over). */
bool hf_kernel_idle(const struct hf_kernel *k);
/* The instances of a class, those that start or leave included, in the order they were made. `each`
 * changes nothing; the view lives during its call. */
struct hf_instance_view {
    uint64_t process, served;
    uint64_t born_ns;    /* 0: not started yet */
    struct hf_view name; /* of a named process; empty: one of a pool */
    const char *phase;   /* static: "new", "starting", "idle", "assigned", "busy", "leaving", "spare" (hf_named_settings.warm) */
    const struct hf_behaviour *behaviour;
    const void *state; /* the behaviour's; NULL before its start */
};
void hf_class_visit(const struct hf_class *c,
                    void (*each)(void *ctx, const struct hf_instance_view *i), void *ctx);
/* Ends an instance with the next step, whatever it does: who waits for its answer is told `dead`
 * and that somebody outside wanted it; `why` (static) is its end's in hf_ended. For a named process
 * that is a death like any other: its class says whether it is made again (hf_named_kill ends it
 * for good). Not from inside a behaviour. False: there is no such instance, or it is ending
 * already. */
bool hf_kernel_kill(struct hf_kernel *k, uint64_t process, const char *why);
/* Everything as text, for people and tests: processes, states, queues, timers. */
void hf_kernel_inspect(const struct hf_kernel *k, struct hf_buf *ret);

#endif
