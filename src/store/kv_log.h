/* kv_log.h - one row of the durable key-value store's log: all that one commit wrote, as bytes.
 *
 * The rows stand in the table `log` in the order of their commits. A row says what is there after
 * it, never how it came about, so rows may be read again over a table that has part of them. The
 * format is at the top of kv_log.c and in doc/store.md. Pure: no SQLite, no threads.
 */
#ifndef HF_STORE_KV_LOG_H
#define HF_STORE_KV_LOG_H

#include "base/codec.h"

#define HF_KV_LOG_FORMAT 1u

enum hf_kv_log_kind {
    HF_KV_LOG_LIVE = 1, /* the key has this value */
    HF_KV_LOG_DEAD,     /* the key is not there */
    HF_KV_LOG_TABLE     /* what the tables say of the key is right; rows before this one are not */
};
struct hf_kv_log_bucket { /* what a bucket holds after the commit */
    uint16_t bucket;      /* its id */
    uint64_t keys, bytes;
};
struct hf_kv_log_record {
    enum hf_kv_log_kind kind;
    uint16_t bucket;
    uint64_t number;  /* LIVE: the version that the key was born with; listed in this order */
    uint64_t version; /* LIVE */
    struct hf_view key, value;
};

/* Writing: begin, all buckets, all records, end. HF_LIMIT: memory (any of them; give up then). */
enum hf_err hf_kv_log_begin(struct hf_buf *row, uint64_t version, uint32_t n_buckets,
                            uint32_t n_records);
enum hf_err hf_kv_log_add_bucket(struct hf_buf *row, const struct hf_kv_log_bucket *b);
enum hf_err hf_kv_log_add(struct hf_buf *row, const struct hf_kv_log_record *rec);
void hf_kv_log_end(struct hf_buf *row); /* the sum, into the first bytes */

/* Reading. Views look into the row. */
struct hf_kv_log_reader {
    struct hf_reader r;
    uint64_t version;              /* the last one given when the row was written */
    uint32_t n_buckets, n_records; /* still to come */
};
/* Looks through the whole row: after HF_OK the calls below find every bucket and record well
 * formed. HF_CORRUPT: the report says what and at which byte. HF_UNSUPPORTED: a newer format. */
enum hf_err hf_kv_log_open(struct hf_kv_log_reader *ret, struct hf_view row,
                           struct hf_report *report);
/* The buckets come first: call it until it says false, then the other. */
bool hf_kv_log_next_bucket(struct hf_kv_log_reader *r, struct hf_kv_log_bucket *ret);
bool hf_kv_log_next(struct hf_kv_log_reader *r, struct hf_kv_log_record *ret);

#endif
