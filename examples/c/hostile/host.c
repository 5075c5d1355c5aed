/* What the host tells a guest, and the ways to leave. */
#include "hostile.h"

#include <string.h>

static void say_bytes(struct hf_reply *reply, const uint8_t *bytes, size_t len)
{
    (void)hf_reply_write(reply, bytes, len);
}

static void clocks(struct hf_reply *reply)
{
    wasi_clocks_wall_clock_datetime_t now;
    uint64_t before = wasi_clocks_monotonic_clock_now();
    wasi_clocks_wall_clock_now(&now);
    say(reply, "wall ");
    say_number(reply, now.seconds);
    say(reply, wasi_clocks_monotonic_clock_now() >= before ? "\nmonotonic forward\n"
                                                           : "\nmonotonic backward\n");
    say(reply, "resolution ");
    say_number(reply, wasi_clocks_monotonic_clock_resolution());
    say(reply, "\n");
}

static void randoms(struct hf_reply *reply)
{
    service_list_u8_t bytes;
    uint64_t a, b;
    wasi_random_random_get_random_bytes(32, &bytes);
    say(reply, "random bytes ");
    say_number(reply, bytes.len);
    service_list_u8_free(&bytes);
    a = wasi_random_random_get_random_u64();
    b = wasi_random_random_get_random_u64();
    say(reply, a != b ? "\nrandom differs\n" : "\nrandom repeats\n");
    wasi_random_insecure_get_insecure_random_bytes(16, &bytes);
    say(reply, "insecure bytes ");
    say_number(reply, bytes.len);
    service_list_u8_free(&bytes);
    say(reply, "\n");
}

static void environment(struct hf_reply *reply)
{
    service_list_tuple2_string_string_t pairs;
    service_list_string_t words;
    wasi_cli_environment_get_environment(&pairs);
    for (size_t i = 0; i < pairs.len; i++) {
        say(reply, "env ");
        say_bytes(reply, pairs.ptr[i].f0.ptr, pairs.ptr[i].f0.len);
        say(reply, "=");
        say_bytes(reply, pairs.ptr[i].f1.ptr, pairs.ptr[i].f1.len);
        say(reply, "\n");
    }
    service_list_tuple2_string_string_free(&pairs);
    wasi_cli_environment_get_arguments(&words);
    say(reply, "arguments ");
    say_number(reply, words.len);
    service_list_string_free(&words);
    say(reply, "\n");
}

static void preopens(struct hf_reply *reply)
{
    wasi_filesystem_preopens_list_tuple2_own_descriptor_string_t folders;
    wasi_filesystem_preopens_get_directories(&folders);
    say(reply, "folders ");
    say_number(reply, folders.len);
    wasi_filesystem_preopens_list_tuple2_own_descriptor_string_free(&folders);
    say(reply, "\n");
}

static void clock_random(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    wasi_http_types_incoming_request_drop_own(request);
    begin(&reply, out);
    clocks(&reply);
    randoms(&reply);
    environment(&reply);
    preopens(&reply);
    (void)hf_reply_end(&reply);
}

/* Asks for more random bytes than any host should make at once. */
static void much_random(hf_request request, hf_outparam out)
{
    service_list_u8_t bytes;
    (void)request;
    wasi_random_random_get_random_bytes(UINT64_C(1) << 40, &bytes);
    answer_number(out, bytes.len);
}

/* What the host made of the request, one line each. */
static void show_request(hf_request request, hf_outparam out)
{
    static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                          "CONNECT", "OPTIONS", "TRACE", "PATCH", "other"};
    wasi_http_types_borrow_incoming_request_t handle =
        wasi_http_types_borrow_incoming_request(request);
    wasi_http_types_list_tuple2_field_name_field_value_t entries;
    wasi_http_types_method_t method;
    wasi_http_types_scheme_t scheme;
    service_string_t text;
    struct hf_reply reply;

    begin(&reply, out);
    wasi_http_types_method_incoming_request_method(handle, &method);
    say(&reply, "method ");
    if (method.tag == WASI_HTTP_TYPES_METHOD_OTHER)
        say_bytes(&reply, method.val.other.ptr, method.val.other.len);
    else
        say(&reply, methods[method.tag]);
    wasi_http_types_method_free(&method);
    if (wasi_http_types_method_incoming_request_scheme(handle, &scheme)) {
        say(&reply,
            scheme.tag == WASI_HTTP_TYPES_SCHEME_HTTP ? "\nscheme http" : "\nscheme not http");
        wasi_http_types_scheme_free(&scheme);
    }
    if (wasi_http_types_method_incoming_request_authority(handle, &text)) {
        say(&reply, "\nauthority ");
        say_bytes(&reply, text.ptr, text.len);
        service_string_free(&text);
    }
    if (wasi_http_types_method_incoming_request_path_with_query(handle, &text)) {
        say(&reply, "\npath ");
        say_bytes(&reply, text.ptr, text.len);
        service_string_free(&text);
    }
    say(&reply, "\n");

    wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_request_headers(handle);
    wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(headers), &entries);
    for (size_t i = 0; i < entries.len; i++) {
        say_bytes(&reply, entries.ptr[i].f0.ptr, entries.ptr[i].f0.len);
        say(&reply, ": ");
        say_bytes(&reply, entries.ptr[i].f1.ptr, entries.ptr[i].f1.len);
        say(&reply, "\n");
    }
    wasi_http_types_list_tuple2_field_name_field_value_free(&entries);
    wasi_http_types_fields_drop_own(headers);
    (void)hf_reply_end(&reply);
    wasi_http_types_incoming_request_drop_own(request);
}

static void write_to(wasi_io_streams_own_output_stream_t stream, const char *text)
{
    service_list_u8_t bytes = {.ptr = hf_text(text).ptr, .len = strlen(text)};
    wasi_io_streams_stream_error_t error;
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
            wasi_io_streams_borrow_output_stream(stream), &bytes, &error))
        wasi_io_streams_stream_error_free(&error);
    wasi_io_streams_output_stream_drop_own(stream);
}

/* A line in pieces, a control character, one line too many: the log must stay a log. */
static void print(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    write_to(wasi_cli_stdout_get_stdout(), "out: half a ");
    write_to(wasi_cli_stdout_get_stdout(), "line\n");
    write_to(wasi_cli_stderr_get_stderr(), "err: \x1b[31mred\x1b[0m\nerr: no end");
    hf_reply_text(out, 200, "printed\n");
}

static void exit_before(hf_request request, hf_outparam out)
{
    wasi_cli_exit_result_void_void_t status = {.is_err = false};
    (void)request;
    (void)out;
    wasi_cli_exit_exit(&status);
}

/* Means "do not use me again": the answer is whole. */
static void exit_after(hf_request request, hf_outparam out)
{
    wasi_cli_exit_result_void_void_t status = {.is_err = false};
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "last words\n");
    wasi_cli_exit_exit(&status);
}

static void exit_error(hf_request request, hf_outparam out)
{
    wasi_cli_exit_result_void_void_t status = {.is_err = true};
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "last words\n");
    wasi_cli_exit_exit(&status);
}

static void exit_code(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "last words\n");
    wasi_cli_exit_exit_with_code(7);
}

const struct path host_paths[] = {
    {"/clockrand", clock_random, "answers clocks, random, environment, folders"},
    {"/much-random", much_random, "asks for 1 TiB of random bytes"},
    {"/request", show_request, "answers what it sees of the request"},
    {"/print", print, "writes to stdout and stderr"},
    {"/exit-before", exit_before, "exits without an answer"},
    {"/exit", exit_after, "exits after a whole answer"},
    {"/exit-error", exit_error, "the same with a failure"},
    {"/exit-code", exit_code, "the same with code 7"},
    {NULL, NULL, NULL},
};
