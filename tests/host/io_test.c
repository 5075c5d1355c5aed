/* io_test.c - descriptors as waits: level-triggered, quiet when nobody asks, safe to free at any
 * moment. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/io.h"

struct loop {
    struct hf_os_poller *poller;
    struct hf_wake *wake;
    struct hf_io io;
    int pair[2];
};

static void loop_open(struct loop *l)
{
    struct hf_os *os = hf_os_linux();
    assert_int_equal(os->poller_new(os, &l->poller), HF_OK);
    assert_int_equal(hf_wake_new(&l->wake, NULL), HF_OK);
    hf_io_init(&l->io, os, l->poller, l->wake, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, l->pair),
                     0);
}

static void loop_close(struct loop *l)
{
    hf_io_collect(&l->io);
    l->io.os->poller_free(l->poller);
    hf_wake_free(l->wake);
    close(l->pair[0]);
    if (l->pair[1] >= 0)
        close(l->pair[1]);
}

/* One turn without waiting; how many events there were. */
static size_t turn(struct loop *l)
{
    struct hf_os_event got[8];
    size_t n = l->io.os->poller_wait(l->poller, 0, got, HF_ARRAY_LEN(got));
    for (size_t i = 0; i < n; i++) {
        struct hf_os_watch *watch = got[i].tag;
        watch->on_ready(watch, got[i].ready);
    }
    return n;
}

static void io_a_side_is_ready_until_it_is_armed(void **state)
{
    struct loop l;
    struct hf_io_fd *f;
    char byte;
    (void)state;
    loop_open(&l);
    assert_int_equal(hf_io_fd_new(&l.io, l.pair[0], &f), HF_OK);
    assert_true(f->in.ready && f->out.ready);
    assert_int_equal(hf_io_fd_arm(f, HF_OS_IN), HF_OK);
    assert_false(f->in.ready);
    assert_true(f->out.ready);
    assert_int_equal(turn(&l), 0);
    assert_int_equal(write(l.pair[1], "x", 1), 1);
    assert_int_equal(turn(&l), 1);
    assert_true(f->in.ready);
    assert_int_equal(
        turn(&l), 0); /* nobody asks: the poller does not report it, though it is still readable */
    assert_int_equal(read(l.pair[0], &byte, 1), 1);
    hf_io_fd_free(f);
    loop_close(&l);
}

static void io_look_says_how_it_is(void **state)
{
    struct loop l;
    struct hf_io_fd *f;
    (void)state;
    loop_open(&l);
    assert_int_equal(hf_io_fd_new(&l.io, l.pair[0], &f), HF_OK);
    assert_false(hf_io_fd_look(f, HF_OS_IN)->ready);
    assert_true(hf_io_fd_look(f, HF_OS_OUT)->ready);
    assert_int_equal(write(l.pair[1], "x", 1), 1);
    assert_true(hf_io_fd_look(f, HF_OS_IN)->ready);
    assert_int_equal(turn(&l), 1); /* it was armed by the first look */
    assert_int_equal(turn(&l), 0);
    hf_io_fd_free(f);
    loop_close(&l);
}

/* A peer that is gone is reported by the system without being asked for, for ever: not to us. */
static void io_a_dead_peer_is_said_once(void **state)
{
    struct loop l;
    struct hf_io_fd *f;
    (void)state;
    loop_open(&l);
    assert_int_equal(hf_io_fd_new(&l.io, l.pair[0], &f), HF_OK);
    assert_int_equal(hf_io_fd_arm(f, HF_OS_IN), HF_OK);
    close(l.pair[1]);
    l.pair[1] = -1;
    assert_int_equal(turn(&l), 1);
    assert_true(f->in.ready && f->out.ready);
    assert_int_equal(turn(&l), 0);
    hf_io_fd_free(f);
    loop_close(&l);
}

static void io_a_file_is_always_ready(void **state)
{
    struct loop l;
    struct hf_io_fd *f;
    (void)state;
    loop_open(&l);
    int fd = open(".", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(hf_io_fd_new(&l.io, fd, &f), HF_OK);
    assert_int_equal(hf_io_fd_arm(f, HF_OS_IN), HF_OK);
    assert_true(f->in.ready && f->never_waits);
    assert_true(hf_io_fd_look(f, HF_OS_IN)->ready);
    hf_io_fd_free(f);
    close(fd);
    loop_close(&l);
}

/* Freed by what an earlier event of the same batch set off: the later event must not touch it. */
static void io_freed_between_the_events_of_a_turn(void **state)
{
    struct loop l;
    struct hf_io_fd *f;
    struct hf_os_event got[2];
    struct hf_waitset set;
    struct hf_waiter w = {0};
    (void)state;
    loop_open(&l);
    assert_int_equal(hf_io_fd_new(&l.io, l.pair[0], &f), HF_OK);
    assert_int_equal(hf_io_fd_arm(f, HF_OS_IN), HF_OK);
    hf_waitset_init(&set, NULL);
    hf_waiter_arm(&w, &f->in, &set);
    assert_int_equal(write(l.pair[1], "x", 1), 1);
    assert_int_equal(l.io.os->poller_wait(l.poller, 0, got, 2), 1);
    hf_io_fd_free(f);
    assert_true(hf_waiter_ready(&w) && w.wait == NULL);
    struct hf_os_watch *watch = got[0].tag;
    watch->on_ready(watch, got[0].ready);
    hf_waiter_disarm(&w);
    hf_io_collect(&l.io);
    assert_int_equal(turn(&l), 0);
    loop_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(io_a_side_is_ready_until_it_is_armed),
        cmocka_unit_test(io_look_says_how_it_is),
        cmocka_unit_test(io_a_dead_peer_is_said_once),
        cmocka_unit_test(io_a_file_is_always_ready),
        cmocka_unit_test(io_freed_between_the_events_of_a_turn),
    };
    return cmocka_run_group_tests_name("host/io", tests, NULL, NULL);
}
