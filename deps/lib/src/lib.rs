//! The archive `libholdfast_deps.a`: libraries written in Rust (or packed by Cargo) that Holdfast
//! calls from C. Nothing here decides anything: it links Wasmtime's C API, SQLite and llhttp into
//! one archive and wraps wasmparser's validator and a TOML parser; their C side is `include/hf_*.h`.

// Named so that the linker keeps their exported C symbols in the archive.
extern crate libsqlite3_sys as _;
extern crate wasmtime_c_api as _;

mod fiber;
mod toml_read;
mod toml_tree;
mod validate;

use std::ffi::{c_char, CString};

/// Hands a message to C. Interior NUL bytes (a hostile name may hold them) become U+FFFD.
fn c_string(text: String) -> *mut c_char {
    let clean = text.replace('\0', "\u{fffd}");
    CString::new(clean).unwrap_or_default().into_raw()
}

/// Frees a string that a function of this archive returned. NULL is allowed.
///
/// # Safety
/// `text` comes from this archive and is freed once.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_string_free(text: *mut c_char) {
    if !text.is_null() {
        drop(unsafe { CString::from_raw(text) });
    }
}
