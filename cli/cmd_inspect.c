/* cmd_inspect.c - holdfast inspect COMPONENT: exit 0 if it can run here, 4 and the list of what is missing if not. */
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_option options[] = {
    OPT_JSON("as JSON"),
    CLI_OPTIONS_CACHE,
    {0},
};

int cmd_inspect(int argc, char **argv)
{
    struct cli_settings s;
    struct hf_node *node = NULL;
    struct hf_words msg = {{0}};
    char *text = NULL;

    cli_settings_init(&s);
    int rc = cli_parse("inspect", "COMPONENT", "Prints what a component imports and exports, what of it is missing here, and whether an image of it\n"
                                               "is possible. Exit code 0: it can run here; 4: something is missing; 3: it is not a valid component.",
                       options, &s, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc != 1) {
        fprintf(stderr, "holdfast inspect: name one component: holdfast inspect app.wasm\n");
        return HF_STATUS_USAGE;
    }
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
