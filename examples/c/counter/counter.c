/*
 * Counts its requests in a global. Whether that lasts is the lifecycle's choice, not this file's:
 * under `--instances reuse` the answers are 1, 2, 3; under `per-request` always 1.
 */
#include "holdfast_http.h"

static uint64_t count;

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char text[22];
    size_t len = hf_decimal(text, ++count);
    text[len] = '\n';
    text[len + 1] = '\0';
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, text);
}
