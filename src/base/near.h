/* near.h - "did you mean": how far one word is from another. */
#ifndef HF_BASE_NEAR_H
#define HF_BASE_NEAR_H

#include "base/bytes.h"

#define HF_NEAR_FAR 99u
/* Letters to add, drop, change or swap with their neighbour to make `b` of `a`; "-" is "_" and case
 * does not matter. HF_NEAR_FAR: more than 40 bytes. */
unsigned hf_near_distance(struct hf_view a, struct hf_view b);
/* Is `b` what somebody may have meant who wrote `a`? A third of the letters may be wrong, three at
 * most. */
bool hf_near_enough(struct hf_view a, struct hf_view b);

#endif
