/* wake.c - the letter queue (a linked list with its newest end exchanged atomically) and the
 * sleeper's bell.
 *
 * Posting: exchange `newest`, then link the one that was newest to the letter. Taking: cut off
 * everything at once by exchanging `newest` back to the stub, then walk. A poster caught between
 * his two steps leaves a gap in the chain; the walker waits for it, which is a few instructions
 * long unless that thread lost its CPU.
 *
 * Sleeping: the consumer raises `asleep`, then looks whether the queue is empty; a poster puts his
 * letter in, then looks at `asleep`. Both in sequentially consistent order, so at least one of them
 * sees the other. The poster who lowers the flag rings; no other does.
 *
 * The bell is an eventfd, whose value counts rings. The consumer knows how many rings it is due
 * (`owed`), so it reads the bell only when there is something to read, also when the ring comes
 * later than the letter.
 */
#include "os/wake.h"

#include <errno.h>
#include <sched.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LINE      64  /* bytes of a cache line */
#define SPINS_MAX 100 /* looks at a gap before the CPU is offered to the poster */

struct hf_wake {
    /* Posters write this at every letter. */
    alignas(LINE) _Atomic(struct hf_letter *) newest; /* &stub when empty */
    /* Posters read this at every letter; it changes only around sleep. */
    alignas(LINE) _Atomic bool asleep;
    int fd;
    _Atomic uint32_t pokes; /* rings by hf_wake_poke that are not in `owed` yet */
    /* The consumer's, but for stub.next, which the first letter's poster writes. */
    alignas(LINE) struct hf_letter stub; /* stands before the oldest letter */
    bool in_sleep;                       /* between hf_wake_sleep and hf_wake_awake */
    int64_t owed;                        /* rings begun, less rings read */
};

enum hf_err hf_wake_new(struct hf_wake **ret, struct hf_report *report)
{
    struct hf_wake *wake = aligned_alloc(LINE, sizeof *wake);
    if (wake == NULL)
        return hf_report_set(report, HF_LIMIT, "letter queue: out of memory");
    memset(wake, 0, sizeof *wake);
    atomic_init(&wake->newest, &wake->stub);
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake->fd < 0) {
        int number = errno;
        free(wake);
        return hf_report_set(report, HF_LIMIT, "letter queue: eventfd: %s", strerror(number));
    }
    *ret = wake;
    return HF_OK;
}

void hf_wake_free(struct hf_wake *wake)
{
    if (wake == NULL)
        return;
    HF_ASSERT(atomic_load(&wake->newest) == &wake->stub);
    close(wake->fd);
    free(wake);
}

static void ring(struct hf_wake *wake)
{
    const uint64_t one = 1;
    ssize_t n;
    do
        n = write(wake->fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    HF_ASSERT(n == (ssize_t)sizeof one); /* it fails only at 2^64 rings unread */
}

static inline void post(struct hf_wake *wake, struct hf_letter *first, struct hf_letter *last)
{
    atomic_store_explicit(&last->next, NULL, memory_order_relaxed);
    struct hf_letter *before = atomic_exchange(&wake->newest, last);
    atomic_store_explicit(&before->next, first, memory_order_release);
    if (HF_UNLIKELY(atomic_load(&wake->asleep)) && atomic_exchange(&wake->asleep, false))
        ring(wake);
}

void hf_wake_post(struct hf_wake *wake, struct hf_letter *letter)
{
    post(wake, letter, letter);
}

void hf_letters_add(struct hf_letters *letters, struct hf_letter *letter)
{
    if (letters->first == NULL)
        letters->first = letter;
    else
        atomic_store_explicit(&letters->last->next, letter, memory_order_relaxed);
    letters->last = letter;
}

void hf_wake_post_all(struct hf_wake *wake, struct hf_letters *letters)
{
    if (letters->first != NULL)
        post(wake, letters->first, letters->last);
    *letters = (struct hf_letters){0};
}

/* The letter behind `letter`, which is known to have one. */
static struct hf_letter *next_letter(struct hf_letter *letter)
{
    for (unsigned spins = 0;; spins++) {
        struct hf_letter *next = atomic_load_explicit(&letter->next, memory_order_acquire);
        if (HF_LIKELY(next != NULL))
            return next;
        if (spins >= SPINS_MAX)
            sched_yield();
    }
}

size_t hf_wake_take_all(struct hf_wake *wake, void (*each)(void *ctx, struct hf_letter *letter),
                        void *ctx)
{
    struct hf_letter *letter = atomic_load_explicit(&wake->stub.next, memory_order_acquire);
    if (letter == NULL) /* empty, or the first letter's poster is between his steps */
        return 0;
    atomic_store_explicit(&wake->stub.next, NULL, memory_order_relaxed);
    struct hf_letter *last = atomic_exchange(&wake->newest, &wake->stub);

    size_t n = 1;
    for (; letter != last; n++) {
        struct hf_letter *next = next_letter(letter);
        each(ctx, letter); /* the letter is his now, and may be gone */
        letter = next;
    }
    each(ctx, last);
    return n;
}

static void deliver(void *ctx, struct hf_letter *letter)
{
    (void)ctx;
    letter->deliver(letter);
}

size_t hf_wake_deliver_all(struct hf_wake *wake)
{
    return hf_wake_take_all(wake, deliver, NULL);
}

/* Lowers the flag; when a poster was faster, his ring is due. */
static void lower(struct hf_wake *wake)
{
    if (!atomic_exchange(&wake->asleep, false))
        wake->owed++;
}

bool hf_wake_sleep(struct hf_wake *wake)
{
    HF_ASSERT(!wake->in_sleep);
    atomic_store(&wake->asleep, true);
    if (atomic_load(&wake->newest) == &wake->stub) {
        wake->in_sleep = true;
        return true;
    }
    lower(wake);
    if (atomic_load_explicit(&wake->stub.next, memory_order_relaxed) == NULL)
        sched_yield(); /* the letter is not takeable yet: let its poster finish */
    return false;
}

void hf_wake_awake(struct hf_wake *wake)
{
    if (wake->in_sleep) {
        wake->in_sleep = false;
        lower(wake);
    }
    if (atomic_load_explicit(&wake->pokes, memory_order_relaxed) != 0)
        wake->owed += atomic_exchange_explicit(&wake->pokes, 0, memory_order_relaxed);
    uint64_t rings;
    if (wake->owed > 0 && read(wake->fd, &rings, sizeof rings) == (ssize_t)sizeof rings)
        wake->owed -= (int64_t)rings;
}

int hf_wake_fd(const struct hf_wake *wake)
{
    return wake->fd;
}

void hf_wake_poke(struct hf_wake *wake)
{
    int saved = errno; /* the interrupted code's */
    atomic_fetch_add_explicit(&wake->pokes, 1, memory_order_relaxed);
    ring(wake);
    errno = saved;
}
