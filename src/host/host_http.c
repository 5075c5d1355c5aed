/* host_http.c - wasi:http as a whole: the exchange in hand, small results, http-error-code, binding. */
#include "host/http_int.h"

/* ---- the exchange ---------------------------------------------------------------------------------------- */

enum hf_err hf_http_begin(struct hf_guest *g, const struct hf_message *msg, void **request, void **outparam,
                          struct hf_report *report)
{
    HF_ASSERT(g->http == NULL);
    struct hf_http_state *h = hf_pool_take(g->pool, sizeof *h);
    struct hf_response_outparam *param = hf_obj_new(g, sizeof *param, "response-outparam", NULL, NULL);
    struct hf_incoming_request *r;
    if (h == NULL || param == NULL) {
        hf_pool_give(g->pool, h, sizeof *h);
        if (param != NULL)
            hf_obj_release(&param->obj);
        return hf_report_set(report, HF_LIMIT, "out of memory for a request");
    }
    enum hf_err err = hf_http_make_request(g, msg, &r, report);
    if (err != HF_OK) {
        hf_pool_give(g->pool, h, sizeof *h);
        hf_obj_release(&param->obj);
        return err;
    }
    *h = (struct hf_http_state){0};
    hf_list_init(&h->incoming);
    hf_list_init(&h->outgoing);
    hf_list_init(&h->fetches);
    hf_list_init(&h->answers);
    h->request = r;
    param->message = msg->id;
    g->http = h;
    hf_http_forget(g);
    g->head = hf_field_store_ref(r->store);
    *request = r;
    *outparam = param;
    return HF_OK;
}

void hf_http_end(struct hf_guest *g, enum hf_err err)
{
    struct hf_http_state *h = g->http;
    if (h == NULL)
        return;
    g->http = NULL;
    hf_http_fetch_end(h);
    /* A body that was not finished is not complete, however the call ended (1.5.5). */
    for (struct hf_list *n; (n = hf_list_pop_front(&h->outgoing)) != NULL;) {
        struct hf_outgoing_body *b = HF_LIST_ENTRY(n, struct hf_outgoing_body, in_exchange);
        struct hf_blob *blob = b->blob;
        b->blob = NULL;
        if (blob != NULL)
            hf_blob_fail(blob, err == HF_OK ? HF_CANCELLED : err);
    }
    hf_guest_settle(g);
    if (h->request != NULL) { /* kept by the guest: nobody will read its body now */
        hf_blob_unref(h->request->blob);
        h->request->blob = NULL;
    }
    for (struct hf_list *n; (n = hf_list_pop_front(&h->incoming)) != NULL;) {
        struct hf_incoming_body *b = HF_LIST_ENTRY(n, struct hf_incoming_body, in_exchange);
        hf_blob_reader_close(&b->reader);
        hf_blob_unref(b->blob);
        b->blob = NULL;
    }
    hf_pool_give(g->pool, h, sizeof *h);
}

void hf_http_forget(struct hf_guest *g)
{
    hf_field_store_unref(g->head);
    g->head = NULL;
    g->request_id = (struct hf_view){0};
}

/* ---- small results --------------------------------------------------------------------------------------- */

enum hf_err hf_http_case(struct hf_call *call, uint32_t tag, struct hf_value v, struct hf_value *result)
{
    return hf_host_case(call, tag, v, result);
}

enum hf_err hf_http_ok(struct hf_call *call, struct hf_value v, struct hf_value *result)
{
    return hf_http_case(call, 0, v, result);
}

enum hf_err hf_http_code(struct hf_call *call, uint32_t code, const uint64_t *size, struct hf_value *result)
{
    struct hf_value v;
    enum hf_err err = hf_http_plain_code(call, code, size, &v);
    return err == HF_OK ? hf_http_case(call, 1, v, result) : err;
}

enum hf_err hf_http_option_text(struct hf_call *call, bool some, struct hf_view text, struct hf_value *result)
{
    *result = hf_value_case(0, NULL);
    return some ? hf_http_case(call, 1, hf_value_bytes(text), result) : HF_OK;
}

/* In the order of the WIT's variant; what is not here is other(string). */
const char *const hf_http_methods[HF_HTTP_METHODS] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

enum hf_err hf_http_method(struct hf_call *call, struct hf_view method, struct hf_value *result)
{
    for (uint32_t i = 0; i < HF_HTTP_METHODS; i++)
        if (hf_view_eq_text(method, hf_http_methods[i])) {
            *result = hf_value_case(i, NULL);
            return HF_OK;
        }
    return hf_http_case(call, HF_HTTP_METHODS, hf_value_bytes(method), result);
}

enum hf_err hf_http_scheme(struct hf_call *call, bool some, struct hf_view scheme, struct hf_value *result)
{
    if (!some) {
        *result = hf_value_case(0, NULL);
        return HF_OK;
    }
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    v[1] = hf_value_bytes(scheme);
    v[0] = hf_view_eq_nocase(scheme, HF_VIEW("http"))    ? hf_value_case(0, NULL)
           : hf_view_eq_nocase(scheme, HF_VIEW("https")) ? hf_value_case(1, NULL)
                                                         : hf_value_case(2, &v[1]);
    *result = hf_value_case(1, &v[0]);
    return HF_OK;
}

/* ---- http-error-code ------------------------------------------------------------------------------------- */

/* option<error-code> of a stream's error; none for errors that are not HTTP's (1.3). */
static enum hf_err http_error_code(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_io_error *e = args[0].obj;
    *result = hf_value_case(0, NULL);
    if (e->http == 0)
        return HF_OK;
    uint32_t code = e->http - 1;
    bool sized = code == HF_HTTP_REQUEST_BODY_SIZE || code == HF_HTTP_RESPONSE_BODY_SIZE;
    enum hf_err err = hf_http_code(call, code, sized ? &e->size : NULL, result);
    if (err == HF_OK)
        result->tag = 1; /* err(code) and some(code) look alike */
    return err;
}

static const struct hf_binding table[] = {{"http-error-code", http_error_code}, {NULL, NULL}};

enum hf_err hf_host_bind_http(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = hf_host_bind_fields(reg, report);
    if (err == HF_OK)
        err = hf_host_bind_http_in(reg, report);
    if (err == HF_OK)
        err = hf_host_bind_http_out(reg, report);
    if (err == HF_OK)
        err = hf_host_bind_http_client(reg, report);
    if (err == HF_OK)
        err = hf_host_bind_http_fetch(reg, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:http/types", table, report);
}
