/* module_fuzz.c - any bytes as a core module: read, gated, rewritten.
 * rooms: base
 * files: src/engine/wasm.c src/engine/gate.c src/engine/rewrite.c
 *
 * Promises checked, beside memory safety and no assertion:
 *   - an error comes with words;
 *   - what the validator calls valid is read, gated without an instruction we do not know, and
 * rewritten (unless it uses the reserved names), and what comes out is valid again;
 *   - reading what was rewritten gives the same imports, the same exports and those added, and no
 * start section, and the gate says the same of it.
 */
#include <hf_deps.h>
#include <stdlib.h>

#include "engine/engine_int.h"

#define ALL                                                                                        \
    (HF_DEPS_VALIDATE_GC | HF_DEPS_VALIDATE_THREADS) /* and no drafts: Wasmtime takes none */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool valid(struct hf_view bytes)
{
    char *text = hf_deps_validate(bytes.ptr, bytes.len, ALL);
    hf_deps_string_free(text);
    return text == NULL;
}

static bool clashes(const struct hf_wasm *w)
{
    for (size_t i = 0; i < w->exports.len; i++)
        if (hf_view_starts(w->exports.ptr[i].name, HF_VIEW(HF_RESERVED)))
            return true;
    return false;
}

static size_t added(const struct hf_wasm *w)
{
    size_t n = w->memories.len - w->imported_memories + w->has_start;
    for (uint32_t i = 0; i < w->globals.len; i++)
        n += hf_wasm_own_global(w, i);
    return n;
}

static void check_rewritten(const struct hf_wasm *w, struct hf_view bytes, uint32_t gate)
{
    struct hf_wasm again;
    struct hf_report report = {0};
    uint32_t gate_again;
    HF_ASSERT(hf_wasm_read(bytes, &again, &report) == HF_OK);
    HF_ASSERT(!again.has_start);
    HF_ASSERT(again.imports.len == w->imports.len);
    HF_ASSERT(again.exports.len == w->exports.len + added(w));
    for (size_t i = 0; i < w->exports.len; i++)
        HF_ASSERT(hf_view_eq(again.exports.ptr[i].name, w->exports.ptr[i].name) &&
                  again.exports.ptr[i].kind == w->exports.ptr[i].kind);
    HF_ASSERT(hf_gate_scan(&again, &gate_again, &report) == HF_OK && gate_again == gate);
    hf_wasm_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_view bytes = hf_view(data, size);
    struct hf_wasm w;
    struct hf_report report = {0};
    struct hf_buf out = {0};
    uint32_t gate = 0;
    bool component = size >= 8 && data[6] == 1;
    bool good = !component && valid(bytes);
    enum hf_err err = hf_wasm_read(bytes, &w, &report);
    HF_ASSERT(err == HF_OK || report.len > 0);
    HF_ASSERT(err == HF_OK || err == HF_UNSUPPORTED || !good);
    if (err == HF_OK) {
        err = hf_gate_scan(&w, &gate, &report);
        HF_ASSERT(err == HF_OK || (report.len > 0 && !good));
        HF_ASSERT(!good || (gate & HF_GATE_UNKNOWN) == 0);
    }
    if (err == HF_OK) {
        err = hf_wasm_rewrite(&w, &out, &report);
        HF_ASSERT((err == HF_OK) == !clashes(&w));
    }
    if (err == HF_OK) {
        check_rewritten(&w, hf_buf_view(&out), gate);
        HF_ASSERT(!good || valid(hf_buf_view(&out)));
    }
    hf_buf_done(&out);
    hf_wasm_done(&w);
    return 0;
}
