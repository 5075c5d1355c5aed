/* host_call_test.c - a guest calls host functions: C2-C4, who owns what, the hook, what host.h
 * offers, resource.drop. */
#include "support_calls.h"

static struct hf_value seen[20]; /* the arguments of the last host call */
static struct hf_value answer;
static enum hf_err answer_err;
static uint32_t seen_lends;

static void see(struct hf_call *call, const struct hf_value *args)
{
    const struct hf_ftype *f = call->tramp->def->func.host->type;
    for (uint32_t i = 0; i < f->n_params; i++)
        seen[i] = args[i];
    event("host");
}

static enum hf_err host_fn(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    see(call, args);
    assert_int_equal(result->u64, 0);
    assert_int_equal(result->len, 0);
    const struct hf_handle *h = hf_handles_at(&call->ci->handles, 1);
    seen_lends = h == NULL ? 0 : h->lends;
    *result = answer;
    return answer_err;
}

static int fresh_host(void **state)
{
    fresh_calls(state);
    memset(seen, 0, sizeof seen);
    answer = (struct hf_value){0};
    answer_err = HF_OK;
    g = &world.guests[1];
    return 0;
}

static void c2_flat_arguments_and_result(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {prim(HF_T_U32), prim(HF_T_S8), prim(HF_T_F64),
                                            prim(HF_T_STRING)};
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, params, 4, prim(HF_T_S16)), host_fn);
    union hf_val vals[HF_FLAT_MAX] = {
        {.u64 = 7}, {.u64 = 0xff}, {.f64 = 2.5}, {.u64 = AT}, {.u64 = 5}};
    memcpy(canon_mem(g, NULL) + AT, "hello", 5);
    answer.s64 = -3;
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_int_equal(seen[0].u64, 7);
    assert_int_equal(seen[1].s64, -1);
    assert_true(seen[2].f64 == 2.5);
    assert_ptr_equal(seen[3].bytes, canon_mem(g, NULL) + AT);
    assert_int_equal(seen[3].len, 5);
    assert_int_equal(vals[0].u32, 0xfffffffd);
    assert_int_equal(world.inst.arena.used, 0);
}

static void c2_nothing_in_nothing_out(void **state)
{
    (void)state;
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, NULL, 0, NULL), host_fn);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 99}};
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_string_equal(events, "host ");
}

static void f3_seventeen_parameters_come_by_pointer(void **state)
{
    (void)state;
    const struct hf_type *params[20];
    for (int i = 0; i < 20; i++)
        params[i] = prim(HF_T_U16);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = AT}};
    for (uint16_t i = 0; i < 20; i++)
        memcpy(canon_mem(g, NULL) + AT + 2 * i, &i, 2);
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, params, 20, NULL), host_fn);
    assert_int_equal(call_tramp(t, vals), HF_OK);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(seen[i].u64, i);
    vals[0].u64 = AT + 1;
    expect_trap(call_tramp(t, vals),
                "test:host/api@1.0.0#[method]pollable.do: arguments: unaligned pointer");
}

static void c4_results_go_through_the_out_pointer(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {prim(HF_T_U32)}, *const two[] = {prim(HF_T_U32),
                                                                             prim(HF_T_STRING)};
    const struct hf_type *tuple = canon_compound(&world, HF_T_TUPLE, two, 2);
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, params, 1, tuple), host_fn);
    struct hf_value items[] = {hf_value_u64(42), hf_value_bytes(HF_VIEW("abc"))};
    answer = (struct hf_value){.items = items, .len = 2};
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 1}, {.u64 = AT}};
    assert_int_equal(call_tramp(t, vals), HF_OK);
    const uint32_t want[] = {42, CANON_HEAP, 3};
    assert_memory_equal(canon_mem(g, NULL) + AT, want, sizeof want);
    assert_memory_equal(canon_mem(g, NULL) + CANON_HEAP, "abc", 3);

    events[0] = '\0'; /* checked when it is stored: the function has run */
    vals[1].u64 = CANON_PAGE - 8;
    expect_trap(call_tramp(t, vals),
                "#[method]pollable.do: result: pointer out of bounds of memory");
    vals[1].u64 = AT + 2;
    expect_trap(call_tramp(t, vals), "unaligned pointer");
    assert_string_equal(events, "host host ");
}

/* ---- C3, S12 ---- */

static struct hf_tramp_rt *called_in_realloc;
static enum hf_err call_out(struct canon_guest *from)
{
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 1}};
    (void)from;
    return call_tramp(called_in_realloc, vals);
}

static void c3_realloc_may_not_call_imports(void **state)
{
    (void)state;
    struct hf_tramp_rt *text =
        lower_host(g, canon_ftype(&world, NULL, 0, prim(HF_T_STRING)), host_fn);
    answer = hf_value_bytes(HF_VIEW("x"));
    const struct {
        struct hf_tramp_rt *t;
        const char *text;
    } rows[] = {
        {lower_host(g, canon_ftype(&world, NULL, 0, NULL), host_fn),
         "cannot leave component instance 1: its realloc or post-return called "
         "test:host/api@1.0.0#[method]pollable.do"},
        {resource_tramp(g, HF_TRAMP_RESOURCE_NEW, &guest_r),
         "cannot leave component instance 1: its realloc or post-return called resource.new of "
         "counter"},
        {resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &guest_r), "cannot leave component instance"},
        {resource_tramp(g, HF_TRAMP_RESOURCE_REP, &guest_r), NULL},
    };
    give(g, &guest_r, 5, true);
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        union hf_val vals[HF_FLAT_MAX] = {{.u64 = AT}};
        called_in_realloc = rows[i].t;
        g->during = call_out;
        enum hf_err err = call_tramp(text, vals);
        if (rows[i].text != NULL)
            expect_trap(err, rows[i].text);
        else
            assert_int_equal(err, HF_OK);
        g->ci->may_leave = true; /* dead after a trap; here the next row's */
    }
}

/* ---- handles of host resources ---- */

static void v10_a_borrow_is_lent_while_the_host_works(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {canon_handle(&world, HF_T_BORROW, &host_r),
                                            canon_handle(&world, HF_T_OWN, &host_r)};
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, params, 1, NULL), host_fn),
                       *u = lower_host(g, canon_ftype(&world, params, 2, NULL), host_fn);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = give(g, &host_r, 71, true)}};
    assert_int_equal(call_tramp(t, vals), HF_OK); /* which nobody could see: no lend is counted */
    assert_int_equal((uintptr_t)seen[0].obj, 71);
    assert_int_equal(hf_handles_at(&g->ci->handles, 1)->lends, 0);
    vals[0].u64 = 1;
    vals[1].u64 = give(g, &host_r, 72, true);
    assert_int_equal(call_tramp(u, vals), HF_OK);
    assert_int_equal((uintptr_t)seen[0].obj, 71);
    assert_int_equal((uintptr_t)seen[1].obj, 72);
    assert_int_equal(seen_lends, 1);
    assert_int_equal(hf_handles_at(&g->ci->handles, 1)->lends, 0);
    answer_err = HF_TRAP;
    expect_trap(call_tramp(t, vals),
                "test:host/api@1.0.0#[method]pollable.do: the host function failed: trap");
    assert_int_equal(hf_handles_at(&g->ci->handles, 1)->lends, 0);
}

static void v9_an_own_argument_belongs_to_the_function(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {canon_handle(&world, HF_T_OWN, &host_r),
                                            prim(HF_T_CHAR)};
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, params, 2, NULL), host_fn);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = give(g, &host_r, 71, true)}, {.u64 = 'x'}};
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_int_equal((uintptr_t)seen[0].obj, 71);
    assert_int_equal(g->ci->handles.live, 0);

    vals[0].u64 = give(g, &host_r, 72, true);
    answer_err = HF_TRAP; /* also when it traps */
    expect_trap(call_tramp(t, vals), "the host function failed");
    assert_int_equal(n_dropped, 0);

    events[0] = '\0'; /* but not when it is never called: a later argument is wrong */
    vals[0].u64 = give(g, &host_r, 73, true);
    vals[1].u64 = 0xd800;
    expect_trap(call_tramp(t, vals), "#[method]pollable.do: argument 2 (p1): invalid `char`");
    assert_string_equal(events, "");
    assert_int_equal(n_dropped, 1);
    assert_int_equal(dropped[0], 73);
}

static void v9_the_same_handle_twice(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r),
                         *borrow = canon_handle(&world, HF_T_BORROW, &host_r);
    const struct hf_type *const a[] = {borrow, own}, *const b[] = {own, borrow},
                                *const c[] = {borrow, borrow, own};
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 1}, {.u64 = 1}};
    give(g, &host_r, 71, true);
    for (uint32_t n = 2; n <= 3; n++) {
        seen[0].u64 = seen[1].u64 = 0;
        vals[2].u64 = n == 3 ? give(g, &host_r, 72, true) : 0;
        assert_int_equal(call_tramp(lower_host(g, canon_ftype(&world, c, n, NULL), host_fn), vals),
                         HF_OK);
        assert_int_equal(seen[0].u64, 71);
        assert_int_equal(seen[1].u64, 71);
        assert_int_equal(hf_handles_at(&g->ci->handles, 1)->lends, 0);
    }
    assert_int_equal(seen_lends, 2);
    expect_trap(
        call_tramp(lower_host(g, canon_ftype(&world, a, 2, NULL), host_fn), vals),
        "argument 2 (p1): cannot remove owned resource while borrowed: handle index 1 (pollable)");
    expect_trap(call_tramp(lower_host(g, canon_ftype(&world, b, 2, NULL), host_fn), vals),
                "argument 2 (p1): unknown handle index 1");
    assert_int_equal(n_dropped, 1);
}

static void s5_a_handle_of_another_type_is_no_argument(void **state)
{
    (void)state;
    static const struct hf_resource_type other = {.name = {(const uint8_t *)"socket", 6},
                                                  .host = &ops};
    const struct hf_type *const params[] = {canon_handle(&world, HF_T_BORROW, &other)};
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, params, 1, NULL), host_fn);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = give(g, &host_r, 71, true)}};
    expect_trap(call_tramp(t, vals), "handle index 1 used with the wrong type");
    vals[0].u64 = 9;
    expect_trap(call_tramp(t, vals), "test:host/api@1.0.0#[method]pollable.do: argument 1 (p0): "
                                     "unknown handle index 9 (wanted: socket)");
    assert_string_equal(events, "");
}

static void w6_an_own_result_becomes_a_handle(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r);
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, NULL, 0, own), host_fn);
    union hf_val vals[HF_FLAT_MAX];
    answer = hf_value_u64(81);
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_int_equal(vals[0].u64, 1);
    assert_int_equal(hf_handles_at(&g->ci->handles, 1)->rep, 81);

    /* When the table is full, nobody gets them: those that were not handed in are dropped. */
    struct hf_value items[] = {hf_value_u64(82), hf_value_u64(83), hf_value_u64(84)};
    t = lower_host(g, canon_ftype(&world, NULL, 0, canon_list(&world, own)), host_fn);
    answer = (struct hf_value){.items = items, .len = 3};
    g->ci->handles.max = 2;
    vals[0].u64 = AT;
    expect_trap(call_tramp(t, vals), "result: limit: the handle table is full with 2 handles");
    assert_int_equal(n_dropped, 2);
    assert_int_equal(dropped[0], 83);
    assert_int_equal(dropped[1], 84);
    assert_int_equal(hf_handles_at(&g->ci->handles, 2)->rep, 82);
}

/* ---- the membrane ---- */

struct hooked {
    enum hf_err before;
    enum hf_err after;
    struct hf_view answer;
    enum hf_err ended;
    struct hf_buf args, result;
    uint32_t handle, n_handles;
};

static enum hf_err hook_before(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    struct hooked *h = ctx;
    assert_int_equal(x->kind, HF_CROSS_IMPORT);
    assert_int_equal(x->ci, 1);
    assert_true(hf_view_eq_text(x->iface, "test:host/api@1.0.0"));
    assert_true(hf_view_eq_text(x->func, "[method]pollable.do"));
    assert_int_equal(x->type->n_params, 1);
    h->n_handles = x->n_args_handles;
    h->handle = x->args_handles[0];
    hf_buf_clear(&h->args);
    assert_int_equal(hf_buf_add_view(&h->args, x->args), HF_OK);
    event("before");
    if (h->before == HF_CLOSED)
        x->result = h->answer;
    if (h->before == HF_TRAP)
        return hf_call_trap(call, "the hook says no");
    return h->before;
}

static enum hf_err hook_after(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    struct hooked *h = ctx;
    assert_non_null(call);
    h->ended = x->err;
    hf_buf_clear(&h->result);
    assert_int_equal(hf_buf_add_view(&h->result, x->err == HF_OK ? x->result : x->text), HF_OK);
    event("after");
    return h->after;
}

static const struct hf_hook the_hook = {hook_before, hook_after};

static void the_hook_sees_every_call(void **state)
{
    (void)state;
    struct hooked h = {.before = HF_OK};
    const struct hf_type *const params[] = {canon_handle(&world, HF_T_OWN, &host_r)};
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, params, 1, prim(HF_T_U32)), host_fn);
    union hf_val vals[HF_FLAT_MAX];
    assert_int_equal(hf_instance_set_hook(&world.inst, &the_hook, &h), HF_OK);

    answer = hf_value_u64(5);
    vals[0].u64 = give(g, &host_r, 71, true);
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_string_equal(events, "before host after ");
    assert_int_equal(h.handle, 1);
    assert_int_equal(h.n_handles, 1);
    assert_int_equal(h.args.len, 4);
    assert_memory_equal(h.args.ptr, "\1\0\0\0", 4);
    assert_int_equal(h.result.len, 4);
    assert_memory_equal(h.result.ptr, "\5\0\0\0", 4);
    assert_int_equal(vals[0].u64, 5);

    events[0] = '\0'; /* answered by the hook: the function did not get its argument */
    h.before = HF_CLOSED;
    h.answer = hf_view("\6\0\0\0", 4);
    vals[0].u64 = give(g, &host_r, 71, true);
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_string_equal(events, "before after ");
    assert_int_equal(vals[0].u64, 6);
    assert_int_equal(n_dropped, 1);

    h.answer = hf_view("\6\0\0\0\0", 5); /* not a u32 */
    vals[0].u64 = give(g, &host_r, 71, true);
    expect_trap(call_tramp(t, vals), "answer is not a result of it: 1 bytes too many");
    h.answer = hf_view("\6\0\0", 3);
    vals[0].u64 = give(g, &host_r, 71, true);
    expect_trap(call_tramp(t, vals), "answer is not a result of it: byte 0: not enough bytes");
    assert_int_equal(h.ended, HF_TRAP);
    assert_int_equal(n_dropped, 3);

    h.before = HF_TRAP;
    vals[0].u64 = give(g, &host_r, 71, true);
    expect_trap(call_tramp(t, vals), "#[method]pollable.do(p0: handle 1): the hook says no");
    assert_int_equal(n_dropped, 4);

    h.before = HF_OK;
    answer_err = HF_IO;
    vals[0].u64 = give(g, &host_r, 71, true);
    expect_trap(call_tramp(t, vals), "the host function failed: io");
    assert_int_equal(h.ended, HF_TRAP);
    assert_non_null(strstr((char *)h.result.ptr, "the host function failed: io"));
    assert_int_equal(n_dropped, 4);

    answer_err = HF_OK; /* what `after` says counts */
    h.after = HF_LIMIT;
    vals[0].u64 = give(g, &host_r, 71, true);
    expect_trap(call_tramp(t, vals), "the membrane refused how it ended: limit");

    assert_int_equal(hf_instance_set_hook(&world.inst, NULL, NULL), HF_OK);
    hf_buf_done(&h.args);
    hf_buf_done(&h.result);
}

static enum hf_err drop_before(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    const struct hooked *h = ctx;
    (void)call;
    assert_int_equal(x->kind, HF_CROSS_DROP);
    assert_true(hf_view_eq_text(x->func, "[resource-drop]"));
    assert_int_equal(x->args_handles[0], 1);
    return h->before;
}

/* A real object goes when its drop is answered, and never twice when the hook spoils the end. */
static void a_drop_that_is_answered_or_spoilt(void **state)
{
    (void)state;
    static const struct hf_hook hook = {drop_before, hook_after};
    struct hooked h = {.before = HF_CLOSED};
    struct hf_tramp_rt *drop = resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &host_r);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 1}};
    assert_int_equal(hf_instance_set_hook(&world.inst, &hook, &h), HF_OK);
    assert_int_equal(give(g, &host_r, 91, true), 1);
    assert_int_equal(call_tramp(drop, vals), HF_OK);
    assert_int_equal(n_dropped, 1);
    assert_int_equal(dropped[0], 91);
    assert_null(hf_handles_at(&g->ci->handles, 1));

    h.after = HF_LIMIT;
    assert_int_equal(give(g, &host_r, 92, true), 1);
    expect_trap(call_tramp(drop, vals), "[resource-drop]: the membrane refused how it ended");
    assert_int_equal(n_dropped, 2);
    assert_null(hf_handles_at(&g->ci->handles, 1));
    assert_int_equal(hf_instance_set_hook(&world.inst, NULL, NULL), HF_OK);
    hf_buf_done(&h.result);
}

/* Handles that a hook answered with have nothing behind them. */
static void answered_handles_stand_in_for_objects(void **state)
{
    (void)state;
    struct hooked h = {.before = HF_CLOSED, .answer = hf_view("\1\0\0\0", 4)};
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r);
    const struct hf_type *borrow = canon_handle(&world, HF_T_BORROW, &host_r);
    struct hf_tramp_rt *change = lower_host(g, canon_ftype(&world, &own, 1, own), host_fn);
    struct hf_tramp_rt *use = lower_host(g, canon_ftype(&world, &borrow, 1, NULL), host_fn);
    union hf_val vals[HF_FLAT_MAX];
    assert_int_equal(hf_instance_set_hook(&world.inst, &the_hook, &h), HF_OK);

    vals[0].u64 = give(g, &host_r, 71, true); /* 1 goes, 1 comes */
    assert_int_equal(call_tramp(change, vals), HF_OK);
    assert_int_equal(vals[0].u64, 1);
    assert_ptr_equal(hf_handles_at(&g->ci->handles, 1)->obj, hf_stand_in());
    assert_int_equal(n_dropped, 1);

    h.answer =
        hf_view("", 0); /* a call on it that is answered, one that is not, one with no hook */
    assert_int_equal(call_tramp(use, vals), HF_OK);
    h.before = HF_OK;
    events[0] = '\0';
    expect_trap(call_tramp(use, vals),
                "handle 1 was answered from a record: there is no host object");
    assert_string_equal(events, "before after "); /* what was begun is ended, with why */
    assert_int_equal(h.ended, HF_TRAP);
    assert_non_null(strstr((char *)h.result.ptr, "handle 1 was answered from a record"));
    assert_int_equal(hf_instance_set_hook(&world.inst, NULL, NULL), HF_OK);
    expect_trap(call_tramp(use, vals), "handle index 1 (");
    assert_string_equal(events, "before after ");

    /* the table gives another number than the answer says */
    assert_int_equal(hf_instance_set_hook(&world.inst, &the_hook, &h), HF_OK);
    h.before = HF_CLOSED;
    h.answer = hf_view("\7\0\0\0", 4);
    expect_trap(call_tramp(change, vals), "answered with handle 7, but the guest's table gave 1");
    h.answer = hf_view("\0\0\0\0", 4);
    vals[0].u64 = 1;
    expect_trap(call_tramp(change, vals), "handle 0 in a own");
    assert_int_equal(n_dropped, 1); /* nobody's drop was called for a stand-in */
    assert_int_equal(hf_instance_set_hook(&world.inst, NULL, NULL), HF_OK);
    hf_buf_done(&h.args);
    hf_buf_done(&h.result);
}

/* ---- what a host function may ask for ---- */

static enum hf_err asking_fn(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    assert_ptr_equal(hf_call_ctx(call), &world);
    assert_ptr_equal(hf_call_instance(call), &world.inst);
    assert_int_equal(hf_call_handle(call, 0), 0);
    assert_int_equal(hf_call_handle(call, 1), 2);
    assert_int_equal(hf_call_handle(call, 2), 1);
    assert_int_equal(hf_call_handle(call, 3), 0);
    uint8_t *p = hf_call_alloc(call, 1000);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    memset(p, 'z', 1000);
    assert_null(hf_call_alloc(call, world.inst.arena.max));
    if (args[0].len == 1)
        return hf_call_limit(call, "only one");
    if (args[0].len == 2)
        return hf_call_trap(call, "at %d of %s [rule]", 2, "2");
    *result = hf_value_bytes(hf_view(p, 1000));
    return HF_OK;
}

static void host_functions_have_memory_names_and_limits(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {prim(HF_T_STRING),
                                            canon_handle(&world, HF_T_BORROW, &host_r),
                                            canon_handle(&world, HF_T_OWN, &host_r)};
    struct hf_tramp_rt *t =
        lower_host(g, canon_ftype(&world, params, 3, prim(HF_T_STRING)), asking_fn);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = AT}, {.u64 = 0}, {.u64 = 2}, {.u64 = 1}, {.u64 = AT}};
    world.inst.settings.ctx = &world;
    give(g, &host_r, 71, true);
    give(g, &host_r, 72, true);
    assert_int_equal(call_tramp(t, vals), HF_OK);
    const uint32_t want[] = {CANON_HEAP, 1000};
    assert_memory_equal(canon_mem(g, NULL) + AT, want, 8);
    assert_int_equal(canon_mem(g, NULL)[CANON_HEAP + 999], 'z');
    assert_int_equal(world.inst.arena.used, 0); /* given back */

    give(g, &host_r, 71, true);
    vals[1].u64 = 1;
    expect_trap(
        call_tramp(t, vals),
        "test:host/api@1.0.0#[method]pollable.do(p1: handle 2, p2: handle 1): limit: only one");
    give(g, &host_r, 71, true);
    vals[1].u64 = 2;
    expect_trap(call_tramp(t, vals), "(p1: handle 2, p2: handle 1): at 2 of 2 [rule]");

    /* the same by pointer */
    const struct hf_type *many[18] = {prim(HF_T_STRING), params[1], params[2]};
    for (int i = 3; i < 18; i++)
        many[i] = prim(HF_T_U8);
    t = lower_host(g, canon_ftype(&world, many, 18, prim(HF_T_STRING)), asking_fn);
    const uint32_t tuple[] = {AT, 0, 2, give(g, &host_r, 71, true)};
    memcpy(canon_mem(g, NULL) + AT, tuple, sizeof tuple);
    vals[0].u64 = AT;
    vals[1].u64 = AT + 48;
    assert_int_equal(call_tramp(t, vals), HF_OK);
}

/* ---- resource.drop of host resources ---- */

static enum hf_err refuse(struct hf_call *call, void *obj)
{
    assert_int_equal((uintptr_t)obj, 71);
    if (call == NULL) {
        event("end");
        return HF_OK;
    }
    assert_int_equal(hf_call_handle(call, 0), 1);
    return hf_call_trap(call, "it has live children [poll]");
}

static enum hf_err agree(struct hf_call *call, void *obj)
{
    (void)obj;
    assert_non_null(call);
    assert_non_null(hf_call_alloc(call, 100));
    event("dropped");
    return HF_OK;
}

static void h5_dropping_host_resources(void **state)
{
    (void)state;
    static const struct hf_host_resource yes = {"file", agree}, no = {"dir", refuse};
    static const struct hf_resource_type file = {.name = {(const uint8_t *)"file", 4},
                                                 .host = &yes},
                                         dir = {.name = {(const uint8_t *)"dir", 3}, .host = &no};
    struct hf_tramp_rt *drop_file = resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &file),
                       *drop_dir = resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &dir);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = give(g, &file, 5, true)}};
    expect_trap(call_tramp(drop_dir, vals), "handle index 1 used with the wrong type");
    hf_handles_at(&g->ci->handles, 1)->lends = 1;
    expect_trap(call_tramp(drop_file, vals),
                "cannot remove owned resource while borrowed: handle index 1 (file)");
    hf_handles_at(&g->ci->handles, 1)->lends = 0;
    assert_int_equal(call_tramp(drop_file, vals), HF_OK);
    assert_string_equal(events, "dropped ");
    assert_int_equal(world.inst.arena.used, 0);
    expect_trap(call_tramp(drop_file, vals), "unknown handle index 1");

    /* A drop that is refused traps the guest; the object is not lost, it goes when the table does.
     */
    events[0] = '\0';
    vals[0].u64 = give(g, &dir, 71, true);
    expect_trap(call_tramp(drop_dir, vals),
                "[resource-drop]dir(handle 1): it has live children [poll]");
    assert_int_equal(g->ci->handles.live, 1);
    hf_handles_done(&g->ci->handles);
    assert_string_equal(events, "end ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh_host)
    const struct CMUnitTest tests[] = {
        T(c2_flat_arguments_and_result),
        T(c2_nothing_in_nothing_out),
        T(f3_seventeen_parameters_come_by_pointer),
        T(c4_results_go_through_the_out_pointer),
        T(c3_realloc_may_not_call_imports),
        T(v10_a_borrow_is_lent_while_the_host_works),
        T(v9_an_own_argument_belongs_to_the_function),
        T(v9_the_same_handle_twice),
        T(s5_a_handle_of_another_type_is_no_argument),
        T(w6_an_own_result_becomes_a_handle),
        T(the_hook_sees_every_call),
        T(answered_handles_stand_in_for_objects),
        T(a_drop_that_is_answered_or_spoilt),
        T(host_functions_have_memory_names_and_limits),
        T(h5_dropping_host_resources),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
