/*
 * One guest for every station of a chain of processes. A request's metadata is its route:
 *
 *     ""            the end: reads the blob that came along and answers "LENGTH SUM"
 *     "NAME ..."    forwards to NAME with the rest of the route; the blob goes along and is not read
 *     "?NAME ..."   first asks NAME (with no blob), then goes on with the rest of the route
 *
 * A->B->C->D with a blob that only D reads is the metadata "b c d" at A; "?x ?y d" is the middleman
 * that asks two others before it forwards. Whoever is asked has an empty route and no blob: it says
 * "0 0".
 */
#include "holdfast.h"

#include <stdlib.h>

#define PIECE 65536u

/* "LENGTH SUM": bytes, and the sum of their values. */
static void respond_sum(hf_blob *blob)
{
    uint64_t len = 0, sum = 0;
    char text[48], digits[21];
    for (;;) {
        service_list_u8_t bytes;
        if (blob == NULL || !hf_blob_read(*blob, len, PIECE, &bytes))
            break;
        for (size_t i = 0; i < bytes.len; i++)
            sum += bytes.ptr[i];
        size_t n = bytes.len;
        len += n;
        service_list_u8_free(&bytes);
        if (n < PIECE)
            break;
    }
    size_t at = 0;
    for (int part = 0; part < 2; part++) {
        uint64_t value = part == 0 ? len : sum;
        size_t n = 0;
        do {
            digits[n++] = (char)('0' + value % 10);
            value /= 10;
        } while (value > 0);
        while (n > 0)
            text[at++] = digits[--n];
        if (part == 0)
            text[at++] = ' ';
    }
    hf_respond(hf_bytes(text, at), HF_NO_BLOB);
}

static void refuse(int said)
{
    const char *text = hf_refusal_text(said);
    hf_respond(hf_bytes(text, strlen(text)), HF_NO_BLOB);
}

/* Does what the route says next; the request in question is current, or nested under an answer. */
static void go_on(const uint8_t *route, size_t len)
{
    size_t n = 0;
    while (n < len && route[n] != ' ')
        n++;
    const uint8_t *rest = n < len ? route + n + 1 : route + n;
    size_t rest_len = (size_t)(route + len - rest);
    bool asks = len > 0 && route[0] == '?';

    if (len == 0) {
        hf_blob blob;
        if (hf_current_blob(&blob) || hf_nested_blob(&blob)) {
            respond_sum(&blob);
            hf_blob_drop(blob);
        } else {
            respond_sum(NULL);
        }
        return;
    }
    service_string_t target = {.ptr = (uint8_t *)(uintptr_t)(asks ? route + 1 : route), .len = asks ? n - 1 : n};
    hf_outgoing to = hf_to(target, hf_bytes("", 0), asks ? HF_NO_BLOB : HF_INHERIT_BLOB);
    uint64_t id;
    int said;
    if (asks) { /* the rest of the route waits in the context */
        said = hf_send(&to, hf_bytes(rest, rest_len), 0, &id);
    } else {
        if (rest_len > 0)
            hf_set_metadata(&to, rest, rest_len);
        said = hf_forward(&to);
    }
    if (said != 0)
        refuse(said);
}

void exports_holdfast_kernel_handler_handle(hf_message *m)
{
    if (m->tag == HF_REQUEST) {
        const hf_request_in *r = &m->val.request;
        go_on(r->metadata.is_some ? r->metadata.val.ptr : NULL, r->metadata.is_some ? r->metadata.val.len : 0);
    } else if (m->tag == HF_RESPONSE) {
        go_on(m->val.response.context.ptr, m->val.response.context.len);
    } else if (m->tag == HF_FAILURE) {
        hf_respond(hf_bytes(m->val.failure.text.ptr, m->val.failure.text.len), HF_NO_BLOB);
    }
    hf_message_done(m);
}
