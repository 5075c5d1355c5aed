/* reload.c - reading the manifest again. There is no reader of manifests in this build: it says so. */
#include "node/node_int.h"

#include <stdio.h>

enum hf_status hf_node_reload(struct hf_node *node, const char *path, struct hf_words *msg)
{
    (void)node;
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s: this build reads no manifests", path);
    return HF_STATUS_UNSUPPORTED;
}
