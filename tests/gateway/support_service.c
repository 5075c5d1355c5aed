/* support_service.c - a service in C whose path says how it behaves.
 *
 *   /hello            200, "hello, world"
 *   /tell             200, the request's head as text and how long its body was
 *   /echo             200, the body as it arrives, in a blob of its own; ?len declares the
 * request's length /pass             200, the request's blob itself /status/N         status N,
 * body "body" /len/D/A          content-length: D, A bytes of body, whole /slen/D/A         the
 * same as a stream, two bytes a step /chunks           "one", "two", "three" as a stream, with a
 * trailer /big/N            N bytes as fast as they are taken /wait/MS          200 "waited" after
 * MS milliseconds /never            nothing /die              fails before it answers /die-mid
 * answers, streams "part", then fails /die-same         the same in one turn /nothing          ends
 * without an answer /limit            ends by a limit /drop             200 "dropped" at once; the
 * body is not looked at /sip              takes 4 bytes of the body, drops the rest, 200 "sipped"
 *   /close            200 "bye" with connection: close
 *   /inject           a line break in a field
 *   /garbage          an answer that is no head
 *   /two-lengths      two content-lengths; /no-length: one that is no number
 *   /hop              hop-by-hop fields in the answer, and a date
 *   /empty            200 without a blob
 *   /trailing         a whole body with a trailer
 */
#include "support_service.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/head.h"
#include "kernel/blob.h"
#include "kernel/turn.h"

struct instance {
    enum { NOTHING, TELL, ECHO, SLEN, CHUNKS, BIG, WAIT, NEVER, DIE_MID, SIP } doing;
    struct hf_blob_reader in;
    struct hf_blob *out; /* being filled */
    struct hf_waiter in_waiter, room_waiter, timer_waiter;
    struct hf_timer timer;
    struct hf_kernel *kernel;
    uint64_t left, total;
    unsigned step;
};

static enum hf_end start(void *ctx, struct hf_turn *turn, void **state)
{
    struct instance *i = calloc(1, sizeof *i);
    (void)ctx;
    HF_ASSERT(i != NULL);
    i->kernel = hf_turn_kernel(turn);
    hf_timer_init(&i->timer);
    *state = i;
    return HF_END_DONE;
}

static void rest(struct instance *i)
{
    hf_waiter_disarm(&i->in_waiter);
    hf_waiter_disarm(&i->room_waiter);
    hf_waiter_disarm(&i->timer_waiter);
    hf_blob_reader_close(&i->in);
    if (i->out != NULL)
        hf_blob_fail(i->out, HF_TRAP);
    i->out = NULL;
    i->doing = NOTHING;
}

static void stop(void *state)
{
    struct instance *i = state;
    if (i == NULL)
        return;
    rest(i);
    hf_timer_done(i->kernel, &i->timer);
    free(i);
}

static void cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    (void)turn;
    (void)why;
    rest(state);
}

static struct hf_view field(const char *const *pair, int i)
{
    return hf_view_of(pair[i]);
}

static void respond(struct hf_turn *turn, uint16_t status, const char *const *fields,
                    struct hf_blob *blob)
{
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    HF_ASSERT(hf_head_begin_response(&w, &buf, 0, status) == HF_OK);
    for (; fields != NULL && fields[0] != NULL; fields += 2)
        HF_ASSERT(hf_head_field(&w, field(fields, 0), field(fields, 1)) == HF_OK);
    hf_head_end(&w);
    if (hf_turn_respond(turn, &buf, &blob) != HF_DUTY_OPEN) {
        hf_buf_done(&buf);
        hf_blob_unref(blob);
    }
}

static enum hf_end say(struct hf_turn *turn, uint16_t status, const char *text)
{
    respond(turn, status, NULL, hf_blob_of_bytes(hf_view_of(text)));
    return HF_END_DONE;
}

/* The producer's side stays in i->out; the other goes with the answer. */
static void stream(struct instance *i, struct hf_turn *turn, const char *length)
{
    const char *const fields[] = {length == NULL ? NULL : "content-length", length, NULL};
    struct hf_blob *blob = i->out = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0);
    HF_ASSERT(blob != NULL);
    respond(turn, 200, fields, blob);
}

static void push(struct instance *i, struct hf_view bytes)
{
    enum hf_err err = hf_blob_push(i->out, bytes);
    HF_ASSERT(err == HF_OK || err == HF_CLOSED);
}

static void finish(struct instance *i)
{
    struct hf_blob *out = i->out;
    i->out = NULL;
    hf_blob_finish(out);
    rest(i);
}

/* Waits for input (or room): returns WAIT. */
static enum hf_end wait_in(struct instance *i, struct hf_turn *turn)
{
    hf_waiter_disarm(&i->in_waiter);
    hf_waiter_arm(&i->in_waiter, &i->in.wait, hf_turn_waitset(turn));
    return HF_END_WAIT;
}

static enum hf_end wait_room(struct instance *i, struct hf_turn *turn)
{
    hf_waiter_disarm(&i->in_waiter);
    hf_waiter_disarm(&i->room_waiter);
    hf_waiter_arm(&i->room_waiter, hf_blob_room_wait(i->out), hf_turn_waitset(turn));
    return HF_END_WAIT;
}

static void add_trailer(struct hf_blob *blob, const char *name, const char *value)
{
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    HF_ASSERT(hf_head_begin_response(&w, &buf, 0, 200) == HF_OK);
    HF_ASSERT(hf_head_field(&w, hf_view_of(name), hf_view_of(value)) == HF_OK);
    HF_ASSERT(hf_blob_set_trailers(blob, hf_head_end(&w)) == HF_OK);
    hf_buf_done(&buf);
}

static void add_text(struct hf_buf *buf, struct hf_view v)
{
    HF_ASSERT(hf_buf_add_view(buf, v) == HF_OK);
}

static void add_fields(struct hf_buf *buf, const struct hf_head *head)
{
    struct hf_view name, value;
    for (size_t at = 0; hf_head_next(head, &at, &name, &value);) {
        add_text(buf, name);
        add_text(buf, HF_VIEW("="));
        add_text(buf, value);
        add_text(buf, HF_VIEW("|"));
    }
}

static void tell(struct instance *i, struct hf_turn *turn, const char *end)
{
    struct hf_head head, trailers;
    struct hf_buf buf = {0};
    HF_ASSERT(hf_head_read(hf_turn_message(turn)->body, &head, NULL) == HF_OK);
    HF_ASSERT(hf_buf_printf(&buf, "%.*s %.*s://%.*s%.*s flags=%x|", HF_FMT(head.method),
                            HF_FMT(head.scheme), HF_FMT(head.authority), HF_FMT(head.path),
                            head.flags) == HF_OK);
    add_fields(&buf, &head);
    HF_ASSERT(hf_buf_printf(&buf, "%llu %s", (unsigned long long)i->total, end) == HF_OK);
    if (i->in.blob != NULL && hf_blob_trailers(i->in.blob).len > 0) {
        HF_ASSERT(hf_head_read(hf_blob_trailers(i->in.blob), &trailers, NULL) == HF_OK);
        add_text(&buf, HF_VIEW(" +"));
        add_fields(&buf, &trailers);
    }
    respond(turn, 200, NULL, hf_blob_of_buf(&buf));
    hf_buf_done(&buf);
    rest(i);
}

static enum hf_end do_tell(struct instance *i, struct hf_turn *turn)
{
    struct hf_view bytes;
    enum hf_err err = HF_CLOSED;
    while (i->in.blob != NULL && (err = hf_blob_reader_peek(&i->in, &bytes)) == HF_OK) {
        i->total += bytes.len;
        hf_blob_reader_advance(&i->in, bytes.len);
    }
    if (err == HF_AGAIN)
        return wait_in(i, turn);
    tell(i, turn, i->in.blob == NULL ? "no body" : err == HF_CLOSED ? "whole" : hf_err_text(err));
    return HF_END_DONE;
}

static enum hf_end do_echo(struct instance *i, struct hf_turn *turn)
{
    for (;;) {
        struct hf_view bytes;
        enum hf_err err = i->in.blob == NULL ? HF_CLOSED : hf_blob_reader_peek(&i->in, &bytes);
        if (err == HF_CLOSED) {
            finish(i);
            return HF_END_DONE;
        }
        if (err == HF_AGAIN)
            return wait_in(i, turn);
        if (err != HF_OK || !hf_blob_wanted(i->out)) {
            rest(i);
            return HF_END_DONE;
        }
        size_t room = hf_blob_room(i->out);
        if (room == 0)
            return wait_room(i, turn);
        bytes = hf_view_take(bytes, room);
        push(i, bytes);
        hf_blob_reader_advance(&i->in, bytes.len);
    }
}

static enum hf_end do_slen(struct instance *i)
{
    if (i->left == 0) {
        finish(i);
        return HF_END_DONE;
    }
    size_t n = i->left < 2 ? 1 : 2;
    i->left -= n;
    push(i, hf_view_take(HF_VIEW("aa"), n));
    return HF_END_YIELD;
}

static enum hf_end do_chunks(struct instance *i)
{
    static const char *const words[] = {"one", "two", "three"};
    if (i->step == 3) {
        add_trailer(i->out, "Sum", "eleven");
        finish(i);
        return HF_END_DONE;
    }
    push(i, hf_view_of(words[i->step++]));
    return HF_END_YIELD;
}

static enum hf_end do_big(struct instance *i, struct hf_turn *turn)
{
    static const uint8_t zeroes[16384];
    while (i->left > 0 && hf_blob_wanted(i->out)) {
        size_t room = hf_blob_room(i->out),
               n = sizeof zeroes < i->left ? sizeof zeroes : (size_t)i->left;
        if (room == 0)
            return wait_room(i, turn);
        n = n < room ? n : room;
        push(i, hf_view(zeroes, n));
        i->left -= n;
    }
    if (i->left > 0) {
        rest(i);
        return HF_END_DONE;
    }
    finish(i);
    return HF_END_DONE;
}

static enum hf_end do_wait(struct instance *i, struct hf_turn *turn)
{
    if (!i->timer.wait.ready)
        return HF_END_WAIT;
    rest(i);
    return say(turn, 200, "waited");
}

static enum hf_end do_sip(struct instance *i, struct hf_turn *turn)
{
    struct hf_view bytes;
    enum hf_err err = HF_OK;
    while (i->in.blob != NULL && i->total < 4 &&
           (err = hf_blob_reader_peek(&i->in, &bytes)) == HF_OK) {
        bytes = hf_view_take(bytes, 4 - (size_t)i->total);
        i->total += bytes.len;
        hf_blob_reader_advance(&i->in, bytes.len);
    }
    if (i->total < 4 && err == HF_AGAIN)
        return wait_in(i, turn);
    rest(i);
    return say(turn, 200, "sipped");
}

static enum hf_end go(struct instance *i, struct hf_turn *turn)
{
    switch (i->doing) {
    case TELL: return do_tell(i, turn);
    case ECHO: return do_echo(i, turn);
    case SLEN: return do_slen(i);
    case CHUNKS: return do_chunks(i);
    case BIG: return do_big(i, turn);
    case WAIT: return do_wait(i, turn);
    case SIP: return do_sip(i, turn);
    case NEVER: return HF_END_WAIT;
    case DIE_MID: hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("secret words")); return HF_END_FAILED;
    case NOTHING: break;
    }
    return HF_END_DONE;
}

static enum hf_end resume(void *state, struct hf_turn *turn)
{
    return go(state, turn);
}

/* "/verb/123" and the number after the next slash. */
static uint64_t number(struct hf_view path, unsigned which)
{
    uint64_t n = 0;
    for (; which > 0; which--)
        path = hf_view_skip(path, 1 + hf_view_find(hf_view_skip(path, 1), '/'));
    for (size_t at = 1; at < path.len && path.ptr[at] >= '0' && path.ptr[at] <= '9'; at++)
        n = n * 10 + (path.ptr[at] - '0');
    return n;
}

static struct hf_blob *letters(uint64_t n)
{
    struct hf_buf buf = {0};
    HF_ASSERT(hf_buf_reserve(&buf, (size_t)n + 1) == HF_OK);
    memset(buf.ptr, 'a', (size_t)n);
    buf.len = (size_t)n;
    return hf_blob_of_buf(&buf);
}

static void take_body(struct instance *i, struct hf_turn *turn)
{
    struct hf_blob *blob = hf_turn_take_blob(turn);
    if (blob != NULL)
        hf_blob_reader_open(&i->in, &blob);
}

static enum hf_end turn(void *state, struct hf_turn *t)
{
    struct instance *i = state;
    struct hf_head head;
    struct hf_view length = {0};
    char text[24];
    HF_ASSERT(hf_head_read(hf_turn_message(t)->body, &head, NULL) == HF_OK);
    struct hf_view path = hf_view_take(head.path, hf_view_find(head.path, '?'));
    if (hf_view_starts(path, HF_VIEW("/small")))
        path = hf_view_skip(path, 6);
    struct hf_view verb = hf_view_take(path, 1 + hf_view_find(hf_view_skip(path, 1), '/'));
    i->total = 0;
    i->step = 0;
    i->left = number(path, 2);
#define IS(lit) hf_view_eq(verb, HF_VIEW(lit))
    if (IS("/hello"))
        return say(t, 200, "hello, world");
    if (IS("/tell") || hf_view_eq_text(path, "*")) {
        i->doing = TELL;
        take_body(i, t);
    } else if (IS("/echo")) {
        i->doing = ECHO;
        hf_head_find(&head, HF_VIEW("content-length"), &length);
        snprintf(text, sizeof text, "%.*s", HF_FMT(length));
        take_body(i, t);
        stream(i, t, hf_view_ends(head.path, HF_VIEW("?len")) ? text : NULL);
    } else if (IS("/pass")) {
        respond(t, 200, NULL, hf_turn_take_blob(t));
    } else if (IS("/status")) {
        return say(t, (uint16_t)number(path, 1), "body");
    } else if (IS("/len")) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)number(path, 1));
        const char *const fields[] = {"Content-Length", text, NULL};
        respond(t, 200, fields, letters(i->left));
    } else if (IS("/slen")) {
        i->doing = SLEN;
        snprintf(text, sizeof text, "%llu", (unsigned long long)number(path, 1));
        stream(i, t, text);
    } else if (IS("/chunks")) {
        i->doing = CHUNKS;
        stream(i, t, NULL);
    } else if (IS("/big")) {
        i->doing = BIG;
        i->left = number(path, 1);
        stream(i, t, NULL);
    } else if (IS("/wait")) {
        i->doing = WAIT;
        HF_ASSERT(hf_timer_set(i->kernel, &i->timer, hf_turn_now(t) + number(path, 1) * 1000000u) ==
                  HF_OK);
        hf_waiter_arm(&i->timer_waiter, &i->timer.wait, hf_turn_waitset(t));
    } else if (IS("/never")) {
        i->doing = NEVER;
    } else if (IS("/die") || IS("/limit")) {
        hf_turn_fail(t, IS("/die") ? HF_ANSWER_DEAD : HF_ANSWER_LIMITED, HF_VIEW("secret words"));
        return HF_END_FAILED;
    } else if (IS("/die-mid") || IS("/die-same")) {
        i->doing = DIE_MID;
        stream(i, t, NULL);
        push(i, HF_VIEW("part"));
        return IS("/die-mid") ? HF_END_YIELD : go(i, t);
    } else if (IS("/drop")) {
        return say(t, 200, "dropped");
    } else if (IS("/sip")) {
        i->doing = SIP;
        take_body(i, t);
    } else if (IS("/close")) {
        const char *const fields[] = {"Connection", "close", NULL};
        respond(t, 200, fields, hf_blob_of_bytes(HF_VIEW("bye")));
    } else if (IS("/inject")) {
        const char *const fields[] = {"X", "a\r\nY: b", NULL};
        respond(t, 200, fields, hf_blob_of_bytes(HF_VIEW("body")));
    } else if (IS("/two-lengths")) {
        const char *const fields[] = {"Content-Length", "4", "content-length", "4", NULL};
        respond(t, 200, fields, hf_blob_of_bytes(HF_VIEW("body")));
    } else if (IS("/no-length")) {
        const char *const fields[] = {"Content-Length", "+4", NULL};
        respond(t, 200, fields, hf_blob_of_bytes(HF_VIEW("body")));
    } else if (IS("/garbage")) {
        struct hf_buf buf = {0};
        struct hf_blob *none = NULL;
        HF_ASSERT(hf_buf_add_text(&buf, "garbage") == HF_OK);
        HF_ASSERT(hf_turn_respond(t, &buf, &none) == HF_DUTY_OPEN);
    } else if (IS("/hop")) {
        const char *const fields[] = {"A",          "1", "Connection", "b",    "B", "2",
                                      "Keep-Alive", "3", "Date",       "then", NULL};
        respond(t, 200, fields, hf_blob_of_bytes(HF_VIEW("hop")));
    } else if (IS("/empty")) {
        respond(t, 200, NULL, NULL);
    } else if (IS("/trailing")) {
        struct hf_blob *blob = i->out = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0);
        push(i, HF_VIEW("body"));
        add_trailer(blob, "Sum", "four");
        finish(i);
        respond(t, 200, NULL, blob);
    } else if (!IS("/nothing")) {
        return say(t, 404, "no such verb");
    }
    return go(i, t);
}

const struct hf_behaviour service = {
    .name = "test service",
    .start = start,
    .turn = turn,
    .resume = resume,
    .cancel = cancel,
    .stop = stop,
};
