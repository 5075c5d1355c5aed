/* An HTTP service: GET / greets, GET /count counts in a key-value bucket. */
#include "holdfast_http.h"

#include <string.h>

/* One more, kept in a bucket that must be granted. */
static void count(hf_outparam out)
{
    service_string_t name = hf_text("default"), key = hf_text("hits");
    wasi_keyvalue_store_own_bucket_t bucket;
    wasi_keyvalue_store_error_t error;
    int64_t n;
    char text[22];

    if (!wasi_keyvalue_store_open(&name, &bucket, &error)) {
        wasi_keyvalue_store_error_free(&error);
        hf_reply_text(out, 500, "no bucket: is it granted?\n");
        return;
    }
    if (wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &key, 1, &n, &error)) {
        hf_decimal(text, (uint64_t)n);
        hf_reply_text(out, 200, strcat(text, "\n"));
    } else {
        wasi_keyvalue_store_error_free(&error);
        hf_reply_text(out, 500, "it could not be counted\n");
    }
    wasi_keyvalue_store_bucket_drop_own(bucket);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char path[256];
    hf_request_path(request, path, sizeof path);
    wasi_http_types_incoming_request_drop_own(request);

    if (strcmp(path, "/") == 0)
        hf_reply_text(out, 200, "Hello from @NAME@\n");
    else if (strcmp(path, "/count") == 0)
        count(out);
    else
        hf_reply_text(out, 404, "not found\n");
}
