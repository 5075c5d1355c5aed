/* life_test.c - an instance's life as guest.c leads it: ends with everything still open, in every
 * order; being cancelled while it waits; put back to its image; failing its second request (design
 * lifecycle; http-and-poll 2.5, 3). */
#include "support.h"

#include <time.h>

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* The order in which an instance's handles go is that of their serials, newest first: deal them out
 * again. */
static void shuffle(struct guest *t, uint64_t seed)
{
    struct hf_handles *h = &t->call->ci->handles;
    uint32_t live[256], n = 0;
    for (uint32_t i = 1; i < h->len && n < HF_ARRAY_LEN(live); i++)
        if (hf_handles_at(h, i) != NULL)
            live[n++] = i;
    for (uint32_t i = n; i-- > 1;) {
        uint32_t k = (uint32_t)(next_random(&seed) % (i + 1));
        uint32_t serial = h->ptr[live[i]].serial;
        h->ptr[live[i]].serial = h->ptr[live[k]].serial;
        h->ptr[live[k]].serial = serial & HF_SERIAL_MAX;
    }
}

/* One of everything, parents with children, a lent read, a set timer, a response sent and one not.
 */
static void open_everything(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    struct reply sent, kept;
    CHECK(in != 0);
    CALL(p1, "input-stream.subscribe", H(in));
    CALL(p2, "input-stream.subscribe", H(in));
    CALL(h, "incoming-request.headers", H(t->request));
    CALL(c, "fields.clone", H((uint32_t)h->u64));
    CHECK(open_reply(t, "a: b\n", true, &sent));
    CALL(p3, "output-stream.subscribe", H(sent.stream));
    CALL(w, "output-stream.blocking-write-and-flush", H(sent.stream), T("half"));
    CHECK(open_reply(t, "content-length: 1\n", false, &kept));
    CALL(p4, "output-stream.subscribe", H(kept.stream));
    CALL(over, "output-stream.blocking-write-and-flush", H(kept.stream),
         T("more")); /* leaves an error object */
    CHECK(is_failed(over));
    CALL(req, "[constructor]outgoing-request", H(new_fields(t, "")));
    CALL(rb, "outgoing-request.body", H((uint32_t)req->u64));
    CALL(rs, "outgoing-body.write", H((uint32_t)rb->items[0].u64));
    CALL(p5, "output-stream.subscribe", H((uint32_t)rs->items[0].u64));
    CALL(o, "[constructor]request-options");
    CALL(so, "get-stdout");
    CALL(si, "get-stdin");
    CALL(p6, "output-stream.subscribe", H((uint32_t)so->u64));
    CALL(p7, "input-stream.subscribe", H((uint32_t)si->u64));
    CHECK(subscribe_ns(t, 5 * S) != 0 && subscribe_ns(t, 0) != 0 &&
          subscribe_ns(t, UINT64_MAX) != 0);
    CALL(net, "instance-network");
    CALL(r, "input-stream.read", H(in), U(3));
    CHECK_INT(r->items[0].len, 3);
}

/* The same of a body that is finished and not at its end. */
static void open_future(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    DROP(in);
    CALL(f, "incoming-body.finish", H(body));
    CALL(p, "future-trailers.subscribe", H((uint32_t)f->u64));
    CALL(q, "future-trailers.subscribe", H((uint32_t)f->u64));
    CALL(h, "incoming-request.headers", H(t->request));
}

static void (*opener)(struct guest *t);

static void ends_by_trap(struct guest *t)
{
    opener(t);
    shuffle(t, t->w->seen[0]);
    DO("poll", LIST(NULL, 0));
}
static void ends_by_return(struct guest *t)
{
    opener(t);
    shuffle(t, t->w->seen[0]);
}
static void ends_waiting(struct guest *t)
{
    opener(t);
    uint32_t timer = subscribe_ns(t, 3600 * S);
    shuffle(t, t->w->seen[0]);
    DO("pollable.block", H(timer));
}
static void ends_by_a_taken_argument(struct guest *t)
{
    opener(t);
    struct reply r;
    CHECK(open_reply(t, "", false, &r));
    shuffle(t, t->w->seen[0]);
    struct hf_value fields = H(new_fields(t, "a: b\n"));
    DO("outgoing-body.finish", H(r.body),
       CASE(1, &fields)); /* traps: its stream lives; body and fields are nobody's now */
}

/* What the instance held is gone, whoever looks. */
static void check_gone(struct world *w, size_t i)
{
    assert_false(hf_blob_wanted(w->requests[i].in));
    feed_fail(w, i, HF_CLOSED);
    world_pass(w, 10 * S); /* its timers would ring */
}

static void orders(void **state, script_fn script, enum hf_lifecycle lifecycle, bool image,
                   unsigned rounds)
{
    static void (*const openers[])(struct guest *) = {open_everything, open_future};
    for (unsigned n = 0; n < rounds; n++) {
        struct world w;
        opener = openers[n % 2];
        world_open_with(&w, state,
                        &(struct world_settings){.lifecycle = lifecycle, .image = image});
        w.seen[0] = 0x9e3779b97f4a7c15ull * (n + 1);
        size_t i = post_with(&w, script, &(struct req){.stream = true, .timeout_ns = 1 * S});
        assert_int_equal(hf_blob_push(w.requests[i].in, HF_VIEW("abcdef")), HF_OK);
        world_run(&w);
        if (n % 3 != 0) { /* else with the kernel */
            world_pass(&w, 2 * S);
            if (lifecycle != HF_LIFE_REUSE || script != ends_by_return)
                check_gone(&w, i);
        }
        world_close(&w);
    }
}

static void end_by_trap_with_live_children_in_every_order(void **state)
{
    orders(state, ends_by_trap, HF_LIFE_REUSE, false, 60);
}
static void end_by_timeout_with_live_children_in_every_order(void **state)
{
    orders(state, ends_waiting, HF_LIFE_REUSE, false, 60);
}
static void end_of_an_idle_instance_with_live_children_in_every_order(void **state)
{
    orders(state, ends_by_return, HF_LIFE_REUSE, false, 60);
}
static void end_by_reset_with_live_children_in_every_order(void **state)
{
    orders(state, ends_by_return, HF_LIFE_PER_REQUEST, true, 60);
}
static void end_with_an_argument_taken_and_not_used(void **state)
{
    orders(state, ends_by_a_taken_argument, HF_LIFE_REUSE, false, 20);
}

/* Every order of one chain: request, body, stream, pollable. */
static void ends_in_order(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body), chain[4];
    CALL(p, "input-stream.subscribe", H(in));
    CALL(r, "input-stream.read", H(in), U(2));
    chain[0] = t->request, chain[1] = body, chain[2] = in, chain[3] = (uint32_t)p->u64;
    uint32_t serials[4], n = (uint32_t)t->w->seen[0];
    for (int i = 0; i < 4; i++)
        serials[i] = t->call->ci->handles.ptr[chain[i]].serial;
    for (uint32_t i = 0, left = 4; i < 4; i++, left--) { /* the n-th permutation */
        uint32_t k = n % left;
        n /= left;
        t->call->ci->handles.ptr[chain[i]].serial = serials[k] & HF_SERIAL_MAX;
        serials[k] = serials[left - 1];
    }
    DO("poll", LIST(NULL, 0));
}

static void end_of_a_chain_in_all_24_orders(void **state)
{
    for (unsigned n = 0; n < 24; n++) {
        struct world w;
        world_open(&w, state);
        w.seen[0] = n;
        size_t i = post_with(&w, ends_in_order, &(struct req){.body = "abc"});
        world_run(&w);
        expect_dead(&w, i, "empty");
        world_close(&w);
    }
}

/* A parent dropped before a great many children. */
static void very_many(struct guest *t)
{
    CALL(in, "get-stdin");
    struct hf_handles *h = &t->call->ci->handles;
    for (int i = 0; i < 90000; i++) {
        const struct hf_value args[] = {H((uint32_t)in->u64)};
        CHECK(guest_call(t, "input-stream.subscribe", args, 1) != NULL);
    }
    h->ptr[in->u64].serial = h->serial;
    h->serial++;
    DO("poll", LIST(NULL, 0));
}

static void end_with_very_many_children_is_quick(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, very_many);
    clock_t begun = clock();
    world_run(&w);
    assert_true(clock() - begun <
                4 * CLOCKS_PER_SEC); /* all but nothing when linear, minutes when not */
    expect_dead(&w, i, "empty");
    world_close(&w);
}

/* What a guest with all handles there are has taken is not the worker's for ever. */
static void what_very_many_took_goes_back(void **state)
{
    struct world w;
    world_open(&w, state);
    for (unsigned round = 0; round < 2; round++) {
        size_t i = post(&w, very_many);
        world_run(&w);
        expect_dead(&w, i, "empty");
        const struct hf_obj_pool *pool = &w.worker->pool;
        for (unsigned c = 0; c < HF_POOL_CLASSES; c++) {
            uint32_t n = 0;
            for (void *p = pool->free[c]; p != NULL; memcpy(&p, p, sizeof p))
                n++;
            assert_int_equal(n, pool->n[c]);
            assert_true(n <= HF_POOL_KEEP);
        }
        assert_true(pool->given < 8u << 20); /* it was passed on at the guest's end */
    }
    world_close(&w);
}

/* ---- being cancelled while it waits ---- */

static void waits_in(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CALL(p, "input-stream.subscribe", H(in));
    CALL(cw, "output-stream.check-write", H(r.stream));
    CALL(z, "output-stream.write-zeroes", H(r.stream), U(t->w->note >= 5 ? 4096 : 100));
    struct hf_value list[2] = {H((uint32_t)p->u64), H((uint32_t)p->u64)};
    t->w->seen[1] = 1;
    switch (t->w->note) {
    case 0: DO("pollable.block", H((uint32_t)p->u64)); break;
    case 1: DO("poll", LIST(list, 2)); break;
    case 2: DO("input-stream.blocking-read", H(in), U(1)); break;
    case 3: DO("input-stream.blocking-skip", H(in), U(1)); break;
    case 4: DO("output-stream.blocking-splice", H(r.stream), H(in), U(1)); break; /* for bytes */
    case 5: DO("output-stream.blocking-splice", H(r.stream), H(in), U(1)); break; /* for room */
    case 6: DO("output-stream.blocking-write-and-flush", H(r.stream), T("x")); break;
    case 7: DO("output-stream.blocking-write-zeroes-and-flush", H(r.stream), U(10)); break;
    default:
        list[1] = H(subscribe_ns(t, 10 * S)); /* clocks, and a body beside it */
        DO("poll", LIST(list, 2));
    }
    t->w->seen[1] = 2;
}

static void cancel_in_each_wait(void **state, bool shutdown)
{
    for (unsigned n = 0; n < 9; n++) {
        struct world w;
        world_open_with(&w, state, &(struct world_settings){.body_window = 4096});
        w.note = n;
        size_t i = post_with(&w, waits_in, &(struct req){.stream = true, .timeout_ns = 1 * S});
        world_run(&w);
        assert_int_equal(w.seen[1], 1);
        if (!shutdown) {
            struct hf_class_stats stats;
            world_pass(&w, 2 * S);
            hf_class_get_stats(w.class, &stats);
            assert_int_equal(stats.killed, 1);
            assert_false(hf_blob_wanted(w.requests[i].in));
            take_all(&w, i);
            assert_int_equal(w.requests[i].end, HF_TIMEOUT); /* its body is aborted */
        }
        world_close(&w);
        assert_int_equal(w.seen[1], 1);
    }
}

static void cancel_by_timeout_in_each_blocking_call(void **state)
{
    cancel_in_each_wait(state, false);
}
static void cancel_by_shutdown_in_each_blocking_call(void **state)
{
    cancel_in_each_wait(state, true);
}

static void waits(struct guest *t)
{
    uint32_t timer = subscribe_ns(t, 10 * S);
    DO("pollable.block", H(timer));
}

static void cancel_before_an_answer_is_a_timeout(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, waits, &(struct req){.timeout_ns = 1 * S});
    world_run(&w);
    world_pass(&w, 2 * S);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_TIMEOUT);
    world_close(&w);
}

static void cancel_of_a_start_that_waits(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.on_start = waits});
    size_t i = post(&w, NULL);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 0);
    world_pass(&w, 20 * S); /* a start may wait */
    assert_int_equal(w.requests[i].kind, HF_ANSWER_UNANSWERED);
    world_close(&w);
    world_open_with(&w, state, &(struct world_settings){.on_start = waits});
    post(&w, NULL);
    world_run(&w);
    world_close(&w); /* and may be cut short */
}

/* ---- nothing is left ---- */

static void tidy(struct guest *t)
{
    DROP(t->request);
    CHECK(answer(t, "done"));
}

static void request_that_cleans_up_leaves_nothing(void **state)
{
    struct world w;
    world_open(&w, state);
    for (int n = 0; n < 20; n++) {
        size_t i = post(&w, tidy);
        world_run(&w);
        assert_string_equal(take_all(&w, i), "done");
        assert_int_equal(handles(&w), 0);
        assert_int_equal(objects(&w), 0);
    }
    world_close(&w);
}

static void untidy(struct guest *t)
{
    opener(t);
}

/* A guest that drops nothing: its objects are there until it ends, its request's bodies are not. */
static void request_that_leaks_keeps_no_client_waiting(void **state)
{
    struct world w;
    opener = open_everything;
    world_open(&w, state);
    for (unsigned n = 1; n <= 5; n++) {
        size_t i = post_with(&w, untidy, &(struct req){.stream = true});
        assert_int_equal(hf_blob_push(w.requests[i].in, HF_VIEW("abcdef")), HF_OK);
        world_run(&w);
        assert_false(hf_blob_wanted(w.requests[i].in));
        assert_string_equal(take_all(&w, i), "half");
        assert_true(w.requests[i].end != HF_AGAIN && w.requests[i].end != HF_CLOSED);
        assert_true(handles(&w) >= 20 * n);
    }
    world_close(&w);
}

/* ---- per request ---- */

static void start_keeps_stdout(struct guest *t)
{
    CALL(out, "get-stdout");
    t->w->kept[0] = (uint32_t)out->u64;
    CALL(p, "output-stream.subscribe", H(t->w->kept[0]));
    t->w->kept[1] = (uint32_t)p->u64;
}
static void uses_stdout_and_leaks(struct guest *t)
{
    CHECK_INT(handles(t->w), 4); /* two of the start, request and outparam */
    CALL(seed, "insecure-seed");
    CHECK(seed->items[0].u64 != t->w->seen[0]);
    t->w->seen[0] = seed->items[0].u64;
    DO("output-stream.blocking-write-and-flush", H(t->w->kept[0]), T("hello\n"));
    DO("pollable.block", H(t->w->kept[1]));
    for (int i = 0; i < 10; i++)
        CHECK(subscribe_ns(t, 5 * S) != 0);
    CHECK(answer(t, "done"));
}

static void reset_drops_what_the_request_made_and_keeps_the_start(void **state)
{
    struct world w;
    struct hf_service_counts counts;
    struct hf_class_stats stats;
    world_open_with(&w, state,
                    &(struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST,
                                             .image = true,
                                             .on_start = start_keeps_stdout});
    for (int n = 0; n < 5; n++) {
        size_t i = post(&w, uses_stdout_and_leaks);
        world_run(&w);
        assert_string_equal(take_all(&w, i), "done");
        assert_int_equal(handles(&w), 2);
        assert_int_equal(objects(&w), 2);
    }
    world_pass(&w, 10 * S);
    hf_service_worker_counts(w.worker, &counts);
    hf_class_get_stats(w.class, &stats);
    assert_int_equal(counts.resets, 5);
    assert_int_equal(stats.started, 1);
    assert_int_equal(stats.instances, 1);
    world_close(&w);
}

static void drops_stdout(struct guest *t)
{
    DROP(t->w->kept[1]);
    DROP(t->w->kept[0]);
    CHECK(answer(t, "done"));
}

static void reset_of_changed_handles_takes_a_new_instance(void **state)
{
    struct world w;
    struct hf_service_counts counts;
    struct hf_class_stats stats;
    world_open_with(&w, state,
                    &(struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST,
                                             .image = true,
                                             .on_start = start_keeps_stdout});
    for (int n = 0; n < 3; n++) {
        size_t i = post(&w, drops_stdout);
        world_run(&w);
        assert_string_equal(take_all(&w, i), "done");
    }
    hf_service_worker_counts(w.worker, &counts);
    hf_class_get_stats(w.class, &stats);
    assert_int_equal(counts.reset_handles, 3);
    assert_int_equal(stats.started, 3);
    assert_non_null(strstr((char *)w.log.ptr, "reset=handles"));
    world_close(&w);
}

static void start_keeps_fields(struct guest *t)
{
    t->w->kept[0] = new_fields(t, "a: b\n");
}
static void adds_a_secret(struct guest *t)
{
    CALL(e, "fields.entries", H(t->w->kept[0]));
    CHECK_INT(e->len, 1);
    CALL(r, "fields.append", H(t->w->kept[0]), T("secret"), T("1"));
    CHECK(answer(t, "done"));
}

/* What is inside a host object is not put back: with such a one from the start there is no image,
 * and nothing leaks. */
static void image_is_refused_when_a_start_keeps_what_holds_data(void **state)
{
    struct world w;
    world_open_with(&w, state,
                    &(struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST,
                                             .on_start = start_keeps_fields,
                                             .no_image = "it keeps a fields"});
    assert_false(hf_service_has_image(w.svc));
    for (int n = 0; n < 3; n++) {
        size_t i = post(&w, adds_a_secret);
        world_run(&w);
        assert_string_equal(take_all(&w, i), "done");
    }
    world_close(&w);
}

static void per_request_without_an_image_takes_new_instances(void **state)
{
    struct world w;
    struct hf_class_stats stats;
    world_open_with(&w, state, &(struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST});
    for (int n = 0; n < 3; n++) {
        size_t i = post(&w, tidy);
        world_run(&w);
        assert_string_equal(take_all(&w, i), "done");
    }
    hf_class_get_stats(w.class, &stats);
    assert_int_equal(stats.started, 3);
    assert_int_equal(stats.retired, 3);
    world_close(&w);
}

/* ---- trouble stays with its maker ---- */

static void traps_now(struct guest *t)
{
    DO("poll", LIST(NULL, 0));
}
static void waits_then_answers(struct guest *t)
{
    uint32_t timer = subscribe_ns(t, MS);
    DO("pollable.block", H(timer));
    CHECK(answer(t, "done"));
}

static void trap_ends_one_instance_only(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.max = 2});
    size_t a = post(&w, waits_then_answers);
    world_run(&w);
    size_t b = post(&w, traps_now);
    world_run(&w);
    expect_dead(&w, b, "the list of pollables is empty");
    assert_non_null(strstr((char *)w.requests[b].head_bytes.ptr, "wasi:io/poll@0.2.12#poll"));
    world_pass(&w, MS);
    assert_string_equal(take_all(&w, a), "done");
    size_t c = post(&w, tidy);
    world_run(&w);
    assert_string_equal(take_all(&w, c), "done");
    world_close(&w);
}

static void returns(struct guest *t)
{
    (void)t;
}

static void second(void **state, script_fn fails)
{
    struct world w;
    struct hf_class_stats stats;
    world_open(&w, state);
    for (int n = 0; n < 6; n++) {
        size_t i = post(&w, n == 1 ? fails : tidy);
        world_run(&w);
        if (n != 1)
            assert_string_equal(take_all(&w, i), "done");
    }
    hf_class_get_stats(w.class, &stats);
    assert_int_equal(stats.started, 5); /* the first, then one for each request */
    assert_non_null(strstr((char *)w.log.ptr, "from now on each instance serves one request"));
    world_close(&w);
}

static void second_request_that_fails_makes_it_single_use(void **state)
{
    second(state, returns);
}

/* One bad request must not have its mark put on a component that can do better. */
static unsigned started_after_traps(void **state, unsigned rounds)
{
    struct world w;
    struct hf_class_stats stats;
    world_open(&w, state);
    for (unsigned n = 0; n < 2 * rounds + 3; n++) {
        post(&w, n < 2 * rounds && n % 2 == 1 ? traps_now : tidy);
        world_run(&w);
    }
    hf_class_get_stats(w.class, &stats);
    world_close(&w);
    return (unsigned)stats.started;
}

static void second_requests_that_trap_make_it_single_use_when_they_repeat(void **state)
{
    assert_int_equal(started_after_traps(state, 1), 2); /* the second instance goes on */
    assert_int_equal(started_after_traps(state, 2), 3);
    assert_int_equal(started_after_traps(state, 3), 6); /* then one for each request */
}

static void third_request_that_fails_does_not(void **state)
{
    struct world w;
    struct hf_class_stats stats;
    world_open(&w, state);
    for (int n = 0; n < 6; n++) {
        post(&w, n == 2 ? traps_now : tidy);
        world_run(&w);
    }
    hf_class_get_stats(w.class, &stats);
    assert_int_equal(stats.started, 2);
    world_close(&w);
}

static void message_that_is_no_request_harms_nobody(void **state)
{
    struct world w;
    struct hf_class_stats stats;
    world_open(&w, state);
    size_t a = post(&w, tidy), i = w.n_requests++;
    world_run(&w);
    struct hf_post p = {.target = HF_VIEW("s"), .port = &w.port, .tag = (void *)(uintptr_t)i};
    assert_int_equal(hf_buf_add_text(&p.body, "this is no head"), HF_OK);
    assert_int_equal(hf_port_post(w.k, &p, &w.requests[i].id), HF_OK);
    world_run(&w);
    expect_dead(&w, i, "HTTP head");
    size_t b = post(&w, tidy);
    world_run(&w);
    assert_string_equal(take_all(&w, b), "done");
    assert_int_equal(w.requests[a].process, w.requests[b].process); /* the same instance */
    hf_class_get_stats(w.class, &stats);
    assert_int_equal(stats.killed, 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(end_by_trap_with_live_children_in_every_order),
        cmocka_unit_test(end_by_timeout_with_live_children_in_every_order),
        cmocka_unit_test(end_of_an_idle_instance_with_live_children_in_every_order),
        cmocka_unit_test(end_by_reset_with_live_children_in_every_order),
        cmocka_unit_test(end_with_an_argument_taken_and_not_used),
        cmocka_unit_test(end_of_a_chain_in_all_24_orders),
        cmocka_unit_test(end_with_very_many_children_is_quick),
        cmocka_unit_test(what_very_many_took_goes_back),
        cmocka_unit_test(cancel_by_timeout_in_each_blocking_call),
        cmocka_unit_test(cancel_by_shutdown_in_each_blocking_call),
        cmocka_unit_test(cancel_before_an_answer_is_a_timeout),
        cmocka_unit_test(cancel_of_a_start_that_waits),
        cmocka_unit_test(request_that_cleans_up_leaves_nothing),
        cmocka_unit_test(request_that_leaks_keeps_no_client_waiting),
        cmocka_unit_test(reset_drops_what_the_request_made_and_keeps_the_start),
        cmocka_unit_test(reset_of_changed_handles_takes_a_new_instance),
        cmocka_unit_test(image_is_refused_when_a_start_keeps_what_holds_data),
        cmocka_unit_test(per_request_without_an_image_takes_new_instances),
        cmocka_unit_test(trap_ends_one_instance_only),
        cmocka_unit_test(second_request_that_fails_makes_it_single_use),
        cmocka_unit_test(second_requests_that_trap_make_it_single_use_when_they_repeat),
        cmocka_unit_test(third_request_that_fails_does_not),
        cmocka_unit_test(message_that_is_no_request_harms_nobody),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
