/* options.h - options that several commands share: what a guest is given, and where compiled code is kept. */
#ifndef HF_CLI_OPTIONS_H
#define HF_CLI_OPTIONS_H

#include "cli/cli.h"

#define CLI_ENV_MAX 256
#define CLI_DIRS_MAX 64
#define CLI_NET_MAX 1024

struct cli_settings {
    struct hf_node_options node;
    struct hf_service_options service;
    const char *env[CLI_ENV_MAX + 1];
    size_t n_env;
    const char *dirs[CLI_DIRS_MAX + 1];
    size_t n_dirs;
    const char *keyvalue[CLI_ENV_MAX + 1], *config[CLI_ENV_MAX + 1];
    size_t n_keyvalue, n_config;
    const char *net[CLI_NET_MAX + 1];
    size_t n_net;
    const char *outbound[CLI_NET_MAX + 1];
    size_t n_outbound;
    const char *addr, *admin;
    char guest_tool[PATH_MAX];
    bool json;
    bool watch;
    bool inherit_env;
};
void cli_settings_init(struct cli_settings *s);

int opt_env(void *to, const char *v);
int opt_dir(void *to, const char *v);
int opt_keyvalue(void *to, const char *v);
int opt_config(void *to, const char *v);
int opt_net(void *to, const char *v);
int opt_outbound(void *to, const char *v);

/* Targets in these settings: the field, and where it has a range, that. Sizes are bytes, times nanoseconds. */
#define OPT_ON(field) CLI_TO(struct cli_settings, field, CLI_KIND_ON, .max = 1)
#define OPT_U32(field, lo, hi) CLI_TO(struct cli_settings, field, CLI_KIND_U32, .min = (lo), .max = (hi))
#define OPT_U64(field, lo) CLI_TO(struct cli_settings, field, CLI_KIND_U64, .min = (lo), .max = UINT64_MAX)
#define OPT_SIZE(field, lo, hi) CLI_TO(struct cli_settings, field, CLI_KIND_SIZE, .min = (lo), .max = (hi))
#define OPT_TIME(field, lo) CLI_TO(struct cli_settings, field, CLI_KIND_TIME, .min = (lo), .max = UINT64_MAX)
#define OPT_TEXT(field) CLI_TO(struct cli_settings, field, CLI_KIND_TEXT, .max = 1)
#define OPT_WORD(field, list) CLI_TO(struct cli_settings, field, CLI_KIND_WORD, .words = (list))

#define OPT_JSON(what) {"json", NULL, what, OPT_ON(json), NULL}
#define OPT_TIMEOUT(name, what) {name, "TIME", what, OPT_TIME(service.request_timeout_ns, 1), "a time like 3s"}

// clang-format off
#define CLI_OPTIONS_GUEST \
    {"env", "K=V", "an environment variable for the guest; may be repeated", CLI_CALL(opt_env), "K=V"}, \
    {"memory", "SIZE", "each linear memory may grow to this (4GiB)", OPT_SIZE(service.memory_max, 65536, UINT64_MAX), "a size like 64MiB"}, \
    {"dir", "HOST::GUEST[:ro]", "a folder for the guest, :ro if it may change nothing; may be repeated", CLI_CALL(opt_dir), \
     "HOST::GUEST or HOST::GUEST:ro, 64 times at most"}, \
    {"files", "N", "files and folders an instance may have open (1024)", OPT_U32(service.files_max, 1, 1000000), "a number from 1"}, \
    {"keyvalue", "BUCKET", "a wasi:keyvalue bucket it may open, kept in memory or by --data, BUCKET:ro to read only, tenant:BUCKET for its tenant's; may be repeated", \
     CLI_CALL(opt_keyvalue), "a bucket's name, once"}, \
    {"tenant", "NAME", "whose it is (default): its services may share buckets", OPT_TEXT(service.tenant), "a name"}, \
    {"data", "DIR", "keep its buckets in this folder: they outlive the process (in memory)", OPT_TEXT(node.data_dir), "a folder"}, \
    {"config", "K=V", "a value for wasi:config; may be repeated", CLI_CALL(opt_config), "K=V, each key once"}, \
    {"net", "RULE", "what it may reach, nothing without: loopback:8080, 10.0.0.0/8:443, example.com:443; may be repeated", CLI_CALL(opt_net), \
     "a rule like loopback:8080 (doc/network.md)"}, \
    {"allow-outbound", "HOST[:PORT]", "where its HTTP requests may go, nowhere without; may be repeated", CLI_CALL(opt_outbound), \
     "HOST, HOST:PORT or a range like 10.0.0.0/8:443"}, \
    {"tls-ca", "FILE", "trust these roots too in its https requests (PEM)", OPT_TEXT(service.tls_ca), "a file"}
#define CLI_OPTIONS_CACHE \
    {"cache", "DIR", "where compiled code is kept (~/.cache/holdfast/code)", OPT_TEXT(node.cache_dir), "a folder"}, \
    {"no-cache", NULL, "compile anew, keep nothing", OPT_ON(node.no_cache), NULL}
// clang-format on

#endif
