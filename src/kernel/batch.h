/* batch.h - what one segment of a turn did, as one unit: records for the store, effects held until
 * it is acknowledged.
 *
 * A batch of a class that is not recorded has no bytes and is acknowledged when sealed. The bytes
 * of a recorded one are persistent: version and golden test, reader and writer in batch.c,
 * described at its top.
 */
#ifndef HF_KERNEL_BATCH_H
#define HF_KERNEL_BATCH_H

#include "base/bytes.h"

struct hf_batch;

/* Building, by the kernel's turns only. */
enum hf_err hf_batch_begin(uint64_t seq, uint64_t process, bool recorded, struct hf_batch **ret);
enum hf_err hf_batch_consume(struct hf_batch *b, uint64_t message_id, struct hf_view body);
enum hf_err hf_batch_input(struct hf_batch *b, uint32_t kind, struct hf_view bytes);
enum hf_err hf_batch_answer(struct hf_batch *b, uint64_t message_id, uint32_t kind,
                            struct hf_view body);
enum hf_err hf_batch_timer(struct hf_batch *b, uint64_t timer_id, uint64_t at_ns);
void hf_batch_seal(struct hf_batch *b); /* nothing may be added after; CRC32C over the whole */
void hf_batch_free(struct hf_batch *b);

/* For the store. */
uint64_t hf_batch_seq(const struct hf_batch *b);
struct hf_view hf_batch_bytes(const struct hf_batch *b); /* sealed */

/* Reading back: walks records; HF_CORRUPT with the place. First all is checked, then `each` is
 * called for every record in order; its error ends the walk and is returned. HF_UNSUPPORTED: sound
 * bytes of a version this program does not know. */
enum hf_record {
    HF_RECORD_CONSUME = 1,
    HF_RECORD_INPUT = 2,
    HF_RECORD_ANSWER = 3,
    HF_RECORD_TIMER = 4
};
struct hf_batch_record {
    enum hf_record kind;
    uint64_t id;    /* message, timer */
    uint32_t what;  /* input or answer kind */
    uint64_t at_ns; /* timer */
    struct hf_view bytes;
};
enum hf_err hf_batch_decode(struct hf_view bytes, uint64_t *seq, uint64_t *process,
                            enum hf_err (*each)(void *ctx, const struct hf_batch_record *r),
                            void *ctx, struct hf_report *report);

#endif
