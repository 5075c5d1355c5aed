/* registry.c - everything the host offers, in one registry: the embedded WIT packages and their bindings. */
#include "host/guest.h"
#include "host/wit.h"

enum hf_err hf_host_bind_all(struct hf_registry *reg, struct hf_report *report)
{
    static enum hf_err (*const bind[])(struct hf_registry *, struct hf_report *) = {
        hf_host_bind_poll,   hf_host_bind_streams, hf_host_bind_clocks, hf_host_bind_random,
        hf_host_bind_cli,    hf_host_bind_fs,      hf_host_bind_net,    hf_host_bind_http,
        hf_host_bind_kv,     hf_host_bind_config,  hf_host_bind_blobs,  hf_host_bind_messages,
        hf_host_bind_processes, hf_host_bind_process_http,
        hf_host_bind_images, /* after those it makes again */
    };
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(bind) && err == HF_OK; i++)
        err = bind[i](reg, report);
    return err;
}

enum hf_err hf_host_registry(struct hf_registry **ret, struct hf_report *report)
{
    struct hf_registry *reg = NULL;
    enum hf_err err = hf_registry_new(&reg);
    if (err != HF_OK)
        return hf_report_set(report, err, "out of memory");
    for (const struct hf_wit_package *p = hf_wit_packages; p->name != NULL && err == HF_OK; p++) {
        err = hf_registry_add_wit(reg, hf_view(p->bytes, (size_t)(p->end - p->bytes)), report);
        if (err != HF_OK)
            hf_report_wrap(report, err, "reading the embedded WIT of wasi:%s", p->name);
    }
    if (err == HF_OK)
        err = hf_host_bind_all(reg, report);
    if (err == HF_OK)
        err = hf_registry_seal(reg, NULL, report);
    if (err != HF_OK) {
        hf_registry_free(reg);
        return err;
    }
    *ret = reg;
    return HF_OK;
}
