/* host_denied.c - wasi:filesystem with nothing granted.
 *
 * Nearly every toolchain imports it, so it must link; without a grant there is no preopened folder. No descriptor can exist,
 * so its methods cannot be reached. (The real ones come with the component issue and its grants.)
 */
#include "host/guest.h"

static enum hf_err no_list(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args, (void)result; /* the empty list */
    return HF_OK;
}

static enum hf_err none(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args, (void)result; /* option none */
    return HF_OK;
}

static enum hf_err unreachable_here(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args, (void)result;
    return hf_call_trap(call, "no folder is granted, so this function has nothing to act on");
}

static const struct {
    const char *iface, *name;
    struct hf_host_resource ops;
} resources[] = {
    {"wasi:filesystem/types", "descriptor", {"descriptor", hf_obj_drop}},
    {"wasi:filesystem/types", "directory-entry-stream", {"directory-entry-stream", hf_obj_drop}},
};
static const struct {
    const char *iface, *name;
    hf_host_fn fn;
} functions[] = {
    {"wasi:filesystem/preopens", "get-directories", no_list},
    {"wasi:filesystem/types", "filesystem-error-code", none},
};
static const char *const rest[] = {"wasi:filesystem/types"};

enum hf_err hf_host_bind_denied(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(resources) && err == HF_OK; i++)
        err = hf_registry_bind_resource(reg, resources[i].iface, resources[i].name, &resources[i].ops, report);
    for (size_t i = 0; i < HF_ARRAY_LEN(functions) && err == HF_OK; i++)
        err = hf_registry_bind(reg, functions[i].iface, functions[i].name, functions[i].fn, report);
    for (size_t i = 0; i < HF_ARRAY_LEN(rest) && err == HF_OK; i++)
        err = hf_registry_bind_rest(reg, rest[i], unreachable_here, report);
    return err;
}
