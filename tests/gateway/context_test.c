/* context_test.c - trace context and request ids: what a client sends, what a service sees, what the
 * log is told. */
#include "support.h"

#include <stdio.h>

#define HOST   "Host: x\r\n"
#define TELL   "GET /tell HTTP/1.1\r\n" HOST
#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"
#define HI     0x0af7651916cd43ddu
#define LO     0x8448eb211c80319cu

static const struct hf_gateway_settings traced = {.trace = true, .agents = true};

struct seen { /* by the service */
    char parent[80], state[256], id[160];
    unsigned n_parents, n_states, n_ids;
};

static void note(const char *line, size_t len, const char *name, char *to, size_t size, unsigned *n)
{
    size_t skip = strlen(name);
    if (len < skip || strncmp(line, name, skip) != 0)
        return;
    snprintf(to, size, "%.*s", (int)(len - skip), line + skip);
    ++*n;
}

/* Sends `fields` with a request that is told back, and looks at what the service saw. */
static struct seen ask(struct world *w, const char *fields)
{
    struct seen seen = {.n_parents = 0};
    struct client c;
    char text[2048];
    client_open(&c, w);
    snprintf(text, sizeof text, TELL "%s\r\n", fields);
    assert_true(client_send(&c, hf_view_of(text)));
    client_run(&c);
    assert_true(hf_view_starts(hf_buf_view(&c.got), HF_VIEW("HTTP/1.1 200 ")));
    for (struct hf_view rest = hf_buf_view(&c.got); rest.len > 0;) {
        size_t n = hf_view_find(rest, '|');
        const char *line = (const char *)rest.ptr;
        note(line, n, "traceparent=", seen.parent, sizeof seen.parent, &seen.n_parents);
        note(line, n, "tracestate=", seen.state, sizeof seen.state, &seen.n_states);
        note(line, n, "x-request-id=", seen.id, sizeof seen.id, &seen.n_ids);
        rest = hf_view_skip(rest, n + 1);
    }
    client_close(&c);
    world_run(w);
    return seen;
}

static struct hf_trace trace_of(const struct seen *s)
{
    struct hf_trace t = {0};
    assert_int_equal(s->n_parents, 1);
    assert_true(hf_traceparent_read(hf_view_of(s->parent), &t));
    return t;
}

static void test_a_trace_goes_on_in_a_new_span(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, &traced, true);
    struct seen s = ask(&w, "traceparent: " PARENT "1\r\n");
    struct hf_trace t = trace_of(&s);
    assert_true(t.hi == HI && t.lo == LO && t.span != 0xb7ad6b7169203331u);
    assert_int_equal(t.flags, 1);
    assert_true(t.hi == w.trace.hi && t.lo == w.trace.lo); /* the log says what the service saw */
    assert_true(t.span == w.trace.span && t.flags == w.trace.flags);
    s = ask(&w, "TraceParent: " PARENT "0\r\n");
    struct hf_trace other = trace_of(&s);
    assert_true(other.hi == HI && other.span != t.span);
    assert_int_equal(other.flags, 0); /* not sampled stays so */
    world_close(&w);
}

static void test_without_a_trace_one_begins(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, &traced, true);
    struct seen s = ask(&w, "tracestate: a=1\r\n");
    struct hf_trace t = trace_of(&s), u;
    assert_int_equal(t.flags, 1);
    assert_int_equal(s.n_states, 0); /* it belongs to no trace that we know */
    s = ask(&w, "");
    u = trace_of(&s);
    assert_true(u.hi != t.hi && u.lo != t.lo && u.span != t.span);
    world_close(&w);
}

static void test_a_bad_traceparent_begins_a_new_trace(void **state)
{
    static const char *const bad[] = {
        "traceparent: " PARENT "1\r\ntraceparent: " PARENT "1\r\n",
        "traceparent: " PARENT "1, " PARENT "1\r\n",
        "traceparent: " PARENT "\r\n",
        "traceparent: \r\n",
        "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n",
        "traceparent: " PARENT "1\r\nConnection: traceparent\r\n",
    };
    struct world w;
    (void)state;
    world_open(&w, &traced, true);
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        char text[512];
        snprintf(text, sizeof text, "tracestate: a=1\r\n%s", bad[i]);
        struct seen s = ask(&w, text);
        struct hf_trace t = trace_of(&s);
        if (t.hi == HI || s.n_states != 0)
            fail_msg("%s was believed", bad[i]);
    }
    world_close(&w);
}

static void test_a_tracestate_goes_with_its_trace(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, &traced, true);
    struct seen s = ask(&w, "tracestate: a=1,b=2\r\ntraceparent: " PARENT "1\r\nTRACESTATE: c=3\r\n");
    assert_int_equal(s.n_states, 2);
    assert_string_equal(s.state, "c=3");
    s = ask(&w, "tracestate: a=1\r\ntraceparent: " PARENT "1\r\ntracestate: bad\r\n");
    assert_int_equal(s.n_states, 0);
    assert_true(trace_of(&s).hi == HI); /* the trace itself is good */
    world_close(&w);
}

static void test_a_request_has_an_id(void **state)
{
    static const char *const bad[] = {
        "x-request-id: a b\r\n",        "x-request-id: \"a\"\r\n",
        "x-request-id: a\\x\r\n",       "x-request-id: \xc3\xa4\r\n",
        "x-request-id: \r\n",           "x-request-id: a\r\nX-Request-Id: b\r\n",
        "x-request-id: 0123456789012345678901234567890123456789012345678901234567890123456789012345"
        "67890123456789012345678901234567890123456789012345678\r\n",
    };
    char span[17] = {0};
    struct world w;
    (void)state;
    world_open(&w, &traced, true);
    struct seen s = ask(&w, "X-Request-ID: abc-123_.~:/+=@\r\nReferer: r\r\nUser-Agent: some agent\r\n");
    assert_int_equal(s.n_ids, 1);
    assert_string_equal(s.id, "abc-123_.~:/+=@");
    assert_string_equal((const char *)w.about.ptr, "HTTP/1.1 abc-123_.~:/+=@ r some agent");
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        s = ask(&w, bad[i]);
        hf_hex64(trace_of(&s).span, span);
        assert_int_equal(s.n_ids, 1);
        assert_string_equal(s.id, span); /* ours instead */
        assert_true(hf_view_starts(hf_view_skip(hf_buf_view(&w.about), 9), hf_view_of(span)));
    }
    world_close(&w);
}

/* Nothing of one request is left in the next, which gets the memory of the first. */
static void test_names_of_one_request_are_not_the_next_ones(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, &traced, true);
    ask(&w, "x-request-id: first\r\nReferer: here\r\nUser-Agent: me\r\n");
    struct seen s = ask(&w, "");
    char want[200];
    snprintf(want, sizeof want, "HTTP/1.1 %s - -", s.id);
    assert_string_equal((const char *)w.about.ptr, want);
    world_close(&w);
}

static void test_what_is_refused_has_an_id_too(void **state)
{
    struct world w;
    struct client c;
    (void)state;
    world_open(&w, &traced, true);
    client_open(&c, &w);
    SEND(&c, "BAD\r\n\r\n");
    client_run(&c);
    client_close(&c);
    world_run(&w);
    assert_true(hf_trace_is(&w.trace));
    assert_true(hf_view_starts(hf_buf_view(&w.about), HF_VIEW("HTTP/1.1 ")) && w.about.len == 9 + 16 + 4);
    client_open(&c, &w); /* refused, but it was a request: what it said is known */
    SEND(&c, "PUT /hello HTTP/1.1\r\n" HOST "x-request-id: r7\r\nUser-Agent: me\r\ntraceparent: " PARENT "1\r\n\r\n");
    client_run(&c);
    client_close(&c);
    world_run(&w);
    assert_string_equal((const char *)w.about.ptr, "HTTP/1.1 r7 - me");
    assert_true(w.trace.hi == HI);
    client_open(&c, &w);
    SEND(&c, "GET /hello HTTP/1.0\r\n\r\n");
    client_run(&c);
    client_close(&c);
    world_run(&w);
    assert_true(hf_view_starts(hf_buf_view(&w.about), HF_VIEW("HTTP/1.0 ")));
    world_close(&w);
}

static void test_turned_off_they_are_fields_like_others(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, true);
    struct seen s = ask(&w, "traceparent: nonsense\r\ntracestate: a\r\nx-request-id: a b\r\nUser-Agent: me\r\n");
    assert_string_equal(s.parent, "nonsense");
    assert_string_equal(s.state, "a");
    assert_string_equal(s.id, "a b");
    assert_false(hf_trace_is(&w.trace));
    assert_string_equal((const char *)w.about.ptr, "HTTP/1.1 - - -");
    s = ask(&w, "");
    assert_int_equal(s.n_parents + s.n_states + s.n_ids, 0);
    world_close(&w);
}

static void test_the_answer_has_the_id_in_debug_mode_only(void **state)
{
    struct hf_gateway_settings s = traced;
    struct world w;
    struct client c;
    (void)state;
    for (int debug = 0; debug < 2; debug++) {
        s.debug_header = debug == 1;
        world_open(&w, &s, true);
        client_open(&c, &w);
        SEND(&c, "GET /hello HTTP/1.1\r\n" HOST "x-request-id: mine\r\n\r\n");
        client_run(&c);
        assert_int_equal(strstr((const char *)c.got.ptr, "\r\nx-request-id: mine\r\n") != NULL, debug);
        client_close(&c);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trace_goes_on_in_a_new_span),
        cmocka_unit_test(test_without_a_trace_one_begins),
        cmocka_unit_test(test_a_bad_traceparent_begins_a_new_trace),
        cmocka_unit_test(test_a_tracestate_goes_with_its_trace),
        cmocka_unit_test(test_a_request_has_an_id),
        cmocka_unit_test(test_names_of_one_request_are_not_the_next_ones),
        cmocka_unit_test(test_what_is_refused_has_an_id_too),
        cmocka_unit_test(test_turned_off_they_are_fields_like_others),
        cmocka_unit_test(test_the_answer_has_the_id_in_debug_mode_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
