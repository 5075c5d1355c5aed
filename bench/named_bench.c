/* named_bench.c - what messages between named processes cost in the kernel alone: native
 * behaviours, no engine.
 *
 *   named_bench              the table: CPU time of this thread, the median of RUNS runs and the
 * best one named_bench --list       names of the fixed programs named_bench --run NAME   sets NAME
 * up, then runs it a fixed number of times inside hf_bench_body, for bench/instructions
 *
 * Bodies have 64 bytes and are made and freed by the behaviours, as guests do: two allocations a
 * round trip are theirs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/behaviours.h"
#include "kernel/blob_spill.h"

enum { RUNS = 9, CHAIN = 8, FIXED = 2000 };

struct bench {
    struct hf_kernel *k;
    struct hf_port port;
    uint64_t now, left, done;
    const char *target; /* of the client */
    bool wants, blob;
    unsigned hops;
    struct hf_blob *bytes;
};

/* Asks again whenever it was answered, whatever the answer was. */
static enum hf_end client(void *state, struct hf_turn *turn)
{
    struct bench *b = state;
    if (b->left == 0)
        return HF_END_DONE;
    b->left--;
    b->done++;
    struct hf_send s = {.target = hf_view_of(b->target), .wants_answer = true};
    fill(&s.body);
    must(hf_turn_send(turn, &s, NULL) == HF_SAID_OK);
    return HF_END_DONE;
}

static enum hf_end server(void *state, struct hf_turn *turn)
{
    struct hf_response r = {.inherit = true};
    (void)state;
    fill(&r.body);
    must(hf_turn_reply(turn, &r) == HF_SAID_OK);
    return HF_END_DONE;
}

/* chain/1 -> chain/2 ... -> chain/hops, which answers with the blob. */
static enum hf_end chain(void *state, struct hf_turn *turn)
{
    struct bench *b = state;
    struct hf_view name = hf_turn_name(turn);
    unsigned i = (unsigned)(name.ptr[name.len - 1] - '0');
    char next[20];
    if (i >= b->hops)
        return server(state, turn);
    snprintf(next, sizeof next, "chain/%u", i + 1);
    struct hf_send s = {.target = hf_view_of(next), .inherit = true};
    must(hf_turn_forward(turn, &s) == HF_SAID_OK);
    return HF_END_DONE;
}

/* Spawns a child, which ends at its first message; its end is the next beginning. */
static enum hf_end parent(void *state, struct hf_turn *turn)
{
    struct bench *b = state;
    const struct hf_spawn spawn = {.class = HF_VIEW("child"), .monitor = true};
    char name[HF_NAME_MAX];
    size_t len;
    uint64_t watch;
    const struct hf_message *m = hf_turn_message(turn);
    if (m->kind == HF_MESSAGE_NOTICE)
        must(hf_turn_drop(turn, m->source) == HF_SAID_OK);
    if (b->left == 0)
        return HF_END_DONE;
    b->left--;
    b->done++;
    must(hf_turn_spawn(turn, &spawn, name, &len, &watch) == HF_SAID_OK);
    struct hf_send s = {.target = hf_view(name, len)};
    must(hf_turn_send(turn, &s, NULL) == HF_SAID_OK);
    return HF_END_DONE;
}

static enum hf_end child(void *state, struct hf_turn *turn)
{
    (void)state;
    hf_turn_retire(turn, "done");
    return HF_END_DONE;
}

/* Never takes a second message. */
static enum hf_end stuck(void *state, struct hf_turn *turn)
{
    (void)state, (void)turn;
    return HF_END_WAIT;
}

static const struct hf_behaviour behaviours[] = {BEHAVIOUR(client), BEHAVIOUR(server),
                                                 BEHAVIOUR(chain),  BEHAVIOUR(parent),
                                                 BEHAVIOUR(child),  BEHAVIOUR(stuck)};

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    (void)port, (void)tag, (void)a;
}

static void post(struct bench *b, const char *target)
{
    struct hf_post p = {.target = hf_view_of(target), .port = &b->port};
    uint64_t id;
    if (b->bytes != NULL)
        p.blob = hf_blob_ref(b->bytes);
    must(hf_port_post(b->k, &p, &id) == HF_OK);
}

static void work(struct bench *b)
{
    while (hf_kernel_step(b->k, b->now) == HF_OK)
        b->now += 100;
    hf_kernel_flush(b->k);
}

/* ---- the programs ---- */

struct program {
    const char *name, *what;
    const char *first;  /* posted to */
    const char *target; /* of the client */
    unsigned hops;      /* else: posts of a chain */
    size_t blob;
};
static const struct program programs[] = {
    {"named-call", "request and response between two processes, 64 bytes each", "client", "server",
     0, 0},
    {"named-post", "request of a port to a named process", NULL, NULL, 1, 0},
    {"named-chain-1", "1 KiB blob to the end of a chain of 1", NULL, NULL, 1, 1024},
    {"named-chain-8", "1 KiB blob through 7 that forward", NULL, NULL, CHAIN, 1024},
    {"named-chain-8m", "1 MiB blob through 7 that forward", NULL, NULL, CHAIN, 1 << 20},
    {"named-chain-8g", "1 GiB blob in a file, through 7 that forward", NULL, NULL, CHAIN, 1 << 30},
    {"named-full", "request to a full mailbox, and its error handled", "client", "stuck", 0, 0},
    {"named-dead", "request to nobody, and its error handled", "client", "nobody", 0, 0},
    {"named-full-post", "a full mailbox says so to who posts, alone", NULL, "stuck", 0, 0},
    {"named-dead-post", "nobody of that name: said to who posts, alone", NULL, "nobody", 0, 0},
    {"named-spawn", "spawn, start, one message, end, notice", "parent", NULL, 0, 0},
};

/* A file that keeps nothing, for a blob that nobody reads here. */
static struct hf_list written;

static enum hf_err file_write(void *ctx, struct hf_spill_move *m)
{
    (void)ctx;
    hf_list_push_back(&written, &m->link);
    return HF_OK;
}

static void file_read(void *ctx, struct hf_spill_move *m)
{
    (void)ctx, (void)m;
    must(!"a hop reads nothing");
}

static void file_forget(void *ctx, uint64_t place, size_t len)
{
    (void)ctx, (void)place, (void)len;
}

static struct hf_blob *blob_in_file(struct hf_kernel *k, size_t len)
{
    static const struct hf_spill ops = {
        .moves_max = 16, .write = file_write, .read = file_read, .forget = file_forget};
    static const uint8_t piece[64 * 1024] = {7};
    hf_list_init(&written);
    must(hf_blob_pool_spill_to(hf_kernel_blobs(k),
                               &(struct hf_blob_spill_settings){&ops, NULL, 1 << 20, 1 << 20}) == HF_OK);
    struct hf_blob *b = hf_blob_new_in(hf_kernel_blobs(k), len, len), *ret = b;
    for (size_t at = 0; at < len; at += sizeof piece) {
        must(hf_blob_push(b, hf_view(piece, sizeof piece)) == HF_OK);
        for (struct hf_list *m; (m = hf_list_pop_front(&written)) != NULL;)
            (void)hf_spill_moved(HF_LIST_ENTRY(m, struct hf_spill_move, link));
    }
    hf_blob_finish(b);
    must(hf_blob_memory(ret) <= 2 << 20);
    return ret;
}

static void set_up(struct bench *b, const struct program *p)
{
    static const char *const all[] = {"*", NULL};
    *b = (struct bench){.port = {on_answer}, .now = 1, .target = p->target, .hops = p->hops};
    must(hf_kernel_new(&(struct hf_kernel_settings){0}, &b->k) == HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(behaviours); i++) {
        const struct hf_named_settings s = {
            .behaviour = &behaviours[i], .ctx = b, .grants = all, .spawns = all, .mailbox_max = 1};
        struct hf_class *c;
        must(hf_named_class_add(b->k, behaviours[i].name, &s, &c, NULL) == HF_OK);
    }
    if (p->blob >= 1 << 30) {
        b->bytes = blob_in_file(b->k, p->blob);
    } else if (p->blob > 0) {
        struct hf_buf buf = {0};
        must(hf_buf_reserve(&buf, p->blob) == HF_OK);
        memset(buf.ptr, 7, p->blob);
        buf.len = p->blob;
        b->bytes = hf_blob_of_buf_in(hf_kernel_blobs(b->k), &buf);
        must(b->bytes != NULL);
    }
    if (p->target != NULL && strcmp(p->target, "stuck") == 0) {
        post(b, "stuck");
        work(b);
        post(b, "stuck");
    }
}

static void tear_down(struct bench *b)
{
    hf_blob_unref(b->bytes);
    hf_kernel_free(b->k);
}

__attribute__((noinline)) void hf_bench_body(struct bench *b, const struct program *p, uint64_t n);
__attribute__((noinline)) void hf_bench_body(struct bench *b, const struct program *p, uint64_t n)
{
    if (p->first != NULL) {
        b->left = n;
        post(b, p->first);
        work(b);
        must(b->left == 0);
        return;
    }
    if (p->hops == 0) {
        bool full = strcmp(p->target, "stuck") == 0;
        struct hf_post refused = {.target = hf_view_of(p->target), .port = &b->port};
        uint64_t id;
        fill(&refused.body); /* it stays with the poster */
        for (uint64_t i = 0; i < n; i++)
            must(hf_port_post(b->k, &refused, &id) == (full ? HF_LIMIT : HF_NOT_FOUND));
        hf_buf_done(&refused.body);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        post(b, "chain/1");
        work(b);
    }
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct program *p)
{
    double ns[RUNS];
    const uint64_t n = 100000;
    struct bench b;
    set_up(&b, p);
    for (int run = -1; run < RUNS; run++) {
        double begin = cpu_ns();
        hf_bench_body(&b, p, n);
        if (run >= 0) /* the first warms */
            ns[run] = (cpu_ns() - begin) / (double)n;
    }
    tear_down(&b);
    qsort(ns, RUNS, sizeof ns[0], by_size);
    printf("%-60s median %8.1f ns  best %8.1f ns\n", p->what, ns[RUNS / 2], ns[0]);
}

int main(int argc, char **argv)
{
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    bool fixed = argc > 2 && strcmp(argv[1], "--run") == 0;
    for (size_t i = 0; i < HF_ARRAY_LEN(programs); i++) {
        const struct program *p = &programs[i];
        if (list) {
            printf("%s\n", p->name);
        } else if (!fixed) {
            measure(p);
        } else if (strcmp(argv[2], p->name) == 0) {
            struct bench b;
            set_up(&b, p);
            hf_bench_body(&b, p, FIXED); /* callgrind counts both: the first warms */
            tear_down(&b);
            printf("%d\n", FIXED);
        }
    }
    return 0;
}
