/* sig.c - Wasmtime's function types by signature, made once an engine.
 *
 * Making a function type goes through the engine's registry of types under a lock and takes a dozen
 * allocations; every import of every instance needs one, and there are few different ones. They are
 * kept until the engine ends.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

#define SIGS_MAX 4096 /* signatures kept; what comes after is made anew each time */
#define KEY_MAX  256  /* values of a signature kept */

struct sig {
    wasm_functype_t *type;
    size_t len;
    uint8_t key[];
};

void hf_sigs_init(struct hf_sigs *sigs, uint64_t seed)
{
    static const wasm_valkind_t kinds[] = {
        [HF_I32] = WASM_I32, [HF_I64] = WASM_I64,         [HF_F32] = WASM_F32,
        [HF_F64] = WASM_F64, [HF_FUNCREF] = WASM_FUNCREF, [HF_EXTERNREF] = WASM_EXTERNREF,
    };
    HF_ASSERT(pthread_mutex_init(&sigs->lock, NULL) == 0);
    hf_map_init(&sigs->map, SIGS_MAX);
    sigs->map.seed = seed;
    for (size_t i = 0; i < HF_REF_OTHER; i++)
        sigs->vals[i] = i == HF_V128 ? wasmtime_wasm_valtype_v128() : wasm_valtype_new(kinds[i]);
}

void hf_sigs_done(struct hf_sigs *sigs)
{
    struct sig *sig;
    if (sigs->vals[0] == NULL) /* never made */
        return;
    for (size_t i = 0; (sig = hf_map_next(&sigs->map, &i)) != NULL;) {
        wasm_functype_delete(sig->type);
        free(sig);
    }
    hf_map_done(&sigs->map);
    for (size_t i = 0; i < HF_REF_OTHER; i++)
        wasm_valtype_delete(sigs->vals[i]);
    pthread_mutex_destroy(&sigs->lock);
}

static void fill(const struct hf_sigs *sigs, const enum hf_core_type *types, uint32_t n,
                 wasm_valtype_vec_t *ret)
{
    wasm_valtype_vec_new_uninitialized(ret, n);
    for (uint32_t i = 0; i < n; i++)
        ret->data[i] = wasm_valtype_copy(sigs->vals[types[i]]);
}

static wasm_functype_t *make(const struct hf_sigs *sigs, const struct hf_functype *type)
{
    wasm_valtype_vec_t params, results;
    fill(sigs, type->params, type->n_params, &params);
    fill(sigs, type->results, type->n_results, &results);
    return wasm_functype_new(&params, &results);
}

static bool can_make(const struct hf_functype *type)
{
    for (uint32_t i = 0; i < type->n_params; i++)
        if (type->params[i] >= HF_REF_OTHER)
            return false;
    for (uint32_t i = 0; i < type->n_results; i++)
        if (type->results[i] >= HF_REF_OTHER)
            return false;
    return true;
}

const wasm_functype_t *hf_sigs_get(struct hf_sigs *sigs, const struct hf_functype *type,
                                   bool *owned)
{
    uint8_t key[KEY_MAX];
    size_t len = (size_t)type->n_params + 1 + type->n_results;
    *owned = false;
    if (!can_make(type))
        return NULL;
    if (len > sizeof key) {
        *owned = true;
        return make(sigs, type);
    }
    for (uint32_t i = 0; i < type->n_params; i++)
        key[i] = (uint8_t)type->params[i];
    key[type->n_params] = UINT8_MAX;
    for (uint32_t i = 0; i < type->n_results; i++)
        key[type->n_params + 1 + i] = (uint8_t)type->results[i];

    pthread_mutex_lock(&sigs->lock);
    struct sig *sig = hf_map_get(&sigs->map, hf_view(key, len));
    const wasm_functype_t *ret = sig == NULL ? NULL : sig->type;
    if (sig == NULL) {
        wasm_functype_t *made = make(sigs, type);
        sig = malloc(sizeof *sig + len);
        if (sig != NULL) {
            *sig = (struct sig){.type = made, .len = len};
            memcpy(sig->key, key, len);
        }
        if (sig == NULL || hf_map_put(&sigs->map, hf_view(sig->key, len), sig, NULL) != HF_OK) {
            free(sig); /* full: the type is the caller's */
            *owned = true;
        }
        ret = made;
    }
    pthread_mutex_unlock(&sigs->lock);
    return ret;
}
