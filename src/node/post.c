/* post.c - see post.h.
 *
 * A call belongs to one thread at a time: the sender's, the worker's while its letter is there, the
 * courier's when it is home. A cancel is a second letter beside it, and comes home, too: the call
 * is freed when both are.
 */
#include "node/post.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/name.h"
#include "kernel/named.h"
#include "node/node_int.h"

struct hf_call {
    struct hf_letter letter, cancel;
    struct hf_courier *home; /* NULL: none */
    struct hf_list in_out;
    struct hf_worker *worker;
    struct hf_buf to, metadata;
    bool tell, over, cancelled, cancel_home;
    uint64_t timeout_ns, bytes_max;
    uint64_t id; /* the worker's: of the request, until it is answered */
    /* what goes over: the message, later the answer */
    struct hf_buf body, bytes;
    bool has_blob;
    struct hf_carry *carry;
    enum hf_answer_kind kind;
    void (*done)(void *ctx, struct hf_call_result *result);
    void *ctx;
    /* the answer's blob while it is read, without a courier */
    struct hf_blob_reader reader;
    struct hf_waitset set;
    struct hf_waiter waiter;
    struct hf_list in_reading, in_news;
};

struct hf_worker *hf_post_worker(struct hf_node *node, struct hf_view name)
{
    (void)name; /* all processes live on the first */
    return &node->workers[0];
}

static void call_free(struct hf_call *c)
{
    hf_list_remove(&c->in_out);
    hf_buf_done(&c->to);
    hf_buf_done(&c->metadata);
    hf_buf_done(&c->body);
    hf_buf_done(&c->bytes);
    free(c);
}

/* ---- the end of a call, on the worker's thread ---- */

static void on_home(struct hf_letter *letter);
static void on_cancel_home(struct hf_letter *letter);

static void tell_done(struct hf_call *c, struct hf_blob *blob)
{
    struct hf_call_result r = {.kind = c->kind,
                               .body = c->body,
                               .metadata = hf_buf_view(&c->metadata),
                               .blob = blob,
                               .bytes = c->bytes,
                               .has_blob = c->has_blob};
    hf_buf_init(&c->body);
    hf_buf_init(&c->bytes);
    c->done(c->ctx, &r);
    hf_buf_done(&r.body);
    hf_buf_done(&r.bytes);
    hf_blob_unref(r.blob);
}

static void go_home(struct hf_call *c)
{
    if (c->home == NULL) {
        tell_done(c, NULL);
        call_free(c);
        return;
    }
    c->letter.deliver = on_home;
    hf_wake_post(c->home->carrier.wake, &c->letter);
}

/* No answer, but this, and why. */
static void conclude(struct hf_call *c, enum hf_answer_kind kind, const char *words)
{
    c->kind = kind;
    c->has_blob = false;
    hf_buf_clear(&c->metadata);
    hf_buf_clear(&c->bytes);
    hf_buf_clear(&c->body);
    (void)!hf_buf_add_text(&c->body, words); /* the kind says enough */
    go_home(c);
}

/* ---- reading an answer's blob, without a courier ---- */

static void
on_news(struct hf_waitset *set) /* it may be in the middle of a guest's turn: only noted */
{
    struct hf_call *c = HF_CONTAINER_OF(set, struct hf_call, set);
    if (!hf_list_linked(&c->in_news))
        hf_list_push_back(&c->worker->desk.news, &c->in_news);
}

static void stop_reading(struct hf_call *c)
{
    hf_waitset_unpark(&c->set);
    hf_waiter_disarm(&c->waiter);
    hf_blob_reader_close(&c->reader);
    hf_list_remove(&c->in_reading);
    hf_list_remove(&c->in_news);
}

static void read_on(struct hf_call *c)
{
    struct hf_view piece;
    enum hf_err err;
    hf_waitset_unpark(&c->set);
    hf_waiter_disarm(&c->waiter);
    while ((err = hf_blob_reader_peek(&c->reader, &piece)) == HF_OK) {
        if (piece.len > c->bytes_max - c->bytes.len || hf_buf_add_view(&c->bytes, piece) != HF_OK) {
            err = HF_LIMIT;
            break;
        }
        hf_blob_reader_advance(&c->reader, piece.len);
    }
    if (err == HF_AGAIN) {
        hf_waiter_arm(&c->waiter, &c->reader.wait, &c->set);
        if (!hf_waitset_park(&c->set, false))
            on_news(&c->set);
        return;
    }
    stop_reading(c);
    if (err == HF_CLOSED)
        go_home(c);
    else if (err == HF_LIMIT)
        conclude(c, HF_ANSWER_LIMITED, "the answer's blob is longer than the caller takes");
    else
        conclude(c, HF_ANSWER_DEAD, "the answer's blob broke off");
}

/* ---- there ---- */

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct hf_desk *d = HF_CONTAINER_OF(port, struct hf_desk, port);
    struct hf_call *c = tag;
    c->id = 0;
    c->kind = a->kind;
    c->has_blob = a->blob != NULL;
    c->body = a->body;
    hf_buf_init(&a->body);
    hf_buf_clear(&c->metadata);
    if (hf_buf_add_view(&c->metadata, a->metadata) != HF_OK) {
        conclude(c, HF_ANSWER_LIMITED, "no memory for the answer");
    } else if (a->blob == NULL) {
        go_home(c);
    } else if (d->closed) {
        conclude(c, HF_ANSWER_CANCELLED, "the node is stopping");
    } else if (c->home == NULL) {
        hf_blob_reader_open(&c->reader, &a->blob);
        hf_list_push_back(&d->reading, &c->in_reading);
        read_on(c);
    } else {
        c->carry =
            hf_carry_new(hf_between_carrier(d->worker->between), &c->home->carrier, &a->blob);
        if (c->carry == NULL)
            conclude(c, HF_ANSWER_LIMITED, "no memory for the answer");
        else
            go_home(c);
    }
}

static enum hf_err unpack(struct hf_call *c, struct hf_worker *w, struct hf_blob **ret)
{
    struct hf_blob_pool *pool = hf_kernel_blobs(w->kernel);
    struct hf_carry *carry = c->carry;
    *ret = NULL;
    c->carry = NULL;
    if (!c->has_blob)
        return HF_OK;
    c->has_blob = false;
    *ret = carry != NULL ? hf_carry_open(carry, pool, HF_BODY_WINDOW)
                         : hf_blob_of_buf_in(pool, &c->bytes);
    return *ret == NULL ? HF_LIMIT : HF_OK;
}

/* What classes of processes there are, for who named none of them. */
static void add_classes(const struct hf_worker *w, struct hf_view class, struct hf_report *report)
{
    char all[400] = "";
    const struct hf_app *app = w->app != NULL ? w->app->app : NULL;
    int n = 0;
    for (size_t i = 0; app != NULL && i < app->n; i++) {
        const struct hf_app_service *s = app->entries[i].service;
        if (hf_app_service_is_class(s) && hf_view_eq_text(class, hf_app_service_name(s)))
            return;
        if (hf_app_service_is_class(s) && n < (int)sizeof all - 140)
            n += snprintf(all + n, sizeof all - (size_t)n, "%s%s", n == 0 ? "" : ", ",
                          hf_app_service_name(s));
    }
    hf_report_init(report);
    hf_report_set(report, HF_NOT_FOUND, "no class of processes is called \"%.*s\"; %s%s",
                  HF_FMT(class), n == 0 ? "there are none" : "there are: ", all);
}

/* Why the kernel did not take it. */
static void refuse(struct hf_call *c, enum hf_err err)
{
    struct hf_view name = hf_buf_view(&c->to);
    struct hf_report report;
    char words[HF_NAME_MAX + 128];
    hf_report_init(&report);
    switch (err) {
    case HF_UNSUPPORTED:
        snprintf(words, sizeof words, "%.*s is a service: it takes HTTP requests, not messages",
                 HF_FMT(hf_view_take(name, HF_NAME_MAX)));
        conclude(c, HF_ANSWER_NO_SUCH, words);
        return;
    case HF_NOT_FOUND: /* the same question again, for words: it makes none, or post had */
        err = hf_named_wake(c->worker->kernel, name, &report);
        if (err == HF_NOT_FOUND)
            add_classes(c->worker, hf_name_class(name), &report);
        if (err == HF_OK)
            hf_report_set(&report, HF_NOT_FOUND, "process %.*s: it is ending",
                          HF_FMT(hf_view_take(name, HF_NAME_MAX)));
        conclude(c, HF_ANSWER_NO_SUCH, report.text);
        return;
    default:
        conclude(c, HF_ANSWER_FULL,
                 "its mailbox is full, or there are too many processes: try again later");
        return;
    }
}

static void at_worker(struct hf_letter *letter)
{
    struct hf_call *c = HF_CONTAINER_OF(letter, struct hf_call, letter);
    struct hf_worker *w = c->worker;
    if (w->ended || w->desk.closed) { /* its last letters: what is carried goes with the carriers */
        conclude(c, HF_ANSWER_CANCELLED, "the node is stopping");
        return;
    }
    struct hf_post post = {
        .target = hf_buf_view(&c->to),
        .metadata = hf_buf_view(&c->metadata),
        .body = c->body,
        .timeout_ns = c->timeout_ns,
        .port = &w->desk.port,
        .tag = c,
        .named = true,
        .tell = c->tell,
    };
    hf_buf_init(&c->body);
    enum hf_err err = unpack(c, w, &post.blob);
    if (err == HF_OK)
        err = hf_port_post(w->kernel, &post, &c->id);
    if (err == HF_OK && c->tell)
        conclude(c, HF_ANSWER_OK, "");
    if (err == HF_OK)
        return;
    hf_buf_done(&post.body);
    hf_blob_unref(post.blob);
    refuse(c, err);
}

static void on_cancel(struct hf_letter *letter)
{
    struct hf_call *c = HF_CONTAINER_OF(letter, struct hf_call, cancel);
    if (c->id != 0 && !c->worker->ended)
        hf_port_cancel(c->worker->kernel, c->id); /* its answer comes with the next flush */
    c->cancel.deliver = on_cancel_home;
    hf_wake_post(c->home->carrier.wake, &c->cancel);
}

/* ---- a worker's desk ---- */

void hf_desk_init(struct hf_desk *d, struct hf_worker *w)
{
    *d = (struct hf_desk){.worker = w, .port.answer = on_answer};
    hf_list_init(&d->reading);
    hf_list_init(&d->news);
}

void hf_desk_flush(struct hf_desk *d)
{
    struct hf_list now, *n;
    if (hf_list_empty(&d->news))
        return;
    hf_list_init(&now);
    hf_list_splice_back(&now, &d->news);
    while ((n = hf_list_pop_front(&now)) != NULL)
        read_on(HF_LIST_ENTRY(n, struct hf_call, in_news));
}

void hf_desk_close(struct hf_desk *d)
{
    if (d->worker == NULL)
        return;
    d->closed = true;
    while (!hf_list_empty(&d->reading)) {
        struct hf_call *c = HF_LIST_ENTRY(d->reading.next, struct hf_call, in_reading);
        stop_reading(c);
        conclude(c, HF_ANSWER_CANCELLED, "the node is stopping");
    }
}

/* ---- sending ---- */

static enum hf_err call_new(struct hf_node *node, struct hf_call_request *r, struct hf_call **ret)
{
    struct hf_call *c = calloc(1, sizeof *c);
    if (c == NULL)
        return HF_LIMIT;
    hf_list_init(&c->in_out);
    hf_list_init(&c->in_reading);
    hf_list_init(&c->in_news);
    hf_waitset_init(&c->set, on_news);
    if (hf_buf_add_view(&c->to, r->to) != HF_OK ||
        hf_buf_add_view(&c->metadata, r->metadata) != HF_OK) {
        call_free(c);
        return HF_LIMIT;
    }
    c->worker = hf_post_worker(node, r->to);
    c->tell = r->tell;
    c->timeout_ns = r->timeout_ns;
    c->bytes_max = r->bytes_max;
    c->done = r->done;
    c->ctx = r->ctx;
    c->letter.deliver = at_worker;
    *ret = c;
    return HF_OK;
}

static void send_out(struct hf_call *c, struct hf_call_request *r)
{
    c->body = r->body;
    hf_buf_init(&r->body);
    hf_wake_post(c->worker->wake, &c->letter);
}

enum hf_err hf_post_outside(struct hf_node *node, struct hf_call_request *r)
{
    struct hf_call *c;
    enum hf_err err = call_new(node, r, &c);
    if (err != HF_OK)
        return err;
    c->has_blob = r->has_blob;
    c->bytes = r->bytes;
    hf_buf_init(&r->bytes);
    send_out(c, r);
    return HF_OK;
}

/* ---- a courier ---- */

void hf_courier_init(struct hf_courier *c, struct hf_node *node, struct hf_wake *wake)
{
    c->node = node;
    hf_carrier_init(&c->carrier, wake);
    hf_list_init(&c->out);
}

enum hf_err hf_courier_send(struct hf_courier *courier, struct hf_call_request *r,
                            struct hf_call **ret)
{
    struct hf_call *c;
    enum hf_err err = call_new(courier->node, r, &c);
    if (err != HF_OK)
        return err;
    c->home = courier;
    c->has_blob = r->blob != NULL;
    if (c->has_blob &&
        (c->carry = hf_carry_new(&courier->carrier, hf_between_carrier(c->worker->between),
                                 &r->blob)) == NULL) {
        call_free(c);
        return HF_LIMIT;
    }
    hf_list_push_back(&courier->out, &c->in_out);
    *ret = c;
    send_out(c, r);
    return HF_OK;
}

static void free_if_home(struct hf_call *c)
{
    if (c->over && (!c->cancelled || c->cancel_home))
        call_free(c);
}

static void on_cancel_home(struct hf_letter *letter)
{
    struct hf_call *c = HF_CONTAINER_OF(letter, struct hf_call, cancel);
    if (c->home->carrier.closing)
        return;
    c->cancel_home = true;
    free_if_home(c);
}

static void on_home(struct hf_letter *letter)
{
    struct hf_call *c = HF_CONTAINER_OF(letter, struct hf_call, letter);
    struct hf_carry *carry = c->carry;
    struct hf_blob *blob = NULL;
    if (c->home->carrier.closing)
        return;
    c->over = true;
    c->carry = NULL;
    if (carry != NULL && c->done == NULL) {
        hf_carry_refuse(carry);
    } else if (carry != NULL && (blob = hf_carry_open(carry, NULL, HF_BODY_WINDOW)) == NULL) {
        c->kind = HF_ANSWER_LIMITED;
        c->has_blob = false;
        hf_buf_clear(&c->body);
    }
    if (c->done != NULL)
        tell_done(c, blob);
    free_if_home(c);
}

void hf_courier_forget(struct hf_call *c)
{
    c->done = NULL;
    if (c->over || c->cancelled || c->home->carrier.closing)
        return;
    c->cancelled = true;
    c->cancel.deliver = on_cancel;
    hf_wake_post(c->worker->wake, &c->cancel);
}

void hf_courier_stop(struct hf_courier *c)
{
    if (c->node != NULL && !c->carrier.closing)
        hf_carrier_stop(&c->carrier);
}

void hf_courier_free(struct hf_courier *c)
{
    if (c->node == NULL)
        return;
    hf_carrier_free_all(&c->carrier);
    while (!hf_list_empty(&c->out))
        call_free(HF_LIST_ENTRY(c->out.next, struct hf_call, in_out));
    c->node = NULL;
}
