/* image_load.c - a new instance made of an image, without running any of the guest's code.
 *
 * Instantiation makes what the image has not: tables, segments, memories as the modules have them.
 * The start functions are ours to call (architecture.md) and are left out; memories, globals and
 * handle tables are then put over it. What the start had built there is in the image.
 */
#include <stdlib.h>

#include "component/image_int.h"

/* ---- while the steps run ---- */

enum hf_err hf_image_grow_core(struct hf_instance *inst, const struct hf_step *step)
{
    const struct hf_module *m = inst->program->modules[step->module];
    struct hf_loading *l = inst->loading;
    for (size_t i = 0; i < hf_module_n_memories(m); i++, l->memories++) {
        struct hf_memory memory;
        uint64_t size = hf_memimage_size(l->img->memories[l->memories]);
        hf_core_memory(inst->store, m, &inst->cores[step->index], i, &memory);
        if (hf_memory_grow(inst->store, &memory, size) != HF_OK)
            return hf_report_set(
                hf_store_report(inst->store), HF_LIMIT,
                "memory %u of the image has %llu bytes: more than it may have here", l->memories,
                (unsigned long long)size);
    }
    return HF_OK;
}

/* ---- memories and globals ---- */

static enum hf_err put_cores(struct hf_instance *inst, const struct hf_image *img,
                             struct hf_report *report)
{
    struct hf_parts *parts = hf_instance_parts(inst);
    if (parts == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    for (uint32_t i = 0; img->base != NULL && i < img->n_memories; i++)
        if (hf_memimage_apply_base(inst->store, &parts->memories[i], img->base->memories[i]) != HF_OK)
            return hf_report_set(report, HF_INVALID,
                                 "memory %u of the image has %zu bytes: fewer than that which it is "
                                 "the difference to",
                                 i, hf_memimage_size(img->memories[i]));
    for (uint32_t i = 0; i < img->n_memories; i++)
        if (hf_memimage_apply(inst->store, &parts->memories[i], img->memories[i]) != HF_OK)
            return hf_report_set(report, HF_INVALID,
                                 "memory %u of the image has %zu bytes: fewer than the component "
                                 "begins with",
                                 i, hf_memimage_size(img->memories[i]));
    for (uint32_t i = 0; i < img->n_globals; i++) {
        union hf_val now;
        hf_global_set(inst->store, &parts->globals[i], &img->globals[i]);
        now = hf_image_global(inst, &parts->globals[i]);
        if (memcmp(&now, &img->globals[i], sizeof now) != 0)
            return hf_report_set(report, HF_CORRUPT, "global %u of the image is not of its type",
                                 i);
    }
    return HF_OK;
}

/* ---- handles ---- */

struct made { /* a host object made anew */
    const struct hf_handle *h;
    const struct hf_image_recipe *recipe;
    uint32_t ci, index;
    void *obj;
};

static int oldest_first(const void *a, const void *b)
{
    const struct made *x = a, *y = b;
    if (x->ci != y->ci)
        return x->ci < y->ci ? -1 : 1;
    return x->h->serial < y->h->serial ? -1 : x->h->serial > y->h->serial;
}

/* The host objects of all tables, in the order in which they were made. NULL: memory is out. */
static struct made *list_objects(const struct hf_image *img, size_t *n)
{
    size_t most = 0;
    *n = 0;
    for (uint32_t i = 0; i < img->n_cis; i++)
        most += img->tables[i].live;
    struct made *list = calloc(most + 1, sizeof *list);
    for (uint32_t c = 0; list != NULL && c < img->n_cis; c++) {
        const struct hf_image_table *t = &img->tables[c];
        for (uint32_t i = 1; i < t->len; i++)
            if (t->entries[i].type != NULL && t->entries[i].type->host != NULL)
                list[(*n)++] = (struct made){&t->entries[i], &t->recipes[i], c, i, NULL};
    }
    if (*n > 1)
        qsort(list, *n, sizeof *list, oldest_first);
    return list;
}

static enum hf_err make_objects(struct hf_instance *inst, const struct hf_image *img,
                                struct made *list, size_t n, struct hf_report *report)
{
    for (size_t i = 0; i < n; i++) {
        struct made *m = &list[i];
        struct hf_view recipe = hf_view(img->recipes.ptr, img->recipes.len);
        recipe = hf_view_take(hf_view_skip(recipe, m->recipe->at), m->recipe->len);
        const struct hf_host_recipe *r = m->h->type->recipe;
        enum hf_err err =
            r == NULL ? HF_UNSUPPORTED : r->load(inst->settings.ctx, recipe, &m->obj, report);
        if (err == HF_OK)
            continue;
        hf_report_set(report, err, "%s", hf_err_text(err));
        while (i-- > 0)
            (void)hf_host_drop(list[i].h->type, NULL, list[i].obj); /* cannot refuse (host.h) */
        return hf_report_wrap(report, err, "handle %u, a %.*s", m->index, HF_FMT(m->h->type->name));
    }
    return HF_OK;
}

static enum hf_err put_table(struct hf_handles *t, const struct hf_image_table *from,
                             struct hf_report *report)
{
    uint32_t max = t->max != 0 ? t->max : HF_HANDLES_DEFAULT;
    if (from->len == 0)
        return HF_OK;
    if (from->len - 1 > max)
        return hf_report_set(report, HF_LIMIT,
                             "a handle table of the image has %u entries, handles_max is %u",
                             from->len - 1, max);
    t->ptr = calloc(from->len, sizeof *t->ptr);
    if (t->ptr == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    t->len = t->cap = from->len; /* nothing in it yet */
    return HF_OK;
}

/* From here on nothing can fail. */
static void fill_table(struct hf_ci *ci, const struct hf_image_table *from)
{
    struct hf_handles *t = &ci->handles;
    if (from->len != 0)
        memcpy(t->ptr, from->entries, from->len * sizeof *t->ptr);
    t->free = from->free;
    t->live = from->live;
    t->serial = ci->rest_serial = from->serial;
}

static enum hf_err put_handles(struct hf_instance *inst, const struct hf_image *img,
                               struct hf_report *report)
{
    size_t n;
    for (uint32_t i = 0; i < img->n_cis; i++)
        HF_TRY(put_table(&inst->cis[i].handles, &img->tables[i], report));
    struct made *list = list_objects(img, &n);
    if (list == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    enum hf_err err = make_objects(inst, img, list, n, report);
    for (uint32_t i = 0; i < img->n_cis && err == HF_OK; i++)
        fill_table(&inst->cis[i], &img->tables[i]);
    for (size_t i = 0; i < n && err == HF_OK; i++)
        inst->cis[list[i].ci].handles.ptr[list[i].index].obj = list[i].obj;
    free(list);
    return err;
}

/* ---- the whole ---- */

static struct hf_instance_settings settings_for(const struct hf_image *img,
                                                const struct hf_instance_settings *s)
{
    struct hf_instance_settings ret = s != NULL ? *s : (struct hf_instance_settings){0};
    if (ret.memory_max == 0)
        ret.memory_max = img->memory_max;
    if (ret.call_bytes_max == 0)
        ret.call_bytes_max = img->call_bytes_max;
    if (ret.handles_max == 0)
        ret.handles_max = img->handles_max;
    if (ret.slice_ticks == 0)
        ret.slice_ticks = img->slice_ticks;
    if (ret.list_bytes_max == 0)
        ret.list_bytes_max = img->list_bytes_max;
    if (ret.string_bytes_max == 0)
        ret.string_bytes_max = img->string_bytes_max;
    return ret;
}

static enum hf_err instantiate(struct hf_instance *inst, const struct hf_image *img,
                               struct hf_report *report)
{
    struct hf_loading loading = {.img = img};
    inst->loading = &loading;
    enum hf_err err = hf_instance_run_steps(inst);
    inst->loading = NULL;
    if (err != HF_OK)
        return hf_report_set(report, err, "%s", hf_store_report(inst->store)->text);
    hf_arena_reset(&inst->arena);
    return HF_OK;
}

enum hf_err hf_image_load(const struct hf_image *img, const struct hf_instance_settings *s,
                          struct hf_instance **ret, struct hf_report *report)
{
    struct hf_instance_settings settings = settings_for(img, s);
    struct hf_instance *inst = NULL;
    if (!hf_image_portable(img, report))
        return img->no_way.err;
    enum hf_err err = hf_instance_new(img->component, &settings, &inst, report);
    if (err == HF_OK)
        err = instantiate(inst, img, report);
    if (err == HF_OK)
        err = put_cores(inst, img, report);
    if (err == HF_OK)
        err = put_handles(inst, img, report);
    if (err != HF_OK) {
        hf_instance_free(inst);
        return hf_report_wrap(report, err, "making an instance of an image");
    }
    inst->state = HF_INST_REST;
    *ret = inst;
    return HF_OK;
}
