/* ops.h - how the console reaches the node: a table that the node fills.
 *
 * Everything is called on the console's thread and returns at once. What takes time is a task:
 * begun, and ready later; the console waits for it as for anything else. A task that is not waited
 * for any more is ended early: what it began may still happen.
 */
#ifndef HF_CONSOLE_OPS_H
#define HF_CONSOLE_OPS_H

#include "base/kv.h"
#include "console/log_ring.h"
#include "console/meter.h"
#include "console/shot.h"
#include "kernel/port.h"
#include "kernel/wait.h"

enum hf_admin_kind {
    HF_ADMIN_LOOK,     /* -> picture, taken after begin */
    HF_ADMIN_RELOAD,   /* read the manifest again, change what differs */
    HF_ADMIN_DEPLOY,   /* service `name` gets the component in `bytes` */
    HF_ADMIN_ROLLBACK, /* service `name` gets back what it had */
    HF_ADMIN_KILL,     /* instance `id`, or all of service `name` -> number */
    HF_ADMIN_STOP,     /* as a SIGTERM */
    HF_ADMIN_PROCESS,  /* process.name -> process */
    HF_ADMIN_END       /* process.name is killed, and not restarted */
};

/* One process (kernel/named.h). Times are monotonic ns. */
struct hf_admin_process {
    char name[256], state[16];
    uint64_t instance, served, born_ns, now_ns; /* instance 0: none now */
    uint64_t mailbox, mailbox_max, pending, tokens, capabilities, watches, timers, restarts;
    uint64_t blobs, memory; /* that it can name; bytes of its linear memories */
    uint32_t worker;
    char last_failure[HF_SHOT_WORDS]; /* empty: none */
};

struct hf_admin_task {
    /* ---- filled by who begins ---- */
    enum hf_admin_kind kind;
    char name[HF_SHOT_NAME_MAX];
    uint64_t id;
    struct hf_buf bytes; /* moved by begin */

    /* ---- what came of it, when `ready` is ---- */
    struct hf_wait ready;
    uint16_t http;      /* 200, or how the HTTP answer says that it failed */
    int code;           /* enum hf_status of holdfast.h */
    struct hf_buf text; /* words for people, also with success; may be empty */
    uint64_t number;
    const struct hf_picture *picture; /* LOOK; lent until the end */
    struct hf_admin_process process;  /* PROCESS; `text` then has its details, a line each. Its name
                                         is filled by who begins */
    void *hold;                       /* the node's */
};

/* A message to a process, from whoever holds the door. */
struct hf_admin_post {
    /* ---- filled by who begins ---- */
    struct hf_view to, metadata; /* copied by begin */
    struct hf_buf body;          /* moved by begin */
    struct hf_blob *blob;        /* moved; may be NULL, may still be arriving */
    bool tell;                   /* no answer is wanted: ready when it is in the mailbox */
    uint64_t timeout_ns;         /* 0 = the class's */

    /* ---- what came of it, when `ready` is ---- */
    struct hf_wait ready;
    enum hf_answer_kind kind; /* OK, or why there is none: `answer` has words then */
    struct hf_buf answer, answer_metadata;
    struct hf_blob *answer_blob; /* may be NULL, may still be arriving */
    void *hold;                  /* the node's */
};

struct hf_admin_node {                         /* as of now; texts are lent for the call's answer */
    const char *version, *manifest, *data_dir; /* the latter two may be NULL */
    uint64_t now_ns, start_wall_ns, uptime_ns; /* now_ns is monotonic */
    uint32_t pid, workers;
    uint64_t cpu_ns, rss_bytes, open_files;
    bool stopping, log_json;
};

struct hf_admin_ops {
    void *ctx;
    void (*node)(void *ctx, struct hf_admin_node *ret);
    void (*begin)(void *ctx,
                  struct hf_admin_task *task);          /* task->ready is initialised, not ready */
    void (*end)(void *ctx, struct hf_admin_task *task); /* gives back what it holds */
    /* The same for a message: post->ready is initialised, not ready. */
    void (*post)(void *ctx, struct hf_admin_post *post);
    void (*post_end)(void *ctx,
                     struct hf_admin_post *post); /* not wanted any more, if it is not ready */
    /* What workers count; NULL: there is no such worker. */
    const struct hf_meter *(*meter)(void *ctx, uint32_t worker);
    /* This thread's door to the store of buckets; NULL: none. */
    struct hf_kv *kv;
    /* A bucket that a service was granted. Else the report says what it has (HF_NOT_FOUND). An
     * empty service: the only one there is. */
    enum hf_err (*bucket)(void *ctx, struct hf_view service, struct hf_view name,
                          struct hf_kv_bucket **ret, struct hf_report *report);
    struct hf_log_ring *logs;
};

#endif
