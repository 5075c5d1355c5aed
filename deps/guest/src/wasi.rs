//! The WASI 0.2 packages in this program, as text, at any patch version a guest may name.
//!
//! Only the newest is embedded. An older one is the same text with the version replaced and the
//! items that came later left out: their `@since` gate says so, and each is a single statement.

use anyhow::{bail, Context, Result};
use std::path::Path;
use wit_parser::PackageName;

include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// The patch number of the embedded texts: 0.2.12.
pub const NEWEST: u64 = 12;
/// Older texts than this would need more than leaving items out.
const OLDEST: u64 = 2;

/// The patch number of a version `0.2.N` that these texts can be brought to.
pub fn patch(version: &str) -> Result<u64> {
    let number = version
        .strip_prefix("0.2.")
        .and_then(|patch| patch.parse().ok());
    match number {
        Some(patch) if (OLDEST..=NEWEST).contains(&patch) => Ok(patch),
        _ => bail!("WASI {version} is not among 0.2.{OLDEST} to 0.2.{NEWEST}"),
    }
}

fn since(line: &str) -> Option<u64> {
    line.trim()
        .strip_prefix("@since(version = 0.2.")?
        .strip_suffix(')')?
        .parse()
        .ok()
}

fn at(text: &str, patch: u64) -> String {
    let mut out = String::with_capacity(text.len());
    let mut skipping = false;
    for line in text.lines() {
        skipping |= since(line).is_some_and(|first| first > patch);
        if !skipping {
            out.push_str(&line.replace("@0.2.12", &format!("@0.2.{patch}")));
            out.push('\n');
        } else if line.trim_end().ends_with(';') {
            skipping = false;
        }
    }
    out
}

/// The text of a WASI package by its full name, if it is one of ours.
pub fn text(name: &PackageName) -> Option<String> {
    let version = name.version.as_ref()?.to_string();
    let (_, text) = TEXTS
        .iter()
        .find(|(ours, _)| name.namespace == "wasi" && name.name == *ours)?;
    Some(at(text, patch(&version).ok()?))
}

/// Writes every package into its own folder, the layout a `deps/` folder has.
pub fn dump(folder: &Path, patch: u64) -> Result<()> {
    for (name, text) in TEXTS {
        let path = folder
            .join(format!("wasi-{name}"))
            .join(format!("{name}.wit"));
        crate::write(&path, at(text, patch).as_bytes()).context("dumping the WASI texts")?;
    }
    Ok(())
}
