/* node_int.h - the inside of a node, shared by the files of this folder. */
#ifndef HF_NODE_NODE_INT_H
#define HF_NODE_NODE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "component/component.h"
#include "console/meter.h"
#include "gateway/gateway.h"
#include "gateway/route.h"
#include "holdfast/holdfast.h"
#include "host/service.h"
#include "kernel/blob_spill.h"
#include "kernel/kernel.h"
#include "link/between.h"
#include "link/shards.h"
#include "node/app.h"
#include "node/change.h"
#include "node/ends.h"
#include "node/fetch.h"
#include "node/import.h"
#include "node/keep.h"
#include "node/log.h"
#include "node/native.h"
#include "node/options.h"
#include "node/post.h"
#include "node/share.h"
#include "node/spill.h"
#include "os/wake.h"
#include "store/kv.h"
#include "store/store.h"

#define HF_LISTENERS_MAX 16
#define HF_WORKERS_MAX   256
/* Bytes of a body that may wait for its reader, each way: a 1 MiB echo costs a third less than with 64 KiB, and only a body in
 * flight holds them. */
#define HF_BODY_WINDOW (256u * 1024)

#define HF_KEYVALUE_VALUE_MAX (64u << 20) /* half of what one call may hold */

struct hf_worker {
    struct hf_node *node;
    uint32_t number;
    pthread_t thread;
    bool has_thread;
    struct hf_kernel *kernel;
    struct hf_gateway *gateway;
    struct hf_client *client; /* requests of its guests */
    struct hf_fetch_table fetch;
    struct hf_store_backend *store;
    struct hf_os_poller *poller;
    struct hf_wake *wake;
    struct hf_io io;
    struct hf_between *between;
    struct hf_desk desk; /* post.h: messages from outside */
    struct hf_shards *shards; /* named processes of others; NULL: there is one worker */
    struct hf_spill_file *spill; /* evicted processes */
    struct hf_spill_file *blob_file; /* bytes of blobs past the bound */
    struct hf_os_watch wake_watch;
    /* share.h: what it serves */
    struct hf_list shares, totals; /* hf_share, hf_total: in_worker */
    struct hf_map names;           /* of the totals */
    struct hf_worker_app *app, *next_app; /* the second: of a change that is being prepared */
    struct hf_change_step *change;        /* waits for what is being prepared; NULL: nothing is */
    struct hf_buf access; /* lines of the access log, put out when there are many or it sleeps */
    struct hf_log_clock clock;
    struct hf_meter meter; /* what requests came to; read by others */
    uint64_t drain_at_ns; /* 0: serving */
    bool at_rest;         /* draining, and nothing of its own is left to do */
    bool closed;          /* and no other worker's: its instances leave */
    bool idle;            /* nothing is left to do before something comes or it is time */
    _Atomic pthread_t turning; /* whose turn is under way, 0: none; for hf_node_inside */
    bool rests;           /* between steps, and whoever posts rings (hf_worker_rest) */
    bool ended;           /* its kernel is gone */
    enum hf_status status;
};

enum hf_run { HF_RUN_NOT_YET, HF_RUN_RUNNING, HF_RUN_OVER };

struct hf_node {
    struct hf_node_options opt;
    struct hf_manifest *manifest; /* what opt.manifest said at the start; NULL: there was none that could be read */
    char *cache_dir;
    char *guest_tool; /* may be NULL */
    struct hf_os *os;
    struct hf_log *log;
    struct hf_services host_services;
    struct hf_kv *kv;  /* one for all workers, or */
    bool kv_durable;   /* the first door of one that each thread has its own door to */
    struct hf_engine *engine;
    struct hf_registry *registry;
    struct hf_jobs *jobs;
    struct hf_wake *wake; /* of the call that runs without a worker (offline.c) */
    /* What is served. Changed by one thread at a time, who may take long: it has change_lock. */
    pthread_mutex_t change_lock;
    struct hf_app *app;  /* NULL: nothing was added yet */
    uint64_t generation; /* of the service made last */
    struct hf_keep *keep; /* what of that outlives the node, under change_lock; NULL: nothing does */
    pthread_mutex_t run_lock; /* held for a moment: `run`, and what workers report to who leads a change */
    pthread_cond_t run_changed;
    enum hf_run run;
    struct hf_os_addr listen[HF_LISTENERS_MAX];
    uint32_t n_listen;
    struct hf_worker *workers;
    uint32_t n_workers;
    struct hf_imported *imports; /* own imports; the registry points at them */
    _Atomic bool linked;      /* a component was linked with the registry: no more imports */
    struct hf_shard_table shard_table; /* which worker has which processes */
    struct hf_shards **shards;         /* of the workers, by number */
    struct hf_list natives;   /* hf_native: classes of native processes */
    struct hf_door *door;     /* the admin door (admin.h), or NULL */
    pthread_t runner;         /* the first worker's thread, from hf_node_begin on */
    bool steps;               /* ... and its caller turns it; set with run */
    int timer_fd;             /* step.c; -1: none */
    enum hf_status steps_end;
    struct hf_os_watch timer_watch;
    _Atomic uint32_t stop;    /* how often stop was asked for */
    _Atomic uint32_t at_rest; /* workers that have nothing of their own left to do */
};

/* A worker's part of what is bounded for the whole node: names, and so what is had for them, are spread evenly. 0 stays 0. */
static inline uint64_t hf_node_part(const struct hf_node *node, uint64_t whole)
{
    return whole / node->opt.workers + (whole % node->opt.workers != 0);
}

/* node.c: a thread's door to the durable store, into io->kv; NULL stays when the store is in memory. hf_kv_close takes it back:
 * before the last letters of io->wake are delivered. */
enum hf_err hf_node_kv_door(struct hf_node *node, struct hf_io *io);

/* node.c: a run in parts. begin: from here on it runs, all but the first worker on threads of their own (on failure it has
 * ended again). finish: when the first worker has ended: waits for the others; OK or TIMEOUT. over: the last words. */
enum hf_err hf_node_begin(struct hf_node *node, bool steps, struct hf_report *report);
enum hf_status hf_node_finish(struct hf_node *node);
enum hf_status hf_node_over(struct hf_node *node, enum hf_status status, struct hf_words *msg);

/* step.c: is this thread in a turn of one of its workers? Then it cannot wait for them. */
bool hf_node_inside(const struct hf_node *node);
/* Is this the thread whose steps are the first worker's loop? Then it must turn that itself while it waits. The node runs. */
bool hf_node_steps_here(const struct hf_node *node);
/* A turn of such a run, as hf_worker_turn. False: it has ended as node->steps_end says. */
bool hf_node_turn(struct hf_node *node, uint64_t wait_until);
/* A run by steps that was not stepped to its end, ended now. */
void hf_node_abandon(struct hf_node *node);

/* worker.c */
enum hf_err hf_worker_init(struct hf_worker *w, struct hf_node *node, uint32_t number, struct hf_report *report);
/* In steps, each for all workers: what one has given to the node's jobs or to another worker comes home between them. No loop
 * runs any more. */
void hf_worker_stop(struct hf_worker *w);  /* nothing goes over to others from here on */
void hf_worker_end(struct hf_worker *w);   /* ends its processes */
void hf_worker_settle(struct hf_worker *w); /* takes the letters that are left */
void hf_worker_done(struct hf_worker *w);
enum hf_err hf_worker_listen(struct hf_worker *w, const struct hf_os_addr *addr, struct hf_os_addr *bound, struct hf_report *report);
/* One turn of its loop; when nothing is to be done it waits before, until `wait_until` at most (monotonic; 0: not at all).
 * False: it has ended, and w->status says how. */
bool hf_worker_turn(struct hf_worker *w, uint64_t wait_until);
/* Between turns of a loop that is not ours: when the next turn is due (0: now) unless its poller has something before; from
 * here to the next turn who posts a letter makes it have something. */
uint64_t hf_worker_rest(struct hf_worker *w);
void *hf_worker_run(void *worker); /* turns to the end; returns NULL */

/* load.c */
/* `adapt`: a core module that is a WASI preview 1 command is taken too. */
enum hf_err hf_node_load(struct hf_node *node, const char *path, bool adapt, struct hf_component **ret, struct hf_report *report);
/* `what` it is, for messages. */
enum hf_err hf_node_load_bytes(struct hf_node *node, const char *what, struct hf_view bytes, struct hf_component **ret,
                               struct hf_report *report);
enum hf_err hf_file_read(const char *path, struct hf_buf *ret, struct hf_report *report);

/* adapt.c */
bool hf_node_is_core(struct hf_view bytes); /* begins like a core module */
/* *bytes, a core module, become the component made of it. HF_UNSUPPORTED: it is no command of WASI preview 1. */
enum hf_err hf_node_adapt(struct hf_node *node, struct hf_buf *bytes, struct hf_report *report);

/* offline.c: one request to a service on a kernel of its own, on this thread, without a gateway. `each` (may be NULL) sees the
 * started process before it takes the request. With a body (a call) on the thread that has the node:
 * HF_CANCELLED when hf_node_stop was called first. */
enum hf_err hf_offline_call(struct hf_node *node, struct hf_service *svc, uint64_t timeout_ns, struct hf_view body,
                            enum hf_err (*started)(void *ctx, void *state, struct hf_report *report), void *ctx,
                            struct hf_answer *answer);

/* services.c: a service of a component, in no table. `change` (may be NULL) completes the settings. *argument (false before):
 * what is invalid is an option of the caller's (a folder, a variable), not the file. */
enum hf_err hf_node_service_of(struct hf_node *node, const struct hf_service_options *o, struct hf_component *component,
                               void (*change)(void *ctx, struct hf_service_settings *s), void *ctx, struct hf_service **ret,
                               bool *argument, struct hf_report *report);
/* The same, loading the component first; `adapt` as of hf_node_load. */
enum hf_err hf_node_make_service(struct hf_node *node, const struct hf_service_options *o,
                                 bool adapt, void (*change)(void *ctx, struct hf_service_settings *s), void *ctx,
                                 struct hf_service **ret, bool *argument, struct hf_report *report);

/* hf_node_apply for who holds change_lock. */
enum hf_status hf_node_apply_locked(struct hf_node *node, const struct hf_service_options *services, size_t n, struct hf_words *msg);

/* template.c: one instance is started to look at; with want_image its image becomes the service's (where none is possible that
 * is said in the log, and is no error). */
enum hf_err hf_template_try(struct hf_node *node, struct hf_service *svc, bool want_image, uint64_t timeout_ns,
                            struct hf_report *report);
void hf_template_single_use(void *app_service, struct hf_service *svc, struct hf_io *io); /* hf_service_settings.single_use */

enum hf_status hf_status_of(enum hf_err err);
enum hf_status hf_node_result(enum hf_err err, const struct hf_report *report, struct hf_words *msg);

#endif
