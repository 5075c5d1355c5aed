/* http_out_test.c - wasi:http/types, what goes out: outgoing-response, outgoing-body,
 * response-outparam (http-and-poll 1.4, 1.5). */
#include "support.h"

enum { REQUEST_BODY_SIZE = 17, RESPONSE_BODY_SIZE = 28 };

static struct hf_value *write_text(struct guest *t, uint32_t stream, const char *text)
{
    const struct hf_value args[] = {H(stream), T(text)};
    return guest_call(t, "output-stream.blocking-write-and-flush", args, 2);
}

/* outgoing-body.finish(body, none) after its stream is dropped. */
static struct hf_value *end_body(struct guest *t, struct reply *r)
{
    guest_drop(t, r->stream);
    const struct hf_value args[] = {H(r->body), CASE(0, NULL)};
    return guest_call(t, "outgoing-body.finish", args, 2);
}

/* error-code with option<u64>: this code, this size. */
static bool is_size(const struct hf_value *code, uint32_t tag, uint64_t size)
{
    return code->tag == tag && code->items != NULL && code->items[0].tag == 1 &&
           code->items[0].items[0].u64 == size;
}

/* ---- set ---- */

static void set_then_work(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "x-a: 1\nX-b: 2\n", false, &r));
    CALL(ok, "outgoing-response.set-status-code", H(r.response), U(201));
    CHECK_INT(ok->tag, 0);
    CHECK(set_response(t, r.response));
    CHECK(write_text(t, r.stream, "first ")->tag == 0);
    uint32_t timer = subscribe_ns(t, MS);
    DO("pollable.block", H(timer));
    CHECK(write_text(t, r.stream, "second")->tag == 0);
    CHECK(finish(t, &r));
    DROP(timer);
    timer = subscribe_ns(t, MS);
    DO("pollable.block", H(timer)); /* work after the answer is legal */
    t->w->note = 1;
}

static void set_sends_the_head_while_the_guest_goes_on(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, set_then_work);
    world_run(&w);
    assert_int_equal(status(&w, i), 201);
    assert_string_equal(field(&w, i, "X-A"), "1");
    assert_string_equal(field(&w, i, "x-b"), "2");
    assert_int_equal(w.requests[i].head.flags & HF_HEAD_NO_BODY, 0);
    assert_string_equal(take(&w, i, 100), "first ");
    assert_int_equal(w.requests[i].end, HF_AGAIN);
    world_pass(&w, MS);
    assert_string_equal(take_all(&w, i), "first second");
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    assert_int_equal(w.note, 0);
    world_pass(&w, MS);
    assert_int_equal(w.note, 1);
    world_close(&w);
}

static void write_then_set(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", false, &r));
    CHECK(write_text(t, r.stream, "all ")->tag == 0);
    CHECK(write_text(t, r.stream, "before")->tag == 0);
    CHECK(finish(t, &r));
    CHECK(set_response(t, r.response));
}

static void body_may_be_written_before_set(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, write_then_set);
    world_run(&w);
    assert_int_equal(status(&w, i), 200);
    assert_string_equal(take_all(&w, i), "all before");
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    world_close(&w);
}

static void no_body(struct guest *t)
{
    CHECK(set_response(t, new_response(t, "a: b\n")));
}

static void response_without_body_says_so(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, no_body);
    world_run(&w);
    assert_int_equal(status(&w, i), 200);
    assert_null(w.requests[i].blob);
    assert_true(w.requests[i].head.flags & HF_HEAD_NO_BODY);
    world_close(&w);
}

static void drops_outparam(struct guest *t)
{
    DROP(t->out);
}
static void returns(struct guest *t)
{
    (void)t;
}

static void outparam_not_set_is_unanswered(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, drops_outparam);
    world_run(&w);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_UNANSWERED);
    assert_non_null(
        strstr((char *)w.log.ptr, "handle returned without calling response-outparam.set"));
    size_t j = post(&w, returns);
    world_run(&w);
    assert_int_equal(w.requests[j].kind, HF_ANSWER_UNANSWERED);
    world_close(&w);
}

static void set_again(struct guest *t)
{
    CHECK(answer(t, "first"));
    TRAPS("unknown handle index", "response-outparam.set", H(t->out),
          CASE(0, (struct hf_value[]){H(new_response(t, ""))}));
}

static void outparam_is_set_once(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, set_again);
    world_run(&w);
    assert_string_equal(take_all(&w, i), "first");
    assert_int_equal(w.requests[i].answers, 1);
    world_close(&w);
}

static void sets_late(struct guest *t)
{
    uint32_t timer = subscribe_ns(t, MS);
    struct reply r;
    DO("pollable.block", H(timer));
    CHECK(open_reply(t, "", true, &r)); /* the client left: no trap */
    const struct hf_value *e = write_text(t, r.stream, "x");
    CHECK(e != NULL && is_closed(e));
    t->w->note = 1;
}

static void set_after_the_client_left_does_not_trap(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, sets_late);
    world_run(&w);
    leave(&w, i);
    world_pass(&w, MS);
    assert_int_equal(w.note, 1);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_CANCELLED);
    world_close(&w);
}

static void keeps_outparam(struct guest *t)
{
    t->w->kept[0] = t->out;
}
static void sets_the_kept_one(struct guest *t)
{
    const struct hf_value args[] = {
        H(t->w->kept[0]), CASE(0, (struct hf_value[]){H(new_response(t, "whose: first\n"))})};
    CHECK(guest_call(t, "response-outparam.set", args, 2) != NULL);
    CHECK(set_response(t, new_response(t, "whose: second\n")));
}

/* The outparam of an earlier request answers nobody, least of all the next client. */
static void outparam_of_an_earlier_request_answers_nobody(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, keeps_outparam);
    world_run(&w);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_UNANSWERED);
    size_t j = post(&w, sets_the_kept_one);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 1);
    assert_int_equal(status(&w, j), 200);
    assert_string_equal(field(&w, j, "whose"), "second");
    world_close(&w);
}

/* ---- set(err(code)) ---- */

static const struct {
    uint16_t status;
    char payload; /* as the WIT has it: see payload_of */
} codes[39] = {
    {504, 0},   {502, 'D'}, {502, 0},   {502, 0},   {502, 0},   {502, 0},   {502, 0},   {502, 0},
    {504, 0},   {504, 0},   {504, 0},   {503, 0},   {502, 0},   {502, 0},   {502, 'A'}, {403, 0},
    {411, 0},   {413, 'o'}, {405, 0},   {400, 0},   {414, 0},   {431, 'o'}, {431, 'o'}, {431, 'o'},
    {431, 'F'}, {502, 0},   {502, 'o'}, {502, 'F'}, {502, 'o'}, {502, 'o'}, {502, 'F'}, {502, 'o'},
    {502, 'o'}, {504, 0},   {502, 0},   {502, 0},   {508, 0},   {500, 0},   {500, 'o'},
};

static void sets_error(struct guest *t)
{
    static struct hf_value none[2];
    none[0] = none[1] = CASE(0, NULL);
    uint32_t n = (uint32_t)t->w->seen[0];
    struct hf_value two = {.items = none, .len = 2}, one = CASE(0, NULL), code;
    char p = codes[n].payload;
    code = CASE(n, p == 0 ? NULL : p == 'o' ? &one : &two);
    CALL(r, "response-outparam.set", H(t->out), CASE(1, &code));
}

static void error_codes_become_statuses(void **state)
{
    struct world w;
    world_open(&w, state);
    for (uint32_t n = 0; n < 39; n++) {
        w.seen[0] = n;
        size_t i = post(&w, sets_error);
        world_run(&w);
        assert_int_equal(status(&w, i), codes[n].status);
        assert_string_equal(field(&w, i, "content-type"), "text/plain; charset=utf-8");
        assert_non_null(strstr(take_all(&w, i), "answered with an error"));
        assert_int_equal(w.requests[i].end, HF_CLOSED);
    }
    world_close(&w);
}

/* ---- status ---- */

static void statuses(struct guest *t)
{
    uint32_t r = new_response(t, "");
    CALL(first, "outgoing-response.status-code", H(r));
    CHECK_INT(first->u64, 200);
    static const struct {
        uint16_t code;
        bool ok;
    } tries[] = {{100, true}, {999, true},   {418, true},   {99, false},
                 {0, false},  {1000, false}, {65535, false}};
    uint64_t now = 200;
    for (size_t i = 0; i < HF_ARRAY_LEN(tries); i++) {
        CALL(s, "outgoing-response.set-status-code", H(r), U(tries[i].code));
        CHECK_INT(s->tag, !tries[i].ok);
        now = tries[i].ok ? tries[i].code : now;
        CALL(g, "outgoing-response.status-code", H(r));
        CHECK_INT(g->u64, now);
    }
}

static void status_is_100_to_999(void **state)
{
    run_script(state, statuses);
}

/* ---- bodies ---- */

static void once(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", false, &r));
    CALL(b, "outgoing-response.body", H(r.response));
    CHECK_INT(b->tag, 1);
    CALL(s, "outgoing-body.write", H(r.body));
    CHECK_INT(s->tag, 1);
    DROP(r.stream);
    CALL(s2, "outgoing-body.write", H(r.body));
    CHECK_INT(s2->tag, 1);
    DROP(r.body);
    CALL(b2, "outgoing-response.body", H(r.response));
    CHECK_INT(b2->tag, 1);
}

static void body_and_stream_are_taken_once(void **state)
{
    run_script(state, once);
}

static void bad_lengths(struct guest *t)
{
    static const char *const bad[] = {"content-length: x\n",
                                      "content-length: -1\n",
                                      "content-length: 1 \n",
                                      "Content-Length: \n",
                                      "content-length: 1\ncontent-length: 1\n",
                                      "content-length: 99999999999999999999\n"};
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        CALL(b, "outgoing-response.body", H(new_response(t, bad[i])));
        CHECK_INT(b->tag, 1);
        CALL(req, "[constructor]outgoing-request", H(new_fields(t, bad[i])));
        CALL(rb, "outgoing-request.body", H((uint32_t)req->u64));
        CHECK_INT(rb->tag, 1);
    }
}

static void body_wants_a_content_length_that_is_a_number(void **state)
{
    run_script(state, bad_lengths);
}

static void exact(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "content-length: 11\n", true, &r));
    CHECK(write_text(t, r.stream, "hello ")->tag == 0);
    CHECK(write_text(t, r.stream, "world")->tag == 0);
    CHECK(write_text(t, r.stream, "")->tag == 0);
    CHECK(finish(t, &r));
}

static void content_length_kept_is_a_whole_body(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, exact);
    world_run(&w);
    assert_string_equal(take_all(&w, i), "hello world");
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    world_close(&w);
}

static void too_long(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "content-length: 11\n", true, &r));
    CHECK(write_text(t, r.stream, "hello ")->tag == 0);
    const struct hf_value *f = write_text(t, r.stream, "big wide world");
    CHECK(f != NULL && is_failed(f));
    CALL(code, "http-error-code", H((uint32_t)f->items[0].items[0].u64));
    CHECK(code->tag == 1 && is_size(&code->items[0], RESPONSE_BODY_SIZE, 20));
    f = write_text(t, r.stream, "x");
    CHECK(f != NULL && is_closed(f));
    const struct hf_value *e = end_body(t, &r);
    CHECK(e != NULL && e->tag == 1 && is_size(&e->items[0], RESPONSE_BODY_SIZE, 20));
}

static void too_long_exactly_then_more(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "content-length: 5\n", true, &r));
    CHECK(write_text(t, r.stream, "hello")->tag == 0);
    const struct hf_value *f = write_text(t, r.stream, "!");
    CHECK(f != NULL && is_failed(f));
    const struct hf_value *e = end_body(t, &r);
    CHECK(e != NULL && e->tag == 1 && is_size(&e->items[0], RESPONSE_BODY_SIZE, 6));
}

static void too_short(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "content-length: 11\n", true, &r));
    CHECK(write_text(t, r.stream, "hel")->tag == 0);
    const struct hf_value *e = end_body(t, &r);
    CHECK(e != NULL && e->tag == 1 && is_size(&e->items[0], RESPONSE_BODY_SIZE, 3));
}

static void breaks(void **state, script_fn script, const char *text)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, script);
    world_run(&w);
    assert_int_equal(status(&w, i), 200);
    assert_string_equal(take_all(&w, i), text);
    assert_true(w.requests[i].end != HF_CLOSED &&
                w.requests[i].end != HF_AGAIN); /* the connection is aborted */
    world_close(&w);
}

static void content_length_overrun_fails_with_the_size(void **state)
{
    breaks(state, too_long, "hello ");
    breaks(state, too_long_exactly_then_more, "hello");
}
static void content_length_underrun_fails_with_the_size(void **state)
{
    breaks(state, too_short, "hel");
}

static void request_sizes(struct guest *t)
{
    for (int over = 0; over < 2; over++) {
        struct reply r;
        CALL(req, "[constructor]outgoing-request", H(new_fields(t, "content-length: 3\n")));
        r.response = (uint32_t)req->u64;
        CALL(b, "outgoing-request.body", H(r.response));
        r.body = (uint32_t)b->items[0].u64;
        CALL(s, "outgoing-body.write", H(r.body));
        r.stream = (uint32_t)s->items[0].u64;
        const struct hf_value *f = write_text(t, r.stream, over ? "four" : "12");
        CHECK(f != NULL);
        if (over) {
            CHECK(is_failed(f));
            CALL(code, "http-error-code", H((uint32_t)f->items[0].items[0].u64));
            CHECK(code->tag == 1 && is_size(&code->items[0], REQUEST_BODY_SIZE, 4));
        }
        const struct hf_value *e = end_body(t, &r);
        CHECK(e != NULL && e->tag == 1 && is_size(&e->items[0], REQUEST_BODY_SIZE, over ? 4 : 2));
    }
}

static void content_length_of_a_request_has_its_own_error(void **state)
{
    run_script(state, request_sizes);
}

static void abandons(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CHECK(write_text(t, r.stream, "half")->tag == 0);
    DROP(r.stream);
    DROP(r.body);
}
static void forgets(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CHECK(write_text(t, r.stream, "half")->tag == 0);
}
static void exits(struct guest *t)
{
    forgets(t);
    struct hf_value status_ = CASE(0, NULL);
    DO("exit", status_);
}
static void abandons_before(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", false, &r));
    CHECK(write_text(t, r.stream, "half")->tag == 0);
    DROP(r.stream);
    DROP(r.body);
    CHECK(set_response(t, r.response));
}

static void body_dropped_without_finish_is_aborted(void **state)
{
    breaks(state, abandons, "half");
    breaks(state, abandons_before, "half");
}
static void body_not_finished_at_the_end_is_aborted(void **state)
{
    breaks(state, forgets, "half");
    breaks(state, exits, "half");
}

static void traps_in_body(struct guest *t)
{
    forgets(t);
    DO("poll", LIST(NULL, 0));
}

static void body_of_a_guest_that_trapped_is_aborted(void **state)
{
    breaks(state, traps_in_body, "half");
}

static void finish_with_stream(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    DO("outgoing-body.finish", H(r.body), CASE(0, NULL));
    CHECK(!"it did not trap");
}

static void body_finish_traps_while_its_stream_lives(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, finish_with_stream);
    world_run(&w);
    assert_int_equal(status(&w, i), 200);
    assert_string_equal(take_all(&w, i), "");
    assert_true(w.requests[i].end != HF_CLOSED && w.requests[i].end != HF_AGAIN);
    struct hf_service_counts counts;
    hf_service_worker_counts(w.worker, &counts);
    assert_int_equal(counts.traps, 1);
    world_close(&w);
}

static void sends_trailers(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CHECK(write_text(t, r.stream, "body")->tag == 0);
    DROP(r.stream);
    struct hf_value fields = H(new_fields(t, "x-sum: 42\nX-Other: b\n"));
    CALL(e, "outgoing-body.finish", H(r.body), CASE(1, &fields));
    CHECK_INT(e->tag, 0);
}
static void sends_empty_trailers(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    DROP(r.stream);
    struct hf_value fields = H(new_fields(t, ""));
    CALL(e, "outgoing-body.finish", H(r.body), CASE(1, &fields));
    CHECK_INT(e->tag, 0);
}

static void trailers_go_with_the_body(void **state)
{
    struct world w;
    struct hf_head head;
    struct hf_view value;
    world_open(&w, state);
    size_t i = post(&w, sends_trailers);
    world_run(&w);
    assert_string_equal(take_all(&w, i), "body");
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    assert_int_equal(hf_head_read(hf_blob_trailers(w.requests[i].out.blob), &head, NULL), HF_OK);
    assert_int_equal(head.n_fields, 2);
    assert_true(hf_head_find(&head, HF_VIEW("x-sum"), &value) && hf_view_eq_text(value, "42"));
    size_t j = post(&w, sends_empty_trailers);
    world_run(&w);
    take_all(&w, j);
    assert_int_equal(w.requests[j].end, HF_CLOSED);
    assert_int_equal(hf_blob_trailers(w.requests[j].out.blob).len, 0);
    world_close(&w);
}

/* A response whose fields are those of the request. */
static void passes_fields_on(struct guest *t)
{
    CALL(h, "incoming-request.headers", H(t->request));
    CALL(r, "[constructor]outgoing-response", H((uint32_t)h->u64));
    DROP(t->request);
    CHECK(set_response(t, (uint32_t)r->u64));
}

static void fields_of_the_request_may_be_answered(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, passes_fields_on,
                         &(struct req){.fields = "a: 1\nB: 2\n", .path = "/long/path"});
    world_run(&w);
    assert_int_equal(w.requests[i].head.n_fields, 2);
    assert_string_equal(field(&w, i, "b"), "2");
    world_close(&w);
}

static void response_never_sent(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", false, &r));
    CHECK(write_text(t, r.stream, "x")->tag == 0);
    DROP(r.response);
    const struct hf_value *f = write_text(t, r.stream, "y");
    CHECK(f != NULL && is_closed(f));
    CHECK(finish(t, &r));
    CHECK(open_reply(t, "", false, &r));
    DROP(r.stream);
    DROP(r.body);
    DROP(r.response);
}

static void body_of_a_response_that_went_is_closed(void **state)
{
    run_script(state, response_never_sent);
}

/* A body that the guest keeps past its call is over. */
static void keeps_body(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CHECK(write_text(t, r.stream, "half")->tag == 0);
    t->w->kept[0] = r.body;
    t->w->kept[1] = r.stream;
    CALL(p, "output-stream.subscribe", H(r.stream));
    t->w->kept[2] = (uint32_t)p->u64;
}
static void uses_kept_body(struct guest *t)
{
    struct reply r = {.body = t->w->kept[0], .stream = t->w->kept[1]};
    const struct hf_value *f = write_text(t, r.stream, "other half");
    CHECK(f != NULL && is_closed(f));
    CALL(ready, "pollable.ready", H(t->w->kept[2]));
    CHECK_INT(ready->u64, 1);
    DROP(t->w->kept[2]);
    DROP(r.stream);
    DROP(r.body);
    CHECK(answer(t, "done"));
}

static void body_kept_past_its_call_is_over(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, keeps_body);
    world_run(&w);
    assert_string_equal(take_all(&w, i), "half");
    assert_true(w.requests[i].end != HF_CLOSED && w.requests[i].end != HF_AGAIN);
    size_t j = post(&w, uses_kept_body);
    world_run(&w);
    assert_string_equal(take_all(&w, j), "done");
    assert_int_equal(w.requests[j].end, HF_CLOSED);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_sends_the_head_while_the_guest_goes_on),
        cmocka_unit_test(body_may_be_written_before_set),
        cmocka_unit_test(response_without_body_says_so),
        cmocka_unit_test(outparam_not_set_is_unanswered),
        cmocka_unit_test(outparam_is_set_once),
        cmocka_unit_test(set_after_the_client_left_does_not_trap),
        cmocka_unit_test(outparam_of_an_earlier_request_answers_nobody),
        cmocka_unit_test(error_codes_become_statuses),
        cmocka_unit_test(status_is_100_to_999),
        cmocka_unit_test(body_and_stream_are_taken_once),
        cmocka_unit_test(body_wants_a_content_length_that_is_a_number),
        cmocka_unit_test(content_length_kept_is_a_whole_body),
        cmocka_unit_test(content_length_overrun_fails_with_the_size),
        cmocka_unit_test(content_length_underrun_fails_with_the_size),
        cmocka_unit_test(content_length_of_a_request_has_its_own_error),
        cmocka_unit_test(body_dropped_without_finish_is_aborted),
        cmocka_unit_test(body_not_finished_at_the_end_is_aborted),
        cmocka_unit_test(body_of_a_guest_that_trapped_is_aborted),
        cmocka_unit_test(body_finish_traps_while_its_stream_lives),
        cmocka_unit_test(trailers_go_with_the_body),
        cmocka_unit_test(fields_of_the_request_may_be_answered),
        cmocka_unit_test(body_of_a_response_that_went_is_closed),
        cmocka_unit_test(body_kept_past_its_call_is_over),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
