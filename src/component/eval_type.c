/* eval_type.c - type definitions to evaluated types: indices looked up, layouts made (types.h).
 */
#include "component/eval.h"
#include "component/parse_in.h"

static enum hf_err value_of(struct hf_eval *e, struct hf_frame *f, const struct hf_valtype *v,
                            const struct hf_type **ret)
{
    struct hf_item item;
    *ret = NULL;
    if (v->none)
        return HF_OK;
    if (v->index == HF_NO_INDEX) {
        *ret = hf_type_prim(v->prim);
        return HF_OK;
    }
    HF_TRY(hf_eval_at(e, f, HF_SORT_TYPE, v->index, &item));
    if (item.type.kind != HF_TYPEVAL_VALUE)
        return hf_report_set(e->report, HF_INVALID, "type %u is not the type of a value", v->index);
    *ret = item.type.value;
    return HF_OK;
}

/* Members in the temporary arena: the makers copy them. */
static enum hf_err members_of(struct hf_eval *e, struct hf_frame *f, const struct hf_typedef *t,
                              struct hf_member **ret)
{
    struct hf_member *m = hf_arena_array(e->tmp, (size_t)t->n + 1, sizeof *m);
    if (m == NULL)
        return hf_eval_out_of_memory(e);
    for (uint32_t i = 0; i < t->n; i++) {
        m[i].name = t->parts[i].name;
        HF_TRY(value_of(e, f, &t->parts[i].type, &m[i].type));
    }
    *ret = m;
    return HF_OK;
}

static enum hf_err handle_of(struct hf_eval *e, struct hf_frame *f, const struct hf_typedef *t,
                             const struct hf_type **ret)
{
    struct hf_item item;
    HF_TRY(hf_eval_at(e, f, HF_SORT_TYPE, t->length, &item));
    if (item.type.kind != HF_TYPEVAL_RESOURCE)
        return hf_report_set(e->report, HF_INVALID, "%s of type %u, which is not a resource",
                             hf_type_kind_text(t->value), t->length);
    return hf_type_handle(e->keep, t->value, item.type.resource, ret, e->report);
}

static enum hf_err make_value(struct hf_eval *e, struct hf_frame *f, const struct hf_typedef *t,
                              const struct hf_type **ret)
{
    struct hf_member *m;
    HF_TRY(members_of(e, f, t, &m));
    switch (t->value) {
    case HF_T_OWN:
    case HF_T_BORROW: return handle_of(e, f, t, ret);
    case HF_T_LIST:
        if (t->is_map)
            return hf_type_map(e->keep, m[0].type, m[1].type, ret, e->report);
        return hf_type_list(e->keep, m[0].type, ret, e->report);
    case HF_T_RECORD:
    case HF_T_TUPLE:
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
    case HF_T_FLAGS: return hf_type_compound(e->keep, t->value, m, t->n, ret, e->report);
    case HF_T_FIXED_LIST:
    case HF_T_STREAM:
    case HF_T_FUTURE: return hf_type_gated(e->keep, t->value, m, t->n, t->length, ret, e->report);
    default: *ret = hf_type_prim(t->value); return HF_OK;
    }
}

static enum hf_err make_func(struct hf_eval *e, struct hf_frame *f, const struct hf_typedef *t,
                             const struct hf_ftype **ret)
{
    const struct hf_type *result;
    struct hf_member *m;
    struct hf_ftype *made;
    HF_TRY(members_of(e, f, t, &m));
    HF_TRY(value_of(e, f, &t->result, &result));
    HF_TRY(hf_ftype_make(e->keep, m, t->n, result, &made, e->report));
    made->is_async = t->is_async;
    *ret = made;
    return HF_OK;
}

enum hf_err hf_eval_typedef(struct hf_eval *e, struct hf_frame *f, const struct hf_typedef *t,
                            struct hf_item *ret)
{
    *ret = (struct hf_item){.sort = HF_SORT_TYPE};
    switch (t->kind) {
    case HF_TYPEDEF_VALUE:
        ret->type.kind = HF_TYPEVAL_VALUE;
        HF_TRY(make_value(e, f, t, &ret->type.value));
        if (e->type_depth_max != 0 && ret->type.value->depth > e->type_depth_max)
            return hf_report_set(e->report, HF_LIMIT, "a type is nested more than %u deep",
                                 e->type_depth_max);
        return HF_OK;
    case HF_TYPEDEF_FUNC:
        ret->type.kind = HF_TYPEVAL_FUNC;
        return make_func(e, f, t, &ret->type.func);
    case HF_TYPEDEF_RESOURCE:
        ret->type.kind = HF_TYPEVAL_RESOURCE;
        if (e->define_resource == NULL)
            return hf_report_set(e->report, HF_INVALID,
                                 "a resource defined where only types may be");
        return e->define_resource(e, f, t, &ret->type.resource);
    case HF_TYPEDEF_COMPONENT:
    case HF_TYPEDEF_INSTANCE:
        ret->type.kind =
            t->kind == HF_TYPEDEF_COMPONENT ? HF_TYPEVAL_COMPONENT : HF_TYPEVAL_INSTANCE;
        ret->type.closure = (struct hf_closure){t->scope, f};
        return HF_OK;
    }
    return HF_OK;
}

enum hf_err hf_eval_named(struct hf_eval *e, struct hf_view name, struct hf_item *type)
{
    if (type->type.kind == HF_TYPEVAL_RESOURCE) {
        struct hf_resource_type *r = type->type.resource;
        if (r->name.len == 0) { /* the first name under which it is exported */
            r->name = hf_arena_copy(e->keep, name);
            if (r->name.ptr == NULL)
                return hf_eval_out_of_memory(e);
        }
        return HF_OK;
    }
    if (type->type.kind != HF_TYPEVAL_VALUE)
        return HF_OK;
    const struct hf_type *t = type->type.value;
    /* Numbers, lists and handles read better than their names would. */
    if (t->n == 0 || t->name.len != 0)
        return HF_OK;
    struct hf_type *named = hf_arena_array(e->keep, 1, sizeof *named);
    if (named == NULL)
        return hf_eval_out_of_memory(e);
    *named = *t;
    named->name = hf_arena_copy(e->keep, name);
    if (named->name.ptr == NULL)
        return hf_eval_out_of_memory(e);
    type->type.value = named;
    return HF_OK;
}
