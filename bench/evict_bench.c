/* evict_bench.c - what named processes of a guest take: in memory, evicted, spawned, and very many
 * of them through room for few, with the node's spill file and job threads.
 *
 *     evict_bench [NAMES [RESIDENT]]     default 100000 and 4900; guest: build/guests/c-tally
 *
 * One worker's kernel on this thread. Times are wall clock of the machine as it is, but where CPU is said; bytes are what
 * the system and the allocator say. RESIDENT 0: the first rows alone.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "component/image_int.h"
#include "host/service_int.h"
#include "kernel/named.h"
#include "node/spill.h"

static struct hf_engine *engine;
static struct hf_registry *registry;
static struct hf_report report;

static void must(enum hf_err err, const char *what)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "evict_bench: %s: %s: %s\n", what, hf_err_text(err), report.text);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct used { /* by this thread */
    double cpu_us, user_us;
    long faults;
};

static struct used used(void)
{
    struct rusage r;
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    getrusage(RUSAGE_THREAD, &r);
    return (struct used){(double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3,
                         (double)r.ru_utime.tv_sec * 1e6 + (double)r.ru_utime.tv_usec, r.ru_minflt};
}

static double private_kb(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[200];
    double sum = 0, one;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Private_Dirty: %lf", &one) == 1)
            sum += one;
    if (f != NULL)
        fclose(f);
    return sum;
}

static double heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
}

struct bench {
    struct hf_component *c;
    struct hf_service *svc;
    struct hf_service_worker *worker;
    struct hf_jobs *jobs;
    struct hf_wake *wake;
    struct hf_os_poller *poller;
    struct hf_io io;
    struct hf_kernel *k;
    struct hf_spill_file *spill;
    struct hf_port port;
    uint64_t told, wrong, want;
};

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct bench *b = HF_CONTAINER_OF(port, struct bench, port);
    char text[64];
    int n = snprintf(text, sizeof text, "tally/%llu %llu", (unsigned long long)(uintptr_t)tag,
                     (unsigned long long)b->want);
    if (a->kind != HF_ANSWER_OK || !hf_view_eq(hf_buf_view(&a->body), hf_view(text, (size_t)n))) {
        if (b->wrong++ == 0)
            fprintf(stderr, "evict_bench: wanted %s, got %s %.*s\n", text, hf_answer_text(a->kind),
                    HF_FMT(hf_buf_view(&a->body)));
    }
    b->told++;
}

static void work(struct bench *b)
{
    struct hf_os *os = hf_os_linux();
    hf_wake_deliver_all(b->wake);
    while (hf_kernel_step(b->k, os->now_ns(os)) == HF_OK) {
    }
    hf_kernel_flush(b->k);
}

static void post(struct bench *b, uint64_t i)
{
    char name[32];
    int n = snprintf(name, sizeof name, "tally/%llu", (unsigned long long)i);
    struct hf_post p = {.target = hf_view(name, (size_t)n),
                        .port = &b->port,
                        .tag = (void *)(uintptr_t)i};
    uint64_t id;
    must(hf_port_post(b->k, &p, &id), "post");
}

/* A message each, `many` at a time. */
static double ask(struct bench *b, uint64_t from, uint64_t to, uint64_t many)
{
    double t = now_us();
    uint64_t told = b->told, posted = 0;
    for (uint64_t i = from; i < to || b->told - told < posted;) {
        for (; i < to && posted - (b->told - told) < many; i++, posted++)
            post(b, i);
        work(b);
    }
    return now_us() - t;
}

static void load_guest(struct bench *b, const char *path)
{
    struct hf_buf bytes = {0};
    uint8_t chunk[65536];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        printf("%s: not here\n", path);
        exit(0);
    }
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        must(hf_buf_add(&bytes, chunk, n), "reading");
    fclose(f);
    must(hf_component_load(engine, registry, hf_buf_view(&bytes), NULL, &b->c, &report), path);
    hf_buf_done(&bytes);
}

static uint64_t n_alone = 1000; /* processes of the first rows; HF_N */

static struct hf_service *looked_at;

static enum hf_end look_turn(void *state, struct hf_turn *turn)
{
    (void)turn;
    must(hf_service_take_image(looked_at, state, &report), "image");
    return HF_END_DONE;
}

/* The image of its class's start, as the node takes it. */
static void take_template(struct bench *b)
{
    struct hf_behaviour once = hf_service_behaviour;
    struct hf_named_settings ns = {.behaviour = &once, .ctx = b->worker};
    struct hf_class *class;
    struct hf_kernel *k;
    struct hf_post p = {.target = HF_VIEW("once"), .port = &b->port};
    uint64_t id;
    once.turn = look_turn;
    looked_at = b->svc;
    must(hf_kernel_new(&(struct hf_kernel_settings){0}, &k), "kernel");
    must(hf_named_class_add(k, "once", &ns, &class, &report), "class");
    must(hf_port_post(k, &p, &id), "post");
    struct hf_os *os = hf_os_linux();
    while (hf_kernel_step(k, os->now_ns(os)) == HF_OK) {
    }
    b->port.answer = on_answer;
    uint64_t wrong = b->wrong;
    b->wrong = 1; /* it is no answer that is looked at */
    hf_kernel_free(k);
    b->wrong = wrong;
    b->told = 0;
}

static struct hf_class *open_kernel(struct bench *b, uint32_t resident, uint32_t names, uint32_t warm)
{
    struct hf_kernel_settings ks = {
        .processes_max = 200000, .names_max = names + 10, .resident_max = resident};
    struct hf_spill_settings ss = {
        .folder = "/tmp", .max = UINT64_C(8) << 30, .jobs = b->jobs, .home = b->wake};
    struct hf_named_settings ns = {
        .behaviour = &hf_service_behaviour, .ctx = b->worker, .processes_max = names + 10, .warm = warm};
    struct hf_class *class;
    must(hf_kernel_new(&ks, &b->k), "kernel");
    must(hf_spill_file_new(&ss, &b->spill), "spill");
    hf_kernel_spill_to(b->k, &hf_spill_file_ops, b->spill);
    must(hf_named_class_add(b->k, "tally", &ns, &class, &report), "class");
    b->want = 1;
    b->told = b->wrong = 0;
    return class;
}

static void settle(struct bench *b)
{
    struct hf_evict_stats st;
    do {
        work(b);
        hf_kernel_evict_stats(b->k, &st);
    } while (st.moves > 0 || hf_kernel_next_ns(b->k) == 0);
}

static void close_kernel(struct bench *b)
{
    settle(b);
    hf_kernel_free(b->k);
    hf_wake_deliver_all(b->wake);
    hf_spill_file_free(b->spill);
}

/* All have been idle for a while. */
static void rest(struct bench *b)
{
    struct hf_os *os = hf_os_linux();
    for (int i = 0; i < 1000; i++)
        (void)hf_kernel_step(b->k, os->now_ns(os) + UINT64_C(1100000000));
    malloc_trim(0);
}

static void resident_rows(struct bench *b)
{
    uint64_t N = n_alone;
    struct hf_evict_stats st;
    open_kernel(b, 100000, 20000, 0);
    ask(b, 0, 100, 1);
    double kb = private_kb(), heap = heap_bytes();
    struct used u = used();
    ask(b, 100, 100 + N, 1);
    struct used v = used();
    double each = (private_kb() - kb) * 1024 / (double)N, of_heap = (heap_bytes() - heap) / (double)N;
    rest(b);
    double rested = (private_kb() - kb) * 1024 / (double)N;
    double rested_heap = (heap_bytes() - heap) / (double)N;
    b->want = 2;
    struct used w = used();
    ask(b, 100, 100 + N, 1);
    struct used x = used();
    double n = (double)N, warm = (x.cpu_us - w.cpu_us) / n;
    printf("  %-52s %8.1f us of CPU, %.1f of them user, %.1f page faults\n",
           "spawn, cold, by a first message (less a second one)", (v.cpu_us - u.cpu_us) / n - warm,
           (v.user_us - u.user_us - x.user_us + w.user_us) / n,
           (double)(v.faults - u.faults - x.faults + w.faults) / n);
    printf("  %-52s %8.1f us of CPU, %.1f page faults\n", "a message to one that is in memory",
           warm, (double)(x.faults - w.faults) / n);
    hf_kernel_evict_stats(b->k, &st);
    close_kernel(b);
    /* of its memory: what it changed, in pages */
    printf("  %-52s %8.0f bytes, %.0f of them the allocator's\n",
           "an idle one in memory: private pages", each, of_heap);
    printf("  %-52s %8.0f bytes, %.0f of them the allocator's\n", "the same, idle for more than a second",
           rested, rested_heap);
}

/* What the first message of a name costs that takes a spare, beside a second message; spares are made between. */
static void warm_row(struct bench *b)
{
    enum { N = 400 };
    struct hf_class_stats st;
    struct used sum = {0}, again = {0};
    struct hf_class *c = open_kernel(b, 100000, 20000, 1);
    for (uint64_t i = 0; i < N; i++) {
        work(b);
        post(b, i);
        struct used u = used();
        while (b->told == i) {
            must(hf_kernel_step(b->k, hf_os_linux()->now_ns(hf_os_linux())), "step");
            hf_kernel_flush(b->k);
        }
        struct used v = used();
        sum.cpu_us += v.cpu_us - u.cpu_us;
        sum.faults += v.faults - u.faults;
    }
    work(b);
    b->want = 2;
    struct used u = used();
    ask(b, 0, N, 1);
    struct used v = used();
    again.cpu_us = v.cpu_us - u.cpu_us;
    hf_class_get_stats(c, &st);
    printf("  %-52s %8.1f us of CPU, %.1f page faults; %llu of %d were ready\n", "spawn, warm (the same)",
           (sum.cpu_us - again.cpu_us) / N, (double)sum.faults / N, (unsigned long long)st.warm, N);
    close_kernel(b);
}

static void through_a_file(struct bench *b)
{
    enum { N = 400 };
    struct hf_evict_stats st;
    open_kernel(b, 1, N, 0);
    ask(b, 0, N, 1);
    b->want = 2;
    double t = ask(b, 0, N, 1);
    settle(b);
    hf_kernel_evict_stats(b->k, &st);
    printf("  %-52s %8.1f us\n", "a message to an evicted one, for which another goes", t / N);
    printf("  %-52s %8llu bytes\n", "in the file", (unsigned long long)(st.bytes / st.evicted));
    close_kernel(b);
}

static void very_many(struct bench *b, uint32_t names, uint32_t resident)
{
    struct hf_evict_stats st;
    open_kernel(b, resident, names, 0);
    double t = ask(b, 0, resident + 1000, 500);
    settle(b);
    double kb = private_kb(), heap = heap_bytes();
    printf("  %u in memory: %.0f MB private, %.1f us each\n", resident, kb / 1024,
           t / (resident + 1000));
    t = ask(b, resident + 1000, names, 500);
    settle(b);
    double each = (heap_bytes() - heap) / (names - resident - 1000);
    printf("  %u names: %.0f MB private, %.1f us each; %.0f bytes of the allocator's a name\n",
           names, private_kb() / 1024, t / (names - resident - 1000), each);
    b->want = 2;
    t = ask(b, 0, names, 500);
    settle(b);
    hf_kernel_evict_stats(b->k, &st);
    printf("  each messaged once more: %.0f MB private, %.1f us each; %llu revivals, %.0f MB in the "
           "file; wrong answers: %llu\n",
           private_kb() / 1024, t / names, (unsigned long long)st.revivals,
           (double)hf_spill_file_used(b->spill) / 1e6, (unsigned long long)b->wrong);
    close_kernel(b);
}

int main(int argc, char **argv)
{
    uint32_t names = argc > 1 ? (uint32_t)atoi(argv[1]) : 100000;
    uint32_t resident = argc > 2 ? (uint32_t)atoi(argv[2]) : 4900;
    struct bench b = {.port = {on_answer}};
    struct hf_engine_settings es;
    struct hf_services sv = {0};
    if (getenv("HF_N") != NULL)
        n_alone = strtoull(getenv("HF_N"), NULL, 10);
    hf_engine_process_init();
    hf_engine_settings_init(&es);
    const char *dir = getenv("HF_TEST_CACHE"), *guests = getenv("HF_GUESTS");
    char path[512];
    es.cache_dir = dir != NULL ? dir : "build/code-cache";
    es.instances_max = resident == 0 ? (uint32_t)(n_alone + 110) * 4 : 20000; /* as many as fit into the address space; 4 for each of this guest */
    must(hf_engine_new(&es, &engine, &report), "engine");
    must(hf_host_registry(&registry, &report), "registry");
    snprintf(path, sizeof path, "%s/c-tally.wasm", guests != NULL ? guests : "build/guests");
    load_guest(&b, path);
    sv.os = hf_os_linux();
    struct hf_service_settings ss = {
        .name = "tally", .component = b.c, .services = &sv, .process = HF_PROCESS_HANDLE};
    must(hf_service_new(&ss, &b.svc, &report), "service");
    must(sv.os->poller_new(sv.os, &b.poller), "poller");
    must(hf_wake_new(&b.wake, &report), "wake");
    must(hf_jobs_new(2, 0, &b.jobs, &report), "jobs");
    hf_io_init(&b.io, sv.os, b.poller, b.wake, b.jobs);
    must(hf_service_worker_new(b.svc, &b.io, &b.worker, &report), "worker");
    take_template(&b);
    printf("%s: %zu core instances, %zu memories\n", path, hf_component_n_core_instances(b.c),
           hf_component_n_memories(b.c));
    resident_rows(&b);
    warm_row(&b);
    if (resident > 0)
        through_a_file(&b);
    if (resident > 0)
        very_many(&b, names, resident);
    hf_jobs_free(b.jobs);
    hf_wake_deliver_all(b.wake);
    hf_service_worker_free(b.worker);
    hf_io_collect(&b.io);
    sv.os->poller_free(b.poller);
    hf_wake_free(b.wake);
    hf_service_free(b.svc);
    hf_component_unref(b.c);
    hf_registry_free(registry);
    hf_engine_free(engine);
    return b.wrong != 0;
}
