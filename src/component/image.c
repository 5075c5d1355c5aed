/* image.c - putting an instance back to an image in place. (image_take.c makes images, image_file.c
 * writes and reads them, image_load.c makes instances of them.)
 *
 * The image is read from a template that never serves; an instance of the same component is made
 * equal to it by undoing what it did since its own start.
 *
 * Handles are the delicate part. The image knows how the tables look, but host objects are each
 * instance's own. An entry is kept when the image has one there of the same kind and it is the one
 * this instance had when its start ended (serial numbers tell); entries made since are dropped;
 * anything else means a new instance.
 */
#include <stdlib.h>

#include "component/image_int.h"

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
        (void)h.type->host->drop(NULL, h.obj); /* cannot refuse without a call (host.h) */
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

/* ---- reset ---- */

/* Host objects are each instance's own: the same number under the same serial was made by the same
 * step of a start, as far as tables can tell. */
static bool handle_is(const struct hf_handle *h, const struct hf_handle *img)
{
    return h->type == img->type && h->own == img->own && h->lends == 0 &&
           (h->type->host != NULL ? h->serial == img->serial : h->rep == img->rep);
}

/* True: dropping what is new leaves exactly the image's entries. */
static bool table_fits(const struct hf_ci *ci, const struct hf_image_table *img)
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
static void restore_table(struct hf_ci *ci, const struct hf_image_table *img)
{
    struct hf_handles *t = &ci->handles;
    for (uint32_t i = 1; i < img->len; i++)
        if (img->entries[i].type == NULL)
            t->ptr[i] = img->entries[i];
    t->len = img->len;
    if (img->len == 0 && t->cap != 0)
        t->len = 1; /* the template never had a handle: entry 0 is not one (H1) */
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
        union hf_val now = hf_image_global(inst, &parts->globals[i]);
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
    HF_ASSERT(inst->component == img->component && img->whole);
    *why = "dead";
    if (inst->state != HF_INST_REST)
        return HF_INVALID;
    enum hf_err err = reset(inst, img, scanner, max_pages, stats != NULL ? stats : &own_stats, why);
    if (err != HF_OK)
        inst->state = HF_INST_DEAD; /* half put back: nobody may see what is in it */
    return err;
}
