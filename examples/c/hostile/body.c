/* Bodies of the wrong length, of no end, read or not read. */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024 };

static void no_answer(hf_request request, hf_outparam out)
{
    (void)out;
    wasi_http_types_incoming_request_drop_own(request);
}

static void drop_outparam(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    wasi_http_types_response_outparam_drop_own(out);
}

static void set_error(hf_request request, hf_outparam out)
{
    wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = true};
    wasi_http_types_incoming_request_drop_own(request);
    result.val.err.tag = WASI_HTTP_TYPES_ERROR_CODE_INTERNAL_ERROR;
    result.val.err.val.internal_error.is_some = true;
    result.val.err.val.internal_error.val = hf_text("on purpose");
    wasi_http_types_static_response_outparam_set(out, &result);
}

/* Says 100 bytes and sends 10, or says 5 and sends 10. */
static void send_wrong(hf_request request, hf_outparam out, const char *length)
{
    const struct hf_header header = {"content-length", length};
    struct hf_reply reply;
    wasi_http_types_incoming_request_drop_own(request);
    if (!hf_reply_start(&reply, out, 200, &header, 1))
        __builtin_trap();
    (void)hf_reply_write(&reply, "0123456789", 10);
    (void)hf_reply_end(&reply);
}

static void too_short(hf_request request, hf_outparam out)
{
    send_wrong(request, out, "100");
}

static void too_long(hf_request request, hf_outparam out)
{
    send_wrong(request, out, "5");
}

/* Dropped without finish: what the client got must not look whole. */
static void abandon(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    wasi_http_types_incoming_request_drop_own(request);
    begin(&reply, out);
    say(&reply, "half of it\n");
    hf_reply_abandon(&reply);
}

static void empty(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    wasi_http_types_incoming_request_drop_own(request);
    if (!hf_reply_start(&reply, out, 204, NULL, 0))
        __builtin_trap();
    (void)hf_reply_end(&reply);
}

static void send_mib(hf_request request, hf_outparam out, unsigned count)
{
    static char piece[64 * 1024];
    struct hf_reply reply;
    bool open = true;
    wasi_http_types_incoming_request_drop_own(request);
    memset(piece, 'x', sizeof(piece));
    begin(&reply, out);
    for (unsigned i = 0; open && i < count * (MIB / sizeof(piece)); i++)
        open = hf_reply_write(&reply, piece, sizeof(piece));
    if (open)
        (void)hf_reply_end(&reply);
    else
        hf_reply_abandon(&reply);
}

static void big(hf_request request, hf_outparam out)
{
    send_mib(request, out, 16);
}

static void endless(hf_request request, hf_outparam out)
{
    send_mib(request, out, UINT32_C(1) << 20);
}

/* The permit is a promise of the host's and a limit of ours: one byte more must trap. */
static void past_permit(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    wasi_io_streams_stream_error_t error;
    (void)request;
    begin(&reply, out);
    size_t more = (size_t)hf_reply_permit(&reply) + 1;
    service_list_u8_t piece = {.ptr = calloc(more, 1), .len = more};
    if (!piece.ptr)
        return; /* cannot be shown here; the body is never finished, which the test sees */
    (void)wasi_io_streams_method_output_stream_write(
        wasi_io_streams_borrow_output_stream(reply.stream), &piece, &error);
    (void)hf_reply_end(&reply);
}

/* Answers while the client still sends, and never reads. */
static void ignore_body(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "not read\n");
}

/* Reads all of it, 1 KiB each millisecond: the sender must feel it. */
static void slow_read(hf_request request, hf_outparam out)
{
    struct hf_body body;
    service_list_u8_t piece;
    uint64_t total = 0;
    int got = -1;
    if (hf_body_open(&body, request)) {
        while ((got = hf_body_read(&body, 1024, &piece)) > 0) {
            total += piece.len;
            service_list_u8_free(&piece);
            sleep_ns(1000 * 1000);
        }
        hf_body_close(&body);
    }
    wasi_http_types_incoming_request_drop_own(request);
    answer_number(out, got == 0 ? total : 0);
}

/* Reads all of it as fast as it comes, answers the length. */
static void sink(hf_request request, hf_outparam out)
{
    struct hf_body body;
    service_list_u8_t piece;
    uint64_t total = 0;
    int got = -1;
    if (hf_body_open(&body, request)) {
        while ((got = hf_body_read(&body, 256 * 1024, &piece)) > 0) {
            total += piece.len;
            service_list_u8_free(&piece);
        }
        hf_body_close(&body);
    }
    wasi_http_types_incoming_request_drop_own(request);
    if (got == 0)
        answer_number(out, total);
    else
        hf_reply_text(out, 400, "the body broke off\n");
}

/* Trailers, on a body that is chunked. */
static void trailers(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    service_string_t name = hf_text("x-checksum");
    service_string_t text = hf_text("42");
    wasi_http_types_field_value_t value = {.ptr = text.ptr, .len = text.len};
    wasi_http_types_header_error_t refused;
    wasi_http_types_error_code_t error;
    wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
    wasi_http_types_incoming_request_drop_own(request);
    (void)wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value,
                                               &refused);
    begin(&reply, out);
    say(&reply, "body\n");
    if (reply.waits)
        wasi_io_poll_pollable_drop_own(reply.ready);
    wasi_io_streams_output_stream_drop_own(reply.stream);
    (void)wasi_http_types_static_outgoing_body_finish(reply.body, &fields, &error);
}

/* Headers a guest may not set: the answer names what the host said to each. */
static void bad_headers(hf_request request, hf_outparam out)
{
    static const struct hf_header tries[] = {
        {"connection", "close"}, {"transfer-encoding", "chunked"},
        {"host", "elsewhere"},   {"x-bad", "a\r\nx-more: b"},
        {"bad name", "a"},       {"x-good", "a"},
    };
    struct hf_reply reply;
    wasi_http_types_incoming_request_drop_own(request);
    begin(&reply, out);
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
        service_string_t name = hf_text(tries[i].name);
        service_string_t text = hf_text(tries[i].value);
        wasi_http_types_field_value_t value = {.ptr = text.ptr, .len = text.len};
        wasi_http_types_header_error_t error;
        static const char *const names[] = {" invalid\n", " forbidden\n", " immutable\n"};
        bool taken = wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields),
                                                          &name, &value, &error);
        say(&reply, tries[i].name);
        say(&reply, taken ? " taken\n" : names[error.tag]);
        wasi_http_types_fields_drop_own(fields);
    }
    (void)hf_reply_end(&reply);
}

/* `count` fields of 8000 bytes in the answer's head. The host bounds what one set of fields may hold. */
static void many_headers(hf_request request, hf_outparam out, unsigned count)
{
    static char text[8001];
    struct hf_header headers[32];
    struct hf_reply reply;
    wasi_http_types_incoming_request_drop_own(request);
    memset(text, 'x', sizeof(text) - 1);
    for (unsigned i = 0; i < count; i++)
        headers[i] = (struct hf_header){"x-large", text};
    if (hf_reply_start(&reply, out, 200, headers, count))
        (void)hf_reply_end(&reply);
}

static void large_headers(hf_request request, hf_outparam out)
{
    many_headers(request, out, 12);
}

static void huge_headers(hf_request request, hf_outparam out)
{
    many_headers(request, out, 32);
}

const struct path body_paths[] = {
    {"/noanswer", no_answer, "returns without an answer"},
    {"/drop-outparam", drop_outparam, "drops the place for its answer"},
    {"/seterr", set_error, "answers with an error code"},
    {"/too-short", too_short, "says 100 bytes, sends 10"},
    {"/too-long", too_long, "says 5 bytes, sends 10"},
    {"/abandon", abandon, "leaves its body unfinished"},
    {"/empty", empty, "answers 204 with no body"},
    {"/big", big, "sends 16 MiB"},
    {"/endless", endless, "sends for ever (1 TiB)"},
    {"/past-permit", past_permit, "writes more than it may"},
    {"/ignore-body", ignore_body, "answers without reading the request's body"},
    {"/slow-read", slow_read, "reads the body 1 KiB each ms, answers its length"},
    {"/sink", sink, "reads the body, answers its length"},
    {"/trailers", trailers, "sends trailer x-checksum: 42"},
    {"/large-headers", large_headers, "answers with 96 KB of headers"},
    {"/huge-headers", huge_headers, "answers with 256 KB of headers, more than the host lets it have"},
    {"/bad-headers", bad_headers, "tries headers it may not set, answers what happened"},
    {NULL, NULL, NULL},
};
