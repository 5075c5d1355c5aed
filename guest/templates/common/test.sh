#!/bin/sh
# Builds @NAME@, starts it on a port of the system's choosing, asks it, ends it. It runs in a folder of its own, so that
# its buckets are empty and a `holdfast run` in this one is not disturbed.
# HOLDFAST names another program than the `holdfast` in PATH.
set -eu
cd "$(dirname "$0")"
holdfast=${HOLDFAST:-holdfast}
here=$(mktemp -d)
log=$here/log
server=
finish() {
    code=$?
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    [ "$code" = 0 ] || [ ! -f "$log" ] || cat "$log" >&2
    rm -rf "$here"
}
trap finish EXIT

"$holdfast" build
"$holdfast" check
cp holdfast.toml @NAME@.wasm "$here"
"$holdfast" run "$here" --addr 127.0.0.1:0 2>"$log" &
server=$!
url=
until [ -n "$url" ]; do
    kill -0 "$server" 2>/dev/null || { echo "it did not start:" >&2; exit 1; }
    sleep 0.1
    url=$(sed -n 's#^serving .* on \(http://[^ ]*\)/$#\1#p' "$log")
done

expect() { # expect PATH ANSWER
    got=$(curl -s "$url$1") || true
    if [ "$got" = "$2" ]; then
        echo "ok      GET $1"
    else
        echo "FAILED  GET $1: '$got', not '$2'"
        exit 1
    fi
}

expect / "Hello from @NAME@"
expect /count 1
expect /count 2
expect /nothing "not found"
