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
/* what: enum hf_message_kind (turn.h); instances of a pool consume requests only. */
enum hf_err hf_batch_consume(struct hf_batch *b, uint64_t message_id, uint32_t what,
                             struct hf_view body);
enum hf_err hf_batch_input(struct hf_batch *b, uint32_t kind, struct hf_view bytes);
enum hf_err hf_batch_answer(struct hf_batch *b, uint64_t message_id, uint32_t kind,
                            struct hf_view body);
enum hf_err hf_batch_timer(struct hf_batch *b, uint64_t timer_id, uint64_t at_ns);
#define HF_SENT_WANTS_ANSWER 1u
#define HF_SENT_BLOB         2u /* has one: explicit or inherited */
#define HF_SENT_AWAITED      4u
struct hf_batch_sent {
    uint64_t id, under, root; /* kept under it; whose answer it will make (a forward); 0: none */
    uint32_t flags;
    struct hf_view target, body;
};
enum hf_err hf_batch_send(struct hf_batch *b, const struct hf_batch_sent *sent);
/* What else a turn of a named process did (message.h). Persistent numbers. */
enum hf_verb {
    HF_VERB_CANCEL = 1,     /* id of the request */
    HF_VERB_DEFER = 2,      /* the token */
    HF_VERB_DROP_TOKEN = 3, /* the token */
    HF_VERB_SPAWN = 4,      /* name of the child */
    HF_VERB_STOP = 5,       /* of a child */
    HF_VERB_KILL = 6,       /* of a child */
    HF_VERB_MONITOR = 7,    /* id of the watch, name */
    HF_VERB_LINK = 8,       /* the same */
    HF_VERB_UNWATCH = 9,    /* id of the watch */
    HF_VERB_KEEP = 10,      /* the capability's name */
    HF_VERB_DROP = 11,      /* the same */
    HF_VERB_CLEAR_TIMER = 12
};
enum hf_err hf_batch_verb(struct hf_batch *b, enum hf_verb verb, uint64_t id, struct hf_view name);
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
    HF_RECORD_TIMER = 4,
    HF_RECORD_SEND = 5,
    HF_RECORD_VERB = 6
};
struct hf_batch_record {
    enum hf_record kind;
    uint64_t id;           /* message, timer; of a verb */
    uint32_t what;         /* kind of message, input or answer; flags of a send; verb */
    uint64_t at_ns;        /* timer */
    uint64_t under, root;  /* send */
    struct hf_view target; /* send */
    struct hf_view bytes;  /* body; name of a verb */
};
enum hf_err hf_batch_decode(struct hf_view bytes, uint64_t *seq, uint64_t *process,
                            enum hf_err (*each)(void *ctx, const struct hf_batch_record *r),
                            void *ctx, struct hf_report *report);

#endif
