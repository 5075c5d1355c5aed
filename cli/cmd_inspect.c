/* cmd_inspect.c - holdfast inspect COMPONENT: exit 0 if it can run here, 4 and the list of what is missing if not.
 * A name that is no file is a service of a running node. */
#include "cli/admin.h"
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    OPT_JSON("as JSON"),
    {"admin", "ADDR", "for a service's name: the node's admin door (as holdfast ps)", OPT_TEXT(admin), "unix:PATH or HOST:PORT"},
    {"token", "TOKEN", "what its HOST:PORT asks for ($HF_ADMIN_TOKEN)", OPT_TEXT(node.admin_token), "the node's admin token"},
    CLI_OPTIONS_CACHE,
    {0},
};

/* No file and no path to one: what a running node calls so. */
static bool is_name(const char *s)
{
    size_t n = strlen(s);
    return access(s, F_OK) != 0 && strchr(s, '/') == NULL && (n < 5 || strcmp(s + n - 5, ".wasm") != 0);
}

static int inspect_service(const struct cli_settings *s, const char *name)
{
    struct cli_admin a = {.addr = s->admin, .token = s->node.admin_token};
    char target[600] = "/v1/services/";
    int code;
    if (!cli_admin_find("inspect", &a)) {
        fprintf(stderr, "(there is no file named %s, so it would be a service of a running node)\n", name);
        return HF_STATUS_IO;
    }
    if (!cli_escape(target + strlen(target), sizeof target - strlen(target), name, strlen(name)))
        return cli_fail("inspect", HF_STATUS_USAGE, "that is no service's name");
    json_t *o = cli_admin_get("inspect", &a, target, &code);
    if (o == NULL)
        return code;
    if (s->json) {
        json_dumpf(o, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        cli_print_service(o);
    }
    json_decref(o);
    return 0;
}

int cmd_inspect(int argc, char **argv)
{
    struct cli_settings s;
    struct hf_node *node = NULL;
    struct hf_words msg = {{0}};
    char *text = NULL;

    cli_settings_init(&s);
    int rc = cli_parse("inspect", "COMPONENT or NAME", "Prints what a component imports and exports, what of it is missing here, and whether an image of it\n"
                                               "is possible. Exit code 0: it can run here; 4: something is missing; 3: it is not a valid component.\n"
                                               "A name that is no file is a service of a running node: what it runs, and how it fares.",
                       options, &s, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc != 1) {
        fprintf(stderr, "holdfast inspect: name one component: holdfast inspect app.wasm\n");
        return HF_STATUS_USAGE;
    }
    if (is_name(argv[0]))
        return inspect_service(&s, argv[0]);
    s.node.workers = 1;
    enum hf_status st = hf_node_open(&s.node, &node, &msg);
    if (st == HF_STATUS_OK)
        st = hf_inspect(node, argv[0], s.json, &text, &msg);
    if (text != NULL)
        fputs(text, stdout);
    if (st != HF_STATUS_OK)
        cli_fail("inspect", st, msg.text);
    free(text);
    hf_node_close(node);
    return (int)st;
}
