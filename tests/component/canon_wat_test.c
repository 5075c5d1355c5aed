/* canon_wat_test.c - the canonical ABI with guests that are real wasm, on the fiber: traps on both
 * sides, blocking host functions, cancelling, a realloc that spins or recurses, exceptions (C5,
 * S13, S16, E3).
 */
#include <signal.h>

#include "support_calls.h"

/* The engine turns these signals of guest code into traps; cmocka takes them for itself before each
 * test. The engine's handlers are noted when it has set them, once in a process, and put back where
 * guests run. */
static const int signals[] = {SIGILL, SIGFPE, SIGSEGV, SIGBUS};
static struct sigaction engine_actions[HF_ARRAY_LEN(signals)];
static bool noted;

static void note_signals(void)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(signals) && !noted; i++)
        sigaction(signals[i], NULL, &engine_actions[i]);
    noted = true;
}

static void use_signals(void)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(signals); i++)
        sigaction(signals[i], &engine_actions[i], NULL);
}

static struct hf_module *modules[16];
static unsigned n_modules;

/* A core instance of `wat`; its imports are `imports`, in order. */
static struct hf_core instance(const char *wat, const struct hf_func *imports, size_t n)
{
    struct hf_store *store = world.inst.store;
    struct hf_report report = {0};
    struct hf_buf wasm = {0};
    struct hf_extern externs[4];
    struct hf_core core;
    assert_true(n_modules < HF_ARRAY_LEN(modules) && n <= HF_ARRAY_LEN(externs));
    struct hf_module **m = &modules[n_modules++];
    if (hf_engine_wat(wat, strlen(wat), &wasm, &report) != HF_OK ||
        hf_module_load(hf_store_engine(store), hf_buf_view(&wasm), NULL, m, NULL, &report) != HF_OK)
        fail_msg("%s", report.text);
    hf_buf_done(&wasm);
    for (size_t i = 0; i < n; i++)
        hf_extern_of_func(&imports[i], &externs[i]);
    if (hf_core_new(store, *m, externs, n, &core, &report) != HF_OK)
        fail_msg("%s", report.text);
    return core;
}

static struct hf_func func_of(const struct hf_core *core, const char *name)
{
    struct hf_extern e;
    struct hf_func f;
    assert_true(hf_core_export(world.inst.store, core, hf_view_of(name), &e) &&
                hf_extern_func(&e, &f));
    return f;
}

/* canon lift of a core function, into the memory of guest `owner`. */
static struct hf_lift_rt *lift_core(struct canon_guest *owner, const struct hf_ftype *type,
                                    struct hf_func f)
{
    struct hf_lift_rt *l = make_lift(0, owner, type, NULL, NULL);
    l->func = f;
    return l;
}

static struct job {
    struct hf_lift_rt *l;
    struct hf_value args[4], result;
    unsigned polls, slices;
} job;

static enum hf_err drive(void *ctx)
{
    struct job *j = ctx;
    return hf_canon_call(&world.inst, j->l, j->args, &j->result);
}

/* Runs the call to its end, at most `max` polls. */
static enum hf_err run(struct hf_lift_rt *l, struct hf_value arg, unsigned max)
{
    struct hf_store *store = world.inst.store;
    enum hf_err err = HF_AGAIN;
    job = (struct job){.l = l, .args = {arg}};
    use_signals();
    assert_int_equal(hf_store_start(store, drive, &job), HF_OK);
    while (err == HF_AGAIN && job.polls < max) {
        err = hf_store_poll(store);
        job.polls++;
        job.slices += err == HF_AGAIN && hf_store_why(store) == HF_WHY_SLICE;
    }
    return err;
}

/* A store per test: a trap kills it. */
static int open_wat(void **state)
{
    open_world(state);
    note_signals();
    fresh_calls(state);
    g = &world.guests[1];
    n_modules = 0;
    return 0;
}

static int close_wat(void **state)
{
    close_world(state);
    for (unsigned i = 0; i < n_modules; i++)
        hf_module_unref(modules[i]);
    return 0;
}

/* ---- host functions ---- */

static enum hf_err add(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call;
    result->u64 = args[0].u64 + args[1].u64;
    return HF_OK;
}

static enum hf_err refuse(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    (void)result;
    return hf_call_trap(call, "%u and %u may not meet [T9]", (unsigned)args[0].u64,
                        (unsigned)args[1].u64);
}

static unsigned blocks;
static enum hf_err wait_twice(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    for (int i = 0; i < 2; i++) {
        blocks++;
        enum hf_err err = hf_call_block(call);
        if (err != HF_OK) {
            event(hf_err_text(err));
            return err;
        }
    }
    return add(call, args, result);
}

static const char adder[] = "(module (import \"h\" \"f\" (func $f (param i32 i32) (result i32)))"
                            " (func (export \"go\") (param i32) (result i32)"
                            "  (call $f (local.get 0) (i32.const 2))))";

static struct hf_lift_rt *with_import(hf_host_fn fn)
{
    const struct hf_type *const two[] = {prim(HF_T_U32), prim(HF_T_U32)};
    struct hf_tramp_rt *t = lower_host(g, canon_ftype(&world, two, 2, prim(HF_T_U32)), fn);
    struct hf_core core = instance(adder, &t->func, 1);
    return lift_core(g, canon_ftype(&world, two, 1, prim(HF_T_U32)), func_of(&core, "go"));
}

static void t9_wasm_calls_the_host(void **state)
{
    (void)state;
    assert_int_equal(run(with_import(add), hf_value_u64(40), 1), HF_OK);
    assert_int_equal(job.result.u64, 42);
    assert_int_equal(job.polls, 1);
}

static void a_host_trap_is_told_with_its_place(void **state)
{
    (void)state;
    enum hf_err err = run(with_import(refuse), hf_value_u64(40), 1);
    const char *text = hf_store_report(world.inst.store)->text;
    assert_int_equal(err, HF_TRAP);
    assert_non_null(
        strstr(text, "test:host/api@1.0.0#[method]pollable.do: 40 and 2 may not meet [T9]"));
    assert_false(g->ci->may_enter); /* E3: dead as it is */
}

static void t2_a_host_function_blocks_in_the_middle(void **state)
{
    (void)state;
    blocks = 0;
    assert_int_equal(run(with_import(wait_twice), hf_value_u64(1), 5), HF_OK);
    assert_int_equal(job.polls, 3);
    assert_int_equal(blocks, 2);
    assert_int_equal(job.result.u64, 3);
    assert_true(g->ci->may_enter);
}

static void cancelling_unwinds_a_blocked_call(void **state)
{
    (void)state;
    blocks = 0;
    assert_int_equal(run(with_import(wait_twice), hf_value_u64(1), 1), HF_AGAIN);
    hf_store_cancel(world.inst.store);
    assert_int_equal(blocks, 1);
    assert_string_equal(events, "cancelled ");
    assert_false(hf_store_running(world.inst.store));
}

/* ---- guests that misbehave ---- */

static const struct hf_type *strings(void)
{
    return prim(HF_T_STRING);
}

/* The guest's realloc is `body`, its function takes a string. */
static struct hf_lift_rt *with_realloc(const char *body)
{
    static char wat[1024];
    const struct hf_type *const params[] = {strings()};
    snprintf(
        wat, sizeof wat,
        "(module (tag $t) (func $r (export \"realloc\") (param i32 i32 i32 i32) (result i32) %s)"
        " (func (export \"go\") (param i32 i32)))",
        body);
    struct hf_core core = instance(wat, NULL, 0);
    struct hf_lift_rt *l = lift_core(g, canon_ftype(&world, params, 1, NULL), func_of(&core, "go"));
    l->opts.realloc = func_of(&core, "realloc");
    return l;
}

static void realloc_that_traps(void **state)
{
    (void)state;
    struct hf_value v = hf_value_bytes(HF_VIEW("x"));
    assert_int_equal(run(with_realloc("unreachable"), v, 1), HF_TRAP);
    assert_non_null(strstr(hf_store_report(world.inst.store)->text, "unreachable"));
}

static void s13_realloc_that_recurses_without_end(void **state)
{
    (void)state;
    struct hf_value v = hf_value_bytes(HF_VIEW("x"));
    const char *body =
        "(call $r (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.add (i32.const 1))";
    assert_int_equal(run(with_realloc(body), v, 1), HF_TRAP);
    assert_non_null(strstr(hf_store_report(world.inst.store)->text, "stack"));
}

/* A realloc that never answers is a guest that computes too long: it yields, and can be ended. */
static void s16_realloc_that_spins(void **state)
{
    (void)state;
    struct hf_value v = hf_value_bytes(HF_VIEW("x"));
    assert_int_equal(run(with_realloc("(loop $l (br $l)) (i32.const 0)"), v, 3), HF_AGAIN);
    assert_int_equal(job.slices, 3);
    hf_store_cancel(world.inst.store);
    assert_true(hf_store_dead(world.inst.store));
}

/* C5 */
static void c5_an_uncaught_exception_is_a_trap(void **state)
{
    (void)state;
    struct hf_value v = hf_value_bytes(HF_VIEW("x"));
    assert_int_equal(run(with_realloc("(throw $t)"), v, 1), HF_TRAP);
    assert_true(hf_store_report(world.inst.store)->len > 0);
}

/* ---- the same through two components ---- */

/* Guest 1 gets a string from the host, asks guest 2 for its upper case, answers that. */
static enum hf_err upper(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    uint8_t *out = hf_call_alloc(call, args[0].len);
    if (out == NULL)
        return hf_call_limit(call, "text");
    for (uint32_t i = 0; i < args[0].len; i++)
        out[i] = (uint8_t)(args[0].bytes[i] -
                           ('a' <= args[0].bytes[i] && args[0].bytes[i] <= 'z' ? 32 : 0));
    *result = hf_value_bytes(hf_view(out, args[0].len));
    return hf_call_block(call);
}

static const char passer[] =
    "(module (import \"h\" \"f\" (func $f (param i32 i32 i32)))"
    " (func (export \"go\") (param i32 i32) (result i32)"
    "  (call $f (local.get 0) (local.get 1) (i32.const 256)) (i32.const 256)))";

static void c6_host_guest_guest_host_and_back(void **state)
{
    (void)state;
    struct canon_guest *inner = &world.guests[2];
    const struct hf_type *const params[] = {strings()};
    struct hf_ftype *f = canon_ftype(&world, params, 1, strings());
    inner->rt.enc = HF_ENC_UTF16;
    struct hf_tramp_rt *to_host = lower_host(inner, f, upper);
    struct hf_core inner_core = instance(passer, &to_host->func, 1);
    struct hf_lift_rt *l = make_lift(1, inner, f, NULL, NULL);
    l->func = func_of(&inner_core, "go");
    struct hf_tramp_rt *to_inner = lower_guest(g, 1);
    struct hf_core outer_core = instance(passer, &to_inner->func, 1);
    struct hf_value v = hf_value_bytes(HF_VIEW("stra\xc3\x9f"
                                               "e"));
    for (int i = 0; i < 3; i++) {
        hf_arena_reset(&world.inst.arena);
        assert_int_equal(run(lift_core(g, f, func_of(&outer_core, "go")), v, 2), HF_OK);
        assert_int_equal(job.polls, 2);
        assert_true(hf_view_eq_text(hf_value_view(&job.result), "STRA\xc3\x9f"
                                                                "E"));
    }
    for (int i = 0; i < CANON_GUESTS; i++)
        assert_true(world.cis[i].may_enter && world.cis[i].may_leave);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_wat, close_wat)
    const struct CMUnitTest tests[] = {
        T(t9_wasm_calls_the_host),
        T(a_host_trap_is_told_with_its_place),
        T(t2_a_host_function_blocks_in_the_middle),
        T(cancelling_unwinds_a_blocked_call),
        T(realloc_that_traps),
        T(s13_realloc_that_recurses_without_end),
        T(s16_realloc_that_spins),
        T(c5_an_uncaught_exception_is_a_trap),
        T(c6_host_guest_guest_host_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
