/* console_bench.c - what watching costs a worker: ns for one request's counters, and for one line
 * into the log's ring, least of some rounds. Beside it the time of a picture of 1,000 instances as
 * Prometheus text, which no worker pays.
 *
 *   console_bench          valgrind --tool=callgrind counts it in instructions: the functions are
 * hf_meter_note, hf_log_ring_add
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "console/inside.h"

enum { ROUNDS = 15, TIMES = 100000, INSTANCES = 1000 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void notes(void *ctx)
{
    const struct hf_meter_note n = {.status = 200, .ns = 25000, .bytes_out = 13};
    for (unsigned i = 0; i < TIMES; i++)
        hf_meter_note(ctx, HF_VIEW("c-hello"), &n);
}

static void lines(void *ctx)
{
    for (unsigned i = 0; i < TIMES; i++)
        hf_log_ring_add(ctx, HF_VIEW("c-hello"),
                        HF_VIEW("2026-11-28T01:11:47.403Z access 127.0.0.1:33826 GET / 200 13 "
                                "0.441ms c-hello[281474976710656]\n"));
}

static double least(void (*run)(void *ctx), void *ctx)
{
    double best = 1e18;
    for (unsigned i = 0; i < ROUNDS; i++) {
        double begin = now_ns();
        run(ctx);
        double took = (now_ns() - begin) / TIMES;
        best = took < best ? took : best;
    }
    return best;
}

static void node_info(void *ctx, struct hf_admin_node *ret)
{
    (void)ctx;
    *ret = (struct hf_admin_node){.version = "bench", .workers = 2};
}

static const struct hf_meter *meter_of(void *ctx, uint32_t worker)
{
    return worker == 0 ? ctx : NULL;
}

/* Shots of two workers become a picture, and that becomes text. */
static double scrape(struct hf_meter *meter)
{
    struct hf_admin_ops ops = {.ctx = meter, .meter = meter_of};
    double best = 1e18;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct hf_picture p = {.now_ns = 2000000000};
        struct hf_admin_node node;
        struct hf_buf text = {0};
        double begin = now_ns();
        for (uint32_t w = 0; w < 2; w++) {
            struct hf_shot shot = {.worker.number = w};
            HF_ASSERT(hf_shot_add_service(&shot, "c-hello") != NULL);
            for (uint64_t k = 0; k < INSTANCES / 2; k++)
                hf_shot_add_instance(&shot, k, "idle", 1000000000, k, 131072);
            HF_ASSERT(hf_picture_add(&p, &shot) == HF_OK);
            hf_shot_done(&shot);
        }
        hf_picture_sort(&p);
        node_info(NULL, &node);
        const struct hf_json_look l = {&ops, &node, &p};
        HF_ASSERT(hf_metrics_write(&text, &l));
        double took = now_ns() - begin;
        best = took < best ? took : best;
        hf_buf_done(&text);
        hf_picture_done(&p);
    }
    return best;
}

int main(void)
{
    struct hf_meter meter;
    struct hf_log_ring *ring;
    hf_meter_init(&meter);
    if (hf_log_ring_new(0, 0, &ring) != HF_OK)
        return 1;
    printf("counters of one request: %.1f ns\n", least(notes, &meter));
    printf("one line into the log's ring: %.1f ns\n", least(lines, ring));
    printf("picture and text of %d instances: %.3f ms\n", INSTANCES, scrape(&meter) / 1e6);
    hf_log_ring_free(ring);
    hf_meter_done(&meter);
    return 0;
}
