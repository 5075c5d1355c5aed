/* support_rules.h - what the tests of lifting and lowering share: one world, one guest in it,
 * resources, traps.
 *
 * To be included by one test file each; cmocka comes with it.
 */
#ifndef HF_TEST_SUPPORT_RULES_H
#define HF_TEST_SUPPORT_RULES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "support_canon.h"

#include <cmocka.h>

#define AT 512u /* where a value lies in guest memory, below the heap */

static struct canon_world world;
static struct canon_guest *g;
static uintptr_t dropped[16];
static unsigned n_dropped;

static enum hf_err note_drop(struct hf_call *call, void *obj)
{
    assert_null(call);
    assert_true(n_dropped < HF_ARRAY_LEN(dropped));
    dropped[n_dropped++] = (uintptr_t)obj;
    return HF_OK;
}

static const struct hf_host_resource ops = {"pollable", note_drop};
static const struct hf_resource_type host_r = {.name = {(const uint8_t *)"pollable", 8},
                                               .host = &ops};
static const struct hf_resource_type guest_r = {
    .name = {(const uint8_t *)"counter", 7}, .index = 0, .ci = 1};
static const struct hf_resource_type other_r = {
    .name = {(const uint8_t *)"gauge", 5}, .index = 1, .ci = 1};

static int open_world(void **state)
{
    (void)state;
    canon_world_open(&world);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    canon_world_close(&world);
    return 0;
}

/* Before each test. */
static int fresh(void **state)
{
    (void)state;
    g = &world.guests[0];
    g->rt.enc = HF_ENC_UTF8;
    canon_guest_clear(g);
    hf_arena_reset(&world.inst.arena);
    n_dropped = 0;
    (void)canon_trap_text(&world); /* of a test that failed */
    return 0;
}

static inline void expect_trap(enum hf_err err, const char *text)
{
    const char *got = canon_trap_text(&world);
    assert_int_equal(err, HF_TRAP);
    if (strstr(got, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, got);
}

static inline const struct hf_type *prim(enum hf_type_kind kind)
{
    return hf_type_prim(kind);
}

static inline enum hf_err lift_at(const struct hf_type *t, uint32_t at, struct hf_value *ret)
{
    struct hf_canon_cx cx = canon_cx(g, true);
    return hf_lift_memory(&cx, t, at, ret);
}

static inline enum hf_err lower_at(const struct hf_type *t, struct hf_value v, uint32_t at)
{
    struct hf_canon_cx cx = canon_cx(g, true);
    return hf_lower_memory(&cx, t, &v, at);
}

#endif
