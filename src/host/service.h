/* service.h - a wasi:http component as a class of processes: settings, image, and the behaviour the kernel runs.
 *
 * A service is made once, shared by the workers and read-only after; each worker has a hf_service_worker, which is the
 * class context of its kernel. The lifecycle is stated (design lifecycle.md): REUSE keeps an instance between requests,
 * PER_REQUEST puts it back to the image taken after initialisation (or makes a new one where no image is possible).
 */
#ifndef HF_HOST_SERVICE_H
#define HF_HOST_SERVICE_H

#include "component/call.h"
#include "host/io.h"
#include "host/services.h"
#include "kernel/behaviour.h"

enum hf_lifecycle { HF_LIFE_REUSE, HF_LIFE_PER_REQUEST };

/* Everything the host offers, read from the embedded WIT and bound: shared by all services of a node. */
enum hf_err hf_host_registry(struct hf_registry **ret, struct hf_report *report);

struct hf_service_settings {
    const char *name;
    struct hf_component *component; /* a reference is taken */
    const struct hf_services *services;
    enum hf_lifecycle lifecycle;
    const char *const *env; /* "K=V", ends with NULL; may be NULL */
    const char *const *args; /* ends with NULL; may be NULL */
    uint64_t memory_max;    /* bytes per linear memory; 0 = the engine's */
    uint32_t handles_max;   /* 0 = default */
    uint64_t reset_pages_max; /* a reset that must copy more takes a new instance; 0 = 4096 */
    bool invoke;            /* not a service: messages call any export by name (invoke.c) */
    uint32_t body_window;   /* bytes of an answer's body that may wait for the client; 0 = 64 KiB */
    const char *const *outbound; /* where HTTP requests may go (outbound.h), ends with NULL; may be NULL. What `net` lets it
                                    connect to is granted too */
    const char *tls_ca;     /* a file of more roots for https; may be NULL */
    struct hf_tls_context *tls; /* instead of the system's roots and tls_ca: for tests; a reference is taken */
    const char *const *net; /* network rules (net_rules.h), ends with NULL; may be NULL: nothing is granted */
};
struct hf_service;
/* HF_UNSUPPORTED: the component does not export wasi:http/incoming-handler (the report says what it does export). */
enum hf_err hf_service_new(const struct hf_service_settings *s, struct hf_service **ret, struct hf_report *report);
void hf_service_free(struct hf_service *svc);
const char *hf_service_name(const struct hf_service *svc);
/* Image for PER_REQUEST: `state` is a process state of this service's behaviour, just started, that never serves. Fine to
 * skip (then every request gets a new instance); the report says why none is possible. */
enum hf_err hf_service_take_image(struct hf_service *svc, void *state, struct hf_report *report);
bool hf_service_has_image(const struct hf_service *svc);

struct hf_service_worker;
/* `io` is the thread's, and outlives it. */
enum hf_err hf_service_worker_new(struct hf_service *svc, struct hf_io *io, struct hf_service_worker **ret,
                                  struct hf_report *report);
void hf_service_worker_free(struct hf_service_worker *w);

/* Class context: a struct hf_service_worker. */
extern const struct hf_behaviour hf_service_behaviour;

/* Why instances were not put back, counted per worker (read by any thread). */
struct hf_service_counts {
    uint64_t resets, reset_grown, reset_dirty, reset_handles, reset_other, pages_copied;
    uint64_t traps, exits, no_answer;
};
void hf_service_worker_counts(const struct hf_service_worker *w, struct hf_service_counts *ret);

#endif
