/* support_call.c - see support.h: calling the host's functions from a script, by name, with
 * handles. */
#include "support.h"

#include "base/utf.h"
#include "support_find.h"

/* ---- what a result must look like (component/value.h) ---- */

static bool bad(char *why, size_t room, const char *text, const struct hf_type *t)
{
    snprintf(why, room, "%s of a %s", text, hf_type_kind_text(t->kind));
    return false;
}

static bool shape(const struct hf_type *t, const struct hf_value *v, char *why, size_t room);

static bool shape_all(const struct hf_type *t, const struct hf_value *v, char *why, size_t room)
{
    if (v->len != t->n || v->items == NULL)
        return bad(why, room, "wrong number of fields", t);
    for (uint32_t i = 0; i < t->n; i++)
        if (!shape(t->members[i].type, &v->items[i], why, room))
            return false;
    return true;
}

static bool shape_list(const struct hf_type *t, const struct hf_value *v, char *why, size_t room)
{
    if (v->len > 0 && v->items == NULL)
        return bad(why, room, "no elements", t);
    for (uint32_t i = 0; !t->elem->scalar && i < v->len; i++)
        if (!shape(t->elem, &v->items[i], why, room))
            return false;
    return true;
}

static bool shape(const struct hf_type *t, const struct hf_value *v, char *why, size_t room)
{
    switch (t->kind) {
    case HF_T_BOOL: return v->u64 <= 1 || bad(why, room, "too large a value", t);
    case HF_T_U8:
    case HF_T_U16:
    case HF_T_U32: return v->u64 >> (8 * t->size) == 0 || bad(why, room, "too large a value", t);
    case HF_T_STRING:
        return (v->tag == HF_ENC_UTF8 &&
                (v->len == 0 || (v->bytes != NULL && hf_utf8_valid(v->bytes, v->len)))) ||
               bad(why, room, "no UTF-8", t);
    case HF_T_LIST: return shape_list(t, v, why, room);
    case HF_T_RECORD:
    case HF_T_TUPLE: return shape_all(t, v, why, room);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        if (v->tag >= t->n)
            return bad(why, room, "no such case", t);
        if (t->members[v->tag].type == NULL)
            return v->items == NULL || bad(why, room, "a payload for a case without one", t);
        return v->items == NULL ? bad(why, room, "no payload for a case", t)
                                : shape(t->members[v->tag].type, v->items, why, room);
    case HF_T_OWN: return v->obj != NULL || bad(why, room, "no object", t);
    case HF_T_BORROW: return bad(why, room, "a result", t);
    default: return true;
    }
}

/* ---- handles in values ---- */

static enum hf_err in_value(struct hf_canon_cx *cx, const struct hf_type *t, struct hf_value *v)
{
    enum hf_err err = HF_OK;
    switch (t->kind) {
    case HF_T_OWN:
    case HF_T_BORROW: return hf_lift_handle(cx, t, (uint32_t)v->u64, v);
    case HF_T_LIST:
        for (uint32_t i = 0; !t->elem->scalar && i < v->len && err == HF_OK; i++)
            err = in_value(cx, t->elem, &v->items[i]);
        return err;
    case HF_T_RECORD:
    case HF_T_TUPLE:
        for (uint32_t i = 0; i < t->n && err == HF_OK; i++)
            err = in_value(cx, t->members[i].type, &v->items[i]);
        return err;
    case HF_T_VARIANT:
    case HF_T_OPTION:
    case HF_T_RESULT:
        return t->members[v->tag].type == NULL ? HF_OK
                                               : in_value(cx, t->members[v->tag].type, v->items);
    default: return HF_OK;
    }
}

/* As lowering does: bytes are copied, objects become handles. */
static enum hf_err out_value(struct hf_canon_cx *cx, const struct hf_type *t, struct hf_value *v)
{
    enum hf_err err = HF_OK;
    uint32_t handle, size = t->kind == HF_T_LIST ? t->elem->size : 1;
    switch (t->kind) {
    case HF_T_OWN:
        err = hf_lower_handle(cx, t, v, &handle);
        v->u64 = handle;
        return err;
    case HF_T_LIST:
        if (!t->elem->scalar) {
            for (uint32_t i = 0; i < v->len && err == HF_OK; i++)
                err = out_value(cx, t->elem, &v->items[i]);
            return err;
        }
        /* fall through */
    case HF_T_STRING: {
        size_t n = (size_t)v->len * size;
        uint8_t *copy = hf_canon_alloc(cx, n + 1);
        if (copy == NULL)
            return HF_TRAP;
        if (n > 0)
            memcpy(copy, v->bytes, n);
        v->bytes = copy;
        return HF_OK;
    }
    case HF_T_RECORD:
    case HF_T_TUPLE:
        for (uint32_t i = 0; i < t->n && err == HF_OK; i++)
            err = out_value(cx, t->members[i].type, &v->items[i]);
        return err;
    case HF_T_VARIANT:
    case HF_T_OPTION:
    case HF_T_RESULT:
        return t->members[v->tag].type == NULL ? HF_OK
                                               : out_value(cx, t->members[v->tag].type, v->items);
    default: return HF_OK;
    }
}

/* ---- calling ---- */

static void misuse(const char *name, const char *what)
{
    fprintf(stderr, "%s: %s\n", name, what);
    abort();
}

struct hf_value *guest_call(struct guest *t, const char *name, const struct hf_value *given,
                            size_t n)
{
    const struct hf_host_func *host = find_host_func(t->w->shared->registry, name);
    const struct hf_ftype *f = host->type;
    struct hf_tramp def = {.kind = HF_TRAMP_LOWER, .func = {.from = HF_FUNC_HOST, .host = host}};
    struct hf_tramp_rt tramp = {.def = &def, .ci = t->call->ci};
    union hf_val vals[HF_FLAT_PARAMS_MAX] = {{.u64 = 0}};
    struct hf_call call = {.inst = t->call->inst, .ci = t->call->ci, .tramp = &tramp, .flat = vals};
    struct hf_value args[8], *result = hf_call_alloc(t->call, sizeof *result);
    struct hf_canon_cx cx;
    char why[128];
    uint32_t at = 0;

    if (n != f->n_params || n > HF_ARRAY_LEN(args) || result == NULL)
        misuse(name, "not so many arguments");
    *result = (struct hf_value){.u64 = 0};
    hf_canon_cx_init(&cx, call.inst, call.ci, &t->call->tramp->opts);
    for (size_t i = 0; i < n; i++) {
        args[i] = given[i];
        if (f->params[i].type->kind == HF_T_OWN || f->params[i].type->kind == HF_T_BORROW)
            vals[at].u64 = args[i].u64;
        at += f->params[i].type->n_flat;
    }
    t->err = HF_OK;
    for (size_t i = 0; i < n && t->err == HF_OK; i++)
        t->err = in_value(&cx, f->params[i].type, &args[i]);
    if (t->err == HF_OK)
        t->err = host->fn(&call, args, result);
    hf_canon_give_back(&cx);
    if (t->err != HF_OK)
        return NULL;
    if (f->result == NULL)
        return result;
    if (!shape(f->result, result, why, sizeof why)) {
        guest_failed(t, name, 0, why);
        return NULL;
    }
    t->err = out_value(&cx, f->result, result);
    return t->err == HF_OK ? result : NULL;
}

void guest_drop(struct guest *t, uint32_t handle)
{
    const struct hf_handle *h = hf_handles_at(&t->call->ci->handles, handle);
    struct hf_tramp def = {.kind = HF_TRAMP_RESOURCE_DROP};
    struct hf_tramp_rt tramp = {.def = &def, .ci = t->call->ci};
    union hf_val vals[1] = {{.u64 = handle}};
    if (h == NULL)
        misuse("drop", "no such handle");
    def.resource = h->type;
    t->err = hf_tramp_resource_drop(&tramp, vals);
}

bool guest_trapped(struct guest *t, const char *text)
{
    struct hf_report *report = hf_store_report(t->call->inst->store);
    bool ok = t->err == HF_TRAP && strstr(report->text, text) != NULL;
    if (!ok)
        fprintf(stderr, "%s: \"%s\", not a trap with \"%s\"\n", hf_err_text(t->err), report->text,
                text);
    hf_report_init(report);
    t->err = HF_OK;
    return ok;
}

void guest_failed(struct guest *t, const char *file, int line, const char *what)
{
    if (t->w->failure[0] == '\0')
        snprintf(t->w->failure, sizeof t->w->failure, "%s:%d: %s", file, line, what);
}

void *guest_obj(struct guest *t, uint32_t handle)
{
    const struct hf_handle *h = hf_handles_at(&t->call->ci->handles, handle);
    if (h == NULL)
        misuse("guest_obj", "no such handle");
    return h->obj;
}

/* ---- common deeds ---- */

uint32_t new_fields(struct guest *t, const char *text)
{
    struct hf_value *r = guest_call(t, "[constructor]fields", NULL, 0);
    uint32_t handle = r == NULL ? 0 : (uint32_t)r->u64;
    struct hf_view rest = hf_view_of(text);
    while (handle != 0 && rest.len > 0) {
        size_t n = hf_view_find(rest, '\n');
        struct hf_view line = hf_view_take(rest, n);
        size_t colon = hf_view_find(line, ':');
        const struct hf_value args[] = {H(handle), hf_value_bytes(hf_view_take(line, colon)),
                                        hf_value_bytes(hf_view_skip(line, colon + 2))};
        r = guest_call(t, "fields.append", args, 3);
        if (r == NULL || r->tag != 0)
            return 0;
        rest = hf_view_skip(rest, n + 1);
    }
    return handle;
}

uint32_t new_response(struct guest *t, const char *fields)
{
    const struct hf_value args[] = {H(new_fields(t, fields))};
    struct hf_value *r =
        args[0].u64 == 0 ? NULL : guest_call(t, "[constructor]outgoing-response", args, 1);
    return r == NULL ? 0 : (uint32_t)r->u64;
}

bool set_response(struct guest *t, uint32_t response)
{
    struct hf_value payload = H(response);
    const struct hf_value args[] = {H(t->out), CASE(0, &payload)};
    return guest_call(t, "response-outparam.set", args, 2) != NULL;
}

static uint32_t got(struct guest *t, const char *name, uint32_t self)
{
    const struct hf_value args[] = {H(self)};
    struct hf_value *r = self == 0 ? NULL : guest_call(t, name, args, 1);
    return r == NULL || r->tag != 0 ? 0 : (uint32_t)r->items[0].u64;
}

bool open_reply(struct guest *t, const char *fields, bool send, struct reply *ret)
{
    ret->response = new_response(t, fields);
    ret->body = got(t, "outgoing-response.body", ret->response);
    ret->stream = got(t, "outgoing-body.write", ret->body);
    return ret->stream != 0 && (!send || set_response(t, ret->response));
}

bool finish(struct guest *t, struct reply *reply)
{
    guest_drop(t, reply->stream);
    if (t->err != HF_OK)
        return false;
    const struct hf_value args[] = {H(reply->body), CASE(0, NULL)};
    struct hf_value *r = guest_call(t, "outgoing-body.finish", args, 2);
    return r != NULL && r->tag == 0;
}

bool answer(struct guest *t, const char *text)
{
    struct reply reply;
    if (!open_reply(t, "", true, &reply))
        return false;
    const struct hf_value args[] = {H(reply.stream), T(text)};
    struct hf_value *r = guest_call(t, "output-stream.blocking-write-and-flush", args, 2);
    return r != NULL && r->tag == 0 && finish(t, &reply);
}

uint32_t body_stream(struct guest *t, uint32_t *body)
{
    *body = got(t, "incoming-request.consume", t->request);
    return got(t, "incoming-body.stream", *body);
}

uint32_t subscribe_ns(struct guest *t, uint64_t ns)
{
    const struct hf_value args[] = {U(ns)};
    struct hf_value *r = guest_call(t, "subscribe-duration", args, 1);
    return r == NULL ? 0 : (uint32_t)r->u64;
}
