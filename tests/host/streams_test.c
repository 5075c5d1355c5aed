/* streams_test.c - wasi:io/streams and error (http-and-poll 2.2-2.4) on the streams there are:
 * bodies, stdin, stdout. */
#include "support.h"

#include "component/instance.h"

#define WINDOW 4096u /* of answers' bodies in these tests */

static char bytes[2 * 65536];

static struct hf_value B(size_t n) {
    return hf_value_bytes(hf_view(bytes, n));
}

static struct hf_value *
write_n(struct guest *t, uint32_t stream, size_t n)
{
    const struct hf_value args[] = {H(stream), B(n)};
    return guest_call(t, "output-stream.write", args, 2);
}

static uint64_t permit(struct guest *t, uint32_t stream)
{
    const struct hf_value args[] = {H(stream)};
    const struct hf_value *r = guest_call(t, "output-stream.check-write", args, 1);
    return r == NULL || r->tag != 0 ? UINT64_MAX : r->items[0].u64;
}

/* ---- permits ---- */

static void permits(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    TRAPS("more than check-write permitted (0)", "output-stream.write", H(r.stream), B(1));
    TRAPS("more than check-write permitted (0)", "output-stream.write-zeroes", H(r.stream), U(1));
    CHECK_INT(permit(t, r.stream), WINDOW);
    TRAPS("write of 4097 bytes is more than check-write permitted (4096)", "output-stream.write",
          H(r.stream), B(WINDOW + 1));
    TRAPS("write-zeroes of 18446744073709551615 bytes", "output-stream.write-zeroes", H(r.stream),
          U(UINT64_MAX));
    CHECK(write_n(t, r.stream, 1000)->tag == 0); /* a write uses the permit up by what it writes */
    CHECK(write_n(t, r.stream, WINDOW - 1000)->tag == 0);
    TRAPS("permitted (0)", "output-stream.write", H(r.stream), B(1));
    CHECK(write_n(t, r.stream, 0)->tag == 0);
    CHECK_INT(permit(t, r.stream), 0);
    TRAPS("permitted (0)", "output-stream.write", H(r.stream), B(1));
    CALL(p, "output-stream.subscribe", H(r.stream));
    CALL(ready, "pollable.ready", H((uint32_t)p->u64));
    CHECK_INT(ready->u64, 0);
    DO("pollable.block", H((uint32_t)p->u64)); /* until the client took some */
    uint64_t n = permit(t, r.stream);
    CHECK(n > 0 && n <= WINDOW);
    CALL(z, "output-stream.write-zeroes", H(r.stream), U(n));
    CHECK_INT(z->tag, 0);
    DROP((uint32_t)p->u64);
    CHECK(finish(t, &r));
}

static void write_past_the_permit_traps(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.body_window = WINDOW});
    size_t i = post(&w, permits);
    world_run(&w);
    assert_int_equal(strlen(take(&w, i, 1000)), 1000);
    take_all(&w, i);
    assert_int_equal(w.requests[i].body.len, WINDOW + 1000);
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    world_close(&w);
}

static void spent_by_others(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CHECK_INT(permit(t, r.stream), 65536);
    CALL(f, "output-stream.flush", H(r.stream));
    CHECK_INT(f->tag, 0);
    TRAPS("permitted (0)", "output-stream.write", H(r.stream), B(1));
    CHECK_INT(permit(t, r.stream), 65536);
    DO("output-stream.blocking-write-and-flush", H(r.stream), B(1));
    TRAPS("permitted (0)", "output-stream.write", H(r.stream), B(1));
    CHECK_INT(permit(t, r.stream), 65535);
    DO("output-stream.blocking-flush", H(r.stream));
    TRAPS("permitted (0)", "output-stream.write", H(r.stream), B(1));
}

static void permit_ends_with_a_flush(void **state)
{
    run_script(state, spent_by_others);
}

/* ---- 4096 ---- */

static void too_much(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    TRAPS("at most 4096 are allowed", "output-stream.blocking-write-and-flush", H(r.stream),
          B(4097));
    TRAPS("at most 4096 are allowed", "output-stream.blocking-write-zeroes-and-flush", H(r.stream),
          U(4097));
    TRAPS("at most 4096 are allowed", "output-stream.blocking-write-zeroes-and-flush", H(r.stream),
          U(UINT64_MAX));
    CALL(a, "output-stream.blocking-write-and-flush", H(r.stream), B(4096));
    CHECK_INT(a->tag, 0);
    CALL(b, "output-stream.blocking-write-zeroes-and-flush", H(r.stream), U(4096));
    CHECK_INT(b->tag, 0);
    CALL(c, "output-stream.blocking-write-and-flush", H(r.stream), B(0));
    CHECK_INT(c->tag, 0);
    CHECK(finish(t, &r));
    CALL(out, "get-stdout");
    TRAPS("at most 4096 are allowed", "output-stream.blocking-write-and-flush",
          H((uint32_t)out->u64), B(4097));
}

static void blocking_write_of_more_than_4096_traps(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, too_much);
    world_run(&w);
    take_all(&w, i);
    const struct hf_buf *b = &w.requests[i].body;
    assert_int_equal(b->len, 8192);
    assert_memory_equal(b->ptr, bytes, 4096);
    for (size_t k = 4096; k < 8192; k++)
        assert_int_equal(b->ptr[k], 0);
    world_close(&w);
}

/* ---- closed ---- */

/* Every operation on a stream that is closed says closed, whatever it is given, and none traps. */
static void all_closed(struct guest *t, uint32_t out)
{
    CALL(a, "output-stream.check-write", H(out));
    CHECK(is_closed(a));
    CALL(b, "output-stream.write", H(out), B(100));
    CHECK(is_closed(b));
    CALL(c, "output-stream.write", H(out), B(0));
    CHECK(is_closed(c));
    CALL(d, "output-stream.write-zeroes", H(out), U(UINT64_MAX));
    CHECK(is_closed(d));
    CALL(e, "output-stream.write-zeroes", H(out), U(0));
    CHECK(is_closed(e));
    CALL(f, "output-stream.blocking-write-and-flush", H(out), B(10));
    CHECK(is_closed(f));
    CALL(g, "output-stream.blocking-write-and-flush", H(out), B(0));
    CHECK(is_closed(g));
    CALL(h, "output-stream.blocking-write-zeroes-and-flush", H(out), U(10));
    CHECK(is_closed(h));
    CALL(i, "output-stream.flush", H(out));
    CHECK(is_closed(i));
    CALL(j, "output-stream.blocking-flush", H(out));
    CHECK(is_closed(j));
    CALL(in, "get-stdin");
    CALL(k, "output-stream.splice", H(out), H((uint32_t)in->u64), U(10));
    CHECK(is_closed(k));
    CALL(l, "output-stream.blocking-splice", H(out), H((uint32_t)in->u64), U(10));
    CHECK(is_closed(l));
    CALL(p, "output-stream.subscribe", H(out));
    CALL(m, "pollable.ready", H((uint32_t)p->u64));
    CHECK_INT(m->u64, 1);
    DROP((uint32_t)p->u64);
}

static void fails_then_closed(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "content-length: 11\n", true, &r));
    CHECK_INT(permit(t, r.stream), 65536);
    CALL(f, "output-stream.write", H(r.stream), B(18));
    CHECK(is_failed(f));
    CALL(text, "error.to-debug-string", H((uint32_t)f->items[0].items[0].u64));
    CHECK(is_text(text, "more body than content-length says"));
    all_closed(t, r.stream);
    DROP((uint32_t)f->items[0].items[0].u64); /* the error has no parent */
}

static void output_after_a_failure_is_closed_for_ever(void **state)
{
    run_script(state, fails_then_closed);
}

static void reader_leaves(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CHECK_INT(permit(t, r.stream), WINDOW);
    CHECK(write_n(t, r.stream, 1000)->tag == 0);
    uint32_t timer = subscribe_ns(t, MS);
    DO("pollable.block", H(timer));
    /* it left meanwhile, with the rest of the permit unused */
    CALL(w, "output-stream.write", H(r.stream), B(10));
    CHECK(is_closed(w));
    all_closed(t, r.stream);
    t->w->note = 1;
}

static void output_after_the_client_left_is_closed(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.body_window = WINDOW});
    size_t i = post(&w, reader_leaves);
    world_run(&w);
    take(&w, i, 10);
    leave(&w, i);
    world_pass(&w, MS);
    assert_int_equal(w.note, 1);
    world_close(&w);
}

/* What was taken when the stream closed is a success; closed comes with the next call. */
static void closes_while_blocked(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CHECK_INT(permit(t, r.stream), WINDOW);
    CHECK(write_n(t, r.stream, WINDOW)->tag == 0);
    CALL(w, "output-stream.blocking-write-and-flush", H(r.stream), B(10));
    CHECK(is_closed(w)); /* nothing of it was taken */
    t->w->note = 1;
}

static void output_blocked_when_the_client_leaves_is_closed(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.body_window = WINDOW});
    size_t i = post(&w, closes_while_blocked);
    world_run(&w);
    assert_int_equal(w.note, 0);
    leave(&w, i);
    assert_int_equal(w.note, 1);
    world_close(&w);
}

static void reads_after_failure(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CALL(a, "input-stream.blocking-read", H(in), U(10));
    CHECK(a->tag == 0 && is_text(&a->items[0], "abc")); /* bytes that came are read first */
    CALL(f, "input-stream.blocking-read", H(in), U(10));
    CHECK(is_failed(f));
    CALL(b, "input-stream.read", H(in), U(10));
    CHECK(is_closed(b));
    CALL(c, "input-stream.read", H(in), U(0));
    CHECK(is_closed(c));
    CALL(d, "input-stream.skip", H(in), U(10));
    CHECK(is_closed(d));
    CALL(e, "input-stream.blocking-read", H(in), U(10));
    CHECK(is_closed(e));
    CALL(g, "input-stream.blocking-skip", H(in), U(10));
    CHECK(is_closed(g));
    CALL(out, "get-stdout");
    CALL(h, "output-stream.splice", H((uint32_t)out->u64), H(in), U(10));
    CHECK(is_closed(h));
    CHECK(answer(t, "done"));
}

static void input_after_a_failure_is_closed_for_ever(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, reads_after_failure, &(struct req){.stream = true});
    feed(&w, i, "abc");
    feed_fail(&w, i, HF_CLOSED);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

/* ---- reading ---- */

static void reads(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CALL(none, "input-stream.read", H(in), U(0));
    CHECK(none->tag == 0 && none->items[0].len == 0); /* 0 bytes of an open stream */
    CALL(bnone, "input-stream.blocking-read", H(in), U(0));
    CHECK(bnone->tag == 0 && bnone->items[0].len == 0);
    CALL(early, "input-stream.read", H(in), U(10));
    CHECK(early->tag == 0 && early->items[0].len == 0); /* nothing now */
    CALL(se, "input-stream.skip", H(in), U(10));
    CHECK(se->tag == 0 && se->items[0].u64 == 0);
    CALL(a, "input-stream.blocking-read", H(in), U(UINT64_MAX)); /* never allocates by it */
    CHECK(a->tag == 0 && is_text(&a->items[0], "hello world"));
    CALL(b, "input-stream.blocking-read", H(in), U(2));
    CHECK(b->tag == 0 && is_text(&b->items[0], "ab"));
    CALL(c, "input-stream.skip", H(in), U(1));
    CHECK(c->tag == 0 && c->items[0].u64 == 1);
    CALL(d, "input-stream.blocking-skip", H(in), U(0));
    CHECK(d->tag == 0 && d->items[0].u64 == 0);
    CALL(e, "input-stream.read", H(in), U(1));
    CHECK(e->tag == 0 && is_text(&e->items[0], "d"));
    CALL(f, "input-stream.skip", H(in), U(UINT64_MAX));
    CHECK(f->tag == 0 && f->items[0].u64 == 2);
    CALL(g, "input-stream.blocking-skip", H(in), U(100));
    CHECK(g->tag == 0 && g->items[0].u64 == 3);
    CALL(end, "input-stream.blocking-read", H(in), U(100));
    CHECK(is_closed(end));
    CALL(end0, "input-stream.read", H(in), U(0));
    CHECK(is_closed(end0));
    CHECK(answer(t, "done"));
}

static void input_reads_and_skips(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, reads, &(struct req){.stream = true});
    world_run(&w);
    feed(&w, i, "hello world");
    feed(&w, i, "abcdef");
    feed(&w, i, "ghi");
    feed_end(&w, i);
    assert_int_equal(status(&w, i), 200);
    world_close(&w);
}

/* A read that needs more memory in the guest than it has would make it grow, and a grown instance cannot be put back. */
static void reads_much(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    for (int i = 0; i < 3; i++) {
        CALL(r, "input-stream.blocking-read", H(in), U(UINT64_MAX));
        CHECK(r->tag == 0 && r->items[0].len == 32768);
        t->w->seen[0] += r->items[0].len;
    }
    CALL(s, "input-stream.skip", H(in), U(UINT64_MAX)); /* costs the guest nothing */
    CHECK(s->tag == 0);
    t->w->seen[0] += s->items[0].u64;
    CALL(end, "input-stream.blocking-read", H(in), U(1));
    CHECK(is_closed(end));
}

static void input_lends_at_most_32_kib_at_once(void **state)
{
    static char much[200001];
    struct world w;
    memset(much, 'm', sizeof much - 1);
    world_open(&w, state);
    post_with(&w, reads_much, &(struct req){.body = much});
    world_run(&w);
    assert_int_equal(w.seen[0], 200000);
    world_close(&w);
}

/* What a read lent is passed when the guest does something else with the stream, waits, asks, or
 * ends: the client can send on. */
static uint64_t room(struct guest *t)
{
    return hf_blob_room(t->r->in);
}

static void lends(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CALL(p, "input-stream.subscribe", H(in));
    CALL(timer, "subscribe-duration", U(0));
    for (int i = 0; i < 5; i++) {
        CALL(r, "input-stream.read", H(in), U(1000));
        CHECK_INT(r->items[0].len, 1000);
        switch (i) {
        case 0: DO("input-stream.skip", H(in), U(0)); break;
        case 1: DO("pollable.ready", H((uint32_t)timer->u64)); break;
        case 2: DO("pollable.block", H((uint32_t)timer->u64)); break;
        case 3: DO("poll", LIST((struct hf_value[]){H((uint32_t)timer->u64)}, 1)); break;
        default: DO("input-stream.subscribe", H(in)); break;
        }
        CHECK_INT(room(t), 65536 - 20000 + 1000 * ((uint64_t)i + 1));
    }
    DROP((uint32_t)p->u64);
    CALL(r, "input-stream.read", H(in), U(1000));
    CHECK_INT(r->items[0].len, 1000);
}

static void input_bytes_are_passed_when_the_guest_goes_on(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, lends, &(struct req){.stream = true});
    assert_int_equal(hf_blob_push(w.requests[i].in, hf_view(bytes, 20000)), HF_OK);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 1);
    assert_false(hf_blob_wanted(w.requests[i].in)); /* and nothing is held after the end */
    world_close(&w);
}

static void blocks_with_lent(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    CALL(r, "input-stream.read", H(in), U(UINT64_MAX));
    t->w->seen[0] = r->items[0].len;
    struct reply reply;
    CHECK(open_reply(t, "", true, &reply));
    CHECK_INT(permit(t, reply.stream), WINDOW);
    CHECK(write_n(t, reply.stream, WINDOW)->tag == 0);
    DO("output-stream.blocking-write-and-flush", H(reply.stream), B(10)); /* waits for the client */
    CHECK(finish(t, &reply));
}

static void input_bytes_are_passed_when_a_write_waits(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.body_window = WINDOW});
    size_t i = post_with(&w, blocks_with_lent, &(struct req){.stream = true});
    assert_int_equal(hf_blob_push(w.requests[i].in, hf_view(bytes, 2000)), HF_OK);
    world_run(&w);
    assert_int_equal(w.seen[0], 2000);
    assert_int_equal(hf_blob_room(w.requests[i].in), 65536);
    take_all(&w, i);
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    world_close(&w);
}

/* ---- splice ---- */

static void splices(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    CALL(none, "output-stream.splice", H(r.stream), H(in), U(100));
    CHECK(none->tag == 0 && none->items[0].u64 == 0); /* nothing there yet */
    CALL(a, "output-stream.blocking-splice", H(r.stream), H(in), U(4));
    CHECK(a->tag == 0 && a->items[0].u64 == 4);
    CALL(zero, "output-stream.splice", H(r.stream), H(in), U(0));
    CHECK(zero->tag == 0 && zero->items[0].u64 == 0);
    CALL(b, "output-stream.splice", H(r.stream), H(in), U(UINT64_MAX));
    CHECK(b->tag == 0 && b->items[0].u64 == 5);
    CALL(end, "output-stream.blocking-splice", H(r.stream), H(in), U(10));
    CHECK(is_closed(end)); /* the source's error ends it, the sink goes on */
    CALL(w, "output-stream.blocking-write-and-flush", H(r.stream), T("!"));
    CHECK_INT(w->tag, 0);
    CHECK(finish(t, &r));
}

static void splice_moves_bytes_without_the_guest(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, splices, &(struct req){.stream = true});
    world_run(&w);
    feed(&w, i, "wholeness");
    feed_end(&w, i);
    assert_string_equal(take_all(&w, i), "wholeness!");
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    world_close(&w);
}

static void splice_all(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    struct reply r;
    CHECK(open_reply(t, "", true, &r));
    for (;;) { /* waits for room and for bytes */
        CALL(n, "output-stream.blocking-splice", H(r.stream), H(in), U(UINT64_MAX));
        if (n->tag == 1) {
            CHECK(is_closed(n));
            break;
        }
        CHECK(n->items[0].u64 > 0);
        t->w->seen[0] += n->items[0].u64;
    }
    CHECK(finish(t, &r));
}

/* The guest's memory is one page, and not a byte of it changes while 10 MiB pass. */
#define MUCH (10u << 20)

static void splice_much(struct guest *t)
{
    static uint8_t before[65536];
    uint8_t *mem;
    size_t size;
    const struct hf_memory *m = &hf_instance_parts(t->g->inst)->memories[0];
    hf_memory_get(t->call->inst->store, m, &mem, &size);
    CHECK_INT(size, sizeof before);
    memcpy(before, mem, size);
    splice_all(t);
    CHECK_INT(t->w->seen[0], MUCH);
    hf_memory_get(t->call->inst->store, m, &mem, &size);
    CHECK_INT(size, sizeof before);
    CHECK(memcmp(mem, before, size) == 0);
}

static void splice_of_10_mib_leaves_the_guests_memory_alone(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, splice_much, &(struct req){.stream = true});
    struct request *r = &w.requests[i];
    size_t fed = 0, taken = 0, wrong = 0, idle = 0;
    while (r->end != HF_CLOSED && idle < 3) {
        size_t n = r->in == NULL ? 0 : hf_blob_room(r->in), was = fed + taken;
        n = n < sizeof bytes ? n : sizeof bytes;
        n = n < MUCH - fed ? n : MUCH - fed;
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)((fed + k) * 2654435761u >> 24);
        if (n > 0)
            assert_int_equal(hf_blob_push(r->in, hf_view(bytes, n)), HF_OK);
        fed += n;
        if (fed == MUCH && r->in != NULL)
            feed_end(&w, i);
        world_run(&w);
        if (r->answers == 1)
            take(&w, i, SIZE_MAX);
        for (size_t k = 0; k < r->body.len; k++)
            wrong += (char)r->body.ptr[k] != (char)((taken + k) * 2654435761u >> 24);
        taken += r->body.len;
        hf_buf_clear(&r->body);
        idle = fed + taken == was ? idle + 1 : 0;
    }
    assert_int_equal(r->end, HF_CLOSED);
    assert_int_equal(taken, MUCH);
    assert_int_equal(wrong, 0);
    world_close(&w);
}

static void blocking_splice_waits_for_both_sides(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.body_window = WINDOW});
    size_t i = post_with(&w, splice_all, &(struct req){.stream = true});
    world_run(&w);
    assert_int_equal(hf_blob_push(w.requests[i].in, hf_view(bytes, 10000)), HF_OK);
    world_run(&w);
    assert_int_equal(w.seen[0], WINDOW); /* the client has taken nothing */
    take(&w, i, 100);
    assert_int_equal(w.seen[0], WINDOW + 100);
    take_all(&w, i);
    assert_int_equal(w.seen[0], 10000);
    feed_end(&w, i);
    take_all(&w, i);
    assert_int_equal(w.requests[i].body.len, 10000);
    assert_memory_equal(w.requests[i].body.ptr, bytes, 10000);
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    world_close(&w);
}

/* ---- waiting for ever ---- */

static void stuck_blocking(struct guest *t)
{
    struct reply r;
    CHECK(open_reply(t, "", false, &r));
    CHECK_INT(permit(t, r.stream), WINDOW); /* before set: up to the window */
    CHECK(write_n(t, r.stream, WINDOW)->tag == 0);
    CHECK_INT(permit(t, r.stream), 0);
    CALL(p, "output-stream.subscribe", H(r.stream));
    CALL(q, "output-stream.subscribe", H(r.stream));

    TRAPS("response-outparam.set has not been called", "output-stream.blocking-write-and-flush",
          H(r.stream), B(1));
    CALL(in, "get-stdin");
    TRAPS("response-outparam.set has not been called", "output-stream.blocking-splice", H(r.stream),
          H((uint32_t)in->u64), U(10));
    TRAPS("response-outparam.set has not been called", "pollable.block", H((uint32_t)p->u64));
    TRAPS("response-outparam.set has not been called", "poll",
          LIST((struct hf_value[]){H((uint32_t)p->u64), H((uint32_t)q->u64), H((uint32_t)p->u64)},
               3));
    /* anything else in the list ends the wait */
    uint32_t timer = subscribe_ns(t, MS);
    DO("poll", LIST((struct hf_value[]){H((uint32_t)p->u64), H(timer)}, 2));
    CHECK(set_response(t, r.response));
    DO("pollable.block", H((uint32_t)p->u64)); /* now somebody reads */
    DROP((uint32_t)p->u64);
    DROP((uint32_t)q->u64);
    CHECK(finish(t, &r));
}

static void wait_that_nobody_can_end_traps(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.body_window = WINDOW});
    size_t i = post(&w, stuck_blocking);
    world_run(&w);
    world_pass(&w, MS);
    take_all(&w, i);
    assert_int_equal(w.requests[i].body.len, WINDOW);
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    world_close(&w);
}

static void stuck_request(struct guest *t)
{
    CALL(req, "[constructor]outgoing-request", H(new_fields(t, "")));
    CALL(body, "outgoing-request.body", H((uint32_t)req->u64));
    CALL(s, "outgoing-body.write", H((uint32_t)body->items[0].u64));
    uint32_t stream = (uint32_t)s->items[0].u64;
    CHECK_INT(permit(t, stream), 65536);
    CHECK(write_n(t, stream, 65536)->tag == 0);
    TRAPS("outgoing-handler.handle has not been called", "output-stream.blocking-write-and-flush",
          H(stream), B(1));
    DROP((uint32_t)req->u64); /* nobody will read it */
    CALL(w, "output-stream.blocking-write-and-flush", H(stream), B(1));
    CHECK(is_closed(w));
}

static void wait_for_a_request_never_sent_traps(void **state)
{
    run_script(state, stuck_request);
}

/* ---- the others ---- */

static void standard_streams(struct guest *t)
{
    CALL(in, "get-stdin");
    CALL(p, "input-stream.subscribe", H((uint32_t)in->u64));
    DO("pollable.block", H((uint32_t)p->u64));
    CALL(r, "input-stream.blocking-read", H((uint32_t)in->u64), U(10));
    CHECK(is_closed(r)); /* at its end at once */
    CALL(s, "input-stream.skip", H((uint32_t)in->u64), U(0));
    CHECK(is_closed(s));
    DROP_TRAPS("its child pollable is alive", (uint32_t)in->u64);

    CALL(o, "get-stdout");
    uint32_t out = (uint32_t)o->u64;
    CALL(q, "output-stream.subscribe", H(out));
    DO("pollable.block", H((uint32_t)q->u64));
    CHECK(permit(t, out) >= 4096);
    CHECK(write_n(t, out, 10)->tag == 0);
    DO("output-stream.blocking-flush", H(out));
    CHECK(permit(t, out) >= 4096);
}

static void standard_streams_never_wait(void **state)
{
    run_script(state, standard_streams);
}

int main(void)
{
    memset(bytes, 'b', sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i += 97)
        bytes[i] = (char)('a' + i % 26);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_past_the_permit_traps),
        cmocka_unit_test(permit_ends_with_a_flush),
        cmocka_unit_test(blocking_write_of_more_than_4096_traps),
        cmocka_unit_test(output_after_a_failure_is_closed_for_ever),
        cmocka_unit_test(output_after_the_client_left_is_closed),
        cmocka_unit_test(output_blocked_when_the_client_leaves_is_closed),
        cmocka_unit_test(input_after_a_failure_is_closed_for_ever),
        cmocka_unit_test(input_reads_and_skips),
        cmocka_unit_test(input_lends_at_most_32_kib_at_once),
        cmocka_unit_test(input_bytes_are_passed_when_the_guest_goes_on),
        cmocka_unit_test(input_bytes_are_passed_when_a_write_waits),
        cmocka_unit_test(splice_moves_bytes_without_the_guest),
        cmocka_unit_test(splice_of_10_mib_leaves_the_guests_memory_alone),
        cmocka_unit_test(blocking_splice_waits_for_both_sides),
        cmocka_unit_test(wait_that_nobody_can_end_traps),
        cmocka_unit_test(wait_for_a_request_never_sent_traps),
        cmocka_unit_test(standard_streams_never_wait),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
