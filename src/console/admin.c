/* admin.c - the admin door as a behaviour (admin.h): who may, what for, with which body.
 *
 * An instance takes one request at a time and keeps nothing between them. A handler either answers
 * or names the step that goes on when what it waits for is there. Not here: what is answered
 * (endpoints.c and the files it names).
 */
#include "console/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "console/inside.h"

#define MIB (1024u * 1024)

enum hf_err hf_admin_new(const struct hf_admin_settings *s, struct hf_admin **ret)
{
    struct hf_admin *a = calloc(1, sizeof *a);
    if (a == NULL)
        return HF_LIMIT;
    a->s = *s;
    a->ops = s->ops;
    if (a->s.upload_max == 0)
        a->s.upload_max = 256 * MIB;
    if (a->s.uploads_max == 0)
        a->s.uploads_max = 2;
    if (a->s.followers_max == 0)
        a->s.followers_max = 16;
    hf_wait_init(&a->news, false);
    *ret = a;
    return HF_OK;
}

void hf_admin_free(struct hf_admin *a)
{
    if (a == NULL)
        return;
    hf_wait_done(&a->news);
    free(a);
}

void hf_admin_news(struct hf_admin *a)
{
    hf_wait_fire(&a->news);
}

void hf_admin_close(struct hf_admin *a)
{
    a->closing = true;
    hf_wait_fire(&a->news);
}

/* ---- who may ---- */

bool hf_admin_token_fits(const char *token, struct hf_view given)
{
    size_t len = strlen(token);
    if (given.len < 7 || !hf_view_eq_nocase(hf_view_take(given, 7), HF_VIEW("bearer ")))
        return false;
    given = hf_view_skip(given, 7);
    unsigned differ = given.len != len;
    for (size_t i = 0; i < given.len; i++) /* as long as what was sent, whatever it is */
        differ |= (unsigned)(given.ptr[i] ^ (uint8_t)token[len == 0 ? 0 : i % len]);
    return differ == 0;
}

bool hf_admin_host_is_loopback(struct hf_view v)
{
    size_t start = v.len > 0 && v.ptr[0] == '[' ? hf_view_find(v, ']') : 0;
    if (start < v.len)
        v.len = start + hf_view_find(hf_view_skip(v, start), ':');
    if (hf_view_eq_nocase(v, HF_VIEW("localhost")) || hf_view_eq_text(v, "[::1]"))
        return true;
    if (!hf_view_starts(v, HF_VIEW("127.")))
        return false;
    unsigned dots = 0, digits = 0;
    for (size_t i = 0; i < v.len; i++) {
        bool digit = v.ptr[i] >= '0' && v.ptr[i] <= '9';
        if (!digit && (v.ptr[i] != '.' || digits == 0))
            return false;
        dots += !digit;
        digits = digit ? digits + 1 : 0;
        if (digits > 3)
            return false;
    }
    return dots == 3 && digits > 0;
}

/* ---- answering ---- */

const char *hf_admin_code_text(int code)
{
    static const char *const texts[] = {
        "ok",      "failed",  "usage",  "invalid",         "unsupported", "limit", "io",
        "timeout", "stopped", "failed", "no-such-process", "full",        "dead",  "unanswered"};
    return code >= 0 && (size_t)code < HF_ARRAY_LEN(texts) ? texts[code] : "failed";
}

static enum hf_err write_head(struct hf_buf *head, uint16_t status, const char *type,
                              const char *const *more)
{
    struct hf_head_writer w;
    enum hf_err err = hf_head_begin_response(&w, head, 0, status);
    if (err == HF_OK)
        err = hf_head_field(&w, HF_VIEW("content-type"), hf_view_of(type));
    if (err == HF_OK)
        err = hf_head_field(&w, HF_VIEW("cache-control"), HF_VIEW("no-store"));
    for (; err == HF_OK && more != NULL && more[0] != NULL; more += 2)
        err = hf_head_field(&w, hf_view_of(more[0]), hf_view_of(more[1]));
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

static bool send(struct hf_turn *turn, uint16_t status, const char *type, const char *const *more,
                 struct hf_blob **blob)
{
    struct hf_buf head = {0};
    bool sent = write_head(&head, status, type, more) == HF_OK &&
                hf_turn_respond(turn, &head, blob) == HF_DUTY_OPEN;
    hf_buf_done(&head);
    hf_blob_unref(*blob);
    *blob = NULL;
    return sent;
}

/* Nobody hears it: the client is gone, or memory is; then the kernel says 500. */
static enum hf_end answer(struct hf_turn *turn, uint16_t status, const char *type,
                          const char *const *more, struct hf_buf *body)
{
    struct hf_blob *blob = hf_blob_of_buf(body);
    if (blob != NULL)
        send(turn, status, type, more, &blob);
    hf_buf_done(body);
    return HF_END_DONE;
}

enum hf_end hf_admin_answer(struct hf_admin_call *c, struct hf_turn *turn, uint16_t status,
                            const char *type, struct hf_buf *body)
{
    (void)c;
    return answer(turn, status, type, NULL, body);
}

bool hf_admin_stream(struct hf_turn *turn, const char *type, struct hf_blob *blob)
{
    return send(turn, 200, type, NULL, &blob);
}

static enum hf_end refuse(struct hf_turn *turn, uint16_t status, int code, struct hf_view words,
                          const char *const *more)
{
    struct hf_buf body = {0};
    if (!hf_json_error(&body, code, words))
        hf_buf_clear(&body);
    return answer(turn, status, "application/json", more, &body);
}

enum hf_end hf_admin_refuse(struct hf_admin_call *c, struct hf_turn *turn, uint16_t status,
                            int code, const char *fmt, ...)
{
    char words[1024];
    va_list ap;
    (void)c;
    va_start(ap, fmt);
    int n = vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof words ? (size_t)n : sizeof words - 1;
    return refuse(turn, status, code, hf_view(words, len), NULL);
}

enum hf_end hf_admin_refuse_task(struct hf_admin_call *c, struct hf_turn *turn)
{
    const struct hf_admin_task *t = &c->task;
    return refuse(turn, t->http, t->code,
                  t->text.len > 0 ? hf_buf_view(&t->text) : HF_VIEW("it failed"), NULL);
}

/* ---- waiting ---- */

static void forget(struct hf_waiter *w)
{
    hf_waiter_disarm(w);
}

enum hf_end hf_admin_wait(struct hf_admin_call *c, struct hf_turn *turn, struct hf_wait *wait,
                          struct hf_wait *room, hf_admin_step next)
{
    c->next = next;
    forget(&c->waiter);
    forget(&c->room);
    forget(&c->also);
    hf_waiter_arm(&c->waiter, wait, hf_turn_waitset(turn));
    if (room != NULL)
        hf_waiter_arm(&c->room, room, hf_turn_waitset(turn));
    return HF_END_WAIT;
}

enum hf_end hf_admin_begin(struct hf_admin_call *c, struct hf_turn *turn, hf_admin_step next)
{
    hf_wait_init(&c->task.ready, false);
    c->has_task = true;
    c->admin->ops->begin(c->admin->ops->ctx, &c->task);
    if (c->task.ready.ready)
        return next(c, turn);
    return hf_admin_wait(c, turn, &c->task.ready, NULL, next);
}

/* ---- one request ---- */

/* Lets go of everything of the request in hand. */
static void rest(struct hf_admin_call *c)
{
    forget(&c->waiter);
    forget(&c->room);
    forget(&c->also);
    hf_admin_post_rest(c);
    if (c->has_task) {
        c->admin->ops->end(c->admin->ops->ctx, &c->task);
        hf_wait_done(&c->task.ready);
        hf_buf_done(&c->task.bytes);
        hf_buf_done(&c->task.text);
    }
    memset(&c->task, 0, sizeof c->task);
    if (c->has_op) {
        hf_kv_end(c->admin->ops->kv, &c->op);
        hf_wait_done(&c->op_done);
    }
    memset(&c->op, 0, sizeof c->op);
    hf_blob_reader_close(&c->in);
    hf_buf_done(&c->body);
    if (c->out != NULL)
        hf_blob_fail(c->out, HF_CANCELLED);
    c->out = NULL;
    c->admin->uploads -= c->uploads;
    c->admin->followers -= c->follows;
    c->has_task = c->has_op = c->uploads = c->follows = false;
    hf_admin_target_done(&c->target);
    c->next = NULL;
    c->endpoint = NULL;
}

static bool is_any(const char *segment, size_t len) /* NAME: in capitals */
{
    return len > 0 && segment[0] >= 'A' && segment[0] <= 'Z';
}

static bool path_fits(const char *path, const struct hf_admin_target *t)
{
    for (uint32_t i = 0; i < t->n_segments; i++) {
        if (*path != '/')
            return false;
        size_t len = strcspn(++path, "/");
        if (!is_any(path, len) && !hf_view_eq(t->segment[i], hf_view(path, len)))
            return false;
        path += len;
    }
    return *path == '\0';
}

static bool method_fits(const char *wanted, struct hf_view method)
{
    return hf_view_eq_text(method, wanted) ||
           (strcmp(wanted, "GET") == 0 && hf_view_eq_text(method, "HEAD"));
}

/* NULL: refused. */
static const struct hf_endpoint *find(const struct hf_admin_call *c, struct hf_view method,
                                      char allow[64])
{
    size_t at = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < hf_n_endpoints; i++) {
        const struct hf_endpoint *e = &hf_endpoints[i];
        if (!path_fits(e->path, &c->target))
            continue;
        if (method_fits(e->method, method))
            return e;
        at += (size_t)snprintf(allow + at, 64 - at, "%s%s", at == 0 ? "" : ", ", e->method);
    }
    return NULL;
}

static enum hf_end read_body(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_view bytes;
    enum hf_err err;
    while ((err = hf_blob_reader_peek(&c->in, &bytes)) == HF_OK) {
        if (bytes.len > c->body_max - c->body.len)
            return hf_admin_refuse(
                c, turn, 413, HF_CODE_LIMIT,
                "the body is longer than %llu bytes, the most that is taken here",
                (unsigned long long)c->body_max);
        if (hf_buf_add_view(&c->body, bytes) != HF_OK)
            return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
        hf_blob_reader_advance(&c->in, bytes.len);
    }
    if (err == HF_AGAIN)
        return hf_admin_wait(c, turn, &c->in.wait, NULL, read_body);
    if (err != HF_CLOSED)
        return hf_admin_refuse(c, turn, 400, HF_CODE_IO, "the body broke off after %zu bytes",
                               c->body.len);
    hf_blob_reader_close(&c->in);
    return c->endpoint->run(c, turn);
}

static enum hf_end begin_body(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin *a = c->admin;
    bool upload = c->endpoint->body == HF_BODY_UPLOAD;
    struct hf_blob *blob = hf_turn_take_blob(turn);
    if (upload && a->uploads >= a->s.uploads_max) {
        hf_blob_unref(blob);
        return hf_admin_refuse(
            c, turn, 503, HF_CODE_LIMIT,
            "%u uploads are under way already, the most there may be: try again soon", a->uploads);
    }
    if (upload) {
        a->uploads++;
        c->uploads = true;
    }
    c->body_max = upload                      ? a->s.upload_max
                  : c->admin->ops->kv != NULL ? c->admin->ops->kv->limits.value_max
                                              : 0;
    if (blob == NULL)
        return c->endpoint->run(c, turn);
    uint64_t declared = hf_blob_declared(blob);
    hf_blob_reader_open(&c->in, &blob);
    if (declared != HF_BLOB_LEN_UNKNOWN && declared > c->body_max)
        return hf_admin_refuse(c, turn, 413, HF_CODE_LIMIT,
                               "the body has %llu bytes, more than the %llu that are taken here",
                               (unsigned long long)declared, (unsigned long long)c->body_max);
    return read_body(c, turn);
}

static enum hf_end begin(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_head head;
    struct hf_view authorization = {0};
    const char *why = "";
    char allow[64];
    if (hf_head_read(hf_turn_message(turn)->body, &head, NULL) != HF_OK)
        return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE, "no request");
    if (c->entry->check_host && !hf_admin_host_is_loopback(head.authority))
        return hf_admin_refuse(c, turn, 421, HF_CODE_USAGE,
                               "the admin door answers to loopback addresses only, not to \"%.*s\"",
                               HF_FMT(hf_view_take(head.authority, 100)));
    if (c->entry->token != NULL &&
        (!hf_head_find(&head, HF_VIEW("authorization"), &authorization) ||
         !hf_admin_token_fits(c->entry->token, authorization))) {
        static const char *const more[] = {"www-authenticate", "Bearer realm=\"holdfast\"", NULL};
        return refuse(turn, 401, HF_CODE_USAGE,
                      authorization.len == 0
                          ? HF_VIEW("this door asks for a token: Authorization: Bearer TOKEN "
                                    "(holdfast: --token or HF_ADMIN_TOKEN)")
                          : HF_VIEW("the token is not the one this node was started with"),
                      more);
    }
    enum hf_err err = hf_admin_target_read(head.path, &c->target, &why);
    if (err != HF_OK)
        return hf_admin_refuse(c, turn, err == HF_LIMIT ? 503 : 400, HF_CODE_USAGE, "%s", why);
    c->endpoint = find(c, head.method, allow);
    if (c->endpoint == NULL && allow[0] != '\0') {
        const char *const more[] = {"allow", allow, NULL};
        char words[128];
        int n = snprintf(words, sizeof words, "%.*s is not for this path: it takes %s",
                         (int)(head.method.len < 32 ? head.method.len : 32),
                         (const char *)head.method.ptr, allow);
        return refuse(turn, 405, HF_CODE_USAGE, hf_view(words, (size_t)n), more);
    }
    if (c->endpoint == NULL)
        return hf_admin_refuse(c, turn, 404, HF_CODE_USAGE,
                               "there is nothing at %.*s; GET / lists what there is",
                               HF_FMT(hf_view_take(head.path, 200)));
    return c->endpoint->body == HF_BODY_NO || c->endpoint->body == HF_BODY_OWN
               ? c->endpoint->run(c, turn)
               : begin_body(c, turn);
}

/* ---- the behaviour ---- */

static enum hf_end door_start(void *ctx, struct hf_turn *turn, void **state)
{
    struct hf_admin_call *c = calloc(1, sizeof *c);
    if (c == NULL) {
        hf_turn_fail(turn, HF_ANSWER_LIMITED, HF_VIEW("out of memory"));
        return HF_END_FAILED;
    }
    c->entry = ctx;
    c->admin = c->entry->admin;
    *state = c;
    return HF_END_DONE;
}

static enum hf_end ended(struct hf_admin_call *c, enum hf_end end)
{
    if (end == HF_END_DONE)
        rest(c);
    return end;
}

static enum hf_end door_turn(void *state, struct hf_turn *turn)
{
    struct hf_admin_call *c = state;
    return ended(c, begin(c, turn));
}

static enum hf_end door_resume(void *state, struct hf_turn *turn)
{
    struct hf_admin_call *c = state;
    return ended(c, c->next(c, turn));
}

static void door_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    (void)turn, (void)why;
    rest(state);
}

static void door_stop(void *state)
{
    struct hf_admin_call *c = state;
    if (c == NULL)
        return;
    rest(c);
    free(c);
}

static void door_inspect(const void *state, struct hf_buf *ret)
{
    const struct hf_admin_call *c = state;
    (void)!hf_buf_printf(ret, "%s", c->endpoint == NULL ? "at rest" : c->endpoint->path);
}

const struct hf_behaviour hf_admin_behaviour = {
    .name = "admin door",
    .start = door_start,
    .turn = door_turn,
    .resume = door_resume,
    .cancel = door_cancel,
    .stop = door_stop,
    .inspect = door_inspect,
};
