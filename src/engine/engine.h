/* engine.h - Wasmtime behind one door: engines, modules, stores, calls on a fiber, memory images.
 *
 * Nobody above includes wasmtime.h. Handles to functions, memories and globals are small values
 * that are good as long as their store; nothing here is reference-counted by the user except
 * modules.
 *
 * The shape of a call (design engine.md, reference component-model 6.4, T1-T10):
 *
 * A `driver` is a C function that runs on the store's fiber: hf_store_start, then hf_store_poll
 * until it is not HF_AGAIN. In it, guest functions are called with hf_store_call, as often and as
 * nested as one likes.
 *
 * Every import is a synchronous C function (hf_func_new). One that must wait calls hf_store_block,
 * which suspends the fiber: hf_store_poll returns HF_AGAIN to the loop, and the next hf_store_poll
 * continues behind the block.
 *
 * A guest that computes too long yields (HF_AGAIN with hf_store_why = HF_WHY_SLICE): poll again
 * when it is its turn.
 *
 * hf_store_cancel unwinds a suspended driver: block returns HF_CANCELLED, no guest code is entered
 * again.
 *
 * Threads: an engine and its modules are shared by all threads; a store, its handles and its fiber
 * stay on the thread that first used it. Guest code off a fiber uses up to wasm_stack bytes of the
 * thread's own stack.
 *
 * Signals: Wasmtime handles SIGSEGV, SIGILL, SIGFPE and SIGBUS of guest code; whoever installs
 * handlers of his own after the first engine was made turns traps into crashes.
 *
 * Fuel is off: compiled code counts epochs (hf_engine_fingerprint says so).
 */
#ifndef HF_ENGINE_ENGINE_H
#define HF_ENGINE_ENGINE_H

#include "base/bytes.h"
#include "os/os.h"

/* ---- engine ---- */

struct hf_engine;

struct hf_engine_settings {
    struct hf_os *os; /* clock and files; hf_os_linux() */
    /* Compiled code and verdicts (made 0700, owner checked); NULL: no cache. */
    const char *cache_dir;
    /* Core instances, memories and tables of the pool; 0 = 1000. */
    uint32_t instances_max;
    /* Fibers; 0 = instances_max. A store keeps the stack of its first driver until it is freed,
     * waiting or not: there must be one for every store that ever ran. */
    uint32_t stacks_max;
    /* Largest linear memory in bytes that a module may have; 0 = 4 GiB. */
    uint64_t memory_max;
    uint32_t memories_per_module; /* 0 = 4 */
    uint32_t tables_per_module;   /* 0 = 8 */
    uint32_t table_elements;      /* 0 = 200000 */
    uint64_t core_instance_size;  /* 0 = 4 MiB */
    uint32_t wasm_stack;          /* 0 = 512 KiB: guest stack of one entry */
    uint32_t fiber_stack;         /* 0 = 4 MiB */
    uint32_t tick_us;             /* 0 = 1000: the ticker's period; a slice is counted in ticks */
    uint32_t slice_ticks;         /* 0 = 10: a guest yields after that many */
    uint32_t offfiber_ticks;      /* 0 = 1000: guest code off a fiber traps after that many */
    bool pooling;                 /* the shipped configuration; false: on demand */
    bool no_ticker; /* no thread, and nobody interrupts a guest: for who says so himself */
    bool keep_wasm_features_min;  /* tests only */
    uint32_t compile_threads;     /* 1 = the calling thread alone; else all cores */
};

/* The shipped configuration: os = linux, pooling on. */
void hf_engine_settings_init(struct hf_engine_settings *s);
enum hf_err hf_engine_new(const struct hf_engine_settings *s, struct hf_engine **ret,
                          struct hf_report *report);
void hf_engine_free(struct hf_engine *engine); /* after every store and module of it */
/* With zeroes filled in. */
const struct hf_engine_settings *hf_engine_get_settings(const struct hf_engine *engine);
/* What compiled code depends on: engine version, settings, target; hex text, stable for a build. */
const char *hf_engine_fingerprint(const struct hf_engine *engine);

/* Full validation of a component or core module (wasmparser, in deps/). HF_INVALID and the reason
 * with its offset. */
enum hf_err hf_engine_validate(const struct hf_engine *engine, struct hf_view bytes,
                               struct hf_report *report);
/* Text to bytes, modules and components alike (tests, fixtures). */
enum hf_err hf_engine_wat(const char *text, size_t len, struct hf_buf *ret,
                          struct hf_report *report);

/* ---- cache (engine/cache.c) ---- */

/* Small files by name beside the compiled code: verdicts, gate results. `kind` is [a-z]+ ("code"
 * and "gate" are taken); what is read is appended. HF_NOT_FOUND when absent or when there is no
 * cache directory. Contents carry a CRC; a damaged one is removed and HF_NOT_FOUND. */
enum hf_err hf_cache_get(struct hf_engine *engine, const char *kind, const uint8_t key[32],
                         struct hf_buf *ret);
enum hf_err hf_cache_put(struct hf_engine *engine, const char *kind, const uint8_t key[32],
                         struct hf_view bytes, struct hf_report *report);
/* How often the cache failed and work went on without it (damaged entries removed, writes that
 * failed); *last, if given and there was one, is the report of the newest. Any thread. For the log
 * and for metrics. */
uint64_t hf_engine_cache_troubles(struct hf_engine *engine, struct hf_report *last);

/* ---- WASI preview 1 (engine/preview1.c) ---- */

/* A command's core module, made ready for the preview 1 adapter: exit codes stay whole, and Go's heap stays off the adapter's
 * memory. *ret gets the module. HF_UNSUPPORTED: it is no command of preview 1 (what it imports instead is named). The module
 * must have been validated. */
struct hf_preview1_worlds { /* object files that carry a world's component type, as bindings are linked with */
    struct hf_view exit;         /* imports wasi:cli/exit@0.2.12 */
    struct hf_view exit_and_run; /* and exports wasi:cli/run@0.2.12 */
};
enum hf_err hf_preview1_prepare(struct hf_view module, const struct hf_preview1_worlds *worlds, struct hf_buf *ret,
                                struct hf_report *report);

/* ---- modules ---- */

struct hf_module; /* reference-counted, shared by threads */

enum hf_core_kind { HF_CORE_FUNC, HF_CORE_TABLE, HF_CORE_MEMORY, HF_CORE_GLOBAL, HF_CORE_TAG };
enum hf_core_type {
    HF_I32,
    HF_I64,
    HF_F32,
    HF_F64,
    HF_V128,
    HF_FUNCREF,
    HF_EXTERNREF,
    HF_REF_OTHER
};
struct hf_functype {
    uint32_t n_params, n_results;
    const enum hf_core_type *params, *results;
};
struct hf_core_item {            /* one import or export of a module */
    struct hf_view module, name; /* module is empty for exports */
    enum hf_core_kind kind;
    struct hf_functype func;         /* HF_CORE_FUNC only */
    uint64_t memory_min, memory_max; /* HF_CORE_MEMORY: pages; max UINT64_MAX = none declared */
    bool memory64, shared;
};

/* Why an instance of a module cannot be put back in place (the static gate, reference 7.2); 0 = it
 * can. */
#define HF_GATE_TABLE_OPS   1u /* table.set/grow/fill/copy/init, elem.drop */
#define HF_GATE_DATA_OPS    2u /* memory.init, data.drop, passive segments */
#define HF_GATE_REF_GLOBALS 4u /* mutable reference globals */
#define HF_GATE_SHARED      8u /* shared memory or atomics */
#define HF_GATE_GC          16u
#define HF_GATE_UNKNOWN     32u /* an opcode the scanner does not know */
#define HF_GATE_MEMORY64    64u

/* Compiles (or loads from the cache) the core module in `bytes`, after rewriting it: every defined
 * memory, mutable global and the start function become exports under a reserved prefix, and the
 * start section is removed (we call the function ourselves, on the fiber: hf_core_start). A module
 * that uses the prefix itself is refused. `key` names the cache entry (content hash chosen by the
 * caller; NULL: not cached). `*hit` (may be NULL): came from the cache. Thread-safe. Compiling
 * takes up to seconds: `progress` is not needed here, the caller says so before it calls. */
enum hf_err hf_module_load(struct hf_engine *engine, struct hf_view bytes, const uint8_t *key,
                           struct hf_module **ret, bool *hit, struct hf_report *report);
struct hf_module *hf_module_ref(struct hf_module *m);
void hf_module_unref(struct hf_module *m); /* NULL is fine */
size_t hf_module_n_imports(const struct hf_module *m);
size_t hf_module_n_exports(const struct hf_module *m); /* without the reserved ones */
/* In file order; i below the number. */
const struct hf_core_item *hf_module_import(const struct hf_module *m, size_t i);
const struct hf_core_item *hf_module_export(const struct hf_module *m, size_t i);
/* NULL: no such export. */
const struct hf_core_item *hf_module_find_export(const struct hf_module *m, struct hf_view name);
bool hf_module_has_start(const struct hf_module *m);
/* Of those defined in the module: memories, and mutable numeric globals. */
size_t hf_module_n_memories(const struct hf_module *m);
size_t hf_module_n_globals(const struct hf_module *m);
uint32_t hf_module_gate(const struct hf_module *m); /* HF_GATE_* */
/* Bytes: sum of the declared maxima of its memories, 4 GiB where none is declared. */
uint64_t hf_module_memory_max(const struct hf_module *m);
/* The same for a module that is not compiled; valid bytes. */
enum hf_err hf_gate_of(struct hf_view module, uint32_t *ret, struct hf_report *report);
void hf_gate_text(uint32_t gate, struct hf_buf *ret); /* "changes tables (...); uses ..." for people */
/* The same of one module among several, behind what is there: "; core module 3 changes ...". */
void hf_gate_text_of(uint32_t module, uint32_t gate, struct hf_buf *ret);

/* ---- stores ---- */

struct hf_store;
union hf_val { /* one core value; layout is Wasmtime's raw value (T6), 16 bytes */
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    uint8_t v128[16];
    void *ref;
};
struct hf_func {
    uint64_t opaque[2];
};
struct hf_memory {
    uint64_t opaque[3];
};
struct hf_global {
    uint64_t opaque[3];
};
struct hf_core { /* a core instance */
    uint64_t opaque[2];
};
struct hf_extern { /* a function, memory, global, table or tag */
    uint64_t opaque[6];
};

struct hf_store_settings {
    uint64_t memory_max; /* bytes each memory of this store may grow to; 0 = the engine's */
    uint32_t tables_max, instances_max, memories_max; /* 0 = the engine's */
    uint32_t slice_ticks;                             /* 0 = the engine's */
};
enum hf_err hf_store_new(struct hf_engine *engine, const struct hf_store_settings *s,
                         struct hf_store **ret, struct hf_report *report);
void hf_store_free(struct hf_store *store); /* cancels what still runs; NULL is fine */
void hf_store_set_ctx(struct hf_store *store, void *ctx); /* for whoever owns the store */
void *hf_store_ctx(const struct hf_store *store);
struct hf_engine *hf_store_engine(const struct hf_store *store);

/* Where the last HF_TRAP of this store says what happened: kind, message, named wasm backtrace
 * ("probably memory" when a memory stands near its limit). Imports write their own reason here
 * before they return an error; its kind stays in .err (HF_DENIED, HF_TIMEOUT for a guest ended off
 * the fiber), though hf_store_call says HF_TRAP. First wins; emptied by hf_store_start, by the
 * outermost call off the fiber, and by the first hf_store_call after a trap was caught: what is
 * wanted later must be copied. hf_report_init it to make room at other times. */
struct hf_report *hf_store_report(struct hf_store *store);
/* A memory that has grown stood in the last eighth of its limit when the guest executed
 * `unreachable`, which is how guests answer to a refused growth. */
bool hf_store_memory_suspect(const struct hf_store *store);

/* Instantiates in this store; `imports` in the order of hf_module_import. May be called in a
 * driver. Runs no guest code (see hf_core_start). HF_INVALID: an import's type does not fit (the
 * report names it); HF_LIMIT: pool or limits (a refused one still counts against the store's
 * instances_max); HF_TRAP: a segment does not fit its memory or table; HF_CANCELLED. */
enum hf_err hf_core_new(struct hf_store *store, const struct hf_module *m,
                        const struct hf_extern *imports, size_t n_imports, struct hf_core *ret,
                        struct hf_report *report);
/* Calls the module's start function if it has one. In a driver: may block and yield. */
enum hf_err hf_core_start(struct hf_store *store, const struct hf_module *m,
                          const struct hf_core *core);
bool hf_core_export(struct hf_store *store, const struct hf_core *core, struct hf_view name,
                    struct hf_extern *ret);
/* The i-th memory or mutable global that the module itself defines, exported or not. */
void hf_core_memory(struct hf_store *store, const struct hf_module *m, const struct hf_core *core,
                    size_t i, struct hf_memory *ret);
void hf_core_global(struct hf_store *store, const struct hf_module *m, const struct hf_core *core,
                    size_t i, struct hf_global *ret);

enum hf_core_kind hf_extern_kind(const struct hf_extern *e);
bool hf_extern_func(const struct hf_extern *e, struct hf_func *ret); /* false: another kind */
bool hf_extern_memory(const struct hf_extern *e, struct hf_memory *ret);
bool hf_extern_global(const struct hf_extern *e, struct hf_global *ret);
void hf_extern_of_func(const struct hf_func *f, struct hf_extern *ret);

/* True when the function has exactly this type (S2: checked once, before unchecked calls). */
bool hf_func_is(struct hf_store *store, const struct hf_func *f, const struct hf_functype *type);

/* An import: gets its arguments in vals[0..n_params) and leaves results in vals[0..n_results). Any
 * error but HF_OK ends the guest with a trap whose text is hf_store_report's. Runs on the guest's
 * stack: frames under 8 KiB, no longjmp. */
typedef enum hf_err (*hf_import_fn)(void *env, union hf_val *vals);
enum hf_err hf_func_new(struct hf_store *store, const struct hf_functype *type, hf_import_fn fn,
                        void *env, struct hf_func *ret);

/* Calls a guest function on the current stack, unchecked: vals has room for max(params, results)
 * (T6). HF_TRAP with the store's report; HF_CANCELLED without entering the guest while the store is
 * dying; HF_LIMIT-like stack exhaustion is a HF_TRAP ("call stack exhausted") before the fiber
 * overflows (T3). Off a fiber: ended after offfiber_ticks, imports cannot block, and no driver may
 * be started and not ended (asserted). */
enum hf_err hf_store_call(struct hf_store *store, const struct hf_func *f, union hf_val *vals,
                          size_t n_vals);

/* Memory: base and size now; re-read after anything that may run the guest (S15). The base of a
 * memory never moves. */
static inline struct hf_view hf_view_none(void)
{
    return (struct hf_view){0};
}
void hf_memory_get(struct hf_store *store, const struct hf_memory *m, uint8_t **base, size_t *size);
/* To `size` bytes, a multiple of the page (less than it has: nothing). HF_LIMIT: refused. */
enum hf_err hf_memory_grow(struct hf_store *store, const struct hf_memory *m, uint64_t size);
void hf_global_get(struct hf_store *store, const struct hf_global *g, union hf_val *ret);
void hf_global_set(struct hf_store *store, const struct hf_global *g, const union hf_val *v);

/* ---- the fiber ---- */

typedef enum hf_err (*hf_driver_fn)(void *ctx);
enum hf_why { HF_WHY_NONE, HF_WHY_BLOCK, HF_WHY_SLICE };

/* Prepares `fn(ctx)` to run on the fiber; nothing runs before the first poll. One at a time a store
 * (asserted). HF_CANCELLED: the store is dead. */
enum hf_err hf_store_start(struct hf_store *store, hf_driver_fn fn, void *ctx);
/* Runs until the driver returns (its result is returned), blocks or uses up its slice (HF_AGAIN).
 * HF_LIMIT before the driver was entered: no stack is left (stacks_max); the store may be started
 * again. Same thread as the first poll (T5, asserted).
 * A slice that follows one which was used up is a quarter of it: there is somebody who computes, and the others'
 * wait for it should be short. */
#define HF_SPENT_SHARE 4u
enum hf_err hf_store_poll(struct hf_store *store);
/* No driver runs, and none will for a while: pages that its stack touched go back to the system. */
void hf_store_rest(struct hf_store *store);
enum hf_why hf_store_why(const struct hf_store *store);
bool hf_store_running(const struct hf_store *store); /* started and not ended */
/* Unwinds the suspended driver now: block returns HF_CANCELLED, no guest code runs. The store is
 * dead for guests after (hf_store_call gives HF_CANCELLED); memories can still be read. Nothing
 * running: marks it dead only. A driver that was never polled does not run. From inside (an
 * import): marks it, and the guest ends when that import returns. */
void hf_store_cancel(struct hf_store *store);
bool hf_store_dead(const struct hf_store *store);
/* In an import or driver, on the fiber: suspend until the next poll. HF_CANCELLED: return at once.
 * HF_UNSUPPORTED: not on a fiber. */
enum hf_err hf_store_block(struct hf_store *store);
bool hf_store_on_fiber(const struct hf_store *store);

/* ---- images of memories (engine/image.c, memimage.c) ---- */

/* The saved bytes of one memory, which of its pages are zero, and which were written since the memory
 * was made; immutable, shareable. */
struct hf_memimage;
struct hf_scanner; /* finds written pages; one per thread */

/* HF_UNSUPPORTED: the kernel lacks PAGEMAP_SCAN. */
enum hf_err hf_scanner_new(struct hf_scanner **ret, struct hf_report *report);
void hf_scanner_free(struct hf_scanner *s);

/* `whole`: every byte, to reset to; reading a memory maps all its pages, so whole images are taken
 * from instances that never serve. Else the written pages only, in the time that they take.
 * `s` NULL: every page counts as written (and the image is whole). HF_LIMIT: memory is out.
 * HF_UNSUPPORTED: its size is no multiple of our pages. HF_UNKNOWN: the scan failed. */
enum hf_err hf_memimage_take(struct hf_scanner *s, struct hf_store *store,
                             const struct hf_memory *m, bool whole, struct hf_memimage **ret);
/* An image of written pages, so far none, and pages put into it: n from `first` (asserted to be in
 * it), bytes NULL for zeroes. For a reader of files. */
/* The pages that are not as `base` has them, which is whole and of a memory of the same module. What
 * is zero beyond it counts as equal: so a memory begins that grows. */
enum hf_err hf_memimage_take_since(struct hf_scanner *s, struct hf_store *store,
                                   const struct hf_memory *m, const struct hf_memimage *base,
                                   struct hf_memimage **ret);
enum hf_err hf_memimage_new(uint64_t size, struct hf_memimage **ret);
/* The same, but the bytes are looked at where they lie, which must outlive it: those of the first
 * pages that are put begin at `lent`, those of the next ones behind them (asserted), in the order
 * of their pages. */
enum hf_err hf_memimage_new_lent(uint64_t size, const uint8_t *lent, struct hf_memimage **ret);
void hf_memimage_put(struct hf_memimage *img, size_t first, size_t n, const uint8_t *bytes);
void hf_memimage_free(struct hf_memimage *img);
size_t hf_memimage_page(void); /* bytes of our pages, in which images count */
size_t hf_memimage_size(const struct hf_memimage *img);
bool hf_memimage_whole(const struct hf_memimage *img);
struct hf_view hf_memimage_bytes(
    const struct hf_memimage *img); /* not whole: of written pages; not of lent ones */
/* The bytes of n pages from `page` on, a run of hf_memimage_next that is not zero. */
struct hf_view hf_memimage_run(const struct hf_memimage *img, size_t page, size_t n);
/* The first run of written pages at or after *page, all zero or none; false: no more. */
bool hf_memimage_next(const struct hf_memimage *img, size_t *page, size_t *n, bool *zero);
/* Makes the memory of a new instance (same module, nothing run in it) equal to the image's.
 * HF_INVALID: another size. */
enum hf_err hf_memimage_apply(struct hf_store *store, const struct hf_memory *m,
                              const struct hf_memimage *img);
/* The same of a memory that may be larger than the image. */
enum hf_err hf_memimage_apply_base(struct hf_store *store, const struct hf_memory *m,
                                   const struct hf_memimage *base);

struct hf_reset_stats {
    uint64_t pages_copied, pages_zero, regions;
};
/* Makes the memory equal to a whole image by copying back the pages written since instantiation, here
 * or where the image was taken. HF_LIMIT: it grew past the image, or more than max_pages (0 = no limit) were written: use a new
 * instance. Any doubt (an error, a bit of the scan we do not know) is HF_UNKNOWN: throw the
 * instance away. After anything but HF_OK the memory is in between. Stats (may be NULL) are added
 * to. A scanner does not survive a fork (HF_UNKNOWN). */
enum hf_err hf_memory_reset(struct hf_scanner *s, struct hf_store *store, const struct hf_memory *m,
                            const struct hf_memimage *img, uint64_t max_pages,
                            struct hf_reset_stats *stats);

/* Once per process, at start: huge pages off (one written byte would be 512 dirty pages). */
void hf_engine_process_init(void);

#endif
