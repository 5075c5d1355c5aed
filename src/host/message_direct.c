/* message_direct.c - the way of most messages: straight between the kernel's structures and the guest's memory.
 *
 * What host_message.c and message_value.c do with values for everybody, done by hand (component/direct.h) for what is
 * commonest: verbs without a blob handle and without capabilities, requests and responses that come. All else says HF_AGAIN
 * (or HF_UNSUPPORTED) before it did anything and goes the generic way; tests/host/direct_test.c compares both.
 *
 * The records below have the layout of the WIT's in memory: the canonical ABI's is C's, with pointers of 32 bits. They are
 * only for offsetof: padding, and payloads of what is none, stay as the guest has them.
 */
#include "host/kernel_int.h"

#include <stddef.h>

#include "component/direct.h"

struct wire_text { uint32_t ptr, len; };
struct wire_option_text { uint8_t some; struct wire_text text; };
struct wire_option_u64 { uint8_t some; uint64_t n; };
struct wire_info { struct wire_option_u64 length; uint8_t complete; };
struct wire_option_info { uint8_t some; struct wire_info info; };
struct wire_request {
    uint64_t id;
    struct wire_option_text source;
    struct wire_text body;
    struct wire_option_text metadata;
    struct wire_option_info blob;
    struct wire_text caps;
    uint8_t wants_answer;
    struct wire_option_u64 time_left;
};
struct wire_response {
    uint64_t id;
    struct wire_option_text source;
    struct wire_text body;
    struct wire_option_text metadata;
    struct wire_option_info blob;
    struct wire_text caps, context;
};
struct wire_message { uint8_t tag; union { struct wire_request request; struct wire_response response; } of; };
struct wire_said { uint8_t tag, refusal; };                       /* result<_, refusal> */
struct wire_said_u64 { uint8_t tag; union { uint8_t refusal; uint64_t n; } of; };
struct wire_asked { uint8_t tag; union { uint8_t refusal; struct { uint8_t tag; struct wire_response ok; } of; } of; };

/* ---- messages that come ---- */

static enum hf_err put_option(struct hf_direct *d, uint8_t *at, struct hf_view text)
{
    hf_direct_put8(at + offsetof(struct wire_option_text, some), text.len != 0);
    return text.len == 0 ? HF_OK : hf_direct_put_text(d, at + offsetof(struct wire_option_text, text), text);
}

static void put_info(uint8_t *at, const struct hf_blob *blob)
{
    hf_direct_put8(at, blob != NULL);
    if (blob == NULL)
        return;
    at += offsetof(struct wire_option_info, info);
    uint64_t length = hf_blob_declared(blob);
    bool known = length != HF_BLOB_LEN_UNKNOWN;
    hf_direct_put8(at + offsetof(struct wire_info, length.some), known);
    if (known)
        hf_direct_put64(at + offsetof(struct wire_info, length.n), length);
    hf_direct_put8(at + offsetof(struct wire_info, complete), hf_blob_complete(blob));
}

static enum hf_err put_caps(struct hf_direct *d, uint8_t *at, const struct hf_message *m)
{
    uint32_t ptr, n = (uint32_t)m->n_caps;
    uint8_t *items = NULL;
    enum hf_err err = hf_direct_list(d, n, sizeof(struct wire_text), 4, &ptr, &items);
    for (size_t i = 0; i < n && err == HF_OK; i++)
        err = hf_direct_put_text(d, items + i * sizeof(struct wire_text), m->caps[i]);
    if (err == HF_OK)
        hf_direct_put_list(at, ptr, n);
    return err;
}

/* The fields that a request and a response begin with; both have them at the same places. */
static enum hf_err put_common(struct hf_direct *d, uint8_t *at, const struct hf_message *m)
{
    _Static_assert(offsetof(struct wire_request, caps) == offsetof(struct wire_response, caps), "they begin alike");
    hf_direct_put64(at + offsetof(struct wire_request, id), m->id);
    enum hf_err err = put_option(d, at + offsetof(struct wire_request, source), m->source);
    if (err == HF_OK)
        err = hf_direct_put_bytes(d, at + offsetof(struct wire_request, body), m->body);
    if (err == HF_OK)
        err = put_option(d, at + offsetof(struct wire_request, metadata), m->metadata);
    if (err != HF_OK)
        return err;
    put_info(at + offsetof(struct wire_request, blob), m->blob);
    return put_caps(d, at + offsetof(struct wire_request, caps), m);
}

static enum hf_err put_request(struct hf_direct *d, uint8_t *at, const struct hf_message *m, uint64_t now_ns)
{
    enum hf_err err = put_common(d, at, m);
    if (err != HF_OK)
        return err;
    hf_direct_put8(at + offsetof(struct wire_request, wants_answer), m->wants_answer);
    hf_direct_put8(at + offsetof(struct wire_request, time_left.some), m->wants_answer);
    if (m->wants_answer)
        hf_direct_put64(at + offsetof(struct wire_request, time_left.n), m->deadline_ns > now_ns ? m->deadline_ns - now_ns : 0);
    return HF_OK;
}

static enum hf_err put_response(struct hf_direct *d, uint8_t *at, const struct hf_message *m)
{
    enum hf_err err = put_common(d, at, m);
    return err != HF_OK ? err : hf_direct_put_bytes(d, at + offsetof(struct wire_response, context), m->context);
}

bool hf_message_is_direct(const struct hf_message *m)
{
    return m->kind == HF_MESSAGE_REQUEST || m->kind == HF_MESSAGE_RESPONSE;
}

enum hf_err hf_message_put(struct hf_direct *d, uint8_t *at, const struct hf_message *m, uint64_t now_ns)
{
    hf_direct_put8(at + offsetof(struct wire_message, tag), m->kind != HF_MESSAGE_REQUEST);
    at += offsetof(struct wire_message, of);
    return m->kind == HF_MESSAGE_REQUEST ? put_request(d, at, m, now_ns) : put_response(d, at, m);
}

enum hf_err hf_mail_store(struct hf_direct *d, const void *arg, uint8_t *at)
{
    const struct hf_guest *g = arg;
    return hf_message_put(d, at, hf_turn_message(g->turn), hf_turn_now(g->turn));
}

/* ---- what guests say ---- */

/* From `body` on: body, metadata, blob, capabilities: 9 core values. */
struct parcel {
    struct hf_view body, metadata;
    bool inherit;
};

static bool read_parcel(struct hf_direct *d, const union hf_val *v, struct parcel *p)
{
    uint32_t metadata = v[2].u32, choice = v[5].u32;
    p->metadata = (struct hf_view){0};
    p->inherit = choice == 1;
    return hf_direct_bytes(d, v[0].u32, v[1].u32, &p->body) &&
           (metadata == 0 || (metadata == 1 && hf_direct_text(d, v[3].u32, v[4].u32, &p->metadata))) && choice <= 1 &&
           hf_direct_empty(d, v[7].u32, v[8].u32, 4);
}

/* `outgoing` and, when an answer is wanted, `wish`: 11 and 5 core values. */
enum hf_err hf_send_read_direct(struct hf_direct *d, const union hf_val *v, bool wants, struct hf_send *s)
{
    struct parcel p;
    struct hf_view context = {0};
    *s = (struct hf_send){.wants_answer = wants};
    if (!hf_direct_text(d, v[0].u32, v[1].u32, &s->target) || !read_parcel(d, &v[2], &p))
        return HF_AGAIN;
    s->metadata = p.metadata;
    s->inherit = p.inherit;
    if (wants) {
        if (v[11].u32 > 1 || !hf_direct_bytes(d, v[13].u32, v[14].u32, &context))
            return HF_AGAIN;
        s->timeout_ns = v[11].u32 == 0 ? 0 : v[12].u64 == 0 ? 1 : v[12].u64;
        s->park = v[15].u32 != 0;
    }
    if (hf_buf_add_view(&s->body, p.body) != HF_OK || hf_buf_add_view(&s->context, context) != HF_OK) {
        hf_buf_done(&s->body);
        return HF_LIMIT;
    }
    return HF_OK;
}

static void send_done(struct hf_send *s)
{
    hf_buf_done(&s->body);
    hf_buf_done(&s->context);
}

static enum hf_err no_memory(struct hf_call *call, enum hf_err err)
{
    return err == HF_LIMIT ? hf_call_limit(call, "host memory for messages") : err;
}

/* Refusals have the kernel's order. */
static enum hf_err put_said(uint8_t *at, enum hf_said said)
{
    hf_direct_put8(at + offsetof(struct wire_said, tag), said != HF_SAID_OK);
    if (said != HF_SAID_OK)
        at[offsetof(struct wire_said, refusal)] = (uint8_t)((unsigned)said - 1);
    return HF_OK;
}

static uint8_t *said_place(struct hf_direct *d, uint32_t ptr)
{
    return hf_direct_place(d, ptr, 1, sizeof(struct wire_said));
}

static enum hf_err direct_send(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    uint8_t *at = hf_direct_place(d, vals[16].u32, 8, sizeof(struct wire_said_u64));
    struct hf_send s;
    uint64_t id = 0;
    enum hf_err err = at == NULL ? HF_AGAIN : hf_send_read_direct(d, vals, true, &s);
    if (err != HF_OK)
        return no_memory(call, err);
    enum hf_said said = hf_turn_send(hf_guest_of(call)->turn, &s, &id);
    send_done(&s);
    hf_direct_put8(at + offsetof(struct wire_said_u64, tag), said != HF_SAID_OK);
    if (said == HF_SAID_OK)
        hf_direct_put64(at + offsetof(struct wire_said_u64, of.n), id);
    else
        at[offsetof(struct wire_said_u64, of.refusal)] = (uint8_t)((unsigned)said - 1);
    return HF_OK;
}

static enum hf_err sent_plainly(struct hf_call *call, struct hf_direct *d, const union hf_val *vals,
                                enum hf_said (*verb)(struct hf_turn *, struct hf_send *))
{
    uint8_t *at = said_place(d, vals[11].u32);
    struct hf_send s;
    enum hf_err err = at == NULL ? HF_AGAIN : hf_send_read_direct(d, vals, false, &s);
    if (err != HF_OK)
        return no_memory(call, err);
    enum hf_said said = verb(hf_guest_of(call)->turn, &s);
    send_done(&s);
    return put_said(at, said);
}

static enum hf_said send_only(struct hf_turn *turn, struct hf_send *s)
{
    return hf_turn_send(turn, s, NULL);
}

static enum hf_err direct_tell(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    return sent_plainly(call, d, vals, send_only);
}

static enum hf_err direct_forward(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    return sent_plainly(call, d, vals, hf_turn_forward);
}

enum hf_err hf_response_read_direct(struct hf_direct *d, const union hf_val *v, struct hf_response *r)
{
    struct parcel p;
    *r = (struct hf_response){0};
    if (!read_parcel(d, v, &p))
        return HF_AGAIN;
    r->metadata = p.metadata;
    r->inherit = p.inherit;
    return hf_buf_add_view(&r->body, p.body);
}

static enum hf_err direct_respond(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    uint8_t *at = said_place(d, vals[9].u32);
    struct hf_response r;
    enum hf_err err = at == NULL ? HF_AGAIN : hf_response_read_direct(d, vals, &r);
    if (err != HF_OK)
        return no_memory(call, err);
    enum hf_said said = hf_turn_reply(hf_guest_of(call)->turn, &r);
    hf_response_done(&r);
    return put_said(at, said);
}

static enum hf_err direct_answer(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    uint8_t *at = said_place(d, vals[10].u32);
    struct hf_response r;
    enum hf_err err = at == NULL ? HF_AGAIN : hf_response_read_direct(d, &vals[1], &r);
    if (err != HF_OK)
        return no_memory(call, err);
    enum hf_said said = hf_turn_answer(hf_guest_of(call)->turn, vals[0].u64, &r);
    hf_response_done(&r);
    return put_said(at, said);
}

/* ---- ask and receive ---- */

static enum hf_err direct_ask(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    uint8_t *at = hf_direct_place(d, vals[16].u32, 8, sizeof(struct wire_asked));
    struct hf_asked asked = {0};
    char name[HF_NAME_MAX]; /* the guest's realloc may write over what it gave */
    struct hf_send s;
    uint64_t id = 0;
    enum hf_err err = at == NULL || vals[1].u32 > sizeof name ? HF_AGAIN : hf_send_read_direct(d, vals, true, &s);
    if (err != HF_OK)
        return no_memory(call, err);
    memcpy(name, s.target.ptr, s.target.len);
    struct hf_view target = hf_view(name, s.target.len);
    enum hf_said said = hf_turn_ask(hf_guest_of(call)->turn, &s, &id);
    send_done(&s);
    if (said != HF_SAID_OK) {
        hf_direct_put8(at + offsetof(struct wire_asked, tag), true);
        at[offsetof(struct wire_asked, of.refusal)] = (uint8_t)((unsigned)said - 1);
        return HF_OK;
    }
    err = hf_asked_await(call, &asked);
    if (err != HF_OK)
        return err;
    if (asked.answer.kind != HF_ANSWER_OK) {
        struct hf_value result = {0};
        err = hf_asked_result(call, id, target, &asked, &result);
        if (err == HF_OK)
            err = hf_direct_result(call, d, &result, vals);
    } else {
        struct hf_message m = hf_asked_message(id, target, &asked);
        hf_direct_put8(at + offsetof(struct wire_asked, tag), 0);
        hf_direct_put8(at + offsetof(struct wire_asked, of.of.tag), 0);
        hf_asked_keep_blob(call, &asked);
        err = hf_direct_told(call, put_response(d, at + offsetof(struct wire_asked, of.of.ok), &m));
    }
    hf_asked_done(&asked);
    return err;
}

static enum hf_err direct_receive(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    uint8_t *at = hf_direct_place(d, vals[0].u32, 8, sizeof(struct wire_message));
    if (at == NULL)
        return HF_AGAIN;
    enum hf_err err = hf_message_await(call);
    if (err != HF_OK)
        return err;
    struct hf_turn *turn = hf_guest_of(call)->turn;
    const struct hf_message *m = hf_turn_message(turn);
    if (hf_message_is_direct(m))
        return hf_direct_told(call, hf_message_put(d, at, m, hf_turn_now(turn)));
    struct hf_value result, *v = hf_call_alloc(call, hf_message_values(m) * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    result = hf_message_value(m, hf_turn_now(turn), v);
    return hf_direct_result(call, d, &result, vals);
}

/* ---- binding ---- */

enum hf_err hf_host_bind_direct(struct hf_registry *reg, struct hf_report *report)
{
    static const struct hf_direct_binding table[] = {
        {"send", direct_send},       {"tell", direct_tell},     {"forward", direct_forward}, {"ask", direct_ask},
        {"respond", direct_respond}, {"answer", direct_answer}, {"receive", direct_receive}, {NULL, NULL},
    };
    return hf_registry_bind_direct(reg, HF_KERNEL_WIT "messages" HF_KERNEL_WIT_VERSION, table, report);
}
