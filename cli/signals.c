/* signals.c - signals.h. */
#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static struct {
    struct hf_node *node;
    const char *manifest;
    pthread_t thread;
    bool has_thread;
    _Atomic bool over;
} this; /* for the handlers alone */

/* A signal that comes together with the first (a supervisor that signals the process and its group) is the same request. */
static void on_stop(int sig)
{
    static uint64_t first_ns; /* handlers of both signals block each other */
    struct timespec t;
    (void)sig;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    if (first_ns != 0 && now - first_ns < 500000000u)
        return;
    if (first_ns == 0)
        first_ns = now;
    hf_node_stop(this.node);
}

static void set_stop(void (*term)(int))
{
    struct sigaction on = {.sa_handler = term}, ignore = {.sa_handler = SIG_IGN};
    sigaddset(&on.sa_mask, SIGINT);
    sigaddset(&on.sa_mask, SIGTERM);
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

void cli_signals_stop(struct hf_node *node)
{
    this.node = node;
    set_stop(on_stop);
}

static sigset_t hup(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    return set;
}

void cli_signals_hold_reload(void)
{
    sigset_t set = hup();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *reload(void *unused)
{
    sigset_t set = hup(), all;
    int sig;
    (void)unused;
    sigfillset(&all); /* a stop is the main thread's, which has the node */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (sigwait(&set, &sig) == 0 && !atomic_load(&this.over)) {
        struct hf_words msg; /* the node's log has said it */
        hf_node_reload(this.node, this.manifest, &msg);
    }
    return NULL;
}

bool cli_signals_reload(struct hf_node *node, const char *manifest)
{
    this.node = node;
    this.manifest = manifest;
    this.has_thread = pthread_create(&this.thread, NULL, reload, NULL) == 0;
    return this.has_thread;
}

void cli_signals_over(void)
{
    set_stop(SIG_IGN);
    if (!this.has_thread)
        return;
    atomic_store(&this.over, true);
    pthread_kill(this.thread, SIGHUP);
    pthread_join(this.thread, NULL);
    this.has_thread = false;
}
