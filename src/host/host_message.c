/* host_message.c - holdfast:kernel/messages: the verbs of a process (kernel/message.h) for guests.
 *
 * A verb that is refused has done nothing in the kernel, but for a blob handle that was given along: it is the host's once it
 * was lowered, so it is dropped. Where a verb waits (ask, receive), the guest's fiber does.
 */
#include "host/kernel_int.h"

static struct hf_turn *turn_of(const struct hf_call *call)
{
    return hf_guest_of(call)->turn;
}

/* ---- reading what a guest gives -------------------------------------------------------------------------- */

/* The fields that `outgoing` and `reply` share, from `body` on: body, metadata, blob, capabilities. */
struct parcel {
    struct hf_buf body;
    struct hf_view metadata;
    struct hf_blob *blob;
    bool inherit;
    struct hf_view *caps;
    size_t n_caps;
};

static enum hf_err read_parcel(struct hf_call *call, const struct hf_value *fields, struct parcel *p)
{
    const struct hf_value *body = &fields[0], *metadata = &fields[1], *choice = &fields[2], *caps = &fields[3];
    *p = (struct parcel){.inherit = choice->tag == 1, .n_caps = caps->len};
    if (choice->tag == 2)
        p->blob = hf_guest_blob_consume(choice->items[0].obj);
    if (metadata->tag == 1)
        p->metadata = hf_value_view(&metadata->items[0]);
    p->caps = hf_call_alloc(call, (p->n_caps + 1) * sizeof *p->caps);
    if (p->caps == NULL || hf_buf_add_view(&p->body, hf_value_view(body)) != HF_OK) {
        hf_blob_unref(p->blob);
        return hf_call_limit(call, "host memory for messages");
    }
    for (size_t i = 0; i < p->n_caps; i++)
        p->caps[i] = hf_value_view(&caps->items[i]);
    return HF_OK;
}

enum hf_err hf_send_read(struct hf_call *call, const struct hf_value *to, const struct hf_value *wish, struct hf_send *ret)
{
    struct parcel p;
    enum hf_err err = read_parcel(call, &to->items[1], &p);
    if (err != HF_OK)
        return err;
    *ret = (struct hf_send){
        .target = hf_value_view(&to->items[0]),
        .body = p.body,
        .metadata = p.metadata,
        .blob = p.blob,
        .inherit = p.inherit,
        .caps = p.caps,
        .n_caps = p.n_caps,
    };
    if (wish == NULL)
        return HF_OK;
    const struct hf_value *timeout = &wish->items[0];
    ret->wants_answer = true;
    ret->timeout_ns = timeout->tag == 0 ? 0 : timeout->items[0].u64 == 0 ? 1 : timeout->items[0].u64;
    ret->park = wish->items[2].u64 != 0;
    err = hf_buf_add_view(&ret->context, hf_value_view(&wish->items[1]));
    if (err == HF_OK)
        return HF_OK;
    hf_buf_done(&ret->body);
    hf_blob_unref(ret->blob);
    return hf_call_limit(call, "host memory for messages");
}

/* What no verb took. */
static void send_done(struct hf_send *s)
{
    hf_buf_done(&s->body);
    hf_buf_done(&s->context);
    hf_blob_unref(s->blob);
}

enum hf_err hf_response_read(struct hf_call *call, const struct hf_value *reply, struct hf_response *ret)
{
    struct parcel p;
    enum hf_err err = read_parcel(call, reply->items, &p);
    if (err == HF_OK)
        *ret = (struct hf_response){
            .body = p.body, .metadata = p.metadata, .blob = p.blob, .inherit = p.inherit, .caps = p.caps, .n_caps = p.n_caps};
    return err;
}

void hf_response_done(struct hf_response *r)
{
    hf_buf_done(&r->body);
    hf_blob_unref(r->blob);
}

/* ---- sending --------------------------------------------------------------------------------------------- */

static enum hf_err do_send(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_send s;
    uint64_t id = 0;
    enum hf_err err = hf_send_read(call, &args[0], &args[1], &s);
    if (err != HF_OK)
        return err;
    enum hf_said said = hf_turn_send(turn_of(call), &s, &id);
    send_done(&s);
    struct hf_value v = hf_value_u64(id);
    return hf_said_result(call, said, &v, result);
}

static enum hf_err do_tell(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_send s;
    enum hf_err err = hf_send_read(call, &args[0], NULL, &s);
    if (err != HF_OK)
        return err;
    enum hf_said said = hf_turn_send(turn_of(call), &s, NULL);
    send_done(&s);
    return hf_said_result(call, said, NULL, result);
}

static enum hf_err do_forward(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_send s;
    enum hf_err err = hf_send_read(call, &args[0], NULL, &s);
    if (err != HF_OK)
        return err;
    enum hf_said said = hf_turn_forward(turn_of(call), &s);
    send_done(&s);
    return hf_said_result(call, said, NULL, result);
}

static enum hf_err do_cancel(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_cancel(turn_of(call), args[0].u64), NULL, result);
}

/* ---- ask ------------------------------------------------------------------------------------------------- */

static bool copy(struct hf_call *call, struct hf_view bytes, struct hf_view *ret)
{
    uint8_t *to = hf_call_alloc(call, bytes.len + 1);
    if (to == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(to, bytes.ptr, bytes.len);
    *ret = hf_view(to, bytes.len);
    return true;
}

struct hf_message hf_asked_message(uint64_t id, struct hf_view target, const struct hf_asked *asked)
{
    return (struct hf_message){
        .kind = asked->answer.kind == HF_ANSWER_OK ? HF_MESSAGE_RESPONSE : HF_MESSAGE_ERROR,
        .error = asked->answer.kind,
        .id = id,
        .body = hf_buf_view(&asked->answer.body),
        .blob = asked->answer.blob,
        .source = target,
        .target = target,
        .metadata = asked->metadata, /* lent by the kernel, also past the call */
        .context = hf_buf_view(&asked->context),
        .caps = asked->caps,
        .n_caps = asked->n_caps,
    };
}

void hf_asked_keep_blob(struct hf_call *call, struct hf_asked *asked)
{
    hf_guest_of(call)->mail.asked = asked->answer.blob;
    asked->answer.blob = NULL;
}

enum hf_err hf_asked_result(struct hf_call *call, uint64_t id, struct hf_view target, struct hf_asked *asked,
                            struct hf_value *result)
{
    struct hf_message m = hf_asked_message(id, target, asked);
    struct hf_value *v = hf_call_alloc(call, (hf_message_values(&m) + 1) * sizeof *v);
    if (v == NULL || !copy(call, m.body, &m.body) || !copy(call, m.context, &m.context) || !copy(call, target, &m.target))
        return hf_call_limit(call, "memory of a call");
    m.source = m.target;
    struct hf_value message = hf_message_value(&m, 0, v + 1);
    hf_asked_keep_blob(call, asked);
    v[0] = hf_value_case(m.kind != HF_MESSAGE_RESPONSE, message.items);
    return hf_said_result(call, HF_SAID_OK, &v[0], result);
}

enum hf_err hf_asked_await(struct hf_call *call, struct hf_asked *asked)
{
    struct hf_guest *g = hf_guest_of(call);
    enum hf_err err;
    hf_blob_unref(g->mail.asked);
    g->mail.asked = NULL;
    while ((err = hf_turn_take_asked(g->turn, asked)) == HF_AGAIN) {
        err = hf_guest_wait(call, hf_turn_asked_wait(g->turn));
        if (err != HF_OK)
            return err;
    }
    return err == HF_OK ? HF_OK : hf_call_trap(call, "messages.ask: the answer was taken by somebody else");
}

static enum hf_err do_ask(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_view target = hf_value_view(&args[0].items[0]);
    struct hf_asked asked = {0};
    struct hf_send s;
    uint64_t id = 0;
    enum hf_err err = hf_send_read(call, &args[0], &args[1], &s);
    if (err != HF_OK)
        return err;
    enum hf_said said = hf_turn_ask(g->turn, &s, &id);
    send_done(&s);
    if (said != HF_SAID_OK)
        return hf_said_result(call, said, NULL, result);
    err = hf_asked_await(call, &asked);
    if (err != HF_OK)
        return err;
    err = hf_asked_result(call, id, target, &asked, result);
    hf_asked_done(&asked);
    return err;
}

static enum hf_err option_blob(struct hf_call *call, struct hf_blob *blob, struct hf_value *result)
{
    *result = hf_value_case(0, NULL);
    if (blob == NULL)
        return HF_OK;
    struct hf_guest_blob *b = hf_guest_blob_new(hf_guest_of(call), blob);
    if (b == NULL)
        return hf_call_limit(call, "host memory for blobs");
    return hf_host_case(call, 1, hf_value_obj(b), result);
}

static enum hf_err do_asked_blob(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct hf_blob *blob = g->mail.asked;
    (void)args;
    g->mail.asked = NULL;
    return option_blob(call, blob, result);
}

/* ---- answering ------------------------------------------------------------------------------------------- */

static enum hf_err do_respond(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_response r;
    enum hf_err err = hf_response_read(call, &args[0], &r);
    if (err != HF_OK)
        return err;
    enum hf_said said = hf_turn_reply(turn_of(call), &r);
    hf_response_done(&r);
    return hf_said_result(call, said, NULL, result);
}

static enum hf_err do_defer(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint64_t token = 0;
    (void)args;
    enum hf_said said = hf_turn_defer(turn_of(call), &token);
    struct hf_value v = hf_value_u64(token);
    return hf_said_result(call, said, &v, result);
}

static enum hf_err do_answer(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_response r;
    enum hf_err err = hf_response_read(call, &args[1], &r);
    if (err != HF_OK)
        return err;
    enum hf_said said = hf_turn_answer(turn_of(call), args[0].u64, &r);
    hf_response_done(&r);
    return hf_said_result(call, said, NULL, result);
}

static enum hf_err do_drop_token(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_drop_token(turn_of(call), args[0].u64), NULL, result);
}

static enum hf_err do_state(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return hf_said_result(call, hf_turn_state(turn_of(call)), NULL, result);
}

static enum hf_err do_token_state(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return hf_said_result(call, hf_turn_token_state(turn_of(call), args[0].u64), NULL, result);
}

/* ---- what is in hand, and what comes next ---------------------------------------------------------------- */

static enum hf_err pollable(struct hf_call *call, struct hf_wait *wait, struct hf_value *result)
{
    result->obj = hf_pollable_new(call, wait, NULL);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

/* A wait has no refusal to say `denied` with, and an instance of a pool has nothing to wait for. */
static bool is_process(struct hf_call *call, const char *verb)
{
    if (hf_guest_settings(hf_guest_of(call))->process != HF_PROCESS_NONE)
        return true;
    (void)hf_call_trap(call, "messages.%s: this is no process, so no messages come to it", verb);
    return false;
}

static enum hf_err do_unwanted(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    if (!is_process(call, "unwanted"))
        return HF_TRAP;
    return pollable(call, hf_turn_unwanted_wait(turn_of(call)), result);
}

static enum hf_err do_mail(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    if (!is_process(call, "mail"))
        return HF_TRAP;
    return pollable(call, hf_turn_mail_wait(turn_of(call)), result);
}

static enum hf_err do_nested(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_message *m = hf_turn_nested(turn_of(call));
    (void)args;
    *result = hf_value_case(0, NULL);
    if (m == NULL)
        return HF_OK;
    struct hf_value *v = hf_call_alloc(call, (hf_message_values(m) + 1) * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    v[0] = hf_request_value(m, hf_turn_now(turn_of(call)), v + 1);
    *result = hf_value_case(1, v);
    return HF_OK;
}

static enum hf_err blob_of(struct hf_call *call, const struct hf_message *m, struct hf_value *result)
{
    return option_blob(call, m == NULL || m->blob == NULL ? NULL : hf_blob_ref(m->blob), result);
}

static enum hf_err do_current_blob(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return blob_of(call, hf_turn_message(turn_of(call)), result);
}

static enum hf_err do_nested_blob(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return blob_of(call, hf_turn_nested(turn_of(call)), result);
}

enum hf_err hf_message_await(struct hf_call *call)
{
    struct hf_turn *turn = turn_of(call);
    enum hf_err err;
    if (hf_guest_settings(hf_guest_of(call))->process != HF_PROCESS_RUN)
        return hf_call_trap(call, "messages.receive: a handler is given its messages; only a runner takes them itself");
    while ((err = hf_turn_receive(turn)) == HF_AGAIN) {
        err = hf_guest_wait(call, hf_turn_mail_wait(turn));
        if (err != HF_OK)
            return err;
    }
    if (err == HF_CLOSED) { /* it was told to stop: nothing comes any more, and `receive` cannot say so */
        hf_guest_of(call)->mail.stopped = true;
        return hf_call_trap(call, "messages.receive: the process was stopped");
    }
    return err == HF_OK ? HF_OK : hf_call_trap(call, "messages.receive: %s", hf_err_text(err));
}

static enum hf_err do_receive(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_turn *turn = turn_of(call);
    enum hf_err err = hf_message_await(call);
    (void)args;
    if (err != HF_OK)
        return err;
    const struct hf_message *m = hf_turn_message(turn);
    struct hf_value *v = hf_call_alloc(call, hf_message_values(m) * sizeof *v);
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    *result = hf_message_value(m, hf_turn_now(turn), v);
    return HF_OK;
}

/* ---- binding --------------------------------------------------------------------------------------------- */

enum hf_err hf_host_bind_messages(struct hf_registry *reg, struct hf_report *report)
{
    static const struct hf_binding table[] = {
        {"send", do_send},
        {"tell", do_tell},
        {"forward", do_forward},
        {"ask", do_ask},
        {"asked-blob", do_asked_blob},
        {"cancel", do_cancel},
        {"respond", do_respond},
        {"defer", do_defer},
        {"answer", do_answer},
        {"drop-token", do_drop_token},
        {"state", do_state},
        {"token-state", do_token_state},
        {"unwanted", do_unwanted},
        {"nested", do_nested},
        {"current-blob", do_current_blob},
        {"nested-blob", do_nested_blob},
        {"receive", do_receive},
        {"mail", do_mail},
        {NULL, NULL},
    };
    enum hf_err err = hf_registry_bind_all(reg, HF_KERNEL_WIT "messages" HF_KERNEL_WIT_VERSION, table, report);
    return err != HF_OK ? err : hf_host_bind_direct(reg, report);
}
