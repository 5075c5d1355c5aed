#!/usr/bin/env python3
"""Clients that break off at every byte of a small request and after every byte of a small answer, by a reset or by closing,
with a real guest: the server lives, the next request is right, and nothing of them stays."""
import os, re, socket, struct, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

HEAD = b"POST %s HTTP/1.1\r\nHost: h\r\nX: y\r\n"
REQUESTS = [
    (HEAD % b"/" + b"Content-Length: 10\r\n\r\n0123456789", b"0123456789"),
    (HEAD % b"/splice" + b"Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n3\r\nend\r\n0\r\nA: b\r\n\r\n", b"helloend"),
]


def leave(c, reset):
    if reset:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def right(server):
    r = server.get("/", "POST", body=b"still right")
    return r.status == 200 and r.body == b"still right" and r.complete


def broken(mode, offsets, break_off):
    """break_off(server, request, n, reset) for each of offsets(server, request); then nothing of it may be left."""
    with Server(guest("c-echo"), "--workers", 1, "--instances", mode) as s:
        fds, n_broken = s.fds(), 0
        check("%s: before" % mode, right(s))
        for request, answer in REQUESTS:
            for n in offsets(s, request, answer):
                for reset in (True, False):
                    break_off(s, request, n, reset)
                    n_broken += 1
                    if not s.alive() or not right(s):
                        check("%s: after %d bytes, reset %d: %r" % (mode, n, reset, request), False, s.text()[-500:])
                        return
        check("%s: enough was broken" % mode, n_broken > 200, n_broken)
        check("%s: descriptors come back" % mode, s.fds_at_most(fds), (fds, s.fds()))
        check("%s: no guest was harmed" % mode, re.search("trap|unreachable|panic|assert", s.text()) is None, s.text()[-500:])
        with s.connect() as c:  # and the table of connections is no mess
            c.sendall(REQUESTS[1][0] + REQUESTS[0][0].replace(b"X: y", b"Connection: close"))
            rd = Reader(c)
            got = [read_response(c, reader=rd).body, read_response(c, reader=rd).body]
            check("%s: two at once" % mode, got == [b"helloend", b"0123456789"], got)
        check("%s: ends cleanly" % mode, s.stop() == 0, s.text()[-500:])


def test_resets_at_every_byte_of_a_request():
    def break_off(s, request, n, reset):
        c = s.connect()
        c.sendall(request[:n])
        if n % 3 == 1:
            time.sleep(0.002)  # sometimes the server has seen it, sometimes the reset is faster
        leave(c, reset)
    for mode in ("reuse", "per-request"):
        broken(mode, lambda s, request, answer: range(len(request) + 1), break_off)


def test_resets_after_every_byte_of_an_answer():
    """All of the request is there; but for odd n the last bytes are not, so that the guest still waits for them."""
    def length(s, request, answer):
        with s.connect() as c:
            c.sendall(request.replace(b"X: y", b"Connection: close"))
            whole = read_all(c)[0]
        check("the answer is whole", answer[-3:] in whole, whole)
        return range(1, len(whole) + 1)

    def break_off(s, request, n, reset):
        c = s.connect()
        c.sendall(request if n % 2 == 0 else request[:-2])
        got = b""
        c.settimeout(0.05 * SLOW)
        try:
            while len(got) < n:
                b = c.recv(n - len(got))
                if not b:
                    break
                got += b
        except TimeoutError:
            pass  # what is missing of the request is missing of the answer
        leave(c, reset)
    for mode in ("reuse", "per-request"):
        broken(mode, length, break_off)


run_tests(sys.modules[__name__])
