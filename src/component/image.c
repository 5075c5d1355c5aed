/* image.c - images of an instance at rest, and putting an instance back to one in place.
 *
 * What an instance is, between calls: its memories, its mutable globals, its handle tables, two
 * flags for each component instance (reference 7.1; tables and segments are constants by the static
 * gate). The image is read from a template that never serves; an instance of the same component is
 * made equal to it by undoing what it did since its own start.
 *
 * Handles are the delicate part. The image knows how the tables look, but host objects are each
 * instance's own. An entry is kept when the image has one there of the same kind and it is the one
 * this instance had when its start ended (serial numbers tell); entries made since are dropped;
 * anything else means a new instance.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "component/instance.h"

/* ---- dropping handles, newest first ---- */

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void drop_at(struct hf_handles *t, uint32_t index)
{
    struct hf_handle h = t->ptr[index];
    hf_handles_remove(t, index); /* first: ops may look at the tables through the instance */
    if (h.own && h.type->host != NULL)
        (void)hf_host_drop(h.type, NULL, h.obj); /* cannot refuse without a call (host.h) */
}

static bool is_newer(const struct hf_handles *t, uint32_t index, uint32_t serial)
{
    return t->ptr[index].type != NULL && t->ptr[index].serial > serial;
}

void hf_handles_drop_since(struct hf_handles *t, uint32_t serial)
{
    uint64_t few[64], *order = few; /* serial << 32 | index */
    size_t n = 0;
    for (uint32_t i = 1; i < t->len; i++)
        n += is_newer(t, i, serial);
    if (n == 0)
        return;
    if (n > HF_ARRAY_LEN(few) && (order = malloc(n * sizeof *order)) == NULL) {
        /* The order is a courtesy to the host (children before parents); hosts live with any. */
        for (uint32_t i = t->len; i-- > 1;)
            if (is_newer(t, i, serial))
                drop_at(t, i);
        return;
    }
    n = 0;
    for (uint32_t i = 1; i < t->len; i++)
        if (is_newer(t, i, serial))
            order[n++] = (uint64_t)t->ptr[i].serial << 32 | i;
    if (n > 1)
        qsort(order, n, sizeof *order, newest_first);
    for (size_t i = 0; i < n; i++)
        drop_at(t, (uint32_t)order[i]);
    if (order != few)
        free(order);
}

void hf_instance_drop_handles(struct hf_instance *inst, bool all)
{
    for (uint32_t i = inst->program->n_cis; i-- > 0;)
        hf_handles_drop_since(&inst->cis[i].handles, all ? 0 : inst->cis[i].rest_serial);
}

/* ---- memories and globals ---- */

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

/* ---- images ---- */

struct image_table {           /* one handle table */
    struct hf_handle *entries; /* len of them; NULL when len is 0 */
    uint32_t len, free, live;
};
struct hf_image {
    _Atomic uint32_t refs;
    struct hf_component *component;
    uint32_t n_memories, n_globals, n_cis;
    struct hf_memimage **memories;
    union hf_val *globals;
    struct image_table *tables; /* one for each component instance */
};

static void image_free(struct hf_image *img)
{
    if (img == NULL)
        return;
    for (uint32_t i = 0; img->memories != NULL && i < img->n_memories; i++)
        hf_memimage_free(img->memories[i]);
    for (uint32_t i = 0; img->tables != NULL && i < img->n_cis; i++)
        free(img->tables[i].entries);
    free(img->memories);
    free(img->globals);
    free(img->tables);
    if (img->component != NULL)
        hf_component_unref(img->component);
    free(img);
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

static bool take_table(struct image_table *ret, const struct hf_handles *t)
{
    *ret = (struct image_table){.len = t->len, .free = t->free, .live = t->live};
    if (t->len == 0)
        return true;
    ret->entries = malloc(t->len * sizeof *ret->entries);
    if (ret->entries != NULL)
        memcpy(ret->entries, t->ptr, t->len * sizeof *ret->entries);
    return ret->entries != NULL;
}

/* All 16 bytes defined, whatever the type: bits can be compared. */
static union hf_val read_global(struct hf_instance *inst, const struct hf_global *g)
{
    union hf_val v;
    memset(&v, 0, sizeof v);
    hf_global_get(inst->store, g, &v);
    return v;
}

static enum hf_err take_state(struct hf_instance *inst, struct hf_image *img)
{
    struct hf_parts *parts = hf_instance_parts(inst);
    if (parts == NULL)
        return HF_LIMIT;
    img->n_memories = parts->n_memories;
    img->n_globals = parts->n_globals;
    img->n_cis = inst->program->n_cis;
    img->memories = calloc(img->n_memories + 1, sizeof *img->memories);
    img->globals = calloc(img->n_globals + 1, sizeof *img->globals);
    img->tables = calloc(img->n_cis + 1, sizeof *img->tables);
    if (img->memories == NULL || img->globals == NULL || img->tables == NULL)
        return HF_LIMIT;
    enum hf_err err = HF_OK;
    for (uint32_t i = 0; i < img->n_memories && err == HF_OK; i++)
        err = hf_memimage_take(inst->store, &parts->memories[i], &img->memories[i]);
    for (uint32_t i = 0; i < img->n_globals && err == HF_OK; i++)
        img->globals[i] = read_global(inst, &parts->globals[i]);
    for (uint32_t i = 0; i < img->n_cis && err == HF_OK; i++)
        err = take_table(&img->tables[i], &inst->cis[i].handles) ? HF_OK : HF_LIMIT;
    return err;
}

static enum hf_err check_gate(struct hf_component *c, struct hf_report *report)
{
    struct hf_buf why = {0};
    enum hf_err err = HF_OK;
    if (hf_component_gate(c, &why) != 0)
        err = hf_report_set(report, HF_UNSUPPORTED, "no image of this component is possible: %.*s",
                            HF_FMT(why));
    hf_buf_done(&why);
    return err;
}

enum hf_err hf_image_take(struct hf_instance *template_inst, struct hf_image **ret,
                          struct hf_report *report)
{
    if (template_inst->state != HF_INST_REST)
        return hf_report_set(report, HF_INVALID, "an image is taken of an instance at rest only");
    enum hf_err err = check_gate(template_inst->component, report);
    if (err != HF_OK)
        return err;
    struct hf_image *img = calloc(1, sizeof *img);
    if (img == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory for an image");
    atomic_init(&img->refs, 1);
    img->component = hf_component_ref(template_inst->component);
    err = take_state(template_inst, img);
    if (err != HF_OK) {
        image_free(img);
        return hf_report_set(report, err, "cannot save the memory for an image: %s",
                             hf_err_text(err));
    }
    *ret = img;
    return HF_OK;
}

/* ---- reset ---- */

static bool handle_is(const struct hf_handle *h, const struct hf_handle *img)
{
    return h->type == img->type && h->own == img->own && h->lends == 0 &&
           (h->type->host != NULL || h->rep == img->rep);
}

/* True: dropping what is new leaves exactly the image's entries. */
static bool table_fits(const struct hf_ci *ci, const struct image_table *img)
{
    const struct hf_handles *t = &ci->handles;
    if (ci->rest_serial == HF_SERIAL_MAX || t->len < img->len)
        return false;
    for (uint32_t i = 1; i < t->len; i++) {
        bool kept = t->ptr[i].type != NULL && t->ptr[i].serial <= ci->rest_serial;
        bool wanted = i < img->len && img->entries[i].type != NULL;
        if (kept != wanted || (kept && !handle_is(&t->ptr[i], &img->entries[i])))
            return false;
    }
    return true;
}

/* Everything new is gone; now the free entries, in the image's order. */
static void restore_table(struct hf_ci *ci, const struct image_table *img)
{
    struct hf_handles *t = &ci->handles;
    for (uint32_t i = 1; i < img->len; i++)
        if (img->entries[i].type == NULL)
            t->ptr[i] = img->entries[i];
    t->len = img->len;
    t->free = img->free;
    t->live = img->live;
    t->serial = ci->rest_serial;
    ci->may_enter = ci->may_leave = true;
}

static enum hf_err reset_memories(struct hf_instance *inst, const struct hf_image *img,
                                  const struct hf_parts *parts, struct hf_scanner *scanner,
                                  uint64_t max_pages, struct hf_reset_stats *stats,
                                  const char **why)
{
    /* Sizes first: after a growth nothing needs to be copied. */
    for (uint32_t i = 0; i < img->n_memories; i++) {
        uint8_t *base;
        size_t size;
        hf_memory_get(inst->store, &parts->memories[i], &base, &size);
        if (size != hf_memimage_size(img->memories[i])) {
            *why = "grown";
            return HF_LIMIT;
        }
    }
    uint64_t before = stats->pages_copied + stats->pages_zero;
    for (uint32_t i = 0; i < img->n_memories; i++) {
        uint64_t used = stats->pages_copied + stats->pages_zero - before;
        uint64_t left = max_pages > used ? max_pages - used : 1;
        enum hf_err err = hf_memory_reset(scanner, inst->store, &parts->memories[i],
                                          img->memories[i], max_pages == 0 ? 0 : left, stats);
        if (err != HF_OK) {
            *why = err == HF_LIMIT ? "dirty" : "scan";
            return err;
        }
    }
    return HF_OK;
}

/* Most globals never change after the start (Python has 493 of them), and looking costs a third of
 * setting. */
static void reset_globals(struct hf_instance *inst, const struct hf_image *img,
                          const struct hf_parts *parts)
{
    for (uint32_t i = 0; i < img->n_globals; i++) {
        union hf_val now = read_global(inst, &parts->globals[i]);
        if (memcmp(&now, &img->globals[i], sizeof now) != 0)
            hf_global_set(inst->store, &parts->globals[i], &img->globals[i]);
    }
}

static enum hf_err reset(struct hf_instance *inst, const struct hf_image *img,
                         struct hf_scanner *scanner, uint64_t max_pages,
                         struct hf_reset_stats *stats, const char **why)
{
    hf_instance_let_go_result(inst);
    *why = "handles";
    for (uint32_t i = 0; i < img->n_cis; i++)
        if (!table_fits(&inst->cis[i], &img->tables[i]))
            return HF_LIMIT;
    hf_instance_drop_handles(inst, false);
    *why = "scan";
    const struct hf_parts *parts = hf_instance_parts(inst);
    if (parts == NULL)
        return HF_LIMIT;
    enum hf_err err = reset_memories(inst, img, parts, scanner, max_pages, stats, why);
    if (err != HF_OK)
        return err;
    reset_globals(inst, img, parts);
    for (uint32_t i = 0; i < img->n_cis; i++)
        restore_table(&inst->cis[i], &img->tables[i]);
    hf_arena_reset(&inst->arena);
    *why = NULL;
    return HF_OK;
}

enum hf_err hf_instance_reset(struct hf_instance *inst, const struct hf_image *img,
                              struct hf_scanner *scanner, uint64_t max_pages,
                              struct hf_reset_stats *stats, const char **why)
{
    struct hf_reset_stats own_stats = {0};
    HF_ASSERT(inst->component == img->component);
    *why = "dead";
    if (inst->state != HF_INST_REST)
        return HF_INVALID;
    enum hf_err err = reset(inst, img, scanner, max_pages, stats != NULL ? stats : &own_stats, why);
    if (err != HF_OK)
        inst->state = HF_INST_DEAD; /* half put back: nobody may see what is in it */
    return err;
}
