/* wait.h - one kind of waitable for timers, streams, messages, answers and vows.
 *
 * A `wait` is a source of readiness, level-triggered: it is ready or it is not. A `waiter` is one
 * registration of interest in it (a pollable, a connection's sink), made once and kept between
 * polls. A `waitset` belongs to who waits (a process, a connection): waiters that are ready stand
 * in its ready list, so that finding them costs O(ready), and `wake` is called once when something
 * becomes ready while the set is parked.
 *
 * All O(1), nothing allocates, one thread. Freeing order is free: a wait that goes away disarms its
 * waiters as "ready for ever" (design poll: errors and end count as ready).
 */
#ifndef HF_KERNEL_WAIT_H
#define HF_KERNEL_WAIT_H

#include "base/list.h"

struct hf_waitset;
struct hf_wait {
    struct hf_list waiters;
    bool ready;
};
struct hf_waiter {
    struct hf_list in_wait, in_ready;
    struct hf_wait *wait; /* NULL: its source is gone, counts as ready */
    struct hf_waitset *set;
    uint64_t stamp; /* the set's stamp when the owner last listed it in a poll */
    uint32_t first; /* for the owner: first position in that poll */
};
struct hf_waitset {
    struct hf_list ready; /* of hf_waiter.in_ready */
    /* Called at most once per park. It may read, park, unpark, arm, disarm, fire, and free waits;
     * it may free no set that is parked (unpark it first). NULL: nobody is called, the owner polls.
     */
    void (*wake)(struct hf_waitset *set);
    uint64_t stamp;         /* polls count it up; 0 = every waiter is of interest */
    bool parked, selective; /* selective: only waiters with the current stamp wake it */
    struct hf_list waking;  /* private: its wake is due */
};

void hf_wait_init(struct hf_wait *wait, bool ready);
void hf_wait_done(struct hf_wait *wait);  /* waiters become ready for ever, wait = NULL */
void hf_wait_fire(struct hf_wait *wait);  /* ready now; wakes parked sets */
void hf_wait_clear(struct hf_wait *wait); /* not ready any more */
static inline void hf_wait_set(struct hf_wait *wait, bool ready)
{
    if (ready != wait->ready) {
        if (ready)
            hf_wait_fire(wait);
        else
            hf_wait_clear(wait);
    }
}

void hf_waitset_init(struct hf_waitset *set, void (*wake)(struct hf_waitset *set));
/* Registers / unregisters. A waiter is zeroes or disarmed when armed, and must be disarmed before
 * it or its set is freed. Disarm twice is fine, and on zeroes. The stamp is the owner's: arming
 * leaves it. */
void hf_waiter_arm(struct hf_waiter *w, struct hf_wait *wait, struct hf_waitset *set);
void hf_waiter_disarm(struct hf_waiter *w);
static inline bool hf_waiter_ready(const struct hf_waiter *w)
{
    return w->wait == NULL || w->wait->ready;
}
/* Park: from now on the next readiness (of a stamped waiter, if selective) calls wake once. Returns
 * false, not parked, when something of interest is ready already. unpark: quiet again. */
bool hf_waitset_park(struct hf_waitset *set, bool selective);
void hf_waitset_unpark(struct hf_waitset *set);

#endif
