#!/usr/bin/env python3
"""--data DIR: key-value buckets outlive the process, also one that is killed while it writes, and one whose disk is full.

HF_ROUNDS sets how often it is killed (20).
"""
import os, random, shutil, signal, stat, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

ROUNDS = int(os.environ.get("HF_ROUNDS", "5" if SAN else "20"))
CONNECTIONS = 16


def serve(data, *args):
    return Server(guest("c-kvcounter"), "--workers", 2, "--keyvalue", "default", "--quiet", "--data", data, *args)


def counts(s):
    r = s.get("/read")
    return [int(n) for n in r.body.split()] if r.status == 200 else (r.status, r.body)


def test_counts_stay_over_a_restart():
    with tempfile.TemporaryDirectory() as top_dir:
        data = os.path.join(top_dir, "data")
        with serve(data) as s:
            check("the first is 1", s.get("/").body == b"1\n")
            check("then 2", s.get("/").body == b"2\n")
            check("swapped", s.get("/swap").body == b"1\n")
            check("stops cleanly", s.stop() == 0, s.text())
        check("one file and the lock are left", sorted(os.listdir(data)) == ["holdfast.db", "holdfast.lock"], os.listdir(data))
        check("nobody else may read it", stat.S_IMODE(os.stat(os.path.join(data, "holdfast.db")).st_mode) == 0o600)
        check("nor the folder", stat.S_IMODE(os.stat(data).st_mode) == 0o700)
        for mode in ("reuse", "per-request", "singleton"):
            with serve(data, "--instances", mode) as s:
                before = counts(s)
                check("%s: it goes on" % mode, s.get("/").body == b"%d\n" % (before[0] + 1))
        with serve(data) as s:
            check("counted in all", counts(s) == [5, 1], counts(s))
        with Server(guest("c-kvcounter"), "--keyvalue", "default", "--quiet") as s:
            check("without --data it is in memory", counts(s) == [0, 0])


def test_a_second_process_is_refused():
    with tempfile.TemporaryDirectory() as data:
        with serve(data) as s:
            p = subprocess.run([BIN, "serve", guest("c-kvcounter"), "--addr", "127.0.0.1:0", "--data", data],
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOW)
            want = "%s is in use by another process (%d)" % (data, s.p.pid)
            check("the second is told who has it", p.returncode == 6 and want in p.stderr.decode(), (p.returncode, p.stderr))
            check("the first goes on", s.get("/").body == b"1\n")


def test_a_damaged_file_is_refused():
    with tempfile.TemporaryDirectory() as data:
        with open(os.path.join(data, "holdfast.db"), "wb") as f:
            f.write(b"no database at all" * 1000)
        p = subprocess.run([BIN, "serve", guest("c-kvcounter"), "--addr", "127.0.0.1:0", "--data", data],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOW)
        check("in words", p.returncode == 3 and b"holdfast.db is damaged" in p.stderr, (p.returncode, p.stderr))


class Load:
    """One connection that counts until the server is gone: how many it sent, and the numbers that were acknowledged."""
    def __init__(self, s, path):
        self.sent, self.acked, self.wrong = 0, [], []
        self.thread = threading.Thread(target=self.run, args=(s, path))
        self.thread.start()

    def run(self, s, path):
        try:
            with s.connect(20) as c:
                rd = Reader(c)
                while True:
                    self.sent += 1
                    c.sendall(request(path))
                    r = read_response(c, reader=rd)
                    if not r.complete:
                        return
                    if r.status != 200:
                        self.wrong.append((r.status, r.body))
                        return
                    self.acked.append(int(r.body))
        except (OSError, EOFError, ValueError, AssertionError, IndexError, AttributeError, TypeError, RuntimeError):
            pass  # it was killed: what is not whole is not acknowledged


def test_killed_while_it_writes():
    rnd = random.Random(6)
    lost, wrong, acked_all = [], [], 0
    with tempfile.TemporaryDirectory() as data:
        base = [0, 0]
        for i in range(ROUNDS):
            with serve(data) as s:
                if counts(s) != base:
                    lost.append((i, "read again", counts(s), base))
                loads = [Load(s, "/swap" if k % 4 == 3 else "/") for k in range(CONNECTIONS)]
                time.sleep(rnd.uniform(0.05, 0.5) * SLOW)
                s.stop(signal.SIGKILL)
                for load in loads:
                    load.thread.join()
            with serve(data) as s:
                now = counts(s)
                for which, mine in ((0, [l for k, l in enumerate(loads) if k % 4 != 3]), (1, loads[3::4])):
                    acked = [n for l in mine for n in l.acked]
                    sent = sum(l.sent for l in mine)
                    acked_all += len(acked)
                    wrong += [w for l in mine for w in l.wrong]
                    if max(acked, default=0) > now[which] or base[which] + len(acked) > now[which] or \
                            now[which] > base[which] + sent or len(set(acked)) != len(acked):
                        lost.append((i, which, base[which], len(acked), max(acked, default=0), sent, now[which]))
                base = now
    check("killed %d times: %d acknowledged writes are there, and none that was not sent" % (ROUNDS, acked_all), not lost, lost)
    check("there was something to lose", acked_all > ROUNDS * 20, acked_all)
    check("no complaint before", not wrong, wrong[:3])


def test_a_full_disk():
    with tempfile.TemporaryDirectory() as data:
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", data], capture_output=True).returncode != 0:
            skip("test_a_full_disk", "no small disk can be mounted: not root")
            return
        try:
            last, full = 0, None
            with serve(data) as s:
                for _ in range(3000):
                    r = s.get("/")
                    if r.status != 200:
                        full = r
                        break
                    last = int(r.body)
                check("the guest is told", full is not None and full.body == b"the store's disk is full or broken\n", (last, full and full.body))
                check("what is there can be read", counts(s)[0] == last, (counts(s), last))
                subprocess.run(["mount", "-o", "remount,size=8m", data], check=True)
                check("with room it goes on", s.get("/").body == b"%d\n" % (last + 1))
                check("it stops cleanly", s.stop() == 0, s.text())
                check("who runs it is told", "holdfast.db: database or disk is full: an operation is refused" in s.text(), s.text())
            with serve(data) as s:
                check("nothing acknowledged is lost", counts(s)[0] == last + 1, (counts(s), last))
        finally:
            subprocess.run(["umount", data], check=True)


def test_exec_and_invoke_say_what_they_take():
    for command in ("serve", "exec", "invoke"):
        p = subprocess.run([BIN, command, "--help"], capture_output=True, timeout=60)
        check(command + " knows --data", b"--data" in p.stdout + p.stderr)


run_tests(sys.modules[__name__])
