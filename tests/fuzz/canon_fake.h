/* canon_fake.h - what the canonical ABI needs of the engine, without an engine: memories are heap
 * blocks, functions are C functions. For fuzzing, where a real engine would be slow and would not
 * let realloc misbehave as freely.
 *
 * Defines the functions: include it in one file of a program that does not link the engine room.
 */
#ifndef HF_FUZZ_CANON_FAKE_H
#define HF_FUZZ_CANON_FAKE_H

#include <stdlib.h>

#include "../component/support_canon.h"

#define FAKE_PAGES_MAX 16

#if defined(__SANITIZE_ADDRESS__)
#define FAKE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAKE_ASAN 1
#endif
#endif
#ifdef FAKE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(p, n)   ((void)(p), (void)(n))
#define __asan_unpoison_memory_region(p, n) ((void)(p), (void)(n))
#endif

struct hf_store {
    struct hf_report report;
};
struct fake_memory {
    uint8_t *base;
    size_t size;
};

struct hf_report *hf_store_report(struct hf_store *store)
{
    return &store->report;
}

void hf_store_cancel(struct hf_store *store) /* no hook cancels here */
{
    (void)store;
}

enum hf_err hf_store_block(struct hf_store *store)
{
    (void)store;
    return HF_UNSUPPORTED;
}

/* Exports are called by hf_canon_call here, none by hand. */
enum hf_err hf_instance_call_moved(struct hf_instance *inst, const struct hf_export *e)
{
    (void)inst, (void)e;
    return HF_UNSUPPORTED;
}

enum hf_err hf_func_new(struct hf_store *store, const struct hf_functype *type, hf_import_fn fn,
                        void *env, struct hf_func *ret)
{
    (void)store, (void)type;
    ret->opaque[0] = (uintptr_t)fn;
    ret->opaque[1] = (uintptr_t)env;
    return HF_OK;
}

enum hf_err hf_store_call(struct hf_store *store, const struct hf_func *f, union hf_val *vals,
                          size_t n_vals)
{
    (void)store, (void)n_vals;
    return ((hf_import_fn)(uintptr_t)f->opaque[0])((void *)(uintptr_t)f->opaque[1], vals);
}

static struct fake_memory *fake_memory(const struct hf_memory *m)
{
    return (struct fake_memory *)(uintptr_t)m->opaque[0];
}

void hf_memory_get(struct hf_store *store, const struct hf_memory *m, uint8_t **base, size_t *size)
{
    (void)store;
    *base = fake_memory(m)->base;
    *size = fake_memory(m)->size;
}

/* The block is as large as the memory may grow: the base stays. */
static enum hf_err fake_grow(void *env, union hf_val *vals)
{
    struct fake_memory *m = env;
    size_t old = m->size / CANON_PAGE;
    if (old + vals[0].u32 > FAKE_PAGES_MAX) {
        vals[0].u64 = UINT32_MAX;
        return HF_OK;
    }
    m->size += vals[0].u32 * (size_t)CANON_PAGE;
    __asan_unpoison_memory_region(m->base, m->size);
    vals[0].u64 = old;
    return HF_OK;
}

/* Back to one page. */
static inline void fake_shrink(struct canon_guest *g)
{
    struct fake_memory *m = fake_memory(&g->rt.memory);
    m->size = CANON_PAGE;
    g->rt.mem_size = 0; /* what was seen of it before; a memory that is no fake never shrinks (S15) */
    __asan_poison_memory_region(m->base + m->size, (FAKE_PAGES_MAX - 1) * (size_t)CANON_PAGE);
}

void canon_engine_open(struct canon_world *w)
{
    w->inst.store = calloc(1, sizeof *w->inst.store);
    HF_ASSERT(w->inst.store != NULL);
}

void canon_engine_close(struct canon_world *w)
{
    for (int i = 0; i < CANON_GUESTS; i++) {
        struct fake_memory *m = fake_memory(&w->guests[i].rt.memory);
        __asan_unpoison_memory_region(m->base, FAKE_PAGES_MAX * (size_t)CANON_PAGE);
        free(m->base);
        free(m);
    }
    free(w->inst.store);
}

void canon_engine_guest(struct canon_guest *g, hf_import_fn realloc_fn)
{
    struct fake_memory *m = calloc(1, sizeof *m);
    HF_ASSERT(m != NULL);
    m->base = calloc(FAKE_PAGES_MAX, CANON_PAGE);
    HF_ASSERT(m->base != NULL);
    g->rt.memory.opaque[0] = (uintptr_t)m;
    fake_shrink(g);
    g->rt.has_memory = g->rt.has_realloc = true;
    HF_ASSERT(hf_func_new(g->world->inst.store, NULL, realloc_fn, g, &g->rt.realloc) == HF_OK);
    HF_ASSERT(hf_func_new(g->world->inst.store, NULL, fake_grow, m, &g->grow) == HF_OK);
}

#endif
