/* blob_test.c - holdfast:kernel/blobs as guests see it: ranges, bytes that still arrive, streams, writers, and what is refused.
 * (The kernel's own: kernel/blob_test.c. Blobs that go along with messages: process_test.c.) */
#include "support_process.h"

enum { BROKEN, LIMIT };

static uint32_t blob_of(struct guest *t, const char *text)
{
    struct hf_value *r = guest_call(t, "blob.of-bytes", ARGS(T(text)));
    return r == NULL || r->tag != 0 ? 0 : (uint32_t)r->items[0].u64;
}

static bool reads(struct guest *t, uint32_t blob, uint64_t offset, uint64_t len, const char *text)
{
    struct hf_value *r = guest_call(t, "blob.read", ARGS(H(blob), U(offset), U(len)));
    return r != NULL && r->tag == 0 && is_text(&r->items[0], text);
}

static bool fails(struct hf_value *r, uint32_t error)
{
    return r != NULL && r->tag == 1 && r->items[0].tag == error;
}

static bool info_is(struct guest *t, uint32_t blob, int64_t len, bool complete)
{
    struct hf_value *r = guest_call(t, "blob.info", ARGS(H(blob)));
    if (r == NULL || r->items[1].u64 != complete)
        return false;
    return len < 0 ? r->items[0].tag == 0 : r->items[0].tag == 1 && r->items[0].items[0].u64 == (uint64_t)len;
}

/* A writer, its blob, and its stream. */
struct made {
    uint32_t writer, blob, stream;
};
static bool make_writer(struct guest *t, int64_t len, struct made *ret)
{
    struct hf_value n = U((uint64_t)len);
    struct hf_value *r = guest_call(t, "writer.new", ARGS(len < 0 ? CASE(0, NULL) : CASE(1, &n)));
    if (r == NULL || r->tag != 0)
        return false;
    ret->writer = (uint32_t)r->items[0].items[0].u64;
    ret->blob = (uint32_t)r->items[0].items[1].u64;
    r = guest_call(t, "writer.write", ARGS(H(ret->writer)));
    ret->stream = r == NULL || r->tag != 0 ? 0 : (uint32_t)r->items[0].u64;
    return ret->stream != 0;
}
static struct hf_value *writes(struct guest *t, const struct made *m, const char *text)
{
    struct hf_value *r = guest_call(t, "output-stream.check-write", ARGS(H(m->stream)));
    return r == NULL || r->tag != 0 ? r : guest_call(t, "output-stream.write", ARGS(H(m->stream), T(text)));
}

static void ranges(struct guest *t)
{
    uint32_t b = blob_of(t, "0123456789");
    CHECK(b != 0 && info_is(t, b, 10, true));
    CHECK(reads(t, b, 0, 10, "0123456789"));
    CHECK(reads(t, b, 3, 4, "3456"));
    CHECK(reads(t, b, 8, 100, "89")); /* fewer at the end */
    CHECK(reads(t, b, 10, 1, "") && reads(t, b, 11, 1, "") && reads(t, b, UINT64_MAX, UINT64_MAX - 1, ""));
    CHECK(reads(t, b, 3, 0, ""));
    CHECK(reads(t, b, 0, UINT64_MAX, "0123456789")); /* the length is known: it is no wish for so much */
    CALL(d, "blob.duplicate", H(b));
    DROP(b);
    CHECK(reads(t, (uint32_t)d->u64, 0, 2, "01"));
    uint32_t none = blob_of(t, "");
    CHECK(none != 0 && info_is(t, none, 0, true) && reads(t, none, 0, 5, ""));
    answer(t, "fine");
}
static void ranges_of_whole_ones(void **state)
{
    run_script(state, ranges);
}

static void written(struct guest *t)
{
    struct made m;
    CHECK(make_writer(t, -1, &m));
    CHECK(info_is(t, m.blob, -1, false));
    TRAPS("taken already", "writer.write", H(m.writer));
    struct hf_value *r = writes(t, &m, "hello ");
    CHECK(r != NULL && r->tag == 0);
    CHECK(reads(t, m.blob, 1, 3, "ell")); /* what is there need not be waited for */
    CHECK(fails(guest_call(t, "blob.read", ARGS(H(m.blob), U(0), U(UINT64_MAX))), LIMIT)); /* of one without a length */
    r = writes(t, &m, "world");
    CHECK(r != NULL && r->tag == 0);
    DROP_TRAPS("alive", m.writer);
    TRAPS("still alive", "writer.finish", H(m.writer));
    answer(t, "fine");
}
static void a_writer_and_its_blob(void **state)
{
    run_script(state, written);
}

static void finishes(struct guest *t)
{
    struct made m;
    CHECK(make_writer(t, 5, &m));
    CHECK(info_is(t, m.blob, 5, false));
    struct hf_value *r = writes(t, &m, "12345");
    CHECK(r != NULL && r->tag == 0);
    CHECK(is_failed(writes(t, &m, "6"))); /* more than was said */
    DROP(m.stream);
    CALL(f, "writer.finish", H(m.writer));
    CHECK(f->tag == 0 && info_is(t, m.blob, 5, true) && reads(t, m.blob, 0, 9, "12345"));
    /* short */
    CHECK(make_writer(t, 5, &m));
    r = writes(t, &m, "123");
    CHECK(r != NULL && r->tag == 0);
    DROP(m.stream);
    CHECK(fails(guest_call(t, "writer.finish", ARGS(H(m.writer))), BROKEN));
    CHECK(reads(t, m.blob, 0, 3, "123")); /* what came can be read */
    CHECK(fails(guest_call(t, "blob.read", ARGS(H(m.blob), U(0), U(4))), BROKEN));
    /* dropped */
    CHECK(make_writer(t, -1, &m));
    DROP(m.stream);
    DROP(m.writer);
    CHECK(fails(guest_call(t, "blob.read", ARGS(H(m.blob), U(0), U(1))), BROKEN) && info_is(t, m.blob, -1, false));
    CALL(s, "blob.stream", H(m.blob));
    CALL(read, "input-stream.blocking-read", H((uint32_t)s->items[0].u64), U(10));
    CHECK(is_failed(read));
    /* unwanted */
    CHECK(make_writer(t, -1, &m));
    DROP(m.blob);
    r = writes(t, &m, "to nobody");
    CHECK(r != NULL && is_closed(r));
    answer(t, "fine");
}
static void how_writers_end(void **state)
{
    run_script(state, finishes);
}

static void streams(struct guest *t)
{
    uint32_t b = blob_of(t, "0123456789");
    CALL(s, "blob.stream", H(b));
    uint32_t stream = (uint32_t)s->items[0].u64;
    DROP(b); /* the stream holds what it reads */
    CALL(one, "input-stream.read", H(stream), U(4));
    CHECK(one->tag == 0 && is_text(&one->items[0], "0123"));
    CALL(two, "input-stream.blocking-read", H(stream), U(100));
    CHECK(two->tag == 0 && is_text(&two->items[0], "456789"));
    CALL(end, "input-stream.read", H(stream), U(1));
    CHECK(is_closed(end));
    answer(t, "fine");
}
static void a_stream_outlives_the_handle(void **state)
{
    run_script(state, streams);
}

/* ---- one that still arrives ---- */

static void waits_for_bytes(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    uint32_t b = option_handle(guest_call(t, "current-blob", NULL, 0));
    CHECK(b != 0 && info_is(t, b, -1, false));
    CHECK(reads(t, b, 2, 6, "cdefgh")); /* over two pieces */
    CHECK(reads(t, b, 6, 100, "ghi"));  /* to the end, which had to come */
    CHECK(info_is(t, b, 9, true) && reads(t, b, 0, 9, "abcdefghi"));
    SAID(R_OK, respond(t, &(struct parcel){.body = "done"}));
}
static size_t arriving(struct world *w, void **state, script_fn script, struct hf_blob **blob)
{
    world_open(w, state);
    world_class(w, "a", script, NULL);
    *blob = hf_blob_new_in(hf_kernel_blobs(w->k), HF_BLOB_LEN_UNKNOWN, 0);
    size_t i = post_to(w, "a/1", "go", *blob);
    world_run(w);
    return i;
}
static void push(struct world *w, struct hf_blob *blob, const char *text)
{
    assert_int_equal(hf_blob_push(blob, hf_view_of(text)), HF_OK);
    world_run(w);
}
static void reads_wait_for_what_still_arrives(void **state)
{
    struct world w;
    struct hf_blob *blob;
    size_t i = arriving(&w, state, waits_for_bytes, &blob);
    push(&w, blob, "abcd");
    push(&w, blob, "efgh");
    assert_int_equal(w.requests[i].answers, 0);
    push(&w, blob, "i");
    assert_int_equal(w.requests[i].answers, 0);
    hf_blob_finish(blob);
    world_run(&w);
    expect_answer(&w, i, "done");
    world_close(&w);
}

static void finds_it_broken(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    uint32_t b = option_handle(guest_call(t, "current-blob", NULL, 0));
    CHECK(fails(guest_call(t, "blob.read", ARGS(H(b), U(0), U(10))), BROKEN));
    SAID(R_OK, respond(t, &(struct parcel){.body = "done"}));
}
static void one_that_breaks_off_is_broken(void **state)
{
    struct world w;
    struct hf_blob *blob;
    size_t i = arriving(&w, state, finds_it_broken, &blob);
    push(&w, blob, "abcd");
    hf_blob_fail(blob, HF_CANCELLED); /* which must not look like the end of the guest */
    world_run(&w);
    expect_answer(&w, i, "done");
    world_close(&w);
}

static void reads_for_ever(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    uint32_t b = option_handle(guest_call(t, "current-blob", NULL, 0));
    (void)guest_call(t, "blob.read", ARGS(H(b), U(0), U(6)));
}
static void a_kill_in_the_middle_of_a_read_leaves_nothing(void **state)
{
    struct world w;
    struct hf_blob *blob;
    size_t i = arriving(&w, state, reads_for_ever, &blob);
    push(&w, blob, "abcd");
    assert_int_equal(hf_named_kill(w.k, HF_VIEW("a/1"), HF_VIEW("enough")), HF_OK);
    world_run(&w);
    expect_kind(&w, i, HF_ANSWER_DEAD);
    assert_false(hf_blob_wanted(blob));
    hf_blob_fail(blob, HF_CLOSED);
    world_close(&w);
}

/* ---- limits ---- */

static void makes_too_much(struct guest *t)
{
    static char mebi[(1u << 20) + 1];
    uint32_t copies[255];
    memset(mebi, 'x', sizeof mebi - 1);
    uint32_t first = blob_of(t, mebi);
    CHECK(first != 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(copies); i++) { /* handles of the same bytes count, too: no test needs the memory */
        CALL(d, "blob.duplicate", H(first));
        copies[i] = (uint32_t)d->u64;
    }
    CHECK(fails(guest_call(t, "blob.of-bytes", ARGS(T("x"))), LIMIT));
    CHECK(blob_of(t, "") != 0); /* nothing is no more than that */
    DROP(copies[0]);
    CHECK(blob_of(t, "x") != 0);
    answer(t, "fine");
}
static void a_guest_makes_so_many_bytes_and_no_more(void **state)
{
    run_script(state, makes_too_much);
}

/* ---- guests at rest ---- */

static void keeps_a_stream(struct guest *t)
{
    uint32_t b = blob_of(t, "0123456789");
    CALL(s, "blob.stream", H(b));
    DROP(b);
}
static void a_stream_of_a_blob_stands_in_no_image(void **state)
{
    struct world w;
    world_open_with(&w, state,
                    &(struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST,
                                             .on_start = keeps_a_stream,
                                             .no_image = "it keeps a input-stream of a blob"});
    world_close(&w);
}

static void keeps_a_blob(struct guest *t)
{
    CHECK(blob_of(t, "x") != 0);
    answer(t, "fine");
}
static void a_guest_that_keeps_a_blob_is_not_saved(void **state)
{
    struct world w;
    struct hf_buf bytes = {0};
    struct hf_report report = {0};
    world_open(&w, state);
    post(&w, keeps_a_blob);
    world_run(&w);
    assert_int_equal(hf_guest_save(w.guest, &bytes, &report), HF_UNSUPPORTED);
    assert_non_null(strstr(report.text, "blob"));
    hf_buf_done(&bytes);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_whole_ones),
        cmocka_unit_test(a_writer_and_its_blob),
        cmocka_unit_test(how_writers_end),
        cmocka_unit_test(a_stream_outlives_the_handle),
        cmocka_unit_test(reads_wait_for_what_still_arrives),
        cmocka_unit_test(one_that_breaks_off_is_broken),
        cmocka_unit_test(a_kill_in_the_middle_of_a_read_leaves_nothing),
        cmocka_unit_test(a_guest_makes_so_many_bytes_and_no_more),
        cmocka_unit_test(a_stream_of_a_blob_stands_in_no_image),
        cmocka_unit_test(a_guest_that_keeps_a_blob_is_not_saved),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
