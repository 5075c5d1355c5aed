/* support_world.h - an engine, a host interface and instances from component text, for the tests of this room.
 *
 * The host interface `test:host/it@1.0.0` (WORLD_IT is its import):
 *   resource thing { constructor(v: u32); get: func() -> u32; }   one heap object each, counted and logged; in images, but for
 *                                    13, which cannot be saved, and 14, which cannot be made again
 *   take: func(t: thing) -> u32      takes it and drops it
 *   make: func(v: u32) -> thing
 *   block: func(n: u32)              suspends n times
 *   fail: func()                     traps
 *   log: func(s: string)
 *   again: func() -> u32             tries to call the instance that is calling; returns the hf_err
 */
#ifndef HF_TESTS_SUPPORT_WORLD_H
#define HF_TESTS_SUPPORT_WORLD_H

#include "component/instance.h"

struct world {
    struct hf_engine *engine;
    struct hf_registry *registry;
    char log[2048];       /* "new 1;get 1;drop 1;" */
    unsigned live;        /* things */
    unsigned cancelled;   /* blocks that ended so */
    unsigned slices, blocks; /* HF_AGAIN seen by world_run, by why */
    const struct hf_export *again; /* what `again` tries to call */
};
struct thing {
    struct world *world;
    uint32_t v;
};

void world_open(struct world *w);
/* cmocka puts its own handlers for SIGILL, SIGSEGV ... in place before each test and takes them away after it, with
 * them the engine's, which come once per process: call this at the start of each test that uses an engine made in
 * an earlier one (world_open does it itself). */
void world_signals(void);
void world_close(struct world *w); /* every thing must be gone */
/* For cmocka groups: one world for all tests of a file. */
int world_setup(void **state);
int world_teardown(void **state);
/* The group's world, for one test: nothing of an earlier one is left, the log is empty. */
struct world *world_fresh(void **state);
struct thing *world_thing(struct world *w, uint32_t v);

struct hf_component *world_load(struct world *w, const char *wat);
struct hf_instance *world_new(struct world *w, struct hf_component *c); /* not started */
struct hf_instance *world_start(struct world *w, struct hf_component *c);
struct hf_instance *world_from(struct world *w, const char *wat); /* load and start; the instance holds the component */
/* Polls to the end. HF_TIMEOUT after too many polls (cancelled then). */
enum hf_err world_run(struct world *w, struct hf_instance *inst);
const struct hf_export *world_export(struct hf_instance *inst, const char *name);
enum hf_err world_call(struct world *w, struct hf_instance *inst, const char *name, const struct hf_value *args, size_t n);
/* Calls with u32 arguments (up to two) and wants a result, or none: then 0. Anything but HF_OK fails the test. */
uint32_t world_u32(struct world *w, struct hf_instance *inst, const char *name, uint32_t a, uint32_t b);
/* The call must trap with this in the report. */
void world_traps(struct world *w, struct hf_instance *inst, const char *name, const char *text);
/* Dead: it refuses everything. */
void world_is_dead(struct hf_instance *inst);

/* A component with a guest's resource: made in a child, owned by its parent; the dtor runs in the child, once, and
 * adds the rep to `sum`. */
extern const char world_guest_resource_wat[];

#define WORLD_IT                                                                                                       \
    "(import \"test:host/it@1.0.0\" (instance $it"                                                                    \
    " (export \"thing\" (type $thing (sub resource)))"                                                                \
    " (export \"[constructor]thing\" (func (param \"v\" u32) (result (own $thing))))"                                 \
    " (export \"[method]thing.get\" (func (param \"self\" (borrow $thing)) (result u32)))"                            \
    " (export \"take\" (func (param \"t\" (own $thing)) (result u32)))"                                               \
    " (export \"make\" (func (param \"v\" u32) (result (own $thing))))"                                               \
    " (export \"block\" (func (param \"n\" u32)))"                                                                    \
    " (export \"fail\" (func))"                                                                                       \
    " (export \"log\" (func (param \"s\" string)))"                                                                   \
    " (export \"again\" (func (result u32)))"                                                                         \
    "))"                                                                                                              \
    "(alias export $it \"thing\" (type $thing))"
/* A core module $libc with a memory and a realloc that never frees, instantiated as $libc. */
#define WORLD_LIBC                                                                                                     \
    "(core module $Libc (memory (export \"memory\") 1) (global $next (mut i32) (i32.const 1024))"                     \
    " (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (local $p i32)"                                 \
    "  (local.set $p (i32.and (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))"                     \
    "   (i32.sub (i32.const 0) (local.get 2))))"                                                                      \
    "  (global.set $next (i32.add (local.get $p) (local.get 3))) (local.get $p)))"                                    \
    "(core instance $libc (instantiate $Libc))"
/* All of the host interface lowered, with $libc's memory, as core instance $host. */
#define WORLD_HOST                                                                                                     \
    "(core func $new (canon lower (func $it \"[constructor]thing\")))"                                                \
    "(core func $get (canon lower (func $it \"[method]thing.get\")))"                                                 \
    "(core func $take (canon lower (func $it \"take\")))"                                                             \
    "(core func $make (canon lower (func $it \"make\")))"                                                             \
    "(core func $block (canon lower (func $it \"block\")))"                                                           \
    "(core func $fail (canon lower (func $it \"fail\")))"                                                             \
    "(core func $log (canon lower (func $it \"log\") (memory $libc \"memory\")))"                                     \
    "(core func $again (canon lower (func $it \"again\")))"                                                           \
    "(core func $drop (canon resource.drop $thing))"                                                                  \
    "(core instance $host (export \"new\" (func $new)) (export \"get\" (func $get)) (export \"take\" (func $take))"   \
    " (export \"make\" (func $make)) (export \"block\" (func $block)) (export \"fail\" (func $fail))"                 \
    " (export \"log\" (func $log)) (export \"again\" (func $again)) (export \"drop\" (func $drop)))"
/* The imports of $host in a core module. */
#define WORLD_IMPORTS                                                                                                  \
    "(import \"host\" \"new\" (func $new (param i32) (result i32)))"                                                  \
    "(import \"host\" \"get\" (func $get (param i32) (result i32)))"                                                  \
    "(import \"host\" \"take\" (func $take (param i32) (result i32)))"                                                \
    "(import \"host\" \"make\" (func $make (param i32) (result i32)))"                                                \
    "(import \"host\" \"block\" (func $block (param i32)))"                                                           \
    "(import \"host\" \"fail\" (func $fail))"                                                                         \
    "(import \"host\" \"log\" (func $log (param i32 i32)))"                                                           \
    "(import \"host\" \"again\" (func $again (result i32)))"                                                          \
    "(import \"host\" \"drop\" (func $drop (param i32)))"
/* A component: the host interface, $libc, and a core module made of `body`, instantiated as $m; then `exports`. */
#define WORLD_COMPONENT(body, exports)                                                                                 \
    "(component " WORLD_IT WORLD_LIBC WORLD_HOST "(core module $M " WORLD_IMPORTS                                      \
    "(import \"libc\" \"memory\" (memory 1)) " body ")"                                                               \
    "(core instance $m (instantiate $M (with \"host\" (instance $host)) (with \"libc\" (instance $libc)))) " exports  \
    ")"
#define WORLD_LIFT(name, type) "(func (export \"" name "\") " type " (canon lift (core func $m \"" name "\")))"
#define WORLD_U32              "(result u32)"
#define WORLD_U32_U32          "(param \"a\" u32) (result u32)"

#endif
