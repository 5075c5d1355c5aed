/* kv_int.h - wasi:keyvalue inside the host room: grants, buckets, and how an operation is waited for. Internal to the room. */
#ifndef HF_HOST_KV_INT_H
#define HF_HOST_KV_INT_H

#include "base/kv.h"
#include "host/service_int.h"

/* ---- grants (kv_grants.c): which buckets a service may open ---- */
struct hf_kv_grant {
    struct hf_view name;
    bool read_only, shared;
    struct hf_kv_bucket *bucket;
};
/* Reads "NAME", "NAME:rw" or "NAME:ro" texts (ends with NULL; may be NULL; they must outlive the grants) and finds each bucket in
 * the service's space; or with "tenant:" before it in that of its tenant (NULL: "default"), which all services of that tenant
 * share and no other. The guest opens either by NAME. HF_INVALID: a text that cannot be; HF_UNSUPPORTED: there is no store. *ret
 * is zeroes before. */
enum hf_err hf_kv_grants_init(struct hf_kv_grants *ret, struct hf_kv *kv, const char *service, const char *tenant,
                              const char *const *texts, struct hf_report *report);
void hf_kv_grants_done(struct hf_kv_grants *grants);
const struct hf_kv_grant *hf_kv_grants_find(const struct hf_kv_grants *grants, struct hf_view name); /* NULL: none */

/* ---- buckets and operations (host_kv.c) ---- */
struct hf_bucket { /* a guest's handle on one; nothing of a request is in it */
    struct hf_obj obj;
    struct hf_kv_bucket *bucket;
    bool read_only;
};
static inline struct hf_kv *hf_kv_of(const struct hf_call *call)
{
    const struct hf_guest *g = hf_guest_of(call);
    const struct hf_io *io = hf_guest_io(g);
    return io != NULL && io->kv != NULL ? io->kv : hf_guest_services(g)->kv;
}
/* Begins all of them and waits, off the thread, until each is done. HF_OK: look at them, then hf_kv_end each. Otherwise
 * (HF_CANCELLED) they are ended. */
enum hf_err hf_kv_run(struct hf_call *call, struct hf_kv_op *ops, uint32_t n);

/* error of the WIT: no-such-store, access-denied, other(string) */
enum { HF_KV_NO_SUCH_STORE, HF_KV_ACCESS_DENIED, HF_KV_OTHER };
/* A value for it out of the call's memory (text: other's, copied); NULL after hf_call_limit. */
struct hf_value *hf_kv_error(struct hf_call *call, uint32_t tag, const char *text);
struct hf_value *hf_kv_refused(struct hf_call *call, enum hf_kv_refusal refusal);
/* *result = err(error), or ok(payload; NULL: none). `error` NULL: HF_TRAP. */
enum hf_err hf_kv_fail(struct hf_value *error, struct hf_value *result);
enum hf_err hf_kv_ok(struct hf_call *call, struct hf_value payload, struct hf_value *result);
/* A copy that results may look at; the call's memory has an end: false. */
bool hf_kv_copy(struct hf_call *call, struct hf_view bytes, struct hf_value *ret);

enum hf_err hf_host_bind_kv_atomics(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_kv_batch(struct hf_registry *reg, struct hf_report *report);

#endif
