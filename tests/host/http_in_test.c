/* http_in_test.c - wasi:http/types, what comes in: incoming-request, incoming-body, future-trailers
 * (http-and-poll 1.4, 1.5). */
#include "support.h"

enum { CONNECTION_TERMINATED = 7 };

/* ---- incoming-request ---- */

static void methods(struct guest *t)
{
    CALL(m, "incoming-request.method", H(t->request));
    t->w->seen[0] = m->tag;
    if (m->items != NULL)
        snprintf((char *)&t->w->seen[1], 16, "%.*s", HF_FMT(hf_value_view(&m->items[0])));
}

static void request_method_has_its_case(void **state)
{
    static const char *const names[] = {"GET",     "HEAD",  "POST",  "PUT",   "DELETE", "CONNECT",
                                        "OPTIONS", "TRACE", "PATCH", "PURGE", "get"};
    struct world w;
    world_open(&w, state);
    for (uint32_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        w.seen[1] = 0;
        post_with(&w, methods, &(struct req){.method = names[i]});
        world_run(&w);
        assert_int_equal(w.seen[0], i < 9 ? i : 9);
        assert_string_equal((char *)&w.seen[1], i < 9 ? "" : names[i]);
    }
    world_close(&w);
}

static void whole(struct guest *t)
{
    CALL(p, "incoming-request.path-with-query", H(t->request));
    CHECK(p->tag == 1 && is_text(&p->items[0], "/a/b?c=d&e"));
    CALL(s, "incoming-request.scheme", H(t->request));
    CHECK(s->tag == 1 && s->items[0].tag == 1);
    CALL(a, "incoming-request.authority", H(t->request));
    CHECK(a->tag == 1 && is_text(&a->items[0], "example.org:8080"));
    CALL(h, "incoming-request.headers", H(t->request));
    CALL(e, "fields.entries", H((uint32_t)h->u64));
    CHECK_INT(e->len, 2);
    CHECK(is_text(&e->items[1].items[0], "X") && is_text(&e->items[1].items[1], "2"));
}

static void bare(struct guest *t)
{
    CALL(p, "incoming-request.path-with-query", H(t->request));
    CHECK_INT(p->tag, 0);
    CALL(s, "incoming-request.scheme", H(t->request));
    CHECK_INT(s->tag, 0);
    CALL(a, "incoming-request.authority", H(t->request));
    CHECK_INT(a->tag, 0);
    CALL(h, "incoming-request.headers", H(t->request));
    CALL(e, "fields.entries", H((uint32_t)h->u64));
    CHECK_INT(e->len, 0);
}

static void other_scheme(struct guest *t)
{
    CALL(s, "incoming-request.scheme", H(t->request));
    CHECK(s->tag == 1 && s->items[0].tag == 2 && is_text(&s->items[0].items[0], "coap"));
}

static void plain_http(struct guest *t)
{
    CALL(s, "incoming-request.scheme", H(t->request));
    CHECK(s->tag == 1 && s->items[0].tag == 0);
}

static void one(void **state, script_fn script, const struct req *r)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, script, r);
    world_run(&w);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_UNANSWERED);
    world_close(&w);
}

static void request_parts_are_shown(void **state)
{
    one(state, whole,
        &(struct req){.path = "/a/b?c=d&e",
                      .scheme = "https",
                      .authority = "example.org:8080",
                      .fields = "x: 1\nX: 2\n"});
    one(state, bare, &(struct req){.path = "-", .scheme = "-", .authority = "-"});
    one(state, other_scheme, &(struct req){.scheme = "coap"});
    one(state, plain_http, &(struct req){0});
}

static void twice(struct guest *t)
{
    CALL(a, "incoming-request.consume", H(t->request));
    CHECK_INT(a->tag, 0);
    CALL(b, "incoming-request.consume", H(t->request));
    CHECK_INT(b->tag, 1);
    DROP((uint32_t)a->items[0].u64);
    CALL(c, "incoming-request.consume", H(t->request));
    CHECK_INT(c->tag, 1);
}

static void request_is_consumed_once(void **state)
{
    one(state, twice, &(struct req){.body = "x"});
    one(state, twice, &(struct req){0});
}

/* ---- the stream ---- */

static void stream_twice(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CHECK(in != 0);
    CALL(again, "incoming-body.stream", H(body));
    CHECK_INT(again->tag, 1);
    DROP(in);
    CALL(third, "incoming-body.stream", H(body));
    CHECK_INT(third->tag, 1);
}

static void body_gives_its_stream_once(void **state)
{
    one(state, stream_twice, &(struct req){.body = "x"});
}

static void no_body(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CALL(p, "input-stream.subscribe", H(in));
    DO("pollable.block", H((uint32_t)p->u64));
    CALL(r, "input-stream.read", H(in), U(10));
    CHECK(is_closed(r));
    DROP((uint32_t)p->u64);
    DROP(in);
    CALL(f, "incoming-body.finish", H(body));
    CALL(got, "future-trailers.get", H((uint32_t)f->u64));
    CHECK(got->tag == 1 && got->items[0].tag == 0 && got->items[0].items[0].tag == 0 &&
          got->items[0].items[0].items[0].tag == 0);
}

static void body_that_is_none_is_at_its_end(void **state)
{
    one(state, no_body, &(struct req){0});
}

/* ---- finish ---- */

static void finish_with_stream(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CHECK(in != 0);
    DO("incoming-body.finish", H(body));
    CHECK(!"it did not trap");
}

static void body_finish_traps_while_its_stream_lives(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, finish_with_stream, &(struct req){.body = "x"});
    world_run(&w);
    expect_dead(&w, i, "incoming-body.finish: the body's input-stream is still alive");
    world_close(&w);
}

/* Which of the many outcomes `get` shows: 'n' not ready, 't' taken, 'e' error, '-' no trailers, 'f'
 * fields. */
static char outcome(struct guest *t, uint32_t f, uint32_t *fields)
{
    const struct hf_value args[] = {H(f)};
    const struct hf_value *r = guest_call(t, "future-trailers.get", args, 1);
    if (r == NULL || r->tag == 0)
        return r == NULL ? '!' : 'n';
    r = &r->items[0];
    if (r->tag == 1)
        return 't';
    r = &r->items[0];
    if (r->tag == 1)
        return r->items[0].tag == CONNECTION_TERMINATED ? 'e' : '?';
    r = &r->items[0];
    if (r->tag == 0)
        return '-';
    *fields = (uint32_t)r->items[0].u64;
    return 'f';
}

static void waits_for_trailers(struct guest *t)
{
    uint32_t fields = 0, body, in;
    if (t->w->note == 1) { /* without ever reading */
        CALL(b, "incoming-request.consume", H(t->request));
        body = (uint32_t)b->items[0].u64;
    } else {
        in = body_stream(t, &body);
        CALL(r, "input-stream.blocking-read", H(in), U(2)); /* the rest is thrown away */
        CHECK(r->items[0].len > 0);
        DROP(in);
    }
    CALL(f, "incoming-body.finish", H(body));
    uint32_t future = (uint32_t)f->u64;
    CHECK_INT(outcome(t, future, &fields), 'n');
    CALL(p, "future-trailers.subscribe", H(future));
    DO("pollable.block", H((uint32_t)p->u64));
    t->w->seen[0] = (uint64_t)outcome(t, future, &fields);
    CHECK_INT(outcome(t, future, &fields), 't');
    if (t->w->seen[0] == 'f') {
        CALL(e, "fields.entries", H(fields));
        CHECK_INT(e->len, 1);
        CHECK(is_text(&e->items[0].items[0], "x-sum") && is_text(&e->items[0].items[1], "42"));
        const struct hf_value args[] = {H(fields), T("x"), T("y")};
        const struct hf_value *r = guest_call(t, "fields.append", args, 3);
        CHECK(r != NULL && r->tag == 1 && r->items[0].tag == 2); /* immutable */
    }
    DROP((uint32_t)p->u64);
    DROP(future);
    CHECK(answer(t, "done"));
}

static void set_trailers(struct hf_blob *blob)
{
    struct hf_head_writer hw;
    struct hf_buf buf = {0};
    assert_int_equal(hf_head_begin_response(&hw, &buf, 0, 200), HF_OK);
    assert_int_equal(hf_head_field(&hw, HF_VIEW("x-sum"), HF_VIEW("42")), HF_OK);
    assert_int_equal(hf_blob_set_trailers(blob, hf_head_end(&hw)), HF_OK);
    hf_buf_done(&buf);
}

/* `how`: - finish, f with trailers, e it breaks off. */
static void trailers_case(void **state, unsigned note, char how)
{
    static char much[60000];
    struct world w;
    world_open(&w, state);
    w.note = note;
    memset(much, 'm', sizeof much - 1);
    size_t i = post_with(&w, waits_for_trailers, &(struct req){.stream = true});
    feed(&w, i, "start");
    for (int n = 0; n < 5;
         n++) /* more than a window: it is read and thrown away while the guest waits */
        feed(&w, i, much);
    assert_int_equal(w.requests[i].answers, 0);
    assert_int_equal(hf_blob_room(w.requests[i].in), 65536);
    if (how == 'f')
        set_trailers(w.requests[i].in);
    if (how == 'e')
        feed_fail(&w, i, HF_CLOSED);
    else
        feed_end(&w, i);
    assert_int_equal(w.seen[0], how);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

static void trailers_come_after_what_was_not_read(void **state)
{
    trailers_case(state, 0, 'f');
    trailers_case(state, 1, 'f');
}
static void trailers_may_be_none(void **state)
{
    trailers_case(state, 0, '-');
    trailers_case(state, 1, '-');
}
static void trailers_of_a_broken_body_are_an_error(void **state)
{
    trailers_case(state, 0, 'e');
    trailers_case(state, 1, 'e');
}

static void drops_future(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    DROP(in);
    CALL(f, "incoming-body.finish", H(body));
    DROP((uint32_t)f->u64);
    t->w->note++;
    uint32_t timer = subscribe_ns(t, MS);
    DO("pollable.block", H(timer));
    CHECK(answer(t, "done"));
}

static void trailers_dropped_let_go_of_the_body(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, drops_future, &(struct req){.stream = true});
    world_run(&w);
    assert_int_equal(w.note, 1);
    assert_false(hf_blob_wanted(w.requests[i].in));
    world_pass(&w, MS);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

static void drops_body(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CALL(r, "input-stream.blocking-read", H(in), U(2));
    CHECK_INT(r->items[0].len, 2);
    DROP(in);
    DROP(body);
    t->w->note++;
    uint32_t timer = subscribe_ns(t, MS);
    DO("pollable.block", H(timer));
    CHECK(answer(t, "done"));
}

static void body_dropped_is_wanted_no_more(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, drops_body, &(struct req){.stream = true});
    feed(&w, i, "abcdef");
    assert_int_equal(w.note, 1);
    assert_false(hf_blob_wanted(w.requests[i].in));
    assert_int_equal(hf_blob_push(w.requests[i].in, HF_VIEW("more")), HF_CLOSED);
    world_pass(&w, MS);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

/* ---- the client goes ---- */

static void reads_until_it_breaks(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CALL(a, "input-stream.blocking-read", H(in), U(100));
    CHECK(a->tag == 0 && is_text(&a->items[0], "abc"));
    CALL(f, "input-stream.blocking-read", H(in), U(100));
    CHECK(is_failed(f));
    uint32_t error = (uint32_t)f->items[0].items[0].u64;
    CALL(code, "http-error-code", H(error));
    CHECK(code->tag == 1 && code->items[0].tag == CONNECTION_TERMINATED);
    CALL(text, "error.to-debug-string", H(error));
    CHECK(text->len > 0);
    CALL(b, "input-stream.blocking-read", H(in), U(100));
    CHECK(is_closed(b));
    CHECK(answer(t, "noticed"));
    t->w->note = 1;
}

/* Whatever the gateway calls it: HF_CANCELLED is what it says of a body it gives up, not a cancel
 * of the guest. */
static void body_that_breaks_off_is_connection_terminated(void **state)
{
    static const enum hf_err whys[] = {HF_CLOSED,  HF_CANCELLED, HF_TRAP, HF_TIMEOUT,
                                       HF_INVALID, HF_LIMIT,     HF_IO};
    for (size_t n = 0; n < HF_ARRAY_LEN(whys); n++) {
        struct world w;
        world_open(&w, state);
        size_t i = post_with(&w, reads_until_it_breaks, &(struct req){.stream = true});
        feed(&w, i, "abc");
        feed_fail(&w, i, whys[n]);
        assert_int_equal(w.note, 1);
        assert_int_equal(status(&w, i), 200);
        world_close(&w);
    }
}

static void body_shorter_than_declared_is_connection_terminated(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, reads_until_it_breaks, &(struct req){.stream = true, .length = 10});
    feed(&w, i, "abc");
    feed_end(&w, i);
    assert_int_equal(w.note, 1);
    world_close(&w);
}

/* ---- backpressure ---- */

static void reads_slowly(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    for (;;) {
        uint32_t timer = subscribe_ns(t, MS);
        DO("pollable.block", H(timer));
        DROP(timer);
        CALL(r, "input-stream.blocking-read", H(in), U(1000));
        if (r->tag == 1)
            break;
        t->w->seen[0] += r->items[0].len;
    }
    CHECK(answer(t, "done"));
}

static void body_is_taken_as_fast_as_the_guest_reads(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, reads_slowly, &(struct req){.stream = true});
    static char much[65537];
    memset(much, 'm', 65536);
    world_run(&w);
    feed(&w, i, much);
    assert_int_equal(hf_blob_room(w.requests[i].in), 0);
    for (unsigned n = 1; n <= 10; n++) {
        world_pass(&w, MS);
        assert_int_equal(w.seen[0], 1000 * n);
        assert_int_equal(hf_blob_room(w.requests[i].in), 1000 * n);
    }
    feed_end(&w, i);
    for (int n = 0; n < 100; n++)
        world_pass(&w, MS);
    assert_int_equal(w.seen[0], 65536);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

/* ---- what a guest keeps ---- */

static void keeps_request(struct guest *t)
{
    t->w->kept[0] = t->request;
    CHECK(answer(t, "kept"));
}

static void uses_kept_request(struct guest *t)
{
    CALL(p, "incoming-request.path-with-query", H(t->w->kept[0]));
    CHECK(p->tag == 1 && is_text(&p->items[0], "/first"));
    CALL(b, "incoming-request.consume", H(t->w->kept[0]));
    CALL(s, "incoming-body.stream", H((uint32_t)b->items[0].u64));
    CALL(r, "input-stream.read", H((uint32_t)s->items[0].u64), U(10));
    CHECK(is_closed(r));
    CHECK(answer(t, "done"));
}

/* A request that the guest keeps past the end of its call holds no body back: nobody would read it,
 * and the client waits. */
static void request_kept_past_its_call_has_no_body(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, keeps_request, &(struct req){.stream = true, .path = "/first"});
    world_run(&w);
    assert_int_equal(status(&w, i), 200);
    assert_false(hf_blob_wanted(w.requests[i].in));
    size_t j = post_with(&w, uses_kept_request, &(struct req){.path = "/second"});
    world_run(&w);
    assert_int_equal(status(&w, j), 200);
    world_close(&w);
}

static void keeps_stream(struct guest *t)
{
    uint32_t body;
    t->w->kept[0] = body_stream(t, &body);
    t->w->kept[1] = body;
    CALL(p, "input-stream.subscribe", H(t->w->kept[0]));
    t->w->kept[2] = (uint32_t)p->u64;
    CALL(r, "input-stream.read", H(t->w->kept[0]), U(2)); /* lent when the call ends */
    CHECK_INT(r->items[0].len, 2);
    CHECK(answer(t, "kept"));
}

static void uses_kept_stream(struct guest *t)
{
    DO("pollable.block", H(t->w->kept[2]));
    CALL(r, "input-stream.blocking-read", H(t->w->kept[0]), U(10));
    CHECK(is_closed(r));
    DROP(t->w->kept[2]);
    DROP(t->w->kept[0]);
    CALL(f, "incoming-body.finish", H(t->w->kept[1]));
    uint32_t fields;
    CHECK_INT(outcome(t, (uint32_t)f->u64, &fields), '-');
    CHECK(answer(t, "done"));
}

static void stream_kept_past_its_call_is_closed(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, keeps_stream, &(struct req){.stream = true});
    assert_int_equal(hf_blob_push(w.requests[i].in, HF_VIEW("abcdef")), HF_OK);
    world_run(&w);
    assert_int_equal(status(&w, i), 200);
    assert_false(hf_blob_wanted(w.requests[i].in));
    size_t j = post(&w, uses_kept_stream);
    world_run(&w);
    assert_int_equal(status(&w, j), 200);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_method_has_its_case),
        cmocka_unit_test(request_parts_are_shown),
        cmocka_unit_test(request_is_consumed_once),
        cmocka_unit_test(body_gives_its_stream_once),
        cmocka_unit_test(body_that_is_none_is_at_its_end),
        cmocka_unit_test(body_finish_traps_while_its_stream_lives),
        cmocka_unit_test(trailers_come_after_what_was_not_read),
        cmocka_unit_test(trailers_may_be_none),
        cmocka_unit_test(trailers_of_a_broken_body_are_an_error),
        cmocka_unit_test(trailers_dropped_let_go_of_the_body),
        cmocka_unit_test(body_dropped_is_wanted_no_more),
        cmocka_unit_test(body_that_breaks_off_is_connection_terminated),
        cmocka_unit_test(body_shorter_than_declared_is_connection_terminated),
        cmocka_unit_test(body_is_taken_as_fast_as_the_guest_reads),
        cmocka_unit_test(request_kept_past_its_call_has_no_body),
        cmocka_unit_test(stream_kept_past_its_call_is_closed),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
