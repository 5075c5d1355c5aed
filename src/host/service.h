/* service.h - a wasi:http component as a class of processes: settings, image, and the behaviour the kernel runs.
 *
 * A service is made once, shared by the workers and read-only after; each worker has a hf_service_worker, which is the
 * class context of its kernel. The lifecycle is stated (design lifecycle.md): REUSE keeps an instance between requests,
 * PER_REQUEST puts it back to the image taken after initialisation (or makes a new one where no image is possible).
 *
 * Hooks: a component may export at its root `init: func() -> result<_, string>`, called once an instance after its start
 * functions and before its first request (an image is taken after it, so a request never pays for it), and `shutdown: func()`,
 * called when an instance retires in order, for 5 s at most. An init that answers an error is a start that failed. Exports of
 * these names with other types are no hooks.
 */
#ifndef HF_HOST_SERVICE_H
#define HF_HOST_SERVICE_H

#include "component/call.h"
#include "host/io.h"
#include "host/services.h"
#include "os/fs.h"
#include "kernel/behaviour.h"

enum hf_lifecycle { HF_LIFE_REUSE, HF_LIFE_PER_REQUEST };

/* Everything the host offers, read from the embedded WIT and bound: shared by all services of a node. */
enum hf_err hf_host_registry(struct hf_registry **ret, struct hf_report *report);

struct hf_service;
struct hf_service_settings {
    const char *name;
    struct hf_component *component; /* a reference is taken */
    const struct hf_services *services;
    enum hf_lifecycle lifecycle;
    const char *const *env; /* "K=V", ends with NULL; may be NULL */
    const char *const *args; /* ends with NULL; may be NULL */
    uint64_t memory_max;    /* bytes per linear memory; 0 = the engine's */
    uint32_t handles_max;   /* 0 = default */
    uint32_t slice_ticks;   /* a guest that computes makes way for others after that many; 0 = the engine's */
    uint64_t reset_pages_max; /* a reset that must copy more takes a new instance; 0 = 4096 */
    /* Said once a service: its component turned out to take one request only, though instances are to be kept. Who is told may
     * take an image (hf_service_take_image) and then say hf_service_reset_from_now_on. Any worker's thread; may be NULL. */
    void (*single_use)(void *ctx, struct hf_service *svc, struct hf_io *io);
    void *single_use_ctx;
    uint64_t realm;         /* its outgoing connections are its own: unique among the services of a client; 0 = its address */
    bool invoke;            /* not a service: messages call any export by name (invoke.c) */
    bool invoke_json;       /* arguments and results of those are JSON, not WAVE */
    bool command;           /* not a service: a message runs wasi:cli/run (exec.c) */
    enum hf_process_shape { HF_PROCESS_NONE, HF_PROCESS_HANDLE, HF_PROCESS_RUN } process; /* not a service: a process
                                          * (wit/kernel-0.1.0.wit); its class is one of kernel/named.h with the same shape */
    const int *stdio;       /* descriptors for stdin, stdout, stderr, the caller's to close; NULL: at its end, and the log */
    uint32_t body_window;   /* bytes of an answer's body that may wait for the client; 0 = 64 KiB */
    const char *const *keyvalue; /* buckets it may open: "NAME" or "NAME:ro", "tenant:" before it for one that its tenant's services
                                  * share; ends with NULL; may be NULL */
    const char *tenant;          /* NULL: "default" */
    const char *const *config; /* "K=V" for wasi:config, each key once; ends with NULL; may be NULL */
    /* Told of each new instance before it starts: the place to set a hook (component/call.h). NULL: nobody. */
    void (*on_instance)(void *ctx, struct hf_instance *inst);
    void *on_instance_ctx;
    const char *const *dirs; /* folders of the system for the guest, "HOST::GUEST[:ro]", or "HOST[:ro]" for one of the same
                              * name; ends with NULL; may be NULL. Opened by hf_service_new. */
    uint32_t files_max;      /* open files and folders of one instance; 0 = 1024 */
    const struct hf_fs *fs;  /* of dirs; NULL: hf_fs_linux() */
    const char *const *outbound; /* where HTTP requests may go (outbound.h), ends with NULL; may be NULL. What `net` lets it
                                    connect to is granted too */
    const char *tls_ca;     /* a file of more roots for https; may be NULL */
    struct hf_tls_context *tls; /* instead of the system's roots and tls_ca: for tests; a reference is taken */
    uint64_t log_lines, log_bytes; /* what its guests may print a second, each worker; as of hf_services.log_open */
    bool trace_off; /* its outgoing requests carry no trace context but what the guest sets itself */
    const char *const *net; /* network rules (net_rules.h), ends with NULL; may be NULL: nothing is granted */
};
/* HF_UNSUPPORTED: the component does not export wasi:http/incoming-handler, or wasi:cli/run for a command (the report says what
 * it does export). */
enum hf_err hf_service_new(const struct hf_service_settings *s, struct hf_service **ret, struct hf_report *report);
void hf_service_free(struct hf_service *svc);
const char *hf_service_name(const struct hf_service *svc);
/* Image for PER_REQUEST: `state` is a process state of this service's behaviour, just started, that never serves. Fine to
 * skip (then every request gets a new instance); the report says why none is possible. */
enum hf_err hf_service_take_image(struct hf_service *svc, void *state, struct hf_report *report);
bool hf_service_has_image(const struct hf_service *svc);
bool hf_service_has_shutdown(const struct hf_service *svc); /* the hook */
/* Instances are put back to the image after each request, whatever the lifecycle. Any thread, after the image is taken. */
void hf_service_reset_from_now_on(struct hf_service *svc);

struct hf_service_worker;
/* `io` is the thread's, and outlives it. */
enum hf_err hf_service_worker_new(struct hf_service *svc, struct hf_io *io, struct hf_service_worker **ret,
                                  struct hf_report *report);
void hf_service_worker_free(struct hf_service_worker *w);

/* Class context: a struct hf_service_worker. */
extern const struct hf_behaviour hf_service_behaviour;

/* Bytes of an instance's linear memories now; `state` is a process state of this behaviour, or NULL. On its worker's thread. */
uint64_t hf_service_state_memory(const void *state);

/* Why instances were not put back, counted per worker (read by any thread). */
struct hf_service_counts {
    uint64_t resets, reset_grown, reset_dirty, reset_handles, reset_other, pages_copied;
    uint64_t traps, exits, no_answer;
};
void hf_service_worker_counts(const struct hf_service_worker *w, struct hf_service_counts *ret);

#endif
