/* cmd_serve.c - holdfast serve COMPONENT: one wasi:http component, no manifest. */
#include "cli/options.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_addr(void *to, const char *v)
{
    ((struct cli_settings *)to)->addr = v;
    return strchr(v, ':') == NULL ? -1 : 0;
}
/* ---- watching the component's file ------------------------------------------------------------------------- */

/* The service's name, as the node makes it when none is given: the file's without its ending. */
static void name_of(const char *path, char *out, size_t size)
{
    const char *base = strrchr(path, '/');
    base = base == NULL ? path : base + 1;
    const char *dot = strrchr(base, '.');
    size_t len = dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);
    snprintf(out, size, "%.*s", (int)len, base);
}

struct watching {
    struct hf_node *node;
    const char *service;
};

/* On the watching thread. What does not load changes nothing: the component that serves goes on. */
static void reload(void *ctx, const char *path)
{
    const struct watching *w = ctx;
    struct hf_words msg = {{0}};
    size_t len;
    void *bytes = cli_read_file(path, SIZE_MAX, &len);
    enum hf_status st = HF_STATUS_IO;
    if (bytes != NULL)
        st = hf_node_deploy(w->node, w->service, bytes, len, &msg);
    else
        snprintf(msg.text, sizeof msg.text, "%s", strerror(errno));
    free(bytes);
    cli_say_reloaded("serve", path, st, msg.text);
}

static const char *const instances[] = {"reuse", "per-request", "singleton", NULL}; /* by enum hf_instances */
static const char *const formats[] = {"text", "json", NULL};                        /* by enum hf_log_format */
static const char *const access_formats[] = {"own", "common", "combined", NULL};    /* by enum hf_access_format */

// clang-format off
static const struct cli_option options[] = {
    {"addr", "HOST:PORT", "where to listen (127.0.0.1:8080); port 0 lets the system choose", CLI_CALL(set_addr), "HOST:PORT"},
    {"workers", "N", "threads that serve (one a core)", OPT_U32(node.workers, 1, 256), "a number from 1 to 256"},
    {"instances", "MODE", "reuse (an instance serves one request after another), per-request or singleton (reuse)", OPT_WORD(service.instances, instances), "'reuse', 'per-request' or 'singleton'"},
    {"max", "N", "instances at most, over all workers (64 a worker)", OPT_U32(service.max, 1, 100000), "a number from 1"},
    {"min", "N", "instances kept ready, over all workers (1 a worker)", OPT_U32(service.min, 1, 100000), "a number from 1"},
    {"max-requests", "N", "an instance retires after so many requests (never)", OPT_U64(service.max_requests, 0), "a number"},
    {"idle-timeout", "TIME", "an instance that served nothing for so long ends (never)", OPT_TIME(service.idle_timeout_ns, 0), "a time like 30s"},
    {"max-age", "TIME", "an instance retires when it is so old and free (never)", OPT_TIME(service.max_age_ns, 0), "a time like 1h"},
    {"queue", "N", "requests that may wait for an instance, each worker (1024)", OPT_U32(service.queue_max, 1, 1000000), "a number from 1"},
    {"queue-timeout", "TIME", "how long one may wait there, then 503 (the request timeout)", OPT_TIME(service.queue_timeout_ns, 0), "a time like 1s"},
    OPT_TIMEOUT("request-timeout", "for a whole request, then 504 and the instance ends (30s)"),
    {"after-timeout", "TIME", "from an answer's head on, for its body and work after it (the request's)", OPT_TIME(service.after_timeout_ns, 1), "a time like 10m"},
    {"slice", "TIME", "a guest that computes makes way for others after so long (10ms)", OPT_TIME(service.slice_ns, 1), "a time like 10ms"},
    {"core-instances", "N", "core instances of all its instances together, each some GiB of address space (16 for each of --max, 1000 to 20000)",
     OPT_U32(node.instances_max, 1, 1000000), "a number from 1"},
    {"handles", "N", "resources an instance may hold (100000)", OPT_U32(service.handles_max, 1, 100000000), "a number from 1"},
    CLI_OPTIONS_GUEST,
    {"keyvalue-value", "SIZE", "largest value of a bucket (1MiB)", OPT_SIZE(node.keyvalue_value_max, 1, 64 << 20), "a size up to 64MiB"},
    {"keyvalue-bytes", "SIZE", "keys and values of each bucket together (256MiB)", OPT_SIZE(node.keyvalue_bytes_max, 1, UINT64_MAX), "a size like 1GiB"},
    {"keyvalue-keys", "N", "keys of each bucket (1000000)", OPT_U64(node.keyvalue_keys_max, 1), "a number from 1"},
    {"body-max", "SIZE", "largest request body, then 413 (no limit)", OPT_SIZE(node.body_max, 0, UINT64_MAX), "a size like 10MiB"},
    {"head-max", "SIZE", "largest request head, then 431 (32KiB)", OPT_SIZE(node.head_max, 0, 1 << 20), "a size up to 1MiB"},
    {"head-timeout", "TIME", "for a whole request head, then 408 (10s)", OPT_TIME(node.head_timeout_ns, 0), "a time like 10s"},
    {"body-timeout", "TIME", "without progress of a request body, then 408 (30s)", OPT_TIME(node.body_timeout_ns, 0), "a time like 30s"},
    {"keep-alive", "TIME", "an idle connection is kept so long (75s)", OPT_TIME(node.idle_timeout_ns, 0), "a time like 75s"},
    {"connections", "N", "open connections at most, each worker (20000)", OPT_U32(node.connections_max, 1, 10000000), "a number from 1"},
    {"outbound-max", "N", "connections of its HTTP requests to one host and port, each worker (64)", OPT_U32(node.outbound_max, 1, 100000), "a number from 1"},
    {"watch", NULL, "when the component's file changes, serve the new one, without losing a request", OPT_ON(watch), NULL},
    {"drain", "TIME", "how long a stop waits for requests in hand (10s)", OPT_TIME(node.drain_ns, 0), "a time like 10s"},
    {"log", "FORMAT", "text or json, to standard error (text)", OPT_WORD(node.log, formats), "'text' or 'json'"},
    {"access-format", "FORM", "lines of the access log: own, common or combined (own); with --log json, combined adds referer and agent", OPT_WORD(node.access, access_formats), "'own', 'common' or 'combined'"},
    {"log-lines", "N", "lines an instance's service may print a second, each worker (1000); more are dropped", OPT_U64(service.log_lines_max, 1), "a number from 1"},
    {"log-bytes", "SIZE", "and bytes (1MiB)", OPT_SIZE(service.log_bytes_max, 1, UINT64_MAX), "a size like 1MiB"},
    {"no-trace", NULL, "no trace context and no request ids: their headers are headers like others", OPT_ON(node.no_trace), NULL},
    {"quiet", NULL, "no access log and no notices", OPT_ON(node.quiet), NULL},
    {"admin", "ADDR", "the admin door, for holdfast ps, top, logs ...: unix:PATH, or 127.0.0.1:PORT with HF_ADMIN_TOKEN set", OPT_TEXT(admin), "unix:PATH or HOST:PORT"},
    {"debug", NULL, "answers carry holdfast-instance: id=..; served=..; age=.., and x-request-id", OPT_ON(node.debug), NULL},
    CLI_OPTIONS_CACHE,
    {0},
};
// clang-format on

int cmd_serve(int argc, char **argv)
{
    struct cli_settings s;
    struct hf_node *node = NULL;
    struct hf_words msg = {{0}};
    struct cli_watch *watch = NULL;
    char bound[128], name[256];

    cli_settings_init(&s);
    int rc = cli_parse("serve", "COMPONENT [ARGS]",
                       "Serves a wasi:http component over HTTP until it is told to stop (ctrl-c, SIGTERM).\n"
                       "--instances per-request gives every request an instance as fresh as after its start; singleton has one\n"
                       "instance take all requests, one after another, whichever thread they come in on.",
                       options, &s, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc < 1) {
        fprintf(stderr, "holdfast serve: name the component's file: holdfast serve app.wasm\n");
        return HF_STATUS_USAGE;
    }
    s.service.path = argv[0];
    argv[argc] = NULL;
    s.service.args = (const char *const *)argv;
    uint32_t max = s.service.max != 0 ? s.service.max : 64 * (s.node.workers != 0 ? s.node.workers : 2);
    if (s.node.instances_max == 0) /* components have up to a dozen parts */
        s.node.instances_max = max < 1000 / 16 ? 1000 : max < 20000 / 16 ? max * 16 : 20000;

    char door[128];
    s.node.admin_token = getenv("HF_ADMIN_TOKEN");
    name_of(argv[0], name, sizeof name);
    s.service.name = name;
    enum hf_status st = hf_node_open(&s.node, &node, &msg);
    struct watching watching = {node, name};
    if (st == HF_STATUS_OK && s.admin != NULL)
        st = hf_node_listen_admin(node, s.admin, door, &msg);
    if (st == HF_STATUS_OK && s.watch && (cli_watch_open(reload, &watching, &watch) != 0 || cli_watch_set(watch, &s.service.path, 1) != 0))
        st = HF_STATUS_LIMIT;
    if (st == HF_STATUS_OK)
        st = hf_node_add_service(node, &s.service, &msg);
    if (st == HF_STATUS_OK)
        st = hf_node_listen(node, s.addr, bound, &msg);
    if (st == HF_STATUS_OK && watch != NULL && cli_watch_start(watch) != 0)
        st = HF_STATUS_LIMIT;
    if (st == HF_STATUS_OK) {
        cli_signals_stop(node);
        if (s.admin != NULL)
            fprintf(stderr, "admin door at %s\n", door);
        fprintf(stderr, "serving %s on http://%s/\n", argv[0], bound);
        st = hf_node_run(node, &msg);
        cli_signals_over();
    }
    cli_watch_close(watch);
    if (st != HF_STATUS_OK)
        cli_fail("serve", st, msg.text);
    hf_node_close(node);
    return (int)st;
}
