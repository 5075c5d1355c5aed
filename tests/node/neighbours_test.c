/* neighbours_test.c - 64 hostile guests beside one good service on one node: it loses no request,
 * and the node ends cleanly. */
#include "holdfast/holdfast.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOSTILE 64
#define GOOD    4
#define SECONDS 4
#define WAITED  1000

/* Everything that examples/c/hostile can do to a host; the rest of its paths are good. */
static const char *const misdeeds[] = {
    "/before-set",   "/after-set",   "/in-body",     "/after-end",     "/spin",
    "/spin-in-body", "/deep",        "/deep-calls",  "/outside",       "/bad-call",
    "/late",         "/after-work",  "/noanswer",    "/drop-outparam", "/seterr",
    "/too-short",    "/too-long",    "/abandon",     "/past-permit",   "/ignore-body",
    "/bad-headers",  "/endless",     "/leakhandles", "/flood-handles", "/use-dropped",
    "/wrong-type",   "/invented",    "/drop-twice",  "/drop-parent",   "/poll-nothing",
    "/set-twice",    "/bad-pointer", "/much-random", "/exit-before",   "/exit",
    "/exit-error",   "/leak",        "/hoard",       "/grow",          "/sleepforever",
    "/big",          "/huge-headers", "/large-headers"};

struct run {
    struct hf_node *node;
    enum hf_status status;
    int port;
    _Atomic bool stop;
    _Atomic unsigned good, wrong, bad, next;
    char what[512]; /* of the first wrong one */
    _Atomic uint32_t waited[WAITED]; /* good ones, by how many ms they took; more: the last */
};

static int connect_to(const struct run *r, unsigned timeout_s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port)};
    struct timeval limit = {.tv_sec = timeout_s};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
        perror("connect");
        abort();
    }
    return fd;
}

/* Up to max - 1 bytes of the answer, or what came before a reset or the time limit. */
static size_t ask(const struct run *r, const char *path, unsigned timeout_s, char *out, size_t max)
{
    char text[256];
    int fd = connect_to(r, timeout_s),
        n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                     path);
    size_t at = 0;
    ssize_t got;
    if (write(fd, text, (size_t)n) == n)
        while (at + 1 < max && (got = read(fd, out + at, max - 1 - at)) > 0)
            at += (size_t)got;
    out[at] = 0;
    close(fd); /* an endless body is left in the middle */
    return at;
}

static void *hostile(void *arg)
{
    struct run *r = arg;
    char out[4096];
    while (!atomic_load(&r->stop)) {
        ask(r, misdeeds[atomic_fetch_add(&r->next, 1) % (sizeof misdeeds / sizeof *misdeeds)], 3,
            out, sizeof out);
        atomic_fetch_add(&r->bad, 1);
    }
    return NULL;
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* For people: a loaded machine is no fault. */
static void tell_waits(struct run *r)
{
    static const unsigned shares[] = {50, 90, 99, 100};
    unsigned n = 0, at = 0;
    for (unsigned ms = 0; ms < WAITED && at < sizeof shares / sizeof *shares; ms++)
        for (n += r->waited[ms];
             at < sizeof shares / sizeof *shares && n * 100u >= shares[at] * (r->good + r->wrong);)
            printf("%u%% of the good ones took less than %u ms\n", shares[at++], ms + 1);
}

static void *good(void *arg)
{
    struct run *r = arg;
    char out[4096];
    while (!atomic_load(&r->stop)) {
        uint64_t began = now_ms();
        ask(r, "/hello", 60, out, sizeof out);
        uint64_t took = now_ms() - began;
        atomic_fetch_add(&r->waited[took < WAITED ? took : WAITED - 1], 1);
        bool right =
            strncmp(out, "HTTP/1.1 200 ", 13) == 0 && strstr(out, "\r\n\r\nHello from C\n") != NULL;
        atomic_fetch_add(right ? &r->good : &r->wrong, 1);
        if (!right && r->what[0] == 0)
            snprintf(r->what, sizeof r->what, "%.400s", out[0] == 0 ? "no answer" : out);
    }
    return NULL;
}

static void *serve(void *arg)
{
    struct run *r = arg;
    struct hf_words msg;
    r->status = hf_node_run(r->node, &msg);
    return NULL;
}

static bool guest(const char *name, char out[512])
{
    const char *dir = getenv("HF_GUESTS");
    snprintf(out, 512, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    return access(out, R_OK) == 0;
}

static void add(struct hf_node *node, const char *path, const char *prefix, enum hf_instances mode,
                uint64_t timeout_ns)
{
    struct hf_service_options so;
    struct hf_words msg;
    hf_service_options_init(&so);
    so.path = path;
    so.prefix = prefix;
    so.instances = mode;
    so.max = HOSTILE;
    so.request_timeout_ns = timeout_ns;
    so.memory_max = 8u << 20;
    so.handles_max = 2000;
    if (hf_node_add_service(node, &so, &msg) != HF_STATUS_OK)
        fail_msg("%s", msg.text);
}

static void beside(enum hf_instances mode)
{
    char hello[512], bad[512], bound[128];
    struct hf_node_options o;
    struct hf_words msg;
    struct run r = {0};
    pthread_t server, threads[HOSTILE + GOOD];
    if (!guest("c-hello", hello) || !guest("c-hostile", bad)) {
        printf("SKIP: neighbours: guests are not built\n");
        skip();
    }
    hf_node_options_init(&o);
    o.workers = 2;
    o.quiet = true;
    o.instances_max = 2000;
    o.drain_ns = 3000000000u;
    if (hf_node_open(&o, &r.node, &msg) != HF_STATUS_OK)
        fail_msg("open: %s", msg.text);
    add(r.node, hello, "/hello", mode, 60000000000u);
    add(r.node, bad, "/", mode, 700000000u);
    assert_int_equal(hf_node_listen(r.node, "127.0.0.1:0", bound, &msg), HF_STATUS_OK);
    r.port = atoi(strrchr(bound, ':') + 1);
    assert_int_equal(pthread_create(&server, NULL, serve, &r), 0);
    for (unsigned i = 0; i < HOSTILE + GOOD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < HOSTILE ? hostile : good, &r), 0);
    sleep(SECONDS);
    atomic_store(&r.stop, true);
    for (unsigned i = 0; i < HOSTILE + GOOD; i++)
        pthread_join(threads[i], NULL);
    hf_node_stop(r.node);
    pthread_join(server, NULL);
    hf_node_close(r.node);
    printf("%u good requests beside %u misdeeds\n", r.good, r.bad);
    tell_waits(&r);
    if (r.wrong != 0)
        fail_msg("%u of %u good requests went wrong: %s", r.wrong, r.good + r.wrong, r.what);
    assert_true(r.good >= 20 && r.bad >= HOSTILE);
    assert_int_equal(r.status, HF_STATUS_OK);
}

/* In one test: cmocka takes the engine's signal handlers away with the first, and they come once a
 * process. */
static void beside_64_hostile_guests_no_request_is_lost(void **state)
{
    (void)state;
    beside(HF_INSTANCES_REUSE);
    beside(HF_INSTANCES_PER_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_64_hostile_guests_no_request_is_lost)};
    return cmocka_run_group_tests_name("node/neighbours", tests, NULL, NULL);
}
