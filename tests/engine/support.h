/* support.h - what the tests of this room share: engines, modules from text, drivers run to their
 * end, children. */
#ifndef HF_TESTS_ENGINE_SUPPORT_H
#define HF_TESTS_ENGINE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/engine.h"

/* Wasmtime turns signals (SIGILL, SIGSEGV ...) of guest code into traps; cmocka takes the same
 * signals for itself before every test. First thing in main: remembers Wasmtime's handlers.
 * make_store and make_engine put them back. */
void signals_keep(void);
void signals_restore(void);

/* An engine for a few instances; `change` (may be NULL) edits the settings first. Fails the test
 * when it cannot be had. */
struct hf_engine *make_engine(void (*change)(struct hf_engine_settings *s));
/* The one that a program's tests share: cmocka's group set-up and tear-down. */
extern struct hf_engine *engine;
int engine_set_up(void **state);
int engine_tear_down(void **state);
void set_no_threads(
    struct hf_engine_settings *s); /* compiles on the calling thread: for children of a fork */

/* Exports that compute for ever ("spin"), so many turns ("count"), and call its import ("note"). */
extern const char spins[];

void wat(const char *text, struct hf_buf *ret);
struct hf_module *make_module(struct hf_engine *e, const char *text);
struct hf_store *make_store(struct hf_engine *e);

/* A module and its one instance, without or with imports. */
struct guest {
    struct hf_engine *engine;
    struct hf_module *module;
    struct hf_store *store;
    struct hf_core core;
};
void guest_new(struct guest *g, struct hf_engine *e, const char *text,
               const struct hf_func *imports, size_t n);
void guest_done(struct guest *g); /* module and store; the engine is the test's */
struct hf_func guest_func(struct guest *g, const char *name);
struct hf_func core_func(struct hf_store *s, const struct hf_core *core, const char *name);
/* An import of type (i32 x n_params) -> (i32 x n_results). */
struct hf_func make_import(struct hf_store *s, uint32_t n_params, uint32_t n_results,
                           hf_import_fn fn, void *env);

/* One call of a guest function as a driver, polled to its end; i32 in, i32 out. */
struct call {
    struct hf_store *store;
    struct hf_func func;
    union hf_val vals[16];
    unsigned polls; /* that said HF_AGAIN */
};
enum hf_err call_driver(void *ctx); /* ctx is a struct call */
enum hf_err call_i32(struct guest *g, const char *name, int32_t arg, int32_t *result);
enum hf_err run(struct hf_store *s, hf_driver_fn fn, void *ctx);

/* Runs fn in a child process, its output thrown away; returns its wait status. It must not use the
 * test's engine. */
int in_child(void (*fn)(void *arg), void *arg);
#define assert_child_died(status) assert_int_not_equal((status), 0)
#define assert_child_fine(status) assert_int_equal((status), 0)

/* A directory of its own below the temporary one, and its end with all that is in it. */
char *make_dir(void);
void remove_dir(char *dir);

#define assert_report(rep, want)                                                                   \
    do {                                                                                           \
        if (strstr((rep)->text, (want)) == NULL)                                                   \
            fail_msg("expected \"%s\" in: %s", (want), (rep)->text);                               \
    } while (0)
#define assert_no_report(rep, wrong)                                                               \
    do {                                                                                           \
        if (strstr((rep)->text, (wrong)) != NULL)                                                  \
            fail_msg("unexpected \"%s\" in: %s", (wrong), (rep)->text);                            \
    } while (0)

#endif
