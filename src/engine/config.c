/* config.c - an engine: settings filled in, Wasmtime configured, what all stores share.
 *
 * Wasmtime aborts the process when it cannot make an engine (its C API has no error there), so what
 * can fail for reasons of the machine - address space, the number of mappings - is tried first and
 * refused with words.
 */
#include "engine/engine_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/hash.h"

#define GIB (UINT64_C(1) << 30)
#define MEMORY_RANGE                                                                               \
    (4 * GIB) /* address space of one memory: no bounds checks in compiled code                    \
               */
#define MEMORY_GUARD  (UINT64_C(32) << 20)
#define GC_HEAPS_MAX  1000u
#define MAPS_TO_SPARE 1024u /* mappings that the rest of the process may need */

void hf_engine_process_init(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* refused only by kernels without huge pages */
}

void hf_engine_settings_init(struct hf_engine_settings *s)
{
    *s = (struct hf_engine_settings){.os = hf_os_linux(), .pooling = true};
}

static void fill_u32(uint32_t *value, uint32_t normal)
{
    if (*value == 0)
        *value = normal;
}

static enum hf_err fill_settings(struct hf_engine_settings *s, struct hf_report *report)
{
    HF_ASSERT(s->os != NULL);
    fill_u32(&s->instances_max, 1000);
    fill_u32(&s->stacks_max, s->instances_max); /* no more stores than instances */
    fill_u32(&s->memories_per_module, 4);
    fill_u32(&s->tables_per_module, 8);
    fill_u32(&s->table_elements, 200000);
    fill_u32(&s->wasm_stack, 512u << 10);
    fill_u32(&s->fiber_stack, 4u << 20);
    fill_u32(&s->tick_us, 1000);
    fill_u32(&s->slice_ticks, 10);
    fill_u32(&s->offfiber_ticks, 1000);
    if (s->memory_max == 0)
        s->memory_max = MEMORY_RANGE;
    if (s->core_instance_size == 0)
        s->core_instance_size = UINT64_C(4) << 20;
    if (s->memory_max > MEMORY_RANGE)
        return hf_report_set(report, HF_INVALID,
                             "memory_max is over 4 GiB: no memory can be that large");
    if (s->wasm_stack < 64u << 10)
        return hf_report_set(report, HF_INVALID,
                             "wasm_stack is under 64 KiB: too little for any guest");
    if (s->fiber_stack < s->wasm_stack + 2 * HF_STACK_SLACK + HF_STACK_TOP)
        return hf_report_set(report, HF_INVALID,
                             "fiber_stack must hold one guest stack (wasm_stack) and %zu KiB",
                             (2 * HF_STACK_SLACK + HF_STACK_TOP) >> 10);
    return HF_OK;
}

/* ---- will the pool fit this machine? ---- */

static uint64_t max_map_count(void)
{
    unsigned long long n = UINT64_MAX;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    if (f == NULL)
        return UINT64_MAX;
    if (fscanf(f, "%llu", &n) != 1)
        n = UINT64_MAX;
    fclose(f);
    return n;
}

static uint32_t gc_heaps(const struct hf_engine_settings *s)
{
    return s->instances_max < GC_HEAPS_MAX ? s->instances_max : GC_HEAPS_MAX;
}

static enum hf_err check_machine(const struct hf_engine_settings *s, struct hf_report *report)
{
    uint64_t maps = max_map_count();
    if (!s->pooling)
        return HF_OK;
    if (2 * (uint64_t)s->stacks_max + MAPS_TO_SPARE > maps)
        return hf_report_set(report, HF_LIMIT,
                             "stacks_max = %u needs %llu memory mappings, the kernel gives a "
                             "process %llu: lower it, or "
                             "raise vm.max_map_count",
                             s->stacks_max, 2ull * s->stacks_max + MAPS_TO_SPARE,
                             (unsigned long long)maps);
    uint64_t memories = (uint64_t)s->instances_max + gc_heaps(s) + 1;
    uint64_t bytes = memories * (MEMORY_RANGE + MEMORY_GUARD) +
                     (uint64_t)s->stacks_max * s->fiber_stack +
                     (uint64_t)s->instances_max * s->table_elements * 16;
    void *probe = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED)
        return hf_report_set(report, HF_LIMIT,
                             "instances_max = %u needs %llu GiB of address space, which cannot be "
                             "had (%s): lower it",
                             s->instances_max, (unsigned long long)(bytes / GIB), strerror(errno));
    munmap(probe, bytes);
    return HF_OK;
}

/* ---- Wasmtime's configuration ---- */

static void configure_pool(wasm_config_t *c, const struct hf_engine_settings *s)
{
    wasmtime_pooling_allocation_config_t *p = wasmtime_pooling_allocation_config_new();
    wasmtime_pooling_allocation_config_total_core_instances_set(p, s->instances_max);
    wasmtime_pooling_allocation_config_total_memories_set(p, s->instances_max);
    wasmtime_pooling_allocation_config_total_tables_set(p, s->instances_max);
    wasmtime_pooling_allocation_config_total_gc_heaps_set(p, gc_heaps(s));
    wasmtime_pooling_allocation_config_total_stacks_set(p, s->stacks_max);
    wasmtime_pooling_allocation_config_max_memory_size_set(p, s->memory_max);
    wasmtime_pooling_allocation_config_max_memories_per_module_set(p, s->memories_per_module);
    wasmtime_pooling_allocation_config_max_tables_per_module_set(p, s->tables_per_module);
    wasmtime_pooling_allocation_config_table_elements_set(p, s->table_elements);
    wasmtime_pooling_allocation_config_max_core_instance_size_set(p, s->core_instance_size);
    wasmtime_pooling_allocation_strategy_set(c, p);
    wasmtime_pooling_allocation_config_delete(p);
}

static void configure_features(wasm_config_t *c, bool all)
{
    wasmtime_config_wasm_bulk_memory_set(c, true);
    wasmtime_config_wasm_multi_value_set(c, true);
    wasmtime_config_wasm_reference_types_set(c, true);
    wasmtime_config_wasm_simd_set(c, all);
    wasmtime_config_wasm_relaxed_simd_set(c, all);
    wasmtime_config_wasm_relaxed_simd_deterministic_set(c, true); /* T8 */
    wasmtime_config_wasm_tail_call_set(c, all);
    wasmtime_config_wasm_function_references_set(c, all);
    wasmtime_config_wasm_exceptions_set(c, all);
    wasmtime_config_wasm_multi_memory_set(c, all);
    wasmtime_config_wasm_threads_set(c, false); /* T8, S3 */
    wasmtime_config_shared_memory_set(c, false);
    wasmtime_config_wasm_gc_set(c, false);
    wasmtime_config_wasm_memory64_set(c, false); /* S3 */
    wasmtime_config_wasm_stack_switching_set(c, false);
    wasmtime_config_wasm_custom_page_sizes_set(c, false);
    wasmtime_config_wasm_wide_arithmetic_set(c, false);
}

static wasm_config_t *configure(const struct hf_engine_settings *s)
{
    wasm_config_t *c = wasm_config_new();
    configure_features(c, !s->keep_wasm_features_min);
    wasmtime_config_epoch_interruption_set(c, true);
    wasmtime_config_consume_fuel_set(c, false);
    wasmtime_config_max_wasm_stack_set(c, s->wasm_stack);
    wasmtime_config_async_stack_size_set(c, s->fiber_stack);
    wasmtime_config_parallel_compilation_set(c, s->compile_threads != 1);
    wasmtime_config_cranelift_nan_canonicalization_set(c, false);
    wasmtime_config_memory_reservation_set(c, MEMORY_RANGE);
    wasmtime_config_memory_guard_size_set(c, MEMORY_GUARD);
    wasmtime_config_memory_may_move_set(c, false); /* base addresses are kept across guest code */
    wasmtime_config_memory_init_cow_set(c, true);
    if (s->pooling)
        configure_pool(c, s);
    return c;
}

/* ---- fingerprint ---- */

static enum hf_err add_cpu(struct hf_buf *b)
{
    enum hf_err err = HF_OK;
#if defined(__x86_64__)
    __builtin_cpu_init();
#define CPU(name)                                                                                  \
    if (err == HF_OK && __builtin_cpu_supports(name))                                              \
    err = hf_buf_add_text(b, " " name)
    CPU("sse3");
    CPU("ssse3");
    CPU("sse4.1");
    CPU("sse4.2");
    CPU("popcnt");
    CPU("avx");
    CPU("avx2");
    CPU("fma");
    CPU("bmi");
    CPU("bmi2");
    CPU("avx512f");
    CPU("avx512dq");
    CPU("avx512vl");
    CPU("avx512bitalg");
    CPU("avx512vbmi");
#undef CPU
#else
    (void)b;
#endif
    return err;
}

static enum hf_err fingerprint(struct hf_engine *e)
{
    const struct hf_engine_settings *s = &e->settings;
    uint8_t hash[HF_SHA256_LEN];
    struct hf_buf b = {0};
    enum hf_err err = hf_buf_printf(
        &b,
        "wasmtime " WASMTIME_VERSION " %s; epochs, no fuel; features %s; nan as is; memory %llx "
        "guard %llx; %s %llu %u %u %u %llu; cpu",
#if defined(__x86_64__)
        "x86_64",
#elif defined(__aarch64__)
        "aarch64",
#else
#error "which machine is this?"
#endif
        s->keep_wasm_features_min ? "min" : "all", (unsigned long long)MEMORY_RANGE,
        (unsigned long long)MEMORY_GUARD, s->pooling ? "pool" : "on demand",
        (unsigned long long)s->memory_max, s->memories_per_module, s->tables_per_module,
        s->table_elements, (unsigned long long)s->core_instance_size);
    if (err == HF_OK)
        err = add_cpu(&b);
    if (err == HF_OK) {
        hf_sha256(b.ptr, b.len, hash);
        hf_hex(hash, sizeof hash, e->fingerprint);
    }
    hf_buf_done(&b);
    return err;
}

/* ---- the engine ---- */

static enum hf_err open_cache(struct hf_engine *e, struct hf_report *report)
{
    if (e->settings.cache_dir == NULL)
        return HF_OK;
    e->cache_dir = strdup(e->settings.cache_dir);
    e->settings.cache_dir = e->cache_dir;
    if (e->cache_dir == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    /* Wasmtime maps code files itself, so they must be files of the system and not of a simulated
     * world. */
    e->code_cache = e->settings.os == hf_os_linux();
    return hf_cache_open(e, report);
}

enum hf_err hf_engine_new(const struct hf_engine_settings *s, struct hf_engine **ret,
                          struct hf_report *report)
{
    struct hf_engine *e = aligned_alloc(64, (sizeof *e + 63) / 64 * 64);
    uint64_t seed;
    if (e == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    memset(e, 0, sizeof *e);
    e->settings = *s;
    HF_ASSERT(pthread_mutex_init(&e->trouble_lock, NULL) == 0);
    enum hf_err err = fill_settings(&e->settings, report);
    if (err == HF_OK)
        err = fingerprint(e);
    if (err == HF_OK)
        err = open_cache(e, report);
    if (err == HF_OK)
        err = check_machine(&e->settings, report);
    if (err == HF_OK)
        err = e->settings.os->random(e->settings.os, &seed, sizeof seed);
    if (err != HF_OK)
        goto fail;

    wasm_valtype_vec_t none = WASM_EMPTY_VEC;
    wasm_valtype_vec_t none_too = WASM_EMPTY_VEC;
    e->wasm = wasm_engine_new_with_config(configure(&e->settings));
    e->linker = wasmtime_linker_new(e->wasm);
    e->void_type = wasm_functype_new(&none, &none_too);
    hf_sigs_init(&e->sigs, seed);
    err = hf_fiber_define(e, report);
    if (err == HF_OK && !e->settings.no_ticker)
        err = hf_ticker_start(&e->ticker, e->wasm, e->settings.tick_us, report);
    if (err != HF_OK)
        goto fail;
    *ret = e;
    return HF_OK;
fail:
    hf_engine_free(e);
    return hf_report_set(report, err, "making an engine: %s", hf_err_text(err));
}

void hf_engine_free(struct hf_engine *e)
{
    if (e == NULL)
        return;
    hf_ticker_stop(&e->ticker);
    hf_sigs_done(&e->sigs);
    if (e->void_type != NULL)
        wasm_functype_delete(e->void_type);
    if (e->linker != NULL)
        wasmtime_linker_delete(e->linker);
    if (e->wasm != NULL)
        wasm_engine_delete(e->wasm);
    pthread_mutex_destroy(&e->trouble_lock);
    free(e->cache_dir);
    free(e);
}

const struct hf_engine_settings *hf_engine_get_settings(const struct hf_engine *engine)
{
    return &engine->settings;
}

const char *hf_engine_fingerprint(const struct hf_engine *engine)
{
    return engine->fingerprint;
}
