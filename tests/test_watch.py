#!/usr/bin/env python3
"""serve --watch and run --watch: what is put into a component's place is served, however it got there; what cannot be taken is said
and changes nothing; no request is lost meanwhile."""
import os, shutil, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

ONE, TWO = "c-hello", "c-counter"  # "Hello from C\n" for ever, and a number


def put(name, path):
    """As a build does it: the whole file appears at once."""
    shutil.copyfile(guest(name), path + ".new")
    os.rename(path + ".new", path)


def is_one(r):
    return r.status == 200 and b"ello" in r.body


def is_two(r):
    return r.status == 200 and r.body.strip().isdigit()


class Asking:
    """Asks on a kept connection, again and again: answers that are neither of the two are wrong ones."""

    def __init__(self, server):
        self.server, self.wrong, self.n, self.go_on = server, [], 0, True
        self.threads = [threading.Thread(target=self._ask) for _ in range(3)]
        for t in self.threads:
            t.start()

    def _ask(self):
        with self.server.connect() as s:
            r = Reader(s)
            while self.go_on:
                try:
                    s.sendall(request("/"))
                    a = read_response(s, reader=r)
                    ok = a.complete and (is_one(a) or is_two(a))
                except OSError as e:
                    a, ok = e, False
                self.n += 1
                if not ok:
                    self.wrong.append(getattr(a, "status", a))
                    return

    def end(self):
        self.go_on = False
        for t in self.threads:
            t.join()
        return self.wrong


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds * SLOW
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def reloads(s):
    return sum(line.startswith("reloaded: ") for line in s.lines)


def test_serve_watch():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "app.wasm")
        put(ONE, path)
        with Server(path, "--watch", "--quiet") as s:
            check("before", is_one(s.get("/")))
            asking = Asking(s)
            put(TWO, path)
            check("renamed into place: it is said", s.wait_line("^reloaded: app.wasm changed$", 30) or reloads(s) == 1, s.text())
            check("and served", is_two(s.get("/")))
            n = reloads(s)
            shutil.copyfile(guest(ONE), path)
            check("written in place", wait(lambda: reloads(s) == n + 1) and is_one(s.get("/")), s.text())
            os.unlink(path)
            check("while it is gone the old one goes on", is_one(s.get("/")))
            put(TWO, path)
            check("and when it is there again it is taken", wait(lambda: reloads(s) == n + 2) and is_two(s.get("/")), s.text())
            for words, data in (("valid", b"rubbish"), ("incoming-handler", open(guest("rust-command"), "rb").read() if have("rust-command") else None)):
                if data is None:
                    continue
                s.lines.append("--")
                with open(path + ".new", "wb") as f:
                    f.write(data)
                os.rename(path + ".new", path)
                said = s.wait_line(r"--\n(.*\n)*holdfast serve: app.wasm changed and is not taken, what was served before goes on: .*", 30)
                check("what cannot be taken is said", said, s.text())
                check("the old one goes on", is_two(s.get("/")) and reloads(s) == n + 2)
            put(ONE, path)
            check("a good one is taken after bad ones", wait(lambda: reloads(s) == n + 3) and is_one(s.get("/")), s.text())
            check("no answer was wrong, none was lost", asking.end() == [] and asking.n > 100, (asking.wrong, asking.n))
            check("it ends well", s.stop() == 0, s.text())


def wait(condition, seconds=30):
    end = time.monotonic() + seconds * SLOW
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_file_that_is_being_written_is_left_alone():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "app.wasm")
        put(ONE, path)
        with Server(path, "--watch", "--quiet") as s:
            data = open(guest(TWO), "rb").read()
            with open(path, "wb") as f:
                for i in range(10):
                    f.write(data[len(data) * i // 10:len(data) * (i + 1) // 10])
                    f.flush()
                    time.sleep(0.1)
            check("it is taken when it is whole", wait(lambda: reloads(s) == 1) and is_two(s.get("/")), s.text())
            check("nothing was said of its parts", "not taken" not in s.text() or s.wait_line("reloaded"), s.text())


def test_a_link_that_leads_elsewhere():
    with tempfile.TemporaryDirectory() as d:
        put(ONE, os.path.join(d, "v1.wasm"))
        put(TWO, os.path.join(d, "v2.wasm"))
        path = os.path.join(d, "app.wasm")
        os.symlink("v1.wasm", path)
        with Server(path, "--watch", "--quiet") as s:
            check("before", is_one(s.get("/")))
            os.symlink("v2.wasm", path + ".new")
            os.rename(path + ".new", path)
            check("the link was seen", wait(lambda: reloads(s) == 1) and is_two(s.get("/")), s.text())


def test_run_watch():
    with tempfile.TemporaryDirectory() as d:
        one, two, manifest = os.path.join(d, "one.wasm"), os.path.join(d, "two.wasm"), os.path.join(d, "holdfast.toml")

        def write(component):
            with open(manifest + ".new", "w") as f:
                f.write('holdfast = 1\n[node]\ndata = false\n[services.app]\ncomponent = "%s"\nroutes = ["/"]\n' % component)
            os.rename(manifest + ".new", manifest)

        put(ONE, one)
        write("one.wasm")
        with Server(d, "--watch", command="run") as s:
            asking = Asking(s)
            check("run --watch: the first", is_one(s.get("/")))
            put(TWO, one)
            check("a component that changes is served", s.wait_line(r"reload .*: changed app", 20) and is_two(s.get("/")), s.text())
            put(ONE, two)
            write("two.wasm")
            check("a manifest that changes is, too", wait_for(lambda: is_one(s.get("/"))), s.text())
            put(TWO, two)
            check("and what it names from then on is watched", wait_for(lambda: is_two(s.get("/"))), s.text())
            with open(two, "w") as f:
                f.write("rubbish")
            check("what cannot be taken is said", s.wait_line(r"reload refused, nothing has changed: service \"app\": .*two.wasm", 20), s.text())
            check("and changes nothing", is_two(s.get("/")))
            write("gone.wasm")
            check("so is a manifest", s.wait_line(r"reload refused, nothing has changed: .*gone.wasm", 20) and is_two(s.get("/")), s.text())
            check("no request was lost", asking.end() == [] and asking.n > 0, asking.wrong)
            check("it ends well", s.stop() == 0)


def test_stop_while_it_watches():
    for _ in range(3):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "app.wasm")
            put(ONE, path)
            with Server(path, "--watch", "--quiet", "--no-cache") as s:
                put(TWO, path)
                time.sleep(0.4)  # somewhere in the middle, if it can be had
                check("a stop ends it whatever it does", s.stop() == 0 and "not taken" not in s.text(), s.text())


run_tests(sys.modules[__name__])
