#!/usr/bin/env python3
"""holdfast run and check: an app of a manifest, its routes, its life, reload by SIGHUP, what is said of mistakes, the schema."""
import glob, hashlib, json, os, re, shutil, signal, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

C = {name: guest("c-" + name) for name in ("hello", "counter", "kvcounter", "echo", "hostile", "slow")}
# Mistakes that a schema cannot see: they are between keys, in the environment or in a file, or the schema's language has no words.
UNSEEN = """a time that is too long, a size that is too big, a port that is none, an admin door without a token, an admin door for everybody,
two tokens, a token of a variable that is not set, a token of a variable that has none, a token of a file that is not there,
a socket with a path that is too long, more at least than at most, a singleton of four, memory that is no page, a slice that is too long,
the same route twice, the same host in other letters, two services for everything, a bucket with another mode,
a class of processes with a name that cannot be one's, what a runner has not,
a folder without the guest's name, a rule of the network that is none, a variable with = in its name, a variable that is not there,
a variable from two places, a NUL in an argument, a component that is not in the store,
a content hash without a data folder"""


class Folder:
    """A folder with a manifest, gone at the end."""

    def __init__(self, text=None):
        self.path = tempfile.mkdtemp(prefix="hf-manifest-")
        if text is not None:
            self.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.path)

    def write(self, text, name="holdfast.toml"):
        new = os.path.join(self.path, name + ".new")
        with open(new, "w") as f:
            f.write(text)
        os.rename(new, os.path.join(self.path, name)) # whole, or the one before

    def app(self, *args, env=None):
        return Server(self.path, *args, env=env, command="run")


def service(name, component, more=""):
    return '[services.%s]\ncomponent = "%s"\n%s\n' % (name, component, more)


def ask(s, path="/", host="localhost", method="GET", body=None):
    with s.connect() as c:
        c.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n" %
                   (method, path, host, "" if body is None else "Content-Length: %d\r\n" % len(body))).encode() + (body or b""))
        return read_response(c, method)


HEAD = "holdfast = 1\n"


# ---- what is served ----
def test_run_serves_what_the_manifest_says():
    text = HEAD + service("hello", C["hello"]) + service("one", C["counter"], 'routes = ["/one"]\ninstances = "singleton"') + \
        service("fresh", C["counter"], 'routes = ["/one/fresh"]\ninstances = "per-request"') + \
        service("echo", C["echo"], 'routes = [{ path = "/echo", method = "POST" }]\nbody_max = 10')
    with Folder(text) as f, f.app() as s:
        check("run", [ask(s, "/one").body for _ in range(3)] == [b"1\n", b"2\n", b"3\n"], "one instance counts")
        check("run", [ask(s, "/one/fresh").body for _ in range(2)] == [b"1\n", b"1\n"], "a longer path first, a fresh instance")
        check("run", ask(s, "/onerous").body == ask(s, "/").body == b"Hello from C\n", "whole segments")
        check("run", ask(s, "/echo", method="POST", body=b"hi").body == b"hi", "by method")
        check("run", ask(s, "/echo").body == b"Hello from C\n", "another method goes elsewhere")
        check("run", ask(s, "/echo", method="POST", body=b"x" * 11).status == 413, "its own limit of bodies")
        check("run", s.wait_line(r"one +\S+c-counter.wasm \(singleton\)\n +/one\n"), "what is served is said: " + s.text())
        check("run", s.stop() == 0, "SIGTERM drains")


def test_run_routes_by_host():
    text = HEAD + service("hello", C["hello"], 'routes = [{ host = "hello.example.org" }, { host = "*.example.org", path = "/h" }]') + \
        service("count", C["counter"], 'routes = [{ host = "*.example.org" }]\ninstances = "per-request"')
    with Folder(text) as f, f.app() as s:
        check("host", ask(s, "/", "hello.example.org").body == b"Hello from C\n", "an exact host")
        check("host", ask(s, "/h", "a.example.org").body == b"Hello from C\n", "a longer path below *")
        check("host", ask(s, "/x", "A.EXAMPLE.org:80").body == b"1\n", "any below, whatever the letters and the port")
        check("host", ask(s, "/", "example.org").status == 404, "none fits")


def test_run_gives_what_is_granted():
    text = HEAD + service("kept", C["kvcounter"], 'keyvalue = ["default"]\nconfig = { greeting = "good day" }')
    with Folder(text) as f:
        with f.app() as s:
            check("grant", [ask(s, "/").body for _ in range(3)] == [b"1\n", b"2\n", b"3\n"], "a bucket")
            check("grant", ask(s, "/greeting").body.strip() == b"good day", "config")
            check("grant", oct(os.stat(f.path + "/.holdfast").st_mode & 0o777) == "0o700", "its folder is for this user")
            check("grant", open(f.path + "/.holdfast/.gitignore").read() == "*\n", "and out of version control")
            s.stop(signal.SIGKILL)
        with f.app() as s:
            check("grant", ask(s, "/").body == b"4\n", "what was counted outlives kill -9")
        f.write(text.replace('keyvalue = ["default"]', "") + "[node]\ndata = false\n")
        with f.app() as s:
            r = ask(s, "/")
            check("grant", r.status == 500 and b"access-denied" in r.body, "no bucket, no count: %d %r" % (r.status, r.body))


def test_run_with_options_of_its_own():
    with Folder(HEAD + '[listen]\nhttp = "127.0.0.1:1"\n[node]\nlog = "json"\n' + service("hello", C["hello"])) as f:
        with f.app("--debug", "--workers", "1", "--log", "text") as s:
            r = ask(s)
            check("options", r.status == 200 and "id=" in (r.header("holdfast-instance") or ""), "--debug and --addr win")
            s.stop()
            check("options", re.search(r"access 127.0.0.1:\d+ GET / 200", s.text()) is not None, "--log wins: " + s.text())
        with f.app() as s:
            ask(s)
            s.stop()
            check("options", any(l.startswith("{") and json.loads(l)["level"] == "access" for l in s.lines), "else the manifest's: " + s.text())


def test_run_and_a_content_hash():
    with Folder() as f:
        shutil.copy(C["hello"], f.path + "/app.wasm")
        good = hashlib.sha256(open(C["hello"], "rb").read()).hexdigest()
        part = '[services.hello]\ncomponent = { path = "app.wasm", sha256 = "%s" }\n'
        f.write(HEAD + part % good.upper())
        with f.app() as s:
            check("hash", ask(s).status == 200, "the file that is asked for")
            shutil.copy(C["counter"], f.path + "/app.wasm")
            s.p.send_signal(signal.SIGHUP)
            check("hash", s.wait_line(r"reload .*is not the file that is asked for: its SHA-256 is [0-9a-f]{64}, not " + good.upper()), s.text())
            check("hash", ask(s).body == b"Hello from C\n", "another file is refused, the old one goes on")
        rc, out, err = holdfast("check", f.path)
        check("hash", rc == 3 and "not the file that is asked for" in out, "check says it too: %d %s" % (rc, out + err))


# ---- changing ----
def test_reload_adds_changes_and_removes():
    with Folder(HEAD + service("hello", C["hello"]) + service("one", C["counter"], 'routes = ["/one"]\ninstances = "singleton"')) as f, f.app() as s:
        check("reload", ask(s, "/one").body == b"1\n" and ask(s, "/two").body == b"Hello from C\n", "before")
        f.write(HEAD + service("hello", C["hello"]) + service("one", C["counter"], 'routes = ["/one"]\ninstances = "singleton"') +
                service("two", C["counter"], 'routes = ["/two"]\ninstances = "per-request"'))
        s.p.send_signal(signal.SIGHUP)
        check("reload", s.wait_line(r"reload \S+holdfast.toml: new two, 2 as before"), s.text())
        check("reload", ask(s, "/two").body == b"1\n" and ask(s, "/one").body == b"2\n", "a new one beside those that stay")
        f.write(HEAD + service("hello", C["counter"], 'instances = "per-request"'))
        s.p.send_signal(signal.SIGHUP)
        check("reload", s.wait_line(r"reload \S+: changed hello, gone one, gone two, 0 as before"), s.text())
        check("reload", ask(s, "/one").body == ask(s, "/").body == b"1\n", "changed, and gone")
        check("reload", s.stop() == 0 and s.alive() is False, "SIGTERM after reloads")


def test_a_bad_manifest_changes_nothing():
    good = HEAD + service("hello", C["hello"])
    bad = [(good + "[services.api]\ncomponet = 3\n", r"holdfast.toml:\d+:1: unknown key 'componet'"), ("", "the version is missing"),
           (good + service("api", "/no/such.wasm", 'routes = ["/api"]'), r'service "api": /no/such.wasm: No such file'),
           (HEAD + service("hello", C["hello"], 'dirs = ["nowhere::/x"]'), r"nowhere cannot be opened: No such file")]
    with Folder(good) as f, f.app() as s:
        for i, (text, words) in enumerate(bad):
            f.write(text)
            s.p.send_signal(signal.SIGHUP)
            check("bad reload %d" % i, s.wait_line(r"reload refused, nothing has changed: (.*\n)*.*" + words), s.text())
            check("bad reload %d" % i, ask(s).body == b"Hello from C\n", "the old one goes on")
        os.remove(f.path + "/holdfast.toml")
        s.p.send_signal(signal.SIGHUP)
        check("bad reload", s.wait_line(r"nothing has changed: \S+holdfast.toml: there is no such file"), s.text())
        f.write(good + service("two", C["hello"], 'routes = ["/2"]'))
        s.p.send_signal(signal.SIGHUP)
        check("bad reload", s.wait_line(r"new two, 1 as before"), "a good one after: " + s.text())


def test_reload_says_what_needs_a_start():
    with Folder(HEAD + service("hello", C["hello"])) as f, f.app() as s:
        f.write(HEAD + '[node]\nworkers = 3\ndrain = "1s"\n[listen]\nhttp = "127.0.0.1:1"\n' + service("hello", C["hello"]))
        s.p.send_signal(signal.SIGHUP)
        check("restart", s.wait_line(r"reload \S+: not changed before the next start: node.workers, node.drain, listen.http$"), s.text())
        check("restart", ask(s).status == 200, "it goes on")


def test_reload_under_load_loses_nothing():
    """Answers are those of the manifest before or after, never an error, while it changes again and again."""
    a, b = HEAD + service("web", C["hello"]), HEAD + service("web", C["counter"], 'instances = "per-request"')
    wrong, count, stop = [], [0], threading.Event()
    with Folder(a) as f, f.app("--quiet") as s:
        def load():
            while not stop.is_set():
                try:
                    with s.connect() as c:
                        r = Reader(c)
                        for _ in range(50):
                            c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                            got = read_response(c, reader=r)
                            count[0] += 1
                            if got.status != 200 or got.body not in (b"Hello from C\n", b"1\n"):
                                wrong.append((got.status, got.body))
                except OSError as e:
                    wrong.append(e)
        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        for i in range(10):
            f.write((b, a)[i % 2])
            before = count[0]
            s.p.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20 * SLOW
            want = (b"1\n", b"Hello from C\n")[i % 2]
            while ask(s).body != want and time.monotonic() < end:
                time.sleep(0.01)
            check("load", ask(s).body == want, "reload %d arrives" % i)
            while count[0] < before + 20 and time.monotonic() < end:
                time.sleep(0.01)
        stop.set()
        for t in threads:
            t.join()
        check("load", not wrong and count[0] >= 200, "%d answers, wrong: %s" % (count[0], wrong[:3]))
        check("load", s.stop() == 0, "and it stops in order")


def test_signals_end_it_with_their_codes():
    with Folder(HEAD + '[node]\ndrain = "200ms"\n' + service("slow", C["slow"])) as f, f.app() as s:
        with s.connect() as c:
            c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            c.recv(1)
            check("signals", s.stop() in (0, 7), "drained, or cut short: " + s.text())
    with Folder(HEAD + service("hello", C["hello"])) as f, f.app() as s:
        check("signals", s.stop(signal.SIGINT) == 0, "ctrl-c")


# ---- check ----
def test_check_tells_in_text_and_json():
    with Folder(HEAD + service("hello", C["hello"]) + service("api", C["counter"], 'routes = [{ path = "/api", method = "GET" }]\ntenant = "acme"')) as f:
        rc, out, err = holdfast("check", f.path)
        check("check", rc == 0 and err == "" and out.endswith("holdfast.toml: all is well, 2 services\n"), out + err)
        check("check", "    GET /api\n" in out and "(reuse, tenant acme)" in out, out)
        rc, out, err = holdfast("check", f.path + "/holdfast.toml", "--json")
        app = json.loads(out)
        check("check", rc == 0 and app["ok"] and app["error"] is None and app["manifest"] == f.path + "/holdfast.toml", out)
        check("check", app["services"][1] == {"name": "api", "component": C["counter"], "ok": True, "error": None, "instances": "reuse",
                                              "tenant": "acme", "routes": [{"host": None, "path": "/api", "method": "GET"}]}, out)
        check("check", app["listeners"] == ["127.0.0.1:8080"] and app["admin"] == ["unix:" + f.path + "/.holdfast/admin.sock"], out)
        check("check", os.listdir(f.path) == ["holdfast.toml"], "it leaves nothing behind")


def test_check_tells_of_all_that_would_not_run():
    with Folder(HEAD + service("a", "no.wasm", 'routes = ["/a"]') + service("b", "bad.wasm", 'routes = ["/b"]') + service("c", C["hello"])) as f:
        f.write("not a component", "bad.wasm")
        rc, out, err = holdfast("check", f.path)
        check("check all", rc == 6 and "2 of 3 services would not run" in out, "%d %s" % (rc, out + err))
        check("check all", "no.wasm: No such file" in out and "bad.wasm" in out, out)
        rc, out, err = holdfast("check", f.path, "--json")
        app = json.loads(out)
        check("check all", rc == 6 and not app["ok"] and [s["ok"] for s in app["services"]] == [False, False, True], out)
        f.write("holdfast = 1\nx = 1\n")
        rc, out, err = holdfast("check", f.path, "--json")
        app = json.loads(out)
        check("check all", rc == 3 and not app["ok"] and app["error"].startswith(f.path + "/holdfast.toml:2:1: unknown key 'x'"), out)


def test_the_first_messages():
    with Folder() as f:
        for command in ("run", "check"):
            rc, out, err = holdfast(command, f.path)
            check("first", rc == 6 and "there is no holdfast.toml in " + f.path in err and "holdfast new" in err, "%s: %d %s" % (command, rc, err))
            rc, out, err = holdfast(command, f.path + "/none")
            check("first", rc == 6 and "there is no such file or folder" in err, err)
            rc, out, err = holdfast(command, "a", "b")
            check("first", rc == 2 and "one folder or manifest" in err, err)
        f.write("holdfast = 1\n[services.web]\ncomponent = \"w.wasm\"\ninstnaces = \"reuse\"\n")
        rc, out, err = holdfast("run", f.path)
        check("first", rc == 3 and err == "holdfast run: %s/holdfast.toml:4:1: unknown key 'instnaces' in [services.web], did you mean 'instances'?\n"
              % f.path, err)
        f.write("holdfast = 1\n" + service("web", "w.wasm"))
        rc, out, err = holdfast("run", f.path)
        check("first", rc == 6 and "service \"web\": %s/w.wasm: No such file" % f.path in err, "%d %s" % (rc, err))
        f.write("holdfast = 1\n[node]\ndata = \"no/such/folder\"\n" + service("web", C["hello"]))
        rc, out, err = holdfast("run", f.path)
        check("first", rc == 6 and "no/such/folder cannot be made" in err and "data = false" in err, "%d %s" % (rc, err))


# ---- what is made of the table of keys ----
def test_the_reference_is_the_table():
    rc, keys, err = holdfast("check", "--keys")
    page = open(os.path.join(top, "doc", "manifest.md"), encoding="utf-8").read()
    check("reference", rc == 0 and page.endswith(keys), "doc/manifest.md ends with what `holdfast check --keys` prints")


def validator():
    """A Python that has the validator: this one, or that of tools/setup checkers."""
    cache = os.environ.get("HF_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "holdfast")
    for python in [*sorted(glob.glob(cache + "/checkers-*/bin/python3")), sys.executable]:
        if subprocess.run([python, "-c", "import jsonschema\ntry:\n import tomllib\nexcept ImportError:\n import tomli"], capture_output=True).returncode == 0:
            return python
    return None


def mistakes():
    text = open(os.path.join(top, "tests", "manifest", "mistakes.txt"), encoding="utf-8").read()
    for part in re.split(r"^=== ", text, flags=re.M)[1:]:
        name, rest = part.split("\n", 1)
        yield name, ("\n" + rest).split("\n---\n", 1)[0][1:] + "\n"


def test_the_schema_and_a_validator_of_others():
    rc, schema, err = holdfast("check", "--schema")
    check("schema", rc == 0 and json.loads(schema)["additionalProperties"] is False, "it is JSON")
    python = validator()
    if python is None:
        print("SKIP: schema: no Python has jsonschema (tools/setup checkers)")
        return
    good = glob.glob(os.path.join(top, "examples", "**", "holdfast.toml"), recursive=True)
    bad = list(mistakes())
    with Folder() as f:
        f.write(schema, "schema.json")
        texts = [open(p, encoding="utf-8").read() for p in good] + [t for _, t in bad]
        p = subprocess.run([python, os.path.join(top, "tests", "manifest", "validate.py"), f.path + "/schema.json"], input=json.dumps(texts),
                           capture_output=True, text=True, timeout=120 * SLOW)
    check("schema", p.returncode == 0, p.stderr)
    wrong = json.loads(p.stdout)
    for path, why in zip(good, wrong):
        check("schema", why is None, "%s: %s" % (path, why))
    check("schema", len(good) >= 1, "there are examples")
    taken = {name for (name, _), why in zip(bad, wrong[len(good):]) if why is None}
    unseen = {n.strip() for n in UNSEEN.replace("\n", " ").split(",")}
    check("schema", taken == unseen, "the schema takes %s, and should not; refuses %s" % (sorted(taken - unseen), sorted(unseen - taken)))


def test_examples_are_right():
    rc, out, err = holdfast("check", "examples")
    check("examples", rc == 0, out + err)


def test_docs_manifests_are_read():
    """Every manifest in the docs is one: read as far as its components, which are not there."""
    for page in glob.glob(os.path.join(top, "doc", "*.md")) + [os.path.join(top, "README.md")]:
        for i, text in enumerate(re.findall(r"^```toml\n(holdfast = 1.*?)^```", open(page, encoding="utf-8").read(), re.M | re.S)):
            with Folder(text) as f:
                p = subprocess.run([BIN, "check", f.path, "--json"], capture_output=True, text=True, timeout=60 * SLOW,
                                   env=dict(os.environ, **{n: "x" * 20 for n in re.findall(r'(?:env_from = \[|token_env = )"(\w+)"', text)}))
                check("docs", json.loads(p.stdout)["error"] is None, "%s, manifest %d: %s" % (os.path.basename(page), i, p.stdout))


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
