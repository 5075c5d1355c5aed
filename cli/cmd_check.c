/* cmd_check.c - holdfast check [DIR]: the manifest, and every component started once, without serving. */
#include "cli/manifest.h"
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

struct check {
    struct cli_settings s;
    bool schema, keys;
};

static const struct cli_option options[] = {
    OPT_JSON("the result as JSON"),
    {"schema", NULL, "print the JSON schema of manifests, check nothing", CLI_TO(struct check, schema, CLI_KIND_ON, .max = 1), NULL},
    {"keys", NULL, "print the reference of all keys, check nothing", CLI_TO(struct check, keys, CLI_KIND_ON, .max = 1), NULL},
    CLI_OPTIONS_CACHE,
    {0},
};

/* What came of one service. */
struct outcome {
    enum hf_status st;
    struct hf_words msg;
};

static void print_text(const struct hf_manifest *m, const char *file, const struct outcome *each)
{
    size_t n, bad = 0;
    const struct hf_service_options *services = hf_manifest_services(m, &n);
    for (size_t i = 0; i < n; i++) {
        bad += each[i].st != HF_STATUS_OK;
        cli_service_print(&services[i], stdout);
        if (each[i].st != HF_STATUS_OK)
            fprintf(stdout, "  %-12s   it would not run: %s\n", "", each[i].msg.text);
    }
    if (bad == 0)
        fprintf(stdout, "%s: all is well, %zu service%s\n", file, n, n == 1 ? "" : "s");
    else
        fprintf(stdout, "%s: %zu of %zu service%s would not run\n", file, bad, n, n == 1 ? "" : "s");
}

static void print_list(const char *name, const char *const *list, size_t n)
{
    printf(",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        fputs(i == 0 ? "" : ",", stdout);
        cli_json_string(stdout, list[i]);
    }
    putchar(']');
}

static void print_service(const struct hf_service_options *s, const struct outcome *o)
{
    printf("{\"name\":");
    cli_json_string(stdout, s->name);
    printf(",\"component\":");
    cli_json_string(stdout, s->path);
    printf(",\"ok\":%s,\"error\":", o->st == HF_STATUS_OK ? "true" : "false");
    cli_json_string(stdout, o->st == HF_STATUS_OK ? NULL : o->msg.text);
    printf(",\"instances\":\"%s\",\"tenant\":", cli_lifecycle(s));
    cli_json_string(stdout, s->tenant != NULL ? s->tenant : "default");
    printf(",\"routes\":[");
    for (size_t i = 0; i < s->n_routes; i++) {
        printf("%s{\"host\":", i == 0 ? "" : ",");
        cli_json_string(stdout, s->routes[i].host);
        printf(",\"path\":");
        cli_json_string(stdout, s->routes[i].path);
        printf(",\"method\":");
        cli_json_string(stdout, s->routes[i].method);
        putchar('}');
    }
    printf("]}");
}

static void print_json(struct hf_manifest *m, const struct outcome *each, enum hf_status st, const char *error)
{
    size_t n = 0, n_list;
    printf("{\"ok\":%s,\"error\":", st == HF_STATUS_OK ? "true" : "false");
    cli_json_string(stdout, m == NULL ? error : NULL);
    if (m != NULL) {
        const struct hf_service_options *services = hf_manifest_services(m, &n);
        printf(",\"manifest\":");
        cli_json_string(stdout, hf_manifest_node(m)->manifest);
        printf(",\"services\":[");
        for (size_t i = 0; i < n; i++) {
            fputs(i == 0 ? "" : ",", stdout);
            print_service(&services[i], &each[i]);
        }
        putchar(']');
        const char *const *list = hf_manifest_listeners(m, &n_list);
        print_list("listeners", list, n_list);
        list = hf_manifest_admin(m, &n_list);
        print_list("admin", list, n_list);
        printf(",\"data\":");
        cli_json_string(stdout, hf_manifest_node(m)->data_dir);
    }
    printf("}\n");
}

/* Each service is added to a node that never runs, so that all that is wrong is said, not the first alone. */
static enum hf_status check(struct hf_manifest *m, const struct cli_settings *s, struct outcome *each, struct hf_words *msg)
{
    struct hf_node_options o = *hf_manifest_node(m);
    struct hf_node *node = NULL;
    size_t n;
    const struct hf_service_options *services = hf_manifest_services(m, &n);
    o.data_dir = NULL; /* it is another's, perhaps */
    o.workers = o.workers != 0 ? o.workers : 1;
    o.quiet = o.progress = true;
    o.no_cache = s->node.no_cache;
    if (s->node.cache_dir != NULL)
        o.cache_dir = s->node.cache_dir;
    enum hf_status st = hf_node_open(&o, &node, msg);
    if (st != HF_STATUS_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        each[i].st = hf_node_add_service(node, &services[i], &each[i].msg);
        if (each[i].st != HF_STATUS_OK && st == HF_STATUS_OK)
            st = each[i].st;
    }
    hf_node_close(node);
    return st;
}

static int print_own(char *text)
{
    if (text == NULL)
        return cli_fail("check", HF_STATUS_LIMIT, "out of memory");
    fputs(text, stdout);
    free(text);
    return 0;
}

int cmd_check(int argc, char **argv)
{
    struct check c = {0};
    struct hf_manifest *m = NULL;
    struct outcome *each = NULL;
    struct hf_words msg = {{0}};
    size_t n = 0;
    bool told = false;

    cli_settings_init(&c.s);
    int rc = cli_parse("check", "[DIR]",
                       "Checks the app of DIR/holdfast.toml, or of that file: the manifest, and every component, each of which is started\n"
                       "once. Nothing is served or changed. Exit code 0: `holdfast run` would serve it; 3: the manifest or a component is\n"
                       "wrong; 4: a component needs what is missing here.",
                       options, &c, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (c.schema || c.keys)
        return print_own(c.schema ? hf_manifest_schema() : hf_manifest_keys());
    if (argc > 1) {
        fprintf(stderr, "holdfast check: one folder or manifest, not %d: holdfast check [DIR]\n", argc);
        return HF_STATUS_USAGE;
    }
    enum hf_status st = hf_manifest_read(argc == 1 ? argv[0] : ".", &m, &msg);
    if (st == HF_STATUS_OK) {
        hf_manifest_services(m, &n);
        each = calloc(n + 1, sizeof *each);
        st = each == NULL ? HF_STATUS_LIMIT : check(m, &c.s, each, &msg);
        told = each != NULL && msg.text[0] == 0;
    }
    if (c.s.json)
        print_json(told ? m : NULL, each, st, msg.text);
    else if (told)
        print_text(m, hf_manifest_node(m)->manifest, each);
    if (!c.s.json && !told)
        cli_fail("check", st, msg.text);
    free(each);
    hf_manifest_free(m);
    return (int)st;
}
