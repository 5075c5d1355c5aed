/* ends.h - why instances ended: counted by reason, said in the log without flooding it, summed up
 * when the node stops.
 *
 * One a service and worker. A reason is said at its first time; after that at most once a second,
 * with how many there were meanwhile. Its worker's thread; the sum is read when no worker runs.
 */
#ifndef HF_NODE_ENDS_H
#define HF_NODE_ENDS_H

#include "kernel/kernel.h"
#include "node/log.h"

#define HF_ENDS_MAX 16u /* reasons: static texts of ours; more than that share the last */

struct hf_ends {
    struct hf_log *log; /* NULL: nothing is said, only counted */
    const char *service;
    struct {
        const char *why;
        uint64_t n, unsaid, say_ns;
    } reasons[HF_ENDS_MAX];
};
void hf_ends_init(struct hf_ends *e, const char *service, struct hf_log *log);
void hf_ends_note(void *ends, const struct hf_ended *ended); /* hf_class_settings.ended */
/* Adds `from`'s counts. */
void hf_ends_add(struct hf_ends *to, const struct hf_ends *from);
/* "3 max-requests, 1 idle"; empty when none ended. */
void hf_ends_text(const struct hf_ends *e, struct hf_buf *ret);

#endif
