/* oom_named_test.c - memory runs out at every place in turn, once or for good, while named
 * processes speak, on one kernel or on three: whoever was accepted is still told once, nothing is
 * leaked, nothing asserts.
 * (Not in sanitizer builds: they bring their own malloc.)
 */
#include "kernel/named_int.h"
#include "support_far.h"
#include "support_spill.h"

enum { POSTS = 18, CLASSES = 3 };

enum where { ALONE, EVICTS, FAR };

struct scene {
    struct net net; /* of one kernel but for FAR */
    struct hf_port port;
    uint64_t now;
    bool accepted[POSTS];
    unsigned told[POSTS];
    enum where where; /* EVICTS: there is room for one instance */
    struct keeper keeper;
};

struct speaker {
    struct hf_waiter waiter;
    uint64_t token;
    bool has_token;
};

static const char *const names[] = {"a/1", "b/1", "c/1"};

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct scene *s = HF_CONTAINER_OF(port, struct scene, port);
    s->told[(size_t)(uintptr_t)tag]++;
    (void)a;
}

static enum hf_end on_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)ctx;
    *state = calloc(1, sizeof(struct speaker));
    if (*state != NULL)
        return HF_END_DONE;
    hf_turn_fail(turn, HF_ANSWER_LIMITED, HF_VIEW("no memory"));
    return HF_END_FAILED;
}

static void say(struct hf_turn *turn, const char *target, char how)
{
    const struct hf_view cap = HF_VIEW("c/1");
    struct hf_send s = {.target = hf_view_of(target),
                        .wants_answer = how == 's' || how == 'k',
                        .inherit = true,
                        .metadata = HF_VIEW("meta"),
                        .park = how == 'p',
                        .caps = &cap,
                        .n_caps = 1,
                        .timeout_ns = 1 * S};
    (void)!hf_buf_add(&s.body, &how, 1);
    if (s.wants_answer)
        (void)!hf_buf_add_text(&s.context, "context");
    if (how == 'f')
        (void)hf_turn_forward(turn, &s);
    else if (how == 'k')
        (void)hf_turn_ask(turn, &s, NULL);
    else
        (void)hf_turn_send(turn, &s, NULL);
    hf_buf_done(&s.body);
    hf_buf_done(&s.context);
    hf_blob_unref(s.blob);
}

static void reply(struct hf_turn *turn, struct speaker *s, bool token)
{
    struct hf_response r = {.metadata = HF_VIEW("meta"), .inherit = true};
    (void)!hf_buf_add_text(&r.body, "answer");
    if (token)
        s->has_token = hf_turn_answer(turn, s->token, &r) == HF_SAID_LIMIT;
    else
        (void)hf_turn_reply(turn, &r);
    hf_buf_done(&r.body);
}

static void spawn(struct hf_turn *turn)
{
    const struct hf_spawn spawn = {.class = HF_VIEW("b"), .monitor = true};
    char name[HF_NAME_MAX];
    size_t len;
    uint64_t id;
    if (hf_turn_spawn(turn, &spawn, name, &len, &id) == HF_SAID_OK)
        (void)hf_turn_kill_child(turn, hf_view(name, len), HF_VIEW("why"));
    (void)hf_turn_monitor(turn, HF_VIEW("nobody"), &id);
    (void)hf_turn_link(turn, HF_VIEW("c/1"), &id);
    (void)hf_turn_unwatch(turn, id);
    (void)hf_turn_set_timer(turn, hf_turn_now(turn) + 5 * MS, &id);
}

static enum hf_end take(struct speaker *s, struct hf_turn *turn)
{
    struct hf_asked asked;
    enum hf_err err = hf_turn_take_asked(turn, &asked);
    hf_waiter_disarm(&s->waiter);
    if (err == HF_AGAIN) {
        hf_waiter_arm(&s->waiter, hf_turn_asked_wait(turn), hf_turn_waitset(turn));
        return HF_END_WAIT;
    }
    if (err == HF_OK)
        hf_asked_done(&asked);
    reply(turn, s, false);
    return HF_END_DONE;
}

static enum hf_end on_turn(void *state, struct hf_turn *turn)
{
    struct speaker *s = state;
    const struct hf_message *m = hf_turn_message(turn);
    bool first = m->source.len == 0;
    if (m->kind != HF_MESSAGE_REQUEST || !first) {
        reply(turn, s, false);
        return HF_END_DONE;
    }
    switch (m->body.ptr[0] % 9) {
    case 0: say(turn, "c/1", 's'); return HF_END_DONE;
    case 1: say(turn, "b/2", 'f'); return HF_END_DONE;
    case 2: say(turn, "c/1", 't'); return HF_END_DONE;
    case 3:
        if (!s->has_token)
            s->has_token = hf_turn_defer(turn, &s->token) == HF_SAID_OK;
        return HF_END_DONE;
    case 4: say(turn, "c/2", 'k'); return take(s, turn);
    case 5: spawn(turn); return HF_END_DONE;
    case 6: hf_turn_fail(turn, HF_ANSWER_DEAD, HF_VIEW("boom")); return HF_END_FAILED;
    case 7:
        (void)hf_turn_keep(turn, HF_VIEW("c/1"));
        say(turn, "nobody", 'p');
        if (s->has_token)
            reply(turn, s, true);
        return HF_END_DONE;
    default: reply(turn, s, false); return HF_END_DONE;
    }
}

static enum hf_end on_resume(void *state, struct hf_turn *turn)
{
    return take(state, turn);
}

static void on_stop(void *state)
{
    struct speaker *s = state;
    if (s == NULL) /* it never started */
        return;
    hf_waiter_disarm(&s->waiter);
    free(s);
}

static enum hf_err on_evict(void *state, struct hf_buf *ret, struct hf_report *why)
{
    (void)why;
    return hf_buf_add(ret, state, sizeof(struct speaker));
}

static enum hf_err on_revive(void *ctx, struct hf_turn *turn, struct hf_view bytes, void **state,
                             struct hf_report *why)
{
    (void)ctx, (void)turn, (void)why;
    struct speaker *s = malloc(sizeof *s);
    if (s == NULL)
        return HF_LIMIT;
    assert_int_equal(bytes.len, sizeof *s);
    memcpy(s, bytes.ptr, sizeof *s);
    s->waiter = (struct hf_waiter){0};
    *state = s;
    return HF_OK;
}

static const struct hf_behaviour speaker = {
    .name = "speaker", .start = on_start, .turn = on_turn, .resume = on_resume, .stop = on_stop,
    .evict = on_evict, .revive = on_revive};

static void work_on(struct scene *s)
{
    for (unsigned i = 0; i < 20; i++) {
        for (uint32_t k = 0; k < s->net.n; k++)
            run_kernel(s->net.ks[k], s->now);
        while (net_deliver(&s->net, NULL)) {
        }
        if (s->where == EVICTS)
            keeper_go(&s->keeper, 2);
    }
}

/* Each class on a kernel of its own; what the kernel named lies where its parent put it. */
static uint32_t by_class(struct hf_view name, uint32_t n)
{
    return hf_name_is_made(name) ? hf_name_shard(name, HF_SHARDS) % n : name.ptr[0] % n;
}

static void play(struct scene *s)
{
    static const char *const all[] = {"*", NULL};
    for (unsigned i = 0; i < CLASSES * s->net.n; i++) {
        const char name[] = {(char)('a' + i % CLASSES), '\0'};
        const struct hf_named_settings ns = {.behaviour = &speaker,
                                             .ctx = s,
                                             .grants = all,
                                             .spawns = all,
                                             .recorded = i % CLASSES == 1,
                                             .restart = i % CLASSES == 0 ? HF_RESTART_SOME : HF_RESTART_NEVER,
                                             .backoff_ns = 1 * MS,
                                             .mailbox_max = 3};
        struct hf_class *c;
        enum hf_err err = hf_named_class_add(s->net.ks[i / CLASSES], name, &ns, &c, NULL);
        assert_true(err == HF_OK || err == HF_LIMIT);
    }
    for (size_t i = 0; i < POSTS; i++) {
        const uint8_t body = (uint8_t)i;
        struct hf_kernel *home = s->net.ks[i / CLASSES % s->net.n]; /* a port of each */
        struct hf_post p = {.target = hf_view_of(names[i % CLASSES]),
                            .blob = hf_blob_of_bytes_in(hf_kernel_blobs(home), HF_VIEW("request")),
                            .port = &s->port,
                            .tag = (void *)(uintptr_t)i};
        uint64_t id;
        if (hf_buf_add(&p.body, &body, 1) == HF_OK)
            s->accepted[i] = hf_port_post(home, &p, &id) == HF_OK;
        assert_true((p.body.ptr == NULL) || !s->accepted[i]);
        hf_buf_done(&p.body);
        hf_blob_unref(p.blob);
        if (i % 4 == 3)
            work_on(s);
    }
    for (unsigned i = 0; i < 6; i++) {
        work_on(s);
        s->now += 8 * S; /* whoever waits for memory: its deadline comes */
    }
    work_on(s);
}

static bool with_failure_at(size_t n, bool all, enum where where)
{
    static struct scene s;
    s = (struct scene){.net = {.place = by_class}, .port = {on_answer}, .now = 1, .where = where};
    net_open(&s.net, where == FAR ? 3 : 1,
             &(struct hf_kernel_settings){.resident_max = where == EVICTS});
    if (where == EVICTS)
        keeper_open(&s.keeper, s.net.ks[0]);
    mallocs_fail(n, all);
    play(&s);
    net_close(&s.net);
    if (where == EVICTS)
        keeper_close(&s.keeper);
    bool failed = mallocs_fail(0, false);
    for (size_t i = 0; i < POSTS; i++)
        assert_int_equal(s.told[i], s.accepted[i]);
    if (where == FAR && !failed)
        assert_true(s.net.crossed >= 30);
    return failed;
}

static void anywhere(enum where where)
{
    if (!mallocs_are_counted())
        skip();
    for (unsigned all = 0; all < 2; all++) {
        size_t n = 1;
        long live = mallocs_live();
        while (with_failure_at(n, all, where)) {
            if (mallocs_live() != live)
                fail_msg("%ld allocations are left when the %zu-th %s", mallocs_live() - live, n,
                         all ? "and all after it fail" : "fails");
            n++;
        }
        assert_int_equal(mallocs_live(), live);
        assert_true(n > 150); /* there were that many places */
    }
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    anywhere(ALONE);
}

static void memory_may_run_out_while_some_are_evicted(void **state)
{
    (void)state;
    anywhere(EVICTS);
}

static void memory_may_run_out_between_kernels(void **state)
{
    (void)state;
    anywhere(FAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(memory_may_run_out_while_some_are_evicted),
        cmocka_unit_test(memory_may_run_out_between_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
