/* support_shelf.h - a file for bytes of blobs (kernel/blob_spill.h) that a test moves by hand: moves
 * lie until they are let go, in any order and number, and fail when told to. What is to be written
 * must be the same when it is as when it was handed over; what is forgotten must be there.
 */
#ifndef HF_TEST_SHELF_H
#define HF_TEST_SHELF_H

#include "kernel/blob_spill.h"
#include "support.h"

struct shelf_slot {
    struct hf_list link;
    uint64_t place;
    uint8_t *bytes;
    size_t len;
    bool going; /* a write is under way */
};
struct shelf {
    struct hf_list moves; /* hf_spill_move.link */
    struct hf_list slots;
    uint64_t next_place, used;
    uint64_t max;                  /* bytes; 0: any number */
    bool write_fails, read_fails, read_short; /* those that are let go from now on */
    uint32_t n_moves, n_writes, n_reads, n_forgot, moves_max;
};
void shelf_open(struct shelf *s);
/* What it has is thrown away, as it is when a node ends; no move is left. */
void shelf_close(struct shelf *s);
extern const struct hf_spill shelf_ops; /* 6 moves at a time */
/* The pool with this shelf and these bounds. */
void shelf_attach(struct shelf *s, struct hf_blob_pool *pool, size_t memory_max, size_t blob_max);
/* Lets up to n moves go, the oldest first; which: any of them by number. False: there was none. */
bool shelf_go(struct shelf *s, size_t n);
bool shelf_go_one(struct shelf *s, size_t which);

#endif
