/* cmd_inspect.c - holdfast inspect COMPONENT: exit 0 if it can run here, 4 and the list of what is missing if not.
 * A name that is no file is a service or a process of a running node. */
#include "cli/admin.h"
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    OPT_JSON("as JSON"),
    {"admin", "ADDR", "for the name of a service or process: the node's admin door (as holdfast ps)", OPT_TEXT(admin), "unix:PATH or HOST:PORT"},
    {"token", "TOKEN", "what its HOST:PORT asks for ($HF_ADMIN_TOKEN)", OPT_TEXT(node.admin_token), "the node's admin token"},
    CLI_OPTIONS_CACHE,
    {0},
};

/* No file, and not the name of one: what a running node calls so, a service or a process (cart/42). */
static bool is_name(const char *s)
{
    size_t n = strlen(s);
    bool letter = (s[0] >= 'a' && s[0] <= 'z') || (s[0] >= '0' && s[0] <= '9') || (s[0] >= 'A' && s[0] <= 'Z');
    return access(s, F_OK) != 0 && (letter || strchr(s, '/') == NULL) && (n < 5 || strcmp(s + n - 5, ".wasm") != 0);
}

static bool target_of(char *target, size_t size, const char *what, const char *name)
{
    int n = snprintf(target, size, "%s", what);
    return cli_escape(target + n, size - (size_t)n, name, strlen(name));
}

/* The process of that name among the instances of the service; NULL: there is none now. */
static bool lives(const json_t *service, const char *name)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(service, "list"), i, o)
    {
        if (strcmp(cli_text_of(o, "process"), name) == 0)
            return true;
    }
    return false;
}

static void print(const struct cli_settings *s, json_t *service, json_t *process)
{
    if (service != NULL && process != NULL)
        json_object_set(service, "process", process);
    if (s->json) {
        json_dumpf(service != NULL ? service : process, stdout, JSON_INDENT(2));
        printf("\n");
        return;
    }
    if (service != NULL)
        cli_print_service(service);
    if (service != NULL && process != NULL)
        printf("\n");
    if (process != NULL)
        cli_print_process(process);
}

/* A service, and the process that has its very name; or a process. */
static int inspect_name(const struct cli_settings *s, const char *name)
{
    struct cli_admin a = {.addr = s->admin, .token = s->node.admin_token};
    char target[1024];
    int code = 0;
    bool process_only = strchr(name, '/') != NULL;
    json_t *service = NULL, *process = NULL;
    if (!cli_admin_find("inspect", &a)) {
        fprintf(stderr, "(there is no file named %s, so it would be a service or a process of a running node)\n", name);
        return HF_STATUS_IO;
    }
    if (!process_only) {
        if (!target_of(target, sizeof target, "/v1/services/", name))
            return cli_fail("inspect", HF_STATUS_USAGE, "that is no service's name");
        service = cli_admin_get("inspect", &a, target, &code);
    }
    if (code == 0 && (process_only || lives(service, name))) {
        if (!target_of(target, sizeof target, "/v1/processes/", name))
            code = cli_fail("inspect", HF_STATUS_USAGE, "that is no name of a process");
        else
            process = cli_admin_get("inspect", &a, target, &code);
    }
    if (code == 0)
        print(s, service, process);
    else if (process_only)
        fprintf(stderr, "(there is no file of that name either)\n");
    json_decref(service);
    json_decref(process);
    return code;
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
                                               "A name that is no file is a service of a running node, or a process (cart/42): what it does, and how it fares.",
                       options, &s, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc != 1) {
        fprintf(stderr, "holdfast inspect: name one component: holdfast inspect app.wasm\n");
        return HF_STATUS_USAGE;
    }
    if (is_name(argv[0]))
        return inspect_name(&s, argv[0]);
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
