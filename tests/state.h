/* state.h - the whole observable state of an instance at rest, and what is in an image, as one
 * thing that can be compared: every byte of every memory, every mutable global, every handle entry
 * with the free list, flags, limits. For the tests of images in several rooms.
 *
 * Not here, for nobody can look: tables of functions and segments (the static gate says that they
 * cannot change), and the inside of host objects, which are each instance's own.
 */
#ifndef HF_TESTS_STATE_H
#define HF_TESTS_STATE_H

#include <stdio.h>
#include <stdlib.h>

#include "component/image_int.h"

struct state {
    uint32_t n_memories, n_globals, n_cis;
    struct hf_view memories[64];
    union hf_val *globals;
    struct hf_image_table *tables; /* entries belong to somebody else */
    uint64_t memory_max, call_bytes_max;
    uint32_t handles_max, slice_ticks, list_bytes_max, string_bytes_max;
    bool resting; /* flags of all component instances, and nothing in hand */
};

static inline void state_done(struct state *s)
{
    free(s->globals);
    free(s->tables);
}

/* Looks into memories in place: good until the instance runs. Reading maps the pages. */
static inline void state_of(struct hf_instance *inst, struct state *ret)
{
    const struct hf_parts *p = hf_instance_parts(inst);
    *ret = (struct state){.n_memories = p->n_memories,
                          .n_globals = p->n_globals,
                          .n_cis = inst->program->n_cis,
                          .memory_max = inst->settings.memory_max,
                          .call_bytes_max = inst->settings.call_bytes_max,
                          .handles_max = inst->settings.handles_max,
                          .slice_ticks = inst->settings.slice_ticks,
                          .list_bytes_max = inst->settings.list_bytes_max,
                          .string_bytes_max = inst->settings.string_bytes_max};
    HF_ASSERT(p->n_memories <= HF_ARRAY_LEN(ret->memories));
    ret->globals = calloc(p->n_globals + 1, sizeof *ret->globals);
    ret->tables = calloc(ret->n_cis + 1, sizeof *ret->tables);
    ret->resting = inst->state == HF_INST_REST && inst->current == NULL;
    for (uint32_t i = 0; i < p->n_memories; i++) {
        uint8_t *base;
        size_t size;
        hf_memory_get(inst->store, &p->memories[i], &base, &size);
        ret->memories[i] = hf_view(base, size);
    }
    for (uint32_t i = 0; i < p->n_globals; i++)
        ret->globals[i] = hf_image_global(inst, &p->globals[i]);
    for (uint32_t i = 0; i < ret->n_cis; i++) {
        const struct hf_ci *ci = &inst->cis[i];
        ret->tables[i] = (struct hf_image_table){.entries = ci->handles.ptr,
                                                 .len = ci->handles.len > 1 ? ci->handles.len : 0,
                                                 .free = ci->handles.free,
                                                 .live = ci->handles.live,
                                                 .serial = ci->handles.serial};
        ret->resting &= ci->may_enter && ci->may_leave;
    }
}

/* A whole image. */
static inline void state_of_image(const struct hf_image *img, struct state *ret)
{
    *ret = (struct state){.n_memories = img->n_memories,
                          .n_globals = img->n_globals,
                          .n_cis = img->n_cis,
                          .memory_max = img->memory_max,
                          .call_bytes_max = img->call_bytes_max,
                          .handles_max = img->handles_max,
                          .slice_ticks = img->slice_ticks,
                          .list_bytes_max = img->list_bytes_max,
                          .string_bytes_max = img->string_bytes_max,
                          .resting = true};
    HF_ASSERT(img->whole && img->n_memories <= HF_ARRAY_LEN(ret->memories));
    ret->globals = calloc(img->n_globals + 1, sizeof *ret->globals);
    ret->tables = calloc(img->n_cis + 1, sizeof *ret->tables);
    for (uint32_t i = 0; i < img->n_memories; i++)
        ret->memories[i] = hf_memimage_bytes(img->memories[i]);
    memcpy(ret->globals, img->globals, img->n_globals * sizeof *ret->globals);
    memcpy(ret->tables, img->tables, img->n_cis * sizeof *ret->tables);
}

static inline bool state_entry_same(const struct hf_handle *a, const struct hf_handle *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == NULL)
        return a->next == b->next;
    return a->own == b->own && a->lends == b->lends && a->serial == b->serial &&
           (a->type->host != NULL || a->rep == b->rep);
}

/* "" when they are the same; else what differs first. */
static inline const char *state_differs(const struct state *a, const struct state *b)
{
    static char text[200];
    text[0] = '\0';
#define SAME(cond, ...)                                                                            \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            snprintf(text, sizeof text, __VA_ARGS__);                                              \
            return text;                                                                           \
        }                                                                                          \
    } while (0)
    SAME(a->n_memories == b->n_memories && a->n_globals == b->n_globals && a->n_cis == b->n_cis,
         "they have different parts");
    for (uint32_t i = 0; i < a->n_memories; i++) {
        struct hf_view p = a->memories[i], q = b->memories[i];
        SAME(p.len == q.len, "memory %u has %zu and %zu bytes", i, p.len, q.len);
        if (p.len == 0 || memcmp(p.ptr, q.ptr, p.len) == 0)
            continue;
        size_t at = 0;
        while (p.ptr[at] == q.ptr[at])
            at++;
        SAME(false, "memory %u at %zu of %zu: %02x and %02x", i, at, p.len, p.ptr[at], q.ptr[at]);
    }
    for (uint32_t i = 0; i < a->n_globals; i++)
        SAME(memcmp(&a->globals[i], &b->globals[i], sizeof a->globals[i]) == 0,
             "global %u: %llx and %llx", i, (unsigned long long)a->globals[i].u64,
             (unsigned long long)b->globals[i].u64);
    for (uint32_t c = 0; c < a->n_cis; c++) {
        const struct hf_image_table *x = &a->tables[c], *y = &b->tables[c];
        SAME(x->len == y->len && x->live == y->live, "table %u: length %u and %u, live %u and %u",
             c, x->len, y->len, x->live, y->live);
        SAME(x->free == y->free, "table %u: free list at %u and %u", c, x->free, y->free);
        SAME(x->serial == y->serial, "table %u: serial %u and %u", c, x->serial, y->serial);
        for (uint32_t i = 1; i < x->len; i++)
            SAME(state_entry_same(&x->entries[i], &y->entries[i]), "table %u: entry %u", c, i);
    }
    SAME(a->memory_max == b->memory_max && a->call_bytes_max == b->call_bytes_max &&
             a->handles_max == b->handles_max && a->slice_ticks == b->slice_ticks &&
             a->list_bytes_max == b->list_bytes_max && a->string_bytes_max == b->string_bytes_max,
         "limits");
    SAME(a->resting && b->resting, "one is not at rest");
#undef SAME
    return text;
}

static inline const char *state_differs_from(struct hf_instance *inst, struct hf_instance *other)
{
    struct state a, b;
    state_of(inst, &a);
    state_of(other, &b);
    const char *ret = state_differs(&a, &b);
    state_done(&a);
    state_done(&b);
    return ret;
}

static inline const char *state_differs_from_image(struct hf_instance *inst,
                                                   const struct hf_image *img)
{
    struct state a, b;
    state_of(inst, &a);
    state_of_image(img, &b);
    const char *ret = state_differs(&a, &b);
    state_done(&a);
    state_done(&b);
    return ret;
}

#endif
