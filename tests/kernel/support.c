/* support.c - see support.h. */
#include "support.h"

/* ---- actors ---- */

struct actor {
    struct world *w;
    struct hf_list in_world;
    const char *at; /* what is left of the script */
    char script[128];
    struct hf_waiter waiter;
    struct hf_timer timer;
    struct hf_blob *kept;
    struct hf_turn *turn;
    uint64_t id;
    bool busy;
};

static void note(struct world *w, const char *what, uint64_t id, uint64_t message)
{
    if (message == 0)
        assert_int_equal(hf_buf_printf(&w->log, "%s %llu\n", what, (unsigned long long)id), HF_OK);
    else
        assert_int_equal(hf_buf_printf(&w->log, "%s %llu #%llu\n", what, (unsigned long long)id,
                                       (unsigned long long)message),
                         HF_OK);
}

static void respond_open(struct actor *a)
{
    struct world *w = a->w;
    struct hf_buf body = {0};
    struct hf_blob *blob = hf_blob_new_in(hf_kernel_blobs(w->k), HF_BLOB_LEN_UNKNOWN, 0);
    assert_true(w->n_open < HF_ARRAY_LEN(w->open));
    w->open[w->n_open++] = blob;
    assert_int_equal(hf_buf_add_text(&body, "open"), HF_OK);
    w->last_duty = hf_turn_respond(a->turn, &body, &blob);
    hf_buf_done(&body);
    hf_blob_unref(blob);
}

static void respond(struct actor *a)
{
    struct hf_buf body = {0};
    struct hf_blob *none = NULL;
    assert_int_equal(hf_buf_add_text(&body, "ok"), HF_OK);
    a->w->last_duty = hf_turn_respond(a->turn, &body, &none);
    if (a->w->last_duty == HF_DUTY_OPEN)
        assert_null(body.ptr); /* moved */
    else
        assert_int_equal(body.len, 2); /* nothing moved */
    hf_buf_done(&body);
}

static void sleep_for(struct actor *a, uint64_t ns)
{
    hf_waiter_disarm(&a->waiter);
    assert_int_equal(hf_timer_set(hf_turn_kernel(a->turn), &a->timer, hf_turn_now(a->turn) + ns),
                     HF_OK);
    hf_waiter_arm(&a->waiter, &a->timer.wait, hf_turn_waitset(a->turn));
}

/* One deed; true when the call must end with *end. */
static bool deed(struct actor *a, char c, enum hf_end *end)
{
    struct hf_turn *t = a->turn;
    *end = HF_END_WAIT;
    switch (c) {
    case 'r':
    case 'R': respond(a); return false;
    case 'o': respond_open(a); return false;
    case 'q': a->w->last_duty = hf_turn_refuse(t, HF_ANSWER_FULL, HF_VIEW("no")); return false;
    case 'b':
        hf_blob_unref(a->kept);
        a->kept = hf_turn_take_blob(t);
        return false;
    case 'x': hf_turn_retire(t, "script"); return false;
    case 'u': hf_turn_class_single_use(t); return false;
    case 'w':
    case 'g':
        hf_waiter_disarm(&a->waiter);
        hf_waiter_arm(&a->waiter, &a->w->gate, hf_turn_waitset(t));
        a->waiter.stamp = hf_turn_waitset(t)->stamp = 7;
        if (c == 'g')
            hf_turn_waitset(t)->stamp++;
        hf_turn_set_selective(t, true);
        return true;
    case 's':
    case 'z':
        hf_turn_set_selective(t, false);
        sleep_for(a, c == 's' ? 10 * MS : 10 * S);
        return true;
    case 'y': *end = HF_END_YIELD; return true;
    case 'f': hf_turn_fail(t, HF_ANSWER_DEAD, HF_VIEW("boom")); break;
    case 'l': hf_turn_fail(t, HF_ANSWER_LIMITED, HF_VIEW("too much")); break;
    case 'F': break;
    default: fail_msg("no deed %c", c);
    }
    *end = HF_END_FAILED;
    return true;
}

static enum hf_end act(struct actor *a, struct hf_turn *turn)
{
    enum hf_end end = HF_END_DONE;
    a->turn = turn;
    while (*a->at != '\0') {
        char c = *a->at++;
        if (deed(a, c, &end))
            break;
        end = HF_END_DONE;
    }
    a->busy = end == HF_END_WAIT || end == HF_END_YIELD;
    return end;
}

static enum hf_end actor_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    struct kind *kind = class_ctx;
    struct actor *a = calloc(1, sizeof *a);
    *state = a;
    a->w = kind->w;
    a->id = hf_turn_process(turn);
    hf_timer_init(&a->timer);
    hf_list_push_back(&kind->w->actors, &a->in_world);
    kind->w->n_actors++;
    note(kind->w, "start", a->id, 0);
    assert_null(hf_turn_message(turn));
    assert_int_equal(hf_turn_duty(turn), HF_DUTY_NONE);
    a->at = kind->start == NULL ? "" : kind->start;
    return act(a, turn);
}

static enum hf_end actor_turn(void *state, struct hf_turn *turn)
{
    struct actor *a = state;
    const struct hf_message *m = hf_turn_message(turn);
    assert_false(a->busy);
    assert_true(m->wants_answer);
    assert_true(m->deadline_ns > hf_turn_now(turn));
    snprintf(a->script, sizeof a->script, "%.*s", HF_FMT(m->body));
    note(a->w, "turn", a->id, m->id);
    a->at = a->script;
    return act(a, turn);
}

static enum hf_end actor_resume(void *state, struct hf_turn *turn)
{
    struct actor *a = state;
    assert_true(a->busy);
    note(a->w, "resume", a->id, 0);
    return act(a, turn);
}

static void actor_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    struct actor *a = state;
    assert_true(a->busy);
    a->turn = turn;
    note(a->w, why == HF_TIMEOUT ? "cancel-timeout" : "cancel", a->id, 0);
    assert_int_not_equal(hf_turn_duty(turn), HF_DUTY_OPEN);
}

static void actor_stop(void *state)
{
    struct actor *a = state;
    if (a == NULL)
        return;
    note(a->w, "stop", a->id, 0);
    hf_waiter_disarm(&a->waiter);
    hf_timer_done(hf_turn_kernel(a->turn), &a->timer); /* the kernel is there until the last stop */
    assert_int_not_equal(hf_turn_duty(a->turn), HF_DUTY_OPEN);
    hf_blob_unref(a->kept);
    hf_list_remove(&a->in_world);
    a->w->n_actors--;
    free(a);
}

static void actor_inspect(const void *state, struct hf_buf *ret)
{
    const struct actor *a = state;
    assert_int_equal(hf_buf_printf(ret, "left \"%s\"", a->busy ? a->at : ""), HF_OK);
}

const struct hf_behaviour actor_behaviour = {
    .name = "actor",
    .start = actor_start,
    .turn = actor_turn,
    .resume = actor_resume,
    .cancel = actor_cancel,
    .stop = actor_stop,
    .inspect = actor_inspect,
};

/* ---- the world ---- */

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *answer)
{
    struct world *w = HF_CONTAINER_OF(port, struct world, port);
    assert_true(w->n_told < TOLD_MAX);
    struct told *t = &w->told[w->n_told++];
    *t = (struct told){
        .tag = (uint64_t)(uintptr_t)tag,
        .kind = answer->kind,
        .process = answer->process,
        .served = answer->served,
        .born_ns = answer->born_ns,
    };
    snprintf(t->text, sizeof t->text, "%.*s", HF_FMT(hf_buf_view(&answer->body)));
    if (w->keep_blobs) {
        t->blob = answer->blob;
        answer->blob = NULL;
    }
    if (w->on_answer != NULL)
        w->on_answer(w, t);
}

void world_init_with(struct world *w, const struct hf_kernel_settings *s)
{
    *w = (struct world){
        .now = 1 * S, .port = {on_answer}, .told = calloc(TOLD_MAX, sizeof *w->told)};
    assert_non_null(w->told);
    assert_int_equal(hf_kernel_new(s, &w->k), HF_OK);
    hf_wait_init(&w->gate, false);
    hf_list_init(&w->actors);
    assert_int_equal(hf_kernel_step(w->k, w->now), HF_AGAIN);
}

void world_init(struct world *w)
{
    world_init_with(w, &(struct hf_kernel_settings){0});
}

void world_done(struct world *w)
{
    hf_kernel_free(w->k);
    w->k = NULL;
    assert_int_equal(w->n_actors, 0);
    for (uint64_t tag = 1; tag <= w->n_posted; tag++)
        assert_int_equal(times_told(w, tag), 1);
    for (size_t i = 0; i < w->n_open; i++)
        if (w->open[i] != NULL)
            hf_blob_finish(w->open[i]);
    for (size_t i = 0; i < w->n_told; i++)
        hf_blob_unref(w->told[i].blob);
    free(w->told);
    hf_buf_done(&w->log);
    hf_wait_done(&w->gate);
}

struct hf_class *world_class(struct world *w, const char *name, struct kind *kind,
                             struct hf_class_settings s)
{
    struct hf_class *c;
    struct hf_report report = {0};
    kind->w = w;
    s.behaviour = &actor_behaviour;
    s.ctx = kind;
    if (hf_class_add(w->k, name, &s, &c, &report) != HF_OK)
        fail_msg("%s", report.text);
    return c;
}

enum hf_err try_post(struct world *w, const char *target, const char *script, uint64_t timeout_ns,
                     struct hf_blob *blob, uint64_t *id)
{
    struct hf_post p = {
        .target = hf_view_of(target),
        .blob = blob,
        .timeout_ns = timeout_ns,
        .port = &w->port,
        .tag = (void *)(uintptr_t)(w->n_posted + 1),
    };
    size_t before = w->n_told;
    assert_int_equal(hf_buf_add_text(&p.body, script), HF_OK);
    enum hf_err err = hf_port_post(w->k, &p, id);
    if (err == HF_OK) {
        w->n_posted++;
        assert_null(p.body.ptr);
        assert_null(p.blob);
    } else { /* nothing has moved */
        assert_int_equal(p.body.len, strlen(script));
        assert_ptr_equal(p.blob, blob);
        hf_blob_unref(blob);
    }
    hf_buf_done(&p.body);
    assert_int_equal(w->n_told, before); /* never from within post */
    return err;
}

uint64_t post_blob(struct world *w, const char *target, const char *script, struct hf_blob *blob)
{
    uint64_t id;
    assert_int_equal(try_post(w, target, script, 0, blob, &id), HF_OK);
    return id;
}

uint64_t post(struct world *w, const char *target, const char *script)
{
    return post_blob(w, target, script, NULL);
}

void run(struct world *w)
{
    for (unsigned i = 0; hf_kernel_step(w->k, w->now) == HF_OK; i++)
        assert_true(i < 100000);
    hf_kernel_flush(w->k);
}

void steps(struct world *w, unsigned n)
{
    while (n-- > 0)
        assert_int_equal(hf_kernel_step(w->k, w->now), HF_OK);
}

void pass(struct world *w, uint64_t ns)
{
    w->now += ns;
    run(w);
}

size_t times_told(const struct world *w, uint64_t tag)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_told; i++)
        n += w->told[i].tag == tag;
    return n;
}

const struct told *told(const struct world *w, uint64_t tag)
{
    if (times_told(w, tag) != 1)
        fail_msg("post %llu has %zu answers", (unsigned long long)tag, times_told(w, tag));
    for (size_t i = 0; i < w->n_told; i++)
        if (w->told[i].tag == tag)
            return &w->told[i];
    return NULL;
}

void expect_told(const struct world *w, uint64_t tag, enum hf_answer_kind kind, const char *text)
{
    const struct told *t = told(w, tag);
    if (t->kind != kind)
        fail_msg("post %llu was told %s (%s), not %s", (unsigned long long)tag,
                 hf_answer_text(t->kind), t->text, hf_answer_text(kind));
    if (text != NULL)
        assert_string_equal(t->text, text);
}

struct hf_class_stats stats_of(const struct hf_class *c)
{
    struct hf_class_stats s;
    hf_class_get_stats(c, &s);
    return s;
}

/* ---- blobs ---- */

struct seen {
    struct hf_blob *ptr[512];
    size_t n;
};

static void see(void *ctx, struct hf_blob *blob)
{
    struct seen *s = ctx;
    if (blob == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        if (s->ptr[i] == blob)
            return;
    assert_true(s->n < HF_ARRAY_LEN(s->ptr));
    s->ptr[s->n++] = blob;
}

void check_blobs(const struct world *w)
{
    struct seen s = {.n = 0};
    hf_kernel_walk_blobs(w->k, see, &s);
    HF_LIST_FOR (n, &w->actors) {
        see(&s, HF_LIST_ENTRY(n, struct actor, in_world)->kept);
    }
    for (size_t i = 0; i < w->n_open; i++)
        see(&s, w->open[i]);
    for (size_t i = 0; i < w->n_told; i++)
        see(&s, w->told[i].blob);
    assert_int_equal(hf_blob_pool_live(hf_kernel_blobs(w->k)), s.n);
}

/* ---- chance and memory ---- */

void run_kernel(struct hf_kernel *k, uint64_t now)
{
    const struct hf_batch *b;
    uint64_t seq = 0;
    while (hf_kernel_step(k, now) == HF_OK) {
    }
    while ((b = hf_kernel_next_batch(k)) != NULL)
        seq = hf_batch_seq(b);
    if (seq > 0)
        hf_kernel_acked(k, seq);
    hf_kernel_flush(k);
}

uint64_t rnd(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
size_t mallocs(void)
{
    return 0;
}
bool mallocs_are_counted(void)
{
    return false;
}
long mallocs_live(void)
{
    return 0;
}
bool mallocs_fail(size_t n, bool all)
{
    (void)n, (void)all;
    return false;
}
#else
/* Ours are found before the C library's; its own names stay callable. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);
static _Atomic size_t n_mallocs; /* threads of a test may allocate, too */
static _Atomic long n_live;
static size_t fail_in;
static bool fail_all, failed;

size_t mallocs(void)
{
    return n_mallocs;
}
bool mallocs_are_counted(void)
{
    return true;
}
long mallocs_live(void)
{
    return n_live;
}
bool mallocs_fail(size_t n, bool all)
{
    bool was = failed;
    fail_in = n;
    fail_all = all;
    failed = false;
    return was;
}
static bool may(void)
{
    n_mallocs++;
    if (fail_in == 0 || --fail_in > 0)
        return true;
    fail_in = fail_all;
    failed = true;
    return false;
}
static void *made(void *ptr)
{
    n_live += ptr != NULL;
    return ptr;
}
void *malloc(size_t size)
{
    return may() ? made(__libc_malloc(size)) : NULL;
}
void *calloc(size_t n, size_t size)
{
    return may() ? made(__libc_calloc(n, size)) : NULL;
}
void *realloc(void *ptr, size_t size)
{
    if (!may())
        return NULL;
    return ptr == NULL ? made(__libc_realloc(NULL, size)) : __libc_realloc(ptr, size);
}
void free(void *ptr)
{
    n_live -= ptr != NULL;
    __libc_free(ptr);
}
#endif
