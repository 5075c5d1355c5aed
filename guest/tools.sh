# Sourced by the scripts beside it and by those of the source tree's tools/: where the per-user
# cache is, which versions of guests' tools are pinned, what each language needs and how it is had.
# Not here: anything that builds.

set -euo pipefail

sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HF_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/holdfast}
me=${HF_SAYS:-$(basename "$0")}
install=1 # 0: what would be fetched into the cache is named instead

# A new version is a new folder, so an old checkout keeps working.
componentize_js=0.23.0
componentize_py=0.25.1

js_dir=$cache/js-$componentize_js
py_dir=$cache/python-$componentize_py

say() { echo "$me: $*" >&2; }
fail() { say "$*"; exit 1; }

# Exit code 3 says: nothing is wrong with the source; this machine has no such tool, and here is which.
absent() { say "missing: $*"; exit 3; }

have() { command -v "$1" >/dev/null 2>&1; }

# at_least 1.95 1.97.1: is the second version the first or newer?
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }

# One installation at a time into the cache, whichever checkout asks: locked NAME COMMAND...
locked() {
    local name=$1
    shift
    mkdir -p "$cache" || return
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

# How a distribution's package is had, as a command to copy.
packages() {
    local sudo="sudo "
    [ "$(id -u)" = 0 ] && sudo=
    if have apt-get; then
        echo "run: ${sudo}apt-get install --no-install-recommends $*"
    else
        echo "install (as Debian calls them): $*"
    fi
}

# ---- C ----

has_wasi_libc() { echo '#include <stdlib.h>' | clang --target=wasm32-wasi -E - >/dev/null 2>&1; }
has_wasm_builtins() { [ -f "$(clang --target=wasm32-wasi -rtlib=compiler-rt --print-libgcc-file-name 2>/dev/null)" ]; }

need_c() {
    local list=()
    have clang || list+=(clang)
    have wasm-ld || list+=(lld)
    have clang && has_wasi_libc || list+=(wasi-libc)
    have clang && has_wasm_builtins || list+=(libclang-rt-dev-wasm32)
    [ ${#list[@]} = 0 ] || absent "a C guest needs ${list[*]}; $(packages "${list[@]}")"
}

# ---- JavaScript ----

# (package.json also names preview2-shim: componentize-js imports it and forgets to depend on it.)
# Not `npm ci`: npm leaves other platforms' optional packages out of a lock file and then finds it
# wanting. `npm install` keeps to the versions and checksums the lock file does have.
install_js() {
    say "npm: componentize-js $componentize_js into $js_dir (400 MB, once)"
    cp "$sdk/js/package.json" "$sdk/js/package-lock.json" "$1/" &&
        (cd "$1" && npm install --no-audit --no-fund --loglevel=error >&2)
}

need_js() {
    have node || absent "a JavaScript guest needs node >= 18 and npm; $(packages nodejs npm)"
    at_least 18 "$(node -v | tr -d v)" || absent "node $(node -v) is older than 18: install a newer one"
    [ -d "$js_dir" ] && return
    have npm || absent "a JavaScript guest needs npm; $(packages npm)"
    [ "$install" = 1 ] || absent "componentize-js $componentize_js in $js_dir: build once without --no-install"
    locked js whole "$js_dir" install_js || absent "npm could not install componentize-js $componentize_js"
}

# ---- Python ----

has_venv() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

install_py() {
    say "pip: componentize-py $componentize_py into $py_dir (70 MB, once)"
    python3 -m venv "$1" && "$1/bin/python3" -m pip install -q "componentize-py==$componentize_py" >&2
}

need_python() {
    [ -d "$py_dir" ] && return
    have python3 || absent "a Python guest needs python3 >= 3.9; $(packages python3 python3-venv)"
    has_venv || absent "a Python guest needs python3's venv; $(packages python3-venv)"
    [ "$install" = 1 ] || absent "componentize-py $componentize_py in $py_dir: build once without --no-install"
    locked python whole "$py_dir" install_py || absent "pip could not install componentize-py $componentize_py"
}

# ---- Rust ----

has_wasip2() { [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-wasip2" ]; }

need_rust() {
    have cargo && have rustc || absent "a Rust guest needs Rust: install rustup (https://rustup.rs), then run: rustup target add wasm32-wasip2"
    has_wasip2 && return
    have rustup || absent "this Rust has no target wasm32-wasip2; install rustup (https://rustup.rs), then run: rustup target add wasm32-wasip2"
    absent "Rust's target wasm32-wasip2; run: rustup target add wasm32-wasip2"
}

# ---- Go ----

need_go() {
    have go || absent "a Go command needs go >= 1.21; $(packages golang)"
    at_least 1.21 "$(go env GOVERSION | tr -d a-z | cut -d' ' -f1)" || absent "$(go version) is older than 1.21: install a newer one"
}
