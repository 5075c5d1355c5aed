/* spill.h - where idle instances go when more are in memory than should be (and bytes of blobs, by
 * the same moves: blob_spill.h): what the kernel asks of its node, and how it is told.
 *
 * Past the bound on resident instances (hf_kernel_settings.resident_max, hf_named_settings) those
 * named processes that were idle for longest are imaged (behaviour.h, evict) and the bytes are
 * given away to be kept; the next message to the name brings them back. The kernel does no I/O: a
 * write or a read is a move that it hands out and that comes back later, on the same thread and
 * between steps. The instance stays in memory until its bytes are kept, so a write that fails loses
 * nothing; a process whose bytes cannot be read any more is `dead`, and why.
 */
#ifndef HF_KERNEL_SPILL_H
#define HF_KERNEL_SPILL_H

#include "base/bytes.h"
#include "base/list.h"

struct hf_kernel;
struct hf_process;
struct hf_asleep;

struct hf_spill_move {
    struct hf_list link; /* whoever has it: the keeper from write or read on, until it is moved */
    bool write;
    /* Write: what to keep, the keeper's to read. Read: empty, perhaps with room; the keeper adds `len`
     * bytes. */
    struct hf_buf bytes;
    uint64_t place; /* a write's is the keeper's to say; any number */
    size_t len;
    enum hf_err err; /* how it went; with words, when it did not */
    char why[160];
    /* ---- the kernel's ---- */
    bool (*moved)(struct hf_spill_move *m);
    struct hf_list in_kernel;
    struct hf_kernel *kernel;   /* NULL: it is freed */
    struct hf_process *process; /* NULL: nobody wants it any more */
    struct hf_asleep *asleep;
};

struct hf_spill {
    uint32_t moves_max; /* with the keeper at a time, >= 2 */
    /* HF_OK: begun, and hf_spill_moved will be called once, but not from inside. Else the keeper
     * has nothing, and `why` says what is wrong (HF_LIMIT: there is no room). */
    enum hf_err (*write)(void *ctx, struct hf_spill_move *m);
    /* Begins always. */
    void (*read)(void *ctx, struct hf_spill_move *m);
    /* What was written there is not wanted any more. A read of it may be under way: whatever that
     * brings is of no use then. */
    void (*forget)(void *ctx, uint64_t place, size_t len);
};
/* Once, before anything runs. Both outlive the kernel. Without it nobody is evicted. */
void hf_kernel_spill_to(struct hf_kernel *k, const struct hf_spill *spill, void *ctx);
/* The move is over, as err, place, bytes say; it is gone after. False: its kernel is, too, and what
 * was written is the keeper's to forget. */
static inline bool hf_spill_moved(struct hf_spill_move *m)
{
    return m->moved(m);
}

struct hf_evict_stats {
    uint32_t resident; /* instances of named processes in memory, RUN shapes included */
    uint32_t evicted;  /* names whose instance is kept elsewhere */
    uint32_t moves;    /* under way */
    uint64_t bytes;    /* kept elsewhere */
    uint64_t evictions, revivals;
    uint64_t refused;  /* could not be imaged: each says why (hf_named_inspect) */
    uint64_t failed;   /* writes and images that failed: those stayed in memory */
    uint64_t lost;     /* revivals that failed: those are dead */
    uint64_t limited;  /* messages to new names told `limit`, because nothing could be evicted */
    struct hf_view last_failure; /* empty: none so far. Lent until the next step */
};
void hf_kernel_evict_stats(const struct hf_kernel *k, struct hf_evict_stats *ret);

#endif
