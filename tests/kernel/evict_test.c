/* evict_test.c - idle instances past the bound are put aside and come back with their next message:
 * who goes, what comes between, what fails, and that nothing of it is seen by others. What is left
 * of a name meanwhile is in asleep_test.c. */
#include "support_evict.h"

/* ---- who goes, and how it comes back ---- */

static void the_least_recently_used_is_evicted_first(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 2, "a");
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    stage_go(&sc.s, "a/1");
    scene_forget_log(&sc.s);
    stage_go(&sc.s, "a/3");
    expect(&sc.s, "a/3 <- request - 'go'\nport 4: ok 'by-a/3'\na/2 stops\n");
    assert_true(stage_shows(&sc.s, "a/2", "evicted"));
    assert_true(stage_shows(&sc.s, "a/1", "idle"));
    stage_go(&sc.s, "a/4");
    expect(&sc.s, "a/4 <- request - 'go'\nport 5: ok 'by-a/4'\na/1 stops\n");
    stage_close(&sc.s);
}

static void the_next_message_revives_it_as_it_was(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    stage_script(&sc.s, "a/1", "d");
    stage_go(&sc.s, "a/1"); /* holds a token now: its number is known to its memory alone */
    stage_go(&sc.s, "a/2");
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    assert_true(stage_shows(&sc.s, "a/1", "1 tokens"));
    scene_forget_log(&sc.s);
    stage_script(&sc.s, "a/1", "a r");
    stage_go(&sc.s, "a/1");
    expect(&sc.s, "a/2 stops\n"
                  "a/1 is back\n"
                  "a/1 <- request - 'go'\n"
                  "port 1: ok 'by-a/1'\n"
                  "port 3: ok 'by-a/1'\n");
    assert_int_equal(scene_stats(&sc).revivals, 1);
    stage_close(&sc.s);
}

static void it_is_the_same_instance_as_before(void **state)
{
    struct scene sc;
    struct hf_evict_stats st;
    (void)state;
    scene_open(&sc, 1, "a");
    stage_go(&sc.s, "a/1");
    HF_LIST_FOR (at, &sc.s.k->named) {
        assert_int_equal(HF_LIST_ENTRY(at, struct hf_named, in_kernel)->process->id, 1);
    }
    stage_pass(&sc.s, 5 * MS);
    stage_go(&sc.s, "a/2");
    stage_go(&sc.s, "a/1");
    struct hf_named *n = hf_map_get(&sc.s.k->named_by_name, HF_VIEW("a/1"));
    assert_int_equal(n->process->id, 1);
    assert_int_equal(n->process->served, 2);
    assert_int_equal(n->process->born_ns, 1 * S);
    assert_int_equal(n->born_ns, 1 * S);
    struct hf_class_stats cs = stats_of(n->class);
    assert_int_equal(cs.started, 2);
    st = scene_stats(&sc);
    assert_int_equal(st.evictions, 2);
    assert_int_equal(st.evicted, 1);
    stage_close(&sc.s);
}

static void a_thousand_names_fit_through_ten(void **state)
{
    struct scene sc;
    char name[20];
    (void)state;
    scene_open(&sc, 10, "a");
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "a/%u", i * 7 % 1000);
            stage_go(&sc.s, name);
            assert_true(sc.s.n_puppets <= 11);
            scene_forget_log(&sc.s);
        }
    struct hf_evict_stats st = scene_stats(&sc);
    assert_int_equal(st.resident, 10);
    assert_int_equal(st.evicted, 990);
    assert_int_equal(sc.r.n_used, 990);
    assert_int_equal(st.revivals, 2000);
    assert_int_equal(hf_named_count(sc.s.k), 1000);
    stage_close(&sc.s);
}

/* All at once: who finds no room waits at the entrance, so memory stays in its bound. */
static void many_messages_at_once_wait_for_room(void **state)
{
    struct scene sc;
    char name[20];
    size_t most = 0;
    (void)state;
    scene_open(&sc, 10, "a");
    sc.r.late = true;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 300; i++) {
            snprintf(name, sizeof name, "a/%u", i);
            stage_post(&sc.s, name, "go", NULL);
        }
        do {
            for (unsigned i = 0; i < 1000 && hf_kernel_step(sc.s.k, sc.s.now) == HF_OK; i++)
                most = sc.s.n_puppets > most ? sc.s.n_puppets : most;
            hf_kernel_flush(sc.s.k);
        } while (keeper_go(&sc.r, 1));
        scene_forget_log(&sc.s);
        assert_int_equal(sc.s.n_told, sc.s.n_posts);
    }
    assert_in_range(most, 10, 10 + 8);
    assert_int_equal(scene_stats(&sc).resident, 10);
    stage_close(&sc.s);
}

static void a_class_may_have_a_bound_of_its_own(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 100, "b");
    stage_class(&sc.s, "a", (struct hf_named_settings){.resident_max = 1});
    stage_go(&sc.s, "b/1");
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    assert_true(stage_shows(&sc.s, "b/1", "idle"));
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    stage_close(&sc.s);
}

/* ---- who does not go ---- */

static void who_is_busy_or_has_mail_stays(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    stage_script(&sc.s, "a/1", "w r");
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    assert_true(stage_shows(&sc.s, "a/1", "busy"));
    assert_true(stage_shows(&sc.s, "a/2", "evicted")); /* over the bound, and it could */
    stage_gate(&sc.s);
    stage_close(&sc.s);
}

static void a_run_shape_counts_and_is_never_evicted(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    stage_class(&sc.s, "loop", (struct hf_named_settings){.shape = HF_SHAPE_RUN});
    sc.s.defaults = "n n n";
    stage_go(&sc.s, "loop");
    sc.s.defaults = "r";
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    assert_true(stage_shows(&sc.s, "loop", "busy"));
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    assert_true(stage_shows(&sc.s, "a/2", "evicted"));
    assert_int_equal(scene_stats(&sc).resident, 1);
    stage_gate(&sc.s);
    assert_int_equal(hf_named_kill(sc.s.k, HF_VIEW("loop"), HF_VIEW("done")), HF_OK);
    stage_run(&sc.s);
    stage_close(&sc.s);
}

static void what_cannot_be_imaged_says_why_and_is_asked_again(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    stage_script(&sc.s, "a/1", "r e");
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    assert_true(stage_shows(&sc.s, "a/1", "stays in memory: it keeps a secret"));
    assert_int_equal(scene_stats(&sc).refused, 1);
    stage_script(&sc.s, "a/1", "r E");
    stage_go(&sc.s, "a/1"); /* asked once more not at once, but the time after */
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    stage_go(&sc.s, "a/3");
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    stage_go(&sc.s, "a/1");
    assert_false(strstr((const char *)sc.s.log.ptr, "secret") != NULL);
    stage_close(&sc.s);
}

/* ---- what comes between ---- */

static void a_message_during_the_write_keeps_it(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    sc.r.late = true;
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    assert_int_equal(scene_stats(&sc).moves, 1);
    scene_forget_log(&sc.s);
    stage_go(&sc.s, "a/1");
    expect(&sc.s, "a/1 <- request - 'go'\nport 3: ok 'by-a/1'\n");
    keeper_go(&sc.r, 1); /* what was written is of no use */
    stage_run(&sc.s);
    assert_int_equal(sc.r.n_used, 0);
    keeper_go(&sc.r, SIZE_MAX); /* and the other one went in its place */
    stage_run(&sc.s);
    expect(&sc.s, "a/2 stops\n");
    stage_close(&sc.s);
}

static void messages_during_the_read_wait_in_their_order(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    scene_evict_first(&sc, 2);
    sc.r.late = true;
    stage_post(&sc.s, "a/1", "one", NULL);
    stage_run(&sc.s);
    keeper_go(&sc.r, 1); /* a/2 makes room */
    stage_run(&sc.s);
    assert_true(stage_shows(&sc.s, "a/1", "reviving"));
    stage_post(&sc.s, "a/1", "two", NULL);
    stage_run(&sc.s);
    scene_forget_log(&sc.s);
    keeper_go(&sc.r, SIZE_MAX);
    stage_run(&sc.s);
    expect(&sc.s, "a/1 is back\n"
                  "a/1 <- request - 'one'\n"
                  "a/1 <- request - 'two'\n"
                  "port 3: ok 'by-a/1'\n"
                  "port 4: ok 'by-a/1'\n");
    stage_close(&sc.s);
}

static void a_kill_meets_it_wherever_it_is(void **state)
{
    (void)state;
    for (unsigned when = 0; when < 4; when++) { /* written, asleep, about to be read, read */
        struct scene sc;
        scene_open(&sc, 1, "ab");
        stage_script(&sc.s, "a/1", "r");
        stage_script(&sc.s, "b/1", "m:a/1 r");
        stage_go(&sc.s, "a/1");
        sc.r.late = true;
        stage_go(&sc.s, "b/1");
        if (when > 0) {
            keeper_go(&sc.r, SIZE_MAX);
            stage_run(&sc.s);
            assert_true(stage_shows(&sc.s, "a/1", "evicted"));
        }
        if (when > 1)
            stage_post(&sc.s, "a/1", "go", NULL);
        if (when > 2) {
            stage_run(&sc.s);
            keeper_go(&sc.r, 1); /* b/1 makes room */
            stage_run(&sc.s);
            assert_true(stage_shows(&sc.s, "a/1", "reviving"));
        }
        scene_forget_log(&sc.s);
        assert_int_equal(hf_named_kill(sc.s.k, HF_VIEW("a/1"), HF_VIEW("no more")), HF_OK);
        sc.r.late = false;
        stage_run(&sc.s);
        const char *log = (const char *)sc.s.log.ptr;
        if (strstr(log, "b/1 <- ended a/1: dead 'no more'") == NULL)
            fail_msg("%u: %s", when, log);
        assert_true((strstr(log, "port 3: dead 'no more'") != NULL) == (when > 1));
        assert_true((strstr(log, "is back") != NULL) == (when > 2)); /* b/1 */
        struct hf_buf out = {0};
        assert_int_equal(hf_named_inspect(sc.s.k, HF_VIEW("a/1"), &out), HF_NOT_FOUND);
        assert_int_equal(sc.r.n_used, scene_stats(&sc).evicted);
        stage_close(&sc.s);
    }
}

static void the_death_of_a_linked_one_is_its_own_also_when_it_is_evicted(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 2, "ab");
    stage_script(&sc.s, "a/1", "l:b/1 r");
    stage_script(&sc.s, "b/1", "r");
    stage_script(&sc.s, "b/1", "F");
    stage_go(&sc.s, "b/1");
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    stage_go(&sc.s, "a/3");
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    stage_go(&sc.s, "b/1");
    struct hf_buf out = {0};
    assert_int_equal(hf_named_inspect(sc.s.k, HF_VIEW("a/1"), &out), HF_NOT_FOUND);
    stage_close(&sc.s);
}

static void an_evicted_one_can_be_watched(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "ab");
    scene_evict_first(&sc, 2);
    stage_script(&sc.s, "b/1", "m:a/1 r");
    stage_go(&sc.s, "b/1");
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    scene_forget_log(&sc.s);
    assert_int_equal(hf_named_kill(sc.s.k, HF_VIEW("a/1"), HF_VIEW("x")), HF_OK);
    stage_run(&sc.s);
    assert_non_null(strstr((const char *)sc.s.log.ptr, "b/1 <- ended a/1: dead 'x'"));
    stage_close(&sc.s);
}

static void timers_and_answers_bring_it_back(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "ab");
    stage_script(&sc.s, "a/1", "T s:b/1,q");
    stage_script(&sc.s, "b/1", "d");
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    stage_go(&sc.s, "a/3");
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    assert_true(stage_shows(&sc.s, "a/1", "1 pending"));
    assert_true(stage_shows(&sc.s, "a/1", "1 timers"));
    scene_forget_log(&sc.s);
    stage_script(&sc.s, "a/1", "");
    stage_pass(&sc.s, 10 * MS);
    assert_non_null(strstr((const char *)sc.s.log.ptr, "a/1 is back\na/1 <- timer\n"));
    stage_go(&sc.s, "a/2");
    scene_forget_log(&sc.s);
    stage_script(&sc.s, "b/1", "a r");
    stage_script(&sc.s, "a/1", "r");
    stage_go(&sc.s, "b/1");
    assert_non_null(strstr((const char *)sc.s.log.ptr,
                           "a/1 <- response b/1 'by-b/1' context c-q nested 'go' ok\n"));
    stage_close(&sc.s);
}

static void what_it_may_do_is_kept(void **state)
{
    struct scene sc;
    static const char *const nobody[] = {NULL};
    (void)state;
    stage_open_with(&sc.s, &(struct hf_kernel_settings){.resident_max = 1});
    stage_spill(&sc.s, &sc.r);
    stage_class(&sc.s, "a", (struct hf_named_settings){.grants = nobody});
    stage_classes(&sc.s, "b");
    stage_script(&sc.s, "b/1", "g:c/9 s:a/1");
    stage_script(&sc.s, "a/1", "h:c/9 r");
    stage_go(&sc.s, "b/1");
    stage_script(&sc.s, "b/1", "r");
    stage_go(&sc.s, "b/1");
    stage_go(&sc.s, "b/2");
    assert_true(stage_shows(&sc.s, "a/1", "evicted"));
    scene_forget_log(&sc.s);
    stage_script(&sc.s, "a/1", "?:c/9 r");
    stage_go(&sc.s, "a/1");
    assert_non_null(strstr((const char *)sc.s.log.ptr, "a/1: holds\n"));
    stage_close(&sc.s);
}

static void suspended_it_stays_away_until_it_is_resumed(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    scene_evict_first(&sc, 2);
    assert_int_equal(hf_named_suspend(sc.s.k, HF_VIEW("a/1")), HF_OK);
    stage_go(&sc.s, "a/1");
    expect(&sc.s, "");
    assert_int_equal(hf_named_resume(sc.s.k, HF_VIEW("a/1")), HF_OK);
    stage_run(&sc.s);
    expect(&sc.s, "a/2 stops\na/1 is back\na/1 <- request - 'go'\nport 3: ok 'by-a/1'\n");
    stage_close(&sc.s);
}

static void suspended_with_mail_it_is_not_tried_for_ever(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "ab");
    stage_script(&sc.s, "b/1", "w r");
    stage_go(&sc.s, "a/1");
    assert_int_equal(hf_named_suspend(sc.s.k, HF_VIEW("a/1")), HF_OK);
    stage_post(&sc.s, "a/1", "waits", NULL);
    stage_go(&sc.s, "b/1"); /* there are two now, and none that could go */
    assert_int_equal(scene_stats(&sc).resident, 2);
    assert_int_equal(sc.r.n_writes, 0);
    assert_int_equal(hf_named_resume(sc.s.k, HF_VIEW("a/1")), HF_OK);
    stage_gate(&sc.s);
    assert_int_equal(scene_stats(&sc).resident, 1);
    stage_close(&sc.s);
}

/* ---- ends in order ---- */

static struct stage *leaver_stage;

static enum hf_end on_leave(void *state, struct hf_turn *turn)
{
    (void)state;
    assert_int_equal(hf_buf_printf(&leaver_stage->log, "%.*s leaves\n", HF_FMT(hf_turn_name(turn))),
                     HF_OK);
    return HF_END_DONE;
}

static struct hf_class *leavers(struct scene *sc, struct hf_named_settings ns,
                                struct hf_behaviour *b)
{
    struct hf_class *c;
    struct hf_report report = {0};
    *b = puppet_behaviour;
    b->leave = on_leave;
    leaver_stage = &sc->s;
    ns.behaviour = b;
    ns.ctx = &sc->s;
    if (hf_named_class_add(sc->s.k, "q", &ns, &c, &report) != HF_OK)
        fail_msg("%s", report.text);
    return c;
}

static void in_order_it_ends_where_it_lies_or_says_its_last_words(void **state)
{
    (void)state;
    for (unsigned words = 0; words < 2; words++) {
        struct scene sc;
        struct hf_behaviour b;
        scene_open(&sc, 2, "a");
        struct hf_class *c = leavers(
            &sc, (struct hf_named_settings){.last_words = words == 1, .idle_timeout_ns = 50 * MS},
            &b);
        stage_go(&sc.s, "q/1");
        stage_go(&sc.s, "q/2");
        stage_pass(&sc.s, 10 * MS);
        stage_go(&sc.s, "q/3");
        stage_go(&sc.s, "a/1");
        stage_go(&sc.s, "a/2");
        assert_int_equal(scene_stats(&sc).evicted, 3);
        scene_forget_log(&sc.s);
        assert_int_equal(hf_named_stop(sc.s.k, HF_VIEW("q/1")), HF_OK);
        stage_run(&sc.s);
        expect(&sc.s, words ? "a/1 stops\nq/1 is back\nq/1 leaves\nq/1 stops\n" : "");
        stage_go(&sc.s, "a/1");
        scene_forget_log(&sc.s);
        stage_pass(&sc.s, 40 * MS); /* q/2 has been idle for 50 ms */
        if (words)
            assert_non_null(strstr((const char *)sc.s.log.ptr, "q/2 leaves\nq/2 stops\n"));
        assert_int_equal(hf_named_count(sc.s.k), 3);
        stage_go(&sc.s, "a/1");
        stage_go(&sc.s, "a/2");
        scene_forget_log(&sc.s);
        hf_class_close(c);
        stage_run(&sc.s);
        assert_int_equal(hf_named_count(sc.s.k), 2);
        if (words)
            assert_non_null(strstr((const char *)sc.s.log.ptr, "q/3 leaves\nq/3 stops\n"));
        stage_close(&sc.s);
    }
}

static void a_message_before_its_last_words_is_served(void **state)
{
    struct scene sc;
    struct hf_behaviour b;
    (void)state;
    scene_open(&sc, 1, "a");
    leavers(&sc, (struct hf_named_settings){.last_words = true, .idle_timeout_ns = 50 * MS}, &b);
    stage_go(&sc.s, "q/1");
    stage_go(&sc.s, "a/1");
    sc.r.late = true;
    stage_pass(&sc.s, 60 * MS); /* it comes back to leave */
    stage_post(&sc.s, "q/1", "wait!", NULL);
    sc.r.late = false;
    scene_forget_log(&sc.s);
    stage_run(&sc.s);
    const char *log = (const char *)sc.s.log.ptr;
    assert_non_null(strstr(log, "q/1 <- request - 'wait!'\nport 3: ok 'by-q/1'\n"));
    assert_null(strstr(log, "q/1 leaves"));
    stage_close(&sc.s);
}

static void a_closed_class_with_last_words_lets_all_of_them_speak(void **state)
{
    struct scene sc;
    struct hf_behaviour b;
    char name[20];
    (void)state;
    scene_open(&sc, 4, "a");
    struct hf_class *c = leavers(&sc, (struct hf_named_settings){.last_words = true}, &b);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "q/%u", i);
        stage_go(&sc.s, name);
    }
    scene_forget_log(&sc.s);
    hf_class_close(c);
    assert_int_equal(hf_kernel_processes(sc.s.k), 100);
    size_t most = 0, left = 0;
    sc.r.late = true;
    do {
        while (hf_kernel_step(sc.s.k, sc.s.now) == HF_OK)
            most = sc.s.n_puppets > most ? sc.s.n_puppets : most;
    } while (keeper_go(&sc.r, 1));
    for (const char *at = (const char *)sc.s.log.ptr; (at = strstr(at, "leaves")) != NULL; at++)
        left++;
    assert_int_equal(left, 100);
    assert_true(most <= 4 + 8);
    assert_int_equal(hf_kernel_processes(sc.s.k), 0);
    stage_close(&sc.s);
}

/* ---- what fails ---- */

static void a_write_that_fails_loses_nothing(void **state)
{
    (void)state;
    for (unsigned full = 0; full < 2; full++) {
        struct scene sc;
        scene_open(&sc, 2, "a");
        stage_go(&sc.s, "a/1");
        stage_go(&sc.s, "a/2");
        sc.r.write_fails = !full;
        sc.r.full = full;
        stage_go(&sc.s, "a/3"); /* nobody knows yet */
        struct hf_evict_stats st = scene_stats(&sc);
        assert_int_equal(st.resident, 3);
        assert_int_equal(st.failed, 1);
        assert_true(hf_view_eq_text(st.last_failure, full ? "the spill file: it is full"
                                                          : "the spill file: the disk is on fire"));
        uint64_t id;
        assert_int_equal(stage_try_post(&sc.s, "a/4", "go", NULL, 0, &id), HF_LIMIT);
        assert_int_equal(scene_stats(&sc).limited, 1);
        scene_forget_log(&sc.s);
        stage_script(&sc.s, "a/2", "s:a/4 r");
        stage_script(&sc.s, "a/2", "");
        stage_go(&sc.s, "a/1"); /* those that are there go on */
        stage_go(&sc.s, "a/2");
        expect(&sc.s, "a/1 <- request - 'go'\nport 4: ok 'by-a/1'\n"
                      "a/2 <- request - 'go'\na/2 <- error limit of a/4 context c-x nested 'go' "
                      "already-answered\nport 5: ok 'by-a/2'\n");
        sc.r.write_fails = sc.r.full = false;
        stage_pass(&sc.s, 1 * S); /* it is tried again */
        assert_int_equal(scene_stats(&sc).resident, 2);
        stage_go(&sc.s, "a/4");
        stage_close(&sc.s);
    }
}

static void while_nothing_can_be_written_evicted_ones_still_come_back(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 2, "a");
    scene_evict_first(&sc, 4);
    sc.r.full = true;
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    assert_int_equal(sc.s.n_told, 6);
    assert_int_equal(scene_stats(&sc).resident, 4);
    stage_close(&sc.s);
}

static void a_read_that_fails_is_a_death_with_its_reason(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 2; how++) {
        struct scene sc;
        scene_open(&sc, 1, "b");
        stage_class(
            &sc.s, "a",
            (struct hf_named_settings){.restart = how ? HF_RESTART_ALWAYS : HF_RESTART_NEVER});
        stage_script(&sc.s, "b/1", "m:a/1 r");
        stage_go(&sc.s, "a/1");
        stage_go(&sc.s, "b/1");
        assert_true(stage_shows(&sc.s, "a/1", "evicted"));
        scene_forget_log(&sc.s);
        sc.r.read_fails = how == 0;
        sc.r.read_short = how == 1;
        stage_post(&sc.s, "a/1", "one", NULL);
        while (scene_stats(&sc).lost == 0) /* b/1, which went for it, is not to fail, too */
            if (hf_kernel_step(sc.s.k, sc.s.now) != HF_OK)
                assert_true(keeper_go(&sc.r, 1));
        sc.r.read_fails = sc.r.read_short = false;
        stage_run(&sc.s);
        const char *log = (const char *)sc.s.log.ptr;
        if (how == 0) {
            assert_non_null(strstr(log, "port 3: dead 'it was evicted and could not be revived: "
                                        "sector 7 is gone'"));
            assert_non_null(strstr(log, "b/1 <- ended a/1: dead 'it was evicted and could not be "
                                        "revived: sector 7 is gone'"));
        } else { /* the mailbox is kept, as over any restart */
            assert_non_null(strstr(log, "b/1 <- ended a/1: dead 'it was evicted and could not be "
                                        "revived: the spill file gave"));
            stage_pass(&sc.s, 200 * MS);
            assert_non_null(strstr((const char *)sc.s.log.ptr, "a/1 <- request - 'one'\n"));
        }
        assert_int_equal(scene_stats(&sc).lost, 1);
        stage_close(&sc.s);
    }
}

static void the_kernel_may_be_freed_with_moves_under_way(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 2, "a");
    scene_evict_first(&sc, 4);
    sc.r.late = true;
    stage_post(&sc.s, "a/1", "go", NULL);
    stage_run(&sc.s);
    keeper_go(&sc.r, 1);
    stage_run(&sc.s); /* a read and, for a/5, a write */
    stage_post(&sc.s, "a/5", "go", NULL);
    stage_run(&sc.s);
    assert_true(scene_stats(&sc).moves > 0);
    stage_close(&sc.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_recently_used_is_evicted_first),
        cmocka_unit_test(the_next_message_revives_it_as_it_was),
        cmocka_unit_test(it_is_the_same_instance_as_before),
        cmocka_unit_test(a_thousand_names_fit_through_ten),
        cmocka_unit_test(many_messages_at_once_wait_for_room),
        cmocka_unit_test(a_class_may_have_a_bound_of_its_own),
        cmocka_unit_test(who_is_busy_or_has_mail_stays),
        cmocka_unit_test(a_run_shape_counts_and_is_never_evicted),
        cmocka_unit_test(what_cannot_be_imaged_says_why_and_is_asked_again),
        cmocka_unit_test(a_message_during_the_write_keeps_it),
        cmocka_unit_test(messages_during_the_read_wait_in_their_order),
        cmocka_unit_test(a_kill_meets_it_wherever_it_is),
        cmocka_unit_test(the_death_of_a_linked_one_is_its_own_also_when_it_is_evicted),
        cmocka_unit_test(an_evicted_one_can_be_watched),
        cmocka_unit_test(timers_and_answers_bring_it_back),
        cmocka_unit_test(what_it_may_do_is_kept),
        cmocka_unit_test(suspended_it_stays_away_until_it_is_resumed),
        cmocka_unit_test(suspended_with_mail_it_is_not_tried_for_ever),
        cmocka_unit_test(in_order_it_ends_where_it_lies_or_says_its_last_words),
        cmocka_unit_test(a_message_before_its_last_words_is_served),
        cmocka_unit_test(a_closed_class_with_last_words_lets_all_of_them_speak),
        cmocka_unit_test(a_write_that_fails_loses_nothing),
        cmocka_unit_test(while_nothing_can_be_written_evicted_ones_still_come_back),
        cmocka_unit_test(a_read_that_fails_is_a_death_with_its_reason),
        cmocka_unit_test(the_kernel_may_be_freed_with_moves_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
