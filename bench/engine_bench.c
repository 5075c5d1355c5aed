/* engine_bench.c - what the engine room's steps cost, in nanoseconds, beside the figures of the
 * design.
 *
 * One thread, best of several rounds (what the machine can do) and their median (what it did). No
 * arguments.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"

#define ROUNDS 9

static struct hf_engine *engine;

static uint64_t now(void)
{
    return hf_os_linux()->now_ns(hf_os_linux());
}

static void die(const char *what, const struct hf_report *report)
{
    fprintf(stderr, "%s: %s\n", what, report->text);
    exit(1);
}

static struct hf_module *module_of(struct hf_engine *e, const char *text)
{
    struct hf_buf b = {0};
    struct hf_report report = {0};
    struct hf_module *m = NULL;
    if (hf_engine_wat(text, strlen(text), &b, &report) != HF_OK ||
        hf_module_load(e, hf_buf_view(&b), NULL, &m, NULL, &report) != HF_OK)
        die("module", &report);
    hf_buf_done(&b);
    return m;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs `body` n times a round. */
static void measure(const char *what, const char *design, unsigned n,
                    void (*body)(void *ctx, unsigned n), void *ctx)
{
    double ns[ROUNDS];
    body(ctx, n / 10 + 1);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = now();
        body(ctx, n);
        ns[i] = (double)(now() - start) / n;
    }
    qsort(ns, ROUNDS, sizeof ns[0], compare);
    printf("%-58s %10.1f %10.1f   %s\n", what, ns[0], ns[ROUNDS / 2], design);
    fflush(stdout);
}

/* ---- calls ---- */

struct bench {
    struct hf_store *store;
    struct hf_module *module;
    struct hf_core core;
    struct hf_func nothing, loop, waits;
    unsigned n;
};

static enum hf_err import_nothing(void *env, union hf_val *vals)
{
    (void)env, (void)vals;
    return HF_OK;
}

static enum hf_err import_wait(void *env, union hf_val *vals)
{
    (void)vals;
    return hf_store_block(((struct bench *)env)->store);
}

static struct hf_func func_of(struct bench *b, const char *name)
{
    struct hf_extern e;
    struct hf_func f = {0};
    if (!hf_core_export(b->store, &b->core, hf_view_of(name), &e) || !hf_extern_func(&e, &f))
        exit(2);
    return f;
}

/* Not inlined: each has a report, which is 4 KiB of stack. */
static __attribute__((noinline)) void bench_new(struct bench *b)
{
    static const struct hf_functype none = {0};
    struct hf_report report = {0};
    struct hf_func f[2];
    struct hf_extern e[2];
    if (hf_store_new(engine, NULL, &b->store, &report) != HF_OK)
        die("store", &report);
    b->module = module_of(
        engine,
        "(module (import \"h\" \"nothing\" (func $n)) (import \"h\" \"wait\" (func $w))"
        "  (func (export \"nothing\"))"
        "  (func (export \"loop\") (param i32)"
        "    (loop (call $n) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
        "  (func (export \"waits\") (call $w)))");
    if (hf_func_new(b->store, &none, import_nothing, b, &f[0]) != HF_OK ||
        hf_func_new(b->store, &none, import_wait, b, &f[1]) != HF_OK)
        exit(2);
    hf_extern_of_func(&f[0], &e[0]);
    hf_extern_of_func(&f[1], &e[1]);
    if (hf_core_new(b->store, b->module, e, 2, &b->core, &report) != HF_OK)
        die("instance", &report);
    b->nothing = func_of(b, "nothing");
    b->loop = func_of(b, "loop");
    b->waits = func_of(b, "waits");
}

static enum hf_err drive_nothing(void *ctx)
{
    (void)ctx;
    return HF_OK;
}

static void empty_drivers(void *ctx, unsigned n)
{
    struct bench *b = ctx;
    while (n-- > 0)
        if (hf_store_start(b->store, drive_nothing, b) != HF_OK || hf_store_poll(b->store) != HF_OK)
            exit(2);
}

static enum hf_err drive_wait(void *ctx)
{
    struct bench *b = ctx;
    union hf_val v[1];
    return hf_store_call(b->store, &b->waits, v, 1);
}

static void waiting_drivers(void *ctx, unsigned n)
{
    struct bench *b = ctx;
    while (n-- > 0)
        if (hf_store_start(b->store, drive_wait, b) != HF_OK ||
            hf_store_poll(b->store) != HF_AGAIN || hf_store_poll(b->store) != HF_OK)
            exit(2);
}

static enum hf_err drive_blocks(void *ctx)
{
    struct bench *b = ctx;
    for (unsigned i = 0; i < b->n; i++)
        if (hf_store_block(b->store) != HF_OK)
            exit(2);
    return HF_OK;
}

static void blocks(void *ctx, unsigned n)
{
    struct bench *b = ctx;
    b->n = n;
    if (hf_store_start(b->store, drive_blocks, b) != HF_OK)
        exit(2);
    while (hf_store_poll(b->store) == HF_AGAIN)
        ;
}

static enum hf_err drive_calls(void *ctx)
{
    struct bench *b = ctx;
    for (unsigned i = 0; i < b->n; i++)
        if (hf_store_call(b->store, &b->nothing, NULL, 0) != HF_OK)
            exit(2);
    return HF_OK;
}

static void run(struct bench *b, hf_driver_fn fn)
{
    enum hf_err err;
    if (hf_store_start(b->store, fn, b) != HF_OK)
        exit(2);
    while ((err = hf_store_poll(b->store)) == HF_AGAIN)
        ;
    if (err != HF_OK)
        exit(2);
}

static void calls(void *ctx, unsigned n)
{
    struct bench *b = ctx;
    b->n = n;
    run(b, drive_calls);
}

static void calls_off_fiber(void *ctx, unsigned n)
{
    struct bench *b = ctx;
    while (n-- > 0)
        if (hf_store_call(b->store, &b->nothing, NULL, 0) != HF_OK)
            exit(2);
}

static enum hf_err drive_imports(void *ctx)
{
    struct bench *b = ctx;
    union hf_val v[1] = {{.u32 = b->n}};
    return hf_store_call(b->store, &b->loop, v, 1);
}

static void imports(void *ctx, unsigned n)
{
    struct bench *b = ctx;
    b->n = n;
    run(b, drive_imports);
}

static void new_imports(void *ctx, unsigned n)
{
    static const enum hf_core_type i32s[] = {HF_I32, HF_I32, HF_I32};
    static const struct hf_functype t = {
        .n_params = 3, .n_results = 1, .params = i32s, .results = i32s};
    struct hf_store *store;
    struct hf_func f;
    (void)ctx;
    if (hf_store_new(engine, NULL, &store, NULL) != HF_OK)
        exit(2);
    while (n-- > 0)
        if (hf_func_new(store, &t, import_nothing, NULL, &f) != HF_OK)
            exit(2);
    hf_store_free(store);
}

/* ---- instances ---- */

struct making {
    struct hf_engine *engine;
    struct hf_module *module;
    unsigned touch; /* pages written */
};

/* 1.1 MiB, some of it with initial bytes. */
static const char memory_text[] =
    "(module (memory (export \"m\") 18) (data (i32.const 1024) \"some bytes\")"
    "  (data (i32.const 200000) \"more\") (global $g (mut i32) (i32.const 1))"
    "  (func (export \"nothing\")))";

static void stores(void *ctx, unsigned n)
{
    struct making *m = ctx;
    while (n-- > 0) {
        struct hf_store *store;
        if (hf_store_new(m->engine, NULL, &store, NULL) != HF_OK)
            exit(2);
        hf_store_free(store);
    }
}

static void instances(void *ctx, unsigned n)
{
    struct making *m = ctx;
    struct hf_report report = {0};
    while (n-- > 0) {
        struct hf_store *store;
        struct hf_core core;
        struct hf_memory mem;
        uint8_t *base;
        size_t size;
        if (hf_store_new(m->engine, NULL, &store, &report) != HF_OK ||
            hf_core_new(store, m->module, NULL, 0, &core, &report) != HF_OK)
            die("instance", &report);
        if (m->touch > 0) {
            hf_core_memory(store, m->module, &core, 0, &mem);
            hf_memory_get(store, &mem, &base, &size);
            for (unsigned i = 0; i < m->touch; i++)
                base[i * 5 * 4096] = 1;
        }
        hf_store_free(store);
    }
}

/* ---- reset ---- */

struct resetting {
    struct hf_store *store;
    struct hf_scanner *scanner;
    struct hf_memory mem;
    struct hf_memimage *img;
    unsigned dirty;
};

static void resets(void *ctx, unsigned n)
{
    struct resetting *r = ctx;
    uint8_t *base;
    size_t size;
    hf_memory_get(r->store, &r->mem, &base, &size);
    while (n-- > 0) {
        for (unsigned i = 0; i < r->dirty; i++)
            base[i * 4096 * (size / 4096 / (r->dirty + 1))] ^= 1;
        if (hf_memory_reset(r->scanner, r->store, &r->mem, r->img, 0, NULL) != HF_OK)
            exit(2);
    }
}

static __attribute__((noinline)) void bench_resets(const char *text, unsigned dirty,
                                                   const char *what, const char *design)
{
    struct hf_report report = {0};
    struct resetting r = {.dirty = dirty};
    struct hf_module *m = module_of(engine, text);
    struct hf_core core;
    if (hf_scanner_new(&r.scanner, &report) != HF_OK)
        die("scanner", &report);
    for (int template = 1; template >= 0; template --) {
        if (hf_store_new(engine, NULL, &r.store, &report) != HF_OK ||
            hf_core_new(r.store, m, NULL, 0, &core, &report) != HF_OK)
            die("instance", &report);
        hf_core_memory(r.store, m, &core, 0, &r.mem);
        if (template) {
            if (hf_memimage_take(r.scanner, r.store, &r.mem, true, &r.img) != HF_OK)
                exit(2);
            hf_store_free(r.store);
        }
    }
    measure(what, design, 20000, resets, &r);
    hf_store_free(r.store);
    hf_memimage_free(r.img);
    hf_scanner_free(r.scanner);
    hf_module_unref(m);
}

int main(void)
{
    struct hf_engine_settings s;
    struct hf_report report = {0};
    struct bench b = {0};
    hf_engine_process_init();
    hf_engine_settings_init(&s);
    s.instances_max = s.stacks_max = 100;
    if (hf_engine_new(&s, &engine, &report) != HF_OK)
        die("engine", &report);
    printf("%-58s %10s %10s   %s\n", "nanoseconds", "best", "median", "design");
    bench_new(&b);
    measure("call of an empty guest function, on the fiber", "14-19", 2000000, calls, &b);
    measure("the same off the fiber", "", 1000000, calls_off_fiber, &b);
    measure("import called by a guest", "5-9", 5000000, imports, &b);
    measure("driver: start, poll, end", "335", 300000, empty_drivers, &b);
    measure("driver: guest, import, block, poll, end", "600-630", 300000, waiting_drivers, &b);
    measure("one more block and poll", "", 500000, blocks, &b);
    measure("making an import", "", 20000, new_imports, &b);
    struct making m = {.engine = engine, .module = module_of(engine, memory_text)};
    measure("store: new, free", "", 20000, stores, &m);
    measure("store and instance, pooling, 1.1 MiB: new, free", "2400", 20000, instances, &m);
    m.touch = 8;
    measure("the same with 8 pages written", "21700", 10000, instances, &m);
    s.pooling = false;
    struct making d = {0};
    if (hf_engine_new(&s, &d.engine, &report) != HF_OK)
        die("engine", &report);
    d.module = module_of(d.engine, memory_text);
    measure("store and instance, on demand: new, free", "10500", 5000, instances, &d);
    bench_resets(memory_text, 8, "reset, 1.1 MiB, 8 pages written", "2700");
    bench_resets(memory_text, 30, "reset, 1.1 MiB, 30 pages written", "7600");
    bench_resets("(module (memory 160) (data (i32.const 1024) \"some bytes\"))", 100,
                 "reset, 10 MiB, 100 pages written", "24000");
    hf_module_unref(d.module);
    hf_module_unref(m.module);
    hf_store_free(b.store);
    hf_module_unref(b.module);
    hf_engine_free(d.engine);
    hf_engine_free(engine);
    return 0;
}
