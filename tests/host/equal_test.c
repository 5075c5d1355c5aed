/* equal_test.c - every guest there is, under per-request: whatever a request did - ended well,
 * trapped, was cancelled, lost its client or its body, grew its memory - the next one finds an
 * instance that equals the template's image in every byte, global, handle and flag, or a new one.
 *
 * A behaviour of the test's stands before the service's: when a request begins it looks at the
 * instance before the guest does. Misdeeds that a guest cannot do itself are done to it at one of
 * its imports, through the membrane's hook.
 *
 * Tables of functions: elements and sizes of those that a module exports are compared with what
 * they were when the instance was new; the others no code can change (the static gate lets no such
 * instruction pass). Fuel is off; of the epoch, nothing is an instance's but its slice.
 */
#include "support.h"

#include "engine/engine_int.h"
#include "tests/state.h"

/* ---- what is watched ---- */

enum deed { NOTHING, TRAP, GROW };
#define TABLE_MAX 8192 /* elements looked at */

struct watch {
    const struct hf_image *image; /* NULL: none is possible */
    enum deed deed;               /* at the `at`-th import of the next request */
    unsigned at, imports;
    struct hf_guest *guest; /* that the next two are of */
    size_t objects;         /* it had when it was new */
    uint64_t tables;        /* hash of its tables then */
    unsigned equal, fresh;  /* requests that found an instance put back; a new one */
    char wrong[300];
};
static struct watch watch;

static size_t count_objects(const struct hf_guest *g)
{
    size_t n = 0;
    HF_LIST_FOR (it, &g->objects)
        n++;
    return n;
}

static void mix(uint64_t *h, const void *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        *h = (*h ^ ((const uint8_t *)p)[i]) * UINT64_C(0x100000001b3);
}

/* Sizes and elements of every table that a core instance exports. */
static uint64_t hash_tables(struct hf_instance *inst)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    wasmtime_context_t *cx = inst->store->cx;
    for (uint32_t i = 0; i < inst->program->n_core_instances; i++) {
        const wasmtime_instance_t *core = (const wasmtime_instance_t *)&inst->cores[i];
        wasmtime_extern_t e;
        char *name;
        size_t len;
        for (size_t k = 0; wasmtime_instance_export_nth(cx, core, k, &name, &len, &e); k++) {
            if (e.kind == WASMTIME_EXTERN_TABLE) {
                uint64_t size = wasmtime_table_size(cx, &e.of.table);
                mix(&h, &size, sizeof size);
                for (uint64_t at = 0; at < size && at < TABLE_MAX; at++) {
                    wasmtime_val_t v;
                    if (wasmtime_table_get(cx, &e.of.table, at, &v) && v.kind == WASMTIME_FUNCREF)
                        mix(&h, &v.of.funcref, sizeof v.of.funcref);
                }
            }
            wasmtime_extern_delete(&e);
        }
    }
    return h;
}

static void note(const char *text)
{
    if (watch.wrong[0] == '\0')
        snprintf(watch.wrong, sizeof watch.wrong, "%s", text);
}

static void note_objects(const struct hf_guest *g)
{
    char text[200];
    int n = snprintf(text, sizeof text,
                     "host objects are left (it had %zu when it was new):", watch.objects);
    HF_LIST_FOR (it, &g->objects)
        if (n < (int)sizeof text)
            n += snprintf(text + n, sizeof text - (size_t)n, " %s",
                          HF_LIST_ENTRY(it, struct hf_obj, in_guest)->kind);
    note(text);
}

/* The host's side of an instance between requests. */
static void check_host(const struct hf_guest *g)
{
    const struct hf_store *s = g->inst->store;
    if (g->http != NULL || g->exited || g->stream_error != NULL || !hf_list_empty(&g->lazy) ||
        g->out.len != 0 || g->err.len != 0)
        note("the guest's host state is not at rest");
    if (s->dying || s->future != NULL || s->on_fiber || s->off_depth != 0 || s->suspect)
        note("the store is not at rest");
    if (s->slice_ticks != s->engine->settings.slice_ticks)
        note("the slice is another one");
}

static void look(struct hf_guest *g, const struct hf_turn *turn)
{
    check_host(g);
    if (hf_turn_served(turn) <= 1) { /* this request is its first */
        watch.fresh++;
        watch.guest = g;
        watch.objects = count_objects(g);
        watch.tables = hash_tables(g->inst);
        return;
    }
    watch.equal++;
    if (watch.image == NULL)
        note("there is no image, but an instance served twice");
    else
        note(state_differs_from_image(g->inst, watch.image));
    if (watch.guest == g && count_objects(g) != watch.objects)
        note_objects(g);
    if (watch.guest == g && hash_tables(g->inst) != watch.tables)
        note("a table changed");
}

/* ---- the deeds ---- */

static enum hf_err before(void *ctx, struct hf_call *call, struct hf_view iface,
                          struct hf_view func, const struct hf_ftype *t,
                          const struct hf_value *args, struct hf_value *result)
{
    struct hf_instance *inst = hf_call_instance(call);
    (void)ctx, (void)iface, (void)func, (void)t, (void)args, (void)result;
    if (watch.deed == NOTHING || watch.imports++ != watch.at)
        return HF_OK;
    enum deed deed = watch.deed;
    watch.deed = NOTHING;
    if (deed == TRAP)
        return hf_call_trap(call, "the test wants it");
    /* The guest's largest memory grows, as it would by itself. */
    const struct hf_parts *p = hf_instance_parts(inst);
    uint8_t *base;
    size_t size = 0, most = 0, which = 0;
    for (uint32_t i = 0; i < p->n_memories; i++) {
        hf_memory_get(inst->store, &p->memories[i], &base, &size);
        if (size > most) {
            most = size;
            which = i;
        }
    }
    if (hf_memory_grow(inst->store, &p->memories[which], most + 65536) != HF_OK)
        note("its memory does not grow");
    return HF_OK;
}
static const struct hf_hook hook = {.before = before};

/* ---- the behaviour before the service's ---- */

static enum hf_end watch_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    return hf_service_behaviour.start(class_ctx, turn, state);
}
static enum hf_end watch_turn(void *state, struct hf_turn *turn)
{
    struct hf_guest *g = state;
    look(g, turn);
    watch.imports = 0;
    hf_instance_set_hook(g->inst, &hook, NULL);
    return hf_service_behaviour.turn(state, turn);
}
static enum hf_end watch_resume(void *state, struct hf_turn *turn)
{
    return hf_service_behaviour.resume(state, turn);
}
static void watch_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    hf_service_behaviour.cancel(state, turn, why);
}
static void watch_stop(void *state)
{
    if (state == watch.guest)
        watch.guest = NULL;
    hf_service_behaviour.stop(state);
}
static const struct hf_behaviour watched = {.name = "watched",
                                            .start = watch_start,
                                            .turn = watch_turn,
                                            .resume = watch_resume,
                                            .cancel = watch_cancel,
                                            .stop = watch_stop};

/* ---- one guest ---- */

static struct shared base; /* engine and registry */

static bool load(const char *name, struct shared *ret)
{
    const char *dir = getenv("HF_GUESTS");
    char path[512], *bytes;
    snprintf(path, sizeof path, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        print_message("SKIP: equal_test: %s is not built\n", path);
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
    *ret = base;
    if (hf_component_load(base.engine, base.registry, hf_view(bytes, len), NULL, &ret->component,
                          &report) != HF_OK)
        fail_msg("%s: %s", name, report.text);
    free(bytes);
    return true;
}

static void run(struct world *w)
{
    world_run(w);
    if (watch.wrong[0] != '\0')
        fail_msg("%s", watch.wrong);
}

/* The request is done with: room for the next. */
static void forget(struct world *w, size_t i)
{
    leave(w, i);
    hf_buf_done(&w->requests[i].head_bytes);
    hf_buf_done(&w->requests[i].body);
    memset(&w->requests[i], 0, sizeof w->requests[i]);
    w->n_requests = 0;
}

/* A good request: found an instance that was put back (`put_back`), or a new one; same answer. */
static void good(struct world *w, const struct req *r, bool put_back, char *answer, size_t size)
{
    unsigned equal = watch.equal, fresh = watch.fresh;
    size_t i = post_with(w, NULL, r);
    run(w);
    for (int s = 0; s < 100 && w->requests[i].answers == 0; s++)
        world_pass(w, 100 * MS); /* some wait before they answer */
    if (w->requests[i].kind != HF_ANSWER_OK || status(w, i) != 200)
        fail_msg("%s %u: %s", hf_answer_text(w->requests[i].kind), status(w, i),
                 w->requests[i].kind == HF_ANSWER_OK ? "" : (char *)w->requests[i].head_bytes.ptr);
    const char *text = take_all(w, i);
    for (int s = 0; s < 100 && w->requests[i].end == HF_AGAIN; s++) {
        world_pass(w, 20 * MS); /* or in between */
        text = take_all(w, i);
    }
    run(w);
    if (answer[0] == '\0')
        snprintf(answer, size, "%s", text);
    assert_string_equal(text, answer);
    assert_int_equal(w->requests[i].end, HF_CLOSED);
    forget(w, i);
    assert_int_equal(watch.equal - equal, put_back);
    assert_int_equal(watch.fresh - fresh, !put_back);
}

/* After the deed at each of the first imports the next request is as the first. */
static void after_deeds(struct world *w, const struct req *r, char *answer, size_t size,
                        enum deed deed)
{
    bool put_back = true;
    for (unsigned at = 0; at < 12; at++) {
        good(w, r, put_back, answer, size); /* now there is an instance that was reset */
        watch.deed = deed;
        watch.at = at;
        size_t i = post_with(w, NULL, r);
        run(w);
        for (int s = 0; s < 20; s++) {
            if (w->requests[i].answers == 1 && w->requests[i].kind == HF_ANSWER_OK)
                take_all(w, i);
            world_pass(w, 100 * MS);
        }
        run(w);
        bool done = watch.deed == NOTHING;
        watch.deed = NOTHING;
        forget(w, i);
        put_back = !done;
        if (!done)
            break; /* it has no more imports than that */
    }
    good(w, r, put_back, answer, size);
    good(w, r, true, answer, size);
}

static void all_ways(const char *name, const struct req *r, bool waits)
{
    struct shared shared;
    char answer[300] = "";
    if (!load(name, &shared))
        return;
    struct world w;
    void *st = &shared;
    watch = (struct watch){0};
    world_open_with(&w, &st,
                    &(struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST,
                                             .image = true,
                                             .behaviour = &watched,
                                             .body_window = 64});
    watch.image = w.svc->image;
    assert_non_null(watch.image);

    good(&w, r, false, answer, sizeof answer);
    for (int n = 0; n < 5; n++)
        good(&w, r, true, answer, sizeof answer);
    after_deeds(&w, r, answer, sizeof answer, TRAP);
    after_deeds(&w, r, answer, sizeof answer, GROW);

    /* Its client leaves before, and its body breaks off in the middle. */
    for (int n = 0; n < 2; n++) {
        size_t i = post_with(&w, NULL,
                             &(struct req){.method = r->method, .path = r->path, .stream = true});
        if (n == 1)
            feed(&w, i, "half of it");
        run(&w);
        feed_fail(&w, i, HF_CLOSED);
        leave(&w, i);
        run(&w);
        world_pass(&w, 1 * S);
        forget(&w, i);
        good(&w, r, true, answer, sizeof answer);
    }
    /* Nobody reads its answer until its time is over: it is cancelled where it waits. */
    if (waits) {
        size_t i = post_with(
            &w, NULL,
            &(struct req){.method = "POST", .path = r->path, .stream = true, .timeout_ns = 1 * S});
        run(&w);
        world_pass(&w, 2 * S);
        forget(&w, i);
        good(&w, r, false, answer, sizeof answer);
        good(&w, r, true, answer, sizeof answer);
    }
    print_message("%s: %u requests found an equal instance, %u a new one\n", name, watch.equal,
                  watch.fresh);
    world_close(&w);
    hf_component_unref(shared.component);
}

static const struct req get = {.path = "/"};

static void c_hello(void **state)
{
    (void)state;
    all_ways("c-hello", &get, false);
}
static void c_counter(void **state)
{
    (void)state;
    all_ways("c-counter", &get, false);
}
static void c_slow(void **state)
{
    (void)state;
    all_ways("c-slow", &get, false);
}
static void c_echo(void **state)
{
    (void)state;
    all_ways("c-echo", &(struct req){.method = "POST", .path = "/", .body = "to and fro"}, true);
}
static void js_hello(void **state)
{
    (void)state;
    all_ways("js-hello", &get, false);
}
static void js_counter(void **state)
{
    (void)state;
    all_ways("js-counter", &get, false);
}
static void js_fetch(void **state)
{
    (void)state;
    all_ways("js-fetch", &get, false);
}
static void python_hello(void **state)
{
    (void)state;
    all_ways("python-hello", &get, false);
}
static void rust_hello(void **state)
{
    (void)state;
    all_ways("rust-hello", &get, false);
}

/* ---- the hostile guest: every misdeed it knows ---- */

static void c_hostile(void **state)
{
    static const char *const deeds[] = {
        "/remember",    "/count",        "/leakhandles", "/flood-handles", "/use-dropped",
        "/wrong-type",  "/invented",     "/drop-twice",  "/drop-parent",   "/poll-nothing",
        "/poll-twice",  "/take-twice",   "/set-twice",   "/bad-pointer",   "/clockrand",
        "/print",       "/exit-before",  "/exit",        "/exit-error",    "/exit-code",
        "/leak",        "/hoard",        "/grow",        "/before-set",    "/after-set",
        "/in-body",     "/after-end",    "/deep",        "/deep-calls",    "/outside",
        "/bad-call",    "/sleepforever", "/late",        "/noanswer",      "/drop-outparam",
        "/seterr",      "/too-short",    "/too-long",    "/abandon",       "/empty",
        "/past-permit", "/ignore-body",  "/sink",        "/trailers",      "/bad-headers",
        "/endless",
    };
    struct shared shared;
    char answer[300] = "";
    const struct req r = {.path = "/remember"};
    (void)state;
    if (!load("c-hostile", &shared))
        return;
    all_ways("c-hostile", &r, false);
    struct world w;
    void *st = &shared;
    watch = (struct watch){0};
    world_open_with(&w, &st,
                    &(struct world_settings){
                        .lifecycle = HF_LIFE_PER_REQUEST, .image = true, .behaviour = &watched});
    watch.image = w.svc->image;
    good(&w, &r, false, answer, sizeof answer);
    for (size_t d = 0; d < HF_ARRAY_LEN(deeds); d++) {
        size_t i = post_with(&w, NULL,
                             &(struct req){.path = deeds[d], .body = "abc", .timeout_ns = 2 * S});
        run(&w);
        if (w.requests[i].answers == 1 && w.requests[i].kind == HF_ANSWER_OK &&
            strcmp(deeds[d], "/endless") != 0)
            take_all(&w, i);
        world_pass(&w, 1 * S);
        world_pass(&w, 2 * S);
        forget(&w, i);
        run(&w);
        /* Whichever it finds, it must be right: run() and the answer say so. */
        size_t k = post_with(&w, NULL, &r);
        run(&w);
        assert_int_equal(status(&w, k), 200);
        assert_string_equal(take_all(&w, k), answer);
        run(&w);
        forget(&w, k);
    }
    print_message("c-hostile: after %zu misdeeds %u requests found an equal instance, %u a new "
                  "one\n",
                  HF_ARRAY_LEN(deeds), watch.equal, watch.fresh);
    assert_true(watch.equal > 40 && watch.fresh > 10);
    world_close(&w);
    hf_component_unref(shared.component);
}

/* ---- once ---- */

static int open_all(void **state)
{
    struct hf_engine_settings es;
    struct hf_report report = {0};
    struct hf_scanner *s;
    (void)state;
    hf_engine_process_init();
    if (hf_scanner_new(&s, &report) != HF_OK) {
        print_message("SKIP: equal_test: %s\n", report.text);
        return -1;
    }
    hf_scanner_free(s);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_hello),      cmocka_unit_test(c_counter),  cmocka_unit_test(c_slow),
        cmocka_unit_test(c_echo),       cmocka_unit_test(c_hostile),  cmocka_unit_test(rust_hello),
        cmocka_unit_test(js_hello),     cmocka_unit_test(js_counter), cmocka_unit_test(js_fetch),
        cmocka_unit_test(python_hello),
    };
    cmocka_set_test_filter(getenv("HF_ONLY_TEST")); /* "js*" */
    return cmocka_run_group_tests_name("equal", tests, open_all, close_all);
}
