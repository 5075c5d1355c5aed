/* guest_call_test.c - calls into lifted functions, from the host and from other guests: C1, C5, C6,
 * E1-E3, H3-H7. */
#include "support_calls.h"

static int fresh_guest(void **state)
{
    fresh_calls(state);
    g = &world.guests[1];
    return 0;
}

static const struct hf_type *own_of(const struct hf_resource_type *r)
{
    return canon_handle(&world, HF_T_OWN, r);
}

static const struct hf_type *borrow_of(const struct hf_resource_type *r)
{
    return canon_handle(&world, HF_T_BORROW, r);
}

/* ---- C1: from the host ---- */

/* (string) -> string: answers the same bytes, by pointer to {ptr, len} at 256. */
static enum hf_err echo(void *env, union hf_val *vals)
{
    struct canon_guest *me = env;
    uint32_t pair[2] = {vals[0].u32, vals[1].u32};
    assert_false(me->ci->may_enter);
    assert_true(me->ci->may_leave);
    assert_ptr_equal(world.inst.current, me->ci);
    memcpy(canon_mem(me, NULL) + 256, pair, sizeof pair);
    vals[0].u64 = 256;
    event("core");
    return HF_OK;
}

static enum hf_err spoil_all(void *env, union hf_val *vals)
{
    struct canon_guest *me = env;
    assert_int_equal(vals[0].u32, 256); /* the flat result */
    assert_false(me->ci->may_leave);
    assert_false(me->ci->may_enter);
    memset(canon_mem(me, NULL), 0xff, CANON_PAGE);
    event("post");
    return HF_OK;
}

static void c1_values_are_copied_out_before_post_return(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {prim(HF_T_STRING)};
    struct hf_lift_rt *l =
        make_lift(0, g, canon_ftype(&world, params, 1, prim(HF_T_STRING)), echo, spoil_all);
    struct hf_value args[] = {hf_value_bytes(HF_VIEW("caf\xc3\xa9"))}, result;
    for (int i = 0; i < 2; i++) {
        events[0] = '\0';
        assert_int_equal(hf_canon_call(&world.inst, l, args, &result), HF_OK);
        assert_string_equal(events, "core post ");
        assert_true(hf_view_eq_text(hf_value_view(&result), "caf\xc3\xa9"));
        assert_true(g->ci->may_enter && g->ci->may_leave);
        assert_true(world.cis[0].may_enter);
        assert_null(world.inst.current);
    }
}

static enum hf_err list_of_lists(void *env, union hf_val *vals)
{
    const uint32_t words[] = {264, 2, /* 264: */ 280, 3, 284, 1, /* 280: */ 0x00030201, 9};
    (void)vals;
    memcpy(canon_mem(env, NULL) + 256, words, sizeof words);
    vals[0].u64 = 256;
    return HF_OK;
}

static void c1_lists_too(void **state)
{
    (void)state;
    const struct hf_type *t = canon_list(&world, canon_list(&world, prim(HF_T_U8)));
    struct hf_lift_rt *l =
        make_lift(0, g, canon_ftype(&world, NULL, 0, t), list_of_lists, spoil_all);
    struct hf_value result;
    assert_int_equal(hf_canon_call(&world.inst, l, NULL, &result), HF_OK);
    assert_int_equal(result.len, 2);
    assert_memory_equal(result.items[0].bytes, "\1\2\3", 3);
    assert_memory_equal(result.items[1].bytes, "\11", 1);
}

static enum hf_err add_up(void *env, union hf_val *vals)
{
    (void)env;
    uint64_t sum = 0;
    for (int i = 0; i < 16; i++)
        sum += vals[i].u64;
    vals[0].u64 = sum;
    return HF_OK;
}

static enum hf_err add_up_memory(void *env, union hf_val *vals)
{
    uint64_t sum = 0, n;
    for (int i = 0; i < 17; i++) {
        memcpy(&n, canon_mem(env, NULL) + vals[0].u32 + 8 * i, 8);
        sum += n;
    }
    vals[0].u64 = sum;
    return HF_OK;
}

static void f3_sixteen_flat_seventeen_in_memory(void **state)
{
    (void)state;
    const struct hf_type *params[17];
    struct hf_value args[17], result;
    for (unsigned i = 0; i < 17; i++) {
        params[i] = prim(HF_T_U64);
        args[i] = hf_value_u64(i + 1);
    }
    struct hf_lift_rt *l =
        make_lift(0, g, canon_ftype(&world, params, 16, prim(HF_T_U64)), add_up, NULL);
    assert_int_equal(hf_canon_call(&world.inst, l, args, &result), HF_OK);
    assert_int_equal(result.u64, 136);
    assert_string_equal(canon_log_text(g), "-");
    l = make_lift(0, g, canon_ftype(&world, params, 17, prim(HF_T_U64)), add_up_memory, NULL);
    assert_int_equal(hf_canon_call(&world.inst, l, args, &result), HF_OK);
    assert_int_equal(result.u64, 153);
    assert_string_equal(canon_log_text(g), "0.0.8.136");
}

static enum hf_err nothing(void *env, union hf_val *vals)
{
    (void)env, (void)vals;
    event("core");
    return HF_OK;
}

static enum hf_err bad_pointer(void *env, union hf_val *vals)
{
    (void)env;
    vals[0].u64 = CANON_PAGE - 4;
    return HF_OK;
}

static enum hf_err odd_pointer(void *env, union hf_val *vals)
{
    (void)env;
    vals[0].u64 = 2;
    return HF_OK;
}

static void v8_a_result_pointer_is_checked(void **state)
{
    (void)state;
    struct hf_value result;
    struct hf_ftype *f = canon_ftype(&world, NULL, 0, prim(HF_T_STRING));
    expect_trap(hf_canon_call(&world.inst, make_lift(0, g, f, bad_pointer, NULL), NULL, &result),
                "result: pointer out of bounds of memory");
    fresh_guest(NULL);
    expect_trap(hf_canon_call(&world.inst, make_lift(0, g, f, odd_pointer, NULL), NULL, &result),
                "unaligned pointer");
}

static void c1_borrows_must_be_gone(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {borrow_of(&host_r), own_of(&host_r)};
    struct hf_value args[] = {hf_value_u64(71), hf_value_u64(72)};
    struct hf_lift_rt *l = make_lift(0, g, canon_ftype(&world, params, 2, NULL), nothing, nothing);
    expect_trap(hf_canon_call(&world.inst, l, args, NULL),
                "borrow handles still remain at the end of the call: 1 in component instance 1");
    assert_string_equal(events, "core "); /* no post-return */
    assert_int_equal(g->ci->handles.live, 2);
    assert_int_equal(n_dropped, 0);
}

static struct hf_tramp_rt *called;
static enum hf_err call_it(void *env, union hf_val *vals)
{
    (void)env;
    event("core");
    return call_tramp(called, vals);
}

static void h5_dropping_a_borrow_ends_it(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {borrow_of(&host_r)};
    struct hf_value args[] = {hf_value_u64(71)};
    struct hf_lift_rt *l = make_lift(0, g, canon_ftype(&world, params, 1, NULL), call_it, NULL);
    called = resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &host_r);
    assert_int_equal(hf_canon_call(&world.inst, l, args, NULL), HF_OK);
    assert_int_equal(g->ci->handles.live, 0);
    assert_int_equal(n_dropped, 0); /* the owner's business */
}

static enum hf_err fail_here(void *env, union hf_val *vals)
{
    (void)env, (void)vals;
    event("core");
    return hf_canon_trap(&world.inst, "wasm `unreachable` instruction executed");
}

static void own_arguments_are_dropped_when_they_do_not_arrive(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {own_of(&host_r), canon_list(&world, own_of(&host_r)),
                                            prim(HF_T_CHAR)};
    struct hf_value list[] = {hf_value_u64(72), hf_value_u64(73)};
    struct hf_value args[] = {hf_value_u64(71), {.items = list, .len = 2}, hf_value_u64('x')};
    struct hf_ftype *f = canon_ftype(&world, params, 3, NULL);
    struct hf_lift_rt *l = make_lift(0, g, f, fail_here, NULL);

    g->ci->handles.max = 2; /* half-way */
    expect_trap(hf_canon_call(&world.inst, l, args, NULL), "handle table is full");
    assert_int_equal(n_dropped, 1);
    assert_int_equal(dropped[0], 73);
    assert_int_equal(g->ci->handles.live, 2);
    assert_string_equal(events, "");

    fresh_guest(NULL); /* not even begun */
    l = make_lift(0, g, f, fail_here, NULL);
    g->ci->may_enter = false;
    expect_trap(hf_canon_call(&world.inst, l, args, NULL), "cannot enter component instance 1");
    assert_int_equal(n_dropped, 3);
    assert_true(world.cis[0].may_enter); /* nothing changed */

    fresh_guest(NULL); /* arrived: the table owns them */
    l = make_lift(0, g, f, fail_here, NULL);
    expect_trap(hf_canon_call(&world.inst, l, args, NULL), "unreachable");
    assert_int_equal(n_dropped, 0);
    assert_int_equal(g->ci->handles.live, 3);
    assert_false(g->ci->may_enter); /* E3: the tree is dead, flags stay */
}

static enum hf_err two_owns(void *env, union hf_val *vals)
{
    const uint32_t words[] = {1, 2};
    (void)vals;
    memcpy(canon_mem(env, NULL) + 256, words, sizeof words);
    vals[0].u64 = 256;
    return HF_OK;
}

static void own_results_are_dropped_when_the_call_fails_after_all(void **state)
{
    (void)state;
    const struct hf_type *const two[] = {own_of(&host_r), own_of(&host_r)};
    struct hf_ftype *f = canon_ftype(&world, NULL, 0, canon_compound(&world, HF_T_TUPLE, two, 2));
    struct hf_value result;
    give(g, &host_r, 71, true);
    give(g, &host_r, 72, true);
    assert_int_equal(
        hf_canon_call(&world.inst, make_lift(0, g, f, two_owns, nothing), NULL, &result), HF_OK);
    assert_int_equal(result.items[0].u64, 71);
    assert_int_equal(result.items[1].u64, 72);
    assert_int_equal(g->ci->handles.live, 0);
    assert_int_equal(n_dropped, 0);

    fresh_guest(NULL); /* post-return traps */
    give(g, &host_r, 71, true);
    give(g, &host_r, 72, true);
    expect_trap(hf_canon_call(&world.inst, make_lift(0, g, f, two_owns, fail_here), NULL, &result),
                "unreachable");
    assert_int_equal(n_dropped, 2);

    fresh_guest(NULL); /* the second is no handle */
    give(g, &host_r, 71, true);
    expect_trap(hf_canon_call(&world.inst, make_lift(0, g, f, two_owns, NULL), NULL, &result),
                "result: unknown handle index 2");
    assert_int_equal(n_dropped, 1);
    assert_int_equal(dropped[0], 71);
}

/* ---- C6: between guests ---- */

/* The callee of most tests below is guest 2, the caller guest 1. */
static void c6_strings_between_encodings(void **state)
{
    (void)state;
    struct canon_guest *callee = &world.guests[2];
    const struct hf_type *const params[] = {prim(HF_T_STRING)};
    callee->rt.enc = HF_ENC_UTF16;
    make_lift(0, callee, canon_ftype(&world, params, 1, prim(HF_T_STRING)), echo, nothing);
    struct hf_tramp_rt *t = lower_guest(g, 0);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 100}, {.u64 = 5}, {.u64 = AT}};
    memcpy(canon_mem(g, NULL) + 100, "caf\xc3\xa9", 5);
    g->ci->may_enter = world.cis[0].may_enter = false; /* it runs */
    world.inst.current = g->ci;
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_ptr_equal(world.inst.current, g->ci);
    assert_string_equal(canon_log_text(callee), "0.0.2.10;608.10.2.8");      /* utf8 -> utf16 */
    assert_string_equal(canon_log_text(g), "0.0.1.4;608.4.1.12;612.12.1.5"); /* utf16 -> utf8 */
    const uint32_t want[] = {624, 5};
    assert_memory_equal(canon_mem(g, NULL) + AT, want, 8);
    assert_memory_equal(canon_mem(g, NULL) + 624, "caf\xc3\xa9", 5);
    assert_int_equal(world.inst.arena.used, 0); /* nothing was copied on the way */
    assert_true(callee->ci->may_enter);
    assert_false(world.cis[0].may_enter);
}

static enum hf_err note_realloc(struct canon_guest *who)
{
    event(who->ctx);
    return HF_OK;
}

/* Results reach the caller before the callee cleans up: the order of the specification. */
static union hf_val passed[16], answered;
static enum hf_err keep_flat(void *env, union hf_val *vals)
{
    (void)env;
    memcpy(passed, vals, sizeof passed);
    vals[0] = answered;
    return HF_OK;
}

/* Functions of numbers go the short way (hf_ftype.plain), and arrive as the long one leaves them.
 */
static void c6_numbers_are_made_canonical_on_the_way(void **state)
{
    (void)state;
    static const struct {
        enum hf_type_kind kind;
        uint64_t from, to;
    } rows[] = {
        {HF_T_BOOL, 2, 1},
        {HF_T_U8, 0x1ff, 0xff},
        {HF_T_S8, 0x80, 0xffffff80},
        {HF_T_U16, 0x12345, 0x2345},
        {HF_T_S16, 0xffff8000, 0xffff8000},
        {HF_T_U32, UINT64_C(0x5ffffffff), 0xffffffff},
        {HF_T_S64, UINT64_MAX, UINT64_MAX},
        {HF_T_F32, 0x7f800001, 0x7fc00000},
        {HF_T_F64, UINT64_MAX, UINT64_C(0x7ff8000000000000)},
        {HF_T_CHAR, 0x10ffff, 0x10ffff},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        const struct hf_type *t = prim(rows[i].kind);
        const struct hf_ftype *f = canon_ftype(&world, &t, 1, t);
        assert_true(f->plain);
        make_lift(0, &world.guests[2], f, keep_flat, NULL);
        struct hf_tramp_rt *tramp = lower_guest(g, 0);
        union hf_val vals[HF_FLAT_MAX] = {{.u64 = rows[i].from}};
        answered.u64 = rows[i].from;
        assert_int_equal(call_tramp(tramp, vals), HF_OK);
        assert_true(passed[0].u64 == rows[i].to);
        assert_true(vals[0].u64 == rows[i].to);
        n_tramps = 0;
    }
    const struct hf_type *t = prim(HF_T_CHAR);
    make_lift(0, &world.guests[2], canon_ftype(&world, &t, 1, t), keep_flat, NULL);
    struct hf_tramp_rt *tramp = lower_guest(g, 0);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 0xd800}};
    expect_trap(call_tramp(tramp, vals), "argument 1 (p0): invalid `char` bit pattern 0xd800 [V4]");
    world.guests[2].ci->may_enter = world.cis[0].may_enter = true; /* dead, but for this test */
    vals[0].u64 = 'a';
    answered.u64 = 0x110000;
    expect_trap(call_tramp(tramp, vals), "result: invalid `char` bit pattern 0x110000 [V4]");
}

static void c6_result_then_post_return(void **state)
{
    (void)state;
    struct canon_guest *callee = &world.guests[2];
    const struct hf_type *const params[] = {prim(HF_T_STRING)};
    char in[] = "callee-realloc", out[] = "caller-realloc";
    make_lift(0, callee, canon_ftype(&world, params, 1, prim(HF_T_STRING)), echo, spoil_all);
    struct hf_tramp_rt *t = lower_guest(g, 0);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 100}, {.u64 = 3}, {.u64 = AT}};
    memcpy(canon_mem(g, NULL) + 100, "abc", 3);
    callee->ctx = in;
    g->ctx = out;
    callee->during = g->during = note_realloc;
    world.inst.current = g->ci;
    g->ci->may_enter = world.cis[0].may_enter = false;
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_string_equal(events, "callee-realloc core caller-realloc post ");
    assert_memory_equal(canon_mem(g, NULL) + CANON_HEAP, "abc", 3);
}

/* A component that calls itself: its realloc could write over the argument it has not read yet. */
static enum hf_err overwrite_argument(struct canon_guest *who)
{
    memset(canon_mem(who, NULL) + 100, '!', 8);
    return HF_OK;
}

static void c6_same_instance_on_both_sides(void **state)
{
    (void)state;
    const struct hf_type *const params[] = {prim(HF_T_STRING)};
    make_lift(0, g, canon_ftype(&world, params, 1, prim(HF_T_STRING)), echo, NULL);
    struct hf_tramp_rt *t = lower_guest(g, 0);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 100}, {.u64 = 3}, {.u64 = AT}};
    memcpy(canon_mem(g, NULL) + 100, "abc", 3);
    g->during = overwrite_argument;
    g->ci->may_enter = world.cis[0].may_enter = false;
    world.inst.current = g->ci;
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_memory_equal(canon_mem(g, NULL) + CANON_HEAP, "abc", 3);
    assert_memory_equal(canon_mem(g, NULL) + CANON_HEAP + 3, "abc", 3);
    assert_int_equal(world.inst.arena.used, 0);
}

static enum hf_err see_handles(void *env, union hf_val *vals)
{
    struct canon_guest *me = env;
    char text[64];
    const struct hf_handle *h = hf_handles_at(&me->ci->handles, vals[1].u32);
    snprintf(text, sizeof text, "rep=%u own=%u:%u", vals[0].u32, vals[1].u32,
             h == NULL ? 0 : (unsigned)h->rep);
    event(text);
    assert_int_equal(hf_handles_at(&world.guests[1].ci->handles, 1)->lends, 1);
    vals[0].u64 = vals[1].u64;
    return HF_OK;
}

/* Guest 2 gets a borrow and an own of a resource that guest 1 defines, or defines itself. */
static void c6_w7_h6_resources_cross_by_identity(void **state)
{
    (void)state;
    struct canon_guest *caller = g, *callee = &world.guests[2];
    static const struct hf_resource_type theirs = {
        .name = {(const uint8_t *)"theirs", 6}, .index = 2, .ci = 2};
    const struct hf_type *const params[] = {borrow_of(&theirs), own_of(&guest_r)};
    make_lift(0, callee, canon_ftype(&world, params, 2, own_of(&guest_r)), see_handles, NULL);
    struct hf_tramp_rt *t = lower_guest(caller, 0);
    give(caller, &theirs, 1234, true);
    give(caller, &guest_r, 77, true);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 1}, {.u64 = 2}};
    caller->ci->may_enter = world.cis[0].may_enter = false;
    world.inst.current = caller->ci;
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_string_equal(events,
                        "rep=1234 own=1:77 "); /* the definer of `theirs` gets the rep itself */
    assert_int_equal(vals[0].u64, 2); /* back in the caller, at the index that was freed last */
    assert_int_equal(hf_handles_at(&caller->ci->handles, 2)->rep, 77);
    assert_int_equal(hf_handles_at(&caller->ci->handles, 1)->lends, 0);
    assert_int_equal(callee->ci->handles.live, 0);

    vals[0].u64 = 2; /* the wrong way round */
    vals[1].u64 = 1;
    expect_trap(call_tramp(t, vals), "call of a function from component instance 1 to 2: argument "
                                     "1 (p0): handle index 2 used with "
                                     "the wrong type");
}

static struct hf_tramp_rt *used, *dropped_by_owner;
static bool owner_drops;

static enum hf_err use_what_is_lent(void *env, union hf_val *vals)
{
    struct canon_guest *me = env;
    assert_false(world.guests[1].ci->may_enter); /* the owner runs no code meanwhile */
    assert_int_equal(hf_handles_at(&world.guests[1].ci->handles, 1)->lends, 1);
    assert_false(hf_handles_at(&me->ci->handles, vals[0].u32)->own);
    union hf_val mine[HF_FLAT_MAX] = {{.u64 = vals[0].u32}};
    enum hf_err err = call_tramp(used, mine);
    event("used");
    if (err != HF_OK)
        return err;
    mine[0].u64 = 1; /* as the owner would have to be entered for */
    return owner_drops ? call_tramp(dropped_by_owner, mine)
                       : call_tramp(resource_tramp(me, HF_TRAMP_RESOURCE_DROP, &host_r), vals);
}

static enum hf_err look_at_object(struct hf_call *call, const struct hf_value *args,
                                  struct hf_value *result)
{
    (void)call, (void)result;
    assert_int_equal((uintptr_t)args[0].obj, 71);
    assert_int_equal(n_dropped, 0);
    return HF_OK;
}

/* Guest 1 lends a host's object to guest 2, whose calls of the host work with it. Nobody takes it
 * away meanwhile: not guest 2, whose drop ends its own handle only, and not the owner's table. */
static void v10_what_is_lent_to_another_guest_stays(void **state)
{
    (void)state;
    struct canon_guest *callee = &world.guests[2];
    const struct hf_type *const params[] = {borrow_of(&host_r)};
    make_lift(0, callee, canon_ftype(&world, params, 1, NULL), use_what_is_lent, NULL);
    struct hf_tramp_rt *t = lower_guest(g, 0);
    used = lower_host(callee, canon_ftype(&world, params, 1, NULL), look_at_object);
    dropped_by_owner = resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &host_r);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = give(g, &host_r, 71, true)}};
    g->ci->may_enter = world.cis[0].may_enter = false;
    world.inst.current = g->ci;
    owner_drops = false;
    assert_int_equal(call_tramp(t, vals), HF_OK);
    assert_string_equal(events, "used ");
    assert_int_equal(n_dropped, 0);
    assert_int_equal(hf_handles_at(&g->ci->handles, 1)->lends, 0);

    owner_drops = true;
    vals[0].u64 = 1;
    expect_trap(call_tramp(t, vals),
                "cannot remove owned resource while borrowed: handle index 1 (pollable) [H5]");
    assert_int_equal(n_dropped, 0);
}

static void c6_host_objects_on_the_way_are_not_lost(void **state)
{
    (void)state;
    struct canon_guest *callee = &world.guests[2];
    const struct hf_type *own = own_of(&host_r);
    const struct hf_type *const params[] = {own, own};
    make_lift(0, callee, canon_ftype(&world, params, 2, NULL), nothing, NULL);
    struct hf_tramp_rt *t = lower_guest(g, 0);
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = give(g, &host_r, 71, true)},
                                      {.u64 = give(g, &host_r, 72, true)}};
    callee->ci->handles.max = 1;
    g->ci->may_enter = world.cis[0].may_enter = false;
    expect_trap(call_tramp(t, vals), "handle table is full");
    assert_int_equal(n_dropped, 1);
    assert_int_equal(dropped[0], 72);
    assert_int_equal(callee->ci->handles.live, 1);
    assert_int_equal(g->ci->handles.live, 0);
}

static void c2_no_leaving_from_post_return(void **state)
{
    (void)state;
    struct canon_guest *callee = &world.guests[2];
    const struct hf_ftype *none = canon_ftype(&world, NULL, 0, NULL);
    make_lift(0, callee, none, nothing, NULL);
    called = lower_guest(g, 0);
    struct hf_lift_rt *l = make_lift(1, g, none, nothing, call_it);
    expect_trap(hf_canon_call(&world.inst, l, NULL, NULL), "cannot leave component instance 1");
    assert_string_equal(events, "core core ");
}

/* ---- E1, E2 ---- CI 0 is the root, 1 and 2 its children, 3 a child of 1. */

static void e1_what_is_entered(void **state)
{
    (void)state;
    struct hf_ci *ci = world.cis;
    const struct {
        int to, from;
        const char *after; /* may_enter of 0..3 */
    } rows[] = {
        {0, -1, "0111"}, {1, -1, "0011"}, {3, -1, "0010"}, {2, 1, "1101"}, {3, 1, "1110"},
        {1, 3, "1111"},  {3, 2, "1010"},  {1, 1, "1111"},  {0, 3, "1111"}, {2, 3, "1101"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_ci *from = rows[i].from < 0 ? NULL : &ci[rows[i].from];
        assert_true(hf_ci_enter(&ci[rows[i].to], from));
        for (int k = 0; k < 4; k++)
            assert_true(ci[k].may_enter == (rows[i].after[k] == '1'));
        hf_ci_leave(&ci[rows[i].to], from);
        for (int k = 0; k < 4; k++)
            assert_true(ci[k].may_enter);
    }
}

static void e1_e2_nobody_is_entered_twice(void **state)
{
    (void)state;
    struct hf_ci *ci = world.cis;
    assert_true(hf_ci_enter(&ci[1], NULL));    /* host -> 1 */
    assert_true(hf_ci_enter(&ci[2], &ci[1]));  /* 1 -> 2 */
    assert_false(hf_ci_enter(&ci[1], &ci[2])); /* 2 -> 1: recursion */
    assert_false(hf_ci_enter(&ci[3], &ci[2])); /* 2 -> 3: through 1 */
    assert_false(hf_ci_enter(&ci[0], NULL));   /* E2: host -> root in the middle of a call */
    assert_true(
        hf_ci_enter(&ci[0], &ci[2])); /* a donut: the parent is an ancestor already entered */
    assert_false(ci[0].may_enter || ci[1].may_enter || ci[2].may_enter);
    assert_true(ci[3].may_enter); /* a refused entry changes nothing */
    hf_ci_leave(&ci[2], &ci[1]);
    hf_ci_leave(&ci[1], NULL);
    for (int k = 0; k < 4; k++)
        assert_true(ci[k].may_enter);
}

static void e1_recursion_between_guests_traps(void **state)
{
    (void)state;
    struct canon_guest *callee = &world.guests[2];
    const struct hf_ftype *none = canon_ftype(&world, NULL, 0, NULL);
    static struct hf_tramp_rt *back;
    struct hf_lift_rt *first = make_lift(0, g, none, call_it, NULL);
    back = lower_guest(callee, 0);
    make_lift(1, callee, none, nothing, NULL);
    called = back; /* what guest 1 calls: itself, through guest 2's import */
    expect_trap(hf_canon_call(&world.inst, first, NULL, NULL), "cannot enter component instance 1");
}

/* ---- H3-H7: guest resources ---- */

static uint32_t destroyed;
static enum hf_err dtor(void *env, union hf_val *vals)
{
    struct canon_guest *me = env;
    destroyed = vals[0].u32;
    assert_ptr_equal(world.inst.current, me->ci);
    event("dtor");
    return HF_OK;
}

static void define(struct canon_guest *owner, const struct hf_resource_type *r, hf_import_fn fn)
{
    static const enum hf_core_type i32[] = {HF_I32};
    static const struct hf_functype t = {1, 0, i32, NULL};
    world.resources[r->index].has_dtor = fn != NULL;
    if (fn != NULL)
        world.resources[r->index].dtor = core_fn(&t, fn, owner);
}

static void h3_h4_h5_new_rep_drop_at_home(void **state)
{
    (void)state;
    struct hf_tramp_rt *make = resource_tramp(g, HF_TRAMP_RESOURCE_NEW, &guest_r),
                       *rep = resource_tramp(g, HF_TRAMP_RESOURCE_REP, &guest_r),
                       *drop = resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &guest_r),
                       *other_rep = resource_tramp(g, HF_TRAMP_RESOURCE_REP, &other_r);
    define(g, &guest_r, dtor);
    union hf_val vals[HF_FLAT_MAX];
    for (uint32_t i = 1; i <= 3; i++) {
        vals[0].u64 = 0xfffffff0 + i;
        assert_int_equal(call_tramp(make, vals), HF_OK);
        assert_int_equal(vals[0].u64, i);
        assert_int_equal(call_tramp(rep, vals), HF_OK);
        assert_int_equal(vals[0].u64, 0xfffffff0 + i);
    }
    vals[0].u64 = 2;
    expect_trap(call_tramp(other_rep, vals),
                "handle index 2 used with the wrong type, expected guest-defined resource "
                "but found a different guest-defined resource");
    vals[0].u64 = 4;
    expect_trap(call_tramp(rep, vals), "unknown handle index 4");

    /* Its own destructor needs no entering: the guest is inside already. */
    world.cis[0].may_enter = g->ci->may_enter = false;
    vals[0].u64 = 2;
    assert_int_equal(call_tramp(drop, vals), HF_OK);
    assert_int_equal(destroyed, 0xfffffff2);
    assert_string_equal(events, "dtor ");
    vals[0].u64 = 2;
    expect_trap(call_tramp(drop, vals), "unknown handle index 2");
    hf_handles_at(&g->ci->handles, 1)->lends = 1;
    vals[0].u64 = 1;
    expect_trap(call_tramp(drop, vals), "cannot remove owned resource while borrowed");
    g->ci->handles.max = 3;
    vals[0].u64 = 9;
    assert_int_equal(call_tramp(make, vals), HF_OK);
    assert_int_equal(vals[0].u64, 2);
    expect_trap(call_tramp(make, vals), "limit: the handle table is full");
}

static void h5_a_drop_enters_the_definer(void **state)
{
    (void)state;
    struct canon_guest *dropper = &world.guests[2];
    struct hf_tramp_rt *drop = resource_tramp(dropper, HF_TRAMP_RESOURCE_DROP, &guest_r);
    union hf_val vals[HF_FLAT_MAX];
    define(g, &guest_r, dtor);
    world.cis[0].may_enter = dropper->ci->may_enter = false; /* guest 2 runs */
    world.inst.current = dropper->ci;
    vals[0].u64 = give(dropper, &guest_r, 55, true);
    assert_int_equal(call_tramp(drop, vals), HF_OK);
    assert_int_equal(destroyed, 55);
    assert_true(g->ci->may_enter);
    assert_ptr_equal(world.inst.current, dropper->ci);

    g->ci->may_enter = false; /* guest 1 called guest 2 */
    vals[0].u64 = give(dropper, &guest_r, 56, true);
    expect_trap(call_tramp(drop, vals), "cannot enter component instance 1");
    define(g, &guest_r, NULL); /* the same without a destructor */
    vals[0].u64 = give(dropper, &guest_r, 57, true);
    expect_trap(call_tramp(drop, vals), "cannot enter component instance 1");
    g->ci->may_enter = true;
    vals[0].u64 = give(dropper, &guest_r, 58, true);
    assert_int_equal(call_tramp(drop, vals), HF_OK);
    assert_int_equal(destroyed, 55);
}

static void h7_the_host_drops_what_it_got(void **state)
{
    (void)state;
    define(g, &guest_r, dtor);
    assert_int_equal(hf_canon_drop_own(&world.inst, NULL, &guest_r, 66, NULL), HF_OK);
    assert_int_equal(destroyed, 66);
    assert_true(g->ci->may_enter && world.cis[0].may_enter);
    assert_int_equal(hf_canon_drop_own(&world.inst, NULL, &host_r, 67, NULL), HF_OK);
    assert_int_equal(dropped[0], 67);
    define(g, &guest_r, fail_here);
    expect_trap(hf_canon_drop_own(&world.inst, NULL, &guest_r, 68, NULL), "unreachable");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh_guest)
    const struct CMUnitTest tests[] = {
        T(c1_values_are_copied_out_before_post_return),
        T(c1_lists_too),
        T(f3_sixteen_flat_seventeen_in_memory),
        T(v8_a_result_pointer_is_checked),
        T(c1_borrows_must_be_gone),
        T(h5_dropping_a_borrow_ends_it),
        T(own_arguments_are_dropped_when_they_do_not_arrive),
        T(own_results_are_dropped_when_the_call_fails_after_all),
        T(c6_strings_between_encodings),
        T(c6_numbers_are_made_canonical_on_the_way),
        T(c6_result_then_post_return),
        T(c6_same_instance_on_both_sides),
        T(c6_w7_h6_resources_cross_by_identity),
        T(v10_what_is_lent_to_another_guest_stays),
        T(c6_host_objects_on_the_way_are_not_lost),
        T(c2_no_leaving_from_post_return),
        T(e1_what_is_entered),
        T(e1_e2_nobody_is_entered_twice),
        T(e1_recursion_between_guests_traps),
        T(h3_h4_h5_new_rep_drop_at_home),
        T(h5_a_drop_enters_the_definer),
        T(h7_the_host_drops_what_it_got),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
