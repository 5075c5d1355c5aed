/* exec_test.c - hf_exec as an embedder uses it: descriptors, exit codes, a stop from another
 * thread. */
#include "holdfast/holdfast.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[512];

static bool have_guest(void)
{
    const char *dir = getenv("HF_GUESTS");
    snprintf(path, sizeof path, "%s/rust-command.wasm", dir != NULL ? dir : "build/guests");
    return access(path, R_OK) == 0;
}

static struct hf_node *open_node(void)
{
    struct hf_node_options o;
    struct hf_words msg;
    struct hf_node *node = NULL;
    hf_node_options_init(&o);
    o.workers = 1;
    o.quiet = true;
    o.instances_max = 100;
    if (hf_node_open(&o, &node, &msg) != HF_STATUS_OK)
        fail_msg("open: %s", msg.text);
    return node;
}

struct streams {
    int in[2], out[2], fds[3];
};

static void streams_open(struct streams *s)
{
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(s->in), 0);
    assert_int_equal(pipe(s->out), 0);
    s->fds[0] = s->in[0];
    s->fds[1] = s->fds[2] = s->out[1];
}

static void streams_close(struct streams *s)
{
    for (int i = 0; i < 2; i++) {
        close(s->in[i]);
        close(s->out[i]);
    }
}

static enum hf_status run(struct hf_node *node, struct streams *s, const char *const *args,
                          uint64_t timeout_ns, int *code, struct hf_words *msg)
{
    struct hf_service_options so;
    hf_service_options_init(&so);
    so.path = path;
    so.args = args;
    so.request_timeout_ns = timeout_ns;
    return hf_exec(node, &so, s->fds, code, msg);
}

static void a_command_after_another(void **state)
{
    static const char *const args[] = {"me", "args", "x", NULL};
    struct streams s;
    struct hf_words msg;
    char got[64] = {0};
    int code = -1;
    (void)state;
    if (!have_guest())
        skip();
    struct hf_node *node = open_node();
    streams_open(&s);
    for (int i = 0; i < 3; i++) {
        if (run(node, &s, args, 0, &code, &msg) != HF_STATUS_OK)
            fail_msg("%s", msg.text);
        assert_int_equal(code, 0);
        memset(got, 0, sizeof got);
        assert_true(read(s.out[0], got, sizeof got - 1) > 0);
        assert_string_equal(got, "me\nargs\nx\n");
    }
    static const char *const bad[] = {"me", "nonsense", NULL};
    assert_int_equal(run(node, &s, bad, 0, &code, &msg), HF_STATUS_OK);
    assert_int_equal(code, 1); /* 2, but its library says only that it failed */
    static const char *const trap[] = {"me", "trap", NULL};
    assert_int_equal(run(node, &s, trap, 0, &code, &msg), HF_STATUS_FAILED);
    assert_non_null(strstr(msg.text, "unreachable"));
    static const char *const cat[] = {"me", "cat", NULL};
    assert_int_equal(run(node, &s, cat, 100000000, &code, &msg), HF_STATUS_TIMEOUT);
    hf_node_close(node);
    streams_close(&s);
}

static void *stop(void *node)
{
    usleep(200000);
    hf_node_stop(node);
    return NULL;
}

static void stopped_from_another_thread(void **state)
{
    static const char *const cat[] = {"me", "cat", NULL};
    struct streams s;
    struct hf_words msg;
    pthread_t thread;
    int code = -1;
    (void)state;
    if (!have_guest())
        skip();
    struct hf_node *node = open_node();
    streams_open(&s);
    assert_int_equal(pthread_create(&thread, NULL, stop, node), 0);
    assert_int_equal(run(node, &s, cat, 0, &code, &msg),
                     HF_STATUS_STOPPED); /* it waits for input that never comes */
    pthread_join(thread, NULL);
    assert_int_equal(run(node, &s, cat, 0, &code, &msg),
                     HF_STATUS_STOPPED); /* the node runs nothing any more */
    hf_node_close(node);
    streams_close(&s);
}

static void mistakes_are_said(void **state)
{
    struct hf_service_options so;
    struct streams s;
    struct hf_words msg;
    int code = 0;
    (void)state;
    struct hf_node *node = open_node();
    streams_open(&s);
    memset(&so, 0, sizeof so);
    assert_int_equal(hf_exec(node, &so, s.fds, &code, &msg), HF_STATUS_USAGE);
    assert_int_equal(code, 1);
    hf_service_options_init(&so);
    so.path = "/nowhere/at/all.wasm";
    assert_int_equal(hf_exec(node, &so, s.fds, &code, &msg), HF_STATUS_IO);
    assert_non_null(strstr(msg.text, "/nowhere/at/all.wasm"));
    hf_node_close(node);
    streams_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_after_another),
        cmocka_unit_test(stopped_from_another_thread),
        cmocka_unit_test(mistakes_are_said),
    };
    return cmocka_run_group_tests_name("node/exec", tests, NULL, NULL);
}
