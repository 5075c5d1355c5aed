/* HTTP helpers for guests in C; the contracts are in the header. */
#include "holdfast_http.h"

#include <string.h>

service_string_t hf_text(const char *text)
{
    /* The bindings have no const; an argument is only read. */
    return (service_string_t){.ptr = (uint8_t *)(uintptr_t)text, .len = strlen(text)};
}

size_t hf_decimal(char out[21], uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    out[count] = '\0';
    return count;
}

static void copy_cut(char *out, size_t size, const uint8_t *bytes, size_t len)
{
    if (len > size - 1)
        len = size - 1;
    memcpy(out, bytes, len);
    out[len] = '\0';
}

void hf_request_path(hf_request request, char *out, size_t size)
{
    service_string_t path;
    out[0] = '\0';
    if (!wasi_http_types_method_incoming_request_path_with_query(
            wasi_http_types_borrow_incoming_request(request), &path))
        return;
    const uint8_t *query = memchr(path.ptr, '?', path.len);
    copy_cut(out, size, path.ptr, query ? (size_t)(query - path.ptr) : path.len);
    service_string_free(&path);
}

bool hf_request_header(hf_request request, const char *name, char *out, size_t size)
{
    wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_request_headers(
        wasi_http_types_borrow_incoming_request(request));
    service_string_t key = hf_text(name);
    wasi_http_types_list_field_value_t values;
    wasi_http_types_method_fields_get(wasi_http_types_borrow_fields(headers), &key, &values);
    bool found = values.len > 0;
    if (found)
        copy_cut(out, size, values.ptr[0].ptr, values.ptr[0].len);
    wasi_http_types_list_field_value_free(&values);
    wasi_http_types_fields_drop_own(headers);
    return found;
}

bool hf_body_open(struct hf_body *body, hf_request request)
{
    if (!wasi_http_types_method_incoming_request_consume(
            wasi_http_types_borrow_incoming_request(request), &body->body))
        return false;
    if (wasi_http_types_method_incoming_body_stream(
            wasi_http_types_borrow_incoming_body(body->body), &body->stream))
        return true;
    wasi_http_types_incoming_body_drop_own(body->body);
    return false;
}

int hf_body_read(struct hf_body *body, uint64_t max, service_list_u8_t *out)
{
    wasi_io_streams_stream_error_t error;
    for (;;) {
        if (!wasi_io_streams_method_input_stream_blocking_read(
                wasi_io_streams_borrow_input_stream(body->stream), max, out, &error)) {
            bool ended = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
            wasi_io_streams_stream_error_free(&error);
            return ended ? 0 : -1;
        }
        if (out->len > 0)
            return 1;
        service_list_u8_free(out);
    }
}

void hf_body_close(struct hf_body *body)
{
    wasi_io_streams_input_stream_drop_own(body->stream);
    wasi_http_types_incoming_body_drop_own(body->body);
}

static bool make_headers(const struct hf_header *headers, size_t count,
                         wasi_http_types_own_fields_t *out)
{
    enum { MAX_HEADERS = 16 };
    wasi_http_types_tuple2_field_name_field_value_t entries[MAX_HEADERS];
    wasi_http_types_list_tuple2_field_name_field_value_t list = {.ptr = entries, .len = count};
    wasi_http_types_header_error_t error;
    if (count > MAX_HEADERS)
        return false;
    for (size_t i = 0; i < count; i++) {
        service_string_t value = hf_text(headers[i].value);
        entries[i].f0 = hf_text(headers[i].name);
        entries[i].f1 = (wasi_http_types_field_value_t){.ptr = value.ptr, .len = value.len};
    }
    return wasi_http_types_static_fields_from_list(&list, out, &error);
}

bool hf_reply_start(struct hf_reply *reply, hf_outparam out, uint16_t status,
                    const struct hf_header *headers, size_t count)
{
    wasi_http_types_own_fields_t fields;
    *reply = (struct hf_reply){.waits = false};
    if (!make_headers(headers, count, &fields))
        return false;

    wasi_http_types_own_outgoing_response_t response =
        wasi_http_types_constructor_outgoing_response(fields);
    wasi_http_types_borrow_outgoing_response_t borrowed =
        wasi_http_types_borrow_outgoing_response(response);
    if ((status != 200 &&
         !wasi_http_types_method_outgoing_response_set_status_code(borrowed, status)) ||
        !wasi_http_types_method_outgoing_response_body(borrowed, &reply->body)) {
        wasi_http_types_outgoing_response_drop_own(response);
        return false;
    }
    /* The first call of write cannot fail, and setting gives the response away. */
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(reply->body),
                                               &reply->stream);
    wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false,
                                                                        .val.ok = response};
    wasi_http_types_static_response_outparam_set(out, &result);
    return true;
}

uint64_t hf_reply_permit(struct hf_reply *reply)
{
    wasi_io_streams_borrow_output_stream_t stream =
        wasi_io_streams_borrow_output_stream(reply->stream);
    for (;;) {
        uint64_t permit;
        wasi_io_streams_stream_error_t error;
        if (!wasi_io_streams_method_output_stream_check_write(stream, &permit, &error)) {
            wasi_io_streams_stream_error_free(&error);
            return 0;
        }
        if (permit > 0)
            return permit;
        if (!reply->waits) {
            reply->ready = wasi_io_streams_method_output_stream_subscribe(stream);
            reply->waits = true;
        }
        wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(reply->ready));
    }
}

bool hf_reply_write(struct hf_reply *reply, const void *bytes, size_t len)
{
    uint8_t *at = (uint8_t *)(uintptr_t)bytes;
    while (len > 0) {
        uint64_t permit = hf_reply_permit(reply);
        service_list_u8_t piece = {.ptr = at, .len = permit < len ? (size_t)permit : len};
        wasi_io_streams_stream_error_t error;
        if (permit == 0)
            return false;
        if (!wasi_io_streams_method_output_stream_write(
                wasi_io_streams_borrow_output_stream(reply->stream), &piece, &error)) {
            wasi_io_streams_stream_error_free(&error);
            return false;
        }
        at += piece.len;
        len -= piece.len;
    }
    return true;
}

bool hf_reply_flush(struct hf_reply *reply)
{
    wasi_io_streams_stream_error_t error;
    if (wasi_io_streams_method_output_stream_blocking_flush(
            wasi_io_streams_borrow_output_stream(reply->stream), &error))
        return true;
    wasi_io_streams_stream_error_free(&error);
    return false;
}

/* Children first: the pollable before its stream, the stream before its body. */
static void close_stream(struct hf_reply *reply)
{
    if (reply->waits)
        wasi_io_poll_pollable_drop_own(reply->ready);
    wasi_io_streams_output_stream_drop_own(reply->stream);
}

bool hf_reply_end(struct hf_reply *reply)
{
    wasi_http_types_error_code_t error;
    close_stream(reply);
    if (wasi_http_types_static_outgoing_body_finish(reply->body, NULL, &error))
        return true;
    wasi_http_types_error_code_free(&error);
    return false;
}

void hf_reply_abandon(struct hf_reply *reply)
{
    close_stream(reply);
    wasi_http_types_outgoing_body_drop_own(reply->body);
}

void hf_reply_text(hf_outparam out, uint16_t status, const char *text)
{
    size_t len = strlen(text);
    char length[21];
    const struct hf_header headers[] = {
        {"content-type", "text/plain; charset=utf-8"},
        {"content-length", length},
    };
    struct hf_reply reply;
    hf_decimal(length, len);
    if (!hf_reply_start(&reply, out, status, headers, sizeof(headers) / sizeof(headers[0]))) {
        wasi_http_types_response_outparam_drop_own(out);
        return;
    }
    /* A client that left is no error of ours; end() tells the host either way. */
    (void)hf_reply_write(&reply, text, len);
    (void)hf_reply_end(&reply);
}
