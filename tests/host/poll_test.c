/* poll_test.c - wasi:io/poll, clocks, and children (http-and-poll 2.1, 2.5; design poll). */
#include "support.h"

static struct hf_value *poll_list(struct guest *t, const uint32_t *handles_, size_t n)
{
    struct hf_value items[128];
    for (size_t i = 0; i < n && i < HF_ARRAY_LEN(items); i++)
        items[i] = H(handles_[i]);
    const struct hf_value args[] = {LIST(items, n)};
    return guest_call(t, "poll", args, 1);
}

/* "0,3,4" */
static const char *indexes(const struct hf_value *r)
{
    static char text[512];
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; r != NULL && i < r->len; i++) {
        uint32_t n;
        memcpy(&n, r->bytes + 4 * i, 4);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", i == 0 ? "" : ",", n);
    }
    return text;
}

static uint64_t now_of(struct guest *t)
{
    const struct hf_value *r = guest_call(t, "monotonic-clock#now", NULL, 0);
    return r == NULL ? 0 : r->u64;
}

static uint32_t subscribe_at(struct guest *t, uint64_t at)
{
    const struct hf_value args[] = {U(at)};
    const struct hf_value *r = guest_call(t, "subscribe-instant", args, 1);
    return r == NULL ? 0 : (uint32_t)r->u64;
}

/* ---- the list ---- */

static void empty_list(struct guest *t)
{
    TRAPS("the list of pollables is empty", "poll", LIST(NULL, 0));
}

static void duplicates(struct guest *t)
{
    uint32_t a = subscribe_ns(t, 5 * MS), b = subscribe_ns(t, 10 * MS), c = subscribe_ns(t, 5 * MS);
    const uint32_t list[] = {b, a, a, c, b, a};
    CHECK(strcmp(indexes(poll_list(t, list, 6)), "1,2,3,5") == 0); /* after waiting */
    CHECK(strcmp(indexes(poll_list(t, list, 6)), "1,2,3,5") ==
          0); /* ready at once, and still ready */
    DO("pollable.block", H(b));
    CHECK(strcmp(indexes(poll_list(t, list, 6)), "0,1,2,3,4,5") == 0);
    CHECK(answer(t, "done"));
}

/* More ready ones than are worth sorting: still in list order. */
static void many(struct guest *t)
{
    uint32_t list[100];
    char want[512] = "";
    size_t at = 0;
    for (int i = 99; i >= 0; i--) /* made, and fired, in another order than listed */
        list[i] = subscribe_ns(t, i % 3 == 0 ? 10 * S : 5 * MS);
    for (int i = 0; i < 100; i++)
        if (i % 3 != 0)
            at += (size_t)snprintf(want + at, sizeof want - at, "%s%d", at == 0 ? "" : ",", i);
    CHECK(strcmp(indexes(poll_list(t, list, 100)), want) == 0);
    CHECK(answer(t, "done"));
}

/* What is not listed does not wake, and is not reported. */
static void only_listed(struct guest *t)
{
    uint32_t early = subscribe_ns(t, 1 * MS), late = subscribe_ns(t, 50 * MS),
             ready = subscribe_ns(t, 0);
    uint64_t begun = now_of(t);
    unsigned before = t->w->steps;
    CHECK(strcmp(indexes(poll_list(t, &late, 1)), "0") == 0);
    CHECK(now_of(t) >= begun + 50 * MS);
    t->w->seen[0] = t->w->steps - before;
    CALL(r, "pollable.ready", H(early));
    CHECK_INT(r->u64, 1);
    CALL(q, "pollable.ready", H(ready));
    CHECK_INT(q->u64, 1);
    CHECK(answer(t, "done"));
}

static void wrong_handles(struct guest *t)
{
    TRAPS("unknown handle index", "poll", LIST((struct hf_value[]){H(4711)}, 1));
    TRAPS("wrong type", "poll", LIST((struct hf_value[]){H(t->request)}, 1));
}

static struct hf_value *trap_with(struct guest *t, const uint32_t *list, size_t n, const char *fmt, uint32_t handle)
{
    char text[160];
    snprintf(text, sizeof text, fmt, handle);
    struct hf_value *r = poll_list(t, list, n);
    if (r != NULL || !guest_trapped(t, text))
        guest_failed(t, __FILE__, __LINE__, text);
    return r;
}

/* A number is given out again (the ABI says which): whoever comes with an old one is told, or reaches what has the number
 * now and nothing of what had it, though the objects may even lie at one address. */
static void stale_handles(struct guest *t)
{
    uint32_t old = subscribe_ns(t, 0), timer = subscribe_ns(t, 5 * MS);
    const uint32_t list[] = {timer, old, timer};
    CHECK(strcmp(indexes(poll_list(t, list, 3)), "1") == 0);
    DROP(old);
    trap_with(t, list, 3, "unknown handle index %u (wanted: pollable) [H5]", old);
    uint32_t again = subscribe_ns(t, 10 * S);
    CHECK_INT(again, old);
    CHECK(strcmp(indexes(poll_list(t, list, 3)), "0,2") == 0); /* waits: the old one's readiness is gone */
    CALL(ready, "pollable.ready", H(old));
    CHECK_INT(ready->u64, 0);
    DROP(old);
    CHECK_INT(new_fields(t, ""), old);
    trap_with(t, list, 3, "handle index %u used with the wrong type, expected host-defined resource but found a different "
                          "host-defined resource (wanted: pollable, it is: fields) [S5]", old);
    DROP(timer); /* polls that trapped keep nothing lent */
    CHECK(answer(t, "done"));
}

/* Pollables of every kind of this room in one list: each ends the wait for all. */
static void sources(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    struct reply r;
    char filler[4096] = "";
    CHECK(open_reply(t, "", true, &r));
    CALL(w, "output-stream.check-write", H(r.stream));
    CALL(wr, "output-stream.write", H(r.stream), hf_value_bytes(hf_view(filler, sizeof filler)));
    CHECK(w->tag == 0 && w->items[0].u64 == sizeof filler && wr->tag == 0); /* full */
    CALL(a, "input-stream.subscribe", H(in));
    CALL(b, "output-stream.subscribe", H(r.stream));
    uint32_t never = subscribe_ns(t, UINT64_MAX);
    uint32_t list[] = {never, subscribe_ns(t, 5 * MS), (uint32_t)a->u64, (uint32_t)b->u64};
    CHECK(strcmp(indexes(poll_list(t, list, 4)), "1") == 0); /* a timer */
    list[1] = never;
    t->w->seen[0] = 1;
    CHECK(strcmp(indexes(poll_list(t, list, 4)), "2") == 0); /* bytes of the request */
    list[2] = never;
    t->w->seen[0] = 2;
    CHECK(strcmp(indexes(poll_list(t, list, 4)), "3") == 0); /* room for the answer */
    DROP((uint32_t)a->u64);
    DROP(in);
    CALL(f, "incoming-body.finish", H(body));
    CALL(p, "future-trailers.subscribe", H((uint32_t)f->u64));
    list[3] = (uint32_t)p->u64;
    t->w->seen[0] = 3;
    CHECK(strcmp(indexes(poll_list(t, list, 4)), "3") == 0); /* trailers */
    t->w->seen[0] = 4;
    DROP((uint32_t)b->u64);
    CHECK(finish(t, &r));
}

/* ---- clocks ---- */

static void at_once(struct guest *t)
{
    uint64_t begun = now_of(t);
    unsigned before = t->w->steps;
    uint32_t zero = subscribe_ns(t, 0), past = subscribe_at(t, begun - 1),
             long_past = subscribe_at(t, 0), now = subscribe_at(t, begun);
    const uint32_t list[] = {zero, past, long_past, now};
    CALL(r, "pollable.ready", H(zero));
    CHECK_INT(r->u64, 1);
    CHECK(strcmp(indexes(poll_list(t, list, 4)), "0,1,2,3") == 0);
    DO("pollable.block", H(past));
    CHECK_INT(now_of(t), begun);
    CHECK_INT(t->w->steps, before); /* never left the guest */
    CHECK(answer(t, "done"));
}

/* A zero-duration pollable beside others: the way to look without waiting. */
static void look(struct guest *t)
{
    const uint32_t list[] = {subscribe_ns(t, 10 * S), subscribe_ns(t, 0)};
    uint64_t begun = now_of(t);
    CHECK(strcmp(indexes(poll_list(t, list, 2)), "1") == 0);
    CHECK_INT(now_of(t), begun);
    CHECK(answer(t, "done"));
}

static void never(struct guest *t)
{
    const uint32_t list[] = {subscribe_ns(t, UINT64_MAX), subscribe_at(t, UINT64_MAX),
                             subscribe_ns(t, UINT64_MAX - 1), subscribe_ns(t, 20 * MS),
                             subscribe_at(t, UINT64_MAX - 1)};
    CHECK(strcmp(indexes(poll_list(t, list, 5)), "3") == 0);
    CALL(r, "pollable.ready", H(list[0]));
    CHECK_INT(r->u64, 0);
    for (int i = 0; i < 5; i++)
        DROP(list[i]);
    CHECK(answer(t, "done"));
}

static void instant(struct guest *t)
{
    uint64_t begun = now_of(t);
    uint32_t p = subscribe_at(t, begun + 30 * MS);
    CALL(r, "pollable.ready", H(p));
    CHECK_INT(r->u64, 0);
    DO("pollable.block", H(p));
    CHECK_INT(now_of(t), begun + 30 * MS);
    CALL(q, "pollable.ready", H(p)); /* a one-shot event stays ready */
    CHECK_INT(q->u64, 1);
    DO("pollable.block", H(p));
    DROP(p);
    CHECK(answer(t, "done"));
}

static void readings(struct guest *t)
{
    CALL(res, "monotonic-clock#resolution");
    CHECK(res->u64 >= 1 && res->u64 <= 1000000);
    CALL(wall, "wall-clock#now");
    uint64_t ns = t->w->os->wall_ns(t->w->os);
    CHECK_INT(wall->items[0].u64, ns / S);
    CHECK_INT(wall->items[1].u64, ns % S);
    CALL(wr, "wall-clock#resolution");
    CHECK(wr->items[0].u64 == 0 && wr->items[1].u64 >= 1);
}

/* ---- children ---- */

static void parents(struct guest *t)
{
    uint32_t body, stream = body_stream(t, &body);
    CALL(p, "input-stream.subscribe", H(stream));
    CALL(q, "input-stream.subscribe", H(stream));
    DROP_TRAPS("its child input-stream is alive", body);
    DROP_TRAPS("its child pollable is alive", stream);
    DROP((uint32_t)p->u64);
    DROP_TRAPS("its child pollable is alive", stream);
    DROP((uint32_t)q->u64);
    DROP(stream);

    CALL(f, "incoming-body.finish", H(body));
    CALL(fp, "future-trailers.subscribe", H((uint32_t)f->u64));
    DROP_TRAPS("its child pollable is alive", (uint32_t)f->u64);
    DROP((uint32_t)fp->u64);
    DROP((uint32_t)f->u64);

    struct reply reply;
    CHECK(open_reply(t, "", false, &reply));
    CALL(op, "output-stream.subscribe", H(reply.stream));
    DROP_TRAPS("its child output-stream is alive", reply.body);
    DROP_TRAPS("its child pollable is alive", reply.stream);
    DROP((uint32_t)op->u64);
    CHECK(finish(t, &reply));
    DROP(reply.response);
    DROP(t->request);
}

/* The trap names the handle. */
static void names_the_handle(struct guest *t)
{
    char text[64];
    uint32_t body, stream = body_stream(t, &body);
    snprintf(text, sizeof text, "cannot drop incoming-body %u", body);
    CHECK(stream != 0);
    guest_drop(t, body);
    CHECK(guest_trapped(t, text));
}

/* Children that need no parent: headers, bodies, responses. */
static void laxer_than_the_text(struct guest *t)
{
    CALL(h, "incoming-request.headers", H(t->request));
    uint32_t body, stream = body_stream(t, &body);
    DROP(t->request);
    CALL(e, "fields.entries", H((uint32_t)h->u64));
    CHECK_INT(e->len, 0);
    CALL(r, "input-stream.blocking-read", H(stream), U(100));
    CHECK(r->tag == 0 && is_text(&r->items[0], "hello"));
    struct reply reply;
    CHECK(open_reply(t, "", true, &reply)); /* the response is gone by set, its body goes on */
    CHECK(finish(t, &reply));
}

/* ---- streams ---- */

static void two_of_a_stream(struct guest *t)
{
    uint32_t body, stream = body_stream(t, &body);
    CALL(a, "input-stream.subscribe", H(stream));
    CALL(b, "input-stream.subscribe", H(stream));
    const uint32_t list[] = {(uint32_t)a->u64, (uint32_t)b->u64, (uint32_t)a->u64};
    for (int round = 0; round < 10; round++) { /* level-triggered, reusable for ever */
        CHECK(strcmp(indexes(poll_list(t, list, 3)), "0,1,2") == 0);
        CHECK(strcmp(indexes(poll_list(t, list, 3)), "0,1,2") == 0);
        CALL(r, "input-stream.read", H(stream), U(100));
        CHECK(r->tag == 0 && r->items[0].len == 1);
        CALL(ready, "pollable.ready", H(list[0]));
        CHECK_INT(ready->u64, 0);
    }
    CHECK(strcmp(indexes(poll_list(t, list, 3)), "0,1,2") == 0); /* the end counts as ready */
    CALL(r, "input-stream.read", H(stream), U(100));
    CHECK(is_closed(r));
    CALL(ready, "pollable.ready", H(list[0]));
    CHECK_INT(ready->u64, 1);
    CHECK(answer(t, "done"));
}

static void failure_is_ready(struct guest *t)
{
    uint32_t body, stream = body_stream(t, &body);
    CALL(p, "input-stream.subscribe", H(stream));
    DO("pollable.block", H((uint32_t)p->u64));
    CALL(r, "input-stream.read", H(stream), U(100));
    CHECK(is_failed(r));
    CALL(ready, "pollable.ready", H((uint32_t)p->u64));
    CHECK_INT(ready->u64, 1);
    CHECK(answer(t, "done"));
}

/* ---- the tests ---- */

static void timed(void **state, script_fn script, uint64_t step, unsigned times)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, script);
    world_run(&w);
    for (unsigned n = 0; n < times && w.requests[i].answers == 0; n++)
        world_pass(&w, step);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

static void poll_of_an_empty_list_traps(void **state)
{
    run_script(state, empty_list);
}
static void poll_reports_duplicates_in_list_order(void **state)
{
    timed(state, duplicates, 5 * MS, 4);
}
static void poll_reports_many_in_list_order(void **state)
{
    timed(state, many, 5 * MS, 4);
}
static void poll_is_woken_only_by_what_is_listed(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, only_listed);
    world_run(&w);
    for (int n = 0; n < 60 && w.requests[i].answers == 0; n++)
        world_pass(&w, MS);
    assert_int_equal(status(&w, i), 200);
    assert_true(w.seen[0] <= 1); /* one segment after the wait, none for `early` */
    world_close(&w);
}
static void poll_of_wrong_handles_traps(void **state)
{
    run_script(state, wrong_handles);
}
static void poll_of_a_handle_that_is_gone_traps(void **state)
{
    timed(state, stale_handles, 5 * MS, 2);
}
static void poll_waits_for_all_kinds_of_sources(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.body_window = 4096});
    size_t i = post_with(&w, sources, &(struct req){.stream = true});
    world_run(&w);
    assert_int_equal(w.seen[0], 0);
    world_pass(&w, 5 * MS);
    assert_int_equal(w.seen[0], 1);
    feed(&w, i, "x");
    assert_int_equal(w.seen[0], 2);
    take(&w, i, 1);
    assert_int_equal(w.seen[0], 3);
    feed_end(&w, i);
    assert_int_equal(w.seen[0], 4);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}
static void timer_of_zero_or_the_past_is_ready_at_once(void **state)
{
    timed(state, at_once, MS, 1);
}
static void timer_of_zero_makes_poll_look_without_waiting(void **state)
{
    timed(state, look, MS, 1);
}
static void timer_that_cannot_be_is_never(void **state)
{
    timed(state, never, 20 * MS, 3);
}
static void timer_stays_ready(void **state)
{
    timed(state, instant, 30 * MS, 3);
}
static void clocks_read_the_world(void **state)
{
    run_script(state, readings);
}

static void with_body(void **state, script_fn script)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, script, &(struct req){.body = "hello"});
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 1);
    assert_true(w.requests[i].kind == HF_ANSWER_OK || w.requests[i].kind == HF_ANSWER_UNANSWERED);
    world_close(&w);
}

static void parent_with_live_children_cannot_be_dropped(void **state)
{
    with_body(state, parents);
}
static void parent_trap_names_the_handle_and_the_child(void **state)
{
    with_body(state, names_the_handle);
}
static void parent_of_headers_and_bodies_may_go(void **state)
{
    with_body(state, laxer_than_the_text);
}

static void pollables_of_a_stream_are_level_triggered(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, two_of_a_stream, &(struct req){.stream = true});
    world_run(&w);
    for (int n = 0; n < 10; n++)
        feed(&w, i, "x");
    assert_int_equal(w.requests[i].answers, 0);
    feed_end(&w, i);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

static void pollable_of_a_failed_stream_is_ready(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, failure_is_ready, &(struct req){.stream = true});
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 0);
    feed_fail(&w, i, HF_CLOSED);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_of_an_empty_list_traps),
        cmocka_unit_test(poll_reports_duplicates_in_list_order),
        cmocka_unit_test(poll_reports_many_in_list_order),
        cmocka_unit_test(poll_is_woken_only_by_what_is_listed),
        cmocka_unit_test(poll_of_wrong_handles_traps),
        cmocka_unit_test(poll_of_a_handle_that_is_gone_traps),
        cmocka_unit_test(poll_waits_for_all_kinds_of_sources),
        cmocka_unit_test(timer_of_zero_or_the_past_is_ready_at_once),
        cmocka_unit_test(timer_of_zero_makes_poll_look_without_waiting),
        cmocka_unit_test(timer_that_cannot_be_is_never),
        cmocka_unit_test(timer_stays_ready),
        cmocka_unit_test(clocks_read_the_world),
        cmocka_unit_test(parent_with_live_children_cannot_be_dropped),
        cmocka_unit_test(parent_trap_names_the_handle_and_the_child),
        cmocka_unit_test(parent_of_headers_and_bodies_may_go),
        cmocka_unit_test(pollables_of_a_stream_are_level_triggered),
        cmocka_unit_test(pollable_of_a_failed_stream_is_ready),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
