/* http1_fuzz.c - any bytes as an HTTP/1 connection: heads, bodies, pipelines.
 *
 * Promises checked, beside memory safety:
 *   - how the bytes are cut into reads changes nothing, not even the refusal;
 *   - no head that is taken lacks a Host (1.1), has two ways to frame its body, or holds a bare CR
 * or LF or a NUL;
 *   - llhttp, reading a whole message that we took, either refuses it or sees the same body.
 * The first byte seeds the cuts; the rest is what the client sends.
 *
 * rooms: base
 * files: src/gateway/strict.c
 * files: src/gateway/target.c
 * files: src/gateway/http1.c
 * files: src/gateway/http1_body.c
 */
#include <llhttp.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway/http1.h"

#define FIELDS   16
#define HEAD_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What happened, as bytes to compare. */
static void note(struct hf_buf *out, const char *what, struct hf_view v)
{
    if (hf_buf_add_text(out, what) != HF_OK || hf_buf_add_view(out, v) != HF_OK)
        abort();
}

static void note_data(struct hf_buf *out, bool *in_data, struct hf_view v)
{
    note(out, *in_data ? "" : "=", v);
    *in_data = true;
}

static int on_body(llhttp_t *l, const char *at, size_t len)
{
    note(l->data, "", hf_view(at, len));
    return 0;
}

static int on_complete(llhttp_t *l)
{
    (void)l;
    return HPE_PAUSED;
}

/* The whole message at `bytes`, whose decoded body we say is `body`. */
static void check_second_opinion(struct hf_view bytes, struct hf_view method, struct hf_view body)
{
    static const llhttp_settings_t settings = {.on_body = on_body,
                                               .on_message_complete = on_complete};
    struct hf_buf seen = {0};
    llhttp_t l;
    llhttp_init(&l, HTTP_REQUEST, &settings);
    l.data = &seen;
    HF_ASSERT(llhttp_execute(&l, "POST", 4) == HPE_OK);
    bytes = hf_view_skip(bytes, method.len);
    if (llhttp_execute(&l, (const char *)bytes.ptr, bytes.len) == HPE_PAUSED)
        HF_ASSERT(hf_view_eq(hf_buf_view(&seen), body));
    hf_buf_done(&seen);
}

static void check_head(const struct hf_http1_request *req, struct hf_view head)
{
    const struct hf_strict *s = &req->s;
    HF_ASSERT(s->minor == 0 || s->has_host);
    HF_ASSERT(!(s->chunked && s->has_length) && !(s->chunked && s->minor == 0));
    HF_ASSERT(s->n_fields <= FIELDS && req->target.path.len > 0);
    HF_ASSERT(memchr(head.ptr, 0, head.len) == NULL);
    for (size_t i = 0; i < head.len; i++) {
        HF_ASSERT(head.ptr[i] != '\n' || (i > 0 && head.ptr[i - 1] == '\r'));
        HF_ASSERT(head.ptr[i] != '\r' || (i + 1 < head.len && head.ptr[i + 1] == '\n'));
    }
}

/* Runs `bytes` as a connection would, cut by `seed` (0: not at all). */
static void run(struct hf_http1_parser *p, struct hf_view bytes, uint32_t seed, struct hf_buf *out)
{
    struct hf_http1_scan scan = {0};
    struct hf_http1_body body;
    struct hf_refusal why = {0};
    struct hf_buf in = {0}, decoded = {0};
    struct hf_view message = {0}, method = {0};
    bool in_body = false, in_data = false;
    size_t at = 0, consumed = 0;
    while (at < bytes.len && why.text == NULL) {
        seed = seed * 1664525u + 1013904223u;
        size_t n = seed == 1013904223u ? bytes.len : 1 + (seed >> 16) % 23;
        n = n < bytes.len - at ? n : bytes.len - at;
        if (hf_buf_add(&in, bytes.ptr + at, n) != HF_OK)
            abort();
        at += n;
        struct hf_view rest = hf_buf_view(&in), data;
        for (bool more = true; more && why.text == NULL;) {
            size_t before = rest.len;
            if (!in_body) {
                struct hf_http1_request req;
                size_t len;
                more =
                    rest.len > 0 && hf_http1_find_head(rest, HEAD_MAX, &scan, &len, &why) == HF_OK;
                if (!more)
                    continue;
                struct hf_view head = hf_view(rest.ptr + scan.skip, len - scan.skip);
                if (!hf_http1_parse(p, head, &req, &why))
                    continue;
                check_head(&req, head);
                note(out, "[", req.s.method);
                note(out, " ", req.target.authority);
                note(out, " ", req.target.path);
                hf_http1_body_init(&body, req.s.chunked, req.s.length);
                message = hf_view_skip(bytes, consumed + scan.skip);
                method = hf_view_take(message, req.s.method.len);
                rest = hf_view_skip(rest, len);
                scan = (struct hf_http1_scan){0};
                hf_buf_clear(&decoded);
                in_body = true;
                in_data = false;
            } else {
                size_t room = seed == 1013904223u ? 65536 : 1 + (seed >> 8) % 7;
                switch (hf_http1_body_next(&body, &rest, room, HEAD_MAX, &data, &why)) {
                case HF_BODY_MORE: more = false; break;
                case HF_BODY_DATA:
                    HF_ASSERT(data.len > 0 && data.len <= room);
                    note_data(out, &in_data, data);
                    note(&decoded, "", data);
                    break;
                case HF_BODY_TRAILERS:
                    note(out, "{", data);
                    in_body = false;
                    break;
                case HF_BODY_END: in_body = false; break;
                case HF_BODY_FULL: abort();
                case HF_BODY_REFUSED: break;
                }
                if (!in_body)
                    check_second_opinion(message, method, hf_buf_view(&decoded));
            }
            consumed += before - rest.len;
        }
        hf_buf_consume(&in, in.len - rest.len);
    }
    if (why.text != NULL) {
        HF_ASSERT(why.status >= 400 && why.status < 600);
        note(out, "!", hf_view_of(why.text));
    }
    hf_buf_done(&in);
    hf_buf_done(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_http1_parser *p;
    struct hf_buf whole = {0}, cut = {0};
    if (size < 2 || hf_http1_parser_new(FIELDS, &p) != HF_OK)
        return 0;
    struct hf_view bytes = hf_view(data + 1, size - 1);
    run(p, bytes, 0, &whole);
    run(p, bytes, 1u + data[0], &cut);
    HF_ASSERT(hf_view_eq(hf_buf_view(&whole), hf_buf_view(&cut)));
    hf_buf_done(&whole);
    hf_buf_done(&cut);
    hf_http1_parser_free(p);
    return 0;
}
