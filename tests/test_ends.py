#!/usr/bin/env python3
"""Why instances end is counted, logged without flooding, and summed up when the server stops; limits of a service."""
import concurrent.futures as cf, os, re, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


def sum_of(s):
    m = re.search(r"instances that ended: (.*)", s.text())
    return dict((why, int(n)) for n, why in re.findall(r"(\d+) ([a-z-]+)", m.group(1))) if m else {}


def test_each_reason_is_said_and_counted():
    s = Server(guest("c-hostile"), "--workers", 1, "--max", 1, "--max-requests", 3, "--request-timeout", "700ms")
    for _ in range(3):
        s.get("/empty")
    check("max-requests", s.wait_line(r"end +c-hostile\[\d+\] retired: max-requests after 3 requests, \d+ ms old"), s.text())
    s.get("/exit")
    check("exit", s.wait_line(r"retired: exit after 1 requests"), s.text())
    s.get("/before-set")
    check("a trap", s.wait_line(r"ended: failed after 1 requests"), s.text())
    check("a deadline is 504", s.get("/sleepforever").status == 504)
    check("deadline", s.wait_line(r"ended: deadline after 1 requests"), s.text())
    s.stop()
    got = sum_of(s)
    want = {"max-requests": 1, "exit": 1, "failed": 1, "deadline": 1}
    check("the sum", all(got.get(k) == n for k, n in want.items()) and got.get("closed", 0) >= 1, got)


def test_idle_and_age():
    s = Server(guest("c-hello"), "--workers", 1, "--max", 4, "--idle-timeout", "200ms")
    with cf.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: s.get("/"), range(64)))
    time.sleep(0.5)
    s.stop()
    check("those that were not needed went", "killed" not in sum_of(s), sum_of(s))
    s = Server(guest("c-hello"), "--workers", 1, "--max", 1, "--max-age", "150ms")
    for _ in range(4):
        s.get("/")
        time.sleep(0.2)
    check("max-age", s.wait_line(r"retired: max-age"), s.text())
    s.stop()


def test_a_flood_of_ends_is_a_line_a_second():
    s = Server(guest("c-hello"), "--workers", 1, "--max", 2, "--max-requests", 1)
    for _ in range(200):
        s.get("/")
    s.stop()
    said = len(re.findall(r"retired: max-requests", s.text()))
    check("said seldom", 1 <= said <= 20 * SLOW, said)
    check("counted all", sum_of(s).get("max-requests") == 200, sum_of(s))


def test_quiet_says_nothing():
    s = Server(guest("c-hello"), "--workers", 1, "--max-requests", 1, "--quiet")
    s.get("/")
    s.stop()
    check("nothing", "retired" not in s.text() and "ended" not in s.text(), s.text())


def test_limits_of_a_service():
    with Server(guest("c-hostile"), "--workers", 1, "--max", 1, "--handles", 50) as s:
        r = s.get("/flood-handles")
        check("handles", r.status in (500, 503) and s.wait_line("50"), (r.status, s.text()[-400:]))
        check("and all is well", s.get("/count").status == 200)
    with Server(guest("c-hello"), "--workers", 2, "--min", 6, "--max", 8) as s:
        check("min is kept ready", s.get("/").status == 200)
    import subprocess
    p = subprocess.run([BIN, "serve", guest("c-hello"), "--workers", "1", "--min", "9", "--max", "2"], capture_output=True, text=True)
    check("min above max is refused", p.returncode == 2 and "min is more than max" in p.stderr, (p.returncode, p.stderr))


def test_a_spinning_neighbour_costs_one_slice():
    """Two services' guests share a worker here as two instances of one: the one that computes yields."""
    with Node(guest("c-hostile"), "--workers", 1, "--max", 4, "--slice", "2ms", "--request-timeout", "%ds" % (8 * SLOW)) as s:
        with cf.ThreadPoolExecutor(2) as pool:
            spin = pool.submit(s.get, "/spin", timeout=60)
            check("it spins", s.in_hand())
            got = [s.get("/count").status for _ in range(20)]
            check("a neighbour goes on", got == [200] * 20 and not spin.done(), got)
            check("and it is cut", spin.result().status == 504)


run_tests(sys.modules[__name__])
