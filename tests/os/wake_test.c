/* wake_test.c - letters between threads: none lost, none twice, each sender's in order, and no
 * sleep missed.
 *
 * Meant for TSan as much as for itself: the letters carry plain fields that the queue must hand
 * over properly.
 */
#include "os/wake.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#define SLEEP_MAX_MS 10000 /* a missed wake-up shows as this */

struct letter {
    struct hf_letter link;
    unsigned sender;
    uint64_t number; /* 0, 1, 2... of one sender */
};

enum { SENDERS = 4, EACH = 50000, LAP = 5000 };

struct post_office {
    struct hf_wake *wake;
    uint64_t next[SENDERS]; /* the number due from each; the consumer's */
    _Atomic size_t taken;
    _Atomic unsigned sending;
    pthread_barrier_t lap;
};

struct sender {
    struct post_office *office;
    unsigned index;
    pthread_t thread;
};

static bool readable(struct hf_wake *wake, int wait_ms)
{
    struct pollfd asked = {.fd = hf_wake_fd(wake), .events = POLLIN};
    return poll(&asked, 1, wait_ms) == 1;
}

static struct hf_wake *must_new(void)
{
    struct hf_wake *wake = NULL;
    assert_int_equal(hf_wake_new(&wake, NULL), HF_OK);
    return wake;
}

static void pause_ns(long ns)
{
    const struct timespec t = {0, ns};
    nanosleep(&t, NULL);
}

static void *send_letters(void *arg)
{
    struct sender *s = arg;
    struct hf_letters together = {0};
    for (uint64_t n = 0; n < EACH; n++) {
        struct letter *letter = malloc(sizeof *letter);
        letter->sender = s->index;
        letter->number = n;
        if (s->index % 2 == 0) {
            hf_wake_post(s->office->wake, &letter->link);
        } else { /* 1 to 10 of them at a time, and what is left at the end of a lap */
            hf_letters_add(&together, &letter->link);
            if (n % 10 < n / 10 % 10 || n % LAP == LAP - 1)
                hf_wake_post_all(s->office->wake, &together);
        }
        if (n % LAP != LAP - 1)
            continue;
        /* Between laps all is taken and nobody posts: the consumer falls asleep. */
        pthread_barrier_wait(&s->office->lap);
        while (atomic_load(&s->office->taken) < SENDERS * (n + 1))
            pause_ns(50000);
        pause_ns(1000000 + 200000 * s->index);
    }
    atomic_fetch_sub(&s->office->sending, 1);
    hf_wake_poke(s->office->wake);
    return NULL;
}

static void take(void *ctx, struct hf_letter *link)
{
    struct post_office *office = ctx;
    struct letter *letter = HF_CONTAINER_OF(link, struct letter, link);
    if (letter->sender >= SENDERS || letter->number != office->next[letter->sender])
        fail_msg("letter %llu of %u out of order", (unsigned long long)letter->number,
                 letter->sender);
    office->next[letter->sender]++;
    atomic_fetch_add(&office->taken, 1);
    free(letter); /* the queue must not touch it any more */
}

static void four_senders_order_kept_nothing_lost(void **state)
{
    (void)state;
    struct post_office office = {.wake = must_new(), .sending = SENDERS};
    struct sender senders[SENDERS];
    assert_int_equal(pthread_barrier_init(&office.lap, NULL, SENDERS), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.office = &office, .index = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_letters, &senders[i]), 0);
    }
    size_t sleeps = 0, batches = 0;
    for (;;) {
        bool more = atomic_load(&office.sending) > 0;
        batches += hf_wake_take_all(office.wake, take, &office) > 0;
        if (!more && office.taken == (size_t)SENDERS * EACH)
            break;
        if (!hf_wake_sleep(office.wake))
            continue;
        sleeps++;
        bool woken = readable(office.wake, SLEEP_MAX_MS);
        hf_wake_awake(office.wake);
        if (!woken)
            fail_msg("slept through it: %zu of %d taken", (size_t)office.taken, SENDERS * EACH);
    }
    for (unsigned i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
    assert_int_equal(hf_wake_take_all(office.wake, take, &office), 0);
    for (unsigned i = 0; i < SENDERS; i++)
        assert_int_equal(office.next[i], EACH);
    assert_true(sleeps > 0 && batches > 1);
    pthread_barrier_destroy(&office.lap);
    /* Every ring was read: at rest the bell is silent. */
    hf_wake_awake(office.wake);
    assert_false(readable(office.wake, 0));
    hf_wake_free(office.wake);
}

/* Two threads hand one letter to and fro: every hand-over passes through sleep, so a lost wake-up
 * cannot hide. */
struct table_tennis {
    struct hf_wake *side[2];
    struct letter ball;
};

static void keep(void *ctx, struct hf_letter *link)
{
    *(struct hf_letter **)ctx = link;
}

static struct letter *receive(struct hf_wake *wake)
{
    struct hf_letter *got = NULL;
    while (hf_wake_take_all(wake, keep, &got) == 0) {
        if (!hf_wake_sleep(wake))
            continue;
        bool woken = readable(wake, SLEEP_MAX_MS);
        hf_wake_awake(wake);
        if (!woken)
            return NULL;
    }
    return HF_CONTAINER_OF(got, struct letter, link);
}

enum { STROKES = 20000 };

static void *play(void *arg)
{
    struct table_tennis *t = arg;
    for (int i = 0; i < STROKES; i++) {
        struct letter *ball = receive(t->side[1]);
        if (ball == NULL)
            return NULL;
        ball->number++;
        hf_wake_post(t->side[0], &ball->link);
    }
    return t;
}

static void no_wake_up_is_missed(void **state)
{
    (void)state;
    struct table_tennis t = {.side = {must_new(), must_new()}};
    pthread_t thread;
    void *done = NULL;
    assert_int_equal(pthread_create(&thread, NULL, play, &t), 0);
    for (uint64_t i = 0; i < STROKES; i++) {
        t.ball.number = i;
        hf_wake_post(t.side[1], &t.ball.link);
        struct letter *ball = receive(t.side[0]);
        assert_ptr_equal(ball, &t.ball);
        assert_int_equal(ball->number, i + 1);
    }
    assert_int_equal(pthread_join(thread, &done), 0);
    assert_ptr_equal(done, &t);
    hf_wake_free(t.side[0]);
    hf_wake_free(t.side[1]);
}

static void count(void *ctx, struct hf_letter *link)
{
    (void)link;
    ++*(size_t *)ctx;
}

/* No system call is made for a consumer that does not sleep; one ring for one sleep, however many
 * letters. */
static void bell_rings_only_for_sleepers(void **state)
{
    (void)state;
    struct hf_wake *wake = must_new();
    struct letter letters[10];
    size_t n = 0;
    hf_wake_post(wake, &letters[0].link);
    assert_false(readable(wake, 0));
    assert_false(hf_wake_sleep(wake)); /* a letter is there: do not */
    assert_false(readable(wake, 0));
    assert_int_equal(hf_wake_take_all(wake, count, &n), 1);
    assert_int_equal(n, 1);

    assert_true(hf_wake_sleep(wake));
    for (int i = 0; i < 10; i++)
        hf_wake_post(wake, &letters[i].link);
    assert_true(readable(wake, 0));
    uint64_t rings = 0;
    assert_int_equal(read(hf_wake_fd(wake), &rings, sizeof rings), sizeof rings);
    assert_int_equal(rings, 1);
    assert_int_equal(write(hf_wake_fd(wake), &rings, sizeof rings), sizeof rings); /* put back */
    hf_wake_awake(wake);
    assert_false(readable(wake, 0));
    assert_int_equal(hf_wake_take_all(wake, count, &n), 10);

    assert_true(hf_wake_sleep(wake)); /* woken by something else */
    hf_wake_awake(wake);
    hf_wake_post(wake, &letters[0].link);
    assert_false(readable(wake, 0));
    assert_int_equal(hf_wake_take_all(wake, count, &n), 1);
    assert_int_equal(hf_wake_take_all(wake, count, &n), 0);
    hf_wake_free(wake);
    hf_wake_free(NULL);
}

/* Letters posted together are all there before the bell rings, and keep their order among others. */
static void posted_together_they_ring_once(void **state)
{
    (void)state;
    struct post_office office = {.wake = must_new()};
    struct hf_letters together = {0};
    hf_wake_post_all(office.wake, &together); /* none */
    assert_true(hf_wake_sleep(office.wake));
    assert_false(readable(office.wake, 0));
    for (uint64_t n = 0; n < 12; n++) {
        struct letter *letter = malloc(sizeof *letter);
        *letter = (struct letter){.number = n};
        if (n < 2 || n == 11)
            hf_wake_post(office.wake, &letter->link);
        else
            hf_letters_add(&together, &letter->link);
        if (n == 2)
            assert_true(readable(office.wake, 0)); /* for the first */
        if (n == 2 || n == 10)
            hf_wake_post_all(office.wake, &together);
        assert_true(n < 10 || together.first == NULL);
    }
    uint64_t rings = 0;
    assert_int_equal(read(hf_wake_fd(office.wake), &rings, sizeof rings), sizeof rings);
    assert_int_equal(rings, 1);
    assert_int_equal(write(hf_wake_fd(office.wake), &rings, sizeof rings), sizeof rings);
    hf_wake_awake(office.wake);
    assert_int_equal(hf_wake_take_all(office.wake, take, &office), 12);

    assert_true(hf_wake_sleep(office.wake));
    for (uint64_t n = 12; n < 15; n++) {
        struct letter *letter = malloc(sizeof *letter);
        *letter = (struct letter){.number = n};
        hf_letters_add(&together, &letter->link);
    }
    assert_false(readable(office.wake, 0));
    hf_wake_post_all(office.wake, &together);
    assert_true(readable(office.wake, 0));
    hf_wake_awake(office.wake);
    assert_int_equal(hf_wake_take_all(office.wake, take, &office), 3);
    hf_wake_free(office.wake);
}

/* What is posted while taking comes in the next batch, in order: a letter that posts itself again
 * cannot trap us. */
static void repost(void *ctx, struct hf_letter *link)
{
    hf_wake_post(ctx, link);
}

static void taking_is_bounded(void **state)
{
    (void)state;
    struct hf_wake *wake = must_new();
    struct letter letters[3];
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        hf_wake_post(wake, &letters[i].link);
    for (int round = 0; round < 100; round++)
        assert_int_equal(hf_wake_take_all(wake, repost, wake), 3);
    assert_int_equal(hf_wake_take_all(wake, count, &n), 3);
    hf_wake_free(wake);
}

static struct hf_wake *poked; /* a signal handler has no argument */

static void on_signal(int number)
{
    (void)number;
    hf_wake_poke(poked);
}

static void poke_wakes_and_is_cleared(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal}, before;
    poked = must_new();
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    for (int asleep = 0; asleep < 2; asleep++) {
        if (asleep)
            assert_true(hf_wake_sleep(poked));
        assert_int_equal(raise(SIGUSR1), 0);
        hf_wake_poke(poked);
        assert_true(readable(poked, 0));
        hf_wake_awake(poked);
        assert_false(readable(poked, 0));
    }
    assert_true(hf_wake_sleep(poked));
    hf_wake_awake(poked);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    hf_wake_free(poked);
    poked = NULL;
}

/* The bell works in the fake world's poller too. */
static void fake_poller_hears_the_bell(void **state)
{
    struct world *w = *state;
    struct hf_wake *wake = must_new();
    struct hf_os_poller *poller;
    struct hf_os_event event;
    struct letter letter;
    size_t n = 0;
    assert_int_equal(w->os->poller_new(w->os, &poller), HF_OK);
    assert_int_equal(w->os->poller_add(poller, hf_wake_fd(wake), HF_OS_IN, wake), HF_OK);
    assert_true(hf_wake_sleep(wake));
    assert_int_equal(w->os->poller_wait(poller, 0, &event, 1), 0);
    hf_wake_post(wake, &letter.link);
    assert_int_equal(w->os->poller_wait(poller, UINT64_MAX, &event, 1), 1);
    assert_ptr_equal(event.tag, wake);
    assert_int_equal(event.ready, HF_OS_IN);
    hf_wake_awake(wake);
    assert_int_equal(w->os->poller_wait(poller, 0, &event, 1), 0);
    assert_int_equal(hf_wake_take_all(wake, count, &n), 1);
    w->os->poller_free(poller);
    hf_wake_free(wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_senders_order_kept_nothing_lost),
        cmocka_unit_test(no_wake_up_is_missed),
        cmocka_unit_test(bell_rings_only_for_sleepers),
        cmocka_unit_test(posted_together_they_ring_once),
        cmocka_unit_test(taking_is_bounded),
        cmocka_unit_test(poke_wakes_and_is_cleared),
        IN_BOTH_WORLDS(fake_poller_hears_the_bell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
