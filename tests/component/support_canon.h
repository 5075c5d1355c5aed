/* support_canon.h - a hand-made instance for tests of the canonical ABI: no component, no program,
 * no parser.
 *
 * A world has a store and a few component instances, each a "guest" with a memory and a realloc
 * whose behaviour the test chooses and whose calls it can read. Guest functions are C functions
 * made callable by hf_func_new, so a test says in C what the guest does.
 */
#ifndef HF_TEST_SUPPORT_CANON_H
#define HF_TEST_SUPPORT_CANON_H

#include "component/canon.h"

#define CANON_GUESTS 4
#define CANON_HEAP   608 /* where the bump allocator starts */
#define CANON_LOG    64
#define CANON_PAGE   65536u

struct canon_realloc {
    uint32_t old, old_size, align, size;
};
struct canon_guest {
    struct canon_world *world;
    struct hf_ci *ci;
    struct hf_canon_rt rt; /* utf8, memory, realloc */
    struct hf_func grow;   /* memory.grow */
    uint32_t heap;
    bool fixed; /* realloc answers `answer` instead of allocating */
    uint32_t answer;
    /* Runs inside realloc; its error is realloc's. */
    enum hf_err (*during)(struct canon_guest *g);
    void *ctx; /* the test's */
    struct canon_realloc log[CANON_LOG];
    uint32_t n_log;
};
struct canon_world {
    struct hf_instance inst;
    struct hf_ci cis[CANON_GUESTS];
    struct canon_guest guests[CANON_GUESTS];
    struct hf_resource_rt resources[4];
    struct hf_lift_rt lifts[4];
    struct hf_arena types; /* for the test's types */
    void *engine;          /* support_canon_engine.c's */
};

/* CI 0 is the root, 1 and 2 its children, 3 a child of 1. Budget: 1 MiB a call. */
void canon_world_open(struct canon_world *w);
void canon_world_close(struct canon_world *w);
/* The memory of a guest, now. */
uint8_t *canon_mem(struct canon_guest *g, size_t *size);
/* "0.0.1.5;608.5.1.15" or "-"; static storage. */
const char *canon_log_text(const struct canon_guest *g);
/* The text of the last trap; forgets it. Static storage. */
const char *canon_trap_text(struct canon_world *w);
/* A cx of this guest, memory read. */
struct hf_canon_cx canon_cx(struct canon_guest *g, bool host);
/* Empties memory, handle table, log and heap of a guest. */
void canon_guest_clear(struct canon_guest *g);

/* ---- types without ceremony; all live in w->types ---- */
const struct hf_type *canon_compound(struct canon_world *w, enum hf_type_kind kind,
                                     const struct hf_type *const *types, uint32_t n);
const struct hf_type *canon_list(struct canon_world *w, const struct hf_type *elem);
const struct hf_type *canon_handle(struct canon_world *w, enum hf_type_kind kind,
                                   const struct hf_resource_type *r);
struct hf_ftype *canon_ftype(struct canon_world *w, const struct hf_type *const *params, uint32_t n,
                             const struct hf_type *result);

/* ---- random types and values (support_gen.c) ----
 * A source of choices: bytes first (a fuzzer's), then numbers from the seed. */
struct canon_gen {
    const uint8_t *ptr;
    size_t len;
    uint64_t seed;
    const struct hf_resource_type *resource; /* NULL: no handles in types */
    bool borrows;                            /* borrow too, not only own */
    uintptr_t next_obj;                      /* objects are numbers, from 1 */
};
uint32_t canon_gen_below(struct canon_gen *g, uint32_t n);
const struct hf_type *canon_gen_type(struct canon_gen *g, struct canon_world *w, unsigned depth);
/* In host form; parts come from `arena`. */
struct hf_value canon_gen_value(struct canon_gen *g, struct hf_arena *arena,
                                const struct hf_type *t);
bool canon_value_same(const struct hf_type *t, const struct hf_value *a, const struct hf_value *b);

/* ---- the engine's part (support_canon_engine.c; a fake of it in tests/fuzz) ---- */
void canon_engine_open(struct canon_world *w); /* sets w->inst.store */
void canon_engine_close(struct canon_world *w);
void canon_engine_guest(struct canon_guest *g,
                        hf_import_fn realloc_fn); /* memory of 1 page, at most 16; rt; grow */

#endif
