/* manifest_fuzz.c - any text as a manifest: it is read and right, or refused with a place that is in the text; twice alike. What is
 * right keeps the promises that whoever uses it relies on.
 *
 * rooms: base
 * files: src/node/manifest_check.c src/node/manifest_keys.c src/node/manifest_options.c src/node/manifest_read.c src/node/manifest_say.c src/node/manifest_set.c src/node/manifest_value.c src/host/net_rules.c src/host/net_rules_read.c src/host/outbound.c src/kernel/name.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "node/manifest_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

/* Each line "holdfast.toml:LINE:COLUMN: words", in the order of the text; the last may say how many more there are. */
static void check_report(const char *text, size_t size)
{
    unsigned long line, column, last = 0;
    size_t lines = 0;
    MUST(strlen(text) > 0);
    for (const char *at = text; at != NULL; at = strchr(at, '\n') == NULL ? NULL : strchr(at, '\n') + 1, lines++) {
        if (strncmp(at, "holdfast.toml: and ", 19) == 0 || strstr(at, "...") != NULL) /* or the report was full */
            continue;
        MUST(sscanf(at, "holdfast.toml:%lu:%lu: ", &line, &column) == 2);
        MUST(line >= 1 && column >= 1 && line <= size + 1 && column <= size + 1);
        MUST(line >= last);
        last = line;
    }
    MUST(lines <= HF_MANIFEST_SHOWN_MAX + 1);
}

static void check_list(const char *const *list, size_t most)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        MUST(strlen(list[n++]) <= 2 * 65536);
    MUST(n <= most);
}

static void check_service(const struct hf_service_options *s)
{
    MUST(s->name != NULL && strlen(s->name) >= 1 && strlen(s->name) <= 64);
    MUST(s->path != NULL && s->path[0] != 0);
    MUST(s->sha256 == NULL || strlen(s->sha256) == 64);
    MUST(s->min == 0 || s->max == 0 || s->min <= s->max);
    MUST(s->instances <= HF_INSTANCES_SINGLETON);
    MUST(s->n_routes >= 1 && s->n_routes <= HF_MANIFEST_ROUTES_MAX);
    for (size_t i = 0; i < s->n_routes; i++) {
        MUST(s->routes[i].path != NULL && s->routes[i].path[0] == '/');
        MUST(s->routes[i].host == NULL || s->routes[i].host[0] != 0);
    }
    check_list(s->env, 2 * HF_MANIFEST_LIST_MAX);
    check_list(s->args, HF_MANIFEST_LIST_MAX);
    check_list(s->dirs, HF_MANIFEST_LIST_MAX);
    check_list(s->keyvalue, HF_MANIFEST_LIST_MAX);
    check_list(s->config, HF_MANIFEST_LIST_MAX);
    for (size_t i = 0; s->dirs != NULL && s->dirs[i] != NULL; i++)
        MUST(s->dirs[i][0] == '/' || strncmp(s->dirs[i], "app/", 4) == 0);
}

static void check(struct hf_manifest *m)
{
    MUST(m->n_services >= 1 && m->n_services <= HF_MANIFEST_SERVICES_MAX);
    for (size_t i = 0; i < m->n_services; i++)
        check_service(&m->services[i]);
    MUST(m->node.workers <= 256 && m->node.instances_max >= 1);
    MUST(m->n_admin <= 2);
    MUST(m->n_admin == 0 || strncmp(m->admin[0], "unix:", 5) == 0 || m->node.admin_token != NULL);
}

/* What the node's own files say of these; the reader needs no node. */
const char *hf_version(void)
{
    return "0";
}
void hf_node_options_init_size(struct hf_node_options *o, size_t size)
{
    *o = (struct hf_node_options){.size = size};
}
void hf_service_options_init_size(struct hf_service_options *o, size_t size)
{
    *o = (struct hf_service_options){.size = size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_manifest *m = NULL, *again = NULL;
    struct hf_report report = {0}, second = {0};
    struct hf_buf differs = {0};
    enum hf_err err = hf_manifest_parse(hf_view(data, size), "holdfast.toml", "app", &m, &report);
    enum hf_err twice = hf_manifest_parse(hf_view(data, size), "holdfast.toml", "app", &again, &second);
    MUST(err == twice && strcmp(report.text, second.text) == 0);
    MUST((err == HF_OK) == (m != NULL));
    if (err == HF_OK) {
        check(m);
        MUST(hf_manifest_differs(m, again, &differs) == HF_OK && differs.len == 0);
    } else {
        MUST(err == HF_INVALID || size > HF_MANIFEST_BYTES_MAX);
        if (err == HF_INVALID)
            check_report(report.text, size);
    }
    hf_buf_done(&differs);
    hf_manifest_free(m);
    hf_manifest_free(again);
    return 0;
}
