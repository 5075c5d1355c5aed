/* host_denied.c - wasi:sockets with nothing granted.
 *
 * Nearly every toolchain imports it, so it must link; making a socket or looking a name up is refused with access-denied. No
 * socket can exist, so its methods cannot be reached. (The real one comes with the component issue and its grants.)
 */
#include "host/guest.h"

#define ACCESS_DENIED 1u /* wasi:sockets/network error-code: unknown, access-denied, ... */

static enum hf_err denied(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_value *code = hf_call_alloc(call, sizeof *code);
    (void)args;
    if (code == NULL)
        return hf_call_limit(call, "memory of a call");
    *code = hf_value_case(ACCESS_DENIED, NULL);
    *result = hf_value_case(1, code);
    return HF_OK;
}

static enum hf_err unreachable_here(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args, (void)result;
    return hf_call_trap(call, "no address is granted, so this function has nothing to act on");
}

static enum hf_err instance_network(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    result->obj = hf_obj_new(hf_guest_of(call), sizeof(struct hf_obj), "network", NULL, NULL);
    return result->obj == NULL ? hf_call_limit(call, "host memory for resources") : HF_OK;
}

static const struct {
    const char *iface, *name;
    struct hf_host_resource ops;
} resources[] = {
    {"wasi:sockets/network", "network", {"network", hf_obj_drop}},
    {"wasi:sockets/tcp", "tcp-socket", {"tcp-socket", hf_obj_drop}},
    {"wasi:sockets/udp", "udp-socket", {"udp-socket", hf_obj_drop}},
    {"wasi:sockets/udp", "incoming-datagram-stream", {"incoming-datagram-stream", hf_obj_drop}},
    {"wasi:sockets/udp", "outgoing-datagram-stream", {"outgoing-datagram-stream", hf_obj_drop}},
    {"wasi:sockets/ip-name-lookup", "resolve-address-stream", {"resolve-address-stream", hf_obj_drop}},
};
static const struct {
    const char *iface, *name;
    hf_host_fn fn;
} functions[] = {
    {"wasi:sockets/instance-network", "instance-network", instance_network},
    {"wasi:sockets/tcp-create-socket", "create-tcp-socket", denied},
    {"wasi:sockets/udp-create-socket", "create-udp-socket", denied},
    {"wasi:sockets/ip-name-lookup", "resolve-addresses", denied},
};
static const char *const rest[] = {"wasi:sockets/tcp", "wasi:sockets/udp", "wasi:sockets/ip-name-lookup"};

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
