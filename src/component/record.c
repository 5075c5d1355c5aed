/* record.c - see record.h: the format of records, reader and writer, and the recorder. */
#include "component/record.h"

#include <stdlib.h>

#include "component/value_bytes.h"

static const char magic[] = "hfrec";

#define KIND_MAX HF_CROSS_DROP_GUEST
#define END_BASE 15 /* + enum hf_record_end */

/* ---- writing ---- */

enum hf_err hf_record_write_header(struct hf_buf *out, const uint8_t hash[32])
{
    static const uint8_t versions[3] = {HF_RECORD_VERSION, HF_VALUE_BYTES_VERSION, 0};
    enum hf_err err = hf_buf_add(out, magic, sizeof magic - 1);
    if (err == HF_OK)
        err = hf_buf_add(out, versions, sizeof versions);
    return err != HF_OK ? err : hf_buf_add(out, hash, 32);
}

enum hf_err hf_record_write_begin(struct hf_buf *out, const struct hf_crossing *x)
{
    enum hf_err err = hf_buf_add_byte(out, (uint8_t)(1 + x->kind));
    if (err == HF_OK)
        err = hf_write_leb_u32(out, x->ci);
    if (err == HF_OK)
        err = hf_write_name(out, x->iface);
    if (err == HF_OK)
        err = hf_write_name(out, x->func);
    return err != HF_OK ? err : hf_write_name(out, x->args);
}

enum hf_err hf_record_write_end(struct hf_buf *out, const struct hf_crossing *x)
{
    enum hf_record_end end = x->err == HF_OK          ? HF_RECORD_OK
                             : x->err == HF_CANCELLED ? HF_RECORD_CANCELLED
                                                      : HF_RECORD_TRAP;
    enum hf_err err = hf_buf_add_byte(out, (uint8_t)(END_BASE + end));
    return err != HF_OK ? err : hf_write_name(out, end == HF_RECORD_OK ? x->result : x->text);
}

/* ---- reading ---- */

enum hf_err hf_record_open(struct hf_record_reader *r, struct hf_view record, const uint8_t **hash,
                           struct hf_report *report)
{
    if (record.len < HF_RECORD_HEADER_LEN || !hf_view_starts(record, hf_view_of(magic)))
        return hf_report_set(report, HF_INVALID, "this is not a record");
    const uint8_t *version = record.ptr + sizeof magic - 1;
    if (version[0] != HF_RECORD_VERSION || version[1] != HF_VALUE_BYTES_VERSION || version[2] != 0)
        return hf_report_set(
            report, HF_INVALID, "the record has version %u.%u.%u; this program reads %u.%u.0",
            version[0], version[1], version[2], HF_RECORD_VERSION, HF_VALUE_BYTES_VERSION);
    *hash = record.ptr + HF_RECORD_HEADER_LEN - 32;
    *r = (struct hf_record_reader){.record = record, .at = HF_RECORD_HEADER_LEN};
    return HF_OK;
}

static bool read_begin(struct hf_reader *r, uint8_t tag, struct hf_record_entry *ret)
{
    ret->kind = (enum hf_crossing_kind)(tag - 1);
    ret->ci = hf_read_leb_u32(r);
    ret->iface = hf_read_name(r);
    ret->func = hf_read_name(r);
    ret->bytes = hf_read_name(r);
    return !r->bad;
}

static bool read_end(struct hf_reader *r, uint8_t tag, struct hf_record_entry *ret)
{
    ret->end = (enum hf_record_end)(tag - END_BASE);
    ret->bytes = hf_read_name(r);
    return !r->bad;
}

enum hf_err hf_record_next(struct hf_record_reader *rr, struct hf_record_entry *ret,
                           struct hf_report *report)
{
    struct hf_reader r = hf_reader(hf_view_skip(rr->record, rr->at));
    if (hf_reader_left(&r) == 0)
        return HF_CLOSED;
    *ret = (struct hf_record_entry){.number = rr->number, .at = rr->at};
    uint8_t tag = hf_read_u8(&r);
    bool ok = false;
    if (tag >= 1 && tag <= 1 + KIND_MAX)
        ok = read_begin(&r, tag, ret);
    else if (tag > END_BASE && tag <= END_BASE + HF_RECORD_CANCELLED)
        ok = read_end(&r, tag, ret);
    if (!ok)
        return hf_report_set(report, HF_CORRUPT,
                             "entry %llu at byte %zu of the record is damaged or cut off",
                             (unsigned long long)rr->number, rr->at);
    rr->at += hf_reader_pos(&r);
    rr->number++;
    return HF_OK;
}

/* ---- the recorder ---- */

struct hf_recorder {
    struct hf_buf log;
    uint64_t max;
};

/* An entry is in the log as a whole or not at all. */
static enum hf_err append(struct hf_recorder *rec, struct hf_call *call,
                          enum hf_err (*write)(struct hf_buf *, const struct hf_crossing *),
                          const struct hf_crossing *x)
{
    size_t before = rec->log.len;
    enum hf_err err = write(&rec->log, x);
    if (err == HF_OK && rec->log.len <= rec->max)
        return HF_OK;
    rec->log.len = before;
    return call == NULL ? HF_LIMIT
                        : hf_call_trap(call,
                                       "limit: the record is full with %zu bytes, at most "
                                       "%llu",
                                       before, (unsigned long long)rec->max);
}

static enum hf_err on_before(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    return append(ctx, call, hf_record_write_begin, x);
}

static enum hf_err on_after(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    return append(ctx, call, hf_record_write_end, x);
}

static const struct hf_hook recording = {on_before, on_after};

enum hf_err hf_recorder_new(struct hf_instance *inst, uint64_t bytes_max, struct hf_recorder **ret)
{
    struct hf_recorder *rec = calloc(1, sizeof *rec);
    if (rec == NULL)
        return HF_LIMIT;
    rec->max = bytes_max == 0 ? UINT64_MAX : bytes_max;
    enum hf_err err =
        hf_record_write_header(&rec->log, hf_component_hash(hf_instance_component(inst)));
    if (err == HF_OK)
        err = hf_instance_set_hook(inst, &recording, rec);
    if (err != HF_OK) {
        hf_recorder_free(rec);
        return err;
    }
    *ret = rec;
    return HF_OK;
}

struct hf_view hf_recorder_bytes(const struct hf_recorder *rec)
{
    return hf_buf_view(&rec->log);
}

void hf_recorder_free(struct hf_recorder *rec)
{
    if (rec == NULL)
        return;
    hf_buf_done(&rec->log);
    free(rec);
}
