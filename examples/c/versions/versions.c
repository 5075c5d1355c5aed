/*
 * Says which version it is, in every kind of answer: at once, after a while, in pieces, beside an echo. The text stands once
 * in the file, so another version of the same component is made by writing another digit over it.
 *
 *     /          version-1
 *     /count     version-1 and how many requests this instance has had
 *     /slow      the same as /, after 30 ms
 *     /stream    version-1 five times, 10 ms apart
 *     /echo      the request's body, and the version in the header x-version
 *     /trap      a trap
 */
#include "holdfast_http.h"

#include <string.h>

enum { PIECES = 5, PIECE = 64 * 1024 };

static const volatile char version_text[] = "version-1";
static uint64_t count;

static void version(char out[sizeof version_text])
{
    for (size_t i = 0; i < sizeof version_text; i++)
        out[i] = version_text[i];
}

static void sleep_ms(uint64_t ms)
{
    wasi_io_poll_own_pollable_t timer = wasi_clocks_monotonic_clock_subscribe_duration(ms * 1000000);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(timer));
    wasi_io_poll_pollable_drop_own(timer);
}

static void stream(hf_outparam out, const char *text)
{
    struct hf_reply reply;
    if (!hf_reply_start(&reply, out, 200, NULL, 0)) {
        wasi_http_types_response_outparam_drop_own(out);
        return;
    }
    for (int i = 0; i < PIECES; i++) {
        if (i > 0)
            sleep_ms(10);
        if (!hf_reply_write(&reply, text, strlen(text)) || !hf_reply_flush(&reply)) {
            hf_reply_abandon(&reply);
            return;
        }
    }
    (void)hf_reply_end(&reply);
}

static void echo(hf_request request, hf_outparam out, const char *text)
{
    const struct hf_header header = {"x-version", text};
    struct hf_body body;
    struct hf_reply reply;
    service_list_u8_t piece;
    int got = -1;
    if (!hf_body_open(&body, request)) {
        hf_reply_text(out, 500, "the body was taken already\n");
        return;
    }
    if (!hf_reply_start(&reply, out, 200, &header, 1)) {
        hf_body_close(&body);
        hf_reply_text(out, 500, "a header was refused\n");
        return;
    }
    while ((got = hf_body_read(&body, PIECE, &piece)) > 0) {
        bool sent = hf_reply_write(&reply, piece.ptr, piece.len);
        service_list_u8_free(&piece);
        if (!sent)
            break;
    }
    hf_body_close(&body);
    if (got == 0)
        (void)hf_reply_end(&reply);
    else
        hf_reply_abandon(&reply);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char path[16], text[sizeof version_text + 24];
    count++;
    version(text);
    hf_request_path(request, path, sizeof path);
    if (strcmp(path, "/trap") == 0)
        __builtin_trap();
    if (strcmp(path, "/echo") == 0) {
        echo(request, out, text);
        wasi_http_types_incoming_request_drop_own(request);
        return;
    }
    wasi_http_types_incoming_request_drop_own(request);
    if (strcmp(path, "/stream") == 0) {
        stream(out, text);
        return;
    }
    if (strcmp(path, "/slow") == 0)
        sleep_ms(30);
    if (strcmp(path, "/count") == 0) {
        size_t at = strlen(text);
        text[at++] = ' ';
        hf_decimal(text + at, count);
    }
    hf_reply_text(out, 200, text);
}
