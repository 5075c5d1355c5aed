/* duty_model_test.c - every sequence of verbs up to a length agrees with a model that knows only
 * the duty rule.
 *
 * P gets a request A from a port, and then does one deed after another, each in a turn of its own
 * when the deed says so (a new message, an answer to what it sent). The model is the struct below
 * and step(): one duty, what holds it, what each verb says, what the origin is told and when.
 * HF_LENGTH=7 for one more.
 */
#include "support_named.h"

/* ---- the model ---- */

enum where { NOTHING, REQUEST, ANSWER }; /* what is in hand; ANSWER: A is nested, if it was kept */

struct model {
    enum where hand;
    bool is_a;         /* what is in hand, or nested, is A (else nothing, or another one that is not
                          followed) */
    enum hf_said duty; /* OK while open */
    bool deferred, token;
    unsigned pending; /* sent under A, not answered yet */
    char told;        /* 0: nothing yet */
};

static unsigned holders(const struct model *m)
{
    return (m->hand != NOTHING && m->is_a) + m->pending + m->token;
}

static void close_duty(struct model *m, enum hf_said how, char told)
{
    if (m->duty == HF_SAID_OK && told != 0)
        m->told = told;
    m->duty = how;
}

/* The duty rule. */
static void settle(struct model *m)
{
    if (m->duty == HF_SAID_OK && holders(m) == 0)
        close_duty(m, HF_SAID_ANSWERED, 'u');
}

static enum hf_said state(const struct model *m)
{
    if (m->hand == NOTHING || !m->is_a)
        return HF_SAID_NO_REQUEST;
    return m->duty == HF_SAID_OK && m->deferred ? HF_SAID_DEFERRED : m->duty;
}

/* What the deed says. Letters: r respond, f forward (its target answers at once), d defer, a answer
 * by token, A drop the token, s send (answered later), t tell, n the next message that has nothing
 * to do with A, g the oldest answer comes, c A's origin cancels, D death. */
static enum hf_said step(struct model *m, char deed)
{
    enum hf_said said = state(m);
    switch (deed) {
    case 'r':
    case 'f':
    case 'd':
        if (said != HF_SAID_OK)
            return said;
        if (deed == 'r')
            close_duty(m, HF_SAID_ANSWERED, 'r');
        else if (deed == 'f')
            close_duty(m, HF_SAID_MOVED, 'f');
        else
            m->deferred = m->token = true;
        return HF_SAID_OK;
    case 'a':
        if (!m->token)
            return HF_SAID_NO_REQUEST;
        m->token = false;
        said = m->duty;
        close_duty(m, said == HF_SAID_OK ? HF_SAID_ANSWERED : said, 'a');
        return said;
    case 'A':
        if (!m->token)
            return HF_SAID_NO_REQUEST;
        m->token = false;
        close_duty(m, m->duty == HF_SAID_OK ? HF_SAID_ANSWERED : m->duty, 'u');
        return HF_SAID_OK;
    case 's': m->pending += m->hand != NOTHING && m->is_a; return HF_SAID_OK;
    case 't': return HF_SAID_OK;
    case 'n':
        m->hand = NOTHING;
        settle(m);
        return HF_SAID_OK;
    case 'g':
        if (m->pending == 0)
            return HF_SAID_NO_REQUEST;
        m->hand = NOTHING;
        m->pending--; /* kept under it, now nested: no moment in between */
        m->hand = ANSWER;
        m->is_a = true;
        settle(m);
        return HF_SAID_OK;
    case 'c':
        if (m->told == 0) {
            m->told = 'c';
            if (m->duty == HF_SAID_OK || m->duty == HF_SAID_MOVED)
                m->duty = m->duty == HF_SAID_OK ? HF_SAID_VOID : HF_SAID_MOVED;
        }
        return HF_SAID_OK;
    default: /* D */
        close_duty(m, m->duty == HF_SAID_OK ? HF_SAID_ANSWERED : m->duty, 'D');
        m->hand = NOTHING;
        m->token = false;
        m->pending = 0;
        return HF_SAID_OK;
    }
}

/* ---- the same with the kernel ---- */

static const char deeds[] = "rfdaAstngcD";

struct real {
    struct hf_kernel *k;
    struct hf_port port;
    struct hf_turn *turn; /* P's */
    struct hf_wait go;
    struct hf_waiter waiter;
    uint64_t token, now, a_id;
    bool alive, dying, next;
    unsigned at_b; /* requests that wait at B, by tokens */
    uint64_t b_tokens[16];
    char told;
    unsigned times;
};

static void on_told(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct real *w = HF_CONTAINER_OF(port, struct real, port);
    if ((uintptr_t)tag != 1)
        return;
    w->times++;
    w->told = a->kind == HF_ANSWER_UNANSWERED  ? 'u'
              : a->kind == HF_ANSWER_CANCELLED ? 'c'
              : a->kind == HF_ANSWER_DEAD      ? 'D'
                                               : (char)a->body.ptr[0];
}

static enum hf_end p_start(void *ctx, struct hf_turn *turn, void **ret)
{
    struct real *w = ctx;
    *ret = w;
    w->turn = turn;
    w->alive = true;
    w->dying = false;
    return HF_END_DONE;
}

/* P's turn stays open, so that the test can speak for it. */
static enum hf_end p_turn(void *st, struct hf_turn *turn)
{
    struct real *w = st;
    const struct hf_message *m = hf_turn_message(turn);
    hf_waiter_disarm(&w->waiter);
    if (m->kind == HF_MESSAGE_NOTICE) /* A is void: the model is asked for that otherwise */
        return HF_END_DONE;
    if (w->dying)
        return HF_END_FAILED;
    if (w->next) {
        w->next = false;
        return HF_END_DONE;
    }
    hf_waiter_arm(&w->waiter, &w->go, hf_turn_waitset(turn));
    return HF_END_WAIT;
}

static void p_stop(void *st)
{
    struct real *w = st;
    hf_waiter_disarm(&w->waiter);
    w->alive = false;
}

static const struct hf_behaviour p_behaviour = {
    .name = "p", .start = p_start, .turn = p_turn, .resume = p_turn, .stop = p_stop};

static enum hf_end b_start(void *ctx, struct hf_turn *turn, void **ret)
{
    (void)turn;
    *ret = ctx;
    return HF_END_DONE;
}

/* B keeps what it is asked and answers the oldest when a port says so; C answers at once. */
static enum hf_end b_turn(void *st, struct hf_turn *turn)
{
    struct real *w = st;
    const struct hf_message *m = hf_turn_message(turn);
    struct hf_response r = {.inherit = false};
    if (m->kind == HF_MESSAGE_NOTICE) /* void: not wanted any more */
        return HF_END_DONE;
    if (m->source.len == 0) {
        for (unsigned i = 0; i < w->at_b; i++) /* the oldest one that is still wanted */
            if (hf_turn_token_state(turn, w->b_tokens[i]) == HF_SAID_OK) {
                assert_int_equal(hf_turn_answer(turn, w->b_tokens[i], &r), HF_SAID_OK);
                break;
            }
        return HF_END_DONE;
    }
    if (m->wants_answer && m->body.len > 0 && m->body.ptr[0] == 'f') {
        assert_int_equal(hf_buf_add_text(&r.body, "f"), HF_OK);
        assert_int_equal(hf_turn_reply(turn, &r), HF_SAID_OK);
        hf_buf_done(&r.body);
    } else if (m->wants_answer) {
        assert_int_equal(hf_turn_defer(turn, &w->b_tokens[w->at_b]), HF_SAID_OK);
        w->at_b++;
    }
    return HF_END_DONE;
}

static void b_stop(void *st)
{
    (void)st;
}

static const struct hf_behaviour b_behaviour = {
    .name = "b", .start = b_start, .turn = b_turn, .resume = b_turn, .stop = b_stop};

static void run_all(struct real *w)
{
    for (unsigned i = 0; i < 3; i++) {
        while (hf_kernel_step(w->k, w->now) == HF_OK) {
        }
        hf_kernel_flush(w->k);
    }
}

static void post_to(struct real *w, const char *target, uintptr_t tag, uint64_t *id)
{
    struct hf_post p = {.target = hf_view_of(target), .port = &w->port, .tag = (void *)tag};
    uint64_t unused;
    assert_int_equal(hf_port_post(w->k, &p, id == NULL ? &unused : id), HF_OK);
}

/* Lets P's turn end, or fail. */
static void let_go(struct real *w)
{
    hf_wait_fire(&w->go);
    hf_wait_clear(&w->go);
}

static enum hf_said send_to_b(struct real *w, char deed)
{
    struct hf_send s = {.target = HF_VIEW("b"), .wants_answer = deed == 's'};
    assert_int_equal(hf_buf_add(&s.body, &deed, 1), HF_OK);
    enum hf_said said =
        deed == 'f' ? hf_turn_forward(w->turn, &s) : hf_turn_send(w->turn, &s, NULL);
    hf_buf_done(&s.body);
    return said;
}

static enum hf_said do_really(struct real *w, const struct model *before, char deed)
{
    struct hf_response r = {.inherit = false};
    enum hf_said said = HF_SAID_OK;
    switch (deed) {
    case 'r':
    case 'a':
        assert_int_equal(hf_buf_add(&r.body, &deed, 1), HF_OK);
        said = deed == 'r' ? hf_turn_reply(w->turn, &r) : hf_turn_answer(w->turn, w->token, &r);
        hf_buf_done(&r.body);
        return said;
    case 'f':
    case 's':
    case 't': return send_to_b(w, deed);
    case 'd': return hf_turn_defer(w->turn, &w->token);
    case 'A': return hf_turn_drop_token(w->turn, w->token);
    case 'n':
        w->next = true;
        let_go(w);
        run_all(w);
        return HF_SAID_OK;
    case 'g':
        if (before->pending == 0)
            return HF_SAID_NO_REQUEST;
        post_to(w, "b", 2, NULL);
        run_all(w); /* the answer is in P's mailbox, or in its hand */
        if (before->hand != NOTHING) {
            w->next = true;
            let_go(w);
            run_all(w);
        }
        return HF_SAID_OK;
    case 'c':
        hf_port_cancel(w->k, w->a_id);
        run_all(w);
        return HF_SAID_OK;
    default:
        w->dying = true;
        let_go(w);
        run_all(w);
        return HF_SAID_OK;
    }
}

/* Sends leave P at the end of a segment; between deeds the test makes one. */
static void end_segment(struct real *w)
{
    if (!w->alive)
        return;
    hf_out_seal(hf_turn_of(w->turn));
    run_all(w);
}

static void add_class(struct real *w, const char *name, const struct hf_behaviour *b)
{
    static const char *const all[] = {"*", NULL};
    const struct hf_named_settings s = {.behaviour = b, .ctx = w, .grants = all};
    struct hf_class *c;
    assert_int_equal(hf_named_class_add(w->k, name, &s, &c, NULL), HF_OK);
}

static void check(const struct real *w, const struct model *m, const char *sequence, size_t at,
                  enum hf_said said, enum hf_said expected)
{
    if (said != expected)
        fail_msg("%.*s: %c said %s, the model %s", (int)at + 1, sequence, sequence[at],
                 hf_said_text(said), hf_said_text(expected));
    if (w->told != m->told)
        fail_msg("%.*s: the origin was told '%c', the model says '%c'", (int)at + 1, sequence,
                 w->told == 0 ? '-' : w->told, m->told == 0 ? '-' : m->told);
    assert_true(w->times <= 1);
}

/* The turn in which nothing is in hand is not P's: between messages it cannot speak. */
static bool can(const struct model *m, char deed)
{
    return m->hand != NOTHING || deed == 'g' || deed == 'c';
}

static void run_sequence(const char *sequence, size_t len)
{
    struct real w = {.port = {on_told}, .now = 1 * S};
    struct model m = {.hand = REQUEST, .is_a = true, .duty = HF_SAID_OK};
    hf_wait_init(&w.go, false);
    assert_int_equal(hf_kernel_new(&(struct hf_kernel_settings){0}, &w.k), HF_OK);
    add_class(&w, "p", &p_behaviour);
    add_class(&w, "b", &b_behaviour);
    post_to(&w, "p", 1, &w.a_id);
    run_all(&w);
    for (size_t i = 0; i < len; i++) {
        if (!can(&m, sequence[i]))
            break;
        const struct model before = m;
        enum hf_said expected = step(&m, sequence[i]);
        enum hf_said said = do_really(&w, &before, sequence[i]);
        end_segment(&w);
        check(&w, &m, sequence, i, said, expected);
        if (w.alive && m.hand != NOTHING)
            check(&w, &m, sequence, i, hf_turn_state(w.turn), state(&m));
        if (sequence[i] == 'D')
            break;
    }
    hf_kernel_free(w.k);
    assert_int_equal(w.times, 1);
    hf_wait_done(&w.go);
}

static size_t all_sequences(char *sequence, size_t at, size_t len, const struct model *m)
{
    size_t n = 0;
    if (at == len) {
        run_sequence(sequence, len);
        return 1;
    }
    for (size_t i = 0; deeds[i] != '\0'; i++) {
        struct model after = *m;
        if (!can(m, deeds[i]))
            continue;
        sequence[at] = deeds[i];
        (void)step(&after, deeds[i]);
        if (deeds[i] == 'D') { /* nothing follows */
            run_sequence(sequence, at + 1);
            n++;
        } else {
            n += all_sequences(sequence, at + 1, len, &after);
        }
    }
    if (m->hand == NOTHING && m->pending == 0 && at > 0)
        n++; /* its prefixes were run */
    return n;
}

static void every_sequence_agrees_with_the_model(void **st)
{
    const char *length = getenv("HF_LENGTH");
    const struct model begin = {.hand = REQUEST, .is_a = true, .duty = HF_SAID_OK};
    char sequence[16];
    size_t n = 0, max = mallocs_are_counted() ? 6 : 5;
    (void)st;
    if (length != NULL)
        max = strtoull(length, NULL, 10);
    for (size_t len = 1; len <= max; len++)
        n += all_sequences(sequence, 0, len, &begin);
    print_message("%zu sequences\n", n);
    assert_true(n > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_sequence_agrees_with_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
