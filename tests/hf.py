"""What the whole-program tests share: a server on a port of the system's choosing, raw HTTP over sockets, counting.

Nothing here parses HTTP more cleverly than it must: tests want to see the bytes.
"""
import atexit, http.client, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("HF_BIN", os.path.join(top, "build", "holdfast"))
GUESTS = os.environ.get("HF_GUESTS", os.path.join(top, "build", "guests"))
SAN = os.environ.get("HF_SAN", "")
# A shell gives its background jobs ignored signals, and they would be ours to pass on: what is tested must see the usual ones.
for _sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_sig) == signal.SIG_IGN:
        signal.signal(_sig, signal.default_int_handler if _sig == signal.SIGINT else signal.SIG_DFL)
SLOW = 6 if SAN else 1  # times are stretched under sanitizers


def guest(name):
    return os.path.join(GUESTS, name + ".wasm")


def have(name):
    return os.path.exists(guest(name))


class Server:
    def __init__(self, component, *args, env=None, command="serve"):
        self.log = tempfile.TemporaryFile()
        self.p = subprocess.Popen([BIN, command, component, "--addr", "127.0.0.1:0", *map(str, args)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                  env=env, cwd=top)
        self.lines, self.port = [], None
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.ready.wait(180 * SLOW) or self.port is None:
            self.stop()
            raise RuntimeError("the server did not start: " + self.text())

    def _read(self):
        for raw in self.p.stderr:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(line)
            m = re.search(r"serving .* on http://127\.0\.0\.1:(\d+)/", line)
            if m:
                self.port = int(m.group(1))
                self.ready.set()
        self.ready.set()

    def text(self):
        """What was read so far. A node writes its log a little later than it answers (log_pipe.h), and the reader here comes
        later still: what must be there is waited for with wait_line or find, or looked for after stop."""
        return "\n".join(self.lines)

    def find(self, pattern, seconds=30):
        """The first place in the log where pattern is, waited for; None if it does not come."""
        end = time.monotonic() + seconds * SLOW
        while True:
            m = re.search(pattern, self.text())
            if m or time.monotonic() > end:
                return m
            time.sleep(0.02)

    def wait_line(self, pattern, seconds=30):
        return self.find(pattern, seconds) is not None

    def alive(self):
        return self.p.poll() is None

    def rss_kb(self):
        m = re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % self.p.pid).read())
        return int(m.group(1))

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.p.pid))

    def fds_at_most(self, most, seconds=30):
        """A client sees the end of a connection before the server has closed its side: waits for that."""
        end = time.monotonic() + seconds * SLOW
        while self.fds() > most and time.monotonic() < end:
            time.sleep(0.01)
        return self.fds() <= most

    def stop(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
            try:
                self.p.wait(20 * SLOW)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        self.reader.join(60)
        self.p.stderr.close()
        return self.p.returncode

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    # ---- requests ----
    def connect(self, timeout=10):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout * SLOW)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def get(self, path="/", method="GET", headers=(), body=None, timeout=10, version="1.1"):
        """One request on its own connection: a Response."""
        with self.connect(timeout) as s:
            try:
                s.sendall(request(path, method, headers, body, version, close=True))
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent: the answer may be there all the same
            return read_response(s, method)

    def raw(self, data, timeout=10):
        """Bytes in, all bytes out until the server closes or resets; (bytes, reset?)."""
        with self.connect(timeout) as s:
            s.sendall(data)
            return read_all(s)


def request(path="/", method="GET", headers=(), body=None, version="1.1", close=False):
    lines = ["%s %s HTTP/%s" % (method, path, version), "Host: localhost"]
    lines += ["%s: %s" % h for h in headers]
    if body is not None and not any(k.lower() in ("content-length", "transfer-encoding") for k, _ in headers):
        lines.append("Content-Length: %d" % len(body))
    if close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def read_all(s):
    out = b""
    try:
        while True:
            b = s.recv(65536)
            if not b:
                return out, False
            out += b
    except ConnectionResetError:
        return out, True


class App:
    """`holdfast run` on a manifest in a folder of its own, which goes with it: path, server."""

    def __init__(self, text, *args):
        self.path, self.args = tempfile.mkdtemp(prefix="hf-app-"), args
        with open(os.path.join(self.path, "holdfast.toml"), "w") as f:
            f.write(text)

    def __enter__(self):
        self.server = Server(self.path, *self.args, command="run").__enter__()
        return self

    def __exit__(self, *exc):
        try:
            self.server.__exit__(*exc)
        finally:
            shutil.rmtree(self.path)


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout=120):
        super().__init__("localhost", timeout=timeout * SLOW)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Node(Server):
    """A server with an admin door on a Unix socket."""
    count, folder = 0, None

    def __init__(self, component, *args, env=None):
        Node.count += 1
        if Node.folder is None:
            Node.folder = tempfile.mkdtemp(prefix="hf-node-")  # short: a socket's path has 107 bytes
            atexit.register(shutil.rmtree, Node.folder, ignore_errors=True)
        self.sock = os.path.join(Node.folder, "s%d" % Node.count)
        super().__init__(component, "--admin", "unix:" + self.sock, *args, env=env)

    def ask(self, method, target, body=None):
        c = Unix(self.sock)
        c.request(method, target, body)
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, text

    def json(self, target):
        status, text = self.ask("GET", target)
        return json.loads(text) if status == 200 else None

    def run(self, *args, stdin=None, timeout=60):
        """A command for this node: (code, stdout, stderr), bytes."""
        p = subprocess.run([BIN, *map(str, args)], capture_output=True, timeout=timeout * SLOW, cwd=Node.folder, input=stdin,
                           stdin=subprocess.DEVNULL if stdin is None else None, env=dict(os.environ, HF_ADMIN="unix:" + self.sock))
        return p.returncode, p.stdout, p.stderr

    def service(self, name):
        return next((s for s in self.json("/v1/services")["services"] if s["name"] == name), None)

    def in_hand(self, n=1, seconds=30):
        """Whether n requests have reached the node and are not answered yet: waited for."""
        end = time.monotonic() + seconds * SLOW
        while True:
            have = sum(w["connections"]["busy"] for w in self.json("/v1/node")["workers"])
            if have >= n or time.monotonic() > end:
                return have >= n
            time.sleep(0.005)


_closed = []


def closed_port():
    """A port of loopback where nobody listens: it stays taken, so that no other program gets it."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    _closed.append(s)
    return s.getsockname()[1]


class Response:
    def __init__(self):
        self.status, self.headers, self.body, self.trailers = 0, [], b"", []
        self.complete = False  # ended as HTTP says it must
        self.reset = False

    def header(self, name):
        for k, v in self.headers:
            if k.lower() == name.lower():
                return v
        return None


class Reader:
    """Buffered reading of a socket that knows of resets."""

    def __init__(self, s):
        self.s, self.buf, self.eof, self.reset = s, b"", False, False

    def more(self):
        if self.eof:
            return False
        try:
            b = self.s.recv(65536)
        except ConnectionResetError:
            self.eof = self.reset = True
            return False
        if not b:
            self.eof = True
            return False
        self.buf += b
        return True

    def line(self):
        while b"\r\n" not in self.buf:
            if not self.more():
                return None
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def take(self, n):
        while len(self.buf) < n:
            if not self.more():
                break
        out, self.buf = self.buf[:n], self.buf[n:]
        return out


def parse_fields(r):
    fields = []
    while True:
        line = r.line()
        if line is None:
            return fields, False
        if line == b"":
            return fields, True
        k, v = line.split(b":", 1)
        fields.append((k.decode("latin-1"), v.strip().decode("latin-1")))


def read_response(s, method="GET", reader=None):
    r = reader or Reader(s)
    resp = Response()
    while True:
        line = r.line()
        if line is None:
            resp.reset = r.reset
            return resp
        resp.status = int(line.split(b" ")[1])
        resp.headers, ok = parse_fields(r)
        if not ok:
            resp.reset = r.reset
            return resp
        if resp.status >= 200 or resp.status == 101:
            break
    length, coding = resp.header("content-length"), resp.header("transfer-encoding")
    if method == "HEAD" or resp.status in (204, 304):
        resp.complete = True
    elif coding == "chunked":
        while True:
            line = r.line()
            if line is None:
                break
            n = int(line.split(b";")[0], 16)
            if n == 0:
                resp.trailers, resp.complete = parse_fields(r)
                break
            resp.body += r.take(n)
            if r.line() is None:
                break
    elif length is not None:
        resp.body = r.take(int(length))
        resp.complete = len(resp.body) == int(length)
    else:
        while r.more():
            pass
        resp.body, r.buf = r.buf, b""
        resp.complete = not r.reset
    resp.reset = r.reset
    return resp


# ---- counting ----
_passed, _failed = 0, 0


def check(name, ok, detail=""):
    global _passed, _failed
    if ok:
        _passed += 1
    else:
        _failed += 1
        print("FAILED: %s%s" % (name, ": " + str(detail) if detail != "" else ""), flush=True)
    return ok


def once(attempt, times=10):
    """Whether attempt() holds at least once in some tries: for what a busy machine may spoil, but a wrong program never has."""
    return any(attempt() for _ in range(times))


def skip(name, why):
    print("SKIP: %s: %s" % (name, why), flush=True)


def run_tests(module):
    """Runs every function called test_*; an exception is a failure."""
    import traceback
    only = os.environ.get("HF_ONLY_TEST", "")
    for name, fn in list(vars(module).items()):
        if name.startswith("test_") and callable(fn) and only in name:
            try:
                fn()
            except Exception:
                check(name, False, traceback.format_exc())
    print("%d passed, %d failed" % (_passed, _failed))
    sys.exit(1 if _failed or not _passed else 0)


def holdfast(*args, timeout=120, stdin=None):
    """Runs a command: (exit code, stdout, stderr)."""
    p = subprocess.run([BIN, *map(str, args)], capture_output=True, timeout=timeout * SLOW, text=True, cwd=top,
                       stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout, p.stderr
