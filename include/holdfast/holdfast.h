/* holdfast.h - the public C API of libholdfast: open a node, add services, listen, run, close.
 *
 * Everything hangs off a node, so several nodes fit in one process. No function here installs a signal handler; threads are
 * started only for workers beyond the first (and one ticker that interrupts guests that compute too long). Strings are
 * UTF-8 and borrowed for the call unless said otherwise. Errors: a status, and words in the caller's hf_words.
 *
 * Version 1. Structs begin with `size`, filled by their *_init: a library newer than its caller reads what is there.
 */
#ifndef HOLDFAST_H
#define HOLDFAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HF_API __attribute__((visibility("default")))
#define HF_API_VERSION 1

/* What a call came to. The CLI's exit codes are these numbers. */
enum hf_status {
    HF_STATUS_OK = 0,
    HF_STATUS_FAILED = 1,      /* the guest trapped, or the work did not succeed */
    HF_STATUS_USAGE = 2,       /* arguments or settings are wrong */
    HF_STATUS_INVALID = 3,     /* the file is not a valid component */
    HF_STATUS_UNSUPPORTED = 4, /* it needs what is missing here: the message names all of it */
    HF_STATUS_LIMIT = 5,       /* a limit was reached */
    HF_STATUS_IO = 6,          /* a file, an address or the cache could not be used */
    HF_STATUS_TIMEOUT = 7
};

/* Words for people, several lines at most; always NUL-terminated. */
struct hf_words {
    char text[4096];
};

HF_API const char *hf_version(void); /* "0.1.0"; a constant */

/* ---- a node ---------------------------------------------------------------------------------------------- */

struct hf_node; /* opaque; used from the thread that opened it, but for hf_node_stop */

enum hf_log_format { HF_LOG_TEXT = 0, HF_LOG_JSON = 1 };

struct hf_node_options {
    size_t size;
    const char *cache_dir;      /* compiled code; NULL: $HF_CACHE, $XDG_CACHE_HOME/holdfast or ~/.cache/holdfast, below it "code" */
    bool no_cache;
    uint32_t workers;           /* threads that serve; 0 = one a core */
    uint32_t instances_max;     /* all core instances of the node; 0 = 1000 */
    enum hf_log_format log;     /* to standard error */
    bool quiet;                 /* no access log and no notices; guest output and errors stay */
    bool debug;                 /* answers say which instance made them: header holdfast-instance */
    bool progress;              /* compiling shows progress on standard error when it is a terminal */
    uint32_t connections_max;   /* each worker; 0 = 20000 */
    uint64_t head_max, body_max; /* bytes; 0 = 32 KiB and no limit */
    uint64_t head_timeout_ns, idle_timeout_ns, body_timeout_ns; /* 0 = 10 s, 75 s, 30 s */
    uint64_t drain_ns;          /* how long a stop waits for what is in hand; 0 = 10 s */
    uint32_t outbound_max;      /* connections of guests' HTTP requests to one host and port, each worker and service; 0 = 64 */
};
HF_API void hf_node_options_init(struct hf_node_options *o);
/* *ret is NULL on failure. */
HF_API enum hf_status hf_node_open(const struct hf_node_options *o, struct hf_node **ret, struct hf_words *msg);
HF_API void hf_node_close(struct hf_node *node); /* after hf_node_run has returned; NULL is fine */

enum hf_instances { HF_INSTANCES_REUSE = 0, HF_INSTANCES_PER_REQUEST = 1 };

struct hf_service_options {
    size_t size;
    const char *name;            /* NULL: the file's name without its ending */
    const char *path;            /* the component's file */
    enum hf_instances instances; /* keep an instance between requests, or a fresh one each time */
    uint32_t max;                /* instances at most, over all workers; 0 = 64 a worker */
    uint32_t queue_max;          /* requests that may wait for an instance, each worker; 0 = 1024 */
    uint64_t queue_timeout_ns;   /* then 503; 0 = the request timeout */
    uint64_t request_timeout_ns; /* whole request, then 504 and the instance ends; 0 = 30 s */
    uint64_t max_requests, idle_timeout_ns, max_age_ns; /* when an instance retires; 0 = never */
    uint64_t memory_max;         /* bytes a linear memory may grow to; 0 = 4 GiB */
    const char *const *env;      /* "K=V", NULL at the end; may be NULL */
    const char *const *args;     /* the same, for wasi:cli/environment.get-arguments */
    const char *host, *prefix;   /* route; NULL: any host, "/" */
    const char *const *net;      /* network rules as of --net (doc/network.md), NULL at the end; may be NULL: no network */
    const char *const *outbound; /* where its HTTP requests may go, as of --allow-outbound, NULL at the end; may be NULL. What
                                    `net` grants for TCP is granted too */
    const char *tls_ca;          /* PEM file of more roots for its https requests; may be NULL */
};
HF_API void hf_service_options_init(struct hf_service_options *o);
/* Loads, compiles (or finds it in the cache), checks, and starts one instance to see that it starts. */
HF_API enum hf_status hf_node_add_service(struct hf_node *node, const struct hf_service_options *o, struct hf_words *msg);

/* "127.0.0.1:8080", "[::1]:0". bound (may be NULL) gets the address with its port. After the services, before run. */
HF_API enum hf_status hf_node_listen(struct hf_node *node, const char *addr, char bound[128], struct hf_words *msg);
/* Serves until hf_node_stop; drains; returns. OK: everything in hand was finished. TIMEOUT: the drain deadline cut it short. */
HF_API enum hf_status hf_node_run(struct hf_node *node, struct hf_words *msg);
/* Any thread, and async-signal-safe. The second call ends without waiting. */
HF_API void hf_node_stop(struct hf_node *node);

/* ---- without serving ------------------------------------------------------------------------------------- */

/* What a component imports and exports, whether it can run here. *text (malloc'd, free() it) is WIT-like or JSON. OK: it can
 * run here; UNSUPPORTED: something is missing (text is filled all the same, msg lists it). */
HF_API enum hf_status hf_inspect(struct hf_node *node, const char *path, bool json, char **text, struct hf_words *msg);
/* Calls an exported function: "name" or "interface#name", arguments in WAVE syntax. *text (free() it) is the result. */
HF_API enum hf_status hf_invoke(struct hf_node *node, const struct hf_service_options *o, const char *name,
                                const char *const *args, size_t n_args, char **text, struct hf_words *msg);

#ifdef __cplusplus
}
#endif
#endif
