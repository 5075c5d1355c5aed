/* admin_post.c - what the admin door has to do with one process: messages to it (post.h), a look at
 * it and its end, as letters to the worker on which it lives.
 */
#include "node/admin_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/name.h"
#include "kernel/named.h"

/* ---- messages ---- */

static void on_done(void *ctx, struct hf_call_result *r)
{
    struct hf_admin_post *p = ctx;
    p->hold = NULL;
    p->kind = r->kind;
    p->answer = r->body;
    hf_buf_init(&r->body);
    p->answer_blob = r->blob;
    r->blob = NULL;
    if (hf_buf_add_view(&p->answer_metadata, r->metadata) != HF_OK) {
        p->kind = HF_ANSWER_LIMITED;
        hf_buf_clear(&p->answer);
    }
    hf_wait_fire(&p->ready);
}

static void refused(struct hf_admin_post *p, enum hf_answer_kind kind, const char *words)
{
    p->kind = kind;
    (void)!hf_buf_add_text(&p->answer, words); /* the kind says enough */
    hf_wait_fire(&p->ready);
}

void hf_door_post_begin(void *ctx, struct hf_admin_post *p)
{
    struct hf_door *door = ctx;
    struct hf_call *call;
    struct hf_call_request r = {
        .to = p->to,
        .metadata = p->metadata,
        .body = p->body,
        .blob = p->blob,
        .tell = p->tell,
        .timeout_ns = p->timeout_ns,
        .done = on_done,
        .ctx = p,
    };
    hf_buf_init(&p->body);
    p->blob = NULL;
    enum hf_err err = atomic_load(&door->stop) || door->node->n_workers == 0
                          ? HF_CLOSED
                          : hf_courier_send(&door->courier, &r, &call);
    if (err == HF_OK) {
        p->hold = call;
        return;
    }
    hf_buf_done(&r.body);
    hf_blob_unref(r.blob);
    refused(p, err == HF_CLOSED ? HF_ANSWER_CANCELLED : HF_ANSWER_LIMITED,
            err == HF_CLOSED ? "the node is stopping" : "out of memory");
}

void hf_door_post_end(void *door, struct hf_admin_post *p)
{
    (void)door;
    if (p->hold != NULL)
        hf_courier_forget(p->hold);
    p->hold = NULL;
}

/* ---- a look, an end ---- */

struct visit {
    struct hf_letter letter;
    struct hf_door *door;
    struct hf_worker *worker;
    struct hf_admin_task *task; /* NULL: nobody waits any more */
    enum hf_admin_kind kind;
    enum hf_err err;
    struct hf_admin_process process;
    struct hf_buf details;
};

static void find_instance(void *ctx, const struct hf_instance_view *i)
{
    struct hf_admin_process *p = ctx;
    if (i->process != p->instance)
        return;
    p->served = i->served;
    p->born_ns = i->born_ns;
    p->memory = i->behaviour == &hf_service_behaviour ? hf_service_state_memory(i->state) : 0;
}

static void look(struct hf_worker *w, struct visit *v)
{
    struct hf_admin_process *p = &v->process;
    struct hf_named_info info;
    v->err = hf_named_look(w->kernel, hf_view_of(p->name), &info, &p->blobs);
    if (v->err != HF_OK)
        return;
    struct hf_view class = hf_name_class(info.name);
    p->instance = info.process;
    p->mailbox = info.mailbox;
    p->mailbox_max = info.mailbox_max;
    p->pending = info.pending;
    p->tokens = info.tokens;
    p->capabilities = info.capabilities;
    p->watches = info.watches;
    p->timers = info.timers;
    p->restarts = info.restarts;
    p->worker = w->number;
    p->now_ns = w->node->os->now_ns(w->node->os);
    snprintf(p->state, sizeof p->state, "%s", info.state);
    snprintf(p->last_failure, sizeof p->last_failure, "%.*s",
             HF_FMT(hf_view_take(info.last_failure, sizeof p->last_failure - 1)));
    HF_LIST_FOR (n, &w->shares) {
        const struct hf_share *s = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (s->class != NULL && s->host != NULL &&
            hf_view_eq_text(class, hf_app_service_name(s->service)))
            hf_class_visit(s->class, find_instance, p);
    }
    v->err = hf_named_inspect(w->kernel, hf_view_of(p->name), &v->details);
}

static void come_back(struct hf_letter *letter);

static void at_worker(struct hf_letter *letter)
{
    struct visit *v = HF_CONTAINER_OF(letter, struct visit, letter);
    struct hf_worker *w = v->worker;
    if (w->ended)
        v->err = HF_CLOSED;
    else if (v->kind == HF_ADMIN_END)
        v->err =
            hf_named_kill(w->kernel, hf_view_of(v->process.name), HF_VIEW("killed by an operator"));
    else
        look(w, v);
    v->letter.deliver = come_back;
    hf_wake_post(v->door->wake, &v->letter);
}

static void come_back(struct hf_letter *letter)
{
    struct visit *v = HF_CONTAINER_OF(letter, struct visit, letter);
    struct hf_admin_task *task = v->task;
    char words[400] = "";
    if (task != NULL) {
        task->hold = NULL;
        task->process = v->process;
        if (v->err == HF_NOT_FOUND)
            snprintf(words, sizeof words,
                     "there is no process \"%s\" now (holdfast ps shows those there are; a message "
                     "to its name may make it)",
                     v->process.name);
        else if (v->err == HF_OK)
            task->text = v->details, hf_buf_init(&v->details);
        hf_door_task_done(task,
                          v->err == HF_OK          ? 200
                          : v->err == HF_NOT_FOUND ? 404
                                                   : 503,
                          v->err == HF_OK          ? HF_STATUS_OK
                          : v->err == HF_NOT_FOUND ? HF_STATUS_USAGE
                          : v->err == HF_LIMIT     ? HF_STATUS_LIMIT
                                                   : HF_STATUS_STOPPED,
                          words[0] != 0 ? words : NULL);
    }
    hf_buf_done(&v->details);
    free(v);
}

void hf_door_process_begin(struct hf_door *door, struct hf_admin_task *task)
{
    struct visit *v = door->node->n_workers == 0 ? NULL : calloc(1, sizeof *v);
    if (v == NULL) {
        hf_door_task_done(task, 503, HF_STATUS_LIMIT, "out of memory");
        return;
    }
    v->door = door;
    v->task = task;
    v->kind = task->kind;
    v->process = task->process;
    v->worker = hf_post_worker(door->node, hf_view_of(task->process.name));
    v->letter.deliver = at_worker;
    task->hold = v;
    hf_wake_post(v->worker->wake, &v->letter);
}

void hf_door_process_end(struct hf_admin_task *task)
{
    struct visit *v = task->hold;
    if (v != NULL)
        v->task = NULL;
    task->hold = NULL;
}
