/* mistyped_test.c - host functions that give what is not of their type: the guest is ended with
 * words that name function and result, and no object is dropped twice or looked for where there is
 * none.
 *
 * The rows of what lowering refuses are in lower_test.c; here are whole calls.
 */
#include "support_calls.h"

static struct hf_value gives; /* what the host function answers */

static enum hf_err wrong(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args;
    *result = gives;
    return HF_OK;
}

/* Calls a host function of that result type; traps with these words. */
static void refused(const struct hf_type *t, struct hf_value v, const char *words)
{
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = AT}};
    struct hf_tramp_rt *tramp = lower_host(g, canon_ftype(&world, NULL, 0, t), wrong);
    n_tramps = 0;
    gives = v;
    enum hf_err err = call_tramp(tramp, vals);
    char text[512];
    snprintf(text, sizeof text, "test:host/api@1.0.0#[method]pollable.do: result: %s", words);
    expect_trap(err, text);
    assert_int_equal(world.inst.arena.used, 0);
    g->ci->may_leave = true;
}

static const struct hf_type *pair_of(const struct hf_type *a, const struct hf_type *b)
{
    const struct hf_type *types[] = {a, b};
    return canon_compound(&world, HF_T_TUPLE, types, 2);
}

static void wrong_results_name_the_function(void **state)
{
    (void)state;
    const struct hf_type *u8[] = {prim(HF_T_U8)};
    refused(prim(HF_T_CHAR), hf_value_u64(0x110000), "the host gave an invalid `char`");
    refused(prim(HF_T_STRING), hf_value_bytes(HF_VIEW("\xed\xa0\x80")),
            "the host gave a string with invalid utf-8");
    refused(prim(HF_T_STRING), (struct hf_value){.bytes = (const uint8_t *)"x", .len = 1u << 30},
            "limit: string of 1073741824 bytes is too long");
    refused(canon_compound(&world, HF_T_ENUM, NULL, 300), hf_value_case(300, NULL),
            "the host gave case 300 of a enum with 300 cases");
    refused(canon_compound(&world, HF_T_OPTION, u8, 1), hf_value_case(1, NULL),
            "the host gave case some of a option without its payload");
    refused(canon_compound(&world, HF_T_FLAGS, NULL, 9), hf_value_u64(1u << 9),
            "the host gave flags 0x200 where there are 9 labels");
    refused(pair_of(prim(HF_T_U8), prim(HF_T_U8)), hf_value_u64(0),
            "the host gave 0 fields for a tuple of 2");
}

/* Numbers outside their width are cut to it: nothing else can be meant. */
static void wide_numbers_are_cut(void **state)
{
    (void)state;
    union hf_val vals[HF_FLAT_MAX] = {{.u64 = 0}};
    struct hf_tramp_rt *tramp = lower_host(g, canon_ftype(&world, NULL, 0, prim(HF_T_U8)), wrong);
    gives = hf_value_u64(0x1ff);
    assert_int_equal(call_tramp(tramp, vals), HF_OK);
    assert_int_equal(vals[0].u64, 0xff);
    tramp = lower_host(g, canon_ftype(&world, NULL, 0, prim(HF_T_BOOL)), wrong);
    gives = hf_value_u64(0x100);
    assert_int_equal(call_tramp(tramp, vals), HF_OK);
    assert_int_equal(vals[0].u64, 1);
}

/* What a half lowered result owns is let go of once, and only what is there. */
static void objects_in_wrong_results_are_let_go_once(void **state)
{
    (void)state;
    const struct hf_type *own = canon_handle(&world, HF_T_OWN, &host_r);
    const struct hf_type *owns[] = {own};
    const struct hf_type *maybe = canon_compound(&world, HF_T_OPTION, owns, 1);
    struct hf_value two[2] = {hf_value_obj((void *)(uintptr_t)7), {.tag = 9}};
    struct hf_value items[2] = {hf_value_obj((void *)(uintptr_t)1), {.obj = NULL}};

    /* The second part is wrong: the first is in the guest's table by then. */
    refused(pair_of(own, maybe), (struct hf_value){.items = two, .len = 2}, "the host gave case 9");
    assert_int_equal(n_dropped, 0);
    hf_handles_done(&g->ci->handles);
    assert_int_equal(n_dropped, 1);
    assert_int_equal(dropped[0], 7);

    /* A list of two, the second without an object. */
    n_dropped = 0;
    refused(canon_list(&world, own), (struct hf_value){.items = items, .len = 2},
            "the host gave no object for a pollable");
    assert_int_equal(n_dropped, 0);
    hf_handles_done(&g->ci->handles);
    assert_int_equal(n_dropped, 1);

    /* Lengths that are not so: nothing is read behind what there is. */
    n_dropped = 0;
    struct hf_value *one = malloc(sizeof *one); /* under a sanitizer its end is watched */
    assert_non_null(one);
    *one = hf_value_obj((void *)(uintptr_t)3);
    refused(canon_list(&world, own), (struct hf_value){.items = one, .len = UINT32_MAX},
            "limit: list of");
    refused(pair_of(own, own), (struct hf_value){.items = one, .len = 1},
            "the host gave 1 fields for a tuple of 2");
    assert_int_equal(n_dropped, 0); /* lost, not dropped: there is no telling what it was */
    free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wrong_results_name_the_function, fresh_calls),
        cmocka_unit_test_setup(wide_numbers_are_cut, fresh_calls),
        cmocka_unit_test_setup(objects_in_wrong_results_are_let_go_once, fresh_calls),
    };
    return cmocka_run_group_tests_name("mistyped host values", tests, open_world, close_world);
}
