//! `bindings`: what `wit-bindgen c` writes for a world.

use anyhow::{Context, Result};
use std::path::Path;
use wit_bindgen_core::Files;

pub fn write(wit: &Path, world: &str, out: &Path) -> Result<()> {
    let (mut resolve, package) = crate::load::package(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)
        .context("cannot generate C bindings")?;
    for (name, bytes) in files.iter() {
        crate::write(&out.join(name), bytes)?;
    }
    Ok(())
}
