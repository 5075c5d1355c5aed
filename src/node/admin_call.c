/* admin_call.c - one request to the admin door of a running node, from another process: the gateway's client on a loop of its
 * own, until the answer is there. Blocks; uses no node.
 */
#include "base/head.h"
#include "gateway/client.h"
#include "holdfast/holdfast.h"
#include "node/node_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVER_NS (UINT64_MAX / 4) /* a change may compile for long, the log be silent for days */

struct admin_call {
    struct hf_os *os;
    struct hf_os_poller *poller;
    struct hf_client *client;
    bool done;
    struct hf_fault fault;
    struct hf_blob_reader body;
    uint32_t status;
};

static void on_done(void *owner, struct hf_client_answer *answer)
{
    struct admin_call *c = owner;
    struct hf_head head;
    c->done = true;
    c->fault = answer->fault;
    if (answer->fault.kind != HF_FAULT_NONE)
        return;
    if (hf_head_read(hf_buf_view(&answer->head), &head, NULL) == HF_OK)
        c->status = head.status;
    if (answer->blob != NULL)
        hf_blob_reader_open(&c->body, &answer->blob);
}

static enum hf_err write_head(struct hf_buf *head, const char *method, const char *target, const char *host, const char *token,
                              bool has_body)
{
    struct hf_head_writer w;
    char bearer[300];
    enum hf_err err = hf_head_begin_request(&w, head,
                                            HF_HEAD_HAS_SCHEME | HF_HEAD_HAS_AUTHORITY | HF_HEAD_HAS_PATH |
                                                (has_body ? 0 : HF_HEAD_NO_BODY),
                                            hf_view_of(method), HF_VIEW("http"), hf_view_of(host), hf_view_of(target));
    if (err == HF_OK && token != NULL && token[0] != 0) {
        int n = snprintf(bearer, sizeof bearer, "Bearer %s", token);
        err = n < 0 || (size_t)n >= sizeof bearer ? HF_INVALID
                                                  : hf_head_field(&w, HF_VIEW("authorization"), hf_view(bearer, (size_t)n));
    }
    if (err == HF_OK)
        err = hf_head_field(&w, HF_VIEW("user-agent"), HF_VIEW("holdfast/" HF_VERSION));
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

/* A turn of the loop. */
static void turn(struct admin_call *c)
{
    struct hf_os *os = c->os;
    struct hf_os_event events[8];
    hf_client_flush(c->client);
    uint64_t until = hf_client_busy(c->client) || c->done ? 0 : hf_client_next_ns(c->client);
    struct hf_view bytes;
    if (c->done && c->body.blob != NULL && !hf_client_busy(c->client) && hf_blob_reader_peek(&c->body, &bytes) == HF_AGAIN)
        until = hf_client_next_ns(c->client);
    size_t n = os->poller_wait(c->poller, until, events, HF_ARRAY_LEN(events));
    uint64_t now = os->now_ns(os);
    hf_client_begin(c->client, now);
    for (size_t i = 0; i < n; i++) {
        struct hf_os_watch *watch = events[i].tag;
        watch->on_ready(watch, events[i].ready);
    }
    if (hf_client_next_ns(c->client) <= now)
        hf_client_tick(c->client, now);
    hf_client_flush(c->client);
}

static enum hf_err start(struct admin_call *c, const char *addr, const char *token, const char *method, const char *target,
                         const void *body, size_t len, struct hf_report *report)
{
    struct hf_client_call *call;
    struct hf_buf head = {0};
    struct hf_os_addr at = {0};
    bool local = strncmp(addr, "localhost:", 10) == 0, is_unix = strncmp(addr, "unix:", 5) == 0;
    int n = snprintf(at.text, sizeof at.text, "%s%s", local ? "127.0.0.1:" : "", addr + (local ? 10 : 0));
    if (n < 0 || (size_t)n >= sizeof at.text)
        return hf_report_set(report, HF_INVALID, "the address is too long: %s", addr);
    enum hf_err err = write_head(&head, method, target, is_unix ? "localhost" : at.text, token, body != NULL);
    if (err != HF_OK)
        hf_report_set(report, err, "the request cannot be sent like this (the token, or the target)");
    struct hf_client_request r = {
        .head = hf_buf_view(&head),
        .blob = body != NULL ? hf_blob_of_bytes(hf_view(body, len)) : NULL,
        .realm = 1,
        .host = HF_VIEW("admin"),
        .port = 1,
        .addrs = &at,
        .n_addrs = 1,
        .first_byte_ns = EVER_NS,
        .between_ns = EVER_NS,
        .done = on_done,
        .owner = c,
    };
    if (err == HF_OK && body != NULL && r.blob == NULL)
        err = hf_report_set(report, HF_LIMIT, "out of memory");
    if (err == HF_OK) {
        err = hf_client_start(c->client, &r, &call);
        if (err == HF_OK)
            r.blob = NULL;
        else
            hf_report_set(report, err, "the request cannot be sent: %s", hf_err_text(err));
    }
    hf_blob_unref(r.blob);
    hf_buf_done(&head);
    return err;
}

/* Reads the answer's body to its end. */
static enum hf_err read_body(struct admin_call *c, bool (*each)(void *ctx, const void *bytes, size_t n), void *ctx, struct hf_buf *all,
                             struct hf_report *report)
{
    struct hf_view bytes;
    enum hf_err err;
    for (;;) {
        err = c->body.blob == NULL ? HF_CLOSED : hf_blob_reader_peek(&c->body, &bytes);
        if (err == HF_CLOSED)
            return HF_OK;
        if (err == HF_AGAIN) {
            turn(c);
            continue;
        }
        if (err != HF_OK)
            return hf_report_set(report, HF_IO, "the answer broke off: %s", hf_err_text(err));
        if (each != NULL && c->status == 200) {
            if (!each(ctx, bytes.ptr, bytes.len))
                return HF_OK;
        } else if (hf_buf_add_view(all, bytes) != HF_OK) {
            return hf_report_set(report, HF_LIMIT, "no memory for the answer");
        }
        hf_blob_reader_advance(&c->body, bytes.len);
    }
}

static enum hf_err run(struct admin_call *c, const char *addr, bool (*each)(void *ctx, const void *bytes, size_t n), void *ctx,
                       struct hf_buf *all, struct hf_report *report)
{
    while (!c->done)
        turn(c);
    if (c->fault.kind != HF_FAULT_NONE)
        return hf_report_set(report, HF_IO, "no node answers at %s: %s", addr, c->fault.text);
    return read_body(c, each, ctx, all, report);
}

enum hf_status hf_admin_call(const char *addr, const char *token, const char *method, const char *target, const void *body,
                             size_t body_len, bool (*each)(void *ctx, const void *bytes, size_t n), void *ctx, uint32_t *http,
                             char **answer, size_t *len, struct hf_words *msg)
{
    struct hf_report report;
    struct admin_call c = {.os = hf_os_linux()};
    struct hf_buf all = {0};
    hf_report_init(&report);
    *http = 0;
    *answer = NULL;
    *len = 0;
    enum hf_err err = c.os->poller_new(c.os, &c.poller);
    struct hf_client_settings cs = {.os = c.os, .poller = c.poller, .connections_max = 1, .write_timeout_ns = 60000000000u};
    if (err == HF_OK)
        err = hf_client_new(&cs, &c.client, &report);
    if (err == HF_OK) {
        hf_client_begin(c.client, c.os->now_ns(c.os));
        err = start(&c, addr, token, method, target, body, body_len, &report);
    }
    if (err == HF_OK)
        err = run(&c, addr, each, ctx, &all, &report);
    hf_blob_reader_close(&c.body);
    hf_client_free(c.client);
    if (c.poller != NULL)
        c.os->poller_free(c.poller);
    if (err == HF_OK && hf_buf_add_byte(&all, 0) != HF_OK)
        err = hf_report_set(&report, HF_LIMIT, "no memory for the answer");
    if (err == HF_OK) {
        *http = c.status;
        *len = all.len - 1;
        *answer = (char *)all.ptr;
    } else {
        hf_buf_done(&all);
    }
    return hf_node_result(err, &report, msg);
}
