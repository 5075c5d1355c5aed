#!/usr/bin/env python3
"""Reloads, deploys and rollbacks of a whole node under load: nothing fails, nothing answers for another version than one that
was asked for. HF_ROUNDS=100 for the long run: as many reloads, a fifth as many deploys and rollbacks."""
import os, shutil, signal, sys, tempfile, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

ROUNDS = int(os.environ.get("HF_ROUNDS", "10"))
MANIFEST = """holdfast = 1
[node]
data = false
[services.web]
component = "web.wasm"
env = { ROUND = "%d" }
[services.other]
component = "other.wasm"
routes = ["/other"]
instances = "%s"
"""


def put(folder, name, data):
    with open(os.path.join(folder, name + ".new"), "wb") as f:
        f.write(data)
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


class Load(threading.Thread):
    """One kept connection after the other, each answer looked at."""

    def __init__(self, app, allowed):
        super().__init__(daemon=True)
        self.app, self.allowed, self.over = app, allowed, False
        self.n, self.wrong = 0, []

    def run(self):
        paths = ["/", "/count", "/slow", "/stream", "/other", "/echo"]
        try:
            while not self.over:
                with self.app.connect(timeout=30) as s:
                    reader = Reader(s)
                    for i in range(20):
                        path = paths[(self.n + i) % len(paths)]
                        body = os.urandom(3000) if path == "/echo" else None
                        s.sendall(request(path, method="POST" if body else "GET", body=body))
                        r = read_response(s, reader=reader)
                        self.look(path, r, body)
        except Exception as e:
            self.wrong.append("%s: %r" % (type(e).__name__, e))

    def look(self, path, r, body):
        self.n += 1
        if body is not None:
            good = r.body == body and r.header("x-version") in self.allowed
        else:
            good = r.body.decode("utf-8", "replace").split()[0].strip("\0") in self.allowed if path != "/stream" else \
                any(r.body.count(v.encode()) > 0 for v in self.allowed)
        if r.status != 200 or not good:
            self.wrong.append("%s: %d %r" % (path, r.status, r.body[:60]))


def test_reloads_deploys_and_rollbacks_lose_nothing():
    folder = tempfile.mkdtemp(prefix="hf-change-")
    one = open(guest("c-versions"), "rb").read()
    versions = {n: one.replace(b"version-1", b"version-%d" % n) for n in (1, 2, 3)}
    check("the versions differ", len(set(versions.values())) == 3)
    put(folder, "web.wasm", versions[1])
    put(folder, "other.wasm", versions[1])
    put(folder, "three.wasm", versions[3])
    put(folder, "holdfast.toml", (MANIFEST % (0, "reuse")).encode())
    admin = "unix:%s/.holdfast/admin.sock" % folder
    bad = []

    def cli(*args):
        rc, out, err = holdfast(*args, "--admin", admin)
        if rc != 0:
            bad.append("%s: %d %s" % (" ".join(args), rc, err))
        return rc, err
    try:
        with Server(folder, "--workers", "2", "--quiet", command="run") as s:
            loads = [Load(s, {"version-1", "version-2", "version-3"}) for _ in range(8)]
            for l in loads:
                l.start()
            deploys = 0
            for i in range(1, ROUNDS + 1):
                put(folder, "web.wasm", versions[1 + i % 2])
                put(folder, "holdfast.toml", (MANIFEST % (i, "singleton" if i % 3 == 0 else "reuse")).encode())
                if i % 2:
                    cli("reload")
                else:
                    s.p.send_signal(signal.SIGHUP)
                    cli("reload")  # comes after it: changes are one at a time
                if i % 5 == 0:
                    cli("deploy", os.path.join(folder, "three.wasm"), "--service", "web")
                    check("deployed %d" % i, s.get("/").body.startswith(b"version-3"), s.get("/").body)
                    cli("rollback", "--service", "web")
                    check("rolled back %d" % i, s.get("/").body.startswith(b"version-%d" % (1 + i % 2)), s.get("/").body)
                    deploys += 1
            # what cannot be taken changes nothing, and says why
            before = s.get("/").body.split()[0]
            put(folder, "holdfast.toml", b"holdfast = 1\n[services.web]\ncomponnt = 1\n")
            rc, out, err = holdfast("reload", "--admin", admin)
            check("a bad manifest is refused with its place", rc != 0 and ":3:1: unknown key 'componnt'" in err, err)
            put(folder, "rubbish.wasm", b"\0asm rubbish")
            rc, out, err = holdfast("deploy", os.path.join(folder, "rubbish.wasm"), "--service", "web", "--admin", admin)
            check("rubbish is refused", rc != 0 and err != "", err)
            check("and the old one goes on", s.get("/").body.split()[0] == before)
            for l in loads:
                l.over = True
            for l in loads:
                l.join(60)
            wrong = [w for l in loads for w in l.wrong]
            n = sum(l.n for l in loads)
            check("every change was made", bad == [], bad[:3])
            check("no answer failed or was wrong", wrong == [], "%d of %d: %s" % (len(wrong), n, wrong[:3]))
            check("there was load", n > ROUNDS * 10, n)
            print("%d reloads, %d deploys and rollbacks, %d answers" % (ROUNDS, deploys, n))
            check("ends well", s.stop() == 0)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
