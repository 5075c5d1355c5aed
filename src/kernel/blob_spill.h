/* blob_spill.h - where bytes of blobs go when more are in memory than should be, and how they come
 * back.
 *
 * A pool (blob.h) has two bounds: bytes of all its blobs in memory, and of one. Past either, bytes
 * that nobody is at are written to a file by the pool's keeper (kernel/spill.h: the same port by
 * which idle instances go) and their memory is free once they are written: complete blobs, and what
 * has arrived of one that still arrives. First those of the blob that is past its own bound, then
 * the blobs whose bytes have lain longest.
 *
 * Handles know nothing of it: to forward a blob costs the same wherever its bytes are. A reader
 * that comes to bytes in the file hears HF_AGAIN as for bytes that have not arrived, and its wait
 * fires when they are back; what comes next is read ahead. (Not mapped pages: a page that is not in
 * memory would stop the whole worker, and one that cannot be read would end the node.) Where a
 * reader stands bytes stay, so what `peek` and `iov` lent is good until it goes on.
 *
 * In pieces of 64 KiB, which is what a reader holds, twice with what is read ahead. Never spilled:
 * pieces under 4 KiB, and the last piece while its producer fills it.
 *
 * What goes wrong:
 *   the file takes no more (its bound, a full disk)  Bytes stay in memory and nothing is lost. From
 *       then on, while more is in memory than may be, who would have a blob keep more than its window
 *       is told HF_LIMIT (hf_blob_push, _commit; NULL of hf_blob_of_bytes_in for more than 64 KiB);
 *       others go on. Each such refusal tries the file again.
 *   bytes cannot be read back                        The readers that want them get what the keeper
 *       said (HF_IO, ...); a reader that comes later tries again. Other bytes are unharmed.
 *   writers faster than the file                     A producer whose bytes are being kept has no
 *       room while more than a quarter over the bound (at least 1 MiB) waits for writes.
 *
 * One thread, as the pool; nothing here waits.
 */
#ifndef HF_KERNEL_BLOB_SPILL_H
#define HF_KERNEL_BLOB_SPILL_H

#include "kernel/blob.h"
#include "kernel/spill.h"

struct hf_blob_spill_settings {
    const struct hf_spill *ops; /* with ctx: until hf_blob_pool_spill_end */
    void *ctx;
    size_t memory_max; /* bytes of this pool's blobs in memory */
    size_t blob_max;   /* ... of one of them */
};
/* Once, before a blob is made in it. HF_LIMIT: no memory. */
enum hf_err hf_blob_pool_spill_to(struct hf_blob_pool *pool,
                                  const struct hf_blob_spill_settings *s);
/* The keeper is not asked any more: what lies in the file cannot be read after (HF_CANCELLED) and
 * is its keeper's to throw away. Moves under way still come back. Fine without a keeper. */
void hf_blob_pool_spill_end(struct hf_blob_pool *pool);

struct hf_blob_spill_stats {
    uint64_t memory;  /* bytes of blobs in memory, those on their way out included */
    uint64_t in_file; /* bytes in the file */
    uint32_t moves;   /* under way */
    uint64_t written, read; /* bytes, since the beginning */
    uint64_t write_failures, read_failures;
    uint64_t refused; /* pushes and new blobs, while the file takes no more */
    bool stuck;       /* the last write failed */
    struct hf_view last_failure; /* empty: none so far. Lent until the next */
};
/* All zeroes but `memory` without a keeper. */
void hf_blob_spill_get_stats(const struct hf_blob_pool *pool, struct hf_blob_spill_stats *ret);

#endif
