/* link_import.c - the root's imports against the registry: found by version track, compared type by
 * type (S4, 1.8).
 *
 * Nothing stops at the first difference: everything that is missing becomes a line of text, and a
 * stand-in takes its place so that the rest can be looked at. A program with stand-ins is never
 * run: component.c refuses it.
 */
#include "component/link_in.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/vec.h"

#define LINE_MAX 8192

enum hf_err hf_link_missing(struct hf_linker *l, const char *fmt, ...)
{
    struct hf_linked *out = l->out;
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    out->n_missing++;
    if (hf_buf_add(&out->missing, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1) !=
        HF_OK)
        return hf_eval_out_of_memory(&l->eval);
    return HF_OK;
}

/* ---- stand-ins ---- */

enum hf_err hf_link_fresh_func(struct hf_eval *e, struct hf_view name, const struct hf_ftype *type,
                               struct hf_funcval *ret)
{
    struct hf_linker *l = hf_linker_of(e);
    struct hf_host_func *func = HF_ARENA_NEW(e->keep, struct hf_host_func);
    if (func == NULL)
        return hf_eval_out_of_memory(e);
    func->iface = l->import;
    func->name = name;
    func->type = type;
    *ret = (struct hf_funcval){{.from = HF_FUNC_HOST, .host = func}, type};
    return HF_OK;
}

enum hf_err hf_link_fresh_resource(struct hf_eval *e, struct hf_view name,
                                   struct hf_resource_type **ret)
{
    struct hf_resource_type *r = HF_ARENA_NEW(e->keep, struct hf_resource_type);
    if (r == NULL)
        return hf_eval_out_of_memory(e);
    r->name = hf_arena_copy(e->keep, name);
    r->ci = HF_NO_INDEX;
    r->index = HF_NO_INDEX;
    *ret = r;
    return r->name.ptr == NULL ? hf_eval_out_of_memory(e) : HF_OK;
}

/* ---- differences ---- */

/* "wasi:io/poll@0.2.3: function \"x\": ...": what follows is added by the caller. */
static enum hf_err begin_line(struct hf_linker *l, enum hf_sort sort, struct hf_view name)
{
    return hf_link_missing(l, "%.*s: %s \"%.*s\"", (int)(l->import.len < 200 ? l->import.len : 200),
                           (const char *)l->import.ptr, hf_sort_text(sort),
                           (int)(name.len < 200 ? name.len : 200), (const char *)name.ptr);
}

static enum hf_err add(struct hf_linker *l, struct hf_view text)
{
    if (hf_buf_add_view(&l->out->missing, hf_view_take(text, LINE_MAX)) != HF_OK)
        return hf_eval_out_of_memory(&l->eval);
    return HF_OK;
}

enum hf_err hf_link_differs(struct hf_eval *e, enum hf_sort sort, struct hf_view name,
                            const struct hf_item *offered, struct hf_view text)
{
    struct hf_linker *l = hf_linker_of(e);
    if (!l->at_root)
        return hf_report_set(e->report, HF_INVALID, "%s \"%.*s\" between two components: %.*s",
                             hf_sort_text(sort), HF_FMT(name), HF_FMT(text));
    HF_TRY(begin_line(l, sort, name));
    HF_TRY(add(l, offered == NULL ? HF_VIEW(" is not in the ") : HF_VIEW(" is different in the ")));
    HF_TRY(add(l, l->offered == NULL ? HF_VIEW("interface") : l->offered->name));
    HF_TRY(add(l, HF_VIEW(" offered here")));
    if (offered != NULL) {
        HF_TRY(add(l, HF_VIEW(": ")));
        HF_TRY(add(l, text));
    }
    return add(l, HF_VIEW("\n"));
}

/* Functions that the interface has and nobody wrote. A stand-in was reported when it was made. */
static enum hf_err check_bound(struct hf_linker *l, const struct hf_instanceval *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const struct hf_item *item = &v->items[i].item;
        if (item->sort == HF_SORT_INSTANCE)
            HF_TRY(check_bound(l, item->instance));
        if (item->sort != HF_SORT_FUNC || item->func.def.host->fn != NULL ||
            item->func.def.host->iface.ptr != l->offered->name.ptr)
            continue;
        HF_TRY(begin_line(l, HF_SORT_FUNC, v->items[i].name));
        HF_TRY(add(l, HF_VIEW(" is not implemented here\n")));
    }
    return HF_OK;
}

/* ---- imports ---- */

/* Nothing in it that somebody would have to supply: types that are only names for others, and
 * instances of such. */
static bool supplies_itself(const struct hf_instanceval *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const struct hf_item *item = &v->items[i].item;
        if (item->sort == HF_SORT_INSTANCE ? !supplies_itself(item->instance)
                                           : item->sort != HF_SORT_TYPE ||
                                                 item->type.kind == HF_TYPEVAL_RESOURCE)
            return false;
    }
    return true;
}

/* What the registry offers outside any interface. NULL: nothing of that name. */
static const struct hf_item *at_root(const struct hf_linker *l, struct hf_view name)
{
    const struct hf_iface *root = l->in->reg == NULL ? NULL : l->in->reg->root;
    return root == NULL ? NULL : hf_instanceval_find(root->instance, name);
}

static enum hf_err interface_missing(struct hf_linker *l, struct hf_view name)
{
    const struct hf_registry *reg = l->in->reg;
    const struct hf_iface *known = reg == NULL ? NULL : hf_registry_find(reg, name);
    const struct hf_iface *other = NULL;
    struct hf_name n;
    hf_name_read(name, &n);
    HF_TRY(hf_link_missing(l, "%s", n.kind == HF_NAME_INTERFACE ? "interface " : "instance "));
    HF_TRY(add(l, name));
    if (known != NULL)
        return add(l, HF_VIEW(": known, but not offered here\n"));
    if (reg != NULL && n.kind == HF_NAME_INTERFACE)
        other = hf_registry_find_base(reg, n.base);
    if (other == NULL || !other->offered)
        return add(l, HF_VIEW(": not known here\n"));
    HF_TRY(add(l, HF_VIEW(": this host offers ")));
    HF_TRY(add(l, other->name));
    return add(l, HF_VIEW("\n"));
}

static enum hf_err import_instance(struct hf_linker *l, struct hf_frame *f,
                                   const struct hf_def *def, struct hf_port *port)
{
    struct hf_item given = {.sort = HF_SORT_INSTANCE};
    struct hf_name name;
    const struct hf_iface *iface =
        l->in->reg == NULL ? NULL : hf_registry_find(l->in->reg, def->import.name);
    if (iface == NULL || !iface->offered) {
        HF_TRY(hf_eval_bind(&l->eval, f, &def->import.type, def->import.name, NULL, &port->item));
        hf_name_read(def->import.name, &name);
        /* Of an interface there may be another version here: that is worth saying. */
        port->missing = name.kind != HF_NAME_PLAIN || at_root(l, def->import.name) != NULL ||
                        !supplies_itself(port->item.instance);
        return port->missing ? interface_missing(l, def->import.name) : HF_OK;
    }
    l->offered = iface;
    l->at_root = true;
    given.instance = iface->instance;
    HF_TRY(hf_eval_bind(&l->eval, f, &def->import.type, def->import.name, &given, &port->item));
    l->at_root = false;
    return check_bound(l, port->item.instance);
}

/* A function outside any interface, if the registry offers one of that name. */
static enum hf_err import_func(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def,
                               struct hf_port *port, bool *found)
{
    const struct hf_item *given = at_root(l, def->import.name);
    *found = given != NULL;
    if (given == NULL)
        return HF_OK;
    l->offered = l->in->reg->root;
    l->at_root = true;
    HF_TRY(hf_eval_bind(&l->eval, f, &def->import.type, def->import.name, given, &port->item));
    l->at_root = false;
    return HF_OK;
}

static enum hf_err import_other(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def,
                                struct hf_port *port)
{
    const char *why = "nothing outside an interface is offered here";
    enum hf_externtype_kind kind = def->import.type.kind;
    bool found = false;
    HF_TRY(import_func(l, f, def, port, &found));
    if (found)
        return HF_OK;
    if (kind == HF_EXTERN_COMPONENT || kind == HF_EXTERN_MODULE)
        why = "imported code is not offered here: compose the component with what it needs first";
    /* A type that is only a name for another needs nobody. Values are gated and named as such. */
    port->missing = kind != HF_EXTERN_TYPE_EQ && kind != HF_EXTERN_VALUE;
    if (port->missing) {
        HF_TRY(hf_link_missing(l, "%s \"", hf_sort_text(def->sort)));
        HF_TRY(add(l, def->import.name));
        HF_TRY(add(l, HF_VIEW("\": ")));
        HF_TRY(add(l, hf_view_of(why)));
        HF_TRY(add(l, HF_VIEW("\n")));
    }
    return hf_eval_bind(&l->eval, f, &def->import.type, def->import.name, NULL, &port->item);
}

enum hf_err hf_link_root_import(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def)
{
    struct hf_port port = {.name = def->import.name};
    l->import = def->import.name;
    l->offered = NULL;
    if (def->import.type.kind == HF_EXTERN_INSTANCE)
        HF_TRY(import_instance(l, f, def, &port));
    else
        HF_TRY(import_other(l, f, def, &port));
    hf_eval_push(f, &port.item);
    if (!HF_VEC_PUSH(&l->imports, port))
        return hf_eval_out_of_memory(&l->eval);
    return HF_OK;
}
