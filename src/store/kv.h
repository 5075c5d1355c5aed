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

/* Told in words what is wrong while a durable store runs (a full disk, a commit that failed), at most
 * once a second, by any thread, also inside open; it may not call the store. say NULL: nobody is. */
struct hf_kv_ear {
    void (*say)(void *ctx, const char *text);
    void *ctx;
};

struct hf_wake;
/* Durable: DIR/holdfast.db (doc/store.md), an SQLite file (WAL, synchronous=FULL) with one thread
 * that writes it; DIR is made if it is not there. A file of an older format becomes one of this. An
 * operation is done when its group is on disk; a refusal of HF_KV_DISK changed nothing. After a
 * commit that failed in a way that leaves the file in doubt (HF_KV_UNKNOWN) everything is refused
 * until the store is opened anew.
 *
 * *ret is the first door: it finds buckets and keeps the store open, from any thread, and begins
 * nothing. Each thread that begins operations takes a door of its own, whose answers come as
 * letters to that thread's queue (hf_wake_deliver_all). A door's close waits until the thread that
 * writes is done with what it has; letters of ended operations may lie in the queue then: deliver
 * them before it goes. limits.buckets: 32767 at most. One door may have 200000 operations and 256
 * MiB in flight, then HF_KV_MEMORY. `seed` as above. Closing the last door ends the thread.
 *
 * HF_IO: the folder or file cannot be used, or another process has it (the report says which).
 * HF_CORRUPT: damaged, or not ours. HF_UNSUPPORTED: written by a newer version, or a file system
 * that cannot do it. HF_LIMIT: memory, threads. */
enum hf_err hf_kv_sqlite_open(const char *dir, const struct hf_kv_limits *limits, uint64_t seed,
                              struct hf_kv_ear ear, struct hf_kv **ret, struct hf_report *report);
enum hf_err hf_kv_sqlite_door(struct hf_kv *first, struct hf_wake *wake, struct hf_kv **ret);

#endif
