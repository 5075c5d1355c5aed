/* wast_core.c - core modules in a script: all in one store, which lives as long as the script.
 *
 * Imports are found among the instances that were registered under the module's name. Numbers only:
 * references and vectors are no business of component suites.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wast.h"

enum hf_err wast_core_new(struct wast_core *all, struct hf_engine *engine, struct hf_module *m,
                          wast_core_find find, void *ctx, struct hf_core *ret,
                          struct hf_report *report)
{
    size_t n = hf_module_n_imports(m);
    struct hf_extern imports[64];
    if (n > HF_ARRAY_LEN(imports))
        return hf_report_set(report, HF_LIMIT, "%zu imports", n);
    if (all->store == NULL) {
        struct hf_store_settings settings = {0};
        enum hf_err err = hf_store_new(engine, &settings, &all->store, report);
        if (err != HF_OK)
            return err;
    }
    for (size_t i = 0; i < n; i++) {
        const struct hf_core_item *want = hf_module_import(m, i);
        const struct hf_core *from = find(ctx, want->module);
        if (from == NULL || !hf_core_export(all->store, from, want->name, &imports[i]))
            return hf_report_set(report, HF_INVALID, "unknown import \"%.*s\" \"%.*s\"",
                                 HF_FMT(want->module), HF_FMT(want->name));
    }
    enum hf_err err = hf_core_new(all->store, m, imports, n, ret, report);
    if (err != HF_OK)
        return err;
    hf_report_init(hf_store_report(all->store));
    err = hf_core_start(all->store, m, ret);
    if (err != HF_OK)
        hf_report_set(report, err, "%s", hf_store_report(all->store)->text);
    return err;
}

/* ---- values ---- */

static const char *const type_names[] = {[HF_I32] = "i32",
                                         [HF_I64] = "i64",
                                         [HF_F32] = "f32",
                                         [HF_F64] = "f64",
                                         [HF_V128] = "v128",
                                         [HF_FUNCREF] = "funcref",
                                         [HF_EXTERNREF] = "externref",
                                         [HF_REF_OTHER] = "ref"};

static bool of_type(const json_t *json, enum hf_core_type t)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    return type != NULL && t <= HF_F64 && strcmp(type, type_names[t]) == 0;
}

static const char *value_text(const json_t *json)
{
    const char *text = json_string_value(json_object_get(json, "value"));
    return text != NULL ? text : "";
}

/* Decimal text of the bits, signed or not. */
static bool bits_of(const char *text, uint64_t *ret)
{
    char *end = NULL;
    errno = 0;
    *ret = text[0] == '-' ? (uint64_t)strtoll(text, &end, 10) : strtoull(text, &end, 10);
    return text[0] != '\0' && *end == '\0' && errno == 0;
}

static uint64_t masked(uint64_t bits, enum hf_core_type t)
{
    return t == HF_I32 || t == HF_F32 ? (uint32_t)bits : bits;
}

static bool is_nan(uint64_t bits, enum hf_core_type t)
{
    return t == HF_F32 ? (bits & INT32_MAX) > 0x7f800000
                       : (bits & INT64_MAX) > UINT64_C(0x7ff0000000000000);
}

static bool equals(const union hf_val *got, const json_t *want, enum hf_core_type t)
{
    uint64_t bits;
    if (!of_type(want, t))
        return false;
    if (strncmp(value_text(want), "nan:", 4) == 0)
        return (t == HF_F32 || t == HF_F64) && is_nan(got->u64, t);
    return bits_of(value_text(want), &bits) && masked(bits, t) == masked(got->u64, t);
}

/* ---- actions ---- */

static enum hf_err call(struct wast_core *all, const struct hf_functype *f,
                        const struct hf_extern *e, const json_t *args, union hf_val *vals,
                        struct hf_report *report)
{
    struct hf_func func;
    if (json_array_size(args) != f->n_params || f->n_params > WAST_CORE_VALUES ||
        f->n_results > WAST_CORE_VALUES)
        return hf_report_set(report, HF_INVALID, "%zu arguments for %u parameters",
                             json_array_size(args), f->n_params);
    for (uint32_t i = 0; i < f->n_params; i++) {
        const json_t *one = json_array_get(args, i);
        if (!of_type(one, f->params[i]) || !bits_of(value_text(one), &vals[i].u64))
            return hf_report_set(report, HF_INVALID, "argument %u is no %s", i + 1,
                                 type_names[f->params[i]]);
        vals[i].u64 = masked(vals[i].u64, f->params[i]);
    }
    HF_ASSERT(hf_extern_func(e, &func));
    hf_report_init(hf_store_report(all->store));
    enum hf_err err = hf_store_call(all->store, &func, vals, WAST_CORE_VALUES);
    if (err != HF_OK)
        hf_report_set(report, err, "%s", hf_store_report(all->store)->text);
    return err;
}

enum hf_err wast_core_invoke(struct wast_core *all, const struct hf_module *m,
                             const struct hf_core *core, const json_t *action,
                             struct wast_core_result *ret, struct hf_report *report)
{
    const char *field = json_string_value(json_object_get(action, "field"));
    struct hf_extern e;
    const struct hf_core_item *item =
        field == NULL ? NULL : hf_module_find_export(m, hf_view_of(field));
    *ret = (struct wast_core_result){.n = 0};
    if (item == NULL || item->kind != HF_CORE_FUNC ||
        !hf_core_export(all->store, core, item->name, &e))
        return hf_report_set(report, HF_INVALID, "there is no function \"%s\"",
                             field == NULL ? "" : field);
    ret->n = item->func.n_results;
    ret->types = item->func.results;
    return call(all, &item->func, &e, json_object_get(action, "args"), ret->vals, report);
}

bool wast_core_equals(const struct wast_core_result *got, const json_t *wanted)
{
    if (got->n != json_array_size(wanted))
        return false;
    for (uint32_t i = 0; i < got->n; i++)
        if (!equals(&got->vals[i], json_array_get(wanted, i), got->types[i]))
            return false;
    return true;
}
