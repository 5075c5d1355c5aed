//! Compiles llhttp and gathers the headers of everything in the archive into one folder:
//! `HF_DEPS_INCLUDE` if set (tools/deps sets it), else `include` in this script's output folder.

use std::path::{Path, PathBuf};
use std::{env, fs};

include!("../find.rs");

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make the include folder");
    for entry in fs::read_dir(from).expect("read an include folder") {
        let entry = entry.expect("read an include folder");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy a header");
        }
    }
}

fn main() {
    println!("cargo:rerun-if-env-changed=HF_DEPS_INCLUDE");
    println!("cargo:rerun-if-changed=include");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../find.rs");
    println!("cargo:rerun-if-changed=../Cargo.lock");

    let include = env::var_os("HF_DEPS_INCLUDE").map_or_else(
        || Path::new(&env::var_os("OUT_DIR").expect("run by cargo")).join("include"),
        PathBuf::from,
    );
    // Emptied first: a header that a newer version dropped must not stay.
    if include.exists() {
        fs::remove_dir_all(&include).expect("empty the include folder");
    }
    copy_tree(
        Path::new(&env::var("DEP_WASMTIME_C_API_INCLUDE").expect("wasmtime")),
        &include,
    );
    copy_tree(Path::new("include"), &include);
    let sqlite = PathBuf::from(env::var("DEP_SQLITE3_INCLUDE").expect("sqlite"));
    for header in ["sqlite3.h", "sqlite3ext.h"] {
        fs::copy(sqlite.join(header), include.join(header)).expect("copy an SQLite header");
    }

    // No crate is llhttp alone; the crate of nghttp2 (same use: HTTP) carries its C source.
    let llhttp = crate_dir("libnghttp2-sys", "0.1.13+1.68.1").join("nghttp2/third-party/llhttp");
    copy_tree(&llhttp.join("include"), &include);
    cc::Build::new()
        .include(llhttp.join("include"))
        .files(["api.c", "http.c", "llhttp.c"].map(|file| llhttp.join("src").join(file)))
        .warnings(false)
        .compile("llhttp");
}
