/* store.c - stores, and what lives in them: instances, memories, globals.
 *
 * A handle is Wasmtime's own value under another name, so nothing is looked up between a caller and
 * the object. The start function of a module is an ordinary export after the rewrite; making an
 * instance runs no code of the guest's.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

#include "base/vec.h"

/* ---- stores ---- */

static uint32_t or_else(uint32_t value, uint32_t normal)
{
    return value == 0 ? normal : value;
}

enum hf_err hf_store_new(struct hf_engine *engine, const struct hf_store_settings *s,
                         struct hf_store **ret, struct hf_report *report)
{
    static const struct hf_store_settings none = {0};
    const struct hf_engine_settings *es = &engine->settings;
    s = s == NULL ? &none : s;
    struct hf_store *store = malloc(sizeof *store);
    if (store == NULL)
        return hf_report_set(report, HF_LIMIT, "making a store: out of memory");
    memset(store, 0,
           offsetof(struct hf_store, report)); /* a report needs no zeroes, and is 4 KiB */
    hf_report_init(&store->report);
    store->engine = engine;
    store->memory_max =
        s->memory_max == 0 || s->memory_max > es->memory_max ? es->memory_max : s->memory_max;
    store->slice_ticks = or_else(s->slice_ticks, es->slice_ticks);
    store->stack_need = es->wasm_stack + HF_STACK_SLACK;
    store->shard = hf_ticker_shard();
    store->wasm = wasmtime_store_new(engine->wasm, store, NULL);
    store->cx = wasmtime_store_context(store->wasm);
    wasmtime_store_limiter(store->wasm, (int64_t)store->memory_max, es->table_elements,
                           or_else(s->instances_max, es->instances_max),
                           or_else(s->tables_max, es->instances_max),
                           or_else(s->memories_max, es->instances_max));
    wasmtime_store_epoch_deadline_callback(store->wasm, hf_store_on_epoch, store, NULL);
    if (!hf_fiber_fetch(store)) {
        hf_store_free(store);
        return hf_report_set(report, HF_LIMIT, "making a store: out of memory");
    }
    *ret = store;
    return HF_OK;
}

void hf_store_free(struct hf_store *store)
{
    if (store == NULL)
        return;
    HF_ASSERT(!store->on_fiber && store->off_depth == 0); /* not from inside */
    hf_store_cancel(store);
    hf_deps_fiber_free(store->fiber);
    wasmtime_store_delete(store->wasm);
    for (struct hf_import_chunk *c = store->imports; c != NULL;) {
        struct hf_import_chunk *older = c->older;
        free(c);
        c = older;
    }
    HF_VEC_DONE(&store->memories);
    free(store);
}

void hf_store_set_ctx(struct hf_store *store, void *ctx)
{
    store->ctx = ctx;
}

void *hf_store_ctx(const struct hf_store *store)
{
    return store->ctx;
}

struct hf_engine *hf_store_engine(const struct hf_store *store)
{
    return store->engine;
}

struct hf_report *hf_store_report(struct hf_store *store)
{
    return &store->report;
}

void hf_store_report_clear(struct hf_store *s)
{
    hf_report_init(&s->report);
    s->traced = false;
    s->suspect = false;
}

bool hf_store_memory_suspect(const struct hf_store *store)
{
    return store->suspect;
}

bool hf_store_dead(const struct hf_store *store)
{
    return store->dying;
}

/* ---- instances ---- */

static bool get_export(struct hf_store *s, const struct hf_core *core, const char *name, size_t len,
                       wasmtime_extern_t *ret)
{
    return wasmtime_instance_export_get(s->cx, (const wasmtime_instance_t *)core, name, len, ret);
}

/* A reserved export: there by construction (rewrite.c). */
static void get_reserved(struct hf_store *s, const struct hf_core *core, char what, size_t i,
                         wasmtime_extern_kind_t kind, wasmtime_extern_t *ret)
{
    char name[HF_RESERVED_MAX];
    hf_reserved_name(what, i, name);
    HF_ASSERT(get_export(s, core, name, strlen(name), ret) && ret->kind == kind);
}

/* Remembers the memories an instance brings, for hf_store_memory_suspect. */
static enum hf_err note_memories(struct hf_store *s, const struct hf_module *m,
                                 const struct hf_core *core)
{
    if (!HF_VEC_RESERVE(&s->memories, m->n_memories))
        return HF_LIMIT;
    for (size_t i = 0; i < m->n_memories; i++) {
        const struct hf_wasm_memory *def = &m->memories[i];
        wasmtime_extern_t e;
        get_reserved(s, core, 'm', i, WASMTIME_EXTERN_MEMORY, &e);
        uint64_t most = s->memory_max;
        if (def->max < most >> def->page_log2)
            most = def->max << def->page_log2;
        s->memories.ptr[s->memories.len++] = (struct hf_store_memory){
            .memory = e.of.memory, .min = def->min << def->page_log2, .max = most};
    }
    return HF_OK;
}

/* Why an instance was refused. Wasmtime tells only in words; imports that do not fit are the
 * caller's mistake, anything else ran out (pool, limits of the store). */
static enum hf_err refused(const struct hf_new_task *task, struct hf_report *report)
{
    struct hf_buf text = {0};
    enum hf_err err = HF_TRAP; /* a segment that does not fit its memory or table */
    if (task->trap != NULL) {
        hf_trap_trap_text(task->trap, &text);
    } else {
        hf_trap_error_text(task->error, &text);
        const char *why = text.ptr == NULL ? "" : (const char *)text.ptr;
        err = strstr(why, "incompatible import type") != NULL ? HF_INVALID : HF_LIMIT;
    }
    hf_report_set(report, err, "making a core instance: %s",
                  text.ptr == NULL ? "out of memory" : (const char *)text.ptr);
    hf_buf_done(&text);
    return err;
}

static enum hf_err instantiate(struct hf_store *s, struct hf_new_task *task,
                               const struct hf_module *m, struct hf_core *ret,
                               struct hf_report *report)
{
    enum hf_err err = hf_store_instantiate(s, task);
    if (err != HF_OK)
        return hf_report_set(report, err, "making a core instance: %s",
                             s->report.len == 0 ? hf_err_text(err) : s->report.text);
    if (task->error != NULL || task->trap != NULL)
        return refused(task, report);
    memcpy(ret, &task->instance, sizeof *ret);
    err = note_memories(s, m, ret);
    return err == HF_OK ? HF_OK
                        : hf_report_set(report, err, "making a core instance: out of memory");
}

enum hf_err hf_core_new(struct hf_store *store, const struct hf_module *m,
                        const struct hf_extern *imports, size_t n_imports, struct hf_core *ret,
                        struct hf_report *report)
{
    wasmtime_extern_t few[32], *externs = few;
    HF_ASSERT(m->engine == store->engine);
    if (n_imports != m->n_imports)
        return hf_report_set(report, HF_INVALID,
                             "making a core instance: it has %zu imports, %zu were given",
                             m->n_imports, n_imports);
    if (n_imports > HF_ARRAY_LEN(few)) {
        externs = calloc(n_imports, sizeof *externs);
        if (externs == NULL)
            return hf_report_set(report, HF_LIMIT, "making a core instance: out of memory");
    }
    for (size_t i = 0; i < n_imports; i++)
        memcpy(&externs[i], &imports[i], sizeof externs[i]);
    struct hf_new_task task = {.module = m, .imports = externs, .n_imports = n_imports};
    enum hf_err err = instantiate(store, &task, m, ret, report);
    if (externs != few)
        free(externs);
    return err;
}

enum hf_err hf_core_start(struct hf_store *store, const struct hf_module *m,
                          const struct hf_core *core)
{
    wasmtime_extern_t e;
    struct hf_func f;
    if (!m->has_start)
        return HF_OK;
    get_reserved(store, core, 's', 0, WASMTIME_EXTERN_FUNC, &e);
    memcpy(&f, &e.of.func, sizeof f);
    return hf_store_call(store, &f, NULL, 0);
}

bool hf_core_export(struct hf_store *store, const struct hf_core *core, struct hf_view name,
                    struct hf_extern *ret)
{
    wasmtime_extern_t e = {0};
    if (!get_export(store, core, (const char *)name.ptr, name.len, &e))
        return false;
    memset(ret, 0, sizeof *ret);
    memcpy(ret, &e, sizeof e);
    return true;
}

void hf_core_memory(struct hf_store *store, const struct hf_module *m, const struct hf_core *core,
                    size_t i, struct hf_memory *ret)
{
    wasmtime_extern_t e;
    HF_ASSERT(i < m->n_memories);
    get_reserved(store, core, 'm', i, WASMTIME_EXTERN_MEMORY, &e);
    memcpy(ret, &e.of.memory, sizeof *ret);
}

void hf_core_global(struct hf_store *store, const struct hf_module *m, const struct hf_core *core,
                    size_t i, struct hf_global *ret)
{
    wasmtime_extern_t e;
    HF_ASSERT(i < m->n_globals);
    get_reserved(store, core, 'g', i, WASMTIME_EXTERN_GLOBAL, &e);
    memcpy(ret, &e.of.global, sizeof *ret);
}

/* ---- externs ---- */

static const wasmtime_extern_t *seen(const struct hf_extern *e)
{
    return (const wasmtime_extern_t *)(const void *)e;
}

enum hf_core_kind hf_extern_kind(const struct hf_extern *e)
{
    switch (seen(e)->kind) {
    case WASMTIME_EXTERN_FUNC: return HF_CORE_FUNC;
    case WASMTIME_EXTERN_TABLE: return HF_CORE_TABLE;
    case WASMTIME_EXTERN_GLOBAL: return HF_CORE_GLOBAL;
    case WASMTIME_EXTERN_TAG: return HF_CORE_TAG;
    default: return HF_CORE_MEMORY;
    }
}

bool hf_extern_func(const struct hf_extern *e, struct hf_func *ret)
{
    if (seen(e)->kind != WASMTIME_EXTERN_FUNC)
        return false;
    memcpy(ret, &seen(e)->of.func, sizeof *ret);
    return true;
}

bool hf_extern_memory(const struct hf_extern *e, struct hf_memory *ret)
{
    if (seen(e)->kind != WASMTIME_EXTERN_MEMORY)
        return false;
    memcpy(ret, &seen(e)->of.memory, sizeof *ret);
    return true;
}

bool hf_extern_global(const struct hf_extern *e, struct hf_global *ret)
{
    if (seen(e)->kind != WASMTIME_EXTERN_GLOBAL)
        return false;
    memcpy(ret, &seen(e)->of.global, sizeof *ret);
    return true;
}

void hf_extern_of_func(const struct hf_func *f, struct hf_extern *ret)
{
    wasmtime_extern_t e = {.kind = WASMTIME_EXTERN_FUNC};
    memcpy(&e.of.func, f, sizeof *f);
    memset(ret, 0, sizeof *ret);
    memcpy(ret, &e, sizeof e);
}

/* ---- memories and globals ---- */

void hf_memory_get(struct hf_store *store, const struct hf_memory *m, uint8_t **base, size_t *size)
{
    const wasmtime_memory_t *wm = (const wasmtime_memory_t *)m;
    *base = wasmtime_memory_data(store->cx, wm);
    *size = wasmtime_memory_data_size(store->cx, wm);
}

enum hf_err hf_memory_grow(struct hf_store *store, const struct hf_memory *m, uint64_t size)
{
    const wasmtime_memory_t *wm = (const wasmtime_memory_t *)m;
    uint64_t have = wasmtime_memory_data_size(store->cx, wm), before;
    uint64_t page = wasmtime_memory_page_size(store->cx, wm);
    if (size <= have)
        return HF_OK;
    if (size % page != 0)
        return HF_LIMIT;
    wasmtime_error_t *error = wasmtime_memory_grow(store->cx, wm, (size - have) / page, &before);
    if (error == NULL)
        return HF_OK;
    wasmtime_error_delete(error);
    return HF_LIMIT;
}

/* References have no value that could be kept: they read as null. */
void hf_global_get(struct hf_store *store, const struct hf_global *g, union hf_val *ret)
{
    wasmtime_val_t v;
    wasmtime_global_get(store->cx, (const wasmtime_global_t *)g, &v);
    memset(ret, 0, sizeof *ret);
    switch (v.kind) {
    case WASMTIME_I32: ret->i32 = v.of.i32; break;
    case WASMTIME_I64: ret->i64 = v.of.i64; break;
    case WASMTIME_F32: memcpy(&ret->f32, &v.of.f32, sizeof ret->f32); break;
    case WASMTIME_F64: memcpy(&ret->f64, &v.of.f64, sizeof ret->f64); break;
    case WASMTIME_V128: memcpy(ret->v128, v.of.v128, sizeof ret->v128); break;
    default: wasmtime_val_unroot(&v); break;
    }
}

void hf_global_set(struct hf_store *store, const struct hf_global *g, const union hf_val *val)
{
    wasmtime_val_t v;
    const wasmtime_global_t *wg = (const wasmtime_global_t *)g;
    wasmtime_global_get(store->cx, wg, &v); /* for its type */
    switch (v.kind) {
    case WASMTIME_I32: v.of.i32 = val->i32; break;
    case WASMTIME_I64: v.of.i64 = val->i64; break;
    case WASMTIME_F32: memcpy(&v.of.f32, &val->f32, sizeof val->f32); break;
    case WASMTIME_F64: memcpy(&v.of.f64, &val->f64, sizeof val->f64); break;
    case WASMTIME_V128: memcpy(v.of.v128, val->v128, sizeof val->v128); break;
    default: HF_ASSERT(!"a global of numeric type");
    }
    HF_ASSERT(wasmtime_global_set(store->cx, wg, &v) == NULL); /* only an immutable one refuses */
}
