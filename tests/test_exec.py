#!/usr/bin/env python3
"""holdfast exec: streams byte for byte, arguments, environment, exit codes, signals, core modules, wrong files."""
import fcntl, os, pty, select, signal, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

C, GO, RUST = "c-command", "go-command", "rust-command"
NOISE = os.urandom(1 << 20)


def languages():
    for name in (C, GO, RUST):
        if have(name):
            yield name
        else:
            skip("exec " + name, "the guest could not be built here")


def start(name, *args, options=(), **kw):
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    streams.update(kw)
    path = guest(name) if os.sep not in name else name
    return subprocess.Popen([BIN, "exec", *options, path, "--", *map(str, args)], **streams)


def run(name, *args, options=(), input=None, **kw):
    """(code, stdout, stderr), bytes."""
    if input is not None:
        kw["stdin"] = subprocess.PIPE
    with start(name, *args, options=options, **kw) as p:
        try:
            out, err = p.communicate(input, timeout=60 * SLOW)
        except subprocess.TimeoutExpired:
            p.kill()
            raise
        return p.returncode, out, err


def test_a_plain_program_of_each_language():
    for name in languages():
        code, out, err = run(name)
        check(name + ": hello", (code, out) == (0, b"hello from %s\n" % name.split("-")[0].replace("go", "Go").capitalize().encode()), (code, out, err))
        code, out, _ = run(name, "args", "a", "b c", "--flag", "")
        check(name + ": its name and the arguments", out == name.encode() + b".wasm\nargs\na\nb c\n--flag\n\n", out)
        code, out, _ = run(name, "env", env=dict(os.environ, OUTER="1"))
        check(name + ": no environment by itself", out == b"", out)
        code, out, _ = run(name, "env", options=("--env", "A=1", "--env", "B=x=y"))
        check(name + ": --env", sorted(out.split()) == [b"A=1", b"B=x=y"], out)
        code, out, _ = run(name, "env", options=("--inherit-env", "--env", "A=2"), env={"OUTER": "1", "A": "1"})
        check(name + ": --inherit-env, and --env wins", sorted(out.split()) == [b"A=2", b"OUTER=1"], out)
        code, out, err = run(name, "nonsense")
        check(name + ": stderr is its own", out == b"" and err == b"command: what is 'nonsense'?\n", (out, err))


def test_exit_codes():
    for name in languages():
        for n in (0, 1, 42, 255):
            want = min(n, 1) if name == RUST else n  # Rust's own library says only "error" (it calls exit, not exit-with-code)
            code, out, err = run(name, "exit", n)
            check("%s: exit %d" % (name, n), code == want and err == b"", (code, err))
    code, out, err = run(C, "exit", 256 + 7)
    check("an exit code is a byte, as everywhere", code == 7, code)


def test_a_trap_is_told():
    for name, at in ((C, b"at main"), (RUST, b"main")):
        if not have(name):
            continue
        code, out, err = run(name, "trap")
        check(name + ": a trap is exit code 134", code == 134, code)
        check(name + ": with its backtrace", b"unreachable" in err and at in err and name.encode() in err, err)
        if name == C:
            check("what was written before is there", out == b"before\n", out)
    if have(GO):
        code, _, err = run(GO, "trap")
        check("a Go panic is Go's own business", code == 2 and b"panic: as asked" in err, (code, err))


def test_bytes_go_through():
    for name in languages():
        code, out, err = run(name, "cat", input=NOISE)
        check(name + ": 1 MiB through pipes", code == 0 and out == NOISE, (code, len(out), err))
        code, out, err = run(name, "cat", input=b"")
        check(name + ": nothing", code == 0 and out == b"", (code, out, err))
        with tempfile.TemporaryFile() as i, tempfile.TemporaryFile() as o:
            i.write(NOISE)
            i.seek(0)
            code, _, err = run(name, "cat", stdin=i, stdout=o)
            o.seek(0)
            check(name + ": 1 MiB from a file to a file", code == 0 and o.read() == NOISE, (code, err))


def test_sockets_as_streams():
    import socket
    a, b = socket.socketpair()
    with a, b:
        p = start(C, "cat", stdin=b, stdout=b)
        b.close()

        def feed():
            a.sendall(NOISE)
            a.shutdown(socket.SHUT_WR)
        t = threading.Thread(target=feed)
        t.start()
        out, _ = read_all(a)
        t.join()
        p.communicate()
        check("1 MiB through a socket both ways", out == NOISE and p.returncode == 0, len(out))


def test_flags_of_the_callers_descriptors_stay():
    r, w = os.pipe()
    r2, w2 = os.pipe()
    os.write(w, b"x")
    before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (r, w2)]
    p = start(C, "cat", stdin=r, stdout=w2)
    check("it reads", os.read(r2, 10) == b"x")
    during = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (r, w2)]
    os.close(w)
    p.communicate()
    after = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (r, w2)]
    check("O_NONBLOCK is not set for others", before == during == after, (before, during, after))
    for fd in (r, r2, w2):
        os.close(fd)


def test_a_descriptor_that_does_not_block():
    r, w = os.pipe()
    os.set_blocking(r, False)
    r2, w2 = os.pipe()
    os.set_blocking(w2, False)
    p = start(C, "cat", stdin=r, stdout=w2)
    os.close(w2)
    got = []

    def read():
        while True:
            b = os.read(r2, 65536)
            if not b:
                return
            got.append(b)
            time.sleep(0.001)
    t = threading.Thread(target=read)
    t.start()
    for i in range(0, len(NOISE), 100000):
        os.write(w, NOISE[i:i + 100000])
    os.close(w)
    p.communicate()
    t.join()
    check("1 MiB through descriptors that do not block", b"".join(got) == NOISE and p.returncode == 0, len(b"".join(got)))
    os.close(r)
    os.close(r2)


def test_big_output_and_a_slow_reader():
    n = 300000
    p = start(C, "big", n)
    out = b""
    while True:
        b = p.stdout.read1(5000)
        if not b:
            break
        out += b
        time.sleep(0.002)
    p.communicate()
    check("a slow reader gets all", out == bytes(range(256)) * (n // 256) + bytes(range(n % 256)) and p.returncode == 0, (len(out), p.returncode))


def test_input_that_comes_late():
    p = start(C, "cat", stdin=subprocess.PIPE)
    for piece in (b"one", b"two"):
        time.sleep(0.05)
        p.stdin.write(piece)
        p.stdin.flush()
        check("it comes through at once: " + piece.decode(), select.select([p.stdout], [], [], 10 * SLOW)[0] and os.read(p.stdout.fileno(), 10) == piece)
    cpu = os.times()
    out, _ = p.communicate()
    check("and ends with its input", p.returncode == 0)


def test_waiting_costs_no_time():
    p = start(C, "cat", stdin=subprocess.PIPE)
    p.stdin.write(b"x")
    p.stdin.flush()
    os.read(p.stdout.fileno(), 1)

    def ticks():
        f = open("/proc/%d/stat" % p.pid).read().rsplit(")", 1)[1].split()
        return int(f[11]) + int(f[12])
    before = ticks()
    time.sleep(0.5)
    check("waiting for input takes no processor time", ticks() - before <= 5, ticks() - before)
    p.communicate()


def test_closed_streams():
    r, w = os.pipe()
    os.close(r)
    code, _, err = run(C, "big", 100000, stdout=w)
    os.close(w)
    check("a pipe nobody reads is an error for the guest", code == 3 and b"putchar" in err, (code, err))
    sh = "%s exec %s -- %s"
    for name in languages():
        p = subprocess.run(["sh", "-c", "yes | %s exec %s -- cat | head -n 3" % (BIN, guest(name))], capture_output=True, timeout=60 * SLOW)
        check(name + ": yes | cat | head ends", p.stdout == b"y\ny\ny\n" and p.returncode == 0, p)
    for how, code in ((">&-", 3), ("2>&-", 0), ("<&-", 0)):
        p = subprocess.run(["sh", "-c", sh % (BIN, guest(C), "big 100000 " if how == ">&-" else "both" if how == "2>&-" else "cat") + " " + how],
                           capture_output=True, timeout=60 * SLOW)
        check("started with " + how, p.returncode == code, p)


def test_stderr_and_stdout_in_order():
    p = subprocess.run(["sh", "-c", "%s exec %s -- both 2>&1" % (BIN, guest(C))], capture_output=True, timeout=60 * SLOW)
    check("2>&1 keeps the order", p.stdout == b"out\nerr\n", p)


def takes(pid, sig):
    """Whether a process has a handler for a signal: waited for."""
    end = time.monotonic() + 60 * SLOW
    while time.monotonic() < end:
        m = re.search(r"SigCgt:\s+([0-9a-f]+)", open("/proc/%d/status" % pid).read())
        if int(m.group(1), 16) >> (sig - 1) & 1:
            return True
        time.sleep(0.01)
    return False


def test_signals():
    for sig, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        for what in ("cat", "loop"):
            p = start(C, what, stdin=subprocess.PIPE)
            check("it sees to signals", takes(p.pid, sig))
            time.sleep(0.2)  # so that it is well under way
            p.send_signal(sig)
            p.wait(60 * SLOW)
            check("%s while it does %s: %d" % (sig.name, what, code), p.returncode == code, p.returncode)
            check("and nothing is said", p.stderr.read() == b"")
            p.communicate()


def test_ctrl_c_and_terminals():
    def in_tty(*args):
        """All it printed, and its code; ctrl-c after its first output if it still runs."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(BIN, [BIN, "exec", guest(C), "--", *args])
        return pid, fd

    def read_some(fd, until, seconds=60):
        out = b""
        end = time.monotonic() + seconds * SLOW
        while until not in out and time.monotonic() < end:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    b = os.read(fd, 1000)
                except OSError:
                    break
                if not b:
                    break
                out += b
        return out
    pid, fd = in_tty("tty")
    out = read_some(fd, b"111")
    check("all three are terminals", b"111" in out, out)
    check("exit 0", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)
    os.close(fd)
    pid, fd = in_tty("cat")
    os.write(fd, b"a line\n")
    out = read_some(fd, b"a line\r\na line\r\n")
    check("a terminal's line: its echo and ours", out == b"a line\r\na line\r\n", out)
    os.write(fd, b"\x04")
    check("ctrl-d is the end", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)
    os.close(fd)
    pid, fd = in_tty("cat")
    os.write(fd, b"x\n")
    read_some(fd, b"x\r\nx\r\n")
    os.write(fd, b"\x03")
    check("ctrl-c is 130", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130)
    os.close(fd)
    code, out, _ = run(C, "tty")
    check("pipes are none", out == b"000\n", out)


def test_limits():
    code, _, err = run(C, "loop", options=("--timeout", "300ms"))
    check("--timeout ends one that computes: 124", code == 124, (code, err))
    p = start(C, "cat", options=("--timeout", "300ms"), stdin=subprocess.PIPE)
    p.wait(20 * SLOW)
    check("--timeout ends one that waits: 124", p.returncode == 124, p.returncode)
    p.communicate()
    code, out, _ = run(C, "grow", 8, options=("--memory", "4MiB"))
    check("--memory: malloc fails in the guest", code == 5, (code, out))
    code, out, _ = run(C, "grow", 8, options=("--memory", "16MiB"))
    check("and with more it does not", (code, out) == (0, b"grew 28\n"), (code, out))


def test_go_grows():
    """Go's heap and the preview 1 adapter share a memory: neither may write over the other."""
    if not have(GO):
        return skip("exec go grow", "go is not here")
    code, out, err = run(GO, "grow", 40)
    check("a big Go heap, with output in between", code == 0 and out == b"grew 1310680 40000\n" and err.count(b"\n") == 40, (code, out, err[-2000:]))
    code, out, err = run(GO, "sleep", 50)
    check("Go's clock and sleep", (code, out) == (0, b"true\n"), (code, out, err))


def test_a_core_module_is_made_a_component_once():
    with tempfile.TemporaryDirectory() as d:
        tool = os.path.join(d, "no-tool")
        code, _, err = run(C, options=("--no-cache",), env=dict(os.environ, HF_GUEST_TOOL=tool))
        check("without the tool it is said", code == 125 and b"HF_GUEST_TOOL" in err, (code, err))
        with open(tool, "w") as f:
            f.write("#!/bin/sh\necho called >> %s/calls\nexec %s \"$@\"\n" % (d, os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(BIN)), "libexec/holdfast-guest"))))
        os.chmod(tool, 0o755)
        env = dict(os.environ, HF_GUEST_TOOL=tool, TMPDIR=d)
        for i in range(3):
            code, out, err = run(C, options=("--cache", os.path.join(d, "cache")), env=env)
            check("run %d" % i, (code, out) == (0, b"hello from C\n"), (code, out, err))
        check("the tool was called once", open(d + "/calls").read() == "called\n", open(d + "/calls").read())
        check("and left nothing behind", not [f for f in os.listdir(d) if f.startswith("holdfast-exec")], os.listdir(d))
        with open(tool, "w") as f:
            f.write("#!/bin/sh\necho no such luck >&2\nexit 1\n")
        code, _, err = run(C, options=("--cache", os.path.join(d, "cache")), env=env)
        check("another tool is another key, and its words are passed on", code == 126 and b"no such luck" in err, (code, err))


def leb(n):
    out = b""
    while True:
        out += bytes([n & 0x7f | (0x80 if n > 0x7f else 0)])
        n >>= 7
        if n == 0:
            return out


def name(s):
    return leb(len(s)) + s.encode()


def section(id, body):
    return bytes([id]) + leb(len(body)) + body


CORE = b"\0asm\x01\0\0\0"
TYPES = section(1, b"\x02\x60\x00\x00\x60\x01\x7f\x00")  # func(), func(i32)


def core(imports=(), export="_start", code=b"\x0b"):
    """A module with imports (module, name, type) and one exported function without parameters."""
    out = CORE + TYPES
    if imports:
        out += section(2, leb(len(imports)) + b"".join(name(m) + name(f) + b"\x00" + leb(t) for m, f, t in imports))
    body = b"\x00" + code
    return out + section(3, b"\x01\x00") + section(7, b"\x01" + name(export) + b"\x00" + leb(len(imports))) + section(10, b"\x01" + leb(len(body)) + body)


def test_files_that_are_no_commands():
    hello = open(guest("c-hello"), "rb").read()
    cases = [  # name, bytes, code, words
        ("missing.wasm", None, 127, b"No such file"),
        ("text.wasm", b"hello, I am no wasm\n", 126, b""),
        ("empty.wasm", b"", 126, b""),
        ("cut.wasm", hello[:len(hello) // 2], 126, b""),
        ("service.wasm", hello, 126, b"holdfast serve"),
        ("library.wasm", core(export="_initialize"), 126, b"reactor"),
        ("nothing.wasm", core(export="other"), 126, b"_start"),
        ("env.wasm", core([("env", "puts", 1)]), 126, b'"env" "puts"'),
        ("old.wasm", core([("wasi_unstable", "proc_exit", 1)]), 126, b"preview 0"),
        ("damaged.wasm", core()[:-2], 126, b""),
        ("odd.wasm", core([("wasi_snapshot_preview1", "no_such_thing", 1), ("wasi_snapshot_preview1", "proc_exit", 1)]), 126, b"no_such_thing"),
    ]
    with tempfile.TemporaryDirectory() as d:
        for file, data, want, words in cases:
            path = os.path.join(d, file)
            if data is not None:
                open(path, "wb").write(data)
            code, out, err = run(path)
            check(file + ": code %d" % want, code == want and out == b"", (code, err))
            check(file + ": says what and where", words in err and file.encode() in err and err.startswith(b"holdfast exec: "), err)
        code, _, err = run(d + "/")
        check("a folder", code == 126 and b"not a regular file" in err, (code, err))
        code, _, err = holdfast("exec")
        check("no file named", code == 125 and "name the command" in err, (code, err))
        code, _, err = holdfast("exec", "--tiemout", "3s", "x")
        check("near miss", code == 125 and "--timeout" in err, (code, err))


def test_small_modules():
    """Those that import little or nothing become commands too."""
    exit_code = lambda n: b"\x41" + leb(n) + b"\x10\x00\x0b"
    with tempfile.TemporaryDirectory() as d:
        for what, module, want in (("nothing", core(), 0),
                                   ("only proc_exit", core([("wasi_snapshot_preview1", "proc_exit", 1)], code=exit_code(42)), 42),
                                   ("a start that traps", core(code=b"\x00\x0b"), 134)):
            path = os.path.join(d, "m.wasm")
            open(path, "wb").write(module)
            code, out, err = run(path)
            check("a module that imports %s" % what, code == want and out == b"", (code, err))


def test_other_commands_say_which_fits():
    code, _, err = holdfast("serve", guest(RUST), "--addr", "127.0.0.1:0") if have(RUST) else (4, "", "holdfast exec")
    check("serve of a command names exec", code == 4 and "holdfast exec" in err, (code, err))
    code, out, _ = holdfast("exec", "--help")
    check("--help has the exit codes", code == 0 and all(n in out for n in ("134", "124", "125", "126", "127", "130", "--inherit-env", "--env")), out)


run_tests(sys.modules[__name__])
