/* admin.h - the admin door as node.c sees it. */
#ifndef HF_NODE_ADMIN_H
#define HF_NODE_ADMIN_H

#include "node/node_int.h"

struct hf_door;
/* Makes the node's door when it has none, and one more way in. HF_INVALID: the address, or no token. */
enum hf_err hf_door_listen(struct hf_node *node, const char *addr, char bound[128], struct hf_report *report);
/* With the workers there: its thread. `door` may be NULL in all that follows. */
enum hf_err hf_door_start(struct hf_door *door, struct hf_report *report);
/* When no worker runs any more: ends its requests and its thread, takes its socket files away. Twice is fine. */
void hf_door_stop(struct hf_door *door);
/* When no worker has a letter of it any more. */
void hf_door_free(struct hf_door *door);

#endif
