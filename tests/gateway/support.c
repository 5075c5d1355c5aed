/* support.c - the world of gateway tests (support.h). Its services are in support_service.c. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "support_service.h"

#define TURNS_MAX 20000

static void about(struct hf_buf *buf, struct hf_view v)
{
    v = v.len > 0 ? v : HF_VIEW("-");
    assert_int_equal(hf_buf_printf(buf, "%s%.*s", buf->len > 0 ? " " : "", HF_FMT(v)), HF_OK);
}

static void on_access(void *ctx, const struct hf_access *a)
{
    struct world *w = ctx;
    w->exchanges++;
    if (!w->keep_log)
        return;
    assert_int_equal(hf_buf_printf(&w->log, "%.*s %.*s %u %s %llu/%llu\n", HF_FMT(a->method),
                                   HF_FMT(a->target), a->status, a->how,
                                   (unsigned long long)a->bytes_in,
                                   (unsigned long long)a->bytes_out),
                     HF_OK);
    hf_buf_clear(&w->detail);
    assert_int_equal(hf_buf_add_view(&w->detail, a->detail), HF_OK);
    hf_buf_clear(&w->about);
    about(&w->about, hf_view_of(a->protocol));
    about(&w->about, a->request_id);
    about(&w->about, a->referer);
    about(&w->about, a->agent);
    w->trace = a->trace;
    assert_true(a->end_ns >= a->start_ns && a->peer.len > 0);
    assert_true(a->status == 0 || a->first_byte_ns >= a->start_ns);
}

void world_open(struct world *w, const struct hf_gateway_settings *settings, bool fake)
{
    struct hf_gateway_settings s = {0};
    struct hf_kernel_settings k = {0};
    struct hf_class_settings c = {.behaviour = &service, .max = 64};
    struct hf_os_addr any = {"127.0.0.1:0"};
    *w = (struct world){.fake = fake, .keep_log = true, .steps = 1};
    w->os = fake ? hf_os_fake_new(7) : hf_os_linux();
    assert_int_equal(w->os->poller_new(w->os, &w->poller), HF_OK);
    assert_int_equal(hf_kernel_new(&k, &w->kernel), HF_OK);
    assert_int_equal(hf_class_add(w->kernel, "service", &c, &w->service, NULL), HF_OK);
    c.max = c.queue_max = 1;
    c.queue_timeout_ns = S;
    assert_int_equal(hf_class_add(w->kernel, "small", &c, &w->service, NULL), HF_OK);
    assert_int_equal(hf_route_table_new(&w->routes), HF_OK);
    static const struct {
        const char *prefix, *method, *service;
        uint64_t body_max;
    } routes[] = {
        {"/", "GET", "service", 0},       {"/", "HEAD", "service", 0},
        {"/", "POST", "service", 0},      {"/", "OPTIONS", "service", 0},
        {"/small", "", "small", 0},       {"/nobody", "", "nobody", 0},
        {"/tell/less", "", "service", 4}, {"/tell/more", "", "service", 16},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(routes); i++)
        assert_int_equal(
            hf_route_add(w->routes, HF_VIEW(""), hf_view_of(routes[i].prefix),
                         hf_view_of(routes[i].method),
                         &(struct hf_route_target){hf_view_of(routes[i].service),
                                                   routes[i].body_max},
                         NULL),
            HF_OK);
    if (settings != NULL)
        s = *settings;
    s.os = w->os;
    s.poller = w->poller;
    s.kernel = w->kernel;
    s.routes = w->routes;
    s.access = on_access;
    s.access_ctx = w;
    assert_int_equal(hf_gateway_new(&s, &w->gw, NULL), HF_OK);
    assert_int_equal(hf_gateway_listen(w->gw, &any, false, &w->addr, NULL), HF_OK);
}

void world_close(struct world *w)
{
    hf_gateway_free(w->gw);
    hf_kernel_free(w->kernel);
    hf_route_table_free(w->routes);
    w->os->poller_free(w->poller);
    if (w->fake)
        hf_os_fake_free(w->os);
    hf_buf_done(&w->log);
    hf_buf_done(&w->detail);
    hf_buf_done(&w->about);
}

void world_turn(struct world *w)
{
    struct hf_os_event events[64];
    uint64_t now = w->os->now_ns(w->os);
    hf_gateway_begin(w->gw, now);
    w->events = w->os->poller_wait(w->poller, 0, events, HF_ARRAY_LEN(events));
    for (size_t i = 0; i < w->events; i++) {
        struct hf_os_watch *watch = events[i].tag;
        watch->on_ready(watch, events[i].ready);
    }
    for (unsigned i = 0; i < w->steps && hf_kernel_step(w->kernel, now) == HF_OK; i++)
        continue;
    hf_kernel_flush(w->kernel);
    hf_gateway_tick(w->gw, now);
    hf_gateway_flush(w->gw);
}

static bool has_work(struct world *w)
{
    uint64_t now = w->os->now_ns(w->os);
    return w->events > 0 || hf_gateway_busy(w->gw) || hf_kernel_next_ns(w->kernel) <= now ||
           hf_gateway_next_ns(w->gw) <= now;
}

void world_run(struct world *w)
{
    unsigned idle = 0;
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        world_turn(w);
        idle = has_work(w) ? 0 : idle + 1;
        if (idle == (w->fake ? 2 : 3))
            return;
    }
    fail_msg("the world never comes to rest");
}

void world_pass(struct world *w, uint64_t ns)
{
    hf_os_fake_advance(w->os, ns);
    world_run(w);
}

struct hf_gateway_stats world_stats(struct world *w)
{
    struct hf_gateway_stats stats;
    hf_gateway_get_stats(w->gw, &stats);
    return stats;
}

void world_expect_log(struct world *w, const char *lines)
{
    if (!hf_view_eq_text(hf_buf_view(&w->log), lines))
        fail_msg("log:\n%.*s\nexpected:\n%s", HF_FMT(hf_buf_view(&w->log)), lines);
    hf_buf_clear(&w->log);
}

/* ---- clients ---- */

static void nap(struct world *w)
{
    struct timespec t = {0, 200000};
    if (!w->fake)
        nanosleep(&t, NULL); /* loopback is not instant */
}

void client_open(struct client *c, struct world *w)
{
    *c = (struct client){.w = w};
    assert_int_equal(w->os->connect(w->os, &w->addr, &c->fd, NULL), HF_OK);
    enum hf_err err;
    for (unsigned i = 0; (err = w->os->connect_result(w->os, c->fd)) == HF_AGAIN && i < 1000; i++)
        nap(w);
    assert_int_equal(err, HF_OK);
}

bool client_send(struct client *c, struct hf_view bytes)
{
    struct hf_os *os = c->w->os;
    unsigned stuck = 0;
    while (bytes.len > 0) {
        struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
        size_t n = 0;
        enum hf_err err = os->writev(os, c->fd, &iov, 1, &n);
        bytes = hf_view_skip(bytes, n);
        stuck = n > 0 ? 0 : stuck + 1;
        if (err == HF_CLOSED)
            return false;
        if (stuck > 1000)
            fail_msg("the server takes no more");
        if (err == HF_AGAIN) {
            nap(c->w);
            world_turn(c->w);
        }
    }
    return true;
}

static bool read_once(struct client *c)
{
    struct hf_os *os = c->w->os;
    uint8_t buf[65536];
    size_t n;
    if (c->ended)
        return false;
    enum hf_err err = os->read(os, c->fd, buf, sizeof buf, &n);
    if (err == HF_OK)
        assert_int_equal(hf_buf_add(&c->got, buf, n), HF_OK);
    c->ended = err == HF_CLOSED;
    return err == HF_OK;
}

void client_read(struct client *c)
{
    while (read_once(c))
        continue;
}

void client_run(struct client *c)
{
    unsigned idle = 0;
    while (idle < (c->w->fake ? 1 : 4)) {
        nap(c->w);
        world_run(c->w);
        idle = read_once(c) ? 0 : idle + 1;
    }
}

/* Takes the date lines out: they are the one thing that differs between runs. */
static void drop_dates(struct hf_buf *buf)
{
    for (size_t at = 0; at + DATE_LEN <= buf->len; at++)
        if (memcmp(buf->ptr + at, "\r\ndate: ", 8) == 0) {
            assert_memory_equal(buf->ptr + at + DATE_LEN - 4, " GMT\r\n", 6);
            memmove(buf->ptr + at, buf->ptr + at + DATE_LEN, buf->len - at - DATE_LEN);
            buf->len -= DATE_LEN;
        }
}

/* Runs until `text` (and the end) is there. The real world may need a moment; the fake one does
 * not. */
static void await(struct client *c, const char *text, bool end)
{
    unsigned tries = c->w->fake ? 1 : 400;
    for (unsigned i = 0; i < tries; i++) {
        client_run(c);
        drop_dates(&c->got);
        if (hf_view_eq_text(hf_buf_view(&c->got), text) && c->ended >= end)
            break;
    }
    if (!hf_view_eq_text(hf_buf_view(&c->got), text))
        fail_msg("got:\n%.*s\nexpected:\n%s", HF_FMT(hf_buf_view(&c->got)), text);
    hf_buf_clear(&c->got);
}

void client_expect(struct client *c, const char *text)
{
    await(c, text, false);
}

void client_expect_end(struct client *c, const char *text)
{
    await(c, text, true);
    if (!c->ended)
        fail_msg("the server did not close after:\n%s", text);
}

/* Connection fields stand before the page's own. */
const char *client_page(struct client *c, const char *status, const char *fields, const char *text)
{
    bool retry = strstr(fields, RETRY) != NULL;
    snprintf(c->page, sizeof c->page,
             "HTTP/1.1 %s\r\ncontent-length: %zu\r\n%scontent-type: text/plain; "
             "charset=utf-8\r\n%s\r\n%s: %s\n",
             status, strlen(status) + strlen(text) + 3, retry ? "" : fields, retry ? fields : "",
             status, text);
    return c->page;
}

static void forget(struct client *c)
{
    hf_buf_done(&c->got);
    c->fd = -1;
}

void client_close(struct client *c)
{
    c->w->os->close(c->w->os, c->fd);
    forget(c);
    world_run(c->w);
}

void client_reset(struct client *c)
{
    c->w->os->close_reset(c->w->os, c->fd);
    forget(c);
    world_run(c->w);
}
