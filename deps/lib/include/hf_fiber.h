/*
 * A function called on a fiber of a store again and again (deps/lib/src/fiber.rs): what
 * wasmtime_func_call_async and wasmtime_call_future_* do, less what they do anew for each call.
 * All of it on the store's thread.
 */
#ifndef HF_FIBER_H
#define HF_FIBER_H

#include <wasmtime.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_deps_fiber hf_deps_fiber;

/*
 * For calls of `func`, which takes and returns nothing. NULL: it is another function. Free it before
 * its store is deleted; `func` is copied.
 */
hf_deps_fiber *hf_deps_fiber_new(wasmtime_context_t *store, const wasmtime_func_t *func);
void hf_deps_fiber_free(hf_deps_fiber *fiber); /* NULL is allowed */

/* Begins a call; nothing runs yet. One at a time. */
void hf_deps_fiber_begin(hf_deps_fiber *fiber, wasmtime_context_t *store);
/*
 * Runs until the call ends (true) or suspends. *error: why it failed, traps too, owned by the caller;
 * else NULL.
 */
bool hf_deps_fiber_poll(hf_deps_fiber *fiber, wasmtime_error_t **error);
/* After the last poll, and instead of it: a suspended call is resumed with an error, and unwinds. */
void hf_deps_fiber_end(hf_deps_fiber *fiber);

#ifdef __cplusplus
}
#endif

#endif
