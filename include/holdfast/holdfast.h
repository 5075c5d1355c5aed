/* holdfast.h - the public C API of libholdfast: open a node, add services, listen, run, close.
 *
 * Everything hangs off a node, so several nodes fit in one process. Of signals only the engine's faults are touched: SIGSEGV,
 * SIGILL, SIGFPE and SIGBUS get a handler with the first node, which takes those of guests and hands on all others to the one
 * before. Threads are started only for workers beyond the first, for jobs that block, for the log, for compiling, and as a ticker
 * that interrupts guests which compute too long (hf_node_options.no_threads; doc/embedding.md). Strings are UTF-8 and borrowed for the call unless said otherwise. Errors: a status, and words in the
 * caller's hf_words.
 *
 * Version 1. Structs begin with `size`, filled by their *_init: a library newer than its caller reads what is there, an older one
 * refuses (USAGE). New members come last.
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

/* What a call came to. The CLI's exit codes are these numbers, but for exec's (holdfast exec --help). */
enum hf_status {
    HF_STATUS_OK = 0,
    HF_STATUS_FAILED = 1,      /* the guest trapped, or the work did not succeed */
    HF_STATUS_USAGE = 2,       /* arguments or settings are wrong */
    HF_STATUS_INVALID = 3,     /* the file is not a valid component */
    HF_STATUS_UNSUPPORTED = 4, /* it needs what is missing here: the message names all of it */
    HF_STATUS_LIMIT = 5,       /* a limit was reached */
    HF_STATUS_IO = 6,          /* a file, an address or the cache could not be used */
    HF_STATUS_TIMEOUT = 7,
    HF_STATUS_STOPPED = 8      /* hf_node_stop was called before it was done */
};

/* Words for people, several lines at most; always NUL-terminated. */
struct hf_words {
    char text[4096];
};

/* Bytes that are lent; ptr may be NULL when len is 0. */
struct hf_bytes {
    const void *ptr;
    size_t len;
};

HF_API const char *hf_version(void); /* "0.1.0"; a constant */

/* ---- a node ---------------------------------------------------------------------------------------------- */

struct hf_node; /* opaque; used from the thread that opened it, but for hf_node_stop and what changes services */

enum hf_log_format { HF_LOG_TEXT = 0, HF_LOG_JSON = 1 };
/* OWN: our line; COMMON: the "common log format"; COMBINED: with referer and user agent. */
enum hf_access_format { HF_ACCESS_OWN = 0, HF_ACCESS_COMMON = 1, HF_ACCESS_COMBINED = 2 };

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
    uint64_t keyvalue_value_max, keyvalue_keys_max, keyvalue_bytes_max; /* of a value; of each bucket. 0 = 1 MiB, 1 million, 256 MiB */
    uint32_t outbound_max;      /* connections of guests' HTTP requests to one host and port, each worker and service; 0 = 64 */
    const char *data_dir;       /* key-value buckets are kept here, in holdfast.db, by one node at a time; made if it is not there.
                                 * NULL: in memory, gone when the node is closed */
    const char *manifest;       /* what a reload by the admin door reads; NULL: it refuses */
    const char *admin_token;    /* asked for on the admin door's HOST:PORT; on its Unix socket the file's mode decides */
    enum hf_access_format access; /* of the access log, when `log` is text; COMBINED adds its two fields to JSON too */
    const char *guest_tool;     /* the program holdfast-guest, which makes components of core modules for hf_exec; NULL: those are
                                 * refused */
    /* Of the component store in data_dir, which has what was deployed: components, and bytes of all of them. What nothing uses leaves,
     * oldest first. 0 = 100 and 1 GiB */
    uint32_t components_max;
    uint64_t components_bytes_max;
    bool no_trace; /* trace context and request ids are neither taken in nor made: what a client sends is a header like any other */
    /* No thread is started for serving: one worker, no ticker (so a guest that computes without end holds everything up, whatever
     * its limits of time say), compiling and writing the log on the caller's thread. Jobs that block still have theirs, and
     * data_dir and the admin door one each, when they are asked for (doc/embedding.md). */
    bool no_threads;
    /* Of named processes (doc/processes.md, "Eviction"): instances in memory, past which those that were idle for longest are put
     * into a file; 0 = a sixteenth of instances_max. Names, those included; 0 = 1 million. Bytes of that file; 0 = 4 GiB. It has
     * no name, and lies in data_dir, or else in $TMPDIR or /tmp. All for the whole node. */
    uint32_t resident_max, names_max;
    uint64_t spill_max;
    /* Of blobs, HTTP bodies among them (doc/processes.md, "Blobs past a bound"): their bytes in memory, past which those that have
     * lain longest are put into another such file; 0 = 256 MiB. Bytes of one blob, after which it gives way first; 0 = 8 MiB.
     * Bytes of that file; 0 = 16 GiB. The first and the last for the whole node. */
    uint64_t blob_memory_max, blob_resident_max, blob_file_max;
};
HF_API void hf_node_options_init_size(struct hf_node_options *o, size_t size);
static inline void hf_node_options_init(struct hf_node_options *o) /* here, so that it fills what the caller has */
{
    hf_node_options_init_size(o, sizeof *o);
}
/* *ret is NULL on failure. */
HF_API enum hf_status hf_node_open(const struct hf_node_options *o, struct hf_node **ret, struct hf_words *msg);
HF_API void hf_node_close(struct hf_node *node); /* after hf_node_run has returned; NULL is fine */

/* REUSE: an instance serves one request after another. PER_REQUEST: each request sees one as fresh as after its start.
 * SINGLETON: one instance in the whole node takes all requests, one after another; when it ends, another is started. */
enum hf_instances { HF_INSTANCES_REUSE = 0, HF_INSTANCES_PER_REQUEST = 1, HF_INSTANCES_SINGLETON = 2 };

/* Where requests come in for a service. */
struct hf_route {
    const char *host;   /* NULL: any; "example.org", or "*.example.org" for any below */
    const char *path;   /* prefix of whole segments; NULL: "/" */
    const char *method; /* NULL: any */
};

/* What a component is served as. SERVICE: wasi:http. HANDLER and RUNNER: a class of named processes that send each other
 * messages (doc/processes.md), made at the first message to a name, `CLASS` or `CLASS/KEY`; HANDLER is called once a message,
 * RUNNER takes them itself. */
enum hf_kind { HF_KIND_SERVICE = 0, HF_KIND_HANDLER = 1, HF_KIND_RUNNER = 2 };
enum hf_restarts { HF_RESTARTS_NEVER = 0, HF_RESTARTS_ALWAYS = 1, HF_RESTARTS_SOME = 2 };
struct hf_process_options {
    const char *const *sends;  /* whom it may message: names, or beginnings of names followed by "*"; NULL at the end */
    const char *const *spawns; /* classes that it may spawn, patterns too */
    enum hf_restarts restart;  /* when one fails: never; always, with back-off; or at most restart_max in restart_within_ns */
    uint32_t restart_max;      /* 0 = 5 */
    uint64_t restart_within_ns, backoff_ns, backoff_max_ns; /* 0 = 60 s, 100 ms, 60 s */
    uint32_t processes_max;    /* of this class; 0 = 10000. Each worker has its share, rounded up */
    uint32_t mailbox_max;      /* requests that wait, each; 0 = 1024 */
    uint64_t turn_timeout_ns;  /* a message that takes longer fails the process; 0 = never */
    bool spawned;              /* only another process makes one */
    bool trap_links;           /* hears of the death of a linked process instead of dying with it */
    uint32_t resident_max;     /* of this class in memory, a HANDLER's; 0 = as many as the node has */
    /* Instances started ahead, when a worker has nothing else to do, for names to come; each worker has its share, rounded up.
     * 0 = none */
    uint32_t warm;
};

struct hf_service_options {
    size_t size;
    const char *name;            /* NULL: the file's name without its ending */
    const char *path;            /* the component's file */
    enum hf_instances instances;
    uint32_t max;                /* instances at most, over all workers; 0 = 64 a worker */
    uint32_t queue_max;          /* requests that may wait for an instance, each worker; 0 = 1024 */
    uint64_t queue_timeout_ns;   /* then 503; 0 = the request timeout */
    uint64_t request_timeout_ns; /* whole request, then 504 and the instance ends; 0 = 30 s */
    uint64_t max_requests, idle_timeout_ns, max_age_ns; /* when an instance retires; 0 = never */
    uint64_t memory_max;         /* bytes a linear memory may grow to; 0 = 4 GiB */
    const char *const *env;      /* "K=V", NULL at the end; may be NULL */
    const char *const *args;     /* the same, for wasi:cli/environment.get-arguments */
    const char *host, *prefix;   /* route; NULL: any host, "/" */
    const char *const *keyvalue; /* buckets of wasi:keyvalue it may open: "NAME" or "NAME:ro". Each service has its own,
                                  * shared by its instances and workers, kept where hf_node_options.data_dir says;
                                  * "tenant:NAME" is its tenant's, shared by the services of that tenant that are granted it */
    const char *const *config;   /* "K=V" for wasi:config */
    uint32_t min;          /* instances kept ready, over all workers; 0 = 1 a worker */
    uint32_t handles_max;  /* resources an instance may hold; 0 = 100000 */
    uint64_t slice_ns;     /* a guest that computes makes way for others after so long (whole ms); 0 = 10 ms */
    uint64_t after_timeout_ns; /* from the answer's head on: its body and work after it; 0 = what is left of the request's */
    /* Folders for wasi:filesystem: "HOST::GUEST", or "HOST::GUEST:ro" if nothing in it may be changed; "HOST" alone has the same
     * name inside. NULL at the end; may be NULL: none. Opened when the service is made. A process whose file size is limited
     * (RLIMIT_FSIZE) should ignore SIGXFSZ: a guest that writes past it is then told so. */
    const char *const *dirs;
    uint32_t files_max; /* open files and folders of one instance; 0 = 1024 */
    const char *const *net;      /* network rules as of --net (doc/network.md), NULL at the end; may be NULL: no network */
    const char *const *outbound; /* where its HTTP requests may go, as of --allow-outbound, NULL at the end; may be NULL. What
                                    `net` grants for TCP is granted too */
    const char *tls_ca;          /* PEM file of more roots for its https requests; may be NULL */
    const struct hf_route *routes; /* instead of host and prefix; may be NULL */
    size_t n_routes;
    const char *tenant; /* a label that counters and limits are summed by, and whose buckets may be shared; NULL: "default" */
    uint64_t body_max;  /* bytes of a request's body, then 413; 0 = hf_node_options.body_max */
    /* What its instances may print, a second and worker, twice that at once; more is dropped, counted and said once a second.
     * 0 = 1000 lines and 1 MiB; UINT64_MAX = no limit. hf_invoke and hf_exec: no limit. */
    uint64_t log_lines_max, log_bytes_max;
    bool no_trace; /* its HTTP requests carry no traceparent but what it sets itself (doc/logs.md) */
    const char *sha256; /* 64 hexadecimal digits: what the file must hash to, else INVALID; NULL: not compared */
    /* A class of processes; its name is the class's. A route leads to the process that has that very name. What is of a pool of
     * instances must be 0 then (instances, min, max, queue_max, queue_timeout_ns, after_timeout_ns, max_requests, max_age_ns); a
     * RUNNER has no idle_timeout_ns and no turn_timeout_ns. Changing or removing one needs a restart of the node. */
    enum hf_kind kind;
    const struct hf_process_options *process; /* of a HANDLER or RUNNER; NULL: it may message and spawn nobody */
};
HF_API void hf_service_options_init_size(struct hf_service_options *o, size_t size);
static inline void hf_service_options_init(struct hf_service_options *o)
{
    hf_service_options_init_size(o, sizeof *o);
}
/* Loads, compiles (or finds it in the cache), checks, and starts one instance to see that it starts. A change as hf_node_apply's:
 * any thread, also while the node runs. */
HF_API enum hf_status hf_node_add_service(struct hf_node *node, const struct hf_service_options *o, struct hf_words *msg);

/* "127.0.0.1:8080", "[::1]:0". bound (may be NULL) gets the address with its port. After the services, before run. */
HF_API enum hf_status hf_node_listen(struct hf_node *node, const char *addr, char bound[128], struct hf_words *msg);
/* Serves until hf_node_stop; drains; returns. OK: everything in hand was finished. TIMEOUT: the drain deadline cut it short. */
HF_API enum hf_status hf_node_run(struct hf_node *node, struct hf_words *msg);
/* Instead of hf_node_run, in a loop of the caller's, on one thread: *fd is readable when there is something to do, timers
 * included; it stays the node's. The first of either call begins to serve. Workers beyond the first run on threads of their
 * own (hf_node_options.workers = 1: none do). */
HF_API enum hf_status hf_node_fd(struct hf_node *node, int *fd, struct hf_words *msg);
/* Does what there is to do without waiting, for max_ns at most and a guest's slice (0: one turn of the loop). OK: it goes on, and
 * the descriptor says when. STOPPED: hf_node_stop was called, and everything in hand was finished; TIMEOUT: it was cut short.
 * USAGE: from inside a callback of this node, or it runs on another thread. A change of its services by the same thread turns
 * the loop meanwhile. */
HF_API enum hf_status hf_node_step(struct hf_node *node, uint64_t max_ns, struct hf_words *msg);
/* Any thread, and async-signal-safe. The second call ends without waiting. hf_exec and hf_invoke end too (STOPPED), and the
 * node runs nothing any more. */
HF_API void hf_node_stop(struct hf_node *node);

/* ---- changing what is served ------------------------------------------------------------------------------ */

/* From here on the node serves these services and no others. Those whose options and component's bytes are as before stay as
 * they are; others are loaded, checked and started first, take over, and what they replace is drained. On any failure nothing
 * has changed. Any thread, also while the node runs; one change at a time (a second caller waits). */
HF_API enum hf_status hf_node_apply(struct hf_node *node, const struct hf_service_options *services, size_t n, struct hf_words *msg);
/* Service `name` gets another component: these bytes (copied), all else as before. The same promises as hf_node_apply. The
 * component that it had is kept for hf_node_rollback, which puts it back (and itself can be undone by another). A later
 * hf_node_apply with the same options as before keeps what was deployed, and with a data_dir so does a later node: as long as
 * `path` has the bytes that it had at the deploy. OK: msg says what serves and for how long. IO may also mean that it serves and
 * will not after a restart; msg says so then. */
HF_API enum hf_status hf_node_deploy(struct hf_node *node, const char *name, const void *bytes, size_t len, struct hf_words *msg);
HF_API enum hf_status hf_node_rollback(struct hf_node *node, const char *name, struct hf_words *msg);

/* ---- a manifest: holdfast.toml (doc/manifest.md) ----------------------------------------------------------- */

struct hf_manifest;
/* `path` is the file, or the folder that has holdfast.toml. Reads and checks it, not the components it names. *ret is NULL on
 * failure; msg then says file, line and column of every mistake. INVALID: a mistake in it; IO: it could not be read. */
HF_API enum hf_status hf_manifest_read(const char *path, struct hf_manifest **ret, struct hf_words *msg);
HF_API void hf_manifest_free(struct hf_manifest *m);
/* What it says, lent until it is freed: options that the caller may change before hf_node_open. */
HF_API struct hf_node_options *hf_manifest_node(struct hf_manifest *m);
HF_API const struct hf_service_options *hf_manifest_services(const struct hf_manifest *m, size_t *n);
HF_API const char *const *hf_manifest_listeners(const struct hf_manifest *m, size_t *n);
/* Addresses for hf_node_listen_admin; none when it says so. The folder of a socket that was not named is .holdfast beside the
 * manifest, where data_dir is too: whoever runs the node makes it. */
HF_API const char *const *hf_manifest_admin(const struct hf_manifest *m, size_t *n);
/* All keys, from the table that reads them: a JSON schema, and the tables of doc/manifest.md. free() it; NULL: out of memory. */
HF_API char *hf_manifest_schema(void);
HF_API char *hf_manifest_keys(void);
/* Reads the manifest again and applies its services: what a SIGHUP means. Listeners and node options do not change in a running
 * node: that they differ is said in msg with OK. Any thread. */
HF_API enum hf_status hf_node_reload(struct hf_node *node, const char *path, struct hf_words *msg);

/* ---- the component store: components by what is in them, in a data folder (doc/change.md) --------------------- */

/* What lies in data folder `dir`, which a node may run on meanwhile. A name is "sha256:" and 64 hexadecimal digits, what the
 * component's bytes hash to: a manifest may say component = "sha256:...". */
struct hf_stored_component {
    const char *name;
    uint64_t bytes;
    uint64_t added_unix_ms; /* put there, by a deploy or by hand, the last time */
    const char *used_by;    /* "web, api": services that run it or would roll back to it; "": none */
};
/* Copies the component in `path` there, durably; `name` gets its name. INVALID: it is none. `dir` is made if it is not there. */
HF_API enum hf_status hf_components_add(const char *dir, const char *path, char name[80], struct hf_words *msg);
/* `name` may be cut to 8 digits or more if it is still one component's, and leave out "sha256:". USAGE: there is none such, or a
 * service uses it. */
HF_API enum hf_status hf_components_remove(const char *dir, const char *name, struct hf_words *msg);
/* All of them, those added last first; what `each` gets is lent for its call. */
HF_API enum hf_status hf_components_list(const char *dir, void (*each)(void *ctx, const struct hf_stored_component *c), void *ctx,
                                         struct hf_words *msg);

/* ---- the admin door (doc/admin.md) -------------------------------------------------------------------------- */

/* Serves the admin door: "unix:PATH" (made with mode 0600) or a loopback "HOST:PORT", which needs hf_node_options.admin_token.
 * After hf_node_open, before run. */
HF_API enum hf_status hf_node_listen_admin(struct hf_node *node, const char *addr, char bound[128], struct hf_words *msg);
/* One request to the admin door of a running node. addr as above; token may be NULL. `body` may be NULL. *answer (free() it) is
 * the whole answer's body, NUL-terminated, *len its length; *http its status. `each` (may be NULL) gets the body piece by piece
 * as it comes instead, and ends the call by returning false. IO: nobody is there. */
HF_API enum hf_status hf_admin_call(const char *addr, const char *token, const char *method, const char *target, const void *body,
                                    size_t body_len, bool (*each)(void *ctx, const void *bytes, size_t n), void *ctx,
                                    uint32_t *http, char **answer, size_t *len, struct hf_words *msg);

/* ---- messages to processes (doc/processes.md) --------------------------------------------------------------- */

/* What a request came to. */
enum hf_outcome {
    HF_OUTCOME_ANSWERED = 0,
    HF_OUTCOME_TIMEOUT,    /* no answer in time */
    HF_OUTCOME_NO_SUCH,    /* no process has this name, and none is made */
    HF_OUTCOME_FULL,       /* its mailbox, or there are too many processes */
    HF_OUTCOME_DEAD,       /* it died with the request in hand */
    HF_OUTCOME_UNANSWERED, /* it let go of the request */
    HF_OUTCOME_LIMIT,      /* a limit or memory */
    HF_OUTCOME_CANCELLED   /* the node is stopping, or it was cancelled on its way */
};
HF_API const char *hf_outcome_text(enum hf_outcome outcome); /* "answered", "timeout", "no-such-process" ...; a constant */

struct hf_call_options {
    size_t size;
    const char *to; /* "shelf", "cart/42" */
    const void *body;
    size_t body_len;      /* 16 MiB at most */
    const char *metadata; /* NULL: none */
    const void *blob;     /* NULL: none, unless has_blob */
    size_t blob_len;
    bool has_blob;        /* an empty one counts */
    uint64_t timeout_ns;  /* 0 = what the class says */
    uint64_t blob_max;    /* bytes of the answer's blob; 0 = 64 MiB. More is HF_OUTCOME_LIMIT */
};
HF_API void hf_call_options_init_size(struct hf_call_options *o, size_t size);
static inline void hf_call_options_init(struct hf_call_options *o)
{
    hf_call_options_init_size(o, sizeof *o);
}

/* Bytes are lent: for the callback, or until hf_call_answer_free. */
struct hf_call_answer {
    enum hf_outcome outcome;
    const void *body; /* the answer's; of another outcome: words for people, NUL-terminated in any case */
    size_t body_len;
    const char *metadata; /* "": none */
    const void *blob;     /* NULL: none */
    size_t blob_len;
};

/* A request to a process, from whoever has the node: all four from any thread, while the node runs (else USAGE; where that has not
 * begun yet it is waited for, 10 s). Everything in `o` is copied. LIMIT: memory, or more bytes than may be. OK: it is on its way, `done` is called once: on the thread of the
 * worker where the process lives, which it should not hold up; at the latest while the node is closed. */
HF_API enum hf_status hf_node_call_begin(struct hf_node *node, const struct hf_call_options *o,
                                         void (*done)(void *ctx, const struct hf_call_answer *a), void *ctx, struct hf_words *msg);
/* The same, waiting: USAGE in a callback of the node, which would wait for itself; where the caller steps the node this does. OK: *ret is what it came to,
 * whatever that is. STOPPED: the node stopped meanwhile. */
HF_API enum hf_status hf_node_call(struct hf_node *node, const struct hf_call_options *o, struct hf_call_answer **ret,
                                   struct hf_words *msg);
HF_API void hf_call_answer_free(struct hf_call_answer *a); /* of hf_node_call; NULL is fine */
/* A message that wants no answer; waits until it lies in the mailbox, as hf_node_call waits. *outcome (may be NULL) is ANSWERED
 * when it does. */
HF_API enum hf_status hf_node_send(struct hf_node *node, const struct hf_call_options *o, enum hf_outcome *outcome,
                                   struct hf_words *msg);

/* ---- times and sizes as people write them ------------------------------------------------------------------- */

/* "3s", "250ms", "2m", "1.5h", "7d", "500us"; a bare number is seconds. False: it is none, or more than 292 years. */
HF_API bool hf_read_duration(const char *text, uint64_t *ns);
/* "64MiB", "16k" (1024 each), "1GB" (1000 each), "4096". False: it is none, or 2^63 and more. */
HF_API bool hf_read_size(const char *text, uint64_t *bytes);

/* ---- without serving ------------------------------------------------------------------------------------- */

/* What a component imports and exports, whether it can run here. *text (malloc'd, free() it) is WIT-like or JSON. OK: it can
 * run here; UNSUPPORTED: something is missing (text is filled all the same, msg lists it). */
HF_API enum hf_status hf_inspect(struct hf_node *node, const char *path, bool json, char **text, struct hf_words *msg);
/* Calls an exported function: "name" or "interface#name", arguments in WAVE syntax. *text (free() it) is the result. */
HF_API enum hf_status hf_invoke(struct hf_node *node, const struct hf_service_options *o, const char *name,
                                const char *const *args, size_t n_args, char **text, struct hf_words *msg);
/* The same with JSON: each argument a JSON value, the result one ("null" when there is none). How a type is written:
 * records are objects, lists and tuples arrays, a case "name" or {"name": payload}, an option null or its payload (an option
 * of an option: {"some": payload}), a result {"ok": ...} or {"err": ...}, flags an array of names, a char a string, a map an
 * array of pairs; integers have all their digits; "nan", "inf" and "-inf" are floats. */
HF_API enum hf_status hf_invoke_json(struct hf_node *node, const struct hf_service_options *o, const char *name,
                                     const char *const *args, size_t n_args, char **text, struct hf_words *msg);

/* Runs a command: a component that exports wasi:cli/run of any 0.2 version, or a core module of WASI preview 1 with `_start`.
 * Its stdin, stdout and stderr are the descriptors in `fds`: any kind, left open, their flags unchanged; what goes through
 * them is bytes. o->args are all its arguments, args[0] its own name; o->request_timeout_ns 0: no limit. The calling thread
 * runs it. OK: it ended by itself, *exit_code is 0 to 255 (0 and 1 when `run` returned; else what it gave wasi:cli/exit).
 * FAILED: it trapped, msg has the backtrace. UNSUPPORTED: it is no command, or needs what is not here. LIMIT: it got no more
 * memory, or could not be started. TIMEOUT. STOPPED. SIGPIPE must be ignored by the caller: a pipe that nobody reads is then a
 * closed stream for the guest. */
HF_API enum hf_status hf_exec(struct hf_node *node, const struct hf_service_options *o, const int fds[3], int *exit_code, struct hf_words *msg);

#ifdef __cplusplus
}
#endif
#endif
