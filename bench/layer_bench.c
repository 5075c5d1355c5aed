/* layer_bench.c - the component layer beside its targets: a markdown table, and the same work as
 * small fixed programs for bench/instructions.
 *
 *   layer_bench              the table: CPU time of this thread, median (and least) of interleaved
 * rounds layer_bench --list       names of the fixed programs layer_bench --run NAME   sets NAME
 * up, then runs it a fixed number of times between two client calls that callgrind understands
 * (toggle-collect on hf_bench_body)
 *
 * Everything goes the way of a real component: text, loaded and linked, run on the engine. The
 * yardsticks are of the same run: an import and an export of the bare engine, memcpy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "component/instance.h"
#include "host/guest.h"
#include "bench/layer_guest.h"

#define ROUNDS 15

static void must(enum hf_err err, const struct hf_report *report, const char *what)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "layer_bench: %s: %s\n", what, report->text);
    exit(1);
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct hf_engine *engine;
static struct hf_instance *inst; /* of guest_wat */

static const struct hf_export *find(const char *name)
{
    const struct hf_export *e = hf_component_find(inst->component, "", name);
    if (e == NULL)
        exit(2);
    return e;
}

static void poll_to_end(struct hf_instance *i)
{
    enum hf_err err;
    while ((err = hf_instance_poll(i)) == HF_AGAIN)
        ;
    must(err, hf_instance_report(i), "a call");
}

static void call(struct hf_instance *i, const struct hf_export *e, struct hf_value v)
{
    must(hf_instance_call(i, e, &v, 1), hf_instance_report(i), "a call");
    poll_to_end(i);
}

/* ---- programs: each does its work n times ---- */

static void loop_of(const void *ctx, unsigned n)
{
    call(inst, find(ctx), hf_value_u64(n));
}

static void export_on_fiber(const void *ctx, unsigned n)
{
    const struct hf_export *e = find(ctx);
    for (unsigned i = 0; i < n; i++)
        call(inst, e, hf_value_u64(i));
}

static void off_fiber(const struct hf_export *e, struct hf_value v, unsigned n)
{
    struct hf_lift_rt *l = &inst->lifts[e->func.lift];
    struct hf_value result;
    for (unsigned i = 0; i < n; i++) {
        hf_arena_reset(&inst->arena);
        must(hf_canon_call(inst, l, &v, &result), hf_instance_report(inst), "a call");
    }
}

static void export_off_fiber(const void *ctx, unsigned n)
{
    off_fiber(find(ctx), hf_value_u64(1), n);
}

static void text_off_fiber(const void *ctx, unsigned n)
{
    off_fiber(
        find(ctx),
        hf_value_bytes(HF_VIEW("sixty-four bytes of plain text, as most strings in the wild are.")),
        n);
}

/* The membrane: a hook that looks on, a hook that answers. */
static enum hf_err look_on(void *ctx, struct hf_call *c, struct hf_crossing *x)
{
    (void)ctx, (void)c;
    sink += x->args.len;
    return HF_OK;
}
static enum hf_err answer(void *ctx, struct hf_call *c, struct hf_crossing *x)
{
    (void)ctx;
    if (c == NULL)
        return HF_OK;
    x->result = hf_view(list, 4);
    return HF_CLOSED;
}
static enum hf_err ended(void *ctx, struct hf_call *c, const struct hf_crossing *x)
{
    (void)ctx, (void)c;
    sink += x->result.len;
    return HF_OK;
}

static void hooked(enum hf_err (*before)(void *, struct hf_call *, struct hf_crossing *),
                   const void *ctx, unsigned n)
{
    const struct hf_hook hook = {before, ended};
    if (hf_instance_set_hook(inst, &hook, NULL) != HF_OK)
        exit(1);
    loop_of(ctx, n);
    if (hf_instance_set_hook(inst, NULL, NULL) != HF_OK)
        exit(1);
}
static void shown(const void *ctx, unsigned n)
{
    hooked(look_on, ctx, n);
}
static void answered(const void *ctx, unsigned n)
{
    hooked(answer, ctx, n);
}

static struct hf_store *bare_store;
static struct hf_func bare_go, bare_id;

static enum hf_err bare_add(void *env, union hf_val *vals)
{
    (void)env;
    vals[0].u64 = vals[0].u32 + vals[1].u32;
    return HF_OK;
}

static void bare_import(const void *ctx, unsigned n)
{
    union hf_val vals[1] = {{.u64 = n}};
    (void)ctx;
    must(hf_store_call(bare_store, &bare_go, vals, 1), hf_store_report(bare_store), "bare");
}

static void bare_export(const void *ctx, unsigned n)
{
    (void)ctx;
    for (unsigned i = 0; i < n; i++) {
        union hf_val vals[1] = {{.u64 = i}};
        must(hf_store_call(bare_store, &bare_id, vals, 1), hf_store_report(bare_store), "bare");
    }
}

static enum hf_err empty_driver(void *ctx)
{
    (void)ctx;
    return HF_OK;
}

static void bare_driver(const void *ctx, unsigned n)
{
    (void)ctx;
    for (unsigned i = 0; i < n; i++) {
        must(hf_store_start(bare_store, empty_driver, NULL), hf_store_report(bare_store), "bare");
        must(hf_store_poll(bare_store), hf_store_report(bare_store), "bare");
    }
}

static uint8_t *guest_place; /* in the guest's memory */

static void plain_memcpy(const void *ctx, unsigned n)
{
    (void)ctx;
    for (unsigned i = 0; i < n; i++) {
        memcpy(guest_place, list, LIST);
        __asm__ volatile("" : : "r"(guest_place) : "memory");
    }
}

/* ---- whole components ---- */

static struct hf_registry *host; /* the node's */
struct whole {
    struct hf_component *c;
    struct hf_instance *kept; /* for resets */
    struct hf_image *image;
};
static struct whole five, hello;
static struct hf_scanner *scanner;
static struct hf_buf js_bytes;

static struct hf_instance *start(struct hf_component *c)
{
    struct hf_report report = {0};
    struct hf_instance *i = NULL;
    must(hf_instance_new(c, NULL, &i, &report), &report, "an instance");
    must(hf_instance_start(i), hf_instance_report(i), "a start");
    poll_to_end(i);
    return i;
}

/* Without the end of it: what a request would wait for. */
static double made_ns(const struct whole *w, unsigned n)
{
    double total = 0;
    for (unsigned i = 0; i < n; i++) {
        double from = cpu_ns();
        struct hf_instance *made = start(w->c);
        total += cpu_ns() - from;
        hf_instance_free(made);
    }
    return total / n;
}

/* Four pages written, which is what a request leaves behind. */
static double reset_ns(const struct whole *w, unsigned n)
{
    double total = 0;
    for (unsigned i = 0; i < n; i++) {
        const char *why = NULL;
        uint8_t *base;
        size_t size;
        hf_memory_get(w->kept->store, &hf_instance_parts(w->kept)->memories[0], &base, &size);
        for (size_t page = 0; page < 4 && (page + 1) * 4096 <= size; page++)
            base[page * 4096 + 8] ^= 1;
        double from = cpu_ns();
        enum hf_err err = hf_instance_reset(w->kept, w->image, scanner, 0, NULL, &why);
        total += cpu_ns() - from;
        if (err != HF_OK) {
            fprintf(stderr, "layer_bench: reset: %s\n", why);
            exit(1);
        }
    }
    return total / n;
}

static double made_five(unsigned n)
{
    return made_ns(&five, n);
}
static double reset_five(unsigned n)
{
    return reset_ns(&five, n);
}
static double made_hello(unsigned n)
{
    return made_ns(&hello, n);
}
static double reset_hello(unsigned n)
{
    return reset_ns(&hello, n);
}

static double load_ns(unsigned n)
{
    struct hf_report report = {0};
    double from = cpu_ns();
    for (unsigned i = 0; i < n; i++) {
        struct hf_component *c = NULL;
        must(hf_component_load(engine, host, hf_buf_view(&js_bytes), NULL, &c, &report), &report,
             "js-hello");
        hf_component_unref(c);
    }
    return (cpu_ns() - from) / n;
}

static bool read_file(const char *path, struct hf_buf *out)
{
    static uint8_t chunk[65536];
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        if (hf_buf_add(out, chunk, n) != HF_OK)
            exit(1);
    fclose(f);
    return true;
}

/* ---- rows ---- */

struct row {
    const char *name, *what;
    void (*body)(const void *ctx, unsigned n);
    const char *ctx;
    double (*timed)(unsigned n); /* instead of body: measures by itself */
    unsigned n, fixed;           /* times a round; times under callgrind (0: not there) */
    double target;               /* ns; 0: a yardstick, or `times` is the target */
    double times;                /* target as a multiple of the yardstick */
    int yard;                    /* row of its yardstick, or NONE */
};

enum { BARE_IMPORT, BARE_EXPORT, BARE_DRIVER, MEMCPY, NONE = -1 };
#define YARD(name, what, body, n, fixed)                                                           \
    {                                                                                              \
        name, "yardstick: " what, body, NULL, NULL, n, fixed, 0, 0, NONE                           \
    }
#define ROW(name, what, body, ctx, n, fixed, target, yard)                                         \
    {                                                                                              \
        name, what, body, ctx, NULL, n, fixed, target, 0, yard                                     \
    }
#define COPY(name, what, ctx, n, fixed)                                                            \
    {                                                                                              \
        name, what, loop_of, ctx, NULL, n, fixed, 0, 1.3, MEMCPY                                   \
    }
#define WHOLE(name, what, timed, n, target)                                                        \
    {                                                                                              \
        name, what, NULL, NULL, timed, n, 0, target, 0, NONE                                       \
    }
static const struct row rows[] = {
    YARD("bare-import", "import of the bare engine", bare_import, 200000, 10000),
    YARD("bare-export", "export of the bare engine, off the fiber", bare_export, 100000, 10000),
    YARD("bare-driver", "an empty driver on the fiber", bare_driver, 20000, 0),
    YARD("memcpy", "memcpy of 64 KiB into guest memory", plain_memcpy, 2000, 0),
    ROW("scalar", "import (u32, u32) -> u32", loop_of, "add", 200000, 10000, 40, BARE_IMPORT),
    ROW("string", "import string(64 B) -> string(64 B)", loop_of, "echo", 100000, 10000, 150,
        BARE_IMPORT),
    ROW("shown", "the scalar import, shown to a hook (membrane)", shown, "add", 100000, 10000, 0,
        BARE_IMPORT),
    ROW("answered", "the scalar import, answered by a hook", answered, "add", 100000, 10000, 0,
        BARE_IMPORT),
    COPY("list-in", "import -> list<u8> 64 KiB (host to guest)", "give", 2000, 200),
    COPY("list-out", "import list<u8> 64 KiB (guest to host: a view)", "take", 100000, 10000),
    ROW("record-out", "import record of 8 fields, 2 strings (guest to host)", loop_of, "put",
        100000, 10000, 300, BARE_IMPORT),
    ROW("record-in", "import -> record of 8 fields, 2 strings (host to guest)", loop_of, "get",
        100000, 10000, 300, BARE_IMPORT),
    ROW("resource", "host resource: made by an import, dropped", loop_of, "make", 100000, 10000, 60,
        BARE_IMPORT),
    ROW("resource-new", "guest resource: resource.new, resource.drop", loop_of, "new", 100000,
        10000, 60, BARE_IMPORT),
    ROW("export", "export u32 -> u32 with post-return, off the fiber", export_off_fiber, "id",
        100000, 10000, 120, BARE_EXPORT),
    ROW("export-text", "export string(64 B) -> string(64 B) with post-return, off the fiber",
        text_off_fiber, "text", 50000, 10000, 0, BARE_EXPORT),
    ROW("export-fiber", "export u32 -> u32 with post-return, on a fiber", export_on_fiber, "id",
        20000, 0, 500, BARE_DRIVER),
    WHOLE("instantiate", "instantiate a component of five core modules (cold)", made_five, 100,
          60000),
    WHOLE("reset", "put it back in place, 4 pages written", reset_five, 300, 10000),
    WHOLE("hello", "instantiate the C hello: three core modules (cold)", made_hello, 100, 0),
    WHOLE("hello-reset", "put the C hello back in place, 4 pages written", reset_hello, 300, 0),
    WHOLE("load", "parse and link the JavaScript hello, code and verdict cached", load_ns, 2, 25e6),
};
#define N_ROWS (sizeof rows / sizeof rows[0])
enum { RESET = N_ROWS - 4, HELLO, HELLO_RESET, LOAD };
static bool absent[N_ROWS];
static double ns[N_ROWS][ROUNDS];

/* Where callgrind counts: nothing else is called through here. */
__attribute__((noinline)) void hf_bench_body(const struct row *r, unsigned n);
__attribute__((noinline)) void hf_bench_body(const struct row *r, unsigned n)
{
    r->body(r->ctx, n);
    __asm__ volatile("");
}

static double once(const struct row *r)
{
    if (r->timed != NULL)
        return r->timed(r->n);
    double from = cpu_ns();
    r->body(r->ctx, r->n);
    return (cpu_ns() - from) / r->n;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void number(double t, char out[32])
{
    if (t >= 1e6)
        snprintf(out, 32, "%.1f ms", t / 1e6);
    else if (t >= 1e4)
        snprintf(out, 32, "%.1f us", t / 1e3);
    else
        snprintf(out, 32, "%.0f ns", t);
}

static void print_row(size_t k)
{
    const struct row *r = &rows[k];
    char now[32], least[32], target[64] = "", ratio[64] = "";
    if (absent[k]) {
        printf("| %s | skipped: the guest or the kernel's part is not here | | |\n", r->what);
        return;
    }
    double median = ns[k][ROUNDS / 2];
    number(median, now);
    number(ns[k][0], least);
    if (r->target != 0)
        number(r->target, target);
    if (r->times != 0)
        snprintf(target, sizeof target, "%.1fx memcpy", r->times);
    if (r->yard != NONE)
        snprintf(ratio, sizeof ratio, "%.2fx %s", median / ns[r->yard][ROUNDS / 2],
                 rows[r->yard].name);
    printf("| %s | %s (%s) | %s | %s |\n", r->what, now, least, target, ratio);
}

/* Rounds are interleaved: what disturbs one row disturbs its yardstick too. Yardsticks always run.
 */
static void table(const char *only)
{
    bool wanted[N_ROWS];
    for (size_t k = 0; k < N_ROWS; k++)
        wanted[k] = k <= MEMCPY || only == NULL || strstr(rows[k].name, only) != NULL;
    for (int i = -1; i < ROUNDS; i++) /* the first round warms up */
        for (size_t k = 0; k < N_ROWS; k++)
            if (wanted[k] && !absent[k])
                ns[k][i < 0 ? 0 : i] = once(&rows[k]);
    printf("| work | median (least) | to reach | in this run |\n| --- | --- | --- | --- |\n");
    for (size_t k = 0; k < N_ROWS; k++)
        qsort(ns[k], ROUNDS, sizeof ns[k][0], compare);
    for (size_t k = 0; k < N_ROWS; k++)
        if (wanted[k])
            print_row(k);
}

/* ---- the world ---- */

static void code_cache(char *out, size_t size)
{
    const char *own = getenv("HF_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own != NULL)
        snprintf(out, size, "%s/code", own);
    else if (xdg != NULL)
        snprintf(out, size, "%s/holdfast/code", xdg);
    else
        snprintf(out, size, "%s/.cache/holdfast/code", home != NULL ? home : ".");
}

static void open_guest(void)
{
    struct hf_report report = {0};
    struct hf_registry *reg = NULL;
    struct hf_component *c = NULL;
    struct hf_buf wasm = {0};
    must(hf_registry_new(&reg), &report, "a registry");
    must(hf_engine_wat(api_wit, sizeof api_wit - 1, &wasm, &report), &report, "the interface");
    must(hf_registry_add_wit(reg, hf_buf_view(&wasm), &report), &report, "the interface");
    must(hf_registry_bind_resource(reg, "bench:host/api", "thing", &thing_ops, &report), &report,
         "a binding");
    must(hf_registry_bind_all(reg, "bench:host/api", bindings, &report), &report, "bindings");
    must(hf_registry_seal(reg, NULL, &report), &report, "the registry");
    hf_buf_clear(&wasm);
    must(hf_engine_wat(guest_wat, sizeof guest_wat - 1, &wasm, &report), &report, "the guest");
    must(hf_component_load(engine, reg, hf_buf_view(&wasm), NULL, &c, &report), &report,
         "the guest");
    inst = start(c);
    hf_buf_done(&wasm);
    for (int i = 0; i < 4; i++)
        fields[i].u64 = (uint64_t)i + 1;
    fields[2].f64 = 3;
    fields[3].u64 = 1;
    fields[4] = hf_value_bytes(HF_VIEW("content-type"));
    fields[5] = hf_value_bytes(HF_VIEW("text/plain; utf-8..."));
    fields[6].u64 = 7;
    fields[7].s64 = -8;
    uint8_t *base;
    size_t size;
    hf_memory_get(inst->store, &inst->lifts[find("text")->func.lift].opts.memory, &base, &size);
    guest_place = base + 131072;
}

static void open_bare(void)
{
    static const enum hf_core_type i32s[] = {HF_I32, HF_I32};
    static const struct hf_functype add = {2, 1, i32s, i32s};
    static const char wat[] =
        "(module (import \"h\" \"f\" (func $f (param i32 i32) (result i32)))"
        " (func (export \"go\") (param i32) (loop $l (drop (call $f (i32.const 1) (local.get 0)))"
        "  (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
        " (func (export \"id\") (param i32) (result i32) (local.get 0)))";
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    struct hf_module *m = NULL;
    struct hf_core core;
    struct hf_extern e;
    struct hf_func f;
    must(hf_store_new(engine, &(struct hf_store_settings){.slice_ticks = 1000000}, &bare_store,
                      &report),
         &report, "a store");
    must(hf_func_new(bare_store, &add, bare_add, NULL, &f), &report, "a function");
    must(hf_engine_wat(wat, sizeof wat - 1, &wasm, &report), &report, "a module");
    must(hf_module_load(engine, hf_buf_view(&wasm), NULL, &m, NULL, &report), &report, "a module");
    hf_extern_of_func(&f, &e);
    must(hf_core_new(bare_store, m, &e, 1, &core, &report), &report, "a module");
    if (!hf_core_export(bare_store, &core, HF_VIEW("go"), &e) || !hf_extern_func(&e, &bare_go) ||
        !hf_core_export(bare_store, &core, HF_VIEW("id"), &e) || !hf_extern_func(&e, &bare_id))
        exit(1);
    hf_buf_done(&wasm);
}

static void open_whole(struct whole *w, const struct hf_buf *wasm, const char *what)
{
    struct hf_report report = {0};
    must(hf_component_load(engine, host, hf_buf_view(wasm), NULL, &w->c, &report), &report, what);
    struct hf_instance *template = start(w->c);
    must(hf_image_take(template, &w->image, &report), &report, "an image");
    hf_instance_free(template);
    w->kept = start(w->c);
}

static void open_components(void)
{
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    must(hf_host_registry(&host, &report), &report, "the host");
    absent[LOAD] = !read_file("build/guests/js-hello.wasm", &js_bytes);
    absent[HELLO] = absent[HELLO_RESET] = !read_file("build/guests/c-hello.wasm", &wasm);
    if (!absent[HELLO])
        open_whole(&hello, &wasm, "c-hello");
    hf_buf_clear(&wasm);
    must(hf_engine_wat(five_wat, sizeof five_wat - 1, &wasm, &report), &report, "five modules");
    open_whole(&five, &wasm, "five modules");
    if (hf_scanner_new(&scanner, &report) != HF_OK)
        absent[RESET] = absent[HELLO_RESET] = true;
    hf_buf_done(&wasm);
}

static int run_fixed(const char *name)
{
    for (size_t k = 0; k < N_ROWS; k++)
        if (strcmp(rows[k].name, name) == 0 && rows[k].fixed != 0) {
            rows[k].body(rows[k].ctx, 100); /* warm */
            hf_bench_body(&rows[k], rows[k].fixed);
            printf("%u\n", rows[k].fixed);
            return 0;
        }
    fprintf(stderr, "layer_bench: no program is called %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    struct hf_engine_settings s;
    struct hf_report report = {0};
    char cache[512];
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (size_t k = 0; k < N_ROWS; k++)
            if (rows[k].fixed != 0)
                printf("%s\n", rows[k].name);
        return 0;
    }
    bool fixed = argc > 2 && strcmp(argv[1], "--run") == 0;
    code_cache(cache, sizeof cache);
    hf_engine_settings_init(&s);
    s.cache_dir = cache;
    s.instances_max = 64;
    s.slice_ticks = 1000000;
    s.offfiber_ticks = 1000000;
    if (fixed) { /* callgrind has not the address space for a pool, and counts one thread */
        s.pooling = false;
        s.instances_max = 4;
        s.compile_threads = 1;
    }
    must(hf_engine_new(&s, &engine, &report), &report, "an engine");
    open_guest();
    open_bare();
    if (fixed)
        return run_fixed(argv[2]);
    open_components();
    table(argc > 1 ? argv[1] : NULL);
    return 0;
}
