/* blob_share.h - the bytes of a complete blob, on their way to another worker: nobody copies them.
 *
 * A blob belongs to its worker, its bytes need not: once one is shared they are counted, and each
 * worker that has them, in a blob of its own, lets go of them for itself; the last frees them, on
 * its thread. The count is atomic and is touched only when a blob is shared, and when a worker lets
 * go of bytes that were: what never leaves its worker knows nothing of it. Pieces under 4 KiB are
 * copied.
 */
#ifndef HF_KERNEL_BLOB_SHARE_H
#define HF_KERNEL_BLOB_SHARE_H

#include "kernel/blob.h"

struct hf_blob_share;
/* On the blob's thread; the blob stays as it is. With trailers, if it has some. NULL: it is not
 * complete, some of it is in a file (blob_spill.h), or memory is out: it may still go piece by
 * piece. */
struct hf_blob_share *hf_blob_share(struct hf_blob *blob);
/* On the pool's thread. Takes the share, also on failure. NULL: no memory. */
struct hf_blob *hf_blob_of_share(struct hf_blob_pool *pool, struct hf_blob_share *share);
/* Instead. Any thread; NULL is fine. */
void hf_blob_share_free(struct hf_blob_share *share);

#endif
