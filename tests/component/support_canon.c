/* support_canon.c - the world of support_canon.h. */
#include "support_canon.h"

#include <stdio.h>
#include <stdlib.h>

/* What every guest's realloc comes down to. */
static enum hf_err guest_realloc(void *env, union hf_val *vals)
{
    struct canon_guest *g = env;
    struct canon_realloc r = {vals[0].u32, vals[1].u32, vals[2].u32, vals[3].u32};
    if (g->n_log < CANON_LOG)
        g->log[g->n_log] = r;
    g->n_log++;
    if (g->during != NULL) {
        enum hf_err err = g->during(g);
        if (err != HF_OK)
            return err;
    }
    vals[0].u64 = g->answer;
    if (g->fixed)
        return HF_OK;

    size_t size;
    uint8_t *mem = canon_mem(g, &size);
    uint64_t at = ((uint64_t)g->heap + r.align - 1) / r.align * r.align;
    uint32_t n = r.old_size < r.size ? r.old_size : r.size;
    if (at + r.size > size)
        return hf_canon_trap(&g->world->inst, "the guest's heap is full");
    memmove(mem + at, mem + r.old, n);
    g->heap = (uint32_t)(at + r.size);
    vals[0].u64 = at;
    return HF_OK;
}

void canon_world_open(struct canon_world *w)
{
    memset(w, 0, sizeof *w);
    hf_arena_init(&w->inst.arena, 4096, 1u << 20);
    hf_arena_init(&w->types, 4096, SIZE_MAX);
    w->inst.cis = w->cis;
    w->inst.lifts = w->lifts;
    w->inst.resources = w->resources;
    canon_engine_open(w);
    for (uint32_t i = 0; i < CANON_GUESTS; i++) {
        struct canon_guest *g = &w->guests[i];
        w->cis[i] =
            (struct hf_ci){.inst = &w->inst, .index = i, .may_enter = true, .may_leave = true};
        w->cis[i].parent = i == 0 ? NULL : &w->cis[i == 3 ? 1 : 0];
        g->world = w;
        g->ci = &w->cis[i];
        g->heap = CANON_HEAP;
        canon_engine_guest(g, guest_realloc);
    }
}

void canon_world_close(struct canon_world *w)
{
    for (uint32_t i = 0; i < CANON_GUESTS; i++)
        hf_handles_done(&w->cis[i].handles);
    canon_engine_close(w);
    hf_arena_done(&w->inst.arena);
    hf_arena_done(&w->types);
}

uint8_t *canon_mem(struct canon_guest *g, size_t *size)
{
    uint8_t *base;
    size_t n;
    hf_memory_get(g->world->inst.store, &g->rt.memory, &base, &n);
    if (size != NULL)
        *size = n;
    return base;
}

const char *canon_log_text(const struct canon_guest *g)
{
    static char text[CANON_LOG * 48];
    size_t at = 0;
    for (uint32_t i = 0; i < g->n_log && i < CANON_LOG; i++) {
        const struct canon_realloc *r = &g->log[i];
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u.%u.%u.%u", i == 0 ? "" : ";",
                               r->old, r->old_size, r->align, r->size);
    }
    return g->n_log == 0 ? "-" : text;
}

const char *canon_trap_text(struct canon_world *w)
{
    static char text[HF_REPORT_MAX];
    struct hf_report *report = hf_store_report(w->inst.store);
    memcpy(text, report->text, report->len + 1);
    hf_report_init(report);
    return text;
}

struct hf_canon_cx canon_cx(struct canon_guest *g, bool host)
{
    struct hf_canon_cx cx;
    hf_canon_cx_init(&cx, &g->world->inst, g->ci, &g->rt);
    cx.host = host;
    hf_canon_memory(&cx);
    return cx;
}

void canon_guest_clear(struct canon_guest *g)
{
    size_t size;
    uint8_t *mem = canon_mem(g, &size);
    memset(mem, 0, size);
    g->heap = CANON_HEAP;
    g->n_log = 0;
    hf_handles_done(&g->ci->handles);
}

/* ---- types ---- */

static void must(enum hf_err err, const struct hf_report *report)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "a test's type is wrong: %s\n", report->text);
    abort();
}

const struct hf_type *canon_compound(struct canon_world *w, enum hf_type_kind kind,
                                     const struct hf_type *const *types, uint32_t n)
{
    struct hf_report report = {0};
    struct hf_member *members = hf_arena_array(&w->types, n, sizeof *members);
    const struct hf_type *t = NULL;
    for (uint32_t i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", i);
        members[i].name = hf_arena_copy(&w->types, hf_view_of(name));
        members[i].type = types == NULL ? NULL : types[i];
    }
    must(hf_type_compound(&w->types, kind, members, n, &t, &report), &report);
    return t;
}

const struct hf_type *canon_list(struct canon_world *w, const struct hf_type *elem)
{
    struct hf_report report = {0};
    const struct hf_type *t = NULL;
    must(hf_type_list(&w->types, elem, &t, &report), &report);
    return t;
}

const struct hf_type *canon_handle(struct canon_world *w, enum hf_type_kind kind,
                                   const struct hf_resource_type *r)
{
    struct hf_report report = {0};
    const struct hf_type *t = NULL;
    must(hf_type_handle(&w->types, kind, r, &t, &report), &report);
    return t;
}

struct hf_ftype *canon_ftype(struct canon_world *w, const struct hf_type *const *params, uint32_t n,
                             const struct hf_type *result)
{
    struct hf_report report = {0};
    struct hf_member *members = hf_arena_array(&w->types, n + 1, sizeof *members);
    struct hf_ftype *f = NULL;
    for (uint32_t i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%u", i);
        members[i].name = hf_arena_copy(&w->types, hf_view_of(name));
        members[i].type = params[i];
    }
    must(hf_ftype_make(&w->types, members, n, result, &f, &report), &report);
    return f;
}
