/* change_bench.c - what clients see while services change: one worker on one core, 64 kept connections that ask as fast as they
 * are answered, a change every two seconds.
 *
 *     change_bench GUESTS-FOLDER [CHANGES]
 *
 * The second before a change is the yardstick for the second after its begin, by its p99 as a whole and in windows of 100 ms: for how
 * long p99 was over twice what it was before, and, for the error of that, how long it was so in the second before itself.
 * "cached": the new component's code was compiled before. "compiled": it was not (on the thread of the caller, who shares the two
 * cores with all others). Prints a table; fails when a request failed or got a wrong answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "holdfast/holdfast.h"

#define CONNECTIONS 64
#define SAMPLES_MAX (8u << 20)
#define SECOND      1000000000ull
#define WINDOWS     10
#define WINDOW_MS   (1000u / WINDOWS)

static const char ask[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

struct sample {
    uint64_t end_ns;
    uint32_t took_ns;
};
struct bench {
    struct hf_node *node;
    int port;
    _Atomic bool stop;
    struct sample *samples;
    size_t n;
    unsigned failed;
    char *bytes, *digit; /* of the component, and where in it the version is */
    size_t len;
    char path[64];
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "change_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        (void)!pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *serve(void *arg)
{
    struct bench *b = arg;
    struct hf_words msg;
    pin(0);
    if (hf_node_run(b->node, &msg) != HF_STATUS_OK)
        fprintf(stderr, "change_bench: run: %s\n", msg.text);
    return NULL;
}

static int connect_to(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0, "connect");
    return fd;
}

/* The answer is whole: true. One that is none is a failure. */
static bool whole(struct bench *b, const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.1 200", strlen(answer) < 12 ? strlen(answer) : 12) != 0 ||
        (body != NULL && strncmp(body + 4, "version-", strlen(body + 4) < 8 ? strlen(body + 4) : 8) != 0)) {
        b->failed++;
        return true;
    }
    return body != NULL && strlen(body + 4) == strlen("version-1");
}

static void *load(void *arg)
{
    struct bench *b = arg;
    struct epoll_event events[CONNECTIONS];
    uint64_t begun[CONNECTIONS];
    int fds[CONNECTIONS], poller = epoll_create1(0);
    static char answers[CONNECTIONS][1024];
    size_t have[CONNECTIONS] = {0};
    pin(1);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        fds[i] = connect_to(b->port);
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        must(epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &e) == 0, "epoll");
        begun[i] = now_ns();
        must(write(fds[i], ask, sizeof ask - 1) == (ssize_t)sizeof ask - 1, "write");
    }
    while (!b->stop) {
        int n = epoll_wait(poller, events, CONNECTIONS, 100);
        for (int k = 0; k < n; k++) {
            unsigned i = events[k].data.u32;
            ssize_t got = read(fds[i], answers[i] + have[i], sizeof answers[i] - 1 - have[i]);
            uint64_t now = now_ns();
            if (got > 0) {
                have[i] += (size_t)got;
                answers[i][have[i]] = 0;
                if (!whole(b, answers[i]))
                    continue;
            } else {
                b->failed++;
                close(fds[i]);
                fds[i] = connect_to(b->port);
                struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
                must(epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &e) == 0, "epoll");
            }
            have[i] = 0;
            if (b->n < SAMPLES_MAX)
                b->samples[b->n++] = (struct sample){now, (uint32_t)(now - begun[i])};
            begun[i] = now;
            must(write(fds[i], ask, sizeof ask - 1) == (ssize_t)sizeof ask - 1, "write");
        }
    }
    for (unsigned i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    close(poller);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Microseconds; 0 when there is nothing. */
static double p99(const struct bench *b, uint64_t from, uint64_t to, size_t *count)
{
    uint32_t *all = malloc((b->n + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->samples[i].end_ns >= from && b->samples[i].end_ns < to)
            all[n++] = b->samples[i].took_ns;
    qsort(all, n, sizeof *all, compare);
    double us = n == 0 ? 0 : all[n - 1 - n / 100] / 1e3;
    free(all);
    *count = n;
    return us;
}

static void read_guest(struct bench *b, const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/c-versions.wasm", folder);
    FILE *f = fopen(path, "rb");
    must(f != NULL && fseek(f, 0, SEEK_END) == 0, path);
    b->len = (size_t)ftell(f);
    rewind(f);
    b->bytes = malloc(b->len);
    must(fread(b->bytes, 1, b->len, f) == b->len, path);
    fclose(f);
    b->digit = memmem(b->bytes, b->len, "version-1", 9);
    must(b->digit != NULL, "c-versions has no version");
    b->digit += 8;
}

static void write_file(const struct bench *b)
{
    FILE *f = fopen(b->path, "wb");
    must(f != NULL && fwrite(b->bytes, 1, b->len, f) == b->len && fclose(f) == 0, b->path);
}

static double median(double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            if (v[k] < v[i]) {
                double x = v[i];
                v[i] = v[k];
                v[k] = x;
            }
    return n == 0 ? 0 : v[n / 2];
}

/* Of the second's windows: how many had a p99 over twice `usual` (or no answer at all), and the worst one's p99. */
static unsigned slow_windows_of(const struct bench *b, uint64_t from, double usual, double *worst)
{
    unsigned slow = 0;
    *worst = 0;
    for (unsigned w = 0; w < WINDOWS; w++) {
        size_t n;
        double us = p99(b, from + w * (SECOND / WINDOWS), from + (w + 1) * (SECOND / WINDOWS), &n);
        *worst = us > *worst ? us : *worst;
        slow += n == 0 || us > 2 * usual;
    }
    return slow;
}

/* One row of the table: the median of all changes, and the worst where it says so. */
static bool measure(const char *folder, bool cached, bool deploy, unsigned changes)
{
    struct bench b = {0};
    struct hf_node_options no;
    struct hf_service_options so;
    struct hf_words msg;
    char bound[128];
    pthread_t server, client;
    uint64_t at[64];
    double apply_ms[64], before[64], after[64], worst = 0, ratios[64], one;
    unsigned slow_windows = 0, most_slow = 0, slow_before = 0;
    size_t n, total = 0;
    read_guest(&b, folder);
    b.samples = malloc(SAMPLES_MAX * sizeof *b.samples);
    must(b.samples != NULL, "memory");
    strcpy(b.path, "/tmp/hf-change-bench-XXXXXX");
    close(mkstemp(b.path));
    write_file(&b);
    hf_node_options_init(&no);
    no.workers = 1;
    no.quiet = true;
    no.no_cache = !cached;
    must(hf_node_open(&no, &b.node, &msg) == HF_STATUS_OK, msg.text);
    hf_service_options_init(&so);
    so.name = "s";
    so.path = b.path;
    for (int k = 0; k < 2 && cached; k++) { /* both are compiled before it counts */
        *b.digit = (char)('1' + k);
        write_file(&b);
        must(hf_node_apply(b.node, &so, 1, &msg) == HF_STATUS_OK, msg.text);
    }
    must(hf_node_apply(b.node, &so, 1, &msg) == HF_STATUS_OK, msg.text);
    must(hf_node_listen(b.node, "127.0.0.1:0", bound, &msg) == HF_STATUS_OK, msg.text);
    b.port = atoi(strrchr(bound, ':') + 1);
    pthread_create(&server, NULL, serve, &b);
    pthread_create(&client, NULL, load, &b);
    sleep(1);
    for (unsigned i = 0; i < changes; i++) {
        sleep(1);
        *b.digit = (char)('1' + (cached ? i % 2 : i));
        at[i] = now_ns();
        enum hf_status st = HF_STATUS_OK;
        if (deploy) {
            st = hf_node_deploy(b.node, "s", b.bytes, b.len, &msg);
        } else {
            write_file(&b);
            st = hf_node_apply(b.node, &so, 1, &msg);
        }
        apply_ms[i] = (double)(now_ns() - at[i]) / 1e6;
        must(st == HF_STATUS_OK, msg.text);
        sleep(1);
    }
    b.stop = true;
    pthread_join(client, NULL);
    hf_node_stop(b.node);
    pthread_join(server, NULL);
    hf_node_close(b.node);
    unlink(b.path);
    for (unsigned i = 0; i < changes; i++) {
        before[i] = p99(&b, at[i] - SECOND, at[i], &n);
        after[i] = p99(&b, at[i], at[i] + SECOND, &total);
        ratios[i] = before[i] > 0 ? after[i] / before[i] : 0;
        slow_before += slow_windows_of(&b, at[i] - SECOND, before[i], &one);
        unsigned slow = slow_windows_of(&b, at[i], before[i], &one);
        worst = one > worst ? one : worst;
        slow_windows += slow;
        if (slow > most_slow)
            most_slow = slow;
    }
    double ms = median(apply_ms, changes), us = median(before, changes), us_after = median(after, changes), ratio = median(ratios, changes);
    printf("| %s, code %s | %u | %zu | %.0f | %.0f | %.2f | %.0f | %u (%u) | %u | %u | %.1f |\n", deploy ? "deploy" : "reload",
           cached ? "cached" : "compiled", changes, b.n, us, us_after, ratio, worst, slow_windows * WINDOW_MS / changes,
           most_slow * WINDOW_MS, slow_before * WINDOW_MS / changes, b.failed, ms);
    fflush(stdout);
    bool ok = b.failed == 0;
    free(b.samples);
    free(b.bytes);
    return ok;
}

int main(int argc, char **argv)
{
    unsigned changes = argc > 2 ? (unsigned)atoi(argv[2]) : 8;
    if (argc < 2 || changes == 0 || changes > 64) {
        fprintf(stderr, "usage: change_bench GUESTS-FOLDER [CHANGES (1 to 64)]\n");
        return 2;
    }
    printf("| change | changes | answers | p99 us, second before | second after its begin | ratio | worst 100 ms, us | ms "
           "with p99 over 2x, of 1000 (most) | the same before it | failed | change takes ms |\n"
           "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    bool ok = measure(argv[1], true, false, changes);
    ok &= measure(argv[1], true, true, changes);
    ok &= measure(argv[1], false, true, changes < 9 ? changes : 9);
    return ok ? 0 : 1;
}
