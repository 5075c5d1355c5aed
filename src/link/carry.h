/* carry.h - a body on its way from one worker to another.
 *
 * A blob belongs to its worker, so another worker gets a blob of its own that is filled as the
 * first one arrives: bytes go over in a few parcels (letters with a piece of the body), each of
 * which comes back when there is room again. So a reader that is slow, or gone, is felt at the
 * source, and a body of any size holds HF_CARRY_PARCELS pieces and two windows. Trailers and
 * failures go over as they are.
 *
 * Each side is used on its own worker's thread only. Nothing is allocated on the receiving side but
 * the blob, so nothing can be lost there.
 */
#ifndef HF_LINK_CARRY_H
#define HF_LINK_CARRY_H

#include "kernel/blob.h"
#include "os/wake.h"

#define HF_CARRY_PARCELS 4u
#define HF_CARRY_PIECE   (64u * 1024) /* most bytes a parcel takes */

/* One worker's end of all its carries. */
struct hf_carrier {
    struct hf_wake *wake;
    struct hf_list from_here; /* hf_carry.in_from: bodies that leave */
    struct hf_list to_here;   /* hf_carry.in_to: bodies that come */
    struct hf_list ready;     /* hf_carry.in_ready, in_room: something to do at the next flush */
    struct hf_list room;
    bool closing;
};
void hf_carrier_init(struct hf_carrier *c, struct hf_wake *wake);
/* Once per turn of the loop, when no turn of a process runs: moves what became ready. */
void hf_carrier_flush(struct hf_carrier *c);
static inline bool hf_carrier_busy(const struct hf_carrier *c)
{
    return !hf_list_empty(&c->ready) || !hf_list_empty(&c->room);
}
/* The end, when no loop runs any more: stop all (bodies that come fail with HF_CANCELLED), then
 * deliver every worker's letters, then free. */
void hf_carrier_stop(struct hf_carrier *c);
void hf_carrier_free_all(struct hf_carrier *c);

struct hf_carry;
/* At the source. Takes *blob (NULL after); the carry's pointer must reach `to`'s thread by a letter
 * posted before the source's next flush. NULL: no memory, the blob stays. */
struct hf_carry *hf_carry_new(struct hf_carrier *from, struct hf_carrier *to,
                              struct hf_blob **blob);
/* There: the blob that is being filled, one reference. NULL: no memory, and the source has been
 * told that nobody wants it. */
struct hf_blob *hf_carry_open(struct hf_carry *carry, struct hf_blob_pool *pool, size_t window);
/* There, instead of open. */
void hf_carry_refuse(struct hf_carry *carry);

#endif
