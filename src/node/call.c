/* call.c - the public API for messages to processes: from threads of a program that has the node.
 *
 * Whoever waits does so on the node's run_changed: what it waits for comes, or the run is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/node_int.h"

#define BODY_MAX (16u << 20)
#define BLOB_MAX (64u << 20)
#define RUN_S    10 /* whoever runs the node may be about to */

struct caller {
    struct hf_node *node;
    void (*done)(void *ctx, const struct hf_call_answer *a); /* NULL: somebody waits */
    void *ctx;
    /* who waits; both sides are under run_lock */
    bool over, left;
    struct hf_buf body, metadata, blob; /* with a NUL behind body and metadata */
    struct hf_call_answer answer;
};

void hf_call_options_init_size(struct hf_call_options *o, size_t size)
{
    memset(o, 0, size);
    o->size = size;
}

const char *hf_outcome_text(enum hf_outcome outcome)
{
    static const char *const texts[] = {"answered", "timeout",    "no-such-process", "full",
                                        "dead",     "unanswered", "limit",           "cancelled"};
    return (size_t)outcome < HF_ARRAY_LEN(texts) ? texts[outcome] : "?";
}

static enum hf_outcome outcome_of(enum hf_answer_kind kind)
{
    static const enum hf_outcome all[] = {
        [HF_ANSWER_OK] = HF_OUTCOME_ANSWERED,     [HF_ANSWER_TIMEOUT] = HF_OUTCOME_TIMEOUT,
        [HF_ANSWER_NO_SUCH] = HF_OUTCOME_NO_SUCH, [HF_ANSWER_FULL] = HF_OUTCOME_FULL,
        [HF_ANSWER_DEAD] = HF_OUTCOME_DEAD,       [HF_ANSWER_UNANSWERED] = HF_OUTCOME_UNANSWERED,
        [HF_ANSWER_LIMITED] = HF_OUTCOME_LIMIT,   [HF_ANSWER_CANCELLED] = HF_OUTCOME_CANCELLED,
        [HF_ANSWER_CYCLE] = HF_OUTCOME_CANCELLED,
    };
    return (size_t)kind < HF_ARRAY_LEN(all) ? all[kind] : HF_OUTCOME_CANCELLED;
}

static void caller_free(struct caller *c)
{
    hf_buf_done(&c->body);
    hf_buf_done(&c->metadata);
    hf_buf_done(&c->blob);
    free(c);
}

static void fill(struct caller *c, struct hf_call_result *r)
{
    c->body = r->body;
    hf_buf_init(&r->body);
    c->blob = r->bytes;
    hf_buf_init(&r->bytes);
    c->answer = (struct hf_call_answer){
        .outcome = outcome_of(r->kind), .body_len = c->body.len, .blob_len = c->blob.len};
    if (hf_buf_add_byte(&c->body, 0) != HF_OK ||
        hf_buf_add_view(&c->metadata, r->metadata) != HF_OK ||
        hf_buf_add_byte(&c->metadata, 0) != HF_OK) {
        c->answer =
            (struct hf_call_answer){.outcome = HF_OUTCOME_LIMIT, .body = "", .metadata = ""};
        return;
    }
    c->answer.body = c->body.ptr;
    c->answer.metadata = (const char *)c->metadata.ptr;
    if (r->has_blob)
        c->answer.blob = c->blob.len > 0 ? (const void *)c->blob.ptr : "";
}

/* On the worker's thread. */
static void on_done(void *ctx, struct hf_call_result *r)
{
    struct caller *c = ctx;
    struct hf_node *node = c->node;
    fill(c, r);
    if (c->done != NULL) {
        c->done(c->ctx, &c->answer);
        caller_free(c);
        return;
    }
    pthread_mutex_lock(&node->run_lock);
    bool left = c->left;
    c->over = true;
    pthread_cond_broadcast(&node->run_changed);
    pthread_mutex_unlock(&node->run_lock);
    if (left)
        caller_free(c);
}

static enum hf_status refuse(struct hf_words *msg, enum hf_status st, const char *words)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", words);
    return st;
}

/* The caller's size says which members there are: those of later versions are zero. */
static enum hf_status check(const struct hf_call_options *from, struct hf_call_options *o,
                            struct hf_words *msg)
{
    if (!hf_options_widen(from, from->size, o, sizeof *o))
        return refuse(msg, HF_STATUS_USAGE,
                      "hf_call_options.size is not set: hf_call_options_init does that");
    if (o->to == NULL || o->to[0] == 0)
        return refuse(msg, HF_STATUS_USAGE, "to: say which process, as CLASS or CLASS/KEY");
    if ((o->body == NULL && o->body_len > 0) || (o->blob == NULL && o->blob_len > 0))
        return refuse(msg, HF_STATUS_USAGE, "bytes without a pointer to them");
    if (o->body_len > BODY_MAX)
        return refuse(msg, HF_STATUS_LIMIT, "the body has more than 16 MiB: put it into the blob");
    if (o->blob_max == 0)
        o->blob_max = BLOB_MAX;
    return HF_STATUS_OK;
}

/* Under run_lock. */
static bool runs(struct hf_node *node)
{
    struct timespec until;
    int rc = clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RUN_S;
    while (rc == 0 && node->run == HF_RUN_NOT_YET)
        rc = pthread_cond_timedwait(&node->run_changed, &node->run_lock, &until);
    return node->run == HF_RUN_RUNNING;
}

/* Posts it; *ret is the other side's from then on. */
static enum hf_status begin(struct hf_node *node, const struct hf_call_options *from, bool tell,
                            void (*done)(void *ctx, const struct hf_call_answer *a), void *ctx,
                            struct caller **ret, struct hf_words *msg)
{
    struct hf_call_options o;
    enum hf_status st = check(from, &o, msg);
    if (st != HF_STATUS_OK)
        return st;
    struct caller *c = calloc(1, sizeof *c);
    struct hf_call_request r = {
        .to = hf_view_of(o.to),
        .metadata = o.metadata != NULL ? hf_view_of(o.metadata) : (struct hf_view){0},
        .has_blob = o.blob != NULL || o.has_blob,
        .tell = tell,
        .timeout_ns = o.timeout_ns,
        .bytes_max = o.blob_max,
        .done = on_done,
        .ctx = c,
    };
    enum hf_err err = c == NULL ? HF_LIMIT : HF_OK;
    if (err == HF_OK && o.body_len > 0)
        err = hf_buf_add(&r.body, o.body, o.body_len);
    if (err == HF_OK && o.blob_len > 0)
        err = hf_buf_add(&r.bytes, o.blob, o.blob_len);
    if (err == HF_OK) {
        c->node = node;
        c->done = done;
        c->ctx = ctx;
        *ret = c;
        pthread_mutex_lock(&node->run_lock); /* so long the run does not end */
        if (!runs(node))
            err = HF_CLOSED;
        else if (atomic_load(&node->stop) > 0) /* like a new connection: what was taken is finished */
            err = HF_CANCELLED;
        else
            err = hf_post_outside(node, &r);
        pthread_mutex_unlock(&node->run_lock);
    }
    if (err == HF_OK)
        return HF_STATUS_OK;
    hf_buf_done(&r.body);
    hf_buf_done(&r.bytes);
    free(c);
    if (err == HF_CANCELLED)
        return refuse(msg, HF_STATUS_STOPPED, "the node is stopping");
    return err == HF_CLOSED ? refuse(msg, HF_STATUS_USAGE,
                                     "the node does not run: messages go to a node between the "
                                     "begin and the end of hf_node_run")
                            : refuse(msg, HF_STATUS_LIMIT, "out of memory");
}

enum hf_status hf_node_call_begin(struct hf_node *node, const struct hf_call_options *o,
                                  void (*done)(void *ctx, const struct hf_call_answer *a),
                                  void *ctx, struct hf_words *msg)
{
    struct caller *c;
    if (done == NULL)
        return refuse(msg, HF_STATUS_USAGE, "done: say whom to tell");
    return begin(node, o, false, done, ctx, &c, msg);
}

static enum hf_status wait_for(struct hf_node *node, struct caller *c, struct hf_words *msg)
{
    pthread_mutex_lock(&node->run_lock);
    while (!c->over && node->run == HF_RUN_RUNNING && hf_change_wait(node))
        ;
    bool over = c->over;
    c->left = !over;
    pthread_mutex_unlock(&node->run_lock);
    return over ? HF_STATUS_OK
                : refuse(msg, HF_STATUS_STOPPED, "the node stopped before there was an answer");
}

/* Whoever is in a turn of a worker would wait for himself. */
static enum hf_status may_wait(const struct hf_node *node, struct hf_words *msg)
{
    return hf_node_inside(node) ? refuse(msg, HF_STATUS_USAGE, "a callback of the node cannot wait for it: hf_node_call_begin does not") : HF_STATUS_OK;
}

enum hf_status hf_node_call(struct hf_node *node, const struct hf_call_options *o,
                            struct hf_call_answer **ret, struct hf_words *msg)
{
    struct caller *c;
    *ret = NULL;
    enum hf_status st = may_wait(node, msg);
    if (st == HF_STATUS_OK)
        st = begin(node, o, false, NULL, NULL, &c, msg);
    if (st == HF_STATUS_OK)
        st = wait_for(node, c, msg);
    if (st == HF_STATUS_OK)
        *ret = &c->answer;
    return st;
}

void hf_call_answer_free(struct hf_call_answer *a)
{
    if (a != NULL)
        caller_free(HF_CONTAINER_OF(a, struct caller, answer));
}

enum hf_status hf_node_send(struct hf_node *node, const struct hf_call_options *o,
                            enum hf_outcome *outcome, struct hf_words *msg)
{
    struct caller *c;
    enum hf_status st = may_wait(node, msg);
    if (st == HF_STATUS_OK)
        st = begin(node, o, true, NULL, NULL, &c, msg);
    if (st == HF_STATUS_OK)
        st = wait_for(node, c, msg);
    if (st != HF_STATUS_OK)
        return st;
    if (outcome != NULL)
        *outcome = c->answer.outcome;
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s",
                 c->answer.outcome == HF_OUTCOME_ANSWERED ? "" : (const char *)c->answer.body);
    caller_free(c);
    return st;
}
