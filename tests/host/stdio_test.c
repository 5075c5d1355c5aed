/* stdio_test.c - standard streams on descriptors (host_stdio.c): nothing waits in the thread,
 * nothing is lost or reordered, what is at its end is closed, and the descriptors' flags are left
 * alone. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* Pipes to and from the guest; the test's ends are [1] of in and [0] of the others. */
struct pipes {
    int in[2], out[2], err[2], fds[3];
};

static void pipes_open(struct pipes *p)
{
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(p->in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(p->out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(p->err, O_CLOEXEC), 0);
    p->fds[0] = p->in[0];
    p->fds[1] = p->out[1];
    p->fds[2] = p->err[1];
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pipes_close(struct pipes *p)
{
    for (int i = 0; i < 2; i++) {
        close_one(&p->in[i]);
        close_one(&p->out[i]);
        close_one(&p->err[i]);
    }
}

static void open_world(struct world *w, void **state, const struct pipes *p)
{
    world_open_with(w, state, &(struct world_settings){.real = true, .stdio = p->fds});
}

/* Bytes that are in the pipe now. */
static size_t drain(int fd, char *buf, size_t size)
{
    size_t n = 0;
    ssize_t got;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (n < size && (got = read(fd, buf + n, size - n)) > 0)
        n += (size_t)got;
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    return n;
}

static size_t fill(int fd)
{
    static const char zeroes[4096];
    size_t n = 0;
    ssize_t put;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while ((put = write(fd, zeroes, sizeof zeroes)) > 0)
        n += (size_t)put;
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    return n;
}

static bool write_text(struct guest *t, uint32_t h, const char *text)
{
    const struct hf_value args[] = {H(h), T(text)};
    const struct hf_value *r = guest_call(t, "output-stream.blocking-write-and-flush", args, 2);
    return r != NULL && r->tag == 0;
}

/* ---- stdin ---- */

static void reads(struct guest *t)
{
    CALL(s, "get-stdin");
    uint32_t h = (uint32_t)s->u64;
    CALL(none, "input-stream.read", H(h), U(100));
    CHECK(none->tag == 0 && none->items[0].len == 0); /* nothing yet: no wait */
    CALL(p, "input-stream.subscribe", H(h));
    uint32_t pollable = (uint32_t)p->u64;
    CALL(r, "pollable.ready", H(pollable));
    CHECK(r->u64 == 0);
    t->w->note = 1;
    CALL(a, "input-stream.blocking-read", H(h), U(3));
    CHECK(a->tag == 0 && is_text(&a->items[0], "abc"));
    CALL(still, "pollable.ready", H(pollable));
    CHECK(still->u64 == 1); /* what was read and not yet taken */
    CALL(p2, "input-stream.subscribe", H(h));
    CALL(there_too, "pollable.ready", H((uint32_t)p2->u64));
    CHECK(there_too->u64 == 1);
    DROP((uint32_t)p2->u64);
    CALL(b, "input-stream.read", H(h), U(100));
    CHECK(b->tag == 0 && is_text(&b->items[0], "de"));
    CALL(n, "input-stream.skip", H(h), U(100));
    CHECK(n->tag == 0 && n->items[0].u64 == 0);
    CALL(empty, "pollable.ready", H(pollable));
    CHECK(empty->u64 == 0);
    t->w->note = 2;
    DO("pollable.block", H(pollable));
    CALL(c, "input-stream.read", H(h), U(100));
    CHECK(c->tag == 0 && is_text(&c->items[0], "f"));
    t->w->note = 3;
    CALL(end, "input-stream.blocking-read", H(h), U(100));
    CHECK(is_closed(end));
    CALL(again, "input-stream.read", H(h), U(100));
    CHECK(is_closed(again));
    CALL(over, "pollable.ready", H(pollable));
    CHECK(over->u64 == 1);
    CALL(other, "get-stdin");
    CALL(there, "input-stream.blocking-read", H((uint32_t)other->u64), U(100));
    CHECK(is_closed(there));
    DROP((uint32_t)other->u64);
    DROP(pollable);
    DROP(h);
    CHECK(answer(t, "x"));
}

static void stdin_waits_reads_and_ends(void **state)
{
    struct pipes p;
    struct world w;
    pipes_open(&p);
    open_world(&w, state, &p);
    size_t i = post(&w, reads);
    world_run(&w);
    assert_int_equal(w.note, 1);
    assert_int_equal(write(p.in[1], "abcde", 5), 5);
    while (w.note == 1)
        world_run(&w);
    assert_int_equal(w.note, 2);
    assert_int_equal(write(p.in[1], "f", 1), 1);
    while (w.note == 2)
        world_run(&w);
    close_one(&p.in[1]);
    world_until(&w, i);
    assert_int_equal(fcntl(p.in[0], F_GETFL) & O_NONBLOCK, 0);
    world_close(&w);
    pipes_close(&p);
}

static void reads_broken(struct guest *t)
{
    CALL(s, "get-stdin");
    CALL(r, "input-stream.blocking-read", H((uint32_t)s->u64), U(100));
    CHECK(t->w->note == 0 ? is_failed(r) : is_closed(r));
    CALL(again, "input-stream.blocking-read", H((uint32_t)s->u64), U(100));
    CHECK(is_closed(again));
    CHECK(answer(t, "x"));
}

/* A folder cannot be read; a descriptor that is not open is one at its end. */
static void stdin_that_cannot_be_read(void **state)
{
    struct pipes p;
    struct world w;
    pipes_open(&p);
    int dir = open(".", O_RDONLY | O_CLOEXEC), closed = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int k = 0; k < 2; k++) {
        p.fds[0] = k == 0 ? dir : closed;
        open_world(&w, state, &p);
        w.note = (unsigned)k;
        size_t i = post(&w, reads_broken);
        world_until(&w, i);
        world_close(&w);
    }
    close(dir);
    close(closed);
    pipes_close(&p);
}

/* ---- stdout ---- */

static void two_handles(struct guest *t)
{
    CALL(a, "get-stdout");
    CALL(b, "get-stdout");
    CALL(e, "get-stderr");
    CHECK(write_text(t, (uint32_t)a->u64, "one "));
    CHECK(write_text(t, (uint32_t)b->u64, "two "));
    CHECK(write_text(t, (uint32_t)e->u64, "err"));
    CHECK(write_text(t, (uint32_t)a->u64, "three\n"));
    DROP((uint32_t)a->u64);
    CHECK(write_text(t, (uint32_t)b->u64, "half"));
    CHECK(answer(t, "x"));
}

static void stdout_keeps_the_order_and_every_byte(void **state)
{
    struct pipes p;
    struct world w;
    char got[100];
    pipes_open(&p);
    open_world(&w, state, &p);
    size_t i = post(&w, two_handles);
    world_until(&w, i);
    assert_int_equal(drain(p.out[0], got, sizeof got), 18);
    assert_memory_equal(got, "one two three\nhalf", 18);
    assert_int_equal(drain(p.err[0], got, sizeof got), 3);
    assert_memory_equal(got, "err", 3);
    assert_int_equal(w.log.len, 0); /* none of it is for the log */
    world_close(&w);
    pipes_close(&p);
}

static void full(struct guest *t)
{
    CALL(s, "get-stdout");
    uint32_t h = (uint32_t)s->u64;
    CALL(room, "output-stream.check-write", H(h));
    CHECK_INT(room->items[0].u64, 0);
    CALL(p, "output-stream.subscribe", H(h));
    uint32_t pollable = (uint32_t)p->u64;
    CALL(r, "pollable.ready", H(pollable));
    CHECK(r->u64 == 0);
    t->w->note = 1;
    DO("pollable.block", H(pollable));
    CALL(now, "output-stream.check-write", H(h));
    CHECK_INT(now->items[0].u64, 4096);
    DROP(pollable);
    CHECK(write_text(t, h, "after"));
    CHECK(answer(t, "x"));
}

static void stdout_full_has_no_room(void **state)
{
    static char got[1 << 20];
    struct pipes p;
    struct world w;
    pipes_open(&p);
    size_t filled = fill(p.out[1]);
    open_world(&w, state, &p);
    size_t i = post(&w, full);
    world_run(&w);
    assert_int_equal(w.note, 1);
    assert_int_equal(drain(p.out[0], got, sizeof got), filled);
    world_until(&w, i);
    assert_int_equal(drain(p.out[0], got, sizeof got), 5);
    assert_memory_equal(got, "after", 5);
    assert_int_equal(fcntl(p.out[1], F_GETFL) & O_NONBLOCK, 0);
    world_close(&w);
    pipes_close(&p);
}

/* Between check-write and write another process fills the pipe: the bytes wait here, not the
 * thread. */
static void overtaken(struct guest *t)
{
    CALL(s, "get-stdout");
    uint32_t h = (uint32_t)s->u64;
    CALL(room, "output-stream.check-write", H(h));
    CHECK_INT(room->items[0].u64, 4096);
    t->w->seen[0] = fill((int)t->w->seen[1]);
    CALL(a, "output-stream.write", H(h), T("first "));
    CHECK(a->tag == 0);
    CALL(b, "output-stream.write", H(h), T("second "));
    CHECK(b->tag == 0);
    CALL(none, "output-stream.check-write", H(h));
    CHECK_INT(none->items[0].u64, 0);
    DO("output-stream.flush", H(h));
    t->w->note = 1;
    DO("output-stream.blocking-flush", H(h));
    t->w->note = 2;
    CHECK(write_text(t, h, "third"));
    CHECK(answer(t, "x"));
}

static void stdout_overtaken_between_permit_and_write(void **state)
{
    static char got[1 << 20];
    struct pipes p;
    struct world w;
    pipes_open(&p);
    open_world(&w, state, &p);
    w.seen[1] = (uint64_t)p.out[1];
    size_t i = post(&w, overtaken);
    world_run(&w);
    assert_int_equal(w.note, 1);
    assert_int_equal(drain(p.out[0], got, sizeof got), w.seen[0]);
    world_until(&w, i);
    assert_int_equal(w.note, 2);
    assert_int_equal(drain(p.out[0], got, sizeof got), 18);
    assert_memory_equal(got, "first second third", 18);
    world_close(&w);
    pipes_close(&p);
}

static void nobody_reads(struct guest *t)
{
    CALL(s, "get-stdout");
    uint32_t h = (uint32_t)s->u64;
    CALL(r, "output-stream.blocking-write-and-flush", H(h), T("x"));
    CHECK(is_closed(r));
    CALL(again, "output-stream.check-write", H(h));
    CHECK(is_closed(again));
    CALL(p, "output-stream.subscribe", H(h));
    CALL(ready, "pollable.ready", H((uint32_t)p->u64));
    CHECK(ready->u64 == 1);
    CALL(e, "get-stderr"); /* a file that cannot be written says so, once */
    CALL(f, "output-stream.blocking-write-and-flush", H((uint32_t)e->u64), T("x"));
    CHECK(is_failed(f));
    CALL(text, "error.to-debug-string", H((uint32_t)f->items[0].items[0].u64));
    CHECK(is_text(text, "No space left on device"));
    CALL(closed, "output-stream.blocking-write-and-flush", H((uint32_t)e->u64), T("x"));
    CHECK(is_closed(closed));
    DROP((uint32_t)p->u64);
    static const char *const streams[] = {"get-stdout",
                                          "get-stderr"}; /* for every handle of them */
    for (size_t i = 0; i < HF_ARRAY_LEN(streams); i++) {
        CALL(other, streams[i]);
        CALL(room, "output-stream.check-write", H((uint32_t)other->u64));
        CHECK(is_closed(room));
    }
    CHECK(answer(t, "x"));
}

static void stdout_nobody_reads_is_closed(void **state)
{
    struct pipes p;
    struct world w;
    pipes_open(&p);
    close_one(&p.out[0]);
    int no_space = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(no_space >= 0);
    p.fds[2] = no_space;
    open_world(&w, state, &p);
    size_t i = post(&w, nobody_reads);
    world_until(&w, i);
    world_close(&w);
    close(no_space);
    pipes_close(&p);
}

/* ---- terminals ---- */

static void asks_for_terminals(struct guest *t)
{
    CALL(in, "get-terminal-stdin");
    CHECK(in->tag == 0);
    CALL(out, "get-terminal-stdout");
    CHECK(out->tag == 1);
    DROP((uint32_t)out->items[0].u64);
    CALL(err, "get-terminal-stderr");
    CHECK(err->tag == 0);
    CHECK(answer(t, "x"));
}

static void terminals_are_where_a_descriptor_is_one(void **state)
{
    struct pipes p;
    struct world w;
    pipes_open(&p);
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int tty = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(tty >= 0);
    p.fds[1] = tty;
    open_world(&w, state, &p);
    size_t i = post(&w, asks_for_terminals);
    world_until(&w, i);
    world_close(&w);
    close(tty);
    close(master);
    pipes_close(&p);
}

/* It is stopped while its output waits and while it waits for input: nothing is left behind. */
static void waits_for_ever(struct guest *t)
{
    CALL(s, "get-stdin");
    t->w->note = 1;
    DO("input-stream.blocking-read", H((uint32_t)s->u64), U(1));
}

static void stdio_of_a_guest_that_is_stopped(void **state)
{
    struct pipes p;
    struct world w;
    pipes_open(&p);
    open_world(&w, state, &p);
    post(&w, waits_for_ever);
    world_run(&w);
    assert_int_equal(w.note, 1);
    world_close(&w);
    pipes_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stdin_waits_reads_and_ends),
        cmocka_unit_test(stdin_that_cannot_be_read),
        cmocka_unit_test(stdout_keeps_the_order_and_every_byte),
        cmocka_unit_test(stdout_full_has_no_room),
        cmocka_unit_test(stdout_overtaken_between_permit_and_write),
        cmocka_unit_test(stdout_nobody_reads_is_closed),
        cmocka_unit_test(terminals_are_where_a_descriptor_is_one),
        cmocka_unit_test(stdio_of_a_guest_that_is_stopped),
    };
    return cmocka_run_group_tests_name("host/stdio", tests, shared_open, shared_close);
}
