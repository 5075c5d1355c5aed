/* keep_test.c - guests kept as bytes: every guest there is, saved after requests and made again in
 * another process, goes on as the saved one does; what objects they may keep meanwhile.
 */
#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

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

static bool load(const char *name)
{
    const char *dir = getenv("HF_GUESTS");
    char path[512], *bytes;
    snprintf(path, sizeof path, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        print_message("SKIP: keep_test: %s is not built\n", path);
        return false;
    }
    fseek(f, 0, SEEK_END);
    size_t len = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(len);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, len, f), len);
    fclose(f);
    struct hf_report report = {0};
    if (hf_component_load(base.engine, base.registry, hf_view(bytes, len), NULL, &base.component,
                          &report) != HF_OK)
        fail_msg("%s: %s", name, report.text);
    free(bytes);
    return true;
}

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
static int open_all(void **state);
static int close_all(void **state);

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
    if (open_all(NULL) != 0 || !load(name))
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
    close_all(NULL);
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
    if (!load(name))
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
    print_message("%s: %zu KiB kept, then %s", name, bytes.len / 1024, (char *)here.ptr);
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
    if (!load(name))
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
    refused("c-hostile", "/leakhandles", "it keeps a pollable");
}

static int open_all(void **state)
{
    struct hf_engine_settings es;
    struct hf_report report = {0};
    (void)state;
    hf_engine_process_init();
    hf_engine_settings_init(&es);
    const char *dir = getenv("HF_TEST_CACHE");
    es.cache_dir = dir != NULL ? dir : "build/code-cache";
    es.instances_max = 256;
    es.stacks_max = 32;
    enum hf_err err = hf_engine_new(&es, &base.engine, &report);
    world_signals();
    if (err != HF_OK || hf_host_registry(&base.registry, &report) != HF_OK) {
        print_message("%s\n", report.text);
        return -1;
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    hf_registry_free(base.registry);
    hf_engine_free(base.engine);
    return 0;
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
    cmocka_set_test_filter(getenv("HF_ONLY_TEST"));
    return cmocka_run_group_tests_name("keep", tests, open_all, close_all);
}
