/* record.h - what passed the membrane of one instance, as a log of bytes: written while it runs,
 * compared and answered from when it runs again without a host.
 *
 * A record is a header and entries, one behind the other:
 *
 *   header   "hfrec", version of this format (1), version of value bytes, 0; SHA-256 of the
 * component begin    1 + kind (enum hf_crossing_kind), component instance (LEB), interface,
 * function, arguments (each: length as LEB, bytes) end      16 result bytes, 17 text of a trap, 18
 * cancelled with its text (length, bytes)
 *
 * Imports and drops stand inside the call of an export, or the start, that they happened in; they
 * contain nothing themselves, so their end follows at once. A record that stops between begin and
 * end was cut off while the host worked: whether it did is not known.
 *
 * What is not in it: putting the instance back to an image (do not, while it is recorded), and calls of
 * host functions that a component only exports again (no guest is in them).
 *
 * Not here: keeping a record on disk (the store checks its bytes), or going on alive when it ends.
 * Not thread-safe: a recorder or replay belongs to the thread of its instance.
 */
#ifndef HF_COMPONENT_RECORD_H
#define HF_COMPONENT_RECORD_H

#include "component/call.h"

#define HF_RECORD_VERSION    1
#define HF_RECORD_HEADER_LEN 40

/* ---- the format ---- */

enum hf_record_end { HF_RECORD_NOT_END, HF_RECORD_OK, HF_RECORD_TRAP, HF_RECORD_CANCELLED };
struct hf_record_entry {    /* views look into the record */
    uint64_t number;        /* from 0 */
    size_t at;              /* offset in the record */
    enum hf_record_end end; /* NOT_END: it is a begin */
    enum hf_crossing_kind kind;
    uint32_t ci;
    struct hf_view iface, func, bytes; /* bytes: arguments, result or text */
};
enum hf_err hf_record_write_header(struct hf_buf *out, const uint8_t hash[32]);
enum hf_err hf_record_write_begin(struct hf_buf *out, const struct hf_crossing *x);
enum hf_err hf_record_write_end(struct hf_buf *out, const struct hf_crossing *x);

struct hf_record_reader {
    struct hf_view record;
    size_t at;
    uint64_t number; /* of the next entry */
};
/* HF_INVALID: no record, another version (the report says which). *hash: of the component. */
enum hf_err hf_record_open(struct hf_record_reader *r, struct hf_view record, const uint8_t **hash,
                           struct hf_report *report);
/* The next entry. HF_CLOSED: there is none. HF_CORRUPT: what stands there is none (with the place).
 */
enum hf_err hf_record_next(struct hf_record_reader *r, struct hf_record_entry *ret,
                           struct hf_report *report);

/* ---- recording ---- */

struct hf_recorder;
/* Sets the hook of `inst`, before or after its start. Past bytes_max (0: no bound) the guest traps
 * at its next import. HF_LIMIT: memory is out. */
enum hf_err hf_recorder_new(struct hf_instance *inst, uint64_t bytes_max, struct hf_recorder **ret);
/* The record so far; good until the instance runs again. */
struct hf_view hf_recorder_bytes(const struct hf_recorder *rec);
/* Only when the instance is freed, or at rest or dead and never run again: freeing one that waits
 * still tells the recorder how it ended. NULL is fine. */
void hf_recorder_free(struct hf_recorder *rec);

/* ---- replaying (replay.c) ---- */

struct hf_replay;
/* Sets the hook of `inst`: a new instance that was not started, of the recorded component (another
 * one is HF_INVALID unless `any_code`: to see whether new code does the same). The record must
 * outlive the replay. */
enum hf_err hf_replay_new(struct hf_instance *inst, struct hf_view record, bool any_code,
                          struct hf_replay **ret, struct hf_report *report);
void hf_replay_free(struct hf_replay *rp); /* as hf_recorder_free */
/* Begins what the host did next in the record: the start, the call of an export, a drop. Then poll
 * the instance to its end, which is the recorded one: HF_OK, HF_TRAP, HF_CANCELLED. HF_CLOSED: the
 * record is used up. HF_UNSUPPORTED: arguments hold owned resources of a guest. HF_INVALID: no such
 * export, or the instance diverged. */
enum hf_err hf_replay_next(struct hf_replay *rp, struct hf_report *report);
/* NULL, or how the run differs from the record: number and offset of the entry, what is recorded
 * there, what the guest did instead. The first difference ends the guest (a trap). HF_INVALID: it
 * did something else; HF_CLOSED: it did more than is recorded; HF_UNKNOWN: the record was cut off
 * while the host worked; HF_CORRUPT: the record is damaged. */
const struct hf_report *hf_replay_difference(const struct hf_replay *rp);
uint64_t hf_replay_entries(const struct hf_replay *rp); /* how many fitted */
/* Told of each answered crossing, after the comparison; to see what would have left (tests). */
typedef void (*hf_replay_watch_fn)(void *ctx, const struct hf_record_entry *begin);
void hf_replay_watch(struct hf_replay *rp, hf_replay_watch_fn fn, void *ctx);

#endif
