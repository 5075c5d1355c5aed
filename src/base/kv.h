/* kv.h - a key-value store as those who use it see it: one operation at a time, begun, perhaps done
 * later.
 *
 * The contract between who asks (host room, command line) and who keeps (store room); neither
 * includes the other, the node brings them together. `memory:` answers at once; a durable store
 * answers when the batch of the operation is on disk, so nobody may count on "at once".
 *
 * A `struct hf_kv` is one thread's door to a store. A store shared by workers gives each its own,
 * because an operation is done on the thread that began it (the memory store needs no thread to
 * come back to: its one door may be used by all). Operations begun through one door on one bucket
 * take effect, and are done, in the order they were begun: a guest reads what it wrote. Each is
 * atomic. Nothing is said about the order across buckets or doors, but that every one falls between
 * its begin and its done.
 *
 * Keys are any bytes, also none; values are any bytes. A counter is a value that is a decimal
 * number as text, optional '-', no sign or zero in front that is not needed (what wasmtime keeps,
 * http-and-poll 3.4).
 */
#ifndef HF_BASE_KV_H
#define HF_BASE_KV_H

#include "base/bytes.h"

/* 0 = the default, in hf_kv_limits_fill. */
struct hf_kv_limits {
    uint32_t key_max;    /* bytes; 1024 */
    uint32_t value_max;  /* bytes; 1 MiB */
    uint64_t keys_max;   /* of a bucket; 1 million */
    uint64_t bytes_max;  /* of a bucket, its keys and values; 256 MiB */
    uint32_t buckets;    /* of the store; 1000 */
    uint32_t page_keys;  /* of one list; 1000 */
    uint32_t page_bytes; /* keys of one list together, less the first; 256 KiB */
    /* For who begins many at once (get-many ...) on a thread that others wait for: keys, and bytes
     * of keys and values together unless it is one alone. 10000; 16 MiB */
    uint32_t batch_keys;
    uint64_t batch_bytes;
    /* Durable stores: keys, and bytes of memory for them with their values, whose newest value is
     * only in the log. What has no room there goes past the log, which is slower. 131072; 64 MiB */
    uint64_t log_keys;
    uint64_t log_bytes;
};
void hf_kv_limits_fill(struct hf_kv_limits *limits);

struct hf_kv_bucket; /* the store's: the same for the same names and through every door; lives as
                        long as the store */
enum hf_kv_kind {
    HF_KV_GET,       /* found, value, version */
    HF_KV_EXISTS,    /* found, version */
    HF_KV_SET,       /* version: the new one */
    HF_KV_DELETE,    /* found: it was there. No error when it was not */
    HF_KV_INCREMENT, /* number: the new one; a missing key counts from 0 */
    HF_KV_SWAP,      /* SET if the key's version is still op.version; found: it was, and version is
                        the new one; else version is the one that it has */
    HF_KV_LIST       /* keys, cursor. Every key that is there from the first page to the last
                        comes exactly once, whatever else is set or deleted meanwhile */
};
/* Why an operation failed. Nothing was changed by one that failed, but for UNKNOWN. */
enum hf_kv_refusal {
    HF_KV_NONE,
    HF_KV_KEY_LONG,
    HF_KV_VALUE_LONG,
    HF_KV_KEYS_FULL,   /* keys of the bucket */
    HF_KV_BYTES_FULL,  /* bytes of the bucket */
    HF_KV_NO_NUMBER,   /* the value to be incremented is no counter */
    HF_KV_NUMBER_FULL, /* the sum is past what the type holds */
    HF_KV_NO_CURSOR,   /* not one that a list gave */
    HF_KV_MEMORY,
    HF_KV_DISK,   /* durable stores: full or broken; not done */
    HF_KV_CLOSED, /* the store is going away; not done */
    HF_KV_UNKNOWN /* durable stores: it may or may not have happened */
};

struct hf_kv_op {
    /* ---- filled by who begins, zeroes where not needed ---- */
    enum hf_kv_kind kind;
    bool is_signed; /* INCREMENT: an s64 (delta as its bits), else a u64 */
    struct hf_kv_bucket *bucket;
    struct hf_view key, value; /* read before begin returns, not after */
    union {
        uint64_t delta;   /* INCREMENT */
        uint64_t version; /* SWAP: as a GET said; 0: the key must not be there */
        uint64_t cursor;  /* LIST: 0 from the start, else as the page before said */
    };
    uint32_t max; /* LIST: keys wanted at most; 0 = the limit */
    /* Called when it is done, if begin said HF_AGAIN: on the thread that began, never inside begin
     * or end. It may begin and end operations, this one too. */
    void (*done)(struct hf_kv_op *op);
    void *ctx; /* the beginner's */

    /* ---- what came of it; views are good until hf_kv_end ---- */
    struct hf_kv_result {
        enum hf_kv_refusal refusal;
        bool found;
        struct hf_view value;
        uint64_t version; /* never 0 for a key that is there, and never twice for one name */
        uint64_t number;
        struct hf_view *keys;
        uint32_t n_keys;
        uint64_t cursor; /* 0: there are no more */
    } r;
    void *hold; /* the store's: what to give back at hf_kv_end, and what is in flight; NULL: nothing
                 */
};

struct hf_kv {
    const struct hf_kv_ops *ops;
    struct hf_kv_limits limits; /* read-only, defaults filled in */
};
struct hf_kv_count { /* what a bucket holds; the views are good inside the call */
    struct hf_view space, name;
    uint64_t keys, bytes; /* of keys and values */
};
struct hf_kv_ops {
    enum hf_err (*bucket)(struct hf_kv *kv, struct hf_view space, struct hf_view name,
                          struct hf_kv_bucket **ret);
    enum hf_err (*begin)(struct hf_kv *kv, struct hf_kv_op *op);
    void (*end)(struct hf_kv *kv, struct hf_kv_op *op);
    void (*close)(struct hf_kv *kv);
    void (*count)(struct hf_kv *kv, void (*each)(void *ctx, const struct hf_kv_count *count),
                  void *ctx);
};

/* The bucket of that name in a space (the service's or tenant's name: the same bucket name in two
 * spaces is two buckets). No I/O, nothing is created on disk. HF_LIMIT: too many buckets, or
 * memory. */
static inline enum hf_err hf_kv_bucket(struct hf_kv *kv, struct hf_view space, struct hf_view name,
                                       struct hf_kv_bucket **ret)
{
    return kv->ops->bucket(kv, space, name, ret);
}
/* HF_OK: done already (op->r says how it went), `done` will not be called. HF_AGAIN: later
 * (op->hold is set). Nothing else; never blocks. The op stays where it is until hf_kv_end, which
 * must come in both cases. */
static inline enum hf_err hf_kv_begin(struct hf_kv *kv, struct hf_kv_op *op)
{
    op->r = (struct hf_kv_result){.refusal = HF_KV_NONE};
    op->hold = NULL;
    return kv->ops->begin(kv, op);
}
/* Gives back what the result holds. Before it is done: forgets the operation, `done` is not called
 * any more; a write may still happen. The op and everything it points to is the caller's again.
 * Twice is fine. */
static inline void hf_kv_end(struct hf_kv *kv, struct hf_kv_op *op)
{
    if (op->hold != NULL)
        kv->ops->end(kv, op);
    op->hold = NULL;
}
/* Calls `each` for every bucket of the store, in no order: what it holds, as last committed. Cheap
 * (no I/O), any thread; `each` may not call the store. */
static inline void hf_kv_count_all(struct hf_kv *kv,
                                   void (*each)(void *ctx, const struct hf_kv_count *count),
                                   void *ctx)
{
    kv->ops->count(kv, each, ctx);
}
/* This door, and the store with its last door. No operation may be in flight or un-ended. NULL is
 * fine. */
static inline void hf_kv_close(struct hf_kv *kv)
{
    if (kv != NULL)
        kv->ops->close(kv);
}

/* In words, with the limit's number: "the value is longer than 1048576 bytes". Cut to `size`. */
void hf_kv_refusal_text(enum hf_kv_refusal refusal, const struct hf_kv_limits *limits, char *ret,
                        size_t size);

/* ---- for stores ---- */
/* What every store checks first: the lengths of key and value. */
enum hf_kv_refusal hf_kv_check(const struct hf_kv_op *op, const struct hf_kv_limits *limits);
/* INCREMENT's sum: `now` is the counter's text, empty view with `there` false when the key is not.
 * `text` gets the new one (*len bytes, at most 20 and no NUL), *number its bits. */
#define HF_KV_NUMBER_MAX 20u
enum hf_kv_refusal hf_kv_add(struct hf_view now, bool there, uint64_t delta, bool is_signed,
                             char text[HF_KV_NUMBER_MAX], size_t *len, uint64_t *number);

#endif
