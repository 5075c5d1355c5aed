#!/usr/bin/env python3
"""Runs test programs, two at a time, each with a time limit, and adds up what they say.

A test program is a cmocka program (its "[  PASSED  ] N test(s)." lines are read) or a script below tests/ that prints
"N passed, N failed[, N skipped]" as its last line. A line "SKIP: name: reason" anywhere is listed at the end. A program
that dies, hangs or prints no count is one failure. Exit 0 only when nothing failed and something passed.
"""
import argparse, concurrent.futures as cf, os, re, signal, subprocess, sys, time

LIMIT_S = 1800
here = os.path.dirname(os.path.abspath(__file__))
top = os.path.dirname(here)


def run(cmd, env):
    start = time.monotonic()
    p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                         env=env, cwd=top, start_new_session=True)
    try:
        out, _ = p.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, _ = p.communicate()
        out += b"\nrun.py: stopped after %d s\n" % LIMIT_S
    return cmd, p.returncode, out.decode("utf-8", "replace"), time.monotonic() - start


def count(rc, text):
    """(passed, failed): what the program said of itself."""
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M))
    failed = sum(int(n) for n in re.findall(r"^\[  FAILED  \] (\d+) test", text, re.M))
    plain = re.findall(r"^(\d+) passed, (\d+) failed", text, re.M)
    if plain:
        passed, failed = passed + int(plain[-1][0]), failed + int(plain[-1][1])
    if rc != 0 and failed == 0:
        failed = 1
    if passed + failed == 0 and not re.search(r"^SKIP: |^\[  SKIPPED \]", text, re.M):
        failed = 1 # said nothing at all
    return passed, failed


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", required=True)
    ap.add_argument("--san", default="")
    ap.add_argument("--only", default="")
    ap.add_argument("programs", nargs="*")
    a = ap.parse_args()
    env = dict(os.environ)
    env["HF_BUILD"] = os.path.join(top, a.build)
    env.setdefault("HF_SUITES", os.path.join(top, "..", "shared", "suites"))
    env["HF_GUESTS"] = os.path.join(top, "build", "guests")
    env["HF_BIN"] = os.path.join(top, a.build, "holdfast")
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=0:allow_user_segv_handler=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=0:exitcode=66")
    if a.san:
        env["HF_SAN"] = a.san
    cmds = []
    for p in a.programs:
        if p.endswith("/tests/wast/wast"):
            cmds.append([sys.executable, os.path.join(here, "wast", "suite.py"), p])
        else:
            cmds.append([p])
    scripts = sorted(f for f in os.listdir(here) if f.startswith("test_") and f.endswith(".py"))
    if a.san != "thread":
        cmds += [[sys.executable, os.path.join(here, s)] for s in scripts if a.only in s]
    passed = failed = 0
    skips, bad = [], []
    with cf.ThreadPoolExecutor(2) as pool:
        for cmd, rc, text, took in pool.map(lambda c: run(c, env), cmds):
            ok, ko = count(rc, text)
            passed, failed = passed + ok, failed + ko
            name = os.path.relpath(cmd[-1], top)
            print("%-4s %-52s %4d passed %3d failed %7.2f s" % ("ok" if ko == 0 else "FAIL", name, ok, ko, took), flush=True)
            skips += ["%s: %s" % (name, s) for s in sorted(set(re.findall(r"^\[  SKIPPED \] (\w+)$", text, re.M)))]
            skips += ["%s: %s" % (name, s) for s in re.findall(r"^SKIP: (.*)$", text, re.M)]
            if ko:
                bad.append(name)
                print("".join("    | %s\n" % l for l in text.splitlines()[-120:]), end="", flush=True)
    for s in skips:
        print("skipped: " + s)
    for b in bad:
        print("failed: " + b)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
