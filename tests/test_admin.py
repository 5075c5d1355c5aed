#!/usr/bin/env python3
"""The admin door of a running node and the commands that use it: holdfast ps, top, logs, kv, kill, deploy, rollback, reload, stop."""
import json, os, re, select, shutil, signal, socket, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

TOKEN = "0123456789abcdef0123"
PROMETHEUS = "0.22.1"
tmp = tempfile.mkdtemp(prefix="holdfast-admin-")


def test_each_endpoint_shows_what_happened():
    with Node(guest("c-hello"), "--workers", 2) as s:
        for _ in range(7):
            s.get("/")
        s.get("/", method="POST", body=b"12345")
        check("healthz", s.ask("GET", "/healthz") == (200, b"ok\n"))
        check("readyz", s.ask("GET", "/readyz") == (200, b"ready\n"))
        one = s.service("c-hello")
        check("requests are counted", one["requests"]["total"] == 8 and one["requests"]["2xx"] == 8, one)
        check("with their bytes", one["bytes_in"] == 5 and one["bytes_out"] == 8 * 13, one)
        check("and times", one["latency"]["count"] == 8 and 0 < one["latency"]["p50_ns"] <= one["latency"]["p99_ns"], one)
        check("its instances", sum(one["instances"].values()) == 2 and one["starts"] == 2 and one["memory_bytes"] > 0, one)
        check("its component and lifecycle", one["component"].startswith("sha256:") and one["lifecycle"] == "reuse", one)
        listed = s.json("/v1/instances")["instances"]
        check("instances served all", sum(i["served"] for i in listed) == 8 and {i["worker"] for i in listed} == {0, 1}, listed)
        ids = lambda target, member: [i["id"] for i in s.json(target)[member]]
        check("as the service's page", ids("/v1/services/c-hello", "list") == ids("/v1/instances?service=c-hello", "instances"))
        node = s.json("/v1/node")
        check("the node", node["pid"] == s.p.pid and len(node["workers"]) == 2 and not node["stopping"], node)
        check("counts of connections", sum(w["connections"]["requests"] for w in node["workers"]) == 8, node)
        status, text = s.ask("GET", "/v1/logs")
        check("logs", status == 200 and text.count(b" access ") == 8, text)
        check("unknown path", s.ask("GET", "/v2/x")[0] == 404)
        check("wrong method", s.ask("POST", "/metrics")[0] == 405)
        check("the socket is its user's alone", os.stat(s.sock).st_mode & 0o777 == 0o600)
    check("and goes with the node", not os.path.exists(s.sock))


def client_module():
    try:
        import prometheus_client.parser as parser
        return parser
    except ImportError:
        pass
    cache = os.environ.get("HF_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "holdfast")
    place = os.path.join(cache, "prometheus-client-" + PROMETHEUS)
    if not os.path.isdir(place):
        part = "%s.%d" % (place, os.getpid())
        try:
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", part,
                            "prometheus_client==" + PROMETHEUS], timeout=120, capture_output=True, check=True)
            os.rename(part, place)
        except (OSError, subprocess.SubprocessError):
            shutil.rmtree(part, ignore_errors=True)
    sys.path.insert(0, place)
    try:
        import prometheus_client.parser as parser
        return parser
    except ImportError:
        return None


def test_metrics_are_read_by_prometheus_client():
    parser = client_module()
    if parser is None:
        return skip("prometheus_client", "the package cannot be had")
    with Node(guest("c-hostile"), "--workers", 1) as s:
        for path in ("/count", "/count", "/before-set", "/count"):
            s.get(path)
        status, text = s.ask("GET", "/metrics")
        families = {f.name: f for f in parser.text_string_to_metric_families(text.decode())}
        value = lambda family, **labels: sum(x.value for x in families[family].samples if all(x.labels.get(k) == v for k, v in labels.items())
                                             and not x.name.endswith("_created"))
        check("every family has a type and help", all(f.type != "unknown" and f.documentation for f in families.values()), families)
        check("requests by status", value("holdfast_requests", status="2xx") == 3 and value("holdfast_requests", status="5xx") == 1, text)
        check("and tenant", value("holdfast_requests", service="c-hostile", tenant="default") == 4)
        check("a failed instance has a reason", value("holdfast_instance_ends", reason="failed") == 1, text)
        check("starts", value("holdfast_instance_starts") == 2, text)
        buckets = [x for x in families["holdfast_request_duration_seconds"].samples if x.name.endswith("_bucket") and x.labels["service"] == "c-hostile"]
        check("the histogram only grows", [b.value for b in buckets] == sorted(b.value for b in buckets) and buckets[-1].value == 4, buckets)
        check("its bounds too", [float(b.labels["le"]) for b in buckets] == sorted(float(b.labels["le"]) for b in buckets))
        golden = open(os.path.join(top, "tests", "console", "shown", "metrics.txt")).read()
        check("the golden text is read too", len(list(parser.text_string_to_metric_families(golden))) > 30)


def test_commands_find_the_node_and_show_it():
    home = tempfile.mkdtemp(dir=tmp)
    os.makedirs(os.path.join(home, "a", "b"))
    os.mkdir(os.path.join(home, ".holdfast"))
    env = {k: v for k, v in os.environ.items() if k not in ("HF_ADMIN", "HF_ADMIN_TOKEN")}
    run = lambda cwd, *args: subprocess.run([BIN, *args], cwd=os.path.join(home, cwd), env=env, capture_output=True, text=True, timeout=60 * SLOW)
    p = run("", "ps")
    check("nobody there", p.returncode == 6 and "no node was found" in p.stderr and "holdfast serve" in p.stderr, p)
    with Node(guest("c-hello"), "--workers", 1) as s:
        os.symlink(s.sock, os.path.join(home, ".holdfast", "admin.sock"))
        for cwd in ("", "a", "a/b"):
            p = run(cwd, "ps")
            check("found from %r" % cwd, p.returncode == 0 and "c-hello" in p.stdout, p)
        s.get("/")
        code, out, err = s.run("ps")
        check("ps", code == 0 and re.search(rb"c-hello +reuse +[0-9a-f]{12} start +1 ", out) and re.search(rb"\n1 +c-hello +idle +0 ", out), out)
        code, out, err = s.run("ps", "c-hello", "--json")
        check("ps --json", code == 0 and json.loads(out)["instances"][0]["served"] == 1, out)
        check("ps of no service", s.run("ps", "nix")[0] == 2)
        code, out, err = s.run("top", "--interval", "200ms")
        check("top without a terminal is one look", code == 0 and out.count(b"SERVICE") == 1 and b"\033" not in out, out)
        code, out, err = s.run("logs", "c-hello")
        check("logs", code == 0 and out.count(b" access ") == 1, (out, err))
        check("logs of another", s.run("logs", "nix")[1] == b"")
        code, out, err = s.run("inspect", "c-hello")
        check("inspect NAME", code == 0 and b"c-hello" in out and b"sha256:" in out, (out, err))
        code, out, err = s.run("inspect", "nix")
        check("inspect of neither file nor service", code != 0 and b"nix" in err, (out, err))
        check("reload without a manifest", s.run("reload")[0] == 2 and b"without a manifest" in s.run("reload")[2])
        code, out, err = s.run("kill", "1")
        check("kill", code == 0 and b"1" in out, (out, err))
        check("it is gone", s.wait_line(r"c-hello\[1\] ended: operator"), s.text())
        check("and another serves", s.get("/").status == 200)
        check("killing nobody", s.run("kill", "77")[0] == 2 and s.run("kill", "x")[0] == 2 and s.run("kill")[0] == 2)
        code, out, err = s.run("kill", "--service", "c-hello")
        check("kill all of a service", code == 0 and b"1" in out and s.get("/").status == 200, (out, err))
        code, out, err = s.run("stop")
        check("stop", code == 0, err)
        check("the node ends well", s.p.wait(20 * SLOW) == 0)
    p = subprocess.run([BIN, "ps", "--admin", s.sock], capture_output=True, text=True, timeout=60 * SLOW)
    check("a node that is gone", p.returncode == 6 and "no node answers at" in p.stderr, p)


def test_a_terminal_gets_a_live_view():
    import pty
    with Node(guest("c-hello"), "--workers", 1) as s:
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(BIN, [BIN, "top", "--interval", "150ms", "--admin", "unix:" + s.sock], dict(os.environ))
        out, end = b"", time.monotonic() + 60 * SLOW
        while (out.count(b"\033[2J") < 3 or out.count(b"c-hello") < 3) and time.monotonic() < end:
            out += os.read(fd, 65536)
        check("again and again", out.count(b"c-hello") >= 3, out)
        os.write(fd, b"q")
        try:
            while os.read(fd, 65536):
                pass
        except OSError:
            pass
        os.close(fd)
        check("q ends it", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)


def test_tcp_asks_for_a_token():
    env = {k: v for k, v in os.environ.items() if k != "HF_ADMIN_TOKEN"}
    serve = lambda addr, **more: subprocess.run([BIN, "serve", guest("c-hello"), "--addr", "127.0.0.1:0", "--admin", addr], capture_output=True,
                                                text=True, timeout=60 * SLOW, env=dict(env, **more))
    p = serve("127.0.0.1:0")
    check("no token, no door", p.returncode == 2 and "needs a token" in p.stderr, p)
    p = serve("127.0.0.1:0", HF_ADMIN_TOKEN="short")
    check("a token has a length", p.returncode == 2 and "16 at least" in p.stderr, p)
    p = serve("0.0.0.0:0", HF_ADMIN_TOKEN=TOKEN)
    check("loopback only", p.returncode == 2 and "loopback addresses only" in p.stderr, p)
    with Server(guest("c-hello"), "--admin", "127.0.0.1:0", "--workers", 1, env=dict(env, HF_ADMIN_TOKEN=TOKEN)) as s:
        port = int(s.find(r"admin door at 127\.0\.0\.1:(\d+)").group(1))

        def ask(target="/v1/services", method="GET", **headers):
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * SLOW)
            c.request(method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})
            r = c.getresponse()
            text = r.read()
            c.close()
            return r.status, text
        for target in ("/", "/metrics", "/healthz", "/readyz", "/v1/services", "/v1/logs?follow"):
            check("without: " + target, ask(target)[0] == 401)
        check("a wrong one", ask(Authorization="Bearer " + TOKEN[:-1] + "x")[0] == 401)
        check("stop without", ask("/v1/stop", "POST")[0] == 401 and s.alive())
        check("the right one", ask(Authorization="Bearer " + TOKEN)[0] == 200)
        check("under another name", ask(Authorization="Bearer " + TOKEN, Host="rebound.example")[0] == 421)
        run = lambda *args, **more: subprocess.run([BIN, "ps", "--admin", "127.0.0.1:%d" % port, *args], capture_output=True, text=True,
                                                   timeout=60 * SLOW, env=dict(env, **more))
        p = run()
        check("the command says so", p.returncode == 2 and "asks for a token" in p.stderr, p)
        check("and takes one", run("--token", TOKEN).returncode == 0 and run(HF_ADMIN_TOKEN=TOKEN).returncode == 0)
        p = run("--token", TOKEN + "x")
        check("a wrong one", p.returncode == 2 and "not the one this node was started with" in p.stderr, p)


def test_bad_deploys_change_nothing():
    with Node(guest("c-hello"), "--workers", 2) as s:
        before = s.service("c-hello")["component"]
        rubbish = os.path.join(tmp, "rubbish.wasm")
        open(rubbish, "wb").write(os.urandom(5000))
        code, out, err = s.run("deploy", rubbish, "--service", "c-hello")
        check("rubbish", code == 3 and len(err) > 20, (code, err))
        half = os.path.join(tmp, "half.wasm")
        open(half, "wb").write(open(guest("c-hello"), "rb").read()[:3000])
        check("half a component", s.run("deploy", half)[0] == 3)
        code, out, err = s.run("deploy", guest("c-command"))
        check("no service", code in (3, 4), (code, err))
        check("an empty one", s.ask("POST", "/v1/deploy/c-hello", b"")[0] == 400)
        code, out, err = s.run("deploy", guest("c-echo"), "--service", "nix")
        check("no such service", code == 2 and b"nix" in err, (code, err))
        check("no such file", s.run("deploy", "/nowhere/x.wasm")[0] == 6)
        code, out, err = s.run("deploy", tmp)
        check("a folder", code == 6 and b"Is a directory" in err, (code, err))
        huge = os.path.join(tmp, "huge.wasm")
        with open(huge, "wb") as f:
            f.truncate((256 << 20) + 1)
        code, out, err = s.run("deploy", huge)
        check("a huge one", code == 6 and b"larger than 256 MiB" in err, (code, err))
        os.unlink(huge)
        check("nothing to roll back", s.run("rollback")[0] == 2)
        check("the old one goes on", s.get("/").body == b"Hello from C\n" and s.service("c-hello")["component"] == before)
        code, out, err = s.run("deploy", guest("c-counter"))
        check("a good one", code == 0 and s.get("/").body == b"1\n", (code, err, s.text()))
        one = s.service("c-hello")
        check("counts go on over a deploy", one["requests"]["total"] == 2 and one["component"] != before, one)
        code, out, err = s.run("rollback", "c-hello")
        check("and back", code == 0 and s.get("/").body == b"Hello from C\n" and s.service("c-hello")["component"] == before, err)
        check("all was logged", s.wait_line("admin +deploy c-hello: refused") and s.wait_line("admin +rollback c-hello: done"), s.text())


def test_a_deploy_is_done_when_its_instances_have_started():
    if not have("js-hello"):
        return skip("test_admin: a slow start", "JavaScript's toolchain is not here")
    with Node(guest("c-hello"), "--workers", 2, "--min", 8, "--max", 8) as s:
        for name in ("js-hello", "c-hello", "js-hello"):  # a start of the first takes several time slices
            code, out, err = s.run("deploy", guest(name), "--service", "c-hello", timeout=120)
            of = s.service("c-hello")["instances"]
            check("%s: all of them" % name, code == 0 and of["starting"] == 0 and of["idle"] == 8, (code, out, err, of))


def test_keys_by_hand():
    with Node(guest("c-kvcounter"), "--keyvalue", "counts", "--keyvalue", "notes:ro", "--workers", 2) as s:
        value = bytes(range(256)) * 10
        check("set from standard input", s.run("kv", "set", "notes", "a/b c%", stdin=value)[0] == 0)
        check("get gives it back", s.run("kv", "get", "notes", "a/b c%")[1] == value)
        check("set an argument", s.run("kv", "set", "notes", "empty", "")[0] == 0 and s.run("kv", "get", "notes", "empty")[:2] == (0, b""))
        check("list", s.run("kv", "list", "notes")[1].splitlines() == [b"a/b c%", b"empty"] or
              sorted(s.run("kv", "list", "notes")[1].splitlines()) == [b"a/b c%", b"empty"])
        check("list with a prefix", s.run("kv", "list", "notes", "--prefix", "em")[1] == b"empty\n")
        check("list --json", sorted(json.loads(s.run("kv", "list", "notes", "--json")[1])) == ["a/b c%", "empty"])
        check("delete", s.run("kv", "delete", "notes", "empty")[0] == 0 and s.run("kv", "get", "notes", "empty")[0] == 1)
        code, out, err = s.run("kv", "get", "typo", "x")
        check("no such bucket", code == 2 and b"counts" in err and b"notes" in err, err)
        check("no such service", s.run("kv", "get", "notes", "x", "--service", "nix")[0] == 2)
        check("wrong usage", s.run("kv", "get", "notes")[0] == 2 and s.run("kv")[0] == 2 and s.run("kv", "put", "a", "b")[0] == 2)
        for i in range(1500):
            if i % 500 == 0:
                c = Unix(s.sock)
            c.request("PUT", "/v1/kv/notes/many%%2F%04d" % i, b"v")
            c.getresponse().read()
        code, out, err = s.run("kv", "list", "notes", "--prefix", "many/")
        check("more than a page", code == 0 and sorted(out.split()) == [b"many/%04d" % i for i in range(1500)], (len(out.split()), err))


def test_buckets_are_counted():
    with Node(guest("c-kvcounter"), "--keyvalue", "tenant:default", "--keyvalue", "own", "--tenant", "acme", "--workers", 2) as s:
        check("the guest counts", s.get("/").body == b"1\n" and s.get("/").body == b"2\n")
        keys = s.run("kv", "list", "default")[1].split()
        check("what the tenant shares is seen by hand", len(keys) > 0 and s.run("kv", "list", "tenant:default")[1].split() == keys, keys)
        check("two keys of its own", s.run("kv", "set", "own", "a", "12345")[0] == 0 and s.run("kv", "set", "own", "bb", "")[0] == 0)
        code, out, err = s.run("kv", "list")
        check("in words", code == 0 and re.search(rb"^c-kvcounter +own +2 +8B$", out, re.M) and
              re.search(rb"^tenant:acme +default +%d " % len(keys), out, re.M), (out, err))
        listed = json.loads(s.run("kv", "list", "--json")[1])
        check("as JSON", {"service": "c-kvcounter", "tenant": None, "bucket": "own", "keys": 2, "bytes": 8} in listed, listed)
        text = s.ask("GET", "/metrics")[1].decode()
        for line in ('holdfast_bucket_keys{service="c-kvcounter",tenant="acme",bucket="own"} 2',
                     'holdfast_bucket_bytes{service="c-kvcounter",tenant="acme",bucket="own"} 8',
                     'holdfast_bucket_keys{service="",tenant="acme",bucket="default"} %d' % len(keys)):
            check("metrics: " + line, line in text, [l for l in text.splitlines() if "bucket" in l])
        check("a prefix wants a bucket", s.run("kv", "list", "--prefix", "x")[0] == 2)


def test_logs_are_bounded_and_followed():
    with Node(guest("c-hello"), "--workers", 2) as s:
        follow = subprocess.Popen([BIN, "logs", "-f", "--lines", "0", "--admin", "unix:" + s.sock], stdout=subprocess.PIPE)
        quiet = socket.socket(socket.AF_UNIX)  # follows, and reads nothing
        quiet.connect(s.sock)
        quiet.sendall(b"GET /v1/logs?follow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        quiet.settimeout(120 * SLOW)
        check("the door has it", quiet.recv(1) == b"H")
        while True:  # until the follower is there
            s.get("/first")
            if select.select([follow.stdout], [], [], 0.05)[0]:
                break
        line = follow.stdout.readline()
        check("a line as it comes", b"GET /first 200" in line, line)
        with s.connect() as c:
            for block in range(120):  # 12000 lines of 300 bytes: three times what is kept
                c.sendall(b"".join(request("/" + "x" * 250) for _ in range(100)))
                r = Reader(c)
                for _ in range(100):
                    read_response(c, reader=r)
        status, text = s.ask("GET", "/v1/logs?lines=1000000")
        check("at most 1 MiB is kept", status == 200 and 500000 < len(text) <= 1 << 20, len(text))
        got = b""
        while b"lines lost: they came faster" not in got and len(got) < 1 << 23:
            got += quiet.recv(65536)
        check("a slow reader is told what it lost", re.search(rb"\((\d+) lines lost", got) is not None, got[-300:])
        quiet.close()
        follow.send_signal(signal.SIGTERM)
        follow.stdout.close()
        follow.wait()
        check("the service goes on", s.get("/").status == 200)
        check("in time", s.stop() == 0)
    with Node(guest("c-hello"), "--workers", 1) as s:
        follow = subprocess.Popen([BIN, "logs", "-f", "--admin", "unix:" + s.sock], stdout=subprocess.PIPE)
        s.get("/")
        check("it sees the request", b"access" in follow.stdout.readline())
        check("a follower does not hold up the end", s.stop() == 0)
        follow.stdout.read()
        check("and ends with the node", follow.wait(20 * SLOW) == 0)


def test_hostile_clients_of_the_door_hurt_nobody():
    with Node(guest("c-hello"), "--workers", 2) as s:
        memory = s.rss_kb()
        slow = []
        for _ in range(3):  # uploads that go on for ever
            c = socket.socket(socket.AF_UNIX)
            c.connect(s.sock)
            c.sendall(b"POST /v1/deploy/c-hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nx")
            slow.append(c)
        check("a third one is turned away", b"503" in slow[2].recv(4096))
        status, text = s.ask("POST", "/v1/deploy/c-hello", None)
        c = socket.socket(socket.AF_UNIX)
        c.connect(s.sock)
        c.sendall(b"POST /v1/deploy/c-hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000000\r\n\r\n")
        check("a huge one is refused by its length", b" 413 " in c.recv(4096).split(b"\r\n")[0])
        c.close()
        crowd = []
        for _ in range(200):  # more than it takes; the rest waits in the system's queue
            c = socket.socket(socket.AF_UNIX)
            c.setblocking(False)
            try:
                c.connect(s.sock)
            except OSError:
                pass
            crowd.append(c)
        for junk in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", b"A" * 100000):
            for c in crowd[:20]:
                try:
                    c.send(junk)
                except OSError:
                    pass
        check("services do not notice", all(s.get("/").status == 200 for _ in range(50)))
        for c in crowd + slow:
            c.close()
        for _ in range(100):
            try:
                if s.ask("GET", "/healthz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        check("and the door opens again", s.ask("GET", "/healthz")[0] == 200)
        check("memory stays small", s.rss_kb() < memory + 60000, (memory, s.rss_kb()))
        check("it ends well", s.stop() == 0)


def test_deploys_whose_senders_left_are_bounded():
    component = open(guest("c-hostile"), "rb").read()
    with Node(guest("c-hello"), "--workers", 1, "--no-cache") as s:
        head = b"POST /v1/deploy/c-hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(component)
        answers = []
        for _ in range(30):  # each leaves as soon as its component is sent
            c = socket.socket(socket.AF_UNIX)
            c.connect(s.sock)
            c.sendall(head + component)
            c.close()
            answers.append(s.ask("GET", "/healthz")[0])  # the door has seen it, and answers meanwhile
        check("the door answers all the while", set(answers) == {200}, answers)
        for _ in range(600):
            status, text = s.ask("POST", "/v1/deploy/c-hello", component)
            if status == 200:
                break
            check("one too many is told to wait", status == 503 and (b"deploys wait already" in text or b"uploads are under way" in text), text)
            time.sleep(0.1)
        check("and gets its turn", status == 200, (status, text))
        check("it ends well", s.stop() == 0)
        done = sum("deploy c-hello: done" in l for l in s.lines)
        check("the log says so: fewer were taken than were sent, none twice", 1 <= done <= 31, (done, s.text()))


def test_a_stop_while_deploys_wait():
    component = open(guest("c-hostile"), "rb").read()
    with Node(guest("c-hello"), "--workers", 2, "--no-cache") as s:
        follower = Unix(s.sock)
        follower.request("GET", "/v1/logs?follow")
        lines = follower.getresponse()
        askers = []
        for _ in range(2):
            c = Unix(s.sock)
            c.request("POST", "/v1/deploy/c-hello", component)
            askers.append(c)
        check("it ends in time", s.stop() == 0)
        lines.read()  # comes to an end
        for c in askers:
            try:
                check("each is answered, or the connection ends", c.getresponse().status in (200, 503))
            except (OSError, http.client.HTTPException):
                pass


def test_numbers_of_instances_are_exact():
    with Node(guest("c-hello"), "--workers", 130, "--max", 200) as s:  # a worker's number is in the top bits, which a double has no room for
        def ids():
            return {i["id"] for i in s.json("/v1/instances")["instances"] if i["state"] != "leaving"}
        first = max(ids())
        check("the newest worker's is killed", s.ask("POST", "/v1/kill/%d" % first)[0] == 200)
        for _ in range(200):
            if max(ids()) > first:
                break
            time.sleep(0.05)
        want = ids()
        check("another one takes its place", max(want) == first + 1 > 2**53, max(want))
        code, out, _ = s.run("ps", "--all")
        shown = set(map(int, re.findall(r"^(\d+) +c-hello ", out.decode(), re.M)))
        check("ps shows them as they are", code == 0 and max(want) in shown, shown ^ want)
        code, out, err = s.run("kill", max(shown))
        check("and kill takes what ps shows", code == 0 and b"instances ended: 1" in out, (code, out, err))


def test_classes_of_processes_say_what_they_are():
    path = os.path.join(tmp, "processes")
    os.mkdir(path)
    with open(os.path.join(path, "holdfast.toml"), "w") as f:
        f.write('holdfast = 1\n[node]\ndata = false\n[services.front]\ncomponent = "%s"\nroutes = ["/"]\n[services.front.process]\n'
                'sends = ["*"]\n[services.hello]\ncomponent = "%s"\nroutes = ["/hello"]\n' % (guest("c-front"), guest("c-hello")))
    p = subprocess.run([BIN, "check", path], capture_output=True, text=True)
    check("check", p.returncode == 0 and "c-front.wasm (process, handler" in p.stdout and "c-hello.wasm (reuse" in p.stdout, (p.stdout, p.stderr))
    with Server(path, command="run") as s:
        check("run", "c-front.wasm (process, handler" in s.text() or s.wait_line(r"c-front.wasm \(process, handler"), s.text())
        at = "unix:" + os.path.join(path, ".holdfast", "admin.sock")
        p = subprocess.run([BIN, "ps", "--json", "--admin", at], capture_output=True, text=True)
        shown = {o["name"]: o["lifecycle"] for o in json.loads(p.stdout)["services"]}
        check("ps", shown == {"front": "handler", "hello": "reuse"}, shown)
        p = subprocess.run([BIN, "inspect", "front", "--admin", at], capture_output=True, text=True)
        check("inspect", p.returncode == 0 and re.search(r"lifecycle +handler\n", p.stdout), p.stdout)
        check("front answers", s.get("/none").status in (403, 502), s.get("/none").status)
        p = subprocess.run([BIN, "kill", "--service", "front", "--admin", at], capture_output=True, text=True)
        check("kill ends its processes", p.returncode == 0 and "instances ended: 1" in p.stdout, (p.stdout, p.stderr))
        check("and the next message makes it anew", s.get("/none").status in (403, 502))


def test_a_guest_that_never_stops_computing_is_seen():
    with Node(guest("c-hostile"), "--workers", 1, "--request-timeout", "300s") as s:
        with s.connect() as c:
            c.sendall(request("/spin"))
            check("it has begun", s.in_hand())
            busy = s.json("/v1/instances")["instances"]
            check("while it spins the door answers", any(i["state"] == "busy" for i in busy), busy)
            victim = next(i["id"] for i in busy if i["state"] == "busy")
            check("and it can be killed", s.run("kill", victim)[0] == 0)
            check("who waited is told", read_response(c).status in (500, 503))
        check("the service goes on", s.get("/count").status == 200)


def test_an_address_that_is_taken():
    with Node(guest("c-hello"), "--workers", 1) as s:
        code, out, err = holdfast("serve", guest("c-hello"), "--addr", "127.0.0.1:0", "--admin", "unix:" + s.sock)
        check("a second node says so", code == 6 and "a node that runs already?" in err, err)
        check("the first one keeps it", s.ask("GET", "/healthz")[0] == 200)
        s.p.kill()
        s.p.wait()
        check("a dead one leaves its file", os.path.exists(s.sock))
        again = Server(guest("c-hello"), "--admin", "unix:" + s.sock, "--workers", 1)
        c = Unix(s.sock)
        c.request("GET", "/healthz")
        check("which the next takes over", c.getresponse().status == 200)
        again.stop()


if __name__ == "__main__":
    try:
        run_tests(sys.modules[__name__])
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
