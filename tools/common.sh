# Sourced by the scripts beside it: what guest/tools.sh says, and what only this source tree needs.
# Not here: anything that builds or installs.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$top/guest/tools.sh"

wasmtime_cli=48.0.8
# What tests ask besides ourselves.
jsonschema=4.26.0
tomli=2.2.1
checkers_dir=$cache/checkers-$jsonschema-$tomli
wasmtime_dir=$cache/wasmtime-$wasmtime_cli

rust_version() { { rustc -V 2>/dev/null || true; } | cut -d' ' -f2; }
