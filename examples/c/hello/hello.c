/* The smallest service: one text for every request. */
#include "holdfast_http.h"

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "Hello from C\n");
}
