/* kv_grants.c - see kv_int.h: the buckets a service was granted. */
#include "host/kv_int.h"

#include <stdlib.h>

#define NAME_MAX_BYTES 255u
#define TENANT         "tenant:" /* before a grant's name, and before a tenant's in the store: no service's begins so */

const struct hf_kv_grant *hf_kv_grants_find(const struct hf_kv_grants *grants, struct hf_view name)
{
    for (size_t i = 0; i < grants->n; i++) /* a handful */
        if (hf_view_eq(grants->ptr[i].name, name))
            return &grants->ptr[i];
    return NULL;
}

struct spaces {
    struct hf_view own, tenant; /* a service's name; TENANT and its tenant's */
};

static enum hf_err grant(struct hf_kv_grants *g, struct hf_kv *kv, const struct spaces *spaces, const char *text,
                         struct hf_report *report)
{
    struct hf_kv_grant one = {.name = hf_view_of(text)};
    bool shared = hf_view_starts(one.name, HF_VIEW(TENANT));
    if (shared)
        one.name = hf_view_skip(one.name, sizeof TENANT - 1);
    one.read_only = hf_view_ends(one.name, HF_VIEW(":ro"));
    if (one.read_only || hf_view_ends(one.name, HF_VIEW(":rw")))
        one.name.len -= 3;
    if (one.name.len > NAME_MAX_BYTES)
        return hf_report_set(report, HF_INVALID, "the name of a key-value bucket has %zu bytes, more than %u bytes", one.name.len,
                             NAME_MAX_BYTES);
    if (hf_kv_grants_find(g, one.name) != NULL)
        return hf_report_set(report, HF_INVALID, "the key-value bucket \"%.*s\" is granted twice%s", HF_FMT(one.name),
                             shared || hf_kv_grants_find(g, one.name)->shared ? ": the service's own or the tenant's, not both" : "");
    one.shared = shared;
    enum hf_err err = hf_kv_bucket(kv, shared ? spaces->tenant : spaces->own, one.name, &one.bucket);
    if (err != HF_OK)
        return hf_report_set(report, err, "the key-value bucket \"%.*s\" is one too many: the store may have %u", HF_FMT(one.name),
                             kv->limits.buckets);
    g->ptr[g->n++] = one;
    return HF_OK;
}

enum hf_err hf_kv_grants_init(struct hf_kv_grants *ret, struct hf_kv *kv, const char *service, const char *tenant,
                              const char *const *texts, struct hf_report *report)
{
    struct spaces spaces = {.own = hf_view_of(service)};
    struct hf_buf name = {0};
    size_t n = 0;
    while (texts != NULL && texts[n] != NULL)
        n++;
    if (n == 0)
        return HF_OK;
    if (kv == NULL)
        return hf_report_set(report, HF_UNSUPPORTED, "a key-value bucket is granted, but there is no store for it here");
    ret->ptr = calloc(n, sizeof *ret->ptr);
    if (ret->ptr == NULL || hf_buf_printf(&name, TENANT "%s", tenant != NULL ? tenant : "default") != HF_OK)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    spaces.tenant = hf_buf_view(&name);
    enum hf_err err = HF_OK;
    if (hf_view_starts(spaces.own, HF_VIEW(TENANT)))
        err = hf_report_set(report, HF_INVALID, "a service with key-value buckets cannot be named \"%s\": " TENANT " is for what a "
                                                "tenant's services share", service);
    for (size_t i = 0; i < n && err == HF_OK; i++)
        err = grant(ret, kv, &spaces, texts[i], report);
    hf_buf_done(&name);
    return err;
}

void hf_kv_grants_done(struct hf_kv_grants *grants)
{
    free(grants->ptr);
    *grants = (struct hf_kv_grants){0};
}
