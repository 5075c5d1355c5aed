/* processes.c - /v1/processes: one process by name, and messages to it.
 *
 * A message's body comes first in what the request brings, whole and bounded; behind it, with
 * `blob`, the bytes of its blob, which are passed on as they come. An answer is a line of JSON that
 * says what follows: body_bytes of the answer's body, then its blob, as it comes. Both blobs may be
 * on their way at once, and each side's backpressure is the other's.
 */
#include <string.h>

#include "base/units.h"
#include "console/inside.h"

#define BODY_MAX (1u << 20)
#define WINDOW   (256u * 1024)

/* ---- one process ---- */

static enum hf_end begin(struct hf_admin_call *c, struct hf_turn *turn, enum hf_admin_kind kind,
                         hf_admin_step next)
{
    struct hf_view name = c->target.segment[2];
    if (name.len == 0 || name.len >= sizeof c->task.process.name ||
        memchr(name.ptr, 0, name.len) != NULL)
        return hf_admin_refuse(
            c, turn, 404, HF_CODE_NO_SUCH,
            "that is no name of a process: CLASS or CLASS/KEY, 255 bytes at most");
    memcpy(c->task.process.name, name.ptr, name.len);
    c->task.kind = kind;
    return hf_admin_begin(c, turn, next);
}

static enum hf_end shown(struct hf_admin_call *c, struct hf_turn *turn, bool ok,
                         struct hf_buf *body)
{
    if (ok)
        return hf_admin_answer(c, turn, 200, "application/json", body);
    hf_buf_done(body);
    return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
}

static enum hf_end process_seen(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    if (c->task.http != 200)
        return hf_admin_refuse_task(c, turn);
    bool ok = hf_json_process(&body, &c->task.process, hf_buf_view(&c->task.text));
    return shown(c, turn, ok, &body);
}

enum hf_end hf_admin_process(struct hf_admin_call *c, struct hf_turn *turn)
{
    return begin(c, turn, HF_ADMIN_PROCESS, process_seen);
}

static enum hf_end process_ended(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    uint64_t one = 1;
    if (c->task.http != 200)
        return hf_admin_refuse_task(c, turn);
    bool ok =
        hf_json_done(&body, "killed", hf_view_of(c->task.process.name), (struct hf_view){0}, &one);
    return shown(c, turn, ok, &body);
}

enum hf_end hf_admin_process_kill(struct hf_admin_call *c, struct hf_turn *turn)
{
    return begin(c, turn, HF_ADMIN_END, process_ended);
}

/* ---- a message ---- */

void hf_admin_post_rest(struct hf_admin_call *c)
{
    struct hf_admin_post *p = &c->post;
    hf_blob_reader_close(&c->answered);
    if (c->sent != NULL)
        hf_blob_fail(c->sent, HF_CANCELLED);
    c->sent = NULL;
    if (c->has_post) {
        c->admin->ops->post_end(c->admin->ops->ctx, p);
        hf_wait_done(&p->ready);
        hf_buf_done(&p->body);
        hf_buf_done(&p->answer);
        hf_buf_done(&p->answer_metadata);
        hf_blob_unref(p->blob);
        hf_blob_unref(p->answer_blob);
    }
    memset(p, 0, sizeof *p);
    c->has_post = c->has_blob = c->answers = false;
}

/* From `in` to the blob `*to`, as much as there is and fits. NULL: it is over, or goes on when the
 * wait is ready. A source that broke off breaks the blob, too; one that nobody wants any more ends,
 * and so does its source. */
static struct hf_wait *pump(struct hf_blob_reader *in, struct hf_blob **to)
{
    struct hf_view bytes;
    enum hf_err err = HF_OK;
    while (*to != NULL && err == HF_OK) {
        if (!hf_blob_wanted(*to))
            err = HF_CANCELLED;
        else if (hf_blob_room(*to) == 0)
            return hf_blob_room_wait(*to);
        else if ((err = hf_blob_reader_peek(in, &bytes)) == HF_AGAIN)
            return &in->wait;
        if (err != HF_OK)
            break;
        bytes = hf_view_take(bytes, WINDOW);
        err = hf_blob_push(*to, bytes);
        if (err == HF_OK)
            hf_blob_reader_advance(in, bytes.len);
    }
    if (*to != NULL && err == HF_CLOSED)
        hf_blob_finish(*to);
    else if (*to != NULL)
        hf_blob_fail(*to, err);
    *to = NULL;
    hf_blob_reader_close(in);
    return NULL;
}

static enum hf_end move(struct hf_admin_call *c, struct hf_turn *turn);

static enum hf_end wait_for(struct hf_admin_call *c, struct hf_turn *turn, struct hf_wait *a,
                            struct hf_wait *b, struct hf_wait *gone)
{
    enum hf_end end = hf_admin_wait(c, turn, a != NULL ? a : b, a != NULL ? b : NULL, move);
    if (gone != NULL)
        hf_waiter_arm(&c->also, gone, hf_turn_waitset(turn));
    return end;
}

/* Why there is no answer. */
static enum hf_end refuse(struct hf_admin_call *c, struct hf_turn *turn)
{
    static const struct {
        uint16_t http;
        int code;
    } by_kind[] = {
        [HF_ANSWER_TIMEOUT] = {504, HF_CODE_TIMEOUT},
        [HF_ANSWER_NO_SUCH] = {404, HF_CODE_NO_SUCH},
        [HF_ANSWER_FULL] = {503, HF_CODE_FULL},
        [HF_ANSWER_DEAD] = {502, HF_CODE_DEAD},
        [HF_ANSWER_UNANSWERED] = {502, HF_CODE_UNANSWERED},
        [HF_ANSWER_LIMITED] = {503, HF_CODE_LIMIT},
        [HF_ANSWER_CANCELLED] = {503, HF_CODE_STOPPED},
        [HF_ANSWER_CYCLE] = {502, HF_CODE_FAILED},
    };
    static const char *const words[] = {
        [HF_ANSWER_TIMEOUT] = "it did not answer in time",
        [HF_ANSWER_NO_SUCH] = "there is no such process",
        [HF_ANSWER_FULL] = "its mailbox is full",
        [HF_ANSWER_DEAD] = "it died with the request in hand",
        [HF_ANSWER_UNANSWERED] = "it let go of the request without an answer",
        [HF_ANSWER_LIMITED] = "a limit stopped it",
        [HF_ANSWER_CANCELLED] = "cancelled",
        [HF_ANSWER_CYCLE] = "it would wait for itself",
    };
    const struct hf_admin_post *p = &c->post;
    struct hf_view more = hf_view_take(hf_buf_view(&p->answer), 700);
    return hf_admin_refuse(c, turn, by_kind[p->kind].http, by_kind[p->kind].code, "%.*s: %s%s%.*s",
                           HF_FMT(hf_view_take(c->target.segment[2], 255)), words[p->kind],
                           more.len > 0 ? ": " : "", HF_FMT(more));
}

static enum hf_end told(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_buf body = {0};
    bool ok = hf_json_done(&body, "sent", c->target.segment[2], (struct hf_view){0}, NULL);
    return shown(c, turn, ok, &body);
}

/* The answer's first line and body; its blob follows. False: no memory, or nobody waits for it. */
static bool begin_answer(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin_post *p = &c->post;
    struct hf_buf head = {0};
    c->out = hf_blob_new(HF_BLOB_LEN_UNKNOWN, WINDOW);
    bool ok = c->out != NULL && hf_json_answer(&head, p) &&
              hf_blob_push(c->out, hf_buf_view(&head)) == HF_OK &&
              (p->answer.len == 0 || hf_blob_push(c->out, hf_buf_view(&p->answer)) == HF_OK);
    hf_buf_done(&head);
    hf_buf_done(&p->answer);
    if (!ok) { /* its producer's end is ended by rest */
        hf_blob_unref(c->out);
        return false;
    }
    if (p->answer_blob != NULL)
        hf_blob_reader_open(&c->answered, &p->answer_blob);
    c->answers = true;
    return hf_admin_stream(turn, "application/octet-stream", c->out);
}

static enum hf_end move(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin_post *p = &c->post;
    struct hf_wait *in = pump(&c->in, &c->sent), *out = NULL;
    if (!p->ready.ready)
        return wait_for(c, turn, in, &p->ready, NULL);
    if (p->kind != HF_ANSWER_OK)
        return refuse(c, turn);
    if (p->tell)
        return in != NULL ? wait_for(c, turn, in, NULL, NULL) : told(c, turn);
    if (!c->answers && !begin_answer(c, turn))
        return HF_END_DONE; /* rest() ends what is under way */
    if (c->answered.blob != NULL) {
        out = pump(&c->answered, &c->out);
    } else if (c->out != NULL) {
        hf_blob_finish(c->out);
        c->out = NULL;
    }
    if (in == NULL && out == NULL)
        return HF_END_DONE;
    return wait_for(c, turn, in, out, c->out != NULL ? hf_blob_gone_wait(c->out) : NULL);
}

/* The body is there. */
static enum hf_end post(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin_post *p = &c->post;
    p->to = c->target.segment[2];
    p->body = c->body;
    c->body = (struct hf_buf){0};
    if (c->has_blob && (c->sent = hf_blob_new(HF_BLOB_LEN_UNKNOWN, WINDOW)) == NULL)
        return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
    p->blob = c->sent; /* the reference moves, its producer stays */
    hf_wait_init(&p->ready, false);
    c->has_post = true;
    c->admin->ops->post(c->admin->ops->ctx, p);
    return move(c, turn);
}

static enum hf_end read_body(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_view bytes;
    enum hf_err err = HF_OK;
    while (c->body.len < c->body_len || !c->has_blob) {
        err = c->in.blob == NULL ? HF_CLOSED : hf_blob_reader_peek(&c->in, &bytes);
        if (err != HF_OK)
            break;
        if (!c->has_blob && bytes.len > BODY_MAX - c->body.len)
            return hf_admin_refuse(c, turn, 413, HF_CODE_LIMIT,
                                   "a message's body has %u bytes at most; more is a blob "
                                   "(holdfast call --blob, or ?blob&body=N)",
                                   BODY_MAX);
        if (c->has_blob)
            bytes = hf_view_take(bytes, (size_t)(c->body_len - c->body.len));
        if (hf_buf_add_view(&c->body, bytes) != HF_OK)
            return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
        hf_blob_reader_advance(&c->in, bytes.len);
    }
    if (err == HF_AGAIN)
        return hf_admin_wait(c, turn, &c->in.wait, NULL, read_body);
    if (err == HF_CLOSED && c->body.len < c->body_len)
        return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE,
                               "body=%llu, but what came has %zu bytes",
                               (unsigned long long)c->body_len, c->body.len);
    if (err != HF_OK && err != HF_CLOSED)
        return hf_admin_refuse(c, turn, 400, HF_CODE_IO, "the body broke off after %zu bytes",
                               c->body.len);
    return post(c, turn);
}

static enum hf_end begin_message(struct hf_admin_call *c, struct hf_turn *turn, bool tell)
{
    struct hf_admin_post *p = &c->post;
    struct hf_blob *blob = hf_turn_take_blob(turn);
    struct hf_view text;
    if (blob != NULL)
        hf_blob_reader_open(&c->in, &blob);
    memset(p, 0, sizeof *p);
    p->tell = tell;
    c->has_blob = hf_admin_target_query(&c->target, "blob", &text);
    if (!hf_admin_target_number(&c->target, "body", 0, BODY_MAX, &c->body_len))
        return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE,
                               "body is how many bytes are the message's body, %u at most",
                               BODY_MAX);
    if (hf_admin_target_query(&c->target, "timeout", &text)) {
        if (!hf_units_duration(text, 1000000000u, &p->timeout_ns) || p->timeout_ns == 0)
            return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE,
                                   "timeout is a time like 5s, and more than 0");
    }
    hf_admin_target_query(&c->target, "metadata", &p->metadata);
    return read_body(c, turn);
}

enum hf_end hf_admin_process_send(struct hf_admin_call *c, struct hf_turn *turn)
{
    return begin_message(c, turn, true);
}

enum hf_end hf_admin_process_call(struct hf_admin_call *c, struct hf_turn *turn)
{
    return begin_message(c, turn, false);
}
