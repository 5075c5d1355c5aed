/* call.c - across the border: imports going out, calls going in.
 *
 * Both ways are unchecked: one array of raw values, no types at run time (T6, T9). What makes that
 * safe is done once, when things are linked: Wasmtime checks the type of every import, and whoever
 * calls a guest function has asked hf_func_is.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

/* ---- imports ---- */

static wasm_trap_t *enter_import(void *arg, wasmtime_caller_t *caller, wasmtime_val_raw_t *vals,
                                 size_t n)
{
    struct hf_import *im = arg;
    (void)caller;
    (void)n;
    enum hf_err err = im->fn(im->env, (union hf_val *)vals);
    if (HF_UNLIKELY(err != HF_OK || im->store->dying))
        return hf_trap_raise(im->store, err == HF_OK ? HF_CANCELLED : err);
    return NULL;
}

static struct hf_import *new_import(struct hf_store *s)
{
    struct hf_import_chunk *c = s->imports;
    if (c == NULL || c->len == HF_IMPORTS_CHUNK) {
        c = malloc(sizeof *c);
        if (c == NULL)
            return NULL;
        c->older = s->imports;
        c->len = 0;
        s->imports = c;
    }
    return &c->at[c->len++];
}

enum hf_err hf_func_new(struct hf_store *store, const struct hf_functype *type, hf_import_fn fn,
                        void *env, struct hf_func *ret)
{
    bool owned;
    const wasm_functype_t *wt = hf_sigs_get(&store->engine->sigs, type, &owned);
    if (wt == NULL)
        return HF_UNSUPPORTED;
    struct hf_import *im = new_import(store);
    if (im != NULL) {
        *im = (struct hf_import){.fn = fn, .env = env, .store = store};
        wasmtime_func_new_unchecked(store->cx, wt, enter_import, im, NULL, (wasmtime_func_t *)ret);
    }
    if (owned)
        wasm_functype_delete((wasm_functype_t *)(uintptr_t)wt);
    return im == NULL ? HF_LIMIT : HF_OK;
}

/* ---- types ---- */

/* By equality, not by kind: asking Wasmtime for the kind of an unusual reference type aborts the
 * process. */
static bool same(const struct hf_sigs *sigs, const wasm_valtype_vec_t *have, uint32_t n,
                 const enum hf_core_type *want)
{
    if (have->size != n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (want[i] >= HF_REF_OTHER ||
            !wasmtime_wasm_valtype_equal(have->data[i], sigs->vals[want[i]]))
            return false;
    return true;
}

bool hf_func_is(struct hf_store *store, const struct hf_func *f, const struct hf_functype *type)
{
    const struct hf_sigs *sigs = &store->engine->sigs;
    wasm_functype_t *t = wasmtime_func_type(store->cx, (const wasmtime_func_t *)f);
    bool ok = same(sigs, wasm_functype_params(t), type->n_params, type->params) &&
              same(sigs, wasm_functype_results(t), type->n_results, type->results);
    wasm_functype_delete(t);
    return ok;
}

/* ---- calls ---- */

/* The report of a failure that somebody dealt with makes room for the next. */
static inline enum hf_err call(struct hf_store *s, const struct hf_func *f, union hf_val *vals,
                               size_t n)
{
    if (HF_UNLIKELY(s->traced))
        hf_store_report_clear(s);
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = wasmtime_func_call_unchecked(s->cx, (const wasmtime_func_t *)f,
                                                           (wasmtime_val_raw_t *)vals, n, &trap);
    if (HF_UNLIKELY(error != NULL || trap != NULL))
        return hf_trap_caught(s, error, trap);
    return HF_OK;
}

void hf_store_off_begin(struct hf_store *s)
{
    HF_ASSERT(!s->live); /* T5: its guest stands in the middle of something */
    if (s->off_depth++ > 0)
        return;
    s->off_left = s->engine->settings.offfiber_ticks;
    s->off_step = s->off_left < s->slice_ticks ? s->off_left : s->slice_ticks;
    hf_ticker_enter(&s->engine->ticker, s->shard);
    wasmtime_context_set_epoch_deadline(s->cx, s->off_step);
}

void hf_store_off_end(struct hf_store *s)
{
    if (--s->off_depth == 0)
        hf_ticker_leave(&s->engine->ticker, s->shard);
}

/* Nested entries keep the stack limit and the time of the first. */
static enum hf_err call_off_fiber(struct hf_store *s, const struct hf_func *f, union hf_val *vals,
                                  size_t n)
{
    hf_store_off_begin(s);
    if (s->off_depth == 1)
        hf_store_report_clear(s);
    enum hf_err err = call(s, f, vals, n);
    hf_store_off_end(s);
    return err;
}

enum hf_err hf_store_call(struct hf_store *store, const struct hf_func *f, union hf_val *vals,
                          size_t n_vals)
{
    if (HF_UNLIKELY(store->dying))
        return HF_CANCELLED;
    if (HF_UNLIKELY(!store->on_fiber))
        return call_off_fiber(store, f, vals, n_vals);
    if (HF_UNLIKELY(!hf_store_stack_ok(store)))
        return hf_trap_stack(store);
    return call(store, f, vals, n_vals);
}
