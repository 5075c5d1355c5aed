#!/usr/bin/env python3
"""The whole program: holdfast serve with real components over real sockets."""
import concurrent.futures as cf, json, os, re, socket, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


def test_hello():
    with Server(guest("c-hello"), "--workers", 1) as s:
        r = s.get("/")
        check("hello status", r.status == 200, r.status)
        check("hello body", r.body == b"Hello from C\n", r.body)
        check("hello complete", r.complete)
        r = s.get("/", method="HEAD")
        check("HEAD has no body", r.status == 200 and r.body == b"")
        check("access log names status", s.wait_line(r"access .*GET / 200"), s.text())
        check("drains and exits 0", s.stop() == 0)


def test_hellos_of_other_languages():
    for name, body in (("js-hello", b"JavaScript"), ("python-hello", b"Python"), ("rust-hello", b"Rust")):
        if not have(name):
            skip(name, "its toolchain is not here")
            continue
        for mode in ("reuse", "per-request"):
            with Server(guest(name), "--workers", 1, "--instances", mode) as s:
                for i in range(3):
                    r = s.get("/")
                    check("%s %s %d" % (name, mode, i), r.status == 200 and body in r.body, (r.status, r.body, s.text()))


def test_a_component_that_takes_one_request_only():
    if not have("js-fetch"):
        return skip("js-fetch", "its toolchain is not here")
    with Server(guest("js-fetch"), "--workers", 1, "--max", 1, "--debug") as s:
        got = [s.get("/").status for _ in range(5)]
        check("the second fails, then each instance serves once", got == [200, 500, 200, 200, 200], got)
        check("and the log says so", s.wait_line("each instance serves one request"), s.text())
        check("until there is an image to put them back to", s.wait_line("instances are put back after each", 30), s.text())
        got = [s.get("/").header("holdfast-instance") for _ in range(6)]
        ids = [re.search(r"id=(\d+)", g).group(1) for g in got]
        check("then one instance serves on", len(set(ids[1:])) == 1, got)
    with Server(guest("js-fetch"), "--workers", 1, "--instances", "per-request") as s:
        got = [s.get("/").status for _ in range(5)]
        check("per-request never fails", got == [200] * 5, got)


def test_one_bad_request_does_not_mark_a_component():
    with Server(guest("c-hostile"), "--workers", 1, "--max", 1) as s:
        for _ in range(2):
            s.get("/count")
            check("a trap as the second request", s.get("/before-set").status == 500)
        got = [s.get("/count").body.strip() for _ in range(4)]
        check("instances are still reused", got == [b"1", b"2", b"3", b"4"], (got, s.text()))


def counts(server, n=3):
    return [server.get("/").body.strip() for _ in range(n)]


def test_lifecycle_counter():
    for name in ("c-counter", "js-counter"):
        if not have(name):
            skip(name, "its toolchain is not here")
            continue
        with Server(guest(name), "--workers", 1, "--max", 1) as s:
            got = counts(s)
            check(name + " reuse counts 1,2,3", got == [b"1", b"2", b"3"], got)
        with Server(guest(name), "--workers", 1, "--max", 1, "--instances", "per-request") as s:
            got = counts(s, 5)
            check(name + " per-request is always 1", got == [b"1"] * 5, (got, s.text()))
            check(name + " no reset complaint", "reset=" not in s.text(), s.text())


def test_debug_header_says_who_served():
    with Server(guest("c-hello"), "--workers", 1, "--max", 1, "--debug") as s:
        a = s.get("/").header("holdfast-instance")
        b = s.get("/").header("holdfast-instance")
        check("debug header", a is not None and "served=1" in a and "served=2" in (b or ""), (a, b))
    with Server(guest("c-hello"), "--workers", 1) as s:
        check("no header without --debug", s.get("/").header("holdfast-instance") is None)


def test_keep_alive_and_pipeline():
    with Server(guest("c-hello"), "--workers", 1) as s, s.connect() as c:
        c.sendall(request("/a") + request("/b") + request("/c"))
        rd = Reader(c)
        got = [read_response(c, reader=rd) for _ in range(3)]
        check("three answers in order on one connection", [g.status for g in got] == [200] * 3 and all(g.complete for g in got))
        c.sendall(request("/d"))
        check("and a fourth", read_response(c, reader=rd).status == 200)


def test_echo_streams_both_ways():
    with Server(guest("c-echo"), "--workers", 1) as s:
        for path in ("/", "/splice"):
            for size in (0, 1, 5, 4096, 65536, 1 << 20, 8 << 20):
                data = os.urandom(size)
                with s.connect(30) as c:
                    c.settimeout(30 * SLOW)
                    import threading
                    t = threading.Thread(target=c.sendall, args=(request(path, "POST", body=data, close=True),))
                    t.start()
                    r = read_response(c)
                    t.join()
                check("echo %s %d" % (path, size), r.status == 200 and r.body == data and r.complete,
                      (r.status, len(r.body), r.complete))
        chunked = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
        r = s.get("/", "POST", headers=[("Transfer-Encoding", "chunked")], body=chunked)
        check("echo chunked", r.body == b"hello world", r.body)
        with s.connect() as c:  # the answer comes while the request is still being sent
            c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            rd = Reader(c)
            head = rd.line()
            while rd.line():
                pass
            first = rd.line(), rd.take(5)
            check("answer begins before the request ends", b"200" in head and first == (b"5", b"first"), (head, first))
            c.sendall(b"3\r\nend\r\n0\r\n\r\n")
            rd.line()
            check("and goes on", (rd.line(), rd.take(3)) == (b"3", b"end"))
        check("memory stays small", s.rss_kb() < 64 * 1024 or SAN, s.rss_kb())


def test_100_continue():
    with Server(guest("c-echo"), "--workers", 1) as s, s.connect() as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        rd = Reader(c)
        check("100 first", rd.line() == b"HTTP/1.1 100 Continue")
        rd.line()
        c.sendall(b"body")
        r = read_response(c, reader=rd)
        check("then the answer", r.status == 200 and r.body == b"body", (r.status, r.body))


def test_slow_stream_arrives_in_pieces():
    with Server(guest("c-slow"), "--workers", 1) as s:
        def early():
            with s.connect() as c:
                c.sendall(request("/", close=True))
                c.recv(65536)
                first = time.monotonic()
                read_all(c)
                return time.monotonic() - first > 0.1
        check("slow: first bytes come early", once(early))
        statuses = set()

        def together():  # twenty at once wait together, on one thread
            begin = time.monotonic()
            with cf.ThreadPoolExecutor(20) as pool:
                statuses.update(pool.map(lambda _: s.get("/", timeout=60).status, range(20)))
            return time.monotonic() - begin < 20 * 0.2 * 0.5
        check("twenty slow ones at once wait side by side", once(together))
        check("and all are answered", statuses == {200}, statuses)


HOSTILE = {  # path: (statuses that are right, must the answer be complete)
    "/before-set": ((500,), True), "/noanswer": ((500,), True), "/drop-outparam": ((500,), True),
    "/seterr": ((500,), True), "/exit-before": ((500,), True),
    # What failed before anything was sent is a whole 500; once a byte is out, the answer must look broken.
    "/after-set": ((200, 0, 500), False), "/in-body": ((200, 0, 500), False), "/abandon": ((200, 0, 500), False),
    "/too-short": ((200, 0, 500), False),
    "/after-end": ((200,), None), "/exit": ((200,), True), "/exit-error": ((200,), True), "/exit-code": ((200,), True),
    "/deep": ((500,), True), "/deep-calls": ((500,), True), "/outside": ((500,), True), "/bad-call": ((500,), True),
    "/use-dropped": ((500,), True), "/wrong-type": ((500,), True), "/invented": ((500,), True), "/drop-twice": ((500,), True),
    "/drop-parent": ((500,), True), "/poll-nothing": ((500,), True), "/past-permit": ((500, 200, 0), None),
    "/bad-pointer": ((500, 200, 0), None), "/set-twice": ((200, 500, 0), None), "/much-random": ((500,), True),
    "/empty": ((204,), True), "/big": ((200,), True), "/trailers": ((200,), True), "/ignore-body": ((200,), True),
    "/request": ((200,), True), "/clockrand": ((200,), True), "/print": ((200,), True), "/poll-twice": ((200,), True),
    "/take-twice": ((200,), True), "/bad-headers": ((200,), True), "/grow": ((200,), True), "/count": ((200,), True),
    "/large-headers": ((200,), True), "/huge-headers": ((500,), True),
    "/late": ((200,), True), "/busy": ((200,), True), "/after-work": ((200,), True),
}


def test_hostile_guest_kills_only_itself():
    for mode in ("reuse", "per-request"):
        with Server(guest("c-hostile"), "--workers", 1, "--instances", mode, "--request-timeout", "20s") as s:
            for path, (statuses, whole) in HOSTILE.items():
                r = s.get(path)
                name = "%s %s" % (mode, path)
                check(name + " status", r.status in statuses, (r.status, r.body[:200], s.lines[-3:]))
                if whole is not None:
                    check(name + (" complete" if whole else " must look broken"), r.complete == (whole or r.status == 500),
                          (r.status, r.complete, r.body[:100]))
                ok = s.get("/count")
                if not check(name + " and the server goes on", ok.status == 200 and s.alive(), (ok.status, s.text()[-2000:])):
                    return
            check(mode + " trailers", dict(s.get("/trailers").trailers).get("x-checksum") == "42")
            check(mode + " poll twice answers 2", s.get("/poll-twice").body.strip() == b"2")
            check(mode + " body once", s.get("/take-twice").body.strip() == b"once")
            check(mode + " big is whole", len(s.get("/big").body) == 16 << 20)
            check(mode + " stdout goes to the log with the service's name", s.wait_line(r"stdout +c-hostile\["), s.text()[-1500:])
            s.get("/before-set")
            check(mode + " traps are logged", s.wait_line("unreachable"), s.text()[-1500:])


def test_spin_is_cut_and_neighbours_go_on():
    with Node(guest("c-hostile"), "--workers", 1, "--request-timeout", "%ds" % (3 * SLOW)) as s:
        with cf.ThreadPoolExecutor(4) as pool:
            spinner = pool.submit(s.get, "/spin", timeout=30)
            check("it spins", s.in_hand())
            r = s.get("/count")
            check("a neighbour of a spinner is served meanwhile", r.status == 200 and not spinner.done(), r.status)
            check("the spinner gets 504", spinner.result().status == 504, spinner.result().status)
        r = s.get("/sleepforever", timeout=30)
        check("one that sleeps for ever gets 504", r.status == 504, r.status)
        r = s.get("/spin-in-body", timeout=30)
        check("one that spins in its body is aborted", not r.complete, (r.status, r.body))
        check("all well after", s.get("/count").status == 200)


def test_memory_limit():
    with Server(guest("c-hostile"), "--workers", 1, "--memory", "16MiB") as s:
        r = s.get("/hoard")
        check("a guest at its memory limit gets 503", r.status == 503, (r.status, r.body, s.text()[-800:]))
        check("and only that one", s.get("/count").status == 200)
    with Server(guest("c-hostile"), "--workers", 1, "--max", 1, "--memory", "16MiB", "--max-requests", 10) as s:
        statuses = [s.get("/leak").status for _ in range(40)]
        check("an instance that leaks retires after --max-requests", statuses == [200] * 40, statuses)


def test_handle_leaks_end_with_the_instance():
    with Server(guest("c-hostile"), "--workers", 1, "--request-timeout", "20s") as s:
        r = s.get("/flood-handles", timeout=60)
        check("a flood of handles ends that guest", r.status in (500, 503), (r.status, s.text()[-500:]))
        check("and only it", s.get("/count").status == 200)


def test_per_request_sees_nothing_of_others():
    with Server(guest("c-hostile"), "--workers", 1, "--max", 1, "--instances", "per-request") as s:
        seen = [s.get("/remember").body for _ in range(4)]
        check("nothing is remembered", len(set(seen)) == 1, seen)
        s.get("/grow")
        check("growth is named", s.wait_line("reset=grown"), s.text())
        check("and the next is fresh again", s.get("/remember").body == seen[0])


def test_bodies_and_limits():
    with Server(guest("c-hostile"), "--workers", 1, "--body-max", "1MiB", "--head-max", "4k", "--head-timeout", "1s",
                "--body-timeout", "1s") as s:
        # (0: the refusal came while the body was still being sent, and its reset overtook it.)
        status = s.get("/sink", "POST", body=b"x" * (2 << 20)).status
        check("body over the limit: 413", status in (413, 0), status)
        out, _ = s.raw(request("/sink", "POST", headers=[("Content-Length", "99999999")]))
        check("announced too large: 413", b" 413 " in out.split(b"\r\n")[0], out[:100])
        out, _ = s.raw(request("/", headers=[("x-big", "y" * 5000)]))
        check("head too large: 431", b" 431 " in out.split(b"\r\n")[0], out[:100])
        out, _ = s.raw(b"GET / HTTP/1.1\r\nHost: h\r\n")
        check("slow head: 408", b" 408 " in out, out[:100])
        out, _ = s.raw(b"POST /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc", timeout=20)
        check("slow body ends", b" 408 " in out or out == b"", out[:100])
        with s.connect() as c:  # the client leaves in the middle of its body
            c.sendall(b"POST /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc")
        with s.connect() as c:  # and in the middle of an answer
            c.sendall(request("/endless"))
            c.recv(4096)
        check("the server goes on", s.get("/count").status == 200)


BAD = [
    (b"GET / HTTP/1.1\nHost: h\n\n", "bare LF"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "length and coding"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "two lengths"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", "CR in a value"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nX : a\r\n\r\n", "space before the colon"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "folding"),
    (b"GET / HTTP/1.1\r\n\r\n", "no Host"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two Hosts"),
    (b"GET /\r\n\r\n", "HTTP/0.9"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", "NUL"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown coding"),
    (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", "signed length"),
    (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "version"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS to a plain port"),
]


def test_ambiguous_requests_are_refused():
    with Server(guest("c-hello"), "--workers", 1, "--head-timeout", "1s") as s:
        for data, name in BAD:
            out, _ = s.raw(data)
            first = out.split(b"\r\n")[0]
            check("refused: " + name, first.split(b" ")[1:2] in ([b"400"], [b"501"], [b"505"], [b"408"]), out[:120])
            check("closed after: " + name, len(re.findall(rb"^HTTP/1\.1 \d", out, re.M)) == 1, out)
        check("the server goes on", s.get("/").status == 200)


def test_queue_full_is_503_with_retry_after():
    with Server(guest("c-hostile"), "--workers", 1, "--max", 1, "--queue", 1, "--queue-timeout", "2s") as s:
        got = []

        def refused():
            with cf.ThreadPoolExecutor(8) as pool:
                got.extend(pool.map(lambda _: s.get("/late"), range(6)))
            return any(g.status == 503 for g in got)
        check("some are refused", once(refused))
        statuses = sorted(g.status for g in got)
        full = [g for g in got if g.status == 503]
        check("and some are served", statuses[0] == 200 and set(statuses) == {200, 503}, statuses)
        check("Retry-After is there", all(g.header("retry-after") for g in full))


def test_graceful_stop_finishes_what_is_in_hand():
    s = Node(guest("c-hostile"), "--workers", 1)
    with cf.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(s.get, "/late")
        check("it is in hand, or was", s.in_hand() or slow.done())
        code = s.stop()
        check("the request in hand was answered", slow.result().status == 200)
        check("exit code 0", code == 0, code)


def test_signals_in_a_burst_are_one_stop():
    """Supervisors signal a process and its group; none of it may reach a node that is being closed."""
    import signal
    for i in range(30):
        s = Server(guest("c-hello"), "--workers", 1, "--quiet")
        for _ in range(1 + i % 4):
            s.p.send_signal(signal.SIGTERM)
            time.sleep(0.0005 * (i % 7))
        code = s.stop()
        if not check("burst %d ends cleanly" % i, code == 0, (code, s.text())):
            return


def test_json_log():
    with Server(guest("c-hostile"), "--workers", 1, "--log", "json") as s:
        s.get("/print")
        check("access as JSON", s.wait_line('"level":"access"'))
        s.stop()
        bad = []
        for line in s.lines:
            if line.startswith("{"):
                try:
                    json.loads(line)
                except ValueError:
                    bad.append(line)
        check("every JSON line parses", bad == [], bad)


def test_two_workers_share_an_address():
    with Server(guest("c-hello"), "--workers", 2) as s:
        with cf.ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda _: s.get("/").status, range(64)))
        check("two workers serve", got == [200] * 64, got)


def test_env_reaches_the_guest():
    with Server(guest("c-hostile"), "--workers", 1, "--env", "COLOUR=green") as s:
        check("--env", b"COLOUR=green" in s.get("/clockrand").body, s.get("/clockrand").body)


def ask_many(server, path, n, connections):
    """n requests on each of so many connections at once; all bodies as numbers."""
    def one(_):
        got = []
        with server.connect(60) as c:
            rd = Reader(c)
            for _ in range(n):
                c.sendall(request(path))
                r = read_response(c, reader=rd)
                got.append(int(r.body) if r.status == 200 else -1)
        return got
    with cf.ThreadPoolExecutor(connections) as pool:
        return [x for got in pool.map(one, range(connections)) for x in got]


def test_keyvalue_counts_exactly_over_workers_and_instances():
    n, connections = (20, 8) if SAN else (100, 16)
    for mode in ("reuse", "per-request"):
        with Server(guest("c-kvcounter"), "--workers", 2, "--instances", mode, "--keyvalue", "default", "--quiet") as s:
            for path in ("/", "/swap"):
                got = ask_many(s, path, n, connections)
                check("keyvalue %s %s: every number once" % (mode, path), sorted(got) == list(range(1, n * connections + 1)),
                      (len(got), len(set(got)), min(got), max(got)))
            check("keyvalue %s: and they are there" % mode, s.get("/read").body == b"%d %d\n" % (n * connections, n * connections))
            check("keyvalue %s: no complaint" % mode, "reset=" not in s.text() and "no image" not in s.text(), s.text())
            check("keyvalue %s: stops cleanly" % mode, s.stop() == 0)


def test_keyvalue_grants():
    with Server(guest("c-kvcounter"), "--workers", 1, "--keyvalue", "default:ro", "--config", "greeting=hello=x", "--config", "b=") as s:
        r = s.get("/")
        check("a read-only bucket is not counted in", r.status == 500 and r.body == b"access-denied\n", (r.status, r.body))
        check("nor swapped in", s.get("/swap").body == b"access-denied\n")
        check("but read", s.get("/read").body == b"0 0\n")
        check("config reaches the guest", s.get("/greeting").body == b"hello=x\n")
    with Server(guest("c-kvcounter"), "--workers", 1, "--keyvalue", "other") as s:
        check("what is not granted is denied", s.get("/").body == b"access-denied\n")
        check("config nothing given", s.get("/greeting").body == b"none\n")
    with Server(guest("c-kvcounter"), "--workers", 1, "--keyvalue", "default", "--keyvalue-keys", 1) as s:
        check("the first key fits", s.get("/").body == b"1\n")
        check("the bucket is full", s.get("/swap").body == b"the bucket is full: it may hold 1 keys\n")
    with Server(guest("c-kvcounter"), "--workers", 1, "--keyvalue", "default", "--keyvalue-bytes", 4) as s:
        check("bytes are limited", s.get("/").body == b"the bucket is full: it may hold 4 bytes\n")
    with Server(guest("c-kvcounter"), "--workers", 1, "--keyvalue", "default") as s:
        check("another run begins anew", s.get("/").body == b"1\n")


run_tests(sys.modules[__name__])
