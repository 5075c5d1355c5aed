/* change.c - see change.h. */
#include "node/node_int.h"

#include <stdlib.h>

enum change_phase { PREPARE, NAME, SWITCH, RETIRE, UNDO };

struct hf_change_step { /* one worker's */
    struct hf_letter letter;
    struct hf_change *change;
    struct hf_worker *worker;
};
struct hf_change {
    _Atomic uint32_t refs; /* the leader's, and one a letter that is under way */
    struct hf_node *node;
    struct hf_app *to;
    enum change_phase phase; /* set before the letters of a phase are posted */
    uint64_t until_ns;       /* of prepare */
    /* under node->run_lock */
    uint32_t waiting; /* workers that have not reported */
    enum hf_err err;  /* the first that one reported, and why */
    struct hf_report report;
    struct hf_change_step steps[];
};

#define LOOK_NS  1000000u
#define SLACK_NS 5000000000u /* past a start's own deadline, for an instance that finds no place to start in */

static void change_unref(struct hf_change *c, struct hf_io *io)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    hf_app_unref(c->to, io);
    free(c);
}

/* ---- a worker's side ---- */

static void report_done(struct hf_change_step *step, enum hf_err err, const struct hf_report *why)
{
    struct hf_change *c = step->change;
    struct hf_worker *w = step->worker;
    pthread_mutex_lock(&c->node->run_lock);
    if (err != HF_OK && c->err == HF_OK) {
        c->err = err;
        c->report = *why;
    }
    if (--c->waiting == 0)
        pthread_cond_broadcast(&c->node->run_changed);
    pthread_mutex_unlock(&c->node->run_lock);
    change_unref(c, &w->io);
}

void hf_change_look(struct hf_worker *w)
{
    struct hf_change_step *step = w->change;
    struct hf_report why;
    if (step == NULL)
        return;
    hf_report_init(&why);
    enum hf_err err = hf_shares_ready(w, &why);
    if (err == HF_AGAIN && atomic_load(&w->node->stop) != 0)
        err = hf_report_set(&why, HF_CANCELLED, "the node is being stopped");
    else if (err == HF_AGAIN && w->node->os->now_ns(w->node->os) >= step->change->until_ns)
        err = hf_report_set(&why, HF_TIMEOUT, "instances found no room to start in: too many live at once");
    if (err == HF_AGAIN)
        return;
    w->change = NULL;
    report_done(step, err, &why);
}

uint64_t hf_change_next_ns(const struct hf_worker *w)
{
    return w->change == NULL ? UINT64_MAX : w->change->change->until_ns;
}

void hf_change_forget(struct hf_worker *w)
{
    struct hf_change_step *step = w->change;
    w->change = NULL;
    if (step != NULL)
        change_unref(step->change, NULL);
}

static void prepare(struct hf_change_step *step)
{
    struct hf_worker *w = step->worker;
    struct hf_report why;
    hf_report_init(&why);
    enum hf_err err = atomic_load(&w->node->stop) == 0 ? hf_shares_prepare(w, step->change->to, &why)
                                                       : hf_report_set(&why, HF_CANCELLED, "the node is being stopped");
    if (err == HF_OK)
        w->change = step; /* the loop looks when it has let them start */
    else
        report_done(step, err, &why);
}

static void on_step(struct hf_letter *letter)
{
    struct hf_change_step *step = HF_CONTAINER_OF(letter, struct hf_change_step, letter);
    struct hf_worker *w = step->worker;
    struct hf_report why;
    enum hf_err err = HF_OK;
    hf_report_init(&why);
    if (w->ended) { /* the node is being closed: nobody waits */
        change_unref(step->change, NULL);
        return;
    }
    switch (step->change->phase) {
    case PREPARE: prepare(step); return;
    case NAME: err = hf_shares_name(w, &why); break;
    case SWITCH: hf_shares_switch(w); break;
    case RETIRE: hf_shares_retire(w); break;
    case UNDO: hf_shares_undo(w); break;
    }
    report_done(step, err, &why);
}

/* ---- the leader's ---- */

/* With run_lock and a node that runs. Until something may have changed; false: never again. Who steps the node itself turns its first worker. */
static bool wait_turn(struct hf_node *node)
{
    if (!hf_node_steps_here(node)) {
        pthread_cond_wait(&node->run_changed, &node->run_lock);
        return true;
    }
    pthread_mutex_unlock(&node->run_lock);
    bool lives = hf_node_turn(node, node->os->now_ns(node->os) + LOOK_NS); /* others report without a word to its poller */
    pthread_mutex_lock(&node->run_lock);
    return lives;
}

/* All workers do it. False: the node has stopped meanwhile. */
static bool run_phase(struct hf_change *c, enum change_phase phase)
{
    struct hf_node *node = c->node;
    c->phase = phase;
    pthread_mutex_lock(&node->run_lock);
    c->waiting = node->n_workers;
    pthread_mutex_unlock(&node->run_lock);
    for (uint32_t i = 0; i < node->n_workers; i++) {
        c->steps[i].letter.deliver = on_step;
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        hf_wake_post(node->workers[i].wake, &c->steps[i].letter);
    }
    pthread_mutex_lock(&node->run_lock);
    while (c->waiting > 0 && node->run == HF_RUN_RUNNING && wait_turn(node))
        ;
    bool ok = c->waiting == 0;
    pthread_mutex_unlock(&node->run_lock);
    return ok;
}

static enum hf_err stopped(struct hf_report *report)
{
    return hf_report_set(report, HF_CANCELLED, "the node was stopped: nothing is served any more");
}

static uint64_t longest_start(const struct hf_app *app)
{
    uint64_t ns = 0;
    for (size_t i = 0; i < app->n; i++)
        if (app->entries[i].service->class_settings.start_timeout_ns > ns)
            ns = app->entries[i].service->class_settings.start_timeout_ns;
    return ns;
}

static enum hf_err lead(struct hf_change *c, struct hf_report *report)
{
    uint64_t now = c->node->os->now_ns(c->node->os);
    if (__builtin_add_overflow(now + SLACK_NS, longest_start(c->to), &c->until_ns))
        c->until_ns = UINT64_MAX;
    if (!run_phase(c, PREPARE) || (c->err == HF_OK && !run_phase(c, NAME)))
        return stopped(report);
    if (c->err != HF_OK) {
        if (!run_phase(c, UNDO))
            return stopped(report);
        return hf_report_set(report, c->err, "%s", c->report.text);
    }
    if (!run_phase(c, SWITCH) || !run_phase(c, RETIRE))
        return stopped(report);
    return HF_OK;
}

/* No loop runs yet: the caller is every worker. */
static enum hf_err change_at_rest(struct hf_node *node, struct hf_app *to, struct hf_report *report)
{
    enum hf_err err = HF_OK;
    uint32_t n = 0;
    for (; n < node->n_workers && err == HF_OK; n++)
        err = hf_shares_prepare(&node->workers[n], to, report);
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        err = hf_shares_name(&node->workers[i], report);
    for (uint32_t i = 0; i < n && err != HF_OK; i++)
        hf_shares_undo(&node->workers[i]);
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        hf_shares_switch(&node->workers[i]);
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        hf_shares_retire(&node->workers[i]);
    return err;
}

static enum hf_err change_running(struct hf_node *node, struct hf_app *to, struct hf_report *report)
{
    struct hf_change *c = calloc(1, sizeof *c + node->n_workers * sizeof c->steps[0]);
    if (c == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    atomic_init(&c->refs, 1);
    c->node = node;
    c->to = hf_app_ref(to);
    hf_report_init(&c->report);
    for (uint32_t i = 0; i < node->n_workers; i++)
        c->steps[i] = (struct hf_change_step){.change = c, .worker = &node->workers[i]};
    enum hf_err err = lead(c, report);
    change_unref(c, NULL);
    return err;
}

bool hf_change_running(struct hf_node *node)
{
    pthread_mutex_lock(&node->run_lock);
    bool running = node->run == HF_RUN_RUNNING;
    pthread_mutex_unlock(&node->run_lock);
    return running;
}

enum hf_err hf_change_run(struct hf_node *node, struct hf_app *to, struct hf_report *report)
{
    enum hf_err err;
    pthread_mutex_lock(&node->run_lock);
    enum hf_run run = node->run;
    pthread_mutex_unlock(&node->run_lock);
    if (run == HF_RUN_OVER)
        err = stopped(report);
    else if (run == HF_RUN_RUNNING && hf_node_inside(node))
        err = hf_report_set(report, HF_UNSUPPORTED, "services cannot be changed from a callback of the node: it waits for what it would wait for");
    else if (run == HF_RUN_NOT_YET) /* a run begins with change_lock held */
        err = change_at_rest(node, to, report);
    else
        err = change_running(node, to, report);
    if (err == HF_OK) {
        struct hf_app *old = node->app;
        pthread_mutex_lock(&node->run_lock); /* others may look (hf_node_app) */
        node->app = to;
        pthread_mutex_unlock(&node->run_lock);
        hf_app_unref(old, NULL);
    }
    return err;
}

struct hf_app *hf_node_app(struct hf_node *node)
{
    pthread_mutex_lock(&node->run_lock);
    struct hf_app *app = node->app == NULL ? NULL : hf_app_ref(node->app);
    pthread_mutex_unlock(&node->run_lock);
    return app;
}
