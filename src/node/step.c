/* step.c - a node in a loop of the caller's: one descriptor to watch, and turns that do not wait.
 *
 * The descriptor is the first worker's poller, which another poller may watch. What it would wait for by time is a timer
 * descriptor in it, set at the end of each step; letters ring because the worker says that it sleeps (hf_worker_rest).
 */
#include "node/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

bool hf_node_inside(const struct hf_node *node)
{
    pthread_t self = pthread_self();
    for (uint32_t i = 0; i < node->n_workers; i++)
        if (atomic_load_explicit(&node->workers[i].turning, memory_order_relaxed) == self)
            return true;
    return false;
}

bool hf_node_steps_here(const struct hf_node *node)
{
    return node->steps && pthread_equal(node->runner, pthread_self());
}

static void on_timer(struct hf_os_watch *watch, uint32_t ready)
{
    struct hf_node *node = HF_CONTAINER_OF(watch, struct hf_node, timer_watch);
    uint64_t times;
    (void)ready;
    (void)!read(node->timer_fd, &times, sizeof times);
}

/* 0: now; UINT64_MAX: never. */
static void set_timer(struct hf_node *node, uint64_t at_ns)
{
    struct itimerspec t = {0};
    uint64_t at = at_ns == 0 ? 1 : at_ns == UINT64_MAX ? 0 : at_ns; /* a time long past fires at once, 0 is off */
    t.it_value.tv_sec = (time_t)(at / 1000000000u);
    t.it_value.tv_nsec = (long)(at % 1000000000u);
    HF_ASSERT(timerfd_settime(node->timer_fd, TFD_TIMER_ABSTIME, &t, NULL) == 0);
}

static enum hf_err begin(struct hf_node *node, struct hf_report *report)
{
    enum hf_err err = hf_node_begin(node, true, report);
    if (err != HF_OK)
        return err;
    struct hf_worker *w = &node->workers[0];
    node->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (node->timer_fd < 0) {
        err = hf_report_set(report, HF_LIMIT, "a timer could not be made: %s", strerror(errno));
    } else {
        node->timer_watch.on_ready = on_timer;
        err = node->os->poller_add(w->poller, node->timer_fd, HF_OS_IN, &node->timer_watch);
        if (err != HF_OK)
            hf_report_set(report, err, "a timer could not be watched: %s", hf_err_text(err));
    }
    if (err != HF_OK) {
        hf_node_stop(node);
        hf_worker_run(w);
        (void)hf_node_finish(node);
        return err;
    }
    set_timer(node, 0); /* the first step is due */
    return HF_OK;
}

/* It runs, and this thread may turn it. */
static enum hf_status ready(struct hf_node *node, struct hf_words *msg)
{
    struct hf_report report;
    hf_report_init(&report);
    pthread_mutex_lock(&node->run_lock);
    enum hf_run run = node->run;
    pthread_mutex_unlock(&node->run_lock);
    enum hf_err err = HF_OK;
    if (run == HF_RUN_NOT_YET)
        err = begin(node, &report);
    else if (run == HF_RUN_OVER)
        err = hf_report_set(&report, HF_CANCELLED, "the node has ended");
    enum hf_status st = hf_node_result(err, &report, msg);
    bool inside = err == HF_OK && hf_node_inside(node);
    if (inside || (err == HF_OK && !hf_node_steps_here(node))) {
        if (msg != NULL)
            snprintf(msg->text, sizeof msg->text, "%s",
                     inside ? "a callback of the node cannot step it" : "the node runs on another thread, or by hf_node_run");
        return HF_STATUS_USAGE;
    }
    return st;
}

enum hf_status hf_node_fd(struct hf_node *node, int *fd, struct hf_words *msg)
{
    *fd = -1;
    enum hf_status st = ready(node, msg);
    if (st == HF_STATUS_OK)
        *fd = node->os->poller_fd(node->workers[0].poller);
    return st;
}

/* A turn, and when it was the last one, the end. */
bool hf_node_turn(struct hf_node *node, uint64_t wait_until)
{
    struct hf_worker *w = &node->workers[0];
    if (hf_worker_turn(w, wait_until))
        return true;
    node->steps_end = hf_node_finish(node);
    return false;
}

enum hf_status hf_node_step(struct hf_node *node, uint64_t max_ns, struct hf_words *msg)
{
    enum hf_status st = ready(node, msg);
    if (st != HF_STATUS_OK)
        return st;
    struct hf_worker *w = &node->workers[0];
    uint64_t until = node->os->now_ns(node->os), due;
    if (__builtin_add_overflow(until, max_ns, &until))
        until = UINT64_MAX;
    do {
        if (!hf_node_turn(node, 0)) {
            st = hf_node_over(node, node->steps_end, msg);
            return st == HF_STATUS_OK ? HF_STATUS_STOPPED : st;
        }
    } while (!w->idle && node->os->now_ns(node->os) < until);
    due = hf_worker_rest(w);
    set_timer(node, due);
    return HF_STATUS_OK;
}

void hf_node_abandon(struct hf_node *node)
{
    if (!hf_change_running(node) || !node->steps)
        return;
    hf_node_stop(node);
    hf_node_stop(node);
    while (hf_node_turn(node, UINT64_MAX))
        ;
}
