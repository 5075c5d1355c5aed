/* support_canon_engine.c - guests of support_canon.h on the real engine: a core module with a
 * memory, whose realloc is the test's C function behind a wasm function. */
#include <stdio.h>
#include <stdlib.h>

#include "support_canon.h"

static const char guest_wat[] =
    "(module (import \"t\" \"realloc\" (func $r (param i32 i32 i32 i32) (result i32)))"
    " (memory (export \"memory\") 1 16)"
    " (func (export \"realloc\") (param i32 i32 i32 i32) (result i32)"
    "  (call $r (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"
    " (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0))))";

struct parts {
    struct hf_engine *engine;
    struct hf_module *module;
};

static void must(enum hf_err err, const struct hf_report *report)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "the test's engine: %s\n", report->text);
    abort();
}

void canon_engine_open(struct canon_world *w)
{
    struct hf_report report = {0};
    struct hf_engine_settings s;
    struct hf_buf wasm = {0};
    struct parts *p = calloc(1, sizeof *p);
    HF_ASSERT(p != NULL);
    hf_engine_settings_init(&s);
    s.instances_max = 16;
    s.stacks_max = 4;
    s.memory_max = 16 * CANON_PAGE;
    must(hf_engine_new(&s, &p->engine, &report), &report);
    must(hf_engine_wat(guest_wat, sizeof guest_wat - 1, &wasm, &report), &report);
    must(hf_module_load(p->engine, hf_buf_view(&wasm), NULL, &p->module, NULL, &report), &report);
    must(hf_store_new(p->engine, &(struct hf_store_settings){0}, &w->inst.store, &report), &report);
    hf_buf_done(&wasm);
    w->engine = p;
}

void canon_engine_close(struct canon_world *w)
{
    struct parts *p = w->engine;
    hf_store_free(w->inst.store);
    hf_module_unref(p->module);
    hf_engine_free(p->engine);
    free(p);
}

void canon_engine_guest(struct canon_guest *g, hf_import_fn realloc_fn)
{
    static const enum hf_core_type i32s[] = {HF_I32, HF_I32, HF_I32, HF_I32};
    const struct hf_functype type = {
        .n_params = 4, .n_results = 1, .params = i32s, .results = i32s};
    struct parts *p = g->world->engine;
    struct hf_store *store = g->world->inst.store;
    struct hf_report report = {0};
    struct hf_extern import, export;
    struct hf_func fn;
    struct hf_core core;

    must(hf_func_new(store, &type, realloc_fn, g, &fn), &report);
    hf_extern_of_func(&fn, &import);
    must(hf_core_new(store, p->module, &import, 1, &core, &report), &report);
    HF_ASSERT(hf_core_export(store, &core, HF_VIEW("memory"), &export) &&
              hf_extern_memory(&export, &g->rt.memory));
    HF_ASSERT(hf_core_export(store, &core, HF_VIEW("realloc"), &export) &&
              hf_extern_func(&export, &g->rt.realloc));
    HF_ASSERT(hf_core_export(store, &core, HF_VIEW("grow"), &export) &&
              hf_extern_func(&export, &g->grow));
    g->rt.has_memory = g->rt.has_realloc = true;
}
