/*
 * Processes that time messages among themselves, by the guest's own clock:
 *
 *     GET /send/N/SIZE    N requests with SIZE bytes to "peer", each sent when the one before was answered
 *     GET /ask/N/SIZE     the same with hf_ask: this one waits in between, and hears of nothing else
 *     GET /hop/N/SIZE     a blob of SIZE bytes goes N times on between "peer" and "other", which forward it unread
 *     GET /spawn/N/0      N children of class "leaf", one after another: spawned, asked once, stopped
 *     GET /names/N/0      "leaf/0" to "leaf/N-1", each asked once and left there
 *
 * Each answers "N NANOSECONDS\n". Whoever is no driver answers a request with its own body; metadata "K" is a
 * blob that has K hops to go. `make bench` has its figures; examples/chain is the one to learn from.
 */
#include "holdfast.h"

#include <stdlib.h>

#define BODY_MAX 65536

static uint8_t bytes[BODY_MAX];
static struct {
    uint64_t begin, all, left;
    size_t size;
    uint64_t token;
} drive;

static uint64_t number(const uint8_t **at, const uint8_t *end)
{
    uint64_t n = 0;
    while (*at < end && **at >= '0' && **at <= '9')
        n = n * 10 + (uint64_t)(*(*at)++ - '0');
    if (*at < end)
        (*at)++; /* what divides it from the next */
    return n;
}

static size_t print(char *to, uint64_t n)
{
    char digits[21];
    size_t len = 0, at = 0;
    do
        digits[len++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (len > 0)
        to[at++] = digits[--len];
    return at;
}

static void say(uint16_t status, const char *text, size_t len)
{
    hf_http_respond(status, "text/plain", text, len);
}

static void refuse(int said)
{
    const char *text = hf_refusal_text(said);
    say(500, text, strlen(text));
}

static void report(void)
{
    char text[48];
    uint64_t ns = wasi_clocks_monotonic_clock_now() - drive.begin;
    size_t n = print(text, drive.all);
    text[n++] = ' ';
    n += print(text + n, ns);
    text[n++] = '\n';
    say(200, text, n);
}

/* False: the answer is on its way, and says why. */
static bool ask(service_string_t name, size_t size)
{
    hf_outgoing to = hf_to(name, hf_bytes(bytes, size), HF_NO_BLOB);
    holdfast_kernel_messages_result_response_failure_t answer;
    int said = hf_ask(&to, 0, &answer);
    if (said != 0) {
        refuse(said);
        return false;
    }
    bool ok = !answer.is_err;
    if (!ok)
        say(502, (const char *)answer.val.err.text.ptr, answer.val.err.text.len);
    holdfast_kernel_messages_result_response_failure_free(&answer);
    return ok;
}

static void send_next(void)
{
    uint64_t id;
    hf_outgoing to = hf_to(hf_name("peer"), hf_bytes(bytes, drive.size), HF_NO_BLOB);
    int said = hf_send(&to, hf_bytes("", 0), 0, &id);
    if (said != 0)
        refuse(said);
}

static void hop(void)
{
    char hops[24];
    uint64_t id;
    hf_blob blob;
    uint8_t *much = calloc(1, drive.size > 0 ? drive.size : 1);
    bool made = much != NULL && hf_blob_of(much, drive.size, &blob);
    free(much);
    if (!made) {
        say(500, "no blob", 7);
        return;
    }
    hf_outgoing to = hf_to(hf_name("peer"), hf_bytes("", 0), HF_THIS_BLOB(blob));
    hf_set_metadata(&to, hops, print(hops, drive.all));
    drive.left = 1;
    drive.begin = wasi_clocks_monotonic_clock_now(); /* the blob is there */
    int said = hf_send(&to, hf_bytes("", 0), 0, &id);
    if (said != 0)
        refuse(said);
}

static void spawn_all(void)
{
    for (; drive.left > 0; drive.left--) {
        service_string_t name;
        int said = hf_spawn("leaf", NULL, &name);
        if (said != 0) {
            refuse(said);
            return;
        }
        holdfast_kernel_processes_refusal_t refusal;
        bool ok = ask(name, 0);
        if (ok)
            holdfast_kernel_processes_stop(&name, &refusal);
        service_string_free(&name);
        if (!ok)
            return;
    }
    report();
}

static void name_all(void)
{
    char name[32] = "leaf/";
    for (; drive.left > 0; drive.left--) {
        size_t n = 5 + print(name + 5, drive.all - drive.left);
        if (!ask((service_string_t){.ptr = (uint8_t *)name, .len = n}, 0))
            return;
    }
    report();
}

static void begin(const uint8_t *path, size_t len)
{
    const uint8_t *end = path + len, *at = path + 1, *mode = at;
    while (at < end && *at != '/')
        at++;
    size_t n = (size_t)(at - mode);
    at += at < end;
    drive.all = drive.left = number(&at, end);
    uint64_t size = number(&at, end);
    bool hops = n == 3 && memcmp(mode, "hop", 3) == 0;
    if (drive.all == 0 || (!hops && size > BODY_MAX)) {
        say(400, "how many, and how long?\n", 24);
        return;
    }
    drive.size = (size_t)size;
    drive.begin = wasi_clocks_monotonic_clock_now();
    if (hops) {
        hop();
    } else if (n == 4 && memcmp(mode, "send", 4) == 0) {
        send_next();
    } else if (n == 3 && memcmp(mode, "ask", 3) == 0) {
        for (; drive.left > 0; drive.left--)
            if (!ask(hf_name("peer"), drive.size))
                return;
        report();
    } else if (n == 5 && memcmp(mode, "spawn", 5) == 0) {
        spawn_all();
    } else if (n == 5 && memcmp(mode, "names", 5) == 0) {
        name_all();
    } else {
        say(404, "send, ask, hop, spawn, names\n", 29);
    }
}

/* A blob that goes on, or a body that goes back. */
static void serve(const hf_request_in *r)
{
    const uint8_t *at = r->metadata.val.ptr;
    uint64_t hops = r->metadata.is_some ? number(&at, at + r->metadata.val.len) : 0;
    if (hops == 0) {
        hf_respond(hf_bytes(r->body.ptr, r->body.len), HF_NO_BLOB);
        return;
    }
    char left[24];
    hf_outgoing to = hf_to(hf_name(hops % 2 == 0 ? "other" : "peer"), hf_bytes("", 0), HF_INHERIT_BLOB);
    hf_set_metadata(&to, left, print(left, hops - 1));
    int said = hf_forward(&to);
    if (said != 0)
        hf_respond(hf_bytes(hf_refusal_text(said), strlen(hf_refusal_text(said))), HF_NO_BLOB);
}

void exports_holdfast_kernel_handler_handle(hf_message *m)
{
    holdfast_kernel_http_head_t head;
    if (m->tag == HF_REQUEST && m->val.request.metadata.is_some == false && m->val.request.source.is_some == false &&
        holdfast_kernel_http_request(&head)) {
        begin(head.path_with_query.ptr, head.path_with_query.len);
        holdfast_kernel_http_head_free(&head);
    } else if (m->tag == HF_REQUEST) {
        serve(&m->val.request);
    } else if (m->tag == HF_RESPONSE) {
        if (--drive.left > 0)
            send_next();
        else
            report();
    } else if (m->tag == HF_FAILURE) {
        say(502, (const char *)m->val.failure.text.ptr, m->val.failure.text.len);
    }
    hf_message_done(m);
}
