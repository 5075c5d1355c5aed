/* canon_bench.c - what one import call costs: nanoseconds a call for typical WASI signatures, guest
 * loop included.
 *
 * Each row is a wasm loop that calls one import. "bare" is the same loop over a C function without
 * the canonical ABI; the difference is what lifting, handles, lowering cost. Best of ROUNDS, so a
 * busy machine disturbs little.
 *
 *     canon_bench [SUBSTRING]    only rows with it in their name
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "component/canon.h"

#define ROUNDS 9

static struct hf_instance inst;
static struct hf_ci cis[2];
static struct hf_arena types;
static struct hf_engine *engine;
static const char *only;

static enum hf_err keep(struct hf_call *call, void *obj)
{
    (void)call, (void)obj;
    return HF_OK;
}
static const struct hf_host_resource ops = {"thing", keep};
static const struct hf_resource_type thing = {.name = {(const uint8_t *)"thing", 5}, .host = &ops};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "canon_bench: %s: %s\n", what, hf_store_report(inst.store)->text);
    exit(1);
}

/* ---- host functions ---- */

static uint8_t body[65536];

static enum hf_err one(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args;
    result->u64 = 1;
    return HF_OK;
}
static enum hf_err add(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call;
    result->u64 = args[0].u64 + args[1].u64;
    return HF_OK;
}
static enum hf_err ok_none(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    (void)call, (void)args;
    *result = hf_value_case(0, NULL);
    return HF_OK;
}
static enum hf_err ok_u64(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    struct hf_value *v = hf_call_alloc(call, sizeof *v);
    (void)args;
    if (v == NULL)
        return hf_call_limit(call, "memory");
    *v = hf_value_u64(4096);
    *result = hf_value_case(0, v);
    return HF_OK;
}
static enum hf_err ok_bytes(struct hf_call *call, const struct hf_value *args,
                            struct hf_value *result)
{
    struct hf_value *v = hf_call_alloc(call, sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory");
    *v = hf_value_bytes(hf_view(body, args[1].u64));
    *result = hf_value_case(0, v);
    return HF_OK;
}
static enum hf_err an_object(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    (void)call, (void)args;
    result->obj = body;
    return HF_OK;
}
static enum hf_err ready_set(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    uint32_t *n = hf_call_alloc(call, 4 * sizeof *n);
    if (n == NULL)
        return hf_call_limit(call, "memory");
    n[0] = args[0].len - 1;
    *result = hf_value_bytes(hf_view(n, 1));
    return HF_OK;
}
static enum hf_err bare(void *env, union hf_val *vals)
{
    (void)env;
    vals[0].u64 = 1;
    return HF_OK;
}

/* ---- types ---- */

static const struct hf_type *compound(enum hf_type_kind kind, const struct hf_type *a,
                                      const struct hf_type *b, uint32_t n)
{
    const struct hf_member members[] = {{.name = HF_VIEW("a"), .type = a},
                                        {.name = HF_VIEW("b"), .type = b}};
    const struct hf_type *t = NULL;
    must(hf_type_compound(&types, kind, members, n, &t, NULL) == HF_OK, "a type");
    return t;
}
static const struct hf_type *list(const struct hf_type *elem)
{
    const struct hf_type *t = NULL;
    must(hf_type_list(&types, elem, &t, NULL) == HF_OK, "a type");
    return t;
}
static const struct hf_type *handle(enum hf_type_kind kind)
{
    const struct hf_type *t = NULL;
    must(hf_type_handle(&types, kind, &thing, &t, NULL) == HF_OK, "a type");
    return t;
}
static const struct hf_ftype *ftype(const struct hf_type *const *params, uint32_t n,
                                    const struct hf_type *result)
{
    struct hf_member members[4] = {{.name = HF_VIEW("p")}};
    struct hf_ftype *f = NULL;
    for (uint32_t i = 0; i < n; i++)
        members[i].type = params[i];
    must(hf_ftype_make(&types, members, n, result, &f, NULL) == HF_OK, "a type");
    return f;
}

/* ---- rows ---- */

static struct hf_canon_rt memory_rt; /* of the module that every row's guest shares */

/* A core instance of `wat`; `f` is its import h.f, its memory is the shared one when it asks for
 * it. */
static struct hf_core instantiate(const char *wat, const struct hf_extern *imports, size_t n)
{
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    struct hf_module *m = NULL;
    struct hf_core core;
    bool ok = hf_engine_wat(wat, strlen(wat), &wasm, &report) == HF_OK &&
              hf_module_load(engine, hf_buf_view(&wasm), NULL, &m, NULL, &report) == HF_OK &&
              hf_core_new(inst.store, m, imports, n, &core, &report) == HF_OK;
    if (!ok)
        fprintf(stderr, "%s\n", report.text);
    must(ok, "a guest");
    hf_buf_done(&wasm);
    hf_module_unref(m);
    return core;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A loop over calls of `import`; `call` is the wat of one call, everything on the stack dropped. */
static double measure(const struct hf_func *import, const char *type, const char *call,
                      uint32_t calls)
{
    char wat[1024];
    struct hf_extern externs[1], e;
    struct hf_func go;
    double best = 1e18;
    snprintf(wat, sizeof wat,
             "(module (import \"h\" \"f\" (func $f %s)) (func (export \"go\") (param i32)"
             " (loop $l %s (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))",
             type, call);
    hf_extern_of_func(import, &externs[0]);
    struct hf_core core = instantiate(wat, externs, 1);
    must(hf_core_export(inst.store, &core, HF_VIEW("go"), &e) && hf_extern_func(&e, &go), "go");
    for (int i = 0; i < ROUNDS; i++) {
        union hf_val vals[1] = {{.u64 = calls}};
        double start = now();
        must(hf_store_call(inst.store, &go, vals, 1) == HF_OK, "a run");
        double ns = (now() - start) / calls;
        best = ns < best ? ns : best;
    }
    return best;
}

static struct hf_tramp_rt *tramp(const struct hf_ftype *t, hf_host_fn fn)
{
    struct hf_tramp_rt *rt = hf_arena_array(&types, 1, sizeof *rt);
    struct hf_tramp *def = hf_arena_array(&types, 1, sizeof *def);
    struct hf_host_func *host = hf_arena_array(&types, 1, sizeof *host);
    *host = (struct hf_host_func){
        .iface = HF_VIEW("bench:host/api"), .name = HF_VIEW("fn"), .type = t, .fn = fn};
    *def = (struct hf_tramp){.kind = HF_TRAMP_LOWER, .func = {.from = HF_FUNC_HOST, .host = host}};
    *rt = (struct hf_tramp_rt){.def = def, .ci = &cis[0], .opts = memory_rt};
    must(hf_func_new(inst.store, &t->lower, hf_tramp_lower, rt, &rt->func) == HF_OK,
         "a trampoline");
    return rt;
}

static double bare_ns;

static void print_row(const char *name, double ns)
{
    printf("%-58s %9.1f ns  %+9.1f over bare\n", name, ns, ns - bare_ns);
}

static void row(const char *name, const struct hf_ftype *t, hf_host_fn fn, const char *core_type,
                const char *call, uint32_t calls)
{
    if (only != NULL && strstr(name, only) == NULL)
        return;
    print_row(name, measure(&tramp(t, fn)->func, core_type, call, calls));
}

static void host_rows(void)
{
    const struct hf_type *u8 = hf_type_prim(HF_T_U8), *u32 = hf_type_prim(HF_T_U32),
                         *u64 = hf_type_prim(HF_T_U64), *boolean = hf_type_prim(HF_T_BOOL),
                         *string = hf_type_prim(HF_T_STRING);
    const struct hf_type *borrow = handle(HF_T_BORROW), *own = handle(HF_T_OWN), *bytes = list(u8);
    const struct hf_type *error =
        compound(HF_T_VARIANT, own, NULL, 2); /* last-operation-failed(error), closed */
    const struct hf_type *ok_or = compound(HF_T_RESULT, NULL, error, 2);
    const uint32_t many = 1000000;
    row("func(u32, u32) -> u32", ftype((const struct hf_type *[]){u32, u32}, 2, u32), add,
        "(param i32 i32) (result i32)", "(drop (call $f (i32.const 1) (local.get 0)))", many);
    row("monotonic-clock.now() -> u64", ftype(NULL, 0, u64), one, "(result i64)",
        "(drop (call $f))", many);
    row("pollable.ready(borrow) -> bool", ftype(&borrow, 1, boolean), one,
        "(param i32) (result i32)", "(drop (call $f (i32.const 1)))", many);
    row("output-stream.check-write(borrow) -> result<u64, error>",
        ftype(&borrow, 1, compound(HF_T_RESULT, u64, error, 2)), ok_u64, "(param i32 i32)",
        "(call $f (i32.const 1) (i32.const 64))", many);
    row("fields.append(borrow, string[12], list<u8>[20]) -> result",
        ftype((const struct hf_type *[]){borrow, string, bytes}, 3, ok_or), ok_none,
        "(param i32 i32 i32 i32 i32 i32)",
        "(call $f (i32.const 1) (i32.const 256) (i32.const 12) (i32.const 256) (i32.const 20) "
        "(i32.const 64))",
        many);
    row("output-stream.write(borrow, list<u8>[64 KiB]) -> result",
        ftype((const struct hf_type *[]){borrow, bytes}, 2, ok_or), ok_none,
        "(param i32 i32 i32 i32)",
        "(call $f (i32.const 1) (i32.const 65536) (i32.const 65536) (i32.const 64))", many);
    row("input-stream.read(borrow, u64) -> result<list<u8>[16], error>",
        ftype((const struct hf_type *[]){borrow, u64}, 2, compound(HF_T_RESULT, bytes, error, 2)),
        ok_bytes, "(param i32 i64 i32)", "(call $f (i32.const 1) (i64.const 16) (i32.const 64))",
        many);
    row("input-stream.read(borrow, u64) -> result<list<u8>[64 KiB]>",
        ftype((const struct hf_type *[]){borrow, u64}, 2, compound(HF_T_RESULT, bytes, error, 2)),
        ok_bytes, "(param i32 i64 i32)", "(call $f (i32.const 1) (i64.const 65536) (i32.const 64))",
        many / 20);
    row("poll(list<borrow>[4]) -> list<u32>",
        ftype((const struct hf_type *[]){list(borrow)}, 1, list(u32)), ready_set,
        "(param i32 i32 i32)", "(call $f (i32.const 128) (i32.const 4) (i32.const 64))", many);
    row("func(string[64 KiB])", ftype(&string, 1, NULL), one, "(param i32 i32)",
        "(call $f (i32.const 65536) (i32.const 65536))", many / 20);
}

/* subscribe() -> own, then resource.drop: both in one turn of the loop. */
static void resource_row(void)
{
    static const enum hf_core_type i32[] = {HF_I32};
    static const struct hf_functype drop_type = {1, 0, i32, NULL};
    const char *name = "subscribe() -> own, and its resource.drop";
    struct hf_tramp_rt *make = tramp(ftype(NULL, 0, handle(HF_T_OWN)), an_object);
    struct hf_tramp def = {.kind = HF_TRAMP_RESOURCE_DROP, .resource = &thing};
    struct hf_tramp_rt drop = {.def = &def, .ci = &cis[0], .opts = memory_rt};
    struct hf_extern externs[2], e;
    struct hf_func go;
    double best = 1e18;
    if (only != NULL && strstr(name, only) == NULL)
        return;
    must(hf_func_new(inst.store, &drop_type, hf_tramp_resource_drop, &drop, &drop.func) == HF_OK,
         "a trampoline");
    hf_extern_of_func(&make->func, &externs[0]);
    hf_extern_of_func(&drop.func, &externs[1]);
    struct hf_core core =
        instantiate("(module (import \"h\" \"f\" (func $f (result i32))) (import \"h\" \"d\" (func "
                    "$d (param i32)))"
                    " (func (export \"go\") (param i32) (loop $l (call $d (call $f))"
                    " (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))",
                    externs, 2);
    must(hf_core_export(inst.store, &core, HF_VIEW("go"), &e) && hf_extern_func(&e, &go), "go");
    for (int i = 0; i < ROUNDS; i++) {
        union hf_val vals[1] = {{.u64 = 1000000}};
        double start = now();
        must(hf_store_call(inst.store, &go, vals, 1) == HF_OK, "a run");
        double ns = (now() - start) / 1000000;
        best = ns < best ? ns : best;
    }
    print_row(name, best);
}

/* Component to component: lift here, lower there, call, and back. */
static void guest_row(const char *name, const struct hf_ftype *t, const char *core_type,
                      const char *lift_wat, const char *call, uint32_t calls)
{
    struct hf_extern e;
    struct hf_lift *def = hf_arena_array(&types, 1, sizeof *def);
    struct hf_lift_rt *l = &inst.lifts[0];
    struct hf_tramp_rt *rt = tramp(t, NULL);
    if (only != NULL && strstr(name, only) == NULL)
        return;
    *def = (struct hf_lift){.ci = 1, .type = t};
    *l = (struct hf_lift_rt){.def = def, .ci = &cis[1], .opts = memory_rt};
    struct hf_core core = instantiate(lift_wat, NULL, 0);
    must(hf_core_export(inst.store, &core, HF_VIEW("f"), &e) && hf_extern_func(&e, &l->func), "f");
    must(hf_core_export(inst.store, &core, HF_VIEW("memory"), &e) &&
             hf_extern_memory(&e, &l->opts.memory),
         "memory");
    must(hf_core_export(inst.store, &core, HF_VIEW("realloc"), &e) &&
             hf_extern_func(&e, &l->opts.realloc),
         "realloc");
    ((struct hf_tramp *)(uintptr_t)rt->def)->func =
        (struct hf_func_def){.from = HF_FUNC_LIFT, .lift = 0};
    print_row(name, measure(&rt->func, core_type, call, calls));
}

static void guest_rows(void)
{
    const struct hf_type *u32 = hf_type_prim(HF_T_U32), *string = hf_type_prim(HF_T_STRING);
    const char *guest =
        "(module (memory (export \"memory\") 4)"
        " (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 131072))"
        " (func (export \"f\") %s))";
    char wat[512];
    snprintf(wat, sizeof wat, guest,
             "(param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))");
    guest_row("guest to guest: func(u32, u32) -> u32",
              ftype((const struct hf_type *[]){u32, u32}, 2, u32), "(param i32 i32) (result i32)",
              wat, "(drop (call $f (i32.const 1) (local.get 0)))", 1000000);
    snprintf(wat, sizeof wat, guest, "(param i32 i32)");
    guest_row("guest to guest: func(string[20])", ftype(&string, 1, NULL), "(param i32 i32)", wat,
              "(call $f (i32.const 256) (i32.const 20))", 1000000);
    guest_row("guest to guest: func(string[64 KiB])", ftype(&string, 1, NULL), "(param i32 i32)",
              wat, "(call $f (i32.const 65536) (i32.const 65536))", 50000);
}

/* ---- the world ---- */

static void open_world(void)
{
    static struct hf_lift_rt lifts[1];
    struct hf_engine_settings s;
    struct hf_report report = {0};
    struct hf_extern e;
    hf_engine_settings_init(&s);
    s.offfiber_ticks = 1000000;
    if (hf_engine_new(&s, &engine, &report) != HF_OK ||
        hf_store_new(engine, &(struct hf_store_settings){0}, &inst.store, &report) != HF_OK) {
        fprintf(stderr, "canon_bench: %s\n", report.text);
        exit(1);
    }
    hf_arena_init(&inst.arena, 4096, 128u << 20);
    hf_arena_init(&types, 4096, SIZE_MAX);
    inst.cis = cis;
    inst.lifts = lifts;
    for (uint32_t i = 0; i < 2; i++)
        cis[i] = (struct hf_ci){.inst = &inst, .index = i, .may_enter = true, .may_leave = true};

    struct hf_core core = instantiate(
        "(module (memory (export \"memory\") 4)"
        " (data (i32.const 128) "
        "\"\\01\\00\\00\\00\\02\\00\\00\\00\\03\\00\\00\\00\\04\\00\\00\\00\")"
        " (data (i32.const 256) \"content-type: text/plain\")"
        " (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 131072)))",
        NULL, 0);
    must(hf_core_export(inst.store, &core, HF_VIEW("memory"), &e) &&
             hf_extern_memory(&e, &memory_rt.memory),
         "memory");
    must(hf_core_export(inst.store, &core, HF_VIEW("realloc"), &e) &&
             hf_extern_func(&e, &memory_rt.realloc),
         "realloc");
    memory_rt.has_memory = memory_rt.has_realloc = true;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t index;
        const struct hf_handle h = {.type = &thing, .obj = body, .own = true};
        must(hf_handles_add(&cis[0].handles, &h, &index) == HF_OK, "a handle");
    }
}

int main(int argc, char **argv)
{
    static const enum hf_core_type i32s[] = {HF_I32, HF_I32};
    static const struct hf_functype bare_type = {2, 1, i32s, i32s};
    struct hf_func f;
    only = argc > 1 ? argv[1] : NULL;
    open_world();
    must(hf_func_new(inst.store, &bare_type, bare, NULL, &f) == HF_OK, "a function");
    bare_ns = measure(&f, "(param i32 i32) (result i32)",
                      "(drop (call $f (i32.const 1) (local.get 0)))", 1000000);
    printf("%-58s %9.1f ns\n", "bare import (i32, i32) -> i32", bare_ns);
    host_rows();
    resource_row();
    guest_rows();
    hf_handles_done(&cis[0].handles);
    hf_arena_done(&inst.arena);
    hf_arena_done(&types);
    hf_store_free(inst.store);
    hf_engine_free(engine);
    return 0;
}
