/* replay_test.c - real guests are recorded while they serve, then run again with no host at all:
 * every host function and every drop there ends the program. What the guest would have sent is the
 * same to the last byte. */
#include "support.h"

#include <unistd.h>

#include "component/record.h"
#include "support_find.h"

/* ---- once a program: an engine, the real host's registry, and one of a host that must not be ----
 */

struct both {
    struct shared shared;        /* for world_open */
    struct hf_registry *nowhere; /* the same types; whatever is called in it aborts */
};

static void want(enum hf_err err, const struct hf_report *report)
{
    if (err != HF_OK)
        fail_msg("%s: %s", hf_err_text(err), report->text);
}

/* The one of the program: compiling a JavaScript guest takes half a minute. */
static const char *code_cache(char *out, size_t size)
{
    const char *own = getenv("HF_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own != NULL)
        snprintf(out, size, "%s/code", own);
    else if (xdg != NULL)
        snprintf(out, size, "%s/holdfast/code", xdg);
    else
        snprintf(out, size, "%s/.cache/holdfast/code", home != NULL ? home : ".");
    return out;
}

static int open_both(void **state)
{
    struct both *b = calloc(1, sizeof *b);
    struct hf_report report = {0};
    struct hf_engine_settings es;
    assert_non_null(b);
    char cache[512];
    hf_engine_settings_init(&es);
    es.instances_max = 64;
    es.cache_dir = code_cache(cache, sizeof cache);
    want(hf_engine_new(&es, &b->shared.engine, &report), &report);
    world_signals();
    want(hf_host_registry(&b->shared.registry, &report), &report);
    b->nowhere = nowhere_registry();
    *state = b;
    return 0;
}

static int close_both(void **state)
{
    struct both *b = *state;
    hf_registry_free(b->shared.registry);
    hf_registry_free(b->nowhere);
    hf_engine_free(b->shared.engine);
    free(b);
    return 0;
}

/* ---- a guest of the examples ---- */

static bool read_guest(const char *name, struct hf_buf *out)
{
    char path[512], chunk[65536];
    const char *dir = getenv("HF_GUESTS");
    snprintf(path, sizeof path, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        printf("SKIP: %s is not built\n", path);
        return false;
    }
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        assert_int_equal(hf_buf_add(out, chunk, n), HF_OK);
    fclose(f);
    return true;
}

static struct hf_component *load(struct both *b, struct hf_registry *reg, const struct hf_buf *wasm)
{
    struct hf_report report = {0};
    struct hf_component *c = NULL;
    want(hf_component_load(b->shared.engine, reg, hf_buf_view(wasm), NULL, &c, &report), &report);
    return c;
}

/* ---- recording ---- */

struct take {
    struct both *both;
    struct hf_buf wasm;
    struct hf_recorder *recorder; /* of the one instance */
    struct hf_buf record;
    struct hf_buf body; /* of the last answer */
};

static void on_instance(void *ctx, struct hf_instance *inst)
{
    struct take *k = ctx;
    assert_null(k->recorder);
    assert_int_equal(hf_recorder_new(inst, 0, &k->recorder), HF_OK);
}

static void record_with(void **state, const char *name, struct take *k,
                        void (*play)(struct world *w, struct take *k))
{
    struct both *b = *state;
    struct world w;
    struct shared mine = b->shared, *p = &mine;
    *k = (struct take){.both = b};
    if (!read_guest(name, &k->wasm))
        skip();
    mine.component = load(b, b->shared.registry, &k->wasm);
    world_open_with(&w, (void **)&p,
                    &(struct world_settings){.on_instance = on_instance, .on_instance_ctx = k});
    play(&w, k);
    world_close(&w);
    assert_int_equal(hf_buf_add_view(&k->record, hf_recorder_bytes(k->recorder)), HF_OK);
    hf_recorder_free(k->recorder);
    hf_component_unref(mine.component);
}

/* Requests that are answered with 200, one after the other. */
static void serve(struct world *w, struct take *k, const struct req *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = post_with(w, NULL, &rows[i]);
        world_run(w);
        for (int t = 0; t < 200 && w->requests[at].answers == 0; t++)
            world_pass(w, 20 * MS);
        if (status(w, at) != 200)
            fail_msg("no answer: %s", (const char *)w->requests[at].head_bytes.ptr);
        const char *text = take_all(w, at);
        for (int t = 0; t < 200 && w->requests[at].end == HF_AGAIN; t++) {
            world_pass(w, 20 * MS);
            text = take_all(w, at);
        }
        assert_int_equal(w->requests[at].end, HF_CLOSED);
        hf_buf_clear(&k->body);
        assert_int_equal(hf_buf_add_text(&k->body, text), HF_OK);
    }
}

static void play_one(struct world *w, struct take *k)
{
    serve(w, k, &(struct req){.path = "/one"}, 1);
}

static void play_two(struct world *w, struct take *k)
{
    static const struct req rows[] = {{.path = "/one"}, {.path = "/two", .fields = "x: y\n"}};
    serve(w, k, rows, 2);
}

/* A body that comes in pieces: the guest waits for each, and for room to write. */
static void play_stream(struct world *w, struct take *k)
{
    size_t at = post_with(w, NULL, &(struct req){.method = "POST", .stream = true});
    world_run(w);
    for (int i = 0; i < 5; i++) {
        feed(w, at, "a piece of it\n");
        assert_non_null(take(w, at, 9));
    }
    feed_end(w, at);
    assert_int_equal(hf_buf_add_text(&k->body, take_all(w, at)), HF_OK);
    assert_int_equal(k->body.len, 5 * 14);
}

static const char *hostile_path; /* what play_hostile asks for */

static void play_hostile(struct world *w, struct take *k)
{
    size_t at = post_with(w, NULL, &(struct req){.path = hostile_path});
    (void)k;
    world_run(w);
    world_pass(w, 1 * S);
    if (w->requests[at].blob != NULL)
        take_all(w, at);
}

static void play_leave(struct world *w, struct take *k)
{
    size_t at = post_with(w, NULL, &(struct req){.path = "/sleepforever"});
    (void)k;
    world_run(w);
    assert_int_equal(w->requests[at].answers, 0);
    leave(w, at);
    world_run(w);
}

static void take_done(struct take *k)
{
    hf_buf_done(&k->wasm);
    hf_buf_done(&k->record);
    hf_buf_done(&k->body);
}

/* ---- replaying ---- */

struct seen {
    struct hf_buf written; /* what went to output streams, all requests */
    unsigned drops, exports;
};

/* The bytes of `output-stream.write` and its kin: a handle, then list<u8>. */
static void on_answered(void *ctx, const struct hf_record_entry *e)
{
    struct seen *s = ctx;
    struct hf_reader r = hf_reader(e->bytes);
    s->drops += e->kind == HF_CROSS_DROP;
    s->exports += e->kind == HF_CROSS_EXPORT;
    if (!hf_view_starts(e->func, HF_VIEW("[method]output-stream.")) ||
        memmem(e->func.ptr, e->func.len, "write", 5) == NULL ||
        hf_view_ends(e->func, HF_VIEW("check-write")))
        return;
    hf_read_u32le(&r);
    assert_int_equal(hf_buf_add_view(&s->written, hf_read_name(&r)), HF_OK);
}

struct run {
    struct hf_component *component;
    struct hf_instance *inst;
    struct hf_replay *replay;
    struct seen seen;
    enum hf_err last;
};

static void run_open(struct run *r, struct both *b, const struct hf_buf *wasm,
                     struct hf_view record)
{
    struct hf_report report = {0};
    *r = (struct run){.component = load(b, b->nowhere, wasm)};
    want(hf_instance_new(r->component, NULL, &r->inst, &report), &report);
    want(hf_replay_new(r->inst, record, false, &r->replay, &report), &report);
    hf_replay_watch(r->replay, on_answered, &r->seen);
}

/* All that is recorded. Nothing waits: whatever is not the end is a slice used up. */
static void run_all(struct run *r)
{
    struct hf_report report = {0};
    enum hf_err err;
    while ((err = hf_replay_next(r->replay, &report)) == HF_OK) {
        while ((r->last = hf_instance_poll(r->inst)) == HF_AGAIN)
            assert_int_equal(hf_instance_why(r->inst), HF_WHY_SLICE);
        if (r->last != HF_OK)
            break;
    }
    if (r->last == HF_OK && err != HF_CLOSED)
        fail_msg("%s", report.text);
}

static void run_done(struct run *r)
{
    hf_instance_free(r->inst);
    hf_replay_free(r->replay);
    hf_component_unref(r->component);
    hf_buf_done(&r->seen.written);
}

static void no_difference(const struct run *r)
{
    const struct hf_report *d = hf_replay_difference(r->replay);
    if (d != NULL)
        fail_msg("%s", d->text);
}

static void record_and_replay(void **state, const char *name, const char *says, unsigned requests)
{
    struct take k;
    struct run r;
    record_with(state, name, &k, requests == 1 ? play_one : play_two);
    assert_non_null(strstr((char *)k.body.ptr, says));
    run_open(&r, *state, &k.wasm, hf_buf_view(&k.record));
    run_all(&r);
    no_difference(&r);
    assert_int_equal(r.last, HF_OK);
    assert_int_equal(r.seen.exports, requests);
    assert_true(r.seen.drops > 0);
    struct hf_buf twice = {0};
    assert_int_equal(
        hf_buf_printf(&twice, "%s%s", k.body.ptr, requests == 1 ? "" : (char *)k.body.ptr), HF_OK);
    assert_string_equal((char *)r.seen.written.ptr, (char *)twice.ptr);
    printf("%s: %zu bytes of record, %llu entries\n", name, k.record.len,
           (unsigned long long)hf_replay_entries(r.replay));
    hf_buf_done(&twice);
    run_done(&r);
    take_done(&k);
}

static void c_hello(void **state)
{
    record_and_replay(state, "c-hello", "Hello from C\n", 2);
}

static void js_hello(void **state)
{
    record_and_replay(state, "js-hello", "Hello from JavaScript\n", 2);
}

static void js_fetch(void **state)
{
    record_and_replay(state, "js-fetch", "Hello from JavaScript\n", 1); /* takes one only */
}

static void python_hello(void **state)
{
    record_and_replay(state, "python-hello", "Hello from ", 2);
}

static void rust_hello(void **state)
{
    record_and_replay(state, "rust-hello", "Hello from ", 2);
}

/* ---- waiting, traps, cancels ---- */

static void nothing_waits_in_a_replay(void **state)
{
    struct take k;
    struct run r;
    record_with(state, "c-echo", &k, play_stream);
    run_open(&r, *state, &k.wasm, hf_buf_view(&k.record));
    run_all(&r); /* which wants no block */
    no_difference(&r);
    assert_int_equal(r.last, HF_OK);
    assert_string_equal((char *)r.seen.written.ptr, (char *)k.body.ptr);
    run_done(&r);
    take_done(&k);
}

static void traps_come_again(void **state)
{
    static const struct {
        const char *path, *text;
    } rows[] = {
        {"/in-body", "unreachable"},       /* the guest's own */
        {"/drop-twice", "unknown handle"}, /* the canonical ABI's */
        {"/drop-parent", "its child"},     /* the host's, dropping */
        {"/poll-nothing", "poll"},         /* the host's */
        {"/set-twice", ""},
        {"/bad-pointer", "out-of-bounds"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct take k;
        struct run r;
        hostile_path = rows[i].path;
        record_with(state, "c-hostile", &k, play_hostile);
        run_open(&r, *state, &k.wasm, hf_buf_view(&k.record));
        run_all(&r);
        no_difference(&r);
        assert_int_equal(r.last, HF_TRAP);
        if (strstr(hf_instance_report(r.inst)->text, rows[i].text) == NULL)
            fail_msg("%s: %s", rows[i].path, hf_instance_report(r.inst)->text);
        run_done(&r);
        take_done(&k);
    }
}

static void a_cancel_comes_again(void **state)
{
    struct take k;
    struct run r;
    record_with(state, "c-hostile", &k, play_leave);
    run_open(&r, *state, &k.wasm, hf_buf_view(&k.record));
    run_all(&r);
    no_difference(&r);
    assert_int_equal(r.last, HF_CANCELLED);
    assert_true(hf_instance_dead(r.inst));
    run_done(&r);
    take_done(&k);
}

/* ---- differences ---- */

/* A replay of `record` must stop with a difference of this kind and these words. */
static void differs_with(struct both *b, const struct take *k, const struct hf_buf *record,
                         enum hf_err kind, const char *text)
{
    struct run r;
    run_open(&r, b, &k->wasm, hf_buf_view(record));
    run_all(&r);
    const struct hf_report *d = hf_replay_difference(r.replay);
    if (d == NULL || d->err != kind || strstr(d->text, text) == NULL)
        fail_msg("%s: %s; wanted %s: %s", d == NULL ? "none" : hf_err_text(d->err),
                 d == NULL ? "" : d->text, hf_err_text(kind), text);
    assert_int_equal(r.last, HF_TRAP);
    assert_non_null(strstr(hf_instance_report(r.inst)->text, "the replay differs: "));
    run_done(&r);
}

static uint8_t *find(struct hf_buf *b, const char *text)
{
    uint8_t *p = memmem(b->ptr, b->len, text, strlen(text));
    assert_non_null(p);
    return p;
}

static void a_difference_is_told_exactly(void **state)
{
    struct take k;
    record_with(state, "c-hello", &k, play_one);
    *find(&k.record, "Hello from C") = 'h'; /* an argument */
    differs_with(*state, &k, &k.record, HF_INVALID,
                 "the import wasi:io/streams@0.2.12#[method]output-stream.write: arguments differ "
                 "from byte 5 of 18: recorded is 68 65 6c 6c");
    *find(&k.record, "hello from C") = 'H';
    memcpy(find(&k.record, "outgoing-response.body"), "outgoing-response.bodi", 22);
    differs_with(
        *state, &k, &k.record, HF_INVALID,
        "recorded is the import wasi:http/types@0.2.12#[method]outgoing-response.bodi; now it "
        "is the import wasi:http/types@0.2.12#[method]outgoing-response.body");
    take_done(&k);
}

/* A record that ends early, at every byte: said, and nothing else happens. One that is damaged, at
 * every byte: never a crash, never the host. */
static void records_that_are_cut_or_damaged(void **state)
{
    struct take k;
    struct hf_record_reader reader;
    struct hf_record_entry e;
    const uint8_t *hash;
    unsigned closed = 0, unknown = 0, corrupt = 0, whole = 0;
    record_with(state, "c-hello", &k, play_one);
    assert_int_equal(hf_record_open(&reader, hf_buf_view(&k.record), &hash, NULL), HF_OK);
    size_t len = k.record.len;
    for (size_t cut = HF_RECORD_HEADER_LEN; cut < len; cut++) {
        struct run r;
        run_open(&r, *state, &k.wasm, hf_view(k.record.ptr, cut));
        struct hf_report report = {0};
        enum hf_err err;
        while ((err = hf_replay_next(r.replay, &report)) == HF_OK) {
            while ((err = hf_instance_poll(r.inst)) == HF_AGAIN)
                ;
            if (err != HF_OK)
                break;
        }
        const struct hf_report *d = hf_replay_difference(r.replay);
        err = d != NULL ? d->err : err;
        closed += err == HF_CLOSED;
        unknown += err == HF_UNKNOWN;
        corrupt += err == HF_CORRUPT;
        if (err != HF_CLOSED && err != HF_UNKNOWN && err != HF_CORRUPT)
            fail_msg("cut at %zu: %s", cut, hf_err_text(err));
        run_done(&r);
    }
    while (hf_record_next(&reader, &e, NULL) == HF_OK)
        whole++;
    assert_int_equal(closed + unknown, whole); /* the cuts between entries */
    assert_true(unknown >= whole / 2 - 4);     /* in the middle of each import */
    assert_true(corrupt > whole);
    for (size_t at = HF_RECORD_HEADER_LEN; at < len; at++) {
        struct run r;
        k.record.ptr[at] ^= 0x41;
        run_open(&r, *state, &k.wasm, hf_buf_view(&k.record));
        struct hf_report report = {0};
        for (int n = 0; n < 10 && hf_replay_next(r.replay, &report) == HF_OK; n++)
            for (int i = 0; i < 100 && hf_instance_poll(r.inst) == HF_AGAIN; i++)
                ;
        run_done(&r);
        k.record.ptr[at] ^= 0x41;
    }
    take_done(&k);
}

static void other_code_is_refused_or_compared(void **state)
{
    struct take k;
    struct both *b = *state;
    struct hf_buf other = {0};
    struct hf_report report = {0};
    struct hf_replay *rp;
    record_with(state, "c-hello", &k, play_one);
    if (!read_guest("c-counter", &other))
        skip();
    struct hf_component *c = load(b, b->nowhere, &other);
    struct hf_instance *inst;
    want(hf_instance_new(c, NULL, &inst, &report), &report);
    assert_int_equal(hf_replay_new(inst, hf_buf_view(&k.record), false, &rp, &report), HF_INVALID);
    assert_string_equal(report.text, "the record is of another component");
    report = (struct hf_report){0};
    want(hf_replay_new(inst, hf_buf_view(&k.record), true, &rp, &report), &report);
    enum hf_err err = HF_OK;
    while (err == HF_OK && hf_replay_next(rp, &report) == HF_OK)
        while ((err = hf_instance_poll(inst)) == HF_AGAIN)
            ;
    assert_int_equal(err, HF_TRAP);
    assert_non_null(hf_replay_difference(rp));
    assert_non_null(strstr(hf_replay_difference(rp)->text, "; now it is "));
    hf_instance_free(inst);
    hf_replay_free(rp);
    hf_component_unref(c);
    hf_buf_done(&other);
    take_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_hello),
        cmocka_unit_test(js_hello),
        cmocka_unit_test(js_fetch),
        cmocka_unit_test(python_hello),
        cmocka_unit_test(rust_hello),
        cmocka_unit_test(nothing_waits_in_a_replay),
        cmocka_unit_test(traps_come_again),
        cmocka_unit_test(a_cancel_comes_again),
        cmocka_unit_test(a_difference_is_told_exactly),
        cmocka_unit_test(records_that_are_cut_or_damaged),
        cmocka_unit_test(other_code_is_refused_or_compared),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
