/* alloc_test.c - a warm call takes nothing from the heap: imports and exports, scalars, strings and
 * lists of bytes, handles, from guest to guest. Every allocation of the thread is counted. */
#include "support_calls.h"

#include "support_world.h"
#include "tests/allocations.h"

static void the_count_counts(void **state)
{
    (void)state;
    uint64_t before = allocations();
    void *volatile p = malloc(10);
    free(p);
    assert_int_equal(allocations() - before, COUNTED);
}

#define CALLS 50

/* `call` a few times to warm up, then without an allocation. */
static void free_of_cost(const char *what, void (*call)(void *), void *ctx)
{
    for (int i = 0; i < 3; i++)
        call(ctx);
    uint64_t before = allocations();
    for (int i = 0; i < CALLS; i++)
        call(ctx);
    if (allocations() != before)
        fail_msg("%s: %llu allocations in %d calls", what,
                 (unsigned long long)(allocations() - before), CALLS);
}

/* ---- the guests: memory 1 page, realloc answers one place ---- */

#define PLACE 32768u
#define BYTES 20000u

static const uint8_t bytes[BYTES];

static int fresh_alloc(void **state)
{
    fresh_calls(state);
    g = &world.guests[1];
    for (int i = 0; i < CANON_GUESTS; i++) {
        world.guests[i].fixed = true;
        world.guests[i].answer = PLACE;
    }
    return 0;
}

static enum hf_err give_back(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    const struct hf_type *t = call->tramp->def->func.host->type->result;
    (void)args;
    if (t == NULL)
        return HF_OK;
    if (t->kind == HF_T_OWN)
        result->obj = &n_allocations;
    else if (t->kind == HF_T_LIST || t->kind == HF_T_STRING)
        *result = hf_value_bytes(hf_view(bytes, BYTES));
    else
        result->u64 = args[0].u64;
    return HF_OK;
}

static enum hf_err drop_nothing(struct hf_call *call, void *obj)
{
    (void)call, (void)obj;
    return HF_OK;
}

static const struct hf_host_resource plain_ops = {"plain", drop_nothing};
static const struct hf_resource_type plain_r = {.name = {(const uint8_t *)"plain", 5},
                                                .host = &plain_ops};

struct row {
    struct hf_tramp_rt *tramp, *drop;
    struct hf_lift_rt *lift;
    union hf_val vals[HF_FLAT_MAX];
    struct hf_value arg;
};

static void call_import(void *ctx)
{
    struct row *r = ctx;
    union hf_val vals[HF_FLAT_MAX];
    memcpy(vals, r->vals, sizeof vals);
    g->n_log = 0;
    world.guests[2].n_log = 0;
    assert_int_equal(call_tramp(r->tramp, vals), HF_OK);
    if (r->drop != NULL)
        assert_int_equal(call_tramp(r->drop, vals), HF_OK); /* the handle that came back */
}

static struct hf_tramp_rt *import(const struct hf_type *param, const struct hf_type *result)
{
    return lower_host(g, canon_ftype(&world, &param, 1, result), give_back);
}

static void imports_take_nothing(void **state)
{
    (void)state;
    const struct hf_type *u32 = prim(HF_T_U32), *string = prim(HF_T_STRING);
    const struct hf_type *list = canon_list(&world, prim(HF_T_U8));
    struct row r = {.vals = {{.u64 = 1024}, {.u64 = BYTES}, {.u64 = 256}}};
    r.tramp = import(u32, u32);
    free_of_cost("u32 -> u32", call_import, &r);
    r.tramp = import(string, NULL);
    free_of_cost("string", call_import, &r);
    r.tramp = import(string, string);
    free_of_cost("string -> string", call_import, &r);
    r.tramp = import(list, list);
    free_of_cost("list<u8> -> list<u8>", call_import, &r);
    g->rt.enc = HF_ENC_UTF16; /* through the arena, which stays warm */
    r.vals[1].u64 = 6000;
    r.tramp = import(string, NULL);
    free_of_cost("utf-16 string", call_import, &r);
    r.tramp = import(list, canon_handle(&world, HF_T_OWN, &plain_r));
    r.drop = resource_tramp(g, HF_TRAMP_RESOURCE_DROP, &plain_r);
    r.vals[1].u64 = 0;
    free_of_cost("a new handle and its drop", call_import, &r);
}

static enum hf_err same_flat(void *env, union hf_val *vals)
{
    (void)env, (void)vals;
    return HF_OK;
}

/* (ptr, len) -> pointer to the pair */
static enum hf_err same_pair(void *env, union hf_val *vals)
{
    struct canon_guest *me = env;
    uint32_t pair[2] = {vals[0].u32, vals[1].u32};
    memcpy(canon_mem(me, NULL) + 256, pair, sizeof pair);
    vals[0].u64 = 256;
    return HF_OK;
}

static void call_export(void *ctx)
{
    struct row *r = ctx;
    struct hf_value result = {0};
    g->n_log = 0;
    hf_arena_reset(&world.inst.arena); /* as hf_instance_call does */
    assert_int_equal(hf_canon_call(&world.inst, r->lift, &r->arg, &result), HF_OK);
}

static void exports_take_nothing(void **state)
{
    (void)state;
    const struct hf_type *u32 = prim(HF_T_U32), *string = prim(HF_T_STRING);
    const struct hf_type *list = canon_list(&world, prim(HF_T_U8));
    struct row r = {.arg = hf_value_u64(5)};
    r.lift = make_lift(0, g, canon_ftype(&world, &u32, 1, u32), same_flat, same_flat);
    free_of_cost("export u32 -> u32", call_export, &r);
    r.arg = hf_value_bytes(HF_VIEW("sixty-four bytes or so of text, which fit anywhere"));
    r.lift = make_lift(0, g, canon_ftype(&world, &string, 1, string), same_pair, same_flat);
    free_of_cost("export string -> string", call_export, &r);
    r.arg = hf_value_bytes(hf_view(bytes, BYTES));
    r.lift = make_lift(0, g, canon_ftype(&world, &list, 1, list), same_pair, same_flat);
    free_of_cost("export list<u8> -> list<u8>", call_export, &r);
}

static void guests_take_nothing(void **state)
{
    (void)state;
    const struct hf_type *string = prim(HF_T_STRING);
    struct row r = {.vals = {{.u64 = 1024}, {.u64 = 20}, {.u64 = 512}}};
    make_lift(0, &world.guests[2], canon_ftype(&world, &string, 1, string), same_pair, same_flat);
    r.tramp = lower_guest(g, 0);
    free_of_cost("guest to guest, string -> string", call_import, &r);
}

/* ---- a whole call on a fiber: what Wasmtime takes for an empty driver, and nothing more ---- */

static enum hf_err empty_driver(void *ctx)
{
    (void)ctx;
    return HF_OK;
}

struct whole {
    struct world *w;
    struct hf_instance *inst;
    const struct hf_export *e;
};

static void call_whole(void *ctx)
{
    struct whole *h = ctx;
    const struct hf_value v = hf_value_u64(3);
    h->w->log[0] = '\0';
    assert_int_equal(hf_instance_call(h->inst, h->e, &v, 1), HF_OK);
    assert_int_equal(hf_instance_poll(h->inst), HF_OK);
}

static void call_empty(void *ctx)
{
    struct whole *h = ctx;
    assert_int_equal(hf_store_start(h->inst->store, empty_driver, NULL), HF_OK);
    assert_int_equal(hf_store_poll(h->inst->store), HF_OK);
}

static uint64_t count(void (*call)(void *), void *ctx)
{
    for (int i = 0; i < 3; i++)
        call(ctx);
    uint64_t before = allocations();
    for (int i = 0; i < CALLS; i++)
        call(ctx);
    return allocations() - before;
}

static void an_export_on_a_fiber_takes_what_the_fiber_takes(void **state)
{
    static const char wat[] = WORLD_COMPONENT(
        "(func (export \"f\") (param i32) (result i32) (call $log (i32.const 8) (i32.const 64))"
        " (local.get 0))",
        WORLD_LIFT("f", WORLD_U32_U32));
    struct world w;
    (void)state;
    world_open(&w);
    struct whole h = {.w = &w, .inst = world_from(&w, wat)};
    h.e = world_export(h.inst, "f");
    uint64_t empty = count(call_empty, &h), whole = count(call_whole, &h);
    printf("allocations of a call on a fiber: %llu, all of them the engine's\n",
           (unsigned long long)(empty / CALLS));
    assert_int_equal(whole, empty);
    hf_instance_free(h.inst);
    world_close(&w);
}

#define T(f) cmocka_unit_test_setup(f, fresh_alloc)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_count_counts),
        T(imports_take_nothing),
        T(exports_take_nothing),
        T(guests_take_nothing),
        T(an_export_on_a_fiber_takes_what_the_fiber_takes),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
