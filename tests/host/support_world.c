/* support_world.c - see support.h: the engine, the component and the kernel under the scripts, and
 * the gateway's part. */
#include "support.h"

#include <signal.h>
#include <time.h>

#include "host/wit.h"

static const char script_wit[] =
    "(component (type (component (type (instance (type (func)) (export \"run\" (func (type 0)))))"
    " (export \"test:script/run\" (instance (type 0))))) (export \"run\" (type 0)))";

static const char script_component[] =
    "(component"
    " (import \"test:script/run\" (instance $s (export \"run\" (func))))"
    " (import \"wasi:http/types@0.2.12\" (instance $http"
    "   (export \"incoming-request\" (type $r (sub resource)))"
    "   (export \"response-outparam\" (type $o (sub resource)))))"
    " (core func $run (canon lower (func $s \"run\")))"
    " (core module $M (import \"s\" \"run\" (func $run)) (memory 1) (global $n (mut i32) "
    "(i32.const 0))"
    "   (func (export \"handle\") (param i32 i32)"
    "     (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (call $run))"
    "   (func (export \"run\") (call $run)) (func $start (call $run)) (start $start))"
    " (core instance $m (instantiate $M (with \"s\" (instance (export \"run\" (func $run))))))"
    " (alias export $http \"incoming-request\" (type $req))"
    " (alias export $http \"response-outparam\" (type $out))"
    " (func $handle (param \"request\" (own $req)) (param \"response-out\" (own $out))"
    "   (canon lift (core func $m \"handle\")))"
    " (instance $h (export \"handle\" (func $handle)))"
    " (export \"wasi:http/incoming-handler@0.2.12\" (instance $h))"
    " (alias core export $m \"run\" (core func $run-core))"
    " (func $runner (canon lift (core func $run-core)))"
    " (instance $r (export \"run\" (func $runner)))"
    " (export \"holdfast:kernel/runner@0.1.0\" (instance $r)))";

static void must(enum hf_err err, const struct hf_report *report)
{
    if (err != HF_OK) {
        fprintf(stderr, "the tests' world: %s: %s\n", hf_err_text(err), report->text);
        abort();
    }
}

/* cmocka puts its own handlers of SIGSEGV ... in place before each test and takes them away after
 * it, and with them the engine's, which come once a process. */
void world_signals(void)
{
    static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    static struct sigaction kept[HF_ARRAY_LEN(signals)];
    static bool have;
    for (size_t i = 0; i < HF_ARRAY_LEN(signals); i++)
        assert_int_equal(sigaction(signals[i], have ? &kept[i] : NULL, have ? NULL : &kept[i]), 0);
    have = true;
}

/* ---- once a program ---- */

static enum hf_err run_script_of(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result);
static const struct hf_binding script_table[] = {{"run", run_script_of}, {NULL, NULL}};

/* hf_host_registry with one interface more. */
static void make_registry(struct shared *s)
{
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    must(hf_registry_new(&s->registry), &report);
    for (const struct hf_wit_package *p = hf_wit_packages; p->name != NULL; p++)
        must(hf_registry_add_wit(s->registry, hf_view(p->bytes, (size_t)(p->end - p->bytes)),
                                 &report),
             &report);
    must(hf_engine_wat(script_wit, sizeof script_wit - 1, &wasm, &report), &report);
    must(hf_registry_add_wit(s->registry, hf_buf_view(&wasm), &report), &report);
    must(hf_host_bind_all(s->registry, &report), &report);
    must(hf_registry_bind_all(s->registry, "test:script/run", script_table, &report), &report);
    must(hf_registry_seal(s->registry, &s->unbound, &report), &report);
    hf_buf_done(&wasm);
}

int shared_open(void **state)
{
    struct shared *s = calloc(1, sizeof *s);
    struct hf_report report = {0};
    struct hf_engine_settings es;
    struct hf_buf wasm = {0};
    hf_engine_settings_init(&es);
    es.instances_max = 32;
    es.stacks_max = 16;
    es.compile_threads = 1;
    must(hf_engine_new(&es, &s->engine, &report), &report);
    world_signals();
    make_registry(s);
    must(hf_engine_wat(script_component, sizeof script_component - 1, &wasm, &report), &report);
    must(
        hf_component_load(s->engine, s->registry, hf_buf_view(&wasm), NULL, &s->component, &report),
        &report);
    hf_buf_done(&wasm);
    *state = s;
    return 0;
}

int shared_close(void **state)
{
    struct shared *s = *state;
    hf_component_unref(s->component);
    hf_registry_free(s->registry);
    hf_engine_free(s->engine);
    hf_buf_done(&s->unbound);
    free(s);
    return 0;
}

/* ---- a world ---- */

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct world *w = HF_CONTAINER_OF(port, struct world, port);
    struct request *r = &w->requests[(uintptr_t)tag];
    r->answers++;
    r->kind = a->kind;
    hf_buf_done(&r->head_bytes);
    r->head_bytes = a->body;
    a->body = (struct hf_buf){0};
    r->blob = a->blob;
    a->blob = NULL;
    r->process = a->process;
    if (r->kind == HF_ANSWER_OK && !r->raw)
        assert_int_equal(hf_head_read(hf_buf_view(&r->head_bytes), &r->head, NULL), HF_OK);
}

static void on_log(void *ctx, const struct hf_log_line *line)
{
    static const char *const names[] = {"stdout", "stderr", "event"};
    struct world *w = ctx;
    assert_int_equal(hf_buf_printf(&w->log, "%s %.*s%s%.*s: %.*s\n", names[line->stream],
                                   HF_FMT(line->service), line->request.len > 0 ? " " : "",
                                   HF_FMT(line->request), HF_FMT(line->text)),
                     HF_OK);
}

static void make_class(struct world *w, const struct world_settings *s)
{
    struct hf_report report = {0};
    struct hf_class_settings cs = {
        .behaviour = s->behaviour != NULL ? s->behaviour : &hf_service_behaviour,
        .ctx = w->worker,
        .max = s->max == 0 ? 1 : s->max,
        .request_timeout_ns = 3600 * S,
    };
    must(hf_class_add(w->k, "s", &cs, &w->class, &report), &report);
}

/* An instance that never serves, for the image: a kernel of its own starts it, and `take` looks at
 * it when it is stopped. */
struct template
{
    struct world *w;
    void *state;
    const char *no_image;
};

static enum hf_end template_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    struct template *t = class_ctx;
    *state = t;
    return hf_service_behaviour.start(t->w->worker, turn, &t->state);
}
static enum hf_end template_resume(void *state, struct hf_turn *turn)
{
    struct template *t = state;
    return hf_service_behaviour.resume(t->state, turn);
}
static void template_stop(void *state)
{
    struct template *t = state;
    struct hf_report report = {0};
    if (t == NULL)
        return;
    enum hf_err err = hf_service_take_image(t->w->svc, t->state, &report);
    if (t->no_image == NULL)
        must(err, &report);
    else if (err != HF_UNSUPPORTED || strstr(report.text, t->no_image) == NULL)
        fail_msg("%s: %s, wanted no image: %s", hf_err_text(err), report.text, t->no_image);
    hf_service_behaviour.stop(t->state);
}

static void take_image(struct world *w, const char *no_image)
{
    static const struct hf_behaviour behaviour = {.name = "template",
                                                  .start = template_start,
                                                  .turn = template_resume,
                                                  .resume = template_resume,
                                                  .stop = template_stop};
    struct template t = {.w = w, .no_image = no_image};
    struct hf_class_settings cs = {.behaviour = &behaviour, .ctx = &t, .min = 1, .max = 1};
    struct hf_kernel_settings ks = {.id_base = 1000};
    struct hf_report report = {0};
    struct hf_class *class;
    struct hf_kernel *k;
    must(hf_kernel_new(&ks, &k), &report);
    must(hf_class_add(k, "template", &cs, &class, &report), &report);
    hf_class_warm(class);
    for (int i = 0; i < 1000 && hf_kernel_step(k, w->os->now_ns(w->os)) == HF_OK; i++)
        ;
    hf_kernel_free(k);
}

static void on_bell(struct hf_os_watch *watch, uint32_t ready)
{
    (void)watch, (void)ready;
}

static void make_io(struct world *w)
{
    struct hf_report report = {0};
    must(w->os->poller_new(w->os, &w->poller), &report);
    must(hf_wake_new(&w->wake, &report), &report);
    must(hf_jobs_new(2, 0, &w->jobs, &report), &report);
    w->bell.on_ready = on_bell;
    must(w->os->poller_add(w->poller, hf_wake_fd(w->wake), HF_OS_IN, &w->bell), &report);
    hf_io_init(&w->io, w->os, w->poller, w->wake, w->jobs);
}

void world_open_with(struct world *w, void **state, const struct world_settings *s)
{
    struct hf_report report = {0};
    memset(w, 0, sizeof *w);
    world_signals();
    w->shared = *state;
    w->on_start = s->on_start;
    w->os = s->real ? hf_os_linux() : hf_os_fake_new(7);
    assert_non_null(w->os);
    if (!s->real)
        hf_os_fake_advance(w->os, 100 * S);
    make_io(w);
    w->io.fetch = s->fetch;
    w->services = (struct hf_services){.ctx = w, .os = w->os, .log = on_log, .kv = s->kv, .net = s->net};
    struct hf_service_settings ss = {
        .name = "s",
        .component = w->shared->component,
        .services = &w->services,
        .lifecycle = s->lifecycle,
        .env = s->env,
        .args = s->args,
        .stdio = s->stdio,
        .body_window = s->body_window,
        .slice_ticks = s->slice_ticks,
        .keyvalue = s->keyvalue,
        .config = s->config,
        .on_instance = s->on_instance,
        .on_instance_ctx = s->on_instance_ctx,
        .dirs = s->dirs,
        .files_max = s->files_max,
        .fs = s->fs,
        .net = s->rules,
        .outbound = s->outbound,
        .trace_off = s->trace_off,
    };
    must(hf_service_new(&ss, &w->svc, &report), &report);
    if (s->image || s->no_image != NULL) {
        must(hf_service_worker_new(w->svc, &w->io, &w->worker, &report), &report);
        take_image(w, s->no_image);
        hf_service_worker_free(w->worker);
    }
    must(hf_service_worker_new(w->svc, &w->io, &w->worker, &report), &report);
    must(hf_kernel_new(&(struct hf_kernel_settings){.id_base = 1}, &w->k), &report);
    make_class(w, s);
    w->port.answer = on_answer;
}

void world_open(struct world *w, void **state)
{
    world_open_with(w, state, &(struct world_settings){0});
}

static void request_done(struct world *w, struct request *r)
{
    if (r->in != NULL) {
        hf_blob_fail(r->in, HF_CLOSED);
        r->in = NULL;
    }
    hf_blob_reader_close(&r->out);
    hf_blob_unref(r->blob);
    r->blob = NULL;
    hf_buf_done(&r->head_bytes);
    hf_buf_done(&r->body);
    (void)w;
}

void world_close(struct world *w)
{
    hf_kernel_free(w->k);
    for (size_t i = 0; i < w->n_requests; i++)
        request_done(w, &w->requests[i]);
    hf_service_worker_free(w->worker);
    hf_service_free(w->svc);
    for (size_t i = 0; i < w->n_processes; i++) {
        hf_service_worker_free(w->processes[i].worker);
        hf_service_free(w->processes[i].svc);
    }
    hf_buf_done(&w->log);
    hf_jobs_free(w->jobs);
    hf_wake_deliver_all(w->wake);
    hf_io_collect(&w->io);
    w->os->poller_free(w->poller);
    hf_wake_free(w->wake);
    if (w->os != hf_os_linux())
        hf_os_fake_free(w->os);
}

/* ---- the gateway's part ---- */

static void add_fields(struct hf_head_writer *hw, const char *text)
{
    struct hf_view rest = hf_view_of(text);
    while (rest.len > 0) {
        size_t n = hf_view_find(rest, '\n');
        struct hf_view line = hf_view_take(rest, n);
        size_t colon = hf_view_find(line, ':');
        assert_int_equal(
            hf_head_field(hw, hf_view_take(line, colon), hf_view_skip(line, colon + 2)), HF_OK);
        rest = hf_view_skip(rest, n + 1);
    }
}

static const char *part(const char *given, const char *usual, uint32_t flag, uint32_t *flags)
{
    if (given != NULL && strcmp(given, "-") == 0)
        return "";
    *flags |= flag;
    return given == NULL ? usual : given;
}

static void make_head(struct hf_buf *buf, const struct req *r)
{
    struct hf_head_writer hw;
    uint32_t flags = 0;
    struct hf_view scheme = hf_view_of(part(r->scheme, "http", HF_HEAD_HAS_SCHEME, &flags));
    struct hf_view authority = hf_view_of(part(r->authority, "h", HF_HEAD_HAS_AUTHORITY, &flags));
    struct hf_view path = hf_view_of(part(r->path, "/", HF_HEAD_HAS_PATH, &flags));
    if (r->body == NULL && !r->stream)
        flags |= HF_HEAD_NO_BODY;
    assert_int_equal(hf_head_begin_request(&hw, buf, flags,
                                           hf_view_of(r->method == NULL ? "GET" : r->method),
                                           scheme, authority, path),
                     HF_OK);
    add_fields(&hw, r->fields);
    hf_head_end(&hw);
}

size_t post_with(struct world *w, script_fn script, const struct req *r)
{
    size_t i = w->n_requests;
    struct request *q = &w->requests[i];
    struct hf_post p = {.target = HF_VIEW("s"),
                        .port = &w->port,
                        .tag = (void *)(uintptr_t)i,
                        .timeout_ns = r->timeout_ns};
    assert_true(i < MAX_REQUESTS);
    w->n_requests++;
    q->script = script;
    make_head(&p.body, r);
    if (r->stream)
        p.blob = q->in = hf_blob_new_in(hf_kernel_blobs(w->k),
                                        r->length == 0 ? HF_BLOB_LEN_UNKNOWN : r->length, 0);
    else if (r->body != NULL)
        p.blob = hf_blob_of_bytes(hf_view_of(r->body));
    assert_int_equal(hf_port_post(w->k, &p, &q->id), HF_OK);
    return i;
}

size_t post(struct world *w, script_fn script)
{
    return post_with(w, script, &(struct req){0});
}

/* Hands out what is ready by `until_ns` and the letters; true when there was anything. */
static bool events(struct world *w, uint64_t until_ns)
{
    struct hf_os_event got[16];
    bool slept = until_ns == 0 || hf_wake_sleep(w->wake);
    size_t n = slept ? w->os->poller_wait(w->poller, until_ns, got, HF_ARRAY_LEN(got)) : 0, seen = 0;
    hf_wake_awake(w->wake);
    for (size_t i = 0; i < n; i++) {
        struct hf_os_watch *watch = got[i].tag;
        watch->on_ready(watch, got[i].ready);
        seen += watch != &w->bell;
    }
    seen += hf_wake_deliver_all(w->wake);
    hf_io_collect(&w->io);
    return seen > 0;
}

void world_run(struct world *w)
{
    unsigned n = 0;
    do {
        do {
            while (hf_kernel_step(w->k, w->os->now_ns(w->os)) == HF_OK) {
                w->steps++;
                if (++n > 200000)
                    fail_msg("the kernel does not come to rest");
            }
        } while (hf_kernel_flush(w->k) > 0);
    } while (events(w, 0));
    if (w->failure[0] != '\0')
        fail_msg("%s", w->failure);
}

void world_until(struct world *w, size_t i)
{
    struct hf_os *real = hf_os_linux();
    uint64_t end = real->now_ns(real) + 20 * S;
    world_run(w);
    while (w->requests[i].answers == 0) {
        uint64_t now = real->now_ns(real), next = hf_kernel_next_ns(w->k);
        if (now > end)
            fail_msg("request %zu is not answered", i);
        if (w->os == real)
            events(w, next < now + 50 * MS ? next : now + 50 * MS);
        else
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* for jobs: the fake's time stands still */
        world_run(w);
    }
}

void world_pass(struct world *w, uint64_t ns)
{
    hf_os_fake_advance(w->os, ns);
    world_run(w);
}

void run_script(void **state, script_fn script)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, script);
    world_run(&w);
    const struct request *r = &w.requests[i];
    if (r->answers != 1 || r->kind == HF_ANSWER_DEAD || r->kind == HF_ANSWER_LIMITED)
        fail_msg("%u answers, %s: %s", r->answers, hf_answer_text(r->kind),
                 r->answers == 0 ? "" : (const char *)r->head_bytes.ptr);
    world_close(&w);
}

void run_dies(void **state, script_fn script, const char *text)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, script);
    world_run(&w);
    expect_dead(&w, i, text);
    world_close(&w);
}

void feed(struct world *w, size_t i, const char *text)
{
    assert_int_equal(hf_blob_push(w->requests[i].in, hf_view_of(text)), HF_OK);
    world_run(w);
}

void feed_end(struct world *w, size_t i)
{
    hf_blob_finish(w->requests[i].in);
    w->requests[i].in = NULL;
    world_run(w);
}

void feed_fail(struct world *w, size_t i, enum hf_err err)
{
    hf_blob_fail(w->requests[i].in, err);
    w->requests[i].in = NULL;
    world_run(w);
}

static void open_answer(struct request *r)
{
    if (r->blob != NULL)
        hf_blob_reader_open(&r->out, &r->blob);
}

const char *take(struct world *w, size_t i, size_t max)
{
    struct request *r = &w->requests[i];
    struct hf_view v;
    assert_true(r->answers == 1 && r->kind == HF_ANSWER_OK);
    open_answer(r);
    r->end = r->out.blob == NULL ? HF_CLOSED : HF_OK;
    for (size_t left = max; r->end == HF_OK && left > 0;) {
        r->end = hf_blob_reader_peek(&r->out, &v);
        if (r->end != HF_OK)
            break;
        v = hf_view_take(v, left);
        assert_int_equal(hf_buf_add_view(&r->body, v), HF_OK);
        left -= v.len;
        hf_blob_reader_advance(&r->out, v.len);
    }
    world_run(w);
    return r->body.ptr == NULL ? "" : (const char *)r->body.ptr;
}

const char *take_all(struct world *w, size_t i)
{
    struct request *r = &w->requests[i];
    size_t before;
    const char *text;
    do {
        before = r->body.len;
        text = take(w, i, SIZE_MAX);
    } while (r->body.len != before || (r->end == HF_AGAIN && r->out.wait.ready));
    return text;
}

void leave(struct world *w, size_t i)
{
    struct request *r = &w->requests[i];
    if (r->in != NULL) {
        hf_blob_fail(r->in, HF_CLOSED);
        r->in = NULL;
    }
    hf_blob_reader_close(&r->out);
    hf_blob_unref(r->blob);
    r->blob = NULL;
    hf_port_cancel(w->k, r->id);
    world_run(w);
}

unsigned status(const struct world *w, size_t i)
{
    const struct request *r = &w->requests[i];
    return r->answers == 1 && r->kind == HF_ANSWER_OK ? r->head.status : 0;
}

const char *field(const struct world *w, size_t i, const char *name)
{
    static char text[256];
    struct hf_view v;
    if (status(w, i) == 0 || !hf_head_find(&w->requests[i].head, hf_view_of(name), &v))
        return NULL;
    snprintf(text, sizeof text, "%.*s", HF_FMT(v));
    return text;
}

void expect_dead(const struct world *w, size_t i, const char *text)
{
    const struct request *r = &w->requests[i];
    const char *got = r->head_bytes.ptr == NULL ? "" : (const char *)r->head_bytes.ptr;
    if (r->answers != 1 || r->kind != HF_ANSWER_DEAD || strstr(got, text) == NULL)
        fail_msg("%u answers, %s: \"%s\"; wanted dead: \"%s\"", r->answers, hf_answer_text(r->kind),
                 r->kind == HF_ANSWER_OK ? "" : got, text);
}

size_t handles(const struct world *w)
{
    return hf_instance_handles(w->guest->inst);
}

size_t objects(const struct world *w)
{
    size_t n = 0;
    HF_LIST_FOR (it, &w->guest->objects)
        n++;
    return n;
}

/* ---- the guest's code ---- */

static struct request *request_of(struct world *w, const struct hf_turn *turn)
{
    const struct hf_message *m = hf_turn_message(turn);
    for (size_t i = 0; m != NULL && i < w->n_requests; i++)
        if (w->requests[i].id == m->id)
            return &w->requests[i];
    return NULL;
}

/* handle() just got them: the newest own handles of their types. */
static uint32_t newest(const struct hf_ci *ci, const char *resource)
{
    uint32_t found = 0, serial = 0;
    for (uint32_t i = 1; i < ci->handles.len; i++) {
        const struct hf_handle *h = hf_handles_at(&ci->handles, i);
        if (h != NULL && hf_view_eq_text(h->type->name, resource) && h->serial >= serial) {
            found = i;
            serial = h->serial;
        }
    }
    return found;
}

static enum hf_err run_script_of(struct hf_call *call, const struct hf_value *args,
                                 struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    struct world *w = hf_guest_services(g)->ctx;
    struct guest t = {.w = w, .g = g, .call = call};
    script_fn script = w->on_start;
    (void)args, (void)result;
    w->guest = g;
    if (g->http != NULL) {
        t.r = request_of(w, g->turn);
        t.request = newest(call->ci, "incoming-request");
        t.out = newest(call->ci, "response-outparam");
        script = t.r->script;
    }
    for (size_t i = 0; g->mail.busy && i < w->n_processes; i++)
        if (w->processes[i].worker == g->worker)
            script = w->processes[i].script;
    if (script != NULL)
        script(&t);
    return t.err;
}
