/* step_test.c - a node in a loop of the caller's (hf_node_fd, hf_node_step): poll() and nothing else, on one thread. */
#include "support.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "holdfast/process.h"

#define B(text) ((struct hf_bytes){(text), strlen(text)})
#define must(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

/* A client on a thread of its own: so many requests, one after the other. */
struct client {
    const struct node *n;
    const char *path, *want;
    int count;
    pthread_t thread;
    _Atomic bool over;
};

static void *ask_on(void *arg)
{
    struct client *c = arg;
    char body[512];
    int fd = http_open(c->n);
    for (int i = 0; i < c->count; i++) {
        http_send(fd, "GET", c->path, NULL);
        must(http_read(fd, body, sizeof body) == 200);
        must(c->want == NULL || strncmp(body, c->want, strlen(c->want)) == 0);
    }
    close(fd);
    atomic_store(&c->over, true);
    return NULL;
}

static void client_start(struct client *c)
{
    assert_int_equal(pthread_create(&c->thread, NULL, ask_on, c), 0);
}

/* Sleeps only in poll, on the nodes' descriptors, and steps who is ready: what the test is about. The bound is never met. */
static void loop(struct node *nodes, size_t n, const struct client *clients, size_t n_clients, int *naps)
{
    struct pollfd fds[4];
    for (size_t i = 0; i < n; i++) {
        fds[i].events = POLLIN;
        expect(&nodes[i], hf_node_fd(nodes[i].node, &fds[i].fd, &nodes[i].msg), HF_STATUS_OK, "");
    }
    for (size_t left = n_clients; left > 0;) {
        int ready = poll(fds, n, 5);
        *naps += ready == 0;
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents != 0)
                expect(&nodes[i], hf_node_step(nodes[i].node, 1000000, &nodes[i].msg), HF_STATUS_OK, "");
        left = 0;
        for (size_t i = 0; i < n_clients; i++)
            left += !atomic_load(&clients[i].over);
    }
    for (size_t i = 0; i < n_clients; i++)
        pthread_join(clients[i].thread, NULL);
}

/* To its end, in the same way. */
static void end(struct node *n)
{
    struct pollfd fd = {.events = POLLIN};
    enum hf_status st = HF_STATUS_OK;
    expect(n, hf_node_fd(n->node, &fd.fd, &n->msg), HF_STATUS_OK, "");
    hf_node_stop(n->node);
    while (st == HF_STATUS_OK) {
        assert_int_equal(poll(&fd, 1, 60000), 1);
        st = hf_node_step(n->node, 1000000, &n->msg);
    }
    assert_int_equal(st, HF_STATUS_STOPPED);
    assert_int_equal(hf_node_step(n->node, 0, &n->msg), HF_STATUS_STOPPED);
    assert_int_equal(hf_node_fd(n->node, &fd.fd, &n->msg), HF_STATUS_STOPPED);
    assert_int_equal(fd.fd, -1);
}

static void serve(struct node *n, const char *name)
{
    char path[512];
    struct hf_service_options so;
    assert_true(guest(name, path));
    hf_service_options_init(&so);
    so.path = path;
    expect(n, hf_node_add_service(n->node, &so, &n->msg), HF_STATUS_OK, "");
}

static void open_one(struct node *n)
{
    char path[512];
    node_init(n);
    n->options.workers = 1;
    if (!guest("c-hello", path)) {
        printf("SKIP: step_test: build/guests/c-hello.wasm is not built\n");
        skip();
    }
    node_open(n);
}

static void a_poll_loop_serves_a_thousand_requests(void **state)
{
    struct node n;
    int naps = 0;
    (void)state;
    open_one(&n);
    serve(&n, "c-hello");
    node_listen(&n);
    struct client clients[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        clients[i] = (struct client){.n = &n, .path = "/", .want = "Hello from C", .count = 250};
        client_start(&clients[i]);
    }
    loop(&n, 1, clients, 4, &naps);
    end(&n);
    node_close(&n);
}

/* Each with services of its own; one stops, the other goes on. */
static void two_nodes_in_one_loop(void **state)
{
    struct node n[2];
    int naps = 0;
    (void)state;
    for (int i = 0; i < 2; i++) {
        open_one(&n[i]);
        serve(&n[i], i == 0 ? "c-hello" : "c-counter");
        node_listen(&n[i]);
    }
    struct client clients[2] = {{.n = &n[0], .path = "/", .want = "Hello from C", .count = 100}, {.n = &n[1], .path = "/", .count = 100}};
    for (int i = 0; i < 2; i++)
        client_start(&clients[i]);
    loop(n, 2, clients, 2, &naps);
    end(&n[0]);
    node_close(&n[0]);
    struct client again = {.n = &n[1], .path = "/", .want = NULL, .count = 10};
    client_start(&again);
    loop(&n[1], 1, &again, 1, &naps);
    end(&n[1]);
    node_close(&n[1]);
}

/* ---- native processes, timers, calls from inside ---- */

struct probe {
    struct hf_node *node;
    const char *again; /* a component to serve from inside; NULL: none */
    int ticks;
    uint64_t token, timer;
    enum hf_status step, apply, fd;
    struct hf_words why;
};

static enum hf_proc_end probe_handle(void *state, struct hf_proc *p, const struct hf_proc_message *m)
{
    struct probe *c = state;
    int fd;
    (void)m;
    struct hf_words msg;
    struct hf_service_options so;
    c->step = hf_node_step(c->node, 0, &msg);
    c->fd = hf_node_fd(c->node, &fd, &msg);
    hf_service_options_init(&so);
    so.path = c->again;
    c->apply = hf_node_apply(c->node, &so, 1, &c->why);
    must(hf_proc_http_respond(p, 200, NULL, 0, B("looked")) == HF_PROC_OK);
    return HF_PROC_DONE;
}

/* Every answer waits for a timer: the descriptor tells of each, or this never ends. */
static enum hf_proc_end tick_handle(void *state, struct hf_proc *p, const struct hf_proc_message *m)
{
    struct probe *c = state;
    if (m->kind == HF_PROC_NOTICE) {
        c->ticks++;
        must(hf_proc_answer(p, c->token, &(struct hf_proc_parcel){0}) == HF_PROC_OK);
        return HF_PROC_DONE;
    }
    must(hf_proc_defer(p, &c->token) == HF_PROC_OK);
    must(hf_proc_set_timer(p, 500000, &c->timer) == HF_PROC_OK);
    return HF_PROC_DONE;
}

static void *ask_deferred(void *arg) /* an answer that is no HTTP is a 5xx: it came, that is all */
{
    struct client *c = arg;
    char body[512];
    for (int i = 0; i < c->count; i++)
        must(http_ask(c->n, c->path, body, sizeof body) != 0);
    atomic_store(&c->over, true);
    return NULL;
}

static void timers_make_the_descriptor_readable(void **state)
{
    struct node n;
    struct probe probe = {0};
    struct hf_route route = {.path = "/"};
    struct hf_process_class class;
    struct client c = {.n = &n, .path = "/", .count = 50};
    struct pollfd fd = {.events = POLLIN};
    (void)state;
    open_one(&n);
    hf_process_class_init(&class);
    class.name = "tick";
    class.routes = &route;
    class.n_routes = 1;
    class.ctx = &probe;
    class.handle = tick_handle;
    expect(&n, hf_node_add_process(n.node, &class, &n.msg), HF_STATUS_OK, "");
    node_listen(&n);
    expect(&n, hf_node_fd(n.node, &fd.fd, &n.msg), HF_STATUS_OK, "");
    assert_int_equal(pthread_create(&c.thread, NULL, ask_deferred, &c), 0);
    while (!atomic_load(&c.over)) {
        int ready = poll(&fd, 1, probe.ticks < 50 ? 60000 : 5); /* without the timer it would never be ready */
        assert_true(ready == 1 || probe.ticks >= 50);
        expect(&n, hf_node_step(n.node, 0, &n.msg), HF_STATUS_OK, "");
    }
    pthread_join(c.thread, NULL);
    assert_int_equal(probe.ticks, 50);
    end(&n);
    node_close(&n);
}

static void a_callback_cannot_turn_the_loop_it_runs_in(void **state)
{
    struct node n;
    char path[512];
    struct probe probe = {.step = HF_STATUS_OK, .fd = HF_STATUS_OK};
    struct hf_route route = {.path = "/probe"};
    struct hf_process_class class;
    int naps = 0;
    (void)state;
    open_one(&n);
    assert_true(guest("c-hello", path));
    probe.node = n.node;
    probe.again = path;
    hf_process_class_init(&class);
    class.name = "probe";
    class.routes = &route;
    class.n_routes = 1;
    class.ctx = &probe;
    class.handle = probe_handle;
    expect(&n, hf_node_add_process(n.node, &class, &n.msg), HF_STATUS_OK, "");
    node_listen(&n);
    struct client c = {.n = &n, .path = "/probe", .want = "looked", .count = 1};
    client_start(&c);
    loop(&n, 1, &c, 1, &naps);
    assert_int_equal(probe.step, HF_STATUS_USAGE);
    assert_int_equal(probe.fd, HF_STATUS_USAGE);
    assert_int_equal(probe.apply, HF_STATUS_UNSUPPORTED);
    assert_non_null(strstr(probe.why.text, "from a callback of the node"));
    end(&n);
    node_close(&n);
}

/* The thread that steps changes what is served: it turns the loop itself meanwhile, with one worker and with two. */
static void services_change_between_steps(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        struct node n;
        int naps = 0;
        open_one(&n);
        hf_node_close(n.node);
        n.options.workers = workers;
        node_open(&n);
        serve(&n, "c-hello");
        node_listen(&n);
        struct client c = {.n = &n, .path = "/", .want = "Hello", .count = 50};
        client_start(&c);
        loop(&n, 1, &c, 1, &naps);
        struct hf_service_options so;
        char path[512];
        assert_true(guest("c-counter", path));
        hf_service_options_init(&so);
        so.path = path;
        expect(&n, hf_node_apply(n.node, &so, 1, &n.msg), HF_STATUS_OK, "");
        struct client d = {.n = &n, .path = "/", .want = "1", .count = 1};
        client_start(&d);
        loop(&n, 1, &d, 1, &naps);
        end(&n);
        node_close(&n);
    }
}

static void *try_to_step(void *arg)
{
    struct node *n = arg;
    struct hf_words msg;
    assert_int_equal(hf_node_step(n->node, 0, &msg), HF_STATUS_USAGE);
    assert_int_equal(hf_node_run(n->node, &msg), HF_STATUS_USAGE);
    return NULL;
}

static void a_node_runs_on_one_thread_and_in_one_way(void **state)
{
    struct node n;
    pthread_t other;
    (void)state;
    open_one(&n);
    expect(&n, hf_node_step(n.node, 0, &n.msg), HF_STATUS_OK, "");
    assert_int_equal(pthread_create(&other, NULL, try_to_step, &n), 0);
    pthread_join(other, NULL);
    expect(&n, hf_node_run(n.node, &n.msg), HF_STATUS_USAGE, "runs already");
    node_close(&n); /* without an end of its steps */
}

/* ---- what else it does to the process ---- */

static void signals_are_as_they_were(void **state)
{
    /* The engine takes faults of guests from these, hands on all others, and leaves them be once they are set. */
    static const int faults[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS};
    struct sigaction before[65], after;
    sigset_t mask_before, mask_after;
    struct node n;
    int naps = 0;
    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    for (int s = 1; s < 65; s++)
        (void)sigaction(s, NULL, &before[s]);
    open_one(&n);
    serve(&n, "c-hello");
    node_listen(&n);
    struct client c = {.n = &n, .path = "/", .want = "Hello", .count = 20};
    client_start(&c);
    loop(&n, 1, &c, 1, &naps);
    for (int s = 1; s < 65; s++) {
        bool fault = false;
        for (size_t i = 0; i < 4; i++)
            fault |= faults[i] == s;
        if (fault || sigaction(s, NULL, &after) != 0)
            continue;
        if (after.sa_handler != before[s].sa_handler || after.sa_flags != before[s].sa_flags)
            fail_msg("signal %d has another handler", s);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int s = 1; s < 65; s++)
        assert_int_equal(sigismember(&mask_before, s), sigismember(&mask_after, s));
    end(&n);
    node_close(&n);
}

/* Names of this process's threads beside the caller's. */
static int threads(char names[256])
{
    int count = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    names[0] = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[300], name[32] = "";
        if (e->d_name[0] == '.' || atoi(e->d_name) == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "r");
        if (f == NULL)
            continue;
        (void)!fgets(name, sizeof name, f);
        fclose(f);
        count++;
        snprintf(names + strlen(names), 256 - strlen(names), "%s", name);
    }
    closedir(d);
    return count;
}

/* The first test of all: code compiled by others would leave their threads. */
static void without_threads_there_is_none(void **state)
{
    struct node n;
    char names[256];
    int naps = 0;
    (void)state;
    open_one(&n);
    hf_node_close(n.node);
    int ticker = threads(names);
    n.options.no_threads = true;
    n.options.workers = 2;
    assert_int_equal(hf_node_open(&n.options, &n.node, &n.msg), HF_STATUS_USAGE);
    n.options.workers = 0;
    n.options.quiet = false; /* the log, too */
    node_open(&n);
    serve(&n, "c-hello");
    node_listen(&n);
    struct client c = {.n = &n, .path = "/", .want = "Hello", .count = 5};
    client_start(&c);
    loop(&n, 1, &c, 1, &naps);
    assert_int_equal(threads(names), ticker);
    assert_int_equal(ticker, 0);
    end(&n);
    node_close(&n);
}

static void with_one_worker_there_is_the_ticker(void **state)
{
    struct node n;
    char names[256];
    (void)state;
    open_one(&n);
    (void)threads(names);
    assert_non_null(strstr(names, "hf-ticker"));
    node_close(&n);
    (void)threads(names);
    assert_null(strstr(names, "hf-ticker"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_threads_there_is_none),
        cmocka_unit_test(a_poll_loop_serves_a_thousand_requests),
        cmocka_unit_test(two_nodes_in_one_loop),
        cmocka_unit_test(timers_make_the_descriptor_readable),
        cmocka_unit_test(a_callback_cannot_turn_the_loop_it_runs_in),
        cmocka_unit_test(services_change_between_steps),
        cmocka_unit_test(a_node_runs_on_one_thread_and_in_one_way),
        cmocka_unit_test(signals_are_as_they_were),
        cmocka_unit_test(with_one_worker_there_is_the_ticker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
