/* fake_test.c - what only the fake world can do: stand still, repeat itself, and fail when told. */
#include <stdio.h>
#include <string.h>

#include "support.h"

static void time_moves_only_when_told(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    struct hf_os_poller *poller;
    struct hf_os_event event;
    uint64_t now = os->now_ns(os), wall = os->wall_ns(os);
    assert_int_equal(os->now_ns(os), now);
    hf_os_fake_advance(os, 1500);
    assert_int_equal(os->now_ns(os), now + 1500);
    assert_int_equal(os->wall_ns(os), wall + 1500);
    assert_int_equal(os->poller_new(os, &poller), HF_OK);
    assert_int_equal(os->poller_wait(poller, now + 9000, &event, 1), 0); /* jumps there */
    assert_int_equal(os->now_ns(os), now + 9000);
    assert_int_equal(os->poller_wait(poller, now + 8000, &event, 1), 0); /* never back */
    assert_int_equal(os->poller_wait(poller, 0, &event, 1), 0);
    assert_int_equal(os->poller_wait(poller, UINT64_MAX, &event, 1), 0); /* does not hang */
    assert_int_equal(os->now_ns(os), now + 9000);
    os->poller_free(poller);
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    uint8_t bytes[3][37];
    const uint64_t seeds[] = {7, 7, 8};
    for (size_t i = 0; i < 3; i++) {
        struct hf_os *os = hf_os_fake_new(seeds[i]);
        assert_int_equal(os->random(os, bytes[i], sizeof bytes[i]), HF_OK);
        hf_os_fake_free(os);
    }
    assert_memory_equal(bytes[0], bytes[1], sizeof bytes[0]);
    assert_memory_not_equal(bytes[0], bytes[2], sizeof bytes[0]);
    hf_os_fake_free(NULL);
}

static void the_nth_call_fails_once(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    struct hf_os_file *f;
    struct hf_os_stat st;
    assert_int_equal(os->file_open(os, world_path(w, "f"), HF_OS_CREATE, &f, NULL), HF_OK);
    hf_os_fake_fail(os, "file_sync", 3, HF_IO);
    hf_os_fake_fail(os, "file_sync", 4, HF_LIMIT);
    hf_os_fake_fail(os, "path_stat", 1, HF_DENIED);
    assert_int_equal(os->file_sync(f), HF_OK);
    assert_int_equal(os->path_stat(os, w->dir, &st), HF_DENIED); /* kinds count apart */
    assert_int_equal(os->file_sync(f), HF_OK);
    assert_int_equal(os->file_sync(f), HF_IO);
    assert_int_equal(os->file_sync(f), HF_LIMIT);
    assert_int_equal(os->file_sync(f), HF_OK);
    assert_int_equal(os->path_stat(os, w->dir, &st), HF_OK);
    os->file_close(f);
    static struct hf_report report;
    hf_os_fake_fail(os, "file_open", 1, HF_IO);
    assert_int_equal(os->file_open(os, world_path(w, "f"), HF_OS_READ, &f, &report), HF_IO);
    assert_true(report.len > 0);
}

/* A torn write leaves a piece from the front, and not always the same. */
static void failed_append_is_torn(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    struct hf_os_file *f;
    char got[256];
    bool some_kept = false, some_lost = false;
    for (int i = 0; i < 20; i++) {
        size_t n;
        assert_int_equal(os->file_open(os, world_path(w, "f"), HF_OS_APPEND, &f, NULL), HF_OK);
        hf_os_fake_fail(os, "file_append", 1, HF_IO);
        assert_int_equal(os->file_append(f, "0123456789", 10), HF_IO);
        assert_int_equal(os->file_read_at(f, 0, got, sizeof got, &n), HF_OK);
        assert_true(n <= 10);
        assert_memory_equal(got, "0123456789", n);
        some_kept = some_kept || n > 0;
        some_lost = some_lost || n < 10;
        os->file_close(f);
        assert_int_equal(os->path_remove(os, world_path(w, "f")), HF_OK);
    }
    assert_true(some_kept && some_lost);
}

struct ends {
    int listener, client, server;
};

static struct ends connect_ends(struct hf_os *os)
{
    struct ends e;
    struct hf_os_addr any = {"127.0.0.1:0"}, bound;
    assert_int_equal(os->listen(os, &any, false, 4, &e.listener, &bound, NULL), HF_OK);
    assert_int_equal(os->connect(os, &bound, &e.client, NULL), HF_OK);
    assert_int_equal(os->accept(os, e.listener, &e.server, NULL), HF_OK);
    return e;
}

static void close_ends(struct hf_os *os, struct ends e)
{
    os->close(os, e.client);
    os->close(os, e.server);
    os->close(os, e.listener);
}

static void chunks_show_every_split(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    struct ends e = connect_ends(os);
    char text[] = "split me", got[16];
    struct iovec iov = {text, 8};
    size_t n;
    hf_os_fake_chunk(os, 3);
    assert_int_equal(os->writev(os, e.client, &iov, 1, &n), HF_OK);
    assert_int_equal(n, 3);
    hf_os_fake_chunk(os, 2);
    assert_int_equal(os->read(os, e.server, got, sizeof got, &n), HF_OK);
    assert_int_equal(n, 2);
    assert_memory_equal(got, "sp", 2);
    assert_int_equal(os->read(os, e.server, got, sizeof got, &n), HF_OK);
    assert_int_equal(n, 1);
    assert_int_equal(got[0], 'l');
    assert_int_equal(os->read(os, e.server, got, sizeof got, &n), HF_AGAIN);
    close_ends(os, e);
}

static void room_is_what_was_set(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    struct ends e = connect_ends(os);
    char text[100] = {0};
    struct iovec iov[] = {{text, 30}, {text, 70}};
    size_t n;
    hf_os_fake_socket_room(os, 50);
    assert_int_equal(os->writev(os, e.client, iov, 2, &n), HF_OK);
    assert_int_equal(n, 50);
    assert_int_equal(os->writev(os, e.client, iov, 2, &n), HF_AGAIN);
    assert_int_equal(os->read(os, e.server, text, 10, &n), HF_OK);
    assert_int_equal(os->writev(os, e.client, iov, 2, &n), HF_OK);
    assert_int_equal(n, 10);
    hf_os_fake_fail(os, "read", 1, HF_CLOSED);
    assert_int_equal(os->read(os, e.server, text, 10, &n), HF_CLOSED);
    hf_os_fake_fail(os, "writev", 1, HF_IO);
    assert_int_equal(os->writev(os, e.client, iov, 2, &n), HF_IO);
    close_ends(os, e);
}

/* A full backlog holds a client back until somebody accepts; a closing listener refuses who still
 * waits. */
static void backlog_is_a_limit(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    struct hf_os_addr any = {"127.0.0.1:0"}, bound;
    int listener, a, b, c, server;
    assert_int_equal(os->listen(os, &any, false, 1, &listener, &bound, NULL), HF_OK);
    assert_int_equal(os->connect(os, &bound, &a, NULL), HF_OK);
    assert_int_equal(os->connect(os, &bound, &b, NULL), HF_OK);
    assert_int_equal(os->connect(os, &bound, &c, NULL), HF_OK);
    assert_int_equal(os->connect_result(os, a), HF_OK);
    assert_int_equal(os->connect_result(os, b), HF_AGAIN);
    assert_int_equal(os->accept(os, listener, &server, NULL), HF_OK);
    os->close(os, server);
    assert_int_equal(os->connect_result(os, b), HF_OK);
    assert_int_equal(os->connect_result(os, c), HF_AGAIN);
    os->close(os, listener);
    assert_int_equal(os->connect_result(os, b), HF_CLOSED); /* made, never accepted: reset */
    assert_int_equal(os->connect_result(os, c), HF_IO);
    os->close(os, a);
    os->close(os, b);
    os->close(os, c);
}

static void accept_fails_when_told(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    struct hf_os_addr any = {"127.0.0.1:0"}, bound;
    int listener, client, server;
    assert_int_equal(os->listen(os, &any, false, 4, &listener, &bound, NULL), HF_OK);
    assert_int_equal(os->connect(os, &bound, &client, NULL), HF_OK);
    hf_os_fake_fail(os, "accept", 1, HF_LIMIT); /* out of handles */
    assert_int_equal(os->accept(os, listener, &server, NULL), HF_LIMIT);
    assert_int_equal(os->accept(os, listener, &server, NULL), HF_OK); /* it still waits */
    os->close(os, server);
    os->close(os, client);
    os->close(os, listener);
}

/* Sockets and files that a test leaves open are no leak: the world closes them. */
static void world_cleans_up(void **state)
{
    (void)state;
    struct hf_os *os = hf_os_fake_new(1);
    struct ends e = connect_ends(os);
    char text[] = "unread";
    struct iovec iov = {text, 6};
    size_t n;
    assert_int_equal(os->writev(os, e.client, &iov, 1, &n), HF_OK);
    assert_int_equal(os->path_mkdir(os, "d", 0700), HF_OK);
    hf_os_fake_free(os);
}

#define IN_FAKE(test) cmocka_unit_test_setup_teardown(test, world_fake, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FAKE(time_moves_only_when_told), IN_FAKE(the_nth_call_fails_once),
        IN_FAKE(failed_append_is_torn),     IN_FAKE(chunks_show_every_split),
        IN_FAKE(room_is_what_was_set),      IN_FAKE(backlog_is_a_limit),
        IN_FAKE(accept_fails_when_told),    cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(world_cleans_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
