/* native_test.c - native processes (holdfast/process.h) beside guests and behind HTTP: every verb from C, limits, deaths. */
#include "support.h"

#include "holdfast/process.h"

#include <sys/socket.h>
#include <unistd.h>

/* On a worker's thread, where cmocka has no place to go back to. */
#define must(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))
#define B(text) ((struct hf_bytes){(text), strlen(text)})

/* One class does what the request's path, or its body when a process asks, says: "VERB REST". */
struct desk {
    int started, stopped, handled;
    char last[512]; /* what was noted last */
};
struct clerk { /* a process's state */
    struct desk *desk;
    uint64_t token, watch, timer;
    int served;
    bool failing;
};

static bool is(struct hf_bytes b, const char *text)
{
    return b.len == strlen(text) && memcmp(b.ptr, text, b.len) == 0;
}

static bool begins(struct hf_bytes b, const char *text)
{
    return b.len >= strlen(text) && memcmp(b.ptr, text, strlen(text)) == 0;
}

static enum hf_proc_end clerk_start(void *ctx, struct hf_proc *p, void **state)
{
    struct desk *desk = ctx;
    struct clerk *c = calloc(1, sizeof *c);
    must(c != NULL);
    must(hf_proc_name(p).len > 0);
    c->desk = desk;
    desk->started++;
    *state = c;
    return HF_PROC_DONE;
}

static void clerk_stop(void *state)
{
    struct clerk *c = state;
    c->desk->stopped++;
    free(c);
}

static void say(struct hf_proc *p, const char *text)
{
    struct hf_proc_http http;
    if (hf_proc_http(p, &http))
        must(hf_proc_http_respond(p, 200, NULL, 0, B(text)) == HF_PROC_OK);
    else
        must(hf_proc_respond(p, B(text)) == HF_PROC_OK);
}

static void say_said(struct hf_proc *p, enum hf_proc_said said)
{
    say(p, hf_proc_said_text(said));
}

static enum hf_proc_end on_request(struct clerk *c, struct hf_proc *p, const struct hf_proc_message *m, struct hf_bytes what)
{
    char name[256], text[512];
    uint64_t id;
    c->served++;
    if (is(what, "count")) {
        snprintf(text, sizeof text, "%d", c->served);
        say(p, text);
    } else if (is(what, "name")) {
        snprintf(text, sizeof text, "%.*s", (int)hf_proc_name(p).len, (const char *)hf_proc_name(p).ptr);
        say(p, text);
    } else if (is(what, "read")) {
        if (!m->has_blob) {
            say(p, "no blob");
            return HF_PROC_DONE;
        }
        if (hf_proc_blob(p).ptr == NULL && m->blob_len != 0)
            return HF_PROC_READ;
        snprintf(text, sizeof text, "read %zu: %.20s", hf_proc_blob(p).len, (const char *)hf_proc_blob(p).ptr);
        say(p, text);
    } else if (begins(what, "ask ")) { /* a guest: with a blob made here, context comes back */
        snprintf(name, sizeof name, "%.*s", (int)what.len - 4, (const char *)what.ptr + 4);
        struct hf_proc_send s = {.target = name, .parcel = {.blob = B("hello")}, .context = B("asked")};
        enum hf_proc_said said = hf_proc_request(p, &s, &id);
        if (said != HF_PROC_OK)
            say_said(p, said);
    } else if (begins(what, "forward ")) {
        snprintf(name, sizeof name, "%.*s", (int)what.len - 8, (const char *)what.ptr + 8);
        struct hf_proc_send s = {.target = name, .parcel = {.body = B("name"), .inherit = true}};
        enum hf_proc_said said = hf_proc_forward(p, &s);
        if (said != HF_PROC_OK)
            say_said(p, said);
        else
            must(hf_proc_respond(p, B("twice")) == HF_PROC_MOVED);
    } else if (is(what, "later")) {
        must(hf_proc_defer(p, &c->token) == HF_PROC_OK);
        must(hf_proc_respond(p, B("twice")) == HF_PROC_DEFERRED);
        must(hf_proc_token_state(p, c->token) == HF_PROC_OK);
        must(hf_proc_set_timer(p, 1000000, &c->timer) == HF_PROC_OK);
    } else if (is(what, "drop")) {
        must(hf_proc_defer(p, &c->token) == HF_PROC_OK);
        must(hf_proc_drop_token(p, c->token) == HF_PROC_OK);
        must(hf_proc_drop_token(p, c->token) == HF_PROC_NO_REQUEST);
    } else if (begins(what, "spawn")) { /* a child that is watched, told to go */
        enum hf_proc_said said = hf_proc_spawn(p, "desk", what.len > 6 ? "k" : NULL, name, &c->watch);
        if (said == HF_PROC_OK) {
            must(hf_proc_defer(p, &c->token) == HF_PROC_OK);
            struct hf_proc_send s = {.target = name, .parcel = {.body = B("retire")}};
            must(hf_proc_tell(p, &s) == HF_PROC_OK);
        } else {
            say_said(p, said);
        }
    } else if (is(what, "retire")) {
        hf_proc_retire(p);
    } else if (is(what, "fail")) {
        hf_proc_fail(p, "clerk has had enough");
        return HF_PROC_FAILED;
    } else if (is(what, "mute")) {
        return HF_PROC_FAILED;
    } else if (is(what, "twice")) {
        say(p, "once");
        must(hf_proc_respond(p, B("twice")) == HF_PROC_ANSWERED);
    } else if (is(what, "silent")) {
        return HF_PROC_DONE;
    } else if (is(what, "bad-head")) {
        struct hf_proc_header split = {"x-a", "1\r\nx-b: 2"}, space = {"x a", "1"};
        must(hf_proc_http_respond(p, 200, &split, 1, B("")) == HF_PROC_INVALID);
        must(hf_proc_http_respond(p, 200, &space, 1, B("")) == HF_PROC_INVALID);
        must(hf_proc_http_respond(p, 100, NULL, 0, B("")) == HF_PROC_INVALID);
        struct hf_proc_header good = {"x-good", "yes"};
        must(hf_proc_http_respond(p, 404, &good, 1, B("looked everywhere")) == HF_PROC_OK);
    } else {
        say(p, "what?");
    }
    return HF_PROC_DONE;
}

static enum hf_proc_end clerk_handle(void *state, struct hf_proc *p, const struct hf_proc_message *m)
{
    struct clerk *c = state;
    struct hf_proc_http http;
    char text[512];
    must(m->size == sizeof *m);
    c->desk->handled++;
    switch (m->kind) {
    case HF_PROC_REQUEST:
        if (hf_proc_http(p, &http)) {
            struct hf_bytes what = {(const char *)http.path.ptr + 3, http.path.len - 3}, host;
            char path[256];
            must(is(http.authority, "x") && is(http.method, m->has_blob ? "POST" : "GET"));
            must(!hf_proc_http_header(&http, "no-such", &host) && !hf_proc_http_at(&http, http.n_headers, &host, &host));
            if (hf_proc_http_header(&http, "X-Case", &host))
                must(is(host, "as it came"));
            snprintf(path, sizeof path, "%.*s", (int)what.len, (const char *)what.ptr);
            for (char *at = path; *at != 0; at++)
                *at = *at == '+' ? ' ' : *at;
            return on_request(c, p, m, B(path));
        }
        return on_request(c, p, m, m->body.len > 0 ? m->body : m->metadata);
    case HF_PROC_RESPONSE:
        must(is(m->context, "asked"));
        snprintf(text, sizeof text, "%.*s says %.*s", (int)m->source.len, (const char *)m->source.ptr, (int)m->body.len,
                 (const char *)m->body.ptr);
        say(p, text);
        return HF_PROC_DONE;
    case HF_PROC_ERROR:
        must(is(m->context, "asked"));
        snprintf(text, sizeof text, "error %d of %.*s", (int)m->error, (int)m->target.len, (const char *)m->target.ptr);
        say(p, text);
        return HF_PROC_DONE;
    case HF_PROC_NOTICE:
        if (m->notice == HF_PROC_TIMER) {
            must(m->id == c->timer);
            must(hf_proc_answer(p, c->token, &(struct hf_proc_parcel){.body = B("")}) == HF_PROC_OK);
        } else if (m->notice == HF_PROC_ENDED) {
            must(m->id == c->watch);
            must(m->error == HF_PROC_NO_ERROR);
            must(hf_proc_answer(p, c->token, &(struct hf_proc_parcel){.body = m->source}) == HF_PROC_OK);
        } else {
            must(!"a notice that nobody wanted");
        }
        return HF_PROC_DONE;
    }
    return HF_PROC_DONE;
}

/* "front" (a guest) takes HTTP and asks the process that the path names, with the query as metadata; "c" (a guest) counts the bytes of
 * a blob; "desk" is native, and at /n/... too. */
struct app {
    struct node n;
    char front[512], chain[512];
    struct desk desk;
    struct hf_process_options grants, asks;
    struct hf_route route;
    struct hf_process_class class;
};

static const char *const anybody[] = {"*", NULL}, *const desks[] = {"desk", "desk/*", NULL};

static void begin(struct app *a, uint32_t workers)
{
    memset(a, 0, sizeof *a);
    if (!guest("c-front", a->front) || !guest("c-chain", a->chain)) {
        printf("SKIP: native_test: guests are not built\n");
        skip();
    }
    node_init(&a->n);
    a->n.options.workers = workers;
    a->grants.sends = anybody;
    a->grants.spawns = desks;
    a->asks.sends = anybody;
    a->route.path = "/n";
    hf_process_class_init(&a->class);
    a->class.name = "desk";
    a->class.process = &a->grants;
    a->class.routes = &a->route;
    a->class.n_routes = 1;
    a->class.blob_max = 100000;
    a->class.ctx = &a->desk;
    a->class.start = clerk_start;
    a->class.handle = clerk_handle;
    a->class.stop = clerk_stop;
    node_open(&a->n);
}

static void add_guests(struct app *a)
{
    struct hf_service_options so;
    hf_service_options_init(&so);
    so.kind = HF_KIND_HANDLER;
    so.name = "front";
    so.path = a->front;
    so.prefix = "/";
    so.process = &a->asks;
    expect(&a->n, hf_node_add_service(a->n.node, &so, &a->n.msg), HF_STATUS_OK, "");
    so.name = "c";
    so.path = a->chain;
    so.prefix = NULL;
    expect(&a->n, hf_node_add_service(a->n.node, &so, &a->n.msg), HF_STATUS_OK, "");
}

static void run(struct app *a, uint32_t workers)
{
    begin(a, workers);
    expect(&a->n, hf_node_add_process(a->n.node, &a->class, &a->n.msg), HF_STATUS_OK, "");
    add_guests(a);
    node_run(&a->n);
}

static int post(struct app *a, const char *path, const char *body, char *ret, size_t size)
{
    int fd = http_open(&a->n);
    http_send(fd, "POST", path, body);
    int status = http_read(fd, ret, size);
    close(fd);
    return status;
}

static void over(struct app *a)
{
    node_close(&a->n);
    assert_int_equal(a->desk.started, a->desk.stopped);
}

static void send_raw(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* On one worker, and on two, where what comes in on the second goes over. */
static void http_ends_in_a_native_process(void **state)
{
    char body[512], value[64];
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        struct app a;
        run(&a, workers);
        for (int i = 1; i <= 10; i++) {
            char n[16];
            snprintf(n, sizeof n, "%d", i);
            http_expect(&a.n, "/n/count", n);
        }
        http_expect(&a.n, "/n/name", "desk");
        http_expect(&a.n, "/n/twice", "once");
        int fd = http_open(&a.n);
        send_raw(fd, "GET /n/bad-head HTTP/1.1\r\nHost: x\r\nx-CASE: as it came\r\n\r\n");
        assert_int_equal(http_read_with(fd, body, sizeof body, "x-good", value), 404);
        assert_string_equal(value, "yes");
        assert_string_equal(body, "looked everywhere");
        close(fd);
        assert_int_equal(http_ask(&a.n, "/n/silent", body, sizeof body), 500);
        assert_int_equal(a.desk.started, 1);
        over(&a);
    }
}

static void a_blob_is_read_whole(void **state)
{
    struct app a;
    char body[512], *large = malloc(100002);
    (void)state;
    run(&a, 1);
    assert_int_equal(post(&a, "/n/read", "a body of HTTP", body, sizeof body), 200);
    assert_string_equal(body, "read 14: a body of HTTP");
    http_expect(&a.n, "/n/read", "no blob");
    assert_int_equal(post(&a, "/desk?read", "by a guest", body, sizeof body), 200);
    assert_string_equal(body, "read 10: by a guest");
    /* It comes in pieces: others go on meanwhile. */
    int fd = http_open(&a.n);
    send_raw(fd, "POST /n/read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        send_raw(fd, "3\r\nabc\r\n");
        http_expect(&a.n, "/desk/other?name", "desk/other");
    }
    send_raw(fd, "0\r\n\r\n");
    assert_int_equal(http_read(fd, body, sizeof body), 200);
    assert_string_equal(body, "read 15: abcabcabcabcabc");
    /* As many bytes as it reads, and one more: that one is refused, the process lives. */
    for (int more = 0; more < 2; more++) {
        memset(large, 'x', 100001);
        large[100000 + more] = 0;
        char head[128];
        snprintf(head, sizeof head, "POST /n/read HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 100000 + more);
        send_raw(fd, head);
        send_raw(fd, large);
        int status = http_read(fd, body, sizeof body);
        if (more == 0) {
            assert_int_equal(status, 200);
            assert_string_equal(body, "read 100000: xxxxxxxxxxxxxxxxxxxx");
        } else {
            assert_true(status >= 500);
        }
    }
    close(fd);
    /* A client that leaves in the middle of it. */
    fd = http_open(&a.n);
    send_raw(fd, "POST /n/read HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nonly this");
    close(fd);
    http_expect(&a.n, "/n/name", "desk");
    assert_int_equal(a.desk.started, 2); /* desk, desk/other */
    free(large);
    over(&a);
}

static void guests_and_native_processes_talk(void **state)
{
    struct app a;
    char body[512];
    (void)state;
    run(&a, 2);
    http_expect(&a.n, "/desk?name", "desk");            /* guest to native */
    http_expect(&a.n, "/n/ask+c", "c says 5 532");      /* native to guest, with a blob made in C */
    http_expect(&a.n, "/desk?ask+c", "c says 5 532");   /* guest, native, guest */
    http_expect(&a.n, "/n/ask+nobody", "error 2 of nobody");
    http_expect(&a.n, "/desk?forward+desk/2", "desk/2"); /* the second answers the guest itself */
    assert_int_equal(post(&a, "/c?desk", "12", body, sizeof body), 200);
    assert_string_equal(body, "what?"); /* a guest forwards to native, with an empty route */
    over(&a);
}

static void answers_may_come_later(void **state)
{
    struct app a;
    char body[512];
    (void)state;
    run(&a, 1);
    http_expect(&a.n, "/desk?later", ""); /* a timer answers */
    assert_int_equal(http_ask(&a.n, "/desk?drop", body, sizeof body), 502);
    assert_int_equal(http_ask(&a.n, "/desk?silent", body, sizeof body), 502);
    over(&a);
}

static void children_are_spawned_and_watched(void **state)
{
    struct app a;
    (void)state;
    run(&a, 1);
    http_expect(&a.n, "/desk?spawn+k", "desk/k");
    http_expect(&a.n, "/desk?spawn+k", "desk/k"); /* the first one is gone */
    assert_int_equal(a.desk.started, 3);
    over(&a);
}

static void a_death_is_told_and_the_next_message_makes_another(void **state)
{
    struct app a;
    char body[512];
    (void)state;
    run(&a, 1);
    http_expect(&a.n, "/desk?count", "1");
    http_expect(&a.n, "/desk?count", "2");
    assert_int_equal(http_ask(&a.n, "/desk?fail", body, sizeof body), 502);
    assert_non_null(strstr(body, "clerk has had enough"));
    http_expect(&a.n, "/desk?count", "1");
    assert_int_equal(http_ask(&a.n, "/desk?mute", body, sizeof body), 502);
    assert_non_null(strstr(body, "did not say why"));
    http_expect(&a.n, "/n/count", "1");
    assert_int_equal(a.desk.started, 3);
    over(&a);
}

static void what_it_may_not_do_is_refused(void **state)
{
    struct app a;
    (void)state;
    begin(&a, 1);
    a.class.process = NULL; /* no grants at all */
    expect(&a.n, hf_node_add_process(a.n.node, &a.class, &a.n.msg), HF_STATUS_OK, "");
    add_guests(&a);
    node_run(&a.n);
    http_expect(&a.n, "/desk?ask+c", "denied");
    http_expect(&a.n, "/desk?forward+c", "denied");
    http_expect(&a.n, "/desk?spawn+k", "denied");
    over(&a);
}

static enum hf_proc_end no_start(void *ctx, struct hf_proc *p, void **state)
{
    struct desk *desk = ctx;
    (void)state;
    desk->started++;
    hf_proc_fail(p, "not today");
    return HF_PROC_FAILED;
}

static void no_stop(void *state)
{
    assert_null(state);
}

static void a_start_that_fails_is_told(void **state)
{
    struct app a;
    char body[512];
    (void)state;
    begin(&a, 1);
    a.class.start = no_start;
    a.class.stop = no_stop;
    expect(&a.n, hf_node_add_process(a.n.node, &a.class, &a.n.msg), HF_STATUS_OK, "");
    add_guests(&a);
    node_run(&a.n);
    assert_int_equal(http_ask(&a.n, "/desk?count", body, sizeof body), 502);
    assert_non_null(strstr(body, "not today"));
    node_close(&a.n);
    assert_int_equal(a.desk.started, 1);
}

static void classes_are_checked(void **state)
{
    struct app a;
    struct hf_process_class bad;
    struct hf_service_options so;
    (void)state;
    begin(&a, 1);
#define REFUSED(words) expect(&a.n, hf_node_add_process(a.n.node, &bad, &a.n.msg), HF_STATUS_USAGE, words)
    bad = a.class;
    bad.size--;
    REFUSED("size or handle");
    bad = a.class;
    bad.handle = NULL;
    REFUSED("size or handle");
    bad = a.class;
    bad.name = NULL;
    REFUSED("a class of processes needs a name");
    bad = a.class;
    bad.name = "desk/7";
    REFUSED("");
    bad = a.class;
    bad.routes = &(struct hf_route){.path = "no-slash"};
    REFUSED("no-slash");
    expect(&a.n, hf_node_add_process(a.n.node, &a.class, &a.n.msg), HF_STATUS_OK, "");
    bad = a.class;
    REFUSED("of that name already");
    bad.name = "other";
    REFUSED("have the same route");
    bad.n_routes = 0;
    for (int i = 1; i < 64; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        bad.name = name;
        expect(&a.n, hf_node_add_process(a.n.node, &bad, &a.n.msg), HF_STATUS_OK, "");
    }
    bad.name = "n64";
    expect(&a.n, hf_node_add_process(a.n.node, &bad, &a.n.msg), HF_STATUS_LIMIT, "64 classes");
    hf_service_options_init(&so);
    so.path = a.front;
    so.name = "desk";
    so.kind = HF_KIND_HANDLER;
    expect(&a.n, hf_node_add_service(a.n.node, &so, &a.n.msg), HF_STATUS_USAGE, "is the name of a class of native processes");
    so.name = "front";
    so.prefix = "/n";
    expect(&a.n, hf_node_add_service(a.n.node, &so, &a.n.msg), HF_STATUS_USAGE, "have the same route");
    so.prefix = "/";
    so.process = &a.asks;
    expect(&a.n, hf_node_add_service(a.n.node, &so, &a.n.msg), HF_STATUS_OK, "");
    REFUSED("comes before everything");
    node_run(&a.n);
    http_expect(&a.n, "/desk?name", "desk");
    /* They stay when services are replaced. */
    so.prefix = "/deep";
    expect(&a.n, hf_node_apply(a.n.node, &so, 1, &a.n.msg), HF_STATUS_OK, "");
    http_expect(&a.n, "/n/name", "desk");
    over(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_ends_in_a_native_process),
        cmocka_unit_test(a_blob_is_read_whole),
        cmocka_unit_test(guests_and_native_processes_talk),
        cmocka_unit_test(answers_may_come_later),
        cmocka_unit_test(children_are_spawned_and_watched),
        cmocka_unit_test(a_death_is_told_and_the_next_message_makes_another),
        cmocka_unit_test(what_it_may_not_do_is_refused),
        cmocka_unit_test(a_start_that_fails_is_told),
        cmocka_unit_test(classes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
