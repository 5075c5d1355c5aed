/* spare_test.c - instances made ahead: when, who takes them, and to whom they give way. */
#include "support_evict.h"

/* What all instances of a test share. */
struct troupe {
    struct stage *s;
    size_t n_made, n_live, room; /* room: a start that finds so many is LIMITED */
    size_t n_renewed;
    bool asks, sends, fails, waits, runs, renews, stains;
    struct hf_wait gate;
    char words[200]; /* last words, in order */
};

struct player {
    struct troupe *t;
    size_t number;
    struct hf_waiter waiter;
    size_t turns; /* since it was made or renewed */
};

static enum hf_end player_start(void *ctx, struct hf_turn *turn, void **state)
{
    struct troupe *t = ctx;
    if (t->n_live >= t->room) {
        hf_turn_fail(turn, HF_ANSWER_LIMITED, HF_VIEW("no room"));
        return HF_END_FAILED;
    }
    struct player *p = calloc(1, sizeof *p);
    assert_non_null(p);
    *state = p;
    p->t = t;
    p->number = ++t->n_made;
    t->n_live++;
    if (t->asks)
        (void)hf_turn_name(turn);
    if (t->sends)
        assert_int_equal(hf_turn_set_timer(turn, 1, &(uint64_t){0}), HF_SAID_DENIED);
    if (t->fails) {
        hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("no"));
        return HF_END_FAILED;
    }
    if (t->waits) {
        hf_waiter_arm(&p->waiter, &t->gate, hf_turn_waitset(turn));
        return HF_END_WAIT;
    }
    return HF_END_DONE;
}

static enum hf_end player_turn(void *state, struct hf_turn *turn)
{
    struct player *p = state;
    char text[64];
    if (p->t->runs && hf_turn_receive(turn) == HF_AGAIN) {
        hf_waiter_disarm(&p->waiter);
        hf_waiter_arm(&p->waiter, hf_turn_mail_wait(turn), hf_turn_waitset(turn));
        return HF_END_WAIT;
    }
    const struct hf_message *m = hf_turn_message(turn);
    struct hf_response r = {0};
    assert_int_equal(++p->turns, hf_turn_served(turn)); /* what others did is not left in it */
    if (hf_view_eq(m->body, HF_VIEW("die"))) {
        hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("so it said"));
        return HF_END_FAILED;
    }
    snprintf(text, sizeof text, "%.*s is %zu, message %llu", HF_FMT(hf_turn_name(turn)), p->number,
             (unsigned long long)hf_turn_served(turn));
    assert_int_equal(hf_buf_add_text(&r.body, text), HF_OK);
    if (hf_view_eq(m->body, HF_VIEW("bye")))
        hf_turn_retire(turn, "done");
    assert_int_equal(hf_turn_reply(turn, &r), HF_SAID_OK);
    return HF_END_DONE;
}

static enum hf_end player_resume(void *state, struct hf_turn *turn)
{
    struct player *p = state;
    if (p->t->runs && hf_turn_name(turn).len > 0 && !p->t->waits)
        return player_turn(state, turn);
    hf_waiter_disarm(&p->waiter);
    return HF_END_DONE;
}

static enum hf_end player_leave(void *state, struct hf_turn *turn)
{
    struct player *p = state;
    (void)turn;
    size_t n = strlen(p->t->words);
    snprintf(p->t->words + n, sizeof p->t->words - n, "%zu ", p->number);
    return HF_END_DONE;
}

static void player_stop(void *state)
{
    struct player *p = state;
    if (p == NULL)
        return;
    hf_waiter_disarm(&p->waiter);
    p->t->n_live--;
    free(p);
}

static enum hf_err player_evict(void *state, struct hf_buf *ret, struct hf_report *why)
{
    struct player *p = state;
    (void)why;
    return hf_buf_add(ret, &p->number, sizeof p->number);
}

static enum hf_err player_revive(void *ctx, struct hf_turn *turn, struct hf_view bytes,
                                 void **state, struct hf_report *why)
{
    struct troupe *t = ctx;
    size_t made = t->n_made;
    (void)why;
    if (t->n_live >= t->room)
        return HF_LIMIT;
    assert_int_equal(player_start(ctx, turn, state), HF_END_DONE);
    t->n_made = made;
    memcpy(&((struct player *)*state)->number, bytes.ptr, sizeof(size_t));
    ((struct player *)*state)->turns = 1;
    return HF_OK;
}

static enum hf_err player_renew(void *state)
{
    struct player *p = state;
    p->t->n_renewed++;
    p->turns = 0;
    return p->t->stains ? HF_UNSUPPORTED : HF_OK;
}

static const struct hf_behaviour player = {.name = "player",
                                           .start = player_start,
                                           .turn = player_turn,
                                           .resume = player_resume,
                                           .leave = player_leave,
                                           .stop = player_stop,
                                           .evict = player_evict,
                                           .revive = player_revive};
static const struct hf_behaviour renewable = {.name = "renewable",
                                              .start = player_start,
                                              .turn = player_turn,
                                              .resume = player_resume,
                                              .leave = player_leave,
                                              .stop = player_stop,
                                              .evict = player_evict,
                                              .revive = player_revive,
                                              .renew = player_renew};

static struct hf_class *add(struct stage *s, struct troupe *t, const char *name,
                            struct hf_named_settings ns)
{
    struct hf_class *c;
    ns.behaviour = t->renews ? &renewable : &player;
    ns.ctx = t;
    assert_int_equal(hf_named_class_add(s->k, name, &ns, &c, NULL), HF_OK);
    return c;
}

static void init(struct troupe *t, struct stage *s)
{
    *t = (struct troupe){.s = s, .room = 1000};
    hf_wait_init(&t->gate, false);
}

static struct hf_class *open(struct stage *s, struct troupe *t, uint32_t warm)
{
    stage_open(s);
    init(t, s);
    return add(s, t, "a", (struct hf_named_settings){.warm = warm});
}

static void close(struct stage *s, struct troupe *t)
{
    stage_close(s);
    assert_int_equal(t->n_live, 0);
    hf_wait_done(&t->gate);
}

static void post_go(struct stage *s, const char *name)
{
    stage_post(s, name, "go", NULL);
}

/* ---- made and taken ---- */

static void they_are_made_when_nobody_is_runnable(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 2);
    assert_int_equal(t.n_made, 0);
    /* A prompt one stands before them. */
    struct hf_class *b = add(&s, &t, "b", (struct hf_named_settings){0});
    post_go(&s, "b");
    assert_int_equal(hf_kernel_step(s.k, s.now), HF_OK);
    assert_int_equal(t.n_made, 1);
    assert_int_equal(stats_of(b).started, 1);
    stage_run(&s);
    assert_int_equal(t.n_made, 3);
    assert_int_equal(stats_of(c).spares, 2);
    assert_int_equal(stats_of(c).started, 2);
    assert_int_equal(hf_named_count(s.k), 1);
    expect(&s, "port 1: ok 'b is 1, message 1'\n");
    close(&s, &t);
}

static void a_new_name_takes_one_and_another_is_made(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 1);
    stage_run(&s);
    stage_pass(&s, 5 * MS);
    stage_go(&s, "a/1");
    stage_go(&s, "a/1");
    stage_go(&s, "a/2");
    expect(&s, "port 1: ok 'a/1 is 1, message 1'\n"
               "port 2: ok 'a/1 is 1, message 2'\n"
               "port 3: ok 'a/2 is 2, message 1'\n");
    assert_int_equal(t.n_live, 3);
    assert_int_equal(stats_of(c).spares, 1);
    assert_int_equal(stats_of(c).warm, 2);
    struct hf_named *n = hf_map_get(&s.k->named_by_name, HF_VIEW("a/1"));
    assert_int_equal(n->born_ns, s.now); /* not when its instance was made */
    close(&s, &t);
}

static void one_is_given_once(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 2);
    stage_run(&s);
    for (unsigned i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "a/%u", i);
        post_go(&s, name);
    }
    stage_run(&s);
    /* The third and fourth take those that were being made for the first two. */
    expect(&s, "port 1: ok 'a/0 is 2, message 1'\n"
               "port 2: ok 'a/1 is 1, message 1'\n"
               "port 3: ok 'a/2 is 3, message 1'\n"
               "port 4: ok 'a/3 is 4, message 1'\n");
    assert_int_equal(stats_of(c).warm, 2);
    assert_int_equal(stats_of(c).spares, 2);
    assert_int_equal(t.n_live, 6);
    close(&s, &t);
}

static void one_that_still_starts_is_waited_for(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 1);
    t.waits = true;
    stage_run(&s);
    assert_int_equal(t.n_made, 1);
    t.waits = false;
    stage_go(&s, "a");
    expect(&s, "");
    hf_wait_fire(&t.gate);
    stage_run(&s);
    expect(&s, "port 1: ok 'a is 1, message 1'\n");
    assert_int_equal(stats_of(c).warm, 0);
    close(&s, &t);
}

static void a_runner_takes_one(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    stage_open(&s);
    init(&t, &s);
    t.runs = true;
    add(&s, &t, "a", (struct hf_named_settings){.warm = 1, .shape = HF_SHAPE_RUN});
    stage_run(&s);
    stage_go(&s, "a");
    expect(&s, "port 1: ok 'a is 1, message 1'\n");
    close(&s, &t);
}

static void a_spawned_child_and_a_restarted_one_take_one(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 1);
    stage_class(&s, "p", (struct hf_named_settings){0});
    stage_run(&s);
    stage_script(&s, "p", "S:a/x s:a/x r");
    stage_go(&s, "p");
    assert_int_equal(stats_of(c).warm, 1);
    stage_post(&s, "a/x", "bye", NULL);
    post_go(&s, "a/x");
    stage_run(&s);
    stage_pass(&s, 1);
    assert_int_equal(stats_of(c).warm, 2);
    assert_true(stage_shows(&s, "a/x", "idle"));
    scene_forget_log(&s);
    close(&s, &t);
}

/* ---- they give way ---- */

static void a_bound_on_memory_takes_a_spare_before_anybody(void **state)
{
    struct scene sc;
    struct troupe t;
    (void)state;
    scene_open(&sc, 4, "b");
    init(&t, &sc.s);
    struct hf_class *c = add(&sc.s, &t, "a", (struct hf_named_settings){.warm = 3});
    stage_run(&sc.s);
    assert_int_equal(stats_of(c).spares, 3);
    stage_go(&sc.s, "b/1");
    stage_go(&sc.s, "b/2");
    assert_int_equal(stats_of(c).spares, 2);
    stage_go(&sc.s, "b/3");
    stage_go(&sc.s, "b/4");
    assert_int_equal(stats_of(c).spares, 0);
    assert_int_equal(t.n_live, 0);
    assert_string_equal(t.words, ""); /* they have been nobody */
    assert_int_equal(scene_stats(&sc).evictions, 0);
    stage_go(&sc.s, "b/5"); /* now somebody must go, and no spare is made of the room */
    stage_run(&sc.s);
    assert_int_equal(scene_stats(&sc).evictions, 1);
    assert_int_equal(t.n_live, 0);
    scene_forget_log(&sc.s);
    stage_close(&sc.s);
    assert_int_equal(t.n_live, 0);
    hf_wait_done(&t.gate);
}

static void the_bound_of_its_class_takes_one(void **state)
{
    struct scene sc;
    struct troupe t;
    (void)state;
    scene_open(&sc, 100, "b");
    init(&t, &sc.s);
    struct hf_class *c =
        add(&sc.s, &t, "a", (struct hf_named_settings){.warm = 3, .resident_max = 2});
    stage_run(&sc.s);
    assert_int_equal(stats_of(c).spares, 2);
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    assert_int_equal(stats_of(c).spares, 0);
    assert_int_equal(t.n_live, 2);
    stage_go(&sc.s, "a/3");
    stage_go(&sc.s, "a/1");
    assert_int_equal(scene_stats(&sc).revivals, 1);
    assert_int_equal(t.n_live, 2);
    scene_forget_log(&sc.s);
    close(&sc.s, &t);
}

static void bounds_on_processes_do_not_count_them(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    stage_open_with(&s, &(struct hf_kernel_settings){.processes_max = 3});
    init(&t, &s);
    struct hf_class *a = add(&s, &t, "a", (struct hf_named_settings){.warm = 2, .processes_max = 2});
    add(&s, &t, "b", (struct hf_named_settings){0});
    stage_run(&s);
    assert_int_equal(t.n_live, 2);
    post_go(&s, "b/1"); /* three of three */
    post_go(&s, "b/2"); /* one of the spares goes */
    post_go(&s, "b/3");
    uint64_t id;
    assert_int_equal(stage_try_post(&s, "b/4", "go", NULL, 0, &id), HF_LIMIT);
    stage_run(&s);
    assert_int_equal(t.n_live, 3);
    assert_int_equal(stats_of(a).spares, 0);
    stage_post(&s, "b/1", "bye", NULL);
    stage_run(&s);
    scene_forget_log(&s);
    stage_go(&s, "a/1");
    expect(&s, "port 5: ok 'a/1 is 6, message 1'\n");
    close(&s, &t);
}

static void a_start_that_finds_no_room_gets_theirs(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *a = open(&s, &t, 3);
    add(&s, &t, "b", (struct hf_named_settings){0});
    t.room = 3;
    stage_run(&s);
    assert_int_equal(stats_of(a).spares, 3);
    stage_go(&s, "b");
    expect(&s, "port 1: ok 'b is 4, message 1'\n");
    assert_int_equal(t.n_live, 1);
    assert_int_equal(stats_of(a).spares, 0);
    /* For a second none is made; then with the next that comes. */
    stage_go(&s, "a/1");
    assert_int_equal(t.n_live, 2);
    stage_pass(&s, 2 * S);
    stage_post(&s, "a/1", "bye", NULL);
    stage_run(&s);
    assert_int_equal(t.n_live, 3); /* b and two: the third finds no room */
    assert_int_equal(stats_of(a).start_failures, 0);
    scene_forget_log(&s);
    close(&s, &t);
}

static void a_start_that_finds_no_room_and_no_spares_fails(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    open(&s, &t, 0);
    t.room = 0;
    stage_go(&s, "a");
    expect(&s, "port 1: limit 'no room'\n");
    close(&s, &t);
}

static void a_revival_that_finds_no_room_gets_theirs(void **state)
{
    struct scene sc;
    struct troupe t;
    (void)state;
    scene_open(&sc, 3, "b");
    init(&t, &sc.s);
    struct hf_class *c = add(&sc.s, &t, "a", (struct hf_named_settings){.warm = 2, .resident_max = 2});
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/2");
    stage_go(&sc.s, "a/3");
    assert_int_equal(scene_stats(&sc).evicted, 1);
    stage_post(&sc.s, "a/2", "bye", NULL);
    stage_post(&sc.s, "a/3", "bye", NULL);
    stage_run(&sc.s);
    assert_int_equal(stats_of(c).spares, 2);
    t.room = 2;
    scene_forget_log(&sc.s);
    stage_go(&sc.s, "a/1");
    expect(&sc.s, "port 6: ok 'a/1 is 1, message 2'\n");
    assert_int_equal(scene_stats(&sc).lost, 0);
    scene_forget_log(&sc.s);
    close(&sc.s, &t);
}

/* ---- they would not be the same ---- */

static void a_start_that_asks_who_it_is_has_no_spares(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 2);
    t.asks = true;
    stage_run(&s);
    assert_int_equal(t.n_live, 0);
    assert_in_range(t.n_made, 1, 2);
    size_t made = t.n_made;
    stage_go(&s, "a");
    stage_run(&s);
    assert_int_equal(t.n_made, made + 1);
    assert_int_equal(stats_of(c).spares, 0);
    assert_int_equal(stats_of(c).warm, 0);
    scene_forget_log(&s);
    close(&s, &t);
}

static void a_start_that_wants_a_timer_has_no_spares(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 1);
    t.sends = true;
    stage_run(&s);
    assert_int_equal(t.n_live, 0);
    assert_int_equal(stats_of(c).spares, 0);
    close(&s, &t);
}

static void what_is_recorded_has_none(void **state)
{
    struct stage s;
    struct hf_class *c;
    struct hf_report r;
    (void)state;
    stage_open(&s);
    hf_report_init(&r);
    assert_int_equal(hf_named_class_add(s.k, "a",
                                        &(struct hf_named_settings){.behaviour = &player,
                                                                    .recorded = true,
                                                                    .warm = 1},
                                        &c, &r),
                     HF_UNSUPPORTED);
    assert_non_null(strstr(r.text, "spares"));
    stage_close(&s);
}

/* ---- coming back ---- */

static struct hf_class *open_renewing(struct stage *s, struct troupe *t, uint32_t warm)
{
    stage_open(s);
    init(t, s);
    t->renews = true;
    return add(s, t, "a", (struct hf_named_settings){.warm = warm});
}

static void bye(struct stage *s, const char *name)
{
    stage_post(s, name, "bye", NULL);
    stage_run(s);
}

static void who_ends_in_order_is_renewed_for_another(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open_renewing(&s, &t, 1);
    stage_run(&s);
    for (unsigned i = 0; i < 5; i++) { /* each before another spare is made */
        stage_post(&s, "a/1", "go", NULL);
        bye(&s, "a/1");
    }
    assert_int_equal(stats_of(c).warm, 5);
    assert_int_equal(stats_of(c).retired, 5);
    assert_int_equal(stats_of(c).spares, 1);
    assert_int_equal(t.n_live, 1);
    expect(&s, "port 1: ok 'a/1 is 1, message 1'\n"
               "port 2: ok 'a/1 is 1, message 2'\n"
               "port 3: ok 'a/1 is 1, message 1'\n"
               "port 4: ok 'a/1 is 1, message 2'\n"
               "port 5: ok 'a/1 is 1, message 1'\n"
               "port 6: ok 'a/1 is 1, message 2'\n"
               "port 7: ok 'a/1 is 1, message 1'\n"
               "port 8: ok 'a/1 is 1, message 2'\n"
               "port 9: ok 'a/1 is 1, message 1'\n"
               "port 10: ok 'a/1 is 1, message 2'\n");
    assert_int_equal(t.n_made, 1); /* those that were not begun made way */
    assert_int_equal(hf_named_count(s.k), 0);
    close(&s, &t);
}

static void it_is_another_process_then(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open_renewing(&s, &t, 1);
    stage_run(&s);
    bye(&s, "a/1");
    stage_pass(&s, 5 * MS);
    stage_go(&s, "a/2");
    struct hf_named *n = hf_map_get(&s.k->named_by_name, HF_VIEW("a/2"));
    assert_true(n->process->id > 1);
    assert_int_equal(n->process->served, 1);
    assert_false(n->process->spare);
    assert_null(n->process->turn.retire);
    uint64_t before = 0;
    HF_LIST_FOR (at, &c->processes) {
        uint64_t id = HF_LIST_ENTRY(at, struct hf_process, in_class)->id;
        assert_true(id > before);
        before = id;
    }
    scene_forget_log(&s);
    close(&s, &t);
}

static void who_cannot_be_renewed_goes(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open_renewing(&s, &t, 1);
    t.stains = true;
    stage_run(&s);
    bye(&s, "a/1");
    bye(&s, "a/2");
    assert_int_equal(t.n_made, 3);
    assert_int_equal(t.n_live, 1);
    assert_int_equal(stats_of(c).spares, 1);
    scene_forget_log(&s);
    close(&s, &t);
}

static void who_is_killed_or_fails_is_not_renewed(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    open_renewing(&s, &t, 1);
    stage_run(&s);
    stage_go(&s, "a/1");
    assert_int_equal(hf_named_kill(s.k, HF_VIEW("a/1"), HF_VIEW("x")), HF_OK);
    stage_run(&s);
    assert_int_equal(t.n_renewed, 0);
    stage_post(&s, "a/3", "die", NULL); /* while another spare was not begun */
    stage_run(&s);
    assert_int_equal(t.n_renewed, 0);
    stage_go(&s, "a/2"); /* and one that is stopped is */
    stage_run(&s);
    assert_int_equal(hf_named_stop(s.k, HF_VIEW("a/2")), HF_OK);
    stage_run(&s);
    assert_int_equal(t.n_renewed, 0); /* a spare is ready: no other is wanted */
    scene_forget_log(&s);
    close(&s, &t);
}

static void no_more_are_kept_than_wanted(void **state)
{
    struct stage s;
    struct troupe t;
    char name[8];
    (void)state;
    struct hf_class *c = open_renewing(&s, &t, 2);
    for (unsigned i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "a/%u", i);
        stage_go(&s, name);
    }
    for (unsigned i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "a/%u", i);
        bye(&s, name);
    }
    assert_int_equal(stats_of(c).spares, 2);
    assert_int_equal(t.n_live, 2);
    assert_int_equal(t.n_renewed, 0);
    scene_forget_log(&s);
    close(&s, &t);
}

/* ---- ends ---- */

static void one_that_fails_is_not_made_again_before_one_works(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 3);
    t.fails = true;
    stage_run(&s);
    assert_in_range(stats_of(c).start_failures, 1, 3);
    assert_int_equal(t.n_live, 0);
    size_t made = t.n_made;
    stage_run(&s);
    assert_int_equal(t.n_made, made);
    assert_true(hf_view_eq(hf_class_last_failure(c), HF_VIEW("no")));
    t.fails = false;
    stage_go(&s, "a");
    stage_post(&s, "a", "bye", NULL);
    stage_run(&s);
    assert_int_equal(stats_of(c).spares, 3);
    scene_forget_log(&s);
    close(&s, &t);
}

static void they_go_with_their_class(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 3);
    stage_run(&s);
    hf_class_close(c);
    stage_run(&s);
    assert_int_equal(t.n_live, 0);
    assert_int_equal(hf_kernel_processes(s.k), 0);
    assert_string_equal(t.words, "");
    close(&s, &t);
}

static void one_that_starts_goes_with_its_class(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 2);
    t.waits = true;
    stage_run(&s);
    assert_int_equal(t.n_live, 2);
    hf_class_close(c);
    stage_run(&s);
    assert_int_equal(t.n_live, 0);
    close(&s, &t);
}

static void one_that_is_killed_is_made_again(void **state)
{
    struct stage s;
    struct troupe t;
    (void)state;
    struct hf_class *c = open(&s, &t, 1);
    stage_run(&s);
    assert_true(hf_kernel_kill(s.k, 1, "by hand"));
    stage_run(&s);
    assert_int_equal(t.n_made, 2);
    stage_go(&s, "a");
    expect(&s, "port 1: ok 'a is 2, message 1'\n");
    assert_int_equal(stats_of(c).warm, 1);
    close(&s, &t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_made_when_nobody_is_runnable),
        cmocka_unit_test(a_new_name_takes_one_and_another_is_made),
        cmocka_unit_test(one_is_given_once),
        cmocka_unit_test(one_that_still_starts_is_waited_for),
        cmocka_unit_test(a_runner_takes_one),
        cmocka_unit_test(a_spawned_child_and_a_restarted_one_take_one),
        cmocka_unit_test(a_bound_on_memory_takes_a_spare_before_anybody),
        cmocka_unit_test(the_bound_of_its_class_takes_one),
        cmocka_unit_test(bounds_on_processes_do_not_count_them),
        cmocka_unit_test(a_start_that_finds_no_room_gets_theirs),
        cmocka_unit_test(a_start_that_finds_no_room_and_no_spares_fails),
        cmocka_unit_test(a_revival_that_finds_no_room_gets_theirs),
        cmocka_unit_test(a_start_that_asks_who_it_is_has_no_spares),
        cmocka_unit_test(a_start_that_wants_a_timer_has_no_spares),
        cmocka_unit_test(what_is_recorded_has_none),
        cmocka_unit_test(who_ends_in_order_is_renewed_for_another),
        cmocka_unit_test(it_is_another_process_then),
        cmocka_unit_test(who_cannot_be_renewed_goes),
        cmocka_unit_test(who_is_killed_or_fails_is_not_renewed),
        cmocka_unit_test(no_more_are_kept_than_wanted),
        cmocka_unit_test(one_that_fails_is_not_made_again_before_one_works),
        cmocka_unit_test(they_go_with_their_class),
        cmocka_unit_test(one_that_starts_goes_with_its_class),
        cmocka_unit_test(one_that_is_killed_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
