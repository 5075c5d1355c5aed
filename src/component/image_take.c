/* image_take.c - the image of an instance at rest.
 *
 * What an instance is, between calls: its memories, its mutable globals, its handle tables, two
 * flags for each component instance (reference 7.1). Tables of functions, segments and
 * garbage-collected objects are outside: by the static gate they are as instantiation makes them,
 * or there is no image. Both flags of every component instance are set whenever the tree is at
 * rest, so nothing of them is kept but that it is so.
 *
 * Host objects cannot be copied. Their owners may give a recipe (host.h) of which another one is
 * made when an instance is made of the image; where one has none, the image is good for resets
 * alone and remembers whose fault that is.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "component/image_int.h"


/* ---- what of it lies in core instances ---- */

struct hf_parts *hf_instance_parts(struct hf_instance *inst)
{
    const struct hf_program *p = inst->program;
    size_t n_memories = 0, n_globals = 0;
    if (inst->parts != NULL)
        return inst->parts;
    HF_ASSERT(inst->steps_done == p->n_steps);
    for (uint32_t s = 0; s < p->n_steps; s++) {
        if (p->steps[s].kind != HF_STEP_CORE_NEW)
            continue;
        n_memories += hf_module_n_memories(p->modules[p->steps[s].module]);
        n_globals += hf_module_n_globals(p->modules[p->steps[s].module]);
    }
    struct hf_parts *parts = malloc(sizeof *parts + n_memories * sizeof(struct hf_memory) +
                                    n_globals * sizeof(struct hf_global));
    if (parts == NULL)
        return NULL;
    parts->memories = (struct hf_memory *)(void *)(parts + 1);
    parts->globals = (struct hf_global *)(void *)(parts->memories + n_memories);
    parts->n_memories = parts->n_globals = 0;
    for (uint32_t s = 0; s < p->n_steps; s++) {
        const struct hf_step *step = &p->steps[s];
        if (step->kind != HF_STEP_CORE_NEW)
            continue;
        const struct hf_module *m = p->modules[step->module];
        const struct hf_core *core = &inst->cores[step->index];
        for (size_t i = 0; i < hf_module_n_memories(m); i++)
            hf_core_memory(inst->store, m, core, i, &parts->memories[parts->n_memories++]);
        for (size_t i = 0; i < hf_module_n_globals(m); i++)
            hf_core_global(inst->store, m, core, i, &parts->globals[parts->n_globals++]);
    }
    inst->parts = parts;
    return parts;
}

union hf_val hf_image_global(struct hf_instance *inst, const struct hf_global *g)
{
    union hf_val v;
    memset(&v, 0, sizeof v);
    hf_global_get(inst->store, g, &v);
    return v;
}

/* ---- images ---- */

static void image_free(struct hf_image *img)
{
    if (img == NULL)
        return;
    for (uint32_t i = 0; img->memories != NULL && i < img->n_memories; i++)
        hf_memimage_free(img->memories[i]);
    for (uint32_t i = 0; img->tables != NULL && i < img->n_cis; i++) {
        free(img->tables[i].entries);
        free(img->tables[i].recipes);
    }
    free(img->memories);
    free(img->globals);
    free(img->tables);
    hf_buf_done(&img->recipes);
    hf_image_unref(img->base);
    hf_component_unref(img->component);
    free(img);
}

struct hf_image *hf_image_new(struct hf_component *c)
{
    const struct hf_program *p = hf_component_program(c);
    struct hf_image *img = calloc(1, sizeof *img);
    if (img == NULL)
        return NULL;
    atomic_init(&img->refs, 1);
    img->component = hf_component_ref(c);
    for (uint32_t s = 0; s < p->n_steps; s++) {
        if (p->steps[s].kind != HF_STEP_CORE_NEW)
            continue;
        img->n_memories += (uint32_t)hf_module_n_memories(p->modules[p->steps[s].module]);
        img->n_globals += (uint32_t)hf_module_n_globals(p->modules[p->steps[s].module]);
    }
    img->n_cis = p->n_cis;
    img->memories = calloc(img->n_memories + 1, sizeof *img->memories);
    img->globals = calloc(img->n_globals + 1, sizeof *img->globals);
    img->tables = calloc(img->n_cis + 1, sizeof *img->tables);
    if (img->memories != NULL && img->globals != NULL && img->tables != NULL)
        return img;
    image_free(img);
    return NULL;
}

struct hf_image *hf_image_ref(struct hf_image *img)
{
    atomic_fetch_add_explicit(&img->refs, 1, memory_order_relaxed);
    return img;
}

void hf_image_unref(struct hf_image *img)
{
    if (img != NULL && atomic_fetch_sub_explicit(&img->refs, 1, memory_order_acq_rel) == 1)
        image_free(img);
}

bool hf_image_portable(const struct hf_image *img, struct hf_report *report)
{
    if (img->no_way.err == HF_OK)
        return true;
    hf_report_set(report, img->no_way.err, "%s", img->no_way.text);
    return false;
}

enum hf_err hf_image_layout(const struct hf_component *c, uint8_t ret[32])
{
    const struct hf_program *p = hf_component_program(c);
    struct hf_buf text = {0};
    enum hf_err err = hf_buf_add_text(&text, "layout 1\n");
    for (uint32_t s = 0; s < p->n_steps && err == HF_OK; s++) {
        const struct hf_step *step = &p->steps[s];
        if (step->kind != HF_STEP_CORE_NEW)
            continue;
        const struct hf_module *m = p->modules[step->module];
        err = hf_buf_printf(&text, "core %u: %zu memories %zu globals in %u\n", step->index,
                            hf_module_n_memories(m), hf_module_n_globals(m), step->ci);
    }
    for (uint32_t i = 0; i < p->n_cis && err == HF_OK; i++)
        err = hf_buf_printf(&text, "instance in %u\n", p->cis[i].parent);
    for (uint32_t i = 0; i < p->n_resources && err == HF_OK; i++)
        err = hf_buf_printf(&text, "resource of %u\n", p->resources[i].type.ci);
    if (err == HF_OK)
        hf_sha256(text.ptr, text.len, ret);
    hf_buf_done(&text);
    return err;
}

/* ---- handle tables ---- */

/* What it would take to make the object again, or why there is no way. */
static enum hf_err take_object(struct hf_image *img, const struct hf_handle *h,
                               struct hf_image_recipe *ret)
{
    const struct hf_host_recipe *r = h->type->recipe;
    size_t before = img->recipes.len;
    enum hf_err err = HF_OK;
    if (r == NULL)
        err = hf_report_set(&img->no_way, HF_UNSUPPORTED,
                            "it keeps a host object, %.*s, that cannot be made again",
                            HF_FMT(h->type->name));
    else
        err = h->obj == hf_stand_in() ? HF_UNSUPPORTED : r->save(h->obj, &img->recipes, &img->no_way);
    if (err == HF_OK && img->recipes.len - before > HF_RECIPE_MAX)
        err = hf_report_set(&img->no_way, HF_LIMIT, "a %.*s takes more than %u bytes to keep",
                            HF_FMT(h->type->name), (unsigned)HF_RECIPE_MAX);
    if (err != HF_OK) {
        hf_report_set(&img->no_way, err, "it keeps a %.*s that cannot be made again: %s",
                      HF_FMT(h->type->name), hf_err_text(err)); /* unless its owner said more */
        return err == HF_UNSUPPORTED ? HF_OK : err;
    }
    *ret = (struct hf_image_recipe){(uint32_t)before, (uint32_t)(img->recipes.len - before)};
    return HF_OK;
}

static enum hf_err take_table(struct hf_image *img, struct hf_image_table *ret,
                              const struct hf_handles *t)
{
    *ret = (struct hf_image_table){
        .len = t->len, .free = t->free, .live = t->live, .serial = t->serial};
    if (t->len <= 1) { /* entry 0 alone is as good as nothing */
        ret->len = 0;
        return HF_OK;
    }
    ret->entries = malloc(t->len * sizeof *ret->entries);
    if (ret->entries == NULL)
        return HF_LIMIT;
    memcpy(ret->entries, t->ptr, t->len * sizeof *ret->entries);
    for (uint32_t i = 1; i < t->len; i++) {
        struct hf_handle *h = &ret->entries[i];
        if (h->type == NULL)
            continue;
        HF_ASSERT(h->own && h->lends == 0); /* borrows end with their call */
        if (h->type->host == NULL)
            continue;
        if (ret->recipes == NULL)
            ret->recipes = calloc(t->len, sizeof *ret->recipes);
        if (ret->recipes == NULL)
            return HF_LIMIT;
        if (img->no_way.err == HF_OK)
            HF_TRY(take_object(img, h, &ret->recipes[i]));
        h->obj = NULL; /* its instance's own */
    }
    return HF_OK;
}

/* ---- taking ---- */

static enum hf_err take_state(struct hf_instance *inst, struct hf_scanner *s, struct hf_image *img)
{
    struct hf_parts *parts = hf_instance_parts(inst);
    if (parts == NULL)
        return HF_LIMIT;
    HF_ASSERT(parts->n_memories == img->n_memories && parts->n_globals == img->n_globals);
    for (uint32_t i = 0; i < img->n_memories; i++) {
        const struct hf_memory *m = &parts->memories[i];
        if (img->base != NULL)
            HF_TRY(hf_memimage_take_since(s, inst->store, m, img->base->memories[i],
                                          &img->memories[i]));
        else
            HF_TRY(hf_memimage_take(s, inst->store, m, img->whole, &img->memories[i]));
    }
    for (uint32_t i = 0; i < img->n_globals; i++)
        img->globals[i] = hf_image_global(inst, &parts->globals[i]);
    for (uint32_t i = 0; i < img->n_cis; i++) {
        HF_ASSERT(inst->cis[i].may_enter && inst->cis[i].may_leave);
        HF_TRY(take_table(img, &img->tables[i], &inst->cis[i].handles));
    }
    img->memory_max = inst->settings.memory_max;
    img->call_bytes_max = inst->settings.call_bytes_max;
    img->handles_max = inst->settings.handles_max;
    img->slice_ticks = inst->settings.slice_ticks;
    img->list_bytes_max = inst->settings.list_bytes_max;
    img->string_bytes_max = inst->settings.string_bytes_max;
    return HF_OK;
}

static const char *why_not_now(const struct hf_instance *inst)
{
    switch (inst->state) {
    case HF_INST_NEW: return "it has not been started";
    case HF_INST_STARTING: return "it is still starting";
    case HF_INST_CALLING: return "a call is in flight in it";
    case HF_INST_DEAD: return "it is dead";
    case HF_INST_REST: break;
    }
    return NULL;
}

static enum hf_err check(const struct hf_instance *inst, struct hf_report *report)
{
    struct hf_buf why = {0};
    enum hf_err err = HF_OK;
    const char *now = why_not_now(inst);
    if (now != NULL)
        return hf_report_set(report, HF_INVALID,
                             "an image is taken of an instance at rest only: %s", now);
    if (hf_component_gate(inst->component, &why) != 0)
        err = hf_report_set(report, HF_UNSUPPORTED, "no image of this component is possible: %.*s",
                            HF_FMT(why));
    hf_buf_done(&why);
    return err;
}

static enum hf_err take(struct hf_instance *inst, struct hf_scanner *s, bool whole,
                        struct hf_image *base, struct hf_image **ret, struct hf_report *report)
{
    struct hf_image *img = hf_image_new(inst->component);
    if (img == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory for an image");
    img->whole = whole;
    img->base = base == NULL ? NULL : hf_image_ref(base);
    enum hf_err err = take_state(inst, s, img);
    if (err != HF_OK) {
        hf_report_set(report, err, "taking an image: %s",
                      img->no_way.len != 0 ? img->no_way.text : hf_err_text(err));
        hf_image_unref(img);
        return err;
    }
    *ret = img;
    return HF_OK;
}

enum hf_err hf_image_take(struct hf_instance *template_inst, struct hf_image **ret,
                          struct hf_report *report)
{
    struct hf_scanner *s = NULL;
    HF_TRY(check(template_inst, report));
    enum hf_err err = hf_scanner_new(&s, NULL);
    if (err != HF_OK && err != HF_UNSUPPORTED) /* without one, every page counts as written */
        return hf_report_set(report, err, "taking an image: %s", hf_err_text(err));
    err = take(template_inst, s, true, NULL, ret, report);
    hf_scanner_free(s);
    return err;
}

enum hf_err hf_image_take_written(struct hf_instance *inst, struct hf_scanner *s,
                                  struct hf_image **ret, struct hf_report *report)
{
    HF_TRY(check(inst, report));
    return take(inst, s, s == NULL, NULL, ret, report);
}

enum hf_err hf_image_take_since(struct hf_instance *inst, struct hf_scanner *s,
                                struct hf_image *base, struct hf_image **ret,
                                struct hf_report *report)
{
    HF_ASSERT(base->whole && base->component == inst->component);
    HF_TRY(check(inst, report));
    return take(inst, s, false, base, ret, report);
}

void hf_image_set_base(struct hf_image *img, struct hf_image *base)
{
    HF_ASSERT(img->base == NULL && base->whole && base->component == img->component);
    img->base = hf_image_ref(base);
}
