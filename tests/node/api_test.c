/* api_test.c - the public API as an embedder uses it: two nodes in one process, stopped from another thread. */
#include "holdfast/holdfast.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static bool guest(const char *name, char out[512])
{
    const char *dir = getenv("HF_GUESTS");
    snprintf(out, 512, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    return access(out, R_OK) == 0;
}

static struct hf_node *open_node_with(uint64_t body_max)
{
    struct hf_node_options o;
    struct hf_words msg;
    struct hf_node *node = NULL;
    hf_node_options_init(&o);
    o.body_max = body_max;
    o.workers = 1;
    o.quiet = true;
    o.instances_max = 100;
    enum hf_status st = hf_node_open(&o, &node, &msg);
    if (st != HF_STATUS_OK)
        fail_msg("open: %s", msg.text);
    return node;
}

static struct hf_node *open_node(void)
{
    return open_node_with(0);
}

static int port_of(const char *bound)
{
    return atoi(strrchr(bound, ':') + 1);
}

static void send_text(int port, const char *text, char *out, size_t size)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    size_t at = 0;
    ssize_t got;
    while (at + 1 < size && (got = read(fd, out + at, size - 1 - at)) > 0)
        at += (size_t)got;
    out[at] = 0;
    close(fd);
}

static void ask(int port, const char *path, char *out, size_t size)
{
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    send_text(port, text, out, size);
}

static void post(int port, const char *path, const char *body, char *out, size_t size)
{
    char text[256];
    snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", path,
             strlen(body), body);
    send_text(port, text, out, size);
}

struct runner {
    struct hf_node *node;
    enum hf_status status;
    pthread_t thread;
};

static void *run(void *arg)
{
    struct runner *r = arg;
    struct hf_words msg;
    r->status = hf_node_run(r->node, &msg);
    return NULL;
}

static void two_nodes_in_one_process(void **state)
{
    char path[512], bound[2][128], answer[2048];
    struct runner r[2];
    struct hf_words msg;
    struct hf_service_options so;
    (void)state;
    if (!guest("c-hello", path)) {
        printf("SKIP: two_nodes_in_one_process: build/guests/c-hello.wasm is not built\n");
        skip();
    }
    for (int i = 0; i < 2; i++) {
        r[i] = (struct runner){.node = open_node()};
        hf_service_options_init(&so);
        so.path = path;
        so.instances = i == 0 ? HF_INSTANCES_REUSE : HF_INSTANCES_PER_REQUEST;
        if (hf_node_add_service(r[i].node, &so, &msg) != HF_STATUS_OK)
            fail_msg("add: %s", msg.text);
        if (hf_node_listen(r[i].node, "127.0.0.1:0", bound[i], &msg) != HF_STATUS_OK)
            fail_msg("listen: %s", msg.text);
        assert_int_equal(pthread_create(&r[i].thread, NULL, run, &r[i]), 0);
    }
    assert_int_not_equal(port_of(bound[0]), port_of(bound[1]));
    for (int n = 0; n < 20; n++) {
        ask(port_of(bound[n % 2]), "/", answer, sizeof answer);
        assert_non_null(strstr(answer, "200 OK"));
        assert_non_null(strstr(answer, "Hello from C"));
    }
    for (int i = 0; i < 2; i++) {
        hf_node_stop(r[i].node);
        pthread_join(r[i].thread, NULL);
        assert_int_equal(r[i].status, HF_STATUS_OK);
        hf_node_close(r[i].node);
    }
}

static void routes_choose_a_service(void **state)
{
    char hello[512], counter[512], bound[128], answer[2048];
    struct hf_words msg;
    struct hf_service_options so;
    struct runner r = {0};
    (void)state;
    if (!guest("c-hello", hello) || !guest("c-counter", counter)) {
        printf("SKIP: routes_choose_a_service: guests are not built\n");
        skip();
    }
    r.node = open_node();
    hf_service_options_init(&so);
    so.path = hello;
    so.prefix = "/hello";
    assert_int_equal(hf_node_add_service(r.node, &so, &msg), HF_STATUS_OK);
    so.path = counter;
    so.prefix = "/count";
    so.max = 1;
    assert_int_equal(hf_node_add_service(r.node, &so, &msg), HF_STATUS_OK);
    assert_int_equal(hf_node_listen(r.node, "127.0.0.1:0", bound, &msg), HF_STATUS_OK);
    assert_int_equal(pthread_create(&r.thread, NULL, run, &r), 0);
    ask(port_of(bound), "/hello/there", answer, sizeof answer);
    assert_non_null(strstr(answer, "Hello from C"));
    ask(port_of(bound), "/count", answer, sizeof answer);
    assert_non_null(strstr(answer, "\r\n\r\n1"));
    ask(port_of(bound), "/nowhere", answer, sizeof answer);
    assert_non_null(strstr(answer, "404"));
    hf_node_stop(r.node);
    pthread_join(r.thread, NULL);
    hf_node_close(r.node);
}

/* Its own, be it less or more than the node's; without one the node's. */
static void a_service_has_its_own_body_limit(void **state)
{
    static const struct {
        const char *prefix, *fits, *more;
        uint64_t body_max;
    } rows[] = {{"/less", "1234", "12345", 4}, {"/more", "1234567812345678", "12345678123456781", 16}, {"/node", "12345678", "123456781", 0}};
    char hello[512], bound[128], answer[2048];
    struct hf_words msg;
    struct hf_service_options so;
    struct runner r = {0};
    (void)state;
    if (!guest("c-hello", hello)) {
        printf("SKIP: a_service_has_its_own_body_limit: guests are not built\n");
        skip();
    }
    r.node = open_node_with(8);
    hf_service_options_init(&so);
    so.path = hello;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        so.name = rows[i].prefix + 1;
        so.prefix = rows[i].prefix;
        so.body_max = rows[i].body_max;
        assert_int_equal(hf_node_add_service(r.node, &so, &msg), HF_STATUS_OK);
    }
    assert_int_equal(hf_node_listen(r.node, "127.0.0.1:0", bound, &msg), HF_STATUS_OK);
    assert_int_equal(pthread_create(&r.thread, NULL, run, &r), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        post(port_of(bound), rows[i].prefix, rows[i].fits, answer, sizeof answer);
        assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
        post(port_of(bound), rows[i].prefix, rows[i].more, answer, sizeof answer);
        assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
    }
    hf_node_stop(r.node);
    pthread_join(r.thread, NULL);
    hf_node_close(r.node);
}

/* One store in a node, but each service has its own space of names in it. */
static void services_do_not_share_buckets(void **state)
{
    static const char *const buckets[] = {"default", NULL};
    static const char *const paths[] = {"/a", "/a", "/b", "/a", "/b"}, *const counts[] = {"1", "2", "1", "3", "2"};
    char counter[512], bound[128], answer[2048], want[32];
    struct hf_words msg;
    struct hf_service_options so;
    struct runner r = {0};
    (void)state;
    if (!guest("c-kvcounter", counter)) {
        printf("SKIP: services_do_not_share_buckets: guests are not built\n");
        skip();
    }
    r.node = open_node();
    hf_service_options_init(&so);
    so.path = counter;
    so.keyvalue = buckets;
    so.name = "a";
    so.prefix = "/a";
    assert_int_equal(hf_node_add_service(r.node, &so, &msg), HF_STATUS_OK);
    so.name = "b";
    so.prefix = "/b";
    assert_int_equal(hf_node_add_service(r.node, &so, &msg), HF_STATUS_OK);
    assert_int_equal(hf_node_listen(r.node, "127.0.0.1:0", bound, &msg), HF_STATUS_OK);
    assert_int_equal(pthread_create(&r.thread, NULL, run, &r), 0);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(port_of(bound), paths[i], answer, sizeof answer);
        snprintf(want, sizeof want, "\r\n\r\n%s\n", counts[i]);
        assert_non_null(strstr(answer, want));
    }
    hf_node_stop(r.node);
    pthread_join(r.thread, NULL);
    hf_node_close(r.node);
}

/* What is granted with tenant: is one bucket for all services of a tenant, and never another tenant's nor a service's own. */
static void services_of_a_tenant_share_what_is_granted_so(void **state)
{
    static const char *const shared[] = {"tenant:default", NULL}, *const own[] = {"default", NULL};
    static const struct {
        const char *name, *tenant;
        const char *const *buckets;
    } services[] = {{"a", "acme", shared}, {"b", "acme", shared}, {"c", "other", shared}, {"d", "acme", own}, {"e", NULL, shared},
                    {"f", "default", shared}, {"acme", "acme", own}};
    static const char *const paths[] = {"/a", "/b", "/c", "/d", "/b", "/e", "/f", "/acme", "/a"};
    static const char *const counts[] = {"1", "2", "1", "1", "3", "1", "2", "1", "4"};
    char counter[512], bound[128], answer[2048], want[32], prefix[32];
    struct hf_words msg;
    struct hf_service_options so;
    struct runner r = {0};
    (void)state;
    if (!guest("c-kvcounter", counter)) {
        printf("SKIP: services_of_a_tenant_share_what_is_granted_so: guests are not built\n");
        skip();
    }
    r.node = open_node();
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        hf_service_options_init(&so);
        so.path = counter;
        so.name = services[i].name;
        so.tenant = services[i].tenant;
        so.keyvalue = services[i].buckets;
        snprintf(prefix, sizeof prefix, "/%s", so.name);
        so.prefix = prefix;
        assert_int_equal(hf_node_add_service(r.node, &so, &msg), HF_STATUS_OK);
    }
    assert_int_equal(hf_node_listen(r.node, "127.0.0.1:0", bound, &msg), HF_STATUS_OK);
    assert_int_equal(pthread_create(&r.thread, NULL, run, &r), 0);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(port_of(bound), paths[i], answer, sizeof answer);
        snprintf(want, sizeof want, "\r\n\r\n%s\n", counts[i]);
        if (strstr(answer, want) == NULL)
            fail_msg("%zu: %s is not %s", i, answer, counts[i]);
    }
    hf_node_stop(r.node);
    pthread_join(r.thread, NULL);
    hf_node_close(r.node);
}

static void keyvalue_mistakes_are_said(void **state)
{
    static const char *const both[] = {"b", "tenant:b:ro", NULL}, *const own[] = {"b", NULL};
    static const char *const twice[] = {"b", "b:ro", NULL}, *const pairs[] = {"k=1", "k=2", NULL};
    char counter[512];
    struct hf_words msg;
    struct hf_node_options o;
    struct hf_service_options so;
    struct hf_node *node = NULL;
    (void)state;
    hf_node_options_init(&o);
    o.keyvalue_value_max = (64u << 20) + 1;
    assert_int_equal(hf_node_open(&o, &node, &msg), HF_STATUS_USAGE);
    assert_null(node);
    assert_non_null(strstr(msg.text, "64 MiB"));
    if (!guest("c-kvcounter", counter)) {
        printf("SKIP: keyvalue_mistakes_are_said: guests are not built\n");
        skip();
    }
    node = open_node();
    hf_service_options_init(&so);
    so.path = counter;
    so.keyvalue = twice;
    assert_int_not_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_OK);
    assert_non_null(strstr(msg.text, "\"b\" is granted twice"));
    so.keyvalue = both;
    assert_int_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_USAGE);
    assert_non_null(strstr(msg.text, "\"b\" is granted twice: the service's own or the tenant's, not both"));
    so.name = "tenant:acme";
    so.keyvalue = own;
    assert_int_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_USAGE);
    assert_non_null(strstr(msg.text, "cannot be named \"tenant:acme\""));
    so.name = NULL;
    so.keyvalue = NULL;
    so.config = pairs;
    assert_int_not_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_OK);
    assert_non_null(strstr(msg.text, "\"k\" is given twice"));
    hf_node_close(node);
}

static void mistakes_are_said(void **state)
{
    struct hf_words msg;
    struct hf_node_options no;
    struct hf_node *node;
    struct hf_service_options so;
    (void)state;
    hf_node_options_init(&no);
    no.size = 3;
    assert_int_equal(hf_node_open(&no, &node, &msg), HF_STATUS_USAGE);
    assert_null(node);
    assert_non_null(strstr(msg.text, "size"));
    hf_node_options_init(&no);
    no.instances_max = 1000000; /* no processor of today has so many addresses */
    assert_int_equal(hf_node_open(&no, &node, &msg), HF_STATUS_LIMIT);
    assert_null(node);
    assert_non_null(strstr(msg.text, "instances_max in [node] of a manifest"));
    node = open_node();
    hf_service_options_init(&so);
    assert_int_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_USAGE);
    so.path = "/nowhere/at/all.wasm";
    assert_int_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_IO);
    assert_non_null(strstr(msg.text, "/nowhere/at/all.wasm"));
    assert_int_equal(hf_node_listen(node, "no-address", NULL, &msg), HF_STATUS_USAGE);
    hf_node_close(node);
    hf_node_close(NULL);
}

/* Of a header from before the last options were added: what it has counts, the rest is as usual. Newer ones are refused. */
static void options_of_an_older_header_are_taken(void **state)
{
    struct {
        unsigned char bytes[sizeof(struct hf_service_options)];
    } raw[2];
    struct hf_node_options no;
    struct hf_service_options so;
    struct hf_words msg;
    struct hf_node *node;
    char hello[512], counter[512], bound[128], answer[2048];
    struct runner r = {0};
    size_t old = offsetof(struct hf_service_options, keyvalue); /* ends behind `prefix` */
    (void)state;
    if (!guest("c-hello", hello) || !guest("c-counter", counter)) {
        printf("SKIP: options_of_an_older_header_are_taken: guests are not built\n");
        skip();
    }
    memset(&no, 0xaa, sizeof no);
    hf_node_options_init_size(&no, offsetof(struct hf_node_options, data_dir));
    no.workers = 1;
    no.quiet = true;
    no.instances_max = 100;
    assert_int_equal(hf_node_open(&no, &node, &msg), HF_STATUS_OK);
    r.node = node;
    memset(&so, 0xaa, sizeof so);
    hf_service_options_init_size(&so, old);
    so.path = hello;
    so.prefix = "/hello";
    memset(raw, 0xaa, sizeof raw);
    memcpy(&raw[0].bytes[0], &so, old);
    so.path = counter;
    so.prefix = "/count";
    memcpy(&raw[0].bytes[old], &so, old); /* an array as the older header lays it out */
    if (hf_node_apply(node, (const void *)raw, 2, &msg) != HF_STATUS_OK)
        fail_msg("apply: %s", msg.text);
    so.name = "third";
    so.prefix = "/third";
    assert_int_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_OK);
    assert_int_equal(hf_node_listen(node, "127.0.0.1:0", bound, &msg), HF_STATUS_OK);
    assert_int_equal(pthread_create(&r.thread, NULL, run, &r), 0);
    ask(port_of(bound), "/hello", answer, sizeof answer);
    assert_non_null(strstr(answer, "Hello from C"));
    ask(port_of(bound), "/count", answer, sizeof answer);
    assert_non_null(strstr(answer, "\r\n\r\n1"));
    ask(port_of(bound), "/third", answer, sizeof answer);
    assert_non_null(strstr(answer, "\r\n\r\n1"));
    static const size_t wrong[] = {0, 8, sizeof so + 8, sizeof so - 1};
    for (size_t i = 0; i < 4; i++) {
        so.size = wrong[i];
        assert_int_equal(hf_node_add_service(node, &so, &msg), HF_STATUS_USAGE);
        assert_int_equal(hf_node_apply(node, &so, 1, &msg), HF_STATUS_USAGE);
    }
    hf_node_stop(node);
    pthread_join(r.thread, NULL);
    hf_node_close(node);
    no.size = sizeof no + 8;
    assert_int_equal(hf_node_open(&no, &node, &msg), HF_STATUS_USAGE);
    assert_null(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_in_one_process),
        cmocka_unit_test(options_of_an_older_header_are_taken),
        cmocka_unit_test(routes_choose_a_service),
        cmocka_unit_test(a_service_has_its_own_body_limit),
        cmocka_unit_test(mistakes_are_said),
        cmocka_unit_test(services_do_not_share_buckets),
        cmocka_unit_test(services_of_a_tenant_share_what_is_granted_so),
        cmocka_unit_test(keyvalue_mistakes_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
