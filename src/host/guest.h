/* guest.h - one guest instance and its objects: what every host_*.c of the room shares. Internal to the room.
 *
 * hf_call_ctx(call) is the hf_guest. Host objects (pollables, streams, requests ...) begin with a hf_obj; the guest's
 * handle table (component/canon.h) owns them, so type and lifetime checks are done there; here are parents and children.
 */
#ifndef HF_HOST_GUEST_H
#define HF_HOST_GUEST_H

#include "component/call.h"
#include "host/service.h"
#include "kernel/turn.h"

struct hf_guest;
struct hf_names;
struct hf_net_rules;
struct hf_tls_context;

/* Freed objects by size class (steps of 64 bytes), and buffers for heads and texts; one pool a worker. Of each class
 * HF_POOL_KEEP are kept, more go back: what one guest once had, up to all its handles, is not the worker's for ever. */
#define HF_POOL_CLASSES 16
#define HF_POOL_KEEP    1024u
#define HF_POOL_BUFS    64u   /* kept at most */
#define HF_POOL_BUF     511u  /* room of a new one */
#define HF_POOL_BUF_MAX 2048u /* larger ones go back to the heap */
struct hf_obj_pool {
    void *free[HF_POOL_CLASSES];
    uint32_t n[HF_POOL_CLASSES];
    uint32_t n_bufs;
    struct hf_buf bufs[HF_POOL_BUFS];
    size_t given; /* bytes that went back since hf_pool_settle last passed them on */
};
/* At the end of a guest: when much went back, the C library is told to pass it on to the system. By itself it would only give
 * what lies behind the last block in use, and some block always lies behind. */
void hf_pool_settle(struct hf_obj_pool *pool);
void hf_pool_done(struct hf_obj_pool *pool);
/* Uninitialised; NULL: memory is out. give takes back what take gave for the same size; p may be NULL. */
void *hf_pool_take(struct hf_obj_pool *pool, size_t size);
void hf_pool_give(struct hf_obj_pool *pool, void *p, size_t size);
/* An empty buffer with room for most heads, if memory is not out. give takes any; the caller's is zeroes after. */
struct hf_buf hf_pool_take_buf(struct hf_obj_pool *pool);
void hf_pool_give_buf(struct hf_obj_pool *pool, struct hf_buf *buf);

struct hf_obj {
    struct hf_guest *guest;
    struct hf_obj *parent;
    struct hf_list children;  /* of in_parent */
    struct hf_list in_parent;
    uint16_t size;            /* as asked for */
    struct hf_list in_guest;  /* all objects of a guest, for the end and for inspect */
    const char *kind;         /* "pollable", "input-stream" ... for messages */
    void (*destroy)(struct hf_obj *obj); /* frees what it holds; unlinking and memory are hf_obj_release's */
    void (*orphan)(struct hf_obj *obj);  /* its parent went first (instance end only): forget what was the parent's; may be NULL */
};
static inline bool hf_obj_has_children(const struct hf_obj *obj)
{
    return !hf_list_empty(&obj->children);
}
/* Zeroed memory of `size` (>= sizeof(struct hf_obj), which stands first) from the guest's pools; NULL: memory out. Counts
 * as a child of parent (may be NULL). */
void *hf_obj_new(struct hf_guest *g, size_t size, const char *kind, struct hf_obj *parent, void (*destroy)(struct hf_obj *));
/* The `drop` of every host resource: refuses while children live ("cannot drop input-stream 7: its child pollable is
 * alive"), else destroys. call NULL (instance end): children are cut loose (orphan) and go with their own handles. */
enum hf_err hf_obj_drop(struct hf_call *call, void *obj);

/* A case of a result, option or variant with its payload. HF_OK, or the trap of hf_call_limit. */
static inline enum hf_err hf_host_case(struct hf_call *call, uint32_t tag, struct hf_value v, struct hf_value *result)
{
    struct hf_value *p = hf_call_alloc(call, sizeof *p);
    if (p == NULL)
        return hf_call_limit(call, "memory of a call");
    *p = v;
    *result = hf_value_case(tag, p);
    return HF_OK;
}
void hf_obj_cut_children(struct hf_obj *obj); /* instance end only: they live on without their parent */
void hf_obj_release(struct hf_obj *obj); /* no children live; unlinks, destroy(), gives memory back to the pool */

/* ---- pollables (host_poll.c) ---- A pollable is one waiter that stays armed from subscribe to drop. */
struct hf_pollable {
    struct hf_obj obj;
    struct hf_waiter waiter;
    struct hf_timer timer; /* clock pollables only */
    bool has_timer;
    struct hf_out_stream *out; /* made by output-stream.subscribe: its parent, else NULL */
};
/* A pollable on `wait`, child of parent. NULL after hf_call_trap (then return HF_TRAP). */
struct hf_pollable *hf_pollable_new(struct hf_call *call, struct hf_wait *wait, struct hf_obj *parent);
/* Suspends the guest until `wait` is ready. HF_OK, or HF_CANCELLED. Lazy reads are settled first. */
enum hf_err hf_guest_wait(struct hf_call *call, struct hf_wait *wait);

struct hf_out_stream;

/* ---- streams (host_stream.c) ---- */
struct hf_in_stream;
struct hf_in_ops {
    /* Lends what is there (never empty with HF_OK); HF_AGAIN; HF_CLOSED at the end; anything else is a failure, and
     * *error_obj may be set to a new wasi:io error object's payload. */
    enum hf_err (*peek)(struct hf_in_stream *s, struct hf_view *ret);
    void (*advance)(struct hf_in_stream *s, size_t n);
    struct hf_wait *(*wait)(struct hf_in_stream *s);
};
struct hf_in_stream {
    struct hf_obj obj;
    const struct hf_in_ops *ops;
    size_t want;              /* bytes that the next peek can use at most: a hint for sources that must fetch them */
    size_t lazy;              /* bytes lent as a result and not yet passed: settled at the next operation or wait */
    struct hf_list in_lazy;
    bool closed;              /* closed or last-operation-failed was reported: closed for ever after */
};
struct hf_out_ops {
    /* Bytes that may be written now (0: wait); HF_CLOSED; or a failure. */
    enum hf_err (*room)(struct hf_out_stream *s, uint64_t *ret);
    enum hf_err (*write)(struct hf_out_stream *s, struct hf_view bytes);
    /* HF_OK: all is flushed; HF_AGAIN: wait. */
    enum hf_err (*flush)(struct hf_out_stream *s);
    struct hf_wait *(*wait)(struct hf_out_stream *s); /* ready: room would be > 0, or an end or error waits */
    /* When a guest is about to wait for room and nothing else: why that could never end, or NULL. May be NULL. */
    const char *(*stuck)(struct hf_out_stream *s);
};
struct hf_out_stream {
    struct hf_obj obj;
    const struct hf_out_ops *ops;
    uint64_t permit; /* what check-write last gave */
    bool flushing;
    bool closed;     /* as of hf_in_stream */
};
/* wasi:io/error objects. `http` = error-code case + 1 for http-error-code, 0 none; body-size codes carry `size`. `fs`: the same
 * for filesystem-error-code. */
struct hf_io_error {
    struct hf_obj obj;
    enum hf_err err;
    uint32_t http, fs;
    uint64_t size;
    char text[160];
};
struct hf_io_error *hf_io_error_new(struct hf_guest *g, enum hf_err err, uint32_t http, uint64_t size, const char *text);
/* A stream's ops say why the last operation failed by leaving an error here; taken by host_stream.c. */
void hf_guest_set_stream_error(struct hf_guest *g, struct hf_io_error *e);
void hf_guest_settle(struct hf_guest *g); /* all lazy reads are passed */
/* Passes a stream's lazy bytes; every operation on an in-stream starts with it. */
void hf_in_stream_settle(struct hf_in_stream *s);
/* A stream that is at its end at once; one that drops all (filesystem-less hosts, stdin). */
struct hf_in_stream *hf_in_stream_empty(struct hf_guest *g, struct hf_obj *parent);

bool hf_in_stream_is_empty(const struct hf_in_stream *s);
/* Standard output streams (host_cli.c). NULL: memory out. */
struct hf_out_stream *hf_log_stream_new(struct hf_guest *g, enum hf_log_stream which);
bool hf_out_stream_is_log(struct hf_out_stream *s, enum hf_log_stream *which);
/* ---- a command's own descriptors (host_stdio.c), when the settings name them ---- NULL: memory out. */
struct hf_stdio;
struct hf_in_stream *hf_stdio_in(struct hf_guest *g);
struct hf_out_stream *hf_stdio_out(struct hf_guest *g, unsigned which); /* 1 stdout, 2 stderr */
/* What was taken from the guest and could not be written yet. HF_OK: nothing is left (or nobody reads it any more). HF_AGAIN:
 * the turn's waitset wakes when more can be written: call again. */
enum hf_err hf_stdio_finish(struct hf_guest *g);
void hf_stdio_free(struct hf_stdio *io); /* after every stream of it; NULL is fine */

/* ---- the guest ---- */
struct hf_http_state; /* host_http_*.c: the exchange in hand */
struct hf_field_store;
struct hf_mail { /* what holdfast:kernel needs of a guest (kernel_int.h, process.c) */
    struct hf_value *values; /* of the message that `handle` was called with */
    size_t cap;
    struct hf_blob *asked; /* of the last answer that `ask` brought, until it was taken */
    struct hf_buf read;    /* what the last blob.read of bytes that do not lie together gave: lent as its result */
    struct hf_blob_reader lent; /* holds what the last blob.read lent, until the next or an end */
    uint64_t made;         /* bytes of handles of blobs that it made from bytes of its own */
    bool busy;             /* handler or runner is in flight */
    bool stopped;          /* `receive` unwinds a runner that was told to stop: no failure */
};
struct hf_line_buf {  /* stdout or stderr up to the end of a line */
    uint8_t bytes[1024];
    uint32_t len;
    bool cut; /* the line was longer than that: its beginning is in the log */
};
struct hf_guest {
    struct hf_service_worker *worker;
    struct hf_obj_pool *pool;
    struct hf_instance *inst;
    struct hf_turn *turn;         /* set by the behaviour around every entry; same pointer for the process's life */
    struct hf_list objects;       /* hf_obj.in_guest */
    struct hf_list lazy;          /* hf_in_stream.in_lazy */
    struct hf_io_error *stream_error;
    struct hf_line_buf *out, *err; /* NULL: nothing waits for the end of its line */
    uint64_t seed[2];             /* insecure-seed: the same for the life of the instance */
    bool exited;                  /* wasi:cli/exit: unwinding; */
    uint8_t exit_code;
    struct hf_http_state *http;   /* NULL outside a request */
    struct hf_field_store *head;  /* of the request, until all about it is said; NULL outside of one */
    struct hf_view request_id;    /* in it, once it was looked for */
    enum hf_guest_hook { HF_HOOK_NONE, HF_HOOK_INIT, HF_HOOK_SHUTDOWN } hook; /* one that is being called */
    struct hf_guest_net *net;     /* sockets and what names led to (host_net.c); NULL: never asked for */
    bool invoking;                /* a call by hf_invoke_begin is in flight */
    const struct hf_ftype *invoke_type;
    struct hf_arena invoke_arena;
    struct {             /* host_fs*.c */
        uint32_t files;  /* handles of the system that it holds */
        uint8_t *piece;  /* what a file's stream lends; NULL until one is read */
    } fs;
    struct hf_stdio *stdio;       /* NULL: not used yet, or the log */
    struct hf_mail mail;
    bool commanding;              /* wasi:cli/run is in flight, or over but for what is to be written */
    bool command_over;
    enum hf_err command_end;
};
static inline struct hf_guest *hf_guest_of(const struct hf_call *call)
{
    return (struct hf_guest *)hf_call_ctx(call);
}
struct hf_io *hf_guest_io(const struct hf_guest *g); /* of the thread that runs it */
/* Outgoing HTTP (host_http_fetch.c): where it may go, the trust of https (NULL: nothing is granted), names, and
 * whose connections it shares. */
const struct hf_net_rules *hf_guest_http_rules(const struct hf_guest *g);
struct hf_tls_context *hf_guest_http_tls(const struct hf_guest *g);
struct hf_names *hf_guest_names(const struct hf_guest *g);
uint64_t hf_guest_realm(const struct hf_guest *g);
const struct hf_services *hf_guest_services(const struct hf_guest *g);
const struct hf_service_settings *hf_guest_settings(const struct hf_guest *g);

/* ---- lines for the log (guest_log.c) ---- */
void hf_guest_log_write(struct hf_guest *g, enum hf_log_stream which, struct hf_view bytes); /* what it prints */
void hf_guest_log_event(struct hf_guest *g, struct hf_view text); /* one line about it */
void hf_guest_log_flush(struct hf_guest *g); /* an unfinished line goes out */
void hf_guest_log_free(struct hf_guest *g);  /* after it: no buffers are kept */
struct hf_view hf_guest_request_id(struct hf_guest *g); /* of the request in hand; empty: none */

/* ---- each host_*.c binds its interfaces ---- */
enum hf_err hf_host_bind_all(struct hf_registry *reg, struct hf_report *report); /* all of those below, in order (registry.c) */
enum hf_err hf_host_bind_poll(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_streams(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_clocks(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_random(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_cli(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_fs(struct hf_registry *reg, struct hf_report *report);
void hf_fs_guest_done(struct hf_guest *g); /* when no object of it is left */
enum hf_err hf_host_bind_net(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_http(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_kv(struct hf_registry *reg, struct hf_report *report);     /* wasi:keyvalue, both drafts */
enum hf_err hf_host_bind_config(struct hf_registry *reg, struct hf_report *report); /* wasi:config */
enum hf_err hf_host_bind_blobs(struct hf_registry *reg, struct hf_report *report);  /* holdfast:kernel */
enum hf_err hf_host_bind_messages(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_processes(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_process_http(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_images(struct hf_registry *reg, struct hf_report *report); /* after the others */

/* ---- a guest at rest as bytes (guest_image.c) ---- */
/* Appended. HF_INVALID: it is not at rest; HF_UNSUPPORTED: the gate, or a host object it keeps (the report names it). */
enum hf_err hf_guest_save(struct hf_guest *g, struct hf_buf *ret, struct hf_report *report);
/* Into a guest without an instance. HF_CORRUPT, HF_INVALID (another component or engine), HF_UNSUPPORTED, HF_LIMIT. */
enum hf_err hf_guest_load(struct hf_guest *g, struct hf_view bytes, struct hf_report *report);
/* The same for one that is evicted: for this process and service only, and shorter where the service has an image of its start. */
enum hf_err hf_guest_evict(struct hf_guest *g, struct hf_buf *ret, struct hf_report *report);
enum hf_err hf_guest_revive(struct hf_guest *g, struct hf_view bytes, struct hf_report *report);
struct hf_instance_settings hf_guest_instance_settings(struct hf_guest *g);

/* ---- sockets, for the behaviour (host_net.c) ---- */
void hf_guest_net_reset(struct hf_guest *g); /* forgets what names led to */
void hf_guest_net_free(struct hf_guest *g);  /* after its objects */

/* ---- http, for the behaviour (host_http.c) ---- */
/* Makes incoming-request and response-outparam objects for the turn's message (its blob is taken). */
enum hf_err hf_http_begin(struct hf_guest *g, const struct hf_message *msg, void **request, void **outparam,
                          struct hf_report *report);
/* The call is over (returned, exited, trapped or cancelled): `err` HF_OK or what ended it. Unfinished bodies that were
 * answered fail (aborted), no answer at all is refused. */
void hf_http_end(struct hf_guest *g, enum hf_err err);
/* After it, when all lines about the request are written: its head goes. Twice is fine. */
void hf_http_forget(struct hf_guest *g);


/* ---- calling any export (invoke.c) ---- The message's body is the export's name and its arguments as WAVE or JSON texts, each ended
 * by a NUL; the answer's body is the result as text. */
enum hf_err hf_invoke_begin(struct hf_guest *g, const struct hf_message *msg, struct hf_report *report);
enum hf_err hf_invoke_answer(struct hf_guest *g);

/* ---- a process (process.c) ---- */
/* Begins the call that a turn is: handler.handle with the message, or runner.run. HF_LIMIT; or what hf_instance_call says. */
enum hf_err hf_mail_begin(struct hf_guest *g, struct hf_report *report);
void hf_mail_over(struct hf_guest *g); /* the turn, or a request, has ended */
void hf_mail_free(struct hf_guest *g);

/* ---- a command (exec.c) ---- */
enum hf_err hf_exec_begin(struct hf_guest *g, struct hf_report *report);
/* `err` is how the call ended. HF_OK: it is answered with the exit code, one byte, and the process retires. Else it trapped. */
enum hf_err hf_exec_answer(struct hf_guest *g, enum hf_err err);

#endif
