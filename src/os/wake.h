/* wake.h - letters between threads: many post, one takes; the taker is woken only when it sleeps.
 *
 * An intrusive multi-producer single-consumer queue (after Vyukov) beside an eventfd that the
 * consumer's poller watches. Letters of one sender arrive in the order posted. A system call is
 * made only when the consumer said it sleeps.
 */
#ifndef HF_OS_WAKE_H
#define HF_OS_WAKE_H

#include <stdatomic.h>

#include "base/err.h"

struct hf_letter { /* embed it; belongs to the queue from post until taken */
    _Atomic(struct hf_letter *) next;
    /* What the consumer does with it (hf_wake_deliver_all); the letter may be gone after. */
    void (*deliver)(struct hf_letter *letter);
};
struct hf_wake;

enum hf_err hf_wake_new(struct hf_wake **ret, struct hf_report *report);
/* The queue must be empty (take_all first), posters and pokers gone. NULL is fine. */
void hf_wake_free(struct hf_wake *wake);
/* Any thread. */
void hf_wake_post(struct hf_wake *wake, struct hf_letter *letter);
/* Letters for one queue that are posted together: the sleeper is woken once they all are there, not
 * by the first, on whose CPU it would take the poster's place. Zeroed: empty. */
struct hf_letters {
    struct hf_letter *first, *last;
};
void hf_letters_add(struct hf_letters *letters, struct hf_letter *letter); /* to the end */
/* Any thread. They are empty after; posting none does nothing. */
void hf_wake_post_all(struct hf_wake *wake, struct hf_letters *letters);
/* Consumer only: calls `each` for every letter that is there now, in order; returns how many. */
size_t hf_wake_take_all(struct hf_wake *wake, void (*each)(void *ctx, struct hf_letter *letter),
                        void *ctx);
/* The same, calling each letter's own `deliver`: a loop needs to know none of those who write to it. */
size_t hf_wake_deliver_all(struct hf_wake *wake);
/* Consumer only, around its wait: true = go to sleep (poll the fd), false = letters came in
 * meanwhile: take_all. After true comes hf_wake_awake, before anything else. */
bool hf_wake_sleep(struct hf_wake *wake);
/* Consumer only, after waking for whatever reason, and whenever the fd was reported readable:
 * clears the flag and the fd. A system call only when a ring is due. */
void hf_wake_awake(struct hf_wake *wake);
int hf_wake_fd(const struct hf_wake *wake); /* readable when a letter woke a sleeper */
/* Any thread, async-signal-safe: wakes the consumer without a letter. */
void hf_wake_poke(struct hf_wake *wake);

#endif
