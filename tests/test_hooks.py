#!/usr/bin/env python3
"""Hooks of a service: an exported init runs once an instance before its first request, shutdown when it retires in order."""
import os, re, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

G = guest("c-hooks")


def lines(s, word):
    return sum(1 for line in s.lines if line.rstrip().endswith(word))


def test_init_runs_once_an_instance():
    with Server(G, "--workers", 1, "--max", 1) as s:
        got = [s.get("/").body for _ in range(5)]
        check("requests find what it made", got == [b"made by init\n"] * 5, got)
        s.stop()
        check("once for the instance that was tried, once for the one that serves", lines(s, "init") == 2, s.text())


def test_init_is_in_the_image():
    with Server(G, "--workers", 1, "--instances", "per-request", "--max", 1) as s:
        got = [s.get("/").body for _ in range(20)]
        check("requests find what it made", got == [b"made by init\n"] * 20, got)
        s.stop()
        check("no request paid for it", lines(s, "init") <= 2, s.text())


def test_an_init_that_refuses_is_said_before_the_port_is_open():
    for how, words in (("fail", "init answered an error: no database today"), ("trap", "calling init: "), ("spin", "does not start: it took longer than")):
        p = subprocess.run([BIN, "serve", G, "--addr", "127.0.0.1:0", "--env", "HOOK=" + how, "--request-timeout", "300ms"],
                           capture_output=True, text=True, timeout=60 * SLOW)
        check("init: " + how, p.returncode not in (0, 2) and words in p.stderr and "serving" not in p.stderr,
              (p.returncode, p.stderr))


def test_shutdown_has_the_last_word():
    with Server(G, "--workers", 1, "--max", 1, "--max-requests", 3) as s:
        for _ in range(6):
            s.get("/")
        check("an instance that retires", s.wait_line("shutdown after 3(.|\n)*shutdown after 3"), s.text())
    s = Server(G, "--workers", 2, "--max", 2)
    s.get("/")
    code = s.stop()
    check("a node that stops", code == 0 and re.search("shutdown after 1", s.text()), (code, s.text()))
    s = Server(G, "--workers", 2, "--instances", "singleton")
    for _ in range(4):
        s.get("/")
    code = s.stop()
    check("a singleton", code == 0 and re.search("shutdown after 4", s.text()), (code, s.text()))


def test_an_idle_instance_says_goodbye():
    with Server(G, "--workers", 1, "--max", 4, "--idle-timeout", "100ms") as s:
        import concurrent.futures as cf
        with cf.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: s.get("/"), range(32)))
        s.wait_line("shutdown after", 5)
        s.stop()
        check("those beyond the least leave", lines(s, "init") <= 2 or re.search("shutdown after", s.text()), s.text())


def test_last_words_are_bounded_and_harmless():
    for how in ("last-trap", "last-spin"):
        s = Server(G, "--workers", 1, "--max", 1, "--env", "HOOK=" + how, "--drain", "30s")
        s.get("/")
        code = s.stop()
        check(how + ": the stop is clean", code == 0, (code, s.text()))
        check(how + ": it is told", ("calling shutdown: " if how == "last-trap" else "shutdown took too long") in s.text(), s.text())


run_tests(sys.modules[__name__])
