/*
 * Counts in a key-value bucket: right whatever the lifecycle, the number of workers and the load.
 *
 *   /             one more, by atomics.increment; answers the count
 *   /swap         the same by compare and swap, tried until nobody was faster
 *   /read         both counts, "12 7"
 *   /greeting     wasi:config's "greeting"
 *   /time         nanoseconds that one look at a key takes, over 10000
 *
 * Serve it with --keyvalue default.
 */
#include "holdfast_http.h"

#include <string.h>

#define LOOKS 10000

static const char *const kinds[] = {"no-such-store\n", "access-denied\n"};

/* 500 with what the store said. */
static void fail(hf_outparam out, wasi_keyvalue_store_error_t *error)
{
    char text[200] = "";
    if (error->tag < 2) {
        hf_reply_text(out, 500, kinds[error->tag]);
        return;
    }
    size_t len = error->val.other.len < sizeof text - 2 ? error->val.other.len : sizeof text - 2;
    memcpy(text, error->val.other.ptr, len);
    text[len] = '\n';
    wasi_keyvalue_store_error_free(error);
    hf_reply_text(out, 500, text);
}

static void reply_number(hf_outparam out, uint64_t n)
{
    char text[23];
    size_t len = hf_decimal(text, n);
    text[len] = '\n';
    text[len + 1] = '\0';
    hf_reply_text(out, 200, text);
}

static void increment(hf_outparam out, wasi_keyvalue_store_borrow_bucket_t bucket)
{
    service_string_t key = hf_text("hits");
    wasi_keyvalue_atomics_error_t error;
    int64_t n;
    if (wasi_keyvalue_atomics_increment(bucket, &key, 1, &n, &error))
        reply_number(out, (uint64_t)n);
    else
        fail(out, &error);
}

static uint64_t number(const service_option_list_u8_t *value)
{
    uint64_t n = 0;
    for (size_t i = 0; value->is_some && i < value->val.len; i++)
        n = n * 10 + (uint64_t)(value->val.ptr[i] - '0');
    return n;
}

static void swap(hf_outparam out, wasi_keyvalue_store_borrow_bucket_t bucket)
{
    service_string_t key = hf_text("swaps");
    wasi_keyvalue_atomics_own_cas_t cas;
    wasi_keyvalue_atomics_error_t error;
    if (!wasi_keyvalue_atomics_static_cas_new(bucket, &key, &cas, &error)) {
        fail(out, &error);
        return;
    }
    for (;;) {
        service_option_list_u8_t value;
        wasi_keyvalue_atomics_cas_error_t failed;
        char text[21];
        if (!wasi_keyvalue_atomics_method_cas_current(wasi_keyvalue_atomics_borrow_cas(cas), &value, &error)) {
            wasi_keyvalue_atomics_cas_drop_own(cas);
            fail(out, &error);
            return;
        }
        uint64_t n = number(&value) + 1;
        service_option_list_u8_free(&value);
        service_list_u8_t next = {.ptr = (uint8_t *)text, .len = hf_decimal(text, n)};
        if (wasi_keyvalue_atomics_swap(cas, &next, &failed)) {
            reply_number(out, n);
            return;
        }
        if (failed.tag == 0) {
            fail(out, &failed.val.store_error);
            return;
        }
        cas = failed.val.cas_failed;
    }
}

/* A value as text, "0" when there is none; false: the store failed and the answer is given. */
static bool look(hf_outparam out, wasi_keyvalue_store_borrow_bucket_t bucket, const char *name, char text[32])
{
    service_string_t key = hf_text(name);
    service_option_list_u8_t value;
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_get(bucket, &key, &value, &error)) {
        fail(out, &error);
        return false;
    }
    size_t len = value.is_some && value.val.len < 31 ? value.val.len : 0;
    strcpy(text, "0");
    if (len > 0) {
        memcpy(text, value.val.ptr, len);
        text[len] = '\0';
    }
    service_option_list_u8_free(&value);
    return true;
}

static void read_both(hf_outparam out, wasi_keyvalue_store_borrow_bucket_t bucket)
{
    char text[64], swaps[32];
    if (!look(out, bucket, "hits", text) || !look(out, bucket, "swaps", swaps))
        return;
    strcat(text, " ");
    strcat(strcat(text, swaps), "\n");
    hf_reply_text(out, 200, text);
}

static void greeting(hf_outparam out)
{
    service_string_t key = hf_text("greeting");
    service_option_string_t value;
    wasi_config_store_error_t error;
    char text[100] = "none\n";
    if (wasi_config_store_get(&key, &value, &error) && value.is_some && value.val.len < sizeof text - 1) {
        memcpy(text, value.val.ptr, value.val.len);
        strcpy(text + value.val.len, "\n");
    }
    hf_reply_text(out, 200, text);
}

static void how_long(hf_outparam out, wasi_keyvalue_store_borrow_bucket_t bucket)
{
    char text[32];
    uint64_t begun = wasi_clocks_monotonic_clock_now();
    for (int i = 0; i < LOOKS; i++)
        if (!look(out, bucket, "hits", text))
            return;
    reply_number(out, (wasi_clocks_monotonic_clock_now() - begun) / LOOKS);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char path[32];
    service_string_t name = hf_text("default");
    wasi_keyvalue_store_own_bucket_t bucket;
    wasi_keyvalue_store_error_t error;
    hf_request_path(request, path, sizeof path);
    wasi_http_types_incoming_request_drop_own(request);
    if (strcmp(path, "/greeting") == 0) {
        greeting(out);
        return;
    }
    if (!wasi_keyvalue_store_open(&name, &bucket, &error)) {
        fail(out, &error);
        return;
    }
    wasi_keyvalue_store_borrow_bucket_t b = wasi_keyvalue_store_borrow_bucket(bucket);
    if (strcmp(path, "/swap") == 0)
        swap(out, b);
    else if (strcmp(path, "/read") == 0)
        read_both(out, b);
    else if (strcmp(path, "/time") == 0)
        how_long(out, b);
    else
        increment(out, b);
    wasi_keyvalue_store_bucket_drop_own(bucket);
}
