/* support_equal.c - see support_equal.h. */
#include "support_equal.h"

#include "engine/engine_int.h"
#include "support_guests.h"
#include "tests/state.h"

/* ---- what is watched ---- */

enum deed { NOTHING, TRAP, GROW };
#define TABLE_MAX 512 /* elements looked at; of larger tables, as many evenly spread */

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

static void hash_table(struct hf_instance *inst, const struct hf_extern *table, uint64_t *h)
{
    wasmtime_context_t *cx = inst->store->cx;
    wasmtime_extern_t e;
    memcpy(&e, table, sizeof e);
    uint64_t size = wasmtime_table_size(cx, &e.of.table);
    mix(h, &size, sizeof size);
    for (uint64_t at = 0; at < size; at += 1 + size / TABLE_MAX) {
        wasmtime_val_t v;
        if (wasmtime_table_get(cx, &e.of.table, at, &v) && v.kind == WASMTIME_FUNCREF)
            mix(h, &v.of.funcref, sizeof v.of.funcref);
    }
}

/* Sizes and elements of every table that a core instance exports. */
static uint64_t hash_tables(struct hf_instance *inst)
{
    const struct hf_program *p = inst->program;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (uint32_t s = 0; s < p->n_steps; s++) {
        if (p->steps[s].kind != HF_STEP_CORE_NEW)
            continue;
        const struct hf_module *m = p->modules[p->steps[s].module];
        for (size_t i = 0; i < hf_module_n_exports(m); i++) {
            const struct hf_core_item *item = hf_module_export(m, i);
            struct hf_extern e;
            if (item->kind == HF_CORE_TABLE &&
                hf_core_export(inst->store, &inst->cores[p->steps[s].index], item->name, &e))
                hash_table(inst, &e, &h);
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
        (g->out != NULL && g->out->len != 0) || (g->err != NULL && g->err->len != 0))
        note("the guest's host state is not at rest");
    if (s->dying || s->live || s->on_fiber || s->off_depth != 0 || s->suspect)
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

static enum hf_err before(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    (void)ctx;
    if (x->kind != HF_CROSS_IMPORT || watch.deed == NOTHING || watch.imports++ != watch.at)
        return HF_OK;
    struct hf_instance *inst = hf_call_instance(call);
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
static enum hf_err after(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    (void)ctx, (void)call, (void)x;
    return HF_OK;
}
static const struct hf_hook hook = {before, after};

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
    if (hf_instance_set_hook(g->inst, &hook, NULL) != HF_OK)
        note("no hook");
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

void equal_run(struct equal *e)
{
    world_run(&e->w);
    if (watch.wrong[0] != '\0')
        fail_msg("%s", watch.wrong);
}

void equal_forget(struct equal *e, size_t i)
{
    struct world *w = &e->w;
    leave(w, i);
    hf_buf_done(&w->requests[i].head_bytes);
    hf_buf_done(&w->requests[i].body);
    memset(&w->requests[i], 0, sizeof w->requests[i]);
    w->n_requests = 0;
}

void equal_good(struct equal *e, const struct req *r, bool put_back)
{
    struct world *w = &e->w;
    unsigned equal = watch.equal, fresh = watch.fresh;
    size_t i = post_with(w, NULL, r);
    equal_run(e);
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
    equal_run(e);
    if (e->answer[0] == '\0')
        snprintf(e->answer, sizeof e->answer, "%s", text);
    assert_string_equal(text, e->answer);
    assert_int_equal(w->requests[i].end, HF_CLOSED);
    equal_forget(e, i);
    assert_int_equal(watch.equal - equal, put_back);
    assert_int_equal(watch.fresh - fresh, !put_back);
}

/* After the deed at each of the first imports the next request is as the first. */
static void after_deeds(struct equal *e, const struct req *r, enum deed deed, unsigned imports)
{
    struct world *w = &e->w;
    bool put_back = true;
    for (unsigned at = 0; at < imports; at++) {
        equal_good(e, r, put_back); /* now there is an instance that was reset */
        watch.deed = deed;
        watch.at = at;
        size_t i = post_with(w, NULL, r);
        equal_run(e);
        for (int s = 0; s < 20; s++) {
            if (w->requests[i].answers == 1 && w->requests[i].kind == HF_ANSWER_OK)
                take_all(w, i);
            world_pass(w, 100 * MS);
        }
        equal_run(e);
        bool done = watch.deed == NOTHING;
        watch.deed = NOTHING;
        equal_forget(e, i);
        put_back = !done;
        if (!done)
            break; /* it has no more imports than that */
    }
    equal_good(e, r, put_back);
    equal_good(e, r, true);
}

bool equal_begin(struct equal *e, const char *guest, uint32_t body_window)
{
    void *st = &e->shared;
    struct hf_scanner *s;
    struct hf_report report = {0};
    *e = (struct equal){0};
    if (hf_scanner_new(&s, &report) != HF_OK) {
        print_message("SKIP: %s: %s\n", guest, report.text);
        return false;
    }
    hf_scanner_free(s);
    if (!guests_load(guest, &e->shared))
        return false;
    watch = (struct watch){0};
    world_open_with(&e->w, &st,
                    &(struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST,
                                             .image = true,
                                             .behaviour = &watched,
                                             .body_window = body_window});
    watch.image = e->w.svc->image;
    assert_non_null(watch.image);
    return true;
}

void equal_end(struct equal *e)
{
    world_close(&e->w);
    hf_component_unref(e->shared.component);
}

unsigned equal_found(void)
{
    return watch.equal;
}

unsigned equal_fresh(void)
{
    return watch.fresh;
}

static void all_ways(struct equal *e, const struct req *r, bool waits, unsigned imports)
{
    struct world *w = &e->w;
    equal_good(e, r, false);
    for (int n = 0; n < 5; n++)
        equal_good(e, r, true);
    after_deeds(e, r, TRAP, imports);
    after_deeds(e, r, GROW, imports);

    /* Its client leaves before, and its body breaks off in the middle. */
    for (int n = 0; n < 2; n++) {
        size_t i =
            post_with(w, NULL, &(struct req){.method = r->method, .path = r->path, .stream = true});
        if (n == 1)
            feed(w, i, "half of it");
        equal_run(e);
        feed_fail(w, i, HF_CLOSED);
        leave(w, i);
        equal_run(e);
        world_pass(w, 1 * S);
        equal_forget(e, i);
        equal_good(e, r, true);
    }
    /* Nobody reads its answer until its time is over: it is cancelled where it waits. */
    if (waits) {
        size_t i = post_with(
            w, NULL,
            &(struct req){.method = "POST", .path = r->path, .stream = true, .timeout_ns = 1 * S});
        equal_run(e);
        world_pass(w, 2 * S);
        equal_forget(e, i);
        equal_good(e, r, false);
        equal_good(e, r, true);
    }
}

void equal_all_ways(const char *guest, const struct req *r, bool waits, unsigned imports)
{
    struct equal *e = malloc(sizeof *e);
    assert_non_null(e);
    if (equal_begin(e, guest, 64)) {
        all_ways(e, r, waits, imports);
        print_message("%s: %u requests found an equal instance, %u a new one\n", guest, watch.equal,
                      watch.fresh);
        equal_end(e);
    }
    free(e);
}
