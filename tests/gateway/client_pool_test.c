/* client_pool_test.c - which connection of the HTTP client a call gets: kept ones, places and who waits
 * for them, once more on a fresh one, addresses in order. */
#include "support_client.h"

#define CLEN(n) "content-length: " #n "\r\n\r\n"

static void connections_are_used_again(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    assert_int_equal(try_call(&r, &g, &(struct ask){.kept_only = true}), HF_AGAIN);
    call(&r, &g, &(struct ask){0});
    int fd = up_accept(&r);
    for (int i = 0; i < 5; i++) {
        up_read(&r, fd);
        up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(2) "ok");
        expect_answer(&g, 200, "ok");
        call(&r, &g, &(struct ask){.kept_only = i % 2 == 0, .host = "UP"});
        assert_int_equal(up_accept(&r), -1);
    }
    up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(2) "ok");
    expect_answer(&g, 200, "ok");
    assert_int_equal(rig_stats(&r).connects, 1);
    assert_int_equal(rig_stats(&r).reused, 5);
    /* another realm and another host have their own */
    assert_int_equal(try_call(&r, &g, &(struct ask){.kept_only = true, .realm = 1}), HF_AGAIN);
    assert_int_equal(try_call(&r, &g, &(struct ask){.kept_only = true, .host = "other"}), HF_AGAIN);
    rig_close(&r);
}

static void idle_connections_go(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, &(struct hf_client_settings){.idle_timeout_ns = 5 * S});
    for (int how = 0; how < 3; how++) {
        call(&r, &g, &(struct ask){0});
        int fd = up_accept(&r);
        up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(0));
        expect_answer(&g, 200, "");
        assert_int_equal(rig_stats(&r).idle, 1);
        if (how == 0) { /* too old */
            rig_pass(&r, 4 * S);
            assert_int_equal(rig_stats(&r).idle, 1);
            rig_pass(&r, 1 * S);
            assert_true(up_ended(&r, fd));
        } else if (how == 1) { /* the server closed it */
            up_close(&r, fd);
        } else { /* it says what nobody asked */
            up_write(&r, fd, "HTTP/1.1 408 Timeout\r\n\r\n");
            assert_true(up_ended(&r, fd));
        }
        assert_int_equal(rig_stats(&r).open, 0);
    }
    rig_close(&r);
}

static void a_host_has_a_limit_and_a_queue(void **state)
{
    (void)state;
    struct rig r;
    struct got g[6];
    int fd[6];
    rig_open(&r, &(struct hf_client_settings){.host_max = 2, .host_waiting_max = 3});
    for (int i = 0; i < 5; i++)
        call(&r, &g[i], &(struct ask){.path = (const char *[]){"/0", "/1", "/2", "/3", "/4"}[i]});
    assert_int_equal(try_call(&r, &g[5], &(struct ask){0}), HF_LIMIT);
    fd[0] = up_accept(&r);
    fd[1] = up_accept(&r);
    assert_int_equal(up_accept(&r), -1);
    assert_int_equal(rig_stats(&r).waiting, 3);
    up_read(&r, fd[0]);
    up_write(&r, fd[0], "HTTP/1.1 200 OK\r\n" CLEN(1) "0");
    expect_answer(&g[0], 200, "0");
    assert_non_null(strstr(up_read(&r, fd[0]), "GET /2 ")); /* in order */
    hf_client_cancel(g[3].call);                            /* leaves the queue */
    up_close(&r, fd[1]);                                    /* a place, not a connection */
    expect_fault(&g[1], HF_FAULT_TERMINATED, "without an answer");
    fd[4] = up_accept(&r);
    assert_non_null(strstr(up_read(&r, fd[4]), "GET /4 "));
    up_write(&r, fd[4], "HTTP/1.1 200 OK\r\n" CLEN(1) "4");
    up_write(&r, fd[0], "HTTP/1.1 200 OK\r\n" CLEN(1) "2");
    expect_answer(&g[4], 200, "4");
    expect_answer(&g[2], 200, "2");
    rig_close(&r);
}

/* Unless fewer are asked for. */
static void a_burst_leaves_its_connections_to_the_next(void **state)
{
    enum { N = 40 };
    (void)state;
    for (unsigned max = 0; max <= 3; max += 3) {
        struct rig r;
        struct got g[N];
        int fd[N];
        rig_open(&r, &(struct hf_client_settings){.host_idle_max = max});
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < N; i++)
                call(&r, &g[i], &(struct ask){0});
            for (int i = 0; i < N; i++)
                if (round == 0 || (max != 0 && i >= (int)max))
                    fd[i] = up_accept(&r);
            assert_int_equal(up_accept(&r), -1);
            for (int i = 0; i < N; i++)
                up_write(&r, fd[i], "HTTP/1.1 200 OK\r\n" CLEN(1) "x");
            for (int i = 0; i < N; i++)
                expect_answer(&g[i], 200, "x");
            assert_int_equal(rig_stats(&r).idle, max == 0 ? N : max);
        }
        assert_int_equal(rig_stats(&r).connects, max == 0 ? N : 2 * N - max);
        rig_close(&r);
    }
}

static void waiting_for_a_place_has_an_end(void **state)
{
    (void)state;
    struct rig r;
    struct got g[2];
    rig_open(&r, &(struct hf_client_settings){.host_max = 1});
    call(&r, &g[0], &(struct ask){0});
    call(&r, &g[1], &(struct ask){.connect_ns = 2 * S});
    up_accept(&r);
    rig_pass(&r, 1900 * MS);
    assert_false(g[1].done);
    rig_pass(&r, 200 * MS);
    expect_fault(&g[1], HF_FAULT_LIMIT, "came free in time");
    assert_false(g[0].done);
    rig_close(&r);
}

/* RFC 9112 9.3.1: the server closed just when we sent. */
static void a_stale_connection_is_tried_once_more(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        bool again;
    } rows[] = {{"GET", true},   {"HEAD", true},   {"PUT", true},    {"DELETE", true},
                {"POST", false}, {"PATCH", false}, {"OPTIONS", true}};
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++)
        for (int kept_only = 0; kept_only < 2; kept_only++) {
            struct rig r;
            struct got g;
            rig_open(&r, NULL);
            call(&r, &g, &(struct ask){0});
            int fd = up_accept(&r);
            up_read(&r, fd);
            up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(0));
            expect_answer(&g, 200, "");
            call(&r, &g, &(struct ask){.method = rows[i].method, .kept_only = kept_only});
            up_read(&r, fd);
            up_close(&r, fd);
            fd = up_accept(&r);
            assert_int_equal(fd >= 0, rows[i].again);
            if (!rows[i].again) {
                expect_fault(&g, HF_FAULT_TERMINATED, "without an answer");
                rig_close(&r);
                continue;
            }
            assert_int_equal(rig_stats(&r).retried, 1);
            assert_memory_equal(up_read(&r, fd), rows[i].method, strlen(rows[i].method));
            if (kept_only) { /* the new one too: that is no accident */
                up_close(&r, fd);
                assert_int_equal(up_accept(&r), -1);
                expect_fault(&g, HF_FAULT_TERMINATED, "without an answer");
            } else {
                up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(0));
                expect_answer(&g, 200, "");
            }
            rig_close(&r);
        }
}

/* Not again: once bytes of the body went, or a byte of the answer came, or on a first request. */
static void what_was_begun_is_not_repeated(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct rig r;
        struct got g;
        int fd = -1;
        rig_open(&r, NULL);
        if (how < 2) {
            call(&r, &g, &(struct ask){0});
            fd = up_accept(&r);
            up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(0));
            expect_answer(&g, 200, "");
        }
        struct ask a = {.method = "PUT"};
        if (how == 0)
            a.blob = hf_blob_of_bytes_in(r.pool, HF_VIEW("body"));
        call(&r, &g, &a);
        if (how == 2)
            fd = up_accept(&r);
        up_read(&r, fd);
        if (how == 1)
            up_write(&r, fd, "H");
        up_close(&r, fd);
        assert_int_equal(up_accept(&r), -1);
        expect_fault(&g, how == 1 ? HF_FAULT_INCOMPLETE : HF_FAULT_TERMINATED, "connection ended");
        rig_close(&r);
    }
}

static void addresses_are_tried_in_order(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    struct hf_os_addr addrs[3] = {{"127.0.0.1:1"}, {"not an address"}, r.addr};
    call(&r, &g, &(struct ask){.addrs = addrs, .n_addrs = 3});
    int fd = up_accept(&r);
    assert_true(fd >= 0);
    up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(0));
    expect_answer(&g, 200, "");
    struct hf_os_addr none[2] = {{"127.0.0.1:1"}, {"127.0.0.1:2"}};
    call(&r, &g, &(struct ask){.host = "none", .addrs = none, .n_addrs = 2});
    expect_fault(&g, HF_FAULT_REFUSED, "nobody listens there");
    assert_int_equal(rig_stats(&r).open, 1);
    rig_close(&r);
}

static void connecting_has_an_end(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    int full, fds[2];
    struct hf_os_addr any = {"127.0.0.1:0"}, deaf;
    rig_open(&r, NULL);
    /* a listener whose backlog is full takes nobody: its clients wait */
    assert_int_equal(r.os->listen(r.os, &any, false, 1, &full, &deaf, NULL), HF_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(r.os->connect(r.os, &deaf, &fds[i], NULL), HF_OK);
    call(&r, &g, &(struct ask){.host = "deaf", .addrs = &deaf, .n_addrs = 1, .connect_ns = 3 * S});
    rig_pass(&r, 2900 * MS);
    assert_false(g.done);
    rig_pass(&r, 200 * MS);
    expect_fault(&g, HF_FAULT_CONNECT_TIMEOUT, "no connection in time");
    /* with two addresses each has its share, and the second one answers */
    struct hf_os_addr both[2] = {deaf, r.addr};
    call(&r, &g, &(struct ask){.host = "both", .addrs = both, .n_addrs = 2, .connect_ns = 3 * S});
    rig_pass(&r, 1400 * MS);
    assert_int_equal(up_accept(&r), -1);
    rig_pass(&r, 200 * MS);
    int fd = up_accept(&r);
    assert_true(fd >= 0);
    up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(0));
    expect_answer(&g, 200, "");
    for (int i = 0; i < 2; i++)
        r.os->close(r.os, fds[i]);
    r.os->close(r.os, full);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_used_again),
        cmocka_unit_test(idle_connections_go),
        cmocka_unit_test(a_host_has_a_limit_and_a_queue),
        cmocka_unit_test(a_burst_leaves_its_connections_to_the_next),
        cmocka_unit_test(waiting_for_a_place_has_an_end),
        cmocka_unit_test(a_stale_connection_is_tried_once_more),
        cmocka_unit_test(what_was_begun_is_not_repeated),
        cmocka_unit_test(addresses_are_tried_in_order),
        cmocka_unit_test(connecting_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
