//! `component`: wraps a core module that carries its world's types (the bindings' `.o` file) into
//! a component, validated on the way out.

use anyhow::{Context, Result};
use std::path::Path;
use wasi_preview1_component_adapter_provider as adapters;
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The adapter a module needs: none unless it imports preview 1; a program with `_start` becomes
/// a command (`wasi:cli/run`), anything else a reactor.
fn adapter(module: &[u8]) -> Result<Option<&'static [u8]>> {
    let (mut preview1, mut start) = (false, false);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    preview1 |= import?.module == adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    start |= export?.name == "_start";
                }
            }
            _ => {}
        }
    }
    Ok(match (preview1, start) {
        (false, _) => None,
        (true, true) => Some(adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        (true, false) => Some(adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
    })
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default();
    encoder.module(module)?.validate(true);
    if let Some(bytes) = adapter(module)? {
        encoder.adapter(adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, bytes)?;
    }
    encoder.encode()
}

pub fn make(input: &Path, output: &Path) -> Result<()> {
    let module = crate::read(input)?;
    let component = encode(&module)
        .with_context(|| format!("cannot make a component of {}", input.display()))?;
    crate::write(output, &component)
}
