/* engine_int.h - what the files of this room share. Only src/engine includes it, and only here is
 * Wasmtime seen. Who does what:
 *
 * - config.c: the engine: settings filled in, Wasmtime's configuration
 * - ticker.c: the thread that moves the epoch
 * - sig.c: function types, made once an engine
 * - wasm.c: reading the small sections of a module
 * - gate.c: the opcode scanner
 * - rewrite.c: a new export section, no start section
 * - module.c: these together: hf_module_load
 * - cache.c: the directory of compiled code and verdicts; code.c: the code in it
 * - store.c: stores, instances, memories, globals
 * - call.c: in and out of guests
 * - fiber.c: drivers, block, slices, cancel
 * - trap.c: what went wrong, as text
 * - memimage.c: memory images; image.c: written pages and the reset in place
 * - validate.c: full validation; the text format
 */
#ifndef HF_ENGINE_ENGINE_INT_H
#define HF_ENGINE_ENGINE_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <hf_fiber.h>
#include <wasmtime.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/map.h"
#include "engine/engine.h"

/* Handles are Wasmtime's own values, hidden: no table of ours between a handle and its object. */
_Static_assert(sizeof(struct hf_func) == sizeof(wasmtime_func_t), "hf_func is a wasmtime_func_t");
_Static_assert(sizeof(struct hf_memory) == sizeof(wasmtime_memory_t), "hf_memory is one too");
_Static_assert(sizeof(struct hf_global) == sizeof(wasmtime_global_t), "hf_global is one too");
_Static_assert(sizeof(struct hf_core) == sizeof(wasmtime_instance_t), "hf_core is one too");
_Static_assert(sizeof(struct hf_extern) >= sizeof(wasmtime_extern_t), "hf_extern holds one");
_Static_assert(sizeof(union hf_val) == sizeof(wasmtime_val_raw_t), "T6: 16 bytes a value");
_Static_assert(_Alignof(union hf_val) == _Alignof(wasmtime_val_raw_t), "T6");

#ifndef HF_REWRITER_VERSION /* part of every cache key; the Makefile gives the hash of wasm.c,     \
                               rewrite.c and gate.c */
#define HF_REWRITER_VERSION 1
#endif
#define HF_RESERVED "holdfast!" /* prefix of the exports that the rewrite adds: no name of WIT has an exclamation mark */

#define HF_STACK_SLACK                                                                             \
    ((size_t)128 << 10) /* T3: C and Rust frames between two guests, and below the last */
#define HF_STACK_TOP                                                                               \
    ((size_t)64 << 10) /* most bytes a fiber has used when its driver is entered                   \
                        */

/* ---- ticker.c ---- */

#define HF_TICKER_SHARDS                                                                           \
    16 /* counters of running guests; a store uses one, chosen by its thread                       \
        */

struct hf_ticker {
    wasm_engine_t *wasm;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started, stop;
    uint32_t tick_us;
    _Atomic uint64_t ticks; /* how far the epoch moved: for tests */
    /* Read at every entry, written when the ticker falls asleep or wakes: a line of its own. */
    _Alignas(64) _Atomic bool asleep;
    struct {
        _Alignas(64) _Atomic uint64_t n; /* low half: entered now; high half: entries ever */
    } shards[HF_TICKER_SHARDS];
};
enum hf_err hf_ticker_start(struct hf_ticker *t, wasm_engine_t *wasm, uint32_t tick_us,
                            struct hf_report *report);
void hf_ticker_stop(struct hf_ticker *t); /* fine when never started */
void hf_ticker_wake(struct hf_ticker *t);
uint32_t hf_ticker_shard(void); /* of the calling thread */
/* Guest code begins (ends) to run: the epoch moves at least as long as one does. Pairs with the
 * fence in ticker.c: the ticker says it sleeps, then counts; we count, then look whether it sleeps;
 * one of the two sees the other. */
static inline void hf_ticker_enter(struct hf_ticker *t, uint32_t shard)
{
    atomic_fetch_add_explicit(&t->shards[shard].n, UINT64_C(1) << 32 | 1, memory_order_seq_cst);
    if (HF_UNLIKELY(atomic_load_explicit(&t->asleep, memory_order_seq_cst)))
        hf_ticker_wake(t);
}
static inline void hf_ticker_leave(struct hf_ticker *t, uint32_t shard)
{
    atomic_fetch_sub_explicit(&t->shards[shard].n, 1, memory_order_release);
}

/* ---- sig.c ---- */

struct hf_sigs { /* function types by signature, so that making an import does not go through the
                    type registry */
    pthread_mutex_t lock;
    struct hf_map map;
    wasm_valtype_t *vals[HF_REF_OTHER]; /* by enum hf_core_type; HF_REF_OTHER has none */
};
void hf_sigs_init(struct hf_sigs *sigs, uint64_t seed);
void hf_sigs_done(struct hf_sigs *sigs);
/* *owned: not kept, delete it after use. NULL: a type we cannot make (HF_REF_OTHER), or memory is
 * out. */
const wasm_functype_t *hf_sigs_get(struct hf_sigs *sigs, const struct hf_functype *type,
                                   bool *owned);

/* ---- config.c ---- */

struct hf_engine {
    struct hf_engine_settings settings; /* zeroes filled in */
    char *cache_dir;                    /* ours; NULL: no cache */
    bool code_cache;                    /* compiled code is cached: the files are real ones */
    wasm_engine_t *wasm;
    wasmtime_linker_t *linker; /* holds `block` and `driver`, shared by all stores */
    wasm_functype_t *void_type;
    struct hf_sigs sigs;
    struct hf_ticker ticker;
    char fingerprint[65];
    pthread_mutex_t trouble_lock; /* of the next two */
    uint64_t troubles;
    struct hf_report trouble;
};

/* ---- cache.c ---- */

enum hf_err hf_cache_open(struct hf_engine *engine,
                          struct hf_report *report); /* makes and checks the directory */
/* Path of the entry, for free(); NULL when memory is out. */
char *hf_cache_path(const struct hf_engine *engine, const char *kind, const uint8_t key[32]);
/* Writes a whole file: temporary name, synced, 0400, renamed. */
enum hf_err hf_cache_write(struct hf_engine *engine, const char *path, struct hf_view bytes,
                           struct hf_report *report);
/* A regular file of ours, 0400, of that size (UINT64_MAX: any)? Else HF_NOT_FOUND or HF_CORRUPT. */
enum hf_err hf_cache_check(const struct hf_engine *engine, const char *path, uint64_t size,
                           uint64_t *ret);
/* The cache could not be used, and work went on without it: counted, the last text kept. */
void hf_cache_trouble(struct hf_engine *engine, const struct hf_report *report);

/* ---- wasm.c: the small sections of a core module ---- */

struct hf_wasm_type {
    bool is_func;
    struct hf_functype func;
};
struct hf_wasm_memory {
    uint64_t min, max; /* pages; max UINT64_MAX: none */
    uint8_t page_log2;
    bool memory64, shared;
};
struct hf_wasm_global {
    enum hf_core_type type;
    bool mut;
};
struct hf_wasm_table {
    uint64_t min;
};
struct hf_wasm_span { /* of a section: header included in [at, end), body without it */
    size_t at, end;
    struct hf_view body;
};
struct hf_wasm {
    struct hf_view bytes;
    struct hf_arena scratch; /* types and indexes: gone after loading */
    struct {
        struct hf_wasm_type *ptr;
        size_t len, cap;
    } types;
    struct {
        uint32_t *ptr; /* type index of every function, imports first */
        size_t len, cap;
    } funcs;
    struct {
        struct hf_wasm_table *ptr;
        size_t len, cap;
    } tables;
    struct {
        struct hf_wasm_memory *ptr;
        size_t len, cap;
    } memories;
    struct {
        struct hf_wasm_global *ptr;
        size_t len, cap;
    } globals;
    struct {
        struct hf_core_item *ptr; /* names and types point into bytes and scratch */
        size_t len, cap;
    } imports, exports;
    uint32_t imported_funcs, imported_tables, imported_memories, imported_globals, tags;
    bool has_start;
    uint32_t start;
    struct hf_wasm_span export_section, start_section; /* end 0: not there */
    size_t export_place;                               /* where an export section would go */
    struct hf_wasm_span elements, code, data;
};
/* Reads everything but code, elements and data. HF_INVALID with the offset; HF_LIMIT. hf_wasm_done
 * in any case. */
enum hf_err hf_wasm_read(struct hf_view bytes, struct hf_wasm *ret, struct hf_report *report);
void hf_wasm_done(struct hf_wasm *w);
bool hf_wasm_own_global(const struct hf_wasm *w,
                        uint32_t index); /* defined here, mutable, numeric */

/* ---- rewrite.c ---- */

enum hf_err hf_wasm_rewrite(const struct hf_wasm *w, struct hf_buf *ret, struct hf_report *report);
#define HF_RESERVED_MAX 32 /* bytes of a reserved name, NUL included */
void hf_reserved_name(char what, size_t i,
                      char name[HF_RESERVED_MAX]); /* 'm' memory, 'g' global, 's' start */

/* ---- gate.c ---- */

/* Skips one instruction. *depth counts open blocks: an `end` at 0 makes it -1. HF_GATE_* found are
 * or-ed in. False: not an instruction we know (HF_GATE_UNKNOWN is set) or the bytes ended (the
 * reader is bad). */
bool hf_gate_skip(struct hf_reader *r, int *depth, uint32_t *gate);
bool hf_gate_skip_locals(struct hf_reader *r); /* of a body, before its instructions */
bool hf_gate_skip_const(struct hf_reader *r); /* a constant expression with its `end` */
enum hf_err hf_gate_scan(const struct hf_wasm *w, uint32_t *gate, struct hf_report *report);

/* ---- module.c ---- */

struct hf_module {
    _Atomic uint32_t refs;
    struct hf_engine *engine;
    wasmtime_module_t *wasm;
    struct hf_arena arena; /* what follows points into it */
    struct hf_core_item *imports, *exports;
    size_t n_imports, n_exports;
    struct hf_map by_name; /* exports; values are items */
    bool has_start;
    const struct hf_wasm_memory *memories; /* defined here */
    size_t n_memories, n_globals;
    uint32_t gate;
    uint64_t memory_max;
};

/* ---- code.c ---- */

/* The code compiled before from `source` under this key, into m->wasm, and m->gate. What m defines
 * must be known by now. Anything but HF_OK: compile. */
enum hf_err hf_code_load(struct hf_engine *engine, const uint8_t *key, struct hf_view source,
                         struct hf_module *m);
/* Keeps m->wasm and m->gate for the next time. Failing is no failure to load: hf_cache_trouble. */
void hf_code_keep(struct hf_engine *engine, const uint8_t *key, struct hf_view source,
                  struct hf_module *m);

/* ---- store.c, call.c, fiber.c ---- */

#define HF_IMPORTS_CHUNK 20
struct hf_import { /* env of a trampoline (T7) */
    hf_import_fn fn;
    void *env;
    struct hf_store *store;
};
struct hf_import_chunk {
    struct hf_import_chunk *older;
    size_t len;
    struct hf_import at[HF_IMPORTS_CHUNK];
};

struct hf_store_memory { /* to tell whether a memory is near its limit */
    wasmtime_memory_t memory;
    uint64_t min, max; /* bytes it began with and may reach */
};

struct hf_new_task { /* an instantiation carried out inside `block` */
    const struct hf_module *module;
    const wasmtime_extern_t *imports;
    size_t n_imports;
    wasmtime_instance_t instance;
    wasm_trap_t *trap;
    wasmtime_error_t *error;
};

struct hf_store {
    struct hf_engine *engine;
    wasmtime_context_t *cx;
    wasmtime_store_t *wasm;
    void *ctx;

    bool on_fiber; /* the driver runs on the fiber now, and may block */
    bool dying;    /* cancelled: no guest is entered any more */
    bool traced;   /* the report has the backtrace of the trap now travelling up */
    bool suspect;  /* hf_store_memory_suspect */
    bool resumed;  /* `block` was polled once: the next poll goes on behind it */
    bool polled;   /* the call has begun */
    enum hf_why why;
    uint32_t shard;
    uint32_t slice_ticks;
    uint32_t off_left, off_step; /* ticks that guest code off the fiber may still use; of them,
                                    until the next callback */
    uint32_t off_depth;          /* nested entries off the fiber */
    uintptr_t stack_low, stack_at; /* of the fiber, as of driver entry; where the driver was entered */
    size_t stack_need;           /* bytes of stack that must be left for one entry */
    uint64_t memory_max;

    wasmtime_func_t block;
    hf_deps_fiber *fiber; /* calls the driver */
    bool live;            /* T5: at most one call of it */
    wasmtime_error_t *fiber_error;
    hf_driver_fn fn;
    void *fn_ctx;
    enum hf_err fn_err;
    pthread_t thread;         /* of the live call */
    struct hf_new_task *task; /* NULL: `block` blocks */

    struct hf_import_chunk *imports;
    struct {
        struct hf_store_memory *ptr;
        size_t len, cap;
    } memories;
    struct hf_report report;
};

void hf_store_report_clear(struct hf_store *s);
/* Room for one more entry on this stack (T3)? */
static inline bool hf_store_stack_ok(const struct hf_store *s)
{
    return (intptr_t)((uintptr_t)__builtin_frame_address(0) - s->stack_low) >=
           (intptr_t)s->stack_need;
}
wasmtime_error_t *hf_store_on_epoch(wasmtime_context_t *cx, void *data, uint64_t *delta,
                                    wasmtime_update_deadline_kind_t *kind);
/* Begins and ends a stretch of guest code off the fiber. */
void hf_store_off_begin(struct hf_store *s);
void hf_store_off_end(struct hf_store *s);
/* wasmtime_instance_new where it is allowed: off the fiber directly, on it inside `block` (T4). */
enum hf_err hf_store_instantiate(struct hf_store *s, struct hf_new_task *task);
enum hf_err hf_fiber_define(struct hf_engine *engine,
                            struct hf_report *report); /* `block` and `driver` */
bool hf_fiber_fetch(struct hf_store *s);

/* ---- memimage.c, image.c ---- */

struct hf_memimage {
    size_t size, page;
    bool whole;
    uint8_t *bytes; /* pages that are zero or not known are never touched, so they cost nothing */
    const uint8_t *lent,
        *lent_end;     /* instead of it: pages that are not zero, one after the other */
    uint64_t *written; /* a bit a page, as `zero` */
    uint64_t zero[];   /* nothing is said of a page that is not known */
};
bool hf_is_zero(const uint8_t *p, size_t len); /* len > 0 */
bool hf_memimage_is_zero(const struct hf_memimage *img, size_t page);
void hf_memimage_mark(struct hf_memimage *img, size_t first, size_t last); /* written */
/* Marks the pages of the memory at `base` (img->size bytes) that were written. HF_UNKNOWN. */
enum hf_err hf_memory_written(struct hf_scanner *s, const uint8_t *base, struct hf_memimage *img);

/* ---- trap.c ---- */

/* A call into Wasmtime failed: puts what and where into the store's report (unless an import did),
 * frees both. Returns HF_TRAP, or HF_CANCELLED when the store is dying. */
enum hf_err hf_trap_caught(struct hf_store *s, wasmtime_error_t *error, wasm_trap_t *trap);
enum hf_err hf_trap_stack(struct hf_store *s); /* no room for another entry */
/* What an import that failed hands to Wasmtime. */
wasm_trap_t *hf_trap_raise(struct hf_store *s, enum hf_err err);
/* Message of an error without its backtrace, one line, owned by `buf`. Frees the error. */
void hf_trap_error_text(wasmtime_error_t *error, struct hf_buf *buf);
void hf_trap_trap_text(wasm_trap_t *trap, struct hf_buf *buf);

#endif
