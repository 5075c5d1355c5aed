/* host_http_fields.c - wasi:http/types `fields`: header and trailer lists.
 *
 * Names keep their casing and order and compare without case. Checks come in this order (1.4): syntax of the name,
 * forbidden, immutable, syntax of the value, size. Forbidden names belong to the connection and are the gateway's.
 */
#include "host/http_int.h"

#include <strings.h>

enum { INVALID_SYNTAX, FORBIDDEN, IMMUTABLE }; /* header-error */

static const char *const forbidden[] = {"connection",          "keep-alive",        "proxy-authenticate",
                                        "proxy-authorization", "proxy-connection",  "transfer-encoding",
                                        "upgrade",             "host",              "http2-settings"};

/* ---- stores ---------------------------------------------------------------------------------------------- */

struct hf_field_store *hf_field_store_new(struct hf_guest *g)
{
    struct hf_field_store *s = hf_pool_take(g->pool, sizeof *s);
    if (s != NULL)
        *s = (struct hf_field_store){.pool = g->pool, .refs = 1};
    return s;
}

struct hf_field_store *hf_field_store_ref(struct hf_field_store *s)
{
    s->refs++;
    return s;
}

void hf_field_store_unref(struct hf_field_store *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    hf_pool_give_buf(s->pool, &s->buf);
    hf_pool_give(s->pool, s, sizeof *s);
}

struct hf_head hf_field_store_head(const struct hf_field_store *s)
{
    return (struct hf_head){.n_fields = s->n, .fields = hf_view_skip(hf_buf_view(&s->buf), s->start)};
}

bool hf_field_store_length(const struct hf_field_store *s, uint64_t *len, bool *bad)
{
    struct hf_head head = hf_field_store_head(s);
    struct hf_view name, value;
    bool found = false;
    *bad = false;
    for (size_t at = 0; hf_head_next(&head, &at, &name, &value);) {
        if (name.len != 14 || !hf_view_eq_nocase(name, HF_VIEW("content-length")))
            continue;
        uint64_t n = 0;
        if (found || value.len == 0 || value.len > 19)
            *bad = true;
        for (size_t i = 0; i < value.len && !*bad; i++) {
            if (value.ptr[i] < '0' || value.ptr[i] > '9')
                *bad = true;
            n = n * 10 + (uint64_t)(value.ptr[i] - '0');
        }
        found = true;
        *len = n;
    }
    return found;
}

/* ---- checks ---------------------------------------------------------------------------------------------- */

bool hf_http_token(struct hf_view v)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        bool ok = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c != 0 && memchr(others, c, sizeof others - 1));
        if (!ok)
            return false;
    }
    return v.len > 0;
}

static bool value_ok(struct hf_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_forbidden(struct hf_view name)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(forbidden); i++)
        if (strlen(forbidden[i]) == name.len && hf_view_eq_nocase(name, hf_view_of(forbidden[i])))
            return true;
    return false;
}

/* header-error + 1, or 0. */
static unsigned check(struct hf_view name, const struct hf_fields *f, const struct hf_value *values, uint32_t n)
{
    if (!hf_http_token(name))
        return INVALID_SYNTAX + 1;
    if (is_forbidden(name))
        return FORBIDDEN + 1;
    if (f != NULL && f->immutable)
        return IMMUTABLE + 1;
    for (uint32_t i = 0; i < n; i++)
        if (!value_ok(hf_value_view(&values[i])))
            return INVALID_SYNTAX + 1;
    return 0;
}

static enum hf_err header_error(struct hf_call *call, unsigned problem, struct hf_value *result)
{
    return hf_http_case(call, 1, hf_value_case(problem - 1, NULL), result);
}

/* ---- changing -------------------------------------------------------------------------------------------- */

static enum hf_err add(struct hf_call *call, struct hf_field_store *s, struct hf_view name, struct hf_view value)
{
    struct hf_head_writer w = {.buf = &s->buf, .start = s->start, .n_fields = s->n};
    if (s->buf.len - s->start + name.len + value.len + 8 > HF_FIELDS_MAX)
        return hf_call_limit(call, "size of a wasi:http fields (128 KiB)");
    if (hf_head_field(&w, name, value) != HF_OK)
        return hf_call_limit(call, "host memory for fields");
    s->n = w.n_fields;
    return HF_OK;
}

/* Removes every entry of that name. */
static enum hf_err remove_all(struct hf_call *call, struct hf_field_store *s, struct hf_view name)
{
    struct hf_head head = hf_field_store_head(s);
    struct hf_view n, v;
    if (!hf_head_find(&head, name, &v))
        return HF_OK;
    struct hf_field_store kept = {.refs = 1};
    enum hf_err err = HF_OK;
    for (size_t at = 0; err == HF_OK && hf_head_next(&head, &at, &n, &v);)
        if (!hf_view_eq_nocase(n, name))
            err = add(call, &kept, n, v);
    if (err != HF_OK) {
        hf_buf_done(&kept.buf);
        return err;
    }
    hf_buf_done(&s->buf);
    s->buf = kept.buf;
    s->n = kept.n;
    s->start = 0;
    return HF_OK;
}

/* ---- objects --------------------------------------------------------------------------------------------- */

static void fields_destroy(struct hf_obj *obj)
{
    hf_field_store_unref(HF_CONTAINER_OF(obj, struct hf_fields, obj)->store);
}

struct hf_fields *hf_fields_make(struct hf_guest *g, struct hf_field_store *store, bool immutable)
{
    struct hf_fields *f = store == NULL ? NULL : hf_obj_new(g, sizeof *f, "fields", NULL, fields_destroy);
    if (f == NULL) {
        hf_field_store_unref(store);
        return NULL;
    }
    f->store = store;
    f->immutable = immutable;
    return f;
}

struct hf_fields *hf_fields_new(struct hf_call *call, struct hf_field_store *store, bool immutable)
{
    struct hf_fields *f = hf_fields_make(hf_guest_of(call), store, immutable);
    if (f == NULL)
        hf_call_limit(call, "host memory for fields");
    return f;
}

struct hf_field_store *hf_fields_consume(struct hf_fields *f)
{
    /* Own objects of a store are the only mutable ones; a shared store stays as it is. */
    struct hf_field_store *s = hf_field_store_ref(f->store);
    hf_obj_release(&f->obj);
    return s;
}

static enum hf_err fields_constructor(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    result->obj = hf_fields_new(call, hf_field_store_new(hf_guest_of(call)), false);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static enum hf_err fields_from_list(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_value *list = &args[0];
    for (uint32_t i = 0; i < list->len; i++) {
        unsigned problem = check(hf_value_view(&list->items[i].items[0]), NULL, &list->items[i].items[1], 1);
        if (problem != 0)
            return header_error(call, problem, result);
    }
    struct hf_fields *f = hf_fields_new(call, hf_field_store_new(hf_guest_of(call)), false);
    if (f == NULL)
        return HF_TRAP;
    for (uint32_t i = 0; i < list->len; i++) {
        const struct hf_value *kv = list->items[i].items;
        enum hf_err err = add(call, f->store, hf_value_view(&kv[0]), hf_value_view(&kv[1]));
        if (err != HF_OK) {
            hf_obj_release(&f->obj);
            return err;
        }
    }
    return hf_http_ok(call, hf_value_obj(f), result);
}

static enum hf_err fields_get(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_fields *f = args[0].obj;
    struct hf_head head = hf_field_store_head(f->store);
    struct hf_view want = hf_value_view(&args[1]), name, value;
    uint32_t n = 0;
    for (size_t at = 0; hf_head_next(&head, &at, &name, &value);)
        n += hf_view_eq_nocase(name, want);
    struct hf_value *v = hf_call_alloc(call, ((size_t)n + 1) * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    result->items = v;
    result->len = n;
    for (size_t at = 0; hf_head_next(&head, &at, &name, &value);)
        if (hf_view_eq_nocase(name, want))
            *v++ = hf_value_bytes(value);
    return HF_OK;
}

static enum hf_err fields_has(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_fields *f = args[0].obj;
    struct hf_head head = hf_field_store_head(f->store);
    struct hf_view value;
    (void)call;
    result->u64 = hf_head_find(&head, hf_value_view(&args[1]), &value);
    return HF_OK;
}

static enum hf_err fields_set(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fields *f = args[0].obj;
    struct hf_view name = hf_value_view(&args[1]);
    unsigned problem = check(name, f, args[2].items, args[2].len);
    if (problem != 0)
        return header_error(call, problem, result);
    enum hf_err err = remove_all(call, f->store, name);
    for (uint32_t i = 0; i < args[2].len && err == HF_OK; i++)
        err = add(call, f->store, name, hf_value_view(&args[2].items[i]));
    *result = hf_value_case(0, NULL);
    return err;
}

static enum hf_err fields_delete(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fields *f = args[0].obj;
    struct hf_view name = hf_value_view(&args[1]);
    unsigned problem = check(name, f, NULL, 0);
    if (problem != 0)
        return header_error(call, problem, result);
    *result = hf_value_case(0, NULL);
    return remove_all(call, f->store, name);
}

static enum hf_err fields_append(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_fields *f = args[0].obj;
    struct hf_view name = hf_value_view(&args[1]);
    unsigned problem = check(name, f, &args[2], 1);
    if (problem != 0)
        return header_error(call, problem, result);
    *result = hf_value_case(0, NULL);
    return add(call, f->store, name, hf_value_view(&args[2]));
}

static enum hf_err fields_entries(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_fields *f = args[0].obj;
    struct hf_head head = hf_field_store_head(f->store);
    uint32_t n = head.n_fields;
    struct hf_value *v = hf_call_alloc(call, ((size_t)n * 3 + 1) * sizeof *v);
    struct hf_view name, value;
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    size_t i = 0;
    for (size_t at = 0; i < n && hf_head_next(&head, &at, &name, &value); i++) {
        struct hf_value *kv = v + n + i * 2;
        kv[0] = hf_value_bytes(name);
        kv[1] = hf_value_bytes(value);
        v[i] = (struct hf_value){.items = kv, .len = 2};
    }
    result->items = v;
    result->len = (uint32_t)i;
    return HF_OK;
}

static enum hf_err fields_clone(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_fields *f = args[0].obj;
    struct hf_fields *copy = hf_fields_new(call, hf_field_store_new(hf_guest_of(call)), false);
    if (copy == NULL)
        return HF_TRAP;
    struct hf_head head = hf_field_store_head(f->store);
    if (hf_buf_add_view(&copy->store->buf, head.fields) != HF_OK) {
        hf_obj_release(&copy->obj);
        return hf_call_limit(call, "host memory for fields");
    }
    copy->store->n = f->store->n;
    result->obj = copy;
    return HF_OK;
}

static const struct hf_host_resource fields_ops = {"fields", hf_obj_drop};
static const struct hf_binding table[] = {
    {"[constructor]fields", fields_constructor}, {"[static]fields.from-list", fields_from_list},
    {"[method]fields.get", fields_get},          {"[method]fields.has", fields_has},
    {"[method]fields.set", fields_set},          {"[method]fields.delete", fields_delete},
    {"[method]fields.append", fields_append},    {"[method]fields.entries", fields_entries},
    {"[method]fields.clone", fields_clone},      {NULL, NULL},
};

enum hf_err hf_host_bind_fields(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = hf_registry_bind_resource(reg, "wasi:http/types", "fields", &fields_ops, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:http/types", table, report);
}
