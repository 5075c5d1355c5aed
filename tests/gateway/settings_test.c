/* settings_test.c - settings of a gateway that is a door for few: ends of input, access lines
 * without names, counts, and the file of a Unix socket. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void end_of_input(const struct hf_gateway_settings *s, bool gone)
{
    struct world w;
    struct client c;
    world_open(&w, s, true);
    client_open(&c, &w);
    SEND(&c, "GET /wait/50 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_run(&c);
    w.os->shutdown_write(w.os, c.fd);
    client_run(&c);
    assert_int_equal(c.ended, gone);
    world_pass(&w, 60 * MS);
    client_run(&c);
    assert_int_equal(c.got.len > 0, !gone);
    world_expect_log(&w, gone ? "GET /wait/50 0 client-gone 0/0\n" : "GET /wait/50 200 ok 0/6\n");
    client_close(&c);
    world_close(&w);
}

static void a_client_that_ends_its_side_is_gone_if_settings_say_so(void **state)
{
    const struct hf_gateway_settings s = {.eof_is_gone = true};
    (void)state;
    end_of_input(NULL, false);
    end_of_input(&s, true);
}

static void access_lines_may_be_without_names(void **state)
{
    const struct hf_gateway_settings s = {.access_unnamed = true};
    struct world w;
    struct client c;
    (void)state;
    world_open(&w, &s, true);
    client_open(&c, &w);
    SEND(&c, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    client_run(&c);
    world_expect_log(&w, "  200 ok 0/12\n");
    client_close(&c);
    world_close(&w);
}

static void counts_are_the_stats_without_the_walk(void **state)
{
    struct world w;
    struct client c;
    struct hf_gateway_stats a, b;
    (void)state;
    world_open(&w, NULL, true);
    client_open(&c, &w);
    SEND(&c, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    client_run(&c);
    hf_gateway_get_stats(w.gw, &a);
    hf_gateway_get_counts(w.gw, &b);
    assert_int_equal(b.buffer_bytes, 0);
    assert_true(a.buffer_bytes > 0);
    a.buffer_bytes = 0;
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(b.open, 1);
    client_close(&c);
    world_close(&w);
}

static void the_file_of_a_unix_socket_goes_with_its_listener(void **state)
{
    char folder[] = "/tmp/holdfast-gateway-XXXXXX";
    struct world w;
    struct hf_os_addr addr = {{0}};
    struct stat st;
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (unsigned i = 0; i < 2; i++) { /* drained, or freed at once */
        world_open(&w, NULL, false);
        assert_true(snprintf(addr.text, sizeof addr.text, "unix:%s/door", folder) > 0);
        assert_int_equal(hf_gateway_listen(w.gw, &addr, false, NULL, NULL), HF_OK);
        assert_int_equal(stat(addr.text + 5, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(hf_gateway_listen(w.gw, &addr, false, NULL, NULL), HF_IO); /* it is ours */
        assert_int_equal(stat(addr.text + 5, &st), 0);
        if (i == 0) {
            hf_gateway_drain(w.gw);
            assert_int_not_equal(stat(addr.text + 5, &st), 0);
        }
        world_close(&w);
        assert_int_not_equal(stat(addr.text + 5, &st), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_ends_its_side_is_gone_if_settings_say_so),
        cmocka_unit_test(access_lines_may_be_without_names),
        cmocka_unit_test(counts_are_the_stats_without_the_walk),
        cmocka_unit_test(the_file_of_a_unix_socket_goes_with_its_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
