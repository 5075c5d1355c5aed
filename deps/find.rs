// Shared by the build scripts (included, not a crate): where a dependency's source folder lies.
// Two crates are taken for files they carry and do not export (llhttp's C, WASI's WIT), so the
// folder is asked of Cargo itself, which checked its checksum, instead of guessing a cache layout.

fn crate_dir(name: &str, version: &str) -> std::path::PathBuf {
    let folder = format!("/{name}-{version}/Cargo.toml");
    for extra in [&["--offline"][..], &[]] {
        let out = std::process::Command::new(std::env::var_os("CARGO").expect("run by cargo"))
            .args([
                "metadata",
                "--format-version=1",
                "--locked",
                "--filter-platform",
            ])
            .arg(std::env::var("TARGET").expect("run by cargo"))
            .args(extra)
            .output()
            .expect("cargo metadata starts");
        let text = String::from_utf8_lossy(&out.stdout);
        if let Some(path) = text.split('"').find(|part| part.ends_with(&folder)) {
            return std::path::Path::new(path)
                .parent()
                .expect("a folder")
                .to_path_buf();
        }
    }
    panic!("cargo metadata does not list {name} {version}: is its pin in Cargo.toml the same?");
}
