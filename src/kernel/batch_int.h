/* batch_int.h - the inside of a batch, for batch.c and the kernel's outbox. */
#ifndef HF_KERNEL_BATCH_INT_H
#define HF_KERNEL_BATCH_INT_H

#include "base/list.h"
#include "kernel/batch.h"

struct hf_batch {
    struct hf_list in_kernel; /* sealed ones, in order of seq */
    uint64_t seq, process;
    bool recorded, sealed;
    uint32_t n_records;
    struct hf_buf bytes;
};

#endif
