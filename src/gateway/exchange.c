/* exchange.c - one request and its answer (exchange.h). */
#include "gateway/exchange.h"

#include "gateway/route.h"

#define HEAD_ROOM    511u /* as buffers of answers have, which come back to the spares */
#define NAME_MAX_LEN 2048u /* of a target or host in the log; the service sees all of it */

static void on_wake(struct hf_waitset *set)
{
    struct hf_exchange *x = HF_CONTAINER_OF(set, struct hf_exchange, set);
    x->owner->ready(x);
}

void hf_exchange_open(struct hf_exchange *x, struct hf_gateway *gw,
                      const struct hf_exchange_owner *owner)
{
    x->gw = gw;
    x->owner = owner;
    x->start_ns = gw->now_ns;
    hf_waitset_init(&x->set, on_wake);
}

/* Into room that is reserved. */
static void name(struct hf_exchange *x, struct hf_view v)
{
    if (v.len > 0)
        memcpy(x->names.ptr + x->names.len, v.ptr, v.len);
    x->names.len += v.len;
    x->names.ptr[x->names.len] = '\0';
}

void hf_exchange_name(struct hf_exchange *x, struct hf_view method, struct hf_view target,
                      struct hf_view host)
{
    if (x->gw->s.access == NULL || x->gw->s.access_unnamed)
        return;
    method = hf_view_take(method, NAME_MAX_LEN);
    target = hf_view_take(target, NAME_MAX_LEN);
    host = hf_view_take(host, NAME_MAX_LEN);
    if (hf_buf_reserve(&x->names, method.len + target.len + host.len) != HF_OK)
        return; /* a line in the log without names is better than no answer */
    x->method_len = (uint32_t)method.len;
    x->target_len = (uint32_t)target.len;
    x->host_len = (uint32_t)host.len;
    name(x, method);
    name(x, target);
    name(x, host);
}

/* Behind the names: the id that the client gave, and who it says it is. */
static void keep_for_log(struct hf_exchange *x, const struct hf_exchange_request *r,
                         struct hf_view id)
{
    struct hf_view referer = {0}, agent = {0};
    const struct hf_gateway_settings *s = &x->gw->s;
    for (uint32_t i = 0; s->agents && s->access != NULL && i < r->n_fields; i++) {
        const struct hf_strict_field *f = &r->fields[i];
        if (f->name.len == 7 && hf_view_eq_nocase(f->name, HF_VIEW("referer")))
            referer = hf_view_take(f->value, NAME_MAX_LEN);
        else if (f->name.len == 10 && hf_view_eq_nocase(f->name, HF_VIEW("user-agent")))
            agent = hf_view_take(f->value, NAME_MAX_LEN);
    }
    size_t len = id.len + referer.len + agent.len;
    if (s->access == NULL && !s->debug_header) /* nobody will ask */
        return;
    if (len == 0 || hf_buf_reserve(&x->names, len) != HF_OK)
        return;
    name(x, id);
    name(x, referer);
    name(x, agent);
    x->id_len = (uint32_t)id.len;
    x->referer_len = (uint32_t)referer.len;
}

struct hf_view hf_exchange_id(const struct hf_exchange *x, char room[16])
{
    if (!hf_trace_is(&x->context.trace))
        return (struct hf_view){0};
    if (x->id_len > 0)
        return hf_view(x->names.ptr + x->method_len + x->target_len + x->host_len, x->id_len);
    hf_hex64(x->context.trace.span, room);
    return hf_view(room, 16);
}

/* ---- posting ---- */

static bool is_consumed(struct hf_view name) /* said to us, not to the service */
{
    return (name.len == 4 && hf_view_eq_nocase(name, HF_VIEW("host"))) ||
           (name.len == 6 && hf_view_eq_nocase(name, HF_VIEW("expect")));
}

static enum hf_err write_head(struct hf_exchange *x, struct hf_buf *buf,
                              const struct hf_exchange_request *r)
{
    struct hf_head_writer w;
    bool traced = x->gw->s.trace;
    uint32_t flags = HF_HEAD_HAS_SCHEME | HF_HEAD_HAS_PATH |
                     (r->authority.len > 0 ? HF_HEAD_HAS_AUTHORITY : 0) |
                     (r->has_body ? 0 : HF_HEAD_NO_BODY);
    enum hf_err err = hf_buf_reserve(buf, HEAD_ROOM); /* for most heads, instead of growing to it */
    if (err != HF_OK)
        return err;
    err =
        hf_head_begin_request(&w, buf, flags, r->method, HF_VIEW("http"), r->authority, r->path);
    for (uint32_t i = 0; err == HF_OK && i < r->n_fields; i++)
        if (!r->fields[i].hop && !is_consumed(r->fields[i].name) &&
            !(traced && hf_context_owns(r->fields[i].name)))
            err = hf_head_field(&w, r->fields[i].name, r->fields[i].value);
    if (err == HF_OK && traced)
        err = hf_context_write(&x->context, r->fields, r->n_fields, &w);
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

static enum hf_err make_blob(struct hf_exchange *x, const struct hf_exchange_request *r,
                             struct hf_blob **ret)
{
    struct hf_blob_pool *pool = hf_kernel_blobs(x->gw->s.kernel);
    *ret = NULL;
    if (!r->has_body)
        return HF_OK;
    if (r->whole.len > 0) {
        *ret = hf_blob_of_bytes_in(pool, r->whole);
        x->bytes_in = r->whole.len;
    } else {
        *ret = x->in = hf_blob_new_in(pool, r->length, x->gw->s.body_window);
    }
    return *ret == NULL ? HF_LIMIT : HF_OK;
}

void hf_exchange_route(struct hf_exchange *x, const struct hf_exchange_request *r)
{
    struct hf_gateway *gw = x->gw;
    struct hf_route_target to = {0};
    if (gw->s.trace)
        hf_context_take(r->fields, r->n_fields, &gw->ids, &x->context);
    keep_for_log(x, r, x->context.id);
    if (gw->routes->table != NULL &&
        hf_route_find(gw->routes->table, r->authority, r->route, r->method, &to)) {
        x->routes = gw->routes; /* the name lives in its table: the log says it at the end */
        x->routes->users++;
    }
    x->service = to.service;
    x->body_max = to.body_max != 0 ? to.body_max : gw->s.body_max;
}

static void let_routes_go(struct hf_exchange *x)
{
    struct hf_gateway_routes *r = x->routes;
    x->routes = NULL;
    x->service = (struct hf_view){0};
    if (r != NULL && --r->users == 0 && r != x->gw->routes && r->released != NULL)
        r->released(r);
}

void hf_exchange_post(struct hf_exchange *x, const struct hf_exchange_request *r)
{
    struct hf_gateway *gw = x->gw;
    if (x->service.len == 0) {
        hf_exchange_refuse(x, 404, "no-route", "nothing is served at this address", HF_CANCELLED);
        return;
    }
    struct hf_post post = {
        .target = x->service,
        .body = hf_gateway_take_buf(gw),
        .timeout_ns = gw->s.request_timeout_ns,
        .port = &gw->port,
        .tag = x,
    };
    enum hf_err err = write_head(x, &post.body, r);
    if (err == HF_OK)
        err = make_blob(x, r, &post.blob);
    if (err == HF_OK)
        err = hf_port_post(gw->s.kernel, &post, &x->id);
    if (err == HF_OK) {
        x->owed = true;
        gw->owed++;
        return;
    }
    hf_gateway_give_buf(gw, &post.body);
    hf_blob_unref(post.blob);
    if (err == HF_NOT_FOUND) {
        hf_exchange_refuse(x, 404, "no-such", "there is no such service", HF_CANCELLED);
    } else {
        hf_exchange_refuse(x, 503, "full", "the server has too much to do, try again soon",
                           HF_CANCELLED);
        x->reply.retry = true;
    }
}

static void cancel(struct hf_exchange *x)
{
    if (x->owed)
        hf_port_cancel(x->gw->s.kernel, x->id);
}

void hf_exchange_refuse(struct hf_exchange *x, uint16_t status, const char *how, const char *text,
                        enum hf_err err)
{
    hf_exchange_feed_fail(x, err);
    hf_blob_reader_close(&x->out);
    cancel(x);
    hf_reply_page(&x->reply, status, how, text);
    x->answered = true;
    x->owner->ready(x);
}

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *answer)
{
    struct hf_exchange *x = tag;
    struct hf_gateway *gw = x->gw;
    (void)port;
    x->owed = false;
    if (x->closed) {
        x->owner->release(x);
        hf_gateway_unowe(gw);
        return;
    }
    hf_gateway_unowe(gw);
    if (x->answered)
        return; /* we answered ourselves meanwhile; the kernel frees what came */
    x->process = answer->process;
    x->served = answer->served;
    x->born_ns = answer->born_ns;
    hf_reply_of_answer(&x->reply, answer);
    x->answered = true;
    x->owner->ready(x);
}

void hf_exchange_port_init(struct hf_port *port)
{
    port->answer = on_answer;
}

/* ---- the request body ---- */

size_t hf_exchange_room(struct hf_exchange *x)
{
    if (x->in != NULL && !hf_blob_wanted(x->in))
        hf_exchange_feed_fail(x, HF_CANCELLED);
    return x->in == NULL ? SIZE_MAX : hf_blob_room(x->in);
}

void hf_exchange_feed(struct hf_exchange *x, struct hf_view bytes)
{
    x->bytes_in += bytes.len;
    if (x->in == NULL)
        return;
    enum hf_err err = hf_blob_push(x->in, bytes);
    if (err != HF_OK)
        hf_exchange_feed_fail(x, err); /* nobody reads it, or no memory: readers see which */
}

uint8_t *hf_exchange_reserve(struct hf_exchange *x, size_t want, size_t *got)
{
    uint8_t *space = hf_blob_reserve(x->in, want, got);
    if (space == NULL)
        hf_exchange_feed_fail(x, HF_LIMIT);
    return space;
}

void hf_exchange_commit(struct hf_exchange *x, size_t n)
{
    x->bytes_in += n;
    enum hf_err err = hf_blob_commit(x->in, n);
    if (err != HF_OK)
        hf_exchange_feed_fail(x, err);
}

static enum hf_err add_trailers(struct hf_exchange *x, const struct hf_strict_field *trailers,
                                uint32_t n)
{
    struct hf_head_writer w;
    struct hf_buf buf = hf_gateway_take_buf(x->gw);
    /* a head is either a request's or a response's; nobody asks which one trailers are */
    enum hf_err err = hf_head_begin_response(&w, &buf, 0, 200);
    for (uint32_t i = 0; err == HF_OK && i < n; i++)
        err = hf_head_field(&w, trailers[i].name, trailers[i].value);
    if (err == HF_OK)
        err = hf_blob_set_trailers(x->in, hf_head_end(&w));
    hf_gateway_give_buf(x->gw, &buf);
    return err;
}

void hf_exchange_feed_end(struct hf_exchange *x, const struct hf_strict_field *trailers, uint32_t n)
{
    if (x->in == NULL)
        return;
    enum hf_err err = n > 0 ? add_trailers(x, trailers, n) : HF_OK;
    if (err != HF_OK) {
        hf_exchange_feed_fail(x, err);
        return;
    }
    struct hf_blob *in = x->in;
    hf_waiter_disarm(&x->room);
    x->in = NULL;
    hf_blob_finish(in);
}

void hf_exchange_feed_fail(struct hf_exchange *x, enum hf_err err)
{
    struct hf_blob *in = x->in;
    if (in == NULL)
        return;
    hf_waiter_disarm(&x->room);
    x->in = NULL;
    hf_blob_fail(in, err);
}

/* ---- the answer's body ---- */

void hf_exchange_open_body(struct hf_exchange *x)
{
    if (x->reply.blob != NULL)
        hf_blob_reader_open(&x->out, &x->reply.blob);
}

void hf_exchange_wait(struct hf_exchange *x, bool room, bool bytes)
{
    if (x->waiting) {
        hf_waitset_unpark(&x->set);
        hf_waiter_disarm(&x->room);
        hf_waiter_disarm(&x->bytes);
    }
    x->waiting = room || bytes;
    if (!x->waiting)
        return;
    if (room)
        hf_waiter_arm(&x->room, hf_blob_room_wait(x->in), &x->set);
    if (bytes)
        hf_waiter_arm(&x->bytes, &x->out.wait, &x->set);
    if (!hf_waitset_park(&x->set, false))
        x->owner->ready(x);
}

/* ---- the end ---- */

/* Takes n bytes off the front. */
static struct hf_view cut(struct hf_view *rest, size_t n)
{
    struct hf_view v = hf_view_take(*rest, n);
    *rest = hf_view_skip(*rest, n);
    return v;
}

static void report(struct hf_exchange *x, const char *how, uint16_t status, const char *peer)
{
    struct hf_gateway *gw = x->gw;
    gw->stats.bytes_in += x->bytes_in;
    gw->stats.bytes_out += x->bytes_out;
    if (gw->s.access == NULL)
        return;
    char room[16];
    if (gw->s.trace && !hf_trace_is(&x->context.trace)) /* it was no request: its line has an id all the same */
        hf_trace_new(&x->context.trace, &gw->ids);
    struct hf_view id = hf_exchange_id(x, room), rest = hf_buf_view(&x->names);
    struct hf_access access = {
        .method = cut(&rest, x->method_len),
        .target = cut(&rest, x->target_len),
        .host = cut(&rest, x->host_len),
        .peer = hf_view_of(peer),
        .service = x->service,
        .protocol = x->protocol != NULL ? x->protocol : "HTTP/1.1",
        .trace = x->context.trace,
        .request_id = id,
        .status = status,
        .bytes_in = x->bytes_in,
        .bytes_out = x->bytes_out,
        .start_ns = x->start_ns,
        .first_byte_ns = x->first_byte_ns,
        .end_ns = gw->now_ns,
        .process = x->process,
        .served = x->served,
        .how = how != NULL ? how : x->reply.how,
        .detail =
            x->reply.detail.len > 0 ? hf_buf_view(&x->reply.detail) : hf_view_of(x->reply.text),
    };
    cut(&rest, x->id_len);
    access.referer = cut(&rest, x->referer_len);
    access.agent = rest;
    gw->s.access(gw->s.access_ctx, &access);
}

void hf_exchange_close(struct hf_exchange *x, const char *how, uint16_t status, const char *peer)
{
    HF_ASSERT(!x->closed);
    x->closed = true;
    if (x->waiting)
        hf_waitset_unpark(&x->set);
    hf_waiter_disarm(&x->room);
    hf_waiter_disarm(&x->bytes);
    hf_exchange_feed_fail(x, HF_CLOSED);
    hf_blob_reader_close(&x->out);
    cancel(x);
    report(x, how, status, peer);
    let_routes_go(x);
    hf_gateway_give_buf(x->gw, &x->reply.bytes);
    hf_reply_done(&x->reply);
    if (!x->owed)
        x->owner->release(x);
}
