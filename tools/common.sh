# Sourced by the scripts beside it: where the per-user cache is, what is pinned, how they speak.
# Not here: anything that builds or installs.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${HF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/holdfast}
me=$(basename "$0")

# Pinned guest tools; a new version is a new folder, so an old checkout keeps working.
componentize_js=0.23.0
componentize_py=0.25.1
wasmtime_cli=48.0.8

js_dir=$cache/js-$componentize_js
py_dir=$cache/python-$componentize_py
wasmtime_dir=$cache/wasmtime-$wasmtime_cli

say() { echo "$me: $*" >&2; }
fail() { say "$*"; exit 1; }

# Exit code 3 says: not a failure, this machine has no such tool, and here is which.
absent() { say "skipped: $*"; exit 3; }

have() { command -v "$1" >/dev/null 2>&1; }

# at_least 1.95 1.97.1: is the second version the first or newer?
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }

rust_version() { { rustc -V 2>/dev/null || true; } | cut -d' ' -f2; }

# One installation at a time into the cache, whichever checkout asks: locked NAME COMMAND...
locked() {
    local name=$1
    shift
    mkdir -p "$cache"
    (
        flock -n 9 || { say "another $name is running, waiting for it" && flock 9; }
        "$@"
    ) 9>"$cache/lock-$name"
}

# Makes folder $1 by running `COMMAND... $1.new` and renaming: there whole, or not at all.
whole() {
    local dir=$1
    shift
    [ -d "$dir" ] && return
    # One chain: callers test the result, and `set -e` does not hold inside a test.
    rm -rf "$dir.new" && mkdir -p "$dir.new" && "$@" "$dir.new" && mv "$dir.new" "$dir"
}
