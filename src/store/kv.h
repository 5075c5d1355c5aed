/* kv.h - stores behind base/kv.h. `memory:` is for runs that keep nothing, for tests, and the model
 * that a durable one is compared with (tests/store/kv_contract.h).
 */
#ifndef HF_STORE_KV_H
#define HF_STORE_KV_H

#include "base/kv.h"

/* In memory, gone when it is closed. One door for all threads; every operation is done at once.
 * Bound: limits.buckets * (limits.bytes_max + about 100 bytes a key), as far as somebody fills it.
 * `seed`: random, so that no guest can choose keys that all collide. HF_LIMIT: no memory. */
enum hf_err hf_kv_memory_new(const struct hf_kv_limits *limits, uint64_t seed, struct hf_kv **ret);

#endif
