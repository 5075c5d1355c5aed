#!/usr/bin/env python3
"""wasi:filesystem in the whole program: folders granted with --dir, guests that know nothing but their standard library."""
import os, shutil, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


class Folders:
    """base/rw and base/ro to grant, base/out outside; each with a file, and links out of it."""

    def __enter__(self):
        self.base = tempfile.mkdtemp(prefix="hf-files-")
        for top in ("rw", "ro", "out"):
            os.makedirs(self.path(top, "sub"))
            self.put("content of " + top, top, "file")
            os.symlink("../out", self.path(top, "up"))
            os.symlink("/", self.path(top, "abs"))
        self.dirs = ["--dir", self.path("rw") + "::/data", "--dir", self.path("ro") + "::/fixed:ro"]
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.base)

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def put(self, text, *parts):
        with open(self.path(*parts), "w") as f:
            f.write(text)

    def get(self, *parts):
        try:
            with open(self.path(*parts), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None


def test_files_of_a_guest():
    if not have("rust-files"):
        return skip("rust-files", "its toolchain is not here")
    big = bytes(i * 7 % 251 for i in range(3_000_000))
    for mode in ("reuse", "per-request"):
        with Folders() as f, Server(guest("rust-files"), "--workers", 1, "--max", 1, "--instances", mode, *f.dirs) as s:
            def status(method, path, body=None):
                return s.get(path, method=method, body=body).status

            r = s.get("/data/file")
            check(mode + " reads", r.status == 200 and r.body == b"content of rw", (r.status, r.body, s.text()))
            check(mode + " lists", s.get("/data").body == b"abs\nfile\nsub/\nup\n", s.get("/data").body)
            check(mode + " writes, syncs", status("PUT", "/data/new", b"one") == 200 and f.get("rw", "new") == b"one", s.text())
            check(mode + " appends", status("POST", "/data/new", b" two") == 200 and f.get("rw", "new") == b"one two")
            check(mode + " cuts", status("PUT", "/data/new", b"x") == 200 and f.get("rw", "new") == b"x")
            check(mode + " large in", status("PUT", "/data/big", big) == 200 and f.get("rw", "big") == big)
            r = s.get("/data/big")
            check(mode + " large out", r.status == 200 and r.body == big, (r.status, len(r.body)))
            made = [status("MKCOL", "/data/d"), status("MKCOL", "/data/d/e"), status("PUT", "/data/d/e/f", b"x")]
            check(mode + " makes folders", made == [200] * 3, made)
            check(mode + " twice is a conflict", status("MKCOL", "/data/d") == 409)
            check(mode + " removes a tree", status("DELETE", "/data/d") == 200 and not os.path.exists(f.path("rw", "d")), s.text())
            check(mode + " removes a link, not what it leads to",
                  status("DELETE", "/data/up") == 200 and f.get("out", "file") == b"content of out")

            check(mode + " read-only reads", s.get("/fixed/file").body == b"content of ro")
            tries = [status("PUT", "/fixed/file", b"x"), status("PUT", "/fixed/new", b"x"), status("POST", "/fixed/file", b"x"),
                     status("DELETE", "/fixed/file"), status("DELETE", "/fixed/sub"), status("MKCOL", "/fixed/d")]
            check(mode + " read-only refuses", tries == [403] * 6, tries)
            check(mode + " read-only is whole", f.get("ro", "file") == b"content of ro" and sorted(os.listdir(f.path("ro"))) ==
                  ["abs", "file", "sub", "up"])

            for path in ("/data/../out/file", "/data/../../etc/passwd", "/fixed/up/file", "/data/abs/etc/passwd", "/data/sub/../../out/file"):
                r = s.get(path)
                check("%s outside: %s" % (mode, path), r.status == 403 and b"content" not in r.body, (r.status, r.body))
                check("%s outside, writing: %s" % (mode, path), status("PUT", path, b"x") == 403)
            check(mode + " what was not granted is not there", status("GET", "/etc/passwd") == 404)
            check(mode + " outside is whole", f.get("out", "file") == b"content of out")
            check(mode + " its handles are put back", "reset=handles" not in s.text(), s.text()) # grown it may be: 3 MB
            before = s.fds()
            for _ in range(20):
                s.get("/data/file"), s.get("/data"), s.get("/data/none"), s.get("/data/up/x")
            check(mode + " no descriptor is left", s.fds_at_most(before), (before, s.fds()))
            check(mode + " stops", s.stop() == 0, s.text())


def test_every_language_starts_with_folders():
    """What its libraries hold of the preopens from their start can be put back: one instance serves all."""
    for name in ("c-hello", "js-hello", "python-hello", "rust-hello"):
        if not have(name):
            skip(name, "its toolchain is not here")
            continue
        with Folders() as f, Server(guest(name), "--workers", 1, "--max", 1, "--instances", "per-request", "--debug", *f.dirs) as s:
            got = [s.get("/").header("holdfast-instance") for _ in range(3)]
            ids = {g.split(";")[0] for g in got if g is not None}
            check(name + " is reset in place", len(ids) == 1 and None not in got, (got, s.text()))
            check(name + " has an image", "reset=" not in s.text() and "no image" not in s.text(), s.text())


def test_few_files():
    if not have("rust-files"):
        return skip("rust-files", "its toolchain is not here")
    with Folders() as f, Server(guest("rust-files"), "--workers", 1, "--files", 1, *f.dirs) as s:
        check("one file at a time is enough to read", s.get("/data/file").status == 200, s.text())
        check("again", s.get("/data/file").status == 200, s.text())
        os.makedirs(f.path("rw", "a", "b", "c"))
        r = s.get("/data/a", method="DELETE") # holds a folder while it opens the next
        check("more at once is refused, not fatal", r.status == 500 and s.get("/data/file").status == 200, (r.status, r.body, s.text()))


def test_grants_that_are_wrong():
    with Folders() as f:
        link = f.path("out", "file")
        for dirs, code, words in (
                ([f.path("none") + "::/x"], 6, "none cannot be opened: No such file or directory"),
                ([link + "::/x"], 2, "Not a directory"),
                ([f.path("rw") + "::/x", f.path("ro") + "::/x/:ro"], 2, "the guest has"),
                ([f.path("rw") + "::/../x"], 2, '".."'),
                ([f.path("rw") + "::"], 2, "HOST::GUEST")):
            args = [a for d in dirs for a in ("--dir", d)]
            p = subprocess.run([BIN, "serve", guest("c-hello"), "--addr", "127.0.0.1:0", *args], capture_output=True, text=True,
                               timeout=60 * SLOW)
            check("exit %s" % dirs[-1], p.returncode == code, (p.returncode, p.stderr))
            check("words %s" % dirs[-1], words in p.stderr and "granting" in p.stderr, p.stderr)


run_tests(sys.modules[__name__])
