#!/usr/bin/env python3
"""Includes point one way: every #include "folder/..." is compared with the table in doc/architecture.md's order.

Also: only src/engine includes wasmtime.h, only src/gateway llhttp.h, and no file of src/ or cli/ is past 800 lines.
"""
import os, re, sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PORT = ("kernel/port.h", "kernel/batch.h", "kernel/blob.h", "kernel/wait.h")
ALLOW = {
    "src/base": (),
    "src/os": ("base/",),
    "src/engine": ("os/", "base/"),
    "src/component": ("engine/", "base/"),
    "src/kernel": ("base/",),
    "src/host": ("kernel/", "component/", "os/", "base/"),
    "src/gateway": PORT + ("os/", "base/"),
    "src/link": PORT + ("kernel/blob_share.h", "kernel/remote.h", "kernel/far.h", "kernel/name.h", "os/", "base/"),
    "src/store": PORT + ("os/", "base/"),
    "src/console": PORT + ("kernel/behaviour.h", "kernel/turn.h", "os/", "base/"),
    "src/node": ("host/", "gateway/", "link/", "store/", "console/", "component/", "kernel/", "engine/", "os/", "base/", "holdfast/"),
    "include/holdfast": ("holdfast/",),
    "cli": ("holdfast/",),
}
ONLY = {"wasmtime.h": "src/engine", "wasm.h": "src/engine", "wasi.h": "src/engine", "llhttp.h": "src/gateway", "sqlite3.h": "src/store",
        "hf_deps.h": "src/engine", "hf_fiber.h": "src/engine", "hf_toml.h": "src/node"}
passed, errors = 0, []
for room, allowed in ALLOW.items():
    base = os.path.join(top, room)
    for dirpath, _, files in os.walk(base):
        for f in sorted(files):
            if not f.endswith((".c", ".h")):
                continue
            path = os.path.join(dirpath, f)
            rel = os.path.relpath(path, top)
            own = room.split("/")[-1] + "/"
            text = open(path, encoding="utf-8").read()
            n = text.count("\n")
            if n > 800:
                errors.append("%s: %d lines: what is its second job?" % (rel, n))
            for line, inc in ((text[:m.start()].count("\n") + 1, m.group(1)) for m in re.finditer(r'^\s*#\s*include\s+[<"]([^">]+)[">]', text, re.M)):
                name = inc.split("/")[-1]
                if inc.startswith("wasmtime/") and room != "src/engine" or ONLY.get(name, room) != room:
                    errors.append("%s:%d: only %s may include %s" % (rel, line, ONLY.get(name, "src/engine"), inc))
                folder = inc.split("/")[0] + "/" if "/" in inc else ""
                known = {r.split("/")[-1] + "/" for r in ALLOW}
                if folder in known and folder != own and not any(inc == a or inc.startswith(a) for a in allowed if a.endswith("/") or inc == a):
                    errors.append("%s:%d: %s may not include %s" % (rel, line, room, inc))
                if folder == "" and os.path.exists(os.path.join(dirpath, inc)):
                    errors.append("%s:%d: write the folder: \"%s%s\"" % (rel, line, own, inc))
            passed += 1
for e in errors:
    print(e)
print("%d passed, %d failed" % (passed - len({e.split(":")[0] for e in errors}), len(errors)))
sys.exit(1 if errors else 0)
