/*
 * A shelf of the upload app (examples/upload): one process an upload, named shelf/NUMBER. It reads
 * the bytes once, to add them up, and keeps the blob; who fetches it gets the same bytes again, which
 * never come into this guest for that.
 */
#include "holdfast.h"

static hf_blob kept;
static bool has_blob;

static size_t decimal(char *out, uint64_t value)
{
    char digits[20];
    size_t n = 0, at = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0)
        out[at++] = digits[--n];
    return at;
}

/* The client may have left: nothing is to be done about it. */
static void say(uint16_t status, const char *text, size_t len)
{
    hf_http_respond(status, "text/plain; charset=utf-8", text, len);
}

/* Adler-32 of the whole, a piece at a time, as it arrives. False: it broke off. */
static bool add_up(hf_blob blob, uint64_t *len, uint32_t *sum)
{
    uint32_t a = 1, b = 0;
    *len = 0;
    for (;;) {
        service_list_u8_t bytes;
        if (!hf_blob_read(blob, *len, 65536, &bytes))
            return false;
        for (size_t i = 0; i < bytes.len; i++) {
            a = (a + bytes.ptr[i]) % 65521;
            b = (b + a) % 65521;
        }
        size_t n = bytes.len;
        *len += n;
        service_list_u8_free(&bytes);
        if (n < 65536)
            break;
    }
    *sum = b << 16 | a;
    return true;
}

static void keep(const hf_request_in *r)
{
    static const char hex[] = "0123456789abcdef";
    char text[128];
    uint64_t len;
    uint32_t sum;
    size_t at = 0;
    hf_blob blob;
    if (has_blob || (!hf_current_blob(&blob) && !hf_blob_of("", 0, &blob))) {
        say(409, "this shelf is taken\n", 20);
        return;
    }
    if (!add_up(blob, &len, &sum)) {
        hf_blob_drop(blob);
        say(400, "the upload broke off\n", 21);
        return;
    }
    kept = blob;
    has_blob = true;
    memcpy(text, "upload ", 7);
    at = 7;
    for (size_t i = 0; i < r->body.len && i < 20; i++)
        text[at++] = (char)r->body.ptr[i];
    memcpy(text + at, ": ", 2);
    at += 2;
    at += decimal(text + at, len);
    memcpy(text + at, " bytes, adler32 ", 16);
    at += 16;
    for (int shift = 28; shift >= 0; shift -= 4)
        text[at++] = hex[sum >> shift & 15];
    text[at++] = '\n';
    say(200, text, at);
}

static bool is(const hf_request_in *r, const char *text)
{
    return r->metadata.is_some && r->metadata.val.len == strlen(text) && memcmp(r->metadata.val.ptr, text, strlen(text)) == 0;
}

void exports_holdfast_kernel_handler_handle(hf_message *m)
{
    if (m->tag == HF_REQUEST && is(&m->val.request, "keep")) {
        keep(&m->val.request);
    } else if (m->tag == HF_REQUEST && is(&m->val.request, "fetch")) {
        if (has_blob) {
            hf_http_respond_blob(200, "application/octet-stream", hf_blob_duplicate(kept));
        } else {
            say(404, "nothing lies here\n", 18);
        }
    }
    hf_message_done(m);
}
