/* fetch.h - the guests' outgoing requests on a worker's HTTP client: host/fetch.h's table over
 * gateway/client.h, which know nothing of each other. */
#ifndef HF_NODE_FETCH_H
#define HF_NODE_FETCH_H

#include "gateway/client.h"
#include "host/fetch.h"

/* `client` outlives its users. */
void hf_node_fetch_table(struct hf_fetch_table *table, struct hf_client *client);

#endif
