/* native.c - see native.h: classes of native processes, and the behaviour that calls them. */
#include "node/node_int.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOB_MAX (1u << 20)

/* ---- the behaviour ---------------------------------------------------------------------------------------- */

static void read_done(struct hf_proc *p)
{
    hf_waiter_disarm(&p->waiter);
    hf_blob_reader_close(&p->reader);
    p->reading = false;
}

static void forget(struct hf_proc *p)
{
    read_done(p);
    p->read = false;
    hf_buf_done(&p->blob);
}

static enum hf_end fail(struct hf_proc *p, struct hf_turn *turn, const char *why)
{
    if (why != NULL)
        hf_turn_fail(turn, HF_ANSWER_DEAD, hf_view_of(why));
    else if (!p->why)
        hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("a native process failed and did not say why"));
    return HF_END_FAILED;
}

static enum hf_end start(void *ctx, struct hf_turn *turn, void **state)
{
    struct hf_native *native = ctx;
    struct hf_proc *p = calloc(1, sizeof *p);
    if (p == NULL) {
        hf_turn_fail(turn, HF_ANSWER_LIMITED, HF_VIEW("out of memory"));
        return HF_END_FAILED;
    }
    *state = p;
    p->native = native;
    p->state = native->c.start == NULL ? native->c.ctx : NULL;
    if (native->c.start == NULL)
        return HF_END_DONE;
    p->turn = turn;
    enum hf_proc_end end = native->c.start(native->c.ctx, p, &p->state);
    p->turn = NULL;
    if (end == HF_PROC_DONE)
        return HF_END_DONE;
    return fail(p, turn, end == HF_PROC_READ ? "a native process has nothing to read while it starts" : NULL);
}

static void words(const struct hf_view *from, struct hf_bytes *to)
{
    *to = (struct hf_bytes){from->ptr, from->len};
}

void hf_native_message(const struct hf_message *m, uint64_t now_ns, struct hf_proc_message *ret)
{
    *ret = (struct hf_proc_message){
        .size = sizeof *ret,
        .kind = (enum hf_proc_kind)m->kind,
        .error = (enum hf_proc_error)m->error,
        .notice = (enum hf_proc_notice)m->notice,
        .wants_answer = m->wants_answer,
        .has_blob = m->blob != NULL,
        .id = m->id,
        .count = m->count,
        .left_ns = !m->wants_answer ? 0 : m->deadline_ns > now_ns ? m->deadline_ns - now_ns : 1,
        .blob_len = m->blob == NULL ? 0 : hf_blob_declared(m->blob),
    };
    words(&m->body, &ret->body);
    words(&m->metadata, &ret->metadata);
    words(&m->source, &ret->source);
    words(&m->target, &ret->target);
    words(&m->context, &ret->context);
}

static enum hf_end read_on(struct hf_proc *p, struct hf_turn *turn);

static enum hf_end handle(struct hf_proc *p, struct hf_turn *turn)
{
    struct hf_proc_message m;
    const struct hf_message *in_hand = hf_turn_message(turn);
    hf_native_message(in_hand, hf_turn_now(turn), &m);
    p->turn = turn;
    enum hf_proc_end end = p->native->c.handle(p->state, p, &m);
    p->turn = NULL;
    if (end == HF_PROC_READ) {
        if (in_hand->blob == NULL || p->read)
            return fail(p, turn, p->read ? "a native process wants to read a message twice" : "a native process wants to read a message without a blob");
        struct hf_blob *blob = hf_blob_ref(in_hand->blob);
        hf_blob_reader_open(&p->reader, &blob);
        p->reading = true;
        return read_on(p, turn);
    }
    forget(p);
    return end == HF_PROC_DONE ? HF_END_DONE : fail(p, turn, NULL);
}

/* The message cannot be read whole: whoever waits for its answer is told, the process lives on. */
static enum hf_end cannot_read(struct hf_proc *p, struct hf_turn *turn, enum hf_err err)
{
    const char *text = err == HF_LIMIT ? "the blob is larger than this process reads (blob_max)" : "the blob broke off";
    forget(p);
    if (hf_turn_duty(turn) == HF_DUTY_OPEN)
        hf_turn_refuse(turn, err == HF_LIMIT ? HF_ANSWER_LIMITED : HF_ANSWER_DEAD, hf_view_of(text));
    return HF_END_DONE;
}

static enum hf_end read_on(struct hf_proc *p, struct hf_turn *turn)
{
    struct hf_view piece;
    enum hf_err err;
    uint64_t most = p->native->c.blob_max != 0 ? p->native->c.blob_max : BLOB_MAX;
    while ((err = hf_blob_reader_peek(&p->reader, &piece)) == HF_OK) {
        if (piece.len > most - p->blob.len || hf_buf_add_view(&p->blob, piece) != HF_OK)
            return cannot_read(p, turn, HF_LIMIT);
        hf_blob_reader_advance(&p->reader, piece.len);
    }
    if (err == HF_AGAIN) {
        struct hf_waitset *set = hf_turn_waitset(turn);
        if (p->waiter.set == NULL)
            hf_waiter_arm(&p->waiter, &p->reader.wait, set);
        p->waiter.stamp = ++set->stamp;
        hf_turn_set_selective(turn, true);
        return HF_END_WAIT;
    }
    read_done(p);
    if (err != HF_CLOSED)
        return cannot_read(p, turn, err);
    p->read = true;
    return handle(p, turn);
}

static enum hf_end turn_begin(void *state, struct hf_turn *turn)
{
    return handle(state, turn);
}

static enum hf_end resume(void *state, struct hf_turn *turn)
{
    return read_on(state, turn);
}

static void cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    (void)turn, (void)why;
    forget(state);
}

static void stop(void *state)
{
    struct hf_proc *p = state;
    if (p == NULL)
        return;
    forget(p);
    if (p->native->c.stop != NULL)
        p->native->c.stop(p->state);
    free(p);
}

static const struct hf_behaviour behaviour = {
    .name = "native",
    .start = start,
    .turn = turn_begin,
    .resume = resume,
    .cancel = cancel,
    .stop = stop,
};

/* ---- classes ---------------------------------------------------------------------------------------------- */

struct hf_native *hf_native_find(const struct hf_node *node, const char *name)
{
    HF_LIST_FOR(n, &node->natives)
    {
        struct hf_native *native = HF_LIST_ENTRY(n, struct hf_native, in_node);
        if (strcmp(native->options->o.name, name) == 0)
            return native;
    }
    return NULL;
}

static enum hf_err make_one(struct hf_worker *w, struct hf_native *native, struct hf_report *report)
{
    const struct hf_service_options *o = &native->options->o;
    struct hf_class *elsewhere; /* other workers know only where its processes are */
    if (hf_meter_row(&w->meter, hf_view_of(o->name), HF_VIEW("default")) == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    struct hf_named_settings ns = hf_named_settings_of(o);
    ns.behaviour = &behaviour;
    ns.ctx = native;
    ns.ended = hf_ends_note;
    ns.ended_ctx = &native->ends;
    ns.place = 1; /* all on the first worker's thread: process.h promises it */
    return hf_named_class_add(w->kernel, o->name, &ns, w->number == 0 ? &native->class : &elsewhere, report);
}

enum hf_err hf_natives_make(struct hf_worker *w, struct hf_report *report)
{
    enum hf_err err = HF_OK;
    HF_LIST_FOR(n, &w->node->natives)
    {
        if (err == HF_OK)
            err = make_one(w, HF_LIST_ENTRY(n, struct hf_native, in_node), report);
    }
    return err;
}

void hf_natives_close(struct hf_worker *w)
{
    HF_LIST_FOR(n, &w->node->natives)
    {
        struct hf_native *native = HF_LIST_ENTRY(n, struct hf_native, in_node);
        if (w->number == 0 && native->class != NULL)
            hf_class_close(native->class);
    }
}

static void native_free(struct hf_native *native)
{
    hf_options_unref(native->options);
    free(native);
}

void hf_natives_free(struct hf_node *node)
{
    struct hf_list *n;
    while ((n = hf_list_pop_front(&node->natives)) != NULL)
        native_free(HF_LIST_ENTRY(n, struct hf_native, in_node));
}

void hf_process_class_init_size(struct hf_process_class *c, size_t size)
{
    memset(c, 0, size);
    c->size = size;
}

static enum hf_status usage(struct hf_words *msg, const char *text)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", text);
    return HF_STATUS_USAGE;
}

/* As if it were a service: its name, limits and routes are checked and copied as those are. */
static enum hf_status copy_options(struct hf_native *native, struct hf_words *msg)
{
    struct hf_service_options o;
    hf_service_options_init(&o);
    o.name = native->c.name;
    o.path = "(native)";
    o.kind = HF_KIND_HANDLER;
    o.process = native->c.process;
    o.request_timeout_ns = native->c.request_timeout_ns;
    o.idle_timeout_ns = native->c.idle_timeout_ns;
    o.body_max = native->c.body_max;
    o.routes = native->c.n_routes != 0 ? native->c.routes : NULL;
    o.n_routes = native->c.n_routes;
    enum hf_status st = hf_node_check_options(&o, msg);
    if (st == HF_STATUS_OK && hf_options_new(&o, &native->options) != HF_OK) {
        usage(msg, "out of memory");
        st = HF_STATUS_LIMIT;
    }
    return st;
}

static enum hf_status add(struct hf_node *node, struct hf_native *native, struct hf_words *msg)
{
    if (node->app != NULL || node->n_workers != 0)
        return usage(msg, "a class of native processes comes before everything that is served: services, hf_node_listen, hf_node_run");
    size_t n = 0;
    HF_LIST_FOR(it, &node->natives)
    n++;
    if (n == HF_NATIVES_MAX) {
        usage(msg, "a node takes at most 64 classes of native processes");
        return HF_STATUS_LIMIT;
    }
    enum hf_status st = copy_options(native, msg);
    if (st != HF_STATUS_OK)
        return st;
    if (hf_native_find(node, native->options->o.name) != NULL)
        return usage(msg, "there is a class of native processes of that name already");
    native->c.name = native->options->o.name;
    native->c.process = NULL;
    native->c.routes = NULL; /* the options have them */
    hf_ends_init(&native->ends, native->c.name, node->opt.quiet ? NULL : node->log);
    hf_list_push_back(&node->natives, &native->in_node);
    struct hf_app *app = NULL; /* its routes are looked at beside the others' now, not when the node begins */
    st = hf_app_of(node, NULL, NULL, 0, &app, msg);
    hf_app_unref(app, NULL);
    if (st != HF_STATUS_OK)
        hf_list_remove(&native->in_node);
    return st;
}

enum hf_status hf_node_add_process(struct hf_node *node, const struct hf_process_class *c, struct hf_words *msg)
{
    if (c->size != sizeof *c || c->handle == NULL)
        return usage(msg, "hf_process_class: size or handle is wrong");
    struct hf_native *native = calloc(1, sizeof *native);
    if (native == NULL)
        return usage(msg, "out of memory") == HF_STATUS_USAGE ? HF_STATUS_LIMIT : HF_STATUS_LIMIT;
    native->c = *c;
    pthread_mutex_lock(&node->change_lock);
    enum hf_status st = add(node, native, msg);
    pthread_mutex_unlock(&node->change_lock);
    if (st != HF_STATUS_OK)
        native_free(native);
    else
        hf_node_result(HF_OK, NULL, msg);
    return st;
}
