/* support_calls.h - functions between guests and the host, hand-made: lifted, lowered, host
 * functions and their log.
 *
 * Guest code is C here: a core function of a guest is made by hf_func_new and works on the guest's
 * memory.
 */
#ifndef HF_TEST_SUPPORT_CALLS_H
#define HF_TEST_SUPPORT_CALLS_H

#include "support_rules.h"

#define CALLS_TRAMPS 8

static struct hf_lift lift_defs[4];
static struct hf_tramp tramp_defs[CALLS_TRAMPS];
static struct hf_tramp_rt tramps[CALLS_TRAMPS];
static struct hf_host_func host_funcs[CALLS_TRAMPS];
static unsigned n_tramps;
static char events[512]; /* what happened, in order, words with a space behind each */

static inline void event(const char *word)
{
    size_t n = strlen(events);
    assert_true(n + strlen(word) + 2 < sizeof events);
    snprintf(events + n, sizeof events - n, "%s ", word);
}

/* Back to the beginning: flags, tables, memories, log. */
static int fresh_calls(void **state)
{
    fresh(state);
    for (int i = 0; i < CANON_GUESTS; i++) {
        struct canon_guest *each = &world.guests[i];
        canon_guest_clear(each);
        each->during = NULL;
        each->fixed = false;
        each->rt.enc = HF_ENC_UTF8;
        each->ci->may_enter = each->ci->may_leave = true;
        each->ci->handles.max = 0;
    }
    memset(world.resources, 0, sizeof world.resources);
    memset(world.lifts, 0, sizeof world.lifts);
    world.inst.hook = NULL;
    world.inst.current = NULL;
    n_dropped = 0;
    n_tramps = 0;
    events[0] = '\0';
    return 0;
}

static struct hf_func core_fn(const struct hf_functype *type, hf_import_fn fn, void *env)
{
    struct hf_func f;
    assert_int_equal(hf_func_new(world.inst.store, type, fn, env, &f), HF_OK);
    return f;
}

/* canon lift of `fn` in a guest (NULL: the caller sets l->func). `post` may be NULL. */
static inline struct hf_lift_rt *make_lift(unsigned slot, struct canon_guest *owner,
                                           const struct hf_ftype *type, hf_import_fn fn,
                                           hf_import_fn post)
{
    struct hf_lift_rt *l = &world.lifts[slot];
    lift_defs[slot] = (struct hf_lift){.ci = owner->ci->index, .type = type};
    *l = (struct hf_lift_rt){.def = &lift_defs[slot], .ci = owner->ci, .opts = owner->rt};
    if (fn != NULL)
        l->func = core_fn(&type->lift, fn, owner);
    if (post != NULL) {
        const struct hf_functype t = {.n_params = type->lift.n_results,
                                      .params = type->lift.results};
        l->opts.post_return = core_fn(&t, post, owner);
        l->opts.has_post_return = true;
    }
    return l;
}

static inline struct hf_tramp_rt *make_tramp(struct canon_guest *owner, enum hf_tramp_kind kind)
{
    unsigned i = n_tramps++;
    assert_true(i < CALLS_TRAMPS);
    tramp_defs[i] = (struct hf_tramp){.kind = kind, .ci = owner->ci->index};
    tramps[i] = (struct hf_tramp_rt){.def = &tramp_defs[i], .ci = owner->ci, .opts = owner->rt};
    return &tramps[i];
}

/* canon lower of a lifted function, for a guest. */
static inline struct hf_tramp_rt *lower_guest(struct canon_guest *owner, unsigned lift)
{
    struct hf_tramp_rt *t = make_tramp(owner, HF_TRAMP_LOWER);
    tramp_defs[t - tramps].func = (struct hf_func_def){.from = HF_FUNC_LIFT, .lift = lift};
    t->func = core_fn(&lift_defs[lift].type->lower, hf_tramp_lower, t);
    return t;
}

static inline struct hf_tramp_rt *lower_host(struct canon_guest *owner, const struct hf_ftype *type,
                                             hf_host_fn fn)
{
    struct hf_tramp_rt *t = make_tramp(owner, HF_TRAMP_LOWER);
    struct hf_host_func *h = &host_funcs[t - tramps];
    *h = (struct hf_host_func){.iface = HF_VIEW("test:host/api@1.0.0"),
                               .name = HF_VIEW("[method]pollable.do"),
                               .type = type,
                               .fn = fn};
    tramp_defs[t - tramps].func = (struct hf_func_def){.from = HF_FUNC_HOST, .host = h};
    t->func = core_fn(&type->lower, hf_tramp_lower, t);
    return t;
}

static inline struct hf_tramp_rt *resource_tramp(struct canon_guest *owner, enum hf_tramp_kind kind,
                                                 const struct hf_resource_type *r)
{
    static const enum hf_core_type i32[] = {HF_I32};
    static const struct hf_functype one_one = {1, 1, i32, i32}, one_none = {1, 0, i32, NULL};
    struct hf_tramp_rt *t = make_tramp(owner, kind);
    tramp_defs[t - tramps].resource = r;
    t->func = core_fn(kind == HF_TRAMP_RESOURCE_DROP ? &one_none : &one_one,
                      kind == HF_TRAMP_RESOURCE_NEW   ? hf_tramp_resource_new
                      : kind == HF_TRAMP_RESOURCE_REP ? hf_tramp_resource_rep
                                                      : hf_tramp_resource_drop,
                      t);
    return t;
}

/* As guest code calls an import. */
static inline enum hf_err call_tramp(struct hf_tramp_rt *t, union hf_val *vals)
{
    return hf_store_call(world.inst.store, &t->func, vals, HF_FLAT_MAX);
}

static inline uint32_t give(struct canon_guest *to, const struct hf_resource_type *r, uint64_t rep,
                            bool own)
{
    uint32_t index = 0;
    const struct hf_handle h = {.type = r, .rep = rep, .own = own};
    assert_int_equal(hf_handles_add(&to->ci->handles, &h, &index), HF_OK);
    return index;
}

#endif
