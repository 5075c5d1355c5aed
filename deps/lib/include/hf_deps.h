/*
 * What Holdfast's own part of the dependency archive (deps/lib) offers to C. Wasmtime, SQLite and
 * llhttp come with their own headers. This file is the C side of deps/lib/src, kept by hand because
 * it is two functions; it holds no policy: what is done with a verdict is the component room's job.
 */
#ifndef HF_DEPS_H
#define HF_DEPS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Flags of hf_deps_validate. Without any: core WebAssembly 3.0 except garbage collection and
 * threads (so: bulk memory, multi-value, reference types, SIMD and relaxed SIMD, tail calls,
 * extended constants, function references, exceptions, several memories, 64-bit memories), and the
 * component model as WASI 0.2 uses it. Whatever the engine's configuration refuses beyond that, it
 * refuses with its own message when it compiles.
 */
#define HF_DEPS_VALIDATE_ASYNC   (UINT32_C(1) << 0) /* the component model's async ABI (WASI 0.3) */
#define HF_DEPS_VALIDATE_GC      (UINT32_C(1) << 1) /* struct, array, i31 and their casts */
#define HF_DEPS_VALIDATE_THREADS (UINT32_C(1) << 2) /* shared memories and atomics */
#define HF_DEPS_VALIDATE_DRAFTS  (UINT32_C(1) << 3) /* fixed-length lists, maps, values, names */

/*
 * Validates `len` bytes, a core module or a component, whole (function bodies and nested
 * components too). `bytes` is borrowed, may be NULL when len is 0, and must not change during the
 * call: never pass a file mapping that a guest can write to.
 *
 * Returns NULL if valid, else a message in UTF-8, which for invalid bytes ends in "(at byte N)";
 * free it with hf_deps_string_free. Unknown flags are an error message too. Any thread, no state,
 * never unwinds. About 7 ms for a megabyte.
 */
char *hf_deps_validate(const uint8_t *bytes, size_t len, uint32_t flags);

/* Frees a string this archive returned. NULL is allowed. */
void hf_deps_string_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
