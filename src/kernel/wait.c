/* wait.c - sources of readiness, the waiters on them, and the sets that waiters report to (wait.h).
 *
 * Firing is done in two passes: first every waiter is put into its set's ready list, then the
 * parked sets among those are woken. In the second pass nothing of the wait is touched any more, so
 * a wake may do what it likes with it, also free it.
 *
 * A set that is to be woken hangs in a list on the stack of who fired; parking or unparking it
 * takes it out, so that a wake is never late for a park that is over.
 */
#include "kernel/wait.h"

void hf_wait_init(struct hf_wait *wait, bool ready)
{
    hf_list_init(&wait->waiters);
    wait->ready = ready;
}

static bool is_of_interest(const struct hf_waitset *set, const struct hf_waiter *w)
{
    return !set->selective || set->stamp == 0 || w->stamp == set->stamp;
}

static void became_ready(struct hf_waiter *w, struct hf_list *wakes)
{
    struct hf_waitset *set = w->set;
    if (!hf_list_linked(&w->in_ready))
        hf_list_push_back(&set->ready, &w->in_ready);
    if (set->parked && is_of_interest(set, w)) {
        set->parked = false;
        hf_list_push_back(wakes, &set->waking);
    }
}

static void wake_all(struct hf_list *wakes)
{
    for (struct hf_list *n; (n = hf_list_pop_front(wakes)) != NULL;) {
        struct hf_waitset *set = HF_LIST_ENTRY(n, struct hf_waitset, waking);
        if (set->wake != NULL)
            set->wake(set);
    }
}

void hf_wait_fire(struct hf_wait *wait)
{
    struct hf_list wakes;

    if (wait->ready)
        return;
    wait->ready = true;
    hf_list_init(&wakes);
    HF_LIST_FOR(n, &wait->waiters)
    {
        became_ready(HF_LIST_ENTRY(n, struct hf_waiter, in_wait), &wakes);
    }
    wake_all(&wakes);
}

void hf_wait_clear(struct hf_wait *wait)
{
    if (!wait->ready)
        return;
    wait->ready = false;
    HF_LIST_FOR(n, &wait->waiters)
    {
        hf_list_remove(&HF_LIST_ENTRY(n, struct hf_waiter, in_wait)->in_ready);
    }
}

void hf_wait_done(struct hf_wait *wait)
{
    struct hf_list wakes;

    if (wait->waiters.next == NULL) /* never initialised */
        return;
    wait->ready = true;
    hf_list_init(&wakes);
    for (struct hf_list *n; (n = hf_list_pop_front(&wait->waiters)) != NULL;) {
        struct hf_waiter *w = HF_LIST_ENTRY(n, struct hf_waiter, in_wait);
        w->wait = NULL;
        became_ready(w, &wakes);
    }
    wake_all(&wakes);
}

void hf_waitset_init(struct hf_waitset *set, void (*wake)(struct hf_waitset *set))
{
    *set = (struct hf_waitset){.wake = wake};
    hf_list_init(&set->ready);
    hf_list_init(&set->waking);
}

void hf_waiter_arm(struct hf_waiter *w, struct hf_wait *wait, struct hf_waitset *set)
{
    struct hf_list wakes;

    HF_ASSERT(w->set == NULL);
    w->wait = wait;
    w->set = set;
    hf_list_init(&w->in_ready);
    hf_list_push_back(&wait->waiters, &w->in_wait);
    if (wait->ready) {
        hf_list_init(&wakes);
        became_ready(w, &wakes);
        wake_all(&wakes);
    }
}

void hf_waiter_disarm(struct hf_waiter *w)
{
    hf_list_remove(&w->in_wait);
    hf_list_remove(&w->in_ready);
    w->wait = NULL;
    w->set = NULL;
}

bool hf_waitset_park(struct hf_waitset *set, bool selective)
{
    set->selective = selective;
    set->parked = false;
    hf_list_remove(&set->waking);
    HF_LIST_FOR(n, &set->ready)
    {
        if (is_of_interest(set, HF_LIST_ENTRY(n, struct hf_waiter, in_ready)))
            return false;
    }
    set->parked = true;
    return true;
}

void hf_waitset_unpark(struct hf_waitset *set)
{
    set->parked = false;
    hf_list_remove(&set->waking);
}
