/* cmd_invoke.c - holdfast invoke COMPONENT EXPORT [ARGS]: one call, its result as text. */
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_option options[] = {
    OPT_TIMEOUT("timeout", "for the start and the call (30s)"),
    OPT_JSON("arguments and result are JSON"),
    CLI_OPTIONS_GUEST,
    CLI_OPTIONS_CACHE,
    {0},
};

int cmd_invoke(int argc, char **argv)
{
    struct cli_settings s;
    struct hf_node *node = NULL;
    struct hf_words msg = {{0}};
    char *text = NULL;

    cli_settings_init(&s);
    int rc = cli_parse("invoke", "COMPONENT EXPORT [ARGS]",
                       "Calls an exported function and prints its result. EXPORT is a function's name, or INTERFACE#NAME.\n"
                       "Arguments are in WAVE syntax: 42, \"text\", [1, 2], {name: \"x\", on: true}, some(1), ok(\"yes\"), (1, 2).\n"
                       "With --json they are JSON: records are objects, a case is \"name\" or {\"name\": payload}, an option is null or\n"
                       "its payload, a result {\"ok\": 1} or {\"err\": 2}, flags an array of names, a char a string.",
                       options, &s, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc < 2) {
        fprintf(stderr, "holdfast invoke: name a component and an export: holdfast invoke app.wasm add 1 2\n");
        return HF_STATUS_USAGE;
    }
    s.service.path = argv[0];
    s.node.workers = 1;
    enum hf_status st = hf_node_open(&s.node, &node, &msg);
    if (st == HF_STATUS_OK)
        st = (s.json ? hf_invoke_json : hf_invoke)(node, &s.service, argv[1], (const char *const *)(argv + 2), (size_t)(argc - 2), &text, &msg);
    if (text != NULL && text[0] != 0)
        puts(text);
    if (st != HF_STATUS_OK)
        cli_fail("invoke", st, msg.text);
    free(text);
    hf_node_close(node);
    return (int)st;
}
