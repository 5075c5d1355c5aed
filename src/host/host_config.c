/* host_config.c - wasi:config: the settings a service was given, "K=V" texts, the same for all its life.
 *
 * Interface `store` of both versions, and `runtime`, as it was called first; their functions are the same and never fail here.
 */
#include "host/guest.h"

static enum hf_err config_get(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const char *const *config = hf_guest_settings(hf_guest_of(call))->config;
    struct hf_view key = hf_value_view(&args[0]);
    for (size_t i = 0; config != NULL && config[i] != NULL; i++) {
        struct hf_view pair = hf_view_of(config[i]);
        size_t eq = hf_view_find(pair, '=');
        if (!hf_view_eq(hf_view_take(pair, eq), key))
            continue;
        struct hf_value some;
        enum hf_err err = hf_host_case(call, 1, hf_value_bytes(hf_view_skip(pair, eq + 1)), &some);
        return err == HF_OK ? hf_host_case(call, 0, some, result) : err;
    }
    return hf_host_case(call, 0, hf_value_case(0, NULL), result);
}

static enum hf_err config_get_all(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const char *const *config = hf_guest_settings(hf_guest_of(call))->config;
    size_t n = 0;
    (void)args;
    while (config != NULL && config[n] != NULL)
        n++;
    struct hf_value *v = hf_call_alloc(call, (n * 3 + 1) * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    for (size_t i = 0; i < n; i++) {
        struct hf_view pair = hf_view_of(config[i]);
        size_t eq = hf_view_find(pair, '=');
        struct hf_value *kv = v + n + i * 2;
        kv[0] = hf_value_bytes(hf_view_take(pair, eq));
        kv[1] = hf_value_bytes(hf_view_skip(pair, eq + 1));
        v[i] = (struct hf_value){.items = kv, .len = 2};
    }
    return hf_host_case(call, 0, (struct hf_value){.items = v, .len = (uint32_t)n}, result);
}

enum hf_err hf_host_bind_config(struct hf_registry *reg, struct hf_report *report)
{
    static const char *const ifaces[] = {"wasi:config/store@0.2.0-rc.1", "wasi:config/store@0.2.0-draft",
                                         "wasi:config/runtime@0.2.0-draft"};
    static const struct hf_binding table[] = {{"get", config_get}, {"get-all", config_get_all}, {NULL, NULL}};
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(ifaces) && err == HF_OK; i++)
        err = hf_registry_bind_all(reg, ifaces[i], table, report);
    return err;
}
