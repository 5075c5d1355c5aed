/* kv_log.c - a row of the key-value store's log, written and read.
 *
 * Integers little-endian:
 *
 *     u32  CRC-32C of all that follows
 *     u8   format (1)
 *     u64  the last version given
 *     u32  number of buckets     each: u16 id, u64 keys, u64 bytes
 *     u32  number of records     each: u8 kind, u16 bucket, u32 length of the key
 *                                      LIVE: u64 number, u64 version, u32 length of the value
 *                                      the key's bytes; LIVE: the value's bytes
 *
 * ids are 1 to 32767; numbers and versions 1 to 2^48-1; nothing follows the last record.
 */
#include "store/kv_log.h"

#include <inttypes.h>

#include "base/hash.h"

#define SUM_LEN    4u
#define BUCKET_MAX 32767u
#define NUMBER_MAX (((uint64_t)1 << 48) - 1)

static uint8_t *put(uint8_t *at, uint64_t n, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *at++ = (uint8_t)(n >> 8 * i);
    return at;
}

static enum hf_err add_head(struct hf_buf *row, const uint8_t *from, const uint8_t *to)
{
    return hf_buf_add(row, from, (size_t)(to - from));
}

enum hf_err hf_kv_log_begin(struct hf_buf *row, uint64_t version, uint32_t n_buckets,
                            uint32_t n_records)
{
    uint8_t head[32], *at = head;
    hf_buf_clear(row);
    at = put(at, 0, SUM_LEN);
    at = put(at, HF_KV_LOG_FORMAT, 1);
    at = put(at, version, 8);
    at = put(at, n_buckets, 4);
    at = put(at, n_records, 4);
    return add_head(row, head, at);
}

enum hf_err hf_kv_log_add_bucket(struct hf_buf *row, const struct hf_kv_log_bucket *b)
{
    uint8_t head[32], *at = put(head, b->bucket, 2);
    at = put(at, b->keys, 8);
    at = put(at, b->bytes, 8);
    return add_head(row, head, at);
}

enum hf_err hf_kv_log_add(struct hf_buf *row, const struct hf_kv_log_record *rec)
{
    uint8_t head[32], *at = put(head, rec->kind, 1);
    at = put(at, rec->bucket, 2);
    at = put(at, rec->key.len, 4);
    if (rec->kind == HF_KV_LOG_LIVE) {
        at = put(at, rec->number, 8);
        at = put(at, rec->version, 8);
        at = put(at, rec->value.len, 4);
    }
    enum hf_err err = add_head(row, head, at);
    if (err == HF_OK)
        err = hf_buf_add_view(row, rec->key);
    return err == HF_OK && rec->kind == HF_KV_LOG_LIVE ? hf_buf_add_view(row, rec->value) : err;
}

void hf_kv_log_end(struct hf_buf *row)
{
    put(row->ptr, hf_crc32c(0, row->ptr + SUM_LEN, row->len - SUM_LEN), SUM_LEN);
}

bool hf_kv_log_next_bucket(struct hf_kv_log_reader *r, struct hf_kv_log_bucket *ret)
{
    if (r->n_buckets == 0)
        return false;
    r->n_buckets--;
    ret->bucket = hf_read_u16le(&r->r);
    ret->keys = hf_read_u64le(&r->r);
    ret->bytes = hf_read_u64le(&r->r);
    return true;
}

bool hf_kv_log_next(struct hf_kv_log_reader *r, struct hf_kv_log_record *ret)
{
    if (r->n_records == 0)
        return false;
    r->n_records--;
    *ret = (struct hf_kv_log_record){.kind = (enum hf_kv_log_kind)hf_read_u8(&r->r)};
    ret->bucket = hf_read_u16le(&r->r);
    uint32_t key = hf_read_u32le(&r->r), value = 0;
    if (ret->kind == HF_KV_LOG_LIVE) {
        ret->number = hf_read_u64le(&r->r);
        ret->version = hf_read_u64le(&r->r);
        value = hf_read_u32le(&r->r);
    }
    ret->key = hf_read_bytes(&r->r, key);
    ret->value = hf_read_bytes(&r->r, value);
    return true;
}

/* ---- what a row must be ---- */

static enum hf_err bad(const struct hf_kv_log_reader *r, const char *what, struct hf_report *report)
{
    return hf_report_set(report, HF_CORRUPT, "%s, at byte %zu", what, hf_reader_pos(&r->r));
}

static enum hf_err check_bucket(const struct hf_kv_log_reader *r, uint16_t id,
                                struct hf_report *report)
{
    return id == 0 || id > BUCKET_MAX ? bad(r, "no bucket has such a number", report) : HF_OK;
}

static enum hf_err check_all(struct hf_kv_log_reader r, struct hf_report *report)
{
    struct hf_kv_log_bucket b;
    struct hf_kv_log_record rec;
    enum hf_err err = HF_OK;
    while (err == HF_OK && !r.r.bad && hf_kv_log_next_bucket(&r, &b) && !r.r.bad) {
        err = check_bucket(&r, b.bucket, report);
        if (err == HF_OK && (b.keys > INT64_MAX || b.bytes > INT64_MAX))
            err = bad(&r, "no bucket holds so much", report);
    }
    while (err == HF_OK && !r.r.bad && hf_kv_log_next(&r, &rec) && !r.r.bad) {
        bool live = rec.kind == HF_KV_LOG_LIVE;
        err = check_bucket(&r, rec.bucket, report);
        if (err == HF_OK && !live && rec.kind != HF_KV_LOG_DEAD && rec.kind != HF_KV_LOG_TABLE)
            err = bad(&r, "no such kind of record", report);
        if (err == HF_OK && live &&
            (rec.number == 0 || rec.number > rec.version || rec.version > r.version))
            err = bad(&r, "a version that was not given yet", report);
    }
    if (err == HF_OK && r.r.bad)
        err = bad(&r, "it ends too soon", report);
    if (err == HF_OK && hf_reader_left(&r.r) > 0)
        err = bad(&r, "something follows its end", report);
    return err;
}

enum hf_err hf_kv_log_open(struct hf_kv_log_reader *ret, struct hf_view row,
                           struct hf_report *report)
{
    *ret = (struct hf_kv_log_reader){.r = hf_reader(row)};
    uint32_t sum = hf_read_u32le(&ret->r);
    uint8_t format = hf_read_u8(&ret->r);
    if (ret->r.bad)
        return bad(ret, "it ends too soon", report);
    if (sum != hf_crc32c(0, row.ptr + SUM_LEN, row.len - SUM_LEN))
        return hf_report_set(report, HF_CORRUPT, "its sum is wrong");
    if (format > HF_KV_LOG_FORMAT)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "written by a newer Holdfast: its format is %u, this one knows %u",
                             format, HF_KV_LOG_FORMAT);
    if (format != HF_KV_LOG_FORMAT)
        return bad(ret, "no such format", report);
    ret->version = hf_read_u64le(&ret->r);
    ret->n_buckets = hf_read_u32le(&ret->r);
    ret->n_records = hf_read_u32le(&ret->r);
    if (ret->version > NUMBER_MAX)
        return bad(ret, "no version is so high", report);
    return check_all(*ret, report);
}
