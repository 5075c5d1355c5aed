//! Embeds the WIT of WASI 0.2.12, as crate wasip2 publishes it, into the program.

use std::fmt::Write;
use std::{env, fs, path::Path};

include!("../find.rs");

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../find.rs");
    println!("cargo:rerun-if-changed=../Cargo.lock");

    let folder = crate_dir("wasip2", "2.0.1+wasi-0.2.12").join("wit/deps");
    let mut table = String::from("pub const TEXTS: &[(&str, &str)] = &[\n");
    for name in [
        "io",
        "clocks",
        "random",
        "cli",
        "filesystem",
        "sockets",
        "http",
    ] {
        let path = folder.join(format!("{name}.wit"));
        assert!(path.is_file(), "{} is missing", path.display());
        writeln!(table, "    ({name:?}, include_str!({path:?})),").expect("a string grows");
    }
    table.push_str("];\n");
    let out = env::var_os("OUT_DIR").expect("run by cargo");
    fs::write(Path::new(&out).join("texts.rs"), table).expect("write the table");
}
