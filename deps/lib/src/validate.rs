//! `hf_deps_validate`: full validation of a core module or a component before our own parser
//! reads it. The feature set is stated here, never wasmparser's defaults: an upgrade must not
//! let new constructs through to a parser that does not know them.

use std::ffi::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use wasmparser::{Validator, WasmFeatures};

const ASYNC: u32 = 1 << 0;
const GC: u32 = 1 << 1;
const THREADS: u32 = 1 << 2;
const DRAFTS: u32 = 1 << 3;
const KNOWN: u32 = ASYNC | GC | THREADS | DRAFTS;

/// What every component may use: core WebAssembly 3.0 without garbage collection and threads
/// (each has a flag), and the component model that WASI 0.2 is built on.
fn features(flags: u32) -> WasmFeatures {
    let mut set = WasmFeatures::WASM2
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::MEMORY64
        | WasmFeatures::COMPONENT_MODEL;
    if flags & ASYNC != 0 {
        set |= WasmFeatures::CM_ASYNC
            | WasmFeatures::CM_ASYNC_STACKFUL
            | WasmFeatures::CM_MORE_ASYNC_BUILTINS
            | WasmFeatures::CM_THREADING
            | WasmFeatures::CM_ERROR_CONTEXT;
    }
    if flags & GC != 0 {
        set |= WasmFeatures::GC;
    }
    if flags & THREADS != 0 {
        set |= WasmFeatures::THREADS;
    }
    if flags & DRAFTS != 0 {
        set |= WasmFeatures::CM_FIXED_LENGTH_LISTS
            | WasmFeatures::CM_MAP
            | WasmFeatures::CM_IMPLEMENTS
            | WasmFeatures::CM_CANON_NAMES
            | WasmFeatures::CM_NESTED_NAMES
            | WasmFeatures::CM_VALUES;
    }
    set
}

fn check(bytes: &[u8], flags: u32) -> Result<(), String> {
    if flags & !KNOWN != 0 {
        return Err(format!("unknown validation flags {:#x}", flags & !KNOWN));
    }
    Validator::new_with_features(features(flags))
        .validate_all(bytes)
        .map(drop)
        .map_err(|e| format!("{} (at byte {})", e.message(), e.offset()))
}

/// NULL if the bytes are valid, else a message that `hf_deps_string_free` frees.
///
/// # Safety
/// `bytes` points to `len` readable bytes (or `len` is 0) that nobody writes during the call.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_validate(bytes: *const u8, len: usize, flags: u32) -> *mut c_char {
    let view = match (bytes.is_null(), len) {
        (_, 0) => &[][..],
        (true, _) => return crate::c_string("no bytes given".to_string()),
        (false, _) => unsafe { std::slice::from_raw_parts(bytes, len) },
    };
    // A panic inside the validator is a bug there, and must not unwind into C frames.
    match catch_unwind(AssertUnwindSafe(|| check(view, flags))) {
        Ok(Ok(())) => std::ptr::null_mut(),
        Ok(Err(message)) => crate::c_string(message),
        Err(_) => crate::c_string("the validator failed on this input (a bug in it)".to_string()),
    }
}
