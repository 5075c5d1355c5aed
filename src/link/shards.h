/* shards.h - the processes of all workers as one: which worker a name lives on, and letters between
 * their kernels (kernel/far.h) through os/wake.h.
 *
 * A shard is a hash of a name's group (kernel/name.h: the text in braces, else the whole name); a
 * table says which worker has it. The table is the node's, the same for all workers, and does not
 * change while they run.
 *
 * Letters of one worker to another keep their order, since they stand in one queue. A complete body
 * that is in memory goes with its letter, not copied (kernel/blob_share.h); any other by a carry
 * (carry.h).
 *
 * Each worker has one hf_shards, used on its thread only, but for the letters that others post.
 */
#ifndef HF_LINK_SHARDS_H
#define HF_LINK_SHARDS_H

#include "kernel/far.h"
#include "kernel/name.h"
#include "link/carry.h"

struct hf_shard_table {
    uint16_t worker[HF_SHARDS];
};
/* Shard i is worker i mod n's. */
void hf_shard_table_init(struct hf_shard_table *table, uint32_t workers);
/* Of a valid name. */
uint32_t hf_shard_worker(const struct hf_shard_table *table, struct hf_view name);

struct hf_shards;
/* `k` learns that others are there: before anything is made in it. Its ids begin with its number
 * (id_base). The table lives longer. */
enum hf_err hf_shards_new(struct hf_kernel *k, struct hf_wake *wake, size_t window, uint32_t here,
                          const struct hf_shard_table *table, struct hf_shards **ret);
/* Before any of them runs: `all` are the others and itself, by number; lent for its life. */
void hf_shards_join(struct hf_shards *s, struct hf_shards *const *all, uint32_t n);
/* Once per turn of the loop. */
void hf_shards_flush(struct hf_shards *s);
bool hf_shards_busy(const struct hf_shards *s);
/* No letter is on its way to it, and no body from it. */
bool hf_shards_idle(const struct hf_shards *s);
/* The end, as of hf_between: stop every worker's, free every kernel, deliver every worker's
 * letters, free every worker's. NULL is fine. */
void hf_shards_stop(struct hf_shards *s);
void hf_shards_free(struct hf_shards *s);

#endif
