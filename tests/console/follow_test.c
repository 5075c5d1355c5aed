/* follow_test.c - /v1/logs: the newest lines, those that come, and readers that are slow or gone.
 */
#include "support.h"

static void add(struct world *w, const char *service, const char *line)
{
    hf_log_ring_add(w->node.ops.logs, hf_view_of(service), hf_view_of(line));
}

static void expect(struct world *w, const char *target, const char *lines)
{
    const char *body;
    assert_int_equal(ask(w, "GET", target, NULL, NULL, &body), 200);
    assert_string_equal(body, lines);
}

static void the_newest_lines(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    expect(&w, "/v1/logs", "");
    add(&w, "a", "one\n");
    add(&w, "b", "two\n");
    add(&w, "", "three\n");
    expect(&w, "/v1/logs", "one\ntwo\nthree\n");
    expect(&w, "/v1/logs?lines=2", "two\nthree\n");
    expect(&w, "/v1/logs?service=a", "one\n");
    expect(&w, "/v1/logs?service=a&lines=0", "");
    expect(&w, "/v1/logs?service=none&follow=0", "");
    world_close(&w);
}

static void follow(struct client *c, struct world *w, const char *target)
{
    char request[256];
    client_open(c, w);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    client_send(c, request);
    client_read(c);
    assert_non_null(strstr((char *)c->got.ptr, "HTTP/1.1 200 OK\r\n"));
}

static void followers_get_lines_as_they_come(void **state)
{
    struct world w;
    struct client all, one;
    (void)state;
    world_open(&w, NULL, NULL);
    add(&w, "a", "old");
    follow(&all, &w, "/v1/logs?follow");
    follow(&one, &w, "/v1/logs?follow&service=b&lines=0");
    for (unsigned i = 0; i < 3; i++) {
        char line[16];
        snprintf(line, sizeof line, "line %u", i);
        add(&w, i == 1 ? "b" : "a", line);
        client_read(&all);
        client_read(&one);
        assert_non_null(strstr((char *)all.got.ptr, line));
        assert_int_equal(strstr((char *)one.got.ptr, line) != NULL, i == 1);
    }
    assert_non_null(strstr((char *)all.got.ptr, "old\n"));
    assert_int_equal(w.admin->followers, 2);
    client_close(&one); /* gone: noticed without a line */
    assert_int_equal(w.admin->followers, 1);
    hf_admin_close(w.admin); /* the node stops: they come to a proper end */
    client_read(&all);
    assert_non_null(strstr((char *)all.got.ptr, "\r\n0\r\n\r\n"));
    assert_int_equal(w.admin->followers, 0);
    client_close(&all);
    world_close(&w);
}

static void a_slow_reader_loses_lines_and_is_told(void **state)
{
    struct world w;
    struct client c;
    char line[200];
    (void)state;
    for (unsigned json = 0; json < 2; json++) {
        world_open(&w, NULL, NULL);
        w.node.log_json = json == 1;
        follow(&c, &w, "/v1/logs?follow");
        hf_os_fake_socket_room(w.os, 1000);
        memset(line, 'x', sizeof line);
        line[sizeof line - 1] = 0;
        for (unsigned i = 0; i < 5000; i++) { /* a million bytes; the ring has 64 KiB */
            add(&w, "a", line);
            if (i % 100 == 0)
                world_run(&w);
        }
        assert_true(hf_blob_pool_memory(hf_kernel_blobs(w.kernel)) < 300000); /* nothing piles up */
        client_read(&c);
        add(&w, "a", "the last");
        client_read(&c);
        const char *words = json == 1 ? "{\"level\":\"lost\",\"lost\":" : "(";
        char *lost = strstr((char *)c.got.ptr, words);
        assert_non_null(lost);
        unsigned n = 0, seen = 0;
        for (; (lost = strstr(lost, words)) != NULL; lost++) {
            unsigned one;
            if (sscanf(lost + strlen(words), "%u", &one) == 1)
                n += one;
        }
        for (char *at = (char *)c.got.ptr; (at = strstr(at, "xx\n")) != NULL; at++)
            seen++;
        assert_true(n > 3000 && n + seen <= 5000 &&
                    n + seen > 4800); /* a chunk's frame may cut a line */
        assert_non_null(strstr((char *)c.got.ptr, "the last\n"));
        client_close(&c);
        world_close(&w);
    }
}

static void only_so_many_follow(void **state)
{
    const struct hf_admin_settings s = {.followers_max = 3};
    struct world w;
    struct client c[3];
    (void)state;
    world_open(&w, NULL, &s);
    for (unsigned i = 0; i < 3; i++)
        follow(&c[i], &w, "/v1/logs?follow=true");
    assert_int_equal(ask(&w, "GET", "/v1/logs?follow", NULL, NULL, NULL), 503);
    assert_int_equal(ask(&w, "GET", "/v1/logs", NULL, NULL, NULL), 200);
    assert_int_equal(ask(&w, "GET", "/healthz", NULL, NULL, NULL), 200);
    client_close(&c[1]);
    follow(&c[1], &w, "/v1/logs?follow");
    for (unsigned i = 0; i < 3; i++)
        client_close(&c[i]);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_lines),
        cmocka_unit_test(followers_get_lines_as_they_come),
        cmocka_unit_test(a_slow_reader_loses_lines_and_is_told),
        cmocka_unit_test(only_so_many_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
