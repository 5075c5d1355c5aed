/* image_bench.c - what images cost with real guests: a new instance, one made of an image, taking,
 * saving, reading, and the reset in place after a request.
 *
 *     image_bench [GUEST...]     names below build/guests (or HF_GUESTS); default c-hello,
 * rust-hello, js-hello, python-hello
 *
 * One thread, medians of ROUNDS, microseconds. The yardstick is memcpy of as many bytes as were
 * copied, from and to memory that is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/head.h"
#include "component/image_int.h"
#include "host/service_int.h"
#include "kernel/kernel.h"

#define ROUNDS 41

static struct hf_engine *engine;
static struct hf_registry *registry;
static struct hf_scanner *scanner;
static struct hf_report report;

static void must(enum hf_err err, const char *what)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "image_bench: %s: %s: %s\n", what, hf_err_text(err), report.text);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct row {
    double us[ROUNDS];
    uint64_t pages; /* copied, for the yardstick */
};

static double median(struct row *r)
{
    qsort(r->us, ROUNDS, sizeof r->us[0], by_size);
    return r->us[ROUNDS / 2];
}

static double memcpy_us(uint64_t pages)
{
    struct row r = {0};
    size_t len = pages == 0 ? 1 : (size_t)pages * hf_memimage_page();
    uint8_t *from = malloc(len), *to = malloc(len);
    if (from == NULL || to == NULL)
        exit(1);
    memset(from, 1, len);
    memset(to, 2, len);
    for (int i = 0; i < ROUNDS; i++) {
        double t = now_us();
        memcpy(to, from, len);
        __asm__ volatile("" : : "r"(to) : "memory");
        r.us[i] = now_us() - t;
    }
    free(from);
    free(to);
    return median(&r);
}

static void print(const char *what, struct row *r)
{
    double us = median(r);
    printf("  %-44s %10.1f us", what, us);
    if (r->pages > 0) {
        double yard = memcpy_us(r->pages);
        printf("   %6llu pages, memcpy of them %8.1f us: %.1fx", (unsigned long long)r->pages, yard,
               us / yard);
    }
    printf("\n");
}

/* ---- a request in a real kernel ---- */

static struct hf_guest *served;

static enum hf_end serve_turn(void *state, struct hf_turn *turn)
{
    served = state;
    return hf_service_behaviour.turn(state, turn);
}

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    (void)port, (void)tag;
    if (a->kind != HF_ANSWER_OK)
        fprintf(stderr, "image_bench: %s: %s\n", hf_answer_text(a->kind), (char *)a->body.ptr);
    hf_buf_done(&a->body);
    hf_blob_unref(a->blob);
    a->blob = NULL;
}

static void request(struct hf_kernel *k, struct hf_port *port)
{
    struct hf_post p = {.target = HF_VIEW("s"), .port = port};
    struct hf_head_writer w;
    uint64_t id;
    struct hf_os *os = hf_os_linux();
    must(hf_head_begin_request(&w, &p.body,
                               HF_HEAD_HAS_SCHEME | HF_HEAD_HAS_AUTHORITY | HF_HEAD_HAS_PATH |
                                   HF_HEAD_NO_BODY,
                               HF_VIEW("GET"), HF_VIEW("http"), HF_VIEW("h"), HF_VIEW("/")),
         "head");
    hf_head_end(&w);
    must(hf_port_post(k, &p, &id), "post");
    do
        while (hf_kernel_step(k, os->now_ns(os)) == HF_OK)
            ;
    while (hf_kernel_flush(k) > 0);
}

/* ---- the rows ---- */

struct bench {
    struct hf_component *c;
    struct hf_service *svc;
    struct hf_service_worker *worker;
    struct hf_guest host; /* whom instances made here belong to */
};

static void start(struct bench *b, struct hf_instance **ret)
{
    struct hf_instance_settings s = {.ctx = &b->host};
    must(hf_instance_new(b->c, &s, ret, &report), "new");
    must(hf_instance_start(*ret), "start");
    enum hf_err err;
    while ((err = hf_instance_poll(*ret)) == HF_AGAIN)
        ;
    must(err, "start");
}

static uint64_t pages_of(const struct hf_image *img)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < img->n_memories; i++) {
        size_t at = 0, n;
        bool zero;
        for (; hf_memimage_next(img->memories[i], &at, &n, &zero); at += n)
            sum += zero ? 0 : n;
    }
    return sum;
}

static void bench_new(struct bench *b)
{
    struct row fresh = {0}, made = {0}, gone = {0};
    struct hf_instance *inst;
    struct hf_image *img;
    start(b, &inst);
    must(hf_image_take_written(inst, scanner, &img, &report), "take");
    hf_instance_free(inst);
    for (int i = 0; i < ROUNDS; i++) {
        struct hf_instance_settings s = {.ctx = &b->host};
        double t = now_us();
        start(b, &inst);
        fresh.us[i] = now_us() - t;
        t = now_us();
        hf_instance_free(inst);
        gone.us[i] = now_us() - t;
        t = now_us();
        must(hf_image_load(img, &s, &inst, &report), "load");
        made.us[i] = now_us() - t;
        hf_instance_free(inst);
    }
    made.pages = pages_of(img);
    print("new instance, its start run", &fresh);
    print("new instance, made of the image after start", &made);
    print("its end", &gone);
    hf_image_unref(img);
}

static void bench_keep(struct bench *b, struct hf_instance *inst)
{
    struct row take = {0}, save = {0}, parse = {0}, load = {0};
    struct hf_instance_settings s = {.ctx = &b->host};
    size_t bytes = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct hf_image *img, *again;
        struct hf_instance *copy;
        struct hf_buf buf = {0};
        double t = now_us();
        must(hf_image_take_written(inst, scanner, &img, &report), "take");
        take.us[i] = now_us() - t;
        t = now_us();
        must(hf_image_save_buf(img, &buf, &report), "save");
        save.us[i] = now_us() - t;
        t = now_us();
        must(hf_image_parse(b->c, hf_buf_view(&buf), &again, &report), "parse");
        parse.us[i] = now_us() - t;
        t = now_us();
        must(hf_image_load(again, &s, &copy, &report), "load");
        load.us[i] = now_us() - t;
        take.pages = save.pages = parse.pages = load.pages = pages_of(img);
        bytes = buf.len;
        hf_instance_free(copy);
        hf_image_unref(img);
        hf_image_unref(again);
        hf_buf_done(&buf);
    }
    print("image of it after a request, taken", &take);
    print("  written to memory", &save);
    print("  read", &parse);
    print("  made an instance", &load);
    printf("  %-44s %10zu bytes\n", "  size", bytes);
}

static void bench_reset(struct bench *b, struct hf_kernel *k, struct hf_port *port)
{
    struct row reset = {0};
    struct hf_instance *template_inst;
    struct hf_image *img;
    struct hf_reset_stats stats;
    start(b, &template_inst);
    must(hf_image_take(template_inst, &img, &report), "take");
    for (int i = -3; i < ROUNDS; i++) {
        const char *why;
        request(k, port);
        stats = (struct hf_reset_stats){0};
        double t = now_us();
        enum hf_err err = hf_instance_reset(served->inst, img, scanner, 0, &stats, &why);
        if (err != HF_OK) {
            printf("  %-44s %s\n", "reset in place after a request: not possible", why);
            hf_image_unref(img);
            hf_instance_free(template_inst);
            return;
        }
        if (i >= 0)
            reset.us[i] = now_us() - t;
    }
    reset.pages = stats.pages_copied;
    print("reset in place after a request", &reset);
    hf_image_unref(img);
    hf_instance_free(template_inst);
}

static bool read_file(const char *name, struct hf_buf *ret)
{
    const char *dir = getenv("HF_GUESTS");
    char path[512];
    snprintf(path, sizeof path, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    FILE *f = fopen(path, "rb");
    uint8_t chunk[65536];
    size_t n;
    if (f == NULL) {
        printf("%s: not here\n", path);
        return false;
    }
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        must(hf_buf_add(ret, chunk, n), "reading");
    fclose(f);
    return true;
}

static void bench_guest(const char *name)
{
    static const struct hf_services services = {0};
    struct bench b = {0};
    struct hf_buf bytes = {0};
    struct hf_services sv = services;
    struct hf_behaviour behaviour = hf_service_behaviour;
    struct hf_port port = {.answer = on_answer};
    struct hf_kernel *k;
    struct hf_class *class;
    if (!read_file(name, &bytes))
        return;
    must(hf_component_load(engine, registry, hf_buf_view(&bytes), NULL, &b.c, &report), name);
    hf_buf_done(&bytes);
    sv.os = hf_os_linux();
    struct hf_service_settings ss = {.name = "s", .component = b.c, .services = &sv};
    must(hf_service_new(&ss, &b.svc, &report), name);
    struct hf_os *os = hf_os_linux();
    struct hf_os_poller *poller = NULL;
    struct hf_wake *wake = NULL;
    struct hf_io io; /* nothing here waits for a descriptor */
    must(os->poller_new(os, &poller), "poller");
    must(hf_wake_new(&wake, &report), "wake");
    hf_io_init(&io, os, poller, wake, NULL);
    must(hf_service_worker_new(b.svc, &io, &b.worker, &report), name);
    b.host = (struct hf_guest){.worker = b.worker, .pool = &b.worker->pool};
    hf_list_init(&b.host.objects);
    hf_list_init(&b.host.lazy);
    printf("%s: %zu core instances, %zu memories\n", name, hf_component_n_core_instances(b.c),
           hf_component_n_memories(b.c));
    bench_new(&b);
    behaviour.turn = serve_turn;
    struct hf_class_settings cs = {.behaviour = &behaviour, .ctx = b.worker, .max = 1};
    must(hf_kernel_new(&(struct hf_kernel_settings){0}, &k), "kernel");
    must(hf_class_add(k, "s", &cs, &class, &report), "class");
    bench_reset(&b, k, &port);
    hf_kernel_free(k);
    must(hf_kernel_new(&(struct hf_kernel_settings){0}, &k), "kernel");
    must(hf_class_add(k, "s", &cs, &class, &report), "class");
    request(k, &port);
    bench_keep(&b, served->inst);
    hf_kernel_free(k);
    hf_service_worker_free(b.worker);
    hf_io_collect(&io);
    os->poller_free(poller);
    hf_wake_free(wake);
    hf_service_free(b.svc);
    hf_component_unref(b.c);
}

int main(int argc, char **argv)
{
    static const char *const usual[] = {"c-hello", "rust-hello", "js-hello", "python-hello"};
    struct hf_engine_settings es;
    hf_engine_process_init();
    hf_engine_settings_init(&es);
    const char *dir = getenv("HF_TEST_CACHE");
    es.cache_dir = dir != NULL ? dir : "build/code-cache";
    must(hf_engine_new(&es, &engine, &report), "engine");
    must(hf_host_registry(&registry, &report), "registry");
    must(hf_scanner_new(&scanner, &report), "scanner");
    if (argc < 2)
        for (size_t i = 0; i < HF_ARRAY_LEN(usual); i++)
            bench_guest(usual[i]);
    for (int i = 1; i < argc; i++)
        bench_guest(argv[i]);
    hf_scanner_free(scanner);
    hf_registry_free(registry);
    hf_engine_free(engine);
    return 0;
}
