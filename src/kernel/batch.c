/* batch.c - the bytes of a batch: their writer and their reader (batch.h).
 *
 * Version 2, little endian (version 1 had no `what` in consume, and no send and verb; nothing kept
 * it):
 *
 *     4 bytes  "HFB", version
 *     u32      length of everything, the checksum included
 *     u64      seq
 *     u64      process
 *     u32      number of records
 *     records  u8 kind, then
 *                consume  u64 message, u32 what (enum hf_message_kind), u32 length, body
 *                input    u32 what, u32 length, bytes
 *                answer   u64 message, u32 what (enum hf_answer_kind), u32 length, body
 *                timer    u64 timer, u64 at_ns
 *                send     u64 message, u64 under, u64 root (0: none), u32 what (HF_SENT_* flags),
 *                         u32 length, target, u32 length, body
 *                verb     u64 id, u32 what (enum hf_verb), u32 length, name
 *     u32      CRC-32C of all before
 *
 * The reader believes nothing before the checksum is right, and hands out nothing before all
 * records were seen to fit. An unknown version is told apart from damage: its checksum is right.
 */
#include "kernel/batch_int.h"

#include <stdlib.h>

#include "base/codec.h"
#include "base/hash.h"

#define VERSION   2u
#define HEAD_SIZE 28u /* up to the first record */
#define CRC_SIZE  4u

static const uint8_t magic[4] = {'H', 'F', 'B', VERSION};

/* ---- writing ---- */

enum hf_err hf_batch_begin(uint64_t seq, uint64_t process, bool recorded, struct hf_batch **ret)
{
    struct hf_batch *b = calloc(1, sizeof *b);
    enum hf_err err = b == NULL ? HF_LIMIT : HF_OK;
    if (err != HF_OK)
        return err;
    b->seq = seq;
    b->process = process;
    b->recorded = recorded;
    hf_list_init(&b->in_kernel);
    if (recorded) {
        err = hf_buf_add(&b->bytes, magic, sizeof magic);
        if (err == HF_OK)
            err = hf_write_u32le(&b->bytes, 0);
        if (err == HF_OK)
            err = hf_write_u64le(&b->bytes, seq);
        if (err == HF_OK)
            err = hf_write_u64le(&b->bytes, process);
        if (err == HF_OK)
            err = hf_write_u32le(&b->bytes, 0);
    }
    if (err != HF_OK) {
        hf_batch_free(b);
        return err;
    }
    *ret = b;
    return HF_OK;
}

/* Room for one record and for the seal, so that the rest of the writing cannot fail. */
static enum hf_err begin_record(struct hf_batch *b, enum hf_record kind, size_t fixed,
                                struct hf_view body)
{
    HF_ASSERT(!b->sealed);
    if (!b->recorded)
        return HF_OK;
    if (body.len > UINT32_MAX / 2 || b->bytes.len + fixed + body.len > UINT32_MAX / 2)
        return HF_LIMIT;
    enum hf_err err = hf_buf_reserve(&b->bytes, 1 + fixed + body.len + CRC_SIZE);
    if (err == HF_OK)
        err = hf_buf_add_byte(&b->bytes, (uint8_t)kind);
    if (err == HF_OK)
        b->n_records++;
    return err;
}

static void must(enum hf_err err)
{
    HF_ASSERT(err == HF_OK); /* begin_record made the room */
}

static void put_body(struct hf_batch *b, struct hf_view body)
{
    must(hf_write_u32le(&b->bytes, (uint32_t)body.len));
    must(hf_buf_add_view(&b->bytes, body));
}

static enum hf_err put_about(struct hf_batch *b, enum hf_record kind, uint64_t id, uint32_t what,
                             struct hf_view bytes)
{
    enum hf_err err = begin_record(b, kind, 16, bytes);
    if (err != HF_OK || !b->recorded)
        return err;
    must(hf_write_u64le(&b->bytes, id));
    must(hf_write_u32le(&b->bytes, what));
    put_body(b, bytes);
    return HF_OK;
}

enum hf_err hf_batch_consume(struct hf_batch *b, uint64_t message_id, uint32_t what,
                             struct hf_view body)
{
    return put_about(b, HF_RECORD_CONSUME, message_id, what, body);
}

enum hf_err hf_batch_input(struct hf_batch *b, uint32_t kind, struct hf_view bytes)
{
    enum hf_err err = begin_record(b, HF_RECORD_INPUT, 8, bytes);
    if (err != HF_OK || !b->recorded)
        return err;
    must(hf_write_u32le(&b->bytes, kind));
    put_body(b, bytes);
    return HF_OK;
}

enum hf_err hf_batch_answer(struct hf_batch *b, uint64_t message_id, uint32_t kind,
                            struct hf_view body)
{
    return put_about(b, HF_RECORD_ANSWER, message_id, kind, body);
}

enum hf_err hf_batch_verb(struct hf_batch *b, enum hf_verb verb, uint64_t id, struct hf_view name)
{
    return put_about(b, HF_RECORD_VERB, id, (uint32_t)verb, name);
}

enum hf_err hf_batch_send(struct hf_batch *b, const struct hf_batch_sent *sent)
{
    if (sent->target.len > UINT32_MAX / 4)
        return HF_LIMIT;
    enum hf_err err = begin_record(b, HF_RECORD_SEND, 36 + sent->target.len, sent->body);
    if (err != HF_OK || !b->recorded)
        return err;
    must(hf_write_u64le(&b->bytes, sent->id));
    must(hf_write_u64le(&b->bytes, sent->under));
    must(hf_write_u64le(&b->bytes, sent->root));
    must(hf_write_u32le(&b->bytes, sent->flags));
    put_body(b, sent->target);
    put_body(b, sent->body);
    return HF_OK;
}

enum hf_err hf_batch_timer(struct hf_batch *b, uint64_t timer_id, uint64_t at_ns)
{
    enum hf_err err = begin_record(b, HF_RECORD_TIMER, 16, (struct hf_view){0});
    if (err != HF_OK || !b->recorded)
        return err;
    must(hf_write_u64le(&b->bytes, timer_id));
    must(hf_write_u64le(&b->bytes, at_ns));
    return HF_OK;
}

static void put_u32_at(struct hf_buf *buf, size_t at, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        buf->ptr[at + i] = (uint8_t)(v >> 8 * i);
}

void hf_batch_seal(struct hf_batch *b)
{
    HF_ASSERT(!b->sealed);
    b->sealed = true;
    if (!b->recorded)
        return;
    must(hf_buf_reserve(
        &b->bytes, CRC_SIZE)); /* an empty batch has no record's reserve, but a buffer's least */
    put_u32_at(&b->bytes, 4, (uint32_t)(b->bytes.len + CRC_SIZE));
    put_u32_at(&b->bytes, 24, b->n_records);
    must(hf_write_u32le(&b->bytes, hf_crc32c(0, b->bytes.ptr, b->bytes.len)));
}

void hf_batch_free(struct hf_batch *b)
{
    if (b == NULL)
        return;
    hf_list_remove(&b->in_kernel);
    hf_buf_done(&b->bytes);
    free(b);
}

uint64_t hf_batch_seq(const struct hf_batch *b)
{
    return b->seq;
}

struct hf_view hf_batch_bytes(const struct hf_batch *b)
{
    HF_ASSERT(b->sealed);
    return hf_buf_view(&b->bytes);
}

/* ---- reading ---- */

static enum hf_err check(struct hf_view bytes, struct hf_report *report)
{
    if (bytes.len < HEAD_SIZE + CRC_SIZE)
        return hf_report_set(report, HF_CORRUPT, "batch: ends at byte %zu, its head alone takes %u",
                             bytes.len, HEAD_SIZE + CRC_SIZE);
    if (memcmp(bytes.ptr, magic, 3) != 0)
        return hf_report_set(report, HF_CORRUPT,
                             "batch: no batch begins at byte 0 (it is %02x %02x %02x)",
                             bytes.ptr[0], bytes.ptr[1], bytes.ptr[2]);
    struct hf_reader r = hf_reader(hf_view_skip(bytes, 4));
    uint32_t len = hf_read_u32le(&r);
    uint64_t seq = hf_read_u64le(&r);
    if (len != bytes.len)
        return hf_report_set(report, HF_CORRUPT,
                             "batch %llu: ends at byte %zu, but byte 4 says it has %u",
                             (unsigned long long)seq, bytes.len, len);
    r = hf_reader(hf_view_skip(bytes, bytes.len - CRC_SIZE));
    uint32_t said = hf_read_u32le(&r), is = hf_crc32c(0, bytes.ptr, bytes.len - CRC_SIZE);
    if (said != is)
        return hf_report_set(report, HF_CORRUPT,
                             "batch %llu: checksum of bytes 0 to %zu is %08x, byte %zu says %08x",
                             (unsigned long long)seq, bytes.len - CRC_SIZE - 1, is,
                             bytes.len - CRC_SIZE, said);
    if (bytes.ptr[3] != VERSION)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "batch %llu: has version %u, this program reads version %u",
                             (unsigned long long)seq, bytes.ptr[3], VERSION);
    return HF_OK;
}

static bool read_record(struct hf_reader *r, struct hf_batch_record *ret)
{
    *ret = (struct hf_batch_record){.kind = (enum hf_record)hf_read_u8(r)};
    switch (ret->kind) {
    case HF_RECORD_SEND:
        ret->id = hf_read_u64le(r);
        ret->under = hf_read_u64le(r);
        ret->root = hf_read_u64le(r);
        ret->what = hf_read_u32le(r);
        ret->target = hf_read_bytes(r, hf_read_u32le(r));
        break;
    case HF_RECORD_INPUT: ret->what = hf_read_u32le(r); break;
    case HF_RECORD_CONSUME:
    case HF_RECORD_VERB:
    case HF_RECORD_ANSWER:
        ret->id = hf_read_u64le(r);
        ret->what = hf_read_u32le(r);
        break;
    case HF_RECORD_TIMER:
        ret->id = hf_read_u64le(r);
        ret->at_ns = hf_read_u64le(r);
        return !r->bad;
    default: return false;
    }
    ret->bytes = hf_read_bytes(r, hf_read_u32le(r));
    return !r->bad;
}

/* Walks the records; `each` NULL only looks. */
static enum hf_err walk(struct hf_view bytes,
                        enum hf_err (*each)(void *ctx, const struct hf_batch_record *r), void *ctx,
                        struct hf_report *report)
{
    struct hf_reader r = hf_reader(hf_view_take(bytes, bytes.len - CRC_SIZE));
    struct hf_batch_record record;
    (void)hf_read_bytes(&r, HEAD_SIZE - 4);
    uint32_t n = hf_read_u32le(&r);
    for (uint32_t i = 0; i < n; i++) {
        size_t at = hf_reader_pos(&r);
        if (!read_record(&r, &record))
            return hf_report_set(report, HF_CORRUPT,
                                 "batch: record %u of %u, at byte %zu, is none or does not fit",
                                 i + 1, n, at);
        enum hf_err err = each == NULL ? HF_OK : each(ctx, &record);
        if (err != HF_OK)
            return err;
    }
    if (hf_reader_left(&r) != 0)
        return hf_report_set(report, HF_CORRUPT,
                             "batch: %zu bytes too many behind its %u records, at byte %zu",
                             hf_reader_left(&r), n, hf_reader_pos(&r));
    return HF_OK;
}

enum hf_err hf_batch_decode(struct hf_view bytes, uint64_t *seq, uint64_t *process,
                            enum hf_err (*each)(void *ctx, const struct hf_batch_record *r),
                            void *ctx, struct hf_report *report)
{
    enum hf_err err = check(bytes, report);
    if (err == HF_OK)
        err = walk(bytes, NULL, NULL, report);
    if (err != HF_OK)
        return err;
    struct hf_reader r = hf_reader(hf_view_skip(bytes, 8));
    *seq = hf_read_u64le(&r);
    *process = hf_read_u64le(&r);
    return walk(bytes, each, ctx, report);
}
