/* support.h - a world for tests of the host room: a real kernel, engine and component, and guests
 * whose code is C.
 *
 * The component exports wasi:http/incoming-handler and does one thing: its `handle` (and its core
 * start function) call `test:script/run`, a host function of this file, which runs the test's
 * script for that request. A script calls the host's functions by name (`CALL`, `TRAPS`) on the
 * guest's fiber, with handles of the guest's own table: it waits, blocks and traps as a guest does,
 * and what it leaves behind is what an instance leaves. Every result is checked against its WIT
 * type.
 *
 * The test itself plays the gateway: posts requests, feeds and reads bodies, turns the clock
 * (os/fake.h).
 *
 * Scripts must not use cmocka's asserts (they would jump off the fiber): CHECK notes the failure
 * and ends the script, and world_run fails the test with it.
 */
#ifndef HF_TESTS_HOST_SUPPORT_H
#define HF_TESTS_HOST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/head.h"
#include "component/canon.h"
#include "host/guest.h"
#include "host/service_int.h"
#include "kernel/kernel.h"
#include "os/fake.h"
#include "os/jobs.h"

#define MS           1000000ull
#define S            1000000000ull
#define MAX_REQUESTS 64

struct shared { /* made once a program: cmocka's group state */
    struct hf_engine *engine;
    struct hf_registry *registry;
    struct hf_component *component;
    struct hf_buf unbound; /* what hf_registry_seal said */
};
int shared_open(void **state);
int shared_close(void **state);

struct guest; /* a script's view of itself */
typedef void (*script_fn)(struct guest *t);

struct req {
    const char *method, *path, *authority, *scheme; /* NULL: GET, /, h, http; "-": none */
    const char *fields;                             /* "a: b\nc: d\n" */
    const char *body;                               /* a whole body */
    bool stream;                                    /* a body that the test feeds (request.in) */
    uint64_t length;                                /* of a stream; 0: unknown */
    uint64_t timeout_ns;
};
struct request {
    uint64_t id;
    script_fn script;
    struct hf_blob *in; /* producer's side; the test's */
    unsigned answers;
    enum hf_answer_kind kind;
    struct hf_buf head_bytes; /* or the text of a failure */
    struct hf_head head;
    struct hf_blob *blob; /* of the answer; NULL once it is read */
    struct hf_blob_reader out;
    struct hf_buf body; /* read so far */
    enum hf_err end;    /* of the body: HF_AGAIN, HF_CLOSED clean, else broken */
    uint64_t process;
    bool raw; /* posted to a process: its answer is its own, not HTTP's */
};

struct world_process { /* a class of named processes (support_process.c) */
    struct hf_service *svc;
    struct hf_service_worker *worker;
    script_fn script;
};

struct world {
    struct shared *shared;
    struct hf_os *os;
    struct hf_services services;
    struct hf_service *svc;
    struct hf_service_worker *worker;
    struct hf_os_poller *poller;
    struct hf_wake *wake;
    struct hf_jobs *jobs;
    struct hf_io io;
    struct hf_os_watch bell;
    struct hf_kernel *k;
    struct hf_class *class;
    struct hf_port port;
    struct request requests[MAX_REQUESTS];
    size_t n_requests;
    struct world_process processes[8];
    size_t n_processes;
    script_fn on_start;     /* run by the core start function, if not NULL */
    struct hf_buf log;      /* "stdout s: text\n" */
    char failure[512];      /* of a CHECK */
    uint32_t kept[16];      /* for scripts: handles from one request to the next */
    unsigned steps, note;   /* note: for scripts */
    struct hf_guest *guest; /* of the last script */
    uint64_t seen[8];       /* for scripts */
};

struct world_settings {
    uint32_t max; /* instances; 0 = 1 */
    enum hf_lifecycle lifecycle;
    uint32_t body_window;
    uint32_t slice_ticks; /* 0 = the engine's; many: a busy machine makes no guest yield */
    const char *const *env, *const *args;
    const int *stdio; /* stdin, stdout, stderr; NULL: the log */
    struct hf_kv *kv;                              /* the test's; NULL: no store */
    const char *const *keyvalue, *const *config;
    script_fn on_start;
    bool real;            /* the world is the system (hf_os_linux), not a fake: world_until waits */
    bool image;           /* PER_REQUEST with an image */
    const struct hf_behaviour *behaviour; /* NULL: the service's; else one that stands before it */
    const char *no_image; /* the same, but it must be refused with these words */
    void (*on_instance)(void *ctx, struct hf_instance *inst); /* hf_service_settings */
    void *on_instance_ctx;
    const char *const *dirs; /* as in hf_service_settings, and the next two */
    uint32_t files_max;
    const struct hf_fs *fs;
    const char *const *rules; /* of the network */
    struct hf_net *net;       /* NULL: the system's */
    const char *const *outbound;        /* where HTTP requests may go */
    const struct hf_fetch_table *fetch; /* who sends them; NULL: nobody */
    bool trace_off;                     /* as in hf_service_settings */
};
void world_signals(void); /* once after the first engine was made, outside of a test; each world then minds them itself */
void world_open(struct world *w, void **state);
void world_open_with(struct world *w, void **state, const struct world_settings *s);
void world_close(struct world *w); /* nothing may be left */

/* Posts; returns the request's number. */
size_t post(struct world *w, script_fn script);
size_t post_with(struct world *w, script_fn script, const struct req *r);
void world_run(struct world *w); /* until nothing is runnable; CHECKs that failed fail the test */
void world_pass(struct world *w, uint64_t ns); /* time goes on, then run */
/* Runs, waiting for descriptors, timers and jobs (real threads in either world), until request i is answered; 20 s at most. */
void world_until(struct world *w, size_t i);
/* Runs one request on a world of its own and wants it to end without a failure of the guest. */
void run_script(void **state, script_fn script);
/* The same, but the guest must end with this text. */
void run_dies(void **state, script_fn script, const char *text);

void feed(struct world *w, size_t i, const char *text); /* bytes of the request's body, then run */
void feed_end(struct world *w, size_t i);               /* finish, then run */
void feed_fail(struct world *w, size_t i, enum hf_err err);
/* Reads at most `max` bytes of what is there of the answer's body, then runs. */
const char *take(struct world *w, size_t i, size_t max);
const char *take_all(struct world *w,
                     size_t i);        /* until the body has ended or nothing comes any more */
void leave(struct world *w, size_t i); /* the client is gone: its answer's body, its request */
unsigned status(const struct world *w,
                size_t i); /* of the answer; 0 when it failed or there is none */
const char *field(const struct world *w, size_t i, const char *name); /* or NULL; static storage */
void expect_dead(const struct world *w, size_t i, const char *text);
size_t handles(const struct world *w); /* live handles of the guest that ran last */
size_t objects(const struct world *w); /* live host objects of it */

/* ---- for scripts ---- */
struct guest {
    struct world *w;
    struct hf_guest *g;
    struct hf_call *call;
    struct request *r;     /* NULL in a start */
    enum hf_err err;       /* of the last call, when it failed: end the script */
    uint32_t request, out; /* the handles handle() was given */
};
/* Calls a host function: "fields.append", "poll", "monotonic-clock#now" (the interface where the
 * name is not enough), "wasi:keyvalue/store@0.2.0-draft#open" (its whole name), "[constructor]fields". Arguments and results are values of value.h, but handles are numbers
 * (.u64). NULL: it did not return HF_OK (t->err). Results live until the script ends. */
struct hf_value *guest_call(struct guest *t, const char *name, const struct hf_value *args,
                            size_t n);
void guest_drop(struct guest *t, uint32_t handle); /* as resource.drop; t->err */
/* The last call must have trapped with this in its text; the guest then goes on all the same. */
bool guest_trapped(struct guest *t, const char *text);
void guest_failed(struct guest *t, const char *file, int line, const char *what);
/* The handle's object, to look into. */
void *guest_obj(struct guest *t, uint32_t handle);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            guest_failed(t, __FILE__, __LINE__, #cond);                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define CHECK_INT(a, b)                                                                            \
    do {                                                                                           \
        unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b);             \
        if (a_ != b_) {                                                                            \
            char text_[160];                                                                       \
            snprintf(text_, sizeof text_, "%s is %llu, not %llu", #a, a_, b_);                     \
            guest_failed(t, __FILE__, __LINE__, text_);                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define ARGS(...)                                                                                  \
    (struct hf_value[]){{.u64 = 0}, ##__VA_ARGS__} + 1,                                            \
        sizeof((struct hf_value[]){{.u64 = 0}, ##__VA_ARGS__}) / sizeof(struct hf_value) - 1
/* `struct hf_value *r = ...`, or the script ends. */
#define CALL(var, name, ...)                                                                       \
    struct hf_value *var = guest_call(t, name, ARGS(__VA_ARGS__));                                 \
    if (var == NULL)                                                                               \
        return;                                                                                    \
    (void)var
#define DO(name, ...)                                                                              \
    do {                                                                                           \
        if (guest_call(t, name, ARGS(__VA_ARGS__)) == NULL)                                        \
            return;                                                                                \
    } while (0)
#define TRAPS(text, name, ...)                                                                     \
    do {                                                                                           \
        struct hf_value *r_ = guest_call(t, name, ARGS(__VA_ARGS__));                              \
        if (r_ != NULL || !guest_trapped(t, text)) {                                               \
            guest_failed(t, __FILE__, __LINE__, name " must trap with: " text);                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define DROP(h)                                                                                    \
    do {                                                                                           \
        guest_drop(t, h);                                                                          \
        if (t->err != HF_OK)                                                                       \
            return;                                                                                \
    } while (0)
#define DROP_TRAPS(text, h)                                                                        \
    do {                                                                                           \
        guest_drop(t, h);                                                                          \
        if (!guest_trapped(t, text)) {                                                             \
            guest_failed(t, __FILE__, __LINE__, "the drop must trap with: " text);                 \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static inline struct hf_value U(uint64_t n) {
    return hf_value_u64(n);
} static inline struct hf_value H(uint32_t handle) {
    return hf_value_u64(handle);
} static inline struct hf_value T(const char *text) {
    return hf_value_bytes(hf_view_of(text));
} static inline struct hf_value LIST(struct hf_value *items, size_t n) {
    return (struct hf_value){.items = items, .len = (uint32_t)n};
} static inline struct hf_value CASE(uint32_t tag, struct hf_value *payload) {
    return hf_value_case(tag, payload);
} static inline bool is_text(const struct hf_value *v, const char *text)
{
    return hf_view_eq_text(hf_value_view(v), text);
}
enum { STREAM_FAILED = 0, STREAM_CLOSED = 1 };
/* result<_, stream-error>: err(closed)? */
static inline bool is_closed(const struct hf_value *r)
{
    return r->tag == 1 && r->items[0].tag == STREAM_CLOSED;
}
static inline bool is_failed(const struct hf_value *r)
{
    return r->tag == 1 && r->items[0].tag == STREAM_FAILED;
}

/* ---- common deeds of scripts; each returns 0 when the script must end ---- */
uint32_t new_fields(struct guest *t, const char *text); /* "a: b\n..." */
uint32_t new_response(struct guest *t, const char *fields);
bool set_response(struct guest *t,
                  uint32_t response); /* response-outparam.set(out, ok(response)) */
/* Response with these fields, its body and its stream; sent when `send`. */
struct reply {
    uint32_t response, body, stream;
};
bool open_reply(struct guest *t, const char *fields, bool send, struct reply *ret);
bool finish(struct guest *t,
            struct reply
                *reply); /* drops the stream, finishes; false: the script ends or it was an error */
bool answer(struct guest *t, const char *text);        /* a whole small answer */
uint32_t body_stream(struct guest *t, uint32_t *body); /* the request's body and its stream */
uint32_t subscribe_ns(struct guest *t, uint64_t ns);

#endif
