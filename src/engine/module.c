/* module.c - a core module, compiled: read, rewritten, gated, and kept on disk so that all of it is
 * done once.
 *
 * A hit costs reading the small sections and mapping a file (code.c). Compiling is Wasmtime's; what
 * it refuses is told apart here into wrong, too large and not here.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

#include "base/vec.h"

#include <hf_deps.h>

#define ARENA_MAX ((size_t)512 << 20)

/* ---- what does not fit the pool, by name ---- */

static enum hf_err check_pool(const struct hf_engine_settings *s, const struct hf_wasm *w,
                              struct hf_report *report)
{
    size_t memories = w->memories.len - w->imported_memories;
    size_t tables = w->tables.len - w->imported_tables;
    if (memories > s->memories_per_module)
        return hf_report_set(report, HF_LIMIT,
                             "the core module defines %zu memories, memories_per_module allows %u",
                             memories, s->memories_per_module);
    if (tables > s->tables_per_module)
        return hf_report_set(report, HF_LIMIT,
                             "the core module defines %zu tables, tables_per_module allows %u",
                             tables, s->tables_per_module);
    for (size_t i = w->imported_memories; i < w->memories.len; i++) {
        const struct hf_wasm_memory *m = &w->memories.ptr[i];
        if (m->min > s->memory_max >> m->page_log2)
            return hf_report_set(report, HF_LIMIT,
                                 "memory %zu of the core module begins with %llu pages of %u "
                                 "bytes, memory_max allows "
                                 "%llu bytes",
                                 i, (unsigned long long)m->min, 1u << m->page_log2,
                                 (unsigned long long)s->memory_max);
    }
    for (size_t i = w->imported_tables; i < w->tables.len; i++)
        if (w->tables.ptr[i].min > s->table_elements)
            return hf_report_set(
                report, HF_LIMIT,
                "table %zu of the core module begins with %llu elements, table_elements allows %u",
                i, (unsigned long long)w->tables.ptr[i].min, s->table_elements);
    return HF_OK;
}

/* ---- compiling ---- */

/* Wasmtime refused: is the module wrong, or does it ask for what is not here? Offsets of the
 * rewritten bytes mean nothing to the reader, so the validator is asked about the original. */
static enum hf_err refused(const struct hf_wasm *w, wasmtime_error_t *error,
                           struct hf_report *report)
{
    struct hf_buf text = {0};
    hf_trap_error_text(error, &text);
    char *invalid = hf_deps_validate(w->bytes.ptr, w->bytes.len, 0);
    char *always =
        hf_deps_validate(w->bytes.ptr, w->bytes.len,
                         HF_DEPS_VALIDATE_GC | HF_DEPS_VALIDATE_THREADS | HF_DEPS_VALIDATE_DRAFTS);
    const char *why = text.ptr == NULL ? "refused by the compiler" : (const char *)text.ptr;
    enum hf_err err = HF_UNSUPPORTED;
    if (invalid != NULL && always != NULL) {
        err = HF_INVALID;
        why = invalid;
    } else if (invalid == NULL && strstr(why, "exceeds") != NULL) {
        err = HF_LIMIT;
    }
    hf_report_set(report, err, "core module: %s", why);
    hf_deps_string_free(invalid);
    hf_deps_string_free(always);
    hf_buf_done(&text);
    return err;
}

static enum hf_err compile(struct hf_engine *engine, const struct hf_wasm *w, struct hf_module *m,
                           struct hf_report *report)
{
    struct hf_buf bytes = {0};
    enum hf_err err = hf_wasm_rewrite(w, &bytes, report);
    if (err == HF_OK)
        err = hf_gate_scan(w, &m->gate, report);
    if (err == HF_OK) {
        wasmtime_error_t *error = wasmtime_module_new(engine->wasm, bytes.ptr, bytes.len, &m->wasm);
        if (error != NULL)
            err = refused(w, error, report);
    }
    hf_buf_done(&bytes);
    return err;
}

/* ---- what the module says about itself ---- */

static bool copy_types(struct hf_arena *a, uint32_t n, const enum hf_core_type **types)
{
    enum hf_core_type *copy = hf_arena_array(a, n + 1u, sizeof *copy);
    if (copy == NULL)
        return false;
    if (n > 0)
        memcpy(copy, *types, n * sizeof *copy);
    *types = copy;
    return true;
}

/* Names and types move from the file and the scratch arena into the module's. */
static bool copy_items(struct hf_arena *a, const struct hf_core_item *from, size_t n,
                       struct hf_core_item **ret)
{
    struct hf_core_item *items = hf_arena_array(a, n + 1, sizeof *items);
    *ret = items;
    if (items == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct hf_core_item *item = &items[i];
        *item = from[i];
        item->module = hf_arena_copy(a, item->module);
        item->name = hf_arena_copy(a, item->name);
        if (item->module.ptr == NULL || item->name.ptr == NULL)
            return false;
        if (item->kind == HF_CORE_FUNC &&
            (!copy_types(a, item->func.n_params, &item->func.params) ||
             !copy_types(a, item->func.n_results, &item->func.results)))
            return false;
    }
    return true;
}

static bool index_exports(struct hf_module *m)
{
    for (size_t i = 0; i < m->n_exports; i++)
        if (hf_map_put(&m->by_name, m->exports[i].name, &m->exports[i], NULL) != HF_OK)
            return false;
    return true;
}

static void sum_memories(struct hf_module *m)
{
    for (size_t i = 0; i < m->n_memories; i++) {
        const struct hf_wasm_memory *mem = &m->memories[i];
        uint64_t most = UINT64_C(4) << 30, bytes;
        if (mem->max > most >> mem->page_log2)
            bytes = most;
        else
            bytes = mem->max << mem->page_log2;
        m->memory_max += bytes;
    }
}

static enum hf_err describe(struct hf_module *m, const struct hf_wasm *w, struct hf_report *report)
{
    m->n_imports = w->imports.len;
    m->n_exports = w->exports.len;
    m->has_start = w->has_start;
    m->n_memories = w->memories.len - w->imported_memories;
    for (uint32_t i = 0; i < w->globals.len; i++)
        m->n_globals += hf_wasm_own_global(w, i);
    struct hf_wasm_memory *memories =
        hf_arena_array(&m->arena, m->n_memories + 1, sizeof *memories);
    if (memories == NULL || !copy_items(&m->arena, w->imports.ptr, m->n_imports, &m->imports) ||
        !copy_items(&m->arena, w->exports.ptr, m->n_exports, &m->exports) || !index_exports(m))
        return hf_report_set(report, HF_LIMIT, "core module: out of memory");
    if (m->n_memories > 0)
        memcpy(memories, w->memories.ptr + w->imported_memories, m->n_memories * sizeof *memories);
    m->memories = memories;
    sum_memories(m);
    return HF_OK;
}

/* ---- loading ---- */

static enum hf_err load(struct hf_engine *engine, const struct hf_wasm *w, const uint8_t *key,
                        struct hf_module *m, bool *hit, struct hf_report *report)
{
    bool cache = key != NULL && engine->cache_dir != NULL && engine->code_cache;
    enum hf_err err = check_pool(&engine->settings, w, report);
    if (err == HF_OK)
        err = describe(m, w, report);
    if (err != HF_OK)
        return err;
    *hit = cache && hf_code_load(engine, key, w->bytes, m) == HF_OK;
    if (*hit)
        return HF_OK;
    err = compile(engine, w, m, report);
    if (err == HF_OK && cache)
        hf_code_keep(engine, key, w->bytes, m);
    return err;
}

enum hf_err hf_module_load(struct hf_engine *engine, struct hf_view bytes, const uint8_t *key,
                           struct hf_module **ret, bool *hit, struct hf_report *report)
{
    struct hf_wasm w;
    bool was_hit = false;
    struct hf_module *m = calloc(1, sizeof *m);
    if (m == NULL)
        return hf_report_set(report, HF_LIMIT, "core module: out of memory");
    atomic_init(&m->refs, 1);
    m->engine = engine;
    hf_arena_init(&m->arena, 1024, ARENA_MAX);
    hf_map_init(&m->by_name, 0);
    enum hf_err err = hf_wasm_read(bytes, &w, report);
    if (err == HF_OK)
        err = load(engine, &w, key, m, &was_hit, report);
    hf_wasm_done(&w);
    if (err != HF_OK) {
        hf_module_unref(m);
        return err;
    }
    if (hit != NULL)
        *hit = was_hit;
    *ret = m;
    return HF_OK;
}

struct hf_module *hf_module_ref(struct hf_module *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void hf_module_unref(struct hf_module *m)
{
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (m->wasm != NULL)
        wasmtime_module_delete(m->wasm);
    hf_map_done(&m->by_name);
    hf_arena_done(&m->arena);
    free(m);
}

/* ---- asking ---- */

size_t hf_module_n_imports(const struct hf_module *m)
{
    return m->n_imports;
}

size_t hf_module_n_exports(const struct hf_module *m)
{
    return m->n_exports;
}

const struct hf_core_item *hf_module_import(const struct hf_module *m, size_t i)
{
    HF_ASSERT(i < m->n_imports);
    return &m->imports[i];
}

const struct hf_core_item *hf_module_export(const struct hf_module *m, size_t i)
{
    HF_ASSERT(i < m->n_exports);
    return &m->exports[i];
}

const struct hf_core_item *hf_module_find_export(const struct hf_module *m, struct hf_view name)
{
    return hf_map_get(&m->by_name, name);
}

bool hf_module_has_start(const struct hf_module *m)
{
    return m->has_start;
}

size_t hf_module_n_memories(const struct hf_module *m)
{
    return m->n_memories;
}

size_t hf_module_n_globals(const struct hf_module *m)
{
    return m->n_globals;
}

uint32_t hf_module_gate(const struct hf_module *m)
{
    return m->gate;
}

uint64_t hf_module_memory_max(const struct hf_module *m)
{
    return m->memory_max;
}
