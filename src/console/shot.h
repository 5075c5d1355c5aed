/* shot.h - a look at what lives: one shot a worker, taken on its own thread, and the picture that
 * all of them make.
 *
 * A shot is plain values, no pointers into the worker, so it can go to another thread. Times are
 * monotonic ns of the moment it was taken.
 */
#ifndef HF_CONSOLE_SHOT_H
#define HF_CONSOLE_SHOT_H

#include "base/bytes.h"

#define HF_SHOT_NAME_MAX 128u
#define HF_SHOT_ENDS_MAX 16u
#define HF_SHOT_WORDS    256u

struct hf_shot_end {
    const char *why; /* static; NULL: no more */
    uint64_t n;
};
struct hf_shot_service {
    char name[HF_SHOT_NAME_MAX], tenant[HF_SHOT_NAME_MAX];
    char component[80];    /* which one it runs: what the node knows it by; may be empty */
    const char *lifecycle; /* static: "reuse", "per-request", "singleton"; of a class of processes "handler", "runner" */
    bool single_use;       /* each instance takes one request: the component can do no more */
    bool old;              /* replaced: it finishes what it has */
    uint32_t min, max, queue_max;
    uint32_t starting, idle, busy, leaving, spare, queued; /* instances by state; requests that wait */
    uint64_t requests, answered, unanswered, dead, timeouts, refused, cancelled;
    uint64_t started, start_failures, retired, killed, cold, warm;
    uint64_t memory;      /* bytes of its instances' linear memories */
    uint64_t deployed_unix_ms; /* since 1970: when its component was deployed; 0: it was not, it is
                                  what the node was asked to serve */
    struct hf_shot_end ends[HF_SHOT_ENDS_MAX];
    char last_failure[HF_SHOT_WORDS]; /* of a start or a turn; empty: none */
};
struct hf_shot_instance {
    uint64_t id, served, born_ns, memory; /* born_ns 0: not started yet */
    const char *state;                    /* static, as of kernel/kernel.h */
    uint32_t service;                     /* index in the same shot or picture */
    uint32_t worker;
    size_t name_at, name_len;             /* of a process, in `names` of the same; 0 bytes: one of a pool */
};
struct hf_shot_gateway {
    uint64_t accepted, closed, requests, refused_heads, timeouts, aborted, client_gone;
    uint64_t bytes_in, bytes_out, open, busy;
};
struct hf_shot_client {
    uint64_t calls, connects, reused, retried, faults, open, idle, waiting;
};
struct hf_shot_worker {
    uint32_t number;
    uint64_t at_ns; /* when it was taken; 0: never */
    bool silent;    /* it did not answer in time: what it said last stands here */
    bool draining;
    uint64_t processes, blobs, blob_bytes;
    /* Bytes of blobs in memory and in the file; ever written there and read; what failed, and was refused for it. */
    uint64_t blob_kept, blob_in_file, blob_written, blob_read, blob_failures, blob_refused;
    /* Named processes: instances in memory, names whose instance is in the spill file, and its
     * bytes; evictions, revivals, images refused by who has something in hand, failed writes and
     * images, lost ones. */
    uint64_t resident, evicted, spilled_bytes, evictions, revivals, stays, spill_failures, lost;
    struct hf_shot_gateway gateway;
    struct hf_shot_client client;
};
struct hf_shot {
    struct hf_shot_worker worker;
    struct {
        struct hf_shot_service *ptr;
        size_t len, cap;
    } services;
    struct {
        struct hf_shot_instance *ptr;
        size_t len, cap;
    } instances;
    struct hf_buf names; /* of processes, one after the other */
    bool partial; /* memory ran out: something is missing */
};
void hf_shot_done(struct hf_shot *s);  /* frees; zeroes after */
void hf_shot_clear(struct hf_shot *s); /* empty, its storage kept */
/* A new entry, zeroed; NULL: no memory (partial is set). Good until the next. */
struct hf_shot_service *hf_shot_add_service(struct hf_shot *s, const char *name);
/* Adds one of the service added last, and counts its state and memory there. */
void hf_shot_add_instance(struct hf_shot *s, uint64_t id, const char *state, uint64_t born_ns,
                          uint64_t served, uint64_t memory);
/* The one added last is a process of this name. */
void hf_shot_name_instance(struct hf_shot *s, struct hf_view name);
void hf_shot_add_end(struct hf_shot_service *s, const char *why, uint64_t n);

/* All shots together: services of one name are one (their old components count with them, but are
 * not running), in order of name; instances in order of service and id; workers by number. */
struct hf_picture {
    uint64_t now_ns;
    struct {
        struct hf_shot_service *ptr;
        size_t len, cap;
    } services;
    struct {
        struct hf_shot_instance *ptr;
        size_t len, cap;
    } instances;
    struct {
        struct hf_shot_worker *ptr;
        size_t len, cap;
    } workers;
    struct hf_buf names;
    bool partial;
};
enum hf_err hf_picture_add(struct hf_picture *p, const struct hf_shot *shot); /* HF_LIMIT: memory */
void hf_picture_sort(struct hf_picture *p); /* when all are added */
void hf_picture_done(struct hf_picture *p);
const struct hf_shot_service *hf_picture_service(const struct hf_picture *p, struct hf_view name);
/* Says when the service's component was deployed, if `component` is what the shots saw of it. */
void hf_picture_deployed(struct hf_picture *p, struct hf_view name, const char *component,
                         uint64_t unix_ms);

#endif
