/*
 * Asks several servers at once and says who answered, and how long it waited: all requests are in
 * flight together from one instance, and a timer runs against them.
 *
 *     holdfast serve fanout.wasm --env UPSTREAMS=127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003 \
 *         --env PATIENCE_MS=500 --allow-outbound 127.0.0.1:3001 ...
 *
 * Answer: one line a server, "0: 200 their words", "1: error 6" (a wasi:http error-code), "2: too late".
 */
#include "holdfast_http.h"

#include <string.h>

enum { ASKED_MAX = 8, WORDS_MAX = 64, SCHEME = WASI_HTTP_TYPES_SCHEME_HTTP };

struct asked {
    wasi_http_types_own_future_incoming_response_t future;
    wasi_io_poll_own_pollable_t ready;
    bool waits;     /* future and ready are there */
    uint16_t status; /* 0: none */
    uint8_t error;
    bool refused;
    char words[WORDS_MAX + 1];
};

/* The value of a variable into `out`, "" if there is none. */
static void variable(const char *name, char *out, size_t size)
{
    service_list_tuple2_string_string_t env;
    out[0] = 0;
    wasi_cli_environment_get_environment(&env);
    for (size_t i = 0; i < env.len; i++) {
        const service_string_t *n = &env.ptr[i].f0, *v = &env.ptr[i].f1;
        if (n->len == strlen(name) && memcmp(n->ptr, name, n->len) == 0 && v->len < size) {
            memcpy(out, v->ptr, v->len);
            out[v->len] = 0;
        }
    }
    service_list_tuple2_string_string_free(&env);
}

static void ask(struct asked *a, char *authority)
{
    wasi_http_types_scheme_t scheme = {.tag = SCHEME};
    wasi_http_types_own_outgoing_request_t q =
        wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
    wasi_http_types_borrow_outgoing_request_t r = wasi_http_types_borrow_outgoing_request(q);
    service_string_t name = hf_text(authority);
    wasi_http_outgoing_handler_error_code_t code;
    wasi_http_types_method_outgoing_request_set_scheme(r, &scheme);
    wasi_http_types_method_outgoing_request_set_authority(r, &name);
    if (wasi_http_outgoing_handler_handle(q, NULL, &a->future, &code)) {
        a->ready = wasi_http_types_method_future_incoming_response_subscribe(
            wasi_http_types_borrow_future_incoming_response(a->future));
        a->waits = true;
    } else {
        a->refused = true;
        a->error = code.tag;
        wasi_http_outgoing_handler_error_code_free(&code);
    }
}

/* The first bytes of its body. */
static void listen(struct asked *a, wasi_http_types_own_incoming_response_t response)
{
    struct hf_body body;
    service_list_u8_t piece;
    size_t len = 0;
    wasi_http_types_borrow_incoming_response_t r = wasi_http_types_borrow_incoming_response(response);
    a->status = wasi_http_types_method_incoming_response_status(r);
    if (wasi_http_types_method_incoming_response_consume(r, &body.body)) {
        wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body.body), &body.stream);
        while (len < WORDS_MAX && hf_body_read(&body, WORDS_MAX - len, &piece) == 1) {
            memcpy(a->words + len, piece.ptr, piece.len);
            len += piece.len;
            service_list_u8_free(&piece);
        }
        hf_body_close(&body);
    }
    wasi_http_types_incoming_response_drop_own(response);
}

static void let_go(struct asked *a)
{
    a->waits = false;
    wasi_io_poll_pollable_drop_own(a->ready);
    wasi_http_types_future_incoming_response_drop_own(a->future); /* what still runs is cancelled */
}

static void look(struct asked *a)
{
    wasi_http_types_result_result_own_incoming_response_error_code_void_t r;
    if (!wasi_http_types_method_future_incoming_response_get(
            wasi_http_types_borrow_future_incoming_response(a->future), &r))
        return;
    if (r.val.ok.is_err) {
        a->refused = true;
        a->error = r.val.ok.val.err.tag;
        wasi_http_types_error_code_free(&r.val.ok.val.err);
    } else {
        listen(a, r.val.ok.val.ok);
    }
    let_go(a);
}

/* False: the time is over. */
static bool wait_for_one(struct asked *all, size_t n, wasi_io_poll_own_pollable_t over)
{
    wasi_io_poll_borrow_pollable_t list[ASKED_MAX + 1];
    size_t who[ASKED_MAX + 1];
    wasi_io_poll_list_borrow_pollable_t polled = {list, 0};
    service_list_u32_t ready;
    bool time_left = true;
    for (size_t i = 0; i < n; i++) {
        if (!all[i].waits)
            continue;
        who[polled.len] = i;
        list[polled.len++] = wasi_io_poll_borrow_pollable(all[i].ready);
    }
    who[polled.len] = n;
    list[polled.len++] = wasi_io_poll_borrow_pollable(over);
    wasi_io_poll_poll(&polled, &ready);
    for (size_t i = 0; i < ready.len; i++) {
        if (who[ready.ptr[i]] == n)
            time_left = false;
        else
            look(&all[who[ready.ptr[i]]]);
    }
    service_list_u32_free(&ready);
    return time_left;
}

static size_t put(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);
    memcpy(out + at, text, len);
    return at + len;
}

static size_t put_number(char *out, size_t at, uint64_t n)
{
    char digits[21];
    hf_decimal(digits, n);
    return put(out, at, digits);
}

/* Good until the next call: an instance takes one at a time. */
static const char *ask_all(void)
{
    static struct asked all[ASKED_MAX];
    static char text[ASKED_MAX * (WORDS_MAX + 32)], names[512], patience[16];
    size_t n = 0, at = 0, waiting;
    uint64_t ms = 0;
    memset(all, 0, sizeof(all));
    variable("UPSTREAMS", names, sizeof(names));
    variable("PATIENCE_MS", patience, sizeof(patience));
    for (const char *c = patience; *c >= '0' && *c <= '9'; c++)
        ms = ms * 10 + (uint64_t)(*c - '0');
    for (char *name = names; *name != 0 && n < ASKED_MAX; n++) {
        char *end = strchr(name, ',');
        if (end != NULL)
            *end = 0;
        ask(&all[n], name);
        name = end == NULL ? name + strlen(name) : end + 1;
    }
    wasi_io_poll_own_pollable_t over =
        wasi_clocks_monotonic_clock_subscribe_duration((ms == 0 ? 1000 : ms) * 1000000);
    do {
        waiting = 0;
        for (size_t i = 0; i < n; i++)
            waiting += all[i].waits;
    } while (waiting > 0 && wait_for_one(all, n, over));
    wasi_io_poll_pollable_drop_own(over);
    for (size_t i = 0; i < n; i++) {
        at = put_number(text, at, i);
        if (all[i].waits) {
            at = put(text, at, ": too late");
            let_go(&all[i]);
        } else if (all[i].refused) {
            at = put_number(text, put(text, at, ": error "), all[i].error);
        } else {
            at = put_number(text, put(text, at, ": "), all[i].status);
            at = put(text, put(text, at, " "), all[i].words);
        }
        at = put(text, at, "\n");
    }
    text[at] = 0;
    return text;
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    hf_reply_text(out, 200, ask_all());
    wasi_http_types_incoming_request_drop_own(request);
}

void exports_service_ask(service_string_t *ret)
{
    service_string_dup(ret, ask_all());
}
