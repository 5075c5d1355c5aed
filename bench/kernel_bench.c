/* kernel_bench.c - what one request costs in the kernel alone: post, assign, turn, respond, flush;
 * no engine, no socket.
 *
 * CPU time of this thread, the median of RUNS runs and the best one. Bodies are made and freed by
 * the edges (as the gateway and a guest do), so each case says how many mallocs its edges do
 * themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernel/kernel.h"
#include "kernel/turn.h"

enum { RUNS = 9 };
#define BODY 200u

struct bench {
    struct hf_kernel *k;
    struct hf_port port;
    uint64_t now, answers;
    bool with_body;
    uint64_t stream; /* bytes of a streamed body each way */
};

struct instance {
    struct bench *b;
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void add_body(struct bench *b, struct hf_buf *body)
{
    static const uint8_t bytes[BODY];
    if (b->with_body)
        must(hf_buf_add(body, bytes, BODY) == HF_OK);
}

static enum hf_end on_start(void *ctx, struct hf_turn *turn, void **state)
{
    struct instance *i = malloc(sizeof *i);
    (void)turn;
    must(i != NULL);
    i->b = ctx;
    *state = i;
    return HF_END_DONE;
}

/* Reads the blob, a segment at a time, into another that it answers with. */
static void copy_stream(struct bench *b, struct hf_blob *from, struct hf_blob *to)
{
    struct hf_blob_reader r = {0};
    struct hf_view v;
    (void)b;
    hf_blob_reader_open(&r, &from);
    while (hf_blob_reader_peek(&r, &v) == HF_OK) {
        must(hf_blob_push(to, v) == HF_OK);
        hf_blob_reader_advance(&r, v.len);
    }
    hf_blob_reader_close(&r);
    hf_blob_finish(to);
}

static enum hf_end on_turn(void *state, struct hf_turn *turn)
{
    struct instance *i = state;
    struct hf_buf body = {0};
    struct hf_blob *from = hf_turn_take_blob(turn), *to = NULL, *producer;
    add_body(i->b, &body);
    if (from != NULL)
        to = producer = hf_blob_new_in(hf_kernel_blobs(i->b->k), HF_BLOB_LEN_UNKNOWN, 0);
    must(hf_turn_respond(turn, &body, &to) == HF_DUTY_OPEN);
    if (from != NULL)
        copy_stream(i->b, from, producer);
    return HF_END_DONE;
}

static enum hf_end on_resume(void *state, struct hf_turn *turn)
{
    (void)state, (void)turn;
    return HF_END_DONE;
}

static void on_stop(void *state)
{
    free(state);
}

static const struct hf_behaviour service = {
    .name = "bench", .start = on_start, .turn = on_turn, .resume = on_resume, .stop = on_stop};

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct bench *b = HF_CONTAINER_OF(port, struct bench, port);
    (void)tag;
    must(a->kind == HF_ANSWER_OK);
    b->answers++;
    if (a->blob != NULL) {
        struct hf_blob_reader r = {0};
        struct hf_view v;
        hf_blob_reader_open(&r, &a->blob);
        while (hf_blob_reader_peek(&r, &v) == HF_OK)
            hf_blob_reader_advance(&r, v.len);
        hf_blob_reader_close(&r);
    }
}

static void post(struct bench *b)
{
    struct hf_post p = {.target = HF_VIEW("service"), .port = &b->port};
    struct hf_blob *producer = NULL;
    uint64_t id;
    static const uint8_t bytes[4096];
    add_body(b, &p.body);
    if (b->stream > 0)
        p.blob = producer = hf_blob_new_in(hf_kernel_blobs(b->k), b->stream, b->stream);
    must(hf_port_post(b->k, &p, &id) == HF_OK);
    for (uint64_t sent = 0; sent < b->stream; sent += sizeof bytes)
        must(hf_blob_push(producer, hf_view(bytes, sizeof bytes)) == HF_OK);
    if (producer != NULL)
        hf_blob_finish(producer);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *what, uint64_t requests, unsigned in_flight, unsigned instances,
                    bool with_body, uint64_t stream, bool clocks)
{
    struct bench b = {.port = {on_answer}, .now = 1, .with_body = with_body, .stream = stream};
    struct hf_class *c;
    struct hf_class_settings s = {
        .behaviour = &service, .ctx = &b, .max = instances, .queue_max = 1000};
    double ns[RUNS];
    if (clocks) {
        s.idle_timeout_ns = s.max_age_ns = 3600ull * 1000000000u;
        s.queue_timeout_ns = 1000000000u;
    }
    must(hf_kernel_new(&(struct hf_kernel_settings){0}, &b.k) == HF_OK);
    must(hf_class_add(b.k, "service", &s, &c, NULL) == HF_OK);
    for (int run = -1; run < RUNS; run++) {
        uint64_t begin = cpu_ns();
        for (uint64_t done = 0; done < requests; done += in_flight) {
            for (unsigned i = 0; i < in_flight; i++)
                post(&b);
            while (hf_kernel_step(b.k, b.now) == HF_OK)
                b.now += 100;
            hf_kernel_flush(b.k);
        }
        if (run >= 0) /* the first warms */
            ns[run] = (double)(cpu_ns() - begin) / (double)requests;
    }
    qsort(ns, RUNS, sizeof ns[0], by_size);
    printf("%-58s median %8.1f ns  best %8.1f ns\n", what, ns[RUNS / 2], ns[0]);
    must(b.answers > 0);
    hf_kernel_free(b.k);
}

int main(void)
{
    measure("request, nothing in it", 500000, 1, 1, false, 0, false);
    measure("  64 in flight, 1 instance (queue)", 512000, 64, 1, false, 0, false);
    measure("  64 in flight, 64 instances", 512000, 64, 64, false, 0, false);
    measure("  with queue, idle and age limits", 500000, 1, 1, false, 0, true);
    measure("request and answer of 200 bytes (edges: 2 mallocs)", 500000, 1, 1, true, 0, false);
    measure("64 KiB streamed both ways (edges: 2 copies)", 20000, 1, 1, true, 64 * 1024, false);
    return 0;
}
