#!/usr/bin/env python3
"""Runs the conformance runner over our own folder and the public suite: suite.py RUNNER [FOLDER...]

The public suite lies where HF_SUITES says, as folders of `wasm-tools json-from-wast` output; without it only our own is
run. What is skipped, and why, is in expected.txt (async/ among it: WASI 0.3, refused by name).
"""
import os, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
ROOMS = ("async", "binary", "linking", "resources", "validation", "values")


def folders(top):
    return [os.path.join(top, d) for d in sorted(os.listdir(top)) if os.path.exists(os.path.join(top, d, "commands.json"))]


def main():
    runner, wanted = sys.argv[1], sys.argv[2:]
    suite = os.path.join(os.environ.get("HF_SUITES", os.path.join(here, "..", "..", "..", "shared", "suites")), "component-model")
    dirs = folders(os.path.join(here, "own"))
    if os.path.isdir(suite):
        for room in ROOMS:
            dirs += folders(os.path.join(suite, room))
    else:
        print("SKIP: component-model: the public suite is not here (HF_SUITES)")
    if wanted:
        dirs = [d for d in dirs if any(w in d for w in wanted)]
    sys.stdout.flush()
    return subprocess.call([runner, "--expected", os.path.join(here, "expected.txt")] + dirs)


if __name__ == "__main__":
    sys.exit(main())
