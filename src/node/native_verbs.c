/* native_verbs.c - what a native process may say: the kernel's verbs (kernel/message.h) in the words of holdfast/process.h. */
#include "node/node_int.h"

#include "base/head.h"
#include "host/http_int.h"

/* Public numbers are the kernel's: they are of ABI, so they are looked at here. */
#define SAME(a, b) _Static_assert((int)(a) == (int)(b), "the public API has its own numbers")
SAME(HF_PROC_NOTICE, HF_MESSAGE_NOTICE);
SAME(HF_PROC_ERROR, HF_MESSAGE_ERROR);
SAME(HF_PROC_TIMEOUT, HF_ANSWER_TIMEOUT);
SAME(HF_PROC_NO_SUCH, HF_ANSWER_NO_SUCH);
SAME(HF_PROC_FULL, HF_ANSWER_FULL);
SAME(HF_PROC_DEAD, HF_ANSWER_DEAD);
SAME(HF_PROC_UNANSWERED, HF_ANSWER_UNANSWERED);
SAME(HF_PROC_LIMITED, HF_ANSWER_LIMITED);
SAME(HF_PROC_CANCELLED, HF_ANSWER_CANCELLED);
SAME(HF_PROC_CYCLE, HF_ANSWER_CYCLE);
SAME(HF_PROC_ENDED, HF_NOTICE_ENDED);
SAME(HF_PROC_EXIT, HF_NOTICE_EXIT);
SAME(HF_PROC_REFUSED, HF_NOTICE_REFUSED);
SAME(HF_PROC_UNWANTED, HF_NOTICE_VOID);
SAME(HF_PROC_TIMER, HF_NOTICE_TIMER);
SAME(HF_PROC_NO_REQUEST, HF_SAID_NO_REQUEST);
SAME(HF_PROC_ANSWERED, HF_SAID_ANSWERED);
SAME(HF_PROC_MOVED, HF_SAID_MOVED);
SAME(HF_PROC_DEFERRED, HF_SAID_DEFERRED);
SAME(HF_PROC_VOID, HF_SAID_VOID);
SAME(HF_PROC_DENIED, HF_SAID_DENIED);
SAME(HF_PROC_TOO_LARGE, HF_SAID_TOO_LARGE);
SAME(HF_PROC_LIMIT, HF_SAID_LIMIT);
SAME(HF_PROC_TAKEN, HF_SAID_TAKEN);
SAME(HF_PROC_INVALID, HF_SAID_INVALID);

static enum hf_proc_said said(enum hf_said s)
{
    return (enum hf_proc_said)s;
}

const char *hf_proc_said_text(enum hf_proc_said s)
{
    return (unsigned)s <= HF_PROC_INVALID ? hf_said_text((enum hf_said)s) : "?";
}

static struct hf_view view(struct hf_bytes b)
{
    return hf_view(b.ptr, b.len);
}

static struct hf_bytes lent(struct hf_view v)
{
    return (struct hf_bytes){v.ptr, v.len};
}

/* ---- answering ---------------------------------------------------------------------------------------------- */

static bool make_blob(struct hf_proc *p, const struct hf_proc_parcel *from, struct hf_blob **ret)
{
    *ret = NULL;
    if (from->blob.len == 0)
        return true;
    *ret = hf_blob_of_bytes_in(hf_kernel_blobs(hf_turn_kernel(p->turn)), view(from->blob));
    return *ret != NULL;
}

static bool make_response(struct hf_proc *p, const struct hf_proc_parcel *from, struct hf_response *ret)
{
    *ret = (struct hf_response){.metadata = view(from->metadata), .inherit = from->inherit};
    return make_blob(p, from, &ret->blob) && hf_buf_add_view(&ret->body, view(from->body)) == HF_OK;
}

static void response_done(struct hf_response *r)
{
    hf_buf_done(&r->body);
    hf_blob_unref(r->blob);
}

enum hf_proc_said hf_proc_reply(struct hf_proc *p, const struct hf_proc_parcel *answer)
{
    struct hf_response r;
    enum hf_said s = make_response(p, answer, &r) ? hf_turn_reply(p->turn, &r) : HF_SAID_LIMIT;
    response_done(&r);
    return said(s);
}

enum hf_proc_said hf_proc_respond(struct hf_proc *p, struct hf_bytes body)
{
    return hf_proc_reply(p, &(struct hf_proc_parcel){.body = body});
}

enum hf_proc_said hf_proc_defer(struct hf_proc *p, uint64_t *token)
{
    return said(hf_turn_defer(p->turn, token));
}

enum hf_proc_said hf_proc_answer(struct hf_proc *p, uint64_t token, const struct hf_proc_parcel *answer)
{
    struct hf_response r;
    enum hf_said s = make_response(p, answer, &r) ? hf_turn_answer(p->turn, token, &r) : HF_SAID_LIMIT;
    response_done(&r);
    return said(s);
}

enum hf_proc_said hf_proc_drop_token(struct hf_proc *p, uint64_t token)
{
    return said(hf_turn_drop_token(p->turn, token));
}

enum hf_proc_said hf_proc_state(struct hf_proc *p)
{
    return said(hf_turn_state(p->turn));
}

enum hf_proc_said hf_proc_token_state(struct hf_proc *p, uint64_t token)
{
    return said(hf_turn_token_state(p->turn, token));
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static bool make_send(struct hf_proc *p, const struct hf_proc_send *from, bool wants_answer, struct hf_send *ret)
{
    const struct hf_proc_parcel *parcel = &from->parcel;
    *ret = (struct hf_send){
        .target = hf_view_of(from->target),
        .metadata = view(parcel->metadata),
        .inherit = parcel->inherit,
        .wants_answer = wants_answer,
        .timeout_ns = wants_answer ? from->timeout_ns : 0,
    };
    return make_blob(p, parcel, &ret->blob) && hf_buf_add_view(&ret->body, view(parcel->body)) == HF_OK &&
           (!wants_answer || hf_buf_add_view(&ret->context, view(from->context)) == HF_OK);
}

static void send_done(struct hf_send *s)
{
    hf_buf_done(&s->body);
    hf_buf_done(&s->context);
    hf_blob_unref(s->blob);
}

enum hf_proc_said hf_proc_tell(struct hf_proc *p, const struct hf_proc_send *s)
{
    struct hf_send send;
    if (s->context.len != 0 || s->timeout_ns != 0)
        return HF_PROC_INVALID; /* nothing comes back of a tell */
    enum hf_said r = make_send(p, s, false, &send) ? hf_turn_send(p->turn, &send, NULL) : HF_SAID_LIMIT;
    send_done(&send);
    return said(r);
}

enum hf_proc_said hf_proc_request(struct hf_proc *p, const struct hf_proc_send *s, uint64_t *id)
{
    struct hf_send send;
    enum hf_said r = make_send(p, s, true, &send) ? hf_turn_send(p->turn, &send, id) : HF_SAID_LIMIT;
    send_done(&send);
    return said(r);
}

enum hf_proc_said hf_proc_forward(struct hf_proc *p, const struct hf_proc_send *s)
{
    struct hf_send send;
    enum hf_said r = make_send(p, s, false, &send) ? hf_turn_forward(p->turn, &send) : HF_SAID_LIMIT;
    send_done(&send);
    return said(r);
}

enum hf_proc_said hf_proc_cancel(struct hf_proc *p, uint64_t id)
{
    return said(hf_turn_cancel(p->turn, id));
}

/* ---- others, time, itself ------------------------------------------------------------------------------------- */

enum hf_proc_said hf_proc_spawn(struct hf_proc *p, const char *klass, const char *key, char name[256], uint64_t *watch)
{
    _Static_assert(HF_NAME_MAX < 256, "a name and its NUL");
    struct hf_spawn spawn = {.class = hf_view_of(klass), .key = hf_view_of(key), .monitor = watch != NULL};
    size_t len = 0;
    enum hf_said s = hf_turn_spawn(p->turn, &spawn, name, &len, watch);
    name[s == HF_SAID_OK ? len : 0] = 0;
    return said(s);
}

enum hf_proc_said hf_proc_stop_child(struct hf_proc *p, const char *name)
{
    return said(hf_turn_stop_child(p->turn, hf_view_of(name)));
}

enum hf_proc_said hf_proc_monitor(struct hf_proc *p, const char *name, uint64_t *watch)
{
    return said(hf_turn_monitor(p->turn, hf_view_of(name), watch));
}

enum hf_proc_said hf_proc_unwatch(struct hf_proc *p, uint64_t watch)
{
    return said(hf_turn_unwatch(p->turn, watch));
}

enum hf_proc_said hf_proc_set_timer(struct hf_proc *p, uint64_t after_ns, uint64_t *timer)
{
    uint64_t at;
    if (__builtin_add_overflow(hf_turn_now(p->turn), after_ns, &at))
        at = UINT64_MAX;
    return said(hf_turn_set_timer(p->turn, at, timer));
}

enum hf_proc_said hf_proc_clear_timer(struct hf_proc *p, uint64_t timer)
{
    return said(hf_turn_clear_timer(p->turn, timer));
}

uint64_t hf_proc_now(struct hf_proc *p)
{
    return hf_turn_now(p->turn);
}

struct hf_bytes hf_proc_name(struct hf_proc *p)
{
    return lent(hf_turn_name(p->turn));
}

struct hf_bytes hf_proc_blob(struct hf_proc *p)
{
    return p->read ? lent(hf_buf_view(&p->blob)) : (struct hf_bytes){0};
}

void hf_proc_fail(struct hf_proc *p, const char *why)
{
    p->why = true;
    hf_turn_fail(p->turn, HF_ANSWER_DEAD, hf_view_of(why));
}

void hf_proc_retire(struct hf_proc *p)
{
    hf_turn_retire(p->turn, "exit");
}

/* ---- HTTP ------------------------------------------------------------------------------------------------------ */

bool hf_proc_http(struct hf_proc *p, struct hf_proc_http *ret)
{
    const struct hf_message *m = hf_turn_message(p->turn);
    struct hf_report report;
    struct hf_head head;
    if (m != NULL && m->kind != HF_MESSAGE_REQUEST)
        m = hf_turn_nested(p->turn);
    hf_report_init(&report);
    if (m == NULL || m->source.len != 0 || hf_head_read(m->body, &head, &report) != HF_OK || head.kind != HF_HEAD_REQUEST)
        return false;
    *ret = (struct hf_proc_http){.size = sizeof *ret,
                                 .method = lent(head.method),
                                 .path = lent(head.path),
                                 .authority = lent(head.authority),
                                 .n_headers = head.n_fields,
                                 .at = {m->body.ptr, m->body.ptr + m->body.len}};
    return true;
}

static bool head_of(const struct hf_proc_http *h, struct hf_head *ret)
{
    struct hf_report report;
    hf_report_init(&report);
    const uint8_t *begin = h->at[0], *end = h->at[1];
    return hf_head_read(hf_view(begin, (size_t)(end - begin)), ret, &report) == HF_OK;
}

bool hf_proc_http_header(const struct hf_proc_http *h, const char *name, struct hf_bytes *value)
{
    struct hf_head head;
    struct hf_view found;
    if (!head_of(h, &head) || !hf_head_find(&head, hf_view_of(name), &found))
        return false;
    *value = lent(found);
    return true;
}

bool hf_proc_http_at(const struct hf_proc_http *h, size_t i, struct hf_bytes *name, struct hf_bytes *value)
{
    struct hf_head head;
    struct hf_view n, v;
    size_t at = 0;
    if (!head_of(h, &head))
        return false;
    while (hf_head_next(&head, &at, &n, &v))
        if (i-- == 0) {
            *name = lent(n);
            *value = lent(v);
            return true;
        }
    return false;
}

/* HF_INVALID: no head that could be sent. */
static enum hf_err make_head(uint16_t status, const struct hf_proc_header *headers, size_t n, bool has_body, struct hf_buf *ret)
{
    struct hf_head_writer w;
    if (status < 200 || status > 599)
        return HF_INVALID;
    enum hf_err err = hf_head_begin_response(&w, ret, has_body ? 0 : HF_HEAD_NO_BODY, status);
    for (size_t i = 0; i < n && err == HF_OK; i++) {
        struct hf_view name = hf_view_of(headers[i].name), value = hf_view_of(headers[i].value);
        bool one_line = hf_view_find(value, '\n') == value.len && hf_view_find(value, '\r') == value.len;
        err = hf_http_token(name) && one_line ? hf_head_field(&w, name, value) : HF_INVALID;
    }
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

enum hf_proc_said hf_proc_http_respond(struct hf_proc *p, uint16_t status, const struct hf_proc_header *headers, size_t n,
                                       struct hf_bytes body)
{
    struct hf_response r = {0};
    enum hf_err err = make_head(status, headers, n, body.len > 0, &r.body);
    if (err == HF_OK && !make_blob(p, &(struct hf_proc_parcel){.blob = body}, &r.blob))
        err = HF_LIMIT;
    enum hf_said s = err == HF_INVALID ? HF_SAID_INVALID : err != HF_OK ? HF_SAID_LIMIT : hf_turn_reply(p->turn, &r);
    response_done(&r);
    return said(s);
}
