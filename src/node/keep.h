/* keep.h - what of a node's services outlives it, in its data folder: the components that were deployed (component_store.h), and
 * what was deployed where (deployed.h).
 *
 * A change is kept in two steps. What may fail for want of room comes before anything is served; one rename after it, when it is
 * served by all workers. So a process that is ended at any moment leaves the record of before or of after it, and all components
 * that the record names. Everything here is done by who holds the node's change_lock, and blocks.
 */
#ifndef HF_NODE_KEEP_H
#define HF_NODE_KEEP_H

#include "node/component_store.h"
#include "node/deployed.h"

struct hf_app;
struct hf_app_entry;
struct hf_node;

struct hf_keep {
    struct hf_component_store store;
    struct hf_deployed record; /* as it lies on the disk */
    struct hf_deployed next;   /* as it will, when what is begun is done */
    char *path;                /* of the record */
    bool begun;
    bool doubt; /* whether `record` is what lies there: it is written at the next change, whatever it is */
};

/* Of data folder `dir`, which this process alone has. The limits as of hf_component_store_init. A record that cannot be read is
 * refused: without it another component would be served than was asked for. */
enum hf_err hf_keep_open(const char *dir, uint64_t count_max, uint64_t bytes_max, struct hf_keep **ret, struct hf_report *report);
void hf_keep_close(struct hf_keep *k); /* NULL is fine */

/* What an earlier node was given for the service of `e`, whose `file` is known, while that is what it was then; or NULL. When
 * the file is another one, that is said in the log. */
const struct hf_deployed_service *hf_keep_deployed(struct hf_node *node, const struct hf_app_entry *e);
/* Bytes of a component of the store, verified. */
enum hf_err hf_keep_get(struct hf_node *node, const uint8_t hash[HF_SHA256_LEN], struct hf_buf *ret, struct hf_report *report);
/* Is that deployment of service `name` on the disk? */
const struct hf_deployed_service *hf_keep_has(const struct hf_node *node, const char *name, const uint8_t hash[HF_SHA256_LEN]);
/* "sha256:0123456789ab, deployed 2026-11-28 05:03:12 UTC" */
void hf_keep_what(const uint8_t hash[HF_SHA256_LEN], uint64_t at_unix_ms, char to[96]);

/* `to` is about to be served. `whole`: what it does not have is gone for good. `news`: bytes for the store (empty views are none).
 * HF_OK: hf_keep_end must follow. On failure nothing has changed but what the store may forget. */
enum hf_err hf_keep_begin(struct hf_node *node, const struct hf_app *to, bool whole, const struct hf_view *news, size_t n_news,
                          struct hf_report *report);
/* It is served (`done`), or it is not to be. Failing: it is served, and a restart will not. */
enum hf_err hf_keep_end(struct hf_node *node, bool done, struct hf_report *report);

#endif
