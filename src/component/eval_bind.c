/* eval_bind.c - what is supplied against what is declared: imports, ascribed exports, the exports
 * of instance types.
 *
 * A supplied item is taken as it is once it fits; what nobody supplies is made fresh. So the same
 * walk checks a host interface against an import (S4), checks arguments between components (4.2),
 * reads a WIT package, and lets inspect look at a component whose imports do not exist. Parameter
 * names are not compared.
 */
#include "component/eval.h"
#include "component/parse_in.h"

/* Calls e->differs with printed text. */
static enum hf_err differs(struct hf_eval *e, enum hf_sort sort, struct hf_view name,
                           const struct hf_item *offered, struct hf_buf *text)
{
    enum hf_err err = e->differs(e, sort, name, offered, hf_buf_view(text));
    hf_buf_done(text);
    return err;
}

static enum hf_err wrong_sort(struct hf_eval *e, enum hf_sort want, struct hf_view name,
                              const struct hf_item *given)
{
    struct hf_buf text = {0};
    HF_TRY(hf_buf_printf(&text, "a %s is wanted, a %s is offered", hf_sort_text(want),
                         hf_sort_text(given->sort)));
    return differs(e, want, name, given, &text);
}

/* The type behind an index, of the wanted kind. */
static enum hf_err type_at(struct hf_eval *e, struct hf_frame *f, uint32_t index,
                           enum hf_typeval_kind kind, struct hf_item *ret)
{
    HF_TRY(hf_eval_at(e, f, HF_SORT_TYPE, index, ret));
    if (ret->type.kind != kind)
        return hf_report_set(e->report, HF_INVALID, "type %u is of another kind than its use",
                             index);
    return HF_OK;
}

static enum hf_err func_differs(struct hf_eval *e, struct hf_view name, const struct hf_ftype *want,
                                const struct hf_item *given, const struct hf_buf *why)
{
    struct hf_buf text = {0};
    enum hf_err err = hf_buf_add_text(&text, "wanted ");
    if (err == HF_OK)
        err = hf_ftype_text(want, &text);
    if (err == HF_OK)
        err = hf_buf_add_text(&text, ", offered ");
    if (err == HF_OK)
        err = hf_ftype_text(given->func.type, &text);
    if (err == HF_OK)
        err = hf_buf_printf(&text, " (%.*s)", (int)why->len, (const char *)why->ptr);
    if (err != HF_OK) {
        hf_buf_done(&text);
        return hf_eval_out_of_memory(e);
    }
    return differs(e, HF_SORT_FUNC, name, given, &text);
}

static enum hf_err bind_func(struct hf_eval *e, struct hf_frame *f, const struct hf_externtype *t,
                             struct hf_view name, const struct hf_item *given, struct hf_item *ret)
{
    struct hf_buf why = {0};
    struct hf_item type;
    HF_TRY(type_at(e, f, t->index, HF_TYPEVAL_FUNC, &type));
    if (given != NULL && given->sort != HF_SORT_FUNC) {
        HF_TRY(wrong_sort(e, HF_SORT_FUNC, name, given));
    } else if (given != NULL && hf_ftype_eq(type.type.func, given->func.type, false, &why)) {
        *ret = *given;
        return HF_OK;
    } else if (given != NULL) {
        enum hf_err err = func_differs(e, name, type.type.func, given, &why);
        hf_buf_done(&why);
        HF_TRY(err);
    }
    *ret = (struct hf_item){.sort = HF_SORT_FUNC};
    return e->fresh_func(e, name, type.type.func, &ret->func);
}

static bool same_type(const struct hf_typeval *a, const struct hf_typeval *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case HF_TYPEVAL_VALUE: return hf_type_eq(a->value, b->value);
    case HF_TYPEVAL_RESOURCE: return a->resource == b->resource;
    case HF_TYPEVAL_FUNC: return hf_ftype_eq(a->func, b->func, false, NULL);
    /* Their contents are compared where they are instantiated or supplied. */
    case HF_TYPEVAL_COMPONENT:
    case HF_TYPEVAL_INSTANCE: return true;
    }
    return false;
}

static enum hf_err type_text(const struct hf_typeval *t, struct hf_buf *text)
{
    switch (t->kind) {
    case HF_TYPEVAL_VALUE: return hf_type_text(t->value, text);
    case HF_TYPEVAL_RESOURCE:
        return hf_buf_printf(text, "resource %.*s", HF_FMT(t->resource->name));
    case HF_TYPEVAL_FUNC: return hf_ftype_text(t->func, text);
    case HF_TYPEVAL_COMPONENT: return hf_buf_add_text(text, "a component type");
    case HF_TYPEVAL_INSTANCE: return hf_buf_add_text(text, "an instance type");
    }
    return HF_OK;
}

static enum hf_err type_differs(struct hf_eval *e, struct hf_view name,
                                const struct hf_typeval *want, const struct hf_item *given)
{
    struct hf_buf text = {0};
    enum hf_err err = hf_buf_add_text(&text, "wanted ");
    if (err == HF_OK)
        err = type_text(want, &text);
    if (err == HF_OK)
        err = hf_buf_add_text(&text, ", offered ");
    if (err == HF_OK)
        err = type_text(&given->type, &text);
    if (err == HF_OK && want->kind == HF_TYPEVAL_RESOURCE &&
        given->type.kind == HF_TYPEVAL_RESOURCE)
        err = hf_buf_add_text(&text, " (another resource)");
    if (err != HF_OK) {
        hf_buf_done(&text);
        return hf_eval_out_of_memory(e);
    }
    return differs(e, HF_SORT_TYPE, name, given, &text);
}

static enum hf_err bind_type_eq(struct hf_eval *e, struct hf_frame *f,
                                const struct hf_externtype *t, struct hf_view name,
                                const struct hf_item *given, struct hf_item *ret)
{
    HF_TRY(hf_eval_at(e, f, HF_SORT_TYPE, t->index, ret));
    if (given != NULL && given->sort != HF_SORT_TYPE)
        HF_TRY(wrong_sort(e, HF_SORT_TYPE, name, given));
    else if (given != NULL && !same_type(&ret->type, &given->type))
        HF_TRY(type_differs(e, name, &ret->type, given));
    return hf_eval_named(e, name, ret);
}

static enum hf_err bind_resource(struct hf_eval *e, struct hf_view name,
                                 const struct hf_item *given, struct hf_item *ret)
{
    if (given != NULL && given->sort == HF_SORT_TYPE && given->type.kind == HF_TYPEVAL_RESOURCE) {
        *ret = *given;
        return HF_OK;
    }
    if (given != NULL && given->sort == HF_SORT_TYPE) {
        struct hf_resource_type any = {.name = HF_VIEW("(any)")};
        struct hf_typeval want = {.kind = HF_TYPEVAL_RESOURCE, .resource = &any};
        HF_TRY(type_differs(e, name, &want, given));
    } else if (given != NULL) {
        HF_TRY(wrong_sort(e, HF_SORT_TYPE, name, given));
    }
    *ret = (struct hf_item){.sort = HF_SORT_TYPE, .type.kind = HF_TYPEVAL_RESOURCE};
    return e->fresh_resource(e, name, &ret->type.resource);
}

static enum hf_err bind_instance(struct hf_eval *e, struct hf_frame *f,
                                 const struct hf_externtype *t, struct hf_view name,
                                 const struct hf_item *given, struct hf_item *ret)
{
    struct hf_item type;
    HF_TRY(type_at(e, f, t->index, HF_TYPEVAL_INSTANCE, &type));
    if (given != NULL && given->sort != HF_SORT_INSTANCE) {
        HF_TRY(wrong_sort(e, HF_SORT_INSTANCE, name, given));
        given = NULL;
    }
    *ret = (struct hf_item){.sort = HF_SORT_INSTANCE};
    return hf_eval_scope_type(e, &type.type.closure, NULL, given == NULL ? NULL : given->instance,
                              &ret->instance);
}

static enum hf_err bind_component(struct hf_eval *e, struct hf_frame *f,
                                  const struct hf_externtype *t, struct hf_view name,
                                  const struct hf_item *given, struct hf_item *ret)
{
    struct hf_item type;
    HF_TRY(type_at(e, f, t->index, HF_TYPEVAL_COMPONENT, &type));
    if (given != NULL && given->sort == HF_SORT_COMPONENT) {
        *ret = *given;
        return HF_OK;
    }
    if (given != NULL)
        HF_TRY(wrong_sort(e, HF_SORT_COMPONENT, name, given));
    *ret = (struct hf_item){.sort = HF_SORT_COMPONENT, .component = type.type.closure};
    return HF_OK;
}

static enum hf_err bind_module(struct hf_eval *e, struct hf_view name, const struct hf_item *given,
                               struct hf_item *ret)
{
    if (given != NULL && given->sort == HF_SORT_MODULE) {
        *ret = *given;
        return HF_OK;
    }
    if (given != NULL)
        HF_TRY(wrong_sort(e, HF_SORT_MODULE, name, given));
    *ret = (struct hf_item){.sort = HF_SORT_MODULE, .module = HF_NO_INDEX};
    return HF_OK;
}

enum hf_err hf_eval_bind(struct hf_eval *e, struct hf_frame *f, const struct hf_externtype *t,
                         struct hf_view name, const struct hf_item *given, struct hf_item *ret)
{
    switch (t->kind) {
    case HF_EXTERN_FUNC: return bind_func(e, f, t, name, given, ret);
    case HF_EXTERN_TYPE_EQ: return bind_type_eq(e, f, t, name, given, ret);
    case HF_EXTERN_TYPE_SUB: return bind_resource(e, name, given, ret);
    case HF_EXTERN_INSTANCE: return bind_instance(e, f, t, name, given, ret);
    case HF_EXTERN_COMPONENT: return bind_component(e, f, t, name, given, ret);
    case HF_EXTERN_MODULE: return bind_module(e, name, given, ret);
    case HF_EXTERN_VALUE: *ret = (struct hf_item){.sort = HF_SORT_VALUE}; return HF_OK; /* gated */
    }
    return HF_OK;
}

/* ---- component and instance types ---- */

static enum hf_err not_offered(struct hf_eval *e, enum hf_sort sort, struct hf_view name)
{
    return e->differs(e, sort, name, NULL, HF_VIEW("not there"));
}

static enum hf_err eval_import_decl(struct hf_eval *e, struct hf_frame *f, const struct hf_def *def,
                                    const struct hf_instanceval *args)
{
    const struct hf_item *given = NULL;
    struct hf_item item;
    if (args != NULL) {
        given = hf_instanceval_find(args, def->import.name);
        if (given == NULL)
            HF_TRY(not_offered(e, def->sort, def->import.name));
    }
    HF_TRY(hf_eval_bind(e, f, &def->import.type, def->import.name, given, &item));
    hf_eval_push(f, &item);
    return HF_OK;
}

static enum hf_err eval_export_decl(struct hf_eval *e, struct hf_frame *f, const struct hf_def *def,
                                    const struct hf_instanceval *given)
{
    const struct hf_item *found = NULL;
    struct hf_item item;
    if (given != NULL) {
        found = hf_instanceval_find(given, def->export.name);
        /* A type that is only a name for another says all there is to know of it. */
        if (found == NULL && def->export.type.kind != HF_EXTERN_TYPE_EQ)
            HF_TRY(not_offered(e, def->sort, def->export.name));
    }
    HF_TRY(hf_eval_bind(e, f, &def->export.type, def->export.name, found, &item));
    hf_eval_push(f, &item);
    return hf_eval_export(e, f, def->export.name, &item);
}

static enum hf_err eval_decl(struct hf_eval *e, struct hf_frame *f, const struct hf_def *def,
                             const struct hf_instanceval *args, const struct hf_instanceval *given)
{
    struct hf_item item;
    switch (def->kind) {
    case HF_DEF_TYPE:
        HF_TRY(hf_eval_typedef(e, f, def->type, &item));
        hf_eval_push(f, &item);
        return HF_OK;
    case HF_DEF_CORE_TYPE: return HF_OK;
    case HF_DEF_ALIAS_EXPORT: return hf_eval_alias_export(e, f, def);
    case HF_DEF_ALIAS_OUTER: return hf_eval_alias_outer(e, f, def);
    case HF_DEF_IMPORT: return eval_import_decl(e, f, def, args);
    case HF_DEF_EXPORT: return eval_export_decl(e, f, def, given);
    default:
        return hf_report_set(e->report, HF_INVALID,
                             "a definition inside a type that cannot be there");
    }
}

enum hf_err hf_eval_scope_type(struct hf_eval *e, const struct hf_closure *c,
                               const struct hf_instanceval *args,
                               const struct hf_instanceval *given,
                               const struct hf_instanceval **ret)
{
    struct hf_frame *f;
    HF_TRY(hf_eval_enter(e));
    HF_TRY(hf_eval_frame(e, c->scope, c->frame, HF_NO_INDEX, &f));
    for (const struct hf_def *def = c->scope->defs; def != NULL; def = def->next)
        HF_TRY(eval_decl(e, f, def, args, given));
    e->depth--;
    return hf_eval_instance(e, f->exports, f->n_exports, ret);
}
