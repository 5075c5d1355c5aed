//! Parses a WIT package with its `deps/` folder and adds the WASI packages it names but does not
//! carry, so that a guest's own WIT stays a few lines.

use anyhow::{anyhow, Context, Result};
use std::collections::HashSet;
use std::path::Path;
use wit_parser::{PackageId, PackageName, Resolve, SourceMap, UnresolvedPackageGroup};

fn parse(map: SourceMap) -> Result<UnresolvedPackageGroup> {
    map.parse()
        .map_err(|(map, error)| anyhow!("{}", error.render(&map)))
}

fn parse_path(path: &Path) -> Result<UnresolvedPackageGroup> {
    let mut map = SourceMap::default();
    if path.is_dir() {
        map.push_dir(path)
    } else {
        map.push_file(path)
    }
    .with_context(|| format!("cannot read WIT at {}", path.display()))?;
    parse(map)
}

fn parse_deps(folder: &Path) -> Result<Vec<UnresolvedPackageGroup>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.is_dir() || path.extension().is_some_and(|ext| ext == "wit"));
    paths.sort();
    paths.iter().map(|path| parse_path(path)).collect()
}

/// Names of the packages a group defines, or those it refers to.
fn names(group: &UnresolvedPackageGroup, foreign: bool) -> Vec<PackageName> {
    let packages = std::iter::once(&group.main).chain(&group.nested);
    packages
        .flat_map(|package| match foreign {
            true => package.foreign_deps.keys().cloned().collect(),
            false => vec![package.name.clone()],
        })
        .collect()
}

fn resolve(
    main: UnresolvedPackageGroup,
    deps: Vec<UnresolvedPackageGroup>,
) -> Result<(Resolve, PackageId)> {
    let mut deps = deps;
    let groups = || std::iter::once(&main).chain(&deps);
    let mut known: HashSet<_> = groups().flat_map(|group| names(group, false)).collect();
    let mut wanted: Vec<_> = groups().flat_map(|group| names(group, true)).collect();
    while let Some(name) = wanted.pop() {
        if !known.insert(name.clone()) {
            continue;
        }
        if let Some(text) = crate::wasi::text(&name) {
            let mut map = SourceMap::default();
            map.push_str(&name.to_string(), text);
            let group = parse(map)?;
            wanted.extend(names(&group, true));
            deps.push(group);
        }
    }
    let mut resolve = Resolve::new();
    match resolve.push_groups(main, deps) {
        Ok(id) => Ok((resolve, id)),
        Err(error) => Err(anyhow!("{}", resolve.render_error(&error.into()))),
    }
}

/// The package at `path`: a file, or a folder with an optional `deps/` folder.
pub fn package(path: &Path) -> Result<(Resolve, PackageId)> {
    resolve(parse_path(path)?, parse_deps(&path.join("deps"))?)
        .with_context(|| format!("in the WIT at {}", path.display()))
}

/// The embedded WASI package `name` ("http"), newest version.
pub fn wasi(name: &str, text: &str) -> Result<(Resolve, PackageId)> {
    let mut map = SourceMap::default();
    map.push_str(name, text);
    resolve(parse(map)?, Vec::new()).with_context(|| format!("in the embedded wasi:{name}"))
}
