/* host_http_error.c - faults as wasi:http error-codes: the one table from what went wrong to what a
 * guest is told (rule 1.5.15).
 */
#include "host/http_int.h"

#include <stdio.h>

/* What a case of error-code carries. */
enum carries { NOTHING, SIZE64, SIZE32, TEXT, DNS, ALERT };

static const struct {
    uint8_t code, carries;
} table[HF_FAULT_COUNT] = {
    [HF_FAULT_NONE] = {HF_HTTP_INTERNAL_ERROR, TEXT},
    [HF_FAULT_DENIED] = {HF_HTTP_REQUEST_DENIED, NOTHING},
    [HF_FAULT_DNS_TIMEOUT] = {HF_HTTP_DNS_TIMEOUT, NOTHING},
    [HF_FAULT_DNS] = {HF_HTTP_DNS_ERROR, DNS},
    [HF_FAULT_NOT_FOUND] = {HF_HTTP_NOT_FOUND, NOTHING},
    [HF_FAULT_IP_PROHIBITED] = {HF_HTTP_IP_PROHIBITED, NOTHING},
    [HF_FAULT_UNROUTABLE] = {HF_HTTP_IP_UNROUTABLE, NOTHING},
    [HF_FAULT_REFUSED] = {HF_HTTP_CONNECTION_REFUSED, NOTHING},
    [HF_FAULT_CONNECT_TIMEOUT] = {HF_HTTP_CONNECTION_TIMEOUT, NOTHING},
    [HF_FAULT_LIMIT] = {HF_HTTP_CONNECTION_LIMIT, NOTHING},
    [HF_FAULT_TERMINATED] = {HF_HTTP_CONNECTION_TERMINATED, NOTHING},
    [HF_FAULT_READ_TIMEOUT] = {HF_HTTP_READ_TIMEOUT, NOTHING},
    [HF_FAULT_WRITE_TIMEOUT] = {HF_HTTP_WRITE_TIMEOUT, NOTHING},
    [HF_FAULT_TLS_PROTOCOL] = {HF_HTTP_TLS_PROTOCOL, NOTHING},
    [HF_FAULT_TLS_CERTIFICATE] = {HF_HTTP_TLS_CERTIFICATE, NOTHING},
    [HF_FAULT_TLS_ALERT] = {HF_HTTP_TLS_ALERT, ALERT},
    [HF_FAULT_REQUEST_BODY] = {HF_HTTP_REQUEST_BODY_SIZE, SIZE64},
    [HF_FAULT_INCOMPLETE] = {HF_HTTP_RESPONSE_INCOMPLETE, NOTHING},
    [HF_FAULT_HEAD_SIZE] = {HF_HTTP_RESPONSE_HEAD_SIZE, SIZE32},
    [HF_FAULT_TRAILER_SIZE] = {HF_HTTP_RESPONSE_TRAILERS_SIZE, SIZE32},
    [HF_FAULT_CODING] = {HF_HTTP_TRANSFER_CODING, TEXT},
    [HF_FAULT_UPGRADE] = {HF_HTTP_UPGRADE_FAILED, NOTHING},
    [HF_FAULT_PROTOCOL] = {HF_HTTP_PROTOCOL_ERROR, NOTHING},
    [HF_FAULT_INTERNAL] = {HF_HTTP_INTERNAL_ERROR, TEXT},
};

static struct hf_value some(struct hf_value *v)
{
    return hf_value_case(1, v);
}

static struct hf_value none(void)
{
    return hf_value_case(0, NULL);
}

enum hf_err hf_http_fault(struct hf_call *call, const struct hf_fault *f, struct hf_value *ret)
{
    uint8_t code = table[f->kind].code;
    size_t len = strlen(f->text);
    struct hf_value *v = hf_call_alloc(call, 5 * sizeof *v + len);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    memcpy(v + 5, f->text, len); /* the fault may be gone when this is looked at */
    struct hf_value text = hf_value_bytes(hf_view(v + 5, len));
    *ret = hf_value_case(code, &v[0]);
    switch ((enum carries)table[f->kind].carries) {
    case NOTHING: ret->items = NULL; break;
    case SIZE64:
    case SIZE32:
        v[1] = hf_value_u64(f->number);
        v[0] = some(&v[1]);
        break;
    case TEXT:
        v[1] = text;
        v[0] = some(&v[1]);
        break;
    case DNS: /* record { rcode: option<string>, info-code: option<u16> } */
        v[3] = text;
        v[1] = some(&v[3]);
        v[2] = none();
        v[0] = (struct hf_value){.items = &v[1], .len = 2};
        break;
    case ALERT: /* record { alert-id: option<u8>, alert-message: option<string> } */
        v[3] = hf_value_u64(f->number);
        v[4] = text;
        v[1] = some(&v[3]);
        v[2] = some(&v[4]);
        v[0] = (struct hf_value){.items = &v[1], .len = 2};
        break;
    }
    return HF_OK;
}

enum hf_err hf_http_plain_code(struct hf_call *call, uint32_t code, const uint64_t *size,
                               struct hf_value *ret)
{
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    switch (code) {
    case HF_HTTP_REQUEST_BODY_SIZE:
    case HF_HTTP_RESPONSE_BODY_SIZE:
    case HF_HTTP_RESPONSE_HEAD_SIZE:
    case HF_HTTP_RESPONSE_TRAILERS_SIZE:
    case HF_HTTP_TRANSFER_CODING:
    case HF_HTTP_INTERNAL_ERROR: /* an option */
        v[0] = none();
        if (size != NULL) {
            v[1] = hf_value_u64(*size);
            v[0] = some(&v[1]);
        }
        *ret = hf_value_case(code, &v[0]);
        break;
    default:
        HF_ASSERT(code != HF_HTTP_DNS_ERROR && code != HF_HTTP_TLS_ALERT);
        *ret = hf_value_case(code, NULL);
    }
    return HF_OK;
}

uint32_t hf_http_answer_body_code(enum hf_err err)
{
    switch (err) {
    case HF_TIMEOUT: return HF_HTTP_READ_TIMEOUT;
    case HF_INVALID: return HF_HTTP_PROTOCOL_ERROR;
    case HF_LIMIT: return HF_HTTP_RESPONSE_TRAILERS_SIZE;
    case HF_CANCELLED: return HF_HTTP_CONNECTION_TERMINATED;
    default: return HF_HTTP_RESPONSE_INCOMPLETE;
    }
}
