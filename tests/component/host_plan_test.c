/* host_plan_test.c - the short way of a host call and the long one are the same.
 *
 * Without a hook a call goes by the plan of its type; with one it is lifted and lowered by the
 * walks over types. Random functions, arguments and answers take both, from the same beginning:
 * what the host sees, what the guest is left with and the words of every trap must be equal.
 */
#include "support_calls.h"

#define SEEDS   6000
#define OBJECTS 5

struct outcome {
    enum hf_err err;
    char text[700];
    uint64_t seen; /* of the arguments; 0: the function was not called */
    union hf_val vals[HF_FLAT_MAX + 1];
    uint8_t mem[CANON_PAGE];
    struct hf_handle handles[32];
    uint32_t n_handles, live, free;
    uint64_t dropped; /* which, in order */
    size_t arena;
};

static struct outcome ways[2], *now;
static struct canon_gen answers;
static struct hf_arena answer_arena;

static void mix(uint64_t *sum, uint64_t n)
{
    *sum = (*sum ^ n) * 0x9E3779B97F4A7C15u;
    *sum ^= *sum >> 29;
}

static enum hf_err plan_drop(struct hf_call *call, void *obj)
{
    assert_null(call);
    if (now != NULL)
        mix(&now->dropped, (uintptr_t)obj);
    return HF_OK;
}

static const struct hf_host_resource plan_ops = {"thing", plan_drop};
static const struct hf_resource_type plan_r = {.name = {(const uint8_t *)"thing", 5},
                                               .host = &plan_ops};

static void mix_value(uint64_t *sum, const struct hf_type *t, const struct hf_value *v)
{
    switch (t->kind) {
    case HF_T_STRING:
        mix(sum, v->tag);
        mix(sum, v->len);
        for (uint32_t i = 0; i < v->len; i++)
            mix(sum, v->bytes[i]);
        return;
    case HF_T_LIST:
        mix(sum, v->len);
        for (uint64_t i = 0; t->elem->scalar && i < (uint64_t)v->len * t->elem->size; i++)
            mix(sum, v->bytes[i]);
        for (uint32_t i = 0; !t->elem->scalar && i < v->len; i++)
            mix_value(sum, t->elem, &v->items[i]);
        return;
    case HF_T_RECORD:
    case HF_T_TUPLE:
        for (uint32_t i = 0; i < t->n; i++)
            mix_value(sum, t->members[i].type, &v->items[i]);
        return;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        mix(sum, v->tag);
        mix(sum, v->items != NULL);
        if (v->items != NULL)
            mix_value(sum, t->members[v->tag].type, v->items);
        return;
    default: mix(sum, v->u64);
    }
}

static enum hf_err plan_fn(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    const struct hf_ftype *f = hf_call_type(call);
    assert_int_equal(result->u64, 0);
    assert_int_equal(result->len, 0);
    assert_int_equal(result->tag, 0);
    now->seen = 1;
    for (uint32_t i = 0; i < f->n_params; i++) {
        mix(&now->seen, hf_call_handle(call, i));
        mix_value(&now->seen, f->params[i].type, &args[i]);
    }
    if (canon_gen_below(&answers, 16) == 0)
        return hf_call_trap(call, "no");
    if (f->result == NULL || canon_gen_below(&answers, 16) == 0)
        return HF_OK; /* zeroes, right or wrong */
    *result = canon_gen_value(&answers, &answer_arena, f->result);
    if (f->result->kind >= HF_T_VARIANT && f->result->kind <= HF_T_RESULT &&
        canon_gen_below(&answers, 16) == 0)
        result->tag = f->result->n;
    return HF_OK;
}

static enum hf_err let_be(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    (void)ctx, (void)call, (void)x;
    return HF_OK;
}

static enum hf_err let_end(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    (void)ctx, (void)call, (void)x;
    return HF_OK;
}

static const struct hf_hook hook = {let_be, let_end};

static const struct hf_ftype *any_function(struct canon_gen *gen)
{
    const struct hf_type *params[6];
    uint32_t n = canon_gen_below(gen, 4);
    if (canon_gen_below(gen, 8) == 0)
        n += 3;
    gen->resource = &plan_r;
    gen->borrows = true;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = canon_gen_below(gen, 4); /* handles in front, as of methods */
        params[i] = k == 0   ? canon_handle(&world, HF_T_BORROW, &plan_r)
                    : k == 1 ? canon_handle(&world, HF_T_OWN, &plan_r)
                             : canon_gen_type(gen, &world, 3);
    }
    gen->borrows = false;
    const struct hf_type *result =
        canon_gen_below(gen, 5) == 0 ? NULL : canon_gen_type(gen, &world, 3);
    if (canon_gen_below(gen, 16) == 0) { /* cases of different resources */
        const struct hf_type *owns[2] = {canon_handle(&world, HF_T_OWN, &plan_r),
                                         canon_handle(&world, HF_T_OWN, &other_r)};
        result = canon_compound(&world, HF_T_RESULT, owns, 2);
    }
    return canon_ftype(&world, params, n, result);
}

static uint32_t any_word(struct canon_gen *gen)
{
    switch (canon_gen_below(gen, 6)) {
    case 0: return 8 * canon_gen_below(gen, CANON_PAGE / 8);
    case 1: return canon_gen_below(gen, CANON_PAGE + 64);
    case 2: return CANON_PAGE - canon_gen_below(gen, 32);
    default: return canon_gen_below(gen, OBJECTS + 3);
    }
}

static void take(struct outcome *o, const struct hf_ftype *f, uint64_t seed, bool hooked)
{
    struct canon_gen gen = {.seed = seed * 2 + 1};
    size_t size;
    now = NULL;
    fresh_calls(NULL);
    g = &world.guests[1];
    memset(o, 0, sizeof *o);
    now = o;
    uint8_t *mem = canon_mem(g, &size);
    memset(mem, 0, size);
    for (uint32_t at = 0; at < 512; at += 4) {
        uint32_t word = any_word(&gen);
        memcpy(mem + at, &word, 4);
    }
    memcpy(mem + 32, "plain text and more", 19);
    memcpy(mem + 64, "caf\xc3\xa9 \xff", 7);
    for (uintptr_t i = 1; i <= OBJECTS; i++)
        give(g, i == 2 ? &other_r : &plan_r, 100 + i, i != 3);
    hf_handles_remove(&g->ci->handles, 4);
    g->ci->handles.max = canon_gen_below(&gen, 4) == 0 ? OBJECTS - 1 : 0;
    g->rt.enc = canon_gen_below(&gen, 6) == 0 ? HF_ENC_UTF16 : HF_ENC_UTF8;
    struct hf_tramp_rt *t = lower_host(g, f, plan_fn);
    if (canon_gen_below(&gen, 8) != 0) { /* the memory was seen before */
        struct hf_canon_cx cx;
        hf_canon_cx_init(&cx, &world.inst, g->ci, &t->opts);
        hf_canon_look(&cx);
    }
    for (uint32_t i = 0; i < HF_FLAT_MAX; i++)
        o->vals[i].u64 = canon_gen_below(&gen, 3) == 0 ? 32 * canon_gen_below(&gen, 12)
                                                       : any_word(&gen);
    if (f->result_spilled && canon_gen_below(&gen, 8) != 0) /* in the middle, or at the end */
        o->vals[f->lower.n_params - 1].u64 =
            8 * (canon_gen_below(&gen, 4) == 0 ? CANON_PAGE / 8 - canon_gen_below(&gen, 6)
                                               : 64 + canon_gen_below(&gen, 8));
    answers = (struct canon_gen){.seed = seed * 2 + 99991, .resource = &plan_r, .next_obj = 500};
    hf_arena_reset(&answer_arena);
    assert_int_equal(hf_instance_set_hook(&world.inst, hooked ? &hook : NULL, NULL), HF_OK);

    o->err = call_tramp(t, o->vals);
    snprintf(o->text, sizeof o->text, "%s", o->err == HF_OK ? "" : canon_trap_text(&world));
    mem = canon_mem(g, &size);
    memcpy(o->mem, mem, CANON_PAGE);
    const struct hf_handles *h = &g->ci->handles;
    assert_true(h->len <= HF_ARRAY_LEN(o->handles));
    memcpy(o->handles, h->ptr, h->len * sizeof *h->ptr);
    o->n_handles = h->len;
    o->live = h->live;
    o->free = h->free;
    o->arena = world.inst.arena.used;
    g->ci->may_leave = true;
    now = NULL;
}

static void both_ways_are_the_same(void **state)
{
    unsigned fine = 0, refused = 0;
    (void)state;
    hf_arena_init(&answer_arena, 4096, SIZE_MAX);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct canon_gen gen = {.seed = seed * 7919};
        const struct hf_ftype *f = any_function(&gen);
        take(&ways[0], f, seed, false);
        take(&ways[1], f, seed, true);
        const struct outcome *a = &ways[0], *b = &ways[1];
        if (a->err != b->err || strcmp(a->text, b->text) != 0 || a->seen != b->seen ||
            (a->err == HF_OK && memcmp(a->vals, b->vals, sizeof a->vals) != 0) ||
            memcmp(a->mem, b->mem, sizeof a->mem) != 0 || a->n_handles != b->n_handles ||
            a->live != b->live || a->free != b->free ||
            memcmp(a->handles, b->handles, sizeof a->handles) != 0 ||
            a->dropped != b->dropped) {
            struct hf_buf type = {0};
            assert_int_equal(hf_ftype_text(f, &type), HF_OK);
            fail_msg("seed %lu, %s: %d \"%s\", %d \"%s\", seen %d, memory %d, handles %d, vals %d",
                     (unsigned long)seed, (const char *)type.ptr, a->err, a->text, b->err, b->text,
                     a->seen == b->seen, memcmp(a->mem, b->mem, sizeof a->mem),
                     memcmp(a->handles, b->handles, sizeof a->handles),
                     memcmp(a->vals, b->vals, sizeof a->vals));
        }
        assert_int_equal(a->arena, 0);
        assert_int_equal(b->arena, 0);
        fine += a->err == HF_OK;
        refused += a->err != HF_OK;
    }
    hf_arena_done(&answer_arena);
    assert_true(fine > SEEDS / 10 && refused > SEEDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_are_the_same)};
    return cmocka_run_group_tests(tests, open_world, close_world);
}
