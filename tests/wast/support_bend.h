/* support_bend.h - small damage to a component: bits, bytes, whole sections. Shared by the test
 * with bent components and the fuzz target, which takes it as its mutator. */
#ifndef HF_TESTS_WAST_SUPPORT_BEND_H
#define HF_TESTS_WAST_SUPPORT_BEND_H

#include "base/bytes.h"

extern uint64_t bend_rng; /* not 0; the same number, the same damage */
uint32_t bend_below(uint32_t n);
/* One change to b, which is longer than 8 bytes. `other`: a component to take sections from. */
void bend(struct hf_buf *b, struct hf_view other);

#endif
