/* validate.c - full validation of files, and the text format.
 *
 * The validator is the one Wasmtime itself uses, reached through deps/ because the C API cannot
 * validate components. It costs 70-110 ms for a 13 MB component: whoever calls keeps the verdict
 * (cache.c).
 */
#include "engine/engine_int.h"

#include <hf_deps.h>

/* Valid is one question, runnable another: what is well-formed but not here is told by name and
 * complete (HF_UNSUPPORTED), by the component room (the async ABI, drafts) or when its core modules
 * are compiled (garbage collection, threads). */
#define FEATURES                                                                                   \
    (HF_DEPS_VALIDATE_ASYNC | HF_DEPS_VALIDATE_GC | HF_DEPS_VALIDATE_THREADS |                     \
     HF_DEPS_VALIDATE_DRAFTS)

enum hf_err hf_engine_validate(const struct hf_engine *engine, struct hf_view bytes,
                               struct hf_report *report)
{
    (void)engine; /* one set of features for now */
    char *text = hf_deps_validate(bytes.ptr, bytes.len, FEATURES);
    if (text == NULL)
        return HF_OK;
    enum hf_err err = hf_report_set(report, HF_INVALID, "%s", text);
    hf_deps_string_free(text);
    return err;
}

enum hf_err hf_engine_wat(const char *text, size_t len, struct hf_buf *ret,
                          struct hf_report *report)
{
    wasm_byte_vec_t bytes;
    wasmtime_error_t *error = wasmtime_wat2wasm(text, len, &bytes);
    if (error == NULL) {
        enum hf_err err = hf_buf_add(ret, bytes.data, bytes.size);
        wasm_byte_vec_delete(&bytes);
        return err == HF_OK ? HF_OK : hf_report_set(report, err, "out of memory");
    }
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    wasmtime_error_delete(error);
    hf_report_set(report, HF_INVALID, "%.*s", (int)message.size, message.data);
    wasm_name_delete(&message);
    return HF_INVALID;
}
