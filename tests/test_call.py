#!/usr/bin/env python3
"""Messages to processes of a running node, and looks at them by name: holdfast call, send, inspect, ps, kill, logs."""
import json, os, shutil, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

CHAIN, SHELF, VERSIONS = guest("c-chain"), guest("c-shelf"), guest("c-versions")


def service(name, component, more=""):
    return '[services.%s]\ncomponent = "%s"\n%s' % (name, component, more)


class App(App):
    """A node of a manifest, whose commands run in its folder: they find its door by themselves."""

    def __init__(self, text, *args):
        super().__init__("holdfast = 1\n[node]\ndata = false\n" + text, *args)

    def run(self, *args, stdin=None, timeout=60):
        env = {k: v for k, v in os.environ.items() if not k.startswith("HF_ADMIN")}
        p = subprocess.run([BIN, *map(str, args)], capture_output=True, timeout=timeout * SLOW, cwd=self.path, input=stdin,
                           stdin=subprocess.DEVNULL if stdin is None else None, env=env)
        return p.returncode, p.stdout, p.stderr.decode("utf-8", "replace")

    def file(self, name, data=None):
        path = os.path.join(self.path, name)
        if data is None:
            return open(path, "rb").read()
        with open(path, "wb") as f:
            f.write(data)
        return path


THREE = service("a", CHAIN, '[services.a.process]\nsends = ["*"]\n') + service("b", CHAIN, "[services.b.process]\nmailbox = 4\n") + \
    service("web", VERSIONS, 'routes = ["/"]\n')


def test_a_call_prints_the_answer():
    with App(THREE, "--workers", "2") as app:
        check("a body alone", app.run("call", "a", "hello") == (0, b"0 0", ""))
        check("nothing at all", app.run("call", "a") == (0, b"0 0", ""))
        data = os.urandom(3 << 20)
        path = app.file("blob", data)
        want = b"%d %d" % (len(data), sum(data))
        r = app.run("call", "a/1", "--metadata", "b/2", "--blob", path)
        check("a blob, handed on", r == (0, want, ""), r)
        r = app.run("call", "a/1", "-", "--blob", path, stdin=b"the body")
        check("body from standard input", r == (0, want, ""), r)
        r = app.run("call", "a/1", "body", "--blob", "-", stdin=data)
        check("blob from standard input", r == (0, want, ""), r)
        code, out, err = app.run("call", "a/1", "x", "--json")
        check("as JSON", code == 0 and json.loads(out) == {"version": 1, "answer": "ok", "metadata": None, "blob": False, "blob_bytes": None,
                                                           "body": "0 0"}, out)
        r = app.run("send", "a/1", "hello")
        check("a send", r == (0, b"", ""), r)
        check("it goes on", app.run("call", "a/1") == (0, b"0 0", ""))


def test_every_failure_has_its_code_and_words():
    with App(THREE, "--workers", "3") as app:
        def fails(code, words, *args, stdin=None):
            r = app.run(*args, stdin=stdin)
            check(" ".join(map(str, args))[:60], r[0] == code and r[1] == b"" and words in r[2], r)
        fails(10, 'no class of processes is called "nobody"; there are: a, b', "call", "nobody/1", "x")
        fails(10, "'A' cannot stand at byte 0", "send", "A b", "x")
        fails(10, "web is a service: it takes HTTP requests", "call", "web", "x")
        fails(10, "no class of processes", "call", "gone", "--metadata", "b")
        fails(10, "forwarded to gone", "call", "a", "--metadata", "gone")
        fails(2, "name one process", "call")
        fails(2, "name one process", "send", "a", "b", "c")
        fails(2, "not both", "call", "a", "-", "--blob", "-")
        fails(2, "--timeout", "call", "a", "x", "--timeout", "soon")
        fails(6, "cannot be read", "call", "a", "--blob", "/nowhere/at/all")
        fails(6, "cannot be written", "call", "a", "x", "--blob-to", "/nowhere/at/all")
        fails(5, "1 MiB at most", "call", "a", "-", stdin=b"x" * ((1 << 20) + 1))
        r = app.run("call", "a", "-", stdin=b"x" * (1 << 20))
        check("just not too much", r[0] == 0, r)
        r = subprocess.run([BIN, "call", "a", "x", "--admin", "unix:/nowhere/at/all.sock"], capture_output=True, stdin=subprocess.DEVNULL)
        check("no node", r.returncode == 6 and b"no node answers" in r.stderr, r)


def test_a_process_by_its_name():
    with App(THREE, "--workers", "2") as app:
        code, out, err = app.run("inspect", "a/1")
        check("not there yet", code == 2 and 'there is no process "a/1" now' in err, (code, err))
        check("made", app.run("call", "a/1", "x")[0] == 0 and app.run("call", "a", "x")[0] == 0)
        code, out, err = app.run("inspect", "a/1")
        text = out.decode()
        check("inspect", code == 0 and text.startswith("a/1\n") and "mailbox     0 of 1024" in text and "1 messages taken" in text, (code, text, err))
        code, out, err = app.run("inspect", "a/1", "--json")
        o = json.loads(out)
        check("as JSON", o["name"] == "a/1" and o["state"] == "idle" and o["served"] == 1 and o["pending"] == 0 and o["memory_bytes"] > 0, o)
        o = json.loads(app.run("inspect", "a", "--json")[1])
        check("a class, and the process of its name", o["lifecycle"] == "handler" and o["process"]["name"] == "a" and o["max"] >= 10000, o)
        check("a class without one", "process" not in json.loads(app.run("inspect", "b", "--json")[1]))
        code, out, err = app.run("ps", "a/1")
        check("ps shows one", code == 0 and b"a/1 " in out and len(out.splitlines()) == 5, out)
        check("ps shows names", b"a/1 " in app.run("ps")[1])
        code, out, err = app.run("ps", "a/9")
        check("ps of none", code == 2 and 'no process "a/9" now' in err, err)
        check("logs of one", app.run("logs", "a/1")[0] == 0)
        code, out, err = app.run("kill", "a/1")
        check("kill", code == 0 and out == b"processes ended: 1\n", (code, out, err))
        code, out, err = app.run("kill", "a/1", "a/2")
        check("kill of none", code == 2 and '"a/1"' in err and '"a/2"' in err, (code, err))
        check("its name makes another", app.run("call", "a/1", "x")[0] == 0)


def test_the_upload_app_by_name():
    if not have("js-door") or not have("python-librarian"):
        return skip("the upload app", "no JavaScript or Python guests")
    text = open(os.path.join(top, "examples", "upload", "holdfast.toml")).read().replace("../../build/guests", GUESTS)
    with App(text.replace("holdfast = 1\n", ""), "--workers", "2") as app:
        data = os.urandom(2 << 20)
        r = app.server.get("/uploads", method="POST", body=data)
        check("uploaded", r.status == 200, r.body)
        o = json.loads(app.run("inspect", "shelf/1", "--json")[1])
        check("a shelf", o["name"] == "shelf/1" and o["served"] == 1 and o["restarts"] == 0, o)
        r = app.run("call", "shelf/1", "x")
        check("who gives it no HTTP is told nothing", r[0] == 13, r)
        out = app.run("ps")[1].decode()
        check("ps shows all three", all(" %s " % n in out for n in ("door", "librarian", "shelf/1")), out)
        check("kill", app.run("kill", "shelf/1")[0] == 0 and app.server.get("/uploads/1").status == 404)
        r = app.run("top", "--interval", "100ms")
        check("top", r[0] == 0 and b"shelf" in r[1], r)


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
