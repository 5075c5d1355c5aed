/* support_sim.c - see support_sim.h. */
#include "support_sim.h"

enum { DEEDS = 5 };

void sim_violation(const struct sim *w, const char *what)
{
    fprintf(stderr, "seed %llu, event %llu: %s\n", (unsigned long long)w->seed,
            (unsigned long long)w->events, what);
    abort();
}

uint64_t sim_pick(struct sim *w, uint64_t n)
{
    return rnd(&w->rnd) % n;
}

bool sim_chance(struct sim *w, unsigned percent)
{
    return sim_pick(w, 100) < percent;
}

void sim_count(struct sim *w, enum happening kind)
{
    static const char *const names[] = {
#define X(name) #name,
        HAPPENINGS(X)
#undef X
    };
    w->counts[kind]++;
    w->events++;
    if (w->log)
        print_message("%llu %s\n", (unsigned long long)w->events, names[kind]);
}

/* ---- names and classes ---- */

const char *const sim_classes[6] = {"plain", "rec", "again", "some", "loop", "small"};

void sim_name_of(unsigned i, char *ret, size_t cap)
{
    snprintf(ret, cap, "%s/%u", sim_classes[i % HF_ARRAY_LEN(sim_classes)], i);
}

struct hf_view sim_any_name(struct sim *w, char *buf, size_t cap)
{
    unsigned i = (unsigned)sim_pick(w, NAMES + 1);
    if (i == NAMES)
        snprintf(buf, cap, "nobody/1");
    else
        sim_name_of(i, buf, cap);
    return hf_view_of(buf);
}

static uint64_t index_of(struct hf_view name)
{
    uint64_t n = 0;
    size_t at = hf_view_find(name, '/');
    if (at == name.len)
        return 999;
    while (++at < name.len && name.ptr[at] >= '0' && name.ptr[at] <= '9') /* a view has no NUL behind it */
        n = n * 10 + (uint64_t)(name.ptr[at] - '0');
    return n;
}

/* ---- what they say and are told ---- */

static uint64_t new_serial(struct actor *a, bool wants)
{
    struct sim *w = a->w;
    if (w->n_serials == w->cap_serials) {
        w->cap_serials = w->cap_serials == 0 ? 1024 : 2 * w->cap_serials;
        w->serials = realloc(w->serials, w->cap_serials * sizeof *w->serials);
        assert_non_null(w->serials);
    }
    w->serials[w->n_serials] = (struct serial){
        .by = a->id, .wants = wants, .recorded = a->recorded, .kernel = hf_turn_kernel(a->turn)->far.here};
    return w->n_serials++;
}

/* "M by number serial" */
static void make_body(struct hf_buf *body, uint64_t by, uint64_t number, uint64_t serial)
{
    assert_int_equal(hf_buf_printf(body, "M %llu %llu %llu ", (unsigned long long)by,
                                   (unsigned long long)number, (unsigned long long)serial),
                     HF_OK);
}

bool sim_parse_body(struct hf_view body, uint64_t *by, uint64_t *number, uint64_t *serial)
{
    unsigned long long a, b, c;
    char text[80];
    snprintf(text, sizeof text, "%.*s", HF_FMT(body));
    if (sscanf(text, "M %llu %llu %llu ", &a, &b, &c) != 3)
        return false;
    *by = a, *number = b, *serial = c;
    return true;
}

void sim_must_be_acked(struct sim *w, uint64_t serial)
{
    const struct serial *s = &w->serials[serial];
    MUST(w, !s->recorded || (s->batch != 0 && s->batch <= w->stores[s->kernel].acked));
}

static void check_request(struct actor *a, const struct hf_message *m)
{
    struct sim *w = a->w;
    uint64_t by, number, serial;
    if (m->source.len == 0)
        return;
    MUST(w, sim_parse_body(m->body, &by, &number, &serial));
    struct serial *s = &w->serials[serial];
    MUST(w, s->by == by && !s->consumed);
    s->consumed = true;
    sim_must_be_acked(w, serial);
    uint64_t key = by << 10 | index_of(hf_turn_name(a->turn));
    uint64_t last = (uint64_t)(uintptr_t)hf_map_get_u64(&w->order, key);
    MUST(w, number + 1 > last);
    assert_int_equal(hf_map_put_u64(&w->order, key, (void *)(uintptr_t)(number + 1), NULL), HF_OK);
}

static void check_done(struct actor *a, struct hf_view context, enum hf_answer_kind kind,
                       struct hf_view body)
{
    static const enum happening kinds[] = {
        [HF_ANSWER_OK] = EV_got_response,     [HF_ANSWER_TIMEOUT] = EV_got_timeout,
        [HF_ANSWER_NO_SUCH] = EV_got_no_such, [HF_ANSWER_FULL] = EV_got_full,
        [HF_ANSWER_DEAD] = EV_got_dead,       [HF_ANSWER_UNANSWERED] = EV_got_unanswered,
        [HF_ANSWER_LIMITED] = EV_got_limit,   [HF_ANSWER_CANCELLED] = EV_got_cancelled,
        [HF_ANSWER_CYCLE] = EV_got_cycle};
    struct sim *w = a->w;
    uint64_t by, number, serial, own;
    MUST(w, context.len == sizeof own);
    memcpy(&own, context.ptr, sizeof own);
    struct serial *s = &w->serials[own];
    MUST(w, s->wants && !s->done && !s->dropped && s->by == a->id);
    s->done = true;
    sim_count(w, kinds[kind]);
    if (kind != HF_ANSWER_OK)
        return;
    MUST(w, sim_parse_body(body, &by, &number, &serial));
    MUST(w, !w->serials[serial].consumed);
    w->serials[serial].consumed = true;
    sim_must_be_acked(w, serial);
}

static void check_message(struct actor *a)
{
    struct sim *w = a->w;
    const struct hf_message *m = hf_turn_message(a->turn);
    switch (m->kind) {
    case HF_MESSAGE_REQUEST: check_request(a, m); return;
    case HF_MESSAGE_RESPONSE: check_done(a, m->context, HF_ANSWER_OK, m->body); return;
    case HF_MESSAGE_ERROR: check_done(a, m->context, m->error, m->body); return;
    case HF_MESSAGE_NOTICE:
        switch (m->notice) {
        case HF_NOTICE_ENDED:
            sim_count(w, EV_got_ended);
            MUST(w, ++a->fired <= a->watches);
            return;
        case HF_NOTICE_EXIT: sim_count(w, EV_got_exit); return;
        case HF_NOTICE_REFUSED: sim_count(w, EV_got_refused); return;
        case HF_NOTICE_VOID: sim_count(w, EV_got_void); return;
        case HF_NOTICE_TIMER: sim_count(w, EV_got_timer); return;
        case HF_NOTICE_NONE: break;
        }
    }
    MUST(w, !"a message of no kind");
}

static bool said(struct sim *w, enum hf_said what)
{
    switch (what) {
    case HF_SAID_OK: return true;
    case HF_SAID_VOID: sim_count(w, EV_said_void); return false;
    case HF_SAID_ANSWERED: sim_count(w, EV_said_answered); return false;
    case HF_SAID_MOVED: sim_count(w, EV_said_moved); return false;
    case HF_SAID_DEFERRED: sim_count(w, EV_said_deferred); return false;
    case HF_SAID_DENIED: sim_count(w, EV_said_denied); return false;
    case HF_SAID_LIMIT: sim_count(w, EV_said_limit); return false;
    case HF_SAID_TAKEN: sim_count(w, EV_said_taken); return false;
    default: return false;
    }
}

struct hf_view sim_bytes(struct sim *w)
{
    static const uint8_t many[70000] = "of an actor";
    return hf_view(many, sim_chance(w, 60) ? 11 : sim_chance(w, 80) ? 5000 : sizeof many);
}

static struct hf_blob *some_blob(struct actor *a)
{
    struct sim *w = a->w;
    if (!sim_chance(w, 20))
        return NULL;
    struct hf_blob *b = hf_blob_of_bytes_in(hf_kernel_blobs(hf_turn_kernel(a->turn)), sim_bytes(w));
    return b; /* NULL: the file is full */
}

static bool send_some(struct actor *a, enum happening kind)
{
    struct sim *w = a->w;
    char name[40], cap[40];
    struct hf_view target = sim_any_name(w, name, sizeof name),
                   pass = sim_any_name(w, cap, sizeof cap);
    bool wants = kind == EV_send || kind == EV_ask;
    uint64_t at = index_of(target), serial = new_serial(a, wants);
    uint64_t number = at < NAMES ? a->sent[at] : 0;
    struct hf_send s = {.target = target,
                        .blob = some_blob(a),
                        .inherit = sim_chance(w, 50),
                        .wants_answer = wants,
                        .park = sim_chance(w, 15),
                        .caps = &pass,
                        .n_caps = sim_chance(w, 10),
                        .timeout_ns = (1 + sim_pick(w, 2000)) * MS};
    enum hf_said what;
    make_body(&s.body, a->id, number, serial);
    if (wants)
        assert_int_equal(hf_buf_add(&s.context, &serial, sizeof serial), HF_OK);
    if (kind == EV_forward)
        what = hf_turn_forward(a->turn, &s);
    else if (kind == EV_ask)
        what = hf_turn_ask(a->turn, &s, &a->last_id);
    else
        what = hf_turn_send(a->turn, &s, &a->last_id);
    if (what == HF_SAID_OK) {
        sim_count(w, s.n_caps > 0 ? EV_pass_on : kind);
        if (at < NAMES)
            a->sent[at]++;
    } else {
        w->serials[serial].done = true;
        said(w, what);
    }
    hf_buf_done(&s.body);
    hf_buf_done(&s.context);
    hf_blob_unref(s.blob);
    return what == HF_SAID_OK;
}

static void reply_some(struct actor *a, bool token)
{
    struct sim *w = a->w;
    uint64_t serial = new_serial(a, false);
    struct hf_response r = {.blob = some_blob(a), .inherit = sim_chance(w, 50)};
    enum hf_said what;
    make_body(&r.body, a->id, 0, serial);
    if (token) {
        what = hf_turn_answer(a->turn, a->tokens[a->n_tokens - 1], &r);
        MUST(w, what == HF_SAID_OK || what == HF_SAID_VOID);
        a->n_tokens--;
    } else {
        what = hf_turn_reply(a->turn, &r);
    }
    if (said(w, what))
        sim_count(w, token ? EV_answer : EV_reply);
    hf_buf_done(&r.body);
    hf_blob_unref(r.blob);
}

static void spawn_some(struct actor *a)
{
    struct sim *w = a->w;
    char key[12];
    size_t len;
    unsigned i = (unsigned)sim_pick(w, NAMES);
    const struct hf_spawn s = {
        .class = hf_view_of(sim_classes[i % HF_ARRAY_LEN(sim_classes)]),
        .key = hf_view(key, sim_chance(w, 70) ? (size_t)snprintf(key, sizeof key, "%u", i) : 0),
        .monitor = sim_chance(w, 40),
        .link = sim_chance(w, 20)};
    enum hf_said what = hf_turn_spawn(a->turn, &s, a->child, &len, &a->last_watch);
    if (!said(w, what))
        return;
    a->child[len] = '\0';
    a->watches += s.monitor;
    sim_count(w, EV_spawn);
}

static void defer_some(struct actor *a)
{
    uint64_t token;
    if (a->n_tokens == TOKENS || !said(a->w, hf_turn_defer(a->turn, &token)))
        return;
    a->tokens[a->n_tokens++] = token;
    sim_count(a->w, EV_defer);
}

static void other_deed(struct actor *a)
{
    struct sim *w = a->w;
    struct hf_turn *t = a->turn;
    char name[40];
    struct hf_view any = sim_any_name(w, name, sizeof name);
    const struct hf_message *m = hf_turn_message(t);
    switch (sim_pick(w, 12)) {
    case 0:
        if (said(w, hf_turn_monitor(t, any, &a->last_watch))) {
            a->watches++;
            sim_count(w, EV_monitor);
        }
        return;
    case 1:
        if (sim_chance(w, 30) && said(w, hf_turn_link(t, any, &a->last_watch)))
            sim_count(w, EV_link);
        return;
    case 2:
        if (hf_turn_unwatch(t, a->last_watch) == HF_SAID_OK)
            sim_count(w, EV_unwatch);
        return;
    case 3:
        if (said(w, hf_turn_set_timer(t, hf_turn_now(t) + sim_pick(w, 500) * MS, &a->last_timer)))
            sim_count(w, EV_timer);
        return;
    case 4:
        if (hf_turn_clear_timer(t, a->last_timer) == HF_SAID_OK)
            sim_count(w, EV_clear_timer);
        return;
    case 5:
        if (m != NULL && m->n_caps > 0 && said(w, hf_turn_keep(t, m->caps[0])))
            sim_count(w, EV_keep);
        return;
    case 6:
        hf_blob_unref(a->kept);
        a->kept = hf_turn_take_blob(t);
        if (a->kept != NULL)
            sim_count(w, EV_take_blob);
        return;
    case 7: spawn_some(a); return;
    case 8:
        if ((sim_chance(w, 50)
                 ? hf_turn_kill_child(t, hf_view_of(a->child), HF_VIEW("by its parent"))
                 : hf_turn_stop_child(t, hf_view_of(a->child))) == HF_SAID_OK)
            sim_count(w, EV_end_child);
        return;
    case 9:
        if (a->n_tokens > 0) {
            MUST(w, hf_turn_drop_token(t, a->tokens[--a->n_tokens]) == HF_SAID_OK);
            sim_count(w, EV_drop_token);
        }
        return;
    case 10:
        if (hf_turn_cancel(t, a->last_id) == HF_SAID_OK)
            sim_count(w, EV_cancel);
        return;
    default:
        if (hf_turn_refuse(t, HF_ANSWER_FULL, HF_VIEW("no")) == HF_DUTY_OPEN)
            sim_count(w, EV_refuse);
    }
}

static enum hf_end wait_on(struct actor *a, struct hf_wait *wait)
{
    hf_waiter_disarm(&a->waiter);
    hf_waiter_arm(&a->waiter, wait, hf_turn_waitset(a->turn));
    return HF_END_WAIT;
}

static void calm_down(struct actor *a)
{
    while (a->n_tokens > 0)
        reply_some(a, true);
    reply_some(a, false);
}

/* One deed; true: the call ends with *end. */
static bool deed(struct actor *a, enum hf_end *end)
{
    struct sim *w = a->w;
    unsigned p = (unsigned)sim_pick(w, 100);
    if (p < 18) {
        send_some(a, EV_send);
    } else if (p < 26) {
        send_some(a, EV_tell);
    } else if (p < 34) {
        send_some(a, EV_forward);
    } else if (p < 40) {
        if (a->asked == 0 && send_some(a, EV_ask)) {
            a->asked = 1;
            *end = wait_on(a, hf_turn_asked_wait(a->turn));
            return true;
        }
    } else if (p < 54) {
        reply_some(a, false);
    } else if (p < 60) {
        defer_some(a);
    } else if (p < 66) {
        if (a->n_tokens > 0)
            reply_some(a, true);
    } else if (p < 92) {
        other_deed(a);
    } else if (p < 94) {
        sim_count(w, EV_yield);
        *end = HF_END_YIELD;
        return true;
    } else if (p < 97) {
        sim_count(w, EV_wait);
        *end = wait_on(a, sim_chance(w, 70) || hf_turn_state(a->turn) != HF_SAID_OK
                              ? &w->gate
                              : hf_turn_unwanted_wait(a->turn));
        return *end == HF_END_WAIT;
    } else if (p < 98) {
        sim_count(w, EV_retire);
        hf_turn_retire(a->turn, "enough");
    } else if (p < 99 + (unsigned)a->recorded) {
        sim_count(w, EV_fail);
        hf_turn_fail(a->turn, HF_ANSWER_DEAD, HF_VIEW("by the seed"));
        *end = HF_END_FAILED;
        return true;
    }
    return false;
}

static void take_asked(struct actor *a)
{
    struct hf_asked asked;
    if (hf_turn_take_asked(a->turn, &asked) != HF_OK)
        return;
    a->asked = 0;
    check_done(a, hf_buf_view(&asked.context), asked.answer.kind, hf_buf_view(&asked.answer.body));
    hf_asked_done(&asked);
}

static enum hf_end act(struct actor *a)
{
    enum hf_end end = HF_END_DONE;
    if (a->asked)
        take_asked(a);
    if (a->asked)
        return wait_on(a, hf_turn_asked_wait(a->turn));
    if (a->w->calm) {
        calm_down(a);
        return HF_END_DONE;
    }
    for (unsigned n = (unsigned)sim_pick(a->w, DEEDS); n > 0; n--)
        if (deed(a, &end))
            return end;
    return HF_END_DONE;
}

/* RUN shape: its turn goes on with the next message. */
static enum hf_end act_in_loop(struct actor *a)
{
    for (;;) {
        enum hf_end end = act(a);
        if (end != HF_END_DONE)
            return end;
        enum hf_err err = hf_turn_receive(a->turn);
        if (err == HF_CLOSED)
            return HF_END_DONE;
        if (err == HF_AGAIN)
            return wait_on(a, hf_turn_mail_wait(a->turn));
        assert_int_equal(err, HF_OK);
        check_message(a);
    }
}

static enum hf_end actor_on_start(void *ctx, struct hf_turn *turn, void **state)
{
    struct sim *w = ctx;
    struct actor *a = calloc(1, sizeof *a);
    assert_non_null(a);
    *state = a;
    a->w = w;
    a->turn = turn;
    a->id = ++w->instances;
    snprintf(a->name, sizeof a->name, "%.*s", HF_FMT(hf_turn_name(turn)));
    a->recorded = hf_view_starts(hf_turn_name(turn), HF_VIEW("rec/"));
    a->loop = hf_view_starts(hf_turn_name(turn), HF_VIEW("loop/"));
    hf_list_push_back(&w->actors, &a->in_sim);
    if (!w->calm && sim_chance(w, 3)) {
        hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("at its start"));
        return HF_END_FAILED;
    }
    return HF_END_DONE;
}

static enum hf_end actor_on_turn(void *state, struct hf_turn *turn)
{
    struct actor *a = state;
    (void)turn;
    if (a->loop)
        return act_in_loop(a);
    check_message(a);
    return act(a);
}

static enum hf_end actor_on_resume(void *state, struct hf_turn *turn)
{
    struct actor *a = state;
    (void)turn;
    hf_waiter_disarm(&a->waiter);
    if (!a->loop)
        return act(a);
    if (hf_turn_message(turn) == NULL && !a->asked) { /* it waited for mail */
        enum hf_err err = hf_turn_receive(turn);
        if (err == HF_AGAIN)
            return wait_on(a, hf_turn_mail_wait(turn));
        if (err == HF_CLOSED)
            return HF_END_DONE;
        check_message(a);
    }
    return act_in_loop(a);
}

static void actor_on_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    struct actor *a = state;
    (void)turn, (void)why;
    hf_waiter_disarm(&a->waiter);
}

static uint64_t id_of(struct hf_view image)
{
    struct actor a;
    if (image.len != 32 + sizeof a)
        return 0;
    memcpy(&a, image.ptr + 32, sizeof a);
    return a.id;
}

/* Neither in memory nor kept: nobody will hear what it waits for. */
static void gone_perhaps(struct sim *w, uint64_t id)
{
    HF_LIST_FOR (n, &w->actors) {
        if (HF_LIST_ENTRY(n, struct actor, in_sim)->id == id)
            return;
    }
    for (size_t i = 0; i < w->net.n * (size_t)SLOTS; i++) {
        const struct keeper *r = &w->keepers[i / SLOTS];
        if (r->used[i % SLOTS] && id_of(hf_buf_view(&r->slots[i % SLOTS])) == id)
            return;
    }
    for (size_t i = 0; i < w->n_serials; i++)
        if (w->serials[i].by == id)
            w->serials[i].dropped = true;
}

void sim_image_dropped(void *w, struct hf_view bytes)
{
    gone_perhaps(w, id_of(bytes));
}

static void actor_on_stop(void *state)
{
    struct actor *a = state;
    if (a == NULL)
        return;
    struct sim *w = a->w;
    uint64_t id = a->id;
    hf_waiter_disarm(&a->waiter);
    hf_blob_unref(a->kept);
    hf_list_remove(&a->in_sim);
    free(a);
    gone_perhaps(w, id);
}

/* Eviction. An instance is itself again when it is back: what it waits for still comes to it. */
static enum hf_err actor_on_evict(void *state, struct hf_buf *ret, struct hf_report *why)
{
    struct actor *a = state;
    MUST(a->w, !a->loop && !a->asked && !hf_list_linked(&a->waiter.in_wait));
    if (a->kept != NULL) {
        sim_count(a->w, EV_stayed);
        return hf_report_set(why, HF_UNSUPPORTED, "it keeps a blob");
    }
    return hf_buf_add(ret, a, sizeof *a);
}

static enum hf_err actor_on_revive(void *ctx, struct hf_turn *turn, struct hf_view bytes,
                                   void **state, struct hf_report *why)
{
    struct sim *w = ctx;
    struct actor *a = malloc(sizeof *a);
    (void)why;
    assert_non_null(a);
    MUST(w, bytes.len == sizeof *a);
    memcpy(a, bytes.ptr, sizeof *a);
    MUST(w, hf_view_eq_text(hf_turn_name(turn), a->name)); /* its own, and nobody else's */
    HF_LIST_FOR (n, &w->actors) {
        MUST(w, HF_LIST_ENTRY(n, struct actor, in_sim)->id != a->id); /* once */
    }
    a->turn = turn;
    a->waiter = (struct hf_waiter){0};
    hf_list_init(&a->in_sim);
    hf_list_push_back(&w->actors, &a->in_sim);
    *state = a;
    return HF_OK;
}

const struct hf_behaviour sim_actors = {.name = "sim",
                                        .start = actor_on_start,
                                        .turn = actor_on_turn,
                                        .resume = actor_on_resume,
                                        .cancel = actor_on_cancel,
                                        .stop = actor_on_stop,
                                        .evict = actor_on_evict,
                                        .revive = actor_on_revive};
