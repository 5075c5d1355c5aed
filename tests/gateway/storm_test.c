/* storm_test.c - many clients that do anything at any time, from a seed: whatever happens, nothing
 * leaks, nothing asserts, and when the storm is over the kernel is idle, no connection stays and
 * the next client is served.
 *
 * A failure names its seed; HF_STORM_SEED=n runs only that one, HF_STORM_RUNS=n that many.
 */
#include "support.h"

#include <stdlib.h>

#define HOST    "Host: x\r\n"
#define CLIENTS 5

static const char *const pieces[] = {
    "GET /hello HTTP/1.1\r\n" HOST "\r\n",
    "GET /hello HTTP/1.1\r\n" HOST "\r\nGET /chunks HTTP/1.1\r\n" HOST
    "\r\nHEAD /big/9 HTTP/1.1\r\n" HOST "\r\n",
    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123456789",
    "POST /pass HTTP/1.1\r\n" HOST
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
    "POST /echo?len HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 30\r\n\r\n",
    "POST /sip HTTP/1.1\r\n" HOST "Content-Length: 400000\r\n\r\n",
    "POST /drop HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
    "GET /big/300000 HTTP/1.1\r\n" HOST "\r\n",
    "GET /slen/20/20 HTTP/1.1\r\n" HOST "\r\n",
    "GET /slen/20/8 HTTP/1.1\r\n" HOST "\r\n",
    "GET /die-mid HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /small/wait/700 HTTP/1.1\r\n" HOST "\r\n",
    "GET /never HTTP/1.1\r\n" HOST "\r\n",
    "POST /never HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n",
    "GET /close HTTP/1.1\r\n" HOST "\r\n",
    "GET /nobody HTTP/1.1\r\n" HOST "\r\n",
    "GET /inject HTTP/1.1\r\n" HOST "\r\n",
    "0123456789",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "\r\n",
    "GET / HTT",
    "garbage\r\n\r\n",
};

struct storm {
    struct world w;
    struct client c[CLIENTS];
    bool open[CLIENTS];
    uint64_t seed, state;
};

static uint32_t dice(struct storm *s, uint32_t n)
{
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(s->state >> 33) % n;
}

/* As much as the socket takes, without waiting. */
static void send_some(struct storm *s, struct client *c, struct hf_view bytes)
{
    struct hf_os *os = s->w.os;
    for (size_t n = 1; n > 0 && bytes.len > 0; bytes = hf_view_skip(bytes, n)) {
        struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
        n = 0;
        if (os->writev(os, c->fd, &iov, 1, &n) != HF_OK)
            break;
    }
}

static void act(struct storm *s)
{
    static const uint8_t filler[50000];
    unsigned i = dice(s, CLIENTS);
    struct client *c = &s->c[i];
    struct hf_os *os = s->w.os;
    if (!s->open[i]) {
        client_open(c, &s->w);
        s->open[i] = true;
    }
    switch (dice(s, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: send_some(s, c, hf_view_of(pieces[dice(s, HF_ARRAY_LEN(pieces))])); break;
    case 5: {
        struct hf_view piece = hf_view_of(pieces[dice(s, HF_ARRAY_LEN(pieces))]);
        send_some(s, c, hf_view_take(piece, dice(s, (uint32_t)piece.len + 1)));
        break;
    }
    case 6: send_some(s, c, hf_view(filler, dice(s, sizeof filler))); break;
    case 7:
    case 8:
    case 9: world_turn(&s->w); break;
    case 10:
        client_read(c);
        hf_buf_clear(&c->got);
        break;
    case 11: hf_os_fake_advance(os, dice(s, 4) == 0 ? dice(s, 40) * S : dice(s, 900) * MS); break;
    case 12: os->shutdown_write(os, c->fd); break;
    case 13:
        if (dice(s, 2) == 0)
            os->close(os, c->fd);
        else
            os->close_reset(os, c->fd);
        hf_buf_done(&c->got);
        s->open[i] = false;
        break;
    case 14: hf_os_fake_socket_room(os, dice(s, 3) == 0 ? 1 + dice(s, 200) : 65536); break;
    default: hf_os_fake_chunk(os, dice(s, 4) == 0 ? 1 + dice(s, 40) : SIZE_MAX); break;
    }
}

static void run(uint64_t seed)
{
    struct storm s = {.seed = seed, .state = seed};
    const struct hf_gateway_settings settings = {
        .pipeline_max = 1 + dice(&s, 5),
        .connections_max = 3 + dice(&s, 5),
        .head_max = 200,
        .body_max = dice(&s, 2) == 0 ? 0 : 300000,
        .body_window = dice(&s, 2) == 0 ? 0 : 100,
        .request_timeout_ns = 20 * S,
    };
    world_open(&s.w, &settings, true);
    s.w.keep_log = false;
    s.w.steps = 1 + dice(&s, 20);
    bool drained = false;
    for (unsigned n = 100 + dice(&s, 300); n > 0; n--) {
        act(&s);
        if (n == 50 && dice(&s, 8) == 0) {
            hf_gateway_drain(s.w.gw);
            drained = true;
            break;
        }
    }
    hf_os_fake_socket_room(s.w.os, 65536);
    hf_os_fake_chunk(s.w.os, SIZE_MAX);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (s.open[i])
            client_close(&s.c[i]);
    for (unsigned i = 0; i < 20; i++)
        world_pass(&s.w, 20 * S);
    if (!hf_kernel_idle(s.w.kernel) || world_stats(&s.w).open != 0 || world_stats(&s.w).busy != 0)
        fail_msg("seed %llu: %u connections stay, kernel %s", (unsigned long long)seed,
                 world_stats(&s.w).open, hf_kernel_idle(s.w.kernel) ? "idle" : "busy");
    if (world_stats(&s.w).accepted != world_stats(&s.w).closed)
        fail_msg("seed %llu: connections are miscounted", (unsigned long long)seed);
    if (!drained) {
        client_open(&s.c[0], &s.w);
        SEND(&s.c[0], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        client_expect(&s.c[0], "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world");
        client_close(&s.c[0]);
    }
    world_close(&s.w);
}

static uint64_t from_env(const char *name, uint64_t standard)
{
    const char *text = getenv(name);
    return text == NULL ? standard : strtoull(text, NULL, 10);
}

static void test_storms_pass(void **state)
{
    (void)state;
    uint64_t one = from_env("HF_STORM_SEED", 0), runs = from_env("HF_STORM_RUNS", 400);
    if (one != 0) {
        run(one);
        return;
    }
    for (uint64_t seed = 1; seed <= runs; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_storms_pass)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
