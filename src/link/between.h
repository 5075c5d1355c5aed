/* between.h - requests from one worker's kernel to another's: how a singleton is reached from
 * everywhere.
 *
 * Each worker has one hf_between. A class that lives on another worker is added to this one's
 * kernel as a remote class (kernel/remote.h) whose messages go over as letters; bodies that are
 * complete go with the letter, not copied (kernel/blob_share.h), others by a carry (carry.h). Everything comes back: the
 * answer with its letter, and memory to who made it.
 */
#ifndef HF_LINK_BETWEEN_H
#define HF_LINK_BETWEEN_H

#include "kernel/remote.h"
#include "link/carry.h"

struct hf_between;
enum hf_err hf_between_new(struct hf_kernel *k, struct hf_wake *wake, size_t window,
                           struct hf_between **ret);
/* Requests to `name` go to the class that has that name in `there` when they arrive. Settings as
 * kernel/remote.h, whose ops and ctx are filled in here; *ret as there. */
enum hf_err hf_between_add(struct hf_between *b, const char *name, struct hf_between *there,
                           const struct hf_remote_settings *s, struct hf_class **ret,
                           struct hf_report *report);
/* Once per turn of the loop. */
void hf_between_flush(struct hf_between *b);
bool hf_between_busy(const struct hf_between *b);
/* Requests of others in hand here, or of ours elsewhere. */
bool hf_between_idle(const struct hf_between *b);
/* For who carries bodies to and from this worker beside it; lent. */
struct hf_carrier *hf_between_carrier(struct hf_between *b);
/* The end, when no loop runs any more: stop every worker's, free every kernel, deliver every
 * worker's letters, free every worker's. NULL is fine. */
void hf_between_stop(struct hf_between *b);
void hf_between_free(struct hf_between *b);

#endif
