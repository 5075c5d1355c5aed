/* kv_grants.c - see kv_int.h: the buckets a service was granted. */
#include "host/kv_int.h"

#include <stdlib.h>

#define NAME_MAX_BYTES 255u

const struct hf_kv_grant *hf_kv_grants_find(const struct hf_kv_grants *grants, struct hf_view name)
{
    for (size_t i = 0; i < grants->n; i++) /* a handful */
        if (hf_view_eq(grants->ptr[i].name, name))
            return &grants->ptr[i];
    return NULL;
}

static enum hf_err grant(struct hf_kv_grants *g, struct hf_kv *kv, const char *space, const char *text, struct hf_report *report)
{
    struct hf_kv_grant one = {.name = hf_view_of(text)};
    one.read_only = hf_view_ends(one.name, HF_VIEW(":ro"));
    if (one.read_only || hf_view_ends(one.name, HF_VIEW(":rw")))
        one.name.len -= 3;
    if (one.name.len > NAME_MAX_BYTES)
        return hf_report_set(report, HF_INVALID, "the name of a key-value bucket has %zu bytes, more than %u bytes", one.name.len,
                             NAME_MAX_BYTES);
    if (hf_kv_grants_find(g, one.name) != NULL)
        return hf_report_set(report, HF_INVALID, "the key-value bucket \"%.*s\" is granted twice", HF_FMT(one.name));
    enum hf_err err = hf_kv_bucket(kv, hf_view_of(space), one.name, &one.bucket);
    if (err != HF_OK)
        return hf_report_set(report, err, "the key-value bucket \"%.*s\" is one too many: the store may have %u", HF_FMT(one.name),
                             kv->limits.buckets);
    g->ptr[g->n++] = one;
    return HF_OK;
}

enum hf_err hf_kv_grants_init(struct hf_kv_grants *ret, struct hf_kv *kv, const char *space, const char *const *texts,
                              struct hf_report *report)
{
    size_t n = 0;
    while (texts != NULL && texts[n] != NULL)
        n++;
    if (n == 0)
        return HF_OK;
    if (kv == NULL)
        return hf_report_set(report, HF_UNSUPPORTED, "a key-value bucket is granted, but there is no store for it here");
    ret->ptr = calloc(n, sizeof *ret->ptr);
    if (ret->ptr == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < n && err == HF_OK; i++)
        err = grant(ret, kv, space, texts[i], report);
    return err;
}

void hf_kv_grants_done(struct hf_kv_grants *grants)
{
    free(grants->ptr);
    *grants = (struct hf_kv_grants){0};
}
