/* lookup_test.c - wasi:sockets/ip-name-lookup, and what a name then grants. The resolver is the
 * test's: no name is ever asked for outside.
 */
#include "support_net.h"

#include <semaphore.h>
#include <unistd.h>

/* ---- the resolver ---- */

static sem_t gate;             /* a look-up of "slow.example" waits here */
static _Atomic unsigned asked; /* how often the resolver was asked */

static bool answer_is(const char *name, const char *want, const char *text, struct hf_ip *ret,
                      size_t max, size_t *n)
{
    if (strcmp(name, want) != 0)
        return false;
    for (struct hf_view rest = hf_view_of(text); rest.len > 0 && *n < max;) {
        size_t len = hf_view_find(rest, ' ');
        if (!hf_ip_parse(hf_view_take(rest, len), &ret[(*n)++]))
            abort();
        rest = hf_view_skip(rest, len + 1);
    }
    return true;
}

static enum hf_net_err fake_lookup(struct hf_net *net, const char *name, struct hf_ip *ret,
                                   size_t max, size_t *n)
{
    (void)net;
    asked++;
    *n = 0;
    if (strcmp(name, "slow.example") == 0)
        while (sem_wait(&gate) != 0)
            ;
    if (answer_is(name, "good.example", "93.184.216.34 2606:2800:220:1::1", ret, max, n) ||
        answer_is(name, "slow.example", "93.184.216.34", ret, max, n) ||
        answer_is(name, "rebind.example",
                  "169.254.169.254 10.0.0.7 127.0.0.1 ::ffff:10.0.0.7 fd00::7 93.184.216.34", ret,
                  max, n) ||
        answer_is(name, "inside.example", "10.0.0.7", ret, max, n) ||
        answer_is(name, "mapped.example", "::ffff:93.184.216.34", ret, max, n))
        return HF_NET_OK;
    return strcmp(name, "later.example") == 0   ? HF_NET_TRY_LATER
           : strcmp(name, "never.example") == 0 ? HF_NET_NEVER
                                                : HF_NET_NO_NAME;
}

/* Connects nowhere: where it would have is noted. */
static struct hf_endpoint connected_to;
static enum hf_net_err fake_connect(struct hf_net *net, int fd, const struct hf_endpoint *to)
{
    (void)net, (void)fd;
    connected_to = *to;
    return HF_NET_UNREACHABLE;
}

static struct hf_net fake;

static void open_world(struct world *w, void **state, const char *const *rules, uint32_t max)
{
    fake = *hf_net_linux();
    fake.lookup = fake_lookup;
    fake.connect = fake_connect;
    asked = 0;
    world_open_with(
        w, state, &(struct world_settings){.real = true, .rules = rules, .net = &fake, .max = max});
}

static void run(void **state, script_fn script, const char *const *rules)
{
    struct world w;
    size_t before = open_fds();
    open_world(&w, state, rules, 1);
    size_t i = post(&w, script);
    world_until(&w, i);
    if (w.requests[i].kind == HF_ANSWER_DEAD)
        fail_msg("%s", (const char *)w.requests[i].head_bytes.ptr);
    world_close(&w);
    assert_int_equal(open_fds(), before);
}

/* ---- for scripts ---- */

/* Looks up, waits, and writes all addresses, each behind a space, or "code N". */
static bool resolve(struct guest *t, const char *name, char *to, size_t room)
{
    uint32_t net = network(t);
    struct hf_value *r = guest_call(t, "resolve-addresses", ARGS(H(net), T(name)));
    size_t at = 0;
    to[0] = 0;
    if (r == NULL)
        return false;
    if (r->tag == 1) {
        snprintf(to, room, "refused %d", code(r));
        return true;
    }
    uint32_t stream = (uint32_t)r->items[0].u64;
    for (;;) {
        if (!wait_for(t, "resolve-address-stream.subscribe", stream))
            return false;
        r = guest_call(t, "resolve-address-stream.resolve-next-address", ARGS(H(stream)));
        if (r == NULL)
            return false;
        if (r->tag == 1) {
            snprintf(to + at, room - at, " code %d", code(r));
            break;
        }
        if (r->items[0].tag == 0)
            break;
        const struct hf_value *ip = r->items[0].items; /* ip-address */
        struct hf_ip v = {.family = ip->tag == 0 ? HF_IPV4 : HF_IPV6};
        char text[HF_IP_TEXT_MAX];
        for (uint32_t i = 0; i < ip->items->len; i++) {
            unsigned x = (unsigned)ip->items->items[i].u64;
            if (ip->tag == 0)
                v.bytes[i] = (uint8_t)x;
            else
                v.bytes[2 * i] = (uint8_t)(x >> 8), v.bytes[2 * i + 1] = (uint8_t)x;
        }
        at += (size_t)snprintf(to + at, room - at, " %s", hf_ip_print(&v, text));
    }
    guest_drop(t, stream);
    return t->err == HF_OK;
}
#define RESOLVES(name, want)                                                                       \
    do {                                                                                           \
        char got_[400];                                                                            \
        CHECK(resolve(t, name, got_, sizeof got_));                                                \
        if (strcmp(got_, want) != 0) {                                                             \
            fprintf(stderr, "%s: \"%s\"\n", name, got_);                                           \
            guest_failed(t, __FILE__, __LINE__, name " gives " want);                              \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static int connect_code(struct guest *t, struct hf_value to)
{
    uint32_t net = network(t), s = tcp_new(t, to.tag == 0 ? 4 : 6);
    struct hf_value *r = guest_call(t, "tcp-socket.start-connect", ARGS(H(s), H(net), to));
    int result = r == NULL ? 99 : code(r);
    guest_drop(t, s);
    return result;
}

/* ---- names ---- */

static void names(struct guest *t)
{
    RESOLVES("good.example", " 93.184.216.34 2606:2800:220:1::1");
    RESOLVES("GOOD.Example.", " 93.184.216.34 2606:2800:220:1::1");
    RESOLVES("missing.example", " code 18");
    RESOLVES("later.example", " code 19");
    RESOLVES("never.example", " code 20");
    RESOLVES("mapped.example", " code 18"); /* never shown: so there is nothing */
    unsigned before = asked;
    RESOLVES("localhost", " 127.0.0.1 ::1");
    RESOLVES("203.0.113.7", "refused 1"); /* no socket is granted: what for? */
    static const char *const bad[] = {"",
                                      ".",
                                      "a..b",
                                      "-a.example",
                                      "a-.example",
                                      "a b",
                                      "a\nb",
                                      "b\xc3\xbc"
                                      "cher.example",
                                      "a/b",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "0x7f.1",
                                      "a.1",
                                      "[::1]",
                                      "::1%lo",
                                      "a:80",
                                      "127.1"};
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        uint32_t net = network(t);
        CODE(NET_INVALID_ARGUMENT, "resolve-addresses", H(net), T(bad[i]));
        DROP(net);
    }
    char label[80], full[300] = "";
    memset(label, 'a', 64);
    label[64] = 0;
    uint32_t net = network(t);
    CODE(NET_INVALID_ARGUMENT, "resolve-addresses", H(net), T(label));
    for (int i = 0; i < 51; i++)
        strcat(full, "abcd.");
    CODE(NET_INVALID_ARGUMENT, "resolve-addresses", H(net), T(full));
    CHECK_INT(asked, before);
}

static void names_are_looked_up(void **state)
{
    static const char *const rules[] = {"lookup", NULL};
    run(state, names, rules);
}

static void literals(struct guest *t)
{
    RESOLVES("127.0.0.1", " 127.0.0.1");
    RESOLVES("::1", " ::1");
    RESOLVES("2001:DB8::5", " 2001:db8::5");
    RESOLVES("::ffff:1.2.3.4", "refused 3");
    RESOLVES("localhost", " 127.0.0.1 ::1");
    RESOLVES("good.example", "refused 1");
    CHECK_INT(asked, 0);
}

static void literals_need_no_resolver(void **state)
{
    static const char *const rules[] = {"loopback:80", NULL};
    run(state, literals, rules);
}

static void asks_too_soon(struct guest *t)
{
    uint32_t net = network(t);
    CALL(r, "resolve-addresses", H(net), T("slow.example"));
    CHECK_INT(r->tag, 0);
    uint32_t q = (uint32_t)r->items[0].u64;
    CODE(NET_WOULD_BLOCK, "resolve-address-stream.resolve-next-address", H(q));
    bool ready;
    CHECK(is_ready(t, "resolve-address-stream.subscribe", q, &ready) && !ready);
    sem_post(&gate);
    CHECK(wait_for(t, "resolve-address-stream.subscribe", q));
    CALL(first, "resolve-address-stream.resolve-next-address", H(q));
    CHECK(first->tag == 0 && first->items[0].tag == 1);
    for (int i = 0; i < 3; i++) {
        CALL(end, "resolve-address-stream.resolve-next-address", H(q));
        CHECK(end->tag == 0 && end->items[0].tag == 0);
    }
}

static void a_look_up_takes_its_time(void **state)
{
    static const char *const rules[] = {"lookup:slow.example", NULL};
    run(state, asks_too_soon, rules);
}

/* ---- what a name grants ---- */

static void named(struct guest *t)
{
    struct hf_value there = at4(93, 184, 216, 34, 443), v6 = at6("2606:2800:220:1::1", 443);
    CHECK_INT(connect_code(t, there), NET_ACCESS_DENIED); /* not asked for yet */
    RESOLVES("good.example", " 93.184.216.34 2606:2800:220:1::1");
    CHECK_INT(connect_code(t, there),
              NET_REMOTE_UNREACHABLE); /* the test's connect: it was let through */
    CHECK_INT(connected_to.port, 443);
    CHECK_INT(connect_code(t, v6), NET_REMOTE_UNREACHABLE);
    CHECK_INT(connect_code(t, at4(93, 184, 216, 34, 80)), NET_ACCESS_DENIED); /* another port */
    CHECK_INT(connect_code(t, at4(93, 184, 216, 35, 443)), NET_ACCESS_DENIED);
    RESOLVES("rebind.example", "refused 1"); /* another name */
}

static void a_name_grants_where_it_led(void **state)
{
    static const char *const rules[] = {"good.example:443", NULL};
    run(state, named, rules);
}

static void rebound(struct guest *t)
{
    RESOLVES("rebind.example", " 93.184.216.34"); /* the rest is not for it */
    RESOLVES("inside.example", " code 18");
    CHECK_INT(connect_code(t, at4(169, 254, 169, 254, 80)), NET_ACCESS_DENIED);
    CHECK_INT(connect_code(t, at4(10, 0, 0, 7, 80)), NET_ACCESS_DENIED);
    CHECK_INT(connect_code(t, at4(127, 0, 0, 1, 80)), NET_ACCESS_DENIED);
    CHECK_INT(connect_code(t, at6("fd00::7", 80)), NET_ACCESS_DENIED);
    CHECK_INT(connect_code(t, at4(93, 184, 216, 34, 80)), NET_REMOTE_UNREACHABLE);
}

static void rebound_but_named(struct guest *t)
{
    RESOLVES("rebind.example", " 10.0.0.7 93.184.216.34");
    CHECK_INT(connect_code(t, at4(10, 0, 0, 7, 80)), NET_REMOTE_UNREACHABLE);
    CHECK_INT(connect_code(t, at4(169, 254, 169, 254, 80)), NET_ACCESS_DENIED);
}

static void told_but_not_granted(struct guest *t)
{
    RESOLVES("rebind.example", " 169.254.169.254 10.0.0.7 127.0.0.1 fd00::7 93.184.216.34");
    CHECK_INT(connect_code(t, at4(169, 254, 169, 254, 80)), NET_ACCESS_DENIED);
    CHECK_INT(connect_code(t, at4(93, 184, 216, 34, 80)), NET_ACCESS_DENIED);
}

static void a_name_leads_nowhere_special(void **state)
{
    static const char *const names_only[] = {"rebind.example:80", "inside.example:80", NULL};
    static const char *const with_range[] = {"rebind.example:80", "connect:10.0.0.0/8:80", NULL};
    static const char *const lookup[] = {"lookup", "loopback:1", NULL};
    run(state, rebound, names_only);
    run(state, rebound_but_named, with_range);
    run(state, told_but_not_granted, lookup);
}

/* What one request learned is not the next one's, where instances are put back. */
static void learns(struct guest *t)
{
    struct hf_value there = at4(93, 184, 216, 34, 443);
    CHECK_INT(connect_code(t, there), NET_ACCESS_DENIED);
    RESOLVES("good.example", " 93.184.216.34 2606:2800:220:1::1");
    CHECK_INT(connect_code(t, there), NET_REMOTE_UNREACHABLE);
    CHECK(answer(t, "x"));
}

static void a_reset_forgets_names(void **state)
{
    static const char *const rules[] = {"good.example:443", NULL};
    struct world w;
    fake = *hf_net_linux();
    fake.lookup = fake_lookup;
    fake.connect = fake_connect;
    world_open_with(&w, state,
                    &(struct world_settings){.real = true,
                                             .rules = rules,
                                             .net = &fake,
                                             .lifecycle = HF_LIFE_PER_REQUEST,
                                             .image = true});
    for (int i = 0; i < 2; i++) {
        size_t n = post(&w, learns);
        world_until(&w, n);
        world_run(&w);
    }
    struct hf_service_counts counts;
    hf_service_worker_counts(w.worker, &counts);
    assert_int_equal(counts.resets, 2);
    world_close(&w);
}

/* ---- deadlines, limits, ends ---- */

static void late(struct guest *t)
{
    RESOLVES("slow.example", " code 19"); /* temporary */
    CHECK(answer(t, "late"));
}

static void a_look_up_has_a_deadline(void **state)
{
    static const char *const rules[] = {"lookup", "lookup-ms=30", NULL};
    struct world w;
    open_world(&w, state, rules, 1);
    size_t i = post(&w, late);
    world_until(&w, i); /* the resolver still sits there */
    assert_string_equal(take_all(&w, i), "late");
    assert_int_equal(hf_resolver_running(w.worker->resolver), 1);
    sem_post(&gate);
    world_close(&w);
}

static void too_many(struct guest *t)
{
    uint32_t net = network(t);
    for (int i = 0; i < 2; i++) {
        CALL(r, "resolve-addresses", H(net), T("slow.example"));
        CHECK_INT(r->tag, 0);
        while (asked < (unsigned)i + 1) /* before it runs, it can be taken back */
            usleep(100);
        DROP((uint32_t)r->items[0].u64); /* given up: the thread is held all the same */
    }
    CODE(NET_TEMPORARY_RESOLVER_FAILURE, "resolve-addresses", H(net), T("good.example"));
    CHECK(answer(t, "full"));
}

static void again(struct guest *t)
{
    RESOLVES("good.example", " 93.184.216.34 2606:2800:220:1::1");
    CHECK(answer(t, "fine"));
}

static void abandoned_look_ups_count_until_they_are_home(void **state)
{
    static const char *const rules[] = {"lookup", "lookups=2", NULL};
    struct world w;
    open_world(&w, state, rules, 1);
    size_t i = post(&w, too_many);
    world_until(&w, i);
    assert_string_equal(take_all(&w, i), "full");
    sem_post(&gate);
    sem_post(&gate);
    for (int n = 0; hf_resolver_running(w.worker->resolver) > 0 && n < 20000; n++) {
        usleep(1000);
        world_run(&w);
    }
    i = post(&w, again);
    world_until(&w, i);
    assert_string_equal(take_all(&w, i), "fine");
    world_close(&w);
}

static void dies_looking(struct guest *t)
{
    uint32_t net = network(t);
    CALL(r, "resolve-addresses", H(net), T("slow.example"));
    (void)wait_for(t, "resolve-address-stream.subscribe", (uint32_t)r->items[0].u64);
}

/* The answer comes when the guest, then even the worker's share, is gone. */
static void a_guest_killed_while_it_looks_up(void **state)
{
    static const char *const rules[] = {"lookup", NULL};
    struct world w;
    size_t before = open_fds();
    for (int home_first = 0; home_first < 2; home_first++) {
        open_world(&w, state, rules, 1);
        size_t i = post_with(&w, dies_looking, &(struct req){.timeout_ns = 30 * MS});
        world_until(&w, i);
        assert_int_equal(w.requests[i].kind, HF_ANSWER_TIMEOUT);
        sem_post(&gate);
        for (int n = 0; home_first && hf_resolver_running(w.worker->resolver) > 0 && n < 20000;
             n++) {
            usleep(1000);
            world_run(&w);
        }
        world_close(&w);
    }
    assert_int_equal(open_fds(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(literals_need_no_resolver),
        cmocka_unit_test(a_look_up_takes_its_time),
        cmocka_unit_test(a_name_grants_where_it_led),
        cmocka_unit_test(a_name_leads_nowhere_special),
        cmocka_unit_test(a_reset_forgets_names),
        cmocka_unit_test(a_look_up_has_a_deadline),
        cmocka_unit_test(abandoned_look_ups_count_until_they_are_home),
        cmocka_unit_test(a_guest_killed_while_it_looks_up),
    };
    sem_init(&gate, 0, 0);
    return cmocka_run_group_tests_name("host/lookup", tests, shared_open, shared_close);
}
