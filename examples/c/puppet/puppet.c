/*
 * A process that does what its messages say: for whoever wants to see what a verb does. The body of
 * a request is its script; a response, or a failure, runs the context that was sent along. Words
 * are apart by blanks, { } around several make one. Everything that comes, and every verb that is
 * refused, is noted; `r` answers with a text, or with the notes (`r log`, which forgets them).
 *
 *     holdfast call p "s q {r hello} {r log}"     asks q, and answers with what came of it
 *
 * After a verb that sends or answers: + inherits a blob, = makes one, * parks where the mailbox is
 * full.
 *
 *     r TEXT               respond
 *     s NAME {BODY} {CTX}  send; CTX is run when the answer or the failure comes
 *     t NAME {BODY}        tell
 *     f NAME {BODY}        forward
 *     k NAME {BODY}        ask, and note the answer
 *     d                    defer;  a TEXT answers the oldest token, A drops it
 *     a! NUMBER            answer with that token, whosever it is
 *     c                    cancel what was sent last;  c! NUMBER
 *     v                    note the state of the request in question;  V of the oldest token
 *     b                    note the current blob's bytes;  n the nested one's
 *     keep                 hold the current blob for ever
 *     S CLASS KEY          spawn, KEY - for a made name;  SM with a monitor, SL with a link
 *     K, O                 kill, stop the last child
 *     m NAME, l NAME, U    monitor, link, unwatch the last
 *     h NAME, H NAME       keep, release a capability;  ? NAME notes whether it is held
 *     g NAME               the next that is sent or answered carries NAME's capability
 *     to MS                timeout of the next that is sent
 *     size N, meta N       bytes of its body, of its metadata;  ctx N of its context
 *     T MS, C              set a timer, clear it
 *     on {SCRIPT}          run at every notice
 *     say TEXT             note it;  self notes name and parent
 *     x N {SCRIPT}         N times
 *     F                    trap;  L takes memory until there is none;  loop computes for ever
 */
#include "holdfast.h"

#include <stdlib.h>

#define NOTES_MAX 60000u
#define TOKENS    2048u

struct view {
    const char *ptr;
    size_t len;
};

static char notes[NOTES_MAX];
static size_t n_notes;
static uint64_t tokens[TOKENS], n_tokens, first_token;
static uint64_t last_sent, last_watch, last_timer;
static char child[256], on_notice[4096];
static size_t child_len, on_notice_len;
static char carried[256];
static size_t carried_len;
static uint64_t timeout_ms;
static size_t size_of_next, meta_of_next, ctx_of_next;
static char own[300];

/* ---- notes ---- */

static void note_bytes(const void *bytes, size_t len)
{
    size_t n = len < NOTES_MAX - n_notes ? len : NOTES_MAX - n_notes;
    memcpy(notes + n_notes, bytes, n);
    n_notes += n;
}
static void note(const char *text)
{
    note_bytes(text, strlen(text));
}
static void note_number(uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0)
        note_bytes(&digits[--n], 1);
}
static void note_verb(struct view verb, int said)
{
    if (said == 0)
        return;
    note_bytes(verb.ptr, verb.len);
    note(":");
    note(hf_refusal_text(said));
    note(" ");
}

/* ---- words ---- */

static bool blank(char c)
{
    return c == ' ' || c == '\n';
}

/* The next word, without the braces around it; empty: there is none. */
static struct view word(struct view *script)
{
    size_t at = 0, n = 0, depth = 0;
    while (at < script->len && blank(script->ptr[at]))
        at++;
    struct view w = {script->ptr + at, 0};
    while (at + n < script->len && (depth > 0 || !blank(w.ptr[n]))) {
        depth += w.ptr[n] == '{';
        depth -= w.ptr[n] == '}' && depth > 0;
        n++;
    }
    w.len = n;
    script->ptr += at + n;
    script->len -= at + n;
    if (n >= 2 && w.ptr[0] == '{' && w.ptr[n - 1] == '}')
        w.ptr++, w.len -= 2;
    return w;
}
static bool is(struct view v, const char *text)
{
    return v.len == strlen(text) && memcmp(v.ptr, text, v.len) == 0;
}
static uint64_t number(struct view v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v.len && v.ptr[i] >= '0' && v.ptr[i] <= '9'; i++)
        n = 10 * n + (uint64_t)(v.ptr[i] - '0');
    return n;
}
static service_string_t name_of(struct view v)
{
    return (service_string_t){.ptr = (uint8_t *)(uintptr_t)v.ptr, .len = v.len};
}

/* ---- what goes along ---- */

struct mode {
    bool inherit, own, park;
};

static struct mode mode_of(struct view verb)
{
    struct mode m = {false, false, false};
    for (size_t i = 0; i < verb.len; i++) {
        m.inherit |= verb.ptr[i] == '+';
        m.own |= verb.ptr[i] == '=';
        m.park |= verb.ptr[i] == '*';
    }
    return m;
}

static hf_blob_choice blob_of(struct mode m)
{
    hf_blob blob;
    if (m.own && hf_blob_of(own, strlen(own), &blob))
        return HF_THIS_BLOB(blob);
    return m.inherit ? HF_INHERIT_BLOB : HF_NO_BLOB;
}

static service_string_t capability;
static service_list_string_t capabilities(void)
{
    service_list_string_t list = {.ptr = &capability, .len = carried_len > 0};
    capability = (service_string_t){.ptr = (uint8_t *)carried, .len = carried_len};
    carried_len = 0;
    return list;
}

static hf_outgoing outgoing(struct view name, struct view body, struct mode m)
{
    service_list_u8_t bytes = hf_bytes(body.ptr, body.len);
    if (size_of_next > 0)
        bytes = hf_bytes(calloc(1, size_of_next), size_of_next);
    hf_outgoing to = hf_to(name_of(name), bytes, blob_of(m));
    if (meta_of_next > 0) {
        char *text = malloc(meta_of_next);
        memset(text, 'm', meta_of_next);
        hf_set_metadata(&to, text, meta_of_next);
    }
    to.capabilities = capabilities();
    size_of_next = meta_of_next = 0;
    return to;
}

static holdfast_kernel_messages_wish_t wish(struct view context, struct mode m)
{
    holdfast_kernel_messages_wish_t w = {.context = hf_bytes(context.ptr, context.len),
                                         .park = m.park};
    if (ctx_of_next > 0)
        w.context = hf_bytes(calloc(1, ctx_of_next), ctx_of_next);
    w.timeout.is_some = timeout_ms > 0;
    w.timeout.val = timeout_ms * 1000000u;
    timeout_ms = ctx_of_next = 0;
    return w;
}

/* ---- verbs ---- */

static int send(struct view name, struct view body, struct view context, struct mode m)
{
    hf_outgoing to = outgoing(name, body, m);
    holdfast_kernel_messages_wish_t w = wish(context, m);
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_send(&to, &w, &last_sent, &refusal);
    return hf_result(ok, refusal);
}

static const char *const kinds[] = {"timeout", "offline",    "no-such-process", "full",
                                    "dead",    "unanswered", "too-large",       "denied",
                                    "limit",   "cycle",      "cancelled"};

static void note_blob(bool there, hf_blob *blob)
{
    service_list_u8_t bytes;
    if (!there) {
        note("[] ");
        return;
    }
    note("[");
    if (hf_blob_read(*blob, 0, 256, &bytes)) {
        note_bytes(bytes.ptr, bytes.len);
        service_list_u8_free(&bytes);
    } else {
        note("broken");
    }
    note("] ");
    hf_blob_drop(*blob);
}

static int ask(struct view name, struct view body, struct mode m)
{
    hf_outgoing to = outgoing(name, body, m);
    holdfast_kernel_messages_wish_t w = wish((struct view){"", 0}, m);
    holdfast_kernel_messages_refusal_t refusal = 0;
    holdfast_kernel_messages_result_response_failure_t answer;
    if (!holdfast_kernel_messages_ask(&to, &w, &answer, &refusal))
        return hf_result(false, refusal);
    if (answer.is_err) {
        note("k:");
        note(kinds[answer.val.err.kind]);
        note(" ");
    } else {
        hf_blob blob;
        note("k='");
        note_bytes(answer.val.ok.body.ptr, answer.val.ok.body.len);
        note("'");
        note_blob(hf_asked_blob(&blob), &blob);
    }
    holdfast_kernel_messages_result_response_failure_free(&answer);
    return 0;
}

static holdfast_kernel_messages_reply_t reply(struct view text, struct mode m)
{
    holdfast_kernel_messages_reply_t r = {.body = hf_bytes(text.ptr, text.len), .blob = blob_of(m)};
    if (is(text, "log")) {
        r.body = hf_bytes(notes, n_notes);
        n_notes = 0; /* they are read during the call */
    }
    r.capabilities = capabilities();
    return r;
}

static int respond(struct view text, struct mode m)
{
    holdfast_kernel_messages_reply_t r = reply(text, m);
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_respond(&r, &refusal);
    return hf_result(ok, refusal);
}
static int answer(uint64_t token, struct view text, struct mode m)
{
    holdfast_kernel_messages_reply_t r = reply(text, m);
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_answer(token, &r, &refusal);
    return hf_result(ok, refusal);
}
static uint64_t oldest(void)
{
    return first_token < n_tokens ? tokens[first_token++ % TOKENS] : 0;
}

static int spawn(struct view class_name, struct view key, bool monitor, bool link)
{
    holdfast_kernel_processes_child_t c = {
        .class_ = name_of(class_name), .monitor = monitor, .link = link};
    service_tuple2_string_option_u64_t made;
    holdfast_kernel_processes_refusal_t refusal = 0;
    c.key.is_some = !is(key, "-");
    c.key.val = name_of(key);
    if (!holdfast_kernel_processes_spawn(&c, &made, &refusal))
        return hf_result(false, refusal);
    child_len = made.f0.len < sizeof child ? made.f0.len : sizeof child;
    memcpy(child, made.f0.ptr, child_len);
    if (made.f1.is_some)
        last_watch = made.f1.val;
    service_tuple2_string_option_u64_free(&made);
    return 0;
}

#define CALL(call)                                                                                 \
    do {                                                                                           \
        bool ok_ = (call);                                                                         \
        return hf_result(ok_, refusal);                                                            \
    } while (0)

/* Verbs about others and about time. */
static int other(struct view verb, struct view *script)
{
    holdfast_kernel_processes_refusal_t refusal = 0;
    service_string_t c = {.ptr = (uint8_t *)child, .len = child_len}, name;
    switch (verb.ptr[0]) {
    case 'K':
        name = hf_name("by its parent");
        CALL(holdfast_kernel_processes_kill(&c, &name, &refusal));
    case 'O': CALL(holdfast_kernel_processes_stop(&c, &refusal));
    case 'U': CALL(holdfast_kernel_processes_unwatch(last_watch, &refusal));
    case 'C': return hf_clear_timer(last_timer);
    case 'T': return hf_set_timer(number(word(script)) * 1000000u, &last_timer);
    default: break;
    }
    name = name_of(word(script));
    switch (verb.ptr[0]) {
    case 'm': CALL(holdfast_kernel_processes_monitor(&name, &last_watch, &refusal));
    case 'l': CALL(holdfast_kernel_processes_link(&name, &last_watch, &refusal));
    case 'h': CALL(holdfast_kernel_processes_keep(&name, &refusal));
    case 'H': CALL(holdfast_kernel_processes_release(&name, &refusal));
    case '?': note(holdfast_kernel_processes_holds(&name) ? "holds " : "holds-not "); return 0;
    default: note("what? "); return 0;
    }
}

static int cancel(uint64_t id)
{
    holdfast_kernel_messages_refusal_t refusal = 0;
    CALL(holdfast_kernel_messages_cancel(id, &refusal));
}
static int drop_token(uint64_t token)
{
    holdfast_kernel_messages_refusal_t refusal = 0;
    CALL(holdfast_kernel_messages_drop_token(token, &refusal));
}
static int defer(void)
{
    uint64_t token;
    int said = hf_defer(&token);
    if (said == 0)
        tokens[n_tokens++ % TOKENS] = token;
    return said;
}
static void note_state(bool of_token)
{
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = of_token
                  ? holdfast_kernel_messages_token_state(tokens[first_token % TOKENS], &refusal)
                  : holdfast_kernel_messages_state(&refusal);
    note(ok ? "ok" : hf_refusal_text(hf_result(ok, refusal)));
    note(" ");
}
static void note_self(void)
{
    service_string_t name, parent;
    holdfast_kernel_processes_name(&name);
    note_bytes(name.ptr, name.len);
    service_string_free(&name);
    if (holdfast_kernel_processes_parent(&parent)) {
        note("<");
        note_bytes(parent.ptr, parent.len);
        service_string_free(&parent);
    }
    note(" ");
}
static void set_own(void)
{
    service_string_t name;
    holdfast_kernel_processes_name(&name);
    memcpy(own, "of ", 3);
    memcpy(own + 3, name.ptr, name.len);
    service_string_free(&name);
}
static char *volatile taken; /* so that the compiler leaves it in */
static void grow(void)
{
    for (;;) {
        char *p = malloc(1 << 20);
        if (p == NULL)
            __builtin_trap();
        memset(p, 1, 1 << 20);
        taken = p;
    }
}

static void run(struct view script);

static bool simple(struct view verb, struct view *script)
{
    hf_blob blob;
    struct view w;
    if (is(verb, "to"))
        timeout_ms = number(word(script));
    else if (is(verb, "size"))
        size_of_next = number(word(script));
    else if (is(verb, "meta"))
        meta_of_next = number(word(script));
    else if (is(verb, "ctx"))
        ctx_of_next = number(word(script));
    else if (is(verb, "v") || is(verb, "V"))
        note_state(is(verb, "V"));
    else if (is(verb, "b"))
        note_blob(hf_current_blob(&blob), &blob);
    else if (is(verb, "n"))
        note_blob(hf_nested_blob(&blob), &blob);
    else if (is(verb, "keep"))
        (void)!hf_current_blob(&blob); /* its handle stays */
    else if (is(verb, "say"))
        w = word(script), note_bytes(w.ptr, w.len), note(" ");
    else if (is(verb, "self"))
        note_self();
    else if (is(verb, "on"))
        w = word(script), on_notice_len = w.len,
        memcpy(on_notice, w.ptr, w.len < sizeof on_notice ? w.len : 0);
    else if (is(verb, "g"))
        w = word(script), carried_len = w.len,
        memcpy(carried, w.ptr, w.len < sizeof carried ? w.len : 0);
    else if (is(verb, "F"))
        __builtin_trap();
    else if (is(verb, "L"))
        grow();
    else if (is(verb, "loop"))
        for (volatile unsigned i = 0;; i = i + 1)
            ;
    else
        return false;
    return true;
}

static int act(struct view verb, struct view *script)
{
    struct mode m = mode_of(verb);
    struct view name, body;
    switch (verb.ptr[0]) {
    case 'r': return respond(word(script), m);
    case 's': name = word(script), body = word(script); return send(name, body, word(script), m);
    case 'k': name = word(script); return ask(name, word(script), m);
    case 't':
    case 'f': {
        name = word(script);
        hf_outgoing to = outgoing(name, word(script), m);
        return verb.ptr[0] == 't' ? hf_tell(&to) : hf_forward(&to);
    }
    case 'd': return defer();
    case 'a': {
        bool forged = verb.len > 1 && verb.ptr[1] == '!';
        uint64_t token = forged ? number(word(script)) : oldest();
        return answer(token, forged ? (struct view){"forged", 6} : word(script), m);
    }
    case 'A': return drop_token(oldest());
    case 'c': return cancel(verb.len > 1 ? number(word(script)) : last_sent);
    case 'S':
        name = word(script);
        return spawn(name, word(script), verb.len > 1 && verb.ptr[1] == 'M',
                     verb.len > 1 && verb.ptr[1] == 'L');
    default: return other(verb, script);
    }
}

static void run(struct view script)
{
    for (;;) {
        struct view verb = word(&script);
        if (verb.len == 0)
            return;
        if (is(verb, "x")) {
            uint64_t n = number(word(&script));
            struct view again = word(&script);
            while (n-- > 0)
                run(again);
        } else if (!simple(verb, &script)) {
            note_verb(verb, act(verb, &script));
        }
    }
}

/* ---- messages ---- */

static void on_response(const hf_response_in *r)
{
    hf_blob blob;
    note("<='");
    note_bytes(r->body.ptr, r->body.len);
    note("'");
    note_blob(hf_current_blob(&blob), &blob);
    run((struct view){(const char *)r->context.ptr, r->context.len});
}

static void on_failure(const hf_failure_in *f)
{
    note("!");
    note(kinds[f->kind]);
    note("(");
    note_bytes(f->target.ptr, f->target.len);
    note(f->blob.is_some ? ",blob) " : ") ");
    run((struct view){(const char *)f->context.ptr, f->context.len});
}

static void note_end(const holdfast_kernel_messages_end_t *e)
{
    note_bytes(e->name.ptr, e->name.len);
    note(":");
    note(e->in_order ? "in-order" : kinds[e->kind]);
    note(" ");
}

static void on_a_notice(const holdfast_kernel_messages_notice_t *n)
{
    static const char *const texts[] = {"ended ", "exit ", "refused:", "unwanted ", "timer "};
    note(texts[n->tag]);
    if (n->tag == HF_ENDED)
        note_end(&n->val.ended);
    else if (n->tag == HF_EXIT)
        note_end(&n->val.exit);
    else if (n->tag == HF_REFUSED)
        note_number(n->val.refused.f1), note(" ");
    run((struct view){on_notice, on_notice_len});
}

void exports_holdfast_kernel_handler_handle(hf_message *m)
{
    if (own[0] == 0)
        set_own();
    if (m->tag == HF_REQUEST)
        run((struct view){(const char *)m->val.request.body.ptr, m->val.request.body.len});
    else if (m->tag == HF_RESPONSE)
        on_response(&m->val.response);
    else if (m->tag == HF_FAILURE)
        on_failure(&m->val.failure);
    else
        on_a_notice(&m->val.notice);
    hf_message_done(m);
}
