#!/usr/bin/env python3
"""The whole program: guests that open connections where --net lets them (examples/c/relay)."""
import concurrent.futures as cf, os, socket, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


class Echo:
    """A server on loopback that sends everything back; `reads` False: it accepts and does nothing."""

    def __init__(self, reads=True):
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port, self.reads, self.seen = self.s.getsockname()[1], reads, []
        self.held = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            if not self.reads:
                self.held.append(c)
                continue
            threading.Thread(target=self.echo, args=(c,), daemon=True).start()

    def echo(self, c):
        with c:
            while True:
                b = c.recv(65536)
                if not b:
                    return
                c.sendall(b)

    def close(self):
        self.s.close()
        for c in self.held:
            c.close()


def test_a_granted_port_is_reached():
    e = Echo()
    for mode in ("reuse", "per-request"):
        with Server(guest("c-relay"), "--workers", 1, "--instances", mode, "--net", "connect:loopback:%d" % e.port) as s:
            for n in (0, 5, 100000):  # (it sends all before it reads: more than buffers hold would wait for ever)
                body = bytes(i * 7 % 256 for i in range(1000)) * (n // 1000) + b"x" * (n % 1000)
                r = s.get("/%d" % e.port, "POST", body=body)
                check("%s: %d bytes there and back" % (mode, n), r.status == 200 and r.body == body and r.complete,
                      (r.status, len(r.body), s.text()[-400:]))
            s.get("/%d" % e.port, "POST", body=b"warm")
            before = s.fds()
            for _ in range(20):
                s.get("/%d" % e.port, "POST", body=b"again")
            end = time.monotonic() + 30 * SLOW  # the last client's own connection may be on its way out
            while s.fds() > before and time.monotonic() < end:
                time.sleep(0.02)
            check("%s: no descriptor is left" % mode, s.fds() <= before, (before, s.fds()))
            check("%s: ends cleanly" % mode, s.stop() == 0)
    e.close()


def test_nothing_else_is_reached():
    e = Echo()
    with Server(guest("c-relay"), "--workers", 1, "--net", "connect:loopback:%d" % closed_port()) as s:
        r = s.get("/%d" % e.port, "POST", body=b"x")
        check("another port is denied", r.status == 502 and b"code 01" in r.body, (r.status, r.body))
    with Server(guest("c-relay"), "--workers", 1) as s:
        r = s.get("/%d" % e.port, "POST", body=b"x")
        check("without --net no socket is made", r.status == 502 and b"code 01" in r.body, (r.status, r.body))
    e.close()


def test_nobody_listens():
    port = closed_port()
    with Server(guest("c-relay"), "--workers", 1, "--net", "loopback:*") as s:
        r = s.get("/%d" % port, "POST", body=b"x")
        check("refused is told", r.status == 502 and b"code 14" in r.body, (r.status, r.body))
        r = s.get("/0", "POST", body=b"x")
        check("port 0 is an invalid argument", r.status == 502 and b"code 03" in r.body, (r.status, r.body))


def test_a_server_that_does_not_read_holds_one_request():
    e, good = Echo(reads=False), Echo()
    with Node(guest("c-relay"), "--workers", 1, "--net", "loopback:*", "--request-timeout", "%ds" % (4 * SLOW)) as s:
        with cf.ThreadPoolExecutor(3) as pool:
            stuck = [pool.submit(s.get, "/%d" % e.port, "POST", (), b"x" * 20000000, 30) for _ in range(2)]
            check("they are in hand", s.in_hand(2))
            r = s.get("/%d" % good.port, "POST", body=b"quick")
            check("others go on", r.status == 200 and r.body == b"quick" and not any(f.done() for f in stuck), r.status)
            for f in stuck:
                check("it ends with its deadline", f.result().status == 504, f.result().status)
        check("the worker lives", s.get("/%d" % good.port, "POST", body=b"y").body == b"y")
        check("its memory is bounded", s.rss_kb() < (400000 if SAN else 200000), s.rss_kb())
    e.close()
    good.close()


def test_rules_that_are_wrong():
    for rule, words in (("loopback", "column 9"), ("10.0.0.1/8:80", "column 1"), ("listen:example.com:80", "column 8"),
                        ("sockets=none", "column 9")):
        for command in (("serve", guest("c-relay"), "--addr", "127.0.0.1:0"), ("invoke", guest("c-relay"), "f")):
            code, out, err = holdfast(*command, "--net", rule)
            check("%s --net %s" % (command[0], rule), code == 2 and words in err and rule in err, (code, err))


def test_limits_by_net():
    e = Echo()
    with Server(guest("c-relay"), "--workers", 1, "--net", "loopback:*", "--net", "sockets=1") as s:
        r = s.get("/%d" % e.port, "POST", body=b"one")
        check("one socket is enough for it", r.status == 200 and r.body == b"one", (r.status, r.body))
    e.close()


if have("c-relay"):
    run_tests(sys.modules[__name__])
else:
    skip("test_net", "the C toolchain is not here")
