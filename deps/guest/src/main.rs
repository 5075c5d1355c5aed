//! `holdfast-guest`: C bindings, components and encoded WIT packages, over the Bytecode
//! Alliance's libraries. One small program instead of two tools that each take minutes to build.

mod bindings;
mod component;
mod encode;
mod load;
mod wasi;

use anyhow::{Context, Result};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "holdfast-guest: makes what a guest needs

  bindings WIT WORLD OUT_DIR   C bindings of a world: OUT_DIR/WORLD.c, WORLD.h and
                               WORLD_component_type.o. WIT is a file, or a folder with an optional
                               deps/ folder; WASI 0.2 packages it names need not be there.
  component IN.wasm OUT.wasm   a component out of a core module linked with these bindings. The
                               WASI preview 1 adapter is added only if the module imports it.
  encode OUT_DIR [WIT...]      each WIT package as binary component types, OUT_DIR/NAME.wasm;
                               without WIT: the WASI packages in this program.
  wit OUT_DIR [VERSION]        writes the WASI WIT texts, OUT_DIR/wasi-NAME/NAME.wit; VERSION is
                               0.2.2 to 0.2.12 (default).
  --version

Exit codes: 0 done; 1 failed, the reason on stderr; 2 wrong usage.";

/// Reads a file whole, with its name in the error.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file whole, making its folder, with its name in the error.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn run(args: &[&str]) -> Option<Result<()>> {
    let path = Path::new;
    Some(match *args {
        ["bindings", wit, world, out] => bindings::write(path(wit), world, path(out)),
        ["component", input, output] => component::make(path(input), path(output)),
        ["encode", out, ref wits @ ..] => encode::packages(path(out), wits),
        ["wit", out] => wasi::dump(path(out), wasi::NEWEST),
        ["wit", out, version] => {
            wasi::patch(version).and_then(|patch| wasi::dump(path(out), patch))
        }
        ["--version"] => {
            println!(
                "holdfast-guest {} (WASI 0.2.{})",
                env!("CARGO_PKG_VERSION"),
                wasi::NEWEST
            );
            Ok(())
        }
        ["--help"] | ["help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => return None,
    })
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("holdfast-guest: {error:#}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
