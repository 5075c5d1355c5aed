/* far_test.c - processes of three kernels: what is the same as near by and what costs a letter,
 * counted; rings of waits; children and watches there; memory that runs out; a kernel that goes. */
#include "support_named.h"
#include "support_spill.h"

static uint64_t sent(const struct stage *s, enum hf_far_kind kind)
{
    struct hf_far_stats st;
    net_stats(&s->net, &st);
    return st.sent[kind];
}

static uint64_t all_sent(const struct stage *s)
{
    uint64_t n = 0;
    for (int kind = 0; kind <= HF_FAR_END; kind++)
        n += sent(s, (enum hf_far_kind)kind);
    return n;
}

static void open_far(struct stage *s, const char *classes)
{
    stage_far(3, 0);
    stage_open(s);
    stage_classes(s, classes);
}

static void what_is_near_sends_no_letter(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ad"); /* both on the second */
    stage_script(&s, "a", "s:d/1,1 t:d/2 k:d/3 m:d/1 S:d/4 r");
    stage_script(&s, "d/1", "r");
    stage_script(&s, "d/3", "r");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    assert_int_equal(all_sent(&s), 2); /* the port's request, and its answer */
    stage_close(&s);
}

/* A request and its answer are two letters; each forward one more, and one to take its stub away.
 */
static void an_answer_goes_straight_home_over_any_number_of_places(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "abcd");
    stage_script(&s, "a", "s=:b,1 r");
    stage_script(&s, "b", "f+:c,2");
    stage_script(&s, "c", "f+:d,3");
    stage_script(&s, "d", "r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1' [of a]\n"
               "c <- request b '2' [of a]\n"
               "d <- request c '3' [of a]\n"
               "a <- response d 'by-d' context c-1 nested 'go' already-answered\n"
               "port 1: ok 'by-a'\n");
    assert_int_equal(sent(&s, HF_FAR_REQUEST), 4);
    assert_int_equal(sent(&s, HF_FAR_ANSWER), 1); /* d lives with a: the port's */
    assert_int_equal(sent(&s, HF_FAR_OVER), 2);
    assert_int_equal(sent(&s, HF_FAR_CANCEL), 0);
    stage_close(&s);
}

static void a_cancel_follows_the_forwards(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "abc");
    stage_script(&s, "a", "s:b,1 r w c");
    stage_script(&s, "b", "f:c,2");
    stage_script(&s, "c", "d");
    stage_script(&s, "c", "a");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_gate(&s);
    expect(&s, "c <- void\n"
               "c: a void\n"
               "a <- error cancelled of b context c-1 nested 'go' already-answered\n");
    assert_int_equal(sent(&s, HF_FAR_CANCEL), 2);
    stage_close(&s);
}

/* Not before: the second waits in the pipe behind it. */
static void what_is_cancelled_on_its_way_is_not_handled(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ab");
    stage_script(&s, "b", "w");
    stage_post(&s, "b", "block", NULL);
    stage_run(&s);
    stage_script(&s, "a", "i:20 s:b,q r");
    stage_go(&s, "a");
    hf_buf_clear(&s.log);
    stage_pass(&s, 20 * MS);
    expect(&s, "a <- error timeout of b context c-q nested 'go' already-answered\n");
    stage_gate(&s);
    expect(&s, "port 1: unanswered ''\n");
    stage_close(&s);
}

static void full_and_nobody_are_messages(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "a");
    stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 1});
    stage_class(&s, "c", (struct hf_named_settings){.spawned = true});
    stage_script(&s, "b", "w");
    stage_post(&s, "b", "block", NULL);
    stage_run(&s);
    stage_script(&s, "a", "m:b s:b,1 t:b,2 s:b,3 r");
    stage_go(&s, "a");
    expect(&s, "b <- request - 'block'\n"
               "a <- request - 'go'\n"
               "port 2: ok 'by-a'\n"
               "a <- refused b: 1\n"
               "a <- error full of b context c-3 nested 'go' already-answered\n");
    stage_script(&s, "a", "s=:c/1,x");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "a <- error no-such-process of c/1 [of a] context c-x nested 'go' ok\n"
               "port 3: unanswered ''\n");
    stage_close(&s);
}

/* Three tells are one batch of sends; it runs again when the last of them is taken, and what it
 * says then comes behind them. */
static void a_sender_that_parks_waits_for_room_there(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "a");
    stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 1});
    stage_script(&s, "b", "w");
    stage_post(&s, "b", "block", NULL);
    stage_run(&s);
    stage_script(&s, "a", "p:b,1 p:b,2 p:b,3");
    stage_script(&s, "a", "t:b,4");
    stage_post(&s, "a", "one", NULL);
    stage_post(&s, "a", "two", NULL);
    stage_run(&s);
    expect(&s, "b <- request - 'block'\n"
               "a <- request - 'one'\n"
               "port 2: unanswered ''\n");
    assert_true(stage_shows(&s, "a", "parked"));
    stage_gate(&s);
    expect(&s, "b <- tell a '1'\n"
               "b <- tell a '2'\n"
               "b <- tell a '3'\n"
               "a <- request - 'two'\n"
               "port 3: unanswered ''\n"
               "port 1: unanswered ''\n"
               "b <- tell a '4'\n");
    assert_int_equal(sent(&s, HF_FAR_ROOM), 3);
    stage_close(&s);
}

static void a_ring_of_awaits_ends_for_one_who_is_in_it(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct stage s;
        struct hf_message_stats st;
        stage_far(3, seed);
        stage_open(&s);
        stage_classes(&s, "abc");
        stage_script(&s, "a", "k:b,1 r");
        stage_script(&s, "b", "k:c,2 r");
        stage_script(&s, "c", "k:a,3 r");
        stage_go(&s, "a");
        stage_message_stats(s.k, &st);
        assert_int_equal(st.errors[HF_ANSWER_CYCLE], 1);
        assert_int_equal(st.errors[HF_ANSWER_TIMEOUT], 0);
        assert_non_null(strstr((const char *)s.log.ptr, "port 1: ok 'by-a'"));
        hf_buf_clear(&s.log);
        stage_close(&s);
    }
}

/* Each asks the next at the same time: whoever closes it, somebody hears of it at once, and all are
 * answered without a timeout. */
static void a_ring_that_is_closed_from_all_sides_is_found_too(void **state)
{
    uint64_t cycles = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct stage s;
        struct hf_message_stats st;
        stage_far(3, seed);
        stage_open(&s);
        stage_classes(&s, "abc");
        stage_script(&s, "a", "k:b,1 r");
        stage_script(&s, "b", "k:c,2 r");
        stage_script(&s, "c", "k:a,3 r");
        s.defaults = "r";
        stage_post(&s, "a", "go", NULL);
        stage_post(&s, "b", "go", NULL);
        stage_post(&s, "c", "go", NULL);
        stage_run(&s);
        stage_message_stats(s.k, &st);
        cycles += st.errors[HF_ANSWER_CYCLE];
        assert_in_range(st.errors[HF_ANSWER_CYCLE], 1, 3);
        assert_int_equal(st.errors[HF_ANSWER_TIMEOUT], 0);
        assert_int_equal(s.n_told, 3);
        hf_buf_clear(&s.log);
        stage_close(&s);
    }
    assert_true(cycles >= 60);
}

static void two_that_park_on_each_other_do_not_stay_so(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct stage s;
        struct hf_message_stats st;
        stage_far(3, seed);
        stage_open(&s);
        stage_class(&s, "a", (struct hf_named_settings){.mailbox_max = 1});
        stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 1});
        stage_script(&s, "a", "w p:b,1 p:b,2 p:b,3");
        stage_script(&s, "b", "w p:a,4 p:a,5 p:a,6");
        stage_post(&s, "a", "go", NULL);
        stage_post(&s, "b", "go", NULL);
        stage_run(&s);
        stage_gate(&s);
        stage_message_stats(s.k, &st);
        assert_int_equal(s.n_told, 2);
        assert_false(stage_shows(&s, "a", "parked") || stage_shows(&s, "b", "parked"));
        for (const char *at = "123456"; *at != '\0'; at++) {
            char line[20];
            snprintf(line, sizeof line, "tell %c '%c'", *at < '4' ? 'a' : 'b', *at);
            st.refused_tells -= strstr((const char *)s.log.ptr, line) == NULL;
        }
        assert_int_equal(st.refused_tells, 0); /* each was seen or refused */
        hf_buf_clear(&s.log);
        stage_close(&s);
    }
}

/* One of them by a forward: if it is that one that gives way, whose request it was hears why. */
static void a_forward_that_parks_gives_way_in_a_ring(void **state)
{
    unsigned told = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct stage s;
        stage_far(3, seed);
        stage_open(&s);
        stage_class(&s, "a", (struct hf_named_settings){.mailbox_max = 1});
        stage_class(&s, "b", (struct hf_named_settings){.mailbox_max = 1});
        stage_script(&s, "a", "w B:b,1");
        stage_script(&s, "b", "w p:a,4 p:a,5");
        for (int i = 0; i < 2; i++) { /* in hand, and in the mailbox */
            stage_post(&s, "a", "go", NULL);
            stage_post(&s, "b", "go", NULL);
            stage_run(&s);
        }
        stage_gate(&s);
        assert_int_equal(s.n_told, 4);
        assert_false(stage_shows(&s, "a", "parked") || stage_shows(&s, "b", "parked"));
        told += strstr((const char *)s.log.ptr, "port 1: cycle 'forwarded to b: ") != NULL;
        hf_buf_clear(&s.log);
        stage_close(&s);
    }
    assert_true(told > 0);
}

static void a_forward_back_to_who_awaits_is_told_before_it_is_seen(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ab");
    stage_script(&s, "a", "k:b,1 r");
    stage_script(&s, "b", "f:a,2");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1'\n"
               "a <= cycle 'forwarded to a: it would wait for itself' context c-1\n"
               "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void a_name_that_is_taken_is_told_to_who_watches(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ab");
    stage_go(&s, "b/1");
    hf_buf_clear(&s.log);
    stage_script(&s, "a", "M:b/1 N:b/1");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "port 2: unanswered ''\n"
               "a <- ended b/1: limit 'the name is taken'\n"
               "a stops\n");
    assert_true(stage_shows(&s, "b/1", "0 watches"));
    stage_close(&s);
}

static void a_child_there_is_watched_from_its_first_moment(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ab");
    stage_script(&s, "start:b/1", "F");
    stage_script(&s, "a", "M:b/1 r");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "port 1: ok 'by-a'\n"
               "b/1 stops\n"
               "a <- ended b/1: dead 'boom'\n");
    stage_close(&s);
}

/* What the kernel names lives with its parent, whatever its name says. */
static void a_child_without_a_name_lives_with_its_parent(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ab");
    stage_script(&s, "a", "S:b S:b S:b S:b S:b r");
    stage_go(&s, "a");
    assert_int_equal(hf_named_count(net_home(&s.net, HF_VIEW("a"))), 6);
    hf_buf_clear(&s.log);
    stage_close(&s);
}

static void links_between_places_work_both_ways(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ab");
    stage_script(&s, "b", "w");
    stage_script(&s, "a", "l:b r");
    stage_script(&s, "a", "F");
    stage_post(&s, "b", "block", NULL);
    stage_run(&s);
    stage_go(&s, "a");
    stage_go(&s, "a");
    expect(&s, "b <- request - 'block'\n"
               "a <- request - 'go'\n"
               "port 2: ok 'by-a'\n"
               "a <- request - 'go'\n"
               "a stops\n"
               "port 3: dead 'boom'\n"
               "b stops\n"
               "port 1: dead 'linked to a, which ended: boom'\n");
    assert_int_equal(sent(&s, HF_FAR_EXIT), 1);
    stage_close(&s);
}

/* Whichever letter cannot be made: nothing is lost and nothing stays; the origin hears of it. */
static void letters_that_cannot_be_made_are_limits(void **state)
{
    unsigned limits = 0;
    (void)state;
    for (uint64_t at = 1; at < 30; at++) {
        struct stage s;
        open_far(&s, "abc");
        stage_script(&s, "a", "P=:b,1 m:b S:c/k K l:c r");
        stage_script(&s, "b", "f+:c,2");
        stage_script(&s, "c", "r");
        s.net.fail_at = at;
        stage_go(&s, "a");
        stage_run(&s);
        assert_int_equal(s.n_told, 1);
        assert_non_null(s.log.ptr);
        limits += strstr((const char *)s.log.ptr, "limit") != NULL;
        hf_buf_clear(&s.log);
        stage_close(&s);
    }
    assert_true(limits > 5);
}

/* Everything is under way somewhere: whatever goes first, each post is told, and nothing is left.
 */
static void kernels_may_be_freed_in_the_middle_of_everything(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 40; steps++) {
        struct stage s;
        uint64_t rnd_state = steps;
        open_far(&s, "abc");
        stage_script(&s, "a", "s=:b,1 p:c,2 m:c N:b/k s:c,3");
        stage_script(&s, "b", "f+:c,4");
        stage_script(&s, "c", "d w");
        s.defaults = "d";
        stage_post(&s, "a", "go", "blob");
        for (unsigned i = 0; i < steps; i++) {
            (void)!hf_kernel_step(s.net.ks[i % 3], s.now);
            (void)!net_deliver(&s.net, &rnd_state);
        }
        stage_close(&s);
    }
}

/* A blob that only the last one reads goes over as it is; the origin keeps one that is complete. */
static void a_blob_goes_along_and_comes_back_with_an_error(void **state)
{
    struct stage s;
    (void)state;
    open_far(&s, "ab");
    stage_class(&s, "c", (struct hf_named_settings){.spawned = true});
    stage_script(&s, "a", "s=:b,1");
    stage_script(&s, "a", "r+");
    stage_script(&s, "b", "f+:c/1,2");
    stage_go(&s, "a");
    expect(&s, "a <- request - 'go'\n"
               "b <- request a '1' [of a]\n"
               "a <- error no-such-process of b [of a] context c-1 nested 'go' ok\n"
               "port 1: ok 'by-a' [of a]\n");
    stage_close(&s);
}

/* c lives on the first, which has room for one and evicts; b elsewhere. */
static void open_evicting(struct stage *s, struct keeper *r)
{
    stage_far(3, 0);
    stage_open_with(s, &(struct hf_kernel_settings){.resident_max = 1});
    stage_spill(s, r);
    stage_classes(s, "bc");
    s->defaults = "r";
}

/* An evicted name is folded when the last who watched it from elsewhere lets go. */
static void a_watched_name_is_folded_when_nobody_watches(void **state)
{
    struct stage s;
    struct keeper r;
    (void)state;
    open_evicting(&s, &r);
    stage_go(&s, "c/1");
    stage_script(&s, "b", "m:c/1 r");
    stage_go(&s, "b");
    stage_go(&s, "c/2");
    assert_true(stage_shows(&s, "c/1", "evicted"));
    assert_non_null(hf_map_get(&s.k->named_by_name, HF_VIEW("c/1")));
    assert_int_equal(hf_named_kill(net_home(&s.net, HF_VIEW("b")), HF_VIEW("b"), HF_VIEW("test")),
                     HF_OK);
    stage_run(&s);
    assert_null(hf_map_get(&s.k->named_by_name, HF_VIEW("c/1")));
    assert_true(stage_shows(&s, "c/1", "evicted"));
    hf_buf_clear(&s.log);
    stage_close(&s);
}

/* Not one of that name that begins anew. */
static void a_letter_wakes_who_was_evicted(void **state)
{
    struct stage s;
    struct keeper r;
    (void)state;
    open_evicting(&s, &r);
    stage_go(&s, "c/1");
    stage_go(&s, "c/2");
    assert_null(hf_map_get(&s.k->named_by_name, HF_VIEW("c/1"))); /* folded */
    stage_script(&s, "b", "s:c/1,1 r");
    stage_script(&s, "c/1", "v r");
    hf_buf_clear(&s.log);
    stage_go(&s, "b");
    expect(&s, "b <- request - 'go'\n"
               "c/2 stops\n"
               "c/1 is back\n"
               "c/1 <- request b '1'\n"
               "c/1: ok\n"
               "b <- response c/1 'by-c/1' context c-1 nested 'go' already-answered\n"
               "b: r already-answered\n"
               "port 3: ok 'by-b'\n");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_near_sends_no_letter),
        cmocka_unit_test(an_answer_goes_straight_home_over_any_number_of_places),
        cmocka_unit_test(a_cancel_follows_the_forwards),
        cmocka_unit_test(what_is_cancelled_on_its_way_is_not_handled),
        cmocka_unit_test(full_and_nobody_are_messages),
        cmocka_unit_test(a_sender_that_parks_waits_for_room_there),
        cmocka_unit_test(a_ring_of_awaits_ends_for_one_who_is_in_it),
        cmocka_unit_test(a_ring_that_is_closed_from_all_sides_is_found_too),
        cmocka_unit_test(two_that_park_on_each_other_do_not_stay_so),
        cmocka_unit_test(a_forward_that_parks_gives_way_in_a_ring),
        cmocka_unit_test(a_forward_back_to_who_awaits_is_told_before_it_is_seen),
        cmocka_unit_test(a_name_that_is_taken_is_told_to_who_watches),
        cmocka_unit_test(a_child_there_is_watched_from_its_first_moment),
        cmocka_unit_test(a_child_without_a_name_lives_with_its_parent),
        cmocka_unit_test(links_between_places_work_both_ways),
        cmocka_unit_test(letters_that_cannot_be_made_are_limits),
        cmocka_unit_test(kernels_may_be_freed_in_the_middle_of_everything),
        cmocka_unit_test(a_blob_goes_along_and_comes_back_with_an_error),
        cmocka_unit_test(a_watched_name_is_folded_when_nobody_watches),
        cmocka_unit_test(a_letter_wakes_who_was_evicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
