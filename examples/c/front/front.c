/*
 * HTTP in front of other processes: POST /NAME?ROUTE asks the process NAME, with ROUTE (its "+" are spaces)
 * as metadata and the body that came, and answers with what it said. The body is not read here, and
 * may still be coming in when NAME has it.
 */
#include "holdfast.h"

static void reply(uint16_t status, const uint8_t *text, size_t len)
{
    hf_http_respond(status, NULL, text, len);
}

static void say(uint16_t status, const char *text)
{
    reply(status, (const uint8_t *)text, strlen(text));
}

static void ask(service_string_t name, uint8_t *route, size_t len)
{
    for (size_t i = 0; i < len; i++)
        route[i] = route[i] == '+' ? ' ' : route[i];
    hf_outgoing to = hf_to(name, hf_bytes("", 0), HF_INHERIT_BLOB);
    if (len > 0)
        hf_set_metadata(&to, route, len);
    holdfast_kernel_messages_result_response_failure_t answer;
    int said = hf_ask(&to, 5000000000u, &answer);
    if (said != 0) {
        say(403, hf_refusal_text(said));
        return;
    }
    if (answer.is_err)
        reply(502, answer.val.err.text.ptr, answer.val.err.text.len);
    else
        reply(200, answer.val.ok.body.ptr, answer.val.ok.body.len);
    holdfast_kernel_messages_result_response_failure_free(&answer);
}

void exports_holdfast_kernel_handler_handle(hf_message *m)
{
    holdfast_kernel_http_head_t head;
    if (m->tag == HF_REQUEST && holdfast_kernel_http_request(&head)) {
        uint8_t *path = head.path_with_query.ptr;
        size_t len = head.path_with_query.len, at = 1;
        while (at < len && path[at] != '?')
            at++;
        service_string_t name = {.ptr = path + 1, .len = at - 1};
        ask(name, path + (at < len ? at + 1 : at), at < len ? len - at - 1 : 0);
        holdfast_kernel_http_head_free(&head);
    }
    hf_message_done(m);
}
