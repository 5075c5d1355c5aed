/* eval.c - frames, items by index, aliases, names to items: what both kinds of evaluation stand on.
 *
 * Work and depth are counted here, since a small file can describe an exponentially large tree.
 */
#include "component/eval.h"

#include <stdlib.h>

#include "component/parse_in.h"

#define INDEX_SHORT 8u

/* ---- names to places ---- */

static struct hf_view name_at(const struct hf_name_index *ix, uint32_t i)
{
    return *(const struct hf_view *)(const void *)(ix->base + ix->stride * i);
}

static int compare(const void *a, const void *b, void *ctx)
{
    const struct hf_name_index *ix = ctx;
    return hf_view_cmp(name_at(ix, *(const uint32_t *)a), name_at(ix, *(const uint32_t *)b));
}

enum hf_err hf_name_index_make(struct hf_arena *a, const void *base, size_t stride, uint32_t n,
                               struct hf_name_index *ret)
{
    *ret = (struct hf_name_index){.base = base, .stride = stride, .n = n};
    if (n <= INDEX_SHORT)
        return HF_OK;
    uint32_t *order = hf_arena_array(a, n, sizeof *order);
    if (order == NULL)
        return HF_LIMIT;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, compare, ret);
    ret->order = order;
    return HF_OK;
}

uint32_t hf_name_index_find(const struct hf_name_index *ix, struct hf_view name)
{
    if (ix->order == NULL) {
        for (uint32_t i = 0; i < ix->n; i++)
            if (hf_view_eq(name_at(ix, i), name))
                return i;
        return HF_NO_INDEX;
    }
    uint32_t low = 0, high = ix->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int cmp = hf_view_cmp(name_at(ix, ix->order[mid]), name);
        if (cmp == 0)
            return ix->order[mid];
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return HF_NO_INDEX;
}

const struct hf_item *hf_instanceval_find(const struct hf_instanceval *v, struct hf_view name)
{
    uint32_t i = hf_name_index_find(&v->index, name);
    return i == HF_NO_INDEX ? NULL : &v->items[i].item;
}

/* ---- frames ---- */

enum hf_err hf_eval_out_of_memory(struct hf_eval *e)
{
    return hf_report_set(e->report, HF_LIMIT, "linking takes more than %zu bytes",
                         e->keep->max > e->tmp->max ? e->keep->max : e->tmp->max);
}

enum hf_err hf_eval_enter(struct hf_eval *e)
{
    if (e->depth >= HF_EVAL_DEPTH_MAX)
        return hf_report_set(e->report, HF_LIMIT, "instances are nested more than %u deep",
                             HF_EVAL_DEPTH_MAX);
    e->depth++;
    return HF_OK;
}

enum hf_err hf_eval_work(struct hf_eval *e, uint32_t n)
{
    if (n > HF_EVAL_WORK_MAX - e->work)
        return hf_report_set(e->report, HF_LIMIT, "linking takes more than %u definitions",
                             HF_EVAL_WORK_MAX);
    e->work += n;
    return HF_OK;
}

/* Spaces whose entries the linker never looks at. */
static bool has_items(enum hf_sort sort)
{
    return sort != HF_SORT_CORE_TYPE && sort != HF_SORT_VALUE;
}

enum hf_err hf_eval_frame(struct hf_eval *e, const struct hf_scope *scope, struct hf_frame *outer,
                          uint32_t ci, struct hf_frame **ret)
{
    HF_TRY(hf_eval_work(e, scope->n_defs + 1));
    struct hf_frame *f = HF_ARENA_NEW(e->tmp, struct hf_frame);
    if (f == NULL)
        return hf_eval_out_of_memory(e);
    f->outer = outer;
    f->scope = scope;
    f->ci = ci;
    for (int s = 0; s < HF_SORT_COUNT; s++) {
        if (!has_items((enum hf_sort)s) || scope->n[s] == 0)
            continue;
        f->items[s] = hf_arena_array(e->tmp, scope->n[s], sizeof(struct hf_item));
        if (f->items[s] == NULL)
            return hf_eval_out_of_memory(e);
    }
    f->exports = hf_arena_array(e->tmp, (size_t)scope->n_exports + 1, sizeof *f->exports);
    if (f->exports == NULL)
        return hf_eval_out_of_memory(e);
    *ret = f;
    return HF_OK;
}

void hf_eval_push(struct hf_frame *f, const struct hf_item *item)
{
    enum hf_sort s = item->sort;
    if (!has_items(s))
        return;
    HF_ASSERT(f->len[s] <
              f->scope->n[s]); /* evaluation follows the parse, definition by definition */
    f->items[s][f->len[s]++] = *item;
}

enum hf_err hf_eval_at(struct hf_eval *e, const struct hf_frame *f, enum hf_sort sort,
                       uint32_t index, struct hf_item *ret)
{
    if (!has_items(sort)) {
        *ret = (struct hf_item){.sort = sort};
        return HF_OK;
    }
    if (index >= f->len[sort])
        return hf_report_set(e->report, HF_INVALID, "%s %u does not exist", hf_sort_text(sort),
                             index);
    *ret = f->items[sort][index];
    return HF_OK;
}

/* ---- aliases ---- */

enum hf_err hf_eval_alias_export(struct hf_eval *e, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_item instance = {0};
    HF_TRY(hf_eval_at(e, f, HF_SORT_INSTANCE, def->alias.instance, &instance));
    const struct hf_item *item = hf_instanceval_find(instance.instance, def->alias.name);
    if (item == NULL || item->sort != def->sort)
        return hf_report_set(e->report, HF_INVALID, "instance %u exports no %s \"%.*s\"",
                             def->alias.instance, hf_sort_text(def->sort), HF_FMT(def->alias.name));
    hf_eval_push(f, item);
    return HF_OK;
}

enum hf_err hf_eval_alias_outer(struct hf_eval *e, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_frame *target = f;
    struct hf_item item;
    for (uint32_t i = 0; i < def->outer.count && target != NULL; i++)
        target = target->outer;
    if (target == NULL)
        return hf_report_set(e->report, HF_INVALID, "an outer alias leaves the outermost scope");
    HF_TRY(hf_eval_at(e, target, def->sort, def->outer.index, &item));
    hf_eval_push(f, &item);
    return HF_OK;
}

/* ---- exports ---- */

enum hf_err hf_eval_export(struct hf_eval *e, struct hf_frame *f, struct hf_view name,
                           const struct hf_item *item)
{
    HF_ASSERT(f->n_exports < f->scope->n_exports);
    struct hf_view copy = hf_arena_copy(e->keep, name);
    if (copy.ptr == NULL)
        return hf_eval_out_of_memory(e);
    f->exports[f->n_exports++] = (struct hf_named_item){copy, *item};
    return HF_OK;
}

enum hf_err hf_eval_instance(struct hf_eval *e, const struct hf_named_item *items, uint32_t n,
                             const struct hf_instanceval **ret)
{
    struct hf_instanceval *v = HF_ARENA_NEW(e->tmp, struct hf_instanceval);
    if (v == NULL)
        return hf_eval_out_of_memory(e);
    v->items = items;
    v->n = n;
    if (hf_name_index_make(e->tmp, items, sizeof *items, n, &v->index) != HF_OK)
        return hf_eval_out_of_memory(e);
    *ret = v;
    return HF_OK;
}
