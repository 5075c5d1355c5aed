/* fetch_test.c - outgoing requests: how they are completed (1.5.14), where they may go, names, what
 * comes back (1.4), which failure is which error-code (1.5.15). The client is the test's. */
#include "support_fetch.h"

#include <unistd.h>

#include "host/outbound.h"

enum {
    DNS_TIMEOUT = 0,
    DNS_ERROR = 1,
    IP_PROHIBITED = 4,
    LIMIT_REACHED = 11,
    DENIED = 15,
    METHOD_INVALID = 18,
    URI_INVALID = 19,
    URI_TOO_LONG = 20,
    PROTOCOL_ERROR = 35,
};

static struct fetcher fetcher;

static void open_world(struct world *w, void **state, const char *const *outbound)
{
    fetcher_init(&fetcher);
    world_open_with(w, state,
                    &(struct world_settings){.outbound = outbound, .fetch = &fetcher.table});
}

static void close_world(struct world *w)
{
    world_close(w);
    fetcher_done(&fetcher);
}

static const char *const local[] = {"127.0.0.1:*", "[::1]:*", NULL};

/* ---- 1.5.14 ---- */

static const struct {
    struct want want;
    uint32_t refused; /* 0: it is sent as below */
    bool tls;
    const char *host;
    uint16_t port;
    const char *path;
} completions[] = {
    {{.authority = "127.0.0.1", .scheme = 0, .path = "/a?b"}, 0, false, "127.0.0.1", 80, "/a?b"},
    {{.authority = "127.0.0.1", .scheme = 1}, 0, true, "127.0.0.1", 443, "/"},
    {{.authority = "127.0.0.1", .scheme = 3}, 0, true, "127.0.0.1", 443, "/"}, /* none: https */
    {{.authority = "127.0.0.1:8080", .scheme = 0, .path = ""}, 0, false, "127.0.0.1", 8080, "/"},
    {{.authority = "[::1]:81", .scheme = 0, .path = "?q"}, 0, false, "::1", 81, "?q"},
    {{.authority = "[0:0::1]", .scheme = 1}, 0, true, "::1", 443, "/"},
    {{.authority = "127.0.0.1", .method = "OPTIONS", .path = "*"}, 0, false, "127.0.0.1", 80, "*"},
    {{.authority = NULL}, URI_INVALID, false, NULL, 0, NULL},
    {{.authority = "127.0.0.1", .scheme = 2}, PROTOCOL_ERROR, false, NULL, 0, NULL},
    {{.authority = "127.0.0.1", .path = "a"}, URI_INVALID, false, NULL, 0, NULL},
    {{.authority = "127.0.0.1", .path = "*"}, URI_INVALID, false, NULL, 0, NULL},
    {{.authority = "127.0.0.1", .path = "http://elsewhere/"}, URI_INVALID, false, NULL, 0, NULL},
    {{.authority = "127.0.0.1", .method = "CONNECT"}, METHOD_INVALID, false, NULL, 0, NULL},
    {{.authority = "127.0.0.1:0"}, DENIED, false, NULL, 0, NULL},
    {{.authority = "a..b"}, URI_INVALID, false, NULL, 0, NULL},
};

static void complete_each(struct guest *t)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(completions); i++) {
        unsigned before = fetcher.n;
        t->w->seen[0] = i;
        uint32_t future = ask(t, &completions[i].want);
        if (completions[i].refused != 0) {
            CHECK_INT(future, REFUSED + completions[i].refused);
            CHECK_INT(fetcher.n, before);
            continue;
        }
        CHECK(future < REFUSED);
        const struct fetched *e = &fetcher.all[before];
        CHECK_INT(e->tls, completions[i].tls);
        CHECK_INT(e->port, completions[i].port);
        CHECK(strcmp(e->host, completions[i].host) == 0);
        CHECK(hf_view_eq_text(e->head.path, completions[i].path));
        CHECK(hf_view_eq_text(e->head.authority, completions[i].want.authority));
        CHECK_INT(e->n_addrs, 1);
        DROP(future);
        CHECK(e->cancelled);
    }
}

static void a_request_is_completed_from_its_parts(void **state)
{
    struct world w;
    open_world(&w, state, local);
    size_t i = post(&w, complete_each);
    world_run(&w);
    assert_int_equal(w.requests[i].answers, 1);
    close_world(&w);
}

static void too_long(struct guest *t)
{
    static char path[33000];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    CHECK_INT(ask(t, &(struct want){.authority = "127.0.0.1", .path = path}),
              REFUSED + URI_TOO_LONG);
}

static void a_path_has_a_limit(void **state)
{
    struct world w;
    open_world(&w, state, local);
    post(&w, too_long);
    world_run(&w);
    close_world(&w);
}

/* ---- grants ---- */

static const char *authority_now;
static uint32_t result_now;

static void ask_once(struct guest *t)
{
    uint32_t future = ask(t, &(struct want){.authority = authority_now});
    result_now = future;
    if (future < REFUSED) {
        result_now = wait_answer(t, future, NULL);
        DROP(future);
        if (result_now < REFUSED)
            DROP(result_now);
    }
}

static void rules_say_where(void **state)
{
    static const char *const none[] = {NULL}, *const ports[] = {"127.0.0.1:8080", NULL},
                             *const usual[] = {"127.0.0.1", "[fd00::/8]", NULL},
                             *const range[] = {"10.0.0.0/8:*", NULL},
                             *const here[] = {"loopback:80", NULL};
    static const struct {
        const char *const *rules;
        const char *authority;
        bool goes;
    } rows[] = {
        {NULL, "127.0.0.1", false},
        {none, "127.0.0.1", false},
        {ports, "127.0.0.1:8080", true},
        {ports, "127.0.0.1", false},
        {ports, "127.0.0.2:8080", false},
        {usual, "127.0.0.1", true},
        {usual, "127.0.0.1:443", true},
        {usual, "127.0.0.1:8080", false},
        {usual, "[fd00::7]", true},
        {usual, "[fe80::7]", false},
        {range, "10.9.8.7:1", true},
        {range, "11.9.8.7:1", false},
        {range, "[::ffff:10.9.8.7]:1", false},
        {here, "localhost", true},
        {here, "LOCALHOST.", true},
        {here, "localhost:81", false},
        {here, "127.9.9.9", true},
        {here, "example.org", false},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct world w;
        open_world(&w, state, rows[i].rules);
        authority_now = rows[i].authority;
        post(&w, ask_once);
        world_run(&w);
        if ((fetcher.n == 1) != rows[i].goes)
            fail_msg("row %zu: %u sent, %x", i, fetcher.n, result_now);
        if (rows[i].goes)
            fetch_answer(&w, &fetcher, 0, 204, "", NULL);
        else
            assert_true(result_now == REFUSED + DENIED || result_now == REFUSED + IP_PROHIBITED);
        if (!rows[i].goes) /* whoever runs it is told what to grant */
            assert_non_null(strstr((const char *)w.log.ptr, "granted"));
        assert_int_equal(w.requests[0].answers, 1);
        close_world(&w);
    }
}

/* The worker keeps the last address that was granted: what is another one is asked about as ever. */
static void the_last_address_grants_no_other(void **state)
{
    static const char *const rules[] = {"10.0.0.0/8:8080", "[fd00::7]:8080", NULL};
    static const struct {
        const char *authority, *addr; /* NULL: refused */
    } rows[] = {
        {"10.0.0.1:8080", "10.0.0.1:8080"}, {"10.0.0.1:8080", "10.0.0.1:8080"},
        {"10.0.0.1:8081", NULL},            {"10.0.0.1", NULL},
        {"11.0.0.1:8080", NULL},            {"10.0.0.12:8080", "10.0.0.12:8080"},
        {"10.0.0.1:8080", "10.0.0.1:8080"}, {"[fd00::7]:8080", "[fd00::7]:8080"},
        {"[fd00::7]:8080", "[fd00::7]:8080"}, {"[fd00::8]:8080", NULL},
        {"[fd00::7]:8080", "[fd00::7]:8080"},
    };
    struct world w;
    uint32_t sent = 0;
    open_world(&w, state, rules);
    for (uint32_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        authority_now = rows[i].authority;
        post(&w, ask_once);
        world_run(&w);
        if (fetcher.n != sent + (rows[i].addr != NULL))
            fail_msg("row %u: %u sent, %x", i, fetcher.n, result_now);
        if (rows[i].addr != NULL) {
            assert_string_equal(fetcher.all[sent].addrs[0].text, rows[i].addr);
            fetch_answer(&w, &fetcher, sent++, 204, "", NULL);
        } else {
            assert_int_equal(result_now, REFUSED + DENIED);
        }
        assert_int_equal(w.requests[i].answers, 1);
    }
    close_world(&w);
}

static void rules_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "a b",  "example.org:x",     "example.org:0", "*.example.org", "10.0.0.0/33",
        "buffer=1", "[::1", "http://example.org"};
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        struct hf_report report = {0};
        struct hf_net_rules *rules = NULL;
        const char *const texts[] = {bad[i], NULL};
        if (hf_outbound_rules(texts, NULL, &rules, &report) != HF_INVALID)
            fail_msg("row %zu was taken", i);
        assert_true(report.len > 0);
    }
}

/* ---- names ---- */

static _Atomic unsigned looked_up;

static enum hf_net_err fake_lookup(struct hf_net *net, const char *name, struct hf_ip *ret,
                                   size_t max, size_t *n)
{
    static const struct {
        const char *name, *ips[4];
    } zone[] = {
        {"good.example", {"93.184.216.34", "2606:2800:220:1::1"}},
        {"inside.example", {"10.0.0.7"}},
        {"rebind.example", {"169.254.169.254", "127.0.0.1", "93.184.216.34"}},
    };
    (void)net;
    looked_up++;
    *n = 0;
    for (size_t i = 0; i < HF_ARRAY_LEN(zone); i++)
        if (strcmp(zone[i].name, name) == 0) {
            for (; *n < max && zone[i].ips[*n] != NULL; ++*n)
                HF_ASSERT(hf_ip_parse(hf_view_of(zone[i].ips[*n]), &ret[*n]));
            return HF_NET_OK;
        }
    return strcmp(name, "later.example") == 0 ? HF_NET_TRY_LATER : HF_NET_NO_NAME;
}

static struct hf_net resolver;

static const char *const names[] = {
    "good.example",  "inside.example",  "rebind.example",    "nowhere.example",
    "later.example", "10.0.0.0/8:8080", "good.example:8443", NULL};

static void open_named(struct world *w, void **state)
{
    fetcher_init(&fetcher);
    looked_up = 0;
    resolver = *hf_net_linux();
    resolver.lookup = fake_lookup;
    world_open_with(w, state,
                    &(struct world_settings){
                        .outbound = names, .fetch = &fetcher.table, .net = &resolver, .max = 8});
}

static void names_lead_where_rules_let_them(void **state)
{
    static const struct {
        const char *authority;
        uint32_t refused; /* + REFUSED, at once or later; 0: goes to these */
        const char *addrs[2];
    } rows[] = {
        {"good.example", 0, {"93.184.216.34:80", "[2606:2800:220:1::1]:80"}},
        {"GOOD.example.:8443", 0, {"93.184.216.34:8443", "[2606:2800:220:1::1]:8443"}},
        {"good.example:81", DENIED, {0}},
        {"rebind.example", 0, {"93.184.216.34:80"}},
        {"inside.example", IP_PROHIBITED, {0}},
        {"inside.example:8080", 0, {"10.0.0.7:8080"}}, /* its range was granted */
        {"nowhere.example", DNS_ERROR, {0}},
        {"later.example", DNS_TIMEOUT, {0}},
        {"other.example", DENIED, {0}},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct world w;
        open_named(&w, state);
        authority_now = rows[i].authority;
        post(&w, ask_once);
        if (rows[i].addrs[0] == NULL) {
            world_until(&w, 0);
            if (result_now != REFUSED + rows[i].refused)
                fail_msg("row %zu: %x", i, result_now);
            assert_int_equal(fetcher.n, 0);
        } else {
            for (int tries = 0; tries < 2000 && fetcher.n == 0; tries++) {
                world_run(&w);
                usleep(1000);
            }
            if (fetcher.n != 1)
                fail_msg("row %zu: %x", i, result_now);
            const struct fetched *e = &fetcher.all[0];
            assert_int_equal(e->n_addrs, rows[i].addrs[1] == NULL ? 1 : 2);
            for (uint32_t k = 0; k < e->n_addrs; k++)
                assert_string_equal(e->addrs[k].text, rows[i].addrs[k]);
            fetch_answer(&w, &fetcher, 0, 204, "", NULL);
            assert_int_equal(w.requests[0].answers, 1);
        }
        assert_int_equal(fetcher.asked, rows[i].refused == DENIED && i == 8 ? 0 : 1);
        close_world(&w);
    }
}

/* Many who ask for one name wait for one look-up; it is good for some seconds; a kept connection
 * needs none. */
static void a_name_is_looked_up_once(void **state)
{
    struct world w;
    open_named(&w, state);
    authority_now = "good.example";
    for (int i = 0; i < 5; i++)
        post(&w, ask_once);
    for (int tries = 0; tries < 2000 && fetcher.n < 5; tries++) {
        world_run(&w);
        usleep(1000);
    }
    assert_int_equal(fetcher.n, 5);
    assert_int_equal(looked_up, 1);
    world_pass(&w, 4 * S);
    post(&w, ask_once);
    world_run(&w);
    assert_int_equal(fetcher.n, 6);
    assert_int_equal(looked_up, 1);
    world_pass(&w, 2 * S);
    fetcher.kept = "good.example";
    post(&w, ask_once);
    world_run(&w);
    assert_int_equal(fetcher.n, 7);
    assert_int_equal(fetcher.all[6].n_addrs, 0);
    assert_int_equal(looked_up, 1);
    fetcher.kept = NULL;
    post(&w, ask_once); /* too old now */
    for (int tries = 0; tries < 2000 && fetcher.n < 8; tries++) {
        world_run(&w);
        usleep(1000);
    }
    assert_int_equal(looked_up, 2);
    for (unsigned i = 0; i < 8; i++)
        fetch_answer(&w, &fetcher, i, 204, "", NULL);
    close_world(&w);
}

static void drop_while_looking(struct guest *t)
{
    uint32_t future = ask(t, &(struct want){.authority = "good.example"});
    CHECK(future < REFUSED);
    DROP(future);
}

static void a_look_up_may_be_dropped(void **state)
{
    struct world w;
    open_named(&w, state);
    post(&w, drop_while_looking);
    post(&w, drop_while_looking);
    world_run(&w);
    assert_int_equal(fetcher.n, 0);
    close_world(&w);
}

static void too_many_wait(struct guest *t)
{
    fetcher.refuse = HF_LIMIT;
    CHECK_INT(ask(t, &(struct want){.authority = "127.0.0.1"}), REFUSED + LIMIT_REACHED);
    fetcher.refuse = HF_OK;
}

static void a_full_queue_is_said_at_once(void **state)
{
    struct world w;
    open_world(&w, state, local);
    post(&w, too_many_wait);
    world_run(&w);
    close_world(&w);
}

/* ---- 1.5.15 ---- */

static const struct {
    enum hf_fault_kind kind;
    uint32_t code;
    int payload; /* 0 nothing, 1 some(number), 2 some(text), 3 DNS, 4 alert */
} faults[] = {
    {HF_FAULT_DENIED, 15, 0},       {HF_FAULT_DNS_TIMEOUT, 0, 0},
    {HF_FAULT_DNS, 1, 3},           {HF_FAULT_NOT_FOUND, 2, 0},
    {HF_FAULT_IP_PROHIBITED, 4, 0}, {HF_FAULT_UNROUTABLE, 5, 0},
    {HF_FAULT_REFUSED, 6, 0},       {HF_FAULT_CONNECT_TIMEOUT, 8, 0},
    {HF_FAULT_LIMIT, 11, 0},        {HF_FAULT_TERMINATED, 7, 0},
    {HF_FAULT_READ_TIMEOUT, 9, 0},  {HF_FAULT_WRITE_TIMEOUT, 10, 0},
    {HF_FAULT_TLS_PROTOCOL, 12, 0}, {HF_FAULT_TLS_CERTIFICATE, 13, 0},
    {HF_FAULT_TLS_ALERT, 14, 4},    {HF_FAULT_REQUEST_BODY, 17, 1},
    {HF_FAULT_INCOMPLETE, 25, 0},   {HF_FAULT_HEAD_SIZE, 26, 1},
    {HF_FAULT_TRAILER_SIZE, 29, 1}, {HF_FAULT_CODING, 31, 2},
    {HF_FAULT_UPGRADE, 34, 0},      {HF_FAULT_PROTOCOL, 35, 0},
    {HF_FAULT_INTERNAL, 38, 2},
};

static bool is_some_text(const struct hf_value *v)
{
    return v->tag == 1 && is_text(&v->items[0], "why");
}

static void take_fault(struct guest *t)
{
    size_t i = t->w->seen[0];
    struct hf_value e;
    uint32_t future = ask(t, &(struct want){.authority = "127.0.0.1"});
    CHECK(future < REFUSED);
    CHECK_INT(wait_answer(t, future, &e), REFUSED + faults[i].code);
    const struct hf_value *p = e.items;
    switch (faults[i].payload) {
    case 0: break;
    case 1: CHECK(p->tag == 1 && p->items[0].u64 == 47); break;
    case 2: CHECK(is_some_text(p)); break;
    case 3: CHECK(is_some_text(&p->items[0]) && p->items[1].tag == 0); break;
    default:
        CHECK(p->items[0].tag == 1 && p->items[0].items[0].u64 == 47 && is_some_text(&p->items[1]));
    }
    CALL(again, "future-incoming-response.get", H(future));
    CHECK(again->tag == 1 && again->items[0].tag == 1); /* given already */
    DROP(future);
}

static void each_fault_has_its_error_code(void **state)
{
    assert_int_equal(HF_ARRAY_LEN(faults), HF_FAULT_COUNT - 1);
    for (size_t i = 0; i < HF_ARRAY_LEN(faults); i++) {
        struct world w;
        open_world(&w, state, local);
        w.seen[0] = i;
        post(&w, take_fault);
        world_run(&w);
        fetch_fault(&w, &fetcher, 0, faults[i].kind, 47, "why");
        assert_int_equal(w.requests[0].answers, 1);
        close_world(&w);
    }
}

/* ---- 1.4: future-incoming-response ---- */

static void poll_three(struct guest *t)
{
    uint32_t f[3], p[4];
    for (int i = 0; i < 3; i++) {
        f[i] = ask(t, &(struct want){.authority = "127.0.0.1"});
        CALL(s, "future-incoming-response.subscribe", H(f[i]));
        p[i] = (uint32_t)s->u64;
        CALL(none, "future-incoming-response.get", H(f[i]));
        CHECK_INT(none->tag, 0);
    }
    p[3] = subscribe_ns(t, 5 * S);
    CHECK_INT(fetcher.n, 3); /* all at once */
    struct hf_value list[4] = {H(p[0]), H(p[1]), H(p[2]), H(p[3])};
    CALL(first, "poll#poll", LIST(list, 4));
    CHECK_INT(first->len, 1);
    CHECK_INT(((const uint32_t *)(const void *)first->bytes)[0], 1);
    struct hf_value rest[3] = {H(p[0]), H(p[2]), H(p[3])};
    CALL(second, "poll#poll", LIST(rest, 3));
    CHECK_INT(((const uint32_t *)(const void *)second->bytes)[0], 2); /* the time is over */
    CALL(a, "future-incoming-response.get", H(f[1]));
    CHECK(a->tag == 1 && a->items[0].tag == 0 && a->items[0].items[0].tag == 0);
    for (int i = 0; i < 4; i++)
        DROP(p[i]);
    DROP(f[0]); /* cancelled */
    t->w->note = 1;
}

static void three_at_once_with_a_time(void **state)
{
    struct world w;
    open_world(&w, state, local);
    post(&w, poll_three);
    world_run(&w);
    assert_int_equal(fetcher.n, 3);
    fetch_answer(&w, &fetcher, 1, 200, "", NULL);
    assert_int_equal(w.requests[0].answers, 0);
    world_pass(&w, 6 * S);
    assert_int_equal(w.note, 1);
    assert_true(fetcher.all[0].cancelled); /* dropped */
    assert_true(fetcher.all[2].cancelled); /* its call is over */
    close_world(&w);
}

static void ask_and_trap(struct guest *t)
{
    uint32_t body = 0;
    ask(t, &(struct want){.authority = "127.0.0.1", .method = "POST", .body = &body});
    DO("poll#poll", LIST(NULL, 0));
}

static void a_trap_cancels(void **state)
{
    struct world w;
    open_world(&w, state, local);
    post(&w, ask_and_trap);
    world_run(&w);
    assert_int_equal(fetcher.n, 1);
    assert_true(fetcher.all[0].cancelled);
    close_world(&w);
}

static void wait_for_ever(struct guest *t)
{
    uint32_t future = ask(t, &(struct want){.authority = "127.0.0.1"});
    wait_answer(t, future, NULL);
}

static void a_timeout_cancels(void **state)
{
    struct world w;
    open_world(&w, state, local);
    post_with(&w, wait_for_ever, &(struct req){.timeout_ns = 2 * S});
    world_run(&w);
    assert_false(fetcher.all[0].cancelled);
    world_pass(&w, 3 * S);
    assert_int_equal(w.requests[0].kind, HF_ANSWER_TIMEOUT);
    assert_true(fetcher.all[0].cancelled);
    close_world(&w);
}

static void with_times(struct guest *t)
{
    static const uint64_t times[3] = {1, 2, 0};
    uint32_t future = ask(t, &(struct want){.authority = "127.0.0.1", .timeouts = times});
    CHECK_INT(fetcher.all[0].t[0], 1);
    CHECK_INT(fetcher.all[0].t[1], 2);
    CHECK_INT(fetcher.all[0].t[2], 1); /* none at all is the shortest there is */
    DROP(future);
    future = ask(t, &(struct want){.authority = "127.0.0.1"});
    CHECK_INT(fetcher.all[1].t[0], 0); /* as usual */
    DROP(future);
}

static void timeouts_are_passed_on(void **state)
{
    struct world w;
    open_world(&w, state, local);
    post(&w, with_times);
    world_run(&w);
    close_world(&w);
}

/* ---- the request's body ---- */

static void send_body(struct guest *t)
{
    uint32_t body = 0;
    uint32_t future =
        ask(t, &(struct want){
                   .authority = "127.0.0.1", .method = "POST", .body = &body, .fields = "x: y\n"});
    CALL(s, "outgoing-body.write", H(body));
    uint32_t stream = (uint32_t)s->items[0].u64;
    for (int i = 0; i < 40; i++) { /* more than its window: somebody reads it */
        static char piece[4000];
        memset(piece, 'a' + i % 26, sizeof piece);
        struct hf_value v = hf_value_bytes(hf_view(piece, sizeof piece));
        CALL(w, "output-stream.blocking-write-and-flush", H(stream), v);
        CHECK_INT(w->tag, 0);
    }
    DROP(stream);
    CALL(done, "outgoing-body.finish", H(body), CASE(0, NULL));
    CHECK_INT(done->tag, 0);
    uint32_t a = wait_answer(t, future, NULL);
    CHECK(a < REFUSED);
    t->w->note = 1;
}

static void a_body_flows_to_the_client(void **state)
{
    struct world w;
    size_t total = 0;
    enum hf_err end = HF_AGAIN;
    open_world(&w, state, local);
    post(&w, send_body);
    world_run(&w);
    assert_true(fetcher.n == 1 && fetcher.all[0].body.blob != NULL);
    while (end == HF_AGAIN) {
        struct hf_view v;
        while ((end = hf_blob_reader_peek(&fetcher.all[0].body, &v)) == HF_OK) {
            total += v.len;
            hf_blob_reader_advance(&fetcher.all[0].body, v.len);
        }
        world_run(&w);
    }
    assert_int_equal(end, HF_CLOSED);
    assert_int_equal(total, 160000);
    fetch_answer(&w, &fetcher, 0, 200, "", NULL);
    assert_int_equal(w.note, 1);
    close_world(&w);
}

static void drop_body(struct guest *t)
{
    uint32_t body = 0;
    uint32_t future =
        ask(t, &(struct want){.authority = "127.0.0.1", .method = "POST", .body = &body});
    DROP(body);
    CHECK_INT(wait_answer(t, future, NULL), REFUSED + PROTOCOL_ERROR);
}

static void a_body_that_is_dropped_fails(void **state)
{
    struct world w;
    enum hf_err end;
    open_world(&w, state, local);
    post(&w, drop_body);
    world_run(&w);
    fetch_body(&fetcher, 0, &end);
    assert_int_equal(end, HF_CANCELLED);
    fetch_fault(&w, &fetcher, 0, HF_FAULT_PROTOCOL, 0, "never finished");
    assert_int_equal(w.requests[0].answers, 1);
    close_world(&w);
}

/* Nothing stays behind: handles, objects, look-ups. */
static void ask_often(struct guest *t)
{
    size_t objects_before = objects(t->w), handles_before = handles(t->w);
    for (int i = 0; i < 50; i++) {
        static const uint64_t times[3] = {1, 2, 3};
        uint32_t future = ask(t, &(struct want){.authority = "127.0.0.1", .timeouts = times});
        CHECK(future < REFUSED);
        DROP(future);
    }
    CHECK_INT(objects(t->w), objects_before);
    CHECK_INT(handles(t->w), handles_before);
}

static void asking_leaves_nothing(void **state)
{
    struct world w;
    open_world(&w, state, local);
    post(&w, ask_often);
    world_run(&w);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_completed_from_its_parts),
        cmocka_unit_test(a_path_has_a_limit),
        cmocka_unit_test(rules_say_where),
        cmocka_unit_test(the_last_address_grants_no_other),
        cmocka_unit_test(rules_that_are_none),
        cmocka_unit_test(names_lead_where_rules_let_them),
        cmocka_unit_test(a_name_is_looked_up_once),
        cmocka_unit_test(a_look_up_may_be_dropped),
        cmocka_unit_test(a_full_queue_is_said_at_once),
        cmocka_unit_test(each_fault_has_its_error_code),
        cmocka_unit_test(three_at_once_with_a_time),
        cmocka_unit_test(a_trap_cancels),
        cmocka_unit_test(a_timeout_cancels),
        cmocka_unit_test(timeouts_are_passed_on),
        cmocka_unit_test(a_body_flows_to_the_client),
        cmocka_unit_test(a_body_that_is_dropped_fails),
        cmocka_unit_test(asking_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
