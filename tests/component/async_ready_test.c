/* async_ready_test.c - what doc/async.md claims of today's structures, shown: the table takes other
 * things than resources, a call's scope need not lie on a stack, and many tasks of one instance can
 * be under way in the callback form, each waiting with an empty stack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_world.h"

#include "component/canon.h"
#include "kernel/wait.h"

static struct world w;

static int open_all(void **state)
{
    (void)state;
    world_open(&w);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

/* A component with one import of nothing: enough for a table. */
static struct hf_instance *small(void)
{
    return world_from(&w, "(component (core module $M (func (export \"f\")))"
                          " (core instance $m (instantiate $M))"
                          " (func (export \"f\") (canon lift (core func $m \"f\"))))");
}

/* ---- one table ---- */

static void waitables_live_beside_resources_and_are_no_resource(void **state)
{
    static const struct hf_resource_type subtask = {.name = {(const uint8_t *)"subtask", 7}};
    static const struct hf_resource_type file = {.name = {(const uint8_t *)"file", 4}};
    (void)state;
    world_signals();
    struct hf_instance *inst = small();
    struct hf_ci *ci = &inst->cis[0];
    uint32_t a, b, c;
    struct hf_handle *h;
    int state_of_task = 0;

    assert_int_equal(
        hf_handles_add(&ci->handles, &(struct hf_handle){.type = &file, .rep = 5, .own = 1}, &a),
        HF_OK);
    assert_int_equal(hf_handles_add(&ci->handles,
                                    &(struct hf_handle){.type = &subtask, .obj = &state_of_task},
                                    &b),
                     HF_OK);
    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    assert_int_equal(hf_handles_find(ci, b, &subtask, &h), HF_OK);
    assert_ptr_equal(h->obj, &state_of_task);
    assert_int_equal(hf_handles_find(ci, b, &file, &h),
                     HF_TRAP); /* a guest cannot pass one as the other */
    hf_report_init(hf_instance_report(inst));
    assert_int_equal(hf_handles_find(ci, a, &subtask, &h), HF_TRAP);
    hf_report_init(hf_instance_report(inst));
    hf_handles_remove(&ci->handles, b); /* one free list for all kinds */
    assert_int_equal(
        hf_handles_add(&ci->handles, &(struct hf_handle){.type = &file, .rep = 6, .own = 1}, &c),
        HF_OK);
    assert_int_equal(c, b);
    hf_handles_remove(&ci->handles, a);
    hf_handles_remove(&ci->handles, c);
    hf_instance_free(inst);
}

/* ---- scopes ---- */

/* Two calls under way whose borrows end in any order: the entry follows its pointer. */
static void scopes_may_outlive_the_stack_and_end_in_any_order(void **state)
{
    static const struct hf_resource_type file = {.name = {(const uint8_t *)"file", 4}};
    (void)state;
    world_signals();
    struct hf_instance *inst = small();
    struct hf_ci *ci = &inst->cis[0];
    struct hf_scope *one = calloc(1, sizeof *one), *two = calloc(1, sizeof *two);
    struct hf_resource_type type = file;
    struct hf_tramp def = {.kind = HF_TRAMP_RESOURCE_DROP, .resource = &type};
    struct hf_tramp_rt drop = {.def = &def, .ci = ci};
    uint32_t a, b;

    assert_true(one != NULL && two != NULL);
    one->n_borrows = two->n_borrows = 1;
    assert_int_equal(hf_handles_add(&ci->handles,
                                    &(struct hf_handle){.type = &type, .rep = 1, .scope = one}, &a),
                     HF_OK);
    assert_int_equal(hf_handles_add(&ci->handles,
                                    &(struct hf_handle){.type = &type, .rep = 2, .scope = two}, &b),
                     HF_OK);
    union hf_val vals[1] = {{.u64 = a}};
    assert_int_equal(hf_tramp_resource_drop(&drop, vals), HF_OK); /* the older call's first */
    assert_int_equal(one->n_borrows, 0);
    assert_int_equal(two->n_borrows, 1);
    free(one);
    vals[0].u64 = b;
    assert_int_equal(hf_tramp_resource_drop(&drop, vals), HF_OK);
    assert_int_equal(two->n_borrows, 0);
    free(two);
    hf_instance_free(inst);
}

/* ---- callback tasks ---- */

#define TASKS  1000u
#define ROUNDS 3u /* events each task waits for */
#define EXIT   0u
#define WAIT   2u

/* The shape of the callback form over sync lifts: `start` takes a task's number and `callback` an
 * event for it; both return code | set << 4. The guest keeps each task's count in memory, as a
 * language's own tasks do. */
static const char callback_guest[] =
    "(component (core module $M (memory 1)"
    "  (func (export \"start\") (param $t i32) (result i32)"
    "    (i32.store (i32.shl (local.get $t) (i32.const 2)) (i32.const 0))"
    "    (i32.or (i32.const 2) (i32.shl (local.get $t) (i32.const 4))))"
    "  (func (export \"callback\") (param $t i32) (param $payload i32) (result i32) (local $at i32)"
    "    (local.set $at (i32.shl (local.get $t) (i32.const 2)))"
    "    (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (local.get $payload)))"
    "    (if (result i32) (i32.ge_u (i32.load (local.get $at)) (i32.const 6))" /* 1 + 2 + 3 */
    "      (then (i32.const 0))"
    "      (else (i32.or (i32.const 2) (i32.shl (local.get $t) (i32.const 4)))))))"
    " (core instance $m (instantiate $M))"
    " (func (export \"start\") (param \"t\" u32) (result u32) (canon lift (core func $m "
    "\"start\")))"
    " (func (export \"callback\") (param \"t\" u32) (param \"payload\" u32) (result u32)"
    "   (canon lift (core func $m \"callback\"))))";

struct task {
    struct hf_wait event;     /* what a stream end or a subtask would fire */
    struct hf_waiter in_set;  /* waitable.join */
    uint32_t payload, events; /* of the event that waits */
    bool done;
};

/* The loop of the specification's canon_lift, callback case: a task with an event is called again.
 */
static unsigned deliver(struct hf_instance *inst, struct hf_waitset *set)
{
    unsigned n = 0;
    while (!hf_list_empty(&set->ready)) {
        struct hf_waiter *waiter = HF_LIST_ENTRY(set->ready.next, struct hf_waiter, in_ready);
        struct task *t = HF_CONTAINER_OF(waiter, struct task, in_set);
        uint32_t number = (uint32_t)waiter->stamp;
        hf_wait_clear(&t->event);
        uint32_t packed = world_u32(&w, inst, "callback", number, t->payload);
        t->events++;
        n++;
        if (packed == EXIT) {
            hf_waiter_disarm(&t->in_set);
            t->done = true;
        } else {
            assert_int_equal(packed, WAIT | number << 4);
        }
    }
    return n;
}

static void a_thousand_tasks_of_one_instance_wait_without_a_stack(void **state)
{
    (void)state;
    world_signals();
    struct hf_instance *inst = world_from(&w, callback_guest);
    struct task *tasks = calloc(TASKS, sizeof *tasks);
    struct hf_waitset set;
    static const uint32_t steps[ROUNDS] = {7, 333,
                                           991}; /* none has a factor in common with TASKS */

    assert_non_null(tasks);
    hf_waitset_init(&set, NULL);
    for (uint32_t i = 0; i < TASKS; i++) {
        hf_wait_init(&tasks[i].event, false);
        hf_waiter_arm(&tasks[i].in_set, &tasks[i].event, &set);
        tasks[i].in_set.stamp = i;
        assert_int_equal(world_u32(&w, inst, "start", i, 0), WAIT | i << 4);
        assert_false(
            hf_instance_busy(inst)); /* at rest: no fiber is held, an image could be taken */
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        assert_true(hf_waitset_park(&set, false)); /* nothing is ready: the process would sleep */
        hf_waitset_unpark(&set);
        for (uint32_t n = 0; n < TASKS; n++) { /* in an order of its own each round */
            uint32_t i = n * steps[round - 1] % TASKS;
            tasks[i].payload = round;
            hf_wait_fire(&tasks[i].event);
            if (n % 10 == 9)
                assert_int_equal(deliver(inst, &set), 10);
        }
    }
    for (uint32_t i = 0; i < TASKS; i++) {
        assert_true(tasks[i].done);
        assert_int_equal(tasks[i].events, ROUNDS);
        hf_waiter_disarm(&tasks[i].in_set);
        hf_wait_done(&tasks[i].event);
    }
    free(tasks);
    hf_instance_free(inst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waitables_live_beside_resources_and_are_no_resource),
        cmocka_unit_test(scopes_may_outlive_the_stack_and_end_in_any_order),
        cmocka_unit_test(a_thousand_tasks_of_one_instance_wait_without_a_stack),
    };
    return cmocka_run_group_tests_name("component/async_ready", tests, open_all, close_all);
}
