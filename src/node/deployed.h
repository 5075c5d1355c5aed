/* deployed.h - what was deployed, as it outlives a node: DIR/deployed.json in its data folder.
 *
 *     {"version": 1, "services": [
 *       {"name": "web", "manifest": "sha256:...",
 *        "deployed": {"component": "sha256:...", "before": "sha256:...", "at_unix_ms": 1764300000000}}]}
 *
 * `manifest` is what the file that the service's options name hashed to when that was written: while it still does, what was
 * deployed is what the service runs. `before` is what a rollback puts back, null when it is not kept. A service without `deployed`
 * stands there for its component in the store, which must stay. Names of members and their meaning stay as long as the version.
 */
#ifndef HF_NODE_DEPLOYED_H
#define HF_NODE_DEPLOYED_H

#include "base/hash.h"
#include "node/options.h"

#define HF_DEPLOYED_FILE      "deployed.json"
#define HF_DEPLOYED_VERSION   1
#define HF_DEPLOYED_BYTES_MAX (4u << 20) /* of the file */
#define HF_DEPLOYED_MAX       1000u      /* services in it: as many as a node takes */

struct hf_deployed_service {
    char name[HF_SERVICE_NAME_MAX + 1];
    uint8_t manifest[HF_SHA256_LEN];
    bool deployed, has_before;
    uint8_t component[HF_SHA256_LEN], before[HF_SHA256_LEN]; /* of one that is deployed */
    uint64_t at_unix_ms;
};
struct hf_deployed {
    struct hf_deployed_service *ptr;
    size_t len, cap;
};
void hf_deployed_done(struct hf_deployed *d); /* zeroes */

/* `file` is what messages call it. HF_CORRUPT: it is no such record, HF_UNSUPPORTED: of a newer version; the report says where and
 * what to do. *ret is empty on failure. */
enum hf_err hf_deployed_parse(struct hf_view text, const char *file, struct hf_deployed *ret, struct hf_report *report);
enum hf_err hf_deployed_write(const struct hf_deployed *d, struct hf_buf *ret); /* HF_LIMIT: memory */

/* Of data folder `dir`. No file: an empty record. */
enum hf_err hf_deployed_read(const char *dir, struct hf_deployed *ret, struct hf_report *report);

const struct hf_deployed_service *hf_deployed_find(const struct hf_deployed *d, const char *name); /* or NULL */
bool hf_deployed_same(const struct hf_deployed *a, const struct hf_deployed *b);
/* Everything in the store that it needs: free() *ret. A hash may come twice. */
enum hf_err hf_deployed_pins(const struct hf_deployed *d, uint8_t (**ret)[HF_SHA256_LEN], size_t *n);

#endif
