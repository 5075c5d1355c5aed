/* host_http_fetch.c - wasi:http outgoing-handler, future-incoming-response, incoming-response.
 *
 * handle completes the request from its parts (rule 1.5.14), asks the rules whether the guest may
 * go there, and hands it to the thread's client (fetch.h): at once when a connection is kept or the
 * host is an address, else when its name is known. What it may not do or cannot be sent is said by
 * handle; everything later through the future. Dropping the future cancels; an answer's body stands
 * alone (1.5.13).
 */
#include "base/trace.h"
#include "host/fetch.h"
#include "host/http_int.h"
#include "host/names.h"
#include "host/service_int.h"

#include <stdio.h>

#define MS       1000000ull
#define PATH_MAX 32768u

/* ---- the future ------------------------------------------------------------------------------ */

struct future {
    struct hf_obj obj;
    struct hf_list in_exchange;
    struct hf_wait ready;
    struct hf_fetch fetch;
    bool running; /* the client has it */
    bool taken;   /* get gave its result */
    /* while its name is looked up */
    struct hf_name *name;
    struct hf_waiter waiter;
    struct hf_waitset set;
    /* the request, until the client has it */
    struct hf_buf head;
    struct hf_blob *blob;
    struct hf_tls_context *tls; /* the service's; NULL: plain */
    char host[HF_NET_NAME_MAX];
    uint16_t port;
    uint64_t timeouts[3];
    /* what came */
    struct hf_fault fault;
    struct hf_buf answer;
    struct hf_blob *body;
};

static struct future *future_of(struct hf_obj *obj)
{
    return HF_CONTAINER_OF(obj, struct future, obj);
}

/* Nobody waits for it; what is held for it goes. */
static void stop(struct future *f)
{
    const struct hf_fetch_table *table = hf_guest_io(f->obj.guest)->fetch;
    if (f->running)
        table->cancel(table->ctx, &f->fetch);
    f->running = false;
    hf_waiter_disarm(&f->waiter);
    hf_waitset_unpark(&f->set);
    hf_name_unref(f->name);
    f->name = NULL;
    hf_blob_unref(f->blob);
    f->blob = NULL;
    hf_blob_unref(f->body);
    f->body = NULL;
    hf_pool_give_buf(f->obj.guest->pool, &f->head);
    hf_pool_give_buf(f->obj.guest->pool, &f->answer);
}

static void future_destroy(struct hf_obj *obj)
{
    struct future *f = future_of(obj);
    hf_list_remove(&f->in_exchange);
    stop(f);
    hf_wait_done(&f->ready);
}

/* The guest is told a code; why, in words, is for whoever runs it. */
static void tell(struct hf_guest *g, const char *text)
{
    char line[224];
    int n = snprintf(line, sizeof line, "outgoing request: %s", text);
    hf_guest_log_event(g, hf_view(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1));
}

static void failed(struct future *f, enum hf_fault_kind kind, const char *text)
{
    hf_fault_set(&f->fault, kind, 0, "%.100s: %s", f->host, text);
    tell(f->obj.guest, f->fault.text);
    hf_wait_fire(&f->ready);
}

static void on_done(struct hf_fetch *fetch, struct hf_fetch_answer *a)
{
    struct future *f = HF_CONTAINER_OF(fetch, struct future, fetch);
    f->running = false;
    f->fault = a->fault;
    if (a->fault.kind == HF_FAULT_NONE) {
        f->answer = a->head;
        f->body = a->blob;
        a->head = (struct hf_buf){0};
        a->blob = NULL;
    } else {
        char text[200];
        snprintf(text, sizeof text, "%.60s:%u: %.120s", f->host, f->port, a->fault.text);
        tell(f->obj.guest, text);
    }
    hf_wait_fire(&f->ready);
}

/* HF_AGAIN: it takes addresses. */
static enum hf_err start(struct future *f, const struct hf_os_addr *addrs, uint32_t n)
{
    const struct hf_fetch_table *table = hf_guest_io(f->obj.guest)->fetch;
    struct hf_fetch_request r = {
        .head = hf_buf_view(&f->head),
        .blob = f->blob,
        .realm = hf_guest_realm(f->obj.guest),
        .tls = f->tls,
        .host = hf_view_of(f->host),
        .port = f->port,
        .addrs = addrs,
        .n_addrs = n,
        .connect_ns = f->timeouts[0],
        .first_byte_ns = f->timeouts[1],
        .between_ns = f->timeouts[2],
    };
    enum hf_err err = table->start(table->ctx, &f->fetch, &r);
    if (err == HF_OK) {
        f->running = true;
        f->blob = NULL;
        hf_pool_give_buf(f->obj.guest->pool, &f->head);
    }
    return err;
}

static void write_addr(struct hf_os_addr *to, const struct hf_ip *ip, uint16_t port)
{
    _Static_assert(sizeof to->text >= HF_IP_TEXT_MAX + 8, "an address, brackets and a port");
    char digits[5], *at = to->text;
    bool v6 = ip->family == HF_IPV6;
    size_t n = 0;
    if (v6)
        *at++ = '[';
    at += strlen(hf_ip_print(ip, at));
    if (v6)
        *at++ = ']';
    *at++ = ':';
    do
        digits[n++] = (char)('0' + port % 10);
    while ((port /= 10) != 0);
    while (n > 0)
        *at++ = digits[--n];
    *at = '\0';
}

/* The name is known, or never will be: those of its addresses that were granted are tried. */
static void named(struct future *f)
{
    const struct hf_net_rules *rules = hf_guest_http_rules(f->obj.guest);
    struct hf_os_addr addrs[HF_NAMES_IPS_MAX];
    struct hf_net_known known = {.n = 0};
    const struct hf_name *name = f->name;
    uint32_t n = 0;
    bool special = false;
    if (name->err == HF_NET_TRY_LATER) {
        failed(f, HF_FAULT_DNS_TIMEOUT, "the look-up took too long");
        return;
    }
    if (name->err != HF_NET_OK) {
        failed(f, HF_FAULT_DNS, hf_net_err_text(name->err));
        return;
    }
    for (uint32_t i = 0; i < name->n; i++) {
        struct hf_endpoint to = {.ip = name->ips[i], .port = f->port};
        hf_net_rules_learn(rules, f->host, &to.ip, &known);
        special |= hf_ip_is_special(&to.ip);
        if (hf_net_rules_connect(rules, &known, HF_NET_TCP, &to))
            write_addr(&addrs[n++], &to.ip, f->port);
    }
    if (n == 0) {
        failed(f, special ? HF_FAULT_IP_PROHIBITED : HF_FAULT_DENIED,
               special ? "it leads to an address that was not granted by its range"
                       : "this port was not granted");
        return;
    }
    if (start(f, addrs, n) != HF_OK)
        failed(f, HF_FAULT_LIMIT, "too many requests wait for it");
}

static void on_named(struct hf_waitset *set)
{
    struct future *f = HF_CONTAINER_OF(set, struct future, set);
    hf_waiter_disarm(&f->waiter);
    named(f);
}

/* ---- handle ---------------------------------------------------------------------------------- */

static struct hf_view text_of(const struct hf_text_option *o)
{
    return o->some ? hf_buf_view(&o->text) : (struct hf_view){0};
}

/* The request line's parts, completed and checked together. HF_FAULT_NONE: they are fine. */
static uint32_t complete(const struct hf_outgoing_request *r, struct hf_view *method,
                         struct hf_view *path, bool *secure)
{
    struct hf_view scheme = text_of(&r->scheme);
    *secure = !r->scheme.some || hf_view_eq_nocase(scheme, HF_VIEW("https"));
    *method = r->method.len == 0 ? HF_VIEW("GET") : hf_buf_view(&r->method);
    *path = text_of(&r->path);
    if (!*secure && !hf_view_eq_nocase(scheme, HF_VIEW("http")))
        return HF_HTTP_PROTOCOL_ERROR;
    if (!r->authority.some)
        return HF_HTTP_URI_INVALID;
    if (hf_view_eq_text(*method, "CONNECT")) /* there is no tunnel for it to ask for */
        return HF_HTTP_METHOD_INVALID;
    if (path->len > PATH_MAX)
        return HF_HTTP_URI_TOO_LONG;
    if (path->len == 0)
        *path = HF_VIEW("/");
    bool star = hf_view_eq_text(*path, "*") && hf_view_eq_text(*method, "OPTIONS");
    return path->ptr[0] == '/' || path->ptr[0] == '?' || star ? 0 : HF_HTTP_URI_INVALID;
}

/* host[:port], which authority's setter has checked. */
static struct hf_view split(struct hf_view authority, bool secure, uint16_t *port)
{
    bool bracket = authority.ptr[0] == '[';
    size_t end = bracket ? hf_view_find(authority, ']') : hf_view_find(authority, ':');
    struct hf_view host =
        bracket ? hf_view(authority.ptr + 1, end - 1) : hf_view_take(authority, end);
    struct hf_view digits = hf_view_skip(authority, end + (bracket ? 2 : 1));
    uint32_t n = 0;
    for (size_t i = 0; i < digits.len; i++)
        n = n * 10 + (uint32_t)(digits.ptr[i] - '0');
    *port = digits.len > 0 ? (uint16_t)n : secure ? 443 : 80;
    return host;
}

/* The request in hand is the parent of those that it leads to: each is a span of its own. What the
 * guest says itself stands. */
static enum hf_err write_trace(struct hf_guest *g, const struct hf_head *own,
                               struct hf_head_writer *w)
{
    struct hf_view name, value;
    struct hf_trace t;
    char parent[HF_TRACEPARENT_LEN];
    if (g->head == NULL || hf_guest_settings(g)->trace_off ||
        hf_head_find(own, HF_VIEW("traceparent"), &value))
        return HF_OK;
    struct hf_head head = hf_field_store_head(g->head);
    if (!hf_head_find(&head, HF_VIEW("traceparent"), &value) || !hf_traceparent_read(value, &t))
        return HF_OK;
    t.span = hf_io_id(hf_guest_io(g));
    hf_traceparent_write(&t, parent);
    enum hf_err err = hf_head_field(w, HF_VIEW("traceparent"), hf_view(parent, sizeof parent));
    bool state = hf_head_find(own, HF_VIEW("tracestate"), &value);
    for (size_t at = 0; !state && err == HF_OK && hf_head_next(&head, &at, &name, &value);)
        if (name.len == 10 && hf_view_eq_nocase(name, HF_VIEW("tracestate")))
            err = hf_head_field(w, name, value);
    return err;
}

static enum hf_err write_head(struct future *f, const struct hf_outgoing_request *r,
                              struct hf_view method, struct hf_view path, bool secure)
{
    struct hf_head_writer w;
    struct hf_head head = hf_field_store_head(r->m.store);
    uint32_t flags = HF_HEAD_HAS_SCHEME | HF_HEAD_HAS_AUTHORITY | HF_HEAD_HAS_PATH;
    f->head = hf_pool_take_buf(f->obj.guest->pool);
    /* All of it at once: the fields as they stand, the parts, what stands before each, a traceparent. */
    enum hf_err err = hf_buf_reserve(&f->head, 64 + 80 + method.len + path.len + r->authority.text.len +
                                                   head.fields.len);
    if (err != HF_OK)
        return err;
    err = hf_head_begin_request(&w, &f->head, r->m.blob == NULL ? flags | HF_HEAD_NO_BODY : flags,
                                method, secure ? HF_VIEW("https") : HF_VIEW("http"),
                                hf_buf_view(&r->authority.text), path);
    if (err == HF_OK)
        err = hf_head_fields(&w, &head);
    if (err == HF_OK)
        err = write_trace(f->obj.guest, &head, &w);
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

static uint32_t denied(struct hf_guest *g, struct hf_view host, uint16_t port)
{
    char text[200];
    snprintf(text, sizeof text, "%.*s:%u is not granted (--allow-outbound)",
             (int)(host.len < 120 ? host.len : 120), (const char *)host.ptr, port);
    tell(g, text);
    return HF_HTTP_REQUEST_DENIED;
}

/* An address instead of a name. A code: it is refused. */
static uint32_t set_out_to(struct hf_guest *g, struct future *f, struct hf_view host,
                           const struct hf_ip *ip)
{
    struct hf_literal *last = &g->worker->literal;
    struct hf_endpoint to = {.ip = *ip, .port = f->port};
    struct hf_os_addr addr;
    hf_ip_print(ip, f->host);
    if (!hf_net_rules_connect(hf_guest_http_rules(g), NULL, HF_NET_TCP, &to))
        return denied(g, host, f->port);
    write_addr(&addr, ip, f->port);
    if (host.len <= sizeof last->given) {
        last->port = f->port;
        last->len = (uint8_t)host.len;
        memcpy(last->given, host.ptr, host.len);
        memcpy(last->host, f->host, sizeof last->host);
        last->addr = addr;
    }
    return start(f, &addr, 1) == HF_OK ? 0 : HF_HTTP_CONNECTION_LIMIT;
}

/* To where the last one went. */
static uint32_t set_out_again(struct future *f, const struct hf_literal *last)
{
    memcpy(f->host, last->host, sizeof last->host);
    return start(f, &last->addr, 1) == HF_OK ? 0 : HF_HTTP_CONNECTION_LIMIT;
}

/* Asks the rules, and sets out. A code: it is refused. */
static uint32_t set_out(struct hf_guest *g, struct future *f, struct hf_view host, bool secure)
{
    const struct hf_net_rules *rules = hf_guest_http_rules(g);
    const struct hf_literal *last = &g->worker->literal;
    struct hf_ip ip;
    f->tls = secure ? hf_guest_http_tls(g) : NULL;
    if (!hf_net_rules_any(rules, HF_NET_TCP) || hf_guest_http_tls(g) == NULL || f->port == 0)
        return denied(g, host, f->port);
    if (hf_guest_io(g)->fetch == NULL)
        return HF_HTTP_INTERNAL_ERROR; /* run outside of a server */
    if (last->port == f->port && hf_view_eq(host, hf_view(last->given, last->len)))
        return set_out_again(f, last);
    if (hf_ip_parse(host, &ip))
        return set_out_to(g, f, host, &ip);
    if (!hf_net_name(host, f->host))
        return HF_HTTP_URI_INVALID;
    if (!hf_net_rules_lookup(rules, f->host))
        return denied(g, host, f->port);
    enum hf_err err = start(f, NULL, 0);
    if (err == HF_OK)
        return 0;
    if (err == HF_AGAIN)
        err =
            hf_names_ask(hf_guest_names(g), hf_turn_kernel(g->turn), f->host, hf_turn_now(g->turn),
                         hf_net_rules_limits(rules)->lookup_ms * MS, &f->name);
    if (err != HF_OK)
        return HF_HTTP_CONNECTION_LIMIT;
    hf_waiter_arm(&f->waiter, &f->name->ready, &f->set);
    if (!hf_waitset_park(&f->set, false))
        on_named(&f->set);
    return 0;
}

static struct future *future_new(struct hf_guest *g, const struct hf_value *options)
{
    struct future *f = hf_obj_new(g, sizeof *f, "future-incoming-response", NULL, future_destroy);
    if (f == NULL)
        return NULL;
    hf_wait_init(&f->ready, false);
    hf_waitset_init(&f->set, on_named);
    f->fetch.done = on_done;
    if (options->tag == 1) {
        const struct hf_request_options *o = options->items[0].obj;
        for (unsigned i = 0; i < 3; i++) /* 0 asks for none, which is the shortest there is */
            f->timeouts[i] = o->t[i].some && o->t[i].ns == 0 ? 1 : o->t[i].ns;
    }
    return f;
}

static enum hf_err handle(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_outgoing_request *r = args[0].obj;
    struct future *f = future_new(g, &args[1]);
    struct hf_view method, path;
    bool secure;
    uint32_t code = complete(r, &method, &path, &secure);
    enum hf_err err = f == NULL ? HF_LIMIT : HF_OK;
    if (err == HF_OK && code == 0) {
        struct hf_view host = split(hf_buf_view(&r->authority.text), secure, &f->port);
        err = write_head(f, r, method, path, secure);
        f->blob = r->m.blob;
        r->m.blob = NULL;
        if (err == HF_OK)
            code = set_out(g, f, host, secure);
        if (err == HF_OK && code == 0 && r->m.body != NULL)
            r->m.body->message = NULL; /* sent: its writes have a reader */
    }
    hf_obj_release(&r->obj); /* request and options are ours now, whatever the answer (1.5.12) */
    if (args[1].tag == 1)
        hf_obj_release(args[1].items[0].obj);
    if (err == HF_OK && code == 0) {
        if (g->http != NULL)
            hf_list_push_back(&g->http->fetches, &f->in_exchange);
        return hf_http_ok(call, hf_value_obj(f), result);
    }
    if (f != NULL)
        hf_obj_release(&f->obj);
    return err != HF_OK ? hf_call_limit(call, "host memory for requests")
                        : hf_http_code(call, code, NULL, result);
}

/* ---- incoming-response ----------------------------------------------------------------------- */

struct answer {
    struct hf_obj obj;
    struct hf_list in_exchange;
    struct hf_field_store *store;
    uint16_t status;
    struct hf_blob *body;
    bool consumed;
};

static void answer_destroy(struct hf_obj *obj)
{
    struct answer *a = HF_CONTAINER_OF(obj, struct answer, obj);
    hf_list_remove(&a->in_exchange);
    hf_field_store_unref(a->store);
    hf_blob_unref(a->body);
}

/* Takes head and body over. NULL: memory. */
static struct answer *answer_new(struct hf_guest *g, struct future *f)
{
    struct answer *a = hf_obj_new(g, sizeof *a, "incoming-response", NULL, answer_destroy);
    struct hf_field_store *s = a == NULL ? NULL : hf_field_store_new(g);
    struct hf_head head;
    if (s == NULL) {
        if (a != NULL)
            hf_obj_release(&a->obj);
        return NULL;
    }
    a->store = s;
    s->buf = f->answer;
    f->answer = (struct hf_buf){0};
    enum hf_err err = hf_head_read(hf_buf_view(&s->buf), &head, NULL);
    HF_ASSERT(err == HF_OK); /* the client wrote it */
    s->n = head.n_fields;
    s->start = (size_t)(head.fields.ptr - s->buf.ptr);
    a->status = head.status;
    a->body = f->body;
    f->body = NULL;
    if (g->http != NULL)
        hf_list_push_back(&g->http->answers, &a->in_exchange);
    return a;
}

static enum hf_err answer_status(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result)
{
    (void)call;
    result->u64 = ((const struct answer *)args[0].obj)->status;
    return HF_OK;
}

static enum hf_err answer_headers(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    const struct answer *a = args[0].obj;
    result->obj = hf_fields_new(call, hf_field_store_ref(a->store), true);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static enum hf_err answer_consume(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    struct answer *a = args[0].obj;
    if (a->consumed) {
        *result = hf_value_case(1, NULL);
        return HF_OK;
    }
    struct hf_blob *body = a->body;
    a->body = NULL;
    a->consumed = true;
    struct hf_incoming_body *b = hf_incoming_body_new(hf_guest_of(call), body, true);
    if (b == NULL)
        return hf_call_limit(call, "host memory for bodies");
    return hf_http_ok(call, hf_value_obj(b), result);
}

/* ---- what the future gives ------------------------------------------------------------------- */

static enum hf_err future_subscribe(struct hf_call *call, const struct hf_value *args,
                                    struct hf_value *result)
{
    struct future *f = args[0].obj;
    result->obj = hf_pollable_new(call, &f->ready, &f->obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

/* option<result<result<incoming-response, error-code>>> */
static enum hf_err future_get(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    struct future *f = args[0].obj;
    struct hf_value *v = hf_call_alloc(call, 3 * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    *result = hf_value_case(0, NULL);
    if (!f->ready.ready)
        return HF_OK;
    *result = hf_value_case(1, &v[0]);
    v[0] = hf_value_case(1, NULL); /* already taken */
    if (f->taken)
        return HF_OK;
    f->taken = true;
    v[0] = hf_value_case(0, &v[1]);
    if (f->fault.kind != HF_FAULT_NONE) {
        v[1] = hf_value_case(1, &v[2]);
        return hf_http_fault(call, &f->fault, &v[2]);
    }
    struct answer *a = answer_new(hf_guest_of(call), f);
    if (a == NULL)
        return hf_call_limit(call, "host memory for answers");
    v[2] = hf_value_obj(a);
    v[1] = hf_value_case(0, &v[2]);
    return HF_OK;
}

void hf_http_fetch_end(struct hf_http_state *h)
{
    for (struct hf_list *n; (n = hf_list_pop_front(&h->fetches)) != NULL;) {
        struct future *f = HF_LIST_ENTRY(n, struct future, in_exchange);
        stop(f);
        hf_wait_fire(&f->ready);
        f->taken = true; /* whatever came, it is gone */
    }
    for (struct hf_list *n; (n = hf_list_pop_front(&h->answers)) != NULL;) {
        struct answer *a = HF_LIST_ENTRY(n, struct answer, in_exchange);
        hf_blob_unref(a->body);
        a->body = NULL;
    }
}

/* ---- binding --------------------------------------------------------------------------------- */

static const struct hf_host_resource answer_ops = {"incoming-response", hf_obj_drop};
static const struct hf_host_resource future_ops = {"future-incoming-response", hf_obj_drop};
static const struct hf_binding table[] = {
    {"[method]incoming-response.status", answer_status},
    {"[method]incoming-response.headers", answer_headers},
    {"[method]incoming-response.consume", answer_consume},
    {"[method]future-incoming-response.subscribe", future_subscribe},
    {"[method]future-incoming-response.get", future_get},
    {NULL, NULL},
};

enum hf_err hf_host_bind_http_fetch(struct hf_registry *reg, struct hf_report *report)
{
    static const char iface[] = "wasi:http/types";
    enum hf_err err =
        hf_registry_bind_resource(reg, iface, "incoming-response", &answer_ops, report);
    if (err == HF_OK)
        err =
            hf_registry_bind_resource(reg, iface, "future-incoming-response", &future_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_all(reg, iface, table, report);
    return err != HF_OK
               ? err
               : hf_registry_bind(reg, "wasi:http/outgoing-handler", "handle", handle, report);
}
