//! `encode`: WIT packages as component types in binary, which is how Holdfast's C parser reads the
//! signatures of the interfaces it implements: it needs no WIT parser of its own.
//!
//! The file is a component that exports, for each interface and world of the package, a component
//! type named after it. The one of interface `types` holds one export `wasi:http/types@0.2.12`,
//! an instance type with all functions and resources, and imports the interfaces whose types it
//! uses. Items behind an `@unstable` gate are left out.

use anyhow::{Context, Result};
use std::path::Path;
use wit_parser::{PackageId, Resolve};

fn one(out: &Path, resolve: &Resolve, package: PackageId) -> Result<()> {
    let name = &resolve.packages[package].name;
    let bytes = wit_component::encode(resolve, package, false)
        .with_context(|| format!("cannot encode {name}"))?;
    let file = match name.namespace.as_str() {
        "wasi" => format!("{}.wasm", name.name),
        other => format!("{other}-{}.wasm", name.name),
    };
    crate::write(&out.join(file), &bytes)
}

pub fn packages(out: &Path, wits: &[&str]) -> Result<()> {
    for wit in wits {
        let (resolve, package) = crate::load::package(Path::new(wit))?;
        one(out, &resolve, package)?;
    }
    if wits.is_empty() {
        for (name, text) in crate::wasi::TEXTS {
            let (resolve, package) = crate::load::wasi(name, text)?;
            one(out, &resolve, package)?;
        }
    }
    Ok(())
}
