/* inside.h - what the files of the admin door share. Not for other rooms.
 *
 *   admin.c      the behaviour: authorise, find, read the body, answer
 *   endpoints.c  the table of endpoints, and those that look or change
 *   keys.c       /v1/kv
 *   follow.c     /v1/logs
 *   processes.c  /v1/processes
 *   json.c       what is shown, as JSON          metrics.c  as Prometheus text
 */
#ifndef HF_CONSOLE_INSIDE_H
#define HF_CONSOLE_INSIDE_H

#include "base/head.h"
#include "console/admin.h"
#include "console/target.h"
#include "kernel/blob.h"
#include "kernel/turn.h"

struct hf_admin {
    struct hf_admin_settings s; /* defaults filled in */
    const struct hf_admin_ops *ops;
    struct hf_wait news; /* of the log */
    uint32_t uploads, followers;
    bool closing;
};

struct hf_admin_call;
typedef enum hf_end (*hf_admin_step)(struct hf_admin_call *c, struct hf_turn *turn);

struct hf_endpoint {
    const char *method;
    const char *path;  /* "/v1/services/NAME": segments in capitals are any text */
    hf_admin_step run; /* with the body read, if there is one */
    /* OWN: it reads the body itself, as it comes */
    enum { HF_BODY_NO, HF_BODY_VALUE, HF_BODY_UPLOAD, HF_BODY_OWN } body;
    const char *about; /* for the list at "/" */
};
extern const struct hf_endpoint hf_endpoints[];
extern const size_t hf_n_endpoints;

struct hf_admin_call { /* an instance; everything but entry is of the request in hand */
    const struct hf_admin_entry *entry;
    struct hf_admin *admin;
    const struct hf_endpoint *endpoint;
    struct hf_admin_target target;
    hf_admin_step next; /* what goes on when what it waits for is there */
    struct hf_waiter waiter, room, also;
    /* the body, while it comes */
    struct hf_blob_reader in;
    struct hf_buf body;
    uint64_t body_max;
    bool uploads, follows; /* counted in the admin */
    /* a task, or an operation on a bucket */
    bool has_task, has_op, has_post;
    struct hf_admin_task task;
    struct hf_admin_post post;
    struct hf_blob *sent;           /* its blob, being filled, or NULL */
    struct hf_blob_reader answered; /* the answer's blob */
    uint64_t body_len; /* of what the request brings so much is the message's body; the rest is its
                          blob */
    bool has_blob, answers;
    struct hf_kv_op op;
    struct hf_wait op_done;
    struct hf_kv_bucket *bucket;
    uint32_t pages; /* of a list, looked at so far */
    /* the log, while it is followed */
    struct hf_blob *out;
    uint64_t log_at;
    bool log_json;
    struct hf_view log_service;
};

/* admin.c */
/* Ends the turn with an answer: its body's storage moves. */
enum hf_end hf_admin_answer(struct hf_admin_call *c, struct hf_turn *turn, uint16_t status,
                            const char *type, struct hf_buf *body);
/* {"version":1,"error":words,"status":name of code,"code":code} */
enum hf_end hf_admin_refuse(struct hf_admin_call *c, struct hf_turn *turn, uint16_t status,
                            int code, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* What a task says when it failed. */
enum hf_end hf_admin_refuse_task(struct hf_admin_call *c, struct hf_turn *turn);
/* Begins c->task and goes on with `next` when it is ready. */
enum hf_end hf_admin_begin(struct hf_admin_call *c, struct hf_turn *turn, hf_admin_step next);
/* Waits until `wait` is ready (and `room`, if not NULL, instead), then `next`. */
enum hf_end hf_admin_wait(struct hf_admin_call *c, struct hf_turn *turn, struct hf_wait *wait,
                          struct hf_wait *room, hf_admin_step next);
/* Sends the head of an answer whose body is being filled; the blob's reference moves, its producer
 * stays the caller. */
bool hf_admin_stream(struct hf_turn *turn, const char *type, struct hf_blob *blob);

/* Numbers of enum hf_status (holdfast.h), which this room does not see. */
enum {
    HF_CODE_OK = 0,
    HF_CODE_FAILED = 1,
    HF_CODE_USAGE = 2,
    HF_CODE_LIMIT = 5,
    HF_CODE_IO = 6,
    HF_CODE_TIMEOUT = 7,
    HF_CODE_STOPPED = 8,
    /* why a process gave no answer (doc/admin.md) */
    HF_CODE_NO_SUCH = 10,
    HF_CODE_FULL = 11,
    HF_CODE_DEAD = 12,
    HF_CODE_UNANSWERED = 13
};
const char *hf_admin_code_text(int code);

/* keys.c, follow.c */
enum hf_end hf_admin_kv_get(struct hf_admin_call *c, struct hf_turn *turn);
enum hf_end hf_admin_kv_put(struct hf_admin_call *c, struct hf_turn *turn);
enum hf_end hf_admin_kv_delete(struct hf_admin_call *c, struct hf_turn *turn);
enum hf_end hf_admin_kv_list(struct hf_admin_call *c, struct hf_turn *turn);
enum hf_end hf_admin_logs(struct hf_admin_call *c, struct hf_turn *turn);

/* processes.c */
enum hf_end hf_admin_process(struct hf_admin_call *c, struct hf_turn *turn);
enum hf_end hf_admin_process_kill(struct hf_admin_call *c, struct hf_turn *turn);
enum hf_end hf_admin_process_send(struct hf_admin_call *c, struct hf_turn *turn);
enum hf_end hf_admin_process_call(struct hf_admin_call *c, struct hf_turn *turn);
/* Lets go of what is under way. */
void hf_admin_post_rest(struct hf_admin_call *c);

/* json.c: each appends one object and a line's end. False: no memory. */
struct hf_json_look {
    const struct hf_admin_ops *ops;
    const struct hf_admin_node *node;
    const struct hf_picture *picture;
};
bool hf_json_error(struct hf_buf *ret, int code, struct hf_view words);
bool hf_json_done(struct hf_buf *ret, const char *what, struct hf_view name, struct hf_view words,
                  const uint64_t *number);
bool hf_json_node(struct hf_buf *ret, const struct hf_json_look *look);
bool hf_json_services(struct hf_buf *ret, const struct hf_json_look *look);
bool hf_json_service(struct hf_buf *ret, const struct hf_json_look *look,
                     const struct hf_shot_service *s);
bool hf_json_instances(struct hf_buf *ret, const struct hf_json_look *look, struct hf_view service);
bool hf_json_keys(struct hf_buf *ret, struct hf_view bucket, const struct hf_view *keys, size_t n,
                  struct hf_view prefix, uint64_t cursor);
bool hf_json_process(struct hf_buf *ret, const struct hf_admin_process *p, struct hf_view details);
/* The first line of an answer's bytes. */
bool hf_json_answer(struct hf_buf *ret, const struct hf_admin_post *p);

/* metrics.c */
bool hf_metrics_write(struct hf_buf *ret, const struct hf_json_look *look);

#endif
