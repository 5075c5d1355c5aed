/* fetch_answer_test.c - answers to outgoing requests: incoming-response and its body (1.4, 1.5.13).
 * The client is the test's. */
#include "support_fetch.h"

static struct fetcher fetcher;
static const char *const local[] = {"127.0.0.1:*", NULL};

static void open_world(struct world *w, void **state)
{
    fetcher_init(&fetcher);
    world_open_with(w, state, &(struct world_settings){.outbound = local, .fetch = &fetcher.table});
}

static void close_world(struct world *w)
{
    world_close(w);
    fetcher_done(&fetcher);
}

static uint32_t asked(struct guest *t)
{
    uint32_t future = ask(t, &(struct want){.authority = "127.0.0.1"});
    return future >= REFUSED ? future : wait_answer(t, future, NULL);
}

static struct hf_blob *new_body(struct world *w)
{
    return hf_blob_new_in(hf_kernel_blobs(w->k), HF_BLOB_LEN_UNKNOWN, 0);
}

/* ---- incoming-response ---- */

static void look(struct guest *t)
{
    uint32_t a = asked(t);
    CHECK(a < REFUSED);
    CALL(status, "incoming-response.status", H(a));
    CHECK_INT(status->u64, 418);
    CALL(headers, "incoming-response.headers", H(a));
    uint32_t fields = (uint32_t)headers->u64;
    CALL(got, "fields.get", H(fields), T("x-tea"));
    CHECK(got->len == 2 && is_text(&got->items[0], "green") && is_text(&got->items[1], "black"));
    CALL(set, "fields.append", H(fields), T("a"), T("b"));
    CHECK(set->tag == 1 && set->items[0].tag == 2); /* immutable */
    CALL(body, "incoming-response.consume", H(a));
    CHECK_INT(body->tag, 0);
    CALL(again, "incoming-response.consume", H(a));
    CHECK_INT(again->tag, 1);
    DROP(a);
    CALL(still, "fields.has", H(fields), T("x-tea")); /* stands alone */
    CHECK_INT(still->u64, 1);
    DROP(fields);
    uint32_t b = (uint32_t)body->items[0].u64;
    CALL(stream, "incoming-body.stream", H(b));
    CALL(read, "input-stream.blocking-read", H((uint32_t)stream->items[0].u64), U(10));
    CHECK(is_closed(read)); /* no body is an empty one */
    t->w->note = 1;
}

static void status_headers_and_consume(void **state)
{
    struct world w;
    open_world(&w, state);
    post(&w, look);
    world_run(&w);
    fetch_answer(&w, &fetcher, 0, 418, "x-tea: green\nX-Tea: black\n", NULL);
    assert_int_equal(w.note, 1);
    close_world(&w);
}

/* ---- its body ---- */

static void read_all(struct guest *t)
{
    uint32_t a = asked(t), body, stream;
    CHECK(a < REFUSED && open_answer(t, a, &body, &stream));
    DROP(a); /* the body stands alone (1.5.13) */
    for (;;) {
        CALL(r, "input-stream.blocking-read", H(stream), U(100));
        if (r->tag == 1) {
            CHECK(is_closed(r));
            break;
        }
        t->w->seen[0] += r->items[0].len;
    }
    DROP(stream);
    CALL(f, "incoming-body.finish", H(body));
    uint32_t trailers = (uint32_t)f->u64;
    CALL(got, "future-trailers.get", H(trailers));
    CHECK(got->tag == 1 && got->items[0].tag == 0 && got->items[0].items[0].tag == 0);
    const struct hf_value *option = &got->items[0].items[0].items[0];
    CHECK_INT(option->tag, 1);
    CALL(v, "fields.get", H((uint32_t)option->items[0].u64), T("sum"));
    CHECK(v->len == 1 && is_text(&v->items[0], "9"));
    t->w->note = 1;
}

static void a_body_outlives_its_response(void **state)
{
    struct world w;
    struct hf_buf trailers = {0};
    struct hf_head_writer hw;
    open_world(&w, state);
    post(&w, read_all);
    world_run(&w);
    struct hf_blob *b = new_body(&w);
    fetch_answer(&w, &fetcher, 0, 200, "", b);
    hf_blob_push(b, HF_VIEW("hello"));
    world_run(&w);
    hf_blob_push(b, HF_VIEW("you!"));
    world_run(&w);
    assert_int_equal(w.seen[0], 9);
    assert_int_equal(hf_head_begin_response(&hw, &trailers, 0, 200), HF_OK);
    assert_int_equal(hf_head_field(&hw, HF_VIEW("sum"), HF_VIEW("9")), HF_OK);
    assert_int_equal(hf_blob_set_trailers(b, hf_head_end(&hw)), HF_OK);
    hf_buf_done(&trailers);
    hf_blob_finish(b);
    world_run(&w);
    assert_int_equal(w.note, 1);
    assert_int_equal(w.requests[0].answers, 1);
    close_world(&w);
}

/* How a body breaks off is an error-code of its own, on the stream and at the trailers. */
static const struct {
    enum hf_err err;
    uint32_t code;
} ends[] = {{HF_TIMEOUT, 9}, {HF_CLOSED, 25}, {HF_INVALID, 35}, {HF_LIMIT, 29}, {HF_CANCELLED, 7}};

static void read_broken(struct guest *t)
{
    uint32_t a = asked(t), body, stream;
    CHECK(a < REFUSED && open_answer(t, a, &body, &stream));
    CALL(r, "input-stream.blocking-read", H(stream), U(100));
    CHECK_INT(r->tag, 0);
    CALL(bad, "input-stream.blocking-read", H(stream), U(100));
    CHECK(is_failed(bad));
    CALL(code, "http-error-code", H((uint32_t)bad->items[0].items[0].u64));
    CHECK_INT(code->tag, 1);
    CHECK_INT(code->items[0].tag, ends[t->w->seen[0]].code);
    CALL(closed, "input-stream.blocking-read", H(stream), U(100));
    CHECK(is_closed(closed));
    DROP(stream);
    CALL(f, "incoming-body.finish", H(body));
    CALL(got, "future-trailers.get", H((uint32_t)f->u64));
    CHECK(got->tag == 1 && got->items[0].tag == 0 && got->items[0].items[0].tag == 1);
    CHECK_INT(got->items[0].items[0].items[0].tag, ends[t->w->seen[0]].code);
    t->w->note = 1;
}

static void a_body_that_breaks_off_says_why(void **state)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(ends); i++) {
        struct world w;
        open_world(&w, state);
        w.seen[0] = i;
        post(&w, read_broken);
        world_run(&w);
        struct hf_blob *b = new_body(&w);
        fetch_answer(&w, &fetcher, 0, 200, "", b);
        hf_blob_push(b, HF_VIEW("half"));
        world_run(&w);
        hf_blob_fail(b, ends[i].err);
        world_run(&w);
        assert_int_equal(w.note, 1);
        close_world(&w);
    }
}

/* ---- what is let go ---- */

static void drop_answer(struct guest *t)
{
    uint32_t a = asked(t);
    CHECK(a < REFUSED);
    DROP(a);
    t->w->note = 1;
    DO("pollable.block", H(subscribe_ns(t, 3600 * S)));
}

static void drop_body(struct guest *t)
{
    uint32_t a = asked(t), body, stream;
    CHECK(a < REFUSED && open_answer(t, a, &body, &stream));
    DROP(stream);
    DROP(body);
    t->w->note = 1;
    DO("pollable.block", H(subscribe_ns(t, 3600 * S)));
}

static void keep_answer(struct guest *t)
{
    t->w->kept[0] = asked(t);
    t->w->note = 1;
}

static void keep_future(struct guest *t)
{
    uint32_t future = ask(t, &(struct want){.authority = "127.0.0.1"});
    CALL(s, "future-incoming-response.subscribe", H(future));
    DO("pollable.block", H((uint32_t)s->u64));
    t->w->note = 1; /* answered, and never taken */
}

static void what_nobody_wants_is_let_go(void **state)
{
    static const script_fn scripts[] = {drop_answer, drop_body, keep_answer, keep_future};
    for (size_t i = 0; i < HF_ARRAY_LEN(scripts); i++) {
        struct world w;
        open_world(&w, state);
        post(&w, scripts[i]);
        world_run(&w);
        struct hf_blob *b = new_body(&w);
        fetch_answer(&w, &fetcher, 0, 200, "", b);
        assert_int_equal(w.note, 1);
        assert_false(hf_blob_wanted(b)); /* while the guest goes on, or after its call */
        hf_blob_fail(b, HF_CLOSED);
        close_world(&w);
    }
}

static void use_kept(struct guest *t)
{
    uint32_t body, stream;
    CALL(status, "incoming-response.status", H(t->w->kept[0]));
    CHECK_INT(status->u64, 200);
    CHECK(open_answer(t, t->w->kept[0], &body, &stream));
    CALL(r, "input-stream.blocking-read", H(stream), U(100));
    CHECK(is_closed(r));
    t->w->note = 2;
}

static void an_answer_kept_past_its_call_has_no_body(void **state)
{
    struct world w;
    open_world(&w, state);
    post(&w, keep_answer);
    world_run(&w);
    struct hf_blob *b = new_body(&w);
    fetch_answer(&w, &fetcher, 0, 200, "", b);
    assert_false(hf_blob_wanted(b));
    hf_blob_fail(b, HF_CLOSED);
    post(&w, use_kept);
    world_run(&w);
    assert_int_equal(w.note, 2);
    close_world(&w);
}

/* A body goes straight on into the answer to the client, as fast as that is taken. */
static void splice_on(struct guest *t)
{
    uint32_t a = asked(t), body, stream;
    struct reply reply;
    CHECK(a < REFUSED && open_answer(t, a, &body, &stream));
    CHECK(open_reply(t, "", true, &reply));
    for (;;) {
        CALL(r, "output-stream.blocking-splice", H(reply.stream), H(stream), U(1 << 20));
        if (r->tag == 1) {
            CHECK(is_closed(r));
            break;
        }
    }
    CHECK(finish(t, &reply));
    t->w->note = 1;
}

static void a_body_is_spliced_on(void **state)
{
    static char piece[16384];
    struct world w;
    size_t sent = 0;
    open_world(&w, state);
    size_t i = post(&w, splice_on);
    world_run(&w);
    struct hf_blob *b = new_body(&w);
    fetch_answer(&w, &fetcher, 0, 200, "", b);
    while (hf_blob_room(b) > 0) { /* nobody reads the answer: both windows fill, and no more */
        assert_int_equal(hf_blob_push(b, hf_view(piece, sizeof piece)), HF_OK);
        sent += sizeof piece;
        world_run(&w);
        assert_true(sent < 1024 * 1024);
    }
    while (sent < 4 * 1024 * 1024) {
        take(&w, i, 65536);
        while (hf_blob_room(b) > 0 && sent < 4 * 1024 * 1024) {
            assert_int_equal(hf_blob_push(b, hf_view(piece, sizeof piece)), HF_OK);
            sent += sizeof piece;
            world_run(&w);
        }
    }
    hf_blob_finish(b);
    world_run(&w);
    take_all(&w, i);
    assert_int_equal(w.requests[i].body.len, sent);
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    assert_int_equal(w.note, 1);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_headers_and_consume),
        cmocka_unit_test(a_body_outlives_its_response),
        cmocka_unit_test(a_body_that_breaks_off_says_why),
        cmocka_unit_test(what_nobody_wants_is_let_go),
        cmocka_unit_test(an_answer_kept_past_its_call_has_no_body),
        cmocka_unit_test(a_body_is_spliced_on),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
