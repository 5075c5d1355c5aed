/* poll_cost_test.c - what wasi:io/poll costs (design poll), shown by a guest that calls it itself,
 * through lifting and lowering: a list of 10,000 of which one becomes ready, again and again.
 *
 * Nothing is timed. Allocations of the whole program are counted. Looks are made visible: while the
 * guest waits the test makes every other timer ready behind poll's back, without firing it, so that
 * whoever looks at one of them reports it.
 */
#include "support.h"

#include "tests/allocations.h"

#define N      10000
#define ROUNDS 20

/* The guest: subscribes to N timers, all far away. Then for ever: drops the one at $i, makes one in
 * its place that is near, tells the test (run), polls all, tells the test again, wants exactly that
 * one reported, and polls all again. */
static const char poller[] =
    "(component"
    " (import \"test:script/run\" (instance $s (export \"run\" (func))))"
    " (import \"wasi:http/types@0.2.12\" (instance $http"
    "   (export \"incoming-request\" (type $r (sub resource)))"
    "   (export \"response-outparam\" (type $o (sub resource)))))"
    " (import \"wasi:io/poll@0.2.12\" (instance $poll"
    "   (export \"pollable\" (type $p (sub resource)))"
    "   (export \"[method]pollable.ready\" (func (param \"self\" (borrow $p)) (result bool)))"
    "   (export \"poll\" (func (param \"in\" (list (borrow $p))) (result (list u32))))))"
    " (alias export $poll \"pollable\" (type $pollable))"
    " (import \"wasi:clocks/monotonic-clock@0.2.12\" (instance $clock"
    "   (alias outer 1 $pollable (type $pp)) (export \"pollable\" (type $p (eq $pp)))"
    "   (export \"subscribe-duration\" (func (param \"when\" u64) (result (own $p))))))"
    " (core module $L (memory (export \"m\") 2)"
    "   (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))"
    " (core instance $l (instantiate $L))"
    " (alias core export $l \"m\" (core memory $mem))"
    " (alias core export $l \"realloc\" (core func $realloc))"
    " (core func $run (canon lower (func $s \"run\")))"
    " (core func $sub (canon lower (func $clock \"subscribe-duration\")))"
    " (core func $ready (canon lower (func $poll \"[method]pollable.ready\")))"
    " (core func $pollf (canon lower (func $poll \"poll\") (memory $mem) (realloc $realloc)))"
    " (core func $drop (canon resource.drop $pollable))"
    " (core module $M (import \"l\" \"m\" (memory 2)) (import \"h\" \"run\" (func $run))"
    "   (import \"h\" \"sub\" (func $sub (param i64) (result i32)))"
    "   (import \"h\" \"ready\" (func $ready (param i32) (result i32)))"
    "   (import \"h\" \"poll\" (func $poll (param i32 i32 i32))) (import \"h\" \"drop\" (func "
    "$drop (param i32)))"
    "   (func (export \"handle\") (param i32 i32) (local $i i32) (local $at i32)"
    "     (loop $each"
    "       (i32.store offset=1024 (i32.shl (local.get $i) (i32.const 2)) (call $sub (i64.const "
    "3600000000000)))"
    "       (local.set $i (i32.add (local.get $i) (i32.const 1)))"
    "       (br_if $each (i32.lt_u (local.get $i) (i32.const 10000))))"
    "     (local.set $i (i32.const 4711)) (local.set $at (i32.shl (local.get $i) (i32.const 2)))"
    "     (loop $again"
    "       (call $drop (i32.load offset=1024 (local.get $at)))"
    "       (i32.store offset=1024 (local.get $at) (call $sub (i64.const 1000000)))"
    "       (if (call $ready (i32.load offset=1024 (local.get $at))) (then unreachable))"
    "       (call $run)"
    "       (call $poll (i32.const 1024) (i32.const 10000) (i32.const 8))"
    "       (call $run)"
    "       (if (i32.ne (i32.load (i32.const 12)) (i32.const 1)) (then unreachable))"
    "       (if (i32.ne (i32.load (i32.load (i32.const 8))) (local.get $i)) (then unreachable))"
    "       (call $poll (i32.const 1024) (i32.const 10000) (i32.const 8))"
    "       (if (i32.ne (i32.load (i32.const 12)) (i32.const 1)) (then unreachable))"
    "       (if (i32.eqz (call $ready (i32.load offset=1024 (local.get $at)))) (then unreachable))"
    "       (br $again))))"
    " (core instance $m (instantiate $M (with \"l\" (instance $l)) (with \"h\" (instance"
    "   (export \"run\" (func $run)) (export \"sub\" (func $sub)) (export \"ready\" (func $ready))"
    "   (export \"poll\" (func $pollf)) (export \"drop\" (func $drop))))))"
    " (alias export $http \"incoming-request\" (type $req))"
    " (alias export $http \"response-outparam\" (type $out))"
    " (func $handle (param \"request\" (own $req)) (param \"response-out\" (own $out))"
    "   (canon lift (core func $m \"handle\")))"
    " (instance $h (export \"handle\" (func $handle)))"
    " (export \"wasi:http/incoming-handler@0.2.12\" (instance $h)))";

struct polling {
    struct world w;
    struct shared shared;
    size_t i;
};

static void set_quietly(struct world *w, bool ready)
{
    unsigned n = 0;
    HF_LIST_FOR (it, &w->guest->objects) {
        struct hf_obj *obj = HF_LIST_ENTRY(it, struct hf_obj, in_guest);
        if (strcmp(obj->kind, "pollable") != 0)
            continue;
        struct hf_pollable *p = HF_CONTAINER_OF(obj, struct hf_pollable, obj);
        if (hf_list_linked(&p->waiter.in_ready) || p->obj.in_guest.next == &w->guest->objects)
            continue; /* the one that is ready; the newest, which will be */
        p->timer.wait.ready = ready;
        n++;
    }
    w->seen[1] = n;
}

/* Pollables that stand with their source, heard whether or not anybody polls. */
static unsigned armed(const struct world *w)
{
    unsigned n = 0;
    HF_LIST_FOR (it, &w->guest->objects) {
        struct hf_obj *obj = HF_LIST_ENTRY(it, struct hf_obj, in_guest);
        if (strcmp(obj->kind, "pollable") == 0)
            n += hf_list_linked(&HF_CONTAINER_OF(obj, struct hf_pollable, obj)->waiter.in_wait);
    }
    return n;
}

/* Called by the guest before and after each poll that waits: seen[0] counts. After it, what was
 * made ready quietly is so no more. seen[2]: allocations between one such poll and the next. */
static void told(struct guest *t)
{
    uint64_t *seen = t->w->seen;
    seen[4] = armed(t->w);
    if (seen[0]++ % 2 == 0) {
        seen[2] += seen[0] > 1 ? allocations() - seen[3] : 0;
        return;
    }
    if (t->w->note != 0)
        set_quietly(t->w, false);
    seen[3] = allocations();
}

static void polling_open(struct polling *p, void **state)
{
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    p->shared = *(struct shared *)*state;
    if (hf_engine_wat(poller, sizeof poller - 1, &wasm, &report) != HF_OK ||
        hf_component_load(p->shared.engine, p->shared.registry, hf_buf_view(&wasm), NULL,
                          &p->shared.component, &report) != HF_OK)
        fail_msg("%s", report.text);
    hf_buf_done(&wasm);
    void *shared = &p->shared;
    world_open_with(&p->w, &shared, &(struct world_settings){.slice_ticks = 100000});
    p->i = post(&p->w, told);
    world_run(&p->w);
    assert_int_equal(p->w.requests[p->i].answers, 0);
    assert_int_equal(p->w.seen[0], 1); /* it waits in poll */
}

static void polling_close(struct polling *p)
{
    leave(&p->w, p->i);
    world_close(&p->w);
    hf_component_unref(p->shared.component);
}

/* One becomes ready, and the guest waits again. */
static void one_round(struct polling *p, uint64_t round)
{
    unsigned before = p->w.steps;
    world_pass(&p->w, MS);
    if (p->w.requests[p->i].answers != 0)
        fail_msg("round %llu: %s", (unsigned long long)round,
                 (const char *)p->w.requests[p->i].head_bytes.ptr);
    assert_int_equal(p->w.seen[0], 1 + 2 * (round + 1));
    assert_int_equal(p->w.steps - before, 1); /* one wake */
}

static void poll_of_10000_looks_at_the_ready_one_only(void **state)
{
    struct polling p;
    polling_open(&p, state);
    p.w.note = 1;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        set_quietly(&p.w, true);
        assert_int_equal(p.w.seen[1], N - 1);
        one_round(&p, round);
    }
    set_quietly(&p.w, false);
    polling_close(&p);
}

static void poll_leaves_registrations_where_they_are(void **state)
{
    struct polling p;
    polling_open(&p, state);
    for (uint64_t round = 0; round < 3; round++) {
        assert_int_equal(p.w.seen[4], N); /* before the poll that waits */
        assert_int_equal(armed(&p.w), N); /* in it */
        one_round(&p, round);
    }
    polling_close(&p);
}

/* What the engine takes for suspending a guest's fiber, whatever it waits for. */
#define OF_A_SUSPENSION 2

static void poll_of_10000_again_takes_nothing_from_the_heap(void **state)
{
    struct polling p;
    polling_open(&p, state);
    uint64_t round = 0;
    while (round < 3) /* warm */
        one_round(&p, round++);
    p.w.seen[2] = 0;
    uint64_t before = allocations();
    while (round < ROUNDS)
        one_round(&p, round++);
    assert_int_equal(p.w.seen[2], 0); /* ready, poll of the same list, drop, subscribe */
    assert_int_equal(allocations() - before, COUNTED * OF_A_SUSPENSION * (ROUNDS - 3));
    polling_close(&p);
}

static void the_count_counts(void **state)
{
    (void)state;
    uint64_t before = allocations();
    void *volatile p = malloc(10);
    free(p);
    assert_int_equal(allocations() - before, COUNTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count_counts),
        cmocka_unit_test(poll_of_10000_looks_at_the_ready_one_only),
        cmocka_unit_test(poll_leaves_registrations_where_they_are),
        cmocka_unit_test(poll_of_10000_again_takes_nothing_from_the_heap),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
