/* support_spill.h - a keeper of evicted instances for tests (kernel/spill.h): in memory, late, full
 * or failing as the test says. It checks that every place is forgotten once, and no other. */
#ifndef HF_TESTS_KERNEL_SUPPORT_SPILL_H
#define HF_TESTS_KERNEL_SUPPORT_SPILL_H

#include "kernel/named_int.h"
#include "support.h"

enum { SLOTS = 4096 };

struct keeper {
    struct hf_list moves; /* not done yet, oldest first */
    struct hf_buf slots[SLOTS];
    bool used[SLOTS];
    size_t n_used, n_writes, n_reads;
    bool late;        /* moves are done by keeper_go only */
    bool full;        /* refuses writes */
    bool write_fails, read_fails, read_short;
    bool blind; /* keeps nothing, and gives nothing back: for who counts memory */
    /* What was kept, or was to be, is gone; may be NULL. */
    void (*dropped)(void *ctx, struct hf_view bytes);
    void *ctx;
};

/* Before any named process is made. */
void keeper_open(struct keeper *r, struct hf_kernel *k);
/* Does up to n moves; true: it did one. */
bool keeper_go(struct keeper *r, size_t n);
/* After the kernel is freed: all moves come home, and nothing is kept. */
void keeper_close(struct keeper *r);

#endif
