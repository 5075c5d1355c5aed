/* message_value.c - the kernel's messages as component values, and what guests say as the kernel's structs.
 *
 * Values point into the message: nothing is copied here. Their shapes are those of wit/kernel-0.1.0.wit.
 */
#include "host/kernel_int.h"

#include "base/utf.h"

/* Where the values of one message come from, taken one after the other. */
struct room {
    struct hf_value *at;
};

static struct hf_value *take(struct room *room, size_t n)
{
    struct hf_value *v = room->at;
    room->at += n;
    return v;
}

size_t hf_message_values(const struct hf_message *m)
{
    return 24 + m->n_caps; /* the largest record has 8 fields; options and blob-info take the rest */
}

/* Words of the kernel: they were cut at some byte, and may quote anything. A string is valid UTF-8. */
static struct hf_value words(struct hf_view text)
{
    return hf_value_bytes(hf_view_take(text, hf_utf8_valid_prefix(text.ptr, text.len)));
}

static struct hf_value option_text(struct room *room, struct hf_view text)
{
    if (text.len == 0)
        return hf_value_case(0, NULL);
    struct hf_value *v = take(room, 1);
    *v = hf_value_bytes(text);
    return hf_value_case(1, v);
}

static struct hf_value caps_value(struct room *room, const struct hf_message *m)
{
    struct hf_value *v = take(room, m->n_caps);
    for (size_t i = 0; i < m->n_caps; i++)
        v[i] = hf_value_bytes(m->caps[i]);
    return (struct hf_value){.items = v, .len = (uint32_t)m->n_caps};
}

static struct hf_value request_value(struct room *room, const struct hf_message *m, uint64_t now_ns)
{
    struct hf_value *f = take(room, 8);
    f[0] = hf_value_u64(m->id);
    f[1] = option_text(room, m->source);
    f[2] = hf_value_bytes(m->body);
    f[3] = option_text(room, m->metadata);
    f[4] = hf_blob_info_value(m->blob, take(room, 4));
    f[5] = caps_value(room, m);
    f[6] = hf_value_u64(m->wants_answer);
    if (m->wants_answer) {
        struct hf_value *left = take(room, 1);
        *left = hf_value_u64(m->deadline_ns > now_ns ? m->deadline_ns - now_ns : 0);
        f[7] = hf_value_case(1, left);
    } else {
        f[7] = hf_value_case(0, NULL);
    }
    return (struct hf_value){.items = f, .len = 8};
}

struct hf_value hf_request_value(const struct hf_message *m, uint64_t now_ns, struct hf_value *v)
{
    struct room room = {v};
    return request_value(&room, m, now_ns);
}

static struct hf_value response_value(struct room *room, const struct hf_message *m)
{
    struct hf_value *f = take(room, 7);
    f[0] = hf_value_u64(m->id);
    f[1] = option_text(room, m->source);
    f[2] = hf_value_bytes(m->body);
    f[3] = option_text(room, m->metadata);
    f[4] = hf_blob_info_value(m->blob, take(room, 4));
    f[5] = caps_value(room, m);
    f[6] = hf_value_bytes(m->context);
    return (struct hf_value){.items = f, .len = 7};
}

uint32_t hf_error_kind_tag(enum hf_answer_kind kind)
{
    enum { TIMEOUT, OFFLINE, NO_SUCH, FULL, DEAD, UNANSWERED, TOO_LARGE, DENIED, LIMIT, CYCLE, CANCELLED };
    switch (kind) {
    case HF_ANSWER_TIMEOUT: return TIMEOUT;
    case HF_ANSWER_NO_SUCH: return NO_SUCH;
    case HF_ANSWER_FULL: return FULL;
    case HF_ANSWER_UNANSWERED: return UNANSWERED;
    case HF_ANSWER_LIMITED: return LIMIT;
    case HF_ANSWER_CANCELLED: return CANCELLED;
    case HF_ANSWER_CYCLE: return CYCLE;
    case HF_ANSWER_OK: /* no error: nobody asks */
    case HF_ANSWER_DEAD: break;
    }
    return DEAD;
}

static struct hf_value failure_value(struct room *room, const struct hf_message *m)
{
    struct hf_value *f = take(room, 6);
    f[0] = hf_value_u64(m->id);
    f[1] = hf_value_bytes(m->target);
    f[2] = hf_value_case(hf_error_kind_tag(m->error), NULL);
    f[3] = words(m->body);
    f[4] = hf_value_bytes(m->context);
    f[5] = hf_blob_info_value(m->blob, take(room, 4));
    return (struct hf_value){.items = f, .len = 6};
}

static struct hf_value end_value(struct room *room, const struct hf_message *m)
{
    struct hf_value *f = take(room, 5);
    f[0] = hf_value_u64(m->id);
    f[1] = hf_value_bytes(m->source);
    f[2] = hf_value_u64(m->error == HF_ANSWER_OK);
    f[3] = hf_value_case(hf_error_kind_tag(m->error), NULL);
    f[4] = words(m->body);
    return (struct hf_value){.items = f, .len = 5};
}

static struct hf_value notice_value(struct room *room, const struct hf_message *m)
{
    enum { ENDED, EXIT, REFUSED, UNWANTED, TIMER };
    struct hf_value *v = take(room, 1), *pair;
    switch (m->notice) {
    case HF_NOTICE_ENDED: *v = end_value(room, m); return hf_value_case(ENDED, v);
    case HF_NOTICE_EXIT: *v = end_value(room, m); return hf_value_case(EXIT, v);
    case HF_NOTICE_REFUSED:
        pair = take(room, 2);
        pair[0] = hf_value_u64(m->id);
        pair[1] = hf_value_u64(m->count);
        *v = (struct hf_value){.items = pair, .len = 2};
        return hf_value_case(REFUSED, v);
    case HF_NOTICE_VOID: *v = hf_value_u64(m->id); return hf_value_case(UNWANTED, v);
    case HF_NOTICE_TIMER: *v = hf_value_u64(m->id); return hf_value_case(TIMER, v);
    case HF_NOTICE_NONE: break;
    }
    HF_ASSERT(!"a notice has a kind");
    return (struct hf_value){0};
}

struct hf_value hf_message_value(const struct hf_message *m, uint64_t now_ns, struct hf_value *v)
{
    struct room room = {v};
    struct hf_value *payload = take(&room, 1);
    switch (m->kind) {
    case HF_MESSAGE_REQUEST: *payload = request_value(&room, m, now_ns); break;
    case HF_MESSAGE_RESPONSE: *payload = response_value(&room, m); break;
    case HF_MESSAGE_ERROR: *payload = failure_value(&room, m); break;
    case HF_MESSAGE_NOTICE: *payload = notice_value(&room, m); break;
    }
    return hf_value_case((uint32_t)m->kind, payload);
}

/* ---- what guests say ------------------------------------------------------------------------------------- */

enum hf_err hf_said_result(struct hf_call *call, enum hf_said said, const struct hf_value *payload, struct hf_value *result)
{
    struct hf_value *v = hf_call_alloc(call, sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    if (said != HF_SAID_OK) {
        *v = hf_value_case((uint32_t)said - 1, NULL); /* refusals have the kernel's order */
        *result = hf_value_case(1, v);
        return HF_OK;
    }
    if (payload != NULL)
        *v = *payload;
    *result = hf_value_case(0, payload != NULL ? v : NULL);
    return HF_OK;
}
