/* blob_test.c - holdfast:kernel/blobs as guests see it: ranges, bytes that still arrive, streams, writers, and what is refused.
 * (The kernel's own: kernel/blob_test.c. Blobs that go along with messages: process_test.c.) */
#include "kernel/blob_spill.h"
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

/* ---- bytes that went to a file ---- */

struct drawer { /* a keeper that does what it is told when it is told */
    struct hf_list moves;
    uint8_t *kept[64];
    size_t n, n_used;
    bool full, fails;
};
static enum hf_err drawer_write(void *ctx, struct hf_spill_move *m)
{
    struct drawer *d = ctx;
    if (d->full || d->n == 64) {
        snprintf(m->why, sizeof m->why, "the drawer is full");
        return HF_LIMIT;
    }
    m->place = d->n++;
    d->n_used++;
    hf_list_push_back(&d->moves, &m->link);
    return HF_OK;
}
static void drawer_read(void *ctx, struct hf_spill_move *m)
{
    hf_list_push_back(&((struct drawer *)ctx)->moves, &m->link);
}
static void drawer_forget(void *ctx, uint64_t place, size_t len)
{
    struct drawer *d = ctx;
    (void)len;
    free(d->kept[place]);
    d->kept[place] = NULL;
    d->n_used--;
}
static bool drawer_go(struct drawer *d)
{
    struct hf_list *at = hf_list_pop_front(&d->moves);
    if (at == NULL)
        return false;
    struct hf_spill_move *m = HF_LIST_ENTRY(at, struct hf_spill_move, link);
    uint64_t place = m->place;
    if (!m->write && d->fails) {
        m->err = HF_IO;
    } else if (!m->write) {
        if (d->kept[place] != NULL) /* else it is forgotten, and nobody wants it */
            assert_int_equal(hf_buf_add(&m->bytes, d->kept[place], m->len), HF_OK);
    } else {
        d->kept[place] = malloc(m->len);
        memcpy(d->kept[place], m->bytes.ptr, m->len);
    }
    bool write = m->write;
    if (!hf_spill_moved(m) && write)
        drawer_forget(d, place, 0);
    return true;
}
/* A world whose blobs may have 32 KiB in memory: less than a piece, so that what nobody holds goes at once. */
static void open_with_drawer(struct world *w, struct drawer *d, void **state)
{
    static const struct hf_spill ops = {.moves_max = 4, .write = drawer_write, .read = drawer_read, .forget = drawer_forget};
    *d = (struct drawer){0};
    hf_list_init(&d->moves);
    world_open(w, state);
    const struct hf_blob_spill_settings s = {.ops = &ops, .ctx = d, .memory_max = 32768, .blob_max = 32768};
    assert_int_equal(hf_blob_pool_spill_to(hf_kernel_blobs(w->k), &s), HF_OK);
}
static void close_with_drawer(struct world *w, struct drawer *d)
{
    while (drawer_go(d))
        world_run(w);
    world_close(w);
    assert_int_equal(d->n_used, 0);
}
static struct hf_blob *alphabet(struct world *w, size_t n)
{
    uint8_t *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)('a' + i % 26);
    struct hf_blob *b = hf_blob_of_bytes_in(hf_kernel_blobs(w->k), hf_view(bytes, n));
    assert_non_null(b);
    free(bytes);
    return b;
}
/* Runs, and lets one move go whenever nothing runs any more, until request i is answered; how many went. */
static size_t run_with(struct world *w, struct drawer *d, size_t i)
{
    size_t moves = 0;
    for (world_run(w); w->requests[i].answers == 0; world_run(w), moves++)
        assert_true(drawer_go(d));
    return moves;
}

static void reads_from_a_file(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    uint32_t b = option_handle(guest_call(t, "current-blob", NULL, 0));
    CHECK(b != 0 && info_is(t, b, 2600000, true));
    CHECK(reads(t, b, 0, 5, "abcde"));
    CHECK(reads(t, b, 26 * 99999, 5, "abcde"));
    CHECK(reads(t, b, 26 * 50000 + 3, 4, "defg"));
    CHECK(reads(t, b, 65534, 5, "opqrs")); /* over two pieces */
    CHECK(reads(t, b, 2599999, 5, "z"));
    CALL(s, "blob.stream", H(b));
    uint32_t stream = (uint32_t)s->items[0].u64;
    DROP(b);
    CALL(first, "input-stream.blocking-read", H(stream), U(3));
    CHECK(first->tag == 0 && is_text(&first->items[0], "abc"));
    CALL(skipped, "input-stream.blocking-skip", H(stream), U(50000));
    CHECK(skipped->tag == 0);
    DROP(stream);
    SAID(R_OK, respond(t, &(struct parcel){.body = "done"}));
}
static void reads_wait_for_what_is_in_a_file(void **state)
{
    struct world w;
    struct drawer d;
    open_with_drawer(&w, &d, state);
    world_class(&w, "a", reads_from_a_file, NULL);
    struct hf_blob *blob = alphabet(&w, 2600000);
    while (drawer_go(&d))
        ;
    assert_true(hf_blob_memory(blob) <= 65536);
    size_t i = post_to(&w, "a/1", "go", blob);
    size_t moves = run_with(&w, &d, i);
    assert_true(moves >= 6 && moves <= 24); /* what is read, and what is next; no more of the 40 pieces */
    expect_answer(&w, i, "done");
    close_with_drawer(&w, &d);
}

static void finds_it_unreadable(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    uint32_t b = option_handle(guest_call(t, "current-blob", NULL, 0));
    CHECK(fails(guest_call(t, "blob.read", ARGS(H(b), U(100000), U(5))), BROKEN));
    SAID(R_OK, respond(t, &(struct parcel){.body = "broken"}));
}
static void one_that_cannot_be_read_back_is_broken(void **state)
{
    struct world w;
    struct drawer d;
    open_with_drawer(&w, &d, state);
    world_class(&w, "a", finds_it_unreadable, NULL);
    struct hf_blob *blob = alphabet(&w, 300000);
    while (drawer_go(&d))
        ;
    d.fails = true;
    size_t i = post_to(&w, "a/1", "go", blob);
    run_with(&w, &d, i);
    expect_answer(&w, i, "broken");
    close_with_drawer(&w, &d);
}

/* What `read` lent is the guest's only when its call is over: until then it stays, however little room there is. */
static void lends_and_presses(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    uint32_t b = option_handle(guest_call(t, "current-blob", NULL, 0));
    for (unsigned n = 0; n < 20; n++)
        CHECK(reads(t, b, 26 * 4000 * n, 30, "abcdefghijklmnopqrstuvwxyzabcd"));
    uint32_t other = blob_of(t, "something else");
    CHECK(reads(t, other, 0, 9, "something") && reads(t, b, 26, 3, "abc"));
    DROP(b);
    CHECK(reads(t, other, 10, 9, "else"));
    SAID(R_OK, respond(t, &(struct parcel){.body = "done"}));
}
static void what_was_lent_stays_until_the_call_is_over(void **state)
{
    struct world w;
    struct drawer d;
    open_with_drawer(&w, &d, state);
    world_class(&w, "a", lends_and_presses, NULL);
    struct hf_blob *blob = alphabet(&w, 2600000);
    while (drawer_go(&d))
        ;
    size_t i = post_to(&w, "a/1", "go", blob);
    run_with(&w, &d, i);
    expect_answer(&w, i, "done");
    close_with_drawer(&w, &d);
}

static void writes_on(struct guest *t)
{
    struct made m;
    static char piece[4097];
    memset(piece, 'x', 4096);
    RECEIVE(r, M_REQUEST);
    CHECK(make_writer(t, -1, &m));
    CALL(s, "blob.stream", H(m.blob)); /* the handle keeps it all */
    uint32_t stream = (uint32_t)s->items[0].u64;
    struct hf_value *wrote = NULL;
    for (unsigned n = 0; n < 100; n++) {
        wrote = writes(t, &m, piece);
        if (wrote == NULL || wrote->tag != 0)
            break;
        CALL(got, "input-stream.read", H(stream), U(8192));
        CHECK(got->tag == 0);
    }
    CHECK(wrote != NULL && is_failed(wrote));
    CALL(text, "error.to-debug-string", H((uint32_t)wrote->items[0].items[0].u64));
    CHECK(is_text(text, "more bytes are kept for the blob's handles than may be held here, and their file takes no more: the drawer is full"));
    SAID(R_OK, respond(t, &(struct parcel){.body = "told why"}));
}
static void a_writer_hears_that_the_file_is_full(void **state)
{
    struct world w;
    struct drawer d;
    open_with_drawer(&w, &d, state);
    d.full = true;
    world_class(&w, "a", writes_on, NULL);
    size_t i = post_to(&w, "a/1", "go", NULL);
    run_with(&w, &d, i);
    expect_answer(&w, i, "told why");
    close_with_drawer(&w, &d);
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
        cmocka_unit_test(reads_wait_for_what_is_in_a_file),
        cmocka_unit_test(one_that_cannot_be_read_back_is_broken),
        cmocka_unit_test(what_was_lent_stays_until_the_call_is_over),
        cmocka_unit_test(a_writer_hears_that_the_file_is_full),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
