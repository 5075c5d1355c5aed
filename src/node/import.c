/* import.c - interfaces of the embedder's: defined in the node's registry, called through one host function. */
#include "node/import.h"

#include "host/guest.h"
#include "node/node_int.h"

#include <stdio.h>
#include <stdlib.h>

static enum hf_err enter(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_imported *f = hf_call_bound(call);
    const struct hf_ftype *type = hf_call_type(call);
    struct hf_import_call c = {.call = call, .args = args, .result = result};
    bool ok = f->fn(f->ctx, &c);
    if (!c.limit && ok && c.why[0] == 0 && type->result != NULL && !hf_import_complete(call, type->result, result))
        c.limit = true;
    if (c.limit)
        return hf_call_limit(call, "memory of a call");
    if (ok && c.why[0] == 0)
        return HF_OK;
    return hf_call_trap(call, "%s", c.why[0] != 0 ? c.why : "the host function failed"); /* which one, it says itself */
}

void hf_import_fail(struct hf_import_call *call, const char *why)
{
    snprintf(call->why, sizeof call->why, "%s", why);
}

struct hf_bytes hf_import_caller(struct hf_import_call *call)
{
    struct hf_view name = hf_view_of(hf_guest_settings(hf_guest_of(call->call))->name);
    return (struct hf_bytes){name.ptr, name.len};
}

void hf_imports_free(struct hf_imported *list)
{
    while (list != NULL) {
        struct hf_imported *next = list->next;
        free(list);
        list = next;
    }
}

static enum hf_err define(struct hf_node *node, const char *iface, const char *wit, const struct hf_import_func *funcs, size_t n,
                          struct hf_report *report)
{
    struct hf_bound *bound = calloc(n + 1, sizeof *bound);
    struct hf_imported *mine = NULL;
    enum hf_err err = bound == NULL ? HF_LIMIT : HF_OK;
    for (size_t i = 0; i < n && err == HF_OK; i++) {
        struct hf_imported *f = calloc(1, sizeof *f);
        if (f == NULL) {
            err = HF_LIMIT;
            break;
        }
        *f = (struct hf_imported){.next = mine, .fn = funcs[i].fn, .ctx = funcs[i].ctx};
        mine = f;
        bound[i] = (struct hf_bound){.name = funcs[i].name, .fn = enter, .ctx = f};
    }
    if (err != HF_OK)
        hf_report_set(report, err, "out of memory");
    else
        err = hf_registry_define(node->registry, iface, hf_view_of(wit), bound, n, report);
    free(bound);
    if (err != HF_OK) {
        hf_imports_free(mine);
        return err;
    }
    struct hf_imported **end = &node->imports;
    while (*end != NULL)
        end = &(*end)->next;
    *end = mine;
    return HF_OK;
}

enum hf_status hf_import_define(struct hf_node *node, const char *iface, const char *wit, const struct hf_import_func *funcs, size_t n,
                                struct hf_words *msg)
{
    struct hf_report report;
    const char *wrong = NULL;
    hf_report_init(&report);
    if (n > 1000)
        wrong = "an interface has at most 1000 functions";
    for (size_t i = 0; i < n && wrong == NULL; i++)
        if (funcs[i].name == NULL || funcs[i].fn == NULL)
            wrong = "hf_import_func: name or fn is wrong";
    pthread_mutex_lock(&node->change_lock);
    if (wrong == NULL && atomic_load(&node->linked))
        wrong = "own imports are defined before the first component is loaded";
    enum hf_err err = wrong == NULL ? define(node, iface, wit, funcs, n, &report) : HF_OK;
    pthread_mutex_unlock(&node->change_lock);
    if (wrong == NULL)
        return hf_node_result(err, &report, msg);
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", wrong);
    return HF_STATUS_USAGE;
}
