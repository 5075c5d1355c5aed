/* cli_test.c - wasi:cli, wasi:random, and the refusals of wasi:filesystem and wasi:sockets
 * (http-and-poll 1.1). */
#include "support.h"

static bool print_to(struct guest *t, const char *which, struct hf_view text)
{
    const struct hf_value *s = guest_call(t, which, NULL, 0);
    if (s == NULL)
        return false;
    uint32_t h = (uint32_t)s->u64;
    while (text.len > 0) {
        struct hf_view part = hf_view_take(text, 4096);
        const struct hf_value args[] = {H(h), hf_value_bytes(part)};
        const struct hf_value *r = guest_call(t, "output-stream.blocking-write-and-flush", args, 2);
        if (r == NULL || r->tag != 0)
            return false;
        text = hf_view_skip(text, part.len);
    }
    guest_drop(t, h);
    return t->err == HF_OK;
}

static const char *log_of(const struct world *w)
{
    return w->log.ptr == NULL ? "" : (const char *)w->log.ptr;
}

static void logged(void **state, script_fn script, const char *want)
{
    struct world w;
    world_open(&w, state);
    post(&w, script);
    world_run(&w);
    assert_string_equal(log_of(&w), want);
    world_close(&w);
}

/* ---- stdout and stderr ---- */

static void lines(struct guest *t)
{
    CHECK(print_to(t, "get-stdout", HF_VIEW("one\ntwo\n\nhalf ")));
    CHECK(print_to(t, "get-stderr", HF_VIEW("err\n")));
    CHECK(print_to(t, "get-stdout", HF_VIEW("line\n")));
    CHECK(print_to(t, "get-stderr", HF_VIEW("no end")));
    CHECK(answer(t, "x"));
}

static void stdout_lines_go_to_the_log_with_the_services_name(void **state)
{
    logged(state, lines,
           "stdout s: one\nstdout s: two\nstdout s: \nstderr s: err\nstdout s: half line\nstderr "
           "s: no end\n");
}

static char line_text[5000];

static void long_lines(struct guest *t)
{
    static const uint32_t lengths[] = {1023, 1024, 1025, 2048, 2500};
    for (size_t i = 0; i < HF_ARRAY_LEN(lengths); i++) {
        CHECK(print_to(t, "get-stdout", hf_view(line_text, lengths[i])));
        CHECK(print_to(t, "get-stdout", HF_VIEW("\n"))); /* the end comes in a write of its own */
        struct hf_buf whole = {0};
        bool ok = hf_buf_add(&whole, line_text, lengths[i]) == HF_OK &&
                  hf_buf_add_text(&whole, "\n") == HF_OK;
        ok = ok && print_to(t, "get-stdout", hf_buf_view(&whole));
        hf_buf_done(&whole);
        CHECK(ok);
    }
    CHECK(print_to(t, "get-stdout", HF_VIEW("\n")));
    CHECK(answer(t, "x"));
}

/* A line of more than 1024 bytes becomes several, none is empty and none is lost. */
static void stdout_long_lines_are_cut(void **state)
{
    static const unsigned parts[] = {1, 1, 2, 2, 3};
    struct world w;
    unsigned n = 0, empty = 0, want = 0;
    size_t bytes = 0;
    memset(line_text, 'l', sizeof line_text);
    world_open(&w, state);
    post(&w, long_lines);
    world_run(&w);
    for (const char *at = log_of(&w); *at != '\0'; at = strchr(at, '\n') + 1) {
        size_t len = strcspn(at, "\n") - strlen("stdout s: ");
        assert_true(len <= 1024);
        n++;
        bytes += len;
        empty += len == 0;
    }
    for (size_t i = 0; i < HF_ARRAY_LEN(parts); i++)
        want += 2 * parts[i];
    assert_int_equal(n, want + 1);
    assert_int_equal(empty, 1); /* the one that was printed */
    assert_int_equal(bytes, 2 * (1023 + 1024 + 1025 + 2048 + 2500));
    world_close(&w);
}

static void prints_then_traps(struct guest *t)
{
    CHECK(print_to(t, "get-stderr", HF_VIEW("last words")));
    DO("poll", LIST(NULL, 0));
}

static void stdout_unfinished_line_goes_out_when_the_guest_dies(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, prints_then_traps);
    world_run(&w);
    expect_dead(&w, i, "empty");
    assert_int_equal(strncmp(log_of(&w), "stderr s: last words\n", 21), 0);
    world_close(&w);
}

/* What is written when the request is over, or has failed, has its id too; lines of a start and of a request without one have
 * none. */
static void lines_have_the_id_of_their_request(void **state)
{
    struct world w;
    world_open(&w, state);
    post_with(&w, lines, &(struct req){.fields = "a: b\nX-Request-Id: first\n"});
    world_run(&w);
    assert_string_equal(log_of(&w), "stdout s first: one\nstdout s first: two\nstdout s first: \nstderr s first: err\n"
                                    "stdout s first: half line\nstderr s first: no end\n");
    hf_buf_clear(&w.log);
    post(&w, lines);
    world_run(&w);
    assert_int_equal(strncmp(log_of(&w), "stdout s: one\n", 14), 0);
    hf_buf_clear(&w.log);
    size_t i = post_with(&w, prints_then_traps, &(struct req){.fields = "x-request-id: second\n"});
    world_run(&w);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_DEAD);
    assert_int_equal(strncmp(log_of(&w), "stderr s second: last words\nevent s second: ", 44), 0);
    world_close(&w);
}

static void prints(struct guest *t)
{
    CHECK(print_to(t, "get-stdout", HF_VIEW("hi\nthere")));
}

static void stdout_of_a_start_is_logged(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.on_start = prints});
    hf_class_warm(w.class);
    post(&w, NULL);
    world_run(&w);
    assert_non_null(strstr(log_of(&w), "stdout s: hi\nstdout s: there\n"));
    world_close(&w);
}

/* ---- environment, arguments, terminals ---- */

static void environment(struct guest *t)
{
    CALL(e, "get-environment");
    CHECK_INT(e->len, 4);
    static const char *const want[4][2] = {{"A", "1"}, {"EMPTY", ""}, {"EQ", "a=b"}, {"NONE", ""}};
    for (uint32_t i = 0; i < 4; i++)
        CHECK(is_text(&e->items[i].items[0], want[i][0]) &&
              is_text(&e->items[i].items[1], want[i][1]));
    CALL(a, "get-arguments");
    CHECK(a->len == 2 && is_text(&a->items[0], "prog") && is_text(&a->items[1], "\xc3\xa9"));
    CALL(c, "initial-cwd");
    CHECK_INT(c->tag, 0);
    CALL(ti, "get-terminal-stdin");
    CALL(to, "get-terminal-stdout");
    CALL(te, "get-terminal-stderr");
    CHECK(ti->tag == 0 && to->tag == 0 && te->tag == 0);
}

static void environment_and_arguments_are_the_services(void **state)
{
    static const char *const env[] = {"A=1", "EMPTY=", "EQ=a=b", "NONE", NULL}, *const args[] = {
                                                                                    "prog",
                                                                                    "\xc3\xa9",
                                                                                    NULL};
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.env = env, .args = args});
    size_t i = post(&w, environment);
    world_run(&w);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_UNANSWERED);
    world_close(&w);
}

static void no_environment(struct guest *t)
{
    CALL(e, "get-environment");
    CHECK_INT(e->len, 0);
    CALL(a, "get-arguments");
    CHECK_INT(a->len, 0);
}

static void environment_may_be_empty(void **state)
{
    run_script(state, no_environment);
}

static void environment_must_be_utf8(void **state)
{
    static const char *const bad[] = {"A=1", "B=\xff", NULL};
    const struct shared *shared = *state;
    struct hf_report report = {0};
    struct hf_services services = {0};
    struct hf_service *svc = NULL;
    struct hf_service_settings s = {
        .name = "s", .component = shared->component, .services = &services, .env = bad};
    assert_int_equal(hf_service_new(&s, &svc, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "environment variable 2 is not UTF-8"));
    report = (struct hf_report){0};
    s.env = NULL;
    s.args = bad;
    assert_int_equal(hf_service_new(&s, &svc, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "argument 2 is not UTF-8"));
}

/* ---- exit ---- */

static void exits(struct guest *t)
{
    struct hf_value *r =
        guest_call(t, "exit", (struct hf_value[]){CASE((uint32_t)t->w->note, NULL)}, 1);
    CHECK(r == NULL); /* it never returns */
}
static void exits_with_7(struct guest *t)
{
    DO("exit-with-code", U(7));
    CHECK(!"it returned");
}
static void exits_after(struct guest *t)
{
    CHECK(answer(t, "last words"));
    exits(t);
}

static void after_exit(struct world *w, size_t i, enum hf_answer_kind kind)
{
    struct hf_service_counts counts;
    struct hf_class_stats stats;
    world_run(w);
    assert_int_equal(w->requests[i].kind, kind);
    hf_service_worker_counts(w->worker, &counts);
    hf_class_get_stats(w->class, &stats);
    assert_int_equal(counts.exits, stats.retired); /* the instance is not used again */
    assert_int_equal(counts.traps, 0);
    assert_int_equal(stats.killed, 0);
    assert_int_equal(stats.instances, 0);
}

static void exit_retires_the_instance(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, exits_after);
    after_exit(&w, i, HF_ANSWER_OK);
    assert_string_equal(take_all(&w, i), "last words");
    assert_int_equal(w.requests[i].end, HF_CLOSED);
    uint64_t first = w.requests[i].process;
    w.note = 1; /* a failure's code makes no difference */
    i = post(&w, exits_after);
    after_exit(&w, i, HF_ANSWER_OK);
    assert_true(w.requests[i].process != first);
    world_close(&w);
}

static void exit_before_an_answer_is_unanswered(void **state)
{
    struct world w;
    world_open(&w, state);
    size_t i = post(&w, exits);
    after_exit(&w, i, HF_ANSWER_UNANSWERED);
    i = post(&w, exits_with_7);
    after_exit(&w, i, HF_ANSWER_UNANSWERED);
    assert_int_equal(w.log.len, 0); /* it said so itself: no complaint */
    world_close(&w);
}

static void exit_in_start_fails_the_start(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.on_start = exits});
    size_t i = post(&w, NULL);
    world_run(&w);
    expect_dead(&w, i, "starting an instance: ");
    assert_non_null(strstr((char *)w.requests[i].head_bytes.ptr, "wasi:cli/exit with code 0"));
    world_close(&w);
}

/* ---- random ---- */

static void randoms(struct guest *t)
{
    static const char *const names[] = {"get-random-bytes", "get-insecure-random-bytes"};
    for (int i = 0; i < 2; i++) {
        CALL(none, names[i], U(0));
        CHECK_INT(none->len, 0);
        CALL(a, names[i], U(64));
        CALL(b, names[i], U(64));
        CHECK(a->len == 64 && b->len == 64 && memcmp(a->bytes, b->bytes, 64) != 0);
        CALL(much, names[i], U(1 << 20));
        CHECK_INT(much->len, 1 << 20);
    }
    CALL(x, "get-random-u64");
    CALL(y, "get-random-u64");
    CHECK(x->u64 != y->u64);
    CALL(p, "get-insecure-random-u64");
    CALL(q, "get-insecure-random-u64");
    CHECK(p->u64 != q->u64);
}

static void too_much_random(struct guest *t)
{
    TRAPS("67108865 bytes asked for, at most 67108864 are given", "get-random-bytes",
          U((64u << 20) + 1));
    TRAPS("at most 67108864", "get-insecure-random-bytes", U(UINT64_MAX));
}

static void random_bytes_are_as_many_as_asked(void **state)
{
    run_script(state, randoms);
}
static void random_bytes_past_64_mib_trap(void **state)
{
    run_script(state, too_much_random);
}

static void seeds(struct guest *t)
{
    CALL(a, "insecure-seed");
    CALL(b, "insecure-seed");
    CHECK(a->items[0].u64 == b->items[0].u64 && a->items[1].u64 == b->items[1].u64);
    t->w->seen[0] = a->items[0].u64;
    t->w->seen[1] = a->items[1].u64;
}
static void seeds_and_exits(struct guest *t)
{
    seeds(t);
    exits(t);
}

static void insecure_seed_is_stable_for_the_instance(void **state)
{
    struct world w;
    uint64_t first[2];
    world_open(&w, state);
    post(&w, seeds);
    world_run(&w);
    memcpy(first, w.seen, sizeof first);
    post(&w, seeds_and_exits); /* the same instance */
    world_run(&w);
    assert_memory_equal(first, w.seen, sizeof first);
    post(&w, seeds); /* another one */
    world_run(&w);
    assert_true(memcmp(first, w.seen, sizeof first) != 0);
    world_close(&w);
}

/* ---- nothing granted ---- */

static void denied(struct guest *t)
{
    enum { ACCESS_DENIED = 1 };
    CALL(dirs, "get-directories");
    CHECK_INT(dirs->len, 0);
    CALL(net, "instance-network");
    CALL(tcp, "create-tcp-socket", CASE(0, NULL));
    CHECK(tcp->tag == 1 && tcp->items[0].tag == ACCESS_DENIED);
    CALL(udp, "create-udp-socket", CASE(1, NULL));
    CHECK(udp->tag == 1 && udp->items[0].tag == ACCESS_DENIED);
    CALL(name, "resolve-addresses", H((uint32_t)net->u64), T("example.org"));
    CHECK(name->tag == 1 && name->items[0].tag == ACCESS_DENIED);
    DROP((uint32_t)net->u64);
}

static void files_and_sockets_are_refused(void **state)
{
    run_script(state, denied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stdout_lines_go_to_the_log_with_the_services_name),
        cmocka_unit_test(stdout_long_lines_are_cut),
        cmocka_unit_test(stdout_unfinished_line_goes_out_when_the_guest_dies),
        cmocka_unit_test(lines_have_the_id_of_their_request),
        cmocka_unit_test(stdout_of_a_start_is_logged),
        cmocka_unit_test(environment_and_arguments_are_the_services),
        cmocka_unit_test(environment_may_be_empty),
        cmocka_unit_test(environment_must_be_utf8),
        cmocka_unit_test(exit_retires_the_instance),
        cmocka_unit_test(exit_before_an_answer_is_unanswered),
        cmocka_unit_test(exit_in_start_fails_the_start),
        cmocka_unit_test(random_bytes_are_as_many_as_asked),
        cmocka_unit_test(random_bytes_past_64_mib_trap),
        cmocka_unit_test(insecure_seed_is_stable_for_the_instance),
        cmocka_unit_test(files_and_sockets_are_refused),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
