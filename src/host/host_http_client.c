/* host_http_client.c - wasi:http outgoing requests: making them. (host_http_fetch.c sends them.) */
#include "host/http_int.h"

#include "base/utf.h"


static void request_destroy(struct hf_obj *obj)
{
    struct hf_outgoing_request *r = HF_CONTAINER_OF(obj, struct hf_outgoing_request, obj);
    hf_outgoing_message_done(&r->m);
    struct hf_obj_pool *pool = obj->guest->pool;
    hf_pool_give_buf(pool, &r->method);
    hf_pool_give_buf(pool, &r->path.text);
    hf_pool_give_buf(pool, &r->scheme.text);
    hf_pool_give_buf(pool, &r->authority.text);
}

static enum hf_err request_constructor(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_request *r = hf_obj_new(hf_guest_of(call), sizeof *r, "outgoing-request", NULL, request_destroy);
    struct hf_field_store *store = hf_fields_consume(args[0].obj);
    if (r == NULL) {
        hf_field_store_unref(store);
        return hf_call_limit(call, "host memory for requests");
    }
    r->m.store = store;
    result->obj = r;
    return HF_OK;
}

static enum hf_err request_body(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_request *r = args[0].obj;
    return hf_outgoing_body_take(call, &r->m, &r->obj, true, result);
}

static enum hf_err request_headers(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_outgoing_request *r = args[0].obj;
    result->obj = hf_fields_new(call, hf_field_store_ref(r->m.store), true);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static enum hf_err set(struct hf_call *call, struct hf_buf *to, struct hf_view v)
{
    if (to->ptr == NULL)
        *to = hf_pool_take_buf(hf_guest_of(call)->pool);
    hf_buf_clear(to);
    return hf_buf_add_view(to, v) == HF_OK ? HF_OK : hf_call_limit(call, "host memory for requests");
}

/* result: ok when `good`, and then the text is kept. */
static enum hf_err set_option(struct hf_call *call, struct hf_text_option *o, bool some, struct hf_view v, bool good,
                              struct hf_value *result)
{
    *result = hf_value_case(!good, NULL);
    if (!good)
        return HF_OK;
    o->some = some;
    return set(call, &o->text, some ? v : (struct hf_view){0});
}

static enum hf_err request_method(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_outgoing_request *r = args[0].obj;
    return hf_http_method(call, r->method.len == 0 ? HF_VIEW("GET") : hf_buf_view(&r->method), result);
}

static enum hf_err request_set_method(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_request *r = args[0].obj;
    struct hf_view v = args[1].tag < HF_HTTP_METHODS ? hf_view_of(hf_http_methods[args[1].tag]) : hf_value_view(&args[1].items[0]);
    *result = hf_value_case(!hf_http_token(v), NULL);
    return result->tag == 0 ? set(call, &r->method, v) : HF_OK;
}

static bool visible(struct hf_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] <= 0x20 || v.ptr[i] == 0x7f || v.ptr[i] == '#')
            return false;
    return true;
}

static enum hf_err request_path(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_outgoing_request *r = args[0].obj;
    return hf_http_option_text(call, r->path.some, hf_buf_view(&r->path.text), result);
}

static enum hf_err request_set_path(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_request *r = args[0].obj;
    bool some = args[1].tag == 1;
    struct hf_view v = some ? hf_value_view(&args[1].items[0]) : (struct hf_view){0};
    return set_option(call, &r->path, some, v, visible(v), result);
}

static enum hf_err request_scheme(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_outgoing_request *r = args[0].obj;
    return hf_http_scheme(call, r->scheme.some, hf_buf_view(&r->scheme.text), result);
}

static bool scheme_ok(struct hf_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i], l = c | 32;
        bool alpha = l >= 'a' && l <= 'z';
        if (!alpha && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return v.len > 0;
}

static enum hf_err request_set_scheme(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_request *r = args[0].obj;
    if (args[1].tag == 0)
        return set_option(call, &r->scheme, false, (struct hf_view){0}, true, result);
    const struct hf_value *s = &args[1].items[0];
    struct hf_view v = s->tag == 0 ? HF_VIEW("http") : s->tag == 1 ? HF_VIEW("https") : hf_value_view(&s->items[0]);
    return set_option(call, &r->scheme, true, v, scheme_ok(v), result);
}

static enum hf_err request_authority(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_outgoing_request *r = args[0].obj;
    return hf_http_option_text(call, r->authority.some, hf_buf_view(&r->authority.text), result);
}

/* What a host is not made of: blanks, controls, and what delimits the other parts. */
static bool host_char(uint8_t c)
{
    switch (c) {
    case '/': case '?': case '@': case '[': case ']': case '\\': case '<': case '>': case '"': case '^': case '`':
    case '{': case '|': case '}': case '#': case 0x7f: return false;
    default: return c > 0x20;
    }
}

/* host[:port]; a host in brackets may hold colons; a port is 1-5 digits up to 65535 (1.4). */
static bool authority_ok(struct hf_view v)
{
    size_t at = 0;
    if (v.len == 0)
        return false;
    if (v.ptr[0] == '[') {
        at = hf_view_find(v, ']');
        if (at >= v.len || at < 3 || !visible(hf_view_take(v, at)))
            return false;
        at++;
    } else {
        for (; at < v.len && v.ptr[at] != ':'; at++)
            if (!host_char(v.ptr[at]))
                return false;
        if (at == 0)
            return false;
    }
    if (at == v.len)
        return true;
    struct hf_view port = hf_view_skip(v, at + 1);
    uint32_t n = 0;
    if (v.ptr[at] != ':' || port.len == 0 || port.len > 5)
        return false;
    for (size_t i = 0; i < port.len; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9')
            return false;
        n = n * 10 + (uint32_t)(port.ptr[i] - '0');
    }
    return n <= 65535;
}

static enum hf_err request_set_authority(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_outgoing_request *r = args[0].obj;
    bool some = args[1].tag == 1;
    struct hf_view v = some ? hf_value_view(&args[1].items[0]) : (struct hf_view){0};
    return set_option(call, &r->authority, some, v, !some || authority_ok(v), result);
}

/* ---- request-options ------------------------------------------------------------------------------------- */

static enum hf_err options_constructor(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    result->obj = hf_obj_new(hf_guest_of(call), sizeof(struct hf_request_options), "request-options", NULL, NULL);
    return result->obj == NULL ? hf_call_limit(call, "host memory for options") : HF_OK;
}
static enum hf_err options_get(struct hf_call *call, const struct hf_request_options *o, unsigned i, struct hf_value *result)
{
    *result = hf_value_case(0, NULL);
    return o->t[i].some ? hf_http_case(call, 1, hf_value_u64(o->t[i].ns), result) : HF_OK;
}
static enum hf_err options_set(struct hf_request_options *o, unsigned i, const struct hf_value *v, struct hf_value *result)
{
    o->t[i].some = v->tag == 1;
    o->t[i].ns = v->tag == 1 ? v->items[0].u64 : 0;
    *result = hf_value_case(0, NULL);
    return HF_OK;
}
#define OPTION(name, index)                                                                                                    \
    static enum hf_err get_##name(struct hf_call *call, const struct hf_value *args, struct hf_value *result)                  \
    {                                                                                                                          \
        return options_get(call, args[0].obj, index, result);                                                                  \
    }                                                                                                                          \
    static enum hf_err set_##name(struct hf_call *call, const struct hf_value *args, struct hf_value *result)                  \
    {                                                                                                                          \
        (void)call;                                                                                                            \
        return options_set(args[0].obj, index, &args[1], result);                                                              \
    }
OPTION(connect, 0)
OPTION(first_byte, 1)
OPTION(between_bytes, 2)

/* ---- binding --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct hf_host_resource ops;
} resources[] = {
    {"outgoing-request", {"outgoing-request", hf_obj_drop}},
    {"request-options", {"request-options", hf_obj_drop}},
};
static const struct hf_binding table[] = {
    {"[constructor]outgoing-request", request_constructor},
    {"[method]outgoing-request.body", request_body},
    {"[method]outgoing-request.headers", request_headers},
    {"[method]outgoing-request.method", request_method},
    {"[method]outgoing-request.set-method", request_set_method},
    {"[method]outgoing-request.path-with-query", request_path},
    {"[method]outgoing-request.set-path-with-query", request_set_path},
    {"[method]outgoing-request.scheme", request_scheme},
    {"[method]outgoing-request.set-scheme", request_set_scheme},
    {"[method]outgoing-request.authority", request_authority},
    {"[method]outgoing-request.set-authority", request_set_authority},
    {"[constructor]request-options", options_constructor},
    {"[method]request-options.connect-timeout", get_connect},
    {"[method]request-options.set-connect-timeout", set_connect},
    {"[method]request-options.first-byte-timeout", get_first_byte},
    {"[method]request-options.set-first-byte-timeout", set_first_byte},
    {"[method]request-options.between-bytes-timeout", get_between_bytes},
    {"[method]request-options.set-between-bytes-timeout", set_between_bytes},
    {NULL, NULL},
};

enum hf_err hf_host_bind_http_client(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(resources) && err == HF_OK; i++)
        err = hf_registry_bind_resource(reg, "wasi:http/types", resources[i].name, &resources[i].ops, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:http/types", table, report);
}
