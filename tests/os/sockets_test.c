/* sockets_test.c - stream sockets and readiness: one program, run in the real world and in the fake
 * one.
 *
 * What differs between the worlds is only how much a socket takes before it is full, so the tests
 * ask for that.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#define SOON_NS                                                                                    \
    5000000000u /* far more than anything here takes: only a failing test waits so long */

/* A listener and one connection, both ends watched with themselves as tags. */
struct pair {
    struct hf_os *os;
    struct hf_os_poller *poller;
    struct hf_os_addr addr, peer;
    int listener, client, server;
};

static uint64_t soon(struct hf_os *os)
{
    return os->now_ns(os) + SOON_NS;
}

/* Waits until `tag` is ready for one of `bits`; returns what it is ready for. */
static uint32_t wait_for(struct pair *p, void *tag, uint32_t bits)
{
    uint64_t until = soon(p->os);
    while (p->os->now_ns(p->os) < until) {
        struct hf_os_event events[8];
        size_t n = p->os->poller_wait(p->poller, until, events, 8);
        for (size_t i = 0; i < n; i++) {
            if (events[i].tag == tag && (events[i].ready & bits))
                return events[i].ready;
        }
    }
    fail_msg("not ready in time");
    return 0;
}

static void watch(struct pair *p, int *fd, uint32_t interest)
{
    assert_int_equal(p->os->poller_set(p->poller, *fd, interest, fd), HF_OK);
}

static int start_listener(struct pair *p, const char *address)
{
    int fd = -1;
    struct hf_os_addr addr = {""};
    static struct hf_report report;
    hf_report_init(&report);
    snprintf(addr.text, sizeof addr.text, "%s", address);
    enum hf_err err = p->os->listen(p->os, &addr, false, 16, &fd, &p->addr, &report);
    if (err != HF_OK)
        fail_msg("%s", report.text);
    return fd;
}

static void connect_pair(struct pair *p)
{
    assert_int_equal(p->os->connect(p->os, &p->addr, &p->client, NULL), HF_OK);
    assert_int_equal(p->os->poller_add(p->poller, p->client, HF_OS_OUT, &p->client), HF_OK);
    wait_for(p, &p->listener, HF_OS_IN);
    assert_int_equal(p->os->accept(p->os, p->listener, &p->server, &p->peer), HF_OK);
    wait_for(p, &p->client, HF_OS_OUT);
    assert_int_equal(p->os->connect_result(p->os, p->client), HF_OK);
    assert_int_equal(p->os->poller_add(p->poller, p->server, HF_OS_IN, &p->server), HF_OK);
    watch(p, &p->client, HF_OS_IN);
}

static void open_pair(struct pair *p, struct world *w, const char *address)
{
    *p = (struct pair){.os = w->os, .client = -1, .server = -1};
    assert_int_equal(p->os->poller_new(p->os, &p->poller), HF_OK);
    p->listener = start_listener(p, address);
    assert_int_equal(p->os->poller_add(p->poller, p->listener, HF_OS_IN, &p->listener), HF_OK);
    connect_pair(p);
}

static void drop(struct pair *p, int *fd)
{
    if (*fd < 0)
        return;
    p->os->poller_remove(p->poller, *fd);
    p->os->close(p->os, *fd);
    *fd = -1;
}

static void close_pair(struct pair *p)
{
    drop(p, &p->client);
    drop(p, &p->server);
    drop(p, &p->listener);
    p->os->poller_free(p->poller);
}

static enum hf_err write_text(struct pair *p, int fd, const char *text, size_t *n)
{
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    return p->os->writev(p->os, fd, &iov, 1, n);
}

static void expect_read(struct pair *p, int *fd, const char *want)
{
    size_t have = 0, len = strlen(want), n;
    char got[256];
    while (have < len) {
        wait_for(p, fd, HF_OS_IN);
        assert_int_equal(p->os->read(p->os, *fd, got + have, sizeof got - have, &n), HF_OK);
        have += n;
    }
    assert_int_equal(have, len);
    assert_memory_equal(got, want, len);
}

static enum hf_err read_err(struct pair *p, int fd)
{
    char byte;
    size_t n;
    return p->os->read(p->os, fd, &byte, 1, &n);
}

static void talk(struct pair *p)
{
    size_t n;
    assert_int_equal(read_err(p, p->server), HF_AGAIN);
    assert_int_equal(write_text(p, p->client, "question", &n), HF_OK);
    assert_int_equal(n, 8);
    expect_read(p, &p->server, "question");
    assert_int_equal(read_err(p, p->server), HF_AGAIN);
    const struct iovec parts[] = {{"an", 2}, {NULL, 0}, {"sw", 2}, {"er", 2}};
    assert_int_equal(p->os->writev(p->os, p->server, parts, 4, &n), HF_OK);
    assert_int_equal(n, 6);
    expect_read(p, &p->client, "answer");
    assert_int_equal(p->os->writev(p->os, p->server, parts, 0, &n), HF_OK); /* nothing of nothing */
    assert_int_equal(n, 0);
}

static void question_and_answer(void **state)
{
    struct pair p;
    open_pair(&p, *state, "127.0.0.1:0");
    assert_true(strncmp(p.addr.text, "127.0.0.1:", 10) == 0 && strcmp(p.addr.text + 10, "0") != 0);
    assert_int_equal(strncmp(p.peer.text, "127.0.0.1:", 10), 0);
    assert_string_not_equal(p.peer.text, p.addr.text);
    talk(&p);
    int none;
    assert_int_equal(p.os->accept(p.os, p.listener, &none, NULL), HF_AGAIN);
    close_pair(&p);
}

static void over_a_unix_socket(void **state)
{
    struct world *w = *state;
    struct pair p;
    char address[128];
    snprintf(address, sizeof address, "unix:%s", world_path(w, "socket"));
    open_pair(&p, w, address);
    assert_string_equal(p.addr.text, address);
    assert_string_equal(p.peer.text, "unix:");
    talk(&p);
    close_pair(&p);
}

static void over_ipv6(void **state)
{
    struct world *w = *state;
    struct pair p;
    if (!w->fake && access("/proc/net/if_inet6", R_OK) != 0) {
        print_message("no IPv6 on this machine\n");
        skip();
    }
    open_pair(&p, w, "[::1]:0");
    assert_int_equal(strncmp(p.addr.text, "[::1]:", 6), 0);
    talk(&p);
    close_pair(&p);
}

/* The end of one direction leaves the other open. */
static void half_close(void **state)
{
    struct pair p;
    size_t n;
    open_pair(&p, *state, "127.0.0.1:0");
    assert_int_equal(write_text(&p, p.client, "last words", &n), HF_OK);
    p.os->shutdown_write(p.os, p.client);
    assert_int_equal(write_text(&p, p.client, "x", &n), HF_CLOSED);
    expect_read(&p, &p.server, "last words");
    wait_for(&p, &p.server, HF_OS_IN);
    assert_int_equal(read_err(&p, p.server), HF_CLOSED);
    assert_int_equal(write_text(&p, p.server, "heard", &n), HF_OK);
    expect_read(&p, &p.client, "heard");
    p.os->shutdown_write(p.os, p.server);
    assert_true(wait_for(&p, &p.server, HF_OS_HUP) & HF_OS_IN); /* both directions over */
    close_pair(&p);
}

/* A full socket says so, tells when there is room, and loses nothing. */
static void back_pressure(void **state)
{
    struct world *w = *state;
    struct pair p;
    enum { BLOCK = 64 * 1024 };
    static char block[BLOCK], got[BLOCK];
    size_t sent = 0, received = 0, n;
    open_pair(&p, w, "127.0.0.1:0");
    for (;;) {
        for (size_t i = 0; i < BLOCK; i++)
            block[i] = (char)((sent + i) % 251);
        struct iovec iov = {block, BLOCK};
        enum hf_err err = p.os->writev(p.os, p.client, &iov, 1, &n);
        if (err == HF_AGAIN)
            break;
        assert_int_equal(err, HF_OK);
        assert_true(n > 0);
        sent += n;
        assert_true(sent < (size_t)1 << 28);
    }
    watch(&p, &p.client, HF_OS_OUT);
    if (w->fake) {
        struct hf_os_event event;
        watch(&p, &p.server, 0);
        assert_int_equal(p.os->poller_wait(p.poller, 0, &event, 1), 0);
        watch(&p, &p.server, HF_OS_IN);
    }
    while (received < sent) {
        wait_for(&p, &p.server, HF_OS_IN);
        assert_int_equal(p.os->read(p.os, p.server, got, sizeof got, &n), HF_OK);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(got[i], (char)((received + i) % 251));
        received += n;
    }
    wait_for(&p, &p.client, HF_OS_OUT);
    close_pair(&p);
}

/* Who closes with bytes unread, or by force, resets; the other end finds out, and never by a
 * signal. */
static void resets(void **state)
{
    struct world *w = *state;
    size_t n;
    for (int forced = 0; forced < 2; forced++) {
        struct pair p;
        open_pair(&p, w, "127.0.0.1:0");
        assert_int_equal(write_text(&p, p.client, "never read", &n), HF_OK);
        wait_for(&p, &p.server, HF_OS_IN);
        p.os->poller_remove(p.poller, p.server);
        if (forced) /* a dead connection is told even to who asked for nothing */
            watch(&p, &p.client, 0);
        if (forced)
            p.os->close_reset(p.os, p.server);
        else
            p.os->close(p.os, p.server);
        p.server = -1;
        assert_true(wait_for(&p, &p.client, HF_OS_HUP) & HF_OS_IN);
        assert_int_equal(read_err(&p, p.client), HF_CLOSED);
        assert_int_equal(write_text(&p, p.client, "x", &n), HF_CLOSED);
        close_pair(&p);
    }
}

static void close_resets_even_with_nothing_unread(void **state)
{
    struct pair p;
    open_pair(&p, *state, "127.0.0.1:0");
    p.os->poller_remove(p.poller, p.server);
    p.os->close_reset(p.os, p.server);
    p.server = -1;
    wait_for(&p, &p.client, HF_OS_HUP);
    assert_int_equal(read_err(&p, p.client), HF_CLOSED);
    close_pair(&p);
}

/* After a clean end from the other side, the first write may succeed; soon it is told. */
static void writing_to_who_left(void **state)
{
    struct pair p;
    size_t n;
    open_pair(&p, *state, "127.0.0.1:0");
    drop(&p, &p.server);
    wait_for(&p, &p.client, HF_OS_IN);
    assert_int_equal(read_err(&p, p.client), HF_CLOSED);
    assert_int_equal(write_text(&p, p.client, "x", &n), HF_OK);
    watch(&p, &p.client, HF_OS_OUT);
    wait_for(&p, &p.client, HF_OS_HUP);
    assert_int_equal(write_text(&p, p.client, "x", &n), HF_CLOSED);
    close_pair(&p);
}

/* Refused at once or later, the kind is the same. */
static void nobody_listens(void **state)
{
    struct world *w = *state;
    struct pair p;
    open_pair(&p, w, "127.0.0.1:0");
    drop(&p, &p.client);
    drop(&p, &p.server);
    drop(&p, &p.listener);
    static struct hf_report report;
    hf_report_init(&report);
    enum hf_err err = p.os->connect(p.os, &p.addr, &p.client, &report);
    if (err == HF_OK) {
        assert_int_equal(p.os->poller_add(p.poller, p.client, HF_OS_OUT, &p.client), HF_OK);
        wait_for(&p, &p.client, HF_OS_OUT);
        err = p.os->connect_result(p.os, p.client);
    } else {
        assert_non_null(strstr(report.text, p.addr.text));
    }
    assert_int_equal(err, HF_IO);
    close_pair(&p);
}

static void addresses(void **state)
{
    struct world *w = *state;
    static const char *const wrong[] = {
        "",    "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",  "127.0.0.1:8o",
        ":80", "127.0.0.1:-1", "[::1]",     "unix:",      "127.0.0.1:000080",
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(wrong); i++) {
        struct hf_os_addr addr = {""};
        static struct hf_report report;
        int fd = -1;
        hf_report_init(&report);
        snprintf(addr.text, sizeof addr.text, "%s", wrong[i]);
        assert_int_equal(w->os->listen(w->os, &addr, false, 1, &fd, NULL, &report), HF_INVALID);
        assert_int_equal(report.err, HF_INVALID);
        assert_int_equal(w->os->connect(w->os, &addr, &fd, NULL), HF_INVALID);
        assert_int_equal(fd, -1);
    }
    struct hf_os_addr addr;
    int fd;
    memset(addr.text, 'x', sizeof addr.text); /* no NUL at all */
    memcpy(addr.text, "unix:", 5);
    assert_int_equal(w->os->listen(w->os, &addr, false, 1, &fd, NULL, NULL), HF_INVALID);
}

static void reuseport_shares_an_address(void **state)
{
    struct world *w = *state;
    struct hf_os_addr any = {"127.0.0.1:0"}, bound;
    int a, b, c;
    assert_int_equal(w->os->listen(w->os, &any, true, 16, &a, &bound, NULL), HF_OK);
    assert_int_equal(w->os->listen(w->os, &bound, true, 16, &b, NULL, NULL), HF_OK);
    static struct hf_report report;
    hf_report_init(&report);
    assert_int_equal(w->os->listen(w->os, &bound, false, 16, &c, NULL, &report), HF_IO);
    assert_non_null(strstr(report.text, bound.text));
    unsigned got[2] = {0, 0}, tries = 0;
    while ((got[0] == 0 || got[1] == 0) && ++tries < 500) { /* each gets some, sooner or later */
        int client, server;
        assert_int_equal(w->os->connect(w->os, &bound, &client, NULL), HF_OK);
        uint64_t until = soon(w->os);
        bool taken = false;
        while (!taken && w->os->now_ns(w->os) < until) {
            for (int i = 0; i < 2 && !taken; i++) {
                if (w->os->accept(w->os, i == 0 ? a : b, &server, NULL) == HF_OK) {
                    got[i]++;
                    taken = true;
                    w->os->close(w->os, server);
                }
            }
        }
        assert_true(taken);
        w->os->close(w->os, client);
    }
    assert_true(got[0] > 0 && got[1] > 0);
    w->os->close(w->os, a);
    w->os->close(w->os, b);
}

static void interest_is_what_is_reported(void **state)
{
    struct pair p;
    size_t n;
    struct hf_os_event events[8];
    open_pair(&p, *state, "127.0.0.1:0");
    assert_int_equal(p.os->poller_wait(p.poller, 0, events, 8), 0); /* 0: does not wait */
    watch(&p, &p.client, 0);
    assert_int_equal(write_text(&p, p.server, "x", &n), HF_OK);
    uint64_t until = p.os->now_ns(p.os) + 20 * 1000000u;
    while (p.os->now_ns(p.os) < until)
        assert_int_equal(p.os->poller_wait(p.poller, until, events, 8), 0);
    watch(&p, &p.client, HF_OS_IN);
    assert_int_equal(wait_for(&p, &p.client, HF_OS_IN), HF_OS_IN);
    assert_int_equal(wait_for(&p, &p.client, HF_OS_IN), HF_OS_IN); /* level-triggered */
    watch(&p, &p.client, HF_OS_IN | HF_OS_OUT);
    assert_int_equal(wait_for(&p, &p.client, HF_OS_IN), HF_OS_IN | HF_OS_OUT);
    p.os->poller_remove(p.poller, p.client);
    p.os->poller_remove(p.poller, p.client); /* twice is fine */
    assert_int_equal(p.os->poller_wait(p.poller, 0, events, 8), 0);
    assert_int_not_equal(p.os->poller_set(p.poller, p.client, HF_OS_IN, NULL), HF_OK);
    assert_int_equal(p.os->poller_add(p.poller, p.client, HF_OS_IN, &p.client), HF_OK);
    assert_int_not_equal(p.os->poller_add(p.poller, p.client, HF_OS_IN, &p.client), HF_OK);
    assert_int_equal(p.os->poller_wait(p.poller, UINT64_MAX, events, 8), 1);
    assert_int_equal(p.os->poller_wait(p.poller, UINT64_MAX, events, 0), 0);
    close_pair(&p);
}

static void wait_never_ends_early(void **state)
{
    struct world *w = *state;
    struct hf_os_poller *poller;
    struct hf_os_event event;
    assert_int_equal(w->os->poller_new(w->os, &poller), HF_OK);
    for (uint64_t ns = 1; ns < 30000000; ns = ns * 3 + 7) {
        uint64_t until = w->os->now_ns(w->os) + ns;
        assert_int_equal(w->os->poller_wait(poller, until, &event, 1), 0);
        assert_true(w->os->now_ns(w->os) >= until);
    }
    assert_int_equal(w->os->poller_wait(poller, 1, &event, 1), 0); /* long past */
    w->os->poller_free(poller);
    w->os->poller_free(NULL);
}

/* More ready than asked for: the rest comes later, and nobody is forgotten. */
static void small_batches_starve_nobody(void **state)
{
    struct world *w = *state;
    enum { N = 10 };
    int fds[N];
    bool seen[N] = {false};
    struct hf_os_poller *poller;
    struct hf_os_addr any = {"127.0.0.1:0"}, bound[N];
    int clients[N];
    assert_int_equal(w->os->poller_new(w->os, &poller), HF_OK);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(w->os->listen(w->os, &any, false, 4, &fds[i], &bound[i], NULL), HF_OK);
        assert_int_equal(w->os->poller_add(poller, fds[i], HF_OS_IN, &fds[i]), HF_OK);
        assert_int_equal(w->os->connect(w->os, &bound[i], &clients[i], NULL), HF_OK);
    }
    size_t n = 0;
    for (int round = 0; round < 1000 && n < N; round++) {
        struct hf_os_event events[2];
        size_t got = w->os->poller_wait(poller, soon(w->os), events, 2);
        assert_true(got <= 2);
        for (size_t i = 0; i < got; i++) {
            size_t which = (size_t)((int *)events[i].tag - fds);
            n += !seen[which];
            seen[which] = true;
        }
    }
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++) {
        w->os->close(w->os, clients[i]);
        w->os->close(w->os, fds[i]);
    }
    w->os->poller_free(poller);
}

/* Linux only: what sockets inherit, and what a dead process left behind. */
static void options_are_set(void **state)
{
    struct pair p;
    open_pair(&p, *state, "127.0.0.1:0");
    const int fds[] = {p.client, p.server};
    for (size_t i = 0; i < 2; i++) {
        int on = 0;
        socklen_t len = sizeof on;
        assert_int_equal(getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        assert_int_equal(on != 0, 1);
    }
    close_pair(&p);
}

static void dead_unix_path_is_taken_over(void **state)
{
    struct world *w = *state;
    struct pair p;
    char address[128];
    snprintf(address, sizeof address, "unix:%s", world_path(w, "socket"));
    open_pair(&p, w, address);
    struct hf_os_addr same = p.addr;
    struct hf_report report;
    struct stat st;
    int fd;
    hf_report_init(&report);
    assert_int_equal(stat(address + 5, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); /* its user's alone */
    assert_int_equal(w->os->listen(w->os, &same, false, 4, &fd, NULL, &report), HF_IO); /* alive */
    assert_non_null(strstr(report.text, "another program has it"));
    close_pair(&p); /* its path stays behind */
    assert_int_equal(access(address + 5, F_OK), 0);
    open_pair(&p, w, address);
    talk(&p);
    close_pair(&p);
    struct hf_os_file *f;
    const char *path = world_path(w, "file");
    assert_int_equal(w->os->file_open(w->os, path, HF_OS_CREATE, &f, NULL), HF_OK);
    w->os->file_close(f);
    snprintf(same.text, sizeof same.text, "unix:%s", path);
    hf_report_init(&report);
    assert_int_equal(w->os->listen(w->os, &same, false, 4, &fd, NULL, &report), HF_IO);
    assert_non_null(strstr(report.text, "no socket"));
    assert_int_equal(access(path, F_OK), 0); /* a file that is no socket is never removed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH_WORLDS(question_and_answer),
        IN_BOTH_WORLDS(over_a_unix_socket),
        IN_BOTH_WORLDS(over_ipv6),
        IN_BOTH_WORLDS(half_close),
        IN_BOTH_WORLDS(back_pressure),
        IN_BOTH_WORLDS(resets),
        IN_BOTH_WORLDS(close_resets_even_with_nothing_unread),
        IN_BOTH_WORLDS(writing_to_who_left),
        IN_BOTH_WORLDS(nobody_listens),
        IN_BOTH_WORLDS(addresses),
        IN_BOTH_WORLDS(reuseport_shares_an_address),
        IN_BOTH_WORLDS(interest_is_what_is_reported),
        IN_BOTH_WORLDS(wait_never_ends_early),
        IN_BOTH_WORLDS(small_batches_starve_nobody),
        {"options_are_set (linux)", options_are_set, world_linux, world_end, NULL},
        {"dead_unix_path_is_taken_over (linux)", dead_unix_path_is_taken_over, world_linux,
         world_end, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
