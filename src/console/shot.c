/* shot.c - see shot.h. */
#include "console/shot.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/class_counts.h"
#include "base/vec.h"

void hf_shot_done(struct hf_shot *s)
{
    HF_VEC_DONE(&s->services);
    HF_VEC_DONE(&s->instances);
    hf_buf_done(&s->names);
    memset(s, 0, sizeof *s);
}

void hf_shot_clear(struct hf_shot *s)
{
    s->worker = (struct hf_shot_worker){.number = s->worker.number};
    s->services.len = s->instances.len = 0;
    hf_buf_clear(&s->names);
    s->partial = false;
}

struct hf_shot_service *hf_shot_add_service(struct hf_shot *s, const char *name)
{
    if (!HF_VEC_RESERVE(&s->services, 1)) {
        s->partial = true;
        return NULL;
    }
    struct hf_shot_service *ret = &s->services.ptr[s->services.len++];
    memset(ret, 0, sizeof *ret);
    snprintf(ret->name, sizeof ret->name, "%s", name);
    ret->lifecycle = "";
    return ret;
}

static void count_state(struct hf_shot_service *s, const char *state)
{
    if (strcmp(state, "idle") == 0)
        s->idle++;
    else if (strcmp(state, "leaving") == 0)
        s->leaving++;
    else if (strcmp(state, "spare") == 0)
        s->spare++;
    else if (strcmp(state, "new") == 0 || strcmp(state, "starting") == 0)
        s->starting++;
    else
        s->busy++;
}

void hf_shot_add_instance(struct hf_shot *s, uint64_t id, const char *state, uint64_t born_ns,
                          uint64_t served, uint64_t memory)
{
    HF_ASSERT(s->services.len > 0);
    uint32_t at = (uint32_t)s->services.len - 1;
    count_state(&s->services.ptr[at], state);
    s->services.ptr[at].memory += memory;
    if (!HF_VEC_PUSH(&s->instances, (struct hf_shot_instance){.id = id,
                                                              .served = served,
                                                              .born_ns = born_ns,
                                                              .memory = memory,
                                                              .state = state,
                                                              .service = at,
                                                              .worker = s->worker.number}))
        s->partial = true;
}

void hf_shot_name_instance(struct hf_shot *s, struct hf_view name)
{
    size_t at = s->names.len;
    if (s->partial || s->instances.len == 0 || hf_buf_add_view(&s->names, name) != HF_OK) {
        s->partial = true;
        return;
    }
    s->instances.ptr[s->instances.len - 1].name_at = at;
    s->instances.ptr[s->instances.len - 1].name_len = name.len;
}

void hf_shot_add_end(struct hf_shot_service *s, const char *why, uint64_t n)
{
    for (unsigned i = 0; i < HF_SHOT_ENDS_MAX; i++) {
        bool last = i + 1 == HF_SHOT_ENDS_MAX;
        if (s->ends[i].why == NULL)
            s->ends[i].why = last ? "other" : why;
        if (!last && strcmp(s->ends[i].why, why) != 0)
            continue;
        s->ends[i].n += n;
        return;
    }
}

/* ---- the picture ---- */

static void copy_what_runs(struct hf_shot_service *to, const struct hf_shot_service *from)
{
    memcpy(to->tenant, from->tenant, sizeof to->tenant);
    memcpy(to->component, from->component, sizeof to->component);
    to->lifecycle = from->lifecycle;
    to->single_use |= from->single_use;
    to->old = false;
    to->min += from->min;
    to->max += from->max;
    to->queue_max += from->queue_max;
    if (from->last_failure[0] != 0)
        memcpy(to->last_failure, from->last_failure, sizeof to->last_failure);
}

static void add_counts(struct hf_shot_service *to, const struct hf_shot_service *from)
{
    to->starting += from->starting;
    to->idle += from->idle;
    to->busy += from->busy;
    to->leaving += from->leaving;
    to->spare += from->spare;
    to->queued += from->queued;
#define ADD(count) to->count += from->count;
    HF_CLASS_COUNTS(ADD)
#undef ADD
    to->memory += from->memory;
    for (unsigned i = 0; i < HF_SHOT_ENDS_MAX && from->ends[i].why != NULL; i++)
        hf_shot_add_end(to, from->ends[i].why, from->ends[i].n);
}

static size_t find(const struct hf_picture *p, struct hf_view name)
{
    size_t i = 0;
    while (i < p->services.len && !hf_view_eq_text(name, p->services.ptr[i].name))
        i++;
    return i;
}

const struct hf_shot_service *hf_picture_service(const struct hf_picture *p, struct hf_view name)
{
    size_t i = find(p, name);
    return i < p->services.len ? &p->services.ptr[i] : NULL;
}

void hf_picture_deployed(struct hf_picture *p, struct hf_view name, const char *component,
                         uint64_t unix_ms)
{
    size_t i = find(p, name);
    if (i < p->services.len && strcmp(p->services.ptr[i].component, component) == 0)
        p->services.ptr[i].deployed_unix_ms = unix_ms;
}

static enum hf_err add_service(struct hf_picture *p, const struct hf_shot_service *s, uint32_t *at)
{
    size_t i = find(p, hf_view_of(s->name));
    if (i == p->services.len) {
        struct hf_shot_service fresh = {.lifecycle = "", .old = true};
        memcpy(fresh.name, s->name, sizeof fresh.name);
        if (!HF_VEC_PUSH(&p->services, fresh))
            return HF_LIMIT;
    }
    if (!s->old)
        copy_what_runs(&p->services.ptr[i], s);
    add_counts(&p->services.ptr[i], s);
    *at = (uint32_t)i;
    return HF_OK;
}

enum hf_err hf_picture_add(struct hf_picture *p, const struct hf_shot *shot)
{
    uint32_t stack[64], *where = stack;
    enum hf_err err = HF_OK;
    size_t names = p->names.len;
    p->partial |= shot->partial;
    if (!HF_VEC_PUSH(&p->workers, shot->worker) ||
        !HF_VEC_RESERVE(&p->instances, shot->instances.len) ||
        hf_buf_add_view(&p->names, hf_buf_view(&shot->names)) != HF_OK ||
        (shot->services.len > HF_ARRAY_LEN(stack) &&
         (where = malloc(shot->services.len * sizeof *where)) == NULL))
        return HF_LIMIT;
    for (size_t i = 0; i < shot->services.len && err == HF_OK; i++)
        err = add_service(p, &shot->services.ptr[i], &where[i]);
    for (size_t i = 0; i < shot->instances.len && err == HF_OK; i++) {
        struct hf_shot_instance one = shot->instances.ptr[i];
        one.service = where[one.service];
        one.name_at += names;
        p->instances.ptr[p->instances.len++] = one;
    }
    if (where != stack)
        free(where);
    return err;
}

static int by_name(const void *a, const void *b, void *services)
{
    const struct hf_shot_service *s = services;
    return strcmp(s[*(const uint32_t *)a].name, s[*(const uint32_t *)b].name);
}

static int by_service(const void *a, const void *b)
{
    const struct hf_shot_instance *x = a, *y = b;
    if (x->service != y->service)
        return x->service < y->service ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_number(const void *a, const void *b)
{
    const struct hf_shot_worker *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

void hf_picture_sort(struct hf_picture *p)
{
    size_t n = p->services.len;
    uint32_t *order = malloc((2 * n + 1) * sizeof *order), *rank = order + n;
    struct hf_shot_service *sorted = malloc((n + 1) * sizeof *sorted);
    if (order != NULL && sorted != NULL) { /* else they stay in the order they came */
        for (uint32_t i = 0; i < n; i++)
            order[i] = i;
        qsort_r(order, n, sizeof *order, by_name, p->services.ptr);
        for (uint32_t i = 0; i < n; i++) {
            sorted[i] = p->services.ptr[order[i]];
            rank[order[i]] = i;
        }
        if (n > 0)
            memcpy(p->services.ptr, sorted, n * sizeof *sorted);
        for (size_t i = 0; i < p->instances.len; i++)
            p->instances.ptr[i].service = rank[p->instances.ptr[i].service];
    }
    free(order);
    free(sorted);
    if (p->instances.len > 0)
        qsort(p->instances.ptr, p->instances.len, sizeof p->instances.ptr[0], by_service);
    if (p->workers.len > 0)
        qsort(p->workers.ptr, p->workers.len, sizeof p->workers.ptr[0], by_number);
}

void hf_picture_done(struct hf_picture *p)
{
    HF_VEC_DONE(&p->services);
    HF_VEC_DONE(&p->instances);
    HF_VEC_DONE(&p->workers);
    hf_buf_done(&p->names);
    memset(p, 0, sizeof *p);
}
