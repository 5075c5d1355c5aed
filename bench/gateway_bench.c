/* gateway_bench.c - what gateway and kernel cost without a guest: a C behaviour that says hello (or
 * echoes), one worker.
 *
 * Compare with raw_epoll.c: the difference is the price of strict parsing, routing, a message, a
 * process, deadlines and the access counters.
 *
 *     gateway_bench PORT         GET /  "hello, world"; POST /echo gives the body back as it comes
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/head.h"
#include "gateway/gateway.h"
#include "gateway/route.h"
#include "kernel/kernel.h"
#include "kernel/turn.h"

static enum hf_end start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)ctx;
    (void)turn;
    *state = NULL;
    return HF_END_DONE;
}

static enum hf_end turn(void *state, struct hf_turn *t)
{
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    struct hf_head head;
    (void)state;
    struct hf_blob *blob = NULL;
    if (hf_head_read(hf_turn_message(t)->body, &head, NULL) != HF_OK ||
        hf_head_begin_response(&w, &buf, 0, 200) != HF_OK ||
        hf_head_field(&w, HF_VIEW("content-type"), HF_VIEW("text/plain")) != HF_OK)
        return HF_END_FAILED;
    hf_head_end(&w);
    blob = hf_view_eq_text(head.path, "/echo") ? hf_turn_take_blob(t)
                                               : hf_blob_of_bytes(HF_VIEW("hello, world"));
    if (hf_turn_respond(t, &buf, &blob) != HF_DUTY_OPEN) {
        hf_buf_done(&buf);
        hf_blob_unref(blob);
    }
    return HF_END_DONE;
}

static enum hf_end resume(void *state, struct hf_turn *t) /* it never waits */
{
    (void)state;
    (void)t;
    return HF_END_DONE;
}

static void stop(void *state)
{
    (void)state;
}

static const struct hf_behaviour hello = {
    .name = "hello", .start = start, .turn = turn, .resume = resume, .stop = stop};

static void check(enum hf_err err, struct hf_report *report)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "gateway_bench: %s: %s\n", hf_err_text(err), report->text);
    exit(1);
}

static uint64_t n_access;
static void on_access(void *ctx, const struct hf_access *a)
{
    (void)ctx;
    n_access += a->status == 200;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int main(int argc, char **argv)
{
    struct hf_report report = {0};
    struct hf_os *os = hf_os_linux();
    struct hf_os_poller *poller;
    struct hf_kernel *kernel;
    struct hf_class *class;
    struct hf_route_table *routes;
    struct hf_gateway *gw;
    struct hf_os_addr addr, bound;
    if (argc < 2) {
        fprintf(stderr, "usage: gateway_bench PORT\n");
        return 2;
    }
    snprintf(addr.text, sizeof addr.text, "127.0.0.1:%s", argv[1]);
    check(os->poller_new(os, &poller), &report);
    check(hf_kernel_new(&(struct hf_kernel_settings){0}, &kernel), &report);
    check(hf_class_add(kernel, "hello", &(struct hf_class_settings){.behaviour = &hello}, &class,
                       &report),
          &report);
    check(hf_route_table_new(&routes), &report);
    check(hf_route_add(routes, HF_VIEW(""), HF_VIEW("/"), HF_VIEW(""),
                       &(struct hf_route_target){HF_VIEW("hello"), 0}, &report),
          &report);
    struct hf_gateway_settings s = {
        .os = os, .poller = poller, .kernel = kernel, .routes = routes, .access = on_access};
    check(hf_gateway_new(&s, &gw, &report), &report);
    check(hf_gateway_listen(gw, &addr, true, &bound, &report), &report);
    printf("listening on %s\n", bound.text);
    fflush(stdout);
    for (;;) {
        struct hf_os_event events[128];
        uint64_t until =
            hf_gateway_busy(gw) ? 0 : earlier(hf_gateway_next_ns(gw), hf_kernel_next_ns(kernel));
        size_t n = os->poller_wait(poller, until, events, HF_ARRAY_LEN(events));
        uint64_t now = os->now_ns(os);
        hf_gateway_begin(gw, now);
        for (size_t i = 0; i < n; i++) {
            struct hf_os_watch *watch = events[i].tag;
            watch->on_ready(watch, events[i].ready);
        }
        while (hf_kernel_step(kernel, now) == HF_OK)
            continue;
        hf_kernel_flush(kernel);
        if (hf_gateway_next_ns(gw) <= now)
            hf_gateway_tick(gw, now);
        hf_gateway_flush(gw);
    }
}
