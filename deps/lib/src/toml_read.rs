//! `hf_deps_toml_read` and its end: the tree of `toml_tree` for C.

use crate::toml_tree::{read, Made, Node, Place};

const STACK: usize = 64 << 20; // the deepest tree the parser allows fits several times

#[repr(C)]
pub struct Tree {
    nodes: *const Node,
    n_nodes: usize,
    mistakes: *const Place,
    n_mistakes: usize,
    text: *const u8,
    kept: Made, // what the pointers look into
}

/// NULL when no thread could be started or the parser failed on the input (a bug in it).
///
/// # Safety
/// `bytes` points to `len` readable bytes.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_toml_read(bytes: *const u8, len: usize) -> *mut Tree {
    let copy = if len == 0 {
        vec![]
    } else {
        unsafe { std::slice::from_raw_parts(bytes, len) }.to_vec()
    };
    let thread = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || read(copy));
    let Some(kept) = thread.ok().and_then(|t| t.join().ok()) else {
        return std::ptr::null_mut();
    };
    let (nodes, mistakes, text) = (kept.0.as_ptr(), kept.1.as_ptr(), kept.2.as_ptr());
    let (n_nodes, n_mistakes) = (kept.0.len(), kept.1.len());
    Box::into_raw(Box::new(Tree {
        nodes,
        n_nodes,
        mistakes,
        n_mistakes,
        text,
        kept,
    }))
}

/// Frees a tree of `hf_deps_toml_read`. NULL is allowed.
///
/// # Safety
/// `tree` comes from this archive and is freed once.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_toml_free(tree: *mut Tree) {
    if !tree.is_null() {
        drop(unsafe { Box::from_raw(tree) });
    }
}
