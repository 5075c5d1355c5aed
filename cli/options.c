/* options.c - setters of the shared options. */
#include "cli/options.h"

#include <string.h>
#include <unistd.h>

void cli_settings_init(struct cli_settings *s)
{
    memset(s, 0, sizeof *s);
    hf_node_options_init(&s->node);
    hf_service_options_init(&s->service);
    s->service.env = s->env;
    s->service.dirs = s->dirs;
    s->service.keyvalue = s->keyvalue;
    s->service.config = s->config;
    s->service.net = s->net;
    s->service.outbound = s->outbound;
    s->node.progress = true;
    s->node.guest_tool = cli_guest_tool(s->guest_tool);
    s->addr = "127.0.0.1:8080";
}

int opt_env(void *to, const char *v)
{
    struct cli_settings *s = to;
    const char *eq = strchr(v, '=');
    if (eq == NULL || eq == v || s->n_env == CLI_ENV_MAX)
        return -1;
    s->env[s->n_env++] = v;
    return 0;
}
int opt_dir(void *to, const char *v)
{
    struct cli_settings *s = to;
    if (v[0] == 0 || s->n_dirs == CLI_DIRS_MAX)
        return -1;
    s->dirs[s->n_dirs++] = v;
    return 0;
}
/* Bytes of a bucket's name without its mode. */
static size_t bucket_len(const char *v)
{
    size_t n = strlen(v);
    return n >= 3 && (strcmp(v + n - 3, ":ro") == 0 || strcmp(v + n - 3, ":rw") == 0) ? n - 3 : n;
}
int opt_keyvalue(void *to, const char *v)
{
    struct cli_settings *s = to;
    size_t n = bucket_len(v);
    for (size_t i = 0; i < s->n_keyvalue; i++)
        if (bucket_len(s->keyvalue[i]) == n && memcmp(s->keyvalue[i], v, n) == 0)
            return -1;
    if (n > 255 || s->n_keyvalue == CLI_ENV_MAX)
        return -1;
    s->keyvalue[s->n_keyvalue++] = v;
    return 0;
}
int opt_config(void *to, const char *v)
{
    struct cli_settings *s = to;
    const char *eq = strchr(v, '=');
    if (eq == NULL || eq == v || s->n_config == CLI_ENV_MAX)
        return -1;
    for (size_t i = 0; i < s->n_config; i++)
        if (strncmp(s->config[i], v, (size_t)(eq - v) + 1) == 0)
            return -1;
    s->config[s->n_config++] = v;
    return 0;
}
int opt_net(void *to, const char *v)
{
    struct cli_settings *s = to;
    if (s->n_net == CLI_NET_MAX)
        return -1;
    s->net[s->n_net++] = v; /* read with the service, which says the column of a mistake */
    return 0;
}
int opt_outbound(void *to, const char *v)
{
    struct cli_settings *s = to;
    if (s->n_outbound == CLI_NET_MAX || v[0] == 0)
        return -1;
    s->outbound[s->n_outbound++] = v;
    return 0;
}
