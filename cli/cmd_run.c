/* cmd_run.c - holdfast run [DIR]: the app of a manifest. */
#include "cli/manifest.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct cli_settings s;
    uint32_t log; /* which of formats; their number: not said */
};

static const char *const formats[] = {"text", "json", NULL}; /* by enum hf_log_format */
#define NOT_SAID 2u

static int set_addr(void *to, const char *v)
{
    ((struct run *)to)->s.addr = v;
    return strchr(v, ':') == NULL ? -1 : 0;
}

// clang-format off
static const struct cli_option options[] = {
    {"addr", "HOST:PORT", "listen there and not where the manifest says; port 0 lets the system choose", CLI_CALL(set_addr), "HOST:PORT"},
    {"workers", "N", "threads that serve, instead of the manifest's", OPT_U32(node.workers, 1, 256), "a number from 1 to 256"},
    {"watch", NULL, "when the manifest or a component changes, serve it as it is then, without losing a request", OPT_ON(watch), NULL},
    {"log", "FORMAT", "text or json, instead of the manifest's", CLI_TO(struct run, log, CLI_KIND_WORD, .words = formats), "'text' or 'json'"},
    {"quiet", NULL, "no access log and no notices", OPT_ON(node.quiet), NULL},
    {"debug", NULL, "answers carry holdfast-instance: id=..; served=..; age=..", OPT_ON(node.debug), NULL},
    CLI_OPTIONS_CACHE,
    {0},
};
// clang-format on

/* What was said here counts more than the manifest. */
static void settle(struct hf_node_options *o, const struct run *run)
{
    o->progress = true;
    if (run->s.node.workers != 0)
        o->workers = run->s.node.workers;
    if (run->log != NOT_SAID)
        o->log = (enum hf_log_format)run->log;
    if (run->s.node.cache_dir != NULL)
        o->cache_dir = run->s.node.cache_dir;
    o->quiet = o->quiet || run->s.node.quiet;
    o->debug = o->debug || run->s.node.debug;
    o->no_cache = o->no_cache || run->s.node.no_cache;
}

static enum hf_status add_services(struct hf_node *node, const struct hf_manifest *m, struct hf_words *msg)
{
    size_t n;
    const struct hf_service_options *services = hf_manifest_services(m, &n);
    return hf_node_apply(node, services, n, msg);
}

/* Where it listens is said for each address alone, as `serve` does: scripts wait for such a line. */
static enum hf_status listen_all(struct hf_node *node, const struct hf_manifest *m, const char *addr, const char *file, struct hf_words *msg)
{
    size_t n;
    char bound[128];
    const char *const one[] = {addr}, *const *addrs = hf_manifest_listeners(m, &n);
    enum hf_status st = HF_STATUS_OK;
    if (addr != NULL) {
        addrs = one;
        n = 1;
    }
    for (size_t i = 0; i < n && st == HF_STATUS_OK; i++) {
        st = hf_node_listen(node, addrs[i], bound, msg);
        if (st == HF_STATUS_OK)
            fprintf(stderr, "serving %s on http://%s/\n", file, bound);
    }
    return st;
}

/* Before the others: a second node of the same app is told so, and takes no port. */
static enum hf_status listen_admin(struct hf_node *node, const struct hf_manifest *m, bool quiet, struct hf_words *msg)
{
    size_t n;
    const char *const *at = hf_manifest_admin(m, &n);
    char bound[128];
    enum hf_status st = HF_STATUS_OK;
    for (size_t i = 0; i < n && st == HF_STATUS_OK; i++) {
        st = hf_node_listen_admin(node, at[i], bound, msg);
        if (st == HF_STATUS_OK && !quiet)
            fprintf(stderr, "admin door at %s\n", bound);
    }
    return st;
}

/* ---- watching the manifest and its components ---------------------------------------------------------------- */

struct watched {
    struct hf_node *node;
    const char *file; /* the manifest */
    struct cli_watch *watch;
};

static bool watch_all(struct watched *w, const struct hf_manifest *m)
{
    size_t n;
    const struct hf_service_options *services = hf_manifest_services(m, &n);
    const char **paths = calloc(n + 1, sizeof *paths);
    if (paths == NULL)
        return false;
    paths[0] = w->file;
    for (size_t i = 0; i < n; i++)
        paths[i + 1] = services[i].path;
    bool ok = cli_watch_set(w->watch, paths, n + 1) == 0;
    free(paths);
    return ok;
}

/* On the watching thread: as a SIGHUP, the node's log says what came of it. The files are looked up anew, for the manifest may
 * name others. */
static void changed(void *ctx, const char *path)
{
    struct watched *w = ctx;
    struct hf_words msg = {{0}}, unused;
    struct hf_manifest *m = NULL;
    enum hf_status st = hf_node_reload(w->node, w->file, &msg);
    (void)path;
    if (st == HF_STATUS_OK && hf_manifest_read(w->file, &m, &unused) == HF_STATUS_OK && !watch_all(w, m))
        fprintf(stderr, "holdfast run: out of memory: it goes on watching the files that it watched\n");
    hf_manifest_free(m);
}

/* Signals have their meaning before anybody can know where it listens. */
static enum hf_status serve(struct hf_node *node, const struct hf_manifest *m, const struct run *run, const char *file, struct hf_words *msg)
{
    struct watched w = {node, file, NULL};
    enum hf_status st = listen_admin(node, m, run->s.node.quiet, msg);
    if (st == HF_STATUS_OK && run->s.watch && (cli_watch_open(changed, &w, &w.watch) != 0 || !watch_all(&w, m)))
        st = HF_STATUS_LIMIT;
    if (st == HF_STATUS_OK)
        st = add_services(node, m, msg);
    if (st != HF_STATUS_OK) {
        cli_watch_close(w.watch);
        return st;
    }
    bool threads = cli_signals_reload(node, file);
    cli_signals_stop(node);
    st = listen_all(node, m, run->s.addr, file, msg);
    if (st == HF_STATUS_OK && (!threads || (w.watch != NULL && cli_watch_start(w.watch) != 0))) {
        snprintf(msg->text, sizeof msg->text, "no thread could be started");
        st = HF_STATUS_LIMIT;
    }
    if (st == HF_STATUS_OK) {
        if (!run->s.node.quiet)
            cli_manifest_print(m, stderr);
        st = hf_node_run(node, msg);
    }
    cli_signals_over();
    cli_watch_close(w.watch);
    return st;
}

int cmd_run(int argc, char **argv)
{
    struct run run = {.log = NOT_SAID};
    struct hf_manifest *m = NULL;
    struct hf_node *node = NULL;
    struct hf_words msg = {{0}};

    cli_settings_init(&run.s);
    run.s.addr = NULL;
    int rc = cli_parse("run", "[DIR]",
                       "Runs the app of DIR/holdfast.toml (doc/manifest.md), or of that file, until it is told to stop (ctrl-c,\n"
                       "SIGTERM). SIGHUP has it read the manifest again: services change without losing a request, and a manifest\n"
                       "with a mistake changes nothing.",
                       options, &run, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc > 1) {
        fprintf(stderr, "holdfast run: one folder or manifest, not %d: holdfast run [DIR]\n", argc);
        return HF_STATUS_USAGE;
    }
    cli_signals_hold_reload();
    enum hf_status st = hf_manifest_read(argc == 1 ? argv[0] : ".", &m, &msg);
    if (st == HF_STATUS_OK) {
        settle(hf_manifest_node(m), &run);
        st = cli_manifest_folders(m, &msg);
    }
    if (st == HF_STATUS_OK)
        st = hf_node_open(hf_manifest_node(m), &node, &msg);
    if (st == HF_STATUS_OK)
        st = serve(node, m, &run, hf_manifest_node(m)->manifest, &msg);
    if (st != HF_STATUS_OK)
        cli_fail("run", st, msg.text);
    hf_node_close(node);
    hf_manifest_free(m);
    return (int)st;
}
