/* kv_bench.c - durable sets per second: 64 writers on two threads, each waits for its answer, 100 bytes into one of 100,000 keys. First they make
 * 200,000 keys, which includes their way from the log into the tables; then the store is opened anew, and each of the 100,000 is set once.
 *
 * Yardstick: the same disk's group rate, 64 records of 128 bytes appended to a file and fdatasync, which no store that keeps its
 * promise to 64 waiting writers can beat. The two are measured in short turns, because a disk's speed changes from one second to the next: each
 * turn of ours is divided by the mean of the raw ones before and after it. Medians are printed.
 *
 *   kv_bench DIR [SECONDS]     of each, 5 by default. DIR: on the disk to measure; what it makes there it removes
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/wake.h"
#include "store/kv.h"

enum { THREADS = 2, WRITERS = 32, TURNS = 20, KEYS = 100000, MADE = 200000, VALUE = 100, RECORD = 128 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bytes that this process gave to write calls so far. */
static uint64_t written(void)
{
    char text[512] = "";
    int fd = open("/proc/self/io", O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    const char *at = n > 0 ? strstr(text, "wchar: ") : NULL;
    return at != NULL ? strtoull(at + 7, NULL, 10) : 0;
}

struct writer {
    struct thread *t;
    struct hf_kv_op op;
    char key[16], value[VALUE];
};
struct thread {
    pthread_t id;
    unsigned index;
    struct hf_kv *first, *kv;
    struct hf_kv_bucket *bucket;
    struct writer writers[WRITERS];
    uint64_t chance, done;
    unsigned busy, make, made; /* keys to make; 0: it sets any of them until the time is over */
    double until;
};

static void next(struct writer *w);

static void on_done(struct hf_kv_op *op)
{
    struct writer *w = op->ctx;
    HF_ASSERT(op->r.refusal == HF_KV_NONE);
    hf_kv_end(w->t->kv, op);
    w->t->busy--;
    w->t->done++;
    if (w->t->make > 0 ? w->t->made < w->t->make : now() < w->t->until)
        next(w);
}

static void next(struct writer *w)
{
    uint64_t z = w->t->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    unsigned key = (unsigned)((z ^ z >> 27) % KEYS);
    if (w->t->make > 0) /* each once, in no order */
        key = (unsigned)((uint64_t)(w->t->made++ * THREADS + w->t->index) * 48271 % (w->t->make * THREADS));
    int n = snprintf(w->key, sizeof w->key, "key-%06u", key);
    w->op = (struct hf_kv_op){.kind = HF_KV_SET,
                              .bucket = w->t->bucket,
                              .key = hf_view(w->key, (size_t)n),
                              .value = hf_view(w->value, VALUE),
                              .done = on_done,
                              .ctx = w};
    HF_ASSERT(hf_kv_begin(w->t->kv, &w->op) == HF_AGAIN);
    w->t->busy++;
}

static void *write_all(void *arg)
{
    struct thread *t = arg;
    struct hf_wake *wake;
    HF_ASSERT(hf_wake_new(&wake, NULL) == HF_OK && hf_kv_sqlite_door(t->first, wake, &t->kv) == HF_OK);
    for (unsigned i = 0; i < WRITERS; i++) {
        t->writers[i].t = t;
        next(&t->writers[i]);
    }
    while (t->busy > 0) {
        if (hf_wake_sleep(wake)) {
            struct pollfd p = {.fd = hf_wake_fd(wake), .events = POLLIN};
            poll(&p, 1, -1);
            hf_wake_awake(wake);
        }
        hf_wake_deliver_all(wake);
    }
    hf_kv_close(t->kv);
    hf_wake_deliver_all(wake);
    hf_wake_free(wake);
    return NULL;
}

/* For so many seconds, or until so many keys are made. *bytes: what was written for a set. */
static double store_rate(struct hf_kv *first, double seconds, unsigned make, uint64_t seed, double *bytes)
{
    static struct thread threads[THREADS];
    double begun = now();
    uint64_t done = 0, before = written();
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){
            .first = first, .index = i, .make = make / THREADS, .chance = seed + i, .until = begun + seconds};
        HF_ASSERT(hf_kv_bucket(first, HF_VIEW("bench"), HF_VIEW("b"), &threads[i].bucket) == HF_OK);
        HF_ASSERT(pthread_create(&threads[i].id, NULL, write_all, &threads[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, NULL);
        done += threads[i].done;
    }
    double rate = (double)done / (now() - begun);
    *bytes = (double)(written() - before) / (double)done;
    return rate;
}

static double raw_rate(const char *path, double seconds)
{
    static uint8_t group[THREADS * WRITERS * RECORD];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    double begun = now();
    uint64_t groups = 0;
    HF_ASSERT(fd >= 0);
    for (; now() < begun + seconds; groups++) {
        memset(group, (int)groups, sizeof group);
        HF_ASSERT(write(fd, group, sizeof group) == (ssize_t)sizeof group && fdatasync(fd) == 0);
    }
    double rate = (double)(groups * THREADS * WRITERS) / (now() - begun);
    close(fd);
    unlink(path);
    return rate;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"holdfast.db", "holdfast.db-wal", "holdfast.db-shm", "holdfast.lock"};
    double seconds = (argc > 2 ? atof(argv[2]) : 5) / TURNS, made, made_bytes;
    double store[TURNS], raw[TURNS + 1], bytes[TURNS], ratio[TURNS];
    char dir[256], path[300];
    struct hf_kv_limits limits = {0};
    struct hf_report report = {0};
    struct hf_kv *first = NULL;

    snprintf(dir, sizeof dir, "%s/hf-kv-bench-XXXXXX", argc > 1 ? argv[1] : ".");
    if (mkdtemp(dir) == NULL || hf_kv_sqlite_open(dir, &limits, 42, (struct hf_kv_ear){0}, &first, &report) != HF_OK) {
        fprintf(stderr, "%s: %s\n", dir, report.text);
        return 1;
    }
    snprintf(path, sizeof path, "%s/raw", dir);
    made = store_rate(first, 0, MADE, 1, &made_bytes);
    hf_kv_close(first);
    HF_ASSERT(hf_kv_sqlite_open(dir, &limits, 42, (struct hf_kv_ear){0}, &first, &report) == HF_OK);
    store_rate(first, 0, KEYS, 1, &bytes[0]); /* not measured: the tables are asked for each */
    raw[0] = raw_rate(path, seconds);
    for (unsigned i = 0; i < TURNS; i++) {
        store[i] = store_rate(first, seconds, 0, 100 + 10 * i, &bytes[i]);
        raw[i + 1] = raw_rate(path, seconds);
        ratio[i] = store[i] * 2 / (raw[i] + raw[i + 1]);
    }
    hf_kv_close(first);
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    qsort(store, TURNS, sizeof *store, ascending);
    qsort(bytes, TURNS, sizeof *bytes, ascending);
    qsort(raw, TURNS + 1, sizeof *raw, ascending);
    qsort(ratio, TURNS, sizeof *ratio, ascending);
    printf("durable sets by 64 writers: %.0f/s; raw append + fdatasync of 64 records: %.0f/s; ratio %.2f (a quarter of the turns: "
           "below %.2f); %.0f bytes written for a set\nnew keys: %.0f/s; %.0f bytes written for a key\n",
           store[TURNS / 2], raw[TURNS / 2], ratio[TURNS / 2], ratio[TURNS / 4], bytes[TURNS / 2], made, made_bytes);
    return 0;
}
