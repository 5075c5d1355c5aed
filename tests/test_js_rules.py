#!/usr/bin/env python3
"""The rules of wasi:http and wasi:io through an unmodified JavaScript component (examples/js/rules), over real sockets."""
import os, re, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

if not have("js-rules"):
    skip("js-rules", "its toolchain is not here")
    print("0 passed, 0 failed")
    sys.exit(0)
S = None


def server():
    global S
    if S is None:
        S = Server(guest("js-rules"), "--workers", 1, "--max", 2)
    return S


def holds(path, method="GET", **kw):
    r = server().get(path, method, **kw)
    check(path, r.status == 200 and r.body == b"ok", (r.status, r.body, server().text()[-300:] if r.status == 500 else ""))


def broken(r):
    """Cut off, or, where it was known before the head went out, a failure."""
    return r.status == 500 or not r.complete


def traps(path, words, **kw):
    s = server()
    r = s.get(path, **kw)
    check(path + " ends that instance", r.status == 500, (r.status, r.body))
    check(path + " says why", s.wait_line(words), s.text()[-600:])
    check(path + " and no other", s.get("/poll/level").body == b"ok")


def test_fields_names(): holds("/fields/names")
def test_fields_values(): holds("/fields/values")
def test_fields_forbidden(): holds("/fields/forbidden")
def test_fields_immutable(): holds("/fields/immutable", headers=[("User-Agent", "x")])
def test_fields_order(): holds("/fields/order")
def test_fields_set(): holds("/fields/set")
def test_fields_clone(): holds("/fields/clone")
def test_request_parts(): holds("/request/parts?q=1")
def test_request_consume(): holds("/request/consume")
def test_body_stream_once(): holds("/body/stream-once", "POST", body=b"some bytes")
def test_body_closed_for_ever(): holds("/body/closed-for-ever", "POST", body=b"some bytes")
def test_body_read_nothing(): holds("/body/read-nothing", "POST", body=b"some bytes")
def test_outgoing_setters(): holds("/outgoing/setters")
def test_outgoing_options(): holds("/outgoing/options")
def test_response_status(): holds("/response/status")
def test_response_body_once(): holds("/response/body-once")
def test_poll_duplicates(): holds("/poll/duplicates")
def test_poll_level(): holds("/poll/level")
def test_poll_waits(): holds("/poll/waits")
def test_stream_permit(): holds("/stream/permit")


def test_body_trailers():
    holds("/body/trailers", "POST", headers=[("Transfer-Encoding", "chunked")],
          body=b"5\r\nbytes\r\n0\r\nx-sum: 42\r\n\r\n")


def test_answer_before_return():
    s = server()

    def early():
        begin = time.monotonic()
        r = s.get("/early")
        check("early", r.body == b"early" and r.complete, r.body)
        return time.monotonic() - begin < 0.25
    check("whole before the guest returned", once(early) or SAN)


def test_body_before_set():
    r = server().get("/before-set")
    check("written before set", r.status == 200 and r.body == b"written before" and r.complete, (r.status, r.body))


def test_no_answer():
    check("500", server().get("/no-answer").status == 500)


def test_errors_become_statuses():
    check("timeout", server().get("/error/timeout").status == 504)
    check("refused", server().get("/error/refused").status == 502)


def test_length_over():
    s = server()
    r = s.get("/length/over")
    check("never looks whole", broken(r), (r.status, r.body, r.complete))
    check("the guest is told", s.wait_line("over: last-operation-failed"), s.text()[-300:])


def test_length_under():
    s = server()
    r = s.get("/length/under")
    check("never looks whole", broken(r), (r.status, r.body, r.complete))
    check("the guest is told how many", s.wait_line("under: HTTP-response-body-size 5"), s.text()[-300:])


def test_trailers_out():
    r = server().get("/trailers", headers=[("TE", "trailers")])
    check("trailers", r.body == b"with trailers" and ("x-sum", "42") in r.trailers, (r.body, r.trailers))


def test_no_body_where_there_is_none():
    r = server().get("/empty")
    check("204", r.status == 204 and r.body == b"" and r.complete, (r.status, r.body))
    with server().connect() as c:
        c.sendall(request("/fields/set", "HEAD", close=True))
        data, _ = read_all(c)
        check("HEAD", data.split(b"\r\n\r\n", 1)[1] == b"", data)


def test_unfinished_is_aborted():
    r = server().get("/unfinished")
    check("never looks whole", broken(r), (r.status, r.body, r.complete))


def test_splice():
    data = os.urandom(300000)
    r = server().get("/splice", "POST", body=data)
    check("moved by the host", r.status == 200 and r.body == data and r.complete, (r.status, len(r.body)))


def test_poll_nothing_traps(): traps("/trap/poll-nothing", "empty")
def test_finish_with_stream_traps(): traps("/trap/finish-with-stream", "input-stream", method="POST", body=b"x")
def test_past_permit_traps(): traps("/trap/past-permit", "permit")
def test_too_much_at_once_traps(): traps("/trap/too-much-at-once", "4096")
def test_parent_first_traps(): traps("/trap/parent-first", "pollable", method="POST", body=b"x")


def test_zz_the_end():
    code = server().stop()
    check("a clean end", code == 0, code)


run_tests(sys.modules[__name__])
