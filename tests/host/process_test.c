/* process_test.c - what processes say to the kernel as guests see it: verbs, refusals, messages (the table of
 * doc/kernel.md). Blobs have blob_test.c; real guests and a whole node: tests/test_processes.py. */
#include "support_process.h"

static const char *const all[] = {"*", NULL};
static const struct hf_named_settings free_to_send = {.grants = all};

/* ---- others of these plays ---- */

/* Answers each request with its own body. */
static void echo(struct guest *t)
{
    for (;;) {
        RECEIVE(m, M_REQUEST);
        char body[64];
        snprintf(body, sizeof body, "%.*s", HF_FMT(hf_value_view(&m->items[2])));
        SAID(R_OK, respond(t, &(struct parcel){.body = body}));
    }
}

static void silent(struct guest *t)
{
    for (;;) {
        RECEIVE(m, M_REQUEST);
    }
}

/* One class "a" with this script, asked once; it must answer "done". */
static void play(void **state, script_fn script, script_fn other)
{
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", script, &free_to_send);
    if (other != NULL)
        world_class(&w, "b", other, &free_to_send);
    size_t i = post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    expect_answer(&w, i, "done");
    world_close(&w);
}

static bool done(struct guest *t)
{
    struct hf_value *r = respond(t, &(struct parcel){.body = "done"});
    if (r != NULL && r->tag != 0)
        guest_failed(t, __FILE__, __LINE__, "the last answer was refused");
    return r != NULL;
}

/* ---- messages ---- */

static void sees_its_request(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    CHECK(m->items[1].tag == 0);             /* a port has no name */
    CHECK(is_text(&m->items[2], "go"));
    CHECK(m->items[3].tag == 0 && m->items[4].tag == 0 && m->items[5].len == 0);
    CHECK(m->items[6].u64 == 1 && m->items[7].tag == 1);
    CHECK_INT(m->items[7].items[0].u64, 30 * S); /* the class's */
    CALL(name, "processes#name");
    CHECK(is_text(name, "a/1"));
    CALL(parent, "processes#parent");
    CHECK(parent->tag == 0);
    done(t);
}
static void a_request_as_it_comes(void **state)
{
    play(state, sees_its_request, NULL);
}

static void sends_and_receives(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    struct hf_value *id = say(t, "send", &(struct parcel){.target = "b/1", .body = "hello", .context = "c"});
    SAID(R_OK, id);
    uint64_t sent = id->items[0].u64;
    RECEIVE(r, M_RESPONSE);
    CHECK_INT(r->items[0].u64, sent);
    CHECK(r->items[1].tag == 1 && is_text(&r->items[1].items[0], "b/1"));
    CHECK(is_text(&r->items[2], "hello") && is_text(&r->items[6], "c"));
    CALL(nested, "nested");
    CHECK(nested->tag == 1 && is_text(&nested->items[0].items[2], "go"));
    done(t); /* the nested one is in question now */
}
static void a_response_brings_its_context_and_what_it_came_under(void **state)
{
    play(state, sends_and_receives, echo);
}

static void asks(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    struct hf_value *r = say(t, "ask", &(struct parcel){.target = "b/1", .body = "q", .context = "c"});
    SAID(R_OK, r);
    CHECK(r->items[0].tag == 0); /* a response, no failure */
    const struct hf_value *f = r->items[0].items[0].items;
    CHECK(f[1].tag == 1 && is_text(&f[1].items[0], "b/1") && is_text(&f[2], "A") && is_text(&f[6], "c"));
    CHECK(f[3].tag == 1 && is_text(&f[3].items[0], "meta"));
    CHECK(f[4].tag == 1 && f[5].len == 1 && is_text(&f[5].items[0], "b/2"));
    SAID(R_OK, guest_call(t, "keep", ARGS(T("b/2"))));
    uint32_t blob = option_handle(guest_call(t, "asked-blob", NULL, 0));
    CHECK(blob != 0);
    CALL(bytes, "blob.read", H(blob), U(0), U(100));
    CHECK(bytes->tag == 0 && is_text(&bytes->items[0], "blob"));
    CALL(again, "asked-blob");
    CHECK(again->tag == 0);
    done(t);
}
static void answers_with_all(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    CALL(b, "blob.of-bytes", T("blob"));
    CHECK(b->tag == 0);
    SAID(R_OK, respond(t, &(struct parcel){
                              .body = "A", .metadata = "meta", .cap = "b/2", .blob = (uint32_t)b->items[0].u64}));
}
static void an_awaited_answer_brings_all_that_was_sent(void **state)
{
    play(state, asks, answers_with_all);
}

static void fails_to_ask(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    struct hf_value *r = say(t, "ask", &(struct parcel){.target = "nobody/1", .context = "c"});
    SAID(R_OK, r);
    CHECK(r->items[0].tag == 1); /* ok(err(failure)) */
    const struct hf_value *f = r->items[0].items[0].items;
    CHECK(is_text(&f[1], "nobody/1") && is_text(&f[4], "c"));
    CHECK_INT(f[2].tag, 2); /* no-such-process */
    done(t);
}
static void an_ask_that_fails_says_why(void **state)
{
    play(state, fails_to_ask, NULL);
}

static void times_out(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    CALL(b, "blob.of-bytes", T("kept"));
    SAID(R_OK, say(t, "send",
                   &(struct parcel){.target = "b/1", .timeout_ns = 5 * MS, .blob = (uint32_t)b->items[0].u64}));
    RECEIVE(f, M_FAILURE);
    CHECK(is_text(&f->items[1], "b/1"));
    CHECK_INT(f->items[2].tag, 0);
    uint32_t blob = option_handle(guest_call(t, "current-blob", NULL, 0));
    CHECK(blob != 0 && f->items[5].tag == 1);
    CALL(bytes, "blob.read", H(blob), U(0), U(4));
    CHECK(bytes->tag == 0 && is_text(&bytes->items[0], "kept"));
    done(t);
}
static void a_timeout_is_a_failure_with_the_blob(void **state)
{
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", times_out, &free_to_send);
    world_class(&w, "b", silent, NULL);
    /* the receiver holds it: suspended, so that it stays in the mailbox */
    struct hf_report report = {0};
    assert_int_equal(hf_named_wake(w.k, HF_VIEW("b/1"), &report), HF_OK);
    world_run(&w);
    assert_int_equal(hf_named_suspend(w.k, HF_VIEW("b/1")), HF_OK);
    size_t i = post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 0);
    world_pass(&w, 6 * MS);
    expect_answer(&w, i, "done");
    world_close(&w);
}

/* ---- the rule of duty ---- */

static void answers_twice(struct guest *t)
{
    CALL(nothing, "messages#state");
    CHECK_INT(refused(nothing), R_NO_REQUEST); /* none was taken yet */
    SAID(R_NO_REQUEST, respond(t, &(struct parcel){.body = "x"}));
    SAID(R_NO_REQUEST, guest_call(t, "defer", NULL, 0));
    RECEIVE(m, M_REQUEST);
    CALL(open, "messages#state");
    CHECK_INT(refused(open), R_OK);
    CALL(b, "blob.of-bytes", T("given"));
    if (!done(t))
        return;
    SAID(R_ANSWERED, respond(t, &(struct parcel){.blob = (uint32_t)b->items[0].u64})); /* the blob is gone all the same */
    SAID(R_ANSWERED, guest_call(t, "messages#state", NULL, 0));
    SAID(R_ANSWERED, guest_call(t, "defer", NULL, 0));
    SAID(R_ANSWERED, say(t, "forward", &(struct parcel){.target = "b/1"}));
    CHECK_INT(hf_instance_handles(t->g->inst), 0);
}
static void one_answer_and_no_more(void **state)
{
    play(state, answers_twice, NULL);
}

static void defers(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    struct hf_value *r = guest_call(t, "defer", NULL, 0);
    SAID(R_OK, r);
    uint64_t token = r->items[0].u64;
    SAID(R_DEFERRED, respond(t, &(struct parcel){.body = "x"}));
    SAID(R_DEFERRED, guest_call(t, "messages#state", NULL, 0));
    SAID(R_DEFERRED, say(t, "forward", &(struct parcel){.target = "b/1"}));
    SAID(R_OK, guest_call(t, "token-state", ARGS(U(token))));
    SAID(R_NO_REQUEST, guest_call(t, "token-state", ARGS(U(token + 1))));
    SAID(R_NO_REQUEST, guest_call(t, "drop-token", ARGS(U(token + 1))));
    SAID(R_NO_REQUEST, answer_token(t, token + 1, &(struct parcel){.body = "x"}));
    struct hf_value *timer = guest_call(t, "set-timer", ARGS(U(0)));
    SAID(R_OK, timer);
    uint64_t rings = timer->items[0].u64;
    RECEIVE(n, M_NOTICE);
    CHECK(n->tag == N_TIMER && n->items[0].u64 == rings);
    SAID(R_NO_REQUEST, respond(t, &(struct parcel){.body = "x"})); /* nothing is in question under a notice */
    SAID(R_OK, answer_token(t, token, &(struct parcel){.body = "done"}));
    SAID(R_NO_REQUEST, answer_token(t, token, &(struct parcel){.body = "x"}));
}
static void a_token_answers_later(void **state)
{
    play(state, defers, NULL);
}

static void drops_its_token(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    struct hf_value *r = guest_call(t, "defer", NULL, 0);
    SAID(R_OK, r);
    SAID(R_OK, guest_call(t, "drop-token", ARGS(U(r->items[0].u64))));
    RECEIVE(next, M_REQUEST);
}
static void leaves_it_unanswered(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    RECEIVE(next, M_REQUEST);
}
static void who_lets_go_leaves_it_unanswered(void **state)
{
    static const script_fn scripts[] = {drops_its_token, leaves_it_unanswered};
    for (size_t n = 0; n < 2; n++) {
        struct world w;
        world_open(&w, state);
        world_class(&w, "a", scripts[n], NULL);
        size_t i = post_to(&w, "a/1", "go", NULL), k = n == 1 ? post_to(&w, "a/1", "next", NULL) : i;
        world_run(&w);
        expect_kind(&w, i, HF_ANSWER_UNANSWERED);
        assert_int_equal(w.requests[k].answers, 1);
        world_close(&w);
    }
}

static void forwards(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    SAID(R_DENIED, say(t, "forward", &(struct parcel){.target = "c/1"}));
    SAID(R_OK, say(t, "forward", &(struct parcel){.target = "b/1", .body = "done"}));
    SAID(R_MOVED, respond(t, &(struct parcel){.body = "x"}));
    SAID(R_MOVED, guest_call(t, "messages#state", NULL, 0));
    SAID(R_MOVED, guest_call(t, "defer", NULL, 0));
}
static void a_forward_moves_the_duty(void **state)
{
    static const char *const to_b[] = {"b/*", NULL};
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", forwards, &(struct hf_named_settings){.grants = to_b});
    world_class(&w, "b", echo, NULL);
    size_t i = post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    expect_answer(&w, i, "done");
    world_close(&w);
}

static void cancels(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    struct hf_value *id = say(t, "send", &(struct parcel){.target = "b/1", .context = "c"});
    SAID(R_OK, id);
    uint64_t sent = id->items[0].u64;
    SAID(R_OK, guest_call(t, "cancel", ARGS(U(sent))));
    SAID(R_NO_REQUEST, guest_call(t, "cancel", ARGS(U(sent))));
    SAID(R_NO_REQUEST, guest_call(t, "cancel", ARGS(U(sent + 77))));
    RECEIVE(f, M_FAILURE);
    CHECK_INT(f->items[0].u64, sent);
    CHECK_INT(f->items[2].tag, 10); /* cancelled */
    CHECK(is_text(&f->items[4], "c"));
    done(t);
}
static void a_cancelled_request_fails_with_its_context(void **state)
{
    play(state, cancels, echo);
}

static void waits_until_unwanted(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    CALL(p, "unwanted");
    CALL(ready, "pollable.ready", H((uint32_t)p->u64));
    CHECK(ready->u64 == 0);
    DO("pollable.block", H((uint32_t)p->u64));
    SAID(R_UNWANTED, respond(t, &(struct parcel){.body = "late"}));
    SAID(R_UNWANTED, guest_call(t, "messages#state", NULL, 0));
    SAID(R_UNWANTED, say(t, "forward", &(struct parcel){.target = "b/1"}));
    CHECK(is_text(&m->items[2], "go"));
    uint32_t blob = option_handle(guest_call(t, "current-blob", NULL, 0)); /* the message is there until it is let go */
    CALL(bytes, "blob.read", H(blob), U(0), U(9));
    CHECK(bytes->tag == 0 && is_text(&bytes->items[0], "body"));
    t->w->note++;
}
static void who_waits_hears_that_nobody_does_any_more(void **state)
{
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", waits_until_unwanted, &free_to_send);
    size_t i = post_to(&w, "a/1", "go", hf_blob_of_bytes(HF_VIEW("body")));
    world_run(&w);
    hf_port_cancel(w.k, w.requests[i].id);
    world_run(&w);
    assert_int_equal(w.note, 1);
    world_close(&w);
}

/* ---- refusals ---- */

static void is_refused(struct guest *t)
{
    static char big[4096];
    memset(big, 'x', sizeof big - 1);
    RECEIVE(m, M_REQUEST);
    SAID(R_DENIED, say(t, "send", &(struct parcel){.target = "c/1"}));
    SAID(R_DENIED, say(t, "tell", &(struct parcel){.target = "c/1"}));
    SAID(R_DENIED, say(t, "ask", &(struct parcel){.target = "c/1"}));
    SAID(R_DENIED, say(t, "send", &(struct parcel){.target = "b/1", .cap = "c/1"})); /* not its to give */
    SAID(R_TOO_LARGE, say(t, "send", &(struct parcel){.target = "b/1", .body = big}));
    SAID(R_TOO_LARGE, respond(t, &(struct parcel){.body = big}));
    SAID(R_DENIED, guest_call(t, "keep", ARGS(T("c/1"))));
    SAID(R_NO_REQUEST, guest_call(t, "release", ARGS(T("c/1"))));
    SAID(R_DENIED, guest_call(t, "monitor", ARGS(T("c/1"))));
    SAID(R_NO_REQUEST, guest_call(t, "unwatch", ARGS(U(99))));
    SAID(R_NO_REQUEST, guest_call(t, "clear-timer", ARGS(U(99))));
    SAID(R_NO_REQUEST, guest_call(t, "processes#stop", ARGS(T("b/1"))));
    SAID(R_NO_REQUEST, guest_call(t, "kill", ARGS(T("b/1"), T("why"))));
    CALL(b, "holds", T("b/1"));
    CALL(c, "holds", T("c/1"));
    CHECK(b->u64 == 1 && c->u64 == 0);
    SAID(R_OK, guest_call(t, "set-timer", ARGS(U(UINT64_MAX))));
    SAID(R_LIMIT, guest_call(t, "set-timer", ARGS(U(1))));
    SAID(R_OK, guest_call(t, "monitor", ARGS(T("b/1"))));
    SAID(R_LIMIT, guest_call(t, "link", ARGS(T("b/1"))));
    SAID(R_OK, say(t, "send", &(struct parcel){.target = "b/1"}));
    SAID(R_LIMIT, say(t, "send", &(struct parcel){.target = "b/1"})); /* pending_max */
    done(t);
}
static void what_is_not_granted_or_too_much_is_refused(void **state)
{
    static const char *const to_b[] = {"b/*", NULL};
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", is_refused,
                &(struct hf_named_settings){
                    .grants = to_b, .message_max = 2048, .timers_max = 1, .watches_max = 1, .pending_max = 1});
    world_class(&w, "b", echo, NULL);
    size_t i = post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    expect_answer(&w, i, "done");
    world_close(&w);
}

/* What an instance of a pool calls: it is no process, and nothing of this is for it. */
static void is_no_process(struct guest *t)
{
    CALL(name, "processes#name");
    CHECK(name->len == 0);
    CALL(parent, "processes#parent");
    CHECK(parent->tag == 0);
    SAID(R_DENIED, say(t, "send", &(struct parcel){.target = "a/1"}));
    SAID(R_DENIED, say(t, "tell", &(struct parcel){.target = "a/1"}));
    SAID(R_DENIED, say(t, "ask", &(struct parcel){.target = "a/1"}));
    SAID(R_DENIED, say(t, "forward", &(struct parcel){.target = "a/1"}));
    SAID(R_DENIED, respond(t, &(struct parcel){.body = "x"}));
    SAID(R_DENIED, guest_call(t, "defer", NULL, 0));
    SAID(R_NO_REQUEST, answer_token(t, 1, &(struct parcel){.body = "x"}));
    SAID(R_NO_REQUEST, guest_call(t, "drop-token", ARGS(U(1))));
    SAID(R_NO_REQUEST, guest_call(t, "token-state", ARGS(U(1))));
    SAID(R_DENIED, guest_call(t, "messages#state", NULL, 0));
    SAID(R_DENIED, guest_call(t, "cancel", ARGS(U(1))));
    SAID(R_DENIED, guest_call(t, "keep", ARGS(T("a/1"))));
    SAID(R_NO_REQUEST, guest_call(t, "release", ARGS(T("a/1"))));
    SAID(R_DENIED, guest_call(t, "monitor", ARGS(T("a/1"))));
    SAID(R_DENIED, guest_call(t, "link", ARGS(T("a/1"))));
    SAID(R_DENIED, guest_call(t, "unwatch", ARGS(U(1))));
    SAID(R_DENIED, guest_call(t, "set-timer", ARGS(U(1))));
    SAID(R_DENIED, guest_call(t, "clear-timer", ARGS(U(1))));
    CALL(none, "nested");
    CHECK(none->tag == 0);
    CALL(no_blob, "nested-blob");
    CHECK(no_blob->tag == 0);
    TRAPS("no process", "unwanted");
    TRAPS("no process", "mail");
    TRAPS("only a runner takes them", "messages#receive");
    answer(t, "fine");
}
static void a_service_is_no_process(void **state)
{
    run_script(state, is_no_process);
}

/* ---- children and watches ---- */

static struct hf_value *spawn(struct guest *t, const char *class, const char *key, bool monitor)
{
    struct hf_value k = T(key == NULL ? "" : key);
    struct hf_value f[] = {T(class), key == NULL ? CASE(0, NULL) : CASE(1, &k), U(monitor), U(false)};
    const struct hf_value args[] = {LIST(f, 4)};
    return guest_call(t, "spawn", args, 1);
}

static void has_children(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    SAID(R_DENIED, spawn(t, "a", "x", false));
    SAID(R_INVALID, spawn(t, "b", "", false));
    struct hf_value *made = spawn(t, "b", NULL, false);
    SAID(R_OK, made);
    CHECK(made->items[0].items[1].tag == 0); /* no watch was asked for */
    made = spawn(t, "b", "1", true);
    SAID(R_OK, made);
    CHECK(is_text(&made->items[0].items[0], "b/1") && made->items[0].items[1].tag == 1);
    uint64_t watch = made->items[0].items[1].items[0].u64;
    SAID(R_TAKEN, spawn(t, "b", "1", false));
    struct hf_value *r = say(t, "ask", &(struct parcel){.target = "b/1", .body = "up?"});
    SAID(R_OK, r);
    CHECK(r->items[0].tag == 0);
    SAID(R_OK, guest_call(t, "kill", ARGS(T("b/1"), T("enough"))));
    RECEIVE(n, M_NOTICE);
    CHECK_INT(n->tag, N_ENDED);
    const struct hf_value *e = n->items[0].items;
    CHECK_INT(e[0].u64, watch);
    CHECK(is_text(&e[1], "b/1") && e[2].u64 == 0 && strstr((const char *)e[4].bytes, "enough") != NULL);
    t->w->note++;
}
static void children_are_made_watched_and_killed(void **state)
{
    static const char *const b[] = {"b", NULL};
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", has_children, &(struct hf_named_settings){.spawns = b});
    world_class(&w, "b", echo, NULL);
    post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    assert_int_equal(w.note, 1);
    world_close(&w);
}

/* Reasons are cut at a number of bytes: what comes out must be a string all the same (guest_call checks it). */
static void kills_with_many_words(struct guest *t)
{
    static char why[4001]; /* "x", then letters of two bytes */
    why[0] = 'x';
    for (size_t i = 1; i + 1 < sizeof why - 1; i += 2)
        memcpy(why + i, "\xc3\xa9", 2);
    RECEIVE(m, M_REQUEST);
    SAID(R_OK, spawn(t, "b", "1", true));
    struct hf_value *r = say(t, "ask", &(struct parcel){.target = "b/1", .body = "up?"});
    SAID(R_OK, r);
    SAID(R_OK, guest_call(t, "kill", ARGS(T("b/1"), T(why))));
    RECEIVE(n, M_NOTICE);
    CHECK(n->tag == N_ENDED && n->items[0].items[4].len > 1000);
    t->w->note++;
}
static void reasons_are_strings(void **state)
{
    static const char *const b[] = {"b", NULL};
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", kills_with_many_words, &(struct hf_named_settings){.spawns = b});
    world_class(&w, "b", echo, NULL);
    post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    assert_int_equal(w.note, 1);
    world_close(&w);
}

/* ---- what is a process ---- */

static void the_wrong_kind_of_component_is_told_what_it_is(void **state)
{
    static const char runner[] =
        "(component (core module $M (func (export \"run\"))) (core instance $m (instantiate $M))"
        " (func $run (canon lift (core func $m \"run\"))) (instance $r (export \"run\" (func $run)))"
        " (export \"holdfast:kernel/runner@0.1.0\" (instance $r)))";
    static const struct {
        enum hf_process_shape process;
        const char *words; /* NULL: it is that */
    } rows[] = {
        {HF_PROCESS_NONE, "so it cannot serve HTTP"},
        {HF_PROCESS_HANDLE, "so it handles no messages"},
        {HF_PROCESS_RUN, NULL},
    };
    const struct shared *s = *state;
    struct hf_services services = {.os = hf_os_linux()};
    struct hf_buf wasm = {0};
    struct hf_report report = {0};
    struct hf_component *c;
    assert_int_equal(hf_engine_wat(runner, sizeof runner - 1, &wasm, &report), HF_OK);
    assert_int_equal(hf_component_load(s->engine, s->registry, hf_buf_view(&wasm), NULL, &c, &report), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_service_settings ss = {.name = "s", .component = c, .services = &services, .process = rows[i].process};
        struct hf_service *svc = NULL;
        hf_report_init(&report);
        enum hf_err err = hf_service_new(&ss, &svc, &report);
        assert_int_equal(err, rows[i].words == NULL ? HF_OK : HF_UNSUPPORTED);
        if (rows[i].words != NULL && (strstr(report.text, rows[i].words) == NULL ||
                                      strstr(report.text, "[services.NAME.process]") == NULL))
            fail_msg("row %zu: %s", i, report.text);
        hf_service_free(svc);
    }
    hf_component_unref(c);
    hf_buf_done(&wasm);
}

/* Arguments are lowered as what the export says it takes: were it something else, the guest would be given the host's memory. */
static void entries_of_another_type_are_refused(void **state)
{
    static const char handler[] =
        "(component (core module $M (memory (export \"m\") 1) (func (export \"f\") (param i32 i32))"
        "   (func (export \"r\") (param i32 i32 i32 i32) (result i32) (i32.const 0)))"
        " (core instance $m (instantiate $M))"
        " (func $handle (param \"message\" string)"
        "   (canon lift (core func $m \"f\") (memory $m \"m\") (realloc (func $m \"r\"))))"
        " (instance $h (export \"handle\" (func $handle)))"
        " (export \"holdfast:kernel/handler@0.1.0\" (instance $h)))";
    static const char http[] =
        "(component (core module $M (func (export \"f\") (param i64 i64))) (core instance $m (instantiate $M))"
        " (func $handle (param \"request\" u64) (param \"response-out\" u64) (canon lift (core func $m \"f\")))"
        " (instance $h (export \"handle\" (func $handle)))"
        " (export \"wasi:http/incoming-handler@0.2.0\" (instance $h)))";
    static const char command[] =
        "(component (core module $M (func (export \"f\") (result i64) (i64.const 0))) (core instance $m (instantiate $M))"
        " (func $run (result u64) (canon lift (core func $m \"f\"))) (instance $r (export \"run\" (func $run)))"
        " (export \"wasi:cli/run@0.2.0\" (instance $r)))";
    static const struct {
        const char *text;
        enum hf_process_shape process;
        bool command;
    } rows[] = {{handler, HF_PROCESS_HANDLE, false}, {http, HF_PROCESS_NONE, false}, {command, HF_PROCESS_NONE, true}};
    const struct shared *s = *state;
    struct hf_services services = {.os = hf_os_linux()};
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_service_settings ss = {.name = "s", .services = &services, .process = rows[i].process, .command = rows[i].command};
        struct hf_buf wasm = {0};
        struct hf_report report = {0};
        struct hf_service *svc = NULL;
        assert_int_equal(hf_engine_wat(rows[i].text, strlen(rows[i].text), &wasm, &report), HF_OK);
        assert_int_equal(hf_component_load(s->engine, s->registry, hf_buf_view(&wasm), NULL, &ss.component, &report), HF_OK);
        assert_int_equal(hf_service_new(&ss, &svc, &report), HF_UNSUPPORTED);
        if (strstr(report.text, "with another type than its WIT says") == NULL)
            fail_msg("row %zu: %s", i, report.text);
        hf_component_unref(ss.component);
        hf_buf_done(&wasm);
    }
}

/* ---- ends ---- */

static uint64_t traps(const struct world *w)
{
    struct hf_service_counts c;
    hf_service_worker_counts(w->processes[0].worker, &c);
    return c.traps;
}

static void a_stop_ends_a_runner_in_order(void **state)
{
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", echo, NULL);
    size_t i = post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    expect_answer(&w, i, "go");
    assert_int_equal(hf_named_stop(w.k, HF_VIEW("a/1")), HF_OK);
    world_run(&w);
    assert_int_equal(hf_named_count(w.k), 0);
    assert_int_equal(traps(&w), 0);
    assert_int_equal(w.log.len, 0);
    world_close(&w);
}

static void exits(struct guest *t, uint32_t code)
{
    RECEIVE(m, M_REQUEST);
    struct hf_value how = CASE(code, NULL);
    guest_call(t, "exit#exit", &how, 1);
}
static void exits_well(struct guest *t)
{
    exits(t, 0);
}
static void exits_badly(struct guest *t)
{
    exits(t, 1);
}
static void an_exit_with_a_code_is_a_failure(void **state)
{
    static const script_fn scripts[] = {exits_well, exits_badly};
    for (uint32_t n = 0; n < 2; n++) {
        struct world w;
        world_open(&w, state);
        world_class(&w, "a", scripts[n], NULL);
        size_t i = post_to(&w, "a/1", "go", NULL);
        world_run(&w);
        expect_kind(&w, i, n == 0 ? HF_ANSWER_UNANSWERED : HF_ANSWER_DEAD);
        assert_int_equal(traps(&w), n);
        world_close(&w);
    }
}

static void asks_forever(struct guest *t)
{
    RECEIVE(m, M_REQUEST);
    CALL(b, "blob.of-bytes", T("mine"));
    (void)say(t, "ask", &(struct parcel){.target = "b/1", .blob = (uint32_t)b->items[0].u64});
}
static void a_kill_in_the_middle_of_an_ask_leaves_nothing(void **state)
{
    struct world w;
    world_open(&w, state);
    world_class(&w, "a", asks_forever, &free_to_send);
    world_class(&w, "b", silent, NULL);
    struct hf_report report = {0};
    assert_int_equal(hf_named_wake(w.k, HF_VIEW("b/1"), &report), HF_OK);
    world_run(&w);
    assert_int_equal(hf_named_suspend(w.k, HF_VIEW("b/1")), HF_OK);
    size_t i = post_to(&w, "a/1", "go", NULL);
    world_run(&w);
    assert_int_equal(hf_named_kill(w.k, HF_VIEW("a/1"), HF_VIEW("enough")), HF_OK);
    world_run(&w);
    expect_kind(&w, i, HF_ANSWER_DEAD);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_as_it_comes),
        cmocka_unit_test(a_response_brings_its_context_and_what_it_came_under),
        cmocka_unit_test(an_awaited_answer_brings_all_that_was_sent),
        cmocka_unit_test(an_ask_that_fails_says_why),
        cmocka_unit_test(a_timeout_is_a_failure_with_the_blob),
        cmocka_unit_test(one_answer_and_no_more),
        cmocka_unit_test(a_token_answers_later),
        cmocka_unit_test(who_lets_go_leaves_it_unanswered),
        cmocka_unit_test(a_forward_moves_the_duty),
        cmocka_unit_test(a_cancelled_request_fails_with_its_context),
        cmocka_unit_test(who_waits_hears_that_nobody_does_any_more),
        cmocka_unit_test(what_is_not_granted_or_too_much_is_refused),
        cmocka_unit_test(a_service_is_no_process),
        cmocka_unit_test(children_are_made_watched_and_killed),
        cmocka_unit_test(reasons_are_strings),
        cmocka_unit_test(the_wrong_kind_of_component_is_told_what_it_is),
        cmocka_unit_test(entries_of_another_type_are_refused),
        cmocka_unit_test(a_stop_ends_a_runner_in_order),
        cmocka_unit_test(an_exit_with_a_code_is_a_failure),
        cmocka_unit_test(a_kill_in_the_middle_of_an_ask_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
