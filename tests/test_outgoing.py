#!/usr/bin/env python3
"""The whole program: guests that ask other servers over HTTP and TLS (examples/c/proxy, examples/c/fanout)."""
import os, shutil, socket, ssl, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


class Upstream:
    """A server on loopback: `answer(connection, head)` is called for each request read and says whether to go on."""

    def __init__(self, answer, tls=None):
        self.s = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port, self.answer, self.tls = self.s.getsockname()[1], answer, tls
        self.connections, self.requests, self.open = 0, 0, 0
        self.lock = threading.Lock()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def count(self, connections=0, requests=0, opened=0):
        with self.lock:
            self.connections += connections
            self.requests += requests
            self.open += opened

    def serve(self, c):
        self.count(connections=1, opened=1)
        try:
            if self.tls:
                c = self.tls.wrap_socket(c, server_side=True)
            r = Reader(c)
            while True:
                head = []
                while (line := r.line()) not in (None, b""):
                    head.append(line.decode("latin-1"))
                if not head:
                    return
                self.count(requests=1)
                if not self.answer(c, r, head):
                    return
        except OSError:
            pass
        finally:
            self.count(opened=-1)
            c.close()

    def close(self):
        self.s.close()


def length_of(head):
    return int(next((h.split(":")[1] for h in head if h.lower().startswith("content-length")), 0))


def hello(c, r, head):
    body = ("%s from up" % head[0].split()[1]).encode()
    c.sendall(b"HTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: %d\r\n\r\n" % len(body) + (b"" if head[0].startswith("HEAD") else body))
    return True


def echo(c, r, head):
    left = length_of(head)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
    while left > 0:
        if not r.buf and not r.more():
            return False
        c.sendall(r.buf)
        left -= len(r.buf)
        r.buf = b""
    return True


def proxy(up, *args, scheme="http", host="127.0.0.1", grant=True):
    grants = ("--allow-outbound", "loopback:%d" % up.port) if grant else ()
    return Server(guest("c-proxy"), "--workers", 1, "--env", "UPSTREAM=%s://%s:%d" % (scheme, host, up.port), *grants, *args)


def test_requests_go_on_and_come_back():
    up = Upstream(hello)
    for mode in ("reuse", "per-request"):
        before = up.connections
        with proxy(up, "--instances", mode) as s:
            for i in range(30):
                r = s.get("/%d?q" % i)
                check("%s: GET" % mode, r.status == 200 and r.body == b"/%d?q from up" % i and r.header("x-up") == "yes" and r.complete,
                      (r.status, r.body))
            r = s.get("/", "HEAD")
            check("%s: HEAD" % mode, r.status == 200 and r.header("content-length") == "9", (r.status, r.headers))
            check("%s: one connection is kept for all, also across instances" % mode, up.connections == before + 1, up.connections - before)
            check("%s: alive" % mode, s.alive())
    up.close()


def test_bodies_of_every_size_go_both_ways():
    up = Upstream(echo)
    with proxy(up) as s:
        for n in (0, 1, 4096, 65537, 3000000):
            body = os.urandom(n)
            r = s.get("/", "POST", body=body, timeout=30)
            check("%d bytes" % n, r.status == 200 and r.body == body and r.complete, (r.status, len(r.body)))
        s.get("/", "POST", body=b"x" * 1000000)
        before = s.rss_kb()
        size = 100 * 1024 * 1024
        piece = os.urandom(1 << 20)
        with s.connect(60) as c:
            def send():
                c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
                for _ in range(size >> 20):
                    c.sendall(piece)
            t = threading.Thread(target=send)
            t.start()
            r, got, most = Reader(c), 0, 0
            while (line := r.line()) not in (None, b""):
                pass
            good = True
            while got < size:
                b = r.take(1 << 20)
                if len(b) < 1 << 20:
                    break
                good &= b == piece
                got += len(b)
                most = max(most, s.rss_kb())
            t.join()
        check("100 MiB there and back", got == size and good, got)
        check("in flat memory", most - before < 24 * 1024 * SLOW, (before, most))
    up.close()


def test_nothing_without_a_grant():
    up = Upstream(hello)
    with proxy(up, grant=False) as s:
        r = s.get()
        check("no grant: refused", r.status == 403, r.status)
    with proxy(up, "--allow-outbound", "127.0.0.1:1", grant=False) as s:
        check("another port: refused", s.get().status == 403)
    with proxy(up, "--allow-outbound", "127.0.0.1:%d" % up.port, grant=False) as s:
        check("the address: granted", s.get().status == 200)
    with proxy(up, host="localhost", scheme="http") as s:
        check("localhost is loopback", s.get().status == 200)
    with proxy(up, "--net", "connect:loopback:%d" % up.port, grant=False) as s:
        check("--net grants it too", s.get().status == 200)
    check("nobody came in vain", up.requests == 3, up.requests)
    for bad in ("x:y", "*.example.org", ""):
        code, out, err = holdfast("serve", guest("c-proxy"), "--addr", "127.0.0.1:0", "--allow-outbound", bad)
        check("--allow-outbound %r" % bad, code == 2 and err, (code, err))
    code, out, err = holdfast("serve", guest("c-proxy"), "--addr", "127.0.0.1:0", "--allow-outbound", "a.example", "--tls-ca", "/nowhere.pem")
    check("--tls-ca that is not there", code != 0 and "/nowhere.pem" in err, (code, err))
    up.close()


def test_servers_that_lie():
    rows = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 502, None),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello", 502, None),
        (b"nonsense\r\n\r\n", 502, None),
        (b"", 502, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 200, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", 500, None),  # seen before a head went out
        (b"HTTP/1.1 200 OK\r\n\r\nhello", 200, True),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100000 + b"\r\n\r\n", 502, None),
    ]
    wire, heard = [b"", False], threading.Event()

    def lie(c, r, head):
        c.sendall(wire[0])
        if wire[1]:
            heard.wait(60 * SLOW)  # what it said so far is passed on before it breaks off
        return False

    up = Upstream(lie)
    with proxy(up) as s:
        for bytes_, status, whole in rows:
            wire[:] = bytes_, whole is False
            heard.clear()
            with s.connect(60) as c:
                c.sendall(request("/", "POST", body=b"x", close=True))
                r = Reader(c)
                r.more()
                heard.set()
                r = read_response(c, reader=r)
            check("lie %r" % bytes_[:60], r.status == status and (whole is None or r.complete == whole), (r.status, r.complete, r.body[:40]))
        check("alive", s.alive())
    up.close()
    with Server(guest("c-proxy"), "--env", "UPSTREAM=http://127.0.0.1:%d" % closed_port(), "--allow-outbound", "loopback:*") as s:
        check("nobody listens", s.get().status == 502)


def test_a_server_that_never_answers_and_a_client_that_leaves():
    gone = threading.Event()

    def silent(c, r, head):
        while c.recv(4096):
            pass
        gone.set()
        return False

    up = Upstream(silent)
    with proxy(up, "--request-timeout", "%ds" % SLOW) as s:
        r = s.get()
        check("the request's own time: 504", r.status == 504, r.status)
        check("and the server is let go", gone.wait(60 * SLOW))
        check("alive", s.alive())
    up.close()

    def endless(c, r, head):
        c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                c.sendall(b"x" * 65536)
        except OSError:
            gone.set()
        return False

    gone.clear()
    up = Upstream(endless)
    with proxy(up) as s:
        with s.connect() as c:
            c.sendall(request("/"))
            c.recv(65536)
        check("a client that leaves takes the server's answer with it", gone.wait(60 * SLOW))
    up.close()


def test_slow_words_arrive_as_they_come():
    def slow(c, r, head):
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(5):
            c.sendall(b"1\r\n%d\r\n" % i)
            arrived[i].wait(60 * SLOW)  # the next one is said when this one has been heard
        c.sendall(b"0\r\n\r\n")
        return True

    arrived = [threading.Event() for _ in range(5)]
    up = Upstream(slow)
    with proxy(up, "--request-timeout", "300s") as s:
        with s.connect(60) as c:
            c.sendall(request("/", close=True))
            seen, early = b"", 0
            while b := c.recv(4096):
                seen += b
                for i, e in enumerate(arrived):
                    if b"\r\n1\r\n%d" % i in seen and not e.is_set():
                        early += 1
                        e.set()
        check("all of it, each as it came", seen.endswith(b"0\r\n\r\n") and early == 5, (early, seen))
    up.close()


def make_certificates(folder):
    """A root, a good certificate for localhost and one for another name: PEM files."""
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=folder)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test root")
    for name, host in (("good", "localhost"), ("other", "elsewhere.test")):
        open(os.path.join(folder, name + ".ext"), "w").write("subjectAltName=DNS:%s" % host)
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + host)
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            name + ".ext", "-out", name + ".pem")


def test_tls():
    if not shutil.which("openssl"):
        skip("test_outgoing: TLS", "the openssl command is not here")
        return
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(folder)
        ca = os.path.join(folder, "ca.pem")

        def context(name):
            t = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            t.load_cert_chain(os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key"))
            return t

        up = Upstream(echo, context("good"))
        with proxy(up, "--tls-ca", ca, scheme="https", host="localhost") as s:
            for n in (0, 10, 2000000):
                body = os.urandom(n)
                r = s.get("/", "POST", body=body, timeout=30)
                check("https, %d bytes" % n, r.status == 200 and r.body == body, (r.status, len(r.body), s.text()[-300:]))
            check("one connection for all", up.connections == 1, up.connections)
        with proxy(up, scheme="https", host="localhost") as s:
            check("an unknown root is not trusted", s.get().status == 502)
        with proxy(up, "--tls-ca", ca, scheme="https", host="127.0.0.1") as s:
            check("a certificate for another name is not trusted", s.get().status == 502)
        up.close()
        up = Upstream(hello, context("other"))
        with proxy(up, "--tls-ca", ca, scheme="https", host="localhost") as s:
            check("nor one for elsewhere", s.get().status == 502)
        check("no request was said to it", up.requests == 0, up.requests)
        up.close()

        class Plain:
            def wrap_socket(self, c, server_side):
                c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return c

        up = Upstream(hello, Plain())
        with proxy(up, "--tls-ca", ca, scheme="https", host="localhost") as s:
            check("plain words are no TLS", s.get().status == 502)
        up.close()


FANOUTS = {  # what each language calls a refused connection and a request that is not granted
    "c-fanout": ("6", "15"),
    "js-fanout": ("connection-refused", "HTTP-request-denied"),
    "python-fanout": ("ErrorCode_ConnectionRefused", "ErrorCode_HttpRequestDenied"),
}


def fanouts():
    for name in FANOUTS:
        if have(name):
            yield name
        else:
            skip("test_outgoing: " + name, "its toolchain is not here")


def test_three_at_once():
    """Each server answers only when all three were asked: a guest that asks one after another would get nothing."""
    together = threading.Barrier(3)

    def wait_for_all(c, r, head):
        together.wait(60 * SLOW)
        return hello(c, r, head)

    ups = [Upstream(wait_for_all) for _ in range(3)]
    names = ",".join("127.0.0.1:%d" % u.port for u in ups)
    for name in fanouts():
        with Server(guest(name), "--env", "UPSTREAMS=" + names, "--env", "PATIENCE_MS=%d" % (60000 * SLOW), "--workers", 1, "--max", 1,
                    "--allow-outbound", "loopback:*") as s:
            for _ in range(3):
                r = s.get(timeout=120)
                check("%s: three in flight together from one instance" % name,
                      r.body == b"0: 200 / from up\n1: 200 / from up\n2: 200 / from up\n", (r.body, s.text()[-500:]))
    for u in ups:
        u.close()


def test_a_race_with_time():
    gone = threading.Event()

    def silent(c, r, head):
        while c.recv(4096):
            pass
        gone.set()
        return False

    quick, slow = Upstream(hello), Upstream(silent)
    names = "127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d,10.0.0.1:80" % (quick.port, slow.port, closed_port())
    for name in fanouts():
        want = b"0: 200 / from up\n1: too late\n2: error %s\n3: error %s\n" % tuple(w.encode() for w in FANOUTS[name])
        for patience in (500, 2000, 8000):  # on a busy machine the quick one may need more
            gone.clear()
            with Server(guest(name), "--env", "UPSTREAMS=" + names, "--env", "PATIENCE_MS=%d" % (patience * SLOW), "--workers", 1,
                        "--allow-outbound", "loopback:*") as s:
                start = time.monotonic()
                r = s.get(timeout=120)
                took = time.monotonic() - start
                late = gone.wait(60 * SLOW)
            if r.body == want:
                break
        check("%s: who answered, who was late, who refused, who may not be asked" % name, r.body == want, (r.body, s.text()[-500:]))
        check("%s: its patience was waited for" % name, took > patience * SLOW / 1000 * 0.8, took)
        check("%s: the late one is let go" % name, late)
    quick.close()
    slow.close()


def test_a_host_has_a_limit():
    most, lock = [0, 0], threading.Lock()

    def count(c, r, head):
        with lock:
            most[0] += 1
            most[1] = max(most)
        time.sleep(0.05)
        with lock:
            most[0] -= 1
        return hello(c, r, head)

    up = Upstream(count)
    with proxy(up, "--outbound-max", 2) as s:
        good = []
        threads = [threading.Thread(target=lambda: good.append(s.get(timeout=30).status)) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check("all are answered", good == [200] * 12, good)
        check("two at a time", most[1] <= 2 and up.connections <= 2, (most, up.connections))
    up.close()


def test_without_a_server():
    up = Upstream(hello)
    names = "127.0.0.1:%d,127.0.0.1:%d" % (up.port, up.port)
    code, out, err = holdfast("invoke", guest("c-fanout"), "ask", "--env", "UPSTREAMS=" + names, "--allow-outbound", "loopback:*")
    check("invoke asks too", code == 0 and out.strip() == '"0: 200 / from up\\n1: 200 / from up\\n"', (code, out, err))
    code, out, err = holdfast("invoke", guest("c-fanout"), "ask", "--env", "UPSTREAMS=" + names)
    check("and only where it may", code == 0 and "0: error 15" in out and "not granted" in err, (code, out, err))
    up.close()


def test_many_at_once_leave_nothing():
    up = Upstream(hello)
    with proxy(up) as s:
        def many():
            for i in range(25):
                r = s.get("/%d" % i, timeout=30)
                if r.body != b"/%d from up" % i:
                    bad.append((r.status, r.body))
        bad = []
        s.get()
        before = s.fds()
        threads = [threading.Thread(target=many) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check("200 requests, none wrong", not bad, bad[:3])
        check("few connections for many requests", up.connections <= 20, up.connections)
        check("descriptors: kept connections and no more", s.fds() <= before + 20, (before, s.fds()))
        check("a clean stop", s.stop() == 0)
        end = time.monotonic() + 30 * SLOW
        while up.open > 0 and time.monotonic() < end:
            time.sleep(0.02)
        check("and every connection is closed", up.open == 0, up.open)
    up.close()


if have("c-proxy") and have("c-fanout"):
    run_tests(sys.modules[__name__])
else:
    skip("test_outgoing", "the C toolchain is not here")
