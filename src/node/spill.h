/* spill.h - a worker's spill file: where its kernel's evicted instances lie, or bytes of its blobs
 * (kernel/spill.h).
 *
 * A file without a name, made when it is first needed, gone with the process: what lies in it means
 * nothing to another one. Bytes go in and out as jobs, off the worker's thread. Room is given in
 * blocks; what is forgotten is used again, and a large file in which nothing lies any more is given
 * back to the disk.
 */
#ifndef HF_NODE_SPILL_H
#define HF_NODE_SPILL_H

#include "kernel/spill.h"
#include "os/jobs.h"

struct hf_spill_file;
struct hf_spill_settings {
    const char *folder; /* exists; lent */
    uint64_t max;       /* bytes of the file */
    const char *max_key; /* what that is called, for messages; static */
    struct hf_jobs *jobs;
    struct hf_wake *home; /* of the worker's thread */
    /* Said once each time that things get worse: text is what went wrong. May be NULL. */
    void (*trouble)(void *ctx, const char *text);
    void *ctx;
};
enum hf_err hf_spill_file_new(const struct hf_spill_settings *s, struct hf_spill_file **ret);
/* After the kernel is freed and all jobs are home. NULL is fine. */
void hf_spill_file_free(struct hf_spill_file *f);
extern const struct hf_spill hf_spill_file_ops; /* its ctx is the hf_spill_file */

uint64_t hf_spill_file_used(const struct hf_spill_file *f); /* bytes of blocks that are given */

#endif
