/* wait_test.c - waits are level-triggered, sets hear of what they asked for, and nothing is
 * allocated or searched. */
#include "support.h"

struct owner {
    struct hf_waitset set;
    unsigned woken;
    void (*then)(struct owner *o);
    struct hf_wait *wait;
    struct owner *other;
};

static void woken(struct hf_waitset *set)
{
    struct owner *o = HF_CONTAINER_OF(set, struct owner, set);
    o->woken++;
    assert_false(set->parked);
    if (o->then != NULL)
        o->then(o);
}

static void owner_init(struct owner *o)
{
    *o = (struct owner){0};
    hf_waitset_init(&o->set, woken);
}

static size_t n_ready(const struct owner *o)
{
    size_t n = 0;
    HF_LIST_FOR(at, &o->set.ready)
    {
        n++;
    }
    return n;
}

static void level_triggered(void **state)
{
    struct owner o;
    struct hf_wait wait;
    struct hf_waiter w = {0};
    (void)state;
    owner_init(&o);
    hf_wait_init(&wait, true);
    hf_waiter_arm(&w, &wait, &o.set); /* ready before it was armed: no wake is needed to see it */
    assert_true(hf_waiter_ready(&w));
    for (unsigned i = 0; i < 3; i++)
        assert_false(hf_waitset_park(&o.set, false)); /* as often as one asks */
    hf_wait_clear(&wait);
    assert_false(hf_waiter_ready(&w));
    assert_int_equal(n_ready(&o), 0);
    assert_true(hf_waitset_park(&o.set, false));
    hf_wait_fire(&wait);
    hf_wait_fire(&wait); /* already ready */
    assert_int_equal(o.woken, 1);
    assert_int_equal(n_ready(&o), 1);
    hf_waiter_disarm(&w);
    hf_waiter_disarm(&w);
    assert_int_equal(n_ready(&o), 0);
    hf_wait_done(&wait);
}

static void wake_is_called_once_per_park(void **state)
{
    struct owner o;
    struct hf_wait a, b;
    struct hf_waiter wa = {0}, wb = {0};
    (void)state;
    owner_init(&o);
    hf_wait_init(&a, false);
    hf_wait_init(&b, false);
    hf_waiter_arm(&wa, &a, &o.set);
    hf_waiter_arm(&wb, &b, &o.set);
    hf_wait_fire(&a); /* not parked: nobody is called */
    assert_int_equal(o.woken, 0);
    hf_wait_clear(&a);
    assert_true(hf_waitset_park(&o.set, false));
    hf_wait_fire(&a);
    hf_wait_fire(&b);
    assert_int_equal(o.woken, 1);
    hf_wait_clear(&a);
    hf_wait_clear(&b);
    assert_true(hf_waitset_park(&o.set, false));
    hf_waitset_unpark(&o.set);
    hf_wait_fire(&a);
    assert_int_equal(o.woken, 1);
    hf_waiter_disarm(&wa);
    hf_waiter_disarm(&wb);
}

static void duplicates_stand_once_each(void **state)
{
    struct owner o;
    struct hf_wait wait;
    struct hf_waiter w[3] = {{.first = 0}};
    (void)state;
    owner_init(&o);
    hf_wait_init(&wait, false);
    for (unsigned i = 0; i < 3; i++)
        hf_waiter_arm(&w[i], &wait, &o.set);
    assert_true(hf_waitset_park(&o.set, false));
    hf_wait_fire(&wait);
    assert_int_equal(o.woken, 1);
    assert_int_equal(n_ready(&o), 3);
    hf_waiter_disarm(&w[1]);
    assert_int_equal(n_ready(&o), 2);
    hf_waiter_disarm(&w[0]);
    hf_waiter_disarm(&w[2]);
}

static void selective_park_hears_its_stamp_only(void **state)
{
    struct owner o;
    struct hf_wait a, b;
    struct hf_waiter wa = {0}, wb = {0};
    (void)state;
    owner_init(&o);
    hf_wait_init(&a, false);
    hf_wait_init(&b, false);
    hf_waiter_arm(&wa, &a, &o.set);
    hf_waiter_arm(&wb, &b, &o.set);
    wa.stamp = ++o.set.stamp; /* this poll lists a only */
    assert_true(hf_waitset_park(&o.set, true));
    hf_wait_fire(&b);
    assert_int_equal(o.woken, 0);
    hf_wait_fire(&a);
    assert_int_equal(o.woken, 1);
    /* b is ready and not listed: a park for a alone still parks */
    hf_wait_clear(&a);
    assert_true(hf_waitset_park(&o.set, true));
    hf_waitset_unpark(&o.set);
    wb.stamp = ++o.set.stamp; /* the next poll lists b */
    assert_false(hf_waitset_park(&o.set, true));
    /* stamp 0: all are of interest */
    o.set.stamp = 0;
    assert_false(hf_waitset_park(&o.set, true));
    hf_waiter_disarm(&wa);
    hf_waiter_disarm(&wb);
}

static void fire_between_the_look_and_the_park_is_seen(void **state)
{
    struct owner o;
    struct hf_wait wait;
    struct hf_waiter w = {0};
    (void)state;
    owner_init(&o);
    hf_wait_init(&wait, false);
    hf_waiter_arm(&w, &wait, &o.set);
    w.stamp = ++o.set.stamp;
    assert_false(hf_waiter_ready(&w));           /* the poll finds nothing ... */
    hf_wait_fire(&wait);                         /* ... it comes now ... */
    assert_false(hf_waitset_park(&o.set, true)); /* ... and is not lost */
    assert_int_equal(o.woken, 0);
    hf_waiter_disarm(&w);
}

static void done_means_ready_for_ever(void **state)
{
    struct owner o;
    struct hf_wait *wait = malloc(sizeof *wait);
    struct hf_waiter w = {0};
    (void)state;
    owner_init(&o);
    hf_wait_init(wait, false);
    hf_waiter_arm(&w, wait, &o.set);
    assert_true(hf_waitset_park(&o.set, false));
    hf_wait_done(wait);
    free(wait);
    assert_int_equal(o.woken, 1);
    assert_null(w.wait);
    assert_true(hf_waiter_ready(&w));
    assert_false(hf_waitset_park(&o.set, false));
    hf_waiter_disarm(&w);
    hf_wait_done(&(struct hf_wait){0}); /* never initialised: nothing to do */
}

static void then_free_wait(struct owner *o)
{
    hf_wait_done(o->wait);
    free(o->wait);
    o->wait = NULL;
}

static void then_unpark_other(struct owner *o)
{
    hf_waitset_unpark(&o->other->set);
}

static void then_clear_and_park_again(struct owner *o)
{
    hf_wait_clear(o->wait);
    assert_true(hf_waitset_park(&o->set, false));
}

static void a_wake_may_free_the_wait(void **state)
{
    struct owner o[2];
    struct hf_waiter w[2] = {{.first = 0}};
    (void)state;
    struct hf_wait *wait = malloc(sizeof *wait);
    hf_wait_init(wait, false);
    for (unsigned i = 0; i < 2; i++) {
        owner_init(&o[i]);
        hf_waiter_arm(&w[i], wait, &o[i].set);
        assert_true(hf_waitset_park(&o[i].set, false));
    }
    o[0].then = then_free_wait;
    o[0].wait = wait;
    hf_wait_fire(wait);
    assert_int_equal(o[0].woken, 1);
    assert_int_equal(o[1].woken, 1);
    hf_waiter_disarm(&w[0]);
    hf_waiter_disarm(&w[1]);
}

static void a_wake_may_unpark_who_is_next(void **state)
{
    struct owner o[2];
    struct hf_waiter w[2] = {{.first = 0}};
    struct hf_wait wait;
    (void)state;
    hf_wait_init(&wait, false);
    for (unsigned i = 0; i < 2; i++) {
        owner_init(&o[i]);
        hf_waiter_arm(&w[i], &wait, &o[i].set);
        assert_true(hf_waitset_park(&o[i].set, false));
    }
    o[0].then = then_unpark_other;
    o[0].other = &o[1];
    hf_wait_fire(&wait);
    assert_int_equal(o[0].woken, 1);
    assert_int_equal(o[1].woken, 0);
    hf_waiter_disarm(&w[0]);
    hf_waiter_disarm(&w[1]);
}

static void a_wake_may_clear_and_park_again(void **state)
{
    struct owner o;
    struct hf_waiter w = {0};
    struct hf_wait wait;
    (void)state;
    hf_wait_init(&wait, false);
    owner_init(&o);
    o.then = then_clear_and_park_again;
    o.wait = &wait;
    hf_waiter_arm(&w, &wait, &o.set);
    assert_true(hf_waitset_park(&o.set, false));
    hf_wait_fire(&wait);
    hf_wait_fire(&wait);
    assert_int_equal(o.woken, 2);
    hf_waiter_disarm(&w);
}

static void ten_thousand_waiters_one_ready(void **state)
{
    enum { N = 10000, ROUNDS = 100 };
    struct hf_wait *waits = calloc(N, sizeof *waits);
    struct hf_waiter *w = calloc(N, sizeof *w);
    struct owner o;
    size_t visited = 0;
    (void)state;
    owner_init(&o);
    for (size_t i = 0; i < N; i++) {
        hf_wait_init(&waits[i], false);
        hf_waiter_arm(&w[i], &waits[i], &o.set);
    }
    size_t before = mallocs();
    for (size_t round = 0; round < ROUNDS; round++) {
        uint64_t stamp = ++o.set.stamp;
        for (size_t i = 0; i < N; i++) /* what a poll's list costs; the kernel's part is below */
            w[i].stamp = stamp;
        assert_true(hf_waitset_park(&o.set, true));
        hf_wait_fire(&waits[round * 97 % N]);
        assert_int_equal(o.woken, round + 1);
        visited += n_ready(&o); /* all that there is to look at */
        hf_wait_clear(&waits[round * 97 % N]);
    }
    assert_int_equal(visited, ROUNDS);
    assert_int_equal(mallocs(), before);
    for (size_t i = 0; i < N; i++)
        hf_waiter_disarm(&w[i]);
    free(waits);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_triggered),
        cmocka_unit_test(wake_is_called_once_per_park),
        cmocka_unit_test(duplicates_stand_once_each),
        cmocka_unit_test(selective_park_hears_its_stamp_only),
        cmocka_unit_test(fire_between_the_look_and_the_park_is_seen),
        cmocka_unit_test(done_means_ready_for_ever),
        cmocka_unit_test(a_wake_may_free_the_wait),
        cmocka_unit_test(a_wake_may_unpark_who_is_next),
        cmocka_unit_test(a_wake_may_clear_and_park_again),
        cmocka_unit_test(ten_thousand_waiters_one_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
