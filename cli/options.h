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
    const char *addr;
    bool json;
    bool inherit_env;
};
void cli_settings_init(struct cli_settings *s);

int opt_cache(void *to, const char *v);
int opt_env(void *to, const char *v);
int opt_dir(void *to, const char *v);
int opt_files(void *to, const char *v);
int opt_memory(void *to, const char *v);
int opt_keyvalue(void *to, const char *v);
int opt_config(void *to, const char *v);
int opt_net(void *to, const char *v);
int opt_outbound(void *to, const char *v);
int opt_tls_ca(void *to, const char *v);
int opt_timeout(void *to, const char *v);
int opt_json(void *to, const char *v);
int opt_data(void *to, const char *v);
int opt_no_cache(void *to, const char *v);
int opt_quiet(void *to, const char *v);

#define CLI_OPTIONS_GUEST                                                                                                              \
    {"env", "K=V", "an environment variable for the guest; may be repeated", opt_env, "K=V"},                                          \
        {"memory", "SIZE", "each linear memory may grow to this (4GiB)", opt_memory, "a size like 64MiB"},                             \
        {"dir", "HOST::GUEST[:ro]", "a folder for the guest, :ro if it may change nothing; may be repeated", opt_dir,                  \
         "HOST::GUEST or HOST::GUEST:ro, 64 times at most"},                                                                           \
        {"files", "N", "files and folders an instance may have open (1024)", opt_files, "a number from 1"},                            \
        {"keyvalue", "BUCKET", "a wasi:keyvalue bucket it may open, kept in memory or by --data, BUCKET:ro to read only; may be repeated", \
         opt_keyvalue, "a bucket's name, once"},                                                                                       \
        {"data", "DIR", "keep its buckets in this folder: they outlive the process (in memory)", opt_data, "a folder"},        \
        {"config", "K=V", "a value for wasi:config; may be repeated", opt_config, "K=V, each key once"},                                                 \
        {"net", "RULE", "what it may reach, nothing without: loopback:8080, 10.0.0.0/8:443, example.com:443,", opt_net,                \
         "a rule like loopback:8080 (doc/network.md)"},                                                                                  \
        {"allow-outbound", "HOST[:PORT]", "where its HTTP requests may go, nowhere without; may be repeated", opt_outbound,            \
         "HOST, HOST:PORT or a range like 10.0.0.0/8:443"},                                                                              \
        {"tls-ca", "FILE", "trust these roots too in its https requests (PEM)", opt_tls_ca, "a file"}
#define CLI_OPTIONS_CACHE                                                                                                              \
    {"cache", "DIR", "where compiled code is kept (~/.cache/holdfast/code)", opt_cache, "a folder"},                                   \
        {"no-cache", NULL, "compile anew, keep nothing", opt_no_cache, NULL}

#endif
