#!/usr/bin/env python3
"""--instances singleton: one instance in the node takes all requests, one after another, from every worker."""
import concurrent.futures as cf, os, re, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


def many(server, connections, each, path="/"):
    """`each` requests on each of so many connections at once; bodies in no order."""
    def one(_):
        out = []
        with server.connect(30) as c:
            rd = Reader(c)
            for _ in range(each):
                c.sendall(request(path))
                r = read_response(c, reader=rd)
                out.append((r.status, r.body.strip(), r.header("holdfast-instance")))
        return out
    with cf.ThreadPoolExecutor(connections) as pool:
        return [a for got in pool.map(one, range(connections)) for a in got]


def test_counter_is_exact_under_64_connections_on_two_workers():
    for name in ("c-counter", "js-counter"):
        if not have(name):
            skip(name, "its toolchain is not here")
            continue
        with Server(guest(name), "--workers", 2, "--instances", "singleton", "--debug") as s:
            got = many(s, 64, 20)
            numbers = sorted(int(body) for status, body, _ in got if status == 200)
            check(name + ": every number once", numbers == list(range(1, 64 * 20 + 1)), numbers[-5:])
            ids = {re.search(r"id=(\d+)", who).group(1) for _, _, who in got}
            check(name + ": one instance served all", len(ids) == 1, ids)
            s.stop()
            in_log = set(re.findall(r" %s\[(\d+)\]" % name, s.text()))
            check(name + ": the access log names it", in_log == ids, (in_log, ids))


def test_reuse_on_two_workers_is_not_exact():
    """The difference that the setting makes: several instances count for themselves."""
    with Server(guest("c-counter"), "--workers", 2, "--instances", "reuse") as s:
        got = many(s, 64, 10)
        numbers = [int(body) for _, body, _ in got]
        check("numbers repeat", len(set(numbers)) < len(numbers), len(set(numbers)))


def test_bodies_of_any_size_reach_it_from_any_worker():
    with Server(guest("c-echo"), "--workers", 2, "--instances", "singleton") as s:
        def echo(size):
            data = os.urandom(size)
            with s.connect(60) as c:
                t = threading.Thread(target=c.sendall, args=(request("/", "POST", body=data, close=True),))
                t.start()
                r = read_response(c)
                t.join()
            return r.status == 200 and r.complete and r.body == data
        sizes = [0, 1, 4096, 65535, 65536, 65537, 1 << 20, 5 << 20] * 3
        with cf.ThreadPoolExecutor(4) as pool:
            got = list(pool.map(echo, sizes))
        check("echoes", all(got), [z for z, ok in zip(sizes, got) if not ok])
        check("memory stays small", s.rss_kb() < 64 * 1024 or SAN, s.rss_kb())


def test_it_is_started_again_after_a_trap():
    with Server(guest("c-hostile"), "--workers", 2, "--instances", "singleton", "--debug") as s:
        def who():
            return re.search(r"id=(\d+)", s.get("/late").header("holdfast-instance")).group(1)
        first = who()
        bad = [s.get("/before-set").status for _ in range(8)]
        check("a trap is a 500", bad == [500] * 8, bad)
        check("another instance goes on", who() != first)
        check("and all is well", [s.get("/late").status for _ in range(8)] == [200] * 8)


def test_clients_that_leave_hurt_nobody():
    with Server(guest("c-slow"), "--workers", 2, "--instances", "singleton", "--request-timeout", "20s") as s:
        for i in range(12):
            with s.connect() as c:
                c.sendall(request("/"))
                time.sleep(0.005 * i)
        fds = s.fds()
        got = [s.get("/", timeout=60).status for _ in range(2)]
        check("the next are served", got == [200, 200], got)
        check("descriptors come back", s.fds_at_most(fds), (fds, s.fds()))


def test_a_stop_finishes_what_other_workers_have_in_hand():
    for i in range(6):
        s = Node(guest("c-hostile"), "--workers", 2, "--instances", "singleton")
        with cf.ThreadPoolExecutor(8) as pool:
            slow = [pool.submit(s.get, "/late") for _ in range(3)]
            sent = s.in_hand(3, 1) or all(f.done() for f in slow) or s.in_hand(3 - sum(f.done() for f in slow))
            check("they are in hand", sent)
            code = s.stop()
            got = [f.result().status for f in slow]
        if not check("stop %d: answered, and a clean end" % i, got == [200] * 3 and code == 0, (got, code, s.text()[-400:])):
            return


def test_wrong_modes_are_refused():
    import subprocess
    p = subprocess.run([BIN, "serve", guest("c-hello"), "--instances", "single"], capture_output=True, text=True)
    check("the message names the modes", p.returncode == 2 and "'reuse', 'per-request' or 'singleton'" in p.stderr, p.stderr)


run_tests(sys.modules[__name__])
