/* host_http_in.c - wasi:http/types incoming side: incoming-request, incoming-body, future-trailers.
 *
 * The request is the message in hand: its head stays in one shared store, its body is the message's blob, read in place by
 * one input-stream. After finish the rest is read and thrown away in the background to reach the trailers (1.4).
 */
#include "host/blob_stream.h"
#include "host/http_int.h"

#include "base/utf.h"

/* ---- incoming-request ------------------------------------------------------------------------------------ */

static void request_destroy(struct hf_obj *obj)
{
    struct hf_incoming_request *r = HF_CONTAINER_OF(obj, struct hf_incoming_request, obj);
    struct hf_http_state *h = obj->guest->http;
    if (h != NULL && h->request == r)
        h->request = NULL;
    hf_blob_unref(r->blob);
    hf_field_store_unref(r->store);
}

enum hf_err hf_http_remake_request(struct hf_guest *g, struct hf_view head, struct hf_incoming_request **ret,
                                   struct hf_report *report)
{
    struct hf_incoming_request *r = hf_obj_new(g, sizeof *r, "incoming-request", NULL, request_destroy);
    if (r == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory for a request");
    enum hf_err err = HF_LIMIT;
    r->store = hf_field_store_new(g);
    if (r->store != NULL)
        r->store->buf = hf_pool_take_buf(g->pool);
    if (r->store == NULL || hf_buf_add_view(&r->store->buf, head) != HF_OK) {
        hf_report_set(report, err, "out of memory for a request");
        goto fail;
    }
    err = hf_head_read(hf_buf_view(&r->store->buf), &r->head, report);
    if (err != HF_OK)
        goto fail;
    if (r->head.kind != HF_HEAD_REQUEST || !hf_utf8_valid(r->head.path.ptr, r->head.path.len) ||
        !hf_utf8_valid(r->head.authority.ptr, r->head.authority.len) || !hf_http_token(r->head.method)) {
        err = hf_report_set(report, HF_INVALID, "the message is no HTTP request that wasi:http can show");
        goto fail;
    }
    r->store->n = r->head.n_fields;
    r->store->start = (size_t)(r->head.fields.ptr - r->store->buf.ptr);
    *ret = r;
    return HF_OK;
fail:
    hf_obj_release(&r->obj);
    return err;
}

enum hf_err hf_http_make_request(struct hf_guest *g, const struct hf_message *msg, struct hf_incoming_request **ret,
                                 struct hf_report *report)
{
    enum hf_err err = hf_http_remake_request(g, msg->body, ret, report);
    if (err == HF_OK)
        (*ret)->blob = hf_turn_take_blob(g->turn);
    return err;
}

static enum hf_err request_method(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_incoming_request *r = args[0].obj;
    return hf_http_method(call, r->head.method, result);
}
static enum hf_err request_path(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_incoming_request *r = args[0].obj;
    return hf_http_option_text(call, (r->head.flags & HF_HEAD_HAS_PATH) != 0, r->head.path, result);
}
static enum hf_err request_scheme(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_incoming_request *r = args[0].obj;
    return hf_http_scheme(call, (r->head.flags & HF_HEAD_HAS_SCHEME) != 0, r->head.scheme, result);
}
static enum hf_err request_authority(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_incoming_request *r = args[0].obj;
    return hf_http_option_text(call, (r->head.flags & HF_HEAD_HAS_AUTHORITY) != 0, r->head.authority, result);
}
static enum hf_err request_headers(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_incoming_request *r = args[0].obj;
    result->obj = hf_fields_new(call, hf_field_store_ref(r->store), true);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static void body_destroy(struct hf_obj *obj)
{
    struct hf_incoming_body *b = HF_CONTAINER_OF(obj, struct hf_incoming_body, obj);
    hf_list_remove(&b->in_exchange);
    hf_blob_reader_close(&b->reader);
    hf_blob_unref(b->blob);
}

struct hf_incoming_body *hf_incoming_body_new(struct hf_guest *g, struct hf_blob *blob, bool of_answer)
{
    struct hf_incoming_body *b = hf_obj_new(g, sizeof *b, "incoming-body", NULL, body_destroy);
    if (b == NULL) {
        hf_blob_unref(blob);
        return NULL;
    }
    b->blob = blob;
    b->of_answer = of_answer;
    if (g->http != NULL)
        hf_list_push_back(&g->http->incoming, &b->in_exchange);
    return b;
}

static enum hf_err request_consume(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_incoming_request *r = args[0].obj;
    struct hf_guest *g = hf_guest_of(call);
    if (r->consumed) {
        *result = hf_value_case(1, NULL);
        return HF_OK;
    }
    struct hf_blob *blob = r->blob;
    r->blob = NULL;
    r->consumed = true;
    struct hf_incoming_body *b = hf_incoming_body_new(g, blob, false);
    if (b == NULL)
        return hf_call_limit(call, "host memory for bodies");
    return hf_http_ok(call, hf_value_obj(b), result);
}

/* ---- the body's stream ----------------------------------------------------------------------------------- */

struct body_stream {
    struct hf_blob_in s;
    bool of_answer; /* as of its body */
};

static struct hf_io_error *body_broken(struct hf_blob_in *s, enum hf_err err)
{
    bool of_answer = HF_CONTAINER_OF(s, struct body_stream, s)->of_answer;
    uint32_t code = of_answer ? hf_http_answer_body_code(hf_blob_error(s->reader->blob)) : HF_HTTP_CONNECTION_TERMINATED;
    return hf_io_error_new(s->in.obj.guest, err, code + 1, 0,
                           of_answer ? "the answer broke off before its end"
                                     : "the client left, or its body broke off, before the end");
}

static enum hf_err body_take_stream(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_incoming_body *b = args[0].obj;
    if (b->taken) {
        *result = hf_value_case(1, NULL);
        return HF_OK;
    }
    struct hf_blob_in *s = hf_blob_in_new(hf_guest_of(call), sizeof(struct body_stream), "input-stream", &b->obj, NULL);
    if (s == NULL)
        return hf_call_limit(call, "host memory for streams");
    s->reader = &b->reader;
    s->broken = body_broken;
    HF_CONTAINER_OF(s, struct body_stream, s)->of_answer = b->of_answer;
    b->taken = true;
    if (b->blob != NULL)
        hf_blob_reader_open(&b->reader, &b->blob);
    return hf_http_ok(call, hf_value_obj(s), result);
}

/* ---- future-trailers ------------------------------------------------------------------------------------- */

struct future_trailers {
    struct hf_obj obj;
    struct hf_blob_reader reader; /* blob NULL: there was no body */
    struct hf_waiter waiter;      /* on reader.wait, in `set` */
    struct hf_waitset set;        /* drains when bytes come */
    struct hf_wait wait;          /* ready: the end was reached, or it failed */
    bool taken, of_answer;
};

/* Throws away what is there; the trailers are known when the end is reached. */
static void trailers_drain(struct future_trailers *t)
{
    struct hf_view v;
    enum hf_err err = HF_CLOSED;
    if (t->reader.blob != NULL)
        while ((err = hf_blob_reader_peek(&t->reader, &v)) == HF_OK)
            hf_blob_reader_advance(&t->reader, v.len);
    if (err != HF_AGAIN)
        hf_wait_fire(&t->wait);
}

static void trailers_wake(struct hf_waitset *set)
{
    struct future_trailers *t = HF_CONTAINER_OF(set, struct future_trailers, set);
    do {
        trailers_drain(t);
    } while (!t->wait.ready && !hf_waitset_park(&t->set, false));
}

static void trailers_destroy(struct hf_obj *obj)
{
    struct future_trailers *t = HF_CONTAINER_OF(obj, struct future_trailers, obj);
    hf_waiter_disarm(&t->waiter);
    hf_waitset_unpark(&t->set);
    hf_blob_reader_close(&t->reader);
    hf_wait_done(&t->wait);
}

static enum hf_err body_finish(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_incoming_body *b = args[0].obj;
    if (hf_obj_has_children(&b->obj))
        return hf_call_trap(call, "incoming-body.finish: the body's input-stream is still alive");
    struct future_trailers *t = hf_obj_new(hf_guest_of(call), sizeof *t, "future-trailers", NULL, trailers_destroy);
    if (t == NULL)
        return hf_call_limit(call, "host memory for trailers");
    hf_wait_init(&t->wait, false);
    hf_waitset_init(&t->set, trailers_wake);
    t->of_answer = b->of_answer;
    if (b->reader.blob != NULL)
        hf_blob_reader_move(&b->reader, &t->reader); /* go on where the stream stopped */
    else if (b->blob != NULL)
        hf_blob_reader_open(&t->reader, &b->blob);
    if (t->reader.blob != NULL)
        hf_waiter_arm(&t->waiter, &t->reader.wait, &t->set);
    trailers_wake(&t->set);
    hf_obj_release(&b->obj);
    result->obj = t;
    return HF_OK;
}

static enum hf_err trailers_subscribe(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct future_trailers *t = args[0].obj;
    result->obj = hf_pollable_new(call, &t->wait, &t->obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

/* option<result<result<option<trailers>, error-code>>> */
static enum hf_err trailers_get(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct future_trailers *t = args[0].obj;
    struct hf_value *v = hf_call_alloc(call, 5 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    if (!t->wait.ready) {
        *result = hf_value_case(0, NULL);
        return HF_OK;
    }
    *result = hf_value_case(1, &v[0]);
    if (t->taken) {
        v[0] = hf_value_case(1, NULL);
        return HF_OK;
    }
    t->taken = true;
    v[0] = hf_value_case(0, &v[1]);
    if (t->reader.blob != NULL && hf_blob_error(t->reader.blob) != HF_OK) {
        v[1] = hf_value_case(1, &v[2]);
        return hf_http_plain_code(call,
                                  t->of_answer ? hf_http_answer_body_code(hf_blob_error(t->reader.blob))
                                               : HF_HTTP_CONNECTION_TERMINATED,
                                  NULL, &v[2]);
    }
    v[1] = hf_value_case(0, &v[2]);
    struct hf_view head = t->reader.blob == NULL ? (struct hf_view){0} : hf_blob_trailers(t->reader.blob);
    v[2] = hf_value_case(0, NULL);
    if (head.len == 0)
        return HF_OK;
    struct hf_field_store *s = hf_field_store_new(hf_guest_of(call));
    struct hf_head h;
    if (s == NULL || hf_buf_add_view(&s->buf, head) != HF_OK || hf_head_read(hf_buf_view(&s->buf), &h, NULL) != HF_OK) {
        hf_field_store_unref(s);
        return hf_call_limit(call, "host memory for trailers");
    }
    s->n = h.n_fields;
    s->start = (size_t)(h.fields.ptr - s->buf.ptr);
    struct hf_fields *f = hf_fields_new(call, s, true);
    if (f == NULL)
        return HF_TRAP;
    v[3] = hf_value_obj(f);
    v[2] = hf_value_case(1, &v[3]);
    return HF_OK;
}

static const struct hf_host_resource request_ops = {"incoming-request", hf_obj_drop};
static const struct hf_host_resource body_res = {"incoming-body", hf_obj_drop};
static const struct hf_host_resource trailers_ops = {"future-trailers", hf_obj_drop};
static const struct hf_binding table[] = {
    {"[method]incoming-request.method", request_method},
    {"[method]incoming-request.path-with-query", request_path},
    {"[method]incoming-request.scheme", request_scheme},
    {"[method]incoming-request.authority", request_authority},
    {"[method]incoming-request.headers", request_headers},
    {"[method]incoming-request.consume", request_consume},
    {"[method]incoming-body.stream", body_take_stream},
    {"[static]incoming-body.finish", body_finish},
    {"[method]future-trailers.subscribe", trailers_subscribe},
    {"[method]future-trailers.get", trailers_get},
    {NULL, NULL},
};

enum hf_err hf_host_bind_http_in(struct hf_registry *reg, struct hf_report *report)
{
    static const char iface[] = "wasi:http/types";
    enum hf_err err = hf_registry_bind_resource(reg, iface, "incoming-request", &request_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, iface, "incoming-body", &body_res, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, iface, "future-trailers", &trailers_ops, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, iface, table, report);
}
