/*
 * Streams ten chunks, 20 ms apart: the head and each chunk are seen as they are written, and the
 * waiting guest holds no thread.
 */
#include "holdfast_http.h"

enum { CHUNKS = 10 };

static void sleep_ns(uint64_t ns)
{
    wasi_io_poll_own_pollable_t timer = wasi_clocks_monotonic_clock_subscribe_duration(ns);
    wasi_io_poll_borrow_pollable_t handle = wasi_io_poll_borrow_pollable(timer);
    wasi_io_poll_list_borrow_pollable_t list = {.ptr = &handle, .len = 1};
    service_list_u32_t ready;
    wasi_io_poll_poll(&list, &ready);
    service_list_u32_free(&ready);
    wasi_io_poll_pollable_drop_own(timer);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    const struct hf_header type = {"content-type", "text/plain; charset=utf-8"};
    struct hf_reply reply;
    wasi_http_types_incoming_request_drop_own(request);
    if (!hf_reply_start(&reply, out, 200, &type, 1)) {
        wasi_http_types_response_outparam_drop_own(out);
        return;
    }
    for (int i = 0; i < CHUNKS; i++) {
        char text[] = "chunk 0\n";
        text[6] = (char)('0' + i);
        if (i > 0)
            sleep_ns(20 * 1000 * 1000);
        if (!hf_reply_write(&reply, text, sizeof(text) - 1) || !hf_reply_flush(&reply)) {
            hf_reply_abandon(&reply);
            return;
        }
    }
    (void)hf_reply_end(&reply);
}
