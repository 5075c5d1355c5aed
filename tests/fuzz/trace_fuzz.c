/* trace_fuzz.c - what a client sends as trace context, id, target and agent: what is taken reads back
 * the same, and whatever comes, a log line is one line of UTF-8.
 *
 * rooms: base
 * files: src/node/log_access.c src/node/log_text.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/utf.h"
#include "node/log_access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static void read_back(struct hf_view v)
{
    struct hf_trace t, again;
    char out[HF_TRACEPARENT_LEN];
    unsigned members = 0;
    if (hf_traceparent_read(v, &t)) {
        MUST(hf_trace_is(&t) && t.span != 0 && v.len >= HF_TRACEPARENT_LEN);
        hf_traceparent_write(&t, out);
        MUST(hf_traceparent_read(hf_view(out, sizeof out), &again));
        MUST(t.hi == again.hi && t.lo == again.lo && t.span == again.span && t.flags == again.flags);
        MUST(memcmp(out + 2, v.ptr + 2, 51) == 0); /* all but version and flags are as they came */
    }
    if (hf_tracestate_ok(v, &members))
        MUST(members <= HF_TRACESTATE_MEMBERS_MAX);
    if (hf_request_id_ok(v))
        MUST(v.len <= HF_REQUEST_ID_MAX && hf_utf8_valid(v.ptr, v.len));
}

static void one_line(struct hf_view v)
{
    size_t third = v.len / 3;
    struct hf_view a = hf_view_take(v, third), b = hf_view_take(hf_view_skip(v, third), third),
                   c = hf_view_skip(v, 2 * third);
    struct hf_access access = {
        .method = a,
        .target = b,
        .host = c,
        .peer = HF_VIEW("127.0.0.1:1"),
        .service = b,
        .protocol = "HTTP/1.1",
        .trace = {1, 2, 3, 1},
        .request_id = hf_request_id_ok(a) ? a : HF_VIEW("id"),
        .referer = c,
        .agent = v,
        .detail = hf_view_take(c, hf_view_find(c, '\n')),
        .how = "ok",
        .status = 200,
        .end_ns = UINT64_MAX,
        .bytes_in = UINT64_MAX,
        .bytes_out = UINT64_MAX,
        .process = UINT64_MAX,
    };
    for (int form = HF_ACCESS_FORM_OWN; form <= HF_ACCESS_FORM_JSON_AGENT; form++) {
        struct hf_buf buf = {0};
        struct hf_log_clock clock = {0};
        MUST(hf_access_line(&buf, (enum hf_access_form)form, &clock, v.len * 123456789u, &access) == HF_OK);
        MUST(hf_view_find(hf_buf_view(&buf), '\n') == buf.len - 1);
        MUST(hf_utf8_valid(buf.ptr, buf.len));
        for (size_t i = 0; i + 1 < buf.len; i++)
            MUST(buf.ptr[i] >= 0x20 && buf.ptr[i] != 0x7f);
        hf_buf_done(&buf);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_back(hf_view(data, size));
    one_line(hf_view(data, size));
    return 0;
}
