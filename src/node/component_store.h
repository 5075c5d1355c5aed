/* component_store.h - components by what is in them: DIR/components/sha256-HEX.wasm, in a node's data folder.
 *
 * A file is there whole and durable, or not at all: written beside, synced, renamed, and the folder synced. Its name says what it
 * holds, and that is verified each time it is read. Whoever changes the folder holds its lock, so the node and a command line may
 * both do it, and what a dead process left half written is known to be nobody's.
 *
 * Who has a store open uses it from one thread at a time. What may never be removed is the caller's to say: `pins`.
 */
#ifndef HF_NODE_COMPONENT_STORE_H
#define HF_NODE_COMPONENT_STORE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"

#define HF_COMPONENTS_FOLDER      "components"
#define HF_COMPONENTS_MAX         100u                /* unless somebody says otherwise */
#define HF_COMPONENTS_BYTES_MAX   (UINT64_C(1) << 30)
#define HF_COMPONENT_BYTES_MAX    (UINT64_C(512) << 20) /* of one */
#define HF_COMPONENTS_SEEN_MAX    100000u             /* files that a listing takes */
#define HF_COMPONENT_NAME         "sha256:"           /* and 64 hexadecimal digits */
#define HF_COMPONENT_FILE_BEGINS  "sha256-"           /* the same digits, in small letters */
#define HF_COMPONENT_FILE_ENDS    ".wasm"

struct hf_component_store {
    char *folder;       /* DIR/components */
    uint64_t count_max; /* components */
    uint64_t bytes_max; /* all of them together */
    int lock_fd;        /* -1: not locked */
};

struct hf_stored { /* one of a listing */
    uint8_t hash[HF_SHA256_LEN];
    uint64_t bytes;
    uint64_t used_ns; /* since 1970: when it was put there last */
};
struct hf_stored_list {
    struct hf_stored *ptr; /* free() it */
    size_t len, cap;
};

/* "sha256:" and 64 digits, in capitals too. False: it is no such text. */
bool hf_component_hash_of(const char *text, uint8_t hash[HF_SHA256_LEN]);
#define HF_COMPONENT_TEXT_MAX (sizeof HF_COMPONENT_NAME + 2 * HF_SHA256_LEN)
const char *hf_component_hash_text(const uint8_t hash[HF_SHA256_LEN], char to[HF_COMPONENT_TEXT_MAX]); /* returns `to` */

/* `dir` is the data folder; nothing is made in it before something is put. 0: the default. HF_LIMIT: memory. */
enum hf_err hf_component_store_init(struct hf_component_store *s, const char *dir, uint64_t count_max, uint64_t bytes_max);
void hf_component_store_done(struct hf_component_store *s); /* and unlocks it; zeroed is fine */

/* Waits for whoever has it. Makes the folder; takes away what a process that died was writing. Not twice. */
enum hf_err hf_component_store_lock(struct hf_component_store *s, struct hf_report *report);
void hf_component_store_unlock(struct hf_component_store *s); /* not locked is fine */

/* Where it is or would be; free() it. NULL: memory. */
char *hf_component_store_path(const struct hf_component_store *s, const uint8_t hash[HF_SHA256_LEN]);
/* Is there a file of that name? Its content is not looked at. */
bool hf_component_store_has(const struct hf_component_store *s, const uint8_t hash[HF_SHA256_LEN]);
/* Adds its bytes to *ret. HF_NOT_FOUND; HF_CORRUPT: what lies there is something else, and the report says what to do. */
enum hf_err hf_component_store_get(const struct hf_component_store *s, const uint8_t hash[HF_SHA256_LEN], struct hf_buf *ret,
                                   struct hf_report *report);
/* Locked. On disk when it returns. What is there already with these bytes is as good as new; with others it is replaced. */
enum hf_err hf_component_store_put(struct hf_component_store *s, struct hf_view bytes, uint8_t hash[HF_SHA256_LEN],
                                   struct hf_report *report);
/* Locked. Whether it was there: HF_OK or HF_NOT_FOUND. */
enum hf_err hf_component_store_remove(struct hf_component_store *s, const uint8_t hash[HF_SHA256_LEN], struct hf_report *report);
/* What is there, used last first. Files of other names are passed over. A folder that is not there is empty. */
enum hf_err hf_component_store_list(const struct hf_component_store *s, struct hf_stored_list *ret, struct hf_report *report);

/* Would these (those of them that are there) fit together with `n_more` others of `more` bytes, when all else were removed?
 * HF_LIMIT: no, and the report says so. */
enum hf_err hf_component_store_room(const struct hf_component_store *s, const uint8_t (*pins)[HF_SHA256_LEN], size_t n_pins,
                                    size_t n_more, uint64_t more, struct hf_report *report);
/* Locked. Removes what is not pinned, used longest ago first, until the rest is within the limits. *removed may be NULL. */
enum hf_err hf_component_store_prune(struct hf_component_store *s, const uint8_t (*pins)[HF_SHA256_LEN], size_t n_pins,
                                     size_t *removed, struct hf_report *report);

#endif
