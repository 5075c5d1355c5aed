#!/usr/bin/env python3
"""Processes of a manifest: guests that send each other messages, the example app, and what is refused."""
import hashlib, json, os, re, shutil, signal, subprocess, sys, tempfile, threading, time, zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

CHAIN, FRONT, SHELF, TALLY = guest("c-chain"), guest("c-front"), guest("c-shelf"), guest("c-tally")
HEAD = "holdfast = 1\n[node]\ndata = false\n"


def chain(name, sends):
    return '[services.%s]\ncomponent = "%s"\n[services.%s.process]\nsends = %s\n' % (name, CHAIN, name, sends)


def front(sends='["*"]', more=""):
    return '[services.front]\ncomponent = "%s"\nroutes = ["/"]\n[services.front.process]\nsends = %s\n%s' % (FRONT, sends, more)


WORKERS = "1"


def on_workers(test):
    """Where the processes are on one worker, and where they are spread over two and three."""
    def run():
        global WORKERS
        for WORKERS in ("1", "2", "3"):
            test()
    run.__name__ = test.__name__
    return run


class App(App):
    def __init__(self, text, node="", workers=None):
        super().__init__(HEAD + node + text, "--workers", workers or WORKERS)

    def ask(self, path, body=b"", method="POST", chunks=False):
        with self.server.connect() as s:
            head = "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % (method, path)
            if chunks:
                s.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
                for at in range(0, len(body), 70000):
                    piece = body[at:at + 70000]
                    s.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                s.sendall(b"0\r\n\r\n")
            else:
                s.sendall((head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body)
            return read_response(s, method)


def said(r):
    return r.status, r.body.decode()


# ---- the chain, and the middleman that asks two others ----
@on_workers
def test_a_chain_hands_on_a_blob_that_only_its_end_reads():
    with App(front() + chain("a", '["b"]') + chain("b", '["c"]') + chain("c", '["d"]') + chain("d", "[]")) as app:
        body = os.urandom(300000)
        want = (200, "%d %d" % (len(body), sum(body)))
        check("whole", said(app.ask("/a?b+c+d", body)) == want)
        check("still arriving", said(app.ask("/a?b+c+d", body, chunks=True)) == want)
        check("at the first already", said(app.ask("/a", body)) == want)
        check("nothing", said(app.ask("/a?b+c+d")) == (200, "0 0"))


@on_workers
def test_a_middleman_asks_two_others_before_it_forwards():
    with App(front() + chain("m", '["*"]') + chain("x", "[]") + chain("y", "[]") + chain("d", "[]")) as app:
        body = os.urandom(5000)
        r = said(app.ask("/m??x+?y+d", body))
        check("with its blob", r == (200, "%d %d" % (len(body), sum(body))), r)


# ---- eviction: more names than there is room for in memory ----
def tally(more=""):
    return front() + '[services.tally]\ncomponent = "%s"\n[services.tally.process]\n%s' % (TALLY, more)


def test_each_count_is_exact_when_a_thousand_go_through_ten():
    with App(tally(), "resident_max = 10\n") as app:
        wrong = [(i, r) for n in (1, 2, 3) for i in range(0, 1000 if n < 3 else 100)
                 for r in [said(app.ask("/tally/%d" % (i * 7 % 1000)))] if r != (200, "tally/%d %d" % (i * 7 % 1000, n))]
        check("counts", wrong == [], wrong[:3])


def test_many_names_at_once_go_through_ten():
    with App(tally(), "resident_max = 10\n") as app:
        wrong = []

        def some(k):
            for n in (1, 2):
                for i in range(40):
                    r = said(app.ask("/tally/%d-%d" % (k, i)))
                    if r != (200, "tally/%d-%d %d" % (k, i, n)):
                        wrong.append((k, i, n, r))

        threads = [threading.Thread(target=some, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check("counts", wrong == [], wrong[:3])


def test_a_class_may_have_its_own_room():
    with App(tally("resident_max = 1\n")) as app:
        wrong = [(n, i) for n in (1, 2, 3) for i in range(5) if said(app.ask("/tally/%d" % i)) != (200, "tally/%d %d" % (i, n))]
        check("counts", wrong == [], wrong)


def test_who_keeps_a_pollable_stays_and_says_why():
    with App(tally(), "resident_max = 2\n") as app:
        check("it keeps one", said(app.ask("/tally/a?keep")) == (200, "tally/a 1"))
        for i in range(5):
            app.ask("/tally/%d" % i)
        check("it goes on", said(app.ask("/tally/a")) == (200, "tally/a 2"))
        app.ask("/tally/a?drop")
        for n in (1, 2):
            for i in range(5):
                app.ask("/tally/x%d" % i)
        check("and when it let go of it", said(app.ask("/tally/a")) == (200, "tally/a 4"))
        check("said in the log", app.server.wait_line(r"process tally/a cannot be evicted and stays in memory: it keeps .*pollable", 30),
              app.server.text()[-600:])


# ---- spares: instances made ahead, and those that come back ----
def counts(app, name):
    """What the admin door says of a class: its instances by state, starts, ends."""
    env = dict(os.environ, HF_ADMIN="unix:" + os.path.join(app.path, ".holdfast", "admin.sock"))
    p = subprocess.run([BIN, "ps", "--json"], capture_output=True, stdin=subprocess.DEVNULL, env=env, timeout=60 * SLOW)
    return next(s for s in json.loads(p.stdout)["services"] if s["name"] == name)


def wait_counts(app, name, good):
    end = time.monotonic() + 30 * SLOW
    while not good(c := counts(app, name)) and time.monotonic() < end:
        time.sleep(0.02)
    return c


def test_spares_are_made_ahead_taken_and_counted():
    with App(tally("warm = 2\n"), workers="1") as app:
        c = wait_counts(app, "tally", lambda c: c["instances"]["spare"] == 2)
        check("two are ready before anybody asks", (c["instances"]["spare"], c["starts"], c["warm_starts"]) == (2, 2, 0), c)
        check("one is taken", said(app.ask("/tally/1")) == (200, "tally/1 1"))
        c = wait_counts(app, "tally", lambda c: c["instances"]["spare"] == 2)
        check("another is made", (c["instances"]["spare"], c["instances"]["idle"], c["starts"], c["warm_starts"]) == (2, 1, 3, 1), c)
        check("it is its own", [said(app.ask("/tally/%d" % i)) for i in (2, 1, 2, 3)] ==
              [(200, "tally/2 1"), (200, "tally/1 2"), (200, "tally/2 2"), (200, "tally/3 1")])


def test_children_one_after_another_are_one_instance():
    bounce = guest("c-bounce")
    text = ('[services.drive]\ncomponent = "%s"\nroutes = ["/"]\n[services.drive.process]\nsends = ["*"]\nspawns = ["leaf"]\n'
            '[services.leaf]\ncomponent = "%s"\n[services.leaf.process]\nwarm = 2\n' % (bounce, bounce))
    with App(text, workers="1") as app:
        wait_counts(app, "leaf", lambda c: c["instances"]["spare"] == 2)
        r = app.ask("/spawn/200/0", method="GET")
        check("all were asked and stopped", r.status == 200 and r.body.startswith(b"200 "), r.body)
        c = wait_counts(app, "leaf", lambda c: c["ends"].get("stopped", 0) == 200)
        check("hardly any was made", c["warm_starts"] > 100 and c["starts"] < 100, c)


# ---- errors of the table, from guests that provoke them ----
@on_workers
def test_what_is_not_granted_is_denied():
    with App(front('["a"]') + chain("a", '["b"]') + chain("b", "[]") + chain("c", "[]")) as app:
        check("by the front", said(app.ask("/c")) == (403, "denied"))
        check("by a station", said(app.ask("/a?c", b"x")) == (200, "denied"))
        check("what is granted goes on", said(app.ask("/a?b", b"x")) == (200, "1 120"))


@on_workers
def test_a_name_that_leads_nowhere_comes_as_a_failure():
    with App(front() + chain("a", '["*"]')) as app:
        r = app.ask("/nobody")
        check("asked", r.status == 502, said(r))
        r = app.ask("/a?gone/7", b"x")
        check("forwarded: the origin is told", r.status == 502, said(r))
        r = app.ask("/Not/a/name!")
        check("no name at all", r.status == 502, said(r))
        check("it goes on", said(app.ask("/a", b"xy")) == (200, "2 241"))


@on_workers
def test_a_ring_of_waits_is_a_cycle():
    with App(front()) as app:
        r = app.ask("/front", b"x")
        check("asking oneself", said(r) == (502, "it would wait for itself"), said(r))


@on_workers
def test_processes_of_one_class_have_their_own_state():
    text = front() + chain("c", "[]")
    with App(text) as app:
        rs = [said(app.ask("/c/%d" % i, b"abc")) for i in range(20)]
        check("twenty names", rs == [(200, "3 294")] * 20, rs)


@on_workers
def test_many_at_once():
    with App(front() + chain("a", '["*"]') + chain("b", '["*"]') + chain("c", "[]")) as app:
        bad = []

        def go(n):
            body = bytes([n]) * (n * 1000)
            for _ in range(10):
                r = said(app.ask("/a?b+c/%d" % (n % 4), body, chunks=n % 2 == 0))
                if r != (200, "%d %d" % (len(body), sum(body))):
                    bad.append(r)
        threads = [threading.Thread(target=go, args=(n,)) for n in range(1, 17)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        check("every answer is its own", bad == [], bad[:3])
        check("it lives", app.server.alive())


# ---- a running node ----
@on_workers
def test_a_reload_leaves_classes_as_they_are_or_is_refused():
    text = front() + chain("a", "[]")
    words = r'reload refused, nothing has changed: service "a": it is a class of processes, and those change only when the node is started again'

    with App(text) as app:
        def reload(changed, line):
            with open(os.path.join(app.path, "holdfast.toml"), "w") as f:
                f.write(HEAD + changed)
            app.server.p.send_signal(signal.SIGHUP)
            check("said: " + line, app.server.wait_line(line), app.server.text())
        check("before", said(app.ask("/a/7", b"x")) == (200, "1 120"))
        reload(front() + chain("a", '["b"]'), words)
        check("goes on", said(app.ask("/a/7", b"x")) == (200, "1 120"))
        reload(text + chain("b", "[]"), "reload .*: new b, 2 as before")
        check("a new one", said(app.ask("/b", b"x")) == (200, "1 120"))
        reload(front() + chain("b", "[]"), words)
        reload(front() + chain("a", "[]") + chain("b", "[]") + chain("c", "[]"), "reload .*: new c, 3 as before")
        check("another", said(app.ask("/c", b"x")) == (200, "1 120"))


# ---- the contract ----
def test_the_wit_of_a_version_does_not_change():
    text = open(os.path.join(top, "wit", "kernel-0.1.0.wit")).read()
    words = " ".join(re.sub(r"//[^\n]*", "", text).split())
    check("0.1.0", hashlib.sha256(words.encode()).hexdigest() == "c3e4d37455a840be4e47cbb31a4d07434243bc9083997f9462174275375bdc27", "a change that old guests would notice needs a new version")


# ---- what a manifest may not say ----
def test_a_service_is_no_process():
    text = '[services.hello]\ncomponent = "%s"\n[services.hello.process]\n' % guest("c-hello")
    path = tempfile.mkdtemp(prefix="hf-processes-")
    with open(os.path.join(path, "holdfast.toml"), "w") as f:
        f.write(HEAD + text)
    try:
        rc, out, err = holdfast("run", path, "--addr", "127.0.0.1:0")
        check("refused", rc == 4 and "does not export holdfast:kernel/handler" in err, "%s %s" % (rc, err[-300:]))
    finally:
        shutil.rmtree(path)


# ---- the example ----
def test_the_upload_app():
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "examples", "upload")
    if not have("js-door") or not have("python-librarian"):
        return skip("the upload app", "no JavaScript or Python guests")
    with Server(path, "--workers", "2", command="run") as s:
        app = App.__new__(App)
        app.server = s
        small, big = b"hello", os.urandom(5 << 20)
        for n, body in ((1, small), (2, big)):
            r = said(app.ask("/uploads", body, chunks=n == 2))
            check("upload %d" % n, r == (200, "upload %d: %d bytes, adler32 %08x\n" % (n, len(body), zlib.adler32(body))), r)
        check("the bytes come back", app.ask("/uploads/2", method="GET").body == big)
        check("again", app.ask("/uploads/2", method="GET").body == big)
        check("an empty shelf", app.ask("/uploads/9", method="GET").status == 404)
        check("another method", app.ask("/uploads", method="PUT").status == 405)


def test_the_shop_in_rust():
    if not have("rust-cart"):
        return skip("the shop", "no Rust guests")
    text = "".join('[services.%s]\ncomponent = "%s"\n[services.%s.process]\nsends = %s\n' % (n, guest("rust-cart"), n, s)
                   for n, s in (("cart", '["stock"]'), ("stock", "[]")))
    with App(text) as app:
        def call(name, line):
            env = dict(os.environ, HF_ADMIN="unix:" + os.path.join(app.path, ".holdfast", "admin.sock"))
            p = subprocess.run([BIN, "call", name, line], capture_output=True, stdin=subprocess.DEVNULL, env=env, timeout=60 * SLOW)
            return p.stdout.decode() if p.returncode == 0 else "%d %s" % (p.returncode, p.stderr.decode())
        check("fill", call("stock", "fill apples 5") == "apples 5" and call("stock", "fill pears 1") == "apples 5, pears 1")
        check("two carts", call("cart/anna", "add apples 3") == "apples 3" and call("cart/ben", "add apples 4") == "apples 4")
        check("more", call("cart/anna", "add pears 2") == "apples 3, pears 2")
        r = call("cart/anna", "checkout")
        check("stock is asked for each line", sorted(r.split(", ")) == ["apples: yours", "pears: only 1"], r)
        check("what there was not stays", call("cart/anna", "show") == "pears 2")
        check("another's is its own", call("cart/ben", "checkout") == "apples: only 2" and call("cart/ben", "show") == "apples 4")
        check("nothing", call("cart/eve", "checkout") == "nothing")
        check("no such word", call("cart/eve", "dance") == "add WHAT N, show or checkout")


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
