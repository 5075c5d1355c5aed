/* support_nowhere.c - see support_find.h: a host in which everything is known and nothing may be
 * reached. */
#include "support_find.h"

#include <stdio.h>
#include <stdlib.h>

#include "component/registry.h"
#include "host/wit.h"

static _Noreturn void reached(const char *what)
{
    fprintf(stderr, "the host that must not be was reached: %s\n", what);
    abort();
}

static enum hf_err no_function(struct hf_call *call, const struct hf_value *args,
                               struct hf_value *result)
{
    (void)call, (void)args, (void)result;
    reached("a function");
}

static enum hf_err no_drop(struct hf_call *call, void *obj)
{
    (void)call, (void)obj;
    reached("a drop");
}

static void must(enum hf_err err, const struct hf_report *report)
{
    if (err != HF_OK) {
        fprintf(stderr, "the host that must not be: %s\n", report->text);
        abort();
    }
}

struct hf_registry *nowhere_registry(void)
{
    static const struct hf_host_resource resource = {"nothing", no_drop};
    struct hf_report report = {0};
    struct hf_registry *reg = NULL;
    must(hf_registry_new(&reg), &report);
    for (const struct hf_wit_package *p = hf_wit_packages; p->name != NULL; p++)
        must(hf_registry_add_wit(reg, hf_view(p->bytes, (size_t)(p->end - p->bytes)), &report),
             &report);
    for (size_t i = 0; i < reg->resources.len; i++)
        reg->resources.ptr[i].type->host = &resource;
    for (size_t i = 0; i < reg->funcs.len; i++)
        reg->funcs.ptr[i].func->fn = no_function;
    must(hf_registry_seal(reg, NULL, &report), &report);
    return reg;
}
