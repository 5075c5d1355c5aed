/* keep_test.c - guests kept as bytes: every guest there is, saved after requests and made again in
 * another process, goes on as the saved one does; what objects they may keep meanwhile.
 */
#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "support_guests.h"
#include "tests/state.h"

static struct shared base; /* engine and registry; component: of the guest in hand */

/* ---- a behaviour that begins with a saved guest, where there is one ---- */

static struct hf_view saved; /* empty: start as usual */
static struct hf_guest *last;

static enum hf_end keep_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    if (saved.len == 0)
        return hf_service_behaviour.start(class_ctx, turn, state);
    if (hf_service_behaviour.load(class_ctx, saved, state) != HF_OK) {
        hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("it cannot be loaded"));
        return HF_END_FAILED;
    }
    hf_turn_set_selective(turn, true);
    return HF_END_DONE;
}
static enum hf_end keep_turn(void *state, struct hf_turn *turn)
{
    last = state;
    return hf_service_behaviour.turn(state, turn);
}
static enum hf_end keep_resume(void *state, struct hf_turn *turn)
{
    return hf_service_behaviour.resume(state, turn);
}
static void keep_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    hf_service_behaviour.cancel(state, turn, why);
}
static void keep_stop(void *state)
{
    hf_service_behaviour.stop(state);
}
static const struct hf_behaviour kept = {.name = "kept",
                                         .start = keep_start,
                                         .turn = keep_turn,
                                         .resume = keep_resume,
                                         .cancel = keep_cancel,
                                         .stop = keep_stop};

/* ---- one guest ---- */

static void open_world(struct world *w)
{
    void *st = &base;
    world_open_with(w, &st, &(struct world_settings){.behaviour = &kept});
}

/* Status and body of one answer. */
static void ask(struct world *w, const char *path, struct hf_buf *ret)
{
    size_t i = post_with(w, NULL, &(struct req){.path = path, .body = "some bytes"});
    world_run(w);
    for (int s = 0; s < 100 && w->requests[i].answers == 0; s++)
        world_pass(w, 100 * MS);
    const char *text = w->requests[i].kind == HF_ANSWER_OK ? take_all(w, i) : "";
    for (int s = 0; s < 100 && w->requests[i].end == HF_AGAIN; s++) {
        world_pass(w, 20 * MS);
        text = take_all(w, i);
    }
    assert_int_equal(
        hf_buf_printf(ret, "%s %u %s\n", hf_answer_text(w->requests[i].kind), status(w, i), text),
        HF_OK);
}

static void ask_more(struct world *w, const char *path, struct hf_buf *ret)
{
    for (int n = 0; n < 3; n++)
        ask(w, path, ret);
    assert_int_equal(hf_buf_printf(ret, "%u handles\n", hf_instance_handles(last->inst)), HF_OK);
}

/* ---- the other process ---- */

static const char *program;

/* "keep_test GUEST PATH": a saved guest on stdin, what it answers on stdout. */
static int child(const char *name, const char *path)
{
    struct hf_buf bytes = {0}, text = {0};
    struct world w;
    uint8_t chunk[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0)
        if (hf_buf_add(&bytes, chunk, (size_t)n) != HF_OK)
            return 2;
    if (guests_open(NULL) != 0 || !guests_load(name, &base))
        return 3;
    saved = hf_buf_view(&bytes);
    open_world(&w);
    ask_more(&w, path, &text);
    n = write(STDOUT_FILENO, text.ptr, text.len);
    world_close(&w);
    hf_component_unref(base.component);
    hf_buf_done(&bytes);
    bool all = n == (ssize_t)text.len;
    hf_buf_done(&text);
    guests_close(NULL);
    return all ? 0 : 4;
}

static void run_child(const char *name, const char *path, struct hf_view in, struct hf_buf *out)
{
    FILE *file = tmpfile();
    int back[2], status_of;
    char chunk[4096];
    ssize_t n;
    assert_non_null(file);
    assert_int_equal(fwrite(in.ptr, 1, in.len, file), in.len);
    rewind(file);
    assert_int_equal(pipe(back), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fileno(file), STDIN_FILENO);
        dup2(back[1], STDOUT_FILENO);
        close(back[0]);
        close(back[1]);
        execl(program, program, name, path, (char *)NULL);
        _exit(99);
    }
    close(back[1]);
    fclose(file);
    while ((n = read(back[0], chunk, sizeof chunk)) > 0)
        assert_int_equal(hf_buf_add(out, chunk, (size_t)n), HF_OK);
    close(back[0]);
    assert_int_equal(waitpid(pid, &status_of, 0), pid);
    assert_true(WIFEXITED(status_of));
    assert_int_equal(WEXITSTATUS(status_of), 0);
}

static void goes_on(const char *name, const char *path)
{
    struct world w, v;
    struct hf_buf bytes = {0}, first = {0}, here = {0}, there = {0}, again = {0};
    if (!guests_load(name, &base))
        return;
    saved = (struct hf_view){0};
    open_world(&w);
    ask(&w, path, &first);
    ask(&w, path, &first);
    if (hf_service_behaviour.save(last, &bytes) != HF_OK)
        fail_msg("%s: %s", name, (char *)w.log.ptr);
    struct hf_guest *original = last;
    /* In this process: the same in every byte, and the same bytes when it is saved again. */
    saved = hf_buf_view(&bytes);
    struct hf_guest *twin = NULL;
    open_world(&v);
    assert_int_equal(hf_service_behaviour.load(v.worker, saved, (void **)&twin), HF_OK);
    assert_int_equal(hf_service_behaviour.save(twin, &again), HF_OK);
    assert_true(hf_view_eq(hf_buf_view(&again), saved)); /* first: looking maps pages */
    assert_string_equal(state_differs_from(original->inst, twin->inst), "");
    hf_service_behaviour.stop(twin);
    world_close(&v);
    /* In another one. */
    run_child(name, path, saved, &there);
    saved = (struct hf_view){0};
    last = original;
    ask_more(&w, path, &here);
    assert_string_equal((char *)here.ptr, (char *)there.ptr);
    print_message("%s %s: %zu KiB kept\n", name, path, bytes.len / 1024);
    world_close(&w);
    hf_component_unref(base.component);
    hf_buf_done(&bytes);
    hf_buf_done(&first);
    hf_buf_done(&here);
    hf_buf_done(&there);
    hf_buf_done(&again);
}

static void c_guests_go_on(void **state)
{
    (void)state;
    goes_on("c-hello", "/");
    goes_on("c-counter", "/");
    goes_on("c-echo", "/");
    goes_on("c-slow", "/");
    goes_on("c-hostile", "/grow");
    goes_on("c-hostile", "/count");
    goes_on("c-hostile", "/remember");
    goes_on("c-hostile", "/print");
}
static void rust_guests_go_on(void **state)
{
    (void)state;
    goes_on("rust-hello", "/");
}
static void js_guests_go_on(void **state)
{
    (void)state;
    goes_on("js-hello", "/");
    goes_on("js-counter", "/");
}
static void python_guests_go_on(void **state)
{
    (void)state;
    goes_on("python-hello", "/");
}

/* ---- what objects may be kept ---- */

static void refused(const char *name, const char *path, const char *text)
{
    struct world w;
    struct hf_buf bytes = {0}, answer_text = {0};
    if (!guests_load(name, &base))
        return;
    saved = (struct hf_view){0};
    open_world(&w);
    ask(&w, path, &answer_text);
    assert_int_equal(hf_service_behaviour.save(last, &bytes), HF_UNSUPPORTED);
    assert_non_null(strstr((char *)w.log.ptr, text));
    assert_int_equal(bytes.len, 0);
    world_close(&w);
    hf_component_unref(base.component);
    hf_buf_done(&bytes);
    hf_buf_done(&answer_text);
}

static void what_cannot_be_kept_is_named(void **state)
{
    (void)state;
    refused("c-hostile", "/leakhandles", "it keeps a host object, pollable, that");
}

/* ---- recipes, with scripts for guests ---- */

static void keeps_all(struct guest *t)
{
    CALL(in, "get-stdin");
    CALL(out, "get-stdout");
    CALL(err, "get-stderr");
    CALL(net, "instance-network");
    CALL(h, "incoming-request.headers", H(t->request));
    uint32_t own = new_fields(t, "a: b\nc: d\n");
    CALL(closed, "input-stream.read", H((uint32_t)in->u64), U(1));
    CALL(permit, "output-stream.check-write", H((uint32_t)err->u64));
    DO("output-stream.blocking-write-and-flush", H((uint32_t)out->u64), T("no end of line"));
    CHECK(answer(t, "kept"));
    t->w->kept[0] = (uint32_t)in->u64;
    t->w->kept[1] = (uint32_t)out->u64;
    t->w->kept[2] = (uint32_t)err->u64;
    t->w->kept[3] = (uint32_t)h->u64;
    t->w->kept[4] = own;
    t->w->kept[5] = t->request;
}

/* In the guest made again, under the same numbers. */
static void uses_all(struct guest *t)
{
    CALL(read, "input-stream.read", H(t->w->kept[0]), U(1));
    CHECK(is_closed(read));
    DO("output-stream.blocking-write-and-flush", H(t->w->kept[1]), T("to stdout\n"));
    DO("output-stream.write", H(t->w->kept[2]), T("to stderr\n")); /* with the permit it had */
    CALL(host, "fields.get", H(t->w->kept[3]), T("x-mine"));
    CHECK(host->len == 1 && is_text(&host->items[0], "yes"));
    CALL(refused_set, "fields.append", H(t->w->kept[3]), T("k"), T("v"));
    CHECK_INT(refused_set->tag, 1); /* still immutable */
    CALL(mine, "fields.get", H(t->w->kept[4]), T("c"));
    CHECK(mine->len == 1 && is_text(&mine->items[0], "d"));
    CALL(set, "fields.append", H(t->w->kept[4]), T("k"), T("v"));
    CHECK_INT(set->tag, 0);
    CALL(path, "incoming-request.path-with-query", H(t->w->kept[5]));
    CHECK(path->tag == 1 && is_text(&path->items[0], "/first?x=1"));
    CALL(body, "incoming-request.consume", H(t->w->kept[5]));
    CHECK_INT(body->tag, 0); /* it had not been: there is one, and it is empty */
    CHECK(answer(t, "used"));
}

static const struct req first = {
    .path = "/first?x=1", .fields = "x-mine: yes\n", .body = "never read"};

/* A guest of a script, saved after its first request. */
static void save_script(struct world *w, void **state, script_fn script, struct hf_buf *bytes)
{
    saved = (struct hf_view){0};
    world_open_with(w, state, &(struct world_settings){.behaviour = &kept});
    size_t i = post_with(w, script, &first);
    world_run(w);
    assert_string_equal(take_all(w, i), "kept");
    hf_buf_clear(&w->log);
    enum hf_err err = hf_service_behaviour.save(last, bytes);
    if (err != HF_OK)
        assert_int_equal(err, HF_UNSUPPORTED);
}

static void objects_are_made_again(void **state)
{
    struct world w, v;
    struct hf_buf bytes = {0};
    save_script(&w, state, keeps_all, &bytes);
    assert_true(bytes.len > 0);
    saved = hf_buf_view(&bytes);
    world_open_with(&v, state, &(struct world_settings){.behaviour = &kept});
    memcpy(v.kept, w.kept, sizeof v.kept);
    struct hf_guest *before = last;
    size_t i = post(&v, uses_all);
    world_run(&v);
    assert_string_equal(take_all(&v, i), "used");
    assert_non_null(strstr((char *)v.log.ptr, "stdout s: to stdout\n"));
    assert_non_null(strstr((char *)v.log.ptr, "stderr s: to stderr\n"));
    assert_true(last != before && last->seed[0] == before->seed[0] && /* which it may remember */
                last->seed[1] == before->seed[1]);
    world_close(&v);
    world_close(&w);
    hf_buf_done(&bytes);
}

static void keeps_body(struct guest *t)
{
    uint32_t body;
    CHECK(body_stream(t, &body) != 0 && answer(t, "kept"));
}
static void keeps_timer(struct guest *t)
{
    CHECK(subscribe_ns(t, 5 * S) != 0 && answer(t, "kept"));
}
static void keeps_response(struct guest *t)
{
    CHECK(answer(t, "kept") && new_response(t, "") != 0);
}
static void keeps_subscription(struct guest *t)
{
    CALL(out, "get-stdout");
    CALL(p, "output-stream.subscribe", H((uint32_t)out->u64));
    CHECK(answer(t, "kept"));
}

static void objects_that_cannot_be_are_named(void **state)
{
    static const struct {
        script_fn script;
        const char *text;
    } cases[] = {
        {keeps_body, "it keeps a host object, incoming-body, that"},
        {keeps_timer, "it keeps a host object, pollable, that"},
        {keeps_response, "it keeps a host object, outgoing-response"},
        {keeps_subscription, "event s: it keeps an output-stream that belongs to another object"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct world w;
        struct hf_buf bytes = {0};
        save_script(&w, state, cases[i].script, &bytes);
        assert_int_equal(bytes.len, 0);
        if (w.log.ptr == NULL || strstr((char *)w.log.ptr, cases[i].text) == NULL)
            fail_msg("%s: not: %s", w.log.ptr == NULL ? "" : (char *)w.log.ptr, cases[i].text);
        world_close(&w);
        hf_buf_done(&bytes);
    }
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Any byte of a saved guest: as it is refused; with the checksums mended (image_file.c), it is
 * refused or makes a guest that ends well. */
static void damaged_guests(void **state)
{
    struct world w;
    struct hf_buf bytes = {0};
    struct hf_guest *g;
    unsigned taken = 0, refused_n = 0;
    enum { IMAGE = 28, STATE = IMAGE + 208, STATE_LEN = IMAGE + 192 };
    save_script(&w, state, keeps_all, &bytes);
    uint32_t len = (uint32_t)bytes.ptr[STATE_LEN] | (uint32_t)bytes.ptr[STATE_LEN + 1] << 8;
    for (size_t i = 0; i < bytes.len; i += i < STATE + len ? 1 : 61) {
        bytes.ptr[i] ^= 0x11;
        enum hf_err err = hf_service_behaviour.load(w.worker, hf_buf_view(&bytes), (void **)&g);
        if (err != HF_CORRUPT)
            fail_msg("byte %zu: %s", i, hf_err_text(err));
        if (i >= STATE && i < STATE + len - 4) {
            put_u32(bytes.ptr + STATE + len - 4, hf_crc32c(0, bytes.ptr + STATE, len - 4));
            err = hf_service_behaviour.load(w.worker, hf_buf_view(&bytes), (void **)&g);
            if (err == HF_OK)
                hf_service_behaviour.stop(g);
            taken += err == HF_OK;
            refused_n += err != HF_OK;
        }
        bytes.ptr[i] ^= 0x11;
        if (i >= STATE && i < STATE + len - 4)
            put_u32(bytes.ptr + STATE + len - 4, hf_crc32c(0, bytes.ptr + STATE, len - 4));
        hf_buf_clear(&w.log);
    }
    assert_true(taken > 20 && refused_n > 50);
    world_close(&w);
    hf_buf_done(&bytes);
}

static void waits_for_a_body(struct guest *t)
{
    uint32_t body, in = body_stream(t, &body);
    DO("input-stream.blocking-read", H(in), U(1));
    CHECK(answer(t, "kept"));
}

static void a_guest_at_work_is_not_saved(void **state)
{
    struct world w;
    struct hf_buf bytes = {0};
    saved = (struct hf_view){0};
    world_open_with(&w, state, &(struct world_settings){.behaviour = &kept});
    size_t i = post_with(&w, waits_for_a_body, &(struct req){.stream = true});
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 0);
    assert_int_equal(hf_service_behaviour.save(last, &bytes), HF_INVALID);
    assert_non_null(strstr((char *)w.log.ptr, "a guest is saved between its calls only"));
    feed(&w, i, "x"); /* it goes on undisturbed */
    feed_end(&w, i);
    assert_string_equal(take_all(&w, i), "kept");
    world_close(&w);
    hf_buf_done(&bytes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_guests_go_on),
        cmocka_unit_test(rust_guests_go_on),
        cmocka_unit_test(js_guests_go_on),
        cmocka_unit_test(python_guests_go_on),
        cmocka_unit_test(what_cannot_be_kept_is_named),
    };
    program = argv[0];
    if (argc == 3)
        return child(argv[1], argv[2]);
    const struct CMUnitTest scripts[] = {
        cmocka_unit_test(objects_are_made_again),
        cmocka_unit_test(objects_that_cannot_be_are_named),
        cmocka_unit_test(damaged_guests),
        cmocka_unit_test(a_guest_at_work_is_not_saved),
    };
    cmocka_set_test_filter(getenv("HF_ONLY_TEST"));
    int bad = cmocka_run_group_tests_name("keep", tests, guests_open, guests_close);
    return bad + cmocka_run_group_tests_name("keep_scripts", scripts, shared_open, shared_close);
}
