/* ticker.c - one thread an engine that moves the epoch, and sleeps while no guest runs.
 *
 * Compiled code compares a counter with a deadline at every loop head and function entry; this
 * thread is what makes the counter move. What happens at the deadline is the store's business
 * (fiber.c).
 *
 * It must tick while any guest runs and should not when none does. Counting the guests in one place
 * would make every request of every worker write the same cache line, so there are several
 * counters, and a store uses one that only its thread's stores use, as a rule. The ticker sums them
 * up once a tick. Not asleep does not mean that a guest runs: under load it ticks on through the
 * gaps, so that requests rarely pay the system call that wakes it.
 */
#include "engine/engine_int.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define IDLE_TICKS 50  /* ticks without any entry before it falls asleep */
#define LATE_TICKS 100 /* that are made up for: the machine may have slept */

struct count {
    uint32_t running, entries;
};

static struct count count_guests(struct hf_ticker *t)
{
    struct count c = {0};
    for (size_t i = 0; i < HF_TICKER_SHARDS; i++) {
        uint64_t n = atomic_load_explicit(&t->shards[i].n, memory_order_seq_cst);
        c.running += (uint32_t)n;
        c.entries += (uint32_t)(n >> 32);
    }
    return c;
}

static uint64_t now_ns(void)
{
    struct timespec ts;
    HF_ASSERT(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Waits for the tick after *at_ns and moves that on; *at_ns = 0: begins anew. How many ticks are
 * over since (a thread that shares its core with a guest that computes is late, and slices must not
 * grow by that); 0: time to end. */
static unsigned wait_ticks(struct hf_ticker *t, uint64_t *at_ns)
{
    uint64_t tick = (uint64_t)t->tick_us * 1000, over;
    pthread_mutex_lock(&t->lock);
    while (!t->stop && atomic_load_explicit(&t->asleep, memory_order_relaxed)) {
        pthread_cond_wait(&t->wake, &t->lock);
        *at_ns = 0;
    }
    if (*at_ns == 0)
        *at_ns = now_ns();
    *at_ns += tick;
    const struct timespec at = {.tv_sec = (time_t)(*at_ns / 1000000000u),
                                .tv_nsec = (long)(*at_ns % 1000000000u)};
    while (!t->stop && pthread_cond_timedwait(&t->wake, &t->lock, &at) != ETIMEDOUT)
        ;
    bool go_on = !t->stop;
    pthread_mutex_unlock(&t->lock);
    if (!go_on)
        return 0;
    over = (now_ns() - *at_ns) / tick;
    *at_ns += over * tick;
    return 1 + (unsigned)(over < LATE_TICKS ? over : LATE_TICKS);
}

static void *ticker_main(void *arg)
{
    struct hf_ticker *t = arg;
    uint32_t entries = 0, idle = 0;
    uint64_t at_ns = 0;
    for (unsigned n; (n = wait_ticks(t, &at_ns)) != 0;) {
        for (unsigned i = 0; i < n; i++)
            wasmtime_engine_increment_epoch(t->wasm);
        atomic_fetch_add_explicit(&t->ticks, n, memory_order_relaxed);
        struct count c = count_guests(t);
        idle = c.running == 0 && c.entries == entries ? idle + 1 : 0;
        entries = c.entries;
        if (idle < IDLE_TICKS)
            continue;
        /* Whoever enters from here on sees that we sleep; whoever entered before is in the count.
         */
        atomic_store_explicit(&t->asleep, true, memory_order_seq_cst);
        c = count_guests(t);
        if (c.running != 0 || c.entries != entries)
            atomic_store_explicit(&t->asleep, false, memory_order_relaxed);
        idle = 0;
        entries = c.entries;
    }
    return NULL;
}

enum hf_err hf_ticker_start(struct hf_ticker *t, wasm_engine_t *wasm, uint32_t tick_us,
                            struct hf_report *report)
{
    pthread_condattr_t attr;
    t->wasm = wasm;
    t->tick_us = tick_us;
    atomic_store(&t->asleep, true);
    HF_ASSERT(pthread_mutex_init(&t->lock, NULL) == 0);
    HF_ASSERT(pthread_condattr_init(&attr) == 0);
    HF_ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    HF_ASSERT(pthread_cond_init(&t->wake, &attr) == 0);
    pthread_condattr_destroy(&attr);

    /* Signals are for the threads that asked for them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->thread, NULL, ticker_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        pthread_cond_destroy(&t->wake);
        pthread_mutex_destroy(&t->lock);
        return hf_report_set(report, HF_LIMIT, "starting the ticker thread: %s", strerror(rc));
    }
    pthread_setname_np(t->thread, "hf-ticker");
    t->started = true;
    return HF_OK;
}

void hf_ticker_stop(struct hf_ticker *t)
{
    if (!t->started)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    t->started = false;
}

void hf_ticker_wake(struct hf_ticker *t)
{
    pthread_mutex_lock(&t->lock);
    atomic_store_explicit(&t->asleep, false, memory_order_relaxed);
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

uint32_t hf_ticker_shard(void)
{
    /* The address of a thread's descriptor: its low bits and those of the alignment of stacks say
     * nothing. */
    return (uint32_t)(((uint64_t)(uintptr_t)pthread_self() * UINT64_C(0x9E3779B97F4A7C15)) >> 60);
}
