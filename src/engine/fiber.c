/* fiber.c - the fiber of a store: a driver that runs, waits, is put aside when its time is up, or
 * is unwound.
 *
 * The driver is a host function started as if it were a guest's (T4): Wasmtime makes the fiber, and
 * C runs on it in a straight line. To wait, it calls `block`, the only async function there is;
 * that suspends the fiber, and the poll that was running it returns. Guest code that runs too long
 * comes to the epoch callback and is suspended there in the same way. Nothing wakes a fiber:
 * whoever polls knows why (T5).
 *
 * `block` never enters a guest (T2) and is never called when the store is dying or off the fiber:
 * both would abort the process. It has a second use. Wasmtime refuses to make an instance on a
 * fiber ("cannot do blocking `call` from an async context"), because guest code could suspend
 * there; inside an async function it allows it, and with start sections removed there is no guest
 * code. So hf_core_new on the fiber happens inside `block`, which then does not suspend.
 */
#include "engine/engine_int.h"

#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_MODULE "holdfast"
#define BLOCK_NAME   "block"
#define DRIVER_NAME  "driver"

/* ---- block ---- */

static bool go_on(void *arg)
{
    struct hf_store *s = arg;
    if (s->resumed)
        return true;
    s->resumed = true; /* polled once now, by Wasmtime, and once when the fiber continues */
    return false;
}

static bool at_once(void *arg)
{
    (void)arg;
    return true;
}

/* Compiled initialisers may run here (segments that cannot be mapped): the callback must not
 * suspend them. */
static void carry_out(struct hf_store *s, struct hf_new_task *task)
{
    s->on_fiber = false;
    s->off_left = s->engine->settings.offfiber_ticks;
    s->off_step = s->slice_ticks;
    task->error = wasmtime_instance_new(s->cx, task->module->wasm, task->imports, task->n_imports,
                                        &task->instance, &task->trap);
    s->on_fiber = true;
}

static void enter_block(void *env, wasmtime_caller_t *caller, const wasmtime_val_t *args,
                        size_t n_args, wasmtime_val_t *results, size_t n_results,
                        wasm_trap_t **trap, wasmtime_async_continuation_t *next)
{
    (void)env, (void)args, (void)n_args, (void)results, (void)n_results, (void)trap;
    struct hf_store *s = wasmtime_context_get_data(wasmtime_caller_context(caller));
    next->env = s;
    if (s->task != NULL) {
        carry_out(s, s->task);
        next->callback = at_once;
        return;
    }
    s->resumed = false;
    s->why = HF_WHY_BLOCK;
    next->callback = go_on;
}

/* Off the fiber or dying this aborts the process: the callers have looked. HF_CANCELLED: its call
 * was deleted. */
static enum hf_err call_block(struct hf_store *s)
{
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = wasmtime_func_call_unchecked(s->cx, &s->block, NULL, 0, &trap);
    if (HF_LIKELY(error == NULL && trap == NULL))
        return HF_OK;
    if (error != NULL)
        wasmtime_error_delete(error);
    if (trap != NULL)
        wasm_trap_delete(trap);
    s->dying = true;
    return HF_CANCELLED;
}

enum hf_err hf_store_block(struct hf_store *store)
{
    if (store->dying)
        return HF_CANCELLED;
    if (!store->on_fiber)
        return HF_UNSUPPORTED;
    return call_block(store);
}

enum hf_err hf_store_instantiate(struct hf_store *s, struct hf_new_task *task)
{
    if (s->dying)
        return HF_CANCELLED;
    if (!s->on_fiber) {
        hf_store_off_begin(s);
        task->error = wasmtime_instance_new(s->cx, task->module->wasm, task->imports,
                                            task->n_imports, &task->instance, &task->trap);
        hf_store_off_end(s);
        return HF_OK;
    }
    if (!hf_store_stack_ok(s))
        return hf_trap_stack(s);
    s->task = task;
    enum hf_err err = call_block(s);
    s->task = NULL;
    return err;
}

/* ---- time ---- */

wasmtime_error_t *hf_store_on_epoch(wasmtime_context_t *cx, void *data, uint64_t *delta,
                                    wasmtime_update_deadline_kind_t *kind)
{
    struct hf_store *s = data;
    (void)cx;
    if (s->dying)
        return wasmtime_error_new("cancelled");
    if (s->on_fiber) {
        s->why = HF_WHY_SLICE;
        *delta = s->slice_ticks / HF_SPENT_SHARE; /* from when it goes on */
        if (*delta == 0)
            *delta = 1;
        *kind = WASMTIME_UPDATE_DEADLINE_YIELD;
        return NULL;
    }
    if (s->off_left <= s->off_step) {
        const struct hf_engine_settings *es = &s->engine->settings;
        hf_report_set(&s->report, HF_TIMEOUT,
                      "interrupted: the guest ran for %llu ms where it cannot be put aside",
                      (unsigned long long)es->offfiber_ticks * es->tick_us / 1000);
        return wasmtime_error_new("interrupted");
    }
    s->off_left -= s->off_step;
    s->off_step = s->off_left < s->slice_ticks ? s->off_left : s->slice_ticks;
    *delta = s->off_step;
    *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
    return NULL;
}

/* ---- the driver ---- */

/* HF_STACK_TOP covers what Wasmtime used of the fiber before us. */
static wasm_trap_t *enter_driver(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *vals,
                                 size_t n)
{
    (void)env, (void)vals, (void)n;
    struct hf_store *s = wasmtime_context_get_data(wasmtime_caller_context(caller));
    s->stack_at = (uintptr_t)__builtin_frame_address(0);
    s->stack_low =
        (uintptr_t)__builtin_frame_address(0) - s->engine->settings.fiber_stack + HF_STACK_TOP;
    s->fn_err = s->fn(s->fn_ctx);
    return NULL;
}

enum hf_err hf_fiber_define(struct hf_engine *engine, struct hf_report *report)
{
    wasmtime_linker_t *l = engine->linker;
    wasmtime_error_t *error = wasmtime_linker_define_async_func(
        l, BLOCK_MODULE, strlen(BLOCK_MODULE), BLOCK_NAME, strlen(BLOCK_NAME), engine->void_type,
        enter_block, NULL, NULL);
    if (error == NULL)
        error = wasmtime_linker_define_func_unchecked(l, BLOCK_MODULE, strlen(BLOCK_MODULE),
                                                      DRIVER_NAME, strlen(DRIVER_NAME),
                                                      engine->void_type, enter_driver, NULL, NULL);
    if (error == NULL)
        return HF_OK;
    struct hf_buf text = {0};
    hf_trap_error_text(error, &text);
    hf_report_set(report, HF_UNSUPPORTED, "making an engine: %s",
                  text.ptr == NULL ? "" : (const char *)text.ptr);
    hf_buf_done(&text);
    return HF_UNSUPPORTED;
}

/* Fetched, not linked as an import: a store with an async import may not be entered off the fiber
 * (T1). */
static bool fetch(struct hf_store *s, const char *name, wasmtime_func_t *ret)
{
    wasmtime_extern_t e;
    if (!wasmtime_linker_get(s->engine->linker, s->cx, BLOCK_MODULE, strlen(BLOCK_MODULE), name,
                             strlen(name), &e))
        return false;
    HF_ASSERT(e.kind == WASMTIME_EXTERN_FUNC);
    *ret = e.of.func;
    return true;
}

bool hf_fiber_fetch(struct hf_store *s)
{
    wasmtime_func_t driver;
    if (!fetch(s, BLOCK_NAME, &s->block) || !fetch(s, DRIVER_NAME, &driver))
        return false;
    s->fiber = hf_deps_fiber_new(s->cx, &driver);
    return s->fiber != NULL;
}

/* ---- start, poll, cancel ---- */

enum hf_err hf_store_start(struct hf_store *store, hf_driver_fn fn, void *ctx)
{
    HF_ASSERT(!store->live && store->off_depth == 0); /* T5: one at a time */
    if (store->dying)
        return HF_CANCELLED;
    hf_store_report_clear(store);
    store->fn = fn;
    store->fn_ctx = ctx;
    store->fn_err = HF_CANCELLED; /* until the driver says otherwise */
    store->why = HF_WHY_NONE;
    store->polled = false;
    store->fiber_error = NULL;
    store->live = true;
    hf_deps_fiber_begin(store->fiber, store->cx);
    return HF_OK;
}

static void end_fiber(struct hf_store *s)
{
    hf_deps_fiber_end(s->fiber);
    s->live = false;
}

/* Our driver never fails towards Wasmtime, so a failed call is one that had no fiber to begin on. */
static enum hf_err no_fiber(struct hf_store *s)
{
    struct hf_buf text = {0};
    hf_trap_error_text(s->fiber_error, &text);
    s->fiber_error = NULL;
    hf_report_set(&s->report, HF_LIMIT, "no stack for another fiber (stacks_max = %u): %s",
                  s->engine->settings.stacks_max, text.ptr == NULL ? "" : (const char *)text.ptr);
    hf_buf_done(&text);
    return HF_LIMIT;
}

enum hf_err hf_store_poll(struct hf_store *store)
{
    HF_ASSERT(store->live && !store->on_fiber);
    if (!store->polled) {
        store->polled = true;
        store->thread = pthread_self();
    }
    HF_ASSERT(pthread_equal(store->thread,
                            pthread_self())); /* T5: C frames may hold addresses of the thread */
    store->why = HF_WHY_NONE;
    store->on_fiber = true;
    hf_ticker_enter(&store->engine->ticker, store->shard);
    wasmtime_context_set_epoch_deadline(store->cx, store->slice_ticks);
    bool done = hf_deps_fiber_poll(store->fiber, &store->fiber_error);
    hf_ticker_leave(&store->engine->ticker, store->shard);
    store->on_fiber = false;
    if (!done)
        return HF_AGAIN;
    end_fiber(store);
    return HF_UNLIKELY(store->fiber_error != NULL) ? no_fiber(store) : store->fn_err;
}

/* A store keeps the stack of its last driver, Wasmtime has no way to take it back; its pages have one. All between
 * stack_low and the driver's frame lies in the stack (HF_STACK_TOP), and nothing of a fiber that has ended is read again. */
void hf_store_rest(struct hf_store *store)
{
    HF_ASSERT(!store->on_fiber);
    if (store->live || store->stack_at == 0)
        return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (store->stack_low + page - 1) & ~(page - 1), to = (store->stack_at | (page - 1)) + 1;
    (void)madvise((void *)from, to - from, MADV_DONTNEED); /* it refuses: they stay */
    store->stack_at = 0;
}

enum hf_why hf_store_why(const struct hf_store *store)
{
    return store->why;
}

bool hf_store_running(const struct hf_store *store)
{
    return store->live;
}

bool hf_store_on_fiber(const struct hf_store *store)
{
    return store->on_fiber;
}

void hf_store_cancel(struct hf_store *store)
{
    store->dying = true;
    if (!store->live || store->on_fiber) /* from inside: the import that runs now is the last */
        return;
    end_fiber(store); /* resumes it with an error: the C frames unwind before this returns */
}
