/*
 * A proxy: every request goes to the server that UPSTREAM names, and its answer comes back. Bodies
 * run both ways at once, and the host moves their bytes (splice): whatever their size, this guest
 * never sees one, and neither side is read faster than the other takes it.
 *
 *     holdfast serve proxy.wasm --env UPSTREAM=http://127.0.0.1:3000 --allow-outbound 127.0.0.1:3000
 */
#include "holdfast_http.h"

#include <string.h>

enum { PIECE = 1024 * 1024 };

/* One direction: from a body that comes in to one that goes out. */
struct pipe {
    bool open;
    wasi_http_types_own_incoming_body_t from;
    wasi_http_types_own_outgoing_body_t to;
    wasi_io_streams_own_input_stream_t in;
    wasi_io_streams_own_output_stream_t out;
    wasi_io_poll_own_pollable_t in_ready, out_ready;
    bool in_waits, out_waits; /* those are made: at the first wait, which small bodies never need */
    bool full;                /* it waits for `out`, not for `in` */
};

static bool pipe_open(struct pipe *p, wasi_http_types_own_incoming_body_t from,
                      wasi_http_types_own_outgoing_body_t to)
{
    *p = (struct pipe){.from = from, .to = to};
    if (!wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(from), &p->in) ||
        !wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(to), &p->out))
        return false;
    p->open = true;
    return true;
}

/* `whole`: the end is said too; else the other side sees that it broke off. */
static void pipe_close(struct pipe *p, bool whole)
{
    wasi_http_types_error_code_t error;
    p->open = false;
    if (p->in_waits)
        wasi_io_poll_pollable_drop_own(p->in_ready);
    if (p->out_waits)
        wasi_io_poll_pollable_drop_own(p->out_ready);
    wasi_io_streams_input_stream_drop_own(p->in);
    wasi_io_streams_output_stream_drop_own(p->out);
    wasi_http_types_incoming_body_drop_own(p->from);
    if (!whole)
        wasi_http_types_outgoing_body_drop_own(p->to);
    else if (!wasi_http_types_static_outgoing_body_finish(p->to, NULL, &error))
        wasi_http_types_error_code_free(&error);
}

/* Moves what can be moved now. False: nothing could. (splice takes no more than there is room for; only when it takes
 * nothing do we have to ask which side that was.) */
static bool pipe_move(struct pipe *p)
{
    wasi_io_streams_borrow_output_stream_t out = wasi_io_streams_borrow_output_stream(p->out);
    wasi_io_streams_borrow_input_stream_t in = wasi_io_streams_borrow_input_stream(p->in);
    wasi_io_streams_stream_error_t error;
    uint64_t permit = 0, moved = 0;
    for (bool any = false;; any = true) {
        if (!wasi_io_streams_method_output_stream_splice(out, in, PIECE, &moved, &error)) {
            /* The end of one side, or nobody takes it any more on the other. */
            bool closed = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
            wasi_io_streams_stream_error_free(&error);
            bool end = closed && wasi_io_streams_method_output_stream_check_write(out, &permit, &error);
            if (closed && !end)
                wasi_io_streams_stream_error_free(&error);
            pipe_close(p, end);
            return true;
        }
        if (moved > 0)
            continue;
        if (!wasi_io_streams_method_output_stream_check_write(out, &permit, &error)) {
            wasi_io_streams_stream_error_free(&error);
            pipe_close(p, false); /* nobody takes it any more */
            return true;
        }
        p->full = permit == 0;
        return any;
    }
}

/* What it waits for now. */
static wasi_io_poll_borrow_pollable_t pipe_ready(struct pipe *p)
{
    if (p->full && !p->out_waits)
        p->out_ready = wasi_io_streams_method_output_stream_subscribe(wasi_io_streams_borrow_output_stream(p->out));
    if (!p->full && !p->in_waits)
        p->in_ready = wasi_io_streams_method_input_stream_subscribe(wasi_io_streams_borrow_input_stream(p->in));
    p->out_waits |= p->full;
    p->in_waits |= !p->full;
    return wasi_io_poll_borrow_pollable(p->full ? p->out_ready : p->in_ready);
}

/* ---- the two requests ---- */

/* Where requests go: read once an instance. */
static bool upstream(wasi_http_types_scheme_t *scheme, char *authority, size_t size)
{
    service_list_tuple2_string_string_t env;
    bool found = false;
    wasi_cli_environment_get_environment(&env);
    for (size_t i = 0; i < env.len; i++) {
        const service_string_t *name = &env.ptr[i].f0, *value = &env.ptr[i].f1;
        if (name->len != 8 || memcmp(name->ptr, "UPSTREAM", 8) != 0)
            continue;
        bool secure = value->len > 8 && memcmp(value->ptr, "https://", 8) == 0;
        bool plain = value->len > 7 && memcmp(value->ptr, "http://", 7) == 0;
        size_t skip = secure ? 8 : plain ? 7 : 0;
        if (value->len - skip >= size)
            continue;
        memcpy(authority, value->ptr + skip, value->len - skip);
        authority[value->len - skip] = 0;
        scheme->tag = secure ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP;
        found = true;
    }
    service_list_tuple2_string_string_free(&env);
    return found;
}

/* The request as it came, for another server. *tag: its method's; *bodiless: it has no body to wait for. */
static wasi_http_types_own_outgoing_request_t copy_request(hf_request from, char *authority,
                                                           wasi_http_types_scheme_t *scheme, uint8_t *tag,
                                                           bool *bodiless)
{
    wasi_http_types_borrow_incoming_request_t r = wasi_http_types_borrow_incoming_request(from);
    service_string_t path, name = hf_text(authority), length = hf_text("content-length");
    wasi_http_types_method_t method;
    wasi_http_types_method_incoming_request_method(r, &method);
    *tag = method.tag;
    /* The fields go on as they are: what is not changed need not be copied. */
    wasi_http_types_own_headers_t fields = wasi_http_types_method_incoming_request_headers(r);
    *bodiless = (method.tag == WASI_HTTP_TYPES_METHOD_GET || method.tag == WASI_HTTP_TYPES_METHOD_HEAD) &&
                !wasi_http_types_method_fields_has(wasi_http_types_borrow_fields(fields), &length);
    wasi_http_types_own_outgoing_request_t to = wasi_http_types_constructor_outgoing_request(fields);
    wasi_http_types_borrow_outgoing_request_t q = wasi_http_types_borrow_outgoing_request(to);
    if (method.tag != WASI_HTTP_TYPES_METHOD_GET) /* which it is until somebody says something else */
        wasi_http_types_method_outgoing_request_set_method(q, &method);
    wasi_http_types_method_free(&method);
    if (wasi_http_types_method_incoming_request_path_with_query(r, &path)) {
        wasi_http_types_method_outgoing_request_set_path_with_query(q, &path);
        service_string_free(&path);
    }
    wasi_http_types_method_outgoing_request_set_scheme(q, scheme);
    wasi_http_types_method_outgoing_request_set_authority(q, &name);
    return to;
}

static void refuse(hf_outparam out, wasi_http_types_error_code_t *code)
{
    wasi_http_types_result_own_outgoing_response_error_code_t r = {.is_err = true, .val.err = *code};
    wasi_http_types_static_response_outparam_set(out, &r);
}

/* Passes the answer's head on, and opens the way for its body. (That of HEAD and 304 says a length of what does not come.) */
static void answer(hf_outparam out, wasi_http_types_own_incoming_response_t from, bool head, struct pipe *down)
{
    wasi_http_types_borrow_incoming_response_t a = wasi_http_types_borrow_incoming_response(from);
    wasi_http_types_own_outgoing_response_t to =
        wasi_http_types_constructor_outgoing_response(wasi_http_types_method_incoming_response_headers(a));
    wasi_http_types_borrow_outgoing_response_t r = wasi_http_types_borrow_outgoing_response(to);
    wasi_http_types_own_incoming_body_t in;
    wasi_http_types_own_outgoing_body_t body;
    uint16_t status = wasi_http_types_method_incoming_response_status(a);
    if (status != 200) /* which it is until somebody says something else */
        wasi_http_types_method_outgoing_response_set_status_code(r, status);
    bool fine = !head && status != 304 && wasi_http_types_method_incoming_response_consume(a, &in) &&
                wasi_http_types_method_outgoing_response_body(r, &body);
    wasi_http_types_incoming_response_drop_own(from);
    wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val.ok = to};
    wasi_http_types_static_response_outparam_set(out, &result);
    if (fine)
        pipe_open(down, in, body);
}

static void wait_for(struct pipe *up, struct pipe *down, const wasi_io_poll_own_pollable_t *answered)
{
    wasi_io_poll_borrow_pollable_t list[3];
    wasi_io_poll_list_borrow_pollable_t all = {list, 0};
    service_list_u32_t ready;
    if (up->open)
        list[all.len++] = pipe_ready(up);
    if (down->open)
        list[all.len++] = pipe_ready(down);
    if (answered != NULL)
        list[all.len++] = wasi_io_poll_borrow_pollable(*answered);
    if (all.len == 1) { /* the usual: a head, or a body one way */
        wasi_io_poll_method_pollable_block(list[0]);
        return;
    }
    wasi_io_poll_poll(&all, &ready);
    service_list_u32_free(&ready);
}

static void carry(hf_outparam out, wasi_http_types_own_future_incoming_response_t future, bool head, struct pipe *up)
{
    struct pipe down = {.open = false};
    wasi_http_types_borrow_future_incoming_response_t f = wasi_http_types_borrow_future_incoming_response(future);
    wasi_io_poll_own_pollable_t answered = wasi_http_types_method_future_incoming_response_subscribe(f);
    bool waits = true;
    if (!up->open) /* nothing to do until then */
        wait_for(up, &down, &answered);
    while (waits || up->open || down.open) {
        wasi_http_types_result_result_own_incoming_response_error_code_void_t r;
        bool any = up->open && pipe_move(up);
        if (down.open)
            any |= pipe_move(&down);
        if (waits && wasi_http_types_method_future_incoming_response_get(f, &r)) {
            waits = false;
            any = true;
            if (r.val.ok.is_err)
                refuse(out, &r.val.ok.val.err);
            else
                answer(out, r.val.ok.val.ok, head, &down);
        }
        if (!waits && !down.open && up->open)
            pipe_close(up, false); /* the answer is out: what is left of the request nobody needs */
        else if (!any && (waits || up->open || down.open))
            wait_for(up, &down, waits ? &answered : NULL);
    }
    wasi_io_poll_pollable_drop_own(answered);
    wasi_http_types_future_incoming_response_drop_own(future);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    static char authority[256];
    static wasi_http_types_scheme_t scheme;
    static bool known;
    struct pipe up = {.open = false};
    wasi_http_types_own_incoming_body_t in;
    wasi_http_types_own_outgoing_body_t body;
    wasi_http_outgoing_handler_own_future_incoming_response_t future;
    wasi_http_outgoing_handler_error_code_t code;
    known = known || upstream(&scheme, authority, sizeof(authority));
    if (!known) {
        hf_reply_text(out, 500, "UPSTREAM is not set\n");
        wasi_http_types_incoming_request_drop_own(request);
        return;
    }
    uint8_t method;
    bool bodiless;
    wasi_http_types_own_outgoing_request_t to = copy_request(request, authority, &scheme, &method, &bodiless);
    wasi_http_types_borrow_incoming_request_t r = wasi_http_types_borrow_incoming_request(request);
    bool head = method == WASI_HTTP_TYPES_METHOD_HEAD;
    bool fine = bodiless ||
                (wasi_http_types_method_incoming_request_consume(r, &in) &&
                 wasi_http_types_method_outgoing_request_body(wasi_http_types_borrow_outgoing_request(to), &body) &&
                 pipe_open(&up, in, body));
    if (!fine)
        hf_reply_text(out, 500, "the body was taken already\n");
    else if (wasi_http_outgoing_handler_handle(to, NULL, &future, &code))
        carry(out, future, head, &up);
    else
        refuse(out, &code);
    if (up.open)
        pipe_close(&up, false);
    wasi_http_types_incoming_request_drop_own(request);
}
