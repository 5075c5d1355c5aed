/* trace_test.c - a request's trace goes on in the requests that it leads to. (Its id in log
 * lines: cli_test.c.) */
#include "support_fetch.h"

#include "base/trace.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static struct fetcher fetcher;
static const char *own; /* what the guest itself puts into its requests */

static void ask_twice(struct guest *t)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t future = ask(t, &(struct want){.authority = "127.0.0.1", .fields = own});
        CHECK(future < REFUSED);
        DROP(future);
    }
}

/* What goes out for a request that came in with `fields`. */
static void send(struct world *w, void **state, const char *fields, const char *guests, bool off)
{
    static const char *const local[] = {"127.0.0.1", NULL};
    own = guests;
    fetcher_init(&fetcher);
    world_open_with(w, state,
                    &(struct world_settings){
                        .outbound = local, .fetch = &fetcher.table, .trace_off = off});
    post_with(w, ask_twice, &(struct req){.fields = fields});
    world_run(w);
    assert_int_equal(fetcher.n, 2);
}

static void done(struct world *w)
{
    world_close(w);
    fetcher_done(&fetcher);
}

static unsigned count(const struct hf_head *head, const char *name, struct hf_view *last)
{
    struct hf_view n, v;
    unsigned found = 0;
    for (size_t at = 0; hf_head_next(head, &at, &n, &v);)
        if (hf_view_eq_nocase(n, hf_view_of(name))) {
            *last = v;
            found++;
        }
    return found;
}

static void outgoing_requests_are_children(void **state)
{
    struct world w;
    struct hf_view v;
    uint64_t spans[2];
    send(&w, state, "traceparent: " PARENT "\ntracestate: a=1\ntracestate: b=2\nx-request-id: r\n", "",
         false);
    for (unsigned i = 0; i < 2; i++) {
        struct hf_trace t;
        assert_int_equal(count(&fetcher.all[i].head, "traceparent", &v), 1);
        assert_true(hf_traceparent_read(v, &t));
        assert_true(t.hi == 0x0af7651916cd43ddu && t.lo == 0x8448eb211c80319cu && t.flags == 0);
        assert_true(t.span != 0xb7ad6b7169203331u);
        spans[i] = t.span;
        assert_int_equal(count(&fetcher.all[i].head, "tracestate", &v), 2);
        assert_true(hf_view_eq_text(v, "b=2"));
        assert_int_equal(count(&fetcher.all[i].head, "x-request-id", &v), 0); /* ours, not theirs */
    }
    assert_true(spans[0] != spans[1]);
    done(&w);
}

static void what_the_guest_says_stands(void **state)
{
    struct world w;
    struct hf_view v;
    send(&w, state, "traceparent: " PARENT "\ntracestate: a=1\n", "Traceparent: mine\n", false);
    assert_int_equal(count(&fetcher.all[0].head, "traceparent", &v), 1);
    assert_true(hf_view_eq_text(v, "mine"));
    assert_int_equal(count(&fetcher.all[0].head, "tracestate", &v), 0);
    done(&w);
    send(&w, state, "traceparent: " PARENT "\ntracestate: a=1\n", "TraceState: x=1\n", false);
    assert_int_equal(count(&fetcher.all[0].head, "traceparent", &v), 1);
    assert_int_equal(count(&fetcher.all[0].head, "tracestate", &v), 1);
    assert_true(hf_view_eq_text(v, "x=1"));
    done(&w);
}

static void without_a_trace_or_turned_off_nothing_is_added(void **state)
{
    struct world w;
    struct hf_view v;
    send(&w, state, "traceparent: " PARENT "\ntracestate: a=1\n", "", true);
    assert_int_equal(count(&fetcher.all[0].head, "traceparent", &v), 0);
    assert_int_equal(count(&fetcher.all[0].head, "tracestate", &v), 0);
    done(&w);
    send(&w, state, "", "", false);
    assert_int_equal(count(&fetcher.all[0].head, "traceparent", &v), 0);
    done(&w);
    send(&w, state, "traceparent: what a gateway with traces off lets through\n", "", false);
    assert_int_equal(count(&fetcher.all[0].head, "traceparent", &v), 0);
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outgoing_requests_are_children),
        cmocka_unit_test(what_the_guest_says_stands),
        cmocka_unit_test(without_a_trace_or_turned_off_nothing_is_added),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
