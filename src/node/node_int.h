/* node_int.h - the inside of a node: what node.c, worker.c, service.c and offline.c share. */
#ifndef HF_NODE_NODE_INT_H
#define HF_NODE_NODE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "component/component.h"
#include "gateway/gateway.h"
#include "gateway/route.h"
#include "holdfast/holdfast.h"
#include "host/service.h"
#include "kernel/kernel.h"
#include "node/fetch.h"
#include "node/log.h"
#include "os/wake.h"
#include "store/store.h"

#define HF_SERVICES_MAX  64
#define HF_LISTENERS_MAX 16
#define HF_WORKERS_MAX   256
/* Bytes of a body that may wait for its reader, each way: a 1 MiB echo costs a third less than with 64 KiB, and only a body in
 * flight holds them. */
#define HF_BODY_WINDOW (256u * 1024)

struct hf_node_service {
    struct hf_service *svc;
    struct hf_class_settings class_settings; /* behaviour and ctx are filled by each worker */
};

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
    struct hf_os_watch wake_watch;
    struct hf_service_worker *services[HF_SERVICES_MAX];
    struct hf_buf access;
    uint64_t drain_at_ns; /* 0: serving */
    enum hf_status status;
};

struct hf_node {
    struct hf_node_options opt;
    char *cache_dir;
    struct hf_os *os;
    struct hf_log *log;
    struct hf_services host_services;
    struct hf_engine *engine;
    struct hf_registry *registry;
    struct hf_jobs *jobs;
    struct hf_route_table *routes;
    struct hf_node_service services[HF_SERVICES_MAX];
    uint32_t n_services;
    struct hf_os_addr listen[HF_LISTENERS_MAX];
    uint32_t n_listen;
    struct hf_worker *workers;
    uint32_t n_workers;
    _Atomic uint32_t stop; /* how often stop was asked for */
};

/* worker.c */
enum hf_err hf_worker_init(struct hf_worker *w, struct hf_node *node, uint32_t number, struct hf_report *report);
/* In two steps, for what guests have handed to the node's jobs comes home between them. */
void hf_worker_stop(struct hf_worker *w); /* ends its processes */
void hf_worker_done(struct hf_worker *w);
enum hf_err hf_worker_listen(struct hf_worker *w, const struct hf_os_addr *addr, struct hf_os_addr *bound, struct hf_report *report);
void *hf_worker_run(void *worker); /* returns NULL; w->status says how it ended */

/* load.c */
enum hf_err hf_node_load(struct hf_node *node, const char *path, struct hf_component **ret, struct hf_report *report);
enum hf_err hf_file_read(const char *path, struct hf_buf *ret, struct hf_report *report);

/* offline.c: one request to a service on a kernel of its own, on this thread, without a gateway. `each` (may be NULL) sees the
 * started process before it takes the request. */
enum hf_err hf_offline_call(struct hf_node *node, struct hf_service *svc, uint64_t timeout_ns, struct hf_view body,
                            enum hf_err (*started)(void *ctx, void *state, struct hf_report *report), void *ctx,
                            struct hf_answer *answer);

enum hf_status hf_status_of(enum hf_err err);
enum hf_status hf_node_result(enum hf_err err, const struct hf_report *report, struct hf_words *msg);

#endif
