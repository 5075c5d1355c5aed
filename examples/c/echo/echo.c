/*
 * Sends a request's body back while it arrives, of any size, in bounded memory: it never reads more
 * than the client takes. Path /splice has the host move the bytes without the guest touching them.
 */
#include "holdfast_http.h"

#include <string.h>

enum { PIECE = 64 * 1024 };

/* Reads only what may be written at once, so that backpressure reaches the sender. */
static bool copy(struct hf_reply *reply, struct hf_body *body)
{
    for (;;) {
        uint64_t permit = hf_reply_permit(reply);
        service_list_u8_t piece;
        wasi_io_streams_stream_error_t error;
        if (permit == 0)
            return false;
        int got = hf_body_read(body, permit < PIECE ? permit : PIECE, &piece);
        if (got <= 0)
            return got == 0;
        bool written = wasi_io_streams_method_output_stream_write(
            wasi_io_streams_borrow_output_stream(reply->stream), &piece, &error);
        service_list_u8_free(&piece);
        if (!written) {
            wasi_io_streams_stream_error_free(&error);
            return false;
        }
    }
}

static bool splice(struct hf_reply *reply, struct hf_body *body)
{
    uint64_t moved;
    wasi_io_streams_stream_error_t error;
    while (wasi_io_streams_method_output_stream_blocking_splice(
        wasi_io_streams_borrow_output_stream(reply->stream),
        wasi_io_streams_borrow_input_stream(body->stream), 1024 * 1024, &moved, &error))
        ;
    bool ended = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
    wasi_io_streams_stream_error_free(&error);
    return ended;
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char path[16], type[128], length[24];
    struct hf_header headers[2];
    size_t count = 0;
    struct hf_body body;
    struct hf_reply reply;

    hf_request_path(request, path, sizeof(path));
    if (hf_request_header(request, "content-type", type, sizeof(type)))
        headers[count++] = (struct hf_header){"content-type", type};
    if (hf_request_header(request, "content-length", length, sizeof(length)))
        headers[count++] = (struct hf_header){"content-length", length};
    if (!hf_body_open(&body, request)) {
        hf_reply_text(out, 500, "the body was taken already\n");
    } else if (!hf_reply_start(&reply, out, 200, headers, count)) {
        hf_body_close(&body);
        hf_reply_text(out, 500, "a header was refused\n");
    } else {
        bool whole = strcmp(path, "/splice") == 0 ? splice(&reply, &body) : copy(&reply, &body);
        hf_body_close(&body);
        if (whole)
            (void)hf_reply_end(&reply);
        else
            hf_reply_abandon(&reply);
    }
    wasi_http_types_incoming_request_drop_own(request);
}
