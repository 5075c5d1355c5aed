/* client_test.c - wasi:http outgoing requests as far as they go: building them, options, a handler
 * that refuses (1.4, 1.5.12). */
#include "support.h"

enum { REQUEST_DENIED = 15, URI_INVALID = 19, PROTOCOL_ERROR = 35 };

static uint32_t new_request(struct guest *t)
{
    const struct hf_value args[] = {H(new_fields(t, ""))};
    const struct hf_value *r = guest_call(t, "[constructor]outgoing-request", args, 1);
    return r == NULL ? 0 : (uint32_t)r->u64;
}

/* result of a setter: 0 ok, 1 error, 2 the call failed */
static uint32_t set_text(struct guest *t, const char *name, uint32_t req, const char *text)
{
    struct hf_value v = T(text == NULL ? "" : text);
    const struct hf_value args[] = {H(req), text == NULL ? CASE(0, NULL) : CASE(1, &v)};
    const struct hf_value *r = guest_call(t, name, args, 2);
    return r == NULL ? 2 : r->tag;
}

static bool reads_text(struct guest *t, const char *name, uint32_t req, const char *want)
{
    const struct hf_value args[] = {H(req)};
    const struct hf_value *r = guest_call(t, name, args, 1);
    if (r == NULL)
        return false;
    return want == NULL ? r->tag == 0 : r->tag == 1 && is_text(&r->items[0], want);
}

static void methods(struct guest *t)
{
    uint32_t req = new_request(t);
    CALL(first, "outgoing-request.method", H(req));
    CHECK(first->tag == 0 && first->items == NULL); /* GET */
    for (uint32_t i = 0; i < 9; i++) {
        CALL(s, "outgoing-request.set-method", H(req), CASE(i, NULL));
        CHECK_INT(s->tag, 0);
        CALL(m, "outgoing-request.method", H(req));
        CHECK_INT(m->tag, i);
    }
    static const char *const bad[] = {"", "A B", "GET ", "caf\xc3\xa9", "a\r\nb", "(x)", "a/b"};
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        struct hf_value name = T(bad[i]);
        CALL(s, "outgoing-request.set-method", H(req), CASE(9, &name));
        CHECK_INT(s->tag, 1);
    }
    struct hf_value name = T("PURGE"), get = T("GET");
    CALL(s, "outgoing-request.set-method", H(req), CASE(9, &name));
    CHECK_INT(s->tag, 0);
    CALL(m, "outgoing-request.method", H(req));
    CHECK(m->tag == 9 && is_text(&m->items[0], "PURGE"));
    CALL(s2, "outgoing-request.set-method", H(req), CASE(9, &get));
    CHECK_INT(s2->tag, 0);
    CALL(m2, "outgoing-request.method", H(req));
    CHECK_INT(m2->tag, 0);
}

static void paths(struct guest *t)
{
    static const char name[] = "outgoing-request.set-path-with-query",
                      get[] = "outgoing-request.path-with-query";
    static const char *const good[] = {"/", "/a?b=c", "", "/%20", "*", "/caf\xc3\xa9"};
    static const char *const bad[] = {"/a b", "/a\r\nb", "/a#b", "/\x7f", "/\t", "\n"};
    uint32_t req = new_request(t);
    CHECK(reads_text(t, get, req, NULL));
    for (size_t i = 0; i < HF_ARRAY_LEN(good); i++) {
        CHECK_INT(set_text(t, name, req, good[i]), 0);
        CHECK(reads_text(t, get, req, good[i]));
    }
    CHECK_INT(set_text(t, name, req, "/kept"), 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        CHECK_INT(set_text(t, name, req, bad[i]), 1);
    CHECK(reads_text(t, get, req, "/kept"));
    CHECK_INT(set_text(t, name, req, NULL), 0);
    CHECK(reads_text(t, get, req, NULL));
}

static void authorities(struct guest *t)
{
    static const char name[] = "outgoing-request.set-authority",
                      get[] = "outgoing-request.authority";
    static const char *const good[] = {"example.org", "example.org:80", "127.0.0.1:65535",
                                       "[::1]",       "[::1]:8080",     "[2001:db8::a]:443",
                                       "localhost:0"};
    static const char *const bad[] = {
        "",       "a:",  "a:x",   ":80",    "a:65536", "a:123456", "a b",    "a/b", "user@host",
        "[::1",   "[]",  "[]:80", "[::1]x", "[::1]:",  "a:b:c",    "a?b",    "a#b", "a\\b",
        "a\r\nb", "::1", "<a>",   "\"a\"",  "a:+1",    "a:-1",     "[::1]:x"};
    uint32_t req = new_request(t);
    CHECK(reads_text(t, get, req, NULL));
    for (size_t i = 0; i < HF_ARRAY_LEN(good); i++) {
        CHECK_INT(set_text(t, name, req, good[i]), 0);
        CHECK(reads_text(t, get, req, good[i]));
    }
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        t->w->seen[0] = i;
        CHECK_INT(set_text(t, name, req, bad[i]), 1);
    }
    CHECK(reads_text(t, get, req, "localhost:0"));
    CHECK_INT(set_text(t, name, req, NULL), 0);
    CHECK(reads_text(t, get, req, NULL));
}

static uint32_t set_scheme(struct guest *t, uint32_t req, uint32_t tag, const char *other)
{
    struct hf_value name = T(other), scheme = CASE(tag, tag == 2 ? &name : NULL);
    const struct hf_value args[] = {H(req), tag == 3 ? CASE(0, NULL) : CASE(1, &scheme)};
    const struct hf_value *r = guest_call(t, "outgoing-request.set-scheme", args, 2);
    return r == NULL ? 2 : r->tag;
}

static void schemes(struct guest *t)
{
    static const char *const bad[] = {"", "1a", "a b", "a:", "-a", "caf\xc3\xa9", "a_b"};
    uint32_t req = new_request(t);
    CALL(none, "outgoing-request.scheme", H(req));
    CHECK_INT(none->tag, 0);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_INT(set_scheme(t, req, i, NULL), 0);
        CALL(s, "outgoing-request.scheme", H(req));
        CHECK(s->tag == 1 && s->items[0].tag == i);
    }
    CHECK_INT(set_scheme(t, req, 2, "coap+tcp"), 0);
    CALL(s, "outgoing-request.scheme", H(req));
    CHECK(s->tag == 1 && s->items[0].tag == 2 && is_text(&s->items[0].items[0], "coap+tcp"));
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        CHECK_INT(set_scheme(t, req, 2, bad[i]), 1);
    CHECK_INT(set_scheme(t, req, 2, "HTTPS"), 0);
    CALL(https, "outgoing-request.scheme", H(req));
    CHECK(https->tag == 1 && https->items[0].tag == 1);
    CHECK_INT(set_scheme(t, req, 3, NULL), 0);
    CALL(gone, "outgoing-request.scheme", H(req));
    CHECK_INT(gone->tag, 0);
}

static void options(struct guest *t)
{
    static const char *const names[][2] = {
        {"request-options.connect-timeout", "request-options.set-connect-timeout"},
        {"request-options.first-byte-timeout", "request-options.set-first-byte-timeout"},
        {"request-options.between-bytes-timeout", "request-options.set-between-bytes-timeout"},
    };
    CALL(o, "[constructor]request-options");
    uint32_t opt = (uint32_t)o->u64;
    for (uint64_t i = 0; i < 3; i++) {
        CALL(none, names[i][0], H(opt));
        CHECK_INT(none->tag, 0);
        struct hf_value ns = U(UINT64_MAX - i);
        CALL(s, names[i][1], H(opt), CASE(1, &ns));
        CHECK_INT(s->tag, 0);
    }
    for (uint64_t i = 0; i < 3; i++) {
        CALL(some, names[i][0], H(opt));
        CHECK(some->tag == 1 && some->items[0].u64 == UINT64_MAX - i);
        CALL(s, names[i][1], H(opt), CASE(0, NULL));
        CHECK_INT(s->tag, 0);
        CALL(none, names[i][0], H(opt));
        CHECK_INT(none->tag, 0);
    }
}

/* The error of handle(request, options?), or 1000. */
static uint32_t handled(struct guest *t, uint32_t req, bool with_options)
{
    struct hf_value opt = U(0);
    if (with_options) {
        const struct hf_value *o = guest_call(t, "[constructor]request-options", NULL, 0);
        if (o == NULL)
            return 1000;
        opt = H((uint32_t)o->u64);
    }
    const struct hf_value args[] = {H(req), with_options ? CASE(1, &opt) : CASE(0, NULL)};
    const struct hf_value *r = guest_call(t, "outgoing-handler#handle", args, 2);
    return r == NULL || r->tag == 0 ? 1000 : r->items[0].tag;
}

static void refuses(struct guest *t)
{
    uint32_t req = new_request(t);
    CHECK_INT(handled(t, req, false), URI_INVALID); /* no authority */
    req = new_request(t);
    CHECK_INT(set_text(t, "outgoing-request.set-authority", req, "example.org"), 0);
    CHECK_INT(handled(t, req, false), REQUEST_DENIED);
    req = new_request(t);
    CHECK_INT(set_text(t, "outgoing-request.set-authority", req, "example.org"), 0);
    CHECK_INT(set_scheme(t, req, 2, "ftp"), 0);
    CHECK_INT(handled(t, req, true), PROTOCOL_ERROR);
    req = new_request(t);
    CHECK_INT(set_text(t, "outgoing-request.set-authority", req, "example.org"), 0);
    CHECK_INT(set_scheme(t, req, 1, NULL), 0);
    CALL(b, "outgoing-request.body", H(req));
    CALL(s, "outgoing-body.write", H((uint32_t)b->items[0].u64));
    CHECK_INT(handled(t, req, true), REQUEST_DENIED);
    uint32_t stream = (uint32_t)s->items[0].u64; /* its body goes on, to nobody */
    CALL(w, "output-stream.blocking-write-and-flush", H(stream), T("x"));
    CHECK(is_closed(w));
    DROP(stream);
    DROP((uint32_t)b->items[0].u64);
}

/* handle takes the request and the options: a thousand calls leave nothing behind (1.5.12). */
static void leaves_nothing(struct guest *t)
{
    size_t objects_before = objects(t->w), handles_before = handles(t->w);
    for (int i = 0; i < 1000; i++) {
        uint32_t req = new_request(t);
        CHECK_INT(set_text(t, "outgoing-request.set-authority", req, "h"), 0);
        CHECK_INT(handled(t, req, true), REQUEST_DENIED);
    }
    CHECK_INT(objects(t->w), objects_before);
    CHECK_INT(handles(t->w), handles_before);
}

static void request_method_is_a_token(void **state)
{
    run_script(state, methods);
}
static void request_path_has_no_spaces_or_fragment(void **state)
{
    run_script(state, paths);
}
static void request_authority_is_host_and_port(void **state)
{
    run_script(state, authorities);
}
static void request_scheme_is_a_scheme(void **state)
{
    run_script(state, schemes);
}
static void request_options_are_kept(void **state)
{
    run_script(state, options);
}
static void handler_refuses_politely(void **state)
{
    run_script(state, refuses);
}
static void handler_takes_request_and_options(void **state)
{
    run_script(state, leaves_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_method_is_a_token),
        cmocka_unit_test(request_path_has_no_spaces_or_fragment),
        cmocka_unit_test(request_authority_is_host_and_port),
        cmocka_unit_test(request_scheme_is_a_scheme),
        cmocka_unit_test(request_options_are_kept),
        cmocka_unit_test(handler_refuses_politely),
        cmocka_unit_test(handler_takes_request_and_options),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
