/* host_http_out.c - wasi:http/types outgoing side of a service: outgoing-response, outgoing-body, response-outparam.
 *
 * A body is a blob whose producer is the guest: what it writes waits in the blob's window until the client takes it. The
 * blob is handed out by response-outparam.set, so a guest may write before (1.5.4), up to the window. A body that is
 * dropped without finish, or is shorter or longer than its content-length, fails its blob, and the connection is aborted
 * rather than ended as if all were well (1.5.5, 1.5.6).
 */
#include "host/blob_stream.h"
#include "host/http_int.h"

#include <stdio.h>

/* ---- outgoing-body --------------------------------------------------------------------------------------- */

/* The producer's side ends: nothing can be written after. */
static void body_end(struct hf_outgoing_body *b, enum hf_err err)
{
    struct hf_blob *blob = b->blob;
    b->blob = NULL;
    if (blob == NULL)
        return;
    if (err == HF_OK)
        hf_blob_finish(blob);
    else
        hf_blob_fail(blob, err);
}

static void body_destroy(struct hf_obj *obj)
{
    struct hf_outgoing_body *b = HF_CONTAINER_OF(obj, struct hf_outgoing_body, obj);
    hf_list_remove(&b->in_exchange);
    if (b->message != NULL)
        b->message->body = NULL;
    body_end(b, HF_CANCELLED);
}

enum hf_err hf_outgoing_body_take(struct hf_call *call, struct hf_outgoing_message *m, struct hf_obj *obj, bool is_request,
                                  struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    uint64_t len = HF_BLOB_LEN_UNKNOWN;
    bool bad, has = hf_field_store_length(m->store, &len, &bad);
    (void)obj;
    if (m->body_taken || bad) {
        *result = hf_value_case(1, NULL);
        return HF_OK;
    }
    struct hf_outgoing_body *b = hf_obj_new(g, sizeof *b, "outgoing-body", NULL, body_destroy);
    if (b == NULL)
        return hf_call_limit(call, "host memory for bodies");
    b->blob = hf_blob_new_in(hf_kernel_blobs(hf_turn_kernel(g->turn)), has ? len : HF_BLOB_LEN_UNKNOWN, hf_guest_settings(g)->body_window);
    if (b->blob == NULL) {
        hf_obj_release(&b->obj);
        return hf_call_limit(call, "host memory for bodies");
    }
    b->has_length = has;
    b->declared = len;
    b->is_request = is_request;
    b->message = m;
    m->blob = b->blob; /* the reference hf_blob_new gave */
    m->body = b;
    m->body_taken = true;
    if (g->http != NULL)
        hf_list_push_back(&g->http->outgoing, &b->in_exchange);
    return hf_http_ok(call, hf_value_obj(b), result);
}

void hf_outgoing_message_done(struct hf_outgoing_message *m)
{
    if (m->body != NULL)
        m->body->message = NULL;
    hf_blob_unref(m->blob); /* never handed out: writes see nobody */
    m->blob = NULL;
    hf_field_store_unref(m->store);
    m->store = NULL;
}

/* ---- its stream ------------------------------------------------------------------------------------------ */

/* Of the body, its owner; NULL after the end of the instance took that first. */
static struct hf_outgoing_body *body_of(struct hf_out_stream *s)
{
    struct hf_blob **blob = HF_CONTAINER_OF(s, struct hf_blob_out, out)->blob;
    return blob == NULL ? NULL : HF_CONTAINER_OF(blob, struct hf_outgoing_body, blob);
}

static enum hf_err out_write(struct hf_out_stream *s, struct hf_view bytes)
{
    struct hf_blob *blob = hf_blob_out_wanted(s);
    if (blob == NULL)
        return HF_CLOSED;
    struct hf_outgoing_body *b = body_of(s);
    b->written += bytes.len;
    if (b->has_length && b->written > b->declared) {
        b->overflow = true;
        hf_guest_set_stream_error(
            s->obj.guest,
            hf_io_error_new(s->obj.guest, HF_INVALID,
                            (b->is_request ? HF_HTTP_REQUEST_BODY_SIZE : HF_HTTP_RESPONSE_BODY_SIZE) + 1, b->written,
                            "more body than content-length says"));
        return HF_INVALID;
    }
    return bytes.len == 0 ? HF_OK : hf_blob_push(blob, bytes);
}

static const char *out_stuck(struct hf_out_stream *s)
{
    const struct hf_outgoing_body *b = body_of(s);
    if (b == NULL || b->message == NULL)
        return NULL;
    if (b->is_request)
        return "the body's buffer is full and outgoing-handler.handle has not been called, so nobody will ever read it";
    return "the body's buffer is full and response-outparam.set has not been called, so nobody will ever read it";
}

static const struct hf_out_ops out_ops = {hf_blob_out_room, out_write, hf_blob_out_flush, hf_blob_out_wait, out_stuck};

static enum hf_err body_write(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_body *b = args[0].obj;
    if (b->taken) {
        *result = hf_value_case(1, NULL);
        return HF_OK;
    }
    struct hf_blob_out *o = hf_blob_out_new(hf_guest_of(call), &b->obj, &b->blob, &out_ops);
    if (o == NULL)
        return hf_call_limit(call, "host memory for streams");
    b->taken = true;
    return hf_http_ok(call, hf_value_obj(o), result);
}

static enum hf_err body_finish(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_body *b = args[0].obj;
    enum hf_err err = HF_OK;
    if (hf_obj_has_children(&b->obj))
        return hf_call_trap(call, "outgoing-body.finish: the body's output-stream is still alive");
    struct hf_field_store *trailers = args[1].tag == 1 ? hf_fields_consume(args[1].items[0].obj) : NULL;
    *result = hf_value_case(0, NULL);
    if (b->has_length && (b->written != b->declared || b->overflow)) {
        uint64_t n = b->written;
        body_end(b, HF_INVALID);
        err = hf_http_code(call, b->is_request ? HF_HTTP_REQUEST_BODY_SIZE : HF_HTTP_RESPONSE_BODY_SIZE, &n, result);
    } else {
        if (trailers != NULL && trailers->n > 0 && b->blob != NULL) {
            struct hf_buf buf = {0};
            struct hf_head_writer w;
            struct hf_head head = hf_field_store_head(trailers);
            err = hf_head_begin_response(&w, &buf, 0, 200); /* a head must have a status; nobody looks at this one */
            if (err == HF_OK)
                err = hf_head_fields(&w, &head);
            if (err == HF_OK)
                err = hf_blob_set_trailers(b->blob, hf_head_end(&w));
            hf_buf_done(&buf);
            if (err != HF_OK)
                err = hf_call_limit(call, "host memory for trailers");
        }
        body_end(b, err == HF_OK ? HF_OK : HF_LIMIT);
    }
    hf_field_store_unref(trailers);
    hf_obj_release(&b->obj);
    return err;
}

/* ---- outgoing-response ----------------------------------------------------------------------------------- */

struct outgoing_response {
    struct hf_obj obj;
    uint16_t status;
    struct hf_outgoing_message m;
};

static void response_destroy(struct hf_obj *obj)
{
    hf_outgoing_message_done(&HF_CONTAINER_OF(obj, struct outgoing_response, obj)->m);
}

static enum hf_err response_constructor(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct outgoing_response *r = hf_obj_new(hf_guest_of(call), sizeof *r, "outgoing-response", NULL, response_destroy);
    struct hf_field_store *store = hf_fields_consume(args[0].obj);
    if (r == NULL) {
        hf_field_store_unref(store);
        return hf_call_limit(call, "host memory for responses");
    }
    r->status = 200;
    r->m.store = store;
    result->obj = r;
    return HF_OK;
}

static enum hf_err response_status(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call;
    result->u64 = ((const struct outgoing_response *)args[0].obj)->status;
    return HF_OK;
}

static enum hf_err response_set_status(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct outgoing_response *r = args[0].obj;
    uint64_t status = args[1].u64;
    (void)call;
    *result = hf_value_case(status < 100 || status > 999, NULL);
    if (result->tag == 0)
        r->status = (uint16_t)status;
    return HF_OK;
}

static enum hf_err response_headers(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct outgoing_response *r = args[0].obj;
    result->obj = hf_fields_new(call, hf_field_store_ref(r->m.store), true);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static enum hf_err response_body(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct outgoing_response *r = args[0].obj;
    return hf_outgoing_body_take(call, &r->m, &r->obj, false, result);
}

/* ---- response-outparam ----------------------------------------------------------------------------------- */

/* A guest's error-code becomes a status (1.5.3): timeouts 504, limits 503, sizes 413/414/431, the rest of the transport 502. */
static uint16_t status_of(uint32_t code)
{
    static const uint16_t table[39] = {504, 502, 502, 502, 502, 502, 502, 502, 504, 504, 504, 503, 502, 502, 502, 403, 411, 413, 405,
                                       400, 414, 431, 431, 431, 431, 502, 502, 502, 502, 502, 502, 502, 502, 504, 502, 502, 508, 500, 500};
    return code < HF_ARRAY_LEN(table) ? table[code] : 500;
}

static enum hf_err respond(struct hf_call *call, uint64_t message, struct hf_buf *body, struct hf_blob **blob)
{
    struct hf_turn *turn = hf_guest_of(call)->turn;
    const struct hf_message *now = hf_turn_message(turn);
    /* The client may be gone or its time be over, or this is the outparam of an earlier request: set() does not fail for
     * that (1.5.10), and nobody gets another's answer. */
    if (now != NULL && now->id == message)
        hf_turn_respond(turn, body, blob);
    hf_pool_give_buf(hf_guest_of(call)->pool, body);
    hf_blob_unref(*blob);
    *blob = NULL;
    return HF_OK;
}

static enum hf_err send_response(struct hf_call *call, uint64_t message, struct outgoing_response *r)
{
    struct hf_buf buf = hf_pool_take_buf(hf_guest_of(call)->pool);
    struct hf_head_writer w;
    struct hf_head head = hf_field_store_head(r->m.store);
    struct hf_blob *blob = r->m.blob;

    enum hf_err err = hf_buf_reserve(&buf, head.fields.len + 64);
    if (err == HF_OK)
        err = hf_head_begin_response(&w, &buf, blob == NULL ? HF_HEAD_NO_BODY : 0, r->status);
    if (err == HF_OK)
        err = hf_head_fields(&w, &head);
    if (err != HF_OK) {
        hf_buf_done(&buf);
        hf_obj_release(&r->obj);
        return hf_call_limit(call, "host memory for responses");
    }
    hf_head_end(&w);
    r->m.blob = NULL;
    if (r->m.body != NULL)
        r->m.body->message = NULL; /* sent: its writes have a reader */
    hf_obj_release(&r->obj);
    return respond(call, message, &buf, &blob);
}

static enum hf_err send_error(struct hf_call *call, uint64_t message, const struct hf_value *code)
{
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    struct hf_blob *blob = NULL;
    char text[96];
    uint16_t status = status_of(code->tag);
    int n = snprintf(text, sizeof text, "the service answered with an error (%u)\n", status);
    enum hf_err err = hf_head_begin_response(&w, &buf, 0, status);
    if (err == HF_OK)
        err = hf_head_field(&w, HF_VIEW("content-type"), HF_VIEW("text/plain; charset=utf-8"));
    if (err == HF_OK && (blob = hf_blob_of_bytes_in(hf_kernel_blobs(hf_turn_kernel(hf_guest_of(call)->turn)), hf_view(text, (size_t)n))) == NULL)
        err = HF_LIMIT;
    if (err != HF_OK) {
        hf_buf_done(&buf);
        return hf_call_limit(call, "host memory for responses");
    }
    hf_head_end(&w);
    return respond(call, message, &buf, &blob);
}

static enum hf_err outparam_set(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_response_outparam *param = args[0].obj;
    uint64_t message = param->message;
    (void)result;
    hf_obj_release(&param->obj);
    return args[1].tag == 0 ? send_response(call, message, args[1].items[0].obj)
                            : send_error(call, message, &args[1].items[0]);
}

/* ---- binding --------------------------------------------------------------------------------------------- */

static const struct hf_host_resource response_ops = {"outgoing-response", hf_obj_drop};
static const struct hf_host_resource body_ops = {"outgoing-body", hf_obj_drop};
static const struct hf_host_resource outparam_ops = {"response-outparam", hf_obj_drop};
static const struct hf_binding table[] = {
    {"[constructor]outgoing-response", response_constructor},
    {"[method]outgoing-response.status-code", response_status},
    {"[method]outgoing-response.set-status-code", response_set_status},
    {"[method]outgoing-response.headers", response_headers},
    {"[method]outgoing-response.body", response_body},
    {"[method]outgoing-body.write", body_write},
    {"[static]outgoing-body.finish", body_finish},
    {"[static]response-outparam.set", outparam_set},
    {NULL, NULL},
};

enum hf_err hf_host_bind_http_out(struct hf_registry *reg, struct hf_report *report)
{
    static const char iface[] = "wasi:http/types";
    enum hf_err err = hf_registry_bind_resource(reg, iface, "outgoing-response", &response_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, iface, "outgoing-body", &body_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, iface, "response-outparam", &outparam_ops, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, iface, table, report);
}
