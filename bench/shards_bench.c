/* shards_bench.c - a request and its answer between processes of two workers, beside a raw round
 * trip over two eventfds in the same run.
 *
 *   raw        two threads, each reads its eventfd (blocking in poll, as a worker does) and writes
 *              the other's: what waking costs here and there
 *   sleeping   a process asks one of the other worker, one request under way: each message wakes a
 *              worker that sleeps
 *   busy       the same by 64 clients at once: workers find letters without sleeping
 *
 * Bodies of 64 bytes. Wall time, since two threads wait for each other; median and best of RUNS.
 * On a machine that does other things the figures are indicative; compare them with the raw line.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "bench/behaviours.h"
#include "link/shards.h"

enum { RUNS = 9, TRIPS = 20000 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void say(const char *what, double ns[RUNS])
{
    qsort(ns, RUNS, sizeof ns[0], by_size);
    printf("%-60s median %8.2f us  best %8.2f us\n", what, ns[RUNS / 2] / 1e3, ns[0] / 1e3);
}

/* ---- raw ---- */

struct raw {
    int fd[2];
};

static void wait_one(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t n;
    must(poll(&p, 1, -1) == 1 && read(fd, &n, sizeof n) == sizeof n);
}

static void ring(int fd)
{
    uint64_t one = 1;
    must(write(fd, &one, sizeof one) == sizeof one);
}

static void *echo(void *arg)
{
    struct raw *r = arg;
    for (unsigned i = 0; i < TRIPS; i++) {
        wait_one(r->fd[1]);
        ring(r->fd[0]);
    }
    return NULL;
}

static double raw_run(void)
{
    struct raw r = {{eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK)}};
    pthread_t thread;
    must(r.fd[0] >= 0 && r.fd[1] >= 0 && pthread_create(&thread, NULL, echo, &r) == 0);
    double begin = now_ns();
    for (unsigned i = 0; i < TRIPS; i++) {
        ring(r.fd[1]);
        wait_one(r.fd[0]);
    }
    double ns = (now_ns() - begin) / TRIPS;
    pthread_join(thread, NULL);
    close(r.fd[0]);
    close(r.fd[1]);
    return ns;
}

/* ---- workers ---- */

struct worker {
    struct hf_kernel *k;
    struct hf_wake *wake;
    struct hf_shards *shards;
};
struct pair {
    struct hf_shard_table table;
    struct worker w[2];
    struct hf_shards *all[2];
    _Atomic bool stop;
    uint64_t left, open;
    char server[16];
};

static enum hf_end client(void *state, struct hf_turn *turn)
{
    struct pair *p = state;
    if (hf_turn_message(turn)->kind != HF_MESSAGE_REQUEST)
        p->open--;
    if (p->left == 0)
        return HF_END_DONE;
    p->left--;
    p->open++;
    struct hf_send s = {.target = hf_view_of(p->server), .wants_answer = true};
    fill(&s.body);
    must(hf_turn_send(turn, &s, NULL) == HF_SAID_OK);
    return HF_END_DONE;
}

static enum hf_end server(void *state, struct hf_turn *turn)
{
    struct hf_response r = {0};
    (void)state;
    fill(&r.body);
    must(hf_turn_reply(turn, &r) == HF_SAID_OK);
    return HF_END_DONE;
}

static const struct hf_behaviour client_behaviour = BEHAVIOUR(client);
static const struct hf_behaviour server_behaviour = BEHAVIOUR(server);

static void turn_of(struct worker *w)
{
    if (hf_kernel_next_ns(w->k) != 0 && hf_wake_sleep(w->wake)) {
        struct pollfd fd = {.fd = hf_wake_fd(w->wake), .events = POLLIN};
        poll(&fd, 1, 100);
        hf_wake_awake(w->wake);
    }
    hf_wake_deliver_all(w->wake);
    uint64_t now = (uint64_t)now_ns();
    while (hf_kernel_step(w->k, now) == HF_OK) {
    }
    hf_kernel_flush(w->k);
    hf_shards_flush(w->shards);
}

static void *serve(void *arg)
{
    struct pair *p = arg;
    while (!atomic_load(&p->stop))
        turn_of(&p->w[1]);
    return NULL;
}

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    (void)port, (void)tag, (void)a;
}

/* A name of that class on that worker. */
static void name_on(const struct pair *p, const char *class, unsigned worker, unsigned skip,
                    char *ret)
{
    for (unsigned i = 0;; i++) {
        snprintf(ret, 16, "%s/%u", class, i);
        if (hf_shard_worker(&p->table, hf_view_of(ret)) == worker && skip-- == 0)
            return;
    }
}

static double pair_run(unsigned clients)
{
    static const char *const all[] = {"*", NULL};
    struct hf_port port = {on_answer};
    struct pair p = {.left = TRIPS};
    pthread_t thread;
    hf_shard_table_init(&p.table, 2);
    for (uint32_t i = 0; i < 2; i++) {
        struct worker *w = &p.w[i];
        struct hf_class *c;
        must(hf_kernel_new(&(struct hf_kernel_settings){.id_base = (uint64_t)i << 48}, &w->k) ==
             HF_OK);
        must(hf_wake_new(&w->wake, NULL) == HF_OK);
        must(hf_shards_new(w->k, w->wake, 0, i, &p.table, &w->shards) == HF_OK);
        p.all[i] = w->shards;
        hf_kernel_step(w->k, (uint64_t)now_ns());
        struct hf_named_settings s = {.behaviour = &client_behaviour, .ctx = &p, .grants = all};
        must(hf_named_class_add(w->k, "client", &s, &c, NULL) == HF_OK);
        s.behaviour = &server_behaviour;
        must(hf_named_class_add(w->k, "server", &s, &c, NULL) == HF_OK);
    }
    for (uint32_t i = 0; i < 2; i++)
        hf_shards_join(p.w[i].shards, p.all, 2);
    name_on(&p, "server", 1, 0, p.server);
    must(pthread_create(&thread, NULL, serve, &p) == 0);
    for (unsigned i = 0; i < clients; i++) {
        char name[16];
        uint64_t id;
        name_on(&p, "client", 0, i, name);
        struct hf_post post = {.target = hf_view_of(name), .port = &port};
        must(hf_port_post(p.w[0].k, &post, &id) == HF_OK);
    }
    double begin = now_ns();
    while (p.left > 0 || p.open > 0)
        turn_of(&p.w[0]);
    double ns = (now_ns() - begin) / TRIPS;
    atomic_store(&p.stop, true);
    hf_wake_poke(p.w[1].wake);
    pthread_join(thread, NULL);
    for (uint32_t i = 0; i < 2; i++)
        hf_shards_stop(p.w[i].shards);
    for (uint32_t i = 0; i < 2; i++)
        hf_kernel_free(p.w[i].k);
    for (uint32_t i = 0; i < 2; i++)
        hf_wake_deliver_all(p.w[i].wake);
    for (uint32_t i = 0; i < 2; i++)
        hf_shards_free(p.w[i].shards);
    for (uint32_t i = 0; i < 2; i++)
        hf_wake_free(p.w[i].wake);
    return ns;
}

int main(void)
{
    double raw[RUNS], one[RUNS], many[RUNS];
    for (int i = -1; i < RUNS;
         i++) { /* side by side, so that who else computes meets all; the first warms */
        double r = raw_run(), o = pair_run(1), m = pair_run(64);
        if (i < 0)
            continue;
        raw[i] = r;
        one[i] = o;
        many[i] = m;
    }
    say("raw round trip over two eventfds", raw);
    say("request and answer between two workers, one under way", one);
    say("the same, 64 under way: each", many);
    return 0;
}
